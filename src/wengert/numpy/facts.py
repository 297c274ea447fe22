"""Functions about arrays, not of their numbers: shapes, dtypes, texts, files. Nothing here has a derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives.base import dtype_of, shape_of
from ..recording import Traced
from ._register import implements, on_values, plain

__all__ = [
    "array2string",
    "array_repr",
    "array_str",
    "broadcast_shapes",
    "can_cast",
    "common_type",
    "einsum_path",
    "iscomplexobj",
    "isrealobj",
    "may_share_memory",
    "min_scalar_type",
    "ndim",
    "result_type",
    "shape",
    "shares_memory",
    "size",
]

broadcast_shapes = np.broadcast_shapes


@implements(np.shape, zero=True)
def shape(a: Any) -> tuple[int, ...]:
    """Same as `numpy.shape`."""
    return shape_of(a)


@implements(np.size, zero=True)
def size(a: Any, axis: Any = None) -> int:
    """Same as `numpy.size`."""
    lengths = shape_of(a)
    if axis is None:
        chosen: Any = lengths
    else:
        chosen = [lengths[i] for i in ((axis,) if isinstance(axis, int) else axis)]
    total = 1
    for n in chosen:
        total *= n
    return total


@implements(np.ndim, zero=True)
def ndim(a: Any) -> int:
    """Same as `numpy.ndim`."""
    return len(shape_of(a))


def _dtype_or_value(x: Any) -> Any:
    return x.dtype if isinstance(x, Traced) else x  # type: ignore[attr-defined]


@implements(np.result_type, zero=True)
def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """Same as `numpy.result_type`."""
    return np.result_type(*map(_dtype_or_value, arrays_and_dtypes))


@implements(np.can_cast, zero=True)
def can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    """Same as `numpy.can_cast`."""
    return np.can_cast(_dtype_or_value(from_), _dtype_or_value(to), casting)


@implements(np.min_scalar_type, zero=True)
def min_scalar_type(a: Any) -> np.dtype:
    """Same as `numpy.min_scalar_type`."""
    return np.min_scalar_type(plain(a))


@implements(np.iscomplexobj, zero=True)
def iscomplexobj(x: Any) -> bool:
    """Same as `numpy.iscomplexobj`."""
    kind = dtype_of(x)
    return kind is complex or (not isinstance(kind, type) and kind.kind == "c")


@implements(np.isrealobj, zero=True)
def isrealobj(x: Any) -> bool:
    """Same as `numpy.isrealobj`."""
    return not iscomplexobj(x)


@implements(np.common_type, zero=True)
def common_type(*arrays: Any) -> Any:
    """Same as `numpy.common_type`."""
    return np.common_type(*(np.zeros(1, dtype_of(a)) for a in arrays))


@implements(np.array_repr, zero=True)
def array_repr(arr: Any, max_line_width: Any = None, precision: Any = None, suppress_small: Any = None) -> str:
    """Same as `numpy.array_repr`, under the tensor's own name."""
    if not isinstance(arr, Traced) or arr._data is None:
        return repr(arr)
    text = np.array_repr(np.asarray(arr._data), max_line_width, precision, suppress_small)
    name = type(arr).__name__
    return name + text[len("array") :].replace("\n", "\n" + " " * (len(name) - len("array")))


def _text(function: Any) -> Any:
    def handler(a: Any, *args: Any, **options: Any) -> str:
        return (
            repr(a) if isinstance(a, Traced) and a._data is None else function(np.asarray(plain(a)), *args, **options)
        )

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`."
    return implements(function, zero=True)(handler)


array_str = _text(np.array_str)
array2string = _text(np.array2string)


def _memory(function: Any) -> Any:
    def handler(a: Any, b: Any, max_work: Any = None) -> bool:
        arrays = (x._data if isinstance(x, Traced) else x for x in (a, b))
        return function(*arrays, **({} if max_work is None else {"max_work": max_work}))

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`, for the memory as it is now."
    return implements(function, zero=True)(handler)


shares_memory = _memory(np.shares_memory)
may_share_memory = _memory(np.may_share_memory)


@implements(np.einsum_path, zero=True)
def einsum_path(*operands: Any, optimize: Any = "greedy", einsum_call: bool = False) -> Any:
    """Same as `numpy.einsum_path`; needs the shapes only."""
    shapes = [np.broadcast_to(0.0, shape_of(x)) if isinstance(x, Traced) else x for x in operands]
    return np.einsum_path(*shapes, optimize=optimize)


# Writing to a file is like printing: a copy for people, not a value to go on with.
for _function in (np.save, np.savez, np.savez_compressed, np.savetxt):
    on_values(_function)
