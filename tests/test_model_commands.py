"""``hmlc fit`` and ``hmlc predict``: what they write, what they hold, and how they fail."""

import argparse
import csv
import io
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import hmlc
from hmlc import _estimator_options, _model_commands, cli, datasets

CSV = Path(datasets.__file__).parent / "data"
IRIS, SERVER, GAUSS2 = (
    str(next(folder / name for folder in (CSV, CSV.parent.parent / "data") if folder.is_dir()))
    for name in ("iris.csv", "server.csv", "gauss2.csv")
)
SPECIES = ["setosa"] * 50 + ["versicolor"] * 50 + ["virginica"] * 50

FITS = {
    "linear": ([GAUSS2, "--target", "y", "--polynomial-degree", "9"], "R2 on these rows: 0.9"),
    "logistic": ([IRIS, "--target", "species"], "accuracy on these rows: 0.9"),
    "kmeans": (
        [IRIS, "--exclude", "species", "--n-clusters", "3", "--random-state", "0"],
        "inertia: 78.85",
    ),
    "anomaly": ([SERVER, "--target", "anomaly", "--covariance", "full"], "-8.94135: 6"),
    "mlp": (
        [IRIS, "--target", "species", "--hidden-layer-sizes", "8,4", "--solver", "lbfgs",
         "--l2", "0.1", "--random-state", "0", "--max-iter", "1000", "--tol", "0.01"],
        "accuracy on these rows: 0.9",
    ),
    "mlp-regressor": (
        [GAUSS2, "--target", "y", "--hidden-layer-sizes", "20", "--activation", "tanh",
         "--solver", "lbfgs", "--random-state", "0", "--max-iter", "5000", "--tol", "0.001"],
        "R2 on these rows: 0.9",
    ),
}  # fmt: skip


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "table.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def without_names(model):
    """Return a model that takes arrays without a warning, and its columns' names."""
    return model, vars(model).pop("feature_names_in_").tolist()


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("name", FITS)
def test_fit_and_predict(name, tmp_path, capsys):
    (data, *options), quality = FITS[name]
    path = tmp_path / "model.hmlc"
    assert run("fit", name, data, *options, "--out", path) == 0
    captured = capsys.readouterr()
    assert quality in captured.out
    assert captured.err == ""
    assert run("predict", path, data) == 0
    written = rows_of(capsys.readouterr().out)
    model, names = without_names(hmlc.load(path))
    with open(data) as file:
        X = [[float(row[name]) for name in names] for row in csv.DictReader(file)]
    expected = model.predict(X)
    if name == "anomaly":
        expected = (expected < 0).astype(int)
    assert [row["prediction"] for row in written] == [str(value) for value in expected.tolist()]


def test_every_algorithm_and_parameter_has_an_option(capsys):
    assert set(FITS) == set(_model_commands.ALGORITHMS)
    for name, algorithm in _model_commands.ALGORITHMS.items():
        with pytest.raises(SystemExit):
            run("fit", name, "--help")
        text = capsys.readouterr().out
        for parameter in algorithm.estimator().get_params().keys() - {"callback"}:
            assert f"--{parameter.replace('_', '-')}" in text


@pytest.mark.parametrize("name", FITS)
def test_every_parameter_is_explained(name):
    estimator = _model_commands.ALGORITHMS[name].estimator
    texts = _estimator_options._parameter_texts(estimator)
    assert set(texts) == set(estimator().get_params())
    assert all(len(text) > 10 for text in texts.values())


@pytest.mark.parametrize(
    ("hint", "default", "text", "expected"),
    [
        (int, 3, "4", 4),
        (float | None, None, "4", 4.0),
        (Literal["a", "b"] | None, None, "b", "b"),
        (int | str, "auto", "4", 4),
        (int | str, "auto", "auto", "auto"),
        (Any, (100,), "5, 2", (5, 2)),
        (str, "x", "4", "4"),
    ],
)
def test_options_are_read_by_the_parameters_type(hint, default, text, expected):
    parser = argparse.ArgumentParser()
    parser.add_argument("--it", **_estimator_options._reading("it", hint, default))
    read = parser.parse_args(["--it", text]).it
    assert read == expected
    assert type(read) is type(expected)


def test_parameters_are_those_of_the_estimator(tmp_path):
    path = tmp_path / "model.hmlc"
    options = ["--l2", "0.5", "--no-normalize", "--solver", "newton", "--multi-class", "ovr"]
    assert run("fit", "logistic", IRIS, "--target", "species", *options, "--out", path) == 0
    model = hmlc.load(path)
    expected = hmlc.LogisticRegression(
        l2=0.5, normalize=False, solver="newton", multi_class="ovr"
    ).fit(datasets.load_iris().data, SPECIES)
    assert repr(model) == repr(expected)
    assert model.coef_.tobytes() == expected.coef_.tobytes()


