"""Options of the command line made of an estimator's parameters: names, types, defaults, texts."""

import argparse
import inspect
import re
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

PREFIX = "parameter "
"""What tells an estimator's parameters from a command's own options, in parsed arguments."""


def add_options(parser: argparse.ArgumentParser, estimator: type[Any]) -> None:
    """Add an option for every parameter of an estimator but its callback.

    An option that is not given leaves nothing behind, so that defaults have one home.
    """
    group = parser.add_argument_group(f"parameters of {estimator.__name__}")
    hints = get_type_hints(estimator.__init__)
    texts = _parameter_texts(estimator)
    for name, parameter in inspect.signature(estimator).parameters.items():
        if name == "callback":
            continue
        has_default = parameter.default is not None and name != "verbose"
        shown = f" (default: {_shown(parameter.default)})" if has_default else ""
        group.add_argument(
            "--" + name.replace("_", "-"),
            dest=PREFIX + name,
            default=argparse.SUPPRESS,
            help=(texts.get(name, "") + shown).replace("%", "%%"),
            **_reading(name, hints[name], parameter.default),
        )


def given_parameters(options: argparse.Namespace) -> dict[str, Any]:
    """Return the estimator's parameters that were given."""
    return {
        name.removeprefix(PREFIX): value
        for name, value in vars(options).items()
        if name.startswith(PREFIX)
    }


def _reading(name: str, hint: Any, default: Any) -> dict[str, Any]:
    """Return how argparse reads a parameter of a type."""
    if name == "verbose":
        return {"action": "store_true"}
    if isinstance(default, bool):
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(hint) in (Union, types.UnionType):
        several = [part for part in get_args(hint) if part is not type(None)]
        hint = several[0] if len(several) == 1 else Any
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if hint in (int, float):
        return {"type": hint, "metavar": "NUMBER"}
    return {"type": str if hint is str else _value, "metavar": "VALUE"}


def _value(text: str) -> Any:
    """Return a whole number, a number, several with commas between them, or the text itself."""
    if "," in text:
        return tuple(_value(part.strip()) for part in text.split(",") if part.strip())
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:g}" if isinstance(default, float) else str(default)


def _parameter_texts(estimator: type[Any]) -> dict[str, str]:
    """Return what an estimator's docstring says of each of its parameters, in one line."""
    text = inspect.getdoc(estimator) or ""
    section = re.split(r"\n\w+\n-+\n", text.split("\nParameters\n----------\n")[1])[0]
    found = re.findall(r"^(\w+) : .*\n((?:    .*\n?|\n)+)", section, re.MULTILINE)
    return {name: " ".join(words.split()).replace("`", "") for name, words in found}
