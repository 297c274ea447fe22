"""The methods of `Tensor` where they differ from the functions of the same name, and the way to all the others."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..views import assign
from . import ordering, selecting, shaping, writing
from ._register import as_array, find
from .protocol import call_ufunc
from .writing import FlatIterator

__all__ = ["FlatIterator", "call_ufunc", "find"]


def __getattr__(name: str) -> Any:
    from .. import numpy as namespace

    return getattr(namespace, name)


def _axes(given: tuple[Any, ...]) -> Any:
    """Return axes or lengths given one by one or as one sequence."""
    if len(given) == 1:
        try:
            operator.index(given[0])
        except TypeError:
            return given[0]
    return given


def reshape(x: Any, *shape: Any, order: Any = "C", copy: Any = None) -> Any:
    """Same as `numpy.ndarray.reshape`."""
    return shaping.reshape(x, _axes(shape), order, copy=copy)


def transpose(x: Any, *axes: Any) -> Any:
    """Same as `numpy.ndarray.transpose`."""
    return shaping.transpose(x, _axes(axes) if axes else None)


def flatten(x: Any, order: Any = "C") -> Any:
    """Same as `numpy.ndarray.flatten`: a copy."""
    return np.copy(shaping.ravel(x, order))


def compress(x: Any, condition: Any, axis: int | None = None, out: Any = None) -> Any:
    """Same as `numpy.ndarray.compress`."""
    return selecting.compress(condition, x, axis, out)


def conjugate(x: Any) -> Any:
    """Same as `numpy.ndarray.conjugate`."""
    return np.conjugate(x)


conj = conjugate


def choose(x: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Same as `numpy.ndarray.choose`."""
    return selecting.choose(x, choices, out, mode)


def copy(x: Any, order: str = "C") -> Any:
    """Same as `numpy.ndarray.copy`: writing to the copy leaves the tensor as it is."""
    return np.copy(x)


def clip(x: Any, min: Any = None, max: Any = None, out: Any = None, **options: Any) -> Any:
    """Same as `numpy.ndarray.clip`."""
    return selecting.clip(x, min, max, out, **options)


def put(x: Any, indices: Any, values: Any, mode: str = "raise") -> None:
    """Same as `numpy.ndarray.put`."""
    writing.put(x, indices, values, mode)


def sort(x: Any, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
    """Sort in place along an axis."""
    assign(x, ordering.sort(x, axis, kind, order))


def partition(x: Any, kth: Any, axis: int = -1, kind: str = "introselect", order: Any = None) -> None:
    """Partition in place along an axis (here: sort, which is a partition for every `kth`)."""
    assign(x, ordering.partition(x, kth, axis))


def dot(x: Any, b: Any, out: Any = None) -> Any:
    """Same as `numpy.ndarray.dot`."""
    return np.dot(x, as_array(b), out=out) if out is not None else np.dot(x, as_array(b))
