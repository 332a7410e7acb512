"""A helper's share of a short call: the same bits, whoever calls, also in a forked child."""

import os
import threading
import time

import numpy as np
import pytest

import hmlc
from hmlc import _helper

ROWS, COLUMNS = 9_001, 100


@pytest.fixture
def fitted(rng, dtype):
    """Return a model, rows of which a helper takes a share, and their answers by one thread."""
    X = rng.normal(size=(ROWS, COLUMNS)).astype(dtype)
    model = hmlc.LinearRegression(n_jobs=1).fit(X[:500], X[:500].sum(axis=1))
    expected = model.predict(X)
    return model.set_params(n_jobs=2), X, expected


def test_help_leaves_no_trace(fitted):
    model, X, expected = fitted
    for _ in range(300):
        assert model.predict(X).tobytes() == expected.tobytes()


def test_all_rows_are_as_one_by_one(fitted):
    model, X, expected = fitted
    pieces = [model.predict(X[first : first + 3]) for first in range(0, ROWS, 3)]
    np.testing.assert_array_equal(np.concatenate(pieces), expected)


def test_callers_on_several_threads(fitted):
    model, X, expected = fitted
    wrong = []

    def call():
        for _ in range(50):
            if model.predict(X).tobytes() != expected.tobytes():
                wrong.append(1)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_bad_rows_are_told(fitted, value):
    model, X, _ = fitted
    X[8_123, 99] = value
    with pytest.raises(ValueError, match="row 8123"):
        model.predict(X)


@pytest.mark.parametrize("n_jobs", [0, "two"])
def test_bad_n_jobs_is_told(fitted, n_jobs):
    model, X, _ = fitted
    with pytest.raises((TypeError, ValueError), match="n_jobs"):
        model.set_params(n_jobs=n_jobs).predict(X)


@pytest.mark.skipif(hmlc.backend() != "c", reason="only compiled calls are helped")
def test_it_falls_asleep(fitted):
    model, X, _ = fitted
    model.predict(X)
    deadline = time.monotonic() + 30
    while _helper._helpers[0].is_awake and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _helper._helpers[0].is_awake


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_needs_no_helper(fitted):
    model, X, expected = fitted
    for _ in range(20):
        model.predict(X)
        child = os.fork()
        if child == 0:
            same = all(model.predict(X).tobytes() == expected.tobytes() for _ in range(5))
            os._exit(0 if same else 1)
        assert os.waitpid(child, 0)[1] == 0
