"""Functions that give the same elements another shape: reshape, transpose, squeeze, broadcast, diagonals, triangles.

What is a view in NumPy is one here: writing to it changes what it was made from.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..primitives import indexing as p
from ..primitives.base import normalize_axes, normalize_axis, shape_of
from ..primitives.elementwise import where
from ..primitives.indexing import FULL
from ..views import view
from ._register import as_array, implements

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "diag",
    "diag_indices",
    "diag_indices_from",
    "diagflat",
    "diagonal",
    "expand_dims",
    "flip",
    "fliplr",
    "flipud",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "ravel",
    "reshape",
    "rollaxis",
    "rot90",
    "sliding_window_view",
    "squeeze",
    "swapaxes",
    "transpose",
    "tril",
    "tril_indices",
    "tril_indices_from",
    "triu",
    "triu_indices",
    "triu_indices_from",
]

diag_indices, tril_indices, triu_indices = np.diag_indices, np.tril_indices, np.triu_indices


def along(axis: int, part: Any) -> tuple[Any, ...]:
    """Return the spec of an index that takes `part` along one axis and everything along those before."""
    return (*(FULL,) * axis, part)


def take_slice(x: Any, axis: int, start: int | None, stop: int | None, step: int | None = None) -> Any:
    """Return a slice of `x` along one axis, as a view."""
    return view(x, p.index, spec=along(axis, (start, stop, step)))


def as_lengths(shape: Any) -> tuple[int, ...]:
    """Return a shape given as one length or as several."""
    if isinstance(shape, tuple | list):
        return tuple([int(n) for n in shape])
    return (int(shape),) if np.ndim(shape) == 0 else tuple(int(n) for n in shape)


def _resolve(shape: Any, size: int) -> tuple[int, ...]:
    """Return a new shape with its one unknown length filled in."""
    shape = as_lengths(shape)
    if -1 in shape:
        known = 1
        for n in shape:
            known *= n if n != -1 else 1
        if shape.count(-1) > 1:
            raise ArgumentError("can only specify one unknown dimension")
        if known == 0 or size % known:
            raise ShapeError(f"cannot reshape array of size {size} into shape {shape}")
        shape = tuple(size // known if n == -1 else n for n in shape)
    return shape


@implements(np.reshape)
def reshape(a: Any, shape: Any = None, order: Any = "C", *, newshape: Any = None, copy: Any = None) -> Any:
    """Same as `numpy.reshape`."""
    a = as_array(a)
    shape = _resolve(newshape if shape is None else shape, a.size)
    if copy:
        a = np.copy(a)
    if order == "F" and (a.ndim > 1 or len(shape) > 1):
        return transpose(view(transpose(a), p.reshape, shape=shape[::-1]))
    return view(a, p.reshape, shape=shape)


@implements(np.ravel)
def ravel(a: Any, order: Any = "C") -> Any:
    """Same as `numpy.ravel`."""
    a = as_array(a)
    if order == "F":
        return reshape(a, (a.size,), "F")
    return view(a, p.reshape, shape=(a.size,))


@implements(np.transpose, np.permute_dims)
def transpose(a: Any, axes: Any = None) -> Any:
    """Same as `numpy.transpose`."""
    a = as_array(a)
    if axes is None:
        axes = tuple(range(a.ndim - 1, -1, -1))
    else:
        axes = tuple(normalize_axis(int(i), a.ndim) for i in axes)
        if sorted(axes) != list(range(a.ndim)):
            raise ArgumentError("axes don't match array")
    return view(a, p.transpose, axes=axes)


permute_dims = transpose


@implements(np.matrix_transpose, np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """Same as `numpy.matrix_transpose`."""
    x = as_array(x)
    if x.ndim < 2:
        raise ArgumentError(f"Input array must be at least 2-dimensional, but it is {x.ndim}")
    return swapaxes(x, -1, -2)


@implements(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Same as `numpy.swapaxes`."""
    a = as_array(a)
    axes = list(range(a.ndim))
    i, j = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    axes[i], axes[j] = axes[j], axes[i]
    return view(a, p.transpose, axes=tuple(axes))


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Same as `numpy.moveaxis`."""
    a = as_array(a)
    source = [source] if np.ndim(source) == 0 else list(source)
    destination = [destination] if np.ndim(destination) == 0 else list(destination)
    source = [normalize_axis(int(i), a.ndim) for i in source]
    destination = [normalize_axis(int(i), a.ndim) for i in destination]
    if len(set(source)) != len(source) or len(set(destination)) != len(destination):
        raise ArgumentError("repeated axis in `source` or `destination` argument")
    if len(source) != len(destination):
        raise ArgumentError("`source` and `destination` arguments must have the same number of elements")
    order = [i for i in range(a.ndim) if i not in source]
    for to, which in sorted(zip(destination, source, strict=True)):
        order.insert(to, which)
    return view(a, p.transpose, axes=tuple(order))


@implements(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """Same as `numpy.rollaxis`."""
    a = as_array(a)
    axis = normalize_axis(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> Any:
    """Same as `numpy.expand_dims`."""
    a = as_array(a)
    axes = (axis,) if np.ndim(axis) == 0 else tuple(axis)
    ndim = a.ndim + len(axes)
    axes = normalize_axes(axes, ndim)
    rest = iter(a.shape)
    return view(a, p.reshape, shape=tuple(1 if i in axes else next(rest) for i in range(ndim)))


@implements(np.squeeze)
def squeeze(a: Any, axis: Any = None) -> Any:
    """Same as `numpy.squeeze`."""
    a = as_array(a)
    if axis is None:
        return view(a, p.reshape, shape=tuple(n for n in a.shape if n != 1))
    axes = normalize_axes(axis, a.ndim)
    if any(a.shape[i] != 1 for i in axes):
        raise ArgumentError("cannot select an axis to squeeze out which has size not equal to one")
    return view(a, p.reshape, shape=tuple(n for i, n in enumerate(a.shape) if i not in axes))


def _at_least(function: Any, raised: Any) -> Any:
    def handler(*arys: Any) -> Any:
        made = []
        for a in map(as_array, arys):
            shape = raised(a.shape)
            made.append(a if shape == a.shape else view(a, p.reshape, shape=shape))
        return made[0] if len(made) == 1 else tuple(made)

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`."
    return implements(function)(handler)


atleast_1d = _at_least(np.atleast_1d, lambda shape: shape or (1,))
atleast_2d = _at_least(np.atleast_2d, lambda shape: (1,) * (2 - len(shape)) + shape)
atleast_3d = _at_least(
    np.atleast_3d, lambda shape: {0: (1, 1, 1), 1: (1, *shape, 1), 2: (*shape, 1)}.get(len(shape), shape)
)


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """Same as `numpy.broadcast_to`."""
    return p.broadcast_to(as_array(array), shape=as_lengths(shape))


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    """Same as `numpy.broadcast_arrays`."""
    shape = np.broadcast_shapes(*map(shape_of, args))
    return tuple(a if a.shape == shape else p.broadcast_to(a, shape=shape) for a in map(as_array, args))


@implements(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """Same as `numpy.flip`."""
    m = as_array(m)
    axes = normalize_axes(axis, m.ndim)
    return view(m, p.index, spec=tuple((None, None, -1) if i in axes else FULL for i in range(m.ndim)))


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
        raise ArgumentError("Axes must be different.")
    k %= 4
    if k == 0:
        return view(m, p.index, spec=())
    if k == 2:
        return flip(m, (first, second))
    if k == 1:
        return swapaxes(flip(m, second), first, second)
    return flip(swapaxes(m, first, second), second)


@implements(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    """Same as `numpy.lib.stride_tricks.sliding_window_view`, as a copy."""
    x = as_array(x)
    window = (int(window_shape),) if np.ndim(window_shape) == 0 else tuple(int(n) for n in window_shape)
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if np.ndim(axis) == 0 else tuple(axis)
    if len(window) != len(axes):
        raise ArgumentError("Must provide matching length window_shape and axis")
    ndim = x.ndim
    for length, which in zip(window, axes, strict=True):
        which = normalize_axis(int(which), ndim)
        count = x.shape[which] - length + 1
        if count < 1:
            raise ArgumentError("window shape cannot be larger than input array shape")
        places = np.arange(count)[:, None] + np.arange(length)
        x = np.moveaxis(p.index(x, places, spec=along(which, p.ARRAY)), which + 1, -1)
    return x


# ---------------------------------------------------------------- triangles and diagonals


def _lower(shape: tuple[int, ...], k: int) -> np.ndarray:
    rows, columns = (shape * 2)[-2:]  # a vector stands for the rows of a square matrix
    return np.tri(rows, columns, k, bool)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """Same as `numpy.tril`."""
    m = as_array(m)
    return where(_lower(m.shape, k), m, np.zeros((), m.dtype))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """Same as `numpy.triu`."""
    m = as_array(m)
    return where(~_lower(m.shape, k - 1), m, np.zeros((), m.dtype))


def _square(arr: Any, least: int) -> tuple[int, ...]:
    shape = shape_of(arr)
    if len(shape) < least:
        raise ArgumentError("input array must be 2-d" if least == 2 else "input array must be at least 2-d")
    return shape


@implements(np.tril_indices_from, zero=True)
def tril_indices_from(arr: Any, k: int = 0) -> Any:
    """Same as `numpy.tril_indices_from`."""
    return np.tril_indices(_square(arr, 2)[-2], k, _square(arr, 2)[-1])


@implements(np.triu_indices_from, zero=True)
def triu_indices_from(arr: Any, k: int = 0) -> Any:
    """Same as `numpy.triu_indices_from`."""
    return np.triu_indices(_square(arr, 2)[-2], k, _square(arr, 2)[-1])


@implements(np.diag_indices_from, zero=True)
def diag_indices_from(arr: Any) -> Any:
    """Same as `numpy.diag_indices_from`."""
    return np.diag_indices_from(np.empty(shape_of(arr), np.int8))


@implements(np.diagonal)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Same as `numpy.diagonal`."""
    a = as_array(a)
    if a.ndim < 2:
        raise ArgumentError("diag requires an array of at least two dimensions")
    i, j = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    if i == j:
        raise ArgumentError("axis1 and axis2 cannot be the same")
    rest = tuple(k for k in range(a.ndim) if k not in (i, j))
    order = (*rest, i, j)
    if order != tuple(range(a.ndim)):
        a = p.transpose(a, axes=order)
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
        raise ArgumentError("Input must be 1- or 2-d.")
    n = v.shape[0] + abs(k)
    start = max(-k, 0) * n + max(k, 0)
    stop = start + (v.shape[0] - 1) * (n + 1) + 1 if v.shape[0] else start
    return p.reshape(p.index_add(v, spec=((start, stop, n + 1),), shape=(n * n,)), shape=(n, n))


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """Same as `numpy.diagflat`."""
    return diag(ravel(v), k)
