"""scikit-learn's metadata routing: which of an estimator's methods ask for weights and the like.

What was asked for is kept in a few dictionaries; scikit-learn's own request is made of them when
it asks, which it does where ``sklearn.set_config(enable_metadata_routing=True)``.
"""

import inspect
from collections.abc import Callable
from typing import Any

METHODS = (
    "fit",
    "partial_fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
    "transform",
    "inverse_transform",
)
"""Those of scikit-learn's SIMPLE_METHODS that estimators here may have."""

NO_METADATA = ("self", "X", "y")
UNCHANGED = "$UNCHANGED$"
"""As in scikit-learn's signatures: the request stays as it is."""


class Requests(dict[str, dict[str, "bool | str | None"]]):
    """By method and name of a parameter: whether it is asked for, or under which other name."""

    def __sklearn_clone__(self) -> "Requests":
        return self.copy()

    def copy(self) -> "Requests":
        """Return one that can be changed without this one."""
        return Requests({method: dict(names) for method, names in self.items()})


def metadata_of(kind: type[Any], method: str) -> tuple[str, ...]:
    """Return the parameters of a class's method that can be routed, by its signature."""
    function = getattr(kind, method, None)
    if not callable(function):
        return ()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters.values()
    return tuple(p.name for p in parameters if p.kind in named and p.name not in NO_METADATA)


def add_request_methods(kind: type[Any]) -> None:
    """Give a class a ``set_{method}_request`` for each method that takes metadata."""
    for method in METHODS:
        names = metadata_of(kind, method)
        if names:
            setattr(kind, f"set_{method}_request", _request_method(kind, method, names))


def metadata_routing(estimator: Any) -> Any:
    """Return scikit-learn's MetadataRequest of an estimator; scikit-learn has asked for it."""
    from sklearn.utils.metadata_routing import MetadataRequest

    routing = MetadataRequest(owner=estimator)
    asked = getattr(estimator, "_metadata_request", {})
    for method in METHODS:
        for name in metadata_of(type(estimator), method):
            alias = asked.get(method, {}).get(name)
            getattr(routing, method).add_request(param=name, alias=alias)
    return routing


_DOCSTRING = """Choose what scikit-learn's routing passes on to `{method}`.

Parameters
----------
{names} : bool, None or str
    True to ask for it, False not to, None for an error where it is passed; or the name by which
    it is passed.

Returns
-------
The estimator.

Examples
--------
>>> from hmlc import {kind}
>>> model = {kind}().set_{method}_request({first}=True)
>>> model.get_metadata_routing().{method}.requests["{first}"]
True
"""


def _request_method(kind: type[Any], method: str, names: tuple[str, ...]) -> Callable[..., Any]:
    def set_request(self: Any, **requests: bool | str | None) -> Any:
        return _with_requests(self, method, names, requests)

    set_request.__name__ = f"set_{method}_request"
    set_request.__qualname__ = f"{kind.__qualname__}.{set_request.__name__}"
    set_request.__module__ = kind.__module__
    set_request.__doc__ = _DOCSTRING.format(
        method=method, names=", ".join(names), kind=kind.__name__, first=names[0]
    )
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=UNCHANGED) for name in names
    ]
    set_request.__signature__ = inspect.Signature([own, *keywords])  # type: ignore[attr-defined]
    return set_request


def _with_requests(
    estimator: Any, method: str, names: tuple[str, ...], requests: dict[str, bool | str | None]
) -> Any:
    for name, alias in requests.items():
        if name not in names:
            raise TypeError(
                f"set_{method}_request() got an unexpected keyword argument {name!r}; expected "
                f"{', '.join(names)}"
            )
        is_name = isinstance(alias, str) and alias.isidentifier()
        if not (alias is None or isinstance(alias, bool) or is_name or alias == UNCHANGED):
            raise ValueError(
                f"{name} must be True, False, None or the name by which it is passed; got {alias!r}"
            )
    asked = Requests(getattr(estimator, "_metadata_request", {})).copy()
    changed = {name: alias for name, alias in requests.items() if alias != UNCHANGED}
    asked[method] = asked.get(method, {}) | changed
    estimator._metadata_request = asked
    return estimator
