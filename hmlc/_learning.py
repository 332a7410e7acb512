"""Where the fit of a network stands: what a later one goes on from."""

import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc._network import Memory, Network, Rows, standard_units
from hmlc._validate import check_finite

Array = NDArray[Any]
Vector = NDArray[np.float64]


@dataclass
class Learning:
    """A network's parameters in the units that it learns in, and what its method remembers.

    `units` of columns, and `target_units` of targets, are a mean and an inverse deviation each;
    None is as given. `history` and `scores` are all costs and validation scores so far, `idle` the
    epochs without progress, and `split_seed` tells which rows are held out.
    """

    network: Network
    solver: str
    rng: "np.random.Generator"
    parameters: Array
    units: Vector
    target_units: Vector | None = None
    memory: Memory = field(default_factory=dict)
    history: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    n_iter: int = 0
    idle: int = 0
    split_seed: int | None = None

    def copied(self) -> "Learning":
        """Return one that changes apart from this."""
        return replace(copy.deepcopy(self), network=self.network)

    def check_goes_on(self, network: Network, solver: str) -> None:
        """Raise a ValueError where another network, or by another solver, is asked for."""
        known = self.network
        if network.codes.tolist() != known.codes.tolist():
            raise ValueError(
                "a fit can only go on with the network that there is: levels of "
                f"{known.sizes} columns, activation={known.activation!r}, and the same loss; got "
                f"{network.sizes} and activation={network.activation!r}"
            )
        if solver != self.solver:
            raise ValueError(
                f"a fit can only go on with the solver that it began with, {self.solver!r}; got "
                f"{solver!r}"
            )

    def targets(self, Y: Array, dtype: np.dtype[Any]) -> Array:
        """Return targets in the network's units."""
        if self.target_units is not None:
            Y = (Y - self.target_units[0]) * self.target_units[1]
        return Y.astype(dtype, copy=False)

    def parameters_as_given(self) -> Vector:
        """Return parameters, float64, for columns and targets as given.

        W / scale and b - (mean / scale) W in the first layer, whose bias is what that layer alone
        answers to a row of zeros; outputs are multiplied by their scale, then moved by their mean.
        """
        parameters = self.parameters.astype(np.float64)
        layers = self.network.layers(parameters)
        first, last = layers[0], layers[-1]
        alone = Network(self.network.sizes[:2], "relu", "squared")
        zeros = np.zeros((1, self.network.sizes[0]))
        first[-1] = alone.outputs(zeros, self.units, first.reshape(-1).copy(), 1)[0]
        first[:-1] *= self.units[1][:, np.newaxis]
        if self.target_units is not None:
            last /= self.target_units[1]
            last[-1] += self.target_units[0]
        return parameters


def raw_units(n_columns: int) -> Vector:
    """Return the units (mean 0, inverse scale 1) in which columns stay as they are."""
    return np.stack([np.zeros(n_columns), np.ones(n_columns)])


def units_of_rows(rows: Rows, is_normalized: bool, n_jobs: int | None) -> Vector:
    """Return the units in which a network sees columns.

    Raises
    ------
    ValueError
        If X is not finite.
    """
    if is_normalized:
        return standard_units(rows.X, rows.weights, n_jobs)
    check_finite(rows.X, "X")
    return raw_units(rows.X.shape[1])
