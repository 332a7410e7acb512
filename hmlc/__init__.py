"""Machine learning's classic algorithms, compiled."""

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
    "NotFittedError",
    "PolynomialFeatures",
    "SinusoidFeatures",
    "StandardScaler",
    "ThresholdSelection",
    "backend",
    "select_threshold",
    "sigmoid",
    "sigmoid_gradient",
    "use_backend",
]
