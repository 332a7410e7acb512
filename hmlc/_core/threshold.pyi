import numpy as np

from hmlc._core._types import Real, Vector

def _new_memory(weights: Vector[Real], threads: int) -> Vector[np.uint8]: ...
def sweep(
    scores: Vector[Real],
    labels: Vector[np.uint8],
    weights: Vector[Real],
    thresholds: Vector[Real],
    precisions: Vector[np.float64],
    recalls: Vector[np.float64],
    f1s: Vector[np.float64],
    thread: int,
    threads: int,
    memory: Vector[np.uint8],
) -> tuple[int, int]: ...
