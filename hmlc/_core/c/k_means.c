/* k-means: nearest centres, the sums that move them, and the k-means++ sweeps.
 *
 * Rows are taken WIDTH at a time and laid across the lanes (a transposed group, packed once and
 * used for all centres), so that each lane finds its own row's nearest centre and the n x k
 * distances exist nowhere. Every (row, centre) value is one chain of FMAs in order of columns.
 *
 * Rejected: centres across the lanes, which needs no packing but a reduction over lanes for every
 * row, and idles 13 lanes of 16 at three clusters.
 */
#include "tile.h"

#include "k_means.h"

/* Where a vector is one register there are enough for two at a time. */
enum { GROUP = REGS == 1 ? 2 : 1, WIDTH = GROUP * LANES };

static real *aligned(real *p) {
    return (real *)(((uintptr_t)p + 63) / 64 * 64);
}

INLINE ptrdiff_t smaller(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}

#if defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 8")
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define UNROLL
#define PREFETCH(p)
#endif

/* Stores `count` of a few transposed columns, less their shifts, into a group. */
INLINE void store_columns(ptrdiff_t count, const vec columns[], const real *shift, real *to) {
    for (ptrdiff_t c = 0; c < count; c++)
        v_store(to + c * WIDTH, v_sub(columns[c], v_set(shift[c])));
}

/* Transposes LANES rows' first `whole` columns into a group; the last quad may read past a row's
 * end, into the row after. */
static void pack_rows(const real *X, ptrdiff_t d, ptrdiff_t whole, const real *shift, real *group) {
    vec columns[QUAD];
    ptrdiff_t p = 0;
    for (; p + QUAD <= whole; p += QUAD) {
        v_transpose(X + p, d, columns);
        store_columns(QUAD, columns, shift + p, group + p * WIDTH);
    }
    if (p < whole) {
        v_transpose(X + p, d, columns);
        store_columns(whole - p, columns, shift + p, group + p * WIDTH);
    }
}

/* group[p * WIDTH + r] = X[r * d + p] - shift[p] for the WIDTH rows at X, of which there are
 * `left`; what is in the lanes of rows past them does not matter. */
static void pack_group(const real *X, ptrdiff_t left, ptrdiff_t d, const real *shift, real *group) {
    for (ptrdiff_t v = 0; v < WIDTH; v += LANES, X += LANES * d, left -= LANES, group += LANES) {
        const ptrdiff_t whole = left >= LANES + QUAD ? d : left >= LANES ? d - d % QUAD : 0;
        pack_rows(X, d, whole, shift, group);
        for (ptrdiff_t p = whole; p < d; p++)
            for (ptrdiff_t r = 0; r < LANES; r++)
                group[p * WIDTH + r] = r < left ? X[r * d + p] - shift[p] : 0;
    }
}

/* half[j] = -|c_j|^2 / 2 */
static void fill_half(const real *centres, ptrdiff_t k, ptrdiff_t d, real *half) {
    for (ptrdiff_t j = 0; j < k; j++) {
        real square = 0;
        for (ptrdiff_t p = 0; p < d; p++)
            square = r_fma(centres[j * d + p], centres[j * d + p], square);
        half[j] = -square / 2;
    }
}

/* A tile's accumulators are registers only where `rows` is a constant. */
#define WITH_CONSTANT(rows, call)                                                                  \
    switch (rows) {                                                                                \
    case 1:                                                                                        \
        call(1);                                                                                   \
        break;                                                                                     \
    case 2:                                                                                        \
        call(2);                                                                                   \
        break;                                                                                     \
    case 3:                                                                                        \
        call(3);                                                                                   \
        break;                                                                                     \
    case 4:                                                                                        \
        call(4);                                                                                   \
        break;                                                                                     \
    case 5:                                                                                        \
        call(5);                                                                                   \
        break;                                                                                     \
    case 6:                                                                                        \
        call(6);                                                                                   \
        break;                                                                                     \
    case 7:                                                                                        \
        call(7);                                                                                   \
        break;                                                                                     \
    default:                                                                                       \
        call(8);                                                                                   \
        break;                                                                                     \
    }

/* Raises best to x.c_j - |c_j|^2/2 for centres j = first ... first + rows - 1, wherever that is
 * larger, and sets index there: |x - c|^2 = |x|^2 - 2 (x.c - |c|^2/2). Ties stay with the lower j.
 */
INLINE void best_tile(int rows, const real *group, ptrdiff_t d, const real *centres,
                      const real *half, ptrdiff_t first, real *best, real *index) {
    vec score[8][GROUP];
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < GROUP; v++) score[i][v] =
        v_set(half[first + i]);
    const real *c = centres + first * d;
    for (ptrdiff_t p = 0; p < d; p++, c++, group += WIDTH) {
        vec x[GROUP];
        UNROLL for (int v = 0; v < GROUP; v++) x[v] = v_load(group + v * LANES);
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < GROUP; v++) score[i][v] =
            v_fma(v_set(c[i * d]), x[v], score[i][v]);
    }
    UNROLL for (int v = 0; v < GROUP; v++) {
        vec top = v_load(best + v * LANES), at = v_load(index + v * LANES);
        UNROLL for (int i = 0; i < rows; i++) {
            const mask is_nearer = v_less(top, score[i][v]);
            top = v_select(is_nearer, score[i][v], top);
            at = v_select(is_nearer, v_set((real)(first + i)), at);
        }
        v_store(best + v * LANES, top);
        v_store(index + v * LANES, at);
    }
}

