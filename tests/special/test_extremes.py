"""First and second derivatives of scipy.special's ufuncs where formulas cancel, over- or underflow, against mpmath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.special as sp

import wengert as wg

TINY = [1e-300, -1e-300, 1e-40, -1e-20, 1e-8, -1e-3]


def _scaled(kind: Any, v: float, sign: int) -> Callable[[Any], Any]:
    return lambda x: mp.exp(sign * abs(x)) * kind(v, x)


# Each of these lost all its digits somewhere, or was NaN: (call, what mpmath calls it, points, allowed relative error).
CASES: dict[str, tuple[Any, Any, list[float], float]] = {
    "expit": (sp.expit, lambda x: 1 / (1 + mp.exp(-x)), [*TINY, 40.0, -600.0], 2e-15),
    "logit": (sp.logit, lambda x: mp.log(x / (1 - x)), [1e-150, 1e-8, 0.3, 0.999], 2e-15),
    "rgamma": (sp.rgamma, mp.rgamma, [0.0, 1e-30, -1e-12, -1.0, -2 + 1e-9, -5.0, 0.49, 3.3], 1e-14),
    "i0e": (sp.i0e, _scaled(mp.besseli, 0, -1), [1e-300, 1e-14, -0.3, 0.99, 1.01, 29.0, -31.0, 1e8], 3e-14),
    "i1e": (sp.i1e, _scaled(mp.besseli, 1, -1), [1e-300, 1e-14, -0.3, 0.99, 1.01, 29.0, -31.0, 1e8], 6e-14),
    "k0e": (sp.k0e, _scaled(mp.besselk, 0, 1), [1e-6, 1.0, 29.0, 31.0, 1e8], 3e-13),
    "k1e": (sp.k1e, _scaled(mp.besselk, 1, 1), [1e-6, 1.0, 29.0, 31.0, 1e8], 3e-13),
    "ive": (lambda x: sp.ive(2, x), _scaled(mp.besseli, 2, -1), [1.0, 30.0, 40.0, 1e5], 3e-12),
    "kve": (lambda x: sp.kve(2, x), _scaled(mp.besselk, 2, 1), [0.1, 30.0, 40.0, 1e5], 3e-12),
    "struve": (lambda x: sp.struve(0, x), lambda x: mp.struveh(0, x), [-1e-3, -1e-6, 1e-10, 1.0, 20.0], 2e-14),
    "modstruve": (lambda x: sp.modstruve(0, x), lambda x: mp.struvel(0, x), [1e-6, 1e-10, 1.0, 5.0], 2e-14),
    "pseudo_huber": (lambda x: sp.pseudo_huber(1.0, x), lambda x: mp.sqrt(1 + x * x) - 1, [1e-150, -3.0, 1e13, 1e90], 2e-15),
    "pseudo_huber, delta": (
        lambda x: sp.pseudo_huber(x, 1.0), lambda d: d * d * (mp.sqrt(1 + 1 / d**2) - 1), [1e-8, 1.0, 1e6, 1e30], 5e-15
    ),
    "lambertw": (lambda x: sp.lambertw(x).real, mp.lambertw, [1e-300, -1e-10, -0.36, 3.0, 1e200], 2e-14),
    "fresnel": (lambda x: sp.fresnel(x)[0], mp.fresnels, [-1e-20, -1e-3, 1e-9, 0.7, -3.1], 4e-15),
    "sici": (lambda x: sp.sici(x)[0], mp.si, [-1e-20, -0.5, 0.999, 1.001, -7.0], 1e-14),
    "shichi": (lambda x: sp.shichi(x)[0], mp.shi, [-1e-20, -0.5, 0.999, 1.001, -7.0], 1e-14),
    "ellipkinc, m": (lambda m: sp.ellipkinc(1.1, m), lambda m: mp.ellipf(mp.mpf(1.1), m), [-1e-30, 0.1, -0.29, 0.31, -5.0], 3e-13),
    "ellipeinc, m": (lambda m: sp.ellipeinc(9.1, m), lambda m: mp.ellipe(mp.mpf(9.1), m), [-1e-30, 0.1, -0.29, 0.31, -5.0], 3e-13),
    "betaln": (lambda a: sp.betaln(a, 2.5), lambda a: mp.log(mp.beta(a, 2.5)), [1e-5, 0.4, 7.0, 1e8, 1e15], 1e-14),
    "beta": (lambda a: sp.beta(a, 2.5), lambda a: mp.beta(a, 2.5), [1e-5, 0.4, 7.0, 1e8], 1e-14),
    "poch": (lambda z: sp.poch(z, 2.5), lambda z: mp.rf(z, 2.5), [0.3, 7.0, 1e6, 1e10], 2e-14),
    "binom": (lambda n: sp.binom(n, 3.5), lambda n: mp.binomial(n, 3.5), [-0.2, 0.5, 1.5, 9.0, 100.0], 5e-14),
    "binom, k": (lambda k: sp.binom(4.5, k), lambda k: mp.binomial(mp.mpf(4.5), k), [0.0, 1.0, 5.5, 6.5], 5e-14),
}  # fmt: skip


def derivatives(function: Any, x: float) -> tuple[Any, Any]:
    """Return the first two derivatives by central differences, with digits enough for the smallest steps."""
    size = abs(x) or 1.0
    if 0.5 < size < 1:
        size = 1 - size
    with mp.workdps(70 + int(abs(4 * np.log10(size)))):
        at, h = mp.mpf(x), mp.mpf(size) * mp.mpf(10) ** -18
        low, middle, high = (mp.re(function(at + k * h)) for k in (-1, 0, 1))
        return (high - low) / (2 * h), (high - 2 * middle + low) / h**2


@pytest.mark.filterwarnings("ignore:overflow", "ignore:divide", "ignore:invalid", "ignore:underflow")
@pytest.mark.parametrize("name", CASES)
def test_derivatives_at_extremes(name: str) -> None:
    call, exact, points, allowed = CASES[name]
    x = np.array(points)
    first = wg.grad(lambda x: np.sum(call(x)))
    found = first(x), wg.grad(lambda x: np.sum(first(x)))(x)
    for k, at in enumerate(points):
        for order, expected in enumerate(derivatives(exact, at)):
            if 1e-290 < abs(expected) < 1e290:
                error = abs((mp.mpf(float(found[order][k])) - expected) / expected)
                assert error <= allowed, (
                    f"{name}, derivative {order + 1} at {at}: {found[order][k]}, {mp.nstr(expected)}"
                )


@pytest.mark.parametrize("name", CASES)
def test_second_derivatives_agree_in_forward_mode(name: str) -> None:
    call, _, points, _ = CASES[name]
    x = np.array([p for p in points if 1e-100 < abs(p)])
    one = np.ones_like(x)
    with np.errstate(all="ignore"):
        forward = wg.jvp(lambda x: wg.jvp(call, (x,), (one,))[1], (x,), (one,))[1]
        first = wg.grad(lambda x: np.sum(call(x)))
        backward = wg.grad(lambda x: np.sum(first(x)))(x)
    np.testing.assert_allclose(forward, backward, rtol=1e-12)
