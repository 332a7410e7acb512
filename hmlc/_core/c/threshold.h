#ifndef HMLC_THRESHOLD_H
#define HMLC_THRESHOLD_H

#include "barrier.h"
#include "dispatch.h"

#define THRESHOLD_KERNELS(K, real)                                                                 \
    K(sweep, const real *scores, const uint8_t *labels, const real *weights, ptrdiff_t step,       \
      ptrdiff_t n, real *thresholds, double *precisions, double *recalls, double *f1s,             \
      ptrdiff_t *answer, ptrdiff_t thread, ptrdiff_t threads, unsigned char *memory)
HMLC_FAMILY(threshold, THRESHOLD_KERNELS)

/* A pass of the sort tells apart the labels, two, and the values of a digit: of more bits, the
 * values' places leave the first cache. */
enum { HMLC_DIGITS = 4, HMLC_DIGIT_BITS = 9, HMLC_DIGIT_VALUES = 1 << HMLC_DIGIT_BITS };
enum { HMLC_KEY_CELLS = 2 * HMLC_DIGIT_VALUES };

/* What a thread found in its part of the sorted scores. */
typedef struct {
    ptrdiff_t distinct, best;
} hmlc_threshold_finding;

/* Bytes of memory: a barrier, a finding and two numbers a cell for each thread, a key a score, and
 * where weights differ (step 1) a weight, and what those before weigh. */
static inline ptrdiff_t hmlc_threshold_memory(ptrdiff_t n, ptrdiff_t step, ptrdiff_t threads) {
    return (ptrdiff_t)sizeof(barrier) + threads * (ptrdiff_t)sizeof(hmlc_threshold_finding) +
           8 * (threads * 2 * HMLC_KEY_CELLS + n + step * (2 * n + 2));
}

#endif
