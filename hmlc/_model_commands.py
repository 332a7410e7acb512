"""``hmlc fit`` and ``hmlc predict``: models of CSV tables, without a line of Python.

A table is read some rows at a time. To fit, its numbers are gathered in one array, 8 bytes each and
a sixteenth more; to predict, memory does not grow with the table.
"""

import argparse
import array
import csv
import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import hmlc
from hmlc._atomic import write_atomically
from hmlc._data_formats import Table, open_csv, read_tables
from hmlc._estimator_options import add_options, given_parameters

Array = NDArray[Any]

BLOCK_ROWS = 4096
"""Rows of a table that are held as text at a time."""


BAR_DELAY = 0.5
"""Seconds before a bar is shown: small tables need none."""


class Algorithm(NamedTuple):
    """An estimator on the command line, and what kind of target it takes."""

    estimator: type[Any]
    target: str
    help: str


ALGORITHMS = {
    "linear": Algorithm(hmlc.LinearRegression, "number", "a number from others, linear"),
    "logistic": Algorithm(hmlc.LogisticRegression, "label", "a label, by linear scores"),
    "kmeans": Algorithm(hmlc.KMeans, "none", "clusters of rows, without a target"),
    "anomaly": Algorithm(
        hmlc.GaussianAnomalyDetector, "flag", "rows of low density; --target may name labels 0, 1"
    ),
    "mlp": Algorithm(hmlc.MLPClassifier, "label", "a label, by a multilayer perceptron"),
    "mlp-regressor": Algorithm(hmlc.MLPRegressor, "number", "a number, by a multilayer perceptron"),
}


def add_commands(commands: Any) -> None:
    """Add ``fit`` and ``predict`` to the command line's parser."""
    fit = commands.add_parser("fit", help="fit a model to a CSV table and save it")
    algorithms = fit.add_subparsers(required=True, metavar="ALGORITHM")
    for name, algorithm in ALGORITHMS.items():
        parser = algorithms.add_parser(name, help=algorithm.help, description=algorithm.help)
        parser.add_argument("data", type=Path, metavar="DATA.csv", help="its first line has names")
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the model")
        if algorithm.target != "none":
            parser.add_argument(
                "--target", required=algorithm.target != "flag", metavar="NAME",
                help="the column to be predicted",
            )  # fmt: skip
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument(
            "--features", type=_names, metavar="NAMES",
            help="columns to predict from, with commas between (default: all others)",
        )  # fmt: skip
        chosen.add_argument(
            "--exclude", type=_names, default=[], metavar="NAMES", help="columns to leave out"
        )
        add_options(parser, algorithm.estimator)
        parser.set_defaults(run=_fit, algorithm=algorithm, target=None)

    predict = commands.add_parser("predict", help="apply a saved model to a CSV table")
    predict.add_argument("model", type=Path, metavar="MODEL", help="what hmlc fit wrote")
    predict.add_argument("data", type=Path, metavar="DATA.csv", help="columns are found by name")
    predict.add_argument(
        "--out", type=Path, metavar="FILE.csv",
        help="written whole or not at all (default: the standard output)",
    )  # fmt: skip
    predict.add_argument(
        "--probabilities", action="store_true", help="add a column for each label's probability"
    )
    predict.set_defaults(run=_predict)


def _names(text: str) -> list[str]:
    return next(csv.reader([text]))


def _fit(options: argparse.Namespace) -> None:
    if not options.out.absolute().parent.is_dir():
        raise ValueError(f"--out must lie in a folder that exists; got {options.out}")
    model = options.algorithm.estimator(**given_parameters(options))
    names, X, y = _training_rows(options)
    try:
        with _warnings_in_a_line(), _watched(model):
            model.fit(X) if y is None else model.fit(X, y)
    except TypeError as error:
        raise ValueError(str(error)) from error
    quality = _quality(model, X, y)
    model.feature_names_in_ = np.array(names, dtype=object)
    hmlc.save(model, options.out)
    print(f"{model}\n{len(X):,} rows of {len(names)} columns: {', '.join(names)}")
    print(f"{quality}\nmodel: {options.out}")


@contextmanager
def _watched(model: Any) -> Iterator[None]:
    """Show a fit's iterations, where it has any and does not print them itself."""
    if not hasattr(model, "callback"):
        yield
        return
    with _bar(model.max_iter, silent=bool(model.verbose), unit="step") as show:
        model.callback = lambda progress: show(progress.iteration)
        yield
        model.callback = None


def _training_rows(options: argparse.Namespace) -> tuple[list[str], Array, Array | None]:
    """Return the features' names, their numbers (n, d), and the target (n,) where there is one."""
    names: list[str] = []
    numbers, targets = array.array("d"), _Targets(options.algorithm.target, options.target)
    for table in _tables(options.data):
        names = names or _features(table, options)
        try:
            block = table.numbers(names)
        except ValueError as error:
            raise ValueError(f"{error}. --exclude leaves columns out") from error
        numbers.frombytes(block.data.cast("B"))
        targets.add(table)
    X = np.frombuffer(numbers, np.float64).reshape(-1, len(names))
    return names, X, targets.gathered()


