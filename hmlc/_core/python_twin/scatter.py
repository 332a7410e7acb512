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

    Chan, Golub and LeVeque (1979), eq. 2.1, with a product for the square.
    """
    rows = [[*x, *y] for x, y in zip(X.tolist(), Y.tolist(), strict=True)]
    n = len(rows)
    if n == 0 or start == stop:
        return
    before, after = float(count[0]), float(count[0]) + n
    change = []
    for j in range(stop):
        first = rows[0][j]
        total = 0.0
        for row in rows:
            total += row[j] - first
        rows_mean = first + total / n
        for row in rows:
            row[j] -= rows_mean
        change.append(rows_mean - float(mean[j]))
        mean[j] += change[j] * (n / after)
    for j in range(start, stop):
        for i in range(j + 1):
            products = 0.0
            for row in rows:
                products += row[i] * row[j]
            S[i, j] += products + change[i] * change[j] * (before * n / after)
    count[0] = after
