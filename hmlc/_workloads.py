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
)
