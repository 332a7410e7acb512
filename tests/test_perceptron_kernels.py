"""Perceptron kernels: against finite differences, back-propagation by hand, and each other."""

import functools
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hmlc
from hmlc._backend import kernels
from hmlc._passes import run_together

ACTIVATIONS = {"relu": 0, "tanh": 1, "sigmoid": 2}
LOSSES = {"squared": 0, "softmax": 1, "logistic": 2}
SHAPES = [(3, 2), (5, 4, 3), (18, 17, 9, 2), (1, 33, 1)]


def n_parameters(sizes):
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


def case(sizes, activation, loss, dtype, seed=0, n=7):
    """Return rows, targets, weights, units, parameters and the network's codes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(2, 3, (n, sizes[0])).astype(dtype)
    Y = rng.normal(size=(n, sizes[-1])).astype(dtype)
    if loss != "squared":
        Y = np.eye(sizes[-1], dtype=dtype)[rng.integers(sizes[-1], size=n)]
    units = np.stack([rng.normal(2, 1, sizes[0]), rng.uniform(0.2, 0.5, sizes[0])]).astype(dtype)
    theta = rng.normal(0, 0.6, n_parameters(sizes)).astype(dtype)
    network = np.array([ACTIVATIONS[activation], LOSSES[loss], *sizes], np.intp)
    weights = np.r_[0, rng.uniform(0, 2, n - 1)].astype(dtype) if n > 1 else np.ones(1, dtype)
    return X, Y, weights, units, theta, network


def cost_and_gradient(X, Y, weights, units, theta, network, l2=0.0):
    cost, gradient = np.zeros(1), np.zeros(len(theta))
    kernels().perceptron.loss_and_gradient(X, Y, weights, units, theta, network, cost, gradient)
    kernels().perceptron.penalty(theta, network, l2, cost, gradient)
    return float(cost[0]), gradient


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SHAPES)
def test_gradient_matches_finite_differences(sizes, activation, loss, backend):
    X, Y, weights, units, theta, network = case(sizes, activation, loss, np.float64)
    l2 = 0.7
    _, gradient = cost_and_gradient(X, Y, weights, units, theta, network, l2)
    # Central differences: truncation h^2 |f'''| / 6 with f''' of order 1e2 here, and rounding
    # 1e-16 cost / h, of which h = 1e-5 keeps both near 1e-9.
    h = 1e-5
    rng = np.random.default_rng(1)
    chosen = rng.permutation(len(theta))[: 12 if backend == "python" else 60]
    for i in chosen:
        sides = []
        for sign in (1, -1):
            moved = theta.copy()
            moved[i] += sign * h
            sides.append(cost_and_gradient(X, Y, weights, units, moved, network, l2)[0])
        assert gradient[i] == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-6, abs=1e-6)


def plain_probabilities(z, loss):
    if loss == "softmax":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    p = 1 / (1 + np.exp(-z))
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n", [1, 7, 256, 300])
def test_forward_by_hand(n, loss, dtype, backend):
    """Two layers written out, with a tanh between."""
    X, _, _, units, theta, network = case((6, 5, 3), "tanh", loss, dtype, n=n)
    first, last = theta[:35].reshape(7, 5), theta[35:].reshape(6, 3)
    a = np.tanh((X.astype(float) - units[0]) * units[1] @ first[:-1] + first[-1])
    z = a @ last[:-1] + last[-1]
    expected = z if loss == "squared" else plain_probabilities(z, loss)
    out = np.full((n, 3), np.nan, dtype)
    kernels().perceptron.forward(X, units, theta, network, out)
    # Sums of at most 7 terms of order 1.
    np.testing.assert_allclose(
        out,
        expected,
        rtol=2e-5 if dtype == np.float32 else 1e-13,
        atol=1e-6 if dtype == np.float32 else 1e-14,
    )


@pytest.mark.parametrize("kind", ["as they lie", "in units", "mostly zeros"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n", [1, 4, 24, 61])
def test_rows_that_are_not_finite_have_no_answer(n, activation, kind, dtype, backend):
    """Even where an activation makes a number of infinity; and no other row loses its answer."""
    make = mostly_zeros if kind == "mostly zeros" else functools.partial(case, loss="softmax")
    sizes = (50, 20, 3)
    arguments = {"activation": activation} if make is not mostly_zeros else {}
    X, Y, _, units, theta, network = make(sizes, dtype=dtype, n=n, **arguments)
    network[0] = ACTIVATIONS[activation]
    if kind == "as they lie":
        units = np.stack([np.zeros(50), np.ones(50)]).astype(dtype)
    whole, holed = np.empty_like(Y), np.empty_like(Y)
    forward = kernels().perceptron.forward
    forward(X, units, theta, network, whole)
    assert np.isfinite(whole).all()
    is_bad = np.zeros(n, bool)
    for row, value in zip(range(0, n, 5), itertools.cycle([np.nan, np.inf, -np.inf]), strict=False):
        X[row, row % 50] = value
        is_bad[row] = True
    forward(X, units, theta, network, holed)
    assert np.isnan(holed[is_bad]).all()
    assert holed[~is_bad].tobytes() == whole[~is_bad].tobytes()


def test_sums_past_all_numbers_are_answered(dtype, backend):
    """A sigmoid of infinity is 1, where the row itself is finite."""
    large = np.finfo(dtype).max
    X = np.full((30, 2), large / 2)
    units = np.array([[0, 0], [1, 1]], dtype)
    theta = np.array([large, large, 0, 3, 4], dtype)
    network = np.array([ACTIVATIONS["sigmoid"], LOSSES["squared"], 2, 1, 1], np.intp)
    out = np.empty((30, 1), dtype)
    with np.errstate(over="ignore"):
        kernels().perceptron.forward(X, units, theta, network, out)
    assert (out == 7).all()


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=4).map(tuple),
    st.sampled_from(list(ACTIVATIONS)),
    st.sampled_from(list(LOSSES)),
    st.sampled_from([np.float32, np.float64]),
    st.integers(1, 40),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree(sizes, activation, loss, dtype, n, seed):
    X, Y, weights, units, theta, network = case(sizes, activation, loss, dtype, seed, n)
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            out = np.empty_like(Y)
            kernels().perceptron.forward(X, units, theta, network, out)
            cost, gradient = cost_and_gradient(X, Y, weights, units, theta, network, 0.3)
            results.append((out, cost, gradient))
    eps = np.finfo(dtype).eps
    for other in results[1:]:
        for left, right in zip(results[0], other, strict=True):
            # Each level multiplies a rounding error by at most a few units' weights.
            scale = 1 + np.max(np.abs(right))
            np.testing.assert_allclose(left, right, rtol=0, atol=2000 * eps * scale)


@pytest.mark.parametrize("method", ["sgd", "adam"])
@pytest.mark.parametrize("sizes", [(4, 3), (9, 20, 3)])
def test_methods_twins_agree(method, sizes, dtype):
    X, Y, weights, units, theta, network = case(sizes, "tanh", "softmax", dtype, n=23)
    order = np.random.default_rng(3).permutation(23).astype(np.intp)[:21]
    results = [
        run(method, X, Y, weights, units, theta, network, order, 5, name) for name in BACKENDS
    ]
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    for other in results[1:]:
        for left, right in zip(results[0], other, strict=True):
            np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)


BACKENDS = ("c", "numpy", "python")


def run(
    method, X, Y, weights, units, theta, network, order, batch_size, backend="c", calls=1, threads=1
):
    """Return parameters, state and cost after the batches of `order`, in one call or several."""
    parameters, cost = theta.copy(), np.zeros(1)
    state = np.zeros((2, len(theta)), theta.dtype)
    powers, per_call = np.ones(2), -(-len(order) // calls)
    with hmlc.use_backend(backend):
        perceptron = kernels().perceptron
        memory = perceptron._new_memory(network, batch_size, threads, theta.dtype)
        for first in range(0, len(order), per_call):
            batches = (X, Y, weights, units, order[first : first + per_call], batch_size, network)
            if method == "adam":
                rates = np.array([0.01, 0.9, 0.999, 1e-8, 0.02])
                arguments = (*batches, rates, powers, parameters, state, cost)
            else:
                rates = np.array([0.05, 0.9, 0.02])
                arguments = (*batches, rates, parameters, state[0], cost)
            part = functools.partial(getattr(perceptron, method), *arguments)
            run_together(lambda *who, part=part: part(*who, memory), threads)
    return parameters, state, cost


def test_sgd_by_its_definition(backend):
    X, Y, weights, units, theta, network = case((4, 6, 3), "sigmoid", "softmax", np.float64, n=10)
    order = np.arange(10, dtype=np.intp)[::-1].copy()
    parameters, velocity = theta.copy(), np.zeros_like(theta)
    for batch in (order[:4], order[4:8], order[8:]):
        rows = weights[batch].sum()
        _, gradient = cost_and_gradient(
            X[batch], Y[batch], weights[batch], units, parameters, network, l2=0.02 * rows
        )
        velocity = 0.9 * velocity - 0.05 * gradient / rows
        parameters = parameters + velocity
    got, state, _ = run("sgd", X, Y, weights, units, theta, network, order, 4, backend)
    np.testing.assert_allclose(got, parameters, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(state[0], velocity, rtol=1e-11, atol=1e-13)


def test_adam_by_its_definition(backend):
    """Algorithm 1 of Kingma and Ba as printed; its epsilon is 1e-8 sqrt(1 - beta2^t) here."""
    X, Y, weights, units, theta, network = case((4, 6, 3), "sigmoid", "softmax", np.float64, n=10)
    order = np.arange(10, dtype=np.intp)
    parameters, m, v = theta.copy(), np.zeros_like(theta), np.zeros_like(theta)
    for t, batch in enumerate((order[:4], order[4:8], order[8:]), start=1):
        rows = weights[batch].sum()
        _, gradient = cost_and_gradient(
            X[batch], Y[batch], weights[batch], units, parameters, network, l2=0.02 * rows
        )
        g = gradient / rows
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        root = np.sqrt(v / (1 - 0.999**t)) + 1e-8 / np.sqrt(1 - 0.999**t)
        parameters = parameters - 0.01 * m / (1 - 0.9**t) / root
    got, _, _ = run("adam", X, Y, weights, units, theta, network, order, 4, backend)
    np.testing.assert_allclose(got, parameters, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_are_repetition(loss, dtype, backend):
    """The weighted rows' losses and gradients are those of rows repeated, some of them never."""
    X, Y, _, units, theta, network = case((4, 6, 3), "tanh", loss, dtype, n=40)
    times = np.random.default_rng(1).integers(0, 4, 40)
    repeated = (np.repeat(X, times, axis=0), np.repeat(Y, times, axis=0))
    once = np.broadcast_to(dtype(1), times.sum())
    cost, gradient = cost_and_gradient(X, Y, times.astype(dtype), units, theta, network)
    expected = cost_and_gradient(*repeated, once, units, theta, network)
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    assert cost == pytest.approx(expected[0], rel=tolerance)
    np.testing.assert_allclose(gradient, expected[1], rtol=tolerance, atol=40 * tolerance)


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_one_weight_for_all_rows_is_that_of_each(method, dtype, backend):
    X, Y, _, units, theta, network = case((4, 6, 3), "tanh", "softmax", dtype, n=40)
    order = np.arange(40, dtype=np.intp)
    one, each = np.broadcast_to(dtype(0.7), 40), np.full(40, dtype(0.7))
    assert (one.strides, each.strides) == ((0,), (each.itemsize,))
    results = [run(method, X, Y, w, units, theta, network, order, 15, backend) for w in (one, each)]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(*results, strict=True))
    first, second = (cost_and_gradient(X, Y, w, units, theta, network) for w in (one, each))
    assert first[0] == second[0]
    assert first[1].tobytes() == second[1].tobytes()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_a_batch_without_weight_is_no_step(method, threads, dtype, backend):
    X, Y, weights, units, theta, network = case((20, 18, 3), "tanh", "softmax", dtype, n=60)
    order = np.random.default_rng(3).permutation(60).astype(np.intp)
    weights[order[20:40]] = 0
    with_it = run(method, X, Y, weights, units, theta, network, order, 20, backend, 1, threads)
    without = run(
        method, X, Y, weights, units, theta, network, np.delete(order, np.s_[20:40]), 20, backend
    )
    assert all(a.tobytes() == b.tobytes() for a, b in zip(with_it, without, strict=True))


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_calls_leave_no_trace(method, dtype):
    X, Y, weights, units, theta, network = case((20, 18, 3), "relu", "softmax", dtype, n=90)
    order = np.random.default_rng(3).permutation(90).astype(np.intp)
    whole = run(method, X, Y, weights, units, theta, network, order, 10)
    cut = run(method, X, Y, weights, units, theta, network, order, 10, calls=3)
    copied = run(
        method, X[order], Y[order], weights[order], units, theta, network, np.arange(90), 10
    )
    for other in (cut, copied):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(whole, other, strict=True))


