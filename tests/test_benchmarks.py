"""The comparison with other libraries: what it refuses, what it times, what it draws."""

import importlib
import inspect
import json
import sys
import textwrap
from pathlib import Path

import pytest

from hmlc import cli
from hmlc._workloads import WORKLOADS

CHECKOUT = Path(__file__).parent.parent
# Last, so that an hmlc that is installed comes before one that lies unbuilt beside benchmarks/.
sys.path.append(str(CHECKOUT))

__main__ = pytest.importorskip("benchmarks.__main__", reason="benchmarks/ is in a checkout only")
harness = pytest.importorskip("benchmarks.harness")
kernels = pytest.importorskip("benchmarks.kernels")
report = pytest.importorskip("benchmarks.report")
Limits = pytest.importorskip("benchmarks.limits").Limits
all_rows = pytest.importorskip("benchmarks.rows").all_rows

PLAN = harness.Plan(threads=(1,), dtypes=("float64",), repeats=2)
LIMITS = {1: Limits(1, float32=1e11, float64=1e11, read=1e10, triad=1e10)}


def run(row, plan=PLAN):
    said = []
    (result,) = harness.run(row, plan, LIMITS, said.append)
    return {each["name"]: each for each in result["contenders"]}, result, "\n".join(said)


@pytest.fixture
def sum_row(tmp_path, monkeypatch):
    """Return a row of which some contenders do the work, and others do not."""
    source = """
        import numpy as np
        from benchmarks.row import Contender, Data, Row, Run, both

        def claims(answer):
            return lambda data: Run(lambda: answer(data), lambda result: result)

        def raises(data):
            raise ValueError("cannot do that")

        def absent(data):
            import no_such_library

        ROWS = [Row(
            module=__name__, name="sum", goal=1, n_rows=1000,
            make=lambda n: Data(X=np.ones((n, 2), np.float32)),
            reference=lambda data: {"sum": np.float64(data.X.size)},
            measure="deviation", quality=lambda data, known, answer: abs(answer - known.sum),
            limit=both(1e-6),
            contenders=(
                Contender("hmlc", claims(lambda data: float(data.X.sum()))),
                Contender("right", claims(lambda data: float(data.X.size))),
                Contender("wrong", claims(lambda data: 1.0)),
                Contender("hazy", claims(lambda data: float("nan"))),
                Contender("failing", raises),
                Contender("absent", absent),
            ),
        )]
    """
    name = f"rows_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    return __import__(name).ROWS[0]


def test_only_what_did_the_work_is_timed(sum_row):
    found, result, said = run(sum_row)
    assert {name for name, each in found.items() if "median" in each} == {"hmlc", "right"}
    assert len(found["right"]["seconds"]) == PLAN.repeats
    assert found["wrong"]["deviation"] == 1999
    assert "1.00e+03" not in said
    assert "2.00e+03 not <= 1e-06" in said
    assert "cannot do that" in found["failing"]["why"]
    assert found["absent"]["why"] == "no_such_library is not installed"
    assert harness.failures([result]) == []


def test_hmlc_short_of_the_quality_is_a_failure(sum_row):
    _, result, _ = run(sum_row)
    own = result["contenders"][0]
    own |= {"ok": False, "deviation": 1.0}
    (failure,) = harness.failures([result])
    assert failure.startswith("sum, float64, 1 threads: deviation 1.0")


