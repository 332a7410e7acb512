import numpy as np

from hmlc._core._types import Matrix, Real, Vector

def update(
    X: Matrix[Real],
    Y: Matrix[Real],
    weights: Vector[Real],
    count: Vector[np.float64],
    origin: Vector[np.float64],
    sums: Vector[np.float64],
    S: Matrix[np.float64],
    start: int,
    stop: int,
) -> None: ...
def merge(
    count: Vector[np.float64],
    origin: Vector[np.float64],
    sums: Vector[np.float64],
    S: Matrix[np.float64],
    more_count: Vector[np.float64],
    more_origin: Vector[np.float64],
    more_sums: Vector[np.float64],
    more_S: Matrix[np.float64],
) -> None: ...
def centre(
    count: Vector[np.float64],
    origin: Vector[np.float64],
    sums: Vector[np.float64],
    S: Matrix[np.float64],
) -> None: ...
