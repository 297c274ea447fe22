"""Same names as `scipy.interpolate`: piecewise polynomials and splines in one variable, linear in several.

Differentiable by where they are evaluated, by the data values, and (but for `make_interp_spline`) by the places
of the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.interpolate as original

from ..errors import ArgumentError, ShapeError
from ..numpy._register import as_array
from ..primitives.base import normalize_axis
from ..primitives.linalg import banded_solve
from ..primitives.structural import stop_gradient
from ..recording import Traced
from ._curves import Curve, Plain, at, back, column, interval, numbers
from ._face import floating, holds_tensor
from ._splines import BSpline, RegularGridInterpolator, interp1d, make_interp_spline

__all__ = [
    "Akima1DInterpolator",
    "BSpline",
    "CubicHermiteSpline",
    "CubicSpline",
    "PPoly",
    "PchipInterpolator",
    "RegularGridInterpolator",
    "interp1d",
    "make_interp_spline",
]


def __getattr__(name: str) -> Any:
    return getattr(original, name)


class PPoly(Curve):
    """Same as `scipy.interpolate.PPoly`. c: (k, m, ...)   x: (m + 1,)"""

    def __init__(self, c: Any, x: Any, extrapolate: Any = None, axis: int = 0) -> None:
        self.c, self.x = floating(c), floating(x)
        self.extrapolate = True if extrapolate is None else extrapolate
        self.axis = axis
        if self.c.ndim < 2 or self.x.shape[0] != self.c.shape[1] + 1:
            raise ShapeError(f"number of coefficients {self.c.shape} does not fit breakpoints {self.x.shape}")

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """Evaluate, or the derivative of order `nu`."""
        if nu:
            return self.derivative(nu)(x, extrapolate=extrapolate)
        x = floating(x)
        breaks = self.x
        x, outside = self._fold(x, breaks[0], breaks[-1], extrapolate)
        k = interval(breaks, x, 0, breaks.shape[0] - 2)
        trailing = self.c.ndim - 2
        t = column(x - at(breaks, k), trailing)
        value = at(self.c[0], k)
        for i in range(1, self.c.shape[0]):
            value = value * t + at(self.c[i], k)
        if outside is not None:
            value = np.where(column(outside, trailing), np.nan, value)
        return back(value, self.axis, x.ndim)

    def derivative(self, nu: int = 1) -> PPoly:
        """Return the derivative as a piecewise polynomial."""
        if nu < 0:
            return self.antiderivative(-nu)
        c = self.c
        for _ in range(nu):
            n = c.shape[0]
            if n == 1:
                c = np.zeros_like(c)
                break
            powers = np.arange(n - 1, 0, -1.0)
            c = c[:-1] * np.reshape(powers, (-1,) + (1,) * (c.ndim - 1))
        return PPoly(c, self.x, self.extrapolate, self.axis)

    def antiderivative(self, nu: int = 1) -> PPoly:
        """Return the antiderivative that is 0 at the first breakpoint."""
        if nu <= 0:
            return self.derivative(-nu)
        c = self.c
        for _ in range(nu):
            n = c.shape[0]
            raised = c / np.reshape(np.arange(n, 0, -1.0), (-1,) + (1,) * (c.ndim - 1))
            widths = np.reshape(np.diff(self.x), (-1,) + (1,) * (c.ndim - 2))
            area: Any = 0.0
            for i in range(n):
                area = (area + raised[i]) * widths
            start = np.concatenate([np.zeros_like(area[:1]), np.cumsum(area[:-1], axis=0)], axis=0)
            c = np.concatenate([raised, np.expand_dims(start, 0)], axis=0)
        return PPoly(c, self.x, False if self.extrapolate == "periodic" else self.extrapolate, self.axis)

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        """Return the integral from a to b."""
        whole = self.antiderivative()
        return whole(b, extrapolate=extrapolate) - whole(a, extrapolate=extrapolate)


def _data(x: Any, y: Any, axis: int, least: int = 2) -> tuple[Any, Any, int]:
    x, y = floating(x), floating(y)
    axis = normalize_axis(axis, y.ndim)
    if x.ndim != 1 or x.shape[0] != y.shape[axis]:
        raise ShapeError(f"x of shape {x.shape} does not fit y of shape {y.shape} along axis {axis}")
    if x.shape[0] < least:
        raise ArgumentError(f"at least {least} points are needed, not {x.shape[0]}")
    known = numbers(x)
    if not isinstance(known, Traced) and np.any(np.diff(known) <= 0):
        raise ArgumentError("`x` must be strictly increasing sequence.")
    return x, np.moveaxis(y, axis, 0), axis


def _hermite(x: Any, y: Any, slopes: Any) -> Any:
    """Return the coefficients of the cubics with these values and slopes at x."""
    width = np.reshape(np.diff(x), (-1,) + (1,) * (y.ndim - 1))
    secant = np.diff(y, axis=0) / width
    bend = (slopes[:-1] + slopes[1:] - 2 * secant) / width
    return np.stack([bend / width, (secant - slopes[:-1]) / width - bend, slopes[:-1], y[:-1]], axis=0)


class CubicHermiteSpline(PPoly):
    """Same as `scipy.interpolate.CubicHermiteSpline`."""

    def __new__(cls, x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: Any = None) -> Any:
        """Leave plain data to SciPy's own class."""
        if not holds_tensor((x, y, dydx)):
            return Plain(original.CubicHermiteSpline(x, y, dydx, axis, extrapolate), PPoly)
        return super().__new__(cls)

    def __init__(self, x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: Any = None) -> None:
        x, y, axis = _data(x, y, axis)
        super().__init__(_hermite(x, y, np.moveaxis(floating(dydx), axis, 0)), x, extrapolate, axis)


