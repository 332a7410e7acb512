"""Rows with their weights, and the passes over them that k-means is made of."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels
from hmlc._weights import check_sample_weight

Array = NDArray[Any]
Double = NDArray[np.float64]
Labels = NDArray[np.int32]


class Clusters:
    """Sum of w (x - shift) and of weights w of every cluster's rows."""

    def __init__(self, n_clusters: int, n_columns: int) -> None:
        self.sums = np.zeros((n_clusters, n_columns))
        self.counts = np.zeros(n_clusters)

    def merge(self, later: "Clusters") -> None:
        """Add the statistic of other rows."""
        self.sums += later.sums
        self.counts += later.counts

    def means(self, centres: Double) -> Double:
        """Return each cluster's mean; an empty one stays at its centre."""
        counts = self.counts[:, np.newaxis]
        return np.divide(self.sums, counts, out=centres.copy(), where=counts > 0)

    def explained(self) -> float:
        """Return the sum over clusters of n_j |m_j - shift|^2."""
        counts = self.counts[:, np.newaxis]
        squares = self.sums**2
        return ordered_sum(np.divide(squares, counts, out=squares, where=counts > 0))


class Settled:
    """Weight of every cluster, and the weighted sum of squared distances from the centres."""

    def __init__(self, n_clusters: int) -> None:
        self.counts = np.zeros(n_clusters)
        self.inertia = np.zeros(1)

    def merge(self, later: "Settled") -> None:
        """Add the statistic of later rows."""
        self.counts += later.counts
        self.inertia += later.inertia


class NearRows(NamedTuple):
    """Of candidate t, rows and squared distances from starts[t] up to starts[t + 1]."""

    rows: NDArray[np.int64]
    squares: Array
    starts: NDArray[np.int64]


def ordered_sum(values: Array) -> float:
    """Return the sum in order of memory: NumPy's own order depends on the processor."""
    return float(np.cumsum(values)[-1])


def _add(left: Double, right: Double) -> None:
    left += right


