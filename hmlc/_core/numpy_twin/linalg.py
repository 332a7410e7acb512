"""Small dense algebra."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def dot(a: Array, b: Array) -> float:
    """Return a . b."""
    return float(a @ b)


def _is_pivot(pivot: float, floor: float) -> bool:
    return pivot > 0 and floor < pivot < np.inf


def cholesky(A: Array, tolerance: float, L: Array) -> int:
    """Set A = L L^T; return n, or the first column whose pivot is not above tolerance * A_jj."""
    L[:] = 0
    for j in range(len(A)):
        column = A[j:, j] - L[j:, :j] @ L[j, :j]
        if not _is_pivot(column[0], tolerance * A[j, j]):
            return j
        L[j:, j] = column / np.sqrt(column[0])
    return len(A)


def cholesky_pivoted(A: Array, tolerance: float, L: Array, order: NDArray[np.intp]) -> int:
    """Set A[order][:, order] = L L^T, the largest pivot first; return the rank."""
    L[:] = 0
    order[:] = np.arange(len(A))
    left = A.diagonal().copy()
    floor = tolerance * max(left.max(initial=0), 0)
    for j in range(len(A)):
        best = j + int(np.argmax(left[j:]))
        if not _is_pivot(left[best], floor):
            return j
        for swapped in (order, left, L):
            swapped[[j, best]] = swapped[[best, j]]
        L[j, j] = np.sqrt(left[j])
        L[j + 1 :, j] = (A[order[j + 1 :], order[j]] - L[j + 1 :, :j] @ L[j, :j]) / L[j, j]
        left[j + 1 :] -= L[j + 1 :, j] ** 2
    return len(A)


def cholesky_solve(L: Array, B: Array) -> None:
    """Solve L L^T x = b for every row b of B, in place."""
    B[:] = np.linalg.solve(L.T, np.linalg.solve(L, B.T)).T


def quadratic(A: Array, B: Array, X: Array, gradient: Array) -> float:
    """Return the sum over rows of x . A x / 2 - b . x; set gradient = X A - B."""
    gradient[:] = X @ A - B
    return float(np.sum(X * (gradient - B))) / 2


def affine(X: Array, W: Array, b: Array, out: Array) -> None:
    """Set out = X W^T + b; rows that are not finite show in it, without a warning."""
    with np.errstate(invalid="ignore"):
        np.matmul(X, W.T, out=out)
        out += b
