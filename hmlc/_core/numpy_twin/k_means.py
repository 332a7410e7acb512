"""Nearest centres, the sums that move them, and the k-means++ sweeps."""

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.floating]
Double = NDArray[np.float64]

_BLOCK_ROWS = 256


def _squares(X: Real, centres: Real) -> Real:
    """Return |x_r - c_j|^2 for every row r and centre j."""
    return np.stack([np.sum((X - c) ** 2, axis=1) for c in centres], axis=1)


def lloyd(
    X: Real,
    weights: Real,
    shift: Real,
    centres: Real,
    sums: Double,
    counts: Double,
) -> None:
    """Take one step of Lloyd (1982): each cluster's sum of w (x - shift), and of weights w."""
    labels = np.empty(len(X), np.int32)
    assign(X, shift, centres, labels)
    np.add.at(sums, labels, weights[:, np.newaxis] * (X - shift))
    counts += np.bincount(labels, weights, minlength=len(centres))


def settle(
    X: Real,
    weights: Real,
    shift: Real,
    near: Real,
    centres: Real,
    labels: NDArray[np.int32],
    counts: Double,
    total: Double,
) -> None:
    """Label rows by the centres, and add each cluster's weight and the inertia."""
    assign(X, shift, near, labels)
    counts += np.bincount(labels, weights, minlength=len(centres))
    total += np.sum(weights[:, np.newaxis] * (X - centres[labels]) ** 2, dtype=np.float64)


def lloyd_bounded(
    X: Real,
    weights: Real,
    shift: Real,
    centres: Real,
    steps: Real,
    labels: NDArray[np.int32],
    lower: Real,
    upper: Real,
    sums: Double,
) -> None:
    """Take the step of lloyd for rows whose distances are bounded: see c/bounds.h.

    Only rows are looked at whose least lower bound is not surely above the upper one; sums
    take what the rows that change their cluster bring and take.
    """
    d, eps = X.shape[1], np.finfo(X.dtype).eps
    error, reach = 4 * (d + 4) * eps, 2 * np.sqrt(np.max(np.sum(centres * centres, axis=1)))
    lower -= steps[:, np.newaxis]
    lower *= 1 - eps
    upper += np.where(labels < 0, np.inf, steps[labels])
    upper *= 1 + eps
    least = np.min(lower, axis=0)
    slack = error * (upper + 1.5 * reach) ** 2 + np.finfo(X.dtype).tiny
    is_open = ~((least > upper) & (least**2 > upper**2 + slack))
    rows, before = X[is_open] - shift, labels[is_open]
    after = np.empty_like(before)
    assign(rows, np.zeros_like(shift), centres, after)

    squares, exact = np.sum(rows * rows, axis=1), _squares(rows, centres)
    slack = error * (np.sqrt(squares) + reach) ** 2 + np.finfo(X.dtype).tiny
    each = np.arange(len(rows))
    upper[is_open] = np.sqrt(exact[each, after] + slack)
    bounds = np.sqrt(np.maximum(exact - slack[:, np.newaxis], 0))
    bounds[each, after] = np.inf
    lower[:, is_open] = bounds.T

    is_new, had_one = before != after, before >= 0
    for moved, cluster, sign in ((is_new, after, 1), (is_new & had_one, before, -1)):
        factors = sign * weights[is_open][moved, np.newaxis].astype(np.float64)
        np.add.at(sums, cluster[moved], factors * rows[moved])
    labels[is_open] = after


def lloyd_hamerly(
    X: Real,
    weights: Real,
    shift: Real,
    centres: Real,
    steps: Real,
    clusters: NDArray[np.int32],
    labels: NDArray[np.int32],
    lower: Real,
    sums: Double,
    counts: Double,
) -> int:
    """Take the step of lloyd for rows of which one bound is kept: see c/hamerly.h.

    Centres come in order of their steps; a row meets the first of them alone, as many as may have
    come nearer to it than its own. Returns how many all rows together had to meet.
    """
    k, of_type = len(centres), np.finfo(X.dtype)
    rows, places = X - shift, np.argsort(clusters)
    reach = 2 * np.sqrt(np.max(np.sum(centres * centres, axis=1)))
    own = np.sum((rows - centres[places[labels]]) ** 2, axis=1)
    error = 4 * (X.shape[1] + 4) * of_type.eps
    slack = error * (np.sqrt(own) + 1.5 * reach) ** 2 + of_type.tiny
    most = 0.75 * (lower - np.sqrt(own + slack))
    is_known = (labels >= 0) & (most > 0)
    met = np.where(is_known, np.searchsorted(-steps, -most, side="right"), k)
    met[4 * met > k] = k

    far = np.where(met < k, (lower - np.append(steps, 0)[met]) * (1 - of_type.eps), np.inf)
    each, squares = np.arange(len(X)), np.sum(rows * rows, axis=1)
    scores = rows @ centres.T - np.sum(centres * centres, axis=1) / 2
    is_met = np.arange(k) < met[:, np.newaxis]
    is_met[each, places[labels]] = True
    scores = np.where(is_met, scores, -np.inf)[:, places]
    labels[:] = np.argmax(scores, axis=1)
    scores[each, labels] = -np.inf
    slack = error * (np.sqrt(squares) + reach) ** 2 + of_type.tiny
    others = np.maximum(squares - 2 * np.max(scores, axis=1) - slack, 0)
    lower[:] = np.where(met > 0, np.minimum(far, np.sqrt(others)), far)

    np.add.at(sums, labels, weights[:, np.newaxis] * rows)
    counts += np.bincount(labels, weights, minlength=k)
    return int(met.sum())


