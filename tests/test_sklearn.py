"""At home in scikit-learn: its own checks of estimators, and hmlc inside its machinery."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import ConvergenceWarning as TheirConvergenceWarning
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import hmlc
from hmlc.datasets import load_iris

ESTIMATORS = [
    hmlc.StandardScaler(),
    hmlc.StandardScaler(with_mean=False, with_std=False),
    hmlc.PolynomialFeatures(),
    hmlc.SinusoidFeatures(degree=2),
    hmlc.LinearRegression(),
    # Without a penalty fewer rows than columns are met exactly, and rounding ends the descent.
    hmlc.LinearRegression(solver="gradient_descent", l2=0.1),
    hmlc.LogisticRegression(),
    hmlc.LogisticRegression(multi_class="ovr", solver="newton"),
    hmlc.KMeans(),
    hmlc.GaussianAnomalyDetector(),
    hmlc.GaussianAnomalyDetector(covariance="full", contamination=0.1),
    hmlc.MLPClassifier(),
    # Smooth units: over 200 steps of L-BFGS the kinks of rectified ones spread rounding so far that
    # weighted rows and repeated ones, equal up to rounding, end further apart than is looked for.
    hmlc.MLPClassifier(loss="logistic", solver="lbfgs", activation="tanh"),
    hmlc.MLPClassifier(warm_start=True, solver="sgd"),
    hmlc.MLPRegressor(),
    hmlc.MLPRegressor(solver="sgd"),
]
CLUSTERER_CHECKS = [
    estimator_checks.check_clusterer_compute_labels_predict,
    estimator_checks.check_clustering,
    estimator_checks.check_estimators_partial_fit_n_features,
]
OUR_WARNINGS = (hmlc.ConvergenceWarning, UserWarning, TheirConvergenceWarning)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_scikit_learns_checks(estimator):
    with warnings.catch_warnings():
        for category in OUR_WARNINGS:
            warnings.simplefilter("ignore", category)
        results = estimator_checks.check_estimator(estimator, on_fail=None, on_skip=None)
    problems = [
        f"{result['check_name']}: {result['exception']}"
        for result in results
        # This one needs an environment variable that SciPy reads when it is first imported.
        if result["status"] != "passed" and result["check_name"] != "check_array_api_input"
    ]
    assert problems == []
    assert len(results) > 40


@pytest.mark.parametrize("check", CLUSTERER_CHECKS, ids=lambda check: check.__name__)
def test_scikit_learns_checks_of_clusterers(check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        check("KMeans", hmlc.KMeans(n_clusters=3, random_state=0))


def test_scikit_learn_sees_what_each_is():
    assert sklearn.base.is_classifier(hmlc.LogisticRegression())
    assert sklearn.base.is_classifier(hmlc.MLPClassifier())
    assert sklearn.base.is_regressor(hmlc.LinearRegression())
    assert sklearn.base.is_regressor(hmlc.MLPRegressor())
    assert sklearn.base.is_clusterer(hmlc.KMeans())
    assert sklearn.base.is_outlier_detector(hmlc.GaussianAnomalyDetector())


def test_errors_and_warnings_are_scikit_learns_too():
    with pytest.raises(NotFittedError) as raised:
        hmlc.KMeans().predict([[1.0]])
    assert isinstance(raised.value, hmlc.NotFittedError)
    assert pickle.loads(pickle.dumps(raised.value)).args == raised.value.args
    with pytest.warns(DataConversionWarning, match="column-vector y") as given:
        hmlc.LogisticRegression().fit([[0.0], [1.0]], [["a"], ["b"]])
    assert issubclass(given[0].category, hmlc.DataConversionWarning)


def test_hmlc_imports_no_scikit_learn():
    code = (
        "import sys, hmlc\n"
        "model = hmlc.LogisticRegression().fit([[0.0], [1.0]], [0, 1])\n"
        "model.predict([[0.5]]); repr(model); model.get_params()\n"
        "hmlc.StandardScaler().fit_transform([[1.0]])\n"
        "try: hmlc.KMeans().predict([[1.0]])\n"
        "except hmlc.NotFittedError as error: assert type(error) is hmlc.NotFittedError\n"
        "wrong = {'sklearn', 'pandas', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not wrong, wrong"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def iris():
    data = load_iris()
    return data.data, np.asarray(data.target_labels)


def test_pipeline_and_grid_search(iris):
    X, y = iris
    pipeline = make_pipeline(
        hmlc.StandardScaler(), hmlc.PolynomialFeatures(), hmlc.LogisticRegression()
    )
    search = GridSearchCV(pipeline, {"logisticregression__l2": [0.1, 1.0, 10.0]}, cv=3)
    search.fit(X, y)
    by_hand = cross_val_score(
        pipeline.set_params(logisticregression__l2=search.best_params_["logisticregression__l2"]),
        X,
        y,
        cv=3,
    )
    assert search.best_score_ == pytest.approx(by_hand.mean())
    assert search.best_score_ > 0.9


def test_column_transformer_in_pandas(iris):
    X, _ = iris
    frame = pd.DataFrame(X[:, :2], columns=["length", "width"], index=np.arange(len(X)) + 7)
    made = ColumnTransformer(
        [
            ("units", hmlc.StandardScaler(), ["length"]),
            ("powers", hmlc.PolynomialFeatures(), ["length", "width"]),
        ]
    ).set_output(transform="pandas")
    out = made.fit_transform(frame)
    assert list(out.columns) == [
        "units__length", "powers__length", "powers__width", "powers__length^2",
        "powers__length width", "powers__width^2",
    ]  # fmt: skip
    assert list(out.index) == list(frame.index)
    np.testing.assert_allclose(out["powers__length width"], X[:, 0] * X[:, 1], rtol=1e-15)


def test_stacking_and_calibration(iris):
    X, y = iris
    stack = StackingClassifier(
        [("line", hmlc.LogisticRegression()), ("net", hmlc.MLPClassifier(max_iter=20))],
        final_estimator=hmlc.LogisticRegression(),
        cv=3,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hmlc.ConvergenceWarning)
        assert stack.fit(X, y).score(X, y) > 0.9
    calibrated = CalibratedClassifierCV(hmlc.LogisticRegression(), cv=3).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1, rtol=1e-12)


def test_permutation_importance_finds_the_column_that_tells(rng):
    X = rng.normal(size=(200, 3))
    model = hmlc.LinearRegression().fit(X, 5 * X[:, 1])
    importances = permutation_importance(model, X, 5 * X[:, 1], n_repeats=3).importances_mean
    assert importances.argmax() == 1
    np.testing.assert_allclose(importances[[0, 2]], 0, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
def test_clone_keeps_parameters_alone(estimator):
    copy = clone(estimator)
    assert copy is not estimator
    assert copy.get_params() == estimator.get_params()
    assert not hasattr(copy, "n_features_in_")
