"""What a perceptron learns at `fit`, and where its fit stands for another to go on from."""

import copy
import itertools
from typing import Any

import numpy as np

from hmlc import _network, _validate
from hmlc._learning import Learning, raw_units
from hmlc._optimize import LBFGS_MEMORY
from hmlc._perceptron_parameters import LEARNING_RATES
from hmlc._saving.state import Reader, State

WORD = 2**128
"""PCG64's two numbers are below this."""


def classifier_state(model: Any) -> State:
    """Return what an MLPClassifier learned, by name."""
    loss = _network.LOSSES[model._network.codes[1]]
    return {"classes_": model.classes_, "loss": loss} | _state(model)


def restore_classifier(model: Any, state: Reader) -> None:
    """Give a new MLPClassifier what another learned."""
    model.classes_ = state.labels()
    _restore(model, state, state.choice("loss", _network.LOSSES[1:]), len(model.classes_))


def regressor_state(model: Any) -> State:
    """Return what an MLPRegressor learned, by name."""
    return {"is_vector": model._is_vector} | _state(model)


def restore_regressor(model: Any, state: Reader) -> None:
    """Give a new MLPRegressor what another learned."""
    model._is_vector = state.flag("is_vector")
    _restore(model, state, "squared", 1 if model._is_vector else None)


def _state(model: Any) -> State:
    layers = zip(model.coefs_, model.intercepts_, strict=True)
    return {
        "sizes": list(model._network.sizes),
        "parameters": np.concatenate([part.reshape(-1) for layer in layers for part in layer]),
        "activation": model._network.activation,
        "cost_history_": model.cost_history_,
        "n_iter_": model.n_iter_,
        **_learning_state(model._learning),
    }


def _restore(model: Any, state: Reader, loss: str, n_outputs: int | None) -> None:
    sizes = state.sizes("sizes")
    if n_outputs not in (None, sizes[-1]):
        raise ValueError(f"there are {n_outputs} classes, but {sizes[-1]} outputs")
    count = sum((rows + 1) * columns for rows, columns in itertools.pairwise(sizes))
    parameters = state.array("parameters", (count,), _validate.FLOATS, infinite=True)
    activation = state.choice("activation", _network.ACTIVATIONS)
    network = _network.Network(sizes, activation, loss)
    model._keep(network, parameters, parameters.dtype)
    model._learning = _restored_learning(state, network, parameters)
    model._keep_history()
    model.n_features_in_ = sizes[0]


def _learning_state(learning: Learning) -> State:
    state: State = {
        "learning.solver": learning.solver,
        "learning.parameters": learning.parameters,
        "learning.units": learning.units,
        "learning.target_units": learning.target_units,
        "learning.scores": np.array(learning.scores) if learning.scores else None,
        "learning.idle": learning.idle,
        "learning.split_seed": learning.split_seed,
        "learning.generator": _generator_state(learning.rng),
    }
    return state | {f"learning.{name}": array for name, array in learning.memory.items()}


def _restored_learning(state: Reader, network: _network.Network, parameters: Any) -> Learning:
    """Return where the fit stood; of older files, at these parameters and with no memory."""
    history = state.array("cost_history_", (None,), infinite=True).tolist()
    n_iter = state.integer("n_iter_", low=0)
    if not state.is_array("learning.parameters"):
        rng = _validate.random_generator(None)
        units = raw_units(network.sizes[0])
        start = Learning(network, "adam", rng, parameters, units)
        start.history, start.n_iter = history, n_iter
        return start
    count = network.n_parameters
    learning = Learning(
        network,
        state.choice("learning.solver", tuple(LEARNING_RATES)),
        _restored_generator(state.numbers("learning.generator", 4, WORD)),
        state.array("learning.parameters", (count,), _validate.FLOATS, infinite=True),
        state.array("learning.units", (2, network.sizes[0])),
        state.optional_array("learning.target_units", (2, network.sizes[-1])),
        history=history,
        n_iter=n_iter,
        idle=state.integer("learning.idle", low=0),
        split_seed=state.optional_integer("learning.split_seed", low=0),
    )
    scores = state.optional_array("learning.scores", (None,))
    learning.scores = [] if scores is None else scores.tolist()
    shapes: dict[str, tuple[int | None, ...]] = {
        "velocity": (count,),
        "moments": (2, count),
        "powers": (2,),
        "pairs": (None, 2, count),
    }
    for name, shape in shapes.items():
        if state.is_array(f"learning.{name}"):
            array = state.array(f"learning.{name}", shape, _validate.FLOATS, infinite=True)
            learning.memory[name] = array
    if len(learning.memory.get("pairs", ())) > LBFGS_MEMORY:
        raise ValueError(f"learning.pairs must be at most {LBFGS_MEMORY}")
    for name in ("powers", "pairs"):
        if name in learning.memory and learning.memory[name].dtype != np.float64:
            raise TypeError(f"learning.{name} must be an array of float64")
    return learning


def _generator_state(rng: "np.random.Generator") -> list[int]:
    """Return the numbers of a PCG64; of one that another generator seeds, where it is no PCG64."""
    state: Any = rng.bit_generator.state
    if state["bit_generator"] != "PCG64":
        state = np.random.PCG64(int(copy.deepcopy(rng).integers(2**63))).state
    return [*map(int, state["state"].values()), int(state["has_uint32"]), int(state["uinteger"])]


def _restored_generator(numbers: list[int]) -> "np.random.Generator":
    state, increment, has_half, half = numbers
    if increment % 2 == 0 or has_half > 1 or half >= 2**32:
        raise ValueError("learning.generator is not the state of a PCG64")
    bits = np.random.PCG64(0)
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": state, "inc": increment},
        "has_uint32": has_half,
        "uinteger": half,
    }
    return np.random.Generator(bits)
