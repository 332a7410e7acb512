#ifndef HMLC_ELEMENTWISE_H
#define HMLC_ELEMENTWISE_H

#include "dispatch.h"

#define ELEMENTWISE_KERNELS(K, real)                                                               \
    K(all_finite, const real *x, ptrdiff_t n, int *answer)                                         \
    K(exponential, const real *x, ptrdiff_t n, real *out)                                          \
    K(hyperbolic_tangent, const real *x, ptrdiff_t n, real *out)                                   \
    K(softplus, const real *x, ptrdiff_t n, real *out)                                             \
    K(sigmoid, const real *x, ptrdiff_t n, real *out)                                              \
    K(sigmoid_gradient, const real *x, ptrdiff_t n, real *out)
HMLC_FAMILY(elementwise, ELEMENTWISE_KERNELS)

#endif
