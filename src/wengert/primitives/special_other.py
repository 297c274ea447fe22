"""Logistic, entropy and power functions, elliptic integrals, hypergeometric functions, orthogonal polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

from .base import is_complex
from .pointwise import Elementwise
from .slopes import formula as traced_formula
from .special_base import declare, declare_several, floating, formula, private, refused

# ---------------------------------------------------------------- logistic


def _expit_slope(x: Any) -> Any:
    if is_complex(x):
        return sp.expit(x) * sp.expit(-x)
    small = np.exp(-np.abs(x))
    return small / np.square(1 + small)


# Not out (1 - out): for large arguments that is 0, and its derivative cancels for small ones.
expit_slope = traced_formula("special.expit_slope", _expit_slope, lambda out, x: -out * np.tanh(0.5 * x))
logit_slope = traced_formula("special.logit_slope", lambda x: 1 / (x * (1 - x)), lambda out, x: (2 * x - 1) * out * out)
declare("expit", lambda _out, x: expit_slope(x))
declare("logit", lambda _out, x: logit_slope(x))
declare("log_expit", lambda _out, x: sp.expit(-x))

# ---------------------------------------------------------------- entropy and robust losses

declare(
    "xlogy",
    lambda _out, _x, y: np.log(y),
    lambda _out, x, y: np.where(np.equal(x, 0), 0.0, x / np.where(np.equal(x, 0), 1.0, y)),
)
declare(
    "xlog1py",
    lambda _out, _x, y: np.log1p(y),
    lambda _out, x, y: np.where(np.equal(x, 0), 0.0, x / (1 + np.where(np.equal(x, 0), 0.0, y))),
)
declare("entr", lambda _out, x: -1 - np.log(x))
declare("rel_entr", lambda _out, x, y: 1 + np.log(x / y), lambda _out, x, y: -x / y)
declare("kl_div", lambda _out, x, y: np.log(x / y), lambda _out, x, y: (y - x) / y)
declare(
    "huber",
    lambda _out, delta, r: np.maximum(np.abs(r) - delta, 0.0),
    lambda _out, delta, r: np.clip(r, -delta, delta),
)


def _root(delta: Any, r: Any) -> Any:
    return np.hypot(1.0, r / delta)


def _pseudo_huber_by_delta(delta: Any, r: Any) -> Any:
    """delta u^4 / (w (w + 1)^2) with u = r / delta, w = sqrt(1 + u^2)."""
    u, w = r / delta, _root(delta, r)
    return r * np.square(u / (w + 1)) * (u / w)


def _pseudo_huber_by_delta_twice(_out: Any, delta: Any, r: Any) -> Any:
    """-(1 - c)^2 (2 + c) with c = 1 / w."""
    u, w = r / delta, _root(delta, r)
    return -np.square(u / w * (u / (w + 1))) * (2 + 1 / w)


pseudo_huber_by_delta: Elementwise = formula(
    "pseudo_huber_by_delta",
    _pseudo_huber_by_delta,
    _pseudo_huber_by_delta_twice,
    lambda _out, delta, r: (pseudo_huber_slope(delta, r) / delta) ** 3,
)
pseudo_huber_slope: Elementwise = formula(
    "pseudo_huber_slope",
    lambda delta, r: r / _root(delta, r),
    lambda out, delta, r: (out / delta) ** 3,
    lambda _out, delta, r: _root(delta, r) ** -3.0,
)
declare(
    "pseudo_huber",
    lambda _out, delta, r: pseudo_huber_by_delta(delta, r),
    lambda _out, delta, r: pseudo_huber_slope(delta, r),
)

# ---------------------------------------------------------------- powers and elementary functions

declare("cbrt", lambda out, _x: 1 / (3 * np.square(out)))
declare("exp2", lambda out, _x: float(np.log(2.0)) * out)
declare("exp10", lambda out, _x: float(np.log(10.0)) * out)
declare("expm1", lambda _out, x: np.exp(x))
declare("log1p", lambda _out, x: 1 / (1 + x))
declare("cosm1", lambda _out, x: -np.sin(x))
declare("round", None)
declare("sindg", lambda _out, x: float(np.pi / 180) * sp.cosdg(x))
declare("cosdg", lambda _out, x: float(-np.pi / 180) * sp.sindg(x))
declare("tandg", lambda _out, x: float(np.pi / 180) / np.square(sp.cosdg(x)))
declare("cotdg", lambda _out, x: float(-np.pi / 180) / np.square(sp.sindg(x)))
declare("radian", float(np.pi / 180), float(np.pi / 10800), float(np.pi / 648000))
declare("_log1mexp", lambda _out, x: -1 / np.expm1(-x))
declare("_log1pmx", lambda _out, x: -x / (1 + x))
declare("_sinpi", lambda _out, x: np.pi * private._cospi(x))
declare("_cospi", lambda _out, x: -np.pi * private._sinpi(x))
declare("powm1", lambda _out, x, y: y * x ** (y - 1.0), lambda _out, x, y: x ** (1.0 * y) * np.log(x))


def _exprel_slope(out: Any, x: Any) -> Any:
    """(exp(x) - exprel(x)) / x; where that cancels, exprel(x) = 1F1(1, 2, x)."""
    near = np.abs(x) < 3
    far = np.where(near, 3.0, x)
    return np.where(near, 0.5 * sp.hyp1f1(2.0, 3.0, np.where(near, x, 0.0)), (np.exp(far) - out) / far)


declare("exprel", _exprel_slope)


def _boxcox_by_power(log: Any, power: Any) -> Any:
    """log^2 exprel'(power log): boxcox(x, p) = log(x) exprel(p log(x)), without cancellation at p = 0."""
    t = power * log
    return np.square(log) * _exprel_slope(sp.exprel(t), t)


