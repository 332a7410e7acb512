"""Every public name says what it is and shows it in an example, and every example is true."""

import doctest
import importlib
import inspect
import pkgutil
import tempfile
from pathlib import Path

import pytest

import hmlc
from hmlc import datasets, metrics, plots

pyplot = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
pyplot.switch_backend("Agg")


DATA = Path(__file__).resolve().parents[1] / "data"
# One is a program, one a package of kernels, and one needs onnx to be imported.
WITHOUT_EXAMPLES = ("hmlc.__main__", "hmlc._core", "hmlc._export.onnx_models", "hmlc.data")
MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(hmlc.__path__, "hmlc.")
    if not module.name.startswith(WITHOUT_EXAMPLES)
]
EXAMPLES = [
    test
    for module in [hmlc, *MODULES]
    for test in doctest.DocTestFinder().find(module)
    if test.examples
]


def public_names():
    """Return dotted name -> object: what users call, and the methods and properties of classes."""
    found = {}
    for module in (hmlc, datasets, metrics, plots):
        defined = (n for n, value in vars(module).items() if is_defined_in(module, value))
        for name in getattr(module, "__all__", defined):
            thing = getattr(module, name)
            found[f"{module.__name__}.{name}"] = thing
            if inspect.isclass(thing):
                found |= members(f"{module.__name__}.{name}", thing)
    return {name: thing for name, thing in found.items() if "._" not in name}


def is_defined_in(module, value):
    return (
        inspect.isclass(value) or inspect.isfunction(value)
    ) and value.__module__ == module.__name__


def members(prefix, kind):
    """Return the methods and properties of a class of hmlc's, inherited ones too."""
    return {
        f"{prefix}.{name}": value
        for name, value in inspect.getmembers(kind)
        if (inspect.isfunction(value) or inspect.ismethod(value) or isinstance(value, property))
        and not hasattr(tuple, name)
        and inspect.unwrap(getattr(value, "fget", value)).__module__.startswith("hmlc.")
    }


@pytest.mark.parametrize("name", public_names())
def test_a_public_name_has_a_docstring_with_an_example(name):
    text = public_names()[name].__doc__ or ""
    summary, *_ = text.strip().split("\n")
    assert summary.endswith((".", ":")), f"{name} has no summary"
    assert "Examples\n" in text
    assert ">>> " in text


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_is_true(example, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HMLC_DATA", str(DATA))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if "onnx" in example.name:
        pytest.importorskip("onnx", reason="onnx is not installed")
    result = doctest.DocTestRunner().run(example)
    pyplot.close("all")
    assert result.failed == 0, capsys.readouterr().out
