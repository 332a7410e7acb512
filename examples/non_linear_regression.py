"""Linear regression on polynomials and sinusoids of one feature: two Gaussian peaks on a decay."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from hmlc import LinearRegression, datasets, plots
from hmlc.cli import run_example


def main(out: Path, data: Path | None) -> dict[str, float]:
    curve = datasets.load_gauss2(data)
    model = LinearRegression(polynomial_degree=15, sinusoid_degree=15)
    model.fit(curve.data, curve.target)
    descent = LinearRegression(
        solver="gradient_descent", polynomial_degree=15, sinusoid_degree=15, tol=1e-4,
    ).fit(curve.data, curve.target)  # fmt: skip

    residual = np.sum((curve.target - model.predict(curve.data)) ** 2)
    print(f"{len(model.coef_)} columns from one; residual sum of squares {residual:.1f}")
    print("(NIST's certified minimum for the true eight-parameter model is 1247.5)")
    score = descent.score(curve.data, curve.target)
    print(f"gradient descent: {descent.n_iter_} steps, R2 {score:.4f}")

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    plots.regression_line(model, curve.data, curve.target, ax=left)
    left.set(xlabel="x", ylabel="y")
    plots.cost_history(descent, ax=right)
    figure.savefig(out / "non_linear_regression.png", dpi=120)
    return {"R2": model.score(curve.data, curve.target), "residual sum of squares": residual}


if __name__ == "__main__":
    run_example(main)