declare(
    "boxcox",
    lambda _out, x, power: x ** (power - 1.0),
    lambda _out, x, power: _boxcox_by_power(np.log(x), power),
)
declare(
    "boxcox1p",
    lambda _out, x, power: np.exp((power - 1.0) * np.log1p(x)),
    lambda _out, x, power: _boxcox_by_power(np.log1p(x), power),
)


def _logarithm_slope(t: Any, order: int) -> Any:
    """Derivative of q = log1p(t) / t: by its series for small t, else by t q^(n) = log1p^(n) - n q^(n-1)."""
    t = np.asarray(t)
    kind = t.dtype if t.dtype.kind in "fc" else np.dtype(float)
    near = np.abs(t) < 0.3
    small = np.where(near, t, 0)
    series: Any = np.zeros(t.shape, kind)
    for k in range(order + 40, order - 1, -1):  # sum of (-t)^k / (k + 1), differentiated
        factor = float(np.prod(np.arange(k - order + 1, k + 1, dtype=float)))
        series = series * small + (-1.0) ** k * factor / (k + 1)
    far = np.where(near, 1, t)
    value = np.log1p(far) / far
    for n in range(1, order + 1):
        factorial = float(np.prod(np.arange(1, n, dtype=float)))
        value = ((-1.0) ** (n + 1) * factorial / (1 + far) ** n - n * value) / far
    return np.where(near, series, value).astype(kind)


logarithm_slope: Elementwise = formula(
    "log1p_quotient", _logarithm_slope, lambda _out, t, order: logarithm_slope(t, order=order + 1)
)
"""The `order`-th derivative of log1p(t) / t."""


def _inverse_by_power(grown: Any, y: Any, power: Any) -> Any:
    """With log(grown) = log1p(power y) / power, the derivative by power is grown y^2 times that of log1p(t) / t."""
    return grown * np.square(y) * logarithm_slope(power * y, order=1)


declare(
    "inv_boxcox",
    lambda out, y, power: out / (1 + power * y),
    lambda out, y, power: _inverse_by_power(out, y, power),
)
declare(
    "inv_boxcox1p",
    lambda out, y, power: (1 + out) / (1 + power * y),
    lambda out, y, power: _inverse_by_power(1 + out, y, power),
)


def _spence_slope(_out: Any, z: Any) -> Any:
    """-log(z) / (z - 1)."""
    near = np.abs(z - 1) < 0.5
    t = np.where(near, z - 1, 0.25)
    far = np.where(near, 2.0, z)
    return np.where(near, -logarithm_slope(t, order=0), -np.log(far) / (far - 1))


declare("spence", _spence_slope)
declare("wrightomega", lambda out, _z: out / (1 + out))


def _lambertw_slope(out: Any, z: Any, _k: Any, _tol: Any) -> Any:
    near = np.abs(out) < 1  # elsewhere exp(-out), which is out / z, would cost |out| units
    return np.where(near, np.exp(-np.where(near, out, 0.0)), out / np.where(near, 1.0, z)) / (1 + out)


declare("_lambertw", _lambertw_slope, None, None)

# ---------------------------------------------------------------- elliptic: DLMF 19.25.1, 19.25.5, 19.18.1

_SERIES = 0.3


