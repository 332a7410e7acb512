"""Cut the first rows of a full image set, as MNIST's and Fashion-MNIST's files here were cut.

    python data/make_image_sets.py IMAGES LABELS ROWS PREFIX

IMAGES and LABELS are gzip-compressed IDX files; PREFIX-images.idx.gz and PREFIX-labels.idx.gz are
written.
"""

import argparse
import gzip
import struct
from pathlib import Path

import numpy as np

from hmlc._data_formats import IDX_UINT8, read_idx


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write an array of uint8 as compressed IDX, without the time or a name in it."""
    header = bytes([0, 0, IDX_UINT8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0) as file,
    ):
        file.write(header + array.tobytes())


def main() -> None:
    """Cut both files."""
    parser = argparse.ArgumentParser(description="Cut the first rows of a full image set.")
    parser.add_argument("images", type=Path, help="IDX.gz of images of 28 x 28 pixels")
    parser.add_argument("labels", type=Path, help="IDX.gz of labels")
    parser.add_argument("rows", type=int, help="how many rows to keep")
    parser.add_argument("prefix", help="such as data/mnist-10k")
    arguments = parser.parse_args()
    if arguments.rows < 1:
        parser.error(f"rows must be at least 1, got {arguments.rows}")
    images = read_idx(arguments.images, (28, 28), arguments.rows)
    labels = read_idx(arguments.labels, (), arguments.rows)
    write_idx(Path(f"{arguments.prefix}-images.idx.gz"), images)
    write_idx(Path(f"{arguments.prefix}-labels.idx.gz"), labels)


if __name__ == "__main__":
    main()
