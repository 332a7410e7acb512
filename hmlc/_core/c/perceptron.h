#ifndef HMLC_PERCEPTRON_H
#define HMLC_PERCEPTRON_H

#include "dispatch.h"

/* A network's codes and sizes: {activation, loss, size[0] inputs, ..., size[layers] outputs}. */
enum { PERCEPTRON_RELU, PERCEPTRON_TANH, PERCEPTRON_SIGMOID, PERCEPTRON_IDENTITY };
enum { PERCEPTRON_SQUARED, PERCEPTRON_SOFTMAX, PERCEPTRON_LOGISTIC };

#define PERCEPTRON_KERNELS(K, real)                                                                \
    K(forward, const real *X, ptrdiff_t n, const real *units, const real *parameters,              \
      const ptrdiff_t *network, ptrdiff_t layers, real *out, real *scratch)                        \
    K(loss_and_gradient, const real *X, ptrdiff_t n, const real *Y, const real *weights,           \
      ptrdiff_t weight_step, const real *units, const real *parameters, const ptrdiff_t *network,  \
      ptrdiff_t layers, double *cost, double *gradient, real *scratch)                             \
    K(penalty, const real *parameters, const ptrdiff_t *network, ptrdiff_t layers, double l2,      \
      double *cost, double *gradient)                                                              \
    K(sgd, const real *X, const real *Y, const real *weights, ptrdiff_t weight_step,               \
      const real *units, const ptrdiff_t *order, ptrdiff_t n, ptrdiff_t batch_size,                \
      const ptrdiff_t *network, ptrdiff_t layers, const double *rates, real *parameters,           \
      real *velocity, double *cost, ptrdiff_t thread, ptrdiff_t threads, void *memory)             \
    K(adam, const real *X, const real *Y, const real *weights, ptrdiff_t weight_step,              \
      const real *units, const ptrdiff_t *order, ptrdiff_t n, ptrdiff_t batch_size,                \
      const ptrdiff_t *network, ptrdiff_t layers, const double *rates, double *powers,             \
      real *parameters, real *moments, double *cost, ptrdiff_t thread, ptrdiff_t threads,          \
      void *memory)
HMLC_FAMILY(perceptron, PERCEPTRON_KERNELS)

static inline ptrdiff_t perceptron_padded(ptrdiff_t columns, ptrdiff_t lanes) {
    return (columns + lanes - 1) / lanes * lanes;
}

/* How many numbers the layers before layer l hold: of padded columns, or, with lanes = 1, of
 * their own. Layer l is a (size[l] + 1) x size[l + 1] matrix; its last row is the bias. */
static inline ptrdiff_t perceptron_weights(const ptrdiff_t *size, ptrdiff_t l, ptrdiff_t lanes) {
    ptrdiff_t total = 0;
    for (ptrdiff_t i = 0; i < l; i++)
        total += (size[i] + 1) * perceptron_padded(size[i + 1], lanes);
    return total;
}

/* How many padded columns so many levels have. */
static inline ptrdiff_t perceptron_columns(const ptrdiff_t *size, ptrdiff_t levels,
                                           ptrdiff_t lanes) {
    ptrdiff_t total = 0;
    for (ptrdiff_t i = 0; i < levels; i++)
        total += perceptron_padded(size[i], lanes);
    return total;
}

/* Rows for which a batch of `rows` needs room: the last register tile may stand out by 7. */
static inline ptrdiff_t perceptron_room(ptrdiff_t rows) {
    return rows + 7;
}

/* How many reals the transposed weights of the layers from 1 to before l hold. */
static inline ptrdiff_t perceptron_transposed(const ptrdiff_t *size, ptrdiff_t l, ptrdiff_t lanes) {
    ptrdiff_t total = 0;
    for (ptrdiff_t i = 1; i < l; i++)
        total += perceptron_padded(size[i], lanes) * size[i + 1];
    return total;
}

/* Rows that go through all layers together, so that they stay in cache: a multiple of every
 * variant's TILE_ROWS. Their lists are of inputs at most so many at a time, whose weights are then
 * in the first cache for all of the rows. */
enum { PERCEPTRON_PASS_ROWS = 24, PERCEPTRON_DEPTHS = 128 };

/* The inputs that are listed at a time: whole panels, as even as can be. */
static inline ptrdiff_t perceptron_depths(ptrdiff_t inputs, ptrdiff_t lanes) {
    const ptrdiff_t blocks = (inputs + PERCEPTRON_DEPTHS - 1) / PERCEPTRON_DEPTHS;
    return perceptron_padded((inputs + blocks - 1) / blocks, lanes);
}

/* How many reals' room a thread's lists take: of inputs for each of a pass's rows, or of a batch's
 * rows for each of `lanes` inputs; and what a list may be written past its end. */
static inline ptrdiff_t perceptron_list(const ptrdiff_t *size, ptrdiff_t rows, ptrdiff_t lanes) {
    const ptrdiff_t pass = rows < PERCEPTRON_PASS_ROWS ? rows : PERCEPTRON_PASS_ROWS;
    const ptrdiff_t of_inputs = pass * perceptron_depths(size[0], lanes);
    const ptrdiff_t of_rows = lanes * rows;
    const ptrdiff_t count = of_inputs > of_rows ? of_inputs : of_rows;
    return perceptron_padded((count + lanes) * (ptrdiff_t)sizeof(uint32_t) * lanes / 64, lanes);
}

/* How many reals' room it takes to say which inputs are not 0. */
static inline ptrdiff_t perceptron_filled(const ptrdiff_t *size, ptrdiff_t rows, ptrdiff_t lanes) {
    return perceptron_padded(perceptron_room(rows) * perceptron_padded(size[0], lanes) / lanes,
                             lanes);
}

/* How many reals a row of level 0 takes: an odd number of cache lines, so that a column of such
 * rows finds place in all of a cache. */
static inline ptrdiff_t perceptron_row(ptrdiff_t inputs, ptrdiff_t lanes) {
    return (perceptron_padded(inputs, lanes) / lanes | 1) * lanes;
}

/* How many reals' room it takes to say where each row of level 0 is. */
static inline ptrdiff_t perceptron_pointers(ptrdiff_t rows, ptrdiff_t lanes) {
    return perceptron_padded(perceptron_room(rows) * (ptrdiff_t)sizeof(void *) * lanes / 64, lanes);
}

/* How many reals of scratch `threads` threads need for a batch of `rows` rows: the values of all
 * levels after the first and the deltas of those between, `copies` of the weights and one
 * transposed, all in panels; level 0, and where its rows are; the rows' losses; which inputs are
 * not 0; each thread's block of outputs and targets, its panel of inputs and its lists; and
 * what aligning the start to a vector may skip. */
static inline ptrdiff_t perceptron_scratch(const ptrdiff_t *network, ptrdiff_t layers,
                                           ptrdiff_t rows, ptrdiff_t copies, ptrdiff_t threads,
                                           ptrdiff_t lanes) {
    const ptrdiff_t *size = network + 2;
    const ptrdiff_t columns = perceptron_columns(size + 1, layers, lanes) +
                              perceptron_columns(size + 1, layers - 1, lanes);
    return lanes + perceptron_room(rows) * columns +
           copies * perceptron_weights(size, layers, lanes) +
           perceptron_transposed(size, layers, lanes) + perceptron_padded(rows, lanes) +
           perceptron_filled(size, rows, lanes) + perceptron_pointers(rows, lanes) +
           perceptron_room(rows) * perceptron_row(size[0], lanes) +
           threads * (2 * size[layers] * lanes + rows * lanes + perceptron_list(size, rows, lanes));
}

#endif
