"""Same names as `scipy.ndimage`: linear filters, differentiable by the image and, where there are any, the weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage as original

from ..errors import ArgumentError, ShapeError
from ..primitives.base import normalize_axis
from ..primitives.filtering import correlate as valid
from ..primitives.filtering import flipped
from ._face import face, floating, refuse

__all__ = [
    "convolve",
    "convolve1d",
    "correlate",
    "correlate1d",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "laplace",
    "prewitt",
    "sobel",
    "uniform_filter",
    "uniform_filter1d",
]

_MODES = {
    "reflect": "symmetric",
    "grid-mirror": "symmetric",
    "mirror": "reflect",
    "nearest": "edge",
    "wrap": "wrap",
    "grid-wrap": "wrap",
    "constant": "constant",
    "grid-constant": "constant",
}


def __getattr__(name: str) -> Any:
    return getattr(original, name)


def _padded(x: Any, widths: list[tuple[int, int]], modes: list[str], cval: Any) -> Any:
    for axis, (width, mode) in enumerate(zip(widths, modes, strict=True)):
        if mode not in _MODES:
            raise ArgumentError(f"boundary mode not supported: {mode!r}")
        if width == (0, 0):
            continue
        pad = [(0, 0)] * x.ndim
        pad[axis] = width
        options: dict[str, Any] = {"constant_values": cval} if _MODES[mode] == "constant" else {}
        if x.shape[axis] == 1 and _MODES[mode] == "reflect":
            x = np.pad(x, pad, mode="edge")
        else:
            x = np.pad(x, pad, **{"mode": _MODES[mode], **options})
    return x


def _no_output(output: Any, name: str) -> None:
    if output is not None:
        raise refuse(f"scipy.ndimage.{name}", "output=", "the returned array")


def _per_axis(value: Any, count: int) -> list[Any]:
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return [value] * count
    if len(value) != count:
        raise ArgumentError("sequence argument must have length equal to input rank")
    return list(value)


def _axes(axes: Any, ndim: int) -> list[int]:
    if axes is None:
        return list(range(ndim))
    return [normalize_axis(int(a), ndim) for a in (axes if hasattr(axes, "__len__") else [axes])]


def _filtered(x: Any, w: Any, modes: list[str], cval: Any, origins: list[int], convolve: bool) -> Any:
    """Correlate over all axes. The kernel's centre is at size // 2 plus its origin."""
    widths = []
    for k, origin in zip(w.shape, origins, strict=True):
        if convolve:  # a flipped kernel has its centre elsewhere if its size is even
            origin = -origin - (k % 2 == 0)
        if not -(k // 2) <= origin <= (k - 1) // 2 and not (convolve and k % 2 == 0):
            raise ArgumentError("invalid origin")
        before = k // 2 + origin
        widths.append((before, k - 1 - before))
    if convolve:
        w = flipped(w, w.ndim)
    return valid(_padded(x, widths, modes, cval), w, ndim=w.ndim)


def _over_all(
    name: str, input: Any, weights: Any, output: Any, mode: Any, cval: Any, origin: Any, axes: Any, convolve: bool
) -> Any:
    _no_output(output, name)
    x, w = floating(input), floating(weights)
    chosen = _axes(axes, x.ndim)
    if w.ndim != len(chosen):
        raise ShapeError(
            f"filter weights array of {w.ndim} axes does not fit an input filtered over {len(chosen)} axes"
        )
    if len(chosen) < x.ndim:
        shape = [1] * x.ndim
        for a, k in zip(chosen, w.shape, strict=True):
            shape[a] = k
        w = np.reshape(np.transpose(w, np.argsort(chosen)), shape)
    modes, origins = ["reflect"] * x.ndim, [0] * x.ndim
    for a, m, o in zip(chosen, _per_axis(mode, len(chosen)), _per_axis(origin, len(chosen)), strict=True):
        modes[a], origins[a] = m, int(o)
    return _filtered(x, w, modes, cval, origins, convolve)


@face(original.convolve)
def convolve(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Same as `scipy.ndimage.convolve`."""
    return _over_all("convolve", input, weights, output, mode, cval, origin, axes, True)


@face(original.correlate)
def correlate(
    input: Any,
    weights: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Same as `scipy.ndimage.correlate`."""
    return _over_all("correlate", input, weights, output, mode, cval, origin, axes, False)


def _along(
    name: str, input: Any, weights: Any, axis: int, output: Any, mode: str, cval: Any, origin: int, convolve: bool
) -> Any:
    x = floating(input)
    return _over_all(name, x, weights, output, mode, cval, origin, [normalize_axis(axis, x.ndim)], convolve)


@face(original.convolve1d)
def convolve1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """Same as `scipy.ndimage.convolve1d`."""
    return _along("convolve1d", input, weights, axis, output, mode, cval, origin, True)


@face(original.correlate1d)
def correlate1d(
    input: Any,
    weights: Any,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    origin: int = 0,
) -> Any:
    """Same as `scipy.ndimage.correlate1d`."""
    return _along("correlate1d", input, weights, axis, output, mode, cval, origin, False)


@face(original.uniform_filter1d)
def uniform_filter1d(
    input: Any, size: int, axis: int = -1, output: Any = None, mode: str = "reflect", cval: Any = 0.0, origin: int = 0
) -> Any:
    """Same as `scipy.ndimage.uniform_filter1d`."""
    return _along(
        "uniform_filter1d", input, np.full(int(size), 1.0 / int(size)), axis, output, mode, cval, origin, False
    )


@face(original.uniform_filter)
def uniform_filter(
    input: Any,
    size: Any = 3,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    """Same as `scipy.ndimage.uniform_filter`."""
    _no_output(output, "uniform_filter")
    x = floating(input)
    chosen = _axes(axes, x.ndim)
    settings = (_per_axis(v, len(chosen)) for v in (size, mode, origin))
    for a, n, m, o in zip(chosen, *settings, strict=True):
        if n > 1:
            x = uniform_filter1d(x, n, a, mode=m, cval=cval, origin=o)
    return x


def _gaussian_taps(sigma: Any, order: int, radius: int) -> Any:
    """Return the taps of a Gaussian, or of its derivative: Hermite polynomials times it."""
    places = np.arange(-radius, radius + 1)
    taps = np.exp(-0.5 * np.square(places / sigma))
    taps = taps / np.sum(taps)
    if order:
        previous, factor = np.ones(2 * radius + 1), -places / np.square(sigma)
        for n in range(1, order):
            previous, factor = factor, -(places * factor + n * previous) / np.square(sigma)
        taps = taps * factor
    return taps


@face(original.gaussian_filter1d)
def gaussian_filter1d(
    input: Any,
    sigma: Any,
    axis: int = -1,
    order: int = 0,
    output: Any = None,
    mode: str = "reflect",
    cval: Any = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
) -> Any:
    """Same as `scipy.ndimage.gaussian_filter1d`, differentiable by sigma too (the number of taps is constant)."""
    number = float(sigma.numpy()) if hasattr(sigma, "numpy") else float(sigma)
    reach = int(truncate * number + 0.5) if radius is None else int(radius)
    taps = _gaussian_taps(floating(sigma), int(order), reach)
    return _along("gaussian_filter1d", input, taps[::-1], axis, output, mode, cval, 0, False)


@face(original.gaussian_filter)
def gaussian_filter(
    input: Any,
    sigma: Any,
    order: Any = 0,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    truncate: float = 4.0,
    *,
    radius: Any = None,
    axes: Any = None,
) -> Any:
    """Same as `scipy.ndimage.gaussian_filter`, differentiable by sigma too."""
    _no_output(output, "gaussian_filter")
    x = floating(input)
    chosen = _axes(axes, x.ndim)
    sigmas = [sigma[i] for i in range(len(chosen))] if np.ndim(sigma) else [sigma] * len(chosen)
    settings = (_per_axis(v, len(chosen)) for v in (order, mode, radius))
    for a, s, n, m, r in zip(chosen, sigmas, *settings, strict=True):
        number = float(s.numpy()) if hasattr(s, "numpy") else float(s)
        if number > 1e-15:
            x = gaussian_filter1d(x, s, a, n, mode=m, cval=cval, truncate=truncate, radius=r)
    return x


def _gradient_like(name: str, smooth: list[float]) -> Any:
    def function(input: Any, axis: int = -1, output: Any = None, mode: Any = "reflect", cval: Any = 0.0) -> Any:
        _no_output(output, name)
        x = floating(input)
        axis = normalize_axis(axis, x.ndim)
        modes = _per_axis(mode, x.ndim)
        x = correlate1d(x, [-1.0, 0.0, 1.0], axis, mode=modes[axis], cval=cval)
        for a in range(x.ndim):
            if a != axis:
                x = correlate1d(x, smooth, a, mode=modes[a], cval=cval)
        return x

    function.__name__ = name
    function.__doc__ = f"Same as `scipy.ndimage.{name}`."
    return face(getattr(original, name))(function)


sobel = _gradient_like("sobel", [1.0, 2.0, 1.0])
prewitt = _gradient_like("prewitt", [1.0, 1.0, 1.0])


@face(original.laplace)
def laplace(input: Any, output: Any = None, mode: Any = "reflect", cval: Any = 0.0, *, axes: Any = None) -> Any:
    """Same as `scipy.ndimage.laplace`."""
    _no_output(output, "laplace")
    x = floating(input)
    chosen = _axes(axes, x.ndim)
    total: Any = None
    for a, m in zip(chosen, _per_axis(mode, len(chosen)), strict=True):
        part = correlate1d(x, [1.0, -2.0, 1.0], a, mode=m, cval=cval)
        total = part if total is None else total + part
    return np.zeros_like(x) if total is None else total


def _gaussian_derivatives(
    input: Any, sigma: Any, order: int, mode: Any, cval: Any, axes: Any, options: dict[str, Any]
) -> list[Any]:
    """Return the smoothed derivatives of one order along each axis."""
    x = floating(input)
    chosen = _axes(axes, x.ndim)
    orders = ([order if b == a else 0 for b in chosen] for a in chosen)
    return [gaussian_filter(x, sigma, each, mode=mode, cval=cval, axes=chosen, **options) for each in orders]


@face(original.gaussian_laplace)
def gaussian_laplace(
    input: Any,
    sigma: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    *,
    axes: Any = None,
    **options: Any,
) -> Any:
    """Same as `scipy.ndimage.gaussian_laplace`."""
    _no_output(output, "gaussian_laplace")
    parts = _gaussian_derivatives(input, sigma, 2, mode, cval, axes, options)
    return sum(parts[1:], parts[0])


@face(original.gaussian_gradient_magnitude)
def gaussian_gradient_magnitude(
    input: Any,
    sigma: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: Any = 0.0,
    *,
    axes: Any = None,
    **options: Any,
) -> Any:
    """Same as `scipy.ndimage.gaussian_gradient_magnitude`; where it is 0 the derivative is taken to be 0."""
    _no_output(output, "gaussian_gradient_magnitude")
    parts = _gaussian_derivatives(input, sigma, 1, mode, cval, axes, options)
    return np.linalg.norm(np.stack(parts, axis=0), axis=0)
