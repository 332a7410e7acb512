"""Plots of regressions: the data and the fit, over one feature or two."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmlc._plots.style import (
    BLUE,
    FAINT,
    INK,
    RED,
    SKY,
    Axes,
    columns_of,
    dress,
    entitle,
    new_axes,
    plane_around,
    scatter,
)


def regression_line(
    model: Any, X: Any, y: Any, *, feature_name: str = "x", target_name: str = "y", ax: Axes = None
) -> Axes:
    """Draw a target over one feature, and the model's prediction as a line.

    Parameters
    ----------
    model : fitted regressor
    X : array of shape (n_samples, 1)
    y : array of shape (n_samples,)
    feature_name, target_name : str
        Words at the axes.
    ax : matplotlib Axes, optional

    Examples
    --------
    >>> from hmlc import LinearRegression, datasets, plots
    >>> waves = datasets.load_gauss2()
    >>> model = LinearRegression(polynomial_degree=15, sinusoid_degree=15)
    >>> model = model.fit(waves.data, waves.target)
    >>> ax = plots.regression_line(model, waves.data, waves.target)
    >>> ax.get_title(loc="left")
    'Data and fit'
    """
    matrix = columns_of(X, 1)
    ax = new_axes(ax)
    scatter(ax, np.column_stack([matrix, np.asarray(y).reshape(-1)]), 0, "data")
    x = np.linspace(matrix.min(), matrix.max(), 500)
    line = np.asarray(model.predict(x.reshape(-1, 1))).reshape(-1)
    ax.plot(x, line, color=RED, linewidth=2.2, label="fit", zorder=4)
    return dress(ax, "Data and fit", feature_name, target_name)


def regression_surface(
    model: Any,
    X: Any,
    y: Any,
    *,
    feature_names: Sequence[str] = ("x0", "x1"),
    target_name: str = "y",
    ax: Axes = None,
) -> Axes:
    """Draw a target over two features in three dimensions, and the model's surface.

    Points above the surface and below it have different colours, and a stalk to the surface.

    Parameters
    ----------
    model : fitted regressor
    X : array of shape (n_samples, 2)
    y : array of shape (n_samples,)
    feature_names, target_name : str
        Words at the axes.
    ax : matplotlib Axes3D, optional

    Examples
    --------
    >>> from hmlc import LinearRegression, datasets, plots
    >>> world = datasets.load_well_being()
    >>> model = LinearRegression().fit(world.data, world.target)
    >>> ax = plots.regression_surface(
    ...     model, world.data, world.target, feature_names=world.feature_names
    ... )
    >>> ax.name
    '3d'
    """
    matrix, target = columns_of(X, 2), np.asarray(y).reshape(-1)
    ax = new_axes(ax, width=6.4, height=5.0, projection="3d")
    x0, x1, plane = plane_around(matrix, 25)
    surface = np.asarray(model.predict(plane)).reshape(len(x1), len(x0))
    ax.plot_surface(*np.meshgrid(x0, x1), surface, color=SKY, alpha=0.35, linewidth=0)
    fitted = np.asarray(model.predict(matrix)).reshape(-1)
    above = target >= fitted
    for index, (side, word) in enumerate(((above, "above the fit"), (~above, "below the fit"))):
        points = np.column_stack([matrix[side], target[side]])
        color = (BLUE, RED)[index]
        size = 16 if len(matrix) < 300 else 5
        ax.scatter(*points.T, s=size, color=color, depthshade=False, label=word)
        feet = np.column_stack([matrix[side], fitted[side]])
        stalks = np.stack([points, feet, np.full_like(feet, np.nan)], axis=1).reshape(-1, 3)
        ax.plot(*stalks.T, color=color, linewidth=0.6, alpha=0.6)
    ax.set_xlabel(feature_names[0], color=INK)
    ax.set_ylabel(feature_names[1], color=INK)
    ax.set_zlabel(target_name, color=INK)
    ax.tick_params(colors=INK, labelsize=8)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_pane_color("white")
    ax.view_init(elev=22, azim=-60)
    ax.set_box_aspect(None, zoom=0.95)
    ax.legend(loc="upper left", fontsize=9, edgecolor=FAINT)
    entitle(ax, "Data and fit")
    return ax
