"""Logistic losses, gradients and Hessians, scores and softmax; the mathematics is in c/logistic.c."""

import numpy as np
from libc.stdint cimport int32_t, uint8_t

from cpython.mem cimport PyMem_Free, PyMem_Malloc

from hmlc._core._few cimport address_of, as_plain, few_rows, places_for, plain
from hmlc._core._types cimport real
from hmlc._core.elementwise cimport is_finite

cdef extern from "logistic.h" nogil:
    """
    HMLC_DISPATCH(logistic)
    #define logistic_sigmoid_loss(X, ...) HMLC_CALL(logistic, sigmoid_loss, X, __VA_ARGS__)
    #define logistic_sigmoid_loss_hessian(X, ...) HMLC_CALL(logistic, sigmoid_loss_hessian, X, __VA_ARGS__)
    #define logistic_softmax_loss(X, ...) HMLC_CALL(logistic, softmax_loss, X, __VA_ARGS__)
    #define logistic_scores(X, ...) HMLC_CALL(logistic, scores, X, __VA_ARGS__)
    #define logistic_most_probable(Z, ...) HMLC_CALL(logistic, most_probable, Z, __VA_ARGS__)
    #define logistic_softmax(Z, ...) HMLC_CALL(logistic, softmax, Z, __VA_ARGS__)
    #define logistic_log_softmax(Z, ...) HMLC_CALL(logistic, log_softmax, Z, __VA_ARGS__)
    """
    int hmlc_logistic_select()
    Py_ssize_t hmlc_logistic_scratch(Py_ssize_t d, Py_ssize_t k, Py_ssize_t hessians)
    Py_ssize_t hmlc_logistic_few_scratch(Py_ssize_t d)
    void logistic_sigmoid_loss(const void *X, Py_ssize_t n, Py_ssize_t d, const void *codes,
                               Py_ssize_t code_size, const void *weights,
                               Py_ssize_t weight_step, const Py_ssize_t *classes,
                               const void *W, Py_ssize_t k, const void *units, double *loss,
                               double *gradient, void *scratch) noexcept
    void logistic_sigmoid_loss_hessian(const void *X, Py_ssize_t n, Py_ssize_t d,
                                       const void *codes, Py_ssize_t code_size,
                                       const void *weights, Py_ssize_t weight_step,
                                       const Py_ssize_t *classes, const void *W,
                                       Py_ssize_t k, const void *units, double *loss,
                                       double *gradient, double *hessian, void *scratch) noexcept
    void logistic_softmax_loss(const void *X, Py_ssize_t n, Py_ssize_t d, const void *codes,
                               Py_ssize_t code_size, const void *weights,
                               Py_ssize_t weight_step, const void *W, Py_ssize_t k,
                               const void *units, double *loss, double *gradient,
                               void *scratch) noexcept
    void logistic_scores(const void *X, Py_ssize_t n, Py_ssize_t d, const void *W, Py_ssize_t k,
                         const void *units, void *out, void *scratch) noexcept
    void logistic_most_probable(const void *Z, Py_ssize_t n, Py_ssize_t k,
                                Py_ssize_t *codes) noexcept
    void logistic_softmax(void *Z, Py_ssize_t n, Py_ssize_t k, void *scratch) noexcept
    void logistic_log_softmax(void *Z, Py_ssize_t n, Py_ssize_t k, void *scratch) noexcept

if hmlc_logistic_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")

ctypedef fused code:
    uint8_t
    int32_t

# LANES of simd.h is at most this.
cdef Py_ssize_t lanes = 16

# Looked up once, for a row's answer takes no longer.
cdef object empty = np.empty, float32 = np.dtype(np.float32), float64 = np.dtype(np.float64)


