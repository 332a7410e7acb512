"""Lloyd's step with one bound a row, against comparing every row with every centre."""

import warnings

import numpy as np
import pytest
from cluster_steps import lengths_or_more, ones
from hypothesis import given
from hypothesis import strategies as st

import hmlc
from hmlc import ConvergenceWarning, KMeans, _lloyd
from hmlc._backend import kernels


def walk(X, shift, centres, path, dtype, weights=None):
    """Yield, after each move of the centres, them, labels, bounds, the statistic and pairs met."""
    n, k = len(X), len(centres)
    labels, lower = np.full(n, -1, np.int32), np.full(n, -np.inf, dtype)
    before, weights = centres, ones(X) if weights is None else weights
    for move in path:
        centres = (centres + move).astype(dtype)
        steps = lengths_or_more(centres, before)
        order = np.argsort(-steps, kind="stable").astype(np.int32)
        sums, counts = np.zeros(centres.shape), np.zeros(k)
        moved = shift, centres[order], steps[order], order
        call = kernels().k_means.lloyd_hamerly
        met = call(X, weights, *moved, labels, lower, sums, counts)
        before = centres
        yield centres, labels, lower, sums, counts, met


def exact_distances(X, centres):
    X, centres = X.astype(np.longdouble), centres.astype(np.longdouble)
    return np.stack([np.sqrt(((X - c) ** 2).sum(axis=1)) for c in centres], axis=1)


@given(
    st.sampled_from([(1, 33, 2), (40, 17, 1), (300, 20, 41), (531, 64, 30), (257, 130, 17)]),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([0.0, 1e-6, 1e-2, 1.0]),
    st.sampled_from([1e-30, 1.0, 1e15]),
    st.integers(0, 2**32 - 1),
)
def test_bounds_change_no_label(shape, dtype, pace, scale, seed):
    """Rows near borders and centres that tie, some of which move and some of which do not."""
    n, d, k = shape
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(k, d))
    centres[k // 2] = centres[0]
    midway = (centres[rng.integers(0, k, n)] + centres[rng.integers(0, k, n)]) / 2
    X = midway + rng.choice([0, 1e-7, 0.3], (n, 1)) * rng.normal(size=(n, d))
    X, centres = (scale * X).astype(dtype), (scale * centres).astype(dtype)
    shift, weights = X.mean(axis=0), rng.uniform(0, 2, n).astype(dtype)
    path = [
        scale * pace**step * rng.choice([0, 1e-3, 1], (k, 1)) * rng.normal(size=(k, d))
        for step in range(6)
    ]
    path[0] *= 0
    expected, each = np.empty(n, np.int32), np.arange(n)
    for near, labels, lower, sums, counts, met in walk(X, shift, centres, path, dtype, weights):
        kernels().k_means.assign(X, shift, near, expected)
        np.testing.assert_array_equal(labels, expected)
        plain_sums, plain_counts = np.zeros((k, d)), np.zeros(k)
        kernels().k_means.lloyd(X, weights, shift, near, plain_sums, plain_counts)
        np.testing.assert_array_equal(sums, plain_sums)
        np.testing.assert_array_equal(counts, plain_counts)
        exact = exact_distances(X - shift, near)
        exact[each, labels] = np.inf
        assert (lower <= exact.min(axis=1)).all()
        assert met <= n * k


def test_rows_whose_bound_holds_meet_no_centre(dtype, rng, backend):
    """Far clusters: after small steps all bounds are the ones before, less the longest step."""
    centres = (10 * np.eye(30, 64)).astype(dtype)
    X = (centres[rng.integers(0, 30, 600)] + rng.normal(0, 0.1, (600, 64))).astype(dtype)
    path = [np.zeros((30, 64)), np.full((30, 64), 1e-3)]
    found = []
    for _, labels, lower, *_, met in walk(X, np.zeros(64, dtype), centres, path, dtype):
        found.append((labels.copy(), lower.copy(), met))
    assert [met for *_, met in found] == [600 * 30, 0]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1] - found[1][1], 8e-3, rtol=1e-2)


def test_rows_meet_the_centres_that_moved_far(dtype, rng, backend):
    """A centre comes to rows of others: they meet it alone, and are its own if it is nearer."""
    centres = (10 * np.eye(30, 64)).astype(dtype)
    X = (centres[rng.integers(1, 30, 600)] + rng.normal(0, 0.1, (600, 64))).astype(dtype)
    move = np.zeros((30, 64))
    move[0] = centres[7] - centres[0] + 0.01
    found = []
    for near, labels, _, *_, met in walk(
        X, np.zeros(64, dtype), centres, [np.zeros((30, 64)), move], dtype
    ):
        found.append(met)
        np.testing.assert_array_equal(labels, exact_distances(X, near).argmin(axis=1))
    assert 0 < found[1] <= 600
    assert np.isin([0, 7], labels).all()


