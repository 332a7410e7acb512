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


def lbfgs(
    objective: Objective, start: Vector, *, max_iter: int, tol: float, report: Report
) -> Minimum:
    """Minimise by limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4) and halved steps."""
    theta = start.copy()
    cost, gradient = objective(theta)
    history = [cost]
    pairs: list[tuple[Vector, Vector]] = []
    converged = False
    while len(history) <= max_iter and not converged:
        direction, weights = -gradient, []
        for s, y in reversed(pairs):
            weights.append(float(np.sum(s * direction) / np.sum(s * y)))
            direction = direction - weights[-1] * y
        if pairs:
            s, y = pairs[-1]
            direction = direction * float(np.sum(s * y) / np.sum(y * y))
        for (s, y), weight in zip(pairs, reversed(weights), strict=True):
            direction = direction + (weight - float(np.sum(y * direction) / np.sum(s * y))) * s
        slope = float(np.sum(direction * gradient))
        step = 1.0 if pairs else min(1.0, 1.0 / max(float(np.sum(np.abs(gradient))), 1e-300))
        for _ in range(40):
            new_cost, new_gradient = objective(theta + step * direction)
            if new_cost <= cost + 1e-4 * step * slope:
                break
            step /= 2
        else:
            converged = True
            break
        s, y = step * direction, new_gradient - gradient
        if np.sum(s * y) > 1e-10 * np.sum(y * y):
            pairs = [*pairs[-9:], (s, y)]
        converged = has_settled(cost, new_cost, tol)
        theta, cost, gradient = theta + s, new_cost, new_gradient
        history.append(cost)
        report(len(history) - 1, cost)
    return Minimum(theta, np.array(history), len(history) - 1, converged)
