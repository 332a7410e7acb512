"""Basis expansion: transformers that make columns of columns, and what they share."""

import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels
from hmlc._estimator import Transformer

Array = NDArray[Any]

MAX_COLUMNS = 2**31 - 1
MAX_SINUSOID_DEGREE = 1_000_000
"""Up to here a multiple of an angle has digits enough in float32 to be brought below a turn."""


def polynomial_width(n_columns: int, degree: int) -> int:
    """Return the number of products of 1 to `degree` columns: C(n_columns + degree, degree) - 1."""
    few, many = sorted((n_columns, degree))
    count = 1
    for k in range(1, few + 1):
        count = count * (many + k) // k
        if count > MAX_COLUMNS:
            raise ValueError(
                f"polynomials of degree {degree} of {n_columns:,} columns are more than "
                f"{MAX_COLUMNS:,}; expected a smaller degree"
            )
    return count - 1


def sinusoid_width(n_columns: int, degree: int) -> int:
    """Return the number of sines of 1 to `degree` times each column."""
    if degree > MAX_SINUSOID_DEGREE or n_columns * degree > MAX_COLUMNS:
        raise ValueError(
            f"sinusoids of degree {degree} of {n_columns:,} columns: expected a degree up to "
            f"{min(MAX_SINUSOID_DEGREE, MAX_COLUMNS // n_columns):,}"
        )
    return n_columns * degree


def check_memory(n_rows: int, n_columns: int, dtype: np.dtype[Any]) -> None:
    """Raise a ValueError where a matrix is larger than the machine's memory."""
    size = n_rows * n_columns * dtype.itemsize
    if size > _memory_bytes():
        raise ValueError(
            f"{n_columns:,} columns for {n_rows:,} rows need {size / 2**30:,.1f} GiB, more than "
            "this machine's memory; expected a smaller degree, or fewer rows at a time"
        )


def new_matrix(n_rows: int, n_columns: int, dtype: np.dtype[Any]) -> Array:
    """Return a matrix that nothing is written in yet, where memory can hold it."""
    check_memory(n_rows, n_columns, dtype)
    return np.empty((n_rows, n_columns), dtype)


