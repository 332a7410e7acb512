"""Linear regression against certified values, closed forms, NumPy, scikit-learn and plain loops."""

import csv
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

import hmlc
from hmlc import ConvergenceWarning, LinearRegression, NotFittedError

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"

# NIST Statistical Reference Datasets, linear regression: data and certified values.
NORRIS_X = """
0.2 337.4 118.2 884.6 10.1 226.5 666.3 996.3 448.6 777.0 558.2 0.4 0.6 775.5 666.9 338.0
447.5 11.6 556.0 228.1 995.8 887.6 120.2 0.3 0.3 556.8 339.1 887.2 999.0 779.0 11.1 118.3 229.2
669.1 448.9 0.5"""
NORRIS_Y = """
0.1 338.8 118.1 888.0 9.2 228.1 668.5 998.5 449.1 778.9 559.2 0.3 0.1 778.1 668.8 339.3
448.9 10.8 557.7 228.3 998.0 888.8 119.6 0.3 0.6 557.6 339.3 888.0 998.5 778.9 10.2 117.6 228.9
668.4 449.2 0.2"""
PONTIUS_Y = """
.11019 .21956 .32949 .43899 .54803 .65694 .76562 .87487 .98292 1.09146 1.20001 1.30822 1.41599
1.52399 1.63194 1.73947 1.84646 1.95392 2.06128 2.16844 .11052 .22018 .32939 .43886 .54798 .65739
.76596 .87474 .98300 1.09150 1.20004 1.30818 1.41613 1.52408 1.63159 1.73965 1.84696 1.95445
2.06177 2.16829"""
LONGLEY = """
60323 83.0 234289 2356 1590 107608 1947 61122 88.5 259426 2325 1456 108632 1948
60171 88.2 258054 3682 1616 109773 1949 61187 89.5 284599 3351 1650 110929 1950
63221 96.2 328975 2099 3099 112075 1951 63639 98.1 346999 1932 3594 113270 1952
64989 99.0 365385 1870 3547 115094 1953 63761 100.0 363112 3578 3350 116219 1954
66019 101.2 397469 2904 3048 117388 1955 67857 104.6 419180 2822 2857 118734 1956
68169 108.4 442769 2936 2798 120445 1957 66513 110.8 444546 4681 2637 121950 1958
68655 112.6 482704 3813 2552 123366 1959 69564 114.2 502601 3931 2514 125368 1960
69331 115.7 518173 4806 2572 127852 1961 70551 116.9 554894 4007 2827 130081 1962"""


def numbers(text):
    return np.array(text.split(), dtype=np.float64)


def digits(values, certified):
    """Return the number of right decimal digits of the worst value."""
    certified = np.asarray(certified)
    return -np.log10(np.max(np.abs((values - certified) / certified)) + 1e-16)


def fitted(X, y, **parameters):
    model = LinearRegression(**parameters).fit(X, y)
    return np.array([model.intercept_, *model.coef_])


def test_norris(backend):
    answer = fitted(numbers(NORRIS_X)[:, None], numbers(NORRIS_Y))
    assert digits(answer, [-0.262323073774029, 1.00211681802045]) > 11


def test_pontius(backend):
    x = np.tile(np.arange(1, 21) * 150_000.0, 2)
    answer = fitted(np.stack([x, x**2], axis=1), numbers(PONTIUS_Y))
    certified = [0.673565789473684e-03, 0.732059160401003e-06, -0.316081871345029e-14]
    assert digits(answer, certified) > 10


def test_without_intercept(backend):
    first = LinearRegression(fit_intercept=False).fit(np.arange(60, 71)[:, None], range(130, 141))
    second = LinearRegression(fit_intercept=False).fit([[4], [5], [6]], [3, 4, 4])
    assert digits(first.coef_, [2.07438016528926]) > 13
    assert digits(second.coef_, [0.727272727272727]) > 13
    assert first.intercept_ == 0.0


def test_longley(backend):
    table = numbers(LONGLEY).reshape(16, 7)
    certified = [
        -3482258.63459582,
        15.0618722713733,
        -0.358191792925910e-01,
        -2.02022980381683,
        -1.03322686717359,
        -0.511041056535807e-01,
        1829.15146461355,
    ]
    assert digits(fitted(table[:, 1:], table[:, 0]), certified) > 10


