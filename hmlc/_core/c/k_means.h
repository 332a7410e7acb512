#ifndef HMLC_K_MEANS_H
#define HMLC_K_MEANS_H

#include "dispatch.h"

#define K_MEANS_KERNELS(K, real)                                                                   \
    K(lloyd, const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights, ptrdiff_t weight_step,  \
      const real *shift, const real *centres, ptrdiff_t k, double *sums, double *counts,           \
      real *scratch)                                                                               \
    K(settle, const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights, ptrdiff_t weight_step, \
      const real *shift, const real *near, const real *centres, ptrdiff_t k, int32_t *labels,      \
      double *counts, double *total, real *scratch)                                                \
    K(lloyd_bounded, const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights,                 \
      ptrdiff_t weight_step, const real *shift, const real *centres, ptrdiff_t k,                  \
      const real *steps, int32_t *labels, real *lower, ptrdiff_t stride, real *upper,              \
      double *sums, real *scratch)                                                                 \
    K(lloyd_hamerly, const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights,                 \
      ptrdiff_t weight_step, const real *shift, const real *centres, ptrdiff_t k,                  \
      const real *steps, const int32_t *clusters, int32_t *labels, real *lower, double *sums,      \
      double *counts, int64_t *met, real *scratch)                                                 \
    K(assign, const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift, const real *centres,     \
      ptrdiff_t k, int32_t *labels, real *scratch)                                                 \
    K(inertia, const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights,                       \
      ptrdiff_t weight_step, const real *centres, const int32_t *labels, real *squares,            \
      double *total)                                                                               \
    K(approach, const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights,                      \
      ptrdiff_t weight_step, const real *centre, const real *candidates, ptrdiff_t k,              \
      real *closest, double *block_totals, double *totals, real *scratch)                          \
    K(nearer, const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift, const real *candidates,  \
      ptrdiff_t k, const real *closest, const int32_t *labels, const real *apart, int64_t first,   \
      int32_t *which, int64_t *rows, real *squares, ptrdiff_t room, int64_t *count, real *scratch) \
    K(choose, real *closest, int32_t *labels, int64_t n_seeds, const real *weights,                \
      ptrdiff_t weight_step, const int64_t *rows, const real *squares, const int64_t *starts,      \
      ptrdiff_t k, const int64_t *places, const double *draws, ptrdiff_t tries, ptrdiff_t wanted,  \
      int64_t *chosen, int64_t *answer)                                                            \
    K(relative, const real *centres, ptrdiff_t k, ptrdiff_t d, const real *shift, real *out)       \
    K(distances, const real *X, ptrdiff_t n, ptrdiff_t d, const real *centres, ptrdiff_t k,        \
      real *out, real *scratch)
HMLC_FAMILY(k_means, K_MEANS_KERNELS)

/* Rows are summed into several copies of the sums in turn, as many as stay in the nearest cache:
 * an addition to a sum that was stored a moment ago would wait for the store. None where not even
 * two would stay there. */
static inline ptrdiff_t k_means_copies(ptrdiff_t k, ptrdiff_t d) {
    ptrdiff_t copies = 8;
    while (copies > 1 && copies * k * (d + 16) > 5120)
        copies /= 2;
    return copies > 1 ? copies : 0;
}

/* Whether sums and counts are so few that there is a vector for each. */
enum { K_MEANS_LANE_SUMS = 16 };
static inline int k_means_in_lanes(ptrdiff_t k, ptrdiff_t d) {
    return k * (d + 1) <= K_MEANS_LANE_SUMS;
}

/* Whether a problem is one of long rows: then all kernels score so, that their labels be the same.
 * (_lloyd.py asks the same question.) */
static inline int k_means_is_long(ptrdiff_t k, ptrdiff_t d) {
    return d >= 128 && d >= 16 * k;
}

/* Reals of scratch for long_rows.h. */
static inline ptrdiff_t k_means_long_scratch(ptrdiff_t k, ptrdiff_t d) {
    return (k + 1) * (d + 560) + 320;
}

/* Reals of scratch that suffice for every kernel but lloyd_bounded, which takes those of long rows,
 * with k centres or candidates of d columns. */
static inline ptrdiff_t k_means_scratch(ptrdiff_t k, ptrdiff_t d) {
    const ptrdiff_t block = k_means_in_lanes(k, d) ? HMLC_BLOCK_ROWS * d : 0;
    const ptrdiff_t scores = k_means_is_long(k, d) ? k_means_long_scratch(k, d) : 16 * k;
    return (k_means_copies(k, d) * k + k + 120) * (d + 17) + scores + 1600 + block;
}

#endif
