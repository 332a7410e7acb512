"""Nearest centres, the sums that move them, and the k-means++ sweeps; see c/k_means.c."""

import numpy as np

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int32_t, int64_t

from hmlc._core._few cimport address_of, as_plain, few_rows, in_type, plain
from hmlc._core._types cimport real
from hmlc._core.elementwise cimport is_finite

cdef extern from "k_means.h" nogil:
    """
    HMLC_DISPATCH(k_means)
    #define k_means_lloyd(X, ...) HMLC_CALL(k_means, lloyd, X, __VA_ARGS__)
    #define k_means_settle(X, ...) HMLC_CALL(k_means, settle, X, __VA_ARGS__)
    #define k_means_lloyd_bounded(X, ...) HMLC_CALL(k_means, lloyd_bounded, X, __VA_ARGS__)
    #define k_means_lloyd_hamerly(X, ...) HMLC_CALL(k_means, lloyd_hamerly, X, __VA_ARGS__)
    #define k_means_assign(X, ...) HMLC_CALL(k_means, assign, X, __VA_ARGS__)
    #define k_means_inertia(X, ...) HMLC_CALL(k_means, inertia, X, __VA_ARGS__)
    #define k_means_approach(X, ...) HMLC_CALL(k_means, approach, X, __VA_ARGS__)
    #define k_means_nearer(X, ...) HMLC_CALL(k_means, nearer, X, __VA_ARGS__)
    #define k_means_choose(X, ...) HMLC_CALL(k_means, choose, X, __VA_ARGS__)
    #define k_means_relative(X, ...) HMLC_CALL(k_means, relative, X, __VA_ARGS__)
    #define k_means_distances(X, ...) HMLC_CALL(k_means, distances, X, __VA_ARGS__)
    """
    enum: HMLC_BLOCK_ROWS
    int hmlc_k_means_select()
    Py_ssize_t k_means_scratch(Py_ssize_t k, Py_ssize_t d) noexcept
    Py_ssize_t k_means_long_scratch(Py_ssize_t k, Py_ssize_t d) noexcept
    void k_means_lloyd(const void *X, Py_ssize_t n, Py_ssize_t d, const void *weights,
                       Py_ssize_t weight_step, const void *shift,
                       const void *centres, Py_ssize_t k, double *sums, double *counts,
                       void *scratch) noexcept
    void k_means_settle(const void *X, Py_ssize_t n, Py_ssize_t d, const void *weights,
                        Py_ssize_t weight_step, const void *shift,
                        const void *near, const void *centres, Py_ssize_t k, int32_t *labels,
                        double *counts, double *total, void *scratch) noexcept
    void k_means_lloyd_bounded(const void *X, Py_ssize_t n, Py_ssize_t d, const void *weights,
                               Py_ssize_t weight_step, const void *shift,
                               const void *centres, Py_ssize_t k, const void *steps,
                               int32_t *labels, void *lower, Py_ssize_t stride, void *upper,
                               double *sums, void *scratch) noexcept
    void k_means_lloyd_hamerly(const void *X, Py_ssize_t n, Py_ssize_t d, const void *weights,
                               Py_ssize_t weight_step, const void *shift,
                               const void *centres, Py_ssize_t k, const void *steps,
                               const int32_t *clusters, int32_t *labels, void *lower,
                               double *sums, double *counts, int64_t *met,
                               void *scratch) noexcept
    void k_means_assign(const void *X, Py_ssize_t n, Py_ssize_t d, const void *shift,
                        const void *centres, Py_ssize_t k, int32_t *labels,
                        void *scratch) noexcept
    void k_means_inertia(const void *X, Py_ssize_t n, Py_ssize_t d, const void *weights,
                         Py_ssize_t weight_step, const void *centres,
                         const int32_t *labels, void *squares, double *total) noexcept
    void k_means_approach(const void *X, Py_ssize_t n, Py_ssize_t d, const void *weights,
                          Py_ssize_t weight_step, const void *centre, const void *candidates,
                          Py_ssize_t k, void *closest, double *block_totals, double *totals,
                          void *scratch) noexcept
    void k_means_nearer(const void *X, Py_ssize_t n, Py_ssize_t d, const void *shift,
                        const void *candidates, Py_ssize_t k, const void *closest,
                        const int32_t *labels, const void *apart, int64_t first, int32_t *which,
                        int64_t *rows, void *squares, Py_ssize_t room, int64_t *count,
                        void *scratch) noexcept
    void k_means_choose(void *closest, int32_t *labels, int64_t n_seeds, const void *weights,
                        Py_ssize_t weight_step,
                        const int64_t *rows, const void *squares,
                        const int64_t *starts, Py_ssize_t k, const int64_t *places,
                        const double *draws, Py_ssize_t tries, Py_ssize_t wanted, int64_t *chosen,
                        int64_t *answer) noexcept
    void k_means_relative(const void *centres, Py_ssize_t k, Py_ssize_t d, const void *shift,
                          void *out) noexcept
    void k_means_distances(const void *X, Py_ssize_t n, Py_ssize_t d, const void *centres,
                           Py_ssize_t k, void *out, void *scratch) noexcept

