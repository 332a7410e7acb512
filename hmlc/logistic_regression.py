"""Logistic regression: two classes by one sigmoid, more by softmax or one against the rest."""

import math
import warnings
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _optimize, _passes, _validate
from hmlc._backend import Kernels, kernels
from hmlc._estimator import ConvergenceWarning, Estimator
from hmlc._linalg import dot
from hmlc.features import FeatureMap, column_moments

Array = NDArray[Any]
Vector = NDArray[np.float64]

NEWTON_ENTRIES = 128 * 128
"""Hessians of up to so many entries in all are worth their pass; beyond, L-BFGS is faster."""


@dataclass
class _Sums:
    """A pass's partial sum over k score columns of depth D."""

    loss: Vector
    gradient: Vector
    hessian: Vector

    def add(self, other: "_Sums") -> None:
        self.loss += other.loss
        self.gradient += other.gradient
        self.hessian += other.hessian


class _Problem:
    """The cost J over some rows, as a function of each score column's weights and bias.

    Rows are seen in the columns' units: (X - units[0]) * units[1], and a 1.
    """

    def __init__(
        self, X: Array, codes: Array, units: Array, penalty: Vector, n_jobs: int | None
    ) -> None:
        self.X = X
        self.codes = codes
        self.units = units
        self.penalty = penalty
        self.n_jobs = n_jobs
        self.kernels: Kernels = kernels()
        self.is_fixed = np.zeros(len(penalty), bool)

    def _sums(self, kernel: Any, W: Vector, *, n_losses: int, hessians: int = 0) -> _Sums:
        k, depth = W.shape
        weights = np.ascontiguousarray(W, self.units.dtype)
        shape = (hessians, depth, depth)

        def run(rows: Array, first: int, last: int, partial: _Sums) -> None:
            kernel(rows, self.codes[first:last], weights, partial)

        sums = _passes.reduce_rows(
            self.X,
            self.units.dtype,
            run,
            lambda: _Sums(np.zeros(n_losses), np.zeros((k, depth)), np.zeros(shape)),
            _Sums.add,
            n_jobs=self.n_jobs,
            flops_per_row=depth * (4 * k + hessians * depth),
            partial_bytes=8 * depth * (k + hessians * depth),
        )
        return self._penalised(sums, W)

    def _penalised(self, sums: _Sums, W: Vector) -> _Sums:
        """Divide by the number of rows and add the penalty; hold the fixed parameters."""
        m = len(self.X)
        shrinkage = self.penalty * W
        squares = np.array([dot(row, pull) for row, pull in zip(W, shrinkage, strict=True)])
        losses = squares if len(sums.loss) == len(W) else np.array([math.fsum(squares)])
        sums.loss = (sums.loss + losses / 2) / m
        sums.gradient = (sums.gradient + shrinkage) / m
        sums.gradient[:, self.is_fixed] = 0
        for hessian in sums.hessian:
            hessian += np.tril(hessian, -1).T
            hessian[np.diag_indices(len(hessian))] += self.penalty
            hessian /= m
            hessian[self.is_fixed, :] = 0
            hessian[:, self.is_fixed] = 0
            hessian[self.is_fixed, self.is_fixed] = 1
        return sums

    def sigmoids(self, classes: Array, W: Vector) -> list[tuple[float, Vector]]:
        """Return each column's cost and gradient, column c telling classes[c] from the rest."""
        kernel = self.kernels.logistic.sigmoid_loss

        def run(rows: Array, codes: Array, weights: Array, partial: _Sums) -> None:
            kernel(rows, codes, classes, weights, self.units, partial.loss, partial.gradient)

        sums = self._sums(run, W, n_losses=len(W))
        return list(zip(sums.loss.tolist(), sums.gradient, strict=True))

    def sigmoids_hessian(self, classes: Array, W: Vector) -> list[tuple[float, Vector, Vector]]:
        """Return each column's cost, gradient and Hessian."""
        kernel = self.kernels.logistic.sigmoid_loss_hessian

        def run(rows: Array, codes: Array, weights: Array, partial: _Sums) -> None:
            kernel(
                rows,
                codes,
                classes,
                weights,
                self.units,
                partial.loss,
                partial.gradient,
                partial.hessian,
            )

        sums = self._sums(run, W, n_losses=len(W), hessians=len(W))
        return list(zip(sums.loss.tolist(), sums.gradient, sums.hessian, strict=True))

    def softmax(self, W: Vector) -> tuple[float, Vector]:
        """Return the cost and gradient of all columns together."""
        kernel = self.kernels.logistic.softmax_loss

        def run(rows: Array, codes: Array, weights: Array, partial: _Sums) -> None:
            kernel(rows, codes, weights, self.units, partial.loss, partial.gradient)

        sums = self._sums(run, W, n_losses=1)
        return float(sums.loss[0]), sums.gradient


