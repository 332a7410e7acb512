"""Means and centred cross-products of columns."""

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]


@np.errstate(over="ignore", invalid="ignore")
def update(
    X: NDArray[np.floating],
    Y: NDArray[np.floating],
    weights: NDArray[np.floating],
    count: Sums,
    origin: Sums,
    sums: Sums,
    S: Sums,
    start: int,
    stop: int,
) -> None:
    """Add the rows of [X | Y] to (count, origin, sums, S), S's rows start to stop.

    Chan, Golub and LeVeque (1983), eq. 1.6, about the mean of the first 256 rows of any weight;
    count[1] is the compiled kernel's own.
    """
    all_rows = zip(X.tolist(), Y.tolist(), weights.tolist(), strict=True)
    rows = [([*x, *y], w) for x, y, w in all_rows if w > 0]
    if not rows or start == stop:
        return
    for j in range(stop):
        if count[0] == 0:
            first, total, weight = rows[0][0][j], 0.0, 0.0
            for row, w in rows[:256]:
                total += w * (row[j] - first)
                weight += w
            origin[j] = X.dtype.type(first + total / weight)
        about, total = float(origin[j]), 0.0
        for row, w in rows:
            row[j] -= about
            total += w * row[j]
        sums[j] += total
    for i in range(start, stop):
        for j in range(i + 1):
            products = 0.0
            for row, w in rows:
                products += w * row[i] * row[j]
            S[i, j] += products
    for _, w in rows:
        count[0] += w


@np.errstate(over="ignore", invalid="ignore")
def merge(
    count: Sums,
    origin: Sums,
    sums: Sums,
    S: Sums,
    more_count: Sums,
    more_origin: Sums,
    more_sums: Sums,
    more_S: Sums,
) -> None:
    """Add the state of later rows, and move the origin to the mean.

    Chan, Golub and LeVeque (1979), eq. 2.1, with a product for the square.
    """
    before, more = count[0], more_count[0]
    after = before + more
    mean = [origin[j] + sums[j] / before for j in range(len(sums))]
    change = [more_origin[j] + more_sums[j] / more - mean[j] for j in range(len(sums))]
    for i in range(len(sums)):
        for j in range(i + 1):
            S[i, j] -= sums[i] * sums[j] / before
            S[i, j] += more_S[i, j] - more_sums[i] * more_sums[j] / more
            S[i, j] += before / after * more * change[i] * change[j]
    for j in range(len(sums)):
        origin[j] = mean[j] + change[j] * (more / after)
        sums[j] = 0
    count[0] = after


@np.errstate(over="ignore", invalid="ignore")
def centre(count: Sums, origin: Sums, sums: Sums, S: Sums) -> None:
    """Move the origin to the mean, and mirror S's lower triangle into the upper."""
    for i in range(len(sums)):
        for j in range(i + 1):
            S[i, j] -= sums[i] * sums[j] / count[0]
            S[j, i] = S[i, j]
    for j in range(len(sums)):
        origin[j] += sums[j] / count[0]
        sums[j] = 0
