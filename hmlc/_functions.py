"""The logistic function and its derivative, on arrays of any shape."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels

Array = NDArray[Any]


def _elementwise(z: Any, kernel: Callable[[Array, Array], None]) -> Any:
    """Run a kernel over all numbers of z; an array of z's shape, a scalar for a scalar."""
    values = _validate.check_values(z, "z")
    dtype = _validate.compute_dtype(values)
    column = values.reshape(-1, 1)
    out = np.empty(column.size, dtype)
    _passes.map_rows(
        column,
        dtype,
        lambda rows, first, last: kernel(rows.reshape(-1), out[first:last]),
        flops_per_row=50,
    )
    return out.reshape(values.shape)[()]


def sigmoid(z: Any) -> Any:
    """Return the logistic function 1 / (1 + exp(-z)), which overflows nowhere.

    Parameters
    ----------
    z : array_like of any shape
        Real numbers; infinities give 0 and 1, NaN gives NaN.

    Returns
    -------
    array of z's shape, a scalar for a scalar
        float32 for float32 (and float16), else float64.

    Raises
    ------
    ValueError, TypeError
        If z does not hold real numbers.

    Examples
    --------
    >>> from hmlc import sigmoid
    >>> sigmoid([-800.0, 0.0, 800.0])
    array([0. , 0.5, 1. ])
    """
    return _elementwise(z, kernels().elementwise.sigmoid)


def sigmoid_gradient(z: Any) -> Any:
    """Return the logistic function's derivative, g(z) (1 - g(z)); see `sigmoid`.

    It is computed as g(z) g(-z), which keeps its digits where g(z) is near 1.

    Examples
    --------
    >>> from hmlc import sigmoid_gradient
    >>> sigmoid_gradient([0.0, 800.0])
    array([0.25, 0.  ])
    """
    return _elementwise(z, kernels().elementwise.sigmoid_gradient)
