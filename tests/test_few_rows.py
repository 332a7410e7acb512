"""A few plain rows are answered by one compiled call: in the bits, and with the errors, of all."""

import copy
import pickle

import numpy as np
import pytest

import hmlc
from hmlc._backend import kernels
from hmlc._estimator import Estimator

COLUMNS = [1, 2, 8, 20, 33, 130, 784]


def data(rng, d, dtype=np.float64):
    X = rng.normal(2.0, 3.0, size=(90, d)).astype(dtype)
    return X, X.sum(axis=1) + rng.normal(size=90), np.arange(90) % 3


def linear(X, y, codes):
    return hmlc.LinearRegression(l2=1.0).fit(X, y), ["predict"]


def linear_of_targets(X, y, codes):
    return hmlc.LinearRegression(l2=1.0).fit(X, np.stack([y, -y, y * y], axis=1)), ["predict"]


def linear_of_many_targets(X, y, codes):
    return hmlc.LinearRegression(l2=1.0).fit(X, np.outer(y, np.arange(21.0))), ["predict"]


def logistic(X, y, codes):
    model = hmlc.LogisticRegression(l2=1.0).fit(X, np.array(["no", "yes"])[codes % 2])
    return model, ["predict", "predict_proba", "predict_log_proba", "decision_function"]


def softmax(X, y, codes):
    model = hmlc.LogisticRegression(l2=1.0).fit(X, codes)
    return model, ["predict", "predict_proba", "decision_function"]


def clusters(X, y, codes):
    return hmlc.KMeans(n_clusters=6, random_state=0, n_init=1).fit(X), ["predict"]


def perceptron(X, y, codes):
    model = hmlc.MLPClassifier(hidden_layer_sizes=(100, 7), max_iter=2, random_state=0)
    return model.fit(X, codes), ["predict", "predict_proba"]


def tanh_perceptron(X, y, codes):
    model = hmlc.MLPRegressor(
        hidden_layer_sizes=(40,), activation="tanh", max_iter=2, random_state=0
    )
    return model.fit(X, y), ["predict"]


def without_hidden(X, y, codes):
    return hmlc.MLPClassifier(hidden_layer_sizes=(), max_iter=2, random_state=0).fit(X, codes), [
        "predict_proba"
    ]


MODELS = [
    linear,
    linear_of_targets,
    linear_of_many_targets,
    logistic,
    softmax,
    clusters,
    perceptron,
    tanh_perceptron,
    without_hidden,
]
NARROW = linear, linear_of_targets
"""These have so few targets that any number of rows is answered by one call."""

pytestmark = pytest.mark.filterwarnings("ignore::hmlc._estimator.ConvergenceWarning")


@pytest.fixture
def answered(monkeypatch):
    """Use the compiled kernels, and note for every call whether its answer came by one call."""
    count = []
    answer_few = Estimator._answer_few

    def counting(*arguments):
        answer = answer_few(*arguments)
        count.append(answer is not None)
        return answer

    monkeypatch.setattr(Estimator, "_answer_few", counting)
    with hmlc.use_backend("c"):
        yield count


@pytest.mark.parametrize("d", COLUMNS)
@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fitted", [np.float32, np.float64])
def test_few_rows_get_the_bits_of_many(make, d, dtype, fitted, rng, answered):
    model, methods = make(*data(rng, d, fitted))
    X = rng.normal(2.0, 3.0, size=(90, d)).astype(dtype)
    for method in methods:
        answered.clear()
        together = getattr(model, method)(X.view(np.recarray))
        assert answered == [False]
        for count in (1, 2, 4, 5, 83):
            answered.clear()
            few = getattr(model, method)(X[7 : 7 + count])
            assert answered == [count <= 4 or make in NARROW]
            assert few.dtype == together.dtype
            assert few.shape == together[7 : 7 + count].shape
            assert few.tobytes() == together[7 : 7 + count].tobytes()


