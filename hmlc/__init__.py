"""Machine learning's classic algorithms, compiled."""

from typing import TYPE_CHECKING

from hmlc._backend import backend, use_backend
from hmlc._estimator import ConvergenceWarning
from hmlc._functions import sigmoid, sigmoid_gradient
from hmlc._sklearn import DataConversionWarning, NotFittedError
from hmlc.basis import PolynomialFeatures, SinusoidFeatures
from hmlc.features import StandardScaler
from hmlc.gaussian_anomaly import GaussianAnomalyDetector, ThresholdSelection, select_threshold
from hmlc.k_means import KMeans
from hmlc.linear_regression import LinearRegression
from hmlc.logistic_regression import LogisticRegression
from hmlc.multilayer_perceptron import MLPClassifier, MLPRegressor

if TYPE_CHECKING:
    from hmlc._export_c import export_c
    from hmlc._export_onnx import export_onnx
    from hmlc._saving import ModelFileError, load, save

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "DataConversionWarning",
    "GaussianAnomalyDetector",
    "KMeans",
    "LinearRegression",
    "LogisticRegression",
    "MLPClassifier",
    "MLPRegressor",
    "ModelFileError",
    "NotFittedError",
    "PolynomialFeatures",
    "SinusoidFeatures",
    "StandardScaler",
    "ThresholdSelection",
    "backend",
    "export_c",
    "export_onnx",
    "load",
    "save",
    "select_threshold",
    "sigmoid",
    "sigmoid_gradient",
    "use_backend",
]

_IN_MODULES = {
    "ModelFileError": "_saving",
    "export_c": "_export_c",
    "export_onnx": "_export_onnx",
    "load": "_saving",
    "save": "_saving",
}
"""What few programs need: imported when asked for, so that the rest starts sooner."""


def __getattr__(name: str) -> object:
    if name not in _IN_MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    globals()[name] = getattr(importlib.import_module(f"hmlc.{_IN_MODULES[name]}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
