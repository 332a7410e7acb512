#ifndef HMLC_LINALG_H
#define HMLC_LINALG_H

#include "dispatch.h"

#define LINALG_KERNELS(K, real)                                                                    \
    K(dot, const real *a, const real *b, ptrdiff_t n, double *out)                                 \
    K(cholesky, const real *A, ptrdiff_t n, double tolerance, real *L, ptrdiff_t *rank,            \
      real *scratch)                                                                               \
    K(cholesky_pivoted, const real *A, ptrdiff_t n, double tolerance, real *L, ptrdiff_t *order,   \
      ptrdiff_t *rank, real *scratch)                                                              \
    K(cholesky_solve, const real *L, ptrdiff_t n, real *B, ptrdiff_t k)                            \
    K(quadratic, const real *A, const real *B, const real *X, ptrdiff_t k, ptrdiff_t n,            \
      real *gradient, double *out)                                                                 \
    K(affine, const real *X, ptrdiff_t n, ptrdiff_t d, const real *W, const real *b, ptrdiff_t t,  \
      real *out, real *scratch)
HMLC_FAMILY(linalg, LINALG_KERNELS)

/* Columns of a factor that are finished before they are taken off the rest of the matrix. */
enum { HMLC_CHOLESKY_BLOCK = 64 };

#endif
