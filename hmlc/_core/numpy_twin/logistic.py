"""Logistic losses, their gradients and Hessians, scores and softmax."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.floating]
Codes = NDArray[np.uint8] | NDArray[np.int32]
Classes = NDArray[np.intp]
Sums = NDArray[np.float64]


def _design(X: Reals, units: Reals) -> NDArray[Any]:
    """Return X in standard units, and a column of ones."""
    return np.column_stack([(X - units[0]) * units[1], np.ones(len(X), X.dtype)])


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
    A = _design(X, units)
    sign = np.where(codes[:, None] == classes, -1, 1).astype(X.dtype)
    m = sign * (A @ W.T)
    t = np.exp(-np.abs(m))
    loss += (weights[:, None] * np.logaddexp(0, m)).sum(axis=0)
    gradient += (weights[:, None] * sign * np.where(m < 0, t, 1) / (1 + t)).T @ A


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
    A = _design(X, units)
    t = np.exp(-np.abs(A @ W.T))
    for c, curvature in enumerate((weights[:, None] * t / (1 + t) ** 2).T):
        hessian[c] += np.tril(A.T @ (curvature[:, None] * A))


def softmax_loss(
    X: Reals, codes: Codes, weights: Reals, W: Reals, units: Reals, loss: Sums, gradient: Sums
) -> None:
    """Add weight (log(sum(exp(z))) - z_code) over rows."""
    A = _design(X, units)
    log_p = A @ W.T
    log_softmax(log_p)
    rows = np.arange(len(X))
    loss -= (weights * log_p[rows, codes]).sum()
    residual = np.exp(log_p)
    residual[rows, codes] -= 1
    gradient += (weights[:, None] * residual).T @ A


def scores(X: Reals, W: Reals, units: Reals, out: Reals) -> None:
    """Set out = A W'; rows that are not finite show in it, without a warning."""
    with np.errstate(invalid="ignore"):
        out[:] = _design(X, units) @ W.T


def most_probable(Z: Reals, codes: NDArray[np.intp]) -> None:
    """Set codes to the first of each row's largest scores; of one score, whether it is > 0."""
    codes[:] = Z[:, 0] > 0 if Z.shape[1] == 1 else np.argmax(Z, axis=1)


def softmax(Z: Reals) -> None:
    """Replace each row z by exp(z) / sum(exp(z))."""
    np.exp(Z - Z.max(axis=1, keepdims=True, initial=-np.inf), out=Z)
    Z /= Z.sum(axis=1, keepdims=True)


def log_softmax(Z: Reals) -> None:
    """Replace each row z by z - log(sum(exp(z))); the sum leaves the largest out, for digits."""
    rows, at = np.arange(len(Z)), Z.argmax(axis=1)
    Z -= Z[rows, at][:, None]
    e = np.exp(Z)
    e[rows, at] = 0
    Z -= np.log1p(e.sum(axis=1, keepdims=True))
