"""Weights of rows: how often each counts, as if it stood there so many times."""

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _validate

Array = NDArray[Any]


def check_sample_weight(sample_weight: Any, n_rows: int, dtype: np.dtype[Any]) -> Array:
    """Return a weight of `dtype` for every row.

    Where all rows weigh the same (None is 1) that is a view of one number, of stride 0: kernels
    then read no more than without weights.

    Raises
    ------
    ValueError, TypeError
        If it is neither a number nor a finite vector of n_rows numbers, none of them negative and
        one of them positive.
    """
    if sample_weight is None:
        return np.broadcast_to(dtype.type(1), n_rows)
    if isinstance(sample_weight, numbers.Real):
        weight = _validate.check_number(sample_weight, "sample_weight", low=0, open_low=True)
        return np.broadcast_to(dtype.type(weight), n_rows)
    weights = _validate.check_values(sample_weight, "sample_weight")
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got {weights.ndim}D array")
    if weights.shape != (n_rows,):
        raise ValueError(f"sample_weight.shape == {weights.shape}, expected {(n_rows,)}!")
    if weights.strides == (0,) and n_rows > 1:
        return check_sample_weight(float(weights[0]), n_rows, dtype)
    with np.errstate(over="ignore"):
        weights = np.ascontiguousarray(weights, dtype)
    _validate.check_finite(weights, "sample_weight")
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise ValueError(
            f"Negative values in data passed to `sample_weight`: {weights[row]:g} for row {row}"
        )
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def in_type(weights: Array | None, n_rows: int, dtype: np.dtype[Any]) -> Array:
    """Return checked weights in a kernel's type, of stride 0 where they are; None is 1."""
    if weights is None or weights.strides == (0,):
        return np.broadcast_to(dtype.type(1 if weights is None else weights[0]), n_rows)
    return np.ascontiguousarray(weights, dtype)


def total_weight(weights: Array) -> float:
    """Return the sum of weights, as a float64 in order of rows: as many rows as they stand for."""
    if weights.strides == (0,):
        return float(weights[0]) * len(weights)
    return float(np.cumsum(weights, dtype=np.float64)[-1])


def check_class_weight(class_weight: Any, classes: Array) -> None:
    """Raise where `class_weight` is not None, "balanced", or a mapping of classes to numbers >= 0.

    Raises
    ------
    ValueError, TypeError
        And what was wrong.
    """
    if class_weight is None:
        return
    if isinstance(class_weight, str):
        _validate.check_choice(class_weight, "class_weight", ("balanced",))
        return
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            "class_weight must be None, 'balanced' or a mapping from labels to numbers; got "
            f"{class_weight!r}"
        )
    known = set(classes.tolist())
    for label, weight in class_weight.items():
        _validate.check_number(weight, f"class_weight[{label!r}]", low=0)
        if label not in known:
            raise ValueError(
                f"class_weight names {label!r}, which is none of the classes {classes.tolist()}"
            )


def with_class_weight(
    weights: Array, class_weight: Any, classes: Array, codes: NDArray[Any]
) -> Array:
    """Return rows' weights times their classes'; of classes that are not named it is 1.

    "balanced" gives every class the same total: total / (n_classes * the class's own).

    Raises
    ------
    ValueError, TypeError
        If `class_weight` is not as `check_class_weight` describes, or leaves no row any weight.
    """
    check_class_weight(class_weight, classes)
    if class_weight is None:
        return weights
    if isinstance(class_weight, str):
        totals = np.bincount(codes, weights, len(classes))
        factors = totals.sum() / (len(classes) * np.where(totals > 0, totals, 1.0))
    else:
        factors = np.array([class_weight.get(label, 1.0) for label in classes.tolist()])
    product: Array = weights * factors.astype(weights.dtype)[codes]
    if not product.any():
        raise ValueError("class_weight and sample_weight leave every row without weight")
    return product
