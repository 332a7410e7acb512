"""Results are the same bytes whatever the threads, the rows' source and the vectors' width."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hmlc

SCRIPT = Path(__file__).with_name("fit_everything.py")


@pytest.fixture(scope="module", params=["f4", "f8"])
def rows(request, tmp_path_factory):
    """Return a file of rows: enough for several lanes, not a whole number of blocks."""
    path = tmp_path_factory.mktemp("rows") / "rows.npy"
    np.save(path, np.random.default_rng(5).normal(2, 1, (5003, 9)).astype(request.param))
    return path


@functools.cache
def fit_everything(rows, mode="memory", isa="", threads=1):
    result = subprocess.run(
        [sys.executable, str(SCRIPT), str(rows), mode],
        env={
            **os.environ,
            "HMLC_BACKEND": "c",
            "HMLC_ISA": isa,
            "HMLC_NUM_THREADS": str(threads),
            "PYTHONPATH": str(Path(hmlc.__file__).parents[1]),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "HMLC_ISA names an instruction set" in result.stderr:
        pytest.skip(f"this processor or build has no {isa}")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads(rows, threads):
    assert fit_everything(rows, threads=threads) == fit_everything(rows)


def test_mapped_file(rows):
    assert fit_everything(rows, mode="mapped") == fit_everything(rows)


@pytest.mark.parametrize("isa", ["avx2", "avx512"])
def test_instruction_sets_with_fma(rows, isa):
    assert fit_everything(rows, isa=isa) == fit_everything(rows, isa="avx2")


def test_the_digest_sees_a_difference(rows):
    other = rows.with_name("other.npy")
    changed = np.load(rows)
    changed[17, 3] += 0.01
    np.save(other, changed)
    digests, others = fit_everything(rows), fit_everything(other)
    assert all(digests[name] != others[name] for name in digests)
