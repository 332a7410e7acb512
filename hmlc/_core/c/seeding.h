/* k-means++ for many candidates at a time: which rows each is nearer to than all seeds so far.
 *
 * Few rows are, and only theirs are the squared distances that matter, which are taken by
 * differences: nothing cancels. That others lie farther away is told by the triangle inequality,
 * from distances of candidates from seeds, or by products, |x - z|^2 = |x|^2 - 2 (x.z - |z|^2/2),
 * which may be wrong by what slack_of says: so the answer is, bit for bit, that of taking all by
 * differences.
 */
#ifndef HMLC_SEEDING_H
#define HMLC_SEEDING_H

#ifdef _MSC_VER
#include <intrin.h>
#endif

#include "bounds.h"
#include "nearest.h"

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

/* What x.z - |z|^2/2 is at least where one of a group's rows is nearer to candidate z than
 * `closest`:
 * (|x|^2 - closest - slack) / 2. */
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

/* |x - z|^2 by differences, the bits of square_from, where that is less than `closest`;
 * else something that is not. Squares are added, and rounding keeps order, so a part that is not
 * less tells of the whole. */
INLINE real square_if_nearer(const real *x, const real *z, ptrdiff_t d, real closest) {
    vec sum = v_set(0);
    for (ptrdiff_t p = 0; p + 2 * LANES <= d; p += 2 * LANES) {
        const vec e = v_sub(v_load(x + p), v_load(z + p));
        const vec f = v_sub(v_load(x + p + LANES), v_load(z + p + LANES));
        sum = v_fma(f, f, v_fma(e, e, sum));
        const real part = v_sum(sum);
        if (!(part < closest))
            return part;
    }
    return square_from(x, NULL, z, d);
}

/* Candidates, and what finding the rows near them takes; made by new_nearby. */
typedef struct {
    ptrdiff_t k, d;
    const real *shift;      /* d */
    const real *candidates; /* k x d */
    const real *apart;      /* seeds x k: what a row of that seed must be beyond: see nearer */
    doubt doubt;
    real *group;    /* WIDTH x d: packed rows */
    real *gathered; /* WIDTH x d and more: rows */
    real *half;     /* k: -|z - shift|^2 / 2 */
    real *tiles;    /* k x d: candidates - shift, packed */
    ptrdiff_t words;
    uint64_t *open; /* HMLC_BLOCK_ROWS x words: for a row a bit of each candidate it may be near */
} nearby;

static nearby new_nearby(const real *shift, const real *candidates, ptrdiff_t k, ptrdiff_t d,
                         const real *apart, real *scratch) {
    nearby s = {.k = k, .d = d, .shift = shift, .candidates = candidates, .apart = apart};
    s.group = aligned(scratch);
    s.gathered = s.group + WIDTH * d;
    s.half = s.gathered + WIDTH * d;
    s.tiles = aligned(s.half + k);
    s.words = (k + 63) / 64;
    s.open = (uint64_t *)aligned(s.tiles + k * d);
    memset(s.open, 0, (size_t)(HMLC_BLOCK_ROWS * s.words) * sizeof(uint64_t));
    for (ptrdiff_t first = 0, rows; first < k; first += rows) {
        rows = rows_of_tile(k - first);
        const real *z = candidates + first * d;
        for (ptrdiff_t i = 0; i < rows * d; i++)
            s.gathered[i] = z[i] - shift[i % d];
        fill_half(s.gathered, rows, d, s.half + first);
        pack_tiles(s.gathered, rows, d, s.tiles + first * d);
    }
    s.doubt = new_doubt(s.half, k, d);
    return s;
}

/* Opens row r of a block to those of LANES candidates from t on whose bits are 1. */
INLINE void open_to(const nearby *s, ptrdiff_t r, ptrdiff_t t, unsigned bits) {
    s->open[r * s->words + t / 64] |= (uint64_t)bits << t % 64;
}

