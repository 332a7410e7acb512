"""Models in files: the same bits back, and whole files or none."""

import copy
import math
import os
import pickle
import stat
import subprocess
import sys

import numpy as np
import pytest
from fitted_models import NAMES, answers, models, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hmlc
from hmlc import _atomic
from hmlc._saving import learned

by_name = pytest.mark.parametrize("name", NAMES)


def is_same(a, b):
    """Whether two learned values are the same, type by type and bit by bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        if a.dtype == object:
            return is_same(a.tolist(), b.tolist())
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(is_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(is_same, a, b))
    if isinstance(a, np.random.Generator):
        return a.bit_generator.state == b.bit_generator.state
    if hasattr(a, "__dict__"):
        return is_same(vars(a), vars(b))
    return a == b or (a != a and b != b)


@by_name
def test_a_loaded_model_is_the_one_saved(name, dtype, tmp_path):
    model, path = models(dtype)[name], tmp_path / "model.hmlc"
    assert hmlc.save(model, path) is None
    loaded = hmlc.load(str(path))
    assert type(loaded) is type(model)
    assert is_same(vars(loaded), vars(model))
    for X in (rows(30, dtype=dtype, seed=9), rows(3, dtype=np.float32, seed=8)):
        assert is_same(answers(loaded, X), answers(model, X))
    assert [file.name for file in tmp_path.iterdir()] == ["model.hmlc"]


@by_name
def test_unfitted_models_are_saved_with_their_parameters(name, tmp_path):
    model = type(models(np.float64)[name])(**models(np.float64)[name].get_params())
    hmlc.save(model, tmp_path / "model")
    loaded = hmlc.load(tmp_path / "model")
    assert is_same(vars(loaded), vars(model))
    with pytest.raises(hmlc.NotFittedError):
        answers(loaded, rows())


@by_name
def test_pickle_and_copies_are_the_model(name):
    model = models(np.float32)[name]
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        assert is_same(vars(twin), vars(model))
        assert is_same(answers(twin, rows(20)), answers(model, rows(20)))


def test_joblib_dumps_models(tmp_path):
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    model = models(np.float64)["classifier"]
    joblib.dump(model, tmp_path / "model")
    assert is_same(vars(joblib.load(tmp_path / "model")), vars(model))


def test_the_columns_names_are_kept(tmp_path):
    model = hmlc.StandardScaler().fit(np.eye(3))
    model.feature_names_in_ = np.array(["width", "height", "Länge"], dtype=object)
    hmlc.save(model, tmp_path / "model.hmlc")
    names = hmlc.load(tmp_path / "model.hmlc").feature_names_in_
    assert names.dtype == object
    assert names.tolist() == ["width", "height", "Länge"]


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", 3], [["a"], ["b"], ["c"]], 7])
def test_names_that_are_not_the_columns_are_refused(names, tmp_path):
    model = hmlc.StandardScaler().fit(np.eye(3))
    model.feature_names_in_ = names
    with pytest.raises((TypeError, ValueError), match="feature_names_in_"):
        hmlc.save(model, tmp_path / "model.hmlc")
    assert list(tmp_path.iterdir()) == []


def test_every_estimator_can_be_saved():
    public = {name for name in hmlc.__all__ if hasattr(getattr(hmlc, name), "get_params")}
    assert public == set(learned.KINDS) == {type(m).__name__ for m in models(np.float64).values()}


@pytest.mark.parametrize(
    "labels",
    [
        [True, False, True],
        [-(2**62), 5, 7],
        np.array([1, 2, 300], np.uint16),
        np.array([3.0, -1.0, 2.0], np.float32),
        np.array([1, 2, 3], ">i4"),
        np.array(["a", "Ünïcode \U0001f600", "\ud800"]),
        np.array([b"x", b"yy", b"z"]),
        np.array(["b", "", "nul\0"], object),
        np.array([2**80, -1, 5], object),
        np.array([True, False, 7.0], object),
    ],
    ids=lambda labels: str(np.asarray(labels).dtype) + str(len(str(labels))),
)
def test_labels_of_any_type(labels, tmp_path):
    model = hmlc.LogisticRegression(max_iter=200).fit([[0.0], [1.0], [2.0]], labels)
    hmlc.save(model, tmp_path / "m")
    classes = hmlc.load(tmp_path / "m").classes_
    assert classes.tolist() == model.classes_.tolist()
    assert list(map(type, classes.tolist())) == list(map(type, model.classes_.tolist()))
    assert classes.dtype == model.classes_.dtype.newbyteorder("=")


def test_names_of_a_frame_s_columns(tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(rows(), columns=["length", "width", "Höhe", "w 2"])
    model = hmlc.StandardScaler().fit(frame)
    hmlc.save(model, tmp_path / "m")
    assert is_same(vars(hmlc.load(tmp_path / "m")), vars(model))
    model.feature_names_in_ = model.feature_names_in_[:2]
    with pytest.raises(ValueError, match="feature_names_in_ must be an array of 4 strings"):
        hmlc.save(model, tmp_path / "m")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.booleans() | st.integers(-9, 9), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=VALUES)
def test_parameters_come_back_as_they_were(value, tmp_path):
    hmlc.save(hmlc.KMeans(init=value, tol=value), tmp_path / "m")
    loaded = hmlc.load(tmp_path / "m")
    assert is_same(loaded.init, value)
    assert is_same(loaded.tol, value)
    if isinstance(value, float):
        assert math.copysign(1, loaded.tol) == math.copysign(1, value) or value != value


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.arange(20, dtype=">f4")[::3],
        np.zeros((0, 3)),
        np.array(7, np.int16),
        np.array([[True], [False]]),
        np.array([np.nan, np.inf, -0.0], np.float16),
        np.frombuffer(b"read-only", np.uint8),
    ],
    ids=lambda array: f"{array.dtype.str} {array.shape}",
)
def test_arrays_of_any_layout(array, tmp_path):
    hmlc.save(hmlc.KMeans(init=array), tmp_path / "m")
    loaded = hmlc.load(tmp_path / "m").init
    assert loaded.dtype == array.dtype.newbyteorder("=")
    assert loaded.shape == array.shape
    assert loaded.tobytes() == array.astype(loaded.dtype).tobytes()
    assert loaded.flags.writeable


@pytest.mark.parametrize(
    "value",
    [
        np.random.default_rng(1),
        np.random.RandomState(1),
        print,
        {(1, 2): 1},
        1j,
        2**2000,
        np.array([1j]),
        np.array([[1, "a"]], object),
        np.array([None], object),
        np.ma.array([1.0], mask=[True]),
        np.array(["2020-01-01"], "M8[D]"),
        [[[[[[[[[1]]]]]]]]],
    ],
    ids=lambda value: f"{type(value).__name__} {str(value)[:12]}",
)
def test_what_a_file_cannot_hold_is_refused_before_it_is_written(value, tmp_path):
    path = tmp_path / "m"
    hmlc.save(hmlc.KMeans(), path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=r"parameter random_state .*a file cannot hold"):
        hmlc.save(hmlc.KMeans(random_state=value), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m"]


def test_only_hmlc_s_own_classes_are_saved(tmp_path):
    class Mine(hmlc.KMeans):
        pass

    for model in (Mine(), object(), hmlc.KMeans, type("KMeans", (), {})()):
        with pytest.raises(TypeError, match="expected a model of one of GaussianAnomalyDetector"):
            hmlc.save(model, tmp_path / "m")


def test_parameters_changed_after_fit(tmp_path):
    model = hmlc.PolynomialFeatures(degree=2).fit(rows()).set_params(degree=4)
    with pytest.raises(ValueError, match=r"cannot be saved.*changed after fit"):
        hmlc.save(model, tmp_path / "m")
    model = hmlc.LinearRegression().fit(rows(), rows()[:, 0]).set_params(polynomial_degree=4)
    hmlc.save(model, tmp_path / "m")
    assert is_same(answers(hmlc.load(tmp_path / "m"), rows()), answers(model, rows()))


def test_too_much_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match="more than the 1,048,576 that a file has room for"):
        hmlc.save(hmlc.KMeans(init="x" * (1 << 20)), tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_importing_hmlc_does_not_import_what_few_programs_need():
    code = (
        "import sys, hmlc; late = [m for m in ('json', 'hashlib', 'hmlc._saving.files') if m in "
        "sys.modules]; from hmlc import *; save, load, export_c, export_onnx, ModelFileError; "
        "assert 'save' in dir(hmlc) and hmlc.save is save; print(late)"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert result.stdout == "[]\n", result.stderr
    with pytest.raises(AttributeError, match="module 'hmlc' has no attribute 'nothing'"):
        hmlc.nothing


# ---- writing ----


def test_a_crash_in_the_middle_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m"
    hmlc.save(hmlc.KMeans(), path)
    before = path.read_bytes()
    for broken in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(_atomic.os, broken, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                hmlc.save(models(np.float64)["classifier"], path)
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["m"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_a_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "m"
    hmlc.save(hmlc.KMeans(), path)
    before = path.read_bytes()
    code = (
        "import os, sys, hmlc; from hmlc import _atomic\n"
        "def chunks():\n"
        "    yield b'x' * 100000\n"
        "    os.kill(os.getpid(), 9)\n"
        "_atomic.write_atomically(sys.argv[1], chunks())"
    )
    paths = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.run(
        [sys.executable, "-c", code, str(path)], env={**os.environ, "PYTHONPATH": paths}
    )
    assert process.returncode == -9
    assert path.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions and links")
def test_permissions_and_links_are_as_of_any_file(tmp_path):
    path, link = tmp_path / "m", tmp_path / "link"
    old = os.umask(0o027)
    try:
        hmlc.save(hmlc.KMeans(), path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    link.symlink_to("m")
    hmlc.save(hmlc.KMeans(n_clusters=3), link)
    assert link.is_symlink()
    assert hmlc.load(path).n_clusters == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    os.mkfifo(tmp_path / "pipe")
    for bad in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(OSError, match="not a file"):
            hmlc.save(hmlc.KMeans(), bad)
        with pytest.raises(hmlc.ModelFileError, match="not a file"):
            hmlc.load(bad)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError):
        hmlc.load(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        hmlc.save(hmlc.KMeans(), tmp_path / "none" / "m")
    for call in (hmlc.load, lambda path: hmlc.save(hmlc.KMeans(), path)):
        with pytest.raises(TypeError, match=r"os\.PathLike"):
            call(1)
