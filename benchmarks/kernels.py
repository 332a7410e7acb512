"""What each compiled kernel makes of the machine's limits: ``python -m benchmarks.kernels``.

Every kernel works alone, on one thread, on as many rows as the comparison's; its rate is set
against the tighter of two ceilings that are measured in the same run: multiply-adds from registers,
and memory (S. Williams, A. Waterman and D. Patterson, "Roofline", Comm. ACM 52(4), 2009). Work that
fits into a cache may pass the ceiling of memory.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import limits, report
from benchmarks.harness import Plan
from benchmarks.row import FLOATS, Work
from hmlc import _backend
from hmlc._workloads import WORKLOADS

REPEATS = 7
MIN_SECONDS = 0.02
EXP = 24.0
"""Operations of an exponential, about; a logarithm, sigmoid or tanh takes as many more."""

N, WIDE_N = 1_000_000, 60_000
D, WIDE, K = 20, 784, 10


@dataclass(frozen=True)
class Job:
    """A kernel's work: its name, what it is given, and the least that it needs."""

    kernel: str
    work: str
    arguments: tuple[Any, ...]
    least: Work


class Maker:
    """Makes numbers of one float type."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.rng = np.random.default_rng(0)

    def normal(self, *shape: int) -> Any:
        """Return standard normal numbers."""
        return self.rng.standard_normal(shape, np.float32).astype(self.dtype, copy=False)

    def positive(self, *shape: int) -> Any:
        """Return numbers above 0.5."""
        return np.abs(self.normal(*shape)) + self.dtype.type(0.5)

    def empty(self, *shape: int) -> Any:
        """Return zeros, to write in."""
        return np.zeros(shape, self.dtype)

    def weights(self, n: int) -> Any:
        """Return a weight of 1 for each row, as fits without weights have."""
        return np.broadcast_to(self.dtype.type(1), n)

    def units(self, d: int) -> Any:
        """Return the shift and the inverse scale of columns that are taken as they are."""
        return np.stack([self.empty(d), self.empty(d) + 1]).astype(self.dtype)


def elementwise(make: Maker) -> Iterator[Job]:
    values, out = make.normal(8 * N), make.empty(8 * N)
    yield Job("elementwise.all_finite", "8,000,000", (values,), Work(8 * N, 8 * N))
    for name, flops in (
        ("exponential", EXP), ("hyperbolic_tangent", 2 * EXP), ("softplus", 2 * EXP),
        ("sigmoid", EXP + 4), ("sigmoid_gradient", EXP + 6),
    ):  # fmt: skip
        yield Job(
            f"elementwise.{name}", "8,000,000", (values, out), Work(flops * 8 * N, 8 * N, 8 * N)
        )


def features(make: Maker) -> Iterator[Job]:
    X, out = make.normal(N, D), make.empty(N, D)
    shape = f"{N:,} x {D}"
    moments = np.zeros(1), np.zeros(D), np.zeros(D)
    yield Job("moments.update", shape, (X, make.weights(N), *moments), Work(4 * N * D, N * D))
    standard = X, make.normal(D), make.positive(D), out
    yield Job("moments.standardise", shape, standard, Work(2 * N * D, N * D, N * D))
    few, n = X[:100_000, :10].copy(), 100_000
    made = make.empty(n, 285)
    yield Job(
        "basis.polynomials", "100,000 x 10, degree 3", (few, few, 3, made),
        Work(275 * n, 10 * n, 285 * n),
    )  # fmt: skip
    waves = make.empty(n, 40)
    yield Job(
        "basis.sinusoids", "100,000 x 10, degree 4", (few, 4, waves),
        Work(EXP * 10 * n + 2 * 30 * n, 10 * n, 40 * n),
    )  # fmt: skip


def linear(make: Maker) -> Iterator[Job]:
    for n, d in ((N, D), (100_000, 200), (WIDE_N, WIDE)):
        X, y = make.normal(n, d), make.normal(n, 1)
        m = d + 1
        sums = np.zeros(2), np.zeros(m), np.zeros(m), np.zeros((m, m))
        least = Work(n * m * (m + 1), n * m)
        yield Job("scatter.update", f"{n:,} x {d}", (X, y, make.weights(n), *sums, 0, m), least)
        del X, y
    if make.dtype == np.float32:
        return  # The small dense updates are float64.
    d = WIDE
    A = make.normal(2 * d, d)
    A = A.T @ A / (2 * d)
    yield Job("linalg.cholesky", f"{d} x {d}", (A, 1e-12, np.zeros((d, d))), Work(d**3 / 3, 0))
    order = np.zeros(d, np.intp)
    pivoted = A, 1e-12, np.zeros((d, d)), order
    yield Job("linalg.cholesky_pivoted", f"{d} x {d}", pivoted, Work(d**3 / 3, 0))
    near_one = np.linalg.cholesky(np.eye(d) + 1e-9 * A)
    yield Job(
        "linalg.cholesky_solve", f"{d} x {d}, 10 sides", (near_one, make.normal(10, d)),
        Work(20 * d**2, 0),
    )  # fmt: skip
    product = A, make.normal(1, d), make.normal(1, d), make.empty(1, d)
    yield Job("linalg.quadratic", f"{d} x {d}", product, Work(2 * d**2, d**2))
    yield Job(
        "linalg.dot", "8,000,000", (make.normal(8 * N), make.normal(8 * N)),
        Work(16 * N, 16 * N),
    )  # fmt: skip


def scores(make: Maker) -> Iterator[Job]:
    X = make.normal(N, D)
    yield Job(
        "linalg.affine", f"{N:,} x {D}, one target",
        (X, make.normal(1, D), make.normal(1), make.empty(N, 1)), Work(2 * N * D, N * D, N),
    )  # fmt: skip
    codes, W = make.rng.integers(0, 2, N).astype(np.int32), make.normal(1, D + 1)
    labels = codes, make.weights(N), np.ones(1, np.intp)
    model = *labels, W, make.units(D), np.zeros(1), np.zeros((1, D + 1))
    flops = 4 * N * (D + 1) + 2 * EXP * N
    yield Job("logistic.sigmoid_loss", f"{N:,} x {D}", (X, *model), Work(flops, N * D))
    yield Job(
        "logistic.sigmoid_loss_hessian", f"{N:,} x {D}",
        (X, *model, np.zeros((1, D + 1, D + 1))), Work(flops + N * (D + 1) * (D + 2), N * D),
    )  # fmt: skip
    X = make.normal(WIDE_N, WIDE)
    codes, W = make.rng.integers(0, K, WIDE_N).astype(np.int32), make.normal(K, WIDE + 1)
    flops = 4 * WIDE_N * WIDE * K + EXP * WIDE_N * K
    yield Job(
        "logistic.softmax_loss", f"{WIDE_N:,} x {WIDE}, k {K}",
        (X, codes, make.weights(WIDE_N), W, make.units(WIDE), np.zeros(1),
         np.zeros((K, WIDE + 1))),
        Work(flops, WIDE_N * WIDE),
    )  # fmt: skip
    yield Job(
        "logistic.scores", f"{WIDE_N:,} x {WIDE}, k {K}",
        (X, W, make.units(WIDE), make.empty(WIDE_N, K)),
        Work(2 * WIDE_N * WIDE * K, WIDE_N * WIDE, WIDE_N * K),
    )  # fmt: skip
    Z, codes = make.normal(N, K), np.zeros(N, np.intp)
    yield Job("logistic.most_probable", f"{N:,} x {K}", (Z, codes), Work(N * K, N * K, N))
    for name in ("softmax", "log_softmax"):
        yield Job(f"logistic.{name}", f"{N:,} x {K}", (Z,), Work((EXP + 3) * N * K, N * K, N * K))


def clusters(make: Maker) -> Iterator[Job]:
    for n, d, k in ((N, 8, 16), (100_000, 64, 100), (WIDE_N, WIDE, K)):
        X, shift, centres = make.normal(n, d), make.empty(d), make.normal(k, d)
        labels, counts = np.zeros(n, np.int32), np.zeros(k)
        shape, product = f"{n:,} x {d}, k {k}", 2 * n * d * k
        sums, weights = np.zeros((k, d)), make.weights(n)
        yield Job(
            "k_means.lloyd", shape, (X, weights, shift, centres, sums, counts),
            Work(product + n * d, n * d),
        )  # fmt: skip
        yield Job(
            "k_means.settle", shape,
            (X, weights, shift, centres, centres, labels, counts, np.zeros(1)),
            Work(product + 3 * n * d, n * d),
        )  # fmt: skip
        yield Job("k_means.assign", shape, (X, shift, centres, labels), Work(product, n * d))
        if d == 64:
            moved = centres, make.empty(k) + 0.01, np.arange(k, dtype=np.int32)
            met = X, weights, shift, *moved, labels - 1, make.empty(n) - np.inf, sums, counts
            yield Job("k_means.lloyd_hamerly", shape, met, Work(product + n * d, n * d))
        if d == WIDE:
            bounds = make.empty(k, n), make.empty(n) + np.inf
            bounded = X, weights, shift, centres, make.empty(k) + 0.01, labels - 1, *bounds, sums
            yield Job("k_means.lloyd_bounded", shape, bounded, Work(product + n * d, n * d))
    n, d, k = 200_000, 128, 10
    X, candidates, closest = make.normal(n, d), make.normal(k, d), make.positive(n) * 50
    shape, weights = f"{n:,} x {d}", make.weights(n)
    labels = make.rng.integers(0, k, n).astype(np.int32)
    yield Job(
        "k_means.inertia", shape, (X, weights, candidates, labels, make.empty(n), np.zeros(1)),
        Work(3 * n * d, n * d, n),
    )  # fmt: skip
    approached = X, weights, candidates[0], candidates, closest, np.zeros(-(-n // 256)), np.zeros(k)
    yield Job(
        "k_means.approach", f"{shape} candidates", approached,
        Work(3 * n * d * (k + 1), n * d, n),
    )  # fmt: skip
    pool, room = make.normal(128, d), 32_000
    lists = np.zeros(room, np.int32), np.zeros(room, np.int64), make.empty(room)
    unknown = np.full(n, -1, np.int32), make.empty(0, 128)
    yield Job(
        "k_means.nearer", f"{shape}, 128 candidates",
        (X, make.empty(d), pool, make.positive(n), *unknown, 0, *lists),
        Work(2 * n * d * 128, n * d),
    )  # fmt: skip
    yield Job(
        "k_means.distances", f"{shape}, k {k}", (X, candidates, make.empty(n, k)),
        Work(2 * n * d * k, n * d, n * k),
    )  # fmt: skip


def densities(make: Maker) -> Iterator[Job]:
    n, d = N, 10
    X, mean, out = make.normal(n, d), np.zeros(d), make.empty(n)
    shape = f"{n:,} x {d}"
    yield Job(
        "gaussian.log_density_diagonal", shape, (X, mean, make.positive(d), -9.0, out),
        Work(4 * n * d, n * d, n),
    )  # fmt: skip
    whitener = np.tril(make.normal(d, d))
    yield Job(
        "gaussian.log_density_full", shape, (X, mean, whitener, -9.0, out),
        Work(n * d * (d + 1) + 2 * n * d, n * d, n),
    )  # fmt: skip


def networks(make: Maker) -> Iterator[Job]:
    kernels = _backend.kernels().perceptron
    for hidden in (25, 100):
        network, n = np.array([0, 1, WIDE, hidden, K], np.intp), 6_000
        n_parameters = (WIDE + 1) * hidden + (hidden + 1) * K
        X, Y = make.normal(n, WIDE), np.eye(K, dtype=make.dtype)[make.rng.integers(0, K, n)]
        units, parameters = make.units(WIDE), make.normal(n_parameters) * make.dtype.type(0.01)
        weights = np.broadcast_to(make.dtype.type(1), n)
        shape = f"{n:,} rows, 784-{hidden}-10"
        once = 2 * n * n_parameters
        backward = once + 2 * n * hidden * K
        yield Job(
            "perceptron.forward", shape, (X, units, parameters, network, make.empty(n, K)),
            Work(once, n * WIDE),
        )  # fmt: skip
        yield Job(
            "perceptron.loss_and_gradient", shape,
            (X, Y, weights, units, parameters, network, np.zeros(1), np.zeros(n_parameters)),
            Work(once + backward, n * WIDE),
        )  # fmt: skip
        memory = kernels._new_memory(network, 200, 1, make.dtype)
        order, batch = np.arange(n, dtype=np.intp), 200
        steps = 6.0 * n / batch * n_parameters
        rates = np.array([1e-6, 0.9, 0.0])
        sgd = rates, parameters.copy(), make.empty(n_parameters), np.zeros(1), 0, 1, memory
        yield Job(
            "perceptron.sgd", f"{shape}, batches of 200",
            (X, Y, weights, units, order, batch, network, *sgd),
            Work(once + backward + steps, n * WIDE),
        )  # fmt: skip
        rates = np.array([1e-6, 0.9, 0.999, 1e-8, 0.0])
        moments = make.empty(2, n_parameters)
        adam = rates, np.ones(2), parameters.copy(), moments, np.zeros(1), 0, 1, memory
        yield Job(
            "perceptron.adam", f"{shape}, batches of 200",
            (X, Y, weights, units, order, batch, network, *adam),
            Work(once + backward + 2 * steps, n * WIDE),
        )  # fmt: skip


GROUPS: tuple[Callable[[Maker], Iterator[Job]], ...] = (
    elementwise, features, linear, scores, clusters, densities, networks,
)  # fmt: skip
UNBOUNDED = {
    "gaussian.log_normaliser", "k_means.choose", "k_means.relative", "perceptron.penalty",
    "scatter.centre", "scatter.merge", "threshold.sweep",
}  # fmt: skip
"""Kernels of a few numbers, and the sort, which neither ceiling bounds."""


def profile(dtype: str, ceiling: limits.Limits) -> Iterator[dict[str, Any]]:
    """Yield what each kernel makes of the ceilings."""
    for group in GROUPS:
        for job in group(Maker(dtype)):
            family, name = job.kernel.split(".")
            kernel = getattr(getattr(_backend.kernels(), family), name)
            seconds = _median_seconds(lambda kernel=kernel, given=job.arguments: kernel(*given))
            moved = np.dtype(dtype).itemsize * (job.least.read + job.least.written)
            yield {
                "kernel": job.kernel,
                "work": job.work,
                "dtype": dtype,
                "seconds": seconds,
                "flops": job.least.flops / seconds,
                "bytes": moved / seconds,
                "share": ceiling.seconds(job.least, dtype) / seconds,
            }


def _median_seconds(call: Callable[[], Any]) -> float:
    call()
    times = []
    for _ in range(REPEATS):
        begin, count = time.perf_counter(), 0
        while time.perf_counter() - begin < MIN_SECONDS:
            call()
            count += 1
        times.append((time.perf_counter() - begin) / count)
    return statistics.median(times)


def table(profiles: list[dict[str, Any]]) -> str:
    """Return the profile as a table in Markdown."""
    rows = ["| kernel | work | type | GFLOP/s | GB/s | of the limit |", "|" + " --- |" * 6]
    for each in profiles:
        rows.append(
            f"| `{each['kernel']}` | {each['work']} | {each['dtype']} | {each['flops'] / 1e9:.1f} "
            f"| {each['bytes'] / 1e9:.1f} | {each['share']:.0%} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Print the profile, and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--dtypes", nargs="+", choices=FLOATS, default=list(FLOATS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep all that was measured")
    options = parser.parse_args()
    ceiling = limits.measure(1)
    record = report.new_record(Plan(threads=(1,)), {1: ceiling})
    print(report.describe(record), flush=True)
    profiles = [each for dtype in options.dtypes for each in profile(dtype, ceiling)]
    print(table(profiles))
    if options.json:
        kept = record.as_json() | {"kernels": profiles}
        del kept["results"], kept["plan"]
        options.json.write_text(json.dumps(kept, indent=1))


def missing() -> set[str]:
    """Return the kernels of the package that no group profiles."""
    named = {job.kernel for group in GROUPS for job in group(Maker("float64"))}
    return {workload.kernel for workload in WORKLOADS} - named - UNBOUNDED


if __name__ == "__main__":
    main()