/* Opens row r of a block to the candidates that its seed does not keep away, where they are at most
 * a quarter of all: to take so many distances one by one costs less than all products. Returns
 * whether they are. */
INLINE int open_few(const nearby *s, ptrdiff_t r, int32_t label, real closest) {
    const real *apart = s->apart + label * s->k;
    const vec near = v_set(closest);
    vec open = v_set(0);
    for (ptrdiff_t t = 0; t < s->k; t += LANES) {
        const mask is_away = v_less(near, v_load_upto(apart + t, s->k - t, (real)INFINITY));
        open = v_add(open, v_select(is_away, v_set(0), v_set(1)));
        const unsigned exist = s->k - t < LANES ? (1u << (s->k - t)) - 1 : ALL_LANES;
        open_to(s, r, t, exist & ~v_bits(is_away));
    }
    if (4 * v_sum(open) <= (real)s->k)
        return 1;
    memset(s->open + r * s->words, 0, (size_t)s->words * sizeof(uint64_t));
    return 0;
}

/* The place of the lowest bit that is 1; there is one. */
INLINE int lowest_bit(uint64_t bits) {
#ifdef _MSC_VER
    unsigned long place;
    _BitScanForward64(&place, bits);
    return (int)place;
#else
    return __builtin_ctzll(bits);
#endif
}

/* scores[i * WIDTH + r] = x.z - |z|^2/2 for a group's rows and the candidates z of the tile from
 * `first` on. A function of its own: compiled into another its sums do not all find registers. */
static void fill_scores(const nearby *s, ptrdiff_t first, ptrdiff_t rows, real *scores) {
    const real *tile = s->tiles + first * s->d, *half = s->half + first;
    vec score[TILE_ROWS][GROUP];
#define FILL(rows)                                                                                 \
    score_tile(rows, s->group, s->d, tile, 1, rows, half, score);                                  \
    memcpy(scores, score, sizeof *score *rows)
    WITH_CONSTANT(rows, FILL)
}

/* Opens `count` <= WIDTH rows of a block, at X and by their places in it, to the candidates to
 * which products show that they may be near. */
static void open_by_products(const nearby *s, const real *X, const real *closest,
                             const ptrdiff_t *places, ptrdiff_t count) {
    const ptrdiff_t d = s->d;
    real near[WIDTH], floor[WIDTH], scores[TILE_ROWS * WIDTH];
    for (ptrdiff_t i = 0; i < WIDTH; i++)
        near[i] = i < count ? closest[places[i]] : 0;
    for (ptrdiff_t i = 0; i < count; i++)
        memcpy(s->gathered + i * d, X + places[i] * d, (size_t)d * sizeof(real));
    pack_group(s->gathered, count, d, s->shift, s->group);
    fill_floor(s->doubt, s->group, d, near, floor);
    for (ptrdiff_t first = 0, rows; first < s->k; first += rows) {
        rows = rows_of_tile(s->k - first);
        fill_scores(s, first, rows, scores);
        for (ptrdiff_t i = 0; i < rows * WIDTH; i += LANES) {
            const mask is_far = v_less(v_load(scores + i), v_load(floor + i % WIDTH));
            uint64_t bits = ALL_LANES ^ v_bits(is_far);
            for (; bits != 0; bits &= bits - 1) {
                const ptrdiff_t place = i % WIDTH + lowest_bit(bits);
                if (place < count)
                    open_to(s, places[place], first + i / WIDTH, 1);
            }
        }
    }
}

/* Lists the candidates that a block's row r is near, of those it is open to, and closes it. */
static void note_open(const nearby *s, ptrdiff_t r, const real *x, real closest, int64_t row,
                      near_list *list) {
    for (ptrdiff_t word = 0; word < s->words; word++) {
        uint64_t bits = s->open[r * s->words + word];
        s->open[r * s->words + word] = 0;
        for (; bits != 0; bits &= bits - 1) {
            const ptrdiff_t t = 64 * word + lowest_bit(bits);
            const real square = square_if_nearer(x, s->candidates + t * s->d, s->d, closest);
            if (square < closest)
                note(list, (int32_t)t, row, square);
        }
    }
}

