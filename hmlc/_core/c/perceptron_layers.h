/* A network's rows through its layers and back.
 *
 * Level 0 is rows: of X where its units are the network's, else copies. Every other matrix is in
 * panels: columns [c, c + LANES) of all its rows, then the next LANES columns.
 * Values, deltas and weights are then register-tile operands as they are: a product is written
 * where the next one reads it, the gradient reads the transpose of the values along unit strides,
 * and a step updates the weights where the next batch reads them. Weights go into panels at the
 * start of a call and out of them at its end.
 *
 * What is done to rows [first, last) touches no other rows, so threads may share them out. `first`
 * must be a multiple of TILE_ROWS.
 */
#ifndef HMLC_PERCEPTRON_LAYERS_H
#define HMLC_PERCEPTRON_LAYERS_H

#include "lanes.h"
#include "tile.h"
#include "vmath.h"

#include "perceptron.h"

typedef struct {
    const ptrdiff_t *size;
    ptrdiff_t layers, activation, loss;
    ptrdiff_t stride;    /* reals from one panel of values or deltas to the next */
    const real **inputs; /* level 0: where each row is */
    real *copies;        /* the rows of level 0 that are not rows of X */
    int is_plain;        /* whether all are, for units change nothing */
    real *values, *deltas, *transposed, *losses, *columns;
    real *weights, *state; /* an optimiser's state follows the weights */
    uint16_t *filled; /* for each panel of inputs, each row's that are not 0: bit i is lane i */
    void *used;       /* room for lists */
    real *packed;     /* a panel of inputs */
} net;

INLINE ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}

/* Rows and panels of the register tile of a product whose depths all count: two panels where
 * registers abound, for then each number read of A is used twice. And of one that leaves out the
 * depths at which all its rows are 0: of fewer rows, for those are more depths. */
enum {
    TILE_PANELS = REGS == 1 ? 2 : 1,
    LISTED_ROWS = (TILE_ROWS + 1) / 2,
    LISTED_PANELS = 2 * TILE_PANELS,
    TILE_VECTORS = LISTED_ROWS * LISTED_PANELS,
    LISTED_TILES = (LANES + LISTED_ROWS - 1) / LISTED_ROWS,
};

/* Whether d columns of X are in the network's units as they lie. */
static int is_plain(const real *units, ptrdiff_t d) {
    int is_changed = 0;
    for (ptrdiff_t c = 0; c < d && !is_changed; c += LANES) {
        const ptrdiff_t width = least(LANES, d - c);
        const mask is_centred = v_equal(v_load_upto(units + c, width, 0), v_set(0));
        const mask is_scaled = v_equal(v_load_upto(units + d + c, width, 1), v_set(1));
        is_changed = !v_all(is_centred) || !v_all(is_scaled);
    }
    return !is_changed;
}

/* `thread` is for whom the columns and the list `used` are; all else is shared. */
static net lay_out(const ptrdiff_t *network, ptrdiff_t layers, const real *units,
                   ptrdiff_t most_rows, ptrdiff_t thread, ptrdiff_t threads, void *scratch) {
    net v = {.size = network + 2,
             .layers = layers,
             .activation = network[0],
             .loss = network[1],
             .is_plain = is_plain(units, network[2]),
             .stride = perceptron_room(most_rows) * LANES};
    const ptrdiff_t block = 2 * v.size[layers] * LANES, panel = most_rows * LANES;
    v.values = (real *)(((uintptr_t)scratch + 63) / 64 * 64);
    v.deltas = v.values + perceptron_columns(v.size + 1, layers, LANES) / LANES * v.stride;
    v.losses = v.deltas + perceptron_columns(v.size + 1, layers - 1, LANES) / LANES * v.stride;
    v.columns = v.losses + perceptron_padded(most_rows, LANES) + thread * block;
    const ptrdiff_t list = perceptron_list(v.size, most_rows, LANES);
    real *lists = v.columns + (threads - thread) * block;
    v.used = lists + thread * list;
    v.filled = (uint16_t *)(void *)(lists + threads * list);
    real *panels = lists + threads * list + perceptron_filled(v.size, most_rows, LANES);
    v.packed = panels + thread * panel;
    real *inputs = panels + threads * panel;
    v.inputs = (const real **)(void *)inputs;
    v.copies = inputs + perceptron_pointers(most_rows, LANES);
    v.transposed = v.copies + perceptron_room(most_rows) * perceptron_row(v.size[0], LANES);
    v.weights = v.transposed + perceptron_transposed(v.size, layers, LANES);
    v.state = v.weights + perceptron_weights(v.size, layers, LANES);
    return v;
}

