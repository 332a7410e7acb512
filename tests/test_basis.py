"""Polynomials against products of powers and scikit-learn, sinusoids against mpmath."""

import hashlib
import itertools
import math
import os
import subprocess
import sys
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import PolynomialFeatures as Peer

import hmlc
from hmlc._backend import instruction_set, kernels


def polynomials(Z, degree, X=None):
    n, d = Z.shape
    out = np.full((n, math.comb(d + degree, degree) - 1), np.nan, Z.dtype)
    kernels().basis.polynomials(Z if X is None else X, Z, degree, out)
    return out


def sinusoids(Z, degree):
    out = np.full((len(Z), degree * Z.shape[1]), np.nan, Z.dtype)
    kernels().basis.sinusoids(Z, degree, out)
    return out


def exact_sine(k, x):
    """Return sin(k x) of the very number x; 1,100 bits hold the largest float64 and 76 after it."""
    with mpmath.workprec(1200):
        return mpmath.sin(k * mpmath.mpf(float(x)))


@pytest.mark.parametrize(("d", "degree"), [(1, 7), (2, 6), (3, 1), (3, 4), (10, 3), (40, 2)])
@pytest.mark.parametrize("n", [1, 16, 37])
def test_polynomials_equal_scikit_learn(d, degree, n, dtype, rng, backend):
    Z = rng.normal(size=(n, d)).astype(dtype)
    expected = Peer(degree, include_bias=False).fit_transform(Z)
    # Both take each monomial as one column times one of a degree less. The Python twin multiplies
    # in float64 and rounds once, so it differs by the degree - 1 roundings of float32.
    tolerance = degree * np.finfo(dtype).eps if backend == "python" and dtype == np.float32 else 0
    np.testing.assert_allclose(polynomials(Z, degree), expected, rtol=tolerance, atol=0)


def test_polynomials_are_exact_products_of_small_integers(backend):
    Z = np.array([[2.0, 3.0, 5.0, 7.0], [-1.0, 1.0, 4.0, 0.5]])
    expected = [
        [
            float(math.prod(map(Fraction, chosen)))
            for degree in range(1, 6)
            for chosen in itertools.combinations_with_replacement(row, degree)
        ]
        for row in Z.tolist()
    ]
    np.testing.assert_array_equal(polynomials(Z, 5), expected)


def test_polynomials_keep_the_first_columns_apart(dtype, rng, backend):
    X, Z = rng.normal(size=(2, 21, 5)).astype(dtype)
    made = polynomials(Z, 3, X)
    np.testing.assert_array_equal(made[:, :5], X)
    np.testing.assert_array_equal(made[:, 5:], polynomials(Z, 3)[:, 5:])


@pytest.mark.parametrize("d", [1, 2, 3, 9, 20])
def test_nothing_is_written_beside_the_columns(d, dtype, rng, backend):
    Z = rng.normal(size=(19, d)).astype(dtype)
    powers, sines = math.comb(d + 3, 3) - 1, 2 * d
    wide = np.full((21, powers + sines + 2), 7, dtype)
    kernels().basis.polynomials(Z, Z, 3, wide[1:-1, 1 : 1 + powers])
    np.testing.assert_array_equal(wide[1:-1, 1 + powers :], 7)
    kernels().basis.sinusoids(Z, 2, wide[1:-1, 1 + powers : -1])
    np.testing.assert_array_equal(wide[1:-1, 1 : 1 + powers], polynomials(Z, 3))
    np.testing.assert_array_equal(wide[1:-1, 1 + powers : -1], sinusoids(Z, 2))
    for border in (wide[0], wide[-1], wide[:, 0], wide[:, -1]):
        np.testing.assert_array_equal(border, 7)


def hard_numbers(dtype, rng):
    """Return numbers of all sizes, with those next to multiples of pi and of the fast limit."""
    multiples = np.array([k * math.pi for k in (0.5, 1, 1.5, 2, 3, 11, 355, 1000, 1899, 1e5, 1e6)])
    limits = np.array([6e3, np.nextafter(dtype(6e3), dtype(1e9)), 6e6, np.nextafter(6e6, 1e9)])
    largest = np.log10(float(np.finfo(dtype).max))
    sizes = 10 ** rng.uniform(-30, largest, 300)
    # The float64 that comes closest to a multiple of pi / 2 (Muller, Elementary Functions, 2006).
    worst = [6381956970095103.0 * 2.0**797] if dtype == np.float64 else []
    special = [0.0, 1.0, float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)]
    values = np.concatenate([multiples, limits, sizes, worst, special]).astype(dtype)
    return np.concatenate([values, -values]).reshape(-1, 1)


@pytest.mark.parametrize("degree", [1, 2, 7, 2500])
def test_sine_of_any_finite_number(degree, dtype, rng, backend):
    x = hard_numbers(dtype, rng)
    made = sinusoids(x, degree)
    assert np.all(np.abs(made) <= 1 + np.finfo(dtype).eps)
    # The angle, at most pi, is rounded twice when whole turns come off: by 2 epsilon (NumPy's
    # arctan2 of sin and cos: 3). A multiple is off by k times that, and is rounded itself, by
    # k pi epsilon / 2; the sine adds 2 epsilon.
    for k in {1, degree}:
        exact = np.array([float(exact_sine(k, v)) for v in x[:, 0]])
        bound = (k * (4 if backend == "c" else 5) + 2) * np.finfo(dtype).eps
        assert np.max(np.abs(made[:, k - 1] - exact)) <= bound


