"""Calculus on sampled functions: differences, gradient, trapezoid, interpolation, unwrapping, convolution."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, StructureError
from ..primitives import indexing as p
from ..primitives.base import normalize_axes, normalize_axis, shape_of
from ..primitives.convolution import convolve as _full
from ..primitives.searching import searchsorted
from ..recording import Traced, apply, is_tracked
from ._register import MISSING, as_array, as_float, implements, plain, to_dtype
from .shaping import along, ravel

__all__ = ["convolve", "correlate", "diff", "ediff1d", "gradient", "i0", "interp", "trapezoid", "unwrap"]


def _part(x: Any, axis: int, start: int | None, stop: int | None) -> Any:
    return p.index(x, spec=along(axis, (start, stop, None)))


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = MISSING, append: Any = MISSING) -> Any:
    """Same as `numpy.diff`."""
    if n < 0:
        raise ArgumentError("order must be non-negative but got " + repr(n))
    a = as_array(a)
    if n == 0:
        return a
    if a.ndim == 0:
        raise ArgumentError("diff requires input that is at least one dimensional")
    axis = normalize_axis(axis, a.ndim)
    parts = [a]
    for extra, place in ((prepend, 0), (append, 2)):
        if extra is not MISSING:
            extra = as_array(extra)
            if extra.ndim == 0:
                extra = np.broadcast_to(extra, (*a.shape[:axis], 1, *a.shape[axis + 1 :]))
            parts.insert(place, extra)
    if len(parts) > 1:
        a = np.concatenate(parts, axis)
    for _ in range(n):
        subtract = np.not_equal if a.dtype == bool else np.subtract
        a = subtract(_part(a, axis, 1, None), _part(a, axis, None, -1))
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Same as `numpy.ediff1d`."""
    steps = diff(ravel(ary))
    parts = [steps]
    for extra, place in ((to_begin, 0), (to_end, 2)):
        if extra is not None:
            parts.insert(place, to_dtype(ravel(extra), steps.dtype))
    return np.concatenate(parts) if len(parts) > 1 else steps


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Same as `numpy.trapezoid`."""
    y = as_array(y)
    given, axis = axis, normalize_axis(axis, y.ndim)
    if x is None:
        width: Any = dx
    else:
        x = as_array(x)
        width = diff(x, axis=given if x.ndim > 1 else -1)  # which may have more axes than y
        if x.ndim == 1:
            width = np.reshape(width, (-1,) + (1,) * (y.ndim - axis - 1))
    return np.sum(width * (_part(y, axis, 1, None) + _part(y, axis, None, -1)) / 2.0, axis=given)


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Same as `numpy.gradient`, differentiable in the samples, the spacings and the coordinates."""
    f = as_float(f)
    axes = (
        normalize_axes(axis, f.ndim)
        if axis is None
        else tuple(normalize_axis(int(i), f.ndim) for i in np.atleast_1d(axis))
    )
    if edge_order > 2:
        raise ArgumentError("'edge_order' greater than 2 not supported")
    if not varargs:
        spacings: list[Any] = [1.0] * len(axes)
    elif len(varargs) == 1 and len(shape_of(varargs[0])) == 0:
        spacings = list(varargs) * len(axes)
    elif len(varargs) == len(axes):
        spacings = [_spacing(x, f.shape[i]) for x, i in zip(varargs, axes, strict=True)]
    else:
        raise StructureError("invalid number of arguments")
    if any(f.shape[i] < edge_order + 1 for i in axes):
        raise ArgumentError(
            "Shape of array too small to calculate a numerical gradient, "
            "at least (edge_order + 1) elements are required."
        )
    found = [_gradient_along(f, i, h, edge_order) for i, h in zip(axes, spacings, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _spacing(x: Any, n: int) -> Any:
    """Return one number for equal steps, or the steps between the given coordinates."""
    if len(shape_of(x)) == 0:
        return x
    x = as_float(x)
    if x.ndim != 1:
        raise ArgumentError("distances must be either scalars or 1d")
    if x.shape[0] != n:
        raise ArgumentError("when 1d, distances must match the length of the corresponding dimension")
    steps = diff(x)
    equal = not (isinstance(steps, Traced) and is_tracked(steps)) and bool(np.all(np.equal(steps, steps[0])))
    return steps[0] if equal else steps


def _gradient_along(f: Any, axis: int, h: Any, edge_order: int) -> Any:
    n = f.shape[axis]
    uniform = len(shape_of(h)) == 0

    def at(k: int) -> Any:
        return _part(f, axis, k, k + 1 if k != -1 else None)

    if uniform:
        first: Any = h
        last: Any = h
        inner = (_part(f, axis, 2, None) - _part(f, axis, None, -2)) / (2.0 * h)
    else:
        shape = (-1,) + (1,) * (f.ndim - axis - 1)
        one, two = np.reshape(h[:-1], shape), np.reshape(h[1:], shape)
        first, last = h[0], h[-1]
        inner = (
            -two / (one * (one + two)) * _part(f, axis, None, -2)
            + (two - one) / (one * two) * _part(f, axis, 1, -1)
            + one / (two * (one + two)) * _part(f, axis, 2, None)
        )
    if edge_order == 1:
        before, after = (at(1) - at(0)) / first, (at(n - 1) - at(n - 2)) / last
    else:
        one, two = (h, h) if uniform else (h[0], h[1])
        before = (
            -(2.0 * one + two) / (one * (one + two)) * at(0)
            + (one + two) / (one * two) * at(1)
            - one / (two * (one + two)) * at(2)
        )
        one, two = (h, h) if uniform else (h[-2], h[-1])
        after = (
            two / (one * (one + two)) * at(n - 3)
            - (two + one) / (one * two) * at(n - 2)
            + (2.0 * two + one) / (two * (one + two)) * at(n - 1)
        )
    return to_dtype(np.concatenate([before, inner, after], axis), f.dtype)


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """Same as `numpy.interp`, differentiable in `x`, `xp` and `fp`; at a knot the derivative is from the right."""
    x, xp, fp = as_array(x), ravel(xp), ravel(fp)
    x, xp = to_dtype(x, np.float64), to_dtype(xp, np.float64)
    fp = to_dtype(fp, np.complex128 if fp.dtype.kind == "c" else np.float64)
    if xp.shape != fp.shape:
        raise ArgumentError("fp and xp are not of the same length.")
    if not xp.shape[0]:
        raise ArgumentError("array of sample points is empty")
    if period is not None:
        if bool(np.equal(period, 0)):
            raise ArgumentError("period must be a non-zero value")
        period = np.abs(period)
        left = right = None
        x, xp = x % period, xp % period
        order = np.argsort(xp)
        xp, fp = xp[order], fp[order]
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    n = xp.shape[0]
    left = fp[0] if left is None else left
    right = fp[-1] if right is None else right
    if n == 1:
        inside = np.broadcast_to(fp[0], x.shape)
    else:
        k = np.clip(apply(searchsorted, (xp, x), {"side": "right"}) - 1, 0, n - 2)
        slope = (_at(fp, k + 1) - _at(fp, k)) / (_at(xp, k + 1) - _at(xp, k))
        from_knot = k + np.equal(x, xp[-1])  # exact at the last knot as well
        inside = slope * (x - _at(xp, from_knot)) + _at(fp, from_knot)
    return np.where(np.less(x, xp[0]), left, np.where(np.greater(x, xp[-1]), right, inside))


def _at(values: Any, places: Any) -> Any:
    """Return `values[places]`; the places may be abstract, which a plain array cannot be indexed by."""
    return p.index(values, places, spec=(p.ARRAY,))


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    """Same as `numpy.unwrap`: each element is moved by whole periods, so its derivative is 1."""
    p = as_array(p)
    axis = normalize_axis(axis, p.ndim)
    values, length = np.asarray(plain(p)), plain(period)
    moved = np.unwrap(values, None if discont is None else plain(discont), axis, period=length)
    turns = np.round((moved - values) / length)
    if not isinstance(period, Traced) and np.result_type(values.dtype, length).kind in "iu":
        return p + turns.astype(int) * period
    return p + turns.astype(moved.dtype) * period


# ---------------------------------------------------------------- convolution


def _window(full: Any, start: int, length: int) -> Any:
    return p.index(full, spec=((start, start + length, None),))


def _operands(a: Any, v: Any) -> tuple[Any, Any]:
    a, v = as_array(a), as_array(v)
    a, v = (np.reshape(x, (1,)) if x.ndim == 0 else x for x in (a, v))
    if a.ndim > 1 or v.ndim > 1:
        raise ArgumentError("object too deep for desired array")
    if not a.shape[0]:
        raise ArgumentError("a cannot be empty")
    if not v.shape[0]:
        raise ArgumentError("v cannot be empty")
    return a, v


def _cut(full: Any, n: int, m: int, mode: str, start: int) -> Any:
    """Cut a mode's part out of the full convolution of n and m elements; `start` is that of 'same'."""
    if mode == "full":
        return full
    if mode == "same":
        return _window(full, start, max(n, m))
    if mode == "valid":
        return _window(full, min(n, m) - 1, max(n, m) - min(n, m) + 1)
    raise ArgumentError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """Same as `numpy.convolve`."""
    a, v = _operands(a, v)
    n, m = a.shape[0], v.shape[0]
    return _cut(apply(_full, (a, v)), n, m, mode, (min(n, m) - 1) // 2)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """Same as `numpy.correlate`."""
    a, v = _operands(a, v)
    n, m = a.shape[0], v.shape[0]
    full = apply(_full, (a, np.conjugate(v)[::-1]))
    return _cut(full, n, m, mode, (m - 1) // 2 if n >= m else n // 2)


@implements(np.i0)
def i0(x: Any) -> Any:
    """Same as `numpy.i0`, the modified Bessel function of order 0."""
    from scipy import special

    return special.i0(as_float(x))
