"""The passes over rows that k-means is made of, and Lloyd's iteration.

Inside the iteration centres are float64 and relative to a shift, the mean of the data: nothing
cancels however far from the origin the rows lie.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels
from hmlc._progress import Report

Array = NDArray[Any]
Double = NDArray[np.float64]
Labels = NDArray[np.int32]


class Clusters:
    """Sum of x - shift and number of rows of every cluster."""

    def __init__(self, n_clusters: int, n_columns: int) -> None:
        self.sums = np.zeros((n_clusters, n_columns))
        self.counts = np.zeros(n_clusters, np.int64)

    def merge(self, later: "Clusters") -> None:
        """Add the statistic of other rows."""
        self.sums += later.sums
        self.counts += later.counts

    def means(self, centres: Double) -> Double:
        """Return each cluster's mean; an empty one stays at its centre."""
        counts = self.counts[:, np.newaxis]
        return np.where(counts > 0, self.sums / np.maximum(counts, 1), centres)

    def explained(self) -> float:
        """Return the sum over clusters of n_j |m_j - shift|^2."""
        return ordered_sum(self.sums**2 / np.maximum(self.counts, 1)[:, np.newaxis])


class Settled:
    """Number of rows of every cluster, and the sum of squared distances from their centres."""

    def __init__(self, n_clusters: int) -> None:
        self.counts = np.zeros(n_clusters, np.int64)
        self.inertia = np.zeros(1)

    def merge(self, later: "Settled") -> None:
        """Add the statistic of later rows."""
        self.counts += later.counts
        self.inertia += later.inertia


@dataclass(frozen=True)
class Run:
    """Where one run of Lloyd's iteration ended; centres are in the columns' own units.

    `n_found` of the clusters have rows.
    """

    centres: Array
    labels: Labels
    n_found: int
    inertia: float
    cost_history: Double
    converged: bool


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
    """A checked matrix and the passes over it that k-means is made of."""

    def __init__(self, matrix: Array, shift: Array, n_jobs: int | None) -> None:
        self.matrix = matrix
        self.dtype = _validate.compute_dtype(matrix)
        self.shift = shift.astype(self.dtype)
        self.n_jobs = n_jobs

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
                rows, self.shift, near, centres, labels[first:last], part.counts, part.inertia
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

    def nearer(self, candidates: Array, closest: Array, room: int) -> NearRows | None:
        """List the rows nearer to each candidate than `closest`, or None if it has no room.

        There is room for so many candidates a row on average, over any run of rows.
        """
        nearer, shift = kernels().k_means.nearer, self.shift

        def kernel(rows: Array, first: int, last: int, parts: list[Any]) -> None:
            size = room * (last - first)
            which, places = np.empty(size, np.int32), np.empty(size, np.int64)
            squares = np.empty(size, self.dtype)
            near = closest[first:last]
            count = nearer(rows, shift, candidates, near, first, which, places, squares)
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


class PlainSteps:
    """Lloyd's steps in which every row is compared with every centre; labels are not kept."""

    def __init__(self, rows: Rows, n_clusters: int) -> None:
        self.rows = rows

    def step(self, centres: Array) -> Clusters:
        """Return the statistic of the clusters about centres relative to the shift."""
        lloyd, shift = kernels().k_means.lloyd, self.rows.shift
        return self.rows.reduce(
            centres,
            lambda rows, first, last, part: lloyd(rows, shift, centres, part.sums, part.counts),
        )

    def labels(self, centres: Array) -> Labels:
        """Return the labels of the step from those centres."""
        labels = np.empty(len(self.rows.matrix), np.int32)
        self.rows.label(centres, labels)
        return labels

    def relabel(self, row: int, cluster: int) -> None:
        """Know that a row was given to a cluster whose centre is not its nearest."""

    def settle(self, centres: Array) -> tuple[Labels, Settled]:
        """Return labels by centres in their own units, and the clusters' statistic."""
        labels = np.empty(len(self.rows.matrix), np.int32)
        return labels, self.rows.settle(centres, labels)


