"""Early stopping of the perceptrons: what is held out, when a fit ends, and what it keeps."""

import numpy as np
import pytest

import hmlc
from hmlc import MLPClassifier, MLPRegressor
from hmlc._early_stopping import hold_out

SOLVERS = ("adam", "sgd", "gradient_descent", "lbfgs")
unsettled = pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")


def noisy(rng, n=200):
    """Rows whose labels are half noise, so that a large network learns them too well."""
    X = rng.normal(size=(n, 5))
    return X, (X[:, 0] + rng.normal(size=n) > 0).astype(int)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_every_class_is_held_out_alike(fraction):
    codes = np.repeat([0, 1, 2], [400, 100, 20])
    is_held = hold_out(520, fraction, 3, codes)
    assert is_held.sum() == int(520 * fraction)
    held = np.bincount(codes[is_held], minlength=3)
    assert (np.abs(held - fraction * np.array([400, 100, 20])) <= 1).all()
    assert (hold_out(520, fraction, 3, codes) == is_held).all()
    assert (hold_out(520, fraction, 4, codes) != is_held).any()


def test_which_rows_are_held_out_is_random_within_a_class():
    times = sum(hold_out(40, 0.25, seed, np.repeat([0, 1], 20)).astype(int) for seed in range(400))
    # Binomial(400, 1/4): deviation 8.7.
    assert (np.abs(times - 100) < 45).all()


@unsettled
@pytest.mark.parametrize("solver", SOLVERS)
def test_the_best_weights_are_kept(solver, rng):
    X, y = noisy(rng)
    X_val, y_val = noisy(rng)
    model = MLPClassifier(
        solver=solver, early_stopping=True, max_iter=40, learning_rate=0.1, l2=0, random_state=0
    ).fit(X, y, X_val=X_val, y_val=y_val)
    scores = model.validation_scores_
    assert model.best_validation_score_ == scores.max() == model.score(X_val, y_val)
    assert model.n_iter_ == len(scores)
    # The weights of the first best score are those of a fit of so many iterations.
    best = int(np.argmax(scores)) + 1
    again = MLPClassifier(
        solver=solver, max_iter=best, learning_rate=0.1, l2=0, tol=0, random_state=0
    ).fit(X, y)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(model.coefs_, again.coefs_, strict=True))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_it_ends_after_epochs_without_progress(solver, rng):
    X, y = noisy(rng)
    model = MLPClassifier(
        solver=solver, early_stopping=True, n_iter_no_change=4, tol=1e-3, l2=0, random_state=0
    ).fit(X, y)
    scores = model.validation_scores_
    assert len(scores) < 200
    best = np.maximum.accumulate(scores)
    assert all(scores[i] <= best[i - 1] + 1e-3 for i in range(len(scores) - 4, len(scores)))
    assert model.best_loss_ is None


@unsettled
def test_held_out_rows_are_not_learned_from(rng):
    """The network is that of the rest alone, in its units, though no row is copied."""
    X, y = rng.normal(5, 3, (50, 3)), rng.normal(size=50)
    model = MLPRegressor(
        solver="lbfgs", early_stopping=True, max_iter=6, n_iter_no_change=99, random_state=3
    ).fit(X, y)
    is_held = hold_out(50, 0.1, model._learning.split_seed, None)
    rest = hmlc.MLPRegressor(solver="lbfgs", early_stopping=True, max_iter=6, random_state=3)
    rest.set_params(n_iter_no_change=99)
    # The seed of the split is drawn first; after it both draw the same weights.
    rng_of_rest = np.random.default_rng(3)
    rng_of_rest.integers(2**63)
    rest.set_params(random_state=rng_of_rest)
    rest.fit(X[~is_held], y[~is_held], X_val=X[is_held], y_val=y[is_held])
    np.testing.assert_allclose(model.validation_scores_, rest.validation_scores_, rtol=1e-6)
    np.testing.assert_allclose(model.predict(X), rest.predict(X), rtol=1e-6)


@unsettled
def test_regressors_are_scored_by_r2(rng):
    X = rng.normal(size=(80, 2))
    Y = np.column_stack([X[:, 0], 1000 * X[:, 1]])
    model = MLPRegressor(early_stopping=True, max_iter=15, learning_rate=0.02, random_state=0)
    model.fit(X[20:], Y[20:], X_val=X[:20], y_val=Y[:20])
    assert model.best_validation_score_ == pytest.approx(model.score(X[:20], Y[:20]), rel=1e-6)
    assert model.n_iter_ == 15


@unsettled
@pytest.mark.parametrize("solver", SOLVERS)
def test_without_it_there_are_no_scores(solver, rng):
    X, y = noisy(rng, 40)
    model = MLPClassifier(solver=solver, max_iter=3, random_state=0).fit(X, y)
    assert model.validation_scores_ is None
    assert model.best_validation_score_ is None
    assert model.best_loss_ == model.cost_history_.min()


@unsettled
def test_threads_and_seeds(rng):
    X, y = noisy(rng, 2000)
    model = MLPClassifier(early_stopping=True, max_iter=3, random_state=7)
    results = {
        b"".join(a.tobytes() for a in model.set_params(n_jobs=jobs).fit(X, y).coefs_)
        for jobs in (1, 2, 3)
    }
    assert len(results) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_val": [[0.0, 1.0]]}, "go together"),
        ({"y_val": [0]}, "go together"),
        ({"X_val": [[0.0]], "y_val": [0]}, "X_val has 1 features, but X has 2"),
        ({"X_val": [[0.0, np.nan]], "y_val": [0]}, "NaN"),
        ({"X_val": [[0.0, 1.0]], "y_val": [7]}, "y_val.*classes not in"),
        ({"X_val": [[0.0, 1.0]], "y_val": [0, 1]}, "inconsistent numbers"),
        ({}, "none of 6 rows for validation"),
    ],
)
def test_bad_validation_rows(given, message):
    X, y = np.arange(12.0).reshape(6, 2), [0, 1, 0, 1, 0, 1]
    model = MLPClassifier(early_stopping=True)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **given)
    assert not hasattr(model, "coefs_")


def test_other_errors(rng):
    X, y = noisy(rng, 40)
    with pytest.raises(ValueError, match="early_stopping=False"):
        MLPClassifier().fit(X, y, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="none of a class to learn from"):
        MLPClassifier(early_stopping=True, validation_fraction=0.9).fit(X[:12], [*y[:10], 5, 5])
    with pytest.raises(ValueError, match="to learn from"):
        MLPRegressor(early_stopping=True, validation_fraction=1.0).fit(X, y)
    with pytest.raises(ValueError, match="2 targets, but y has 1"):
        MLPRegressor(early_stopping=True).fit(X, y, X_val=X, y_val=np.column_stack([y, y]))
    weights = np.zeros(40)
    weights[3] = 1
    with pytest.raises(ValueError, match="must have some weight"):
        MLPRegressor(early_stopping=True, random_state=0).fit(X, y, weights)
    for name, value in (
        ("early_stopping", 1),
        ("validation_fraction", 0),
        ("n_iter_no_change", 0),
        ("warm_start", "yes"),
    ):
        with pytest.raises((TypeError, ValueError), match=name):
            MLPClassifier(**{name: value}).fit(X, y)
