"""Logistic regression on images: ten digits, one weight for each pixel and digit."""

from pathlib import Path

import numpy as np
from hmlc.metrics import train_test_split
from matplotlib.figure import Figure

from hmlc import LogisticRegression, datasets, plots
from hmlc.cli import run_example


def main(out: Path, data: Path | None) -> dict[str, float]:
    images = datasets.load_mnist(data_dir=data)
    pixels, names = images.data.astype(np.float32) / 255, images.target_labels
    train_X, test_X, train_y, test_y = train_test_split(pixels, names, random_state=0)

    model = LogisticRegression(l2=100, normalize=False, tol=1e-3).fit(train_X, train_y)
    predicted = model.predict(test_X)
    accuracy = model.score(test_X, test_y)
    print(f"{len(train_X):,} training rows, {len(test_X):,} held out; {model.n_iter_} iterations")
    print(f"accuracy: training {model.score(train_X, train_y):.4f}, held out {accuracy:.4f}")

    figure = Figure(figsize=(13, 8), layout="constrained")
    weights, right = figure.subfigures(1, 2, width_ratios=(1, 1.1))
    plots.weight_images(model.coef_, (28, 28), figure=weights)
    top, bottom = right.subfigures(2, 1, height_ratios=(1, 2.2))
    plots.cost_history(model, ax=top.subplots())
    plots.image_grid(test_X, test_y, predicted, (28, 28), figure=bottom)
    figure.savefig(out / "logistic_mnist.png", dpi=100)
    return {"held-out accuracy": accuracy}


if __name__ == "__main__":
    run_example(main)
