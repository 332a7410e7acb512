"""LogisticRegression against scikit-learn, closed forms and its own promises."""

import math
import pickle
import warnings
from pathlib import Path

import mpmath
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.linear_model import LogisticRegression as Reference
from sklearn.multiclass import OneVsRestClassifier

import hmlc
from hmlc import ConvergenceWarning, LogisticRegression, NotFittedError, sigmoid, sigmoid_gradient

MICROCHIPS = Path(__file__).resolve().parents[2] / "shared" / "data" / "microchips-tests.csv"


def blobs(rng, n=300, d=4, k=3):
    centres = rng.normal(size=(k, d))
    codes = rng.integers(0, k, n)
    return centres[codes] + rng.normal(size=(n, d)), codes


def standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def reference(X, y, l2, ovr):
    model = Reference(C=1 / l2, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    if not ovr:
        model.fit(X, y)
        return model.coef_, model.intercept_
    models = OneVsRestClassifier(model).fit(X, y).estimators_
    return np.vstack([m.coef_ for m in models]), np.concatenate([m.intercept_ for m in models])


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
@pytest.mark.parametrize(
    ("solver", "multi_class"), [("lbfgs", "softmax"), ("lbfgs", "ovr"), ("newton", "ovr")]
)
@pytest.mark.parametrize("l2", [1.0, 0.1])
def test_coefficients_are_scikit_learns(load, solver, multi_class, l2):
    X, y = load(return_X_y=True)
    X = standardised(X) * np.geomspace(0.5, 2, X.shape[1])
    model = LogisticRegression(
        l2=l2, solver=solver, multi_class=multi_class, normalize=False, tol=1e-10
    ).fit(X, y)
    coef, intercept = reference(X, y, l2, multi_class == "ovr" and len(set(y)) > 2)
    # |theta - optimum| <= |gradient| / (l2 / m): at most 1e-6 here, from either side.
    np.testing.assert_allclose(model.coef_, coef, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, intercept, atol=1e-5)


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer])
def test_normalize_is_a_fit_in_standard_units(load):
    X, y = load(return_X_y=True)
    model = LogisticRegression(tol=1e-10).fit(X, y)
    coef, intercept = reference(standardised(X), y, 1.0, ovr=False)
    in_units = coef / X.std(axis=0)
    np.testing.assert_allclose(model.coef_ * X.std(axis=0), coef, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, intercept - in_units @ X.mean(axis=0), atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"solver": "lbfgs"}, {"multi_class": "ovr"}])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_defaults_end_within_a_millionth_of_the_optimum(load, settings):
    X, y = load(return_X_y=True)
    default = LogisticRegression(**settings).fit(X, y)
    exact = LogisticRegression(**{**settings, "tol": 1e-12, "max_iter": 20_000}).fit(X, y)
    assert default.cost_history_[-1] <= exact.cost_history_[-1] * (1 + 1e-6)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_intercept_of_constant_columns_is_the_log_odds(solver, backend):
    X, y = np.full((100, 2), 7.0), np.arange(100) < 20
    model = LogisticRegression(solver=solver, tol=1e-10).fit(X, y)
    np.testing.assert_array_equal(model.coef_, 0)
    assert model.intercept_[0] == pytest.approx(math.log(0.2 / 0.8), abs=1e-8)
    assert model.cost_history_[-1] == pytest.approx(-0.2 * math.log(0.2) - 0.8 * math.log(0.8))
    assert model.cost_history_[0] == pytest.approx(math.log(2))


def test_softmax_intercepts_are_log_shares():
    X, y = np.zeros((60, 1)), np.repeat([0, 1, 2], [10, 20, 30])
    model = LogisticRegression(tol=1e-10).fit(X, y)
    shares = np.log([1 / 6, 2 / 6, 3 / 6])
    np.testing.assert_allclose(model.intercept_, shares - shares.mean(), atol=1e-8)
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], [1 / 6, 2 / 6, 3 / 6], atol=1e-8)


