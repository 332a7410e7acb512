"""Minimises the cost of logistic regression by L-BFGS, Newton, or both from a sample."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hmlc import _optimize
from hmlc._logistic_cost import LogisticCost
from hmlc._optimize import Minimum, Pairs
from hmlc._progress import Reporter, counted_from, quiet

Array = NDArray[Any]
Vector = NDArray[np.float64]
Options = dict[str, Any]
"""Of a minimisation: max_iter, tol, report."""

NEWTON_ENTRIES = 128 * 128
"""Hessians of up to so many entries in all are worth their pass; beyond, L-BFGS is faster."""

SAMPLE_EVERY = 20
"""A sample is one block of rows in so many."""
SAMPLE_STEPS = 10
"""Newton steps on the sample at most; where classes are separable they would not end."""
SAMPLE_FLOPS = 20_000_000
"""A Hessian over all rows that costs less than this, some milliseconds, needs no sample."""
EVENTS = 10
"""Rows of the rarer outcome that a sample must hold for each parameter (Peduzzi et al. 1996)."""
PATIENCE = 30
"""Steps after which a sample's Hessian is not thought to be of use."""


class Start(NamedTuple):
    """Where minimisations begin: weights (k, depth), and what L-BFGS knows of the curvature there.

    A softmax is one minimisation, with the first of `pairs`; sigmoids are k. The pairs of their
    steps are added.
    """

    W: Vector
    pairs: list[Pairs]


def kept_pairs(pairs: list[Pairs]) -> dict[str, Array]:
    """Return L-BFGS's pairs as arrays (m, 2, size) by name: "pairs0" of the first, and so on."""
    return {
        f"pairs{index}": np.stack([(s, y) for s, y, _ in each])
        for index, each in enumerate(pairs)
        if each
    }


def known_pairs(kept: dict[str, Array], index: int, size: int) -> Pairs:
    """Return the pairs of a minimisation that `kept_pairs` made, if they are of this size."""
    pairs = kept.get(f"pairs{index}")
    return _optimize.pairs_of(() if pairs is None or pairs.shape[-1] != size else pairs)


def _resolution(problem: LogisticCost) -> float:
    return float(np.finfo(problem.units.dtype).eps)


def softmax_minimum(problem: LogisticCost, start: Start, options: Options) -> Minimum:
    """Minimise the cost of one softmax."""

    def objective(theta: Vector) -> tuple[float, Vector]:
        cost, gradient = problem.softmax(theta.reshape(start.W.shape))
        return cost, gradient.reshape(-1)

    options = {**options, "resolution": _resolution(problem), "pairs": start.pairs[0]}
    steps = _optimize.lbfgs_steps(start.W.reshape(-1), **options)
    return _optimize.minimise(steps, objective)


def sigmoid_minima(
    problem: LogisticCost,
    start: Start,
    classes: Array,
    solver: str,
    limits: Options,
    reporter: Reporter,
) -> list[Minimum]:
    """Minimise the cost of a sigmoid per class, or for two classes of one for the second."""
    chosen = np.arange(len(classes), dtype=np.intp) if len(classes) > 2 else np.ones(1, np.intp)
    entries = len(chosen) * start.W.shape[1] ** 2
    parts = [f"class {classes[c]}" if len(chosen) > 1 else "" for c in chosen]
    options = [
        {**limits, "resolution": _resolution(problem), "report": reporter.of(part)}
        for part in parts
    ]
    if solver == "lbfgs" or (solver == "auto" and entries > NEWTON_ENTRIES):
        steps = [
            _optimize.lbfgs_steps(w, pairs=pairs, **each)
            for w, pairs, each in zip(*start, options, strict=True)
        ]
        return _minimise(problem.sigmoids, chosen, steps)
    if solver == "auto":
        return _from_sample(problem, chosen, options, start.W)
    return _newton(problem, chosen, options, start.W)


def _minimise(
    evaluate: Callable[[Array, Vector], list[Any]],
    chosen: Array,
    problems: list[_optimize.Steps],
) -> list[Minimum]:
    return _optimize.minimise_together(
        problems, lambda which, points: evaluate(chosen[which], np.stack(points))
    )


def _newton(
    problem: LogisticCost,
    chosen: Array,
    options: list[Options],
    starts: Sequence[Vector] | Vector,
    **changes: Any,
) -> list[Minimum]:
    steps = [
        _optimize.newton_steps(start, **{**each, **changes})
        for start, each in zip(starts, options, strict=True)
    ]
    return _minimise(problem.sigmoids_hessian, chosen, steps)


def _from_sample(
    problem: LogisticCost, chosen: Array, options: list[Options], starts: Vector
) -> list[Minimum]:
    """Minimise by steps in the metric of a sample's Hessian, from the sample's minimum.

    Newton's method sums the Hessian over the sample alone; L-BFGS, with that Hessian instead of the
    identity, needs the gradient over all rows, which is several times cheaper (Byrd, Chin, Neveitt
    and Nocedal 2011). Where the sample tells too little, Newton's method sees to the rest.
    """
    near = _sample_minima(problem, chosen, options, starts)
    if near is None:
        return _newton(problem, chosen, options, starts)
    steps = [
        _optimize.lbfgs_steps(
            there.parameters,
            **{**each, "max_iter": min(each["max_iter"], PATIENCE)},
            hessian=there.hessian,
        )
        for there, each in zip(near, options, strict=True)
    ]
    minima = _minimise(problem.sigmoids, chosen, steps)
    left = options[0]["max_iter"] - PATIENCE
    if left <= 0 or all(minimum.converged for minimum in minima):
        return minima
    rest = [
        {**each, "max_iter": left, "report": counted_from(minimum.n_iter, each["report"])}
        for each, minimum in zip(options, minima, strict=True)
    ]
    later = _newton(problem, chosen, rest, [minimum.parameters for minimum in minima])
    return [first.then(end) for first, end in zip(minima, later, strict=True)]


def _sample_minima(
    problem: LogisticCost, chosen: Array, options: list[Options], starts: Sequence[Vector] | Vector
) -> list[Minimum] | None:
    """Return where a sample's cost is least, begun from where a sample of it is.

    None where rows are too few to sample.
    """
    depth = len(problem.penalty)
    if len(chosen) * depth**2 * len(problem.X) <= SAMPLE_FLOPS:
        return None
    sample = problem.sample(SAMPLE_EVERY)
    if sample.fewest(chosen) < EVENTS * depth:
        return None
    near = _sample_minima(sample, chosen, options, starts)
    if near is not None:
        starts = [there.parameters for there in near]
    # At the sample's minimum all rows cost about depth / (2 rows) more than at their own
    # (Akaike, IEEE Trans. Automatic Control 19, 1974): a step that gains less is in vain.
    enough = depth / (2 * len(sample.codes))
    few: Options = {"max_iter": SAMPLE_STEPS, "report": quiet, "enough": enough}
    return _newton(sample, chosen, options, starts, **few)
