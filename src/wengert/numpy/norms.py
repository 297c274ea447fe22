"""Norms of vectors and matrices. Where a Euclidean norm is 0 its derivative is taken to be 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..primitives import reduction as p
from ..primitives.base import normalize_axes, normalize_axis
from ._register import as_float, implements, keep, to_dtype
from .reducing import root, squares

__all__ = ["matrix_norm", "norm", "vector_norm"]


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Same as `numpy.linalg.norm`; the derivative of the Euclidean norm at 0 is taken to be 0."""
    x = as_float(x)
    if axis is None:
        if ord is None or (ord == 2 and x.ndim == 1) or (ord in ("fro", "f") and x.ndim == 2):
            axes = tuple(range(x.ndim))
            return keep(_euclidean(x, axes), x, axes, keepdims)
        axis = tuple(range(x.ndim))
    axes = tuple(normalize_axis(int(i), x.ndim) for i in ([axis] if np.ndim(axis) == 0 else axis))
    if len(axes) == 1:
        return keep(vector_norm_along(x, axes, 2 if ord is None else ord), x, axes, keepdims)
    if len(axes) != 2:
        raise ArgumentError("Improper number of dimensions to norm.")
    if axes[0] == axes[1]:
        raise ArgumentError("Duplicate axes given.")
    ordered = tuple(sorted(axes))
    if ord is None or ord in ("fro", "f"):
        return keep(_euclidean(x, ordered), x, ordered, keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        rows, columns = axes
        inner, outer = (rows, columns) if abs(ord) == 1 else (columns, rows)
        totals = np.sum(np.abs(x), axis=inner, keepdims=True)
        best = (np.max if ord > 0 else np.min)(totals, axis=outer, keepdims=True)
        return best if keepdims else np.squeeze(best, axes)
    if ord in (2, -2, "nuc"):
        values = np.linalg.svd(np.moveaxis(x, axes, (-2, -1)), compute_uv=False)
        if ord == "nuc":
            best = np.sum(values, axis=-1)
        else:
            from .linalg import tied_extreme

            best = tied_extreme(values, largest=ord == 2)
        return keep(best, x, ordered, keepdims)
    raise ArgumentError("Invalid norm order for matrices.")


def _euclidean(x: Any, axes: tuple[int, ...]) -> Any:
    return root(p.sum_(squares(x), axis=axes))


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
        return p.sum_(to_dtype(np.not_equal(x, 0), size.dtype), axis=axes)
    if ord == 1:
        return p.sum_(size, axis=axes)
    if isinstance(ord, str):
        raise ArgumentError(f"Invalid norm order '{ord}' for vectors")
    total = p.sum_(size**ord, axis=axes)
    zero = np.equal(total, 0)
    return np.where(zero, 0, np.where(zero, 1, total) ** (1 / ord))


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """Same as `numpy.linalg.vector_norm`."""
    x = as_float(x)
    axes = normalize_axes(axis, x.ndim)
    return keep(vector_norm_along(x, axes, ord), x, axes, keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """Same as `numpy.linalg.matrix_norm`."""
    return norm(x, ord, axis=(-2, -1), keepdims=keepdims)
