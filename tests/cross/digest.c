/* Runs every kernel of one variant and float type on made-up numbers, and prints a digest of the
 * bytes that each wrote: the same lines on every processor whose variant has FMA. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "simd.h"

#include "basis.h"
#include "elementwise.h"
#include "gaussian.h"
#include "k_means.h"
#include "linalg.h"
#include "logistic.h"
#include "moments.h"
#include "perceptron.h"
#include "scatter.h"
#include "threshold.h"

#define KERNELS(family) HMLC_TABLE_NAME(family, HMLC_REAL_BITS, HMLC_VARIANT)
#define FAMILY(family) extern const HMLC_TYPE(family, HMLC_REAL_BITS) KERNELS(family);
FAMILY(basis)
FAMILY(elementwise)
FAMILY(gaussian)
FAMILY(k_means)
FAMILY(linalg)
FAMILY(logistic)
FAMILY(moments)
FAMILY(perceptron)
FAMILY(scatter)
FAMILY(threshold)

static uint64_t state = 88172645463325252u;

/* Uniform in [-1, 1): Marsaglia's xorshift, "Xorshift RNGs" (2003). */
static double uniform(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 4503599627370496.0 - 1;
}

static void *room(ptrdiff_t bytes) {
    void *p = calloc((size_t)bytes + 4096, 1);
    if (!p)
        exit(3);
    return p;
}

static real *zeros(ptrdiff_t n) {
    return room(n * (ptrdiff_t)sizeof(real));
}

static double *sums(ptrdiff_t n) {
    return room(n * (ptrdiff_t)sizeof(double));
}

static real *numbers(ptrdiff_t n, double scale, double offset) {
    real *x = zeros(n);
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] = (real)(scale * uniform() + offset);
    return x;
}

/* FNV-1a. */
static void show(const char *kernel, const void *bytes, size_t size) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
    printf("f%d %-32s %016" PRIx64 "\n", HMLC_REAL_BITS, kernel, hash);
}
#define SHOW(kernel, array, n) show(kernel, array, (size_t)(n) * sizeof *(array))

static void statistics(ptrdiff_t n, ptrdiff_t d) {
    real *X = numbers(n * d, 3, 5), *y = numbers(n, 1, 0), *out = zeros(n * d);
    real *mean = numbers(d, 1, 0), *scale = numbers(d, 0.5, 1), *scratch = zeros(64 * (d + 1024));
    const ptrdiff_t m = d + 1;
    double *count = sums(1), *means = sums(m), *m2 = sums(d), *S = sums(m * m);
    const real one = 1;
    real *weights = numbers(n, 1, 1);
    KERNELS(moments).update(X, n, d, &one, 0, count, means, m2, scratch);
    KERNELS(moments).update(X, n, d, weights, 1, count, means, m2, scratch);
    SHOW("moments.update", means, d), SHOW("moments.update", m2, d);
    KERNELS(moments).standardise(X, n, d, mean, scale, out, scratch);
    SHOW("moments.standardise", out, n * d);
    double *change = sums(2 * m), *totals = sums(m), *T = sums(m * m);
    real *wide = zeros((HMLC_BLOCK_ROWS + 4) * (m + 64) + HMLC_BLOCK_ROWS);
    count = sums(2), means = sums(m);
    KERNELS(scatter).update(X, y, n, d, 1, &one, 0, count, means, totals, S, 0, m, wide);
    KERNELS(scatter).update(X, y, n, d, 1, weights, 1, count, means, totals, S, 0, m, wide);
    memcpy(T, S, (size_t)(m * m) * sizeof *T);
    KERNELS(scatter).merge(S, T, m, count, means, totals, *count, means, totals, change);
    KERNELS(scatter).centre(S, m, *count, means, totals);
    SHOW("scatter.update", S, m * m), SHOW("scatter.update", means, m);
    const ptrdiff_t width = d * (d + 3) / 2;
    real *powers = zeros(n * width), *room_for_basis = zeros(64 * (width + d + 64));
    KERNELS(basis).polynomials(X, X, n, d, 2, powers, width, width, room_for_basis);
    SHOW("basis.polynomials", powers, n * width);
    real *sines = zeros(n * 2 * d);
    KERNELS(basis).sinusoids(X, n, d, 2, sines, 2 * d, room_for_basis);
    SHOW("basis.sinusoids", sines, n * 2 * d);
}

