"""Column moments and standard units."""

import numpy as np
from numpy.typing import NDArray


def update(
    X: NDArray[np.floating],
    weights: NDArray[np.floating],
    count: NDArray[np.float64],
    mean: NDArray[np.float64],
    m2: NDArray[np.float64],
) -> None:
    """Join the moments of X's columns to (count, mean, m2): Chan, Golub, LeVeque 1979, eq. 2.1."""
    w = weights.astype(np.float64)
    weight = w.sum()
    if weight == 0:
        return
    before, after = count[0], count[0] + weight
    with np.errstate(over="ignore", invalid="ignore"):
        first = X[np.flatnonzero(w)[0]].astype(np.float64)
        block_mean = first + w @ (X - first) / weight
        deviation = X - block_mean
        delta = block_mean - mean
        m2 += w @ deviation**2 + delta**2 * (before * weight / after)
        mean += delta * (weight / after)
    count[0] = after


def standardise(
    X: NDArray[np.floating],
    mean: NDArray[np.floating],
    scale: NDArray[np.floating],
    out: NDArray[np.floating],
) -> None:
    """Set out = (X - mean) / scale."""
    np.subtract(X, mean, out=out)
    np.divide(out, scale, out=out)
