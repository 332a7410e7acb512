"""Log-density of rows: log N(x; mean, C) = normaliser - |W (x - mean)|^2 / 2, W' W = C^-1."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def log_normaliser(inverse_scale: Array) -> float:
    """Return the sum of log inverse_scale, less d/2 log 2 pi."""
    total = 0.0
    for scale in inverse_scale.tolist():
        total += math.log(scale)
    return total - len(inverse_scale) * 0.5 * math.log(2 * math.pi)


def log_density_diagonal(
    X: Array, mean: NDArray[np.float64], inverse_scale: Array, normaliser: float, out: Array
) -> None:
    """Set out to the rows' log-densities where the columns are independent."""
    means, scales = mean.tolist(), inverse_scale.tolist()
    for i, row in enumerate(X.tolist()):
        squares = 0.0
        for x, m, scale in zip(row, means, scales, strict=True):
            z = (x - m) * scale
            squares += z * z
        _store(out, i, normaliser - 0.5 * squares)


def log_density_full(
    X: Array, mean: NDArray[np.float64], whitener: Array, normaliser: float, out: Array
) -> None:
    """Set out to the rows' log-densities; `whitener` is W, lower triangular."""
    means, W = mean.tolist(), whitener.tolist()
    for i, row in enumerate(X.tolist()):
        e = [x - m for x, m in zip(row, means, strict=True)]
        squares = 0.0
        for k, weights in enumerate(W):
            y = 0.0
            for p in range(k + 1):
                y += weights[p] * e[p]
            squares += y * y
        _store(out, i, normaliser - 0.5 * squares)


def _store(out: Array, i: int, value: float) -> None:
    """Too far out for a number is -infinity, also where infinities met on the way."""
    lowest = float(np.finfo(out.dtype).min)
    out[i] = value if value >= lowest else -math.inf
