"""Least squares, and gradient descent with its cost after every step."""

from functools import partial
from typing import Any

import numpy as np

from benchmarks.row import Contender, Data, Row, Run, Work, normal, relative

STEPS = 100
RATE = 0.05


def make(n: int, *, d: int) -> Data:
    rng = np.random.default_rng(0)
    X = normal(rng, n, d) + normal(rng, d)
    y = X @ normal(rng, d) + normal(rng, n)
    return Data(X=X, y=y)


# ---- least squares: answers are (coefficients, intercept)


def residual_sum(data: Data, coef: Any, intercept: Any) -> float:
    X, y = (array.astype(np.float64, copy=False) for array in (data.X, data.y))
    residual = y - X @ np.ravel(coef).astype(np.float64) - float(np.ravel(intercept)[0])
    return float(residual @ residual)


def least_squares(data: Data) -> dict[str, Any]:
    X, y = data.X.astype(np.float64), data.y.astype(np.float64)
    mean = X.mean(axis=0)
    R = np.linalg.qr(np.column_stack([X - mean, y - y.mean()]), mode="r")
    coef = np.linalg.solve(R[:-1, :-1], R[:-1, -1])
    return {"least": residual_sum(data, coef, y.mean() - mean @ coef)}


def excess(data: Data, reference: Data, answer: Any) -> float:
    return residual_sum(data, *answer) / float(reference.least) - 1


def fitted(data: Data, model: Any) -> Run:
    return Run(lambda: model.fit(data.X, data.y), lambda fit: (fit.coef_, fit.intercept_))


def hmlc_solve(data: Data) -> Run:
    import hmlc

    return fitted(data, hmlc.LinearRegression())


def sklearn_linear(data: Data) -> Run:
    from sklearn.linear_model import LinearRegression

    return fitted(data, LinearRegression())


def sklearn_ridge(data: Data) -> Run:
    from sklearn.linear_model import Ridge

    return fitted(data, Ridge(alpha=0, solver="cholesky"))


def sklearnex_linear(data: Data) -> Run:
    from sklearnex.linear_model import LinearRegression

    return fitted(data, LinearRegression())


def glum_linear(data: Data) -> Run:
    from glum import GeneralizedLinearRegressor

    return fitted(data, GeneralizedLinearRegressor(alpha=0, solver="irls-ls"))


def numpy_normal(data: Data) -> Run:
    def call() -> tuple[Any, Any]:
        X, y = data.X, data.y
        mean, y_mean = np.ones(len(X), X.dtype) @ X / len(X), y.mean()
        G = X.T @ X - len(X) * np.outer(mean, mean)
        coef = np.linalg.solve(G, y @ X - len(X) * y_mean * mean)
        return coef, y_mean - mean @ coef

    return Run(call, lambda answer: answer)


def torch_normal(data: Data) -> Run:
    import torch

    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)

    def call() -> tuple[Any, Any]:
        mean, y_mean = X.mean(0), y.mean()
        G = X.T @ X - len(X) * torch.outer(mean, mean)
        coef = torch.linalg.solve(G, X.T @ y - len(X) * y_mean * mean)
        return coef.numpy(), (y_mean - mean @ coef).numpy()

    return Run(call, lambda answer: answer)


# ---- gradient descent on standardised columns: answers are (coefficients in those, all costs)


def descend(product: Any, transposed: Any, y: Any, n: int, d: int) -> tuple[Any, Any]:
    """Step from 0; one residual gives the cost and the gradient."""
    theta, intercept = 0 * transposed(y), 0 * y.mean()
    costs = []
    for step in range(STEPS + 1):
        residual = product(theta) + (intercept - y)
        costs.append(float(residual @ residual) / (2 * n))
        if step < STEPS:
            theta = theta - (RATE / n) * transposed(residual)
            intercept = intercept - RATE * residual.mean()
    return theta, costs


def path(data: Data) -> dict[str, Any]:
    """Step in float64 through the eigenvectors of the correlation, where steps are powers."""
    X, y = data.X.astype(np.float64), data.y.astype(np.float64)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    eigenvalues, V = np.linalg.eigh(Z.T @ Z / len(Z))
    target = V.T @ (Z.T @ (y - y.mean()) / len(Z)) / eigenvalues
    left = (1 - RATE * eigenvalues) ** np.arange(STEPS + 1)[:, None]
    missed = (1 - RATE) ** np.arange(STEPS + 1) * y.mean()
    least = y.var() - target**2 @ eigenvalues
    costs = 0.5 * (least + (left * target) ** 2 @ eigenvalues + missed**2)
    return {"theta": V @ ((1 - left[-1]) * target), "costs": costs}


