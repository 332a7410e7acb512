"""Linear regression: least squares with an L2 penalty, from one pass over the rows."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _passes, _scores, _validate, _weights
from hmlc._backend import kernels
from hmlc._estimator import Estimator
from hmlc._helper import call_helper
from hmlc._least_squares import Problem, descend, solve
from hmlc._progress import Callback, check_reporting
from hmlc._scatter import Scatter, column_scatter, joined
from hmlc.features import FeatureMap

Array = NDArray[Any]
Matrix = NDArray[np.float64]


class _Seen(NamedTuple):
    """What `partial_fit` keeps of the rows: their scatter, and the coarsest type they came in."""

    scatter: Scatter
    dtype: np.dtype[Any]


def _check_weights(sample_weight: Any, matrix: Array) -> Array:
    dtype = _validate.compute_dtype(matrix)
    return _weights.check_sample_weight(sample_weight, len(matrix), dtype)


class LinearRegression(Estimator):
    """Least squares with an L2 penalty: one pass over the rows, then small dense algebra.

    The cost is J = (1 / 2m) (sum of squared residuals + l2 |theta|^2), over m rows; the intercept
    is not in theta. A row of weight w is as w equal rows, so that m is the sum of weights. The pass
    leaves the columns' means and products of deviations, from which either solver works: its cost
    does not depend on the number of rows again.

    Parameters
    ----------
    solver : {"normal_equation", "gradient_descent"}
        The normal equation is solved by Cholesky, in standard units. Where it is singular or
        nearly so (fewer rows than columns, columns that depend on others) the solution whose
        coefficients are smallest in standard units is returned: equal columns share, constant
        ones get 0. Gradient descent steps through the same equation.
    l2 : float
        Weight of the penalty, >= 0, in the units of the sum of squared residuals: with
        ``normalize=False`` it is the ``alpha`` of ridge regression elsewhere.
    normalize : bool
        Whether theta belongs to standardised columns (mean 0, deviation 1), for the penalty and
        for gradient descent's path; `coef_` is in the columns' own units either way. Also whether
        polynomials and sinusoids are made of standardised columns.
    polynomial_degree : int
        Products of up to this many columns are added as columns; 1 adds none.
    sinusoid_degree : int
        sin(k x) is added for k up to this; 0 adds none.
    fit_intercept : bool
        Whether there is a constant term. Without one columns are scaled, but not centred.
    learning_rate : float, optional
        Gradient descent's step. None is the inverse of a bound on the largest eigenvalue of the
        cost's second derivatives (their largest absolute row sum), with which it cannot diverge.
    max_iter : int
        Most steps of gradient descent.
    tol : float
        Gradient descent ends when a step changes the cost by no more than this part of it.
    n_jobs : int, optional
        Threads: None is HMLC_NUM_THREADS or all processors, -1 all.
    verbose : int or bool
        1 shows the iterations' progress: a bar where tqdm is installed, else lines with the cost.
        2 prints the lines.
    callback : callable, optional
        Called with a `Progress` after every iteration; a true answer ends the fit, which keeps
        what it has reached.

    Attributes
    ----------
    coef_ : float64 array of shape (n_columns,), or (n_targets, n_columns) for a y of two dimensions
        In targets' units per column unit; n_columns is that of X where no columns are added.
    intercept_ : float, or float64 array of shape (n_targets,)
        The constant term; 0 without one.
    n_iter_ : int
        Steps taken; 1 for the normal equation.
    cost_history_ : float64 array of shape (n_iter_ + 1,)
        J where nothing is learned, and after each step, summed over targets.
    n_features_in_ : int
        Number of columns of X.

    Notes
    -----
    Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2nd ed. (2009), eq. 3.6
    and 3.44; the smallest solution by a pivoted Cholesky factor. Products of deviations square the
    condition number: a column of which the others explain all but 1e-14 of the variance (1e-5 in
    float32) is taken for dependent on them.

    Examples
    --------
    >>> from hmlc import LinearRegression
    >>> X = [[1.0], [2.0], [3.0], [4.0]]
    >>> model = LinearRegression().fit(X, [3.0, 5.0, 7.0, 9.0])
    >>> print(model.coef_.round(6), round(model.intercept_, 6), model.predict([[10.0]]).round(6))
    [2.] 1.0 [21.]
    """

    coef_: Matrix
    intercept_: Any
    n_iter_: int
    cost_history_: Matrix
    _seen: _Seen | None

    _estimator_type = "regressor"
    _has_many_targets = True

    def __init__(
        self,
        *,
        solver: str = "normal_equation",
        l2: float = 0.0,
        normalize: bool = True,
        polynomial_degree: int = 1,
        sinusoid_degree: int = 0,
        fit_intercept: bool = True,
        learning_rate: float | None = None,
        max_iter: int = 10_000,
        tol: float = 1e-10,
        n_jobs: int | None = None,
        verbose: int = 0,
        callback: Callback | None = None,
    ) -> None:
        self.solver = solver
        self.l2 = l2
        self.normalize = normalize
        self.polynomial_degree = polynomial_degree
        self.sinusoid_degree = sinusoid_degree
        self.fit_intercept = fit_intercept
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.callback = callback

    def _check_parameters(self) -> FeatureMap:
        _validate.check_choice(self.solver, "solver", ("normal_equation", "gradient_descent"))
        _validate.check_number(self.l2, "l2", low=0)
        _validate.check_bool(self.normalize, "normalize")
        _validate.check_bool(self.fit_intercept, "fit_intercept")
        if self.learning_rate is not None:
            _validate.check_number(self.learning_rate, "learning_rate", low=0, open_low=True)
        _validate.check_integer(self.max_iter, "max_iter")
        _validate.check_number(self.tol, "tol", low=0)
        _validate.check_n_jobs(self.n_jobs)
        check_reporting(self)
        return FeatureMap(
            polynomial_degree=self.polynomial_degree,
            sinusoid_degree=self.sinusoid_degree,
            normalize=self.normalize,
        )

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn `coef_` and `intercept_` from rows X and their targets y.

        Parameters
        ----------
        X : array of shape (n, n_features)
            Any real dtype and layout. Sums are float32 within blocks of 256 rows where X and y
            are float32, else float64.
        y : array of shape (n,) or (n, n_targets)
            Targets.
        sample_weight : array of shape (n,) or float, optional
            How many rows each counts as, >= 0; 1 by default.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X, y or `sample_weight` is not as described, no row has any weight, or
            gradient descent diverges.

        Warns
        -----
        ConvergenceWarning
            If gradient descent reaches `max_iter` steps first.

        Examples
        --------
        >>> from hmlc import LinearRegression
        >>> X, y = [[1.0], [2.0], [3.0]], [3.0, 5.0, 7.0]
        >>> LinearRegression(fit_intercept=False).fit(X, y).coef_.round(4)
        array([2.4286])
        """
        features = self._check_parameters()
        matrix = _validate.as_matrix(X)
        target = _validate.check_target(y, len(matrix))
        weights = _check_weights(sample_weight, matrix)
        columns = features.fit(matrix, self.n_jobs, weights=weights)
        targets = target.reshape(len(matrix), -1)
        self._learn(
            column_scatter(columns, targets, self.n_jobs, weights=weights),
            _validate.compute_dtype(columns, target),
            columns.shape[1],
            is_vector=target.ndim == 1,
        )
        self._seen = None
        self._features = features
        self._keep_features(X, matrix)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows X with targets y, and from all those seen by this method before.

        What is kept of rows is their scatter, (n_columns + n_targets)^2 numbers, and scatters merge
        exactly (Chan, Golub and LeVeque 1979, eq. 2.1): the result is that of `fit` on all rows but
        for rounding in float64, and depends on the sequence of chunks alone. `fit` keeps no
        scatter, so that this method begins anew after it.

        Parameters
        ----------
        X : array of shape (n, n_features)
            Rows as wide as those before.
        y : array of shape (n,) or (n, n_targets)
            As many targets as before.
        sample_weight : array of shape (n,) or float, optional
            As for `fit`.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X, y or `sample_weight` is not as described, `polynomial_degree` or
            `sinusoid_degree` was changed since the rows before, or made columns are to be in
            standard units, which take all rows to know; nothing is learned then.

        Examples
        --------
        >>> from hmlc import LinearRegression
        >>> model = LinearRegression()
        >>> for x, y in (([[0.0], [1.0]], [1.0, 3.0]), ([[2.0], [5.0]], [5.0, 11.0])):
        ...     _ = model.partial_fit(x, y)
        >>> model.coef_.round(6), round(model.intercept_, 6)
        (array([2.]), 1.0)
        """
        features = self._check_parameters()
        if self.normalize and not features.is_identity:
            raise ValueError(
                "partial_fit cannot make polynomials or sinusoids of columns in standard units, "
                "which take all rows to know. Expected normalize=False, or polynomial_degree=1 "
                "and sinusoid_degree=0"
            )
        before = getattr(self, "_seen", None)
        if before is not None and not features.is_like(self._features):
            raise ValueError(
                "polynomial_degree or sinusoid_degree was changed since the rows before; expected "
                "those of the first partial_fit, or a fit first"
            )
        matrix = self._as_chunk(X, before is None)
        target = _validate.check_target(y, len(matrix))
        if before is not None and target.shape[1:] != np.shape(self.intercept_):
            raise ValueError(
                f"y has targets of shape {target.shape[1:]}, but those before were of "
                f"{np.shape(self.intercept_)}"
            )
        weights = _check_weights(sample_weight, matrix)
        columns = features.fit(matrix, self.n_jobs)
        dtype = _validate.compute_dtype(columns, target)
        targets = target.reshape(len(matrix), -1)
        scatter = column_scatter(columns, targets, self.n_jobs, weights=weights)
        if before is not None:
            scatter = joined(before.scatter, scatter)
            dtype = min(before.dtype, dtype, key=lambda each: each.itemsize)
        self._learn(scatter, dtype, columns.shape[1], is_vector=target.ndim == 1)
        self._seen = _Seen(scatter, dtype)
        self._features = features
        if before is None:
            self._keep_features(X, matrix)
        return self

    def _learn(
        self, scatter: Scatter, dtype: np.dtype[Any], n_columns: int, *, is_vector: bool
    ) -> None:
        """Set the coefficients that a scatter of columns and targets tells."""
        problem = Problem.of(scatter, n_columns, self)
        by_descent = self.solver == "gradient_descent"
        solution = descend(problem, self) if by_descent else solve(problem, dtype)
        self.coef_ = solution.coef[0] if is_vector else solution.coef
        self.intercept_ = float(solution.intercept[0]) if is_vector else solution.intercept
        self.cost_history_ = solution.costs
        self.n_iter_ = len(solution.costs) - 1

    def predict(self, X: Any) -> Array:
        """Return the predicted targets, (n,) or (n, n_targets); float32 for float32 X.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            If X is not a finite real matrix with `n_features_in_` columns.

        Examples
        --------
        >>> from hmlc import LinearRegression
        >>> model = LinearRegression().fit([[1.0], [2.0], [3.0]], [3.0, 5.0, 7.0])
        >>> model.predict([[10.0], [-1.0]]).round(6)
        array([21., -1.])
        """
        self._check_fitted()
        family = kernels().linalg
        few: Array | None = self._answer_few(
            family, X, self.n_features_in_, self.coef_, self.intercept_, self
        )
        if few is not None:
            return few
        matrix = self._as_rows(X)
        columns = self._features.transform(matrix)
        dtype = _validate.compute_dtype(columns)
        W = np.ascontiguousarray(self.coef_, dtype).reshape(-1, columns.shape[1])
        b = np.ascontiguousarray(self.intercept_, dtype)
        out = np.empty((len(columns), len(W)), dtype)
        affine = family.affine
        _passes.map_rows(
            columns,
            dtype,
            lambda rows, first, last: affine(rows, W, b, out[first:last]),
            n_jobs=_validate.check_n_jobs(self.n_jobs),
            flops_per_row=2 * W.size,
        )
        _validate.check_finite_by(out, matrix, "X")
        return out if self.coef_.ndim == 2 else out[:, 0]

    def _call_helper(self) -> bool:
        return call_helper(_validate.check_n_jobs(self.n_jobs))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2 = 1 - (sum of squared residuals) / (sum of squares about the mean).

        It is averaged over targets; of a constant target 1 where predicted exactly, else 0. A row
        counts as `sample_weight` rows, as for `fit`.

        Examples
        --------
        >>> from hmlc import LinearRegression
        >>> model = LinearRegression().fit([[1.0], [2.0], [3.0]], [3.0, 5.0, 7.0])
        >>> round(model.score([[1.0], [2.0]], [3.0, 6.0]), 4)
        0.7778
        """
        prediction = self.predict(X)
        target = _validate.check_target(y, len(prediction))
        if target.shape != prediction.shape:
            raise ValueError(f"y has shape {target.shape}, predictions {prediction.shape}")
        Y = target.reshape(len(target), -1).astype(np.float64)
        weights = _weights.check_sample_weight(sample_weight, len(Y), Y.dtype)
        return _scores.r2(Y, prediction.reshape(Y.shape).astype(np.float64), weights)
