"""Small real data sets; data/README.md names the source, licence and checksum of each.

Every loader looks for its file in `data_dir`, in the folder that the environment variable
``HMLC_DATA`` names, in the project's own data (inside an installed package, beside it in a
checkout) and in the user's cache, in this order. Where the loader has a parameter `fetch`, what is
found nowhere is downloaded into the cache and checked against its sha256; the other files ship with
the package.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc._data_files import RemoteFile, find_or_fetch, require
from hmlc._data_formats import Table, read_csv
from hmlc._image_sets import FASHION_MNIST, MNIST, ImageSet, read_images

HAPPINESS = RemoteFile(
    name="world-happiness-report-2017.csv",
    url="https://raw.githubusercontent.com/trekhleb/homemade-machine-learning/master/data/"
    "world-happiness-report-2017.csv",
    sha256="cd90e5d3d7d504cbcfeef20c4f016fd19f19dce2e73cffb078412b6ebc73ab92",
    size=29_380,
)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table of features, and what is to be predicted from them.

    Attributes
    ----------
    data : ndarray of float64 or uint8, shape (n, d)
    target : ndarray of float64 or int64, shape (n,)
        A quantity, or for a classification the index into `target_names`.
    feature_names : tuple of str, length d
    target_name : str
        What is to be predicted.
    name : str
    source : str
        Who made the data, and when.
    licence : str
    target_names : tuple of str or None
        The classes; None where the target is a quantity.
    row_names : tuple of str or None
        What each row is about, of length n, where rows have names.

    Examples
    --------
    >>> from hmlc import datasets
    >>> iris = datasets.load_iris()
    >>> iris.source, iris.target_name
    ('R. A. Fisher (1936); UCI Machine Learning Repository', 'species')
    """

    data: NDArray[Any] = field(repr=False)
    target: NDArray[Any] = field(repr=False)
    feature_names: tuple[str, ...] = field(repr=False)
    target_name: str = field(repr=False)
    name: str
    source: str
    licence: str
    target_names: tuple[str, ...] | None = None
    row_names: tuple[str, ...] | None = field(default=None, repr=False)

    @property
    def target_labels(self) -> NDArray[np.str_]:
        """The name of each row's class, shape (n,).

        Raises
        ------
        ValueError
            If the target is a quantity.

        Examples
        --------
        >>> from hmlc import datasets
        >>> datasets.load_iris().target_labels[[0, 50, 100]].tolist()
        ['setosa', 'versicolor', 'virginica']
        """
        if self.target_names is None:
            raise ValueError(f"{self.name} has no classes: {self.target_name} is a quantity")
        labels: NDArray[np.str_] = np.array(self.target_names)[self.target]
        return labels


def _read(name: str, data_dir: str | Path | None) -> Table:
    return read_csv(require(name, data_dir))


def load_iris(data_dir: str | Path | None = None) -> Dataset:
    """Load Fisher's 150 irises: four lengths in centimetres, and one of three species.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where to look for ``iris.csv`` first.

    Returns
    -------
    Dataset
        `data` float64 (150, 4); `target` int64 (150,), 50 of each of setosa, versicolor, virginica.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the file, or `data_dir`, is not there.
    ValueError
        If the file is not such a table.

    Examples
    --------
    >>> from hmlc import datasets
    >>> iris = datasets.load_iris()
    >>> iris.data.shape, iris.feature_names[2:]
    ((150, 4), ('petal_length', 'petal_width'))
    """
    species = ("setosa", "versicolor", "virginica")
    features = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    table = _read("iris.csv", data_dir)
    return Dataset(
        data=table.numbers(features),
        target=table.codes("species", species),
        feature_names=features,
        target_name="species",
        name="Iris",
        source="R. A. Fisher (1936); UCI Machine Learning Repository",
        licence="CC BY 4.0",
        target_names=species,
    )


def load_gauss2(data_dir: str | Path | None = None) -> Dataset:
    """Load NIST's Gauss2: two slightly blended Gaussians on a decaying baseline, with noise.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where to look for ``gauss2.csv`` first.

    Returns
    -------
    Dataset
        `data` float64 (250, 1), x from 1 to 250; `target` float64 (250,), y. The noise has variance
        6.25, and the certified least-squares fit a residual sum of squares of 1247.5282092.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the file, or `data_dir`, is not there.
    ValueError
        If the file is not such a table.

    Examples
    --------
    >>> from hmlc import datasets
    >>> gauss2 = datasets.load_gauss2()
    >>> gauss2.data[:2, 0], gauss2.target[:2]
    (array([1., 2.]), array([97.58776, 97.76344]))
    """
    table = _read("gauss2.csv", data_dir)
    return Dataset(
        data=table.numbers(["x"]),
        target=table.numbers(["y"])[:, 0],
        feature_names=("x",),
        target_name="y",
        name="Gauss2",
        source="B. Rust, NIST Statistical Reference Datasets (1996)",
        licence="public domain",
    )


