/* The centre nearest to each of WIDTH rows.
 *
 * The rows are laid across the lanes: a group is transposed (packed once, used for all centres), so
 * that each lane finds its own row's nearest centre. Every (row, centre) product is one chain of
 * FMAs in order of columns.
 *
 * Rejected: centres across the lanes, which needs no packing but a reduction over lanes for every
 * row, and idles 13 lanes of 16 at three clusters. Where rows are long beside the number of
 * centres, packing takes as long as the products, and long_rows.h is used instead.
 */
#ifndef HMLC_NEAREST_H
#define HMLC_NEAREST_H

#include "long_rows.h"

/* Where a vector is one register there are enough for two at a time. */
enum { GROUP = REGS == 1 ? 2 : 1, WIDTH = GROUP * LANES };

/* Stores the first `count` of QUAD transposed columns, less their shifts, into a group. */
INLINE void store_columns(ptrdiff_t count, const vec columns[], const real *shift, real *to) {
    UNROLL for (ptrdiff_t c = 0; c < QUAD; c++) {
        if (c < count)
            v_store(to + c * WIDTH, v_sub(columns[c], v_set(shift[c])));
    }
}

/* Transposes LANES rows' first `whole` columns into a group; the last quad may read past a row's
 * end, into the row after. */
static void pack_rows(const real *X, ptrdiff_t d, ptrdiff_t whole, const real *shift, real *group) {
    vec columns[QUAD];
    ptrdiff_t p = 0;
    for (; p + QUAD <= whole; p += QUAD) {
        v_transpose(X + p, d, columns);
        store_columns(QUAD, columns, shift + p, group + p * WIDTH);
    }
    if (p < whole) {
        v_transpose(X + p, d, columns);
        store_columns(whole - p, columns, shift + p, group + p * WIDTH);
    }
}

/* pack_group for WIDTH rows of two columns. */
INLINE void pack_pairs(const real *X, const real *shift, real *group) {
    UNROLL for (ptrdiff_t v = 0; v < WIDTH; v += LANES) {
        vec even, odd;
        v_unzip(X + 2 * v, &even, &odd);
        v_store(group + v, v_sub(even, v_set(shift[0])));
        v_store(group + WIDTH + v, v_sub(odd, v_set(shift[1])));
    }
}

/* pack_group for rows of any length and number. */
static void pack_any(const real *X, ptrdiff_t left, ptrdiff_t d, const real *shift, real *group) {
    for (ptrdiff_t v = 0; v < WIDTH; v += LANES, X += LANES * d, left -= LANES, group += LANES) {
        const ptrdiff_t can_read = left >= LANES + QUAD ? d : d - d % QUAD;
        const ptrdiff_t whole = left >= LANES ? can_read : 0;
        if (whole > 0)
            pack_rows(X, d, whole, shift, group);
        for (ptrdiff_t p = whole; p < d; p++)
            for (ptrdiff_t r = 0; r < LANES; r++)
                group[p * WIDTH + r] = r < left ? X[r * d + p] - shift[p] : 0;
    }
}

/* group[p * WIDTH + r] = X[r * d + p] - shift[p] for the WIDTH rows at X, of which there are
 * `left`; what is in the lanes of rows past them does not matter. */
INLINE void pack_group(const real *X, ptrdiff_t left, ptrdiff_t d, const real *shift, real *group) {
    if (d == 2 && left >= WIDTH)
        pack_pairs(X, shift, group);
    else
        pack_any(X, left, d, shift, group);
}

/* A tile's accumulators are registers only where its number of rows, at most TILE_ROWS, is a
 * constant. */
#define CONSTANT_CASE(constant, call)                                                              \
    case constant:                                                                                 \
        if (constant <= TILE_ROWS) {                                                               \
            call(constant);                                                                        \
        }                                                                                          \
        break;
#define WITH_CONSTANT(rows, call)                                                                  \
    switch (rows) {                                                                                \
        CONSTANT_CASE(1, call)                                                                     \
        CONSTANT_CASE(2, call)                                                                     \
        CONSTANT_CASE(3, call)                                                                     \
        CONSTANT_CASE(4, call)                                                                     \
        CONSTANT_CASE(5, call)                                                                     \
        CONSTANT_CASE(6, call)                                                                     \
        CONSTANT_CASE(7, call)                                                                     \
        CONSTANT_CASE(8, call)                                                                     \
    }

