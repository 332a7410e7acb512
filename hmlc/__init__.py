"""Machine learning's classic algorithms, compiled."""

from hmlc._backend import backend, use_backend
from hmlc._estimator import ConvergenceWarning, NotFittedError
from hmlc.features import StandardScaler
from hmlc.linear_regression import LinearRegression

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "LinearRegression",
    "NotFittedError",
    "StandardScaler",
    "backend",
    "use_backend",
]
