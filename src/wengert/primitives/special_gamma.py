"""Gamma and beta functions, their logarithms, inverses and incomplete forms, and distribution functions."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
import scipy.special as sp

from .base import result_dtype
from .pointwise import Elementwise
from .special_base import declare, formula, private, refused, ufunc

# Bernoulli numbers B_2, B_4, ...
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)


def _polygamma(x: Any, order: int) -> Any:
    x = np.asarray(x)
    if x.dtype.kind == "c":
        return _complex_polygamma(x, order)
    if order == 0:
        return sp.digamma(x)
    return (-1.0) ** (order + 1) * factorial(order) * private._zeta(order + 1.0, x)


def _complex_polygamma(z: np.ndarray, n: int) -> np.ndarray:
    """Recurrence to a large argument (DLMF 5.15.5) and the asymptotic series there (5.15.8)."""
    total = np.zeros(z.shape, np.complex128)
    w = z.astype(np.complex128)
    sign = (-1.0) ** (n + 1)
    steps = int(min(1000, max(0.0, np.max(np.ceil(16 + n - w.real), initial=0.0))))
    for _ in range(steps):
        small = w.real < 16 + n
        total = total + np.where(small, sign * factorial(n) / w ** (n + 1), 0)
        w = np.where(small, w + 1, w)
    series = factorial(n - 1) / w**n + factorial(n) / (2 * w ** (n + 1))
    for k, b in enumerate(_BERNOULLI, 1):
        series = series + b * factorial(2 * k + n - 1) / factorial(2 * k) / w ** (2 * k + n)
    value = np.where(w.real < 16 + n, np.nan, total + sign * series)
    return value.astype(z.dtype)


polygamma: Elementwise = formula("polygamma", _polygamma, lambda _out, x, order: polygamma(x, order=order + 1))
"""The `order`-th derivative of digamma, for complex arguments too."""


def _sides(x: Any) -> tuple[Any, Any, Any]:
    """Return where to reflect (DLMF 5.5.3), the arguments there, and the others: 1 / gamma has its zeros on the left."""
    left = np.real(x) < 0.5
    return left, np.where(left, x, 0.0), np.where(left, 1.0, x)


def _rgamma_derivative(x: Any) -> Any:
    """-digamma(x) / gamma(x); reflected where both have poles."""
    left, y, z = _sides(x)
    reflected = sp.gamma(1 - y) * (private._cospi(y) - sp.digamma(1 - y) * private._sinpi(y) / np.pi)
    return np.where(left, reflected, -sp.rgamma(z) * sp.digamma(z))


def _rgamma_second(_out: Any, x: Any) -> Any:
    """(digamma^2 - trigamma) / gamma; reflected where that cancels."""
    left, y, z = _sides(x)
    psi = sp.digamma(1 - y)
    curve = (np.square(psi) + polygamma(1 - y, order=1) - np.pi**2) / np.pi
    reflected = sp.gamma(1 - y) * (curve * private._sinpi(y) - 2 * psi * private._cospi(y))
    return np.where(left, reflected, sp.rgamma(z) * (np.square(sp.digamma(z)) - polygamma(z, order=1)))


rgamma_derivative: Elementwise = formula("rgamma_derivative", _rgamma_derivative, _rgamma_second)

_by_zeta_order = refused("zeta", "its first argument")
declare("gamma", lambda out, x: out * sp.digamma(x))
declare("gammaln", lambda _out, x: sp.digamma(x))
declare("loggamma", lambda _out, x: sp.digamma(x))
declare("rgamma", lambda _out, x: rgamma_derivative(x))
declare("digamma", lambda _out, x: polygamma(x, order=1))
declare("gammasgn", None)
declare("_zeta", _by_zeta_order, lambda _out, s, q: -s * private._zeta(s + 1.0, q))
declare("_riemann_zeta", _by_zeta_order)
declare("zetac", refused("zetac", "its argument"))
declare("_lgam1p", lambda _out, x: sp.digamma(1.0 + x))
declare("_factorial", lambda out, x: out * sp.digamma(1.0 + x))


def _polygamma_difference(x: Any, h: Any, order: int) -> Any:
    """polygamma(x + h) - polygamma(x), which cancel where x is large: each term's own difference, added up.

    Ten steps of the recurrence (DLMF 5.15.5) and the asymptotic series (5.11.2, 5.15.8) from there.
    """
    x, h = np.broadcast_arrays(*(np.asarray(v, result_dtype(x, h, 0.0)) for v in (x, h)))
    plain = _polygamma(x + h, order) - _polygamma(x, order)
    if x.dtype.kind == "c":
        return plain
    inside = (x > 0) & (x + h > 0)
    y, step = np.where(inside, x, 1.0).astype(float), np.where(inside, h, 0.0).astype(float)

    def power(y: Any, p: int) -> Any:  # (y + step)^-p - y^-p
        return y ** -float(p) * np.expm1(-p * np.log1p(step / y))

    sign = (-1.0) ** (order + 1)
    total: Any = 0.0
    for _ in range(10):
        total = total + sign * factorial(order) * power(y, order + 1)
        y = y + 1
    total = total + (np.log1p(step / y) if order == 0 else sign * factorial(order - 1) * power(y, order))
    total = total + sign * factorial(order) / 2 * power(y, order + 1)
    for k, b in enumerate(_BERNOULLI, 1):
        total = total + sign * b * factorial(2 * k + order - 1) / factorial(2 * k) * power(y, 2 * k + order)
    return np.where(inside, total, plain).astype(x.dtype)


polygamma_difference: Elementwise = formula(
    "polygamma_difference",
    _polygamma_difference,
    lambda _out, x, h, order: polygamma_difference(x, h, order=order + 1),
    lambda _out, x, h, order: polygamma(x + h, order=order + 1),
)


def _gap(x: Any, h: Any) -> Any:
    """digamma(x + h) - digamma(x)."""
    return polygamma_difference(x, h, order=0)


declare(
    "poch",
    lambda out, z, m: out * _gap(z, m),
    lambda out, z, m: out * sp.digamma(z + m),
)

# ---------------------------------------------------------------- beta

declare("beta", lambda out, a, b: -out * _gap(a, b), lambda out, a, b: -out * _gap(b, a))
declare("betaln", lambda _out, a, b: -_gap(a, b), lambda _out, a, b: -_gap(b, a))


def _binom_slope(out: Any, n: Any, k: Any, own: Any, slope: Any) -> Any:
    """out times a logarithmic slope; from 1 / gamma(n - k + 1) where that is 0: at negative integers n - k.

    `own` is the logarithmic slope of the other factors that vary, up to the same sign.
    """
    rest = 1.0 + n - k
    pole = np.equal(rest, np.floor(rest)) & (rest <= 0)
    at_pole = sp.gamma(1.0 + n) * sp.rgamma(1.0 + k) * rgamma_derivative(rest) + out * own
    return np.where(pole, at_pole, out * slope(np.where(pole, 1.0, rest)))


declare(
    "binom",
    lambda out, n, k: _binom_slope(out, n, k, sp.digamma(1.0 + n), lambda rest: _gap(rest, 1.0 * k)),
    lambda out, n, k: -_binom_slope(out, n, k, sp.digamma(1.0 + k), lambda rest: _gap(rest, 2.0 * k - n)),
)


def _beta_density(x: Any, a: Any, b: Any) -> Any:
    """x^(a-1) (1-x)^(b-1) / B(a, b)."""
    if ufunc("_beta_pdf") is not None:
        return private._beta_pdf(x, a, b)
    return np.exp(sp.xlogy(a - 1.0, x) + sp.xlog1py(b - 1.0, -x) - sp.betaln(a, b))


_by_shape = "a shape parameter"
declare(
    "_beta_pdf",
    lambda out, x, a, b: out * ((a - 1.0) / x - (b - 1.0) / (1 - x)),
    lambda out, x, a, b: out * (np.log(x) - sp.digamma(a) + sp.digamma(a + b)),
    lambda out, x, a, b: out * (np.log1p(-x) - sp.digamma(b) + sp.digamma(a + b)),
)
for _name, _sign in (("betainc", 1.0), ("betaincc", -1.0)):
    declare(
        _name,
        refused(_name, _by_shape),
        refused(_name, _by_shape),
        lambda _out, a, b, x, sign=_sign: sign * _beta_density(x, a, b),
    )
for _name, _sign in (("betaincinv", 1.0), ("betainccinv", -1.0)):
    declare(
        _name,
        refused(_name, _by_shape),
        refused(_name, _by_shape),
        lambda out, a, b, _y, sign=_sign: sign / _beta_density(out, a, b),
    )

# ---------------------------------------------------------------- incomplete gamma


def gamma_density(a: Any, x: Any) -> Any:
    """Return x^(a-1) exp(-x) / gamma(a)."""
    if ufunc("_igam_fac") is None:
        return np.exp(sp.xlogy(a - 1.0, x) - x - sp.gammaln(a))
    origin = np.equal(x, 0)
    at_origin = np.where(np.equal(a, 1), 1.0, np.where(np.less(a, 1), np.inf, 0.0))
    return np.where(origin, at_origin, private._igam_fac(a, x) / np.where(origin, 1.0, x))


declare(
    "_igam_fac",
    lambda out, a, x: out * (np.log(x) - sp.digamma(a)),
    lambda out, a, x: out * (a / x - 1),
)
for _name, _sign in (("gammainc", 1.0), ("gammaincc", -1.0)):
    declare(_name, refused(_name, _by_shape), lambda _out, a, x, sign=_sign: sign * gamma_density(a, x))
for _name, _sign in (("gammaincinv", 1.0), ("gammainccinv", -1.0)):
    declare(_name, refused(_name, _by_shape), lambda out, a, _y, sign=_sign: sign / gamma_density(a, out))

# ---------------------------------------------------------------- distribution functions


def _t_density(df: Any, t: Any) -> Any:
    half = 0.5 * df
    scale = np.exp(sp.gammaln(half + 0.5) - sp.gammaln(half)) / np.sqrt(np.pi * df)
    return scale * np.exp(-(half + 0.5) * np.log1p(t * t / df))


def _f_density(n: Any, d: Any, x: Any) -> Any:
    """The density of n x / (n x + d), which is beta distributed, times the slope of that."""
    w = n * x + d
    return _beta_density(n * x / w, 0.5 * n, 0.5 * d) * (n * (d / w) / w)


_by_df = "the degrees of freedom"
declare("stdtr", refused("stdtr", _by_df), lambda _out, df, t: _t_density(df, t))
declare("stdtrit", refused("stdtrit", _by_df), lambda out, df, _p: 1 / _t_density(df, out))
for _name, _sign in (("chdtr", 0.5), ("chdtrc", -0.5)):
    declare(_name, refused(_name, _by_df), lambda _out, df, x, sign=_sign: sign * gamma_density(0.5 * df, 0.5 * x))
declare("chdtri", refused("chdtri", _by_df), lambda out, df, _p: -2 / gamma_density(0.5 * df, 0.5 * out))
for _name, _sign in (("fdtr", 1.0), ("fdtrc", -1.0)):
    declare(
        _name,
        refused(_name, _by_df),
        refused(_name, _by_df),
        lambda _out, n, d, x, sign=_sign: sign * _f_density(n, d, x),
    )
declare("fdtri", refused("fdtri", _by_df), refused("fdtri", _by_df), lambda out, n, d, _p: 1 / _f_density(n, d, out))
for _name, _sign in (("gdtr", 1.0), ("gdtrc", -1.0)):
    declare(
        _name,
        lambda _out, a, b, x, sign=_sign: sign * x * gamma_density(b, a * x),
        refused(_name, _by_shape),
        lambda _out, a, b, x, sign=_sign: sign * a * gamma_density(b, a * x),
    )
for _name, _sign in (("pdtr", -1.0), ("pdtrc", 1.0)):
    declare(
        _name,
        None,  # a step function of the count
        lambda _out, k, m, sign=_sign: sign * gamma_density(np.floor(k) + 1.0, m),
    )
for _name, _sign in (("bdtr", -1.0), ("bdtrc", 1.0)):
    declare(
        _name,
        None,
        refused(_name, "the number of trials"),
        lambda _out, k, n, p, sign=_sign: sign * _beta_density(p, np.floor(k) + 1.0, n - np.floor(k)),
    )
for _name, _sign in (("nbdtr", 1.0), ("nbdtrc", -1.0)):
    declare(
        _name,
        None,
        refused(_name, "the number of successes"),
        lambda _out, k, n, p, sign=_sign: sign * _beta_density(p, n, np.floor(k) + 1.0),
    )

declare("kolmogorov", lambda _out, x: private._kolmogp(x))
declare("_kolmogp", refused("kolmogorov", "its argument, a second time,"))
declare("_smirnovp", refused("smirnov", "the number of samples"), refused("smirnov", "its argument, a second time,"))
declare("smirnov", refused("smirnov", "the number of samples"), lambda _out, n, x: private._smirnovp(n, x))
