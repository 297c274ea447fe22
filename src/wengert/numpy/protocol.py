"""What `__array_ufunc__` does beyond a plain call: out=, where=, dtype=, reduce, accumulate, outer, at, reduceat."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import UnsupportedFunction, user_line
from ..primitives import elementwise as e
from ..primitives.base import normalize_axes, normalize_axis
from ..recording import Traced, apply
from ._register import FUNCTIONS, as_array, store
from .shaping import take_slice

_PAIRS = {
    np.divmod: lambda x, y: (np.floor_divide(x, y), np.remainder(x, y)),
    np.modf: lambda x: (x - np.trunc(x), np.trunc(x)),
}
_IGNORED = ("casting", "order", "subok", "signature", "sig")


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Answer one `__array_ufunc__` call."""
    handler = _METHODS.get(method)
    if handler is None:
        raise UnsupportedFunction(f"numpy.{ufunc.__name__}.{method} has no derivative rule", where=user_line())
    return handler(ufunc, *inputs, **{k: v for k, v in options.items() if k not in _IGNORED})


def _function(ufunc: np.ufunc) -> Any:
    primitive = e.UFUNCS.get(ufunc)
    if primitive is not None:
        return lambda *args: apply(primitive, [a if _is_plain(a) else as_array(a) for a in args])
    function = FUNCTIONS.get(ufunc) or _PAIRS.get(ufunc) or _special(ufunc)
    if function is None:
        raise UnsupportedFunction(
            f"the ufunc {ufunc.__name__} has no derivative rule",
            where=user_line(),
            hint="write it with functions that have one, or x.numpy() if no derivative is wanted",
        )
    return function


def _special(ufunc: np.ufunc) -> Any:
    """Look for the ufunc among those of `scipy.special`, whose rules are loaded on first use."""
    try:
        from ..primitives import special  # noqa: F401
    except ImportError:
        return None
    primitive = e.UFUNCS.get(ufunc)
    return FUNCTIONS.get(ufunc) if primitive is None else lambda *args: apply(primitive, args)


def _is_plain(a: Any) -> bool:
    return isinstance(a, Traced | np.ndarray | np.generic | int | float | complex)


def _call(ufunc: np.ufunc, *inputs: Any, out: Any = None, where: Any = True, dtype: Any = None, **extra: Any) -> Any:
    function = _function(ufunc)
    if dtype is not None:
        inputs = tuple(
            x.astype(dtype) if isinstance(x, Traced) and x.dtype != np.dtype(dtype) else x  # type: ignore[attr-defined]
            for x in inputs
        )
    result = function(*inputs, **extra)
    if out is None:
        if where is not True:
            # NumPy leaves the rest uninitialised; zeros are one valid outcome, and repeatable.
            return np.where(where, result, 0)
        return result
    outs = out if isinstance(out, tuple) else (out,)
    results = result if isinstance(result, tuple) else (result,)
    stored = []
    for value, target in zip(results, outs, strict=True):
        if target is None:
            stored.append(value)
        else:
            stored.append(store(value if where is True else np.where(where, value, target), target))
    return stored[0] if len(stored) == 1 else tuple(stored)


_REDUCERS = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
}
_SCANS = {np.add: np.cumsum, np.multiply: np.cumprod}


def _reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = np._NoValue,
    where: Any = True,
) -> Any:
    array = as_array(array)
    reducer = _REDUCERS.get(ufunc)
    if out is not None and isinstance(out, tuple):
        (out,) = out
    if reducer is not None:
        options: dict[str, Any] = {"axis": axis, "keepdims": keepdims, "out": out}
        if ufunc in (np.add, np.multiply):
            options["dtype"] = dtype
        if initial is not np._NoValue and ufunc not in (np.logical_and, np.logical_or):
            options["initial"] = initial
        if where is not True:
            options["where"] = where
        return FUNCTIONS[reducer](array, **options)
    if where is not True:
        raise UnsupportedFunction(f"numpy.{ufunc.__name__}.reduce with where= has no derivative rule", where=user_line())
    function = _function(ufunc)
    axes = normalize_axes(axis, array.ndim)
    kept = tuple(1 if i in axes else n for i, n in enumerate(array.shape))
    for a in reversed(axes):
        parts = _parts(array, a)
        if not parts and initial is np._NoValue and ufunc.identity is None:
            raise ValueError(f"zero-size array to reduction operation {ufunc.__name__} which has no identity")
        total = parts[0] if parts else np.full(array.shape[:a] + array.shape[a + 1 :], ufunc.identity, array.dtype)
        for part in parts[1:]:
            total = function(total, part)
        array = total
    if initial is not np._NoValue:
        array = function(array, initial)
    return store(np.reshape(array, kept) if keepdims else array, out)


