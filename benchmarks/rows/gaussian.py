"""Moments of columns, the Gaussian's log-density, and the threshold of the best F1."""

from functools import partial
from typing import Any

import numpy as np

from benchmarks.row import Contender, Data, Row, Run, Work, both, normal, relative

D = 10
BLOCK = 4096
"""Rows that hand-written NumPy takes at a time, for its intermediates to stay in cache."""


def make(n: int) -> Data:
    rng = np.random.default_rng(0)
    mixing = normal(rng, D, D) + 3 * np.eye(D, dtype=np.float32)
    return Data(X=normal(rng, n, D) @ mixing + 5 * normal(rng, D))


def blocks(n: int) -> Any:
    return (slice(first, first + BLOCK) for first in range(0, n, BLOCK))


# ---- mean and variance


def moments(data: Data) -> dict[str, Any]:
    X = data.X.astype(np.float64)
    return {"mean": X.mean(axis=0), "variance": X.var(axis=0)}


def off_moments(data: Data, reference: Data, answer: Any) -> float:
    mean, variance = (np.asarray(each, np.float64) for each in answer)
    off_mean = np.abs(mean - reference.mean) / np.sqrt(reference.variance)
    off_variance = np.abs(variance - reference.variance) / reference.variance
    return float(max(off_mean.max(), off_variance.max()))


def hmlc_moments(data: Data) -> Run:
    import hmlc

    scaler = hmlc.StandardScaler()
    return Run(lambda: scaler.fit(data.X), lambda fit: (fit.mean_, fit.variance_))


def numpy_moments(data: Data) -> Run:
    return Run(lambda: (data.X.mean(axis=0), data.X.var(axis=0)), lambda answer: answer)


def numpy_blocked_moments(data: Data) -> Run:
    def call() -> tuple[Any, Any]:
        X, n = data.X, len(data.X)
        shift = X[0].copy()
        sums, squares = np.zeros(D), np.zeros(D)
        ones = np.ones(BLOCK, X.dtype)
        for rows in blocks(n):
            Z = X[rows] - shift
            sums += ones[: len(Z)] @ Z
            Z *= Z
            squares += ones[: len(Z)] @ Z
        return shift + sums / n, squares / n - (sums / n) ** 2

    return Run(call, lambda answer: answer)


def torch_moments(data: Data) -> Run:
    import torch

    X = torch.from_numpy(data.X)
    return Run(
        lambda: torch.var_mean(X, 0, correction=0),
        lambda answer: (answer[1].numpy(), answer[0].numpy()),
    )


def sklearn_moments(data: Data) -> Run:
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler(copy=False)
    return Run(lambda: scaler.fit(data.X), lambda fit: (fit.mean_, fit.var_))


def sklearnex_moments(data: Data) -> Run:
    from sklearnex.basic_statistics import BasicStatistics

    statistics = BasicStatistics(result_options=["mean", "variance"])
    n = len(data.X)
    return Run(
        lambda: statistics.fit(data.X),
        lambda fit: (fit.mean_, np.asarray(fit.variance_, np.float64) * ((n - 1) / n)),
    )


# ---- log-density


def parameters(data: Data, full: bool) -> tuple[Any, Any]:
    X = data.X.astype(np.float64)
    covariance = np.cov(X.T, bias=True)
    return X.mean(axis=0), covariance if full else np.diag(covariance.diagonal())


def log_density(data: Data, *, full: bool) -> dict[str, Any]:
    mean, covariance = parameters(data, full)
    deviations = data.X.astype(np.float64) - mean
    distances = np.einsum("ij,ij->i", deviations @ np.linalg.inv(covariance), deviations)
    normaliser = np.linalg.slogdet(2 * np.pi * covariance)[1]
    return {"scores": -0.5 * (distances + normaliser)}


def off_scores(data: Data, reference: Data, answer: Any) -> float:
    return relative(answer, reference.scores)