/* A level's values, after level 0. */
INLINE real *values_of(const net *v, ptrdiff_t level) {
    return v->values + perceptron_columns(v->size + 1, level - 1, LANES) / LANES * v->stride;
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

/* A thread's share of the panels of all layers, from parameters into panels and back. */
static void to_panels(const net *v, const real *parameters, real *panels, ptrdiff_t thread,
                      ptrdiff_t threads) {
    for (ptrdiff_t l = 0; l < v->layers; l++) {
        const ptrdiff_t rows = v->size[l] + 1, columns = v->size[l + 1];
        for (ptrdiff_t c = 0; c < columns; c += LANES, panels += rows * LANES)
            if (c / LANES % threads == thread)
                for (ptrdiff_t r = 0; r < rows; r++)
                    v_store(panels + r * LANES,
                            v_load_upto(parameters + r * columns + c, columns - c, 0));
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
                    v_store_upto(parameters + r * columns + c, columns - c,
                                 v_load(panels + r * LANES));
        parameters += rows * columns;
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

/* Registers in a row of either tile. Where its columns end in a half of them, or in a quarter, the
 * others are left out. */
enum { WIDE = TILE_PANELS * REGS, LISTED_WIDE = LISTED_PANELS * REGS };

/* In which of `parts` parts of a tile's row the last of `columns` columns falls. */
INLINE ptrdiff_t part_of(int regs, int parts, ptrdiff_t columns) {
    return least(columns * parts - 1, regs * REG_LANES * parts - 1) / (regs * REG_LANES);
}

/* acc += `rows` rows of A, which is in panels, times `regs` registers of panels. */
INLINE void tile_product(int rows, int regs, const net *v, const real *A, const real *panel,
                         ptrdiff_t stride, ptrdiff_t depth, vec acc[]) {
    for (ptrdiff_t p = 0; p < depth; p += LANES, A += v->stride)
        wide_fma(rows, regs, A, LANES, 1, panel + p * LANES, stride, least(LANES, depth - p), acc);
}

/* What a product's left side is: a level after the first, or inputs, of which none or some are left
 * out. */
typedef enum { UPPER, DENSE, LISTED } kind;

/* `rows` rows from r on of the sums of level l + 1, in `regs` registers of panels from j on, over
 * some depths: the first, which follow the bias, or further ones. */
INLINE void sum_tile(int rows, int regs, kind of, const net *v, ptrdiff_t l, ptrdiff_t j,
                     ptrdiff_t r, depths some, int is_first) {
    const int panels = panels_in(regs);
    const ptrdiff_t depth = v->size[l], stride = (depth + 1) * LANES;
    const real *panel = weights_of(v, l) + j * stride;
    real *out = values_of(v, l + 1) + j * v->stride + r * LANES;
    vec acc[TILE_VECTORS];
    UNROLL
    for (int i = 0; i < rows * panels; i++)
        acc[i] = v_load(is_first ? panel + i % panels * stride + depth * LANES
                                 : out + i % panels * v->stride + i / panels * LANES);
    if (of == DENSE || of == LISTED)
        rows_fma(rows, regs, v->inputs + r, panel, stride,
                 of == LISTED ? some : (depths){NULL, 0, depth}, acc);
    else
        tile_product(rows, regs, v, values_of(v, l) + r * LANES, panel, stride, depth, acc);
    UNROLL
    for (int i = 0; i < rows * panels; i++)
        v_store(out + i % panels * v->stride + i / panels * LANES, acc[i]);
}

/* Tiles are functions of their own: where several are compiled into one, their sums do not all find
 * registers. */
typedef void (*tile)(const net *v, ptrdiff_t l, ptrdiff_t j, ptrdiff_t r, depths some,
                     int is_first);
#define SUM_TILE(name, rows, regs, of)                                                             \
    static void name(const net *v, ptrdiff_t l, ptrdiff_t j, ptrdiff_t r, depths some,             \
                     int is_first) {                                                               \
        sum_tile(rows, regs, of, v, l, j, r, some, is_first);                                      \
    }
SUM_TILE(sum_half, TILE_ROWS, WIDE / 2, UPPER)
SUM_TILE(sum_full, TILE_ROWS, WIDE, UPPER)
SUM_TILE(sum_inputs_half, TILE_ROWS, WIDE / 2, DENSE)
SUM_TILE(sum_inputs_full, TILE_ROWS, WIDE, DENSE)
SUM_TILE(sum_listed_1, LISTED_ROWS, LISTED_WIDE / 4, LISTED)
SUM_TILE(sum_listed_2, LISTED_ROWS, LISTED_WIDE / 2, LISTED)
SUM_TILE(sum_listed_3, LISTED_ROWS, LISTED_WIDE * 3 / 4, LISTED)
SUM_TILE(sum_listed_4, LISTED_ROWS, LISTED_WIDE, LISTED)
static const tile sum_tiles[] = {sum_half, sum_full};
static const tile sum_inputs_tiles[] = {sum_inputs_half, sum_inputs_full};
static const tile sum_listed_tiles[] = {sum_listed_1, sum_listed_2, sum_listed_3, sum_listed_4};

/* values(l + 1) = values(l) W + b, for rows [first, last) */
static void sum_layer(const net *v, ptrdiff_t l, ptrdiff_t first, ptrdiff_t last) {
    const depths all = {NULL, 0, v->size[l]};
    for (ptrdiff_t j = 0; j < panels_of(v->size[l + 1]); j += TILE_PANELS) {
        const tile take =
            (l == 0 ? sum_inputs_tiles : sum_tiles)[part_of(WIDE, 2, v->size[l + 1] - j * LANES)];
        for (ptrdiff_t r = first; r < last; r += TILE_ROWS)
            take(v, l, j, r, all, 1);
    }
}

/* values(level) = activation(values(level)), for rows [first, last) */
static void activate_level(const net *v, ptrdiff_t level, ptrdiff_t first, ptrdiff_t last) {
    for (ptrdiff_t j = 0; j < panels_of(v->size[level]); j++) {
        real *values = values_of(v, level) + j * v->stride;
        for (ptrdiff_t i = first * LANES; i < last * LANES; i += LANES)
            v_store(values + i, activate(v->activation, v_load(values + i)));
    }
}

/* Values of rows [first, last) at all levels, from their sums at level 1. */
static void forward_sums(const net *v, ptrdiff_t first, ptrdiff_t last) {
    for (ptrdiff_t l = 1; l < v->layers; l++) {
        activate_level(v, l, first, last);
        sum_layer(v, l, first, last);
    }
}

/* TILE_ROWS rows from r on of deltas(l), in `regs` registers of panels from q on. */
INLINE void backward_tile(int regs, const net *v, ptrdiff_t l, ptrdiff_t q, ptrdiff_t r) {
    const int panels = panels_in(regs);
    const ptrdiff_t depth = v->size[l + 1], stride = depth * LANES, at = q * v->stride + r * LANES;
    const real *panel = v->transposed + perceptron_transposed(v->size, l, LANES) + q * stride;
    const real *a = values_of(v, l) + at;
    const real *delta = deltas_of(v, l + 1) + r * LANES;
    real *out = deltas_of(v, l) + at;
    vec acc[TILE_VECTORS];
    UNROLL
    for (int i = 0; i < TILE_ROWS * panels; i++)
        acc[i] = v_set(0);
    tile_product(TILE_ROWS, regs, v, delta, panel, stride, depth, acc);
    UNROLL
    for (int i = 0; i < TILE_ROWS * panels; i++)
        v_store(out + i % panels * v->stride + i / panels * LANES, acc[i]);
    for (int i = 0; i < TILE_ROWS * panels; i++) {
        const ptrdiff_t each = i % panels * v->stride + i / panels * LANES;
        v_store(out + each, v_mul(v_load(out + each), slope(v->activation, v_load(a + each))));
    }
}
static void backward_half(const net *v, ptrdiff_t l, ptrdiff_t q, ptrdiff_t r) {
    backward_tile(WIDE / 2, v, l, q, r);
}
static void backward_full(const net *v, ptrdiff_t l, ptrdiff_t q, ptrdiff_t r) {
    backward_tile(WIDE, v, l, q, r);
}

/* deltas(l) = (deltas(l + 1) W^T) * slope(values(l)), for rows [first, last) and l >= 1 */
static void backward_layer(const net *v, ptrdiff_t l, ptrdiff_t first, ptrdiff_t last) {
    for (ptrdiff_t q = 0; q < panels_of(v->size[l]); q += TILE_PANELS)
        for (ptrdiff_t r = first; r < last; r += TILE_ROWS)
            if (part_of(WIDE, 2, v->size[l] - q * LANES) == 0)
                backward_half(v, l, q, r);
            else
                backward_full(v, l, q, r);
}

#endif
