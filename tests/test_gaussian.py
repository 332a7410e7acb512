"""Log-densities against SciPy, mpmath and the twins; their bits against pieces and registers."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

import hmlc
from hmlc._backend import kernels

# Shapes about the vector's lanes (8, 16), the panel of 64 columns, the tiles of 6 and 8 rows of W,
# the four panels of rows in scratch, and the block of 256 rows.
SHAPES = [(1, 1), (5, 2), (16, 6), (17, 8), (33, 13), (65, 64), (300, 70), (130, 131)]


def problem(n, d, dtype, rng, offset=0.0):
    """Return rows and a Gaussian: X, mean, covariance, W."""
    X = (rng.normal(size=(n, d)) * 2 + offset).astype(dtype)
    mean = rng.normal(size=d) + offset
    factor = np.tril(rng.normal(size=(d, d)) / np.sqrt(d), -1) + np.diag(rng.uniform(1, 3, d))
    return X, mean, factor @ factor.T, np.linalg.inv(factor)


def full(X, mean, whitener):
    out = np.empty(len(X), X.dtype)
    family = kernels().gaussian
    normaliser = family.log_normaliser(np.ascontiguousarray(whitener.diagonal()))
    W = np.ascontiguousarray(np.tril(whitener), dtype=X.dtype)
    family.log_density_full(X, mean, W, normaliser, out)
    return out


def diagonal(X, mean, inverse_scale):
    out = np.empty(len(X), X.dtype)
    family = kernels().gaussian
    normaliser = family.log_normaliser(inverse_scale)
    family.log_density_diagonal(X, mean, inverse_scale.astype(X.dtype), normaliser, out)
    return out


def tolerance(dtype, d):
    """Return the relative bound: d squares summed in order err by about d eps at the worst."""
    return 4 * (d + 8) * np.finfo(dtype).eps


@pytest.mark.parametrize("shape", SHAPES)
def test_full_matches_scipy(shape, dtype, rng, backend):
    X, mean, covariance, whitener = problem(*shape, dtype, rng)
    expected = multivariate_normal(mean, covariance).logpdf(X.astype(np.float64))
    np.testing.assert_allclose(
        full(X, mean, whitener), np.atleast_1d(expected), rtol=tolerance(dtype, shape[1])
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_diagonal_matches_scipy(shape, dtype, rng, backend):
    X, mean, covariance, _ = problem(*shape, dtype, rng)
    scale = np.sqrt(covariance.diagonal())
    expected = norm(mean, scale).logpdf(X.astype(np.float64)).sum(axis=1)
    np.testing.assert_allclose(
        diagonal(X, mean, 1 / scale), expected, rtol=tolerance(dtype, shape[1])
    )


def test_far_from_zero_the_mean_keeps_its_digits(rng, backend):
    """In float32 the mean's own rounding, 2^-12 here, would shift every row by 1e-3."""
    X, mean, covariance, whitener = problem(200, 3, np.float32, rng, offset=5000)
    expected = multivariate_normal(mean, covariance).logpdf(X.astype(np.float64))
    np.testing.assert_allclose(full(X, mean, whitener), expected, rtol=2e-6)
    scale = np.sqrt(covariance.diagonal())
    expected = norm(mean, scale).logpdf(X.astype(np.float64)).sum(axis=1)
    np.testing.assert_allclose(diagonal(X, mean, 1 / scale), expected, rtol=2e-6)


def test_extreme_scales_match_mpmath(backend):
    X = np.array([[3e120, 2e-120, -1e6], [0.0, 0.0, 0.0]])
    mean, scale = np.array([1e120, 1e-120, 5.0]), np.array([1e120, 3e-120, 1e3])
    actual = diagonal(X, mean, 1 / scale)
    with mpmath.workdps(40):
        for row, value in zip(X, actual, strict=True):
            terms = np.vectorize(mpmath.mpf, otypes="O")([row, mean, scale]).T
            exact = mpmath.fsum(
                -(((x - m) / s) ** 2) / 2 - mpmath.log(s) - mpmath.log(2 * mpmath.pi) / 2
                for x, m, s in terms
            )
            assert abs(value - exact) <= 1e-14 * abs(exact)


