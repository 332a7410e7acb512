"""A row of weight w is as w equal rows: in moments, scatter and all that is made of them."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics
import sklearn.preprocessing
from hypothesis import given
from hypothesis import strategies as st

import hmlc
from hmlc import GaussianAnomalyDetector, LinearRegression, StandardScaler, metrics
from hmlc import select_threshold as select
from hmlc._scatter import column_scatter
from hmlc._weights import check_sample_weight
from hmlc.features import column_moments
from hmlc.gaussian_anomaly import _upper_quantile

MAKERS = {
    "scaler": StandardScaler,
    "linear": lambda: LinearRegression(l2=0.5),
    "own units": lambda: LinearRegression(l2=0.5, normalize=False),
    "squares": lambda: LinearRegression(l2=0.5, polynomial_degree=2),
    "diag": lambda: GaussianAnomalyDetector(contamination=0.1),
    "full": lambda: GaussianAnomalyDetector(covariance="full", contamination=0.1),
}
by_model = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
chunk_by_chunk = pytest.mark.parametrize(
    "make", [make for name, make in MAKERS.items() if name != "squares"]
)
NAMES = ("mean_", "variance_", "scale_", "covariance_", "threshold_", "coef_", "intercept_")


def learned(model):
    values = {name: getattr(model, name, None) for name in NAMES}
    return {name: np.asarray(value) for name, value in values.items() if value is not None}


def as_bytes(model):
    return {name: value.tobytes() for name, value in learned(model).items()}


def target(make, y):
    return y if isinstance(make(), LinearRegression) else None


def assert_alike(model, other, n, dtype=np.float64):
    """Rows near 1, of which n are summed, each sum off by n eps at most; in blocks for float32.

    Solving multiplies that by the condition number, of a few dozens for these.
    """
    eps = np.finfo(dtype).eps
    tolerance = 100 * (n * eps if dtype == np.float64 else 256 * eps)
    expected = learned(other)
    assert expected
    for name, value in learned(model).items():
        np.testing.assert_allclose(value, expected[name], rtol=tolerance, atol=tolerance)


@pytest.fixture
def table(rng):
    """Return rows of a condition number near 10, and their targets."""
    X = rng.normal(1, 1, size=(900, 4)) @ (np.eye(4) + 0.3)
    return X, X @ [1.0, -2.0, 3.0, 0.1] + 5 + rng.normal(size=900)


def exact(Z, w):
    """Return the weighted mean and centred products of rows, by fractions."""
    rows = [[Fraction(float(value)) for value in row] for row in Z]
    w = [Fraction(float(value)) for value in w]
    mean = [sum(map(lambda a, b: a * b, column, w)) / sum(w) for column in zip(*rows, strict=True)]
    deviations = [[x - m for x, m in zip(row, mean, strict=True)] for row in rows]
    m = range(len(mean))
    weighted = list(zip(deviations, w, strict=True))
    S = [[sum(v * row[i] * row[j] for row, v in weighted) for j in m] for i in m]
    return np.array(mean, np.float64), np.array(S, np.float64)


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (300, 4), (270, 9), (260, 70)])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_sums_match_exact_rationals(shape, offset, dtype, rng, backend):
    Z = (rng.normal(size=shape) + offset).astype(dtype)
    w = rng.exponential(size=len(Z)).astype(dtype)
    w[1::3] = 0
    mean, S = exact(Z[:, :4], w)
    total = float(sum(map(Fraction, w.tolist())))
    # As without weights, and a root's rounding: a float32 block sums 256 products of order 1.
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    moments, scatter = column_moments(Z, weights=w), column_scatter(Z, weights=w)
    for statistic in (moments, scatter):
        assert statistic.count[0] == pytest.approx(total, rel=1e-14)
        np.testing.assert_allclose(statistic.mean[:4], mean, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(scatter.S[:4, :4], S, rtol=0, atol=tolerance * 4 * len(Z))
    np.testing.assert_allclose(moments.m2[:4], S.diagonal(), rtol=0, atol=tolerance * 4 * len(Z))


@by_model
def test_whole_weights_are_repetitions(make, table, dtype, rng, backend):
    X, y = table[0].astype(dtype)[:300], table[1].astype(dtype)[:300]
    w = rng.integers(0, 4, 300)
    model = make().fit(X, target(make, y), w)
    repeated = np.repeat(X, w, axis=0)
    other = make().fit(repeated, target(make, np.repeat(y, w)))
    assert_alike(model, other, len(repeated), dtype)


@by_model
def test_weight_0_is_absence(make, dtype, rng):
    """Also where whole blocks and lanes weigh nothing, at the beginning and between."""
    n = 20_000
    X = rng.normal(1, 1, size=(n, 4)).astype(dtype)
    y = X @ np.array([1, -2, 3, 0.1], dtype)
    w = rng.integers(0, 2, n)
    w[:6000], w[12_000:13_100] = 0, 0
    X[w == 0] += 1000
    model = make().fit(X, target(make, y), w)
    other = make().fit(X[w > 0], target(make, y[w > 0]))
    assert_alike(model, other, n, dtype)


def test_constant_where_it_weighs_anything(dtype, backend):
    X = np.full((1000, 2), 0.1, dtype)
    X[::3] = 1e6
    w = np.ones(1000)
    w[::3] = 0
    np.testing.assert_array_equal(StandardScaler().fit(X, sample_weight=w).variance_, 0)
    np.testing.assert_array_equal(column_scatter(X, weights=w).S, 0)


@by_model
def test_what_all_weights_are_multiplied_by_matters_not(make, table, dtype, rng):
    X, y = table[0].astype(dtype), table[1].astype(dtype)
    w = rng.integers(1, 9, len(X)) / 16
    one = make().fit(X, target(make, y), w)
    for factor in (2.0**-20, 0.0625, 0.3):
        other = make()
        if isinstance(other, LinearRegression):
            other.set_params(l2=0.5 * factor)
        other.fit(X, target(make, y), w * factor)
        if factor == 0.3:
            assert_alike(other, one, len(X), dtype)
        else:
            assert as_bytes(other) == as_bytes(one)


@by_model
def test_one_number_is_everybodys_weight(make, table):
    X, y = table
    for number, factor in ((1, 1), (1.0, 1), (np.float32(4), 4), (0.25, 0.25)):
        one = make().fit(X, target(make, y), number)
        other = make().fit(X, target(make, y), np.full(len(X), factor))
        assert_alike(one, other, len(X))
    assert as_bytes(make().fit(X, target(make, y), 1)) == as_bytes(make().fit(X, target(make, y)))


def test_scikit_learns_and_numpys_answers(table, rng, backend):
    X, y = table
    w = rng.exponential(size=len(X))
    w[:5] = 0
    scaler = StandardScaler().fit(X, sample_weight=w)
    peer = sklearn.preprocessing.StandardScaler().fit(X, sample_weight=w)
    np.testing.assert_allclose(scaler.mean_, peer.mean_, rtol=1e-13)
    np.testing.assert_allclose(scaler.variance_, peer.var_, rtol=1e-12)
    np.testing.assert_array_equal(
        scaler.fit_transform(X, None, w), scaler.fit(X, None, w).transform(X)
    )
    detector = GaussianAnomalyDetector(covariance="full").fit(X, sample_weight=w)
    cov = np.cov(X.T, aweights=w, ddof=0)
    np.testing.assert_allclose(detector.covariance_, cov, rtol=1e-11, atol=1e-13)
    for fit_intercept, l2 in itertools.product((True, False), (1e-6, 3.0)):
        model = LinearRegression(l2=l2, normalize=False, fit_intercept=fit_intercept)
        model.fit(X, y, sample_weight=w)
        ridge = sklearn.linear_model.Ridge(alpha=l2, fit_intercept=fit_intercept)
        ridge.fit(X, y, sample_weight=w)
        np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=1e-9)
        np.testing.assert_allclose(model.intercept_, ridge.intercept_, rtol=1e-9)
        assert model.score(X, y, w) == pytest.approx(ridge.score(X, y, sample_weight=w), rel=1e-11)


def test_descent_goes_where_the_equation_leads(table, rng):
    X, y = table
    w = rng.exponential(size=len(X))
    exact = LinearRegression(l2=1.0).fit(X, y, w)
    descent = LinearRegression(l2=1.0, solver="gradient_descent", tol=1e-15, max_iter=100_000)
    np.testing.assert_allclose(descent.fit(X, y, w).coef_, exact.coef_, rtol=1e-5)
    assert descent.cost_history_[-1] == pytest.approx(exact.cost_history_[-1], rel=1e-9)
    residual = y - exact.predict(X)
    theta = exact.coef_ * StandardScaler().fit(X, None, w).scale_
    cost = (w @ residual**2 + theta @ theta) / (2 * w.sum())
    assert exact.cost_history_[-1] == pytest.approx(cost, rel=1e-12)


@chunk_by_chunk
def test_chunks_are_as_all(make, table, rng, backend):
    X, y = table
    w = rng.exponential(size=len(X))
    w[:40], w[310:600] = 0, 1e-3
    model = make()
    for first, last in itertools.pairwise((0, 50, 300, 302, 900)):
        some = slice(first, last)
        model.partial_fit(X[some], target(make, y[some]), w[some])
    if isinstance(model, GaussianAnomalyDetector):
        model.set_params(contamination=None)
        model.partial_fit(X[:1], sample_weight=1e-30)
    assert_alike(model, make().set_params(**model.get_params()).fit(X, target(make, y), w), len(X))


@chunk_by_chunk
def test_threads_layout_and_saving_leave_no_trace(make, dtype, rng, tmp_path):
    X = rng.normal(2, 1, size=(30_000, 4)).astype(dtype)
    y, w = X[:, 0] - X[:, 1], rng.exponential(size=30_000) * 1e-6
    w[:9000] = 0
    found = []
    for n_jobs, rows, given_weights in (
        (1, X, w),
        (2, np.asfortranarray(X), np.repeat(w, 2)[::2]),
        (3, X, w.astype(dtype).tolist()),
    ):
        model = make().set_params(n_jobs=n_jobs)
        for some in (slice(0, 20_000), slice(20_000, None)):
            weights = given_weights[some]
            model.partial_fit(rows[some], target(make, y[some]), weights)
            hmlc.save(model, tmp_path / "model")
            model = hmlc.load(tmp_path / "model")
        found.append(as_bytes(model))
    assert found[0] == found[1] == found[2]


def test_a_light_first_block_far_from_the_rest_costs_no_digits(dtype, rng):
    """In float32 the squares of 1000 would leave none of the digits of 1 in a block's sum."""
    X = rng.normal(size=(2000, 3)).astype(dtype)
    w = np.ones(2000)
    X[:256] += 1000
    w[:256] = 1e-12
    E = X.astype(np.float64) - np.average(X.astype(np.float64), axis=0, weights=w)
    S = (w[:, None] * E).T @ E
    tolerance = 2000 * np.finfo(dtype).eps if dtype == np.float64 else 1e-4
    with hmlc.use_backend("c"):
        np.testing.assert_allclose(column_scatter(X, weights=w).S, S, atol=tolerance * 2000)
        moments = column_moments(X, weights=w)
    np.testing.assert_allclose(moments.m2, S.diagonal(), rtol=tolerance)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.floats(0.001, 0.5))
