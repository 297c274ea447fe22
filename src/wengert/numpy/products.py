"""Products of arrays: matmul, dot, inner, outer, tensordot, einsum, kron, trace. All are contractions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..primitives import indexing as p
from ..primitives.base import normalize_axis
from ..primitives.contraction import contract
from ..primitives.contraction import matmul as _matmul
from ..primitives.indexing import FULL
from ._register import as_array, implements, since, store, to_dtype

__all__ = [
    "cross",
    "dot",
    "einsum",
    "inner",
    "kron",
    "matmul",
    "matvec",
    "outer",
    "tensordot",
    "trace",
    "vdot",
    "vecdot",
    "vecmat",
]


@implements(np.matmul, np.linalg.matmul)
def matmul(x1: Any, x2: Any, /, out: Any = None) -> Any:
    """Same as `numpy.matmul`."""
    return store(_matmul(as_array(x1), as_array(x2)), out)


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    """Same as `numpy.dot`."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return store(np.multiply(a, b), out)
    if a.ndim <= 2 and b.ndim <= 2:
        return store(_matmul(a, b), out)
    inner = b.ndim - 2 if b.ndim > 1 else 0
    return store(tensordot(a, b, ([a.ndim - 1], [inner])), out)


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    """Same as `numpy.vdot`."""
    return _matmul(np.conjugate(np.ravel(as_array(a))), np.ravel(as_array(b)))


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    """Same as `numpy.inner`."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    return tensordot(a, b, ([a.ndim - 1], [b.ndim - 1]))


@implements(np.outer, np.linalg.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    """Same as `numpy.outer`."""
    return store(contract(np.ravel(as_array(a)), np.ravel(as_array(b)), a=(0,), b=(1,), out=(0, 1)), out)


@implements(np.tensordot, np.linalg.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Same as `numpy.tensordot`."""
    a, b = as_array(a), as_array(b)
    if np.ndim(axes) == 0:
        count = int(axes)
        axes_a, axes_b = list(range(a.ndim - count, a.ndim)), list(range(count))
    else:
        axes_a, axes_b = ([x] if np.ndim(x) == 0 else list(x) for x in axes)
    axes_a = [normalize_axis(int(i), a.ndim) for i in axes_a]
    axes_b = [normalize_axis(int(i), b.ndim) for i in axes_b]
    if len(axes_a) != len(axes_b) or any(a.shape[i] != b.shape[j] for i, j in zip(axes_a, axes_b, strict=True)):
        raise ShapeError(f"shape-mismatch for tensordot: {a.shape} and {b.shape} over axes {axes_a}, {axes_b}")
    labels_a = list(range(a.ndim))
    labels_b = list(range(a.ndim, a.ndim + b.ndim))
    for i, j in zip(axes_a, axes_b, strict=True):
        labels_b[j] = labels_a[i]
    out = [x for i, x in enumerate(labels_a) if i not in axes_a] + [
        x for j, x in enumerate(labels_b) if j not in axes_b
    ]
    return contract(a, b, a=tuple(labels_a), b=tuple(labels_b), out=tuple(out))


@implements(np.vecdot, np.linalg.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, keepdims: bool = False) -> Any:
    """Same as `numpy.vecdot`."""
    x1, x2 = as_array(x1), as_array(x2)
    kind = np.result_type(x1.dtype, x2.dtype)
    x1, x2 = np.moveaxis(to_dtype(x1, kind), axis, -1), np.moveaxis(to_dtype(x2, kind), axis, -1)
    if x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(f"vecdot: shapes {x1.shape} and {x2.shape} do not fit")
    if kind.kind == "c":
        x1 = np.conjugate(x1)
    total = np.sum(x1 * x2, axis=-1, dtype=kind)
    return np.expand_dims(total, axis) if keepdims else total


@implements(since("matvec"))
def matvec(x1: Any, x2: Any, /) -> Any:
    """Same as `numpy.matvec`."""
    return np.squeeze(_matmul(as_array(x1), np.expand_dims(as_array(x2), -1)), -1)


