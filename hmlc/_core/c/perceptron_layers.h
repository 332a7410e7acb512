/* A network's rows through its layers and back, and the gradient by its weights.
 *
 * Every matrix is in panels: columns [c, c + LANES) of all its rows, then the next LANES columns.
 * Values, deltas and weights are then register-tile operands as they are: a product is written
 * where the next one reads it, the gradient reads the transpose of the values along unit strides,
 * and a step updates the weights where the next batch reads them. Weights go into panels at the
 * start of a call and out of them at its end.
 *
 * What is done to rows [first, last) touches no other rows, and what is done to a block of weights
 * touches no others, so threads may share both out. `first` must be a multiple of TILE_ROWS.
 */
#ifndef HMLC_PERCEPTRON_LAYERS_H
#define HMLC_PERCEPTRON_LAYERS_H

#include "tile.h"
#include "vmath.h"

#include "perceptron.h"

typedef struct {
    const ptrdiff_t *size;
    ptrdiff_t layers, activation, loss;
    ptrdiff_t stride; /* reals from one panel of values or deltas to the next */
    real *values, *deltas, *transposed, *losses, *columns;
    real *weights, *state; /* an optimiser's state follows the weights */
} net;

/* `thread` is for whom the columns are; all else is shared. */
static net lay_out(const ptrdiff_t *network, ptrdiff_t layers, ptrdiff_t most_rows,
                   ptrdiff_t thread, ptrdiff_t threads, void *scratch) {
    net v = {.size = network + 2,
             .layers = layers,
             .activation = network[0],
             .loss = network[1],
             .stride = perceptron_room(most_rows) * LANES};
    const ptrdiff_t block = 2 * v.size[layers] * LANES;
    v.values = (real *)(((uintptr_t)scratch + 63) / 64 * 64);
    v.deltas = v.values + perceptron_columns(v.size, layers + 1, LANES) / LANES * v.stride;
    v.losses = v.deltas + perceptron_columns(v.size + 1, layers - 1, LANES) / LANES * v.stride;
    v.columns = v.losses + perceptron_padded(most_rows, LANES) + thread * block;
    v.transposed = v.columns + (threads - thread) * block;
    v.weights = v.transposed + perceptron_transposed(v.size, layers, LANES);
    v.state = v.weights + perceptron_weights(v.size, layers, LANES);
    return v;
}

INLINE real *values_of(const net *v, ptrdiff_t level) {
    return v->values + perceptron_columns(v->size, level, LANES) / LANES * v->stride;
}

/* The loss's gradient by a level's sums; at the last level it takes the outputs' place. */
INLINE real *deltas_of(const net *v, ptrdiff_t level) {
    return level == v->layers
               ? values_of(v, level)
               : v->deltas + perceptron_columns(v->size + 1, level - 1, LANES) / LANES * v->stride;
}

INLINE real *weights_of(const net *v, ptrdiff_t l) {
    return v->weights + perceptron_weights(v->size, l, LANES);
}

INLINE ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}

INLINE vec load_upto(const real *p, ptrdiff_t count, real fill) {
    return count >= LANES ? v_load(p) : v_load_part(p, count, fill);
}

INLINE void store_upto(real *p, ptrdiff_t count, vec a) {
    if (count >= LANES)
        v_store(p, a);
    else
        v_store_part(p, count, a);
}

/* A thread's share of the panels of all layers, from parameters into panels and back. */
static void to_panels(const net *v, const real *parameters, real *panels, ptrdiff_t thread,
                      ptrdiff_t threads) {
    for (ptrdiff_t l = 0; l < v->layers; l++) {
        const ptrdiff_t rows = v->size[l] + 1, columns = v->size[l + 1];
        for (ptrdiff_t c = 0; c < columns; c += LANES, panels += rows * LANES)
            if (c / LANES % threads == thread)
                for (ptrdiff_t r = 0; r < rows; r++)
                    v_store(panels + r * LANES,
                            load_upto(parameters + r * columns + c, columns - c, 0));
        parameters += rows * columns;
    }
}
static void from_panels(const net *v, const real *panels, real *parameters, ptrdiff_t thread,
                        ptrdiff_t threads) {
    for (ptrdiff_t l = 0; l < v->layers; l++) {
        const ptrdiff_t rows = v->size[l] + 1, columns = v->size[l + 1];
        for (ptrdiff_t c = 0; c < columns; c += LANES, panels += rows * LANES)
            if (c / LANES % threads == thread)
                for (ptrdiff_t r = 0; r < rows; r++)
                    store_upto(parameters + r * columns + c, columns - c,
                               v_load(panels + r * LANES));
        parameters += rows * columns;
    }
}

