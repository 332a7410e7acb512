"""Logistic regression chunk by chunk: a perceptron without hidden layers, in mini-batches."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _network
from hmlc._network import Memory, Network, Problem

Array = NDArray[Any]
Vector = NDArray[np.float64]

BATCH_ROWS = 200
RATE = 0.05
"""Adam's rate at first, in standard units; after t batches it is RATE / (1 + t / SLOWING)."""
SLOWING = 100
RATE_BATCHES = 16
"""Batches that are handed to the kernel at one rate."""


def targets(codes: NDArray[Any], n_classes: int, dtype: np.dtype[Any]) -> Array:
    """Return a column of 0 and 1 for each score: of two classes for the second alone."""
    chosen = np.arange(n_classes) if n_classes > 2 else np.array([1])
    columns: Array = codes[:, np.newaxis] == chosen
    return columns.astype(dtype)


def learn_chunk(
    chunk: tuple[Array, Array, Array, Array],
    W: Vector,
    loss: str,
    l2: float,
    memory: Memory,
    *,
    fit_intercept: bool,
    n_jobs: int | None,
) -> tuple[Vector, float]:
    """Go once over a chunk's rows in random order; return the new weights and the cost on the way.

    The chunk is its columns, targets, rows' weights and units; W is (scores, columns + 1), the bias
    last. `memory` is Adam's, with the number of batches so far, and changes. The rate falls so that
    its sum is infinite and that of its squares is not (Robbins and Monro, Annals of Mathematical
    Statistics 22, 1951, eq. 6 and 26).
    """
    X, Y, weights, units = chunk
    network = Network((X.shape[1], Y.shape[1]), "relu", loss)
    problem = Problem(network, X, Y, weights, units, float(l2), n_jobs)
    parameters = np.ascontiguousarray(W.T, Y.dtype).reshape(-1)
    steps = memory.setdefault("steps", np.zeros(1))
    order = np.random.Generator(np.random.PCG64(int(steps[0]))).permutation(len(Y))
    batch = min(BATCH_ROWS, len(Y))
    # A bias that is held at 0 is put back there before the next batch sees it.
    n_rows = batch * (RATE_BATCHES if fit_intercept else 1)
    total = np.zeros(1)
    for first in range(0, len(Y), n_rows):
        rate = RATE / (1 + float(steps[0]) / SLOWING)
        step = _network.adam(problem, parameters, memory, batch, rate)
        for piece, chosen in _network.pieces(problem, order[first : first + n_rows], batch):
            step(piece, chosen, total)
        if not fit_intercept:
            network.layers(parameters)[0][-1] = 0
        steps += math.ceil(min(n_rows, len(Y) - first) / batch)
    problem.penalise(parameters.astype(np.float64), total, np.zeros(len(parameters)))
    if not math.isfinite(total[0]):
        raise ValueError(
            "partial_fit diverged: the cost is not finite. Expected columns of smaller numbers, or "
            "normalize=True"
        )
    after = np.ascontiguousarray(network.layers(parameters)[0].T, np.float64)
    return after, float(total[0]) / problem.total_weight


def cost_of_nothing(n_classes: int, loss: str) -> float:
    """Return the cost where all weights are 0: of a softmax log k, of each sigmoid log 2."""
    if loss == "softmax":
        return math.log(n_classes)
    return (n_classes if n_classes > 2 else 1) * math.log(2)


def in_units(W: Vector, units: Array, other: Array) -> Vector:
    """Return the weights that give in `other` units the scores that W gives in `units`."""
    shift, inverse_scale = units.astype(np.float64)
    other_shift, other_inverse_scale = other.astype(np.float64)
    weights = W[:, :-1] * inverse_scale
    moved = [math.fsum(row) for row in (weights * (other_shift - shift)).tolist()]
    return np.column_stack([weights / other_inverse_scale, W[:, -1] + moved])
