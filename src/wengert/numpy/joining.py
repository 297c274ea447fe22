"""Functions that join, split, repeat and move parts of arrays."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, ShapeError
from ..primitives import indexing as p
from ..primitives.base import normalize_axis, shape_of
from ..recording import Traced
from ._register import as_array, implements, plain, since, store, to_dtype
from .padding import pad as _pad
from .shaping import along, atleast_1d, atleast_2d, atleast_3d, ravel, reshape, take_slice

__all__ = [
    "append",
    "array_split",
    "block",
    "column_stack",
    "concat",
    "concatenate",
    "delete",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "insert",
    "pad",
    "repeat",
    "resize",
    "roll",
    "split",
    "stack",
    "tile",
    "trim_zeros",
    "unstack",
    "vsplit",
    "vstack",
]


def _cast(result: Any, dtype: Any, casting: Any) -> Any:
    if dtype is not None and not np.can_cast(result.dtype, dtype, casting):
        raise DtypeError(
            f"Cannot cast array data from {result.dtype!r} to {np.dtype(dtype)!r} according to {casting!r}"
        )
    return to_dtype(result, dtype)


def _target_dtype(dtype: Any, out: Any) -> Any:
    return out.dtype if dtype is None and out is not None else dtype


def _entries(arrays: Any) -> list[Any]:
    """Return the entries of a sequence of arrays, or the rows of one array."""
    return [as_array(a) for a in arrays]


@implements(np.concatenate, np.concat)
def concatenate(
    arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    """Same as `numpy.concatenate`."""
    arrays = _entries(arrays)
    if not arrays:
        raise ArgumentError("need at least one array to concatenate")
    if axis is None:
        arrays, axis = [ravel(a) for a in arrays], 0
    ndim = arrays[0].ndim
    if ndim == 0:
        raise ArgumentError("zero-dimensional arrays cannot be concatenated")
    if any(a.ndim != ndim for a in arrays):
        raise ShapeError(f"all arrays to concatenate must have as many axes, not {[a.ndim for a in arrays]}")
    result = p.concatenate(*arrays, axis=normalize_axis(axis, ndim))
    return store(_cast(result, _target_dtype(dtype, out), casting), out)


concat = concatenate


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """Same as `numpy.stack`."""
    arrays = _entries(arrays)
    if not arrays:
        raise ArgumentError("need at least one array to stack")
    result = p.stack(*arrays, axis=normalize_axis(axis, arrays[0].ndim + 1))
    return store(_cast(result, _target_dtype(dtype, out), casting), out)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """Same as `numpy.vstack`."""
    return concatenate([atleast_2d(a) for a in tup], 0, dtype=dtype, casting=casting)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """Same as `numpy.hstack`."""
    arrays = [atleast_1d(a) for a in tup]
    return concatenate(arrays, 0 if arrays and arrays[0].ndim == 1 else 1, dtype=dtype, casting=casting)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """Same as `numpy.dstack`."""
    return concatenate([atleast_3d(a) for a in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """Same as `numpy.column_stack`."""
    return concatenate([reshape(a, (-1, 1)) if a.ndim < 2 else a for a in map(as_array, tup)], 1)


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """Same as `numpy.append`."""
    return concatenate([arr, values], axis)


@implements(np.block)
def block(arrays: Any) -> Any:
    """Same as `numpy.block`."""

    def depth(part: Any) -> int:
        return 1 + max((depth(x) for x in part), default=0) if isinstance(part, list) else 0

    levels = depth(arrays)
    ndim = max(levels, *(len(shape_of(leaf)) for leaf in _leaves(arrays)))

    def join(part: Any, level: int) -> Any:
        if isinstance(part, list):
            if not part:
                raise ArgumentError("List at arrays cannot be empty")
            return concatenate([join(x, level + 1) for x in part], axis=level - levels)
        part = as_array(part)
        return reshape(part, (1,) * (ndim - part.ndim) + part.shape)

    return join(arrays, 0)


def _leaves(nested: Any) -> list[Any]:
    if isinstance(nested, list):
        return [leaf for part in nested for leaf in _leaves(part)]
    return [nested]


# ---------------------------------------------------------------- splitting


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Same as `numpy.array_split`; the parts are views."""
    ary = as_array(ary)
    axis = normalize_axis(axis, ary.ndim)
    n = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        sections = int(indices_or_sections)
        if sections <= 0:
            raise ArgumentError("number sections must be larger than 0.")
        size, extra = divmod(n, sections)
        bounds = np.cumsum([0] + extra * [size + 1] + (sections - extra) * [size]).tolist()
    else:
        bounds = [0, *(int(i) for i in indices_or_sections), n]
    return [take_slice(ary, axis, start, stop) for start, stop in pairwise(bounds)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Same as `numpy.split`; the parts are views."""
    if np.ndim(indices_or_sections) == 0 and shape_of(ary)[axis] % int(indices_or_sections):
        raise ArgumentError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


def _split_along(function: Any, least: int, axis_of: Any) -> Any:
    def handler(ary: Any, indices_or_sections: Any) -> list[Any]:
        ndim = len(shape_of(ary))
        if ndim < least:
            raise ArgumentError(f"{function.__name__} only works on arrays of {least} or more dimensions")
        return split(ary, indices_or_sections, axis_of(ndim))

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`; the parts are views."
    return implements(function)(handler)


hsplit = _split_along(np.hsplit, 1, lambda ndim: 1 if ndim > 1 else 0)
vsplit = _split_along(np.vsplit, 2, lambda ndim: 0)
dsplit = _split_along(np.dsplit, 3, lambda ndim: 2)


@implements(since("unstack"))
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Same as `numpy.unstack`; the parts are views."""
    x = as_array(x)
    if x.ndim == 0:
        raise ArgumentError("Input array must be at least 1-d.")
    axis = normalize_axis(axis, x.ndim)
    rows = np.moveaxis(x, axis, 0)
    return tuple(rows[i] for i in range(x.shape[axis]))


# ---------------------------------------------------------------- repeating and moving


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """Same as `numpy.roll`."""
    a = as_array(a)
    if axis is None:
        return (
            roll(a, shift, 0)
            if a.ndim == 1
            else p.reshape(roll(p.reshape(a, shape=(a.size,)), shift, 0), shape=a.shape)
        )
    if isinstance(shift, Traced) and shift._data is None and shape_of(shift) == ():  # each sample its own shift
        which = normalize_axis(axis, a.ndim)
        n = a.shape[which]
        return np.take(a, (np.arange(n) - shift) % n, axis=which) if n else a
    for amount, which in [(shift, axis)] if type(shift) is type(axis) is int else _pairs(plain(shift), axis):
        which = normalize_axis(which, a.ndim)
        n = a.shape[which]
        amount = int(amount) % n if n else 0
        if amount:
            cut = n - amount
            a = p.concatenate(
                p.index(a, spec=along(which, (cut, None, None))),
                p.index(a, spec=along(which, (0, cut, None))),
                axis=which,
            )
    return a


def _pairs(shift: Any, axis: Any) -> list[tuple[int, int]]:
    shifts, axes = np.broadcast_arrays(np.atleast_1d(shift), np.atleast_1d(axis))
    if shifts.ndim > 1:
        raise ArgumentError("'shift' and 'axis' should be scalars or 1D sequences")
    return list(zip(shifts.tolist(), axes.tolist(), strict=True))


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """Same as `numpy.tile`."""
    A = as_array(A)
    reps = (int(reps),) if np.ndim(reps) == 0 else tuple(int(r) for r in reps)
    ndim = max(len(reps), A.ndim)
    shape = (1,) * (ndim - A.ndim) + A.shape
    reps = (1,) * (ndim - len(reps)) + reps
    split_shape = tuple(k for n in shape for k in (1, n))
    wide = tuple(k for r, n in zip(reps, shape, strict=True) for k in (r, n))
    spread = p.broadcast_to(p.reshape(A, shape=split_shape), shape=wide)
    return p.reshape(spread, shape=tuple(r * n for r, n in zip(reps, shape, strict=True)))


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    """Same as `numpy.repeat`."""
    a = as_array(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    n = a.shape[axis]
    counts = np.asarray(plain(repeats))
    if counts.size == 1:
        r = int(counts.reshape(()))
        if r < 0:
            raise ArgumentError("repeats may not contain negative values.")
        before, after = a.shape[:axis], a.shape[axis + 1 :]
        wide = p.broadcast_to(p.reshape(a, shape=(*before, n, 1, *after)), shape=(*before, n, r, *after))
        return p.reshape(wide, shape=(*before, n * r, *after))
    return p.index(a, np.repeat(np.arange(n), counts), spec=along(axis, p.ARRAY))


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """Same as `numpy.delete`."""
    arr = as_array(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis(axis, arr.ndim)
    return p.index(arr, np.delete(np.arange(arr.shape[axis]), plain(obj)), spec=along(axis, p.ARRAY))


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Same as `numpy.insert`."""
    arr, values = as_array(arr), as_array(values)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis(axis, arr.ndim)
    # NumPy itself, inserting numbers into numbers, tells where each element of the result comes from.
    old = np.reshape(np.arange(arr.size), arr.shape)
    new = np.reshape(arr.size + np.arange(values.size), values.shape)
    source = np.insert(old, plain(obj), new, axis)
    joined = p.concatenate(ravel(arr), ravel(to_dtype(values, arr.dtype)), axis=0)
    return p.index(joined, source, spec=(p.ARRAY,))


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """Same as `numpy.resize`."""
    a = ravel(a)
    shape = (int(new_shape),) if np.ndim(new_shape) == 0 else tuple(int(n) for n in new_shape)
    if any(n < 0 for n in shape):
        raise ArgumentError("all elements of `new_shape` must be non-negative")
    if not a.shape[0]:
        return np.zeros_like(a, shape=shape)
    return p.index(a, np.resize(np.arange(a.shape[0]), shape), spec=(p.ARRAY,))


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Same as `numpy.pad`, in every mode."""
    return _pad(as_array(array), pad_width, mode, **kwargs)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: Any = "fb", axis: Any = None) -> Any:
    """Same as `numpy.trim_zeros`."""
    filt = as_array(filt)
    nonzero = np.asarray(plain(filt)) != 0
    options = {} if axis is None else {"axis": axis}  # NumPy before 2.2 trims one axis only
    kept = np.trim_zeros(nonzero.astype(int), trim, **options)
    return filt[_bounds(nonzero, kept.shape, trim.lower())]


def _bounds(nonzero: np.ndarray, shape: tuple[int, ...], trim: str) -> tuple[slice, ...]:
    parts = []
    for axis, n in enumerate(shape):
        others = tuple(i for i in range(nonzero.ndim) if i != axis)
        where = np.flatnonzero(nonzero.any(axis=others))
        start = int(where[0]) if "f" in trim and where.size and n < nonzero.shape[axis] else 0
        parts.append(slice(start, start + n))
    return tuple(parts)
