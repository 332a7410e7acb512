/* Mean and sum of squared deviations of every column, and the change to standard units. */
#include "row_weights.h"

#include "moments.h"

/* A block's deviations are taken from its own mean where it weighs so many times the rows before.
 */
enum { GROWTH = 8 };

/* Folded rows that are read through before the next columns: they stay in the first cache. */
enum { DEPTH = 16 };

/* Narrow rows are taken LANES at a time, as one row of LANES * d: full vectors at any width. */
INLINE ptrdiff_t rows_folded(ptrdiff_t d) {
    return d < 4 * LANES ? LANES : 1;
}

/* The first d of `values` fold times, one after the other. `fold` is a power of two. */
static void repeat(real *values, ptrdiff_t d, ptrdiff_t fold) {
    for (ptrdiff_t filled = d; filled < fold * d; filled *= 2)
        memcpy(values + filled, values, (size_t)filled * sizeof(real));
}

/* Vectors that are summed side by side, for a sum waits for the one before it. */
enum { WIDE = REGS <= 2 ? 4 / REGS : 1 };

/* sum1 += w (x - shift) and sum2 += w (x - shift)^2 over `depth` stretches of `vectors` vectors,
 * each `stride` values after the one before, and the weights `step` values. The sums stay in
 * registers along the depth. Meanwhile cache lines from `next` on are asked for, as many as are
 * read, but in the order in which they lie: memory sends those a quarter faster. */
INLINE void add_vectors(int vectors, const real *x, ptrdiff_t depth, ptrdiff_t stride,
                        const real *w, ptrdiff_t step, const real *shift, real *sum1, real *sum2,
                        uintptr_t next) {
    vec s[WIDE], first[WIDE], second[WIDE];
    UNROLL
    for (int k = 0; k < vectors; k++) {
        s[k] = v_load(shift + k * LANES);
        first[k] = v_load(sum1 + k * LANES);
        second[k] = v_load(sum2 + k * LANES);
    }
    for (ptrdiff_t r = 0; r < depth; r++, x += stride, w += step, next += vectors * sizeof(vec)) {
        UNROLL
        for (int k = 0; k < vectors; k++) {
            prefetch(next + (uintptr_t)k * sizeof(vec));
            const vec e = v_sub(v_load(x + k * LANES), s[k]), v = v_load(w + k * LANES);
            first[k] = v_fma(v, e, first[k]);
            second[k] = v_fma(v_mul(v, e), e, second[k]);
        }
    }
    UNROLL
    for (int k = 0; k < vectors; k++) {
        v_store(sum1 + k * LANES, first[k]);
        v_store(sum2 + k * LANES, second[k]);
    }
}

/* The same over stretches of `length` values. */
static void add_deviations(const real *x, ptrdiff_t depth, ptrdiff_t stride, ptrdiff_t length,
                           const real *w, ptrdiff_t step, const real *shift, real *sum1,
                           real *sum2) {
    const uintptr_t next = (uintptr_t)x + (uintptr_t)(depth * stride) * sizeof(real);
    ptrdiff_t j = 0;
    for (; j + WIDE * LANES <= length; j += WIDE * LANES)
        add_vectors(WIDE, x + j, depth, stride, w + j, step, shift + j, sum1 + j, sum2 + j,
                    next + (uintptr_t)(j * depth) * sizeof(real));
    for (; j + LANES <= length; j += LANES)
        add_vectors(1, x + j, depth, stride, w + j, step, shift + j, sum1 + j, sum2 + j,
                    next + (uintptr_t)(j * depth) * sizeof(real));
    for (; j < length; j++)
        for (ptrdiff_t r = 0; r < depth; r++) {
            const real e = x[r * stride + j] - shift[j], v = w[r * step + j];
            sum1[j] = r_fma(v, e, sum1[j]);
            sum2[j] = r_fma(v * e, e, sum2[j]);
        }
}

/* The weight of each of `rows` rows, d times. */
static void spread(const real *weights, ptrdiff_t step, ptrdiff_t rows, ptrdiff_t d, real *out) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t j = 0; j < d; j++)
            *out++ = weights[r * step];
}

/* The sums over the folded rows: row r and row r + half, then halves of that. The last vector runs
 * over what was added already, and past the sums by less than a vector. */
static void unfold(real *sums, ptrdiff_t d) {
    for (ptrdiff_t half = rows_folded(d) / 2; half > 0; half /= 2)
        for (ptrdiff_t j = 0; j < half * d; j += LANES)
            v_store(sums + j, v_add(v_load(sums + j), v_load(sums + half * d + j)));
}

/* A block of rows, and their weights; scratch holds the shift from which deviations are taken, sum1
 * and sum2, of fold * d each, and then what values weigh: of step 0 those of a folded row. */
typedef struct {
    const real *X, *weights;
    ptrdiff_t rows, d, step;
    real *scratch;
} block;

/* Sums of a block's deviations from the first d of scratch. Of the sums the first d are left. */
static void sum_block(const block *b) {
    const ptrdiff_t fold = rows_folded(b->d), width = fold * b->d, folded = b->rows / fold;
    const ptrdiff_t step = b->step == 0 ? 0 : width;
    real *shift = b->scratch, *sum1 = shift + width, *sum2 = sum1 + width, *w = sum2 + width;
    repeat(shift, b->d, fold);
    memset(sum1, 0, (size_t)(2 * width) * sizeof(real));
    for (ptrdiff_t r = 0; r * fold < b->rows; r += DEPTH) {
        const ptrdiff_t depth = folded - r < DEPTH ? folded - r : DEPTH;
        const ptrdiff_t over = depth < DEPTH ? b->rows - folded * fold : 0;
        const real *X = b->X + r * width;
        if (step != 0)
            spread(b->weights + r * fold, 1, depth * fold + over, b->d, w);
        add_deviations(X, depth, width, width, w, step, shift, sum1, sum2);
        add_deviations(X + depth * width, 1, width, over * b->d, w + depth * step, step, shift,
                       sum1, sum2);
    }
    unfold(sum1, b->d);
    unfold(sum2, b->d);
}

