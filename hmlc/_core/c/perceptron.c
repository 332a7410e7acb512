/* Multilayer perceptrons: forward, loss, backward, and the steps of the mini-batch methods.
 *
 *   size[0] = d inputs, ..., size[layers] = k outputs; a batch's values at level l have size[l]
 *                columns, level 0 being the input
 *   parameters   layer after layer, each a row-major (size[l] + 1) x size[l + 1] matrix whose last
 *                row is the bias
 *   units        2 x d: mean and inverse scale; the network sees (x - mean) * inverse
 *   loss         of a row with outputs z and targets y: squared, sum (z - y)^2 / 2; softmax,
 *                -sum y log softmax(z); logistic, -sum y log g(z) + (1 - y) log(1 - g(z)); times
 *                the row's weight
 *   weights      one a row, weight_step (0 or 1) apart: a row of weight w is as w rows
 */
#include "barrier.h"
#include "perceptron_few.h"
#include "perceptron_gradient.h"
#include "perceptron_layers.h"
#include "perceptron_loss.h"

enum { PASS_ROWS = PERCEPTRON_PASS_ROWS };

/* Values, losses and deltas of rows [first, last). Meanwhile the next PASS_ROWS of them are asked
 * for, and at the end the first of the next batch, so that L2 holds them besides the batch. */
static void pass_rows(const net *v, const batch *b, ptrdiff_t first, ptrdiff_t last) {
    const ptrdiff_t start = first;
    for (; first < last; first += PASS_ROWS) {
        const ptrdiff_t end = least(first + PASS_ROWS, last);
        const ptrdiff_t beyond = first + PASS_ROWS < last ? PASS_ROWS : b->period + start - first;
        forward_rows(v, b, first, end, beyond);
        output_loss(v, b, first, end);
        for (ptrdiff_t l = v->layers - 1; l > 0; l--)
            backward_layer(v, l, first, end);
    }
}

static double sum_of_losses(const net *v, ptrdiff_t rows) {
    double total = 0;
    for (ptrdiff_t r = 0; r < rows; r++)
        total += (double)v->losses[r];
    return total;
}

/* Whether the rows [0, rows) have finite sums at level 1: not unless all their inputs are finite,
 * for each is in each sum. */
static int are_sums_finite(const net *v, ptrdiff_t rows) {
    const real *sums = values_of(v, 1);
    vec none = v_set(0);
    for (ptrdiff_t r = 0; r < rows; r++)
        none = v_fma(v_load(sums + r * LANES), v_set(0), none);
    return v_all(v_equal(none, v_set(0)));
}

/* out = NaN in rows of X that are not finite. */
static void void_answers(const real *X, ptrdiff_t rows, ptrdiff_t d, ptrdiff_t k, real *out) {
    for (ptrdiff_t r = 0; r < rows; r++, X += d, out += k) {
        vec none = v_set(0);
        for (ptrdiff_t c = 0; c < d; c += LANES)
            none = v_fma(v_load_upto(X + c, d - c, 0), v_set(0), none);
        for (ptrdiff_t c = 0; c < k && !v_all(v_equal(none, v_set(0))); c++)
            out[c] = (real)NAN;
    }
}

/* out = the network's answer for every row: outputs, or probabilities; NaN for rows of X that are
 * not finite.
 *   X n x d; units 2 x d; out n x k;
 *   scratch perceptron_scratch(min(n, HMLC_BLOCK_ROWS), 1 copy, 1 thread); HMLC_FEW_ROWS rows need
 *   no copy.
 */
static void forward(const real *X, ptrdiff_t n, const real *units, const real *parameters,
                    const ptrdiff_t *network, ptrdiff_t layers, real *out, real *scratch) {
    net v = lay_out(network, layers, units, least(n, PASS_ROWS), 0, 1, scratch);
    const batch all = {.X = X, .units = units};
    const ptrdiff_t d = v.size[0], k = v.size[layers];
    if (n <= HMLC_FEW_ROWS || !is_mostly_zero(&all, d, 0))
        v.filled = NULL;
    if (n <= HMLC_FEW_ROWS) {
        forward_few(&v, &all, parameters, n);
        answer(&v, n, out);
        void_answers(X, n, d, k, out);
        return;
    }
    to_panels(&v, parameters, v.weights, 0, 1);
    for (ptrdiff_t first = 0; first < n; first += PASS_ROWS, X += PASS_ROWS * d) {
        const ptrdiff_t rows = least(PASS_ROWS, n - first);
        const batch b = {X, X, units, NULL, rows, rows, NULL, 0};
        read_rows(&v, &b, 0, rows, 0);
        sum_inputs(&v, 0, rows);
        const int is_finite = are_sums_finite(&v, rows);
        forward_sums(&v, 0, rows);
        answer(&v, rows, out + first * k);
        if (!is_finite)
            void_answers(X, rows, d, k, out + first * k);
    }
}

