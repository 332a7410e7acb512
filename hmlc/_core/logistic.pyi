import numpy as np

from hmlc._core._types import Cube, Matrix, Real, Vector

def sigmoid_loss(
    X: Matrix[Real],
    codes: Vector[np.uint8] | Vector[np.int32],
    weights: Vector[Real],
    classes: Vector[np.intp],
    W: Matrix[Real],
    units: Matrix[Real],
    loss: Vector[np.float64],
    gradient: Matrix[np.float64],
) -> None: ...
def sigmoid_loss_hessian(
    X: Matrix[Real],
    codes: Vector[np.uint8] | Vector[np.int32],
    weights: Vector[Real],
    classes: Vector[np.intp],
    W: Matrix[Real],
    units: Matrix[Real],
    loss: Vector[np.float64],
    gradient: Matrix[np.float64],
    hessian: Cube[np.float64],
) -> None: ...
def softmax_loss(
    X: Matrix[Real],
    codes: Vector[np.uint8] | Vector[np.int32],
    weights: Vector[Real],
    W: Matrix[Real],
    units: Matrix[Real],
    loss: Vector[np.float64],
    gradient: Matrix[np.float64],
) -> None: ...
def scores(X: Matrix[Real], W: Matrix[Real], units: Matrix[Real], out: Matrix[Real]) -> None: ...
def most_probable(Z: Matrix[Real], codes: Vector[np.intp]) -> None: ...
def softmax(Z: Matrix[Real]) -> None: ...
def log_softmax(Z: Matrix[Real]) -> None: ...
