"""Functions that select or replace elements: where, clip, take, choose, rounding, piecewise definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, OutOfBounds, StructureError
from ..primitives import elementwise as e
from ..primitives import indexing as p
from ..primitives.base import normalize_axis, shape_of
from ..recording import Traced, apply
from ..views import view
from ._register import MISSING, as_array, as_float, implements, on_values, plain, store, to_dtype
from .shaping import along, ravel
from .writing import grids

__all__ = [
    "angle",
    "argwhere",
    "around",
    "choose",
    "clip",
    "compress",
    "extract",
    "fix",
    "flatnonzero",
    "imag",
    "iscomplex",
    "isneginf",
    "isposinf",
    "isreal",
    "ix_",
    "nan_to_num",
    "nonzero",
    "packbits",
    "piecewise",
    "ravel_multi_index",
    "real",
    "real_if_close",
    "round",
    "select",
    "sinc",
    "take",
    "take_along_axis",
    "unpackbits",
    "unravel_index",
    "where",
]


@implements(np.where)
def where(condition: Any, x: Any = MISSING, y: Any = MISSING, /) -> Any:
    """Same as `numpy.where`; the branch that was not taken never contributes, whatever its value."""
    if x is MISSING and y is MISSING:
        return nonzero(condition)
    if x is MISSING or y is MISSING:
        raise ArgumentError("either both or neither of x and y should be given")
    if not isinstance(condition, Traced | np.ndarray | bool | np.bool):
        condition = as_array(condition)
    if not isinstance(condition, bool) and condition.dtype != bool:
        condition = np.not_equal(condition, 0)
    x = as_array(x) if isinstance(x, list | tuple) else x
    y = as_array(y) if isinstance(y, list | tuple) else y
    return apply(e.where, (condition, x, y))


def clip(x: Any, /, min: Any = MISSING, max: Any = MISSING, out: Any = None, **options: Any) -> Any:
    """Same as `numpy.clip`; the derivative is 1 inside the closed interval."""
    low, high = options.pop("a_min", min), options.pop("a_max", max)
    low, high = (None if bound is MISSING else bound for bound in (low, high))
    mask = options.pop("where", True)
    x = to_dtype(as_array(x), options.pop("dtype", None))
    unknown = set(options) - {"casting", "order", "subok"}  # these change no number
    if unknown:
        raise StructureError(f"clip() got an unexpected keyword argument {unknown.pop()!r}")
    if low is None and high is None:
        result = np.copy(x)
    elif high is None:
        result = _bounded(x, low, above=True)
    elif low is None:
        result = _bounded(x, high, above=False)
    else:
        low, high = (as_array(bound) if isinstance(bound, list | tuple) else bound for bound in (low, high))
        result = apply(e.clip, (x, low, high))
    if mask is not True:
        result = np.where(mask, result, np.zeros((), result.dtype) if out is None else out)
    return store(result, out)


@implements(np.clip)
def _clip(
    a: Any,
    a_min: Any = MISSING,
    a_max: Any = MISSING,
    out: Any = None,
    *,
    min: Any = MISSING,
    max: Any = MISSING,
    **kwargs: Any,
) -> Any:
    return clip(a, a_min if min is MISSING else min, a_max if max is MISSING else max, out, **kwargs)


def _bounded(a: Any, bound: Any, above: bool) -> Any:
    """Clip on one side: an integer array keeps its dtype, which infinite other bounds would not allow."""
    bound = as_array(bound) if isinstance(bound, list | tuple) else bound
    if a.dtype.kind in "f":
        limits = (bound, a.dtype.type(np.inf)) if above else (a.dtype.type(-np.inf), bound)
        return apply(e.clip, (a, *limits))
    return (np.maximum if above else np.minimum)(a, bound)


@implements(np.round, np.around, zero=True)
def round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """Same as `numpy.round`; the derivative is 0."""
    return store(apply(e.round_, (as_array(a),), {"decimals": int(decimals)}), out)


around = round


@implements(np.fix, zero=True)
def fix(x: Any, out: Any = None) -> Any:
    """Same as `numpy.fix`; the derivative is 0."""
    return store(np.trunc(as_array(x)), out)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """Same as `numpy.sinc`."""
    return apply(e.sinc, (as_float(x),))


# ---------------------------------------------------------------- complex parts


@implements(np.real)
def real(val: Any) -> Any:
    """Same as `numpy.real`; a view of a complex tensor."""
    val = as_array(val)
    return view(val, e.real) if val.dtype.kind == "c" else val


@implements(np.imag)
def imag(val: Any) -> Any:
    """Same as `numpy.imag`; a view of a complex tensor."""
    val = as_array(val)
    return view(val, e.imag) if val.dtype.kind == "c" else apply(e.where, (False, val, val.dtype.type(0)))


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """Same as `numpy.angle`."""
    z = as_array(z)
    result = np.arctan2(imag(z), real(z))
    return np.degrees(result) if deg else result


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """Same as `numpy.real_if_close`."""
    a = as_array(a)
    return real(a) if np.isrealobj(np.real_if_close(plain(a), tol)) else a


@implements(np.isreal, zero=True)
def isreal(x: Any) -> Any:
    """Same as `numpy.isreal`."""
    return np.equal(imag(x), 0)


@implements(np.iscomplex, zero=True)
def iscomplex(x: Any) -> Any:
    """Same as `numpy.iscomplex`."""
    return np.not_equal(imag(x), 0)


@implements(np.isposinf, zero=True)
def isposinf(x: Any, out: Any = None) -> Any:
    """Same as `numpy.isposinf`."""
    return store(np.equal(as_array(x), np.inf), out)


@implements(np.isneginf, zero=True)
def isneginf(x: Any, out: Any = None) -> Any:
    """Same as `numpy.isneginf`."""
    return store(np.equal(as_array(x), -np.inf), out)


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Same as `numpy.nan_to_num`; replaced elements have derivative 0."""
    x = as_array(x)
    if x.dtype.kind == "c":
        parts = (nan_to_num(part, nan=nan, posinf=posinf, neginf=neginf) for part in (real(x), imag(x)))
        result = to_dtype(next(parts) + 1j * next(parts), x.dtype)
    elif x.dtype.kind == "f":
        limits = np.finfo(x.dtype)
        result = np.where(np.isnan(x), _like(nan, x), x)
        result = np.where(np.equal(x, np.inf), _like(limits.max if posinf is None else posinf, x), result)
        result = np.where(np.equal(x, -np.inf), _like(limits.min if neginf is None else neginf, x), result)
    else:
        result = np.copy(x)
    if not copy and isinstance(x, Traced):
        x[...] = result  # type: ignore[index]
        return x
    return result


