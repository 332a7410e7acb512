"""Logistic regression: two classes, softmax over ten, and ten against the rest."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.row import Contender, Data, Row, Run, Work, both, normal
from benchmarks.rows._pixels import pixels

C_PIXELS = 0.01


def make_two(n: int, *, d: int) -> Data:
    rng = np.random.default_rng(0)
    X = normal(rng, n, d)
    scores = X @ normal(rng, d) * (2 / np.sqrt(d)) + 0.5
    return Data(X=X, y=(rng.random(n) < 1 / (1 + np.exp(-scores))).astype(np.int64), C=1.0)


def make_pixels(n: int) -> Data:
    return pixels(n, C=C_PIXELS)


# ---- the objective, divided by the number of rows. Answers are (weights (k, d), biases (k,)).


def softplus(scores: Any) -> Any:
    return np.maximum(scores, 0) + np.log1p(np.exp(-np.abs(scores)))


def sigmoid_cost(scores: Any, y: Any) -> tuple[float, Any]:
    """Return the sum of every column's cross-entropy against its class, and its derivative."""
    classes = np.arange(1, 2) if scores.shape[1] == 1 else np.arange(scores.shape[1])
    targets = y[:, None] == classes
    derivative = 1 / (1 + np.exp(-np.clip(scores, -700, 700))) - targets
    return float(np.sum(softplus(scores) - targets * scores)), derivative


def softmax_cost(scores: Any, y: Any) -> tuple[float, Any]:
    rows = np.arange(len(y))
    shifted = scores - scores.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted)
    total = probabilities.sum(axis=1, keepdims=True)
    cost = float(np.sum(np.log(total)) - np.sum(shifted[rows, y]))
    probabilities /= total
    probabilities[rows, y] -= 1
    return cost, probabilities


Cost = Callable[[Any, Any], tuple[float, Any]]


def objective(data: Data, cost: Cost, W: Any, b: Any) -> tuple[float, Any]:
    """Return the cost and its gradient (k, d + 1), the bias last."""
    n = len(data.X)
    loss, derivative = cost(data.X @ W.T + b, data.y)
    derivative = derivative.astype(data.X.dtype, copy=False)
    penalty = 1 / float(data.C)
    gradient = np.column_stack([derivative.T @ data.X + penalty * W, derivative.sum(axis=0)])
    return (loss + 0.5 * penalty * float(np.sum(W * W))) / n, gradient / n


def classes_of(data: Data) -> int:
    k = int(data.y.max()) + 1
    return 1 if k == 2 else k


def minimise(data: Data, cost: Cost, tol: float, max_iter: int = 5000) -> Any:
    """Return weights and biases of least cost, by SciPy's L-BFGS."""
    from scipy.optimize import minimize

    k, d = classes_of(data), data.X.shape[1]

    def value(flat: Any) -> tuple[float, Any]:
        theta = flat.reshape(k, d + 1).astype(data.X.dtype)
        cost_now, gradient = objective(data, cost, theta[:, :-1], theta[:, -1])
        return cost_now, gradient.reshape(-1).astype(np.float64)

    found = minimize(
        value, np.zeros(k * (d + 1)), jac=True, method="L-BFGS-B",
        options={"gtol": tol, "ftol": 1e-15, "maxiter": max_iter, "maxfun": max_iter, "maxcor": 20},
    )  # fmt: skip
    theta = found.x.reshape(k, d + 1)
    return theta[:, :-1], theta[:, -1]


def in_float64(data: Data) -> Data:
    return Data(X=data.X.astype(np.float64, copy=False), y=data.y, C=data.C)


def least(data: Data, *, cost: Cost) -> dict[str, Any]:
    data = in_float64(data)
    return {"least": objective(data, cost, *minimise(data, cost, 1e-7))[0]}


def excess(data: Data, reference: Data, answer: Any, *, cost: Cost) -> float:
    W, b = (np.asarray(part, np.float64) for part in answer)
    W = W.reshape(-1, data.X.shape[1])
    return objective(in_float64(data), cost, W, b.reshape(-1))[0] / float(reference.least) - 1


# ---- contenders


def fitted(data: Data, model: Any) -> Run:
    return Run(
        lambda: model.fit(data.X, data.y),
        lambda fit: (fit.coef_, fit.intercept_),
        lambda fit: int(np.max(fit.n_iter_)),
    )


