"""What all exports share: which float type, and what a fitted model's labels are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _validate
from hmlc._saving.learned import kind_of

Array = NDArray[Any]


def check_fitted(model: Any) -> str:
    """Return a fitted model's class by name.

    Raises
    ------
    TypeError
        If it is not one of hmlc's own.
    NotFittedError
        If it is not fitted.
    """
    kind = kind_of(model)
    model._check_fitted()
    return kind.make.__name__


def float_type(model: Any, dtype: Any) -> "np.dtype[Any]":
    """Return the dtype asked for; for None that of the rows at `fit`, where the model kept it."""
    if dtype is None:
        learned = [getattr(model, name, None) for name in ("cluster_centers_", "coef_")]
        dtypes = [a.dtype for a in [*learned, *getattr(model, "coefs_", [])] if a is not None]
        return dtypes[0] if dtypes else _validate.FLOAT64
    for chosen in _validate.FLOATS:
        if dtype in (chosen.name, chosen, chosen.type):
            return chosen
    raise ValueError(f"dtype must be None, 'float32' or 'float64'; got {dtype!r}")


def plain_labels(classes: Array) -> list[Any]:
    """Return a classifier's labels, all of one Python type: bool, int, float, str or bytes.

    Raises
    ------
    TypeError
        If they are of several.
    """
    labels: list[Any] = classes.tolist()
    if len({type(label) for label in labels}) > 1:
        raise TypeError(f"labels must be of one type to be exported; got {labels!r}")
    return labels
