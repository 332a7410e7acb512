"""Multilayer perceptrons: forward, loss, backward, and the steps of the mini-batch methods."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hmlc._core.numpy_twin import elementwise

Array = NDArray[np.floating]

RELU, TANH, SIGMOID = range(3)
SQUARED, SOFTMAX, LOGISTIC = range(3)


def _layers(parameters: Array, network: NDArray[np.intp]) -> list[Array]:
    """Return views of the layers' matrices, (size + 1, next size); the last row is the bias."""
    layers, start = [], 0
    for rows, columns in zip(network[2:-1] + 1, network[3:], strict=True):
        layers.append(parameters[start : start + rows * columns].reshape(rows, columns))
        start += rows * columns
    return layers


def _sigmoid(z: Array) -> Array:
    out = np.empty_like(z)
    elementwise.sigmoid(z, out)
    return out


def _activate(activation: int, z: Array) -> Array:
    if activation == RELU:
        return np.maximum(z, 0)
    return np.tanh(z) if activation == TANH else _sigmoid(z)


def _slope(activation: int, a: Array) -> Array:
    if activation == RELU:
        return (a > 0).astype(a.dtype)
    return 1 - a * a if activation == TANH else a * (1 - a)


def _values(X: Array, units: Array, layers: list[Array], activation: int) -> list[Array]:
    """Return the values of every level: the input in the network's units, ..., the outputs."""
    values = [(X - units[0]) * units[1]]
    for layer in layers:
        if len(values) > 1:
            values[-1] = _activate(activation, values[-1])
        values.append(values[-1] @ layer[:-1] + layer[-1])
    return values


def _softmax(z: Array) -> Array:
    e: Array = np.exp(z - np.max(z, axis=1, keepdims=True))
    e /= np.sum(e, axis=1, keepdims=True)
    return e


def _losses(loss: int, z: Array, Y: Array) -> tuple[Array, Array]:
    """Return the rows' losses, and their gradients by the outputs z."""
    if loss == SQUARED:
        return np.sum((z - Y) ** 2, axis=1) / 2, z - Y
    if loss == SOFTMAX:
        high = np.max(z, axis=1, keepdims=True)
        log_total = np.log(np.sum(np.exp(z - high), axis=1, keepdims=True))
        return np.sum(Y * (high - z + log_total), axis=1), _softmax(z) - Y
    wrong = np.where(Y > 0.5, -z, z)
    error = _sigmoid(wrong)
    return np.sum(np.logaddexp(0, wrong), axis=1), np.where(Y > 0.5, -error, error)


def _gradients(
    X: Array,
    Y: Array,
    weights: Array,
    units: Array,
    layers: list[Array],
    network: NDArray[np.intp],
) -> tuple[float, list[Array]]:
    """Return the weighted sum of the rows' losses, and its gradient by every layer's matrix."""
    values = _values(X, units, layers, network[0])
    losses, delta = _losses(network[1], values[-1], Y)
    delta = weights[:, np.newaxis] * delta
    gradients = []
    for level in range(len(layers) - 1, -1, -1):
        gradients.append(np.vstack([values[level].T @ delta, np.sum(delta, axis=0)]))
        if level > 0:
            delta = delta @ layers[level][:-1].T * _slope(network[0], values[level])
    return float(np.sum(weights * losses, dtype=np.float64)), gradients[::-1]


def forward(
    X: Array, units: Array, parameters: Array, network: NDArray[np.intp], out: Array
) -> None:
    """Set out to the outputs, their softmax, or their sigmoids brought to sum 1.

    It is NaN for rows that are not finite.
    """
    is_finite = np.isfinite(X).all(axis=1, keepdims=True)
    z = _values(np.where(is_finite, X, 0), units, _layers(parameters, network), network[0])[-1]
    if network[1] == SOFTMAX:
        z = _softmax(z)
    elif network[1] == LOGISTIC:
        p = _sigmoid(z)
        total = np.sum(p, axis=1, keepdims=True)
        z = np.where(total > 0, p / np.where(total > 0, total, 1), 1 / p.shape[1])
    out[:] = np.where(is_finite, z, np.nan)


