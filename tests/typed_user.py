"""A program that uses the public names as its types say: `mypy --strict` accepts it.

Lines that must be refused carry an ignore, which `--strict` refuses in its turn where it is idle.
"""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import hmlc
from hmlc import datasets, metrics, plots
from hmlc._core import moments

iris = datasets.load_iris()
X_train, X_test, y_train, y_test = metrics.train_test_split(iris.data, iris.target_labels)

clusters = hmlc.KMeans(n_clusters=3, random_state=0).fit(X_train)
assert_type(clusters, hmlc.KMeans)
assert_type(clusters.labels_, NDArray[np.int32])
assert_type(clusters.inertia_, float)
assert_type(clusters.predict(X_test), NDArray[np.int32])
assert_type(clusters.get_params(), dict[str, Any])

classifier = hmlc.LogisticRegression(l2=0.1, solver="lbfgs").fit(X_train, y_train)
assert_type(classifier.predict_proba(X_test), NDArray[Any])
assert_type(classifier.score(X_test, y_test), float)
assert_type(metrics.accuracy(y_test, classifier.predict(X_test)), float)
assert_type(metrics.confusion_matrix(y_test, y_test), NDArray[Any])

detector = hmlc.GaussianAnomalyDetector(covariance="full").fit(X_train)
assert_type(detector.threshold_, float)
selection = hmlc.select_threshold(y_test == "setosa", detector.score_samples(X_test))
assert_type(selection, hmlc.ThresholdSelection)
assert_type(selection.f1, float)

network = hmlc.MLPRegressor(hidden_layer_sizes=(4,)).set_params(max_iter=5)
assert_type(network, hmlc.MLPRegressor)
assert_type(hmlc.MLPClassifier().fit(X_train, y_train), hmlc.MLPClassifier)
assert_type(hmlc.LinearRegression().fit(X_train, X_train[:, 0]), hmlc.LinearRegression)
network.partial_fit(X_train, X_train[:, 0]).fit(X_test, X_test[:, 0], np.ones(len(X_test)))
assert_type(network.partial_fit(X_train, X_train[:, 0]), hmlc.MLPRegressor)
stopped = hmlc.MLPClassifier(early_stopping=True, class_weight="balanced")
stopped.fit(X_train, y_train, X_val=X_test, y_val=y_test)
assert_type(stopped.best_validation_score_, float | None)
columns = hmlc.PolynomialFeatures(degree=2).fit_transform(X_train)
assert_type(columns, Any)  # an array, or the data frame that set_output asks for
plots.clusters(clusters, X_train)

assert_type(metrics.silhouette_score(X_train, clusters.labels_), float)
plots.silhouette(X_train, clusters.labels_)
plots.elbow(clusters, X_train, range(2, 6))

hmlc.save(clusters, "clusters.hmlc")
hmlc.export_c(clusters, "clusters.h")
assert_type(hmlc.load("clusters.hmlc"), Any)

with hmlc.use_backend("numpy"):
    assert_type(hmlc.backend(), str)

rows = np.zeros((4, 2))
total = np.zeros(2)
moments.update(rows, np.ones(4), np.zeros(1), total, total)

hmlc.KMeans(n_cluster=3)  # type: ignore[call-arg]
hmlc.MLPRegressor(loss="softmax")  # type: ignore[call-arg]
hmlc.MLPClassifier(l2="small")  # type: ignore[arg-type]
hmlc.KMeans(3)  # type: ignore[call-arg]
hmlc.KMeans(n_clusters="three")  # type: ignore[arg-type]
hmlc.LogisticRegression(solver="guess")  # type: ignore[arg-type]
hmlc.use_backend("fortran")  # type: ignore[arg-type]
moments.update(rows, np.ones(4), np.zeros(1), total)  # type: ignore[call-arg]
moments.standardise(rows, total, total.astype(np.float32), rows)  # type: ignore[type-var]
