"""Input checks: every error about what a user passes is raised here (or in _labels, _weights)."""

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _frames, _passes
from hmlc._backend import kernels

Array = NDArray[Any]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
FLOATS = (FLOAT32, FLOAT64)


def compute_dtype(*arrays: Array) -> np.dtype[Any]:
    """Return float32 where every array is float32 or float16, else float64."""
    for array in arrays:
        if array.dtype.kind != "f" or array.dtype.itemsize > 4:
            return FLOAT64
    return FLOAT32


def _as_real(values: Any, name: str) -> Array:
    """Return an array of real numbers, as it is where it is one already."""
    if type(values) is np.ndarray and values.dtype.char in "fd":
        return values
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise TypeError(
            f"Sparse data was passed for {name}, but dense data is required. "
            "Use '.toarray()' to convert to a dense numpy array."
        )
    array = _as_array(values)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {array.dtype}")
    if array.dtype.kind in "biuf":
        wide = array.dtype.kind == "f" and array.dtype.itemsize > 8
        return array.astype(np.float64) if wide else array
    if array.dtype.kind not in "OUS":
        raise TypeError(f"{name} must hold real numbers; got dtype {array.dtype}")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name} must hold real numbers; could not convert: {error}") from error


def _as_array(values: Any) -> Array:
    """Return an array of what NumPy understands, or of what shows itself by DLPack alone."""
    if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
        return np.from_dlpack(values)
    return np.asarray(values)


def check_values(values: Any, name: str) -> Array:
    """Return an array of real numbers of any shape; NaN and infinity are let through."""
    return _as_real(values, name)


def check_finite(array: Array, name: str) -> None:
    """Raise a ValueError where an array holds NaN or infinity.

    The check is part of a pass over rows: chunked, threaded, no copy.
    """
    if array.dtype.kind != "f" or array.size == 0:
        return
    matrix = array.reshape(-1, 1) if array.ndim == 1 else array
    all_finite = kernels().elementwise.all_finite
    dtype = compute_dtype(array)
    found: list[int] = []

    def look(rows: Array, first: int, last: int) -> None:
        if not all_finite(rows.reshape(-1)):
            found.append(first)

    _passes.map_rows(matrix, dtype, look, flops_per_row=matrix.shape[1])
    if not found:
        return
    row = _first_bad_row(matrix, min(found))
    what = "NaN" if np.isnan(matrix[row]).any() else "infinity"
    raise ValueError(f"Input {name} contains {what}; the first is in row {row}.")


def check_finite_by(answers: Array, array: Array, name: str) -> None:
    """Do what `check_finite` does, for an array of which `answers` (float, contiguous) were made.

    They must be finite only where the array is: then it is not read again, unless they are not.
    """
    if not kernels().elementwise.all_finite(answers.reshape(-1)):
        check_finite(array, name)


def _first_bad_row(matrix: Array, start: int) -> int:
    for row in range(start, len(matrix)):
        if not np.isfinite(matrix[row]).all():
            return row
    raise ValueError("Input holds a number too large for float32")


def check_matrix(X: Any, name: str = "X", *, min_rows: int = 1, min_columns: int = 1) -> Array:
    """Return X as a finite real matrix of any dtype and layout, without a copy where it is one.

    Raises
    ------
    ValueError
        As `as_matrix` does, and where X holds NaN or infinity.
    TypeError
        Sparse, or of things that are not numbers.
    """
    array = as_matrix(X, name, min_rows=min_rows, min_columns=min_columns)
    check_finite(array, name)
    return array


def as_matrix(X: Any, name: str = "X", *, min_rows: int = 1, min_columns: int = 1) -> Array:
    """Return X as a real matrix whose values are not looked at yet: see `check_finite`.

    Raises
    ------
    ValueError
        Not two-dimensional, too few rows or columns, or complex.
    TypeError
        Sparse, or of things that are not numbers; a data frame some of whose names are strings,
        others not.
    """
    array = _as_real(X, name)
    _frames.column_names(X)
    if array.ndim != 2:
        shown = {0: "scalar", 1: "1D"}.get(array.ndim, f"{array.ndim}D")
        raise ValueError(
            f"Expected 2D array, got {shown} array instead: {name} has shape {array.shape}. "
            "Reshape your data using array.reshape(-1, 1) if it has a single feature "
            "or array.reshape(1, -1) if it contains a single sample."
        )
    _check_count(array, 0, "sample", min_rows)
    _check_count(array, 1, "feature", min_columns)
    return array


