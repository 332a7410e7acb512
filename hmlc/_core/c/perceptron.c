/* Multilayer perceptrons: forward, loss, backward, and the steps of the mini-batch methods.
 *
 *   size[0] = d inputs, ..., size[layers] = k outputs; a batch's values at level l have size[l]
 *                columns, level 0 being the input
 *   parameters   layer after layer, each a row-major (size[l] + 1) x size[l + 1] matrix whose last
 *                row is the bias
 *   units        2 x d: mean and inverse scale; the network sees (x - mean) * inverse
 *   loss         of a row with outputs z and targets y: squared, sum (z - y)^2 / 2; softmax,
 *                -sum y log softmax(z); logistic, -sum y log g(z) + (1 - y) log(1 - g(z))
 *
 * Inside, every matrix is in panels: columns [c, c + LANES) of all its rows, then the next LANES
 * columns. Values, deltas and weights are then register-tile operands as they are: a product is
 * written where the next one reads it, the gradient reads the transpose of the values along unit
 * strides, and a step updates the weights where the next batch reads them. Weights go into panels
 * at the start of a call and out of them at its end.
 */
#include "tile.h"
#include "vmath.h"

#include "perceptron.h"

typedef struct {
    const ptrdiff_t *size;
    ptrdiff_t layers, activation, loss;
    ptrdiff_t rows;   /* of the batch at hand */
    ptrdiff_t stride; /* reals from one panel of values or deltas to the next */
    real *values, *delta, *delta_before, *transposed;
    real *weights, *state; /* an optimiser's state follows the weights */
} net;

static net lay_out(const ptrdiff_t *network, ptrdiff_t layers, ptrdiff_t most_rows, real *scratch) {
    net v = {.size = network + 2,
             .layers = layers,
             .activation = network[0],
             .loss = network[1],
             .stride = perceptron_room(most_rows) * LANES};
    const ptrdiff_t levels = perceptron_columns(v.size, layers + 1, LANES) / LANES;
    const ptrdiff_t widest = perceptron_widest(v.size, layers, LANES) / LANES;
    v.values = (real *)(((uintptr_t)scratch + 63) / 64 * 64);
    v.delta = v.values + levels * v.stride;
    v.delta_before = v.delta + widest * v.stride;
    v.transposed = v.delta_before + widest * v.stride;
    v.weights = v.transposed + perceptron_transposed(v.size, layers, LANES);
    v.state = v.weights + perceptron_weights(v.size, layers, LANES);
    /* Rows past a batch's last take part in its register tiles. */
    for (ptrdiff_t panel = 1; panel <= levels + 2 * widest; panel++) {
        const ptrdiff_t extra = (perceptron_room(most_rows) - most_rows) * LANES;
        memset(v.values + panel * v.stride - extra, 0, (size_t)extra * sizeof(real));
    }
    return v;
}

INLINE real *values_of(const net *v, ptrdiff_t level) {
    return v->values + perceptron_columns(v->size, level, LANES) / LANES * v->stride;
}

INLINE ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) {
    return a < b ? a : b;
}

INLINE vec load_upto(const real *p, ptrdiff_t count, real fill) {
    return count >= LANES ? v_load(p) : v_load_part(p, count, fill);
}

