"""Perceptrons: five epochs of Adam in batches, and gradient descent on all rows."""

import itertools
import math
from functools import partial
from typing import Any

import numpy as np

from benchmarks.row import Contender, Data, Row, Run, Work, both
from benchmarks.rows._pixels import pixels

EPOCHS, BATCH, RATE = 5, 200, 1e-3
STEPS, STEP_LENGTH = 50, 1.0

Layers = list[tuple[Any, Any]]
"""Weights (inputs, outputs) and biases of each layer: the form of an answer."""


def make(n: int, *, sizes: tuple[int, ...]) -> Data:
    return pixels(n, sizes=np.array(sizes))


def start(sizes: Any, dtype: Any, seed: int, gain: float) -> Layers:
    rng = np.random.default_rng(seed)
    return [
        (
            rng.uniform(-1, 1, (a, b)).astype(dtype) * dtype.type(math.sqrt(gain / (a + b))),
            np.zeros(b, dtype),
        )
        for a, b in itertools.pairwise(sizes.tolist())
    ]


def softmax(scores: Any) -> Any:
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def sigmoid(scores: Any) -> Any:
    return 1 / (1 + np.exp(-scores))


def forward(X: Any, layers: Layers, activation: Any) -> list[Any]:
    """Return each level's numbers, those of the last as scores."""
    levels = [X]
    for W, b in layers[:-1]:
        levels.append(activation(levels[-1] @ W + b))
    W, b = layers[-1]
    return [*levels, levels[-1] @ W + b]


def rectify(scores: Any) -> Any:
    return np.maximum(scores, 0, out=scores)


# ---- Adam


def numpy_adam(data: Data, seed: int = 0) -> Layers:
    """Train rectified layers under a softmax: Kingma and Ba (2015), algorithm 1."""
    X, y = data.X, data.y
    real = X.dtype.type
    layers = start(data.sizes, X.dtype, seed, 12)
    flat = [part for layer in layers for part in layer]
    first, second = ([np.zeros_like(part) for part in flat] for _ in range(2))
    rng, step = np.random.default_rng(seed), 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(X))
        for begin in range(0, len(X), BATCH):
            rows = order[begin : begin + BATCH]
            levels = forward(X[rows], layers, rectify)
            delta = softmax(levels[-1])
            delta[np.arange(len(rows)), y[rows]] -= 1
            delta /= len(rows)
            gradients = []
            for level in range(len(layers) - 1, -1, -1):
                gradients[:0] = [levels[level].T @ delta, delta.sum(axis=0)]
                if level:
                    delta = (delta @ layers[level][0].T) * (levels[level] > 0)
            step += 1
            rate = real(RATE * math.sqrt(1 - 0.999**step) / (1 - 0.9**step))
            for part, m, v, g in zip(flat, first, second, gradients, strict=True):
                m *= real(0.9)
                m += real(0.1) * g
                v *= real(0.999)
                np.multiply(g, g, out=g)
                g *= real(0.001)
                v += g
                np.sqrt(v, out=g)
                g += real(1e-8)
                np.divide(m, g, out=g)
                g *= rate
                part -= g
    return layers


def error_rate(data: Data, layers: Layers) -> float:
    layers = [(W.astype(np.float64), b.astype(np.float64)) for W, b in layers]
    scores = forward(data.X.astype(np.float64), layers, rectify)[-1]
    return float(np.mean(scores.argmax(axis=1) != data.y))


def typical_error(data: Data) -> dict[str, Any]:
    errors = [error_rate(data, numpy_adam(data, seed)) for seed in (1, 2, 3)]
    return {"error": np.mean(errors)}


def more_errors(data: Data, reference: Data, layers: Any) -> float:
    return error_rate(data, layers) / float(reference.error) - 1


def layers_of(fit: Any) -> Layers:
    return list(zip(fit.coefs_, fit.intercepts_, strict=True))


def hmlc_adam(data: Data) -> Run:
    import hmlc

    model = hmlc.MLPClassifier(
        hidden_layer_sizes=tuple(data.sizes[1:-1].tolist()), batch_size=BATCH, max_iter=EPOCHS,
        learning_rate=RATE, l2=0, tol=0, normalize=False, random_state=0,
    )  # fmt: skip
    return Run(lambda: model.fit(data.X, data.y), layers_of)


def sklearn_adam(data: Data) -> Run:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        tuple(data.sizes[1:-1].tolist()), batch_size=BATCH, max_iter=EPOCHS,
        learning_rate_init=RATE, alpha=0, tol=0, random_state=0,
    )  # fmt: skip
    return Run(lambda: model.fit(data.X, data.y), layers_of)


def torch_network(data: Data, activation: Any) -> Any:
    import torch

    torch.manual_seed(0)
    levels: list[Any] = []
    for a, b in itertools.pairwise(data.sizes.tolist()):
        levels += [torch.nn.Linear(a, b), activation()]
        torch.nn.init.xavier_uniform_(levels[-2].weight)
    dtype = torch.from_numpy(data.X[:1]).dtype
    return torch.nn.Sequential(*levels[:-1]).to(dtype)


def torch_layers(network: Any) -> Layers:
    parts = [part.detach().numpy() for part in network.parameters()]
    return [(W.T, b) for W, b in zip(parts[::2], parts[1::2], strict=True)]


