"""Data frames and tensors in, names kept and checked, data frames out."""

import warnings

import numpy as np
import pandas as pd
import polars
import pytest
import sklearn

import hmlc


@pytest.fixture
def frame(rng):
    return pd.DataFrame(rng.normal(size=(20, 2)), columns=["a", "b"], index=np.arange(20) * 2)


@pytest.fixture(params=[pd.DataFrame, polars.DataFrame], ids=["pandas", "polars"])
def make(request):
    return request.param


def test_names_are_kept_and_forgotten(frame, make):
    scaler = hmlc.StandardScaler().fit(make({name: frame[name].to_numpy() for name in frame}))
    assert scaler.feature_names_in_.tolist() == ["a", "b"]
    assert scaler.feature_names_in_.dtype == object
    assert scaler.get_feature_names_out().tolist() == ["a", "b"]
    assert not hasattr(scaler.fit(frame.to_numpy()), "feature_names_in_")


def test_a_frame_counts_as_its_array(frame, make):
    given = make({name: frame[name].to_numpy() for name in frame})
    by_frame = hmlc.KMeans(n_clusters=2, random_state=0)
    by_array = hmlc.KMeans(n_clusters=2, random_state=0).fit(frame.to_numpy())
    assert by_frame.fit(given).cluster_centers_.tobytes() == by_array.cluster_centers_.tobytes()
    np.testing.assert_array_equal(by_frame.predict(given), by_array.labels_)


def test_names_are_checked_at_predict(frame):
    model = hmlc.LinearRegression().fit(frame, frame["a"])
    model.predict(frame)
    with pytest.raises(ValueError, match=r"must be in the same order as they were in fit"):
        model.predict(frame[["b", "a"]])
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- c\n.*yet now missing:\n- b"):
        model.predict(frame.rename(columns={"b": "c"}))
    with pytest.warns(UserWarning, match="X does not have valid feature names, but LinearReg"):
        model.predict(frame.to_numpy())
    model.fit(frame.to_numpy(), frame["a"])
    with pytest.warns(UserWarning, match="X has feature names, but LinearRegression was fitted"):
        model.predict(frame)


def test_mixed_names_are_refused(frame):
    with pytest.raises(TypeError, match=r"\['int', 'str'\]"):
        hmlc.StandardScaler().fit(frame.set_axis(["a", 1], axis=1))
    numbered = hmlc.StandardScaler().fit(frame.set_axis([0, 1], axis=1))
    assert not hasattr(numbered, "feature_names_in_")


@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        hmlc.LinearRegression,
        hmlc.LogisticRegression,
        hmlc.KMeans,
        hmlc.GaussianAnomalyDetector,
        hmlc.MLPClassifier,
        hmlc.MLPRegressor,
        hmlc.StandardScaler,
        hmlc.PolynomialFeatures,
        hmlc.SinusoidFeatures,
    ],
)
def test_mixed_names_leave_the_estimator_as_it_was(make, is_fitted, frame):
    model, y = make(), np.arange(20) % 2
    few = {name: 2 for name in ("n_clusters", "max_iter") if name in model.get_params()}
    model.set_params(**few)
    if is_fitted:
        with warnings.catch_warnings(action="ignore"):
            model.fit(frame + 1, y)
    before = dict(vars(model))
    with pytest.raises(TypeError, match=r"\['int', 'str'\]"):
        model.fit(frame.set_axis(["a", 1], axis=1), y)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_set_output(frame, kind):
    made = hmlc.PolynomialFeatures().set_output(transform=kind)
    out = made.fit_transform(frame)
    assert type(out).__module__.startswith(kind)
    assert list(out.columns) == ["a", "b", "a^2", "a b", "b^2"]
    np.testing.assert_array_equal(
        out.to_numpy(), hmlc.PolynomialFeatures().fit_transform(frame.to_numpy())
    )
    if kind == "pandas":
        assert out.index.equals(frame.index)
    assert isinstance(made.set_output(transform="default").transform(frame), np.ndarray)


def test_set_output_of_distances_names_clusters(frame):
    out = hmlc.KMeans(n_clusters=2).set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == ["kmeans0", "kmeans1"]


def test_scikit_learns_global_choice(frame):
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(hmlc.StandardScaler().fit_transform(frame), pd.DataFrame)
        own = hmlc.StandardScaler().set_output(transform="default")
        assert isinstance(own.fit_transform(frame), np.ndarray)


def test_an_unknown_container_is_refused():
    with pytest.raises(ValueError, match="transform must be one of 'default', 'pandas', 'polars'"):
        hmlc.StandardScaler().set_output(transform="arrow")


def test_a_single_type_frame_is_not_copied(frame, monkeypatch):
    seen = []
    check = hmlc._validate.check_finite
    monkeypatch.setattr(
        hmlc._validate, "check_finite", lambda array, name: (seen.append(array), check(array, name))
    )
    hmlc.PolynomialFeatures().fit(frame)
    assert np.shares_memory(seen[0], frame.to_numpy())


class OnlyDLPack:
    """An array of another library, which gives itself away through DLPack alone."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_dlpack(rng):
    X = rng.normal(size=(30, 2))
    by_array = hmlc.LinearRegression().fit(X, X[:, 0])
    by_dlpack = hmlc.LinearRegression().fit(OnlyDLPack(X), OnlyDLPack(X[:, 0]))
    assert by_array.coef_.tobytes() == by_dlpack.coef_.tobytes()
    assert np.shares_memory(hmlc._validate.as_matrix(OnlyDLPack(X)), X)


def test_missing_values_of_nullable_columns(frame):
    frame["a"] = pd.array([1, None] * 10, dtype="Int64")
    with pytest.raises((ValueError, TypeError), match=r"NaN|real numbers"):
        hmlc.StandardScaler().fit(frame)
