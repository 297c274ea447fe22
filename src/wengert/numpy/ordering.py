"""Functions that order: sort, argmax, searchsorted, unique and sets, comparisons of whole arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..primitives import reduction as r
from ..primitives.base import normalize_axis
from ..primitives.searching import searchsorted as _searchsorted
from ..recording import apply
from ._register import as_array, implements, on_values, plain, store, to_dtype
from .selecting import take, take_along_axis
from .shaping import ravel

__all__ = [
    "allclose",
    "argmax",
    "argmin",
    "argpartition",
    "argsort",
    "array_equal",
    "array_equiv",
    "digitize",
    "intersect1d",
    "isclose",
    "isin",
    "lexsort",
    "partition",
    "searchsorted",
    "setdiff1d",
    "setxor1d",
    "sort",
    "sort_complex",
    "union1d",
    "unique",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


def _no_fields(order: Any) -> None:
    if order is not None:
        raise ArgumentError("Cannot specify order when the array has no fields.")


@implements(np.argsort, zero=True)
def argsort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None, descending: bool = False
) -> Any:
    """Same as `numpy.argsort`, always stable."""
    _no_fields(order)
    a = as_array(a)
    if axis is None or a.ndim == 0:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    if descending:
        return a.shape[axis] - 1 - np.flip(apply(r.argsort, (np.flip(a, axis),), {"axis": axis}), axis)
    return apply(r.argsort, (a,), {"axis": axis})


@implements(np.sort)
def sort(
    a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None, descending: bool = False
) -> Any:
    """Same as `numpy.sort`, always stable."""
    a = as_array(a)
    if axis is None:
        a, axis = ravel(a), 0
    return take_along_axis(a, argsort(a, axis, kind, order, descending=descending), axis)


@implements(np.partition)
def partition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """A full sort, which is a partition for every `kth`."""
    return sort(a, axis, order=order)


@implements(np.argpartition, zero=True)
def argpartition(a: Any, kth: Any, axis: int | None = -1, kind: str = "introselect", order: Any = None) -> Any:
    """A full argsort, which is a partition for every `kth`."""
    return argsort(a, axis, order=order)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """Same as `numpy.sort_complex`."""
    result = sort(a)
    if result.dtype.kind == "c":
        return result
    return to_dtype(result, {"b": "F", "h": "F", "B": "F", "H": "F", "g": "G"}.get(result.dtype.char, "D"))


@implements(np.lexsort, zero=True)
def lexsort(keys: Any, axis: int = -1) -> np.ndarray:
    """Same as `numpy.lexsort`."""
    return np.lexsort([plain(k) for k in keys], axis)


def _arg(function: Any, primitive: Any) -> Any:
    def find(a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = False) -> Any:
        a = as_array(a)
        flat, which = (ravel(a), 0) if axis is None else (a, normalize_axis(axis, a.ndim))
        if flat.shape[which] == 0:
            raise ArgumentError(f"attempt to get {function.__name__} of an empty sequence")
        result = apply(primitive, (flat,), {"axis": which})
        if keepdims is True:
            shape = (1,) * a.ndim if axis is None else tuple(1 if i == which else n for i, n in enumerate(a.shape))
            result = np.reshape(result, shape)
        return store(result, out)

    find.__name__ = function.__name__
    find.__doc__ = f"Same as `numpy.{function.__name__}`."
    return implements(function, zero=True)(find)


argmax = _arg(np.argmax, r.argmax)
argmin = _arg(np.argmin, r.argmin)


@implements(np.searchsorted, zero=True)
def searchsorted(a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    """Same as `numpy.searchsorted`; the places have no derivative."""
    if side not in ("left", "right"):
        raise ArgumentError(f"search side must be 'left' or 'right' (got '{side}')")
    a, v = as_array(a), as_array(v)
    if a.ndim != 1:
        raise ArgumentError("object too deep for desired array")
    if sorter is not None:
        a = take(a, sorter)
    return apply(_searchsorted, (a, v), {"side": side})


@implements(np.digitize, zero=True)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """Same as `numpy.digitize`."""
    edges = np.asarray(plain(bins))
    side = "left" if right else "right"
    if bool(np.all(edges[1:] >= edges[:-1])):
        return searchsorted(edges, x, side)
    if bool(np.all(edges[1:] <= edges[:-1])):
        return len(edges) - searchsorted(edges[::-1], x, side)
    raise ArgumentError("bins must be monotonically increasing or decreasing")


# ---------------------------------------------------------------- comparisons of whole arrays


@implements(np.isclose, zero=True)
def isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """Same as `numpy.isclose`."""
    a, b = as_array(a), as_array(b)
    near = np.less_equal(np.abs(a - b), atol + rtol * np.abs(b))
    near = np.logical_or(np.logical_and(near, np.isfinite(b)), np.equal(a, b))
    if equal_nan:
        near = np.logical_or(near, np.logical_and(np.isnan(a), np.isnan(b)))
    return near


@implements(np.allclose, zero=True)
def allclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> bool:
    """Same as `numpy.allclose`."""
    return bool(np.all(isclose(a, b, rtol, atol, equal_nan)))


@implements(np.array_equal, zero=True)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """Same as `numpy.array_equal`."""
    a1, a2 = as_array(a1), as_array(a2)
    if a1.shape != a2.shape:
        return False
    same = np.equal(a1, a2)
    if equal_nan:
        same = np.logical_or(same, np.logical_and(np.not_equal(a1, a1), np.not_equal(a2, a2)))
    return bool(np.all(same))


@implements(np.array_equiv, zero=True)
def array_equiv(a1: Any, a2: Any) -> bool:
    """Same as `numpy.array_equiv`."""
    a1, a2 = as_array(a1), as_array(a2)
    try:
        np.broadcast_shapes(a1.shape, a2.shape)
    except ValueError:
        return False
    return bool(np.all(np.equal(a1, a2)))


# ---------------------------------------------------------------- sets

isin = on_values(np.isin)
if "in1d" in vars(np):  # until NumPy 2.3
    on_values(vars(np)["in1d"])


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """Same as `numpy.unique`; a value has the derivative of its first occurrence."""
    ar = as_array(ar)
    of_numbers: Any = np.unique
    found = of_numbers(plain(ar), True, return_inverse, return_counts, axis, equal_nan=equal_nan)
    first, others = found[1], found[2:]
    values = take(ar, first, axis)
    found = (values, *((first,) if return_index else ()), *others)
    return values if len(found) == 1 else found


@implements(np.unique_values)
def unique_values(x: Any) -> Any:
    """Same as `numpy.unique_values`."""
    return unique(x, equal_nan=False)


def _with_names(function: Any, **wanted: bool) -> Any:
    fields = function(np.zeros(1))._fields

    def handler(x: Any) -> Any:
        found = unique(x, equal_nan=False, **wanted)
        return type(function(np.zeros(1)))(**dict(zip(fields, found, strict=True)))

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`."
    return implements(function)(handler)


unique_all = _with_names(np.unique_all, return_index=True, return_inverse=True, return_counts=True)
unique_counts = _with_names(np.unique_counts, return_counts=True)
unique_inverse = _with_names(np.unique_inverse, return_inverse=True)


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    """Same as `numpy.union1d`."""
    return unique(np.concatenate([ravel(ar1), ravel(ar2)]))


@implements(np.intersect1d)
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """Same as `numpy.intersect1d`; the derivative is that of the first array's elements."""
    _, first, second = np.intersect1d(plain(ar1), plain(ar2), assume_unique, return_indices=True)
    values = take(ravel(ar1), first)
    return (values, first, second) if return_indices else values


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """Same as `numpy.setdiff1d`."""
    values = ravel(ar1) if assume_unique else unique(ar1)
    return values[~np.isin(plain(values), plain(ar2))]


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """Same as `numpy.setxor1d`."""
    first, second = (ravel(a) if assume_unique else unique(a) for a in (ar1, ar2))
    apart = [values[~np.isin(plain(values), plain(other))] for values, other in ((first, second), (second, first))]
    return sort(np.concatenate(apart))
