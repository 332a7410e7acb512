"""Lloyd's iteration from a given start, and k-means++ seeds."""

import math
from functools import partial
from typing import Any

import numpy as np

from benchmarks.row import Contender, Data, Row, Run, Work, both, normal
from benchmarks.rows._pixels import pixels

STEPS = 20
BLOCK = 4096


def make_clouds(n: int, *, d: int, k: int) -> Data:
    """Draw overlapping clouds, so that twenty steps do not settle them."""
    rng = np.random.default_rng(0)
    centres = 2 * normal(rng, k, d)
    X = centres[rng.integers(k, size=n)] + normal(rng, n, d)
    X *= np.float32(1) / np.float32(2)
    return Data(X=X, start=X[rng.choice(n, k, replace=False)], k=k)


def make_pixels(n: int, *, d: int, k: int) -> Data:
    data = pixels(n)
    del data.y
    data.start = data.X[np.random.default_rng(0).choice(n, k, replace=False)]
    data.k = k
    return data


# ---- answers are centres


def nearest(X: Any, centres: Any) -> tuple[Any, Any]:
    """Return each row's nearest centre, and the squared distance from it less its own square."""
    scores = X @ (-2 * centres.T)
    scores += np.einsum("ij,ij->i", centres, centres)
    labels = scores.argmin(axis=1)
    return labels, scores[np.arange(len(X)), labels]


def inertia(data: Data, centres: Any) -> float:
    """Return the sum of squared distances from the nearest centres, by differences."""
    centres, total = np.asarray(centres, np.float64), 0.0
    for first in range(0, len(data.X), BLOCK):
        rows = data.X[first : first + BLOCK].astype(np.float64)
        difference = rows - centres[nearest(rows, centres)[0]]
        total += float(np.vdot(difference, difference))
    return total


def lloyd(X: Any, start: Any, steps: int) -> tuple[Any, Any]:
    """Take Lloyd's steps, a block of rows at a time; returns the centres and the last labels."""
    centres, k, labels = start.copy(), len(start), np.full(len(X), -1)
    for _ in range(steps):
        sums, counts = np.zeros(start.shape), np.zeros(k)
        before = labels.copy()
        for first in range(0, len(X), BLOCK):
            rows = X[first : first + BLOCK]
            found = nearest(rows, centres)[0]
            labels[first : first + BLOCK] = found
            counts += np.bincount(found, minlength=k)
            if k <= 128:
                sums += (found == np.arange(k)[:, None]).astype(X.dtype) @ rows
            else:
                order = np.argsort(found, kind="stable")
                present, begins = np.unique(found[order], return_index=True)
                sums[present] += np.add.reduceat(rows[order], begins)
        if np.array_equal(before, labels):
            break
        filled = counts > 0
        centres[filled] = sums[filled] / counts[filled, None]
    return centres, labels


def reference(data: Data) -> dict[str, Any]:
    centres, _ = lloyd(data.X.astype(np.float64), data.start.astype(np.float64), STEPS)
    return {"inertia": inertia(data, centres)}


def excess(data: Data, reference: Data, centres: Any) -> float:
    return inertia(data, centres) / float(reference.inertia) - 1


def fitted(data: Data, model: Any) -> Run:
    return Run(
        lambda: model.fit(data.X),
        lambda fit: fit.cluster_centers_,
        lambda fit: fit.n_iter_ + 1,
    )


def hmlc_fit(data: Data) -> Run:
    import hmlc

    return fitted(data, hmlc.KMeans(n_clusters=int(data.k), init=data.start, max_iter=STEPS, tol=0))


def sklearn_fit(data: Data, *, algorithm: str) -> Run:
    from sklearn.cluster import KMeans

    return fitted(
        data,
        KMeans(int(data.k), init=data.start, n_init=1, max_iter=STEPS, tol=0, algorithm=algorithm),
    )


def sklearnex_fit(data: Data) -> Run:
    from sklearnex.cluster import KMeans

    return fitted(data, KMeans(int(data.k), init=data.start, n_init=1, max_iter=STEPS, tol=0))


def faiss_fit(data: Data) -> Run:
    import faiss

    (n, d), k = data.X.shape, int(data.k)

    def call() -> Any:
        model = faiss.Kmeans(
            d, k, niter=STEPS, max_points_per_centroid=n, min_points_per_centroid=1
        )
        model.train(data.X, init_centroids=data.start)
        model.index.search(data.X, 1)
        return model.centroids

    return Run(call, lambda centres: centres)


def numpy_fit(data: Data) -> Run:
    def call() -> Any:
        centres, _ = lloyd(data.X, data.start, STEPS)
        for first in range(0, len(data.X), BLOCK):
            nearest(data.X[first : first + BLOCK], centres)
        return centres

    return Run(call, lambda centres: centres)


# ---- k-means++: answers are seeds


