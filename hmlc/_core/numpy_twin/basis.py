"""Basis expansion: columns made of columns."""

import itertools

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def polynomials(X: Array, Z: Array, degree: int, out: Array) -> None:
    """Set out = X, then the products of 2 to `degree` columns of Z in graded lexicographic order.

    A monomial of degree k that begins with z_i is z_i times one of degree k - 1 without variables
    before i: those are the end of the list of degree k - 1.
    """
    d = X.shape[1]
    out[:, :d] = X
    source, column = Z, d
    starts = list(range(d))
    for _ in range(2, degree + 1):
        lengths = [source.shape[1] - start for start in starts]
        ends = list(itertools.accumulate(lengths, initial=0))
        block = out[:, column : column + ends[-1]]
        for i, start in enumerate(starts):
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                np.multiply(Z[:, [i]], source[:, start:], out=block[:, ends[i] : ends[i + 1]])
        source, starts, column = block, ends[:-1], column + ends[-1]


def sinusoids(Z: Array, degree: int, out: Array) -> None:
    """Set out = sin(Z), sin(2 Z), ..., of Z less whole turns, so that k Z loses no digits."""
    d = Z.shape[1]
    angle = np.arctan2(np.sin(Z), np.cos(Z))
    for k in range(1, degree + 1):
        out[:, (k - 1) * d : k * d] = np.sin(k * angle)
