"""Machine learning's classic algorithms, compiled."""

from hmlc._backend import backend, use_backend
from hmlc._estimator import ConvergenceWarning, NotFittedError
from hmlc.basis import PolynomialFeatures, SinusoidFeatures
from hmlc.features import StandardScaler

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "NotFittedError",
    "PolynomialFeatures",
    "SinusoidFeatures",
    "StandardScaler",
    "backend",
    "use_backend",
]
