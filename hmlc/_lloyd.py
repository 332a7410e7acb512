"""Lloyd's iteration.

Inside it centres are float64 and relative to a shift, the mean of the data: nothing cancels
however far from the origin the rows lie.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hmlc._backend import kernels
from hmlc._cluster_rows import Array, Clusters, Double, Labels, Rows, Settled, ordered_sum
from hmlc._progress import Report

MOSTLY = 15 / 16
"""Of pairs of row and centre: to pass over fewer costs more than it saves."""

MOST_UNEVEN = 1e6
"""Times that a row may weigh another where sums are kept from step to step."""


@dataclass(frozen=True)
class Run:
    """Where one run of Lloyd's iteration ended; centres are in the columns' own units.

    `counts` are the clusters' weights.
    """

    centres: Array
    labels: Labels
    counts: Double
    inertia: float
    cost_history: Double
    converged: bool


class PlainSteps:
    """Lloyd's steps in which every row is compared with every centre; labels are not kept."""

    def __init__(self, rows: Rows, n_clusters: int) -> None:
        self.rows = rows

    def step(self, centres: Array) -> Clusters:
        """Return the statistic of the clusters about centres relative to the shift."""
        lloyd, shift, weights = kernels().k_means.lloyd, self.rows.shift, self.rows.weights
        return self.rows.reduce(
            centres,
            lambda rows, first, last, part: lloyd(
                rows, weights[first:last], shift, centres, part.sums, part.counts
            ),
        )

    def labels(self, centres: Array) -> Labels:
        """Return the labels of the step from those centres."""
        labels = np.empty(len(self.rows.matrix), np.int32)
        self.rows.label(centres, labels)
        return labels

    def relabel(self, places: NDArray[np.intp], cluster: int) -> None:
        """Know that rows were given to a cluster whose centre is not their nearest."""

    def settle(self, centres: Array) -> tuple[Labels, Settled]:
        """Return labels by centres in their own units, and the clusters' statistic."""
        labels = np.empty(len(self.rows.matrix), np.int32)
        return labels, self.rows.settle(centres, labels)


class LabelledSteps(PlainSteps):
    """Steps that keep the labels of the step before; what else they keep they say."""

    def __init__(self, rows: Rows, n_clusters: int) -> None:
        super().__init__(rows, n_clusters)
        self.near: Labels = np.full(len(rows.matrix), -1, np.int32)

    def labels(self, centres: Array) -> Labels:
        return self.near

    def settle(self, centres: Array) -> tuple[Labels, Settled]:
        settled = Settled(len(centres))
        settled.counts[:] = self.step(self.rows.centred(centres)).counts
        settled.inertia[0], _ = self.rows.inertia(centres, self.near)
        return self.near, settled


class HamerlySteps(LabelledSteps):
    """The same steps, in which rows are compared with those centres alone that may be nearer.

    Where that is nearly all of them the next steps are plain ones, each time twice as many. Which
    are leaves no trace.
    """

    def __init__(self, rows: Rows, n_clusters: int) -> None:
        super().__init__(rows, n_clusters)
        self.lower = np.full(len(rows.matrix), -np.inf, rows.dtype)
        self.centres: Array = np.zeros((n_clusters, rows.matrix.shape[1]), rows.dtype)
        self.is_plain, self.is_known = False, False
        self.to_pause, self.pause = 0, 1

    def step(self, centres: Array) -> Clusters:
        self.is_plain = self.to_pause > 0
        if self.is_plain:
            self.to_pause -= 1
            return super().step(centres)
        clusters, met = self._bounded_step(centres)
        if self.is_known and met > MOSTLY * len(self.near) * len(centres):
            self.to_pause, self.pause = self.pause, 2 * self.pause
            self.lower.fill(-np.inf)
        self.is_known = self.to_pause == 0
        return clusters

    def _bounded_step(self, centres: Array) -> tuple[Clusters, int]:
        """Return the clusters' statistic, and how many centres all rows had to meet."""
        lloyd, shift, weights = kernels().k_means.lloyd_hamerly, self.rows.shift, self.rows.weights
        steps = _lengths_or_more(centres, self.centres)
        order = np.argsort(-steps, kind="stable").astype(np.int32)
        moved = shift, centres[order], steps[order], order
        met: list[int] = []

        def kernel(rows: Array, first: int, last: int, part: Clusters) -> None:
            state = self.near[first:last], self.lower[first:last]
            met.append(lloyd(rows, weights[first:last], *moved, *state, part.sums, part.counts))

        self.centres = centres
        return self.rows.reduce(centres, kernel), sum(met)

    def labels(self, centres: Array) -> Labels:
        return PlainSteps.labels(self, centres) if self.is_plain else self.near

    def relabel(self, places: NDArray[np.intp], cluster: int) -> None:
        self.near[places] = cluster
        self.lower[places] = -np.inf

    def settle(self, centres: Array) -> tuple[Labels, Settled]:
        self.to_pause = 0
        return super().settle(centres)