if hmlc_k_means_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")


cdef _scratch(Py_ssize_t k, Py_ssize_t size, size_t real_bytes):
    if k > 1 << 24:
        raise ValueError("k_means: more than 2**24 centres, whose indices float32 cannot count")
    return np.empty(size, np.float32 if real_bytes == 4 else np.float64)


cdef Py_ssize_t _weight_step(const real[:] weights, Py_ssize_t n) except -1:
    """Return how many reals the weights of n rows are apart: 0, where they are one number, or 1."""
    if weights.shape[0] != n:
        raise ValueError("k_means: weights is not of the rows' length")
    if n == 0 or weights.strides[0] == 0:
        return 0
    if n > 1 and weights.strides[0] != sizeof(real):
        raise ValueError("k_means: weights are neither one number nor next to each other")
    return 1


def lloyd(const real[:, ::1] X, const real[:] weights, const real[::1] shift,
          const real[:, ::1] centres, double[:, ::1] sums, double[::1] counts):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = centres.shape[0]
    if centres.shape[1] != d or shift.shape[0] != d:
        raise ValueError("lloyd: lengths of shift and centres do not fit X")
    if sums.shape[0] != k or sums.shape[1] != d or counts.shape[0] != k:
        raise ValueError("lloyd: lengths of sums and counts do not fit centres")
    cdef Py_ssize_t step = _weight_step(weights, n)
    if n == 0 or d == 0 or k == 0:
        return
    cdef real[::1] scratch = _scratch(k, k_means_scratch(k, d), sizeof(real))
    with nogil:
        k_means_lloyd(&X[0, 0], n, d, &weights[0], step, &shift[0], &centres[0, 0], k,
                      &sums[0, 0], &counts[0], &scratch[0])


def settle(const real[:, ::1] X, const real[:] weights, const real[::1] shift,
           const real[:, ::1] near, const real[:, ::1] centres, int32_t[::1] labels,
           double[::1] counts, double[::1] total):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = centres.shape[0]
    if centres.shape[1] != d or near.shape[0] != k or near.shape[1] != d or shift.shape[0] != d:
        raise ValueError("settle: lengths of shift, near and centres do not fit X")
    if labels.shape[0] != n or counts.shape[0] != k or total.shape[0] != 1:
        raise ValueError("settle: labels or counts is not of its length, or total not of length 1")
    cdef Py_ssize_t step = _weight_step(weights, n)
    if n == 0 or d == 0 or k == 0:
        return
    cdef real[::1] scratch = _scratch(k, k_means_scratch(k, d), sizeof(real))
    with nogil:
        k_means_settle(&X[0, 0], n, d, &weights[0], step, &shift[0], &near[0, 0],
                       &centres[0, 0], k, &labels[0], &counts[0], &total[0], &scratch[0])


