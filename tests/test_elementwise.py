"""The project's own exp, tanh, softplus and sigmoid against mpmath, in units in the last place."""

import mpmath
import numpy as np
import pytest

from hmlc._backend import kernels

# Bounds in units of the result's spacing, over the ranges below; each is stated with a margin of
# about one half over the largest error seen.
FUNCTIONS = {
    "exponential": (mpmath.exp, 2.5),
    "hyperbolic_tangent": (mpmath.tanh, 3.0),
    "softplus": (lambda x: mpmath.log1p(mpmath.exp(x)), 3.0),
    "sigmoid": (lambda x: 1 / (1 + mpmath.exp(-x)), 3.0),
    "sigmoid_gradient": (lambda x: mpmath.exp(-x) / (1 + mpmath.exp(-x)) ** 2, 5.5),
}


def points(dtype, rng):
    edges = [0.0, 1e-30, 0.3465, 0.3466, 0.5, 1.0, 20.0, 80.0]
    values = np.concatenate([edges, 10 ** rng.uniform(-6, 1.9, 150)])
    return np.concatenate([values, -values]).astype(dtype)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_in_ulp(name, dtype, rng, backend):
    function, bound = FUNCTIONS[name]
    x = points(dtype, rng)
    out = np.empty_like(x)
    getattr(kernels().elementwise, name)(x, out)
    with mpmath.workdps(50):
        exact = [function(mpmath.mpf(float(v))) for v in x]
        error = [abs(mpmath.mpf(float(o)) - e) for o, e in zip(out, exact, strict=True)]
    spacing = np.spacing(np.abs(np.array([float(e) for e in exact], dtype)))
    tiny = np.finfo(dtype).tiny
    ulps = [
        float(e) / float(s) for e, s, v in zip(error, spacing, exact, strict=True) if abs(v) > tiny
    ]
    assert max(ulps) <= bound


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("exponential", (0.0, np.inf)),
        ("hyperbolic_tangent", (-1.0, 1.0)),
        ("softplus", (0.0, np.inf)),
        ("sigmoid", (0.0, 1.0)),
        ("sigmoid_gradient", (0.0, 0.0)),
    ],
)
def test_far_out_and_nan(name, limits, dtype, backend):
    x = np.array([-np.inf, -800, np.nan, 800, np.inf], dtype)
    out = np.empty_like(x)
    getattr(kernels().elementwise, name)(x, out)
    low, high = limits
    assert np.isnan(out[2])
    np.testing.assert_allclose(out[:2], low, atol=1e-300)
    if name == "softplus":
        assert out[3] == 800
    elif name == "exponential":
        assert out[3] == np.inf
    else:
        assert out[3] == high
    assert out[4] == high


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [1, 7, 64, 1000])
def test_all_finite_sees_one_bad_value_anywhere(bad, n, dtype, rng, backend):
    x = rng.normal(size=n).astype(dtype) * (np.finfo(dtype).max / 10)
    assert kernels().elementwise.all_finite(x)
    for place in {0, n // 2, n - 1}:
        spoiled = x.copy()
        spoiled[place] = bad
        assert not kernels().elementwise.all_finite(spoiled)
