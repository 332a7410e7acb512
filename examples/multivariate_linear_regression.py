"""Linear regression on two features: a plane through well-being over wealth and a second column."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hmlc import LinearRegression, datasets, plots
from hmlc.cli import run_example
from hmlc.metrics import train_test_split


def main(out: Path, data: Path | None) -> dict[str, float]:
    countries = datasets.load_well_being(data)
    train_X, test_X, train_y, test_y = train_test_split(
        countries.data, countries.target, random_state=0
    )
    model = LinearRegression(solver="gradient_descent", learning_rate=0.1).fit(train_X, train_y)

    terms = " + ".join(
        f"{coefficient:.3f} * {name}"
        for coefficient, name in zip(model.coef_, countries.feature_names, strict=True)
    )
    deviation = np.std(test_y - model.predict(test_X))
    print(f"{countries.target_name} = {model.intercept_:.3f} + {terms}")
    print(f"{model.n_iter_} steps; residual deviation on held-out rows {deviation:.3f}")

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    plane = figure.add_subplot(1, 2, 1, projection="3d")
    plots.regression_surface(model, train_X, train_y, ax=plane)
    plane.set(
        xlabel=countries.feature_names[0],
        ylabel=countries.feature_names[1],
        zlabel=countries.target_name,
    )
    plots.cost_history(model, ax=figure.add_subplot(1, 2, 2))
    figure.savefig(out / "multivariate_linear_regression.png", dpi=120)
    return {"held-out R2": model.score(test_X, test_y)}


if __name__ == "__main__":
    run_example(main)
