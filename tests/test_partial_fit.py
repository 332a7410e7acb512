"""Learning chunk by chunk: exact, and as `fit` where there is one chunk."""

import itertools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

import hmlc
from hmlc import GaussianAnomalyDetector, LinearRegression, StandardScaler

EPS = float(np.finfo(np.float64).eps)


def chunked(model, X, y=None, bounds=(0, 7, 300, 301, 900)):
    for first, last in itertools.pairwise(bounds):
        model.partial_fit(X[first:last], None if y is None else y[first:last])
    return model


def learned(model):
    """Return the public results, but the threshold, as bytes by name."""
    names = (name for name in vars(model) if name.endswith("_") and not name.startswith("_"))
    return {name: np.asarray(getattr(model, name)).tobytes() for name in names}


@pytest.fixture
def rows(rng):
    return rng.normal(3, 2, size=(900, 4)) * [1, 10, 0.1, 1000]


MAKERS = {
    "scaler": StandardScaler,
    "linear": lambda: LinearRegression(l2=0.5),
    "descent": lambda: LinearRegression(solver="gradient_descent"),
    "diag": lambda: GaussianAnomalyDetector(contamination=None),
    "full": lambda: GaussianAnomalyDetector(covariance="full", contamination=None),
}
by_model = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def target_of(model, X):
    return X @ [1.0, -2.0, 30.0, 0.01] + 5 if isinstance(model, LinearRegression) else None


@by_model
def test_one_chunk_is_a_fit(make, rows, dtype, backend):
    X = rows.astype(dtype)[:300]
    y = target_of(make(), X)
    assert learned(make().partial_fit(X, y)) == learned(make().fit(X, y))


@by_model
def test_threads_and_layout_leave_no_trace(make, rows, dtype):
    X = np.tile(rows.astype(dtype), (60, 1))
    y, bounds = target_of(make(), X), (0, 20_000, 20_300, len(X))
    alone = learned(chunked(make().set_params(n_jobs=1), X, y, bounds))
    for n_jobs, given in ((2, X), (3, np.asfortranarray(X))):
        assert learned(chunked(make().set_params(n_jobs=n_jobs), given, y, bounds)) == alone


def test_moments_of_chunks_are_exact(rng, backend):
    X = rng.normal(100, 1, size=(900, 2))
    scaler = chunked(StandardScaler(), X)
    for j in range(2):
        values = [Fraction(value) for value in X[:, j].tolist()]
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        # Means of up to 900 numbers near 100; each merge rounds a few times.
        assert scaler.mean_[j] == pytest.approx(float(mean), rel=900 * EPS)
        assert scaler.variance_[j] == pytest.approx(float(variance), rel=1800 * EPS)
    np.testing.assert_array_equal(scaler.scale_, np.sqrt(scaler.variance_))


def test_chunks_of_both_types_are_carried_in_float64(rows):
    scaler = StandardScaler().partial_fit(rows[:400].astype(np.float32)).partial_fit(rows[400:])
    np.testing.assert_allclose(scaler.mean_, rows.mean(axis=0), rtol=1e-6)
    assert scaler.mean_.dtype == np.float64


@pytest.mark.parametrize("solver", ["normal_equation", "gradient_descent"])
def test_regression_of_chunks_is_scikit_learns_of_all(solver, rows, rng, backend):
    Y = rows @ rng.normal(size=(4, 2)) + rng.normal(size=(900, 2))
    model = LinearRegression(solver=solver, l2=3.0, tol=1e-14, max_iter=100_000)
    chunked(model, rows, Y)
    Z = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    peer = Ridge(alpha=3.0).fit(Z, Y)
    tolerance = 1e-9 if solver == "normal_equation" else 1e-5
    np.testing.assert_allclose(model.coef_ * rows.std(axis=0), peer.coef_, rtol=tolerance)
    np.testing.assert_allclose(model.predict(rows), peer.predict(Z), atol=1e-3, rtol=tolerance)


def test_made_columns_need_no_units(rows):
    X, y = rows[:, :1] / 3, rows[:, 0] ** 2
    model = LinearRegression(polynomial_degree=2, normalize=False)
    np.testing.assert_allclose(chunked(model, X, y).predict(X), y, rtol=1e-6)


