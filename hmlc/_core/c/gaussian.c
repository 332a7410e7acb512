/* Log-density of rows under a Gaussian, log N(x; mean, C) = normaliser - |W (x - mean)|^2 / 2 with
 * W' W = C^-1 and normaliser = log det W - d/2 log 2 pi. Sums of logarithms, never products: 400
 * densities multiplied underflow.
 *
 * LANES rows lie across a vector, one column after another, so each row's sum runs over its columns
 * in order and its bits do not depend on its neighbours.
 */
#include "simd.h"
#include "tile.h"
#include "vmath.h"

#include "gaussian.h"

/* Columns turned at a time by log_density_diagonal: a panel of 4 KB stays in the nearest cache. */
enum { COLUMNS = 64 };

/* answer = sum of log inverse_scale - d/2 log 2 pi: log det W where the d numbers are W's diagonal.
 * In float64, in order. */
static void log_normaliser(const real *inverse_scale, ptrdiff_t d, double *answer) {
    double sum = 0;
    for (ptrdiff_t j = 0; j < d; j++)
        sum += (double)r_log(inverse_scale[j]);
    *answer = sum - (double)d * 0.91893853320467274178;
}

/* panel[p * LANES + i] = X[i * stride + p] for `rows` rows and `depth` columns. The lanes past the
 * last row hold whatever they held: nobody reads what comes of them. */
INLINE void turn(const real *X, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t depth, real *panel) {
    if (rows == LANES)
        for (ptrdiff_t p = 0; p < depth; p++)
            for (ptrdiff_t i = 0; i < LANES; i++)
                panel[p * LANES + i] = X[i * stride + p];
    else
        for (ptrdiff_t p = 0; p < depth; p++)
            for (ptrdiff_t i = 0; i < LANES; i++)
                panel[p * LANES + i] = i < rows ? X[i * stride + p] : 0;
}

/* x - mean, for a float64 mean: what float32 leaves of it is subtracted as well, since far from 0
 * the mean's rounding would show in every row. */
INLINE vec v_centre(vec x, double mean) {
    const real high = (real)mean, low = (real)(mean - (double)high);
    return v_sub(v_sub(x, v_set(high)), v_set(low));
}

/* normaliser - squares / 2 for `rows` rows. Too far out for a number is -infinity, also where
 * infinities met on the way. */
INLINE void store_density(vec squares, double normaliser, ptrdiff_t rows, real *out) {
    const vec value = v_fma(squares, v_set(R(-0.5)), v_set((real)normaliser));
    const vec density = v_max(v_set(-(real)INFINITY), value);
    if (rows == LANES)
        v_store(out, density);
    else
        v_store_part(out, rows, density);
}

/* Log-density where the columns are independent.
 *   X n x d; mean d; inverse_scale d, one over the standard deviations; out n. */
static void log_density_diagonal(const real *X, ptrdiff_t n, ptrdiff_t d, const double *mean,
                                 const real *inverse_scale, double normaliser, real *out) {
    real panel[COLUMNS * LANES];
    for (ptrdiff_t r = 0; r < n; r += LANES) {
        const ptrdiff_t rows = n - r < LANES ? n - r : LANES;
        vec squares = v_set(0);
        for (ptrdiff_t c = 0; c < d; c += COLUMNS) {
            const ptrdiff_t depth = d - c < COLUMNS ? d - c : COLUMNS;
            turn(X + r * d + c, rows, d, depth, panel);
            for (ptrdiff_t p = 0; p < depth; p++) {
                const vec e = v_centre(v_load(panel + p * LANES), mean[c + p]);
                const vec z = v_mul(e, v_set(inverse_scale[c + p]));
                squares = v_fma(z, z, squares);
            }
        }
        store_density(squares, normaliser, rows, out + r);
    }
}

/* squares += y_k^2 for rows k .. k + count - 1 of y = W e, in order; e is the panel. Row k of a
 * lower triangular W ends at its diagonal; the zeros that a tile reads past it add nothing. */
INLINE void add_squares(int count, const real *whitener, ptrdiff_t d, ptrdiff_t k,
                        const real *panel, vec *squares) {
    vec y[TILE_ROWS];
    for (int i = 0; i < count; i++)
        y[i] = v_set(0);
    tile_fma(count, whitener + k * d, d, 1, panel, k + count, y);
    for (int i = 0; i < count; i++)
        *squares = v_fma(y[i], y[i], *squares);
}

/* Log-density with any covariance.
 *   X n x d; mean d; whitener d x d, lower triangular, zeros above; out n; scratch
 *   HMLC_GAUSSIAN_PANELS * d * LANES.
 * A tile of W meets a few panels of rows while it is in the nearest cache. Each element of W e is
 * summed over columns in order. The whitener is W itself, not a factor to be solved with: its
 * error is about that of a solve, in units of W's condition, which the caller bounds. */
static void log_density_full(const real *X, ptrdiff_t n, ptrdiff_t d, const double *mean,
                             const real *whitener, double normaliser, real *out, real *scratch) {
    for (ptrdiff_t r = 0; r < n; r += HMLC_GAUSSIAN_PANELS * LANES) {
        vec squares[HMLC_GAUSSIAN_PANELS];
        ptrdiff_t panels = 0;
        for (ptrdiff_t q = r; panels < HMLC_GAUSSIAN_PANELS && q < n; q += LANES, panels++) {
            real *panel = scratch + panels * d * LANES;
            turn(X + q * d, n - q < LANES ? n - q : LANES, d, d, panel);
            for (ptrdiff_t p = 0; p < d; p++)
                v_store(panel + p * LANES, v_centre(v_load(panel + p * LANES), mean[p]));
            squares[panels] = v_set(0);
        }
        ptrdiff_t k = 0;
        for (; k + TILE_ROWS <= d; k += TILE_ROWS)
            for (ptrdiff_t b = 0; b < panels; b++)
                add_squares(TILE_ROWS, whitener, d, k, scratch + b * d * LANES, &squares[b]);
        for (; k + 2 <= d; k += 2)
            for (ptrdiff_t b = 0; b < panels; b++)
                add_squares(2, whitener, d, k, scratch + b * d * LANES, &squares[b]);
        for (; k < d; k++)
            for (ptrdiff_t b = 0; b < panels; b++)
                add_squares(1, whitener, d, k, scratch + b * d * LANES, &squares[b]);
        for (ptrdiff_t b = 0; b < panels; b++) {
            const ptrdiff_t q = r + b * LANES;
            store_density(squares[b], normaliser, n - q < LANES ? n - q : LANES, out + q);
        }
    }
}

HMLC_TABLE(gaussian, GAUSSIAN_KERNELS)