def whitener(data: Data, full: bool) -> tuple[Any, Any, float]:
    """Return the mean, the inverse factor of the covariance, and the density's normaliser."""
    mean, covariance = parameters(data, full)
    W = np.linalg.inv(np.linalg.cholesky(covariance)).T
    constant = float(np.log(W.diagonal()).sum() - 0.5 * D * np.log(2 * np.pi))
    W = W if full else W.diagonal().copy()
    return mean.astype(data.X.dtype), np.ascontiguousarray(W, data.X.dtype), constant


def hmlc_scores(data: Data, *, full: bool) -> Run:
    import hmlc

    model = hmlc.GaussianAnomalyDetector(covariance="full" if full else "diag").fit(data.X)
    return Run(lambda: model.score_samples(data.X), lambda scores: scores)


def numpy_scores(data: Data, *, full: bool) -> Run:
    mean, W, constant = whitener(data, full)

    def call() -> Any:
        out = np.empty(len(data.X), data.X.dtype)
        for rows in blocks(len(out)):
            Z = data.X[rows] - mean
            Z = Z @ W if full else Z * W
            out[rows] = np.einsum("ij,ij->i", Z, Z)
        out *= -0.5
        out += constant
        return out

    return Run(call, lambda scores: scores)


def torch_scores(data: Data, *, full: bool) -> Run:
    import torch

    X = torch.from_numpy(data.X)
    mean, W, constant = whitener(data, full)
    mean, W = torch.from_numpy(mean), torch.from_numpy(W)

    def call() -> Any:
        out = torch.empty(len(X), dtype=X.dtype)
        for rows in blocks(len(X)):
            Z = X[rows] - mean
            Z = Z @ W if full else Z * W
            out[rows] = constant - 0.5 * (Z * Z).sum(1)
        return out

    return Run(call, lambda scores: scores.numpy())


def scipy_scores(data: Data, *, full: bool) -> Run:
    from scipy import stats

    mean, covariance = parameters(data, full)
    if full:
        gaussian = stats.multivariate_normal(mean, covariance)
        return Run(lambda: gaussian.logpdf(data.X), lambda scores: scores)
    gaussians = stats.norm(mean, np.sqrt(covariance.diagonal()))
    return Run(lambda: gaussians.logpdf(data.X).sum(axis=1), lambda scores: scores)


def sklearn_scores(data: Data, *, full: bool) -> Run:
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(covariance_type="full" if full else "diag", reg_covar=0)
    model.fit(data.X[:50_000])
    model.means_, covariance = (each[None] for each in parameters(data, full))
    inverse = np.linalg.inv(np.linalg.cholesky(covariance[0])).T
    model.precisions_cholesky_ = inverse[None] if full else inverse.diagonal()[None].copy()
    return Run(lambda: model.score_samples(data.X), lambda scores: scores)


# ---- best F1


def make_scores(n: int) -> Data:
    rng = np.random.default_rng(0)
    labels = (rng.random(n) < 0.01).astype(np.int64)
    return Data(scores=normal(rng, n) - 2 * labels.astype(np.float32), labels=labels)


def f1_of(data: Data, threshold: float) -> float:
    flagged, anomalous = data.scores.astype(np.float64) < threshold, data.labels == 1
    return 2 * np.count_nonzero(flagged & anomalous) / (flagged.sum() + anomalous.sum())


def best_f1(data: Data) -> dict[str, Any]:
    """Count the flagged of every distinct score, without sorting the rows by hand."""
    values, place = np.unique(data.scores, return_inverse=True)
    flagged = np.cumsum(np.bincount(place, minlength=len(values)))
    hits = np.cumsum(np.bincount(place, weights=data.labels, minlength=len(values)))
    return {"f1": np.max(2 * hits / (flagged + data.labels.sum()))}


def short_of(data: Data, reference: Data, threshold: Any) -> float:
    return float(reference.f1) - f1_of(data, float(threshold))


