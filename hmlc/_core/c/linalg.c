/* Small dense algebra: inner products, Cholesky factors, a quadratic form, X W^T + b. */
#include "affine.h"

#include "linalg.h"

/* *out = a . b, both of length n. */
static void dot(const real *a, const real *b, ptrdiff_t n, double *out) {
    *out = (double)r_dot(a, b, n);
}

/* Whether a pivot that began as `diagonal` is still distinguishable from 0. False for NaN. */
INLINE int is_pivot(real pivot, double tolerance, real diagonal) {
    return pivot > 0 && (double)pivot > tolerance * (double)diagonal && pivot < (real)INFINITY;
}

/* Factors the size x size block D, whose rows are n apart, in place; `diagonal` is where the
 * matrix's own lies, n + 1 apart. Returns the number of pivots that passed. */
static ptrdiff_t factor_block(real *D, ptrdiff_t n, ptrdiff_t size, const real *diagonal,
                              double tolerance) {
    for (ptrdiff_t j = 0; j < size; j++) {
        for (ptrdiff_t i = j; i < size; i++) {
            real sum = D[i * n + j];
            for (ptrdiff_t p = 0; p < j; p++)
                sum = r_fma(-D[i * n + p], D[j * n + p], sum);
            if (i > j)
                D[i * n + j] = sum / D[j * n + j];
            else if (is_pivot(sum, tolerance, diagonal[j * (n + 1)]))
                D[j * n + j] = (real)sqrt(sum);
            else
                return j;
        }
    }
    return size;
}

/* Rows i .. i + LANES of L below the block D of `size` columns: L_i = A_i D^-T. `rows` points at
 * row i's first column of the block; the panel is left holding -L_i^T. */
static void solve_panel(const real *D, ptrdiff_t n, ptrdiff_t size, real *rows, ptrdiff_t count,
                        real *panel) {
    pack_panel(rows, 1, n, size, 0, count, panel);
    for (ptrdiff_t j = 0; j < size; j++) {
        vec sum = v_load(panel + j * LANES);
        for (ptrdiff_t p = 0; p < j; p++)
            sum = v_fma(v_set(D[j * n + p]), v_load(panel + p * LANES), sum);
        v_store(panel + j * LANES, v_div(sum, v_set(-D[j * n + j])));
    }
    for (ptrdiff_t i = 0; i < count && i < LANES; i++)
        for (ptrdiff_t j = 0; j < size; j++)
            rows[i * n + j] = -panel[j * LANES + i];
}

/* out += A * panel for `rows` rows of A (`depth` columns); out and A have rows n apart. */
INLINE void add_product(int rows, const real *A, const real *panel, ptrdiff_t n, ptrdiff_t depth,
                        real *out, ptrdiff_t width) {
    vec acc[TILE_ROWS];
    for (int r = 0; r < rows; r++)
        acc[r] = width >= LANES ? v_load(out + r * n) : v_load_part(out + r * n, width, 0);
    tile_fma(rows, A, n, 1, panel, depth, acc);
    for (int r = 0; r < rows; r++) {
        if (width >= LANES)
            v_store(out + r * n, acc[r]);
        else
            v_store_part(out + r * n, width, acc[r]);
    }
}

/* The lower triangle of rows and columns `first` .. n: L -= L_block L_block^T, the block being the
 * `depth` columns before `first`. What lies above the diagonal is not kept clean. */
static void subtract_block(real *L, ptrdiff_t n, ptrdiff_t first, ptrdiff_t depth,
                           const real *panels) {
    ptrdiff_t i = first;
    while (i < n) {
        const int rows = n - i < TILE_ROWS ? 1 : TILE_ROWS;
        const real *block = L + i * n + first - depth;
        for (ptrdiff_t c = first; c < i + rows; c += LANES) {
            const real *panel = panels + (c - first) * depth;
            if (rows == 1)
                add_product(1, block, panel, n, depth, L + i * n + c, n - c);
            else
                add_product(TILE_ROWS, block, panel, n, depth, L + i * n + c, n - c);
        }
        i += rows;
    }
}

/* A = L L^T of a symmetric matrix, of which the lower triangle is read.
 *   A, L n x n; scratch HMLC_CHOLESKY_BLOCK * (n + LANES).
 * *rank = n where it succeeded; else the first column whose pivot is not above tolerance times
 * A's diagonal there, is not finite or NaN: then L is of no use.
 * L[i][j] = (A[i][j] - sum over p < j of L[i][p] L[j][p], in order, by FMA) / L[j][j]. */
