/* Sums of rows by cluster, and of their squared distances from centres.
 *
 * Which row is whose is known only when it is read, so a sum is an addition to memory that waits
 * for the one before it. There are three ways around that, by shape alone:
 *   - So few clusters and columns that a vector of sums for each stays at hand: lanes take rows,
 * and a row is added where its lane's label is the cluster's.
 *   - Few clusters: rows of a block are added to several copies of the sums in turn.
 *   - Many: a row seldom meets the cluster of the row before. There is one copy, in float64, for to
 *     carry so many sums to float64 after every block would cost more than the additions.
 */
#ifndef HMLC_CLUSTER_SUMS_H
#define HMLC_CLUSTER_SUMS_H

#include "lanes.h"
#include "nearest.h"

#include "k_means.h"

enum { MOST_COPIES = 8, MOST_COLUMNS = 3 };

typedef struct {
    ptrdiff_t k, d, copies, weight_step;
    ptrdiff_t stride, k_stride; /* d and k, rounded up to whole vectors */
    const real *shift;          /* stride, zeros past d */
    real *block;                /* a block's sums: copies x k x stride, or k x (d + 1) x LANES */
    real *weights;              /* of a block: copies x k_stride */
    double *sums;               /* k x d */
    double *counts;             /* k: sums of weights */
} cluster_sums;

static cluster_sums new_cluster_sums(const search *s, ptrdiff_t weight_step, double *sums,
                                     double *counts, real *scratch) {
    const ptrdiff_t k = s->k, d = s->d, stride = panels_of(d) * LANES;
    cluster_sums c = {.k = k, .d = d, .stride = stride, .weight_step = weight_step};
    c.k_stride = panels_of(k) * LANES;
    c.sums = sums;
    c.counts = counts;
    c.copies = k_means_copies(k, d);
    c.shift = scratch;
    c.block = scratch + stride;
    const int in_lanes = k_means_in_lanes(k, d);
    const ptrdiff_t size = in_lanes ? K_MEANS_LANE_SUMS * LANES : c.copies * k * stride;
    c.weights = c.block + size;
    memset(scratch, 0, (size_t)(stride + size + c.copies * c.k_stride) * sizeof(real));
    memcpy(scratch, s->shift, (size_t)d * sizeof(real));
    return c;
}

/* Adds rows of at most LANES columns, of which `regs` registers are read, a constant, to copies of
 * the sums: row i to copy i & (copies - 1). Past a row's end that is the row after, whose values
 * land where nothing looks. */
INLINE void add_narrow_rows(int regs, const cluster_sums *c, const real *x, ptrdiff_t rows,
                            const real *weights, const real *index) {
    const ptrdiff_t d = c->d;
    const vec shift = v_load_first(regs, c->shift);
    real *sums[MOST_COPIES], *counts[MOST_COPIES];
    UNROLL for (int u = 0; u < MOST_COPIES; u++) {
        sums[u] = c->block + (u & (c->copies - 1)) * c->k * LANES;
        counts[u] = c->weights + (u & (c->copies - 1)) * c->k_stride;
    }
    for (ptrdiff_t i = 0; i < rows; i += MOST_COPIES)
        UNROLL for (int u = 0; u < MOST_COPIES; u++, x += d) {
            const ptrdiff_t label = (ptrdiff_t)index[i + u];
            real *sum = sums[u] + label * LANES;
            const vec row = v_sub(v_load_first(regs, x), shift);
            const vec total = v_fma(v_set(weights[i + u]), row, v_load_first(regs, sum));
            v_store_first(regs, sum, total);
            counts[u][label] += weights[i + u];
        }
}

/* Adds rows to copies of the sums: row i to copy i & (copies - 1). */
static void add_to_copies(const cluster_sums *c, const real *x, ptrdiff_t rows, const real *weights,
                          const real *index) {
    const ptrdiff_t d = c->d;
    const real *shift = c->shift;
    for (ptrdiff_t i = 0; i < rows; i++, x += d) {
        const ptrdiff_t label = (ptrdiff_t)index[i], copy = i & (c->copies - 1);
        const vec weight = v_set(weights[i]);
        real *sum = c->block + (copy * c->k + label) * c->stride;
        ptrdiff_t p = 0;
        for (; p + LANES <= d; p += LANES)
            v_store(sum + p,
                    v_fma(weight, v_sub(v_load(x + p), v_load(shift + p)), v_load(sum + p)));
        for (; p < d; p++)
            sum[p] = r_fma(weights[i], x[p] - shift[p], sum[p]);
        c->weights[copy * c->k_stride + label] += weights[i];
    }
}

/* sum[i] += values[i], i < count. Compilers vectorise a loop whose length is a constant. */
INLINE void add_to_doubles(double *sum, const real *values, ptrdiff_t count) {
    ptrdiff_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int u = 0; u < 8; u++)
            sum[i + u] += (double)values[i + u];
    for (; i < count; i++)
        sum[i] += (double)values[i];
}

