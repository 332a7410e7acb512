"""The work on which each kernel is timed: one entry a kernel."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmlc._backend import kernels

Generator = np.random.Generator


@dataclass(frozen=True)
class Workload:
    """A kernel, what it is given, and how closely the three backends must agree on it.

    `defined` returns the part of an array that the kernel's contract defines.
    """

    kernel: str
    work: str
    arguments: Callable[[Generator], tuple[Any, ...]]
    tolerance: float = 1e-9
    defined: Callable[[Any], Any] = np.asarray


def _values(rng: Generator, n: int = 20_000) -> tuple[Any, ...]:
    return rng.normal(0, 5, n), np.empty(n)


def _dot(rng: Generator) -> tuple[Any, ...]:
    return rng.normal(size=20_000), rng.normal(size=20_000)


def _equal(n: int) -> Any:
    """Return a weight of 1 for each of n rows."""
    return np.broadcast_to(np.float64(1), n)


def _raw_units(d: int) -> Any:
    return np.stack([np.zeros(d), np.ones(d)])


def _positive_definite(rng: Generator, d: int) -> Any:
    A = rng.normal(size=(d, 2 * d))
    return A @ A.T / (2 * d)


def _moments(rng: Generator) -> tuple[Any, ...]:
    return rng.normal(size=(5000, 20)), _equal(5000), np.zeros(1), np.zeros(20), np.zeros(20)


def _standardise(rng: Generator) -> tuple[Any, ...]:
    X = rng.normal(size=(5000, 20))
    return X, rng.normal(size=20), rng.uniform(1, 2, 20), np.empty_like(X)


def _polynomials(rng: Generator) -> tuple[Any, ...]:
    X = rng.normal(size=(1000, 10))
    return X, X, 3, np.empty((1000, 285))


def _sinusoids(rng: Generator) -> tuple[Any, ...]:
    return rng.normal(size=(2000, 5)), 4, np.empty((2000, 20))


def _scatter(rng: Generator) -> tuple[Any, ...]:
    X, y = rng.normal(size=(2000, 20)), rng.normal(size=(2000, 1))
    state = np.zeros(2), np.zeros(21), np.zeros(21), np.zeros((21, 21))
    return X, y, _equal(2000), *state, 0, 21


def _scatter_state(rng: Generator) -> tuple[Any, ...]:
    S = 1000 * _positive_definite(rng, 100)
    return np.full(2, 1000.0), rng.normal(size=100), rng.normal(size=100), S


def _scatter_merge(rng: Generator) -> tuple[Any, ...]:
    return *_scatter_state(rng), *_scatter_state(rng)


def _cholesky(rng: Generator) -> tuple[Any, ...]:
    return _positive_definite(rng, 80), 1e-12, np.zeros((80, 80))


def _cholesky_pivoted(rng: Generator) -> tuple[Any, ...]:
    return *_cholesky(rng), np.zeros(80, np.intp)


def _cholesky_solve(rng: Generator) -> tuple[Any, ...]:
    """Solves in place, again and again: of a matrix next to 1, that the solutions stay as large."""
    A = np.eye(80) + 1e-6 * _positive_definite(rng, 80)
    return np.linalg.cholesky(A), rng.normal(size=(10, 80))


def _quadratic(rng: Generator) -> tuple[Any, ...]:
    A, B, X = _positive_definite(rng, 100), rng.normal(size=(1, 100)), rng.normal(size=(1, 100))
    return A, B, X, np.empty((1, 100))


def _affine(rng: Generator) -> tuple[Any, ...]:
    X, W = rng.normal(size=(5000, 20)), rng.normal(size=(3, 20))
    return X, W, rng.normal(size=3), np.empty((5000, 3))


def _logistic(rng: Generator, k: int) -> tuple[Any, ...]:
    """Return rows, their classes and weights, and a model: its weights and units."""
    X, codes = rng.normal(size=(2000, 20)), rng.integers(0, max(k, 2), 2000).astype(np.int32)
    return X, codes, np.ones(2000), rng.normal(size=(k, 21)), _raw_units(20)


def _sigmoid_loss(rng: Generator) -> tuple[Any, ...]:
    X, codes, weights, W, units = _logistic(rng, 1)
    return X, codes, weights, np.ones(1, np.intp), W, units, np.zeros(1), np.zeros((1, 21))


def _sigmoid_loss_hessian(rng: Generator) -> tuple[Any, ...]:
    return *_sigmoid_loss(rng), np.zeros((1, 21, 21))


def _softmax_loss(rng: Generator) -> tuple[Any, ...]:
    return *_logistic(rng, 10), np.zeros(1), np.zeros((10, 21))


def _scores(rng: Generator) -> tuple[Any, ...]:
    X, _, _, W, units = _logistic(rng, 10)
    return X, W, units, np.empty((2000, 10))


def _softmax(rng: Generator) -> tuple[Any, ...]:
    return (rng.normal(size=(2000, 10)),)


def _most_probable(rng: Generator) -> tuple[Any, ...]:
    return rng.normal(size=(2000, 10)), np.empty(2000, np.intp)


def _clusters(rng: Generator) -> tuple[Any, ...]:
    """Return rows, a shift and centres."""
    return rng.normal(size=(2000, 8)), np.zeros(8), rng.normal(size=(16, 8))


def _lloyd(rng: Generator) -> tuple[Any, ...]:
    X, shift, centres = _clusters(rng)
    return X, np.ones(2000), shift, centres, np.zeros((16, 8)), np.zeros(16)


def _settle(rng: Generator) -> tuple[Any, ...]:
    X, shift, centres = _clusters(rng)
    statistic = np.zeros(2000, np.int32), np.zeros(16), np.zeros(1)
    return X, np.ones(2000), shift, centres, centres, *statistic


def _lloyd_bounded(rng: Generator) -> tuple[Any, ...]:
    X, shift, centres = _clusters(rng)
    labels = np.full(2000, -1, np.int32)
    bounds = np.zeros((16, 2000)), np.full(2000, np.inf)
    steps = np.full(16, 0.01)
    return X, np.ones(2000), shift, centres, steps, labels, *bounds, np.zeros((16, 8))


def _lloyd_hamerly(rng: Generator) -> tuple[Any, ...]:
    X, shift, centres = _clusters(rng)
    moved = centres, np.full(16, 0.01), np.arange(16, dtype=np.int32)
    known = np.full(2000, -1, np.int32), np.full(2000, -np.inf)
    return X, np.ones(2000), shift, *moved, *known, np.zeros((16, 8)), np.zeros(16)


def _assign(rng: Generator) -> tuple[Any, ...]:
    return *_clusters(rng), np.zeros(2000, np.int32)


def _inertia(rng: Generator) -> tuple[Any, ...]:
    X, _, centres = _clusters(rng)
    labels = rng.integers(0, 16, 2000).astype(np.int32)
    return X, np.ones(2000), centres, labels, np.empty(2000), np.zeros(1)


def _approach(rng: Generator) -> tuple[Any, ...]:
    X, _, centres = _clusters(rng)
    totals = np.zeros(8), np.zeros(4)
    return X, np.ones(2000), centres[0], centres[1:5], rng.uniform(0, 9, 2000), *totals


def _nearer(rng: Generator) -> tuple[Any, ...]:
    X, shift, centres = _clusters(rng)
    lists = np.zeros(32_000, np.int32), np.zeros(32_000, np.int64), np.zeros(32_000)
    labels, apart = np.full(2000, -1, np.int32), np.empty((0, 16))
    return X, shift, centres, rng.uniform(0, 9, 2000), labels, apart, 0, *lists


def _choose(rng: Generator) -> tuple[Any, ...]:
    places, starts = rng.integers(2000, size=32), np.arange(0, 32 * 100 + 1, 100)
    rows = np.concatenate([rng.choice(2000, 100, replace=False) for _ in range(32)])
    lists = rows, rng.uniform(0, 9, 3200), starts
    state = np.full(2000, 9.0), np.zeros(2000, np.int32), 1, np.ones(2000)
    return *state, *lists, places, rng.uniform(0, 6, 32), 4, np.zeros(8, np.int64)


def _relative(rng: Generator) -> tuple[Any, ...]:
    _, shift, centres = _clusters(rng)
    return centres, shift, np.empty_like(centres)


def _distances(rng: Generator) -> tuple[Any, ...]:
    X, _, centres = _clusters(rng)
    return X, centres, np.empty((2000, 16))


def _density_diagonal(rng: Generator) -> tuple[Any, ...]:
    X = rng.normal(size=(5000, 10))
    return X, rng.normal(size=10), rng.uniform(1, 2, 10), -9.0, np.empty(5000)


def _density_full(rng: Generator) -> tuple[Any, ...]:
    X = rng.normal(size=(5000, 10))
    return X, rng.normal(size=10), np.tril(rng.normal(size=(10, 10))), -9.0, np.empty(5000)


def _sweep(rng: Generator) -> tuple[Any, ...]:
    labels = (rng.uniform(size=20_000) < 0.05).astype(np.uint8)
    outputs = (np.zeros(20_000) for _ in range(4))
    scores, weights = rng.normal(size=20_000) - labels, _equal(20_000)
    memory = kernels().threshold._new_memory(weights, 1)
    return scores, labels, weights, *outputs, 0, 1, memory


NETWORK = np.array([2, 1, 64, 32, 10], np.intp)
"""Sigmoid units and softmax outputs (see _network.py), 64 inputs, 32 hidden, 10 classes."""
N_PARAMETERS = 65 * 32 + 33 * 10


def _perceptron(rng: Generator) -> tuple[Any, ...]:
    """Return rows, targets, weights, units and parameters."""
    X, Y = rng.normal(size=(200, 64)), np.eye(10)[rng.integers(0, 10, 200)]
    return X, Y, rng.uniform(0, 2, 200), _raw_units(64), rng.normal(0, 0.1, N_PARAMETERS)


def _forward(rng: Generator) -> tuple[Any, ...]:
    X, _, _, units, parameters = _perceptron(rng)
    return X, units, parameters, NETWORK, np.empty((200, 10))


def _loss_and_gradient(rng: Generator) -> tuple[Any, ...]:
    return *_perceptron(rng), NETWORK, np.zeros(1), np.zeros(N_PARAMETERS)


def _penalty(rng: Generator) -> tuple[Any, ...]:
    parameters = rng.normal(size=N_PARAMETERS)
    return parameters, NETWORK, 0.1, np.zeros(1), np.zeros(N_PARAMETERS)


def _alone() -> tuple[Any, ...]:
    """Return the team of one thread for batches of 50 rows: thread, threads and memory."""
    return 0, 1, kernels().perceptron._new_memory(NETWORK, 50, 1, np.float64)


def _sgd(rng: Generator) -> tuple[Any, ...]:
    *rows, parameters = _perceptron(rng)
    order, rates = np.arange(200, dtype=np.intp), np.array([0.01, 0.9, 0.0])
    velocity, cost = np.zeros(N_PARAMETERS), np.zeros(1)
    return *rows, order, 50, NETWORK, rates, parameters, velocity, cost, *_alone()


def _adam(rng: Generator) -> tuple[Any, ...]:
    *rows, parameters = _perceptron(rng)
    order, rates = np.arange(200, dtype=np.intp), np.array([1e-3, 0.9, 0.999, 1e-8, 0.0])
    moments = np.zeros((2, N_PARAMETERS))
    powers, cost = np.ones(2), np.zeros(1)
    return *rows, order, 50, NETWORK, rates, powers, parameters, moments, cost, *_alone()


def _but_memory(array: Any) -> Any:
    """Return an array, or nothing of the bytes that are a kernel's own memory."""
    return array[:0] if array.dtype == np.uint8 else array