@given(
    st.integers(1, 300),
    st.integers(1, 40),
    st.integers(1, 30),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree(n, d, k, dtype, seed):
    rng = np.random.default_rng(seed)
    X, centres = rng.integers(-9, 10, (n, d)).astype(dtype), rng.integers(-9, 10, (k, d))
    centres, shift = centres.astype(dtype), rng.integers(-9, 10, d).astype(dtype)
    path = [np.zeros((k, d)), rng.integers(0, 2, (k, 1)) * np.ones((k, d)), np.zeros((k, d))]
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            found = walk(X, shift, centres, path, dtype)
            results.append([[array.copy() for array in state[1:5]] for state in found])
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            # Bounds differ: the kernel lets rows meet as many centres as their neighbours.
            for place in (0, 2, 3):
                np.testing.assert_array_equal(mine[place], theirs[place])


def test_lengths_are_checked(dtype):
    X, shift, centres = np.zeros((4, 3), dtype), np.zeros(3, dtype), np.zeros((2, 3), dtype)
    right = {
        "weights": np.ones(4, dtype),
        "shift": shift,
        "centres": centres,
        "steps": np.zeros(2, dtype),
        "clusters": np.array([1, 0], np.int32),
        "labels": np.array([0, 1, -1, 1], np.int32),
        "lower": np.zeros(4, dtype),
        "sums": np.zeros((2, 3)),
        "counts": np.zeros(2),
    }

    def call(**wrong):
        return hmlc._core.k_means.lloyd_hamerly(X, *(right | wrong).values())

    call()
    for name, wrong in (
        ("weights", np.ones(3, dtype)),
        ("shift", shift[:2]),
        ("centres", centres[:1]),
        ("steps", np.zeros(3, dtype)),
        ("clusters", np.array([1, 2], np.int32)),
        ("clusters", np.array([0, 0], np.int32)),
        ("clusters", np.array([0], np.int32)),
        ("labels", np.array([0, 1, 2, 0], np.int32)),
        ("lower", np.zeros(3, dtype)),
        ("sums", np.zeros((2, 2))),
        ("counts", np.zeros(3)),
    ):
        with pytest.raises(ValueError, match=r"fit|length|label|each once"):
            call(**{name: wrong})


# ---- fits


def fit(X, init, monkeypatch, *, bounds=True, weights=None, **parameters):
    with monkeypatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        patch.setattr(_lloyd, "_is_wide", lambda *shape: bounds)
        model = KMeans(n_clusters=len(init), init=init, **{"tol": 0, **parameters})
        return model.fit(X, sample_weight=weights)


def assert_same_fit(model, other, dtype):
    for name in ("labels_", "cluster_centers_", "cost_history_", "counts_"):
        assert getattr(model, name).tobytes() == getattr(other, name).tobytes()
    assert model.inertia_ == pytest.approx(other.inertia_, rel=8 * float(np.finfo(dtype).eps))


def clouds(rng, n, d, k, spread, dtype):
    centres = rng.normal(size=(k, d))
    return (centres[rng.integers(0, k, n)] + spread * rng.normal(size=(n, d))).astype(dtype)


@pytest.mark.parametrize("spread", [0.01, 0.5, 2.0])
@pytest.mark.parametrize("offset", [0, 3000])
@pytest.mark.parametrize("max_iter", [1, 2, 30])
def test_bounds_leave_no_trace_in_a_fit(spread, offset, max_iter, dtype, rng, monkeypatch):
    X = clouds(rng, 4000, 40, 90, spread, dtype) + dtype(offset)
    bounded, plain = (
        fit(X, X[:90], monkeypatch, bounds=bounds, max_iter=max_iter) for bounds in (True, False)
    )
    assert_same_fit(bounded, plain, dtype)
    np.testing.assert_array_equal(bounded.predict(X), bounded.labels_)


def test_equal_rows_and_centres_leave_no_trace(dtype, rng, monkeypatch):
    """Whole numbers, of which many rows are equally far from several centres, and equal seeds."""
    X = rng.integers(0, 2, (3000, 12)).astype(dtype)
    init = X[rng.integers(0, 3000, 50)]
    init[25:30] = init[:5]
    fits = (fit(X, init, monkeypatch, bounds=bounds, max_iter=15) for bounds in (True, False))
    assert_same_fit(*fits, dtype)


def test_empty_clusters_and_weights_leave_no_trace(dtype, rng, monkeypatch):
    X = clouds(rng, 3000, 33, 40, 0.3, dtype)
    init = np.concatenate([X[:50], np.full((20, 33), 1e3, dtype)])
    weights = rng.choice([0, 1e-8, 0.5, 3], 3000).astype(dtype)
    fits = [
        fit(X, init, monkeypatch, bounds=bounds, weights=weights, max_iter=15)
        for bounds in (True, False)
    ]
    assert_same_fit(*fits, dtype)
    assert len(np.unique(fits[0].labels_)) > 50


def test_steps_without_use_are_plain(dtype, rng, monkeypatch):
    """Rows of no clusters meet nearly all centres; the fit is that of plain steps."""
    X = rng.normal(size=(3000, 64)).astype(dtype)
    called = []
    plain = _lloyd.PlainSteps.step

    def step(self, centres):
        called.append(centres)
        return plain(self, centres)

    monkeypatch.setattr(_lloyd.PlainSteps, "step", step)
    bounded = fit(X, X[:100], monkeypatch, max_iter=12)
    assert 1 <= len(called) < 12
    assert_same_fit(bounded, fit(X, X[:100], monkeypatch, bounds=False, max_iter=12), dtype)


@pytest.mark.parametrize("n_jobs", [2, 3, 7])
def test_threads_leave_no_trace(n_jobs, dtype, rng, monkeypatch):
    X = clouds(rng, 20_000, 64, 100, 0.4, dtype)
    assert _lloyd._is_wide(100, 64)
    models = [fit(X, X[:100], monkeypatch, n_jobs=jobs, max_iter=12) for jobs in (1, n_jobs)]
    assert_same_fit(*models, dtype)
    assert models[0].inertia_ == models[1].inertia_
