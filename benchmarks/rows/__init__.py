"""The rows of the table, in its order."""

from benchmarks.row import Row
from benchmarks.rows import (
    features,
    gaussian,
    k_means,
    linear_regression,
    logistic_regression,
    perceptron,
    predict,
)

MODULES = (
    linear_regression,
    logistic_regression,
    k_means,
    gaussian,
    perceptron,
    features,
    predict,
)


def all_rows() -> list[Row]:
    """Return every row."""
    return [row for module in MODULES for row in module.ROWS]