def test_probabilities_have_a_column_for_each_label(tmp_path, capsys):
    path = tmp_path / "model.hmlc"
    run("fit", "logistic", IRIS, "--target", "species", "--out", path)
    assert run("predict", path, IRIS, "--probabilities", "--out", tmp_path / "out.csv") == 0
    written = rows_of((tmp_path / "out.csv").read_text())
    assert list(written[0]) == ["prediction", *(f"probability_{s}" for s in SPECIES[::50])]
    expected = without_names(hmlc.load(path))[0].predict_proba(datasets.load_iris().data)
    given = [[float(row[f"probability_{s}"]) for s in SPECIES[::50]] for row in written]
    np.testing.assert_array_equal(given, expected)
    run("fit", "kmeans", IRIS, "--exclude", "species", "--out", path)
    capsys.readouterr()
    assert run("predict", path, IRIS, "--probabilities") == 1
    assert capsys.readouterr() == ("", "hmlc: a KMeans has no probabilities\n")


def test_columns_are_found_by_name_and_others_reported(table, tmp_path, capsys):
    path = tmp_path / "model.hmlc"
    run("fit", "linear", table("a,b,y\n1,0,1\n0,1,3\n1,1,4\n0,0,0\n"), "--target", "y",
        "--out", path)  # fmt: skip
    capsys.readouterr()
    assert run("predict", path, table("note,b,a\nfirst,1,0\nsecond,0,2\n")) == 0
    captured = capsys.readouterr()
    assert captured.err == "hmlc: columns not used: note\n"
    given = [float(row["prediction"]) for row in rows_of(captured.out)]
    np.testing.assert_allclose(given, [3, 2], atol=1e-12)
    assert run("predict", path, table("a,c\n1,2\n")) == 1
    assert "line 1: expected a column 'b', got a, c" in capsys.readouterr().err


def test_features_are_chosen_by_name(tmp_path):
    path = tmp_path / "model.hmlc"
    chosen = "petal_width,petal_length"
    assert run("fit", "kmeans", IRIS, "--features", chosen, "--out", path) == 0
    assert hmlc.load(path).feature_names_in_.tolist() == chosen.split(",")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [("0 1 10", [0, 1, 10]), ("01 1 2", ["01", "1", "2"]), ("-1 1 x", ["-1", "1", "x"])],
)
def test_labels_are_whole_numbers_or_text(labels, expected, table, tmp_path):
    path = tmp_path / "model.hmlc"
    lines = [f"{value},{label}" for value, label in enumerate(labels.split() * 3)]
    data = table("\n".join(["x,kind", *lines]))
    assert run("fit", "logistic", data, "--target", "kind", "--out", path) == 0
    assert hmlc.load(path).classes_.tolist() == expected


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("a,y\n1,2\nx,3\n", ["linear", "--target", "y"],
         "line 3, column 'a': expected a finite number, got 'x'. --exclude leaves columns out"),
        ("a,y\n1,2\n2,\n", ["linear", "--target", "y"],
         "line 3, column 'y': expected a finite number, got ''"),
        ("a,y\n1,p\n2,\n", ["logistic", "--target", "y"],
         "line 3, column 'y': expected a label, got ''"),
        ("a,y\n1,0\n2,2\n", ["anomaly", "--target", "y"],
         "line 3, column 'y': expected one of 0, 1, got '2'"),
        ("a,y\n1,2\n2\n", ["linear", "--target", "y"], "line 3: expected 2 columns, got 1"),
        ("a,y\n1,2\n", ["linear", "--target", "z"], "line 1: expected a column 'z', got a, y"),
        ("a,y\n1,2\n", ["kmeans", "--exclude", "b"], "line 1: expected a column 'b', got a, y"),
        ("a,y\n1,2\n", ["kmeans", "--features", "a,b"], "line 1: expected a column 'b', got a, y"),
        ("a,y\n1,2\n", ["linear", "--target", "y", "--features", "a,y"], "and not the target"),
        ("a,y\n1,2\n", ["linear", "--target", "y", "--exclude", "a"], "no column is left"),
        ("a,y\n", ["kmeans"], "expected a header and at least one row"),
        ("a\n1\n2\n", ["kmeans", "--n-clusters", "3"], "n_samples=2 should be >= n_clusters=3"),
        ("a\n1\n2\n", ["kmeans", "--n-init", "many"], "n_init must be one of 'auto'"),
        ("a,y\n1,p\n2,p\n", ["logistic", "--target", "y"], "'p'"),
        ("a,y\n1,p\n2,q\n", ["mlp", "--target", "y", "--hidden-layer-sizes", "8,x"],
         "hidden_layer_sizes"),
    ],
)  # fmt: skip
def test_bad_input_is_said_and_no_model_written(text, arguments, message, table, tmp_path, capsys):
    name, *options = arguments
    path = tmp_path / "model.hmlc"
    assert run("fit", name, table(text), *options, "--out", path) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("hmlc: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not path.exists()


@pytest.mark.parametrize(
    "options",
    [[], ["--target", "species"], ["--out", "m", "--n-clusters", "x"],
     ["--out", "m", "--features", "a", "--exclude", "b"]],
)  # fmt: skip
def test_bad_usage_is_status_2(options, capsys):
    with pytest.raises(SystemExit) as stop:
        run("fit", "kmeans", IRIS, *options)
    assert stop.value.code == 2


def test_a_missing_folder_is_said_before_the_table_is_read(tmp_path, capsys):
    assert run("fit", "kmeans", "/nowhere.csv", "--out", tmp_path / "no" / "m.hmlc") == 1
    assert "--out must lie in a folder that exists" in capsys.readouterr().err


def test_a_file_that_is_no_model(capsys):
    assert run("predict", IRIS, IRIS) == 1
    assert "does not begin as a file of hmlc.save does" in capsys.readouterr().err


def test_a_model_saved_in_python_predicts_by_the_order_of_columns(tmp_path, capsys, table):
    hmlc.save(hmlc.LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), tmp_path / "m.hmlc")
    assert run("predict", tmp_path / "m.hmlc", table("x\n2\n")) == 0
    (row,) = rows_of(capsys.readouterr().out)
    assert float(row["prediction"]) == pytest.approx(5)
    assert run("predict", tmp_path / "m.hmlc", table("x,z\n2,3\n")) == 1
    assert "line 1: expected 1 columns" in capsys.readouterr().err
    hmlc.save(hmlc.StandardScaler().fit([[0.0], [1.0]]), tmp_path / "m.hmlc")
    assert run("predict", tmp_path / "m.hmlc", table("x\n2\n")) == 1
    assert "a StandardScaler, which predicts nothing" in capsys.readouterr().err


