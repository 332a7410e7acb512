"""The parameters that both multilayer perceptrons have, and what their docstrings say alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np

from hmlc import _network, _validate
from hmlc._estimator import Estimator
from hmlc._progress import Callback, check_reporting

Kind = TypeVar("Kind", bound=type[Any])
Method = TypeVar("Method", bound=Callable[..., Any])

# The step that a solver takes where learning_rate is None; L-BFGS finds its own.
LEARNING_RATES = {"adam": 0.001, "sgd": 0.02, "gradient_descent": 0.1, "lbfgs": 1.0}
IN_BATCHES = ("adam", "sgd")

PARAMETERS = """
    activation : {"relu", "tanh", "sigmoid"}, default "relu"
        Of the hidden units.
    solver : {"adam", "sgd", "gradient_descent", "lbfgs"}, default "adam"
        ``adam`` (Kingma and Ba 2015) and ``sgd`` (with momentum) step after every batch of rows;
        ``gradient_descent`` and ``lbfgs`` after a pass over all of them.
    l2 : float, default 1.0 of the classifier, 0.0001 of the regressor
        Weight of the penalty (l2 / 2) sum w^2 on the weights; biases are free.
    learning_rate : float, optional
        Length of a step; None is 0.001 for ``adam``, 0.02 for ``sgd``, 0.1 for
        ``gradient_descent``. ``lbfgs`` finds its own.
    momentum : float, default 0.9
        Share of the last step that ``sgd`` keeps.
    batch_size : int, default 200
        Rows of a batch of ``adam`` and ``sgd``; no more than there are. A last, smaller batch
        takes the rows that are left.
    max_iter : int, default 200
        The most epochs (``adam``, ``sgd``) or steps of a fit.
    tol : float, default 1e-4
        ``adam`` and ``sgd`` stop when the lowest cost yet has not fallen by more than tol for
        n_iter_no_change epochs; ``gradient_descent`` when a step changes the cost by no more than
        tol, relative to it; ``lbfgs`` when no entry of the cost's gradient is larger.
    normalize : bool, default True
        Bring columns, and a regressor's targets, to mean 0 and variance 1 for the fit, a constant
        one to 0. `coefs_` and `intercepts_` are for columns and targets as given all the same.
    early_stopping : bool, default False
        Hold rows out, and end when the best score on them yet (accuracy, or R^2) has not risen by
        more than tol for n_iter_no_change epochs or steps. The weights of the best score are kept.
        The cost's own plateau then ends no fit of ``adam`` and ``sgd``.
    validation_fraction : float, default 0.1
        Share of the rows held out, of each class alike; more than 0, less than 1. Rows that are
        given to `fit` as X_val take their place.
    n_iter_no_change : int, default 10
        Epochs, or steps, without progress that end a fit.
    warm_start : bool, default False
        Whether `fit` goes on from where the last one ended, in the same units, with the same order
        of random numbers and what the solver remembers: Adam's moments, the velocity, the pairs of
        L-BFGS. max_iter=a and then max_iter=b is max_iter=a + b, to the bit.
    random_state : int, Generator or RandomState, optional
        For the initial weights, the order of rows, and which are held out: the same seed gives the
        same network.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all. The result does not depend
        on it.
    verbose : int or bool, default 0
        1 shows the progress: a bar where tqdm is installed, else lines with the cost. 2 prints the
        lines.
    callback : callable, optional
        Called with a `Progress` after every epoch or step; a true answer ends the fit, which keeps
        what it has reached.