/* ---- rows ---- */

/* Some rows of X and Y: row r is row order[r], or r where order is NULL; d columns of X are in the
 * network's units after (x - units[c]) * units[d + c]. */
typedef struct {
    const real *X, *Y, *units;
    const ptrdiff_t *order;
} batch;

INLINE ptrdiff_t row_of(const batch *b, ptrdiff_t r) {
    return b->order ? b->order[r] : r;
}

/* Rows in a random order are out of the hardware prefetcher's sight. */
enum { PREFETCH_ROWS = 2 };

/* Level 0 of rows [first, last). */
static void load_rows(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last) {
    const ptrdiff_t d = v->size[0];
    for (ptrdiff_t r = first; r < last; r++) {
        const real *x = b->X + row_of(b, r) * d;
        const real *next = b->X + row_of(b, least(r + PREFETCH_ROWS, last - 1)) * d;
        real *out = v->values + r * LANES;
        for (ptrdiff_t c = 0; c < d; c += LANES, out += v->stride) {
            const vec centred =
                v_sub(load_upto(x + c, d - c, 0), load_upto(b->units + c, d - c, 0));
            v_store(out, v_mul(centred, load_upto(b->units + d + c, d - c, 0)));
            prefetch((uintptr_t)(next + c));
        }
    }
}

INLINE vec activate(ptrdiff_t activation, vec z) {
    switch (activation) {
    case PERCEPTRON_RELU:
        return v_max(z, v_set(0));
    case PERCEPTRON_TANH:
        return v_tanh(z);
    case PERCEPTRON_SIGMOID:
        return v_sigmoid(z);
    default:
        return z;
    }
}

/* The activation's slope at the z of which it made the value a. */
INLINE vec slope(ptrdiff_t activation, vec a) {
    const vec one = v_set(1);
    switch (activation) {
    case PERCEPTRON_RELU:
        return v_select(v_less(v_set(0), a), one, v_set(0));
    case PERCEPTRON_TANH:
        return v_sub(one, v_mul(a, a));
    default:
        return v_mul(a, v_sub(one, a));
    }
}

/* acc[i] += sum over p < depth of A(i, p) * panel[p], for TILE_ROWS rows of A in panels. */
INLINE void tile_product(const real *A, ptrdiff_t stride, const real *panel, ptrdiff_t depth,
                         vec acc[]) {
    for (ptrdiff_t p = 0; p < depth; p += LANES, A += stride)
        tile_fma(TILE_ROWS, A, LANES, 1, panel + p * LANES, least(LANES, depth - p), acc);
}

/* values(l + 1) = activation(values(l) W + b), for rows [first, last) */
static void forward_layer(const net *v, ptrdiff_t l, ptrdiff_t first, ptrdiff_t last) {
    const ptrdiff_t depth = v->size[l];
    const ptrdiff_t activation = l + 1 < v->layers ? v->activation : PERCEPTRON_IDENTITY;
    const real *A = values_of(v, l), *panel = weights_of(v, l);
    real *out = values_of(v, l + 1);
    for (ptrdiff_t j = 0; j < panels_of(v->size[l + 1]); j++) {
        const vec bias = v_load(panel + depth * LANES);
        for (ptrdiff_t r = first; r < last; r += TILE_ROWS) {
            vec acc[TILE_ROWS];
            for (int i = 0; i < TILE_ROWS; i++)
                acc[i] = bias;
            tile_product(A + r * LANES, v->stride, panel, depth, acc);
            for (int i = 0; i < TILE_ROWS; i++)
                v_store(out + (r + i) * LANES, activate(activation, acc[i]));
        }
        panel += (depth + 1) * LANES;
        out += v->stride;
    }
}

/* acc[i] += A W for depths [p, end), one row A in panels and `count` vectors of columns of W, which
 * lies as in the parameters, `left` numbers to their layer's end. What a vector reads past the last
 * column is the next row's, and lands in lanes where nobody looks. */
