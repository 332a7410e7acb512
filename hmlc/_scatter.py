"""One pass for the means and centred cross-products of columns, of a table alone or with targets.

A large S is not kept a lane at a time: there the threads take a stripe of its rows each, and every
element is still summed in order of X's rows.
"""

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate, _weights
from hmlc._backend import kernels

Array = NDArray[Any]

STRIPED_BYTES = 16 << 20
"""S is cut into stripes above this size; below, each lane of rows has its own."""
STRIPE_ROWS = 200
"""Rows of S to a stripe, on average: enough work for each row of X read."""
LANES = 16
"""A stripe begins at a multiple of this."""


class Scatter:
    """Sums over rows z of weight w, about an origin, which moves to the mean.

    count[0] = sum of w, the number of rows where none has a weight; count[1] is where the kernel
    moves the origin, during a pass. sums = sum of w (z - origin), S = sum of w (z - origin)
    (z - origin)^T: during a pass its lower triangle. What `column_scatter` returns is about the
    mean and whole.
    """

    def __init__(self, n_columns: int, S: Array | None = None) -> None:
        self.count = np.zeros(2)
        self.mean = np.zeros(n_columns)
        self.sums = np.zeros(n_columns)
        self.S = np.zeros((n_columns, n_columns)) if S is None else S

    @property
    def state(self) -> tuple[Array, Array, Array, Array]:
        """What the kernels take: count, origin (in `mean`), sums and S."""
        return self.count, self.mean, self.sums, self.S

    def merge(self, other: "Scatter") -> None:
        """Join later rows."""
        if other.count[0] == 0:
            return
        if self.count[0] > 0:
            kernels().scatter.merge(*self.state, *other.state)
            return
        for own, others in zip(self.state, other.state, strict=True):
            own[:] = others


def joined(before: Scatter, later: Scatter) -> Scatter:
    """Return the scatter of all rows, from those of two runs of them; neither changes.

    Raises
    ------
    ValueError
        If a product of deviations overflows.
    """
    total = Scatter(len(before.mean), before.S.copy())
    total.count, total.mean = before.count.copy(), before.mean.copy()
    total.merge(later)
    kernels().scatter.centre(*total.state)
    if not np.isfinite(total.S).all():
        raise ValueError("numbers are too large for products in float64; rescale the columns")
    return total


def stripe_bounds(n_columns: int) -> list[int]:
    """Return the first row of every stripe, and n_columns: equal areas below the diagonal."""
    n_stripes = -(-n_columns // STRIPE_ROWS)
    fractions = np.sqrt(np.arange(n_stripes) / n_stripes)
    starts = LANES * np.rint(fractions * n_columns / LANES).astype(int)
    return [*sorted(set(starts.tolist())), n_columns]


def _scatter_by_lanes(X: Array, Y: Array, weights: Array, n_jobs: int | None) -> Scatter:
    m = X.shape[1] + Y.shape[1]
    update = kernels().scatter.update

    spare: list[Array] = []  # S of what was merged: the system is slow to hand out memory

    def new_partial() -> Scatter:
        with contextlib.suppress(IndexError):
            S = spare.pop()
            S.fill(0)
            return Scatter(m, S)
        return Scatter(m)

    def kernel(rows: Array, first: int, last: int, partial: Scatter) -> None:
        update(rows, Y[first:last], weights[first:last], *partial.state, 0, m)

    def merge(left: Scatter, right: Scatter) -> None:
        left.merge(right)
        spare.append(right.S)

    return _passes.reduce_rows(
        X,
        Y.dtype,
        kernel,
        new_partial,
        merge,
        n_jobs=n_jobs,
        flops_per_row=m * (m + 4),
        partial_bytes=8 * m * m,
    )


def _scatter_by_stripes(X: Array, Y: Array, weights: Array, n_jobs: int | None) -> Scatter:
    m = X.shape[1] + Y.shape[1]
    bounds = stripe_bounds(m)
    S = np.zeros((m, m))
    stripes = [Scatter(m, S) for _ in bounds[1:]]
    update = kernels().scatter.update
    reader = _passes.RowReader(X, Y.dtype)

    def run_stripe(index: int) -> None:
        for rows, first, last in reader.pieces(0, len(X)):
            some = Y[first:last], weights[first:last]
            update(rows, *some, *stripes[index].state, *bounds[index : index + 2])

    is_small = len(X) * m * m < _passes.SERIAL_FLOPS
    threads = 1 if is_small else _passes.n_threads(n_jobs)
    _passes.run_tasks(run_stripe, len(stripes), threads, reader.stop)
    return stripes[-1]


def column_scatter(
    X: Array, Y: Array | None = None, n_jobs: int | None = None, *, weights: Array | None = None
) -> Scatter:
    """Return count, mean and S of the columns [X | Y], in one pass over the rows.

    Parameters
    ----------
    X : array of shape (n, d)
        Of any real dtype and layout; it need not have been checked for NaN and infinity, for the
        products show them.
    Y : array of shape (n, t), optional
        Further columns, finite.
    n_jobs : int, optional
        Threads; see `_passes.n_threads`.
    weights : array of shape (n,), optional
        Those of `_weights.check_sample_weight`, of any float type; None is 1.

    Raises
    ------
    ValueError
        If X holds NaN or infinity, or products of deviations overflow.
    """
    Y = np.empty((len(X), 0), X.dtype) if Y is None else Y
    Y = np.ascontiguousarray(Y, _validate.compute_dtype(X, Y))
    weights = _weights.in_type(weights, len(X), Y.dtype)
    m = X.shape[1] + Y.shape[1]
    by = _scatter_by_stripes if 8 * m * m > STRIPED_BYTES else _scatter_by_lanes
    with np.errstate(over="ignore", invalid="ignore"):
        scatter = by(X, Y, weights, n_jobs)
        kernels().scatter.centre(*scatter.state)
    scatter.count[1] = 0
    if not np.isfinite(scatter.S).all():
        _validate.check_finite(X, "X")
        raise ValueError(f"numbers are too large for products in {Y.dtype}; rescale the columns")
    return scatter
