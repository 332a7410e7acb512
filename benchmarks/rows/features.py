"""Standard units, and products of columns."""

import itertools
from typing import Any

import numpy as np

from benchmarks.row import Contender, Data, Row, Run, Work, normal, relative

DEGREE = 3


def make_table(n: int) -> Data:
    rng = np.random.default_rng(0)
    return Data(X=normal(rng, n, 20) * np.exp(normal(rng, 20)) + normal(rng, 20))


def make_factors(n: int) -> Data:
    return Data(X=normal(np.random.default_rng(0), n, 10))


def standardised(data: Data) -> dict[str, Any]:
    X = data.X.astype(np.float64)
    return {"expected": (X - X.mean(axis=0)) / X.std(axis=0)}


def products(data: Data) -> dict[str, Any]:
    columns = data.X.astype(np.float64).T
    return {
        "expected": np.stack(
            [np.prod(factors, axis=0) for k in range(DEGREE)
             for factors in itertools.combinations_with_replacement(columns, k + 1)], axis=1
        )
    }  # fmt: skip


def off(data: Data, reference: Data, answer: Any) -> float:
    if not answer.flags.c_contiguous:
        raise ValueError("the answer is not in C order")
    return relative(answer, reference.expected)


def transformed(data: Data, transformer: Any) -> Run:
    return Run(lambda: transformer.fit_transform(data.X), lambda out: out)


def hmlc_scaler(data: Data) -> Run:
    import hmlc

    return transformed(data, hmlc.StandardScaler())


def sklearn_scaler(data: Data) -> Run:
    from sklearn.preprocessing import StandardScaler

    return transformed(data, StandardScaler())


def numpy_scaler(data: Data) -> Run:
    def call() -> Any:
        out = data.X - data.X.mean(axis=0)
        out /= np.sqrt(np.einsum("ij,ij->j", out, out) / len(out))
        return out

    return Run(call, lambda out: out)


def torch_scaler(data: Data) -> Run:
    import torch

    X = torch.from_numpy(data.X)

    def call() -> Any:
        deviation, mean = torch.std_mean(X, 0, correction=0)
        return (X - mean).div_(deviation)

    return Run(call, lambda out: out.numpy())


def hmlc_polynomials(data: Data) -> Run:
    import hmlc

    return transformed(data, hmlc.PolynomialFeatures(degree=DEGREE))


def sklearn_polynomials(data: Data) -> Run:
    from sklearn.preprocessing import PolynomialFeatures

    return transformed(data, PolynomialFeatures(DEGREE, include_bias=False))


def numpy_polynomials(data: Data, block: int = 512) -> Run:
    """Multiply each column with a run of products one degree lower, a block of rows at a time."""
    n, d = data.X.shape
    runs, starts, stop = [], np.arange(d + 1), d
    for _ in range(DEGREE - 1):
        before = starts
        first = stop
        starts = np.empty(d + 1, int)
        for j in range(d):
            starts[j] = stop
            runs.append((j, before[j], before[-1], stop))
            stop += before[-1] - before[j]
        starts[-1] = stop
        assert starts[0] == first

    def call() -> Any:
        out = np.empty((n, stop), data.X.dtype)
        for row in range(0, n, block):
            part = out[row : row + block]
            part[:, :d] = data.X[row : row + block]
            for j, begin, end, target in runs:
                np.multiply(
                    part[:, begin:end], part[:, j : j + 1],
                    out=part[:, target : target + end - begin],
                )  # fmt: skip
        return out

    return Run(call, lambda out: out)


ROWS = [
    Row(
        module=__name__,
        name="normalise, fit and transform, 1,000,000 x 20",
        goal=5,
        n_rows=1_000_000,
        make=make_table,
        reference=standardised,
        measure="deviation",
        quality=off,
        limit={"float32": 1e-5, "float64": 1e-12},
        contenders=(
            Contender("hmlc", hmlc_scaler),
            Contender("numpy", numpy_scaler),
            Contender("torch", torch_scaler),
            Contender("sklearn", sklearn_scaler),
        ),
        work=lambda data: Work(flops=6 * data.X.size, read=2 * data.X.size, written=data.X.size),
    ),
    Row(
        module=__name__,
        name=f"polynomial features, degree {DEGREE}, 200,000 x 10",
        goal=4,
        n_rows=200_000,
        make=make_factors,
        reference=products,
        measure="deviation",
        quality=off,
        limit={"float32": 1e-6, "float64": 1e-14},
        contenders=(
            Contender("hmlc", hmlc_polynomials),
            Contender("numpy", numpy_polynomials),
            Contender("sklearn", sklearn_polynomials),
        ),
        work=lambda data: Work(
            flops=285 * len(data.X), read=data.X.size, written=285 * len(data.X)
        ),
    ),
]
