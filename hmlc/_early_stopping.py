"""Rows that a fit does not learn from, by whose score it ends."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc._network import Rows
from hmlc._optimize import Objective
from hmlc._progress import Report

Array = NDArray[Any]
Vector = NDArray[np.float64]


def hold_out(
    n_rows: int, fraction: float, seed: int, codes: NDArray[np.intp] | None
) -> NDArray[np.bool_]:
    """Return which rows are held out: `fraction` of all, and of each class as nearly as can be.

    Of rows in a random order, one class after the other, those are taken at which the count of
    held-out rows that are due passes a whole number.

    Raises
    ------
    ValueError
        If no row would be held out, or no row, or none of a class, left to learn from.
    """
    order = np.random.Generator(np.random.PCG64(seed)).permutation(n_rows)
    if codes is not None:
        order = order[np.argsort(codes[order], kind="stable")]
    due = np.floor(fraction * np.arange(n_rows + 1) + 1e-9)
    is_held = np.zeros(n_rows, bool)
    is_held[order[np.diff(due) > 0]] = True
    if not is_held.any() or is_held.all():
        raise ValueError(
            f"validation_fraction={fraction:g} leaves none of {n_rows} rows "
            f"{'to learn from' if is_held.any() else 'for validation'}; expected more rows, "
            "another fraction, or X_val and y_val"
        )
    if codes is not None:
        left = np.bincount(codes[~is_held], minlength=int(codes.max()) + 1)
        if not left.all():
            raise ValueError(
                "the rows held out for validation leave none of a class to learn from; expected "
                "more rows of every class, a smaller validation_fraction, or X_val and y_val"
            )
    return is_held


def parted(
    rows: Rows, fraction: float, seed: int, codes: NDArray[np.intp] | None
) -> tuple[Rows, Rows, NDArray[np.intp]]:
    """Return all rows, weighing nothing where held out; those held out; and which the others are.

    So no row that is learned from is copied.

    Raises
    ------
    ValueError
        If rows cannot be held out, or those that are, or are left, have no weight.
    """
    is_held = hold_out(len(rows.Y), fraction, seed, codes)
    held = Rows(rows.X[is_held], rows.Y[is_held], rows.weights[is_held])
    left = rows._replace(weights=np.where(is_held, rows.weights.dtype.type(0), rows.weights))
    if not held.weights.any() or not left.weights.any():
        raise ValueError(
            "rows held out for validation, and rows to learn from, must have some weight; "
            "sample_weight leaves one of them none"
        )
    return left, held, np.flatnonzero(~is_held)


class Validation:
    """Ends a fit whose best score has not risen by more than tol for `patience` epochs.

    The best parameters are kept. `scores` are those of earlier epochs, to which these are added.
    """

    def __init__(
        self,
        score: Callable[[Array], float],
        tol: float,
        patience: int,
        parameters: Array,
        scores: list[float],
        idle: int,
    ) -> None:
        self.score, self.tol, self.patience = score, tol, patience
        self.scores, self.idle = scores, idle
        self.best = max(scores, default=-np.inf)
        self.best_parameters = parameters.copy()

    def __call__(self, cost: float, parameters: Array) -> bool:
        """Score the parameters that an epoch or step has led to."""
        score = self.score(parameters)
        self.scores.append(score)
        self.idle = 0 if score > self.best + self.tol else self.idle + 1
        if score > self.best:
            self.best, self.best_parameters = score, parameters.copy()
        return self.idle >= self.patience

    def beside(self, objective: Objective, report: Report) -> tuple[Objective, Report]:
        """Return the objective and the report of a full-batch method whose steps are scored."""
        here: list[Vector] = []

        def evaluate(theta: Vector) -> tuple[float, Vector]:
            here[:] = [theta]
            return objective(theta)

        def tell(iteration: int, cost: float) -> bool:
            is_ended = report(iteration, cost)
            return self(cost, here[0]) or is_ended

        return evaluate, tell
