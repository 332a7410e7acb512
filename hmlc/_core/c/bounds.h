/* Lloyd's step with bounds: of long rows, only those are read whose nearest centre may have
 * changed.
 *
 * Every row keeps an upper bound of the distance from its own centre and a lower bound of that from
 * each other one. A centre that moves by s changes a distance by s at most. Where the least lower
 * bound stays above the upper one the label is known without the row: Elkan, "Using the triangle
 * inequality to accelerate k-means", ICML 2003; here all of a row's bounds are made anew when one
 * fails, since to read the row is what costs.
 *
 * The labels are those of `lloyd`, ties and rounding included: the scores x.c - |c|^2/2 are the
 * same chains of FMAs, and a row is passed over only if its distances differ by more than scores
 * can be wrong (see `slack_of`).
 *
 * Long rows come with few centres here, so these lie across the lanes and no row is transposed.
 */
#ifndef HMLC_BOUNDS_H
#define HMLC_BOUNDS_H

#include "long_rows.h"

/* How wrong scores can be: see slack_of. */
typedef struct {
    real reach; /* 2 max |c| */
    real error;
} doubt;

/* Of k centres of d columns, half: -|c|^2 / 2. */
static doubt new_doubt(const real *half, ptrdiff_t k, ptrdiff_t d) {
    real least = 0;
    for (ptrdiff_t j = 0; j < k; j++)
        least = half[j] < least ? half[j] : least;
    return (doubt){.reach = 2 * (real)sqrt(-2 * (double)least),
                   .error = (real)(4 * (d + 4)) * EPSILON};
}

/* How far |x|^2 - 2 (x.c - |c|^2/2) as computed may be from |x - c|^2, times two and more, where
 * size >= |x| + 2 max |c|. Sums of d products are wrong by d eps/2 of the sum of their magnitudes
 * (d eps without FMA; Higham, "Accuracy and Stability of Numerical Algorithms", 2002, eq. 3.5), and
 * |x|^2 + 2 |x||c| + |c|^2 <= size^2; the rest of 4 (d + 4) eps covers what is done to bounds
 * afterwards. The least normal number covers underflow. */
INLINE vec slack_of(doubt b, vec size) {
    return v_fma(v_mul(v_set(b.error), size), size, v_set(LEAST_NORMAL));
}

/* |x - shift - c|^2, without a shift |x - c|^2, by differences: LANES interleaved sums, the tree of
 * v_sum, then the rest in order. */
INLINE real square_from(const real *x, const real *shift, const real *c, ptrdiff_t d) {
    vec sum = v_set(0);
    ptrdiff_t p = 0;
    for (; p + LANES <= d; p += LANES) {
        const vec row = shift ? v_sub(v_load(x + p), v_load(shift + p)) : v_load(x + p);
        const vec e = v_sub(row, v_load(c + p));
        sum = v_fma(e, e, sum);
    }
    real square = p > 0 ? v_sum(sum) : 0;
    for (; p < d; p++) {
        const real e = (shift ? x[p] - shift[p] : x[p]) - c[p];
        square = r_fma(e, e, square);
    }
    return square;
}

/* Moves the bounds of LANES rows, `left` of which exist, by the centres' steps, outward by two
 * roundings; is_open[lane] = whether the row's nearest centre must be found anew. */
static void move_bounds(doubt b, ptrdiff_t k, const real *steps, const int32_t *labels,
                        ptrdiff_t left, real *lower, ptrdiff_t stride, real *upper, real *is_open) {
    const vec down = v_set(1 - EPSILON), up = v_set(1 + EPSILON), infinity = v_set((real)INFINITY);
    real own[LANES];
    for (ptrdiff_t i = 0; i < LANES; i++)
        own[i] = i < left && labels[i] >= 0 ? steps[labels[i]] : (real)INFINITY;
    vec next = infinity;
    for (ptrdiff_t j = 0; j < k; j++, lower += stride) {
        const vec bound = v_mul(v_sub(v_load_upto(lower, left, 0), v_set(steps[j])), down);
        v_store_upto(lower, left, bound);
        next = v_min(next, bound);
    }
    const vec bound = v_mul(v_add(v_load_upto(upper, left, 0), v_load(own)), up);
    v_store_upto(upper, left, bound);
    const vec gap = v_mul(v_sub(next, bound), v_add(next, bound));
    const mask is_known = v_less(slack_of(b, v_add(bound, v_set((real)1.5 * b.reach))), gap);
    /* The product is positive too where next < -bound. */
    const mask is_apart = v_less(bound, next);
    v_store(is_open, v_select(is_known, v_select(is_apart, v_set(0), v_set(1)), v_set(1)));
}

/* Replaces the rows' scores by lower bounds of their distances, infinite at their own centres;
 * returns upper ones of those from there. */
INLINE vec bound_distances(const long_rows *l, doubt b, vec index, vec best) {
    const vec square = v_load(l->scores + l->k * LANES), two = v_set(-2);
    const vec slack = slack_of(b, v_add(v_sqrt(square), v_set(b.reach)));
    for (ptrdiff_t j = 0; j < l->k; j++) {
        const vec other = v_fma(two, v_load(l->scores + j * LANES), square);
        const vec bound = v_sqrt(v_max(v_set(0), v_sub(other, slack)));
        const mask is_own = v_equal(index, v_set((real)j));
        v_store(l->scores + j * LANES, v_select(is_own, v_set((real)INFINITY), bound));
    }
    const vec own = v_max(v_set(0), v_fma(two, best, square));
    return v_sqrt(v_add(own, slack));
}

/* Adds factor * (x - shift) for `count` columns to `to`, and takes it from `from`, if that is one.
 * Compilers vectorise a loop whose length is a constant. */
INLINE void move_columns(ptrdiff_t count, const real *x, const real *shift, double factor,
                         double *restrict from, double *restrict to) {
    for (ptrdiff_t i = 0; i < count; i++)
        to[i] += factor * (double)(x[i] - shift[i]);
    for (ptrdiff_t i = 0; from && i < count; i++)
        from[i] -= factor * (double)(x[i] - shift[i]);
}

/* Takes a row from the sums of cluster `from`, if that is one, and adds it to those of `to`. */
static void change_cluster(const real *x, const real *shift, ptrdiff_t d, real weight, int32_t from,
                           int32_t to, double *sums) {
    double *old = from < 0 ? NULL : sums + from * d, *new = sums + to *d;
    ptrdiff_t p = 0;
    for (; p + LANES <= d; p += LANES)
        move_columns(LANES, x + p, shift + p, (double)weight, old ? old + p : NULL, new + p);
    move_columns(d - p, x + p, shift + p, (double)weight, old ? old + p : NULL, new + p);
}

#endif
