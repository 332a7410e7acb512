"""Precision, recall and F1 at every threshold on a score; the mathematics is in c/threshold.c."""

import numpy as np

from libc.stdint cimport uint8_t

from hmlc._core._types cimport real

cdef extern from "threshold.h" nogil:
    """
    HMLC_DISPATCH(threshold)
    #define threshold_sweep(scores, ...) HMLC_CALL(threshold, sweep, scores, __VA_ARGS__)
    """
    int hmlc_threshold_select()
    Py_ssize_t hmlc_threshold_memory(Py_ssize_t n, Py_ssize_t step, Py_ssize_t threads)
    void threshold_sweep(const void *scores, const uint8_t *labels, const void *weights,
                         Py_ssize_t step, Py_ssize_t n, void *thresholds, double *precisions,
                         double *recalls, double *f1s, Py_ssize_t *answer, Py_ssize_t thread,
                         Py_ssize_t threads, unsigned char *memory) noexcept

cdef extern from "barrier.h" nogil:
    ctypedef struct barrier:
        pass

if hmlc_threshold_select() < 0:
    raise ImportError("HMLC_ISA names an instruction set that this build or processor has not")


cdef Py_ssize_t _memory_bytes(const real[:] weights, Py_ssize_t threads) noexcept:
    """Return how many bytes `threads` threads share in a call of sweep."""
    cdef Py_ssize_t step = weights.strides[0] // <Py_ssize_t>sizeof(real)
    return hmlc_threshold_memory(weights.shape[0], step, threads)


def _new_memory(const real[:] weights, Py_ssize_t threads):
    """Return what `threads` threads share in a call of sweep over rows of these weights."""
    memory = np.empty(_memory_bytes(weights, threads), np.uint8)
    memory[:sizeof(barrier)] = 0
    return memory


def sweep(const real[::1] scores, const uint8_t[::1] labels, const real[:] weights,
          real[::1] thresholds, double[::1] precisions, double[::1] recalls, double[::1] f1s,
          Py_ssize_t thread, Py_ssize_t threads, unsigned char[::1] memory):
    cdef Py_ssize_t n = scores.shape[0]
    cdef Py_ssize_t step = weights.strides[0] // <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t[2] answer
    answer[0] = answer[1] = 0
    if (labels.shape[0] != n or thresholds.shape[0] != n or precisions.shape[0] != n
            or recalls.shape[0] != n or f1s.shape[0] != n):
        raise ValueError("sweep: labels or an output is not of scores' length")
    if weights.shape[0] != n or step not in (0, 1):
        raise ValueError("sweep: weights are not one a row, contiguous or of stride 0")
    if not 0 <= thread < threads:
        raise ValueError("sweep: thread must be one of 0 ... threads - 1")
    if memory.shape[0] < _memory_bytes(weights, threads):
        raise ValueError("sweep: memory is too small for the scores and the threads")
    if n == 0:
        return 0, 0
    with nogil:
        threshold_sweep(&scores[0], &labels[0], &weights[0], step, n, &thresholds[0],
                        &precisions[0], &recalls[0], &f1s[0], answer, thread, threads, &memory[0])
    return answer[0], answer[1]
