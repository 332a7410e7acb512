"""What each kind of model adds to its C header: see c_functions.py for the words used."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hmlc import _network
from hmlc._export.c_header import Header
from hmlc._export.common import plain_labels
from hmlc.features import FeatureMap

Array = NDArray[Any]


def _units(header: Header, mean: Array, scale: Array) -> None:
    """Add what brings columns to standard units."""
    scale = header.in_type(scale)
    header.array("mean", mean)
    header.array("scale", scale)
    header.array("inverse_scale", 1 / scale)


def _scaler(header: Header, model: Any) -> None:
    _units(header, *model._units(header.dtype))
    header.functions("""
/* y = x in standard units, NAME_n_features numbers. */
static inline void NAME_transform(const REAL *x, REAL *y) {
    for (int j = 0; j < NAME_n_features; j++)
        y[j] = NAME_divide(x[j] - NAME_mean[j], NAME_scale[j], NAME_inverse_scale[j]);
}
""")


def _polynomials(header: Header, model: Any) -> None:
    header.size("n_outputs", model.n_output_features_)
    header.size("degree", model.degree)
    bias = "*y++ = 1;\n    " if model.include_bias else ""
    header.functions(f"""
/* y = the NAME_n_outputs products of x's numbers. */
static inline void NAME_transform(const REAL *x, REAL *y) {{
    {bias}for (int j = 0; j < NAME_n_features; j++)
        y[j] = x[j];
    NAME_polynomials(x, NAME_n_features, NAME_degree, y);
}}
""")


def _sinusoids(header: Header, model: Any) -> None:
    header.size("n_outputs", model.n_output_features_)
    header.size("degree", model.degree)
    header.functions("""
/* y = the NAME_n_outputs sines of multiples of x's numbers. */
static inline void NAME_transform(const REAL *x, REAL *y) {
    NAME_sinusoids(x, NAME_n_features, NAME_degree, y);
}
""")


def _columns(header: Header, made: FeatureMap, width: int) -> str:
    """Add what makes an estimator's columns of x; return the statements that do."""
    header.size("n_columns", width)
    if made.is_identity:
        return "const REAL *columns = x;"
    units, z = "", "x"
    if made._moments is not None:
        _units(header, made._moments.mean, made._moments.scale)
        z = "z"
        units = """
    REAL z[NAME_n_features];
    for (int j = 0; j < NAME_n_features; j++)
        z[j] = NAME_divide(x[j] - NAME_mean[j], NAME_scale[j], NAME_inverse_scale[j]);"""
    header.size("polynomial_degree", made.polynomial_degree)
    header.size("sinusoid_degree", made.sinusoid_degree)
    header.size("n_powers", made._n_powers)
    lines = [f"NAME_polynomials({z}, NAME_n_features, NAME_polynomial_degree, columns);"]
    if made.sinusoid_degree > 0:
        target = "columns + NAME_n_powers"
        lines.append(f"NAME_sinusoids({z}, NAME_n_features, NAME_sinusoid_degree, {target});")
    calls = "\n    ".join(lines)
    header.functions(f"""
/* columns = x, then NAME_n_columns - NAME_n_features functions of it. */
static inline void NAME_features(const REAL *x, REAL *columns) {{{units}
    for (int j = 0; j < NAME_n_features; j++)
        columns[j] = x[j];
    {calls}
}}
""")
    return "REAL columns[NAME_n_columns];\n    NAME_features(x, columns);"


def _regression(header: Header, outputs: str, is_vector: bool) -> None:
    """Add NAME_predict, of whose body `outputs` fills y; the last y is named y too."""
    if is_vector:
        header.functions(f"""
static inline REAL NAME_predict(const REAL *x) {{
    REAL y[1];
    {outputs}
    return y[0];
}}
""")
    else:
        header.functions(f"""
/* y = the NAME_n_targets targets of x. */
static inline void NAME_predict(const REAL *x, REAL *y) {{
    {outputs}
}}
""")


def _linear(header: Header, model: Any) -> None:
    coef = model.coef_.reshape(-1, model.coef_.shape[-1])
    columns = _columns(header, model._features, coef.shape[1])
    header.size("n_targets", len(coef))
    header.array("coef", coef)
    header.array("intercept", np.reshape(model.intercept_, -1))
    # Of long rows the kernel sums interleaved (hmlc/_core/c/affine.h).
    is_dot = len(coef) == 1 and coef.shape[1] >= 2 * header.lanes
    product = (
        "NAME_dot(columns, NAME_coef[t], NAME_n_columns)"
        if is_dot
        else "NAME_chain(columns, NAME_coef[t], NAME_n_columns, 0)"
    )
    outputs = f"""{columns}
    for (int t = 0; t < NAME_n_targets; t++)
        y[t] = {product} + NAME_intercept[t];"""
    _regression(header, outputs, model.coef_.ndim == 1)


