"""Multilayer perceptrons: layers of weighted sums and activations, fitted by back-propagation."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _labels, _network, _scores, _validate
from hmlc._estimator import most_probable
from hmlc._network import Rows
from hmlc._perceptron import Perceptron
from hmlc._perceptron_parameters import only_in_batches, with_shared_text
from hmlc._weights import check_sample_weight, with_class_weight

Array = NDArray[Any]


@with_shared_text
@dataclass(kw_only=True, eq=False, repr=False)
class MLPClassifier(Perceptron):
    """Multilayer perceptron that gives each class a probability.

    Minimises, over m rows, J = (1/m) [sum of losses + (l2/2) sum of squared weights].

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default (100,)
        Units of each hidden layer, inputs to outputs; () is none: softmax regression, or logistic.
    loss : {"softmax", "logistic"}, default "softmax"
        ``softmax``: cross-entropy of one softmax over the classes. ``logistic``: each class has a
        sigmoid of its own and the cross-entropies are summed; probabilities are the sigmoids
        divided by their sum.
    class_weight : None, "balanced" or dict, default None
        What the weights of rows are multiplied by: a number for each class (1 where none is
        named), or by "balanced" what gives every class the same total.
    (shared parameters)

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels, sorted; the last layer has an output for each.
    (shared attributes)

    Examples
    --------
    >>> from hmlc import MLPClassifier
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> model = MLPClassifier(hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs", l2=0,
    ...                       tol=1e-3, random_state=0)
    >>> model.fit(X, y).predict(X)
    array([0, 1, 1, 0])
    """

    loss: str = "softmax"
    class_weight: Any = None
    classes_: Array = field(init=False)

    _estimator_type = "classifier"

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Self:
        """Fit the network to rows and their labels.

        Parameters
        ----------
        X : array_like of shape (n, n_features)
            Finite real numbers of any dtype and layout.
        y : array_like of shape (n,)
            Labels: strings, booleans or whole numbers; at least two distinct ones.
        sample_weight : number or array_like of shape (n,), optional
            How often each row counts; None is once.
        X_val, y_val : array_likes of shapes (n_val, n_features) and (n_val,), optional
            With ``early_stopping`` the rows, and their labels, by whose score the fit ends; without
            them some of X are held out.

        Raises
        ------
        ValueError, TypeError
            If a parameter or an argument is not as described; if there is only one class, or for
            validation too few rows or labels that y has not; if a fit is to go on with other
            columns, classes, levels or another solver; or if the learning rate is so large that the
            cost grows past all numbers.

        Warns
        -----
        ConvergenceWarning
            If max_iter is reached before the cost, or the score, has settled.

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
        loss = self._check_parameters_and_loss()
        matrix = _validate.as_matrix(X)
        classes, codes = _labels.check_classes(y, len(matrix))
        if self.warm_start and self._goes_on():
            _labels.check_known_classes(classes, self.classes_)
        X_val = self._validation_rows(X_val, y_val, matrix.shape[1])
        given = None if X_val is None else self._given(X_val, y_val, classes)
        self._fit(
            self._rows(matrix, codes, len(classes), sample_weight),
            loss,
            given,
            codes,
            lambda weights: with_class_weight(weights, self.class_weight, classes, codes),
        )
        self.classes_ = classes
        self._keep_features(X, matrix)
        return self

    @only_in_batches
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Go over a chunk of rows once, from where the last `fit` or `partial_fit` ended.

        The chunk's rows are taken in a random order, in batches: as one epoch of `fit`. With
        `normalize` units are those of the first chunk, which so should be large enough to show what
        columns are like. The penalty counts for the chunk as for a fit's rows: where c chunks make
        up the data, l2 / c in place of l2 penalises as one fit to them all.

        Parameters
        ----------
        X : array_like of shape (n, n_features)
            Finite real numbers of any dtype and layout.
        y : array_like of shape (n,)
            Labels, all of them among the classes.
        classes : array_like of shape (n_classes,), optional
            All labels that there are; needed at the first call, unless `fit` has seen them.
        sample_weight : number or array_like of shape (n,), optional
            How often each row counts; None is once.

        Raises
        ------
        ValueError, TypeError
            As `fit`; with early stopping or class_weight="balanced", which need all rows; if the
            classes are missing or change.
        AttributeError
            If the solver is ``gradient_descent`` or ``lbfgs``.

        Examples
        --------
        >>> from hmlc import MLPClassifier
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["a", "b", "b", "a"]
        >>> model = MLPClassifier(random_state=0).partial_fit(X, y, classes=["a", "b"])
        >>> model.partial_fit([[0.5]], ["a"]).n_iter_
        2
        """
        loss = self._check_parameters_and_loss()
        if isinstance(self.class_weight, str):
            raise ValueError(
                "partial_fit cannot balance classes that it has not seen: expected class_weight "
                f"None or a dict; got {self.class_weight!r}"
            )
        matrix = self._as_chunk(X, is_first=not self._goes_on())
        known = _labels.classes_of_chunk(classes, self.classes_ if self._goes_on() else None)
        codes = _labels.codes_among(known, y, len(matrix))
        rows = self._rows(matrix, codes, len(known), sample_weight)
        weights = with_class_weight(rows.weights, self.class_weight, known, codes)
        is_first = not self._goes_on()
        self._fit_chunk(rows._replace(weights=weights), loss)
        self.classes_ = known
        if is_first:
            self._keep_features(X, matrix)
        return self

    def _check_parameters_and_loss(self) -> str:
        self._check_parameters()
        return _validate.check_choice(self.loss, "loss", _network.LOSSES[1:])

    @staticmethod
    def _rows(X: Array, codes: NDArray[np.intp], n_classes: int, sample_weight: Any) -> Rows:
        dtype = _validate.compute_dtype(X)
        targets = np.zeros((len(codes), n_classes), dtype)
        targets[np.arange(len(codes)), codes] = 1
        return Rows(X, targets, check_sample_weight(sample_weight, len(X), dtype))

    def _given(self, X_val: Array, y_val: Any, classes: Array) -> Rows:
        codes = _labels.codes_among(classes, y_val, len(X_val), "y_val")
        return self._rows(X_val, codes, len(classes), None)

    def _score_outputs(self, targets: Array, outputs: Array, weights: Array) -> float:
        codes = np.argmax(targets, axis=1)
        return _scores.accuracy(codes, most_probable(outputs), weights)

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

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows, by their weights, whose label is predicted.

        Examples
        --------
        >>> from hmlc import MLPClassifier
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], ["a", "b", "b", "a"]
        >>> model = MLPClassifier(hidden_layer_sizes=(8,), solver="lbfgs", l2=0.01, random_state=0)
        >>> model.fit(X, y).score(X, ["a", "b", "b", "b"])
        0.75
        >>> model.score(X, ["a", "b", "b", "b"], sample_weight=[1, 1, 1, 3])
        0.5
        """
        predicted = self.predict(X)
        labels = np.asarray(y)
        _validate.check_same_length(labels, len(predicted), "y")
        weights = check_sample_weight(sample_weight, len(predicted), np.dtype(np.float64))
        return _scores.accuracy(labels.reshape(-1), predicted, weights)


