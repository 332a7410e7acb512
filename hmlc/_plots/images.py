"""Plots of images side by side: a mosaic in one picture, with captions."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from hmlc._plots.style import FAINT, INK, RIGHT, WRONG, Array, Axes, new_axes, undress

BULK = 0.995
"""Share of weights, the smaller ones, that colours tell apart."""


def _mosaic(tiles: Array, columns: int, gap: int) -> Array:
    """Return tiles (n, rows, columns) side by side with gaps, NaN where there is no tile."""
    n, height, width = tiles.shape
    lines = -(-n // columns)
    picture = np.full((lines * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for index, tile in enumerate(tiles):
        top, left = _corner(index, tiles, columns, gap)
        picture[top : top + height, left : left + width] = tile
    return picture


def _corner(index: int, tiles: Array, columns: int, gap: int) -> tuple[int, int]:
    """Return the row and column of a tile's first pixel in the mosaic."""
    line, column = divmod(index, columns)
    return line * (tiles.shape[1] + gap), column * (tiles.shape[2] + gap)


def _tiles(images: Any, shape: tuple[int, int] | None) -> Array:
    tiles = np.asarray(images, dtype=np.float64)
    if tiles.ndim == 2:
        side = math.isqrt(tiles.shape[1])
        height, width = (side, side) if shape is None else shape
        if height * width != tiles.shape[1]:
            raise ValueError(
                f"images of {tiles.shape[1]} pixels do not fit the shape ({height}, {width})"
            )
        tiles = tiles.reshape(-1, height, width)
    if tiles.ndim != 3 or tiles.size == 0:
        raise ValueError(f"images must be of shape (n, rows, columns); got {tiles.shape}")
    return tiles


def _side(count: int) -> int:
    """Return how many tiles go side by side: a little wider than high, with few places empty."""
    root = math.sqrt(count)
    sides = range(math.ceil(root), math.ceil(1.6 * root) + 1)
    return min(sides, key=lambda side: (-count % side, side))


def _write_captions(
    ax: Axes,
    captions: Sequence[str],
    tiles: Array,
    columns: int,
    gap: int,
    colors: Sequence[str] | None = None,
) -> None:
    """Write a caption above each tile, in a size at which the longest line has room."""
    width = tiles.shape[2]
    longest = max(len(line) for caption in captions for line in caption.split("\n"))
    pixel = 72 * ax.get_window_extent().width / ax.figure.dpi / (columns * (width + gap))
    size = float(min(8.0, pixel * (width + gap) / (0.62 * longest)))
    for index, caption in enumerate(captions):
        top, left = _corner(index, tiles, columns, gap)
        ax.text(
            left + width / 2 - 0.5, top - 0.5 - gap * 0.08, caption, ha="center", va="bottom",
            fontsize=size, linespacing=1.1, color=INK if colors is None else colors[index],
        )  # fmt: skip


