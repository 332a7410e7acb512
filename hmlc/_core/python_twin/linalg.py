"""Small dense algebra."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def _dot(a: list[float], b: list[float], n: int) -> float:
    total = 0.0
    for p in range(n):
        total += a[p] * b[p]
    return total


def dot(a: Array, b: Array) -> float:
    """Return a . b."""
    return _dot(a.tolist(), b.tolist(), len(a))


def _is_pivot(pivot: float, floor: float) -> bool:
    return pivot > 0 and floor < pivot < math.inf


def cholesky(A: Array, tolerance: float, L: Array) -> int:
    """Set A = L L^T; return n, or the first column whose pivot is not above tolerance * A_jj."""
    rows = A.tolist()
    n = len(rows)
    factor = [[0.0] * n for _ in range(n)]
    for j in range(n):
        pivot = rows[j][j] - _dot(factor[j], factor[j], j)
        if not _is_pivot(pivot, tolerance * rows[j][j]):
            return j
        factor[j][j] = math.sqrt(pivot)
        for i in range(j + 1, n):
            factor[i][j] = (rows[i][j] - _dot(factor[i], factor[j], j)) / factor[j][j]
    L[:] = factor
    return n


def cholesky_pivoted(A: Array, tolerance: float, L: Array, order: NDArray[np.intp]) -> int:
    """Set A[order][:, order] = L L^T, the largest pivot first; return the rank."""
    rows = A.tolist()
    n = len(rows)
    factor = [[0.0] * n for _ in range(n)]
    chosen = list(range(n))
    left = [rows[i][i] for i in range(n)]
    floor = tolerance * max([0.0, *left])
    rank = 0
    while rank < n:
        j = rank
        best = j
        for i in range(j + 1, n):
            best = i if left[i] > left[best] else best
        if not _is_pivot(left[best], floor):
            break
        chosen[j], chosen[best] = chosen[best], chosen[j]
        left[j], left[best] = left[best], left[j]
        factor[j], factor[best] = factor[best], factor[j]
        factor[j][j] = math.sqrt(left[j])
        for i in range(j + 1, n):
            product = _dot(factor[i], factor[j], j)
            factor[i][j] = (rows[chosen[j]][chosen[i]] - product) / factor[j][j]
            left[i] -= factor[i][j] ** 2
        rank += 1
    L[:] = factor
    order[:] = chosen
    return rank


def cholesky_solve(L: Array, B: Array) -> None:
    """Solve L L^T x = b for every row b of B, in place."""
    rows = L.tolist()
    n = len(rows)
    for k, b in enumerate(B.tolist()):
        for i in range(n):
            b[i] = (b[i] - _dot(rows[i], b, i)) / rows[i][i]
        for i in reversed(range(n)):
            b[i] /= rows[i][i]
            for p in range(i):
                b[p] -= b[i] * rows[i][p]
        B[k] = b


def quadratic(A: Array, B: Array, X: Array, gradient: Array) -> float:
    """Return the sum over rows of x . A x / 2 - b . x; set gradient = X A - B."""
    rows, n = A.tolist(), len(A)
    value = 0.0
    for k, (x, b) in enumerate(zip(X.tolist(), B.tolist(), strict=True)):
        slope = [_dot(rows[i], x, n) - b[i] for i in range(n)]
        value += (_dot(x, slope, n) - _dot(b, x, n)) / 2
        gradient[k] = slope
    return value


def affine(X: Array, W: Array, b: Array, out: Array) -> None:
    """Set out = X W^T + b."""
    weights, offsets = W.tolist(), b.tolist()
    d = X.shape[1]
    for i, x in enumerate(X.tolist()):
        out[i] = [_dot(x, w, d) + offset for w, offset in zip(weights, offsets, strict=True)]