/* Adds rows to the sums themselves. */
static void add_to_sums(const cluster_sums *c, const real *x, ptrdiff_t rows, const real *weights,
                        const real *index) {
    const ptrdiff_t d = c->d;
    const real *shift = c->shift;
    for (ptrdiff_t i = 0; i < rows; i++, x += d, weights += c->weight_step) {
        const ptrdiff_t label = (ptrdiff_t)index[i];
        const vec weight = v_set(*weights);
        double *sum = c->sums + label * d;
        real lanes[LANES];
        ptrdiff_t p = 0;
        for (; p + LANES <= d; p += LANES) {
            v_store(lanes, v_mul(weight, v_sub(v_load(x + p), v_load(shift + p))));
            add_to_doubles(sum + p, lanes, LANES);
        }
        for (; p < d; p++)
            sum[p] += (double)(*weights * (x[p] - shift[p]));
        c->counts[label] += (double)*weights;
    }
}

/* weights[r] of a block's rows, and zeros up to a whole vector. */
INLINE void fill_weights(const real *from, ptrdiff_t step, ptrdiff_t rows, real *weights) {
    if (step == 0)
        for (ptrdiff_t r = 0; r < rows; r += LANES)
            v_store(weights + r, v_set(*from));
    else
        memcpy(weights, from, (size_t)rows * sizeof(real));
    for (ptrdiff_t r = rows; r < panels_of(rows) * LANES; r++)
        weights[r] = 0;
}

/* Adds the first `rows` of `left` rows, at most HMLC_BLOCK_ROWS, by their labels in `index`. */
static void add_rows(const cluster_sums *c, const real *x, ptrdiff_t rows, ptrdiff_t left,
                     const real *weights, const real *index) {
    if (c->copies == 0) {
        add_to_sums(c, x, rows, weights, index);
        return;
    }
    const ptrdiff_t d = c->d;
    real own[HMLC_BLOCK_ROWS];
    fill_weights(weights, c->weight_step, rows, own);
    if (d > LANES || rows % MOST_COPIES != 0 || (left - rows) * d < LANES - d)
        add_to_copies(c, x, rows, own, index);
    else if (d <= LANES / 2)
        add_narrow_rows(HALF, c, x, rows, own, index);
    else
        add_narrow_rows(REGS, c, x, rows, own, index);
}

/* The sum of a vector's copies, `distance` apart, in order, and clears them. */
INLINE vec take_copies(const cluster_sums *c, real *from, ptrdiff_t distance) {
    vec sum = v_set(0);
    for (ptrdiff_t copy = 0; copy < c->copies; copy++, from += distance) {
        sum = v_add(sum, v_load(from));
        v_store(from, v_set(0));
    }
    return sum;
}

/* Carries the copies of a block's sums to float64, and clears them. */
static void carry_copies(const cluster_sums *c) {
    const ptrdiff_t k = c->k, d = c->d;
    real lanes[LANES];
    for (ptrdiff_t j = 0; j < k; j++)
        for (ptrdiff_t p = 0; p < c->stride; p += LANES) {
            v_store(lanes, take_copies(c, c->block + j * c->stride + p, k * c->stride));
            add_to_doubles(c->sums + j * d + p, lanes, smaller(d - p, LANES));
        }
    for (ptrdiff_t j = 0; j < k; j += LANES) {
        v_store(lanes, take_copies(c, c->weights + j, c->k_stride));
        add_to_doubles(c->counts + j, lanes, smaller(k - j, LANES));
    }
}

/* By lanes, the weight of a block's rows whose label is `cluster`, to[d * LANES], and their
 * weighted sums of `count` columns, a constant: so many chains of additions that do not wait for
 * each other.
 */
INLINE void sum_columns(int count, ptrdiff_t vectors, const real *index, real cluster,
                        const real *weights, const real *columns, ptrdiff_t d, real *to,
                        real *total) {
    vec sum[MOST_COLUMNS], whole = v_set(0);
    UNROLL for (int p = 0; p < count; p++) {
        sum[p] = v_set(0);
    }
    for (ptrdiff_t q = 0; q < vectors; q++) {
        const real *x = columns + q / GROUP * d * WIDTH + q % GROUP * LANES;
        const mask is_its = v_equal(v_load(index + q * LANES), v_set(cluster));
        const vec weight = v_select(is_its, v_load(weights + q * LANES), v_set(0));
        whole = v_add(whole, weight);
        UNROLL for (int p = 0; p < count; p++) {
            sum[p] = v_fma(weight, v_load(x + p * WIDTH), sum[p]);
        }
    }
    UNROLL for (int p = 0; p < count; p++) {
        v_store(to + p * LANES, sum[p]);
    }
    v_store(total, whole);
}

