"""Update rules and when to stop; knows no algorithm.

An objective takes parameters (a float64 vector) and returns the cost there and its gradient.

L-BFGS and Newton's method are generators: they yield the parameters at which they want the
objective, and are sent what it is there. So whoever drives them may evaluate several problems in
one pass over the data.
"""

import functools
import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc._linalg import dot, factor_positive, solve_factored
from hmlc._progress import Report

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Objective = Callable[[Vector], tuple[float, Vector]]


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended.

    cost_history holds the cost before the first step and after each: n_iter + 1 values. It has
    `converged`, too, where the report ended it. The Hessian there is kept by methods that ask for
    it.
    """

    parameters: Vector
    cost_history: Vector
    n_iter: int
    converged: bool
    hessian: Matrix | None = None

    def then(self, later: "Minimum") -> "Minimum":
        """Return `later`, which began where this ended, with the history of both."""
        history = np.concatenate([self.cost_history, later.cost_history[1:]])
        return Minimum(later.parameters, history, len(history) - 1, later.converged, later.hessian)


def _minimum(
    theta: Vector, history: list[float], converged: bool, hessian: Matrix | None = None
) -> Minimum:
    return Minimum(theta, np.array(history), len(history) - 1, converged, hessian)


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
        converged |= report(len(history) - 1, cost)
    return _minimum(theta, history, converged)


Evaluation = tuple[float, Vector]
Steps = Generator[Vector, Any, Minimum]
"""Yields parameters; is sent the objective's (cost, gradient[, Hessian]) there."""

SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.9
LBFGS_MEMORY = 10
MAX_TRIALS = 25
PATIENCE = 20
EPSILON = float(np.finfo(np.float64).eps)
SMALLEST = float(np.finfo(np.float64).tiny)


def minimise(steps: Steps, objective: Callable[[Vector], Any]) -> Minimum:
    """Drive a minimiser to its end."""
    return minimise_together([steps], lambda which, points: [objective(points[0])])[0]


def minimise_together(
    problems: Sequence[Steps],
    objective: Callable[[list[int], list[Vector]], Sequence[Any]],
) -> list[Minimum]:
    """Drive minimisers in lockstep: one call of the objective serves all that still run.

    `objective(which, points)` returns its answer for every problem of `which`, at its point.
    """
    minima: dict[int, Minimum] = {}
    points = {index: next(steps) for index, steps in enumerate(problems)}
    while points:
        which = list(points)
        answers = objective(which, list(points.values()))
        for index, answer in zip(which, answers, strict=True):
            try:
                points[index] = problems[index].send(answer)
            except StopIteration as end:
                minima[index] = end.value
                del points[index]
    return [minima[index] for index in range(len(problems))]


def _largest(gradient: Vector) -> float:
    return float(np.max(np.abs(gradient), initial=0.0))


class _Watch:
    """Sees when neither cost nor gradient falls any more, so that rounding alone is left."""

    def __init__(self, cost: float, gradient: Vector, resolution: float) -> None:
        self.cost = cost
        self.largest = _largest(gradient)
        self.resolution = resolution
        self.idle = 0

    def stalls(self, cost: float, gradient: Vector) -> bool:
        """Tell whether the last PATIENCE steps brought nothing that can be told from rounding."""
        is_lower = cost < self.cost - self.resolution * abs(self.cost)
        is_flatter = _largest(gradient) < self.largest / 2
        self.idle = 0 if is_lower or is_flatter else self.idle + 1
        if is_lower:
            self.cost = cost
        if is_flatter:
            self.largest = _largest(gradient)
        return self.idle >= PATIENCE


