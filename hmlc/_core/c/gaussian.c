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

/* panel[p * LANES + i] = X[i * stride + p] for the LANES rows at X, of which there are `left`, and
 * `depth` columns, at the end of a row; the panel has room for QUAD more. The lanes past the last
 * row hold whatever they held: nobody reads what comes of them. */
INLINE void turn(const real *X, ptrdiff_t left, ptrdiff_t stride, ptrdiff_t depth, real *panel) {
    /* The last quad reads into the rows after. */
    const ptrdiff_t quads = left < LANES          ? 0
                            : left < LANES + QUAD ? depth / QUAD
                                                  : (depth + QUAD - 1) / QUAD;
    for (ptrdiff_t p = 0; p < quads * QUAD; p += QUAD) {
        vec columns[QUAD];
        v_transpose(X + p, stride, columns);
        UNROLL for (int c = 0; c < QUAD; c++) {
            v_store(panel + (p + c) * LANES, columns[c]);
        }
    }
    for (ptrdiff_t p = quads * QUAD; p < depth; p++)
        for (ptrdiff_t i = 0; i < LANES; i++)
            panel[p * LANES + i] = i < left ? X[i * stride + p] : 0;
}

/* A float64 mean as two reals: far from 0 the rounding of the first would show in every row, so
 * what it leaves is subtracted as well. */
typedef struct {
    real high, low;
} split;

INLINE void split_mean(const double *mean, ptrdiff_t count, split *means) {
    for (ptrdiff_t p = 0; p < count; p++) {
        means[p].high = (real)mean[p];
        means[p].low = (real)(mean[p] - (double)means[p].high);
    }
}

INLINE vec v_centre(vec x, split mean) {
    return v_sub(v_sub(x, v_set(mean.high)), v_set(mean.low));
}

/* normaliser - squares / 2 for LANES rows, `left` of which exist. Too far out for a number is
 * -infinity, also where infinities met on the way. */
INLINE void store_density(vec squares, double normaliser, ptrdiff_t left, real *out) {
    const vec value = v_fma(squares, v_set(R(-0.5)), v_set((real)normaliser));
    const vec density = v_max(v_set(-(real)INFINITY), value);
    if (left >= LANES)
        v_store(out, density);
    else
        v_store_part(out, left, density);
}

/* Log-density where the columns are independent.
 *   X n x d; mean d; inverse_scale d, one over the standard deviations; out n. */
static void log_density_diagonal(const real *X, ptrdiff_t n, ptrdiff_t d, const double *mean,
                                 const real *inverse_scale, double normaliser, real *out) {
    real panel[COLUMNS * LANES], squares[HMLC_BLOCK_ROWS];
    split means[COLUMNS];
    for (ptrdiff_t b = 0; b < n; b += HMLC_BLOCK_ROWS) {
        const ptrdiff_t end = n - b < HMLC_BLOCK_ROWS ? n - b : HMLC_BLOCK_ROWS;
        memset(squares, 0, sizeof squares);
        for (ptrdiff_t c = 0; c < d; c += COLUMNS) {
            const ptrdiff_t depth = d - c < COLUMNS ? d - c : COLUMNS;
            split_mean(mean + c, depth, means);
            for (ptrdiff_t r = 0; r < end; r += LANES) {
                turn(X + (b + r) * d + c, n - b - r, d, depth, panel);
                vec sum = v_load(squares + r);
                for (ptrdiff_t p = 0; p < depth; p++) {
                    const vec e = v_centre(v_load(panel + p * LANES), means[p]);
                    const vec z = v_mul(e, v_set(inverse_scale[c + p]));
                    sum = v_fma(z, z, sum);
                }
                v_store(squares + r, sum);
            }
        }
        for (ptrdiff_t r = 0; r < end; r += LANES)
            store_density(v_load(squares + r), normaliser, end - r, out + b + r);
    }
}

/* squares += y_k^2 for rows k .. k + count - 1 of y = W e, in order; e is the panel. Row k of a
 * lower triangular W ends at its diagonal; the zeros that a tile reads past it add nothing. */
INLINE void add_squares(int count, const real *whitener, ptrdiff_t d, ptrdiff_t k,
                        const real *panel, vec *squares) {
    vec y[TILE_ROWS];
    UNROLL for (int i = 0; i < count; i++) {
        y[i] = v_set(0);
    }
    tile_fma(count, whitener + k * d, d, 1, panel, k + count, y);
    UNROLL for (int i = 0; i < count; i++) {
        *squares = v_fma(y[i], y[i], *squares);
    }
}

/* Log-density with any covariance.
 *   X n x d; mean d; whitener d x d, lower triangular, zeros above; out n; scratch
 *   of gaussian_scratch(d) reals.
 * A tile of W meets a few panels of rows while it is in the nearest cache. Each element of W e is
 * summed over columns in order. The whitener is W itself, not a factor to be solved with: its
 * error is about that of a solve, in units of W's condition, which the caller bounds. */
static void log_density_full(const real *X, ptrdiff_t n, ptrdiff_t d, const double *mean,
                             const real *whitener, double normaliser, real *out, real *scratch) {
    const ptrdiff_t size = (d + QUAD) * LANES;
    split *means = (split *)(scratch + HMLC_GAUSSIAN_PANELS * size);
    split_mean(mean, d, means);
    for (ptrdiff_t r = 0; r < n; r += HMLC_GAUSSIAN_PANELS * LANES) {
        vec squares[HMLC_GAUSSIAN_PANELS];
        ptrdiff_t panels = 0;
        for (ptrdiff_t q = r; panels < HMLC_GAUSSIAN_PANELS && q < n; q += LANES, panels++) {
            real *panel = scratch + panels * size;
            turn(X + q * d, n - q, d, d, panel);
            for (ptrdiff_t p = 0; p < d; p++)
                v_store(panel + p * LANES, v_centre(v_load(panel + p * LANES), means[p]));
            squares[panels] = v_set(0);
        }
        ptrdiff_t k = 0;
        for (; k + TILE_ROWS <= d; k += TILE_ROWS)
            for (ptrdiff_t b = 0; b < panels; b++)
                add_squares(TILE_ROWS, whitener, d, k, scratch + b * size, &squares[b]);
        for (; k + 2 <= d; k += 2)
            for (ptrdiff_t b = 0; b < panels; b++)
                add_squares(2, whitener, d, k, scratch + b * size, &squares[b]);
        for (; k < d; k++)
            for (ptrdiff_t b = 0; b < panels; b++)
                add_squares(1, whitener, d, k, scratch + b * size, &squares[b]);
        for (ptrdiff_t b = 0; b < panels; b++) {
            const ptrdiff_t q = r + b * LANES;
            store_density(squares[b], normaliser, n - q, out + q);
        }
    }
}

HMLC_TABLE(gaussian, GAUSSIAN_KERNELS)
