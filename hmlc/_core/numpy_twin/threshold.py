"""Precision, recall and F1 at every threshold on a score."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Vector = NDArray[np.float64]


def _new_memory(weights: Array, threads: int) -> NDArray[np.uint8]:
    """Return what threads share in a call of sweep: nothing, for thread 0 does it all."""
    return np.zeros(0, np.uint8)


def sweep(
    scores: Array,
    labels: NDArray[np.uint8],
    weights: Array,
    thresholds: Array,
    precisions: Vector,
    recalls: Vector,
    f1s: Vector,
    thread: int,
    threads: int,
    memory: NDArray[np.uint8],
) -> tuple[int, int]:
    """Fill the outputs for every distinct score; return their number and the best F1's index."""
    if thread > 0:
        return 0, 0
    if len(scores) == 0:
        return 0, 0
    distinct, place = np.unique(scores, return_inverse=True)
    m = len(distinct)
    w = np.ones(len(scores)) if weights.strides == (0,) else weights.astype(np.float64)
    normal = np.cumsum(np.bincount(place, w * (labels == 0)))
    caught = np.cumsum(np.bincount(place, w * (labels != 0)))
    flagged = normal + caught
    a, b = distinct[:-1], distinct[1:]
    middle = a / 2 + b / 2
    thresholds[: m - 1] = np.where(a < middle, middle, b)
    with np.errstate(over="ignore"):
        thresholds[m - 1] = np.nextafter(distinct[-1], scores.dtype.type(np.inf))
    precisions[:m] = caught / flagged
    recalls[:m] = caught / caught[-1]
    f1s[:m] = 2 * caught / (flagged + caught[-1])
    return m, int(np.argmax(f1s[:m]))