@pytest.mark.parametrize(("base", "expected_digits"), [(1.0, 5.5), (0.1, 9)])
def test_wampler(base, expected_digits, backend):
    # Wampler1 and 2: y = 1 + b x + ... + b^5 x^5. The powers' correlation matrix has condition
    # number 2e8, of 16 digits.
    x = np.arange(21.0)
    powers = np.stack([x**k for k in range(1, 6)], axis=1)
    coef = base ** np.arange(1, 6)
    y = 1 + powers @ coef
    assert digits(fitted(powers, y), [1, *coef]) > expected_digits
    model = LinearRegression(polynomial_degree=5).fit(x[:, None], y)
    assert digits(model.predict(x[:, None]), y) > 8


def happiness(*columns):
    path = SHARED / "world-happiness-report-2017.csv"
    if not path.exists():
        pytest.skip("the happiness table is not at hand")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = [[float(row[name]) for name in columns] for row in rows]
    return np.array(table), np.array([float(row["Happiness.Score"]) for row in rows])


@pytest.mark.parametrize("solver", ["normal_equation", "gradient_descent"])
@pytest.mark.parametrize(
    ("columns", "published", "deviation"),
    [
        (["Economy..GDP.per.Capita."], [3.203, 2.184], 0.662),
        (["Economy..GDP.per.Capita.", "Freedom"], [2.546, 1.874, 2.356], 0.576),
    ],
)
def test_happiness(solver, columns, published, deviation):
    X, y = happiness(*columns)
    model = LinearRegression(solver=solver).fit(X, y)
    np.testing.assert_allclose([model.intercept_, *model.coef_], published, atol=5.1e-4)
    residual = y - model.predict(X)
    freedom = len(y) - len(published)
    assert np.sqrt(residual @ residual / freedom) == pytest.approx(deviation, abs=5e-4)


@given(
    st.integers(12, 400),
    st.integers(1, 10),
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_twins_and_lstsq_agree(n, d, dtype, fit_intercept, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(2, 1, (n, d)).astype(dtype)
    Y = (X @ rng.normal(size=(d, 2)) + 5 + rng.normal(size=(n, 2))).astype(dtype)
    design = np.hstack([X, np.ones((n, int(fit_intercept)))]).astype(np.float64)
    expected = np.linalg.lstsq(design, Y.astype(np.float64), rcond=None)[0]
    # The error of a solution from cross-products: condition number squared times theirs.
    condition = np.linalg.cond(design) ** 2
    tolerance = condition * (1e-6 if dtype == np.float32 else 1e-14) + 1e-12
    for name in ("c", "numpy", "python"):
        with hmlc.use_backend(name):
            model = LinearRegression(fit_intercept=fit_intercept).fit(X, Y)
        np.testing.assert_allclose(model.coef_, expected[:d].T, rtol=tolerance, atol=tolerance)
        if fit_intercept:
            np.testing.assert_allclose(model.intercept_, expected[d], atol=10 * tolerance)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l2", [0.0, 0.5, 100.0])
def test_ridge_is_scikit_learns(l2, fit_intercept, rng, backend):
    X = rng.normal(size=(150, 5)) * [1, 10, 0.1, 3, 1] + [1, 2, 3, 0, 100]
    y = X @ [1.0, 2, 3, 4, 5] + rng.normal(size=150)
    peer = Ridge(alpha=l2, fit_intercept=fit_intercept).fit(X, y)
    model = LinearRegression(l2=l2, normalize=False, fit_intercept=fit_intercept).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-8)
    assert model.intercept_ == pytest.approx(peer.intercept_, rel=1e-7, abs=1e-9)
    assert model.score(X, y) == pytest.approx(peer.score(X, y), rel=1e-10)


def test_penalty_on_standardised_columns(rng):
    X, y = rng.normal(size=(80, 3)) * [1, 50, 0.01], rng.normal(size=80)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    peer = Ridge(alpha=7.0).fit(Z, y)
    model = LinearRegression(l2=7.0).fit(X, y)
    np.testing.assert_allclose(model.coef_ * X.std(axis=0), peer.coef_, rtol=1e-9)
    residual = y - peer.predict(Z)
    cost = (residual @ residual + 7.0 * peer.coef_ @ peer.coef_) / (2 * len(y))
    assert model.cost_history_ == pytest.approx([y @ y / (2 * len(y)), cost], rel=1e-12)
    assert model.n_iter_ == 1


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gradient_descent_is_the_plain_loop(normalize, fit_intercept, rng, backend):
    """J over the rows, its gradient summed over them, the bias stepped once and not regularised."""
    X, y = rng.normal(3, 2, (60, 3)) * [1, 2, 0.5], rng.normal(5, 1, 60)
    l2, rate, m = 4.0, 0.05, len(y)
    center = X.mean(axis=0) if fit_intercept else np.zeros(3)
    scale = np.sqrt(np.mean((X - center) ** 2, axis=0)) if normalize else np.ones(3)
    Z, theta, bias, costs = (X - center) / scale, np.zeros(3), 0.0, []
    for _ in range(12):
        residual = Z @ theta + bias - y
        costs.append((residual @ residual + l2 * theta @ theta) / (2 * m))
        theta, bias = (
            theta - rate * (Z.T @ residual + l2 * theta) / m,
            bias - rate * residual.mean() * fit_intercept,
        )
    model = LinearRegression(
        solver="gradient_descent",
        l2=l2,
        normalize=normalize,
        fit_intercept=fit_intercept,
        learning_rate=rate,
        max_iter=11,
        tol=0,
    )
    with pytest.warns(ConvergenceWarning, match="max_iter=11"):
        model.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        last = model.set_params(max_iter=12).fit(X, y)
    np.testing.assert_allclose(last.cost_history_[:12], costs, rtol=1e-10)
    np.testing.assert_allclose(last.coef_, theta / scale, rtol=1e-10)
    assert last.intercept_ == pytest.approx(bias - center @ (theta / scale), rel=1e-10, abs=1e-12)
    assert last.n_iter_ == 12


@pytest.mark.parametrize("d", [1, 5, 30])
def test_gradient_descent_reaches_the_minimum_untuned(d, dtype, rng):
    X = (rng.normal(size=(500, d)) * np.geomspace(1e-3, 1e3, d)).astype(dtype)
    y = (X / np.geomspace(1e-3, 1e3, d)).sum(axis=1).astype(dtype) + rng.normal(size=500)
    exact = LinearRegression().fit(X, y)
    model = LinearRegression(solver="gradient_descent").fit(X, y)
    # J is the target's variance less what is explained: it is right to a rounding of the former.
    rounding = float(np.finfo(np.float64).eps) * model.cost_history_[0]
    assert np.all(np.diff(model.cost_history_) <= rounding)
    assert model.cost_history_[-1] == pytest.approx(exact.cost_history_[-1], rel=1e-8)
    assert len(model.cost_history_) == model.n_iter_ + 1


def test_divergence_is_an_error_and_leaves_the_model(rng):
    X, y = rng.normal(size=(50, 2)), rng.normal(size=50)
    model = LinearRegression(solver="gradient_descent").fit(X, y)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match=r"diverged.*learning_rate"):
        model.set_params(learning_rate=1e3, tol=0).fit(X, y)
    np.testing.assert_array_equal(model.coef_, before)


