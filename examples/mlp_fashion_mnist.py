"""A multilayer perceptron on images: ten kinds of clothing through a hidden layer."""

from pathlib import Path

import numpy as np

from hmlc import MLPClassifier, datasets, plots
from hmlc.cli import run_example
from hmlc.metrics import train_test_split


def main(out: Path, data: Path | None) -> dict[str, float]:
    images = datasets.load_fashion_mnist(data_dir=data)
    pixels, names = images.data.astype(np.float32) / 255, images.target_labels
    train_X, test_X, train_y, test_y = train_test_split(pixels, names, random_state=0)

    model = MLPClassifier(
        hidden_layer_sizes=(100,), normalize=False, max_iter=400, random_state=0
    ).fit(train_X, train_y)
    accuracy = model.score(test_X, test_y)
    print(f"{len(train_X):,} training rows, {len(test_X):,} held out; {model.n_iter_} epochs")
    print(f"accuracy: training {model.score(train_X, train_y):.4f}, held out {accuracy:.4f}")

    figure = plots.image_report(model, model.coefs_[0].T[:18], test_X, test_y, (28, 28))
    figure.savefig(out / "mlp_fashion_mnist.png", dpi=100)
    return {"held-out accuracy": accuracy}


if __name__ == "__main__":
    run_example(main)
