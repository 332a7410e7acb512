/* What a network's outputs say of its rows: their losses and deltas, and its answers.
 *
 * LANES rows at a time, a row in each lane: column c of such a block is a vector, at c * LANES. So
 * a row's sums run over columns in order, and no lane is spent on padding.
 */
#ifndef HMLC_PERCEPTRON_LOSS_H
#define HMLC_PERCEPTRON_LOSS_H

#include "perceptron_inputs.h"

/* The outputs of rows [r, r + count) into columns, 0 in the lanes past the last. */
static void outputs_to_columns(const net *v, ptrdiff_t r, ptrdiff_t count, real *columns) {
    const ptrdiff_t k = v->size[v->layers];
    const real *panel = values_of(v, v->layers) + r * LANES;
    for (ptrdiff_t c = 0; c < k; c += LANES, panel += v->stride)
        transpose(panel, LANES, count, least(LANES, k - c), columns + c * LANES);
}

/* Columns into the deltas of rows [r, r + count); 0 past the last column. */
static void columns_to_deltas(const net *v, const real *columns, ptrdiff_t r, ptrdiff_t count) {
    const ptrdiff_t k = v->size[v->layers];
    real *panel = deltas_of(v, v->layers) + r * LANES;
    for (ptrdiff_t c = 0; c < k; c += LANES, panel += v->stride)
        for (ptrdiff_t i = 0; i < count; i++)
            for (ptrdiff_t j = 0; j < LANES; j++)
                panel[i * LANES + j] = c + j < k ? columns[(c + j) * LANES + i] : 0;
}

static void targets_to_columns(const net *v, const batch *b, ptrdiff_t r, ptrdiff_t count,
                               real *columns) {
    const ptrdiff_t k = v->size[v->layers];
    for (ptrdiff_t i = 0; i < LANES; i++) {
        const real *y = i < count ? b->Y + row_of(b, r + i) * k : NULL;
        for (ptrdiff_t c = 0; c < k; c++)
            columns[c * LANES + i] = y ? y[c] : 0;
    }
}

/* log x for 1 <= x <= bound: it is halved, which is exact, until it is below 2. */
INLINE vec log_upto(vec x, ptrdiff_t bound) {
    vec halvings = v_set(0);
    for (ptrdiff_t reached = 2; reached <= bound; reached *= 2) {
        const mask is_large = v_less(v_set(2), x);
        x = v_select(is_large, v_mul(x, v_set(R(0.5))), x);
        halvings = v_select(is_large, v_add(halvings, v_set(1)), halvings);
    }
    const vec log_rest = v_log1p01(v_sub(x, v_set(1)));
    return v_fma(halvings, v_set(R(0.69314718055994530942)), log_rest);
}

INLINE vec largest(const real *z, ptrdiff_t k) {
    vec high = v_load(z);
    for (ptrdiff_t c = 1; c < k; c++)
        high = v_max(high, v_load(z + c * LANES));
    return high;
}

/* The rows' losses from k columns of outputs z and targets y; z becomes the loss's gradient by
 * them. With z' = max z - z, softmax's is sum y z' + (sum y) log sum exp(-z'). */
static vec softmax_loss(real *z, const real *y, ptrdiff_t k) {
    const vec high = largest(z, k);
    vec total = v_set(0), targets = v_set(0), loss = v_set(0);
    for (ptrdiff_t c = 0; c < k * LANES; c += LANES) {
        const vec target = v_load(y + c), above = v_sub(v_load(z + c), high), e = v_exp(above);
        v_store(z + c, e);
        total = v_add(total, e);
        targets = v_add(targets, target);
        loss = v_fma(target, v_sub(v_set(0), above), loss);
    }
    const vec inverse = v_div(v_set(1), total);
    for (ptrdiff_t c = 0; c < k * LANES; c += LANES)
        v_store(z + c, v_sub(v_mul(v_load(z + c), inverse), v_load(y + c)));
    return v_fma(targets, log_upto(total, k), loss);
}
static vec squared_loss(real *z, const real *y, ptrdiff_t k) {
    vec loss = v_set(0);
    for (ptrdiff_t c = 0; c < k * LANES; c += LANES) {
        const vec e = v_sub(v_load(z + c), v_load(y + c));
        loss = v_fma(e, e, loss);
        v_store(z + c, e);
    }
    return v_mul(v_set(R(0.5)), loss);
}
/* y is 0 or 1: -log g(z) = softplus(-z), -log(1 - g(z)) = softplus(z). */
static vec logistic_loss(real *z, const real *y, ptrdiff_t k) {
    vec loss = v_set(0);
    for (ptrdiff_t c = 0; c < k * LANES; c += LANES) {
        const vec output = v_load(z + c);
        const mask is_on = v_less(v_set(R(0.5)), v_load(y + c));
        const vec wrong = v_select(is_on, v_sub(v_set(0), output), output);
        const vec error = v_sigmoid(wrong);
        loss = v_add(loss, v_softplus(wrong));
        v_store(z + c, v_select(is_on, v_sub(v_set(0), error), error));
    }
    return loss;
}

