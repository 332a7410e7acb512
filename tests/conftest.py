"""Fixtures: one runs a test on every twin; the seeded generator makes data."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import hmlc

settings.register_profile("hmlc", max_examples=25, deadline=None, derandomize=True)
settings.load_profile("hmlc")


@pytest.fixture(params=["c", "numpy", "python"])
def backend(request):
    with hmlc.use_backend(request.param):
        yield request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["f32", "f64"])
def dtype(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture
def printed_by():
    """Return a function that runs code on the kernels of one instruction set: what it prints."""

    def run(isa, code):
        paths = [str(Path(hmlc.__file__).parents[1]), str(Path(__file__).parent)]
        result = subprocess.run(
            [sys.executable, "-c", code],
            env={
                **os.environ,
                "HMLC_ISA": isa,
                "HMLC_BACKEND": "c",
                "PYTHONPATH": os.pathsep.join(paths),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        if "HMLC_ISA names an instruction set" in result.stderr:
            pytest.skip(f"this processor or build has no {isa}")
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run
