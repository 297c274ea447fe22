"""Reductions and scans along axes: the reducer, and how a cotangent flows back to what was reduced.

Axes are static, non-negative and sorted; reduced axes disappear (`keepdims` is a reshape written by the caller).
Maxima and minima share the gradient equally among ties.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .base import Primitive, dtype_of, reads_nothing, result_dtype, shape_of
from .indexing import broadcast_to, concatenate, index, linear, reshape
from .pointwise import conjugate_of, scale

Axes = tuple[int, ...]


def _reduced(x: Any, axis: Axes) -> tuple[int, ...]:
    return tuple(n for i, n in enumerate(x.shape) if i not in axis)


def _kept(x: Any, axis: Axes) -> tuple[int, ...]:
    return tuple(1 if i in axis else n for i, n in enumerate(x.shape))


def expand(reduced: Any, x: Any, axis: Axes) -> Any:
    """Give a reduced value unit axes, so that it broadcasts against what was reduced."""
    return reshape(reduced, shape=_kept(x, axis))


def _shift(axis: Axes) -> Axes:
    return tuple(a + 1 for a in axis)


def _sum_dtype(x: Any, dtype: np.dtype | None = None) -> np.dtype:
    return dtype or np.add.reduce(np.zeros(1, dtype_of(x))).dtype


# `sum` is its own jvp; the transpose of a sum is a broadcast.
sum_: Primitive = linear(
    "sum",
    lambda x, axis: np.add.reduce(x, axis=axis),
    transpose=lambda ct, x, axis: broadcast_to(expand(ct, x, axis), shape=x.shape),
    abstract=lambda x, axis: (_reduced(x, axis), _sum_dtype(x)),
    batch=lambda size, batched, x, axis: sum_(x, axis=_shift(axis)),
    family="reduction",
)


def _extremum(name: str, ufunc: np.ufunc) -> Primitive:
    def share(out: Any, x: Any, axis: Axes) -> Any:
        chosen = np.equal(x, expand(out, x, axis))
        return chosen, expand(sum_(chosen, axis=axis), x, axis)

    def vjp(ct: Any, out: Any, x: Any, needs: Sequence[bool], axis: Axes) -> tuple[Any, ...]:
        chosen, count = share(out, x, axis)
        return (np.where(chosen, expand(ct, x, axis) / count, 0),)

    def jvp(tangents: Sequence[Any], out: Any, x: Any, axis: Axes) -> Any:
        chosen, count = share(out, x, axis)
        return sum_(np.where(chosen, tangents[0] / count, 0), axis=axis)

    primitive = Primitive(
        name,
        lambda x, axis: ufunc.reduce(x, axis=axis),
        abstract=lambda x, axis: (_reduced(x, axis), result_dtype(x)),
        vjp=vjp,
        jvp=jvp,
        batch=lambda size, batched, x, axis: primitive(x, axis=_shift(axis)),
        reads=lambda i, count: {0, "out"},
        family="reduction",
    )
    return primitive


max_ = _extremum("max", np.maximum)
min_ = _extremum("min", np.minimum)


def _others(x: Any, axis: Axes) -> Any:
    """Return, for each element, the product of all others along the axes: no division, so zeros are right."""
    ndim = len(x.shape)
    rest = tuple(i for i in range(ndim) if i not in axis)
    order = (*rest, *axis)
    moved = np.transpose(x, order)
    lead = moved.shape[: len(rest)]
    length = int(np.prod(moved.shape[len(rest) :]))
    flat = np.reshape(moved, (*lead, length))
    if length == 0:
        return x
    full = ((None, None, None),) * len(lead)
    ones = np.ones((*lead, 1), dtype_of(x))
    before = cumprod(concatenate(ones, index(flat, spec=(*full, (0, -1, None))), axis=len(lead)), axis=len(lead))
    reverse = index(flat, spec=(*full, (None, 0, -1)))
    after = cumprod(concatenate(ones, reverse, axis=len(lead)), axis=len(lead))
    after = index(after, spec=(*full, (None, None, -1)))
    inverse = tuple(order.index(i) for i in range(ndim))
    return np.transpose(np.reshape(before * after, moved.shape), inverse)


prod_: Primitive = Primitive(
    "prod",
    lambda x, axis: np.multiply.reduce(x, axis=axis),
    abstract=lambda x, axis: (_reduced(x, axis), _sum_dtype(x)),
    vjp=lambda ct, _out, x, needs, axis: (scale(expand(ct, x, axis), conjugate_of(_others(x, axis))),),
    jvp=lambda tangents, _out, x, axis: sum_(scale(tangents[0], _others(x, axis)), axis=axis),
    batch=lambda size, batched, x, axis: prod_(x, axis=_shift(axis)),
    reads=lambda i, count: {0},
    family="reduction",
)


# ---------------------------------------------------------------- scans


def _flip(x: Any, axis: int) -> Any:
    return index(x, spec=(*((None, None, None),) * axis, (None, None, -1)))


cumsum: Primitive = linear(
    "cumsum",
    lambda x, axis: np.cumsum(x, axis=axis),
    transpose=lambda ct, x, axis: _flip(cumsum(_flip(ct, axis), axis=axis), axis),
    abstract=lambda x, axis: (x.shape, _sum_dtype(x)),
    batch=lambda size, batched, x, axis: cumsum(x, axis=axis + 1),
    family="reduction",
)


def affine_scan(slope: Any, offset: Any, axis: int) -> Any:
    """Return s with s[0] = offset[0] and s[k] = slope[k] s[k-1] + offset[k], in log2(n) array operations.

    Affine maps compose associatively, so runs of length 1, 2, 4, ... are merged (Blelloch, "Prefix sums and
    their applications", 1990, section 1.4).
    """
    n = shape_of(offset)[axis]
    full = ((None, None, None),) * axis
    step = 1
    while step < n:
        head, tail, start = (*full, (0, step, None)), (*full, (step, None, None)), (*full, (0, n - step, None))
        later = index(slope, spec=tail)
        merged = scale(later, index(offset, spec=start)) + index(offset, spec=tail)
        offset = concatenate(index(offset, spec=head), merged, axis=axis)
        slope = concatenate(index(slope, spec=head), scale(later, index(slope, spec=start)), axis=axis)
        step *= 2
    return offset


def _cumprod_vjp(ct: Any, out: Any, x: Any, needs: Sequence[bool], axis: int) -> tuple[Any, ...]:
    # d/dx_j = (product before j) * S_j with S_j = ct_j + x_{j+1} S_{j+1}: no division, so zeros are right.
    n = x.shape[axis]
    if n == 0:
        return (ct,)
    full = ((None, None, None),) * axis
    ones = np.ones((*x.shape[:axis], 1, *x.shape[axis + 1 :]), dtype_of(x))
    before = concatenate(ones, index(out, spec=(*full, (0, n - 1, None))), axis=axis)
    following = concatenate(index(x, spec=(*full, (1, None, None))), ones, axis=axis)
    tail = _flip(affine_scan(_flip(conjugate_of(following), axis), _flip(ct, axis), axis), axis)
    return (scale(tail, conjugate_of(before)),)


def _cumprod_jvp(tangents: Sequence[Any], out: Any, x: Any, axis: int) -> Any:
    # t_k = x_k t_{k-1} + dx_k P_{k-1}
    n = x.shape[axis]
    if n == 0:
        return tangents[0]
    ones = np.ones((*x.shape[:axis], 1, *x.shape[axis + 1 :]), dtype_of(x))
    before = concatenate(ones, index(out, spec=(*((None, None, None),) * axis, (0, n - 1, None))), axis=axis)
    return affine_scan(x, scale(tangents[0], before), axis)


cumprod: Primitive = Primitive(
    "cumprod",
    lambda x, axis: np.cumprod(x, axis=axis),
    abstract=lambda x, axis: (x.shape, _sum_dtype(x)),
    vjp=_cumprod_vjp,
    jvp=_cumprod_jvp,
    batch=lambda size, batched, x, axis: cumprod(x, axis=axis + 1),
    reads=lambda i, count: {0, "out"},
    family="reduction",
)


def _running(name: str, ufunc: np.ufunc) -> Primitive:
    """A running maximum or minimum: the first index that reached the value gets the gradient."""

    def source(out: Any, x: Any, axis: int) -> Any:
        """Index along the axis of the element that each running value came from."""
        n = x.shape[axis]
        places = np.reshape(np.arange(n), (n,) + (1,) * (len(x.shape) - axis - 1))
        previous = concatenate(
            index(out, spec=(*((None, None, None),) * axis, (0, 1, None))),
            index(out, spec=(*((None, None, None),) * axis, (0, n - 1, None))),
            axis=axis,
        )
        fresh = np.not_equal(out, previous)
        return _running_max_index(np.where(fresh, places, 0), axis=axis)

    def take(values: Any, where: Any, axis: int) -> Any:
        return [
            where if a == axis else np.reshape(np.arange(m), (m,) + (1,) * (len(values.shape) - a - 1))
            for a, m in enumerate(values.shape)
        ]

    def vjp(ct: Any, out: Any, x: Any, needs: Sequence[bool], axis: int) -> tuple[Any, ...]:
        from .indexing import ARRAY, index_add

        if x.shape[axis] == 0:
            return (ct,)
        grids = take(x, source(out, x, axis), axis)
        return (index_add(ct, *grids, spec=(ARRAY,) * len(x.shape), shape=x.shape),)

    def jvp(tangents: Sequence[Any], out: Any, x: Any, axis: int) -> Any:
        from .indexing import ARRAY

        if x.shape[axis] == 0:
            return tangents[0]
        return index(tangents[0], *take(x, source(out, x, axis), axis), spec=(ARRAY,) * len(x.shape))

    primitive = Primitive(
        name,
        lambda x, axis: ufunc.accumulate(x, axis=axis),
        abstract=lambda x, axis: (x.shape, result_dtype(x)),
        vjp=vjp,
        jvp=jvp,
        batch=lambda size, batched, x, axis: primitive(x, axis=axis + 1),
        reads=lambda i, count: {0, "out"},
        family="reduction",
    )
    return primitive


# ---------------------------------------------------------------- results that are integers or booleans


class Unrecorded(Primitive):
    """A primitive whose result is an index or a truth value: there is nothing to differentiate."""

    __slots__ = ()

    def what_is_kept(self, mask: int, count: int) -> Any:
        """Return False: no line is wanted."""
        self.kept[mask, count] = False
        return False


def _discrete(
    name: str, function: Callable[..., Any], dtype: Any, shape: Callable[..., Any], shift: Callable[..., Any]
) -> Primitive:
    primitive = Unrecorded(
        name,
        function,
        abstract=lambda x, **params: (shape(x, **params), np.dtype(dtype)),
        vjp=None,
        jvp=None,
        batch=lambda size, batched, x, **params: primitive(x, **{**params, "axis": shift(params["axis"])}),
        reads=reads_nothing,
        family="reduction",
    )
    return primitive


argsort = _discrete(
    "argsort",
    lambda x, axis: np.argsort(x, axis=axis, kind="stable"),
    np.intp,
    lambda x, axis: x.shape,
    lambda axis: axis + 1,
)
argmax = _discrete(
    "argmax",
    lambda x, axis: np.argmax(x, axis=axis),
    np.intp,
    lambda x, axis: _reduced(x, (axis,)),
    lambda axis: axis + 1,
)
argmin = _discrete(
    "argmin",
    lambda x, axis: np.argmin(x, axis=axis),
    np.intp,
    lambda x, axis: _reduced(x, (axis,)),
    lambda axis: axis + 1,
)
any_ = _discrete("any", lambda x, axis: np.any(x, axis=axis), bool, _reduced, _shift)
all_ = _discrete("all", lambda x, axis: np.all(x, axis=axis), bool, _reduced, _shift)
_running_max_index = _discrete(
    "running_max_index",
    lambda x, axis: np.maximum.accumulate(x, axis=axis),
    np.intp,
    lambda x, axis: x.shape,
    lambda axis: axis + 1,
)
cummax = _running("cummax", np.maximum)
cummin = _running("cummin", np.minimum)