@implements(since("vecmat"))
def vecmat(x1: Any, x2: Any, /) -> Any:
    """Same as `numpy.vecmat`."""
    return np.squeeze(_matmul(np.expand_dims(np.conjugate(as_array(x1)), -2), as_array(x2)), -2)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    """Same as `numpy.kron`."""
    a, b = as_array(a), as_array(b)
    ndim = max(a.ndim, b.ndim)
    a = np.reshape(a, (1,) * (ndim - a.ndim) + a.shape)
    b = np.reshape(b, (1,) * (ndim - b.ndim) + b.shape)
    left, right = tuple(range(0, 2 * ndim, 2)), tuple(range(1, 2 * ndim, 2))
    product = contract(a, b, a=left, b=right, out=tuple(range(2 * ndim)))
    return np.reshape(product, tuple(m * n for m, n in zip(a.shape, b.shape, strict=True)))


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """Same as `numpy.cross` for vectors of three numbers."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = np.moveaxis(as_array(a), axisa, -1), np.moveaxis(as_array(b), axisb, -1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        raise ArgumentError("Both input arrays must be (arrays of) 3-dimensional vectors")
    (a1, a2), (b1, b2) = _turned(a), _turned(b)
    result = a1 * b2 - a2 * b1
    return np.moveaxis(result, -1, axisc) if result.ndim > 1 else result


def _turned(x: Any) -> tuple[Any, Any]:
    """Return components (1, 2, 0) and (2, 0, 1) of vectors along the last axis."""
    spec = (*(FULL,) * (x.ndim - 1), p.ARRAY)
    return p.index(x, _NEXT, spec=spec), p.index(x, _AFTER_NEXT, spec=spec)


_NEXT, _AFTER_NEXT = np.array([1, 2, 0]), np.array([2, 0, 1])


@implements(np.linalg.cross)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """Same as `numpy.linalg.cross`."""
    return cross(x1, x2, axis=axis)


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    """Same as `numpy.trace`."""
    return store(np.sum(np.diagonal(as_array(a), offset, axis1, axis2), axis=-1, dtype=dtype), out)


@implements(np.linalg.trace)
def linalg_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """Same as `numpy.linalg.trace`."""
    return trace(x, offset, -2, -1, dtype)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    """Same as `numpy.linalg.multi_dot`."""
    arrays = [as_array(a) for a in arrays]
    if len(arrays) < 2:
        raise ArgumentError("Expecting at least two arrays.")
    subscripts: list[Any] = []
    for i, a in enumerate(arrays):
        subscripts += [a, [i, i + 1] if a.ndim == 2 else [i + 1] if i == 0 else [i]]
    ends = ([0] if arrays[0].ndim == 2 else []) + ([len(arrays)] if arrays[-1].ndim == 2 else [])
    return store(einsum(*subscripts, ends, optimize="optimal"), out)


# ---------------------------------------------------------------- einsum


@implements(np.einsum)
def einsum(*operands: Any, out: Any = None, optimize: Any = True, **options: Any) -> Any:
    """Same as `numpy.einsum`, with any path; runs as pairwise contractions."""
    arrays, labels, result = _parse(operands)
    reduced = [_without_repeats(a, ls) for a, ls in zip(arrays, labels, strict=True)]
    order = _path([a.shape for a, _ in reduced], [ls for _, ls in reduced], result, optimize)
    for pair in order:
        taken = [reduced[i] for i in pair]
        reduced = [x for i, x in enumerate(reduced) if i not in pair]
        kept = set(result).union(*(ls for _, ls in reduced)) if reduced else set(result)
        while len(taken) > 1:
            (a, la), (b, lb) = taken.pop(), taken.pop()
            later = kept.union(*(ls for _, ls in taken)) if taken else kept
            a, la = _sum_lonely(a, la, later | set(lb))
            b, lb = _sum_lonely(b, lb, later | set(la))
            merged = tuple(i for i in la if i in later) + tuple(i for i in lb if i in later and i not in la)
            sizes: dict[int, int] = {}
            for x, ls in ((a, la), (b, lb)):
                for i, n in zip(ls, x.shape, strict=True):
                    sizes[i] = n if sizes.get(i, 1) == 1 else sizes[i]
            a, b = _stretch(a, la, sizes), _stretch(b, lb, sizes)
            taken.append((contract(a, b, a=la, b=lb, out=merged), merged))
        reduced.append(taken[0])
    (a, la) = reduced[0]
    a, la = _sum_lonely(a, la, set(result))
    if la != result:
        a = p.transpose(a, axes=tuple(la.index(i) for i in result))
    return store(a, out)


def _stretch(x: Any, labels: tuple[int, ...], sizes: dict[int, int]) -> Any:
    shape = tuple(sizes[i] for i in labels)
    return x if x.shape == shape else p.broadcast_to(x, shape=shape)


def _sum_lonely(x: Any, labels: tuple[int, ...], needed: set[int]) -> tuple[Any, tuple[int, ...]]:
    axes = tuple(k for k, i in enumerate(labels) if i not in needed)
    return (np.sum(x, axis=axes), tuple(i for i in labels if i in needed)) if axes else (x, labels)


def _without_repeats(x: Any, labels: list[int]) -> tuple[Any, tuple[int, ...]]:
    labels = list(labels)
    for i in sorted(set(labels)):
        while labels.count(i) > 1:
            first = labels.index(i)
            second = labels.index(i, first + 1)
            x = np.diagonal(x, 0, first, second)
            labels = [v for k, v in enumerate(labels) if k not in (first, second)] + [i]
    return x, tuple(labels)


def _path(shapes: list[Any], labels: list[Any], result: tuple[int, ...], optimize: Any) -> list[tuple[int, ...]]:
    if len(shapes) == 1:
        return [(0,)]
    if len(shapes) == 2:
        return [(0, 1)]
    if isinstance(optimize, list | tuple) and optimize and optimize[0] == "einsum_path":
        return [tuple(step) for step in optimize[1:]]
    interleaved: list[Any] = []
    for shape, ls in zip(shapes, labels, strict=True):
        interleaved += [np.broadcast_to(0.0, shape), list(ls)]
    method = optimize if isinstance(optimize, str) else "greedy"
    path, _ = np.einsum_path(*interleaved, list(result), optimize=method)
    return [tuple(step) for step in path[1:]]


def _parse(operands: tuple[Any, ...]) -> tuple[list[Any], list[list[int]], tuple[int, ...]]:
    """Return operands, integer labels per operand (ellipses expanded), and labels of the result."""
    if isinstance(operands[0], str):
        text = operands[0].replace(" ", "")
        arrays = [as_array(x) for x in operands[1:]]
        left, arrow, right = text.partition("->")
        terms: list[list[Any]] = [_symbols(term) for term in left.split(",")]
        target: list[Any] | None = _symbols(right) if arrow else None
    else:
        count = len(operands) // 2
        arrays = [as_array(x) for x in operands[: 2 * count : 2]]
        terms = [list(x) for x in operands[1 : 2 * count : 2]]
        target = list(operands[-1]) if len(operands) % 2 else None
    if len(terms) != len(arrays):
        raise ArgumentError(f"einsum: {len(terms)} subscripts for {len(arrays)} operands")
    free = max((a.ndim - len(t) + 1 for a, t in zip(arrays, terms, strict=True) if Ellipsis in t), default=0)
    spread = [("...", k) for k in range(free)]
    full_terms = []
    for a, term in zip(arrays, terms, strict=True):
        if Ellipsis in term:
            k = term.index(Ellipsis)
            extra = a.ndim - len(term) + 1
            term = term[:k] + spread[free - extra :] + term[k + 1 :]
        if len(term) != a.ndim:
            raise ArgumentError(f"einsum: an operand of {a.ndim} axes has {len(term)} subscripts")
        full_terms.append(term)
    flat = [x for term in full_terms for x in term]
    if target is None:
        single = sorted({x for x in flat if not isinstance(x, tuple) and flat.count(x) == 1})
        target = [*spread, *single]
    elif Ellipsis in target:
        k = target.index(Ellipsis)
        target = target[:k] + spread + target[k + 1 :]
    number: dict[Any, int] = {}
    for x in flat:
        number.setdefault(x, len(number))
    missing = [x for x in target if x not in number]
    if missing:
        raise ArgumentError(f"einsum: output subscript {missing[0]!r} is in no operand")
    sizes: dict[Any, int] = {}
    for a, term in zip(arrays, full_terms, strict=True):
        for x, n in zip(term, a.shape, strict=True):
            if sizes.setdefault(x, n) != n and 1 not in (n, sizes[x]):
                raise ShapeError(f"einsum: subscript {x!r} has sizes {sizes[x]} and {n}")
            sizes[x] = max(sizes[x], n) if 0 not in (n, sizes[x]) else 0
    return arrays, [[number[x] for x in term] for term in full_terms], tuple(number[x] for x in target)


def _symbols(term: str) -> list[Any]:
    symbols: list[Any] = []
    k = 0
    while k < len(term):
        if term.startswith("...", k):
            symbols.append(Ellipsis)
            k += 3
        elif term[k].isalpha():
            symbols.append(term[k])
            k += 1
        else:
            raise ArgumentError(f"einsum: {term[k]!r} is not a valid subscript")
    return symbols