@with_shared_text
@dataclass(kw_only=True, eq=False, repr=False)
class MLPRegressor(Perceptron):
    """Multilayer perceptron with one number, or several, for an answer.

    Minimises, over m rows, J = (1/2m) [sum of squared errors + l2 sum of squared weights].

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default (100,)
        Units of each hidden layer, inputs to outputs; () is none: linear regression.
    (shared parameters)

    Attributes
    ----------
    (shared attributes)

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

    l2: float = 0.0001

    _estimator_type = "regressor"
    _has_many_targets = True

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None
    ) -> Self:
        """Fit the network to rows and their targets.

        Parameters
        ----------
        X : array_like of shape (n, n_features)
            Finite real numbers of any dtype and layout.
        y : array_like of shape (n,) or (n, n_targets)
            Finite real numbers.
        sample_weight : number or array_like of shape (n,), optional
            How often each row counts; None is once.
        X_val, y_val : array_likes with the columns of X and the targets of y, optional
            With ``early_stopping`` the rows, and their targets, by whose score the fit ends;
            without them some of X are held out.

        Raises
        ------
        ValueError, TypeError
            If a parameter or an argument is not as described; if there are too few rows for
            validation; if a fit is to go on with other columns, targets, levels or another solver;
            or if the learning rate is so large that the cost grows past all numbers.

        Warns
        -----
        ConvergenceWarning
            If max_iter is reached before the cost, or the score, has settled.

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
        X_val = self._validation_rows(X_val, y_val, matrix.shape[1])
        rows = self._rows(matrix, target, sample_weight)
        self._fit(rows, "squared", None if X_val is None else self._given(X_val, y_val, rows))
        self._is_vector = target.ndim == 1
        self._keep_features(X, matrix)
        return self

    @only_in_batches
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go over a chunk of rows once, from where the last `fit` or `partial_fit` ended.

        The chunk's rows are taken in a random order, in batches: as one epoch of `fit`. With
        `normalize` units are those of the first chunk, which so should be large enough to show what
        columns and targets are like. The penalty counts for the chunk as for a fit's rows:
        where c chunks make up the data, l2 / c in place of l2 penalises as one fit to them all.

        Parameters
        ----------
        X : array_like of shape (n, n_features)
            Finite real numbers of any dtype and layout.
        y : array_like of shape (n,) or (n, n_targets)
            Finite real numbers, of as many targets as before.
        sample_weight : number or array_like of shape (n,), optional
            How often each row counts; None is once.

        Raises
        ------
        ValueError, TypeError
            As `fit`; with early stopping, which needs all rows.
        AttributeError
            If the solver is ``gradient_descent`` or ``lbfgs``.

        Examples
        --------
        >>> from hmlc import MLPRegressor
        >>> model = MLPRegressor(random_state=0).partial_fit([[0.0], [2.0]], [1.0, 3.0])
        >>> model.partial_fit([[1.0]], [2.0]).n_iter_
        2
        """
        self._check_parameters()
        is_first = not self._goes_on()
        matrix = self._as_chunk(X, is_first)
        target = _validate.check_target(y, len(matrix))
        self._fit_chunk(self._rows(matrix, target, sample_weight), "squared")
        self._is_vector = target.ndim == 1
        if is_first:
            self._keep_features(X, matrix)
        return self

    @staticmethod
    def _rows(X: Array, target: Array, sample_weight: Any) -> Rows:
        weights = check_sample_weight(sample_weight, len(X), _validate.compute_dtype(X))
        return Rows(X, target.reshape(len(target), -1), weights)

    def _given(self, X_val: Array, y_val: Any, rows: Rows) -> Rows:
        given = self._rows(X_val, _validate.check_target(y_val, len(X_val), "y_val"), None)
        if given.Y.shape[1] != rows.Y.shape[1]:
            raise ValueError(f"y_val has {given.Y.shape[1]} targets, but y has {rows.Y.shape[1]}")
        return given

    def _score_outputs(self, targets: Array, outputs: Array, weights: Array) -> float:
        return _scores.r2(targets.astype(np.float64), outputs.astype(np.float64), weights)

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

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R^2, the mean over targets of 1 - (squared errors) / (squared deviations).

        Rows count by their weights. A target that does not vary counts 1 where it is predicted
        exactly, else 0.

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
        weights = check_sample_weight(sample_weight, len(predicted), np.dtype(np.float64))
        return _scores.r2(target, predicted, weights)
