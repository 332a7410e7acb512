"""Reads the two file formats of data sets: CSV tables and IDX arrays."""

import csv
import gzip
import itertools
import math
import operator
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

BLOCK = 1 << 20
IDX_UINT8 = 0x08


@dataclass(frozen=True)
class Table:
    """A CSV table's cells as text.

    Attributes
    ----------
    path : Path
    header : list of str
    rows : list of list of str
        Each as long as the header.
    lines : list of int
        The line of the file on which each row ends, for messages.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def position(self, column: str) -> int:
        """Return where in a row a column stands."""
        if column not in self.header:
            names = ", ".join(self.header)
            raise ValueError(f"{self.path}, line 1: expected a column {column!r}, got {names}")
        return self.header.index(column)

    def texts(self, column: str) -> tuple[str, ...]:
        """Return a column as it is written."""
        position = self.position(column)
        return tuple(row[position] for row in self.rows)

    def numbers(self, columns: Sequence[str]) -> NDArray[np.float64]:
        """Return columns as numbers, of shape (rows, columns).

        Raises
        ------
        ValueError
            If a column is missing, or a cell is not a finite number.
        """
        positions = [self.position(column) for column in columns]
        values = np.empty((len(self.rows), len(positions)))
        for j, position in enumerate(positions):
            values[:, j] = _numbers(list(map(operator.itemgetter(position), self.rows)))
        if not np.isfinite(values).all():
            i, j = np.argwhere(~np.isfinite(values))[0]
            raise self._error(i, positions[j], "a finite number")
        return values

    def codes(self, column: str, names: Sequence[str]) -> NDArray[np.int64]:
        """Return for each row which of `names` stands in a column, of shape (rows,).

        Raises
        ------
        ValueError
            If the column is missing, or a cell holds none of the names.
        """
        position = self.position(column)
        code = {name: index for index, name in enumerate(names)}
        for i, row in enumerate(self.rows):
            if row[position] not in code:
                raise self._error(i, position, "one of " + ", ".join(names))
        return np.array([code[row[position]] for row in self.rows], dtype=np.int64)

    def filled(self, column: str) -> tuple[str, ...]:
        """Return a column as it is written, where no cell may be empty.

        Raises
        ------
        ValueError
            If the column is missing, or one is.
        """
        texts = self.texts(column)
        if "" in texts:
            raise self._error(texts.index(""), self.position(column), "a label")
        return texts

    def _error(self, row: int, position: int, expected: str) -> ValueError:
        return ValueError(
            f"{self.path}, line {self.lines[row]}, column {self.header[position]!r}: "
            f"expected {expected}, got {self.rows[row][position]!r}"
        )


def _numbers(texts: list[str]) -> list[float]:
    """Return texts as numbers, NaN for one that is none."""
    try:
        return list(map(float, texts))
    except ValueError:
        return [_number(text) for text in texts]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def read_csv(path: str | Path) -> Table:
    """Read a comma-separated table in UTF-8 whose first line names the columns.

    Raises
    ------
    ValueError
        If the file is not UTF-8 text, quotes are unbalanced, a column's name repeats, a row's
        length differs from the header's, or there are no rows; with the file and the line.
    OSError
        If it cannot be read.
    """
    with open_csv(path) as file:
        (table,) = read_tables(file, Path(path), sys.maxsize)
    return table


def open_csv(path: str | Path) -> TextIO:
    """Open a file for `read_tables`."""
    # utf-8-sig: spreadsheets put a byte-order mark before the first column's name.
    return open(path, encoding="utf-8-sig", newline="")


def read_tables(file: TextIO, path: Path, n_rows: int) -> Iterator[Table]:
    """Read a comma-separated table as `read_csv` does, but yield it in tables of `n_rows` rows."""
    reader = csv.reader(file, strict=True)
    lines = _numbered_lines(reader, path)
    _, header = next(lines, (0, []))
    if len(set(header)) < len(header):
        raise ValueError(f"{path}, line 1: expected distinct columns, got {', '.join(header)}")
    is_empty = True
    while block := list(itertools.islice(lines, n_rows)):
        is_empty = False
        for line, row in block:
            if len(row) != len(header):
                raise ValueError(
                    f"{path}, line {line}: expected {len(header)} columns, got {len(row)}"
                )
        yield Table(path, header, [row for _, row in block], [line for line, _ in block])
    if is_empty:
        raise ValueError(
            f"{path}: expected a header and at least one row, got {len(header) > 0:d} lines"
        )


def _numbered_lines(reader: Any, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield every row that is not blank, and the line on which it ends."""
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 text, but {error}") from error
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error


def read_idx(path: str | Path, row_shape: tuple[int, ...], n_rows: int) -> NDArray[np.uint8]:
    """Read the first rows of a gzip-compressed IDX file of unsigned bytes.

    Memory grows with the bytes that are really there, never with what the header announces.

    Parameters
    ----------
    path : str or Path
    row_shape : tuple of int
        The expected shape of one row: ``(28, 28)`` for images, ``()`` for labels.
    n_rows : int

    Returns
    -------
    ndarray of uint8, shape (n_rows, *row_shape)

    Raises
    ------
    ValueError
        If the file is not gzip, its header is not that of such an array, it has fewer rows, or its
        length is not the announced one.
    OSError
        If it cannot be read.
    """
    ndim = 1 + len(row_shape)
    needed = n_rows * math.prod(row_shape)
    try:
        with gzip.open(path) as file:
            header = file.read(4 * (1 + ndim))
            announced = _idx_rows(path, header, row_shape, n_rows)
            content = bytearray()
            while block := file.read(min(BLOCK, needed - len(content))):
                content += block
            # Reading past the last row also makes gzip compare its own checksum.
            surplus = announced == n_rows and file.read(1) != b""
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: expected a whole gzip file, but {error}") from error
    if len(content) < needed or surplus:
        found = f"{len(content)}" if len(content) < needed else "more"
        raise ValueError(f"{path}: expected {needed} bytes in {n_rows} rows, got {found}")
    return np.frombuffer(content, dtype=np.uint8).reshape(n_rows, *row_shape)


def _idx_rows(path: str | Path, header: bytes, row_shape: tuple[int, ...], n_rows: int) -> int:
    """Return the number of rows that an IDX header announces, once it fits what is expected."""
    ndim = 1 + len(row_shape)
    if len(header) < 4 * (1 + ndim):
        raise ValueError(
            f"{path}: expected an IDX header of {4 * (1 + ndim)} bytes, got {len(header)}"
        )
    magic = bytes([0, 0, IDX_UINT8, ndim])
    if header[:4] != magic:
        raise ValueError(f"{path}: expected the IDX magic {magic.hex()}, got {header[:4].hex()}")
    rows, *shape = struct.unpack(f">{ndim}I", header[4:])
    if tuple(shape) != row_shape:
        raise ValueError(f"{path}: expected rows of shape {row_shape}, got {tuple(shape)}")
    if rows < n_rows:
        raise ValueError(f"{path}: expected at least {n_rows} rows, got {rows}")
    return int(rows)
