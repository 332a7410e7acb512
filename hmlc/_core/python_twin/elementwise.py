"""Functions of one number at a time."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def all_finite(x: Array) -> bool:
    """Tell whether every x is a finite number."""
    return all(math.isfinite(value) for value in x.tolist())


def _set_each(function: Callable[[float], float], x: Array, out: Array) -> None:
    out[:] = [function(value) for value in x.tolist()]


def _exp(x: float) -> float:
    return math.inf if x > 709.7 else math.exp(x)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _sigmoid(x: float) -> float:
    t = math.exp(-abs(x))
    return (t if x < 0 else 1.0) / (1.0 + t)


def exponential(x: Array, out: Array) -> None:
    """Set out = exp(x)."""
    _set_each(_exp, x, out)


def hyperbolic_tangent(x: Array, out: Array) -> None:
    """Set out = tanh(x)."""
    _set_each(math.tanh, x, out)


def softplus(x: Array, out: Array) -> None:
    """Set out = log(1 + exp(x))."""
    _set_each(_softplus, x, out)


def sigmoid(x: Array, out: Array) -> None:
    """Set out = 1 / (1 + exp(-x)), from exp(-|x|), which cannot overflow."""
    _set_each(_sigmoid, x, out)


def sigmoid_gradient(x: Array, out: Array) -> None:
    """Set out = g(x) g(-x), g the sigmoid."""
    _set_each(lambda value: _sigmoid(value) * _sigmoid(-value), x, out)