def _like(value: Any, x: Any) -> Any:
    return value if isinstance(value, Traced) else np.asarray(value, x.dtype)


# ---------------------------------------------------------------- taking


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    """Same as `numpy.take`."""
    a = as_array(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    indices = _wrapped(indices, a.shape[axis], mode)
    return store(apply(p.index, (a, indices), {"spec": along(axis, p.ARRAY)}), out)


def _wrapped(indices: Any, n: int, mode: str) -> Any:
    indices = as_array(indices)
    if indices.dtype.kind not in "iu":
        if indices.dtype != bool and np.prod(shape_of(indices)):
            raise DtypeError(f"Cannot cast array data from {indices.dtype} to int64 according to the rule 'safe'")
        indices = indices.astype(np.intp)
    if mode == "wrap":
        return indices % n
    return np.clip(indices, 0, n - 1) if mode == "clip" else indices


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """Same as `numpy.take_along_axis`."""
    arr, indices = as_array(arr), as_array(indices)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis(axis, arr.ndim)
    if arr.ndim != indices.ndim:
        raise ArgumentError("`indices` and `arr` must have the same number of dimensions")
    if any(m != n and m != 1 for i, (m, n) in enumerate(zip(indices.shape, arr.shape, strict=True)) if i != axis):
        raise OutOfBounds("shape mismatch: indices and arr do not broadcast")
    return apply(p.index, (arr, *grids(arr.shape, axis, indices)), {"spec": (p.ARRAY,) * arr.ndim})


@implements(np.ix_)
def ix_(*args: Any) -> Any:
    """Same as `numpy.ix_`: indices and masks become plain arrays, floating numbers keep their derivative."""
    open_mesh = np.ix_(*map(plain, args))
    return tuple(
        p.reshape(arg, shape=part.shape) if isinstance(arg, Traced) and part.dtype.kind in "fc" else part
        for arg, part in zip(args, open_mesh)
    )


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Same as `numpy.choose`."""
    which = np.asarray(plain(a))
    parts = np.broadcast_arrays(*(as_array(c) for c in choices), np.broadcast_to(which, which.shape))[:-1]
    n = len(parts)
    if mode == "wrap":
        which = which % n
    elif mode == "clip":
        which = np.clip(which, 0, n - 1)
    elif which.size and (which.min() < 0 or which.max() >= n):
        raise ArgumentError("invalid entry in choice array")
    stacked = np.stack(parts)
    which = np.broadcast_to(which, stacked.shape[1:]).astype(np.intp)  # booleans choose too; as an index they would mask
    return store(np.take_along_axis(stacked, which[None], 0)[0], out)


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """Same as `numpy.compress`."""
    return take(a, np.flatnonzero(plain(condition)), axis, out)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """Same as `numpy.extract`."""
    return take(arr, np.flatnonzero(plain(condition)))


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Same as `numpy.select`."""
    if len(condlist) != len(choicelist):
        raise ArgumentError("list of cases must be same length as list of conditions")
    if not len(condlist):
        raise ArgumentError("select with an empty condition list is not possible")
    choices = [as_array(c) for c in choicelist]
    kind = np.result_type(
        *(c.dtype for c in choices),
        *([default] if np.ndim(default) == 0 and not isinstance(default, Traced) else [as_array(default).dtype]),
    )
    result: Any = to_dtype(as_array(default), kind)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        condition = as_array(condition)
        if condition.dtype != bool:
            raise DtypeError("invalid entry in condlist: should be boolean ndarray")
        result = where(condition, to_dtype(choice, kind), result)
    return result


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Same as `numpy.piecewise`: each function sees only the elements where its condition holds."""
    x = as_array(x)
    if not isinstance(condlist, list | tuple) or (len(condlist) and np.ndim(condlist[0]) == 0 and x.ndim):
        condlist = [condlist]
    if any(isinstance(c, Traced) and c._data is None for c in condlist):
        return _piecewise_everywhere(x, condlist, funclist, args, kw)
    conditions = [np.asarray(plain(c), bool) for c in condlist]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    if len(funclist) != len(conditions):
        raise _wrong_count(len(condlist))
    result = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        if not callable(function):
            result[condition] = function
        elif condition.any():
            result[condition] = function(x[condition], *args, **kw)
    return result


def _piecewise_everywhere(x: Any, conditions: Sequence[Any], functions: Sequence[Any], args: Any, kw: Any) -> Any:
    """Return the pieces where nothing is known of the conditions: each function sees all elements."""
    covered: Any = np.zeros(np.shape(x), bool)
    result = np.zeros_like(x)
    for condition, function in zip(conditions, functions, strict=False):
        result = np.where(condition, function(x, *args, **kw) if callable(function) else function, result)
        covered = covered | condition
    if len(functions) == len(conditions) + 1:
        rest = functions[-1]
        result = np.where(covered, result, rest(x, *args, **kw) if callable(rest) else rest)
    elif len(functions) != len(conditions):
        raise _wrong_count(len(conditions))
    return result.astype(x.dtype)


def _wrong_count(conditions: int) -> ArgumentError:
    return ArgumentError(f"with {conditions} condition(s), either {conditions} or {conditions + 1} functions are expected")


# ---------------------------------------------------------------- places

argwhere = on_values(np.argwhere)
flatnonzero = on_values(np.flatnonzero)
nonzero = on_values(np.nonzero)
packbits = on_values(np.packbits)
ravel_multi_index = on_values(np.ravel_multi_index)
unpackbits = on_values(np.unpackbits)
unravel_index = on_values(np.unravel_index)
