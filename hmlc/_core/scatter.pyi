import numpy as np

from hmlc._core._types import Matrix, Real, Vector

def update(
    X: Matrix[Real],
    Y: Matrix[Real],
    count: Vector[np.float64],
    mean: Vector[np.float64],
    S: Matrix[np.float64],
    start: int,
    stop: int,
) -> None: ...
