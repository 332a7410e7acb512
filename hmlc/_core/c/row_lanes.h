/* The loss of one score column and its gradient, with rows across lanes. Legend: see logistic.c.
 *
 * Rows are transposed a stretch at a time, GROUPS vectors of them, so that every step works on full
 * vectors whatever d. Scores are summed in order of columns. A gradient's sum keeps LANES partial
 * sums over a block of HMLC_BLOCK_ROWS, each over every LANES-th row in order; v_sum joins them. */
#ifndef HMLC_ROW_LANES_H
#define HMLC_ROW_LANES_H

#include "lanes.h"
#include "vmath.h"

#include "logistic.h"

enum { GROUPS = HMLC_ROW_GROUPS, PAIR = 2, STRETCH_ROWS = GROUPS * LANES };

/* What is known of rows beside their columns. */
typedef struct {
    const void *codes; /* each row's class: bytes, or int32 where code_size is 4 */
    ptrdiff_t code_size;
    const real *weights; /* how often it counts: row r's is weights[r * weight_step] */
    ptrdiff_t weight_step;
} labels;

/* The labels of the rows from r on. */
INLINE labels labels_from(labels of, ptrdiff_t r) {
    of.codes = (const char *)of.codes + r * of.code_size;
    of.weights += r * of.weight_step;
    return of;
}

INLINE int32_t code_of(labels of, ptrdiff_t r) {
    return of.code_size == 1 ? ((const uint8_t *)of.codes)[r] : ((const int32_t *)of.codes)[r];
}

/* The codes of LANES rows; 0 for those past `rows`. */
INLINE vec row_codes(labels of, ptrdiff_t rows) {
    real lanes[LANES];
    if (rows < LANES)
        for (ptrdiff_t r = 0; r < LANES; r++)
            lanes[r] = r < rows ? (real)code_of(of, r) : 0;
    else if (of.code_size == 1)
        for (ptrdiff_t r = 0; r < LANES; r++)
            lanes[r] = (real)((const uint8_t *)of.codes)[r];
    else
        for (ptrdiff_t r = 0; r < LANES; r++)
            lanes[r] = (real)((const int32_t *)of.codes)[r];
    return v_load(lanes);
}

/* The weights of LANES rows; 0 for those past `rows`. */
INLINE vec row_weights(labels of, ptrdiff_t rows) {
    if (rows < LANES) {
        real lanes[LANES] = {0};
        for (ptrdiff_t r = 0; r < rows; r++)
            lanes[r] = of.weights[r * of.weight_step];
        return v_load(lanes);
    }
    return of.weight_step ? v_load(of.weights) : v_set(*of.weights);
}

/* With m = sign * z: loss = log(1 + exp(m)), dloss/dz = sign * sigmoid(m), and
 * d2loss/dz2 = sigmoid(m) sigmoid(-m), each times the row's weight; all three from t = exp(-|m|),
 * which cannot overflow. A sign is -1 where the row is of the column's class, 1 where not (so no
 * digits cancel). */
INLINE vec logistic(vec z, vec sign, vec weight, vec *residual, vec *curvature) {
    const vec m = v_mul(sign, z), one = v_set(1);
    const vec t = v_exp(v_sub(v_set(0), v_abs(m)));
    const vec q = v_div(one, v_add(one, t)), tq = v_mul(t, q);
    *residual = v_mul(v_mul(weight, sign), v_select(v_less(m, v_set(0)), tq, q));
    *curvature = v_mul(weight, v_mul(tq, q));
    return v_mul(weight, v_add(v_max(m, v_set(0)), v_log1p01(t)));
}

/* -1 where a code is the class, else 1; without a branch, for labels are as good as random. */
INLINE vec class_sign(vec code, vec class) {
    const vec far = v_abs(v_sub(code, class));
    return v_select(v_less(far, v_set(R(0.5))), v_set(-1), v_set(1));
}

/* QUAD columns from c on of PAIR vectors of rows: less the shift they are left in `columns`, and z
 * += their weights' part of the scores; but for the first `done` of them. */
INLINE void score_quad(const real *X, ptrdiff_t d, ptrdiff_t c, ptrdiff_t done, const real *shift,
                       const real *W, real *columns, vec z[]) {
    UNROLL for (int g = 0; g < PAIR; g++) {
        vec quad[QUAD];
        v_transpose(X + g * LANES * d + c, d, quad);
        UNROLL for (int q = 0; q < QUAD; q++) {
            if (q < done)
                continue;
            const vec x = v_sub(quad[q], v_set(shift[c + q]));
            v_store(columns + (g * d + c + q) * LANES, x);
            z[g] = v_fma(x, v_set(W[c + q]), z[g]);
        }
    }
}

/* columns = PAIR vectors of rows, transposed and less the shift; z = their scores. Meanwhile asks
 * for the cache lines from `next` on: a processor's own guess is slower. */
