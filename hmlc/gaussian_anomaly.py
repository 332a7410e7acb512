"""Anomalies by the density of a Gaussian fitted to the rows, and the threshold that tells them."""

import warnings
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _labels, _validate, _weights
from hmlc._backend import kernels
from hmlc._estimator import Estimator
from hmlc._gaussian import Gaussian, gaussian_of, log_density, tail_threshold
from hmlc._scatter import Scatter, column_scatter, joined
from hmlc.features import Moments, column_moments
from hmlc.threshold_selection import select_threshold

Array = NDArray[Any]
Vector = NDArray[np.float64]

TAIL = 0.001
"""The share of a Gaussian that is anomalous where nothing else is said."""


class GaussianAnomalyDetector(Estimator):
    """Flags rows of low density under a Gaussian fitted to all rows.

    Parameters
    ----------
    covariance : {"diag", "full"}, default "diag"
        Independent columns with a variance each, or any covariance.
    contamination : float in (0, 0.5], optional
        Share of the rows given to `fit`, as they weigh, that the threshold flags, at least one
        where their densities differ; by default one in a thousand. None sets the threshold that one
        row in a thousand of the Gaussian itself falls below. Labels given to `fit` decide instead.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all.

    Attributes
    ----------
    mean_ : float64 array of shape (n_features,)
        Mean of each column, in its units.
    variance_ : float64 array of shape (n_features,)
        Variance of each column (divided by n), in its units squared.
    covariance_ : float64 array of shape (n_features, n_features), or None for "diag"
        Covariance (divided by n).
    threshold_ : float
        Rows of lower log-density are anomalies.
    n_features_in_ : int
        Number of columns.

    Notes
    -----
    Log-densities are sums: the product of 400 columns' densities would underflow. With W the
    inverse of the covariance's Cholesky factor, log N(x) = log det W - d/2 log 2 pi
    - |W (x - mean)|^2 / 2 (Bishop, Pattern Recognition and Machine Learning, 2006, eq. 2.43).

    A constant column is given the standard deviation 2^-23 |value| (2^-23 for the value 0): a row
    that differs there by more than float32's rounding is anomalous, one that does not is not.

    A covariance is singular where columns are combinations of others, or there are no more rows
    than columns: where the columns before it leave less than 1e-9 of a column's variance (1e-5 for
    float32 rows). Every variance is then raised by ten times that share of itself, or ten times
    more until that suffices, and a warning given.

    Where contamination is None and there are no labels, and after `partial_fit`, `threshold_` is
    where d squared standard deviations sum to what chi-squared exceeds with that share (0.001 for
    None); see `_chi_squared`.

    Examples
    --------
    >>> from hmlc import GaussianAnomalyDetector
    >>> X = [[1.0, 2.0], [1.2, 2.1], [0.9, 1.9], [1.1, 2.2], [5.0, -3.0]]
    >>> GaussianAnomalyDetector(contamination=0.2).fit(X).predict(X)
    array([ 1,  1,  1,  1, -1])
    """

    mean_: Vector
    variance_: Vector
    covariance_: Vector | None
    threshold_: float
    _seen: "_Seen | None"

    _estimator_type = "outlier_detector"

    def __init__(
        self,
        *,
        covariance: str = "diag",
        contamination: float | None = 0.001,
        n_jobs: int | None = None,
    ) -> None:
        self.covariance = covariance
        self.contamination = contamination
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn mean and covariance of all rows of X, and the threshold.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Finite real numbers.
        y : array-like of shape (n_rows,), optional
            1 or True for an anomaly, else 0 or False. If it has anomalies, the threshold is the
            one of the largest F1; see `select_threshold`. A y of other values is not used, as
            scikit-learn's detectors ignore theirs.
        sample_weight : array-like of shape (n_rows,) or float, optional
            How many rows each counts as, >= 0, in mean, covariance and threshold; 1 by default.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X, y or `sample_weight` is not of the kind above, no row has any weight,
            or a variance overflows.

        Warns
        -----
        UserWarning
            If y holds other values than 0 and 1, or the covariance is singular; see the notes.

        Examples
        --------
        >>> from hmlc import GaussianAnomalyDetector
        >>> X = [[1.0, 2.0], [1.2, 2.1], [0.9, 1.9], [1.1, 2.2], [5.0, -3.0]]
        >>> detector = GaussianAnomalyDetector().fit(X, [0, 0, 0, 0, 1])
        >>> detector.predict([[1.0, 2.0], [9.0, 9.0]])
        array([ 1, -1])
        """
        contamination, n_jobs = self._check_parameters()
        matrix = _validate.check_matrix(X)
        labels = None if y is None else _anomaly_labels(y, len(matrix))
        dtype = _validate.compute_dtype(matrix)
        weights = _weights.check_sample_weight(sample_weight, len(matrix), dtype)
        gaussian = gaussian_of(self._statistic(matrix, weights, n_jobs), dtype)
        threshold = tail_threshold(gaussian, TAIL)
        if labels is not None and labels[weights > 0].any():
            scores = log_density(gaussian, matrix, n_jobs)
            threshold = select_threshold(labels, scores, weights).threshold
        elif contamination is not None:
            scores = log_density(gaussian, matrix, n_jobs)
            threshold = _upper_quantile(scores, weights, contamination)
        self._keep(gaussian, threshold)
        self._seen = None
        self._keep_features(X, matrix)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from rows X, and from all those seen by this method before; `y` is not used.

        `sample_weight` is as for `fit`. What is kept of rows are their moments, or with
        ``covariance="full"`` their scatter, which merge exactly (Chan, Golub and LeVeque 1979,
        eq. 2.1): mean and covariance are those of `fit` on all rows but for rounding in float64,
        and depend on the sequence of chunks alone. Rows are not kept, so that `threshold_` is the
        log-density that a share `contamination` (one in a thousand for None) of the Gaussian itself
        falls below. `fit` keeps nothing of rows: this method begins anew after it.

        Raises
        ------
        ValueError, TypeError
            If a parameter is not of its kind, or `covariance` was changed since the rows before, or
            X is not a finite real matrix as wide as those, or `sample_weight` not as for `fit`;
            nothing is learned then.

        Examples
        --------
        >>> from hmlc import GaussianAnomalyDetector
        >>> detector = GaussianAnomalyDetector()
        >>> for chunk in ([[1.0], [3.0]], [[5.0], [7.0]]):
        ...     _ = detector.partial_fit(chunk)
        >>> detector.mean_, detector.variance_
        (array([4.]), array([5.]))
        >>> detector.predict([[4.0], [40.0]])
        array([ 1, -1])
        """
        contamination, n_jobs = self._check_parameters()
        before = getattr(self, "_seen", None)
        matrix = self._as_chunk(X, before is None)
        dtype = _validate.compute_dtype(matrix)
        weights = _weights.check_sample_weight(sample_weight, len(matrix), dtype)
        statistic = self._statistic(matrix, weights, n_jobs)
        if before is not None:
            statistic = before.joined(statistic)
            dtype = min(before.dtype, dtype, key=lambda each: each.itemsize)
        gaussian = gaussian_of(statistic, dtype)
        share = TAIL if contamination is None else contamination
        self._keep(gaussian, tail_threshold(gaussian, share))
        self._seen = _Seen(statistic, dtype)
        if before is None:
            self._keep_features(X, matrix)
        return self

    def _check_parameters(self) -> tuple[float | None, int | None]:
        """Return contamination and n_jobs."""
        _validate.check_choice(self.covariance, "covariance", ("diag", "full"))
        share = self.contamination
        if share is not None:
            share = _validate.check_number(share, "contamination", low=0, high=0.5, open_low=True)
        return share, _validate.check_n_jobs(self.n_jobs)

    def _statistic(self, matrix: Array, weights: Array, n_jobs: int | None) -> Moments | Scatter:
        if self.covariance == "full":
            return column_scatter(matrix, n_jobs=n_jobs, weights=weights)
        return column_moments(matrix, n_jobs, weights=weights)

    def _keep(self, gaussian: "Gaussian", threshold: float) -> None:
        self.mean_ = gaussian.mean
        self.variance_ = gaussian.variance
        self.covariance_ = gaussian.covariance
        self._gaussian = gaussian
        self.threshold_ = threshold

    @property
    def offset_(self) -> float:
        """`threshold_`, by scikit-learn's name.

        Examples
        --------
        >>> from hmlc import GaussianAnomalyDetector
        >>> detector = GaussianAnomalyDetector().fit([[1.0], [2.0], [6.0]])
        >>> detector.offset_ == detector.threshold_
        True
        """
        self._check_fitted()
        return self.threshold_

    def score_samples(self, X: Any) -> Array:
        """Return each row's log-density, float32 for float32 and else float64.

        It is -infinity where it is too low for a number.

        Examples
        --------
        >>> from hmlc import GaussianAnomalyDetector
        >>> detector = GaussianAnomalyDetector().fit([[-1.0], [1.0]])
        >>> detector.score_samples([[0.0], [2.0]]).round(4)
        array([-0.9189, -2.9189])
        """
        matrix = self._as_rows(X)
        out = log_density(self._gaussian, matrix, _validate.check_n_jobs(self.n_jobs))
        _validate.check_finite_by(out, matrix, "X")
        return out

    def density(self, X: Any) -> Array:
        """Return each row's density; 0 where it underflows.

        Examples
        --------
        >>> from hmlc import GaussianAnomalyDetector
        >>> detector = GaussianAnomalyDetector().fit([[-1.0], [1.0]])
        >>> detector.density([[0.0], [2.0]]).round(4)
        array([0.3989, 0.054 ])
        """
        scores = self.score_samples(X)
        out = np.empty_like(scores)
        kernels().elementwise.exponential(scores, out)
        return out

    def decision_function(self, X: Any) -> Array:
        """Return each row's log-density less `threshold_`: negative for anomalies.

        Examples
        --------
        >>> from hmlc import GaussianAnomalyDetector
        >>> detector = GaussianAnomalyDetector().fit([[-1.0], [1.0]])
        >>> detector.decision_function([[0.0], [9.0]]) < 0
        array([False,  True])
        """
        scores = self.score_samples(X)
        return (scores.astype(np.float64) - self.threshold_).astype(scores.dtype)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return -1 for each anomaly and 1 for every other row.

        Examples
        --------
        >>> from hmlc import GaussianAnomalyDetector
        >>> GaussianAnomalyDetector().fit([[-1.0], [1.0]]).predict([[0.0], [9.0]])
        array([ 1, -1])
        """
        return np.where(self.decision_function(X) < 0, np.int64(-1), np.int64(1))

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> NDArray[np.int64]:
        """Return ``fit(X, y, sample_weight).predict(X)``.

        Examples
        --------
        >>> from hmlc import GaussianAnomalyDetector
        >>> GaussianAnomalyDetector(contamination=0.25).fit_predict([[1.0], [1.2], [0.8], [7.0]])
        array([ 1,  1,  1, -1])
        """
        return self.fit(X, y, sample_weight).predict(X)


def _anomaly_labels(y: Any, n_rows: int) -> NDArray[np.uint8] | None:
    """Return y as flags, or None with a warning where it tells anything but 0 and 1."""
    values = np.asarray(y)
    _validate.check_same_length(values, n_rows, "y")
    if np.isin(values, (0, 1)).all():
        return _labels.check_flags(y, "y")
    warnings.warn(
        "y holds other values than 0 and 1 (1 is an anomaly), so it is not used; the threshold is "
        "set by contamination",
        UserWarning,
        stacklevel=3,
    )
    return None


class _Seen(NamedTuple):
    """What `partial_fit` keeps of the rows: a statistic, and the coarsest type they came in."""

    statistic: Moments | Scatter
    dtype: np.dtype[Any]

    def joined(self, later: Moments | Scatter) -> Moments | Scatter:
        """Return the statistic of these rows and of later ones."""
        before = self.statistic
        if isinstance(before, Moments) and isinstance(later, Moments):
            return before.joined(later)
        if isinstance(before, Scatter) and isinstance(later, Scatter):
            return joined(before, later)
        raise ValueError(
            "covariance was changed since the rows before; expected that of the first partial_fit, "
            "or a fit first"
        )


def _upper_quantile(scores: Array, weights: Array, share: float) -> float:
    """Return the lowest score that a share of all other rows at least is no higher than.

    A row of weight w is as w rows of its score. A weight of 1 is a row, or where there are lesser
    ones the least: so it matters not for weights below 1 by what they are all multiplied.
    """
    if weights.strides == (0,):
        return float(np.quantile(scores, share, method="higher"))
    order = np.argsort(scores, kind="stable")
    ranks = np.cumsum(weights[order], dtype=np.float64)
    row = min(1.0, float(weights[weights > 0].min()))
    place = np.searchsorted(ranks - row, share * (ranks[-1] - row))
    return float(scores[order[place]])
