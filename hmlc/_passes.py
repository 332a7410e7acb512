"""A pass over rows: cut into lanes, run a kernel over each on some threads, reduce in a fixed tree.

Every statistic here is a sum over rows (Chu et al., "Map-Reduce for Machine Learning on Multicore",
NIPS 2006). Rows are cut into lanes, each a run of whole blocks with a partial sum of its own; which
thread runs a lane leaves no trace, so the result does not depend on the number of threads. How
rows are cut is a function of shapes alone.
"""

import contextlib
import functools
import math
import operator
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Partial = TypeVar("Partial")
Array = NDArray[Any]

BLOCK_ROWS = 256
"""HMLC_BLOCK_ROWS of the C sources: kernels sum rows in blocks of this many."""

MAX_LANES = 64
PARTIALS_BYTES = 8 << 20
"""Partial sums may take this much together, or MIN_LANES of them whatever they take."""
MIN_LANES = 4
CALL_BYTES = 4 << 20
"""Rows are handed to a kernel in pieces of about this size, so that Ctrl-C is answered between."""
PIECES_EACH = 4
"""Into how many pieces a thread's rows are cut, for another to take where one is held up."""
CONVERT_BYTES = 256 << 10
"""Rows of another dtype or layout are converted in pieces that stay in cache."""
LANE_FLOPS = 4_000_000
"""A lane's work is at least about this: to hand it over costs as much as a tenth of it."""
SERIAL_FLOPS = 2_000_000
"""About 0.2 ms of work: below, waking a thread costs more than it saves."""


