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
    is_there = weights > 0
    if not is_there.any() or start == stop:
        return
    w = weights[is_there].astype(np.float64)
    Z = np.concatenate([X, Y], axis=1, dtype=np.float64)[is_there, :stop]
    if count[0] == 0:
        mean = Z[0] + w[:256] @ (Z[:256] - Z[0]) / w[:256].sum()
        origin[:stop] = mean.astype(X.dtype)
    deviation = Z - origin[:stop]
    sums[:stop] += w @ deviation
    S[start:stop, :stop] += (w[:, None] * deviation[:, start:]).T @ deviation
    count[0] += w.sum()


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

    Chan, Golub and LeVeque (1979), eq. 2.1, with an outer product for the square.
    """
    before, more = count[0], more_count[0]
    mean = origin + sums / before
    change = more_origin + more_sums / more - mean
    S += more_S - np.outer(sums, sums) / before - np.outer(more_sums, more_sums) / more
    S += np.outer(change, change) * (before / (before + more) * more)
    origin[:] = mean + change * (more / (before + more))
    sums[:] = 0
    count[0] = before + more


@np.errstate(over="ignore", invalid="ignore")
def centre(count: Sums, origin: Sums, sums: Sums, S: Sums) -> None:
    """Move the origin to the mean, and mirror S's lower triangle into the upper."""
    S -= np.outer(sums, sums) / count[0]
    origin += sums / count[0]
    sums[:] = 0
    S[:] = np.tril(S) + np.tril(S, -1).T
