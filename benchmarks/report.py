"""What was measured, as JSON, a table and a chart; ``python -m benchmarks.report FILE`` redraws."""

import argparse
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.harness import QUICK, Plan, Result, show_seconds
from benchmarks.limits import Limits, as_json

PACKAGES = (
    "hmlc", "numpy", "scikit-learn", "scikit-learn-intelex", "faiss-cpu", "torch", "scipy", "glum",
)  # fmt: skip
SPARE = 0.2
"""Processors above its number of threads that a contender may keep busy without a remark."""


@dataclass
class Record:
    """A run of the comparison: on what, and what came of it."""

    machine: dict[str, Any]
    versions: dict[str, str]
    plan: Plan
    limits: dict[int, Limits]
    results: list[Result] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        plan = asdict(self.plan)
        plan["libraries"] = plan["libraries"] and sorted(plan["libraries"])
        return {
            "machine": self.machine,
            "versions": self.versions,
            "plan": plan,
            "limits": as_json(self.limits),
            "results": self.results,
        }


def new_record(plan: Plan, limits: dict[int, Limits]) -> Record:
    """Begin a record on this machine."""
    from hmlc import __version__, _backend

    machine = {
        "processor": _processor(),
        "processors": os.cpu_count(),
        "instruction set": _backend.instruction_set(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    return Record(machine, {**_versions(), "hmlc": __version__}, plan, limits)


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _processor() -> str:
    """Return the processor's name, its family and model where the name tells little."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    name = facts.get("model name", platform.machine())
    if "cpu family" in facts:
        name += f" (family {facts['cpu family']}, model {facts['model']})"
    return name


def describe(record: Record) -> str:
    """Return a few lines about the machine and the libraries."""
    lines = [f"{key}: {value}" for key, value in record.machine.items()]
    for limit in record.limits.values():
        lines.append(
            f"limits, {limit.threads} thread{'s' * (limit.threads > 1)}: "
            f"{limit.float32 / 1e9:.0f} GFLOP/s float32, {limit.float64 / 1e9:.0f} float64; "
            f"memory {limit.read / 1e9:.1f} GB/s read, {limit.triad / 1e9:.1f} triad"
        )
    lines.append(", ".join(f"{name} {version}" for name, version in record.versions.items()))
    return "\n".join(lines)


@dataclass(frozen=True)
class Line:
    """A row of the table, for one float type."""

    row: str
    dtype: str
    goal: float
    own: dict[int, Result]
    peers: list[tuple[int, Result]]

    @property
    def threads(self) -> int:
        """How many threads hmlc is judged by."""
        return max(self.own)

    @property
    def best(self) -> tuple[int, Result] | None:
        """The fastest peer that did the work, at any number of threads."""
        return self._fastest(self.peers)

    def ratio(self, threads: int | None = None) -> float | None:
        """Return how many times faster hmlc is than the best peer.

        Of a number of threads, or hmlc at its most against every peer at its best.
        """
        peers = [each for each in self.peers if threads in (None, each[0])]
        best, own = self._fastest(peers), self.own.get(threads or self.threads)
        if best is None or own is None or not own["ok"]:
            return None
        return float(best[1]["median"] / own["median"])

    @property
    def share_of_limit(self) -> float | None:
        """The least time the machine takes, in parts of hmlc's."""
        own = self.own[self.threads]
        return own["least"] / own["median"] if own["ok"] and "least" in own else None

    @staticmethod
    def _fastest(peers: list[tuple[int, Result]]) -> tuple[int, Result] | None:
        able = [each for each in peers if each[1]["ok"] and each[1]["counts"]]
        return min(able, key=lambda each: each[1]["median"], default=None)


def lines(record: dict[str, Any]) -> Iterator[Line]:
    """Yield the table's rows, in the order in which they were run."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in record["results"]:
        groups.setdefault((result["row"], result["dtype"]), []).append(result)
    for (row, dtype), results in groups.items():
        own, peers = {}, []
        for result in results:
            for each in result["contenders"]:
                if each["library"] == "hmlc":
                    own[result["threads"]] = each
                else:
                    peers.append((result["threads"], each))
        yield Line(row, dtype, results[0]["goal"], own, peers)


def table(record: dict[str, Any]) -> str:
    """Return the results as a table in Markdown.

    Times are medians, of all threads; the peer's at the number of threads that it does best with.
    """
    threads = sorted({result["threads"] for result in record["results"]})
    header = [
        "work", "type", *(f"hmlc, {n} thr." for n in threads), "best peer", "its time", "ratio",
        "goal", *(f"ratio at {n} thr." for n in threads[:-1]), "of the limit", "peak / X",
    ]  # fmt: skip
    rows = [header, ["---"] * len(header)]
    for line in lines(record):
        best = line.best
        own = line.own[line.threads]
        rows.append([
            line.row,
            line.dtype,
            *(_time(line.own.get(n)) for n in threads),
            f"{best[1]['name']} ({best[0]} thr.)" if best else "-",
            _time(best[1]) if best else "-",
            _ratio(line.ratio()),
            f"{line.goal:g}",
            *(_ratio(line.ratio(n)) for n in threads[:-1]),
            f"{line.share_of_limit:.0%}" if line.share_of_limit else "-",
            f"{own['peak']:.2f}" if own.get("peak") else "-",
        ])  # fmt: skip
    drawn = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*drawn, "", *_remarks(record)])


def _time(result: Result | None) -> str:
    if result is None:
        return "-"
    return show_seconds(result["median"]) if result["ok"] else "failed"


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _remarks(record: dict[str, Any]) -> Iterator[str]:
    """Yield what a reader must know beside the table, such as whose times do not count."""
    if record["plan"]["quick"]:
        yield f"A quick run, of a {QUICK}th of the rows: it measures nothing."
    for note in sorted({result["note"] for result in record["results"]} - {""}):
        yield f"Pixels: {note}."
    for result in record["results"]:
        where = f"{result['row']}, {result['dtype']}, {result['threads']} threads"
        for each in result["contenders"]:
            if "deviation" in each and not each["ok"]:
                yield (
                    f"- {each['name']}, {where}: {result['measure']} "
                    f"{each['deviation']:.1e}, above {result['limit']:.0e}"
                )
            busy = max(each.get("busy", []), default=0)
            if busy > result["threads"] + SPARE:
                yield f"- {each['name']}, {where}: kept {busy:.1f} processors busy"


def chart(record: dict[str, Any], path: Path) -> None:
    """Draw the ratio to the best peer of every row, and its goal, into a file."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FuncFormatter

    found = list(lines(record))
    names = list(dict.fromkeys(line.row for line in found))
    place = {name: i for i, name in enumerate(reversed(names))}
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.42 * len(names)), layout="constrained")
    for dtype, shift, colour in (("float64", -0.19, "#4477aa"), ("float32", 0.19, "#66ccee")):
        drawn = [(line, line.ratio()) for line in found if line.dtype == dtype]
        for line, ratio in drawn:
            if ratio is not None:
                y = place[line.row] + shift
                axes.barh(y, ratio - 1, height=0.36, left=1, color=colour)
                axes.text(
                    1.01, y, f"{ratio:.3g}", va="center", fontsize=7,
                    transform=axes.get_yaxis_transform(),
                )  # fmt: skip
        axes.barh(math.nan, math.nan, color=colour, label=dtype)
    goals = {line.row: line.goal for line in found}
    axes.scatter(
        list(goals.values()), [place[name] for name in goals], marker="|", s=150, color="black",
        linewidths=1.5, zorder=3, label="goal",
    )  # fmt: skip
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks(list(place.values()), list(place), fontsize=8)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.margins(x=0.08)
    axes.set_xlabel(f"times as fast as the best peer\n{record['machine']['processor']}", fontsize=8)
    figure.legend(loc="outside upper right", ncols=3, fontsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def joined(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return runs of one machine as one, such as those of one float type each.

    Raises
    ------
    ValueError
        If they are of different machines, or versions.
    """
    first, *others = records
    for other in others:
        for part in ("versions", "machine"):
            if other[part] | {"date": ""} != first[part] | {"date": ""}:
                raise ValueError(f"the records' {part} differ: {first[part]}, {other[part]}")
    results = [result for record in records for result in record["results"]]
    order = {row: i for i, row in enumerate(dict.fromkeys(each["row"] for each in results))}
    return first | {"results": sorted(results, key=lambda each: order[each["row"]])}


def main() -> None:
    """Print the table of a record, and draw its chart."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument(
        "records", nargs="+", type=Path, metavar="FILE", help="what --json wrote, on one machine"
    )
    parser.add_argument("--chart", type=Path, metavar="FILE")
    options = parser.parse_args()
    record = joined([json.loads(path.read_text()) for path in options.records])
    print(table(record))
    if options.chart:
        chart(record, options.chart)


if __name__ == "__main__":
    main()
