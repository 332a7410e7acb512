"""What every estimator shares: parameters, printing, and what an unfitted or failed one does."""

import pickle

import numpy as np
import pytest

import hmlc
from hmlc._estimator import Estimator

ESTIMATORS = [
    value
    for value in vars(hmlc).values()
    if isinstance(value, type) and issubclass(value, Estimator)
]


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_init_is_inert_and_parameters_round_trip(kind):
    estimator = kind()
    params = estimator.get_params()
    assert vars(estimator) == params
    marks = {name: object() for name in params}
    marked = kind(**marks)
    assert all(marked.get_params()[name] is mark for name, mark in marks.items())
    assert repr(estimator) == f"{kind.__name__}()"


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_unknown_parameter_changes_nothing(kind):
    estimator = kind()
    before = estimator.get_params()
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        estimator.set_params(n_jobs=2, nonsense=1)
    assert estimator.get_params() == before


def test_printing_shows_what_differs_from_the_defaults():
    assert repr(hmlc.StandardScaler(n_jobs=2)) == "StandardScaler(n_jobs=2)"


METHODS = ("predict", "predict_proba", "transform", "score_samples", "decision_function")


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_unfitted_estimator_says_so(kind):
    methods = [name for name in METHODS if hasattr(kind, name)]
    assert methods
    for name in methods:
        with pytest.raises(hmlc.NotFittedError, match="not fitted yet"):
            getattr(kind(), name)([[1.0, 2.0]])


def data(n=60):
    X = np.random.default_rng(0).normal(size=(n, 3))
    return X, (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")
def test_a_failed_fit_leaves_the_estimator_as_it_was(kind):
    X, y = data()
    estimator = kind().fit(X, y)
    before = pickle.dumps(estimator)
    bad = X.copy()
    bad[7, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(bad, y)
    assert pickle.dumps(estimator) == before


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")
def test_fit_returns_self_and_columns_are_counted(kind):
    X, y = data()
    estimator = kind()
    assert estimator.fit(X, y) is estimator
    assert estimator.n_features_in_ == 3
    name = next(name for name in METHODS if hasattr(kind, name))
    with pytest.raises(
        ValueError, match=f"X has 2 features, but {kind.__name__} is expecting 3 features as input"
    ):
        getattr(estimator, name)(X[:, :2])


LAYOUTS = {
    "read-only": lambda X: _read_only(X),
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: X[::-1][::-1],
    "byte-swapped": lambda X: X.astype(X.dtype.newbyteorder()),
    "object": lambda X: X.astype(object),
    "list": lambda X: X.tolist(),
}


def _read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")
def test_layout_leaves_no_trace(kind, layout):
    X, y = data()
    name = next(name for name in METHODS if hasattr(kind, name))
    params = {"random_state": 3} if "random_state" in kind().get_params() else {}
    expected = getattr(kind(**params).fit(X, y), name)(X)
    again = getattr(kind(**params).fit(LAYOUTS[layout](X), y), name)(LAYOUTS[layout](X))
    assert np.asarray(expected).tobytes() == np.asarray(again).tobytes()


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")
def test_a_mapped_file_leaves_no_trace(kind, tmp_path):
    X, y = data(600)
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    name = next(name for name in METHODS if hasattr(kind, name))
    params = {"random_state": 3} if "random_state" in kind().get_params() else {}
    expected = getattr(kind(**params).fit(X, y), name)(X)
    assert (
        np.asarray(expected).tobytes()
        == getattr(kind(**params).fit(mapped, y), name)(mapped).tobytes()
    )


BAD_ROWS = {
    "one dimension": [1.0, 2.0, 3.0],
    "three dimensions": np.zeros((2, 2, 2)),
    "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((3, 0)),
    "complex": np.ones((4, 2), complex),
    "strings": [["a", "b"], ["c", "d"]],
    "infinity": [[1.0, np.inf], [0.0, 1.0]],
    "objects": [[object(), 1.0], [2.0, 3.0]],
    "ragged": [[1.0, 2.0], [3.0]],
    "None": None,
}


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("bad", BAD_ROWS)
def test_bad_rows_are_refused_with_words(kind, bad):
    X = BAD_ROWS[bad]
    y = np.arange(0 if X is None else len(X)) % 2
    estimator = kind()
    before = vars(estimator).copy()
    with pytest.raises((ValueError, TypeError)) as refusal:
        estimator.fit(X, y)
    assert len(str(refusal.value)) > 15
    assert vars(estimator) == before


@pytest.mark.parametrize("kind", [k for k in ESTIMATORS if "l2" in k().get_params()])
@pytest.mark.parametrize("l2", [-1.0, np.nan, "much", None])
def test_a_bad_l2_is_refused(kind, l2):
    X, y = data()
    with pytest.raises((ValueError, TypeError), match="l2 must be a number >= 0"):
        kind(l2=l2).fit(X, y)


NEED_MORE_THAN_ONE_ROW = (hmlc.KMeans, hmlc.LogisticRegression, hmlc.MLPClassifier)


@pytest.mark.parametrize("kind", NEED_MORE_THAN_ONE_ROW)
def test_one_row_is_refused_where_it_is_not_enough(kind):
    with pytest.raises(ValueError, match=r"n_clusters|class"):
        kind().fit([[1.0, 2.0]], [1])


@pytest.mark.parametrize("kind", [k for k in ESTIMATORS if k not in NEED_MORE_THAN_ONE_ROW])
@pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")
def test_one_row_gives_numbers(kind):
    estimator = kind().fit([[1.0, 2.0]], [1])
    name = next(name for name in METHODS if hasattr(kind, name))
    assert np.isfinite(np.asarray(getattr(estimator, name)([[1.0, 2.0]]), float)).all()


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")
def test_constant_columns_give_numbers(kind):
    X, y = data()
    X[:, 1] = 7.25
    X[:, 2] = 0.0
    estimator = kind().fit(X, y)
    for name in METHODS:
        if hasattr(estimator, name):
            assert np.isfinite(np.asarray(getattr(estimator, name)(X), float)).all()


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")
def test_a_row_alone_is_answered_as_among_others(kind, dtype):
    X, y = data()
    X = X.astype(dtype)
    name = next(name for name in METHODS if hasattr(kind, name))
    params = {"random_state": 3} if "random_state" in kind().get_params() else {}
    answer = getattr(kind(**params).fit(X, y), name)
    together = answer(X)
    for row in (0, len(X) - 1):
        alone = answer(X[row : row + 1])
        assert np.asarray(alone).tobytes() == np.asarray(together[row : row + 1]).tobytes()


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.filterwarnings("ignore::hmlc.ConvergenceWarning")
def test_fits_and_answers_refuse_what_is_not_finite(kind, value, backend):
    """Also in a column that plays no part: its coefficient is 0."""
    X, y = data(30)
    X = np.column_stack([X, np.ones(30)])
    params = {"random_state": 3} if "random_state" in kind().get_params() else {}
    model = kind(**params).fit(X, y)
    X[7, -1] = value
    name = next(name for name in METHODS if hasattr(kind, name))
    what = "NaN" if np.isnan(value) else "infinity"
    for function, arguments in ((getattr(model, name), (X,)), (kind(**params).fit, (X, y))):
        with pytest.raises(ValueError, match=f"Input X contains {what}; the first is in row 7"):
            function(*arguments)