/* How many of `left` centres the next tile takes: all tiles are nearly equal. */
INLINE ptrdiff_t rows_of_tile(ptrdiff_t left) {
    const ptrdiff_t tiles = (left + TILE_ROWS - 1) / TILE_ROWS;
    return (left + tiles - 1) / tiles;
}

/* to[p * rows + i] = C[i * d + p] */
INLINE void pack_tile(int rows, const real *C, ptrdiff_t d, real *to) {
    for (ptrdiff_t p = 0; p < d; p++, to += rows)
        UNROLL for (int i = 0; i < rows; i++) {
            to[i] = C[i * d + p];
        }
}

/* Packs every tile of the centres, so that nearest_rows reads them in one stream. */
static void pack_tiles(const real *centres, ptrdiff_t k, ptrdiff_t d, real *tiles) {
    for (ptrdiff_t first = 0, rows; first < k; first += rows) {
        rows = rows_of_tile(k - first);
#define PACK(rows) pack_tile(rows, centres + first * d, d, tiles + first * d)
        WITH_CONSTANT(rows, PACK)
    }
}

/* score[i][v] = x.c - |c|^2/2 for a group's rows and `rows` centres, C[i * c_row + p * c_depth];
 * half[i] = -|c|^2/2. */
INLINE void score_tile(int rows, const real *group, ptrdiff_t d, const real *C, ptrdiff_t c_row,
                       ptrdiff_t c_depth, const real *half, vec score[][GROUP]) {
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < GROUP; v++) {
            score[i][v] = v_set(half[i]);
        }
    }
    for (ptrdiff_t p = 0; p < d; p++, C += c_depth, group += WIDTH) {
        vec x[GROUP];
        UNROLL for (int v = 0; v < GROUP; v++) {
            x[v] = v_load(group + v * LANES);
        }
        UNROLL for (int i = 0; i < rows; i++) {
            UNROLL for (int v = 0; v < GROUP; v++) {
                score[i][v] = v_fma(v_set(C[i * c_row]), x[v], score[i][v]);
            }
        }
    }
}

/* Raises best to x.c_j - |c_j|^2/2 for the tile of centres j = first ... first + rows - 1, wherever
 * that is larger, and sets index there: |x - c|^2 = |x|^2 - 2 (x.c - |c|^2/2). Ties stay with the
 * lower j. Neighbours are compared, then the winners of pairs: one after another would wait for
 * each other. */
INLINE void best_tile(int rows, const real *group, ptrdiff_t d, const real *tile, const real *half,
                      ptrdiff_t first, real *best, real *index) {
    vec score[TILE_ROWS][GROUP];
    score_tile(rows, group, d, tile, 1, rows, half + first, score);
    UNROLL for (int v = 0; v < GROUP; v++) {
        vec top[TILE_ROWS], at[TILE_ROWS];
        UNROLL for (int i = 0; i < rows; i++) {
            top[i] = score[i][v];
            at[i] = v_set((real)i);
        }
        UNROLL for (int step = 1; step < rows; step *= 2) {
            UNROLL for (int i = 0; i + step < rows; i += 2 * step) {
                const mask is_nearer = v_less(top[i], top[i + step]);
                top[i] = v_max(top[i], top[i + step]);
                at[i] = v_select(is_nearer, at[i + step], at[i]);
            }
        }
        at[0] = v_add(at[0], v_set((real)first));
        if (first > 0) {
            const vec before = v_load(best + v * LANES);
            const mask is_nearer = v_less(before, top[0]);
            top[0] = v_max(before, top[0]);
            at[0] = v_select(is_nearer, at[0], v_load(index + v * LANES));
        }
        v_store(best + v * LANES, top[0]);
        v_store(index + v * LANES, at[0]);
    }
}

/* Rows so short that a processor reads ahead of them itself, and a block of them stays at hand. */
INLINE int is_short(ptrdiff_t d) {
    return d < 2 * LANES;
}

/* Centres, and what finding the nearest takes; made by new_search. */
typedef struct {
    ptrdiff_t k, d;
    const real *shift; /* d */
    real *group;       /* WIDTH x d: the packed rows */
    real *half;        /* k: -|c|^2 / 2 */
    real *tiles;       /* k x d: packed centres, relative to shift */
    ptrdiff_t n_tiles; /* of which the first `larger` have least + 1 centres, the others `least` */
    ptrdiff_t least, larger;
    ptrdiff_t lines; /* how many cache lines of the next group to ask for with each tile */
    long_rows few;   /* used instead where rows are long */
} search;

