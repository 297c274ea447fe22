"""What `__array_ufunc__` does beyond a plain call: out=, where=, dtype=, reduce, accumulate, outer, at, reduceat."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ArgumentError, OutOfBounds, TraceLost, UnsupportedFunction, user_line
from ..primitives import elementwise as e
from ..primitives.base import normalize_axes, normalize_axis
from ..primitives.indexing import index_add, layout_of, normalize_index
from ..primitives.reduction import cummax, cummin
from ..primitives.structural import pick
from ..recording import Traced, apply, is_tracked
from ..tensor import Tensor
from ..views import assign, fit_value
from ._register import FUNCTIONS, MISSING, as_array, as_float, find, implements, keep, store, to_dtype
from .shaping import take_slice

_IGNORED = frozenset(("casting", "order", "subok"))  # they change no number


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], options: dict[str, Any], holders: int = 0) -> Any:
    """Answer one `__array_ufunc__` call; `holders` is how many references the plain target of out= has.

    Raises
    ------
    UnsupportedFunction
        If the ufunc has no derivative rule, or is called with `signature=`.
    """
    kept = {name: value for name, value in options.items() if name not in _IGNORED}
    if "signature" in kept or "sig" in kept:
        raise UnsupportedFunction(
            f"numpy.{ufunc.__name__} with signature= has no derivative rule", where=user_line(), hint="dtype="
        )
    if method == "__call__" and "out" in kept:
        return _call(ufunc, *inputs, holders=holders, **kept)
    return _METHODS[method](ufunc, *inputs, **kept)


def _function(ufunc: np.ufunc) -> Any:
    primitive = e.UFUNCS.get(ufunc)
    if primitive is None and ufunc not in FUNCTIONS:
        _load_special()
        primitive = e.UFUNCS.get(ufunc)
    if primitive is None:
        return find(ufunc)
    return lambda *args: apply(
        primitive, [as_array(a) if isinstance(a, list | tuple | np.ndarray) else a for a in args]
    )


def _load_special() -> None:
    """Load the rules of `scipy.special`'s ufuncs, which are registered on first use."""
    try:
        from ..primitives.special import SEVERAL
    except ImportError:
        return
    for ufunc, primitive in SEVERAL.items():
        FUNCTIONS.setdefault(ufunc, _each_output(primitive, ufunc.nout))


def _each_output(primitive: Any, count: int) -> Any:
    def function(*args: Any) -> tuple[Any, ...]:
        result = apply(primitive, [as_array(a) if isinstance(a, list | tuple) else a for a in args])
        return tuple(pick(result, position=k) for k in range(count))

    return function


def _call(
    ufunc: np.ufunc,
    *inputs: Any,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    holders: int = 0,
    **extra: Any,
) -> Any:
    function = _function(ufunc)
    if dtype is not None:
        inputs = tuple(to_dtype(as_array(x), dtype) for x in inputs)
    result = function(*inputs, **extra)
    if out is None and where is True:
        return result
    outs = (out if isinstance(out, tuple) else (out,)) if out is not None else (None,) * ufunc.nout
    results = result if isinstance(result, tuple) else (result,)
    stored = []
    for value, target in zip(results, outs, strict=True):
        if target is None:
            # NumPy leaves the rest uninitialised; zeros are one valid outcome, and repeatable.
            stored.append(value if where is True else np.where(where, value, np.zeros((), value.dtype)))
            continue
        value = value if where is True else np.where(where, value, target)
        if target is inputs[0] and type(target) is np.ndarray and target.dtype != object and is_tracked(value):
            stored.append(_absorb(target, value, holders))
        else:
            stored.append(store(value, target))
    return stored[0] if len(stored) == 1 else tuple(stored)


# ---------------------------------------------------------------- plain += tracked


def _absorb(target: np.ndarray, value: Any, holders: int) -> Any:
    """Answer `plain += tracked`: the name may go on with a tensor, if nothing else refers to the plain array.

    Python binds the name to what the in-place operator returns. Any other holder of the array would keep the old
    numbers without their derivative, so there the error is the honest answer.
    """
    if not np.can_cast(value.dtype, target.dtype, "same_kind") or value.shape != target.shape:
        return store(value, target)
    if not _by_operator() or target.base is not None or holders > _lonely_holders():
        raise TraceLost(
            f"a tracked result of shape {value.shape} is stored in a plain array in place",
            where=user_line(),
            why="a plain array cannot hold derivatives, and something else refers to this one too",
            hint="make that array with np.zeros_like(x) instead of np.zeros(...), or write a = a + x",
        )
    return to_dtype(value, target.dtype)


