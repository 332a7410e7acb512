"""KMeans against hand-made cases, its own definition in float64, and scikit-learn."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import sklearn.cluster
import sklearn.exceptions

import hmlc
from hmlc import ConvergenceWarning, KMeans, NotFittedError, datasets
from hmlc._cluster_rows import Rows
from hmlc._seeding import _sample, plus_plus_seeds

DATA = Path(__file__).resolve().parents[1] / "data"


def blobs(rng, n, d, k, dtype=np.float64, offset=0.0):
    centres = rng.normal(0, 5, (k, d))
    return (centres[rng.integers(0, k, n)] + rng.normal(size=(n, d)) + offset).astype(dtype)


def squares(X, centres):
    X, centres = X.astype(np.longdouble), centres.astype(np.longdouble)
    return np.stack([((X - c) ** 2).sum(axis=1) for c in centres], axis=1)


def fit_quietly(model, X):
    """Fit where reaching max_iter is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
        return model.fit(X)


def test_two_groups_on_a_line(dtype, backend):
    X = np.array([[0], [1], [10], [11]], dtype)
    model = KMeans(n_clusters=2, random_state=0).fit(X)
    assert sorted(model.cluster_centers_.ravel()) == [0.5, 10.5]
    assert model.inertia_ == 1.0
    assert model.cost_history_[-1] == pytest.approx(1.0)
    assert model.labels_[0] == model.labels_[1] != model.labels_[2] == model.labels_[3]
    assert model.cluster_centers_.dtype == dtype
    assert model.labels_.dtype == np.int32
    assert model.score(X) == -1.0
    expected = np.abs(X - model.cluster_centers_.ravel())
    np.testing.assert_array_equal(model.transform(X), expected)


def test_one_cluster_is_the_mean(dtype, rng, backend):
    X = rng.normal(3, 2, (300, 4)).astype(dtype)
    model = KMeans(n_clusters=1, random_state=0).fit(X)
    exact = X.astype(np.longdouble)
    np.testing.assert_allclose(
        model.cluster_centers_[0], exact.mean(axis=0), rtol=8 * np.finfo(dtype).eps
    )
    expected = squares(X, model.cluster_centers_).sum()
    assert model.inertia_ == pytest.approx(float(expected), rel=16 * float(np.finfo(dtype).eps))
    assert model.n_iter_ <= 2


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_as_many_clusters_as_rows(init, dtype, rng, backend):
    X = rng.permutation(20)[:, np.newaxis].astype(dtype)
    model = KMeans(n_clusters=20, init=init, random_state=1).fit(X)
    assert sorted(model.labels_) == list(range(20))
    np.testing.assert_array_equal(model.cluster_centers_[model.labels_], X)
    assert model.inertia_ == 0


