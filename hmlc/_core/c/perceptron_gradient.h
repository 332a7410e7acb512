/* The gradient by a network's weights, a block of them at a time.
 *
 * What is done to a block touches no others, so threads may share the blocks out.
 */
#ifndef HMLC_PERCEPTRON_GRADIENT_H
#define HMLC_PERCEPTRON_GRADIENT_H

#include "perceptron_inputs.h"

/* LANES rows, or as many as there are, and `panels` panels of layer l's matrix, from row i and
 * column c; with i = 0 the columns' biases too. */
typedef struct {
    ptrdiff_t l, i, c, panels;
} block;

enum { BLOCK_PANELS = 8 };

/* How many blocks stand beside each other in layer l. */
INLINE ptrdiff_t blocks_across(const net *v, ptrdiff_t l) {
    return (panels_of(v->size[l + 1]) + BLOCK_PANELS - 1) / BLOCK_PANELS;
}

static ptrdiff_t count_blocks(const net *v) {
    ptrdiff_t total = 0;
    for (ptrdiff_t l = 0; l < v->layers; l++)
        total += panels_of(v->size[l]) * blocks_across(v, l);
    return total;
}

static block nth_block(const net *v, ptrdiff_t n) {
    ptrdiff_t l = 0;
    while (n >= panels_of(v->size[l]) * blocks_across(v, l)) {
        n -= panels_of(v->size[l]) * blocks_across(v, l);
        l++;
    }
    const ptrdiff_t deep = panels_of(v->size[l]), first = n / deep * BLOCK_PANELS;
    const ptrdiff_t panels = least(BLOCK_PANELS, panels_of(v->size[l + 1]) - first);
    return (block){l, n % deep * LANES, first * LANES, panels};
}

/* Brings the transpose of a block's weights, of a layer after the first, up to date. */
static void transpose_block(const net *v, block b) {
    if (b.l == 0)
        return;
    const ptrdiff_t in = v->size[b.l], out = v->size[b.l + 1];
    const ptrdiff_t last = least(b.c + b.panels * LANES, out), rows = least(LANES, in - b.i);
    const real *from = weights_of(v, b.l) + b.i * LANES;
    real *to = v->transposed + perceptron_transposed(v->size, b.l, LANES);
    to += b.i / LANES * out * LANES;
    for (ptrdiff_t o = b.c; o < last; o += LANES)
        transpose(from + o * (in + 1), LANES, rows, least(LANES, last - o), to + o * LANES);
}

/* What takes the gradient of LANES weights: row i of the block's layer, from its column c on. */
typedef void (*taker)(const void *to, ptrdiff_t i, ptrdiff_t c, vec gradient);

/* Rows of the gradient's register tile where all rows of a batch count, as even as tiles of at most
 * TILE_ROWS can share LANES; and how many are left to the last. */
enum {
    GRADIENT_TILES = (LANES + TILE_ROWS - 1) / TILE_ROWS,
    GRADIENT_ROWS = (LANES + GRADIENT_TILES - 1) / GRADIENT_TILES,
    GRADIENT_REST = LANES - (GRADIENT_TILES - 1) * GRADIENT_ROWS,
};

/* The left side of the gradient values^T delta: from `panel` on for all rows, or numbers `first` on
 * of whole rows of inputs for some. */
typedef struct {
    const real *panel;
    const real *const *inputs;
    ptrdiff_t first;
    some_rows some;
} left_side;

/* `count` rows of the gradient, of A and `regs` registers of delta, summed in order of rows. */
INLINE void gradient_tile(int count, int regs, int is_listed, const left_side *A, const real *delta,
                          ptrdiff_t stride, vec sum[]) {
    const int panels = panels_in(regs);
    vec acc[TILE_VECTORS];
    UNROLL
    for (int t = 0; t < count * panels; t++)
        acc[t] = v_set(0);
    if (is_listed)
        columns_fma(count, regs, A->inputs, A->first, delta, stride, A->some.used, A->some.count,
                    acc);
    else
        wide_fma(count, regs, A->panel, 1, LANES, delta, stride, A->some.count, acc);
    UNROLL
    for (int t = 0; t < count * panels; t++)
        sum[t] = acc[t];
}

/* Each by itself, for the same reason as those of the values. */
typedef void (*summer)(const left_side *A, const real *delta, ptrdiff_t stride, vec sum[]);
#define GRADIENT_TILE(name, rows, regs, is_listed)                                                 \
    static void name(const left_side *A, const real *delta, ptrdiff_t stride, vec sum[]) {         \
        gradient_tile(rows, regs, is_listed, A, delta, stride, sum);                               \
    }
