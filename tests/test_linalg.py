"""Small dense algebra against exact rationals, products and NumPy; failure without a crash."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hmlc
from hmlc import _linalg
from hmlc._backend import kernels

SIZES = [1, 2, 7, 8, 17, 63, 64, 65, 129]


def positive_matrix(n, rng, dtype=np.float64):
    Z = rng.normal(size=(n + 5, n))
    return (Z.T @ Z / n).astype(dtype)


def hilbert(n):
    return [[Fraction(1, i + j + 1) for j in range(n)] for i in range(n)]


def exact_solve(A, b):
    """Gaussian elimination over the rationals."""
    n = len(A)
    rows = [[*row, value] for row, value in zip(A, b, strict=True)]
    for j in range(n):
        for i in range(j + 1, n):
            factor = rows[i][j] / rows[j][j]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[j], strict=True)]
    x = [Fraction(0)] * n
    for i in reversed(range(n)):
        known = sum((rows[i][j] * x[j] for j in range(i + 1, n)), Fraction(0))
        x[i] = (rows[i][n] - known) / rows[i][i]
    return x


@pytest.mark.parametrize("n", SIZES)
def test_cholesky_multiplies_back(n, dtype, rng, backend):
    A = positive_matrix(n, rng, dtype)
    L = np.full((n, n), np.nan, dtype)
    assert kernels().linalg.cholesky(A, 0.0, L) == n
    np.testing.assert_array_equal(np.triu(L, 1), 0)
    # Higham (2002), theorem 10.3: |A - L L^T| <= (n + 1) u |L| |L^T|, at most (n + 1) u max A_ii.
    bound = (n + 1) * np.finfo(dtype).eps * A.diagonal().max()
    exact = L.astype(np.float64)
    assert np.abs(exact @ exact.T - A).max() <= bound


@pytest.mark.parametrize("n", SIZES)
def test_pivoted_cholesky_multiplies_back(n, rng, backend):
    A = positive_matrix(n, rng)
    L, order = np.empty((n, n)), np.empty(n, np.intp)
    assert kernels().linalg.cholesky_pivoted(A, 0.0, L, order) == n
    assert sorted(order) == list(range(n))
    assert np.all(np.diff(np.diagonal(L)) <= 0)
    np.testing.assert_allclose(L @ L.T, A[np.ix_(order, order)], atol=n * 1e-15 * A.max())


@pytest.mark.parametrize("rank", [0, 1, 5, 30])
def test_pivoted_cholesky_finds_the_rank(rank, rng, backend):
    Z = rng.normal(size=(rank, 40))
    A = Z.T @ Z
    L, order = np.empty((40, 40)), np.empty(40, np.intp)
    assert kernels().linalg.cholesky_pivoted(A, 1e-12, L, order) == rank
    np.testing.assert_array_equal(L[:, rank:], 0)
    np.testing.assert_allclose(L @ L.T, A[np.ix_(order, order)], atol=1e-13 * (A.max() + 1))


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (70, 70), (70, 3), (79, 69)])
def test_bad_pivots_are_reported(value, place, dtype, backend):
    n = 80
    A = np.eye(n, dtype=dtype)
    A[place] = A[place[::-1]] = value
    is_bad = place[0] == place[1] or value not in (0.0, -1.0)
    is_singular = place[0] != place[1] and value == -1.0
    L, order = np.empty_like(A), np.empty(n, np.intp)
    with np.errstate(all="ignore"):
        rank = kernels().linalg.cholesky(A, 1e-6, L)
        assert rank == (place[0] if is_bad or is_singular else n)
        assert kernels().linalg.cholesky_pivoted(A, 1e-6, L, order) <= n
        solution = _linalg.solve_positive(A.astype(np.float64), np.ones(n))
    assert (solution is None) == (is_bad or is_singular)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_solve_against_exact_rationals(n, backend):
    A = hilbert(n)
    floats = np.array(A, dtype=np.float64)
    exact = [[Fraction(x) for x in row] for row in floats.tolist()]
    expected = exact_solve(exact, [Fraction(1)] * n)
    # The condition number of Hilbert(6) is 1.5e7.
    solution = _linalg.solve_positive(floats, np.ones(n))
    np.testing.assert_allclose(solution, np.array(expected, dtype=np.float64), rtol=1e-8)


def test_solve_takes_one_right_hand_side_or_rows(rng, backend):
    A, B = positive_matrix(20, rng), rng.normal(size=(3, 20))
    expected = np.linalg.solve(A, B.T).T
    np.testing.assert_allclose(_linalg.solve_positive(A, B), expected, rtol=1e-9)
    np.testing.assert_allclose(_linalg.solve_positive(A, B[1]), expected[1], rtol=1e-9)
    np.testing.assert_allclose(_linalg.solve_semidefinite(A, B[1]), expected[1], rtol=1e-9)


@pytest.mark.parametrize("rank", [0, 1, 10, 59, 60])
def test_semidefinite_solution_is_the_smallest(rank, rng, backend):
    Z = rng.normal(size=(rank, 60))
    A, B = Z.T @ Z, rng.normal(size=(2, rank)) @ Z
    expected = B @ np.linalg.pinv(A, rcond=1e-11, hermitian=True)
    solution = _linalg.solve_semidefinite(A, B, 1e-12)
    np.testing.assert_allclose(solution, expected, rtol=1e-6, atol=1e-9)


def test_equal_columns_share(backend):
    A = np.array([[2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(
        _linalg.solve_semidefinite(A, np.array([4.0, 4.0, 0.0])), [1.0, 1.0, 0.0], atol=1e-15
    )
    assert _linalg.solve_positive(A, np.ones(3)) is None


@pytest.mark.parametrize("shape", [(1, 1, 1), (9, 5, 3), (70, 33, 17), (130, 4, 40), (3, 0, 2)])
def test_affine_is_the_product(shape, dtype, rng, backend):
    n, d, t = shape
    X, W, b = (rng.normal(size=size).astype(dtype) for size in ((n, d), (t, d), t))
    out = np.full((n, t), np.nan, dtype)
    kernels().linalg.affine(X, W, b, out)
    expected = X.astype(np.float64) @ W.T.astype(np.float64) + b
    np.testing.assert_allclose(out, expected, rtol=0, atol=(d + 2) * 8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("d", [31, 32, 33, 47, 100, 784])
@pytest.mark.parametrize("n", [1, 5, 16, 17, 40, 64])
def test_affine_of_one_target_is_the_product(n, d, dtype, rng, backend):
    X, w, b = (rng.normal(size=size).astype(dtype) for size in ((n, d), (1, d), 1))
    out = np.full((n + 1, 1), np.nan, dtype)
    kernels().linalg.affine(X, w, b, out[:n])
    expected = X.astype(np.float64) @ w[0].astype(np.float64) + b
    np.testing.assert_allclose(out[:n, 0], expected, rtol=0, atol=(d + 2) * 8 * np.finfo(dtype).eps)
    assert np.isnan(out[n, 0])


@pytest.mark.parametrize("t", [1, 3, 20])
@pytest.mark.parametrize("d", [3, 33, 50])
def test_a_row_that_is_not_finite_leaves_the_others_alone(t, d, dtype, rng, backend):
    X, W, b = (rng.normal(size=size).astype(dtype) for size in ((50, d), (t, d), t))
    clean, out = np.empty((2, 50, t), dtype)
    kernels().linalg.affine(X, W, b, clean)
    X[[3, 18, 49]] = [[np.inf], [np.nan], [-np.inf]]
    kernels().linalg.affine(X, W, b, out)
    bad = np.isin(np.arange(50), [3, 18, 49])
    assert not np.isfinite(out[bad]).any()
    np.testing.assert_array_equal(out[~bad], clean[~bad])


def test_quadratic_against_finite_differences(rng, backend):
    A, B, X = positive_matrix(9, rng), rng.normal(size=(2, 9)), rng.normal(size=(2, 9))
    gradient, unused = np.empty((2, 9)), np.empty((2, 9))
    quadratic = kernels().linalg.quadratic
    value = quadratic(A, B, X, gradient)
    expected = sum(x @ A @ x / 2 - b @ x for x, b in zip(X, B, strict=True))
    assert value == pytest.approx(expected, rel=1e-13)
    for i, j in [(0, 0), (1, 8), (0, 5)]:
        step = np.zeros_like(X)
        step[i, j] = 1e-3
        slope = (quadratic(A, B, X + step, unused) - quadratic(A, B, X - step, unused)) / 2e-3
        # A central difference of a quadratic is exact but for rounding.
        assert slope == pytest.approx(gradient[i, j], abs=1e-10)


@given(
    st.integers(1, 40),
    st.integers(1, 5),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree(n, k, dtype, seed):
    rng = np.random.default_rng(seed)
    A, B = positive_matrix(n, rng, dtype) + np.eye(n, dtype=dtype), rng.normal(size=(k, n))
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            linalg = kernels().linalg
            L, order, X = np.empty_like(A), np.empty(n, np.intp), B.astype(dtype)
            gradient, out = np.empty_like(X), np.empty((k, n), dtype)
            ranks = linalg.cholesky(A, 0.0, L), linalg.cholesky_pivoted(A, 0.0, L, order)
            factor = L.copy()
            linalg.cholesky_solve(factor, X)
            value = linalg.quadratic(A, X, X, gradient)
            linalg.affine(X, A, A[0], out)
            results.append((*ranks, L, order, X, value, gradient, out, linalg.dot(A[0], A[-1])))
    # Positive matrices plus I: their condition number is below 100.
    tolerance = 2e-3 if dtype == np.float32 else 1e-11
    for other in results[1:]:
        for left, right in zip(results[0], other, strict=True):
            np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("kernel", "shapes"),
    [
        ("dot", [(3,), (4,)]),
        ("cholesky_solve", [(3, 3), (2, 4)]),
        ("cholesky_solve", [(3, 2), (2, 3)]),
        ("quadratic", [(3, 3), (2, 3), (2, 3), (2, 4)]),
        ("affine", [(3, 2), (4, 3), (4,), (3, 4)]),
        ("affine", [(3, 2), (4, 2), (4,), (4, 3)]),
    ],
)
def test_sizes_are_checked(kernel, shapes):
    with pytest.raises(ValueError, match=kernel), hmlc.use_backend("c"):
        getattr(kernels().linalg, kernel)(*(np.ones(shape) for shape in shapes))


BYTES = """
import hashlib, numpy as np
from hmlc._backend import kernels
rng, digest = np.random.default_rng(5), hashlib.sha256()
for dtype in (np.float32, np.float64):
    for n in (5, 100, 150):
        Z = rng.normal(size=(n + 9, n))
        A = (Z.T @ Z).astype(dtype).round(3)
        B = rng.normal(size=(3, n)).astype(dtype)
        L, P, order = np.empty_like(A), np.empty_like(A), np.empty(n, np.intp)
        gradient, out = np.empty_like(B), np.empty((3, n), dtype)
        linalg = kernels().linalg
        linalg.cholesky(A, 0.0, L), linalg.cholesky_pivoted(A, 0.0, P, order)
        value = linalg.quadratic(A, B, B, gradient)
        linalg.cholesky_solve(L, B)
        linalg.affine(B, A, A[0], out)
        narrow = np.empty((n, 1), dtype)
        linalg.affine(A, B[:1], B[0, :1], narrow)
        numbers = np.array([value, linalg.dot(A[0], A[1])])
        for array in (L, P, order, B, gradient, out, narrow, numbers):
            digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_vector_width_leaves_no_trace(printed_by):
    assert printed_by("avx2", BYTES) == printed_by("avx512", BYTES)
