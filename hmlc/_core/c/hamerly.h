/* Lloyd's step with one bound a row: rows are compared with those centres alone that may have come
 * nearer than their own.
 *
 * Every row keeps a lower bound of its distances from all centres but its own: Hamerly, "Making
 * k-means even faster", SDM 2010. Centres come in order of their steps, the longest first: a row is
 * at least lower - steps[m] from every one from place m on, so it meets the first m alone, where
 * what remains is beyond its own centre. Most rows meet none when centres settle. Rows of a block
 * that must meet about as many go together through the tiles.
 *
 * The labels are those of `lloyd`, ties and rounding included: the scores are the same chains of
 * FMAs, and a centre is passed over only if its distance differs by more than scores can be wrong
 * (see `slack_of`).
 */
#ifndef HMLC_HAMERLY_H
#define HMLC_HAMERLY_H

#include "bounds.h"
#include "nearest.h"

/* The two largest scores of a group's rows, and the cluster of the larger: of equals the lowest. */
typedef struct {
    real best[WIDTH], next[WIDTH], cluster[WIDTH];
} ranking;

INLINE void rank_tile(int rows, const real *group, ptrdiff_t d, const real *centres,
                      const real *half, const int32_t *clusters, ptrdiff_t first, ranking *top) {
    vec score[TILE_ROWS][GROUP];
    score_tile(rows, group, d, centres + first * d, d, 1, half + first, score);
    UNROLL for (int v = 0; v < GROUP; v++) {
        vec best = v_load(top->best + v * LANES), next = v_load(top->next + v * LANES);
        vec cluster = v_load(top->cluster + v * LANES);
        UNROLL for (int i = 0; i < rows; i++) {
            const vec s = score[i][v], its = v_set((real)clusters[first + i]);
            const vec of_equals = v_select(v_equal(best, s), v_min(cluster, its), cluster);
            cluster = v_select(v_less(best, s), its, of_equals);
            next = v_max(next, v_min(best, s));
            best = v_max(best, s);
        }
        v_store(top->best + v * LANES, best);
        v_store(top->next + v * LANES, next);
        v_store(top->cluster + v * LANES, cluster);
    }
}

/* Centres in order of their steps, and what comparing rows with them takes; made by new_hamerly. */
typedef struct {
    ptrdiff_t k, d;
    const real *shift;       /* d */
    const real *centres;     /* k x d, relative to shift */
    const real *steps;       /* k */
    const int32_t *clusters; /* k */
    doubt doubt;
    real *half;      /* k: -|c|^2 / 2 */
    real *group;     /* WIDTH x d: packed rows */
    real *own;       /* WIDTH x d: their centres, packed likewise */
    real *gathered;  /* WIDTH x d: rows or centres */
    real *zero;      /* d */
    int32_t *places; /* k: where a cluster's centre is */
} hamerly;

/* Takes its arrays from `scratch` on; *rest is what is left of it. */
static hamerly new_hamerly(const real *shift, const real *centres, ptrdiff_t k, ptrdiff_t d,
                           const real *steps, const int32_t *clusters, real *scratch, real **rest) {
    hamerly h = {.k = k, .d = d, .shift = shift, .centres = centres, .steps = steps};
    h.clusters = clusters;
    h.group = aligned(scratch);
    h.own = h.group + WIDTH * d;
    h.gathered = h.own + WIDTH * d;
    h.zero = h.gathered + WIDTH * d;
    h.half = h.zero + d;
    h.places = (int32_t *)(h.half + k);
    *rest = aligned(h.half + 2 * k);
    memset(h.zero, 0, (size_t)d * sizeof(real));
    fill_half(centres, k, d, h.half);
    for (ptrdiff_t i = 0; i < k; i++)
        h.places[clusters[i]] = (int32_t)i;
    h.doubt = new_doubt(h.half, k, d);
    return h;
}

/* gaps[r] = lower - |x - c| or less, for the centre c that LANES rows had, `left` of which exist;
 * not a positive number where they had none. */
static void fill_gaps(const hamerly *h, const real *X, ptrdiff_t left, const int32_t *labels,
                      const real *lower, real *gaps) {
    real square[LANES];
    for (ptrdiff_t i = 0; i < LANES; i++) {
        const int has_one = i < left && labels[i] >= 0;
        const real *centre = h->centres + (has_one ? h->places[labels[i]] : 0) * h->d;
        square[i] = has_one ? square_from(X + i * h->d, h->shift, centre, h->d) : (real)INFINITY;
    }
    const vec own = v_load(square), size = v_add(v_sqrt(own), v_set((real)1.5 * h->doubt.reach));
    const vec upper = v_sqrt(v_add(own, slack_of(h->doubt, size)));
    v_store(gaps, v_sub(v_load_upto(lower, left, 0), upper));
}

/* How many centres a row must meet. A quarter of its gap is kept, or it would have to meet them
 * again after the next step; and one that would meet many meets all, from which its bound is made
 * anew. */
INLINE ptrdiff_t centres_to_meet(const hamerly *h, real gap) {
    const real most = (real)0.75 * gap;
    if (!(most > 0))
        return h->k;
    ptrdiff_t first = 0;
    for (ptrdiff_t count = h->k; count > 0;) {
        const ptrdiff_t half = count / 2, is_longer = !(h->steps[first + half] < most);
        first += is_longer ? half + 1 : 0;
        count = is_longer ? count - half - 1 : half;
    }
    return 4 * first > h->k ? h->k : first;
}

/* A lower bound of the distances of a row from centres that it does not meet, from place m on. */
INLINE real beyond(const hamerly *h, real lower, ptrdiff_t m) {
    return m < h->k ? (lower - h->steps[m]) * (1 - EPSILON) : (real)INFINITY;
}

