"""The cost of logistic regression, its gradient and Hessian, in one pass over the rows."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes
from hmlc._backend import Kernels, kernels
from hmlc._linalg import dot
from hmlc._weights import total_weight
from hmlc.features import column_moments

Array = NDArray[Any]
Vector = NDArray[np.float64]


@dataclass
class _Sums:
    """A pass's partial sum over k score columns of depth D."""

    loss: Vector
    gradient: Vector
    hessian: Vector

    def add(self, other: "_Sums") -> None:
        self.loss += other.loss
        self.gradient += other.gradient
        self.hessian += other.hessian


def pick_blocks(rows: Array, every: int) -> Array:
    """Return one block of rows in `every`: which, depends on the number of rows alone.

    All rows, where they are few.
    """
    length = _passes.BLOCK_ROWS
    if len(rows) < every * length:
        return rows
    starts = range(0, len(rows) - length + 1, every * length)
    return np.concatenate([rows[start : start + length] for start in starts])


class LogisticCost:
    """The cost J over some rows, as a function of each score column's weights and bias.

    Rows are seen in the columns' units: (X - units[0]) * units[1], and a 1. Each counts as often as
    its weight, one of check_sample_weight's, says.
    """

    def __init__(
        self,
        X: Array,
        codes: Array,
        row_weights: Array,
        units: Array,
        penalty: Vector,
        n_jobs: int | None,
    ) -> None:
        self.X = X
        self.codes = codes
        self.row_weights = row_weights
        self.m = total_weight(row_weights)
        self.units = units
        self.penalty = penalty
        self.n_jobs = n_jobs
        self.kernels: Kernels = kernels()
        self.is_fixed = np.zeros(len(penalty), bool)
        self.is_checked = False
        self.is_at_end = False  # which rows the pass before has left in cache

    def sample(self, every: int) -> "LogisticCost":
        """Return the cost over one block of rows in `every`, its penalty as strong beside it."""
        X, codes = pick_blocks(self.X, every), pick_blocks(self.codes, every)
        is_even = self.row_weights.strides == (0,)
        weights = self.row_weights[: len(X)] if is_even else pick_blocks(self.row_weights, every)
        sample = LogisticCost(X, codes, weights, self.units, self.penalty, self.n_jobs)
        sample.penalty = self.penalty * (sample.m / self.m)
        sample.is_fixed = self.is_fixed
        return sample

    def fewest(self, classes: Array) -> int:
        """Return the smallest number of rows that count in one of these classes, or out of it."""
        is_even = self.row_weights.strides == (0,)
        codes = self.codes if is_even else self.codes[self.row_weights > 0]
        counts = [np.count_nonzero(codes == c) for c in classes.tolist()]
        return int(min(*counts, len(codes) - max(counts)))

    def _sums(self, kernel: Any, W: Vector, *, n_losses: int, hessians: int = 0) -> _Sums:
        k, depth = W.shape
        weights = np.ascontiguousarray(W, self.units.dtype)
        shape = (hessians, depth, depth)

        def run(rows: Array, first: int, last: int, partial: _Sums) -> None:
            kernel(rows, self.codes[first:last], self.row_weights[first:last], weights, partial)

        sums = _passes.reduce_rows(
            self.X,
            self.units.dtype,
            run,
            lambda: _Sums(np.zeros(n_losses), np.zeros((k, depth)), np.zeros(shape)),
            _Sums.add,
            n_jobs=self.n_jobs,
            flops_per_row=depth * (4 * k + hessians * depth),
            partial_bytes=8 * depth * (k + hessians * depth),
            last_first=self.is_at_end,
        )
        self.is_at_end = not self.is_at_end
        self._check(sums.gradient)
        return self._penalised(sums, W)

    def _check(self, gradient: Vector) -> None:
        """Raise a ValueError where rows are not finite, which the first gradient shows."""
        if not self.is_checked and not np.isfinite(gradient).all():
            column_moments(self.X, self.n_jobs)
        self.is_checked = True

    def _penalised(self, sums: _Sums, W: Vector) -> _Sums:
        """Divide by the rows' weight and add the penalty; hold the fixed parameters."""
        shrinkage = self.penalty * W
        squares = np.array([dot(row, pull) for row, pull in zip(W, shrinkage, strict=True)])
        losses = squares if len(sums.loss) == len(W) else np.array([math.fsum(squares)])
        sums.loss = (sums.loss + losses / 2) / self.m
        sums.gradient = (sums.gradient + shrinkage) / self.m
        sums.gradient[:, self.is_fixed] = 0
        for hessian in sums.hessian:
            hessian += np.tril(hessian, -1).T
            hessian[np.diag_indices(len(hessian))] += self.penalty
            hessian /= self.m
            hessian[self.is_fixed, :] = 0
            hessian[:, self.is_fixed] = 0
            hessian[self.is_fixed, self.is_fixed] = 1
        return sums

    def sigmoids(self, classes: Array, W: Vector) -> list[tuple[float, Vector]]:
        """Return each column's cost and gradient, column c telling classes[c] from the rest."""
        kernel = self.kernels.logistic.sigmoid_loss

        def run(rows: Array, codes: Array, each: Array, W: Array, partial: _Sums) -> None:
            kernel(rows, codes, each, classes, W, self.units, partial.loss, partial.gradient)

        sums = self._sums(run, W, n_losses=len(W))
        return list(zip(sums.loss.tolist(), sums.gradient, strict=True))

    def sigmoids_hessian(self, classes: Array, W: Vector) -> list[tuple[float, Vector, Vector]]:
        """Return each column's cost, gradient and Hessian."""
        kernel = self.kernels.logistic.sigmoid_loss_hessian

        def run(rows: Array, codes: Array, each: Array, W: Array, partial: _Sums) -> None:
            kernel(
                rows,
                codes,
                each,
                classes,
                W,
                self.units,
                partial.loss,
                partial.gradient,
                partial.hessian,
            )

        sums = self._sums(run, W, n_losses=len(W), hessians=len(W))
        return list(zip(sums.loss.tolist(), sums.gradient, sums.hessian, strict=True))

    def softmax(self, W: Vector) -> tuple[float, Vector]:
        """Return the cost and gradient of all columns together."""
        kernel = self.kernels.logistic.softmax_loss

        def run(rows: Array, codes: Array, each: Array, W: Array, partial: _Sums) -> None:
            kernel(rows, codes, each, W, self.units, partial.loss, partial.gradient)

        sums = self._sums(run, W, n_losses=1)
        return float(sums.loss[0]), sums.gradient