def _memory_bytes() -> int:
    """Return the size of the machine's memory where the system tells it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return sys.maxsize


def power_names(names: Sequence[str], degree: int) -> Iterator[str]:
    """Yield the names of all products of `degree` columns, in graded lexicographic order."""
    for chosen in itertools.combinations_with_replacement(names, degree):
        runs = ((name, len(list(run))) for name, run in itertools.groupby(chosen))
        yield " ".join(name if power == 1 else f"{name}^{power}" for name, power in runs)


def sinusoid_names(names: Sequence[str], degree: int) -> list[str]:
    """Return the names of the sines, multiple by multiple."""
    factors = ["" if k == 1 else f"{k} " for k in range(1, degree + 1)]
    return [f"sin({factor}{name})" for factor in factors for name in names]


def input_names(given: Sequence[str] | None, n_columns: int, letter: str) -> list[str]:
    """Return the names given, one a column, or a letter and a number for each."""
    if given is None:
        return [f"{letter}{j}" for j in range(n_columns)]
    if len(given) != n_columns:
        raise ValueError(f"expected {n_columns} input feature names; got {len(given)}")
    return [str(name) for name in given]


class _Expansion(Transformer):
    """A transformer whose columns are functions of single rows: it learns only how many."""

    n_jobs: int | None
    n_output_features_: int

    def _width(self, n_columns: int) -> int:
        """Return the number of columns made of n_columns; raises ValueError for a bad degree."""
        raise NotImplementedError

    def _fill(self, rows: Array, out: Array) -> None:
        """Write the columns made of contiguous rows."""
        raise NotImplementedError

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the number of columns; `y` is not used.

        Raises
        ------
        ValueError, TypeError
            If X is not a finite real matrix with at least one row and one column, or a parameter
            is out of range, or the degree makes more columns than can be counted.

        Examples
        --------
        >>> from hmlc import PolynomialFeatures
        >>> PolynomialFeatures(degree=3).fit([[2.0, 3.0]]).n_output_features_
        9
        """
        _validate.check_n_jobs(self.n_jobs)
        matrix = _validate.check_matrix(X)
        self.n_output_features_ = self._width(matrix.shape[1])
        self._keep_features(X, matrix)
        return self

    def transform(self, X: Any) -> Any:
        """Return the columns made of X's, float32 for float32 and else float64.

        Returns
        -------
        array of shape (n_samples, n_output_features_), or a data frame; see `set_output`

        Raises
        ------
        ValueError
            If X is not a finite real matrix of n_features_in_ columns, or memory cannot hold what
            would be made of it.

        Examples
        --------
        >>> from hmlc import PolynomialFeatures
        >>> PolynomialFeatures(degree=2).fit([[0.0]]).transform([[2.0], [3.0]])
        array([[2., 4.],
               [3., 9.]])
        """
        matrix = self._check_rows(X)
        dtype = _validate.compute_dtype(matrix)
        out = new_matrix(len(matrix), self.n_output_features_, dtype)
        _passes.map_rows(
            matrix,
            dtype,
            lambda rows, first, last: self._fill(rows, out[first:last]),
            n_jobs=_validate.check_n_jobs(self.n_jobs),
            flops_per_row=4 * self.n_output_features_,
        )
        return self._in_container(out, X)

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Return `fit(X).transform(X)`.

        Examples
        --------
        >>> from hmlc import SinusoidFeatures
        >>> SinusoidFeatures(degree=2).fit_transform([[0.5]]).round(4)
        array([[0.4794, 0.8415]])
        """
        return self.fit(X).transform(X)


class PolynomialFeatures(_Expansion):
    """All products of up to `degree` columns, in graded lexicographic order: a, b, a^2, a b, b^2.

    Parameters
    ----------
    degree : int
        Largest total degree, at least 1.
    include_bias : bool
        Whether the first column is the product of none: ones.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns given: d.
    n_output_features_ : int
        Number of columns made: C(d + degree, degree), less 1 without the bias.

    Notes
    -----
    Columns are taken as they are. High powers of columns that are not of order 1 are large,
    nearly collinear, and infinite where they overflow: use `StandardScaler` first.

    Examples
    --------
    >>> from hmlc import PolynomialFeatures
    >>> made = PolynomialFeatures(degree=2)
    >>> made.fit_transform([[2.0, 3.0]])
    array([[2., 3., 4., 6., 9.]])
    >>> made.get_feature_names_out().tolist()
    ['x0', 'x1', 'x0^2', 'x0 x1', 'x1^2']
    """

    def __init__(
        self, *, degree: int = 2, include_bias: bool = False, n_jobs: int | None = None
    ) -> None:
        self.degree = degree
        self.include_bias = include_bias
        self.n_jobs = n_jobs

    def _width(self, n_columns: int) -> int:
        degree = _validate.check_integer(self.degree, "degree", low=1)
        bias = _validate.check_bool(self.include_bias, "include_bias")
        return polynomial_width(n_columns, degree) + bias

    def _fill(self, rows: Array, out: Array) -> None:
        if self.include_bias:
            out[:, 0] = 1
        kernels().basis.polynomials(rows, rows, self.degree, out[:, int(self.include_bias) :])

    def _names_out(self, names: list[str]) -> list[str]:
        powers = [power_names(names, degree) for degree in range(1, self.degree + 1)]
        return [*(["1"] if self.include_bias else []), *itertools.chain(*powers)]


class SinusoidFeatures(_Expansion):
    """Sines of multiples of columns: sin(x), sin(2 x), ..., sin(degree x), of each column.

    Parameters
    ----------
    degree : int
        Largest multiple, from 1 to 1,000,000.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns given: d.
    n_output_features_ : int
        Number of columns made: d * degree; all sin(x), then all sin(2 x), and so on.

    Notes
    -----
    Columns are taken as they are, in radians. Whole turns are taken off exactly before the
    multiples are (Cody and Waite; Payne and Hanek for large numbers), so sin(k x) is within
    (4 k + 2) epsilon of the truth for every finite x.

    Examples
    --------
    >>> from hmlc import SinusoidFeatures
    >>> SinusoidFeatures(degree=2).fit_transform([[0.0], [0.5]]).round(4)
    array([[0.    , 0.    ],
           [0.4794, 0.8415]])
    """

    def __init__(self, *, degree: int = 1, n_jobs: int | None = None) -> None:
        self.degree = degree
        self.n_jobs = n_jobs

    def _width(self, n_columns: int) -> int:
        degree = _validate.check_integer(self.degree, "degree", low=1)
        return sinusoid_width(n_columns, degree)

    def _fill(self, rows: Array, out: Array) -> None:
        kernels().basis.sinusoids(rows, self.degree, out)

    def _names_out(self, names: list[str]) -> list[str]:
        return sinusoid_names(names, self.degree)
