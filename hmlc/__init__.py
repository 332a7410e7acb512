"""Machine learning's classic algorithms, compiled."""

from hmlc._backend import backend, use_backend
from hmlc._estimator import ConvergenceWarning, NotFittedError
from hmlc.features import StandardScaler
from hmlc.gaussian_anomaly import (
    GaussianAnomalyDetector,
    ThresholdSelection,
    select_threshold,
)

__version__ = "0.1.0"

__all__ = [
    "ConvergenceWarning",
    "GaussianAnomalyDetector",
    "NotFittedError",
    "StandardScaler",
    "ThresholdSelection",
    "backend",
    "select_threshold",
    "use_backend",
]
