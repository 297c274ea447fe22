"""Same names as `scipy.stats`: densities and distribution functions of the common distributions.

Differentiable by the point, `loc`, `scale` and, for densities, the shape parameters. Distribution functions with a
shape parameter (`gamma.cdf`, `beta.cdf`, `t.cdf`, ...) are differentiable by the point, `loc` and `scale`; by the
shape they raise, as the incomplete gamma and beta functions do. Methods without a rule are SciPy's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp
import scipy.stats as original

from ..errors import ShapeError
from ..primitives.special_other import expit_slope
from . import linalg
from ._face import floating, holds_tensor, refuse

Rule = Callable[..., Any]
_LOG_2PI = float(np.log(2 * np.pi))
_METHODS = ("pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf")


def __getattr__(name: str) -> Any:
    return getattr(original, name)


class Distribution:
    """A distribution of `scipy.stats` with rules for tensors, called as SciPy's is.

    Parameters
    ----------
    name : str
        In `scipy.stats`.
    support : callable
        `(*shapes) -> (low, high)` of the standardized variable.
    inside : float
        A point of the support, where masked points are evaluated instead.
    discrete : bool
    **rules : callable
        `logpdf`, `cdf`, ... of `(y, *shapes)` with y in the support.
    """

    def __init__(self, name: str, support: Rule, inside: float = 0.5, discrete: bool = False, **rules: Rule) -> None:
        self.name = name
        self.original = getattr(original, name)
        self.support = support
        self.inside = inside
        self.discrete = discrete
        self.rules = rules
        self.shapes = [s.strip() for s in self.original.shapes.split(",")] if self.original.shapes else []
        self.__doc__ = f"Same as `scipy.stats.{name}`."

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Freeze the parameters, as SciPy does."""
        if holds_tensor(args) or holds_tensor(options):
            return Frozen(self, args, options)
        return FrozenPlain(self, args, options)

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return functools.partial(self._method, name)
        return getattr(self.original, name)

    def _method(self, name: str, x: Any, *args: Any, **options: Any) -> Any:
        if not (holds_tensor((x, *args)) or holds_tensor(options)):
            return getattr(self.original, name)(x, *args, **options)
        names = [*self.shapes, "loc"] if self.discrete else [*self.shapes, "loc", "scale"]
        if len(args) > len(names):
            raise TypeError(f"scipy.stats.{self.name}.{name}: {len(args)} parameters given, at most {len(names)} taken")
        values = dict(zip(names, args, strict=False))
        for key, value in options.items():
            if key not in names or key in values:
                raise TypeError(f"scipy.stats.{self.name}.{name}: unexpected or repeated argument {key!r}")
            values[key] = value
        missing = [s for s in self.shapes if s not in values]
        if missing:
            raise TypeError(f"scipy.stats.{self.name}.{name}: missing argument {missing[0]!r}")
        shapes = [floating(values[s]) for s in self.shapes]
        loc, scale = (floating(values[key]) if key in values else None for key in ("loc", "scale"))
        with np.errstate(all="ignore"):
            return self._standardized(name, floating(x), shapes, loc, scale)

    def _standardized(self, name: str, x: Any, shapes: list[Any], loc: Any, scale: Any) -> Any:
        if name in ("ppf", "isf"):
            value = self._quantile(name, x, shapes)
            value = value if scale is None else value * scale
            value = value if loc is None else value + loc
        else:
            y = x if loc is None else x - loc
            value = self._value(name, y if scale is None else y / scale, shapes)
            if scale is not None and name == "logpdf":
                value = value - np.log(scale)
            elif scale is not None and name == "pdf":
                value = value / scale
        return value if scale is None else np.where(np.greater(scale, 0), value, np.nan)

    def _value(self, name: str, y: Any, shapes: list[Any]) -> Any:
        low, high = self.support(*shapes)
        below, above = np.less(y, low), np.greater(y, high)
        if self.discrete and name in ("pmf", "logpmf"):
            below = np.logical_or(below, np.not_equal(y, np.floor(y)))
        outside = np.logical_or(below, above)
        y = np.where(outside, self._a_point_inside(low), y)
        at_low, at_high = {
            "pdf": (0.0, 0.0),
            "pmf": (0.0, 0.0),
            "logpdf": (-np.inf, -np.inf),
            "logpmf": (-np.inf, -np.inf),
            "cdf": (0.0, 1.0),
            "sf": (1.0, 0.0),
            "logcdf": (-np.inf, 0.0),
            "logsf": (0.0, -np.inf),
        }[name]
        value = np.where(above, at_high, self._rule(name, y, shapes))
        return np.where(below, at_low, value)

    def _a_point_inside(self, low: Any) -> Any:
        return low if self.discrete else np.where(np.isfinite(low), low, 0.0) + self.inside

    def _rule(self, name: str, y: Any, shapes: list[Any]) -> Any:
        rule = self.rules.get(name)
        if rule is not None:
            return rule(y, *shapes)
        log_density = "logpmf" if self.discrete else "logpdf"
        if name in ("pdf", "pmf"):
            return np.exp(self.rules[log_density](y, *shapes))
        if name == "sf" and "cdf" in self.rules:
            return 1 - self.rules["cdf"](y, *shapes)
        if name in ("logcdf", "logsf") and "cdf" in self.rules:
            return np.log(self._rule(name[3:], y, shapes))
        raise refuse(f"scipy.stats.{self.name}.{name}", "this method", "logpdf, pdf or cdf")

    def _quantile(self, name: str, q: Any, shapes: list[Any]) -> Any:
        rule = self.rules.get(name)
        if rule is None and name == "isf" and "ppf" in self.rules:
            rule, q = self.rules["ppf"], 1 - q
        if rule is None:
            raise refuse(f"scipy.stats.{self.name}.{name}", "this method", "logpdf, pdf or cdf")
        return rule(q, *shapes)


