/* Mean and sum of squared deviations of every column, and the change to standard units. */
#include "simd.h"

#include "moments.h"

/* Narrow rows are taken LANES at a time, as one row of LANES * d: full vectors at any width. */
INLINE ptrdiff_t rows_folded(ptrdiff_t d) {
    return d < 4 * LANES ? LANES : 1;
}

static void fill_shift(const double *mean, ptrdiff_t d, ptrdiff_t fold, real *shift) {
    for (ptrdiff_t f = 0; f < fold; f++)
        for (ptrdiff_t j = 0; j < d; j++)
            shift[f * d + j] = (real)mean[j];
}

/* sum1 += x - shift and sum2 += (x - shift)^2 over a stretch of `length` consecutive values. */
static void add_deviations(const real *x, ptrdiff_t length, const real *shift, real *sum1,
                           real *sum2) {
    ptrdiff_t j = 0;
    for (; j + LANES <= length; j += LANES) {
        const vec e = v_sub(v_load(x + j), v_load(shift + j));
        v_store(sum1 + j, v_add(v_load(sum1 + j), e));
        v_store(sum2 + j, v_fma(e, e, v_load(sum2 + j)));
    }
    for (; j < length; j++) {
        const real e = x[j] - shift[j];
        sum1[j] += e;
        sum2[j] = r_fma(e, e, sum2[j]);
    }
}

/* Sums of a block's deviations from `shift`; `scratch` holds shift, sum1 and sum2 of fold * d. */
static void sum_block(const real *X, ptrdiff_t n, ptrdiff_t d, const double *shift, real *scratch) {
    const ptrdiff_t fold = rows_folded(d), width = fold * d;
    real *sum1 = scratch + width, *sum2 = sum1 + width;
    fill_shift(shift, d, fold, scratch);
    memset(sum1, 0, (size_t)(2 * width) * sizeof(real));
    for (ptrdiff_t r = 0; r < n; r += fold) {
        const ptrdiff_t rows = n - r < fold ? n - r : fold;
        add_deviations(X + r * d, rows * d, scratch, sum1, sum2);
    }
}

/* The sum over the folded rows of column j. */
INLINE double unfold(const real *sums, ptrdiff_t d, ptrdiff_t j) {
    double total = 0;
    for (ptrdiff_t f = 0; f < rows_folded(d); f++)
        total += sums[f * d + j];
    return total;
}

/* Chan, Golub and LeVeque (1979), eq. 2.1: joins a block's moments about its shift to the state. */
static void merge_block(ptrdiff_t n, ptrdiff_t d, const real *scratch, double *count, double *mean,
                        double *m2) {
    const ptrdiff_t width = rows_folded(d) * d;
    const double before = *count, after = before + (double)n;
    for (ptrdiff_t j = 0; j < d; j++) {
        const double sum1 = unfold(scratch + width, d, j), sum2 = unfold(scratch + 2 * width, d, j);
        const double delta = (double)scratch[j] + sum1 / (double)n - mean[j];
        m2[j] += sum2 - sum1 * sum1 / (double)n + delta * delta * (before * (double)n / after);
        mean[j] += delta * ((double)n / after);
    }
    *count = after;
}

/* Adds n rows to the moments (count, mean, m2) of d columns, in blocks of HMLC_BLOCK_ROWS.
 *   X n x d; count 1; mean, m2 d; scratch 3 * d * max(LANES, 1).
 * Deviations are taken from the mean so far (of the first block: from its first row, then its
 * mean), so a constant column has m2 = 0 exactly and nothing cancels when the mean is far from 0.
 * Sums: within a block rows r, r + LANES, ... in order, then those in order, in float64. */
static void update(const real *X, ptrdiff_t n, ptrdiff_t d, double *count, double *mean, double *m2,
                   real *scratch) {
    for (ptrdiff_t r = 0; r < n; r += HMLC_BLOCK_ROWS) {
        const ptrdiff_t rows = n - r < HMLC_BLOCK_ROWS ? n - r : HMLC_BLOCK_ROWS;
        const real *block = X + r * d;
        if (*count == 0) {
            for (ptrdiff_t j = 0; j < d; j++)
                mean[j] = block[j];
            sum_block(block, rows, d, mean, scratch);
            for (ptrdiff_t j = 0; j < d; j++)
                mean[j] += unfold(scratch + rows_folded(d) * d, d, j) / (double)rows;
        }
        sum_block(block, rows, d, mean, scratch);
        merge_block(rows, d, scratch, count, mean, m2);
    }
}

/* out = (X - mean) / scale, each column with its own. X, out n x d; mean, scale d. */
static void standardise(const real *X, ptrdiff_t n, ptrdiff_t d, const real *mean,
                        const real *scale, real *out) {
    for (ptrdiff_t r = 0; r < n; r++, X += d, out += d) {
        ptrdiff_t j = 0;
        for (; j + LANES <= d; j += LANES)
            v_store(out + j, v_div(v_sub(v_load(X + j), v_load(mean + j)), v_load(scale + j)));
        for (; j < d; j++)
            out[j] = (X[j] - mean[j]) / scale[j];
    }
}

HMLC_TABLE(moments, MOMENTS_KERNELS)
