#ifndef HMLC_THRESHOLD_H
#define HMLC_THRESHOLD_H

#include "dispatch.h"

#define THRESHOLD_KERNELS(K, real)                                                                 \
    K(sweep, const real *scores, const uint8_t *labels, const real *weights, ptrdiff_t step,       \
      ptrdiff_t n, real *thresholds, double *precisions, double *recalls, double *f1s,             \
      ptrdiff_t *answer, uint64_t *scratch)
HMLC_FAMILY(threshold, THRESHOLD_KERNELS)

/* sweep's scratch holds two keys a score, what those before weigh where weights differ, and, for
 * each digit of a radix sort, a count of each value. */
enum { HMLC_DIGITS = 3, HMLC_DIGIT_BITS = 11, HMLC_DIGIT_VALUES = 1 << HMLC_DIGIT_BITS };

#endif