/* index[r] = the centre nearest to the group's row r. */
static void nearest(const real *group, ptrdiff_t d, const real *centres, ptrdiff_t k,
                    const real *half, real *index) {
    real best[WIDTH];
    for (int r = 0; r < WIDTH; r++) {
        best[r] = -(real)INFINITY;
        index[r] = 0;
    }
    const ptrdiff_t tiles = (k + TILE_ROWS - 1) / TILE_ROWS;
    for (ptrdiff_t t = 0; t < tiles; t++) {
        const ptrdiff_t first = k * t / tiles, rows = k * (t + 1) / tiles - first;
#define BEST(rows) best_tile(rows, group, d, centres, half, first, best, index)
        WITH_CONSTANT(rows, BEST)
    }
}

/* A block's sums of x - shift by cluster: row i of a group is added to copy i & (copies - 1). */
typedef struct {
    ptrdiff_t k, d, stride, copies;
    const real *shift;
    real *sums;  /* copies x k x stride, stride >= d a multiple of LANES */
    real *tally; /* copies x k: how many rows */
} block_sums;

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
    const ptrdiff_t stride = panels_of(d) * LANES, copies = k_means_copies(k, d);
    real *group = aligned(scratch), *padded_shift = group + WIDTH * d;
    real *block_sum = padded_shift + stride, *tally = block_sum + copies * k * stride;
    real *half = tally + copies * k;
    const block_sums block = {k, d, stride, copies, padded_shift, block_sum, tally};
    memset(padded_shift, 0, (size_t)(half - padded_shift) * sizeof(real));
    memcpy(padded_shift, shift, (size_t)d * sizeof(real));
    fill_half(centres, k, d, half);
    for (ptrdiff_t b = 0; b < n; b += HMLC_BLOCK_ROWS) {
        for (ptrdiff_t r = b; r < smaller(n, b + HMLC_BLOCK_ROWS); r += WIDTH) {
            const ptrdiff_t rows = smaller(n - r, WIDTH);
            const real *x = X + r * d;
            real index[WIDTH];
            pack_group(x, n - r, d, shift, group);
            nearest(group, d, centres, k, half, index);
            *changed += relabel(index, rows, labels + r);
            if (d <= LANES && (n - r - rows) * d >= LANES)
                add_narrow_rows(x, rows, labels + r, &block);
            else
                add_rows(x, rows, labels + r, &block);
        }
        carry(&block, sums, counts);
    }
}

/* labels[r] = the centre nearest to row r, as in lloyd. */
static void assign(const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift, const real *centres,
                   ptrdiff_t k, int32_t *labels, real *scratch) {
    real *group = aligned(scratch), *half = group + WIDTH * d;
    fill_half(centres, k, d, half);
    for (ptrdiff_t r = 0; r < n; r += WIDTH) {
        const ptrdiff_t rows = smaller(n - r, WIDTH);
        real index[WIDTH];
        pack_group(X + r * d, n - r, d, shift, group);
        nearest(group, d, centres, k, half, index);
        for (ptrdiff_t i = 0; i < rows; i++)
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
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < GROUP; v++) square[i][v] =
        v_set(0);
    for (ptrdiff_t p = 0; p < d; p++, A++, group += WIDTH) {
        vec b[GROUP];
        UNROLL for (int v = 0; v < GROUP; v++) b[v] = v_load(group + v * LANES);
        UNROLL for (int i = 0; i < rows; i++) UNROLL for (int v = 0; v < GROUP; v++) {
            const vec e = v_sub(b[v], v_set(A[i * d]));
            square[i][v] = v_fma(e, e, square[i][v]);
        }
    }
}

/* sums[i * LANES + lane] += min(closest, |candidate_i - x|^2) over a group's rows. */
INLINE void potential_tile(int rows, const real *candidates, const real *group, ptrdiff_t d,
                           const real *closest, real *sums) {
    vec square[8][GROUP];
    square_tile(rows, candidates, group, d, square);
    UNROLL for (int i = 0; i < rows; i++) {
        vec sum = v_load(sums + i * LANES);
        UNROLL for (int v = 0; v < GROUP; v++) sum =
            v_add(sum, v_min(v_load(closest + v * LANES), square[i][v]));
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
    vec square[8][GROUP];
    square_tile(rows, A, group, d, square);
    UNROLL for (int i = 0; i < rows; i++) {
        real lanes[WIDTH];
        UNROLL for (int v = 0; v < GROUP; v++) v_store(lanes + v * LANES, v_sqrt(square[i][v]));
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

HMLC_TABLE(k_means, K_MEANS_KERNELS)
