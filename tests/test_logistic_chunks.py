"""LogisticRegression that goes on: in chunks, and from the coefficients that there are."""

import copy
import pickle

import numpy as np
import pytest

import hmlc
from hmlc import LogisticRegression
from hmlc._logistic_chunks import in_units

unsettled = pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")


def rows(rng, n=600, classes=3, dtype=np.float64):
    X = rng.normal(3, [1, 10, 0.1], (n, 3))
    scores = (X - 3) / [1, 10, 0.1] @ rng.normal(size=(3, classes))
    return X.astype(dtype), np.argmax(scores + rng.gumbel(size=(n, classes)), axis=1)


def learned(model):
    return model.coef_.tobytes() + model.intercept_.tobytes() + model.cost_history_.tobytes()


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("classes", "multi_class"), [(2, "auto"), (3, "softmax"), (3, "ovr")])
def test_many_passes_approach_the_optimum(classes, multi_class, fit_intercept, rng):
    X, y = rows(rng, classes=classes)
    X = X if fit_intercept else X - 3  # far from 0, columns would be all but the missing bias
    options = {"multi_class": multi_class, "fit_intercept": fit_intercept, "l2": 3.0}
    best = LogisticRegression(**options).fit(X, y)
    model = LogisticRegression(**options)
    for _ in range(400):
        model.partial_fit(X, y, classes=range(classes))
    np.testing.assert_allclose(model.predict_proba(X), best.predict_proba(X), atol=0.01)
    # 400 passes of 3 batches: the last steps are of about 0.05 / 13.
    assert model.cost_history_[-1] < best.cost_history_[-1] + 1e-3
    assert (model.intercept_ == 0).all() == (not fit_intercept)


def test_chunks_with_a_share_of_the_penalty_approach_it_too(rng):
    X, y = rows(rng, classes=2)
    best = LogisticRegression(l2=30.0).fit(X, y)
    model = LogisticRegression(l2=10.0)
    model.partial_fit(X, y, classes=[0, 1])
    for _ in range(200):
        for first in (0, 200, 400):
            model.partial_fit(X[first : first + 200], y[first : first + 200])
    np.testing.assert_allclose(model.predict_proba(X), best.predict_proba(X), atol=0.01)


def test_the_first_cost_is_of_no_weights(rng):
    for classes, multi_class in ((2, "auto"), (3, "auto"), (3, "ovr")):
        X, y = rows(rng, classes=classes)
        model = LogisticRegression(multi_class=multi_class)
        expected = model.fit(X, y).cost_history_[0]
        chunks = LogisticRegression(multi_class=multi_class).partial_fit(X, y, range(classes))
        assert chunks.cost_history_[0] == pytest.approx(expected, rel=1e-12)
        assert chunks.n_iter_ == 1


def test_a_pass_is_the_same_whatever_the_threads_and_layout(rng, dtype):
    X, y = rows(rng, dtype=dtype)

    def passes(X, **options):
        model = LogisticRegression(polynomial_degree=2, **options)
        return learned(model.partial_fit(X, y, [0, 1, 2]).partial_fit(X[:50], y[:50]))

    plain = passes(X)
    assert passes(X, n_jobs=1) == passes(X, n_jobs=3) == passes(np.asfortranarray(X)) == plain


def test_it_goes_on_after_saving(rng, tmp_path, dtype):
    X, y = rows(rng, dtype=dtype)
    model = LogisticRegression(class_weight={1: 2.0}).partial_fit(X, y, [0, 1, 2])
    hmlc.save(model, tmp_path / "m")
    others = [hmlc.load(tmp_path / "m"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]
    expected = learned(model.partial_fit(X, y))
    assert all(learned(other.partial_fit(X, y)) == expected for other in others)


def test_it_goes_on_from_a_fit(rng):
    X, y = rows(rng)
    model = LogisticRegression().fit(X, y)
    best = model.cost_history_[-1]
    model.partial_fit(X, y)
    # Three batches of the first rate, 0.05.
    assert best < model.cost_history_[-1] < best + 0.1


def test_weights_are_repetition_within_a_batch(rng):
    X, y = rows(rng, n=40)
    times = rng.integers(0, 4, 40)
    options = {"l2": 0.5}
    weighted = LogisticRegression(**options).partial_fit(X, y, [0, 1, 2], times)
    repeated = LogisticRegression(**options).partial_fit(
        np.repeat(X, times, axis=0), np.repeat(y, times), [0, 1, 2]
    )
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)


