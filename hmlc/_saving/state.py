"""The values by name that a fitted model consists of, and how they are checked one by one."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _validate

Array = NDArray[Any]
State = dict[str, Any]
Shape = tuple[int | None, ...]

DOUBLE = (np.dtype(np.float64),)


class Reader:
    """A state's values, each to be asked for once, by name and with what it must be.

    Every method raises a ValueError or TypeError that names a value which is not that.
    """

    def __init__(self, state: State) -> None:
        self._left = dict(state)

    def _take(self, name: str) -> Any:
        if name not in self._left:
            raise ValueError(f"{name} is missing")
        return self._left.pop(name)

    def is_array(self, name: str) -> bool:
        """Return whether there is an array of that name."""
        return isinstance(self._left.get(name), np.ndarray)

    def nothing(self, name: str) -> None:
        """Take a value that must be None."""
        if self._take(name) is not None:
            raise ValueError(f"{name} must be None or an array")

    def sizes(self, name: str) -> tuple[int, ...]:
        """Return two whole numbers or more, from 1 on."""
        sizes = self._take(name)
        if not isinstance(sizes, list) or len(sizes) < 2:
            raise TypeError(f"{name} must be a list of two whole numbers or more")
        return tuple(_validate.check_integer(size, f"every one of {name}") for size in sizes)

    def array(
        self,
        name: str,
        shape: Shape,
        dtypes: Sequence["np.dtype[Any]"] = DOUBLE,
        *,
        infinite: bool = False,
    ) -> Array:
        """Return an array; None in its shape stands for any length from 1 on."""
        array = self._take(name)
        if not isinstance(array, np.ndarray) or array.dtype not in dtypes:
            raise TypeError(f"{name} must be an array of {' or '.join(map(str, dtypes))}")
        if len(shape) != array.ndim or not all(
            got > 0 and want in (None, got) for want, got in zip(shape, array.shape, strict=True)
        ):
            expected = ", ".join("n" if length is None else str(length) for length in shape)
            raise ValueError(f"{name} must be of shape ({expected}); got {array.shape}")
        if array.dtype.kind == "f" and not infinite and not np.isfinite(array).all():
            raise ValueError(f"{name} must hold finite numbers")
        if array.dtype.kind == "f" and np.isnan(array).any():
            raise ValueError(f"{name} must not hold NaN")
        return array

    def optional_array(self, name: str, shape: Shape) -> Array | None:
        """Return a float64 array, or None."""
        if self.is_array(name):
            return self.array(name, shape)
        self.nothing(name)
        return None

    def positive(self, name: str, shape: Shape) -> Array:
        """Return a float64 array of numbers above 0."""
        array = self.array(name, shape)
        if not (array > 0).all():
            raise ValueError(f"{name} must hold numbers above 0")
        return array

    def labels(self) -> Array:
        """Return the two or more classes."""
        array = self._take("classes_")
        if not isinstance(array, np.ndarray) or array.ndim != 1 or len(array) < 2:
            raise ValueError("classes_ must be an array of two or more labels")
        return array

    def names(self, name: str, count: int) -> Array:
        """Return an object array of so many strings."""
        array: Array = self._take(name)
        if array.shape != (count,) or not all(type(each) is str for each in array.tolist()):
            raise ValueError(f"{name} must be an array of {count} strings")
        return array.astype(object)

    def number(self, name: str) -> float:
        """Return a float, which may be infinite."""
        value = self._take(name)
        if not isinstance(value, float) or math.isnan(value):
            raise TypeError(f"{name} must be a number with a fraction; got {value!r}")
        return value

    def integer(self, name: str, low: int = 1) -> int:
        """Return a whole number from `low` to the largest index."""
        value = _validate.check_integer(self._take(name), name, low=low)
        if value > np.iinfo(np.intp).max:
            raise ValueError(f"{name} is too large: {value}")
        return value

    def optional_integer(self, name: str, low: int = 1) -> int | None:
        """Return a whole number from `low` to the largest index, or None."""
        if self._left.get(name) is not None:
            return self.integer(name, low)
        self._take(name)
        return None

    def numbers(self, name: str, count: int, bound: int) -> list[int]:
        """Return so many whole numbers from 0 to before a bound."""
        numbers = self._take(name)
        if not isinstance(numbers, list) or len(numbers) != count:
            raise TypeError(f"{name} must be a list of {count} whole numbers")
        for number in numbers:
            if _validate.check_integer(number, f"every one of {name}", low=0) >= bound:
                raise ValueError(f"{name} holds a number that is too large: {number}")
        return numbers

    def flag(self, name: str) -> bool:
        """Return True or False."""
        return _validate.check_bool(self._take(name), name)

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """Return one of a few words."""
        return _validate.check_choice(self._take(name), name, choices)

    def finish(self) -> None:
        """Raise a ValueError where something was not asked for."""
        if self._left:
            raise ValueError(f"{min(self._left)} is nothing that this class learns")