def test_one_binary_column_without_penalty_fits_each_share():
    """A saturated model's probabilities are the observed shares."""
    X, y = np.repeat([[0.0], [1.0]], [50, 40], axis=0), np.zeros(90, int)
    y[:10], y[50:80] = 1, 1
    model = LogisticRegression(l2=0, normalize=False, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.predict_proba([[0], [1]])[:, 1], [0.2, 0.75], atol=1e-8)
    assert model.intercept_[0] == pytest.approx(math.log(1 / 4), abs=1e-7)
    assert model.coef_[0, 0] == pytest.approx(math.log(3) - math.log(1 / 4), abs=1e-7)


def test_without_intercept():
    X, y = load_breast_cancer(return_X_y=True)
    X = standardised(X)[:, :5] + 1
    model = LogisticRegression(fit_intercept=False, normalize=False, tol=1e-10).fit(X, y)
    other = Reference(fit_intercept=False, tol=1e-12, solver="newton-cholesky").fit(X, y)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-6)
    assert model.intercept_.tolist() == [0]
    normal = LogisticRegression(fit_intercept=False, solver="lbfgs").fit(X, y)
    assert normal.intercept_.tolist() == [0]


@pytest.mark.parametrize("settings", [{}, {"multi_class": "ovr"}, {"solver": "lbfgs"}])
@pytest.mark.parametrize("k", [2, 3])
def test_backends_agree(settings, k, rng):
    X, y = blobs(rng, n=60, k=k)
    fits = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            model = LogisticRegression(**settings).fit(X, y)
            fits.append((model.coef_, model.predict_log_proba(X)))
    for other in fits[1:]:
        for left, right in zip(fits[0], other, strict=True):
            np.testing.assert_allclose(left, right, atol=1e-8)


@pytest.mark.parametrize(
    "settings",
    [{"k": 2}, {"k": 2, "solver": "lbfgs"}, {"k": 3}, {"k": 3, "multi_class": "ovr"}],
)
def test_threads_and_layout_leave_no_trace(settings, dtype, rng):
    settings = dict(settings)
    X, y = blobs(rng, n=20_000, d=11, k=settings.pop("k"))
    X = X.astype(dtype)
    layouts = [X, np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]]
    layouts.append(X.astype(X.dtype.newbyteorder()))
    seen = set()
    for n_jobs, rows in [(jobs, X) for jobs in (1, 2, 3, 7)] + [(2, rows) for rows in layouts]:
        model = LogisticRegression(n_jobs=n_jobs, max_iter=200, **settings).fit(rows, y)
        answers = model.coef_, model.intercept_, model.cost_history_, model.predict_proba(rows)
        seen.add(b"".join(array.tobytes() for array in answers))
        assert model.coef_.dtype == model.predict_proba(rows).dtype == dtype
    assert len(seen) == 1


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("normalize", [True, False])
def test_separable_rows_end_without_overflow(solver, scale, normalize):
    X, y = scale * np.arange(-20.0, 20.0)[:, None], np.arange(40) >= 20
    model = LogisticRegression(l2=0, solver=solver, normalize=normalize, max_iter=3000)
    model.fit(X, y)
    assert model.score(X, y) == 1
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.predict_log_proba(X)).all()
    assert (np.diff(model.cost_history_) <= 0).all()


def test_columns_far_from_zero_keep_their_digits(dtype, rng):
    """A mean 1e4 deviations away costs digits of X, not the fit."""
    X, y = blobs(rng, k=2)
    far = (X + 1e4).astype(dtype)
    near = far.astype(float) - 1e4
    model = LogisticRegression(normalize=False).fit(far, y)
    other = LogisticRegression(normalize=False).fit(near, y)
    tolerance = 1e-4 if dtype == np.float32 else 1e-6
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(model.predict_proba(far), other.predict_proba(near), atol=tolerance)