@pytest.mark.parametrize("covariance", ["diag", "full"])
def test_gaussian_of_chunks_is_numpys_of_all(covariance, rows, backend):
    detector = chunked(GaussianAnomalyDetector(covariance=covariance, contamination=0.05), rows)
    np.testing.assert_allclose(detector.mean_, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(detector.variance_, rows.var(axis=0), rtol=1e-11)
    if covariance == "full":
        expected = np.cov(rows.T, bias=True)
        scale = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
        np.testing.assert_allclose(detector.covariance_ / scale, expected / scale, atol=1e-12)


@pytest.mark.parametrize("share", [1e-6, 0.001, 0.01, 0.1, 0.5, Fraction(1, 20)])
@pytest.mark.parametrize("d", [1, 3, 40])
def test_the_threshold_is_the_gaussians_own_tail(d, share, rng):
    from scipy.stats import chi2

    detector = GaussianAnomalyDetector(contamination=share).partial_fit(rng.normal(size=(500, d)))
    at_mean = detector.score_samples(detector.mean_[None])[0]
    squares = 2 * (at_mean - detector.threshold_)
    assert squares == pytest.approx(chi2.isf(float(share), d), rel=1e-11)


@by_model
def test_a_bad_chunk_is_not_learned(make, rows):
    model = make()
    y = target_of(model, rows)
    chunked(model, rows, y)
    before = learned(model)
    bad = rows[:5].copy()
    bad[3, 1] = np.nan
    bad_y = None if y is None else y[:5]
    for X, error in ((bad, "NaN"), (rows[:5, :3], "is expecting 4 features as input")):
        with pytest.raises(ValueError, match=error):
            model.partial_fit(X, bad_y)
    assert learned(model) == before
    model.partial_fit(rows[:50], None if y is None else y[:50])
    assert learned(model) != before


def test_chunks_must_be_alike(rows):
    y = rows[:, 0]
    model = LinearRegression().partial_fit(rows, y)
    with pytest.raises(ValueError, match=r"y has targets of shape \(2,\), but those before"):
        model.partial_fit(rows, rows[:, :2])
    with pytest.raises(ValueError, match="partial_fit cannot make polynomials"):
        LinearRegression(polynomial_degree=2).partial_fit(rows, y)
    detector = GaussianAnomalyDetector().partial_fit(rows)
    with pytest.raises(ValueError, match="covariance was changed since the rows before"):
        detector.set_params(covariance="full").partial_fit(rows)


def test_made_columns_must_stay_the_same(rows):
    """Cubes and squares of one column are as many as its sines of three."""
    X, y = rows[:, :1] / 3, rows[:, 0] ** 2
    model = LinearRegression(polynomial_degree=3, normalize=False).partial_fit(X, y)
    before = learned(model)
    for degrees in ((1, 2), (2, 1)):
        changed = dict(zip(("polynomial_degree", "sinusoid_degree"), degrees, strict=True))
        with pytest.raises(ValueError, match="sinusoid_degree was changed since the rows before"):
            model.set_params(**changed).partial_fit(X, y)
    assert learned(model) == before
    model.set_params(polynomial_degree=3, sinusoid_degree=0).partial_fit(X, y)


@by_model
def test_names_once_known_are_kept(make, rows):
    frame = pd.DataFrame(rows, columns=list("abcd"))
    model = make()
    y = target_of(model, rows)
    model.partial_fit(frame, y)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.partial_fit(rows, y)
    assert model.feature_names_in_.tolist() == list("abcd")
    before = learned(model)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        model.partial_fit(frame[list("dcba")], y)
    assert learned(model) == before


@by_model
def test_results_are_not_what_is_kept(make, rows):
    model, other = make(), make()
    y = target_of(model, rows)
    for each in (model, other):
        each.partial_fit(rows, y)
    for name in ("mean_", "variance_", "scale_", "covariance_", "coef_"):
        if getattr(model, name, None) is not None:
            getattr(model, name)[:] = 77
    assert learned(model.partial_fit(rows, y)) == learned(other.partial_fit(rows, y))


def test_what_a_fit_leaves(rows):
    scaler = StandardScaler().fit(rows[:400]).partial_fit(rows[400:])
    np.testing.assert_allclose(scaler.mean_, rows.mean(axis=0), rtol=1e-12)
    y = rows[:, 0]
    begun = LinearRegression().fit(rows[:400], y[:400]).partial_fit(rows[400:], y[400:])
    assert learned(begun) == learned(LinearRegression().fit(rows[400:], y[400:]))


@by_model
def test_a_loaded_model_goes_on(make, rows, tmp_path):
    model = make()
    y = target_of(model, rows)
    first, last = (None, None) if y is None else (y[:400], y[400:])
    hmlc.save(model.partial_fit(rows[:400], first), tmp_path / "model")
    loaded = hmlc.load(tmp_path / "model").partial_fit(rows[400:], last)
    assert learned(loaded) == learned(model.partial_fit(rows[400:], last))
