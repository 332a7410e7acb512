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
    rows = [(row, w) for row, w in zip(X.tolist(), weights.tolist(), strict=True) if w > 0]
    if not rows:
        return
    weight = sum(w for _, w in rows)
    before, after = float(count[0]), float(count[0]) + weight
    for j in range(X.shape[1]):
        first = rows[0][0][j]
        total = 0.0
        for row, w in rows:
            total += w * (row[j] - first)
        block_mean = first + total / weight
        squares = 0.0
        for row, w in rows:
            deviation = row[j] - block_mean
            squares += w * deviation * deviation
        delta = block_mean - float(mean[j])
        m2[j] = float(m2[j]) + squares + delta * delta * (before * weight / after)
        mean[j] = float(mean[j]) + delta * (weight / after)
    count[0] = after


def standardise(
    X: NDArray[np.floating],
    mean: NDArray[np.floating],
    scale: NDArray[np.floating],
    out: NDArray[np.floating],
) -> None:
    """Set out = (X - mean) / scale."""
    means, scales = mean.tolist(), scale.tolist()
    for i, row in enumerate(X.tolist()):
        out[i] = [(x - m) / s for x, m, s in zip(row, means, scales, strict=True)]
