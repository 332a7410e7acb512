"""Pictures of data and fitted models; needs matplotlib (``pip install hmlc[plot]``).

Every function draws into `ax`, or into a new figure of pyplot's where that is None, and returns the
Axes.
"""

import importlib
from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from hmlc._plots.clusters import clusters, elbow, silhouette
from hmlc._plots.images import image_grid, weight_images
from hmlc._plots.regression import regression_line, regression_surface
from hmlc._plots.speed import speed_chart
from hmlc._plots.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PALETTE,
    RED,
    Array,
    Axes,
    columns_of,
    dress,
    new_axes,
    plane_around,
    scatter,
    span,
)

__all__ = [
    "clusters",
    "cost_history",
    "decision_regions",
    "density_contours",
    "elbow",
    "image_grid",
    "image_report",
    "regression_line",
    "regression_surface",
    "save",
    "scatter_classes",
    "silhouette",
    "speed_chart",
    "threshold_curve",
    "weight_images",
]


def _covers_decades(values: Array, decades: float = 2) -> bool:
    return bool(values.min() > 0 and values.max() > 10**decades * values.min())


def cost_history(model: Any, ax: Axes = None) -> Axes:
    """Draw the cost before the first iteration and after each, of a model with `cost_history_`.

    Costs that cover more than two powers of ten have a logarithmic axis.

    Examples
    --------
    >>> from hmlc import LogisticRegression, datasets, plots
    >>> iris = datasets.load_iris()
    >>> ax = plots.cost_history(LogisticRegression().fit(iris.data, iris.target))
    >>> ax.get_ylabel()
    'cost'
    """
    costs = np.asarray(model.cost_history_)
    costs = costs.reshape(len(costs), -1)
    ax = new_axes(ax)
    for index, line in enumerate(costs.T):
        label = f"target {index}" if costs.shape[1] > 1 else None
        marker = "." if len(line) <= 40 else None
        ax.plot(
            line, color=PALETTE[index % len(PALETTE)], linewidth=1.8, label=label, marker=marker
        )
    if _covers_decades(costs):
        ax.set_yscale("log")
    ax.xaxis.get_major_locator().set_params(integer=True)
    legend = "best" if costs.shape[1] > 1 else None
    return dress(ax, "Cost while fitting", "iteration", "cost", legend=legend)


def scatter_classes(
    X: Any, y: Any, *, feature_names: Sequence[str] = ("x0", "x1"), ax: Axes = None
) -> Axes:
    """Draw points of two features, each label with a colour and a marker of its own.

    Parameters
    ----------
    X : array of shape (n_samples, 2)
    y : array of shape (n_samples,)
        Labels.
    feature_names : two str
        Words at the axes.
    ax : matplotlib Axes, optional

    Examples
    --------
    >>> from hmlc import datasets, plots
    >>> iris = datasets.load_iris()
    >>> ax = plots.scatter_classes(iris.data[:, 2:], iris.target_labels)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['setosa', 'versicolor', 'virginica']
    """
    matrix, labels = columns_of(X, 2), np.asarray(y)
    ax = new_axes(ax)
    for index, label in enumerate(np.unique(labels)):
        scatter(ax, matrix[labels == label], index, str(label))
    return dress(ax, "Classes", *feature_names)


def decision_regions(
    model: Any,
    X: Any,
    y: Any,
    *,
    feature_names: Sequence[str] = ("x0", "x1"),
    target_names: Sequence[str] | None = None,
    ax: Axes = None,
) -> Axes:
    """Draw labelled points of two features over the regions that a classifier gives each class.

    Parameters
    ----------
    model : fitted classifier with `classes_`
    X : array of shape (n_samples, 2)
    y : array of shape (n_samples,)
        True labels.
    feature_names : two str
        Words at the axes.
    target_names : sequence of str, optional
        A word for each of `classes_`.
    ax : matplotlib Axes, optional

    Examples
    --------
    >>> from hmlc import LogisticRegression, datasets, plots
    >>> chips = datasets.load_microchips()
    >>> model = LogisticRegression(polynomial_degree=6).fit(chips.data, chips.target)
    >>> ax = plots.decision_regions(
    ...     model, chips.data, chips.target, target_names=chips.target_names
    ... )
    >>> ax.get_title(loc="left")
    'Decision regions'
    """
    matrix, labels, classes = columns_of(X, 2), np.asarray(y), np.asarray(model.classes_)
    names = [str(label) for label in classes] if target_names is None else target_names
    ax = new_axes(ax)
    x0, x1, plane = plane_around(matrix)
    codes = np.searchsorted(classes, model.predict(plane)).reshape(len(x1), len(x0))
    colors = [PALETTE[index % len(PALETTE)] for index in range(len(classes))]
    levels = np.arange(len(classes) + 1) - 0.5
    ax.contourf(x0, x1, codes, levels=levels, colors=colors, alpha=0.18)
    for index in range(len(classes)):
        ax.contour(x0, x1, codes == index, levels=[0.5], colors=[INK], linewidths=0.8)
        scatter(ax, matrix[labels == classes[index]], index, str(names[index]))
    dress(ax, "Decision regions", *feature_names)
    ax.grid(visible=False)
    return ax


