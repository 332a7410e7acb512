"""Anomalies by the density of a Gaussian fitted to the rows, and the threshold that tells them."""

import math
import warnings
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels
from hmlc._estimator import Estimator
from hmlc._scatter import Scatter, column_scatter, joined
from hmlc.features import Moments, column_moments

Array = NDArray[Any]
Vector = NDArray[np.float64]

CONSTANT_SCALE = 2.0**-23
"""Standard deviation of a constant column, in units of its value: float32's rounding of it."""

SMALLEST_PIVOT = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-9}
"""Least share of a column's variance that the columns before it may leave unexplained.

Products of deviations are off by up to 1e-5 of themselves where a block sums 256 in float32.
"""

TAIL = 0.001
"""The share of a Gaussian that is anomalous where nothing else is said."""


class ThresholdSelection(NamedTuple):
    """What `select_threshold` found; ``threshold, f1 = result[:2]``.

    Attributes
    ----------
    threshold : float
        Rows with ``score < threshold`` are flagged as anomalies.
    f1, precision, recall : float
        Of that threshold, on the labels given.
    thresholds : array of shape (n_distinct_scores,)
        Every threshold that flags another set of rows, rising; of the scores' float type.
    precisions, recalls, f1s : float64 arrays of shape (n_distinct_scores,)
        Of each of them.

    Examples
    --------
    >>> from hmlc import select_threshold
    >>> found = select_threshold([1, 0, 1, 0], [-9.0, -7.0, -5.0, -1.0])
    >>> found.threshold, found.f1, found.recall
    (-3.0, 0.8, 1.0)
    >>> found.thresholds
    array([-8., -6., -3., -1.])
    """

    threshold: float
    f1: float
    precision: float
    recall: float
    thresholds: Array
    precisions: Vector
    recalls: Vector
    f1s: Vector


def select_threshold(labels: Any, scores: Any) -> ThresholdSelection:
    """Choose the threshold on a score that finds labelled anomalies with the largest F1.

    A row is flagged where ``score < threshold``: low densities are anomalous. The sweep over the
    sorted scores is exact: it tries every set of rows that a threshold can flag (rows of equal
    score are flagged together), in O(n log n), where a grid of thresholds misses most.

    Parameters
    ----------
    labels : array-like of shape (n_rows,)
        1 or True for an anomaly, 0 or False for a normal row; at least one anomaly.
    scores : array-like of shape (n_rows,)
        Densities or log-densities, or any score that is lower for the more anomalous. They are
        compared as float32 where they are float32, else as float64; -infinity is allowed.

    Returns
    -------
    ThresholdSelection
        Threshold and F1 first, then precision and recall, then all four along the sweep. A
        threshold is the midpoint between the largest score flagged and the smallest that is not,
        or the latter where no number lies between; the last, which flags every row, is the
        number next above the largest score. Of equal F1 the lowest threshold is chosen.

    Raises
    ------
    ValueError
        If lengths differ, a label is neither 0 nor 1, none is 1, or a score is NaN or +infinity.
    TypeError
        If labels or scores are not numbers.

    Notes
    -----
    Of k rows flagged, t of them among the p anomalies: precision t / k, recall t / p and
    F1 = 2 t / (k + p), their harmonic mean (van Rijsbergen, Information Retrieval, 1979, ch. 7).

    Examples
    --------
    >>> from hmlc import select_threshold
    >>> threshold, f1 = select_threshold([1, 0, 1, 0], [-9.0, -2.0, -7.0, -1.0])[:2]
    >>> threshold, f1
    (-4.5, 1.0)
    """
    flags = _validate.check_flags(labels, "labels")
    values = _validate.check_scores(scores, len(flags))
    if not flags.any():
        raise ValueError("labels must hold at least one anomaly (1 or True); got none")
    thresholds = np.empty(len(values), values.dtype)
    precisions, recalls, f1s = (np.empty(len(values)) for _ in range(3))
    count, best = kernels().threshold.sweep(values, flags, thresholds, precisions, recalls, f1s)
    return ThresholdSelection(
        float(thresholds[best]),
        float(f1s[best]),
        float(precisions[best]),
        float(recalls[best]),
        thresholds[:count],
        precisions[:count],
        recalls[:count],
        f1s[:count],
    )