def _line_search(
    theta: Vector, cost: float, direction: Vector, slope: float, step: float, noise: float
) -> Generator[Vector, Any, tuple[Vector, Any] | None]:
    """Find a step that satisfies the weak Wolfe conditions; None where none lowers the cost.

    Nocedal and Wright (2006), eq. 3.6: the cost falls by a share of what the slope at the start
    promises, and the slope has risen enough, so that curvature along the step is positive. A
    bracket [low, high] of steps too short and too long shrinks by the minimum of the cubic
    through both ends. Where the costs differ by `noise` or less, that is by rounding alone, a step
    is too long only if the slope there is as steep upwards as it was downwards (Hager and Zhang
    2005, eq. 4.1).
    """
    low = (0.0, cost, slope)
    high: tuple[float, float, float] | None = None
    for _ in range(MAX_TRIALS):
        point = theta + step * direction
        answer = yield point
        here = (step, answer[0], dot(answer[1], direction))
        if not (math.isfinite(here[1]) and math.isfinite(here[2])):
            high = (step, math.inf, math.inf)
        elif not _is_lower(here, cost, slope, noise):
            high = here
        elif here[2] < CURVATURE * slope:
            low = here
        else:
            return point, answer
        step = _next_step(low, high)
        if step == low[0] or (high is not None and step == high[0]):
            return None  # No number lies between the two.
    return None


def _is_lower(here: tuple[float, float, float], cost: float, slope: float, noise: float) -> bool:
    step, cost_here, slope_here = here
    if cost_here <= cost + SUFFICIENT_DECREASE * step * slope:
        return True
    return cost_here <= cost + noise and slope_here <= (2 * SUFFICIENT_DECREASE - 1) * slope


def _next_step(low: tuple[float, float, float], high: tuple[float, float, float] | None) -> float:
    """Return a step well inside the bracket, or well beyond `low` where it has no upper end."""
    if high is None:
        return max(1e-300, low[0] * 4)
    width = high[0] - low[0]
    if width <= 0:
        return low[0]
    return low[0] + width * min(0.9, max(0.1, _cubic_minimum(low, high, width)))


def _cubic_minimum(
    low: tuple[float, float, float], high: tuple[float, float, float], width: float
) -> float:
    """Return where between `low` (0) and `high` (1) the cubic of both costs and slopes is least.

    Nocedal and Wright (2006), eq. 3.59; a tenth where the far end is not finite.
    """
    if not math.isfinite(high[1]):
        return 0.1
    d1 = low[2] + high[2] - 3 * (high[1] - low[1]) / width
    square = d1 * d1 - low[2] * high[2]
    if not square >= 0:
        return 0.5
    d2 = math.sqrt(square)
    bottom = high[2] - low[2] + 2 * d2
    return 1 - (high[2] + d2 - d1) / bottom if bottom > 0 else 0.5


Pairs = deque[tuple[Vector, Vector, float]]
"""Steps s and the gradient's changes y, with 1 / s'y: what L-BFGS knows of the curvature."""


def pairs_of(steps_and_changes: Iterable[Matrix]) -> Pairs:
    """Return L-BFGS's pairs, of as many as it keeps, each given as (s, y)."""
    pairs: Pairs = deque(maxlen=LBFGS_MEMORY)
    for s, y in steps_and_changes:
        _remember(pairs, s, y)
    return pairs


def lbfgs_steps(
    start: Vector,
    *,
    max_iter: int,
    tol: float,
    report: Report,
    resolution: float = EPSILON,
    hessian: Matrix | None = None,
    pairs: Pairs | None = None,
) -> Steps:
    """Minimise by L-BFGS, until no entry of the gradient is larger than tol.

    `hessian` may approximate the Hessian near the minimum: what the steps have not taught about
    the curvature is then taken from it, and few steps are needed where it is near. It also ends, as
    converged, where no step along the steepest descent lowers the cost any more in the arithmetic
    at hand, or many steps bring nothing; `resolution` is the costs' relative rounding error.
    `pairs` are those of steps that led to `start`; this one's are added to them.
    """
    theta = start.astype(np.float64)
    metric = None if hessian is None else _inverse(hessian)
    cost, gradient = yield theta
    history, watch = [cost], _Watch(cost, gradient, resolution)
    pairs = pairs_of([]) if pairs is None else pairs
    while len(history) <= max_iter and _largest(gradient) > tol:
        direction = _lbfgs_direction(gradient, pairs, metric)
        slope = dot(gradient, direction)
        knows_lengths = bool(pairs) or metric is not None
        step = 1.0 if knows_lengths else min(1.0, 1 / math.sqrt(-slope)) if slope < 0 else 0.0
        found = None
        if slope < 0:
            found = yield from _line_search(
                theta, cost, direction, slope, step, resolution * abs(cost)
            )
        if found is None:
            if not knows_lengths:
                return _minimum(theta, history, True)
            pairs.clear()
            metric = None
            continue
        point, (cost, after) = found
        _remember(pairs, point - theta, after - gradient)
        theta, gradient = point, after
        history.append(cost)
        is_ended = report(len(history) - 1, cost)
        if is_ended or watch.stalls(cost, gradient):
            return _minimum(theta, history, True)
    return _minimum(theta, history, _largest(gradient) <= tol)


