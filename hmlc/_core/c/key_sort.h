/* A team of threads sorts scores, those of normal rows before those of anomalies.
 *
 * A score is sorted as a whole number of the same order, by its digits, lowest first (Knuth, The
 * Art of Computer Programming 3, 5.2.5, algorithm R); the label is a digit above them. Each pass
 * keeps the order of what it does not tell apart, so rows of equal score stay in the order of rows.
 */
#ifndef HMLC_KEY_SORT_H
#define HMLC_KEY_SORT_H

#include "simd.h"

#include "threshold.h"

#if HMLC_REAL_BITS == 32
typedef uint32_t sort_key;
#else
typedef uint64_t sort_key;
#endif

/* Runs up to this long are sorted by insertion. */
enum { SHORT_RUN = 64 };
#define SIGN ((sort_key)1 << (HMLC_REAL_BITS - 1))

/* Negative numbers' bits fall as the number rises, so all are flipped; of the others only the sign.
 * -0 becomes 0 first. */
INLINE sort_key key_of(real x) {
    sort_key bits;
    x += 0;
    memcpy(&bits, &x, sizeof x);
    return bits ^ ((0 - (bits >> (HMLC_REAL_BITS - 1))) | SIGN);
}
INLINE real number_of(sort_key key) {
    real x;
    key ^= ((key >> (HMLC_REAL_BITS - 1)) - 1) | SIGN;
    memcpy(&x, &key, sizeof x);
    return x;
}

/* Scores with their labels, 0 is normal, and the rows' weights; NULL where all weigh the same. */
typedef struct {
    const real *scores, *weights;
    const uint8_t *labels;
    ptrdiff_t n;
} scored_rows;

/* Keys of scores, and what their rows weigh or NULL. */
typedef struct {
    sort_key *keys;
    real *weights;
} key_list;

/* A thread's part of a list: keys of normal rows up to the middle, then of anomalies. */
typedef struct {
    ptrdiff_t first, middle, last;
} key_slice;

INLINE key_list from_place(key_list list, ptrdiff_t place) {
    return (key_list){list.keys + place, list.weights ? list.weights + place : NULL};
}

INLINE ptrdiff_t digit_of(sort_key key, int bit) {
    return (ptrdiff_t)(key >> bit) & (HMLC_DIGIT_VALUES - 1);
}
INLINE ptrdiff_t cell_of(uint8_t label, sort_key key, int bit) {
    return (label != 0) * (ptrdiff_t)HMLC_DIGIT_VALUES + digit_of(key, bit);
}

/* A thread's cells, one for each label and digit: its counts, and then its places. */
INLINE uint64_t *counts_of(uint64_t *cells, ptrdiff_t thread) {
    return cells + thread * 2 * HMLC_KEY_CELLS;
}
INLINE uint64_t *places_of(uint64_t *cells, ptrdiff_t thread) {
    return counts_of(cells, thread) + HMLC_KEY_CELLS;
}

/* Where this thread moves its keys: after all of lower cells, and those of the same cell that
 * threads before it move. Returns how many keys are of normal rows. */
static ptrdiff_t find_places(uint64_t *cells, team t) {
    uint64_t *places = places_of(cells, t.thread), place = 0, normals = 0;
    for (ptrdiff_t cell = 0; cell < HMLC_KEY_CELLS; cell++) {
        if (cell == HMLC_DIGIT_VALUES)
            normals = place;
        for (ptrdiff_t thread = 0; thread < t.threads; thread++) {
            if (thread == t.thread)
                places[cell] = place;
            place += counts_of(cells, thread)[cell];
        }
    }
    return (ptrdiff_t)normals;
}

static uint64_t *no_counts(uint64_t *cells, team t) {
    uint64_t *counts = counts_of(cells, t.thread);
    memset(counts, 0, HMLC_KEY_CELLS * sizeof *counts);
    return counts;
}

/* The first pass, of this thread's share of the rows; returns how many of all are normal. */
static ptrdiff_t sort_rows(const scored_rows *rows, int bit, key_list to, uint64_t *cells, team t) {
    const ptrdiff_t first = share(rows->n, t.thread, t.threads);
    const ptrdiff_t last = share(rows->n, t.thread + 1, t.threads);
    uint64_t *counts = no_counts(cells, t), *places = places_of(cells, t.thread);
    for (ptrdiff_t i = first; i < last; i++)
        counts[cell_of(rows->labels[i], key_of(rows->scores[i]), bit)]++;
    barrier_wait(t.meeting, t.threads);
    const ptrdiff_t normals = find_places(cells, t);
    for (ptrdiff_t i = first; i < last; i++) {
        const sort_key key = key_of(rows->scores[i]);
        const uint64_t place = places[cell_of(rows->labels[i], key, bit)]++;
        to.keys[place] = key;
        if (to.weights)
            to.weights[place] = rows->weights[i];
    }
    barrier_wait(t.meeting, t.threads);
    return normals;
}

static void count_digits(const sort_key *keys, ptrdiff_t n, int bit, uint64_t *counts) {
    for (ptrdiff_t i = 0; i < n; i++)
        counts[digit_of(keys[i], bit)]++;
}
static void move(key_list from, ptrdiff_t n, int bit, key_list to, uint64_t *places) {
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint64_t place = places[digit_of(from.keys[i], bit)]++;
        to.keys[place] = from.keys[i];
        if (to.weights)
            to.weights[place] = from.weights[i];
    }
}

