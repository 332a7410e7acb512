/* Precision, recall and F1 at every threshold on a score, by one sweep over sorted scores.
 *
 * Scores of normal rows and of anomalies lie apart and are swept side by side, so no label has to
 * travel with its score. Each thread of a team sweeps a range of scores.
 */
#include "key_sort.h"

/* Sorted keys of one label, from the first to the end of a range. sums[i] is what the first i of
 * all weigh; NULL where all weigh the same. */
typedef struct {
    const sort_key *keys;
    const double *sums;
    ptrdiff_t next, end;
} side;

/* What the first i rows weigh; i where all weigh the same. */
INLINE double weight_of(const side *s, ptrdiff_t i) {
    return s->sums ? s->sums[i] : (double)i;
}

/* sums[i] = what the first i of n rows of sorted keys weigh, wherever another key follows: rows of
 * equal keys are summed first. */
static void sum_weights(key_list list, ptrdiff_t n, double *sums) {
    double before = 0, own = 0;
    sums[0] = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        if (i > 0 && list.keys[i] != list.keys[i - 1]) {
            before += own;
            own = 0;
        }
        own += (double)list.weights[i];
        sums[i + 1] = before + own;
    }
}

/* The first of n sorted keys that is not below another. */
static ptrdiff_t lower_bound(const sort_key *keys, ptrdiff_t n, sort_key key) {
    ptrdiff_t low = 0;
    while (n > 0) {
        const ptrdiff_t half = n / 2;
        if (keys[low + half] < key) {
            low += half + 1;
            n -= half + 1;
        } else
            n = half;
    }
    return low;
}

/* Sets where in both labels' keys, of so many, a thread's range begins: with the same key. */
static void begin_range(side *a, ptrdiff_t normals, side *b, ptrdiff_t anomalies, ptrdiff_t thread,
                        ptrdiff_t threads) {
    const int is_a = normals > anomalies;
    const ptrdiff_t place = share(is_a ? normals : anomalies, thread, threads);
    a->next = normals;
    b->next = anomalies;
    if (thread == threads)
        return;
    const sort_key key = thread == 0 ? 0 : is_a ? a->keys[place] : b->keys[place];
    a->next = lower_bound(a->keys, normals, key);
    b->next = lower_bound(b->keys, anomalies, key);
}

INLINE int is_empty(const side *s) {
    return s->next == s->end;
}

/* The least key that is left, of either. */
INLINE sort_key head_of(const side *a, const side *b) {
    if (is_empty(a) || (!is_empty(b) && b->keys[b->next] < a->keys[a->next]))
        return b->keys[b->next];
    return a->keys[a->next];
}

/* The number after the last of those taken: of the least key left, or the next that there is. */
static real number_after(real last, side a, side b) {
    const int is_end = is_empty(&a) && is_empty(&b);
    return number_of(is_end ? key_of(last) + 1 : head_of(&a, &b));
}

/* Whether the key before the next, of this side, is the last of its value. */
INLINE int is_past_run(const side *s) {
    return is_empty(s) || s->keys[s->next] != s->keys[s->next - 1];
}

INLINE void pass_run(side *s, sort_key key) {
    while (!is_empty(s) && s->keys[s->next] == key)
        s->next++;
}

/* How many distinct keys are left. */
static ptrdiff_t count_distinct(side a, side b) {
    ptrdiff_t count = 0;
    while (!is_empty(&b)) {
        const sort_key key = b.keys[b.next];
        while (!is_empty(&a) && a.keys[a.next] < key) {
            a.next++;
            count += is_past_run(&a);
        }
        pass_run(&a, key);
        pass_run(&b, key);
        count++;
    }
    while (!is_empty(&a)) {
        a.next++;
        count += is_past_run(&a);
    }
    return count;
}

/* A stretch of the curve: scores, then the thresholds after them; what is flagged, then precisions;
 * the anomalies among that, then F1; recalls. */
enum { STRETCH = 256 };
typedef struct {
    real numbers[STRETCH + 1];
    double flagged[STRETCH], caught[STRETCH], recalls[STRETCH];
} curve;

/* Fills a curve with distinct scores and what is flagged up to each; returns how many. `all` is the
 * weight of all anomalies. */
static ptrdiff_t take_scores(side *a, side *b, double all, curve *c) {
    double caught = weight_of(b, b->next), recall = caught / all;
    ptrdiff_t m = 0;
    while (m < STRETCH && !(is_empty(a) && is_empty(b))) {
        const sort_key key = is_empty(b) ? (sort_key)-1 : b->keys[b->next];
        const ptrdiff_t room = a->next + STRETCH - m, stop = room < a->end ? room : a->end;
        while (a->next < stop && a->keys[a->next] < key) {
            c->numbers[m] = number_of(a->keys[a->next++]);
            c->flagged[m] = weight_of(a, a->next) + caught;
            c->caught[m] = caught;
            c->recalls[m] = recall;
            m += is_past_run(a);
        }
        if (m == STRETCH || is_empty(b) || (!is_empty(a) && a->keys[a->next] < key))
            continue;
        pass_run(a, key);
        pass_run(b, key);
        caught = weight_of(b, b->next), recall = caught / all;
        c->numbers[m] = number_of(key);
        c->flagged[m] = weight_of(a, a->next) + caught;
        c->caught[m] = caught;
        c->recalls[m++] = recall;
    }
    return m;
}

