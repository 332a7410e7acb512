"""The passes over rows that k-means is made of, and Lloyd's iteration.

Inside the iteration centres are float64 and relative to a shift, the mean of the data: nothing
cancels however far from the origin the rows lie.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels
from hmlc._optimize import Report

Array = NDArray[Any]
Double = NDArray[np.float64]
Labels = NDArray[np.int32]


class Clusters:
    """Sum of x - shift and number of rows of every cluster, and how many rows changed theirs."""

    def __init__(self, n_clusters: int, n_columns: int) -> None:
        self.sums = np.zeros((n_clusters, n_columns))
        self.counts = np.zeros(n_clusters, np.int64)
        self.changed = np.zeros(1, np.int64)

    def merge(self, later: "Clusters") -> None:
        """Add the statistic of later rows."""
        self.sums += later.sums
        self.counts += later.counts
        self.changed += later.changed

    def means(self, centres: Double) -> Double:
        """Return each cluster's mean; an empty one stays at its centre."""
        counts = self.counts[:, np.newaxis]
        return np.where(counts > 0, self.sums / np.maximum(counts, 1), centres)

    def explained(self) -> float:
        """Return the sum over clusters of n_j |m_j - shift|^2."""
        return ordered_sum(self.sums**2 / np.maximum(self.counts, 1)[:, np.newaxis])


@dataclass(frozen=True)
class Run:
    """Where one run of Lloyd's iteration ended; centres are in the columns' own units."""

    centres: Array
    labels: Labels
    inertia: float
    cost_history: Double
    converged: bool


def ordered_sum(values: Array) -> float:
    """Return the sum in order of memory: NumPy's own order depends on the processor."""
    return float(np.cumsum(values)[-1])


def _add(left: Double, right: Double) -> None:
    left += right


