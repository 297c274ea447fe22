"""Reductions and scans: sums, products, extrema, means, variances, truth values, cumulative sums and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, StructureError, ZeroWeights
from ..primitives import elementwise as e
from ..primitives import reduction as p
from ..primitives.base import normalize_axes, normalize_axis
from ..recording import apply
from ._register import MISSING, as_array, as_float, implements, keep, since, store, to_dtype
from .shaping import ravel

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "average",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "max",
    "mean",
    "min",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]


def _masked(x: Any, where: Any, neutral: Any) -> Any:
    return x if where is MISSING or where is True else np.where(where, x, x.dtype.type(neutral))


def _with_initial(result: Any, initial: Any, function: Any) -> Any:
    return result if initial is MISSING or initial is None else function(result, initial)


def _reduction(function: Any, primitive: Any, pairwise: Any, neutral: int) -> Any:
    def reduce(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = MISSING,
        initial: Any = MISSING,
        where: Any = MISSING,
    ) -> Any:
        a = _masked(to_dtype(as_array(a), dtype), where, neutral)
        axes = normalize_axes(axis, a.ndim)
        result = keep(apply(primitive, (a,), {"axis": axes}), a, axes, keepdims)
        return store(to_dtype(_with_initial(result, initial, pairwise), dtype), out)

    reduce.__name__ = function.__name__
    reduce.__doc__ = f"Same as `numpy.{function.__name__}`."
    return implements(function)(reduce)


sum = _reduction(np.sum, p.sum_, np.add, 0)
prod = _reduction(np.prod, p.prod_, np.multiply, 1)


def _extremum(function: Any, other: Any, primitive: Any, pairwise: Any) -> Any:
    def reduce(
        a: Any,
        axis: Any = None,
        out: Any = None,
        keepdims: Any = MISSING,
        initial: Any = MISSING,
        where: Any = MISSING,
    ) -> Any:
        a = as_array(a)
        name = function.__name__
        if where is not MISSING and where is not True:
            if initial is MISSING:
                raise ArgumentError(
                    f"reduction operation '{name}' does not have an identity, so to use a where mask one has to "
                    "specify 'initial'"
                )
            a = np.where(where, a, initial)
        axes = normalize_axes(axis, a.ndim)
        if 0 in (a.shape[i] for i in axes) and 0 not in (n for i, n in enumerate(a.shape) if i not in axes):
            if initial is MISSING or initial is None:
                raise ArgumentError(f"zero-size array to reduction operation {name} which has no identity")
            shape = tuple(n for i, n in enumerate(a.shape) if i not in axes)
            return store(keep(np.full_like(a, initial, shape=shape), a, axes, keepdims), out)
        result = keep(apply(primitive, (a,), {"axis": axes}), a, axes, keepdims)
        return store(_with_initial(result, initial, pairwise), out)

    reduce.__name__ = function.__name__
    reduce.__doc__ = f"Same as `numpy.{function.__name__}`; elements that tie share the derivative equally."
    return implements(function, other)(reduce)


max = _extremum(np.max, np.amax, p.max_, np.maximum)
min = _extremum(np.min, np.amin, p.min_, np.minimum)
amax, amin = max, min


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = MISSING) -> Any:
    """Same as `numpy.ptp`."""
    return store(max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims), out)


def count_of(a: Any, axes: tuple[int, ...], where: Any, keepdims: Any) -> Any:
    """Return how many elements are reduced: an int, or an array of the reduced shape under a mask."""
    if where is not MISSING and where is not True:
        flags = np.broadcast_to(where, a.shape)
        count = np.sum(flags, axis=axes, keepdims=keepdims is not MISSING and bool(keepdims))
        return count.astype(a.real.dtype)
    count = 1
    for i in axes:
        count *= a.shape[i]
    return count


@implements(np.mean)
def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = MISSING, *, where: Any = MISSING
) -> Any:
    """Same as `numpy.mean`."""
    a = as_float(to_dtype(as_array(a), dtype))
    axes = normalize_axes(axis, a.ndim)
    total = sum(a, axis=axes, keepdims=keepdims, where=where)
    return store(_divided(total, count_of(a, axes, where, keepdims)), out)


def _divided(total: Any, count: Any) -> Any:
    return (
        total / count
        if isinstance(count, int) and count
        else np.divide(total, np.asarray(count, total.real.dtype) if isinstance(count, int) else count)
    )


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = MISSING) -> Any:
    """Same as `numpy.average`."""
    a = as_array(a)
    if weights is None:
        result: Any = mean(a, axis, keepdims=keepdims)
        total: Any = np.asarray(a.size / np.prod(result.shape) if np.prod(result.shape) else 1.0, result.dtype)
    else:
        weights = as_array(weights)
        if weights.shape != a.shape:
            if axis is None:
                raise StructureError("Axis must be specified when shapes of a and weights differ.")
            axes = tuple(normalize_axis(int(i), a.ndim) for i in np.atleast_1d(axis))
            if weights.shape != tuple(a.shape[i] for i in axes):
                raise ArgumentError("Shape of weights must be consistent with shape of a along specified axis.")
            order = tuple(int(i) for i in np.argsort(axes))
            shape = tuple(n if i in axes else 1 for i, n in enumerate(a.shape))
            weights = np.reshape(np.transpose(weights, order), shape)
        kind = np.result_type(a.dtype, weights.dtype, *([np.float64] if a.dtype.kind in "biu" else []))
        weights = np.broadcast_to(to_dtype(weights, kind), a.shape)
        total = sum(weights, axis=axis, keepdims=keepdims)
        if bool(np.any(np.equal(total, 0))):
            raise ZeroWeights("Weights sum to zero, can't be normalized")
        result = sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (result, np.broadcast_to(total, result.shape)) if returned else result


def correction_of(ddof: Any, correction: Any) -> Any:
    """Return what is taken off the count, under whichever of its two names it was given."""
    if correction is MISSING:
        return ddof
    if ddof != 0:
        raise ArgumentError("ddof and correction can't be provided simultaneously.")
    return correction


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = MISSING,
    *,
    where: Any = MISSING,
    mean: Any = MISSING,
    correction: Any = MISSING,
) -> Any:
    """Same as `numpy.var`."""
    ddof = correction_of(ddof, correction)
    a = as_float(to_dtype(as_array(a), dtype))
    axes = normalize_axes(axis, a.ndim)
    deviation = a - (_mean(a, axes, keepdims=True, where=where) if mean is MISSING else mean)
    total = sum(squares(deviation), axis=axes, keepdims=keepdims, where=where)
    count = count_of(a, axes, where, keepdims)
    free = np.maximum(count - ddof, 0)
    return store(_divided(total, np.asarray(free, total.dtype)), out)


_mean = mean


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = MISSING,
    *,
    where: Any = MISSING,
    mean: Any = MISSING,
    correction: Any = MISSING,
) -> Any:
    """Same as `numpy.std`; where all values are equal the derivative is 0."""
    return store(root(var(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)), out)


def squares(x: Any) -> Any:
    """Return |x|^2 as real numbers."""
    return np.square(np.real(x)) + np.square(np.imag(x)) if x.dtype.kind == "c" else np.square(x)


def root(square: Any) -> Any:
    """Square root of a sum of squares: its derivative at 0 is taken to be 0, as that of a norm."""
    return apply(e.root, (square,))


# ---------------------------------------------------------------- scans


def _scan(function: Any, primitive: Any) -> Any:
    def scan(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        a = to_dtype(as_array(a), dtype)
        if axis is None:
            a, axis = ravel(a), 0
        return store(to_dtype(apply(primitive, (a,), {"axis": normalize_axis(axis, a.ndim)}), dtype), out)

    scan.__name__ = function.__name__
    scan.__doc__ = f"Same as `numpy.{function.__name__}`."
    return implements(function)(scan)


cumsum = _scan(np.cumsum, p.cumsum)
cumprod = _scan(np.cumprod, p.cumprod)


def _cumulative(function: Any, scan: Any, start: int) -> Any:
    def cumulative(
        x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None, include_initial: bool = False
    ) -> Any:
        x = as_array(x)
        if x.ndim == 0:
            x = np.reshape(x, (1,))
        if axis is None:
            if x.ndim != 1:
                raise ArgumentError("For arrays which have more than one dimension ``axis`` argument is required.")
            axis = 0
        axis = normalize_axis(axis, x.ndim)
        result = scan(x, axis, dtype)
        if include_initial:
            head = np.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), start, result.dtype)
            result = np.concatenate([head, result], axis)
        return store(result, out)

    cumulative.__name__ = function.__name__
    cumulative.__doc__ = f"Same as `numpy.{function.__name__}`."
    return implements(function)(cumulative)


cumulative_sum = _cumulative(since("cumulative_sum"), cumsum, 0)
cumulative_prod = _cumulative(since("cumulative_prod"), cumprod, 1)

# ---------------------------------------------------------------- truth


def _truth(function: Any, primitive: Any, neutral: bool) -> Any:
    def reduce(a: Any, axis: Any = None, out: Any = None, keepdims: Any = MISSING, *, where: Any = MISSING) -> Any:
        a = as_array(a)
        if where is not MISSING and where is not True:
            a = np.where(where, np.not_equal(a, 0), neutral)
        axes = normalize_axes(axis, a.ndim)
        return store(keep(apply(primitive, (a,), {"axis": axes}), a, axes, keepdims), out)

    reduce.__name__ = function.__name__
    reduce.__doc__ = f"Same as `numpy.{function.__name__}`."
    return implements(function, zero=True)(reduce)


any = _truth(np.any, p.any_, False)
all = _truth(np.all, p.all_, True)


@implements(np.count_nonzero, zero=True)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Same as `numpy.count_nonzero`."""
    return sum(np.not_equal(as_array(a), 0), axis=axis, keepdims=keepdims)
