"""A perceptron's shape, its cost as a function of all weights, and the mini-batch methods."""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _validate
from hmlc._backend import kernels
from hmlc._optimize import Minimum, Objective
from hmlc._progress import Report
from hmlc._weights import total_weight
from hmlc.features import column_moments

Array = NDArray[Any]
Vector = NDArray[np.float64]

# In the order of the codes of c/perceptron.h.
ACTIVATIONS = ("relu", "tanh", "sigmoid")
LOSSES = ("squared", "softmax", "logistic")

CALL_FLOPS = 1e10
"""Batches are handed to a kernel in pieces of about this work, so that Ctrl-C is answered."""
TEAM_FLOPS = 3_000_000
"""A batch's work for which another thread is worth meeting it twice; measured."""
LOOK_SECONDS = 0.02 + 40 * time.get_clock_info("thread_time").resolution
"""Threads' time after which a look at it says how much they were running."""
LEAST_RUNNING = 0.6
"""The share of the time for which a team's threads must run; measured beside other processes."""
CALL_BYTES = 16 << 20
"""The most that is converted for one such piece, where rows are not as the kernel takes them."""
LANE_ROWS = 4 * _passes.BLOCK_ROWS
"""Fewer rows in a lane cost less than clearing and merging the lane's gradient."""


class Network:
    """Levels of so many columns, inputs first and outputs last, and the layers between them."""

    def __init__(self, sizes: tuple[int, ...], activation: str, loss: str) -> None:
        self.sizes = sizes
        self.activation = activation
        codes = (ACTIVATIONS.index(activation), LOSSES.index(loss))
        self.codes = np.array([*codes, *sizes], dtype=np.intp)
        self.shapes = list(itertools.pairwise(sizes))
        self.n_parameters = sum((rows + 1) * columns for rows, columns in self.shapes)

    @property
    def flops_per_row(self) -> int:
        """About how many operations forward and backward spend on a row."""
        return 6 * self.n_parameters

    def layers(self, parameters: Array) -> list[Array]:
        """Return the layers' matrices, views of the parameters; the last row is the bias."""
        layers, start = [], 0
        for rows, columns in self.shapes:
            stop = start + (rows + 1) * columns
            layers.append(parameters[start:stop].reshape(rows + 1, columns))
            start = stop
        return layers

    def initial_parameters(self, rng: "np.random.Generator") -> Vector:
        """Draw weights, uniform within +-limit, that keep variances alike from level to level.

        limit = sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010, eq. 16); for layers that end
        in rectified units sqrt(6 / inputs) (He et al. 2015, eq. 10). Biases are 0.
        """
        parameters = np.zeros(self.n_parameters)
        for level, layer in enumerate(self.layers(parameters)):
            inputs, outputs = self.shapes[level]
            is_rectified = self.activation == "relu" and level < len(self.shapes) - 1
            limit = math.sqrt(6 / (inputs if is_rectified else inputs + outputs))
            layer[:-1] = rng.uniform(-limit, limit, (inputs, outputs))
        return parameters

    def outputs(self, X: Array, units: Array, parameters: Array, n_jobs: int | None) -> Array:
        """Return the outputs, or the classes' probabilities, for every row of X.

        Raises
        ------
        ValueError
            If X is not finite.
        """
        out = np.empty((len(X), self.sizes[-1]), parameters.dtype)
        forward = kernels().perceptron.forward
        _passes.map_rows(
            X,
            parameters.dtype,
            lambda rows, first, last: forward(rows, units, parameters, self.codes, out[first:last]),
            n_jobs=n_jobs,
            flops_per_row=self.flops_per_row / 3,
        )
        _validate.check_finite_by(out, X, "X")
        return out


def standard_units(X: Array, weights: Array, n_jobs: int | None) -> Vector:
    """Return weighted rows' mean and inverse deviation by column; a constant one becomes 0."""
    moments = column_moments(X, n_jobs, weights=weights)
    return np.stack([moments.mean, 1 / moments.scale])


class Rows(NamedTuple):
    """Rows X, their targets Y, a row each, and their weights."""

    X: Array
    Y: Array
    weights: Array


@dataclass(frozen=True)
class Problem:
    """What a network is fitted to: rows X of any dtype; targets Y, weights and units of one type.

    The cost is J = (1/m) [sum of the rows' weighted losses + (l2/2) sum of squared parameters],
    where m is the sum of the rows' weights.
    """

    network: Network
    X: Array
    Y: Array
    weights: Array
    units: Array
    l2: float
    n_jobs: int | None

    @cached_property
    def total_weight(self) -> float:
        """As many rows as all stand for."""
        return total_weight(self.weights)

    def penalise(self, parameters: Vector, cost: Vector, gradient: Vector) -> None:
        """Add (l2/2) sum of squared parameters but the biases, and its gradient."""
        kernels().perceptron.penalty(parameters, self.network.codes, self.l2, cost, gradient)


