"""How soon Ctrl-C ends a fit, and what it leaves: ``python -m benchmarks.interrupt``.

Every fit is interrupted at several moments of its course; the time is that from the signal to the
KeyboardInterrupt in the caller. The estimator must then be as it was before.
"""

import argparse
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import hmlc

GOAL = 0.2
"""Seconds."""


def fits(rng: np.random.Generator) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Yield fits that take a second or more, as (work, estimator, arguments)."""
    tall = rng.standard_normal((4_000_000, 20), dtype=np.float32)
    wide = rng.standard_normal((100_000, 784), dtype=np.float32)
    halves, tenths = tall[:, 0] > 0, rng.integers(0, 10, len(wide))
    yield "normalise 4,000,000 x 20", hmlc.StandardScaler(), (tall,)
    yield "degree 3 of 400,000 x 10", hmlc.PolynomialFeatures(degree=3), (tall[:400_000, :10],)
    yield "least squares, 4,000,000 x 20", hmlc.LinearRegression(), (tall, tall[:, 0])
    yield "least squares, 100,000 x 784", hmlc.LinearRegression(), (wide, tenths)
    yield (
        "gradient descent, 100,000 x 784",
        hmlc.LinearRegression(solver="gradient_descent", max_iter=1000, tol=0),
        (wide, tenths),
    )
    yield "logistic, 4,000,000 x 20", hmlc.LogisticRegression(tol=0), (tall, halves)
    yield "softmax, 100,000 x 784", hmlc.LogisticRegression(), (wide, tenths)
    yield "one-vs-rest, 100,000 x 784", hmlc.LogisticRegression(multi_class="ovr"), (wide, tenths)
    yield "Gaussian, 4,000,000 x 20", hmlc.GaussianAnomalyDetector(covariance="full"), (tall,)
    yield "Gaussian, labelled", hmlc.GaussianAnomalyDetector(), (tall, tall[:, 0] > 3)
    yield "k-means, 4,000,000 x 20, k=16", hmlc.KMeans(n_clusters=16, tol=0), (tall,)
    yield "k-means, 100,000 x 784, k=500", hmlc.KMeans(n_clusters=500, tol=0), (wide,)
    for solver in ("adam", "lbfgs"):
        yield (
            f"perceptron 784-512-10, {solver}",
            hmlc.MLPClassifier(hidden_layer_sizes=(512,), solver=solver),
            (wide, tenths),
        )


def latency(fit: Callable[[], Any], delay: float) -> float | None:
    """Return the seconds from a SIGINT after `delay` to the fit's end; None if it ended before."""
    sent = [0.0]

    def interrupt() -> None:
        sent[0] = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(delay, interrupt)
    try:
        timer.start()
        fit()
        timer.cancel()
        timer.join()
    except KeyboardInterrupt:
        return time.perf_counter() - sent[0]
    return None


def main() -> int:
    """Print the latencies; returns 1 where one is above the goal, or an estimator was changed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interrupt", description=__doc__)
    parser.add_argument("--moments", type=int, default=8, metavar="N", help="of each fit")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    failed = False
    for work, estimator, arguments in fits(rng):
        before = pickle.dumps(vars(estimator))
        found = []
        for delay in np.geomspace(0.005, 1.0, options.moments):
            seconds = latency(lambda fit=estimator.fit, given=arguments: fit(*given), float(delay))
            if seconds is None:
                break
            found.append(seconds)
            failed |= seconds > GOAL or pickle.dumps(vars(estimator)) != before
        worst = f"{1e3 * max(found):7.1f} ms" if found else "      -   "
        print(f"{work:<36} {len(found)} interruptions, slowest {worst}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
