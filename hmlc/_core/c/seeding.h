/* k-means++ for many candidates at a time: which rows each is nearer to than all seeds so far.
 *
 * Few rows are, and only theirs are the squared distances that matter, which are taken by
 * differences: nothing cancels. That all others lie farther away is told by products, |x - z|^2 =
 * |x|^2 - 2 (x.z - |z|^2/2), which may be wrong by what slack_of says: so the answer is, bit for
 * bit, that of taking all by differences.
 */
#ifndef HMLC_SEEDING_H
#define HMLC_SEEDING_H

#include "bounds.h"
#include "nearest.h"

/* |x - c|^2 by differences: LANES interleaved sums, the tree of v_sum, then the rest in order. */
INLINE real square_of_difference(const real *x, const real *c, ptrdiff_t d) {
    vec sum = v_set(0);
    ptrdiff_t p = 0;
    for (; p + LANES <= d; p += LANES) {
        const vec e = v_sub(v_load(x + p), v_load(c + p));
        sum = v_fma(e, e, sum);
    }
    real square = p > 0 ? v_sum(sum) : 0;
    for (; p < d; p++)
        square = r_fma(x[p] - c[p], x[p] - c[p], square);
    return square;
}

/* A list of (candidate, row, squared distance) with room for `room`; `count` goes on beyond. */
typedef struct {
    ptrdiff_t room, count;
    int32_t *which;
    int64_t *rows;
    real *squares;
} near_list;

INLINE void note(near_list *list, int32_t which, int64_t row, real square) {
    if (list->count < list->room) {
        list->which[list->count] = which;
        list->rows[list->count] = row;
        list->squares[list->count] = square;
    }
    list->count++;
}

/* far[i * WIDTH + r] = 0 where row r of a group may be nearer to candidate first + i than `floor`
 * allows, x.z - |z|^2/2 >= floor. Returns whether there is one. */
INLINE int open_tile(int rows, const real *group, ptrdiff_t d, const real *candidates,
                     const real *half, ptrdiff_t first, const real *floor, real *far) {
    vec score[TILE_ROWS][GROUP], least[GROUP];
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < GROUP; v++) {
            score[i][v] = v_set(half[first + i]);
        }
    }
    const real *c = candidates + first * d;
    for (ptrdiff_t p = 0; p < d; p++, c++, group += WIDTH) {
        vec x[GROUP];
        UNROLL for (int v = 0; v < GROUP; v++) {
            x[v] = v_load(group + v * LANES);
        }
        UNROLL for (int i = 0; i < rows; i++) {
            UNROLL for (int v = 0; v < GROUP; v++) {
                score[i][v] = v_fma(v_set(c[i * d]), x[v], score[i][v]);
            }
        }
    }
    int any = 0;
    UNROLL for (int v = 0; v < GROUP; v++) {
        least[v] = v_load(floor + v * LANES);
    }
    UNROLL for (int i = 0; i < rows; i++) {
        UNROLL for (int v = 0; v < GROUP; v++) {
            const mask is_far = v_less(score[i][v], least[v]);
            if (!v_all(is_far)) {
                v_store(far + i * WIDTH + v * LANES, v_select(is_far, v_set(1), v_set(0)));
                any |= 1 << (i * GROUP + v);
            }
        }
    }
    return any;
}

/* The floor of open_tile for a group's rows: (|x|^2 - closest - slack) / 2. */
static void fill_floor(doubt b, const real *group, ptrdiff_t d, const real *closest, real *floor) {
    for (ptrdiff_t v = 0; v < WIDTH; v += LANES) {
        vec square = v_set(0);
        for (ptrdiff_t p = 0; p < d; p++) {
            const vec x = v_load(group + p * WIDTH + v);
            square = v_fma(x, x, square);
        }
        const vec slack = slack_of(b, v_add(v_sqrt(square), v_set(b.reach)));
        const vec left = v_sub(v_sub(square, v_load(closest + v)), slack);
        v_store(floor + v, v_mul(v_set((real)0.5), left));
    }
}

