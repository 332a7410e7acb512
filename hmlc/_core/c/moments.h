#ifndef HMLC_MOMENTS_H
#define HMLC_MOMENTS_H

#include "dispatch.h"

#define MOMENTS_KERNELS(K, real)                                                                   \
    K(update, const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights, ptrdiff_t step,        \
      double *count, double *mean, double *m2, real *scratch)                                      \
    K(standardise, const real *X, ptrdiff_t n, ptrdiff_t d, const real *mean, const real *scale,   \
      real *out, real *scratch)
HMLC_FAMILY(moments, MOMENTS_KERNELS)

#endif
