"""k-means: Lloyd's iteration from k-means++ seeds.

Inside a fit centres are float64 and relative to `shift`, the mean of the data: nothing cancels
however far from the origin the rows lie.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels
from hmlc._estimator import ConvergenceWarning, Estimator
from hmlc._optimize import Report, reporter
from hmlc.features import column_moments

Array = NDArray[Any]
Double = NDArray[np.float64]
Labels = NDArray[np.int32]

RANDOM_RUNS = 10
"""What n_init="auto" means for random seeds, as in scikit-learn."""


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
        return _sum(self.sums**2 / np.maximum(self.counts, 1)[:, np.newaxis])


@dataclass(frozen=True)
class Run:
    """Where one run of Lloyd's iteration ended; centres are in the columns' own units."""

    centres: Array
    labels: Labels
    inertia: float
    cost_history: Double
    converged: bool


def _sum(values: Array) -> float:
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

    def settle(self, centres: Array, labels: Labels) -> float:
        """Label all rows by centres in their own units; return the inertia."""
        near, family = self.centred(centres), kernels().k_means
        return self._inertia(
            centres,
            labels,
            lambda rows, first, last: family.assign(rows, self.shift, near, labels[first:last]),
        )

    def squares(self, centres: Array, labels: Labels) -> Array:
        """Return each row's squared distance from the centre of its label."""
        squares = np.empty(len(self.matrix), self.dtype)
        self._inertia(centres, labels, lambda rows, first, last: None, squares)
        return squares

    def _inertia(
        self, centres: Array, labels: Labels, before: Any, squares: Array | None = None
    ) -> float:
        inertia = kernels().k_means.inertia

        def kernel(rows: Array, first: int, last: int, total: Double) -> None:
            before(rows, first, last)
            out = np.empty(len(rows), self.dtype) if squares is None else squares[first:last]
            inertia(rows, centres, labels[first:last], out, total)

        total = _passes.reduce_rows(
            self.matrix,
            self.dtype,
            kernel,
            lambda: np.zeros(1),
            _add,
            n_jobs=self.n_jobs,
            flops_per_row=self._flops(len(centres)),
        )
        return float(total[0])

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


def _sample(
    closest: Array, block_totals: Double, tries: int, rng: np.random.Generator
) -> list[int]:
    """Draw rows with probability proportional to `closest`; a row of zero only if all are."""
    cumulative = np.cumsum(block_totals)
    if not cumulative[-1] > 0:
        return rng.integers(len(closest), size=tries).tolist()
    drawn = []
    last_block = int(np.flatnonzero(block_totals)[-1])
    for draw in rng.random(tries) * cumulative[-1]:
        block = min(int(np.searchsorted(cumulative, draw, side="right")), last_block)
        first = block * _passes.BLOCK_ROWS
        inside = closest[first : first + _passes.BLOCK_ROWS]
        rest = draw - (cumulative[block - 1] if block else 0.0)
        row = int(np.searchsorted(np.cumsum(inside, dtype=np.float64), rest, side="right"))
        drawn.append(first + min(row, int(np.flatnonzero(inside)[-1])))
    return drawn


def plus_plus_seeds(rows: Rows, n_clusters: int, rng: np.random.Generator) -> Array:
    """Return seeds far from each other: Arthur and Vassilvitskii, "k-means++", SODA 2007.

    The first is a row drawn uniformly. Each next is drawn with probability proportional to the
    squared distance from the seeds so far: the best of 2 + floor(ln k) draws (the paper's
    section 5), by the sum of squares that it leaves.
    """
    tries = 2 + int(math.log(n_clusters))
    closest = np.full(len(rows.matrix), np.inf, rows.dtype)
    seeds = [rows.at(int(rng.integers(len(closest))))]
    while len(seeds) < n_clusters:
        block_totals = rows.approach(seeds[-1], closest)
        candidates = rows.at(_sample(closest, block_totals, tries, rng))
        best = int(np.argmin(rows.potentials(candidates, closest)))
        seeds.append(candidates[best])
    return np.stack(seeds)


