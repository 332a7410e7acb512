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
    w = [1.0] * len(scores) if weights.strides == (0,) else weights.tolist()
    rows = sorted(zip(scores.tolist(), labels.tolist(), w, strict=True), key=lambda row: row[0])
    anomalies = sum(weight for _, label, weight in rows if label)
    number = scores.dtype.type
    normal = caught = 0.0
    m = best = 0
    for i, (score, label, weight) in enumerate(rows, start=1):
        if label:
            caught += weight
        else:
            normal += weight
        if i < len(rows) and rows[i][0] == score:
            continue
        flagged = normal + caught
        if i < len(rows):
            thresholds[m] = _separator(number(score), number(rows[i][0]))
        else:
            with np.errstate(over="ignore"):
                thresholds[m] = np.nextafter(number(score), number(np.inf))
        precisions[m] = caught / flagged
        recalls[m] = caught / anomalies
        f1s[m] = 2 * caught / (flagged + anomalies)
        if f1s[m] > f1s[best]:
            best = m
        m += 1
    return m, best


def _separator(a: np.floating, b: np.floating) -> np.floating:
    """Return a number t with a < t <= b: the midpoint, or b where there is none between."""
    middle = a / 2 + b / 2
    return middle if a < middle else b