static void cholesky(const real *A, ptrdiff_t n, double tolerance, real *L, ptrdiff_t *rank,
                     real *scratch) {
    memcpy(L, A, (size_t)(n * n) * sizeof(real));
    for (ptrdiff_t k = 0; k < n; k += HMLC_CHOLESKY_BLOCK) {
        const ptrdiff_t size = n - k < HMLC_CHOLESKY_BLOCK ? n - k : HMLC_CHOLESKY_BLOCK;
        const ptrdiff_t next = k + size;
        real *D = L + k * (n + 1);
        *rank = k + factor_block(D, n, size, A + k * (n + 1), tolerance);
        if (*rank < next)
            return;
        for (ptrdiff_t i = next; i < n; i += LANES)
            solve_panel(D, n, size, L + i * n + k, n - i, scratch + (i - next) * size);
        subtract_block(L, n, next, size, scratch);
    }
    for (ptrdiff_t i = 0; i < n; i++)
        memset(L + i * n + i + 1, 0, (size_t)(n - 1 - i) * sizeof(real));
}

static void swap_pivots(ptrdiff_t a, ptrdiff_t b, ptrdiff_t n, ptrdiff_t *order, real *left,
                        real *L) {
    const ptrdiff_t o = order[a];
    order[a] = order[b], order[b] = o;
    const real l = left[a];
    left[a] = left[b], left[b] = l;
    for (ptrdiff_t p = 0; p < a; p++) {
        const real x = L[a * n + p];
        L[a * n + p] = L[b * n + p], L[b * n + p] = x;
    }
}

/* A[order][:, order] = L L^T of a symmetric positive semidefinite matrix, the largest pivot
 * first (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 10.3).
 *   A, L n x n; order n; scratch n.
 * It ends where no pivot is above tolerance times A's largest diagonal element: *rank columns of
 * L are then set, the others 0. Sums of products in r_dot's order. */
static void cholesky_pivoted(const real *A, ptrdiff_t n, double tolerance, real *L,
                             ptrdiff_t *order, ptrdiff_t *rank, real *scratch) {
    real *left = scratch, largest = 0;
    memset(L, 0, (size_t)(n * n) * sizeof(real));
    for (ptrdiff_t i = 0; i < n; i++) {
        order[i] = i;
        left[i] = A[i * (n + 1)];
        largest = left[i] > largest ? left[i] : largest;
    }
    for (*rank = 0; *rank < n; ++*rank) {
        const ptrdiff_t j = *rank;
        ptrdiff_t best = j;
        for (ptrdiff_t i = j + 1; i < n; i++)
            best = left[i] > left[best] ? i : best;
        if (!is_pivot(left[best], tolerance, largest))
            return;
        swap_pivots(j, best, n, order, left, L);
        const real *column = A + order[j] * n, *above = L + j * n;
        const real pivot = L[j * n + j] = (real)sqrt(left[j]);
        for (ptrdiff_t i = j + 1; i < n; i++) {
            real *row = L + i * n;
            row[j] = (column[order[i]] - r_dot(row, above, j)) / pivot;
            left[i] = r_fma(-row[j], row[j], left[i]);
        }
    }
}

/* y -= a * x */
static void subtract_multiple(real a, const real *x, ptrdiff_t n, real *y) {
    ptrdiff_t j = 0;
    for (; j + LANES <= n; j += LANES)
        v_store(y + j, v_fma(v_set(-a), v_load(x + j), v_load(y + j)));
    for (; j < n; j++)
        y[j] = r_fma(-a, x[j], y[j]);
}

/* Solves L L^T x = b for every row b of B, in place. L n x n, lower; B k x n. */
static void cholesky_solve(const real *L, ptrdiff_t n, real *B, ptrdiff_t k) {
    for (real *b = B; b < B + k * n; b += n) {
        for (ptrdiff_t i = 0; i < n; i++)
            b[i] = (b[i] - r_dot(L + i * n, b, i)) / L[i * (n + 1)];
        for (ptrdiff_t i = n - 1; i >= 0; i--) {
            b[i] /= L[i * (n + 1)];
            subtract_multiple(b[i], L + i * n, i, b);
        }
    }
}

/* The quadratic x . A x / 2 - b . x, summed over the rows of X and B, and its gradient A x - b.
 *   A n x n, symmetric; B, X, gradient k x n; *out the value.
 * Each product is a r_dot; x . (A x - b) / 2 - b . x / 2 is the value, from the gradient. */
static void quadratic(const real *A, const real *B, const real *X, ptrdiff_t k, ptrdiff_t n,
                      real *gradient, double *out) {
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t r = 0; r < k; r++)
            gradient[r * n + i] = r_dot(A + i * n, X + r * n, n) - B[r * n + i];
    *out = 0;
    for (ptrdiff_t r = 0; r < k; r++)
        *out +=
            (double)(r_dot(X + r * n, gradient + r * n, n) - r_dot(B + r * n, X + r * n, n)) / 2;
}

HMLC_TABLE(linalg, LINALG_KERNELS)