def density_contours(
    detector: Any,
    X: Any,
    *,
    feature_names: Sequence[str] = ("x0", "x1"),
    ax: Axes = None,
) -> Axes:
    """Draw two features, lines of equal log-density, and rings around the rows that are flagged.

    Lines are k^2 / 2 below the peak, k = 1 ... 5: k standard deviations out, of a Gaussian.

    Parameters
    ----------
    detector : fitted anomaly detector
        With `score_samples`, higher where rows are denser, and `threshold_`: rows that score less
        are flagged. The line of the threshold is dashed.
    X : array of shape (n_samples, 2)
    feature_names : two str
        Words at the axes.
    ax : matplotlib Axes, optional

    Examples
    --------
    >>> from hmlc import GaussianAnomalyDetector, datasets, plots
    >>> servers = datasets.load_server()
    >>> detector = GaussianAnomalyDetector(covariance="full").fit(servers.data, servers.target)
    >>> ax = plots.density_contours(detector, servers.data)
    >>> ax.get_title(loc="left")
    '6 of 307 rows flagged'
    """
    matrix = columns_of(X, 2)
    ax = new_axes(ax)
    x0, x1, plane = plane_around(matrix)
    scores = np.asarray(detector.score_samples(plane)).reshape(len(x1), len(x0))
    own = np.asarray(detector.score_samples(matrix))
    bands = scores.max() - 0.5 * np.arange(5, -1, -1.0) ** 2
    ax.contourf(x0, x1, scores, levels=bands, cmap="Blues", alpha=0.35)
    ax.contour(x0, x1, scores, levels=bands[:-1], colors=[BLUE], linestyles="solid", linewidths=0.7)
    ax.contour(
        x0, x1, scores, levels=[detector.threshold_], colors=[RED], linestyles="dashed",
        linewidths=1.6,
    )  # fmt: skip
    scatter(ax, matrix, 0, "rows")
    flagged = own < detector.threshold_
    ax.scatter(
        *matrix[flagged].T, s=150, facecolors="none", edgecolors=RED, linewidths=1.6,
        label="flagged", zorder=4,
    )  # fmt: skip
    ax.plot([], [], color=RED, linestyle="dashed", linewidth=1.6, label="threshold")
    return dress(ax, f"{int(flagged.sum())} of {len(matrix)} rows flagged", *feature_names)


def threshold_curve(selection: Any, ax: Axes = None) -> Axes:
    """Draw precision, recall and F1 for every threshold, with the chosen one marked.

    Parameters
    ----------
    selection : object
        What `select_threshold` returned: `thresholds`, `precisions`, `recalls`, `f1s`, and the
        chosen `threshold`.
    ax : matplotlib Axes, optional

    Notes
    -----
    Where scores reach far down, the thresholds at which neither precision nor recall moves much
    would fill the picture: the axis covers those from which F1 is at least a tenth of its best.

    Examples
    --------
    >>> from hmlc import GaussianAnomalyDetector, datasets, plots, select_threshold
    >>> servers = datasets.load_server()
    >>> detector = GaussianAnomalyDetector(covariance="full").fit(servers.data)
    >>> selection = select_threshold(servers.target, detector.score_samples(servers.data))
    >>> ax = plots.threshold_curve(selection)
    >>> ax.get_xlabel()
    'threshold'
    """
    thresholds, f1s = np.asarray(selection.thresholds), np.asarray(selection.f1s)
    ax = new_axes(ax)
    curves = (
        ("precision", selection.precisions, BLUE, "dashed"),
        ("recall", selection.recalls, ORANGE, "dashdot"),
        ("F1", f1s, GREEN, "solid"),
    )
    for name, values, color, style in curves:
        ax.step(
            thresholds, values, where="post", color=color, linestyle=style, linewidth=1.8,
            label=name,
        )  # fmt: skip
    best = float(f1s.max())
    ax.axvline(selection.threshold, color=INK, linewidth=0.8)
    ax.plot(
        selection.threshold, best, "o", color=RED, markeredgecolor="white", markersize=9,
        label=f"chosen: {selection.threshold:.4g}, F1 {best:.3f}", zorder=5,
    )  # fmt: skip
    if _covers_decades(thresholds):
        ax.set_xscale("log")
    else:
        ax.set_xlim(*span(thresholds[f1s >= best / 10]))
    ax.set_ylim(-0.03, 1.05)
    return dress(ax, "Choice of the threshold", "threshold", "share")


def image_report(model: Any, weights: Any, X: Any, y: Any, shape: tuple[int, int]) -> Any:
    """Return a figure of what a classifier of images learned, and how it does on others.

    Parameters
    ----------
    model : fitted classifier with `cost_history_`
    weights : array of shape (n_images, n_pixels)
        Rows of its weights, drawn as images.
    X : array of shape (n_samples, n_pixels)
        Images that it has not seen; the first are drawn with its predictions.
    y : array of shape (n_samples,)
        Their labels.
    shape : two int
        Rows and columns of an image.

    Examples
    --------
    >>> from hmlc import LogisticRegression, datasets, plots
    >>> digits = datasets.load_mnist(1000)
    >>> X, y = digits.data / 255, digits.target
    >>> model = LogisticRegression(normalize=False).fit(X[:900], y[:900])
    >>> figure = plots.image_report(model, model.coef_, X[900:], y[900:], (28, 28))
    >>> len(figure.axes)
    3
    """
    figure = importlib.import_module("matplotlib.figure").Figure((13, 7), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.15))
    top, bottom = left.subfigures(2, 1, height_ratios=(1.6, 1))
    weight_images(weights, shape, ax=top.subplots())
    cost_history(model, ax=bottom.subplots())
    image_grid(X, y, model.predict(X), shape, ax=right.subplots())
    return figure


def save(ax: Axes, path: str | PathLike[str]) -> None:
    """Write the figure of an Axes to a file, in the format of its ending, and close it.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from hmlc import datasets, plots
    >>> iris = datasets.load_iris()
    >>> path = pathlib.Path(tempfile.mkdtemp(), "iris.png")
    >>> plots.save(plots.scatter_classes(iris.data[:, 2:], iris.target_labels), path)
    >>> path.read_bytes()[1:4]
    b'PNG'
    """
    ax.figure.savefig(path)
    importlib.import_module("matplotlib.pyplot").close(ax.figure)