@pytest.mark.parametrize("method", ["sgd", "adam"])
@pytest.mark.parametrize("batch_size", [1, 10, 90])
@pytest.mark.parametrize("sizes", [(20, 3), (20, 18, 3), (35, 40, 21, 17)])
def test_threads_leave_no_trace(sizes, batch_size, method, dtype):
    """Also where there are fewer tiles of rows, or blocks of weights, than threads."""
    data = case(sizes, "tanh", "softmax", dtype, n=97)
    order = np.random.default_rng(3).permutation(97).astype(np.intp)
    alone = run(method, *data, order, batch_size, calls=2)
    for threads in (2, 3, 7):
        team = run(method, *data, order, batch_size, calls=2, threads=threads)
        assert all(a.tobytes() == b.tobytes() for a, b in zip(alone, team, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
def test_threads_of_any_backend_agree(backend):
    data = case((4, 6, 3), "relu", "softmax", np.float64, n=12)
    order = np.arange(12, dtype=np.intp)
    alone = run("adam", *data, order, 5, backend)
    team = run("adam", *data, order, 5, backend, threads=3)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(alone, team, strict=True))


def test_blocks_leave_no_trace(dtype):
    X, Y, weights, units, theta, network = case((20, 18, 3), "tanh", "logistic", dtype, n=700)
    whole = cost_and_gradient(X, Y, weights, units, theta, network)
    cost, gradient = np.zeros(1), np.zeros(len(theta))
    for rows in (slice(0, 512), slice(512, 700)):
        kernels().perceptron.loss_and_gradient(
            X[rows], Y[rows], weights[rows], units, theta, network, cost, gradient
        )
    assert whole[0] == cost[0]
    assert whole[1].tobytes() == gradient.tobytes()


@pytest.mark.parametrize("loss", ["softmax", "logistic"])
def test_far_out_outputs_stay_finite(loss, dtype, backend):
    """Weights of 1e4: probabilities 0 and 1, losses of order 1e4, no overflow on the way."""
    X = np.array([[1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype)
    Y = np.array([[1, 0], [1, 0], [0, 1]], dtype)
    units = np.array([[0, 0], [1, 1]], dtype)
    theta = np.array([1e4, 0, 0, 1e4, 0, 0], dtype)
    network = np.array([0, LOSSES[loss], 2, 2], np.intp)
    out = np.empty_like(Y)
    kernels().perceptron.forward(X, units, theta, network, out)
    expected = [[1, 0], [0, 1], [0.5, 0.5]]
    np.testing.assert_allclose(out, expected, atol=1e-30)
    weights = np.broadcast_to(dtype(1), 3)
    cost, gradient = cost_and_gradient(X, Y, weights, units, theta, network)
    assert np.isfinite(gradient).all()
    # By hand: row losses 0, 2e4, log 2; or 0, 1e4 + 1e4, 1e4.
    by_hand = 2e4 + np.log(2) if loss == "softmax" else 3e4
    assert cost == pytest.approx(by_hand, rel=1e-5)


PROGRAM = """
import hashlib, numpy as np
from test_perceptron_kernels import case, cost_and_gradient, run
digest = hashlib.sha256()
for dtype in (np.float32, np.float64):
    for activation in ("relu", "tanh", "sigmoid"):
        for loss in ("squared", "softmax", "logistic"):
            data = case((37, 19, 21, 5), activation, loss, dtype, n=301)
            cost, gradient = cost_and_gradient(*data, 0.5)
            digest.update(np.float64(cost).tobytes() + gradient.tobytes())
            order = np.arange(301, dtype=np.intp)
            for method in ("sgd", "adam"):
                for array in run(method, *data, order, 40):
                    digest.update(array.tobytes())
print(digest.hexdigest())
"""


def digest_under(isa):
    paths = [str(Path(__file__).parent), *filter(None, sys.path), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "HMLC_ISA": isa, "PYTHONPATH": os.pathsep.join(paths)}
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "HMLC_ISA names" in result.stderr:
        pytest.skip(f"this build or processor has no {isa}")
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_vector_width_leaves_no_trace():
    assert digest_under("avx2") == digest_under("avx512")


def test_lengths_are_checked():
    X, Y, weights, units, theta, network = case((4, 6, 3), "relu", "softmax", np.float64, n=5)
    forward = kernels().perceptron.forward
    with pytest.raises(ValueError, match="number of parameters"):
        forward(X, units, theta[:-1].copy(), network, np.empty_like(Y))
    with pytest.raises(ValueError, match="columns of X"):
        forward(X[:, :3].copy(), units, theta, network, np.empty_like(Y))
    with pytest.raises(ValueError, match="without columns"):
        forward(X, units, theta, np.array([0, 1, 4, 0, 3], np.intp), np.empty_like(Y))
    with pytest.raises(ValueError, match="a row that X has not"):
        run("sgd", X, Y, weights, units, theta, network, np.array([0, 5], np.intp), 2)
    for few in (weights[:4].copy(), np.ones(10)[::2]):
        with pytest.raises(ValueError, match="weights"):
            cost_and_gradient(X, Y, few, units, theta, network)
    with pytest.raises(ValueError, match="a row that X has not"):
        run("adam", X, Y, weights[:4].copy(), units, theta, network, np.array([4], np.intp), 2)
    memory = kernels().perceptron._new_memory(network, 2, 1, np.float64)
    order, rates = np.arange(4, dtype=np.intp), np.zeros(3)
    batches = (X, Y, weights, units, order, 2, network, rates, theta, theta.copy(), np.zeros(1))
    with pytest.raises(ValueError, match=r"one of 0 \.\.\. threads - 1"):
        kernels().perceptron.sgd(*batches, 1, 1, memory)
    with pytest.raises(ValueError, match="memory is too small"):
        kernels().perceptron.sgd(*batches, 0, 1, memory[:-1])
    with pytest.raises(ValueError, match="memory is too small"):
        kernels().perceptron.sgd(*batches, 0, 2, memory)


def mostly_zeros(sizes, dtype, n):
    """Return a case whose inputs are mostly 0 in the network's units, two columns all 0."""
    X, Y, weights, units, theta, network = case(sizes, "tanh", "softmax", dtype, n=n)
    X *= np.random.default_rng(5).random(X.shape) < 0.2
    X[:, [0, -1]] = 0
    units[0] = 0
    return X, Y, weights, units, theta, network


@pytest.mark.parametrize("sizes", [(50, 37, 3), (16, 5), (131, 20, 3)])
@pytest.mark.parametrize("has_zeros", [False, True])
def test_answers_are_those_to_rows_one_by_one(has_zeros, sizes, dtype):
    """One row is answered with every input; of many, zeros are left out, or none are copied."""
    X, Y, _, units, theta, network = mostly_zeros(sizes, dtype, 100)
    if not has_zeros:
        X += 1
        units = np.stack([np.zeros(sizes[0]), np.ones(sizes[0])]).astype(dtype)
    together, apart = np.empty_like(Y), np.empty_like(Y)
    with hmlc.use_backend("c"):
        kernels().perceptron.forward(X, units, theta, network, together)
        for i in range(100):
            kernels().perceptron.forward(X[i : i + 1], units, theta, network, apart[i : i + 1])
    assert together.tobytes() == apart.tobytes()


@pytest.mark.parametrize("sizes", [(50, 37, 3), (16, 5), (131, 20, 3)])
def test_gradients_leave_zeros_out(sizes, dtype):
    """After rows that are not 0, and weigh nothing, every row's inputs count."""
    X, Y, weights, units, theta, network = mostly_zeros(sizes, dtype, 100)
    first = np.ones((24, sizes[0]), dtype), Y[:24], np.zeros(24, dtype)
    after = (np.concatenate(pair) for pair in zip(first, (X, Y, weights), strict=True))
    with hmlc.use_backend("c"):
        cost, gradient = cost_and_gradient(X, Y, weights, units, theta, network)
        expected = cost_and_gradient(*after, units, theta, network)
    assert cost == expected[0]
    assert gradient.tobytes() == expected[1].tobytes()


@pytest.mark.parametrize("method", ["sgd", "adam"])
def test_steps_leave_zeros_out(method, dtype):
    X, Y, weights, units, theta, network = mostly_zeros((50, 150, 3), dtype, 100)
    order = np.random.default_rng(3).permutation(100).astype(np.intp)
    arguments = (X, Y, weights, units, theta, network, order, 40)
    one, *teams = (run(method, *arguments, threads=threads) for threads in (1, 2, 3))
    for team in teams:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(one, team, strict=True))
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    for left, right in zip(one, run(method, *arguments, backend="numpy"), strict=True):
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance)
