"""Functions that write: copyto, put, place, putmask, put_along_axis, fill_diagonal, and `tensor.flat`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, OutOfBounds, TraceLost, user_line
from ..primitives.base import normalize_axis
from ..recording import Traced
from ..tensor import Tensor
from ._register import as_array, implements, plain

__all__ = ["copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"]


def _target(array: Any, name: str) -> Any:
    """Return what is to be written to; a plain array cannot hold the derivatives of what is stored."""
    if isinstance(array, Traced):
        return array
    raise TraceLost(
        f"numpy.{name} stores tracked values in a plain array",
        where=user_line(),
        why="a plain array cannot hold derivatives",
        hint="make that array with np.zeros_like(x) instead of np.zeros(...)",
    )


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """Same as `numpy.copyto`; the destination must be a tensor if the source is tracked."""
    if not isinstance(dst, Traced) and not _tracked(src):
        np.copyto(dst, plain(src), casting, plain(where))
        return
    dst, src = _target(dst, "copyto"), as_array(src)
    if not np.can_cast(src.dtype, dst.dtype, casting):
        raise DtypeError(
            f"Cannot cast array data from {src.dtype!r} to {dst.dtype!r} according to the rule {casting!r}"
        )
    if where is True:
        dst[...] = src
    else:
        dst[...] = np.where(where, src, dst)


def _tracked(x: Any) -> bool:
    from ..recording import is_tracked

    return isinstance(x, Traced) and is_tracked(x)


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """Same as `numpy.put`; with duplicate indices the last value stays, and has the derivative."""
    a = _target(a, "put")
    places = np.ravel(np.asarray(plain(ind)))
    if mode == "wrap":
        places = places % a.size
    elif mode == "clip":
        places = np.clip(places, 0, a.size - 1)
    values = np.ravel(as_array(v))
    if values.size and places.size:
        a.flat[places] = values if values.size == places.size else np.resize(values, places.shape)


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """Same as `numpy.place`."""
    arr, mask, vals = _target(arr, "place"), np.asarray(plain(mask), bool), np.ravel(as_array(vals))
    count = int(np.count_nonzero(mask))
    if count and not vals.size:
        raise ArgumentError("Cannot insert from an empty array!")
    if count:
        arr[mask] = np.resize(vals, (count,))


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    """Same as `numpy.putmask`."""
    a, values = _target(a, "putmask"), as_array(values)
    if values.shape != a.shape:
        values = np.reshape(np.resize(values, (a.size,)), a.shape)
    a[...] = np.where(mask, values, a)


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """Same as `numpy.put_along_axis`."""
    arr, indices = _target(arr, "put_along_axis"), as_array(indices)
    if axis is None:
        arr.flat[indices] = values
    else:
        arr[grids(arr.shape, normalize_axis(axis, arr.ndim), indices)] = values


def grids(shape: tuple[int, ...], axis: int, indices: Any) -> tuple[Any, ...]:
    """Return index arrays that take `indices` along one axis and each place along the others."""
    return tuple(
        indices if i == axis else np.reshape(np.arange(n), (n,) + (1,) * (len(shape) - i - 1))
        for i, n in enumerate(shape)
    )


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Same as `numpy.fill_diagonal`."""
    a = _target(a, "fill_diagonal")
    if a.ndim < 2:
        raise ArgumentError("array must be at least 2-d")
    if a.ndim > 2 and len(set(a.shape)) > 1:
        raise ArgumentError("All dimensions of input must be of equal length")
    if a.ndim == 2:
        stop = None if wrap else a.shape[1] * a.shape[1]
        places = np.arange(a.size)[: stop : a.shape[1] + 1]
    else:
        places = np.ravel_multi_index((np.arange(a.shape[0]),) * a.ndim, a.shape)
    value = np.ravel(as_array(val))
    a.flat[places] = value[0] if value.size == 1 else np.resize(value, places.shape)


class FlatIterator:
    """`tensor.flat`: the elements in C order, readable and writable by a flat index."""

    __slots__ = ("base",)

    def __init__(self, base: Tensor) -> None:
        self.base = base

    def __len__(self) -> int:
        return self.base.size

    def __getitem__(self, key: Any) -> Any:
        return np.copy(np.ravel(self.base)[key]) if isinstance(key, slice) else self.base[self._places(key)]

    def __setitem__(self, key: Any, value: Any) -> None:
        places = self._places(key)
        values = np.ravel(as_array(value))
        count = int(np.size(places[0])) if places else 1
        if values.size not in (1, count) and count:
            values = np.resize(values, (count,))  # NumPy repeats or cuts what does not fit
        shape = np.shape(places[0]) if places else ()
        self.base[places] = np.reshape(values, shape) if values.size == count else values[0]

    def _places(self, key: Any) -> tuple[Any, ...]:
        size = self.base.size
        if isinstance(key, int | np.integer):
            if not -size <= key < size:
                raise OutOfBounds(f"index {key} is out of bounds for size {size}")
            return tuple(int(i) for i in np.unravel_index(int(key) % size, self.base.shape))
        if isinstance(key, slice) or key is Ellipsis:
            flat = np.arange(size)[key]
        else:
            flat = np.asarray(plain(key))
            if flat.dtype == bool:
                flat = np.flatnonzero(flat)
            if flat.size and (flat.min() < -size or flat.max() >= size):
                raise OutOfBounds(f"index out of bounds for size {size}")
            flat = np.where(flat < 0, flat + size, flat).astype(np.intp)
        return tuple(np.unravel_index(flat, self.base.shape))

    def __iter__(self) -> Iterator[Any]:
        return iter(np.ravel(self.base))

    def copy(self) -> Any:
        """Return the elements as a fresh tensor of one axis."""
        return np.copy(np.ravel(self.base))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.ravel(self.base).__array__(dtype, copy)  # type: ignore[call-overload]  # a tensor, not an array