def torch_adam(data: Data) -> Run:
    import torch

    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)
    loss = torch.nn.functional.cross_entropy

    def call() -> Any:
        network = torch_network(data, torch.nn.ReLU)
        optimiser = torch.optim.Adam(network.parameters(), lr=RATE, fused=True)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(X)).split(BATCH):
                optimiser.zero_grad()
                loss(network(X[rows]), y[rows]).backward()
                optimiser.step()
        return network

    return Run(call, torch_layers)


# ---- all rows at once, sigmoids throughout: the original project's job


def numpy_descent(data: Data, seed: int = 0) -> Layers:
    X, Y = data.X, np.eye(10, dtype=data.X.dtype)[data.y]
    (W, b), (V, c) = layers = start(data.sizes, X.dtype, seed, 6)
    length = X.dtype.type(STEP_LENGTH / len(X))
    for _ in range(STEPS):
        _, hidden, scores = forward(X, layers, sigmoid)
        outer = sigmoid(scores) - Y
        inner = (outer @ V.T) * hidden * (1 - hidden)
        for part, gradient in (
            (V, hidden.T @ outer), (c, outer.sum(axis=0)),
            (W, X.T @ inner), (b, inner.sum(axis=0)),
        ):  # fmt: skip
            part -= length * gradient
    return layers


def sigmoid_cost(data: Data, layers: Layers) -> float:
    layers = [(W.astype(np.float64), b.astype(np.float64)) for W, b in layers]
    scores = forward(data.X.astype(np.float64), layers, sigmoid)[-1]
    losses = np.maximum(scores, 0) + np.log1p(np.exp(-np.abs(scores)))
    return float(losses.sum() - scores[np.arange(len(scores)), data.y].sum()) / len(scores)


def typical_cost(data: Data) -> dict[str, Any]:
    return {"cost": sigmoid_cost(data, numpy_descent(data, seed=1))}


def excess(data: Data, reference: Data, layers: Any) -> float:
    return sigmoid_cost(data, layers) / float(reference.cost) - 1


def hmlc_descent(data: Data) -> Run:
    import hmlc

    model = hmlc.MLPClassifier(
        hidden_layer_sizes=(25,), activation="sigmoid", loss="logistic", solver="gradient_descent",
        learning_rate=STEP_LENGTH, max_iter=STEPS, l2=0, tol=0, normalize=False, random_state=0,
    )  # fmt: skip
    return Run(lambda: model.fit(data.X, data.y), layers_of, lambda fit: fit.n_iter_ + 1)


def torch_descent(data: Data) -> Run:
    import torch

    X = torch.from_numpy(data.X)
    Y = torch.nn.functional.one_hot(torch.from_numpy(data.y)).to(X.dtype)
    loss = torch.nn.functional.binary_cross_entropy_with_logits

    def call() -> Any:
        network = torch_network(data, torch.nn.Sigmoid)
        optimiser = torch.optim.SGD(network.parameters(), lr=STEP_LENGTH)
        for _ in range(STEPS):
            optimiser.zero_grad()
            (loss(network(X), Y, reduction="sum") / len(X)).backward()
            optimiser.step()
        return network

    return Run(call, torch_layers)


def training_work(data: Data, *, epochs: int) -> Work:
    """Forward, back, and the weights' gradient; the first layer passes nothing back."""
    n, shapes = len(data.X), list(itertools.pairwise(data.sizes.tolist()))
    flops = sum(6 * a * b for a, b in shapes) - 2 * shapes[0][0] * shapes[0][1]
    return Work(flops=float(epochs * n * flops), read=epochs * data.X.size)


ADAM = (
    Contender("hmlc", hmlc_adam),
    Contender("numpy", lambda data: Run(lambda: numpy_adam(data), lambda layers: layers)),
    Contender("torch", torch_adam, "fused Adam"),
    Contender("sklearn", sklearn_adam),
)
DESCENT = (
    Contender("hmlc", hmlc_descent),
    Contender("numpy", lambda data: Run(lambda: numpy_descent(data), lambda layers: layers)),
    Contender("torch", torch_descent),
)
ROWS = [
    *(
        Row(
            module=__name__,
            name=f"perceptron {'-'.join(map(str, sizes))}, {EPOCHS} epochs of Adam",
            goal=goal,
            n_rows=60_000,
            make=partial(make, sizes=sizes),
            reference=typical_error,
            measure="excess of errors over the usual",
            quality=more_errors,
            limit=both(0.3),
            contenders=ADAM,
            work=partial(training_work, epochs=EPOCHS),
            dtypes=("float32",),
        )
        for sizes, goal in (((784, 100, 10), 2.5), ((784, 25, 10), 3), ((784, 512, 256, 10), 1.7))
    ),
    Row(
        module=__name__,
        name=f"perceptron 784-25-10, sigmoid, {STEPS} steps on 8,000 rows",
        goal=2.5,
        n_rows=8_000,
        make=partial(make, sizes=(784, 25, 10)),
        reference=typical_cost,
        measure="excess of the cost over the usual",
        quality=excess,
        limit=both(0.05),
        contenders=DESCENT,
        work=partial(training_work, epochs=1),
    ),
]