def load_countries(year: int | None = None, data_dir: str | Path | None = None) -> Dataset:
    """Load 142 countries' wealth, population and life expectancy, every fifth year 1952 to 2007.

    Life expectancy is close to linear in the logarithm of the gross domestic product per head.

    Parameters
    ----------
    year : int, optional
        Keep this year only; by default all twelve.
    data_dir : str or Path, optional
        Where to look for ``countries.csv`` first.

    Returns
    -------
    Dataset
        `data` float64, columns gdp_per_capita (international dollars of 2005), population and, with
        all years, year: (142, 2) or (1704, 3); `target` float64, life expectancy at birth in years;
        `row_names` the countries.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the file, or `data_dir`, is not there.
    ValueError
        If the table has no row of that year, or the file is not such a table.

    Examples
    --------
    >>> from hmlc import datasets
    >>> countries = datasets.load_countries(2007)
    >>> countries.row_names[0], countries.data.shape
    ('Afghanistan', (142, 2))
    """
    features: tuple[str, ...] = ("gdp_per_capita", "population", "year")
    table = _read("countries.csv", data_dir)
    values = table.numbers([*features, "life_expectancy"])
    keep = np.ones(len(values), dtype=bool)
    if year is not None:
        keep = values[:, 2] == year
        features = features[:2]
    if not keep.any():
        years = ", ".join(f"{value:g}" for value in np.unique(values[:, 2]))
        raise ValueError(f"year must be one of {years}, got {year!r}")
    names = table.texts("country")
    return Dataset(
        data=np.ascontiguousarray(values[keep, : len(features)]),
        target=values[keep, 3],
        feature_names=features,
        target_name="life_expectancy",
        name="Countries",
        source="Gapminder Foundation; excerpt by J. Bryan",
        licence="CC BY 3.0",
        row_names=tuple(names[i] for i in np.flatnonzero(keep)),
    )


def load_microchips(data_dir: str | Path | None = None) -> Dataset:
    """Load 118 artificial microchips: two test results, and whether the chip was accepted.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where to look for ``microchips.csv`` first.

    Returns
    -------
    Dataset
        `data` float64 (118, 2), without unit, from -0.83 to 1.11; `target` int64 (118,), 1 for an
        accepted chip.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the file, or `data_dir`, is not there.
    ValueError
        If the file is not such a table.

    Examples
    --------
    >>> from hmlc import datasets
    >>> chips = datasets.load_microchips()
    >>> chips.data.shape, chips.target_names
    ((118, 2), ('rejected', 'accepted'))
    """
    table = _read("microchips.csv", data_dir)
    return Dataset(
        data=table.numbers(["test_1", "test_2"]),
        target=table.codes("accepted", ["0", "1"]),
        feature_names=("test_1", "test_2"),
        target_name="accepted",
        name="Microchips",
        source="artificial: data/make_artificial.py",
        licence="MIT",
        target_names=("rejected", "accepted"),
    )


def load_server(data_dir: str | Path | None = None) -> Dataset:
    """Load 307 artificial servers, of which 9 are anomalies: 6 far from the others, 3 among them.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where to look for ``server.csv`` first.

    Returns
    -------
    Dataset
        `data` float64 (307, 2), latency in ms and throughput in MB/s; `target` int64 (307,), 1 for
        an anomaly.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the file, or `data_dir`, is not there.
    ValueError
        If the file is not such a table.

    Examples
    --------
    >>> from hmlc import datasets
    >>> servers = datasets.load_server()
    >>> len(servers.data), int(servers.target.sum())
    (307, 9)
    """
    table = _read("server.csv", data_dir)
    return Dataset(
        data=table.numbers(["latency_ms", "throughput_mb_s"]),
        target=table.codes("anomaly", ["0", "1"]),
        feature_names=("latency_ms", "throughput_mb_s"),
        target_name="anomaly",
        name="Server",
        source="artificial: data/make_artificial.py",
        licence="MIT",
        target_names=("normal", "anomaly"),
    )


def load_happiness(
    columns: Sequence[str] = ("Economy..GDP.per.Capita.", "Freedom"),
    *,
    path: str | Path | None = None,
    data_dir: str | Path | None = None,
    fetch: bool = True,
) -> Dataset:
    r"""Load the World Happiness Report 2017: 155 countries' happiness and what may explain it.

    Parameters
    ----------
    columns : sequence of str
        The table's columns to use as features.
    path : str or Path, optional
        The table itself; nothing is searched or downloaded then.
    data_dir : str or Path, optional
        Where to look for ``world-happiness-report-2017.csv`` first.
    fetch : bool
        Download the table (29 kB) if it is found nowhere.

    Returns
    -------
    Dataset
        `data` float64 (155, len(columns)), each column the points that a factor contributes to the
        score; `target` float64 (155,), the score on a scale from 0 to 10; `row_names` the
        countries.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the table is found nowhere and `fetch` is false, or `path` or `data_dir` is not there.
    OSError
        If the download fails or is not the expected table.
    ValueError
        If a column is missing, or the file is not such a table.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from hmlc import datasets
    >>> path = pathlib.Path(tempfile.mkdtemp(), "report.csv")
    >>> _ = path.write_text("Country,Happiness.Score,Freedom\nNorway,7.537,0.635\n")
    >>> report = datasets.load_happiness(["Freedom"], path=path)
    >>> report.row_names, report.data, report.target
    (('Norway',), array([[0.635]]), array([7.537]))
    """
    table = read_csv(find_or_fetch(HAPPINESS, data_dir, fetch=fetch) if path is None else path)
    return Dataset(
        data=table.numbers(columns),
        target=table.numbers(["Happiness.Score"])[:, 0],
        feature_names=tuple(columns),
        target_name="Happiness.Score",
        name="World Happiness Report 2017",
        source="J. Helliwell, R. Layard, J. Sachs (eds.), World Happiness Report 2017",
        licence="its publisher's; not redistributed with hmlc",
        row_names=table.texts("Country"),
    )


