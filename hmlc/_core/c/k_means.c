/* k-means: Lloyd's step, inertia and distances, and the k-means++ sweeps. The n x k distances exist
 * only where they are what is asked for. */
#include "bounds.h"
#include "cluster_sums.h"
#include "hamerly.h"
#include "nearest.h"
#include "seeding.h"

#include "k_means.h"

/* One step of Lloyd (1982): sums[j] and counts[j] take w (x - shift) and weight w of the rows whose
 * nearest centre is j (of equals the first).
 *   X n x d; weights: row r's is weights[r * weight_step]; shift d; centres k x d, relative to
 * shift; sums k x d; counts k. k < 2^(MANTISSA + 1).
 * The expansion |x|^2 - 2 x.c + |c|^2 cancels where data lie far from the origin: shift near their
 * mean keeps it at the scale of their spread. Sums: see cluster_sums.h; within a block of
 * HMLC_BLOCK_ROWS by rows r, r + LANES, ... and the tree of v_sum, or r, r + copies, ... in order,
 * carried to float64; or row by row in float64. */
static void lloyd(const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights,
                  ptrdiff_t weight_step, const real *shift, const real *centres, ptrdiff_t k,
                  double *sums, double *counts, real *scratch) {
    real *rest;
    const search s = new_search(shift, centres, k, d, scratch, &rest);
    real *groups = s.group;
    const int in_lanes = k_means_in_lanes(k, d);
    if (in_lanes) {
        groups = aligned(rest);
        rest = groups + HMLC_BLOCK_ROWS * d;
    }
    const cluster_sums c = new_cluster_sums(&s, weight_step, sums, counts, rest);
    const ptrdiff_t at_once = is_short(d) ? HMLC_BLOCK_ROWS : WIDTH;
    for (ptrdiff_t b = 0; b < n; b += HMLC_BLOCK_ROWS) {
        const ptrdiff_t in_block = smaller(n - b, HMLC_BLOCK_ROWS);
        real index[HMLC_BLOCK_ROWS];
        for (ptrdiff_t r = 0; r < in_block; r += at_once) {
            const real *x = X + (b + r) * d;
            const ptrdiff_t rows = smaller(in_block - r, at_once), left = n - b - r;
            nearest_of_rows(&s, x, rows, left, groups, in_lanes ? d : 0, index + r);
            if (!in_lanes)
                add_rows(&c, x, rows, left, weights + (b + r) * weight_step, index + r);
        }
        if (in_lanes) {
            for (ptrdiff_t r = in_block; r < panels_of(in_block) * LANES; r++)
                index[r] = -1;
            add_packed_rows(&c, groups, in_block, weights + b * weight_step, index);
        } else if (c.copies > 0)
            carry_copies(&c);
    }
}

/* labels[r] = the centre nearest to row r (of equals the first), as in lloyd; counts[j] takes the
 * weights of centre j's rows, and *total the sum of w |x - centre|^2, by differences.
 *   X n x d; weights as in lloyd; shift d; near k x d: the centres relative to shift; centres k x
 * d; labels n; counts k; total 1. Sums of squares: within a block rows r, r + 4, ... by lanes, the
 * tree of v_sum, then float64. */
static void settle(const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights,
                   ptrdiff_t weight_step, const real *shift, const real *near, const real *centres,
                   ptrdiff_t k, int32_t *labels, double *counts, double *total, real *scratch) {
    real *rest;
    const search s = new_search(shift, near, k, d, scratch, &rest);
    squares own = new_squares(centres, k, d, weight_step, rest);
    for (ptrdiff_t b = 0; b < n; b += HMLC_BLOCK_ROWS) {
        const ptrdiff_t in_block = smaller(n - b, HMLC_BLOCK_ROWS);
        real index[HMLC_BLOCK_ROWS];
        nearest_of_rows(&s, X + b * d, in_block, n - b, s.group, 0, index);
        for (ptrdiff_t r = 0; r < in_block; r++) {
            labels[b + r] = (int32_t)index[r];
            counts[labels[b + r]] += (double)weights[(b + r) * weight_step];
        }
        *total += block_squares(&own, X + b * d, in_block, n - b, weights + b * weight_step, index);
    }
}

/* The step of lloyd for rows whose distances from the centres of the call before are bounded.
 *   X, weights, shift, centres, labels: as in lloyd; labels -1 where there was no call before.
 * steps k: how far each centre has moved since then, or more. lower k x n, rows `stride` apart, and
 * upper n, in and out: bounds of the distances, `lower` infinite for the row's own centre and
 * `upper` infinite where nothing is known. sums k x d take what rows with another label bring to
 * their new cluster and take from their old one. Sums: row by row in float64. */