def hmlc_threshold(data: Data) -> Run:
    import hmlc

    return Run(
        lambda: hmlc.select_threshold(data.labels, data.scores), lambda found: found.threshold
    )


def numpy_threshold(data: Data) -> Run:
    def call() -> Any:
        order = np.argsort(data.scores)
        scores = data.scores[order]
        hits = np.cumsum(data.labels[order])
        f1 = 2 * hits / (np.arange(1, len(hits) + 1) + hits[-1])
        f1[:-1][scores[1:] == scores[:-1]] = 0
        return scores[np.argmax(f1)]

    return Run(call, _above)


def sklearn_threshold(data: Data) -> Run:
    from sklearn.metrics import precision_recall_curve

    def call() -> Any:
        precision, recall, thresholds = precision_recall_curve(data.labels, -data.scores)
        with np.errstate(invalid="ignore"):
            f1 = 2 * precision * recall / (precision + recall)
        return -thresholds[np.nanargmax(f1[:-1])]

    return Run(call, _above)


def torch_threshold(data: Data) -> Run:
    import torch

    scores, labels = torch.from_numpy(data.scores), torch.from_numpy(data.labels)

    def call() -> Any:
        ordered, order = torch.sort(scores)
        hits = torch.cumsum(labels[order], 0)
        f1 = 2 * hits / (torch.arange(1, len(hits) + 1) + hits[-1])
        f1[:-1][ordered[1:] == ordered[:-1]] = 0
        return ordered[torch.argmax(f1)].item()

    return Run(call, _above)


def _above(score: Any) -> float:
    """Return the threshold below which rows of up to that score are."""
    return float(np.nextafter(np.float64(score), np.inf))


def density_work(data: Data, *, full: bool) -> Work:
    n, d = data.X.shape
    return Work(flops=n * (d * (d + 1) if full else 0) + 3 * n * d, read=n * d, written=n)


ROWS = [
    Row(
        module=__name__,
        name=f"mean and variance, 1,000,000 x {D}",
        goal=5,
        n_rows=1_000_000,
        make=make,
        reference=moments,
        measure="deviation of either",
        quality=off_moments,
        limit={"float32": 1e-4, "float64": 1e-10},
        contenders=(
            Contender("hmlc", hmlc_moments),
            Contender("numpy", numpy_moments),
            Contender("numpy", numpy_blocked_moments, "by blocks"),
            Contender("torch", torch_moments),
            Contender("sklearn", sklearn_moments),
            Contender("sklearnex", sklearnex_moments),
        ),
        work=lambda data: Work(flops=4 * data.X.size, read=data.X.size),
    ),
    *(
        Row(
            module=__name__,
            name=f"Gaussian log-density, 1,000,000 x {D}, {'full' if full else 'diagonal'}",
            goal=4,
            n_rows=1_000_000,
            make=make,
            reference=partial(log_density, full=full),
            measure="deviation of scores",
            quality=off_scores,
            limit={"float32": 1e-5, "float64": 1e-12},
            contenders=(
                Contender("hmlc", partial(hmlc_scores, full=full)),
                Contender("numpy", partial(numpy_scores, full=full)),
                Contender("torch", partial(torch_scores, full=full)),
                Contender("scipy", partial(scipy_scores, full=full)),
                Contender("sklearn", partial(sklearn_scores, full=full)),
            ),
            work=partial(density_work, full=full),
        )
        for full in (False, True)
    ),
    Row(
        module=__name__,
        name="best F1 threshold, 1,000,000 scores",
        goal=3,
        n_rows=1_000_000,
        make=make_scores,
        reference=best_f1,
        measure="F1 below the best",
        quality=short_of,
        limit=both(1e-12),
        contenders=(
            Contender("hmlc", hmlc_threshold),
            Contender("numpy", numpy_threshold, "argsort"),
            Contender("torch", torch_threshold, "sort"),
            Contender("sklearn", sklearn_threshold),
        ),
    ),
]