def _check_count(array: Array, axis: int, unit: str, minimum: int) -> None:
    if array.shape[axis] < minimum:
        raise ValueError(
            f"Found array with {array.shape[axis]} {unit}(s) (shape={array.shape}) "
            f"while a minimum of {minimum} is required."
        )


def check_target(y: Any, n_rows: int, name: str = "y") -> Array:
    """Return y as a finite real vector (n,) or matrix (n, n_targets) of n_rows rows."""
    if y is None:
        raise ValueError(f"This fit requires {name} to be passed, but the target {name} is None")
    array = _as_real(y, name)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise ValueError(f"{name} should be a 1d or 2d array; got shape {array.shape}")
    check_same_length(array, n_rows, name)
    check_finite(array, name)
    return array


def check_scores(scores: Any, n_rows: int) -> Array:
    """Return n_rows scores as a contiguous float vector without NaN and +infinity."""
    array = _as_real(scores, "scores")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"scores should be a 1d array; got shape {array.shape}")
    if len(array) != n_rows:
        raise ValueError(
            f"labels and scores must be of one length; got {n_rows} labels, {len(array)} scores"
        )
    values = np.ascontiguousarray(array, dtype=compute_dtype(array))
    if not (values < np.inf).all():
        what = "NaN" if np.isnan(values).any() else "infinity"
        raise ValueError(f"scores must be numbers below infinity; got {what}")
    return values


def check_same_length(array: Array, n_rows: int, name: str) -> None:
    """Raise a ValueError where an array has not one entry a row of X."""
    if array.ndim == 0 or len(array) != n_rows:
        got = 0 if array.ndim == 0 else len(array)
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"X has {n_rows} rows, {name} has {got}"
        )


def check_number(
    value: Any, name: str, *, low: float = -math.inf, high: float = math.inf, open_low: bool = False
) -> float:
    """Return a finite real parameter within its bounds."""
    bound = f"a number {'>' if open_low else '>='} {low:g}" if low > -math.inf else "a number"
    if high < math.inf:
        bound += f" and <= {high:g}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be {bound}; got {value!r}")
    number = float(value)
    too_low = number <= low if open_low else number < low
    if not math.isfinite(number) or too_low or number > high:
        raise ValueError(f"{name} must be {bound}; got {value!r}")
    return number


def check_integer(value: Any, name: str, *, low: int = 1) -> int:
    """Return a whole-number parameter that is at least `low`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer >= {low}; got {value!r}")
    if value < low:
        raise ValueError(f"{name} must be an integer >= {low}; got {value!r}")
    return int(value)


def check_choice(value: Any, name: str, choices: Sequence[str]) -> str:
    """Return a parameter that is one of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return value


def check_bool(value: Any, name: str) -> bool:
    """Return a parameter that is true or false."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False; got {value!r}")
    return bool(value)


def check_n_jobs(value: Any) -> int | None:
    """Return n_jobs: None, a positive number of threads, or a negative one (-1 is all)."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"n_jobs must be None or an integer other than 0; got {value!r}")
    if value == 0:
        raise ValueError("n_jobs must be None or an integer other than 0; got 0")
    return int(value)


def random_generator(random_state: Any) -> "np.random.Generator":
    """Return a generator from None, a seed, a Generator or a RandomState."""
    if isinstance(random_state, np.random.Generator):
        return random_state
    if isinstance(random_state, np.random.RandomState):
        return np.random.Generator(np.random.PCG64(random_state.randint(0, 2**31 - 1)))
    if random_state is None or (
        isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool)
    ):
        if random_state is not None and random_state < 0:
            raise ValueError(f"random_state must be a seed >= 0; got {random_state!r}")
        return np.random.Generator(np.random.PCG64(random_state))  # type: ignore[arg-type]
    raise TypeError(f"random_state must be None, a seed or a Generator; got {random_state!r}")