class _Sums:
    """The sum of losses over rows and of their gradients: a pass's partial sum."""

    def __init__(self, n_parameters: int) -> None:
        self.cost = np.zeros(1)
        self.gradient = np.zeros(n_parameters)

    def merge(self, other: "_Sums") -> None:
        self.cost += other.cost
        self.gradient += other.gradient


def full_objective(problem: Problem) -> Objective:
    """Return the cost J and its gradient as a function of the parameters, in passes over X."""
    network, Y, weights, units = problem.network, problem.Y, problem.weights, problem.units
    loss_and_gradient = kernels().perceptron.loss_and_gradient
    n_lanes = -(-len(Y) // LANE_ROWS)
    partial_bytes = max(8 * network.n_parameters, _passes.PARTIALS_BYTES // n_lanes)

    def objective(theta: Vector) -> tuple[float, Vector]:
        parameters = theta.astype(Y.dtype)

        def kernel(rows: Array, first: int, last: int, sums: _Sums) -> None:
            of_rows = rows, Y[first:last], weights[first:last]
            of_all = units, parameters, network.codes
            loss_and_gradient(*of_rows, *of_all, sums.cost, sums.gradient)

        sums = _passes.reduce_rows(
            problem.X,
            Y.dtype,
            kernel,
            lambda: _Sums(network.n_parameters),
            _Sums.merge,
            n_jobs=problem.n_jobs,
            flops_per_row=network.flops_per_row,
            partial_bytes=partial_bytes,
        )
        problem.penalise(theta, sums.cost, sums.gradient)
        return float(sums.cost[0]) / problem.total_weight, sums.gradient / problem.total_weight

    return objective


Step = Callable[[Rows, NDArray[np.intp], Vector], None]
"""Takes the batches of some rows: step(rows, order, cost)."""


Memory = dict[str, Array]
"""What a method has learned of its own on the way, by name."""


def sgd(
    problem: Problem,
    parameters: Array,
    memory: Memory,
    batch_size: int,
    learning_rate: float,
    momentum: float,
) -> Step:
    """Return stochastic gradient descent with momentum, which changes `parameters` and `memory`."""
    step, codes, units = kernels().perceptron.sgd, problem.network.codes, problem.units
    velocity = _remembered(memory, "velocity", parameters.shape, parameters.dtype)
    rates = np.array([learning_rate, momentum, problem.l2 / problem.total_weight])
    team = _Team(problem, batch_size)

    def take(rows: Rows, order: NDArray[np.intp], cost: Vector) -> None:
        team.run(step, *rows, units, order, batch_size, codes, rates, parameters, velocity, cost)

    return take


def adam(
    problem: Problem, parameters: Array, memory: Memory, batch_size: int, learning_rate: float
) -> Step:
    """Return Adam with the constants of Kingma and Ba (2015); changes `parameters` and `memory`."""
    step, codes, units = kernels().perceptron.adam, problem.network.codes, problem.units
    moments = _remembered(memory, "moments", (2, len(parameters)), parameters.dtype)
    powers = memory.setdefault("powers", np.ones(2))
    rates = np.array([learning_rate, 0.9, 0.999, 1e-8, problem.l2 / problem.total_weight])
    team = _Team(problem, batch_size)

    def take(rows: Rows, order: NDArray[np.intp], cost: Vector) -> None:
        batches = (*rows, units, order, batch_size, codes)
        team.run(step, *batches, rates, powers, parameters, moments, cost)

    return take


def _remembered(memory: Memory, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return what is remembered by that name, or zeros, which it now is."""
    known = memory.get(name)
    memory[name] = np.zeros(shape, dtype) if known is None else known.astype(dtype, copy=False)
    return memory[name]


class _Team:
    """Threads that share every batch of a call, one alone while their processors are taken.

    A batch is over when the last thread has done its part, so threads that have to wait for a
    processor, each at another time, are slower than one. Then one takes the calls alone: the next
    two at first, twice as many whenever the team has been tried again in vain.
    """

    def __init__(self, problem: Problem, batch_size: int) -> None:
        worthwhile = int(problem.network.flops_per_row * batch_size / TEAM_FLOPS)
        self.threads = max(1, min(_passes.n_threads(problem.n_jobs), worthwhile))
        self.memory = kernels().perceptron._new_memory(
            problem.network.codes, batch_size, self.threads, problem.Y.dtype
        )
        self._calls_alone, self._next_alone = 0, 2
        self._elapsed, self._running = 0.0, 0.0

    def run(self, step: Callable[..., None], *arguments: Any) -> None:
        """Call step(*arguments, thread, threads, memory) on every thread at once."""
        if self.threads == 1 or self._calls_alone > 0:
            self._calls_alone -= 1
            step(*arguments, 0, 1, self.memory)
            return
        seconds: list[float] = []

        def take_part(thread: int, threads: int) -> None:
            start = time.thread_time()
            step(*arguments, thread, threads, self.memory)
            seconds.append(time.thread_time() - start)

        start = time.perf_counter()
        _passes.run_together(take_part, self.threads)
        self._elapsed += len(seconds) * (time.perf_counter() - start)
        self._running += sum(seconds)
        if self._elapsed > LOOK_SECONDS:
            self._look()

    def _look(self) -> None:
        """Decide who takes the next calls, by the share of the time that threads were running."""
        if self._running < LEAST_RUNNING * self._elapsed:
            self._calls_alone = self._next_alone
            self._next_alone *= 2
        else:
            self._next_alone = 2
        self._elapsed = self._running = 0.0


def pieces(
    problem: Problem, order: NDArray[np.intp], batch_size: int
) -> Iterator[tuple[Rows, NDArray[np.intp]]]:
    """Yield (rows, order) for whole batches at a time: views, or converted rows in their order."""
    X, dtype = problem.X, problem.Y.dtype
    is_direct = _passes.RowReader(X, dtype).is_direct
    rows = CALL_FLOPS / problem.network.flops_per_row
    if not is_direct:
        rows = min(rows, CALL_BYTES / (X.shape[1] * dtype.itemsize))
    n_rows = max(1, int(rows) // batch_size) * batch_size
    for first in range(0, len(order), n_rows):
        chosen = order[first : first + n_rows]
        if is_direct:
            yield Rows(X, problem.Y, problem.weights), chosen
        else:
            converted = np.ascontiguousarray(X[chosen], dtype)
            yield (
                Rows(converted, problem.Y[chosen], problem.weights[chosen]),
                np.arange(len(chosen), dtype=np.intp),
            )


Judge = Callable[[float, Array], bool]
"""Sees an epoch's cost and the parameters after it; True means that the fit is to end."""


class Plateau:
    """Ends a fit whose lowest cost has not fallen by more than tol for `patience` epochs."""

    def __init__(self, tol: float, patience: int, lowest: float = math.inf, idle: int = 0) -> None:
        self.tol, self.patience = tol, patience
        self.lowest, self.idle = lowest, idle

    def __call__(self, cost: float, parameters: Array) -> bool:
        """Take the cost of an epoch."""
        self.idle = 0 if cost < self.lowest - self.tol else self.idle + 1
        self.lowest = min(self.lowest, cost)
        return self.idle >= self.patience


def minimise_in_batches(
    problem: Problem,
    rows: NDArray[np.intp],
    parameters: Array,
    step: Step,
    *,
    batch_size: int,
    max_iter: int,
    rng: "np.random.Generator",
    ends: Judge,
    report: Report,
) -> Minimum:
    """Go over `rows` in a new random order, a batch at a time, until `ends` or the report says so.

    cost_history holds for every epoch the mean of its rows' losses, each before its batch's step,
    plus the penalty at the epoch's end.

    Raises
    ------
    ValueError
        If the cost grows past all numbers: the learning rate is too large for this problem.
    """
    ignored = np.zeros(problem.network.n_parameters)
    history: list[float] = []
    is_ended = False
    while len(history) < max_iter and not is_ended:
        total = np.zeros(1)
        order = rows[rng.permutation(len(rows))]
        for piece, chosen in pieces(problem, order, batch_size):
            step(piece, chosen, total)
        if problem.l2 > 0:
            problem.penalise(parameters.astype(np.float64), total, ignored)
        cost = float(total[0]) / problem.total_weight
        if not math.isfinite(cost):
            raise ValueError(
                f"the fit diverged in epoch {len(history) + 1}: the cost is not finite. "
                "Expected a smaller learning_rate"
            )
        history.append(cost)
        is_ended = ends(cost, parameters)
        is_ended |= report(len(history), cost)
    return Minimum(parameters, np.array(history), len(history), is_ended)
