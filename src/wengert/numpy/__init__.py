"""The array namespace: NumPy's functions on tensors, under NumPy's names.

Plain `numpy` functions reach these through the array protocols; import this module where code has to work on
arrays and tensors alike, or where NumPy lets no foreign type in (`array`, `full`, `vectorize`). It follows the
Python array API standard 2024.12; `linalg`, `fft`, `emath` and `polynomial` are submodules.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from inspect import ismodule as _is_module

import numpy as _np

from . import norms as _norms  # noqa: F401  (declares the norms of numpy.linalg)
from ._register import FUNCTIONS as _FUNCTIONS
from .array_api import *  # noqa: F403
from .calculus import *  # noqa: F403
from .counting import *  # noqa: F403
from .creating import *  # noqa: F403
from .facts import *  # noqa: F403
from .joining import *  # noqa: F403
from .looping import *  # noqa: F403
from .missing import *  # noqa: F403
from .ordering import *  # noqa: F403
from .polynomials import *  # noqa: F403
from .products import *  # noqa: F403
from .reducing import *  # noqa: F403
from .selecting import *  # noqa: F403
from .shaping import *  # noqa: F403
from .statistics import *  # noqa: F403
from .writing import *  # noqa: F403

_SUBMODULES = ("emath", "fft", "linalg", "polynomial")
_DISPATCHED = type(_np.sum)


def __getattr__(name: str) -> object:
    """Whatever else NumPy has under its own name; not a function that would let go of tensors."""
    if name in _SUBMODULES or name == "special":  # special: where SciPy's array-API mode looks first
        return _import_module("." + name, __name__)
    value = None if name.startswith("_") else getattr(_np, name, None)
    if isinstance(value, _DISPATCHED):
        value = _FUNCTIONS.get(value)
    if value is None and name != "newaxis":
        raise AttributeError(
            f"wengert.numpy has no {name!r}" + (f": numpy.{name} has no rule for tensors" if hasattr(_np, name) else "")
        )
    return value


def __dir__() -> list[str]:
    return __all__


__all__ = sorted(
    {
        *(k for k, v in globals().items() if not k.startswith("_") and not _is_module(v)),
        "__array_api_version__",
        "__array_namespace_info__",
        *(k for k, v in vars(_np).items() if isinstance(v, _np.ufunc | type | float) and not k.startswith("_")),
        *_SUBMODULES,
        "newaxis",
    }
    - {"annotations"}
)