typedef struct {
    double *gradient;
    ptrdiff_t columns;
} sum_of_gradients;

INLINE void add_gradient(const void *to, ptrdiff_t i, ptrdiff_t c, vec gradient) {
    const sum_of_gradients *sum = to;
    double *out = sum->gradient + i * sum->columns + c;
    const ptrdiff_t width = least(LANES, sum->columns - c);
    real lanes[LANES];
    v_store(lanes, gradient);
    if (width == LANES)
        for (ptrdiff_t t = 0; t < LANES; t++)
            out[t] += (double)lanes[t];
    else
        for (ptrdiff_t t = 0; t < width; t++)
            out[t] += (double)lanes[t];
}

/* Adds the weighted losses of n rows to cost, and their gradients by the parameters to gradient.
 *   X n x d; Y n x k; weights n; units 2 x d; cost 1; gradient as parameters;
 *   scratch perceptron_scratch(min(n, HMLC_BLOCK_ROWS), 1 copy, 1 thread).
 * Sums: of HMLC_BLOCK_ROWS rows in order, those in order in float64. */
static void loss_and_gradient(const real *X, ptrdiff_t n, const real *Y, const real *weights,
                              ptrdiff_t weight_step, const real *units, const real *parameters,
                              const ptrdiff_t *network, ptrdiff_t layers, double *cost,
                              double *gradient, real *scratch) {
    const net v = lay_out(network, layers, units, least(n, HMLC_BLOCK_ROWS), 0, 1, scratch);
    const ptrdiff_t blocks = count_blocks(&v);
    to_panels(&v, parameters, v.weights, 0, 1);
    for (ptrdiff_t i = 0; i < blocks; i++)
        transpose_block(&v, nth_block(&v, i));
    for (ptrdiff_t first = 0; first < n; first += HMLC_BLOCK_ROWS) {
        const ptrdiff_t rows = least(HMLC_BLOCK_ROWS, n - first);
        const batch some = {X + first * v.size[0],
                            Y + first * v.size[layers],
                            units,
                            NULL,
                            rows,
                            rows,
                            weights + first * weight_step,
                            weight_step};
        pass_rows(&v, &some, 0, rows);
        *cost += sum_of_losses(&v, rows);
        for (ptrdiff_t i = 0; i < blocks; i++) {
            const block b = nth_block(&v, i);
            const sum_of_gradients sum = {gradient + perceptron_weights(v.size, b.l, 1),
                                          v.size[b.l + 1]};
            weight_gradient(&v, rows, b, add_gradient, &sum);
            if (b.i == 0)
                bias_gradient(&v, rows, b, add_gradient, &sum);
        }
    }
}

/* cost += l2 / 2 sum w^2 and gradient += l2 w, over the weights w and not the biases.
 * Sum: a layer's by LANES interleaved partial sums and their tree, the layers' in float64. */
static void penalty(const real *parameters, const ptrdiff_t *network, ptrdiff_t layers, double l2,
                    double *cost, double *gradient) {
    const ptrdiff_t *size = network + 2;
    for (ptrdiff_t l = 0; l < layers; l++) {
        const ptrdiff_t count = size[l] * size[l + 1];
        *cost += l2 / 2 * (double)r_dot(parameters, parameters, count);
        for (ptrdiff_t i = 0; i < count; i++)
            gradient[i] += l2 * (double)parameters[i];
        parameters += count + size[l + 1];
        gradient += count + size[l + 1];
    }
}

/* A step of a mini-batch method, and where a layer's weights and the optimiser's state are, in
 * panels. */
typedef struct {
    vec per_row, decay, rate, keep_first, keep_second, epsilon;
    real *weights, *first, *second;
    ptrdiff_t depth; /* of a panel: the layer's rows, with the bias */
} step;

INLINE real *step_at(const step *s, real *array, ptrdiff_t i, ptrdiff_t c) {
    return array + (c / LANES * s->depth + i) * LANES;
}

/* w += u, with the velocity u <- momentum u - rate g */
INLINE void sgd_step(const void *to, ptrdiff_t i, ptrdiff_t c, vec gradient) {
    const step *s = to;
    real *w = step_at(s, s->weights, i, c), *u = step_at(s, s->first, i, c);
    const vec g = v_fma(s->decay, v_load(w), v_mul(gradient, s->per_row));
    const vec velocity = v_sub(v_mul(s->keep_first, v_load(u)), v_mul(s->rate, g));
    v_store(u, velocity);
    v_store(w, v_add(v_load(w), velocity));
}

