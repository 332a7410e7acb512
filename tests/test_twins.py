"""Every kernel has a NumPy and a Python twin of the same name and arguments."""

import importlib
import inspect
from pathlib import Path

import pytest

import hmlc._core
from hmlc._workloads import WORKLOADS
from hmlc.benchmark import checked_calls

CORE = Path(hmlc._core.__file__).parent
FAMILIES = sorted(path.stem for path in (CORE / "numpy_twin").glob("[!_]*.py"))


def kernels_of(module):
    """Return name -> argument names of a module's public functions."""
    return {
        name: list(inspect.signature(value).parameters)
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or "cython_function" in type(value).__name__)
        and getattr(value, "__module__", module.__name__) == module.__name__
    }


def test_every_family_has_three_modules():
    compiled = {
        path.name.split(".")[0]
        for path in CORE.glob("[!_]*.*")
        if ".abi3" in path.name or ".cpython" in path.name or path.suffix == ".pyd"
    }
    python = {path.stem for path in (CORE / "python_twin").glob("[!_]*.py")}
    assert compiled == set(FAMILIES) == python


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("twin", ["numpy_twin", "python_twin"])
def test_kernels_have_the_same_names_and_arguments(family, twin):
    compiled = kernels_of(importlib.import_module(f"hmlc._core.{family}"))
    assert compiled
    assert kernels_of(importlib.import_module(f"hmlc._core.{twin}.{family}")) == compiled


def test_every_kernel_has_a_workload_on_which_it_is_timed():
    kernels = {
        f"{family}.{name}"
        for family in FAMILIES
        for name in kernels_of(importlib.import_module(f"hmlc._core.{family}"))
    }
    timed = [workload.kernel for workload in WORKLOADS]
    assert len(set(timed)) == len(timed)
    assert set(timed) == kernels


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.kernel)
def test_twins_agree_on_the_work_that_is_timed(workload):
    assert set(checked_calls(workload)) == {"c", "numpy", "python"}