class LogisticRegression(Estimator):
    """Classify by the logistic function of linear scores.

    The cost is J = (1/m) [sum over rows of -log p(label) + (l2 / 2) |theta|^2]; the bias is not
    penalised. scikit-learn's C is 1 / l2.

    Parameters
    ----------
    l2 : float
        Strength of the penalty, at least 0.
    solver : {"auto", "lbfgs", "newton"}
        Newton's method needs few passes but a Hessian, (features + 1)^2 numbers; it is for the
        sigmoids (two classes, or "ovr"). "auto" takes it there while features are few.
    multi_class : {"auto", "softmax", "ovr"}
        For more than two classes: one softmax ("auto" too), or for every class a sigmoid that
        tells it from the rest, all minimised in the same passes over the rows. Two classes have
        one sigmoid.
    normalize : bool
        Fit in standard units (with `fit_intercept`, else without centring): the penalty then acts
        on the coefficients of standardised columns. `coef_` is in the units given all the same.
    polynomial_degree : int
        Products of columns up to this total degree are added; 1 adds none.
    sinusoid_degree : int
        sin(k x) is added for k up to this; 0 adds none.
    fit_intercept : bool
        Whether scores have a bias.
    max_iter : int
        Iterations at most.
    tol : float
        Iterations end when no entry of J's gradient is larger, taken with respect to the
        coefficients of columns brought to comparable scales.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all. It does not change results.
    verbose : int
        1 prints the cost of every iteration.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted.
    coef_ : array of shape (1, n_columns) for two classes, else (n_classes, n_columns)
        Weights of the columns (X's, then polynomials and sinusoids), in their units.
    intercept_ : array of shape (1,) or (n_classes,)
        Biases.
    cost_history_ : float64 array of shape (n_iter_ + 1,)
        J before the first iteration and after each; for "ovr" summed over the classes.
    n_iter_ : int
        Iterations; for "ovr" of the class that took most.
    n_features_in_ : int
        Number of X's columns.

    Notes
    -----
    L-BFGS after Nocedal and Wright, "Numerical Optimization" (2006), algorithm 7.5; one against
    the rest as in the course that the original project follows (A. Ng, week 3).

    Examples
    --------
    >>> from hmlc import LogisticRegression
    >>> X = [[0.0], [1.0], [2.0], [3.0]]
    >>> model = LogisticRegression().fit(X, ["no", "no", "yes", "yes"])
    >>> model.predict([[0.5], [2.5]]).tolist()
    ['no', 'yes']
    """

    classes_: Array
    coef_: Array
    intercept_: Array
    cost_history_: Vector
    n_iter_: int

    def __init__(
        self,
        *,
        l2: float = 1.0,
        solver: Literal["auto", "lbfgs", "newton"] = "auto",
        multi_class: Literal["auto", "softmax", "ovr"] = "auto",
        normalize: bool = True,
        polynomial_degree: int = 1,
        sinusoid_degree: int = 0,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-6,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.l2 = l2
        self.solver = solver
        self.multi_class = multi_class
        self.normalize = normalize
        self.polynomial_degree = polynomial_degree
        self.sinusoid_degree = sinusoid_degree
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the weights from rows X and their labels y.

        Parameters
        ----------
        X : array_like of shape (n_rows, n_features)
            Finite real numbers of any dtype and layout.
        y : array_like of shape (n_rows,)
            Labels: strings, booleans or whole numbers; at least two distinct ones.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or y is not as above, or y holds one class only.

        Warns
        -----
        ConvergenceWarning
            Where max_iter is reached before tol.
        """
        features = self._check_parameters()
        matrix = _validate.check_matrix(X)
        classes, codes = _validate.check_labels(y, len(matrix))
        if len(classes) < 2:
            raise ValueError(
                f"y must hold at least two classes; got the single class {classes.tolist()[0]!r}"
            )
        uses_softmax = len(classes) > 2 and self.multi_class != "ovr"
        if uses_softmax and self.solver == "newton":
            raise ValueError(
                "solver='newton' fits sigmoids: two classes, or multi_class='ovr'; got "
                f"{len(classes)} classes. Expected solver='auto' or 'lbfgs'"
            )
        n_jobs = _validate.check_n_jobs(self.n_jobs)
        columns = features.fit(matrix, n_jobs)
        units, penalty = self._units(columns, n_jobs)
        problem = _Problem(columns, codes, units, penalty, n_jobs)
        problem.is_fixed[-1] = not self.fit_intercept
        if uses_softmax:
            W, minima = self._fit_softmax(problem, len(classes))
        else:
            W, minima = self._fit_sigmoids(problem, classes)
        self._store(W, units, minima)
        self.classes_ = classes
        self._features = features
        self.n_features_in_ = matrix.shape[1]
        return self

    def _check_parameters(self) -> FeatureMap:
        _validate.check_number(self.l2, "l2", low=0)
        _validate.check_choice(self.solver, "solver", ("auto", "lbfgs", "newton"))
        _validate.check_choice(self.multi_class, "multi_class", ("auto", "softmax", "ovr"))
        _validate.check_bool(self.fit_intercept, "fit_intercept")
        _validate.check_integer(self.max_iter, "max_iter", low=1)
        _validate.check_number(self.tol, "tol", low=0)
        _validate.check_n_jobs(self.n_jobs)
        return FeatureMap(
            polynomial_degree=self.polynomial_degree,
            sinusoid_degree=self.sinusoid_degree,
            normalize=self.normalize,
        )

    def _units(self, columns: Array, n_jobs: int | None) -> tuple[Array, Vector]:
        """Return the columns' (shift, inverse scale), and the penalty on weights in those units.

        Shift and scale change the course of the minimisation, not where it ends: the bias is not
        penalised, and without `normalize` the penalty is that of the columns as given.
        """
        moments = column_moments(columns, n_jobs)
        m = len(columns)
        if self.fit_intercept:
            shift, spread = moments.mean, moments.variance
        else:
            shift, spread = np.zeros_like(moments.mean), moments.variance + moments.mean**2
        if self.normalize:
            square = np.where(moments.variance > 0, moments.variance, 1.0)
        else:
            # About the diagonal of J's Hessian where all probabilities are 1/2.
            square = spread / 4 + self.l2 / m
            square = np.where(square > 0, square, 1.0)
        units = np.stack([shift, 1 / np.sqrt(square)]).astype(_validate.compute_dtype(columns))
        weight = np.ones(len(shift)) if self.normalize else units[1].astype(np.float64) ** 2
        return units, np.append(self.l2 * weight, 0.0)

    def _options(self, name: str, problem: _Problem) -> dict[str, Any]:
        return {
            "max_iter": self.max_iter,
            "tol": self.tol,
            "report": _optimize.reporter(name, self.verbose),
            "resolution": float(np.finfo(problem.units.dtype).eps),
        }

    def _fit_softmax(self, problem: _Problem, k: int) -> tuple[Vector, list[_optimize.Minimum]]:
        def objective(theta: Vector) -> tuple[float, Vector]:
            cost, gradient = problem.softmax(theta.reshape(k, -1))
            return cost, gradient.reshape(-1)

        start = np.zeros(k * len(problem.penalty))
        steps = _optimize.lbfgs_steps(start, **self._options("LogisticRegression", problem))
        minimum = _optimize.minimise(steps, objective)
        return minimum.parameters.reshape(k, -1), [minimum]

    def _fit_sigmoids(
        self, problem: _Problem, classes: Array
    ) -> tuple[Vector, list[_optimize.Minimum]]:
        """Fit a sigmoid per class, or for two classes one for the second."""
        depth = len(problem.penalty)
        chosen = np.arange(len(classes), dtype=np.intp) if len(classes) > 2 else np.ones(1, np.intp)
        is_small = len(chosen) * depth**2 <= NEWTON_ENTRIES
        by_newton = self.solver == "newton" or (self.solver == "auto" and is_small)
        steps = _optimize.newton_steps if by_newton else _optimize.lbfgs_steps
        evaluate = problem.sigmoids_hessian if by_newton else problem.sigmoids
        minima = _optimize.minimise_together(
            [
                steps(
                    np.zeros(depth),
                    **self._options(f"LogisticRegression, class {classes[c]}", problem),
                )
                for c in chosen
            ],
            lambda which, points: evaluate(chosen[which], np.stack(points)),
        )
        return np.stack([minimum.parameters for minimum in minima]), minima

    def _store(self, W: Vector, units: Array, minima: list[_optimize.Minimum]) -> None:
        shift, inverse_scale = units.astype(np.float64)
        weights = W[:, :-1] * inverse_scale
        offset = [math.fsum(row) for row in (weights * shift).tolist()]
        length = max(len(minimum.cost_history) for minimum in minima)
        histories = [
            np.pad(minimum.cost_history, (0, length - len(minimum.cost_history)), "edge")
            for minimum in minima
        ]
        self._weights, self._columns_units = W, units
        self.coef_ = weights.astype(units.dtype)
        self.intercept_ = (W[:, -1] - offset).astype(units.dtype)
        self.cost_history_ = np.array([math.fsum(costs) for costs in zip(*histories, strict=True)])
        self.n_iter_ = length - 1
        if not all(minimum.converged for minimum in minima):
            warnings.warn(
                f"LogisticRegression reached max_iter={self.max_iter} with a gradient above "
                f"tol={self.tol:g}; more iterations, normalize=True or a larger l2 may help",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _scores(self, X: Any) -> Array:
        """Return the scores of X's rows, (n_rows, 1) for two classes, else (n_rows, n_classes)."""
        matrix = self._check_rows(X)
        columns = self._features.transform(matrix)
        dtype = _validate.compute_dtype(columns)
        weights, units = self._weights.astype(dtype), self._columns_units.astype(dtype)
        out = np.empty((len(columns), len(weights)), dtype)
        kernel = kernels().logistic.scores
        _passes.map_rows(
            columns,
            dtype,
            lambda rows, first, last: kernel(rows, weights, units, out[first:last]),
            n_jobs=_validate.check_n_jobs(self.n_jobs),
            flops_per_row=2 * weights.size,
        )
        return out

    def _logits(self, X: Any) -> Array:
        """Return numbers whose softmax, row by row, are the classes' probabilities.

        Of one sigmoid they are 0 and the score; of one against the rest, log(sigmoid(score)), so
        that the softmax divides the sigmoids by their sum without underflow.
        """
        scores = self._scores(X)
        if len(self.classes_) == 2:
            return np.concatenate([np.zeros_like(scores), scores], axis=1)
        if self.multi_class == "ovr":
            flat = -scores.reshape(-1)
            kernels().elementwise.softplus(flat, flat)
            return -flat.reshape(scores.shape)
        return scores

    def decision_function(self, X: Any) -> Array:
        """Return the scores: (n_rows,) of the second of two classes, else (n_rows, n_classes).

        float32 for float32 rows, else float64.
        """
        scores = self._scores(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> Array:
        """Return the most probable label of each row, (n_rows,)."""
        scores = self._scores(X)
        codes = scores[:, 0] > 0 if len(self.classes_) == 2 else scores.argmax(axis=1)
        return self.classes_[codes.astype(np.intp)]

    def predict_proba(self, X: Any) -> Array:
        """Return every class's probability, (n_rows, n_classes); rows sum to 1."""
        Z = self._logits(X)
        kernels().logistic.softmax(Z)
        return Z

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`, exact where those underflow."""
        Z = self._logits(X)
        kernels().logistic.log_softmax(Z)
        return Z

    def score(self, X: Any, y: Any) -> float:
        """Return the share of rows whose predicted label is y's: the accuracy."""
        predicted = self.predict(X)
        labels = np.asarray(y)
        _validate.check_same_length(labels, len(predicted), "y")
        return float(np.count_nonzero(predicted == labels.reshape(-1))) / len(predicted)