/* The first `count` lanes of a, the others `fill`. */
INLINE vec keep_upto(vec a, ptrdiff_t count, real fill) {
    static const real lane[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return v_select(v_less(v_load(lane), v_set((real)count)), a, v_set(fill));
}

INLINE void store_upto(real *p, ptrdiff_t count, vec a) {
    if (count >= LANES)
        v_store(p, a);
    else
        v_store_part(p, count, a);
}

/* All layers, from parameters into panels and back. */
static void to_panels(const net *v, const real *parameters, real *panels) {
    for (ptrdiff_t l = 0; l < v->layers; l++) {
        const ptrdiff_t rows = v->size[l] + 1, columns = v->size[l + 1];
        for (ptrdiff_t c = 0; c < columns; c += LANES)
            for (ptrdiff_t r = 0; r < rows; r++, panels += LANES)
                v_store(panels, load_upto(parameters + r * columns + c, columns - c, 0));
        parameters += rows * columns;
    }
}
static void from_panels(const net *v, const real *panels, real *parameters) {
    for (ptrdiff_t l = 0; l < v->layers; l++) {
        const ptrdiff_t rows = v->size[l] + 1, columns = v->size[l + 1];
        for (ptrdiff_t c = 0; c < columns; c += LANES)
            for (ptrdiff_t r = 0; r < rows; r++, panels += LANES)
                store_upto(parameters + r * columns + c, columns - c, v_load(panels));
        parameters += rows * columns;
    }
}

/* Rows in a random order are out of the hardware prefetcher's sight. */
#if defined(__GNUC__)
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define PREFETCH(p) (void)(p)
#endif
enum { PREFETCH_ROWS = 2 };

/* Level 0: row r is row order[r] of X, or r where order is NULL, in the network's units. */
static void load_rows(const net *v, const real *X, const ptrdiff_t *order, const real *units) {
    const ptrdiff_t d = v->size[0];
    for (ptrdiff_t r = 0; r < v->rows; r++) {
        const ptrdiff_t later = least(r + PREFETCH_ROWS, v->rows - 1);
        const real *x = X + (order ? order[r] : r) * d;
        const real *next = X + (order ? order[later] : later) * d;
        real *out = v->values + r * LANES;
        for (ptrdiff_t c = 0; c < d; c += LANES, out += v->stride) {
            const vec centred = v_sub(load_upto(x + c, d - c, 0), load_upto(units + c, d - c, 0));
            v_store(out, v_mul(centred, load_upto(units + d + c, d - c, 0)));
            PREFETCH(next + c);
        }
    }
}

INLINE vec activate(ptrdiff_t activation, vec z) {
    switch (activation) {
    case PERCEPTRON_RELU:
        return v_max(z, v_set(0));
    case PERCEPTRON_TANH:
        return v_tanh(z);
    case PERCEPTRON_SIGMOID:
        return v_sigmoid(z);
    default:
        return z;
    }
}

/* The activation's slope at the z of which it made the value a. */
INLINE vec slope(ptrdiff_t activation, vec a) {
    const vec one = v_set(1);
    switch (activation) {
    case PERCEPTRON_RELU:
        return v_select(v_less(v_set(0), a), one, v_set(0));
    case PERCEPTRON_TANH:
        return v_sub(one, v_mul(a, a));
    default:
        return v_mul(a, v_sub(one, a));
    }
}

/* acc[i] += sum over p < depth of A(i, p) * panel[p], for TILE_ROWS rows of A in panels. */
INLINE void tile_product(const real *A, ptrdiff_t stride, const real *panel, ptrdiff_t depth,
                         vec acc[]) {
    for (ptrdiff_t p = 0; p < depth; p += LANES, A += stride)
        tile_fma(TILE_ROWS, A, LANES, 1, panel + p * LANES, least(LANES, depth - p), acc);
}

/* values(l + 1) = activation(values(l) W + b) */
static void forward_layer(const net *v, ptrdiff_t l, const real *weights, ptrdiff_t activation) {
    const ptrdiff_t depth = v->size[l];
    const real *A = values_of(v, l);
    real *out = values_of(v, l + 1);
    for (ptrdiff_t j = 0; j < panels_of(v->size[l + 1]); j++, out += v->stride) {
        const real *panel = weights + j * (depth + 1) * LANES;
        const vec bias = v_load(panel + depth * LANES);
        for (ptrdiff_t r = 0; r < v->rows; r += TILE_ROWS) {
            vec acc[TILE_ROWS];
            for (int i = 0; i < TILE_ROWS; i++)
                acc[i] = bias;
            tile_product(A + r * LANES, v->stride, panel, depth, acc);
            for (int i = 0; i < TILE_ROWS; i++)
                v_store(out + (r + i) * LANES, activate(activation, acc[i]));
        }
    }
}

static void forward_pass(const net *v) {
    const real *weights = v->weights;
    for (ptrdiff_t l = 0; l < v->layers; l++) {
        forward_layer(v, l, weights, l + 1 < v->layers ? v->activation : PERCEPTRON_IDENTITY);
        weights += (v->size[l] + 1) * panels_of(v->size[l + 1]) * LANES;
    }
}

/* e = exp(z - max z) over one row's outputs z; returns sum e. */
static real exponentials(const net *v, const real *z, real *e, real *max) {
    const ptrdiff_t k = v->size[v->layers];
    vec high = v_set(-INFINITY), sum = v_set(0);
    for (ptrdiff_t c = 0, at = 0; c < k; c += LANES, at += v->stride)
        high = v_max(high, keep_upto(v_load(z + at), k - c, -INFINITY));
    real lanes[LANES];
    v_store(lanes, high);
    *max = lanes[0];
    for (int i = 1; i < LANES; i++)
        *max = lanes[i] > *max ? lanes[i] : *max;
    for (ptrdiff_t c = 0, at = 0; c < k; c += LANES, at += v->stride) {
        const vec y = v_exp(v_sub(keep_upto(v_load(z + at), k - c, -INFINITY), v_set(*max)));
        v_store(e + at, y);
        sum = v_add(sum, y);
    }
    return v_sum(sum);
}

/* The loss of one row of outputs z with targets y; delta = its gradient by z, 0 past the last. */
static double softmax_loss(const net *v, const real *z, const real *y, real *delta) {
    const ptrdiff_t k = v->size[v->layers];
    real max;
    const real total = exponentials(v, z, delta, &max);
    const vec inverse = v_set(1 / total), log_total = v_set(r_log(total));
    vec sum = v_set(0);
    for (ptrdiff_t c = 0; c < k; c += LANES, z += v->stride, delta += v->stride) {
        const vec target = load_upto(y + c, k - c, 0);
        const vec below = v_sub(v_set(max), v_load(z));
        sum = v_fma(target, v_add(below, log_total), sum);
        v_store(delta, v_sub(v_mul(v_load(delta), inverse), target));
    }
    return (double)v_sum(sum);
}
static double squared_loss(const net *v, const real *z, const real *y, real *delta) {
    const ptrdiff_t k = v->size[v->layers];
    vec sum = v_set(0);
    for (ptrdiff_t c = 0; c < k; c += LANES, z += v->stride, delta += v->stride) {
        const vec e = v_sub(v_load(z), load_upto(y + c, k - c, 0));
        sum = v_fma(e, e, sum);
        v_store(delta, e);
    }
    return 0.5 * (double)v_sum(sum);
}
/* y is 0 or 1: -log g(z) = softplus(-z), -log(1 - g(z)) = softplus(z). */
static double logistic_loss(const net *v, const real *z, const real *y, real *delta) {
    const ptrdiff_t k = v->size[v->layers];
    vec sum = v_set(0);
    for (ptrdiff_t c = 0; c < k; c += LANES, z += v->stride, delta += v->stride) {
        const vec output = keep_upto(v_load(z), k - c, -INFINITY),
                  target = load_upto(y + c, k - c, 0);
        const mask is_on = v_less(v_set(R(0.5)), target);
        const vec wrong = v_select(is_on, v_sub(v_set(0), output), output);
        sum = v_add(sum, v_softplus(wrong));
        const vec error = v_sigmoid(wrong);
        v_store(delta, v_select(is_on, v_sub(v_set(0), error), error));
    }
    return (double)v_sum(sum);
}

/* The sum of the batch's losses, in order of rows; delta = its gradient by the outputs. Rows of Y
 * are chosen as in load_rows. */
static double output_loss(const net *v, const real *Y, const ptrdiff_t *order) {
    const real *z = values_of(v, v->layers);
    double total = 0;
    for (ptrdiff_t r = 0; r < v->rows; r++, z += LANES) {
        const real *y = Y + (order ? order[r] : r) * v->size[v->layers];
        real *delta = v->delta + r * LANES;
        total += v->loss == PERCEPTRON_SOFTMAX    ? softmax_loss(v, z, y, delta)
                 : v->loss == PERCEPTRON_LOGISTIC ? logistic_loss(v, z, y, delta)
                                                  : squared_loss(v, z, y, delta);
    }
    return total;
}

/* The network's answer for one row of outputs z: themselves; their softmax; or their sigmoids
 * brought to sum 1 (all alike where every one is 0). */
static void answer(const net *v, const real *z, real *e, real *out) {
    const ptrdiff_t k = v->size[v->layers];
    real max, total = 1;
    if (v->loss == PERCEPTRON_SOFTMAX)
        total = exponentials(v, z, e, &max);
    if (v->loss == PERCEPTRON_LOGISTIC) {
        vec sum = v_set(0);
        for (ptrdiff_t c = 0, at = 0; c < k; c += LANES, at += v->stride) {
            const vec p = v_sigmoid(keep_upto(v_load(z + at), k - c, -INFINITY));
            v_store(e + at, p);
            sum = v_add(sum, p);
        }
        total = v_sum(sum);
    }
    const real *from = v->loss == PERCEPTRON_SQUARED ? z : e;
    for (ptrdiff_t c = 0; c < k; c += LANES, from += v->stride) {
        const vec share = total > 0 ? v_div(v_load(from), v_set(total)) : v_set(1 / (real)k);
        store_upto(out + c, k - c, share);
    }
}

static void transpose_layer(const net *v, ptrdiff_t l, const real *weights) {
    const ptrdiff_t in = v->size[l], out = v->size[l + 1];
    real *t = v->transposed;
    for (ptrdiff_t c = 0; c < in; c += LANES)
        for (ptrdiff_t o = 0; o < out; o++, t += LANES) {
            const real *column = weights + (o / LANES * (in + 1) + c) * LANES + o % LANES;
            const ptrdiff_t width = least(LANES, in - c);
            for (ptrdiff_t i = 0; i < LANES; i++)
                t[i] = i < width ? column[i * LANES] : 0;
        }
}

/* delta_before = (delta W^T) * slope(values(l)), for l >= 1 */
static void backward_layer(const net *v, ptrdiff_t l, const real *weights) {
    const ptrdiff_t depth = v->size[l + 1];
    const real *a = values_of(v, l);
    real *out = v->delta_before;
    transpose_layer(v, l, weights);
    for (ptrdiff_t q = 0; q < panels_of(v->size[l]); q++, a += v->stride, out += v->stride)
        for (ptrdiff_t r = 0; r < v->rows; r += TILE_ROWS) {
            vec acc[TILE_ROWS];
            for (int i = 0; i < TILE_ROWS; i++)
                acc[i] = v_set(0);
            tile_product(v->delta + r * LANES, v->stride, v->transposed + q * depth * LANES, depth,
                         acc);
            for (int i = 0; i < TILE_ROWS; i++) {
                const vec s = slope(v->activation, v_load(a + (r + i) * LANES));
                v_store(out + (r + i) * LANES, v_mul(acc[i], s));
            }
        }
}

/* What takes the gradient of LANES weights of layer l, at row i and column c of its matrix. */
typedef void (*taker)(const void *to, ptrdiff_t i, ptrdiff_t c, vec gradient);

/* `rows` rows of the gradient values^T delta, from row i and column c. */
INLINE void gradient_tile(const net *v, int rows, const real *A, const real *delta, ptrdiff_t i,
                          ptrdiff_t in, ptrdiff_t c, taker take, const void *to) {
    vec acc[TILE_ROWS];
    for (int t = 0; t < rows; t++)
        acc[t] = v_set(0);
    tile_fma(rows, A, 1, LANES, delta, v->rows, acc);
    for (int t = 0; t < rows; t++)
        if (i + t < in)
            take(to, i + t, c, acc[t]);
}

/* Gives the gradient of layer l's weights, values(l)^T delta, summed in order of rows. */
INLINE void each_weight_gradient(const net *v, ptrdiff_t l, taker take, const void *to) {
    const ptrdiff_t in = v->size[l], out = v->size[l + 1];
    for (ptrdiff_t q = 0; q < in; q += LANES) {
        const real *A = values_of(v, l) + q / LANES * v->stride;
        for (ptrdiff_t c = 0; c < out; c += LANES) {
            const real *delta = v->delta + c / LANES * v->stride;
            ptrdiff_t t = 0;
            for (; t + TILE_ROWS <= LANES && q + t < in; t += TILE_ROWS)
                gradient_tile(v, TILE_ROWS, A + t, delta, q + t, in, c, take, to);
            if (LANES % TILE_ROWS != 0 && q + t < in)
                gradient_tile(v, LANES % TILE_ROWS, A + t, delta, q + t, in, c, take, to);
        }
    }
}

/* Gives the gradient of layer l's bias, the sum of the deltas in order of rows. */
INLINE void each_bias_gradient(const net *v, ptrdiff_t l, taker take, const void *to) {
    for (ptrdiff_t c = 0; c < v->size[l + 1]; c += LANES) {
        const real *delta = v->delta + c / LANES * v->stride;
        vec sum = v_set(0);
        for (ptrdiff_t r = 0; r < v->rows; r++)
            sum = v_add(sum, v_load(delta + r * LANES));
        take(to, v->size[l], c, sum);
    }
}

static void swap_deltas(net *v) {
    real *before = v->delta_before;
    v->delta_before = v->delta;
    v->delta = before;
}

/* ---- kernels ---- */

/* out = the network's answer for every row: outputs, or probabilities.
 *   X n x d; units 2 x d; out n x k; scratch perceptron_scratch(min(n, HMLC_BLOCK_ROWS), 1 copy).
 */
static void forward(const real *X, ptrdiff_t n, const real *units, const real *parameters,
                    const ptrdiff_t *network, ptrdiff_t layers, real *out, real *scratch) {
    net v = lay_out(network, layers, least(n, HMLC_BLOCK_ROWS), scratch);
    const ptrdiff_t d = v.size[0], k = v.size[layers];
    to_panels(&v, parameters, v.weights);
    for (ptrdiff_t first = 0; first < n; first += HMLC_BLOCK_ROWS) {
        v.rows = least(HMLC_BLOCK_ROWS, n - first);
        load_rows(&v, X + first * d, NULL, units);
        forward_pass(&v);
        for (ptrdiff_t r = 0; r < v.rows; r++)
            answer(&v, values_of(&v, layers) + r * LANES, v.delta, out + (first + r) * k);
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

/* Adds the losses of n rows to cost, and their gradients by the parameters to gradient.
 *   X n x d; Y n x k; units 2 x d; cost 1; gradient as parameters;
 *   scratch perceptron_scratch(min(n, HMLC_BLOCK_ROWS), 1 copy).
 * Sums: of HMLC_BLOCK_ROWS rows in order, those in order in float64. */
static void loss_and_gradient(const real *X, ptrdiff_t n, const real *Y, const real *units,
                              const real *parameters, const ptrdiff_t *network, ptrdiff_t layers,
                              double *cost, double *gradient, real *scratch) {
    net v = lay_out(network, layers, least(n, HMLC_BLOCK_ROWS), scratch);
    const ptrdiff_t d = v.size[0], k = v.size[layers];
    to_panels(&v, parameters, v.weights);
    for (ptrdiff_t first = 0; first < n; first += HMLC_BLOCK_ROWS) {
        v.rows = least(HMLC_BLOCK_ROWS, n - first);
        load_rows(&v, X + first * d, NULL, units);
        forward_pass(&v);
        *cost += output_loss(&v, Y + first * k, NULL);
        for (ptrdiff_t l = layers - 1; l >= 0; l--) {
            const sum_of_gradients sum = {gradient + perceptron_weights(v.size, l, 1),
                                          v.size[l + 1]};
            each_weight_gradient(&v, l, add_gradient, &sum);
            each_bias_gradient(&v, l, add_gradient, &sum);
            if (l > 0)
                backward_layer(&v, l, v.weights + perceptron_weights(v.size, l, LANES));
            swap_deltas(&v);
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

/* A mini-batch step on one layer: where its weights and the optimiser's state are, in panels. */
typedef struct {
    real *weights, *first, *second;
    ptrdiff_t depth; /* of a panel: the layer's rows, with the bias */
    vec per_row, decay, rate, keep_first, keep_second, epsilon;
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

/* One mini-batch of v->rows rows: adds their losses to cost, and steps along their mean gradient
 * plus decay * weights. */
INLINE void take_step(net *v, const real *X, const real *Y, const real *units,
                      const ptrdiff_t *order, double decay, step s, taker take, double *cost) {
    const ptrdiff_t total = perceptron_weights(v->size, v->layers, LANES);
    s.per_row = v_set(1 / (real)v->rows);
    load_rows(v, X, order, units);
    forward_pass(v);
    *cost += output_loss(v, Y, order);
    for (ptrdiff_t l = v->layers - 1; l >= 0; l--) {
        const ptrdiff_t start = perceptron_weights(v->size, l, LANES);
        s.weights = v->weights + start;
        s.first = v->state + start;
        s.second = s.first + total;
        s.depth = v->size[l] + 1;
        if (l > 0)
            backward_layer(v, l, s.weights);
        s.decay = v_set((real)decay);
        each_weight_gradient(v, l, take, &s);
        s.decay = v_set(0);
        each_bias_gradient(v, l, take, &s);
        swap_deltas(v);
    }
}

/* Stochastic gradient descent with momentum over the rows order[0 .. n - 1], a batch at a time.
 *   X rows x d; Y rows x k; units 2 x d; rates {rate, momentum, decay}; parameters, velocity
 *   in and out; cost 1: adds the rows' losses, each before its batch's step;
 *   scratch perceptron_scratch(min(n, batch_size), 2 copies).
 * Sums: a batch's in order of rows. */
static void sgd(const real *X, const real *Y, const real *units, const ptrdiff_t *order,
                ptrdiff_t n, ptrdiff_t batch_size, const ptrdiff_t *network, ptrdiff_t layers,
                const double *rates, real *parameters, real *velocity, double *cost,
                real *scratch) {
    net v = lay_out(network, layers, least(n, batch_size), scratch);
    const step s = {.rate = v_set((real)rates[0]), .keep_first = v_set((real)rates[1])};
    to_panels(&v, parameters, v.weights);
    to_panels(&v, velocity, v.state);
    for (ptrdiff_t first = 0; first < n; first += batch_size) {
        v.rows = least(batch_size, n - first);
        take_step(&v, X, Y, units, order + first, rates[2], s, sgd_step, cost);
    }
    from_panels(&v, v.weights, parameters);
    from_panels(&v, v.state, velocity);
}

/* Adam (Kingma and Ba 2015, algorithm 1 in the form that ends section 2) over the rows
 * order[0 .. n - 1], a batch at a time.
 *   X rows x d; Y rows x k; units 2 x d; rates {rate, beta1, beta2, epsilon, decay}; powers
 *   {beta1^t, beta2^t} after t steps, in and out; parameters and moments (2 x parameters) in and
 *   out; cost 1: adds the rows' losses, each before its batch's step;
 *   scratch perceptron_scratch(min(n, batch_size), 3 copies).
 * Sums: a batch's in order of rows. */
static void adam(const real *X, const real *Y, const real *units, const ptrdiff_t *order,
                 ptrdiff_t n, ptrdiff_t batch_size, const ptrdiff_t *network, ptrdiff_t layers,
                 const double *rates, double *powers, real *parameters, real *moments, double *cost,
                 real *scratch) {
    net v = lay_out(network, layers, least(n, batch_size), scratch);
    const ptrdiff_t count = perceptron_weights(v.size, layers, 1);
    real *second = v.state + perceptron_weights(v.size, layers, LANES);
    step s = {.keep_first = v_set((real)rates[1]),
              .keep_second = v_set((real)rates[2]),
              .epsilon = v_set((real)rates[3])};
    to_panels(&v, parameters, v.weights);
    to_panels(&v, moments, v.state);
    to_panels(&v, moments + count, second);
    for (ptrdiff_t first = 0; first < n; first += batch_size) {
        v.rows = least(batch_size, n - first);
        powers[0] *= rates[1];
        powers[1] *= rates[2];
        s.rate = v_set((real)(rates[0] * sqrt(1 - powers[1]) / (1 - powers[0])));
        take_step(&v, X, Y, units, order + first, rates[4], s, adam_step, cost);
    }
    from_panels(&v, v.weights, parameters);
    from_panels(&v, v.state, moments);
    from_panels(&v, second, moments + count);
}

HMLC_TABLE(perceptron, PERCEPTRON_KERNELS)