# ---------------------------------------------------------------- cubic spline


def _condition(bc: Any, which: int) -> Any:
    if isinstance(bc, str):
        named = {"clamped": (1, 0.0), "natural": (2, 0.0), "not-a-knot": "not-a-knot"}
        if bc not in named:
            raise ArgumentError(f"bc_type={bc!r} is not allowed.")
        return named[bc]
    order, value = bc
    if order not in (1, 2):
        raise ArgumentError("The specified derivative order must be 1 or 2.")
    return int(order), floating(value)


def _spline_slopes(x: Any, y: Any, bc_type: Any) -> Any:
    """Return the slopes of the spline at x (de Boor, "A Practical Guide to Splines", chapter IV)."""
    n = x.shape[0]
    if isinstance(bc_type, str) and bc_type == "periodic":
        return _periodic_slopes(x, y)
    start, end = (bc_type, bc_type) if isinstance(bc_type, str) else bc_type
    start, end = _condition(start, 0), _condition(end, -1)
    h = np.diff(x)
    width = np.reshape(h, (-1,) + (1,) * (y.ndim - 1))
    secant = np.diff(y, axis=0) / width
    if n == 2:
        start, end = ((1, secant[0]) if bc == "not-a-knot" else bc for bc in (start, end))
    if n == 3 and start == "not-a-knot" and end == "not-a-knot":  # a parabola
        curvature = (secant[1] - secant[0]) / (x[2] - x[0])
        return np.stack(
            [secant[0] - curvature * h[0], secant[0] + curvature * h[0], secant[1] + curvature * h[1]], axis=0
        )
    first, upper_0, right_0 = _end(start, x[2] - x[0] if n > 2 else None, h[0], h[1:2], y[1] - y[0], secant[:2], -1)
    last, lower_0, right_n = _end(
        end, x[-1] - x[-3] if n > 2 else None, h[-1], h[-2:-1], y[-1] - y[-2], secant[::-1][:2], 1
    )
    inner = 2 * (h[:-1] + h[1:])
    one = np.zeros(1)
    diagonal = np.concatenate([_vector(first), inner, _vector(last)])
    upper = np.concatenate([one, _vector(upper_0), h[:-1]])
    lower = np.concatenate([h[1:], _vector(lower_0), one])
    right = 3 * (width[1:] * secant[:-1] + width[:-1] * secant[1:])
    shape = y.shape[1:]
    ends = [np.reshape(np.broadcast_to(r, shape), (1, *shape)) for r in (right_0, right_n)]
    return _solve(np.stack([upper, diagonal, lower]), np.concatenate([ends[0], right, ends[1]], axis=0))


