"""MLPClassifier and MLPRegressor: known problems, other implementations, seeds, threads, input."""

import time

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPClassifier as PeerClassifier

import hmlc
from hmlc import ConvergenceWarning, MLPClassifier, MLPRegressor, NotFittedError, _network

SOLVERS = ("adam", "sgd", "gradient_descent", "lbfgs")
XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)

unsettled = pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")


def blobs(rng, n=300, classes=3, columns=4, dtype=np.float64):
    centres = 3 * rng.normal(size=(classes, columns))
    labels = rng.integers(classes, size=n)
    return (centres[labels] + rng.normal(size=(n, columns))).astype(dtype), labels


def learned(model):
    return b"".join(part.tobytes() for part in [*model.coefs_, *model.intercepts_])


@unsettled
@pytest.mark.parametrize("loss", ["softmax", "logistic"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize(
    ("solver", "learning_rate"),
    [("adam", 0.05), ("sgd", 0.2), ("gradient_descent", 1.0), ("lbfgs", None)],
)
def test_xor(solver, learning_rate, activation, loss):
    model = MLPClassifier(
        hidden_layer_sizes=(16,),
        activation=activation,
        loss=loss,
        solver=solver,
        learning_rate=learning_rate,
        l2=0.0,
        max_iter=2000,
        tol=0,
        random_state=0,
    )
    model.fit(XOR, ["no", "yes", "yes", "no"])
    assert model.predict(XOR).tolist() == ["no", "yes", "yes", "no"]
    assert model.score(XOR, ["no", "yes", "yes", "no"]) == 1


@unsettled
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_learns_a_product(solver, rng):
    """y = x0 * x1, of which a linear model explains nothing."""
    X = rng.uniform(-1, 1, (600, 2))
    y = X[:, 0] * X[:, 1]
    model = MLPRegressor(
        hidden_layer_sizes=(30,), activation="tanh", solver=solver, random_state=1, batch_size=30
    )
    model.fit(X[:400], y[:400])
    assert model.score(X[400:], y[400:]) > 0.97


@unsettled
def test_one_step_is_scikit_learns(rng):
    """Full-batch gradient descent from the same weights: our l2 is its alpha."""
    X, y = blobs(rng)
    options = {"hidden_layer_sizes": (7, 5), "activation": "tanh", "batch_size": len(X)}
    ours = MLPClassifier(
        **options,
        solver="sgd",
        momentum=0.0,
        l2=2.0,
        learning_rate=0.3,
        max_iter=1,
        normalize=False,
    )
    peer = PeerClassifier(
        **options, solver="sgd", momentum=0.0, alpha=2.0, learning_rate_init=0.3, random_state=0
    )
    peer.partial_fit(X, y, classes=np.unique(y))
    network = _network.Network((4, 7, 5, 3), "tanh", "softmax")
    start = np.random.default_rng(0).normal(size=network.n_parameters) * 0.3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_network.Network, "initial_parameters", lambda self, rng: start.copy())
        ours.fit(X, y)
    for layer, coefs, intercepts in zip(
        network.layers(start), peer.coefs_, peer.intercepts_, strict=True
    ):
        coefs[:], intercepts[:] = layer[:-1], layer[-1]
    peer._optimizer.velocities = [np.zeros_like(v) for v in peer._optimizer.velocities]
    peer.partial_fit(X, y)
    for ours_part, peer_part in zip(
        [*ours.coefs_, *ours.intercepts_], [*peer.coefs_, *peer.intercepts_], strict=True
    ):
        np.testing.assert_allclose(ours_part, peer_part, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), rtol=1e-9)


