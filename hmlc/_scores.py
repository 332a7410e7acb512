"""How good predictions are, of values that have been checked: accuracy and R^2."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc._weights import total_weight
from hmlc.features import column_moments

Array = NDArray[Any]


def accuracy(true: Array, predicted: Array, weights: Array) -> float:
    """Return the weighted share of labels that are predicted; all three have shape (n,)."""
    return float(np.sum(weights * (true == predicted), dtype=np.float64)) / total_weight(weights)


def r2(true: Array, predicted: Array, weights: Array) -> float:
    """Return the mean over targets of 1 - (squared errors) / (squared deviations), weighted.

    Both are of float64 and shape (n, n_targets), weights (n,) too. A target that does not vary
    counts 1 where it is predicted exactly, else 0.
    """
    deviations = column_moments(true, weights=weights).m2
    moments = column_moments(true - predicted, weights=weights)
    errors = moments.m2 + moments.count[0] * moments.mean**2
    unexplained = np.where(errors > 0, 1.0, 0.0)
    np.divide(errors, deviations, out=unexplained, where=deviations > 0)
    return float(np.mean(1 - unexplained))
