import numpy as np

from hmlc._core._types import Matrix, Real, Vector

def log_normaliser(inverse_scale: Vector[Real]) -> float: ...
def log_density_diagonal(
    X: Matrix[Real],
    mean: Vector[np.float64],
    inverse_scale: Vector[Real],
    normaliser: float,
    out: Vector[Real],
) -> None: ...
def log_density_full(
    X: Matrix[Real],
    mean: Vector[np.float64],
    whitener: Matrix[Real],
    normaliser: float,
    out: Vector[Real],
) -> None: ...