@unsettled
def test_no_hidden_layer_is_ridge_regression(rng):
    X, y = rng.normal(5, 2, (80, 3)), rng.normal(size=(80, 2))
    model = MLPRegressor(
        hidden_layer_sizes=(), solver="lbfgs", l2=4.0, tol=0, max_iter=500, normalize=False
    )
    model.fit(X, y)
    peer = Ridge(alpha=4.0).fit(X, y)
    np.testing.assert_allclose(model.coefs_[0], peer.coef_.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(X), peer.predict(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("sizes", [(), (5,), (6, 4)])
@unsettled
def test_coefs_are_for_columns_as_given(sizes, normalize, rng):
    """The network written out with coefs_ and intercepts_, on raw rows, is what predicts."""
    X = rng.normal(100, [1, 20, 0], (60, 3))
    y = 1000 + 50 * rng.normal(size=60)
    model = MLPRegressor(
        hidden_layer_sizes=sizes, activation="tanh", normalize=normalize, max_iter=5, random_state=0
    ).fit(X, y)
    a = X
    for coefs, intercepts in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        a = np.tanh(a @ coefs + intercepts)
    expected = a @ model.coefs_[-1] + model.intercepts_[-1]
    np.testing.assert_allclose(model.predict(X), expected[:, 0], rtol=1e-10)


@unsettled
def test_units_of_columns_and_targets_do_not_matter(rng):
    X, y = rng.normal(size=(100, 3)), rng.normal(size=100)
    model = MLPRegressor(max_iter=20, random_state=3)
    plain = model.fit(X, y).predict(X)
    moved = model.fit(1e3 * X + 7e4, 1e-3 * y - 5).predict(1e3 * X + 7e4)
    # Columns 70 deviations from 0 lose two digits, and twenty epochs spread them.
    np.testing.assert_allclose(1e3 * (moved + 5), plain, rtol=1e-6, atol=1e-7)


@unsettled
@pytest.mark.parametrize("solver", SOLVERS)
def test_seed_gives_the_bytes(solver, dtype, rng):
    X, y = blobs(rng, dtype=dtype)
    model = MLPClassifier(hidden_layer_sizes=(9,), solver=solver, max_iter=4, random_state=5)
    first, again = learned(model.fit(X, y)), learned(model.fit(X, y))
    other = learned(model.set_params(random_state=6).fit(X, y))
    assert first == again != other


@unsettled
@pytest.mark.parametrize("solver", ["gradient_descent", "lbfgs"])
def test_threads_leave_no_trace(solver, dtype, rng):
    X, y = blobs(rng, n=3000, columns=20, dtype=dtype)
    model = MLPClassifier(hidden_layer_sizes=(30,), solver=solver, max_iter=4, random_state=0)
    results = {learned(model.set_params(n_jobs=jobs).fit(X, y)) for jobs in (1, 2, 3, 7)}
    assert len(results) == 1
    answers = {model.set_params(n_jobs=jobs).predict_proba(X).tobytes() for jobs in (1, 2, 3, 7)}
    assert len(answers) == 1


@pytest.mark.parametrize("is_running", [True, False])
def test_one_thread_goes_on_alone_while_a_team_cannot_run(is_running, monkeypatch):
    clock = time.perf_counter
    monkeypatch.setattr(_network.time, "thread_time", lambda: 9 * clock() * is_running)
    monkeypatch.setattr(_network, "LOOK_SECONDS", 0)
    network = _network.Network((100, 1000, 10), "relu", "softmax")
    X, Y, units = np.zeros((200, 100)), np.zeros((200, 10)), np.zeros((2, 100))
    problem = _network.Problem(network, X, Y, np.ones(200), units, 0.0, 2)
    team = _network._Team(problem, 200)
    teams = []

    def step(thread, threads, memory):
        time.sleep(0.001)
        teams.extend([threads] * (thread == 0))

    for _ in range(9):
        team.run(step)
    assert teams == ([2] * 9 if is_running else [2, 1, 1, 2, 1, 1, 1, 1, 2])


@unsettled
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X.astype(X.dtype.newbyteorder()),
        lambda X: np.broadcast_to(X, X.shape),
    ],
)
def test_layout_leaves_no_trace(layout, solver, dtype, rng, monkeypatch):
    monkeypatch.setattr(_network, "CALL_BYTES", 40_000)
    X, y = blobs(rng, n=900, columns=20, dtype=dtype)
    model = MLPClassifier(hidden_layer_sizes=(10,), solver=solver, max_iter=3, random_state=0)
    plain = model.fit(X, y)
    expected = learned(plain) + plain.predict_proba(X).tobytes()
    assert learned(model.fit(layout(X), y)) + model.predict_proba(layout(X)).tobytes() == expected


