"""PyTorch's sorting, and reading and writing by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ArgumentError, GraphArgumentError, GraphShapeError, user_line
from ...primitives import elementwise as e
from ...primitives import indexing as p
from ...primitives.base import normalize_axis
from ...recording import Traced, apply
from . import dtypes
from .naming import fits, node
from .operators import as_tensor
from .results import ValuesIndices
from .shaping import ravel


def _axis(dim: int, ndim: int) -> int:
    return normalize_axis(dim, ndim or 1)


def _numbers(x: Any) -> np.ndarray:
    return np.asarray(as_tensor(x)._concrete("an index"))


@node("Sort")
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Return (values, indices) in order along an axis; equal elements keep theirs."""
    x = as_tensor(input)
    indices = argsort(x, dim, descending)
    return ValuesIndices("sort", np.take_along_axis(x, indices, dim) if x.ndim else x, indices)


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Return the indices that sort along an axis."""
    x = as_tensor(input)
    if x.ndim == 0:
        return np.zeros_like(x, dtype=np.int64)
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    # Descending and stable: sort the reversed elements and count from the end.
    n = x.shape[_axis(dim, x.ndim)]
    return (n - 1) - np.flip(np.argsort(np.flip(x, dim), axis=dim, kind="stable"), dim)


@node("Topk")
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """Return the k largest (or smallest) elements along an axis, and where they were.

    Raises ArgumentError if there are fewer than k.
    """
    x = as_tensor(input)
    axis = _axis(dim, x.ndim)
    n = x.shape[axis] if x.ndim else 1
    if not 0 <= k <= n:
        raise GraphArgumentError(f"topk: k is {k}, but the axis has {n} elements", where=user_line())
    values, indices = sort(x, axis, descending=largest)
    cut = (*(p.FULL,) * axis, (0, k, None))
    return ValuesIndices("topk", apply(p.index, (values,), {"spec": cut}), apply(p.index, (indices,), {"spec": cut}))


def msort(input: Any) -> Any:
    """Sort along the first axis."""
    return sort(input, 0)[0]


def searchsorted(sorted_sequence: Any, values: Any, *, right: bool = False, side: str | None = None) -> Any:
    """Return where values would have to be put in to keep a sequence sorted."""
    edges, where = _numbers(sorted_sequence), _numbers(values)
    side = side or ("right" if right else "left")
    if edges.ndim == 1:
        return as_tensor(np.asarray(np.searchsorted(edges, where, side)))  # type: ignore[call-overload]
    rows = [
        np.searchsorted(a, b, side)  # type: ignore[call-overload]
        for a, b in zip(edges.reshape(-1, edges.shape[-1]), where.reshape(-1, where.shape[-1]), strict=True)
    ]
    return as_tensor(np.asarray(rows).reshape(where.shape))


def bucketize(input: Any, boundaries: Any, *, right: bool = False) -> Any:
    """Return the number of the bucket that each element falls in."""
    return searchsorted(boundaries, input, right=right)


def unique(
    input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Return the distinct values, in order; each has the derivative of its first occurrence."""
    found: Any = np.unique(  # type: ignore[call-overload]
        as_tensor(input), return_inverse=return_inverse, return_counts=return_counts, axis=dim
    )
    return tuple(map(as_tensor, found)) if isinstance(found, tuple) else as_tensor(found)


def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """Return how often each non-negative integer occurs, or the sum of weights there."""
    if weights is None:
        return as_tensor(np.bincount(_numbers(input), minlength=minlength))
    places = _numbers(input)
    size = max(int(places.max(initial=-1)) + 1, minlength)
    return apply(p.index_add, (as_tensor(weights), places), {"spec": (p.ARRAY,), "shape": (size,)})


