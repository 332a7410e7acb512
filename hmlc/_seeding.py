"""Where k-means begins: rows drawn far from each other, or uniformly."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes
from hmlc._backend import kernels
from hmlc._lloyd import Double, Rows

Array = NDArray[Any]

CANDIDATES = 128
"""Drawn at a time: enough for products to take longer than reading the rows."""


def _sample(
    closest: Array, block_totals: Double, tries: int, rng: "np.random.Generator"
) -> list[int]:
    """Draw rows with probability proportional to `closest`; a row of zero only if all are.

    Uniformly where all are zero, or too large for their sum to be a number.
    """
    cumulative = np.cumsum(block_totals)
    if not 0 < cumulative[-1] < np.inf:
        return [int(row) for row in rng.integers(len(closest), size=tries)]
    drawn = []
    last_block = int(np.flatnonzero(block_totals)[-1])
    for draw in rng.random(tries) * cumulative[-1]:
        block = min(int(np.searchsorted(cumulative, draw, side="right")), last_block)
        first = block * _passes.BLOCK_ROWS
        inside = closest[first : first + _passes.BLOCK_ROWS]
        rest = draw - (cumulative[block - 1] if block else 0.0)
        row = int(np.searchsorted(np.cumsum(inside, dtype=np.float64), rest, side="right"))
        drawn.append(first + min(row, int(np.flatnonzero(inside)[-1])))
    return drawn


class _Queue:
    """Candidates drawn a while ago, that are as good as drawn now.

    One drawn while its row's squared distance was D, and now is D', is taken with probability D'/D:
    those taken are distributed by D'. So many can be drawn before it is known which the seeds
    before them will be.
    """

    def __init__(self, rng: "np.random.Generator") -> None:
        self.rng = rng
        self.places = np.empty(0, np.int64)
        self.draws = np.empty(0)

    def refill(self, closest: Array, size: int) -> None:
        """Drop whom `closest` refuses, and draw more up to `size`, if it is finite and not zero."""
        taken = self.draws < closest[self.places]
        self.places, self.draws = self.places[taken], self.draws[taken]
        cumulative = np.cumsum(closest, dtype=np.float64)
        missing = size - len(self.places)
        if missing <= 0 or not 0 < cumulative[-1] < np.inf:
            return
        last = np.flatnonzero(closest)[-1]
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
    queue, limit = _Queue(rng), CANDIDATES
    choose = kernels().k_means.choose
    while len(seeds) < n_clusters:
        wanted = n_clusters - len(seeds)
        # About one row in len(seeds) is nearer to a candidate, so lists stay as short as rows are.
        size = max(tries, min(limit, len(seeds), tries * (wanted + 1)))
        queue.refill(closest, size)
        if len(queue.places) < tries:
            # All rows are at seeds, or too far from them for numbers.
            seeds.extend(rows.at(rng.integers(len(closest), size=wanted)))
            return
        candidates = rows.at(queue.places[:size])
        near = rows.nearer(candidates, closest, max(tries, 4))
        if near is None:
            limit = size // 2
            continue
        limit = min(CANDIDATES, 2 * size)
        chosen = np.empty(wanted, np.int64)
        state = (queue.places[:size], queue.draws[:size])
        count, used = choose(closest, *near, *state, tries, chosen)
        seeds.extend(candidates[chosen[:count]])
        queue.drop(used)


def plus_plus_seeds(rows: Rows, n_clusters: int, rng: "np.random.Generator") -> Array:
    """Return seeds far from each other: Arthur and Vassilvitskii, "k-means++", SODA 2007.

    The first is a row drawn uniformly. Each next is drawn with probability proportional to the
    squared distance from the seeds so far: the best of 2 + floor(ln k) draws (the paper's
    section 5), by the sum of squares that it leaves.
    """
    tries = 2 + int(math.log(n_clusters))
    closest = np.full(len(rows.matrix), np.inf, rows.dtype)
    seeds = [rows.at(int(rng.integers(len(closest))))]
    while len(seeds) < n_clusters:
        block_totals = rows.approach(seeds[-1], closest)
        if len(seeds) >= 4 * tries:
            _many_more(rows, seeds, closest, n_clusters, tries, rng)
            break
        candidates = rows.at(_sample(closest, block_totals, tries, rng))
        best = int(np.argmin(rows.potentials(candidates, closest)))
        seeds.append(candidates[best])
    return np.stack(seeds)


def random_seeds(rows: Rows, n_clusters: int, rng: "np.random.Generator") -> Array:
    """Return different rows, drawn uniformly."""
    return rows.at(rng.choice(len(rows.matrix), n_clusters, replace=False))
