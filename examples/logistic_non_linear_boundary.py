"""Logistic regression with a curved boundary: which microchips pass two tests."""

from pathlib import Path

from matplotlib.figure import Figure

from hmlc import LogisticRegression, datasets, plots
from hmlc.cli import run_example


def main(out: Path, data: Path | None) -> dict[str, float]:
    chips = datasets.load_microchips(data)
    model = LogisticRegression(polynomial_degree=5, l2=0.1).fit(chips.data, chips.target_labels)
    accuracy = model.score(chips.data, chips.target_labels)
    print(f"{model.coef_.shape[1]} columns from two; {model.n_iter_} iterations")
    print(f"accuracy on the training rows: {accuracy:.4f}")

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    plots.decision_regions(model, chips.data, chips.target_labels, ax=left)
    left.set(xlabel=chips.feature_names[0], ylabel=chips.feature_names[1])
    plots.cost_history(model, ax=right)
    figure.savefig(out / "logistic_non_linear_boundary.png", dpi=120)
    return {"training accuracy": accuracy}


if __name__ == "__main__":
    run_example(main)
