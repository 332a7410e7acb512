"""Moments against exact rational arithmetic, and the scaler against its definition."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hmlc
from hmlc import StandardScaler
from hmlc._backend import kernels
from hmlc.features import column_moments


def exact_moments(column):
    values = [Fraction(float(v)) for v in column]
    mean = sum(values) / len(values)
    return float(mean), float(sum((v - mean) ** 2 for v in values) / len(values))


def equal(n, dtype):
    return np.broadcast_to(dtype(1), n)


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (257, 2), (600, 17), (300, 70)])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_moments_match_exact_rationals(shape, offset, dtype, rng, backend):
    X = (rng.normal(size=shape) + offset).astype(dtype)
    moments = column_moments(X)
    expected = np.array([exact_moments(column) for column in X.T])
    # A float32 block sums 256 deviations of order 1, from a shift near the mean.
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(moments.mean, expected[:, 0], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(moments.variance, expected[:, 1], rtol=tolerance, atol=tolerance)


@given(
    st.integers(1, 700),
    st.integers(1, 40),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree(n, d, dtype, seed):
    X = np.random.default_rng(seed).normal(3, 2, (n, d)).astype(dtype)
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            count, mean, m2 = np.zeros(1), np.zeros(d), np.zeros(d)
            kernels().moments.update(X, equal(n, dtype), count, mean, m2)
            results.append((count, mean, m2))
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    for other in results[1:]:
        for left, right in zip(results[0], other, strict=True):
            np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


def test_constant_column_is_exactly_constant(dtype, backend):
    X = np.full((1000, 2), 0.1, dtype)
    moments = column_moments(X)
    np.testing.assert_array_equal(moments.m2, 0)
    np.testing.assert_array_equal(StandardScaler().fit(X).transform(X), 0)


@pytest.mark.parametrize(
    "layout",
    [
        lambda X: np.asfortranarray(X),
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X.astype(X.dtype.newbyteorder()),
        lambda X: X[::-1][::-1],
    ],
)
def test_layout_leaves_no_trace(layout, dtype, rng):
    X = rng.normal(size=(3000, 9)).astype(dtype)
    expected, moments = column_moments(X), column_moments(layout(X))
    assert expected.mean.tobytes() == moments.mean.tobytes()
    assert expected.m2.tobytes() == moments.m2.tobytes()


@pytest.mark.parametrize("n_jobs", [2, 3, 7])
def test_threads_leave_no_trace(n_jobs, dtype, rng):
    X = rng.normal(size=(200_000, 5)).astype(dtype)
    one, many = column_moments(X, 1), column_moments(X, n_jobs)
    assert one.mean.tobytes() == many.mean.tobytes()
    assert one.m2.tobytes() == many.m2.tobytes()


def test_inverse_transform_returns(dtype, rng):
    X = rng.normal(5, 3, (50, 4)).astype(dtype)
    scaler = StandardScaler().fit(X)
    Z = scaler.transform(X)
    assert Z.dtype == dtype
    np.testing.assert_allclose(
        scaler.inverse_transform(Z), X, rtol=1e-5 if dtype == np.float32 else 1e-14
    )
