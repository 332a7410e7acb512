"""What `import hmlc` costs, and that all public names are found all the same."""

import subprocess
import sys

import pytest

import hmlc


def imported(code):
    """Return the modules that some code imports."""
    code += "\nimport sys\nprint(*sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    return set(printed.stdout.split())


def test_importing_the_package_imports_no_estimator():
    found = imported("import hmlc")
    assert not any(name.startswith(("hmlc.k_means", "hmlc._core.k_means")) for name in found)


def test_an_estimator_imports_no_other_and_nothing_but_numpy_from_outside():
    found = imported("from hmlc import KMeans") - imported("import numpy, numpy.random")
    assert "hmlc.k_means" in found
    assert "hmlc.multilayer_perceptron" not in found
    outside = {name.split(".")[0] for name in found} - {"hmlc", *sys.stdlib_module_names}
    # Cython's own entries, which are no packages.
    assert {name for name in outside if "cython" not in name and name != "_memoryview"} == {"numpy"}


def test_every_public_name_is_found():
    for name in hmlc.__all__:
        assert getattr(hmlc, name) is getattr(hmlc, name)
    assert set(hmlc.__all__) == {*hmlc._HOMES, "backend", "use_backend"}
    assert set(hmlc.__all__) <= set(dir(hmlc))
    assert hmlc.metrics.__name__ == "hmlc.metrics"


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'hmlc' has no attribute 'KMean'"):
        hmlc.KMean
