"""Fits of perceptrons that go on: warm starts, chunks, and after saving in between."""

import copy
import pickle

import numpy as np
import pytest

import hmlc
from hmlc import MLPClassifier, MLPRegressor
from hmlc._saving import learned as learned_names
from hmlc._saving.state import Reader

SOLVERS = ("adam", "sgd", "gradient_descent", "lbfgs")
unsettled = pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")


def rows(rng, n=150, dtype=np.float64):
    X = rng.normal(3, [1, 10, 0.1], (n, 3)).astype(dtype)
    return X, rng.integers(3, size=n)


def learned(model):
    parts = [*model.coefs_, *model.intercepts_, model.cost_history_, np.array(model.n_iter_)]
    return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)


def saved(model, tmp_path):
    hmlc.save(model, tmp_path / "model.hmlc")
    return hmlc.load(tmp_path / "model.hmlc")


BETWEEN = {
    "nothing": lambda model, tmp_path: model,
    "saved": saved,
    "pickled": lambda model, tmp_path: pickle.loads(pickle.dumps(model)),
    "copied": lambda model, tmp_path: copy.deepcopy(model),
}


@unsettled
@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_two_fits_are_one(kind, solver, between, dtype, rng, tmp_path):
    X, y = rows(rng, dtype=dtype)
    options = {"hidden_layer_sizes": (7,), "solver": solver, "tol": 0, "batch_size": 40}
    one = kind(**options, max_iter=9, random_state=2).fit(X, y)
    two = kind(**options, max_iter=4, random_state=2, warm_start=True).fit(X, y)
    two = BETWEEN[between](two, tmp_path)
    two.set_params(max_iter=5).fit(X, y)
    assert two.n_iter_ == 9
    assert learned(two) == learned(one)
    assert two.best_loss_ == one.best_loss_


@unsettled
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_epochs_without_progress_are_counted_on(solver, rng):
    X, y = rows(rng)
    options = {"solver": solver, "tol": 10.0, "random_state": 0}
    one = MLPClassifier(**options).fit(X, y)
    two = MLPClassifier(**options, warm_start=True, max_iter=4).fit(X, y)
    assert one.n_iter_ == two.set_params(max_iter=200).fit(X, y).n_iter_ == 11


@unsettled
@pytest.mark.parametrize("solver", SOLVERS)
def test_early_stopping_goes_on_from_the_best(solver, rng):
    X, y = rows(rng)
    model = MLPClassifier(
        solver=solver, early_stopping=True, warm_start=True, max_iter=5, tol=0, random_state=0
    ).fit(X, y)
    first, seed = model.validation_scores_, model._learning.split_seed
    model.fit(X, y)
    assert model.validation_scores_[: len(first)].tolist() == first.tolist()
    assert model._learning.split_seed == seed
    assert model.best_validation_score_ == model.validation_scores_.max()


@unsettled
def test_scores_of_other_weights_are_forgotten(rng):
    X, y = rows(rng)
    model = MLPClassifier(early_stopping=True, warm_start=True, max_iter=3, random_state=0)
    assert model.fit(X, y).best_validation_score_ is not None
    model.set_params(early_stopping=False).fit(X, y)
    assert model.validation_scores_ is model.best_validation_score_ is None
    assert model.best_loss_ == model.cost_history_.min()


@unsettled
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_only_a_warm_start_goes_on(solver, rng):
    X, y = rows(rng)
    model = MLPClassifier(solver=solver, max_iter=4, random_state=2).fit(X, y)
    first = learned(model)
    assert model._learning.memory == {}
    assert learned(model.fit(X, y)) == first


@unsettled
def test_a_failed_fit_leaves_where_it_stood(rng):
    X, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    options = {"solver": "sgd", "tol": 0, "random_state": 0, "warm_start": True}
    model = MLPRegressor(**options, max_iter=3).fit(X, y)
    model.set_params(max_iter=60)
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(learning_rate=1e6).fit(X, y)
    model.set_params(learning_rate=None, max_iter=3).fit(X, y)
    assert learned(model) == learned(MLPRegressor(**options, max_iter=6).fit(X, y))


