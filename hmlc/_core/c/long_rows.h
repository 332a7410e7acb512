/* Scores of long rows for few centres: x.c - |c|^2/2, whose largest is that of the nearest centre.
 *
 * Columns lie across the lanes: every product is LANES interleaved sums, added by the tree of v_sum
 * at the end. A row of hundreds of columns is long enough to pay for that, and need not be
 * transposed, which for ten centres takes as long as the products.
 */
#ifndef HMLC_LONG_ROWS_H
#define HMLC_LONG_ROWS_H

#include "tile.h"

/* Rows and centres of a register tile. */
#if defined(__AVX512F__)
enum { LONG_ROWS = 4, LONG_CENTRES = 5 };
#else
enum { LONG_ROWS = 2, LONG_CENTRES = 2 };
#endif

INLINE real *aligned(real *p) {
    return (real *)(((uintptr_t)p + 63) / 64 * 64);
}

INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}

/* Whether a problem is one of long rows: then all kernels score so, that their labels be the same.
 * (_lloyd.py asks the same question.) */
INLINE int is_long(ptrdiff_t k, ptrdiff_t d) {
    return d >= 128 && d >= 16 * k;
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

/* LONG_ROWS rows and all centres, filled up with zeros to `depth` columns and `width` > k centres.
 */
typedef struct {
    ptrdiff_t k, d, depth, width;
    const real *shift;
    real *half;    /* width: -|c|^2 / 2, zeros past k */
    real *centres; /* k x depth */
    real *rows;    /* LONG_ROWS x depth: x - shift */
    real *sums;    /* LONG_ROWS x width x LANES */
    real *scores;  /* LONG_ROWS x width: of a row x.c - |c|^2 / 2, then |x|^2 at k */
} long_rows;

/* Takes its arrays from `scratch` on; *rest is what is left of it. */
static long_rows new_long_rows(const real *shift, const real *centres, ptrdiff_t k, ptrdiff_t d,
                               real *scratch, real **rest) {
    long_rows l = {.k = k, .d = d, .shift = shift};
    l.depth = panels_of(d) * LANES;
    l.width = panels_of(k + 1) * LANES;
    l.half = aligned(scratch);
    l.centres = l.half + l.width;
    l.rows = l.centres + k * l.depth;
    l.sums = l.rows + LONG_ROWS * l.depth;
    l.scores = l.sums + LONG_ROWS * l.width * LANES;
    *rest = l.scores + LONG_ROWS * l.width;
    memset(l.half, 0, (size_t)(*rest - l.half) * sizeof(real));
    fill_half(centres, k, d, l.half);
    for (ptrdiff_t j = 0; j < k; j++)
        memcpy(l.centres + j * l.depth, centres + j * d, (size_t)d * sizeof(real));
    return l;
}

/* The interleaved sums of all rows' products with `count` centres, `first` and after. The first
 * tile `takes` the rows: makes them x - shift, sums their squares, and asks for the rows at
 * `later`, for while products are made the memory would be idle otherwise. */
INLINE void product_tile(int count, int takes, const long_rows *l, ptrdiff_t first,
                         const real *const X[], const real *const later[]) {
    const ptrdiff_t whole = l->d - l->d % LANES;
    vec sum[LONG_CENTRES][LONG_ROWS], square[LONG_ROWS];
    UNROLL for (int i = 0; i < LONG_ROWS; i++) {
        square[i] = v_set(0);
        UNROLL for (int j = 0; j < count; j++) {
            sum[j][i] = v_set(0);
        }
        for (ptrdiff_t p = whole; takes && p < l->d; p++)
            l->rows[i * l->depth + p] = X[i][p] - l->shift[p];
    }
    const real *c = l->centres + first * l->depth;
    real *row = l->rows;
    for (ptrdiff_t p = 0; p < l->depth; p += LANES, c += LANES, row += LANES) {
        vec x[LONG_ROWS];
        UNROLL for (int i = 0; i < LONG_ROWS; i++) {
            if (takes && p < whole) {
                prefetch((uintptr_t)(later[i] + p));
                x[i] = v_sub(v_load(X[i] + p), v_load(l->shift + p));
                v_store(row + i * l->depth, x[i]);
            } else
                x[i] = v_load(row + i * l->depth);
            if (takes)
                square[i] = v_fma(x[i], x[i], square[i]);
        }
        UNROLL for (int j = 0; j < count; j++) {
            const vec centre = v_load(c + j * l->depth);
            UNROLL for (int i = 0; i < LONG_ROWS; i++) {
                sum[j][i] = v_fma(centre, x[i], sum[j][i]);
            }
        }
    }
    UNROLL for (int i = 0; i < LONG_ROWS; i++) {
        real *sums = l->sums + i * l->width * LANES;
        UNROLL for (int j = 0; j < count; j++) {
            v_store(sums + (first + j) * LANES, sum[j][i]);
        }
        if (takes)
            v_store(sums + l->k * LANES, square[i]);
    }
}

/* Lane i is v_sum of the i-th of LANES vectors. */
INLINE vec sum_each(const real *vectors) {
    vec column[LANES];
    UNROLL for (int c = 0; c < LANES; c += QUAD) {
        v_transpose(vectors + c, LANES, column + c);
    }
    UNROLL for (int half = LANES / 2; half > 0; half /= 2) {
        UNROLL for (int c = 0; c < half; c++) {
            column[c] = v_add(column[c], column[c + half]);
        }
    }
    return column[0];
}

/* Fills the scores of the rows at X, which are LONG_ROWS, and asks for those at `later`. */
static void score_rows(const long_rows *l, const real *const X[], const real *const later[]) {
    const ptrdiff_t tiles = (l->k + LONG_CENTRES - 1) / LONG_CENTRES;
#define LONG_CASE(count)                                                                           \
    case count:                                                                                    \
        if (count <= LONG_CENTRES && t == 0) {                                                     \
            product_tile(count, 1, l, first, X, later);                                            \
        } else if (count <= LONG_CENTRES) {                                                        \
            product_tile(count, 0, l, first, X, later);                                            \
        }                                                                                          \
        break;
    for (ptrdiff_t t = 0; t < tiles; t++) {
        const ptrdiff_t first = l->k * t / tiles;
        switch (l->k * (t + 1) / tiles - first) {
            LONG_CASE(1)
            LONG_CASE(2)
            LONG_CASE(3)
            LONG_CASE(4)
            LONG_CASE(5)
        }
    }
    for (ptrdiff_t i = 0; i < LONG_ROWS; i++)
        for (ptrdiff_t j = 0; j < l->width; j += LANES) {
            const ptrdiff_t at = i * l->width + j;
            v_store(l->scores + at, v_add(sum_each(l->sums + at * LANES), v_load(l->half + j)));
        }
}

/* The first of the largest of row i's scores. */
INLINE int32_t first_largest(const long_rows *l, ptrdiff_t i) {
    const real *scores = l->scores + i * l->width;
    real best = -(real)INFINITY;
    int32_t index = 0;
    for (ptrdiff_t j = 0; j < l->k; j++)
        if (best < scores[j]) {
            best = scores[j];
            index = (int32_t)j;
        }
    return index;
}

#endif
