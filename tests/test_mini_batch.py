"""KMeans.partial_fit against a plain loop over rows, and as a way to the clusters."""

import numpy as np
import pandas as pd
import pytest

import hmlc
from hmlc import KMeans


def chunks(X, size, *more):
    for first in range(0, len(X), size):
        yield tuple(array[first : first + size] for array in (X, *more))


def by_hand(batches, centres):
    """Take every row in turn: algorithm 1 of Sculley, labels of a chunk found first."""
    centres, counts = np.array(centres, np.longdouble), np.zeros(len(centres), np.longdouble)
    for X, weights in batches:
        squares = ((X[:, np.newaxis].astype(np.longdouble) - centres) ** 2).sum(axis=2)
        for x, weight, label in zip(X, weights, squares.argmin(axis=1), strict=True):
            if weight > 0:
                counts[label] += weight
                centres[label] += weight / counts[label] * (x - centres[label])
    return centres, counts


@pytest.mark.parametrize("offset", [0, 1000])
@pytest.mark.parametrize(("d", "k", "size"), [(2, 3, 50), (8, 16, 64), (200, 5, 37)])
def test_same_as_a_loop_over_rows(d, k, size, offset, dtype, rng, backend):
    X = (offset + 3 * rng.normal(size=(200, d))).astype(dtype)
    weights = rng.integers(0, 3, 200).astype(dtype)
    weights[0::size] = 1
    model = KMeans(n_clusters=k, init=X[:k])
    for rows, own in chunks(X, size, weights):
        model.partial_fit(rows, sample_weight=own)
    centres, counts = by_hand(chunks(X, size, weights), X[:k])
    np.testing.assert_array_equal(model.counts_, counts.astype(float))
    tolerance = 64 * np.finfo(dtype).eps * (offset + 1)
    np.testing.assert_allclose(
        model.cluster_centers_, centres.astype(float), rtol=tolerance, atol=tolerance
    )
    assert model.cluster_centers_.dtype == dtype
    np.testing.assert_array_equal(model.labels_, model.predict(rows))
    squares = (rows.astype(float) - model.cluster_centers_[model.labels_].astype(float)) ** 2
    assert model.inertia_ == pytest.approx((own * squares.sum(axis=1)).sum(), rel=1e-4)
    assert model.n_iter_ == len(model.cost_history_) == -(-200 // size)
    assert model.cost_history_[-1] == model.inertia_


def test_it_finds_clusters(dtype, rng):
    places = 10 * np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 2]])
    X = (places[rng.integers(0, 5, 20_000)] + rng.normal(size=(20_000, 2))).astype(dtype)
    model = KMeans(n_clusters=5, random_state=0)
    for (rows,) in chunks(X, 500):
        model.partial_fit(rows)
    whole = KMeans(n_clusters=5, random_state=0).fit(X)
    assert -model.score(X) <= 1.01 * whole.inertia_
    assert model.counts_.sum() == 20_000
    nearest = ((model.cluster_centers_[:, np.newaxis] - places) ** 2).sum(axis=2)
    assert sorted(nearest.argmin(axis=1)) == list(range(5))
    assert nearest.min(axis=1).max() < 0.01


def test_whole_weights_are_repetitions(rng):
    X, times = rng.normal(size=(60, 3)), rng.integers(0, 4, 60)
    weighted, repeated = KMeans(n_clusters=4, random_state=0), KMeans(n_clusters=4, random_state=0)
    for rows, own in chunks(X, 20, times):
        order = rng.permutation(own.sum())
        weighted.partial_fit(rows, sample_weight=own)
        repeated.partial_fit(rows.repeat(own, axis=0)[order])
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-12)
    np.testing.assert_array_equal(weighted.counts_, repeated.counts_)


def test_a_centre_without_rows_stays(dtype, backend):
    init = np.array([[0.0], [50.0]])
    model = KMeans(n_clusters=2, init=init).partial_fit(np.array([[0], [2]], dtype))
    np.testing.assert_array_equal(model.cluster_centers_.ravel(), [1, 50])
    np.testing.assert_array_equal(model.counts_, [2, 0])
    model.partial_fit(np.array([[52]], dtype))
    np.testing.assert_array_equal(model.cluster_centers_.ravel(), [1, 52])


def test_the_finest_type_is_kept(rng):
    X = rng.normal(size=(40, 2))
    model = KMeans(n_clusters=3, random_state=0).partial_fit(X.astype(np.float32))
    assert model.cluster_centers_.dtype == np.float32
    model.partial_fit(X)
    assert model.partial_fit(X.astype(np.float32)).cluster_centers_.dtype == np.float64


def test_a_failed_chunk_changes_nothing(rng):
    X = rng.normal(size=(40, 2))
    with pytest.raises(ValueError, match="n_samples=3 should be >= n_clusters=4"):
        KMeans(n_clusters=4).partial_fit(X[:3])
    model = KMeans(n_clusters=4, random_state=0).partial_fit(X)
    before = {name: np.copy(value) for name, value in vars(model).items() if name[-1] == "_"}
    for bad, message in (
        (np.full((5, 2), np.nan), "NaN"),
        (X[:, :1], "expecting 2 features"),
        (X[:0], "0 sample"),
    ):
        with pytest.raises(ValueError, match=message):
            model.partial_fit(bad)
    with pytest.raises(ValueError, match="n_clusters is 5, but was 4"):
        model.set_params(n_clusters=5).partial_fit(X)
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(model, name), value)
    model.set_params(n_clusters=4).partial_fit(X[:1])
    assert model.counts_.sum() == 41


def test_it_begins_anew_after_fit(rng):
    X = rng.normal(size=(60, 2))
    fitted = KMeans(n_clusters=3, random_state=0).fit(X[:30]).partial_fit(X[30:])
    fresh = KMeans(n_clusters=3, random_state=0).partial_fit(X[30:])
    assert fitted.cluster_centers_.tobytes() == fresh.cluster_centers_.tobytes()
    assert fitted.counts_.sum() == 30
    fitted.fit(X)
    assert fitted.counts_.sum() == 60


def test_names_are_kept_and_checked(rng):
    frame = pd.DataFrame(rng.normal(size=(20, 2)), columns=["a", "b"])
    model = KMeans(n_clusters=2, random_state=0).partial_fit(frame[:10]).partial_fit(frame[10:])
    assert list(model.feature_names_in_) == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(frame.rename(columns={"a": "c"}))


def test_a_saved_model_goes_on(rng, tmp_path):
    X = rng.normal(size=(60, 3))
    model = KMeans(n_clusters=4, random_state=0).partial_fit(X[:30])
    hmlc.save(model, tmp_path / "model")
    loaded = hmlc.load(tmp_path / "model").partial_fit(X[30:])
    model.partial_fit(X[30:])
    for name in ("cluster_centers_", "labels_", "counts_", "cost_history_"):
        assert getattr(loaded, name).tobytes() == getattr(model, name).tobytes()


def test_threads_leave_no_trace(dtype, rng):
    X = rng.normal(size=(40_000, 9)).astype(dtype)
    models = [KMeans(n_clusters=12, random_state=0, n_jobs=jobs) for jobs in (1, 2, 3)]
    for model in models:
        for (rows,) in chunks(X, 20_000):
            model.partial_fit(rows)
    assert len({model.cluster_centers_.tobytes() for model in models}) == 1