def loss_and_gradient(
    X: Array,
    Y: Array,
    weights: Array,
    units: Array,
    parameters: Array,
    network: NDArray[np.intp],
    cost: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> None:
    """Add the rows' weighted losses to cost and their gradients by the parameters to gradient."""
    loss, gradients = _gradients(X, Y, weights, units, _layers(parameters, network), network)
    cost[0] += loss
    gradient += np.concatenate([g.reshape(-1) for g in gradients])


def penalty(
    parameters: Array,
    network: NDArray[np.intp],
    l2: float,
    cost: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> None:
    """Add l2 / 2 sum w^2 to cost and l2 w to gradient, over the weights and not the biases."""
    layers = zip(_layers(parameters, network), _layers(gradient, network), strict=True)
    for layer, layer_gradient in layers:
        cost[0] += l2 / 2 * float(np.sum(layer[:-1] ** 2))
        layer_gradient[:-1] += l2 * layer[:-1]


def _mean_gradient(
    X: Array,
    Y: Array,
    weights: Array,
    units: Array,
    network: NDArray[np.intp],
    decay: float,
    parameters: Array,
    cost: NDArray[np.float64],
) -> Array:
    """Return a batch's mean gradient plus decay * parameters; add its losses to cost."""
    layers = _layers(parameters, network)
    loss, gradients = _gradients(X, Y, weights, units, layers, network)
    cost[0] += loss
    for gradient, layer in zip(gradients, layers, strict=True):
        gradient /= np.sum(weights, dtype=np.float64)
        gradient[:-1] += parameters.dtype.type(decay) * layer[:-1]
    return np.concatenate([g.reshape(-1) for g in gradients])


def _new_memory(
    network: NDArray[np.intp], batch_size: int, threads: int, dtype: DTypeLike
) -> NDArray[np.uint8]:
    """Return what threads share in a call of sgd or adam: nothing, for thread 0 does it all."""
    return np.zeros(0, np.uint8)


def sgd(
    X: Array,
    Y: Array,
    weights: Array,
    units: Array,
    order: NDArray[np.intp],
    batch_size: int,
    network: NDArray[np.intp],
    rates: NDArray[np.float64],
    parameters: Array,
    velocity: Array,
    cost: NDArray[np.float64],
    thread: int,
    threads: int,
    memory: NDArray[np.uint8],
) -> None:
    """Stochastic gradient descent with momentum over the rows in order, a batch at a time."""
    if thread > 0:
        return
    rate, momentum, decay = rates.tolist()
    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        if not weights[batch].any():
            continue
        rows = X[batch], Y[batch], weights[batch]
        g = _mean_gradient(*rows, units, network, decay, parameters, cost)
        velocity *= momentum
        velocity -= rate * g
        parameters += velocity


def adam(
    X: Array,
    Y: Array,
    weights: Array,
    units: Array,
    order: NDArray[np.intp],
    batch_size: int,
    network: NDArray[np.intp],
    rates: NDArray[np.float64],
    powers: NDArray[np.float64],
    parameters: Array,
    moments: Array,
    cost: NDArray[np.float64],
    thread: int,
    threads: int,
    memory: NDArray[np.uint8],
) -> None:
    """Adam (Kingma and Ba 2015) over the rows in order, a batch at a time."""
    if thread > 0:
        return
    rate, beta1, beta2, epsilon, decay = rates.tolist()
    first_moment, second_moment = moments
    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        if not weights[batch].any():
            continue
        rows = X[batch], Y[batch], weights[batch]
        g = _mean_gradient(*rows, units, network, decay, parameters, cost)
        powers *= [beta1, beta2]
        first_moment += (1 - beta1) * (g - first_moment)
        second_moment += (1 - beta2) * (g * g - second_moment)
        scale = float(rate * np.sqrt(1 - powers[1]) / (1 - powers[0]))
        parameters -= scale * first_moment / (np.sqrt(second_moment) + epsilon)
