"""The elementwise primitives: NumPy's ufuncs and their kin, each with its partial derivatives.

How a partial is written, and what follows from it, stands in `pointwise`. A partial that is a formula of its own
(`tanh_slope`, ...) stands in `slopes`, where its own derivative is as accurate. Where a function has a kink the
partial states the convention; docs/explanation/kinks.md lists them all.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .base import Line, Traced, dtype_of, is_complex, result_dtype
from .pointwise import (
    UFUNCS,
    Discrete,
    Elementwise,
    Partial,
    align,
    elementwise,
    like,
    scale,
    where,
)
from .slopes import (
    arccosh_slope,
    arcsin_slope,
    arcsinh_slope,
    arctan_slope,
    arctanh_slope,
    cbrt_slope,
    polar,
    share,
    share2,
    sinc_derivative,
    sqrt_slope,
    tan_slope,
    tanh_slope,
    unit,
)

__all__ = ["UFUNCS", "Discrete", "Elementwise", "Partial", "align", "elementwise", "like", "scale", "where"]

# ---------------------------------------------------------------- choice

# At a tie each argument gets half.
maximum = elementwise(
    np.maximum,
    lambda _out, x, y: np.where(x == y, 0.5, x > y),
    lambda _out, x, y: np.where(x == y, 0.5, x < y),
)
minimum = elementwise(
    np.minimum,
    lambda _out, x, y: np.where(x == y, 0.5, x < y),
    lambda _out, x, y: np.where(x == y, 0.5, x > y),
)
fmax = elementwise(
    np.fmax,
    lambda _out, x, y: np.where(x == y, 0.5, (x > y) | np.isnan(y)),
    lambda _out, x, y: np.where(x == y, 0.5, (x < y) | (np.isnan(x) & ~np.isnan(y))),
)
fmin = elementwise(
    np.fmin,
    lambda _out, x, y: np.where(x == y, 0.5, (x < y) | np.isnan(y)),
    lambda _out, x, y: np.where(x == y, 0.5, (x > y) | (np.isnan(x) & ~np.isnan(y))),
)
# At a bound the value is free to move: the derivative is 1.
clip = elementwise(
    lambda x, low, high: np.clip(x, low, high),
    lambda _out, x, low, high: (x >= low) & (x <= high),
    lambda _out, x, low, high: (x < low) & (low <= high),
    lambda _out, x, low, high: (x > high) | (low > high),
    name="clip",
)

# ---------------------------------------------------------------- arithmetic

add = elementwise(np.add, 1, 1)
subtract = elementwise(np.subtract, 1, -1)
negative = elementwise(np.negative, -1)
positive = elementwise(np.positive, 1)
multiply = elementwise(np.multiply, lambda _out, _x, y: y, lambda _out, x, _y: x)


def _by_dividend(_out: Any, _x: Any, y: Any) -> Any:
    try:
        return 1 / y
    except ZeroDivisionError:  # a Python number; an array's is infinite
        return math.copysign(math.inf, y)


divide = elementwise(np.divide, _by_dividend, lambda out, _x, y: -out / y)
# The quotient as NumPy rounds it: floor(x / y) can be one too many just below a multiple.
remainder = elementwise(np.remainder, 1, lambda _out, x, y: -np.floor_divide(x, y))
fmod = elementwise(np.fmod, 1, lambda out, x, y: -np.rint((x - out) / y))
floor_divide = elementwise(np.floor_divide, None, None)


def _power_by_base(_out: Any, x: Any, y: Any) -> Any:
    """Return y x^(y-1). The exponent is rounded; what is lost is made up for by x^e = 1 + e log(x)."""
    is_array: bool = isinstance(y, Traced | np.ndarray | Line)
    if is_array:
        lower = y - 1
        power = x ** np.where(y == 0, 1, lower)
        if dtype_of(lower).kind == "f":
            lost = y - (lower + 1)
            power = power * (1 + lost * np.log(np.where((x == 0) | (lost == 0), 1, x)))
        return np.where(y == 0, 0, y * power)
    if y == 0:
        return 0.0
    if y == 1:
        return 1.0
    if y == 2:
        return 2 * x
    if isinstance(y, int | np.integer | complex | np.complexfloating) or is_complex(x):
        return y * x ** (y - 1)
    real = x.dtype.type if x.dtype.kind == "f" else np.float64  # NumPy rounds a Python number to that
    exponent: Any = real(y)
    lower = real(exponent - 1)
    power = exponent * x ** float(lower)
    lost = float(exponent) - (float(lower) + 1)
    return power if lost == 0 else power * (1 + lost * np.log(np.where(x == 0, 1, x)))


def _power_by_exponent(out: Any, x: Any, _y: Any) -> Any:
    return np.where(x == 0, 0, out * np.log(np.where(x == 0, 1, x)))


def _power(x: Any, y: Any) -> Any:
    # The operator squares and takes roots where the ufunc calls pow for every element.
    return x**y if type(x) is np.ndarray and y.__class__ in (int, float) else np.power(x, y)


power = elementwise(np.power, _power_by_base, _power_by_exponent)
power.evaluate = _power
float_power = elementwise(np.float_power, _power_by_base, _power_by_exponent)
square = elementwise(np.square, lambda _out, x: 2 * x)
reciprocal = elementwise(np.reciprocal, lambda out, _x: -out * out)
sqrt = elementwise(np.sqrt, lambda _out, x: sqrt_slope(x))
# The square root of a sum of squares: where all of them are 0, every derivative is taken to be 0, as that of a norm.
root = elementwise(
    lambda x: np.sqrt(x),
    lambda _out, x: np.where(x == 0, 0, sqrt_slope(np.where(x == 0, 1, x))),
    name="root",
)
root.formula = lambda x: np.sqrt(x)
cbrt = elementwise(np.cbrt, lambda _out, x: cbrt_slope(x))
hypot = elementwise(np.hypot, lambda _out, x, y: unit(x, y), lambda _out, x, y: unit(y, x))

# ---------------------------------------------------------------- exponentials and logarithms

_LN2, _LN10 = float(np.log(2.0)), float(np.log(10.0))
_LOG2E, _LOG10E = float(np.log2(np.e)), float(np.log10(np.e))

exp = elementwise(np.exp, lambda out, _x: out)
exp2 = elementwise(np.exp2, lambda out, _x: _LN2 * out)
# Not out + 1: that is 0 below x = -38.
expm1 = elementwise(np.expm1, lambda _out, x: np.exp(x))
log = elementwise(np.log, lambda _out, x: 1 / x)
log2 = elementwise(np.log2, lambda _out, x: _LOG2E / x)
log10 = elementwise(np.log10, lambda _out, x: _LOG10E / x)
log1p = elementwise(np.log1p, lambda _out, x: 1 / (1 + x))
logaddexp = elementwise(np.logaddexp, lambda _out, x, y: share(x, y), lambda _out, x, y: share(y, x))
logaddexp2 = elementwise(np.logaddexp2, lambda _out, x, y: share2(x, y), lambda _out, x, y: share2(y, x))

# ---------------------------------------------------------------- circular and hyperbolic functions

sin = elementwise(np.sin, lambda _out, x: np.cos(x))
cos = elementwise(np.cos, lambda _out, x: -np.sin(x))
tan = elementwise(np.tan, lambda _out, x: tan_slope(x))
arcsin = elementwise(np.arcsin, lambda _out, x: arcsin_slope(x))
arccos = elementwise(np.arccos, lambda _out, x: -arcsin_slope(x))
arctan = elementwise(np.arctan, lambda _out, x: arctan_slope(x))
sinh = elementwise(np.sinh, lambda _out, x: np.cosh(x))
cosh = elementwise(np.cosh, lambda _out, x: np.sinh(x))
tanh = elementwise(np.tanh, lambda _out, x: tanh_slope(x))
arcsinh = elementwise(np.arcsinh, lambda _out, x: arcsinh_slope(x))
arccosh = elementwise(np.arccosh, lambda _out, x: arccosh_slope(x))
arctanh = elementwise(np.arctanh, lambda _out, x: arctanh_slope(x))
arctan2 = elementwise(np.arctan2, lambda _out, y, x: polar(x, y), lambda _out, y, x: -polar(y, x))
deg2rad = elementwise(np.deg2rad, float(np.pi / 180))
radians = elementwise(np.radians, float(np.pi / 180))
rad2deg = elementwise(np.rad2deg, float(180 / np.pi))
degrees = elementwise(np.degrees, float(180 / np.pi))
sinc = elementwise(np.sinc, lambda _out, x: sinc_derivative(x, order=1), name="sinc", dtype=like(np.sin))

# ---------------------------------------------------------------- not holomorphic

conjugate = elementwise(np.conjugate, 1, wirtinger=(None, 1), name="conjugate")
absolute = elementwise(
    np.absolute,
    lambda _out, x: np.sign(x),
    wirtinger=(lambda _out, x: np.conjugate(np.sign(x)) / 2, lambda _out, x: np.sign(x) / 2),
)
fabs = elementwise(np.fabs, lambda _out, x: np.sign(x))
real = elementwise(np.real, 1, wirtinger=(0.5, 0.5), name="real", dtype=lambda x: _real_dtype(x))
imag = elementwise(np.imag, None, wirtinger=(-0.5j, 0.5j), name="imag", dtype=lambda x: _real_dtype(x))


def _real_dtype(x: Any) -> np.dtype:
    return np.zeros((), result_dtype(x)).real.dtype


def _cast(x: Any, dtype: np.dtype) -> Any:
    x = np.asarray(x)
    return (x.real if x.dtype.kind == "c" and dtype.kind != "c" else x).astype(dtype)


cast = elementwise(_cast, 1, name="cast", dtype=lambda x, dtype: dtype)

# ---------------------------------------------------------------- derivative exactly zero


def _sign_complex(_out: Any, z: Any) -> Any:
    radius = np.abs(z)
    return 0.5 / np.where(radius == 0, np.inf, radius)


sign = elementwise(
    np.sign,
    None,
    # sign(z) = z / |z|: its derivatives are 1 / (2 |z|) and -sign(z)^2 / (2 |z|).
    wirtinger=(_sign_complex, lambda out, z: -out * out * _sign_complex(out, z)),
)
floor = elementwise(np.floor, None)
ceil = elementwise(np.ceil, None)
trunc = elementwise(np.trunc, None)
rint = elementwise(np.rint, None)
heaviside = elementwise(np.heaviside, None, lambda _out, x, _y: x == 0)
spacing = elementwise(np.spacing, None)
round_ = elementwise(
    lambda x, decimals: np.round(x, decimals), None, name="round", dtype=lambda x, decimals: result_dtype(x)
)
copysign = elementwise(np.copysign, lambda _out, x, y: np.sign(x) * np.copysign(1.0, y), None)
nextafter = elementwise(np.nextafter, 1, None)
ldexp = elementwise(np.ldexp, lambda _out, _x, exponent: np.ldexp(1.0, exponent), None)

for _ufunc in (
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_xor, np.logical_not),
    *(np.isfinite, np.isinf, np.isnan, np.signbit),
    *(np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift),
    *(np.gcd, np.lcm, np.bitwise_count),
):
    Discrete(_ufunc)