def _classifier(header: Header, model: Any, index: str) -> None:
    """Add NAME_predict, of whose body `index` computes the label's index."""
    labels = plain_labels(model.classes_)
    header.size("n_classes", len(labels))
    c_type = header.labels(labels)
    space = "" if c_type.endswith("*") else " "
    header.functions(f"""
/* The most probable label. */
static inline {c_type}{space}NAME_predict(const REAL *x) {{
    {index}
}}
""")


def _logistic(header: Header, model: Any) -> None:
    weights, units = (array.astype(np.float64) for array in model._weights_and_units[header.dtype])
    columns = _columns(header, model._features, units.shape[1])
    is_pair = len(weights) == 1
    header.size("n_scores", len(weights))
    header.array("shift", units[0])
    header.array("unit", units[1])
    header.array("weights", weights)
    score = (
        "NAME_dot(a, NAME_weights[c], NAME_n_columns + 1)"
        if is_pair
        else "NAME_chain(a, NAME_weights[c], NAME_n_columns + 1, 0)"
    )
    header.functions(f"""
/* z = the NAME_n_scores scores of x: of the second of two classes, or of every class. */
static inline void NAME_decision_function(const REAL *x, REAL *z) {{
    {columns}
    REAL a[NAME_n_columns + 1];
    for (int j = 0; j < NAME_n_columns; j++)
        a[j] = (columns[j] - NAME_shift[j]) * NAME_unit[j];
    a[NAME_n_columns] = 1;
    for (int c = 0; c < NAME_n_scores; c++)
        z[c] = {score};
}}
""")
    choice = "z[0] > 0" if is_pair else "NAME_largest(z, NAME_n_scores)"
    _classifier(
        header,
        model,
        f"""REAL z[NAME_n_scores];
    NAME_decision_function(x, z);
    return NAME_classes[{choice}];""",
    )
    if is_pair:
        scores = "p[0] = 0;\n    NAME_decision_function(x, p + 1);"
    else:
        scores = "NAME_decision_function(x, p);"
    if not is_pair and model.multi_class == "ovr":
        scores += """
    for (int c = 0; c < NAME_n_classes; c++)
        p[c] = -NAME_softplus(-p[c]);"""
    header.functions(f"""
/* p = the NAME_n_classes classes' probabilities. */
static inline void NAME_predict_proba(const REAL *x, REAL *p) {{
    {scores}
    NAME_softmax(p, NAME_n_classes);
}}
""")


def _half_squares(centres: Array) -> list[float]:
    """Return -|c|^2 / 2 of each centre, each product and sum rounded once, as by FMA."""
    round_to = centres.dtype.type
    halves = []
    for centre in centres.tolist():
        square = 0.0
        for value in centre:
            square = float(round_to(float(Fraction(value) ** 2 + Fraction(square))))
        halves.append(-square / 2)
    return halves


def _k_means(header: Header, model: Any) -> None:
    k, d = model.cluster_centers_.shape
    shift = header.in_type(model._shift)
    centred = model.cluster_centers_.astype(header.dtype).astype(np.float64) - shift
    near = header.in_type(centred)
    header.size("n_clusters", k)
    header.array("centres", model.cluster_centers_)
    header.array("shift", shift)
    header.array("centred", near)
    header.array("half_squares", np.array(_half_squares(near)))
    # Of long rows the kernels sum interleaved (hmlc/_core/c/long_rows.h).
    is_long = d >= 128 and d >= 16 * k
    score = (
        "NAME_dot(NAME_centred[c], a, NAME_n_features) + NAME_half_squares[c]"
        if is_long
        else "NAME_chain(NAME_centred[c], a, NAME_n_features, NAME_half_squares[c])"
    )
    header.functions(f"""
/* The index of the nearest centre c: of the largest x.c - |c|^2 / 2. */
static inline int NAME_predict(const REAL *x) {{
    REAL a[NAME_n_features], z[NAME_n_clusters];
    for (int j = 0; j < NAME_n_features; j++)
        a[j] = x[j] - NAME_shift[j];
    for (int c = 0; c < NAME_n_clusters; c++)
        z[c] = {score};
    return NAME_largest(z, NAME_n_clusters);
}}

/* y = the distances of x from the NAME_n_clusters centres. */
static inline void NAME_transform(const REAL *x, REAL *y) {{
    for (int c = 0; c < NAME_n_clusters; c++) {{
        REAL square = 0;
        for (int j = 0; j < NAME_n_features; j++) {{
            const REAL e = NAME_centres[c][j] - x[j];
            square = FMA(e, e, square);
        }}
        y[c] = SQRT(square);
    }}
}}
""")