@pytest.mark.parametrize("solver", ["normal_equation", "gradient_descent"])
def test_constant_and_duplicated_columns(solver, dtype, rng, backend):
    x = rng.normal(size=(300, 2)).astype(dtype)
    X = np.hstack([x, np.full((300, 1), 0.1, dtype), x[:, :1]])
    y = (3 * x[:, 0] - x[:, 1] + 1).astype(dtype)
    model = LinearRegression(solver=solver).fit(X, y)
    is_single, is_descent = dtype == np.float32, solver == "gradient_descent"
    tolerance = 1e-5 if is_single or is_descent else 1e-12
    if is_single and is_descent:  # which ends where the products' rounding hides the cost's fall
        tolerance = 4 * np.sqrt(np.finfo(dtype).eps)
    np.testing.assert_allclose(model.coef_, [1.5, -1, 0, 1.5], atol=tolerance)
    assert model.coef_[2] == 0


@pytest.mark.parametrize("n", [1, 2, 7, 20])
def test_fewer_rows_than_columns_gives_the_smallest_solution(n, rng, backend):
    X, Y = rng.normal(size=(n, 20)), rng.normal(size=(n, 2))
    model = LinearRegression().fit(X, Y)
    np.testing.assert_allclose(model.predict(X), Y, atol=1e-9)
    deviation = X.std(axis=0) if n > 1 else np.ones(20)
    Z = (X - X.mean(axis=0)) / deviation
    expected = (np.linalg.pinv(Z, rcond=1e-10) @ (Y - Y.mean(axis=0))).T
    np.testing.assert_allclose(model.coef_ * deviation, expected, atol=1e-8)


def test_targets_of_one_and_two_dimensions(rng):
    X, Y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    both = LinearRegression().fit(X, Y)
    assert both.coef_.shape == (2, 3)
    assert both.intercept_.shape == (2,)
    assert both.predict(X).shape == (40, 2)
    one = LinearRegression().fit(X, Y[:, 1])
    assert one.coef_.shape == (3,)
    assert isinstance(one.intercept_, float)
    assert one.predict(X).shape == (40,)
    np.testing.assert_allclose(one.coef_, both.coef_[1], rtol=1e-13)
    assert one.score(X, Y[:, 1]) <= 1
    with pytest.raises(ValueError, match="shape"):
        one.score(X, Y)


