"""What every estimator shares: parameters by keyword, fitted checks, and the features seen."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _frames, _routing, _sklearn, _validate
from hmlc._backend import kernels

Array = NDArray[Any]

_INDEX = np.dtype(np.intp)


class ConvergenceWarning(UserWarning):
    """Given when a fit reaches its iteration limit before its tolerance.

    Examples
    --------
    >>> import warnings
    >>> import hmlc
    >>> model = hmlc.LinearRegression(solver="gradient_descent", max_iter=1)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     _ = model.fit([[0.0], [1.0], [3.0]], [0.0, 1.0, 2.0])
    >>> caught[0].category.__name__
    'ConvergenceWarning'
    """


class Estimator:
    """Parameters are the keywords of ``__init__``, which only stores them."""

    n_features_in_: int
    feature_names_in_: Array

    _estimator_type: ClassVar[str | None] = None
    _has_many_targets: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _routing.add_request_methods(cls)

    if TYPE_CHECKING:  # Made from the methods' signatures, for classes that have them.

        def set_fit_request(self, **requests: bool | str | None) -> Self: ...
        def set_partial_fit_request(self, **requests: bool | str | None) -> Self: ...
        def set_score_request(self, **requests: bool | str | None) -> Self: ...

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; `deep` is taken for scikit-learn's sake.

        Examples
        --------
        >>> from hmlc import StandardScaler
        >>> StandardScaler(n_jobs=2).get_params()
        {'n_jobs': 2, 'with_mean': True, 'with_std': True}
        """
        return {name: getattr(self, name) for name in sorted(self._parameter_names())}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Raises
        ------
        ValueError
            If there is no parameter of that name; then none is set.

        Examples
        --------
        >>> from hmlc import KMeans
        >>> KMeans(random_state=0).set_params(n_clusters=3, max_iter=50)
        KMeans(n_clusters=3, max_iter=50, random_state=0)
        """
        valid = sorted(self._parameter_names())
        for name in params:
            if name not in valid:
                raise ValueError(
                    f"Invalid parameter {name!r} for estimator {self}. "
                    f"Valid parameters are: {valid!r}."
                )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        shown = [
            f"{name}={getattr(self, name)!r}"
            for name in self._parameter_names()
            if not _same(getattr(self, name), defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags; only scikit-learn asks for them."""
        return _sklearn.tags(self)

    def get_metadata_routing(self) -> Any:
        """Return scikit-learn's MetadataRequest: what its routing passes on to which method.

        Examples
        --------
        >>> from hmlc import LinearRegression
        >>> LinearRegression().set_fit_request(sample_weight=True).get_metadata_routing().fit
        {'sample_weight': True}
        """
        return _routing.metadata_routing(self)

    def _keep_features(self, X: Any, matrix: Array) -> None:
        """Remember the width of what was fitted, and the names if it is a data frame."""
        names = _frames.column_names(X)
        self.n_features_in_ = matrix.shape[1]
        if names is not None:
            self.feature_names_in_ = names
        else:
            self.__dict__.pop("feature_names_in_", None)

    def _check_fitted(self) -> None:
        if not hasattr(self, "n_features_in_"):
            raise _sklearn.not_fitted_error()(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with "
                "appropriate arguments before using this estimator."
            )

    def _as_chunk(self, X: Any, is_first: bool) -> Array:
        """Return rows for `partial_fit`: of any width at first, then as wide as those before."""
        return _validate.as_matrix(X) if is_first else self._as_rows(X)

    def _check_rows(self, X: Any) -> Array:
        """Return X for a fitted estimator: a finite matrix with as many columns as at `fit`."""
        matrix = self._as_rows(X)
        _validate.check_finite(matrix, "X")
        return matrix

    def _as_rows(self, X: Any) -> Array:
        """Do what `_check_rows` does, but for the look at X's values."""
        self._check_fitted()
        if type(X) is not np.ndarray or hasattr(self, "feature_names_in_"):
            fitted = getattr(self, "feature_names_in_", None)
            _frames.check_names(X, fitted, type(self).__name__)
        matrix = _validate.as_matrix(X)
        if matrix.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {matrix.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return matrix

    def _answer_few(self, family: Any, X: Any, *model: Any) -> Any:
        """Return the answer for a few plain rows by one compiled call, or None.

        For validation and the passes would take longer than the answer. The rows are a float32 or
        float64 matrix, C-contiguous and finite, as wide as the model, of up to HMLC_FEW_ROWS rows,
        or as many as the family answers soon; `model` is what its `_few` takes. All else, and every
        error and warning, is left to the ordinary way, which calls the same kernel.
        """
        few = getattr(family, "_few", None)
        is_plain = type(X) is np.ndarray and "feature_names_in_" not in self.__dict__
        return few(X, *model) if is_plain and few is not None else None


class Transformer(Estimator):
    """An estimator that makes columns of columns, in an array or a data frame."""

    _sklearn_output_config: dict[str, str]

    def set_output(
        self, *, transform: Literal["default", "pandas", "polars"] | None = None
    ) -> Self:
        """Choose what `transform` and `fit_transform` return.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            An array, or a data frame with the names of `get_feature_names_out`. None changes
            nothing. Without a choice scikit-learn's ``set_config`` decides, where it is loaded.

        Raises
        ------
        ValueError
            If it is none of these.

        Examples
        --------
        >>> from hmlc import StandardScaler
        >>> scaler = StandardScaler().set_output(transform="pandas")
        >>> scaler.fit_transform([[1.0], [3.0]]).columns.tolist()
        ['x0']
        """
        if transform is not None:
            _validate.check_choice(transform, "transform", _frames.CONTAINERS)
            self._sklearn_output_config = {"transform": transform}
        return self

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Array:
        """Return the names of the columns made, an array of strings.

        Parameters
        ----------
        input_features : sequence of str, optional
            Names of the columns given; else those seen at `fit`, or "x0", "x1", ...

        Raises
        ------
        ValueError
            If there are more or fewer than columns, or they differ from those seen at `fit`.

        Examples
        --------
        >>> from hmlc import PolynomialFeatures
        >>> made = PolynomialFeatures(degree=2).fit([[2.0, 3.0]])
        >>> made.get_feature_names_out(["width", "height"]).tolist()
        ['width', 'height', 'width^2', 'width height', 'height^2']
        """
        self._check_fitted()
        fitted = getattr(self, "feature_names_in_", None)
        if input_features is None:
            names = [f"x{j}" for j in range(self.n_features_in_)] if fitted is None else fitted
        elif len(input_features) != self.n_features_in_:
            raise ValueError(
                f"input_features should have length equal to number of features "
                f"({self.n_features_in_}), got {len(input_features)}"
            )
        elif fitted is not None and list(input_features) != list(fitted):
            raise ValueError("input_features is not equal to feature_names_in_")
        else:
            names = input_features
        return np.array(self._names_out([str(name) for name in names]), dtype=object)

    def _names_out(self, names: list[str]) -> list[str]:
        """Return the names of the columns made of columns with these names."""
        return names

    def _in_container(self, array: Array, X: Any) -> Any:
        """Return the columns made of X in the container that is asked for."""
        config = getattr(self, "_sklearn_output_config", {})
        kind = _frames.container(config.get("transform"))
        if kind == "default":
            return array
        return _frames.wrap(array, kind, self.get_feature_names_out(), X)


def most_probable(scores: Array) -> NDArray[np.intp]:
    """Return the class of the largest score of each row; of one column, 1 where it is above 0."""
    codes = np.empty(len(scores), _INDEX)
    kernels().logistic.most_probable(scores, codes)
    return codes


def in_both_types(*arrays: Array) -> dict[np.dtype[Any], list[Array]]:
    """Return parameters by float type, so that an answer for a row need not convert them."""
    with np.errstate(over="ignore"):
        return {
            dtype: [array.astype(dtype, copy=False) for array in arrays]
            for dtype in _validate.FLOATS
        }


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, np.ndarray) or isinstance(default, np.ndarray):
        return value is default
    return type(value) is type(default) and bool(value == default)
