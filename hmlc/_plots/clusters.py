"""Plots of clusterings: the clusters, how well rows lie in them, and how many there should be."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hmlc._plots.style import BLUE, INK, PALETTE, RED, Axes, dress, new_axes, scatter
from hmlc.metrics import silhouette_samples


def clusters(
    model: Any,
    X: Any,
    columns: tuple[int, int] = (0, 1),
    *,
    feature_names: Sequence[str] | None = None,
    ax: Axes = None,
) -> Axes:
    """Draw two columns of the rows that a clustering was fitted on, and its centres.

    Parameters
    ----------
    model : fitted clustering with `labels_` and `cluster_centers_`
    X : array of shape (n_samples, n_features)
        The rows given to `fit`.
    columns : two int
        Which columns to draw.
    feature_names : sequence of str, optional
        A word for each column of X.
    ax : matplotlib Axes, optional

    Examples
    --------
    >>> from hmlc import KMeans, datasets, plots
    >>> iris = datasets.load_iris()
    >>> model = KMeans(n_clusters=3, random_state=0).fit(iris.data)
    >>> ax = plots.clusters(model, iris.data, (2, 3), feature_names=iris.feature_names)
    >>> ax.get_xlabel()
    'petal_length'
    """
    points, centers = (np.asarray(a)[:, list(columns)] for a in (X, model.cluster_centers_))
    names = [f"x{j}" for j in columns]
    if feature_names is not None:
        names = [str(feature_names[j]) for j in columns]
    ax = new_axes(ax)
    for index in range(len(centers)):
        mine = np.asarray(model.labels_) == index
        scatter(ax, points[mine], index, f"cluster {index}")
    ax.scatter(
        *centers.T, s=190, marker="X", color=INK, edgecolors="white", linewidths=1.4,
        label="centres", zorder=5,
    )  # fmt: skip
    return dress(ax, f"{len(centers)} clusters", *names)


def silhouette(X: Any, labels: Any, *, ax: Axes = None) -> Axes:
    """Draw every row's silhouette as a bar, sorted within its cluster, and the mean of all.

    A cluster that is well set apart is a broad knife; rows left of 0 are nearer to another cluster.
    See `hmlc.metrics.silhouette_samples` for the number, and the errors.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    labels : array of shape (n_samples,)
        The rows' clusters, at least two.
    ax : matplotlib Axes, optional

    Notes
    -----
    Rousseeuw, J. Comput. Appl. Math. 20 (1987).

    Examples
    --------
    >>> from hmlc import KMeans, datasets, plots
    >>> petals = datasets.load_iris().data[:, 2:]
    >>> ax = plots.silhouette(petals, KMeans(n_clusters=3, random_state=0).fit_predict(petals))
    >>> ax.get_title(loc="left")
    'Mean silhouette 0.660'
    """
    samples, names = silhouette_samples(X, labels), np.asarray(labels).reshape(-1)
    ax = new_axes(ax)
    clusters, gap, low = np.unique(names), 0.02 * len(samples), 0.0
    middles = []
    for index, cluster in enumerate(clusters):
        lengths = np.sort(samples[names == cluster])[::-1]
        # Twice each, so that bars have corners: of many rows they are a curve.
        edges = low + np.repeat(np.arange(len(lengths) + 1.0), 2)[1:-1]
        color = PALETTE[index % len(PALETTE)]
        ax.fill_betweenx(edges, np.repeat(lengths, 2), color=color, alpha=0.8, linewidth=0)
        middles.append(low + len(lengths) / 2)
        low += len(lengths) + gap
    mean = float(samples.mean())
    ax.axvline(mean, color=RED, linestyle="dashed", linewidth=1.6)
    ax.axvline(0, color=INK, linewidth=0.8)
    dress(ax, f"Mean silhouette {mean:.3f}", "silhouette", "cluster: number of rows", legend=None)
    sizes = [np.count_nonzero(names == cluster) for cluster in clusters]
    ax.set_yticks(middles, [f"{c}: {n:,}" for c, n in zip(clusters, sizes, strict=True)])
    ax.set_xlim(min(-0.02, 1.05 * float(samples.min())), 1.0)
    ax.set_ylim(low, -gap)
    ax.tick_params(axis="y", labelsize=min(9.0, 200 / len(clusters)))
    ax.grid(visible=False, axis="y")
    return ax


def elbow(model: Any, X: Any, n_clusters: Iterable[int] = range(1, 11), *, ax: Axes = None) -> Axes:
    """Draw the inertia for several numbers of clusters: past the bend, more clusters gain little.

    Parameters
    ----------
    model : clustering with `n_clusters` and, once fitted, `inertia_`
        Copies of it are fitted, one for each number; its own `n_clusters` is marked.
    X : array of shape (n_samples, n_features)
    n_clusters : iterable of int
    ax : matplotlib Axes, optional

    Examples
    --------
    >>> from hmlc import KMeans, datasets, plots
    >>> iris = datasets.load_iris()
    >>> ax = plots.elbow(KMeans(n_clusters=3, n_init=5, random_state=0), iris.data, range(1, 8))
    >>> ax.get_xlabel()
    'clusters'
    """
    numbers = list(n_clusters)
    copies = [type(model)(**{**model.get_params(), "n_clusters": number}) for number in numbers]
    inertias = [float(copy.fit(X).inertia_) for copy in copies]
    ax = new_axes(ax)
    ax.plot(numbers, inertias, "o-", color=BLUE, linewidth=1.8, markersize=5)
    legend = None
    if model.n_clusters in numbers:
        inertia, legend = inertias[numbers.index(model.n_clusters)], "best"
        ax.plot(
            model.n_clusters, inertia, "o", color=RED, markeredgecolor="white", markersize=9,
            label=f"{model.n_clusters} clusters: {inertia:.4g}", zorder=5,
        )  # fmt: skip
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_ylim(bottom=0)
    return dress(ax, "Inertia by number of clusters", "clusters", "inertia", legend=legend)
