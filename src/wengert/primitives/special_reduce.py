"""Softmax and log-sum-exp along axes, as primitives: no overflow, and no NaN where all terms are -inf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Primitive, floating_dtype, shape_of
from .pointwise import conjugate_of
from .reduction import expand, sum_

Axes = tuple[int, ...]


def _weights(x: np.ndarray, axis: Axes) -> np.ndarray:
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore", over="ignore"):
        # at infinity only those that tie with the largest count, equally
        return np.where(x == top, 1, np.exp(x - top)).astype(floating_dtype(x), copy=False)


def _softmax(x: np.ndarray, axis: Axes) -> np.ndarray:
    w = _weights(x, axis)
    return w / w.sum(axis=axis, keepdims=True)


def _logsumexp(x: np.ndarray, axis: Axes) -> np.ndarray:
    top = np.max(x, axis=axis, initial=-np.inf)
    with np.errstate(divide="ignore"):
        return np.asarray(top + np.log(_weights(x, axis).sum(axis=axis)), dtype=floating_dtype(x))


def _centred(s: Any, t: Any, axis: Axes) -> Any:
    return s * (t - expand(sum_(s * t, axis=axis), s, axis))


def _shift(axis: Axes) -> Axes:
    return tuple(a + 1 for a in axis)


softmax: Primitive = Primitive(
    "softmax",
    _softmax,
    abstract=lambda x, axis: (shape_of(x), floating_dtype(x)),
    vjp=lambda ct, out, x, needs, axis: (_centred(conjugate_of(out), ct, axis),),
    jvp=lambda tangents, out, x, axis: _centred(out, tangents[0], axis),
    batch=lambda size, batched, x, axis: softmax(x, axis=_shift(axis)),
    reads=lambda i, count: {"out"},
    family="reduction",
)


def _logsumexp_vjp(ct: Any, out: Any, x: Any, needs: Sequence[bool], axis: Axes) -> tuple[Any, ...]:
    return (expand(ct, x, axis) * conjugate_of(softmax(x, axis=axis)),)


logsumexp: Primitive = Primitive(
    "logsumexp",
    _logsumexp,
    abstract=lambda x, axis: (
        tuple(n for i, n in enumerate(shape_of(x)) if i not in axis),
        floating_dtype(x),
    ),
    vjp=_logsumexp_vjp,
    jvp=lambda tangents, out, x, axis: sum_(tangents[0] * softmax(x, axis=axis), axis=axis),
    batch=lambda size, batched, x, axis: logsumexp(x, axis=_shift(axis)),
    reads=lambda i, count: {0},
    family="reduction",
)
