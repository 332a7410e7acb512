/* A network's rows through its layers and back.
 *
 * Every matrix is in panels: columns [c, c + LANES) of all its rows, then the next LANES columns.
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

#include "tile.h"
#include "vmath.h"

#include "perceptron.h"

typedef struct {
    const ptrdiff_t *size;
    ptrdiff_t layers, activation, loss;
    ptrdiff_t stride; /* reals from one panel of values or deltas to the next */
    real *values, *deltas, *transposed, *losses, *columns;
    const real *inputs; /* level 0 where the products can read rows of X as they lie, else NULL */
    real *weights, *state; /* an optimiser's state follows the weights */
    uint16_t *filled; /* for each panel of inputs, each row's that are not 0: bit i is lane i */
    ptrdiff_t *used;
} net;

/* `thread` is for whom the columns and the list `used` are; all else is shared. */
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
    const ptrdiff_t list = perceptron_list(v.size, most_rows, LANES);
    real *lists = v.columns + (threads - thread) * block;
    v.used = (ptrdiff_t *)(void *)(lists + thread * list);
    v.filled = (uint16_t *)(void *)(lists + threads * list);
    v.transposed = lists + threads * list + perceptron_filled(v.size, most_rows, LANES);
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

/* Registers in a row of either tile. Where its columns end in a half of them, or in a quarter, the
 * others are left out. */
enum { WIDE = TILE_PANELS * REGS, LISTED_WIDE = LISTED_PANELS * REGS };

/* In which of `parts` parts of a tile's row the last of `columns` columns falls. */
INLINE ptrdiff_t part_of(int regs, int parts, ptrdiff_t columns) {
    return least(columns * parts - 1, regs * REG_LANES * parts - 1) / (regs * REG_LANES);
}

/* Some depths of a product, for the others of which A is 0: they add nothing. NULL: all `count`. */
typedef struct {
    const ptrdiff_t *used;
    ptrdiff_t count;
} depths;

/* A product's left side: number p of row i is at[i * row + p / run * step + p % run]. */
typedef struct {
    const real *at;
    ptrdiff_t row, run, step;
} rows_of;

INLINE rows_of in_panels(const net *v, const real *at) {
    return (rows_of){at, LANES, LANES, v->stride};
}

/* A level's values from row r on. */
INLINE rows_of left_side(const net *v, ptrdiff_t level, ptrdiff_t r) {
    const ptrdiff_t d = v->size[0];
    return level == 0 && v->inputs ? (rows_of){v->inputs + r * d, d, d, 0}
                                   : in_panels(v, values_of(v, level) + r * LANES);
}

/* acc += `rows` rows of A times `regs` registers of panels; lists of depths are for panels. */
INLINE void tile_product(int rows, int regs, rows_of A, const real *panel, ptrdiff_t stride,
                         depths some, vec acc[]) {
    if (some.used) {
        listed_fma(rows, regs, A.at, LANES, LANES, A.step, panel, stride, some.used, some.count,
                   acc);
        return;
    }
    for (ptrdiff_t p = 0; p < some.count; p += A.run, A.at += A.step)
        wide_fma(rows, regs, A.at, A.row, 1, panel + p * LANES, stride,
                 least(A.run, some.count - p), acc);
}

/* `rows` rows from r on of the sums of level l + 1, in `regs` registers of panels from j on, over
 * some depths: the first, which follow the bias, or further ones. */
INLINE void sum_tile(int rows, int regs, const net *v, ptrdiff_t l, ptrdiff_t j, ptrdiff_t r,
                     depths some, int is_first) {
    const int panels = panels_in(regs);
    const ptrdiff_t depth = v->size[l], stride = (depth + 1) * LANES;
    const real *panel = weights_of(v, l) + j * stride;
    real *out = values_of(v, l + 1) + j * v->stride + r * LANES;
    vec acc[TILE_VECTORS];
    UNROLL
    for (int i = 0; i < rows * panels; i++)
        acc[i] = v_load(is_first ? panel + i % panels * stride + depth * LANES
                                 : out + i % panels * v->stride + i / panels * LANES);
    tile_product(rows, regs, left_side(v, l, r), panel, stride, some, acc);
    UNROLL
    for (int i = 0; i < rows * panels; i++)
        v_store(out + i % panels * v->stride + i / panels * LANES, acc[i]);
}

/* Tiles are functions of their own: where several are compiled into one, their sums do not all find
 * registers. */
typedef void (*tile)(const net *v, ptrdiff_t l, ptrdiff_t j, ptrdiff_t r, depths some,
                     int is_first);
#define SUM_TILE(name, rows, regs)                                                                 \
    static void name(const net *v, ptrdiff_t l, ptrdiff_t j, ptrdiff_t r, depths some,             \
                     int is_first) {                                                               \
        sum_tile(rows, regs, v, l, j, r, some, is_first);                                          \
    }
SUM_TILE(sum_half, TILE_ROWS, WIDE / 2)
SUM_TILE(sum_full, TILE_ROWS, WIDE)
SUM_TILE(sum_listed_1, LISTED_ROWS, LISTED_WIDE / 4)
SUM_TILE(sum_listed_2, LISTED_ROWS, LISTED_WIDE / 2)
SUM_TILE(sum_listed_3, LISTED_ROWS, LISTED_WIDE * 3 / 4)
SUM_TILE(sum_listed_4, LISTED_ROWS, LISTED_WIDE)
static const tile sum_tiles[] = {sum_half, sum_full};
static const tile sum_listed_tiles[] = {sum_listed_1, sum_listed_2, sum_listed_3, sum_listed_4};

/* values(l + 1) = values(l) W + b, for rows [first, last) */
static void sum_layer(const net *v, ptrdiff_t l, ptrdiff_t first, ptrdiff_t last) {
    const depths all = {NULL, v->size[l]};
    for (ptrdiff_t j = 0; j < panels_of(v->size[l + 1]); j += TILE_PANELS) {
        const tile take = sum_tiles[part_of(WIDE, 2, v->size[l + 1] - j * LANES)];
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
    const depths all = {NULL, v->size[l + 1]};
    const ptrdiff_t stride = all.count * LANES, at = q * v->stride + r * LANES;
    const real *panel = v->transposed + perceptron_transposed(v->size, l, LANES) + q * stride;
    const real *a = values_of(v, l) + at;
    const rows_of delta = in_panels(v, deltas_of(v, l + 1) + r * LANES);
    real *out = deltas_of(v, l) + at;
    vec acc[TILE_VECTORS];
    UNROLL
    for (int i = 0; i < TILE_ROWS * panels; i++)
        acc[i] = v_set(0);
    tile_product(TILE_ROWS, regs, delta, panel, stride, all, acc);
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
