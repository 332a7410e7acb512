"""A C header as it grows: sizes, arrays of exact numbers, and functions."""

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import __version__
from hmlc._export.c_functions import CONSTANTS, needed, spelled

Array = NDArray[Any]

NUMBERS_A_LINE = 4

TEXT = """\
/* {kind} of hmlc {version}, exported as C99. Written by hmlc.export_c: change the model instead.
 *
 * Rows x have NAME_n_features finite numbers. Link with -lm. Answers are the same bits as Python's
 * where the compiler leaves sums and products as they are written: GCC's -ffp-contract=off, which
 * is part of -std=c99, and no -ffast-math.
 */
#ifndef HMLC_{guard}_H
#define HMLC_{guard}_H

{includes}

{declarations}

{functions}

#endif
"""


class Header:
    """Declarations and functions in the words of c_functions.py."""

    def __init__(self, dtype: "np.dtype[Any]", n_features: int) -> None:
        self.dtype = dtype
        self.lanes = int(CONSTANTS[dtype.name]["LANES"])
        self._declarations: list[str] = []
        self._functions: list[str] = []
        self.size("n_features", n_features)

    def size(self, name: str, value: int) -> None:
        """Add a whole number."""
        self._declarations.append(f"enum {{ NAME_{name} = {value} }};")

    def in_type(self, values: Any) -> Array:
        """Return numbers in the header's float type."""
        with np.errstate(over="ignore"):
            return np.asarray(values).astype(self.dtype)

    def array(self, name: str, values: Array) -> None:
        """Add numbers of the header's float type, in one or two dimensions."""
        values = self.in_type(values)
        suffix = "f" if self.dtype.itemsize == 4 else ""
        shape = "".join(f"[{length}]" for length in values.shape)
        text = _braces(values.tolist(), suffix)
        self._declarations.append(f"static const REAL NAME_{name}{shape} = {text};")

    def doubles(self, name: str, values: list[float]) -> None:
        """Add numbers that are double in any header."""
        text = _braces(values, "")
        self._declarations.append(f"static const double NAME_{name}[{len(values)}] = {text};")

    def labels(self, labels: list[Any]) -> str:
        """Add a classifier's labels; return their C type.

        Raises
        ------
        ValueError
            If one is a whole number of more than 64 bits, or a string with a zero byte.
        """
        c_type, literals = _in_c(labels)
        text = ", ".join(literals)
        separator = "" if c_type.endswith("*") else " "
        constant = "const " if c_type.endswith("*") else ""
        declared = f"{c_type}{separator}{constant}NAME_classes[{len(labels)}]"
        prefix = "static " if constant else "static const "
        self._declarations.append(f"{prefix}{declared} = {{{text}}};")
        return c_type

    def functions(self, text: str) -> None:
        """Add functions."""
        self._functions.append(text.strip("\n"))

    def text(self, kind: str, name: str) -> str:
        """Return the whole header for a model's name."""
        own = "\n\n".join(self._functions)
        shared = needed(own)
        includes = ["#include <math.h>"]
        if any(body.find("uint64_t") >= 0 for body in shared):
            includes.append("#include <stdint.h>")
        whole = TEXT.format(
            kind=kind,
            version=__version__,
            guard=name.upper(),
            includes="\n".join(includes),
            declarations="\n".join(self._declarations),
            functions="\n\n".join([*(body.strip("\n") for body in shared), own]),
        )
        return spelled(whole, name, self.dtype)


def _hexadecimal(value: float) -> str:
    """Return a float's exact C literal, without trailing zeros."""
    return re.sub(r"\.?0*p", "p", value.hex())


def _literal(value: float, suffix: str) -> str:
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return _hexadecimal(value) + suffix


def _braces(values: list[Any], suffix: str, indent: str = "    ") -> str:
    if values and isinstance(values[0], list):
        rows = [_braces(row, suffix, indent) for row in values]
        return "{\n" + ",\n".join(indent + row for row in rows) + "}"
    literals = [_literal(value, suffix) for value in values]
    lines = [
        ", ".join(literals[first : first + NUMBERS_A_LINE])
        for first in range(0, len(literals), NUMBERS_A_LINE)
    ]
    return "{" + f",\n{indent} ".join(lines) + "}"


def _in_c(labels: list[Any]) -> tuple[str, list[str]]:
    """Return labels' C type and literals."""
    if isinstance(labels[0], (str, bytes)):
        return "const char *", [_quoted(label) for label in labels]
    if isinstance(labels[0], bool):
        return "int", [str(int(label)) for label in labels]
    if isinstance(labels[0], float):
        return "double", [_literal(label, "") for label in labels]
    if min(labels) < -(2**63) or max(labels) >= 2**64 or (min(labels) < 0 and max(labels) >= 2**63):
        raise ValueError(f"labels must have 64 bits to be exported; got {labels!r}")
    if max(labels) >= 2**63:
        return "unsigned long long", [f"{label}ULL" for label in labels]
    # -2^63 is the negative of a number that is too large.
    return "long long", [
        f"{label}LL" if label > -(2**63) else "(-9223372036854775807LL - 1)" for label in labels
    ]


def _quoted(label: str | bytes) -> str:
    """Return a string literal: UTF-8, by octal escapes where it is not ASCII's own."""
    raw = label.encode() if isinstance(label, str) else label
    if 0 in raw:
        raise ValueError(f"labels must be without zero bytes to be exported; got {label!r}")
    safe = set(range(32, 127)) - set(b'"\\?')
    return '"' + "".join(chr(byte) if byte in safe else f"\\{byte:03o}" for byte in raw) + '"'
