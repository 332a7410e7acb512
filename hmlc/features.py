"""Features made from columns: standard units, polynomials, sinusoids, learned at fit and kept."""

import itertools
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels
from hmlc._estimator import Estimator

Array = NDArray[Any]


class Moments:
    """Number of rows, mean and sum of squared deviations of every column: a pass's partial sum."""

    def __init__(self, n_columns: int) -> None:
        self.count = np.zeros(1)
        self.mean = np.zeros(n_columns)
        self.m2 = np.zeros(n_columns)

    def merge(self, other: "Moments") -> None:
        """Join later rows: Chan, Golub and LeVeque (1979), eq. 2.1."""
        if other.count[0] == 0:
            return
        before, after = self.count[0], self.count[0] + other.count[0]
        delta = other.mean - self.mean
        self.m2 += other.m2 + delta**2 * (before * other.count[0] / after)
        self.mean += delta * (other.count[0] / after)
        self.count[0] = after

    @property
    def variance(self) -> NDArray[np.float64]:
        """The mean squared deviation (divided by n)."""
        return self.m2 / self.count[0]


def column_moments(X: Array, n_jobs: int | None = None) -> Moments:
    """Return the moments of a finite matrix's columns, in one pass over its rows."""
    update = kernels().moments.update

    def kernel(rows: Array, first: int, last: int, partial: Moments) -> None:
        update(rows, partial.count, partial.mean, partial.m2)

    return _passes.reduce_rows(
        X,
        _validate.compute_dtype(X),
        kernel,
        lambda: Moments(X.shape[1]),
        Moments.merge,
        n_jobs=n_jobs,
        flops_per_row=4 * X.shape[1],
        partial_bytes=16 * X.shape[1],
    )


class StandardScaler(Estimator):
    """Brings columns to mean 0 and variance 1, by the statistics of the rows given to `fit`.

    Parameters
    ----------
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

    def __init__(self, *, n_jobs: int | None = None) -> None:
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn mean and variance of X's columns; `y` is not used.

        Raises
        ------
        ValueError, TypeError
            If X is not a finite real matrix with at least one row and one column.
        """
        n_jobs = _validate.check_n_jobs(self.n_jobs)
        matrix = _validate.check_matrix(X)
        moments = column_moments(matrix, n_jobs)
        self.mean_ = moments.mean
        self.variance_ = moments.variance
        self.scale_ = np.where(self.variance_ > 0, np.sqrt(self.variance_), 1.0)
        self.n_features_in_ = matrix.shape[1]
        return self

    def transform(self, X: Any) -> Array:
        """Return (X - mean_) / scale_, of shape X's, float32 for float32 and else float64."""
        matrix = self._check_rows(X)
        dtype = _validate.compute_dtype(matrix)
        mean, scale = self.mean_.astype(dtype), self.scale_.astype(dtype)
        out = np.empty(matrix.shape, dtype)
        standardise = kernels().moments.standardise
        _passes.map_rows(
            matrix,
            dtype,
            lambda rows, first, last: standardise(rows, mean, scale, out[first:last]),
            n_jobs=_validate.check_n_jobs(self.n_jobs),
            flops_per_row=4 * matrix.shape[1],
        )
        return out

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Return `fit(X).transform(X)`."""
        return self.fit(X).transform(X)

    def inverse_transform(self, X: Any) -> Array:
        """Return X * scale_ + mean_: back to the columns' own units."""
        matrix = self._check_rows(X)
        dtype = _validate.compute_dtype(matrix)
        return matrix.astype(dtype) * self.scale_.astype(dtype) + self.mean_.astype(dtype)


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

    def fit(self, X: Array, n_jobs: int | None = None) -> Array:
        """Learn the standard units of a checked matrix; return its columns."""
        if not self.is_identity and self.normalize:
            self._scaler = StandardScaler(n_jobs=n_jobs).fit(X)
        return self.transform(X)

    def transform(self, X: Array) -> Array:
        """Return the columns of a checked matrix, in its compute dtype where any are made."""
        if self.is_identity:
            return X
        Z = self._scaler.transform(X) if self.normalize else X.astype(_validate.compute_dtype(X))
        made = [
            np.prod(Z[:, list(chosen)], axis=1, keepdims=True)
            for degree in range(2, self.polynomial_degree + 1)
            for chosen in itertools.combinations_with_replacement(range(Z.shape[1]), degree)
        ]
        made += [np.sin(k * Z) for k in range(1, self.sinusoid_degree + 1)]
        return np.concatenate([X.astype(Z.dtype), *made], axis=1)