"""
ATTRIBUTES = """
    coefs_ : list of arrays of shape (n_inputs, n_outputs)
        Weights of each layer, for columns as given.
    intercepts_ : list of arrays of shape (n_outputs,)
        Biases of each layer.
    cost_history_ : float64 array
        The cost J, of a regressor's targets in standard units where `normalize` is on.
        ``gradient_descent`` and ``lbfgs``: before the first step and after each. ``adam`` and
        ``sgd``: for each epoch the mean loss of its rows, each before its batch's step, plus the
        penalty. A fit that goes on from another adds to its history.
    best_loss_ : float or None
        The lowest of these costs; None with early stopping.
    validation_scores_ : float64 array or None
        With early stopping the score on the validation rows after every epoch or step.
    best_validation_score_ : float or None
        The highest of them, which is that of `coefs_` and `intercepts_`.
    n_iter_ : int
        Epochs or steps taken, those that a fit went on from among them.
    n_features_in_ : int
        Number of columns.

    Notes
    -----
    Weights begin uniform within +-sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010, eq. 16),
    of rectified layers +-sqrt(6 / inputs) (He et al. 2015, eq. 10); biases begin at 0. A batch's
    step follows its rows' mean gradient plus (l2 / m) w. A row of weight w counts as w rows, in
    means and in m; a batch whose rows weigh nothing is no step. float32 rows are computed and
    answered in float32, all others in float64.
"""


def with_shared_text(kind: Kind) -> Kind:
    """Fill what both classes say alike into a class's docstring, at "(shared parameters)" etc."""
    if kind.__doc__:
        text = kind.__doc__.replace("    (shared parameters)\n", PARAMETERS.lstrip("\n"))
        kind.__doc__ = text.replace("    (shared attributes)\n", ATTRIBUTES.lstrip("\n"))
    return kind


class _OnlyInBatches:
    """A method that models have whose solver steps after every batch; others lack it."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method

    def __get__(self, model: Any, kind: type[Any]) -> Callable[..., Any]:
        if model is not None and model.solver not in IN_BATCHES:
            raise AttributeError(
                f"{kind.__name__}.{self._method.__name__} learns batch by batch: it is there with "
                f"solver='adam' or 'sgd', not {model.solver!r}"
            )
        method: Callable[..., Any] = self._method.__get__(model, kind)
        return method


def only_in_batches(method: Method) -> Method:
    """Let models have a method only while their solver is one that steps after every batch."""
    return cast(Method, _OnlyInBatches(method))


@dataclass(kw_only=True, eq=False, repr=False)
class Parameters(Estimator):
    """The parameters of both; the dataclass makes an ``__init__`` that only stores them."""

    hidden_layer_sizes: Any = (100,)
    activation: str = "relu"
    solver: str = "adam"
    l2: float = 1.0
    learning_rate: float | None = None
    momentum: float = 0.9
    batch_size: int = 200
    max_iter: int = 200
    tol: float = 1e-4
    normalize: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    warm_start: bool = False
    random_state: Any = None
    n_jobs: int | None = None
    verbose: int = 0
    callback: Callback | None = None

    def _check_parameters(self) -> None:
        self._hidden_sizes()
        _validate.check_choice(self.activation, "activation", _network.ACTIVATIONS)
        _validate.check_choice(self.solver, "solver", tuple(LEARNING_RATES))
        _validate.check_number(self.l2, "l2", low=0)
        if self.learning_rate is not None:
            _validate.check_number(self.learning_rate, "learning_rate", low=0, open_low=True)
        _validate.check_number(self.momentum, "momentum", low=0, high=1)
        _validate.check_integer(self.batch_size, "batch_size")
        _validate.check_integer(self.max_iter, "max_iter")
        _validate.check_number(self.tol, "tol", low=0)
        _validate.check_bool(self.normalize, "normalize")
        _validate.check_bool(self.early_stopping, "early_stopping")
        fraction = self.validation_fraction
        _validate.check_number(fraction, "validation_fraction", low=0, high=1, open_low=True)
        _validate.check_integer(self.n_iter_no_change, "n_iter_no_change")
        _validate.check_bool(self.warm_start, "warm_start")
        _validate.check_n_jobs(self.n_jobs)
        check_reporting(self)

    def _hidden_sizes(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        is_listed = isinstance(sizes, (list, tuple, np.ndarray))
        return tuple(
            _validate.check_integer(size, "every one of hidden_layer_sizes")
            for size in (sizes if is_listed else [sizes])
        )