def _gaussian(header: Header, model: Any) -> None:
    largest = np.finfo(header.dtype).max
    whitener = np.clip(model._gaussian.whitener, -largest, largest)
    mean = header.in_type(model.mean_)
    header.array("mean", mean)
    header.array("mean_rest", model.mean_ - mean.astype(np.float64))
    header.array("whitener", whitener)
    header.array("normaliser", np.array([model._gaussian.normaliser]))
    header.doubles("threshold", [model.threshold_])
    if whitener.ndim == 1:
        squares = """for (int j = 0; j < NAME_n_features; j++) {
        const REAL e = x[j] - NAME_mean[j] - NAME_mean_rest[j], y = e * NAME_whitener[j];
        squares = FMA(y, y, squares);
    }"""
    else:
        squares = """REAL e[NAME_n_features];
    for (int j = 0; j < NAME_n_features; j++)
        e[j] = x[j] - NAME_mean[j] - NAME_mean_rest[j];
    for (int j = 0; j < NAME_n_features; j++) {
        const REAL y = NAME_chain(NAME_whitener[j], e, j + 1, 0);
        squares = FMA(y, y, squares);
    }"""
    header.functions(f"""
/* The log-density; -infinity where it is too low for a number. */
static inline REAL NAME_score_samples(const REAL *x) {{
    REAL squares = 0;
    {squares}
    const REAL density = FMA(squares, R(-0.5), NAME_normaliser[0]);
    return density == density ? density : -(REAL)INFINITY;
}}

/* The log-density less the threshold. */
static inline REAL NAME_decision_function(const REAL *x) {{
    return (REAL)((double)NAME_score_samples(x) - NAME_threshold[0]);
}}

/* -1 for an anomaly, else 1. */
static inline int NAME_predict(const REAL *x) {{
    return NAME_decision_function(x) < 0 ? -1 : 1;
}}
""")


def _layers(header: Header, model: Any, answer: str) -> str:
    """Add the layers' weights; return statements that bring x through them, to `answer`."""
    activation = _network.ACTIVATIONS[model._network.codes[0]]
    lines, level = [], "x"
    last = len(model.coefs_) - 1
    for i, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        header.array(f"weights{i}", np.concatenate([W.reshape(-1), b]))
        target, (inputs, outputs) = answer if i == last else f"level{i}", W.shape
        if i < last:
            lines.append(f"REAL {target}[{outputs}];")
        lines.append(f"NAME_layer({level}, {inputs}, NAME_weights{i}, {outputs}, {target});")
        if i < last:
            lines.append(f"for (int j = 0; j < {outputs}; j++)")
            lines.append(f"    {target}[j] = NAME_{activation}({target}[j]);")
        level = target
    return "\n    ".join(lines)


def _mlp_regressor(header: Header, model: Any) -> None:
    header.size("n_targets", len(model.intercepts_[-1]))
    _regression(header, _layers(header, model, "y"), model._is_vector)


def _mlp_classifier(header: Header, model: Any) -> None:
    layers = _layers(header, model, "p")
    if _network.LOSSES[model._network.codes[1]] == "softmax":
        shares = """const REAL peak = p[NAME_largest(p, NAME_n_classes)];
    for (int c = 0; c < NAME_n_classes; c++)
        total += p[c] = NAME_exp(p[c] - peak);
    for (int c = 0; c < NAME_n_classes; c++)
        p[c] = p[c] / total;"""
    else:
        shares = """for (int c = 0; c < NAME_n_classes; c++)
        total += p[c] = NAME_sigmoid(p[c]);
    for (int c = 0; c < NAME_n_classes; c++)
        p[c] = total > 0 ? p[c] / total : 1 / (REAL)NAME_n_classes;"""
    header.functions(f"""
/* p = the NAME_n_classes classes' probabilities. */
static inline void NAME_predict_proba(const REAL *x, REAL *p) {{
    REAL total = 0;
    {layers}
    {shares}
}}
""")
    _classifier(
        header,
        model,
        """REAL p[NAME_n_classes];
    NAME_predict_proba(x, p);
    return NAME_classes[NAME_largest(p, NAME_n_classes)];""",
    )


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
