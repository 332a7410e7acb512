"""Nearest centres, the sums that move them, and the k-means++ sweeps."""

import math

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.floating]
Double = NDArray[np.float64]

_BLOCK_ROWS = 256


def _square(a: list[float], b: list[float]) -> float:
    """Return |a - b|^2."""
    square = 0.0
    for x, y in zip(a, b, strict=True):
        square += (x - y) * (x - y)
    return square


def _nearest(row: list[float], centres: list[list[float]], half: list[float]) -> int:
    """Return the j of the largest x.c_j - |c_j|^2/2, which is that of the least |x - c_j|^2."""
    best, index = -math.inf, 0
    for j, centre in enumerate(centres):
        score = half[j]
        for x, c in zip(row, centre, strict=True):
            score += x * c
        if score > best:
            best, index = score, j
    return index


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
    offset = shift.tolist()
    for row, weight, label in zip(X.tolist(), weights.tolist(), labels.tolist(), strict=True):
        counts[label] += weight
        for p, x in enumerate(row):
            sums[label, p] += weight * (x - offset[p])


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
    places = centres.tolist()
    for row, weight, label in zip(X.tolist(), weights.tolist(), labels.tolist(), strict=True):
        counts[label] += weight
        total[0] += weight * _square(row, places[label])


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
    """Take the step of lloyd for rows whose distances are bounded: see c/bounds.h."""
    places, offset, moves = centres.tolist(), shift.tolist(), steps.tolist()
    origin = [0.0] * len(offset)
    eps, tiny = float(np.finfo(X.dtype).eps), float(np.finfo(X.dtype).tiny)
    error = 4 * (len(offset) + 4) * eps
    reach = 2 * math.sqrt(max(_square(centre, origin) for centre in places))
    half = [-_square(centre, origin) / 2 for centre in places]
    for r, row in enumerate(X.tolist()):
        before = int(labels[r])
        near = [(low - step) * (1 - eps) for low, step in zip(lower[:, r], moves, strict=True)]
        bound = (float(upper[r]) + (moves[before] if before >= 0 else math.inf)) * (1 + eps)
        lower[:, r], upper[r] = near, bound
        least = min(near)
        slack = error * (bound + 1.5 * reach) ** 2 + tiny
        if least > bound and (least - bound) * (least + bound) > slack:
            continue
        shifted = [x - s for x, s in zip(row, offset, strict=True)]
        label = _nearest(shifted, places, half)
        slack = error * (math.sqrt(_square(shifted, origin)) + reach) ** 2 + tiny
        for j, centre in enumerate(places):
            lower[j, r] = math.sqrt(max(_square(shifted, centre) - slack, 0.0))
        upper[r] = math.sqrt(_square(shifted, places[label]) + slack)
        lower[label, r] = math.inf
        if label == before:
            continue
        labels[r] = label
        for cluster, sign in ((label, 1), (before, -1)):
            if cluster >= 0:
                factor = sign * float(weights[r])
                for p, x in enumerate(shifted):
                    sums[cluster, p] += factor * x


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

    Returns how many centres all rows together had to meet.
    """
    places, offset, moves = centres.tolist(), shift.tolist(), steps.tolist()
    whose = clusters.tolist()
    k, origin, total = len(places), [0.0] * len(offset), 0
    eps, tiny = float(np.finfo(X.dtype).eps), float(np.finfo(X.dtype).tiny)
    error = 4 * (len(offset) + 4) * eps
    reach = 2 * math.sqrt(max(_square(centre, origin) for centre in places))
    half = [-_square(centre, origin) / 2 for centre in places]
    for r, (row, weight) in enumerate(zip(X.tolist(), weights.tolist(), strict=True)):
        shifted = [x - s for x, s in zip(row, offset, strict=True)]
        own = whose.index(int(labels[r])) if labels[r] >= 0 else -1
        met = k
        if own >= 0:
            square = _square(shifted, places[own])
            slack = error * (math.sqrt(square) + 1.5 * reach) ** 2 + tiny
            most = 0.75 * (float(lower[r]) - math.sqrt(square + slack))
            longer = sum(move >= most for move in moves)
            met = k if most <= 0 or 4 * longer > k else longer
        total += met
        least = (float(lower[r]) - moves[met]) * (1 - eps) if met < k else math.inf
        if met > 0:
            best, label, following = -math.inf, 0, -math.inf
            for i in sorted({*range(met), *([own] if own >= 0 else [])}, key=whose.__getitem__):
                score = half[i]
                for x, c in zip(shifted, places[i], strict=True):
                    score += x * c
                if score > best:
                    best, label, following = score, whose[i], best
                else:
                    following = max(following, score)
            labels[r] = label
            square = _square(shifted, origin)
            slack = error * (math.sqrt(square) + reach) ** 2 + tiny
            least = min(least, math.sqrt(max(square - 2 * following - slack, 0.0)))
        lower[r] = least
        counts[labels[r]] += weight
        for p, x in enumerate(shifted):
            sums[labels[r], p] += weight * x
    return total


def assign(X: Real, shift: Real, centres: Real, labels: NDArray[np.int32]) -> None:
    """Set labels[r] to the centre nearest to row r, of equals the first."""
    places, offset = centres.tolist(), shift.tolist()
    half = []
    for centre in places:
        square = 0.0
        for c in centre:
            square += c * c
        half.append(-square / 2)
    for r, row in enumerate(X.tolist()):
        shifted = [x - s for x, s in zip(row, offset, strict=True)]
        labels[r] = _nearest(shifted, places, half)


def inertia(
    X: Real, weights: Real, centres: Real, labels: NDArray[np.int32], squares: Real, total: Double
) -> None:
    """Set squares[r] = |x_r - c|^2 for the centre of row r's label, and add their weighted sum."""
    places = centres.tolist()
    for r, (row, label) in enumerate(zip(X.tolist(), labels.tolist(), strict=True)):
        squares[r] = _square(row, places[label])
        total[0] += float(weights[r]) * float(squares[r])


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
    place, places = centre.tolist(), candidates.tolist()
    block_totals[:] = 0
    for r, (row, weight) in enumerate(zip(X.tolist(), weights.tolist(), strict=True)):
        closest[r] = min(float(closest[r]), _square(row, place))
        least = float(closest[r])
        block_totals[r // _BLOCK_ROWS] += weight * least
        for t, candidate in enumerate(places):
            totals[t] += weight * min(least, _square(row, candidate))


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
    count = 0
    places = candidates.tolist()
    for r, (row, least) in enumerate(zip(X.tolist(), closest.tolist(), strict=True)):
        for t, candidate in enumerate(places):
            square = _square(row, candidate)
            if square < least:
                if count < len(which):
                    which[count], rows[count], squares[count] = t, first + r, square
                count += 1
    return count


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
    listed, near, begins = rows.tolist(), squares.tolist(), starts.tolist()
    count = used = 0
    while count < len(chosen):
        t, met, best, most = used, 0, 0, -1.0
        while t < len(places) and met < tries:
            if draws[t] < closest[places[t]]:
                gain = 0.0
                for e in range(begins[t], begins[t + 1]):
                    less = max(float(closest[listed[e]]) - near[e], 0.0)
                    gain += float(weights[listed[e]]) * less
                if gain > most:
                    best, most = t, gain
                met += 1
            t += 1
        if met < tries:
            break
        for e in range(begins[best], begins[best + 1]):
            if near[e] < closest[listed[e]]:
                closest[listed[e]] = near[e]
                labels[listed[e]] = n_seeds + count
        chosen[count], used = best, t
        count += 1
    return count, used


def relative(centres: Real, shift: Real, out: Real) -> None:
    """Set out = centres - shift, in float64 and rounded once."""
    middle = shift.tolist()
    for j, centre in enumerate(centres.tolist()):
        for p, value in enumerate(centre):
            out[j, p] = value - middle[p]


def distances(X: Real, centres: Real, out: Real) -> None:
    """Set out[r, j] = |x_r - c_j|."""
    places = centres.tolist()
    for r, row in enumerate(X.tolist()):
        for j, centre in enumerate(places):
            out[r, j] = math.sqrt(_square(row, centre))
