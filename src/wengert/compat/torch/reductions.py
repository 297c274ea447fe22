"""PyTorch's reductions and scans: `dim` and `keepdim`, values with indices, torch's defaults."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import ArgumentError, GraphDtypeError
from ...primitives import reduction as p
from ...primitives import special_reduce
from ...primitives.base import normalize_axes, normalize_axis
from ...recording import apply
from . import dtypes
from . import elementwise as f
from .naming import name_result, node
from .operators import as_tensor
from .results import MinMax, ValuesIndices


def _axes(dim: Any, ndim: int) -> tuple[int, ...]:
    if dim is None or dim == () or dim == []:
        return tuple(range(ndim))
    if ndim == 0:  # torch lets a number have one axis
        return ()
    return normalize_axes(dim if isinstance(dim, int) else tuple(dim), ndim)


def _axis(dim: int, ndim: int) -> int:
    return normalize_axis(dim, ndim or 1)


def _reduced(primitive: Any, x: Any, dim: Any, keepdim: Any) -> Any:
    axes = _axes(dim, x.ndim)
    result = apply(primitive, (x,), {"axis": axes})
    return p.expand(result, x, axes) if keepdim else result


def _options(name: str, dim: Any, keepdim: Any, named: dict[str, Any]) -> tuple[Any, bool]:
    """Accept NumPy's names of the arguments, as PyTorch does."""
    if named:
        dtypes.check_settings(name, named, ("axis", "keepdims"))
    return named.get("axis", dim), named.get("keepdims", keepdim)


def _summand(input: Any, dtype: Any) -> Any:
    """Return what sums and products add up: in the dtype that was asked for, integers as int64."""
    x = as_tensor(input)
    if dtype is not None:
        return dtypes.cast(x, dtypes.to_numpy_dtype(dtype))
    return dtypes.cast(x, np.dtype(np.int64)) if x.dtype.kind == "u" else x


def _inexact(name: str, x: Any) -> Any:
    if x.dtype.kind not in "fc":
        raise GraphDtypeError(
            f"{name}: the dtype must be floating point or complex, not {x.dtype!r}", hint=f"x.float().{name}()"
        )
    return x


def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, **named: Any) -> Any:
    """Return the sum over the axes in `dim` (all if None)."""
    dim, keepdim = _options("sum", dim, keepdim, named)
    x = _summand(input, dtype)
    result = _reduced(p.sum_, x, dim, keepdim)
    if keepdim or dim is not None:
        name_result(result, "SumBackward1", (x,))
    return result


@node("Mean")
def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, **named: Any) -> Any:
    """Return the mean over the axes in `dim` (all if None).

    Raises GraphDtypeError for integers, as PyTorch does.
    """
    dim, keepdim = _options("mean", dim, keepdim, named)
    x = _inexact("mean", _summand(input, dtype) if dtype is not None else as_tensor(input))
    axes = _axes(dim, x.ndim)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    total = _reduced(p.sum_, x, axes, keepdim) if x.ndim else x
    return total / count if count else total * math.nan


