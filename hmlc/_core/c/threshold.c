/* Precision, recall and F1 at every threshold on a score, by one sweep over sorted scores.
 *
 * A score is sorted as a whole number of the same order. Scores of normal rows and of anomalies are
 * sorted apart and swept side by side, so no label has to travel with its score.
 */
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
    return bits & SIGN ? ~bits : bits | SIGN;
}
INLINE real number_of(sort_key key) {
    real x;
    key = key & SIGN ? key ^ SIGN : ~key;
    memcpy(&x, &key, sizeof x);
    return x;
}

/* Keys of the normal rows (label 0) into keys[0..], of the anomalies into the end of keys[0..n-1];
 * returns how many are normal. Each key is written to both ends of what is free: no branch. */
static ptrdiff_t partition(const real *scores, const uint8_t *labels, ptrdiff_t n, sort_key *keys) {
    ptrdiff_t low = 0, high = n;
    for (ptrdiff_t i = 0; i < n; i++) {
        const sort_key key = key_of(scores[i]);
        const ptrdiff_t is_anomaly = labels[i] != 0;
        keys[low] = key;
        keys[high - 1] = key;
        low += 1 - is_anomaly;
        high -= is_anomaly;
    }
    return low;
}

INLINE ptrdiff_t digit_of(sort_key key, int bit) {
    return (ptrdiff_t)(key >> bit) & (HMLC_DIGIT_VALUES - 1);
}

/* Moves keys to `to`, ordered by the digit from `bit` on and otherwise as they came. counts, of
 * keys that have each value there, become places. */
static void scatter(const sort_key *keys, ptrdiff_t n, int bit, uint64_t *counts, sort_key *to) {
    uint64_t place = 0;
    for (ptrdiff_t value = 0; value < HMLC_DIGIT_VALUES; value++) {
        const uint64_t count = counts[value];
        counts[value] = place;
        place += count;
    }
    for (ptrdiff_t i = 0; i < n; i++)
        to[counts[digit_of(keys[i], bit)]++] = keys[i];
}

/* Sorts n > 0 keys by the digits from `bit` on, lowest first; a digit that all keys share is passed
 * over. Returns where the sorted keys are: in `keys` or in `spare`, of n each. */
static sort_key *radix_sort(sort_key *keys, ptrdiff_t n, int bit, sort_key *spare,
                            uint64_t *counts) {
    memset(counts, 0, (size_t)HMLC_DIGITS * HMLC_DIGIT_VALUES * sizeof *counts);
    for (ptrdiff_t i = 0; i < n; i++)
        for (int digit = 0; digit < HMLC_DIGITS; digit++)
            counts[digit * HMLC_DIGIT_VALUES + digit_of(keys[i], bit + digit * HMLC_DIGIT_BITS)]++;
    for (int digit = 0; digit < HMLC_DIGITS; digit++, counts += HMLC_DIGIT_VALUES) {
        const int at = bit + digit * HMLC_DIGIT_BITS;
        if (counts[digit_of(keys[0], at)] == (uint64_t)n)
            continue;
        scatter(keys, n, at, counts, spare);
        sort_key *sorted = spare;
        spare = keys;
        keys = sorted;
    }
    return keys;
}

static void insertion_sort(sort_key *keys, ptrdiff_t n) {
    for (ptrdiff_t i = 1; i < n; i++) {
        const sort_key key = keys[i];
        ptrdiff_t place = i;
        for (; place > 0 && key < keys[place - 1]; place--)
            keys[place] = keys[place - 1];
        keys[place] = key;
    }
}

/* The lowest bit of a window of HMLC_DIGITS digits that begins where keys first differ. */
static int window_of(const sort_key *keys, ptrdiff_t n) {
    uint64_t varying = 0;
    int bit = 0;
    for (ptrdiff_t i = 1; i < n; i++)
        varying |= keys[i] ^ keys[0];
    while (varying >> bit >> (HMLC_DIGITS * HMLC_DIGIT_BITS) != 0)
        bit++;
    return bit;
}

/* Sorts n keys; returns where they are: in `keys` or in `spare`, of n each. Of a float64's bits few
 * scores share the upper 33 that vary: a radix sort by those leaves short runs, which are sorted by
 * the rest. A float32 has no rest. */
static const sort_key *sort(sort_key *keys, ptrdiff_t n, sort_key *spare, uint64_t *counts) {
    if (n == 0)
        return keys;
    const int bit = window_of(keys, n);
    sort_key *sorted = radix_sort(keys, n, bit, spare, counts);
    spare = sorted == keys ? spare : keys;
    for (ptrdiff_t i = 0, end; bit > 0 && i < n; i = end) {
        sort_key *run = sorted + i;
        for (end = i + 1; end < n && (sorted[end] ^ *run) >> bit == 0;)
            end++;
        if (end - i <= SHORT_RUN)
            insertion_sort(run, end - i);
        else if (radix_sort(run, end - i, 0, spare + i, counts) != run)
            memcpy(run, spare + i, (size_t)(end - i) * sizeof *run);
    }
    return sorted;
}