def test_score_of_a_constant_target():
    X = [[1.0], [2.0], [3.0]]
    model = LinearRegression().fit(X, [4.0, 4.0, 4.0])
    assert model.score(X, [4.0, 4.0, 4.0]) == 1.0
    assert model.score(X, [5.0, 5.0, 5.0]) == 0.0


def test_polynomials_and_sinusoids_fit_what_they_span(rng, backend):
    x = rng.uniform(-2, 2, (200, 2))
    y = 1 + 2 * x[:, 0] * x[:, 1] - x[:, 1] ** 2
    model = LinearRegression(polynomial_degree=2).fit(x, y)
    new = rng.uniform(-2, 2, (5, 2))
    np.testing.assert_allclose(
        model.predict(new), 1 + 2 * new[:, 0] * new[:, 1] - new[:, 1] ** 2, atol=1e-10
    )
    wave = LinearRegression(sinusoid_degree=3, normalize=False).fit(x[:, :1], np.sin(3 * x[:, 0]))
    np.testing.assert_allclose(wave.coef_, [0, 0, 0, 1], atol=1e-10)


def test_dtype_of_predictions(dtype, rng):
    X, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    model = LinearRegression().fit(X.astype(dtype), y.astype(dtype))
    assert model.predict(X.astype(dtype)).dtype == dtype
    assert model.coef_.dtype == np.float64


@pytest.mark.parametrize("n_jobs", [2, 3, 7])
def test_threads_and_layout_leave_no_trace(n_jobs, dtype, rng):
    X, y = rng.normal(size=(30_000, 12)).astype(dtype), rng.normal(size=30_000).astype(dtype)
    one = LinearRegression(n_jobs=1).fit(X, y)
    many = LinearRegression(n_jobs=n_jobs).fit(np.asfortranarray(X), y[::-1].copy()[::-1])
    assert one.coef_.tobytes() == many.coef_.tobytes()
    assert one.intercept_ == many.intercept_
    assert one.predict(X).tobytes() == many.predict(np.asfortranarray(X)).tobytes()


def test_integers_and_objects_are_numbers(rng):
    X, y = rng.integers(0, 255, (50, 3)), rng.integers(0, 9, 50)
    expected = LinearRegression().fit(X.astype(float), y.astype(float)).coef_
    for kind in (np.uint8, np.int64, object):
        np.testing.assert_array_equal(
            LinearRegression().fit(X.astype(kind), y.astype(kind)).coef_, expected
        )


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"solver": "magic"}, ValueError),
        ({"l2": -1.0}, ValueError),
        ({"l2": "1"}, TypeError),
        ({"normalize": "yes"}, TypeError),
        ({"fit_intercept": 2}, TypeError),
        ({"learning_rate": 0.0}, ValueError),
        ({"max_iter": 0}, ValueError),
        ({"tol": -1.0}, ValueError),
        ({"polynomial_degree": 0}, ValueError),
        ({"sinusoid_degree": -1}, ValueError),
        ({"n_jobs": 0}, ValueError),
    ],
)
def test_bad_parameters(parameters, error):
    with pytest.raises(error, match=next(iter(parameters))):
        LinearRegression(**parameters).fit([[1.0], [2.0]], [1.0, 2.0])


@pytest.mark.parametrize(
    ("X", "y", "match"),
    [
        ([1.0, 2.0], [1.0, 2.0], "2D array"),
        ([[1.0], [2.0]], [1.0], "inconsistent"),
        ([[1.0], [np.nan]], [1.0, 2.0], "X contains NaN; the first is in row 1"),
        ([[1.0], [2.0]], [1.0, np.inf], "y contains infinity"),
        ([[1.0], [2.0]], None, "requires y to be passed"),
        ([[1e200], [-1e200]], [1.0, 2.0], "too large"),
    ],
)
def test_bad_input(X, y, match, backend):
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match=match):
        LinearRegression().fit(X, y)


def test_float32_products_overflow():
    X, y = np.array([[1e30], [-1e30]], np.float32), np.array([1, 2], np.float32)
    with pytest.raises(ValueError, match="too large for products in float32"):
        LinearRegression().fit(X, y)


def test_prediction_needs_a_fit_and_its_columns():
    model = LinearRegression()
    with pytest.raises(NotFittedError):
        model.predict([[1.0]])
    model.fit([[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(ValueError, match="expecting 1 features"):
        model.predict([[1.0, 2.0]])
    assert repr(LinearRegression(l2=2.0)) == "LinearRegression(l2=2.0)"