/* Adds a block's packed rows by lanes. `index` is -1 past the last row. */
static void add_packed_rows(const cluster_sums *c, const real *groups, ptrdiff_t rows,
                            const real *weights, const real *index) {
    const ptrdiff_t k = c->k, d = c->d, vectors = panels_of(rows);
    real own[HMLC_BLOCK_ROWS];
    fill_weights(weights, c->weight_step, rows, own);
    for (ptrdiff_t j = 0; j < k; j++) {
        real *to = c->block + j * (d + 1) * LANES, *total = to + d * LANES;
        for (ptrdiff_t p = 0; p < d; p += MOST_COLUMNS, to += MOST_COLUMNS * LANES) {
            const real *columns = groups + p * WIDTH;
            switch (smaller(d - p, MOST_COLUMNS)) {
            case 1:
                sum_columns(1, vectors, index, (real)j, own, columns, d, to, total);
                break;
            case 2:
                sum_columns(2, vectors, index, (real)j, own, columns, d, to, total);
                break;
            default:
                sum_columns(3, vectors, index, (real)j, own, columns, d, to, total);
            }
        }
    }
    real totals[K_MEANS_LANE_SUMS];
    for (ptrdiff_t i = 0; i < K_MEANS_LANE_SUMS; i += LANES)
        v_store(totals + i, v_sum_rows(c->block + i * LANES, LANES));
    const real *total = totals;
    for (ptrdiff_t j = 0; j < k; j++) {
        for (ptrdiff_t p = 0; p < d; p++)
            c->sums[j * d + p] += (double)*total++;
        c->counts[j] += (double)*total++;
    }
}

/* Weighted sums of squared distances from own centres, four rows at a time, a column in every
 * lane. */
typedef struct {
    ptrdiff_t d, stride, weight_step;
    const real *centres; /* k x stride, stride >= LANES, zeros past d */
    real tail[LANES];    /* 1 in the lanes of columns that no whole vector before them has */
    vec sum[4];
} squares;

/* Where rows are shorter than a vector the centres are copied to `scratch`, k x LANES. */
static squares new_squares(const real *centres, ptrdiff_t k, ptrdiff_t d, ptrdiff_t weight_step,
                           real *scratch) {
    squares s = {.d = d, .stride = d, .weight_step = weight_step, .centres = centres};
    const ptrdiff_t rest = d % LANES;
    for (ptrdiff_t i = 0; i < LANES; i++)
        s.tail[i] = d < LANES ? i < d : i >= LANES - rest;
    if (d < LANES) {
        s.stride = LANES;
        s.centres = scratch;
        memset(scratch, 0, (size_t)(k * LANES) * sizeof(real));
        for (ptrdiff_t j = 0; j < k; j++)
            memcpy(scratch + j * LANES, centres + j * d, (size_t)d * sizeof(real));
    }
    for (int u = 0; u < 4; u++)
        s.sum[u] = v_set(0);
    return s;
}

/* Adds `rows` rows, a constant; `can_read` says whether LANES reals can be read of each. */
INLINE void add_squares(int rows, int can_read, squares *s, const real *x, const real *weights,
                        const real *index) {
    const ptrdiff_t d = s->d, last = d < LANES ? 0 : d - LANES;
    const real *centre[4];
    UNROLL for (int u = 0; u < rows; u++) {
        centre[u] = s->centres + (ptrdiff_t)index[u] * s->stride;
    }
    for (ptrdiff_t p = 0; p + LANES <= d; p += LANES) {
        UNROLL for (int u = 0; u < rows; u++) {
            const vec e = v_sub(v_load(x + u * d + p), v_load(centre[u] + p));
            s->sum[u] = v_fma(v_mul(v_set(weights[u * s->weight_step]), e), e, s->sum[u]);
        }
    }
    if (d % LANES == 0)
        return;
    const mask is_new = v_less(v_set(0), v_load(s->tail));
    UNROLL for (int u = 0; u < rows; u++) {
        const real *from = x + u * d + last;
        const vec row = can_read ? v_load(from) : v_load_part(from, d, 0);
        const vec e = v_select(is_new, v_sub(row, v_load(centre[u] + last)), v_set(0));
        s->sum[u] = v_fma(v_mul(v_set(weights[u * s->weight_step]), e), e, s->sum[u]);
    }
}

/* The sum over a block's rows, `left` of which and of those after them exist. */
static double block_squares(squares *s, const real *x, ptrdiff_t rows, ptrdiff_t left,
                            const real *weights, const real *index) {
    ptrdiff_t i = 0;
    for (; i + 4 <= rows; i += 4, weights += 4 * s->weight_step) {
        if (s->d >= LANES || (left - i - 3) * s->d >= LANES)
            add_squares(4, 1, s, x + i * s->d, weights, index + i);
        else
            add_squares(4, 0, s, x + i * s->d, weights, index + i);
    }
    for (; i < rows; i++, weights += s->weight_step) {
        if (s->d >= LANES)
            add_squares(1, 1, s, x + i * s->d, weights, index + i);
        else
            add_squares(1, 0, s, x + i * s->d, weights, index + i);
    }
    const real total = v_sum(v_add(v_add(s->sum[0], s->sum[1]), v_add(s->sum[2], s->sum[3])));
    for (int u = 0; u < 4; u++)
        s->sum[u] = v_set(0);
    return (double)total;
}

#endif
