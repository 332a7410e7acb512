"""What every estimator shares: parameters by keyword, fitted checks, and the features seen."""

import inspect
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hmlc import _validate
from hmlc._backend import kernels

Array = NDArray[Any]


class NotFittedError(ValueError, AttributeError):
    """Raised when an estimator is asked for results before `fit`."""


class ConvergenceWarning(UserWarning):
    """Given when a fit reaches its iteration limit before its tolerance."""


class Estimator:
    """Parameters are the keywords of ``__init__``, which only stores them."""

    n_features_in_: int

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; `deep` is taken for scikit-learn's sake."""
        return {name: getattr(self, name) for name in sorted(self._parameter_names())}

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Raises
        ------
        ValueError
            If there is no parameter of that name; then none is set.
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

    def _check_fitted(self) -> None:
        if not hasattr(self, "n_features_in_"):
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with "
                "appropriate arguments before using this estimator."
            )

    def _check_rows(self, X: Any) -> Array:
        """Return X for a fitted estimator: a finite matrix with as many columns as at `fit`."""
        matrix = self._as_rows(X)
        _validate.check_finite(matrix, "X")
        return matrix

    def _as_rows(self, X: Any) -> Array:
        """Do what `_check_rows` does, but for the look at X's values."""
        self._check_fitted()
        matrix = _validate.as_matrix(X)
        if matrix.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {matrix.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        return matrix


def answer_few(family: Any, X: Any, *model: Any) -> Any:
    """Return the answer for a few plain rows by one compiled call, or None.

    For validation and the passes would take longer than the answer. The rows are a float32 or
    float64 matrix, C-contiguous and finite, as wide as the model, of up to HMLC_FEW_ROWS rows;
    `model` is what the family's `_few` takes. All else, and every error, is left to the ordinary
    way, which calls the same kernel.
    """
    few = getattr(family, "_few", None)
    return None if few is None or type(X) is not np.ndarray else few(X, *model)


def most_probable(scores: Array) -> NDArray[np.intp]:
    """Return the class of the largest score of each row; of one column, 1 where it is above 0."""
    codes = np.empty(len(scores), np.intp)
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
