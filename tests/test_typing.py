"""The types that users see: stubs that fit the compiled modules, and a program that uses them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hmlc

pytest.importorskip("mypy", reason="mypy is not installed")

PACKAGE = Path(hmlc.__file__).parent
FAMILIES = sorted(path.stem for path in (PACKAGE / "_core" / "numpy_twin").glob("[!_]*.py"))


def mypy(module, *arguments, folder):
    """Run mypy where no configuration is found; an installed package is found by its py.typed."""
    checkout = {"MYPYPATH": str(PACKAGE.parent), "PYTHONPATH": str(PACKAGE.parent)}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | ({} if "site-packages" in PACKAGE.parts else checkout),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_program_that_uses_the_types_is_accepted(tmp_path):
    user = Path(__file__).with_name("typed_user.py")
    result = mypy("mypy", "--strict", "--cache-dir", str(tmp_path), str(user), folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(hmlc.backend() != "c", reason="the compiled modules are not in use")
def test_stubs_are_those_of_the_compiled_modules(tmp_path):
    modules = [f"hmlc._core.{family}" for family in FAMILIES]
    result = mypy("mypy.stubtest", *modules, folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
