"""Models as C: compiled with every warning an error, and compared with Python, bit by bit."""

import ctypes
import shutil
import subprocess
import sys

import numpy as np
import pytest
from fitted_models import NAMES, answers, models, rows

import hmlc
from hmlc import _backend

CC = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC"]

needs_cc = pytest.mark.skipif(
    CC is None or sys.platform == "win32", reason="no C compiler that takes POSIX's arguments"
)
by_name = pytest.mark.parametrize("name", NAMES)


def has_fma():
    """Whether Python's sums are rounded as FMA rounds them: then C's answers are the same bits."""
    return _backend.instruction_set() in ("avx2", "avx512", "neon")


def c_type_of(array, method, model):
    """Return the C type of one row's answer where it is returned, else None."""
    if method == "predict" and isinstance(model, (hmlc.LogisticRegression, hmlc.MLPClassifier)):
        label = array.tolist()[0]
        if isinstance(label, (str, bytes)):
            return "const char *"
        return {bool: "int", int: "long long", float: "double"}[type(label)]
    if array.dtype.kind == "i":
        return "int"
    if array.ndim == 2 or (method == "decision_function" and hasattr(model, "classes_")):
        return None
    return {4: "float", 8: "double"}[array.dtype.itemsize]


CTYPES = {
    "const char *": ctypes.c_char_p,
    "int": ctypes.c_int,
    "long long": ctypes.c_longlong,
    "double": ctypes.c_double,
    "float": ctypes.c_float,
}


