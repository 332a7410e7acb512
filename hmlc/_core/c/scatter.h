#ifndef HMLC_SCATTER_H
#define HMLC_SCATTER_H

#include "dispatch.h"

#define SCATTER_KERNELS(K, real)                                                                   \
    K(update, const real *X, const real *Y, ptrdiff_t n, ptrdiff_t d, ptrdiff_t t,                 \
      const real *weights, ptrdiff_t step, double *count, double *origin, double *sums, double *S, \
      ptrdiff_t start, ptrdiff_t stop, real *scratch)                                              \
    K(merge, double *S, const double *T, ptrdiff_t m, double *count, double *origin, double *sums, \
      double more, const double *more_origin, const double *more_sums, double *scratch)            \
    K(centre, double *S, ptrdiff_t m, double count, double *origin, double *sums)
HMLC_FAMILY(scatter, SCATTER_KERNELS)

#endif
