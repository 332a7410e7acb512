#ifndef HMLC_LOGISTIC_H
#define HMLC_LOGISTIC_H

#include "dispatch.h"

/* Rows brought to standard units at a time: as many as stay in a core's cache. A divisor of
 * HMLC_BLOCK_ROWS. */
static inline ptrdiff_t hmlc_logistic_rows(ptrdiff_t d) {
    ptrdiff_t rows = HMLC_BLOCK_ROWS;
    while (rows > 16 && rows * (d + 1) > 32768)
        rows /= 2;
    return rows;
}

/* With rows across lanes (row_lanes.h): vectors of rows taken at a time, so few that they stay in
 * the first cache, beside their transpose. */
enum { HMLC_ROW_GROUPS = 2 };

/* Reals of scratch for k score columns, of which `hessians` have a Hessian. A padded column count
 * is at most d + 33, a panel or vector at most 16 lanes. */
static inline ptrdiff_t hmlc_logistic_scratch(ptrdiff_t d, ptrdiff_t k, ptrdiff_t hessians) {
    const ptrdiff_t rows = hmlc_logistic_rows(d) + 8, width = d + 33, lanes = k + 16;
    const ptrdiff_t across = 256 + 16 * (2 * HMLC_ROW_GROUPS + 2) * (d + 1);
    const ptrdiff_t down = 256 + rows * width + 2 * width * lanes + 2 * rows * lanes + 16 * rows +
                           2 * lanes + hessians * width * (width + 16);
    return across > down ? across : down;
}

/* Reals of scratch for the scores of HMLC_FEW_ROWS rows. */
static inline ptrdiff_t hmlc_logistic_few_scratch(ptrdiff_t d) {
    return 2 * (d + 33) + 1;
}

#define LOGISTIC_KERNELS(K, real)                                                                  \
    K(sigmoid_loss, const real *X, ptrdiff_t n, ptrdiff_t d, const void *codes,                    \
      ptrdiff_t code_size, const real *weights, ptrdiff_t weight_step, const ptrdiff_t *classes,   \
      const real *W, ptrdiff_t k, const real *units, double *loss, double *gradient,               \
      real *scratch)                                                                               \
    K(sigmoid_loss_hessian, const real *X, ptrdiff_t n, ptrdiff_t d, const void *codes,            \
      ptrdiff_t code_size, const real *weights, ptrdiff_t weight_step, const ptrdiff_t *classes,   \
      const real *W, ptrdiff_t k, const real *units, double *loss, double *gradient,               \
      double *hessian, real *scratch)                                                              \
    K(softmax_loss, const real *X, ptrdiff_t n, ptrdiff_t d, const void *codes,                    \
      ptrdiff_t code_size, const real *weights, ptrdiff_t weight_step, const real *W, ptrdiff_t k, \
      const real *units, double *loss, double *gradient, real *scratch)                            \
    K(scores, const real *X, ptrdiff_t n, ptrdiff_t d, const real *W, ptrdiff_t k,                 \
      const real *units, real *out, real *scratch)                                                 \
    K(most_probable, const real *Z, ptrdiff_t n, ptrdiff_t k, ptrdiff_t *codes)                    \
    K(softmax, real *Z, ptrdiff_t n, ptrdiff_t k, real *scratch)                                   \
    K(log_softmax, real *Z, ptrdiff_t n, ptrdiff_t k, real *scratch)
HMLC_FAMILY(logistic, LOGISTIC_KERNELS)

#endif
