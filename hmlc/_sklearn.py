"""What scikit-learn asks of an estimator; it is imported only where it is loaded or has called."""

import functools
import sys
from typing import Any


class NotFittedError(ValueError, AttributeError):
    """Raised when an estimator is asked for results before `fit`.

    Where scikit-learn is loaded, what is raised is its own NotFittedError too.

    Examples
    --------
    >>> import hmlc
    >>> try:
    ...     hmlc.KMeans().predict([[0.0]])
    ... except hmlc.NotFittedError as error:
    ...     print(error)
    This KMeans instance is not fitted yet. Call 'fit' with appropriate arguments before using \
this estimator.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as what is raised in the process that unpickles."""
        return _raised_again, self.args


class DataConversionWarning(UserWarning):
    """Given when a column of labels or targets is taken for a vector.

    Where scikit-learn is loaded, what is given is its own DataConversionWarning too.

    Examples
    --------
    >>> import warnings
    >>> import hmlc
    >>> with warnings.catch_warnings(category=hmlc.DataConversionWarning, action="ignore"):
    ...     model = hmlc.LogisticRegression().fit([[0.0], [1.0]], [[0], [1]])
    """


def not_fitted_error() -> type[NotFittedError]:
    """Return the class to raise: this package's, and scikit-learn's where that is loaded."""
    return _with_scikit_learn(NotFittedError, "sklearn.exceptions" in sys.modules)


def data_conversion_warning() -> type[DataConversionWarning]:
    """Return the class to warn with: this package's, and scikit-learn's where that is loaded."""
    return _with_scikit_learn(DataConversionWarning, "sklearn.exceptions" in sys.modules)


@functools.cache
def _with_scikit_learn(own: type[Any], is_loaded: bool) -> type[Any]:
    if not is_loaded:
        return own
    theirs = getattr(sys.modules["sklearn.exceptions"], own.__name__)
    return type(own.__name__, (own, theirs), {"__doc__": own.__doc__, "__module__": own.__module__})


def _raised_again(*arguments: Any) -> NotFittedError:
    return not_fitted_error()(*arguments)


def tags(estimator: Any) -> Any:
    """Return scikit-learn's tags of an estimator; scikit-learn has asked for them."""
    from sklearn.utils import (
        ClassifierTags,
        InputTags,
        RegressorTags,
        Tags,
        TargetTags,
        TransformerTags,
    )

    kind = estimator._estimator_type
    is_supervised = kind in ("classifier", "regressor")
    return Tags(
        estimator_type=kind,
        target_tags=TargetTags(required=is_supervised, multi_output=estimator._has_many_targets),
        transformer_tags=(
            TransformerTags(preserves_dtype=["float64", "float32"])
            if hasattr(estimator, "transform")
            else None
        ),
        classifier_tags=ClassifierTags() if kind == "classifier" else None,
        regressor_tags=RegressorTags() if kind == "regressor" else None,
        input_tags=InputTags(),
    )