@pytest.mark.parametrize(
    ("n", "d", "k"), [(400, 2, 3), (900, 8, 16), (500, 33, 7), (300, 100, 10), (700, 3, 40)]
)
@pytest.mark.parametrize("max_iter", [1, 3, 300])
def test_same_as_scikit_learn_from_the_same_seeds(n, d, k, max_iter, rng):
    X = blobs(rng, n, d, k)
    seeds = X[rng.choice(n, k, replace=False)]
    peer = fit_quietly(sklearn.cluster.KMeans(k, init=seeds, n_init=1, max_iter=max_iter), X)
    ours = fit_quietly(KMeans(n_clusters=k, init=seeds, max_iter=max_iter), X)
    np.testing.assert_array_equal(ours.labels_, peer.labels_)
    np.testing.assert_allclose(ours.cluster_centers_, peer.cluster_centers_, rtol=1e-9, atol=1e-9)
    assert ours.inertia_ == pytest.approx(peer.inertia_, rel=1e-10)
    assert ours.n_iter_ == peer.n_iter_
    np.testing.assert_array_equal(ours.predict(X), peer.predict(X))
    np.testing.assert_allclose(ours.transform(X), peer.transform(X), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_labels_are_the_nearest_centres(offset, dtype, rng, backend):
    X = blobs(rng, 300, 3, 5, dtype, offset)
    model = KMeans(n_clusters=5, random_state=3).fit(X)
    exact = squares(X, model.cluster_centers_)
    chosen = np.take_along_axis(exact, model.labels_[:, np.newaxis].astype(int), axis=1)[:, 0]
    # The scores x.c - |c|^2/2 are at the scale of the spread (here under 500), whatever the offset.
    slack = 500 * 16 * np.finfo(dtype).eps
    assert (chosen <= exact.min(axis=1) + slack).all()
    np.testing.assert_array_equal(model.predict(X), model.labels_)
    assert model.inertia_ == pytest.approx(float(chosen.sum()), rel=32 * float(np.finfo(dtype).eps))
    assert (np.diff(model.cost_history_) <= 1e-5 * model.cost_history_[0]).all()


def test_far_from_the_origin_as_near_it(rng):
    """At 2^20 float32 keeps eighths: these rows and their differences are exact there."""
    X = (rng.integers(-80, 80, (500, 2)) / 8).astype(np.float32)
    near = KMeans(n_clusters=4, init=X[:4]).fit(X)
    far = KMeans(n_clusters=4, init=X[:4] + np.float32(2**20)).fit(X + np.float32(2**20))
    # Centres are rounded to eighths there, so rows within an eighth of a border may differ.
    assert (near.labels_ != far.labels_).mean() < 0.03
    moved = far.cluster_centers_ - np.float32(2**20)
    np.testing.assert_allclose(moved, near.cluster_centers_, atol=1 / 16 + 1e-6)


def test_an_empty_cluster_takes_the_farthest_row(dtype, backend):
    X = np.array([[0], [1], [2], [50]], dtype)
    model = fit_quietly(KMeans(n_clusters=2, init=np.array([[1.0], [1000.0]]), max_iter=1), X)
    # All rows go to centre 0, whose farthest row is 50.
    np.testing.assert_array_equal(model.cluster_centers_.ravel(), [1, 50])
    np.testing.assert_array_equal(model.labels_, [0, 0, 0, 1])


def test_several_empty_clusters_take_different_rows(dtype, backend):
    X = np.array([[0], [0], [1], [20], [50]], dtype)
    far = np.array([[0.0], [1e4], [2e4]])
    model = KMeans(n_clusters=3, init=far).fit(X)
    np.testing.assert_allclose(model.cluster_centers_.ravel(), [1 / 3, 50, 20], rtol=1e-6)
    np.testing.assert_array_equal(model.labels_, [0, 0, 0, 2, 1])


def test_a_row_alone_in_its_cluster_stays(dtype, backend):
    """The row farthest from its centre is its cluster's only one: the next one moves."""
    X = np.array([[0], [1], [100]], dtype)
    init = np.array([[0.0], [60.0], [-1000.0]])
    model = KMeans(n_clusters=3, init=init).fit(X)
    np.testing.assert_array_equal(np.sort(model.cluster_centers_.ravel()), [0, 1, 100])
    assert model.inertia_ == 0


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_fewer_distinct_rows_than_clusters_is_a_warning(init, dtype, backend):
    X = np.repeat(np.array([[1, 2], [3, 4]], dtype), 5, axis=0)
    with pytest.warns(ConvergenceWarning, match="distinct clusters"):
        model = KMeans(n_clusters=4, init=init, random_state=0).fit(X)
    assert model.inertia_ == 0
    assert np.isfinite(model.cluster_centers_).all()
    np.testing.assert_array_equal(model.predict(X), model.labels_)


def test_equal_centres_share_nothing(dtype, backend):
    X = np.array([[0], [1]], dtype)
    model = fit_quietly(KMeans(n_clusters=2, init=np.zeros((2, 1)), max_iter=1), X)
    np.testing.assert_array_equal(model.labels_, [0, 1])


def test_reaching_the_limit_is_a_warning(rng):
    X = rng.normal(size=(500, 2))
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        model = KMeans(n_clusters=8, max_iter=2, tol=0, random_state=0).fit(X)
    assert model.n_iter_ == len(model.cost_history_) == 2


def test_strict_convergence_means_centres_are_means(dtype, rng):
    X = blobs(rng, 2000, 5, 6, dtype)
    model = KMeans(n_clusters=6, tol=0, random_state=5).fit(X)
    for j, centre in enumerate(model.cluster_centers_):
        mean = X[model.labels_ == j].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(centre, mean, rtol=1e-5 if dtype == np.float32 else 1e-12)
    assert model.cost_history_[-1] == pytest.approx(model.inertia_, rel=1e-5)


def test_seeds_are_drawn_in_proportion_to_squared_distance(rng, backend):
    closest = np.concatenate([np.zeros(300), [1.0, 2.0, 0.0, 3.0], np.zeros(300), [4.0]])
    starts = np.arange(0, len(closest), 256)
    weights = rng.integers(1, 4, len(closest)).astype(float)
    block_totals = np.add.reduceat(weights * closest, starts)
    draws = 20_000
    drawn = _sample(closest, weights, block_totals, draws, rng)
    counts = np.bincount(drawn, minlength=len(closest))
    closest = weights * closest
    expected = draws * closest / closest.sum()
    assert (counts[closest == 0] == 0).all()
    # Binomial counts: five standard deviations, sqrt(n p (1 - p)), leave a chance of 6e-7 each.
    slack = 5 * np.sqrt(expected * (1 - closest / closest.sum()))
    assert (np.abs(counts - expected) <= slack).all()


def test_a_draw_at_the_very_end_takes_the_last_row_that_can_be():
    class Ends:
        def random(self, size):
            return np.array([0.0, 1.0])

    closest = np.array([0.0, 2.0, 0.1, 0.0, 0.0])
    total = np.array([closest.sum() * (1 + 1e-15)])
    assert _sample(closest, np.ones(5), total, 2, Ends()) == [1, 2]


def test_plus_plus_finds_every_far_group(dtype, rng, backend):
    """Groups of spread 1e-3 at distance 1: a second seed in one has a chance near 1e-6."""
    places = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 2]])
    groups = np.repeat(np.arange(5), 60)
    X = (places[groups] + 1e-3 * rng.normal(size=(300, 2))).astype(dtype)
    for seed in range(5):
        seeds = plus_plus_seeds(Rows(X, X.mean(axis=0), None), 5, np.random.default_rng(seed))
        nearest = squares(seeds, places.astype(dtype)).argmin(axis=1)
        assert sorted(nearest) == list(range(5))
        assert all((seed_row == X).all(axis=1).any() for seed_row in seeds)


