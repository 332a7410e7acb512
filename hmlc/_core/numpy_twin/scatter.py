"""Means and centred cross-products of columns."""

import numpy as np
from numpy.typing import NDArray


@np.errstate(over="ignore", invalid="ignore")
def update(
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    count: NDArray[np.float64],
    mean: NDArray[np.float64],
    S: NDArray[np.float64],
    start: int,
    stop: int,
) -> None:
    """Join the rows of [X | Y] to (count, mean, S), S's columns start to stop.

    Chan, Golub and LeVeque (1979), eq. 2.1, with an outer product for the square.
    """
    n = len(X)
    if n == 0 or start == stop:
        return
    Z = np.concatenate([X, Y], axis=1, dtype=np.float64)[:, :stop]
    rows_mean = Z[0] + np.mean(Z - Z[0], axis=0)
    deviation = Z - rows_mean
    change = rows_mean - mean[:stop]
    before, after = count[0], count[0] + n
    S[:stop, start:stop] += deviation.T @ deviation[:, start:]
    S[:stop, start:stop] += np.outer(change, change[start:]) * (before * n / after)
    mean[:stop] += change * (n / after)
    count[0] = after