@pytest.mark.parametrize("d", [1, 3, 100])
def test_normaliser_matches_mpmath(d, rng, backend):
    scales = 10 ** rng.uniform(-100, 100, d)
    with mpmath.workdps(40):
        exact = mpmath.fsum(mpmath.log(s) for s in map(float, scales))
        exact -= d * mpmath.log(2 * mpmath.pi) / 2
    largest = np.abs(np.log(scales)).sum() + d
    assert abs(kernels().gaussian.log_normaliser(scales) - exact) <= 4e-16 * d * largest


def test_beyond_all_numbers_is_minus_infinity(dtype, backend):
    huge = np.finfo(dtype).max
    X = np.array([[huge, -huge], [-huge, -huge], [0, 0]], dtype)
    whitener = np.array([[2.0, 0.0], [2.0, 2.0]])
    for actual in (full(X, np.zeros(2), whitener), diagonal(X, np.zeros(2), np.full(2, 2.0))):
        np.testing.assert_array_equal(actual[:2], -np.inf)
        assert actual[2] == pytest.approx(2 * np.log(2) - np.log(2 * np.pi))


@given(
    st.integers(0, 150),
    st.integers(1, 90),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([0.0, 1e3]),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree(n, d, dtype, offset, seed):
    X, mean, _, whitener = problem(n, d, dtype, np.random.default_rng(seed), offset)
    scale = np.abs(whitener.diagonal()).copy()
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            results.append((full(X, mean, whitener), diagonal(X, mean, scale)))
    for other in results[1:]:
        for left, right in zip(results[0], other, strict=True):
            np.testing.assert_allclose(left, right, rtol=4 * tolerance(dtype, d), atol=1e-5)


@pytest.mark.parametrize("shape", [(300, 3), (90, 70), (40, 131)])
def test_a_row_does_not_depend_on_its_neighbours(shape, dtype, rng):
    X, mean, _, whitener = problem(*shape, dtype, rng)
    scale = np.abs(whitener.diagonal()).copy()
    for density, parameter in ((full, whitener), (diagonal, scale)):
        together = density(X, mean, parameter)
        alone = [density(X[i : i + 1], mean, parameter) for i in range(len(X))]
        assert together.tobytes() == np.concatenate(alone).tobytes()


def density_bytes():
    """Return the bytes of many densities, as a hexadecimal string."""
    rng = np.random.default_rng(5)
    answer = b""
    for dtype in (np.float32, np.float64):
        for n, d in ((100, 3), (50, 17), (70, 131)):
            X, mean, _, whitener = problem(n, d, dtype, rng)
            answer += full(X, mean, whitener).tobytes()
            answer += diagonal(X, mean, np.abs(whitener.diagonal()).copy()).tobytes()
    return answer.hex()


def test_registers_leave_no_trace(printed_by):
    code = "from test_gaussian import density_bytes; print(density_bytes())"
    answer = printed_by("avx2", code)
    assert len(answer) > 1000
    assert printed_by("avx512", code) == answer


def test_lengths_that_do_not_fit(dtype):
    family = kernels().gaussian
    X, mean, ones = np.ones((3, 2), dtype), np.zeros(2), np.ones(2, dtype)
    eye, out = np.eye(2, dtype=dtype), np.empty(3, dtype)
    for arguments in ((X, mean[:1], ones, 0.0, out), (X, mean, ones[:1], 0.0, out)):
        with pytest.raises(ValueError, match="does not fit"):
            family.log_density_diagonal(*arguments)
    for arguments in ((X, mean[:1], eye, 0.0, out), (X, mean, eye[:1], 0.0, out)):
        with pytest.raises(ValueError, match="does not fit"):
            family.log_density_full(*arguments)
    with pytest.raises(ValueError, match="does not fit"):
        family.log_density_diagonal(X, mean, ones, 0.0, out[:2])
    with pytest.raises(ValueError, match="X's length"):
        family.log_density_full(X, mean, eye, 0.0, out[:2])
