"""LogisticRegression with weights of rows and of classes."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LogisticRegression as Reference

from hmlc import LogisticRegression

SOLVERS = [
    {"solver": "lbfgs"},
    {"solver": "newton", "multi_class": "ovr"},
    {"multi_class": "softmax"},
    {"multi_class": "ovr", "solver": "lbfgs"},
]


def standardised(X):
    return (X - X.mean(axis=0)) / X.std(axis=0)


def fitted(X, y, sample_weight=None, **settings):
    return LogisticRegression(tol=1e-9, **settings).fit(X, y, sample_weight)


def assert_same_model(left, right, atol=1e-5):
    np.testing.assert_allclose(left.coef_, right.coef_, atol=atol)
    np.testing.assert_allclose(left.intercept_, right.intercept_, atol=atol)


@pytest.mark.parametrize("settings", SOLVERS)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_a_weight_is_a_repetition(settings, normalize, fit_intercept, load, rng):
    X, y = load(return_X_y=True)
    X = standardised(X) * np.geomspace(0.5, 2, X.shape[1]) + 1
    settings = {**settings, "normalize": normalize, "fit_intercept": fit_intercept}
    if len(set(y)) == 2 and settings.get("multi_class") == "softmax":
        pytest.skip("two classes have one sigmoid")
    weights = rng.integers(0, 4, len(X))
    weighted = fitted(X, y, weights, **settings)
    repeated = fitted(np.repeat(X, weights, axis=0), np.repeat(y, weights), **settings)
    assert_same_model(weighted, repeated)
    assert weighted.cost_history_[-1] == pytest.approx(repeated.cost_history_[-1], rel=1e-9)


def test_a_weight_is_a_repetition_in_float32(rng):
    X, y = load_breast_cancer(return_X_y=True)
    X, weights = standardised(X).astype(np.float32), rng.integers(0, 4, len(X))
    weighted = LogisticRegression(l2=10).fit(X, y, weights)
    repeated = LogisticRegression(l2=10).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    assert_same_model(weighted, repeated, 2e-3)


@pytest.mark.parametrize("settings", [{}, {"solver": "lbfgs"}])
def test_a_sampled_fit_weighs_rows(settings, rng):
    """So many rows are fitted from a sample's minimum, in its Hessian's metric."""
    X = rng.normal(size=(40_000, 30)) + 2
    y = (X @ rng.normal(size=30) + rng.logistic(size=40_000)) > 1
    weights = rng.integers(0, 3, len(X))
    weighted = fitted(X, y, weights, **settings)
    repeated = fitted(np.repeat(X, weights, axis=0), np.repeat(y, weights), **settings)
    assert_same_model(weighted, repeated)


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3, 1: 0.5}])
@pytest.mark.parametrize("has_weights", [False, True])
def test_coefficients_are_scikit_learns(load, class_weight, has_weights, rng):
    X, y = load(return_X_y=True)
    X = standardised(X)
    # Its "balanced" does not count the weights of rows.
    weights = rng.uniform(0, 2, len(X)) if has_weights and class_weight != "balanced" else None
    model = fitted(X, y, weights, normalize=False, class_weight=class_weight)
    other = Reference(tol=1e-12, solver="newton-cholesky", class_weight=class_weight)
    assert_same_model(model, other.fit(X, y, weights))


def test_balanced_is_by_the_weights_of_rows(rng):
    X, y = load_wine(return_X_y=True)
    weights = rng.integers(0, 4, len(X))
    weighted = fitted(X, y, weights, class_weight="balanced")
    repeated = fitted(np.repeat(X, weights, axis=0), np.repeat(y, weights), class_weight="balanced")
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_with_the_penalty_scaled_alike_only_ratios_of_weights_count(scale, rng):
    X, y = load_breast_cancer(return_X_y=True)
    weights = rng.uniform(0.1, 2, len(X))
    assert_same_model(fitted(X, y, weights), fitted(X, y, scale * weights, l2=scale))


@pytest.mark.parametrize("settings", SOLVERS)
def test_weights_of_one_are_none(settings, dtype):
    X, y = load_wine(return_X_y=True)
    X, answers = standardised(X).astype(dtype), set()
    for weights in (None, 1, 1.0, np.ones(len(X)), np.ones(len(X), np.float32), [True] * len(X)):
        model = LogisticRegression(normalize=False, **settings).fit(X, y, weights)
        answers.add(model.coef_.tobytes() + model.cost_history_.tobytes())
    assert len(answers) == 1


@pytest.mark.parametrize("settings", [{}, {"solver": "lbfgs"}, {"multi_class": "ovr"}])
@pytest.mark.parametrize("k", [2, 3])
def test_threads_and_layout_leave_no_trace(settings, k, dtype, rng):
    X = rng.normal(size=(20_000, 11)).astype(dtype)
    y = (X[:, :k] + rng.normal(size=(20_000, k))).argmax(axis=1)
    weights, seen = rng.uniform(0, 2, len(X)), set()
    strided = np.repeat(weights, 2)[::2]
    for n_jobs, rows, each in (
        (1, X, weights),
        (2, X, strided),
        (3, np.asfortranarray(X), weights),
    ):
        model = LogisticRegression(n_jobs=n_jobs, max_iter=200, **settings).fit(rows, y, each)
        seen.add(model.coef_.tobytes() + model.cost_history_.tobytes())
    assert len(seen) == 1


def test_score_weighs_rows(rng):
    X, y = load_wine(return_X_y=True)
    model, weights = LogisticRegression(l2=1e4).fit(X, y), rng.integers(0, 4, len(X))
    is_right = model.predict(X) == y
    assert 0 < is_right.mean() < 1
    assert model.score(X, y) == pytest.approx(is_right.mean())
    assert model.score(X, y, weights) == pytest.approx(np.average(is_right, weights=weights))


@pytest.mark.parametrize(
    ("weights", "settings", "error", "message"),
    [
        ([1, 2], {}, ValueError, "sample_weight.shape"),
        ([1, 2, -1, 1], {}, ValueError, "Negative"),
        ([1, 2, np.nan, 1], {}, ValueError, "NaN"),
        ([0, 0, 0, 0], {}, ValueError, "non-zero"),
        ([1, 2, 0, 0], {}, ValueError, "only one class has: 'a'"),
        (None, {"class_weight": {"b": 0}}, ValueError, "only one class has: 'a'"),
        (None, {"class_weight": {"c": 1}}, ValueError, "none of the classes"),
        (None, {"class_weight": "even"}, ValueError, "class_weight"),
        (None, {"class_weight": 2}, TypeError, "class_weight"),
    ],
)
def test_bad_weights_raise(weights, settings, error, message):
    model = LogisticRegression(**settings)
    with pytest.raises(error, match=message):
        model.fit([[0.0], [1.0], [2.0], [3.0]], ["a", "a", "b", "b"], weights)
    assert not hasattr(model, "coef_")
    if not settings and len(weights) != 4:
        with pytest.raises(error, match=message):
            LogisticRegression().fit([[0.0], [1.0]], [0, 1]).score([[0.0]] * 4, [0] * 4, weights)


def test_a_class_without_weight_is_improbable():
    X, y = load_wine(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LogisticRegression(class_weight={2: 0}, tol=1e-4).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X[y < 2])[:, 2].max() < 1e-3
