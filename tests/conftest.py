"""Fixtures: one runs a test on every twin; the seeded generator makes data."""

import numpy as np
import pytest
from hypothesis import settings

import hmlc

settings.register_profile("hmlc", max_examples=25, deadline=None, derandomize=True)
settings.load_profile("hmlc")


@pytest.fixture(params=["c", "numpy", "python"])
def backend(request):
    with hmlc.use_backend(request.param):
        yield request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["f32", "f64"])
def dtype(request):
    return request.param


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)
