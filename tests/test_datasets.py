import csv
import gzip
import hashlib
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from hmlc import datasets
from hmlc._data_formats import read_idx

DATA = Path(__file__).parent.parent / "data"
README_ROW = re.compile(r"\| `(\S+)` \| (\d+) x (\d+) \| ([^|]+) \| `([0-9a-f]{64})` \|")
README_TABLE = [row.groups() for row in README_ROW.finditer((DATA / "README.md").read_text())]

HAPPINESS_HEADER = '"Country","Happiness.Score","Economy..GDP.per.Capita.","Family","Freedom"\n'
HAPPINESS_ROWS = '"Norway",7.5,1.6,1.5,0.63\n"Congo, Rep.",4.2,0.8,1.1,0.25\n'


@pytest.fixture(autouse=True)
def only_the_repository(tmp_path, monkeypatch):
    """Let nothing of the user's be found, and the image sets even where hmlc is installed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HMLC_DATA", str(DATA))


def run_script(monkeypatch, name, *arguments):
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(DATA / name), run_name="__main__")


def test_the_readme_names_every_file():
    files = {path.name for path in DATA.iterdir() if path.suffix in (".csv", ".gz")}
    assert {name for name, *_ in README_TABLE} == files


@pytest.mark.parametrize(("name", "rows", "columns", "licence", "sha256"), README_TABLE)
def test_a_file_is_what_the_readme_says(name, rows, columns, licence, sha256):
    content = (DATA / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == sha256
    if name.endswith(".csv"):
        table = list(csv.reader(content.decode().splitlines()))
        assert {len(row) for row in table} == {int(columns)}
        assert len(table) == int(rows) + 1
    else:
        header = {"784": 16, "1": 8}[columns]
        assert len(gzip.decompress(content)) == header + int(rows) * int(columns)


@pytest.mark.parametrize(
    ("load", "shape", "classes"),
    [
        (datasets.load_iris, (150, 4), 3),
        (datasets.load_gauss2, (250, 1), None),
        (datasets.load_countries, (1704, 3), None),
        (lambda: datasets.load_countries(1952), (142, 2), None),
        (datasets.load_microchips, (118, 2), 2),
        (datasets.load_server, (307, 2), 2),
        (datasets.load_mnist, (10_000, 784), 10),
        (datasets.load_fashion_mnist, (5_000, 784), 10),
        (lambda: datasets.load_mnist(7), (7, 784), 10),
    ],
)
def test_shapes_and_dtypes(load, shape, classes):
    dataset = load()
    assert dataset.data.shape == shape
    assert dataset.target.shape == shape[:1]
    assert len(dataset.feature_names) == shape[1]
    assert dataset.data.dtype == (np.uint8 if shape[1] == 784 else np.float64)
    assert dataset.data.flags.c_contiguous
    if classes is None:
        assert dataset.target_names is None
        assert dataset.target.dtype == np.float64
    else:
        assert len(dataset.target_names) == classes
        assert dataset.target.dtype == np.int64
        assert set(dataset.target) <= set(range(classes))


def test_the_description_agrees_with_the_readme():
    licences = {name: licence for name, _, _, licence, _ in README_TABLE}
    assert datasets.load_iris().licence == licences["iris.csv"]
    assert datasets.load_gauss2().licence == licences["gauss2.csv"]
    assert datasets.load_countries().licence == licences["countries.csv"]
    assert datasets.load_microchips().licence == licences["microchips.csv"]
    assert datasets.load_server().licence == licences["server.csv"]
    assert datasets.load_mnist(1).licence == licences["mnist-10k-images.idx.gz"]
    assert datasets.load_fashion_mnist(1).licence == licences["fashion-5k-images.idx.gz"]


def test_iris_is_scikit_learns():
    ours, theirs = datasets.load_iris(), sklearn.datasets.load_iris()
    np.testing.assert_array_equal(ours.data, theirs.data)
    np.testing.assert_array_equal(ours.target, theirs.target)
    assert list(ours.target_names) == list(theirs.target_names)


def test_gauss2_has_nists_certified_residual():
    """The parameters and the residual sum of squares are those that NIST certifies."""
    b1, b2, b3, b4, b5, b6, b7, b8 = (
        9.9018328406e01,
        1.0994945399e-02,
        1.0188022528e02,
        1.0703095519e02,
        2.3578584029e01,
        7.2045589471e01,
        1.5327010194e02,
        1.9525972636e01,
    )
    dataset = datasets.load_gauss2()
    x = dataset.data[:, 0]
    np.testing.assert_array_equal(x, np.arange(1, 251))
    fit = b1 * np.exp(-b2 * x)
    fit += b3 * np.exp(-(((x - b4) / b5) ** 2)) + b6 * np.exp(-(((x - b7) / b8) ** 2))
    assert np.sum((dataset.target - fit) ** 2) == pytest.approx(1.2475282092e03, rel=1e-10)


def test_countries_of_one_year():
    dataset = datasets.load_countries(2007)
    assert len(set(dataset.row_names)) == 142
    norway = dataset.row_names.index("Norway")
    np.testing.assert_array_equal(dataset.data[norway], [49357.19017, 4627926])
    assert dataset.target[norway] == 80.196
    wealth = np.log10(dataset.data[:, 0])
    assert np.corrcoef(wealth, dataset.target)[0, 1] == pytest.approx(0.809, abs=5e-4)


def test_countries_of_all_years_hold_those_of_each():
    every = datasets.load_countries()
    years = every.data[:, 2]
    for year in range(1952, 2008, 5):
        one = datasets.load_countries(year)
        np.testing.assert_array_equal(one.data, every.data[years == year, :2])
        np.testing.assert_array_equal(one.target, every.target[years == year])


def test_a_year_without_rows_is_refused():
    with pytest.raises(ValueError, match=r"year must be one of 1952, 1957, .*2007, got 2008"):
        datasets.load_countries(2008)


def test_the_artificial_tables_are_made_again_byte_for_byte(tmp_path, monkeypatch):
    run_script(monkeypatch, "make_artificial.py", tmp_path)
    for name in ("microchips.csv", "server.csv"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()


def test_microchips_need_a_curved_boundary():
    dataset = datasets.load_microchips()
    assert np.bincount(dataset.target).tolist() == [68, 50]

    def accuracy(degree):
        model = make_pipeline(PolynomialFeatures(degree), LogisticRegression(max_iter=5000))
        return model.fit(dataset.data, dataset.target).score(dataset.data, dataset.target)

    assert accuracy(1) < 0.65
    for degree in (5, 6):
        assert 0.85 <= accuracy(degree) <= 0.90


def test_six_of_the_nine_server_anomalies_can_be_told():
    dataset = datasets.load_server()
    assert np.bincount(dataset.target).tolist() == [298, 9]
    normal = dataset.data[dataset.target == 0]
    np.testing.assert_allclose(normal.mean(axis=0), [14.064, 15.021], atol=0.15)
    np.testing.assert_allclose(normal.var(axis=0), [0.928, 0.851], rtol=0.15)
    assert np.corrcoef(normal.T)[0, 1] == pytest.approx(0.352, abs=0.1)

    distance = ((dataset.data - dataset.data.mean(axis=0)) ** 2 / dataset.data.var(axis=0)).sum(1)
    farthest = np.argsort(-distance)
    assert dataset.target[farthest[:6]].all()
    assert not dataset.target[farthest[6:12]].any()


def test_the_first_digits_are_the_well_known_ones():
    dataset = datasets.load_mnist()
    assert dataset.target[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    counts = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert np.bincount(dataset.target).tolist() == counts


def test_the_first_garments_are_the_well_known_ones():
    dataset = datasets.load_fashion_mnist()
    assert dataset.target[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert dataset.target_names[dataset.target[0]] == "ankle boot"


def test_image_sets_are_cut_again_from_a_larger_one(tmp_path, monkeypatch):
    images, labels = (DATA / f"mnist-10k-{kind}.idx.gz" for kind in ("images", "labels"))
    run_script(monkeypatch, "make_image_sets.py", images, labels, 12, tmp_path / "mnist-10k")
    cut = datasets.load_mnist(12, data_dir=tmp_path)
    whole = datasets.load_mnist(20, data_dir=DATA)
    np.testing.assert_array_equal(cut.data, whole.data[:12])
    np.testing.assert_array_equal(cut.target, whole.target[:12])
    with pytest.raises(ValueError, match="expected at least 13 rows, got 12"):
        datasets.load_mnist(13, data_dir=tmp_path)


def test_more_rows_than_the_repository_has_come_from_the_full_set(tmp_path):
    (tmp_path / "fashion-mnist").mkdir()
    names = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    rows = 5_001
    for name, header, row_size in zip(names, ("00000803", "00000801"), (784, 1), strict=True):
        shape = [rows, 28, 28] if row_size == 784 else [rows]
        content = bytes.fromhex(header) + np.array(shape, dtype=">u4").tobytes()
        path = tmp_path / "fashion-mnist" / name
        path.write_bytes(gzip.compress(content + bytes([3]) * rows * row_size, 1))
    dataset = datasets.load_fashion_mnist(rows, data_dir=tmp_path, fetch=False)
    assert dataset.data.shape == (rows, 784)
    assert set(dataset.target) == {3}
    with pytest.raises(FileNotFoundError, match=r"no mnist/train-images-idx3-ubyte\.gz in any"):
        datasets.load_mnist(10_001, data_dir=tmp_path, fetch=False)


def test_labels_beyond_the_classes_are_refused(tmp_path, monkeypatch):
    images = DATA / "mnist-10k-images.idx.gz"
    labels = tmp_path / "labels.gz"
    labels.write_bytes(gzip.compress(bytes.fromhex("0000080100000003") + bytes([1, 2, 10])))
    run_script(monkeypatch, "make_image_sets.py", images, labels, 3, tmp_path / "mnist-10k")
    assert read_idx(tmp_path / "mnist-10k-labels.idx.gz", (), 3).tolist() == [1, 2, 10]
    with pytest.raises(ValueError, match="expected labels below 10, got 10"):
        datasets.load_mnist(3, data_dir=tmp_path)


@pytest.mark.parametrize("n_rows", [0, -1, 60_001])
def test_a_number_of_rows_out_of_range_is_refused(n_rows):
    with pytest.raises(ValueError, match=f"n_rows must be from 1 to 60000, got {n_rows}"):
        datasets.load_mnist(n_rows)


def test_a_number_of_rows_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match="float"):
        datasets.load_mnist(10.0)


def test_happiness_is_read_from_a_folder_or_a_path(tmp_path):
    path = tmp_path / "world-happiness-report-2017.csv"
    path.write_text(HAPPINESS_HEADER + HAPPINESS_ROWS)
    renamed = tmp_path / "happy.csv"
    renamed.write_text(HAPPINESS_HEADER + HAPPINESS_ROWS)
    for dataset in (
        datasets.load_happiness(data_dir=tmp_path, fetch=False),
        datasets.load_happiness(path=renamed, fetch=False),
    ):
        np.testing.assert_array_equal(dataset.data, [[1.6, 0.63], [0.8, 0.25]])
        np.testing.assert_array_equal(dataset.target, [7.5, 4.2])
        assert dataset.row_names == ("Norway", "Congo, Rep.")


def test_happiness_takes_other_columns(tmp_path):
    path = tmp_path / "happy.csv"
    path.write_text(HAPPINESS_HEADER + HAPPINESS_ROWS)
    dataset = datasets.load_happiness(["Family"], path=path)
    np.testing.assert_array_equal(dataset.data, [[1.5], [1.1]])
    assert dataset.feature_names == ("Family",)
    with pytest.raises(ValueError, match=r"happy\.csv, line 1: expected a column 'Wealth', got"):
        datasets.load_happiness(["Wealth"], path=path)


def test_happiness_is_fetched_once_and_checked(tmp_path, monkeypatch):
    table = tmp_path / "published.csv"
    table.write_text(HAPPINESS_HEADER + HAPPINESS_ROWS)
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    remote = replace(datasets.HAPPINESS, url=table.as_uri(), size=table.stat().st_size)
    monkeypatch.setattr(datasets, "HAPPINESS", remote)
    with pytest.raises(OSError, match=f"sha256 {remote.sha256}, got {digest}"):
        datasets.load_happiness()
    monkeypatch.setattr(datasets, "HAPPINESS", replace(remote, sha256=digest))
    assert datasets.load_happiness().row_names == ("Norway", "Congo, Rep.")
    table.unlink()
    assert datasets.load_happiness().row_names == ("Norway", "Congo, Rep.")


def test_happiness_that_is_nowhere_says_where_to_get_it():
    with pytest.raises(FileNotFoundError, match=r"world-happiness-report-2017\.csv .*fetch=True"):
        datasets.load_happiness(fetch=False)
