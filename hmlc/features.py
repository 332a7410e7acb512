"""Standard units of columns, and the map from columns to those that an estimator fits on."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate, _weights, basis
from hmlc._backend import kernels
from hmlc._estimator import Transformer

Array = NDArray[Any]


class Moments:
    """Sum of weights, mean and sum of squared deviations of every column: a pass's partial sum.

    Without weights `count` is the number of rows.
    """

    def __init__(self, n_columns: int) -> None:
        self.count = np.zeros(1)
        self.mean = np.zeros(n_columns)
        self.m2 = np.zeros(n_columns)

    def merge(self, other: "Moments") -> None:
        """Join later rows: Chan, Golub and LeVeque (1979), eq. 2.1."""
        if other.count[0] == 0:
            return
        if self.count[0] == 0:
            self.count[:], self.mean[:], self.m2[:] = other.count, other.mean, other.m2
            return
        before, after = self.count[0], self.count[0] + other.count[0]
        with np.errstate(over="ignore", invalid="ignore"):
            delta = other.mean - self.mean
            self.m2 += other.m2 + delta**2 * (before * other.count[0] / after)
            self.mean += delta * (other.count[0] / after)
        self.count[0] = after

    def joined(self, later: "Moments") -> "Moments":
        """Return the moments of these rows and of later ones; neither changes.

        Raises
        ------
        ValueError
            If a variance overflows.
        """
        total = Moments(len(self.mean))
        for part in (self, later):
            total.merge(part)
        if not np.isfinite(total.m2).all():
            column = int(np.argmin(np.isfinite(total.m2)))
            raise ValueError(f"Column {column} of X is too large: its variance overflows float64")
        return total

    @property
    def variance(self) -> NDArray[np.float64]:
        """The mean squared deviation (divided by count)."""
        count: float = self.count[0]
        return self.m2 / count

    @property
    def scale(self) -> NDArray[np.float64]:
        """The square root of the variance; 1 for a constant column."""
        return np.where(self.m2 > 0, np.sqrt(self.variance), 1.0)


def column_moments(X: Array, n_jobs: int | None = None, *, weights: Array | None = None) -> Moments:
    """Return the moments of a matrix's columns, in one pass over its rows.

    `weights` are those of `_weights.check_sample_weight`, of any float type; None is 1.

    Raises
    ------
    ValueError
        Where X holds NaN or infinity, or numbers whose squares are too large for its dtype.
        The moments show it, so X is not read a second time unless there is something to tell.
    """
    update = kernels().moments.update
    dtype = _validate.compute_dtype(X)
    weights = _weights.in_type(weights, len(X), dtype)

    def kernel(rows: Array, first: int, last: int, partial: Moments) -> None:
        update(rows, weights[first:last], partial.count, partial.mean, partial.m2)

    moments = _passes.reduce_rows(
        X,
        dtype,
        kernel,
        lambda: Moments(X.shape[1]),
        Moments.merge,
        n_jobs=n_jobs,
        flops_per_row=4 * X.shape[1],
        partial_bytes=16 * X.shape[1],
    )
    if not np.isfinite(moments.m2).all():
        _validate.check_finite(X, "X")
        column = int(np.argmin(np.isfinite(moments.m2)))
        raise ValueError(f"Column {column} of X is too large: its variance overflows {dtype}")
    return moments


class StandardScaler(Transformer):
    """Brings columns to mean 0 and variance 1, by the statistics of the rows given to `fit`.

    Parameters
    ----------
    with_mean : bool, default True
        Whether `transform` takes the mean off.
    with_std : bool, default True
        Whether `transform` divides by the standard deviation.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all.

    Attributes
    ----------
    mean_ : float64 array of shape (n_features,)
        Mean of each column, in its units.
    variance_ : float64 array of shape (n_features,)
        Variance of each column (divided by n), in its units squared.
    scale_ : float64 array of shape (n_features,)
        Square root of the variance; 1 for a constant column, which becomes 0.
    n_features_in_ : int
        Number of columns.

    Examples
    --------
    >>> from hmlc import StandardScaler
    >>> StandardScaler().fit_transform([[1.0, 5.0], [3.0, 5.0]])
    array([[-1.,  0.],
           [ 1.,  0.]])
    """

    mean_: NDArray[np.float64]
    variance_: NDArray[np.float64]
    scale_: NDArray[np.float64]

    def __init__(
        self, *, with_mean: bool = True, with_std: bool = True, n_jobs: int | None = None
    ) -> None:
        self.with_mean = with_mean
        self.with_std = with_std
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn mean and variance of X's columns; `y` is not used.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Finite real numbers.
        y : ignored
        sample_weight : array-like of shape (n_rows,) or float, optional
            How many rows each counts as, >= 0; 1 by default.

        Raises
        ------
        ValueError, TypeError
            If X is not a finite real matrix with at least one row and one column, or
            `sample_weight` is not as described or 0 for all rows.

        Examples
        --------
        >>> from hmlc import StandardScaler
        >>> scaler = StandardScaler().fit([[1.0, 5.0], [3.0, 5.0]])
        >>> scaler.mean_, scaler.scale_
        (array([2., 5.]), array([1., 1.]))
        """
        n_jobs = self._check_parameters()
        matrix = _validate.as_matrix(X)
        self._keep(self._moments_of(matrix, sample_weight, n_jobs))
        self._keep_features(X, matrix)
        return self

    def _check_parameters(self) -> int | None:
        _validate.check_bool(self.with_mean, "with_mean")
        _validate.check_bool(self.with_std, "with_std")
        return _validate.check_n_jobs(self.n_jobs)

    def _moments_of(self, matrix: Array, sample_weight: Any, n_jobs: int | None) -> Moments:
        dtype = _validate.compute_dtype(matrix)
        weights = _weights.check_sample_weight(sample_weight, len(matrix), dtype)
        return column_moments(matrix, n_jobs, weights=weights)

    def _units(self, dtype: np.dtype[Any]) -> tuple[Array, Array]:
        """Return what `transform` takes off, and what it divides by."""
        return (
            self.mean_.astype(dtype) if self.with_mean else np.zeros_like(self.mean_, dtype),
            self.scale_.astype(dtype) if self.with_std else np.ones_like(self.scale_, dtype),
        )

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn mean and variance of X's rows and of all those seen before; `y` is not used.

        What is kept of rows is their number (the sum of `sample_weight`, which is as for `fit`),
        mean and squared deviations, which merge exactly (Chan, Golub and LeVeque 1979, eq. 2.1):
        the result is that of `fit` on all rows but for rounding in float64, and depends on the
        sequence of chunks alone.

        Raises
        ------
        ValueError, TypeError
            If X is not a finite real matrix, as wide as the rows before, or `sample_weight` not
            as for `fit`; nothing is learned then.

        Examples
        --------
        >>> from hmlc import StandardScaler
        >>> scaler = StandardScaler()
        >>> for chunk in ([[1.0], [3.0]], [[5.0], [7.0]]):
        ...     _ = scaler.partial_fit(chunk)
        >>> scaler.mean_, scaler.variance_
        (array([4.]), array([5.]))
        """
        n_jobs = self._check_parameters()
        before = getattr(self, "_moments", None)
        matrix = self._as_chunk(X, before is None)
        moments = self._moments_of(matrix, sample_weight, n_jobs)
        self._keep(moments if before is None else before.joined(moments))
        if before is None:
            self._keep_features(X, matrix)
        return self

    def _keep(self, moments: Moments) -> None:
        self._moments = moments
        self.mean_ = moments.mean.copy()
        self.variance_ = moments.variance
        self.scale_ = moments.scale

    def transform(self, X: Any) -> Any:
        """Return (X - mean_) / scale_, of shape X's, float32 for float32 and else float64.

        A data frame where `set_output` asks for it.

        Examples
        --------
        >>> from hmlc import StandardScaler
        >>> StandardScaler().fit([[1.0], [3.0]]).transform([[2.0], [5.0]])
        array([[0.],
               [3.]])
        """
        matrix = self._check_rows(X)
        return self._in_container(self._standardise(matrix, _validate.check_n_jobs(self.n_jobs)), X)

    def _standardise(self, matrix: Array, n_jobs: int | None) -> Array:
        dtype = _validate.compute_dtype(matrix)
        mean, scale = self._units(dtype)
        out = np.empty(matrix.shape, dtype)
        standardise = kernels().moments.standardise
        _passes.map_rows(
            matrix,
            dtype,
            lambda rows, first, last: standardise(rows, mean, scale, out[first:last]),
            n_jobs=n_jobs,
            flops_per_row=4 * matrix.shape[1],
        )
        return out

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Return `fit(X, sample_weight=sample_weight).transform(X)`.

        Examples
        --------
        >>> from hmlc import StandardScaler
        >>> StandardScaler().fit_transform([[1.0, 5.0], [3.0, 5.0]])
        array([[-1.,  0.],
               [ 1.,  0.]])
        """
        n_jobs = self._check_parameters()
        matrix = _validate.as_matrix(X)
        self._keep(self._moments_of(matrix, sample_weight, n_jobs))
        self._keep_features(X, matrix)
        return self._in_container(self._standardise(matrix, n_jobs), X)

    def inverse_transform(self, X: Any) -> Any:
        """Return X * scale_ + mean_: back to the columns' own units.

        Examples
        --------
        >>> from hmlc import StandardScaler
        >>> StandardScaler().fit([[1.0], [3.0]]).inverse_transform([[0.0], [3.0]])
        array([[2.],
               [5.]])
        """
        matrix = self._check_rows(X)
        dtype = _validate.compute_dtype(matrix)
        mean, scale = self._units(dtype)
        return self._in_container(matrix.astype(dtype) * scale + mean, X)


