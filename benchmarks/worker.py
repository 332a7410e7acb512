"""A process that does one contender's work: commands come in, answers go out, as lines of JSON."""

import contextlib
import gc
import importlib
import json
import math
import os
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.row import Contender, Data, Row, Run

SHORTEST = 0.05
"""Seconds that a timed run lasts at least: shorter calls are repeated, after an untimed one."""


def find(module: str, name: str) -> Row:
    """Return the row of that name among a module's ROWS."""
    return next(row for row in importlib.import_module(module).ROWS if row.name == name)


def make(row: Row, n_rows: int, folder: Path) -> dict[str, Any]:
    """Write a row's data and its reference into a folder; returns what there is to tell of them."""
    data = row.make(n_rows)
    note = vars(data).pop("note", "")
    np.savez(folder / "data.npz", **vars(data))
    np.savez(folder / "reference.npz", **row.reference(data))
    work = row.work(data)
    return {"note": note, "work": None if work is None else vars(work)}


def load(path: Path, dtype: str | None = None) -> Data:
    """Return the arrays of a file, floats in one type."""
    with np.load(path) as arrays:
        data = Data(**{name: arrays[name] for name in arrays.files})
    for name, array in vars(data).items():
        if dtype is not None and array.dtype.kind == "f":
            setattr(data, name, array.astype(dtype))
    return data


class Session:
    """One contender with its data in memory, ready to run again and again."""

    def __init__(
        self, row: Row, contender: Contender, dtype: str, threads: int, folder: Path
    ) -> None:
        self.row = row
        self.dtype = dtype
        self.data = load(folder / "data.npz", dtype)
        self.reference = load(folder / "reference.npz")
        self.data.threads = threads
        _limit_threads(contender.library, threads)
        self.run: Run = contender.prepare(self.data)
        self.number = 1

    def check(self) -> dict[str, Any]:
        """Run once, judge the result, and see how often to call in each timed run."""
        before = _reset_peak()
        begin = time.perf_counter()
        result = self.run.call()
        seconds = time.perf_counter() - begin
        grown = max(_peak() - before, 0)
        deviation = self.row.quality(self.data, self.reference, self.run.answer(result))
        passes = int(self.run.passes(result))
        del result
        if seconds < SHORTEST:
            begin = time.perf_counter()
            self.run.call()
            self.number = math.ceil(SHORTEST / max(time.perf_counter() - begin, 1e-7))
        size = self.data.X.nbytes if hasattr(self.data, "X") else None
        return {
            "deviation": float(deviation),
            "ok": bool(deviation <= self.row.limit[self.dtype]),
            "first": seconds,
            "passes": passes,
            "peak": None if size is None else 1 + grown / size,
        }

    def time(self) -> dict[str, float]:
        """Return the seconds of a call, and the processors that it kept busy."""
        gc.collect()
        if self.number > 1:
            self.run.call()
        wall, busy = time.perf_counter(), time.process_time()
        for _ in range(self.number):
            self.run.call()
        wall, busy = time.perf_counter() - wall, time.process_time() - busy
        return {"seconds": wall / self.number, "busy": busy / wall}


def _limit_threads(library: str, threads: int) -> None:
    """Limit what the environment variables, set before, do not."""
    if library == "torch":
        importlib.import_module("torch").set_num_threads(threads)
    elif library == "faiss":
        importlib.import_module("faiss").omp_set_num_threads(threads)
    elif library == "sklearnex":
        importlib.import_module("daal4py").daalinit(threads)


def _peak() -> int:
    """Return the most memory held since the last reset, in bytes."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(ModuleNotFoundError):
        resource = importlib.import_module("resource")
        unit = 1 if sys.platform == "darwin" else 1024
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * unit
    return 0


def _reset_peak() -> int:
    """Let the peak begin anew, where the system can, and return it."""
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


class _Worker:
    """Carries commands out; one contender at most lives in it."""

    session: Session

    def make(self, module: str, row: str, n_rows: int, folder: str) -> dict[str, Any]:
        return make(find(module, row), n_rows, Path(folder))

    def prepare(
        self, module: str, row: str, contender: str, dtype: str, threads: int, folder: str
    ) -> dict[str, Any]:
        found = find(module, row)
        chosen = next(each for each in found.contenders if each.name == contender)
        self.session = Session(found, chosen, dtype, threads, Path(folder))
        return self.session.check()

    def time(self) -> dict[str, float]:
        return self.session.time()


def main() -> None:
    """Answer commands until there are no more; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    worker = _Worker()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(worker, command.pop("do"))(**command)
        except ModuleNotFoundError as error:
            answer = {"missing": str(error.name)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
