"""K-means without labels: iris petals, and how many clusters there are and how far apart."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hmlc import KMeans, datasets, plots
from hmlc.cli import run_example
from hmlc.metrics import confusion_matrix, silhouette_score


def agreement(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the share of rows whose species is the commonest in their cluster."""
    return float(confusion_matrix(truth, clusters).max(axis=0).sum() / len(truth))


def main(out: Path, data: Path | None) -> dict[str, float]:
    iris = datasets.load_iris(data)
    petals = iris.data[:, 2:]
    model = KMeans(n_clusters=3, random_state=0, n_init=10).fit(petals)
    share = agreement(iris.target, model.labels_)
    print(f"inertia {model.inertia_:.3f} after {model.n_iter_} iterations")
    print(f"rows in the cluster of their species: {share:.1%}")
    silhouette = silhouette_score(petals, model.labels_)
    print(f"mean silhouette {silhouette:.3f}")

    figure = Figure(figsize=(10, 7.6), layout="constrained")
    (species, found), (several, apart) = figure.subplots(2, 2)
    names = iris.feature_names[2:]
    plots.scatter_classes(petals, iris.target_labels, feature_names=names, ax=species)
    plots.clusters(model, petals, feature_names=names, ax=found)
    plots.elbow(model, petals, range(1, 9), ax=several)
    plots.silhouette(petals, model.labels_, ax=apart)
    figure.savefig(out / "k_means_iris.png", dpi=120)
    return {"inertia": model.inertia_, "agreement with species": share, "silhouette": silhouette}


if __name__ == "__main__":
    run_example(main)
