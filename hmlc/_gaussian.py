"""A Gaussian made of its rows' moments or scatter: its log-density, and its own tail."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels
from hmlc._chi_squared import upper_quantile
from hmlc._scatter import Scatter
from hmlc.features import Moments

Array = NDArray[Any]
Vector = NDArray[np.float64]

CONSTANT_SCALE = 2.0**-23
"""Standard deviation of a constant column, in units of its value: float32's rounding of it."""

SMALLEST_PIVOT = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-9}
"""Least share of a column's variance that the columns before it may leave unexplained.

Products of deviations are off by up to 1e-5 of themselves where a block sums 256 in float32.
"""


class Gaussian(NamedTuple):
    """A fitted Gaussian.

    The whitener W has W' W = covariance^-1: a lower triangle, or of independent columns its
    diagonal. normaliser is log det W - d/2 log 2 pi.
    """

    mean: Vector
    variance: Vector
    covariance: Vector | None
    whitener: Vector
    normaliser: float


def gaussian_of(statistic: Moments | Scatter, dtype: np.dtype[Any]) -> Gaussian:
    """Return the Gaussian of rows of a type, independent columns' or of any covariance.

    Raises
    ------
    ValueError
        If a variance overflows.

    Warns
    -----
    UserWarning
        If the covariance is singular.
    """
    if isinstance(statistic, Moments):
        return _diagonal_gaussian(statistic, dtype)
    return _full_gaussian(statistic, dtype)


def _diagonal_gaussian(moments: Moments, dtype: np.dtype[Any]) -> Gaussian:
    variance = _floored(moments.variance, moments.mean, dtype)
    whitener = 1 / np.sqrt(variance)
    return Gaussian(moments.mean.copy(), variance, None, whitener, _log_normaliser(whitener))


def _full_gaussian(scatter: Scatter, dtype: np.dtype[Any]) -> Gaussian:
    covariance = scatter.S / scatter.count[0]
    variance = _floored(covariance.diagonal(), scatter.mean, dtype)
    deviation = np.sqrt(variance)
    # In standard units a column's own unit leaves no trace in what counts as singular.
    correlation = covariance / deviation[:, None] / deviation
    np.fill_diagonal(correlation, 1.0)
    factor, ridge = _factor(correlation, SMALLEST_PIVOT[dtype])
    whitener = _inverse_of_triangle(factor) / deviation
    np.fill_diagonal(covariance, variance * (1 + ridge))
    return Gaussian(
        scatter.mean.copy(),
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


def log_density(gaussian: Gaussian, X: Array, n_jobs: int | None) -> Array:
    """Return the log-density of every row, in its compute dtype."""
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


def tail_threshold(gaussian: Gaussian, share: float) -> float:
    """Return the log-density that a share of the Gaussian itself falls below.

    Its rows' squared deviations, in standard units, sum to chi-squared with a degree of freedom for
    each column.
    """
    return gaussian.normaliser - 0.5 * upper_quantile(share, len(gaussian.mean))