@unsettled
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float16, object])
def test_other_dtypes(kind, rng):
    X = rng.integers(0, 200, (50, 3)).astype(kind)
    y = rng.integers(2, size=50)
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    wide = np.float32 if kind == np.float16 else np.float64
    assert model.coefs_[0].dtype == wide
    assert learned(model) == learned(
        MLPClassifier(max_iter=3, random_state=0).fit(X.astype(wide), y)
    )


@unsettled
def test_backends_agree(backend, rng):
    X, y = blobs(rng, n=60)
    model = MLPClassifier(hidden_layer_sizes=(5,), max_iter=3, batch_size=20, random_state=0)
    got = model.fit(X, y).predict_proba(X)
    with hmlc.use_backend("c"):
        expected = model.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(got, expected, rtol=1e-10)


@unsettled
@pytest.mark.parametrize("solver", SOLVERS)
def test_cost_history(solver, rng):
    X, y = blobs(rng)
    model = MLPClassifier(
        hidden_layer_sizes=(6,), solver=solver, max_iter=12, tol=0, random_state=0, l2=3.0
    ).fit(X, y)
    assert model.n_iter_ == 12
    assert len(model.cost_history_) == 12 + (solver in ("gradient_descent", "lbfgs"))
    assert model.cost_history_[-1] < model.cost_history_[0]