static void lloyd_bounded(const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights,
                          ptrdiff_t weight_step, const real *shift, const real *centres,
                          ptrdiff_t k, const real *steps, int32_t *labels, real *lower,
                          ptrdiff_t stride, real *upper, double *sums, real *scratch) {
    real *rest;
    const long_rows l = new_long_rows(shift, centres, k, d, scratch, &rest);
    const doubt b = new_doubt(l.half, k, d);
    for (ptrdiff_t first = 0; first < n; first += HMLC_BLOCK_ROWS) {
        ptrdiff_t open[HMLC_BLOCK_ROWS], count = 0;
        for (ptrdiff_t r = first; r < smaller(n, first + HMLC_BLOCK_ROWS); r += LANES) {
            real is_open[LANES];
            move_bounds(b, k, steps, labels + r, n - r, lower + r, stride, upper + r, is_open);
            for (ptrdiff_t i = 0; i < smaller(n - r, LANES); i++)
                if (is_open[i] != 0)
                    open[count++] = r + i;
        }
        for (ptrdiff_t t = 0; t < count; t += LANES) {
            const ptrdiff_t rows = smaller(count - t, LANES);
            const real *x[LANES], *later[LANES];
            for (ptrdiff_t i = 0; i < LANES; i++) {
                x[i] = X + open[smaller(t + i, count - 1)] * d;
                later[i] = X + open[smaller(t + i + LANES, count - 1)] * d;
            }
            score_rows(&l, x, rows, later);
            real index[LANES], bound[LANES];
            vec best;
            const vec nearest = first_largest(&l, &best);
            v_store(index, nearest);
            v_store(bound, bound_distances(&l, b, nearest, best));
            for (ptrdiff_t i = 0; i < rows; i++) {
                const ptrdiff_t r = open[t + i];
                const int32_t label = (int32_t)index[i];
                upper[r] = bound[i];
                for (ptrdiff_t j = 0; j < k; j++)
                    lower[j * stride + r] = l.scores[j * LANES + i];
                if (label != labels[r]) {
                    change_cluster(x[i], shift, d, weights[r * weight_step], labels[r], label,
                                   sums);
                    labels[r] = label;
                }
            }
        }
    }
}

/* The step of lloyd for rows of which one bound is kept, where they are not long.
 *   X, weights, shift, sums, counts: as in lloyd. steps k: how far each centre has moved since the
 * call before, or more, the longest first; centres k x d in that order, relative to shift; clusters
 * k: whose they are, each once. labels n, in and out: those of the call before, -1 where there was
 * none; lower n, in and out: no more than the distances from all centres but the own; met 1 takes
 * how many pairs of row and centre were to be compared. Sums: as in lloyd, but row by row where
 * those are by lanes. */
static void lloyd_hamerly(const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights,
                          ptrdiff_t weight_step, const real *shift, const real *centres,
                          ptrdiff_t k, const real *steps, const int32_t *clusters, int32_t *labels,
                          real *lower, double *sums, double *counts, int64_t *met, real *scratch) {
    real *rest;
    const hamerly h = new_hamerly(shift, centres, k, d, steps, clusters, scratch, &rest);
    const search s = {.k = k, .d = d, .shift = shift};
    cluster_sums c = new_cluster_sums(&s, weight_step, sums, counts, rest);
    c.copies = k_means_in_lanes(k, d) ? 0 : c.copies;
    for (ptrdiff_t b = 0; b < n; b += HMLC_BLOCK_ROWS) {
        const ptrdiff_t in_block = smaller(n - b, HMLC_BLOCK_ROWS);
        real index[HMLC_BLOCK_ROWS];
        *met += relabel_block(&h, X + b * d, in_block, labels + b, lower + b);
        for (ptrdiff_t r = 0; r < in_block; r++)
            index[r] = (real)labels[b + r];
        for (ptrdiff_t r = 0; r < in_block; r += WIDTH)
            add_rows(&c, X + (b + r) * d, smaller(in_block - r, WIDTH), n - b - r,
                     weights + (b + r) * weight_step, index + r);
        if (c.copies > 0)
            carry_copies(&c);
    }
}

/* The labels of HMLC_FEW_ROWS rows, which need not be transposed: the scores of best_tile. */
static void assign_few(const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift,
                       const real *centres, ptrdiff_t k, int32_t *labels, real *scratch) {
    real *row = scratch, *half = row + d, *scores = half + k;
    fill_half(centres, k, d, half);
    for (ptrdiff_t r = 0; r < n; r++, X += d) {
        for (ptrdiff_t p = 0; p < d; p++)
            row[p] = X[p] - shift[p];
        row_product(row, centres, k, d, half, scores);
        real best = -(real)INFINITY;
        labels[r] = 0;
        for (ptrdiff_t j = 0; j < k; j++)
            if (best < scores[j]) {
                best = scores[j];
                labels[r] = (int32_t)j;
            }
    }
}

