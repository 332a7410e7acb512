/* k-means: Lloyd's step, inertia and distances, and the k-means++ sweeps. The n x k distances exist
 * only where they are what is asked for. */
#include "bounds.h"
#include "nearest.h"

#include "k_means.h"

/* A block's sums of x - shift by cluster: row i of a group is added to copy i & (copies - 1). */
typedef struct {
    ptrdiff_t k, d, stride, copies;
    const real *shift; /* stride, zeros past d */
    real *sums;        /* copies x k x stride, stride >= d a multiple of LANES */
    real *tally;       /* copies x k: how many rows */
} block_sums;

static block_sums new_block_sums(const search *s, real *scratch) {
    const ptrdiff_t stride = panels_of(s->d) * LANES;
    block_sums block = {.k = s->k, .d = s->d, .stride = stride};
    block.copies = k_means_copies(s->k, s->d);
    block.shift = scratch;
    block.sums = scratch + stride;
    block.tally = block.sums + block.copies * s->k * stride;
    memset(scratch, 0, (size_t)(stride + block.copies * s->k * (stride + 1)) * sizeof(real));
    memcpy(scratch, s->shift, (size_t)s->d * sizeof(real));
    return block;
}

INLINE ptrdiff_t slot_of(const block_sums *block, ptrdiff_t i, int32_t label) {
    return (i & (block->copies - 1)) * block->k + label;
}

/* Adds rows of at most LANES columns to their clusters' sums. Past column d the row after is read,
 * whose values land where nothing looks. */
static void add_narrow_rows(const real *x, ptrdiff_t rows, const int32_t *labels,
                            const block_sums *block) {
    const vec shift = v_load(block->shift);
    for (ptrdiff_t i = 0; i < rows; i++, x += block->d) {
        const ptrdiff_t slot = slot_of(block, i, labels[i]);
        real *sum = block->sums + slot * LANES;
        v_store(sum, v_add(v_load(sum), v_sub(v_load(x), shift)));
        block->tally[slot] += 1;
    }
}

/* Adds rows to their clusters' sums. */
static void add_rows(const real *x, ptrdiff_t rows, const int32_t *labels,
                     const block_sums *block) {
    const ptrdiff_t d = block->d;
    const real *shift = block->shift;
    for (ptrdiff_t i = 0; i < rows; i++, x += d) {
        const ptrdiff_t slot = slot_of(block, i, labels[i]);
        real *sum = block->sums + slot * block->stride;
        ptrdiff_t p = 0;
        for (; p + LANES <= d; p += LANES)
            v_store(sum + p, v_add(v_load(sum + p), v_sub(v_load(x + p), v_load(shift + p))));
        for (; p < d; p++)
            sum[p] += x[p] - shift[p];
        block->tally[slot] += 1;
    }
}

/* Returns the sum of the copies of a vector, in order, and clears them. */
INLINE vec take_copies(real *p, ptrdiff_t distance, ptrdiff_t copies) {
    vec sum = v_set(0);
    for (ptrdiff_t copy = 0; copy < copies; copy++, p += distance) {
        sum = v_add(sum, v_load(p));
        v_store(p, v_set(0));
    }
    return sum;
}

/* Carries a block's sums of the clusters that have rows to float64, and clears them. */
static void carry(const block_sums *block, double *sums, int64_t *counts) {
    const ptrdiff_t k = block->k, d = block->d, stride = block->stride;
    for (ptrdiff_t j = 0; j < k; j++) {
        real rows = 0;
        for (ptrdiff_t copy = 0; copy < block->copies; copy++) {
            rows += block->tally[copy * k + j];
            block->tally[copy * k + j] = 0;
        }
        if (rows == 0)
            continue;
        counts[j] += (int64_t)rows;
        for (ptrdiff_t p = 0; p < d; p += LANES) {
            real lanes[LANES];
            v_store(lanes, take_copies(block->sums + j * stride + p, k * stride, block->copies));
            for (ptrdiff_t i = 0; i < smaller(d - p, LANES); i++)
                sums[j * d + p + i] += (double)lanes[i];
        }
    }
}

/* Stores a group's labels; returns how many are new. */
INLINE int64_t relabel(const real *index, ptrdiff_t rows, int32_t *labels) {
    int64_t changed = 0;
    for (ptrdiff_t i = 0; i < rows; i++) {
        const int32_t label = (int32_t)index[i];
        changed += label != labels[i];
        labels[i] = label;
    }
    return changed;
}

/* One step of Lloyd (1982): labels[r] becomes the centre nearest to row r (of equals the first),
 * *changed counts the rows whose label was another, and sums[j], counts[j] take the rows' x - shift
 * and number by their new labels.
 *   X n x d; shift d; centres k x d, relative to shift; labels n, in and out; changed 1; sums k x
 * d; counts k. k < 2^(MANTISSA + 1). The expansion |x|^2 - 2 x.c + |c|^2 cancels where data lie far
 * from the origin: shift near their mean keeps it at the scale of their spread. Sums: within a
 * block of HMLC_BLOCK_ROWS rows r, r + copies, ... in order, carried to float64. */