def test_sine_in_ulp_below_pi(dtype, rng):
    """Below pi no turn is taken off, so the sine is as good relatively, zero's neighbour too."""
    x = rng.uniform(-3.1415925, 3.1415925, (600, 1)).astype(dtype)
    x = np.concatenate([x, dtype(10.0) ** rng.uniform(-20, 0, (100, 1)).astype(dtype)])
    x = np.concatenate([x, [[np.nextafter(dtype(math.pi), dtype(0))]], [[dtype(1e-30)]]])
    exact = [exact_sine(1, v) for v in x[:, 0]]
    spacing = np.spacing(np.abs(np.array([float(e) for e in exact], dtype)))
    error = [
        float(abs(mpmath.mpf(float(m)) - e) / mpmath.mpf(float(s)))
        for m, e, s in zip(sinusoids(x, 1)[:, 0], exact, spacing, strict=True)
    ]
    # The largest seen is 1.7.
    assert max(error) <= 2


@given(
    st.integers(0, 70),
    st.integers(1, 20),
    st.integers(1, 4),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([1e-3, 1.0, 1e5, 1e9]),
    st.integers(0, 2**32 - 1),
)
def test_twins_agree(n, d, degree, dtype, size, seed):
    Z = (size * np.random.default_rng(seed).normal(size=(n, d))).astype(dtype)
    results = []
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            results.append((polynomials(Z, degree), sinusoids(Z, degree)))
    eps = np.finfo(dtype).eps
    for powers, sines in results[1:]:
        np.testing.assert_allclose(results[0][0], powers, rtol=degree * eps)
        # As in test_sine_of_any_finite_number, for both sides.
        np.testing.assert_allclose(results[0][1], sines, rtol=0, atol=(9 * degree + 4) * eps)


def test_overflow_is_infinite_in_every_twin(backend):
    np.testing.assert_array_equal(polynomials(np.array([[1e200, -1e200]]), 2)[0, 2], np.inf)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda Z: (Z, Z[:3].copy(), 2, np.empty((4, 5))), "one shape"),
        (lambda Z: (Z, Z, 2, np.empty((4, 6))), r"shape \(4, 5\); got \(4, 6\)"),
        (lambda Z: (Z, Z, 2, np.empty((3, 5))), r"shape \(4, 5\)"),
        (lambda Z: (Z, Z, 0, np.empty((4, 0))), "at least 1"),
        (lambda Z: (Z, Z, 2, np.empty((5, 4)).T), "without gaps"),
    ],
)
def test_compiled_polynomials_refuse_wrong_lengths(arguments, message):
    with pytest.raises(ValueError, match=message):
        kernels().basis.polynomials(*arguments(np.zeros((4, 2))))


@pytest.mark.parametrize("out", [np.empty((4, 5)), np.empty((4, 12))[:, ::2], np.empty((3, 6))])
def test_compiled_sinusoids_refuse_wrong_lengths(out):
    with pytest.raises(ValueError, match="out must"):
        kernels().basis.sinusoids(np.zeros((4, 2)), 3, out)


PRINT_DIGEST = """
import hashlib, numpy as np, hmlc
rng = np.random.default_rng(5)
digest = hashlib.sha256()
for dtype in (np.float32, np.float64):
    for d in (1, 3, 17):
        Z = (rng.normal(size=(100, d)) * 10.0 ** rng.integers(-3, 12, (100, d))).astype(dtype)
        for made in (hmlc.PolynomialFeatures(degree=3), hmlc.SinusoidFeatures(degree=5)):
            digest.update(made.fit_transform(Z).tobytes())
        digest.update(hmlc.StandardScaler().fit_transform(Z).tobytes())
print(digest.hexdigest())
"""


def test_vector_width_leaves_no_trace(printed_by):
    answer = printed_by("avx2", PRINT_DIGEST)
    assert len(answer.strip()) == hashlib.sha256().digest_size * 2
    assert printed_by("avx512", PRINT_DIGEST) == answer


@pytest.mark.skipif(sys.platform == "win32", reason="the baseline is tested where it is built")
def test_baseline_agrees_to_rounding(tmp_path, rng):
    if instruction_set() == "neon":
        pytest.skip("this build has one variant, neon")
    Z = np.concatenate([hard_numbers(np.float32, rng), rng.normal(size=(50, 1))])
    Z = Z.astype(np.float32)
    np.save(tmp_path / "Z.npy", Z)
    code = (
        "import sys, numpy as np, hmlc\n"
        "Z = np.load(sys.argv[1] + '/Z.npy')\n"
        "for dtype in (np.float32, np.float64):\n"
        "    made = hmlc.SinusoidFeatures(degree=4).fit_transform(Z.astype(dtype))\n"
        "    np.save(sys.argv[1] + f'/{np.dtype(dtype).name}.npy', made)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "HMLC_ISA": "baseline", "HMLC_BACKEND": "c"},
        check=True,
    )
    for dtype in (np.float32, np.float64):
        baseline = np.load(tmp_path / f"{np.dtype(dtype).name}.npy")
        made = hmlc.SinusoidFeatures(degree=4).fit_transform(Z.astype(dtype))
        # Twice the bound of test_sine_of_any_finite_number, k = 4.
        atol = 2 * (4 * 4 + 2) * np.finfo(dtype).eps
        np.testing.assert_allclose(baseline, made, rtol=0, atol=atol)
