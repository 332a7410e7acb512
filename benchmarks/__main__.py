"""Compare hmlc with every peer installed: ``python -m benchmarks``."""

import argparse
import fnmatch
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import harness, limits, report
from benchmarks.row import FLOATS, Row
from benchmarks.rows import all_rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; returns 1 where hmlc did not do some work to the quality asked for."""
    options = _parser().parse_args(arguments)
    rows = [row for row in all_rows() if _is_meant(row, options.only)]
    if not rows:
        names = "\n  ".join(row.name for row in all_rows())
        print(f"no row matches {' '.join(options.only)}; they are\n  {names}", file=sys.stderr)
        return 2
    plan = harness.Plan(
        threads=tuple(sorted(set(options.threads))),
        dtypes=tuple(options.dtypes),
        repeats=options.repeats,
        budget=options.budget,
        quick=options.quick,
        libraries=None if options.libraries is None else frozenset(["hmlc", *options.libraries]),
    )
    record = report.new_record(plan, {n: limits.measure(n) for n in plan.threads})
    print(report.describe(record), flush=True)
    for row in rows:
        for result in harness.run(row, plan, record.limits, lambda text: print(text, flush=True)):
            record.results.append(result)
            if options.json:
                options.json.write_text(json.dumps(record.as_json(), indent=1))
    print("\n" + report.table(record.as_json()))
    if options.chart:
        report.chart(record.as_json(), options.chart)
    failures = harness.failures(record.results)
    for failure in failures:
        print(f"hmlc failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _is_meant(row: Row, patterns: Sequence[str]) -> bool:
    return not patterns or any(
        fnmatch.fnmatch(row.name.lower(), f"*{pattern.lower()}*") for pattern in patterns
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="PATTERN",
        help="rows whose names contain one of these; * and ? as in file names",
    )  # fmt: skip
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument("--dtypes", nargs="+", choices=FLOATS, default=list(FLOATS))
    parser.add_argument("--repeats", type=int, default=5, metavar="N")
    parser.add_argument(
        "--budget", type=float, default=30.0, metavar="SECONDS",
        help="of runs of one contender, after which it gets no more (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        "--libraries", nargs="*", metavar="NAME", help="peers to run (default: all installed)"
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"a {harness.QUICK}th of the rows: a test of the suite"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all that was measured")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the ratios")
    return parser


if __name__ == "__main__":
    sys.exit(main())