INLINE void row_tile(int count, const real *A, ptrdiff_t stride, const real *W, ptrdiff_t columns,
                     ptrdiff_t p, ptrdiff_t end, ptrdiff_t left, vec acc[]) {
    for (; p < end; p++) {
        const vec a = v_set(A[p / LANES * stride + p % LANES]);
        const real *w = W + p * columns;
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
        for (int i = 0; i < count; i++)
            acc[i] = v_fma(a, load_upto(w + i * LANES, left - p * columns - i * LANES, 0), acc[i]);
    }
}

/* forward_layer for one row, with the layer's parameters W as they lie, and `count` vectors of
 * columns from `first` on. */
INLINE void forward_columns(int count, const net *v, ptrdiff_t l, const real *W, ptrdiff_t r,
                            ptrdiff_t first) {
    const ptrdiff_t depth = v->size[l], columns = v->size[l + 1];
    const ptrdiff_t activation = l + 1 < v->layers ? v->activation : PERCEPTRON_IDENTITY;
    const ptrdiff_t left = (depth + 1) * columns - first, width = count * LANES;
    /* Rows of W before which no vector reads past the layer's end. */
    const ptrdiff_t whole = left < width ? 0 : least(depth, (left - width) / columns + 1);
    const real *A = values_of(v, l) + r * LANES;
    real *out = values_of(v, l + 1) + first / LANES * v->stride + r * LANES;
    vec acc[4];
    for (int i = 0; i < count; i++)
        acc[i] = load_upto(W + first + depth * columns + i * LANES, columns - first - i * LANES, 0);
    row_tile(count, A, v->stride, W + first, columns, 0, whole, PTRDIFF_MAX, acc);
    row_tile(count, A, v->stride, W + first, columns, whole, depth, left, acc);
    for (int i = 0; i < count; i++)
        v_store(out + i * v->stride, activate(activation, acc[i]));
}

/* forward_rows for a few rows, with the parameters as they lie: to bring them into panels would
 * cost more. */
static void forward_few(const net *v, const batch *b, const real *parameters, ptrdiff_t rows) {
    load_rows(v, b, 0, rows);
    for (ptrdiff_t l = 0; l < v->layers; l++) {
        const ptrdiff_t vectors = panels_of(v->size[l + 1]), tiles = (vectors + 3) / 4;
        for (ptrdiff_t t = 0; t < tiles; t++) {
            const ptrdiff_t first = vectors * t / tiles * LANES;
            const ptrdiff_t count = vectors * (t + 1) / tiles - first / LANES;
            for (ptrdiff_t r = 0; r < rows; r++)
                switch (count) {
                case 1:
                    forward_columns(1, v, l, parameters, r, first);
                    break;
                case 2:
                    forward_columns(2, v, l, parameters, r, first);
                    break;
                case 3:
                    forward_columns(3, v, l, parameters, r, first);
                    break;
                case 4:
                    forward_columns(4, v, l, parameters, r, first);
                    break;
                }
        }
        parameters += (v->size[l] + 1) * v->size[l + 1];
    }
}

static void forward_rows(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last) {
    load_rows(v, b, first, last);
    for (ptrdiff_t l = 0; l < v->layers; l++)
        forward_layer(v, l, first, last);
}

/* deltas(l) = (deltas(l + 1) W^T) * slope(values(l)), for rows [first, last) and l >= 1 */
static void backward_layer(const net *v, ptrdiff_t l, ptrdiff_t first, ptrdiff_t last) {
    const ptrdiff_t depth = v->size[l + 1];
    const real *panel = v->transposed + perceptron_transposed(v->size, l, LANES);
    const real *a = values_of(v, l), *delta = deltas_of(v, l + 1);
    real *out = deltas_of(v, l);
    for (ptrdiff_t q = 0; q < panels_of(v->size[l]); q++) {
        for (ptrdiff_t r = first; r < last; r += TILE_ROWS) {
            vec acc[TILE_ROWS];
            for (int i = 0; i < TILE_ROWS; i++)
                acc[i] = v_set(0);
            tile_product(delta + r * LANES, v->stride, panel, depth, acc);
            for (int i = 0; i < TILE_ROWS; i++) {
                const vec s = slope(v->activation, v_load(a + (r + i) * LANES));
                v_store(out + (r + i) * LANES, v_mul(acc[i], s));
            }
        }
        panel += depth * LANES;
        a += v->stride;
        out += v->stride;
    }
}

