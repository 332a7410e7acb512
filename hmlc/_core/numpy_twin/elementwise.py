"""Functions of one number at a time."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def all_finite(x: Array) -> bool:
    """Tell whether every x is a finite number."""
    return bool(np.isfinite(x).all())


def exponential(x: Array, out: Array) -> None:
    """Set out = exp(x)."""
    with np.errstate(over="ignore", under="ignore"):
        np.exp(x, out=out)


def hyperbolic_tangent(x: Array, out: Array) -> None:
    """Set out = tanh(x)."""
    np.tanh(x, out=out)


def softplus(x: Array, out: Array) -> None:
    """Set out = log(1 + exp(x))."""
    with np.errstate(under="ignore", invalid="ignore"):
        np.logaddexp(0, x, out=out)


def sigmoid(x: Array, out: Array) -> None:
    """Set out = 1 / (1 + exp(-x)), from exp(-|x|), which cannot overflow."""
    with np.errstate(under="ignore"):
        t = np.exp(-np.abs(x))
        np.divide(np.where(x < 0, t, 1), 1 + t, out=out)


def sigmoid_gradient(x: Array, out: Array) -> None:
    """Set out = g(x) g(-x), g the sigmoid."""
    with np.errstate(under="ignore"):
        t = np.exp(-np.abs(x))
        np.divide(t, (1 + t) ** 2, out=out)
