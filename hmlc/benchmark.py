"""What compiling buys: every kernel timed as compiled C, as NumPy and as plain Python.

The three do the same work on the same data in the same run, and their results are compared before
a time counts.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hmlc import _backend
from hmlc._workloads import WORKLOADS, Workload

__all__ = ["WORKLOADS", "Timing", "checked_calls", "format_table", "run_all", "time_workload"]

BACKENDS = ("c", "numpy", "python")
REPEATS = 5
MIN_SECONDS = 0.01
"""A repeat runs the kernel as often as it takes to last this long, so that a clock can see it."""


@dataclass(frozen=True)
class Timing:
    """Median seconds of one kernel call, by backend."""

    kernel: str
    work: str
    seconds: dict[str, float]

    def speed_up(self, over: str) -> float:
        """Return how many times faster the compiled kernel is than `over`."""
        return self.seconds[over] / self.seconds["c"]


def run_all() -> Iterator[Timing]:
    """Check and time every kernel; yields each result as it is there.

    Raises
    ------
    AssertionError
        If the backends do not agree on a kernel's result.
    """
    for workload in WORKLOADS:
        yield time_workload(workload)


def time_workload(workload: Workload) -> Timing:
    """Compare the backends' results on one kernel's work, then time them in turn."""
    calls = checked_calls(workload)
    numbers = {name: _calls_per_repeat(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in BACKENDS}
    for _ in range(REPEATS):
        for name, call in calls.items():
            times[name].append(_seconds(call, numbers[name]) / numbers[name])
    medians = {name: statistics.median(values) for name, values in times.items()}
    return Timing(workload.kernel, workload.work, medians)


def checked_calls(workload: Workload) -> dict[str, Callable[[], list[Any]]]:
    """Return a call of the kernel for each backend, after all have agreed on its result.

    Raises
    ------
    AssertionError
        If they do not.
    """
    calls = {name: _prepare(workload, name) for name in BACKENDS}
    _compare(workload, {name: call() for name, call in calls.items()})
    return calls


def _prepare(workload: Workload, name: str) -> Callable[[], list[Any]]:
    """Return a call of the kernel on data of its own, that gives back all it wrote."""
    family, function = workload.kernel.split(".")
    kernel = getattr(getattr(_backend._BACKENDS[name], family), function)
    arguments = workload.arguments(np.random.default_rng(0))

    def call() -> list[Any]:
        returned = kernel(*arguments)
        return [*arguments, returned]

    return call


def _compare(workload: Workload, results: dict[str, list[Any]]) -> None:
    for name in BACKENDS[1:]:
        for index, (expected, got) in enumerate(zip(results["c"], results[name], strict=True)):
            if isinstance(expected, (np.ndarray, float)):
                np.testing.assert_allclose(
                    workload.defined(got),
                    workload.defined(expected),
                    rtol=workload.tolerance,
                    atol=workload.tolerance,
                    err_msg=f"{workload.kernel}: argument {index} differs between c and {name}",
                )


def _seconds(call: Callable[[], Any], number: int) -> float:
    begin = time.perf_counter()
    for _ in range(number):
        call()
    return time.perf_counter() - begin


def _calls_per_repeat(call: Callable[[], Any]) -> int:
    once = max(_seconds(call, 1), 1e-7)
    return max(1, round(MIN_SECONDS / once))


def format_table(timings: list[Timing]) -> str:
    """Return the results as a table for a terminal."""
    header = (
        f"{'kernel':<32} {'work':<26} {'C ms':>9} {'NumPy ms':>9} {'Python ms':>10} "
        f"{'x NumPy':>8} {'x Python':>9}"
    )
    lines = [header, "-" * len(header)]
    for timing in timings:
        c, numpy, python = (1e3 * timing.seconds[name] for name in BACKENDS)
        lines.append(
            f"{timing.kernel:<32} {timing.work:<26} {c:>9.3f} {numpy:>9.3f} {python:>10.1f} "
            f"{timing.speed_up('numpy'):>8.1f} {timing.speed_up('python'):>9.0f}"
        )
    return "\n".join(lines)