/* Lists every row and candidate with |x_r - z_t|^2 < closest[r]: which = t, rows = first + r, and
 * the square. count[0] is how many there are, of which the list's `room` are kept.
 *   X n x d; shift d, near the rows' mean; candidates k x d, not shifted; closest n; labels n: the
 *   seed that is so close, or a negative number; apart seeds x k: a row with closest < apart[label,
 *   t] is not nearer to candidate t; which, rows, squares room. By row and candidate.
 * |x - z| >= |z - s| - |x - s| tells without the row that one nearer to its seed s than half way
 * to z stays there: Raff, "Exact acceleration of k-means++ and k-means||", IJCAI 2021. */
static void nearer(const real *X, ptrdiff_t n, ptrdiff_t d, const real *shift,
                   const real *candidates, ptrdiff_t k, const real *closest, const int32_t *labels,
                   const real *apart, int64_t first, int32_t *which, int64_t *rows, real *squares,
                   ptrdiff_t room, int64_t *count, real *scratch) {
    near_list list = {.room = room, .which = which, .rows = rows, .squares = squares};
    const nearby s = new_nearby(shift, candidates, k, d, apart, scratch);
    for (ptrdiff_t b = 0; b < n; b += HMLC_BLOCK_ROWS) {
        const ptrdiff_t in_block = smaller(n - b, HMLC_BLOCK_ROWS);
        ptrdiff_t places[WIDTH], waiting = 0;
        for (ptrdiff_t r = 0; r < in_block; r++) {
            if (labels[b + r] >= 0 && open_few(&s, r, labels[b + r], closest[b + r]))
                continue;
            places[waiting++] = r;
            if (waiting == WIDTH) {
                open_by_products(&s, X + b * d, closest + b, places, waiting);
                waiting = 0;
            }
        }
        if (waiting > 0)
            open_by_products(&s, X + b * d, closest + b, places, waiting);
        for (ptrdiff_t r = 0; r < in_block; r++)
            note_open(&s, r, X + (b + r) * d, closest[b + r], first + b + r, &list);
    }
    *count = list.count;
}

/* Rounds of k-means++ among candidates in order: each takes the next `tries` with draw < closest
 * of their own row, and chooses the first of those that leave the least sum of squares.
 *   closest, labels n, in and out: seeds are numbered from n_seeds on; weights: row r's is
 * weights[r * weight_step]; starts k + 1: candidate t is nearer than closest said to rows
 * [starts[t], starts[t + 1]) of the list rows, squares, where none is twice; places k: the
 * candidates' own rows; draws k; chosen: room for `wanted` answers, indices of candidates.
 * answer[0] is how many were chosen, answer[1] how many candidates the rounds took. Sums: weighted,
 * in float64, in the list's order. */
static void choose(real *closest, int32_t *labels, int64_t n_seeds, const real *weights,
                   ptrdiff_t weight_step, const int64_t *rows, const real *squares,
                   const int64_t *starts, ptrdiff_t k, const int64_t *places, const double *draws,
                   ptrdiff_t tries, ptrdiff_t wanted, int64_t *chosen, int64_t *answer) {
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
                gain += less > 0 ? (double)(weights[rows[e] * weight_step] * less) : 0;
            }
            best = gain > most ? t : best;
            most = gain > most ? gain : most;
            met++;
        }
        if (met < tries)
            break;
        for (int64_t e = starts[best]; e < starts[best + 1]; e++)
            if (squares[e] < closest[rows[e]]) {
                closest[rows[e]] = squares[e];
                labels[rows[e]] = (int32_t)(n_seeds + answer[0]);
            }
        chosen[answer[0]++] = best;
        answer[1] = t;
    }
}

#endif
