"""Column moments and standard units; the mathematics is in c/moments.c."""

import numpy as np

from hmlc._core._types cimport real

cdef extern from "moments.h" nogil:
    """
    HMLC_DISPATCH(moments)
    #define moments_update(X, ...) HMLC_CALL(moments, update, X, __VA_ARGS__)
    #define moments_standardise(X, ...) HMLC_CALL(moments, standardise, X, __VA_ARGS__)
    """
    int hmlc_moments_select()
    void moments_update(const void *X, Py_ssize_t n, Py_ssize_t d, const void *weights,
                        Py_ssize_t step, double *count, double *mean, double *m2,
                        void *scratch) noexcept
    void moments_standardise(const void *X, Py_ssize_t n, Py_ssize_t d, const void *mean,
                             const void *scale, void *out, void *scratch) noexcept

if hmlc_moments_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")


def update(const real[:, ::1] X, const real[:] weights, double[::1] count, double[::1] mean,
           double[::1] m2):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1]
    cdef Py_ssize_t step = weights.strides[0] // <Py_ssize_t>sizeof(real)
    if mean.shape[0] != d or m2.shape[0] != d or count.shape[0] != 1:
        raise ValueError("update: lengths of count, mean and m2 do not fit X")
    if weights.shape[0] != n or step not in (0, 1):
        raise ValueError("update: weights are not one a row, contiguous or of stride 0")
    if n == 0 or d == 0:
        return
    cdef Py_ssize_t width = max(d, min(16 * d, 1024))
    cdef real[::1] scratch = np.empty((19 if step else 4) * width,
                                      dtype=np.float32 if real is float else np.float64)
    with nogil:
        moments_update(&X[0, 0], n, d, &weights[0], step, &count[0], &mean[0], &m2[0], &scratch[0])


def standardise(const real[:, ::1] X, const real[::1] mean, const real[::1] scale,
                real[:, ::1] out):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1]
    if mean.shape[0] != d or scale.shape[0] != d:
        raise ValueError("standardise: lengths of mean and scale do not fit X")
    if out.shape[0] != n or out.shape[1] != d:
        raise ValueError("standardise: out is not of X's shape")
    if n == 0 or d == 0:
        return
    cdef real[::1] scratch = np.empty(3 * 16 * d, dtype=np.float32 if real is float else np.float64)
    with nogil:
        moments_standardise(&X[0, 0], n, d, &mean[0], &scale[0], &out[0, 0], &scratch[0])
