"""Parameters and learned values in JSON: what it has is written so, the rest under a tag.

Arrays are {"array": index}, arrays of objects {"objects": [...]}, tuples {"tuple": [...]},
dictionaries {"dict": [[key, value], ...]}, and numbers that are not finite {"float": "inf"}. What
cannot be written is refused.
"""

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc._saving.state import State

Array = NDArray[Any]

MAX_DEPTH = 8
MAX_BITS = 1024
DTYPES = {"|b1", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8"}
TEXT_DTYPE = re.compile(r"(<U|\|S)[1-9][0-9]{0,6}")
LARGEST_CHARACTER = 0x10FFFF


def encoded(value: Any, name: str, arrays: list[Array], depth: int = 0) -> Any:
    """Return what JSON has for a value; arrays are appended, and referred to by their index."""
    if isinstance(value, np.generic) and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int) and int(value).bit_length() <= MAX_BITS:
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": str(float(value))}
    if depth < MAX_DEPTH and type(value) in (list, tuple):
        items = [encoded(item, name, arrays, depth + 1) for item in value]
        return items if type(value) is list else {"tuple": items}
    if depth < MAX_DEPTH and type(value) is dict:
        return {"dict": [_pair(key, item, name, arrays, depth) for key, item in value.items()]}
    if type(value) in (np.ndarray, np.memmap):
        if value.dtype == object and value.ndim == 1 and depth == 0:
            return {"objects": [_plain(item, name) for item in value]}
        if is_storable(stored_dtype(value).str):
            arrays.append(value)
            return {"array": len(arrays) - 1}
    what = type(value).__name__
    if isinstance(value, np.ndarray):
        what += f" of {value.dtype}"
    raise TypeError(
        f"{name} is a {what}, which a file cannot hold; expected None, a number, a string, or a "
        "list, tuple, dictionary or array of them (for random_state: a seed)"
    )


def _pair(key: Any, value: Any, name: str, arrays: list[Array], depth: int) -> list[Any]:
    """Return a dictionary's entry; its key is a label."""
    label = _plain(key.item() if isinstance(key, np.generic) else key, name)
    return [label, encoded(value, name, arrays, depth + 1)]


def _plain(item: Any, name: str) -> Any:
    """Return what JSON has, and loads as the same type."""
    is_finite = type(item) is float and math.isfinite(item)
    is_short = type(item) is int and item.bit_length() <= MAX_BITS
    if type(item) in (str, bool) or is_finite or is_short:
        return item
    raise TypeError(
        f"{name} holds a {type(item).__name__}, {item!r}, which a file cannot hold; expected "
        "strings, booleans and finite numbers"
    )


def stored_dtype(array: Array) -> "np.dtype[Any]":
    """Return an array's dtype in a file's byte order."""
    return array.dtype.newbyteorder("<")


def is_storable(dtype: str) -> bool:
    """Return whether a file can hold arrays of a dtype, named as NumPy does."""
    return dtype in DTYPES or TEXT_DTYPE.fullmatch(dtype) is not None


def _decode(value: Any, arrays: list[Array | None], depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("values are nested too deeply")
    if isinstance(value, list):
        return [_decode(item, arrays, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1:
        raise ValueError("a value has not one tag")
    ((tag, content),) = value.items()
    if tag == "float" and content in ("inf", "-inf", "nan"):
        return float(content)
    if tag == "tuple" and isinstance(content, list):
        return tuple(_decode(item, arrays, depth + 1) for item in content)
    if tag == "dict" and isinstance(content, list):
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in content):
            raise ValueError("a dictionary's entries are not pairs")
        return {
            _plain(key, "a dictionary's keys"): _decode(item, arrays, depth + 1)
            for key, item in content
        }
    if tag == "objects" and isinstance(content, list):
        objects = np.empty(len(content), object)
        objects[:] = [_plain(item, "an array of objects") for item in content]
        return objects
    if tag == "array" and type(content) is int and 0 <= content < len(arrays):
        array, arrays[content] = arrays[content], None
        if array is not None:
            return array
    raise ValueError(f"a value's tag {tag!r} is not understood")


def decoded(values: Any, arrays: list[Array | None]) -> State:
    """Do the reverse of `encoded` for values by name; every array is given out once.

    Raises
    ------
    ValueError
        If something is there that `encoded` does not make.
    """
    if not isinstance(values, dict):
        raise ValueError("its parameters or its state are not values by name")
    return {name: _decode(value, arrays) for name, value in values.items()}


def check_array(array: Array) -> None:
    """Raise a ValueError where bytes read as an array are no values of its dtype."""
    raw = array.reshape(-1).view(np.uint8)
    if array.dtype.kind == "b" and (raw > 1).any():
        raise ValueError("an array of booleans holds something else")
    if array.dtype.kind == "U" and (raw.view("<u4") > LARGEST_CHARACTER).any():
        raise ValueError("an array of text holds what is no character")
