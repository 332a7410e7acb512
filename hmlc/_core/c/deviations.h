/* Rows of the joined columns [X | Y] less an origin, packed for a product with themselves. */
#ifndef HMLC_DEVIATIONS_H
#define HMLC_DEVIATIONS_H

#include "tile.h"

#include "dispatch.h"

/* A block of rows of the joined columns [X | Y], less the origin, times the weights' roots, and
 * packed: column j of row p is lane j % LANES of vector p of panel j / LANES; the lanes past the
 * last column are 0. */
typedef struct {
    const real *X, *Y;
    ptrdiff_t rows, d, t;
    ptrdiff_t stop; /* columns that are wanted */
    const real *roots;
    ptrdiff_t step; /* from a row's root to the next one's */
    real *origin, *sums, *panels;
    ptrdiff_t pace;          /* see pace_of */
    ptrdiff_t before, after; /* rows of the same block, whose products are summed with these */
} block;

/* Two or three panels are packed and multiplied a strip of rows at a time, for a block of them
 * would not stay in the first cache. */
enum { STRIP_ROWS = 64, STRIPPED = 3 };

/* A vector more than the rows, or all panels would compete for the same lines of the cache. */
enum { PANEL = (HMLC_BLOCK_ROWS + 1) * LANES };

INLINE ptrdiff_t min_of(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}

INLINE ptrdiff_t max_of(ptrdiff_t a, ptrdiff_t b) {
    return a > b ? a : b;
}

INLINE real *panel_at(const block *b, ptrdiff_t column) {
    return b->panels + (size_t)column / LANES * PANEL;
}

/* Where the products for row i of S wait for the block's next strip: in the rest of the panel. */
INLINE real *held_at(const block *b, ptrdiff_t i, ptrdiff_t column) {
    return panel_at(b, column) + (STRIP_ROWS + i) * LANES;
}

/* Y's columns as they are, into the lanes of panel c that X's leave. */
static void lay_y(const block *b, ptrdiff_t c) {
    for (ptrdiff_t j = max_of(c, b->d); j < min_of(c + LANES, b->stop); j++) {
        const ptrdiff_t rows = b->rows, t = b->t;
        const real *y = b->Y + (j - b->d);
        real *lane = panel_at(b, c) + j % LANES;
        for (ptrdiff_t p = 0; p < rows; p++)
            lane[p * LANES] = y[p * t];
    }
}

/* Where a panel's columns come from: from X, from the panel itself, where Y's lie already and zeros
 * after them, or from both. */
enum { FROM_X, FROM_PANEL, FROM_BOTH };

/* A row of a panel becomes its columns' deviations from an origin times the row's root, which may
 * be known to be 1; sum += those times the root. x is X's row, from the panel's first column on. */
INLINE void pack_row(int source, int is_one, const real *x, vec origin, real root, mask inside,
                     real *panel, vec *sum) {
    vec z = v_load(source == FROM_X ? x : panel);
    if (source == FROM_BOTH)
        z = v_select(inside, v_load(x), z);
    z = v_sub(z, origin);
    if (!is_one)
        z = v_mul(z, v_set(root));
    v_store(panel, z);
    *sum = is_one ? v_add(*sum, z) : v_fma(z, v_set(root), *sum);
}

/* Packs the columns [c, c + LANES), and sums each over the rows times their roots, which makes
 * weights of them: four sums of every fourth row, the last rows in the first, then a tree. A vector
 * of X runs into the next rows; where those are not the block's, it is copied first. The
 * next panel's columns are asked for meanwhile. */
INLINE void pack_columns(const block *b, int source, int is_one, ptrdiff_t c) {
    const ptrdiff_t rows = b->rows, d = b->d, step = b->step, over = c + LANES - 1;
    const ptrdiff_t whole = source == FROM_BOTH ? max_of(rows - over / d, 0) : rows;
    const real *x = b->X + c, *root = b->roots;
    const mask inside = v_first(d - c);
    const vec origin = v_load(b->origin + c);
    real *panel = panel_at(b, c);
    vec sum[4] = {v_set(0), v_set(0), v_set(0), v_set(0)};
    ptrdiff_t p = 0;
    for (; p + 4 <= whole; p += 4, x += 4 * d, root += 4 * step, panel += 4 * LANES) {
        for (int k = 0; k < 4; k++)
            prefetch((uintptr_t)x + (uintptr_t)(k * d + LANES) * sizeof(real));
        UNROLL
        for (int k = 0; k < 4; k++)
            pack_row(source, is_one, x + k * d, origin, root[k * step], inside, panel + k * LANES,
                     sum + k);
    }
    for (; p < rows; p++, x += d, root += step, panel += LANES) {
        real last[LANES];
        if (source != FROM_PANEL)
            v_store(last, v_load_part(x, min_of(d - c, LANES), 0));
        pack_row(source, is_one, last, origin, *root, inside, panel, sum);
    }
    v_store(b->sums + c, v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])));
}

/* Packs the block's deviations from the origin, and sums them. */
INLINE void pack_by(const block *b, int is_one) {
    for (ptrdiff_t c = 0; c < b->stop; c += LANES) {
        if (c + LANES <= b->d) {
            pack_columns(b, FROM_X, is_one, c);
            continue;
        }
        lay_y(b, c);
        if (c < b->d)
            pack_columns(b, FROM_BOTH, is_one, c);
        else
            pack_columns(b, FROM_PANEL, is_one, c);
    }
}

static void pack(const block *b) {
    if (b->step == 0 && *b->roots == 1)
        pack_by(b, 1);
    else
        pack_by(b, 0);
}

#endif
