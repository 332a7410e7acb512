"""Where k-means begins: rows drawn far from each other, or uniformly."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes
from hmlc._lloyd import Double, Rows

Array = NDArray[Any]


def _sample(
    closest: Array, block_totals: Double, tries: int, rng: "np.random.Generator"
) -> list[int]:
    """Draw rows with probability proportional to `closest`; a row of zero only if all are."""
    cumulative = np.cumsum(block_totals)
    if not cumulative[-1] > 0:
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
        candidates = rows.at(_sample(closest, block_totals, tries, rng))
        best = int(np.argmin(rows.potentials(candidates, closest)))
        seeds.append(candidates[best])
    return np.stack(seeds)


def random_seeds(rows: Rows, n_clusters: int, rng: "np.random.Generator") -> Array:
    """Return different rows, drawn uniformly."""
    return rows.at(rng.choice(len(rows.matrix), n_clusters, replace=False))