@unsettled
def test_what_cannot_go_on(rng):
    X, y = rows(rng)
    model = MLPClassifier(max_iter=2, warm_start=True, hidden_layer_sizes=(5,)).fit(X, y)
    before = learned(model)
    for changes, X_new, y_new, message in (
        ({"hidden_layer_sizes": (6,)}, X, y, "levels of"),
        ({"activation": "tanh"}, X, y, "activation='relu'"),
        ({"loss": "logistic"}, X, y, "same loss"),
        ({"solver": "sgd"}, X, y, "solver that it began with, 'adam'"),
        ({}, X[:, :2], y, "levels of"),
        ({}, X, y + 1, "same classes"),
        ({}, X * np.nan, y, "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            copy.deepcopy(model).set_params(**changes).fit(X_new, y_new)
    assert learned(model) == before


@unsettled
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_passes_over_one_chunk_are_epochs(kind, solver, dtype, rng):
    X, y = rows(rng, dtype=dtype)
    options = {"hidden_layer_sizes": (7,), "solver": solver, "batch_size": 40, "random_state": 2}
    fitted = kind(**options, max_iter=4, tol=0).fit(X, y)
    chunks = kind(**options)
    for _ in range(4):
        chunks.partial_fit(X, y, **({"classes": [2, 0, 1]} if kind is MLPClassifier else {}))
    assert learned(chunks) == learned(fitted)


@unsettled
def test_chunks_go_on_from_a_fit(rng):
    X, y = rows(rng)
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    before = learned(model)
    assert model.partial_fit(X[:20], y[:20]).n_iter_ == 4
    assert learned(model) != before


@unsettled
def test_chunks_with_weights_and_in_between_saved(rng, tmp_path):
    X, y = rows(rng)
    weights = rng.uniform(size=150)

    def learn(between):
        model = MLPClassifier(batch_size=16, class_weight={1: 2.0}, random_state=0)
        for first in range(0, 150, 50):
            part = slice(first, first + 50)
            model.partial_fit(X[part], y[part], np.arange(3), weights[part])
            model = between(model, tmp_path)
        return learned(model)

    plain = learn(BETWEEN["nothing"])
    assert all(learn(between) == plain for between in BETWEEN.values())


def test_chunks_teach_what_a_fit_does(rng):
    X = rng.normal(size=(2000, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    model = MLPClassifier(learning_rate=0.01, l2=0.1, random_state=0)
    for _ in range(10):
        for first in range(0, 2000, 500):
            part = slice(first, first + 500)
            model.partial_fit(X[part], y[part], classes=[0, 1])
    assert model.score(X, y) > 0.95


def test_what_chunks_cannot_be(rng):
    X, y = rows(rng)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        MLPClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="has classes not in"):
        MLPClassifier().partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="early_stopping"):
        MLPClassifier(early_stopping=True).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="cannot balance"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    for solver in ("lbfgs", "gradient_descent"):
        assert not hasattr(MLPRegressor(solver=solver), "partial_fit")
        with pytest.raises(AttributeError, match=r"partial_fit.*solver='adam' or 'sgd'"):
            MLPRegressor(solver=solver).partial_fit(X, y)
    model = MLPClassifier(random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    before = learned(model)
    with pytest.raises(ValueError, match="not the same as on last call"):
        model.partial_fit(X, y, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match="2 features"):
        model.partial_fit(X[:, :2], y)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X * np.nan, y)
    assert learned(model) == before


@unsettled
def test_a_generator_given_by_the_user_is_saved_as_one_that_it_seeds(rng, tmp_path):
    X, y = rows(rng)
    generator = np.random.Generator(np.random.MT19937(1))
    model = MLPClassifier(random_state=generator, max_iter=2, warm_start=True).fit(X, y)
    model.set_params(random_state=None)
    again, twice = saved(model, tmp_path), saved(model, tmp_path)
    assert learned(again.fit(X, y)) == learned(twice.fit(X, y))


@unsettled
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("solver", "newton"),
        ("parameters", np.zeros(3)),
        ("units", np.full((2, 3), np.nan)),
        ("target_units", np.zeros((2, 2))),
        ("idle", -1),
        ("split_seed", 1.5),
        ("scores", [np.nan]),
        ("memory", {"moments": np.zeros((2, 3))}),
        ("memory", {"pairs": np.zeros((11, 2, 36))}),
        ("memory", {"powers": np.zeros(2, np.float32)}),
        ("memory", {"speed": np.zeros(2)}),
    ],
)
def test_no_fit_stands_where_none_could(name, value, rng, tmp_path):
    X, y = rows(rng)
    model = MLPRegressor(hidden_layer_sizes=(7,), max_iter=2, random_state=0).fit(X, y)
    setattr(model._learning, name, value)
    with pytest.raises(ValueError, match=r"cannot be saved: .*learning\."):
        hmlc.save(model, tmp_path / "m")


@unsettled
def test_states_of_files_without_a_fit_to_go_on_from(rng):
    """The weights are kept; a fit goes on from them in units as given."""
    X, y = rows(rng)
    X = (X - 3) / [1, 10, 0.1]
    model = MLPClassifier(max_iter=5, random_state=0).fit(X, y)
    kind = learned_names.kind_of(model)
    old = {name: part for name, part in kind.state_of(model).items() if "learning." not in name}
    loaded = MLPClassifier(random_state=0)
    kind.restore(loaded, Reader({**old, "n_iter_": model.n_iter_}))
    assert learned(loaded) == learned(model)
    loaded.partial_fit(X, y)
    assert loaded.cost_history_[-1] < 1.1 * model.cost_history_[-1]
    assert loaded.n_iter_ == 6
