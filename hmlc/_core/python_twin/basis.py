"""Basis expansion: columns made of columns."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def _products(z: list[float], degree: int) -> list[float]:
    """Return the products of 2 to `degree` of z's numbers in graded lexicographic order."""
    products: list[float] = []
    source = z
    starts = list(range(len(z)))
    for _ in range(2, degree + 1):
        block: list[float] = []
        ends: list[int] = []
        for x, start in zip(z, starts, strict=True):
            ends.append(len(block))
            block += [x * factor for factor in source[start:]]
        products += block
        source, starts = block, ends
    return products


def polynomials(X: Array, Z: Array, degree: int, out: Array) -> None:
    """Set out = X, then the products of 2 to `degree` columns of Z in graded lexicographic order.

    A monomial of degree k that begins with z_i is z_i times one of degree k - 1 without variables
    before i: those are the end of the list of degree k - 1.
    """
    for i, (x, z) in enumerate(zip(X.tolist(), Z.tolist(), strict=True)):
        out[i] = x + _products(z, degree)


def sinusoids(Z: Array, degree: int, out: Array) -> None:
    """Set out = sin(Z), sin(2 Z), ..., of Z less whole turns, so that k Z loses no digits."""
    for i, z in enumerate(Z.tolist()):
        angles = [math.atan2(math.sin(x), math.cos(x)) for x in z]
        out[i] = [math.sin(k * angle) for k in range(1, degree + 1) for angle in angles]
