/* X W^T + b: rows of X times rows of W. */
#ifndef HMLC_AFFINE_H
#define HMLC_AFFINE_H

#include "tile.h"

#include "dispatch.h"

/* out = X W^T + b for `rows` rows of X and one panel of `width` rows of W. */
INLINE void affine_tile(int rows, const real *X, ptrdiff_t d, const real *panel, const real *b,
                        ptrdiff_t t, ptrdiff_t width, real *out) {
    vec acc[TILE_ROWS];
    for (int r = 0; r < rows; r++)
        acc[r] = v_set(0);
    tile_fma(rows, X, d, 1, panel, d, acc);
    for (int r = 0; r < rows; r++) {
        if (width >= LANES)
            v_store(out + r * t, v_add(acc[r], v_load(b)));
        else
            v_store_part(out + r * t, width, v_add(acc[r], v_load_part(b, width, 0)));
    }
}

/* out = X W^T + b for LANES rows of X, one a lane, and `count` <= 4 rows of W. */
INLINE void affine_lanes(int count, const real *X, ptrdiff_t d, const real *W, const real *b,
                         ptrdiff_t t, real *out) {
    vec acc[4], columns[QUAD];
    UNROLL for (int j = 0; j < count; j++) acc[j] = v_set(0);
    ptrdiff_t p = 0;
    for (; p + QUAD <= d; p += QUAD) {
        v_transpose(X + p, d, columns);
        UNROLL for (int q = 0; q < QUAD; q++) UNROLL for (int j = 0; j < count; j++) acc[j] =
            v_fma(columns[q], v_set(W[j * d + p + q]), acc[j]);
    }
    for (; p < d; p++) {
        columns[0] = v_load_column(X + p, d);
        UNROLL for (int j = 0; j < count; j++) acc[j] =
            v_fma(columns[0], v_set(W[j * d + p]), acc[j]);
    }
    UNROLL for (int j = 0; j < count; j++) {
        real lanes[LANES];
        v_store(lanes, v_add(acc[j], v_set(b[j])));
        for (ptrdiff_t r = 0; r < LANES; r++)
            out[r * t + j] = lanes[r];
    }
}

/* Few targets would leave most lanes of a panel idle: there lanes are rows. */
static void affine_narrow(const real *X, ptrdiff_t d, const real *W, const real *b, ptrdiff_t t,
                          real *out) {
    ptrdiff_t j = 0;
    for (; j + 4 <= t; j += 4)
        affine_lanes(4, X, d, W + j * d, b + j, t, out + j);
    switch (t - j) {
    case 3:
        affine_lanes(3, X, d, W + j * d, b + j, t, out + j);
        break;
    case 2:
        affine_lanes(2, X, d, W + j * d, b + j, t, out + j);
        break;
    case 1:
        affine_lanes(1, X, d, W + j * d, b + j, t, out + j);
        break;
    }
}

static void affine_row(const real *x, ptrdiff_t d, const real *W, const real *b, ptrdiff_t t,
                       real *out) {
    row_product(x, W, t, d, NULL, out);
    for (ptrdiff_t j = 0; j < t; j++)
        out[j] += b[j];
}

/* Whether rows for so many targets are long enough to lie along the lanes; hmlc/_export/c_models.py
 * asks the same question. */
INLINE int is_dot(ptrdiff_t t, ptrdiff_t d) {
    return t == 1 && d >= 2 * LANES;
}

/* Rows whose sums run side by side, for one alone would wait for each of its additions; and how far
 * ahead rows are asked for, which a processor's own guess does too late. */
enum { DOT_ROWS = REGS == 1 ? 8 : 4, DOT_AHEAD = 4096 };

/* x . w + b, w_rest being the columns past the last whole vector. */
INLINE real affine_dot(const real *x, ptrdiff_t d, const real *w, vec w_rest, real b) {
    vec sum = v_set(0);
    ptrdiff_t j = 0;
    for (; j + LANES <= d; j += LANES)
        sum = v_fma(v_load(x + j), v_load(w + j), sum);
    if (j < d)
        sum = v_fma(v_load_part(x + j, d - j, 0), w_rest, sum);
    return v_sum(sum) + b;
}

/* sum[i] += w_rest times the few numbers at left[i], which take so many registers. */
INLINE void add_rest(int regs, const real *const left[], mask rest, vec w_rest, vec sum[]) {
    UNROLL for (int i = 0; i < DOT_ROWS; i++) {
        const vec x = v_select(rest, v_load_first(regs, left[i]), v_set(0));
        sum[i] = v_fma_first(regs, x, w_rest, sum[i]);
    }
}

