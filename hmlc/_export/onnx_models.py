"""What each kind of model adds to its ONNX graph."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from hmlc import __version__, _network
from hmlc._export.common import plain_labels
from hmlc.features import FeatureMap

Array = NDArray[Any]

OPSET = 17
IR_VERSION = 8
"""Of the same time as the opset: runtimes refuse files of newer versions than they know."""


class Graph:
    """A graph as it grows; values go by their names."""

    def __init__(self, dtype: "np.dtype[Any]", n_features: int) -> None:
        self.dtype = dtype
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._outputs: list[Any] = []
        element = self.element(dtype)
        self._input = helper.make_tensor_value_info("X", element, ["n", n_features])

    @staticmethod
    def element(dtype: "np.dtype[Any]") -> int:
        """Return ONNX's number for a dtype."""
        return int(helper.np_dtype_to_tensor_dtype(dtype))

    def constant(self, values: Any, dtype: Any = None) -> str:
        """Add an array, in the graph's float type where no other is given."""
        name = f"c{len(self._constants)}"
        with np.errstate(over="ignore"):
            array = (
                np.ascontiguousarray(values).astype(dtype or self.dtype).reshape(np.shape(values))
            )
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def strings(self, labels: list[Any]) -> str:
        """Add an array of strings."""
        name = f"c{len(self._constants)}"
        raw: Any = [label.encode() if isinstance(label, str) else label for label in labels]
        self._constants.append(helper.make_tensor(name, onnx.TensorProto.STRING, [len(raw)], raw))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator; return its answer."""
        name = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def cast(self, value: str, dtype: Any) -> str:
        """Return a value in another dtype."""
        return self.node("Cast", value, to=self.element(np.dtype(dtype)))

    def axes(self, operator: str, value: str, axis: int, **attributes: Any) -> str:
        """Return what an operator makes of an axis that it takes as an input."""
        return self.node(operator, value, self.constant([axis], np.int64), **attributes)

    def output(self, method: str, value: str, shape: list[Any], element: int | None = None) -> None:
        """Give a value out by a method's name; of the graph's float type if no other is given."""
        self._nodes.append(helper.make_node("Identity", [value], [method]))
        self._outputs.append(
            helper.make_tensor_value_info(method, element or self.element(self.dtype), shape)
        )

    def serialised(self, kind: str) -> bytes:
        """Return the checked model's bytes."""
        graph = helper.make_graph(self._nodes, kind, [self._input], self._outputs, self._constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="hmlc",
            producer_version=__version__,
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))

    # ---- pieces of models ----

    def standardised(self, value: str, mean: Array, scale: Array) -> str:
        """Return (value - mean) / scale."""
        centred = self.node("Sub", value, self.constant(mean))
        return self.node("Div", centred, self.constant(scale))

    def affine(self, value: str, W: Array, b: Array) -> str:
        """Return value W' + b."""
        return self.node("Gemm", value, self.constant(W), self.constant(b), transB=1)

    def powers(self, Z: str, d: int, degree: int) -> list[str]:
        """Return the products of 2, 3, ..., `degree` columns, each degree's as one value.

        Those that begin with column i are column i times the last so many of one degree less.
        """
        found, source, length = [], Z, d
        starts = list(range(d))
        for _ in range(2, degree + 1):
            first = np.repeat(np.arange(d), [length - start for start in starts])
            rest = np.concatenate([np.arange(start, length) for start in starts])
            left, right = (self.constant(index, np.int64) for index in (first, rest))
            source = self.node(
                "Mul",
                self.node("Gather", Z, left, axis=1),
                self.node("Gather", source, right, axis=1),
            )
            found.append(source)
            starts = [0, *np.cumsum([length - start for start in starts])[:-1].tolist()]
            length = len(first)
        return found

    def sines(self, Z: str, degree: int) -> list[str]:
        """Return the sines of Z, 2 Z, ..., each as one value."""
        wide = self.cast(Z, np.float64)
        return [
            self.cast(
                self.node("Sin", self.node("Mul", wide, self.constant(float(k), np.float64))),
                self.dtype,
            )
            for k in range(1, degree + 1)
        ]

    def columns(self, made: FeatureMap) -> str:
        """Return an estimator's columns of X."""
        if made.is_identity:
            return "X"
        Z = "X"
        if made._moments is not None:
            Z = self.standardised("X", made._moments.mean, made._moments.scale)
        powers = self.powers(Z, made._n_columns, made.polynomial_degree)
        return self.node("Concat", "X", *powers, *self.sines(Z, made.sinusoid_degree), axis=1)

    def labels(self, classes: Array, index: str) -> None:
        """Give out the labels of indices."""
        labels = plain_labels(classes)
        if isinstance(labels[0], (str, bytes)):
            table, element = self.strings(labels), int(onnx.TensorProto.STRING)
        else:
            array = np.array(labels)
            table, element = self.constant(array, array.dtype), self.element(array.dtype)
        self.output("predict", self.node("Gather", table, index), ["n"], element)


