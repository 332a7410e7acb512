"""Least squares with an L2 penalty from a scatter: the normal equation, or descent along it."""

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _linalg, _optimize
from hmlc._backend import kernels
from hmlc._estimator import ConvergenceWarning
from hmlc._progress import reporting
from hmlc._scatter import Scatter

if TYPE_CHECKING:
    from hmlc.linear_regression import LinearRegression

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Solution:
    """Coefficients (t, d) and intercepts (t,) in own units; the cost before and after each step."""

    coef: Matrix
    intercept: Matrix
    costs: Matrix


@dataclass(frozen=True)
class Problem:
    """The cost of d standardised columns' coefficients theta, for t targets less their means.

    J = sum over targets of theta . A theta / 2 - b . theta + (variance + offset^2) / 2, where A is
    the columns' correlation with the penalty on its diagonal, and offset what an intercept misses
    the target's mean by. Without an intercept nothing is centred, and the unit of a column is the
    root of its mean square.
    """

    A: Matrix  # (d, d); 0 in the rows of constant columns
    B: Matrix  # (t, d)
    location: Matrix  # (d,)
    scale: Matrix  # (d,); 1 for constant columns
    target_location: Matrix  # (t,)
    target_variance: float  # summed over targets

    @classmethod
    def of(cls, scatter: Scatter, d: int, model: "LinearRegression") -> "Problem":
        n, mean = float(scatter.count[0]), scatter.mean
        # The scatter itself is the caller's; d columns' copy of it becomes A in place.
        A, B = scatter.S[:d, :d] / n, scatter.S[d:, :d] / n
        target_variances = scatter.S.diagonal()[d:] / n
        if not model.fit_intercept:
            A += np.multiply.outer(mean[:d], mean[:d])
            B += np.multiply.outer(mean[d:], mean[:d])
            target_variances += mean[d:] ** 2
            mean = np.zeros_like(mean)
        variance = A.diagonal().copy()
        scale = np.where(variance > 0, np.sqrt(variance), 1.0)
        penalty = np.full(d, model.l2 / n) / (1.0 if model.normalize else scale**2)
        A /= scale
        A /= scale[:, None]
        A.flat[:: d + 1] += penalty
        return cls(
            A=A,
            B=B / scale,
            location=mean[:d],
            scale=scale,
            target_location=mean[d:],
            target_variance=math.fsum(target_variances),
        )

    @property
    def cost_at_zero(self) -> float:
        """J where nothing is learned: half the targets' mean squares."""
        squares = self.target_location * self.target_location
        return (self.target_variance + math.fsum(squares)) / 2

    def cost(self, A: Matrix, B: Matrix, theta: Matrix) -> tuple[float, Matrix]:
        """Return J and its gradient, for A and B perhaps in other units."""
        gradient = np.empty_like(B)
        change = kernels().linalg.quadratic(A, B, theta, gradient)
        # At a perfect fit rounding may leave less than nothing.
        return max(self.target_variance / 2 + change, 0.0), gradient

    def solution(self, theta: Matrix, offset: Matrix, costs: Matrix) -> Solution:
        coef = theta / self.scale
        shift = _linalg.product(coef, self.location[None, :])[:, 0]
        return Solution(coef, self.target_location + offset - shift, costs)


def solve(problem: Problem, dtype: np.dtype[Any]) -> Solution:
    """Solve A theta = b; where that determines no single theta, take the smallest.

    A pivot is the part of a column's variance that the columns before it leave unexplained.
    Where it should be 0, rounding leaves some 16 eps (the root of 256 rows summed in `dtype`) and
    d eps64 (of the factor), if the largest pivots are taken first; else thousands of eps. So an A
    with a pivot below sqrt(eps) is factored in that order, and four times 16 eps taken for 0.
    """
    A, B = problem.A, problem.B
    eps, eps64 = float(np.finfo(dtype).eps), float(np.finfo(np.float64).eps)
    is_constant = A.diagonal() == 0
    regular = A + np.diag(1.0 * is_constant) if is_constant.any() else A
    theta = _linalg.solve_positive(regular, B, math.sqrt(eps))
    if theta is None:
        theta = _linalg.solve_semidefinite(A, B, 64 * eps + len(A) * eps64)
    cost, _ = problem.cost(A, B, theta)
    costs = np.array([problem.cost_at_zero, cost])
    return problem.solution(theta, np.zeros(len(B)), costs)


def _safe_rate(A: Matrix) -> float:
    """Return 1 / (largest absolute row sum of A) <= 1 / (its largest eigenvalue)."""
    ones = np.ones((1, len(A)))
    parts = [A[first : first + 64] for first in range(0, len(A), 64)]
    bound = max(float(_linalg.product(np.abs(part), ones).max()) for part in parts)
    return 1.0 / bound if bound > 0 else 1.0


def descend(problem: Problem, model: "LinearRegression") -> Solution:
    """Step from 0 against the gradient in (intercept, theta), columns centred.

    Where model.normalize is off, theta is in the columns' own units. The intercept is the first
    parameter; its column is 1, which is orthogonal to the others, and it has no penalty.
    """
    d, t = len(problem.scale), len(problem.B)
    units = np.ones(d) if model.normalize else problem.scale
    A, B, start = np.zeros((d + 1, d + 1)), np.zeros((t, d + 1)), np.zeros((t, d + 1))
    A[0, 0] = float(model.fit_intercept)
    A[1:, 1:] = problem.A
    A[1:, 1:] *= units
    A[1:, 1:] *= units[:, None]
    B[:, 1:] = problem.B * units
    start[:, 0] = -problem.target_location

    def objective(parameters: Matrix) -> tuple[float, Matrix]:
        return problem.cost(A, B, parameters)

    with np.errstate(over="ignore", invalid="ignore"), reporting(model) as report:
        minimum = _optimize.gradient_descent(
            objective,
            start,
            learning_rate=model.learning_rate or _safe_rate(A),
            max_iter=model.max_iter,
            tol=model.tol,
            report=report,
        )
    if not minimum.converged:
        warnings.warn(
            f"gradient descent did not settle to tol={model.tol:g} in max_iter={model.max_iter} "
            "steps; raise one of them or learning_rate, or set normalize=True",
            ConvergenceWarning,
            stacklevel=3,
        )
    theta = minimum.parameters[:, 1:] * units
    return problem.solution(theta, minimum.parameters[:, 0], minimum.cost_history)