def _by_operator() -> bool:
    """Whether the user's frame is at an in-place operator (then what we return is bound to the name)."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("wengert."):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return False
    code, place = frame.f_code.co_code, frame.f_lasti
    return code[place] == _BINARY_OP and code[place + 1] in _IN_PLACE


def _operator_code() -> tuple[int, frozenset[int]]:
    import dis

    codes = getattr(dis, "_nb_ops", ())
    return dis.opmap.get("BINARY_OP", -1), frozenset(k for k, (_, sign) in enumerate(codes) if sign.endswith("="))


_BINARY_OP, _IN_PLACE = _operator_code()


class _Probe:
    """Meets an in-place operator as a tensor would, and counts who holds an array that one name refers to."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> int:
        return sys.getrefcount(options["out"][0])


@lru_cache(maxsize=1)
def _lonely_holders() -> int:
    target: Any = np.zeros(1)
    target += _Probe()
    return target


# ---------------------------------------------------------------- methods of ufuncs

_REDUCERS: dict[Any, Any] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
}
_SCANS = {np.add: np.cumsum, np.multiply: np.cumprod}


def _single(out: Any) -> Any:
    return out[0] if isinstance(out, tuple) else out


def _reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = MISSING,
    where: Any = True,
) -> Any:
    array, out = as_array(array), _single(out)
    reducer = _REDUCERS.get(ufunc)
    if reducer is not None:
        options: dict[str, Any] = {"axis": axis, "keepdims": keepdims, "out": out}
        if ufunc in _SCANS:
            options["dtype"] = dtype
        if initial is not MISSING and ufunc not in (np.logical_and, np.logical_or):
            options["initial"] = initial
        if where is not True:
            options["where"] = where
        return FUNCTIONS[reducer](to_dtype(array, dtype) if ufunc not in _SCANS else array, **options)
    if where is not True:
        raise UnsupportedFunction(
            f"numpy.{ufunc.__name__}.reduce with where= has no derivative rule",
            where=user_line(),
            hint="np.where(mask, x, neutral) first",
        )
    if ufunc is np.subtract and axis is not None and np.ndim(axis) == 0:  # first minus the sum of the others
        ufunc_sum = np.sum(take_slice(array, normalize_axis(axis, array.ndim), 1, None), axis=axis)
        return store(keep(np.take(array, 0, axis) - ufunc_sum, array, normalize_axes(axis, array.ndim), keepdims), out)
    function = _function(ufunc)
    axes = normalize_axes(axis, array.ndim)
    if len(axes) > 1 and not _commutes(ufunc):
        raise ArgumentError(
            f"reduction operation '{ufunc.__name__}' is not reorderable, so at most one axis may be specified"
        )
    array = to_dtype(array, dtype)
    total = array
    for a in reversed(axes):
        parts = _parts(total, a)
        if not parts and initial is MISSING and ufunc.identity is None:
            raise ArgumentError(f"zero-size array to reduction operation {ufunc.__name__} which has no identity")
        total = parts[0] if parts else np.full(total.shape[:a] + total.shape[a + 1 :], ufunc.identity, array.dtype)
        for part in parts[1:]:
            total = function(total, part)
    if initial is not MISSING:
        total = function(initial, total)
    return store(keep(total, array, axes, keepdims), out)


def _commutes(ufunc: np.ufunc) -> bool:
    return ufunc.identity is not None or ufunc in (np.fmax, np.fmin, np.logaddexp2)


def _parts(array: Any, axis: int) -> list[Any]:
    return [np.squeeze(take_slice(array, axis, k, k + 1), axis) for k in range(array.shape[axis])]


