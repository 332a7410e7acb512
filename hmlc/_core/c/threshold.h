#ifndef HMLC_THRESHOLD_H
#define HMLC_THRESHOLD_H

#include "dispatch.h"

#define THRESHOLD_KERNELS(K, real)                                                                 \
    K(sweep, const real *scores, const uint8_t *labels, ptrdiff_t n, real *thresholds,             \
      double *precisions, double *recalls, double *f1s, ptrdiff_t *answer, uint64_t *scratch)
HMLC_FAMILY(threshold, THRESHOLD_KERNELS)

/* Keys are sorted by digits of this many bits. */
enum { HMLC_DIGIT_BITS = 11, HMLC_DIGIT_VALUES = 1 << HMLC_DIGIT_BITS };
/* Digits of a float64's key; sweep's scratch holds a table for each, and two keys a score. */
enum { HMLC_MAX_DIGITS = 6 };

#endif
