"""Multilayer perceptrons; the mathematics is in c/perceptron.c."""

import numpy as np

from cpython.mem cimport PyMem_Free, PyMem_Malloc

from hmlc._core._few cimport address_of, few_rows, plain
from hmlc._core._types cimport real
from hmlc._core.elementwise cimport is_finite

cdef extern from "perceptron.h" nogil:
    """
    HMLC_DISPATCH(perceptron)
    #define perceptron_forward(X, ...) HMLC_CALL(perceptron, forward, X, __VA_ARGS__)
    #define perceptron_loss_and_gradient(X, ...) HMLC_CALL(perceptron, loss_and_gradient, X, __VA_ARGS__)
    #define perceptron_penalty(X, ...) HMLC_CALL(perceptron, penalty, X, __VA_ARGS__)
    #define perceptron_sgd(X, ...) HMLC_CALL(perceptron, sgd, X, __VA_ARGS__)
    #define perceptron_adam(X, ...) HMLC_CALL(perceptron, adam, X, __VA_ARGS__)
    """
    enum: HMLC_BLOCK_ROWS
    int hmlc_perceptron_select()
    Py_ssize_t perceptron_weights(const Py_ssize_t *size, Py_ssize_t layers, Py_ssize_t lanes)
    Py_ssize_t perceptron_scratch(const Py_ssize_t *network, Py_ssize_t layers, Py_ssize_t rows,
                                  Py_ssize_t copies, Py_ssize_t threads, Py_ssize_t lanes)
    void perceptron_forward(const void *X, Py_ssize_t n, const void *units, const void *parameters,
                            const Py_ssize_t *network, Py_ssize_t layers, void *out,
                            void *scratch) noexcept
    void perceptron_loss_and_gradient(const void *X, Py_ssize_t n, const void *Y,
                                      const void *weights, Py_ssize_t weight_step,
                                      const void *units, const void *parameters,
                                      const Py_ssize_t *network, Py_ssize_t layers, double *cost,
                                      double *gradient, void *scratch) noexcept
    void perceptron_penalty(const void *parameters, const Py_ssize_t *network, Py_ssize_t layers,
                            double l2, double *cost, double *gradient) noexcept
    void perceptron_sgd(const void *X, const void *Y, const void *weights, Py_ssize_t weight_step,
                        const void *units, const Py_ssize_t *order, Py_ssize_t n,
                        Py_ssize_t batch_size, const Py_ssize_t *network, Py_ssize_t layers,
                        const double *rates, void *parameters, void *velocity, double *cost,
                        Py_ssize_t thread, Py_ssize_t threads, void *memory) noexcept
    void perceptron_adam(const void *X, const void *Y, const void *weights, Py_ssize_t weight_step,
                         const void *units, const Py_ssize_t *order, Py_ssize_t n,
                         Py_ssize_t batch_size, const Py_ssize_t *network, Py_ssize_t layers,
                         const double *rates, double *powers, void *parameters, void *moments,
                         double *cost, Py_ssize_t thread, Py_ssize_t threads,
                         void *memory) noexcept

cdef extern from "barrier.h" nogil:
    ctypedef struct barrier:
        pass

if hmlc_perceptron_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")


cdef Py_ssize_t _layers(str kernel, const Py_ssize_t[::1] network, Py_ssize_t n_parameters) except -1:
    """Return the number of layers of a network that fits its parameters."""
    cdef Py_ssize_t layers = network.shape[0] - 3, l
    if layers < 1:
        raise ValueError(f"{kernel}: network is not (activation, loss, inputs, ..., outputs)")
    for l in range(layers + 1):
        if network[2 + l] < 1:
            raise ValueError(f"{kernel}: network has a level without columns")
    if n_parameters != perceptron_weights(&network[2], layers, 1):
        raise ValueError(f"{kernel}: the number of parameters does not fit the network")
    return layers


cdef int _check_columns(str kernel, const Py_ssize_t[::1] network, Py_ssize_t columns,
                        Py_ssize_t units_rows, Py_ssize_t units_columns,
                        Py_ssize_t outputs) except -1:
    if columns != network[2] or units_rows != 2 or units_columns != columns:
        raise ValueError(f"{kernel}: columns of X and units do not fit the network")
    if outputs != network[network.shape[0] - 1]:
        raise ValueError(f"{kernel}: columns of the outputs do not fit the network")
    return 0


cdef int _check_order(str kernel, const Py_ssize_t[::1] order, Py_ssize_t n_rows,
                      Py_ssize_t batch_size) except -1:
    cdef Py_ssize_t i
    for i in range(order.shape[0]):
        if not 0 <= order[i] < n_rows:
            raise ValueError(f"{kernel}: order names a row that X has not")
    if batch_size < 1:
        raise ValueError(f"{kernel}: batch_size must be at least 1")
    return 0