def test_quick_rows_run_and_are_reported(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("benchmarks.limits.measure", LIMITS.get)
    out, picture = tmp_path / "out.json", tmp_path / "out.png"
    status = __main__.main([
        "--quick", "--repeats", "1", "--threads", "1", "--dtypes", "float64",
        "--libraries", "numpy", "sklearn", "--only", "100,000 x 200", "polynomial",
        "--json", str(out), "--chart", str(picture),
    ])  # fmt: skip
    printed = capfd.readouterr()
    assert status == 0, printed
    record = json.loads(out.read_text())
    assert [line.row for line in report.lines(record)] == [
        "least squares, 100,000 x 200", "polynomial features, degree 3, 200,000 x 10",
    ]  # fmt: skip
    for line in report.lines(record):
        assert {each["library"] for _, each in line.peers} == {"numpy", "sklearn"}
        assert line.ratio() == pytest.approx(line.best[1]["median"] / line.own[1]["median"])
    assert report.table(record) in printed.out
    assert picture.read_bytes().startswith(b"\x89PNG")


def line_of(*peers):
    own = {n: {"ok": True, "median": 1.0 / n} for n in (1, 2)}
    return report.Line("row", "float32", 3, own, list(peers))


def test_ratio_is_to_the_best_peer_that_counts():
    line = line_of(
        (1, {"name": "a", "ok": True, "counts": True, "median": 2.0}),
        (2, {"name": "a", "ok": True, "counts": True, "median": 3.0}),
        (2, {"name": "wrong", "ok": False, "counts": True}),
        (2, {"name": "aside", "ok": True, "counts": False, "median": 0.1}),
    )
    assert line.best[0] == 1
    assert (line.ratio(), line.ratio(1), line.ratio(2)) == (4.0, 2.0, 6.0)
    assert line_of().ratio() is None


def test_names_of_rows_and_contenders_are_distinct():
    rows = all_rows()
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        names = [contender.name for contender in row.contenders]
        assert len(set(names)) == len(names)
        assert names[0] == "hmlc"


def test_a_pattern_that_matches_nothing_is_said(capsys):
    assert __main__.main(["--only", "nothing of the kind"]) == 2
    assert "least squares, 1,000,000 x 20" in capsys.readouterr().err


def test_the_command_line_finds_the_suite_or_says_where_it_is(tmp_path, capsys, monkeypatch):
    ran = []
    monkeypatch.chdir(CHECKOUT)
    monkeypatch.setattr(__main__, "main", lambda arguments: ran.append(arguments) or 0)
    assert cli.main(["bench", "--peers", "--chart", "x.png"]) == 0
    assert ran == [["--chart", "x.png"]]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hmlc.__file__", str(tmp_path / "hmlc" / "__init__.py"))
    assert cli.main(["bench", "--peers"]) == 1
    assert "pip install --group bench" in capsys.readouterr().err


def test_every_kernel_is_profiled(monkeypatch):
    monkeypatch.setattr(kernels, "N", 2000)
    monkeypatch.setattr(kernels, "WIDE_N", 600)
    assert kernels.missing() == set()
    for job in (job for group in kernels.GROUPS for job in group(kernels.Maker("float64"))):
        family, name = job.kernel.split(".")
        kernel = getattr(importlib.import_module(f"hmlc._core.{family}"), name)
        inspect.signature(kernel).bind(*job.arguments)
    assert {workload.kernel for workload in WORKLOADS} >= kernels.UNBOUNDED


def test_a_profile_tells_rates_and_their_share(monkeypatch):
    monkeypatch.setattr(kernels, "N", 2000)
    monkeypatch.setattr(kernels, "MIN_SECONDS", 1e-6)
    monkeypatch.setattr(kernels, "GROUPS", (kernels.densities,))
    ceiling = Limits(1, float32=1e11, float64=5e10, read=1e10, triad=1e10)
    found = list(kernels.profile("float64", ceiling))
    assert [each["kernel"] for each in found] == [
        "gaussian.log_density_diagonal", "gaussian.log_density_full",
    ]  # fmt: skip
    for each in found:
        assert each["bytes"] == pytest.approx(8 * 2000 * 11 / each["seconds"])
        assert each["share"] >= each["bytes"] / 1e10 * (1 - 1e-12)
    assert len(kernels.table(found).splitlines()) == 2 + len(found)


def test_records_of_one_machine_are_joined_row_by_row():
    def record(dtype, date, name="fast"):
        results = [{"row": row, "dtype": dtype} for row in ("b", "a")]
        machine = {"processor": name, "date": date}
        return {"machine": machine, "versions": {"hmlc": "1"}, "plan": {}, "results": results}

    both = report.joined([record("float32", "monday"), record("float64", "tuesday")])
    found = [(each["row"], each["dtype"]) for each in both["results"]]
    assert found == [("b", "float32"), ("b", "float64"), ("a", "float32"), ("a", "float64")]
    with pytest.raises(ValueError, match="machine differ"):
        report.joined([record("float32", "monday"), record("float64", "monday", "slow")])
