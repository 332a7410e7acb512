import numpy as np

from hmlc._core._types import Matrix, Real, Vector

def update(
    X: Matrix[Real],
    weights: Vector[Real],
    count: Vector[np.float64],
    mean: Vector[np.float64],
    m2: Vector[np.float64],
) -> None: ...
def standardise(
    X: Matrix[Real], mean: Vector[Real], scale: Vector[Real], out: Matrix[Real]
) -> None: ...
