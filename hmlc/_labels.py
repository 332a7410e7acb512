"""Labels of rows: their classes, each row's place among those, and flags of anomalies."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hmlc import _passes, _sklearn, _validate

Array = NDArray[Any]


def check_classes(
    y: Any, n_rows: int, dtype: DTypeLike | None = np.intp
) -> tuple[Array, NDArray[Any]]:
    """Return what `check_labels` does, of a classifier's target: two distinct labels or more."""
    if y is not None and np.asarray(y).shape == (n_rows, 1):
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change the "
            "shape of y to (n_samples, ), for example using ravel().",
            _sklearn.data_conversion_warning(),
            stacklevel=3,
        )
    classes, codes = check_labels(y, n_rows, dtype=dtype)
    if len(classes) < 2:
        raise ValueError(
            "This fit needs samples of at least 2 classes in the data, but the data contains only "
            f"one class: {classes.tolist()[0]!r}"
        )
    return classes, codes


def check_labels(
    y: Any, n_rows: int, name: str = "y", dtype: DTypeLike | None = np.intp
) -> tuple[Array, NDArray[Any]]:
    """Return the sorted distinct labels, and for every row the index of its own, of `dtype`.

    None is uint8 where there are up to 256 labels, else int32.
    """
    if y is None:
        raise ValueError(f"This fit requires {name} to be passed, but the target {name} is None")
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"{name} should be a 1d array, got an array of shape {array.shape} instead"
        )
    _validate.check_same_length(array, n_rows, name)
    if array.dtype.kind == "f":
        _validate.check_finite(array, name)
        if np.any(array != np.floor(array)):
            raise ValueError(
                f"Unknown label type: {name} is continuous; a classifier needs discrete labels"
            )
    elif array.dtype.kind not in "biuUSO":
        raise TypeError(f"{name} must hold labels: numbers or strings; got dtype {array.dtype}")
    found = _close_integers(array) if array.dtype.kind in "biuf" and len(array) else None
    if found is None:
        try:
            found = np.unique(array, return_inverse=True)
        except TypeError as error:
            raise TypeError(f"{name} mixes labels that cannot be sorted: {error}") from error
    classes, codes = found
    if dtype is None:
        dtype = np.uint8 if len(classes) <= 256 else np.int32
    return classes, np.ascontiguousarray(codes.reshape(-1), dtype=dtype)


def classes_of_chunk(classes: Any, known: Array | None) -> Array:
    """Return all classes, of which a chunk's rows may lack some; `known` are those of earlier rows.

    Raises
    ------
    ValueError, TypeError
        If there are none, or others than before.
    """
    if classes is None and known is None:
        raise ValueError("classes must be passed on the first call to partial_fit.")
    if classes is None:
        return np.asarray(known)
    found, _ = check_classes(classes, len(np.atleast_1d(classes)))
    if known is not None and not np.array_equal(found, known):
        raise ValueError(
            f"`classes={found.tolist()}` is not the same as on last call to partial_fit, was: "
            f"{known.tolist()}"
        )
    return found


def check_known_classes(classes: Array, known: Array) -> None:
    """Raise a ValueError where a fit that goes on meets other classes than before."""
    if not np.array_equal(classes, known):
        raise ValueError(
            f"a fit can only go on with the same classes: previously got {known.tolist()}, `y` has "
            f"{classes.tolist()}"
        )


def codes_among(classes: Array, y: Any, n_rows: int, name: str = "y") -> NDArray[np.intp]:
    """Return the index of every row's label among classes that are known."""
    found, codes = check_labels(y, n_rows, name)
    known = {label: code for code, label in enumerate(classes.tolist())}
    unknown = [label for label in found.tolist() if label not in known]
    if unknown:
        raise ValueError(
            f"`{name}` has classes not in `self.classes_`. `self.classes_` has "
            f"{classes.tolist()}. '{name}' has {unknown}."
        )
    places = np.array([known[label] for label in found.tolist()], np.intp)
    return places.take(codes)


def _close_integers(labels: Array) -> tuple[Array, NDArray[Any]] | None:
    """Do what np.unique does, without sorting, for whole numbers close together; else None."""
    low, high, codes = _ends_and_bytes(labels)
    if max(abs(low), abs(high)) > 2**52 or high - low > len(labels):
        return None
    if high - low < 256:
        codes -= np.uint8(low % 256)
    else:
        codes = np.empty(len(labels), np.int32)
        np.subtract(labels, low, out=codes, dtype=np.intp, casting="unsafe")
    is_there = np.ones(high - low + 1, bool)
    if len(is_there) > 2:
        is_there[:] = False
        is_there[codes] = True
    classes = (np.flatnonzero(is_there) + low).astype(labels.dtype)
    if not is_there.all():
        codes = (np.cumsum(is_there) - 1).astype(codes.dtype)[codes]
    return classes, codes


def _ends_and_bytes(labels: Array) -> tuple[int, int, NDArray[Any]]:
    """Return the least and the greatest of whole numbers, and all modulo 256, in one pass."""
    ends: list[Any] = []
    low_bytes = np.empty(len(labels), np.uint8)

    def look(rows: Array, first: int, last: int) -> None:
        numbers = rows[:, 0]
        ends.extend((numbers.min(), numbers.max()))
        if labels.dtype.kind == "f":  # whose conversion to bytes is not modulo 256
            with np.errstate(invalid="ignore"):
                numbers = numbers.astype(np.int64)
        np.copyto(low_bytes[first:last], numbers, casting="unsafe")

    _passes.map_rows(labels.reshape(-1, 1), labels.dtype, look, flops_per_row=4)
    return int(min(ends)), int(max(ends)), low_bytes


def check_flags(labels: Any, name: str) -> NDArray[np.uint8]:
    """Return labels, 1 or True for an anomaly and else 0 or False, as a vector of bytes."""
    array = _validate.check_values(labels, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(f"{name} should be a 1d array of one row or more; got shape {array.shape}")
    is_anomaly = array == 1
    is_neither = ~(is_anomaly | (array == 0))
    if is_neither.any():
        wrong = array[is_neither][0]
        raise ValueError(f"{name} must hold 0 or 1 (1 is an anomaly); got {wrong}")
    flags: NDArray[np.uint8] = is_anomaly.view(np.uint8)
    return flags