class Frozen:
    """A distribution with its parameters filled in."""

    def __init__(self, distribution: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.dist = distribution
        self.args = args
        self.kwds = options

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return functools.partial(self._method, name)
        raise AttributeError(f"a frozen distribution of tensors has no {name!r}; it has {', '.join(_METHODS)}")

    def _method(self, name: str, x: Any) -> Any:
        return getattr(self.dist, name)(x, *self.args, **self.kwds)


class FrozenPlain(Frozen):
    """A frozen distribution of plain numbers: SciPy's own, except for tensors as points."""

    def __getattr__(self, name: str) -> Any:
        if name in _METHODS:
            return functools.partial(self._method, name)
        return getattr(self.dist.original(*self.args, **self.kwds), name)


def _everywhere(*_: Any) -> tuple[float, float]:
    return -np.inf, np.inf


def _positive(*_: Any) -> tuple[float, float]:
    return 0.0, np.inf


def _unit(*_: Any) -> tuple[float, float]:
    return 0.0, 1.0


def _t_logpdf(y: Any, df: Any) -> Any:
    half = 0.5 * (df + 1)
    # two logarithms of gamma functions would cancel where there are many degrees of freedom
    return -sp.betaln(0.5 * df, 0.5) - 0.5 * np.log(df) - half * np.log1p(y * y / df)


def _f_logpdf(y: Any, n: Any, m: Any) -> Any:
    return (
        0.5 * (m * np.log(m) + n * np.log(n))
        + sp.xlogy(0.5 * n - 1, y)
        - 0.5 * (n + m) * np.log(m + n * y)
        - sp.betaln(0.5 * n, 0.5 * m)
    )


def _logistic_logpdf(y: Any) -> Any:
    size = np.abs(y)
    near = size < 1  # the two terms' slopes cancel there
    small, far = np.where(near, y, 0.0), np.where(near, 1.0, size)
    return np.where(near, np.log(expit_slope(small)), -far - 2 * np.log1p(np.exp(-far)))


def _half_exponential(y: Any) -> Any:
    return 0.5 * np.exp(-np.abs(y))


norm = Distribution(
    "norm",
    _everywhere,
    logpdf=lambda y: -0.5 * y * y - 0.5 * _LOG_2PI,
    cdf=sp.ndtr,
    sf=lambda y: sp.ndtr(-y),
    logcdf=sp.log_ndtr,
    logsf=lambda y: sp.log_ndtr(-y),
    ppf=sp.ndtri,
    isf=lambda q: -sp.ndtri(q),
)
expon = Distribution(
    "expon",
    _positive,
    logpdf=np.negative,
    cdf=lambda y: -np.expm1(-y),
    sf=lambda y: np.exp(-y),
    logsf=np.negative,
    ppf=lambda q: -np.log1p(-q),
    isf=lambda q: -np.log(q),
)
gamma = Distribution(
    "gamma",
    _positive,
    logpdf=lambda y, a: sp.xlogy(a - 1, y) - y - sp.gammaln(a),
    cdf=lambda y, a: sp.gammainc(a, y),
    sf=lambda y, a: sp.gammaincc(a, y),
    ppf=lambda q, a: sp.gammaincinv(a, q),
    isf=lambda q, a: sp.gammainccinv(a, q),
)
beta = Distribution(
    "beta",
    _unit,
    logpdf=lambda y, a, b: sp.xlog1py(b - 1, -y) + sp.xlogy(a - 1, y) - sp.betaln(a, b),
    cdf=lambda y, a, b: sp.betainc(a, b, y),
    ppf=lambda q, a, b: sp.betaincinv(a, b, q),
)
t = Distribution(
    "t",
    _everywhere,
    logpdf=_t_logpdf,
    cdf=lambda y, df: sp.stdtr(df, y),
    sf=lambda y, df: sp.stdtr(df, -y),
    ppf=lambda q, df: sp.stdtrit(df, q),
    isf=lambda q, df: -sp.stdtrit(df, q),
)
chi2 = Distribution(
    "chi2",
    _positive,
    inside=1.0,
    logpdf=lambda y, df: sp.xlogy(0.5 * df - 1, y) - 0.5 * y - sp.gammaln(0.5 * df) - 0.5 * float(np.log(2)) * df,
    cdf=lambda y, df: sp.chdtr(df, y),
    sf=lambda y, df: sp.chdtrc(df, y),
    ppf=lambda q, df: 2 * sp.gammaincinv(0.5 * df, q),
    isf=lambda q, df: sp.chdtri(df, q),
)
uniform = Distribution("uniform", _unit, logpdf=lambda y: 0.0 * y, cdf=lambda y: y, sf=lambda y: 1 - y, ppf=lambda q: q)
lognorm = Distribution(
    "lognorm",
    _positive,
    logpdf=lambda y, s: -0.5 * np.square(np.log(y) / s) - np.log(s * y) - 0.5 * _LOG_2PI,
    cdf=lambda y, s: sp.ndtr(np.log(y) / s),
    sf=lambda y, s: sp.ndtr(-np.log(y) / s),
    logcdf=lambda y, s: sp.log_ndtr(np.log(y) / s),
    logsf=lambda y, s: sp.log_ndtr(-np.log(y) / s),
    ppf=lambda q, s: np.exp(s * sp.ndtri(q)),
)
laplace = Distribution(
    "laplace",
    _everywhere,
    logpdf=lambda y: -np.abs(y) - float(np.log(2)),
    cdf=lambda y: np.where(np.greater(y, 0), 1 - _half_exponential(y), _half_exponential(y)),
    sf=lambda y: np.where(np.greater(y, 0), _half_exponential(y), 1 - _half_exponential(y)),
    ppf=lambda q: np.where(np.greater(q, 0.5), -np.log(2 * (1 - q)), np.log(2 * q)),
)
logistic = Distribution(
    "logistic",
    _everywhere,
    logpdf=_logistic_logpdf,
    cdf=sp.expit,
    sf=lambda y: sp.expit(-y),
    logcdf=sp.log_expit,
    logsf=lambda y: sp.log_expit(-y),
    ppf=sp.logit,
    isf=lambda q: -sp.logit(q),
)
cauchy = Distribution(
    "cauchy",
    _everywhere,
    logpdf=lambda y: -2 * np.log(np.hypot(1.0, y)) - float(np.log(np.pi)),
    cdf=lambda y: np.arctan2(1.0, -y) / np.pi,
    sf=lambda y: np.arctan2(1.0, y) / np.pi,
    ppf=lambda q: np.tan(np.pi * q - np.pi / 2),
)
weibull_min = Distribution(
    "weibull_min",
    _positive,
    logpdf=lambda y, c: np.log(c) + sp.xlogy(c - 1, y) - y**c,
    cdf=lambda y, c: -np.expm1(-(y**c)),
    sf=lambda y, c: np.exp(-(y**c)),
    logsf=lambda y, c: -(y**c),
    ppf=lambda q, c: (-np.log1p(-q)) ** (1 / c),
)
pareto = Distribution(
    "pareto",
    lambda b: (1.0, np.inf),
    logpdf=lambda y, b: np.log(b) - (b + 1) * np.log(y),
    cdf=lambda y, b: 1 - y**-b,
    sf=lambda y, b: y**-b,
    ppf=lambda q, b: (1 - q) ** (-1 / b),
)
halfnorm = Distribution(
    "halfnorm",
    _positive,
    logpdf=lambda y: 0.5 * float(np.log(2 / np.pi)) - 0.5 * y * y,
    cdf=lambda y: sp.erf(y * float(np.sqrt(0.5))),
    sf=lambda y: 2 * sp.ndtr(-y),
    ppf=lambda q: sp.ndtri(0.5 * (1 + q)),
)
rayleigh = Distribution(
    "rayleigh",
    _positive,
    logpdf=lambda y: np.log(y) - 0.5 * y * y,
    cdf=lambda y: -np.expm1(-0.5 * y * y),
    sf=lambda y: np.exp(-0.5 * y * y),
    logsf=lambda y: -0.5 * y * y,
    ppf=lambda q: np.sqrt(-2 * np.log1p(-q)),
)
gumbel_r = Distribution(
    "gumbel_r",
    _everywhere,
    logpdf=lambda y: -y - np.exp(-y),
    cdf=lambda y: np.exp(-np.exp(-y)),
    logcdf=lambda y: -np.exp(-y),
    sf=lambda y: -np.expm1(-np.exp(-y)),
    ppf=lambda q: -np.log(-np.log(q)),
)
invgamma = Distribution(
    "invgamma",
    _positive,
    logpdf=lambda y, a: -(a + 1) * np.log(y) - sp.gammaln(a) - 1 / y,
    cdf=lambda y, a: sp.gammaincc(a, 1 / y),
    sf=lambda y, a: sp.gammainc(a, 1 / y),
    ppf=lambda q, a: 1 / sp.gammainccinv(a, q),
)
f = Distribution(
    "f",
    _positive,
    logpdf=_f_logpdf,
    cdf=lambda y, n, m: sp.fdtr(n, m, y),
    sf=lambda y, n, m: sp.fdtrc(n, m, y),
    ppf=lambda q, n, m: sp.fdtri(n, m, q),
)

# ---------------------------------------------------------------- discrete


def _binom_logpmf(k: Any, n: Any, p: Any) -> Any:
    ways = sp.gammaln(n + 1) - (sp.gammaln(k + 1) + sp.gammaln(n - k + 1))
    return ways + sp.xlogy(k, p) + sp.xlog1py(n - k, -p)


def _binom_tail(k: Any, n: Any, p: Any, upper: bool) -> Any:
    k = np.floor(k)
    last = np.greater_equal(k, n)
    rest = np.where(last, 1.0, n - k)
    if upper:
        return np.where(last, 0.0, sp.betainc(k + 1, rest, p))
    return np.where(last, 1.0, sp.betainc(rest, k + 1, 1 - p))


def _nbinom_logpmf(k: Any, n: Any, p: Any) -> Any:
    return sp.gammaln(n + k) - sp.gammaln(k + 1) - sp.gammaln(n) + n * np.log(p) + sp.xlog1py(k, -p)


poisson = Distribution(
    "poisson",
    _positive,
    discrete=True,
    logpmf=lambda k, mu: sp.xlogy(k, mu) - sp.gammaln(k + 1) - mu,
    cdf=lambda k, mu: sp.pdtr(np.floor(k), mu),
    sf=lambda k, mu: sp.pdtrc(np.floor(k), mu),
)
binom = Distribution(
    "binom",
    lambda n, p: (0.0, n),
    discrete=True,
    logpmf=_binom_logpmf,
    cdf=lambda k, n, p: _binom_tail(k, n, p, upper=False),
    sf=lambda k, n, p: _binom_tail(k, n, p, upper=True),
)
bernoulli = Distribution(
    "bernoulli",
    lambda p: (0.0, 1.0),
    discrete=True,
    logpmf=lambda k, p: sp.xlogy(k, p) + sp.xlog1py(1 - k, -p),
    cdf=lambda k, p: np.where(np.less(k, 1), 1 - p, 1.0),
)
geom = Distribution(
    "geom",
    lambda p: (1.0, np.inf),
    discrete=True,
    logpmf=lambda k, p: sp.xlog1py(k - 1, -p) + np.log(p),
    cdf=lambda k, p: -np.expm1(np.floor(k) * np.log1p(-p)),
    sf=lambda k, p: np.exp(np.floor(k) * np.log1p(-p)),
    logsf=lambda k, p: np.floor(k) * np.log1p(-p),
)
nbinom = Distribution(
    "nbinom",
    lambda n, p: (0.0, np.inf),
    discrete=True,
    logpmf=_nbinom_logpmf,
    cdf=lambda k, n, p: sp.betainc(n, np.floor(k) + 1, p),
)

# ---------------------------------------------------------------- several variables


class _Several:
    """What the distributions of several variables share: SciPy's own where no argument is a tensor."""

    def __init__(self, name: str) -> None:
        self.original = getattr(original, name)
        self.name = name

    def __call__(self, *args: Any, **options: Any) -> Any:
        if holds_tensor(args) or holds_tensor(options):
            return Frozen(self, args, options)
        return FrozenPlain(self, args, options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def logpdf(self, x: Any, *args: Any, **options: Any) -> Any:
        """Return the logarithm of the density."""
        if not (holds_tensor((x, *args)) or holds_tensor(options)):
            return self.original.logpdf(x, *args, **options)
        return self._logpdf(x, *args, **options)

    def pdf(self, x: Any, *args: Any, **options: Any) -> Any:
        """Return the density."""
        return np.exp(self.logpdf(x, *args, **options))

    def _logpdf(self, x: Any, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


class _MultivariateNormal(_Several):
    def _logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """Through a Cholesky factor, which reads the lower triangle of `cov`; `cov` must be positive definite."""
        if allow_singular:
            raise refuse("scipy.stats.multivariate_normal", "allow_singular=True", "a positive definite cov")
        x, cov = floating(x), floating(cov)
        if mean is None:
            n = cov.shape[-1] if cov.ndim else (x.shape[-1] if x.ndim else 1)
            mean = np.zeros(n)
        mean = np.ravel(floating(mean))
        n = mean.shape[0]
        cov = cov * np.eye(n) if cov.ndim == 0 else cov * np.eye(n) if cov.ndim == 1 else cov
        if cov.shape != (n, n):
            raise ShapeError(f"multivariate_normal: cov has shape {cov.shape}, but the mean has {n} elements")
        if x.ndim == 0:
            x = np.reshape(x, (1,))
        elif x.ndim == 1 and n == 1:
            x = np.reshape(x, (-1, 1))
        factor = linalg.base.cholesky(cov)
        flat = np.reshape(x - mean, (-1, n))
        z = linalg.p.triangular_solve(factor, np.swapaxes(flat, 0, 1), lower=True, unit=False)
        distance = np.reshape(np.sum(z * z, axis=0), x.shape[:-1])
        return -0.5 * (n * _LOG_2PI + distance) - np.sum(np.log(np.diagonal(factor)))


class _Dirichlet(_Several):
    def _logpdf(self, x: Any, alpha: Any) -> Any:
        x, alpha = floating(x), floating(alpha)
        if x.shape[0] == alpha.shape[-1] - 1:
            x = np.concatenate([x, np.expand_dims(1 - np.sum(x, axis=0), 0)], axis=0)
        if x.shape[0] != alpha.shape[-1]:
            raise ShapeError(f"dirichlet: x has {x.shape[0]} entries, but alpha has {alpha.shape[-1]}")
        shape = (alpha.shape[-1],) + (1,) * (x.ndim - 1)
        total = np.sum(sp.xlogy(np.reshape(alpha - 1, shape), x), axis=0)
        return total + sp.gammaln(np.sum(alpha)) - np.sum(sp.gammaln(alpha))


multivariate_normal = _MultivariateNormal("multivariate_normal")
dirichlet = _Dirichlet("dirichlet")

__all__ = [name for name, value in list(globals().items()) if isinstance(value, Distribution | _Several)]