static void functions(ptrdiff_t n) {
    real *x = numbers(n, 30, 0), *out = zeros(n);
    KERNELS(elementwise).exponential(x, n, out), SHOW("elementwise.exponential", out, n);
    KERNELS(elementwise).hyperbolic_tangent(x, n, out), SHOW("elementwise.tanh", out, n);
    KERNELS(elementwise).softplus(x, n, out), SHOW("elementwise.softplus", out, n);
    KERNELS(elementwise).sigmoid(x, n, out), SHOW("elementwise.sigmoid", out, n);
    KERNELS(elementwise).sigmoid_gradient(x, n, out), SHOW("elementwise.gradient", out, n);
    uint8_t *labels = room(n);
    for (ptrdiff_t i = 0; i < n; i++)
        labels[i] = uniform() > 0.8;
    double *p = sums(n), *r = sums(n), *f = sums(n);
    ptrdiff_t answer[2];
    unsigned char *memory = room(hmlc_threshold_memory(n, 1, 1));
    real *weights = numbers(n, 1, 2);
    for (ptrdiff_t step = 0; step < 2; step++) {
        KERNELS(threshold).sweep(x, labels, weights, step, n, out, p, r, f, answer, 0, 1, memory);
        SHOW("threshold.sweep", out, answer[0]), SHOW("threshold.sweep", f, answer[0]);
    }
}

static void algebra(ptrdiff_t n, ptrdiff_t k) {
    real *A = numbers(n * n, 0.1, 0), *L = zeros(n * n), *B = numbers(k * n, 1, 0);
    for (ptrdiff_t i = 0; i < n; i++) {
        A[i * n + i] = (real)(n + uniform());
        for (ptrdiff_t j = 0; j < i; j++)
            A[j * n + i] = A[i * n + j];
    }
    ptrdiff_t rank, *order = room(n * (ptrdiff_t)sizeof *order);
    double value;
    real *scratch = zeros((HMLC_CHOLESKY_BLOCK + k + 16) * (n + 16)), *out = zeros(k * n);
    KERNELS(linalg).dot(A, A + n, n * (n - 1), &value), SHOW("linalg.dot", &value, 1);
    KERNELS(linalg).cholesky_pivoted(A, n, 0, L, order, &rank, scratch);
    SHOW("linalg.cholesky_pivoted", L, n * n);
    KERNELS(linalg).cholesky(A, n, 0, L, &rank, scratch), SHOW("linalg.cholesky", L, n * n);
    KERNELS(linalg).cholesky_solve(L, n, B, k), SHOW("linalg.cholesky_solve", B, k * n);
    KERNELS(linalg).quadratic(A, B, B, k, n, out, &value), SHOW("linalg.quadratic", out, k * n);
    real *wide = zeros(n * n);
    KERNELS(linalg).affine(A, n, n, B, A, k, wide, scratch), SHOW("linalg.affine", wide, n * k);
    KERNELS(linalg).affine(A, n, n, B, A, 1, wide, scratch), SHOW("linalg.affine, one", wide, n);
}

static void classes_of(ptrdiff_t n, ptrdiff_t d, ptrdiff_t k) {
    real *X = numbers(n * d, 1, 0), *W = numbers(k * (d + 1), 1, 0), *units = numbers(2 * d, 1, 1);
    real *scratch = zeros(hmlc_logistic_scratch(d, k, k)), *Z = zeros(n * k);
    const real one = 1, *weights = numbers(n, 1, 2);
    int32_t *codes = room(n * (ptrdiff_t)sizeof *codes);
    ptrdiff_t *classes = room(k * (ptrdiff_t)sizeof *classes);
    ptrdiff_t *classes_found = room(n * (ptrdiff_t)sizeof *classes_found);
    for (ptrdiff_t i = 0; i < n; i++)
        codes[i] = (int32_t)(i % k);
    for (ptrdiff_t c = 0; c < k; c++)
        classes[c] = c;
    double *loss = sums(k), *gradient = sums(k * (d + 1)), *hessian = sums(k * (d + 1) * (d + 1));
    KERNELS(logistic).sigmoid_loss(X, n, d, codes, 4, weights, 1, classes, W, k, units, loss,
                                   gradient, scratch);
    SHOW("logistic.sigmoid_loss", loss, k), SHOW("logistic.sigmoid_loss", gradient, k * (d + 1));
    KERNELS(logistic).sigmoid_loss(X, n, d, codes, 4, &one, 0, classes, W, 1, units, loss, gradient,
                                   scratch);
    SHOW("logistic.sigmoid_loss", gradient, d + 1);
    KERNELS(logistic).sigmoid_loss_hessian(X, n, d, codes, 4, weights, 1, classes, W, k, units,
                                           loss, gradient, hessian, scratch);
    SHOW("logistic.sigmoid_loss_hessian", hessian, k * (d + 1) * (d + 1));
    KERNELS(logistic).softmax_loss(X, n, d, codes, 4, &one, 0, W, k, units, loss, gradient,
                                   scratch);
    SHOW("logistic.softmax_loss", gradient, k * (d + 1));
    KERNELS(logistic).scores(X, n, d, W, k, units, Z, scratch), SHOW("logistic.scores", Z, n * k);
    KERNELS(logistic).most_probable(Z, n, k, classes_found);
    SHOW("logistic.most_probable", classes_found, n);
    KERNELS(logistic).log_softmax(Z, n, k, scratch), SHOW("logistic.log_softmax", Z, n * k);
    KERNELS(logistic).softmax(Z, n, k, scratch), SHOW("logistic.softmax", Z, n * k);
}

