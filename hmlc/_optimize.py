"""Update rules and when to stop; knows no algorithm.

An objective takes parameters (a float64 vector) and returns the cost there and its gradient.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Objective = Callable[[Vector], tuple[float, Vector]]
Report = Callable[[int, float], None]


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended.

    cost_history holds the cost before the first step and after each: n_iter + 1 values.
    """

    parameters: Vector
    cost_history: Vector
    n_iter: int
    converged: bool


def reporter(name: str, verbose: Any) -> Report:
    """Return what an estimator calls after each iteration: a line where verbose, else nothing."""
    if not verbose:
        return lambda iteration, cost: None
    return lambda iteration, cost: print(f"{name}: iteration {iteration}, cost {cost:.8g}")


def has_settled(before: float, after: float, tol: float) -> bool:
    """Tell whether a step changed the cost by no more than tol, relative to the cost."""
    return abs(before - after) <= tol * max(abs(before), abs(after), np.finfo(np.float64).tiny)


def gradient_descent(
    objective: Objective,
    start: Vector,
    *,
    learning_rate: float,
    max_iter: int,
    tol: float,
    report: Report,
) -> Minimum:
    """Step against the gradient: theta <- theta - learning_rate * gradient.

    Raises
    ------
    ValueError
        If the cost grows past all numbers: the learning rate is too large for this problem.
    """
    theta = start.copy()
    cost, gradient = objective(theta)
    history = [cost]
    converged = False
    while len(history) <= max_iter and not converged:
        theta = theta - learning_rate * gradient
        cost, gradient = objective(theta)
        if not np.isfinite(cost):
            raise ValueError(
                f"gradient descent diverged at iteration {len(history)}: the cost is not finite. "
                f"Expected a smaller learning_rate; got {learning_rate:g}"
            )
        converged = has_settled(history[-1], cost, tol)
        history.append(cost)
        report(len(history) - 1, cost)
    return Minimum(theta, np.array(history), len(history) - 1, converged)