def test_the_quantile_is_that_of_repeated_scores(seed, n, share):
    rng = np.random.default_rng(seed)
    scores, w = np.round(rng.normal(size=n), 1), rng.integers(0, 4, n).astype(float)
    w[0] = 1
    repeated = np.repeat(scores, w.astype(int))
    assert _upper_quantile(scores, w, share) == np.quantile(repeated, share, method="higher")
    equal = _upper_quantile(scores, np.full(n, 0.25), share)
    assert equal == np.quantile(scores, share, method="higher")


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from(["c", "numpy", "python"]),
)
def test_thresholds_are_those_of_repeated_rows(seed, n, dtype, name):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.normal(size=n), 1).astype(dtype)
    labels, w = rng.integers(0, 2, n), rng.integers(0, 4, n)
    labels[0], w[0] = 1, 2
    with hmlc.use_backend(name):
        found = select(labels, scores, w)
        expected = select(np.repeat(labels, w), np.repeat(scores, w))
    assert found[:4] == expected[:4]
    for left, right in zip(found[4:], expected[4:], strict=True):
        np.testing.assert_array_equal(left, right)


def test_thresholds_match_scikit_learn(dtype, rng, backend):
    labels, w = rng.random(500) < 0.1, rng.exponential(size=500).astype(dtype)
    scores = np.round(rng.normal(size=500) - labels, 2).astype(dtype)
    found = select(labels, scores, w)
    for threshold, f1 in zip(found.thresholds[::20], found.f1s[::20], strict=True):
        peer = sklearn.metrics.f1_score(labels, scores < threshold, sample_weight=w)
        assert f1 == pytest.approx(peer, rel=1e-6 if dtype == np.float32 else 1e-13)


