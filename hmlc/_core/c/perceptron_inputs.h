/* Level 0 of a network: rows of X in its units, and which of these inputs are not 0.
 *
 * An input that is 0 adds nothing to the sums of level 1, nor to the gradient of its weights: where
 * many are, as in images, products go by lists of those that are not.
 */
#ifndef HMLC_PERCEPTRON_INPUTS_H
#define HMLC_PERCEPTRON_INPUTS_H

#include "perceptron_layers.h"

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

/* The rows that come after a tile's, to be asked for while the tile is loaded: in a random order
 * they are out of the hardware prefetcher's sight. */
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

/* `width` columns from c on of `rows` rows x, into level 0 from row `first` on, and which of them
 * are not 0; asks for those of the rows `next`, unless that is NULL. */
INLINE void load_panel(const net *v, const batch *b, const real *const x[], ptrdiff_t rows,
                       ptrdiff_t c, ptrdiff_t width, ptrdiff_t first, const ahead *next) {
    const vec centre = load_upto(b->units + c, width, 0);
    const vec scale = load_upto(b->units + v->size[0] + c, width, 0);
    real *out = v->values + c / LANES * v->stride + first * LANES;
    uint16_t *filled = v->filled ? v->filled + c / LANES * (v->stride / LANES) + first : NULL;
    for (ptrdiff_t i = 0; i < rows; i++) {
        const vec a = v_mul(v_sub(load_upto(x[i] + c, width, 0), centre), scale);
        v_store(out + i * LANES, a);
        if (filled)
            filled[i] = (uint16_t)(v_bits(v_equal(a, v_set(0))) ^ ((1u << LANES) - 1));
        if (next)
            prefetch((uintptr_t)(next->row[i] + c));
    }
}

/* Level 0 of rows [first, last); asks for those that are `beyond` after, unless that is 0. */
static void load_rows(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last,
                      ptrdiff_t beyond) {
    const ptrdiff_t d = v->size[0];
    for (ptrdiff_t r = first; r < last; r += TILE_ROWS) {
        const ptrdiff_t rows = least(TILE_ROWS, last - r);
        const real *x[TILE_ROWS];
        ahead next;
        if (beyond > 0)
            next = rows_ahead(v, b, r + beyond);
        for (ptrdiff_t i = 0; i < rows; i++)
            x[i] = b->X + row_of(b, r + i) * d;
        ptrdiff_t c = 0;
        for (; c + LANES <= d; c += LANES)
            load_panel(v, b, x, rows, c, LANES, r, beyond > 0 ? &next : NULL);
        if (c < d)
            load_panel(v, b, x, rows, c, d - c, r, beyond > 0 ? &next : NULL);
    }
}

/* Lists the inputs [start, end) that are not 0 in all of rows [first, last); there is room for
 * LANES more. */
static depths list_inputs(const net *v, ptrdiff_t first, ptrdiff_t last, ptrdiff_t start,
                          ptrdiff_t end, ptrdiff_t *used) {
    const ptrdiff_t room = v->stride / LANES;
    ptrdiff_t count = 0;
    for (ptrdiff_t c = start; c < end; c += LANES) {
        const uint16_t *filled = v->filled + c / LANES * room;
        unsigned any = 0;
        for (ptrdiff_t r = first; r < last; r++)
            any |= filled[r];
        if (any == 0)
            continue;
        UNROLL
        for (int i = 0; i < LANES; i++) {
            used[count] = c + i;
            count += any >> i & 1;
        }
    }
    return (depths){used, count};
}

/* For every LISTED_ROWS of LANES inputs from c on, lists the rows [0, rows) in which they are not
 * all 0; asks for their values. */
static void list_rows(const net *v, ptrdiff_t rows, ptrdiff_t c, depths lists[]) {
    const unsigned some = (1u << LISTED_ROWS) - 1;
    const uint16_t *filled = v->filled + c / LANES * (v->stride / LANES);
    const real *values = v->values + c / LANES * v->stride;
    ptrdiff_t *end[LISTED_TILES];
    for (int t = 0; t < LISTED_TILES; t++)
        end[t] = v->used + t * rows;
    for (ptrdiff_t r = 0; r < rows; r++) {
        prefetch((uintptr_t)(values + r * LANES));
        UNROLL
        for (int t = 0; t < LISTED_TILES; t++) {
            *end[t] = r;
            end[t] += (filled[r] & some << t * LISTED_ROWS) != 0;
        }
    }
    for (int t = 0; t < LISTED_TILES; t++)
        lists[t] = (depths){v->used + t * rows, end[t] - (v->used + t * rows)};
}

/* Whether a half of row r's inputs or more are 0. */
static int is_mostly_zero(const batch *b, ptrdiff_t d, ptrdiff_t r) {
    const real *x = b->X + row_of(b, r) * d, *units = b->units;
    ptrdiff_t zeros = 0;
    for (ptrdiff_t c = 0; c < d; c++)
        zeros += (x[c] - units[c]) * units[d + c] == 0;
    return 2 * zeros >= d;
}

/* Sums of rows [first, last) at level 1. */
static void sum_inputs(const net *v, ptrdiff_t first, ptrdiff_t last) {
    const ptrdiff_t d = v->size[0], size = perceptron_depths(d, LANES);
    const ptrdiff_t sample = least(first + LISTED_ROWS, last);
    depths lists[PERCEPTRON_PASS_ROWS];
    ptrdiff_t count = 0;
    for (ptrdiff_t start = 0; v->filled && start < d; start += size)
        count += list_inputs(v, first, sample, start, least(start + size, d), v->used).count;
    if (!v->filled || 4 * count > 3 * d) {
        sum_layer(v, 0, first, last);
        return;
    }
    for (ptrdiff_t start = 0; start < d; start += size) {
        const ptrdiff_t end = least(start + size, d);
        ptrdiff_t *used = v->used;
        for (ptrdiff_t r = first, t = 0; r < last; r += LISTED_ROWS, t++) {
            lists[t] = list_inputs(v, r, least(r + LISTED_ROWS, last), start, end, used);
            used += lists[t].count;
        }
        for (ptrdiff_t j = 0; j < panels_of(v->size[1]); j += LISTED_PANELS) {
            const tile take = sum_listed_tiles[part_of(LISTED_WIDE, 4, v->size[1] - j * LANES)];
            for (ptrdiff_t r = first, t = 0; r < last; r += LISTED_ROWS, t++)
                take(v, 0, j, r, lists[t], start == 0);
        }
    }
}

/* Values of rows [first, last) at all levels; asks for those `beyond` after, unless that is 0. */
static void forward_rows(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last,
                         ptrdiff_t beyond) {
    load_rows(v, b, first, last, beyond);
    sum_inputs(v, first, last);
    forward_sums(v, first, last);
}

#endif
