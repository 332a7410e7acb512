"""A fitted model of every kind, for what must hold of all: saving and export."""

import functools
import warnings

import numpy as np

import hmlc

WORDS = np.array(["adenine", "cytosine", "guanine", "thymine"])


def rows(n=80, d=4, dtype=np.float64, seed=5):
    """Return rows of different units, one column constant but for the last rows."""
    X = np.random.default_rng(seed).normal(size=(n, d)) * [1.0, 30.0, 0.01, 5.0] + [0, 400, 0, -2]
    return X.astype(dtype)


@functools.cache
def models(dtype):
    """Return models by name, fitted to rows of that float type."""
    X = rows(dtype=dtype)
    rank = np.argsort(np.argsort(X[:, 0] * X[:, 3] + X[:, 1] / 30))
    codes = rank * 4 // len(X)
    words, pair, target = WORDS[codes], codes > 1, (X[:, 0] * X[:, 3]).astype(dtype)
    two_targets = np.stack([target, 3 - X[:, 1]], axis=1)
    added = {"polynomial_degree": 3, "sinusoid_degree": 2}
    mlp = {"max_iter": 5, "random_state": 3}
    fits = {
        "scaler": (hmlc.StandardScaler(), None),
        "scaler, mean alone": (hmlc.StandardScaler(with_std=False), None),
        "scaler, deviation alone": (hmlc.StandardScaler(with_mean=False), None),
        "polynomials": (hmlc.PolynomialFeatures(degree=3), None),
        "polynomials, bias": (hmlc.PolynomialFeatures(degree=2, include_bias=True), None),
        "sinusoids": (hmlc.SinusoidFeatures(degree=3), None),
        "linear": (hmlc.LinearRegression(), target),
        "linear, no intercept": (hmlc.LinearRegression(fit_intercept=False, l2=0.5), target),
        "linear, targets": (hmlc.LinearRegression(), two_targets),
        "linear, features": (hmlc.LinearRegression(**added, l2=1.0), two_targets),
        "linear, raw features": (
            hmlc.LinearRegression(polynomial_degree=2, normalize=False, l2=1.0),
            target,
        ),
        "logistic": (hmlc.LogisticRegression(), pair),
        "logistic, features": (hmlc.LogisticRegression(**added), words == WORDS[1]),
        "logistic, softmax": (hmlc.LogisticRegression(), words),
        "logistic, one-vs-rest": (
            hmlc.LogisticRegression(multi_class="ovr", polynomial_degree=2),
            codes.astype(np.uint8),
        ),
        "logistic, objects": (hmlc.LogisticRegression(max_iter=50), words.astype(object)),
        "k-means": (hmlc.KMeans(n_clusters=7, random_state=1), None),
        "k-means, given": (hmlc.KMeans(n_clusters=2, init=X[:2].copy()), None),
        "k-means, one": (hmlc.KMeans(n_clusters=1), None),
        "gaussian": (hmlc.GaussianAnomalyDetector(), None),
        "gaussian, full": (
            hmlc.GaussianAnomalyDetector(covariance="full", contamination=0.1),
            None,
        ),
        "classifier": (hmlc.MLPClassifier(hidden_layer_sizes=(9, 20), **mlp), words),
        "classifier, logistic": (
            hmlc.MLPClassifier(hidden_layer_sizes=[6], activation="tanh", loss="logistic", **mlp),
            pair,
        ),
        "classifier, none hidden": (hmlc.MLPClassifier(hidden_layer_sizes=(), **mlp), codes - 2),
        "regressor": (
            hmlc.MLPRegressor(hidden_layer_sizes=(8, 5), activation="sigmoid", **mlp),
            target,
        ),
        "classifier, to go on": (
            hmlc.MLPClassifier(
                hidden_layer_sizes=(7,), solver="lbfgs", warm_start=True, early_stopping=True, **mlp
            ),
            words,
        ),
        "regressor, to go on": (
            hmlc.MLPRegressor(hidden_layer_sizes=(8,), solver="sgd", warm_start=True, **mlp),
            target,
        ),
        "regressor, targets": (hmlc.MLPRegressor(hidden_layer_sizes=20, **mlp), two_targets),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", hmlc.ConvergenceWarning)
        return {
            **{name: model.fit(X, y) for name, (model, y) in fits.items()},
            "logistic, in chunks": hmlc.LogisticRegression(l2=0.1).partial_fit(
                X, words, np.unique(words)
            ),
            "classifier, in chunks": hmlc.MLPClassifier(hidden_layer_sizes=(4,)).partial_fit(
                X, pair, np.unique(pair)
            ),
            "linear, in chunks": hmlc.LinearRegression().partial_fit(X, target),
            "k-means, in chunks": hmlc.KMeans(n_clusters=3, random_state=0).partial_fit(X),
            "gaussian, in chunks": hmlc.GaussianAnomalyDetector().partial_fit(X),
            "gaussian, full, in chunks": hmlc.GaussianAnomalyDetector(
                covariance="full"
            ).partial_fit(X),
        }


NAMES = tuple(models(np.float64))
ANSWERS = (
    "predict",
    "predict_proba",
    "decision_function",
    "score_samples",
    "transform",
)


def answers(model, X):
    """Return what a model says of rows, by method."""
    return {name: getattr(model, name)(X) for name in ANSWERS if hasattr(model, name)}