/* Chan, Golub and LeVeque (1979), eq. 2.1: joins a block's moments about its shift to the state. */
static void merge_block(const block *b, double weight, double *count, double *mean, double *m2) {
    const real *sum1 = b->scratch + rows_folded(b->d) * b->d, *sum2 = sum1 + (sum1 - b->scratch);
    const double before = *count, after = before + weight, part = weight / after;
    for (ptrdiff_t j = 0; j < b->d; j++) {
        const double own = (double)sum1[j] * (1 / weight);
        const double delta = (double)b->scratch[j] + own - mean[j];
        m2[j] += (double)sum2[j] - (double)sum1[j] * own + delta * delta * (before * part);
        mean[j] += delta * part;
    }
    *count = after;
}

/* The block's mean as its shift, and as the mean of a state without rows: summed about its first
 * row of any weight. */
static void shift_to_own_mean(const block *b, double weight, double count, double *mean) {
    const real *sum1 = b->scratch + rows_folded(b->d) * b->d;
    memcpy(b->scratch, b->X + first_weighty(b->weights, b->step) * b->d,
           (size_t)b->d * sizeof(real));
    sum_block(b);
    for (ptrdiff_t j = 0; j < b->d; j++) {
        const double own = (double)b->scratch[j] + (double)sum1[j] / weight;
        b->scratch[j] = (real)own;
        mean[j] = count == 0 ? own : mean[j];
    }
}

/* Adds n rows to the moments (count, mean, m2) of d columns, in blocks of HMLC_BLOCK_ROWS.
 *   X n x d; weights n, step 1, or one weight for all, step 0; count 1, the sum of weights; mean,
 * m2 d; scratch (step ? 19 : 4) * width, width d or, below 4 LANES, LANES * d. Deviations are taken
 * from the mean so far (of a block that outweighs all before it GROWTH times: from its first row,
 * then its mean), so a constant column has m2 = 0 exactly and nothing cancels when the mean is far
 * from 0. Rows of weight 0 are as if absent, but for what is no number. Sums: within a block rows
 * r, r + fold, ... in order, then those in a tree; blocks in float64. */
static void update(const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights, ptrdiff_t step,
                   double *count, double *mean, double *m2, real *scratch) {
    if (step == 0)
        spread(weights, 0, rows_folded(d), d, scratch + 3 * rows_folded(d) * d);
    for (ptrdiff_t r = 0; r < n; r += HMLC_BLOCK_ROWS) {
        const ptrdiff_t rows = n - r < HMLC_BLOCK_ROWS ? n - r : HMLC_BLOCK_ROWS;
        const block b = {X + r * d, weights + r * step, rows, d, step, scratch};
        const double weight = total_weight(b.weights, step, rows);
        if (weight == 0)
            continue;
        if (weight > GROWTH * *count)
            shift_to_own_mean(&b, weight, *count, mean);
        else
            for (ptrdiff_t j = 0; j < d; j++)
                scratch[j] = (real)mean[j];
        sum_block(&b);
        merge_block(&b, weight, count, mean, m2);
    }
}

/* out = (x - mean) / scale over a stretch of values. A division is a product with 1 / scale and
 * the correction of its remainder (Markstein 1990), which a processor does many times faster. */
static void divide(const real *x, ptrdiff_t length, const real *mean, const real *scale,
                   const real *inverse, real *out) {
    ptrdiff_t j = 0;
    for (; j + LANES <= length; j += LANES) {
        const vec a = v_sub(v_load(x + j), v_load(mean + j)), i = v_load(inverse + j);
        const vec q = v_mul(a, i);
        const vec remainder = v_fma(v_sub(v_set(0), q), v_load(scale + j), a);
        v_store(out + j, v_fma(remainder, i, q));
    }
    for (; j < length; j++) {
        const real a = x[j] - mean[j], q = a * inverse[j];
        out[j] = r_fma(r_fma(-q, scale[j], a), inverse[j], q);
    }
}

/* out = (X - mean) / scale, each column with its own, scale > 0.
 *   X, out n x d; mean, scale d; scratch 3 * d * LANES. */
static void standardise(const real *X, ptrdiff_t n, ptrdiff_t d, const real *mean,
                        const real *scale, real *out, real *scratch) {
    const ptrdiff_t fold = rows_folded(d), width = fold * d;
    real *means = scratch, *scales = means + width, *inverse = scales + width;
    for (ptrdiff_t j = 0; j < d; j++) {
        means[j] = mean[j];
        scales[j] = scale[j];
        inverse[j] = 1 / scale[j];
    }
    repeat(means, d, fold);
    repeat(scales, d, fold);
    repeat(inverse, d, fold);
    for (ptrdiff_t r = 0; r < n; r += fold) {
        const ptrdiff_t rows = n - r < fold ? n - r : fold;
        divide(X + r * d, rows * d, means, scales, inverse, out + r * d);
    }
}

HMLC_TABLE(moments, MOMENTS_KERNELS)
