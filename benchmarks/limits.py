"""The machine's own limits, measured: peak of multiply-adds, and memory bandwidth."""

import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.row import Work

SOURCE = Path(__file__).with_name("limits.c")
FLOATS_MOVED = 64 << 20
"""Of each array of the bandwidth loops, over all threads: 256 MiB, far above any cache."""
ROUNDS = 20_000_000
REPEATS = 5


@dataclass(frozen=True)
class Limits:
    """Of so many threads: operations a second by float type, and bytes a second."""

    threads: int
    float32: float
    float64: float
    read: float
    triad: float

    def seconds(self, work: Work, dtype: str) -> float:
        """Return the least time for some work: that of the tighter of the two ceilings."""
        size = np.dtype(dtype).itemsize
        moving = size * (work.read / self.read + work.written / self.triad)
        return max(work.flops / getattr(self, dtype), moving)


def measure(threads: int) -> Limits:
    """Compile the loops with the system's compiler, and run them on so many threads.

    Raises
    ------
    OSError, subprocess.CalledProcessError
        If there is no working C compiler `cc`.
    """
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "limits.so"
        flags = ["-O2", "-march=native", "-ffp-contract=fast", "-ftree-vectorize", "-fPIC"]
        subprocess.run(["cc", *flags, "-shared", "-o", library, SOURCE], check=True)
        loops = ctypes.CDLL(str(library))
        with ThreadPoolExecutor(threads) as pool:
            return Limits(
                threads,
                float32=_flops(loops.multiply_add_float, ctypes.c_float, threads, pool),
                float64=_flops(loops.multiply_add_double, ctypes.c_double, threads, pool),
                read=_bandwidth(loops.read_all, 1, threads, pool),
                triad=_bandwidth(loops.triad, 3, threads, pool),
            )


def as_json(limits: dict[int, Limits]) -> list[dict[str, Any]]:
    """Return what the report keeps of them."""
    return [asdict(limit) for limit in limits.values()]


def _flops(loop: Any, real: Any, threads: int, pool: ThreadPoolExecutor) -> float:
    loop.restype = ctypes.c_double
    loop.argtypes = [ctypes.c_ssize_t, ctypes.POINTER(real)]
    done = [0.0] * threads

    def run(thread: int) -> None:
        done[thread] = loop(ROUNDS, ctypes.byref(real()))

    seconds = _best_seconds(run, threads, pool)
    return sum(done) / seconds


def _bandwidth(loop: Any, n_arrays: int, threads: int, pool: ThreadPoolExecutor) -> float:
    loop.restype = ctypes.c_float if n_arrays == 1 else None
    loop.argtypes = [ctypes.c_ssize_t] + [ctypes.c_void_p] * n_arrays
    n = FLOATS_MOVED // threads // 64 * 64
    arrays = [[np.ones(n, np.float32) for _ in range(n_arrays)] for _ in range(threads)]

    def run(thread: int) -> None:
        loop(n, *(array.ctypes.data for array in arrays[thread]))

    return 4 * n_arrays * n * threads / _best_seconds(run, threads, pool)


def _best_seconds(run: Callable[[int], None], threads: int, pool: ThreadPoolExecutor) -> float:
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        list(pool.map(run, range(threads)))
        times.append(time.perf_counter() - begin)
    return min(times)