def hmlc_fit(data: Data, *, tol: float, multi_class: Any = "auto") -> Run:
    import hmlc

    model = hmlc.LogisticRegression(
        l2=1 / float(data.C), normalize=False, multi_class=multi_class, tol=tol
    )
    return fitted(data, model)


def sklearn_fit(data: Data, *, solver: str, tol: float) -> Run:
    from sklearn.linear_model import LogisticRegression

    return fitted(data, LogisticRegression(C=float(data.C), solver=solver, tol=tol, max_iter=2000))


def sklearnex_model(data: Data, tol: float) -> Any:
    """Return a model whose tolerance is for the sum over rows, not for their mean."""
    from sklearnex.linear_model import LogisticRegression

    return LogisticRegression(C=float(data.C), tol=tol * len(data.X), max_iter=2000)


def sklearnex_fit(data: Data, *, tol: float) -> Run:
    return fitted(data, sklearnex_model(data, tol))


def one_vs_rest(data: Data, model: Any) -> Run:
    from sklearn.multiclass import OneVsRestClassifier

    ovr = OneVsRestClassifier(model)
    return Run(
        lambda: ovr.fit(data.X, data.y),
        lambda fit: (
            np.concatenate([each.coef_ for each in fit.estimators_]),
            np.concatenate([each.intercept_ for each in fit.estimators_]),
        ),
    )


def sklearn_ovr(data: Data, *, solver: str, tol: float) -> Run:
    from sklearn.linear_model import LogisticRegression

    # liblinear penalises the bias too: scaled, the penalty on it vanishes.
    options = {"intercept_scaling": 100.0} if solver == "liblinear" else {}
    model = LogisticRegression(C=float(data.C), solver=solver, tol=tol, max_iter=2000, **options)
    return one_vs_rest(data, model)


def sklearnex_ovr(data: Data, *, tol: float) -> Run:
    return one_vs_rest(data, sklearnex_model(data, tol))


def glum_fit(data: Data, *, tol: float) -> Run:
    from glum import GeneralizedLinearRegressor

    penalty = 1 / (float(data.C) * len(data.X))
    y = data.y.astype(data.X.dtype)
    model = GeneralizedLinearRegressor(
        alpha=penalty, l1_ratio=0, family="binomial", solver="irls-ls", gradient_tol=tol
    )
    return Run(lambda: model.fit(data.X, y), lambda fit: (fit.coef_, fit.intercept_))


def scipy_fit(data: Data, *, cost: Cost, tol: float) -> Run:
    return Run(lambda: minimise(data, cost, tol), lambda answer: answer)


def numpy_newton(data: Data, *, steps: int = 4, block: int = 8192) -> Run:
    """Newton's method, a block of rows at a time: gradient and Hessian in one sweep."""

    def call() -> tuple[Any, Any]:
        X, y = data.X, data.y.astype(data.X.dtype)
        n, d = X.shape
        theta, penalty = np.zeros(d + 1), np.full(d + 1, 1 / float(data.C))
        penalty[-1] = 0
        Z = np.ones((block, d + 1), X.dtype)
        for _ in range(steps):
            gradient, hessian = penalty * theta, np.diag(penalty)
            weights = theta.astype(X.dtype)
            for first in range(0, n, block):
                rows = X[first : first + block]
                part = Z[: len(rows)]
                part[:, :-1] = rows
                p = 1 / (1 + np.exp(-(part @ weights)))
                gradient += (p - y[first : first + block]) @ part
                scaled = part * np.sqrt(p * (1 - p))[:, None]
                hessian += scaled.T @ scaled
            theta -= np.linalg.solve(hessian, gradient)
        return theta[:-1], theta[-1:]

    return Run(call, lambda answer: answer)


def torch_lbfgs(data: Data, *, loss: str, tol: float) -> Run:
    import torch
    from torch.nn import functional

    X, y = torch.from_numpy(data.X), torch.from_numpy(data.y)
    k, (n, d) = classes_of(data), X.shape
    if loss == "sigmoid":
        y = (y[:, None] == torch.arange(1, 2) if k == 1 else functional.one_hot(y, k)).to(X.dtype)
    measure = {
        "sigmoid": functional.binary_cross_entropy_with_logits,
        "softmax": functional.cross_entropy,
    }[loss]
    penalty = 0.5 / float(data.C)

    def call() -> tuple[Any, Any]:
        W = torch.zeros(k, d, dtype=X.dtype, requires_grad=True)
        b = torch.zeros(k, dtype=X.dtype, requires_grad=True)
        optimiser = torch.optim.LBFGS(
            [W, b], max_iter=2000, history_size=10, line_search_fn="strong_wolfe",
            tolerance_grad=tol, tolerance_change=0,
        )  # fmt: skip

        def closure() -> Any:
            optimiser.zero_grad()
            total = measure(functional.linear(X, W, b), y, reduction="sum")
            value = (total + penalty * (W * W).sum()) / n
            value.backward()
            return value

        optimiser.step(closure)
        return W.detach().numpy(), b.detach().numpy()

    return Run(call, lambda answer: answer)


