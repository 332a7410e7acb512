"""Means and centred cross-products of columns; the mathematics is in c/scatter.c."""

import numpy as np

from hmlc._core._types cimport real

cdef extern from "scatter.h" nogil:
    """
    HMLC_DISPATCH(scatter)
    #define scatter_update(X, ...) HMLC_CALL(scatter, update, X, __VA_ARGS__)
    #define scatter_merge(S, ...) HMLC_CALL(scatter, merge, S, __VA_ARGS__)
    #define scatter_centre(S, ...) HMLC_CALL(scatter, centre, S, __VA_ARGS__)
    """
    int HMLC_BLOCK_ROWS
    int hmlc_scatter_select()
    void scatter_update(const void *X, const void *Y, Py_ssize_t n, Py_ssize_t d, Py_ssize_t t,
                        const void *weights, Py_ssize_t step, double *count, double *origin,
                        double *sums, double *S, Py_ssize_t start, Py_ssize_t stop,
                        void *scratch) noexcept
    void scatter_merge(double *S, const double *T, Py_ssize_t m, double *count, double *origin,
                       double *sums, double more, const double *more_origin,
                       const double *more_sums, double *scratch) noexcept
    void scatter_centre(double *S, Py_ssize_t m, double count, double *origin,
                        double *sums) noexcept

if hmlc_scatter_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")

# LANES of simd.h divides this.
cdef Py_ssize_t lanes = 16


cdef int check_state(str name, double[::1] count, double[::1] origin, double[::1] sums,
                     double[:, ::1] S, Py_ssize_t m) except -1:
    if (count.shape[0] != 2 or origin.shape[0] != m or sums.shape[0] != m or S.shape[0] != m
            or S.shape[1] != m):
        raise ValueError(f"{name}: sizes of count, origin, sums and S do not fit")
    return 0


def update(const real[:, ::1] X, const real[:, ::1] Y, const real[:] weights, double[::1] count,
           double[::1] origin, double[::1] sums, double[:, ::1] S, Py_ssize_t start,
           Py_ssize_t stop):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], t = Y.shape[1], m = d + t
    cdef Py_ssize_t step = weights.strides[0] // <Py_ssize_t>sizeof(real)
    if Y.shape[0] != n:
        raise ValueError("update: X and Y have not as many rows")
    if weights.shape[0] != n or step not in (0, 1):
        raise ValueError("update: weights are not one a row, contiguous or of stride 0")
    check_state("update", count, origin, sums, S, m)
    if start < 0 or start > stop or stop > m or start % lanes != 0:
        raise ValueError("update: start and stop are not rows of S, start a multiple of 16")
    if n == 0 or d == 0 or start == stop:
        return
    cdef Py_ssize_t width = (m + lanes - 1) // lanes * lanes
    cdef real[::1] scratch = np.empty(
        (HMLC_BLOCK_ROWS + 3) * width + HMLC_BLOCK_ROWS + lanes,
        dtype=np.float32 if real is float else np.float64)
    cdef const real *y = &X[0, 0] if t == 0 else &Y[0, 0]
    with nogil:
        scatter_update(&X[0, 0], y, n, d, t, &weights[0], step, &count[0], &origin[0], &sums[0],
                       &S[0, 0], start, stop, &scratch[0])


def merge(double[::1] count, double[::1] origin, double[::1] sums, double[:, ::1] S,
          double[::1] more_count, double[::1] more_origin, double[::1] more_sums,
          double[:, ::1] more_S):
    cdef Py_ssize_t m = origin.shape[0]
    check_state("merge", count, origin, sums, S, m)
    check_state("merge", more_count, more_origin, more_sums, more_S, m)
    if m == 0 or count[0] <= 0 or more_count[0] <= 0:
        raise ValueError("merge: a state is empty")
    cdef double[::1] scratch = np.empty(2 * m)
    with nogil:
        scatter_merge(&S[0, 0], &more_S[0, 0], m, &count[0], &origin[0], &sums[0], more_count[0],
                      &more_origin[0], &more_sums[0], &scratch[0])


def centre(double[::1] count, double[::1] origin, double[::1] sums, double[:, ::1] S):
    cdef Py_ssize_t m = origin.shape[0]
    check_state("centre", count, origin, sums, S, m)
    if m == 0 or count[0] <= 0:
        raise ValueError("centre: the state is empty")
    with nogil:
        scatter_centre(&S[0, 0], m, count[0], &origin[0], &sums[0])
