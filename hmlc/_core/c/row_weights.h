/* Weights of rows: row r weighs weights[r * step], where a step of 0 is one weight for all. */
#ifndef HMLC_ROW_WEIGHTS_H
#define HMLC_ROW_WEIGHTS_H

#include "simd.h"

/* The sum of n weights, in order. */
INLINE double total_weight(const real *weights, ptrdiff_t step, ptrdiff_t n) {
    if (step == 0)
        return (double)n * (double)*weights;
    double sum = 0;
    for (ptrdiff_t r = 0; r < n; r++)
        sum += (double)weights[r];
    return sum;
}

/* The first of n rows that weighs anything, of which there is one. */
INLINE ptrdiff_t first_weighty(const real *weights, ptrdiff_t step) {
    ptrdiff_t r = 0;
    while (weights[r * step] == 0)
        r++;
    return r;
}

#endif
