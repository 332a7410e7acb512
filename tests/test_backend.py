"""Choosing a backend, and what a build or an environment that cannot give it says."""

import os
import subprocess
import sys

import pytest

import hmlc
from hmlc import _backend


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_compiled_is_the_default():
    if os.environ.get("HMLC_BACKEND"):
        pytest.skip("HMLC_BACKEND is set")
    assert hmlc.backend() == "c"
    assert _backend.instruction_set() in ("baseline", "neon", "avx2", "avx512")


def test_context_restores():
    before = hmlc.backend()
    with hmlc.use_backend("python"):
        assert hmlc.backend() == "python"
        assert _backend.instruction_set() == "none"
    assert hmlc.backend() == before


def test_unknown_name_changes_nothing():
    before = hmlc.backend()
    with pytest.raises(ValueError, match="one of c, numpy, python; got 'fortran'"):
        hmlc.use_backend("fortran")
    assert hmlc.backend() == before


@pytest.mark.parametrize("name", ["c", "numpy", "python"])
def test_environment_chooses(name):
    result = run("import hmlc; print(hmlc.backend())", HMLC_BACKEND=name)
    assert result.stdout.strip() == name


def test_unknown_environment_is_an_error():
    assert "backend must be one of" in run("import hmlc", HMLC_BACKEND="x").stderr


def test_unknown_instruction_set_is_an_error_where_c_is_asked_for():
    result = run("import hmlc", HMLC_BACKEND="c", HMLC_ISA="mmx")
    assert "HMLC_ISA names an instruction set" in result.stderr
    assert result.returncode != 0


def test_a_broken_build_warns_and_falls_back():
    result = run("import hmlc; print(hmlc.backend())", HMLC_BACKEND="", HMLC_ISA="mmx")
    assert result.stdout.strip() == "numpy"
    assert "compiled kernels did not load" in result.stderr


def test_import_brings_numpy_alone():
    # Cython's modules register helpers of theirs (cython_runtime, _cython_3_...) by bare names.
    code = (
        "import sys, numpy; before = set(sys.modules); import hmlc;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "known = set(sys.stdlib_module_names) | {'hmlc', 'numpy', 'cython_runtime', '_memoryview'};"
        "print(sorted(name for name in new - known if not name.startswith('_cython_')))"
    )
    result = run(code)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr
