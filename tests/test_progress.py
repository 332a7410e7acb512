"""What a fit tells while it runs: callbacks that watch and end it, bars and lines."""

import sys
import time

import numpy as np
import pytest

import hmlc
from hmlc._progress import Reporter

MAKERS = {
    "gradient descent": lambda **options: hmlc.LinearRegression(
        solver="gradient_descent", tol=0, **options
    ),
    "logistic, Newton": lambda **options: hmlc.LogisticRegression(
        solver="newton", multi_class="ovr", l2=1e-3, tol=0, **options
    ),
    "logistic, softmax": lambda **options: hmlc.LogisticRegression(l2=1e-3, tol=0, **options),
    "k-means": lambda **options: hmlc.KMeans(n_clusters=20, tol=0, random_state=0, **options),
    "perceptron, Adam": lambda **options: hmlc.MLPClassifier(
        hidden_layer_sizes=(5,), random_state=0, **options
    ),
    "perceptron, L-BFGS": lambda **options: hmlc.MLPRegressor(
        hidden_layer_sizes=(5,), solver="lbfgs", tol=0, random_state=0, **options
    ),
    "perceptron, descent": lambda **options: hmlc.MLPRegressor(
        hidden_layer_sizes=(5,), solver="gradient_descent", tol=0, random_state=0, **options
    ),
}
by_model = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(400, 3))
    return X, (X[:, 0] * 2 + X[:, 1] ** 2 > 1).astype(int) + (X[:, 2] > 1)


@by_model
def test_a_callback_sees_every_iteration(make, data):
    seen = []
    start = time.perf_counter()
    with pytest.warns(hmlc.ConvergenceWarning):
        model = make(max_iter=6, callback=seen.append).fit(*data)
    duration = time.perf_counter() - start
    parts = {progress.part for progress in seen}
    for part in parts:
        steps = [progress.iteration for progress in seen if progress.part == part]
        assert steps == list(range(1, len(steps) + 1))
    elapsed = [progress.elapsed for progress in seen]
    assert elapsed == sorted(elapsed)
    assert 0 < elapsed[-1] < duration
    if len(parts) == 1:
        costs = [progress.cost for progress in seen]
        assert costs == model.cost_history_[-len(costs) :].tolist()
        assert len(costs) == model.n_iter_ == 6


@by_model
def test_a_callback_ends_the_fit(make, data, recwarn):
    model = make(callback=lambda progress: progress.iteration == 2).fit(*data)
    assert model.n_iter_ == 2
    assert not recwarn.list
    with pytest.warns(hmlc.ConvergenceWarning):
        cut = make(max_iter=2).fit(*data)
    np.testing.assert_array_equal(model.predict(data[0]), cut.predict(data[0]))


@by_model
def test_what_a_callback_raises_leaves_the_estimator_as_it_was(make, data):
    def fail(progress):
        raise RuntimeError("seen enough")

    model = make().set_params(max_iter=5, callback=lambda progress: progress.iteration == 1)
    before = dict(vars(model.fit(*data)))
    with pytest.raises(RuntimeError, match="seen enough"):
        model.set_params(callback=fail).fit(data[0] + 1, data[1])
    assert vars(model) == before | {"callback": fail}


def test_the_classes_of_one_vs_rest_are_parts(data):
    seen = []
    hmlc.LogisticRegression(multi_class="ovr", callback=seen.append).fit(*data)
    assert {progress.part for progress in seen} == {"class 0", "class 1", "class 2"}


def test_a_callback_ends_all_runs_of_k_means(data):
    seen = []

    def callback(progress):
        seen.append(progress)
        return progress.part == "run 2 of 5" and progress.iteration == 3

    hmlc.KMeans(n_clusters=20, tol=0, n_init=5, random_state=0, callback=callback).fit(data[0])
    assert {progress.part for progress in seen} == {"run 1 of 5", "run 2 of 5"}
    assert seen[-1].iteration == 3


def test_once_ended_all_parts_are_told_to_end():
    reporter = Reporter(lambda progress: progress.part == "b", lambda progress: None)
    first, second = reporter.of("a"), reporter.of("b")
    assert [first(1, 0.0), second(1, 0.0), first(2, 0.0)] == [False, True, True]


@by_model
@pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")
def test_verbose_is_a_bar_where_tqdm_is_installed(make, data, capsys):
    make(max_iter=3, verbose=1).fit(*data)
    out, err = capsys.readouterr()
    assert out == ""
    assert "cost" in err
    assert "/3" in err


@by_model
@pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")
def test_verbose_is_lines_where_it_is_not(make, data, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    model = make(max_iter=3, verbose=1).fit(*data)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 3
    assert lines[0].startswith(type(model).__name__)
    assert "iteration 1, cost " in lines[0]


@by_model
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"callback": "print"}, TypeError),
        ({"verbose": -1}, ValueError),
        ({"verbose": "a"}, TypeError),
    ],
)
def test_what_is_neither_callback_nor_verbosity(make, options, error, data):
    model = make(**options)
    with pytest.raises(error, match=next(iter(options))):
        model.fit(*data)
    assert not hasattr(model, "n_features_in_")


def test_a_saved_model_has_no_callback(data, tmp_path):
    model = hmlc.KMeans(n_clusters=2, random_state=0, callback=lambda progress: False).fit(data[0])
    hmlc.save(model, tmp_path / "model")
    loaded = hmlc.load(tmp_path / "model")
    assert loaded.callback is None
    np.testing.assert_array_equal(loaded.labels_, model.labels_)