/* A number t with a < t <= b: the midpoint, or b where there is none between. */
INLINE real separator(real a, real b) {
    const real middle = a / 2 + b / 2;
    return a < middle ? middle : b;
}

/* Turns scores into thresholds, and counts into precision and F1. */
static void finish_curve(curve *c, double all) {
    for (ptrdiff_t i = 0; i < STRETCH; i++)
        c->numbers[i] = separator(c->numbers[i], c->numbers[i + 1]);
    for (ptrdiff_t i = 0; i < STRETCH; i++) {
        const double flagged = c->flagged[i], caught = c->caught[i];
        c->flagged[i] = caught / flagged;
        c->caught[i] = 2 * caught / (flagged + all);
    }
}

typedef struct {
    real *thresholds;
    double *precisions, *recalls, *f1s;
} outputs;

/* Sets outputs from the m-th on, for the scores of a range; returns which has the largest F1. */
static ptrdiff_t draw(side a, ptrdiff_t normals, side b, ptrdiff_t anomalies, ptrdiff_t m,
                      const outputs *out) {
    const double all = weight_of(&b, anomalies);
    ptrdiff_t best = m;
    curve c;
    memset(&c, 0, sizeof c);
    while (!(is_empty(&a) && is_empty(&b))) {
        const ptrdiff_t count = take_scores(&a, &b, all, &c);
        const side rest_a = {a.keys, a.sums, a.next, normals},
                   rest_b = {b.keys, b.sums, b.next, anomalies};
        c.numbers[count] = number_after(c.numbers[count - 1], rest_a, rest_b);
        finish_curve(&c, all);
        memcpy(out->thresholds + m, c.numbers, (size_t)count * sizeof(real));
        memcpy(out->precisions + m, c.flagged, (size_t)count * sizeof(double));
        memcpy(out->recalls + m, c.recalls, (size_t)count * sizeof(double));
        memcpy(out->f1s + m, c.caught, (size_t)count * sizeof(double));
        for (const ptrdiff_t end = m + count; m < end; m++)
            best = out->f1s[m] > out->f1s[best] ? m : best;
    }
    return best;
}

/* answer = how many distinct scores there are, and the first of the largest F1. */
static void summarise(const hmlc_threshold_finding *found, ptrdiff_t threads, const double *f1s,
                      ptrdiff_t *answer) {
    answer[0] = 0;
    answer[1] = 0;
    for (ptrdiff_t thread = 0; thread < threads; thread++)
        if (found[thread].distinct > 0) {
            answer[0] += found[thread].distinct;
            if (f1s[found[thread].best] > f1s[answer[1]])
                answer[1] = found[thread].best;
        }
}

/* For every distinct score, what comes of flagging it and all below, which is `score < threshold`.
 *   scores n > 0, no NaN, below infinity; labels n, 0 is normal; weights n, > 0, step 1, or one
 *   weight for all, step 0; thresholds, precisions, recalls, f1s n, of which the first answer[0]
 *   are set: one for each distinct score, rising; answer[1] is the first of those with the largest
 *   F1; memory as hmlc_threshold_memory says, its barrier 0 at first. All threads of the team call,
 *   each with its number; the first's answer is set.
 * Where those flagged weigh k, t of it rightly, and all anomalies p: precision t / k, recall t / p,
 * F1 2 t / (k + p). Weights are summed by score in order of rows, then in order of scores. The last
 * threshold, above all scores, is the next number after the largest. */
static void sweep(const real *scores, const uint8_t *labels, const real *weights, ptrdiff_t step,
                  ptrdiff_t n, real *thresholds, double *precisions, double *recalls, double *f1s,
                  ptrdiff_t *answer, ptrdiff_t thread, ptrdiff_t threads, unsigned char *memory) {
    const team t = {thread, threads, (barrier *)memory};
    hmlc_threshold_finding *found = (hmlc_threshold_finding *)(t.meeting + 1);
    uint64_t *cells = (uint64_t *)(found + threads), *room = cells + threads * 2 * HMLC_KEY_CELLS;
    const scored_rows rows = {scores, step ? weights : NULL, labels, n};
    const key_list list = {(sort_key *)room, step ? (real *)(room + n) : NULL};
    const key_list spare = {(sort_key *)f1s, step ? (real *)recalls : NULL};
    const ptrdiff_t normals = sort_scores(&rows, list, spare, cells, t), anomalies = n - normals;
    side a = {.keys = list.keys}, b = {.keys = list.keys + normals};
    if (step) {
        double *sums = (double *)(room + 2 * n);
        a.sums = sums, b.sums = sums + normals + 1;
        if (thread == 0)
            sum_weights(list, normals, sums);
        if (thread == threads - 1)
            sum_weights(from_place(list, normals), anomalies, sums + normals + 1);
        barrier_wait(t.meeting, threads);
    }
    begin_range(&a, normals, &b, anomalies, thread + 1, threads);
    a.end = a.next, b.end = b.next;
    begin_range(&a, normals, &b, anomalies, thread, threads);
    found[thread].distinct = count_distinct(a, b);
    barrier_wait(t.meeting, threads);
    ptrdiff_t m = 0;
    for (ptrdiff_t before = 0; before < thread; before++)
        m += found[before].distinct;
    const outputs out = {thresholds, precisions, recalls, f1s};
    found[thread].best = draw(a, normals, b, anomalies, m, &out);
    barrier_wait(t.meeting, threads);
    if (thread == 0)
        summarise(found, threads, f1s, answer);
}

HMLC_TABLE(threshold, THRESHOLD_KERNELS)