def test_warnings_are_a_line(table, tmp_path, capsys):
    options = ["--target", "y", "--solver", "gradient_descent", "--max-iter", "1"]
    data = table("a,y\n1,2\n2,5\n3,5\n")
    assert run("fit", "linear", data, *options, "--out", tmp_path / "m.hmlc") == 0
    captured = capsys.readouterr().err
    assert captured.startswith("hmlc: warning: gradient descent did not settle")
    assert captured.count("\n") == 1


def big_table(path, n):
    """Write n rows of which the target is 3 a - b."""
    with open(path, "w") as file:
        file.write("a,b,y\n")
        file.writelines(f"{i % 97},{i % 89},{3 * (i % 97) - i % 89}\n" for i in range(n))


def test_a_big_table_is_never_held_as_text(tmp_path):
    """100,000 rows as lists of text take 30 MB."""
    data, model, out = tmp_path / "big.csv", tmp_path / "m.hmlc", tmp_path / "out.csv"
    n = 100_000
    big_table(data, n)
    peaks = []
    for arguments in (
        ("fit", "linear", data, "--target", "y", "--out", model),
        ("predict", model, data, "--out", out),
    ):
        tracemalloc.start()
        assert run(*arguments) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    numbers = 8 * 3 * n
    assert peaks[0] < 2.2 * numbers + 6e6  # the array and its growth, the target's, and a block
    assert peaks[1] < 6e6
    with open(out) as file:
        given = np.array([float(row["prediction"]) for row in csv.DictReader(file)])
    i = np.arange(n)
    np.testing.assert_allclose(given, 3 * (i % 97) - i % 89, atol=1e-9)


def test_where_a_table_is_cut_leaves_no_trace(tmp_path, monkeypatch):
    texts = []
    for size in (7, 4096):
        monkeypatch.setattr(_model_commands, "BLOCK_ROWS", size)
        model, out = tmp_path / f"{size}.hmlc", tmp_path / f"{size}.csv"
        run("fit", "logistic", IRIS, "--target", "species", "--out", model)
        run("predict", model, IRIS, "--out", out)
        texts.append(model.read_bytes() + out.read_bytes())
    assert texts[0] == texts[1]


def test_a_bad_cell_far_down_leaves_the_old_file(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_model_commands, "BLOCK_ROWS", 16)
    model, out, data = tmp_path / "m.hmlc", tmp_path / "out.csv", tmp_path / "big.csv"
    big_table(data, 500)
    run("fit", "linear", data, "--target", "y", "--out", model)
    with open(data, "a") as file:
        file.write("1,oops,2\n")
    out.write_text("kept")
    capsys.readouterr()
    assert run("predict", model, data, "--out", out) == 1
    message = "line 502, column 'b': expected a finite number, got 'oops'"
    assert message in capsys.readouterr().err
    assert out.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["big.csv", "m.hmlc", "out.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes by path")
def test_as_a_program_from_a_pipe_and_into_one_that_closes(tmp_path):
    command = [sys.executable, "-m", "hmlc"]
    model, data = tmp_path / "m.hmlc", tmp_path / "big.csv"
    big_table(data, 30_000)
    subprocess.run(
        [*command, "fit", "linear", "/dev/stdin", "--target", "y", "--out", model],
        input=data.read_bytes(), check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with subprocess.Popen(
        [*command, "predict", model, data], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"prediction\n"
        process.stdout.close()
        assert process.stderr.read() == b"hmlc: columns not used: y\n"
        assert process.wait() == 1