GRADIENT_TILE(gradient_half, GRADIENT_ROWS, WIDE / 2, 0)
GRADIENT_TILE(gradient_full, GRADIENT_ROWS, WIDE, 0)
GRADIENT_TILE(gradient_rest_half, GRADIENT_REST, WIDE / 2, 0)
GRADIENT_TILE(gradient_rest_full, GRADIENT_REST, WIDE, 0)
GRADIENT_TILE(gradient_listed_1, LISTED_ROWS, LISTED_WIDE / 4, 1)
GRADIENT_TILE(gradient_listed_2, LISTED_ROWS, LISTED_WIDE / 2, 1)
GRADIENT_TILE(gradient_listed_3, LISTED_ROWS, LISTED_WIDE * 3 / 4, 1)
GRADIENT_TILE(gradient_listed_4, LISTED_ROWS, LISTED_WIDE, 1)
static const summer gradient_tiles[] = {gradient_half, gradient_full};
static const summer gradient_rest_tiles[] = {gradient_rest_half, gradient_rest_full};
static const summer gradient_listed_tiles[] = {gradient_listed_1, gradient_listed_2,
                                               gradient_listed_3, gradient_listed_4};

/* Gives `count` rows of a block's gradient from its row i on, with the columns of `panels` panels
 * from c on, as `summed` makes them from A, whose rows begin with the layer's row `start`. */
INLINE void give_gradient(const net *v, block b, ptrdiff_t start, ptrdiff_t i, ptrdiff_t c,
                          ptrdiff_t count, ptrdiff_t panels, summer summed, const left_side *A,
                          taker take, const void *to) {
    const ptrdiff_t first = b.i + i, last = least(first + count, least(b.i + LANES, v->size[b.l]));
    vec sum[TILE_VECTORS];
    if (last <= first)
        return;
    summed(A, deltas_of(v, b.l + 1) + c / LANES * v->stride, v->stride, sum);
    panels = least(panels, panels_of(v->size[b.l + 1] - c));
    for (ptrdiff_t t = first; t < last; t++)
        for (ptrdiff_t p = 0; p < panels; p++)
            take(to, t, c + p * LANES, sum[(t - start) * panels + p]);
}

/* Rows of a batch that are looked at to see whether a block's inputs are mostly 0. */
enum { SAMPLE_ROWS = 16 };

/* Whether a block's inputs are not all filled in most of a batch's first rows. */
static int has_zeros(const net *v, ptrdiff_t rows, block b) {
    const uint16_t *filled = v->filled + b.i / LANES * (v->stride / LANES);
    ptrdiff_t count = 0;
    rows = least(rows, SAMPLE_ROWS);
    for (ptrdiff_t r = 0; r < rows; r++)
        count += filled[r] != (1u << LANES) - 1;
    return 2 * count > rows;
}

/* Gives the gradient of a block's inputs' weights where many inputs are 0. No tile reads past a
 * row's last input: it begins before the first that it is for. */
INLINE void listed_gradient(const net *v, ptrdiff_t rows, block b, taker take, const void *to) {
    some_rows lists[LISTED_TILES];
    list_rows(v, rows, b.i, lists);
    for (ptrdiff_t c = b.c; c < b.c + b.panels * LANES; c += LISTED_PANELS * LANES) {
        const summer listed = gradient_listed_tiles[part_of(LISTED_WIDE, 4, v->size[1] - c)];
        for (int t = 0; t < LISTED_TILES; t++) {
            const ptrdiff_t i = t * LISTED_ROWS, start = least(b.i + i, v->size[0] - LISTED_ROWS);
            const left_side A = {NULL, v->inputs, start, lists[t]};
            give_gradient(v, b, start, i, c, LISTED_ROWS, LISTED_PANELS, listed, &A, take, to);
        }
    }
}

/* Gives the gradient of a block's weights, values^T delta, summed in order of `rows` rows. */
INLINE void weight_gradient(const net *v, ptrdiff_t rows, block b, taker take, const void *to) {
    const real *panel = b.l == 0 ? v->packed : values_of(v, b.l) + b.i / LANES * v->stride;
    if (b.l == 0 && v->size[0] >= LISTED_ROWS && has_zeros(v, rows, b)) {
        listed_gradient(v, rows, b, take, to);
        return;
    }
    if (b.l == 0)
        pack_inputs(v, rows, b.i);
    for (ptrdiff_t c = b.c; c < b.c + b.panels * LANES; c += TILE_PANELS * LANES) {
        const ptrdiff_t part = part_of(WIDE, 2, v->size[b.l + 1] - c);
        for (int t = 0; t < GRADIENT_TILES; t++) {
            const ptrdiff_t i = t * GRADIENT_ROWS;
            const summer some =
                t + 1 < GRADIENT_TILES ? gradient_tiles[part] : gradient_rest_tiles[part];
            const left_side A = {panel + i, NULL, 0, {NULL, rows}};
            give_gradient(v, b, b.i + i, i, c, GRADIENT_ROWS, TILE_PANELS, some, &A, take, to);
        }
    }
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
