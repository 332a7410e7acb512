"""The arrays that kernels take, for their stubs: what _types.pxd is for their sources.

A kernel's arrays of `Real` are all float32 or all float64. All are C-contiguous but for those that
the kernel's own contract lets be strided.
"""

from typing import TypeVar

import numpy as np

Real = TypeVar("Real", np.float32, np.float64)
_Scalar = TypeVar("_Scalar", bound=np.generic)

Vector = np.ndarray[tuple[int], np.dtype[_Scalar]]
Matrix = np.ndarray[tuple[int, int], np.dtype[_Scalar]]
Cube = np.ndarray[tuple[int, int, int], np.dtype[_Scalar]]