def sigmoid_loss(const real[:, ::1] X, const code[::1] codes, const real[:] weights,
                 const Py_ssize_t[::1] classes, const real[:, ::1] W, const real[:, ::1] units,
                 double[::1] loss, double[:, ::1] gradient):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = W.shape[0]
    cdef Py_ssize_t weight_step = _step_of(weights, n)
    _check_model(d, W.shape[1], units.shape[0], units.shape[1])
    if codes.shape[0] != n or classes.shape[0] != k:
        raise ValueError("sigmoid_loss: lengths of codes and classes do not fit X and W")
    if loss.shape[0] != k or gradient.shape[0] != k or gradient.shape[1] != d + 1:
        raise ValueError("sigmoid_loss: shapes of loss and gradient do not fit W")
    if n == 0 or d == 0 or k == 0:
        return
    cdef real[::1] scratch = np.empty(hmlc_logistic_scratch(d, k, 0),
                                      dtype=np.float32 if real is float else np.float64)
    with nogil:
        logistic_sigmoid_loss(&X[0, 0], n, d, &codes[0], sizeof(code), &weights[0], weight_step, &classes[0],
                              &W[0, 0], k, &units[0, 0], &loss[0], &gradient[0, 0], &scratch[0])


def sigmoid_loss_hessian(const real[:, ::1] X, const code[::1] codes,
                         const real[:] weights, const Py_ssize_t[::1] classes,
                         const real[:, ::1] W, const real[:, ::1] units, double[::1] loss,
                         double[:, ::1] gradient, double[:, :, ::1] hessian):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = W.shape[0]
    cdef Py_ssize_t weight_step = _step_of(weights, n)
    _check_model(d, W.shape[1], units.shape[0], units.shape[1])
    if codes.shape[0] != n or classes.shape[0] != k:
        raise ValueError("sigmoid_loss_hessian: lengths of codes and classes do not fit X and W")
    if (loss.shape[0] != k or gradient.shape[0] != k or gradient.shape[1] != d + 1
            or hessian.shape[0] != k or hessian.shape[1] != d + 1 or hessian.shape[2] != d + 1):
        raise ValueError("sigmoid_loss_hessian: shapes of loss, gradient and hessian do not fit W")
    if n == 0 or d == 0 or k == 0:
        return
    cdef real[::1] scratch = np.empty(hmlc_logistic_scratch(d, k, k),
                                      dtype=np.float32 if real is float else np.float64)
    with nogil:
        logistic_sigmoid_loss_hessian(&X[0, 0], n, d, &codes[0], sizeof(code), &weights[0], weight_step,
                                      &classes[0], &W[0, 0], k, &units[0, 0], &loss[0],
                                      &gradient[0, 0], &hessian[0, 0, 0], &scratch[0])


def softmax_loss(const real[:, ::1] X, const code[::1] codes, const real[:] weights,
                 const real[:, ::1] W, const real[:, ::1] units, double[::1] loss,
                 double[:, ::1] gradient):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = W.shape[0], i
    cdef Py_ssize_t weight_step = _step_of(weights, n)
    _check_model(d, W.shape[1], units.shape[0], units.shape[1])
    if codes.shape[0] != n or k < 2:
        raise ValueError("softmax_loss: length of codes does not fit X, or W has a single row")
    if loss.shape[0] != 1 or gradient.shape[0] != k or gradient.shape[1] != d + 1:
        raise ValueError("softmax_loss: shapes of loss and gradient do not fit W")
    for i in range(n):
        if not 0 <= <Py_ssize_t>codes[i] < k:
            raise ValueError("softmax_loss: a code is not the index of a row of W")
    if n == 0 or d == 0:
        return
    cdef real[::1] scratch = np.empty(hmlc_logistic_scratch(d, k, 0),
                                      dtype=np.float32 if real is float else np.float64)
    with nogil:
        logistic_softmax_loss(&X[0, 0], n, d, &codes[0], sizeof(code), &weights[0], weight_step, &W[0, 0], k,
                              &units[0, 0], &loss[0], &gradient[0, 0], &scratch[0])