cdef Py_ssize_t _weight_step(str kernel, const real[:] weights) except -1:
    """Return how far a row's weight is from the next row's."""
    cdef Py_ssize_t stride = weights.strides[0], itemsize = sizeof(real)
    if stride != 0 and stride != itemsize:
        raise ValueError(f"{kernel}: weights must be contiguous, or one for all rows")
    return stride // itemsize


def forward(const real[:, ::1] X, const real[:, ::1] units, const real[::1] parameters,
            const Py_ssize_t[::1] network, real[:, ::1] out):
    cdef Py_ssize_t n = X.shape[0]
    cdef Py_ssize_t layers = _layers("forward", network, parameters.shape[0])
    _check_columns("forward", network, X.shape[1], units.shape[0], units.shape[1], out.shape[1])
    if out.shape[0] != n:
        raise ValueError("forward: out has not a row for every row of X")
    if n == 0:
        return
    cdef real[::1] scratch = np.empty(
        perceptron_scratch(&network[0], layers, min(n, HMLC_BLOCK_ROWS), 1, 1, 64 // sizeof(real)),
        dtype=np.float32 if real is float else np.float64)
    with nogil:
        perceptron_forward(&X[0, 0], n, &units[0, 0], &parameters[0], &network[0], layers,
                           &out[0, 0], &scratch[0])


# Not kernels: these have no twins.
def _few(X, Py_ssize_t n_columns, models, network):
    """Return the answers for a few plain rows that are finite, else None; see _few.pxd.

    models gives units and parameters for each float type.
    """
    cdef plain x = few_rows(X, n_columns)
    if x.data == NULL:
        return None
    dtype = X.dtype
    units, parameters = models[dtype]
    cdef const Py_ssize_t *codes = <const Py_ssize_t *>address_of(network)
    cdef Py_ssize_t layers = len(network) - 3
    out = np.empty((x.rows, codes[2 + layers]), dtype)
    cdef const void *scales = address_of(units)
    cdef const void *weights = address_of(parameters)
    if x.type == b"f":
        return out if _answers(x, scales, weights, codes, layers,
                               <float *>address_of(out)) else None
    return out if _answers(x, scales, weights, codes, layers, <double *>address_of(out)) else None


cdef bint _answers(plain x, const void *units, const void *parameters, const Py_ssize_t *network,
                   Py_ssize_t layers, real *out) except -1:
    """Write the answers; return whether they are finite, as they are not for rows that are not."""
    cdef void *scratch = PyMem_Malloc(sizeof(real) * perceptron_scratch(
        network, layers, x.rows, 0, 1, 64 // sizeof(real)))
    if scratch == NULL:
        raise MemoryError
    with nogil:
        perceptron_forward(<const real *>x.data, x.rows, units, parameters, network, layers, out,
                           scratch)
    PyMem_Free(scratch)
    return is_finite(out, x.rows * network[2 + layers])


def loss_and_gradient(const real[:, ::1] X, const real[:, ::1] Y, const real[:] weights,
                      const real[:, ::1] units, const real[::1] parameters,
                      const Py_ssize_t[::1] network, double[::1] cost, double[::1] gradient):
    cdef Py_ssize_t n = X.shape[0]
    cdef Py_ssize_t layers = _layers("loss_and_gradient", network, parameters.shape[0])
    _check_columns("loss_and_gradient", network, X.shape[1], units.shape[0], units.shape[1],
                   Y.shape[1])
    if Y.shape[0] != n or weights.shape[0] != n:
        raise ValueError("loss_and_gradient: lengths of X, Y and weights do not fit")
    if cost.shape[0] != 1 or gradient.shape[0] != parameters.shape[0]:
        raise ValueError("loss_and_gradient: lengths of cost and gradient do not fit")
    cdef Py_ssize_t weight_step = _weight_step("loss_and_gradient", weights)
    if n == 0:
        return
    cdef real[::1] scratch = np.empty(
        perceptron_scratch(&network[0], layers, min(n, HMLC_BLOCK_ROWS), 1, 1, 64 // sizeof(real)),
        dtype=np.float32 if real is float else np.float64)
    with nogil:
        perceptron_loss_and_gradient(&X[0, 0], n, &Y[0, 0], &weights[0], weight_step,
                                     &units[0, 0], &parameters[0], &network[0], layers, &cost[0],
                                     &gradient[0], &scratch[0])


def penalty(const real[::1] parameters, const Py_ssize_t[::1] network, double l2,
            double[::1] cost, double[::1] gradient):
    cdef Py_ssize_t layers = _layers("penalty", network, parameters.shape[0])
    if cost.shape[0] != 1 or gradient.shape[0] != parameters.shape[0]:
        raise ValueError("penalty: lengths of cost and gradient do not fit")
    with nogil:
        perceptron_penalty(&parameters[0], &network[0], layers, l2, &cost[0], &gradient[0])


cdef Py_ssize_t _memory_bytes(const Py_ssize_t[::1] network, Py_ssize_t batch_size,
                              Py_ssize_t threads, Py_ssize_t itemsize) noexcept:
    """Return how many bytes `threads` threads share in a call of sgd or adam."""
    return sizeof(barrier) + itemsize * perceptron_scratch(
        &network[0], network.shape[0] - 3, batch_size, 3, threads, 64 // itemsize)


def _new_memory(const Py_ssize_t[::1] network, Py_ssize_t batch_size, Py_ssize_t threads, dtype):
    """Return what up to `threads` threads share in calls of sgd or adam, one call at a time."""
    return np.zeros(_memory_bytes(network, batch_size, threads, np.dtype(dtype).itemsize), np.uint8)


cdef int _check_team(str kernel, const Py_ssize_t[::1] network, Py_ssize_t batch_size,
                     Py_ssize_t thread, Py_ssize_t threads, Py_ssize_t itemsize,
                     Py_ssize_t memory_bytes) except -1:
    if not 0 <= thread < threads:
        raise ValueError(f"{kernel}: thread must be one of 0 ... threads - 1")
    if memory_bytes < _memory_bytes(network, batch_size, threads, itemsize):
        raise ValueError(f"{kernel}: memory is too small for the batch and the threads")
    return 0


def sgd(const real[:, ::1] X, const real[:, ::1] Y, const real[:] weights,
        const real[:, ::1] units, const Py_ssize_t[::1] order, Py_ssize_t batch_size,
        const Py_ssize_t[::1] network, const double[::1] rates, real[::1] parameters,
        real[::1] velocity, double[::1] cost, Py_ssize_t thread, Py_ssize_t threads,
        unsigned char[::1] memory):
    cdef Py_ssize_t n = order.shape[0]
    cdef Py_ssize_t layers = _layers("sgd", network, parameters.shape[0])
    _check_columns("sgd", network, X.shape[1], units.shape[0], units.shape[1], Y.shape[1])
    _check_order("sgd", order, min(X.shape[0], Y.shape[0], weights.shape[0]), batch_size)
    cdef Py_ssize_t weight_step = _weight_step("sgd", weights)
    if velocity.shape[0] != parameters.shape[0] or rates.shape[0] != 3 or cost.shape[0] != 1:
        raise ValueError("sgd: lengths of velocity, rates and cost do not fit")
    _check_team("sgd", network, batch_size, thread, threads, sizeof(real), memory.shape[0])
    if n == 0:
        return
    with nogil:
        perceptron_sgd(&X[0, 0], &Y[0, 0], &weights[0], weight_step, &units[0, 0], &order[0], n,
                       batch_size, &network[0], layers, &rates[0], &parameters[0], &velocity[0],
                       &cost[0], thread, threads, &memory[0])


def adam(const real[:, ::1] X, const real[:, ::1] Y, const real[:] weights,
         const real[:, ::1] units, const Py_ssize_t[::1] order, Py_ssize_t batch_size,
         const Py_ssize_t[::1] network, const double[::1] rates, double[::1] powers,
         real[::1] parameters, real[:, ::1] moments, double[::1] cost, Py_ssize_t thread,
         Py_ssize_t threads, unsigned char[::1] memory):
    cdef Py_ssize_t n = order.shape[0]
    cdef Py_ssize_t layers = _layers("adam", network, parameters.shape[0])
    _check_columns("adam", network, X.shape[1], units.shape[0], units.shape[1], Y.shape[1])
    _check_order("adam", order, min(X.shape[0], Y.shape[0], weights.shape[0]), batch_size)
    cdef Py_ssize_t weight_step = _weight_step("adam", weights)
    if moments.shape[0] != 2 or moments.shape[1] != parameters.shape[0]:
        raise ValueError("adam: moments do not fit the parameters")
    if rates.shape[0] != 5 or powers.shape[0] != 2 or cost.shape[0] != 1:
        raise ValueError("adam: lengths of rates, powers and cost do not fit")
    _check_team("adam", network, batch_size, thread, threads, sizeof(real), memory.shape[0])
    if n == 0:
        return
    with nogil:
        perceptron_adam(&X[0, 0], &Y[0, 0], &weights[0], weight_step, &units[0, 0], &order[0], n,
                        batch_size, &network[0], layers, &rates[0], &powers[0], &parameters[0],
                        &moments[0, 0], &cost[0], thread, threads, &memory[0])
