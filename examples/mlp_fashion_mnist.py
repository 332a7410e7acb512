"""A multilayer perceptron on images: ten kinds of clothing through a hidden layer."""

from pathlib import Path

import numpy as np
from hmlc.metrics import train_test_split
from matplotlib.figure import Figure

from hmlc import MLPClassifier, datasets, plots
from hmlc.cli import run_example


def main(out: Path, data: Path | None) -> dict[str, float]:
    images = datasets.load_fashion_mnist(data_dir=data)
    pixels, names = images.data.astype(np.float32) / 255, images.target_labels
    train_X, test_X, train_y, test_y = train_test_split(pixels, names, random_state=0)

    model = MLPClassifier(hidden_layer_sizes=(100,), random_state=0).fit(train_X, train_y)
    predicted = model.predict(test_X)
    accuracy = model.score(test_X, test_y)
    print(f"{len(train_X):,} training rows, {len(test_X):,} held out; {model.n_iter_} epochs")
    print(f"accuracy: training {model.score(train_X, train_y):.4f}, held out {accuracy:.4f}")

    figure = Figure(figsize=(13, 8), layout="constrained")
    weights, right = figure.subfigures(1, 2, width_ratios=(1, 1.1))
    plots.weight_images(model.coefs_[0].T[:25], (28, 28), figure=weights)
    top, bottom = right.subfigures(2, 1, height_ratios=(1, 2.2))
    plots.cost_history(model, ax=top.subplots())
    plots.image_grid(test_X, test_y, predicted, (28, 28), figure=bottom)
    figure.savefig(out / "mlp_fashion_mnist.png", dpi=100)
    return {"held-out accuracy": accuracy}


if __name__ == "__main__":
    run_example(main)
