"""The minimisers on functions whose minimum is known."""

import numpy as np
import pytest

from hmlc import _optimize
from hmlc._optimize import lbfgs, lbfgs_steps, minimise_together, newton
from hmlc._progress import quiet

OPTIONS = {"max_iter": 500, "tol": 1e-9, "report": quiet}


def rosenbrock(x):
    """Rosenbrock (1960) in n dimensions: minimum 0 at (1, ..., 1), along a curved valley."""
    a, b = x[:-1], x[1:]
    cost = np.sum(100 * (b - a**2) ** 2 + (1 - a) ** 2)
    gradient = np.zeros_like(x)
    gradient[:-1] = -400 * a * (b - a**2) - 2 * (1 - a)
    gradient[1:] += 200 * (b - a**2)
    return float(cost), gradient


def quadratic(scales):
    """Return an objective with its minimum 0 at (1, ..., 1), and its Hessian."""
    scales = np.asarray(scales, float)

    def objective(x):
        with np.errstate(over="ignore"):
            cost = float(np.sum(scales * (x - 1) ** 2)) / 2
        return cost, scales * (x - 1), np.diag(scales)

    return objective


@pytest.mark.parametrize("n", [2, 10])
def test_lbfgs_follows_rosenbrocks_valley(n):
    start = np.where(np.arange(n) % 2 == 0, -1.2, 1.0)
    found = lbfgs(rosenbrock, start, **OPTIONS)
    assert found.converged
    np.testing.assert_allclose(found.parameters, 1, atol=1e-8)
    assert len(found.cost_history) == found.n_iter + 1
    assert (np.diff(found.cost_history) <= 0).all()


@pytest.mark.parametrize("start", [1e-8, 1.0, 1e8])
def test_lbfgs_finds_its_scale(start):
    objective = quadratic(np.logspace(-3, 3, 7))
    found = lbfgs(lambda x: objective(x)[:2], np.full(7, start), **OPTIONS)
    assert found.converged
    # The gradient is at most 1e-9 and the least curvature 1e-3.
    np.testing.assert_allclose(found.parameters, 1, atol=1e-6)


def test_newton_needs_one_step_on_a_quadratic():
    found = newton(quadratic(np.logspace(-3, 3, 7)), np.full(7, 5.0), **OPTIONS)
    assert (found.n_iter, found.converged) == (1, True)
    np.testing.assert_allclose(found.parameters, 1, atol=1e-6)


def test_newton_lives_with_a_singular_hessian():
    found = newton(quadratic([1, 0, 0]), np.array([5.0, 6.0, 7.0]), **OPTIONS)
    assert found.converged
    np.testing.assert_allclose(found.parameters, [1, 6, 7], atol=1e-8)


def test_newton_damps_a_step_that_goes_too_far():
    """sqrt(1 + x^2): a whole Newton step from |x| > 1 moves away, x -> -x^3."""

    def objective(x):
        root = np.sqrt(1 + x[0] ** 2)
        return float(root), x / root, np.array([[root**-3]])

    found = newton(objective, np.array([4.0]), **OPTIONS)
    assert found.converged
    assert found.parameters[0] == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("beyond", [np.inf, np.nan])
def test_lbfgs_steps_back_from_where_the_cost_is_not_finite(beyond):
    """x - log(x) is least at 1 and not defined at 0 and below."""

    def objective(x):
        if x[0] <= 0:
            return beyond, np.array([np.nan])
        return float(x[0] - np.log(x[0])), 1 - 1 / x

    found = lbfgs(objective, np.array([50.0]), **OPTIONS)
    assert found.converged
    assert found.parameters[0] == pytest.approx(1, abs=1e-8)


def test_lbfgs_ends_where_rounding_hides_the_slope():
    def objective(x):
        rounded = x.astype(np.float32).astype(float)
        cost, gradient, _ = quadratic([1, 10])(rounded)
        return float(np.float32(cost + 1)), gradient + 1e-5

    found = lbfgs(objective, np.array([30.0, -4.0]), max_iter=500, tol=0, report=quiet)
    assert found.converged
    assert found.n_iter < 100
    np.testing.assert_allclose(found.parameters, 1, atol=1e-3)


def test_iteration_limit_is_kept_and_told():
    found = lbfgs(rosenbrock, np.array([-1.2, 1.0]), max_iter=3, tol=1e-9, report=quiet)
    assert (found.n_iter, found.converged, len(found.cost_history)) == (3, False, 4)


def test_start_at_the_minimum_takes_no_step():
    found = lbfgs(rosenbrock, np.ones(3), **OPTIONS)
    assert (found.n_iter, found.converged) == (0, True)


def test_together_is_as_alone_and_asks_for_the_unfinished_only():
    starts = [np.array([-1.2, 1.0]), np.ones(2), np.array([3.0, -3.0])]
    asked = []

    def objective(which, points):
        asked.append(tuple(which))
        return [rosenbrock(point) for point in points]

    together = minimise_together([lbfgs_steps(start, **OPTIONS) for start in starts], objective)
    for start, found in zip(starts, together, strict=True):
        alone = lbfgs(rosenbrock, start, **OPTIONS)
        assert found.parameters.tobytes() == alone.parameters.tobytes()
        assert found.cost_history.tobytes() == alone.cost_history.tobytes()
    assert asked[0] == (0, 1, 2)
    assert all(1 not in which for which in asked[1:])
    assert len(asked[-1]) == 1


def test_start_is_left_alone_and_report_is_called():
    start, told = np.array([-1.2, 1.0]), []
    lbfgs(rosenbrock, start, max_iter=500, tol=1e-9, report=lambda i, cost: told.append((i, cost)))
    np.testing.assert_array_equal(start, [-1.2, 1.0])
    assert [i for i, _ in told] == list(range(1, len(told) + 1))


def test_gradient_descent_follows_the_rule():
    objective = quadratic([2.0])
    found = _optimize.gradient_descent(
        lambda x: objective(x)[:2],
        np.zeros(1),
        learning_rate=0.25,
        max_iter=3,
        tol=0,
        report=quiet,
    )
    # The distance to 1 halves with each step.
    assert found.parameters[0] == 1 - 0.5**3
    np.testing.assert_allclose(found.cost_history, [1, 1 / 4, 1 / 16, 1 / 64])
    with pytest.raises(ValueError, match="diverged"):
        _optimize.gradient_descent(
            lambda x: objective(x)[:2],
            np.zeros(1),
            learning_rate=1e100,
            max_iter=9,
            tol=0,
            report=quiet,
        )