static void clusters(ptrdiff_t n, ptrdiff_t d, ptrdiff_t k) {
    real *X = numbers(n * d, 1, 0), *shift = numbers(d, 0.1, 0), *centres = numbers(k * d, 1, 0);
    real *scratch = zeros(k_means_scratch(k + 1, d) + k_means_long_scratch(k, d)),
         *closest = numbers(n, 0, 9), *out = zeros(n * k);
    real *near = zeros(k * d), *steps = numbers(k, 0, 0.1), *lower = zeros(k * n);
    real *upper = numbers(n, 0, INFINITY), *weights = numbers(n, 0, 2);
    int32_t *labels = room(4 * n), *which = room(4 * n * k), *clusters = room(4 * k);
    int64_t *rows = room(8 * n * k), found = 0;
    double *total = sums(k * d + n), *counts = sums(k);
    KERNELS(k_means).relative(centres, k, d, shift, near), SHOW("k_means.relative", near, k * d);
    KERNELS(k_means).lloyd(X, n, d, weights, 1, shift, near, k, total, counts, scratch);
    SHOW("k_means.lloyd", total, k * d), SHOW("k_means.lloyd", counts, k);
    for (ptrdiff_t i = 0; i < n; i++)
        labels[i] = -1;
    KERNELS(k_means).lloyd_bounded(X, n, d, weights, 1, shift, near, k, steps, labels, lower, n,
                                   upper, total, scratch);
    SHOW("k_means.lloyd_bounded", labels, n), SHOW("k_means.lloyd_bounded", upper, n);
    SHOW("k_means.lloyd_bounded", total, k * d);
    for (ptrdiff_t i = 0; i < k; i++)
        clusters[i] = (int32_t)(k - 1 - i), steps[i] = (real)0.01 * (real)(k - i);
    memset(upper, 0, (size_t)n * sizeof *upper);
    for (int pass = 0; pass < 2; pass++)
        KERNELS(k_means).lloyd_hamerly(X, n, d, weights, 1, shift, near, k, steps, clusters, labels,
                                       upper, total, counts, &found, scratch);
    SHOW("k_means.lloyd_hamerly", labels, n), SHOW("k_means.lloyd_hamerly", total, k * d);
    KERNELS(k_means).assign(X, n, d, shift, near, k, labels, scratch);
    SHOW("k_means.assign", labels, n);
    KERNELS(k_means).assign(X, HMLC_FEW_ROWS, d, shift, near, k, labels, scratch);
    SHOW("k_means.assign", labels, n);
    KERNELS(k_means).settle(X, n, d, weights, 1, shift, near, centres, k, labels, counts, total,
                            scratch);
    SHOW("k_means.settle", labels, n), SHOW("k_means.settle", total, 1);
    KERNELS(k_means).nearer(X, n, d, shift, centres, k, closest, labels, lower, 0, which, rows, out,
                            n * k, &found, scratch);
    SHOW("k_means.nearer", rows, found), SHOW("k_means.nearer", out, found);
    KERNELS(k_means).inertia(X, n, d, weights, 1, centres, labels, closest, total);
    SHOW("k_means.inertia", closest, n), SHOW("k_means.inertia", total, 1);
    KERNELS(k_means).approach(X, n, d, weights, 1, centres, centres, k, closest, total, counts,
                              scratch);
    SHOW("k_means.approach", closest, n), SHOW("k_means.approach", total, 1);
    SHOW("k_means.approach", counts, k);
    KERNELS(k_means).distances(X, n, d, centres, k, out, scratch);
    SHOW("k_means.distances", out, n * k);
}

