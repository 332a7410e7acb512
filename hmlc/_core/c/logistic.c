/* Logistic losses with their gradients and Hessians, in one read of the rows; and scores.
 *
 *   n, d     rows and columns of X; depth = d + 1: a last column of ones carries the bias
 *   k        columns of scores, Z = A W' where row i of A is ((X[i] - shift) * inverse_scale, 1)
 *   units    2 x d: shift, then inverse_scale
 *   W        k x depth: a score column's weights, then its bias
 *   codes    n: each row's class, as bytes (code_size 1) or int32 (code_size 4)
 *   weights  n, weight_step apart (0 where one serves all): a row of weight w counts as w rows
 *
 * Rows are taken a stretch at a time (stretch.h): scores, the residuals dloss/dZ and their products
 * with A, while the rows are in cache. Sums over rows go in order within a block of
 * HMLC_BLOCK_ROWS, then in float64 over blocks; losses in float64 over stretches. */
#include "row_lanes.h"
#include "stretch.h"

/* For k = 1: lanes are rows. */
static void sigmoid_rows(const stretch *s, ptrdiff_t rows, labels of, double *loss) {
    const vec class = v_set(s->classes[0]);
    vec total = v_set(0), residual, curvature;
    for (ptrdiff_t r = 0; r < rows; r += LANES) {
        const labels here = labels_from(of, r);
        const vec weight = row_weights(here, rows - r);
        const vec sign = class_sign(row_codes(here, rows - r), class);
        total = v_add(total, logistic(v_load(s->z + r), sign, weight, &residual, &curvature));
        v_store(s->z + r, residual);
        v_store(s->curvature + r, curvature);
    }
    *loss += v_sum(total);
}

/* For k > 1: lanes are score columns. */
static void sigmoid_columns(const stretch *s, ptrdiff_t rows, labels of, double *loss) {
    for (ptrdiff_t p = 0; p < s->panels; p++) {
        const vec class = v_load(s->classes + p * LANES);
        real *z = s->z + p * (s->capacity + SPARE) * LANES;
        real *curvature = s->curvature + p * (s->capacity + SPARE) * LANES;
        vec total = v_set(0), residual, second;
        for (ptrdiff_t r = 0; r < rows; r++, z += LANES, curvature += LANES) {
            const vec sign = class_sign(v_set((real)code_of(of, r)), class);
            const vec weight = v_set(of.weights[r * of.weight_step]);
            total = v_add(total, logistic(v_load(z), sign, weight, &residual, &second));
            v_store(z, residual);
            v_store(curvature, second);
        }
        real lanes[LANES];
        v_store(lanes, total);
        for (ptrdiff_t c = p * LANES; c < s->k && c < (p + 1) * LANES; c++)
            loss[c] += lanes[c % LANES];
    }
}

INLINE void sigmoid_pass(const real *X, ptrdiff_t n, ptrdiff_t d, labels of,
                         const ptrdiff_t *classes, const real *W, ptrdiff_t k, const real *units,
                         double *loss, double *gradient, double *hessian, real *scratch) {
    const stretch s = prepare(d, W, k, scratch);
    for (ptrdiff_t c = 0; c < s.panels * LANES; c++)
        s.classes[c] = c < k ? (real)classes[c] : -1;
    for (ptrdiff_t r = 0; r < n; r += s.capacity) {
        const ptrdiff_t rows = n - r < s.capacity ? n - r : s.capacity;
        if (r % HMLC_BLOCK_ROWS == 0)
            clear_sums(&s, hessian != NULL);
        standard_rows(&s, X + r * d, rows, units);
        score(&s, rows, X + (r + rows) * d);
        if (k == 1)
            sigmoid_rows(&s, rows, labels_from(of, r), loss);
        else
            sigmoid_columns(&s, rows, labels_from(of, r), loss);
        add_gradient(&s, rows);
        for (ptrdiff_t c = 0; hessian && c < k; c++)
            add_hessian(&s, rows, c);
        if ((r + rows) % HMLC_BLOCK_ROWS == 0 || r + rows == n) {
            flush_gradient(&s, gradient);
            if (hessian)
                flush_hessian(&s, hessian);
        }
    }
}

/* k independent two-class problems: column c's loss, log(1 + exp(z)) - [code = classes[c]] z times
 * weights summed over rows, and its gradient. For k = 1 rows lie across lanes (row_lanes.h).
 *   X n x d; codes, weights n; classes k; W k x depth; units 2 x d; += loss k, gradient k x depth.
 */
static void sigmoid_loss(const real *X, ptrdiff_t n, ptrdiff_t d, const void *codes,
                         ptrdiff_t code_size, const real *weights, ptrdiff_t weight_step,
                         const ptrdiff_t *classes, const real *W, ptrdiff_t k, const real *units,
                         double *loss, double *gradient, real *scratch) {
    const labels of = {codes, code_size, weights, weight_step};
    if (k == 1)
        one_sigmoid_loss(X, n, d, of, classes[0], W, units, loss, gradient, scratch);
    else
        sigmoid_pass(X, n, d, of, classes, W, k, units, loss, gradient, NULL, scratch);
}

