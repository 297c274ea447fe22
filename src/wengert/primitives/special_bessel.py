"""Bessel, Struve, Airy and Kelvin functions. Recurrences of derivatives: DLMF 10.6.1, 10.29.1, 11.4.27, 9.2.1."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from .base import is_complex
from .pointwise import Elementwise
from .special_base import declare, declare_several, formula, private, refused, ufunc

_SQRT_PI = float(np.sqrt(np.pi))


def _order(name: str) -> Any:
    return refused(name, "the order")


# ---------------------------------------------------------------- any order

declare("jv", _order("jv"), lambda _out, v, z: 0.5 * (sp.jv(v - 1.0, z) - sp.jv(v + 1.0, z)))
declare("yv", _order("yv"), lambda _out, v, z: 0.5 * (sp.yv(v - 1.0, z) - sp.yv(v + 1.0, z)))
declare("yn", _order("yn"), lambda _out, n, x: 0.5 * (sp.yv(n - 1.0, x) - sp.yv(n + 1.0, x)))
declare("iv", _order("iv"), lambda _out, v, z: 0.5 * (sp.iv(v - 1.0, z) + sp.iv(v + 1.0, z)))
declare("kv", _order("kv"), lambda _out, v, z: -0.5 * (sp.kv(v - 1.0, z) + sp.kv(v + 1.0, z)))
declare("kn", _order("kn"), lambda _out, n, x: -0.5 * (sp.kv(n - 1.0, x) + sp.kv(n + 1.0, x)))
declare("hankel1", _order("hankel1"), lambda _out, v, z: 0.5 * (sp.hankel1(v - 1.0, z) - sp.hankel1(v + 1.0, z)))
declare("hankel2", _order("hankel2"), lambda _out, v, z: 0.5 * (sp.hankel2(v - 1.0, z) - sp.hankel2(v + 1.0, z)))
declare(
    "hankel1e",
    _order("hankel1e"),
    lambda out, v, z: 0.5 * (sp.hankel1e(v - 1.0, z) - sp.hankel1e(v + 1.0, z)) - 1j * out,
)
declare(
    "hankel2e",
    _order("hankel2e"),
    lambda out, v, z: 0.5 * (sp.hankel2e(v - 1.0, z) - sp.hankel2e(v + 1.0, z)) + 1j * out,
)

# ---------------------------------------------------------------- orders 0 and 1

declare("j0", lambda _out, x: -sp.j1(x))
declare("j1", lambda _out, x: 0.5 * (sp.j0(x) - sp.jv(2.0, x)))
declare("y0", lambda _out, x: -sp.y1(x))
declare("y1", lambda _out, x: 0.5 * (sp.y0(x) - sp.yv(2.0, x)))
declare("i0", lambda _out, x: sp.i1(x))
declare("i1", lambda _out, x: 0.5 * (sp.i0(x) + sp.iv(2.0, x)))
declare("k0", lambda _out, x: -sp.k1(x))
declare("k1", lambda _out, x: -0.5 * (sp.k0(x) + sp.kv(2.0, x)))

# ---------------------------------------------------------------- scaled by an exponential


def _ratio_gap(v: Any, x: Any) -> Any:
    """1 - I_v(x) / I_(v-1)(x) for x > 0."""
    if ufunc("_iv_ratio_c") is not None:
        return private._iv_ratio_c(v, x)
    return 1 - sp.ive(v, x) / sp.ive(v - 1.0, x)


declare(
    "_iv_ratio_c",
    _order("_iv_ratio_c"),
    lambda out, v, x: (2 * v - 1) * (1 - out) / x - out * (2 - out),
)
declare("_iv_ratio", _order("_iv_ratio"), lambda out, v, x: (1 - out) * (1 + out) - (2 * v - 1) * out / x)


_FAR = 30.0


def _relative_slope(v: Any, x: Any, sign: float) -> Any:
    """f' / f for large arguments, from Hankel's expansion (DLMF 10.40.1, 10.40.2): f is kve, or ive for sign -1.

    Differences of neighbouring orders lose x units there.
    """
    square, power, factor = 4.0 * np.square(v), 1.0, 1.0
    value, slope = 1.0, 0.0
    for k in range(1, 16):
        factor = factor * sign * (square - (2 * k - 1) ** 2) / (8 * k)
        power = power / x
        value, slope = value + factor * power, slope - k * factor * power / x
    return slope / value - 0.5 / x


def _scaled(v: Any, x: Any, out: Any, sign: float, slope: Any) -> Any:
    """Return the slope, and for large arguments the one from the expansion."""
    far = x > _FAR + np.square(v)
    return np.where(far, out * _relative_slope(v, np.where(far, x, 4 * _FAR), sign), slope(np.where(far, 1.0, x)))


def _i0e_slope(out: Any, x: Any) -> Any:
    """I1 - I0, which nearly cancel for large arguments, from their ratio."""
    size = np.abs(x)
    near = size < 1
    small, rest = np.where(near, size, 0.0), np.where(near, 1.0, size)
    middle = _scaled(0.0, rest, out, -1.0, lambda y: -sp.i0e(y) * _ratio_gap(1.0, y))
    return np.sign(x) * np.where(near, sp.i1e(small) - sp.i0e(small), middle)


def _i1e_slope(out: Any, x: Any) -> Any:
    """exp(-|x|) (I0 - I1 / x) - sign(x) I1, which is I0 c - I1 / x with c = 1 - I1 / I0."""
    size = np.abs(x)
    near = size < 1
    small, rest = np.where(near, size, 0.0), np.where(near, 1.0, size)
    middle = _scaled(1.0, rest, np.abs(out), -1.0, lambda y: sp.i0e(y) * _ratio_gap(1.0, y) - sp.i1e(y) / y)
    return np.where(near, 0.5 * (sp.i0e(small) + sp.ive(2.0, small)) - sp.i1e(small), middle)


declare("i0e", _i0e_slope)
declare("i1e", _i1e_slope)
declare("k0e", lambda out, x: _scaled(0.0, x, out, 1.0, lambda y: sp.k0e(y) - sp.k1e(y)))
declare("k1e", lambda out, x: _scaled(1.0, x, out, 1.0, lambda y: sp.k1e(y) - 0.5 * (sp.k0e(y) + sp.kve(2.0, y))))


def _only_real(name: str, partial: Any) -> Any:
    """Return the partial for real arguments; the scaling makes the function not holomorphic."""
    refuse = refused(name, "a complex argument", hint=f"scipy.special.{name[:-1]}, times the factor")

    def checked(out: Any, v: Any, z: Any) -> Any:
        return refuse(out) if is_complex(z) else partial(out, v, z)

    return checked


def _ive_slope(v: Any, x: Any) -> Any:
    return 0.5 * (sp.ive(v - 1.0, x) + sp.ive(v + 1.0, x)) - np.sign(x) * sp.ive(v, x)


def _kve_slope(v: Any, x: Any) -> Any:
    return sp.kve(v, x) - 0.5 * (sp.kve(v - 1.0, x) + sp.kve(v + 1.0, x))


declare(
    "ive",
    _order("ive"),
    _only_real("ive", lambda out, v, x: _scaled(v, x, out, -1.0, lambda y: _ive_slope(v, y))),
)
declare(
    "kve",
    _order("kve"),
    lambda out, v, z: _kve_slope(v, z) if is_complex(z) else _scaled(v, z, out, 1.0, lambda y: _kve_slope(v, y)),
)
declare("jve", _order("jve"), _only_real("jve", lambda _out, v, x: 0.5 * (sp.jve(v - 1.0, x) - sp.jve(v + 1.0, x))))
declare("yve", _order("yve"), _only_real("yve", lambda _out, v, x: 0.5 * (sp.yve(v - 1.0, x) - sp.yve(v + 1.0, x))))

# ---------------------------------------------------------------- Struve


def _over(out: Any, x: Any) -> Any:
    """out / x, and 0 at the origin, where the functions that this is asked of vanish faster."""
    origin = np.equal(x, 0)
    return np.where(origin, 0.0, out / np.where(origin, 1.0, x))


def _struve_slope(function: Any, sign: float) -> Any:
    """DLMF 11.4.27 and 11.4.31; near 0, where low orders are singular, 11.4.28 and 11.4.30, which lead upwards."""

    def slope(out: Any, v: Any, x: Any) -> Any:
        near = np.abs(x) < 1
        power = (0.5 * x) ** (1.0 * v) * sp.rgamma(v + 1.5) / _SQRT_PI
        following = sign * function(v + 1.0, x)
        far = 0.5 * (function(v - 1.0, np.where(near, 1.0, x)) + following + power)
        return np.where(near, v * _over(out, x) + power + following, far)

    return slope


declare("struve", _order("struve"), _struve_slope(sp.struve, -1.0))
declare("modstruve", _order("modstruve"), _struve_slope(sp.modstruve, 1.0))
declare("itstruve0", lambda _out, x: sp.struve(0.0, x))
declare("itmodstruve0", lambda _out, x: sp.modstruve(0.0, x))

# ---------------------------------------------------------------- Airy

declare_several(
    "airy",
    lambda outs, _z: outs[1],
    lambda outs, z: z * outs[0],
    lambda outs, _z: outs[3],
    lambda outs, z: z * outs[2],
)


def _growth(name: str, z: Any) -> Any:
    """The slope of the exponent 2/3 z^(3/2) that scales airye."""
    if is_complex(z):
        refused(name, "a complex argument", hint="scipy.special.airy")(None)
    return np.sqrt(np.where(np.greater(z, 0), z, 0.0))


declare_several(
    "airye",
    lambda outs, z: outs[1] + _growth("airye", z) * outs[0],
    lambda outs, z: z * outs[0] + _growth("airye", z) * outs[1],
    lambda outs, z: outs[3] - _growth("airye", z) * outs[2],
    lambda outs, z: z * outs[2] - _growth("airye", z) * outs[3],
)


def _airy_part(position: int) -> Any:
    return lambda x: np.asarray(sp.airy(x)[position])


airy_ai: Elementwise = formula("airy_ai", _airy_part(0), lambda _out, x: airy_ai_slope(x))
airy_ai_slope: Elementwise = formula("airy_ai_slope", _airy_part(1), lambda _out, x: x * airy_ai(x))
airy_bi: Elementwise = formula("airy_bi", _airy_part(2), lambda _out, x: airy_bi_slope(x))
airy_bi_slope: Elementwise = formula("airy_bi_slope", _airy_part(3), lambda _out, x: x * airy_bi(x))

# ---------------------------------------------------------------- integrals of these

declare_several("itj0y0", lambda _outs, x: sp.j0(x), lambda _outs, x: sp.y0(x))
declare_several("iti0k0", lambda _outs, x: sp.i0(x), lambda _outs, x: sp.k0(x))
declare_several(
    "itairy",
    lambda _outs, x: airy_ai(x),
    lambda _outs, x: airy_bi(x),
    lambda _outs, x: airy_ai(-x),
    lambda _outs, x: airy_bi(-x),
)

# ---------------------------------------------------------------- Kelvin: DLMF 10.63.1, and x^2 w'' + x w' = i x^2 w

declare("ber", lambda _out, x: sp.berp(x))
declare("bei", lambda _out, x: sp.beip(x))
declare("ker", lambda _out, x: sp.kerp(x))
declare("kei", lambda _out, x: sp.keip(x))


declare("berp", lambda out, x: -sp.bei(x) - _over(out, x))
declare("beip", lambda out, x: np.where(np.equal(x, 0), 0.5, sp.ber(x) - _over(out, x)))
declare("kerp", lambda out, x: -sp.kei(x) - out / x)
declare("keip", lambda out, x: sp.ker(x) - out / x)