def _ellipk_second(slope: Any, m: Any) -> Any:
    near = np.abs(m) < _SERIES
    far = np.where(near, 0.5, m)
    by_equation = (0.25 * sp.ellipk(far) - (1 - 2 * far) * slope) / (far * (1 - far))
    return np.where(near, 9 * np.pi / 64 * sp.hyp2f1(2.5, 2.5, 3.0, np.where(near, m, 0.0)), by_equation)


def _ellipe_second(slope: Any, m: Any) -> Any:
    near = np.abs(m) < _SERIES
    far = np.where(near, 0.5, m)
    by_equation = -(slope + ellipk_slope(far)) / (2 * far)
    return np.where(near, -3 * np.pi / 64 * sp.hyp2f1(1.5, 2.5, 3.0, np.where(near, m, 0.0)), by_equation)


def _ellipkm1_second(slope: Any, p: Any) -> Any:
    near = np.abs(p - 1) < _SERIES
    far = np.where(near, 0.5, p)
    by_equation = (0.25 * sp.ellipkm1(far) + (2 * far - 1) * slope) / (far * (1 - far))
    return np.where(near, 9 * np.pi / 64 * sp.hyp2f1(2.5, 2.5, 3.0, np.where(near, 1 - p, 0.0)), by_equation)


ellipk_slope: Elementwise = formula("ellipk_slope", lambda m: sp.elliprd(0.0, 1.0, 1 - m) / 6, _ellipk_second)
ellipkm1_slope: Elementwise = formula("ellipkm1_slope", lambda p: -sp.elliprd(0.0, 1.0, p) / 6, _ellipkm1_second)
ellipe_slope: Elementwise = formula("ellipe_slope", lambda m: -sp.elliprd(0.0, 1 - m, 1.0) / 6, _ellipe_second)
declare("ellipk", lambda _out, m: ellipk_slope(m))
declare("ellipe", lambda _out, m: ellipe_slope(m))
declare("ellipkm1", lambda _out, p: ellipkm1_slope(p))


def _reduced(phi: Any) -> tuple[Any, Any, Any, Any]:
    """Return sin^3 and cos^2 of the angle reduced to a quarter turn, sin^2, and how many half turns were taken off."""
    turns = np.round(phi / np.pi)
    s, c = np.sin(phi - np.pi * turns), np.cos(phi)
    return s**3, c * c, s * s, turns


def _delta_square(c2: Any, s2: Any, m: Any) -> Any:
    return c2 + (1 - m) * s2


_NODES, _WEIGHTS = (0.5 * v for v in np.polynomial.legendre.leggauss(24))
_NODES = _NODES + 0.5


def _integrand(sine: Any, m: Any, power: float, order: int) -> Any:
    """The derivative of (1 - m sin^2)^power by m, of that order."""
    factor = float(np.prod([k - power for k in range(order)]))
    return factor * sine ** (2 * order) * (1 - m * np.square(sine)) ** (power - order)


def _elliptic_by_m(phi: Any, m: Any, power: float, order: int) -> Any:
    """The integral of that up to phi, for small m: the integrand is smooth, so few nodes of Gauss's rule do."""
    dtype = floating(phi, m)
    phi, m = np.broadcast_arrays(phi, m)
    turns = np.round(phi / np.pi)

    def integral(end: Any) -> Any:
        return end * sum(w * _integrand(np.sin(u * end), m, power, order) for u, w in zip(_NODES, _WEIGHTS))

    result = integral(phi - np.pi * turns) + 2 * turns * integral(np.pi / 2)
    return np.asarray(result, dtype)


elliptic_by_m: Elementwise = formula(
    "elliptic_by_m",
    _elliptic_by_m,
    lambda _out, phi, m, power, order: _integrand(np.sin(phi), m, power, order),
    lambda _out, phi, m, power, order: elliptic_by_m(phi, m, power=power, order=order + 1),
)


def _ellipkinc_by_m(_out: Any, phi: Any, m: Any) -> Any:
    near = np.abs(m) < _SERIES
    small, far = np.where(near, m, 0.0), np.where(near, 0.5, m)
    s3, c2, s2, turns = _reduced(phi)
    partial = s3 * sp.elliprd(c2, 1.0, _delta_square(c2, s2, far)) / 6
    whole = 2 * turns * ellipk_slope(np.where(np.equal(turns, 0), 0.0, far))
    by_integral = elliptic_by_m(phi, small, power=-0.5, order=1)
    return np.where(near, by_integral, partial + np.where(np.equal(turns, 0), 0.0, whole))


