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

#include "nearest.h"

#include "k_means.h"

enum { MOST_COPIES = 8 };

typedef struct {
    ptrdiff_t k, d, stride, copies;
    const real *shift; /* stride, zeros past d */
    const real *one;   /* stride, 1 in column d and zeros elsewhere */
    real *block;       /* a block's sums: copies x k x stride, of which column d counts the rows,
                        * stride > d a multiple of LANES; or k x (d + 1) x LANES */
    double *sums;      /* k x d */
    int64_t *counts;   /* k */
} cluster_sums;

static cluster_sums new_cluster_sums(const search *s, double *sums, int64_t *counts,
                                     real *scratch) {
    const ptrdiff_t k = s->k, d = s->d, stride = panels_of(d + 1) * LANES;
    cluster_sums c = {.k = k, .d = d, .stride = stride, .sums = sums, .counts = counts};
    c.copies = k_means_copies(k, d);
    c.shift = scratch;
    c.one = scratch + stride;
    c.block = scratch + 2 * stride;
    const int in_lanes = k_means_in_lanes(k, d);
    const ptrdiff_t size = in_lanes ? K_MEANS_LANE_SUMS * LANES : c.copies * k * stride;
    memset(scratch, 0, (size_t)(2 * stride + size) * sizeof(real));
    memcpy(scratch, s->shift, (size_t)d * sizeof(real));
    scratch[stride + d] = 1;
    return c;
}

/* Where copy i & (copies - 1) of the sums begins, for i < MOST_COPIES. */
INLINE void find_copies(const cluster_sums *c, real *starts[]) {
    UNROLL for (int i = 0; i < MOST_COPIES; i++) {
        starts[i] = c->block + (i & (c->copies - 1)) * c->k * c->stride;
    }
}

/* Adds rows of less than LANES columns to copies of the sums, and 1 in the lane after them. Past
 * that the row after is read, whose values land where nothing looks. */
static void add_narrow_rows(const cluster_sums *c, const real *x, ptrdiff_t rows,
                            const real *index) {
    const ptrdiff_t d = c->d;
    const vec shift = v_load(c->shift), one = v_set(1);
    const mask is_count = v_less(v_set(0), v_load(c->one));
    real *starts[MOST_COPIES];
    find_copies(c, starts);
    for (ptrdiff_t i = 0; i < rows; i += MOST_COPIES)
        UNROLL for (int u = 0; u < MOST_COPIES; u++, x += d) {
            real *sum = starts[u] + (ptrdiff_t)index[i + u] * LANES;
            const vec row = v_select(is_count, one, v_sub(v_load(x), shift));
            v_store(sum, v_add(v_load(sum), row));
        }
}