def random_seeds(rows: Rows, n_clusters: int, rng: np.random.Generator) -> Array:
    """Return different rows, drawn uniformly."""
    return rows.at(rng.choice(len(rows.matrix), n_clusters, replace=False))


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
    squares = rows.squares((centres + rows.shift).astype(rows.dtype), labels)
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
        converged = clusters.changed[0] == 0 or _sum((centres - before) ** 2) <= tol
        history.append(max(total - clusters.explained(), 0.0))
        report(len(history), history[-1])
    settled = (centres + rows.shift).astype(rows.dtype)
    inertia = rows.settle(settled, labels)
    return Run(settled, labels, inertia, np.array(history), bool(converged))


class KMeans(Estimator):
    """Groups rows into clusters, each row to the nearest of k centres.

    Minimises the sum of squared distances of rows from their centres by Lloyd's iteration
    (IEEE Trans. Inf. Theory 28, 1982) from k-means++ seeds (Arthur and Vassilvitskii, SODA 2007).
    Of equally near centres a row takes the first; a cluster that loses all its rows takes the row
    farthest from its centre. Results do not depend on the number of threads.

    Parameters
    ----------
    n_clusters : int
        Number of clusters, k.
    init : {"k-means++", "random"} or array of shape (n_clusters, n_features)
        Seeds: rows drawn far from each other, rows drawn uniformly, or the centres themselves
        (copied).
    n_init : int or "auto"
        Runs from different seeds, of which the one with the least inertia is kept. "auto" is 10
        for random seeds, else 1; from given centres there is one run.
    max_iter : int
        Most iterations of a run.
    tol : float
        A run ends where the centres' squared steps sum to at most tol times the mean variance of
        the columns, or where no row changes its cluster.
    random_state : int, numpy Generator or RandomState, optional
        Seed of the draws.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all.
    verbose : int or bool
        Print the cost of each iteration.

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features)
        Centres in the columns' units; float32 for float32 rows, else float64.
    labels_ : int32 array of shape (n_samples,)
        Index of each row's nearest centre: `predict` of the same rows.
    inertia_ : float
        Sum of squared distances of rows from their centres, computed by differences.
    n_iter_ : int
        Iterations of the run kept.
    cost_history_ : float64 array of shape (n_iter_,)
        Sum of squares about the clusters' means after each iteration, to rounding of the total
        sum of squares.
    n_features_in_ : int
        Number of columns.

    Examples
    --------
    >>> from hmlc import KMeans
    >>> model = KMeans(n_clusters=2, random_state=0).fit([[0.0], [1.0], [10.0], [11.0]])
    >>> sorted(model.cluster_centers_.ravel().tolist())
    [0.5, 10.5]
    >>> model.inertia_
    1.0
    """

    cluster_centers_: Array
    labels_: Labels
    inertia_: float
    n_iter_: int
    cost_history_: Double
    _shift: Double

    def __init__(
        self,
        *,
        n_clusters: int = 8,
        init: Any = "k-means++",
        n_init: Any = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: Any = 0,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the clusters of X's rows; `y` is not used.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, X is not a finite real matrix, it has fewer rows
            than there are clusters, or given centres do not fit it.

        Warns
        -----
        ConvergenceWarning
            If max_iter ends the run kept, or fewer distinct clusters than n_clusters were found.
        """
        n_clusters = _validate.check_integer(self.n_clusters, "n_clusters")
        max_iter = _validate.check_integer(self.max_iter, "max_iter")
        tol = _validate.check_number(self.tol, "tol", low=0)
        n_jobs = _validate.check_n_jobs(self.n_jobs)
        rng = _validate.random_generator(self.random_state)
        n_runs = self._check_runs()
        matrix = _validate.check_matrix(X)
        if len(matrix) < n_clusters:
            raise ValueError(f"n_samples={len(matrix)} should be >= n_clusters={n_clusters}")
        given = self._check_centres(matrix, n_clusters)

        moments = column_moments(matrix, n_jobs)
        rows = Rows(matrix, moments.mean, n_jobs)
        offset = moments.mean - rows.shift
        total = _sum(moments.m2 + len(matrix) * offset**2)
        scaled_tol = tol * _sum(moments.variance) / matrix.shape[1]
        report = reporter("KMeans", self.verbose)
        best: Run | None = None
        for _ in range(n_runs):
            seeds = self._seeds(rows, n_clusters, rng) if given is None else given
            run = lloyd(rows, seeds, total=total, max_iter=max_iter, tol=scaled_tol, report=report)
            if best is None or run.inertia < best.inertia:
                best = run
        assert best is not None
        _warn_of(best, n_clusters, max_iter)
        self._shift = moments.mean
        self.cluster_centers_ = best.centres
        self.labels_ = best.labels
        self.inertia_ = best.inertia
        self.cost_history_ = best.cost_history
        self.n_iter_ = len(best.cost_history)
        self.n_features_in_ = matrix.shape[1]
        return self

    def _check_runs(self) -> int:
        """Return how many runs `init` and `n_init` ask for."""
        is_array = not isinstance(self.init, str)
        if not is_array:
            _validate.check_choice(self.init, "init", ("k-means++", "random"))
        if isinstance(self.n_init, str):
            _validate.check_choice(self.n_init, "n_init", ("auto",))
            return RANDOM_RUNS if not is_array and self.init == "random" else 1
        runs = _validate.check_integer(self.n_init, "n_init")
        return 1 if is_array else runs

    def _check_centres(self, matrix: Array, n_clusters: int) -> Array | None:
        """Return a copy of the given centres in the rows' float type; None where none are."""
        if isinstance(self.init, str):
            return None
        centres = _validate.check_matrix(self.init, "init")
        expected = (n_clusters, matrix.shape[1])
        if centres.shape != expected:
            raise ValueError(
                f"init must be of shape (n_clusters, n_features) = {expected}; got {centres.shape}"
            )
        with np.errstate(over="ignore"):
            centres = centres.astype(_validate.compute_dtype(matrix))
        _validate.check_finite(centres, "init")
        return centres

    def _seeds(self, rows: Rows, n_clusters: int, rng: np.random.Generator) -> Array:
        draw = plus_plus_seeds if self.init == "k-means++" else random_seeds
        return draw(rows, n_clusters, rng)

    def _rows(self, X: Any) -> tuple[Rows, Array]:
        """Return checked rows, and the centres in their float type."""
        matrix = self._check_rows(X)
        rows = Rows(matrix, self._shift, _validate.check_n_jobs(self.n_jobs))
        return rows, self.cluster_centers_.astype(rows.dtype)

    def predict(self, X: Any) -> Labels:
        """Return the index of each row's nearest centre, int32 of shape (n_samples,)."""
        rows, centres = self._rows(X)
        labels = np.empty(len(rows.matrix), np.int32)
        rows.settle(centres, labels)
        return labels

    def transform(self, X: Any) -> Array:
        """Return the distances of rows from all centres, of shape (n_samples, n_clusters)."""
        rows, centres = self._rows(X)
        out = np.empty((len(rows.matrix), len(centres)), rows.dtype)
        distances = kernels().k_means.distances
        _passes.map_rows(
            rows.matrix,
            rows.dtype,
            lambda part, first, last: distances(part, centres, out[first:last]),
            n_jobs=rows.n_jobs,
            flops_per_row=3 * centres.size,
        )
        return out

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the sum of squared distances of rows from their nearest centres."""
        rows, centres = self._rows(X)
        return -rows.settle(centres, np.empty(len(rows.matrix), np.int32))

    def fit_predict(self, X: Any, y: Any = None) -> Labels:
        """Return `fit(X).labels_`."""
        return self.fit(X).labels_

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Return `fit(X).transform(X)`."""
        return self.fit(X).transform(X)


def _warn_of(run: Run, n_clusters: int, max_iter: int) -> None:
    found = len(np.unique(run.labels))
    if found < n_clusters:
        warnings.warn(
            f"KMeans found {found} distinct clusters, fewer than n_clusters={n_clusters}: "
            "possibly there are duplicate rows in X.",
            ConvergenceWarning,
            stacklevel=3,
        )
    if not run.converged:
        warnings.warn(
            f"KMeans reached max_iter={max_iter} before its centres settled; "
            "consider a larger max_iter or tol.",
            ConvergenceWarning,
            stacklevel=3,
        )
