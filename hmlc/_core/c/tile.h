/* The register tile of every matrix product here: `rows` rows of A times a panel of LANES columns.
 *
 * A panel holds a matrix's columns [c, c + LANES) depth by depth: panel[p * LANES + lane], with
 * zeros in the lanes past the last column. Element (i, p) of A is A[i * a_row + p * a_depth], so a
 * matrix and its transpose are read alike, without packing. Each output is summed in order of
 * depth, by FMA: its bits do not depend on how rows and columns are cut into tiles.
 */
#ifndef HMLC_TILE_H
#define HMLC_TILE_H

#include "simd.h"

/* acc[i] += sum over p < depth of A(i, p) * panel[p], i < rows. `rows` must be a constant after
 * inlining, at most TILE_ROWS, for acc to stay in registers. */
INLINE void tile_fma(int rows, const real *A, ptrdiff_t a_row, ptrdiff_t a_depth, const real *panel,
                     ptrdiff_t depth, vec acc[]) {
    for (ptrdiff_t p = 0; p < depth; p++) {
        const vec b = v_load(panel + p * LANES);
        const real *a = A + p * a_depth;
#if defined(__GNUC__)
#pragma GCC unroll 8
#endif
        for (int i = 0; i < rows; i++)
            acc[i] = v_fma(v_set(a[i * a_row]), b, acc[i]);
    }
}

/* How many panels a tile of so many registers a row touches: where the last panel's columns end in
 * its first registers, the others are left out. */
INLINE int panels_in(int regs) {
    return (regs + REGS - 1) / REGS;
}

/* acc[i * panels + j] += *a[i] * panel j [p] for one depth p: b is the first panel's, the next
 * being `stride` on. What a tile has more of passes one at a time, so that the other and acc find
 * place in the registers. */
INLINE void rows_step(int rows, int regs, const real *const a[], const real *b, ptrdiff_t stride,
                      vec acc[]) {
    const int panels = panels_in(regs);
    if (rows < regs || panels > 2) {
        vec each[TILE_ROWS];
        UNROLL
        for (int i = 0; i < rows; i++)
            each[i] = v_set(*a[i]);
        UNROLL
        for (int j = 0; j < panels; j++)
            v_fma_rows(rows, regs - j * REGS, each, b + j * stride, acc + j, panels);
        return;
    }
    const vec b0 = v_load(b), b1 = panels == 1 ? b0 : v_load(b + stride);
    UNROLL
    for (int i = 0; i < rows; i++) {
        const vec each = v_set(*a[i]);
        acc[i * panels] = v_fma_first(regs, each, b0, acc[i * panels]);
        if (panels == 2)
            acc[i * panels + 1] = v_fma_first(regs - REGS, each, b1, acc[i * panels + 1]);
    }
}

/* rows_step for rows that lie a_row apart. */
INLINE void tile_step(int rows, int regs, const real *a, ptrdiff_t a_row, const real *b,
                      ptrdiff_t stride, vec acc[]) {
    const real *each[TILE_ROWS];
    UNROLL
    for (int i = 0; i < rows; i++)
        each[i] = a + i * a_row;
    rows_step(rows, regs, each, b, stride, acc);
}

/* tile_step for the depths p < depth, a_depth apart in A. */
INLINE void wide_fma(int rows, int regs, const real *A, ptrdiff_t a_row, ptrdiff_t a_depth,
                     const real *panel, ptrdiff_t stride, ptrdiff_t depth, vec acc[]) {
    for (ptrdiff_t p = 0; p < depth; p++)
        tile_step(rows, regs, A + p * a_depth, a_row, panel + p * LANES, stride, acc);
}

/* Some depths of a product, `start` and so many after it: for the others A is 0, and they add
 * nothing. NULL: all `count`. */
typedef struct {
    const uint16_t *used;
    ptrdiff_t start, count;
} depths;

/* rows_step for some depths of the rows A[i]. */
INLINE void rows_fma(int rows, int regs, const real *const A[], const real *panel, ptrdiff_t stride,
                     depths some, vec acc[]) {
    const real *row[TILE_ROWS], *each[TILE_ROWS];
    UNROLL
    for (int i = 0; i < rows; i++)
        row[i] = A[i] + some.start;
    panel += some.start * LANES;
    for (ptrdiff_t t = 0; t < some.count; t++) {
        const ptrdiff_t p = some.used ? some.used[t] : t;
        UNROLL
        for (int i = 0; i < rows; i++)
            each[i] = row[i] + p;
        rows_step(rows, regs, each, panel + p * LANES, stride, acc);
    }
}

/* tile_step for the `count` depths p in `used` of the matrix whose columns are the rows A[p], from
 * their number `first` on. */
INLINE void columns_fma(int rows, int regs, const real *const A[], ptrdiff_t first,
                        const real *panel, ptrdiff_t stride, const uint32_t *used, ptrdiff_t count,
                        vec acc[]) {
    for (ptrdiff_t t = 0; t < count; t++) {
        const ptrdiff_t p = used[t];
        tile_step(rows, regs, A[p] + first, 1, panel + p * LANES, stride, acc);
    }
}

/* out[j] = start[j] + sum over p < depth of a[p] * B[j * depth + p], j < count, as tile_fma sums;
 * a start of NULL is 0. */
INLINE void row_fma(int count, const real *a, const real *B, ptrdiff_t depth, const real *start,
                    real *out) {
    real sum[4];
    for (int j = 0; j < count; j++)
        sum[j] = start ? start[j] : 0;
    for (ptrdiff_t p = 0; p < depth; p++)
#if defined(__GNUC__)
#pragma GCC unroll 4
#endif
        for (int j = 0; j < count; j++)
            sum[j] = r_fma(a[p], B[j * depth + p], sum[j]);
    for (int j = 0; j < count; j++)
        out[j] = sum[j];
}

/* out = start + B a for B's `columns` rows, four at a time: the last four may overlap those before.
 * For HMLC_FEW_ROWS rows a. */
INLINE void row_product(const real *a, const real *B, ptrdiff_t columns, ptrdiff_t depth,
                        const real *start, real *out) {
    for (ptrdiff_t j = 0; columns >= 4 && j < columns; j += 4) {
        const ptrdiff_t first = j + 4 <= columns ? j : columns - 4;
        row_fma(4, a, B + first * depth, depth, start ? start + first : NULL, out + first);
    }
    for (ptrdiff_t j = 0; columns < 4 && j < columns; j++)
        row_fma(1, a, B + j * depth, depth, start ? start + j : NULL, out + j);
}

/* How many panels cover `columns` columns. */
INLINE ptrdiff_t panels_of(ptrdiff_t columns) {
    return (columns + LANES - 1) / LANES;
}

/* Packs columns [c, c + LANES) of the depth x columns matrix B, whose element (p, j) is
 * B[p * b_depth + j * b_column], into a panel. */
INLINE void pack_panel(const real *B, ptrdiff_t b_depth, ptrdiff_t b_column, ptrdiff_t depth,
                       ptrdiff_t c, ptrdiff_t columns, real *panel) {
    const ptrdiff_t width = columns - c < LANES ? columns - c : LANES;
    for (ptrdiff_t p = 0; p < depth; p++)
        for (ptrdiff_t j = 0; j < LANES; j++)
            panel[p * LANES + j] = j < width ? B[p * b_depth + (c + j) * b_column] : 0;
}

#endif
