"""Fitted models as headers of standard C99 that predict what Python predicts."""

import re
from typing import Any

from hmlc._atomic import write_atomically
from hmlc._export.c_header import Header
from hmlc._export.c_models import WRITERS
from hmlc._export.common import check_fitted, float_type

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def export_c(model: Any, path: Any, *, name: str = "model", dtype: Any = None) -> None:
    """Write a fitted model as a C header that predicts what Python predicts.

    It is C99 that needs nothing but the standard library's mathematics (``-lm``), and allocates
    nothing. Sums go in the kernels' order and functions are the kernels' own, so for rows of the
    header's float type answers have the same bits as Python's on a processor with FMA, if the
    compiler leaves sums and products as they are written (GCC: ``-std=c99`` or
    ``-ffp-contract=off``, and no ``-ffast-math``).

    Parameters
    ----------
    model : fitted estimator or transformer of hmlc
        Any of them.
    path : str or path
        Header to write, whole or not at all.
    name : str
        C identifier with which all names in the header begin.
    dtype : {"float32", "float64"}, optional
        float or double. None is the type of the rows at `fit` where the model has kept it
        (logistic regression, k-means, perceptrons), else float64.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is not hmlc's own, or its labels are of several types.
    ValueError
        If the name is no identifier, the dtype none of the two, or a label nothing that C has.
    OSError
        If the header cannot be written.

    Notes
    -----
    There is a C function for each of the methods `predict`, `predict_proba`, `decision_function`,
    `score_samples` and `transform` that the model has, for one row x of ``name_n_features`` finite
    numbers: ``name_predict(x)``, and ``name_predict_proba(x, p)`` where the answer is several
    numbers.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import hmlc
    >>> path = pathlib.Path(tempfile.mkdtemp(), "line.h")
    >>> hmlc.export_c(hmlc.LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), path, name="line")
    >>> "static inline double line_predict(const double *x)" in path.read_text()
    True
    """
    kind = check_fitted(model)
    if not isinstance(name, str) or IDENTIFIER.fullmatch(name) is None:
        raise ValueError(f"name must be a C identifier; got {name!r}")
    header = Header(float_type(model, dtype), model.n_features_in_)
    WRITERS[kind](header, model)
    write_atomically(path, [header.text(kind, name).encode("ascii")])