def off_path(data: Data, reference: Data, answer: Any) -> float:
    theta, costs = answer
    return max(relative(np.ravel(theta), reference.theta), relative(costs, reference.costs))


def hmlc_descent(data: Data) -> Run:
    import hmlc

    model = hmlc.LinearRegression(
        solver="gradient_descent", learning_rate=RATE, max_iter=STEPS, tol=0
    )
    deviation = data.X.std(axis=0, dtype=np.float64)
    return Run(
        lambda: model.fit(data.X, data.y),
        lambda fit: (fit.coef_ * deviation, fit.cost_history_),
    )


def numpy_descent(data: Data) -> Run:
    def call() -> tuple[Any, Any]:
        X, y = data.X, data.y
        Z = (X - X.mean(axis=0)) / X.std(axis=0)
        return descend(lambda theta: Z @ theta, lambda r: r @ Z, y, *Z.shape)

    return Run(call, lambda answer: answer)


def torch_descent(data: Data) -> Run:
    import torch

    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)

    def call() -> tuple[Any, Any]:
        deviation, mean = torch.std_mean(X, 0, correction=0)
        Z = (X - mean) / deviation
        theta, costs = descend(lambda theta: Z @ theta, lambda r: Z.T @ r, y, *Z.shape)
        return theta.numpy(), costs

    return Run(call, lambda answer: answer)


def numpy_gram_descent(data: Data) -> Run:
    def call() -> tuple[Any, Any]:
        X, y = data.X, data.y
        n = len(X)
        mean, y_mean = np.ones(n, X.dtype) @ X / n, y.mean(dtype=np.float64)
        A = (X.T @ X).astype(np.float64) / n - np.outer(mean, mean)
        deviation = np.sqrt(A.diagonal())
        A /= np.outer(deviation, deviation)
        b = ((y @ X).astype(np.float64) / n - y_mean * mean) / deviation
        half_variance = y.var(dtype=np.float64) / 2
        theta, intercept, costs = np.zeros(len(A)), 0.0, []
        for step in range(STEPS + 1):
            product = A @ theta
            costs.append(half_variance + theta @ (product / 2 - b) + (intercept - y_mean) ** 2 / 2)
            if step < STEPS:
                theta = theta - RATE * (product - b)
                intercept = intercept - RATE * (intercept - y_mean)
        return theta, costs

    return Run(call, lambda answer: answer)


def gram(data: Data) -> Work:
    n, d = data.X.shape
    return Work(flops=n * d * (d + 1), read=n * (d + 1))


SOLVERS = (
    Contender("hmlc", hmlc_solve),
    Contender("sklearn", sklearn_linear, "LinearRegression"),
    Contender("sklearn", sklearn_ridge, "Ridge cholesky"),
    Contender("sklearnex", sklearnex_linear),
    Contender("glum", glum_linear),
    Contender("torch", torch_normal, "normal equations"),
    Contender("numpy", numpy_normal, "normal equations"),
)
DESCENTS = (
    Contender("hmlc", hmlc_descent),
    Contender("numpy", numpy_descent),
    Contender("torch", torch_descent),
    Contender("numpy", numpy_gram_descent, "Gram matrix", counts=False),
)
ROWS = [
    *(
        Row(
            module=__name__,
            name=f"least squares, {n:,} x {d}",
            goal=goal,
            n_rows=n,
            make=partial(make, d=d),
            reference=least_squares,
            measure="excess of the sum of squares",
            quality=excess,
            limit={"float32": 1e-6, "float64": 1e-10},
            contenders=SOLVERS,
            work=gram,
        )
        for n, d, goal in ((1_000_000, 20, 3), (100_000, 200, 1.6), (60_000, 784, 1.3))
    ),
    *(
        Row(
            module=__name__,
            name=f"gradient descent, {STEPS} steps, {n:,} x {d}",
            goal=goal,
            n_rows=n,
            make=partial(make, d=d),
            reference=path,
            measure="deviation from the exact path",
            quality=off_path,
            limit={"float32": 1e-4, "float64": 1e-8},
            contenders=DESCENTS,
            work=gram,
        )
        for n, d, goal in ((1_000_000, 20, 100), (60_000, 784, 8))
    ),
]
