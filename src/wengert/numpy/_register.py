"""The table of functions that tensors handle, filled by decorators, and what the implementations share.

Every function that NumPy lets a type override stands in one of three columns: it has a derivative; its
derivative is exactly zero, or its result is no number; or it raises UnsupportedFunction with what to use.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

import numpy as np

from ..boxes import OBJECT, boxed, unboxed
from ..errors import TraceLost, UnsupportedFunction, user_line
from ..primitives.elementwise import cast
from ..primitives.indexing import reshape
from ..recording import Traced, apply, is_tracked
from ..tensor import FUNCTIONS, Tensor
from ..views import assign, holds_tensor

F = TypeVar("F", bound=Callable[..., Any])

ZERO: set[Any] = set()
"""The functions whose derivative is exactly zero, or whose result is no number (a shape, a truth value, an index)."""

REFUSED: dict[Any, str] = {}
"""The functions that raise, and what to use instead."""

MISSING: Any = np._NoValue

# Which module to load when one of its functions first meets a tensor.
_ON_DEMAND = {
    "numpy.fft": ".fft",
    "numpy.lib._scimath_impl": ".emath",  # NumPy 2.0
    "numpy.lib.scimath": ".emath",
    "numpy.linalg": ".linalg",
    "numpy.polynomial.polynomial": ".polynomial",
}


def implements(*functions: Any, zero: bool = False) -> Callable[[F], F]:
    """Make a function what the given NumPy functions do when an argument is a tensor.

    `zero` says that the derivative of the result is exactly zero.
    """

    def register(handler: F) -> F:
        for function in functions:
            FUNCTIONS[function] = handler
            if zero:
                ZERO.add(function)
        return handler

    return register


class Absent:
    """Stands for a function that the installed NumPy is too old to have; the namespace has it anyway."""

    def __init__(self, name: str) -> None:
        self.__name__ = name


def since(name: str, module: Any = np) -> Any:
    """Return a function of NumPy's that came after version 2.0."""
    return getattr(module, name, None) or Absent(name)


def on_values(function: Any, *others: Any) -> Any:
    """Run a NumPy function on the numbers: its result is an index, a truth value or a text, not a derivative."""

    def handler(*args: Any, **options: Any) -> Any:
        return function(*(plain(arg) for arg in args), **{name: plain(value) for name, value in options.items()})

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`, on the numbers: the result has no derivative."
    handler.__wrapped__ = function  # type: ignore[attr-defined]
    implements(function, *others, zero=True)(handler)
    return handler


def name_of(function: Any) -> str:
    """Return the public name of a NumPy or SciPy function."""
    module = (
        (getattr(function, "__module__", None) or "numpy")
        .replace("lib.scimath", "emath")
        .replace("lib._scimath_impl", "emath")
    )
    return f"{module}.{function.__name__}"


def find(function: Any) -> Callable[..., Any]:
    """Return what a function does on tensors.

    Raises
    ------
    UnsupportedFunction
        If it has no derivative here. The message says what to use.
    """
    handler = FUNCTIONS.get(function)
    if handler is None and (module := getattr(function, "__module__", "")) in _ON_DEMAND:
        import_module(_ON_DEMAND[module], __package__)
        handler = FUNCTIONS.get(function)
    if handler is None:
        from .refusing import advice_for

        raise UnsupportedFunction(
            f"{name_of(function)} has no derivative rule for tensors",
            where=user_line(),
            hint=advice_for(function)
            or "write it with functions that have one (docs: reference/coverage), or pass x.numpy() if no derivative "
            "is wanted",
        )
    return handler


def plain(x: Any) -> Any:
    """Return the numbers of tensors, alone or in lists and tuples, for what has no derivative."""
    if isinstance(x, Traced):
        return np.asarray(x._concrete("a function of the numbers"))  # type: ignore[attr-defined]
    if type(x) in (list, tuple) and holds_tensor(x):
        return type(x)(plain(part) for part in x)
    return x


def as_array(x: Any) -> Any:
    """Return a tensor or array; nested lists may hold tensors, which stay tracked."""
    if isinstance(x, Traced | np.generic):
        return x
    if isinstance(x, np.ndarray):
        return x if x.dtype is not OBJECT else unboxed(x)
    if holds_tensor(x):
        from .creating import array

        return array(x)
    return np.asarray(x)


def as_float(x: Any) -> Any:
    """Return a tensor or array of floating or complex numbers: integers become float64."""
    x = as_array(x)
    return x if x.dtype.kind in "fc" else to_dtype(x, np.float64)


def to_dtype(x: Any, dtype: Any) -> Any:
    """Cast where needed; None leaves the dtype alone.

    Raises
    ------
    TraceLost
        If tracked numbers would become integers, which have no derivative.
    """
    if dtype is None or x.dtype == (dtype := np.dtype(dtype)):
        return x
    if dtype.kind not in "fc" and isinstance(x, Traced) and is_tracked(x) and x.dtype.kind in "fc":  # type: ignore[attr-defined]
        raise TraceLost(
            f"a cast to {dtype} of a tracked tensor of {x.dtype}",  # type: ignore[attr-defined]
            where=user_line(),
            why="integers have no derivative",
            hint="np.floor(x) or np.round(x) keep a floating dtype (derivative 0); x.numpy().astype(...) for an index",
        )
    return apply(cast, (x,), {"dtype": dtype})


def keep(result: Any, x: Any, axes: tuple[int, ...], keepdims: Any) -> Any:
    """Give the reduced axes back as ones if that is asked for."""
    if keepdims is MISSING or not keepdims:
        return result
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return apply(reshape, (result,), {"shape": shape})


def store(result: Any, out: Any) -> Any:
    """Honour an `out=` argument.

    Raises
    ------
    TraceLost
        If the result is tracked and `out` is a plain array, which cannot hold derivatives.
    """
    if out is None:
        return result
    if isinstance(out, tuple):
        (out,) = out
    if isinstance(out, Tensor):
        assign(out, result)
        return out
    if isinstance(result, Traced):
        if is_tracked(result) and out.dtype is OBJECT:
            out[...] = np.broadcast_to(boxed(result), out.shape)
            return out
        if is_tracked(result):
            raise TraceLost(
                f"a tracked result of shape {result.shape} is stored in a plain array by out=",  # type: ignore[attr-defined]
                where=user_line(),
                why="a plain array cannot hold derivatives",
                hint="make that array with np.zeros_like(x) instead of np.zeros(...)",
            )
        result = result._data
    np.copyto(out, result, casting="same_kind")
    return out
