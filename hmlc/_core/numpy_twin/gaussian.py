"""Log-density of rows: log N(x; mean, C) = normaliser - |W (x - mean)|^2 / 2, W' W = C^-1."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def log_normaliser(inverse_scale: Array) -> float:
    """Return the sum of log inverse_scale, less d/2 log 2 pi."""
    return float(np.sum(np.log(inverse_scale) - 0.5 * np.log(2 * np.pi)))


def log_density_diagonal(
    X: Array, mean: NDArray[np.float64], inverse_scale: Array, normaliser: float, out: Array
) -> None:
    """Set out to the rows' log-densities where the columns are independent."""
    with np.errstate(over="ignore"):
        z = (X - mean).astype(X.dtype) * inverse_scale
        out[:] = normaliser - 0.5 * np.sum(z * z, axis=1)


def log_density_full(
    X: Array, mean: NDArray[np.float64], whitener: Array, normaliser: float, out: Array
) -> None:
    """Set out to the rows' log-densities; `whitener` is W, lower triangular."""
    with np.errstate(over="ignore", invalid="ignore"):
        y = (X - mean).astype(X.dtype) @ whitener.T
        density = normaliser - 0.5 * np.sum(y * y, axis=1)
    out[:] = np.where(np.isnan(density), -np.inf, density)
