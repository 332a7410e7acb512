"""The look of every plot, in one place.

Colours are those that colour-blind readers tell apart (Okabe and Ito, 2008), markers differ with
them, and a light grid lies behind the data.
"""

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Axes = Any

INK = "#333333"
FAINT = "#DDDDDD"
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, RED, YELLOW = "#56B4E9", "#D55E00", "#F0E442"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW)
MARKERS = "osD^vPX"
RIGHT, WRONG = GREEN, RED


def new_axes(ax: Axes, *, width: float = 6.4, height: float = 4.4, projection: Any = None) -> Axes:
    """Return `ax`, or the only Axes of a new figure of that size in inches."""
    if ax is not None:
        return ax
    try:
        pyplot = importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'hmlc[plot]'") from error
    _, ax = pyplot.subplots(
        figsize=(width, height),
        dpi=120,
        layout="constrained",
        subplot_kw={"projection": projection},
    )
    return ax


def dress(ax: Axes, title: str, x_name: str, y_name: str, *, legend: str | None = "best") -> Axes:
    """Give a plot of x and y its words, grid and frame."""
    entitle(ax, title)
    ax.set_xlabel(x_name, color=INK)
    ax.set_ylabel(y_name, color=INK)
    ax.grid(color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(colors=INK, labelsize=9, length=3)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    if legend is not None:
        ax.legend(loc=legend, fontsize=9, frameon=True, framealpha=0.85, edgecolor=FAINT)
    return ax


def entitle(ax: Axes, title: str) -> None:
    ax.set_title(title, color=INK, fontsize=11, loc="left", pad=8)


def undress(ax: Axes, title: str) -> Axes:
    """Leave of a picture's frame nothing but the title."""
    entitle(ax, title)
    ax.set_axis_off()
    return ax


def columns_of(X: Any, count: int) -> Array:
    matrix = np.asarray(X)
    if matrix.ndim != 2 or matrix.shape[1] != count:
        raise ValueError(f"X must have {count} column(s) to be drawn; got shape {matrix.shape}")
    return matrix


def span(values: Array, margin: float = 0.08) -> tuple[float, float]:
    """Return the least and largest value with a margin, which a constant has too."""
    low, high = float(values.min()), float(values.max())
    pad = (high - low) * margin or 1.0
    return low - pad, high + pad


GRID_POINTS = 300
"""Points along each side of a plane on which a model is evaluated."""


def plane_around(X: Array, points: int = GRID_POINTS) -> tuple[Array, Array, Array]:
    """Return the two axes of a grid around two columns, and the grid's points as rows."""
    x, y = (np.linspace(*span(column), points) for column in X.T)
    return x, y, np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def scatter(ax: Axes, points: Array, index: int, label: str | None) -> None:
    """Draw the points (n, 2) of one class: each class has its colour and its marker."""
    ax.scatter(
        points[:, 0], points[:, 1], s=26, color=PALETTE[index % len(PALETTE)],
        marker=MARKERS[index % len(MARKERS)], edgecolors="white", linewidths=0.6, label=label,
        zorder=3,
    )  # fmt: skip