/* Compares a group's rows with their own centres too, which were not among the first m that they
 * met. */
static void rank_own(const hamerly *h, const ptrdiff_t *rows, ptrdiff_t count, ptrdiff_t m,
                     const int32_t *labels, ranking *top) {
    const ptrdiff_t d = h->d;
    real scores[WIDTH];
    for (ptrdiff_t i = 0; i < WIDTH; i++) {
        const ptrdiff_t place = h->places[labels[rows[smaller(i, count - 1)]]];
        memcpy(h->gathered + i * d, h->centres + place * d, (size_t)d * sizeof(real));
        scores[i] = h->half[place];
    }
    pack_group(h->gathered, WIDTH, d, h->zero, h->own);
    for (ptrdiff_t v = 0; v < WIDTH; v += LANES) {
        const real *x = h->group + v, *c = h->own + v;
        vec score = v_load(scores + v);
        for (ptrdiff_t p = 0; p < d; p++, x += WIDTH, c += WIDTH)
            score = v_fma(v_load(c), v_load(x), score);
        v_store(scores + v, score);
    }
    for (ptrdiff_t i = 0; i < count; i++) {
        const int32_t label = labels[rows[i]];
        if (h->places[label] < m)
            continue;
        const real own = (real)label, best = top->best[i];
        const int is_best = best < scores[i] || (best == scores[i] && own < top->cluster[i]);
        const real other = is_best ? best : scores[i];
        top->next[i] = top->next[i] < other ? other : top->next[i];
        top->cluster[i] = is_best ? own : top->cluster[i];
    }
}

/* bound[i] = a lower bound of the distances of a group's rows from centres with no higher scores
 * than `next`, if that is less. */
static void bound_others(const hamerly *h, const real *next, real *bound) {
    for (ptrdiff_t v = 0; v < WIDTH; v += LANES) {
        vec square = v_set(0);
        for (ptrdiff_t p = 0; p < h->d; p++) {
            const vec x = v_load(h->group + p * WIDTH + v);
            square = v_fma(x, x, square);
        }
        const vec slack = slack_of(h->doubt, v_add(v_sqrt(square), v_set(h->doubt.reach)));
        const vec least = v_sub(v_fma(v_set(-2), v_load(next + v), square), slack);
        v_store(bound + v, v_min(v_load(bound + v), v_sqrt(v_max(v_set(0), least))));
    }
}

/* Lets `count` <= WIDTH rows of the block at X, by their places in it, meet the first m centres. */
static void meet_centres(const hamerly *h, const real *X, const ptrdiff_t *rows, ptrdiff_t count,
                         ptrdiff_t m, int32_t *labels, real *lower) {
    const ptrdiff_t d = h->d, tiles = (m + TILE_ROWS - 1) / TILE_ROWS;
    ranking top;
    real bound[WIDTH] = {0};
    for (ptrdiff_t i = 0; i < WIDTH; i++) {
        top.best[i] = top.next[i] = -(real)INFINITY;
        top.cluster[i] = (real)h->clusters[0];
    }
    for (ptrdiff_t i = 0; i < count; i++) {
        memcpy(h->gathered + i * d, X + rows[i] * d, (size_t)d * sizeof(real));
        bound[i] = beyond(h, lower[rows[i]], m);
    }
    pack_group(h->gathered, count, d, h->shift, h->group);
    for (ptrdiff_t t = 0; t < tiles; t++) {
        const ptrdiff_t first = m * t / tiles;
#define RANK(rows) rank_tile(rows, h->group, d, h->centres, h->half, h->clusters, first, &top)
        WITH_CONSTANT(m * (t + 1) / tiles - first, RANK)
    }
    if (m < h->k)
        rank_own(h, rows, count, m, labels, &top);
    bound_others(h, top.next, bound);
    for (ptrdiff_t i = 0; i < count; i++) {
        labels[rows[i]] = (int32_t)top.cluster[i];
        lower[rows[i]] = bound[i];
    }
}

enum { BUCKETS = 64 };

/* Labels a block's `in_block` rows at X; returns how many centres they had to meet, all in all. */
static ptrdiff_t relabel_block(const hamerly *h, const real *X, ptrdiff_t in_block, int32_t *labels,
                               real *lower) {
    ptrdiff_t ends[BUCKETS + 1] = {0}, met[HMLC_BLOCK_ROWS], rows[HMLC_BLOCK_ROWS];
    ptrdiff_t total = 0;
    real gaps[HMLC_BLOCK_ROWS];
    for (ptrdiff_t r = 0; r < in_block; r += LANES)
        fill_gaps(h, X + r * h->d, in_block - r, labels + r, lower + r, gaps + r);
    for (ptrdiff_t r = 0; r < in_block; r++) {
        met[r] = centres_to_meet(h, gaps[r]);
        total += met[r];
        if (met[r] == 0)
            lower[r] = beyond(h, lower[r], 0);
        else
            ends[met[r] * (BUCKETS - 1) / h->k + 1]++;
    }
    for (ptrdiff_t i = 0; i < BUCKETS; i++)
        ends[i + 1] += ends[i];
    const ptrdiff_t count = ends[BUCKETS];
    for (ptrdiff_t r = 0; r < in_block; r++)
        if (met[r] > 0)
            rows[ends[met[r] * (BUCKETS - 1) / h->k]++] = r;
    for (ptrdiff_t i = 0; i < count; i += WIDTH) {
        const ptrdiff_t some = smaller(count - i, WIDTH);
        ptrdiff_t m = 0;
        for (ptrdiff_t j = i; j < i + some; j++)
            m = met[rows[j]] < m ? m : met[rows[j]];
        meet_centres(h, X, rows + i, some, m, labels, lower);
    }
    return total;
}

#endif
