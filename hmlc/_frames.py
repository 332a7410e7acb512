"""Data frames: the names of their columns, and answers in their form."""

import sys
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

CONTAINERS = ("default", "pandas", "polars")
MAX_NAMES_SHOWN = 5


def column_names(X: Any) -> Array | None:
    """Return a data frame's column names; None of other things and of names that are no strings.

    Raises
    ------
    TypeError
        If some names are strings and others are not.
    """
    columns = getattr(X, "columns", None)
    if columns is None or isinstance(X, np.ndarray):
        return None
    names = np.asarray(columns, dtype=object)
    if names.ndim != 1 or len(names) == 0:
        return None
    kinds = sorted({type(name).__qualname__ for name in names})
    if not any(isinstance(name, str) for name in names):
        return None
    if kinds != ["str"]:
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your "
            f"input has {kinds} as feature name / column name types. If you want feature names to "
            "be stored and validated, you must convert them all to strings, by using X.columns = "
            "X.columns.astype(str) for example. Otherwise you can remove feature / column names "
            "from your input data, or convert them all to a non-string data type."
        )
    return names


def check_names(X: Any, fitted: Array | None, estimator: str) -> None:
    """Compare a data frame's column names with those at `fit`.

    Raises
    ------
    ValueError
        If both have names, and they or their order differ.

    Warns
    -----
    UserWarning
        If only one has names.
    """
    names = column_names(X)
    if names is None and fitted is None:
        return
    if fitted is None:
        _warn(f"X has feature names, but {estimator} was fitted without feature names")
    elif names is None:
        _warn(f"X does not have valid feature names, but {estimator} was fitted with feature names")
    elif len(names) != len(fitted) or np.any(names != fitted):
        raise ValueError(_difference(names, fitted))


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=5)


def _difference(names: Array, fitted: Array) -> str:
    lines = ["The feature names should match those that were passed during fit."]
    unseen, missing = sorted(set(names) - set(fitted)), sorted(set(fitted) - set(names))
    if unseen:
        lines += ["Feature names unseen at fit time:", *_some(unseen)]
    if missing:
        lines += ["Feature names seen at fit time, yet now missing:", *_some(missing)]
    if not unseen and not missing:
        lines.append("Feature names must be in the same order as they were in fit.")
    return "\n".join(lines) + "\n"


def _some(names: list[str]) -> list[str]:
    shown = [f"- {name}" for name in names[:MAX_NAMES_SHOWN]]
    return [*shown, "- ..."] if len(names) > MAX_NAMES_SHOWN else shown


def container(own: str | None) -> str:
    """Return what a transformer answers in: its own setting, or scikit-learn's global one."""
    if own is not None:
        return own
    if "sklearn" not in sys.modules:
        return "default"
    from sklearn import get_config

    return str(get_config()["transform_output"])


def wrap(array: Array, kind: str, names: Array, X: Any) -> Any:
    """Return an array as a data frame with names, and X's index where pandas' have one."""
    if kind == "pandas":
        import pandas

        index = X.index if isinstance(X, (pandas.DataFrame, pandas.Series)) else None
        return pandas.DataFrame(array, index=index, columns=names, copy=False)
    if kind == "polars":
        import polars

        return polars.DataFrame(array, schema=names.tolist(), orient="row")
    return array
