"""Precision, recall and F1 at every threshold on a score."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Vector = NDArray[np.float64]


def sweep(
    scores: Array,
    labels: NDArray[np.uint8],
    thresholds: Array,
    precisions: Vector,
    recalls: Vector,
    f1s: Vector,
) -> tuple[int, int]:
    """Fill the outputs for every distinct score; return their number and the best F1's index."""
    rows = sorted(zip(scores.tolist(), labels.tolist(), strict=True))
    anomalies = sum(labels.tolist())
    number = scores.dtype.type
    caught = m = best = 0
    for flagged, (score, label) in enumerate(rows, start=1):
        caught += label
        if flagged < len(rows) and rows[flagged][0] == score:
            continue
        if flagged < len(rows):
            thresholds[m] = _separator(number(score), number(rows[flagged][0]))
        else:
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