def load_well_being(data_dir: str | Path | None = None) -> Dataset:
    """Load a table of countries with two features of well-being, for the regression examples.

    It is the happiness report where that is at hand (see `load_happiness`), and else Gapminder's
    table: life expectancy by the logarithm of wealth, and by year.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where to look first.

    Returns
    -------
    Dataset
        `data` float64 (155, 2) and points from 0 to 10 in `target`; or (1704, 2), and years.

    Examples
    --------
    >>> from hmlc import datasets
    >>> datasets.load_well_being().data.shape[1]
    2
    """
    try:
        return load_happiness(data_dir=data_dir, fetch=False)
    except FileNotFoundError:
        countries = load_countries(data_dir=data_dir)
    wealth, year = countries.data[:, 0], countries.data[:, 2]
    return replace(
        countries,
        data=np.column_stack([np.log10(wealth), year]),
        feature_names=("log10_gdp_per_capita", "year"),
    )


def load_mnist(
    n_rows: int = 10_000, *, data_dir: str | Path | None = None, fetch: bool = True
) -> Dataset:
    """Load the first of MNIST's 60,000 training images: handwritten digits of 28 x 28 pixels.

    The repository has the first 10,000 rows; an installed package, or more rows, need the full set.

    Parameters
    ----------
    n_rows : int
        From 1 to 60,000.
    data_dir : str or Path, optional
        Where to look first, for ``mnist-10k-images.idx.gz`` or
        ``mnist/train-images-idx3-ubyte.gz``, and for the labels likewise.
    fetch : bool
        Download the full set (10 MB) if it is found nowhere.

    Returns
    -------
    Dataset
        `data` uint8 (n_rows, 784), 0 for background to 255, row by row; `target` int64 (n_rows,),
        the digit.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the set is found nowhere and `fetch` is false, or `data_dir` is not there.
    OSError
        If a download fails or is not the expected file.
    TypeError
        If `n_rows` is not an integer.
    ValueError
        If `n_rows` is out of range, or a file is not what it should be.

    Examples
    --------
    >>> from hmlc import datasets
    >>> digits = datasets.load_mnist(500)
    >>> digits.data.shape, digits.target[:5]
    ((500, 784), array([5, 0, 4, 1, 9]))
    """
    return _load_images(MNIST, n_rows, data_dir, fetch)


def load_fashion_mnist(
    n_rows: int = 5_000, *, data_dir: str | Path | None = None, fetch: bool = True
) -> Dataset:
    """Load the first of Fashion-MNIST's 60,000 training images: garments of 28 x 28 pixels.

    The repository has the first 5,000 rows; an installed package, or more rows, need the full set.

    Parameters
    ----------
    n_rows : int
        From 1 to 60,000.
    data_dir : str or Path, optional
        Where to look first, for ``fashion-5k-images.idx.gz`` or
        ``fashion-mnist/train-images-idx3-ubyte.gz``, and for the labels likewise.
    fetch : bool
        Download the full set (26 MB) if it is found nowhere.

    Returns
    -------
    Dataset
        `data` uint8 (n_rows, 784), 0 for background to 255, row by row; `target` int64 (n_rows,),
        the index of the garment in `target_names`.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If the set is found nowhere and `fetch` is false, or `data_dir` is not there.
    OSError
        If a download fails or is not the expected file.
    TypeError
        If `n_rows` is not an integer.
    ValueError
        If `n_rows` is out of range, or a file is not what it should be.

    Examples
    --------
    >>> from hmlc import datasets
    >>> garments = datasets.load_fashion_mnist(500)
    >>> garments.target_labels[:2].tolist()
    ['ankle boot', 'T-shirt/top']
    """
    return _load_images(FASHION_MNIST, n_rows, data_dir, fetch)


def _load_images(
    image_set: ImageSet, n_rows: int, data_dir: str | Path | None, fetch: bool
) -> Dataset:
    images, labels = read_images(image_set, n_rows, data_dir, fetch=fetch)
    _, height, width = images.shape
    return Dataset(
        data=images.reshape(len(images), height * width),
        target=labels.astype(np.int64),
        feature_names=tuple(f"pixel_{i}_{j}" for i in range(height) for j in range(width)),
        target_name="class",
        name=image_set.name,
        source=image_set.source,
        licence=image_set.licence,
        target_names=image_set.target_names,
    )
