"""Gamma and beta functions, their logarithms, inverses and incomplete forms, and distribution functions."""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
import scipy.special as sp

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


def _at_pole(x: Any) -> Any:
    return np.equal(x, np.floor(np.real(x))) & (np.real(x) <= 0)


def _rgamma_derivative(x: Any) -> Any:
    """-digamma(x) / gamma(x); (-1)^n n! at the zeros x = -n."""
    pole = _at_pole(x)
    n = np.where(pole, -np.real(x), 0.0)
    limit = np.cos(np.pi * n) * sp.gamma(n + 1)
    return np.where(pole, limit, -sp.rgamma(x) * sp.digamma(np.where(pole, 1.0, x)))


def _rgamma_second(out: Any, x: Any) -> Any:
    """(digamma^2 - trigamma) / gamma; -2 (-1)^n n! digamma(n + 1) at x = -n."""
    pole = _at_pole(x)
    safe = np.where(pole, 1.0, x)
    limit = -2 * out * sp.digamma(1 + np.where(pole, -np.real(x), 0.0))
    return np.where(pole, limit, sp.rgamma(safe) * (np.square(sp.digamma(safe)) - polygamma(safe, order=1)))


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
declare(
    "poch",
    lambda out, z, m: out * (sp.digamma(z + m) - sp.digamma(z)),
    lambda out, z, m: out * sp.digamma(z + m),
)

# ---------------------------------------------------------------- beta

declare(
    "beta",
    lambda out, a, b: out * (sp.digamma(a) - sp.digamma(a + b)),
    lambda out, a, b: out * (sp.digamma(b) - sp.digamma(a + b)),
)
declare(
    "betaln",
    lambda _out, a, b: sp.digamma(a) - sp.digamma(a + b),
    lambda _out, a, b: sp.digamma(b) - sp.digamma(a + b),
)
declare(
    "binom",
    lambda out, n, k: out * (sp.digamma(1.0 + n) - sp.digamma(1.0 + n - k)),
    lambda out, n, k: out * (sp.digamma(1.0 + n - k) - sp.digamma(1.0 + k)),
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
