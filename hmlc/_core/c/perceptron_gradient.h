/* The gradient by a network's weights, a block of them at a time.
 *
 * What is done to a block touches no others, so threads may share the blocks out.
 */
#ifndef HMLC_PERCEPTRON_GRADIENT_H
#define HMLC_PERCEPTRON_GRADIENT_H

#include "perceptron_layers.h"

/* LANES rows, or as many as there are, and `panels` panels of layer l's matrix, from row i and
 * column c; with i = 0 the columns' biases too. */
typedef struct {
    ptrdiff_t l, i, c, panels;
} block;

/* How many blocks stand beside each other in layer l. */
INLINE ptrdiff_t blocks_across(const net *v, ptrdiff_t l) {
    return (panels_of(v->size[l + 1]) + TILE_PANELS - 1) / TILE_PANELS;
}

static ptrdiff_t count_blocks(const net *v) {
    ptrdiff_t total = 0;
    for (ptrdiff_t l = 0; l < v->layers; l++)
        total += panels_of(v->size[l]) * blocks_across(v, l);
    return total;
}

static block nth_block(const net *v, ptrdiff_t n) {
    ptrdiff_t l = 0, across = blocks_across(v, 0);
    while (n >= panels_of(v->size[l]) * across) {
        n -= panels_of(v->size[l]) * across;
        l++;
        across = blocks_across(v, l);
    }
    const ptrdiff_t first = n % across * TILE_PANELS;
    const ptrdiff_t panels = least(TILE_PANELS, panels_of(v->size[l + 1]) - first);
    return (block){l, n / across * LANES, first * LANES, panels};
}

/* Brings the transpose of a block's weights, of a layer after the first, up to date. */
static void transpose_block(const net *v, block b) {
    if (b.l == 0)
        return;
    const ptrdiff_t in = v->size[b.l], out = v->size[b.l + 1];
    const ptrdiff_t last = least(b.c + b.panels * LANES, out);
    const real *from = weights_of(v, b.l) + b.i * LANES;
    real *to = v->transposed + perceptron_transposed(v->size, b.l, LANES);
    to += b.i / LANES * out * LANES;
    for (ptrdiff_t o = b.c; o < last; o++)
        for (ptrdiff_t i = 0; i < LANES; i++)
            to[o * LANES + i] =
                i < in - b.i ? from[(o / LANES * (in + 1) + i) * LANES + o % LANES] : 0;
}

/* What takes the gradient of LANES weights: row i of the block's layer, from its column c on. */
typedef void (*taker)(const void *to, ptrdiff_t i, ptrdiff_t c, vec gradient);

/* Rows of a gradient's register tile: as even as tiles of at most TILE_ROWS can share LANES. */
enum {
    GRADIENT_TILES = (LANES + TILE_ROWS - 1) / TILE_ROWS,
    GRADIENT_ROWS = (LANES + GRADIENT_TILES - 1) / GRADIENT_TILES,
    GRADIENT_REST = LANES - (GRADIENT_TILES - 1) * GRADIENT_ROWS,
};

/* `count` rows from row i of the gradient values^T delta, in the block's `panels` panels. */
INLINE void gradient_tile(int count, int panels, const net *v, const real *A, const real *delta,
                          ptrdiff_t rows, block b, ptrdiff_t i, taker take, const void *to) {
    vec acc[TILE_ROWS * TILE_PANELS];
    for (int t = 0; t < count * panels; t++)
        acc[t] = v_set(0);
    wide_fma(count, panels, A, 1, LANES, delta, v->stride, rows, acc);
    for (int t = 0; t < count * panels; t++)
        if (i + t / panels < v->size[b.l])
            take(to, i + t / panels, b.c + t % panels * LANES, acc[t]);
}

INLINE void gradient_panels(int panels, const net *v, ptrdiff_t rows, block b, taker take,
                            const void *to) {
    const ptrdiff_t in = v->size[b.l];
    const real *A = values_of(v, b.l) + b.i / LANES * v->stride;
    const real *delta = deltas_of(v, b.l + 1) + b.c / LANES * v->stride;
    ptrdiff_t t = 0;
    for (; t < LANES - GRADIENT_REST && b.i + t < in; t += GRADIENT_ROWS)
        gradient_tile(GRADIENT_ROWS, panels, v, A + t, delta, rows, b, b.i + t, take, to);
    if (b.i + t < in)
        gradient_tile(GRADIENT_REST, panels, v, A + t, delta, rows, b, b.i + t, take, to);
}

/* Gives the gradient of a block's weights, values^T delta, summed in order of `rows` rows. */
INLINE void weight_gradient(const net *v, ptrdiff_t rows, block b, taker take, const void *to) {
    if (b.panels == TILE_PANELS)
        gradient_panels(TILE_PANELS, v, rows, b, take, to);
    else
        gradient_panels(1, v, rows, b, take, to);
}

/* Gives the gradient of the biases of a block's columns, the sum of their deltas in order of rows.
 */
INLINE void bias_gradient(const net *v, ptrdiff_t rows, block b, taker take, const void *to) {
    for (ptrdiff_t c = b.c; c < b.c + b.panels * LANES; c += LANES) {
        const real *delta = deltas_of(v, b.l + 1) + c / LANES * v->stride;
        vec sum = v_set(0);
        for (ptrdiff_t r = 0; r < rows; r++)
            sum = v_add(sum, v_load(delta + r * LANES));
        take(to, v->size[b.l], c, sum);
    }
}

#endif
