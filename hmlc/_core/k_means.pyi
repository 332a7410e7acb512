import numpy as np

from hmlc._core._types import Matrix, Real, Vector

def lloyd(
    X: Matrix[Real],
    weights: Vector[Real],
    shift: Vector[Real],
    centres: Matrix[Real],
    sums: Matrix[np.float64],
    counts: Vector[np.float64],
) -> None: ...
def settle(
    X: Matrix[Real],
    weights: Vector[Real],
    shift: Vector[Real],
    near: Matrix[Real],
    centres: Matrix[Real],
    labels: Vector[np.int32],
    counts: Vector[np.float64],
    total: Vector[np.float64],
) -> None: ...
def lloyd_bounded(
    X: Matrix[Real],
    weights: Vector[Real],
    shift: Vector[Real],
    centres: Matrix[Real],
    steps: Vector[Real],
    labels: Vector[np.int32],
    lower: Matrix[Real],
    upper: Vector[Real],
    sums: Matrix[np.float64],
) -> None: ...
def lloyd_hamerly(
    X: Matrix[Real],
    weights: Vector[Real],
    shift: Vector[Real],
    centres: Matrix[Real],
    steps: Vector[Real],
    clusters: Vector[np.int32],
    labels: Vector[np.int32],
    lower: Vector[Real],
    sums: Matrix[np.float64],
    counts: Vector[np.float64],
) -> int: ...
def assign(
    X: Matrix[Real], shift: Vector[Real], centres: Matrix[Real], labels: Vector[np.int32]
) -> None: ...
def inertia(
    X: Matrix[Real],
    weights: Vector[Real],
    centres: Matrix[Real],
    labels: Vector[np.int32],
    squares: Vector[Real],
    total: Vector[np.float64],
) -> None: ...
def approach(
    X: Matrix[Real],
    weights: Vector[Real],
    centre: Vector[Real],
    candidates: Matrix[Real],
    closest: Vector[Real],
    block_totals: Vector[np.float64],
    totals: Vector[np.float64],
) -> None: ...
def nearer(
    X: Matrix[Real],
    shift: Vector[Real],
    candidates: Matrix[Real],
    closest: Vector[Real],
    labels: Vector[np.int32],
    apart: Matrix[Real],
    first: int,
    which: Vector[np.int32],
    rows: Vector[np.int64],
    squares: Vector[Real],
) -> int: ...
def choose(
    closest: Vector[Real],
    labels: Vector[np.int32],
    n_seeds: int,
    weights: Vector[Real],
    rows: Vector[np.int64],
    squares: Vector[Real],
    starts: Vector[np.int64],
    places: Vector[np.int64],
    draws: Vector[np.float64],
    tries: int,
    chosen: Vector[np.int64],
) -> tuple[int, int]: ...
def relative(centres: Matrix[Real], shift: Vector[Real], out: Matrix[Real]) -> None: ...
def distances(X: Matrix[Real], centres: Matrix[Real], out: Matrix[Real]) -> None: ...
