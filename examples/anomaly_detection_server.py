"""Gaussian anomaly detection: servers whose latency and throughput are improbable."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hmlc import GaussianAnomalyDetector, datasets, plots, select_threshold
from hmlc.cli import run_example


def main(out: Path, data: Path | None) -> dict[str, float]:
    servers = datasets.load_server(data)
    model = GaussianAnomalyDetector(covariance="full").fit(servers.data, servers.target)
    selection = select_threshold(servers.target, model.score_samples(servers.data))
    flagged = model.predict(servers.data) == -1
    right = int(np.sum(flagged & (servers.target == 1)))
    print(f"mean {model.mean_.round(3)}, variance {np.diag(model.covariance_).round(3)}")
    print(f"log-density threshold {selection.threshold:.3f}: {flagged.sum()} flagged, {right} of "
          f"{servers.target.sum():.0f} anomalies found")  # fmt: skip
    print(
        f"precision {selection.precision:.3f}, recall {selection.recall:.3f}, F1 {selection.f1:.3f}"
    )

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, sweep = figure.subplots(1, 2)
    plots.density_contours(model, servers.data, ax=left)
    left.set(xlabel=servers.feature_names[0], ylabel=servers.feature_names[1])
    plots.threshold_curve(selection, ax=sweep)
    figure.savefig(out / "anomaly_detection_server.png", dpi=120)
    return {"F1": selection.f1, "precision": selection.precision, "recall": selection.recall}


if __name__ == "__main__":
    run_example(main)
