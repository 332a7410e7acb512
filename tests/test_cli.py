"""The command line: what it prints, what it writes, and how it fails."""

import subprocess
import sys

import numpy as np
import pytest

import hmlc
from hmlc import _workloads, benchmark, cli


def test_info_tells_what_is_in_use(capsys):
    assert cli.main(["info"]) == 0
    printed = capsys.readouterr().out
    assert f"hmlc:             {hmlc.__version__}" in printed
    assert f"backend:          {hmlc.backend()}" in printed
    for row in ("instruction set:", "threads:", "build:", "numpy:"):
        assert row in printed


def test_module_and_version():
    result = subprocess.run(
        [sys.executable, "-m", "hmlc", "--version"], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == f"hmlc {hmlc.__version__}"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["demo", "nonsense"]])
def test_bad_usage_is_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "usage: hmlc" in capsys.readouterr().err


def test_a_demo_writes_its_figure(tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    assert cli.main(["demo", "k_means_iris", "--out", str(out)]) == 0
    assert [path.name for path in out.iterdir()] == ["k_means_iris.png"]
    assert "inertia" in capsys.readouterr().out


def test_a_missing_data_folder_is_said_before_any_work(tmp_path, capsys):
    arguments = ["demo", "k_means_iris", "--out", str(tmp_path / "out"), "--data", "/nowhere"]
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == "hmlc: --data must be a folder; /nowhere is not one\n"
    assert not (tmp_path / "out").exists()


def test_an_out_that_is_a_file_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("kept")
    assert cli.main(["demo", "k_means_iris", "--out", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "kept"


def test_a_demo_without_its_data_does_not_stop_the_others(tmp_path, capsys, monkeypatch):
    def demo(name):
        def run(out, data):
            if name == cli.DEMOS[0]:
                raise FileNotFoundError("no such table")
            return {"R2": 0.5}

        return run

    monkeypatch.setattr(cli, "_load_demo", demo)
    monkeypatch.setattr(benchmark, "WORKLOADS", _workloads.WORKLOADS[:1])
    assert cli.main(["demo", "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "1 of 11 demos did not run: no such table" in captured.err
    assert captured.out.count("R2 0.5") == 10
    assert (tmp_path / "speed.png").exists()


def test_bench_prints_a_row_and_draws_a_bar_for_each_kernel(tmp_path, capsys, monkeypatch):
    few = _workloads.WORKLOADS[:2]
    monkeypatch.setattr(benchmark, "WORKLOADS", few)
    chart = tmp_path / "speed.png"
    assert cli.main(["bench", "--chart", str(chart)]) == 0
    printed = capsys.readouterr().out
    assert all(workload.kernel in printed for workload in few)
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_the_benchmark_refuses_backends_that_disagree(monkeypatch):
    (workload,) = [w for w in _workloads.WORKLOADS if w.kernel == "moments.standardise"]

    def wrong(X, mean, scale, out):
        out[:] = np.pi

    monkeypatch.setattr(benchmark._backend._BACKENDS["numpy"].moments, "standardise", wrong)
    with pytest.raises(AssertionError, match="differs between c and numpy"):
        benchmark.time_workload(workload)
