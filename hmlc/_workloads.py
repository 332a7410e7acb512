"""The work on which each kernel is timed: one entry a kernel."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Generator = np.random.Generator


@dataclass(frozen=True)
class Workload:
    """A kernel, what it is given, and how closely the three backends must agree on it."""

    kernel: str
    work: str
    arguments: Callable[[Generator], tuple[Any, ...]]
    tolerance: float = 1e-9


def _rows(n: int, d: int) -> Callable[[Generator], Any]:
    return lambda rng: rng.normal(size=(n, d))


def _values(rng: Generator, n: int = 20_000) -> tuple[Any, ...]:
    return rng.normal(0, 5, n), np.empty(n)


def _logistic(rng: Generator, k: int) -> tuple[Any, ...]:
    """Return rows, their codes, the score columns' classes, weights and units."""
    codes = rng.integers(0, max(k, 2), 2000, dtype=np.intp)
    units = np.stack([np.zeros(20), np.ones(20)])
    return rng.normal(size=(2000, 20)), codes, np.arange(k), rng.normal(size=(k, 21)), units


def _sigmoids(rng: Generator, k: int) -> tuple[Any, ...]:
    return *_logistic(rng, k), np.zeros(k), np.zeros((k, 21))


def _softmax(rng: Generator) -> tuple[Any, ...]:
    X, codes, _, W, units = _logistic(rng, 5)
    return X, codes, W, units, np.zeros(1), np.zeros((5, 21))


def _scores(rng: Generator) -> tuple[Any, ...]:
    X, _, _, W, units = _logistic(rng, 5)
    return X, W, units, np.empty((2000, 5))


WORKLOADS: tuple[Workload, ...] = (
    Workload("elementwise.all_finite", "20,000", lambda rng: _values(rng)[:1]),
    Workload("elementwise.exponential", "20,000", _values),
    Workload("elementwise.hyperbolic_tangent", "20,000", _values),
    Workload("elementwise.softplus", "20,000", _values),
    Workload("elementwise.sigmoid", "20,000", _values),
    Workload("elementwise.sigmoid_gradient", "20,000", _values),
    Workload(
        "moments.update",
        "5,000 x 20",
        lambda rng: (rng.normal(size=(5000, 20)), np.zeros(1), np.zeros(20), np.zeros(20)),
    ),
    Workload(
        "moments.standardise",
        "5,000 x 20",
        lambda rng: (
            rng.normal(size=(5000, 20)),
            rng.normal(size=20),
            rng.uniform(1, 2, 20),
            np.empty((5000, 20)),
        ),
    ),
    Workload("logistic.sigmoid_loss", "2,000 x 20", lambda rng: _sigmoids(rng, 1)),
    Workload(
        "logistic.sigmoid_loss_hessian",
        "2,000 x 20",
        lambda rng: (*_sigmoids(rng, 1), np.zeros((1, 21, 21))),
    ),
    Workload("logistic.softmax_loss", "2,000 x 20, 5 classes", _softmax),
    Workload("logistic.scores", "2,000 x 20, 5 classes", _scores),
    Workload("logistic.softmax", "2,000 x 10", lambda rng: (rng.normal(size=(2000, 10)),)),
    Workload("logistic.log_softmax", "2,000 x 10", lambda rng: (rng.normal(size=(2000, 10)),)),
)
