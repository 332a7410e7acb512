"""Logistic regression: two classes by one sigmoid, more by softmax or one against the rest."""

import contextlib
import math
import warnings
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _labels, _optimize, _passes, _scores, _validate
from hmlc._backend import kernels
from hmlc._estimator import ConvergenceWarning, Estimator, in_both_types, most_probable
from hmlc._logistic_chunks import cost_of_nothing, in_units, learn_chunk, targets
from hmlc._logistic_cost import LogisticCost, pick_blocks
from hmlc._logistic_minima import Start, kept_pairs, known_pairs, sigmoid_minima, softmax_minimum
from hmlc._network import Memory
from hmlc._progress import Callback, check_reporting, reporting
from hmlc._weights import check_sample_weight, with_class_weight
from hmlc.features import FeatureMap, Moments, column_moments

Array = NDArray[Any]
Vector = NDArray[np.float64]

SHIFT_ROWS = 4096
"""A mean over about so many rows is near enough to shift columns by."""


class LogisticRegression(Estimator):
    """Classify by the logistic function of linear scores.

    The cost is J = (1/m) [sum over rows of -w log p(label) + (l2 / 2) |theta|^2], where w is a
    row's weight (1 unless told) and m the sum of all; the bias is not penalised. scikit-learn's C
    is 1 / l2.

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
    class_weight : None, "balanced" or dict
        Weights of the classes, by which those of their rows are multiplied: {label: weight}, 1 for
        labels not named; "balanced" gives all classes the same total.
    max_iter : int
        Iterations at most.
    tol : float
        Iterations end when no entry of J's gradient, with respect to the coefficients of the
        columns as fitted (in standard units, or as given), is larger.
    warm_start : bool
        Whether `fit` begins at the coefficients that there are, for the same classes and columns,
        with what L-BFGS knows of the curvature where the columns' units are the same, too.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all. It does not change results.
    verbose : int or bool
        1 shows the iterations' progress: a bar where tqdm is installed, else lines with the cost.
        2 prints the lines.
    callback : callable, optional
        Called with a `Progress` after every iteration; a true answer ends the fit, which keeps
        what it has reached.

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
        `partial_fit` adds the mean cost met on its way through a chunk.
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

    _estimator_type = "classifier"

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
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        max_iter: int = 1000,
        tol: float = 1e-6,
        warm_start: bool = False,
        n_jobs: int | None = None,
        verbose: int = 0,
        callback: Callback | None = None,
    ) -> None:
        self.l2 = l2
        self.solver = solver
        self.multi_class = multi_class
        self.normalize = normalize
        self.polynomial_degree = polynomial_degree
        self.sinusoid_degree = sinusoid_degree
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callback = callback

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn the weights from rows X and their labels y.

        Parameters
        ----------
        X : array_like of shape (n_rows, n_features)
            Finite real numbers of any dtype and layout.
        y : array_like of shape (n_rows,)
            Labels: strings, booleans or whole numbers; at least two distinct ones.
        sample_weight : float or array_like of shape (n_rows,), optional
            How often each row counts, at least 0: a weight of 2 is as the row twice. None is 1.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X, y or a weight is not as above, or only one class has any weight.

        Warns
        -----
        ConvergenceWarning
            Where max_iter is reached before tol.

        Examples
        --------
        >>> from hmlc import LogisticRegression
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
        >>> LogisticRegression(normalize=False).fit(X, y).coef_.round(3)
        array([[0.958]])
        """
        features = self._check_parameters()
        matrix = _validate.as_matrix(X)
        classes, codes = _labels.check_classes(y, len(matrix), None)
        uses_softmax = self._uses_softmax(len(classes))
        if uses_softmax and self.solver == "newton":
            raise ValueError(
                "solver='newton' fits sigmoids: two classes, or multi_class='ovr'; got "
                f"{len(classes)} classes. Expected solver='auto' or 'lbfgs'"
            )
        weights = self._row_weights(sample_weight, matrix, classes, codes)
        n_jobs = _validate.check_n_jobs(self.n_jobs)
        columns = features.fit(matrix, n_jobs, weights=weights)
        units = self._units(columns, weights, n_jobs)
        penalty = np.full(columns.shape[1] + 1, float(self.l2))
        penalty[-1] = 0
        start = self._start(len(classes) if len(classes) > 2 else 1, units, classes)
        problem = LogisticCost(columns, codes, weights, units, penalty, n_jobs)
        problem.is_fixed[-1] = not self.fit_intercept
        limits = {"max_iter": self.max_iter, "tol": self.tol}
        with reporting(self) as reporter:
            if uses_softmax:
                minima = [softmax_minimum(problem, start, {**limits, "report": reporter})]
            else:
                minima = sigmoid_minima(problem, start, classes, self.solver, limits, reporter)
        W = np.stack([minimum.parameters for minimum in minima]).reshape(start.W.shape)
        self._store(W, units, minima)
        self._memory = kept_pairs(start.pairs) if self.warm_start else Memory()
        self.classes_ = classes
        self._features = features
        self._keep_features(X, matrix)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go over a chunk of rows once in mini-batches, from the coefficients that there are.

        Adam's steps grow shorter with the number of batches, so that many passes come ever closer
        to what `fit` finds. Units, and those of polynomials, are of the first chunk, or of `fit`.
        The penalty counts for the chunk as for a fit's rows: where c chunks make up the data,
        l2 / c in place of l2 penalises as one fit to them all. `solver`, `max_iter` and `tol` are
        not used.

        Parameters
        ----------
        X : array_like of shape (n_rows, n_features)
            Finite real numbers of any dtype and layout.
        y : array_like of shape (n_rows,)
            Labels, all of them among the classes.
        classes : array_like of shape (n_classes,), optional
            All labels that there are; needed at the first call, unless `fit` has seen them.
        sample_weight : float or array_like of shape (n_rows,), optional
            How often each row counts, at least 0. None is 1.

        Raises
        ------
        ValueError, TypeError
            If a parameter or an argument is not as above; if class_weight is "balanced", which
            needs all rows; or if the classes are missing or change.

        Examples
        --------
        >>> from hmlc import LogisticRegression
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
        >>> model = LogisticRegression().partial_fit(X[1:], y[1:], classes=["no", "yes"])
        >>> model.partial_fit(X, y).predict([[0.5], [2.5]]).tolist()
        ['no', 'yes']
        """
        features, n_jobs = self._check_parameters(), _validate.check_n_jobs(self.n_jobs)
        if isinstance(self.class_weight, str):
            raise ValueError(
                "partial_fit cannot balance classes that it has not seen: expected class_weight "
                f"None or a dict; got {self.class_weight!r}"
            )
        is_first = not hasattr(self, "n_features_in_")
        matrix = self._as_chunk(X, is_first)
        classes = _labels.classes_of_chunk(classes, None if is_first else self.classes_)
        codes = _labels.codes_among(classes, y, len(matrix))
        dtype = _validate.compute_dtype(matrix)
        weights = check_sample_weight(sample_weight, len(matrix), dtype)
        weights = with_class_weight(weights, self.class_weight, classes, codes)
        loss = "softmax" if self._uses_softmax(len(classes)) else "logistic"
        if is_first:
            columns = features.fit(matrix, n_jobs)
            units = self._units(columns, weights, n_jobs)
            W = np.zeros((len(classes) if len(classes) > 2 else 1, columns.shape[1] + 1))
            history, memory = [cost_of_nothing(len(classes), loss)], Memory()
        else:
            _validate.check_finite(matrix, "X")
            features = self._features
            columns, units = features.transform(matrix), self._weights_and_units[dtype][1]
            W, history = self._weights_and_units[_validate.FLOAT64][0], self.cost_history_.tolist()
            memory = {
                name: array.copy()
                for name, array in self._memory.items()
                if not name.startswith("pairs")
            }
        chunk = columns, targets(codes, len(classes), dtype), weights, units
        W, cost = learn_chunk(
            chunk, W, loss, self.l2, memory, fit_intercept=self.fit_intercept, n_jobs=n_jobs
        )
        self._store(W, units, [_optimize.Minimum(W, np.array([*history, cost]), 0, True)])
        self._memory = memory
        self.classes_ = classes
        self._features = features
        if is_first:
            self._keep_features(X, matrix)
        return self

    def _uses_softmax(self, n_classes: int) -> bool:
        return n_classes > 2 and self.multi_class != "ovr"

    def _start(self, k: int, units: Array, classes: Array) -> Start:
        """Return where k score columns begin: at 0, or where the last fit ended.

        What L-BFGS knows of the curvature holds in the same units alone.
        """
        nothing = [known_pairs({}, c, 0) for c in range(k)]
        if not (self.warm_start and hasattr(self, "n_features_in_")):
            return Start(np.zeros((k, units.shape[1] + 1)), nothing)
        _labels.check_known_classes(classes, self.classes_)
        W, known = (
            self._weights_and_units[_validate.FLOAT64][0],
            self._weights_and_units[units.dtype][1],
        )
        if known.shape != units.shape or len(W) != k:
            raise ValueError(
                f"warm_start=True goes on with the same columns: the coefficients are of "
                f"{known.shape[1]}, X and its features make {units.shape[1]}"
            )
        if np.array_equal(known, units):
            size = W.size if self._uses_softmax(len(classes)) else W.shape[1]
            return Start(W, [known_pairs(self._memory, c, size) for c in range(k)])
        return Start(in_units(W, known, units), nothing)

    def _check_parameters(self) -> FeatureMap:
        _validate.check_number(self.l2, "l2", low=0)
        _validate.check_choice(self.solver, "solver", ("auto", "lbfgs", "newton"))
        _validate.check_choice(self.multi_class, "multi_class", ("auto", "softmax", "ovr"))
        _validate.check_bool(self.fit_intercept, "fit_intercept")
        _validate.check_integer(self.max_iter, "max_iter", low=1)
        _validate.check_number(self.tol, "tol", low=0)
        _validate.check_bool(self.warm_start, "warm_start")
        _validate.check_n_jobs(self.n_jobs)
        check_reporting(self)
        return FeatureMap(
            polynomial_degree=self.polynomial_degree,
            sinusoid_degree=self.sinusoid_degree,
            normalize=self.normalize,
        )

    def _row_weights(
        self, sample_weight: Any, matrix: Array, classes: Array, codes: Array
    ) -> Array:
        dtype = _validate.compute_dtype(matrix)
        weights = check_sample_weight(sample_weight, len(matrix), dtype)
        weights = with_class_weight(weights, self.class_weight, classes, codes)
        if weights.strides != (0,):
            present = np.flatnonzero(np.bincount(codes, weights, len(classes)))
            if len(present) < 2:
                raise ValueError(
                    "This fit needs rows of at least 2 classes that have a weight above 0, but "
                    f"only one class has: {classes.tolist()[present[0]]!r}"
                )
        return weights

    def _units(self, columns: Array, weights: Array, n_jobs: int | None) -> Array:
        """Return the columns' shift and inverse scale, (2, n_columns).

        The bias is not penalised, so a shift does not move the optimum; but columns around 0 are
        less alike, and L-BFGS needs a third of the iterations on images.
        """
        moments = self._moments(columns, weights, n_jobs)
        units = np.stack([np.zeros_like(moments.mean), np.ones_like(moments.mean)])
        if self.fit_intercept:
            units[0] = moments.mean
        if self.normalize:
            units[1] /= np.sqrt(np.where(moments.variance > 0, moments.variance, 1.0))
        return units.astype(_validate.compute_dtype(columns))

    def _moments(self, columns: Array, weights: Array, n_jobs: int | None) -> Moments:
        """Return the columns' moments; a sample's where only a shift is wanted, of any size."""
        if not self.normalize:
            # A failure is told of all rows: of the row's own number, not of its place in a sample.
            with contextlib.suppress(ValueError):
                every = max(1, len(columns) // SHIFT_ROWS)
                return column_moments(pick_blocks(columns, every), n_jobs)
        return column_moments(columns, n_jobs, weights=weights)

    def _store(self, W: Vector, units: Array, minima: list[_optimize.Minimum]) -> None:
        shift, inverse_scale = units.astype(np.float64)
        weights = W[:, :-1] * inverse_scale
        offset = [math.fsum(row) for row in (weights * shift).tolist()]
        length = max(len(minimum.cost_history) for minimum in minima)
        histories = [
            np.pad(minimum.cost_history, (0, length - len(minimum.cost_history)), "edge")
            for minimum in minima
        ]
        self._weights_and_units = in_both_types(W, units)
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
        self._check_fitted()
        family = kernels().logistic
        few: Array | None = self._answer_few(
            family, X, self.n_features_in_, self._weights_and_units
        )
        if few is not None:
            return few
        matrix = self._as_rows(X)
        columns = self._features.transform(matrix)
        dtype = _validate.compute_dtype(columns)
        weights, units = self._weights_and_units[dtype]
        out = np.empty((len(columns), len(weights)), dtype)
        kernel = family.scores
        _passes.map_rows(
            columns,
            dtype,
            lambda rows, first, last: kernel(rows, weights, units, out[first:last]),
            n_jobs=_validate.check_n_jobs(self.n_jobs),
            flops_per_row=2 * weights.size,
        )
        _validate.check_finite_by(out, matrix, "X")
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

        Examples
        --------
        >>> from hmlc import LogisticRegression
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
        >>> LogisticRegression().fit(X, y).decision_function([[1.5], [2.5]]).round(3) + 0.0
        array([0.   , 0.844])
        """
        scores = self._scores(X)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> Array:
        """Return the most probable label of each row, (n_rows,).

        Examples
        --------
        >>> from hmlc import LogisticRegression
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
        >>> LogisticRegression().fit(X, y).predict([[0.5], [2.5]]).tolist()
        ['no', 'yes']
        """
        codes = most_probable(self._scores(X))
        labels: Array = self.classes_[codes]
        return labels

    def predict_proba(self, X: Any) -> Array:
        """Return every class's probability, (n_rows, n_classes); rows sum to 1.

        Examples
        --------
        >>> from hmlc import LogisticRegression
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
        >>> LogisticRegression().fit(X, y).predict_proba([[0.5], [2.5]]).round(3)
        array([[0.699, 0.301],
               [0.301, 0.699]])
        """
        Z = self._logits(X)
        kernels().logistic.softmax(Z)
        return Z

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of `predict_proba`, exact where those underflow.

        Examples
        --------
        >>> from hmlc import LogisticRegression
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
        >>> LogisticRegression().fit(X, y).predict_log_proba([[-2000.0]]).round()
        array([[    0., -1690.]])
        """
        Z = self._logits(X)
        kernels().logistic.log_softmax(Z)
        return Z

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows, or of their weight, whose predicted label is y's: the accuracy.

        Examples
        --------
        >>> from hmlc import LogisticRegression
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["no", "no", "yes", "yes"]
        >>> LogisticRegression().fit(X, y).score([[0.5], [2.5]], ["no", "no"])
        0.5
        """
        predicted = self.predict(X)
        labels = np.asarray(y)
        _validate.check_same_length(labels, len(predicted), "y")
        weights = check_sample_weight(sample_weight, len(predicted), _validate.FLOAT64)
        return _scores.accuracy(labels.reshape(-1), predicted, weights)
