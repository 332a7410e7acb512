"""Multilayer perceptrons: forward, loss, backward, and the steps of the mini-batch methods."""

import itertools
import math

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hmlc._core.python_twin.elementwise import _sigmoid, _softplus

Array = NDArray[np.floating]
Row = list[float]
Matrix = list[Row]

RELU, TANH, SIGMOID = range(3)
SQUARED, SOFTMAX, LOGISTIC = range(3)


def _layers(parameters: Array, network: NDArray[np.intp]) -> list[Matrix]:
    """Return the layers' matrices, (size + 1) x next size; the last row is the bias."""
    flat, sizes = parameters.tolist(), network[2:].tolist()
    layers, start = [], 0
    for n_inputs, n_outputs in itertools.pairwise(sizes):
        stop = start + (n_inputs + 1) * n_outputs
        layers.append([flat[row : row + n_outputs] for row in range(start, stop, n_outputs)])
        start = stop
    return layers


def _flat(layers: list[Matrix]) -> Row:
    return [value for layer in layers for row in layer for value in row]


def _activate(activation: int, z: float) -> float:
    if activation == RELU:
        return max(z, 0.0)
    return math.tanh(z) if activation == TANH else _sigmoid(z)


def _slope(activation: int, a: float) -> float:
    if activation == RELU:
        return 1.0 if a > 0 else 0.0
    return 1.0 - a * a if activation == TANH else a * (1.0 - a)


def _values(x: Row, units: Matrix, layers: list[Matrix], activation: int) -> Matrix:
    """Return a row's values at every level: the input in the network's units, ..., the outputs."""
    values = [[(v - m) * s for v, m, s in zip(x, *units, strict=True)]]
    for level, layer in enumerate(layers):
        z = list(layer[-1])
        for a, weights in zip(values[-1], layer[:-1], strict=True):
            for j, weight in enumerate(weights):
                z[j] += a * weight
        is_last = level == len(layers) - 1
        values.append(z if is_last else [_activate(activation, v) for v in z])
    return values


def _softmax(z: Row) -> tuple[Row, float]:
    """Return softmax(z), and log sum exp(z - max z)."""
    high = max(z)
    e = [math.exp(v - high) for v in z]
    total = sum(e)
    return [v / total for v in e], math.log(total)


def _loss(loss: int, z: Row, y: Row) -> tuple[float, Row]:
    """Return a row's loss, and its gradient by the outputs z."""
    if loss == SQUARED:
        delta = [v - t for v, t in zip(z, y, strict=True)]
        return sum(e * e for e in delta) / 2, delta
    if loss == SOFTMAX:
        shares, log_total = _softmax(z)
        high = max(z)
        total = sum(t * (high - v + log_total) for v, t in zip(z, y, strict=True))
        return total, [p - t for p, t in zip(shares, y, strict=True)]
    total, delta = 0.0, []
    for v, t in zip(z, y, strict=True):
        wrong = -v if t > 0.5 else v
        total += _softplus(wrong)
        delta.append(-_sigmoid(wrong) if t > 0.5 else _sigmoid(wrong))
    return total, delta


def _add_gradient(
    x: Row,
    y: Row,
    weight: float,
    units: Matrix,
    layers: list[Matrix],
    network: Row,
    gradients: list[Matrix],
) -> float:
    """Add a row's weighted gradients by the layers' matrices to gradients; return its loss."""
    values = _values(x, units, layers, int(network[0]))
    loss, delta = _loss(int(network[1]), values[-1], y)
    delta = [weight * e for e in delta]
    for level in range(len(layers) - 1, -1, -1):
        for a, row in zip([*values[level], 1.0], gradients[level], strict=True):
            for j, e in enumerate(delta):
                row[j] += a * e
        if level > 0:
            delta = [
                sum(e * w for e, w in zip(delta, weights, strict=True)) * _slope(int(network[0]), a)
                for weights, a in zip(layers[level][:-1], values[level], strict=True)
            ]
    return weight * loss


def forward(
    X: Array, units: Array, parameters: Array, network: NDArray[np.intp], out: Array
) -> None:
    """Set out to the outputs, their softmax, or their sigmoids brought to sum 1.

    It is NaN for rows that are not finite.
    """
    layers, two_units = _layers(parameters, network), units.tolist()
    for i, x in enumerate(X.tolist()):
        if not all(map(math.isfinite, x)):
            out[i] = math.nan
            continue
        z = _values(x, two_units, layers, network[0])[-1]
        if network[1] == SOFTMAX:
            z = _softmax(z)[0]
        elif network[1] == LOGISTIC:
            p = [_sigmoid(v) for v in z]
            z = [v / sum(p) if sum(p) > 0 else 1 / len(p) for v in p]
        out[i] = z


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
    layers, gradients = _layers(parameters, network), _layers(gradient, network)
    codes, two_units = network.tolist(), units.tolist()
    for x, y, weight in zip(X.tolist(), Y.tolist(), weights.tolist(), strict=True):
        cost[0] += _add_gradient(x, y, weight, two_units, layers, codes, gradients)
    gradient[:] = _flat(gradients)


def penalty(
    parameters: Array,
    network: NDArray[np.intp],
    l2: float,
    cost: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> None:
    """Add l2 / 2 sum w^2 to cost and l2 w to gradient, over the weights and not the biases."""
    gradients = _layers(gradient, network)
    for layer, layer_gradient in zip(_layers(parameters, network), gradients, strict=True):
        for weights, row in zip(layer[:-1], layer_gradient[:-1], strict=True):
            for j, weight in enumerate(weights):
                cost[0] += l2 / 2 * weight * weight
                row[j] += l2 * weight
    gradient[:] = _flat(gradients)


def _mean_gradient(
    X: Array,
    Y: Array,
    weights: Array,
    units: Array,
    network: NDArray[np.intp],
    decay: float,
    parameters: Array,
    cost: NDArray[np.float64],
) -> Row:
    """Return a batch's mean gradient plus decay * parameters; add its losses to cost."""
    total, penalty_cost, rows = np.zeros(len(parameters)), np.zeros(1), sum(weights.tolist())
    loss_and_gradient(X, Y, weights, units, parameters, network, cost, total)
    penalty(parameters, network, decay * rows, penalty_cost, total)
    return [g / rows for g in total.tolist()]


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
        gradient = _mean_gradient(*rows, units, network, decay, parameters, cost)
        for i, g in enumerate(gradient):
            velocity[i] = momentum * float(velocity[i]) - rate * g
            parameters[i] += velocity[i]


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
    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        if not weights[batch].any():
            continue
        rows = X[batch], Y[batch], weights[batch]
        gradient = _mean_gradient(*rows, units, network, decay, parameters, cost)
        powers[0] *= beta1
        powers[1] *= beta2
        scale = rate * math.sqrt(1 - float(powers[1])) / (1 - float(powers[0]))
        for i, g in enumerate(gradient):
            m, v = float(moments[0, i]), float(moments[1, i])
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g * g - v)
            moments[0, i], moments[1, i] = m, v
            parameters[i] -= scale * m / (math.sqrt(v) + epsilon)