def lloyd_bounded(const real[:, ::1] X, const real[:] weights, const real[::1] shift,
                  const real[:, ::1] centres, const real[::1] steps, int32_t[::1] labels,
                  real[:, :] lower, real[::1] upper, double[:, ::1] sums):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = centres.shape[0], r
    if centres.shape[1] != d or shift.shape[0] != d or steps.shape[0] != k:
        raise ValueError("lloyd_bounded: lengths of shift, centres and steps do not fit")
    if labels.shape[0] != n or upper.shape[0] != n:
        raise ValueError("lloyd_bounded: labels or upper is not of X's length")
    if lower.shape[0] != k or lower.shape[1] != n:
        raise ValueError("lloyd_bounded: lower is not of shape (k, n)")
    if n > 1 and lower.strides[1] != sizeof(real) or lower.strides[0] % sizeof(real):
        raise ValueError("lloyd_bounded: lower's entries of a row are not next to each other")
    if sums.shape[0] != k or sums.shape[1] != d:
        raise ValueError("lloyd_bounded: lengths of sums do not fit centres")
    for r in range(n):
        if labels[r] >= k:
            raise ValueError("lloyd_bounded: a label is not that of a centre")
    cdef Py_ssize_t step = _weight_step(weights, n)
    if n == 0 or d == 0 or k == 0:
        return
    cdef real[::1] scratch = _scratch(k, k_means_long_scratch(k, d), sizeof(real))
    with nogil:
        k_means_lloyd_bounded(&X[0, 0], n, d, &weights[0], step, &shift[0], &centres[0, 0], k,
                              &steps[0], &labels[0], &lower[0, 0],
                              lower.strides[0] // <Py_ssize_t>sizeof(real),
                              &upper[0], &sums[0, 0], &scratch[0])


def lloyd_hamerly(const real[:, ::1] X, const real[:] weights, const real[::1] shift,
                  const real[:, ::1] centres, const real[::1] steps,
                  const int32_t[::1] clusters, int32_t[::1] labels, real[::1] lower,
                  double[:, ::1] sums, double[::1] counts):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = centres.shape[0], r
    cdef int64_t met = 0
    if centres.shape[1] != d or shift.shape[0] != d or steps.shape[0] != k:
        raise ValueError("lloyd_hamerly: lengths of shift, centres and steps do not fit")
    if labels.shape[0] != n or lower.shape[0] != n:
        raise ValueError("lloyd_hamerly: labels or lower is not of X's length")
    if sums.shape[0] != k or sums.shape[1] != d or counts.shape[0] != k:
        raise ValueError("lloyd_hamerly: lengths of sums and counts do not fit centres")
    if not np.array_equal(np.sort(clusters), np.arange(k)):
        raise ValueError("lloyd_hamerly: clusters are not the labels from 0 to k - 1, each once")
    for r in range(n):
        if labels[r] >= k:
            raise ValueError("lloyd_hamerly: a label is not that of a centre")
    cdef Py_ssize_t step = _weight_step(weights, n)
    if n == 0 or d == 0 or k == 0:
        return met
    cdef real[::1] scratch = _scratch(k, k_means_scratch(k, d), sizeof(real))
    with nogil:
        k_means_lloyd_hamerly(&X[0, 0], n, d, &weights[0], step, &shift[0], &centres[0, 0], k,
                              &steps[0], &clusters[0], &labels[0], &lower[0], &sums[0, 0],
                              &counts[0], &met, &scratch[0])
    return met


def assign(const real[:, ::1] X, const real[::1] shift, const real[:, ::1] centres,
           int32_t[::1] labels):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = centres.shape[0]
    if centres.shape[1] != d or shift.shape[0] != d or labels.shape[0] != n:
        raise ValueError("assign: lengths of shift, centres and labels do not fit X")
    if n == 0 or d == 0 or k == 0:
        return
    cdef real[::1] scratch = _scratch(k, k_means_scratch(k, d), sizeof(real))
    with nogil:
        k_means_assign(&X[0, 0], n, d, &shift[0], &centres[0, 0], k, &labels[0], &scratch[0])


