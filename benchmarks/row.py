"""What a row of the comparison is: work, who does it, and what counts as having done it."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

Data = SimpleNamespace
"""Named arrays. Floats are made as float32, so that both float types see the same numbers."""

FLOATS = ("float32", "float64")


@dataclass(frozen=True)
class Run:
    """One contender's work on data that it has been given.

    `call` is timed; `answer` brings what it returned into the form that the row's quality takes.
    `passes` tells how often the data were gone through, where that is not the same for all.
    """

    call: Callable[[], Any]
    answer: Callable[[Any], Any]
    passes: Callable[[Any], int] = lambda result: 1


@dataclass(frozen=True)
class Contender:
    """A library, perhaps one of several ways to use it.

    One that does not count is shown beside the others, but is not among the peers to beat: it is
    hmlc's own method written by hand.
    """

    library: str
    prepare: Callable[[Data], Run]
    way: str = ""
    counts: bool = True
    dtypes: tuple[str, ...] = FLOATS

    @property
    def name(self) -> str:
        """Library and way."""
        return f"{self.library} {self.way}".strip()


@dataclass(frozen=True)
class Work:
    """The least that one pass needs: operations, and numbers moved between memory and processor."""

    flops: float
    read: float
    written: float = 0.0


@dataclass(frozen=True)
class Row:
    """One line of the table.

    A contender has done the work where `quality`, a deviation from `reference` that is computed in
    float64 by neither, is at most `limit`; `measure` says what it is. `work` is None where nothing
    bounds the time from below. A quick run takes a 20th of `n_rows`.
    """

    module: str
    name: str
    goal: float
    n_rows: int
    make: Callable[[int], Data]
    reference: Callable[[Data], dict[str, Any]]
    measure: str
    quality: Callable[[Data, Data, Any], float]
    limit: dict[str, float]
    contenders: tuple[Contender, ...]
    work: Callable[[Data], Work | None] = lambda data: None
    dtypes: tuple[str, ...] = FLOATS


def both(limit: float) -> dict[str, float]:
    """Return one limit for both float types."""
    return dict.fromkeys(FLOATS, limit)


def normal(rng: np.random.Generator, *shape: int) -> Any:
    """Return standard normal float32 numbers."""
    return rng.standard_normal(shape, dtype=np.float32)


def relative(value: Any, expected: Any) -> float:
    """Return the largest deviation from what is expected, in parts of the largest of that."""
    difference = np.max(np.abs(np.asarray(value, np.float64) - expected))
    return float(difference / np.max(np.abs(expected)))
