"""Means and centred cross-products of columns; the mathematics is in c/scatter.c."""

import numpy as np

from hmlc._core._types cimport real

cdef extern from "scatter.h" nogil:
    """
    HMLC_DISPATCH(scatter)
    #define scatter_update(X, ...) HMLC_CALL(scatter, update, X, __VA_ARGS__)
    """
    int HMLC_BLOCK_ROWS
    int hmlc_scatter_select()
    void scatter_update(const void *X, const void *Y, Py_ssize_t n, Py_ssize_t d, Py_ssize_t t,
                        double *count, double *mean, double *S, Py_ssize_t start, Py_ssize_t stop,
                        void *scratch, double *change) noexcept

if hmlc_scatter_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")

# LANES of simd.h divides this.
cdef Py_ssize_t lanes = 16


def update(const real[:, ::1] X, const real[:, ::1] Y, double[::1] count, double[::1] mean,
           double[:, ::1] S, Py_ssize_t start, Py_ssize_t stop):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], t = Y.shape[1], m = d + t
    if Y.shape[0] != n:
        raise ValueError("update: X and Y have not as many rows")
    if count.shape[0] != 1 or mean.shape[0] != m or S.shape[0] != m or S.shape[1] != m:
        raise ValueError("update: sizes of count, mean and S do not fit X and Y")
    if start < 0 or start > stop or stop > m or start % lanes != 0:
        raise ValueError("update: start and stop are not columns of S, start a multiple of 16")
    if n == 0 or d == 0 or start == stop:
        return
    cdef Py_ssize_t width = (m + lanes - 1) // lanes * lanes
    cdef real[::1] scratch = np.empty((HMLC_BLOCK_ROWS + 3) * width,
                                      dtype=np.float32 if real is float else np.float64)
    cdef double[::1] change = np.empty(2 * m)
    cdef const real *y = &X[0, 0] if t == 0 else &Y[0, 0]
    with nogil:
        scatter_update(&X[0, 0], y, n, d, t, &count[0], &mean[0], &S[0, 0], start, stop,
                       &scratch[0], &change[0])
