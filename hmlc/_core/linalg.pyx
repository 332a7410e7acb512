"""Small dense algebra; the mathematics is in c/linalg.c."""

import numpy as np

from cpython.mem cimport PyMem_Free, PyMem_Malloc

from hmlc._core._few cimport HMLC_FEW_ROWS, address_of, as_plain, in_type, plain
from hmlc._core._types cimport real
from hmlc._core.elementwise cimport is_finite

cdef extern from "linalg.h" nogil:
    """
    HMLC_DISPATCH(linalg)
    #define linalg_dot(a, ...) HMLC_CALL(linalg, dot, a, __VA_ARGS__)
    #define linalg_cholesky(A, ...) HMLC_CALL(linalg, cholesky, A, __VA_ARGS__)
    #define linalg_cholesky_pivoted(A, ...) HMLC_CALL(linalg, cholesky_pivoted, A, __VA_ARGS__)
    #define linalg_cholesky_solve(L, ...) HMLC_CALL(linalg, cholesky_solve, L, __VA_ARGS__)
    #define linalg_quadratic(A, ...) HMLC_CALL(linalg, quadratic, A, __VA_ARGS__)
    #define linalg_affine(X, ...) HMLC_CALL(linalg, affine, X, __VA_ARGS__)
    """
    int HMLC_CHOLESKY_BLOCK
    int hmlc_linalg_select()
    void linalg_dot(const void *a, const void *b, Py_ssize_t n, double *out) noexcept
    void linalg_cholesky(const void *A, Py_ssize_t n, double tolerance, void *L, Py_ssize_t *rank,
                         void *scratch) noexcept
    void linalg_cholesky_pivoted(const void *A, Py_ssize_t n, double tolerance, void *L,
                                 Py_ssize_t *order, Py_ssize_t *rank, void *scratch) noexcept
    void linalg_cholesky_solve(const void *L, Py_ssize_t n, void *B, Py_ssize_t k) noexcept
    void linalg_quadratic(const void *A, const void *B, const void *X, Py_ssize_t k, Py_ssize_t n,
                          void *gradient, double *out) noexcept
    void linalg_affine(const void *X, Py_ssize_t n, Py_ssize_t d, const void *W, const void *b,
                       Py_ssize_t t, void *out, void *scratch) noexcept

cdef extern from "helper.h" nogil:
    void help_calls(double seconds) noexcept
    void forget_helper() noexcept
    int share_rows(int (*run)(void *job, Py_ssize_t first, Py_ssize_t last) noexcept nogil,
                   void *job, Py_ssize_t n, Py_ssize_t size, int may_help) noexcept

if hmlc_linalg_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")

# LANES of simd.h is at most this.
cdef Py_ssize_t lanes = 16

cdef enum:
    # Of up to this many targets a product needs no panels of W: HMLC_FEW_ROWS rows or not.
    NARROW = 4
    # Numbers in X: most for one call, for Ctrl-C is answered after it; least for a helper; a piece.
    SHORT = 4194304
    SHARED = 262144
    PIECE = 32768

# Looked up once, for a row's answer takes no longer.
cdef object empty = np.empty, float32 = np.dtype(np.float32), float64 = np.dtype(np.float64)


def dot(const real[::1] a, const real[::1] b):
    cdef double out = 0
    if b.shape[0] != a.shape[0]:
        raise ValueError("dot: a and b are not of one length")
    if a.shape[0] > 0:
        with nogil:
            linalg_dot(&a[0], &b[0], a.shape[0], &out)
    return out


def cholesky(const real[:, ::1] A, double tolerance, real[:, ::1] L):
    cdef Py_ssize_t n = A.shape[0], rank = 0
    if A.shape[1] != n or L.shape[0] != n or L.shape[1] != n:
        raise ValueError("cholesky: A and L are not square of one size")
    if n == 0:
        return 0
    cdef real[::1] scratch = np.empty(HMLC_CHOLESKY_BLOCK * (n + lanes),
                                      dtype=np.float32 if real is float else np.float64)
    with nogil:
        linalg_cholesky(&A[0, 0], n, tolerance, &L[0, 0], &rank, &scratch[0])
    return rank


def cholesky_pivoted(const real[:, ::1] A, double tolerance, real[:, ::1] L, Py_ssize_t[::1] order):
    cdef Py_ssize_t n = A.shape[0], rank = 0
    if A.shape[1] != n or L.shape[0] != n or L.shape[1] != n or order.shape[0] != n:
        raise ValueError("cholesky_pivoted: sizes of A, L and order do not fit")
    if n == 0:
        return 0
    cdef real[::1] scratch = np.empty(n, dtype=np.float32 if real is float else np.float64)
    with nogil:
        linalg_cholesky_pivoted(&A[0, 0], n, tolerance, &L[0, 0], &order[0], &rank, &scratch[0])
    return rank