static void densities(ptrdiff_t n, ptrdiff_t d) {
    real *X = numbers(n * d, 1, 0), *scale = numbers(d, 0.5, 1), *W = numbers(d * d, 1, 0);
    real *out = zeros(n), *scratch = zeros(HMLC_GAUSSIAN_PANELS * 16 * d);
    for (ptrdiff_t i = 0; i < d; i++)
        for (ptrdiff_t j = i + 1; j < d; j++)
            W[i * d + j] = 0;
    double *mean = sums(d), normaliser;
    KERNELS(gaussian).log_normaliser(scale, d, &normaliser);
    SHOW("gaussian.log_normaliser", &normaliser, 1);
    KERNELS(gaussian).log_density_diagonal(X, n, d, mean, scale, normaliser, out);
    SHOW("gaussian.log_density_diagonal", out, n);
    KERNELS(gaussian).log_density_full(X, n, d, mean, W, normaliser, out, scratch);
    SHOW("gaussian.log_density_full", out, n);
}

static void networks(ptrdiff_t n, ptrdiff_t activation, ptrdiff_t loss) {
    const ptrdiff_t network[] = {activation, loss, 19, 23, 7, 5}, layers = 3;
    const ptrdiff_t count = perceptron_weights(network + 2, layers, 1);
    real *X = numbers(n * 19, 1, 0), *Y = zeros(n * 5), *units = numbers(2 * 19, 0.1, 1);
    real *parameters = numbers(count, 0.3, 0), *out = zeros(n * 5);
    real *scratch = zeros(perceptron_scratch(network, layers, n, 2, 1, LANES) + 4096);
    for (ptrdiff_t i = 0; i < n; i++)
        Y[i * 5 + i % 5] = 1;
    real *weights = numbers(n, 0.5, 1);
    double *cost = sums(1), *gradient = sums(count);
    KERNELS(perceptron).forward(X, n, units, parameters, network, layers, out, scratch);
    SHOW("perceptron.forward", out, n * 5);
    KERNELS(perceptron)
        .loss_and_gradient(X, n, Y, weights, 1, units, parameters, network, layers, cost, gradient,
                           scratch);
    SHOW("perceptron.loss_and_gradient", gradient, count);
    KERNELS(perceptron).penalty(parameters, network, layers, 0.1, cost, gradient);
    SHOW("perceptron.penalty", cost, 1), SHOW("perceptron.penalty", gradient, count);
    KERNELS(perceptron).forward(X, HMLC_FEW_ROWS, units, parameters, network, layers, out, scratch);
    SHOW("perceptron.forward", out, n * 5);
    const double rates[] = {0.01, 0.9, 0.999, 1e-8, 0.001};
    double powers[] = {1, 1};
    real *moments = zeros(2 * count);
    void *memory = room(4096 + 8 * perceptron_scratch(network, layers, 50, 3, 1, LANES));
    ptrdiff_t *order = room(n * (ptrdiff_t)sizeof *order);
    for (ptrdiff_t i = 0; i < n; i++)
        order[i] = (i * 37 + 11) % n;
    KERNELS(perceptron)
        .adam(X, Y, weights, 1, units, order, n, 50, network, layers, rates, powers, parameters,
              moments, cost, 0, 1, memory);
    SHOW("perceptron.adam", parameters, count), SHOW("perceptron.adam", moments, 2 * count);
    KERNELS(perceptron)
        .sgd(X, Y, weights, 0, units, order, n, 50, network, layers, rates, parameters, moments,
             cost, 0, 1, memory);
    SHOW("perceptron.sgd", parameters, count), SHOW("perceptron.sgd", cost, 1);
}

int main(void) {
    statistics(700, 5), statistics(530, 37);
    functions(3001);
    algebra(37, 3), algebra(70, 20);
    classes_of(600, 7, 3), classes_of(300, 40, 11);
    clusters(700, 3, 4), clusters(300, 50, 17), clusters(300, 300, 5);
    densities(300, 5), densities(200, 70);
    for (ptrdiff_t loss = 0; loss < 3; loss++)
        networks(130, loss, loss);
    return 0;
}