def compiled(model, folder, dtype=None):
    """Return an exported model as a library with a function `call_<method>` for n rows each."""
    hmlc.export_c(model, folder / "m.h", name="m", dtype=dtype)
    real = {"float32": "float", "float64": "double"}[np.dtype(dtype or np.float64).name]
    source = ['#include "m.h"', '#include "m.h"']
    for method, array in answers(model, rows(2, dtype=dtype or np.float64)).items():
        c_type = c_type_of(array, method, model)
        if c_type is None:
            width = array.size // len(array)
            body = f"m_{method}(x + i * m_n_features, out + i * {width})"
        else:
            body = f"out[i] = m_{method}(x + i * m_n_features)"
        declared = f"const {real} *x, long n, {c_type or real} *out"
        loop = f"for (long i = 0; i < n; i++) {body};"
        source.append(f"void call_{method}({declared});")
        source.append(f"void call_{method}({declared}) {{ {loop} }}")
    (folder / "m.c").write_text("\n".join(source) + "\n")
    command = [CC, *FLAGS, "-o", str(folder / "m.so"), str(folder / "m.c"), "-lm"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[:3000]
    return ctypes.CDLL(str(folder / "m.so"))


def by_c(library, method, expected, X, model):
    """Return what C answers, in Python's shape."""
    c_type = c_type_of(expected, method, model)
    call = getattr(library, f"call_{method}")
    pointer = X.ctypes.data_as(ctypes.c_void_p)
    if c_type is None:
        out = np.empty(expected.shape, expected.dtype)
        call(pointer, ctypes.c_long(len(X)), out.ctypes.data_as(ctypes.c_void_p))
        return out
    values = (CTYPES[c_type] * len(X))()
    call(pointer, ctypes.c_long(len(X)), values)
    labels = [v.decode() if isinstance(v, bytes) else v for v in values]
    return np.array(labels).astype(expected.dtype)


def assert_same(found, expected):
    if expected.dtype.kind != "f" or has_fma():
        np.testing.assert_array_equal(found, expected)
        assert found.tobytes() == expected.tobytes() or found.dtype == object
    else:
        # Without FMA each of at most a few hundred products is rounded once more; scores are of
        # the order of the sums' terms.
        eps = np.finfo(expected.dtype).eps
        np.testing.assert_allclose(found, expected, rtol=2000 * eps, atol=2000 * eps)


@needs_cc
@by_name
def test_c_answers_what_python_answers(name, dtype, tmp_path):
    model = models(dtype)[name]
    library = compiled(model, tmp_path, dtype)
    near, far = rows(200, dtype=dtype, seed=11), rows(50, dtype=dtype, seed=12) * dtype(50)
    X = np.ascontiguousarray(np.concatenate([near, far]))
    for method, expected in answers(model, X).items():
        assert_same(by_c(library, method, expected, X, model), expected)


@needs_cc
@pytest.mark.parametrize("d", [15, 16, 31, 32, 100])
def test_a_target_of_many_columns(d, dtype, tmp_path, rng):
    X = rng.normal(size=(120, d)).astype(dtype)
    model = hmlc.LinearRegression().fit(X, X.sum(axis=1))
    library = compiled_for(model, X, tmp_path)
    assert_same(by_c(library, "predict", model.predict(X), X, model), model.predict(X))


@needs_cc
@pytest.mark.parametrize("is_long", [False, True])
def test_centres_of_many_columns(is_long, dtype, tmp_path, rng):
    d = 400 if is_long else 130
    X = (rng.normal(size=(300, d)) + rng.integers(0, 9, (300, 1))).astype(dtype)
    model = hmlc.KMeans(n_clusters=9, random_state=0).fit(X)
    library = compiled_for(model, X, tmp_path)
    assert_same(by_c(library, "predict", model.predict(X), X, model), model.predict(X))


def compiled_for(model, X, folder):
    """Return the library of a model of other columns than the rest of these tests has."""
    real = {4: "float", 8: "double"}[X.dtype.itemsize]
    hmlc.export_c(model, folder / "m.h", name="m", dtype=X.dtype)
    label = "int" if hasattr(model, "cluster_centers_") else real
    declared = f"const {real} *x, long n, {label} *out"
    (folder / "m.c").write_text(
        f'#include "m.h"\nvoid call_predict({declared});\nvoid call_predict({declared}) {{\n'
        "    for (long i = 0; i < n; i++) out[i] = m_predict(x + i * m_n_features);\n}\n"
    )
    command = [CC, *FLAGS, "-o", str(folder / "m.so"), str(folder / "m.c"), "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    return ctypes.CDLL(str(folder / "m.so"))


@needs_cc
def test_functions_far_out(dtype, tmp_path):
    X = np.array([[0.0], [-0.0], [1e-30], [3.0], [700.0], [1e5], [-3e7], [2e20], [-1e37]], dtype)
    model = hmlc.LinearRegression(sinusoid_degree=5, normalize=False).fit(X[:5], X[:5, 0])
    model.coef_ = np.array([0.0, 1.0, 0.5, 0.25, 2.0, 3.0])
    library = compiled_for(model, X, tmp_path)
    assert_same(by_c(library, "predict", model.predict(X), X, model), model.predict(X))


@needs_cc
@pytest.mark.parametrize("loss", ["softmax", "logistic"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_networks_saturate_alike(loss, activation, dtype, tmp_path):
    model = hmlc.MLPClassifier(
        hidden_layer_sizes=(3,), loss=loss, activation=activation, max_iter=20, random_state=0
    )
    with pytest.warns(hmlc.ConvergenceWarning):
        model.fit(rows(60, dtype=dtype), rows(60)[:, 0] > 0)
    X = rows(40, dtype=dtype) * dtype(1000)
    library = compiled(model, tmp_path, dtype)
    for method, expected in answers(model, X).items():
        assert_same(by_c(library, method, expected, X, model), expected)


@needs_cc
@pytest.mark.parametrize(
    "labels",
    [
        [True, False],
        [-(2**63), 2**63 - 1],
        [2.0, -1.0],
        ['say "hi"??/\\\n', "Ünïcode \U0001f600 1"],
        [b"x", b"y7"],
    ],
    ids=["bool", "int", "float", "str", "bytes"],
)
def test_labels_of_any_type(labels, tmp_path):
    X = np.array([[0.0, 0, 0, 1], [1.0, 0, 0, 1], [2.0, 1, 0, 1], [3.0, 1, 0, 1]])
    model = hmlc.LogisticRegression().fit(X, [labels[0], labels[0], labels[1], labels[1]])
    library = compiled(model, tmp_path)
    found = by_c(library, "predict", model.predict(X), X, model)
    assert found.tolist() == model.predict(X).tolist()


def test_large_unsigned_labels(tmp_path):
    classes = np.array([2**63, 1], np.uint64)
    model = hmlc.LogisticRegression().fit([[0.0], [1.0]], classes)
    hmlc.export_c(model, tmp_path / "m.h")
    text = (tmp_path / "m.h").read_text()
    assert "unsigned long long model_classes[2] = {1ULL, 9223372036854775808ULL};" in text


@needs_cc
def test_two_models_in_one_program(tmp_path):
    for name in ("k-means", "classifier"):
        hmlc.export_c(models(np.float64)[name], tmp_path / f"{name}.h", name=name.replace("-", "_"))
    (tmp_path / "m.c").write_text(
        '#include "k-means.h"\n#include "classifier.h"\n'
        "int main(void) { double x[4] = {0}; return classifier_predict(x) == 0 || "
        "k_means_predict(x) < 0; }\n"
    )
    flags = [flag for flag in FLAGS if flag not in ("-shared", "-fPIC")]
    subprocess.run(
        [CC, *flags, "-o", str(tmp_path / "m"), str(tmp_path / "m.c"), "-lm"], check=True
    )
    assert subprocess.run([str(tmp_path / "m")]).returncode == 0


def test_the_float_type_is_the_model_s(tmp_path):
    for name, expected in (("logistic", "float"), ("k-means", "float"), ("regressor", "float"),
                           ("linear", "double"), ("gaussian", "double")):  # fmt: skip
        hmlc.export_c(models(np.float32)[name], tmp_path / "m.h")
        assert f"model_predict(const {expected} *x" in (tmp_path / "m.h").read_text()


def test_bad_calls_write_nothing(tmp_path):
    model, path = models(np.float64)["scaler"], tmp_path / "m.h"
    with pytest.raises(hmlc.NotFittedError):
        hmlc.export_c(hmlc.KMeans(), path)
    with pytest.raises(TypeError, match="expected a model of one of"):
        hmlc.export_c(object(), path)
    for name in ("", "1a", "a-b", "a\n", "ä", None):
        with pytest.raises(ValueError, match="name must be a C identifier"):
            hmlc.export_c(model, path, name=name)
    for dtype in ("float16", "int32", 7, int):
        with pytest.raises(ValueError, match="dtype must be None, 'float32' or 'float64'"):
            hmlc.export_c(model, path, dtype=dtype)
    for labels, error in (
        (np.array([1, True + 0.5, 3], object), TypeError),
        (np.array(["a", "b\0c"], object), ValueError),
        (np.array([2**70, 1], object), ValueError),
    ):
        broken = hmlc.LogisticRegression().fit([[0.0], [1.0]], ["a", "b"])
        broken.classes_ = labels
        with pytest.raises(error, match="labels must"):
            hmlc.export_c(broken, path)
    assert list(tmp_path.iterdir()) == []