def _ellipeinc_by_m(_out: Any, phi: Any, m: Any) -> Any:
    near = np.abs(m) < _SERIES
    small, far = np.where(near, m, 0.0), np.where(near, 0.5, m)
    s3, c2, s2, turns = _reduced(phi)
    partial = -s3 * sp.elliprd(c2, _delta_square(c2, s2, far), 1.0) / 6
    by_integral = elliptic_by_m(phi, small, power=0.5, order=1)
    return np.where(near, by_integral, partial + 2 * turns * ellipe_slope(far))


def _delta(phi: Any, m: Any) -> Any:
    return np.sqrt(_delta_square(np.square(np.cos(phi)), np.square(np.sin(phi)), m))


declare("ellipkinc", lambda _out, phi, m: 1 / _delta(phi, m), _ellipkinc_by_m)
declare("ellipeinc", lambda _out, phi, m: _delta(phi, m), _ellipeinc_by_m)
declare(
    "elliprf",
    lambda _out, x, y, z: -sp.elliprd(y, z, x) / 6,
    lambda _out, x, y, z: -sp.elliprd(x, z, y) / 6,
    lambda _out, x, y, z: -sp.elliprd(x, y, z) / 6,
)


def _mixed(by_x: Any, by_y: Any, x: Any, y: Any) -> Any:
    """The second derivative of elliprc by x and y, from (elliprc - 1 / sqrt(x)) = 2 (y - x) by_x."""
    equal = np.equal(x, y)
    return np.where(equal, 0.1 * x**-2.5, (by_y - 2 * by_x) / np.where(equal, 1.0, 2 * (y - x)))


def _by_x_again(out: Any, x: Any, y: Any) -> Any:
    equal = np.equal(x, y)
    return np.where(equal, 0.15 * x**-2.5, (3 * out + 0.5 * x**-1.5) / np.where(equal, 1.0, 2 * (y - x)))


elliprc_by_x: Elementwise = formula(
    "elliprc_by_x",
    lambda x, y: -sp.elliprd(y, y, x) / 6,
    _by_x_again,
    lambda out, x, y: _mixed(out, elliprc_by_y(x, y), x, y),
)
elliprc_by_y: Elementwise = formula(
    "elliprc_by_y",
    lambda x, y: -sp.elliprd(x, y, y) / 3,
    lambda out, x, y: _mixed(elliprc_by_x(x, y), out, x, y),
    # homogeneous of degree -1/2
    lambda out, x, y: -(1.5 * out + x * _mixed(elliprc_by_x(x, y), out, x, y)) / y,
)
declare("elliprc", lambda _out, x, y: elliprc_by_x(x, y), lambda _out, x, y: elliprc_by_y(x, y))


def _elliprd_by_other(out: Any, x: Any, y: Any, z: Any) -> Any:
    """From 1 / ((t + x) (t + z)) in partial fractions; x and z must differ."""
    return (out - sp.elliprd(y, z, x)) / (2 * (z - x))


def _part(out: Any, x: Any, y: Any, z: Any) -> Any:
    """x times the derivative by x, which vanishes at 0."""
    origin = np.equal(x, 0)
    safe = np.where(origin, 0.5 * z, x)
    return np.where(origin, 0.0, safe * _elliprd_by_other(out, safe, y, z))


declare(
    "elliprd",
    lambda out, x, y, z: _elliprd_by_other(out, x, y, z),
    lambda out, x, y, z: _elliprd_by_other(out, y, x, z),
    # homogeneous of degree -3/2
    lambda out, x, y, z: -(1.5 * out + _part(out, x, y, z) + _part(out, y, x, z)) / z,
)


def _amplitude_by_m(outs: Any, u: Any, m: Any) -> Any:
    sn, cn, dn, phi = outs
    return dn * ((1 - m) * u - sp.ellipeinc(phi, m) + m * sn * cn / dn) / (2 * m * (1 - m))


def _dn_by_m(outs: Any, u: Any, m: Any) -> Any:
    sn, cn, dn, _ = outs
    return -(sn * sn + 2 * m * sn * cn * _amplitude_by_m(outs, u, m)) / (2 * dn)


declare_several(
    "ellipj",
    (lambda outs, u, m: outs[1] * outs[2], lambda outs, u, m: outs[1] * _amplitude_by_m(outs, u, m)),
    (lambda outs, u, m: -outs[0] * outs[2], lambda outs, u, m: -outs[0] * _amplitude_by_m(outs, u, m)),
    (lambda outs, u, m: -m * outs[0] * outs[1], _dn_by_m),
    (lambda outs, u, m: outs[2], _amplitude_by_m),
)

