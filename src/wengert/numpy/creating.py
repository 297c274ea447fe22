"""Functions that make arrays and tensors, and copies of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import TraceLost, user_line
from ..primitives import elementwise as e
from ..primitives import indexing as p
from ..primitives.base import dtype_of, result_dtype, shape_of
from ..recording import Traced, apply, is_tracked, wrap
from ..tensor import Tensor, _holds_tensor
from ._register import FUNCTIONS, as_array, implements, store


@implements(np.array)
def array(obj: Any, dtype: Any = None, *, copy: Any = True, order: Any = None, ndmin: int = 0, like: Any = None) -> Any:
    """Return a tensor of numbers, arrays, tensors or nested lists of these; tensors in lists stay tracked."""
    if isinstance(obj, Traced):
        made: Any = obj
    elif isinstance(obj, list | tuple) and _holds_tensor(obj):
        made = p.stack(*(_uniform([array(part) for part in obj])), axis=0)
    else:
        made = Tensor(obj, dtype)
    if dtype is not None and made.dtype != np.dtype(dtype):
        made = astype(made, dtype)
    if made.ndim < ndmin:
        made = np.reshape(made, (1,) * (ndmin - made.ndim) + made.shape)
    return made


def _uniform(parts: list[Any]) -> list[Any]:
    shape = parts[0].shape
    if any(part.shape != shape for part in parts):
        raise ValueError(
            "setting an array element with a sequence. The requested array has an inhomogeneous shape: "
            f"{[part.shape for part in parts]}"
        )
    return parts


@implements(np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.require)
def asarray(a: Any, dtype: Any = None, order: Any = None, **options: Any) -> Any:
    """Return the argument as a tensor, tracked if it was."""
    return array(a, dtype)


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """Return a copy that may be written to without changing the argument; it stays tracked."""
    if not isinstance(a, Traced):
        return np.array(a)
    if a._data is None:
        return apply(e.positive, (a,))
    return apply(e.positive, (a,), computed=np.array(a._data))


@implements(np.astype)
def astype(x: Any, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True, **_: Any) -> Any:
    """Same as `ndarray.astype`; a cast of a tracked value to integers raises TraceLost."""
    dtype = np.dtype(dtype)
    if not isinstance(x, Traced):
        return np.asarray(x).astype(dtype)
    if dtype.kind not in "fc" and x.dtype.kind in "fc" and is_tracked(x):  # type: ignore[attr-defined]
        raise TraceLost(
            f"astype({dtype}) on a tracked tensor of {x.dtype}",  # type: ignore[attr-defined]
            where=user_line(),
            why="integers and booleans have no derivative",
            hint="np.floor(x) or np.round(x) keep a floating dtype (derivative 0); x.numpy().astype(...) for an index",
        )
    return apply(e.cast, (x,), {"dtype": dtype})


# ---------------------------------------------------------------- buffers


def _like(fill: Any) -> Any:
    def make(
        a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
    ) -> Any:
        dtype = np.dtype(dtype) if dtype is not None else result_dtype(a)
        shape = shape_of(a) if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        kind = type(a).family if isinstance(a, Traced) else Tensor  # type: ignore[attr-defined]
        return wrap(kind, np.full(shape, fill, dtype), None)

    return make


zeros_like = implements(np.zeros_like, np.empty_like)(_like(0))
empty_like = zeros_like
ones_like = implements(np.ones_like)(_like(1))


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    """Same as `numpy.full_like`; the fill value may be tracked."""
    shape = shape_of(a) if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    dtype = np.dtype(dtype) if dtype is not None else result_dtype(a)
    return p.broadcast_to(apply(e.cast, (array(fill_value),), {"dtype": dtype}), shape=shape)


def _creator(function: Any) -> Any:
    def make(*args: Any, like: Any = None, **options: Any) -> Any:
        return wrap(Tensor, np.asarray(function(*args, **options)), None)

    make.__name__ = function.__name__
    make.__doc__ = f"Same as `numpy.{function.__name__}`, as a tensor."
    FUNCTIONS[function] = make
    return make


zeros = _creator(np.zeros)
ones = _creator(np.ones)
empty = _creator(np.empty)
eye = _creator(np.eye)
identity = _creator(np.identity)
arange = _creator(np.arange)
tri = _creator(np.tri)
fromfunction = _creator(np.fromfunction)


@implements(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", **options: Any) -> Any:
    """Same as `numpy.full`; the fill value may be tracked."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    value = array(fill_value)
    if dtype is not None:
        value = astype(value, dtype)
    return p.broadcast_to(value, shape=shape)