def _remember(pairs: Pairs, s: Vector, y: Vector) -> None:
    """Keep a step s and the gradient's change y, if the curvature between them is positive.

    Nor is a pair kept whose products underflow: 1 / curvature would be infinite.
    """
    curvature, square = dot(s, y), dot(y, y)
    if min(curvature, square) > SMALLEST and curvature > EPSILON * square:
        pairs.append((s, y, 1 / curvature))


def _lbfgs_direction(
    gradient: Vector, pairs: Pairs, metric: Callable[[Vector], Vector] | None = None
) -> Vector:
    """Return -H gradient by the two loops of Nocedal and Wright (2006), algorithm 7.4.

    H before the first pair is `metric`, or a multiple of I (eq. 7.20).
    """
    q = -gradient
    alphas = []
    for s, y, rho in reversed(pairs):
        alpha = rho * dot(s, q)
        q -= alpha * y
        alphas.append(alpha)
    if metric is not None:
        q = metric(q)
    elif pairs:
        _, y, rho = pairs[-1]
        q /= rho * dot(y, y)
    for (s, y, rho), alpha in zip(pairs, reversed(alphas), strict=True):
        q += (alpha - rho * dot(y, q)) * s
    return q


def lbfgs(
    objective: Objective, start: Vector, *, max_iter: int, tol: float, report: Report
) -> Minimum:
    """Minimise by L-BFGS (Nocedal and Wright 2006, algorithm 7.5); see `lbfgs_steps`."""
    return minimise(lbfgs_steps(start, max_iter=max_iter, tol=tol, report=report), objective)


def newton_steps(
    start: Vector,
    *,
    max_iter: int,
    tol: float,
    report: Report,
    resolution: float = EPSILON,
    enough: float = 0.0,
) -> Steps:
    """Minimise a convex cost by Newton's method, until no entry of the gradient is above tol.

    It ends, too, with the step that promises to lower the cost by `enough` or less. Is sent
    (cost, gradient, Hessian). Where the Hessian is singular to working precision its diagonal is
    raised.
    """
    theta = start.astype(np.float64)
    cost, gradient, hessian = yield theta
    history, watch = [cost], _Watch(cost, gradient, resolution)
    while len(history) <= max_iter and _largest(gradient) > tol:
        direction = -_inverse(hessian)(gradient)
        slope = dot(gradient, direction)
        if 0 < -slope / 2 <= enough:
            return _minimum(theta + direction, history, True, hessian)
        found = None
        if slope < 0:
            found = yield from _line_search(
                theta, cost, direction, slope, 1.0, resolution * abs(cost)
            )
        if found is None:
            return _minimum(theta, history, True, hessian)
        theta, (cost, gradient, hessian) = found
        history.append(cost)
        is_ended = report(len(history) - 1, cost)
        if is_ended or watch.stalls(cost, gradient):
            return _minimum(theta, history, True, hessian)
    return _minimum(theta, history, _largest(gradient) <= tol, hessian)


def _inverse(hessian: Matrix) -> Callable[[Vector], Vector]:
    """Return the product with (hessian + damping I)^-1, with the least damping of a few that works.

    Where none does it is the product with I.
    """
    diagonal = np.diag_indices(len(hessian))
    largest = float(np.max(hessian[diagonal]))
    for damping in (0.0, 1e-10, 1e-7, 1e-4):
        damped = hessian.copy()
        damped[diagonal] += damping * largest
        factor = factor_positive(damped)
        if factor is not None and np.isfinite(factor).all():
            return functools.partial(solve_factored, factor)
    return np.copy


def newton(
    objective: Callable[[Vector], tuple[float, Vector, Matrix]],
    start: Vector,
    *,
    max_iter: int,
    tol: float,
    report: Report,
) -> Minimum:
    """Minimise by Newton's method; see `newton_steps`."""
    return minimise(newton_steps(start, max_iter=max_iter, tol=tol, report=report), objective)
