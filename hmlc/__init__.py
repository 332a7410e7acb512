"""Machine learning's classic algorithms, compiled."""

from hmlc._backend import backend, use_backend
from hmlc._estimator import ConvergenceWarning, NotFittedError
from hmlc.features import StandardScaler
from hmlc.multilayer_perceptron import MLPClassifier, MLPRegressor

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "MLPClassifier",
    "MLPRegressor",
    "NotFittedError",
    "StandardScaler",
    "backend",
    "use_backend",
]