def test_more_runs_are_no_worse(rng):
    X = blobs(rng, 500, 2, 12)
    seeds = np.random.default_rng(11), np.random.default_rng(11)
    one = KMeans(n_clusters=12, init="random", n_init=1, random_state=seeds[0]).fit(X)
    ten = KMeans(n_clusters=12, init="random", random_state=seeds[1]).fit(X)
    assert ten.inertia_ < one.inertia_


def both_ways(X, init, monkeypatch, **parameters):
    """Fit with bounds and without."""
    model = KMeans(n_clusters=len(init), init=init, tol=0, **parameters)
    with_bounds = fit_quietly(model, X)
    monkeypatch.setattr("hmlc._lloyd._is_long", lambda *shape: False)
    return with_bounds, fit_quietly(KMeans(**model.get_params()), X)


@pytest.mark.parametrize("max_iter", [1, 20])
def test_bounds_change_nothing_on_digits(max_iter, dtype, monkeypatch):
    X = datasets.load_mnist(3000, data_dir=DATA).data.astype(dtype)
    bounded, plain = both_ways(X, X[:10], monkeypatch, max_iter=max_iter)
    np.testing.assert_array_equal(bounded.labels_, plain.labels_)
    assert bounded.n_iter_ == plain.n_iter_ == max_iter
    assert bounded.inertia_ == pytest.approx(plain.inertia_, rel=8 * float(np.finfo(dtype).eps))
    np.testing.assert_allclose(bounded.cost_history_, plain.cost_history_, rtol=1e-6)
    np.testing.assert_array_equal(bounded.predict(X), bounded.labels_)


def test_bounds_change_nothing_where_clusters_are_empty(dtype, rng, monkeypatch):
    X = blobs(rng, 400, 130, 5, dtype)
    init = np.concatenate([X[:3], np.full((2, 130), 1e3, dtype), X[:1]])
    bounded, plain = both_ways(X, init, monkeypatch)
    np.testing.assert_array_equal(bounded.labels_, plain.labels_)
    assert bounded.n_iter_ == plain.n_iter_ > 1
    assert len(np.unique(bounded.labels_)) == 6


@pytest.mark.parametrize("n_jobs", [2, 3, 7])
def test_threads_leave_no_trace(n_jobs, dtype, rng):
    X = blobs(rng, 30_000, 6, 9, dtype)
    models = [KMeans(n_clusters=9, random_state=4, n_jobs=jobs).fit(X) for jobs in (1, n_jobs)]
    for name in ("cluster_centers_", "labels_", "cost_history_"):
        first, second = (getattr(model, name).tobytes() for model in models)
        assert first == second
    assert models[0].inertia_ == models[1].inertia_
    assert models[0].transform(X).tobytes() == models[1].transform(X).tobytes()