def tries(k: int) -> int:
    return 2 + int(math.log(k))


def plus_plus(X: Any, k: int, rng: np.random.Generator) -> Any:
    """Draw seeds as scikit-learn does: of some candidates the one that leaves the least."""
    squares = np.einsum("ij,ij->i", X, X)
    seeds = [X[rng.integers(len(X))]]

    def distances(candidates: Any) -> Any:
        products = candidates @ X.T
        products *= -2
        products += squares
        products += np.einsum("ij,ij->i", candidates, candidates)[:, None]
        return np.maximum(products, 0, out=products)

    closest = distances(seeds[0][None])[0]
    for _ in range(k - 1):
        cumulative = np.cumsum(closest, dtype=np.float64)
        drawn = np.searchsorted(cumulative, rng.random(tries(k)) * cumulative[-1])
        candidates = X[np.minimum(drawn, len(X) - 1)]
        left = np.minimum(distances(candidates), closest)
        best = int(np.argmin(left.sum(axis=1)))
        closest = left[best]
        seeds.append(candidates[best])
    return np.stack(seeds)


def typical_inertia(data: Data) -> dict[str, Any]:
    """Take the mean over a few draws; where k is large, one is like another."""
    k = int(data.k)
    seeds = range(1, 4 if k < 100 else 2)
    draws = [inertia(data, plus_plus(data.X, k, np.random.default_rng(seed))) for seed in seeds]
    return {"inertia": np.mean(draws)}


def hmlc_seeds(data: Data) -> Run:
    from hmlc._cluster_rows import Rows
    from hmlc._seeding import plus_plus_seeds
    from hmlc.features import column_moments

    def call() -> Any:
        rows = Rows(data.X, column_moments(data.X).mean, None)
        return plus_plus_seeds(rows, int(data.k), np.random.default_rng(0)) + rows.shift

    return Run(call, lambda seeds: seeds)


def sklearn_seeds(data: Data) -> Run:
    from sklearn.cluster import kmeans_plusplus

    return Run(lambda: kmeans_plusplus(data.X, int(data.k), random_state=0)[0], lambda seeds: seeds)


def numpy_seeds(data: Data) -> Run:
    return Run(
        lambda: plus_plus(data.X, int(data.k), np.random.default_rng(0)), lambda seeds: seeds
    )


def step_work(data: Data) -> Work:
    n, d = data.X.shape
    return Work(flops=2.0 * n * d * int(data.k), read=n * d)


def seeding_work(data: Data) -> Work:
    """Sweep the rows for every seed; in each, a row meets the seed's candidates."""
    (n, d), k = data.X.shape, int(data.k)
    return Work(flops=2.0 * k * tries(k) * n * d, read=k * n * d)


SIZES = (
    (1_000_000, 8, 16, 3, make_clouds, "1,000,000 x 8, k=16"),
    (100_000, 64, 100, 1.7, make_clouds, "100,000 x 64, k=100"),
    (60_000, 784, 10, 3, make_pixels, "60,000 x 784 pixels, k=10"),
    (200_000, 128, 1000, 1.6, make_clouds, "200,000 x 128, k=1000"),
    (1_000_000, 2, 3, 4, make_clouds, "1,000,000 x 2, k=3"),
)
LLOYD = (
    Contender("hmlc", hmlc_fit),
    Contender("sklearn", partial(sklearn_fit, algorithm="lloyd"), "lloyd"),
    Contender("sklearn", partial(sklearn_fit, algorithm="elkan"), "elkan"),
    Contender("sklearnex", sklearnex_fit),
    Contender("faiss", faiss_fit, dtypes=("float32",)),
    Contender("numpy", numpy_fit),
)
SEEDING = (
    Contender("hmlc", hmlc_seeds),
    Contender("sklearn", sklearn_seeds),
    Contender("numpy", numpy_seeds),
)
ROWS = [
    *(
        Row(
            module=__name__,
            name=f"k-means, {STEPS} steps, {name}",
            goal=goal,
            n_rows=n,
            make=partial(maker, d=d, k=k),
            reference=reference,
            measure="excess of the inertia",
            quality=excess,
            limit={"float32": 1e-4, "float64": 1e-6},
            contenders=LLOYD,
            work=step_work,
        )
        for n, d, k, goal, maker, name in SIZES
    ),
    *(
        Row(
            module=__name__,
            name=f"k-means++, {n:,} x {d}, k={k}",
            goal=goal,
            n_rows=n,
            make=partial(make_clouds, d=d, k=k),
            reference=typical_inertia,
            measure="excess of the inertia over a typical draw",
            quality=excess,
            limit=both(0.2),
            contenders=SEEDING,
            work=seeding_work,
        )
        for n, d, k, goal in ((1_000_000, 8, 16, 5), (200_000, 128, 1000, 10))
    ),
]