/* labels[r] = the centre nearest to row r, as in lloyd. */
static void assign(const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift, const real *centres,
                   ptrdiff_t k, int32_t *labels, real *scratch) {
    if (n <= HMLC_FEW_ROWS && !k_means_is_long(k, d)) {
        assign_few(X, n, d, shift, centres, k, labels, scratch);
        return;
    }
    real *rest;
    const search s = new_search(shift, centres, k, d, scratch, &rest);
    for (ptrdiff_t r = 0; r < n; r += WIDTH) {
        real index[WIDTH];
        nearest_rows(&s, X + r * d, n - r, s.group, index);
        for (ptrdiff_t i = 0; i < smaller(n - r, WIDTH); i++)
            labels[r + i] = (int32_t)index[i];
    }
}

/* squares[r] = |x_r - c|^2 for the centre of row r's label, by differences: nothing cancels. Their
 * weighted sum is added to *total, in float64 and in order of rows.
 *   X n x d; weights as in lloyd; centres k x d, not shifted; labels n, each in [0, k); squares n.
 */
static void inertia(const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights,
                    ptrdiff_t weight_step, const real *centres, const int32_t *labels,
                    real *squares, double *total) {
    for (ptrdiff_t r = 0; r < n; r++) {
        const real square = square_from(X + r * d, NULL, centres + labels[r] * d, d);
        squares[r] = square;
        *total += (double)weights[r * weight_step] * (double)square;
    }
}

/* square[i][v] = |A_i - b|^2 for rows i of A and the columns b of a group. */
INLINE void square_tile(int rows, const real *A, const real *group, ptrdiff_t d,
                        vec square[][GROUP]) {
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < GROUP; v++) {
            square[i][v] = v_set(0);
        }
    }
    for (ptrdiff_t p = 0; p < d; p++, A++, group += WIDTH) {
        vec b[GROUP];
        UNROLL for (int v = 0; v < GROUP; v++) {
            b[v] = v_load(group + v * LANES);
        }
        UNROLL for (int i = 0; i < rows; i++) {
            UNROLL for (int v = 0; v < GROUP; v++) {
                const vec e = v_sub(b[v], v_set(A[i * d]));
                square[i][v] = v_fma(e, e, square[i][v]);
            }
        }
    }
}

/* sums[i * LANES + lane] += weight min(closest, |place_i - x|^2) over a group's rows; the tile that
 * `takes` them lowers `closest` to place 0's first. */
INLINE void potential_tile(int rows, int takes, const real *places, const real *group, ptrdiff_t d,
                           real *closest, const real *weights, real *sums) {
    vec square[TILE_ROWS][GROUP], near[GROUP];
    square_tile(rows, places, group, d, square);
    UNROLL for (int v = 0; v < GROUP; v++) {
        near[v] = v_load(closest + v * LANES);
        if (takes)
            near[v] = v_min(near[v], square[0][v]);
        v_store(closest + v * LANES, near[v]);
    }
    UNROLL for (int i = 0; i < rows; i++) {
        vec sum = v_load(sums + i * LANES);
        UNROLL for (int v = 0; v < GROUP; v++) {
            sum = v_fma(v_load(weights + v * LANES), v_min(near[v], square[i][v]), sum);
        }
        v_store(sums + i * LANES, sum);
    }
}

/* Copies `rows` values, `step` apart, and clears the lanes after them. */
INLINE void fill_lanes(const real *from, ptrdiff_t step, ptrdiff_t rows, real *to) {
    if (rows >= WIDTH)
        for (ptrdiff_t r = 0; r < WIDTH; r += LANES)
            v_store(to + r, step == 0 ? v_set(*from) : v_load(from + r));
    else
        for (ptrdiff_t r = 0; r < WIDTH; r++)
            to[r] = r < rows ? from[r * step] : 0;
}

/* Room for a group, and a shift of nothing: what is done by differences needs none. */
static real *unshifted(real *scratch, ptrdiff_t d, const real **zero) {
    real *group = aligned(scratch);
    memset(group + WIDTH * d, 0, (size_t)d * sizeof(real));
    *zero = group + WIDTH * d;
    return group;
}