@pytest.mark.parametrize("make", MODELS)
def test_rows_of_any_kind_get_the_same_answers(make, rng, answered):
    model, methods = make(*data(rng, 20))
    X = rng.integers(-9, 9, size=(3, 20)).astype(np.float64)
    padded = np.zeros((3, 23))
    padded[:, 1:21] = X
    unaligned = np.frombuffer(b"x" + X.tobytes(), np.uint8)[1:].view(X.dtype).reshape(X.shape)
    read_only = X.copy()
    read_only.flags.writeable = False
    others = [
        np.asfortranarray(X),
        padded[:, 1:21],
        X.astype(np.int8),
        X.astype(X.dtype.newbyteorder()),
        X.astype(object),
        X.tolist(),
        unaligned,
        X.view(np.recarray),
    ]
    for method in methods:
        expected = getattr(model, method)(X)
        answered.clear()
        assert getattr(model, method)(read_only).tobytes() == expected.tobytes()
        assert answered == [True]
        answered.clear()
        for other in others:
            assert getattr(model, method)(other).tobytes() == expected.tobytes()
        assert not any(answered)


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_errors_are_those_of_many_rows(make, dtype, rng, backend):
    model, methods = make(*data(rng, 20, dtype))
    X = rng.normal(size=(4, 20)).astype(dtype)
    for method in methods:
        call = getattr(model, method)
        for value, what in ((np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")):
            for row in range(4):
                for column in (0, 19):
                    bad = X.copy()
                    bad[row, column] = value
                    with pytest.raises(
                        ValueError, match=rf"^Input X contains {what}; the first is in row {row}\.$"
                    ):
                        call(bad)
        for width in (19, 21):
            with pytest.raises(
                ValueError, match=rf"X has {width} features, but .* is expecting 20"
            ):
                call(np.zeros((1, width), dtype))
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
            call(X[0])
        with pytest.raises(ValueError, match="Expected 2D array, got 3D array"):
            call(X[None])
        with pytest.raises(ValueError, match=r"0 sample\(s\)"):
            call(X[:0])
        with pytest.raises(hmlc.NotFittedError):
            getattr(type(model)(), method)(X)


@pytest.mark.parametrize("kind", [hmlc.LinearRegression, hmlc.LogisticRegression])
def test_a_model_of_more_columns_than_given_is_not_mistaken(kind, rng, answered):
    X = rng.normal(size=(60, 2))
    model = kind(polynomial_degree=2).fit(X, X[:, 0] > 0)
    for few in (X[:1], X[:3]):
        assert model.predict(few).tobytes() == model.predict(X)[: len(few)].tobytes()
    with pytest.raises(ValueError, match="X has 5 features"):
        model.predict(np.zeros((1, 5)))


def test_answers_follow_attributes_that_are_replaced_or_changed(rng, backend):
    X, y, codes = data(rng, 4)
    model, _ = linear(X, y, codes)
    model.coef_, model.intercept_ = np.array([1.0, 2.0, 3.0, 4.0]), 5
    assert model.predict(np.ones((1, 4))) == [15.0]
    model.coef_[0], model.intercept_ = 2.0, np.float32(6.0)
    assert model.predict(np.ones((1, 4), np.float32)) == [17.0]
    model.coef_ = np.array([0.0, 0.0, 0.0, 1.0], np.float32)
    assert model.predict(np.ones((1, 4))) == [7.0]
    model, _ = clusters(X, y, codes)
    row = np.full((1, 4), 9.0)
    model.cluster_centers_ = np.arange(5.0)[:, None] * np.ones(4)
    assert model.predict(row) == [4]
    model.cluster_centers_[2] = 9.0
    assert model.predict(row) == [2]


@pytest.mark.parametrize("make", MODELS)
def test_copies_answer_alike(make, rng):
    model, methods = make(*data(rng, 20))
    row = rng.normal(size=(1, 20))
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        for method in methods:
            assert getattr(other, method)(row).tobytes() == getattr(model, method)(row).tobytes()


def test_a_weight_too_large_for_float32_is_left_to_the_ordinary_way(rng):
    X, y, codes = data(rng, 4)
    model, _ = linear(X, y, codes)
    model.coef_[1] = 1e300
    with np.errstate(over="ignore"):
        assert not np.isfinite(model.predict(np.ones((1, 4), np.float32))).any()


def test_ties_go_to_the_first_centre(backend):
    X = np.repeat(np.arange(6.0)[:, None], 3, axis=1)
    model = hmlc.KMeans(n_clusters=6, random_state=0).fit(X)
    model.cluster_centers_ = np.zeros((6, 3))
    assert model.predict(X[:4]).tolist() == [0, 0, 0, 0]


def test_twins_answer_in_the_ordinary_way():
    for name in ("numpy", "python"):
        with hmlc.use_backend(name):
            model = np.ones((1, 1)), 1, np.ones(1), 0.0
            assert Estimator()._answer_few(kernels().linalg, *model) is None