def scores(const real[:, ::1] X, const real[:, ::1] W, const real[:, ::1] units,
           real[:, ::1] out):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = W.shape[0]
    _check_model(d, W.shape[1], units.shape[0], units.shape[1])
    if out.shape[0] != n or out.shape[1] != k:
        raise ValueError("scores: out is not of shape (rows of X, rows of W)")
    if n == 0 or d == 0 or k == 0:
        return
    cdef real[::1] scratch = np.empty(hmlc_logistic_scratch(d, k, 0),
                                      dtype=np.float32 if real is float else np.float64)
    with nogil:
        logistic_scores(&X[0, 0], n, d, &W[0, 0], k, &units[0, 0], &out[0, 0], &scratch[0])


def most_probable(Z, codes):
    cdef plain z = as_plain(Z)
    cdef Py_ssize_t *out = places_for(codes, z.rows)
    if z.data == NULL or z.dimensions != 2 or out == NULL:
        raise ValueError("most_probable: Z is not a plain matrix of a row for each code")
    with nogil:
        if z.type == b"f":
            logistic_most_probable(<const float *>z.data, z.rows, z.columns, out)
        else:
            logistic_most_probable(<const double *>z.data, z.rows, z.columns, out)


def softmax(real[:, ::1] Z):
    cdef Py_ssize_t n = Z.shape[0], k = Z.shape[1]
    if n == 0 or k == 0:
        return
    cdef real[::1] scratch = np.empty(k * lanes, dtype=np.float32 if real is float else np.float64)
    with nogil:
        logistic_softmax(&Z[0, 0], n, k, &scratch[0])


def log_softmax(real[:, ::1] Z):
    cdef Py_ssize_t n = Z.shape[0], k = Z.shape[1]
    if n == 0 or k == 0:
        return
    cdef real[::1] scratch = np.empty(k * lanes, dtype=np.float32 if real is float else np.float64)
    with nogil:
        logistic_log_softmax(&Z[0, 0], n, k, &scratch[0])


cdef Py_ssize_t _step_of(const real[:] weights, Py_ssize_t n) except -1:
    """Return how many reals apart rows' weights are: 1, or 0 where one serves all."""
    cdef Py_ssize_t step = 0 if n < 2 else weights.strides[0]
    if weights.shape[0] != n:
        raise ValueError("length of weights does not fit X")
    if step != 0 and step != sizeof(real):
        raise ValueError("weights must lie one after another, or be one for all rows")
    return step // <Py_ssize_t>sizeof(real)


cdef _check_model(Py_ssize_t d, Py_ssize_t depth, Py_ssize_t unit_rows, Py_ssize_t unit_columns):
    if depth != d + 1 or unit_rows != 2 or unit_columns != d:
        raise ValueError("W must have a column more than X, and units be of shape (2, columns)")


# Not kernels: these have no twins.
def _few(X, Py_ssize_t n_columns, models):
    """Return a few plain rows' scores if they are finite, else None; see _few.pxd.

    models gives W and units for each float type.
    """
    cdef plain x = few_rows(X, n_columns)
    if x.data == NULL:
        return None
    dtype = float32 if x.type == b"f" else float64
    W, units = models[dtype]
    cdef plain weights = as_plain(W)
    if weights.columns != n_columns + 1:
        return None
    out = empty((x.rows, weights.rows), dtype)
    cdef plain scales = as_plain(units)
    if x.type == b"f":
        return out if _scores(x, weights, scales, <float *>address_of(out)) else None
    return out if _scores(x, weights, scales, <double *>address_of(out)) else None


cdef bint _scores(plain x, plain W, plain units, real *out) except -1:
    """Write the scores; return whether they are finite."""
    cdef void *scratch = PyMem_Malloc(hmlc_logistic_few_scratch(x.columns) * sizeof(real))
    if scratch == NULL:
        raise MemoryError
    with nogil:
        logistic_scores(<const real *>x.data, x.rows, x.columns, W.data, W.rows, units.data, out,
                        scratch)
    PyMem_Free(scratch)
    return is_finite(<const real *>out, x.rows * W.rows)