def prod(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the product over an axis, or of all elements."""
    return _reduced(p.prod_, _summand(input, dtype), dim, keepdim)


@node("Nansum")
def nansum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the sum of what is not NaN."""
    x = as_tensor(input)
    return sum(f.where(f.isnan(x), 0, x), dim, keepdim, dtype=dtype)


def nanmean(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Return the mean of what is not NaN."""
    x = _inexact("nanmean", as_tensor(input))
    return nansum(x, dim, keepdim) / sum(~f.isnan(x), dim, keepdim)


def _dispersion(name: str, function: Any) -> Any:
    def call(
        input: Any,
        dim: Any = None,
        unbiased: bool | None = None,
        keepdim: bool = False,
        *,
        correction: Any = None,
        **named: Any,
    ) -> Any:
        if isinstance(dim, bool):  # std(x, unbiased)
            dim, unbiased = None, dim
        dim, keepdim = _options(name, dim, keepdim, named)
        degrees = (1 if unbiased is None else int(unbiased)) if correction is None else correction
        x = _inexact(name, as_tensor(input))
        return function(x, axis=_axes(dim, x.ndim), keepdims=bool(keepdim), ddof=degrees)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return the {'standard deviation' if name == 'std' else 'variance'}, divided by n - correction (1)."
    return node(name.capitalize())(call)


std = _dispersion("std", np.std)
var = _dispersion("var", np.var)


def std_mean(input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, **options: Any) -> Any:
    """Return standard deviation and mean."""
    return std(input, dim, unbiased, keepdim, **options), mean(input, dim, keepdim)


def var_mean(input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, **options: Any) -> Any:
    """Return variance and mean."""
    return var(input, dim, unbiased, keepdim, **options), mean(input, dim, keepdim)


# ---------------------------------------------------------------- extrema


def _along(x: Any, indices: Any, axis: int) -> Any:
    return np.take_along_axis(x, indices, axis)


def _pick(x: Any, indices: Any, axis: int, keepdim: bool) -> Any:
    """Take one element along an axis, by index."""
    if x.ndim == 0:
        return x
    expanded = np.expand_dims(indices, axis)
    values = _along(x, expanded, axis)
    return values if keepdim else np.squeeze(values, axis)


def _extremum(name: str, reduce: Any, argument: Any, pairwise: Any) -> Any:
    def call(input: Any, dim: Any = None, keepdim: bool = False, **named: Any) -> Any:
        x = as_tensor(input)
        other = named.pop("other", None)
        if other is not None or not (dim is None or isinstance(dim, int)):
            return pairwise(x, dim if other is None else other)
        dim, keepdim = _options(name, dim, keepdim, named)
        if dim is None:
            result = reduce(x)
            name_result(result, f"{name.capitalize()}Backward1", (x,))
            return result
        axis = _axis(dim, x.ndim)
        indices = argument(x, axis=axis) if x.ndim else np.zeros_like(x, dtype=np.int64)
        values = _pick(x, indices, axis, keepdim)
        name_result(values, f"{name.capitalize()}Backward0", (x,))
        return ValuesIndices(name, values, np.expand_dims(indices, axis) if keepdim and x.ndim else indices)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = (
        f"Return the {name}imum of all elements (ties share the derivative), (values, indices) along an axis (the "
        "first of several gets the derivative), or elementwise of two tensors."
    )
    return call


max = _extremum("max", np.max, np.argmax, f.maximum)
min = _extremum("min", np.min, np.argmin, f.minimum)


@node("Amax")
def amax(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """Return the maximum over axes; ties share the derivative."""
    return _reduced(p.max_, as_tensor(input), dim, keepdim)


@node("Amin")
def amin(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """Return the minimum over axes; ties share the derivative."""
    return _reduced(p.min_, as_tensor(input), dim, keepdim)


@node("Aminmax")
def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Return minimum and maximum."""
    dim = () if dim is None else dim
    return MinMax(amin(input, dim, keepdim), amax(input, dim, keepdim))


def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return where the maximum is; the first of several."""
    x = as_tensor(input)
    return np.argmax(x, axis=dim if x.ndim else None, keepdims=keepdim)


def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return where the minimum is; the first of several."""
    x = as_tensor(input)
    return np.argmin(x, axis=dim if x.ndim else None, keepdims=keepdim)


@node("Median")
def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the median, the lower one of two middle elements, NaN if any is; along an axis (values, indices)."""
    x = as_tensor(input)
    if dim is None:
        if not x.size:
            return x.sum() * math.nan
        return median(np.reshape(x, (-1,)), 0).values
    axis = _axis(dim, x.ndim)
    return _kth(x, (x.shape[axis] - 1) // 2 if x.ndim else 0, axis, keepdim, "median")


def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the k-th smallest element along an axis, and its index."""
    x = as_tensor(input)
    return _kth(x, k - 1, _axis(dim, x.ndim), keepdim, "kthvalue")


def _kth(x: Any, k: int, axis: int, keepdim: bool, name: str = "kthvalue") -> Any:
    if x.ndim == 0:
        return ValuesIndices(name, x, np.zeros_like(x, dtype=np.int64))
    order = np.argsort(x, axis=axis, kind="stable")
    indices = np.take(order, k, axis=axis)
    if name == "median":  # sorting puts NaN last, where it would not be found
        missing = np.isnan(x)
        indices = np.where(np.any(missing, axis=axis), np.argmax(missing, axis=axis), indices)
    values = _pick(x, indices, axis, keepdim)
    return ValuesIndices(name, values, np.expand_dims(indices, axis) if keepdim else indices)


def quantile(
    input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """Return quantiles; a `q` with several entries puts them first."""
    x = as_tensor(input)
    found = np.quantile(x, q, axis=dim, keepdims=keepdim, method=interpolation)  # type: ignore[call-overload]
    return dtypes.cast(found, np.dtype(x.dtype.dtype))


# ---------------------------------------------------------------- truth and counts


def all(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Return whether all elements are true."""
    return _reduced(p.all_, f.logical(input), dim, keepdim)


def any(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Return whether any element is true."""
    return _reduced(p.any_, f.logical(input), dim, keepdim)


def count_nonzero(input: Any, dim: Any = None) -> Any:
    """Return the number of elements that are not 0."""
    return sum(np.not_equal(as_tensor(input), 0), dim)


# ---------------------------------------------------------------- logarithms of sums


@node("Logsumexp")
def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Any:
    """Return log(sum(exp(x))) over axes without overflow."""
    x = dtypes.floating(as_tensor(input))
    axes = _axes(dim, x.ndim)
    total = apply(special_reduce.logsumexp, (x,), {"axis": axes})
    return p.expand(total, x, axes) if keepdim else total


@node("Softmax")
def softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Any:
    """Return exp(x) / sum(exp(x)) along an axis."""
    x = _floating(input, dtype)
    return apply(special_reduce.softmax, (x,), {"axis": _axes(_softmax_dim(dim, x.ndim), x.ndim)})


def _softmax_dim(dim: int | None, ndim: int) -> int:
    """Return the axis that PyTorch would take if none is given."""
    return (0 if ndim in (0, 1, 3) else 1) if dim is None else dim


def _floating(input: Any, dtype: Any) -> Any:
    x = as_tensor(input)
    return dtypes.floating(x) if dtype is None else dtypes.cast(x, dtypes.to_numpy_dtype(dtype))


@node("LogSoftmax")
def log_softmax(input: Any, dim: int | None = None, dtype: Any = None) -> Any:
    """Return log(softmax(x)) along an axis, without cancellation."""
    x = _floating(input, dtype)
    return x - logsumexp(x, _softmax_dim(dim, x.ndim), keepdim=True)


# ---------------------------------------------------------------- scans


def cumsum(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """Return running sums along an axis."""
    x = _summand(input, dtype)
    return np.cumsum(x, axis=dim) if x.ndim else x


def cumprod(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """Return running products along an axis."""
    x = _summand(input, dtype)
    return np.cumprod(x, axis=dim) if x.ndim else x


@node("Logcumsumexp")
def logcumsumexp(input: Any, dim: int) -> Any:
    """Return log(cumsum(exp(x))) along an axis."""
    x = dtypes.floating(as_tensor(input))
    if x.dtype.kind == "c":
        return f.log(cumsum(f.exp(x), dim))
    return np.logaddexp.accumulate(x, _axis(dim, x.ndim)) if x.ndim else x


def _running(name: str, ufunc: Any, later: Any) -> Any:
    def call(input: Any, dim: int) -> Any:
        x = as_tensor(input)
        axis = _axis(dim, x.ndim)
        data = np.asarray(x._concrete(name))
        best = ufunc.accumulate(data, axis=axis) if x.ndim else data
        n = data.shape[axis] if x.ndim else 1
        places = np.arange(n).reshape((n,) + (1,) * (data.ndim - axis - 1)) if x.ndim else np.zeros((), int)
        reached = (data == best) | np.isnan(data)  # NaN stays the extremum from where it appears
        indices = np.maximum.accumulate(np.where(reached, places, 0), axis=axis) if x.ndim else places
        return ValuesIndices(name, _along(x, indices, axis) if x.ndim else x, as_tensor(indices))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return the running {later} along an axis, and where it was (the last of several)."
    return node(name.capitalize())(call)


cummax = _running("cummax", np.maximum, "maximum")
cummin = _running("cummin", np.minimum, "minimum")


def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Return differences of neighbours along an axis, n times."""
    extra = {key: value for key, value in (("prepend", prepend), ("append", append)) if value is not None}
    return np.diff(as_tensor(input), n, dim, **extra)


def trapezoid(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Any:
    """Return the integral by the trapezoidal rule."""
    return np.trapezoid(as_tensor(y), None if x is None else as_tensor(x), dx, dim)


# ---------------------------------------------------------------- norms


@node("LinalgVectorNorm")
def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Any:
    """Return the norm of all elements, or over axes; the derivative of the Euclidean norm at 0 is 0.

    Raises ArgumentError for an order that is neither a number nor "fro".
    """
    x = _floating(input, dtype)
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise ArgumentError(f"norm: p is a number, 'fro' or 'nuc', not {p!r}")
    if p == "nuc":
        axes = (-2, -1) if dim is None else tuple(dim)
        return np.linalg.norm(x, "nuc", axis=axes, keepdims=keepdim)
    order = 2 if p in ("fro", None) else math.inf if p == math.inf else p
    return np.linalg.vector_norm(x, axis=_axes(dim, x.ndim), keepdims=keepdim, ord=order)


def dist(input: Any, other: Any, p: float = 2) -> Any:
    """Return the p-norm of the difference."""
    return norm(f.sub(input, other), p)
