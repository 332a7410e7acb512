"""Runs the rows: every contender in a process of its own, one at work at a time, in turns."""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Self

from benchmarks.limits import Limits
from benchmarks.row import Row, Work

QUICK = 20
"""A quick run takes this part of the rows."""
LONG = 10.0
"""Seconds of a run so long that the one that is checked counts as well."""

CAN_STOP = hasattr(signal, "SIGSTOP")

Say = Callable[[str], None]
Result = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What to run of each row: no more turns for a contender that has run for `budget` seconds."""

    threads: tuple[int, ...] = (1, 2)
    dtypes: tuple[str, ...] = ("float32", "float64")
    repeats: int = 5
    budget: float = 30.0
    quick: bool = False
    libraries: frozenset[str] | None = None


class WorkerError(RuntimeError):
    """A worker could not do what it was told."""


class Worker:
    """A process of `benchmarks.worker`, stopped whenever it is not its turn.

    Libraries let their threads spin for a while after a call; that must not slow the next one.
    """

    def __init__(self, threads: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(threads),
            text=True,
        )
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def __call__(self, do: str, **arguments: Any) -> Result:
        """Do one command and return its answer.

        Raises
        ------
        ModuleNotFoundError
            If the library that it needs is not installed.
        WorkerError
            If anything else goes wrong.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if CAN_STOP:
            self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(f"the process ended with status {self.process.wait()}")
        self._stop()
        answer: Result = json.loads(line)
        if "missing" in answer:
            raise ModuleNotFoundError(answer["missing"])
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _stop(self) -> None:
        if CAN_STOP:
            self.process.send_signal(signal.SIGSTOP)


def _environment(threads: int) -> dict[str, str]:
    """Return the environment of a process of so many threads, its libraries at their best."""
    environment = dict(os.environ)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        environment.pop(name, None)
    for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "HMLC"):
        environment[f"{library}_NUM_THREADS"] = str(threads)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return environment


def run(row: Row, plan: Plan, limits: dict[int, Limits], say: Say) -> Iterator[Result]:
    """Run a row; yields a result for each float type and number of threads."""
    with _data(row, plan, say) as (folder, made):
        for dtype in (each for each in plan.dtypes if each in row.dtypes):
            for threads in plan.threads:
                say(f"\n{row.name}, {dtype}, {threads} thread{'s' * (threads > 1)}")
                yield {
                    "row": row.name,
                    "goal": row.goal,
                    "measure": row.measure,
                    "limit": row.limit[dtype],
                    "note": made["note"],
                    "dtype": dtype,
                    "threads": threads,
                    "contenders": _take_turns(
                        row, plan, dtype, threads, folder, _least(made, dtype, limits[threads]), say
                    ),
                }


def _least(made: Result, dtype: str, limit: Limits) -> float | None:
    """Return the least seconds that the machine takes for one pass."""
    return None if made["work"] is None else limit.seconds(Work(**made["work"]), dtype)


@contextmanager
def _data(row: Row, plan: Plan, say: Say) -> Iterator[tuple[str, Result]]:
    """Make a row's data and reference, for as long as they are needed."""
    with tempfile.TemporaryDirectory(prefix="hmlc-bench-") as folder:
        say(f"\n{row.name}: making data and reference")
        n_rows = row.n_rows // (QUICK if plan.quick else 1)
        with Worker(max(plan.threads)) as worker:
            made = worker("make", module=row.module, row=row.name, n_rows=n_rows, folder=folder)
        yield folder, made


def _take_turns(
    row: Row, plan: Plan, dtype: str, threads: int, folder: str, least: float | None, say: Say
) -> list[Result]:
    """Check every contender, then time those that did the work: A B C, A B C, ..."""
    results, playing = [], []
    with ExitStack() as stack:
        for contender in row.contenders:
            if dtype not in contender.dtypes:
                continue
            if plan.libraries is not None and contender.library not in plan.libraries:
                continue
            worker = stack.enter_context(Worker(threads))
            job = {"module": row.module, "row": row.name, "contender": contender.name}
            result: Result = {
                "name": contender.name, "library": contender.library, "counts": contender.counts,
            }  # fmt: skip
            results.append(result)
            try:
                result |= worker("prepare", **job, dtype=dtype, threads=threads, folder=folder)
            except ModuleNotFoundError as error:
                result |= {"ok": False, "why": f"{error} is not installed"}
            except WorkerError as error:
                result |= {"ok": False, "why": str(error)}
            say(_told(result, row, dtype))
            if result["ok"]:
                result |= {"seconds": [], "busy": []}
                if result["first"] > LONG:
                    result["seconds"].append(result["first"])
                if least is not None:
                    result["least"] = least * result["passes"]
                playing.append((result, worker))
            else:
                worker.__exit__()
        for _ in range(plan.repeats):
            for result, worker in playing:
                if sum(result["seconds"]) < plan.budget and len(result["seconds"]) < plan.repeats:
                    timed = worker("time")
                    result["seconds"].append(timed["seconds"])
                    result["busy"].append(timed["busy"])
    for result, _ in playing:
        result["median"] = statistics.median(result["seconds"])
        result["min"] = min(result["seconds"])
        say(f"  {result['name']:<28} {show_seconds(result['median']):>10}")
    return results


def _told(result: Result, row: Row, dtype: str) -> str:
    if "why" in result:
        return f"  {result['name']:<28} {result['why'].strip().splitlines()[-1]}"
    sign = "<=" if result["ok"] else "not <="
    deviation = f"{result['deviation']:.2e} {sign} {row.limit[dtype]:.0e}"
    return f"  {result['name']:<28} {row.measure}: {deviation}"


def show_seconds(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def failures(results: list[Result]) -> list[str]:
    """Return every work that hmlc did not do to the quality asked for."""
    return [
        f"{result['row']}, {result['dtype']}, {result['threads']} threads: "
        + each.get("why", f"{result['measure']} {each.get('deviation')} > {result['limit']}")
        for result in results
        for each in result["contenders"]
        if each["library"] == "hmlc" and not each["ok"]
    ]