def _scaler(graph: Graph, model: Any) -> None:
    made = graph.standardised("X", *model._units(graph.dtype))
    graph.output("transform", made, ["n", model.n_features_in_])


def _polynomials(graph: Graph, model: Any) -> None:
    parts = ["X", *graph.powers("X", model.n_features_in_, model.degree)]
    if model.include_bias:
        first = graph.node("Gather", "X", graph.constant([0], np.int64), axis=1)
        zero = graph.node("Sub", first, first)
        parts.insert(0, graph.node("Add", zero, graph.constant(1.0)))
    made = graph.node("Concat", *parts, axis=1)
    graph.output("transform", made, ["n", model.n_output_features_])


def _sinusoids(graph: Graph, model: Any) -> None:
    made = graph.node("Concat", *graph.sines("X", model.degree), axis=1)
    graph.output("transform", made, ["n", model.n_output_features_])


def _regression(graph: Graph, targets: str, count: int, is_vector: bool) -> None:
    if is_vector:
        graph.output("predict", graph.axes("Squeeze", targets, 1), ["n"])
    else:
        graph.output("predict", targets, ["n", count])


def _linear(graph: Graph, model: Any) -> None:
    coef = model.coef_.reshape(-1, model.coef_.shape[-1])
    intercept = np.reshape(model.intercept_, -1)
    targets = graph.affine(graph.columns(model._features), coef, intercept)
    _regression(graph, targets, len(coef), model.coef_.ndim == 1)


def _logistic(graph: Graph, model: Any) -> None:
    weights, units = model._weights_and_units[graph.dtype]
    k = len(model.classes_)
    centred = graph.node("Sub", graph.columns(model._features), graph.constant(units[0]))
    A = graph.node("Mul", centred, graph.constant(units[1]))
    scores = graph.affine(A, weights[:, :-1], weights[:, -1])
    if k == 2:
        score = graph.axes("Squeeze", scores, 1)
        is_second = graph.node("Greater", score, graph.constant(0.0))
        graph.output("decision_function", score, ["n"])
        graph.labels(model.classes_, graph.cast(is_second, np.int64))
        pair = [graph.node("Sigmoid", z) for z in (graph.node("Neg", scores), scores)]
        graph.output("predict_proba", graph.node("Concat", *pair, axis=1), ["n", 2])
        return
    graph.output("decision_function", scores, ["n", k])
    graph.labels(model.classes_, graph.node("ArgMax", scores, axis=1, keepdims=0))
    if model.multi_class == "ovr":
        scores = _log_sigmoid(graph, scores)
    graph.output("predict_proba", graph.node("Softmax", scores, axis=1), ["n", k])


def _log_sigmoid(graph: Graph, z: str) -> str:
    """Return min(z, 0) - log(1 + exp(-|z|)); runtimes have Softplus for float32 alone."""
    rest = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    rest = graph.node("Log", graph.node("Add", rest, graph.constant(1.0)))
    low = graph.node("Neg", graph.node("Relu", graph.node("Neg", z)))
    return graph.node("Sub", low, rest)


