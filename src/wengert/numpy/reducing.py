"""Reductions and scans: sums, products, extrema, means, variances, norms, cumulative sums and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives import reduction as p
from ..primitives.base import normalize_axes, normalize_axis
from ..recording import apply
from ._register import as_array, implements, store

_MISSING = np._NoValue


def _keep(x: Any, axes: tuple[int, ...], result: Any, keepdims: Any) -> Any:
    if keepdims is True or (keepdims is not _MISSING and keepdims):
        return p.expand(result, x, axes)
    return result


def _masked(x: Any, where: Any, neutral: Any) -> Any:
    return x if where is _MISSING or where is True else np.where(where, x, neutral)


def _with_initial(result: Any, initial: Any, function: Any) -> Any:
    return result if initial is _MISSING or initial is None else function(result, initial)


def _cast(x: Any, dtype: Any) -> Any:
    return x if dtype is None or x.dtype == np.dtype(dtype) else apply(e.cast, (x,), {"dtype": np.dtype(dtype)})


@implements(np.sum)
def sum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _MISSING, where: Any = _MISSING
) -> Any:
    """Same as `numpy.sum`."""
    a = _masked(_cast(as_array(a), dtype), where, 0)
    axes = normalize_axes(axis, a.ndim)
    result = _keep(a, axes, p.sum_(a, axis=axes), keepdims)
    return store(_with_initial(result, initial, np.add), out)


@implements(np.prod)
def prod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _MISSING, where: Any = _MISSING
) -> Any:
    """Same as `numpy.prod`."""
    a = _masked(_cast(as_array(a), dtype), where, 1)
    axes = normalize_axes(axis, a.ndim)
    result = _keep(a, axes, p.prod_(a, axis=axes), keepdims)
    return store(_with_initial(result, initial, np.multiply), out)


def _extremum(primitive: Any, pairwise: Any, name: str) -> Any:
    def reduce(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _MISSING, where: Any = _MISSING
    ) -> Any:
        a = as_array(a)
        if where is not _MISSING and where is not True:
            if initial is _MISSING:
                raise ValueError(f"reduction operation '{name}' needs an initial value with where=")
            a = np.where(where, a, initial)
        axes = normalize_axes(axis, a.ndim)
        if initial is not _MISSING and initial is not None and any(a.shape[i] == 0 for i in axes):
            shape = tuple(n for i, n in enumerate(a.shape) if i not in axes)
            return store(_keep(a, axes, np.full(shape, initial, a.dtype), keepdims), out)
        result = _keep(a, axes, primitive(a, axis=axes), keepdims)
        return store(_with_initial(result, initial, pairwise), out)

    reduce.__name__ = name
    reduce.__doc__ = f"Same as `numpy.{name}`; elements that tie share the derivative equally."
    return reduce


max = implements(np.max, np.amax)(_extremum(p.max_, np.maximum, "max"))
min = implements(np.min, np.amin)(_extremum(p.min_, np.minimum, "min"))
amax, amin = max, min


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    """Same as `numpy.ptp`."""
    return store(max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims), out)


def _count(a: Any, axes: tuple[int, ...], where: Any, keepdims: Any) -> Any:
    if where is not _MISSING and where is not True:
        return np.sum(np.broadcast_to(where, a.shape), axis=axes, keepdims=bool(keepdims) if keepdims is not _MISSING else False)
    count = 1
    for i in axes:
        count *= a.shape[i]
    return count


def _floating(a: Any) -> Any:
    return a if a.dtype.kind in "fc" else _cast(a, np.float64)


@implements(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = _MISSING) -> Any:
    """Same as `numpy.mean`."""
    a = _floating(_cast(as_array(a), dtype))
    axes = normalize_axes(axis, a.ndim)
    total = sum(a, axis=axes, keepdims=keepdims, where=where)
    return store(total / _count(a, axes, where, keepdims), out)


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False) -> Any:
    """Same as `numpy.average`."""
    a = as_array(a)
    if weights is None:
        result: Any = mean(a, axis, keepdims=keepdims)
        scale: Any = np.asarray(a.size / np.prod(result.shape) if result.size else 1.0)
    else:
        weights = as_array(weights)
        if weights.shape != a.shape and weights.ndim == 1 and axis is not None:
            shape = [1] * a.ndim
            shape[normalize_axis(axis, a.ndim)] = weights.shape[0]
            weights = np.broadcast_to(np.reshape(weights, shape), a.shape)
        scale = sum(weights, axis=axis, keepdims=keepdims)
        result = sum(a * weights, axis=axis, keepdims=keepdims) / scale
    return (result, np.broadcast_to(scale, result.shape)) if returned else result


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: float = 0,
    keepdims: Any = False,
    *,
    where: Any = _MISSING,
    mean: Any = _MISSING,
    correction: Any = _MISSING,
) -> Any:
    """Same as `numpy.var`."""
    a = _floating(_cast(as_array(a), dtype))
    axes = normalize_axes(axis, a.ndim)
    ddof = ddof if correction is _MISSING else correction
    centre = globals()["mean"](a, axes, keepdims=True, where=where) if mean is _MISSING else mean
    deviation = a - centre
    squares = np.real(deviation * np.conjugate(deviation)) if a.dtype.kind == "c" else deviation * deviation
    total = sum(squares, axis=axes, keepdims=keepdims, where=where)
    return store(total / np.maximum(_count(a, axes, where, keepdims) - ddof, 0), out)


@implements(np.std)
def std(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: Any = False, **options: Any) -> Any:
    """Same as `numpy.std`; where all values are equal the derivative is 0."""
    return store(root(var(a, axis, dtype, None, ddof, keepdims, **options)), out)


def root(square: Any) -> Any:
    """Square root of a sum of squares: its derivative at 0 is taken to be 0, as that of a norm."""
    zero = np.equal(square, 0)
    return np.where(zero, 0, np.sqrt(np.where(zero, 1, square)))


# ---------------------------------------------------------------- scans


def _scan(primitive: Any, name: str) -> Any:
    def scan(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        a = _cast(as_array(a), dtype)
        if axis is None:
            a, axis = np.reshape(a, (-1,)) if a.size else np.reshape(a, (0,)), 0
        return store(primitive(a, axis=normalize_axis(axis, a.ndim)), out)

    scan.__name__ = name
    scan.__doc__ = f"Same as `numpy.{name}`."
    return scan


cumsum = implements(np.cumsum)(_scan(p.cumsum, "cumsum"))
cumprod = implements(np.cumprod)(_scan(p.cumprod, "cumprod"))


def _cumulative(scan: Any, start: Any, name: str) -> Any:
    def cumulative(
        x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None, include_initial: bool = False
    ) -> Any:
        x = as_array(x)
        if axis is None:
            if x.ndim != 1:
                raise ValueError("axis is required for arrays of more than one axis")
            axis = 0
        axis = normalize_axis(axis, x.ndim)
        result = scan(x, axis, dtype)
        if include_initial:
            head = np.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), start, result.dtype)
            result = np.concatenate([head, result], axis)
        return store(result, out)

    cumulative.__name__ = name
    cumulative.__doc__ = f"Same as `numpy.{name}`."
    return cumulative


cumulative_sum = implements(np.cumulative_sum)(_cumulative(cumsum, 0, "cumulative_sum"))
cumulative_prod = implements(np.cumulative_prod)(_cumulative(cumprod, 1, "cumulative_prod"))


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _MISSING, append: Any = _MISSING) -> Any:
    """Same as `numpy.diff`."""
    from .shaping import take_slice

    a = as_array(a)
    axis = normalize_axis(axis, a.ndim)
    parts = []
    for extra, before in ((prepend, True), (append, False)):
        if extra is not _MISSING:
            extra = as_array(extra)
            if extra.ndim == 0:
                extra = np.broadcast_to(extra, (*a.shape[:axis], 1, *a.shape[axis + 1 :]))
            parts.append((before, extra))
    if parts:
        a = np.concatenate([x for b, x in parts if b] + [a] + [x for b, x in parts if not b], axis)
    if n < 0:
        raise ValueError("order must be non-negative but got " + repr(n))
    for _ in range(n):
        a = take_slice(a, axis, 1, None) - take_slice(a, axis, None, -1)
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Same as `numpy.ediff1d`."""
    steps = diff(np.ravel(as_array(ary)))
    parts = [np.ravel(as_array(x)) for x in (to_begin,) if x is not None]
    parts += [steps] + [np.ravel(as_array(x)) for x in (to_end,) if x is not None]
    return np.concatenate(parts) if len(parts) > 1 else steps


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Same as `numpy.linalg.norm`; the derivative of the Euclidean norm at 0 is taken to be 0."""
    x = _floating(as_array(x))
    if axis is None:
        if ord is None or (ord == 2 and x.ndim == 1) or (ord in ("fro", "f") and x.ndim == 2):
            axes = tuple(range(x.ndim))
            return _keep(x, axes, _euclidean(x, axes), keepdims)
        axis = tuple(range(x.ndim))
    axes = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    axes = tuple(normalize_axis(int(i), x.ndim) for i in axes)
    if len(axes) == 1:
        return _keep(x, axes, vector_norm_along(x, axes, 2 if ord is None else ord), keepdims)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    if axes[0] == axes[1]:
        raise ValueError("Duplicate axes given.")
    ordered = tuple(sorted(axes))
    if ord is None or ord in ("fro", "f"):
        return _keep(x, ordered, _euclidean(x, ordered), keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        rows, columns = axes
        inner, outer = (rows, columns) if abs(ord) == 1 else (columns, rows)
        totals = sum(np.abs(x), axis=inner, keepdims=True)
        best = (max if ord > 0 else min)(totals, axis=outer, keepdims=True)
        return best if keepdims else np.squeeze(best, axes)
    if ord in (2, -2, "nuc"):
        values = np.linalg.svd(np.moveaxis(x, axes, (-2, -1)), compute_uv=False)
        if ord == "nuc":
            best = sum(values, axis=-1)
        else:
            best = max(values, axis=-1) if ord == 2 else min(values, axis=-1)
        return _keep(x, ordered, best, keepdims)
    raise ValueError("Invalid norm order for matrices.")


def _squares(x: Any) -> Any:
    if x.dtype.kind == "c":
        return np.real(x) ** 2 + np.imag(x) ** 2
    return x * x


def _euclidean(x: Any, axes: tuple[int, ...]) -> Any:
    return root(p.sum_(_squares(x), axis=axes))


def vector_norm_along(x: Any, axes: tuple[int, ...], ord: Any) -> Any:
    """Return the vector norm of order `ord` over sorted axes."""
    if ord == 2:
        return _euclidean(x, axes)
    size = np.abs(x)
    if ord == np.inf:
        return p.max_(size, axis=axes)
    if ord == -np.inf:
        return p.min_(size, axis=axes)
    if ord == 0:
        return p.sum_(_cast(np.not_equal(x, 0), size.dtype), axis=axes)
    if ord == 1:
        return p.sum_(size, axis=axes)
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    total = p.sum_(size**ord, axis=axes)
    zero = np.equal(total, 0)
    return np.where(zero, 0, np.where(zero, 1, total) ** (1 / ord))


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Same as `numpy.linalg.vector_norm`."""
    x = _floating(as_array(x))
    axes = normalize_axes(axis, x.ndim)
    return _keep(x, axes, vector_norm_along(x, axes, ord), keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Same as `numpy.linalg.matrix_norm`."""
    return norm(x, ord, axis=(-2, -1), keepdims=keepdims)


# ---------------------------------------------------------------- truth


def _truth(primitive: Any, name: str) -> Any:
    def reduce(a: Any, axis: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = _MISSING) -> Any:
        a = _masked(as_array(a), where, name == "all")
        axes = normalize_axes(axis, a.ndim)
        return store(_keep(a, axes, primitive(a, axis=axes), keepdims), out)

    reduce.__name__ = name
    reduce.__doc__ = f"Same as `numpy.{name}`."
    return reduce


any = implements(np.any)(_truth(p.any_, "any"))
all = implements(np.all)(_truth(p.all_, "all"))


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Same as `numpy.count_nonzero`."""
    return sum(np.not_equal(as_array(a), 0), axis=axis, keepdims=keepdims)
