"""MNIST and Fashion-MNIST: what they are, where they are, and reading their first rows."""

import operator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hmlc._data_files import RemoteFile, find, find_or_fetch
from hmlc._data_formats import read_idx

IMAGE_SHAPE = (28, 28)
FULL_ROWS = 60_000

MNIST_HOST = "https://ossci-datasets.s3.amazonaws.com/mnist"
FASHION_HOST = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"


@dataclass(frozen=True)
class ImageSet:
    """Where an image set is: its first rows in the repository, all of it on a public host."""

    name: str
    source: str
    licence: str
    target_names: tuple[str, ...]
    sample: str
    sample_rows: int
    images: RemoteFile
    labels: RemoteFile


MNIST = ImageSet(
    name="MNIST",
    source="Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits (1998)",
    licence="CC BY-SA 3.0",
    target_names=tuple("0123456789"),
    sample="mnist-10k",
    sample_rows=10_000,
    images=RemoteFile(
        name="mnist/train-images-idx3-ubyte.gz",
        url=f"{MNIST_HOST}/train-images-idx3-ubyte.gz",
        sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        size=47_040_016,
    ),
    labels=RemoteFile(
        name="mnist/train-labels-idx1-ubyte.gz",
        url=f"{MNIST_HOST}/train-labels-idx1-ubyte.gz",
        sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        size=60_008,
    ),
)
FASHION_MNIST = ImageSet(
    name="Fashion-MNIST",
    source="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv:1708.07747 (2017)",
    licence="MIT",
    target_names=(
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    sample="fashion-5k",
    sample_rows=5_000,
    images=RemoteFile(
        name="fashion-mnist/train-images-idx3-ubyte.gz",
        url=f"{FASHION_HOST}/train-images-idx3-ubyte.gz",
        sha256="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        size=47_040_016,
    ),
    labels=RemoteFile(
        name="fashion-mnist/train-labels-idx1-ubyte.gz",
        url=f"{FASHION_HOST}/train-labels-idx1-ubyte.gz",
        sha256="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        size=60_008,
    ),
)


def read_images(
    image_set: ImageSet, n_rows: int, data_dir: str | Path | None, *, fetch: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the first images and their labels.

    Returns
    -------
    images : ndarray of uint8, shape (n_rows, 28, 28)
    labels : ndarray of uint8, shape (n_rows,)
        Each below the number of classes.

    Raises
    ------
    TypeError
        If `n_rows` is not an integer.
    ValueError
        If `n_rows` is out of range, or a file is not what it should be.
    OSError
        If a file cannot be found, fetched or read.
    """
    n_rows = operator.index(n_rows)
    if not 1 <= n_rows <= FULL_ROWS:
        raise ValueError(f"n_rows must be from 1 to {FULL_ROWS}, got {n_rows}")
    images_path, labels_path = _paths(image_set, n_rows, data_dir, fetch)
    labels = read_idx(labels_path, (), n_rows)
    classes = len(image_set.target_names)
    if labels.max() >= classes:
        raise ValueError(f"{labels_path}: expected labels below {classes}, got {labels.max()}")
    return read_idx(images_path, IMAGE_SHAPE, n_rows), labels


def _paths(
    image_set: ImageSet, n_rows: int, data_dir: str | Path | None, fetch: bool
) -> tuple[Path, Path]:
    """Return the files of images and labels: the repository's first rows if they are enough."""
    if n_rows <= image_set.sample_rows:
        images = find(f"{image_set.sample}-images.idx.gz", data_dir)
        labels = find(f"{image_set.sample}-labels.idx.gz", data_dir)
        if images and labels:
            return images, labels
    return (
        find_or_fetch(image_set.images, data_dir, fetch=fetch),
        find_or_fetch(image_set.labels, data_dir, fetch=fetch),
    )