/* The same, and += hessian k x depth x depth, the lower triangles A' diag(weight p (1 - p)) A. */
static void sigmoid_loss_hessian(const real *X, ptrdiff_t n, ptrdiff_t d, const void *codes,
                                 ptrdiff_t code_size, const real *weights, ptrdiff_t weight_step,
                                 const ptrdiff_t *classes, const real *W, ptrdiff_t k,
                                 const real *units, double *loss, double *gradient, double *hessian,
                                 real *scratch) {
    const labels of = {codes, code_size, weights, weight_step};
    sigmoid_pass(X, n, d, of, classes, W, k, units, loss, gradient, hessian, scratch);
}

/* Of LANES rows of scores. */
typedef struct {
    vec at;     /* the largest score's column */
    vec peak;   /* that score */
    vec others; /* sum of exp(z - peak) over the other columns: log-sum-exp = peak + log1p(others)
                 */
} softmax_sums;

/* z = exp(z - peak) / (1 + others) for LANES rows, column c of which lies at z + c * LANES; sums in
 * order of columns. Leaving the peak out of the sum keeps the digits of a loss that is nearly 0. */
static softmax_sums softmax_lanes(real *z, ptrdiff_t k) {
    softmax_sums s = {v_set(0), v_load(z), v_set(0)};
    for (ptrdiff_t c = 1; c < k; c++) {
        const vec score = v_load(z + c * LANES);
        const mask above = v_less(s.peak, score);
        s.peak = v_select(above, score, s.peak);
        s.at = v_select(above, v_set((real)c), s.at);
    }
    for (ptrdiff_t c = 0; c < k; c++) {
        const mask is_peak = v_less(v_abs(v_sub(s.at, v_set((real)c))), v_set(R(0.5)));
        const vec e = v_exp(v_sub(v_load(z + c * LANES), s.peak));
        s.others = v_add(s.others, v_select(is_peak, v_set(0), e));
        v_store(z + c * LANES, v_select(is_peak, v_set(1), e));
    }
    const vec total = v_add(v_set(1), s.others);
    for (ptrdiff_t c = 0; c < k; c++)
        v_store(z + c * LANES, v_div(v_load(z + c * LANES), total));
    return s;
}

/* z, transposed, becomes the residuals p - [code = c] of `rows` <= LANES rows, times their weights;
 * returns their losses, summed in order of rows. */
static double softmax_residuals(real *z, ptrdiff_t rows, labels of, ptrdiff_t k) {
    real target[LANES] = {0}, losses[LANES], p_others[LANES], at[LANES];
    for (ptrdiff_t r = 0; r < rows; r++)
        target[r] = z[code_of(of, r) * LANES + r];
    const softmax_sums s = softmax_lanes(z, k);
    const vec weight = row_weights(of, rows);
    v_store(losses, v_mul(weight, v_add(v_log1p(s.others), v_sub(s.peak, v_load(target)))));
    v_store(p_others, v_div(s.others, v_add(v_set(1), s.others)));
    v_store(at, s.at);
    double loss = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        const ptrdiff_t code = code_of(of, r);
        real *p = z + code * LANES + r;
        *p = at[r] == (real)code ? -p_others[r] : *p - 1;
        loss += (double)losses[r];
    }
    for (ptrdiff_t c = 0; c < k; c++)
        v_store(z + c * LANES, v_mul(weight, v_load(z + c * LANES)));
    return loss;
}

/* z becomes residuals; returns the stretch's loss. `columns` holds panels * LANES * LANES. */
static double softmax_rows(const stretch *s, ptrdiff_t rows, labels of, real *columns) {
    const ptrdiff_t stride = (s->capacity + SPARE) * LANES, square = LANES * LANES;
    double loss = 0;
    for (ptrdiff_t r = 0; r < rows; r += LANES) {
        const ptrdiff_t count = rows - r < LANES ? rows - r : LANES;
        real *z = s->z + r * LANES;
        for (ptrdiff_t p = 0; p < s->panels; p++)
            transpose(z + p * stride, LANES, LANES, LANES, columns + p * square);
        loss += softmax_residuals(columns, count, labels_from(of, r), s->k);
        for (ptrdiff_t p = 0; p < s->panels; p++)
            transpose(columns + p * square, LANES, LANES, LANES, z + p * stride);
    }
    return loss;
}

/* loss (1) += sum over rows of weight (log(sum_c exp(z_c)) - z_code), and += its gradient,
 * k x depth; k > 1.
 *   X n x d; codes n, each less than k; weights n; W k x depth; units 2 x d. */