def cholesky_solve(const real[:, ::1] L, real[:, ::1] B):
    cdef Py_ssize_t n = L.shape[0], k = B.shape[0]
    if L.shape[1] != n or B.shape[1] != n:
        raise ValueError("cholesky_solve: L is not square, or B's rows are not of its size")
    if n > 0 and k > 0:
        with nogil:
            linalg_cholesky_solve(&L[0, 0], n, &B[0, 0], k)


def quadratic(const real[:, ::1] A, const real[:, ::1] B, const real[:, ::1] X,
              real[:, ::1] gradient):
    cdef Py_ssize_t n = A.shape[0], k = X.shape[0]
    cdef double out = 0
    if A.shape[1] != n or X.shape[1] != n:
        raise ValueError("quadratic: A is not square, or X's rows are not of its size")
    if B.shape[0] != k or B.shape[1] != n or gradient.shape[0] != k or gradient.shape[1] != n:
        raise ValueError("quadratic: B or gradient is not of X's shape")
    if n > 0 and k > 0:
        with nogil:
            linalg_quadratic(&A[0, 0], &B[0, 0], &X[0, 0], k, n, &gradient[0, 0], &out)
    return out


def affine(const real[:, ::1] X, const real[:, ::1] W, const real[::1] b, real[:, ::1] out):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], t = W.shape[0]
    if W.shape[1] != d or b.shape[0] != t:
        raise ValueError("affine: sizes of W and b do not fit X")
    if out.shape[0] != n or out.shape[1] != t:
        raise ValueError("affine: out is not of shape (len(X), len(W))")
    if n == 0 or d == 0 or t == 0:
        np.asarray(out)[:] = b
        return
    cdef real[::1] scratch = np.empty(d * (t + lanes),
                                      dtype=np.float32 if real is float else np.float64)
    with nogil:
        linalg_affine(&X[0, 0], n, d, &W[0, 0], &b[0], t, &out[0, 0], &scratch[0])


# Not kernels: these have no twins.
def _help_calls(double seconds):
    """Help with calls that are shared, until there was none for so long; see c/helper.h."""
    with nogil:
        help_calls(seconds)


def _forget_helper():
    """Expect no help: in a forked child there is nobody."""
    forget_helper()


def _few(X, Py_ssize_t n_columns, W, b, model):
    """Return X W^T + b for plain rows, few or few numbers each, if it is finite, else None.

    See _few.pxd. W is a vector or a matrix, b a number or a vector. Where it takes a while and the
    model calls a helper, that takes its share.
    """
    cdef plain x = as_plain(X), weights = as_plain(W), biases
    cdef double number
    if isinstance(b, float):
        number = b
        biases = plain(&number, b"d", 0, 1, 1)
    else:
        biases = as_plain(b)
    if x.data == NULL or weights.data == NULL or biases.data == NULL or x.dimensions != 2:
        return None
    if x.columns != n_columns or weights.columns != n_columns or biases.columns != weights.rows:
        return None
    if x.rows > HMLC_FEW_ROWS and (weights.rows > NARROW or x.rows > SHORT // n_columns):
        return None
    cdef bint is_helped = x.rows > SHARED // n_columns and model._call_helper()
    dtype = float32 if x.type == b"f" else float64
    if weights.dimensions == 1:
        out = empty(x.rows, dtype)
    else:
        out = empty((x.rows, weights.rows), dtype)
    if x.type == b"f":
        return out if _affine(x, weights, biases, <float *>address_of(out), is_helped) else None
    return out if _affine(x, weights, biases, <double *>address_of(out), is_helped) else None


cdef struct affine_job:
    const void *X
    const void *W
    const void *b
    void *out
    Py_ssize_t d, t


cdef int affine_piece_f32(void *job, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    return affine_piece[float](<affine_job *>job, first, last, NULL)


cdef int affine_piece_f64(void *job, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    return affine_piece[double](<affine_job *>job, first, last, NULL)


cdef bint affine_piece(affine_job *job, Py_ssize_t first, Py_ssize_t last,
                       const real *type_of_job) noexcept nogil:
    """Write X W^T + b of some rows; return whether it is finite."""
    cdef real *out = <real *>job.out + first * job.t
    linalg_affine(<const real *>job.X + first * job.d, last - first, job.d,
                  <const real *>job.W, <const real *>job.b, job.t, out, NULL)
    return is_finite(<const real *>out, (last - first) * job.t)


cdef bint _affine(plain x, plain W, plain b, real *out, bint is_helped) except -1:
    """Write X W^T + b; return whether it is finite."""
    cdef Py_ssize_t d = x.columns, t = W.rows, piece = max(1, PIECE // (64 * d)) * 64
    cdef real *room = <real *>PyMem_Malloc(t * (d + 1) * sizeof(real))
    if room == NULL:
        raise MemoryError
    cdef affine_job job = affine_job(x.data, in_type[real](W, room),
                                     in_type[real](b, room + t * d), out, d, t)
    cdef bint answer
    with nogil:
        answer = share_rows(affine_piece_f32 if real is float else affine_piece_f64, &job, x.rows,
                            piece, is_helped)
    PyMem_Free(room)
    return answer
