"""What a fit tells while it runs: to a callback, which may end it, and to the screen."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hmlc import _validate

Report = Callable[[int, float], bool]
"""What a minimiser calls after each iteration, with the cost; True means that it is to end."""


@dataclass(frozen=True)
class Progress:
    """What a fit's callback sees after each iteration.

    Attributes
    ----------
    iteration : int
        From 1 on: steps, or epochs of the mini-batch methods.
    cost : float
        The cost after it, as in ``cost_history_``.
    elapsed : float
        Seconds since the fit began.
    part : str
        Which of several minimisations this is (a class of one against the rest, a run of
        k-means); "" where there is one.

    Examples
    --------
    A callback that returns a true value ends the fit, which keeps what it has reached.

    >>> from hmlc import LinearRegression
    >>> model = LinearRegression(
    ...     solver="gradient_descent", callback=lambda progress: progress.iteration == 1
    ... )
    >>> model.fit([[1.0], [2.0], [4.0]], [1.0, 3.0, 4.0]).n_iter_
    1
    """

    iteration: int
    cost: float
    elapsed: float
    part: str


Callback = Callable[[Progress], Any]
Show = Callable[[Progress], None]


class Iterative(Protocol):
    """An estimator that is fitted step by step."""

    max_iter: int
    verbose: Any
    callback: Callback | None


class Reporter:
    """Takes reports of a fit's iterations; once the callback has ended the fit, all are told so."""

    def __init__(self, callback: Callback | None, show: Show) -> None:
        self._callback, self._show = callback, show
        self._start = time.perf_counter()
        self.is_ended = False

    def __call__(self, iteration: int, cost: float) -> bool:
        """Take the report of a fit that is one minimisation."""
        return self._take(iteration, cost, "")

    def of(self, part: str) -> Report:
        """Return what takes the reports of one of several minimisations."""
        return lambda iteration, cost: self._take(iteration, cost, part)

    def _take(self, iteration: int, cost: float, part: str) -> bool:
        elapsed = time.perf_counter() - self._start
        progress = Progress(int(iteration), float(cost), elapsed, part)
        self._show(progress)
        if self._callback is not None and self._callback(progress):
            self.is_ended = True
        return self.is_ended


def counted_from(before: int, report: Report) -> Report:
    """Return what takes the reports of a minimisation that follows iterations of another."""
    return lambda iteration, cost: report(before + iteration, cost)


def quiet(iteration: int, cost: float) -> bool:
    """Take a report of what nobody is told of."""
    return False


def check_reporting(estimator: Iterative) -> None:
    """Raise a TypeError or ValueError where `verbose` or `callback` is not of its kind."""
    if not isinstance(estimator.verbose, (bool, np.bool_)):
        _validate.check_integer(estimator.verbose, "verbose", low=0)
    if estimator.callback is not None and not callable(estimator.callback):
        raise TypeError(f"callback must be None or callable; got {estimator.callback!r}")


@contextmanager
def reporting(estimator: Iterative) -> Iterator[Reporter]:
    """Report a fit to an estimator's callback, and where `verbose` to the screen.

    From 1 on that is a bar where tqdm is installed, else a line for each iteration; from 2 on a
    line for each.
    """
    name = type(estimator).__name__
    if not estimator.verbose:
        yield Reporter(estimator.callback, lambda progress: None)
    elif estimator.verbose >= 2 or (bar_class := _tqdm()) is None:
        yield Reporter(estimator.callback, lambda progress: print(_line(name, progress)))
    else:
        with bar_class(total=estimator.max_iter, desc=name, unit="step") as bar:
            yield Reporter(estimator.callback, lambda progress: _move(bar, name, progress))


def _tqdm() -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm


def _named(name: str, progress: Progress) -> str:
    return f"{name}, {progress.part}" if progress.part else name


def _line(name: str, progress: Progress) -> str:
    return f"{_named(name, progress)}: iteration {progress.iteration}, cost {progress.cost:.8g}"


def _move(bar: Any, name: str, progress: Progress) -> None:
    bar.set_description(_named(name, progress), refresh=False)
    bar.set_postfix_str(f"cost {progress.cost:.6g}", refresh=False)
    bar.update(progress.iteration - bar.n)