def _k_means(graph: Graph, model: Any) -> None:
    k = len(model.cluster_centers_)
    shift = model._shift.astype(graph.dtype)
    near = model.cluster_centers_.astype(np.float64) - shift
    halves = -np.sum(near * near, axis=1) / 2
    centred = graph.node("Sub", "X", graph.constant(shift))
    index = graph.node("ArgMax", graph.affine(centred, near, halves), axis=1, keepdims=0)
    int32 = np.dtype(np.int32)
    graph.output("predict", graph.cast(index, int32), ["n"], graph.element(int32))
    apart = graph.node(
        "Sub", graph.axes("Unsqueeze", "X", 1), graph.constant(model.cluster_centers_)
    )
    squares = graph.axes("ReduceSum", graph.node("Mul", apart, apart), 2, keepdims=0)
    graph.output("transform", graph.node("Sqrt", squares), ["n", k])


def _gaussian(graph: Graph, model: Any) -> None:
    largest = np.finfo(graph.dtype).max
    whitener = np.clip(model._gaussian.whitener, -largest, largest)
    high = model.mean_.astype(graph.dtype)
    centred = graph.node("Sub", "X", graph.constant(high))
    centred = graph.node("Sub", centred, graph.constant(model.mean_ - high.astype(np.float64)))
    if whitener.ndim == 1:
        white = graph.node("Mul", centred, graph.constant(whitener))
    else:
        white = graph.node("MatMul", centred, graph.constant(whitener.T))
    squares = graph.axes("ReduceSum", graph.node("Mul", white, white), 1, keepdims=0)
    halves = graph.node("Mul", squares, graph.constant(0.5))
    density = graph.node("Sub", graph.constant(model._gaussian.normaliser), halves)
    graph.output("score_samples", density, ["n"])
    float64, int64 = np.dtype(np.float64), np.dtype(np.int64)
    threshold = graph.constant(model.threshold_, float64)
    excess = graph.node("Sub", graph.cast(density, float64), threshold)
    excess = graph.cast(excess, graph.dtype)
    graph.output("decision_function", excess, ["n"])
    is_low = graph.node("Less", excess, graph.constant(0.0))
    signs = [graph.constant(sign, int64) for sign in (-1, 1)]
    graph.output("predict", graph.node("Where", is_low, *signs), ["n"], graph.element(int64))


def _layers(graph: Graph, model: Any) -> str:
    """Return the last layer's sums."""
    activation = _network.ACTIVATIONS[model._network.codes[0]].capitalize()
    value = "X"
    for level, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        if level > 0:
            value = graph.node(activation, value)
        value = graph.node("Gemm", value, graph.constant(W), graph.constant(b))
    return value


def _mlp_regressor(graph: Graph, model: Any) -> None:
    _regression(graph, _layers(graph, model), len(model.intercepts_[-1]), model._is_vector)


def _mlp_classifier(graph: Graph, model: Any) -> None:
    k = len(model.classes_)
    outputs = _layers(graph, model)
    if _network.LOSSES[model._network.codes[1]] == "softmax":
        shares = graph.node("Softmax", outputs, axis=1)
    else:
        parts = graph.node("Sigmoid", outputs)
        total = graph.axes("ReduceSum", parts, 1, keepdims=1)
        is_any = graph.node("Greater", total, graph.constant(0.0))
        divided = graph.node("Div", parts, total)
        shares = graph.node("Where", is_any, divided, graph.constant(1 / k))
    graph.output("predict_proba", shares, ["n", k])
    graph.labels(model.classes_, graph.node("ArgMax", shares, axis=1, keepdims=0))


WRITERS = {
    "GaussianAnomalyDetector": _gaussian,
    "KMeans": _k_means,
    "LinearRegression": _linear,
    "LogisticRegression": _logistic,
    "MLPClassifier": _mlp_classifier,
    "MLPRegressor": _mlp_regressor,
    "PolynomialFeatures": _polynomials,
    "SinusoidFeatures": _sinusoids,
    "StandardScaler": _scaler,
}