/* closest[r] = min(closest[r], |x_r - centre|^2), and block_totals[b] = their weighted sum over
 * block b; totals[t] += weighted sum over rows of min(closest[r], |x_r - candidate_t|^2): what
 * would remain if candidate t were the next centre (Arthur and Vassilvitskii, "k-means++", SODA
 * 2007, section 2). X n x d; weights as in lloyd; centre d; candidates k x d, maybe none; closest
 * n, in and out; block_totals ceil(n / HMLC_BLOCK_ROWS); totals k. Sums: within a block by lanes
 * and the tree of v_sum, then float64. */
static void approach(const real *X, ptrdiff_t n, ptrdiff_t d, const real *weights,
                     ptrdiff_t weight_step, const real *centre, const real *candidates, ptrdiff_t k,
                     real *closest, double *block_totals, double *totals, real *scratch) {
    const real *zero;
    real *group = unshifted(scratch, d, &zero), *sums = group + (WIDTH + 1) * d;
    real *places = sums + (k + 1) * LANES;
    memcpy(places, centre, (size_t)d * sizeof(real));
    memcpy(places + d, candidates, (size_t)(k * d) * sizeof(real));
    for (ptrdiff_t b = 0; b < n; b += HMLC_BLOCK_ROWS) {
        memset(sums, 0, (size_t)((k + 1) * LANES) * sizeof(real));
        for (ptrdiff_t r = b; r < smaller(n, b + HMLC_BLOCK_ROWS); r += WIDTH) {
            real near[WIDTH], own[WIDTH];
            fill_lanes(closest + r, 1, n - r, near);
            fill_lanes(weights + r * weight_step, weight_step, n - r, own);
            pack_group(X + r * d, n - r, d, zero, group);
#define TAKE(rows) potential_tile(rows, 1, places, group, d, near, own, sums)
            WITH_CONSTANT(smaller(k + 1, TILE_ROWS), TAKE)
            for (ptrdiff_t t = TILE_ROWS; t <= k; t += TILE_ROWS) {
#define POTENTIAL(rows)                                                                            \
    potential_tile(rows, 0, places + t * d, group, d, near, own, sums + t * LANES)
                WITH_CONSTANT(smaller(k + 1 - t, TILE_ROWS), POTENTIAL)
            }
            memcpy(closest + r, near, (size_t)smaller(n - r, WIDTH) * sizeof(real));
        }
        *block_totals++ = (double)v_sum(v_load(sums));
        for (ptrdiff_t t = 0; t < k; t++)
            totals[t] += (double)v_sum(v_load(sums + (t + 1) * LANES));
    }
}

/* out[i * k + j] = |A_i - b_j| for rows i of A and the first `count` columns b of a group. */
INLINE void distance_tile(int rows, const real *A, const real *group, ptrdiff_t d, real *out,
                          ptrdiff_t k, ptrdiff_t count) {
    vec square[TILE_ROWS][GROUP];
    square_tile(rows, A, group, d, square);
    UNROLL for (int i = 0; i < rows; i++) {
        real lanes[WIDTH];
        UNROLL for (int v = 0; v < GROUP; v++) {
            v_store(lanes + v * LANES, v_sqrt(square[i][v]));
        }
        memcpy(out + i * k, lanes, (size_t)count * sizeof(real));
    }
}

/* out[r, j] = |x_r - c_j|, by differences. X n x d; centres k x d, not shifted; out n x k. */
static void distances(const real *X, ptrdiff_t n, ptrdiff_t d, const real *centres, ptrdiff_t k,
                      real *out, real *scratch) {
    const real *zero;
    real *groups = unshifted(scratch, d, &zero) + (WIDTH + 1) * d;
    for (ptrdiff_t j = 0; j < k; j += WIDTH)
        pack_group(centres + j * d, k - j, d, zero, groups + j * d);
    for (ptrdiff_t r = 0; r < n; r += TILE_ROWS)
        for (ptrdiff_t j = 0; j < k; j += WIDTH) {
            const ptrdiff_t count = smaller(k - j, WIDTH);
#define DISTANCE(rows) distance_tile(rows, X + r * d, groups + j * d, d, out + r * k + j, k, count)
            WITH_CONSTANT(smaller(n - r, TILE_ROWS), DISTANCE)
        }
}

/* out = centres - shift, in float64 and rounded once. centres, out k x d; shift d. */
static void relative(const real *centres, ptrdiff_t k, ptrdiff_t d, const real *shift, real *out) {
    for (ptrdiff_t j = 0; j < k; j++)
        for (ptrdiff_t p = 0; p < d; p++)
            out[j * d + p] = (real)((double)centres[j * d + p] - (double)shift[p]);
}

HMLC_TABLE(k_means, K_MEANS_KERNELS)