def test_other_units_give_the_same_scores(rng):
    X, W = rng.normal(size=(20, 3)), rng.normal(size=(2, 4))
    some, other = (np.stack([rng.normal(size=3), rng.uniform(1, 2, 3)]) for _ in range(2))

    def scores(W, units):
        return (X - units[0]) * units[1] @ W[:, :-1].T + W[:, -1]

    np.testing.assert_allclose(scores(in_units(W, some, other), other), scores(W, some), rtol=1e-9)


@unsettled
@pytest.mark.parametrize("solver", ["lbfgs", "newton"])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_warm_start_begins_where_the_last_fit_ended(solver, classes, rng):
    X, y = rows(rng, classes=classes)
    multi_class = "ovr" if solver == "newton" else "auto"
    model = LogisticRegression(solver=solver, multi_class=multi_class, max_iter=2, warm_start=True)
    end = model.fit(X, y).cost_history_[-1]
    model.fit(X, y)
    assert model.cost_history_[0] == pytest.approx(end, rel=1e-10)
    model.set_params(max_iter=1000).fit(X, y)
    assert model.fit(X, y).n_iter_ <= 1
    best = LogisticRegression(solver=solver, multi_class=multi_class).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), best.predict_proba(X), atol=1e-4)


@unsettled
@pytest.mark.parametrize("multi_class", ["softmax", "ovr"])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("is_saved", [False, True])
def test_lbfgs_goes_on_to_the_bit(multi_class, classes, is_saved, rng, dtype, tmp_path):
    X, y = rows(rng, classes=classes)
    X = X.astype(dtype)
    options = {"solver": "lbfgs", "multi_class": multi_class, "tol": 0, "l2": 1e-3}
    whole = LogisticRegression(max_iter=9, **options).fit(X, y)
    model = LogisticRegression(max_iter=4, warm_start=True, **options).fit(X, y)
    if is_saved:
        hmlc.save(model, tmp_path / "model")
        model = hmlc.load(tmp_path / "model")
    model.set_params(max_iter=5).fit(X, y)
    assert model.coef_.tobytes() == whole.coef_.tobytes()
    assert model.cost_history_.tolist() == whole.cost_history_[4:].tolist()


@unsettled
def test_what_lbfgs_knows_of_another_problem_is_not_used(rng):
    X, y = rows(rng, classes=3)
    model = LogisticRegression(max_iter=4, warm_start=True).fit(X, y)
    model.set_params(multi_class="ovr", solver="lbfgs", max_iter=1000).fit(X, y)
    best = LogisticRegression(multi_class="ovr").fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), best.predict_proba(X), atol=1e-4)


@unsettled
def test_a_warm_start_on_other_rows_keeps_the_scores(rng):
    X, y = rows(rng)
    model = LogisticRegression(warm_start=True, max_iter=1).fit(X, y)
    shifted = X[:300] * 2 + 1
    expected = -np.log(model.predict_proba(shifted)[np.arange(300), y[:300]]).mean()
    model.set_params(l2=0).fit(shifted, y[:300])
    assert model.cost_history_[0] == pytest.approx(expected, rel=1e-9)


def test_what_cannot_go_on(rng):
    X, y = rows(rng)
    model = LogisticRegression(warm_start=True).fit(X, y)
    before = learned(model)
    with pytest.raises(ValueError, match="same classes"):
        model.fit(X, y + 1)
    with pytest.raises(ValueError, match="same columns"):
        model.fit(X[:, :2], y)
    with pytest.raises(ValueError, match="not the same as on last call"):
        model.partial_fit(X, y, [0, 1, 2, 3])
    with pytest.raises(ValueError, match="has classes not in"):
        model.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match="2 features"):
        model.partial_fit(X[:, :2], y)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X * np.nan, y)
    with pytest.raises(ValueError, match="cannot balance"):
        copy.deepcopy(model).set_params(class_weight="balanced").partial_fit(X, y)
    assert learned(model) == before
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        LogisticRegression().partial_fit(X, y)
