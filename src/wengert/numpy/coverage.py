"""What every overridable NumPy function does on tensors, read from the tables that do it: nothing is listed by hand."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from ..primitives.elementwise import UFUNCS
from . import protocol as protocol  # declares the ufuncs with two results
from ._register import FUNCTIONS, ZERO, name_of
from .refusing import advice_for

DIFFERENTIABLE, EXACTLY_ZERO, RAISES = "differentiable", "exactly zero", "raises"


class Row(NamedTuple):
    """One function: its name, its column, and for `raises` what to use instead."""

    name: str
    column: str
    advice: str


def overridable() -> list[Any]:
    """Return every function and ufunc of NumPy that lets a type override it, by NumPy's own list."""
    from numpy.testing import overrides

    for name in (
        "linalg",
        "fft",
        "strings",
        "char",
        "lib.recfunctions",
        "lib.stride_tricks",
        "lib.scimath",
        "polynomial",
    ):
        import_module("numpy." + name)  # NumPy lists what is imported
    for name in ("linalg", "fft", "emath", "polynomial"):
        import_module("." + name, __package__)
    found = [*overrides.get_overridable_numpy_array_functions(), *overrides.get_overridable_numpy_ufuncs()]
    return sorted({_public(function) for function in found}, key=_name)


def _public(function: Any) -> Any:
    """Return the function under its public name; NumPy lists the inner half of those that take `like=`."""
    if function.__class__ is np.ufunc:
        return function
    module = import_module(function.__module__)
    return getattr(module, function.__name__, function)


def _name(function: Any) -> str:
    if function.__class__ is np.ufunc:
        name = function.__name__
        if getattr(np, name, None) is function:
            return "numpy." + name
        return ("numpy.strings." if not function.types else "numpy._core.umath.") + name
    return name_of(function)


def row(function: Any) -> Row:
    """Return the row of one function."""
    name = _name(function)
    primitive = UFUNCS.get(function) if function.__class__ is np.ufunc else None
    if primitive is not None:
        zero = primitive.vjp is None and primitive.jvp is None
        return Row(name, EXACTLY_ZERO if zero else DIFFERENTIABLE, "")
    if function in FUNCTIONS:
        return Row(name, EXACTLY_ZERO if function in ZERO else DIFFERENTIABLE, "")
    return Row(name, RAISES, advice_for(function))


def table() -> list[Row]:
    """Return one row per overridable function of the installed NumPy."""
    return [row(function) for function in overridable()]
