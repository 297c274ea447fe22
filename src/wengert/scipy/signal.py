"""Same names as `scipy.signal`: convolutions and linear filters."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal as original

from ..errors import ArgumentError, ShapeError
from ..numpy import fft as base
from ..numpy._register import as_array
from ..primitives import fft as p
from ..primitives.base import is_complex, normalize_axis
from ..primitives.filtering import convolve_full, flipped, recursive
from ._face import face, floating, refuse

__all__ = [
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "detrend",
    "fftconvolve",
    "hilbert",
    "lfilter",
    "oaconvolve",
    "savgol_filter",
]


def __getattr__(name: str) -> Any:
    return getattr(original, name)


def _pair(in1: Any, in2: Any) -> tuple[Any, Any]:
    in1, in2 = as_array(in1), as_array(in2)
    if in1.ndim != in2.ndim:
        raise ShapeError(f"in1 and in2 should have the same dimensionality, not shapes {in1.shape} and {in2.shape}")
    return in1, in2


def _cropped(full: Any, in1: Any, in2: Any, mode: str) -> Any:
    """Return the part of a full convolution that a mode asks for."""
    if mode == "full":
        return full
    if mode == "same":
        wanted = in1.shape
    elif mode == "valid":
        wanted = tuple(max(n, k) - min(n, k) + 1 for n, k in zip(in1.shape, in2.shape, strict=True))
        larger = [n >= k for n, k in zip(in1.shape, in2.shape, strict=True)]
        if not (all(larger) or not any(n > k for n, k in zip(in1.shape, in2.shape, strict=True))):
            raise ShapeError("For 'valid' mode, one must be at least as large as the other in every dimension")
    else:
        raise ArgumentError("acceptable mode flags are 'valid', 'same', or 'full'")
    starts = [(n - m) // 2 for n, m in zip(full.shape, wanted, strict=True)]
    return full[tuple(slice(s, s + m) for s, m in zip(starts, wanted, strict=True))]


@face(original.convolve)
def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Same as `scipy.signal.convolve`."""
    in1, in2 = _pair(in1, in2)
    if in1.ndim == 0:
        return in1 * in2
    if in1.size == 0 or in2.size == 0:
        return np.zeros(0)
    return _cropped(_full(in1, in2), in1, in2, mode)


def _full(in1: Any, in2: Any) -> Any:
    larger = all(n >= k for n, k in zip(in1.shape, in2.shape, strict=True))
    return convolve_full(in1, in2, in1.ndim) if larger else convolve_full(in2, in1, in1.ndim)


@face(original.correlate)
def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Same as `scipy.signal.correlate`."""
    in1, in2 = _pair(in1, in2)
    if in1.ndim == 0:
        return in1 * np.conjugate(in2)
    turned = flipped(np.conjugate(in2) if is_complex(in2) else in2, in2.ndim)
    full = _full(in1, turned)
    if mode == "same":  # SciPy centres with respect to the full correlation
        starts = [(n - m) // 2 for n, m in zip(full.shape, in1.shape, strict=True)]
        return full[tuple(slice(s, s + m) for s, m in zip(starts, in1.shape, strict=True))]
    return _cropped(full, in1, in2, mode)


@face(original.fftconvolve)
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Same as `scipy.signal.fftconvolve`: the transforms themselves are recorded."""
    in1, in2 = _pair(in1, in2)
    if in1.ndim == 0:
        return in1 * in2
    chosen, _ = base.axes_of(in1, None, axes)
    shape = [a + b - 1 if i in chosen else max(a, b) for i, (a, b) in enumerate(zip(in1.shape, in2.shape, strict=True))]
    if is_complex(in1) or is_complex(in2):
        lengths = [shape[a] for a in chosen]
        spectrum = base.fftn(in1, lengths, chosen) * base.fftn(in2, lengths, chosen)
        full = base.ifftn(spectrum, lengths, chosen)
    else:
        lengths = [shape[a] for a in chosen]
        spectrum = base.rfftn(in1, lengths, chosen) * base.rfftn(in2, lengths, chosen)
        full = base.irfftn(spectrum, lengths, chosen)
    return _cropped(full, in1, in2, mode) if len(chosen) == in1.ndim else _cropped_along(full, in1, in2, mode, chosen)


