/* Scores of long rows for few centres: x.c - |c|^2/2, whose largest is that of the nearest centre.
 *
 * Columns lie across the lanes: every product is LANES interleaved sums, added by the tree of v_sum
 * at the end. A row of hundreds of columns is long enough to pay for that, and need not be
 * transposed, which for ten centres takes as long as the products.
 *
 * A pass over the columns takes but one register of each vector, for so many products as keep the
 * processor busy have sums of one register only; and half of the centres' registers stay in the
 * nearest cache, where all would not. Registers of a kind therefore lie together.
 */
#ifndef HMLC_LONG_ROWS_H
#define HMLC_LONG_ROWS_H

#include "tile.h"

#include "k_means.h"

/* Rows and centres of a register tile, and how many later rows it asks for. */
#if defined(__AVX512F__)
enum { LONG_ROWS = 4, LONG_CENTRES = 5, LONG_ASKS = 4 };
#else
enum { LONG_ROWS = 2, LONG_CENTRES = 5, LONG_ASKS = 1 };
#endif

/* How much of the centres' registers is to stay in the nearest cache, beside the rows. */
enum { LONG_BYTES = 16384 };

INLINE real *aligned(real *p) {
    return (real *)(((uintptr_t)p + 63) / 64 * 64);
}

INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}

/* half[j] = -|c_j|^2 / 2 of `count` centres, a constant: eight sums do not wait for each other. */
INLINE void fill_some(int count, const real *centres, ptrdiff_t d, real *half) {
    real square[8] = {0};
    for (ptrdiff_t p = 0; p < d; p++)
        UNROLL for (int j = 0; j < count; j++) {
            square[j] = r_fma(centres[j * d + p], centres[j * d + p], square[j]);
        }
    for (int j = 0; j < count; j++)
        half[j] = -square[j] / 2;
}

static void fill_half(const real *centres, ptrdiff_t k, ptrdiff_t d, real *half) {
    for (ptrdiff_t j = 0; k >= 8 && j < k; j += 8) {
        const ptrdiff_t first = smaller(j, k - 8);
        fill_some(8, centres + first * d, d, half + first);
    }
    for (ptrdiff_t j = 0; k < 8 && j < k; j++)
        fill_some(1, centres + j * d, d, half + j);
}

/* LANES rows and all centres, filled up with zeros to `steps` vectors. These are gone through in
 * `parts`, with all centres in so many `tiles`. */
typedef struct {
    ptrdiff_t k, d, steps, parts, tiles;
    const real *shift;
    real *half;    /* k + 1: -|c|^2 / 2, and 0 */
    real *centres; /* REGS x k x steps x REG_LANES */
    real *rest;    /* LANES x LANES: x - shift of the columns that no whole vector has, and zeros */
    real *partial; /* (k + 1) x LANES x REG_LANES: sums to which more is to come */
    real *sums;    /* (k + 1) x LANES x FOLDED */
    real *scores;  /* (k + 1) x LANES: x.c - |c|^2 / 2, then |x|^2 */
} long_rows;

/* Where register i of centre j's vectors begins. */
INLINE real *centre_registers(const long_rows *l, ptrdiff_t i, ptrdiff_t j) {
    return l->centres + (i * l->k + j) * l->steps * REG_LANES;
}

/* Takes its arrays from `scratch` on; *rest is what is left of it. */
static long_rows new_long_rows(const real *shift, const real *centres, ptrdiff_t k, ptrdiff_t d,
                               real *scratch, real **rest) {
    long_rows l = {.k = k, .d = d, .steps = panels_of(d), .shift = shift};
    l.centres = aligned(scratch);
    l.rest = l.centres + k * l.steps * LANES;
    l.partial = l.rest + LANES * LANES;
    l.sums = l.partial + (k + 1) * LANES * REG_LANES;
    l.tiles = (k + LONG_CENTRES - 1) / LONG_CENTRES;
    l.parts = 1 + k * l.steps * REG_LANES * (ptrdiff_t)sizeof(real) / LONG_BYTES;
    l.scores = l.sums + (k + 1) * LANES * FOLDED;
    l.half = l.scores + (k + 1) * LANES;
    *rest = l.half + k + 1;
    memset(l.centres, 0, (size_t)(*rest - l.centres) * sizeof(real));
    fill_half(centres, k, d, l.half);
    for (ptrdiff_t j = 0; j < k; j++)
        for (ptrdiff_t p = 0; p < d; p += REG_LANES) {
            real *to = centre_registers(&l, p / REG_LANES % REGS, j);
            memcpy(to + p / LANES * REG_LANES, centres + j * d + p,
                   (size_t)smaller(d - p, REG_LANES) * sizeof(real));
        }
    return l;
}

/* Stores register i of a vector as v_store_folded does, if those before it were stored so. */
INLINE void store_folded(real *p, ptrdiff_t i, REG a) {
    const int half = REGS == 1 ? 1 : REGS / 2;
    p += i % half * REG_LANES;
    STORE(p, i < half ? a : ADD(LOAD(p), a));
}

/* Adds the products of LONG_ROWS registers x with those of `count` centres, `size` apart, and
 * with_squares after them those with themselves. */
INLINE void product_step(int count, int with_squares, const REG x[], const real *c, ptrdiff_t size,
                         REG sum[][LONG_ROWS]) {
    UNROLL for (int j = 0; j < count; j++) {
        REG centre = LOAD(c + j * size);
        HOLD(centre);
        UNROLL for (int a = 0; a < LONG_ROWS; a++) {
            sum[j][a] = FMA(centre, x[a], sum[j][a]);
        }
    }
    UNROLL for (int a = 0; with_squares && a < LONG_ROWS; a++) {
        sum[count][a] = FMA(x[a], x[a], sum[count][a]);
    }
}

