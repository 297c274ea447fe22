"""Correlation with a kernel over several axes, and recursive filters: what image and signal filters are made of."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..errors import ShapeError
from .base import Primitive, broadcast_shape, floating_dtype, is_complex, result_dtype, shape_of
from .elementwise import align
from .indexing import index

# ---------------------------------------------------------------- correlation


def _valid(n: Sequence[int], k: Sequence[int]) -> tuple[int, ...]:
    return tuple(a - b + 1 for a, b in zip(n, k, strict=True))


def _key(*parts: tuple[Any, ...]) -> Any:
    return (..., *(entry for part in parts for entry in part))


def _correlated(x: np.ndarray, w: np.ndarray, ndim: int) -> np.ndarray:
    kernel = w.shape[-ndim:]
    out_shape = _valid(x.shape[-ndim:], kernel)
    if x.ndim == w.ndim == ndim and prod(kernel) * prod(out_shape) > 5000:
        from scipy.signal import correlate

        method = "auto" if prod(kernel) > 500 else "direct"
        return correlate(x, np.conjugate(w), mode="valid", method=method).astype(np.result_type(x, w), copy=False)
    lead = np.broadcast_shapes(x.shape[:-ndim], w.shape[:-ndim])
    out = np.zeros(lead + out_shape, np.result_type(x, w))
    if prod(kernel) <= prod(out_shape):
        for place in np.ndindex(kernel):
            window = tuple(slice(p, p + n) for p, n in zip(place, out_shape, strict=True))
            out += x[_key(window)] * w[_key(place, (None,) * ndim)]
    else:
        axes = tuple(range(-ndim, 0))
        for place in np.ndindex(out_shape):
            window = tuple(slice(p, p + n) for p, n in zip(place, kernel, strict=True))
            out[_key(place)] = np.sum(x[_key(window)] * w, axis=axes)
    return out


def _correlated_shape(x: Any, w: Any, ndim: int) -> tuple[tuple[int, ...], np.dtype]:
    n, k = shape_of(x), shape_of(w)
    if len(n) < ndim or len(k) < ndim or any(a < b or b < 1 for a, b in zip(n[-ndim:], k[-ndim:], strict=True)):
        raise ShapeError(f"a kernel of shape {k} does not fit into shape {n}")
    return (*broadcast_shape(n[:-ndim], k[:-ndim]), *_valid(n[-ndim:], k[-ndim:])), result_dtype(x, w)


def flipped(x: Any, ndim: int) -> Any:
    """Reverse the last `ndim` axes."""
    full = (None, None, None)
    return index(x, spec=(full,) * (len(shape_of(x)) - ndim) + ((None, None, -1),) * ndim)


def framed(x: Any, widths: Sequence[tuple[int, int]]) -> Any:
    """Put zeros around the last axes. widths: (before, after) per axis"""
    for back, (before, after) in enumerate(reversed(widths)):
        axis = len(shape_of(x)) - 1 - back
        shape = shape_of(x)
        pieces = [
            np.zeros((*shape[:axis], n, *shape[axis + 1 :]), result_dtype(x)) if n else None for n in (before, after)
        ]
        parts = [part for part in (pieces[0], x, pieces[1]) if part is not None]
        x = np.concatenate(parts, axis=axis) if len(parts) > 1 else x
    return x


def _correlated_vjp(ct: Any, out: Any, x: Any, w: Any, needs: Sequence[bool], ndim: int) -> tuple[Any, ...]:
    by_x = by_w = None
    if needs[0]:
        kernel = np.conjugate(w) if is_complex(w) else w
        widths = [(k - 1, k - 1) for k in shape_of(w)[-ndim:]]
        by_x = correlate(framed(ct, widths), flipped(kernel, ndim), ndim=ndim)
    if needs[1]:
        by_w = correlate(np.conjugate(x) if is_complex(x) else x, ct, ndim=ndim)
    return by_x, by_w


def _correlated_jvp(tangents: Sequence[Any], out: Any, x: Any, w: Any, ndim: int) -> Any:
    first = None if tangents[0] is None else correlate(tangents[0], w, ndim=ndim)
    second = None if tangents[1] is None else correlate(x, tangents[1], ndim=ndim)
    return second if first is None else first if second is None else first + second


correlate: Primitive = Primitive(
    "correlate",
    _correlated,
    abstract=_correlated_shape,
    vjp=_correlated_vjp,
    jvp=_correlated_jvp,
    batch=lambda size, batched, x, w, ndim: correlate(*align(batched, (x, w)), ndim=ndim),
    reads=lambda i, count: {1 - i},
    family="contraction",
)
"""`out[i] = sum over k of x[i + k] w[k]` over the last `ndim` axes, where the kernel lies inside x."""


def convolve_full(x: Any, w: Any, ndim: int) -> Any:
    """Return the full convolution over the last `ndim` axes."""
    if all(n < k for n, k in zip(shape_of(x)[-ndim:], shape_of(w)[-ndim:], strict=True)):
        x, w = w, x
    widths = [(k - 1, k - 1) for k in shape_of(w)[-ndim:]]
    return correlate(framed(x, widths), flipped(w, ndim), ndim=ndim)


# ---------------------------------------------------------------- recursion


def _recursive(a: np.ndarray, v: np.ndarray) -> np.ndarray:
    from scipy.signal import lfilter

    dtype = floating_dtype(a, v)
    if a.ndim == 1:
        return lfilter(np.ones(1), np.concatenate([np.ones(1), a]), v, axis=-1).astype(dtype, copy=False)
    lead = np.broadcast_shapes(a.shape[:-1], v.shape[:-1])
    out = np.array(np.broadcast_to(v, lead + v.shape[-1:]), dtype)
    n = out.shape[-1]
    for i in range(n):
        for k in range(min(i, a.shape[-1])):
            out[..., i] -= a[..., k] * out[..., i - 1 - k]
    return out


def _lagged(y: Any, k: int) -> Any:
    """y shifted by k steps, zeros first."""
    n = shape_of(y)[-1]
    kept = y[..., : max(n - k, 0)]
    return framed(kept, [(min(k, n), 0)])


def _backward(a: Any, ct: Any) -> Any:
    """The transpose of `recursive`: the filter run from the end."""
    return flipped(recursive(np.conjugate(a) if is_complex(a) else a, flipped(ct, 1)), 1)


def _recursive_vjp(ct: Any, out: Any, a: Any, v: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    by_v = _backward(a, ct)
    by_a = None
    if needs[0]:
        y = np.conjugate(out) if is_complex(out) else out
        by_a = np.stack([-np.sum(by_v * _lagged(y, k + 1), axis=-1) for k in range(shape_of(a)[-1])], axis=-1)
    return by_a, by_v if needs[1] else None


def _recursive_jvp(tangents: Sequence[Any], out: Any, a: Any, v: Any) -> Any:
    right = tangents[1]
    if tangents[0] is not None:
        ta = tangents[0]
        for k in range(shape_of(a)[-1]):
            change = np.expand_dims(ta[..., k], -1) * _lagged(out, k + 1)
            right = -change if right is None else right - change
    return recursive(a, right)


recursive: Primitive = Primitive(
    "recursive_filter",
    _recursive,
    abstract=lambda a, v: (
        (*broadcast_shape(shape_of(a)[:-1], shape_of(v)[:-1]), shape_of(v)[-1]),
        floating_dtype(a, v),
    ),
    vjp=_recursive_vjp,
    jvp=_recursive_jvp,
    batch=lambda size, batched, a, v: recursive(*align(batched, (a, v))),
    reads=lambda i, count: {0, "out"} if i == 0 else {0},
    family="contraction",
)
"""y with `y[n] = v[n] - a[0] y[n - 1] - a[1] y[n - 2] - ...` along the last axis."""
