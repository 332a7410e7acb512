"""Weights on their way through scikit-learn's pipelines and searches to the estimators that ask."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline

import hmlc
from hmlc import GaussianAnomalyDetector, LinearRegression, StandardScaler, _routing

ESTIMATORS = [
    value
    for name in hmlc.__all__
    if isinstance(value := getattr(hmlc, name), type) and hasattr(value, "get_params")
]


@pytest.fixture(autouse=True)
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def table(rng):
    X = rng.normal(3, 2, size=(120, 3)) * [1, 10, 0.1]
    y = X @ [1.0, -0.2, 30.0] + rng.normal(size=120) * 3
    return X, y, rng.exponential(size=120) ** 2


def test_a_grid_search_passes_weights_to_all_that_ask(table):
    X, y, w = table
    pipeline = Pipeline(
        [
            ("units", StandardScaler().set_fit_request(sample_weight=True)),
            (
                "line",
                LinearRegression(normalize=False)
                .set_fit_request(sample_weight=True)
                .set_score_request(sample_weight=True),
            ),
        ]
    )
    values, folds = [0.1, 10.0, 100.0], KFold(4)
    search = GridSearchCV(pipeline, {"line__l2": values}, cv=folds).fit(X, y, sample_weight=w)
    for index, l2 in enumerate(values):
        for fold, (train, test) in enumerate(folds.split(X)):
            scaler = StandardScaler().fit(X[train], sample_weight=w[train])
            line = LinearRegression(normalize=False, l2=l2)
            line.fit(scaler.transform(X[train]), y[train], w[train])
            score = line.score(scaler.transform(X[test]), y[test], w[test])
            assert search.cv_results_[f"split{fold}_test_score"][index] == score
    best = search.best_estimator_
    scaler = StandardScaler().fit(X, sample_weight=w)
    np.testing.assert_array_equal(best["units"].mean_, scaler.mean_)
    line = LinearRegression(normalize=False, l2=search.best_params_["line__l2"])
    np.testing.assert_array_equal(best["line"].coef_, line.fit(scaler.transform(X), y, w).coef_)


def test_who_does_not_ask_gets_none(table):
    X, y, w = table
    pipeline = make_pipeline(
        StandardScaler().set_fit_request(sample_weight=False),
        LinearRegression().set_fit_request(sample_weight="importance"),
    )
    pipeline.fit(X, y, importance=w)
    np.testing.assert_array_equal(pipeline[0].mean_, StandardScaler().fit(X).mean_)
    Z = StandardScaler().fit_transform(X)
    np.testing.assert_array_equal(pipeline[1].coef_, LinearRegression().fit(Z, y, w).coef_)


def test_weights_that_nobody_spoke_of_are_an_error(table):
    X, y, w = table
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        cross_validate(LinearRegression(), X, y, params={"sample_weight": w})
    asks = LinearRegression().set_fit_request(sample_weight=True)
    with pytest.raises(UnsetMetadataPassedError, match=r"LinearRegression\.score"):
        cross_validate(asks, X, y, params={"sample_weight": w})
    asks.set_score_request(sample_weight=False)
    scores = cross_validate(asks, X, y, params={"sample_weight": w}, cv=3)["test_score"]
    (train, test), *_ = KFold(3).split(X)
    assert scores[0] == LinearRegression().fit(X[train], y[train], w[train]).score(X[test], y[test])


@pytest.mark.parametrize("kind", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_requests_are_derived_from_signatures(kind):
    """What scikit-learn itself would derive for a class of its own with such methods."""
    theirs = type(kind.__name__, (sklearn.base.BaseEstimator, kind), {})
    expected = theirs().get_metadata_routing()
    assert str(kind().get_metadata_routing()) == str(expected)
    for method in _routing.METHODS:
        takes = "sample_weight" in _routing.metadata_of(kind, method)
        assert hasattr(kind, f"set_{method}_request") >= takes
    assert hasattr(kind, "set_fit_request") == hasattr(theirs, "set_fit_request")


@pytest.mark.parametrize("copied", [clone, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_ask_for_the_same_and_on_their_own(copied):
    model = LinearRegression().set_fit_request(sample_weight="w")
    other = copied(model)
    other.set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
    assert model.get_metadata_routing().fit.requests == {"sample_weight": "w"}
    assert model.get_metadata_routing().score.requests == {"sample_weight": None}
    assert other.get_metadata_routing().fit.requests == {"sample_weight": True}
    assert other.get_metadata_routing().score.requests == {"sample_weight": False}


def test_what_can_be_asked_for():
    detector = GaussianAnomalyDetector()
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'weight'; expected sample_"):
        detector.set_fit_request(weight=True)
    for wrong in (1, "two words", "", 0.5):
        with pytest.raises(ValueError, match="must be True, False, None or the name"):
            detector.set_partial_fit_request(sample_weight=wrong)
    assert str(detector.get_metadata_routing()) == str(
        GaussianAnomalyDetector().get_metadata_routing()
    )
    detector.set_fit_request(sample_weight=True).set_fit_request(sample_weight="$UNCHANGED$")
    assert detector.get_metadata_routing().fit.requests == {"sample_weight": True}
    assert list(inspect.signature(detector.set_fit_request).parameters) == ["sample_weight"]