def test_weighted_labels_decide(table, rng):
    X, labels = table[0], rng.random(900) < 0.05
    w = rng.integers(0, 3, 900)
    detector = GaussianAnomalyDetector().fit(X, labels, w)
    assert detector.threshold_ == select(labels, detector.score_samples(X), w).threshold
    nothing = GaussianAnomalyDetector().fit(X, labels, np.where(labels, 0, 1))
    other = GaussianAnomalyDetector().fit(X, None, np.where(labels, 0, 1))
    assert nothing.threshold_ == other.threshold_
    np.testing.assert_array_equal(
        detector.fit_predict(X, labels, w), detector.fit(X, labels, w).predict(X)
    )


PEERS = {
    metrics.accuracy: sklearn.metrics.accuracy_score,
    metrics.confusion_matrix: sklearn.metrics.confusion_matrix,
    metrics.f1: sklearn.metrics.f1_score,
    metrics.mean_squared_error: sklearn.metrics.mean_squared_error,
    metrics.r2: sklearn.metrics.r2_score,
}


@pytest.mark.parametrize("metric", PEERS, ids=lambda metric: metric.__name__)
def test_metrics_weigh_rows(metric, rng):
    true, predicted = rng.integers(0, 2, (2, 50))
    w = rng.exponential(size=50)
    w[:3] = 0
    expected = PEERS[metric](true, predicted, sample_weight=w)
    np.testing.assert_allclose(metric(true, predicted, w), expected, rtol=1e-13)
    whole = rng.integers(0, 4, 50)
    repeated = metric(np.repeat(true, whole), np.repeat(predicted, whole))
    np.testing.assert_allclose(metric(true, predicted, whole), repeated, rtol=1e-13)
    np.testing.assert_array_equal(metric(true, predicted, 1), metric(true, predicted))
    with pytest.raises(ValueError, match="Negative values"):
        metric(true, predicted, -w)


WRONG = {
    "Negative values in data passed to `sample_weight`: -1 for row 2": [1, 1, -1],
    "at least one non-zero": [0, 0, 0],
    "contains NaN": [1, np.nan, 1],
    r"sample_weight.shape == \(2,\), expected \(3,\)": [1, 1],
    "1D array or scalar, got 2D": [[1], [1], [1]],
    "sample_weight must be a number > 0": -1.0,
}


@pytest.mark.parametrize("match", WRONG)
@by_model
def test_bad_weights_are_refused_and_nothing_learned(make, match):
    X, y = [[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0]
    model = make().fit(X, target(make, y))
    before = as_bytes(model)
    for method in ("fit", "partial_fit"):
        if method == "partial_fit" and model.get_params().get("polynomial_degree") == 2:
            continue
        with pytest.raises(ValueError, match=match):
            getattr(model, method)(X, target(make, y), WRONG[match])
    assert as_bytes(model) == before


def test_weights_that_were_checked_stay_one_number():
    once = check_sample_weight(None, 5, np.dtype(np.float64))
    again = check_sample_weight(once, 5, np.dtype(np.float32))
    assert again.strides == once.strides == (0,)
    assert again.dtype == np.float32
