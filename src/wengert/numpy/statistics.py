"""Order statistics, correlations and counts: median, quantiles, cov, corrcoef, histograms, bincount."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError
from ..primitives import indexing as p
from ..primitives.base import normalize_axes
from ._register import as_array, as_float, implements, plain, store, to_dtype
from .selecting import take_along_axis

__all__ = [
    "corrcoef",
    "cov",
    "median",
    "nanmedian",
    "nanpercentile",
    "nanquantile",
    "percentile",
    "quantile",
]

# For the continuous methods of Hyndman and Fan, "Sample quantiles in statistical packages", The American
# Statistician 50, 1996: the plotting position (alpha, beta).
_CONTINUOUS = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}


def _nearest(n: Any, q: Any) -> Any:
    return np.round((n - 1) * q)


# For the others: where between the sorted elements 0 ... n - 1 the quantile lies. Piecewise constant in q.
_DISCRETE: dict[str, Callable[[Any, Any], Any]] = {
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "nearest": _nearest,
    "midpoint": lambda n, q: 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q)),
    "inverted_cdf": lambda n, q: np.maximum(np.ceil(n * q) - 1, 0),
    "averaged_inverted_cdf": lambda n, q: np.where(n * q == np.floor(n * q), n * q - 0.5, np.floor(n * q)),
    "closest_observation": lambda n, q: np.maximum(
        np.where(
            (n * q - 0.5 == np.floor(n * q - 0.5)) & (np.floor(n * q - 0.5) % 2 == 1),
            n * q - 1.5,
            np.floor(n * q - 0.5),
        ),
        0,
    ),
}


_SINGLE = frozenset(("lower", "higher", "nearest", "inverted_cdf", "closest_observation"))  # these pick one element


def gather_axes(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """Bring the reduced axes last, as one; return also the shape with them kept as ones."""
    axes = normalize_axes(axis, a.ndim)
    rest = tuple(i for i in range(a.ndim) if i not in axes)
    kept = tuple(1 if i in axes else n for i, n in enumerate(a.shape))
    length = 1
    for i in axes:
        length *= a.shape[i]
    moved = p.transpose(a, axes=(*rest, *axes)) if rest + axes != tuple(range(a.ndim)) else a
    return p.reshape(moved, shape=(*(a.shape[i] for i in rest), length)), kept


def _quantile(a: Any, q: Any, axis: Any, method: str, weights: Any, keepdims: bool, skip_nan: bool) -> Any:
    """Quantiles along gathered axes: shape of q first, then that of the rest."""
    a, q = as_float(a), as_array(q)
    if bool(np.any(np.less(q, 0))) or bool(np.any(np.greater(q, 1))):
        raise ArgumentError("Quantiles must be in the range [0, 1]")
    rows, kept = gather_axes(a, axis)
    if weights is not None:
        if method != "inverted_cdf":
            raise ArgumentError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
        result = _weighted(rows, q, a, as_array(weights), axis, skip_nan)
    else:
        order = np.argsort(rows, -1)
        ordered = take_along_axis(rows, order, -1)
        absent = np.count_nonzero(np.isnan(ordered), axis=-1, keepdims=True)
        total = np.asarray(rows.shape[-1], a.real.dtype)
        n = (total - absent).astype(a.real.dtype) if skip_nan else total
        flat = np.reshape(q, (-1,) + (1,) * (rows.ndim - 1))
        flat = np.moveaxis(flat, 0, -1) if rows.ndim > 1 else flat  # (1, ..., 1, number of q)
        result = _between(ordered, n, flat, method)
        broken = absent == rows.shape[-1] if skip_nan else absent > 0
        result = np.where(broken, np.asarray(np.nan, result.dtype), result)
    result = np.moveaxis(result, -1, 0)
    shape = kept if keepdims else result.shape[1:]
    return np.reshape(result, (*q.shape, *shape))


def _between(ordered: Any, n: Any, q: Any, method: str) -> Any:
    """Interpolate between sorted elements; `n` of them count."""
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        place = n * q + (alpha + q * (1 - alpha - beta)) - 1 if method != "linear" else (n - 1) * q
    elif method in _DISCRETE:
        place = _DISCRETE[method](n, plain(q))
    else:
        raise ArgumentError(f"{method!r} is not a valid method. Use one of: {sorted([*_CONTINUOUS, *_DISCRETE])}")
    place = np.clip(place, 0, np.maximum(n - 1, 0))
    place = np.broadcast_to(place, (*ordered.shape[:-1], place.shape[-1]))
    if method in _SINGLE:
        return take_along_axis(ordered, np.asarray(plain(place)).astype(np.intp), -1)
    low = np.floor(plain(place))
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    share = place - low
    below, above = (take_along_axis(ordered, np.asarray(plain(k)).astype(np.intp), -1) for k in (low, high))
    # As NumPy does: from the nearer end, and no difference of infinities where nothing lies between.
    step = np.where(np.equal(below, above), 0, above - below)
    return np.where(np.less(share, 0.5), below + step * share, above - step * (1 - share))


def _weighted(rows: Any, q: Any, a: Any, weights: Any, axis: Any, skip_nan: bool) -> Any:
    """The inverted distribution function: one element is chosen, so the weights have derivative zero."""
    weights = np.asarray(plain(weights), float)
    if weights.shape != a.shape:
        axes = normalize_axes(axis, a.ndim)
        shape = tuple(n if i in axes else 1 for i, n in enumerate(a.shape))
        weights = np.broadcast_to(weights.reshape(shape), a.shape)
    heavy, _ = gather_axes(weights, axis)
    values = np.asarray(plain(rows))
    if skip_nan:
        heavy = np.where(np.isnan(values), 0.0, heavy)
    order = np.argsort(values, axis=-1, kind="stable")
    mass = np.cumsum(np.take_along_axis(heavy, order, -1), axis=-1)
    mass = mass / mass[..., -1:]
    quantiles = np.asarray(plain(q)).reshape(-1)
    places = np.sum(mass[..., None, :] < quantiles[:, None], axis=-1)
    # An element without weight is never chosen.
    first = np.argmax(mass > 0, axis=-1)[..., None]
    places = np.minimum(np.maximum(places, first), rows.shape[-1] - 1)
    result = take_along_axis(rows, np.take_along_axis(order, places, -1), -1)
    if not skip_nan:
        result = np.where(np.isnan(values).any(axis=-1, keepdims=True), np.nan, result)
    return result


def _quantiles(function: Any, scale: float, skip_nan: bool) -> Any:
    def handler(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = False,
        *,
        weights: Any = None,
        interpolation: Any = None,
    ) -> Any:
        method = method if interpolation is None else interpolation  # what NumPy called it before 1.22
        a = as_array(a)
        if isinstance(q, int | float) and a.dtype.kind == "f":  # a Python number does not promote
            q = np.asarray(q, a.dtype)
        q = as_array(q)
        if scale != 1:
            q = q / (a.dtype.type(scale) if a.dtype.kind == "f" else scale)
        return store(_quantile(a, q, axis, method, weights, keepdims is True, skip_nan), out)

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`, differentiable in the data and in `q`."
    return implements(function)(handler)


quantile = _quantiles(np.quantile, 1, False)
percentile = _quantiles(np.percentile, 100, False)
nanquantile = _quantiles(np.nanquantile, 1, True)
nanpercentile = _quantiles(np.nanpercentile, 100, True)


def _medians(function: Any, skip_nan: bool) -> Any:
    def handler(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
        half = as_float(a).real.dtype.type(0.5)
        return store(_quantile(a, half, axis, "linear", None, keepdims is True, skip_nan), out)

    handler.__name__ = function.__name__
    handler.__doc__ = f"Same as `numpy.{function.__name__}`; an even count splits the derivative over the middle two."
    return implements(function)(handler)


median = _medians(np.median, False)
nanmedian = _medians(np.nanmedian, True)


# ---------------------------------------------------------------- covariance


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: Any = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """Same as `numpy.cov`."""
    if ddof is not None and ddof != int(ddof):
        raise ArgumentError("ddof must be integer")
    m = as_array(m)
    if m.ndim > 2:
        raise ArgumentError("m has more than 2 dimensions")
    kind = np.result_type(m.dtype, np.float64, *([] if y is None else [as_array(y).dtype])) if dtype is None else dtype
    rows = _variables(m, rowvar, kind)
    if y is not None:
        rows = np.concatenate([rows, _variables(as_array(y), rowvar, kind)], axis=0)
    if ddof is None:
        ddof = 0 if bias else 1
    weights: Any = None
    if fweights is not None:
        weights = np.asarray(plain(fweights), float)
        if np.any(weights != np.round(weights)):
            raise DtypeError("fweights must be integer")
    if aweights is not None:
        aweights = as_float(aweights)
        weights = aweights if weights is None else weights * aweights
    if weights is None:
        total: Any = rows.shape[1]
        centre = np.mean(rows, axis=1, keepdims=True)
        free: Any = total - ddof
    else:
        total = np.sum(weights)
        centre = np.sum(rows * weights, axis=1, keepdims=True) / total
        if ddof == 0:
            free = total
        elif aweights is None:
            free = total - ddof
        else:
            free = total - ddof * np.sum(weights * aweights) / total
    deviation = rows - centre
    scaled = deviation if weights is None else deviation * weights
    return np.squeeze(np.matmul(deviation, np.conjugate(scaled.T)) / free)


def _variables(m: Any, rowvar: bool, kind: Any) -> Any:
    m = to_dtype(m, kind)
    rows = np.reshape(m, (1, -1)) if m.ndim < 2 else m
    return rows if rowvar or m.ndim < 2 or rows.shape[0] == 1 else rows.T


@implements(np.corrcoef)
def corrcoef(
    x: Any, y: Any = None, rowvar: bool = True, bias: Any = None, ddof: Any = None, *, dtype: Any = None
) -> Any:
    """Same as `numpy.corrcoef`; `bias` and `ddof` have no effect, as in the NumPy versions that take them."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.real(np.diagonal(c)))
    c = c / deviation[:, None] / deviation[None, :]
    if c.dtype.kind == "c":
        return np.clip(np.real(c), -1, 1) + 1j * np.clip(np.imag(c), -1, 1)
    return np.clip(c, -1, 1)