class FeatureMap:
    """The columns on which an estimator fits: those given, then functions of them.

    Without a degree above 1 and without sinusoids they are X itself, untouched. Polynomials (of
    total degree 2 and more) and sinusoids are made of the columns in standard units where
    `normalize` is on, by the statistics of the rows given to `fit`, as the original's are: powers
    of raw columns overflow and are nearly collinear.
    """

    def __init__(self, *, polynomial_degree: int, sinusoid_degree: int, normalize: bool) -> None:
        self.polynomial_degree = _validate.check_integer(
            polynomial_degree, "polynomial_degree", low=1
        )
        self.sinusoid_degree = _validate.check_integer(sinusoid_degree, "sinusoid_degree", low=0)
        self.normalize = _validate.check_bool(normalize, "normalize")

    @property
    def is_identity(self) -> bool:
        """Whether the columns are X's own."""
        return self.polynomial_degree == 1 and self.sinusoid_degree == 0

    def is_like(self, other: "FeatureMap") -> bool:
        """Return whether the columns made are functions of the same degrees."""
        degrees = (other.polynomial_degree, other.sinusoid_degree)
        return (self.polynomial_degree, self.sinusoid_degree) == degrees

    def fit(self, X: Array, n_jobs: int | None = None, *, weights: Array | None = None) -> Array:
        """Learn the standard units of a matrix's rows, as they weigh; return its columns.

        Raises
        ------
        ValueError
            If the degrees make more columns than memory holds, or X's variance overflows.
        """
        self._n_columns = X.shape[1]
        self._n_powers = basis.polynomial_width(self._n_columns, self.polynomial_degree)
        self._width = self._n_powers + basis.sinusoid_width(self._n_columns, self.sinusoid_degree)
        if not self.is_identity:
            basis.check_memory(len(X), self._width, _validate.compute_dtype(X))
            self._moments = column_moments(X, n_jobs, weights=weights) if self.normalize else None
        return self.transform(X, n_jobs)

    def transform(self, X: Array, n_jobs: int | None = None) -> Array:
        """Return the columns of a matrix, in its compute dtype where any are made.

        Then X is made sure to be finite first; else it is returned unseen.
        """
        if self.is_identity:
            return X
        _validate.check_finite(X, "X")
        dtype = _validate.compute_dtype(X)
        out = basis.new_matrix(len(X), self._width, dtype)
        in_units = self._standard_units(dtype)
        expand = kernels().basis

        def fill(rows: Array, first: int, last: int) -> None:
            Z = in_units(rows)
            expand.polynomials(rows, Z, self.polynomial_degree, out[first:last, : self._n_powers])
            expand.sinusoids(Z, self.sinusoid_degree, out[first:last, self._n_powers :])

        _passes.map_rows(X, dtype, fill, n_jobs=n_jobs, flops_per_row=4 * self._width)
        return out

    def _standard_units(self, dtype: np.dtype[Any]) -> Callable[[Array], Array]:
        """Return what brings contiguous rows to standard units: nothing without `normalize`."""
        if self._moments is None:
            return lambda rows: rows
        mean, scale = self._moments.mean.astype(dtype), self._moments.scale.astype(dtype)
        standardise = kernels().moments.standardise

        def in_units(rows: Array) -> Array:
            Z = np.empty_like(rows)
            standardise(rows, mean, scale, Z)
            return Z

        return in_units

    def names(self, input_names: Sequence[str] | None = None) -> list[str]:
        """Return the columns' names: "x0", and of its standard units "z0^2", "sin(2 z0)".

        Where input names are given, the standard units of "age" are "z(age)".
        """
        own = basis.input_names(input_names, self._n_columns, "x")
        units = own
        if self.normalize:
            given = None if input_names is None else [f"z({name})" for name in own]
            units = basis.input_names(given, self._n_columns, "z")
        powers = [
            basis.power_names(units, degree) for degree in range(2, self.polynomial_degree + 1)
        ]
        return [*own, *itertools.chain(*powers), *basis.sinusoid_names(units, self.sinusoid_degree)]
