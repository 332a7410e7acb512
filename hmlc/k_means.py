"""k-means: rows grouped around the nearest of k centres."""

import warnings
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from hmlc import _passes, _validate
from hmlc._backend import kernels
from hmlc._cluster_rows import Array, Double, Labels, Rows, ordered_sum
from hmlc._estimator import ConvergenceWarning, Transformer
from hmlc._lloyd import Run, lloyd
from hmlc._mini_batch import Seen
from hmlc._progress import Callback, Report, Reporter, check_reporting, reporting
from hmlc._seeding import plus_plus_seeds, random_seeds, set_of_rows
from hmlc._weights import check_sample_weight
from hmlc.features import column_moments

RANDOM_RUNS = 10
"""What n_init="auto" means for random seeds, as in scikit-learn."""


class KMeans(Transformer):
    """Groups rows into clusters, each row to the nearest of k centres.

    Minimises the sum of squared distances of rows from their centres by Lloyd's iteration
    (IEEE Trans. Inf. Theory 28, 1982) from k-means++ seeds (Arthur and Vassilvitskii, SODA 2007).
    Of equally near centres a row takes the first; a cluster that loses all its rows takes the row
    farthest from its centre, and those equal to it. Results do not depend on the number of threads.
    For up to 65,536 values (rows times columns) the draws depend on the set of rows alone, not on
    their order, nor on whether a row is repeated or weighted.

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
        1 shows the iterations' progress: a bar where tqdm is installed, else lines with the cost.
        2 prints the lines.
    callback : callable, optional
        Called with a `Progress` after every iteration; a true answer ends the fit, which keeps
        what it has reached.

    Attributes
    ----------
    cluster_centers_ : array of shape (n_clusters, n_features)
        Centres in the columns' units; float32 for float32 rows, else float64.
    labels_ : int32 array of shape (n_samples,)
        Index of each row's nearest centre: `predict` of the same rows.
    counts_ : float64 array of shape (n_clusters,)
        Weight of each cluster's rows; after `partial_fit`, of all rows ever given to its centre.
    inertia_ : float
        Weighted sum of squared distances of rows from their centres, computed by differences.
    n_iter_ : int
        Iterations of the run kept, or chunks seen by `partial_fit`.
    cost_history_ : float64 array of shape (n_iter_,)
        Weighted sum of squares about the clusters' means after each iteration, to rounding of the
        total sum of squares; or each chunk's inertia.
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
    counts_: Double
    inertia_: float
    n_iter_: int
    cost_history_: Double
    _shift: Double
    _seen: Double | None

    _estimator_type = "clusterer"

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
        verbose: int = 0,
        callback: Callback | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callback = callback

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Find the clusters of X's rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite real numbers.
        y : ignored
            Taken for scikit-learn's sake.
        sample_weight : number or array-like of shape (n_samples,), optional
            A row of weight w is as w equal rows; one of weight 0 is as if it were not there.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of its range, X is not a finite real matrix, it has fewer rows
            than there are clusters, given centres do not fit it, or the weights are not as many
            numbers >= 0 as there are rows.

        Warns
        -----
        ConvergenceWarning
            If max_iter ends the run kept, or fewer distinct clusters than n_clusters were found.

        Examples
        --------
        >>> from hmlc import KMeans
        >>> X = [[0.0], [1.0], [10.0], [11.0]]
        >>> model = KMeans(n_clusters=2, init=[[0.0], [1.0]]).fit(X)
        >>> model.cluster_centers_.ravel(), model.n_iter_
        (array([ 0.5, 10.5]), 3)
        """
        n_clusters = _validate.check_integer(self.n_clusters, "n_clusters")
        max_iter = _validate.check_integer(self.max_iter, "max_iter")
        tol = _validate.check_number(self.tol, "tol", low=0)
        n_jobs = _validate.check_n_jobs(self.n_jobs)
        check_reporting(self)
        rng = _validate.random_generator(self.random_state)
        n_runs = self._check_runs()
        matrix = _validate.as_matrix(X)
        _check_enough(matrix, n_clusters)
        given = self._check_centres(matrix, n_clusters)
        weights = _check_weights(sample_weight, matrix)

        moments = column_moments(matrix, n_jobs, weights=weights)
        rows = Rows(matrix, moments.mean, n_jobs, weights)
        offset = moments.mean - rows.shift
        total = ordered_sum(moments.m2 + moments.count[0] * offset**2)
        scaled_tol = tol * ordered_sum(moments.variance) / matrix.shape[1]
        # Of runs that end alike the first is kept, whatever the order of rows.
        rounding = _passes.BLOCK_ROWS * float(np.finfo(rows.dtype).eps)
        to_draw = rows if given is not None else set_of_rows(rows)
        best: Run | None = None
        with reporting(self) as reporter:
            for report in _run_reports(reporter, n_runs):
                seeds = self._seeds(to_draw, n_clusters, rng) if given is None else given
                run = lloyd(
                    rows, seeds, total=total, max_iter=max_iter, tol=scaled_tol, report=report
                )
                if best is None or run.inertia < best.inertia * (1 - rounding):
                    best = run
        assert best is not None
        _warn_of(best, n_clusters, max_iter)
        self._shift = moments.mean
        self._seen = None
        self._keep(best.centres, best.labels, best.counts, best.inertia, best.cost_history)
        self._keep_features(X, matrix)
        return self

    def _keep(
        self, centres: Array, labels: Labels, counts: Double, inertia: float, history: Double
    ) -> None:
        self.cluster_centers_ = centres
        self.labels_ = labels
        self.counts_ = counts
        self.inertia_ = inertia
        self.cost_history_ = history
        self.n_iter_ = len(history)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Let the centres take another chunk of rows: mini-batch k-means.

        Every row goes to the nearest centre, and every centre to the mean of all rows ever given
        to it (Sculley, "Web-scale k-means clustering", WWW 2010). The first chunk chooses the
        centres to begin with, as `init` says. `labels_` and `inertia_` are those of this chunk
        about the centres that it leaves; no centre is replaced that has no rows. `fit` keeps
        nothing of rows: this method begins anew after it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite real numbers; at first at least n_clusters rows.
        y : ignored
            Taken for scikit-learn's sake.
        sample_weight : number or array-like of shape (n_samples,), optional
            A row of weight w is as w equal rows; one of weight 0 is as if it were not there.

        Raises
        ------
        ValueError, TypeError
            What `fit` raises, or if n_clusters was changed since the rows before, or X is not as
            wide as those; nothing is learned then.

        Examples
        --------
        >>> from hmlc import KMeans
        >>> model = KMeans(n_clusters=2, init=[[0.0], [9.0]])
        >>> for chunk in ([[0.0], [10.0]], [[1.0], [11.0], [12.0]]):
        ...     _ = model.partial_fit(chunk)
        >>> model.cluster_centers_.ravel(), model.counts_
        (array([ 0.5, 11. ]), array([2., 3.]))
        """
        n_clusters = _validate.check_integer(self.n_clusters, "n_clusters")
        n_jobs = _validate.check_n_jobs(self.n_jobs)
        rng = _validate.random_generator(self.random_state)
        self._check_runs()
        is_first = getattr(self, "_seen", None) is None
        matrix = self._as_chunk(X, is_first)
        weights = _check_weights(sample_weight, matrix)
        if is_first:
            dtype, history = _validate.compute_dtype(matrix), np.empty(0)
            seen, middle = self._first_centres(matrix, weights, n_clusters, n_jobs, rng)
        else:
            _validate.check_finite(matrix, "X")
            dtype, history = self.cluster_centers_.dtype, self.cost_history_
            seen, middle = self._seen_so_far(n_clusters), self._shift
        seen = seen.joined(Rows(matrix, middle, n_jobs, weights))
        middle = seen.middle()
        rows = Rows(matrix, middle, n_jobs, weights)
        labels = np.empty(len(matrix), np.int32)
        inertia = float(rows.settle(seen.centres.astype(rows.dtype), labels).inertia[0])
        self._shift, self._seen = middle, seen.centres
        centres = seen.centres.astype(np.result_type(dtype, rows.dtype))
        self._keep(centres, labels, seen.counts, inertia, np.append(history, inertia))
        self._keep_features(X, matrix)
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

    def _first_centres(
        self,
        matrix: Array,
        weights: Array,
        n_clusters: int,
        n_jobs: int | None,
        rng: "np.random.Generator",
    ) -> tuple[Seen, Double]:
        """Return the centres that `init` says, which have taken no rows, and the rows' mean."""
        _check_enough(matrix, n_clusters)
        seeds = self._check_centres(matrix, n_clusters)
        moments = column_moments(matrix, n_jobs, weights=weights)
        if seeds is None:
            rows = Rows(matrix, moments.mean, n_jobs, weights)
            seeds = self._seeds(set_of_rows(rows), n_clusters, rng)
        return Seen(seeds.astype(np.float64), np.zeros(n_clusters)), moments.mean

    def _seen_so_far(self, n_clusters: int) -> Seen:
        """Return what `partial_fit` kept."""
        assert self._seen is not None
        if len(self._seen) != n_clusters:
            raise ValueError(
                f"n_clusters is {n_clusters}, but was {len(self._seen)} for the rows before; "
                "expected that of the first partial_fit, or a fit first"
            )
        return Seen(self._seen, self.counts_)

    def _seeds(self, rows: Rows, n_clusters: int, rng: "np.random.Generator") -> Array:
        draw = plus_plus_seeds if self.init == "k-means++" else random_seeds
        return draw(rows, n_clusters, rng)

    def _rows(self, X: Any, sample_weight: Any = None) -> tuple[Rows, Array]:
        """Return checked rows, and the centres in their float type."""
        matrix = self._check_rows(X)
        weights = _check_weights(sample_weight, matrix)
        rows = Rows(matrix, self._shift, _validate.check_n_jobs(self.n_jobs), weights)
        return rows, self.cluster_centers_.astype(rows.dtype)

    def predict(self, X: Any) -> Labels:
        """Return the index of each row's nearest centre, int32 of shape (n_samples,).

        Examples
        --------
        >>> from hmlc import KMeans
        >>> model = KMeans(n_clusters=2, init=[[0.0], [9.0]]).fit([[0.0], [1.0], [10.0], [11.0]])
        >>> model.predict([[2.0], [8.0]])
        array([0, 1], dtype=int32)
        """
        self._check_fitted()
        model = self.n_features_in_, self._shift, self.cluster_centers_
        few: Labels | None = self._answer_few(kernels().k_means, X, *model)
        if few is not None:
            return few
        rows, centres = self._rows(X)
        labels = np.empty(len(rows.matrix), np.int32)
        rows.assign(centres, labels)
        return labels

    def transform(self, X: Any) -> Any:
        """Return the distances of rows from all centres, of shape (n_samples, n_clusters).

        A data frame where `set_output` asks for it.

        Examples
        --------
        >>> from hmlc import KMeans
        >>> model = KMeans(n_clusters=2, init=[[0.0], [9.0]]).fit([[0.0], [1.0], [10.0], [11.0]])
        >>> model.transform([[2.0]])
        array([[1.5, 8.5]])
        """
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
        return self._in_container(out, X)

    def _names_out(self, names: list[str]) -> list[str]:
        return [f"kmeans{c}" for c in range(len(self.cluster_centers_))]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return minus the weighted sum of squared distances of rows from their nearest centres.

        Examples
        --------
        >>> from hmlc import KMeans
        >>> model = KMeans(n_clusters=2, init=[[0.0], [9.0]]).fit([[0.0], [1.0], [10.0], [11.0]])
        >>> model.score([[2.5], [10.5]])
        -4.0
        """
        rows, centres = self._rows(X, sample_weight)
        labels = np.empty(len(rows.matrix), np.int32)
        return -float(rows.settle(centres, labels).inertia[0])

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Labels:
        """Return `fit(X, sample_weight=sample_weight).labels_`.

        Examples
        --------
        >>> from hmlc import KMeans
        >>> X = [[0.0], [1.0], [10.0], [11.0]]
        >>> KMeans(n_clusters=2, init=[[0.0], [9.0]]).fit_predict(X)
        array([0, 0, 1, 1], dtype=int32)
        """
        return self.fit(X, sample_weight=sample_weight).labels_

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Return `fit(X, sample_weight=sample_weight).transform(X)`.

        Examples
        --------
        >>> from hmlc import KMeans
        >>> X = [[0.0], [1.0], [10.0], [11.0]]
        >>> KMeans(n_clusters=2, init=[[0.0], [9.0]]).fit_transform(X)[0]
        array([ 0.5, 10.5])
        """
        return self.fit(X, sample_weight=sample_weight).transform(X)


def _check_enough(matrix: Array, n_clusters: int) -> None:
    if len(matrix) < n_clusters:
        raise ValueError(f"n_samples={len(matrix)} should be >= n_clusters={n_clusters}")


def _check_weights(sample_weight: Any, matrix: Array) -> Array:
    return check_sample_weight(sample_weight, len(matrix), _validate.compute_dtype(matrix))


def _run_reports(reporter: Reporter, n_runs: int) -> Iterator[Report]:
    """Yield what takes each run's reports, until one of them ends the fit."""
    for run in range(1, n_runs + 1):
        if not reporter.is_ended:
            yield reporter.of(f"run {run} of {n_runs}") if n_runs > 1 else reporter


def _warn_of(run: Run, n_clusters: int, max_iter: int) -> None:
    n_found = int(np.count_nonzero(run.counts))
    if n_found < n_clusters:
        warnings.warn(
            f"KMeans found {n_found} distinct clusters, fewer than n_clusters={n_clusters}: "
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
