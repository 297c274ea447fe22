"""Functions that make arrays and tensors, and copies of them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..boxes import is_boxed, unboxed
from ..errors import ArgumentError, DtypeError
from ..primitives import elementwise as e
from ..primitives import indexing as p
from ..primitives.base import dtype_of, normalize_axis, result_dtype, shape_of
from ..recording import Traced, apply, wrap
from ..tensor import Tensor
from ..views import holds_tensor
from ._register import as_array, implements, since, to_dtype
from .shaping import as_lengths

__all__ = [
    "arange",
    "array",
    "asanyarray",
    "asarray",
    "asarray_chkfinite",
    "ascontiguousarray",
    "asfortranarray",
    "astype",
    "copy",
    "empty",
    "empty_like",
    "eye",
    "frombuffer",
    "fromfile",
    "fromfunction",
    "fromiter",
    "fromstring",
    "full",
    "full_like",
    "genfromtxt",
    "geomspace",
    "identity",
    "linspace",
    "loadtxt",
    "logspace",
    "meshgrid",
    "ones",
    "ones_like",
    "require",
    "tri",
    "vander",
    "zeros",
    "zeros_like",
]


@implements(np.array)
def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: Any = True,
    order: Any = None,
    subok: bool = False,
    ndmin: int = 0,
    ndmax: int = 0,
    like: Any = None,
) -> Any:
    """Return a tensor of numbers, arrays, tensors or nested lists of these; tensors in lists stay tracked."""
    if isinstance(object, Traced):
        made: Any = _copied(object) if copy else object
    elif is_boxed(object):
        made = unboxed(object)
    elif holds_tensor(object):
        made = p.stack(*_uniform([array(part, copy=False) for part in object]), axis=0)
    elif copy:
        made = Tensor(object, dtype)
    else:
        made = wrap(Tensor, np.asarray(object, dtype=dtype))
    if dtype is not None:
        made = astype(made, dtype)
    if made.ndim < ndmin:
        made = np.reshape(made, (1,) * (ndmin - made.ndim) + made.shape)
    return made


def _uniform(parts: list[Any]) -> list[Any]:
    shape = parts[0].shape
    if any(part.shape != shape for part in parts):
        raise ArgumentError(
            "setting an array element with a sequence. The requested array has an inhomogeneous shape: "
            f"{[part.shape for part in parts]}"
        )
    return parts


@implements(np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray)
def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, device: Any = None, copy: Any = None, like: Any = None
) -> Any:
    """Return the argument as a tensor, tracked if it was; an array keeps its memory unless `copy` is true."""
    if isinstance(a, Traced) and not copy:
        if dtype is None or a.dtype == np.dtype(dtype):  # type: ignore[attr-defined]
            return a
        if copy is False:
            raise ArgumentError("Unable to avoid copy while creating an array as requested.")
    return array(a, dtype, copy=bool(copy))


asanyarray = ascontiguousarray = asfortranarray = asarray


@implements(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> Any:
    """Same as `numpy.require`: a tensor already meets every requirement on memory."""
    return asarray(a, dtype)


def asarray_chkfinite(a: Any, dtype: Any = None, order: Any = None) -> Any:
    """Same as `numpy.asarray_chkfinite`."""
    a = asarray(a, dtype)
    if a.dtype.kind in "fc" and not bool(np.all(np.isfinite(a))):
        raise ArgumentError("array must not contain infs or NaNs")
    return a


def _copied(a: Any) -> Any:
    data = a._data
    return apply(
        e.positive if a.dtype != bool else e.cast,
        (a,),
        {} if a.dtype != bool else {"dtype": a.dtype},
        None if data is None else np.array(data),
    )


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """Return a copy that may be written to without changing the argument; it stays tracked."""
    return _copied(a) if isinstance(a, Traced) else np.array(a)


@implements(since("astype"))
def astype(
    x: Any,
    dtype: Any,
    order: str = "K",
    casting: Any = "unsafe",
    subok: bool = True,
    copy: bool = True,
    *,
    device: Any = None,
) -> Any:
    """Same as `ndarray.astype`.

    Raises
    ------
    TraceLost
        If tracked numbers would become integers, which have no derivative.
    """
    dtype = np.dtype(dtype)
    if not isinstance(x, Traced):
        return np.asarray(x).astype(dtype, casting=casting, copy=copy)
    source = x.dtype  # type: ignore[attr-defined]
    if not np.can_cast(source, dtype, casting):
        raise DtypeError(f"Cannot cast array data from {source!r} to {dtype!r} according to the rule {casting!r}")
    if source == dtype:
        return _copied(x) if copy else x
    if dtype.kind == "b":
        return apply(e.UFUNCS[np.not_equal], (x, 0))
    if source.kind == "c" and dtype.kind != "c":
        warnings.warn(
            "Casting complex values to real discards the imaginary part", np.exceptions.ComplexWarning, stacklevel=3
        )
    return to_dtype(x, dtype)


# ---------------------------------------------------------------- buffers


def _shape(shape: Any, otherwise: Any) -> tuple[int, ...]:
    if shape is None:
        return shape_of(otherwise)
    return as_lengths(shape)


def _like(function: Any, fill: Any) -> Any:
    def make(
        a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
    ) -> Any:
        dtype = np.dtype(dtype) if dtype is not None else result_dtype(a)
        kind = type(a).family if isinstance(a, Traced) else Tensor  # type: ignore[attr-defined]
        return wrap(kind, np.full(_shape(shape, a), fill, dtype), None)

    make.__name__ = function.__name__
    make.__doc__ = f"Same as `numpy.{function.__name__}`: a fresh tensor that tracked values may be written to."
    return implements(function)(make)


zeros_like = _like(np.zeros_like, 0)
empty_like = _like(np.empty_like, 0)
ones_like = _like(np.ones_like, 1)


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
    filled = astype(array(fill_value), result_dtype(a) if dtype is None else dtype, copy=False)
    return p.broadcast_to(filled, shape=_shape(shape, a))


def _creator(function: Any) -> Any:
    def make(*args: Any, like: Any = None, **options: Any) -> Any:
        return asarray(function(*args, **options))

    make.__name__ = function.__name__
    make.__doc__ = f"Same as `numpy.{function.__name__}`, as a tensor."
    return implements(function)(make)


frombuffer = _creator(np.frombuffer)
fromfile = _creator(np.fromfile)
fromfunction = _creator(np.fromfunction)
fromiter = _creator(np.fromiter)
fromstring = _creator(np.fromstring)
genfromtxt = _creator(np.genfromtxt)
identity = _creator(np.identity)
loadtxt = _creator(np.loadtxt)
tri = _creator(np.tri)


@implements(np.arange)
def arange(
    start: Any, stop: Any = None, step: Any = 1, dtype: Any = None, *, device: Any = None, like: Any = None
) -> Any:
    """Same as `numpy.arange`, as a tensor."""
    return asarray(np.arange(start, dtype=dtype) if stop is None and step == 1 else _arange(start, stop, step, dtype))


def _arange(*settings: Any) -> np.ndarray:
    start, stop, step, dtype = settings
    arange: Any = np.arange
    return arange(0, start, step, dtype) if stop is None else arange(start, stop, step, dtype)


def _filled(function: Any) -> Any:
    def make(shape: Any, dtype: Any = None, order: Any = "C", *, device: Any = None, like: Any = None) -> Any:
        return asarray(function(shape, float if dtype is None else dtype, order))

    make.__name__ = function.__name__
    make.__doc__ = f"Same as `numpy.{function.__name__}`: a fresh tensor that tracked values may be written to."
    return implements(function)(make)


empty = _filled(np.empty)
ones = _filled(np.ones)
zeros = _filled(np.zeros)


@implements(np.eye)
def eye(
    N: int,
    M: int | None = None,
    k: int = 0,
    dtype: Any = None,
    order: Any = "C",
    *,
    device: Any = None,
    like: Any = None,
) -> Any:
    """Same as `numpy.eye`, as a tensor."""
    return asarray(np.eye(N, M, k, float if dtype is None else dtype, order))


@implements(np.full)
def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: Any = None, like: Any = None
) -> Any:
    """Same as `numpy.full`; the fill value may be tracked."""
    value = array(fill_value)
    if dtype is not None:
        value = astype(value, dtype, copy=False)
    return p.broadcast_to(value, shape=_shape(shape, None))


# ---------------------------------------------------------------- ranges


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    """Same as `numpy.linspace`."""
    if num < 0:
        raise ArgumentError(f"Number of samples, {num}, must be non-negative.")
    if not isinstance(start, Traced) and not isinstance(stop, Traced):
        of_numbers: Any = np.linspace
        made = of_numbers(start, stop, num, endpoint, retstep, dtype, axis)
        return (asarray(made[0]), made[1]) if retstep else asarray(made)
    kind = np.result_type(*_weak(start), *_weak(stop), 0.0)  # a Python number does not promote
    start, stop = (to_dtype(as_array(x), kind) for x in (start, stop))
    count = num - 1 if endpoint else num
    step = (stop - start) / count if count > 0 else (stop - start) * np.nan
    ndim = max(start.ndim, stop.ndim)
    places = np.reshape(np.arange(num, dtype=kind), (num,) + (1,) * ndim)
    result = places * step + start if count > 0 else places * (stop - start) + start
    if endpoint and num > 1:
        result = np.where(places == num - 1, stop, result)
    if axis:
        result = np.moveaxis(result, 0, normalize_axis(axis, ndim + 1))
    if dtype is not None:
        result = astype(result, dtype, copy=False)
    return (result, step) if retstep else result


def _weak(x: Any) -> tuple[Any, ...]:
    kind = dtype_of(x)
    return (kind(0),) if isinstance(kind, type) else (kind,)


@implements(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    """Same as `numpy.logspace`."""
    if np.ndim(base) > 0:
        ndim = np.broadcast(*(np.empty(shape_of(x)) for x in (start, stop, base))).ndim
        start, stop, base = (
            np.reshape(as_array(x), (1,) * (ndim - len(shape_of(x))) + shape_of(x)) for x in (start, stop, base)
        )
        base = np.expand_dims(base, axis)
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    return np.power(base, exponents) if dtype is None else astype(np.power(base, exponents), dtype)


@implements(np.geomspace)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """Same as `numpy.geomspace`."""
    start, stop = as_array(start), as_array(stop)
    if bool(np.any(np.equal(start, 0))) or bool(np.any(np.equal(stop, 0))):
        raise ArgumentError("Geometric sequence cannot include zero")
    ratio = stop / start
    exponents = np.reshape(linspace(0.0, 1.0, num, endpoint), (num,) + (1,) * ratio.ndim)
    result = start * np.exp(exponents * np.log(ratio))
    places = np.reshape(np.arange(num), exponents.shape)
    result = np.where(places == 0, start, result)
    if endpoint and num > 1:
        result = np.where(places == num - 1, stop, result)
    if axis:
        result = np.moveaxis(result, 0, axis)
    return result if dtype is None else astype(result, dtype)


@implements(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """Same as `numpy.meshgrid`."""
    if indexing not in ("xy", "ij"):
        raise ArgumentError("Valid values for `indexing` are 'xy' and 'ij'.")
    n = len(xi)
    grids = [np.reshape(as_array(x), (1,) * i + (-1,) + (1,) * (n - i - 1)) for i, x in enumerate(xi)]
    if indexing == "xy" and n > 1:
        grids = [np.swapaxes(grid, 0, 1) for grid in grids]
    if not sparse:
        shape = np.broadcast_shapes(*(grid.shape for grid in grids))
        grids = [p.broadcast_to(grid, shape=shape) for grid in grids]
    return tuple(np.copy(grid) if copy else grid for grid in grids)


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """Same as `numpy.vander`."""
    x = as_array(x)
    if x.ndim != 1:
        raise ArgumentError("x must be a one-dimensional array or sequence.")
    count = x.shape[0] if N is None else N
    powers = np.arange(count) if increasing else np.arange(count)[::-1]
    kind = np.promote_types(x.dtype, int)
    return np.reshape(to_dtype(x, kind), (-1, 1)) ** (powers if kind.kind == "i" else powers.astype(float))