/* What a tile multiplies of LONG_ROWS rows: register i of their vectors from `start` up to `end`.
 */
typedef struct {
    const real *const *X, *const *later; /* the rows, and those that come after them */
    ptrdiff_t r;                         /* where the rows' sums lie */
    ptrdiff_t i, start, end;
} strip;

/* A strip's products with `count` centres, `first` and after; with_squares those of the rows with
 * themselves. Meanwhile it asks for the share of tile t of later rows, a little at every step: many
 * requests at once would hold up the loads. */
INLINE void product_tile(int count, int with_squares, const long_rows *l, strip of, ptrdiff_t t,
                         ptrdiff_t first) {
    const ptrdiff_t whole = smaller(of.end, l->d / LANES), size = l->steps * REG_LANES;
    const ptrdiff_t pace = LANES / l->tiles;
    REG sum[LONG_CENTRES + 1][LONG_ROWS], x[LONG_ROWS];
    real *partial[LONG_CENTRES + 1];
    const real *from[LONG_ROWS], *later[LONG_ASKS], *shift = l->shift + of.i * REG_LANES;
    const real *c = centre_registers(l, of.i, first) + of.start * REG_LANES;
    UNROLL for (int a = 0; a < LONG_ASKS; a++) {
        later[a] = of.later[(of.i * LONG_ASKS + a) % LONG_ROWS] + t * pace * l->steps;
    }
    UNROLL for (int j = 0; j < count + with_squares; j++) {
        partial[j] = l->partial + ((j < count ? first + j : l->k) * LANES + of.r) * REG_LANES;
    }
    UNROLL for (int a = 0; a < LONG_ROWS; a++) {
        from[a] = of.X[a] + of.i * REG_LANES;
        UNROLL for (int j = 0; j < count + with_squares; j++) {
            sum[j][a] = of.start == 0 ? SET1(0) : LOAD(partial[j] + a * REG_LANES);
        }
    }
    for (ptrdiff_t s = of.start; s < whole; s++, c += REG_LANES) {
        REG middle = LOAD(shift + s * LANES);
        HOLD(middle);
        UNROLL for (int a = 0; a < LONG_ROWS; a++) {
            x[a] = SUB(LOAD(from[a] + s * LANES), middle);
        }
        UNROLL for (int a = 0; a < LONG_ASKS; a++) {
            prefetch((uintptr_t)(later[a] + s * pace));
        }
        product_step(count, with_squares, x, c, size, sum);
    }
    if (whole < of.end) {
        UNROLL for (int a = 0; a < LONG_ROWS; a++) {
            x[a] = LOAD(l->rest + (of.r + a) * LANES + of.i * REG_LANES);
        }
        product_step(count, with_squares, x, c, size, sum);
    }
    UNROLL for (int j = 0; j < count + with_squares; j++) {
        real *folded = l->sums + ((j < count ? first + j : l->k) * LANES + of.r) * FOLDED;
        UNROLL for (int a = 0; a < LONG_ROWS; a++) {
            if (of.end == l->steps)
                store_folded(folded + a * FOLDED, of.i, sum[j][a]);
            else
                STORE(partial[j] + a * REG_LANES, sum[j][a]);
        }
    }
}

/* Shifts the columns of `rows` rows that no whole vector has. */
static void take_rest(const long_rows *l, const real *const X[], ptrdiff_t rows) {
    const ptrdiff_t whole = l->d / LANES * LANES;
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t p = whole; p < l->d; p++)
            l->rest[r * LANES + p - whole] = X[r][p] - l->shift[p];
}

/* A strip's tiles with all centres. */
static void product_tiles(const long_rows *l, strip of) {
#define LONG_CASE(count)                                                                           \
    case count:                                                                                    \
        if (t == 0)                                                                                \
            product_tile(count, 1, l, of, t, first);                                               \
        else                                                                                       \
            product_tile(count, 0, l, of, t, first);                                               \
        break;
    for (ptrdiff_t t = 0, first = 0; t < l->tiles; t++) {
        const ptrdiff_t end = l->k * (t + 1) / l->tiles;
        switch (end - first) {
            LONG_CASE(1)
            LONG_CASE(2)
            LONG_CASE(3)
            LONG_CASE(4)
            LONG_CASE(5)
        }
        first = end;
    }
}

/* Fills the scores of the `rows` rows at X, which are LANES pointers, and asks for those at
 * `later`, for while products are made the memory would be idle otherwise. */
static void score_rows(const long_rows *l, const real *const X[], ptrdiff_t rows,
                       const real *const later[]) {
    take_rest(l, X, rows);
    for (ptrdiff_t i = 0; i < REGS; i++)
        for (ptrdiff_t t = 0; t < l->parts; t++) {
            const ptrdiff_t start = l->steps * t / l->parts, end = l->steps * (t + 1) / l->parts;
            for (ptrdiff_t r = 0; r < rows; r += LONG_ROWS)
                product_tiles(l, (strip){X + r, later + r, r, i, start, end});
        }
    for (ptrdiff_t j = 0; j <= l->k; j++)
        v_store(l->scores + j * LANES,
                v_add(v_sum_rows(l->sums + j * LANES * FOLDED, FOLDED), v_set(l->half[j])));
}

/* The first of the largest of each row's scores; *best is that score. */
INLINE vec first_largest(const long_rows *l, vec *best) {
    vec index = v_set(0);
    *best = v_set(-(real)INFINITY);
    for (ptrdiff_t j = 0; j < l->k; j++) {
        const vec score = v_load(l->scores + j * LANES);
        const mask is_larger = v_less(*best, score);
        *best = v_select(is_larger, score, *best);
        index = v_select(is_larger, v_set((real)j), index);
    }
    return index;
}

#endif
