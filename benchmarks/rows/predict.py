"""Predictions of one row, and of ten thousand, by fitted models.

Every contender fits its own model, or has one drawn; its answer is the model's parameters and what
was predicted, and the prediction is judged by those parameters.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.row import Contender, Data, Row, Run, Work, both, normal, relative

TRAINING = 2_000


def make(n: int, *, d: int, k: int, one: bool) -> Data:
    """Draw rows of k classes to fit on, and rows to predict."""
    rng = np.random.default_rng(0)
    centres = normal(rng, k, d)

    def draw(n: int) -> Any:
        return centres[rng.integers(k, size=n)] + normal(rng, n, d)

    X = draw(TRAINING)
    y = ((X[:, None, :] - centres) ** 2).sum(axis=2).argmin(axis=1)
    return Data(X=X, y=y, target=X @ normal(rng, d), rows=draw(1 if one else n), k=k)


def no_reference(data: Data) -> dict[str, Any]:
    return {}


def predicted(data: Data, predict: Callable[[Any], Any], parameters: Any) -> Run:
    rows = data.rows
    return Run(lambda: predict(rows), lambda out: (parameters, np.asarray(out)))


def in_float64(data: Data, parameters: Any) -> tuple[Any, list[Any]]:
    return data.rows.astype(np.float64), [np.asarray(each, np.float64) for each in parameters]


# ---- linear: parameters are (coefficients, intercept)


def off_linear(data: Data, reference: Data, answer: Any) -> float:
    parameters, out = answer
    rows, (coef, intercept) = in_float64(data, parameters)
    return relative(out.ravel(), rows @ coef.ravel() + intercept.ravel())


def linear(data: Data, model: Any) -> Run:
    model.fit(data.X, data.target)
    return predicted(data, model.predict, (model.coef_, model.intercept_))


def hmlc_linear(data: Data) -> Run:
    import hmlc

    return linear(data, hmlc.LinearRegression())


def sklearn_linear(data: Data) -> Run:
    from sklearn.linear_model import LinearRegression

    return linear(data, LinearRegression())


def numpy_linear(data: Data) -> Run:
    coef, intercept = data.X[0].copy(), data.X[1, 0]
    return predicted(data, lambda rows: rows @ coef + intercept, (coef, intercept))


def torch_linear(data: Data) -> Run:
    import torch

    coef, intercept = data.X[:1].copy(), data.X[1, :1].copy()
    return torch_predicted(
        data, torch_layer(torch, coef, intercept), lambda out: out, (coef, intercept)
    )


def torch_layer(torch: Any, W: Any, b: Any) -> Any:
    W, b = torch.from_numpy(W), torch.from_numpy(b)
    return lambda rows: torch.nn.functional.linear(rows, W, b)


def torch_predicted(data: Data, network: Any, finish: Any, parameters: Any) -> Run:
    import torch

    rows = torch.from_numpy(data.rows)

    def call() -> Any:
        with torch.inference_mode():
            return finish(network(rows)).numpy()

    return Run(call, lambda out: (parameters, out))


# ---- logistic: parameters are (weights (k, d), biases), k one for two classes


def wrong_labels(scores: Any, labels: Any, slack: float = 1e-4) -> float:
    """Return the share of labels whose score is clearly below the best."""
    rows = np.arange(len(scores))
    return float(np.mean(scores[rows, labels] < scores.max(axis=1) - slack))


def off_logistic(data: Data, reference: Data, answer: Any) -> float:
    parameters, labels = answer
    rows, (W, b) = in_float64(data, parameters)
    scores = rows @ W.reshape(-1, rows.shape[1]).T + b
    if scores.shape[1] == 1:
        scores = np.column_stack([0 * scores, scores])
    return wrong_labels(scores, labels)


def logistic(data: Data, model: Any) -> Run:
    model.fit(data.X, data.y)
    return predicted(data, model.predict, (model.coef_, model.intercept_))


def hmlc_logistic(data: Data) -> Run:
    import hmlc

    return logistic(data, hmlc.LogisticRegression())


def sklearn_logistic(data: Data) -> Run:
    from sklearn.linear_model import LogisticRegression

    return logistic(data, LogisticRegression(max_iter=1000))


def drawn_logistic(data: Data) -> tuple[Any, Any]:
    k = 1 if data.k == 2 else int(data.k)
    return data.X[:k].copy(), data.X[k, :k].copy()


def numpy_logistic(data: Data) -> Run:
    W, b = drawn_logistic(data)
    classes = np.arange(int(data.k))
    if len(W) == 1:
        w, bias = W[0].copy(), b[0]
        return predicted(data, lambda rows: classes[(rows @ w + bias > 0).astype(int)], (W, b))
    V = np.ascontiguousarray(W.T)
    return predicted(data, lambda rows: classes[(rows @ V + b).argmax(axis=1)], (W, b))


def torch_logistic(data: Data) -> Run:
    import torch

    W, b = drawn_logistic(data)
    finish = (lambda out: (out[:, 0] > 0).long()) if len(W) == 1 else (lambda out: out.argmax(1))
    return torch_predicted(data, torch_layer(torch, W, b), finish, (W, b))


# ---- k-means: parameters are the centres


def off_nearest(data: Data, reference: Data, answer: Any) -> float:
    parameters, labels = answer
    rows, (centres,) = in_float64(data, parameters)
    scores = 2 * rows @ centres.T - np.einsum("ij,ij->i", centres, centres)
    return wrong_labels(scores, np.ravel(labels))


def clusters(data: Data, model: Any) -> Run:
    model.fit(data.X)
    return predicted(data, model.predict, (model.cluster_centers_,))


def hmlc_clusters(data: Data) -> Run:
    import hmlc

    return clusters(data, hmlc.KMeans(n_clusters=int(data.k), random_state=0))


def sklearn_clusters(data: Data) -> Run:
    from sklearn.cluster import KMeans

    return clusters(data, KMeans(int(data.k), random_state=0))


def numpy_clusters(data: Data) -> Run:
    centres = data.X[: int(data.k)].copy()
    W, squares = np.ascontiguousarray(-2 * centres.T), np.einsum("ij,ij->i", centres, centres)
    return predicted(data, lambda rows: (rows @ W + squares).argmin(axis=1), (centres,))


def torch_clusters(data: Data) -> Run:
    import torch

    centres = data.X[: int(data.k)].copy()
    squares = np.einsum("ij,ij->i", centres, centres)
    network = torch_layer(torch, -2 * centres, squares)
    return torch_predicted(data, network, lambda out: out.argmin(1), (centres,))


def faiss_clusters(data: Data) -> Run:
    import faiss

    centres = data.X[: int(data.k)].copy()
    index = faiss.IndexFlatL2(centres.shape[1])
    index.add(centres)
    return predicted(data, lambda rows: index.search(rows, 1)[1], (centres,))


# ---- Gaussian: parameters are (mean, covariance)


def off_scores(data: Data, reference: Data, answer: Any) -> float:
    parameters, scores = answer
    rows, (mean, covariance) = in_float64(data, parameters)
    deviations = rows - mean
    distances = np.einsum("ij,ij->i", deviations @ np.linalg.inv(covariance), deviations)
    return relative(scores, -0.5 * (distances + np.linalg.slogdet(2 * np.pi * covariance)[1]))


def hmlc_gaussian(data: Data) -> Run:
    import hmlc

    model = hmlc.GaussianAnomalyDetector(covariance="full").fit(data.X)
    return predicted(data, model.score_samples, (model.mean_, model.covariance_))


def drawn_gaussian(data: Data) -> tuple[Any, Any]:
    X = data.X.astype(np.float64)
    return X.mean(axis=0), np.cov(X.T)


def sklearn_gaussian(data: Data) -> Run:
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture().fit(data.X)
    return predicted(data, model.score_samples, (model.means_[0], model.covariances_[0]))


def scipy_gaussian(data: Data) -> Run:
    from scipy import stats

    parameters = drawn_gaussian(data)
    return predicted(data, stats.multivariate_normal(*parameters).logpdf, parameters)


def numpy_gaussian(data: Data) -> Run:
    mean, covariance = drawn_gaussian(data)
    W = np.linalg.inv(np.linalg.cholesky(covariance)).T
    constant = float(np.log(W.diagonal()).sum() - 0.5 * len(mean) * np.log(2 * np.pi))
    V, centre = np.ascontiguousarray(W, data.X.dtype), mean.astype(data.X.dtype)

    def predict(rows: Any) -> Any:
        Z = (rows - centre) @ V
        return constant - 0.5 * np.einsum("ij,ij->i", Z, Z)

    return predicted(data, predict, (mean, covariance))


# ---- perceptron 784-100-10: parameters are (W, b, V, c)


def off_perceptron(data: Data, reference: Data, answer: Any) -> float:
    parameters, labels = answer
    rows, (W, b, V, c) = in_float64(data, parameters)
    return wrong_labels(np.maximum(rows @ W + b, 0) @ V + c, labels, slack=1e-3)


def perceptron(data: Data, model: Any) -> Run:
    model.fit(data.X, data.y)
    (W, V), (b, c) = model.coefs_, model.intercepts_
    return predicted(data, model.predict, (W, b, V, c))


def hmlc_perceptron(data: Data) -> Run:
    import hmlc

    return perceptron(data, hmlc.MLPClassifier(max_iter=2, random_state=0))


def sklearn_perceptron(data: Data) -> Run:
    from sklearn.neural_network import MLPClassifier

    return perceptron(data, MLPClassifier(max_iter=2, random_state=0))


def drawn_perceptron(data: Data) -> tuple[Any, Any, Any, Any]:
    rng, real = np.random.default_rng(0), data.X.dtype
    shapes = ((784, 100), (100,), (100, 10), (10,))
    W, b, V, c = ((0.1 * rng.standard_normal(shape)).astype(real) for shape in shapes)
    return W, b, V, c


def numpy_perceptron(data: Data) -> Run:
    W, b, V, c = parameters = drawn_perceptron(data)
    classes = np.arange(10)

    def predict(rows: Any) -> Any:
        hidden = rows @ W
        hidden += b
        return classes[(np.maximum(hidden, 0, out=hidden) @ V + c).argmax(axis=1)]

    return predicted(data, predict, parameters)


def torch_perceptron(data: Data) -> Run:
    import torch

    W, b, V, c = parameters = drawn_perceptron(data)
    inner = torch_layer(torch, np.ascontiguousarray(W.T), b)
    outer = torch_layer(torch, np.ascontiguousarray(V.T), c)
    return torch_predicted(
        data, lambda rows: outer(inner(rows).relu_()), lambda out: out.argmax(1), parameters
    )


MODELS = {
    "linear": (
        "deviation",
        off_linear,
        {"float32": 1e-4, "float64": 1e-12},
        (
            Contender("hmlc", hmlc_linear),
            Contender("numpy", numpy_linear),
            Contender("torch", torch_linear),
            Contender("sklearn", sklearn_linear),
        ),
    ),
    "logistic": (
        "share of wrong labels",
        off_logistic,
        both(0.0),
        (
            Contender("hmlc", hmlc_logistic),
            Contender("numpy", numpy_logistic),
            Contender("torch", torch_logistic),
            Contender("sklearn", sklearn_logistic),
        ),
    ),
    "k-means": (
        "share of wrong labels",
        off_nearest,
        both(0.0),
        (
            Contender("hmlc", hmlc_clusters),
            Contender("numpy", numpy_clusters),
            Contender("torch", torch_clusters),
            Contender("faiss", faiss_clusters, dtypes=("float32",)),
            Contender("sklearn", sklearn_clusters),
        ),
    ),
    "Gaussian": (
        "deviation",
        off_scores,
        {"float32": 1e-4, "float64": 1e-12},
        (
            Contender("hmlc", hmlc_gaussian),
            Contender("numpy", numpy_gaussian),
            Contender("scipy", scipy_gaussian),
            Contender("sklearn", sklearn_gaussian),
        ),
    ),
    "perceptron": (
        "share of wrong labels",
        off_perceptron,
        both(0.0),
        (
            Contender("hmlc", hmlc_perceptron),
            Contender("numpy", numpy_perceptron),
            Contender("torch", torch_perceptron),
            Contender("sklearn", sklearn_perceptron),
        ),
    ),
}

FLOPS: dict[str, Callable[[int, int], int]] = {
    "linear": lambda d, k: 2 * d,
    "logistic": lambda d, k: 2 * d * k,
    "k-means": lambda d, k: 2 * d * k,
    "Gaussian": lambda d, k: d * (d + 4),
    "perceptron": lambda d, k: 2 * (784 * 100 + 100 * 10),
}
"""Least operations for a row of d columns."""


def work(data: Data, *, model: str) -> Work | None:
    n, d = data.rows.shape
    if n == 1:
        return None
    return Work(flops=float(n * FLOPS[model](d, int(data.k))), read=n * d, written=n)


def rows_of(sizes: dict[str, tuple[int, int, str]], goal: float, *, one: bool) -> list[Row]:
    how_many = "one row" if one else "10,000 rows"
    return [
        Row(
            module=__name__,
            name=f"predict {how_many}, {model} {shape}",
            goal=goal,
            n_rows=10_000,
            make=partial(make, d=d, k=k, one=one),
            reference=no_reference,
            measure=measure,
            quality=quality,
            limit=limit,
            contenders=contenders,
            work=partial(work, model=model),
        )
        for model, (d, k, shape) in sizes.items()
        for measure, quality, limit, contenders in (MODELS[model],)
    ]


ROWS = [
    *rows_of(
        {
            "linear": (20, 2, "d=20"),
            "logistic": (20, 2, "d=20"),
            "k-means": (8, 16, "d=8, k=16"),
            "perceptron": (784, 10, "784-100-10"),
        },
        1,
        one=True,
    ),
    *rows_of(
        {
            "linear": (100, 2, "d=100"),
            "logistic": (784, 10, "d=784, 10 classes"),
            "k-means": (64, 100, "d=64, k=100"),
            "Gaussian": (10, 2, "d=10, full"),
            "perceptron": (784, 10, "784-100-10"),
        },
        1.5,
        one=False,
    ),
]
