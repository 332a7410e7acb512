"""Which twin of the kernels is in use: compiled C, vectorised NumPy or plain Python."""

import importlib
import os
import warnings
from types import ModuleType, TracebackType
from typing import Any, Literal, get_args

Backend = Literal["c", "numpy", "python"]

_PACKAGES = {
    "c": "hmlc._core",
    "numpy": "hmlc._core.numpy_twin",
    "python": "hmlc._core.python_twin",
}


class Kernels:
    """The kernel families of one backend, as attributes: ``kernels.moments.update(...)``."""

    def __init__(self, name: Backend) -> None:
        self.name = name

    def __getattr__(self, family: str) -> Any:
        if family.startswith("_"):
            raise AttributeError(family)
        module: ModuleType = importlib.import_module(f"{_PACKAGES[self.name]}.{family}")
        setattr(self, family, module)
        return module


_BACKENDS: dict[str, Kernels] = {name: Kernels(name) for name in get_args(Backend)}


def _check_name(name: str) -> Kernels:
    if name not in _BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(_BACKENDS)}; got {name!r}")
    return _BACKENDS[name]


def _first() -> Kernels:
    """Return the backend to begin with: HMLC_BACKEND's, else the compiled one where it loads."""
    wanted = os.environ.get("HMLC_BACKEND", "")
    if wanted:
        chosen = _check_name(wanted)
        _ = chosen.elementwise
        return chosen
    try:
        _ = _BACKENDS["c"].elementwise
    except ImportError as error:
        warnings.warn(
            f"hmlc's compiled kernels did not load ({error}); using NumPy's, which are slower. "
            "In a checkout, `pip install --editable .` builds them; HMLC_BACKEND=numpy chooses "
            "NumPy's without this warning.",
            RuntimeWarning,
            stacklevel=2,
        )
        return _BACKENDS["numpy"]
    return _BACKENDS["c"]


_in_use = _first()


def kernels() -> Kernels:
    """Return the kernels in use."""
    return _in_use


def backend() -> str:
    """Return the name of the backend in use: "c", "numpy" or "python".

    Examples
    --------
    >>> import hmlc
    >>> hmlc.backend() in ("c", "numpy", "python")
    True
    """
    return _in_use.name


def instruction_set() -> str:
    """Return the instruction set of the compiled kernels, or "none" where they are not in use."""
    return _in_use.elementwise._instruction_set() if _in_use.name == "c" else "none"


class use_backend:
    """Choose the backend, for good or for the length of a ``with`` block.

    Parameters
    ----------
    name : {"c", "numpy", "python"}
        ``c`` is the product; ``numpy`` the same mathematics in vectorised NumPy; ``python`` the
        same loops interpreted.

    Raises
    ------
    ValueError
        If there is no backend of that name.
    ImportError
        If it is ``c`` and the compiled kernels do not load.

    Notes
    -----
    The choice holds for the whole process; a fit that is under way keeps the backend with which
    it began.

    Examples
    --------
    >>> import hmlc
    >>> with hmlc.use_backend("numpy"):
    ...     hmlc.backend()
    'numpy'
    """

    def __init__(self, name: Backend) -> None:
        global _in_use
        chosen = _check_name(name)
        _ = chosen.elementwise
        self._before = _in_use
        _in_use = chosen

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        global _in_use
        _in_use = self._before
