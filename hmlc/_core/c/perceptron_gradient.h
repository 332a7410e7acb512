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
    ptrdiff_t l = 0, across = blocks_across(v, 0);
    while (n >= panels_of(v->size[l]) * across) {
        n -= panels_of(v->size[l]) * across;
        l++;
        across = blocks_across(v, l);
    }
    const ptrdiff_t first = n % across * BLOCK_PANELS;
    const ptrdiff_t panels = least(BLOCK_PANELS, panels_of(v->size[l + 1]) - first);
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

/* Rows of a batch that are looked at to see whether a block's inputs are mostly 0. */
enum { SAMPLE_ROWS = 8 };

/* Lists the rows of a batch in which `count` columns of values, from A on, are not all 0. */
INLINE depths used_rows(int count, const real *A, ptrdiff_t rows, ptrdiff_t *used) {
    const int words = count * (int)sizeof(real) / 8;
    ptrdiff_t n = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        const real *a = A + r * LANES;
        uint64_t bits = words == 0 && *a != 0;
        UNROLL
        for (int i = 0; i < words; i++) {
            uint64_t word;
            memcpy(&word, a + 8 * i / (int)sizeof(real), 8);
            bits |= word;
        }
        used[n] = r;
        n += bits != 0;
    }
    return (depths){used, n};
}

/* `count` rows from row i of the gradient values^T delta, `regs` registers of columns from
 * c on. */
INLINE void gradient_tile(int count, int regs, const net *v, const real *A, depths some, block b,
                          ptrdiff_t i, ptrdiff_t c, taker take, const void *to) {
    const int panels = panels_in(regs);
    const real *delta = deltas_of(v, b.l + 1) + c / LANES * v->stride;
    vec acc[TILE_ROWS * TILE_PANELS];
    for (int t = 0; t < count * panels; t++)
        acc[t] = v_set(0);
    if (some.used)
        listed_fma(count, regs, A, 1, 1, LANES, delta, v->stride, some.used, some.count, acc);
    else
        wide_fma(count, regs, A, 1, LANES, delta, v->stride, some.count, acc);
    for (int t = 0; t < count * panels; t++)
        if (i + t / panels < v->size[b.l])
            take(to, i + t / panels, c + t % panels * LANES, acc[t]);
}

INLINE void gradient_panels(int regs, const net *v, const depths some[], block b, ptrdiff_t c,
                            taker take, const void *to) {
    const ptrdiff_t in = v->size[b.l];
    const real *A = values_of(v, b.l) + b.i / LANES * v->stride;
    int t = 0;
    for (; t < GRADIENT_TILES - 1 && b.i + t * GRADIENT_ROWS < in; t++)
        gradient_tile(GRADIENT_ROWS, regs, v, A + t * GRADIENT_ROWS, some[t], b,
                      b.i + t * GRADIENT_ROWS, c, take, to);
    if (b.i + t * GRADIENT_ROWS < in)
        gradient_tile(GRADIENT_REST, regs, v, A + t * GRADIENT_ROWS, some[t], b,
                      b.i + t * GRADIENT_ROWS, c, take, to);
}

/* Whether a half of a block's inputs or more are 0 in a batch's first rows. */
static int is_block_zero(const real *A, ptrdiff_t rows) {
    vec zeros = v_set(0);
    for (ptrdiff_t r = 0; r < rows; r++)
        zeros =
            v_add(zeros, v_select(v_equal(v_load(A + r * LANES), v_set(0)), v_set(1), v_set(0)));
    return 2 * v_sum(zeros) >= (real)(rows * LANES);
}

/* The rows that count for each tile of a block: all, unless its values are inputs mostly 0. */
INLINE void rows_for_tiles(const net *v, ptrdiff_t rows, block b, depths some[]) {
    const real *A = values_of(v, b.l) + b.i / LANES * v->stride;
    const int is_listed = b.l == 0 && is_block_zero(A, least(rows, SAMPLE_ROWS));
    for (int t = 0; t < GRADIENT_TILES; t++)
        if (!is_listed)
            some[t] = (depths){NULL, rows};
        else if (t < GRADIENT_TILES - 1)
            some[t] = used_rows(GRADIENT_ROWS, A + t * GRADIENT_ROWS, rows, v->used + t * rows);
        else
            some[t] = used_rows(GRADIENT_REST, A + t * GRADIENT_ROWS, rows, v->used + t * rows);
}

/* Gives the gradient of a block's weights, values^T delta, summed in order of `rows` rows. */
INLINE void weight_gradient(const net *v, ptrdiff_t rows, block b, taker take, const void *to) {
    const ptrdiff_t end = b.c + b.panels * LANES;
    depths some[GRADIENT_TILES];
    rows_for_tiles(v, rows, b, some);
    for (ptrdiff_t c = b.c; c < end; c += TILE_PANELS * LANES)
        if (v->size[b.l + 1] - c > NARROW * REG_LANES)
            gradient_panels(WIDE, v, some, b, c, take, to);
        else
            gradient_panels(NARROW, v, some, b, c, take, to);
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