def _vector(x: Any) -> Any:
    return np.reshape(as_array(x), (1,))


def _solve(bands: Any, right: Any) -> Any:
    flat = np.reshape(right, (right.shape[0], -1))
    return np.reshape(banded_solve(bands, flat, lower=1, upper=1), right.shape)


def _end(bc: Any, two: Any, h: Any, next_h: Any, rise: Any, secant: Any, sign: int) -> tuple[Any, Any, Any]:
    """Return diagonal, neighbour and right side of the equation at one end (sign -1: the first, 1: the last)."""
    if bc == "not-a-knot":
        g = next_h[0]
        return g, two, ((h + 2 * two) * g * secant[0] + h**2 * secant[1]) / two
    order, value = bc
    if order == 1:
        return 1.0, 0.0, value
    return 2 * h, h, sign * 0.5 * value * h**2 + 3 * rise


def _periodic_slopes(x: Any, y: Any) -> Any:
    n = x.shape[0]
    h = np.diff(x)
    width = np.reshape(h, (-1,) + (1,) * (y.ndim - 1))
    secant = np.diff(y, axis=0) / width
    first, last = numbers(y[0]), numbers(y[-1])
    if not isinstance(first, Traced) and not np.allclose(first, last, rtol=1e-15, atol=1e-15):
        raise ArgumentError("The first and last `y` point along axis 0 must be identical when bc_type='periodic'.")
    if n == 2:
        return np.zeros_like(y)
    if n == 3:
        t = np.sum(secant / width, axis=0) / np.sum(1.0 / width, axis=0)
        return np.stack([t, t, t], axis=0)
    # Unknowns 0 to n - 2; the last one is eliminated, which leaves a band.
    diagonal = np.concatenate([_vector(2 * (h[-1] + h[0])), 2 * (h[:-2] + h[1:-1])])
    upper = np.concatenate([np.zeros(1), _vector(h[-1]), h[: n - 4]])
    bands = np.stack([upper, diagonal, h[1:]])
    b_0 = 3 * (width[0] * secant[-1] + width[-1] * secant[0])
    b_inner = 3 * (width[1:] * secant[:-1] + width[:-1] * secant[1:])
    right = np.concatenate([np.expand_dims(b_0, 0), b_inner[: n - 3]], axis=0)
    other = np.concatenate([_vector(-h[0]), np.zeros(n - 4), _vector(-h[-3])])
    s1 = _solve(bands, right)
    s2 = np.reshape(_solve(bands, other), (-1,) + (1,) * (y.ndim - 1))
    end = (b_inner[n - 3] - h[-2] * s1[0] - h[-1] * s1[-1]) / (2 * (h[-1] + h[-2]) + h[-2] * s2[0] + h[-1] * s2[-1])
    head = s1 + end * s2
    return np.concatenate([head, np.expand_dims(end, 0), head[:1]], axis=0)