def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """Return the counts of a histogram with equal bins."""
    x = _numbers(input)
    low, high = (float(x.min()), float(x.max())) if min == max else (min, max)
    return as_tensor(np.histogram(x, bins, (low, high))[0].astype(x.dtype))


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """Return the indices of what is not 0, one row each."""
    data = _numbers(input)
    return tuple(map(as_tensor, np.nonzero(np.atleast_1d(data)))) if as_tuple else as_tensor(np.argwhere(data))


def argwhere(input: Any) -> Any:
    """Return the indices of what is not 0, one row each."""
    return nonzero(input)


# ---------------------------------------------------------------- reading


def _grids(shape: Any, axis: int, index: Any) -> list[Any]:
    """Return the index arrays that point along one axis and count along the others."""
    sizes = tuple(index.shape)
    return [
        index if i == axis else np.arange(n).reshape((n,) + (1,) * (len(sizes) - i - 1)) for i, n in enumerate(sizes)
    ]


def _index_array(index: Any) -> Any:
    return index._data if isinstance(index, Traced) and index._data is not None else index


@node("Gather")
def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
    """Return `input[i][index[i][j]][...]` with the index along `dim`.

    Raises GraphShapeError if the index has another number of axes, or is longer along another axis.
    """
    x, index = as_tensor(input), as_tensor(index)
    axis = _axis(dim, x.ndim)
    _check_gather(x, index, axis, "gather")
    if x.ndim == 0:
        return x
    return apply(p.index, (x, *_grids(x.shape, axis, _index_array(index))), {"spec": (p.ARRAY,) * x.ndim})


def _check_gather(x: Any, index: Any, axis: int, name: str) -> None:
    if index.ndim != x.ndim:
        raise GraphShapeError(
            f"{name}: the index has {index.ndim} axes, but the tensor has {x.ndim}", where=user_line()
        )
    for i, (m, n) in enumerate(zip(index.shape, x.shape, strict=True)):
        if i != axis and m > n:
            raise GraphShapeError(
                f"{name}: the index of shape {tuple(index.shape)} is longer than the tensor of shape {tuple(x.shape)} "
                f"along axis {i}",
                where=user_line(),
            )


@fits
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """Take elements by index along an axis."""
    x = as_tensor(input)
    if dim is None:
        x, dim = ravel(x), 0
    index = as_tensor(indices)
    axis = _axis(dim, x.ndim)
    shape = np.broadcast_shapes(*(tuple(1 if i == axis else n for i, n in enumerate(y.shape)) for y in (x, index)))
    lengths = (x.shape[axis], index.shape[axis])
    x, index = (
        np.broadcast_to(y, (*shape[:axis], n, *shape[axis + 1 :])) for y, n in zip((x, index), lengths, strict=True)
    )
    return np.take_along_axis(x, index, axis)


@node("IndexSelect")
def index_select(input: Any, dim: int, index: Any) -> Any:
    """Take slices along an axis by index."""
    x = as_tensor(input)
    axis = _axis(dim, x.ndim)
    return apply(p.index, (x, _index_array(as_tensor(index))), {"spec": (*(p.FULL,) * axis, p.ARRAY)})


@node("Take")
def take(input: Any, index: Any) -> Any:
    """Take elements of the flattened tensor by index."""
    return apply(p.index, (ravel(as_tensor(input)), _index_array(as_tensor(index))), {"spec": (p.ARRAY,)})


@node("MaskedSelect")
def masked_select(input: Any, mask: Any) -> Any:
    """Return the elements where the mask holds, along one axis."""
    x = as_tensor(input)
    mask = np.broadcast_to(_numbers(mask), np.broadcast_shapes(tuple(x.shape), tuple(mask.shape)))
    return np.broadcast_to(x, mask.shape)[mask]


# ---------------------------------------------------------------- writing


def _like(src: Any, x: Any) -> Any:
    return dtypes.cast(as_tensor(src), np.dtype(x.dtype.dtype))


