"""Derivatives of scipy.special's ufuncs against mpmath, to a few units in the last place."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from table import TABLE, Slope

import wengert as wg

# The functions that saturate: their difference quotients need many digits.
LONG = ("erf", "erfc", "ndtr", "log_ndtr", "expit", "log_expit")


def derivative(function, x, name):
    if isinstance(function, Slope):
        with mp.workdps(30):
            return function.slope(mp.mpf(x))
    for digits, step in ((60, 20), (700, 60)) if name in LONG else ((60, 20),):
        with mp.workdps(digits):
            value = mp.re(mp.diff(function, mp.mpf(x), h=mp.mpf(10) ** -step))
        if abs(value) > mp.mpf(10) ** -15:
            break
    return value


@pytest.mark.parametrize(("name", "call", "exact", "points", "units"), TABLE, ids=[row[0] for row in TABLE])
def test_first_derivative(name, call, exact, points, units):
    found = wg.grad(lambda x: np.sum(call(x)))(np.array(points))
    assert found.dtype == np.float64
    for x, mine in zip(points, found.tolist(), strict=True):
        expected = derivative(exact, x, name)
        unit = np.spacing(abs(float(expected)) or 5e-324)
        assert abs(mp.mpf(mine) - expected) <= units * unit, f"{name}' at {x}: {mine}, expected {float(expected)}"


# Where SciPy's own functions are not accurate enough for a difference of derivatives, or have a jump there.
COARSE = ("kolmogorov", "hyperu", "kerp", "keip", "ker", "kei", "huber", "itairy", "owens_t/h")


SMOOTH = [(row[0], row[1], row[3]) for row in TABLE if not row[0].startswith(COARSE)]


@pytest.mark.parametrize(("name", "call", "points"), SMOOTH, ids=[row[0] for row in SMOOTH])
def test_second_derivative_is_that_of_the_first(name, call, points):
    x = np.array([p for p in points if 0.02 < abs(p) < 8]) * 0.99
    first = wg.grad(lambda x: np.sum(call(x)))
    found = wg.grad(lambda x: np.sum(first(x)))(x)
    h = 1e-3 * np.minimum(np.abs(x), 0.2)
    if name.startswith(("logit", "erfinv", "ndtri", "betainc", "betaincc", "ellip")):  # stay inside of the domain
        h = np.minimum(h, 0.01 * np.abs(1 - np.abs(x)))
    expected = (8 * (first(x + h) - first(x - h)) - (first(x + 2 * h) - first(x - 2 * h))) / (12 * h)
    scale = np.abs(expected) + np.abs(first(x)) + 1e-3
    assert np.all(np.abs(found - expected) <= 1e-6 * scale), f"{name}'' at {x}: {found}, expected {expected}"


def test_forward_mode_agrees():
    for name, call, _, points, _ in TABLE:
        x = np.array(points)
        _, forward = wg.jvp(call, (x,), (np.ones_like(x),))
        backward = wg.grad(lambda x, call=call: np.sum(call(x)))(x)
        np.testing.assert_allclose(forward, backward, rtol=1e-12, err_msg=name)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:divide", "ignore:invalid")
def test_single_precision():
    for name, call, _, points, units in TABLE:
        if name.startswith("bdtr"):  # SciPy cuts counts in single precision to integers, and warns
            continue
        x = np.array(points, np.float32)
        single = wg.grad(lambda x, call=call: np.sum(call(x)))(x)
        double = wg.grad(lambda x, call=call: np.sum(call(x)))(x.astype(float))
        assert single.dtype == np.float32
        normal = np.isfinite(double) & (np.abs(double) < 3e38) & (np.abs(double) > 1e-37)
        unit = np.spacing(np.abs(double[normal]).astype(np.float32))
        assert np.all(np.abs(single[normal] - double[normal]) <= (2 * units + 4) * unit), name


def test_at_least_sixty_ufuncs():
    names = {row[0].split("/")[0] for row in TABLE}
    assert len(names) >= 120
