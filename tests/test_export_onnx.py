"""Models as ONNX graphs, run by onnxruntime and compared with Python."""

import sys

import numpy as np
import pytest
from fitted_models import NAMES, answers, models, rows

import hmlc

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

by_name = pytest.mark.parametrize("name", NAMES)


def run(path, X):
    """Return what a graph answers, by the name of the output."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


def tolerance(expected):
    """Sums of some 50 products, whose terms are up to some hundred times the largest answer."""
    finite = np.abs(expected[np.isfinite(expected)])
    return 50 * 100 / 2 * np.finfo(expected.dtype).eps * max(1.0, finite.max(initial=0))


def is_close_call(model, X):
    """Whether a row's label could be another one within rounding."""
    for method in ("decision_function", "predict_proba", "transform"):
        if hasattr(model, method):
            scores = getattr(model, method)(X)
            if scores.ndim == 1:
                return np.abs(scores) < tolerance(scores)
            ordered = np.sort(scores, axis=1)
            if scores.shape[1] == 1:
                return np.zeros(len(X), bool)
            gap = (
                ordered[:, 1] - ordered[:, 0] if method == "transform" else np.diff(ordered)[:, -1]
            )
            return gap < tolerance(scores)
    raise AssertionError("the model has no scores")


@by_name
def test_a_runtime_answers_what_python_answers(name, dtype, tmp_path):
    model, path = models(dtype)[name], tmp_path / "m.onnx"
    hmlc.export_onnx(model, path, dtype=dtype)
    X = rows(200, dtype=dtype, seed=11)
    found, expected = run(path, X), answers(model, X)
    assert found.keys() == expected.keys()
    for method, values in expected.items():
        assert found[method].shape == values.shape
        if values.dtype.kind == "f":
            assert found[method].dtype == values.dtype
            np.testing.assert_allclose(found[method], values, rtol=0, atol=tolerance(values))
        else:
            differ = found[method] != values
            assert not (differ & ~is_close_call(model, X)).any()


@by_name
def test_one_row_and_none(name, tmp_path):
    model, path = models(np.float32)[name], tmp_path / "m.onnx"
    hmlc.export_onnx(model, path, dtype="float32")
    for n in (1, 0):
        found = run(path, rows(n, dtype=np.float32))
        expected = answers(model, rows(2, dtype=np.float32))
        assert {key: v.shape for key, v in found.items()} == {
            key: (n, *v.shape[1:]) for key, v in expected.items()
        }


@pytest.mark.parametrize(
    "labels",
    [[True, False], [-(2**63), 5], [2**63 + 1, 1], [2.0, -1.0], ["a b", "Ünïcode \U0001f600"]],
    ids=["bool", "int", "unsigned", "float", "str"],
)
def test_labels_of_any_type(labels, tmp_path):
    X = np.array([[0.0], [1.0], [2.0], [3.0]])
    y = np.array([labels[0], labels[0], labels[1], labels[1]])
    model = hmlc.LogisticRegression().fit(X, y)
    hmlc.export_onnx(model, tmp_path / "m")
    assert run(tmp_path / "m", X)["predict"].tolist() == model.predict(X).tolist()


def test_labels_of_several_types_are_refused(tmp_path):
    model = hmlc.LogisticRegression().fit([[0.0], [1.0]], np.array([True, 7.0], object))
    with pytest.raises(TypeError, match="labels must be of one type"):
        hmlc.export_onnx(model, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_graphs_say_who_made_them_and_are_of_an_old_opset(tmp_path):
    hmlc.export_onnx(models(np.float64)["k-means"], tmp_path / "m")
    graph = onnx.load(str(tmp_path / "m"))
    assert (graph.producer_name, graph.producer_version) == ("hmlc", hmlc.__version__)
    assert [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 17)]
    assert graph.ir_version == 8


def test_bad_calls_write_nothing(tmp_path):
    with pytest.raises(hmlc.NotFittedError):
        hmlc.export_onnx(hmlc.KMeans(), tmp_path / "m")
    with pytest.raises(TypeError, match="expected a model of one of"):
        hmlc.export_onnx(object(), tmp_path / "m")
    with pytest.raises(ValueError, match="dtype must be None, 'float32' or 'float64'"):
        hmlc.export_onnx(models(np.float64)["scaler"], tmp_path / "m", dtype="float16")
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "hmlc._export.onnx_models", raising=False)
    monkeypatch.delattr("hmlc._export.onnx_models", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'hmlc\[onnx\]'"):
        hmlc.export_onnx(models(np.float64)["scaler"], tmp_path / "m")