# ---------------------------------------------------------------- hypergeometric: DLMF 15.5.1, 13.3.15, 13.3.22

_parameter = "a parameter"
declare("hyp0f1", refused("hyp0f1", _parameter), lambda _out, v, z: sp.hyp0f1(v + 1.0, z) / v)
declare(
    "hyp1f1",
    refused("hyp1f1", _parameter),
    refused("hyp1f1", _parameter),
    lambda _out, a, b, z: a / b * sp.hyp1f1(a + 1.0, b + 1.0, z),
)
declare(
    "hyp2f1",
    refused("hyp2f1", _parameter),
    refused("hyp2f1", _parameter),
    refused("hyp2f1", _parameter),
    lambda _out, a, b, c, z: a * b / c * sp.hyp2f1(a + 1.0, b + 1.0, c + 1.0, z),
)
declare(
    "hyperu",
    refused("hyperu", _parameter),
    refused("hyperu", _parameter),
    lambda _out, a, b, x: -a * sp.hyperu(a + 1.0, b + 1.0, x),
)

# ---------------------------------------------------------------- orthogonal polynomials: DLMF 18.9.15 to 18.9.26


def _lower(function: Any, n: Any, *args: Any) -> Any:
    """The polynomial of degree n - 1, and 0 where n is 0."""
    constant = np.equal(n, 0)
    return np.where(constant, 0.0, function(np.where(constant, 1, n) - 1, *args))


def _polynomial(name: str, *parameters: int) -> list[Any]:
    return [refused(f"eval_{name}", "the degree"), *(refused(f"eval_{name}", _parameter) for _ in parameters)]


declare(
    "eval_jacobi",
    *_polynomial("jacobi", 1, 2),
    lambda _out, n, a, b, x: 0.5 * (n + a + b + 1) * _lower(sp.eval_jacobi, n, a + 1.0, b + 1.0, x),
)
declare(
    "eval_sh_jacobi",
    *_polynomial("sh_jacobi", 1, 2),
    lambda _out, n, p, q, x: n * _lower(sp.eval_sh_jacobi, n, p + 2.0, q + 1.0, x),
)
declare(
    "eval_gegenbauer",
    *_polynomial("gegenbauer", 1),
    lambda _out, n, a, x: 2 * a * _lower(sp.eval_gegenbauer, n, a + 1.0, x),
)
declare(
    "eval_legendre",
    *_polynomial("legendre"),
    lambda _out, n, x: 0.5 * (n + 1) * _lower(sp.eval_jacobi, n, 1.0, 1.0, x),
)
declare(
    "eval_sh_legendre",
    *_polynomial("sh_legendre"),
    lambda _out, n, x: (n + 1) * _lower(sp.eval_jacobi, n, 1.0, 1.0, 2 * x - 1),
)
declare("eval_chebyt", *_polynomial("chebyt"), lambda _out, n, x: n * _lower(sp.eval_chebyu, n, x))
declare("eval_chebyu", *_polynomial("chebyu"), lambda _out, n, x: 2 * _lower(sp.eval_gegenbauer, n, 2.0, x))
declare("eval_chebyc", *_polynomial("chebyc"), lambda _out, n, x: n * _lower(sp.eval_chebys, n, x))
declare("eval_chebys", *_polynomial("chebys"), lambda _out, n, x: _lower(sp.eval_gegenbauer, n, 2.0, 0.5 * x))
declare("eval_sh_chebyt", *_polynomial("sh_chebyt"), lambda _out, n, x: 2 * n * _lower(sp.eval_sh_chebyu, n, x))
declare(
    "eval_sh_chebyu",
    *_polynomial("sh_chebyu"),
    lambda _out, n, x: 4 * _lower(sp.eval_gegenbauer, n, 2.0, 2 * x - 1),
)
declare("eval_hermite", *_polynomial("hermite"), lambda _out, n, x: 2 * n * _lower(sp.eval_hermite, n, x))
declare("eval_hermitenorm", *_polynomial("hermitenorm"), lambda _out, n, x: n * _lower(sp.eval_hermitenorm, n, x))
declare("eval_laguerre", *_polynomial("laguerre"), lambda _out, n, x: -_lower(sp.eval_genlaguerre, n, 1.0, x))
declare(
    "eval_genlaguerre",
    *_polynomial("genlaguerre", 1),
    lambda _out, n, a, x: -_lower(sp.eval_genlaguerre, n, a + 1.0, x),
)
