"""Weights of rows in KMeans: as repetition, as absence, against formulae and scikit-learn."""

import warnings

import numpy as np
import pytest
import sklearn.cluster
import sklearn.exceptions
from sklearn.utils import estimator_checks

from hmlc import ConvergenceWarning, KMeans
from hmlc._cluster_rows import Rows
from hmlc._seeding import FEW_VALUES, plus_plus_seeds, random_seeds, set_of_rows


def blobs(rng, n, d, k, dtype=np.float64):
    centres = rng.normal(0, 5, (k, d))
    return (centres[rng.integers(0, k, n)] + rng.normal(size=(n, d))).astype(dtype)


def fit_quietly(model, X, weights=None):
    """Fit where reaching max_iter is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
        return model.fit(X, sample_weight=weights)


def assert_same(model, other, dtype):
    tolerance = {"rtol": 64 * np.finfo(dtype).eps, "atol": 64 * np.finfo(dtype).eps}
    np.testing.assert_allclose(model.cluster_centers_, other.cluster_centers_, **tolerance)
    np.testing.assert_array_equal(model.counts_, other.counts_)
    assert model.n_iter_ == other.n_iter_
    assert model.inertia_ == pytest.approx(other.inertia_, rel=float(tolerance["rtol"]))
    np.testing.assert_allclose(model.cost_history_, other.cost_history_, rtol=1e-5)


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize(("n", "d", "k"), [(60, 2, 3), (200, 5, 7), (90, 150, 6), (300, 9, 40)])
def test_whole_weights_are_repetitions_in_any_order(init, n, d, k, dtype, rng, backend):
    """The same clusters by the same numbers, from the same random_state."""
    X, times = blobs(rng, n, d, k, dtype), rng.integers(0, 4, n)
    order = rng.permutation(times.sum())
    repeated = X.repeat(times, axis=0)[order]
    weighted = fit_quietly(KMeans(n_clusters=k, init=init, random_state=5), X, times)
    other = fit_quietly(KMeans(n_clusters=k, init=init, random_state=5), repeated)
    assert_same(weighted, other, dtype)
    np.testing.assert_array_equal(weighted.labels_.repeat(times)[order], other.labels_)
    score = weighted.score(X, sample_weight=times)
    assert score == pytest.approx(weighted.score(repeated), rel=1e-5)


@pytest.mark.parametrize("d", [2, 200])
def test_no_weight_is_absence(d, dtype, rng, backend):
    """Rows of weight 0 far away draw no centre, and fill no empty cluster."""
    X = blobs(rng, 150, d, 4, dtype)
    weights = rng.uniform(0.1, 2, 150).astype(dtype)
    absent = rng.random(150) < 0.3
    init = np.concatenate([X[~absent][:3], np.full((2, d), 1e3, dtype)])
    far = np.where(absent[:, np.newaxis], 100 * X, X)
    for parameters in ({"init": init}, {"random_state": 2}):
        model = KMeans(n_clusters=5, **parameters)
        weighted = fit_quietly(model, far, np.where(absent, 0, weights))
        alone = fit_quietly(KMeans(n_clusters=5, **parameters), X[~absent], weights[~absent])
        np.testing.assert_allclose(
            weighted.cluster_centers_, alone.cluster_centers_, rtol=2e-5, atol=2e-5
        )
        np.testing.assert_allclose(weighted.counts_, alone.counts_, rtol=1e-5)
        np.testing.assert_array_equal(weighted.labels_[~absent], alone.labels_)
        np.testing.assert_array_equal(weighted.predict(far), weighted.labels_)


@pytest.mark.parametrize(("n", "d", "k"), [(400, 2, 3), (900, 8, 16), (300, 200, 7), (700, 3, 40)])
@pytest.mark.parametrize("max_iter", [1, 3, 300])
def test_same_as_scikit_learn_from_the_same_seeds(n, d, k, max_iter, rng):
    X, weights = blobs(rng, n, d, k), rng.exponential(size=n)
    seeds = X[rng.choice(n, k, replace=False)]
    peer = sklearn.cluster.KMeans(k, init=seeds, n_init=1, max_iter=max_iter)
    fit_quietly(peer, X, weights)
    ours = fit_quietly(KMeans(n_clusters=k, init=seeds, max_iter=max_iter), X, weights)
    np.testing.assert_array_equal(ours.labels_, peer.labels_)
    np.testing.assert_allclose(ours.cluster_centers_, peer.cluster_centers_, rtol=1e-9, atol=1e-9)
    assert ours.inertia_ == pytest.approx(peer.inertia_, rel=1e-10)
    assert ours.n_iter_ == peer.n_iter_
    assert ours.score(X, sample_weight=weights) == pytest.approx(peer.score(X, None, weights))


def test_inertia_counts_and_centres_by_formula(dtype, rng, backend):
    X, weights = blobs(rng, 400, 4, 5, dtype), rng.exponential(size=400).astype(dtype)
    model = KMeans(n_clusters=5, tol=0, random_state=1).fit(X, sample_weight=weights)
    exact, own = X.astype(np.longdouble), weights.astype(np.longdouble)
    eps = float(np.finfo(dtype).eps)
    for j, centre in enumerate(model.cluster_centers_):
        mine = model.labels_ == j
        assert model.counts_[j] == pytest.approx(float(own[mine].sum()), rel=300 * eps)
        mean = (own[mine, np.newaxis] * exact[mine]).sum(axis=0) / own[mine].sum()
        np.testing.assert_allclose(centre, mean.astype(dtype), rtol=300 * eps, atol=300 * eps)
    squares = ((exact - model.cluster_centers_[model.labels_]) ** 2).sum(axis=1)
    expected = float((own * squares).sum())
    assert model.inertia_ == pytest.approx(expected, rel=300 * eps)
    assert model.cost_history_[-1] == pytest.approx(expected, rel=1e-4)


def test_a_number_weighs_all_rows_alike(dtype, rng, backend):
    X = blobs(rng, 300, 3, 4, dtype)
    one = KMeans(n_clusters=4, random_state=0).fit(X)
    four = KMeans(n_clusters=4, random_state=0).fit(X, sample_weight=4)
    assert four.cluster_centers_.tobytes() == one.cluster_centers_.tobytes()
    np.testing.assert_array_equal(four.counts_, 4 * one.counts_)
    assert four.inertia_ == 4 * one.inertia_
    each = KMeans(n_clusters=4, random_state=0).fit(X, sample_weight=np.full(300, 4))
    assert_same(each, four, dtype)


def test_an_empty_cluster_takes_all_rows_that_are_equal(dtype, backend):
    X = np.array([[0], [1], [2], [50], [50]], dtype)
    init = np.array([[1.0], [1000.0]])
    model = fit_quietly(KMeans(n_clusters=2, init=init, max_iter=1), X)
    np.testing.assert_array_equal(model.cluster_centers_.ravel(), [1, 50])
    np.testing.assert_array_equal(model.counts_, [3, 2])


def test_weights_that_differ_by_much_leave_no_rounding(rng, dtype):
    """Long rows, whose sums would be kept from step to step: the heavy row moves away."""
    X = np.concatenate([blobs(rng, 200, 160, 4, dtype), 30 + rng.normal(size=(9, 160))])
    X, weights = X.astype(dtype), np.r_[np.ones(200), np.full(9, 1e9)].astype(dtype)
    seeds = X[[0, 1, 2, 3, 200]] + 1
    model = fit_quietly(KMeans(n_clusters=5, init=seeds, tol=0), X, weights)
    for j, centre in enumerate(model.cluster_centers_):
        mine = model.labels_ == j
        mean = np.average(X[mine].astype(float), axis=0, weights=weights[mine].astype(float))
        np.testing.assert_allclose(centre, mean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("draw", [plus_plus_seeds, random_seeds])
def test_first_seeds_are_drawn_by_weight(draw, rng):
    X, weights = np.arange(5.0)[:, np.newaxis], np.array([1.0, 0.0, 3.0, 2.0, 2.0])
    rows = Rows(X, np.zeros(1), None, weights)
    drawn = [int(draw(rows, 1, rng)[0, 0]) for _ in range(4000)]
    counts, chances = np.bincount(drawn, minlength=5), weights / weights.sum()
    # Binomial counts: five standard deviations leave a chance of 6e-7 each.
    assert (np.abs(counts - 4000 * chances) <= 5 * np.sqrt(4000 * chances * (1 - chances))).all()


def test_a_set_of_rows_knows_no_order_and_no_repetition(dtype, rng):
    X = rng.integers(-1, 2, (300, 3)).astype(dtype)
    X[X == 0] = rng.choice([0.0, -0.0], (X == 0).sum())
    weights = rng.integers(0, 3, 300).astype(dtype)
    order = rng.permutation(300)
    one = set_of_rows(Rows(X, X[0], None, weights))
    two = set_of_rows(Rows(X[order].astype(np.float64), X[0], None, weights[order].astype(float)))
    np.testing.assert_array_equal(one.matrix, two.matrix)
    np.testing.assert_array_equal(one.weights, two.weights)
    assert len(np.unique(one.matrix, axis=0)) == len(one.matrix)
    assert one.weights.min() > 0
    assert one.weights.sum() == weights.sum()
    many = Rows(np.zeros((FEW_VALUES + 1, 1)), X[0, :1], None)
    assert set_of_rows(many) is many


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_threads_leave_no_trace(n_jobs, dtype, rng):
    X, weights = blobs(rng, 30_000, 6, 9, dtype), rng.exponential(size=30_000)
    models = [
        KMeans(n_clusters=9, random_state=4, n_jobs=jobs).fit(X, sample_weight=weights)
        for jobs in (1, n_jobs)
    ]
    for name in ("cluster_centers_", "labels_", "cost_history_", "counts_"):
        first, second = (getattr(model, name).tobytes() for model in models)
        assert first == second


def test_many_weighted_rows_give_good_seeds(dtype, rng):
    """Over the size that is put in order: rows of weight 0 are no seeds."""
    X, weights = blobs(rng, 20_000, 5, 60, dtype), rng.exponential(size=20_000).astype(dtype)
    weights[rng.random(20_000) < 0.5] = 0
    rows = Rows(X, X.mean(axis=0), None, weights)
    for draw in (plus_plus_seeds, random_seeds):
        seeds = draw(rows, 100, np.random.default_rng(0))
        places = [int(np.flatnonzero((seed == X).all(axis=1))[0]) for seed in seeds]
        assert (weights[places] > 0).all()
        assert len(np.unique(places)) == 100


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_sample_weight_equivalence_on_dense_data,
        estimator_checks.check_sample_weights_not_overwritten,
        estimator_checks.check_sample_weights_shape,
        estimator_checks.check_sample_weights_list,
    ],
    ids=lambda check: check.__name__,
)
def test_scikit_learns_checks_of_weights(check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check("KMeans", KMeans())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(9), "sample_weight.shape"),
        (np.ones((10, 1)), "1D"),
        (np.r_[np.ones(9), -1], "Negative"),
        (np.zeros(10), "non-zero"),
        (np.r_[np.ones(9), np.nan], "NaN"),
    ],
)
def test_bad_weights(weights, message, rng):
    X = rng.normal(size=(10, 2))
    model = KMeans(n_clusters=2)
    for call in (model.fit, model.partial_fit, model.fit_predict, model.fit_transform):
        with pytest.raises(ValueError, match=message):
            call(X, sample_weight=weights)
    assert not hasattr(model, "cluster_centers_")
    with pytest.raises(ValueError, match=message):
        model.fit(X).score(X, sample_weight=weights)
