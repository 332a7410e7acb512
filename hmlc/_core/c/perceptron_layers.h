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
    real *weights, *state; /* an optimiser's state follows the weights */
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
    v.transposed = lists + threads * list;
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

/* Some rows of X and Y: row r is row order[r], or r where order is NULL; d columns of X are in the
 * network's units after (x - units[c]) * units[d + c]. */
typedef struct {
    const real *X, *Y, *units;
    const ptrdiff_t *order;
    ptrdiff_t known, period; /* how far order goes on, and where in it the next batch begins */
    const real *weights;     /* row r's is weights[r * weight_step] */
    ptrdiff_t weight_step;   /* 0 where all rows weigh the same */
} batch;

INLINE ptrdiff_t row_of(const batch *b, ptrdiff_t r) {
    return b->order ? b->order[r] : r;
}

INLINE real weight_of(const batch *b, ptrdiff_t r) {
    return b->weights[row_of(b, r) * b->weight_step];
}

/* The rows that come after a tile's, in what is asked for while the tile is computed: in a random
 * order they are out of the hardware prefetcher's sight. */
typedef struct {
    const real *row[TILE_ROWS];
} ahead;

INLINE ahead rows_ahead(const net *v, const batch *b, ptrdiff_t r) {
    ahead a;
    for (int i = 0; i < TILE_ROWS; i++) {
        const ptrdiff_t row = row_of(b, least(r + i, b->known - 1));
        prefetch((uintptr_t)(b->Y + row * v->size[v->layers]));
        a.row[i] = b->X + row * v->size[0];
    }
    return a;
}

/* LANES columns, or as many as there are, of a row in the network's units. */
INLINE vec in_units(const real *x, const real *units, ptrdiff_t d, ptrdiff_t count) {
    const vec centred = v_sub(load_upto(x, count, 0), load_upto(units, count, 0));
    return v_mul(centred, load_upto(units + d, count, 0));
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

/* How many panels a register tile spans where there are as many: two where registers abound, for
 * then each number read of A is used twice. */
enum { TILE_PANELS = REGS == 1 ? 2 : 1 };

/* Registers in a row of the tile, and of the last where half of them hold all columns left. */
enum { WIDE = TILE_PANELS * REGS, NARROW = WIDE / 2 };

/* Some depths of a product, for the others of which A is 0: they add nothing. NULL: all `count`. */
typedef struct {
    const ptrdiff_t *used;
    ptrdiff_t count;
} depths;
#define ALL_DEPTHS ((depths){NULL, 0})

/* Level 0 of rows [first, last). */
static void load_rows(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last) {
    const ptrdiff_t d = v->size[0];
    for (ptrdiff_t r = first; r < last; r++) {
        const real *x = b->X + row_of(b, r) * d;
        real *out = v->values + r * LANES;
        ptrdiff_t c = 0;
        for (; c + LANES <= d; c += LANES, out += v->stride)
            v_store(out, in_units(x + c, b->units + c, d, LANES));
        if (c < d)
            v_store(out, in_units(x + c, b->units + c, d, d - c));
    }
}

/* Level 0 of rows [first, last), TILE_ROWS at most; lists the inputs that are not 0 in all of them,
 * and returns how many these are. Asks for the rows `next`, unless that is NULL. */
static ptrdiff_t load_used(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last,
                           const ahead *next) {
    const ptrdiff_t d = v->size[0], rows = last - first;
    const real *x[TILE_ROWS];
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < rows; i++)
        x[i] = b->X + row_of(b, first + i) * d;
    for (ptrdiff_t c = 0; c < d; c += LANES) {
        const ptrdiff_t width = least(LANES, d - c);
        real *out = v->values + c / LANES * v->stride + first * LANES, lanes[LANES];
        vec is_used = v_set(0);
        for (ptrdiff_t i = 0; i < rows; i++) {
            const vec a = in_units(x[i] + c, b->units + c, d, width);
            v_store(out + i * LANES, a);
            is_used = v_select(v_equal(a, v_set(0)), is_used, v_set(1));
            if (next)
                prefetch((uintptr_t)(next->row[i] + c));
        }
        v_store(lanes, is_used);
        for (ptrdiff_t j = 0; j < width; j++) {
            v->used[count] = c + j;
            count += (ptrdiff_t)lanes[j];
        }
    }
    return count;
}

/* Whether a half of a row's inputs or more are 0. */
static int is_mostly_zero(const net *v, const batch *b, ptrdiff_t r) {
    const ptrdiff_t d = v->size[0];
    const real *x = b->X + row_of(b, r) * d;
    vec zeros = v_set(0);
    for (ptrdiff_t c = 0; c + LANES <= d; c += LANES) {
        const vec a = in_units(x + c, b->units + c, d, LANES);
        zeros = v_add(zeros, v_select(v_equal(a, v_set(0)), v_set(1), v_set(0)));
    }
    return d >= LANES && 2 * v_sum(zeros) >= (real)d;
}

/* acc += TILE_ROWS rows of A, which is in panels `a_stride` apart, times `regs` registers of
 * panels. */
INLINE void tile_product(int regs, const real *A, ptrdiff_t a_stride, const real *panel,
                         ptrdiff_t stride, ptrdiff_t depth, const ahead *next, vec acc[]) {
    for (ptrdiff_t p = 0; p < depth; p += LANES, A += a_stride) {
        if (next)
            for (int i = 0; i < TILE_ROWS; i++)
                prefetch((uintptr_t)(next->row[i] + p));
        wide_fma(TILE_ROWS, regs, A, LANES, 1, panel + p * LANES, stride, least(LANES, depth - p),
                 acc);
    }
}

