"""The nan-functions: reductions that leave out what is not a number. A left-out element has derivative 0."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..primitives.base import normalize_axes
from ._register import MISSING, as_array, as_float, implements, on_values, store, to_dtype
from .reducing import correction_of, cumprod, cumsum, max, min, prod, root, squares, sum

__all__ = [
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmin",
    "nanprod",
    "nanstd",
    "nansum",
    "nanvar",
]

nanargmax = on_values(np.nanargmax)
nanargmin = on_values(np.nanargmin)


def replaced(a: Any, neutral: Any) -> Any:
    """Return the array with a neutral number in place of what is missing."""
    return np.where(np.isnan(a), np.asarray(neutral, a.dtype), a) if a.dtype.kind in "fc" else a


def _total(function: Any, reduction: Any, neutral: int) -> Any:
    def handler(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = MISSING,
        initial: Any = MISSING,
        where: Any = MISSING,
    ) -> Any:
        return reduction(replaced(as_array(a), neutral), axis, dtype, out, keepdims, initial, where)

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`."
    return implements(function)(handler)


nansum = _total(np.nansum, sum, 0)
nanprod = _total(np.nanprod, prod, 1)


def _running(function: Any, scan: Any, neutral: int) -> Any:
    def handler(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        return scan(replaced(as_array(a), neutral), axis, dtype, out)

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`."
    return implements(function)(handler)


nancumsum = _running(np.nancumsum, cumsum, 0)
nancumprod = _running(np.nancumprod, cumprod, 1)


def _extremum(function: Any, reduction: Any, neutral: float) -> Any:
    def handler(
        a: Any,
        axis: Any = None,
        out: Any = None,
        keepdims: Any = MISSING,
        initial: Any = MISSING,
        where: Any = MISSING,
    ) -> Any:
        a = as_array(a)
        if a.dtype.kind not in "fc":
            return reduction(a, axis, out, keepdims, initial, where)
        result = reduction(replaced(a, neutral), axis, None, keepdims, initial, where)
        absent = np.all(np.isnan(a), axis=axis, keepdims=keepdims is not MISSING and bool(keepdims))
        if bool(np.any(absent)):
            warnings.warn("All-NaN slice encountered", RuntimeWarning, stacklevel=3)
            result = np.where(absent, np.asarray(np.nan, result.dtype), result)
        return store(result, out)

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`; elements that tie share the derivative equally."
    return implements(function)(handler)


nanmax = _extremum(np.nanmax, max, -np.inf)
nanmin = _extremum(np.nanmin, min, np.inf)


def _present(a: Any, axes: tuple[int, ...], keepdims: Any, where: Any) -> Any:
    """Return how many elements count, as real numbers of the array's precision."""
    flags = np.logical_not(np.isnan(a))
    if where is not MISSING and where is not True:
        flags = np.logical_and(flags, where)
    return np.sum(flags, axis=axes, keepdims=keepdims is not MISSING and bool(keepdims)).astype(a.real.dtype)


def _quotient(total: Any, count: Any, out: Any, message: str) -> Any:
    if bool(np.any(np.less_equal(count, 0))):
        warnings.warn(message, RuntimeWarning, stacklevel=4)
    with np.errstate(all="ignore"):
        return store(np.divide(total, count), out)


@implements(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = MISSING, *, where: Any = MISSING
) -> Any:
    """Same as `numpy.nanmean`."""
    a = as_float(to_dtype(as_array(a), dtype))
    axes = normalize_axes(axis, a.ndim)
    total = nansum(a, axes, None, None, keepdims, where=where)
    return _quotient(total, _present(a, axes, keepdims, where), out, "Mean of empty slice")


@implements(np.nanvar)
def nanvar(
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
    """Same as `numpy.nanvar`."""
    ddof = correction_of(ddof, correction)
    a = as_float(to_dtype(as_array(a), dtype))
    axes = normalize_axes(axis, a.ndim)
    if mean is MISSING:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            mean = nanmean(a, axes, keepdims=True, where=where)
    total = nansum(squares(a - mean), axes, None, None, keepdims, where=where)
    free = _present(a, axes, keepdims, where) - ddof
    free = np.where(free > 0, free, np.asarray(np.nan, total.dtype))
    if bool(np.any(np.isnan(free))):
        warnings.warn("Degrees of freedom <= 0 for slice.", RuntimeWarning, stacklevel=3)
    return store(total / free, out)


@implements(np.nanstd)
def nanstd(
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
    """Same as `numpy.nanstd`; where all values are equal the derivative is 0."""
    return store(root(nanvar(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)), out)
