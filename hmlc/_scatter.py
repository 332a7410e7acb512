"""One pass for the means and centred cross-products of columns, of a table alone or with targets.

A large S is not kept a lane at a time: there the threads take a stripe of its columns each, and
every element is still summed in order of rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels

Array = NDArray[Any]

STRIPED_BYTES = 16 << 20
"""S is cut into stripes above this size; below, each lane of rows has its own."""
STRIPE_COLUMNS = 200
"""Columns to a stripe, on average: enough work for each row read."""
LANES = 16
"""A stripe begins at a multiple of this."""


class Scatter:
    """Number of rows, means, and products of deviations S = sum of (z - mean)(z - mean)^T.

    During a pass S is right on and above its diagonal only; `column_scatter` returns it whole.
    """

    def __init__(self, n_columns: int) -> None:
        self.count = np.zeros(1)
        self.mean = np.zeros(n_columns)
        self.S = np.zeros((n_columns, n_columns))

    def merge(self, other: "Scatter") -> None:
        """Join later rows: Chan, Golub and LeVeque (1979), eq. 2.1, an outer product for a square.

        The products of equal changes are formed alike, so S stays as symmetric as it was.
        """
        if other.count[0] == 0:
            return
        before, after = self.count[0], self.count[0] + other.count[0]
        change = other.mean - self.mean
        self.S += other.S + np.multiply.outer(change, change) * (before * other.count[0] / after)
        self.mean += change * (other.count[0] / after)
        self.count[0] = after


def stripe_bounds(n_columns: int) -> list[int]:
    """Return the first column of every stripe, and n_columns: equal areas above the diagonal."""
    n_stripes = -(-n_columns // STRIPE_COLUMNS)
    fractions = np.sqrt(np.arange(n_stripes) / n_stripes)
    starts = LANES * np.rint(fractions * n_columns / LANES).astype(int)
    return [*sorted(set(starts.tolist())), n_columns]


def _scatter_by_rows(X: Array, Y: Array, n_jobs: int | None) -> Scatter:
    m = X.shape[1] + Y.shape[1]
    update = kernels().scatter.update

    def kernel(rows: Array, first: int, last: int, partial: Scatter) -> None:
        update(rows, Y[first:last], partial.count, partial.mean, partial.S, 0, m)

    return _passes.reduce_rows(
        X,
        Y.dtype,
        kernel,
        lambda: Scatter(m),
        Scatter.merge,
        n_jobs=n_jobs,
        flops_per_row=m * (m + 4),
        partial_bytes=8 * m * m,
    )


def _scatter_by_columns(X: Array, Y: Array, n_jobs: int | None) -> Scatter:
    m = X.shape[1] + Y.shape[1]
    bounds = stripe_bounds(m)
    stripes = [Scatter(0) for _ in bounds[1:]]
    S = np.zeros((m, m))
    update = kernels().scatter.update
    reader = _passes.RowReader(X, Y.dtype)

    def run_stripe(index: int) -> None:
        stripe = stripes[index]
        stripe.mean, stripe.S = np.zeros(m), S
        for rows, first, last in reader.pieces(0, len(X)):
            update(rows, Y[first:last], stripe.count, stripe.mean, S, *bounds[index : index + 2])

    is_small = len(X) * m * m < _passes.SERIAL_FLOPS
    _passes.run_tasks(run_stripe, len(stripes), 1 if is_small else _passes.n_threads(n_jobs))
    return stripes[-1]


def column_scatter(X: Array, Y: Array | None = None, n_jobs: int | None = None) -> Scatter:
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

    Raises
    ------
    ValueError
        If X holds NaN or infinity, or products of deviations overflow.
    """
    Y = np.empty((len(X), 0), X.dtype) if Y is None else Y
    Y = np.ascontiguousarray(Y, _validate.compute_dtype(X, Y))
    m = X.shape[1] + Y.shape[1]
    by = _scatter_by_columns if 8 * m * m > STRIPED_BYTES else _scatter_by_rows
    with np.errstate(over="ignore", invalid="ignore"):
        scatter = by(X, Y, n_jobs)
    if not np.isfinite(scatter.S).all():
        _validate.check_finite(X, "X")
        raise ValueError(f"numbers are too large for products in {Y.dtype}; rescale the columns")
    for i in range(1, m):
        scatter.S[i, :i] = scatter.S[:i, i]
    return scatter
