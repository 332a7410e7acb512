"""Small dense algebra on parameters: inner products and linear systems, by kernels alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc._backend import kernels

Array = NDArray[np.float64]


def dot(a: Array, b: Array) -> float:
    """Return the inner product of two float64 vectors."""
    return float(kernels().linalg.dot(a, b))


def product(A: Array, B: Array) -> Array:
    """Return A B^T of two float64 matrices."""
    out = np.empty((len(A), len(B)))
    rows = np.ascontiguousarray(A), np.ascontiguousarray(B)
    kernels().linalg.affine(*rows, np.zeros(len(B)), out)
    return out


def _rows(B: Any) -> Array:
    """Return a copy of B, one right-hand side a row."""
    return np.array(B, np.float64, order="C", ndmin=2)


def default_tolerance(n: int) -> float:
    """Return what rounding leaves of a pivot that should be 0, relative to its diagonal.

    Higham, Accuracy and Stability of Numerical Algorithms (2002), section 10.3: n times the unit
    roundoff.
    """
    return n * float(np.finfo(np.float64).eps)


def solve_positive(A: Array, B: Array, tolerance: float | None = None) -> Array | None:
    """Solve A x = b for a symmetric positive definite A, by Cholesky.

    Parameters
    ----------
    A : float64 array of shape (n, n)
        Its lower triangle is read.
    B : array of shape (n,) or (k, n)
        One right-hand side, or one in each row.
    tolerance : float, optional
        A pivot is taken for 0 at or below this times A's diagonal element; n eps where None.

    Returns
    -------
    array of B's shape, or None where A is not numerically positive definite or not finite.
    """
    L = factor_positive(A, tolerance)
    return None if L is None else solve_factored(L, B)


def factor_positive(A: Array, tolerance: float | None = None) -> Array | None:
    """Return A's Cholesky factor L, A = L L^T; None, and the parameters, as in `solve_positive`."""
    n = len(A)
    L = np.empty((n, n))
    limit = default_tolerance(n) if tolerance is None else tolerance
    rank = kernels().linalg.cholesky(np.ascontiguousarray(A), limit, L)
    return L if rank == n else None


def solve_factored(L: Array, B: Array) -> Array:
    """Solve L L^T x = b for a right-hand side b, or one in each row of B."""
    solution = _rows(B)
    kernels().linalg.cholesky_solve(L, solution)
    return solution.reshape(np.shape(B))


def solve_semidefinite(A: Array, B: Array, tolerance: float | None = None) -> Array:
    """Return the smallest x that solves A x = b, A symmetric positive semidefinite.

    Parameters are `solve_positive`'s; the tolerance is relative to A's largest diagonal element.
    A pivoted Cholesky factor finds the rank r and a basis of the null space,
    N = [-T, I] with T = A21 A11^-1; a solution that uses r columns alone then loses its part in
    that space. Equal columns share: they get equal coefficients. Where b is not in A's range, as
    rounding leaves it, only r of the equations hold.
    """
    linalg, n = kernels().linalg, len(A)
    L, order = np.empty((n, n)), np.empty(n, np.intp)
    limit = default_tolerance(n) if tolerance is None else tolerance
    rank = linalg.cholesky_pivoted(np.ascontiguousarray(A), limit, L, order)
    used, unused = order[:rank], order[rank:]
    factor = np.ascontiguousarray(L[:rank, :rank])
    right = _rows(B)
    X1 = np.ascontiguousarray(right[:, used])
    T = np.ascontiguousarray(A[np.ix_(unused, used)])
    linalg.cholesky_solve(factor, X1)
    linalg.cholesky_solve(factor, T)
    # x = (x1, 0) - N^T (N N^T)^-1 N (x1, 0) = (x1 - T^T c, c), (T T^T + I) c = T x1.
    C = solve_positive(product(T, T) + np.eye(n - rank), product(X1, T))
    solution = np.empty_like(right)
    if C is None:
        C = np.zeros((len(right), n - rank))
    solution[:, used] = X1 - product(C, T.T)
    solution[:, unused] = C
    return solution.reshape(np.shape(B))
