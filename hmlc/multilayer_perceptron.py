"""Multilayer perceptrons: layers of weighted sums and activations, fitted by back-propagation."""

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _network, _optimize, _validate
from hmlc._backend import kernels
from hmlc._estimator import ConvergenceWarning, Estimator, in_both_types, most_probable
from hmlc._progress import Callback, Report, check_reporting, reporting
from hmlc._weights import check_sample_weight

Array = NDArray[Any]
Vector = NDArray[np.float64]

# The step that a solver takes where learning_rate is None; L-BFGS finds its own.
LEARNING_RATES = {"adam": 0.001, "sgd": 0.02, "gradient_descent": 0.1, "lbfgs": 1.0}


class _Perceptron(Estimator):
    """What the classifier and the regressor share: parameters, the fit, the forward pass."""

    coefs_: list[Array]
    intercepts_: list[Array]
    cost_history_: Vector
    n_iter_: int

    hidden_layer_sizes: Any
    activation: str
    solver: str
    l2: float
    learning_rate: float | None
    momentum: float
    batch_size: int
    max_iter: int
    tol: float
    normalize: bool
    random_state: Any
    n_jobs: int | None
    verbose: int
    callback: Callback | None

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
        _validate.check_n_jobs(self.n_jobs)
        check_reporting(self)

    def _hidden_sizes(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        is_listed = isinstance(sizes, (list, tuple, np.ndarray))
        return tuple(
            _validate.check_integer(size, "every one of hidden_layer_sizes")
            for size in (sizes if is_listed else [sizes])
        )

    def _fit(self, X: Array, Y: Array, loss: str, target_units: Vector | None = None) -> None:
        """Fit rows X to checked Y (n, n_outputs), whose dtype is that of the computation.

        Y may be in units of its own, which the fitted network's outputs then leave.
        """
        n_jobs = _validate.check_n_jobs(self.n_jobs)
        rng = _validate.random_generator(self.random_state)
        sizes = (X.shape[1], *self._hidden_sizes(), Y.shape[1])
        network = _network.Network(sizes, self.activation, loss)
        units = _network.raw_units(X.shape[1], np.dtype(np.float64))
        if self.normalize:
            units = _network.standard_units(X, n_jobs)
        else:
            _validate.check_finite(X, "X")
        weights = check_sample_weight(None, len(Y), Y.dtype)
        problem = _network.Problem(
            network, X, Y, weights, units.astype(Y.dtype), float(self.l2), n_jobs
        )
        with reporting(self) as report:
            minimum = self._minimise(problem, network.initial_parameters(rng), rng, report)
        if not minimum.converged:
            warnings.warn(
                f"{type(self).__name__} ended at max_iter={self.max_iter} before its cost settled "
                f"within tol={self.tol:g}; raise max_iter, or tol",
                ConvergenceWarning,
                stacklevel=3,
            )
        parameters = _in_given_units(network, minimum.parameters, units, target_units)
        self._keep(network, parameters, Y.dtype)
        self.cost_history_ = minimum.cost_history
        self.n_iter_ = minimum.n_iter

    def _minimise(
        self, problem: _network.Problem, start: Vector, rng: "np.random.Generator", report: Report
    ) -> _optimize.Minimum:
        limits: dict[str, Any] = {"max_iter": self.max_iter, "tol": self.tol, "report": report}
        rate = self.learning_rate or LEARNING_RATES[self.solver]
        if self.solver == "lbfgs":
            resolution = float(np.finfo(problem.Y.dtype).eps)
            steps = _optimize.lbfgs_steps(start, resolution=resolution, **limits)
            return _optimize.minimise(steps, _network.full_objective(problem))
        if self.solver == "gradient_descent":
            objective = _network.full_objective(problem)
            return _optimize.gradient_descent(objective, start, learning_rate=rate, **limits)
        parameters = start.astype(problem.Y.dtype)
        del start  # The fit needs its room.
        batch = min(self.batch_size, len(problem.Y))
        step = (
            _network.adam(problem, parameters, batch, rate)
            if self.solver == "adam"
            else _network.sgd(problem, parameters, batch, rate, self.momentum)
        )
        return _network.minimise_in_batches(
            problem, parameters, step, batch_size=batch, rng=rng, **limits
        )

    def _keep(self, network: _network.Network, parameters: Vector, dtype: np.dtype[Any]) -> None:
        parameters = parameters.astype(dtype)
        layers = network.layers(parameters)
        self.coefs_ = [layer[:-1] for layer in layers]
        self.intercepts_ = [layer[-1] for layer in layers]
        self._network = network
        units = _network.raw_units(network.sizes[0], dtype)
        self._units_and_parameters = in_both_types(units, parameters)

    def _outputs(self, X: Any) -> Array:
        """Return the network's answer for every row."""
        self._check_fitted()
        model = self._units_and_parameters, self._network.codes
        few: Array | None = self._answer_few(kernels().perceptron, X, self.n_features_in_, *model)
        if few is not None:
            return few
        matrix = self._as_rows(X)
        units, parameters = self._units_and_parameters[_validate.compute_dtype(matrix)]
        n_jobs = _validate.check_n_jobs(self.n_jobs)
        return self._network.outputs(matrix, units, parameters, n_jobs)


def _in_given_units(
    network: _network.Network, parameters: Vector, units: Vector, target_units: Vector | None
) -> Vector:
    """Return parameters for columns, and outputs, as given.

    W / scale and b - (mean / scale) W in the first layer, whose bias is what that layer alone
    answers to a row of zeros; outputs are multiplied by their scale, then moved by their mean.
    """
    parameters = parameters.copy()
    layers = network.layers(parameters)
    first, last = layers[0], layers[-1]
    alone = _network.Network(network.sizes[:2], "relu", "squared")
    zeros = np.zeros((1, network.sizes[0]))
    first[-1] = alone.outputs(zeros, units, first.reshape(-1).copy(), 1)[0]
    first[:-1] *= units[1][:, np.newaxis]
    if target_units is not None:
        last /= target_units[1]
        last[-1] += target_units[0]
    return parameters


class MLPClassifier(_Perceptron):
    """Multilayer perceptron that gives each class a probability.

    Minimises, over m rows, J = (1/m) [sum of losses + (l2/2) sum of squared weights].

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default (100,)
        Units of each hidden layer, inputs to outputs; () is none: softmax regression, or logistic.
    activation : {"relu", "tanh", "sigmoid"}, default "relu"
        Of the hidden units.
    loss : {"softmax", "logistic"}, default "softmax"
        ``softmax``: cross-entropy of one softmax over the classes. ``logistic``: each class has a
        sigmoid of its own and the cross-entropies are summed; probabilities are the sigmoids
        divided by their sum.
    solver : {"adam", "sgd", "gradient_descent", "lbfgs"}, default "adam"
        ``adam`` (Kingma and Ba 2015) and ``sgd`` (with momentum) step after every batch of rows;
        ``gradient_descent`` and ``lbfgs`` after a pass over all of them.
    l2 : float, default 1.0
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
        The most epochs (``adam``, ``sgd``) or steps.
    tol : float, default 1e-4
        ``adam`` and ``sgd`` stop when the lowest cost yet has not fallen by more than tol for ten
        epochs; ``gradient_descent`` when a step changes the cost by no more than tol, relative to
        it; ``lbfgs`` when no entry of the cost's gradient is larger.
    normalize : bool, default True
        Bring columns to mean 0 and variance 1 for the fit, a constant one to 0. `coefs_` and
        `intercepts_` are for the columns as given all the same.
    random_state : int, Generator or RandomState, optional
        For the initial weights and the order of rows: the same seed gives the same network.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all. The result does not depend
        on it.
    verbose : int or bool, default 0
        1 shows the progress: a bar where tqdm is installed, else lines with the cost. 2 prints the
        lines.
    callback : callable, optional
        Called with a `Progress` after every epoch or step; a true answer ends the fit, which keeps
        what it has reached.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted; the last layer has an output for each.
    coefs_ : list of arrays of shape (n_inputs, n_outputs)
        Weights of each layer, for columns as given.
    intercepts_ : list of arrays of shape (n_outputs,)
        Biases of each layer.
    cost_history_ : float64 array
        The cost J. ``gradient_descent`` and ``lbfgs``: before the first step and after each.
        ``adam`` and ``sgd``: for each epoch the mean loss of its rows, each before its batch's
        step, plus the penalty.
    n_iter_ : int
        Epochs or steps taken.
    n_features_in_ : int
        Number of columns.

    Notes
    -----
    Weights begin uniform within +-sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010, eq. 16),
    of rectified layers +-sqrt(6 / inputs) (He et al. 2015, eq. 10); biases begin at 0. A batch's
    step follows its rows' mean gradient plus (l2 / m) w. float32 rows are computed and answered in
    float32, all others in float64.

    Examples
    --------
    >>> from hmlc import MLPClassifier
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> model = MLPClassifier(hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs", l2=0,
    ...                       tol=1e-3, random_state=0)
    >>> model.fit(X, y).predict(X)
    array([0, 1, 1, 0])
    """

    classes_: Array
    loss: str

    _estimator_type = "classifier"

    def __init__(
        self,
        *,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        loss: str = "softmax",
        solver: str = "adam",
        l2: float = 1.0,
        learning_rate: float | None = None,
        momentum: float = 0.9,
        batch_size: int = 200,
        max_iter: int = 200,
        tol: float = 1e-4,
        normalize: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        callback: Callback | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.loss = loss
        self.solver = solver
        self.l2 = l2
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.normalize = normalize
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callback = callback

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the network to rows X (n, n_features) and their labels y (n,).

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or y is not as described, if there is only one class, or if the
            learning rate is so large that the cost grows past all numbers.

        Warns
        -----
        ConvergenceWarning
            If max_iter is reached before the cost has settled.

        Examples
        --------
        >>> from hmlc import MLPClassifier
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["a", "b", "b", "a"]
        >>> model = MLPClassifier(hidden_layer_sizes=(8,), solver="lbfgs", l2=0.01, random_state=0)
        >>> model.fit(X, y)
        MLPClassifier(hidden_layer_sizes=(8,), solver='lbfgs', l2=0.01, random_state=0)
        >>> [weights.shape for weights in model.coefs_]
        [(1, 8), (8, 2)]
        """
        self._check_parameters()
        loss = _validate.check_choice(self.loss, "loss", _network.LOSSES[1:])
        matrix = _validate.as_matrix(X)
        classes, labels = _validate.check_classes(y, len(matrix))
        targets = np.zeros((len(labels), len(classes)), _validate.compute_dtype(matrix))
        targets[np.arange(len(labels)), labels] = 1
        self._fit(matrix, targets, loss)
        self.classes_ = classes
        self._keep_features(X, matrix)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of every class for every row, (n, n_classes).

        Examples
        --------
        >>> from hmlc import MLPClassifier
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["a", "b", "b", "a"]
        >>> model = MLPClassifier(hidden_layer_sizes=(8,), solver="lbfgs", l2=0.01, random_state=0)
        >>> model.fit(X, y).predict_proba([[0.0], [1.5]]).round(1)
        array([[1., 0.],
               [0., 1.]])
        """
        return self._outputs(X)

    def predict(self, X: Any) -> Array:
        """Return the most probable label for every row, (n,).

        Examples
        --------
        >>> from hmlc import MLPClassifier
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["a", "b", "b", "a"]
        >>> model = MLPClassifier(hidden_layer_sizes=(8,), solver="lbfgs", l2=0.01, random_state=0)
        >>> model.fit(X, y).predict([[0.0], [1.5]]).tolist()
        ['a', 'b']
        """
        codes = most_probable(self._outputs(X))
        labels: Array = self.classes_[codes]
        return labels

    def score(self, X: Any, y: Any) -> float:
        """Return the share of rows whose label is predicted.

        Examples
        --------
        >>> from hmlc import MLPClassifier
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["a", "b", "b", "a"]
        >>> model = MLPClassifier(hidden_layer_sizes=(8,), solver="lbfgs", l2=0.01, random_state=0)
        >>> model.fit(X, y).score(X, ["a", "b", "b", "b"])
        0.75
        """
        predicted = self.predict(X)
        labels = np.asarray(y)
        _validate.check_same_length(labels, len(predicted), "y")
        return float(np.mean(predicted == labels.reshape(-1)))


class MLPRegressor(_Perceptron):
    """Multilayer perceptron with one number, or several, for an answer.

    Minimises, over m rows, J = (1/2m) [sum of squared errors + l2 sum of squared weights].

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default (100,)
        Units of each hidden layer, inputs to outputs; () is none: linear regression.
    activation : {"relu", "tanh", "sigmoid"}, default "relu"
        Of the hidden units.
    solver : {"adam", "sgd", "gradient_descent", "lbfgs"}, default "adam"
        ``adam`` (Kingma and Ba 2015) and ``sgd`` (with momentum) step after every batch of rows;
        ``gradient_descent`` and ``lbfgs`` after a pass over all of them.
    l2 : float, default 0.0001
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
        The most epochs (``adam``, ``sgd``) or steps.
    tol : float, default 1e-4
        ``adam`` and ``sgd`` stop when the lowest cost yet has not fallen by more than tol for ten
        epochs; ``gradient_descent`` when a step changes the cost by no more than tol, relative to
        it; ``lbfgs`` when no entry of the cost's gradient is larger.
    normalize : bool, default True
        Bring columns and targets to mean 0 and variance 1 for the fit, a constant one to 0.
        `coefs_` and `intercepts_` are for columns and targets as given all the same.
    random_state : int, Generator or RandomState, optional
        For the initial weights and the order of rows: the same seed gives the same network.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all. The result does not depend
        on it.
    verbose : int or bool, default 0
        1 shows the progress: a bar where tqdm is installed, else lines with the cost. 2 prints the
        lines.
    callback : callable, optional
        Called with a `Progress` after every epoch or step; a true answer ends the fit, which keeps
        what it has reached.

    Attributes
    ----------
    coefs_ : list of arrays of shape (n_inputs, n_outputs)
        Weights of each layer, for columns as given.
    intercepts_ : list of arrays of shape (n_outputs,)
        Biases of each layer.
    cost_history_ : float64 array
        The cost J, of targets in standard units where `normalize` is on. ``gradient_descent`` and
        ``lbfgs``: before the first step and after each. ``adam`` and ``sgd``: for each epoch the
        mean loss of its rows, each before its batch's step, plus the penalty.
    n_iter_ : int
        Epochs or steps taken.
    n_features_in_ : int
        Number of columns.

    Notes
    -----
    Weights begin uniform within +-sqrt(6 / (inputs + outputs)) (Glorot and Bengio 2010, eq. 16),
    of rectified layers +-sqrt(6 / inputs) (He et al. 2015, eq. 10); biases begin at 0. A batch's
    step follows its rows' mean gradient plus (l2 / m) w. float32 rows are computed and answered in
    float32, all others in float64.

    Examples
    --------
    >>> import numpy as np
    >>> from hmlc import MLPRegressor
    >>> X = np.linspace(-3, 3, 60).reshape(-1, 1)
    >>> model = MLPRegressor(hidden_layer_sizes=(10,), activation="tanh", solver="lbfgs",
    ...                      random_state=0)
    >>> model.fit(X, np.sin(X[:, 0])).score(X, np.sin(X[:, 0])) > 0.99
    True
    """

    _estimator_type = "regressor"
    _has_many_targets = True

    def __init__(
        self,
        *,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        solver: str = "adam",
        l2: float = 0.0001,
        learning_rate: float | None = None,
        momentum: float = 0.9,
        batch_size: int = 200,
        max_iter: int = 200,
        tol: float = 1e-4,
        normalize: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        callback: Callback | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.l2 = l2
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.normalize = normalize
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callback = callback

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the network to rows X (n, n_features) and their targets y, (n,) or (n, n_targets).

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or y is not as described, or if the learning rate is so large that
            the cost grows past all numbers.

        Warns
        -----
        ConvergenceWarning
            If max_iter is reached before the cost has settled.

        Examples
        --------
        >>> from hmlc import MLPRegressor
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 1.0, 0.0]
        >>> model = MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", random_state=0)
        >>> [weights.shape for weights in model.fit(X, y).coefs_]
        [(1, 8), (8, 1)]
        """
        self._check_parameters()
        matrix = _validate.as_matrix(X)
        target = _validate.check_target(y, len(matrix))
        columns = target.reshape(len(target), -1)
        units = _network.raw_units(columns.shape[1], np.dtype(np.float64))
        if self.normalize:
            units = _network.standard_units(columns, self.n_jobs)
        standardised = ((columns - units[0]) * units[1]).astype(_validate.compute_dtype(matrix))
        self._fit(matrix, standardised, "squared", units)
        self._is_vector = target.ndim == 1
        self._keep_features(X, matrix)
        return self

    def predict(self, X: Any) -> Array:
        """Return the targets of every row, (n,) or (n, n_targets) as y was at `fit`.

        Examples
        --------
        >>> from hmlc import MLPRegressor
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 1.0, 0.0]
        >>> model = MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", random_state=0)
        >>> model.fit(X, y).predict([[1.0], [3.0]]).round(1) + 0.0
        array([1., 0.])
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self._is_vector else outputs

    def score(self, X: Any, y: Any) -> float:
        """Return R^2, the mean over targets of 1 - (squared errors) / (squared deviations).

        A target that does not vary counts 1 where it is predicted exactly, else 0.

        Examples
        --------
        >>> from hmlc import MLPRegressor
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 1.0, 0.0]
        >>> model = MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", random_state=0)
        >>> model.fit(X, y).score(X, y) > 0.99
        True
        """
        predicted = self._outputs(X).astype(np.float64)
        target = _validate.check_target(y, len(predicted)).reshape(len(predicted), -1)
        errors = np.sum((target - predicted) ** 2, axis=0)
        deviations = np.sum((target - np.mean(target, axis=0)) ** 2, axis=0)
        varies = deviations > 0
        unexplained = np.where(varies, errors / np.where(varies, deviations, 1), errors > 0)
        return float(np.mean(1 - unexplained))
