"""Selecting and ordering: where, clip, take, sort, median, rounding and other piecewise functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives import indexing as p
from ..primitives import reduction as r
from ..primitives.base import normalize_axis, result_dtype, shape_of
from ..recording import Traced, apply
from ..tensor import Tensor
from ._register import as_array, implements, store
from .shaping import along


@implements(np.where)
def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """Same as `numpy.where`; the branch that was not taken never contributes, whatever its value."""
    if x is None and y is None:
        return nonzero(condition)
    if isinstance(condition, list | tuple):
        condition = as_array(condition)
    if isinstance(condition, Traced | np.ndarray) and condition.dtype != bool:  # type: ignore[union-attr]
        condition = np.not_equal(condition, 0)
    x = as_array(x) if isinstance(x, list | tuple) else x
    y = as_array(y) if isinstance(y, list | tuple) else y
    return apply(e.where, (condition, x, y))


@implements(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None, max: Any = None, **_: Any) -> Any:
    """Same as `numpy.clip`; the derivative is 1 inside the closed interval."""
    low = min if a_min is None else a_min
    high = max if a_max is None else a_max
    low = -np.inf if low is None else low
    high = np.inf if high is None else high
    return store(apply(e.clip, (as_array(a), low, high)), out)


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    """Same as `numpy.round`; the derivative is 0."""
    return store(apply(e.round_, (as_array(a),), {"decimals": int(decimals)}), out)


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    """Same as `numpy.fix`; the derivative is 0."""
    return store(np.trunc(as_array(x)), out)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    """Same as `numpy.sinc`."""
    return apply(e.sinc, (as_array(x),))


@implements(np.real)
def real(val: Any) -> Any:
    """Same as `numpy.real`."""
    val = as_array(val)
    return apply(e.real, (val,)) if val.dtype.kind == "c" else val


@implements(np.imag)
def imag(val: Any) -> Any:
    """Same as `numpy.imag`."""
    val = as_array(val)
    return apply(e.imag, (val,)) if val.dtype.kind == "c" else val * 0


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """Same as `numpy.angle`."""
    result = np.arctan2(imag(z), real(z))
    return np.degrees(result) if deg else result


@implements(np.nan_to_num)
def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Same as `numpy.nan_to_num`; replaced elements have derivative 0."""
    x = as_array(x)
    if x.dtype.kind == "c":
        return nan_to_num(real(x), nan=nan, posinf=posinf, neginf=neginf) + 1j * nan_to_num(
            imag(x), nan=nan, posinf=posinf, neginf=neginf
        )
    limits = np.finfo(x.dtype) if x.dtype.kind == "f" else np.iinfo(x.dtype)
    y = np.where(np.isnan(x), x.dtype.type(nan), x)
    y = np.where(x == np.inf, x.dtype.type(limits.max if posinf is None else posinf), y)
    return np.where(x == -np.inf, x.dtype.type(limits.min if neginf is None else neginf), y)


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """Same as `numpy.real_if_close`."""
    a = as_array(a)
    close = np.isrealobj(np.real_if_close(a.numpy() if isinstance(a, Tensor) else a, tol))
    return real(a) if close else a


# ---------------------------------------------------------------- taking