INLINE void score_pair(const real *X, ptrdiff_t d, const real *shift, const real *W, uintptr_t next,
                       real *columns, vec z[]) {
    vec sum[PAIR];
    UNROLL for (int g = 0; g < PAIR; g++) sum[g] = v_set(W[d]);
    ptrdiff_t c = 0;
    for (; c + QUAD <= d; c += QUAD) {
        UNROLL for (int i = 0; i < PAIR * QUAD; i++)
            prefetch(next + (size_t)(PAIR * c + i) * sizeof(vec));
        score_quad(X, d, c, 0, shift, W, columns, sum);
    }
    if (c < d && d >= QUAD)
        score_quad(X, d, d - QUAD, c - (d - QUAD), shift, W, columns, sum);
    else
        for (; c < d; c++)
            for (int g = 0; g < PAIR; g++) {
                const vec x = v_sub(v_load_column(X + g * LANES * d + c, d), v_set(shift[c]));
                v_store(columns + (g * d + c) * LANES, x);
                sum[g] = v_fma(x, v_set(W[c]), sum[g]);
            }
    UNROLL for (int g = 0; g < PAIR; g++) z[g] = sum[g];
}

/* sums[c] += residual * column c, lane by lane; column d is all ones. */
INLINE void add_columns(const real *columns, ptrdiff_t d, const vec residual[], real *sums) {
    for (ptrdiff_t c = 0; c < d; c++) {
        vec sum = v_load(sums + c * LANES);
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
        for (int g = 0; g < GROUPS; g++)
            sum = v_fma(residual[g], v_load(columns + (g * d + c) * LANES), sum);
        v_store(sums + c * LANES, sum);
    }
    vec sum = v_load(sums + d * LANES);
    for (int g = 0; g < GROUPS; g++)
        sum = v_add(sum, residual[g]);
    v_store(sums + d * LANES, sum);
}

/* z becomes the residuals of a stretch's rows; returns their loss. */
INLINE real one_sigmoid(vec z[], ptrdiff_t rows, labels of, real class) {
    vec loss = v_set(0), curvature;
    UNROLL for (int g = 0; g < GROUPS; g++) {
        const labels here = labels_from(of, g * LANES);
        const vec weight = row_weights(here, rows - g * LANES);
        const vec sign = class_sign(row_codes(here, rows - g * LANES), v_set(class));
        loss = v_add(loss, logistic(z[g], sign, weight, &z[g], &curvature));
    }
    return v_sum(loss);
}

/* gradient += a block's sums, in units. */
static void flush_columns(const real *sums, ptrdiff_t d, const real *inverse_scale,
                          double *gradient) {
    real total[LANES];
    for (ptrdiff_t c = 0; c <= d; c++) {
        if (c % LANES == 0)
            v_store(total, v_sum_rows(sums + c * LANES, LANES));
        gradient[c] += c < d ? total[c % LANES] * inverse_scale[c] : total[c % LANES];
    }
}

/* The rows of a stretch that is not whole, and after them the shift as often as it takes. */
static const real *whole_stretch(const real *X, ptrdiff_t rows, ptrdiff_t d, const real *shift,
                                 real *room) {
    memcpy(room, X, (size_t)(rows * d) * sizeof(real));
    for (ptrdiff_t r = rows; r < STRETCH_ROWS; r++)
        memcpy(room + r * d, shift, (size_t)d * sizeof(real));
    return room;
}

/* See sigmoid_loss. The inverse scale goes into the weights, and into the gradient's sums. */
static void one_sigmoid_loss(const real *X, ptrdiff_t n, ptrdiff_t d, labels of, ptrdiff_t class,
                             const real *W, const real *units, double *loss, double *gradient,
                             real *scratch) {
    real *columns = scratch + (size_t)(-(uintptr_t)scratch & 63) / sizeof(real);
    real *sums = columns + STRETCH_ROWS * d, *room = sums + (d + LANES) * LANES;
    real *weights = room + STRETCH_ROWS * d;
    const real *inverse_scale = units + d;
    for (ptrdiff_t c = 0; c < d; c++)
        weights[c] = W[c] * inverse_scale[c];
    weights[d] = W[d];
    vec z[GROUPS];
    for (ptrdiff_t r = 0; r < n; r += STRETCH_ROWS) {
        const ptrdiff_t rows = n - r < STRETCH_ROWS ? n - r : STRETCH_ROWS;
        const real *x = X + r * d;
        if (rows < STRETCH_ROWS)
            x = whole_stretch(x, rows, d, units, room);
        if (r % HMLC_BLOCK_ROWS == 0)
            memset(sums, 0, (size_t)((d + 1) * LANES) * sizeof(real));
        UNROLL for (int g = 0; g < GROUPS; g += PAIR) score_pair(
            x + g * LANES * d, d, units, weights,
            (uintptr_t)(X + (r + STRETCH_ROWS + g * LANES) * d), columns + g * LANES * d, z + g);
        *loss += one_sigmoid(z, rows, labels_from(of, r), (real) class);
        add_columns(columns, d, z, sums);
        if ((r + rows) % HMLC_BLOCK_ROWS == 0 || r + rows == n)
            flush_columns(sums, d, inverse_scale, gradient);
    }
}

#endif