/* Another pass, of this thread's slice. */
static void sort_digit(key_list from, key_slice s, int bit, key_list to, uint64_t *cells, team t) {
    uint64_t *counts = no_counts(cells, t), *places = places_of(cells, t.thread);
    count_digits(from.keys + s.first, s.middle - s.first, bit, counts);
    count_digits(from.keys + s.middle, s.last - s.middle, bit, counts + HMLC_DIGIT_VALUES);
    barrier_wait(t.meeting, t.threads);
    find_places(cells, t);
    move(from_place(from, s.first), s.middle - s.first, bit, to, places);
    move(from_place(from, s.middle), s.last - s.middle, bit, to, places + HMLC_DIGIT_VALUES);
    barrier_wait(t.meeting, t.threads);
}

static void insertion_sort(key_list list, ptrdiff_t n) {
    for (ptrdiff_t i = 1; i < n; i++) {
        const sort_key key = list.keys[i];
        const real weight = list.weights ? list.weights[i] : 0;
        ptrdiff_t place = i;
        for (; place > 0 && key < list.keys[place - 1]; place--) {
            list.keys[place] = list.keys[place - 1];
            if (list.weights)
                list.weights[place] = list.weights[place - 1];
        }
        list.keys[place] = key;
        if (list.weights)
            list.weights[place] = weight;
    }
}

/* Sorts n keys that differ in their lowest HMLC_DIGITS digits alone; spare n. */
static void sort_run(key_list run, ptrdiff_t n, key_list spare, uint64_t *cells) {
    const key_slice all = {0, n, n};
    const team alone = {0, 1, NULL};
    sort_key varying = 0;
    for (ptrdiff_t i = 1; i < n; i++)
        varying |= run.keys[i] ^ run.keys[0];
    if (varying == 0)
        return;
    if (n <= SHORT_RUN) {
        insertion_sort(run, n);
        return;
    }
    for (int digit = 0; digit < HMLC_DIGITS; digit++) {
        sort_digit(run, all, digit * HMLC_DIGIT_BITS, spare, cells, alone);
        memcpy(run.keys, spare.keys, (size_t)n * sizeof(sort_key));
        if (run.weights)
            memcpy(run.weights, spare.weights, (size_t)n * sizeof(real));
    }
}

INLINE int is_one_run(const sort_key *keys, ptrdiff_t place, int bit) {
    return (keys[place] ^ keys[place - 1]) >> bit == 0;
}

/* The first run of n keys, which share all bits from `bit` on, that falls to a thread. */
static ptrdiff_t first_run(const sort_key *keys, ptrdiff_t n, int bit, ptrdiff_t thread,
                           ptrdiff_t threads) {
    ptrdiff_t place = share(n, thread, threads);
    while (place > 0 && place < n && is_one_run(keys, place, bit))
        place++;
    return place;
}

/* Sorts the runs of n keys that share all bits from `bit` on. */
static void sort_runs(key_list list, ptrdiff_t n, int bit, key_list spare, uint64_t *cells,
                      team t) {
    ptrdiff_t begin = first_run(list.keys, n, bit, t.thread, t.threads), end;
    const ptrdiff_t stop = first_run(list.keys, n, bit, t.thread + 1, t.threads);
    barrier_wait(t.meeting, t.threads);
    for (; begin < stop; begin = end) {
        for (end = begin + 1; end < stop && is_one_run(list.keys, end, bit);)
            end++;
        if (end - begin > 1)
            sort_run(from_place(list, begin), end - begin, from_place(spare, begin),
                     counts_of(cells, t.thread));
    }
}

/* Which bits differ among a thread's share of the keys, or between them and the first of all. */
static sort_key bits_that_vary(const scored_rows *rows, team t) {
    const sort_key one = key_of(rows->scores[0]);
    const ptrdiff_t last = share(rows->n, t.thread + 1, t.threads);
    sort_key varying = 0;
    for (ptrdiff_t i = share(rows->n, t.thread, t.threads); i < last; i++)
        varying |= key_of(rows->scores[i]) ^ one;
    return varying;
}

/* The lowest bit of a window of HMLC_DIGITS digits that begins where keys first differ; each thread
 * leaves its own finding in the first of its places. */
static int window(const scored_rows *rows, uint64_t *cells, team t) {
    uint64_t varying = 0;
    int bit = 0;
    if (HMLC_REAL_BITS <= HMLC_DIGITS * HMLC_DIGIT_BITS)
        return 0;
    *places_of(cells, t.thread) = bits_that_vary(rows, t);
    barrier_wait(t.meeting, t.threads);
    for (ptrdiff_t thread = 0; thread < t.threads; thread++)
        varying |= *places_of(cells, thread);
    while (varying >> bit >> (HMLC_DIGITS * HMLC_DIGIT_BITS) != 0)
        bit++;
    return bit;
}

/* list = the rows' keys, sorted: those of normal rows, whose number is returned, then those of
 * anomalies; spare as long. Of a float64's bits few scores share the upper 36 that vary: passes by
 * those leave short runs, which are sorted by the rest. A float32 has no rest. */
static ptrdiff_t sort_scores(const scored_rows *rows, key_list list, key_list spare,
                             uint64_t *cells, team t) {
    const int bit = window(rows, cells, t);
    const ptrdiff_t normals = sort_rows(rows, bit, spare, cells, t), n = rows->n;
    key_slice s = {share(n, t.thread, t.threads), normals, share(n, t.thread + 1, t.threads)};
    s.middle = normals < s.first ? s.first : normals > s.last ? s.last : normals;
    for (int digit = 1; digit < HMLC_DIGITS; digit++)
        sort_digit(digit % 2 ? spare : list, s, bit + digit * HMLC_DIGIT_BITS,
                   digit % 2 ? list : spare, cells, t);
    if (bit > 0) {
        sort_runs(list, normals, bit, spare, cells, t);
        sort_runs(from_place(list, normals), n - normals, bit, from_place(spare, normals), cells,
                  t);
        barrier_wait(t.meeting, t.threads);
    }
    return normals;
}

#endif
