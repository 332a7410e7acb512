"""Precision, recall and F1 at every threshold on a score; the mathematics is in c/threshold.c."""

import numpy as np

from libc.stdint cimport uint8_t, uint64_t

from hmlc._core._types cimport real

cdef extern from "threshold.h" nogil:
    """
    HMLC_DISPATCH(threshold)
    #define threshold_sweep(scores, ...) HMLC_CALL(threshold, sweep, scores, __VA_ARGS__)
    """
    int hmlc_threshold_select()
    enum:
        HMLC_DIGITS
        HMLC_DIGIT_VALUES
    void threshold_sweep(const void *scores, const uint8_t *labels, const void *weights,
                         Py_ssize_t step, Py_ssize_t n, void *thresholds, double *precisions,
                         double *recalls, double *f1s, Py_ssize_t *answer,
                         uint64_t *scratch) noexcept

if hmlc_threshold_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")


def sweep(const real[::1] scores, const uint8_t[::1] labels, const real[:] weights,
          real[::1] thresholds, double[::1] precisions, double[::1] recalls, double[::1] f1s):
    cdef Py_ssize_t n = scores.shape[0]
    cdef Py_ssize_t step = weights.strides[0] // <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t[2] answer
    if (labels.shape[0] != n or thresholds.shape[0] != n or precisions.shape[0] != n
            or recalls.shape[0] != n or f1s.shape[0] != n):
        raise ValueError("sweep: labels or an output is not of scores' length")
    if weights.shape[0] != n or step not in (0, 1):
        raise ValueError("sweep: weights are not one a row, contiguous or of stride 0")
    if n == 0:
        return 0, 0
    cdef uint64_t[::1] scratch = np.empty((2 + step) * n + 2 + HMLC_DIGITS * HMLC_DIGIT_VALUES,
                                          dtype=np.uint64)
    with nogil:
        threshold_sweep(&scores[0], &labels[0], &weights[0], step, n, &thresholds[0],
                        &precisions[0], &recalls[0], &f1s[0], answer, &scratch[0])
    return answer[0], answer[1]