/* Adds rows to copies of the sums: row i to copy i & (copies - 1). */
static void add_to_copies(const cluster_sums *c, const real *x, ptrdiff_t rows, const real *index) {
    const ptrdiff_t d = c->d;
    const real *shift = c->shift;
    for (ptrdiff_t i = 0; i < rows; i++, x += d) {
        const ptrdiff_t label = (ptrdiff_t)index[i];
        real *sum = c->block + ((i & (c->copies - 1)) * c->k + label) * c->stride;
        ptrdiff_t p = 0;
        for (; p + LANES <= d; p += LANES)
            v_store(sum + p, v_add(v_load(sum + p), v_sub(v_load(x + p), v_load(shift + p))));
        for (; p < d; p++)
            sum[p] += x[p] - shift[p];
        sum[d] += 1;
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
static void add_to_sums(const cluster_sums *c, const real *x, ptrdiff_t rows, const real *index) {
    const ptrdiff_t d = c->d;
    const real *shift = c->shift;
    for (ptrdiff_t i = 0; i < rows; i++, x += d) {
        const ptrdiff_t label = (ptrdiff_t)index[i];
        double *sum = c->sums + label * d;
        real lanes[LANES];
        ptrdiff_t p = 0;
        for (; p + LANES <= d; p += LANES) {
            v_store(lanes, v_sub(v_load(x + p), v_load(shift + p)));
            add_to_doubles(sum + p, lanes, LANES);
        }
        for (; p < d; p++)
            sum[p] += (double)(x[p] - shift[p]);
        c->counts[label] += 1;
    }
}

/* Adds the first `rows` of `left` rows, at most WIDTH, by their labels in `index`. */
static void add_rows(const cluster_sums *c, const real *x, ptrdiff_t rows, ptrdiff_t left,
                     const real *index) {
    if (c->copies == 0)
        add_to_sums(c, x, rows, index);
    else if (c->d < LANES && rows % MOST_COPIES == 0 && (left - rows) * c->d >= LANES)
        add_narrow_rows(c, x, rows, index);
    else
        add_to_copies(c, x, rows, index);
}

/* Carries the copies of a block's sums to float64, in order, and clears them. */
static void carry_copies(const cluster_sums *c) {
    const ptrdiff_t d = c->d, distance = c->k * c->stride;
    for (ptrdiff_t j = 0; j < c->k; j++) {
        real lanes[LANES];
        for (ptrdiff_t p = 0; p < c->stride; p += LANES) {
            real *from = c->block + j * c->stride + p;
            vec sum = v_set(0);
            for (ptrdiff_t copy = 0; copy < c->copies; copy++, from += distance) {
                sum = v_add(sum, v_load(from));
                v_store(from, v_set(0));
            }
            v_store(lanes, sum);
            add_to_doubles(c->sums + j * d + p, lanes, smaller(d - p, LANES));
        }
        c->counts[j] += (int64_t)lanes[d % LANES];
    }
}

/* The sum by lanes of those of a block's vectors whose label is `cluster`. */
INLINE vec sum_where(ptrdiff_t vectors, const real *index, real cluster, const real *column,
                     ptrdiff_t group) {
    vec sum = v_set(0);
    for (ptrdiff_t q = 0; q < vectors; q++) {
        const vec x = v_load(column + q / GROUP * group + q % GROUP * LANES);
        const mask is_its = v_equal(v_load(index + q * LANES), v_set(cluster));
        sum = v_select(is_its, v_add(sum, x), sum);
    }
    return sum;
}

INLINE vec count_where(ptrdiff_t vectors, const real *index, real cluster) {
    vec sum = v_set(0);
    for (ptrdiff_t q = 0; q < vectors; q++) {
        const mask is_its = v_equal(v_load(index + q * LANES), v_set(cluster));
        sum = v_select(is_its, v_add(sum, v_set(1)), sum);
    }
    return sum;
}

/* Adds a block's packed rows by lanes. `index` is -1 past the last row. */
static void add_packed_rows(const cluster_sums *c, const real *groups, ptrdiff_t rows,
                            const real *index) {
    const ptrdiff_t k = c->k, d = c->d, vectors = panels_of(rows);
    for (ptrdiff_t j = 0; j < k; j++) {
        real *to = c->block + j * (d + 1) * LANES;
        for (ptrdiff_t p = 0; p < d; p++)
            v_store(to + p * LANES,
                    sum_where(vectors, index, (real)j, groups + p * WIDTH, d * WIDTH));
        v_store(to + d * LANES, count_where(vectors, index, (real)j));
    }
    real totals[K_MEANS_LANE_SUMS];
    for (ptrdiff_t i = 0; i < K_MEANS_LANE_SUMS; i += LANES)
        v_store(totals + i, sum_each(c->block + i * LANES));
    const real *total = totals;
    for (ptrdiff_t j = 0; j < k; j++) {
        for (ptrdiff_t p = 0; p < d; p++)
            c->sums[j * d + p] += (double)*total++;
        c->counts[j] += (int64_t)*total++;
    }
}

/* Sums of squared distances from own centres, four rows at a time, a column in every lane. */
typedef struct {
    ptrdiff_t d, stride;
    const real *centres; /* k x stride, stride >= LANES, zeros past d */
    real tail[LANES];    /* 1 in the lanes of columns that no whole vector before them has */
    vec sum[4];
} squares;

/* Where rows are shorter than a vector the centres are copied to `scratch`, k x LANES. */
static squares new_squares(const real *centres, ptrdiff_t k, ptrdiff_t d, real *scratch) {
    squares s = {.d = d, .stride = d, .centres = centres};
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
INLINE void add_squares(int rows, int can_read, squares *s, const real *x, const real *index) {
    const ptrdiff_t d = s->d, last = d < LANES ? 0 : d - LANES;
    const real *centre[4];
    UNROLL for (int u = 0; u < rows; u++) {
        centre[u] = s->centres + (ptrdiff_t)index[u] * s->stride;
    }
    for (ptrdiff_t p = 0; p + LANES <= d; p += LANES) {
        UNROLL for (int u = 0; u < rows; u++) {
            const vec e = v_sub(v_load(x + u * d + p), v_load(centre[u] + p));
            s->sum[u] = v_fma(e, e, s->sum[u]);
        }
    }
    if (d % LANES == 0)
        return;
    const mask is_new = v_less(v_set(0), v_load(s->tail));
    UNROLL for (int u = 0; u < rows; u++) {
        const real *from = x + u * d + last;
        const vec row = can_read ? v_load(from) : v_load_part(from, d, 0);
        const vec e = v_select(is_new, v_sub(row, v_load(centre[u] + last)), v_set(0));
        s->sum[u] = v_fma(e, e, s->sum[u]);
    }
}

/* The sum over a block's rows, `left` of which and of those after them exist. */
static double block_squares(squares *s, const real *x, ptrdiff_t rows, ptrdiff_t left,
                            const real *index) {
    ptrdiff_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        if (s->d >= LANES || (left - i - 3) * s->d >= LANES)
            add_squares(4, 1, s, x + i * s->d, index + i);
        else
            add_squares(4, 0, s, x + i * s->d, index + i);
    }
    for (; i < rows; i++) {
        if (s->d >= LANES)
            add_squares(1, 1, s, x + i * s->d, index + i);
        else
            add_squares(1, 0, s, x + i * s->d, index + i);
    }
    const real total = v_sum(v_add(v_add(s->sum[0], s->sum[1]), v_add(s->sum[2], s->sum[3])));
    for (int u = 0; u < 4; u++)
        s->sum[u] = v_set(0);
    return (double)total;
}

#endif