def _scatter_parts(x: Any, dim: int, index: Any, src: Any, name: str) -> tuple[Any, Any, Any]:
    index = as_tensor(index)
    axis = _axis(dim, x.ndim)
    if index.ndim != x.ndim:
        raise GraphShapeError(
            f"{name}: the index has {index.ndim} axes, but the tensor has {x.ndim}", where=user_line()
        )
    if isinstance(src, int | float | complex):
        values = as_tensor(np.full(tuple(index.shape), src, np.dtype(x.dtype.dtype)))
    else:
        values = _like(src, x)
        if tuple(values.shape) != tuple(index.shape):
            values = values[tuple(slice(0, n) for n in index.shape)]
    return values, _grids(x.shape, axis, _index_array(index)), {"spec": (p.ARRAY,) * x.ndim}


@node("Scatter")
def scatter(input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Any:
    """Return a copy with `src` written where the index points along `dim`; of several writers the last one counts.

    Raises ArgumentError for a `reduce` other than "add".
    """
    src = value if src is None else src
    if reduce == "add":
        return scatter_add(input, dim, index, src)
    if reduce is not None:
        raise ArgumentError(f"scatter: reduce is None or 'add', not {reduce!r}", hint="torch.scatter_add")
    x = as_tensor(input)
    values, grids, params = _scatter_parts(x, dim, index, src, "scatter")
    return apply(p.index_set, (x, values, *grids), params)


@node("ScatterAdd")
def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """Return a copy with `src` added where the index points along `dim`."""
    x = as_tensor(input)
    values, grids, params = _scatter_parts(x, dim, index, src, "scatter_add")
    return x + apply(p.index_add, (values, *grids), {**params, "shape": tuple(x.shape)})


def _along(axis: int, index: Any) -> tuple[Any, dict[str, Any]]:
    return _index_array(as_tensor(index)), {"spec": (*(p.FULL,) * axis, p.ARRAY)}


@node("IndexAdd")
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: Any = 1) -> Any:
    """Return a copy with slices of `source` added where the index points."""
    x = as_tensor(input)
    places, params = _along(_axis(dim, x.ndim), index)
    added = apply(p.index_add, (_like(source, x), places), {**params, "shape": tuple(x.shape)})
    return x + (added if alpha == 1 else alpha * added)


@node("IndexCopy")
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """Return a copy with slices of `source` written where the index points."""
    x = as_tensor(input)
    places, params = _along(_axis(dim, x.ndim), index)
    return apply(p.index_set, (x, _like(source, x), places), params)


@node("IndexFill")
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """Return a copy with one value in the slices that the index points to."""
    x = as_tensor(input)
    axis = _axis(dim, x.ndim)
    mask = np.zeros(x.shape[axis], bool)
    mask[_numbers(index)] = True
    mask = mask.reshape((-1,) + (1,) * (x.ndim - axis - 1))
    return apply(e.where, (mask, np.dtype(x.dtype.dtype).type(value), x))


@node("IndexPut")
def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """Return a copy with values written, or added, where the indices point."""
    x = as_tensor(input)
    spec, arrays = p.normalize_index(tuple(_index_array(as_tensor(i)) for i in indices), tuple(x.shape))
    shape = p.layout_of(tuple(x.shape), spec, arrays)[0]
    values = np.broadcast_to(_like(values, x), shape)
    if accumulate:
        return x + apply(p.index_add, (values, *arrays), {"spec": spec, "shape": tuple(x.shape)})
    return apply(p.index_set, (x, values, *arrays), {"spec": spec})


@node("MaskedScatter")
def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """Return a copy with the elements of `source`, in order, where the mask holds."""
    x = as_tensor(input)
    mask = np.broadcast_to(_numbers(mask), tuple(x.shape))
    values = ravel(_like(source, x))[: int(mask.sum())]
    spec, arrays = p.normalize_index(mask, tuple(x.shape))
    return apply(p.index_set, (x, values, *arrays), {"spec": spec})