@pytest.mark.parametrize(
    "labels",
    [["no", "yes"], [False, True], [-1, 1], [3.0, 7.0], [b"a", b"b"], [10**12, 10**12 + 5]],
)
def test_any_labels(labels, rng):
    X, codes = blobs(rng, k=2)
    model = LogisticRegression().fit(X, np.array(labels)[codes])
    np.testing.assert_array_equal(model.classes_, labels)
    assert model.classes_.dtype == np.array(labels).dtype
    assert set(model.predict(X).tolist()) <= set(labels)
    plain = LogisticRegression().fit(X, codes)
    assert plain.coef_.tobytes() == model.coef_.tobytes()
    assert plain.score(X, codes) == model.score(X, np.array(labels)[codes])


def test_integer_rows_are_converted(rng):
    X = rng.integers(0, 200, (500, 6), dtype=np.uint8)
    y = X[:, 0] + rng.integers(0, 50, 500) > 120
    left = LogisticRegression().fit(X, y)
    right = LogisticRegression().fit(X.astype(float), y)
    assert left.coef_.tobytes() == right.coef_.tobytes()


@pytest.mark.parametrize("settings", [{}, {"multi_class": "ovr"}])
@pytest.mark.parametrize("k", [2, 4])
def test_probabilities_are_one_truth(settings, k, rng):
    X, y = blobs(rng, k=k)
    model = LogisticRegression(**settings).fit(X, y)
    p, scores = model.predict_proba(X), model.decision_function(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p)
    np.testing.assert_array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])
    expected = X @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(scores, expected[:, 0] if k == 2 else expected, atol=1e-9)
    if k == 2:
        np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp(-scores)))
    elif settings:
        sigmoids = 1 / (1 + np.exp(-scores))
        np.testing.assert_allclose(p, sigmoids / sigmoids.sum(axis=1, keepdims=True))
    assert model.score(X, y) == np.mean(model.predict(X) == y)


@pytest.mark.parametrize("settings", [{}, {"multi_class": "ovr"}])
def test_log_probabilities_where_probabilities_underflow(settings):
    X, y = load_iris(return_X_y=True)
    logs = LogisticRegression(**settings).fit(X, y).predict_log_proba(1e6 * (X - X.mean(axis=0)))
    assert np.isfinite(logs).all()
    assert logs.min() < -1000


def test_original_projects_figure_on_its_microchips():
    if not MICROCHIPS.exists():
        pytest.skip(f"the original project's table is not at {MICROCHIPS}")
    table = np.loadtxt(MICROCHIPS, delimiter=",", skiprows=1)
    model = LogisticRegression(polynomial_degree=5, l2=1e-4).fit(table[:, :2], table[:, 2])
    assert round(100 * model.score(table[:, :2], table[:, 2]), 2) >= 88.98


def test_polynomials_bend_the_boundary(rng):
    X = rng.normal(size=(400, 2))
    y = (X**2).sum(axis=1) < 1.4
    flat = LogisticRegression().fit(X, y)
    bent = LogisticRegression(polynomial_degree=2).fit(X, y)
    assert bent.coef_.shape == (1, 5)
    assert bent.n_features_in_ == 2
    assert flat.score(X, y) < 0.7
    assert bent.score(X, y) > 0.95


def test_iteration_limit_warns():
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        model = LogisticRegression(max_iter=2).fit(X, y)
    assert model.n_iter_ == 2
    assert model.cost_history_.shape == (3,)