@implements(np.take)
def take(a: Any, indices: Any, /, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    """Same as `numpy.take`."""
    a = as_array(a)
    if axis is None:
        a, axis = np.ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    indices = _wrapped(indices, a.shape[axis], mode)
    return store(p.index(a, indices, spec=along(axis, p.ARRAY)), out)


def _wrapped(indices: Any, n: int, mode: str) -> Any:
    indices = as_array(indices)
    if indices.dtype.kind not in "iu":
        if indices.size:
            raise TypeError(f"Cannot cast array data from {indices.dtype} to int64 according to the rule 'safe'")
        indices = indices.astype(np.intp)
    if mode == "wrap":
        return indices % n
    if mode == "clip":
        return np.clip(indices, 0, n - 1)
    return indices


def _grids(shape: tuple[int, ...], axis: int, indices: Any) -> list[Any]:
    return [
        indices if i == axis else np.reshape(np.arange(n), (n,) + (1,) * (len(shape) - i - 1))
        for i, n in enumerate(shape)
    ]


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """Same as `numpy.take_along_axis`."""
    arr, indices = as_array(arr), as_array(indices)
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis = normalize_axis(axis, arr.ndim)
    grids = [
        indices if i == axis else np.reshape(np.arange(n), (n,) + (1,) * (arr.ndim - i - 1))
        for i, n in enumerate(arr.shape)
    ]
    if any(m != n and m != 1 for i, (m, n) in enumerate(zip(indices.shape, arr.shape, strict=True)) if i != axis):
        raise IndexError("shape mismatch: indices and arr do not broadcast")
    return p.index(arr, *grids, spec=(p.ARRAY,) * arr.ndim)


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """Same as `numpy.put_along_axis`."""
    if axis is None:
        arr.flat[indices] = values
        return
    axis = normalize_axis(axis, arr.ndim)
    arr[tuple(_grids(arr.shape, axis, as_array(indices)))] = values


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Same as `numpy.put`."""
    size = int(np.prod(a.shape))
    ind = np.ravel(_wrapped(ind, size, mode))
    flat = np.ravel(a)
    values = np.resize(as_array(v), (ind.shape[0],))
    changed = p.index_set(flat, apply(e.cast, (values,), {"dtype": a.dtype}), ind, spec=(p.ARRAY,))
    store(np.reshape(changed, a.shape), a)


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    """Same as `numpy.compress`."""
    return store(take(a, np.flatnonzero(np.asarray(condition)), axis), out)


def _compress_method(a: Any, condition: Any, axis: int | None = None, out: Any = None) -> Any:
    return compress(condition, a, axis, out)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """Same as `numpy.extract`."""
    return take(np.ravel(as_array(arr)), np.flatnonzero(_plain(condition)))


def _plain(x: Any) -> Any:
    return x.numpy() if isinstance(x, Tensor) else np.asarray(x)


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Same as `numpy.choose`."""
    choices = np.broadcast_arrays(*[as_array(c) for c in choices])
    stacked = p.stack(*choices, axis=0)
    a = np.broadcast_to(_wrapped(a, len(choices), mode), stacked.shape[1:])
    return store(np.squeeze(take_along_axis(stacked, np.expand_dims(a, 0), 0), 0), out)


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Same as `numpy.select`."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = where(condition, choice, result)
    return result


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Same as `numpy.piecewise`."""
    x = as_array(x)
    if not isinstance(condlist, list | tuple) or (len(condlist) and np.ndim(condlist[0]) == 0 and x.ndim):
        condlist = [condlist]
    conditions = [_plain(c).astype(bool) for c in condlist]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    if len(funclist) != len(conditions):
        raise ValueError(f"with {len(condlist)} condition(s), either {len(condlist)} or one more functions are expected")
    result: Any = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        part = function(x, *args, **kw) if callable(function) and not condition.all() and False else function
        if callable(function):
            chosen = x[condition]
            part = function(chosen, *args, **kw) if chosen.size else chosen
            result[condition] = part
        else:
            result = where(condition, part, result)
    return result


@implements(np.nonzero)
def nonzero(a: Any) -> tuple[np.ndarray, ...]:
    """Same as `numpy.nonzero`; plain integer arrays, which have no derivative."""
    return np.nonzero(_plain(a))


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> np.ndarray:
    """Same as `numpy.flatnonzero`."""
    return np.flatnonzero(_plain(a))


@implements(np.argwhere)
def argwhere(a: Any) -> np.ndarray:
    """Same as `numpy.argwhere`."""
    return np.argwhere(_plain(a))


# ---------------------------------------------------------------- order


@implements(np.argsort)
def argsort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None, descending: bool = False) -> Any:
    """Same as `numpy.argsort`, always stable."""
    a = as_array(a)
    if axis is None:
        a, axis = np.ravel(a), 0
    if a.ndim == 0:
        return apply(e.cast, (a * 0,), {"dtype": np.dtype(np.intp)})
    return r.argsort(a, axis=normalize_axis(axis, a.ndim))


@implements(np.sort)
def sort(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
    """Same as `numpy.sort`, always stable."""
    a = as_array(a)
    if axis is None:
        a, axis = np.ravel(a), 0
    return take_along_axis(a, argsort(a, axis), axis)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """A full sort, which is a partition for every `kth`."""
    return sort(a, axis)


@implements(np.argpartition)
def argpartition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """A full argsort, which is a partition for every `kth`."""
    return argsort(a, axis)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """Same as `numpy.sort_complex`."""
    result = sort(a)
    return apply(e.cast, (result,), {"dtype": np.result_type(result.dtype, np.complex64)})


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> np.ndarray:
    """Same as `numpy.lexsort`."""
    return np.lexsort([_plain(k) for k in keys], axis)


def _arg(primitive: Any, name: str) -> Any:
    def find(a: Any, axis: int | None = None, out: Any = None, *, keepdims: bool = False) -> Any:
        a = as_array(a)
        flat, which = (np.ravel(a), 0) if axis is None else (a, normalize_axis(axis, a.ndim))
        result = primitive(flat, axis=which)
        if keepdims:
            shape = (1,) * a.ndim if axis is None else tuple(1 if i == which else n for i, n in enumerate(a.shape))
            result = np.reshape(result, shape)
        return store(result, out)

    find.__name__ = name
    find.__doc__ = f"Same as `numpy.{name}`."
    return find


argmax = implements(np.argmax)(_arg(r.argmax, "argmax"))
argmin = implements(np.argmin)(_arg(r.argmin, "argmin"))


@implements(np.median)
def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    """Same as `numpy.median`; an even count splits the derivative over the two middle elements."""
    a = as_array(a)
    moved, shape = _gather_axes(a, axis)
    n = moved.shape[-1]
    ordered = sort(moved, -1)
    result = (ordered[..., (n - 1) // 2] + ordered[..., n // 2]) / 2 if n % 2 == 0 else ordered[..., n // 2] * 1.0
    return store(np.reshape(result, shape) if keepdims else result, out)


def _gather_axes(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """Bring the reduced axes last as one; return also the shape with them kept as ones."""
    from ..primitives.base import normalize_axes

    axes = normalize_axes(axis, a.ndim)
    rest = tuple(i for i in range(a.ndim) if i not in axes)
    kept = tuple(1 if i in axes else n for i, n in enumerate(a.shape))
    moved = np.transpose(a, (*rest, *axes))
    length = int(np.prod([a.shape[i] for i in axes])) if axes else 1
    return np.reshape(moved, (*(a.shape[i] for i in rest), length)), kept


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: Any = "left", sorter: Any = None) -> np.ndarray:
    """Same as `numpy.searchsorted`; plain integers, which have no derivative."""
    return np.searchsorted(_plain(a), _plain(v), side, sorter)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> np.ndarray:
    """Same as `numpy.digitize`."""
    return np.digitize(_plain(x), _plain(bins), right)


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """Same as `numpy.isclose`."""
    return np.isclose(_plain(a), _plain(b), rtol, atol, equal_nan)


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> bool:
    """Same as `numpy.allclose`."""
    return np.allclose(_plain(a), _plain(b), rtol, atol, equal_nan)


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """Same as `numpy.array_equal`."""
    return np.array_equal(_plain(a1), _plain(a2), equal_nan)


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> bool:
    """Same as `numpy.array_equiv`."""
    return np.array_equiv(_plain(a1), _plain(a2))


@implements(np.isreal)
def isreal(x: Any) -> Any:
    """Same as `numpy.isreal`."""
    return np.isreal(_plain(x))


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    """Same as `numpy.iscomplex`."""
    return np.iscomplex(_plain(x))


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    """Same as `numpy.isposinf`."""
    return store(np.equal(as_array(x), np.inf), out)


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    """Same as `numpy.isneginf`."""
    return store(np.equal(as_array(x), -np.inf), out)


class FlatIterator:
    """`tensor.flat`: the elements in C order, readable and writable by a flat index."""

    def __init__(self, base: Tensor) -> None:
        self.base = base

    def __len__(self) -> int:
        return self.base.size

    def __getitem__(self, key: Any) -> Any:
        return np.ravel(self.base)[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        flat = np.ravel(self.base).copy()
        flat[key] = value
        self.base._assign(np.reshape(flat, self.base.shape))

    def __iter__(self) -> Any:
        return iter(np.ravel(self.base))


__all__ = [name for name in dir() if not name.startswith("_") and name not in {"Any", "Traced", "annotations", "p", "r", "e"}]
_ = (result_dtype, shape_of)
