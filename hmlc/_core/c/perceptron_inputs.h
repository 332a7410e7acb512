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
        prefetch((uintptr_t)(b->Y + (row + 1) * v->size[v->layers] - 1));
        a.row[i] = b->X + row * v->size[0];
    }
    return a;
}

/* `width` columns from c on of TILE_ROWS rows x, from row `first` of level 0 on: copies them if
 * they must be, says which are not 0, and asks for those of the rows `next`, unless that is NULL.
 */
INLINE void read_columns(const net *v, const batch *b, const real *const x[], ptrdiff_t c,
                         ptrdiff_t width, ptrdiff_t first, const ahead *next) {
    const vec centre = v_load_upto(b->units + c, width, 0);
    const vec scale = v_load_upto(b->units + v->size[0] + c, width, 0);
    const ptrdiff_t row = perceptron_row(v->size[0], LANES);
    uint16_t *filled = v->filled ? v->filled + c / LANES * (v->stride / LANES) + first : NULL;
    for (ptrdiff_t i = 0; i < TILE_ROWS; i++) {
        vec a = v_load_upto(x[i] + c, width, 0);
        if (!v->is_plain) {
            a = v_mul(v_sub(a, centre), scale);
            v_store(v->copies + (first + i) * row + c, a);
        }
        if (filled)
            filled[i] = (uint16_t)(v_bits(v_equal(a, v_set(0))) ^ ((1u << LANES) - 1));
        if (next)
            prefetch((uintptr_t)(next->row[i] + c));
    }
}

/* Level 0 of rows [first, last), the last standing for those that a tile has after it; asks for
 * those that are `beyond` after, unless that is 0. */
static void read_rows(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last,
                      ptrdiff_t beyond) {
    const ptrdiff_t d = v->size[0], row = perceptron_row(d, LANES);
    for (ptrdiff_t r = first; r < last; r += TILE_ROWS) {
        const real *x[TILE_ROWS];
        ahead next;
        if (beyond > 0)
            next = rows_ahead(v, b, r + beyond);
        for (ptrdiff_t i = 0; i < TILE_ROWS; i++) {
            x[i] = b->X + row_of(b, least(r + i, last - 1)) * d;
            v->inputs[r + i] = v->is_plain ? x[i] : v->copies + (r + i) * row;
        }
        if (v->is_plain && !v->filled)
            continue;
        ptrdiff_t c = 0;
        for (; c + LANES <= d; c += LANES)
            read_columns(v, b, x, c, LANES, r, beyond > 0 ? &next : NULL);
        if (c < d)
            read_columns(v, b, x, c, d - c, r, beyond > 0 ? &next : NULL);
    }
}

/* The places of the bits that are set in four, and how many they are. */
static const uint16_t bit_places[16][4] = {
    {0}, {0},    {1},    {0, 1},    {2},    {0, 2},    {1, 2},    {0, 1, 2},
    {3}, {0, 3}, {1, 3}, {0, 1, 3}, {2, 3}, {0, 2, 3}, {1, 2, 3}, {0, 1, 2, 3}};
static const uint8_t bit_counts[16] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};

/* Lists the inputs [start, end), at most PERCEPTRON_DEPTHS and a panel, that are not 0 in all of
 * LISTED_ROWS rows from r on; there is room for 4 more. Four places are made at once, in as many
 * parts of a number. */
static depths list_inputs(const net *v, ptrdiff_t r, ptrdiff_t start, ptrdiff_t end,
                          uint16_t *used) {
    const uint64_t each = 0x0001000100010001;
    const ptrdiff_t room = v->stride / LANES;
    const uint16_t *filled = v->filled + start / LANES * room + r;
    uint64_t first = 0;
    ptrdiff_t count = 0;
    for (ptrdiff_t c = start; c < end; c += LANES, filled += room) {
        unsigned any = 0;
        UNROLL
        for (int i = 0; i < LISTED_ROWS; i++)
            any |= filled[i];
        UNROLL
        for (int shift = 0; shift < LANES; shift += 4, first += 4 * each) {
            const unsigned bits = any >> shift & 15;
            uint64_t places;
            memcpy(&places, bit_places[bits], sizeof places);
            places += first;
            memcpy(used + count, &places, sizeof places);
            count += bit_counts[bits];
        }
    }
    return (depths){used, start, count};
}

/* Makes a panel of the LANES inputs from c on of the rows [0, rows). */
static void pack_inputs(const net *v, ptrdiff_t rows, ptrdiff_t c) {
    const ptrdiff_t width = least(LANES, v->size[0] - c);
    for (ptrdiff_t r = 0; r < rows; r++)
        v_store(v->packed + r * LANES, v_load_upto(v->inputs[r] + c, width, 0));
}

/* The rows of a list. */
typedef struct {
    const uint32_t *used;
    ptrdiff_t count;
} some_rows;

/* For every LISTED_ROWS of LANES inputs from c on, lists the rows [0, rows) in which they are not
 * all 0; asks for their values. */
static void list_rows(const net *v, ptrdiff_t rows, ptrdiff_t c, some_rows lists[]) {
    const unsigned some = (1u << LISTED_ROWS) - 1;
    const uint16_t *filled = v->filled + c / LANES * (v->stride / LANES);
    uint32_t *used = v->used, *end[LISTED_TILES];
    for (int t = 0; t < LISTED_TILES; t++)
        end[t] = used + t * rows;
    for (ptrdiff_t r = 0; r < rows; r++) {
        prefetch((uintptr_t)(v->inputs[r] + c));
        UNROLL
        for (int t = 0; t < LISTED_TILES; t++) {
            *end[t] = (uint32_t)r;
            end[t] += (filled[r] & some << t * LISTED_ROWS) != 0;
        }
    }
    for (int t = 0; t < LISTED_TILES; t++)
        lists[t] = (some_rows){used + t * rows, end[t] - (used + t * rows)};
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
    depths lists[PERCEPTRON_PASS_ROWS];
    ptrdiff_t count = 0;
    for (ptrdiff_t start = 0; v->filled && start < d; start += size)
        count += list_inputs(v, first, start, least(start + size, d), v->used).count;
    if (!v->filled || 4 * count > 3 * d) {
        sum_layer(v, 0, first, last);
        return;
    }
    for (ptrdiff_t start = 0; start < d; start += size) {
        const ptrdiff_t end = least(start + size, d);
        uint16_t *used = v->used;
        for (ptrdiff_t r = first, t = 0; r < last; r += LISTED_ROWS, t++) {
            lists[t] = list_inputs(v, r, start, end, used);
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
    read_rows(v, b, first, last, beyond);
    sum_inputs(v, first, last);
    forward_sums(v, first, last);
}

#endif
