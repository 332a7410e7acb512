"""Where k-means begins: rows drawn far from each other, or uniformly."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes
from hmlc._backend import kernels
from hmlc._cluster_rows import Double, Rows

Array = NDArray[Any]

CANDIDATES = 128
"""Drawn at a time: enough for products to take longer than reading the rows."""

FEW_VALUES = 1 << 16
"""A matrix of so few is put in order before the draws, in a hundredth of the time of a fit."""


def set_of_rows(rows: Rows) -> Rows:
    """Return the rows that have weight, equal ones as one, in an order that their values make.

    Draws from these depend on the set of rows alone: not on their order, nor on whether a row
    stands there several times or has that weight. Rows of more than FEW_VALUES are left as they
    are.
    """
    if rows.matrix.size > FEW_VALUES:
        return rows
    # Adding zero makes -0 the 0 that it is equal to.
    values = np.ascontiguousarray(rows.matrix, np.float64) + 0.0
    order = np.argsort(_keys(values), kind="stable")
    in_order = values[order]
    is_new = np.ones(len(order), bool)
    np.any(in_order[1:] != in_order[:-1], axis=1, out=is_new[1:])
    starts = np.flatnonzero(is_new)
    weights = np.add.reduceat(rows.weights[order].astype(np.float64), starts)
    kept = weights > 0
    places = order[starts[kept]]
    return Rows(rows.at(places), rows.shift, rows.n_jobs, weights[kept].astype(rows.dtype))


def _keys(values: Double) -> NDArray[np.uint64]:
    """Return a number for each row, the same for equal rows and else another.

    That is a sum modulo 2^64 of the columns' bits times powers of an odd number; where it should
    meet twice, the two rows come in their own order.
    """
    bits = values.view(np.uint64)
    # The low bits of few digits are zeros.
    bits = bits ^ (bits >> np.uint64(32))
    factors = np.cumprod(np.full(values.shape[1], 0x9E3779B97F4A7C15, np.uint64))
    keys: NDArray[np.uint64] = np.sum(bits * factors, axis=1, dtype=np.uint64)
    return keys


def _by_weight(weights: Array, size: int | None, rng: "np.random.Generator") -> Any:
    """Draw rows with probability proportional to their weights."""
    if weights.strides == (0,):
        return rng.integers(len(weights), size=size)
    cumulative = np.cumsum(weights, dtype=np.float64)
    places = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return np.minimum(places, np.flatnonzero(weights)[-1])


def _sample(
    closest: Array, weights: Array, block_totals: Double, tries: int, rng: "np.random.Generator"
) -> list[int]:
    """Draw rows with probability proportional to weight times `closest`.

    By weight alone where all are zero, or too large for their sum to be a number.
    """
    cumulative = np.cumsum(block_totals)
    if not 0 < cumulative[-1] < np.inf:
        return [int(row) for row in _by_weight(weights, tries, rng)]
    drawn = []
    last_block = int(np.flatnonzero(block_totals)[-1])
    for draw in rng.random(tries) * cumulative[-1]:
        block = min(int(np.searchsorted(cumulative, draw, side="right")), last_block)
        first = block * _passes.BLOCK_ROWS
        rows = slice(first, first + _passes.BLOCK_ROWS)
        inside = closest[rows] * weights[rows]
        rest = draw - (cumulative[block - 1] if block else 0.0)
        row = int(np.searchsorted(np.cumsum(inside, dtype=np.float64), rest, side="right"))
        drawn.append(first + min(row, int(np.flatnonzero(inside)[-1])))
    return drawn


def _sample_beyond(
    rows: Rows, seed: Array, closest: Array, block_totals: Double, tries: int, rng: Any
) -> list[int]:
    """Draw as `_sample` would once `closest` has been lowered to a seed's squared distance.

    So one sweep lowers it and tries the candidates. A row is drawn by what `closest` is, D, and
    taken with probability D'/D for what it will be. None where few are taken.
    """
    taken: list[int] = []
    for _ in range(4):
        drawn = np.array(_sample(closest, rows.weights, block_totals, tries, rng))
        with np.errstate(over="ignore"):
            squares = np.cumsum((rows.at(drawn).astype(np.float64) - seed) ** 2, axis=1)[:, -1]
        is_taken = rng.random(tries) * closest[drawn] < squares
        taken += drawn[is_taken].tolist()
        if len(taken) >= tries:
            return taken[:tries]
    return []


class _Queue:
    """Candidates drawn a while ago, that are as good as drawn now.

    One drawn while its row's squared distance was D, and now is D', is taken with probability D'/D:
    those taken are distributed by w D'. So many can be drawn before it is known which the seeds
    before them will be.
    """

    def __init__(self, weights: Array, rng: "np.random.Generator") -> None:
        self.weights = weights
        self.rng = rng
        self.places = np.empty(0, np.int64)
        self.draws = np.empty(0)

    def refill(self, closest: Array, size: int) -> None:
        """Drop whom `closest` refuses, and draw more up to `size`, if it is finite and not zero."""
        taken = self.draws < closest[self.places]
        self.places, self.draws = self.places[taken], self.draws[taken]
        chances = closest * self.weights
        cumulative = np.cumsum(chances, dtype=np.float64)
        missing = size - len(self.places)
        if missing <= 0 or not 0 < cumulative[-1] < np.inf:
            return
        last = np.flatnonzero(chances)[-1]
        draws = self.rng.random(missing) * cumulative[-1]
        places = np.minimum(np.searchsorted(cumulative, draws, side="right"), last)
        self.places = np.concatenate([self.places, places])
        self.draws = np.concatenate([self.draws, self.rng.random(missing) * closest[places]])

    def drop(self, count: int) -> None:
        """Forget the first."""
        self.places, self.draws = self.places[count:], self.draws[count:]


def _many_more(
    rows: Rows, seeds: list[Array], closest: Array, n_clusters: int, tries: int, rng: Any
) -> None:
    """Append seeds until there are enough, many candidates in one pass over the rows."""
    queue, limit = _Queue(rows.weights, rng), CANDIDATES
    choose = kernels().k_means.choose
    # Which of the first seeds is closest is not known, but they are few.
    labels = np.full(len(closest), -1, np.int32)
    while len(seeds) < n_clusters:
        wanted = n_clusters - len(seeds)
        # About one row in len(seeds) is nearer to a candidate, so lists stay as short as rows are.
        size = max(tries, min(limit, len(seeds), tries * (wanted + 1)))
        queue.refill(closest, size)
        if len(queue.places) < tries:
            # All rows are at seeds, or too far from them for numbers.
            seeds.extend(rows.at(_by_weight(rows.weights, wanted, rng)))
            return
        candidates = rows.at(queue.places[:size])
        near = rows.nearer(candidates, closest, labels, np.stack(seeds), max(tries, 4))
        if near is None:
            limit = size // 2
            continue
        limit = min(CANDIDATES, 2 * size)
        chosen = np.empty(wanted, np.int64)
        state = (closest, labels, len(seeds), rows.weights)
        drawn = (queue.places[:size], queue.draws[:size])
        count, used = choose(*state, *near, *drawn, tries, chosen)
        seeds.extend(candidates[chosen[:count]])
        queue.drop(used)


def plus_plus_seeds(rows: Rows, n_clusters: int, rng: "np.random.Generator") -> Array:
    """Return seeds far from each other: Arthur and Vassilvitskii, "k-means++", SODA 2007.

    The first is a row drawn by weight. Each next is drawn with probability proportional to weight
    times the squared distance from the seeds so far: the best of 2 + floor(ln k) draws (the paper's
    section 5), by the weighted sum of squares that it leaves.
    """
    tries = 2 + int(math.log(n_clusters))
    closest = np.full(len(rows.matrix), np.inf, rows.dtype)
    seeds = [rows.at(int(_by_weight(rows.weights, None, rng)))]
    places: list[int] = []
    while len(seeds) < n_clusters:
        block_totals, left = rows.approach(seeds[-1], rows.at(places), closest)
        if len(seeds) >= 4 * tries:
            _many_more(rows, seeds, closest, n_clusters, tries, rng)
            break
        if places:
            seeds.append(rows.at(places[int(np.argmin(left))]))
            places = _sample_beyond(rows, seeds[-1], closest, block_totals, tries, rng)
        else:
            places = _sample(closest, rows.weights, block_totals, tries, rng)
    return np.stack(seeds)


def random_seeds(rows: Rows, n_clusters: int, rng: "np.random.Generator") -> Array:
    """Return different rows, drawn by weight, while there are some."""
    weights = rows.weights
    chances = None
    if weights.strides != (0,):
        chances = weights / weights.sum(dtype=np.float64)
    n_different = min(n_clusters, int(np.count_nonzero(weights)))
    places = rng.choice(len(weights), n_different, replace=False, p=chances)
    rest = _by_weight(weights, n_clusters - n_different, rng)
    return rows.at(np.concatenate([places, rest]))