/* A number t with a < t <= b: the midpoint, or b where there is none between. */
INLINE real separator(real a, real b) {
    const real middle = a / 2 + b / 2;
    return a < middle ? middle : b;
}

/* sums[i] = what the rows of the first i of n sorted keys weigh: those with the label 0, or others,
 * as `are_anomalies` says. Rows of equal keys are summed in order, in the place of the first of
 * them. */
static void sum_weights(const real *scores, const uint8_t *labels, const real *weights,
                        ptrdiff_t rows, int are_anomalies, const sort_key *sorted, ptrdiff_t n,
                        double *sums) {
    for (ptrdiff_t i = 0; i <= n; i++)
        sums[i] = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        if ((labels[r] != 0) != are_anomalies)
            continue;
        const sort_key key = key_of(scores[r]);
        ptrdiff_t first = 0;
        for (ptrdiff_t left = n, half; left > 1; left -= half) {
            half = left / 2;
            first += sorted[first + half - 1] < key ? half : 0;
        }
        sums[first + 1] += (double)weights[r];
    }
    for (ptrdiff_t i = 0; i < n; i++)
        sums[i + 1] += sums[i];
}

/* What the first i rows weigh; i where all weigh the same. */
INLINE double weight_of(const double *sums, ptrdiff_t i) {
    return sums ? sums[i] : (double)i;
}

/* For every distinct score, what comes of flagging it and all below, which is `score < threshold`.
 *   scores n, no NaN, below infinity; labels n, 0 is normal; weights n, > 0, step 1, or one weight
 *   for all, step 0; thresholds, precisions, recalls, f1s n, of which the first answer[0] are set:
 *   one for each distinct score, rising; answer[1] is the first of those with the largest F1;
 *   scratch (2 + step) n + 2 + HMLC_DIGITS * HMLC_DIGIT_VALUES.
 * Where those flagged weigh k, t of it rightly, and all anomalies p: precision t / k, recall t / p,
 * F1 2 t / (k + p). The last threshold, above all scores, is the next number after the largest. */
static void sweep(const real *scores, const uint8_t *labels, const real *weights, ptrdiff_t step,
                  ptrdiff_t n, real *thresholds, double *precisions, double *recalls, double *f1s,
                  ptrdiff_t *answer, uint64_t *scratch) {
    sort_key *keys = (sort_key *)(scratch + HMLC_DIGITS * HMLC_DIGIT_VALUES), *spare = keys + n;
    const ptrdiff_t normals = partition(scores, labels, n, keys), anomalies = n - normals;
    const sort_key *a = sort(keys, normals, spare, scratch);
    const sort_key *b = sort(keys + normals, anomalies, spare + normals, scratch);
    double *of_a = NULL, *of_b = NULL;
    if (step != 0) {
        of_a = (double *)(scratch + HMLC_DIGITS * HMLC_DIGIT_VALUES + 2 * n);
        of_b = of_a + normals + 1;
        sum_weights(scores, labels, weights, n, 0, a, normals, of_a);
        sum_weights(scores, labels, weights, n, 1, b, anomalies, of_b);
    }
    const double all = weight_of(of_b, anomalies);
    ptrdiff_t i = 0, j = 0, m = 0, best = 0;
    double caught = 0, recall = 0 / all;
    while (i + j < n) {
        const sort_key key = j == anomalies || (i < normals && a[i] < b[j]) ? a[i] : b[j];
        while (i < normals && a[i] == key)
            i++;
        if (j < anomalies && b[j] == key) {
            while (j < anomalies && b[j] == key)
                j++;
            caught = weight_of(of_b, j), recall = caught / all;
        }
        thresholds[m] = number_of(key);
        if (m > 0)
            thresholds[m - 1] = separator(thresholds[m - 1], thresholds[m]);
        const double flagged = weight_of(of_a, i) + caught;
        precisions[m] = caught / flagged;
        recalls[m] = recall;
        f1s[m] = 2 * caught / (flagged + all);
        if (f1s[m] > f1s[best])
            best = m;
        m++;
    }
    thresholds[m - 1] = number_of(key_of(thresholds[m - 1]) + 1);
    answer[0] = m;
    answer[1] = best;
}

HMLC_TABLE(threshold, THRESHOLD_KERNELS)
