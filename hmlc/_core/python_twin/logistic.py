"""Logistic losses, their gradients and Hessians, scores and softmax."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.floating]
Codes = NDArray[np.uint8] | NDArray[np.int32]
Classes = NDArray[np.intp]
Sums = NDArray[np.float64]


def _design(X: Reals, units: Reals) -> list[list[float]]:
    """Return X's rows in standard units, each with a 1 at its end."""
    shift, inverse_scale = units.tolist()
    return [
        [(x - m) * s for x, m, s in zip(row, shift, inverse_scale, strict=True)] + [1.0]
        for row in X.tolist()
    ]


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += x * y
    return total


def sigmoid_loss(
    X: Reals,
    codes: Codes,
    weights: Reals,
    classes: Classes,
    W: Reals,
    units: Reals,
    loss: Sums,
    gradient: Sums,
) -> None:
    """Add every column's weighted log(1 + exp(m)), m = -z in its class's rows and z in others."""
    labels, columns = classes.tolist(), W.tolist()
    for a, code, weight in zip(_design(X, units), codes.tolist(), weights.tolist(), strict=True):
        for c, w in enumerate(columns):
            sign = -1.0 if code == labels[c] else 1.0
            m = sign * _dot(a, w)
            t = math.exp(-abs(m))
            loss[c] += weight * (max(m, 0.0) + math.log1p(t))
            residual = weight * sign * (t if m < 0 else 1.0) / (1.0 + t)
            for j, x in enumerate(a):
                gradient[c, j] += residual * x


def sigmoid_loss_hessian(
    X: Reals,
    codes: Codes,
    weights: Reals,
    classes: Classes,
    W: Reals,
    units: Reals,
    loss: Sums,
    gradient: Sums,
    hessian: Sums,
) -> None:
    """Add losses and gradients, and the lower triangles of A' diag(weight p (1 - p)) A."""
    sigmoid_loss(X, codes, weights, classes, W, units, loss, gradient)
    columns = W.tolist()
    for a, weight in zip(_design(X, units), weights.tolist(), strict=True):
        for c, w in enumerate(columns):
            t = math.exp(-abs(_dot(a, w)))
            curvature = weight * t / (1.0 + t) ** 2
            for i, x in enumerate(a):
                for j in range(i + 1):
                    hessian[c, i, j] += curvature * x * a[j]


def softmax_loss(
    X: Reals, codes: Codes, weights: Reals, W: Reals, units: Reals, loss: Sums, gradient: Sums
) -> None:
    """Add weight (log(sum(exp(z))) - z_code) over rows."""
    columns = W.tolist()
    for a, code, weight in zip(_design(X, units), codes.tolist(), weights.tolist(), strict=True):
        log_p = _log_softmax([_dot(a, w) for w in columns])
        loss[0] -= weight * log_p[code]
        for c, value in enumerate(log_p):
            residual = weight * (math.exp(value) - (1.0 if c == code else 0.0))
            for j, x in enumerate(a):
                gradient[c, j] += residual * x


def scores(X: Reals, W: Reals, units: Reals, out: Reals) -> None:
    """Set out = A W'."""
    weights = W.tolist()
    for i, a in enumerate(_design(X, units)):
        out[i] = [_dot(a, w) for w in weights]


def _log_softmax(z: list[float]) -> list[float]:
    """Return z - log(sum(exp(z))), the largest left out of the sum for its digits."""
    at = z.index(max(z))
    others = 0.0
    for c, value in enumerate(z):
        if c != at:
            others += math.exp(value - z[at])
    return [(value - z[at]) - math.log1p(others) for value in z]


def most_probable(Z: Reals, codes: NDArray[np.intp]) -> None:
    """Set codes to the first of each row's largest scores; of one score, whether it is > 0."""
    for r, row in enumerate(Z.tolist()):
        codes[r] = row.index(max(row)) if len(row) > 1 else row[0] > 0


def softmax(Z: Reals) -> None:
    """Replace each row z by exp(z) / sum(exp(z))."""
    for i, z in enumerate(Z.tolist()):
        Z[i] = [math.exp(value) for value in _log_softmax(z)]


def log_softmax(Z: Reals) -> None:
    """Replace each row z by z - log(sum(exp(z)))."""
    for i, z in enumerate(Z.tolist()):
        Z[i] = _log_softmax(z)