def test_verbose_prints_each_iteration(capsys):
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(verbose=2).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    assert lines[0].startswith("LogisticRegression: iteration 1, cost ")


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"l2": -1}, ValueError, "l2"),
        ({"l2": "1"}, TypeError, "l2"),
        ({"solver": "sgd"}, ValueError, "solver"),
        ({"multi_class": "multinomial"}, ValueError, "multi_class"),
        ({"normalize": 1}, TypeError, "normalize"),
        ({"fit_intercept": "no"}, TypeError, "fit_intercept"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"tol": -1e-3}, ValueError, "tol"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
        ({"polynomial_degree": 0}, ValueError, "polynomial_degree"),
        ({"solver": "newton"}, ValueError, "two classes"),
    ],
)
def test_bad_parameters_raise_before_any_work(settings, error, message):
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(**settings)
    with pytest.raises(error, match=message):
        model.fit(X, y)
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (["a", "a", "a"], ValueError, "one class: 'a'"),
        ([0, 1], ValueError, "inconsistent"),
        ([0.5, 1.5, 0.5], ValueError, "continuous"),
        ([0.0, 1.0, np.nan], ValueError, "NaN"),
        (None, ValueError, "requires y to be passed"),
        ([["a"], ["b", "c"]], ValueError, "."),
    ],
)
def test_bad_labels_raise(y, error, message):
    with pytest.raises(error, match=message):
        LogisticRegression().fit([[0.0], [1.0], [2.0]], y)


def test_failed_fit_leaves_the_estimator_as_it_was(rng):
    X, y = blobs(rng, k=2)
    model = LogisticRegression().fit(X, y)
    before = pickle.dumps(vars(model))
    with pytest.raises(ValueError, match="one class"):
        model.fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full((3, 3), np.nan), [0, 1, 1])
    assert pickle.dumps(vars(model)) == before


def test_unfitted_and_other_columns_raise(rng):
    with pytest.raises(NotFittedError):
        LogisticRegression().predict([[1.0]])
    X, y = blobs(rng)
    with pytest.raises(ValueError, match="expecting 4 features"):
        LogisticRegression().fit(X, y).predict(X[:, :3])


@pytest.mark.parametrize("function", [sigmoid, sigmoid_gradient])
def test_functions_take_any_shape(function, dtype):
    for shape in ((), (5,), (2, 3), (2, 0, 3), (2, 3, 4)):
        z = np.linspace(-3, 3, int(np.prod(shape))).astype(dtype).reshape(shape)
        out = function(z)
        assert np.shape(out) == shape
        assert out.dtype == dtype
        for value, result in zip(np.ravel(z), np.ravel(out), strict=True):
            g = 1 / (1 + math.exp(-float(value)))
            expected = g if function is sigmoid else g * (1 - g)
            assert result == pytest.approx(expected, rel=1e-6 if dtype == np.float32 else 1e-14)
    column = np.linspace(-3, 3, 12).reshape(3, 4)
    np.testing.assert_array_equal(function(column.T), function(column).T)
    np.testing.assert_array_equal(function(column[:, ::2]), function(column)[:, ::2])


def test_functions_of_whole_numbers_and_scalars():
    assert sigmoid(0) == 0.5
    assert isinstance(sigmoid(0), float)
    assert sigmoid(True) == sigmoid(1.0)
    assert sigmoid([[-1000, 0, 1000]]).tolist() == [[0, 0.5, 1]]
    assert sigmoid_gradient(np.array([0], np.uint8)).tolist() == [0.25]
    with mpmath.workdps(40):
        exact = mpmath.exp(-100) / (1 + mpmath.exp(-100)) ** 2
    assert sigmoid_gradient(100) == pytest.approx(float(exact), rel=1e-14)
    assert sigmoid([-np.inf, np.inf]).tolist() == [0, 1]
    assert np.isnan(sigmoid(np.nan))
    for bad, error in ((1j, ValueError), ("x", ValueError), (np.datetime64(1, "s"), TypeError)):
        with pytest.raises(error, match="z"):
            sigmoid(bad)


def test_no_warnings_in_a_fit_at_extreme_values():
    X = np.array([[1e150, -1e-150], [-1e150, 1e-150], [1e149, 1e-151], [-1e149, -1e-151]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LogisticRegression().fit(X, [0, 1, 0, 1])
    assert model.score(X, [0, 1, 0, 1]) == 1
