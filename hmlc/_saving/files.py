"""Models in files: a prefix, a header of JSON, raw arrays, a checksum. See docs/saving.md.

Nothing in a file can run: classes come from a table, never by name from elsewhere, and every
number is checked before anything trusts it.
"""

import hashlib
import json
import math
import os
import stat
import struct
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hmlc import __version__
from hmlc._atomic import write_atomically
from hmlc._saving.learned import KINDS, Kind, kind_of
from hmlc._saving.state import Reader, State
from hmlc._saving.values import check_array, decoded, encoded, is_storable, stored_dtype

Array = NDArray[Any]

MAGIC = b"\x89HMLC\r\n\x1a"
VERSION = 1
PREFIX = struct.Struct("<8sIIQ")
"""Magic, version, length of the header and of the whole file."""
ALIGNMENT = 64
MAX_HEADER = 1 << 20
DIGEST_BYTES = 32
BLOCK = 1 << 20
MAX_DIMENSIONS = 8
HEADER_NAMES = {"class", "hmlc", "parameters", "state", "arrays"}


class ModelFileError(ValueError):
    """Raised when a file is not one that `hmlc.save` wrote, whole and as it wrote it.

    Examples
    --------
    >>> import os, tempfile
    >>> import hmlc
    >>> path = os.path.join(tempfile.mkdtemp(), "letter.txt")
    >>> with open(path, "w") as file:
    ...     _ = file.write("Dear all,")
    >>> try:
    ...     hmlc.load(path)
    ... except hmlc.ModelFileError as error:
    ...     print(str(error)[-45:])
    it does not begin as a file of hmlc.save does
    """


def save(model: Any, path: Any) -> None:
    """Write a model to a file, fitted or not.

    The file is JSON and raw arrays, which `load` reads back to the same bits; its format is
    versioned, and described in docs/saving.md. It is written whole or not at all: a crash leaves
    the old file or the new one.

    Parameters
    ----------
    model : estimator or transformer of hmlc
        Its parameters, but for a callback, and what it learned are written; other attributes, and
        what `set_output` chose, are not.
    path : str or path
        File to write.

    Raises
    ------
    TypeError
        If the model is not hmlc's own, or a parameter is nothing that a file can hold (a random
        generator, a function); then nothing is written.
    ValueError
        If parameters were changed after `fit` so that they do not fit what was learned, or text
        and lists in it would need more than 1 MiB.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import hmlc, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "scaler.hmlc")
    >>> hmlc.save(hmlc.StandardScaler().fit([[1.0], [3.0]]), path)
    >>> hmlc.load(path).transform([[5.0]])
    array([[3.]])
    """
    kind, arrays = kind_of(model), list[Array]()
    parameters = {}
    for name, value in model.get_params().items():
        if name != "callback":
            parameters[name] = encoded(value, f"parameter {name}", arrays)
    state = None
    if hasattr(model, "n_features_in_"):
        learned = kind.state_of(model)
        try:
            _restored(kind, model.get_params(), learned)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"this {type(model).__name__} cannot be saved: {error}") from error
        state = {name: encoded(value, name, arrays) for name, value in learned.items()}
    header = {
        "class": type(model).__name__,
        "hmlc": __version__,
        "parameters": parameters,
        "state": state,
    }
    write_atomically(path, _chunks(_start(header, arrays), arrays))


def load(path: Any) -> Any:
    """Read a model that `save` wrote: same class, same parameters, same bits.

    Parameters
    ----------
    path : str or path
        File to read. It need not be trusted.

    Returns
    -------
    estimator or transformer

    Raises
    ------
    ModelFileError
        If the file is damaged, cut short, of a newer format, or not a model's.
    OSError
        If it cannot be opened.

    Examples
    --------
    >>> import os, tempfile
    >>> import hmlc
    >>> path = os.path.join(tempfile.mkdtemp(), "line.hmlc")
    >>> hmlc.save(hmlc.LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), path)
    >>> hmlc.load(path).predict([[2.0]]).round(6)
    array([5.])
    """
    path = os.fspath(path)
    try:
        # A pipe would be waited for without end.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ValueError("it is not a file")
        with open(path, "rb") as file:
            return _read(file, os.fstat(file.fileno()).st_size)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ModelFileError(f"cannot load {os.fsdecode(path)}: {error}") from error


def _restored(kind: Kind, parameters: State, state: State | None) -> Any:
    """Return a model; raises ValueError or TypeError where it could not have been fitted so."""
    unknown = set(parameters) - set(kind.make._parameter_names())
    if unknown:
        raise ValueError(f"{kind.make.__name__} has no parameter {min(unknown)!r}")
    model = kind.make(**parameters)
    if state is not None:
        kind.restore(model, Reader(state))
    return model


