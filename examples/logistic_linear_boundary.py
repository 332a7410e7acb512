"""Logistic regression with straight boundaries: iris species by the size of their petals."""

from pathlib import Path

from matplotlib.figure import Figure

from hmlc import LogisticRegression, datasets, plots
from hmlc.cli import run_example
from hmlc.metrics import train_test_split


def main(out: Path, data: Path | None) -> dict[str, float]:
    iris = datasets.load_iris(data)
    petals, species = iris.data[:, 2:], iris.target_labels
    train_X, test_X, train_y, test_y = train_test_split(petals, species, random_state=0)

    model = LogisticRegression().fit(train_X, train_y)
    print(f"classes: {', '.join(model.classes_)}; {model.n_iter_} iterations")
    print(f"accuracy: training {model.score(train_X, train_y):.3f}, "
          f"held out {model.score(test_X, test_y):.3f}")  # fmt: skip

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    plots.decision_regions(model, petals, species, ax=left)
    left.set(xlabel=iris.feature_names[2], ylabel=iris.feature_names[3])
    plots.cost_history(model, ax=right)
    figure.savefig(out / "logistic_linear_boundary.png", dpi=120)
    return {"held-out accuracy": model.score(test_X, test_y)}


if __name__ == "__main__":
    run_example(main)
