"""What both multilayer perceptrons share: the fit, what it goes on from, and the forward pass."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _learning, _network, _optimize, _validate
from hmlc._backend import kernels
from hmlc._early_stopping import Validation, parted
from hmlc._estimator import ConvergenceWarning, in_both_types
from hmlc._learning import Learning
from hmlc._network import Judge, Network, Problem, Rows
from hmlc._perceptron_parameters import IN_BATCHES, LEARNING_RATES, Parameters
from hmlc._progress import Report, quiet, reporting

Array = NDArray[Any]
Vector = NDArray[np.float64]


class Perceptron(Parameters):
    """Fits rows of targets, which the classifier and the regressor make of y, and answers rows."""

    coefs_: list[Array]
    intercepts_: list[Array]
    cost_history_: Vector
    best_loss_: float | None
    validation_scores_: Vector | None
    best_validation_score_: float | None
    n_iter_: int

    _network: Network
    _learning: Learning

    def _score_outputs(self, targets: Array, outputs: Array, weights: Array) -> float:
        """Return the score of a network's answers to rows with these targets."""
        raise NotImplementedError

    def _goes_on(self) -> bool:
        """Return whether there is a fit from which another can go on."""
        return "_learning" in self.__dict__

    def _known_learning(self, network: Network) -> Learning:
        """Return a copy of where the last fit ended, for one of this network to go on from."""
        self._learning.check_goes_on(network, self.solver)
        return self._learning.copied()

    def _fit(
        self,
        rows: Rows,
        loss: str,
        given: Rows | None,
        codes: NDArray[np.intp] | None = None,
        weigh: Callable[[Array], Array] = lambda weights: weights,
    ) -> None:
        """Fit the network to checked rows, whose weights have the dtype of the computation.

        `given` are rows for validation; where they are wanted and not given, some are held out, of
        every class by its codes. `weigh` makes the weights of those that are left.
        """
        n_jobs = _validate.check_n_jobs(self.n_jobs)
        sizes = (rows.X.shape[1], *self._hidden_sizes(), rows.Y.shape[1])
        network = Network(sizes, self.activation, loss)
        known = self._known_learning(network) if self.warm_start and self._goes_on() else None
        rng = known.rng if known else _validate.random_generator(self.random_state)
        chosen, seed = np.arange(len(rows.Y)), known.split_seed if known else None
        if self.early_stopping and given is None:
            seed = int(rng.integers(2**63)) if seed is None else seed
            rows, given, chosen = parted(rows, self.validation_fraction, seed, codes)
        rows = rows._replace(weights=weigh(rows.weights))
        learning = known or self._begun(network, rows, loss, rng, n_jobs)
        learning.split_seed = seed
        if known is not None:
            _validate.check_finite(rows.X, "X")
        validation = self._validation(learning, given, rows.weights.dtype, n_jobs)
        with reporting(self) as report:
            is_over = self._learn(learning, rows, chosen, validation, self.max_iter, report)
        self._keep_learned(learning, rows.weights.dtype, self.warm_start)
        if not is_over:
            warnings.warn(
                f"{type(self).__name__} ended at max_iter={self.max_iter} before its "
                f"{'score' if validation else 'cost'} settled within tol={self.tol:g}; raise "
                "max_iter, or tol",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _fit_chunk(self, rows: Rows, loss: str) -> None:
        """Go over some rows once, from where the last fit ended."""
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        n_jobs = _validate.check_n_jobs(self.n_jobs)
        sizes = (rows.X.shape[1], *self._hidden_sizes(), rows.Y.shape[1])
        network = Network(sizes, self.activation, loss)
        if self._goes_on():
            _validate.check_finite(rows.X, "X")
            learning = self._known_learning(network)
        else:
            rng = _validate.random_generator(self.random_state)
            learning = self._begun(network, rows, loss, rng, n_jobs)
        self._learn(learning, rows, np.arange(len(rows.Y)), None, 1, quiet)
        learning.idle = 0
        self._keep_learned(learning, rows.weights.dtype, True)

    def _begun(
        self,
        network: Network,
        rows: Rows,
        loss: str,
        rng: "np.random.Generator",
        n_jobs: int | None,
    ) -> Learning:
        """Return the beginning of a fit: units of these rows, and random weights."""
        units = _learning.units_of_rows(rows, self.normalize, n_jobs)
        target_units = None
        if loss == "squared" and self.normalize:
            target_units = _network.standard_units(rows.Y, rows.weights, n_jobs)
        parameters = network.initial_parameters(rng)
        return Learning(network, self.solver, rng, parameters, units, target_units)

    def _validation(
        self, learning: Learning, given: Rows | None, dtype: np.dtype[Any], n_jobs: int | None
    ) -> Validation | None:
        if given is None:
            return None
        targets = learning.targets(given.Y, _validate.FLOAT64)
        units = learning.units.astype(dtype)

        def score(parameters: Array) -> float:
            outputs = learning.network.outputs(given.X, units, parameters.astype(dtype), n_jobs)
            return self._score_outputs(targets, outputs, given.weights.astype(np.float64))

        start = learning.parameters
        return Validation(
            score, self.tol, self.n_iter_no_change, start, learning.scores, learning.idle
        )

    def _learn(
        self,
        learning: Learning,
        rows: Rows,
        chosen: NDArray[np.intp],
        validation: Validation | None,
        max_iter: int,
        report: Report,
    ) -> bool:
        """Change `learning` by the chosen rows; return whether it is over before max_iter."""
        dtype = rows.weights.dtype
        problem = Problem(
            learning.network,
            rows.X,
            learning.targets(rows.Y, dtype),
            rows.weights,
            learning.units.astype(dtype),
            float(self.l2),
            _validate.check_n_jobs(self.n_jobs),
        )
        lowest = min(learning.history, default=np.inf)
        plateau = _network.Plateau(self.tol, self.n_iter_no_change, lowest, learning.idle)
        if self.solver in IN_BATCHES:
            ends = validation or plateau
            minimum = self._minimise_in_batches(problem, learning, chosen, max_iter, ends, report)
            costs = minimum.cost_history
        else:
            minimum = self._minimise(problem, learning, validation, max_iter, report)
            costs = minimum.cost_history[1 if learning.history else 0 :]
        if validation is None:
            learning.scores.clear()  # They are of other parameters.
        learning.parameters = validation.best_parameters if validation else minimum.parameters
        learning.history.extend(costs.tolist())
        learning.n_iter += minimum.n_iter
        idle = (validation or plateau).idle
        learning.idle = 0 if minimum.converged else idle
        return minimum.converged

    def _minimise_in_batches(
        self,
        problem: Problem,
        learning: Learning,
        chosen: NDArray[np.intp],
        max_iter: int,
        ends: Judge,
        report: Report,
    ) -> _optimize.Minimum:
        learning.parameters = parameters = learning.parameters.astype(problem.Y.dtype)
        batch = min(self.batch_size, len(chosen))
        rate, memory = self.learning_rate or LEARNING_RATES[self.solver], learning.memory
        step = (
            _network.adam(problem, parameters, memory, batch, rate)
            if self.solver == "adam"
            else _network.sgd(problem, parameters, memory, batch, rate, self.momentum)
        )
        limits: dict[str, Any] = {"max_iter": max_iter, "ends": ends, "report": report}
        return _network.minimise_in_batches(
            problem, chosen, parameters, step, batch_size=batch, rng=learning.rng, **limits
        )

    def _minimise(
        self,
        problem: Problem,
        learning: Learning,
        validation: Validation | None,
        max_iter: int,
        report: Report,
    ) -> _optimize.Minimum:
        objective, start = _network.full_objective(problem), learning.parameters
        if validation is not None:
            objective, report = validation.beside(objective, report)
        limits: dict[str, Any] = {"max_iter": max_iter, "tol": self.tol, "report": report}
        if self.solver == "gradient_descent":
            rate = self.learning_rate or LEARNING_RATES[self.solver]
            return _optimize.gradient_descent(objective, start, learning_rate=rate, **limits)
        resolution = float(np.finfo(problem.Y.dtype).eps)
        pairs = _optimize.pairs_of(learning.memory.get("pairs", ()))
        steps = _optimize.lbfgs_steps(start, resolution=resolution, pairs=pairs, **limits)
        minimum = _optimize.minimise(steps, objective)
        learning.memory.pop("pairs", None)
        if pairs and self.warm_start:
            learning.memory["pairs"] = np.stack([(s, y) for s, y, _ in pairs])
        return minimum

    def _keep_learned(self, learning: Learning, dtype: np.dtype[Any], with_memory: bool) -> None:
        """Set what a fit has learned; without its solver's memory where none is to go on."""
        learning.rng = copy.deepcopy(learning.rng)
        if not with_memory:
            learning.memory = {}
        self._keep(learning.network, learning.parameters_as_given(), dtype)
        self._learning = learning
        self._keep_history()

    def _keep_history(self) -> None:
        learning = self._learning
        self.cost_history_, self.n_iter_ = np.array(learning.history), learning.n_iter
        self.validation_scores_ = self.best_validation_score_ = self.best_loss_ = None
        if learning.scores:
            self.validation_scores_ = np.array(learning.scores)
            self.best_validation_score_ = max(learning.scores)
        else:
            self.best_loss_ = min(learning.history)

    def _keep(self, network: Network, parameters: Array, dtype: np.dtype[Any]) -> None:
        parameters = parameters.astype(dtype)
        layers = network.layers(parameters)
        self.coefs_ = [layer[:-1] for layer in layers]
        self.intercepts_ = [layer[-1] for layer in layers]
        self._network = network
        units = _learning.raw_units(network.sizes[0]).astype(dtype)
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

    def _validation_rows(self, X_val: Any, y_val: Any, n_columns: int) -> Array | None:
        """Return the rows given for validation, if they are; y_val is only looked for.

        Raises
        ------
        ValueError
            If one is given without the other or without early stopping, or X_val is not finite or
            of another width.
        """
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val go together; got one without the other")
        if not self.early_stopping:
            raise ValueError(
                "X_val and y_val are for early_stopping=True; got early_stopping=False"
            )
        matrix = _validate.as_matrix(X_val, "X_val")
        if matrix.shape[1] != n_columns:
            raise ValueError(f"X_val has {matrix.shape[1]} features, but X has {n_columns}")
        _validate.check_finite(matrix, "X_val")
        return matrix