/* Takes its arrays from `scratch` on; *rest is what is left of it. */
static search new_search(const real *shift, const real *centres, ptrdiff_t k, ptrdiff_t d,
                         real *scratch, real **rest) {
    search s = {.k = k, .d = d, .shift = shift};
    if (k_means_is_long(k, d)) {
        s.few = new_long_rows(shift, centres, k, d, scratch, rest);
        *rest = aligned(*rest);
        return s;
    }
    s.group = aligned(scratch);
    s.half = s.group + WIDTH * d;
    s.tiles = aligned(s.half + k);
    *rest = aligned(s.tiles + k * d);
    s.n_tiles = (k + TILE_ROWS - 1) / TILE_ROWS;
    s.least = k / s.n_tiles;
    s.larger = k % s.n_tiles;
    const ptrdiff_t lines = WIDTH * d * (ptrdiff_t)sizeof(real) / 64;
    s.lines = is_short(d) ? 0 : (lines + s.n_tiles - 1) / s.n_tiles;
    fill_half(centres, k, d, s.half);
    pack_tiles(centres, k, d, s.tiles);
    return s;
}

/* nearest_rows for long rows. */
static void nearest_long_rows(const long_rows *l, const real *X, ptrdiff_t left, real *index) {
    for (ptrdiff_t r = 0; r < smaller(left, WIDTH); r += LANES) {
        const real *x[LANES], *later[LANES];
        for (ptrdiff_t i = 0; i < LANES; i++) {
            x[i] = X + smaller(r + i, left - 1) * l->d;
            later[i] = X + smaller(r + i + LANES, left - 1) * l->d;
        }
        score_rows(l, x, smaller(left - r, LANES), later);
        vec best;
        v_store(index + r, first_largest(l, &best));
    }
}

/* index[r] = the nearest centre, of equals the first, to row r of the WIDTH at X, of which there
 * are `left`. Rows that are not long are packed into `group`, and the rows after them asked for:
 * while products are made the memory would be idle. */
static void nearest_rows(const search *s, const real *X, ptrdiff_t left, real *group, real *index) {
    if (k_means_is_long(s->k, s->d)) {
        nearest_long_rows(&s->few, X, left, index);
        return;
    }
    real best[WIDTH] = {0};
    pack_group(X, left, s->d, s->shift, group);
    uintptr_t later = (uintptr_t)(X + WIDTH * s->d);
    for (ptrdiff_t t = 0, first = 0, rows; t < s->n_tiles; t++, first += rows) {
        rows = s->least + (t < s->larger); /* as rows_of_tile says, whose divisions take longer */
        for (ptrdiff_t i = 0; i < s->lines; i++, later += 64)
            prefetch(later);
#define BEST(rows)                                                                                 \
    best_tile(rows, group, s->d, s->tiles + first * s->d, s->half, first, best, index)
        WITH_CONSTANT(rows, BEST)
    }
}

/* nearest_of_rows where all `k` centres, a constant, are one tile and nothing need be asked for. */
INLINE void nearest_of_few(int k, const search *s, const real *X, ptrdiff_t rows, ptrdiff_t left,
                           real *group, ptrdiff_t step, real *index) {
    real best[WIDTH];
    for (ptrdiff_t r = 0; r < rows; r += WIDTH) {
        pack_group(X + r * s->d, left - r, s->d, s->shift, group + r * step);
        best_tile(k, group + r * step, s->d, s->tiles, s->half, 0, best, index + r);
    }
}

/* nearest_rows for `rows` of the `left` rows at X, whose groups are `step` reals a row apart. */
static void nearest_of_rows(const search *s, const real *X, ptrdiff_t rows, ptrdiff_t left,
                            real *group, ptrdiff_t step, real *index) {
    if (s->k <= TILE_ROWS && is_short(s->d)) {
#define FEW(k) nearest_of_few(k, s, X, rows, left, group, step, index)
        WITH_CONSTANT(s->k, FEW)
        return;
    }
    for (ptrdiff_t r = 0; r < rows; r += WIDTH)
        nearest_rows(s, X + r * s->d, left - r, group + r * step, index + r);
}

#endif
