#ifndef HMLC_BASIS_H
#define HMLC_BASIS_H

#include "dispatch.h"

#define BASIS_KERNELS(K, real)                                                                     \
    K(polynomials, const real *X, const real *Z, ptrdiff_t n, ptrdiff_t d, ptrdiff_t degree,       \
      real *out, ptrdiff_t width, ptrdiff_t row_stride, real *scratch)                             \
    K(sinusoids, const real *Z, ptrdiff_t n, ptrdiff_t d, ptrdiff_t degree, real *out,             \
      ptrdiff_t row_stride, real *scratch)
HMLC_FAMILY(basis, BASIS_KERNELS)

#endif
