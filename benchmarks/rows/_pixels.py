"""MNIST's 60,000 digits as numbers from 0 to 1, or as near to them as is at hand."""

from typing import Any

import numpy as np

from benchmarks.row import Data
from hmlc import datasets

SAMPLE = 10_000


def pixels(n: int, **more: Any) -> Data:
    """Return n images of 784 pixels, their digits, and a note where they are not MNIST's own.

    Where the whole set is neither at hand nor to be had, the first 10,000 images are repeated,
    moved by up to two pixels and with a little noise.
    """
    try:
        digits = datasets.load_mnist(n)
        return Data(X=_scaled(digits.data), y=digits.target, **more)
    except OSError:
        digits = datasets.load_mnist(SAMPLE)
    rng = np.random.default_rng(0)
    X = np.empty((n, 784), np.float32)
    for first in range(0, n, SAMPLE):
        copy = X[first : first + SAMPLE]
        images = _scaled(digits.data[: len(copy)]).reshape(-1, 28, 28)
        if first:
            images = np.roll(images, tuple(rng.integers(-2, 3, 2)), axis=(1, 2))
            images = images + 0.02 * rng.random(images.shape, dtype=np.float32) * (images > 0)
        copy[:] = images.reshape(-1, 784)
    y = np.resize(digits.target, n)
    return Data(X=X, y=y, note="MNIST's first 10,000 digits, repeated with shifts", **more)


def _scaled(images: Any) -> Any:
    return images.astype(np.float32) / np.float32(255)