/* w -= rate m / (sqrt(v) + epsilon), with the running means m of g and v of g^2 */
INLINE void adam_step(const void *to, ptrdiff_t i, ptrdiff_t c, vec gradient) {
    const step *s = to;
    real *w = step_at(s, s->weights, i, c);
    real *m = step_at(s, s->first, i, c), *v = step_at(s, s->second, i, c);
    const vec g = v_fma(s->decay, v_load(w), v_mul(gradient, s->per_row));
    const vec first = v_fma(s->keep_first, v_sub(v_load(m), g), g);
    const vec g2 = v_mul(g, g);
    const vec second = v_fma(s->keep_second, v_sub(v_load(v), g2), g2);
    v_store(m, first);
    v_store(v, second);
    const vec change = v_div(v_mul(s->rate, first), v_add(v_sqrt(second), s->epsilon));
    v_store(w, v_sub(v_load(w), change));
}

/* Asks for a block's weights and state. */
INLINE void prefetch_step(const step *s, block b) {
    for (ptrdiff_t c = b.c; c < b.c + b.panels * LANES; c += LANES)
        for (ptrdiff_t i = b.i; i < b.i + LANES; i++) {
            prefetch((uintptr_t)step_at(s, s->weights, i, c));
            prefetch((uintptr_t)step_at(s, s->first, i, c));
            prefetch((uintptr_t)step_at(s, s->second, i, c));
        }
}

/* Steps along the weighted mean gradient of a batch of `rows` rows plus decay * weights, on one
 * block. */
INLINE void step_on_block(const net *v, ptrdiff_t rows, block b, double decay, step s, taker take) {
    const ptrdiff_t start = perceptron_weights(v->size, b.l, LANES);
    s.weights = v->weights + start;
    s.first = v->state + start;
    s.second = s.first + perceptron_weights(v->size, v->layers, LANES);
    s.depth = v->size[b.l] + 1;
    s.decay = v_set((real)decay);
    prefetch_step(&s, b);
    weight_gradient(v, rows, b, take, &s);
    s.decay = v_set(0);
    if (b.i == 0)
        bias_gradient(v, rows, b, take, &s);
    transpose_block(v, b);
}

/* So many late waits in a call say that there are not the processors for a team. */
enum { MOST_LATE = 3 };

/* The first thread's part of a meeting after which the threads ask has_left. */
INLINE void consider_dissolving(team t) {
    if (t.thread == 0 && t.threads > 1)
        t.meeting->is_dissolved = BARRIER_READ(&t.meeting->late) >= MOST_LATE;
}

/* Whether this thread has no more to do. The first, if the team is dissolved, is one by itself. */
INLINE int has_left(team *t) {
    if (t->threads == 1 || !t->meeting->is_dissolved)
        return 0;
    t->threads = 1;
    return t->thread > 0;
}

/* This thread's part of one mini-batch: its share of the rows, then its share of the weights. */
INLINE void take_batch(const net *v, const batch *b, ptrdiff_t rows, double decay, step s,
                       taker take, double *cost, team t) {
    const ptrdiff_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS, blocks = count_blocks(v);
    pass_rows(v, b, share(tiles, t.thread, t.threads) * TILE_ROWS,
              least(share(tiles, t.thread + 1, t.threads) * TILE_ROWS, rows));
    barrier_wait(t.meeting, t.threads);
    if (t.thread == 0)
        *cost += sum_of_losses(v, rows);
    for (ptrdiff_t i = t.thread; i < blocks; i += t.threads)
        step_on_block(v, rows, nth_block(v, i), decay, s, take);
    consider_dissolving(t);
    barrier_wait(t.meeting, t.threads);
}

/* The weights and `states` arrays of an optimiser's state into panels, and back. */
static void begin(const net *v, const real *parameters, const real *state, int states, team t) {
    const ptrdiff_t count = perceptron_weights(v->size, v->layers, 1);
    const ptrdiff_t padded = perceptron_weights(v->size, v->layers, LANES);
    if (t.thread == 0)
        BARRIER_ADD(&t.meeting->late, -BARRIER_READ(&t.meeting->late));
    to_panels(v, parameters, v->weights, t.thread, t.threads);
    for (int i = 0; i < states; i++)
        to_panels(v, state + i * count, v->state + i * padded, t.thread, t.threads);
    barrier_wait(t.meeting, t.threads);
    for (ptrdiff_t i = t.thread; i < count_blocks(v); i += t.threads)
        transpose_block(v, nth_block(v, i));
    barrier_wait(t.meeting, t.threads);
}
static void end(const net *v, real *parameters, real *state, int states, team t) {
    const ptrdiff_t count = perceptron_weights(v->size, v->layers, 1);
    const ptrdiff_t padded = perceptron_weights(v->size, v->layers, LANES);
    from_panels(v, v->weights, parameters, t.thread, t.threads);
    for (int i = 0; i < states; i++)
        from_panels(v, v->state + i * padded, state + i * count, t.thread, t.threads);
}