def _parts(array: Any, axis: int) -> list[Any]:
    return [np.squeeze(take_slice(array, axis, k, k + 1), axis) for k in range(array.shape[axis])]


def _accumulate(ufunc: np.ufunc, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    from ..primitives.reduction import cummax, cummin

    array = as_array(array)
    axis = normalize_axis(axis, array.ndim)
    if out is not None and isinstance(out, tuple):
        (out,) = out
    if ufunc in _SCANS:
        return FUNCTIONS[_SCANS[ufunc]](array, axis=axis, dtype=dtype, out=out)
    if ufunc in (np.maximum, np.minimum):
        return store((cummax if ufunc is np.maximum else cummin)(array, axis=axis), out)
    function = _function(ufunc)
    parts = _parts(array, axis)
    for k in range(1, len(parts)):
        parts[k] = function(parts[k - 1], parts[k])
    return store(np.stack(parts, axis) if parts else array, out)


def _outer(ufunc: np.ufunc, a: Any, b: Any, **options: Any) -> Any:
    a, b = as_array(a), as_array(b)
    return _call(ufunc, np.reshape(a, a.shape + (1,) * b.ndim), b, **options)


def _at(ufunc: np.ufunc, a: Any, indices: Any, b: Any = None) -> None:
    """Unbuffered in-place operation: repeated indices apply repeatedly."""
    from ..primitives.indexing import index_add, normalize_index

    if not isinstance(a, Traced):
        raise UnsupportedFunction(
            f"numpy.{ufunc.__name__}.at on a plain array with a tracked operand",
            where=user_line(),
            why="the plain array cannot hold derivatives",
            hint="np.zeros_like(x) as the buffer",
        )
    function = _function(ufunc)
    spec, arrays = normalize_index(indices, a.shape)  # type: ignore[attr-defined]
    if ufunc in (np.add, np.subtract):
        from ..tensor import _fit_value, _index_shape

        value = _fit_value(b, _index_shape(a.shape, spec, arrays), a.dtype)  # type: ignore[attr-defined]
        a._assign(function(a, index_add(value, *arrays, spec=spec, shape=a.shape)))  # type: ignore[attr-defined]
        return
    places = np.reshape(np.arange(a.size), a.shape)[tuple(indices) if isinstance(indices, list) else indices]  # type: ignore[attr-defined]
    flat = np.ravel(a).copy()
    values = None if b is None else np.ravel(np.broadcast_to(as_array(b), places.shape))
    for k, place in enumerate(np.ravel(places).tolist()):
        flat[place] = function(flat[place]) if values is None else function(flat[place], values[k])
    a._assign(np.reshape(flat, a.shape))  # type: ignore[attr-defined]


def _reduceat(ufunc: np.ufunc, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    array = as_array(array)
    axis = normalize_axis(axis, array.ndim)
    n = array.shape[axis]
    bounds = [int(i) for i in np.asarray(indices)]
    pieces = []
    for k, start in enumerate(bounds):
        stop = bounds[k + 1] if k + 1 < len(bounds) else n
        part = take_slice(array, axis, start, stop if stop > start else start + 1)
        pieces.append(_reduce(ufunc, part, axis=axis, dtype=dtype))
    return store(np.stack(pieces, axis), out)


_METHODS = {
    "__call__": _call,
    "reduce": _reduce,
    "accumulate": _accumulate,
    "outer": _outer,
    "at": _at,
    "reduceat": _reduceat,
}