def assign(X: Real, shift: Real, centres: Real, labels: NDArray[np.int32]) -> None:
    """Set labels[r] to the centre nearest to row r, of equals the first.

    |x - c|^2 = |x|^2 - 2 (x . c - |c|^2 / 2), of which the first term is the same for all centres.
    """
    half_squares = np.sum(centres * centres, axis=1) / 2
    labels[:] = np.argmax((X - shift) @ centres.T - half_squares, axis=1)


def inertia(
    X: Real, weights: Real, centres: Real, labels: NDArray[np.int32], squares: Real, total: Double
) -> None:
    """Set squares[r] = |x_r - c|^2 for the centre of row r's label, and add their weighted sum."""
    np.sum((X - centres[labels]) ** 2, axis=1, out=squares)
    total += np.sum(weights * squares, dtype=np.float64)


def approach(
    X: Real,
    weights: Real,
    centre: Real,
    candidates: Real,
    closest: Real,
    block_totals: Double,
    totals: Double,
) -> None:
    """Set closest = min(closest, |x - centre|^2), and its weighted sum over every block.

    Adds to totals what would remain of all if each candidate were the next centre.
    """
    np.minimum(closest, _squares(X, centre[np.newaxis])[:, 0], out=closest)
    starts = np.arange(0, len(X), _BLOCK_ROWS)
    if len(starts):
        block_totals[:] = np.add.reduceat((weights * closest).astype(np.float64), starts)
    if len(candidates):
        remaining = np.minimum(closest[:, np.newaxis], _squares(X, candidates))
        totals += np.sum(weights[:, np.newaxis] * remaining, axis=0, dtype=np.float64)


def nearer(
    X: Real,
    shift: Real,
    candidates: Real,
    closest: Real,
    labels: NDArray[np.int32],
    apart: Real,
    first: int,
    which: NDArray[np.int32],
    rows: NDArray[np.int64],
    squares: Real,
) -> int:
    """List rows and candidates nearer to each other than closest; return how many there are.

    Labels and apart tell of rows that are not; here all distances are taken.
    """
    each = _squares(X, candidates)
    near, candidate = np.nonzero(each < closest[:, np.newaxis])
    kept = slice(min(len(near), len(which)))
    which[kept], rows[kept] = candidate[kept], first + near[kept]
    squares[kept] = each[near, candidate][kept]
    return len(near)


def choose(
    closest: Real,
    labels: NDArray[np.int32],
    n_seeds: int,
    weights: Real,
    rows: NDArray[np.int64],
    squares: Real,
    starts: NDArray[np.int64],
    places: NDArray[np.int64],
    draws: Double,
    tries: int,
    chosen: NDArray[np.int64],
) -> tuple[int, int]:
    """Choose, of every `tries` candidates with draw < closest, the one that lowers it most.

    Returns how many were chosen, and how many candidates that took.
    """
    count = used = 0
    while count < len(chosen):
        drawn = used + np.flatnonzero(draws[used:] < closest[places[used:]])[:tries]
        if len(drawn) < tries:
            break
        lists = [slice(starts[t], starts[t + 1]) for t in drawn]
        gains = [
            np.sum(weights[rows[s]] * np.maximum(closest[rows[s]] - squares[s], 0), dtype=float)
            for s in lists
        ]
        best = int(np.argmax(gains))
        near, square = rows[lists[best]], squares[lists[best]]
        is_nearer = square < closest[near]
        closest[near[is_nearer]] = square[is_nearer]
        labels[near[is_nearer]] = n_seeds + count
        chosen[count], used = drawn[best], int(drawn[-1]) + 1
        count += 1
    return count, used


def relative(centres: Real, shift: Real, out: Real) -> None:
    """Set out = centres - shift, in float64 and rounded once."""
    out[:] = centres.astype(np.float64) - shift


def distances(X: Real, centres: Real, out: Real) -> None:
    """Set out[r, j] = |x_r - c_j|."""
    np.sqrt(_squares(X, centres), out=out)
