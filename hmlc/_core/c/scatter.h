#ifndef HMLC_SCATTER_H
#define HMLC_SCATTER_H

#include "dispatch.h"

#define SCATTER_KERNELS(K, real)                                                                   \
    K(update, const real *X, const real *Y, ptrdiff_t n, ptrdiff_t d, ptrdiff_t t, double *count,  \
      double *mean, double *S, ptrdiff_t start, ptrdiff_t stop, real *scratch, double *change)
HMLC_FAMILY(scatter, SCATTER_KERNELS)

#endif
