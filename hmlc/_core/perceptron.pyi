import numpy as np
from numpy.typing import DTypeLike

from hmlc._core._types import Matrix, Real, Vector

def forward(
    X: Matrix[Real],
    units: Matrix[Real],
    parameters: Vector[Real],
    network: Vector[np.intp],
    out: Matrix[Real],
) -> None: ...
def loss_and_gradient(
    X: Matrix[Real],
    Y: Matrix[Real],
    weights: Vector[Real],
    units: Matrix[Real],
    parameters: Vector[Real],
    network: Vector[np.intp],
    cost: Vector[np.float64],
    gradient: Vector[np.float64],
) -> None: ...
def penalty(
    parameters: Vector[Real],
    network: Vector[np.intp],
    l2: float,
    cost: Vector[np.float64],
    gradient: Vector[np.float64],
) -> None: ...
def _new_memory(
    network: Vector[np.intp], batch_size: int, threads: int, dtype: DTypeLike
) -> Vector[np.uint8]: ...
def sgd(
    X: Matrix[Real],
    Y: Matrix[Real],
    weights: Vector[Real],
    units: Matrix[Real],
    order: Vector[np.intp],
    batch_size: int,
    network: Vector[np.intp],
    rates: Vector[np.float64],
    parameters: Vector[Real],
    velocity: Vector[Real],
    cost: Vector[np.float64],
    thread: int,
    threads: int,
    memory: Vector[np.uint8],
) -> None: ...
def adam(
    X: Matrix[Real],
    Y: Matrix[Real],
    weights: Vector[Real],
    units: Matrix[Real],
    order: Vector[np.intp],
    batch_size: int,
    network: Vector[np.intp],
    rates: Vector[np.float64],
    powers: Vector[np.float64],
    parameters: Vector[Real],
    moments: Matrix[Real],
    cost: Vector[np.float64],
    thread: int,
    threads: int,
    memory: Vector[np.uint8],
) -> None: ...