def test_cost_is_its_definition(rng):
    """J from predict_proba and coefs_, against the last entry of cost_history_."""
    X, y = blobs(rng)
    with pytest.warns(ConvergenceWarning, match="max_iter=20"):
        model = MLPClassifier(
            solver="lbfgs", max_iter=20, tol=0, l2=3.0, normalize=False, random_state=0
        ).fit(X, y)
    losses = -np.log(model.predict_proba(X)[np.arange(len(y)), y])
    penalty = 3.0 / 2 * sum(np.sum(coefs**2) for coefs in model.coefs_)
    assert model.cost_history_[-1] == pytest.approx((losses.sum() + penalty) / len(y), rel=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_settles_without_a_warning(solver, rng):
    X, y = blobs(rng)
    model = MLPClassifier(solver=solver, tol=0.05, random_state=0).fit(X, y)
    assert model.n_iter_ < 200
    assert model.score(X, y) > 0.9


def test_probabilities(rng, dtype):
    X, y = blobs(rng, dtype=dtype)
    for loss in ("softmax", "logistic"):
        model = MLPClassifier(loss=loss, tol=0.05, random_state=0).fit(X, y)
        p = model.predict_proba(X)
        assert p.dtype == dtype
        assert p.shape == (300, 3)
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_array_equal(model.predict(X), np.argmax(p, axis=1))
        one_row = model.predict_proba(X[:1])
        assert one_row.tobytes() == p[:1].tobytes()


@unsettled
def test_target_shapes(rng):
    X, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    model = MLPRegressor(max_iter=2, random_state=0)
    assert model.fit(X, y).predict(X).shape == (30,)
    assert model.fit(X, y[:, np.newaxis]).predict(X).shape == (30, 1)
    many = model.fit(X, np.column_stack([y, -y, np.full(30, 4.0)]))
    assert many.predict(X).shape == (30, 3)
    assert [part.shape for part in many.coefs_] == [(2, 100), (100, 3)]
    assert [part.shape for part in many.intercepts_] == [(100,), (3,)]


@unsettled
def test_batch_larger_than_the_data(rng):
    X, y = blobs(rng, n=30)
    large = MLPClassifier(max_iter=3, batch_size=10_000, random_state=0).fit(X, y)
    whole = MLPClassifier(max_iter=3, batch_size=30, random_state=0).fit(X, y)
    assert learned(large) == learned(whole)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hidden_layer_sizes": (10, 0)}, "hidden_layer_sizes must be an integer >= 1; got 0"),
        ({"hidden_layer_sizes": -3}, "hidden_layer_sizes must be an integer >= 1; got -3"),
        ({"hidden_layer_sizes": (2.5,)}, "hidden_layer_sizes must be an integer >= 1; got 2.5"),
        ({"hidden_layer_sizes": "100"}, "hidden_layer_sizes must be an integer >= 1; got '100'"),
        ({"activation": "logistic"}, "activation must be one of 'relu', 'tanh', 'sigmoid'"),
        ({"loss": "hinge"}, "loss must be one of 'softmax', 'logistic'"),
        ({"solver": "newton"}, "solver must be one of"),
        ({"l2": -1}, "l2 must be a number >= 0"),
        ({"learning_rate": 0}, "learning_rate must be a number > 0"),
        ({"momentum": 1.5}, "momentum must be a number >= 0 and <= 1"),
        ({"batch_size": 0}, "batch_size must be an integer >= 1"),
        ({"batch_size": "auto"}, "batch_size must be an integer >= 1"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1"),
        ({"tol": float("nan")}, "tol must be a number >= 0"),
        ({"normalize": 1}, "normalize must be True or False"),
        ({"random_state": -1}, "random_state must be a seed"),
        ({"n_jobs": 0}, "n_jobs must be None or an integer"),
    ],
)
def test_bad_parameters(params, message):
    model = MLPClassifier(**params)
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(XOR, [0, 1, 1, 0])
    assert not hasattr(model, "coefs_")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (XOR, [1, 1, 1, 1], "one class"),
        (XOR, [0, 1, 1], "inconsistent numbers of samples"),
        (XOR, [0.5, 1, 1, 0], "continuous"),
        (XOR, None, "requires y to be passed"),
        (XOR * np.nan, [0, 1, 1, 0], "NaN"),
        (XOR[0], [0, 1], "Expected 2D array"),
        (XOR[:0], [], "minimum of 1"),
        (XOR + 1j, [0, 1, 1, 0], "Complex"),
    ],
)
def test_bad_data(X, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        MLPClassifier().fit(X, y)


def test_prediction_needs_a_fit_and_its_columns():
    with pytest.raises(NotFittedError):
        MLPClassifier().predict(XOR)
    with pytest.raises(NotFittedError):
        MLPRegressor().predict(XOR)
    model = MLPRegressor(tol=1.0, random_state=0).fit(XOR, [0, 1, 1, 0])
    with pytest.raises(ValueError, match="3 features"):
        model.predict(np.zeros((2, 3)))


@pytest.mark.parametrize("solver", ["sgd", "gradient_descent"])
def test_divergence_is_an_error_and_leaves_the_model(solver, rng):
    X, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    model = MLPRegressor(hidden_layer_sizes=(5, 5), tol=1.0, random_state=0).fit(X, y)
    before = learned(model)
    model.set_params(solver=solver, learning_rate=1e6, tol=0)
    with pytest.raises(ValueError, match=r"diverged.*smaller learning_rate"):
        model.fit(X, y)
    assert learned(model) == before


def test_constant_column_and_constant_target():
    X = np.column_stack([np.linspace(0, 1, 20), np.full(20, 0.1)])
    model = MLPRegressor(solver="lbfgs", random_state=0).fit(X, np.full(20, 7.5))
    np.testing.assert_allclose(model.predict(X), 7.5, atol=0.05)