class Rows:
    """A checked matrix and the passes over it that k-means is made of."""

    def __init__(self, matrix: Array, shift: Array, n_jobs: int | None) -> None:
        self.matrix = matrix
        self.dtype = _validate.compute_dtype(matrix)
        self.shift = shift.astype(self.dtype)
        self.n_jobs = n_jobs

    def at(self, places: Any) -> Array:
        """Return some rows in the kernels' float type."""
        return self.matrix[places].astype(self.dtype)

    def _flops(self, n_centres: int) -> int:
        return 2 * self.matrix.shape[1] * (n_centres + 4)

    def centred(self, centres: Array) -> Array:
        """Return centres relative to the shift, for the kernels that want them so."""
        return (centres.astype(np.float64) - self.shift).astype(self.dtype)

    def step(self, centres: Double, labels: Labels) -> Clusters:
        """Relabel all rows by centres relative to the shift; return the clusters' statistic."""
        near, lloyd = centres.astype(self.dtype), kernels().k_means.lloyd

        def kernel(rows: Array, first: int, last: int, partial: Clusters) -> None:
            lloyd(
                rows,
                self.shift,
                near,
                labels[first:last],
                partial.changed,
                partial.sums,
                partial.counts,
            )

        return _passes.reduce_rows(
            self.matrix,
            self.dtype,
            kernel,
            lambda: Clusters(*centres.shape),
            Clusters.merge,
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(len(centres)),
            partial_bytes=centres.nbytes,
        )

    def assign(self, centres: Array, labels: Labels) -> None:
        """Label all rows by centres in their own units."""
        near, assign = self.centred(centres), kernels().k_means.assign
        _passes.map_rows(
            self.matrix,
            self.dtype,
            lambda rows, first, last: assign(rows, self.shift, near, labels[first:last]),
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(len(centres)),
        )

    def inertia(self, centres: Array, labels: Labels) -> tuple[float, Array]:
        """Return the sum of squared distances from the labels' centres, and each row's own."""
        squares = np.empty(len(self.matrix), self.dtype)
        inertia = kernels().k_means.inertia
        total = _passes.reduce_rows(
            self.matrix,
            self.dtype,
            lambda rows, first, last, total: inertia(
                rows, centres, labels[first:last], squares[first:last], total
            ),
            lambda: np.zeros(1),
            _add,
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(1),
        )
        return float(total[0]), squares

    def approach(self, centre: Array, closest: Array) -> Double:
        """Lower `closest` to the squared distance from a centre; return its sum by block."""
        approach = kernels().k_means.approach
        size = _passes.BLOCK_ROWS
        totals = np.zeros(-(-len(self.matrix) // size))

        def kernel(rows: Array, first: int, last: int) -> None:
            approach(rows, centre, closest[first:last], totals[first // size : -(-last // size)])

        _passes.map_rows(
            self.matrix, self.dtype, kernel, n_jobs=self.n_jobs, flops_per_row=self._flops(1)
        )
        return totals

    def potentials(self, candidates: Array, closest: Array) -> Double:
        """Return for every candidate the sum of squared distances that it would leave."""
        potentials = kernels().k_means.potentials
        return _passes.reduce_rows(
            self.matrix,
            self.dtype,
            lambda rows, first, last, totals: potentials(
                rows, candidates, closest[first:last], totals
            ),
            lambda: np.zeros(len(candidates)),
            _add,
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(len(candidates)),
        )


def _farthest(squares: Array, labels: Labels, counts: NDArray[np.int64]) -> Iterator[int]:
    """Yield rows off their centres, the farthest first, that are not alone in their clusters.

    As many rows as there are clusters suffice: no more than that can be passed over.
    """
    kept = min(len(counts), len(squares))
    bound = np.partition(squares, len(squares) - kept)[len(squares) - kept]
    candidates = np.flatnonzero((squares >= bound) & (squares > 0))
    for row in candidates[np.argsort(-squares[candidates], kind="stable")]:
        if counts[labels[row]] > 1:
            yield int(row)


def _fill_empty(rows: Rows, clusters: Clusters, centres: Double, labels: Labels) -> None:
    """Give every empty cluster a row of its own: the farthest from its centre."""
    empty = np.flatnonzero(clusters.counts == 0)
    if len(empty) == 0:
        return
    _, squares = rows.inertia((centres + rows.shift).astype(rows.dtype), labels)
    for cluster, row in zip(empty, _farthest(squares, labels, clusters.counts), strict=False):
        x = (rows.at(row) - rows.shift).astype(np.float64)
        left = labels[row]
        clusters.sums[left] -= x
        clusters.counts[left] -= 1
        clusters.sums[cluster] = x
        clusters.counts[cluster] = 1
        clusters.changed += 1
        labels[row] = cluster


def lloyd(
    rows: Rows, seeds: Array, *, total: float, max_iter: int, tol: float, report: Report
) -> Run:
    """Move each centre to the mean of the rows nearest to it, until no row changes its centre.

    Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28, 1982, method I. It
    ends too where the centres' squared steps sum to no more than `tol`. `total` is the sum of
    squares about the shift, from which the cost of each step follows without another pass:
    sum |x - m_label|^2 = sum |x - s|^2 - sum_j n_j |m_j - s|^2.
    """
    labels = np.full(len(rows.matrix), -1, np.int32)
    centres = seeds.astype(np.float64) - rows.shift
    history: list[float] = []
    converged = False
    while len(history) < max_iter and not converged:
        clusters = rows.step(centres, labels)
        _fill_empty(rows, clusters, centres, labels)
        before, centres = centres, clusters.means(centres)
        converged = clusters.changed[0] == 0 or ordered_sum((centres - before) ** 2) <= tol
        history.append(max(total - clusters.explained(), 0.0))
        report(len(history), history[-1])
    settled = (centres + rows.shift).astype(rows.dtype)
    rows.assign(settled, labels)
    inertia, _ = rows.inertia(settled, labels)
    return Run(settled, labels, inertia, np.array(history), bool(converged))
