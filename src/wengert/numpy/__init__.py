"""The array namespace: NumPy's functions on tensors, under NumPy's names.

Plain `numpy` functions reach these through the array protocols; import this module where code has to work on
arrays and tensors alike, or where NumPy lets no foreign type in (`array`, `full`, `vectorize`).
"""

from __future__ import annotations

import numpy as _np

from ._register import FUNCTIONS
from .creating import *  # noqa: F403
from .ordering import *  # noqa: F403
from .products import *  # noqa: F403
from .reducing import *  # noqa: F403
from .shaping import *  # noqa: F403


def __getattr__(name: str) -> object:
    """NumPy's ufuncs, constants and dtypes under their own names; other functions only if tensors have them."""
    value = getattr(_np, name)
    if isinstance(value, _np.ufunc | type | float | type(None)) or name in ("finfo", "iinfo", "newaxis", "isdtype"):
        return value
    if value in FUNCTIONS:
        return FUNCTIONS[value]
    raise AttributeError(f"wengert.numpy has no {name!r}; numpy.{name} has no rule for tensors")