oaconvolve = face(original.oaconvolve)(fftconvolve.__wrapped__)  # type: ignore[attr-defined]


def _cropped_along(full: Any, in1: Any, in2: Any, mode: str, axes: tuple[int, ...]) -> Any:
    if mode == "full":
        return full
    key: list[Any] = [slice(None)] * full.ndim
    for a in axes:
        n, k = in1.shape[a], in2.shape[a]
        wanted = n if mode == "same" else max(n, k) - min(n, k) + 1
        start = (full.shape[a] - wanted) // 2
        key[a] = slice(start, start + wanted)
    return full[tuple(key)]


def _two_dimensional(in1: Any, in2: Any) -> tuple[Any, Any]:
    in1, in2 = _pair(in1, in2)
    if in1.ndim != 2:
        raise ShapeError("convolve2d inputs must both be 2-D arrays")
    return in1, in2


def _bordered(in1: Any, in2: Any, boundary: str, fillvalue: Any) -> Any:
    """Pad by what the kernel reaches over the border on each side."""
    constant = {"mode": "constant", "constant_values": fillvalue}
    wrapped, mirrored = {"mode": "wrap"}, {"mode": "symmetric"}
    modes: dict[str, Any] = {"fill": constant, "pad": constant, "wrap": wrapped, "circular": wrapped}
    modes |= {"symm": mirrored, "symmetric": mirrored}
    if boundary not in modes:
        raise ArgumentError(
            "Acceptable boundary flags are 'fill', 'circular' (or 'wrap'), and 'symmetric' (or 'symm')."
        )
    return np.pad(in1, [(k - 1, k - 1) for k in in2.shape], **modes[boundary])


@face(original.convolve2d)
def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """Same as `scipy.signal.convolve2d`."""
    from ..primitives.filtering import correlate as valid

    in1, in2 = _two_dimensional(in1, in2)
    if mode == "valid" and any(n < k for n, k in zip(in1.shape, in2.shape, strict=True)):
        in1, in2 = in2, in1
    full = valid(_bordered(in1, in2, boundary, fillvalue), flipped(in2, 2), ndim=2)
    return _cropped(full, in1, in2, mode)


