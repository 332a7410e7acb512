"""Fitted models as ONNX graphs."""

from typing import Any

from hmlc._atomic import write_atomically
from hmlc._export.common import check_fitted, float_type


def export_onnx(model: Any, path: Any, *, dtype: Any = None) -> None:
    """Write a fitted model as an ONNX graph, for runtimes that know nothing of hmlc.

    The graph takes rows ``X`` (n, n_features) and has an output for each of the methods `predict`,
    `predict_proba`, `decision_function`, `score_samples` and `transform` that the model has, by the
    method's name and of the shape that it returns. It is made of standard operators (opset 17).
    Answers agree with Python's to rounding, for the order of a runtime's sums is its own.

    Parameters
    ----------
    model : fitted estimator or transformer of hmlc
        Any of them.
    path : str or path
        File to write, whole or not at all.
    dtype : {"float32", "float64"}, optional
        Type of the rows. None is the type of the rows at `fit` where the model has kept it
        (logistic regression, k-means, perceptrons), else float64.

    Raises
    ------
    ImportError
        If the package onnx is not installed (``pip install 'hmlc[onnx]'``).
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is not hmlc's own, or its labels are of several types.
    ValueError
        If the dtype is none of the two.
    OSError
        If the file cannot be written.

    Notes
    -----
    Sines are taken in float64 of the multiple itself, not of the angle less whole turns: of angles
    of some thousands and more fewer digits agree. `transform` of k-means takes memory for
    n x n_clusters x n_features numbers.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import hmlc, onnx
    >>> path = pathlib.Path(tempfile.mkdtemp(), "line.onnx")
    >>> hmlc.export_onnx(hmlc.LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), path)
    >>> [output.name for output in onnx.load(path).graph.output]
    ['predict']
    """
    kind = check_fitted(model)
    chosen = float_type(model, dtype)
    try:
        from hmlc._export import onnx_models
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "onnx":
            raise
        raise ImportError(
            "export_onnx needs the package onnx: pip install 'hmlc[onnx]'", name="onnx"
        ) from error
    graph = onnx_models.Graph(chosen, model.n_features_in_)
    onnx_models.WRITERS[kind](graph, model)
    write_atomically(path, [graph.serialised(kind)])