@pytest.mark.parametrize(
    "layout",
    [
        lambda X: np.asfortranarray(X),
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X.astype(X.dtype.newbyteorder()),
        lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
    ],
)
def test_layout_leaves_no_trace(layout, dtype, rng):
    X = blobs(rng, 3000, 5, 6, dtype)
    expected = KMeans(n_clusters=6, random_state=2).fit(X)
    model = KMeans(n_clusters=6, random_state=2).fit(layout(X))
    assert model.cluster_centers_.tobytes() == expected.cluster_centers_.tobytes()
    assert model.labels_.tobytes() == expected.labels_.tobytes()
    assert model.inertia_ == expected.inertia_
    assert model.predict(layout(X)).tobytes() == expected.labels_.tobytes()


def test_integers_and_lists_are_float64(rng):
    X = rng.integers(0, 255, (200, 3), dtype=np.uint8)
    expected = KMeans(n_clusters=4, random_state=2).fit(X.astype(float))
    for same in (X, X.tolist(), X.astype(object)):
        model = KMeans(n_clusters=4, random_state=2).fit(same)
        assert model.cluster_centers_.tobytes() == expected.cluster_centers_.tobytes()


def test_backends_agree(dtype, rng):
    X = blobs(rng, 400, 3, 4, dtype)
    models = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            models.append(KMeans(n_clusters=4, random_state=8).fit(X))
    for other in models[1:]:
        np.testing.assert_array_equal(other.labels_, models[0].labels_)
        np.testing.assert_allclose(
            other.cluster_centers_, models[0].cluster_centers_, rtol=1e-5, atol=1e-5
        )


def test_given_centres_are_not_written_to(rng):
    X = blobs(rng, 100, 2, 3)
    init = X[:3].copy()
    init.flags.writeable = False
    model = KMeans(n_clusters=3, init=init).fit(X)
    np.testing.assert_array_equal(init, X[:3])
    assert not np.shares_memory(model.cluster_centers_, init)


def test_fit_variants_and_verbose(rng, capsys):
    X = blobs(rng, 100, 2, 3)
    model = KMeans(n_clusters=3, random_state=0, verbose=2)
    labels = model.fit_predict(X)
    assert capsys.readouterr().out.count("KMeans: iteration") == model.n_iter_
    np.testing.assert_array_equal(labels, model.labels_)
    np.testing.assert_array_equal(model.set_params(verbose=0).fit_transform(X), model.transform(X))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_clusters": 0}, ValueError, "n_clusters"),
        ({"n_clusters": 2.5}, TypeError, "n_clusters"),
        ({"n_clusters": 11}, ValueError, "n_samples=10 should be >= n_clusters=11"),
        ({"init": "best"}, ValueError, "init must be one of"),
        ({"init": np.zeros((2, 3))}, ValueError, "init must be of shape"),
        ({"init": np.full((3, 2), np.nan)}, ValueError, "init contains NaN"),
        ({"init": np.full((3, 2), 1e300)}, ValueError, "init contains infinity"),
        ({"n_init": "many"}, ValueError, "n_init"),
        ({"n_init": 0}, ValueError, "n_init"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"tol": -1.0}, ValueError, "tol"),
        ({"tol": "small"}, TypeError, "tol"),
        ({"random_state": "seed"}, TypeError, "random_state"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
    ],
)
def test_bad_parameters(parameters, error, message, rng):
    X = rng.normal(size=(10, 2)).astype(np.float32)
    model = KMeans(**{"n_clusters": 3, **parameters})
    with pytest.raises(error, match=message):
        model.fit(X)
    assert not hasattr(model, "cluster_centers_")


def test_bad_rows(rng):
    X = rng.normal(size=(10, 2))
    model = KMeans(n_clusters=2, random_state=0)
    with pytest.raises(NotFittedError):
        model.predict(X)
    for bad, message in (
        (X[:, 0], "Expected 2D array"),
        (np.where(X[3, 1] == X, np.nan, X), "contains NaN"),
        (X[:0], "0 sample"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(bad)
    with pytest.raises(ValueError, match="expecting 2 features"):
        model.fit(X).predict(X[:, :1])