static void lloyd(const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift, const real *centres,
                  ptrdiff_t k, int32_t *labels, int64_t *changed, double *sums, int64_t *counts,
                  real *scratch) {
    real *rest;
    const search s = new_search(shift, centres, k, d, scratch, &rest);
    const block_sums block = new_block_sums(&s, rest);
    for (ptrdiff_t b = 0; b < n; b += HMLC_BLOCK_ROWS) {
        for (ptrdiff_t r = b; r < smaller(n, b + HMLC_BLOCK_ROWS); r += WIDTH) {
            const ptrdiff_t rows = smaller(n - r, WIDTH);
            real index[WIDTH];
            nearest_rows(&s, X + r * d, n - r, index);
            *changed += relabel(index, rows, labels + r);
            if (d <= LANES && (n - r - rows) * d >= LANES)
                add_narrow_rows(X + r * d, rows, labels + r, &block);
            else
                add_rows(X + r * d, rows, labels + r, &block);
        }
        carry(&block, sums, counts);
    }
}

/* The step of lloyd for rows whose distances from the centres of the call before are bounded.
 *   X, shift, centres, labels: as in lloyd; labels -1 where there was no call before. steps k: how
 * far each centre has moved since then, or more. lower k x n, rows `stride` apart, and upper n, in
 * and out: bounds of the distances, `lower` infinite for the row's own centre and `upper` infinite
 * where nothing is known. changed 1; sums k x d and counts k take what rows with another label
 * bring to their new cluster and take from their old one. Sums: row by row in float64. */
static void lloyd_bounded(const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift,
                          const real *centres, ptrdiff_t k, const real *steps, int32_t *labels,
                          real *lower, ptrdiff_t stride, real *upper, int64_t *changed,
                          double *sums, int64_t *counts, real *scratch) {
    real *rest;
    const long_rows l = new_long_rows(shift, centres, k, d, scratch, &rest);
    const doubt b = new_doubt(&l);
    for (ptrdiff_t first = 0; first < n; first += HMLC_BLOCK_ROWS) {
        ptrdiff_t open[HMLC_BLOCK_ROWS], count = 0;
        for (ptrdiff_t r = first; r < smaller(n, first + HMLC_BLOCK_ROWS); r += LANES) {
            real is_open[LANES];
            move_bounds(b, k, steps, labels + r, n - r, lower + r, stride, upper + r, is_open);
            for (ptrdiff_t i = 0; i < smaller(n - r, LANES); i++)
                if (is_open[i] != 0)
                    open[count++] = r + i;
        }
        for (ptrdiff_t t = 0; t < count; t += LONG_ROWS) {
            const ptrdiff_t rows = smaller(count - t, LONG_ROWS);
            for (ptrdiff_t i = 0; i < rows; i++) {
                const ptrdiff_t later = open[smaller(t + i + LONG_ROWS, count - 1)];
                take_row(&l, i, X + open[t + i] * d, X + later * d);
            }
            score_rows(&l);
            for (ptrdiff_t i = 0; i < rows; i++) {
                const ptrdiff_t r = open[t + i];
                const int32_t label = first_largest(&l, i);
                upper[r] = bound_distances(&l, b, i, label);
                for (ptrdiff_t j = 0; j < k; j++)
                    lower[j * stride + r] = l.scores[i * l.width + j];
                if (label != labels[r]) {
                    change_cluster(l.rows + i * l.depth, d, labels[r], label, sums, counts);
                    labels[r] = label;
                    *changed += 1;
                }
            }
        }
    }
}

/* The labels of HMLC_FEW_ROWS rows, which need not be transposed: the scores of best_tile. */
static void assign_few(const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift,
                       const real *centres, ptrdiff_t k, int32_t *labels, real *scratch) {
    real *row = scratch, *half = row + d;
    const long_rows one = {.k = k, .scores = half + k};
    fill_half(centres, k, d, half);
    for (ptrdiff_t r = 0; r < n; r++, X += d) {
        for (ptrdiff_t p = 0; p < d; p++)
            row[p] = X[p] - shift[p];
        row_product(row, centres, k, d, half, one.scores);
        labels[r] = first_largest(&one, 0);
    }
}

/* labels[r] = the centre nearest to row r, as in lloyd. */
static void assign(const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift, const real *centres,
                   ptrdiff_t k, int32_t *labels, real *scratch) {
    if (n <= HMLC_FEW_ROWS && !is_long(k, d)) {
        assign_few(X, n, d, shift, centres, k, labels, scratch);
        return;
    }
    real *rest;
    const search s = new_search(shift, centres, k, d, scratch, &rest);
    for (ptrdiff_t r = 0; r < n; r += WIDTH) {
        real index[WIDTH];
        nearest_rows(&s, X + r * d, n - r, index);
        for (ptrdiff_t i = 0; i < smaller(n - r, WIDTH); i++)
            labels[r + i] = (int32_t)index[i];
    }
}