# Not kernels: these have no twins.
def _few(X, Py_ssize_t n_columns, shift, centres):
    """Return the labels of a few plain rows that are finite, else None; see _few.pxd.

    Centres are in their own units here.
    """
    cdef plain x = few_rows(X, n_columns), origin = as_plain(shift), own = as_plain(centres)
    if x.data == NULL or origin.data == NULL or own.data == NULL:
        return None
    if origin.columns != n_columns or own.columns != n_columns or own.rows > 1 << 24:
        return None
    labels = np.empty(x.rows, np.int32)
    cdef int32_t *out = <int32_t *>address_of(labels)
    if x.type == b"f":
        return labels if _assign(<const float *>x.data, x.rows, origin, own, out) else None
    return labels if _assign(<const double *>x.data, x.rows, origin, own, out) else None


cdef bint _assign(const real *X, Py_ssize_t n, plain shift, plain centres,
                  int32_t *labels) except -1:
    """Write the labels, if the rows are finite; return whether they are."""
    cdef Py_ssize_t k = centres.rows, d = centres.columns
    if not is_finite(X, n * d):
        return False
    cdef real *room = <real *>PyMem_Malloc((k_means_scratch(k, d) + (k + 1) * d) * sizeof(real))
    if room == NULL:
        raise MemoryError
    cdef real *near = room + d
    cdef real *scratch = near + k * d
    cdef const real *origin = in_type[real](shift, room)
    with nogil:
        k_means_relative(in_type[real](centres, scratch), k, d, origin, near)
        k_means_assign(X, n, d, origin, near, k, labels, scratch)
    PyMem_Free(room)
    return True


def inertia(const real[:, ::1] X, const real[:] weights, const real[:, ::1] centres,
            const int32_t[::1] labels, real[::1] squares, double[::1] total):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = centres.shape[0], r
    if centres.shape[1] != d or labels.shape[0] != n or squares.shape[0] != n:
        raise ValueError("inertia: lengths of centres, labels and squares do not fit X")
    if total.shape[0] != 1:
        raise ValueError("inertia: total is not of length 1")
    for r in range(n):
        if not 0 <= labels[r] < k:
            raise ValueError("inertia: a label is not that of a centre")
    cdef Py_ssize_t step = _weight_step(weights, n)
    if n == 0 or d == 0:
        return
    with nogil:
        k_means_inertia(&X[0, 0], n, d, &weights[0], step, &centres[0, 0], &labels[0], &squares[0],
                        &total[0])


def approach(const real[:, ::1] X, const real[:] weights, const real[::1] centre,
             const real[:, ::1] candidates, real[::1] closest, double[::1] block_totals,
             double[::1] totals):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = candidates.shape[0]
    if centre.shape[0] != d or candidates.shape[1] != d or closest.shape[0] != n:
        raise ValueError("approach: lengths of centre, candidates and closest do not fit X")
    if block_totals.shape[0] != (n + HMLC_BLOCK_ROWS - 1) // HMLC_BLOCK_ROWS:
        raise ValueError("approach: block_totals has not one entry a block of rows")
    if totals.shape[0] != k:
        raise ValueError("approach: totals has not one entry a candidate")
    cdef Py_ssize_t step = _weight_step(weights, n)
    if n == 0 or d == 0:
        return
    cdef real[::1] scratch = _scratch(k, k_means_scratch(k + 1, d), sizeof(real))
    cdef const real *places = &candidates[0, 0] if k > 0 else &centre[0]
    cdef double *remaining = &totals[0] if k > 0 else NULL
    with nogil:
        k_means_approach(&X[0, 0], n, d, &weights[0], step, &centre[0], places, k, &closest[0],
                         &block_totals[0], remaining, &scratch[0])


