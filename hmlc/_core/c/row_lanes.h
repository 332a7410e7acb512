/* The loss of one score column and its gradient, with rows across lanes. Legend: see logistic.c.
 *
 * Rows are transposed a stretch at a time, GROUPS vectors of them, so that every step works on full
 * vectors whatever d. Scores are summed in order of columns. A gradient's sum keeps LANES partial
 * sums over a block of HMLC_BLOCK_ROWS, each over every LANES-th row in order; v_sum joins them. */
#ifndef HMLC_ROW_LANES_H
#define HMLC_ROW_LANES_H

#include "vmath.h"

#include "logistic.h"

enum { GROUPS = HMLC_ROW_GROUPS, STRETCH_ROWS = GROUPS * LANES };

/* What is known of a stretch's rows beside their columns. */
typedef struct {
    const int32_t *codes; /* each row's class */
    const real *weights;  /* how often it counts: row r's is weights[r * weight_step] */
    ptrdiff_t weight_step;
} labels;

/* The labels of the rows from r on. */
INLINE labels labels_from(labels of, ptrdiff_t r) {
    of.codes += r;
    of.weights += r * of.weight_step;
    return of;
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

/* to[c * LANES + r] = from[r * row + c] for c < columns; of LANES rows, those past `rows` are 0. */
static void transpose(const real *from, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t columns,
                      real *to) {
    if (rows < LANES || columns < QUAD) {
        for (ptrdiff_t c = 0; c < columns; c++)
            for (ptrdiff_t r = 0; r < LANES; r++)
                to[c * LANES + r] = r < rows ? from[r * row + c] : 0;
        return;
    }
    for (ptrdiff_t next = 0; next < columns; next += QUAD) {
        /* The last columns may overlap those before. */
        const ptrdiff_t c = next + QUAD <= columns ? next : columns - QUAD;
        vec quad[QUAD];
        v_transpose(from + c, row, quad);
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
        for (ptrdiff_t q = 0; q < QUAD; q++)
            v_store(to + (c + q) * LANES, quad[q]);
    }
}

/* A stretch, d * LANES after another for each group of LANES rows; of rows that are not there every
 * value is the shift, which becomes 0 in standard units. */
static void load_columns(const real *X, ptrdiff_t rows, ptrdiff_t d, const real *shift,
                         real *columns) {
    for (ptrdiff_t g = 0; g < GROUPS; g++) {
        const ptrdiff_t first = g * LANES, there = rows - first;
        real *group = columns + first * d;
        if (there > 0)
            transpose(X + first * d, d, there < LANES ? there : LANES, d, group);
        for (ptrdiff_t r = there > 0 ? there : 0; r < LANES; r++)
            for (ptrdiff_t c = 0; c < d; c++)
                group[c * LANES + r] = shift[c];
    }
}

/* Brings the columns to standard units, and z = their scores. Meanwhile asks for the stretch after
 * the one at `rows`, as many cache lines as there are vectors: a processor's own guess is slower.
 */
INLINE void score_columns(real *columns, ptrdiff_t d, const real *units, const real *W,
                          uintptr_t rows, vec z[]) {
    for (int g = 0; g < GROUPS; g++)
        z[g] = v_set(W[d]);
    for (ptrdiff_t c = 0; c < d; c++) {
        const vec shift = v_set(units[c]), inverse_scale = v_set(units[d + c]), w = v_set(W[c]);
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
        for (int g = 0; g < GROUPS; g++) {
            real *column = columns + (g * d + c) * LANES;
            prefetch(rows + (size_t)(GROUPS * (d + c) + g) * sizeof(vec));
            const vec x = v_mul(v_sub(v_load(column), shift), inverse_scale);
            v_store(column, x);
            z[g] = v_fma(x, w, z[g]);
        }
    }
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
INLINE real one_sigmoid(vec z[], ptrdiff_t rows, labels of, ptrdiff_t class) {
    real sign[STRETCH_ROWS] = {0};
    if (rows == STRETCH_ROWS)
        for (ptrdiff_t r = 0; r < STRETCH_ROWS; r++)
            sign[r] = of.codes[r] == class ? -1 : 1;
    else
        for (ptrdiff_t r = 0; r < rows; r++)
            sign[r] = of.codes[r] == class ? -1 : 1;
    vec loss = v_set(0), curvature;
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
    for (int g = 0; g < GROUPS; g++) {
        const vec weight = row_weights(labels_from(of, g * LANES), rows - g * LANES);
        loss = v_add(loss, logistic(z[g], v_load(sign + g * LANES), weight, &z[g], &curvature));
    }
    return v_sum(loss);
}

/* See sigmoid_loss. */
static void one_sigmoid_loss(const real *X, ptrdiff_t n, ptrdiff_t d, labels of, ptrdiff_t class,
                             const real *W, const real *units, double *loss, double *gradient,
                             real *scratch) {
    real *columns = scratch + (size_t)(-(uintptr_t)scratch & 63) / sizeof(real);
    real *sums = columns + STRETCH_ROWS * d;
    vec z[GROUPS];
    for (ptrdiff_t r = 0; r < n; r += STRETCH_ROWS) {
        const ptrdiff_t rows = n - r < STRETCH_ROWS ? n - r : STRETCH_ROWS;
        if (r % HMLC_BLOCK_ROWS == 0)
            memset(sums, 0, (size_t)((d + 1) * LANES) * sizeof(real));
        load_columns(X + r * d, rows, d, units, columns);
        score_columns(columns, d, units, W, (uintptr_t)(X + r * d), z);
        *loss += one_sigmoid(z, rows, labels_from(of, r), class);
        add_columns(columns, d, z, sums);
        if ((r + rows) % HMLC_BLOCK_ROWS == 0 || r + rows == n)
            for (ptrdiff_t c = 0; c <= d; c++)
                gradient[c] += v_sum(v_load(sums + c * LANES));
    }
}

#endif