class Rows:
    """A checked matrix, its rows' weights (1 where none are given), and the passes over it."""

    def __init__(
        self, matrix: Array, shift: Array, n_jobs: int | None, weights: Array | None = None
    ) -> None:
        self.matrix = matrix
        self.dtype = _validate.compute_dtype(matrix)
        self.shift = shift.astype(self.dtype)
        self.n_jobs = n_jobs
        no_weights = check_sample_weight(None, len(matrix), self.dtype)
        self.weights = no_weights if weights is None else weights

    def at(self, places: Any) -> Array:
        """Return some rows in the kernels' float type."""
        rows: Array = self.matrix[places].astype(self.dtype)
        return rows

    def _flops(self, n_centres: int) -> int:
        return 2 * int(self.matrix.shape[1]) * (n_centres + 4)

    def centred(self, centres: Array) -> Array:
        """Return centres relative to the shift, for the kernels that want them so."""
        centres = np.ascontiguousarray(centres, self.dtype)
        near = np.empty_like(centres)
        kernels().k_means.relative(centres, self.shift, near)
        return near

    def reduce(
        self, centres: Array, kernel: Callable[[Array, int, int, Clusters], None]
    ) -> Clusters:
        """Return the clusters' statistic that a kernel takes of all rows."""
        return _passes.reduce_rows(
            self.matrix,
            self.dtype,
            kernel,
            lambda: Clusters(*centres.shape),
            Clusters.merge,
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(len(centres)),
            partial_bytes=8 * centres.size,
        )

    def settle(self, centres: Array, labels: Labels) -> Settled:
        """Label all rows by centres in their own units; return the statistic of the clusters."""
        near, settle = self.centred(centres), kernels().k_means.settle
        return _passes.reduce_rows(
            self.matrix,
            self.dtype,
            lambda rows, first, last, part: settle(
                rows,
                self.weights[first:last],
                self.shift,
                near,
                centres,
                labels[first:last],
                part.counts,
                part.inertia,
            ),
            lambda: Settled(len(centres)),
            Settled.merge,
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(len(centres)),
        )

    def assign(self, centres: Array, labels: Labels) -> None:
        """Label all rows by centres in their own units."""
        self.label(self.centred(centres), labels)

    def label(self, near: Array, labels: Labels) -> None:
        """Label all rows by centres relative to the shift."""
        assign = kernels().k_means.assign
        _passes.map_rows(
            self.matrix,
            self.dtype,
            lambda rows, first, last: assign(rows, self.shift, near, labels[first:last]),
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(len(near)),
        )

    def inertia(self, centres: Array, labels: Labels) -> tuple[float, Array]:
        """Return the inertia about the labels' centres, and each row's squared distance."""
        squares = np.empty(len(self.matrix), self.dtype)
        inertia = kernels().k_means.inertia
        total = _passes.reduce_rows(
            self.matrix,
            self.dtype,
            lambda rows, first, last, total: inertia(
                rows,
                self.weights[first:last],
                centres,
                labels[first:last],
                squares[first:last],
                total,
            ),
            lambda: np.zeros(1),
            _add,
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(1),
        )
        return float(total[0]), squares

    def approach(self, centre: Array, candidates: Array, closest: Array) -> tuple[Double, Double]:
        """Lower `closest` to the squared distance from a centre; return its weighted block sums.

        And for every candidate the weighted sum of squares that it would leave then.
        """
        approach = kernels().k_means.approach
        size = _passes.BLOCK_ROWS
        block_totals = np.zeros(-(-len(self.matrix) // size))

        def kernel(rows: Array, first: int, last: int, totals: Double) -> None:
            blocks = block_totals[first // size : -(-last // size)]
            near = closest[first:last], blocks
            approach(rows, self.weights[first:last], centre, candidates, *near, totals)

        totals = _passes.reduce_rows(
            self.matrix,
            self.dtype,
            kernel,
            lambda: np.zeros(len(candidates)),
            _add,
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(1 + len(candidates)),
        )
        return block_totals, totals

    def nearer(
        self, candidates: Array, closest: Array, labels: Labels, seeds: Array, room: int
    ) -> NearRows | None:
        """List the rows nearer to each candidate than `closest`, or None if it has no room.

        `labels` say which of `seeds` is so close, or are negative. There is room for so many
        candidates a row on average, over any run of rows.
        """
        nearer, shift, apart = kernels().k_means.nearer, self.shift, _apart(seeds, candidates)

        def kernel(rows: Array, first: int, last: int, parts: list[Any]) -> None:
            size = room * (last - first)
            which, places = np.empty(size, np.int32), np.empty(size, np.int64)
            squares = np.empty(size, self.dtype)
            near = closest[first:last], labels[first:last], apart
            count = nearer(rows, shift, candidates, *near, first, which, places, squares)
            parts.append(
                [
                    part[:count].copy() if count <= size else None
                    for part in (which, places, squares)
                ]
            )

        parts = _passes.reduce_rows(
            self.matrix,
            self.dtype,
            kernel,
            list,
            list.extend,
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(len(candidates)),
            partial_bytes=_passes.PARTIALS_BYTES // 16,
        )
        if any(which is None for which, *_ in parts):
            return None
        which, places, squares = map(np.concatenate, zip(*parts, strict=True))
        order = np.argsort(which, kind="stable")
        ends = np.cumsum(np.bincount(which, minlength=len(candidates)))
        return NearRows(places[order], squares[order], np.concatenate([[0], ends]))


def _apart(seeds: Array, candidates: Array) -> Array:
    """Return for seeds and candidates the square that a row is within if it surely stays.

    That is a quarter of their own squared distance, less what it and the row's two squares may be
    wrong by: sums of d squares are right to (d + 2) eps, and so is what the kernel compares.
    """
    apart = np.empty((len(seeds), len(candidates)), seeds.dtype)
    kernels().k_means.distances(seeds, candidates, apart)
    of_type = np.finfo(seeds.dtype)
    with np.errstate(over="ignore"):
        # Where the square is infinite the largest number is less than it.
        np.minimum(apart * apart, of_type.max, out=apart)
    apart *= seeds.dtype.type(0.25 * max(0.0, 1 - 8 * (seeds.shape[1] + 4) * float(of_type.eps)))
    # The least normal number covers underflow.
    apart -= of_type.tiny
    return apart
