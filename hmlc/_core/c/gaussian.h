#ifndef HMLC_GAUSSIAN_H
#define HMLC_GAUSSIAN_H

#include "dispatch.h"

#define GAUSSIAN_KERNELS(K, real)                                                                  \
    K(log_normaliser, const real *inverse_scale, ptrdiff_t d, double *answer)                      \
    K(log_density_diagonal, const real *X, ptrdiff_t n, ptrdiff_t d, const double *mean,           \
      const real *inverse_scale, double normaliser, real *out)                                     \
    K(log_density_full, const real *X, ptrdiff_t n, ptrdiff_t d, const double *mean,               \
      const real *whitener, double normaliser, real *out, real *scratch)
HMLC_FAMILY(gaussian, GAUSSIAN_KERNELS)

/* Panels of rows that log_density_full keeps in scratch. */
enum { HMLC_GAUSSIAN_PANELS = 4 };

/* Reals of scratch that suffice for it. */
static inline ptrdiff_t gaussian_scratch(ptrdiff_t d) {
    return HMLC_GAUSSIAN_PANELS * (d + 4) * 16 + 2 * d;
}

#endif
