"""Convolution along the last axis: one bilinear primitive from which every mode and every correlation is made.

Leading axes broadcast, as in `matmul`, so that a batch of convolutions is one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .base import Primitive, broadcast_shape, is_complex, result_dtype, shape_of
from .indexing import FULL, index


def _convolve(a: Any, v: Any) -> Any:
    if np.ndim(a) == np.ndim(v) == 1:
        return np.convolve(a, v)
    if a.shape[-1] < v.shape[-1]:
        a, v = v, a
    n, m = a.shape[-1], v.shape[-1]
    out = np.zeros((*np.broadcast_shapes(a.shape[:-1], v.shape[:-1]), n + m - 1), np.result_type(a, v))
    for k in range(m):  # one step per tap of the shorter operand, whole batches at a time
        out[..., k : k + n] += a * v[..., k : k + 1]
    return out


def _shape(a: Any, v: Any) -> tuple[tuple[int, ...], np.dtype]:
    x, y = shape_of(a), shape_of(v)
    if not x or not y or not x[-1] or not y[-1]:
        raise ShapeError(f"cannot convolve shapes {x} and {y}: both need at least one element")
    return (*broadcast_shape(x[:-1], y[:-1]), x[-1] + y[-1] - 1), result_dtype(a, v)


def _back(ct: Any, other: Any, length: int) -> Any:
    """The transpose of convolving with `other`: correlate, where it overlaps the operand of that length."""
    spec = (FULL,) * (len(shape_of(other)) - 1) + ((None, None, -1),)
    flipped = index(np.conjugate(other) if is_complex(other) else other, spec=spec)
    full = convolve(ct, flipped)
    start = shape_of(other)[-1] - 1
    return index(full, spec=(FULL,) * (len(shape_of(full)) - 1) + ((start, start + length, None),))


def _vjp(ct: Any, _out: Any, a: Any, v: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    return (
        _back(ct, v, a.shape[-1]) if needs[0] else None,
        _back(ct, a, v.shape[-1]) if needs[1] else None,
    )


def _jvp(tangents: Sequence[Any], _out: Any, a: Any, v: Any) -> Any:
    first = None if tangents[0] is None else convolve(tangents[0], v)
    second = None if tangents[1] is None else convolve(a, tangents[1])
    return second if first is None else first if second is None else first + second


def _batch(size: int, batched: Sequence[bool], a: Any, v: Any) -> Any:
    ndim = max(len(shape_of(x)) - flag for x, flag in zip((a, v), batched, strict=True))
    aligned = []
    for x, flag in zip((a, v), batched, strict=True):
        shape = shape_of(x)
        if flag and len(shape) - 1 < ndim:
            x = np.reshape(x, (shape[0],) + (1,) * (ndim - len(shape) + 1) + shape[1:])
        aligned.append(x)
    return convolve(*aligned)


convolve = Primitive(
    "convolve",
    _convolve,
    abstract=_shape,
    vjp=_vjp,
    jvp=_jvp,
    batch=_batch,
    reads=lambda i, count: {1 - i},
    family="contraction",
)
"""The full convolution of the last axes: `out[k] = sum over j of a[j] v[k - j]`."""
