"""Error functions, Gaussian integrals, exponential and trigonometric integrals."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
import scipy.special as sp

from .base import is_complex
from .pointwise import Elementwise
from .slopes import sinc_derivative
from .special_base import declare, declare_several, floating, formula, private, refused

_SQRT_PI = float(np.sqrt(np.pi))
_SQRT_2PI = float(np.sqrt(2 * np.pi))

# ---------------------------------------------------------------- exp(c x^2) to the last digits


def _exp_square(x: Any, factor: float) -> Any:
    """exp(factor x^2) for factor 1, -1, 1/2 or -1/2, where plain rounding of x^2 would cost x^2 units."""
    if is_complex(x):
        return np.exp(factor * np.square(x))
    x = np.asarray(x, dtype=np.float64 if np.asarray(x).dtype.kind != "f" else None)
    if x.dtype != np.float64:
        return np.exp(factor * np.square(x.astype(np.float64))).astype(x.dtype)
    high = np.floor(x * 16) / 16  # its square is exact below 2^22
    square, rest = high * high, (x - high) * (x + high)
    value = np.exp(factor * square) * np.exp(factor * rest)
    return np.where(np.abs(x) < 1e3, value, np.exp(factor * np.square(x)))


exp_square: Elementwise = formula(
    "exp_square",
    _exp_square,
    lambda out, x, factor: 2 * factor * (x * out),
)
"""exp(factor x^2)."""


def gaussian(x: Any) -> Any:
    """Return exp(-x^2)."""
    return exp_square(x, factor=-1.0)


def normal_density(x: Any) -> Any:
    """Return the density of the standard normal distribution."""
    return exp_square(x, factor=-0.5) / _SQRT_2PI


# ---------------------------------------------------------------- erfcx and its derivatives

_TERMS = 100


def _erfcx_derivative(x: Any, order: int) -> Any:
    """Derivative of erfcx: (-2)^n n! exp(x^2) i^n erfc(x) (DLMF 7.18.7), by the recurrence 7.18.7 run downwards.

    Upwards the recurrence cancels for positive x, so there the ratios i^n erfc / i^(n-1) erfc are found from
    high orders down (Gautschi, "Evaluation of the repeated integrals of the coerror function", 1977).
    """
    x = np.asarray(x)
    kind = x.dtype if x.dtype.kind in "fc" else np.dtype(float)
    previous, current = 2 / _SQRT_PI * np.ones_like(x, kind), sp.erfcx(x)
    for n in range(1, order + 1):
        previous, current = current, (previous - 2 * x * current) / (2 * n)
    if kind.kind != "c":
        far = x > 1.2
        if far.any():
            u = x[far] if x.ndim else x
            top = order + _TERMS
            ratio = (np.sqrt(u * u + 2.0 * (top + 1)) - u) / (2.0 * (top + 1))  # its asymptotic value
            product: Any = 1.0
            for n in range(top, 0, -1):
                ratio = 1 / (2 * u + 2 * (n + 1) * ratio)
                if n <= order:
                    product = product * ratio
            value = sp.erfcx(u) * product
            current = np.array(current)
            current[far] = value
    return np.asarray((-2.0) ** order * factorial(order) * current, kind)


erfcx_derivative: Elementwise = formula(
    "erfcx_derivative", _erfcx_derivative, lambda _out, x, order: erfcx_derivative(x, order=order + 1)
)


def _dawsn_slope(x: Any) -> Any:
    """1 - 2 x F(x), from its asymptotic series where that cancels (DLMF 7.12.1)."""
    x = np.asarray(x)
    value = 1 - 2 * x * sp.dawsn(x)
    if x.dtype.kind == "c":
        return value
    far = np.abs(x) > 7
    t = 1 / (2 * np.square(np.where(far, x, 7.0)))
    series, term = 0.0 * t, -t
    for k in range(1, 22):
        series = series + term
        term = term * ((2 * k + 1) * t)
    return np.where(far, series, value).astype(value.dtype)


dawsn_slope: Elementwise = formula("dawsn_slope", _dawsn_slope, lambda out, x: -2 * (sp.dawsn(x) + x * out))

declare("erf", lambda _out, x: 2 / _SQRT_PI * gaussian(x))
declare("erfc", lambda _out, x: -2 / _SQRT_PI * gaussian(x))
declare("erfi", lambda _out, x: 2 / _SQRT_PI * exp_square(x, factor=1.0))
declare("erfcx", lambda _out, x: erfcx_derivative(x, order=1))
declare("dawsn", lambda _out, x: dawsn_slope(x))
declare("wofz", lambda out, z: 2j / _SQRT_PI - 2 * z * out)
declare("erfinv", lambda out, _x: _SQRT_PI / 2 * exp_square(out, factor=1.0))
declare("erfcinv", lambda out, _x: -_SQRT_PI / 2 * exp_square(out, factor=1.0))

# ---------------------------------------------------------------- normal distribution


def _hazard(x: Any) -> Any:
    """Density over distribution function of the standard normal, without overflow on either side."""
    negative = x < 0
    low = float(np.sqrt(2 / np.pi)) / sp.erfcx(np.where(negative, -x, 1.0) * float(np.sqrt(0.5)))
    return np.where(negative, low, normal_density(x) / sp.ndtr(np.where(negative, 0.0, x)))


declare("ndtr", lambda _out, x: normal_density(x))
declare("log_ndtr", lambda _out, x: _hazard(x))
declare("ndtri", lambda out, _x: _SQRT_2PI * exp_square(out, factor=0.5))
declare("ndtri_exp", lambda out, _y: 1 / _hazard(out))
declare(
    "owens_t",
    lambda _out, h, a: -0.5 * normal_density(h) * sp.erf(a * h * float(np.sqrt(0.5))),
    lambda _out, h, a: exp_square(h, factor=-0.5) * exp_square(a * h, factor=-0.5) / (2 * np.pi * (1 + a * a)),
)


def _faddeeva(x: Any, sigma: Any, gamma: Any) -> tuple[Any, Any]:
    z = (x + 1j * gamma) / (float(np.sqrt(2.0)) * sigma)
    return z, 2j / _SQRT_PI - 2 * z * sp.wofz(z)


def _voigt_by_x(_out: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    return np.real(_faddeeva(x, sigma, gamma)[1]) / (2 * _SQRT_PI * sigma * sigma)


def _voigt_by_sigma(out: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    z, slope = _faddeeva(x, sigma, gamma)
    return -out / sigma - np.real(z * slope) / (_SQRT_2PI * sigma * sigma)


def _voigt_by_gamma(_out: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    return -np.imag(_faddeeva(x, sigma, gamma)[1]) / (2 * _SQRT_PI * sigma * sigma)


declare("voigt_profile", _voigt_by_x, _voigt_by_sigma, _voigt_by_gamma)

# ---------------------------------------------------------------- integrals of elementary functions


def _phase(x: Any, quarter: int) -> Any:
    """sin(pi / 2 (x^2 + quarter)), the square reduced by whole turns before it is rounded."""
    if is_complex(x):
        return np.sin(np.pi / 2 * (np.square(x) + quarter))
    x = np.asarray(x)
    high = np.trunc(x * 16) / 16
    turn = np.fmod(high * high, 4) + quarter + (x - high) * (x + high)
    return private._sinpi(0.5 * turn).astype(x.dtype if x.dtype.kind == "f" else float)


fresnel_phase: Elementwise = formula(
    "fresnel_phase", _phase, lambda _out, x, quarter: np.pi * (x * fresnel_phase(x, quarter=(quarter + 1) % 4))
)
declare_several("fresnel", lambda _outs, x: fresnel_phase(x, quarter=0), lambda _outs, x: fresnel_phase(x, quarter=1))


def _sine_quotient_slope(out: Any, x: Any) -> Any:
    """(cos(x) - sin(x) / x) / x, which cancels near 0."""
    near = np.abs(x) < 1
    small, far = np.where(near, x, 0.0), np.where(near, 1.0, x)
    return np.where(near, sinc_derivative(small / np.pi, order=1) / np.pi, (np.cos(far) - out) / far)


sine_quotient: Elementwise = formula(
    "sine_quotient",
    lambda x: np.asarray(private._spherical_jn(0, x), floating(x)),
    _sine_quotient_slope,
)
"""sin(x) / x."""


def _hyperbolic_sine_quotient(x: Any) -> Any:
    near = np.abs(x) < 1
    small, far = np.where(near, x, 0.0), np.where(near, 1.0, x)
    return np.where(near, sp.hyp0f1(1.5, 0.25 * np.square(small)), np.sinh(far) / far)


declare("_spherical_jn", refused("spherical_jn", "the order"), lambda _out, n, z: private._spherical_jn_d(n, z))
declare("_spherical_yn", refused("spherical_yn", "the order"), lambda _out, n, z: private._spherical_yn_d(n, z))
declare("_spherical_in", refused("spherical_in", "the order"), lambda _out, n, z: private._spherical_in_d(n, z))
declare("_spherical_kn", refused("spherical_kn", "the order"), lambda _out, n, z: private._spherical_kn_d(n, z))


def _spherical_second(function: str, sign: float) -> Any:
    """Second derivative from the differential equation (DLMF 10.47.1, 10.47.2); at 0 its limit for orders 0 to 2."""

    def partial(out: Any, n: Any, z: Any) -> Any:
        origin = np.equal(z, 0)
        w = np.where(origin, 1.0, z)
        value = (n * (n + 1.0) / w**2 - sign) * getattr(private, function)(n, z) - 2 * out / w
        at_origin = np.where(np.equal(n, 0), -sign / 3, np.where(np.equal(n, 2), 2 / 15, 0.0))
        return np.where(origin, at_origin, value)

    return partial


for _kind, _sign in (("jn", 1.0), ("yn", 1.0), ("in", -1.0), ("kn", -1.0)):
    declare(
        f"_spherical_{_kind}_d",
        refused(f"spherical_{_kind}", "the order"),
        _spherical_second(f"_spherical_{_kind}", _sign),
    )

declare_several("sici", lambda _outs, x: sine_quotient(x), lambda _outs, x: np.cos(x) / x)
declare_several("shichi", lambda _outs, x: _hyperbolic_sine_quotient(x), lambda _outs, x: np.cosh(x) / x)
declare("exp1", lambda _out, x: -np.exp(-x) / x)
declare("expi", lambda _out, x: np.exp(x) / x)


def _expn_slope(_out: Any, n: Any, x: Any) -> Any:
    first = np.equal(n, 0)  # E_(-1), which SciPy does not have
    return -np.where(first, np.exp(-x) * (1 + 1 / x) / x, sp.expn(np.where(first, 1, n) - 1.0, x))


declare("expn", refused("expn", "the order"), _expn_slope)
declare("_scaled_exp1", lambda out, x: out * (1 + 1 / x) - 1)