def _accumulate(ufunc: np.ufunc, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    array, out = as_array(array), _single(out)
    axis = normalize_axis(axis, array.ndim)
    if ufunc in _SCANS:
        return FUNCTIONS[_SCANS[ufunc]](array, axis=axis, dtype=dtype, out=out)
    array = to_dtype(array, dtype)
    if ufunc in (np.maximum, np.minimum):
        return store(apply(cummax if ufunc is np.maximum else cummin, (array,), {"axis": axis}), out)
    function = _function(ufunc)
    parts = _parts(array, axis)
    for k in range(1, len(parts)):
        parts[k] = function(parts[k - 1], parts[k])
    return store(np.stack(parts, axis) if parts else array, out)


def _outer(ufunc: np.ufunc, a: Any, b: Any, **options: Any) -> Any:
    a, b = as_array(a), as_array(b)
    return _call(ufunc, np.reshape(a, a.shape + (1,) * b.ndim), b, **options)


def _reduceat(ufunc: np.ufunc, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    array = as_array(array)
    axis = normalize_axis(axis, array.ndim)
    n = array.shape[axis]
    bounds = [int(i) for i in np.asarray(indices)]
    pieces = []
    for k, start in enumerate(bounds):
        if not 0 <= start < n:
            raise OutOfBounds(f"index {start} out-of-bounds in {ufunc.__name__}.reduceat [0, {n})")
        stop = bounds[k + 1] if k + 1 < len(bounds) else n
        part = take_slice(array, axis, start, stop if stop > start else start + 1)
        pieces.append(_reduce(ufunc, part, axis=axis, dtype=dtype))
    return store(np.stack(pieces, axis), out)


def _at(ufunc: np.ufunc, a: Any, indices: Any, b: Any = None) -> None:
    """Unbuffered in-place operation: repeated indices apply repeatedly."""
    if not isinstance(a, Traced):
        raise TraceLost(
            f"numpy.{ufunc.__name__}.at stores tracked values in a plain array",
            where=user_line(),
            why="a plain array cannot hold derivatives",
            hint="make that array with np.zeros_like(x) instead of np.zeros(...)",
        )
    function = _function(ufunc)
    spec, arrays = normalize_index(indices, a.shape)  # type: ignore[attr-defined]
    shape = layout_of(a.shape, spec, arrays)[0]  # type: ignore[attr-defined]
    value = None if b is None else fit_value(b, shape, np.result_type(as_array(b).dtype, a.dtype))  # type: ignore[attr-defined]
    if ufunc in (np.add, np.subtract):
        total = index_add(fit_value(value, shape, a.dtype), *arrays, spec=spec, shape=a.shape)  # type: ignore[attr-defined]
        assign(a, function(a, total))
        return
    places = np.reshape(np.arange(a.size), a.shape)[indices]  # type: ignore[attr-defined]
    flat_places = np.ravel(places)
    values = None if value is None else np.ravel(value)
    # The k-th occurrence of each place takes part in round k, so that no round meets a place twice.
    order = np.argsort(flat_places, kind="stable")
    ordered = flat_places[order]
    fresh = np.r_[True, ordered[1:] != ordered[:-1]] if ordered.size else np.zeros(0, bool)
    starts = np.maximum.accumulate(np.where(fresh, np.arange(ordered.size), 0)) if ordered.size else ordered
    occurrence = np.arange(ordered.size) - starts
    for k in range(int(occurrence.max()) + 1 if occurrence.size else 0):
        chosen = order[occurrence == k]
        where = np.unravel_index(flat_places[chosen], a.shape)  # type: ignore[attr-defined]
        old = a[where]  # type: ignore[index]
        a[where] = function(old) if values is None else function(old, values[chosen])  # type: ignore[index]


_METHODS: dict[str, Callable[..., Any]] = {
    "__call__": _call,
    "reduce": _reduce,
    "accumulate": _accumulate,
    "outer": _outer,
    "at": _at,
    "reduceat": _reduceat,
}

# ---------------------------------------------------------------- ufuncs with two results, and unnamed ones


@implements(np.divmod)
def divmod(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Same as `numpy.divmod`."""
    return np.floor_divide(x1, x2), np.remainder(x1, x2)


@implements(np.modf)
def modf(x: Any) -> tuple[Any, Any]:
    """Same as `numpy.modf`: the fraction has derivative 1, the whole part 0."""
    x = as_float(x)
    whole = np.trunc(x)
    return np.where(np.isinf(x), np.copysign(0.0, x), x - whole), whole


@implements(np.frexp)
def frexp(x: Any) -> tuple[Any, np.ndarray]:
    """Same as `numpy.frexp`; the exponent is constant almost everywhere."""
    exponent = np.frexp(np.asarray(x.numpy() if isinstance(x, Tensor) else x))[1]
    return np.ldexp(x, -exponent), exponent


_UNNAMED: Any = np._core.umath  # type: ignore[attr-defined]
implements(_UNNAMED.clip)(lambda x, low, high: apply(e.clip, (x, low, high)))
implements(_UNNAMED._ones_like, zero=True)(lambda x: np.ones_like(x))