static void softmax_loss(const real *X, ptrdiff_t n, ptrdiff_t d, const void *codes,
                         ptrdiff_t code_size, const real *weights, ptrdiff_t weight_step,
                         const real *W, ptrdiff_t k, const real *units, double *loss,
                         double *gradient, real *scratch) {
    const labels of = {codes, code_size, weights, weight_step};
    const stretch s = prepare(d, W, k, scratch);
    for (ptrdiff_t r = 0; r < n; r += s.capacity) {
        const ptrdiff_t rows = n - r < s.capacity ? n - r : s.capacity;
        if (r % HMLC_BLOCK_ROWS == 0)
            clear_sums(&s, 0);
        standard_rows(&s, X + r * d, rows, units);
        score(&s, rows, X + (r + rows) * d);
        *loss += softmax_rows(&s, rows, labels_from(of, r), s.curvature);
        add_gradient(&s, rows);
        if ((r + rows) % HMLC_BLOCK_ROWS == 0 || r + rows == n)
            flush_gradient(&s, gradient);
    }
}

/* scores for HMLC_FEW_ROWS rows: W is used as it lies. */
static void few_scores(const real *X, ptrdiff_t n, ptrdiff_t d, const real *W, ptrdiff_t k,
                       const real *units, real *out, real *scratch) {
    const stretch s = prepare_few(d, W, k, scratch);
    for (ptrdiff_t r = 0; r < n; r++, out += k) {
        standard_row(X + r * d, d, units, s.block);
        if (k == 1) {
            dot_rows(1, &s, 0);
            *out = *s.z;
        } else
            row_product(s.block, W, k, s.depth, NULL, out);
    }
}

/* out = A W'. X n x d; W k x depth; units 2 x d; out n x k; scratch hmlc_logistic_scratch(d, k, 0),
 * or for HMLC_FEW_ROWS rows hmlc_logistic_few_scratch(d). */
static void scores(const real *X, ptrdiff_t n, ptrdiff_t d, const real *W, ptrdiff_t k,
                   const real *units, real *out, real *scratch) {
    if (n <= HMLC_FEW_ROWS) {
        few_scores(X, n, d, W, k, units, out, scratch);
        return;
    }
    const stretch s = prepare(d, W, k, scratch);
    for (ptrdiff_t r = 0; r < n; r += s.capacity) {
        const ptrdiff_t rows = n - r < s.capacity ? n - r : s.capacity;
        standard_rows(&s, X + r * d, rows, units);
        score(&s, rows, X + (r + rows) * d);
        for (ptrdiff_t c = 0; c < k; c++)
            for (ptrdiff_t i = 0; i < rows; i++)
                out[(r + i) * k + c] = s.z[column_start(&s, c) + i * row_step(&s)];
    }
}

/* codes[r] = the first of the largest of row r's scores, or of only one whether it is above 0.
 *   Z n x k; codes n. */
static void most_probable(const real *Z, ptrdiff_t n, ptrdiff_t k, ptrdiff_t *codes) {
    for (ptrdiff_t r = 0; r < n; r++, Z += k) {
        real best = k == 1 ? 0 : Z[0];
        ptrdiff_t code = 0;
        for (ptrdiff_t c = k > 1; c < k; c++) {
            code = best < Z[c] ? c : code;
            best = best < Z[c] ? Z[c] : best;
        }
        codes[r] = k == 1 ? best > 0 : code;
    }
}

/* Each of the n rows z of Z (n x k) becomes exp(z) / sum(exp(z)); scratch k * LANES. */
static void softmax(real *Z, ptrdiff_t n, ptrdiff_t k, real *scratch) {
    for (ptrdiff_t first = 0; first < n; first += LANES, Z += LANES * k) {
        const ptrdiff_t rows = n - first < LANES ? n - first : LANES;
        transpose(Z, k, rows, k, scratch);
        softmax_lanes(scratch, k);
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t c = 0; c < k; c++)
                Z[r * k + c] = scratch[c * LANES + r];
    }
}

/* Each of the n rows z of Z (n x k) becomes z - log(sum(exp(z))); scratch k * LANES. */
static void log_softmax(real *Z, ptrdiff_t n, ptrdiff_t k, real *scratch) {
    for (ptrdiff_t first = 0; first < n; first += LANES, Z += LANES * k) {
        const ptrdiff_t rows = n - first < LANES ? n - first : LANES;
        real peak[LANES], log_others[LANES];
        transpose(Z, k, rows, k, scratch);
        const softmax_sums s = softmax_lanes(scratch, k);
        v_store(peak, s.peak);
        v_store(log_others, v_log1p(s.others));
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t c = 0; c < k; c++)
                Z[r * k + c] = (Z[r * k + c] - peak[r]) - log_others[r];
    }
}

HMLC_TABLE(logistic, LOGISTIC_KERNELS)
