"""Stand-in until the scatter kernels are here."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class Scatter:
    """Number of rows, column means and the centred sums of products."""

    count: float
    mean: NDArray[np.float64]
    S: NDArray[np.float64]


def column_scatter(
    X: NDArray[Any], Y: NDArray[Any] | None = None, n_jobs: int | None = None
) -> Scatter:
    """Return the scatter of X's columns."""
    rows = np.ascontiguousarray(X, np.float64)
    mean = rows[0] + (rows - rows[0]).mean(axis=0)
    deviation = rows - mean
    S = np.stack([(deviation * column[:, None]).sum(axis=0) for column in deviation.T])
    return Scatter(len(X), mean, (S + S.T) / 2)