def _of_scatter(array: Any) -> Any:
    """Return a matrix without what lies above its diagonal, and of a count only its first."""
    if array.ndim == 2:
        return np.tril(array)
    return array[:1] if len(array) == 2 else array


WORKLOADS: tuple[Workload, ...] = (
    Workload("elementwise.all_finite", "20,000", lambda rng: _values(rng)[:1]),
    Workload("elementwise.exponential", "20,000", _values),
    Workload("elementwise.hyperbolic_tangent", "20,000", _values),
    Workload("elementwise.softplus", "20,000", _values),
    Workload("elementwise.sigmoid", "20,000", _values),
    Workload("elementwise.sigmoid_gradient", "20,000", _values),
    Workload("moments.update", "5,000 x 20", _moments),
    Workload("moments.standardise", "5,000 x 20", _standardise),
    Workload("basis.polynomials", "1,000 x 10, degree 3", _polynomials),
    Workload("basis.sinusoids", "2,000 x 5, degree 4", _sinusoids),
    Workload("scatter.update", "2,000 x 20", _scatter, defined=_of_scatter),
    Workload("scatter.merge", "100 x 100", _scatter_merge, defined=_of_scatter),
    Workload("scatter.centre", "100 x 100", _scatter_state),
    Workload("linalg.dot", "20,000", _dot),
    Workload("linalg.cholesky", "80 x 80", _cholesky),
    Workload("linalg.cholesky_pivoted", "80 x 80", _cholesky_pivoted),
    Workload("linalg.cholesky_solve", "80 x 80, 10 sides", _cholesky_solve),
    Workload("linalg.quadratic", "100 x 100", _quadratic),
    Workload("linalg.affine", "5,000 x 20, 3 targets", _affine),
    Workload("logistic.sigmoid_loss", "2,000 x 20", _sigmoid_loss),
    Workload("logistic.sigmoid_loss_hessian", "2,000 x 20", _sigmoid_loss_hessian),
    Workload("logistic.softmax_loss", "2,000 x 20, k 10", _softmax_loss),
    Workload("logistic.scores", "2,000 x 20, k 10", _scores),
    Workload("logistic.most_probable", "2,000 x 10", _most_probable),
    Workload("logistic.softmax", "2,000 x 10", _softmax),
    Workload("logistic.log_softmax", "2,000 x 10", _softmax),
    Workload("k_means.lloyd", "2,000 x 8, k 16", _lloyd),
    Workload("k_means.settle", "2,000 x 8, k 16", _settle),
    Workload("k_means.lloyd_bounded", "2,000 x 8, k 16", _lloyd_bounded),
    Workload("k_means.lloyd_hamerly", "2,000 x 8, k 16", _lloyd_hamerly),
    Workload("k_means.assign", "2,000 x 8, k 16", _assign),
    Workload("k_means.inertia", "2,000 x 8, k 16", _inertia),
    Workload("k_means.approach", "2,000 x 8", _approach),
    Workload("k_means.nearer", "2,000 x 8, 16 candidates", _nearer, defined=np.sort),
    Workload("k_means.choose", "32 candidates, 100 rows each", _choose),
    Workload("k_means.relative", "16 x 8", _relative),
    Workload("k_means.distances", "2,000 x 8, k 16", _distances),
    Workload("gaussian.log_normaliser", "400", lambda rng: (rng.uniform(1, 2, 400),)),
    Workload("gaussian.log_density_diagonal", "5,000 x 10", _density_diagonal),
    Workload("gaussian.log_density_full", "5,000 x 10", _density_full),
    Workload("threshold.sweep", "20,000 scores", _sweep, defined=_but_memory),
    Workload("perceptron.forward", "200 rows, 64-32-10", _forward),
    Workload("perceptron.loss_and_gradient", "200 rows, 64-32-10", _loss_and_gradient),
    Workload("perceptron.penalty", "64-32-10", _penalty),
    Workload("perceptron.sgd", "200 rows, 64-32-10", _sgd, defined=_but_memory),
    Workload("perceptron.adam", "200 rows, 64-32-10", _adam, defined=_but_memory),
)
