"""Contractions: one primitive for every bilinear product of two arrays (matmul, dot, tensordot, einsum, ...).

A contraction is described by labels: one per axis of each operand and of the result. No label repeats within an
operand, and a label that stands in one operand only is in the result (callers take diagonals and sum first).
It runs on BLAS through `np.matmul` on reshaped operands.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ShapeError
from .base import Primitive, result_dtype, shape_of
from .pointwise import conjugate_of

Labels = tuple[int, ...]


@lru_cache(maxsize=2048)
def route(a: Labels, b: Labels, out: Labels) -> tuple[Any, ...]:
    """Return how to transpose the operands to (batch, rows, inner) @ (batch, inner, columns), and the result back."""
    batch = tuple(i for i in out if i in a and i in b)
    rows = tuple(i for i in out if i in a and i not in b)
    columns = tuple(i for i in out if i in b and i not in a)
    inner = tuple(i for i in a if i in b and i not in out)
    order_a = tuple(a.index(i) for i in (*batch, *rows, *inner))
    order_b = tuple(b.index(i) for i in (*batch, *inner, *columns))
    natural = (*batch, *rows, *columns)
    order_out = tuple(natural.index(i) for i in out)
    return (
        None if order_a == tuple(range(len(a))) else order_a,
        None if order_b == tuple(range(len(b))) else order_b,
        None if order_out == tuple(range(len(out))) else order_out,
        len(batch),
        len(rows),
        len(inner),
        len(columns),
    )


MANY = 4096  # elements from which einsum, which starts slowly, is quicker than a matmul of rows and columns


def _contract(x: Any, y: Any, a: Labels, b: Labels, out: Labels) -> Any:
    order_a, order_b, order_out, n_batch, n_rows, n_inner, n_columns = route(a, b, out)
    if order_a is not None:
        x = x.transpose(order_a)
    if order_b is not None:
        y = y.transpose(order_b)
    if n_inner == 0:  # an outer product, perhaps per batch
        result = x.reshape(x.shape + (1,) * n_columns) * y.reshape(
            y.shape[:n_batch] + (1,) * n_rows + y.shape[n_batch:]
        )
    elif n_batch == 0 and n_inner == 1 and n_rows <= 1 and n_columns <= 1:
        result = np.dot(x, y)
    elif n_inner == 1 and not n_rows and not n_columns and x.size >= MANY:  # many short products
        result = np.einsum("...i,...i->...", x, y)
    else:
        batch, rows = x.shape[:n_batch], x.shape[n_batch : n_batch + n_rows]
        columns = y.shape[n_batch + n_inner :]
        k = 1
        for n in x.shape[n_batch + n_rows :]:
            k *= n
        if n_rows != 1 or n_inner != 1:
            x = x.reshape((*batch, *((-1,) if x.size else (_size(rows),)), k))
        if n_columns != 1 or n_inner != 1:
            y = y.reshape((*batch, k, *((-1,) if y.size else (_size(columns),))))
        result = np.matmul(x, y)
        if n_rows != 1 or n_columns != 1:
            result = result.reshape((*batch, *rows, *columns))
    if order_out is not None:
        result = result.transpose(order_out)
    return result


def _size(shape: Sequence[int]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


def _contracted(x: Any, y: Any, a: Labels, b: Labels, out: Labels) -> tuple[tuple[int, ...], np.dtype]:
    sizes = dict(zip(a, shape_of(x), strict=True))
    for label, n in zip(b, shape_of(y), strict=True):
        if sizes.setdefault(label, n) != n:
            raise ShapeError(f"cannot contract shapes {shape_of(x)} and {shape_of(y)}: {sizes[label]} is not {n}")
    return tuple(sizes[label] for label in out), result_dtype(x, y)


def _vjp(
    ct: Any, _out: Any, x: Any, y: Any, needs: Sequence[bool], a: Labels, b: Labels, out: Labels
) -> tuple[Any, ...]:
    by_x = contract(ct, conjugate_of(y), a=out, b=b, out=a) if needs[0] else None
    by_y = contract(conjugate_of(x), ct, a=a, b=out, out=b) if needs[1] else None
    return by_x, by_y


def _jvp(tangents: Sequence[Any], _out: Any, x: Any, y: Any, a: Labels, b: Labels, out: Labels) -> Any:
    tx, ty = tangents
    first = None if tx is None else contract(tx, y, a=a, b=b, out=out)
    second = None if ty is None else contract(x, ty, a=a, b=b, out=out)
    return second if first is None else first if second is None else first + second


def _batch(
    size: int, batched: Sequence[bool], x: Any, y: Any, a: Labels, b: Labels, out: Labels
) -> Any:
    fresh = max((*a, *b), default=0) + 1
    return contract(
        x, y, a=(fresh, *a) if batched[0] else a, b=(fresh, *b) if batched[1] else b, out=(fresh, *out)
    )


contract: Primitive = Primitive(
    "contract",
    _contract,
    abstract=_contracted,
    vjp=_vjp,
    jvp=_jvp,
    batch=_batch,
    reads=lambda i, count: {1 - i},
    family="contraction",
)


@lru_cache(maxsize=256)
def matmul_labels(a: int, b: int) -> tuple[Labels, Labels, Labels]:
    """Return the labels of `np.matmul` for operands of `a` and `b` axes (equal, unbroadcast batch axes)."""
    batch_a, batch_b = max(a - 2, 0), max(b - 2, 0)
    n = max(batch_a, batch_b)
    batch = tuple(range(3, 3 + n))
    left = (*batch[n - batch_a :], *((0, 1) if a > 1 else (1,)))
    right = (*batch[n - batch_b :], *((1, 2) if b > 1 else (1,)))
    out = (*batch, *((0,) if a > 1 else ()), *((2,) if b > 1 else ()))
    return left, right, out


def matmul(x: Any, y: Any) -> Any:
    """Multiply as `np.matmul` does, batch axes broadcast."""
    shape_x, shape_y = shape_of(x), shape_of(y)
    if not shape_x or not shape_y:
        raise ShapeError("matmul: an operand is a scalar", hint="use * for a product with a scalar")
    if shape_x[-1] != (shape_y[-2] if len(shape_y) > 1 else shape_y[0]):
        raise ShapeError(f"matmul: shapes {shape_x} and {shape_y} do not fit")
    a, b, out = matmul_labels(len(shape_x), len(shape_y))
    if len(shape_x) > 2 and len(shape_y) > 2:
        sizes = dict(zip(a, shape_x, strict=True))
        differ = {i for i, n in zip(b, shape_y, strict=True) if sizes.get(i, n) != n}
        if differ:  # a batch axis of length 1 broadcasts: drop it from its operand
            for i in differ:
                if 1 not in (sizes[i], dict(zip(b, shape_y, strict=True))[i]):
                    raise ShapeError(f"matmul: batch axes of {shape_x} and {shape_y} do not broadcast")
            x, a = _drop(x, a, {i for i in differ if sizes[i] == 1})
            y, b = _drop(y, b, {i for i in differ if sizes[i] != 1})
    return contract(x, y, a=a, b=b, out=out)


def _drop(x: Any, labels: Labels, dropped: set[int]) -> tuple[Any, Labels]:
    if not dropped:
        return x, labels
    shape = tuple(n for n, i in zip(shape_of(x), labels, strict=True) if i not in dropped)
    return np.reshape(x, shape), tuple(i for i in labels if i not in dropped)
