"""Same names as `numpy.fft`. Loaded when one of its functions first meets a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError
from ..primitives import fft as p
from ..primitives.base import normalize_axis
from ._register import as_array, implements, store
from .creating import asarray
from .shaping import take_slice

_FORWARD = {None: "backward", "backward": "backward", "ortho": "ortho", "forward": "forward"}
_SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def floating(x: Any) -> Any:
    """Return a tensor or array of floating or complex numbers."""
    x = as_array(x)
    if x.dtype.kind in "fc":
        return x
    return x.astype(np.float64)


def direction(norm: str | None) -> str:
    """Return the norm with its default filled in."""
    try:
        return _FORWARD[norm]
    except (KeyError, TypeError):
        raise ArgumentError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".') from None


def swapped(norm: str | None) -> str:
    """Return the norm of a transform with the other sign."""
    return _SWAPPED[direction(norm)]


def scaled(x: Any, norm: str, count: int) -> Any:
    """Multiply by the factor of a transform over `count` points; "backward" has none."""
    if norm == "backward":
        return x
    return x * float(1 / count if norm == "forward" else count**-0.5)


def fitted(x: Any, n: int, axis: int) -> Any:
    """Crop an axis to n elements, or pad it with zeros at the end."""
    if n < 1:
        raise ArgumentError(f"Invalid number of FFT data points ({n}) specified.")
    m = x.shape[axis]
    if m > n:
        return take_slice(x, axis, 0, n)
    if m < n:
        return np.concatenate([x, np.zeros((*x.shape[:axis], n - m, *x.shape[axis + 1 :]), x.dtype)], axis)
    return x


def axes_of(x: Any, s: Any, axes: Any) -> tuple[tuple[int, ...], list[int | None]]:
    """Return axes and lengths of a transform over several; a length of None is the axis's own."""
    if axes is None:
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    axes = [axes] if isinstance(axes, int | np.integer) else list(axes)
    lengths = [None] * len(axes) if s is None else [s] if isinstance(s, int | np.integer) else list(s)
    if len(lengths) != len(axes):
        raise ArgumentError("Shape and axes have different lengths.")
    return tuple(normalize_axis(int(a), x.ndim) for a in axes), [None if n in (None, -1) else int(n) for n in lengths]


def _prepared(x: Any, s: Any, axes: Any) -> tuple[Any, tuple[int, ...]]:
    x = floating(x)
    axes, lengths = axes_of(x, s, axes)
    for a, n in zip(axes, lengths, strict=True):
        x = fitted(x, x.shape[a] if n is None else n, a)
    return x, axes


def _unique(axes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Split axes into groups without repeats: NumPy transforms a repeated axis again."""
    found: list[tuple[int, ...]] = [()]
    for a in axes:
        if a in found[-1]:
            found.append(())
        found[-1] = (*found[-1], a)
    return found


def transform(x: Any, s: Any, axes: Any, norm: str | None, inverse: bool) -> Any:
    """Transform complex numbers along several axes."""
    x, axes = _prepared(x, s, axes)
    norm = swapped(norm) if inverse else direction(norm)
    if not axes:
        return x
    count = p.length(x.shape, axes)
    for group in _unique(axes):
        x = p.fourier(x, axes=group, inverse=inverse)
    return scaled(x, norm, count)


def half(x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    """Transform real numbers; the last axis is halved."""
    x, axes = _prepared(x, s, axes)
    if x.dtype.kind == "c":
        raise DtypeError("rfft takes real numbers, not complex ones", hint="np.fft.fft")
    if len(set(axes)) < len(axes):
        raise ArgumentError(f"rfft: axis {axes} is repeated")
    return scaled(p.to_half(x, axes=axes), direction(norm), p.length(x.shape, axes))


def whole(x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    """Transform the Hermitian extension of half an axis back to real numbers."""
    x = floating(x)
    axes, lengths = axes_of(x, s, axes)
    if len(set(axes)) < len(axes):
        raise ArgumentError(f"irfft: axis {axes} is repeated")
    last = lengths[-1]
    n = 2 * (x.shape[axes[-1]] - 1) if last is None else last
    if n < 1:
        raise ArgumentError(f"Invalid number of FFT data points ({n}) specified.")
    lengths[-1] = n // 2 + 1
    for a, m in zip(axes, lengths, strict=True):
        x = fitted(x, x.shape[a] if m is None else m, a)
    count = p.length(x.shape, axes[:-1]) * n
    return scaled(p.from_half(x, axes=axes, n=n), swapped(norm), count)


# ---------------------------------------------------------------- NumPy's names


def _one(n: int | None) -> Any:
    return None if n is None else (n,)


@implements(np.fft.fft)
def fft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.fft`."""
    return store(transform(a, _one(n), (axis,), norm, False), out)


@implements(np.fft.ifft)
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.ifft`."""
    return store(transform(a, _one(n), (axis,), norm, True), out)


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.fft2`."""
    return store(transform(a, s, axes, norm, False), out)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.ifft2`."""
    return store(transform(a, s, axes, norm, True), out)


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.fftn`."""
    return store(transform(a, s, axes, norm, False), out)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.ifftn`."""
    return store(transform(a, s, axes, norm, True), out)


@implements(np.fft.rfft)
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.rfft`."""
    return store(half(a, _one(n), (axis,), norm), out)


@implements(np.fft.irfft)
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.irfft`."""
    return store(whole(a, _one(n), (axis,), norm), out)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.rfft2`."""
    return store(half(a, s, axes, norm), out)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.irfft2`."""
    return store(whole(a, s, axes, norm), out)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.rfftn`."""
    return store(half(a, s, axes, norm), out)


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.irfftn`."""
    return store(whole(a, s, axes, norm), out)


@implements(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.hfft`."""
    return store(whole(np.conjugate(as_array(a)), _one(n), (axis,), swapped(norm)), out)


@implements(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: Any = None) -> Any:
    """Same as `numpy.fft.ihfft`."""
    return store(np.conjugate(half(a, _one(n), (axis,), swapped(norm))), out)


def _rolled(x: Any, axes: Any, back: bool) -> Any:
    x = as_array(x)
    chosen = range(x.ndim) if axes is None else [axes] if isinstance(axes, int | np.integer) else list(axes)
    shifts = [-(x.shape[a] // 2) if back else x.shape[a] // 2 for a in chosen]
    return np.roll(x, tuple(shifts), tuple(chosen))


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """Same as `numpy.fft.fftshift`."""
    return _rolled(x, axes, False)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """Same as `numpy.fft.ifftshift`."""
    return _rolled(x, axes, True)


def _frequencies(function: Any) -> Any:
    def make(n: int, d: Any = 1.0, device: Any = None, *, dtype: Any = None) -> Any:
        return asarray(function(n), dtype) / d

    make.__name__ = function.__name__
    make.__doc__ = f"Same as `numpy.fft.{function.__name__}`, as a tensor."
    return make


fftfreq = _frequencies(np.fft.fftfreq)
rfftfreq = _frequencies(np.fft.rfftfreq)

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]