@implements(np.linspace)
def linspace(
    start: Any, stop: Any, /, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0, **_: Any
) -> Any:
    """Same as `numpy.linspace`."""
    start, stop = as_array(start), as_array(stop)
    steps = num - 1 if endpoint else num
    ndim = max(start.ndim, stop.ndim)
    weights = np.reshape(np.arange(num) / max(steps, 1), (num,) + (1,) * ndim)
    result = start * (1 - weights) + stop * weights
    if axis:
        result = np.moveaxis(result, 0, axis)
    if dtype is not None:
        result = astype(result, dtype)
    return (result, (stop - start) / max(steps, 1)) if retstep else result


@implements(np.logspace)
def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0) -> Any:
    """Same as `numpy.logspace`."""
    result = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return result if dtype is None else astype(result, dtype)


@implements(np.geomspace)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Same as `numpy.geomspace` for values of one sign."""
    ratio = as_array(stop) / start
    result = start * np.exp(linspace(np.zeros(shape_of(ratio)), np.log(ratio), num, endpoint, axis=axis))
    return result if dtype is None else astype(result, dtype)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """Same as `numpy.meshgrid`."""
    n = len(xi)
    grids = [
        np.reshape(np.ravel(as_array(x)), (1,) * i + (-1,) + (1,) * (n - i - 1)) for i, x in enumerate(xi)
    ]
    if indexing == "xy" and n > 1:
        grids = [np.swapaxes(grid, 0, 1) for grid in grids]
    if not sparse:
        shape = np.broadcast_shapes(*(grid.shape for grid in grids))
        grids = [np.broadcast_to(grid, shape) for grid in grids]
    return tuple(grids)


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Same as `numpy.vander`."""
    x = as_array(x)
    count = x.shape[0] if N is None else N
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    return np.reshape(x, (-1, 1)) ** powers.astype(float)


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """Same as `numpy.copyto`; the destination must be a tensor if the source is tracked."""
    store(src if where is True else np.where(where, src, dst), dst)


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """Same as `numpy.place`."""
    mask = np.asarray(mask)
    count = int(mask.sum())
    arr[mask] = np.resize(as_array(vals), (count,))


@implements(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    """Same as `numpy.putmask`."""
    filled = np.reshape(np.resize(as_array(values), (int(np.prod(a.shape)),)), a.shape)
    store(np.where(mask, filled, a), a)


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """Same as `numpy.fill_diagonal` for matrices."""
    n = min(a.shape)
    a[(np.arange(n),) * a.ndim] = val


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """Same as `numpy.shape`."""
    return shape_of(a)


@implements(np.size)
def size(a: Any, axis: int | None = None) -> int:
    """Same as `numpy.size`."""
    return int(np.prod(shape_of(a))) if axis is None else shape_of(a)[axis]


@implements(np.ndim)
def ndim(a: Any) -> int:
    """Same as `numpy.ndim`."""
    return len(shape_of(a))


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    """Same as `numpy.result_type`."""
    return np.result_type(*(x.dtype if isinstance(x, Traced) else x for x in arrays_and_dtypes))  # type: ignore[attr-defined]


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    """Same as `numpy.can_cast`."""
    return np.can_cast(from_.dtype if isinstance(from_, Traced) else from_, to, casting)  # type: ignore[attr-defined, arg-type]


@implements(np.min_scalar_type)
def min_scalar_type(a: Any) -> np.dtype:
    """Same as `numpy.min_scalar_type`."""
    return np.min_scalar_type(a.numpy() if isinstance(a, Tensor) else a)


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    """Same as `numpy.iscomplexobj`."""
    kind = dtype_of(x)
    return kind is complex or (not isinstance(kind, type) and kind.kind == "c")


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    """Same as `numpy.isrealobj`."""
    return not iscomplexobj(x)


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    """Same as `numpy.common_type`."""
    return np.common_type(*(np.zeros(1, dtype_of(a)) for a in arrays))


@implements(np.array_repr, np.array_str, np.array2string)
def array_repr(arr: Any, *args: Any, **options: Any) -> str:
    """Return the text of a tensor."""
    return repr(arr)


@implements(np.shares_memory, np.may_share_memory)
def may_share_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    """Same as `numpy.may_share_memory`."""
    return np.may_share_memory(
        a._data if isinstance(a, Traced) else a, b._data if isinstance(b, Traced) else b
    )