/* Stochastic gradient descent with momentum over the rows order[0 .. n - 1], a batch at a time.
 *   X rows x d; Y rows x k; weights rows; units 2 x d; rates {rate, momentum, decay}; parameters,
 *   velocity in and out; cost 1: adds the rows' losses, each before its batch's step. A batch whose
 *   rows weigh nothing is no step.
 * To be called by `threads` threads at once, thread = 0 ... threads - 1, all else alike; they share
 * `memory`, a barrier and after it perceptron_scratch(min(n, batch_size), 2 copies, threads).
 * Sums: a batch's in order of rows, whatever the threads. */
static void sgd(const real *X, const real *Y, const real *weights, ptrdiff_t weight_step,
                const real *units, const ptrdiff_t *order, ptrdiff_t n, ptrdiff_t batch_size,
                const ptrdiff_t *network, ptrdiff_t layers, const double *rates, real *parameters,
                real *velocity, double *cost, ptrdiff_t thread, ptrdiff_t threads, void *memory) {
    team t = {thread, threads, memory};
    const net v = lay_out(network, layers, units, batch_size, thread, threads, t.meeting + 1);
    step s = {.rate = v_set((real)rates[0]), .keep_first = v_set((real)rates[1])};
    begin(&v, parameters, velocity, 1, t);
    for (ptrdiff_t first = 0; first < n; first += batch_size) {
        const batch b = {X, Y, units, order + first, n - first, batch_size, weights, weight_step};
        const ptrdiff_t rows = least(batch_size, n - first);
        const double weight = sum_of_weights(&b, rows);
        if (weight <= 0)
            continue;
        s.per_row = v_set(1 / (real)weight);
        take_batch(&v, &b, rows, rates[2], s, sgd_step, cost, t);
        if (has_left(&t))
            return;
    }
    end(&v, parameters, velocity, 1, t);
}

/* Adam (Kingma and Ba 2015, algorithm 1 in the form that ends section 2) over the rows
 * order[0 .. n - 1], a batch at a time.
 *   X rows x d; Y rows x k; weights rows; units 2 x d; rates {rate, beta1, beta2, epsilon, decay};
 *   powers {beta1^t, beta2^t} after t steps, in and out; parameters and moments (2 x parameters) in
 *   and out; cost 1: adds the rows' losses, each before its batch's step. A batch whose rows weigh
 *   nothing is no step.
 * Threads, memory (with 3 copies) and sums as for sgd. */
static void adam(const real *X, const real *Y, const real *weights, ptrdiff_t weight_step,
                 const real *units, const ptrdiff_t *order, ptrdiff_t n, ptrdiff_t batch_size,
                 const ptrdiff_t *network, ptrdiff_t layers, const double *rates, double *powers,
                 real *parameters, real *moments, double *cost, ptrdiff_t thread, ptrdiff_t threads,
                 void *memory) {
    team t = {thread, threads, memory};
    const net v = lay_out(network, layers, units, batch_size, thread, threads, t.meeting + 1);
    step s = {.keep_first = v_set((real)rates[1]),
              .keep_second = v_set((real)rates[2]),
              .epsilon = v_set((real)rates[3])};
    double power1 = powers[0], power2 = powers[1];
    begin(&v, parameters, moments, 2, t);
    for (ptrdiff_t first = 0; first < n; first += batch_size) {
        const batch b = {X, Y, units, order + first, n - first, batch_size, weights, weight_step};
        const ptrdiff_t rows = least(batch_size, n - first);
        const double weight = sum_of_weights(&b, rows);
        if (weight <= 0)
            continue;
        s.per_row = v_set(1 / (real)weight);
        power1 *= rates[1];
        power2 *= rates[2];
        s.rate = v_set((real)(rates[0] * sqrt(1 - power2) / (1 - power1)));
        take_batch(&v, &b, rows, rates[4], s, adam_step, cost, t);
        if (has_left(&t))
            return;
    }
    end(&v, parameters, moments, 2, t);
    if (thread == 0) {
        powers[0] = power1;
        powers[1] = power2;
    }
}

HMLC_TABLE(perceptron, PERCEPTRON_KERNELS)
