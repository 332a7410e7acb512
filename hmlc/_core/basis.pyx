"""Basis expansion (columns made of columns); the mathematics is in c/basis.c."""

import math

import numpy as np

from hmlc._core._types cimport real

cdef extern from "basis.h" nogil:
    """
    HMLC_DISPATCH(basis)
    #define basis_polynomials(X, ...) HMLC_CALL(basis, polynomials, X, __VA_ARGS__)
    #define basis_sinusoids(Z, ...) HMLC_CALL(basis, sinusoids, Z, __VA_ARGS__)
    """
    int hmlc_basis_select()
    void basis_polynomials(const void *X, const void *Z, Py_ssize_t n, Py_ssize_t d,
                              Py_ssize_t degree, void *out, Py_ssize_t width,
                              Py_ssize_t row_stride, void *scratch) noexcept
    void basis_sinusoids(const void *Z, Py_ssize_t n, Py_ssize_t d, Py_ssize_t degree,
                            void *out, Py_ssize_t row_stride, void *scratch) noexcept

if hmlc_basis_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")


# Not a kernel: it has no twin.
def _check_out(real[:, :] out, Py_ssize_t n, width):
    """Raise a ValueError unless out is n x width, each row without gaps."""
    if out.shape[0] != n or out.shape[1] != width:
        raise ValueError(f"out must be of shape ({n}, {width}); "
                         f"got ({out.shape[0]}, {out.shape[1]})")
    if out.shape[1] > 1 and out.strides[1] != sizeof(real):
        raise ValueError("out must have rows without gaps")


def polynomials(const real[:, ::1] X, const real[:, ::1] Z, Py_ssize_t degree, real[:, :] out):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], width = out.shape[1]
    if Z.shape[0] != n or Z.shape[1] != d:
        raise ValueError("polynomials: X and Z are not of one shape")
    if degree < 1:
        raise ValueError(f"polynomials: degree must be at least 1; got {degree}")
    _check_out(out, n, math.comb(d + degree, degree) - 1)
    if n == 0 or d == 0:
        return
    dtype = np.float32 if real is float else np.float64
    cdef real[::1] scratch = np.empty(16 * (d + 16), dtype)
    with nogil:
        basis_polynomials(&X[0, 0], &Z[0, 0], n, d, degree, &out[0, 0], width,
                             out.strides[0] // <Py_ssize_t>sizeof(real), &scratch[0])


def sinusoids(const real[:, ::1] Z, Py_ssize_t degree, real[:, :] out):
    cdef Py_ssize_t n = Z.shape[0], d = Z.shape[1]
    _check_out(out, n, degree * d)
    if n == 0 or d == 0 or degree == 0:
        return
    dtype = np.float32 if real is float else np.float64
    cdef real[::1] scratch = np.empty(2 * (max(d, 256) + 16), dtype)
    with nogil:
        basis_sinusoids(&Z[0, 0], n, d, degree, &out[0, 0],
                           out.strides[0] // <Py_ssize_t>sizeof(real), &scratch[0])
