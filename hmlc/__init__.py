"""Machine learning's classic algorithms, compiled."""

import importlib
from typing import TYPE_CHECKING

from hmlc._backend import backend, use_backend

if TYPE_CHECKING:
    from hmlc._estimator import ConvergenceWarning
    from hmlc._export.to_c import export_c
    from hmlc._export.to_onnx import export_onnx
    from hmlc._functions import sigmoid, sigmoid_gradient
    from hmlc._progress import Progress
    from hmlc._saving.files import ModelFileError, load, save
    from hmlc._sklearn import DataConversionWarning, NotFittedError
    from hmlc.basis import PolynomialFeatures, SinusoidFeatures
    from hmlc.features import StandardScaler
    from hmlc.gaussian_anomaly import GaussianAnomalyDetector
    from hmlc.k_means import KMeans
    from hmlc.linear_regression import LinearRegression
    from hmlc.logistic_regression import LogisticRegression
    from hmlc.multilayer_perceptron import MLPClassifier, MLPRegressor
    from hmlc.threshold_selection import ThresholdSelection, select_threshold

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
    "Progress",
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

_HOMES = {
    name: module
    for module, names in {
        "_estimator": ("ConvergenceWarning",),
        "_export.to_c": ("export_c",),
        "_export.to_onnx": ("export_onnx",),
        "_functions": ("sigmoid", "sigmoid_gradient"),
        "_progress": ("Progress",),
        "_saving.files": ("ModelFileError", "load", "save"),
        "_sklearn": ("DataConversionWarning", "NotFittedError"),
        "basis": ("PolynomialFeatures", "SinusoidFeatures"),
        "features": ("StandardScaler",),
        "gaussian_anomaly": ("GaussianAnomalyDetector",),
        "k_means": ("KMeans",),
        "linear_regression": ("LinearRegression",),
        "logistic_regression": ("LogisticRegression",),
        "multilayer_perceptron": ("MLPClassifier", "MLPRegressor"),
        "threshold_selection": ("ThresholdSelection", "select_threshold"),
    }.items()
    for name in names
}
"""Where the names live: a module is imported when one of its names is asked for.

So `import hmlc` takes little longer than `import numpy`.
"""
_MODULES = ("benchmark", "datasets", "metrics", "plots")


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"hmlc.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(f"hmlc.{_HOMES[name]}"), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