/* Lists every row and candidate with |x_r - z_t|^2 < closest[r]: which = t, rows = first + r, and
 * the square. count[0] is how many there are, of which the list's `room` are kept.
 *   X n x d; shift d, near the rows' mean; candidates k x d, not shifted; closest n; which, rows,
 *   squares room. Groups of WIDTH rows in order; the order within a group is not said. */
static void nearer(const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift,
                   const real *candidates, ptrdiff_t k, const real *closest, int64_t first,
                   int32_t *which, int64_t *rows, real *squares, ptrdiff_t room, int64_t *count,
                   real *scratch) {
    near_list list = {.room = room, .which = which, .rows = rows, .squares = squares};
    real *group = aligned(scratch), *shifted = group + WIDTH * d, *half = shifted + k * d;
    real least = 0;
    for (ptrdiff_t t = 0; t < k; t++)
        for (ptrdiff_t p = 0; p < d; p++)
            shifted[t * d + p] = candidates[t * d + p] - shift[p];
    fill_half(shifted, k, d, half);
    for (ptrdiff_t t = 0; t < k; t++)
        least = half[t] < least ? half[t] : least;
    const doubt b = {.reach = 2 * (real)sqrt(-2 * (double)least),
                     .error = (real)(4 * (d + 4)) * EPSILON};
    for (ptrdiff_t r = 0; r < n; r += WIDTH) {
        real near[WIDTH], floor[WIDTH], far[TILE_ROWS * WIDTH];
        for (ptrdiff_t i = 0; i < WIDTH; i++)
            near[i] = r + i < n ? closest[r + i] : 0;
        pack_group(X + r * d, n - r, d, shift, group);
        fill_floor(b, group, d, near, floor);
        for (ptrdiff_t t = 0; t < k; t += TILE_ROWS) {
            int any = 0;
#define OPEN(rows) any = open_tile(rows, group, d, shifted, half, t, floor, far)
            WITH_CONSTANT(smaller(k - t, TILE_ROWS), OPEN)
            for (int part = 0; any >> part != 0; part++)
                for (ptrdiff_t i = part * LANES; (any >> part & 1) && i < (part + 1) * LANES; i++) {
                    const ptrdiff_t row = r + i % WIDTH, z = t + i / WIDTH;
                    if (far[i] != 0 || row >= n)
                        continue;
                    const real square = square_of_difference(X + row * d, candidates + z * d, d);
                    if (square < closest[row])
                        note(&list, (int32_t)z, first + row, square);
                }
        }
    }
    *count = list.count;
}

/* Rounds of k-means++ among candidates in order: each takes the next `tries` with draw < closest
 * of their own row, and chooses the first of those that leave the least sum of squares.
 *   closest n, in and out; starts k + 1: candidate t is nearer than closest said to rows
 *   [starts[t], starts[t + 1]) of the list rows, squares, where none is twice; places k: the
 * candidates' own rows; draws k; chosen: room for `wanted` answers, indices of candidates.
 * answer[0] is how many were chosen, answer[1] how many candidates the rounds took. Sums: in
 * float64, in the list's order. */
static void choose(real *closest, const int64_t *rows, const real *squares, const int64_t *starts,
                   ptrdiff_t k, const int64_t *places, const double *draws, ptrdiff_t tries,
                   ptrdiff_t wanted, int64_t *chosen, int64_t *answer) {
    answer[0] = answer[1] = 0;
    while (answer[0] < wanted) {
        double most = -1;
        ptrdiff_t t = (ptrdiff_t)answer[1], best = 0, met = 0;
        for (; t < k && met < tries; t++) {
            if (!(draws[t] < (double)closest[places[t]]))
                continue;
            double gain = 0;
            for (int64_t e = starts[t]; e < starts[t + 1]; e++) {
                const real less = closest[rows[e]] - squares[e];
                gain += less > 0 ? (double)less : 0;
            }
            best = gain > most ? t : best;
            most = gain > most ? gain : most;
            met++;
        }
        if (met < tries)
            break;
        for (int64_t e = starts[best]; e < starts[best + 1]; e++)
            if (squares[e] < closest[rows[e]])
                closest[rows[e]] = squares[e];
        chosen[answer[0]++] = best;
        answer[1] = t;
    }
}

#endif