/* Weighs rows [r, r + count): their losses, and k columns z of their loss's gradient. */
INLINE vec weigh(const batch *b, ptrdiff_t r, ptrdiff_t count, vec loss, real *z, ptrdiff_t k) {
    real lanes[LANES];
    for (ptrdiff_t i = 0; i < LANES; i++)
        lanes[i] = i < count ? weight_of(b, r + i) : 0;
    const vec weight = v_load(lanes);
    for (ptrdiff_t c = 0; c < k * LANES; c += LANES)
        v_store(z + c, v_mul(weight, v_load(z + c)));
    return v_mul(weight, loss);
}

/* The weights of rows [0, rows), summed in order. */
static double sum_of_weights(const batch *b, ptrdiff_t rows) {
    double total = 0;
    for (ptrdiff_t r = 0; r < rows; r++)
        total += (double)weight_of(b, r);
    return total;
}

/* Rows [first, last): their weighted losses, and their outputs turned into deltas. */
static void output_loss(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last) {
    const ptrdiff_t k = v->size[v->layers];
    real *z = v->columns, *y = v->columns + k * LANES;
    for (ptrdiff_t r = first; r < last; r += LANES) {
        const ptrdiff_t count = least(LANES, last - r);
        outputs_to_columns(v, r, count, z);
        targets_to_columns(v, b, r, count, y);
        const vec loss = v->loss == PERCEPTRON_SOFTMAX    ? softmax_loss(z, y, k)
                         : v->loss == PERCEPTRON_LOGISTIC ? logistic_loss(z, y, k)
                                                          : squared_loss(z, y, k);
        v_store_upto(v->losses + r, count, weigh(b, r, count, loss, z, k));
        columns_to_deltas(v, z, r, count);
    }
}

/* From k columns of outputs: probabilities, the softmax of the outputs. */
static void softmax(real *z, ptrdiff_t k) {
    const vec high = largest(z, k);
    vec total = v_set(0);
    for (ptrdiff_t c = 0; c < k * LANES; c += LANES) {
        const vec e = v_exp(v_sub(v_load(z + c), high));
        v_store(z + c, e);
        total = v_add(total, e);
    }
    for (ptrdiff_t c = 0; c < k * LANES; c += LANES)
        v_store(z + c, v_div(v_load(z + c), total));
}
/* The sigmoids of the outputs brought to sum 1; all alike where every one is 0. */
static void sigmoid_shares(real *z, ptrdiff_t k) {
    vec total = v_set(0);
    for (ptrdiff_t c = 0; c < k * LANES; c += LANES) {
        const vec p = v_sigmoid(v_load(z + c));
        v_store(z + c, p);
        total = v_add(total, p);
    }
    const mask is_any = v_less(v_set(0), total);
    for (ptrdiff_t c = 0; c < k * LANES; c += LANES)
        v_store(z + c, v_select(is_any, v_div(v_load(z + c), total), v_set(1 / (real)k)));
}

/* The network's answers for rows [0, last): outputs, or probabilities. */
static void answer(const net *v, ptrdiff_t last, real *out) {
    const ptrdiff_t k = v->size[v->layers];
    real *z = v->columns;
    for (ptrdiff_t r = 0; r < last; r += LANES) {
        const ptrdiff_t count = least(LANES, last - r);
        outputs_to_columns(v, r, count, z);
        if (v->loss == PERCEPTRON_SOFTMAX)
            softmax(z, k);
        if (v->loss == PERCEPTRON_LOGISTIC)
            sigmoid_shares(z, k);
        for (ptrdiff_t i = 0; i < count; i++, out += k)
            for (ptrdiff_t c = 0; c < k; c++)
                out[c] = z[c * LANES + i];
    }
}

#endif