def weight_images(
    weights: Any,
    shape: tuple[int, int] | None = None,
    *,
    names: Sequence[str] | None = None,
    ax: Axes = None,
) -> Axes:
    """Draw vectors of weights, one a pixel, as images: blue is negative, red positive, white 0.

    Colours reach as far as all weights but one in two hundred; those beyond have the last colour.

    Parameters
    ----------
    weights : array of shape (n_images, n_pixels)
        Such as `coef_` of a classifier, or the transposed first `coefs_` of a network.
    shape : two int, optional
        Rows and columns of an image; None for square images.
    names : sequence of str, optional
        A word above each image.
    ax : matplotlib Axes, optional

    Examples
    --------
    >>> from hmlc import LogisticRegression, datasets, plots
    >>> digits = datasets.load_mnist(500)
    >>> model = LogisticRegression(normalize=False).fit(digits.data / 255, digits.target)
    >>> ax = plots.weight_images(model.coef_, names=model.classes_)
    >>> ax.get_title(loc="left")
    '10 sets of weights'
    """
    tiles = _tiles(weights, shape)
    columns, height = _side(len(tiles)), tiles.shape[1]
    gap = max(1, round(height * (0.08 if names is None else 0.3)))
    picture = _mosaic(tiles, columns, gap)
    ax = new_axes(ax, width=6.4, height=0.8 + 5.4 * picture.shape[0] / picture.shape[1])
    # A pixel that is hardly ever lit may have a weight beside which all others would be white.
    sizes = np.abs(tiles)
    largest = float(np.quantile(sizes, BULK, method="higher")) or float(sizes.max()) or 1.0
    image = ax.imshow(picture, cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    if names is not None:
        _write_captions(ax, [str(name) for name in names], tiles, columns, gap)
        ax.set_ylim(picture.shape[0] - 0.5, -gap)
    extend = "both" if sizes.max() > largest else "neither"
    bar = ax.figure.colorbar(image, cax=ax.inset_axes((1.03, 0.0, 0.03, 1.0)), extend=extend)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=8)
    return undress(ax, f"{len(tiles)} sets of weights")


def image_grid(
    images: Any,
    labels: Any,
    predicted: Any = None,
    shape: tuple[int, int] | None = None,
    *,
    limit: int = 40,
    ax: Axes = None,
) -> Axes:
    """Draw images with their labels; where predictions are given, right and wrong are coloured.

    Parameters
    ----------
    images : array of shape (n_images, n_pixels) or (n_images, rows, columns)
    labels : sequence of length n_images
        True labels.
    predicted : sequence of length n_images, optional
        A wrong one is written below the true label in red, and its image framed.
    shape : two int, optional
        Rows and columns of an image; None for square images.
    limit : int
        Images after the first so many are not drawn.
    ax : matplotlib Axes, optional

    Examples
    --------
    >>> from hmlc import datasets, plots
    >>> garments = datasets.load_fashion_mnist(500)
    >>> ax = plots.image_grid(garments.data, garments.target_labels, limit=12)
    >>> ax.get_title(loc="left")
    '12 images'
    """
    tiles, true = _tiles(images[:limit], shape), list(labels[:limit])
    guessed = true if predicted is None else list(predicted[:limit])
    if not len(tiles) == len(true) == len(guessed):
        raise ValueError(
            f"{len(tiles)} images, {len(true)} labels and {len(guessed)} predictions: "
            "expected as many of each"
        )
    wrong = [guess != label for label, guess in zip(true, guessed, strict=True)]
    columns, (height, width) = _side(len(tiles)), tiles.shape[1:]
    gap = max(2, round(height * (0.62 if any(wrong) else 0.36)))
    picture = _mosaic(tiles, columns, gap)
    ax = new_axes(ax, width=6.4, height=0.6 + 6.2 * picture.shape[0] / picture.shape[1])
    ax.imshow(picture, cmap="Greys", interpolation="nearest")
    captions = [
        f"{label}\nas {guess}" if miss else str(label)
        for label, guess, miss in zip(true, guessed, wrong, strict=True)
    ]
    colors = [INK if predicted is None else (WRONG if miss else RIGHT) for miss in wrong]
    _write_captions(ax, captions, tiles, columns, gap, colors)
    for index, (color, miss) in enumerate(zip(colors, wrong, strict=True)):
        top, left = _corner(index, tiles, columns, gap)
        x, y = left - 0.5, top - 0.5
        frame = ([x, x + width, x + width, x, x], [y, y, y + height, y + height, y])
        edge = FAINT if predicted is None else color
        ax.plot(*frame, color=edge, linewidth=2.0 if miss else 0.8)
    ax.set_ylim(picture.shape[0], -gap)
    ax.set_xlim(-gap / 2, picture.shape[1] + gap / 2)
    count = f"{len(tiles)} images"
    return undress(ax, count if predicted is None else f"{count}, {sum(wrong)} predicted wrong")
