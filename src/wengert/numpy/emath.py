"""`numpy.emath`: functions that turn complex where the real ones are not defined."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib import scimath

from ._register import as_float, implements, plain, to_dtype

__all__ = ["arccos", "arcsin", "arctanh", "log", "log2", "log10", "logn", "power", "sqrt"]


def _complex_if(x: Any, outside: Any) -> Any:
    """Return the argument, as complex numbers if some element lies outside the real domain."""
    x = as_float(x)
    if x.dtype.kind == "f" and bool(np.any(outside(np.asarray(plain(x))))):
        x = to_dtype(x, np.result_type(x.dtype, np.complex64))
    return x


def _extended(function: Any, ufunc: Any, outside: Any) -> Any:
    def handler(x: Any) -> Any:
        return ufunc(_complex_if(x, outside))

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.emath.{function.__name__}`."
    return implements(function)(handler)


def _negative(x: Any) -> Any:
    return x < 0


def _beyond_one(x: Any) -> Any:
    return abs(x) > 1


sqrt = _extended(scimath.sqrt, np.sqrt, _negative)
log = _extended(scimath.log, np.log, _negative)
log2 = _extended(scimath.log2, np.log2, _negative)
log10 = _extended(scimath.log10, np.log10, _negative)
arccos = _extended(scimath.arccos, np.arccos, _beyond_one)
arcsin = _extended(scimath.arcsin, np.arcsin, _beyond_one)
arctanh = _extended(scimath.arctanh, np.arctanh, _beyond_one)


@implements(scimath.logn)
def logn(n: Any, x: Any) -> Any:
    """Same as `numpy.emath.logn`."""
    return log(x) / log(n)


@implements(scimath.power)
def power(x: Any, p: Any) -> Any:
    """Same as `numpy.emath.power`."""
    return np.power(_complex_if(x, _negative), as_float(p))