def _features(table: Table, options: argparse.Namespace) -> list[str]:
    """Return the names of the columns to predict from."""
    for name in [options.target or table.header[0], *(options.features or []), *options.exclude]:
        table.position(name)
    left_out = {options.target, *options.exclude}
    names = options.features or [name for name in table.header if name not in left_out]
    if options.target in names or len(set(names)) < len(names):
        raise ValueError("--features must name every column once, and not the target")
    if not names:
        raise ValueError(f"{table.path}: no column is left to predict from")
    return list(names)


class _Targets:
    """A target's column, gathered from tables: numbers, flags 0 and 1, or labels."""

    def __init__(self, kind: str, column: str | None) -> None:
        self.kind, self.column = kind, column
        self.blocks: list[Any] = []

    def add(self, table: Table) -> None:
        if self.column is None:
            return
        if self.kind == "number":
            self.blocks.append(table.numbers([self.column])[:, 0])
        elif self.kind == "flag":
            self.blocks.append(table.codes(self.column, ["0", "1"]))
        else:
            # One text for all rows of a label.
            self.blocks.append([sys.intern(text) for text in table.filled(self.column)])

    def gathered(self) -> Array | None:
        if self.column is None:
            return None
        if self.kind != "label":
            return np.concatenate(self.blocks)
        labels = np.array([text for block in self.blocks for text in block])
        whole = {text for text in set(labels.tolist()) if _is_whole(text)}
        return labels.astype(np.int64) if len(whole) == len(np.unique(labels)) else labels


def _is_whole(text: str) -> bool:
    """Return whether a label is a whole number in the way that it would be printed."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19 and str(int(text)) == text


def _quality(model: Any, X: Array, y: Array | None) -> str:
    """Return how good a model is on the rows that it was fitted to."""
    if isinstance(model, hmlc.KMeans):
        return f"inertia: {model.inertia_:.6g} after {model.n_iter_} iterations"
    if isinstance(model, hmlc.GaussianAnomalyDetector):
        flagged = int(np.count_nonzero(model.predict(X) < 0))
        return f"rows below the threshold {model.threshold_:.6g}: {flagged:,}"
    name = "accuracy" if hasattr(model, "classes_") else "R2"
    return f"{name} on these rows: {model.score(X, y):.4f}"


def _predict(options: argparse.Namespace) -> None:
    model = hmlc.load(options.model)
    if not hasattr(model, "predict"):
        raise ValueError(f"{options.model} holds a {type(model).__name__}, which predicts nothing")
    if options.probabilities and not hasattr(model, "predict_proba"):
        raise ValueError(f"a {type(model).__name__} has no probabilities")
    lines = _predictions(model, options)
    if options.out is None:
        for text in lines:
            sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_atomically(options.out, (text.encode() for text in lines))


def _predictions(model: Any, options: argparse.Namespace) -> Iterator[str]:
    """Yield the predictions of a table as CSV: its header, then some rows at a time."""
    header = ["prediction"]
    if options.probabilities:
        header += [f"probability_{label}" for label in model.classes_]
    yield _as_csv([header])
    names: list[str] = []
    # On a terminal, predictions and the bar would be written into each other.
    for table in _tables(options.data, silent=options.out is None and sys.stdout.isatty()):
        names = names or _columns_of(model, table)
        X = table.numbers(names)
        columns = [_answers(model, X)]
        if options.probabilities:
            columns += model.predict_proba(X).T.tolist()
        yield _as_csv(zip(*columns, strict=True))


def _columns_of(model: Any, table: Table) -> list[str]:
    """Return the columns that a model was fitted to: those of its names, else all there are.

    The names are taken off the model, which would miss them on arrays.
    """
    names = vars(model).pop("feature_names_in_", None)
    if names is not None:
        ignored = [name for name in table.header if name not in set(names)]
        if ignored:
            print(f"hmlc: columns not used: {', '.join(ignored)}", file=sys.stderr)
        return list(names)
    if len(table.header) != model.n_features_in_:
        raise ValueError(
            f"{table.path}, line 1: expected {model.n_features_in_} columns (the model was saved "
            f"without their names), got {len(table.header)}"
        )
    return table.header


def _answers(model: Any, X: Array) -> list[Any]:
    """Return predictions; 1 for an anomaly and 0 for other rows, as `fit` takes them."""
    predicted = model.predict(X)
    if isinstance(model, hmlc.GaussianAnomalyDetector):
        predicted = (predicted < 0).astype(np.int64)
    return list(predicted.tolist())


def _as_csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _tables(path: Path, *, silent: bool = False) -> Iterator[Table]:
    """Read a file some rows at a time, and show how far it is."""
    size, in_bytes = path.stat().st_size or None, {"unit": "B", "unit_scale": True}
    with open_csv(path) as file, _bar(size, silent=silent, **in_bytes) as show:
        for table in read_tables(file, path, BLOCK_ROWS):
            if file.seekable():
                show(file.buffer.tell())
            yield table


@contextmanager
def _bar(total: int | None, *, silent: bool, **options: Any) -> Iterator[Callable[[int], None]]:
    """Show how far something is, where errors go to a terminal and tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield lambda position: None
        return
    options |= {"leave": False, "delay": BAR_DELAY, "disable": silent or None}
    with tqdm(total=total, **options) as bar:

        def show(position: int) -> None:
            bar.update(position - bar.n)

        yield show


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        print(f"hmlc: warning: {warning.message}", file=sys.stderr)
