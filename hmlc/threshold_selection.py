"""The threshold on a score that finds labelled anomalies best."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hmlc import _labels, _passes, _validate, _weights
from hmlc._backend import kernels

Array = NDArray[Any]
Vector = NDArray[np.float64]


ROWS_EACH = 50_000
"""Scores that make another thread worth the meetings: about a millisecond's work."""


class ThresholdSelection(NamedTuple):
    """What `select_threshold` found; ``threshold, f1 = result[:2]``.

    Attributes
    ----------
    threshold : float
        Rows with ``score < threshold`` are flagged as anomalies.
    f1, precision, recall : float
        Of that threshold, on the labels given.
    thresholds : array of shape (n_distinct_scores,)
        Every threshold that flags another set of rows, rising; of the scores' float type.
    precisions, recalls, f1s : float64 arrays of shape (n_distinct_scores,)
        Of each of them.

    Examples
    --------
    >>> from hmlc import select_threshold
    >>> found = select_threshold([1, 0, 1, 0], [-9.0, -7.0, -5.0, -1.0])
    >>> found.threshold, found.f1, found.recall
    (-3.0, 0.8, 1.0)
    >>> found.thresholds
    array([-8., -6., -3., -1.])
    """

    threshold: float
    f1: float
    precision: float
    recall: float
    thresholds: Array
    precisions: Vector
    recalls: Vector
    f1s: Vector


def select_threshold(labels: Any, scores: Any, sample_weight: Any = None) -> ThresholdSelection:
    """Choose the threshold on a score that finds labelled anomalies with the largest F1.

    A row is flagged where ``score < threshold``: low densities are anomalous. The sweep over the
    sorted scores is exact: it tries every set of rows that a threshold can flag (rows of equal
    score are flagged together), in O(n log n), where a grid of thresholds misses most.

    Parameters
    ----------
    labels : array-like of shape (n_rows,)
        1 or True for an anomaly, 0 or False for a normal row; at least one anomaly.
    scores : array-like of shape (n_rows,)
        Densities or log-densities, or any score that is lower for the more anomalous. They are
        compared as float32 where they are float32, else as float64; -infinity is allowed.
    sample_weight : array-like of shape (n_rows,) or float, optional
        How many rows each counts as, >= 0; 1 by default. Scores of rows of weight 0 make no
        threshold.

    Returns
    -------
    ThresholdSelection
        Threshold and F1 first, then precision and recall, then all four along the sweep. A
        threshold is the midpoint between the largest score flagged and the smallest that is not,
        or the latter where no number lies between; the last, which flags every row, is the
        number next above the largest score. Of equal F1 the lowest threshold is chosen.

    Raises
    ------
    ValueError
        If lengths differ, a label is neither 0 nor 1, no anomaly has any weight, a score is NaN or
        +infinity, or a weight is negative or not finite.
    TypeError
        If labels, scores or weights are not numbers.

    Notes
    -----
    Of rows flagged that weigh k, t of it among the anomalies, which weigh p: precision t / k,
    recall t / p and F1 = 2 t / (k + p), their harmonic mean (van Rijsbergen, Information Retrieval,
    1979, ch. 7).

    Examples
    --------
    >>> from hmlc import select_threshold
    >>> threshold, f1 = select_threshold([1, 0, 1, 0], [-9.0, -2.0, -7.0, -1.0])[:2]
    >>> threshold, f1
    (-4.5, 1.0)
    """
    flags = _labels.check_flags(labels, "labels")
    values = _validate.check_scores(scores, len(flags))
    weights = _weights.check_sample_weight(sample_weight, len(flags), values.dtype)
    if not weights.all():
        values, flags, weights = (array[weights > 0] for array in (values, flags, weights))
    if not flags.any():
        raise ValueError("labels must hold at least one anomaly (1 or True); got none")
    thresholds = np.empty(len(values), values.dtype)
    precisions, recalls, f1s = (np.empty(len(values)) for _ in range(3))
    count, best = _sweep(values, flags, weights, (thresholds, precisions, recalls, f1s))
    return ThresholdSelection(
        float(thresholds[best]),
        float(f1s[best]),
        float(precisions[best]),
        float(recalls[best]),
        thresholds[:count],
        precisions[:count],
        recalls[:count],
        f1s[:count],
    )


def _sweep(scores: Array, flags: Array, weights: Array, outputs: tuple[Array, ...]) -> Any:
    """Fill the outputs by as many threads as are worth it; return what the kernel does."""
    family = kernels().threshold
    threads = max(1, min(_passes.n_threads(), len(scores) // ROWS_EACH))
    memory = family._new_memory(weights, threads)
    found: list[Any] = [None] * threads

    def take_part(thread: int, count: int) -> None:
        found[thread] = family.sweep(scores, flags, weights, *outputs, thread, count, memory)

    _passes.run_together(take_part, threads)
    return found[0]
