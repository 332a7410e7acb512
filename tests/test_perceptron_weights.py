"""Weights of rows and classes in MLPClassifier and MLPRegressor: as if rows were repeated."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as PeerLogistic
from sklearn.metrics import r2_score

from hmlc import MLPClassifier, MLPRegressor

SOLVERS = ("adam", "sgd", "gradient_descent", "lbfgs")
unsettled = pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")


def rows(rng, n=60, dtype=np.float64):
    X = rng.normal(3, [1, 10, 0.1], (n, 3)).astype(dtype)
    return X, rng.integers(3, size=n), rng.normal(size=(n, 2)), rng.integers(0, 4, n)


def weights_of(model):
    return np.concatenate([a.reshape(-1) for a in [*model.coefs_, *model.intercepts_]])


@unsettled
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_weights_are_repetition(kind, solver, normalize, dtype, rng):
    """Where one batch holds all rows, whatever the order, up to rounding."""
    X, labels, targets, times = rows(rng, dtype=dtype)
    y = labels if kind is MLPClassifier else targets
    model = kind(
        hidden_layer_sizes=(5,),
        activation="tanh",
        solver=solver,
        batch_size=1000,
        max_iter=8,
        l2=0.5,
        normalize=normalize,
        random_state=1,
    )
    if not normalize:
        X = X / [3, 30, 3]
    weighted = weights_of(model.fit(X, y, times))
    costs = model.cost_history_
    repeated = model.fit(np.repeat(X, times, axis=0), np.repeat(y, times, axis=0))
    tolerance = 1e-3 if dtype == np.float32 else 1e-9
    scale = np.max(np.abs(weights_of(repeated)))
    np.testing.assert_allclose(weighted, weights_of(repeated), atol=tolerance * scale)
    np.testing.assert_allclose(costs, repeated.cost_history_, rtol=tolerance)


@unsettled
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_row_without_weight_is_as_if_absent(solver, rng):
    X, labels, _, times = rows(rng)
    model = MLPClassifier(solver=solver, max_iter=5, batch_size=1000, random_state=0)
    wild = np.where(times[:, np.newaxis] == 0, 1e6, X)
    got = weights_of(model.fit(wild, labels, times))
    np.testing.assert_allclose(got, weights_of(model.fit(X, labels, times)), rtol=1e-9)


@unsettled
@pytest.mark.parametrize("solver", SOLVERS)
def test_one_weight_for_all_changes_nothing_but_the_penalty(solver, rng):
    X, labels, _, _ = rows(rng)
    model = MLPClassifier(solver=solver, max_iter=5, l2=0, random_state=0)
    plain = weights_of(model.fit(X, labels))
    assert weights_of(model.fit(X, labels, np.ones(60))).tobytes() == plain.tobytes()
    np.testing.assert_allclose(weights_of(model.fit(X, labels, 4)), plain, rtol=1e-9)


@unsettled
def test_batches_without_weight_leave_the_network(rng):
    X, labels, _, _ = rows(rng)
    weights = np.zeros(60)
    weights[7] = 1
    model = MLPClassifier(batch_size=1, max_iter=3, normalize=False, random_state=0)
    model.fit(X, labels, weights)
    alone = weights_of(model)
    # One step an epoch, of the one row: the order of batches leaves no trace.
    model.set_params(batch_size=60).fit(X, labels, weights)
    np.testing.assert_allclose(weights_of(model), alone, rtol=1e-12)


def test_weighted_optimum_is_scikit_learns(rng):
    """Without hidden layers the classifier is softmax regression, whose optimum is one."""
    X, labels, _, times = rows(rng, n=200)
    model = MLPClassifier(
        hidden_layer_sizes=(),
        solver="lbfgs",
        l2=2.0,
        normalize=False,
        tol=1e-9,
        max_iter=3000,
        class_weight={1: 3.0},
    ).fit(X, labels, times)
    peer = PeerLogistic(C=0.5, tol=1e-10, max_iter=5000, class_weight={1: 3.0})
    peer.fit(X, labels, times)
    np.testing.assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=1e-5)


@unsettled
def test_balanced_classes_weigh_the_same(rng):
    X, labels, _, _ = rows(rng)
    counts = np.bincount(labels)
    model = MLPClassifier(max_iter=4, random_state=0)
    balanced = weights_of(model.set_params(class_weight="balanced").fit(X, labels))
    by_hand = model.set_params(class_weight=None).fit(X, labels, (60 / (3 * counts))[labels])
    np.testing.assert_allclose(weights_of(by_hand), balanced, rtol=1e-9)


@unsettled
def test_scores_are_weighted(rng):
    X, labels, targets, times = rows(rng)
    again = [np.repeat(array, times, axis=0) for array in (X, labels, targets)]
    classifier = MLPClassifier(max_iter=3, random_state=0).fit(X, labels)
    assert classifier.score(X, labels, times) == pytest.approx(classifier.score(*again[:2]))
    regressor = MLPRegressor(max_iter=3, random_state=0).fit(X, targets)
    expected = r2_score(targets, regressor.predict(X), sample_weight=times)
    assert regressor.score(X, targets, times) == pytest.approx(expected, rel=1e-12)


@unsettled
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 2.0], "sample_weight.shape"),
        (-np.ones(60), "Negative values"),
        (np.zeros(60), "at least one non-zero"),
        (np.full(60, np.nan), "NaN"),
        (np.ones((60, 1)), "1D array or scalar"),
    ],
)
def test_bad_weights(weights, message, rng):
    X, labels, targets, _ = rows(rng)
    for model, y in ((MLPClassifier(), labels), (MLPRegressor(), targets)):
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, weights)
        assert not hasattr(model, "coefs_")


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [("even", "'balanced'"), ({7: 1}, "none of the classes"), ([1, 2, 3], "mapping")],
)
def test_bad_class_weights(class_weight, message, rng):
    X, labels, _, _ = rows(rng)
    with pytest.raises((ValueError, TypeError), match=message):
        MLPClassifier(class_weight=class_weight).fit(X, labels)
