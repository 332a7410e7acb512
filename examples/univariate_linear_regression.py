"""Linear regression on one feature: how well wealth alone tells a country's well-being."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hmlc import LinearRegression, datasets, plots
from hmlc.cli import run_example
from hmlc.metrics import train_test_split


def main(out: Path, data: Path | None) -> dict[str, float]:
    countries = datasets.load_well_being(data)
    wealth, well_being = countries.data[:, :1], countries.target
    train_X, test_X, train_y, test_y = train_test_split(wealth, well_being, random_state=0)

    model = LinearRegression(solver="gradient_descent", learning_rate=0.1).fit(train_X, train_y)
    exact = LinearRegression(solver="normal_equation").fit(train_X, train_y)

    x_name, y_name = countries.feature_names[0], countries.target_name
    deviation = np.std(test_y - model.predict(test_X))
    print(f"{y_name} = {model.intercept_:.3f} + {model.coef_[0]:.3f} * {x_name}")
    print(f"normal equation: {exact.intercept_:.3f} + {exact.coef_[0]:.3f} * {x_name}")
    print(f"{model.n_iter_} steps; residual deviation on held-out rows {deviation:.3f}")

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    plots.regression_line(model, train_X, train_y, feature_name=x_name, target_name=y_name, ax=left)
    left.plot(test_X, test_y, "x", color="black", alpha=0.6, label="held out")
    left.legend()
    plots.cost_history(model, ax=right)
    figure.savefig(out / "univariate_linear_regression.png", dpi=120)
    return {"held-out R2": model.score(test_X, test_y)}


if __name__ == "__main__":
    run_example(main)