class BoundedSteps(PlainSteps):
    """The same steps, in which rows are passed over whose labels bounds of distances prove.

    Sums are kept from step to step and changed by the rows that change their clusters alone, so
    they depend on the labels' history but not on which rows were passed over.
    """

    def __init__(self, rows: Rows, n_clusters: int) -> None:
        super().__init__(rows, n_clusters)
        self.near: Labels = np.full(len(rows.matrix), -1, np.int32)
        self.lower = np.zeros((n_clusters, len(rows.matrix)), rows.dtype)
        self.upper = np.full(len(rows.matrix), np.inf, rows.dtype)
        self.clusters = Clusters(n_clusters, rows.matrix.shape[1])
        self.centres: Array = np.zeros(self.clusters.sums.shape, rows.dtype)

    def step(self, centres: Array) -> Clusters:
        lloyd, shift = kernels().k_means.lloyd_bounded, self.rows.shift
        steps = _lengths_or_more(centres, self.centres)

        def kernel(rows: Array, first: int, last: int, part: Clusters) -> None:
            near, lower, upper = self.near[first:last], self.lower[:, first:last], self.upper
            state = (near, lower, upper[first:last])
            lloyd(rows, shift, centres, steps, *state, part.sums, part.counts)

        self.clusters.merge(self.rows.reduce(centres, kernel))
        self.clusters.sums[self.clusters.counts == 0] = 0
        self.centres = centres
        return self.clusters

    def labels(self, centres: Array) -> Labels:
        return self.near

    def relabel(self, row: int, cluster: int) -> None:
        self.near[row] = cluster
        self.upper[row] = np.inf

    def settle(self, centres: Array) -> tuple[Labels, Settled]:
        settled = Settled(len(centres))
        settled.counts[:] = self.step(self.rows.centred(centres)).counts
        settled.inertia[0], _ = self.rows.inertia(centres, self.near)
        return self.near, settled


def _lengths_or_more(to: Array, start: Array) -> Array:
    """Return the distances of rows from each other, rounded upward in their float type."""
    with np.errstate(over="ignore"):
        squares = np.sum((to.astype(np.float64) - start) ** 2, axis=1)
        # A sum of squares in float64 is right to far better than 1e-6.
        lengths: Array = np.nextafter(np.sqrt(squares) * (1 + 1e-6), np.inf)
        return lengths.astype(to.dtype)


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
    rows, labels = steps.rows, steps.labels(centres.astype(steps.rows.dtype))
    _, squares = rows.inertia((centres + rows.shift).astype(rows.dtype), labels)
    for cluster, row in zip(empty, _farthest(squares, labels, clusters.counts), strict=False):
        x = (rows.at(row) - rows.shift).astype(np.float64)
        left = labels[row]
        clusters.sums[left] -= x
        clusters.counts[left] -= 1
        clusters.sums[cluster] = x
        clusters.counts[cluster] = 1
        labels[row] = cluster
        steps.relabel(row, int(cluster))


def lloyd(
    rows: Rows, seeds: Array, *, total: float, max_iter: int, tol: float, report: Report
) -> Run:
    """Move each centre to the mean of the rows nearest to it, until no row changes its centre.

    Lloyd, "Least squares quantization in PCM", IEEE Trans. Inf. Theory 28, 1982, method I. It
    ends where the centres' squared steps sum to no more than `tol`, or the report ends it: where no
    row changes its cluster the sums are the same to the bit, and the centres do not move. `total`
    is the sum of squares about the shift, from which the cost of each step follows without another
    pass: sum |x - m_label|^2 = sum |x - s|^2 - sum_j n_j |m_j - s|^2.
    """
    steps = (BoundedSteps if _use_bounds(*seeds.shape) else PlainSteps)(rows, len(seeds))
    centres = seeds.astype(np.float64) - rows.shift
    history: list[float] = []
    converged = False
    while len(history) < max_iter and not converged:
        clusters = steps.step(centres.astype(rows.dtype))
        _fill_empty(steps, clusters, centres)
        before, centres = centres, clusters.means(centres)
        history.append(max(total - clusters.explained(), 0.0))
        is_ended = report(len(history), history[-1])
        converged = is_ended or ordered_sum((centres - before) ** 2) <= tol
    settled = (centres + rows.shift).astype(rows.dtype)
    labels, clusters_end = steps.settle(settled)
    n_found = int(np.count_nonzero(clusters_end.counts))
    inertia = float(clusters_end.inertia[0])
    return Run(settled, labels, n_found, inertia, np.array(history), bool(converged))
