"""What each estimator learns at `fit`: taken from a model by name, and checked and given back.

The names are those of docs/saving.md. Each restorer reads as the list of what its class may have:
types, shapes and ranges are checked, so that no kernel ever meets a model that fits none.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from hmlc import _validate, basis, gaussian_anomaly, linear_regression
from hmlc._estimator import in_both_types
from hmlc._gaussian import Gaussian
from hmlc._saving.learned_perceptron import (
    classifier_state,
    regressor_state,
    restore_classifier,
    restore_regressor,
)
from hmlc._saving.state import Reader, State
from hmlc._scatter import Scatter
from hmlc.basis import PolynomialFeatures, SinusoidFeatures
from hmlc.features import FeatureMap, Moments, StandardScaler
from hmlc.gaussian_anomaly import GaussianAnomalyDetector
from hmlc.k_means import KMeans
from hmlc.linear_regression import LinearRegression
from hmlc.logistic_regression import LogisticRegression
from hmlc.multilayer_perceptron import MLPClassifier, MLPRegressor


def _public(model: Any, *names: str) -> State:
    return {name: getattr(model, name) for name in names}


def _scaler_state(model: Any) -> State:
    names = ("n_features_in_", "mean_", "variance_", "scale_")
    return _public(model, *names) | _moments_state("seen", model._moments)


def _restore_scaler(model: Any, state: Reader) -> None:
    d = model.n_features_in_ = state.integer("n_features_in_")
    model.mean_ = state.array("mean_", (d,))
    model.variance_ = state.array("variance_", (d,))
    model.scale_ = state.positive("scale_", (d,))
    model._moments = _restored_moments("seen", state, d)


def _expansion_state(model: Any) -> State:
    return _public(model, "n_features_in_", "n_output_features_")


def _restore_expansion(model: Any, state: Reader) -> None:
    d = model.n_features_in_ = state.integer("n_features_in_")
    model.n_output_features_ = state.integer("n_output_features_")
    width = model._width(d)
    if model.n_output_features_ != width:
        raise ValueError(
            f"n_output_features_ is {model.n_output_features_}, but its parameters make {width} "
            f"columns of {d}; were they changed after fit?"
        )


def _features_state(made: FeatureMap) -> State:
    state: State = {
        "features.polynomial_degree": made.polynomial_degree,
        "features.sinusoid_degree": made.sinusoid_degree,
        "features.normalize": made.normalize,
    }
    if not made.is_identity and made._moments is not None:
        state |= _moments_state("features", made._moments)
    return state


def _restored_features(state: Reader, d: int, width: int) -> FeatureMap:
    """Return the map of d columns to `width`."""
    made = FeatureMap(
        polynomial_degree=state.integer("features.polynomial_degree"),
        sinusoid_degree=state.integer("features.sinusoid_degree", low=0),
        normalize=state.flag("features.normalize"),
    )
    made._n_columns = d
    made._n_powers = basis.polynomial_width(d, made.polynomial_degree)
    made._width = made._n_powers + basis.sinusoid_width(d, made.sinusoid_degree)
    if made._width != width:
        raise ValueError(f"{d} columns make {made._width}, but the weights are of {width}")
    if made.is_identity:
        return made
    made._moments = None
    if made.normalize:
        made._moments = _restored_moments("features", state, d)
    return made


def _moments_state(of: str, moments: Moments) -> State:
    count = float(moments.count[0])
    return {f"{of}.count": count, f"{of}.mean": moments.mean, f"{of}.m2": moments.m2}


def _restored_moments(of: str, state: Reader, d: int) -> Moments:
    count, mean = state.number(f"{of}.count"), state.array(f"{of}.mean", (d,))
    m2 = state.array(f"{of}.m2", (d,))
    if not (0 < count < math.inf and (m2 >= 0).all()):
        raise ValueError(f"{of}.count or {of}.m2 is not of any columns' moments")
    moments = Moments(0)
    moments.count[0], moments.mean, moments.m2 = count, mean, m2
    return moments


def _linear_state(model: Any) -> State:
    names = ("coef_", "intercept_", "cost_history_", "n_iter_", "n_features_in_")
    return {
        **_public(model, *names),
        **_features_state(model._features),
        **({} if model._seen is None else _scatter_state(*model._seen)),
    }


def _restore_linear(model: Any, state: Reader) -> None:
    if state.is_array("intercept_"):
        model.coef_ = state.array("coef_", (None, None), infinite=True)
        model.intercept_ = state.array("intercept_", model.coef_.shape[:1], infinite=True)
    else:
        model.coef_ = state.array("coef_", (None,), infinite=True)
        model.intercept_ = state.number("intercept_")
    _restore_history(model, state)
    model.n_features_in_ = state.integer("n_features_in_")
    model._features = _restored_features(state, model.n_features_in_, model.coef_.shape[-1])
    width = model.coef_.shape[-1] + max(1, np.size(model.intercept_))
    model._seen = None
    if state.is_array("seen.S"):
        model._seen = linear_regression._Seen(*_restored_scatter(state, width))


def _scatter_state(scatter: Scatter, dtype: np.dtype[Any]) -> State:
    return {
        "seen.count": float(scatter.count[0]),
        "seen.mean": scatter.mean,
        "seen.S": scatter.S,
        "seen.dtype": dtype.name,
    }


def _restored_scatter(state: Reader, width: int) -> tuple[Scatter, np.dtype[Any]]:
    scatter = Scatter(width, state.array("seen.S", (width, width)))
    scatter.count[0], scatter.mean = _restored_count(state), state.array("seen.mean", (width,))
    return scatter, _restored_dtype(state)


def _restored_count(state: Reader) -> float:
    count = state.number("seen.count")
    if not 0 < count < math.inf:
        raise ValueError(f"seen.count must be a number of rows or weight of them; got {count!r}")
    return count


def _restored_dtype(state: Reader) -> np.dtype[Any]:
    return np.dtype(state.choice("seen.dtype", [each.name for each in _validate.FLOATS]))


def _restore_history(model: Any, state: Reader) -> None:
    model.cost_history_ = state.array("cost_history_", (None,), infinite=True)
    model.n_iter_ = state.integer("n_iter_", low=0)


def _logistic_state(model: Any) -> State:
    names = ("classes_", "coef_", "intercept_", "cost_history_", "n_iter_", "n_features_in_")
    return {
        **_public(model, *names),
        "weights": model._weights_and_units[np.dtype(np.float64)][0],
        "units": model._weights_and_units[model.coef_.dtype][1],
        **{f"memory.{name}": array for name, array in model._memory.items()},
        **_features_state(model._features),
    }


def _restore_logistic(model: Any, state: Reader) -> None:
    model.classes_ = state.labels()
    rows = 1 if len(model.classes_) == 2 else len(model.classes_)
    units = state.array("units", (2, None), _validate.FLOATS)
    width = units.shape[1]
    weights = state.array("weights", (rows, width + 1))
    own = (units.dtype,)
    model.coef_ = state.array("coef_", (rows, width), own, infinite=True)
    model.intercept_ = state.array("intercept_", (rows,), own, infinite=True)
    _restore_history(model, state)
    model.n_features_in_ = state.integer("n_features_in_")
    model._weights_and_units = in_both_types(weights, units)
    model._features = _restored_features(state, model.n_features_in_, width)
    shapes = {"moments": (2, weights.size), "powers": (2,), "steps": (1,)}
    model._memory = {}
    if state.is_array("memory.moments"):
        for name, shape in shapes.items():
            model._memory[name] = state.array(f"memory.{name}", shape, _validate.FLOATS)
        steps = float(model._memory["steps"][0])
        if model._memory["powers"].dtype != np.float64 or not 0 <= steps < 2**53:
            raise ValueError("memory.powers or memory.steps is not what Adam remembers")
    is_one = rows > 1 and model.multi_class != "ovr"
    for index in range(1 if is_one else rows):
        name, size = f"pairs{index}", weights.size if is_one else width + 1
        if state.is_array(f"memory.{name}"):
            model._memory[name] = state.array(f"memory.{name}", (None, 2, size))


def _k_means_state(model: Any) -> State:
    names = ("cluster_centers_", "labels_", "counts_", "inertia_", "cost_history_", "n_iter_")
    seen = {} if model._seen is None else {"seen.centres": model._seen}
    return _public(model, *names) | {"shift": model._shift} | seen


def _restore_k_means(model: Any, state: Reader) -> None:
    model.cluster_centers_ = state.array("cluster_centers_", (None, None), _validate.FLOATS)
    k, d = model.cluster_centers_.shape
    model.labels_ = state.array("labels_", (None,), (np.dtype(np.int32),))
    if model.labels_.min() < 0 or model.labels_.max() >= k:
        raise ValueError(f"labels_ must be from 0 to {k - 1}")
    model.inertia_ = state.number("inertia_")
    _restore_history(model, state)
    model.counts_ = state.array("counts_", (k,))
    if not ((model.counts_ >= 0).all() and model.counts_.sum() > 0):
        raise ValueError("counts_ must be weights of rows")
    model._shift = state.array("shift", (d,))
    model._seen = state.array("seen.centres", (k, d)) if state.is_array("seen.centres") else None
    model.n_features_in_ = d


def _gaussian_state(model: Any) -> State:
    state = {
        **_public(model, "mean_", "variance_", "covariance_", "threshold_"),
        "whitener": model._gaussian.whitener,
        "normaliser": model._gaussian.normaliser,
    }
    if model._seen is None:
        return state
    statistic, dtype = model._seen
    if isinstance(statistic, Scatter):
        return state | _scatter_state(statistic, dtype)
    return state | _moments_state("seen", statistic) | {"seen.dtype": dtype.name}


def _restore_gaussian(model: Any, state: Reader) -> None:
    model.mean_ = state.array("mean_", (None,))
    d = model.n_features_in_ = len(model.mean_)
    model.variance_ = state.positive("variance_", (d,))
    if state.is_array("covariance_"):
        model.covariance_ = state.array("covariance_", (d, d))
        whitener = state.array("whitener", (d, d))
    else:
        state.nothing("covariance_")
        model.covariance_ = None
        whitener = state.positive("whitener", (d,))
    model.threshold_ = state.number("threshold_")
    normaliser = state.number("normaliser")
    model._gaussian = Gaussian(
        model.mean_, model.variance_, model.covariance_, whitener, normaliser
    )
    model._seen = None
    if state.is_array("seen.S"):
        model._seen = gaussian_anomaly._Seen(*_restored_scatter(state, d))
    elif state.is_array("seen.m2"):
        moments = _restored_moments("seen", state, d)
        model._seen = gaussian_anomaly._Seen(moments, _restored_dtype(state))


class Kind(NamedTuple):
    """A class, what takes its own state of a fitted model, and what gives that to a new one."""

    make: type[Any]
    own_state: Callable[[Any], State]
    restore_own: Callable[[Any, Reader], None]

    def state_of(self, model: Any) -> State:
        """Return what a fitted model learned, by name."""
        names = ("feature_names_in_",) if hasattr(model, "feature_names_in_") else ()
        return self.own_state(model) | _public(model, *names)

    def restore(self, model: Any, state: Reader) -> None:
        """Give a new model what another learned; raises ValueError or TypeError where it cannot."""
        self.restore_own(model, state)
        if state.is_array("feature_names_in_"):
            model.feature_names_in_ = state.names("feature_names_in_", model.n_features_in_)
        state.finish()


KINDS = {
    kind.make.__name__: kind
    for kind in (
        Kind(GaussianAnomalyDetector, _gaussian_state, _restore_gaussian),
        Kind(KMeans, _k_means_state, _restore_k_means),
        Kind(LinearRegression, _linear_state, _restore_linear),
        Kind(LogisticRegression, _logistic_state, _restore_logistic),
        Kind(MLPClassifier, classifier_state, restore_classifier),
        Kind(MLPRegressor, regressor_state, restore_regressor),
        Kind(PolynomialFeatures, _expansion_state, _restore_expansion),
        Kind(SinusoidFeatures, _expansion_state, _restore_expansion),
        Kind(StandardScaler, _scaler_state, _restore_scaler),
    )
}


def kind_of(model: Any) -> Kind:
    """Return a model's kind.

    Raises
    ------
    TypeError
        If it is not one of hmlc's own estimators; a subclass is not, for it may learn more.
    """
    kind = KINDS.get(type(model).__name__)
    if kind is None or kind.make is not type(model):
        raise TypeError(
            f"expected a model of one of {', '.join(KINDS)}; got {type(model).__name__}"
        )
    return kind