class BoundedSteps(LabelledSteps):
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
        steps, weights = _lengths_or_more(centres, self.centres), self.rows.weights

        def kernel(rows: Array, first: int, last: int, part: Clusters) -> None:
            near, lower, upper = self.near[first:last], self.lower[:, first:last], self.upper
            state = (near, lower, upper[first:last])
            lloyd(rows, weights[first:last], shift, centres, steps, *state, part.sums)

        self.clusters.merge(self.rows.reduce(centres, kernel))
        # Anew, for differences of weights would leave an empty cluster their rounding.
        self.clusters.counts[:] = np.bincount(self.near, weights, len(centres))
        self.clusters.sums[self.clusters.counts == 0] = 0
        self.centres = centres
        return self.clusters

    def relabel(self, places: NDArray[np.intp], cluster: int) -> None:
        self.near[places] = cluster
        self.upper[places] = np.inf


def _lengths_or_more(to: Array, start: Array) -> Array:
    """Return the distances of rows from each other, rounded upward in their float type."""
    with np.errstate(over="ignore"):
        squares = to.astype(np.float64)
        squares -= start
        squares *= squares
        # A sum of squares in float64 is right to far better than 1e-6.
        lengths: Array = np.nextafter(np.sqrt(squares.sum(axis=1)) * (1 + 1e-6), np.inf)
        return lengths.astype(to.dtype)


def _is_long(n_clusters: int, n_columns: int) -> bool:
    """Say whether rows are long beside all bounds of theirs: k_means_is_long of the C sources."""
    return n_columns >= 128 and n_columns >= 16 * n_clusters


def _is_wide(n_clusters: int, n_columns: int) -> bool:
    """Say whether one bound is little beside a row, and its upkeep little beside the products."""
    return n_columns >= 32 and n_columns * n_clusters >= 6000


def _is_even(weights: Array) -> bool:
    """Say whether sums can be kept from step to step.

    A row that leaves a cluster leaves it the rounding of its own weight, which must not be seen
    beside the other rows'.
    """
    least = weights[weights > 0].min(initial=np.inf) if weights.strides[0] else weights.max()
    return bool(weights.max() <= MOST_UNEVEN * least)


def _new_steps(rows: Rows, n_clusters: int, n_columns: int) -> PlainSteps:
    """Return steps with bounds where these pay."""
    kind = PlainSteps
    if _is_long(n_clusters, n_columns):
        kind = BoundedSteps if _is_even(rows.weights) else PlainSteps
    elif _is_wide(n_clusters, n_columns):
        kind = HamerlySteps
    return kind(rows, n_clusters)


def _farthest(rows: Rows, squares: Array, labels: Labels) -> Iterator[NDArray[np.intp]]:
    """Yield the places of rows off their centres, equal rows at once, the farthest first.

    They are not all that their cluster has. `squares` are used up.
    """
    squares[rows.weights == 0] = 0
    while squares.max() > 0:
        row = int(np.argmax(squares))
        alike = np.flatnonzero((squares == squares[row]) & (labels == labels[row]))
        same = alike[(rows.matrix[alike] == rows.matrix[row]).all(axis=1)]
        squares[same] = 0
        others = (labels == labels[row]) & (rows.weights > 0)
        others[same] = False
        if others.any():
            yield same


def _fill_empty(steps: PlainSteps, clusters: Clusters, centres: Double) -> None:
    """Give every empty cluster rows of its own: those, equal to each other, farthest from theirs.

    All that are equal, so that a row of weight w is as w rows.
    """
    empty = np.flatnonzero(clusters.counts == 0)
    if len(empty) == 0:
        return
    rows, labels = steps.rows, steps.labels(centres.astype(steps.rows.dtype))
    _, squares = rows.inertia((centres + rows.shift).astype(rows.dtype), labels)
    for cluster, places in zip(empty, _farthest(rows, squares, labels), strict=False):
        x = (rows.at(places[0]) - rows.shift).astype(np.float64)
        weight = ordered_sum(rows.weights[places].astype(np.float64))
        left = labels[places[0]]
        clusters.sums[left] -= weight * x
        clusters.counts[left] -= weight
        clusters.sums[cluster] = weight * x
        clusters.counts[cluster] = weight
        labels[places] = cluster
        steps.relabel(places, int(cluster))


def _advance(steps: PlainSteps, centres: Double) -> tuple[Double, float, float]:
    """Return the clusters' means, what these explain, and the sum of the centres' squared steps."""
    clusters = steps.step(centres.astype(steps.rows.dtype))
    _fill_empty(steps, clusters, centres)
    means = clusters.means(centres)
    squares = means - centres
    squares *= squares
    return means, clusters.explained(), ordered_sum(squares)


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
    steps = _new_steps(rows, *seeds.shape)
    centres = seeds.astype(np.float64) - rows.shift
    history: list[float] = []
    converged = False
    while len(history) < max_iter and not converged:
        centres, explained, moved = _advance(steps, centres)
        history.append(max(total - explained, 0.0))
        converged = report(len(history), history[-1]) or moved <= tol
    settled = (centres + rows.shift).astype(rows.dtype)
    labels, clusters_end = steps.settle(settled)
    inertia = float(clusters_end.inertia[0])
    return Run(settled, labels, clusters_end.counts, inertia, np.array(history), bool(converged))