def lane_bounds(n_rows: int, partial_bytes: int = 0, flops_per_row: float = math.inf) -> list[int]:
    """Return the first row of every lane, and n_rows: whole blocks, nearly equal lanes."""
    n_blocks = -(-n_rows // BLOCK_ROWS)
    affordable = MAX_LANES if not partial_bytes else max(MIN_LANES, PARTIALS_BYTES // partial_bytes)
    worthwhile = max(MIN_LANES, n_rows * flops_per_row / LANE_FLOPS)
    n_lanes = int(max(1, min(MAX_LANES, n_blocks, affordable, worthwhile)))
    starts = [BLOCK_ROWS * (n_blocks * lane // n_lanes) for lane in range(n_lanes)]
    return [*starts, n_rows]


def _is_direct(X: Array, dtype: DTypeLike) -> bool:
    """Return whether a kernel of that dtype can read X as it lies."""
    return X.dtype == dtype and X.flags.c_contiguous and X.flags.aligned


class _Stopped(Exception):
    """Raised in a thread whose work is in vain, for another was interrupted or has failed."""


class RowReader:
    """Rows of a matrix as C-contiguous pieces of the kernels' float type.

    An array that already is just that is sliced; any other is converted piece by piece into a
    buffer, never as a whole. After `stop` no thread is given another piece.
    """

    def __init__(self, X: Array, dtype: DTypeLike) -> None:
        self.X = X
        self.dtype = np.dtype(dtype)
        self.is_direct = _is_direct(X, self.dtype)
        piece_bytes = CALL_BYTES if self.is_direct else CONVERT_BYTES
        row_bytes = max(1, X.shape[1] * self.dtype.itemsize)
        self.piece_rows = max(1, piece_bytes // row_bytes // BLOCK_ROWS) * BLOCK_ROWS
        self.is_stopped = False

    def stop(self) -> None:
        """End what other threads are at, with the pieces that they have."""
        self.is_stopped = True

    def pieces(self, start: int, stop: int) -> Any:
        """Yield (rows, first, last) over rows start to stop; all but the last are whole blocks."""
        buffer = None
        for first in range(start, stop, self.piece_rows):
            if self.is_stopped:
                raise _Stopped
            last = min(first + self.piece_rows, stop)
            rows = self.X[first:last]
            if not self.is_direct:
                if buffer is None:
                    buffer = np.empty((last - first, self.X.shape[1]), self.dtype)
                np.copyto(buffer[: last - first], rows, casting="unsafe")
                rows = buffer[: last - first]
            yield rows, first, last


class _Tree(Generic[Partial]):
    """Sums lanes' partials in pairs, pairs of pairs and so on, each as soon as both are there.

    So few of them are held at a time; which is there first does not show in the sum.
    """

    def __init__(self, n_lanes: int, merge: Callable[[Partial, Partial], None]) -> None:
        self.n_lanes = n_lanes
        self.merge = merge
        self.waiting: dict[tuple[int, int], Partial] = {}
        self.lock = threading.Lock()
        self.total: list[Partial] = []

    def join(self, lane: int, partial: Partial) -> None:
        """Take a lane's partial."""
        width = 1
        while width < self.n_lanes:
            sibling = lane ^ width
            if sibling < self.n_lanes:
                with self.lock:
                    if (sibling, width) not in self.waiting:
                        self.waiting[lane, width] = partial
                        return
                    other = self.waiting.pop((sibling, width))
                left, right = (partial, other) if lane < sibling else (other, partial)
                self.merge(left, right)
                lane, partial = min(lane, sibling), left
            width *= 2
        self.total.append(partial)


def reduce_rows(
    X: Array,
    dtype: DTypeLike,
    kernel: Callable[[Array, int, int, Partial], None],
    new_partial: Callable[[], Partial],
    merge: Callable[[Partial, Partial], None],
    *,
    n_jobs: int | None = None,
    flops_per_row: float = 1.0,
    partial_bytes: int = 0,
    last_first: bool = False,
) -> Partial:
    """Sum a kernel's statistic over all rows.

    Parameters
    ----------
    X : array of shape (n_rows, n_columns)
        Any real dtype and layout.
    dtype : float32 or float64
        What the kernel takes.
    kernel : callable(rows, first, last, partial)
        Adds rows X[first:last], given as a C-contiguous array of `dtype`, to `partial`.
    new_partial : callable()
        Returns an empty partial sum.
    merge : callable(left, right)
        Adds `right`, the sum over later rows, to `left`.
    n_jobs : int, optional
        Threads; see `n_threads`.
    flops_per_row : float
        About how many operations the kernel spends on a row; decides whether threads are worth it.
    partial_bytes : int
        Size of a partial: where it is large there are fewer lanes.
    last_first : bool
        Whether to begin with the last lane, whose rows a pass before has left in cache. The sum is
        the same.
    """
    bounds = lane_bounds(len(X), partial_bytes, flops_per_row)
    tree = _Tree(len(bounds) - 1, merge)
    reader = RowReader(X, dtype)

    def run_lane(index: int) -> None:
        lane = len(bounds) - 2 - index if last_first else index
        partial = new_partial()
        for rows, first, last in reader.pieces(bounds[lane], bounds[lane + 1]):
            kernel(rows, first, last, partial)
        tree.join(lane, partial)

    threads = n_threads(n_jobs) if len(X) * flops_per_row > SERIAL_FLOPS else 1
    run_tasks(run_lane, len(bounds) - 1, threads, reader.stop)
    return tree.total[0]


def map_rows(
    X: Array,
    dtype: DTypeLike,
    kernel: Callable[[Array, int, int], None],
    *,
    n_jobs: int | None = None,
    flops_per_row: float = 1.0,
) -> None:
    """Run kernel(rows, first, last) over all rows, for what it writes; see `reduce_rows`.

    Nothing is summed, so rows need no lanes: they are cut into few pieces, for a call prepares what
    all its rows share. Little work on rows that need no conversion is one call.
    """
    is_small = len(X) * flops_per_row <= SERIAL_FLOPS
    if is_small and X.nbytes <= CALL_BYTES and _is_direct(X, dtype):
        kernel(X, 0, len(X))
        return
    reader = RowReader(X, dtype)
    threads = 1 if is_small else n_threads(n_jobs)
    n_shares = 1 if threads == 1 else threads * PIECES_EACH
    size = min(max(1, -(-len(X) // (BLOCK_ROWS * n_shares))) * BLOCK_ROWS, reader.piece_rows)

    def run_piece(piece: int) -> None:
        start = piece * size
        for rows, first, last in reader.pieces(start, min(start + size, len(X))):
            kernel(rows, first, last)

    run_tasks(run_piece, -(-len(X) // size), threads, reader.stop)


def _positive_int(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdigit() and int(text) > 0 else None


def _cgroup_cpus() -> int | None:
    """Return the processors that the control group allows (cgroup v2 cpu.max), rounded up."""
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
        if quota != "max":
            return max(1, -(-int(quota) // int(period)))
    return None


def available_cpus() -> int:
    """Return how many processors this process may use."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cpus = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return min(cpus, _cgroup_cpus() or cpus)


_CPUS = available_cpus()


def n_threads(n_jobs: int | None = None) -> int:
    """Return the number of threads to use.

    n_jobs counts as in scikit-learn: -1 is all processors. None is HMLC_NUM_THREADS, or all
    processors; but never more than OMP_NUM_THREADS, by which joblib and Dask bound their
    workers, and 1 in any thread but the main one, where somebody else's pool runs already.
    """
    if n_jobs is not None:
        return n_jobs if n_jobs > 0 else max(1, _CPUS + 1 + n_jobs)
    if threading.current_thread() is not threading.main_thread():
        return 1
    wanted = _positive_int(os.environ.get("HMLC_NUM_THREADS"))
    return wanted or min(_CPUS, _positive_int(os.environ.get("OMP_NUM_THREADS")) or _CPUS)


class _Worker:
    """A thread that waits for work; handed over by two locks, which is cheaper than a queue."""

    def __init__(self) -> None:
        self.work: Callable[[], None] = lambda: None
        self.go = threading.Lock()
        self.done = threading.Lock()
        self.go.acquire()
        self.done.acquire()
        threading.Thread(target=self._serve, name="hmlc", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self.go.acquire()
            self.work()
            self.work = lambda: None
            self.done.release()

    def start(self, work: Callable[[], None]) -> None:
        self.work = work
        self.go.release()


_workers: list[_Worker] = []
_pool_lock = threading.Lock()


def _drop_pool() -> None:
    """Forget the threads, which do not exist in a forked child."""
    global _pool_lock
    _workers.clear()
    _pool_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_pool)


def run_tasks(
    task: Callable[[int], None],
    count: int,
    threads: int,
    stop: Callable[[], None] = lambda: None,
) -> None:
    """Run task(0) ... task(count - 1) on up to `threads` threads, the caller's among them.

    The first exception, Ctrl-C included, ends the others, and is raised here when all have ended:
    `stop` is called to end the tasks that they are at, and no other begins. While the pool is busy
    with another caller's tasks these run on the caller's thread alone.
    """
    threads = min(threads, count)

    def alone() -> None:
        for index in range(count):
            task(index)

    _hold_pool(threads, lambda: _run_on_pool(task, count, threads, stop), alone)


def run_together(task: Callable[[int, int], None], threads: int) -> None:
    """Run task(0, count) ... task(count - 1, count) all at the same time, each on its own thread.

    So they may wait for one another. `count` is `threads`, or 1 while the pool is busy with another
    caller's tasks. Ctrl-C is raised when all have ended.
    """
    _hold_pool(threads, lambda: _run_team(task, threads), lambda: task(0, 1))


def _hold_pool(threads: int, on_pool: Callable[[], None], alone: Callable[[], None]) -> None:
    """Run one of two, as more than one thread is wanted and the pool is free, or not."""
    held: list[bool] = []
    try:
        # An interruption between taking the lock and noting it would leave the pool busy for ever.
        held += map(_pool_lock.acquire, [False] if threads > 1 else [])
        if held == [True]:
            on_pool()
        else:
            alone()
    finally:
        if held == [True]:
            _pool_lock.release()


def _run_on_pool(
    task: Callable[[int], None], count: int, threads: int, stop: Callable[[], None]
) -> None:
    while len(_workers) < threads - 1:
        _workers.append(_Worker())
    waiting = deque(range(count))
    errors: list[BaseException] = []

    def end() -> None:
        waiting.clear()
        stop()

    def drain() -> None:
        try:
            while waiting:
                try:
                    index = waiting.popleft()
                except IndexError:
                    return
                task(index)
        except _Stopped:
            return
        except BaseException as error:
            end()
            errors.append(error)

    helpers = _workers[: threads - 1]
    for worker in helpers:
        worker.work = drain
    starts, ends = [w.go.release for w in helpers], [w.done.acquire for w in helpers]
    errors += _run_through([*starts, drain, *ends], end)
    if errors:
        raise errors[0]


def _run_team(task: Callable[[int, int], None], threads: int) -> None:
    """Let a worker start the others, for half a team would wait for ever for the other half.

    Only the caller's thread can be interrupted.
    """
    while len(_workers) < threads:
        _workers.append(_Worker())
    leader, *others = _workers[:threads]
    errors: list[BaseException] = []

    def take_part(thread: int) -> None:
        try:
            task(thread, threads)
        except BaseException as error:
            errors.append(error)

    def lead() -> None:
        for thread, worker in enumerate(others, start=1):
            worker.start(functools.partial(take_part, thread))
        take_part(0)
        for worker in others:
            worker.done.acquire()

    leader.work = lead
    errors += _run_through([leader.go.release, leader.done.acquire], lambda: None)
    if errors:
        raise errors[0]


def _run_through(
    calls: Sequence[Callable[[], Any]], on_interrupt: Callable[[], None]
) -> list[KeyboardInterrupt]:
    """Make all calls in turn, through Ctrl-C too once one is made; returns the interruptions.

    Until the threads that were started have ended, the caller's buffers are theirs. Calling and
    noting it is one go, as C runs it: an interruption falls before, or into the waiting, never
    between.
    """
    done: list[Any] = []
    interruptions: list[KeyboardInterrupt] = []
    try:
        while len(done) < len(calls):
            try:
                done.extend(map(operator.call, calls[len(done) :]))
            except KeyboardInterrupt as error:
                if not done:
                    raise
                interruptions.append(error)
                on_interrupt()
    finally:
        if 0 < len(done) < len(calls):
            # Interrupted while it dealt with an interruption: these threads are not free.
            _workers.clear()
    return interruptions