def nearer(const real[:, ::1] X, const real[::1] shift, const real[:, ::1] candidates,
           const real[::1] closest, const int32_t[::1] labels, const real[:, ::1] apart,
           int64_t first, int32_t[::1] which, int64_t[::1] rows, real[::1] squares):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = candidates.shape[0], r
    cdef Py_ssize_t room = which.shape[0]
    cdef int64_t count = 0
    if shift.shape[0] != d or candidates.shape[1] != d or closest.shape[0] != n:
        raise ValueError("nearer: lengths of shift, candidates and closest do not fit X")
    if labels.shape[0] != n or apart.shape[1] != k:
        raise ValueError("nearer: lengths of labels and apart do not fit X and candidates")
    if rows.shape[0] != room or squares.shape[0] != room or room == 0:
        raise ValueError("nearer: which, rows and squares are not of one length, at least 1")
    for r in range(n):
        if labels[r] >= apart.shape[0]:
            raise ValueError("nearer: a label is not that of a seed")
    if n == 0 or d == 0 or k == 0:
        return count
    cdef real[::1] scratch = _scratch(k, k_means_scratch(k, d), sizeof(real))
    cdef const real *bounds = &apart[0, 0] if apart.shape[0] > 0 else NULL
    with nogil:
        k_means_nearer(&X[0, 0], n, d, &shift[0], &candidates[0, 0], k, &closest[0], &labels[0],
                       bounds, first, &which[0], &rows[0], &squares[0], room, &count, &scratch[0])
    return count


def choose(real[::1] closest, int32_t[::1] labels, int64_t n_seeds, const real[:] weights,
           const int64_t[::1] rows,
           const real[::1] squares, const int64_t[::1] starts, const int64_t[::1] places,
           const double[::1] draws, Py_ssize_t tries, int64_t[::1] chosen):
    cdef Py_ssize_t n = closest.shape[0], k = places.shape[0], t
    cdef Py_ssize_t step = _weight_step(weights, n)
    cdef int64_t[2] answer
    if draws.shape[0] != k or starts.shape[0] != k + 1 or squares.shape[0] != rows.shape[0]:
        raise ValueError("choose: lengths of rows, squares, starts, places and draws do not fit")
    if labels.shape[0] != n:
        raise ValueError("choose: labels is not of closest's length")
    if tries < 1:
        raise ValueError("choose: tries is not positive")
    for t in range(k):
        if not (0 <= starts[t] <= starts[t + 1] <= rows.shape[0] and 0 <= places[t] < n):
            raise ValueError("choose: starts or places point nowhere")
    for t in range(rows.shape[0]):
        if not 0 <= rows[t] < n:
            raise ValueError("choose: rows point nowhere")
    if k == 0 or rows.shape[0] == 0 or chosen.shape[0] == 0:
        return 0, 0
    with nogil:
        k_means_choose(&closest[0], &labels[0], n_seeds, &weights[0], step, &rows[0], &squares[0],
                       &starts[0], k, &places[0], &draws[0], tries, chosen.shape[0], &chosen[0],
                       answer)
    return answer[0], answer[1]


def relative(const real[:, ::1] centres, const real[::1] shift, real[:, ::1] out):
    cdef Py_ssize_t k = centres.shape[0], d = centres.shape[1]
    if shift.shape[0] != d or out.shape[0] != k or out.shape[1] != d:
        raise ValueError("relative: lengths of shift and out do not fit centres")
    if k == 0 or d == 0:
        return
    with nogil:
        k_means_relative(&centres[0, 0], k, d, &shift[0], &out[0, 0])


def distances(const real[:, ::1] X, const real[:, ::1] centres, real[:, ::1] out):
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], k = centres.shape[0]
    if centres.shape[1] != d or out.shape[0] != n or out.shape[1] != k:
        raise ValueError("distances: shapes of centres and out do not fit X")
    if n == 0 or d == 0 or k == 0:
        return
    cdef real[::1] scratch = _scratch(k, k_means_scratch(k, d), sizeof(real))
    with nogil:
        k_means_distances(&X[0, 0], n, d, &centres[0, 0], k, &out[0, 0], &scratch[0])