class _Place(NamedTuple):
    """Where an array lies in the file."""

    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def end(self) -> int:
        """The first byte after it where another may begin."""
        return -(-(self.offset + self.size) // ALIGNMENT) * ALIGNMENT


def _start(header: dict[str, Any], arrays: list[Array]) -> bytes:
    """Return a file's prefix and header.

    The header says where arrays begin, which depends on its length: offsets are counted from its
    end.
    """
    places: list[_Place] = []
    for array in arrays:
        offset = places[-1].end if places else 0
        places.append(_Place(stored_dtype(array).str, array.shape, offset))
    described = {**header, "arrays": [place._asdict() for place in places]}
    text = json.dumps(described, allow_nan=False).encode("ascii")
    text += b" " * (-(PREFIX.size + len(text)) % ALIGNMENT)
    if len(text) > MAX_HEADER:
        raise ValueError(
            f"text and lists need {len(text):,} bytes, more than the {MAX_HEADER:,} that a file "
            "has room for; expected arrays of numbers or of fixed-length strings"
        )
    total = PREFIX.size + len(text) + (places[-1].end if places else 0) + DIGEST_BYTES
    return PREFIX.pack(MAGIC, VERSION, len(text), total) + text


def _chunks(start: bytes, arrays: list[Array]) -> Iterator[bytes | memoryview]:
    """Yield a file's bytes, the digest of all others last."""
    digest = hashlib.sha256(start)
    yield start
    for array in arrays:
        raw = np.ascontiguousarray(array, stored_dtype(array)).reshape(-1).view(np.uint8)
        for chunk in (raw.data, bytes(-raw.size % ALIGNMENT)):
            digest.update(chunk)
            yield chunk
    yield digest.digest()


def _read(file: BinaryIO, size: int) -> Any:
    """Return a file's model; only what the file is known to hold is allocated."""
    start = file.read(PREFIX.size)
    if start[: len(MAGIC)] != MAGIC:
        raise ValueError("it does not begin as a file of hmlc.save does")
    if len(start) < PREFIX.size:
        raise ValueError("it is cut short")
    _, version, header_bytes, total = PREFIX.unpack(start)
    if version > VERSION:
        raise ValueError(
            f"its format is version {version}; this hmlc ({__version__}) reads up to version "
            f"{VERSION}. A newer hmlc is needed"
        )
    if version == 0 or total != size:
        raise ValueError(f"it is damaged: it has {size:,} bytes, and should have {total:,}")
    first = PREFIX.size + header_bytes
    if header_bytes > MAX_HEADER or first % ALIGNMENT != 0 or first + DIGEST_BYTES > size:
        raise ValueError("it is damaged: its header's length is wrong")
    _check_digest(file, size)
    file.seek(PREFIX.size)
    header = json.loads(
        _exactly(file, header_bytes).decode("ascii"),
        parse_constant=_refuse,
        object_pairs_hook=_distinct,
    )
    if not isinstance(header, dict) or set(header) != HEADER_NAMES:
        raise ValueError(f"its header must have {', '.join(sorted(HEADER_NAMES))}")
    kind = KINDS.get(header["class"]) if isinstance(header["class"], str) else None
    if kind is None:
        raise ValueError(f"{header['class']!r} is not a class of hmlc {__version__}")
    places = _checked_places(header["arrays"], size - DIGEST_BYTES - first)
    arrays: list[Array | None] = [_read_array(file, first, place) for place in places]
    parameters = decoded(header["parameters"], arrays)
    state = None if header["state"] is None else decoded(header["state"], arrays)
    if any(array is not None for array in arrays):
        raise ValueError("it holds an array that nothing refers to")
    return _restored(kind, parameters, state)


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise ValueError("it is cut short")
    return data


def _check_digest(file: BinaryIO, size: int) -> None:
    digest, left = hashlib.sha256(), size - DIGEST_BYTES
    file.seek(0)
    while left > 0:
        block = _exactly(file, min(left, BLOCK))
        digest.update(block)
        left -= len(block)
    if _exactly(file, DIGEST_BYTES) != digest.digest():
        raise ValueError("it is damaged: its checksum is not that of its contents")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name occurs twice in its header")
    return made


def _checked_places(described: Any, room: int) -> list[_Place]:
    """Return where arrays lie: one after another, and together all of the file's room."""
    if not isinstance(described, list):
        raise ValueError("its arrays are not a list")
    places: list[_Place] = []
    end = 0
    for entry in described:
        if not isinstance(entry, dict) or set(entry) != set(_Place._fields):
            raise ValueError("an array is not described by dtype, shape and offset")
        dtype, shape, offset = (entry[name] for name in _Place._fields)
        if not isinstance(dtype, str) or not is_storable(dtype):
            raise ValueError(f"an array's dtype {dtype!r} is none of a file's")
        if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
            raise ValueError("an array's shape is not a short list")
        if not all(type(length) is int and 0 <= length <= sys.maxsize for length in shape):
            raise ValueError("an array's shape is not of whole numbers")
        places.append(_Place(dtype, tuple(shape), offset))
        if type(offset) is not int or offset != end or places[-1].end > room:
            raise ValueError("an array is not where it should be, or larger than its file")
        end = places[-1].end
    if end != room:
        raise ValueError("its arrays do not fill it")
    return places


def _read_array(file: BinaryIO, first: int, place: _Place) -> Array:
    array = np.empty(place.shape, np.dtype(place.dtype))
    raw = array.reshape(-1).view(np.uint8)
    file.seek(first + place.offset)
    if file.readinto(raw.data) != place.size:  # type: ignore[attr-defined]
        raise ValueError("it is cut short")
    check_array(array)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
