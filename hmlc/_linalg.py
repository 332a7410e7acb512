"""Stand-in until the linear algebra kernels are here."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def cholesky(A: NDArray[Any], L: NDArray[Any]) -> None:
    """Set L to the lower factor of A = L L'; a pivot that is not positive becomes 0."""
    L[:] = np.tril(A)
    for k in range(len(A)):
        pivot = math.sqrt(max(L[k, k], 0.0))
        L[k, k] = pivot
        L[k + 1 :, k] = L[k + 1 :, k] / pivot if pivot > 0 else 0.0
        L[k + 1 :, k + 1 :] -= np.tril(np.multiply.outer(L[k + 1 :, k], L[k + 1 :, k]))