/* `regs` registers of panels from j on of values(l + 1), for rows [first, last), from some of
 * values(l); asks for the rows of X that are `beyond` after, unless b is NULL. */
INLINE void forward_panels(int regs, const net *v, ptrdiff_t l, ptrdiff_t j, ptrdiff_t first,
                           ptrdiff_t last, depths some, const batch *b, ptrdiff_t beyond) {
    const int panels = panels_in(regs);
    const ptrdiff_t depth = v->size[l], stride = (depth + 1) * LANES;
    const ptrdiff_t activation = l + 1 < v->layers ? v->activation : PERCEPTRON_IDENTITY;
    const real *A = values_of(v, l), *panel = weights_of(v, l) + j * stride;
    real *out = values_of(v, l + 1) + j * v->stride;
    for (ptrdiff_t r = first; r < last; r += TILE_ROWS) {
        vec acc[TILE_ROWS * TILE_PANELS];
        for (int i = 0; i < TILE_ROWS * panels; i++)
            acc[i] = v_load(panel + i % panels * stride + depth * LANES);
        ahead next;
        if (b)
            next = rows_ahead(v, b, r + beyond);
        if (some.used)
            listed_fma(TILE_ROWS, regs, A + r * LANES, LANES, LANES, v->stride, panel, stride,
                       some.used, some.count, acc);
        else
            tile_product(regs, A + r * LANES, v->stride, panel, stride, depth, b ? &next : NULL,
                         acc);
        for (int i = 0; i < TILE_ROWS * panels; i++)
            v_store(out + i % panels * v->stride + (r + i / panels) * LANES,
                    activate(activation, acc[i]));
    }
}

/* values(l + 1) = activation(values(l) W + b), for rows [first, last) */
static void forward_layer(const net *v, ptrdiff_t l, ptrdiff_t first, ptrdiff_t last, depths some,
                          const batch *b, ptrdiff_t beyond) {
    const ptrdiff_t columns = v->size[l + 1];
    for (ptrdiff_t j = 0; j < panels_of(columns); j += TILE_PANELS) {
        const batch *asked = j == 0 ? b : NULL;
        if (columns - j * LANES > NARROW * REG_LANES)
            forward_panels(WIDE, v, l, j, first, last, some, asked, beyond);
        else
            forward_panels(NARROW, v, l, j, first, last, some, asked, beyond);
    }
}

/* Values of rows [first, last) at levels 0 and 1, those that are 0 left out. */
static void forward_used(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last,
                         ptrdiff_t beyond) {
    for (ptrdiff_t r = first; r < last; r += TILE_ROWS) {
        ahead next;
        if (beyond > 0)
            next = rows_ahead(v, b, r + beyond);
        const ptrdiff_t end = least(r + TILE_ROWS, last);
        const ptrdiff_t count = load_used(v, b, r, end, beyond > 0 ? &next : NULL);
        forward_layer(v, 0, r, r + 1, (depths){v->used, count}, NULL, 0);
    }
}

/* Values of rows [first, last) at all levels; asks for those `beyond` after, unless that is 0. */
static void forward_rows(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last,
                         ptrdiff_t beyond) {
    if (is_mostly_zero(v, b, first))
        forward_used(v, b, first, last, beyond);
    else {
        load_rows(v, b, first, last);
        forward_layer(v, 0, first, last, ALL_DEPTHS, beyond > 0 ? b : NULL, beyond);
    }
    for (ptrdiff_t l = 1; l < v->layers; l++)
        forward_layer(v, l, first, last, ALL_DEPTHS, NULL, 0);
}

/* `regs` registers of panels from q on of deltas(l), for rows [first, last). */
INLINE void backward_panels(int regs, const net *v, ptrdiff_t l, ptrdiff_t q, ptrdiff_t first,
                            ptrdiff_t last) {
    const int panels = panels_in(regs);
    const ptrdiff_t depth = v->size[l + 1], stride = depth * LANES;
    const real *panel = v->transposed + perceptron_transposed(v->size, l, LANES) + q * stride;
    const real *a = values_of(v, l) + q * v->stride, *delta = deltas_of(v, l + 1);
    real *out = deltas_of(v, l) + q * v->stride;
    for (ptrdiff_t r = first; r < last; r += TILE_ROWS) {
        vec acc[TILE_ROWS * TILE_PANELS];
        for (int i = 0; i < TILE_ROWS * panels; i++)
            acc[i] = v_set(0);
        tile_product(regs, delta + r * LANES, v->stride, panel, stride, depth, NULL, acc);
        for (int i = 0; i < TILE_ROWS * panels; i++) {
            const ptrdiff_t at = i % panels * v->stride + (r + i / panels) * LANES;
            v_store(out + at, v_mul(acc[i], slope(v->activation, v_load(a + at))));
        }
    }
}

/* deltas(l) = (deltas(l + 1) W^T) * slope(values(l)), for rows [first, last) and l >= 1 */
static void backward_layer(const net *v, ptrdiff_t l, ptrdiff_t first, ptrdiff_t last) {
    const ptrdiff_t columns = v->size[l];
    for (ptrdiff_t q = 0; q < panels_of(columns); q += TILE_PANELS)
        if (columns - q * LANES > NARROW * REG_LANES)
            backward_panels(WIDE, v, l, q, first, last);
        else
            backward_panels(NARROW, v, l, q, first, last);
}

#endif