/* ---- weights ---- */

/* LANES rows, or as many as there are, and LANES columns of layer l's matrix, from row i and
 * column c; with i = 0 the columns' biases too. */
typedef struct {
    ptrdiff_t l, i, c;
} block;

static ptrdiff_t count_blocks(const net *v) {
    ptrdiff_t total = 0;
    for (ptrdiff_t l = 0; l < v->layers; l++)
        total += panels_of(v->size[l]) * panels_of(v->size[l + 1]);
    return total;
}

static block nth_block(const net *v, ptrdiff_t n) {
    ptrdiff_t l = 0, columns = panels_of(v->size[1]);
    while (n >= panels_of(v->size[l]) * columns) {
        n -= panels_of(v->size[l]) * columns;
        l++;
        columns = panels_of(v->size[l + 1]);
    }
    return (block){l, n / columns * LANES, n % columns * LANES};
}

/* Brings the transpose of a block's weights, of a layer after the first, up to date. */
static void transpose_block(const net *v, block b) {
    if (b.l == 0)
        return;
    const ptrdiff_t in = v->size[b.l], out = v->size[b.l + 1];
    const real *from = weights_of(v, b.l) + (b.c / LANES * (in + 1) + b.i) * LANES;
    real *to = v->transposed + perceptron_transposed(v->size, b.l, LANES);
    to += (b.i / LANES * out + b.c) * LANES;
    for (ptrdiff_t o = 0; o < least(LANES, out - b.c); o++, to += LANES)
        for (ptrdiff_t i = 0; i < LANES; i++)
            to[i] = i < in - b.i ? from[i * LANES + o] : 0;
}

/* What takes the gradient of LANES weights: row i of the block's layer, from its column c on. */
typedef void (*taker)(const void *to, ptrdiff_t i, ptrdiff_t c, vec gradient);

/* Rows of a gradient's register tile: as even as tiles of at most TILE_ROWS can share LANES. */
enum {
    GRADIENT_TILES = (LANES + TILE_ROWS - 1) / TILE_ROWS,
    GRADIENT_ROWS = (LANES + GRADIENT_TILES - 1) / GRADIENT_TILES,
    GRADIENT_REST = LANES - (GRADIENT_TILES - 1) * GRADIENT_ROWS,
};

/* `count` rows from row i of the gradient values^T delta. */
INLINE void gradient_tile(int count, const real *A, const real *delta, ptrdiff_t rows, block b,
                          ptrdiff_t i, ptrdiff_t in, taker take, const void *to) {
    vec acc[TILE_ROWS];
    for (int t = 0; t < count; t++)
        acc[t] = v_set(0);
    tile_fma(count, A, 1, LANES, delta, rows, acc);
    for (int t = 0; t < count; t++)
        if (i + t < in)
            take(to, i + t, b.c, acc[t]);
}

/* Gives the gradient of a block's weights, values^T delta, summed in order of `rows` rows. */
INLINE void weight_gradient(const net *v, ptrdiff_t rows, block b, taker take, const void *to) {
    const ptrdiff_t in = v->size[b.l];
    const real *A = values_of(v, b.l) + b.i / LANES * v->stride;
    const real *delta = deltas_of(v, b.l + 1) + b.c / LANES * v->stride;
    ptrdiff_t t = 0;
    for (; t < LANES - GRADIENT_REST && b.i + t < in; t += GRADIENT_ROWS)
        gradient_tile(GRADIENT_ROWS, A + t, delta, rows, b, b.i + t, in, take, to);
    if (b.i + t < in)
        gradient_tile(GRADIENT_REST, A + t, delta, rows, b, b.i + t, in, take, to);
}

/* Gives the gradient of the biases of a block's columns, the sum of their deltas in order of rows.
 */
INLINE void bias_gradient(const net *v, ptrdiff_t rows, block b, taker take, const void *to) {
    const real *delta = deltas_of(v, b.l + 1) + b.c / LANES * v->stride;
    vec sum = v_set(0);
    for (ptrdiff_t r = 0; r < rows; r++)
        sum = v_add(sum, v_load(delta + r * LANES));
    take(to, v->size[b.l], b.c, sum);
}

#endif
