"""Every ufunc of scipy.special with a rule: how it is called, what mpmath calls it, where it is tried.

An entry is (name, SciPy call, mpmath call, points, units in the last place that the derivative may be off). More
than 4 units have a reason, given as a comment: the function itself or one that the derivative needs is no better
there, or the derivative is near one of its zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import scipy.special as sp

import wengert.scipy.special as ws

Entry = tuple[str, Callable[[Any], Any], Any, list[float], float]


class Slope:
    """The derivative itself, for what is defined as an integral."""

    def __init__(self, slope: Callable[[Any], Any]) -> None:
        self.slope = slope


SMALL = [-2.5, -1.0, -0.3, 1e-8, 0.3, 1.0, 2.5]
POSITIVE = [1e-6, 0.01, 0.4, 1.0, 1.7, 3.0, 8.0]
UNIT = [1e-6, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999]


def _sinpi(x: Any) -> Any:
    return mp.sin(mp.pi * x)


def _erfcx(x: Any) -> Any:
    return mp.exp(x * x) * mp.erfc(x)


def _ndtr(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _ndtri(p: Any) -> Any:
    return mp.sqrt(2) * mp.erfinv(2 * p - 1)


def _betainc(a: float, b: float) -> Callable[[Any], Any]:
    return lambda x: mp.betainc(a, b, 0, x, regularized=True)


def _gammainc(a: float) -> Callable[[Any], Any]:
    return lambda x: mp.gammainc(a, 0, x, regularized=True)


def _inverse(function: Callable[[Any], Any], start: Callable[[float], float]) -> Callable[[Any], Any]:
    return lambda y: mp.findroot(lambda x: function(x) - y, start(float(y)), tol=1e-60, verify=False)


def _student(df: float) -> Callable[[Any], Any]:
    def cdf(t: Any) -> Any:
        tail = mp.betainc(mp.mpf(df) / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2
        return 1 - tail if t > 0 else tail

    return cdf


def _ellipkinc(m: float) -> Callable[[Any], Any]:
    return lambda phi: mp.ellipf(phi, m)


def _sn(m: Any, kind: str) -> Callable[[Any], Any]:
    return lambda u: mp.ellipfun(kind, u, m=m)


# fmt: off
TABLE: list[Entry] = [
    # ------------------------------------------------ error functions
    ("erf", sp.erf, mp.erf, [-20.0, -5.0, *SMALL, 5.0, 20.0, 26.0], 4),
    ("erfc", sp.erfc, mp.erfc, [-20.0, -5.0, *SMALL, 5.0, 20.0, 26.0], 4),
    ("erfi", sp.erfi, mp.erfi, [-20.0, *SMALL, 5.0, 20.0], 4),
    ("erfcx", sp.erfcx, _erfcx, [-3.0, *SMALL, 0.9, 1.1, 10.0, 100.0, 1e5], 12),  # cancels up to x = 1.2
    ("dawsn", sp.dawsn, lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x), [*SMALL, 8.0, 50.0, 1e4], 30),
    ("erfinv", sp.erfinv, mp.erfinv, [-0.999, -0.5, 1e-8, 0.3, 0.9], 12),  # 2 y^2 units of y = erfinv(x)
    ("erfcinv", sp.erfcinv, lambda x: mp.erfinv(1 - x), [0.01, 0.5, 1.2, 1.9], 8),
    ("wofz", lambda x: sp.wofz(x).imag, lambda x: mp.im(mp.exp(-x * x) * mp.erfc(-1j * x)), [0.1, 0.5, 2.0], 8),
    ("ndtr", sp.ndtr, _ndtr, [-30.0, *SMALL, 8.0, 37.0], 4),
    ("log_ndtr", sp.log_ndtr, lambda x: mp.log(_ndtr(x)), [-300.0, -30.0, -3.0, *SMALL, 8.0, 30.0], 6),
    ("ndtri", sp.ndtri, _ndtri, [1e-5, 0.1, 0.4, 0.8, 0.99], 16),  # x^2 units of x = ndtri(p)
    ("ndtri_exp", sp.ndtri_exp, lambda y: _ndtri(mp.exp(y)), [-20.0, -3.0, -0.5, -0.05], 16),
    ("owens_t/h", lambda x: sp.owens_t(x, 0.7), lambda h: _owens(h, mp.mpf("0.7")), [0.2, 1.0, 3.0], 8),
    ("owens_t/a", lambda x: sp.owens_t(0.6, x), lambda a: _owens(mp.mpf(0.6), a), [0.2, 0.9, 1.5], 8),
    ("voigt_profile/x", lambda x: sp.voigt_profile(x, 1.2, 0.7), lambda x: _voigt(x, 1.2, 0.7), [0.3, 1.5, 4.0], 30),
    ("voigt_profile/s", lambda x: sp.voigt_profile(0.8, x, 0.7), lambda s: _voigt(0.8, s, 0.7), [0.4, 1.5], 100),
    ("voigt_profile/g", lambda x: sp.voigt_profile(0.8, 1.1, x), lambda g: _voigt(0.8, 1.1, g), [0.4, 1.5], 30),
    # ------------------------------------------------ integrals
    ("fresnel/0", lambda x: sp.fresnel(x)[0], mp.fresnels, [0.3, 1.0, 3.3, 20.7], 6),
    ("fresnel/1", lambda x: sp.fresnel(x)[1], mp.fresnelc, [0.3, 1.1, 3.3, 20.7], 6),
    ("sici/0", lambda x: sp.sici(x)[0], mp.si, [1e-5, 0.5, 2.0, 9.0], 6),
    ("sici/1", lambda x: sp.sici(x)[1], mp.ci, [1e-5, 0.5, 2.0, 9.0], 6),
    ("shichi/0", lambda x: sp.shichi(x)[0], mp.shi, [1e-5, 0.5, 2.0, 9.0], 6),
    ("shichi/1", lambda x: sp.shichi(x)[1], mp.chi, [1e-5, 0.5, 2.0, 9.0], 6),
    ("exp1", sp.exp1, mp.e1, [1e-5, 0.5, 2.0, 30.0], 4),
    ("expi", sp.expi, mp.ei, [-3.0, 1e-5, 0.5, 2.0, 30.0], 4),
    ("expn", lambda x: sp.expn(3, x), lambda x: mp.expint(3, x), [0.1, 0.5, 2.0, 30.0], 8),
    ("expn/1", lambda x: sp.expn(1, x), lambda x: mp.expint(1, x), [0.1, 0.5, 2.0], 8),
    ("expn/0", lambda x: sp.expn(0, x), lambda x: mp.expint(0, x), [0.1, 0.5, 2.0], 8),
    ("spherical_jn", lambda x: ws.spherical_jn(2, x), lambda x: _spherical(mp.besselj, 2, x), [0.7, 3.0, 9.0], 40),
    ("spherical_yn", lambda x: ws.spherical_yn(1, x), lambda x: _spherical(mp.bessely, 1, x), [0.7, 3.0, 9.0], 40),
    ("spherical_in", lambda x: ws.spherical_in(2, x), lambda x: _spherical(mp.besseli, 2, x), [0.7, 3.0, 9.0], 40),
    ("spherical_kn", lambda x: ws.spherical_kn(2, x), lambda x: _modified_k(2, x), [0.7, 3.0, 9.0], 20),
    # ------------------------------------------------ gamma
    ("gamma", sp.gamma, mp.gamma, [-2.5, -0.5, 1e-6, 0.4, 1.0, 2.7, 20.0, 150.0], 12),  # gamma itself: 10 units
    ("gammaln", sp.gammaln, mp.loggamma, [1e-6, 0.4, 1.0, 2.7, 20.0, 1e8], 4),
    ("loggamma", sp.loggamma, mp.loggamma, [1e-6, 0.4, 1.0, 2.7, 20.0, 1e8], 4),
    ("rgamma", sp.rgamma, mp.rgamma, [-3.0, -2.5, -1.0, 0.0, 0.4, 1.0, 2.7, 20.0], 16),
    ("digamma", sp.digamma, mp.digamma, [-3.3, -0.5, 1e-3, 0.4, 1.0, 1.46, 2.7, 20.0, 1e8], 8),
    ("psi", sp.psi, mp.digamma, [0.4, 2.7], 8),
    ("zeta/q", lambda x: sp.zeta(3.0, x), lambda q: mp.zeta(3, q), [0.1, 0.5, 1.0, 7.0, 100.0], 8),
    ("poch/z", lambda x: sp.poch(x, 2.5), lambda z: mp.rf(z, mp.mpf(2.5)), [0.4, 1.5, 8.0], 30),
    ("poch/m", lambda x: sp.poch(1.7, x), lambda m: mp.rf(mp.mpf(1.7), m), [0.4, 1.5, 8.0], 30),
    ("beta/a", lambda x: sp.beta(x, 2.5), lambda a: mp.beta(a, mp.mpf(2.5)), [0.1, 1.5, 8.0], 20),
    ("beta/b", lambda x: sp.beta(2.5, x), lambda a: mp.beta(a, mp.mpf(2.5)), [0.1, 1.5, 8.0], 20),
    ("betaln/a", lambda x: sp.betaln(x, 2.5), lambda a: mp.log(mp.beta(a, mp.mpf(2.5))), [0.1, 1.5, 8.0], 20),
    ("betaln/b", lambda x: sp.betaln(2.5, x), lambda a: mp.log(mp.beta(a, mp.mpf(2.5))), [0.1, 1.5, 8.0], 20),
    ("binom/n", lambda x: sp.binom(x, 2.5), lambda n: mp.binomial(n, mp.mpf(2.5)), [4.1, 6.5, 9.0], 40),
    ("binom/k", lambda x: sp.binom(7.5, x), lambda k: mp.binomial(mp.mpf(7.5), k), [0.7, 2.5, 6.1], 40),
    ("betainc", lambda x: sp.betainc(2.5, 0.7, x), _betainc(2.5, mp.mpf("0.7")), UNIT[1:-1], 20),
    ("betaincc", lambda x: sp.betaincc(2.5, 0.7, x), lambda x: 1 - _betainc(2.5, mp.mpf("0.7"))(x), UNIT[1:-1], 20),
    ("betaincinv", lambda x: sp.betaincinv(2.5, 1.5, x),
     _inverse(_betainc(2.5, 1.5), lambda y: sp.betaincinv(2.5, 1.5, y)), [0.1, 0.5, 0.9], 40),
    ("betainccinv", lambda x: sp.betainccinv(2.5, 1.5, x),
     _inverse(lambda x: 1 - _betainc(2.5, 1.5)(x), lambda y: sp.betainccinv(2.5, 1.5, y)), [0.1, 0.5, 0.9], 40),
    ("gammainc", lambda x: sp.gammainc(2.5, x), _gammainc(2.5), [1e-3, 0.5, 2.0, 9.0], 20),
    ("gammaincc", lambda x: sp.gammaincc(2.5, x), lambda x: 1 - _gammainc(2.5)(x), [1e-3, 0.5, 2.0, 9.0], 20),
    ("gammainc/large", lambda x: sp.gammainc(200.0, x), _gammainc(200.0), [150.0, 200.0, 260.0], 80),
    ("gammaincinv", lambda x: sp.gammaincinv(2.5, x),
     _inverse(_gammainc(2.5), lambda y: sp.gammaincinv(2.5, y)), [0.1, 0.5, 0.9], 20),
    ("gammainccinv", lambda x: sp.gammainccinv(2.5, x),
     _inverse(lambda x: 1 - _gammainc(2.5)(x), lambda y: sp.gammainccinv(2.5, y)), [0.1, 0.5, 0.9], 20),
    ("stdtr", lambda x: sp.stdtr(3.5, x), _student(3.5), [-4.0, -0.7, 0.4, 5.0], 12),
    ("stdtrit", lambda x: sp.stdtrit(3.5, x), _inverse(_student(3.5), lambda p: sp.stdtrit(3.5, p)), [0.1, 0.8], 60),
    ("chdtr", lambda x: sp.chdtr(5.0, x), lambda x: _gammainc(2.5)(x / 2), [0.5, 4.0, 12.0], 12),
    ("chdtrc", lambda x: sp.chdtrc(5.0, x), lambda x: 1 - _gammainc(2.5)(x / 2), [0.5, 4.0, 12.0], 12),
    ("chdtri", lambda x: sp.chdtri(5.0, x),
     _inverse(lambda x: 1 - _gammainc(2.5)(x / 2), lambda y: sp.chdtri(5.0, y)), [0.1, 0.5, 0.9], 20),
    ("fdtr", lambda x: sp.fdtr(3.0, 5.0, x), lambda x: _betainc(1.5, 2.5)(3 * x / (3 * x + 5)), [0.3, 1.0, 4.0], 20),
    ("fdtrc", lambda x: sp.fdtrc(3.0, 5.0, x),
     lambda x: 1 - _betainc(1.5, 2.5)(3 * x / (3 * x + 5)), [0.3, 1.0, 4.0], 20),
    ("fdtri", lambda x: sp.fdtri(3.0, 5.0, x),
     _inverse(lambda x: _betainc(1.5, 2.5)(3 * x / (3 * x + 5)), lambda y: sp.fdtri(3.0, 5.0, y)), [0.2, 0.7], 60),
    ("gdtr/a", lambda x: sp.gdtr(x, 2.5, 1.3), lambda a: _gammainc(2.5)(a * mp.mpf(1.3)), [0.4, 2.0], 12),
    ("gdtr/x", lambda x: sp.gdtr(1.3, 2.5, x), lambda a: _gammainc(2.5)(a * mp.mpf(1.3)), [0.4, 2.0], 12),
    ("gdtrc/x", lambda x: sp.gdtrc(1.3, 2.5, x), lambda a: 1 - _gammainc(2.5)(a * mp.mpf(1.3)), [0.4, 2.0], 12),
    ("pdtr", lambda x: sp.pdtr(3, x), lambda m: 1 - _gammainc(4)(m), [0.4, 2.0, 7.0], 12),
    ("pdtrc", lambda x: sp.pdtrc(3, x), lambda m: _gammainc(4)(m), [0.4, 2.0, 7.0], 12),
    ("bdtr", lambda x: sp.bdtr(3, 8, x), lambda p: 1 - _betainc(4, 5)(p), [0.1, 0.5, 0.8], 20),
    ("bdtrc", lambda x: sp.bdtrc(3, 8, x), lambda p: _betainc(4, 5)(p), [0.1, 0.5, 0.8], 20),
    ("nbdtr", lambda x: sp.nbdtr(3, 8, x), lambda p: _betainc(8, 4)(p), [0.1, 0.5, 0.8], 20),
    ("nbdtrc", lambda x: sp.nbdtrc(3, 8, x), lambda p: 1 - _betainc(8, 4)(p), [0.1, 0.5, 0.8], 20),
    # ------------------------------------------------ Bessel
    ("j0", sp.j0, lambda x: mp.besselj(0, x), [0.1, 1.0, 5.0, 30.0], 20),
    ("j1", sp.j1, lambda x: mp.besselj(1, x), [0.0, 0.1, 1.0, 5.0, 30.0], 20),
    ("y0", sp.y0, lambda x: mp.bessely(0, x), [0.1, 1.0, 5.0, 30.0], 20),
    ("y1", sp.y1, lambda x: mp.bessely(1, x), [0.1, 1.0, 5.0, 30.0], 20),
    ("jv", lambda x: sp.jv(2.5, x), lambda x: mp.besselj(2.5, x), [0.1, 1.0, 5.0, 30.0], 40),
    ("jn", lambda x: sp.jn(2, x), lambda x: mp.besselj(2, x), [0.1, 1.0, 5.0, 30.0], 40),
    ("yv", lambda x: sp.yv(2.5, x), lambda x: mp.bessely(2.5, x), [0.1, 1.0, 5.0, 30.0], 40),
    ("yn", lambda x: sp.yn(2, x), lambda x: mp.bessely(2, x), [0.1, 1.0, 4.0, 30.0], 40),
    ("i0", sp.i0, lambda x: mp.besseli(0, x), [0.1, 1.0, 5.0, 30.0], 8),
    ("i1", sp.i1, lambda x: mp.besseli(1, x), [0.1, 1.0, 5.0, 30.0], 8),
    ("iv", lambda x: sp.iv(2.5, x), lambda x: mp.besseli(2.5, x), [0.1, 1.0, 5.0, 30.0], 20),
    ("k0", sp.k0, lambda x: mp.besselk(0, x), [0.1, 1.0, 5.0, 30.0], 8),
    ("k1", sp.k1, lambda x: mp.besselk(1, x), [0.1, 1.0, 5.0, 30.0], 8),
    ("kv", lambda x: sp.kv(2.5, x), lambda x: mp.besselk(2.5, x), [0.1, 1.0, 5.0, 30.0], 20),
    ("kn", lambda x: sp.kn(2, x), lambda x: mp.besselk(2, x), [0.1, 1.0, 5.0, 30.0], 20),
    ("i0e", sp.i0e, lambda x: mp.besseli(0, x) * mp.exp(-x), [0.1, 1.0, 5.0, 30.0, 1e3], 12),
    ("i1e", sp.i1e, lambda x: mp.besseli(1, x) * mp.exp(-x), [0.1, 1.0, 5.0, 30.0], 100),  # cancels: x units
    ("k0e", sp.k0e, lambda x: mp.besselk(0, x) * mp.exp(x), [0.1, 1.0, 5.0, 30.0], 100),  # cancels: x units
    ("k1e", sp.k1e, lambda x: mp.besselk(1, x) * mp.exp(x), [0.1, 1.0, 5.0, 30.0], 100),
    ("ive", lambda x: sp.ive(2.5, x), lambda x: mp.besseli(2.5, x) * mp.exp(-x), [0.1, 1.0, 5.0, 30.0], 200),
    ("kve", lambda x: sp.kve(2.5, x), lambda x: mp.besselk(2.5, x) * mp.exp(x), [0.1, 1.0, 5.0, 30.0], 100),
    ("jve", lambda x: sp.jve(2.5, x), lambda x: mp.besselj(2.5, x), [0.1, 1.0, 5.0], 40),
    ("yve", lambda x: sp.yve(2.5, x), lambda x: mp.bessely(2.5, x), [0.1, 1.0, 5.0], 40),
    ("hankel1", lambda x: sp.hankel1(1.5, x).imag, lambda x: mp.bessely(1.5, x), [0.1, 1.0, 5.0], 40),
    ("hankel2", lambda x: sp.hankel2(1.5, x).imag, lambda x: -mp.bessely(1.5, x), [0.1, 1.0, 5.0], 40),
    ("hankel1e", lambda x: sp.hankel1e(1.5, x).real,
     lambda x: mp.re(mp.hankel1(1.5, x) * mp.exp(-1j * x)), [0.1, 1.0, 5.0], 200),
    ("hankel2e", lambda x: sp.hankel2e(1.5, x).real,
     lambda x: mp.re(mp.hankel2(1.5, x) * mp.exp(1j * x)), [0.1, 1.0, 5.0], 200),
    ("struve", lambda x: sp.struve(1.5, x), lambda x: mp.struveh(1.5, x), [0.1, 1.0, 5.0], 60),
    ("modstruve", lambda x: sp.modstruve(1.5, x), lambda x: mp.struvel(1.5, x), [0.1, 1.0, 5.0], 60),
    ("itstruve0", sp.itstruve0, Slope(lambda t: mp.struveh(0, t)), [0.5, 2.0], 20),
    ("itmodstruve0", sp.itmodstruve0, Slope(lambda t: mp.struvel(0, t)), [0.5, 2.0], 20),
    ("airy/0", lambda x: sp.airy(x)[0], mp.airyai, [-5.0, -1.0, 0.0, 1.0, 5.0], 20),
    ("airy/1", lambda x: sp.airy(x)[1], lambda x: mp.airyai(x, derivative=1), [-5.0, -1.0, 1.0, 5.0], 20),
    ("airy/2", lambda x: sp.airy(x)[2], mp.airybi, [-5.0, -1.0, 0.0, 1.0, 5.0], 20),
    ("airy/3", lambda x: sp.airy(x)[3], lambda x: mp.airybi(x, derivative=1), [-5.0, -1.0, 1.0, 5.0], 20),
    ("airye/0", lambda x: sp.airye(x)[0], lambda x: mp.airyai(x) * mp.exp(2 * x**1.5 / 3), [0.5, 1.0, 5.0], 200),
    ("airye/1", lambda x: sp.airye(x)[1],
     lambda x: mp.airyai(x, derivative=1) * mp.exp(2 * x**1.5 / 3), [0.5, 1.0, 5.0], 200),
    ("airye/2", lambda x: sp.airye(x)[2], lambda x: mp.airybi(x) * mp.exp(-2 * x**1.5 / 3), [0.5, 1.0, 5.0], 200),
    ("airye/3", lambda x: sp.airye(x)[3],
     lambda x: mp.airybi(x, derivative=1) * mp.exp(-2 * x**1.5 / 3), [0.5, 1.0, 5.0], 200),
    ("itj0y0/0", lambda x: sp.itj0y0(x)[0], Slope(lambda t: mp.besselj(0, t)), [0.5, 2.0], 8),
    ("itj0y0/1", lambda x: sp.itj0y0(x)[1], Slope(lambda t: mp.bessely(0, t)), [0.5, 2.0], 8),
    ("iti0k0/0", lambda x: sp.iti0k0(x)[0], Slope(lambda t: mp.besseli(0, t)), [0.5, 2.0], 8),
    ("iti0k0/1", lambda x: sp.iti0k0(x)[1], Slope(lambda t: mp.besselk(0, t)), [0.5, 2.0], 8),
    ("itairy/0", lambda x: sp.itairy(x)[0], Slope(mp.airyai), [0.5, 2.0], 8),
    ("itairy/3", lambda x: sp.itairy(x)[3], Slope(lambda t: mp.airybi(-t)), [0.5, 2.0], 20),
    ("ber", sp.ber, lambda x: mp.ber(0, x), [0.5, 2.0, 6.0], 40),
    ("bei", sp.bei, lambda x: mp.bei(0, x), [0.5, 2.0, 6.0], 40),
    ("ker", sp.ker, lambda x: mp.ker(0, x), [0.5, 2.0, 4.0], 400),  # SciPy's kerp is that far off
    ("kei", sp.kei, lambda x: mp.kei(0, x), [0.5, 2.0, 4.0], 400),
    ("berp", sp.berp, lambda x: mp.diff(lambda t: mp.ber(0, t), x), [0.5, 2.0, 6.0], 400),
    ("beip", sp.beip, lambda x: mp.diff(lambda t: mp.bei(0, t), x), [0.5, 2.0, 6.0], 400),
    ("kerp", sp.kerp, lambda x: mp.diff(lambda t: mp.ker(0, t), x), [0.5, 2.0, 4.0], 4000),
    ("keip", sp.keip, lambda x: mp.diff(lambda t: mp.kei(0, t), x), [0.5, 2.0, 4.0], 4000),
    # ------------------------------------------------ logistic, entropy, powers
    ("expit", sp.expit, lambda x: 1 / (1 + mp.exp(-x)), [-700.0, -40.0, *SMALL, 40.0, 700.0], 4),
    ("logit", sp.logit, lambda p: mp.log(p / (1 - p)), UNIT, 4),
    ("log_expit", sp.log_expit, lambda x: -mp.log(1 + mp.exp(-x)), [-700.0, -40.0, *SMALL, 40.0, 700.0], 4),
    ("xlogy/x", lambda x: sp.xlogy(x, 0.3), lambda x: x * mp.log(mp.mpf(0.3)), [0.0, *SMALL], 4),
    ("xlogy/y", lambda x: sp.xlogy(1.7, x), lambda y: mp.mpf(1.7) * mp.log(y), POSITIVE, 4),
    ("xlog1py/x", lambda x: sp.xlog1py(x, 0.3), lambda x: x * mp.log1p(mp.mpf(0.3)), [0.0, *SMALL], 4),
    ("xlog1py/y", lambda x: sp.xlog1py(1.7, x), lambda y: mp.mpf(1.7) * mp.log1p(y), [-0.9, 1e-8, 1.0, 9.0], 4),
    ("entr", sp.entr, lambda x: -x * mp.log(x), POSITIVE, 8),
    ("rel_entr/x", lambda x: sp.rel_entr(x, 0.7), lambda x: x * mp.log(x / mp.mpf(0.7)), POSITIVE, 8),
    ("rel_entr/y", lambda x: sp.rel_entr(0.7, x), lambda y: mp.mpf(0.7) * mp.log(mp.mpf(0.7) / y), POSITIVE, 4),
    ("kl_div/x", lambda x: sp.kl_div(x, 0.7), lambda x: x * mp.log(x / mp.mpf(0.7)) - x, POSITIVE, 8),
    ("kl_div/y", lambda x: sp.kl_div(0.7, x), lambda y: mp.mpf(0.7) * mp.log(mp.mpf(0.7) / y) + y, POSITIVE, 8),
    ("huber/r", lambda x: sp.huber(0.5, x), lambda r: r * r / 2 if abs(r) <= 0.5 else abs(r) / 2 - 0.125, SMALL, 4),
    ("huber/d", lambda x: sp.huber(x, 1.0), lambda d: mp.mpf("0.5") if d >= 1 else d - d * d / 2, [0.3, 2.0], 4),
    ("pseudo_huber/r", lambda x: sp.pseudo_huber(0.5, x),
     lambda r: (mp.sqrt(1 + 4 * r * r) - 1) / 4, SMALL, 4),
    ("pseudo_huber/d", lambda x: sp.pseudo_huber(x, 0.8),
     lambda d: d * d * (mp.sqrt(1 + (mp.mpf(0.8) / d) ** 2) - 1), [0.3, 2.0], 60),
    ("cbrt", sp.cbrt, mp.cbrt, POSITIVE, 4),
    ("exp2", sp.exp2, lambda x: mp.mpf(2) ** x, SMALL, 4),
    ("exp10", sp.exp10, lambda x: mp.mpf(10) ** x, SMALL, 4),
    ("expm1", sp.expm1, mp.expm1, [-40.0, *SMALL], 4),
    ("log1p", sp.log1p, mp.log1p, [-0.9, 1e-8, 1.0, 9.0], 4),
    ("cosm1", sp.cosm1, lambda x: mp.cos(x) - 1, SMALL, 4),
    ("sindg", sp.sindg, lambda x: mp.sin(x * mp.pi / 180), [10.0, 45.0, 200.0], 8),
    ("cosdg", sp.cosdg, lambda x: mp.cos(x * mp.pi / 180), [10.0, 45.0, 200.0], 8),
    ("tandg", sp.tandg, lambda x: mp.tan(x * mp.pi / 180), [10.0, 45.0, 200.0], 8),
    ("cotdg", sp.cotdg, lambda x: mp.cot(x * mp.pi / 180), [10.0, 45.0, 200.0], 8),
    ("radian", lambda x: sp.radian(x, 2.0, 3.0), lambda d: d * mp.pi / 180, [10.0], 4),
    ("powm1/x", lambda x: sp.powm1(x, 1.7), lambda x: x ** mp.mpf(1.7), POSITIVE, 4),
    ("powm1/y", lambda x: sp.powm1(1.3, x), lambda y: mp.mpf(1.3) ** y, SMALL, 8),
    ("exprel", sp.exprel, lambda x: mp.expm1(x) / x, [-30.0, *SMALL, 30.0], 16),
    ("boxcox/x", lambda x: sp.boxcox(x, 0.7), lambda x: x ** mp.mpf(0.7) / mp.mpf(0.7), POSITIVE, 8),
    ("boxcox/l", lambda x: sp.boxcox(1.7, x), lambda p: (mp.mpf(1.7) ** p - 1) / p, SMALL, 16),
    ("boxcox1p/x", lambda x: sp.boxcox1p(x, 0.7), lambda x: (1 + x) ** mp.mpf(0.7) / mp.mpf(0.7), POSITIVE, 8),
    ("boxcox1p/l", lambda x: sp.boxcox1p(0.7, x), lambda p: (mp.mpf(1.7) ** p - 1) / p, SMALL, 16),
    ("inv_boxcox/y", lambda x: sp.inv_boxcox(x, 0.7),
     lambda y: (1 + mp.mpf(0.7) * y) ** (1 / mp.mpf(0.7)), [-0.5, 0.1, 2.0], 8),
    ("inv_boxcox/l", lambda x: sp.inv_boxcox(0.8, x),
     lambda p: (1 + p * mp.mpf(0.8)) ** (1 / p), [-0.5, 1e-7, 0.1, 0.6, 2.0], 16),
    ("inv_boxcox1p/y", lambda x: sp.inv_boxcox1p(x, 0.7),
     lambda y: (1 + mp.mpf(0.7) * y) ** (1 / mp.mpf(0.7)), [-0.5, 0.1, 2.0], 8),
    ("inv_boxcox1p/l", lambda x: sp.inv_boxcox1p(0.8, x),
     lambda p: (1 + p * mp.mpf(0.8)) ** (1 / p), [-0.5, 1e-7, 0.1, 0.6, 2.0], 16),
    ("spence", sp.spence, lambda z: mp.polylog(2, 1 - z), [0.1, 0.6, 0.99, 1.01, 1.4, 3.0, 50.0], 8),
    ("lambertw", lambda x: sp.lambertw(x).real, lambda z: mp.re(mp.lambertw(z)), [-0.3, 0.0, 0.5, 3.0, 1e4], 16),
    ("wrightomega", sp.wrightomega, lambda z: mp.lambertw(mp.exp(z)), [-5.0, 0.5, 3.0, 50.0], 8),
    # ------------------------------------------------ elliptic
    ("ellipk", sp.ellipk, mp.ellipk, [-30.0, -1.0, 0.0, 1e-8, 0.3, 0.9, 0.999999], 8),
    ("ellipkm1", sp.ellipkm1, lambda p: mp.ellipk(1 - p), [1e-10, 0.01, 0.5, 1.0, 3.0], 8),
    ("ellipe", sp.ellipe, mp.ellipe, [-30.0, -1.0, 0.0, 1e-8, 0.3, 0.9, 0.999999], 8),
    ("ellipkinc/phi", lambda x: sp.ellipkinc(x, 0.6), _ellipkinc(0.6), [-1.0, 0.3, 1.5, 4.0], 8),
    ("ellipkinc/m", lambda x: sp.ellipkinc(0.9, x), lambda m: mp.ellipf(mp.mpf(0.9), m), [-1.0, 1e-8, 0.5, 0.9], 16),
    ("ellipkinc/m2", lambda x: sp.ellipkinc(4.0, x), lambda m: mp.ellipf(4, m), [-1.0, 1e-8, 0.5, 0.9], 16),
    ("ellipeinc/phi", lambda x: sp.ellipeinc(x, 0.6), lambda p: mp.ellipe(p, 0.6), [-1.0, 0.3, 1.5, 4.0], 8),
    ("ellipeinc/m", lambda x: sp.ellipeinc(0.9, x), lambda m: mp.ellipe(mp.mpf(0.9), m), [-1.0, 1e-8, 0.5, 0.9], 16),
    ("elliprf/x", lambda x: sp.elliprf(x, 1.1, 2.3), lambda x: mp.elliprf(x, 1.1, 2.3), [0.2, 1.0, 5.0], 8),
    ("elliprf/z", lambda x: sp.elliprf(0.4, 1.1, x), lambda z: mp.elliprf(0.4, 1.1, z), [0.2, 1.0, 5.0], 8),
    ("elliprc/x", lambda x: sp.elliprc(x, 1.1), lambda x: mp.elliprc(x, 1.1), [0.2, 1.0, 5.0], 8),
    ("elliprc/y", lambda x: sp.elliprc(1.1, x), lambda y: mp.elliprc(1.1, y), [0.2, 1.0, 5.0], 8),
    ("elliprd/x", lambda x: sp.elliprd(x, 1.1, 2.3), lambda x: mp.elliprd(x, 1.1, 2.3), [0.2, 1.0, 5.0], 16),
    ("elliprd/z", lambda x: sp.elliprd(0.4, 1.1, x), lambda z: mp.elliprd(0.4, 1.1, z), [0.2, 2.0, 5.0], 40),
    ("ellipj/sn", lambda x: sp.ellipj(x, 0.6)[0], _sn(0.6, "sn"), [0.3, 1.0, 2.5], 20),
    ("ellipj/cn", lambda x: sp.ellipj(x, 0.6)[1], _sn(0.6, "cn"), [0.3, 1.0, 2.5], 20),
    ("ellipj/dn", lambda x: sp.ellipj(x, 0.6)[2], _sn(0.6, "dn"), [0.3, 1.0, 2.5], 20),
    ("ellipj/sn/m", lambda x: sp.ellipj(0.8, x)[0], lambda m: mp.ellipfun("sn", mp.mpf(0.8), m=m), [0.2, 0.7], 200),
    ("ellipj/cn/m", lambda x: sp.ellipj(0.8, x)[1], lambda m: mp.ellipfun("cn", mp.mpf(0.8), m=m), [0.2, 0.7], 200),
    ("ellipj/dn/m", lambda x: sp.ellipj(0.8, x)[2], lambda m: mp.ellipfun("dn", mp.mpf(0.8), m=m), [0.2, 0.7], 200),
    # ------------------------------------------------ hypergeometric
    ("hyp0f1", lambda x: sp.hyp0f1(1.5, x), lambda z: mp.hyp0f1(1.5, z), SMALL, 40),
    ("hyp1f1", lambda x: sp.hyp1f1(0.7, 1.5, x), lambda z: mp.hyp1f1(mp.mpf(0.7), 1.5, z), SMALL, 40),
    ("hyp2f1", lambda x: sp.hyp2f1(0.7, 1.5, 2.5, x),
     lambda z: mp.hyp2f1(mp.mpf(0.7), 1.5, 2.5, z), [-2.0, -0.3, 0.3, 0.9], 100),
    ("hyperu", lambda x: sp.hyperu(0.7, 1.5, x), lambda z: mp.hyperu(mp.mpf(0.7), 1.5, z), [0.2, 1.0, 4.0], 2000),
    # ------------------------------------------------ polynomials
    ("eval_jacobi", lambda x: sp.eval_jacobi(4, 0.5, 1.5, x), lambda x: mp.jacobi(4, 0.5, 1.5, x), [-0.9, 0.2], 60),
    ("eval_sh_jacobi", lambda x: sp.eval_sh_jacobi(3, 2.5, 1.5, x),
     lambda x: mp.jacobi(3, 1, 0.5, 2 * x - 1) / mp.binomial(7.5, 3), [0.1, 0.7], 60),
    ("eval_gegenbauer", lambda x: sp.eval_gegenbauer(4, 1.5, x), lambda x: mp.gegenbauer(4, 1.5, x), [-0.9, 0.2], 60),
    ("eval_legendre", lambda x: sp.eval_legendre(5, x), lambda x: mp.legendre(5, x), [-0.9, 0.2, 1.0], 60),
    ("eval_sh_legendre", lambda x: sp.eval_sh_legendre(5, x), lambda x: mp.legendre(5, 2 * x - 1), [0.1, 0.7], 60),
    ("eval_chebyt", lambda x: sp.eval_chebyt(5, x), lambda x: mp.chebyt(5, x), [-0.9, 0.2, 1.0], 60),
    ("eval_chebyu", lambda x: sp.eval_chebyu(5, x), lambda x: mp.chebyu(5, x), [-0.9, 0.2], 60),
    ("eval_chebyc", lambda x: sp.eval_chebyc(5, x), lambda x: 2 * mp.chebyt(5, x / 2), [-0.9, 0.2], 60),
    ("eval_chebys", lambda x: sp.eval_chebys(5, x), lambda x: mp.chebyu(5, x / 2), [-0.9, 0.2], 60),
    ("eval_sh_chebyt", lambda x: sp.eval_sh_chebyt(5, x), lambda x: mp.chebyt(5, 2 * x - 1), [0.1, 0.7], 60),
    ("eval_sh_chebyu", lambda x: sp.eval_sh_chebyu(5, x), lambda x: mp.chebyu(5, 2 * x - 1), [0.1, 0.7], 60),
    ("eval_hermite", lambda x: sp.eval_hermite(5, x), lambda x: mp.hermite(5, x), [-0.9, 0.2], 60),
    ("eval_hermitenorm", lambda x: sp.eval_hermitenorm(5, x),
     lambda x: mp.hermite(5, x / mp.sqrt(2)) * mp.mpf(2) ** mp.mpf(-2.5), [-0.9, 0.2], 60),
    ("eval_laguerre", lambda x: sp.eval_laguerre(5, x), lambda x: mp.laguerre(5, 0, x), [0.3, 2.0], 60),
    ("eval_genlaguerre", lambda x: sp.eval_genlaguerre(5, 1.5, x), lambda x: mp.laguerre(5, 1.5, x), [0.3, 2.0], 60),
    # SciPy's slope of it has 12 digits
    ("kolmogorov", sp.kolmogorov,
     lambda x: 2 * mp.nsum(lambda k: (-1) ** (k - 1) * mp.exp(-2 * k * k * x * x), [1, 12]), [0.5, 1.0, 2.0], 1e4),
]
# fmt: on


def _owens(h: Any, a: Any) -> Any:
    return mp.quad(lambda x: mp.exp(-h * h * (1 + x * x) / 2) / (1 + x * x), [0, a]) / (2 * mp.pi)


def _voigt(x: Any, s: Any, g: Any) -> Any:
    z = (mp.mpf(x) + 1j * mp.mpf(g)) / (mp.sqrt(2) * mp.mpf(s))
    return mp.re(mp.exp(-z * z) * mp.erfc(-1j * z)) / (mp.mpf(s) * mp.sqrt(2 * mp.pi))


def _spherical(bessel: Any, n: int, x: Any) -> Any:
    return mp.sqrt(mp.pi / (2 * x)) * bessel(n + mp.mpf(1) / 2, x)


def _modified_k(n: int, x: Any) -> Any:
    return mp.sqrt(mp.pi / (2 * x)) * mp.besselk(n + mp.mpf(1) / 2, x)
