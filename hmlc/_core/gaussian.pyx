"""Log-densities of a Gaussian; the mathematics is in c/gaussian.c."""

import numpy as np

from hmlc._core._types cimport real

cdef extern from "gaussian.h" nogil:
    """
    HMLC_DISPATCH(gaussian)
    #define gaussian_log_normaliser(x, ...) HMLC_CALL(gaussian, log_normaliser, x, __VA_ARGS__)
    #define gaussian_log_density_diagonal(X, ...) HMLC_CALL(gaussian, log_density_diagonal, X, __VA_ARGS__)
    #define gaussian_log_density_full(X, ...) HMLC_CALL(gaussian, log_density_full, X, __VA_ARGS__)
    """
    int hmlc_gaussian_select()
    Py_ssize_t gaussian_scratch(Py_ssize_t d) noexcept
    void gaussian_log_normaliser(const void *inverse_scale, Py_ssize_t d, double *answer) noexcept
    void gaussian_log_density_diagonal(const void *X, Py_ssize_t n, Py_ssize_t d,
                                       const double *mean, const void *inverse_scale,
                                       double normaliser, void *out) noexcept
    void gaussian_log_density_full(const void *X, Py_ssize_t n, Py_ssize_t d, const double *mean,
                                   const void *whitener, double normaliser, void *out,
                                   void *scratch) noexcept

if hmlc_gaussian_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")


def log_normaliser(const real[::1] inverse_scale):
    cdef double answer = 0
    if inverse_scale.shape[0] > 0:
        with nogil:
            gaussian_log_normaliser(&inverse_scale[0], inverse_scale.shape[0], &answer)
    return answer


def log_density_diagonal(const real[:, ::1] X, const double[::1] mean,
                         const real[::1] inverse_scale, double normaliser, real[::1] out):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1]
    if mean.shape[0] != d or inverse_scale.shape[0] != d or out.shape[0] != n:
        raise ValueError("log_density_diagonal: mean, inverse_scale or out does not fit X")
    if n == 0 or d == 0:
        return
    with nogil:
        gaussian_log_density_diagonal(&X[0, 0], n, d, &mean[0], &inverse_scale[0], normaliser,
                                      &out[0])


def log_density_full(const real[:, ::1] X, const double[::1] mean, const real[:, ::1] whitener,
                     double normaliser, real[::1] out):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1]
    if mean.shape[0] != d or whitener.shape[0] != d or whitener.shape[1] != d:
        raise ValueError("log_density_full: mean or whitener does not fit X")
    if out.shape[0] != n:
        raise ValueError("log_density_full: out is not of X's length")
    if n == 0 or d == 0:
        return
    cdef real[::1] scratch = np.empty(gaussian_scratch(d),
                                      dtype=np.float32 if real is float else np.float64)
    with nogil:
        gaussian_log_density_full(&X[0, 0], n, d, &mean[0], &whitener[0, 0], normaliser, &out[0],
                                  &scratch[0])