/* squares[r] = |x_r - c|^2 for the centre of row r's label, by differences: nothing cancels. Their
 * sum is added to *total, in float64 and in order of rows.
 *   X n x d; centres k x d, not shifted; labels n, each in [0, k); squares n. */
static void inertia(const real *X, ptrdiff_t n, ptrdiff_t d, const real *centres,
                    const int32_t *labels, real *squares, double *total) {
    for (ptrdiff_t r = 0; r < n; r++) {
        const real *x = X + r * d, *c = centres + labels[r] * d;
        vec sum = v_set(0);
        ptrdiff_t p = 0;
        for (; p + LANES <= d; p += LANES) {
            const vec e = v_sub(v_load(x + p), v_load(c + p));
            sum = v_fma(e, e, sum);
        }
        real square = p > 0 ? v_sum(sum) : 0;
        for (; p < d; p++)
            square = r_fma(x[p] - c[p], x[p] - c[p], square);
        squares[r] = square;
        *total += (double)square;
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

/* sums[i * LANES + lane] += min(closest, |candidate_i - x|^2) over a group's rows. */
INLINE void potential_tile(int rows, const real *candidates, const real *group, ptrdiff_t d,
                           const real *closest, real *sums) {
    vec square[TILE_ROWS][GROUP];
    square_tile(rows, candidates, group, d, square);
    UNROLL for (int i = 0; i < rows; i++) {
        vec sum = v_load(sums + i * LANES);
        UNROLL for (int v = 0; v < GROUP; v++) {
            sum = v_add(sum, v_min(v_load(closest + v * LANES), square[i][v]));
        }
        v_store(sums + i * LANES, sum);
    }
}

/* Copies `rows` values and clears the lanes after them. */
INLINE void fill_lanes(const real *from, ptrdiff_t rows, real *to) {
    for (ptrdiff_t r = 0; r < WIDTH; r++)
        to[r] = r < rows ? from[r] : 0;
}

/* Room for a group, and a shift of nothing: what is done by differences needs none. */
static real *unshifted(real *scratch, ptrdiff_t d, const real **zero) {
    real *group = aligned(scratch);
    memset(group + WIDTH * d, 0, (size_t)d * sizeof(real));
    *zero = group + WIDTH * d;
    return group;
}

/* totals[t] += sum over rows of min(closest[r], |x_r - candidate_t|^2): what would remain if
 * candidate t were the next centre (Arthur and Vassilvitskii, "k-means++", SODA 2007, section 2).
 *   X n x d; candidates k x d; closest n; totals k.
 * Sums: within a block by lanes and the tree of v_sum, then float64. */
static void potentials(const real *X, ptrdiff_t n, ptrdiff_t d, const real *candidates, ptrdiff_t k,
                       const real *closest, double *totals, real *scratch) {
    const real *zero;
    real *group = unshifted(scratch, d, &zero), *sums = group + (WIDTH + 1) * d;
    for (ptrdiff_t b = 0; b < n; b += HMLC_BLOCK_ROWS) {
        memset(sums, 0, (size_t)(k * LANES) * sizeof(real));
        for (ptrdiff_t r = b; r < smaller(n, b + HMLC_BLOCK_ROWS); r += WIDTH) {
            real near[WIDTH];
            fill_lanes(closest + r, n - r, near);
            pack_group(X + r * d, n - r, d, zero, group);
            for (ptrdiff_t t = 0; t < k; t += TILE_ROWS) {
#define POTENTIAL(rows) potential_tile(rows, candidates + t * d, group, d, near, sums + t * LANES)
                WITH_CONSTANT(smaller(k - t, TILE_ROWS), POTENTIAL)
            }
        }
        for (ptrdiff_t t = 0; t < k; t++)
            totals[t] += (double)v_sum(v_load(sums + t * LANES));
    }
}

/* closest[r] = min(closest[r], |x_r - centre|^2), and block_totals[b] = their sum over block b.
 *   X n x d; centre d; closest n, in and out; block_totals ceil(n / HMLC_BLOCK_ROWS). */
static void approach(const real *X, ptrdiff_t n, ptrdiff_t d, const real *centre, real *closest,
                     double *block_totals, real *scratch) {
    const real *zero;
    real *group = unshifted(scratch, d, &zero);
    for (ptrdiff_t b = 0; b < n; b += HMLC_BLOCK_ROWS) {
        vec sum = v_set(0);
        for (ptrdiff_t r = b; r < smaller(n, b + HMLC_BLOCK_ROWS); r += WIDTH) {
            vec square[1][GROUP];
            real near[WIDTH];
            fill_lanes(closest + r, n - r, near);
            pack_group(X + r * d, n - r, d, zero, group);
            square_tile(1, centre, group, d, square);
            UNROLL for (int v = 0; v < GROUP; v++) {
                const vec least = v_min(v_load(near + v * LANES), square[0][v]);
                v_store(near + v * LANES, least);
                sum = v_add(sum, least);
            }
            memcpy(closest + r, near, (size_t)smaller(n - r, WIDTH) * sizeof(real));
        }
        *block_totals++ = (double)v_sum(sum);
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