class CubicSpline(PPoly):
    """Same as `scipy.interpolate.CubicSpline`."""

    def __new__(cls, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot", extrapolate: Any = None) -> Any:
        """Leave plain data to SciPy's own class."""
        if not holds_tensor((x, y, bc_type)):
            return Plain(original.CubicSpline(x, y, axis, bc_type, extrapolate), PPoly)
        return super().__new__(cls)

    def __init__(self, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot", extrapolate: Any = None) -> None:
        x, y, axis = _data(x, y, axis)
        if extrapolate is None and isinstance(bc_type, str) and bc_type == "periodic":
            extrapolate = "periodic"
        super().__init__(_hermite(x, y, _spline_slopes(x, y, bc_type)), x, extrapolate, axis)


# ---------------------------------------------------------------- shape-preserving slopes


def _pchip_slopes(x: Any, y: Any) -> Any:
    """Fritsch and Butland, SIAM J. Sci. Comput. 5 (1984); one-sided three-point ends."""
    h = np.reshape(np.diff(x), (-1,) + (1,) * (y.ndim - 1))
    m = np.diff(y, axis=0) / h
    if y.shape[0] == 2:
        return np.concatenate([m, m], axis=0)
    sign = np.sign(stop_gradient(m))
    flat = np.logical_or(np.not_equal(sign[1:], sign[:-1]), np.logical_or(np.equal(m[1:], 0), np.equal(m[:-1], 0)))
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    before, after = np.where(flat, 1.0, m[:-1]), np.where(flat, 1.0, m[1:])
    inner = np.where(flat, 0.0, (w1 + w2) / (w1 / before + w2 / after))
    ends = [_pchip_end(h[0], h[1], m[0], m[1]), _pchip_end(h[-1], h[-2], m[-1], m[-2])]
    return np.concatenate([np.expand_dims(ends[0], 0), inner, np.expand_dims(ends[1], 0)], axis=0)


def _pchip_end(h0: Any, h1: Any, m0: Any, m1: Any) -> Any:
    d = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    wrong = np.not_equal(np.sign(d), np.sign(m0))
    steep = np.logical_and(np.not_equal(np.sign(m0), np.sign(m1)), np.greater(np.abs(d), 3.0 * np.abs(m0)))
    return np.where(wrong, 0.0, np.where(steep, 3.0 * m0, d))


class PchipInterpolator(PPoly):
    """Same as `scipy.interpolate.PchipInterpolator`."""

    def __new__(cls, x: Any, y: Any, axis: int = 0, extrapolate: Any = None) -> Any:
        """Leave plain data to SciPy's own class."""
        if not holds_tensor((x, y)):
            return Plain(original.PchipInterpolator(x, y, axis, extrapolate), PPoly)
        return super().__new__(cls)

    def __init__(self, x: Any, y: Any, axis: int = 0, extrapolate: Any = None) -> None:
        x, y, axis = _data(x, y, axis)
        super().__init__(_hermite(x, y, _pchip_slopes(x, y)), x, extrapolate, axis)


def _akima_slopes(x: Any, y: Any, modified: bool) -> Any:
    """Akima, J. ACM 17 (1970); the modified weights are those of MATLAB's makima."""
    h = np.reshape(np.diff(x), (-1,) + (1,) * (y.ndim - 1))
    m = np.diff(y, axis=0) / h
    left = 2 * m[:1] - m[1:2]
    right = 2 * m[-1:] - m[-2:-1]
    m = np.concatenate([2 * left - m[:1], left, m, right, 2 * right - m[-1:]], axis=0)
    change = np.abs(np.diff(m, axis=0))
    if modified:
        change = change + 0.5 * np.abs(m[1:] + m[:-1])
    f1, f2 = change[2:], change[:-2]
    total = f1 + f2
    level = np.max(stop_gradient(total), initial=-np.inf)
    used = np.greater(total, 1e-9 * level)
    share = f2 / np.where(used, total, 1.0)
    return np.where(used, m[1:-2] + share * (m[2:-1] - m[1:-2]), 0.5 * (m[3:] + m[:-3]))


class Akima1DInterpolator(PPoly):
    """Same as `scipy.interpolate.Akima1DInterpolator`."""

    def __new__(cls, x: Any, y: Any, axis: int = 0, *, method: str = "akima", extrapolate: Any = None) -> Any:
        """Leave plain data to SciPy's own class."""
        if not holds_tensor((x, y)):
            return Plain(original.Akima1DInterpolator(x, y, axis, method=method, extrapolate=extrapolate), PPoly)
        return super().__new__(cls)

    def __init__(self, x: Any, y: Any, axis: int = 0, *, method: str = "akima", extrapolate: Any = None) -> None:
        if method not in ("akima", "makima"):
            raise ArgumentError(f"`method`={method} is unsupported.")
        x, y, axis = _data(x, y, axis)
        if x.shape[0] == 2:
            slopes = np.concatenate([np.diff(y, axis=0) / (x[1] - x[0])] * 2, axis=0)
        else:
            slopes = _akima_slopes(x, y, method == "makima")
        super().__init__(_hermite(x, y, slopes), x, False if extrapolate is None else extrapolate, axis)