class GaussianAnomalyDetector(Estimator):
    """Flags rows of low density under a Gaussian fitted to all rows.

    Parameters
    ----------
    covariance : {"diag", "full"}, default "diag"
        Independent columns with a variance each, or any covariance.
    contamination : float in (0, 0.5], optional
        Share of the rows given to `fit` that the threshold flags, at least one where their
        densities differ; by default one in a thousand. None sets the threshold that one row in a
        thousand of the Gaussian itself falls below. Labels given to `fit` decide instead.
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
    where d squared standard deviations sum to a quantile of chi-squared (0.999 for None), by Wilson
    and Hilferty (PNAS 17, 1931), which is up to 3 % high.

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

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn mean and covariance of all rows of X, and the threshold.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Finite real numbers.
        y : array-like of shape (n_rows,), optional
            1 or True for an anomaly, else 0 or False. If it has anomalies, the threshold is the
            one of the largest F1; see `select_threshold`. A y of other values is not used, as
            scikit-learn's detectors ignore theirs.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or y is not of the kind above, or a variance overflows.

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
        n_jobs = self._check_parameters()
        matrix = _validate.check_matrix(X)
        labels = None if y is None else _anomaly_labels(y, len(matrix))
        dtype = _validate.compute_dtype(matrix)
        gaussian = _gaussian_of(self._statistic(matrix, n_jobs), dtype)
        threshold = _threshold(gaussian, matrix, labels, self.contamination, n_jobs)
        self._keep(gaussian, threshold)
        self._seen = None
        self._keep_features(X, matrix)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn from rows X, and from all those seen by this method before; `y` is not used.

        What is kept of rows are their moments, or with ``covariance="full"`` their scatter, which
        merge exactly (Chan, Golub and LeVeque 1979, eq. 2.1): mean and covariance are those of
        `fit` on all rows but for rounding in float64, and depend on the sequence of chunks alone.
        Rows are not kept, so that `threshold_` is the log-density that a share `contamination` (one
        in a thousand for None) of the Gaussian itself falls below. `fit` keeps nothing of rows:
        this method begins anew after it.

        Raises
        ------
        ValueError, TypeError
            If a parameter is not of its kind, or `covariance` was changed since the rows before, or
            X is not a finite real matrix as wide as those; nothing is learned then.

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
        n_jobs = self._check_parameters()
        before = getattr(self, "_seen", None)
        matrix = self._as_chunk(X, before is None)
        statistic, dtype = self._statistic(matrix, n_jobs), _validate.compute_dtype(matrix)
        if before is not None:
            statistic = before.joined(statistic)
            dtype = min(before.dtype, dtype, key=lambda each: each.itemsize)
        gaussian = _gaussian_of(statistic, dtype)
        share = TAIL if self.contamination is None else self.contamination
        self._keep(gaussian, _tail_threshold(gaussian, share))
        self._seen = _Seen(statistic, dtype)
        self._keep_features(X, matrix)
        return self

    def _check_parameters(self) -> int | None:
        _validate.check_choice(self.covariance, "covariance", ("diag", "full"))
        if self.contamination is not None:
            _validate.check_number(
                self.contamination, "contamination", low=0, high=0.5, open_low=True
            )
        return _validate.check_n_jobs(self.n_jobs)

    def _statistic(self, matrix: Array, n_jobs: int | None) -> Moments | Scatter:
        if self.covariance == "full":
            return column_scatter(matrix, n_jobs=n_jobs)
        return column_moments(matrix, n_jobs)

    def _keep(self, gaussian: "_Gaussian", threshold: float) -> None:
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
        out = _log_density(self._gaussian, matrix, _validate.check_n_jobs(self.n_jobs))
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

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """Return ``fit(X, y).predict(X)``.

        Examples
        --------
        >>> from hmlc import GaussianAnomalyDetector
        >>> GaussianAnomalyDetector(contamination=0.25).fit_predict([[1.0], [1.2], [0.8], [7.0]])
        array([ 1,  1,  1, -1])
        """
        return self.fit(X, y).predict(X)


def _anomaly_labels(y: Any, n_rows: int) -> NDArray[np.uint8] | None:
    """Return y as flags, or None with a warning where it tells anything but 0 and 1."""
    values = np.asarray(y)
    _validate.check_same_length(values, n_rows, "y")
    if np.isin(values, (0, 1)).all():
        return _validate.check_flags(y, "y")
    warnings.warn(
        "y holds other values than 0 and 1 (1 is an anomaly), so it is not used; the threshold is "
        "set by contamination",
        UserWarning,
        stacklevel=3,
    )
    return None


class _Gaussian(NamedTuple):
    """A fitted Gaussian.

    The whitener W has W' W = covariance^-1: a lower triangle, or of independent columns its
    diagonal. normaliser is log det W - d/2 log 2 pi.
    """

    mean: Vector
    variance: Vector
    covariance: Vector | None
    whitener: Vector
    normaliser: float


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


def _gaussian_of(statistic: Moments | Scatter, dtype: np.dtype[Any]) -> _Gaussian:
    if isinstance(statistic, Moments):
        return _diagonal_gaussian(statistic, dtype)
    return _full_gaussian(statistic, dtype)


def _diagonal_gaussian(moments: Moments, dtype: np.dtype[Any]) -> _Gaussian:
    variance = _floored(moments.variance, moments.mean, dtype)
    whitener = 1 / np.sqrt(variance)
    return _Gaussian(moments.mean, variance, None, whitener, _log_normaliser(whitener))


def _full_gaussian(scatter: Scatter, dtype: np.dtype[Any]) -> _Gaussian:
    covariance = scatter.S / scatter.count[0]
    variance = _floored(covariance.diagonal(), scatter.mean, dtype)
    deviation = np.sqrt(variance)
    # In standard units a column's own unit leaves no trace in what counts as singular.
    correlation = covariance / deviation[:, None] / deviation
    np.fill_diagonal(correlation, 1.0)
    factor, ridge = _factor(correlation, SMALLEST_PIVOT[dtype])
    whitener = _inverse_of_triangle(factor) / deviation
    np.fill_diagonal(covariance, variance * (1 + ridge))
    return _Gaussian(
        scatter.mean,
        covariance.diagonal().copy(),
        covariance,
        whitener,
        _log_normaliser(np.ascontiguousarray(whitener.diagonal())),
    )


def _floored(variance: Vector, mean: Vector, dtype: np.dtype[Any]) -> Vector:
    """Return the variances, those of constant columns raised from 0.

    A column is constant where its deviation is no more than the rounding of its value.
    """
    if not np.isfinite(variance).all():
        column = int(np.argmin(np.isfinite(variance)))
        raise ValueError(f"Column {column} of X is too large: its variance overflows {dtype}")
    value = np.abs(mean)
    rounding = 4 * np.finfo(dtype).eps * value
    floor = CONSTANT_SCALE * np.where(value == 0, 1.0, value)
    floor = np.maximum(floor * floor, np.finfo(np.float64).tiny)
    return np.where(variance > rounding * rounding, variance, np.maximum(variance, floor))


def _factor(correlation: Vector, smallest_pivot: float) -> tuple[Vector, float]:
    """Return the Cholesky factor of correlation + ridge I, and the ridge: 0 if it is regular."""
    cholesky = kernels().linalg.cholesky
    factor = np.empty_like(correlation)
    ridge = 0.0
    while True:
        regular = correlation + ridge * np.eye(len(correlation))
        if cholesky(regular, smallest_pivot, factor) == len(factor):
            break
        ridge = 10 * (ridge or smallest_pivot)
    if ridge > 0:
        warnings.warn(
            "The covariance is singular: columns are linear combinations of others, or there are "
            f"too few rows. {ridge:g} of each variance was added to it.",
            UserWarning,
            stacklevel=5,
        )
    return factor, ridge


def _inverse_of_triangle(factor: Vector) -> Vector:
    """Return the inverse W of a lower triangle L by forward substitution, a column of L a time."""
    W = np.eye(len(factor))
    for k in range(len(factor)):
        W[k, : k + 1] /= factor[k, k]
        W[k + 1 :, : k + 1] -= factor[k + 1 :, k, None] * W[k, : k + 1]
    return W


def _log_normaliser(inverse_scale: Vector) -> float:
    return float(kernels().gaussian.log_normaliser(inverse_scale))


def _log_density(gaussian: _Gaussian, X: Array, n_jobs: int | None) -> Array:
    dtype = _validate.compute_dtype(X)
    largest = np.finfo(dtype).max
    whitener = np.clip(gaussian.whitener, -largest, largest).astype(dtype)
    family = kernels().gaussian
    density = family.log_density_diagonal if whitener.ndim == 1 else family.log_density_full
    out = np.empty(len(X), dtype)
    _passes.map_rows(
        X,
        dtype,
        lambda rows, first, last: density(
            rows, gaussian.mean, whitener, gaussian.normaliser, out[first:last]
        ),
        n_jobs=n_jobs,
        flops_per_row=whitener.size + 4 * X.shape[1],
    )
    return out


def _threshold(
    gaussian: _Gaussian,
    X: Array,
    labels: NDArray[np.uint8] | None,
    contamination: float | None,
    n_jobs: int | None,
) -> float:
    """Return the log-density below which rows are anomalies; see the detector's notes."""
    if labels is not None and labels.any():
        return select_threshold(labels, _log_density(gaussian, X, n_jobs)).threshold
    if contamination is not None:
        scores = _log_density(gaussian, X, n_jobs)
        return float(np.quantile(scores, contamination, method="higher"))
    return _tail_threshold(gaussian, TAIL)


def _tail_threshold(gaussian: _Gaussian, share: float) -> float:
    """Return the log-density that a share of the Gaussian itself falls below; see the notes."""
    from statistics import NormalDist  # Not at the top: few need it, and it takes milliseconds.

    d = len(gaussian.mean)
    h = 2 / (9 * d)
    root = 1 - h - NormalDist().inv_cdf(share) * math.sqrt(h)
    return gaussian.normaliser - 0.5 * d * (root * root * root)
