"""The passes over rows that k-means is made of, and Lloyd's iteration.

Inside the iteration centres are float64 and relative to a shift, the mean of the data: nothing
cancels however far from the origin the rows lie.
"""

from collections.abc import Callable, Iterator
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


class PlainSteps:
    """Lloyd's steps in which every row is compared with every centre."""

    def __init__(self, rows: Rows, n_clusters: int) -> None:
        self.rows = rows
        self.labels: Labels = np.full(len(rows.matrix), -1, np.int32)

    def step(self, centres: Array) -> Clusters:
        """Relabel all rows by centres relative to the shift; return the clusters' statistic."""
        lloyd, shift = kernels().k_means.lloyd, self.rows.shift

        def kernel(rows: Array, first: int, last: int, part: Clusters) -> None:
            labels = self.labels[first:last]
            lloyd(rows, shift, centres, labels, part.changed, part.sums, part.counts)

        return self.rows.reduce(centres, kernel)

    def relabel(self, row: int, cluster: int) -> None:
        """Give a row to a cluster whose centre is not its nearest."""
        self.labels[row] = cluster

    def settle(self, centres: Array) -> None:
        """Label all rows by centres in their own units."""
        self.rows.assign(centres, self.labels)


class BoundedSteps(PlainSteps):
    """The same steps, in which rows are passed over whose labels bounds of distances prove.

    Sums are kept from step to step and changed by the rows that change their clusters alone, so
    they depend on the labels' history but not on which rows were passed over.
    """

    def __init__(self, rows: Rows, n_clusters: int) -> None:
        super().__init__(rows, n_clusters)
        self.lower = np.zeros((n_clusters, len(rows.matrix)), rows.dtype)
        self.upper = np.full(len(rows.matrix), np.inf, rows.dtype)
        self.clusters = Clusters(n_clusters, rows.matrix.shape[1])
        self.centres: Array = np.zeros(self.clusters.sums.shape, rows.dtype)

    def step(self, centres: Array) -> Clusters:
        lloyd, shift = kernels().k_means.lloyd_bounded, self.rows.shift
        steps = _lengths_or_more(centres, self.centres)

        def kernel(rows: Array, first: int, last: int, part: Clusters) -> None:
            labels, lower = self.labels[first:last], self.lower[:, first:last]
            state = (labels, lower, self.upper[first:last])
            lloyd(rows, shift, centres, steps, *state, part.changed, part.sums, part.counts)

        self.clusters.changed[:] = 0
        self.clusters.merge(self.rows.reduce(centres, kernel))
        self.clusters.sums[self.clusters.counts == 0] = 0
        self.centres = centres
        return self.clusters

    def relabel(self, row: int, cluster: int) -> None:
        super().relabel(row, cluster)
        self.upper[row] = np.inf

    def settle(self, centres: Array) -> None:
        self.step(self.rows.centred(centres))


def _lengths_or_more(to: Array, start: Array) -> Array:
    """Return the distances of rows from each other, rounded upward in their float type."""
    with np.errstate(over="ignore"):
        squares = np.sum((to.astype(np.float64) - start) ** 2, axis=1)
        # A sum of squares in float64 is right to far better than 1e-6.
        return np.nextafter(np.sqrt(squares) * (1 + 1e-6), np.inf).astype(to.dtype)


def _use_bounds(n_clusters: int, n_columns: int) -> bool:
    """Say whether rows are long beside their bounds: is_long of the C sources."""
    return n_columns >= 128 and n_columns >= 16 * n_clusters


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


def _fill_empty(steps: PlainSteps, clusters: Clusters, centres: Double) -> None:
    """Give every empty cluster a row of its own: the farthest from its centre."""
    empty = np.flatnonzero(clusters.counts == 0)
    if len(empty) == 0:
        return
    rows, labels = steps.rows, steps.labels
    _, squares = rows.inertia((centres + rows.shift).astype(rows.dtype), labels)
    for cluster, row in zip(empty, _farthest(squares, labels, clusters.counts), strict=False):
        x = (rows.at(row) - rows.shift).astype(np.float64)
        left = labels[row]
        clusters.sums[left] -= x
        clusters.counts[left] -= 1
        clusters.sums[cluster] = x
        clusters.counts[cluster] = 1
        clusters.changed += 1
        steps.relabel(row, int(cluster))


def lloyd(
    rows: Rows, seeds: Array, *, total: float, max_iter: int, tol: float, report: Report
) -> Run:
    """Move each centre to the mean of the rows nearest to it, until no row changes its centre.

    Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28, 1982, method I. It
    ends too where the centres' squared steps sum to no more than `tol`. `total` is the sum of
    squares about the shift, from which the cost of each step follows without another pass:
    sum |x - m_label|^2 = sum |x - s|^2 - sum_j n_j |m_j - s|^2.
    """
    steps = (BoundedSteps if _use_bounds(*seeds.shape) else PlainSteps)(rows, len(seeds))
    centres = seeds.astype(np.float64) - rows.shift
    history: list[float] = []
    converged = False
    while len(history) < max_iter and not converged:
        clusters = steps.step(centres.astype(rows.dtype))
        _fill_empty(steps, clusters, centres)
        before, centres = centres, clusters.means(centres)
        converged = clusters.changed[0] == 0 or ordered_sum((centres - before) ** 2) <= tol
        history.append(max(total - clusters.explained(), 0.0))
        report(len(history), history[-1])
    settled = (centres + rows.shift).astype(rows.dtype)
    steps.settle(settled)
    inertia, _ = rows.inertia(settled, steps.labels)
    return Run(settled, steps.labels, inertia, np.array(history), bool(converged))