# ---- the least work of a pass: the Hessian too for two classes, for a Newton step


def newton_work(data: Data) -> Work:
    n, d = data.X.shape
    return Work(flops=n * d * (d + 1) + 4 * n * d, read=n * d)


def gradient_work(data: Data) -> Work:
    n, d = data.X.shape
    return Work(flops=4.0 * n * d * classes_of(data), read=n * d)


TWO = (
    Contender("hmlc", partial(hmlc_fit, tol=1e-4)),
    Contender("sklearn", partial(sklearn_fit, solver="lbfgs", tol=2.5e-4), "lbfgs"),
    Contender("sklearn", partial(sklearn_fit, solver="newton-cholesky", tol=1e-4), "newton-chol."),
    Contender("sklearnex", partial(sklearnex_fit, tol=2.5e-4)),
    Contender("glum", partial(glum_fit, tol=1e-4)),
    Contender("torch", partial(torch_lbfgs, loss="sigmoid", tol=1e-4), "L-BFGS"),
    Contender("scipy", partial(scipy_fit, cost=sigmoid_cost, tol=2.5e-4), "L-BFGS"),
    Contender("numpy", numpy_newton, "Newton"),
)
SOFTMAX = (
    Contender("hmlc", partial(hmlc_fit, tol=3e-5)),
    Contender("sklearn", partial(sklearn_fit, solver="lbfgs", tol=4e-5), "lbfgs"),
    Contender("sklearn", partial(sklearn_fit, solver="newton-cg", tol=1e-4), "newton-cg"),
    Contender("sklearnex", partial(sklearnex_fit, tol=4e-5)),
    Contender("torch", partial(torch_lbfgs, loss="softmax", tol=6e-5), "L-BFGS"),
    Contender("scipy", partial(scipy_fit, cost=softmax_cost, tol=4e-5), "L-BFGS"),
)
REST = (
    Contender("hmlc", partial(hmlc_fit, tol=2.5e-5, multi_class="ovr")),
    Contender("sklearn", partial(sklearn_ovr, solver="lbfgs", tol=2.5e-5), "lbfgs"),
    Contender("sklearn", partial(sklearn_ovr, solver="liblinear", tol=1e-4), "liblinear"),
    Contender("sklearn", partial(sklearn_ovr, solver="newton-cg", tol=8e-5), "newton-cg"),
    Contender("sklearnex", partial(sklearnex_ovr, tol=2.5e-5)),
    Contender("torch", partial(torch_lbfgs, loss="sigmoid", tol=1e-4), "L-BFGS"),
    Contender("scipy", partial(scipy_fit, cost=sigmoid_cost, tol=6e-5), "L-BFGS"),
)
EXCESS = "excess of the objective"
ROWS = [
    *(
        Row(
            module=__name__,
            name=f"logistic, two classes, {n:,} x {d}",
            goal=goal,
            n_rows=n,
            make=partial(make_two, d=d),
            reference=partial(least, cost=sigmoid_cost),
            measure=EXCESS,
            quality=partial(excess, cost=sigmoid_cost),
            limit=both(1e-6),
            contenders=TWO,
            work=newton_work,
        )
        for n, d, goal in ((1_000_000, 20, 6), (100_000, 100, 3))
    ),
    *(
        Row(
            module=__name__,
            name=f"{name}, 60,000 x 784 pixels, C={C_PIXELS}",
            goal=goal,
            n_rows=60_000,
            make=make_pixels,
            reference=partial(least, cost=cost),
            measure=EXCESS,
            quality=partial(excess, cost=cost),
            limit=both(1e-5),
            contenders=contenders,
            work=gradient_work,
        )
        for name, goal, cost, contenders in (
            ("softmax", 3, softmax_cost, SOFTMAX),
            ("one-vs-rest", 4, sigmoid_cost, REST),
        )
    ),
]
