"""The detector against SciPy, scikit-learn and the original's published result."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2, multivariate_normal, norm
from sklearn.base import clone
from sklearn.covariance import EmpiricalCovariance

import hmlc
from hmlc import GaussianAnomalyDetector, NotFittedError, select_threshold
from hmlc._chi_squared import upper_quantile

SERVER = Path(__file__).resolve().parents[2] / "shared" / "data" / "server-operational-params.csv"


@pytest.fixture(params=["diag", "full"])
def covariance(request):
    return request.param


def correlated(n, d, dtype, rng):
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)).astype(dtype)


@pytest.mark.skipif(not SERVER.exists(), reason="the original's server table is not here")
def test_the_originals_result(covariance, backend):
    """Its grid gives epsilon 8.986e-05 and F1 0.8: 6 of 9 anomalies flagged, nothing else."""
    table = np.loadtxt(SERVER, delimiter=",", skiprows=1)
    X, labels = table[:, :2], table[:, 2] == 1
    detector = GaussianAnomalyDetector(covariance=covariance).fit(X, labels)
    density = detector.density(X)
    flagged = density < 8.986e-05
    assert (flagged.sum(), (flagged & labels).sum(), labels.sum()) == (6, 6, 9)
    assert 2 * 6 / (6 + 9) == 0.8
    result = select_threshold(labels, density)
    assert result.f1 == 0.8 == result.f1s.max()
    assert (result.precision, result.recall) == (1, 6 / 9)
    np.testing.assert_array_equal(density < result.threshold, flagged)
    np.testing.assert_array_equal(detector.predict(X) == -1, flagged)


@pytest.mark.parametrize("shape", [(50, 1), (400, 3), (300, 20)])
def test_diag_matches_scipy(shape, dtype, rng, backend):
    X = correlated(*shape, dtype, rng)
    detector = GaussianAnomalyDetector().fit(X)
    exact = X.astype(np.float64)
    mean, deviation = exact.mean(axis=0), exact.std(axis=0)
    rtol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(detector.mean_, mean, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(detector.variance_, deviation**2, rtol=rtol)
    assert detector.covariance_ is None
    expected = norm(mean, deviation).logpdf(exact).sum(axis=1)
    actual = detector.score_samples(X)
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual, expected, rtol=10 * rtol)
    assert detector.density(X).dtype == dtype
    np.testing.assert_allclose(detector.density(X), np.exp(expected), rtol=1000 * rtol, atol=1e-37)


@pytest.mark.parametrize("shape", [(50, 1), (400, 3), (300, 20)])
def test_full_matches_scikit_learn(shape, dtype, rng, backend):
    X = correlated(*shape, dtype, rng)
    detector = GaussianAnomalyDetector(covariance="full").fit(X)
    peer = EmpiricalCovariance().fit(X.astype(np.float64))
    rtol = 1e-5 if dtype == np.float32 else 1e-11
    scale = np.abs(peer.covariance_).max()
    np.testing.assert_allclose(detector.mean_, peer.location_, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(detector.covariance_, peer.covariance_, atol=rtol * scale)
    np.testing.assert_array_equal(detector.variance_, detector.covariance_.diagonal())
    expected = multivariate_normal(peer.location_, peer.covariance_).logpdf(X.astype(np.float64))
    # Errors grow with the condition number, here up to about 1e4.
    np.testing.assert_allclose(detector.score_samples(X), expected, rtol=100 * rtol)


def test_400_features_do_not_underflow(covariance, dtype, rng, backend):
    """The product of 400 densities is below 1e-560: 0 in float64."""
    X = rng.normal(0, 10, (900, 400)).astype(dtype)
    detector = GaussianAnomalyDetector(covariance=covariance).fit(X)
    scores = detector.score_samples(X[:50])
    assert np.all((scores < -1300) & (scores > -2000))
    np.testing.assert_array_equal(detector.density(X[:50]), 0)
    far = X[:50] * 2
    assert np.all(detector.predict(far) == -1)


def test_units_leave_no_trace_in_who_is_flagged(covariance, rng):
    X = correlated(500, 3, np.float64, rng)
    units = np.array([1e-100, 1.0, 1e100])
    one, other = (
        GaussianAnomalyDetector(covariance=covariance, contamination=0.1).fit(rows)
        for rows in (X, X * units)
    )
    np.testing.assert_array_equal(one.predict(X), other.predict(X * units))
    np.testing.assert_allclose(one.score_samples(X), other.score_samples(X * units), rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 3.25, -1e6, 1e-100])
def test_a_constant_column(value, covariance, dtype, rng, backend):
    X = np.column_stack([rng.normal(size=(100, 2)), np.full(100, value)]).astype(dtype)
    detector = GaussianAnomalyDetector(covariance=covariance).fit(X)
    assert np.all(np.isfinite(detector.score_samples(X)))
    middle = np.array([[*detector.mean_[:2], value]]).astype(dtype)
    assert detector.predict(middle) == 1
    middle[0, 2] += 1e-3 * (abs(value) or 1)
    if middle[0, 2] != X[0, 2]:
        assert detector.predict(middle) == -1


def test_a_constant_column_read_as_float32_is_the_same(covariance, rng):
    X = np.column_stack([rng.normal(size=100), np.full(100, 0.1)])
    detector = GaussianAnomalyDetector(covariance=covariance).fit(X)
    rows = X[:20].astype(np.float32)
    np.testing.assert_allclose(detector.score_samples(rows), detector.score_samples(X[:20]), atol=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda X: np.column_stack([X, X[:, 0] - 2 * X[:, 1]]),
        lambda X: np.column_stack([X, X[:, 0]]),
        lambda X: np.tile(X[:3], (1, 3)),
    ],
    ids=["combination", "copy", "fewer rows than columns"],
)
def test_a_singular_covariance(make, dtype, rng, backend):
    X = make(rng.normal(5, 2, (60, 3))).astype(dtype)
    with pytest.warns(UserWarning, match="covariance is singular"):
        detector = GaussianAnomalyDetector(covariance="full", contamination=None).fit(X)
    scores = detector.score_samples(X)
    assert np.all(np.isfinite(scores))
    assert np.linalg.eigvalsh(detector.covariance_)[0] > 0
    assert np.mean(detector.predict(X) == 1) > 0.9
    off = X[:1].copy()
    off[0, -1] += 1
    assert detector.predict(off) == -1


def test_a_regular_covariance_is_not_touched(rng):
    X = rng.normal(size=(1000, 3)) * [1e-8, 1.0, 1e8]
    detector = GaussianAnomalyDetector(covariance="full").fit(X)
    np.testing.assert_allclose(detector.covariance_.diagonal(), X.var(axis=0), rtol=1e-12)


def test_one_row(covariance):
    detector = GaussianAnomalyDetector(covariance=covariance).fit([[1.0, 0.0]])
    np.testing.assert_array_equal(
        detector.predict([[1.0, 0.0], [1.01, 0.0], [1.0, 0.01]]), [1, -1, -1]
    )


@pytest.mark.parametrize("contamination", [0.001, 0.1, 0.37, 0.5])
def test_contamination_is_the_share_flagged(contamination, covariance, dtype, rng, backend):
    X = correlated(600, 4, dtype, rng)
    detector = GaussianAnomalyDetector(covariance=covariance, contamination=contamination)
    flagged = detector.fit_predict(X) == -1
    assert flagged.sum() == np.ceil(contamination * (len(X) - 1))
    np.testing.assert_array_equal(flagged, detector.score_samples(X) < detector.threshold_)


@pytest.mark.parametrize("d", [1, 2, 10, 300])
def test_the_threshold_without_labels_is_the_chi_squared_tail(d, rng):
    detector = GaussianAnomalyDetector(contamination=None).fit(rng.normal(size=(2000, d)))
    at_mean = detector.score_samples(detector.mean_[None])[0]
    squares = 2 * (at_mean - detector.threshold_)
    assert squares == pytest.approx(chi2.isf(0.001, d), rel=1e-11)


@pytest.mark.parametrize("d", [1, 2, 3, 7, 10, 784, 3001])
@pytest.mark.parametrize("share", [1e-200, 1e-20, 1e-6, 0.001, 0.05, 0.3, 0.5])
def test_chi_squared_quantiles_are_scipys(d, share):
    assert upper_quantile(share, d) == pytest.approx(chi2.isf(share, d), rel=1e-13)


def test_chi_squared_quantiles_without_a_number():
    assert upper_quantile(5e-324, 2) == upper_quantile(1e-200, 2)


def test_contamination_may_be_any_number(rng):
    X = rng.normal(size=(200, 2))
    shares = (Fraction(1, 20), 0.05)
    one, other = (GaussianAnomalyDetector(contamination=share).fit(X) for share in shares)
    assert one.threshold_ == other.threshold_


def test_labels_decide(covariance, dtype, rng, backend):
    X = correlated(300, 3, dtype, rng)
    labels = rng.random(300) < 0.1
    X[labels] += 5
    detector = GaussianAnomalyDetector(covariance=covariance, contamination=0.5).fit(X, labels)
    scores = detector.score_samples(X)
    result = select_threshold(labels, scores)
    assert detector.threshold_ == result.threshold
    np.testing.assert_array_equal(detector.predict(X) == -1, scores < result.threshold)
    np.testing.assert_array_equal(detector.decision_function(X) < 0, scores < result.threshold)
    nothing = GaussianAnomalyDetector(covariance=covariance).fit(X, np.zeros(300))
    assert nothing.threshold_ == GaussianAnomalyDetector(covariance=covariance).fit(X).threshold_


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X.astype(X.dtype.newbyteorder()),
        lambda X: X[::-1][::-1],
    ],
)
@pytest.mark.parametrize("d", [3, 70])
def test_layout_leaves_no_trace(layout, d, covariance, dtype, rng):
    X = correlated(3000, d, dtype, rng)
    X.flags.writeable = False
    detector = GaussianAnomalyDetector(covariance=covariance).fit(X)
    other = GaussianAnomalyDetector(covariance=covariance).fit(layout(X))
    assert detector.score_samples(X).tobytes() == other.score_samples(layout(X)).tobytes()


@pytest.mark.parametrize("n_jobs", [2, 3, 7])
def test_threads_leave_no_trace(n_jobs, covariance, dtype, rng):
    X = correlated(150_000, 4, dtype, rng)
    one, many = (
        GaussianAnomalyDetector(covariance=covariance, contamination=0.1, n_jobs=n).fit(X)
        for n in (1, n_jobs)
    )
    assert one.threshold_ == many.threshold_
    assert one.score_samples(X).tobytes() == many.score_samples(X).tobytes()


def test_whole_numbers_and_lists(covariance):
    rows = [[1, 2], [2, 1], [3, 5], [2, 2], [4, 1]]
    expected = GaussianAnomalyDetector(covariance=covariance).fit(np.array(rows, float))
    for X in (rows, np.array(rows, np.uint8), np.array(rows, object), np.array(rows, np.int64)):
        detector = GaussianAnomalyDetector(covariance=covariance).fit(X)
        np.testing.assert_array_equal(detector.score_samples(X), expected.score_samples(rows))


def test_scikit_learns_contract():
    detector = GaussianAnomalyDetector(covariance="full", contamination=0.2, n_jobs=1)
    assert clone(detector).get_params() == detector.get_params()
    with pytest.raises(NotFittedError):
        detector.score_samples([[1.0]])
    assert detector.fit([[1.0, 2.0], [2.0, 1.0], [0.0, 0.5]]) is detector
    assert detector.n_features_in_ == 2
    with pytest.raises(ValueError, match="expecting 2 features"):
        detector.predict([[1.0]])


@pytest.mark.parametrize(
    ("parameters", "X", "y", "error", "match"),
    [
        ({"covariance": "tied"}, [[1.0]], None, ValueError, "covariance must be one of"),
        ({"contamination": 0}, [[1.0]], None, ValueError, "contamination must be a number > 0"),
        ({"contamination": 0.6}, [[1.0]], None, ValueError, "<= 0.5"),
        ({"contamination": "auto"}, [[1.0]], None, TypeError, "contamination must be"),
        ({"n_jobs": 0}, [[1.0]], None, ValueError, "n_jobs"),
        ({}, [[np.nan]], None, ValueError, "NaN"),
        ({}, [1.0], None, ValueError, "Expected 2D"),
        ({}, np.empty((0, 2)), None, ValueError, "0 sample"),
        ({}, [[1.0], [2.0]], [1], ValueError, "inconsistent numbers of samples"),
        ({}, [[1e200], [-1e200]], None, ValueError, "Column 0 of X is too large"),
    ],
)
def test_bad_input_leaves_the_detector_as_it_was(parameters, X, y, error, match):
    detector = GaussianAnomalyDetector().fit([[1.0], [3.0]])
    before = {key: value for key, value in vars(detector).items() if key.endswith("_")}
    detector.set_params(**parameters)
    with pytest.raises(error, match=match):
        detector.fit(X, y)
    after = {key: value for key, value in vars(detector).items() if key.endswith("_")}
    assert before == after


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_no_row(wrong, covariance, dtype, rng):
    """Though a row too far out for a number, whose score is -infinity too, is one."""
    X = rng.normal(size=(400, 5)).astype(dtype)
    detector = GaussianAnomalyDetector(covariance=covariance).fit(X)
    X[7] = np.finfo(dtype).max
    assert detector.score_samples(X)[7] == -np.inf
    X[321, 3] = wrong
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity); .* row 321"):
        detector.score_samples(X)


def test_a_failed_kernel_leaves_the_detector_as_it_was(monkeypatch):
    detector = GaussianAnomalyDetector().fit([[1.0], [3.0]])
    threshold = detector.threshold_

    def fail(*arguments):
        raise KeyboardInterrupt

    with hmlc.use_backend("numpy"):
        monkeypatch.setattr(hmlc._backend.kernels().gaussian, "log_density_diagonal", fail)
        with pytest.raises(KeyboardInterrupt):
            detector.set_params(contamination=0.5).fit([[5.0], [9.0]])
    assert detector.threshold_ == threshold
    np.testing.assert_array_equal(detector.mean_, [2.0])
