"""Means and cross-products against exact rationals; how the work is cut leaves no trace."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hmlc
from hmlc import _scatter
from hmlc._backend import kernels
from hmlc._scatter import column_scatter, stripe_bounds


def exact_scatter(Z):
    rows = [[Fraction(float(value)) for value in row] for row in Z]
    mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    deviations = [[x - m for x, m in zip(row, mean, strict=True)] for row in rows]
    m = len(mean)
    S = [[sum(row[i] * row[j] for row in deviations) for j in range(m)] for i in range(m)]
    return np.array(mean, np.float64), np.array(S, np.float64)


def equal(X):
    return np.broadcast_to(X.dtype.type(1), len(X))


def empty_state(m):
    return np.zeros(2), np.zeros(m), np.zeros(m), np.zeros((m, m))


@pytest.mark.parametrize(("n", "d", "t"), [(1, 1, 0), (5, 3, 1), (300, 4, 2), (270, 9, 0)])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_scatter_matches_exact_rationals(n, d, t, offset, dtype, rng, backend):
    Z = (rng.normal(size=(n, d + t)) + offset).astype(dtype)
    scatter = column_scatter(Z[:, :d], Z[:, d:] if t else None)
    mean, S = exact_scatter(Z)
    # A float32 block sums 256 products of order 1, from a shift near the mean.
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    assert scatter.count[0] == n
    np.testing.assert_allclose(scatter.mean, mean, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(scatter.S, S, rtol=0, atol=tolerance * n)


@pytest.mark.parametrize(("d", "t"), [(17, 1), (15, 2), (33, 20), (70, 0), (16, 16), (129, 3)])
def test_scatter_at_every_width(d, t, dtype, rng):
    Z = rng.normal(size=(777, d + t)).astype(dtype)
    scatter = column_scatter(Z[:, :d], Z[:, d:])
    E = Z.astype(np.float64) - Z.mean(axis=0, dtype=np.float64)
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(scatter.S, E.T @ E, rtol=0, atol=tolerance * len(Z))
    np.testing.assert_array_equal(scatter.S, scatter.S.T)


def test_constant_and_equal_columns_are_exact(dtype, rng, backend):
    x = rng.normal(size=(1000, 1)).astype(dtype)
    constant = np.full_like(x, 0.1)
    S = column_scatter(np.hstack([x, constant, x])).S
    np.testing.assert_array_equal(S[1], 0)
    assert S[0, 0] == S[0, 2] == S[2, 2]


@given(
    st.integers(1, 600),
    st.integers(1, 30),
    st.integers(0, 20),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree(n, d, t, dtype, seed):
    rng = np.random.default_rng(seed)
    m = d + t
    X, Y = rng.normal(3, 2, (n, d)).astype(dtype), rng.normal(size=(n, t)).astype(dtype)
    start = 16 * int(rng.integers(0, (m - 1) // 16 + 1))
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            state = empty_state(m)
            for first, last in ((0, min(n, 256)), (256, n)):
                rows = X[first:last], Y[first:last]
                kernels().scatter.update(*rows, equal(rows[0]), *state, start, m)
                kernels().scatter.centre(*state)
            results.append((state[0][:1], *state[1:]))
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    for other in results[1:]:
        for left, right in zip(results[0], other, strict=True):
            np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance * 4 * n)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_stripes_and_calls_leave_no_trace(is_weighted, dtype, rng):
    X, Y = rng.normal(size=(2900, 70)).astype(dtype), rng.normal(size=(2900, 3)).astype(dtype)
    weights = rng.exponential(size=2900).astype(dtype) if is_weighted else equal(X)
    update = kernels().scatter.update
    answers = []
    for stripes, rows in (([0, 73], [0, 2900]), ([0, 48, 64, 73], [0, 256, 768, 2048, 2900])):
        *_, S = empty_state(73)
        for start, stop in itertools.pairwise(stripes):
            *state, _ = empty_state(73)
            for first, last in itertools.pairwise(rows):
                some = X[first:last], Y[first:last], weights[first:last]
                update(*some, *state, S, start, stop)
        answers.append([array.tobytes() for array in (*state, np.tril(S))])
    assert answers[0] == answers[1]


def test_stripes_cover_the_rows():
    for m in (1, 16, 200, 201, 785, 3000):
        bounds = stripe_bounds(m)
        assert bounds[0] == 0
        assert bounds[-1] == m
        assert all(left < right for left, right in itertools.pairwise(bounds))
        assert all(start % 16 == 0 for start in bounds[:-1])


def test_lanes_and_stripes_agree(monkeypatch, dtype, rng, backend):
    X = rng.normal(2, 1, (1200, 40)).astype(dtype)
    by_lanes = column_scatter(X)
    monkeypatch.setattr(_scatter, "STRIPED_BYTES", 0)
    monkeypatch.setattr(_scatter, "STRIPE_ROWS", 15)
    by_stripes = column_scatter(X)
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    assert by_stripes.count[0] == 1200
    np.testing.assert_allclose(by_stripes.mean, by_lanes.mean, rtol=tolerance)
    np.testing.assert_allclose(by_stripes.S, by_lanes.S, rtol=0, atol=tolerance * 1200)


@pytest.mark.parametrize("is_striped", [False, True])
@pytest.mark.parametrize("n_jobs", [2, 3, 7])
def test_threads_leave_no_trace(n_jobs, is_striped, dtype, rng, monkeypatch):
    if is_striped:
        monkeypatch.setattr(_scatter, "STRIPED_BYTES", 0)
        monkeypatch.setattr(_scatter, "STRIPE_ROWS", 30)
    X, Y = rng.normal(size=(20_000, 60)).astype(dtype), rng.normal(size=(20_000, 1)).astype(dtype)
    one, many = column_scatter(X, Y, 1), column_scatter(X, Y, n_jobs)
    assert one.mean.tobytes() == many.mean.tobytes()
    assert one.S.tobytes() == many.S.tobytes()


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
    X, Y = rng.normal(size=(3000, 37)).astype(dtype), rng.normal(size=(3000, 2)).astype(dtype)
    expected, scatter = column_scatter(X, Y), column_scatter(layout(X), layout(Y))
    assert expected.mean.tobytes() == scatter.mean.tobytes()
    assert expected.S.tobytes() == scatter.S.tobytes()


@pytest.mark.parametrize(
    ("rows", "size", "start", "stop"),
    [(4, 5, 0, 5), (3, 4, 0, 4), (3, 5, 1, 5), (3, 5, 0, 6), (3, 5, 16, 5)],
)
def test_sizes_are_checked(rows, size, start, stop):
    X, Y = np.ones((3, 4)), np.ones((rows, 1))
    with hmlc.use_backend("c"), pytest.raises(ValueError, match="update"):
        kernels().scatter.update(X, Y, equal(X), *empty_state(size), start, stop)


def test_states_that_do_not_fit_or_are_empty_are_refused():
    five = np.ones(2), np.zeros(5), np.zeros(5), np.zeros((5, 5))
    with hmlc.use_backend("c"):
        for other in (empty_state(4), empty_state(5)):
            with pytest.raises(ValueError, match="merge"):
                kernels().scatter.merge(*five, *other)
        with pytest.raises(ValueError, match="centre"):
            kernels().scatter.centre(*empty_state(5))


@pytest.mark.parametrize("n", [5_000, 40_000])
def test_a_first_block_far_from_the_rest_costs_few_digits(n, dtype, rng):
    X = rng.normal(size=(n, 3)).astype(dtype)
    X[:256] += 1000
    state = empty_state(3)
    with hmlc.use_backend("c"):
        kernels().scatter.update(X, X[:, :0], equal(X), *state, 0, 3)
        kernels().scatter.centre(*state)
    E = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    # The squares exceed those about the mean eightfold at most; then each block of 256 products is
    # off by 16 eps at most, its root, of its sum. Never moved, they would exceed them 150-fold.
    eps = np.finfo(dtype).eps
    tolerance = 8 * 16 * eps if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(state[3], E.T @ E, rtol=tolerance)


def test_the_origin_follows_the_mean(rng):
    """Where rows drift, sums stay those of deviations from a mean of at least an eighth of them."""
    X = np.linspace(0, 1, 256 * 70, dtype=np.float32)[:, None]
    state = empty_state(1)
    with hmlc.use_backend("c"):
        kernels().scatter.update(X, X[:, :0], equal(X), *state, 0, 1)
    seen = X[: 256 * 64].astype(np.float64)
    np.testing.assert_allclose(state[1], seen.mean(), rtol=1e-6)


BYTES = """
import hashlib, numpy as np
from hmlc._scatter import column_scatter
rng, digest = np.random.default_rng(5), hashlib.sha256()
for dtype in (np.float32, np.float64):
    for n, d, t in ((5, 3, 1), (999, 20, 1), (9000, 65, 0), (700, 30, 19)):
        X, Y = (rng.normal(1, 2, (n, k)).astype(dtype) for k in (d, t))
        scatter = column_scatter(X, Y)
        digest.update(scatter.S.tobytes() + scatter.mean.tobytes())
print(digest.hexdigest())
"""


def test_vector_width_leaves_no_trace(printed_by):
    assert printed_by("avx2", BYTES) == printed_by("avx512", BYTES)
