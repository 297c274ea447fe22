"""Functions that move elements: reshape, transpose, join, split, repeat, roll, pad and their kin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives import indexing as p
from ..primitives.base import normalize_axes, normalize_axis, shape_of
from ..primitives.elementwise import cast, where
from ..recording import apply
from ._register import as_array, implements, store

FULL = (None, None, None)


def along(axis: int, part: Any) -> tuple[Any, ...]:
    """Return the spec of an index that takes `part` along one axis and everything along those before."""
    return (*(FULL,) * axis, part)


def take_slice(x: Any, axis: int, start: int | None, stop: int | None, step: int | None = None) -> Any:
    """Return a slice of `x` along one axis."""
    return p.index(x, spec=along(axis, (start, stop, step)))


@implements(np.reshape)
def reshape(a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None) -> Any:
    """Same as `numpy.reshape`."""
    a = as_array(a)
    shape = newshape if shape is None else shape
    shape = (int(shape),) if np.ndim(shape) == 0 else tuple(int(n) for n in shape)
    if -1 in shape:
        known = 1
        for n in shape:
            known *= n if n != -1 else 1
        size = int(np.prod(a.shape))
        if shape.count(-1) > 1:
            raise ValueError("can only specify one unknown dimension")
        if known == 0 or size % known:
            raise ValueError(f"cannot reshape array of size {size} into shape {shape}")
        shape = tuple(size // known if n == -1 else n for n in shape)
    if order == "F":
        flipped = p.transpose(a, axes=tuple(reversed(range(a.ndim))))
        return p.transpose(p.reshape(flipped, shape=shape[::-1]), axes=tuple(reversed(range(len(shape)))))
    return p.reshape(a, shape=shape)


def _reshape_method(x: Any, *shape: Any, order: str = "C", copy: Any = None) -> Any:
    return reshape(x, shape[0] if len(shape) == 1 else shape, order=order)


@implements(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """Same as `numpy.ravel`."""
    return reshape(a, (-1,) if np.prod(shape_of(a)) else (0,), order="F" if order == "F" else "C")


def _flatten_method(x: Any, order: str = "C") -> Any:
    return ravel(x, order)


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    """Same as `numpy.transpose`."""
    a = as_array(a)
    if axes is None:
        axes = tuple(reversed(range(a.ndim)))
    axes = tuple(normalize_axis(int(i), a.ndim) for i in axes)
    if sorted(axes) != list(range(a.ndim)):
        raise ValueError("axes don't match array")
    return p.transpose(a, axes=axes)


permute_dims = transpose


def _transpose_method(x: Any, *axes: Any) -> Any:
    if not axes or (len(axes) == 1 and axes[0] is None):
        return transpose(x)
    return transpose(x, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes)


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """Same as `numpy.matrix_transpose`."""
    return swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Same as `numpy.swapaxes`."""
    a = as_array(a)
    axes = list(range(a.ndim))
    i, j = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    axes[i], axes[j] = axes[j], axes[i]
    return p.transpose(a, axes=tuple(axes))


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Same as `numpy.moveaxis`."""
    a = as_array(a)
    source = [source] if np.ndim(source) == 0 else list(source)
    destination = [destination] if np.ndim(destination) == 0 else list(destination)
    source = [normalize_axis(int(i), a.ndim) for i in source]
    destination = [normalize_axis(int(i), a.ndim) for i in destination]
    if len(source) != len(destination):
        raise ValueError("`source` and `destination` arguments must have the same number of elements")
    order = [i for i in range(a.ndim) if i not in source]
    for to, which in sorted(zip(destination, source, strict=True)):
        order.insert(to, which)
    return p.transpose(a, axes=tuple(order))


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Same as `numpy.rollaxis`."""
    a = as_array(a)
    axis = normalize_axis(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


@implements(np.expand_dims)
def expand_dims(a: Any, /, axis: Any = 0) -> Any:
    """Same as `numpy.expand_dims`."""
    a = as_array(a)
    axes = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    ndim = a.ndim + len(axes)
    axes = normalize_axes(axes, ndim)
    rest = iter(a.shape)
    return p.reshape(a, shape=tuple(1 if i in axes else next(rest) for i in range(ndim)))


@implements(np.squeeze)
def squeeze(a: Any, /, axis: Any = None) -> Any:
    """Same as `numpy.squeeze`."""
    a = as_array(a)
    if axis is None:
        return p.reshape(a, shape=tuple(n for n in a.shape if n != 1))
    axes = normalize_axes(axis, a.ndim)
    if any(a.shape[i] != 1 for i in axes):
        raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return p.reshape(a, shape=tuple(n for i, n in enumerate(a.shape) if i not in axes))


@implements(np.atleast_1d)
def atleast_1d(*arrays: Any) -> Any:
    """Same as `numpy.atleast_1d`."""
    made = tuple(reshape(a, (1,)) if shape_of(a) == () else as_array(a) for a in arrays)
    return made[0] if len(made) == 1 else made


@implements(np.atleast_2d)
def atleast_2d(*arrays: Any) -> Any:
    """Same as `numpy.atleast_2d`."""
    made = tuple(
        reshape(a, (1, *shape_of(a)) if len(shape_of(a)) == 1 else (1, 1)) if len(shape_of(a)) < 2 else as_array(a)
        for a in arrays
    )
    return made[0] if len(made) == 1 else made


@implements(np.atleast_3d)
def atleast_3d(*arrays: Any) -> Any:
    """Same as `numpy.atleast_3d`."""

    def raise_to_three(a: Any) -> Any:
        shape = shape_of(a)
        new = {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}.get(len(shape))
        return as_array(a) if new is None else reshape(a, new)

    made = tuple(map(raise_to_three, arrays))
    return made[0] if len(made) == 1 else made


@implements(np.broadcast_to)
def broadcast_to(array: Any, /, shape: Any, subok: bool = False) -> Any:
    """Same as `numpy.broadcast_to`."""
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    return p.broadcast_to(as_array(array), shape=shape)


@implements(np.broadcast_arrays)
def broadcast_arrays(*arrays: Any, subok: bool = False) -> tuple[Any, ...]:
    """Same as `numpy.broadcast_arrays`."""
    shape = np.broadcast_shapes(*map(shape_of, arrays))
    return tuple(a if shape_of(a) == shape else broadcast_to(a, shape) for a in map(as_array, arrays))


# ---------------------------------------------------------------- joining and splitting


@implements(np.concatenate, np.concat)
def concatenate(
    arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """Same as `numpy.concatenate`."""
    arrays = [as_array(a) for a in arrays]
    if not arrays:
        raise ValueError("need at least one array to concatenate")
    if axis is None:
        arrays, axis = [ravel(a) for a in arrays], 0
    if arrays[0].ndim == 0:
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    result = p.concatenate(*arrays, axis=normalize_axis(axis, arrays[0].ndim))
    if dtype is not None:
        result = apply(cast, (result,), {"dtype": np.dtype(dtype)})
    return store(result, out)


concat = concatenate


@implements(np.stack)
def stack(arrays: Any, /, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Same as `numpy.stack`."""
    arrays = [as_array(a) for a in arrays]
    if not arrays:
        raise ValueError("need at least one array to stack")
    result = p.stack(*arrays, axis=normalize_axis(axis, arrays[0].ndim + 1))
    if dtype is not None:
        result = apply(cast, (result,), {"dtype": np.dtype(dtype)})
    return store(result, out)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Same as `numpy.vstack`."""
    return concatenate([atleast_2d(a) for a in tup], 0, dtype=dtype)


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    """Same as `numpy.hstack`."""
    arrays = [atleast_1d(a) for a in tup]
    return concatenate(arrays, 0 if arrays and arrays[0].ndim == 1 else 1, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    """Same as `numpy.dstack`."""
    return concatenate([atleast_3d(a) for a in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    """Same as `numpy.column_stack`."""
    return concatenate([reshape(a, (-1, 1)) if len(shape_of(a)) < 2 else a for a in map(as_array, tup)], 1)


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
            return concatenate([join(x, level + 1) for x in part], axis=level - levels)
        part = as_array(part)
        return reshape(part, (1,) * (ndim - part.ndim) + part.shape)

    return join(arrays, 0)


def _leaves(nested: Any) -> list[Any]:
    if isinstance(nested, list):
        return [leaf for part in nested for leaf in _leaves(part)]
    return [nested]


@implements(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Same as `numpy.array_split`."""
    ary = as_array(ary)
    axis = normalize_axis(axis, ary.ndim)
    n = ary.shape[axis]
    if np.ndim(indices_or_sections) == 0:
        sections = int(indices_or_sections)
        if sections <= 0:
            raise ValueError("number sections must be larger than 0.")
        size, extra = divmod(n, sections)
        bounds = np.cumsum([0] + extra * [size + 1] + (sections - extra) * [size]).tolist()
    else:
        bounds = [0, *(int(i) for i in indices_or_sections), n]
    return [take_slice(ary, axis, start, stop) for start, stop in zip(bounds[:-1], bounds[1:], strict=True)]


@implements(np.split)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Same as `numpy.split`."""
    if np.ndim(indices_or_sections) == 0:
        n = shape_of(ary)[axis]
        if n % int(indices_or_sections):
            raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Same as `numpy.hsplit`."""
    return split(ary, indices_or_sections, 1 if len(shape_of(ary)) > 1 else 0)


@implements(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Same as `numpy.vsplit`."""
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Same as `numpy.dsplit`."""
    return split(ary, indices_or_sections, 2)


@implements(np.unstack)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Same as `numpy.unstack`."""
    x = as_array(x)
    axis = normalize_axis(axis, x.ndim)
    return tuple(p.index(x, spec=along(axis, i)) for i in range(x.shape[axis]))


# ---------------------------------------------------------------- repeating and moving


@implements(np.flip)
def flip(m: Any, /, axis: Any = None) -> Any:
    """Same as `numpy.flip`."""
    m = as_array(m)
    axes = normalize_axes(axis, m.ndim)
    return p.index(m, spec=tuple((None, None, -1) if i in axes else FULL for i in range(m.ndim)))


@implements(np.fliplr)
def fliplr(m: Any) -> Any:
    """Same as `numpy.fliplr`."""
    return flip(m, 1)


@implements(np.flipud)
def flipud(m: Any) -> Any:
    """Same as `numpy.flipud`."""
    return flip(m, 0)


@implements(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """Same as `numpy.rot90`."""
    m = as_array(m)
    first, second = (normalize_axis(a, m.ndim) for a in axes)
    if first == second:
        raise ValueError("Axes must be different.")
    k %= 4
    if k == 0:
        return m
    if k == 2:
        return flip(flip(m, first), second)
    if k == 1:
        return swapaxes(flip(m, second), first, second)
    return flip(swapaxes(m, first, second), second)


@implements(np.roll)
def roll(a: Any, /, shift: Any, axis: Any = None) -> Any:
    """Same as `numpy.roll`."""
    a = as_array(a)
    if axis is None:
        return p.reshape(roll(ravel(a), shift, 0), shape=a.shape)
    shifts, axes = np.broadcast_arrays(np.atleast_1d(shift), np.atleast_1d(axis))
    for amount, which in zip(shifts.tolist(), axes.tolist(), strict=True):
        which = normalize_axis(which, a.ndim)
        n = a.shape[which]
        amount = amount % n if n else 0
        if amount:
            a = p.concatenate(
                take_slice(a, which, n - amount, None), take_slice(a, which, 0, n - amount), axis=which
            )
    return a


@implements(np.tile)
def tile(A: Any, reps: Any, /) -> Any:
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
def repeat(a: Any, repeats: Any, /, axis: int | None = None) -> Any:
    """Same as `numpy.repeat`."""
    a = as_array(a)
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    n = a.shape[axis]
    counts = np.asarray(repeats)
    if counts.size == 1:
        r = int(counts.reshape(()))
        shape = a.shape[: axis + 1] + (r,) + a.shape[axis + 1 :]
        wide = p.broadcast_to(p.reshape(a, shape=a.shape[: axis + 1] + (1,) + a.shape[axis + 1 :]), shape=shape)
        return p.reshape(wide, shape=a.shape[:axis] + (n * r,) + a.shape[axis + 1 :])
    return p.index(a, np.repeat(np.arange(n), counts), spec=along(axis, p.ARRAY))


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """Same as `numpy.delete`."""
    arr = as_array(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis(axis, arr.ndim)
    keep = np.delete(np.arange(arr.shape[axis]), obj)
    return p.index(arr, keep, spec=along(axis, p.ARRAY))


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """Same as `numpy.insert`."""
    arr = as_array(arr)
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis(axis, arr.ndim)
    n = arr.shape[axis]
    places = np.asarray(obj if not isinstance(obj, slice) else np.arange(*obj.indices(n)))
    # Where each old element goes, learnt from NumPy itself by inserting markers.
    marked = np.insert(np.arange(n), places, -1)
    kept = np.flatnonzero(marked >= 0)
    fresh = np.flatnonzero(marked < 0)
    values = as_array(values)
    if places.ndim == 0 and values.ndim == arr.ndim:
        count = values.shape[axis]
        marked = np.insert(np.arange(n), np.full(count, places), -1)
        kept, fresh = np.flatnonzero(marked >= 0), np.flatnonzero(marked < 0)
    elif places.ndim == 0:
        values = expand_dims(values, axis) if values.ndim == arr.ndim - 1 and values.ndim else values
    else:
        order = np.argsort(places % (n + 1) if places.size else places, kind="stable")
        if values.ndim and values.shape[axis - arr.ndim if values.ndim == arr.ndim else -1] == places.size:
            values = p.index(values, order, spec=along(values.ndim - (arr.ndim - axis), p.ARRAY))
    shape = arr.shape[:axis] + (len(fresh),) + arr.shape[axis + 1 :]
    values = p.broadcast_to(values, shape=shape)
    joined = p.concatenate(apply(cast, (values,), {"dtype": arr.dtype}), arr, axis=axis)
    source = np.empty(n + len(fresh), int)
    source[fresh] = np.arange(len(fresh))
    source[kept] = len(fresh) + np.arange(n)
    return p.index(joined, source, spec=along(axis, p.ARRAY))


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """Same as `numpy.resize`."""
    a = ravel(a)
    new_shape = (new_shape,) if np.ndim(new_shape) == 0 else tuple(new_shape)
    size = int(np.prod(new_shape))
    places = np.resize(np.arange(a.shape[0]), size) if a.shape[0] else None
    if places is None:
        return np.zeros_like(a, shape=new_shape)
    return p.reshape(p.index(a, places, spec=(p.ARRAY,)), shape=new_shape)


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """Same as `numpy.pad`, in every mode whose result moves or copies elements, and `linear_ramp`, `mean`."""
    from .padding import pad as pad_

    return pad_(as_array(array), pad_width, mode, **kwargs)


# ---------------------------------------------------------------- triangles and diagonals


@implements(np.tril)
def tril(m: Any, /, k: int = 0) -> Any:
    """Same as `numpy.tril`."""
    m = as_array(m)
    return where(np.tri(*m.shape[-2:], k=k, dtype=bool), m, 0)


@implements(np.triu)
def triu(m: Any, /, k: int = 0) -> Any:
    """Same as `numpy.triu`."""
    m = as_array(m)
    return where(~np.tri(*m.shape[-2:], k=k - 1, dtype=bool), m, 0)


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Same as `numpy.diagonal`."""
    a = as_array(a)
    if a.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    i, j = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    rest = tuple(k for k in range(a.ndim) if k not in (i, j))
    a = p.transpose(a, axes=(*rest, i, j))
    rows, columns = a.shape[-2:]
    start_row, start_column = max(-offset, 0), max(offset, 0)
    length = max(min(rows - start_row, columns - start_column), 0)
    flat = p.reshape(a, shape=(*a.shape[:-2], rows * columns))
    start = start_row * columns + start_column
    stop = start + (length - 1) * (columns + 1) + 1 if length else start
    return p.index(flat, spec=along(len(rest), (start, stop, columns + 1)))


@implements(np.linalg.diagonal)
def linalg_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """Same as `numpy.linalg.diagonal`."""
    return diagonal(x, offset, -2, -1)


@implements(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """Same as `numpy.diag`."""
    v = as_array(v)
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    n = v.shape[0] + abs(k)
    start = max(-k, 0) * n + max(k, 0)
    stop = start + (v.shape[0] - 1) * (n + 1) + 1 if v.shape[0] else start
    return p.reshape(p.index_add(v, spec=((start, stop, n + 1),), shape=(n * n,)), shape=(n, n))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """Same as `numpy.diagflat`."""
    return diag(ravel(v), k)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """Same as `numpy.trim_zeros` for one axis."""
    values = filt.numpy() if hasattr(filt, "numpy") else np.asarray(filt)
    nonzero = np.flatnonzero(values)
    if not nonzero.size:
        return filt[:0]
    start = int(nonzero[0]) if "f" in trim.lower() else 0
    stop = int(nonzero[-1]) + 1 if "b" in trim.lower() else len(values)
    return filt[start:stop]


def sequence_of(x: Any) -> Sequence[Any]:
    return x if isinstance(x, list | tuple) else [x]