/* out = X w + b for LANES rows. `last` is where the last row's columns past the last whole vector
 * are, for they may be the end of X. */
INLINE void affine_dots(const real *X, ptrdiff_t d, const real *w, vec w_rest, const real *last,
                        real b, real *out) {
    const ptrdiff_t whole = d / LANES * LANES;
    const mask rest = v_first(d - whole);
    real sums[LANES * FOLDED];
    for (ptrdiff_t r = 0; r < LANES; r += DOT_ROWS) {
        const real *x = X + r * d;
        vec sum[DOT_ROWS];
        UNROLL for (int i = 0; i < DOT_ROWS; i++) {
            sum[i] = v_set(0);
        }
        for (ptrdiff_t j = 0; j < whole; j += LANES) {
            const vec weights = v_load(w + j);
            UNROLL for (int i = 0; i < DOT_ROWS; i++) {
                prefetch((uintptr_t)(x + j * DOT_ROWS + i * LANES) + DOT_AHEAD);
                sum[i] = v_fma(v_load(x + i * d + j), weights, sum[i]);
            }
        }
        prefetch((uintptr_t)(x + whole * DOT_ROWS) + DOT_AHEAD);
        const real *left[DOT_ROWS];
        UNROLL for (int i = 0; i < DOT_ROWS; i++) {
            left[i] = r + i + 1 < LANES ? x + i * d + whole : last;
        }
        if (d - whole > HALF * REG_LANES)
            add_rest(REGS, left, rest, w_rest, sum);
        else if (whole < d)
            add_rest(HALF, left, rest, w_rest, sum);
        UNROLL for (int i = 0; i < DOT_ROWS; i++) {
            v_store_folded(sums + (r + i) * FOLDED, sum[i]);
        }
    }
    v_store(out, v_add(v_sum_rows(sums, FOLDED), v_set(b)));
}

/* One target. */
static void affine_long(const real *X, ptrdiff_t n, ptrdiff_t d, const real *w, real b, real *out) {
    const ptrdiff_t whole = d / LANES * LANES;
    const vec w_rest = v_load_part(w + whole, d - whole, 0);
    real end[LANES];
    ptrdiff_t r = 0;
    for (; r + LANES <= n; r += LANES) {
        const real *last = X + (r + LANES - 1) * d + whole;
        if (r + LANES == n) {
            v_store(end, v_load_part(last, d - whole, 0));
            last = end;
        }
        affine_dots(X + r * d, d, w, w_rest, last, b, out + r);
    }
    for (; r < n; r++)
        out[r] = affine_dot(X + r * d, d, w, w_rest, b);
}

/* Rows of X that stay in cache while the panels of W pass by. */
enum { AFFINE_ROWS = 64 };

/* out = X W^T + b.
 *   X n x d; W t x d; b t; out n x t; scratch d * (t + LANES), for W's panels; HMLC_FEW_ROWS rows
 *   need none.
 * Sums in order of depth, by FMA, then b; of one target and d >= 2 LANES by LANES interleaved sums,
 * which the tree of v_sum adds. */
static void affine(const real *X, ptrdiff_t n, ptrdiff_t d, const real *W, const real *b,
                   ptrdiff_t t, real *out, real *scratch) {
    if (is_dot(t, d)) {
        affine_long(X, n, d, W, b[0] + 0, out); /* no b of -0: sums of 0 may differ in sign */
        return;
    }
    ptrdiff_t r = 0;
    for (; t <= LANES / 2 && r + LANES <= n; r += LANES)
        affine_narrow(X + r * d, d, W, b, t, out + r * t);
    for (; (t <= LANES / 2 || n <= HMLC_FEW_ROWS) && r < n; r++)
        affine_row(X + r * d, d, W, b, t, out + r * t);
    if (r == n)
        return;
    for (ptrdiff_t c = 0; c < t; c += LANES)
        pack_panel(W, 1, d, d, c, t, scratch + c * d);
    for (ptrdiff_t first = 0; first < n; first += AFFINE_ROWS) {
        const ptrdiff_t last = n - first < AFFINE_ROWS ? n : first + AFFINE_ROWS;
        for (ptrdiff_t c = 0; c < t; c += LANES) {
            const real *panel = scratch + c * d;
            ptrdiff_t i = first;
            for (; i + TILE_ROWS <= last; i += TILE_ROWS)
                affine_tile(TILE_ROWS, X + i * d, d, panel, b + c, t, t - c, out + i * t + c);
            for (; i < last; i++)
                affine_tile(1, X + i * d, d, panel, b + c, t, t - c, out + i * t + c);
        }
    }
}

#endif