@face(original.correlate2d)
def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """Same as `scipy.signal.correlate2d`."""
    from ..primitives.filtering import correlate as valid

    in1, in2 = _two_dimensional(in1, in2)
    if mode == "valid" and any(n < k for n, k in zip(in1.shape, in2.shape, strict=True)):
        raise refuse("scipy.signal.correlate2d", "a kernel larger than the image", "the two exchanged")
    kernel = np.conjugate(in2) if is_complex(in2) else in2
    full = valid(_bordered(in1, in2, boundary, fillvalue), kernel, ndim=2)
    if mode == "same":  # here SciPy's centre of an even kernel is the later one
        return full[tuple(slice(k // 2, k // 2 + n) for n, k in zip(in1.shape, in2.shape, strict=True))]
    return _cropped(full, in1, in2, mode)


# ---------------------------------------------------------------- filters


@face(original.lfilter)
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Same as `scipy.signal.lfilter`, differentiable by b, a, x and the initial state."""
    b, a, x = (np.atleast_1d(floating(v)) for v in (b, a, x))
    axis = normalize_axis(axis, x.ndim)
    x = np.moveaxis(x, axis, -1)
    b, a = b / a[0], a / a[0]
    n = max(b.shape[0], a.shape[0])
    count = x.shape[-1]
    kernel = np.reshape(b, (1,) * (x.ndim - 1) + (-1,))
    moving = convolve_full(np.broadcast_to(x, x.shape), kernel, 1)[..., :count] if count else x
    if zi is not None:
        zi = np.moveaxis(floating(zi), axis, -1)
        head = np.broadcast_to(zi, (*x.shape[:-1], n - 1))[..., :count]
        rest = np.zeros((*x.shape[:-1], max(count - (n - 1), 0)))
        moving = moving + np.concatenate([head, rest], axis=-1)
    y = recursive(a[1:], moving) if a.shape[0] > 1 else moving
    if zi is None:
        return np.moveaxis(y, -1, axis)
    return np.moveaxis(y, -1, axis), np.moveaxis(_state(b, a, x, y, zi, n, count), -1, axis)


def _state(b: Any, a: Any, x: Any, y: Any, zi: Any, n: int, count: int) -> Any:
    """The state of the transposed direct form after the last sample."""
    states = []
    for i in range(1, n):
        total: Any = np.broadcast_to(zi, (*x.shape[:-1], n - 1))[..., i - 1 + count] if i - 1 + count < n - 1 else 0.0
        for j in range(i, n):
            back = j - i
            if back < count:
                if j < b.shape[0]:
                    total = total + b[j] * x[..., count - 1 - back]
                if j < a.shape[0]:
                    total = total - a[j] * y[..., count - 1 - back]
        states.append(total)
    return np.stack(np.broadcast_arrays(*states), axis=-1) if states else np.zeros((*x.shape[:-1], 0))


@face(original.savgol_filter)
def savgol_filter(
    x: Any,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: float = 0.0,
) -> Any:
    """Same as `scipy.signal.savgol_filter`."""
    from . import ndimage

    x = floating(x)
    axis = normalize_axis(axis, x.ndim)
    taps = original.savgol_coeffs(window_length, polyorder, deriv=deriv, delta=delta)
    if mode != "interp":
        return ndimage.convolve1d(x, taps, axis=axis, mode=mode, cval=cval)
    n = x.shape[axis]
    if window_length > n:
        raise ArgumentError("If mode is 'interp', window_length must be less than or equal to the size of x.")
    inner = ndimage.convolve1d(x, taps, axis=axis, mode="constant")
    # The ends are values of one polynomial fitted to the first and the last window: a constant matrix.
    half = window_length // 2
    ends = np.asarray(
        original.savgol_filter(np.eye(window_length), window_length, polyorder, deriv, delta, 0, "interp")
    )
    moved, inner = np.moveaxis(x, axis, -1), np.moveaxis(inner, axis, -1)
    first = moved[..., :window_length] @ ends[:half].T
    last = moved[..., n - window_length :] @ ends[window_length - half :].T
    return np.moveaxis(np.concatenate([first, inner[..., half : n - half], last], axis=-1), -1, axis)


@face(original.detrend)
def detrend(data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False) -> Any:
    """Same as `scipy.signal.detrend`."""
    data = floating(data)
    axis = normalize_axis(axis, data.ndim)
    if type in ("constant", "c"):
        return data - np.mean(data, axis, keepdims=True)
    if type not in ("linear", "l"):
        raise ArgumentError("Trend type must be 'linear' or 'constant'.")
    n = data.shape[axis]
    project = np.asarray(original.detrend(np.eye(n), axis=0, type="linear", bp=bp))  # a constant matrix
    return np.moveaxis(np.moveaxis(data, axis, -1) @ project.T, -1, axis)


@face(original.hilbert)
def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Any:
    """Same as `scipy.signal.hilbert`."""
    x = floating(x)
    axis = normalize_axis(axis, x.ndim)
    n = x.shape[axis] if N is None else int(N)
    h = np.zeros(n)
    h[0] = 1
    h[1 : (n + 1) // 2] = 2
    if n % 2 == 0:
        h[n // 2] = 1
    shape = [1] * x.ndim
    shape[axis] = n
    spectrum = p.fourier(base.fitted(x, n, axis), axes=(axis,), inverse=False) * h.reshape(shape)
    return p.fourier(spectrum, axes=(axis,), inverse=True) / n
