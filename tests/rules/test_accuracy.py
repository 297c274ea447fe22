"""Derivatives of elementwise functions against mpmath, over the whole domain, in units in the last place."""

from __future__ import annotations

from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from accuracy_table import BITS, EXACT, EXCEPTIONS, EXPONENTS, LIMIT, ONE, TWO, Range, accuracy_page, powers
from sample import registry

import wengert as wg

POINTS = 50
DTYPES = (np.float64, np.float32)


def units(found, expected, dtype):
    """Return the error in units in the last place; what rounds to 0 or infinity has to be that, about."""
    info = np.finfo(dtype)
    found, size = float(found), abs(expected)
    if np.isnan(found):
        return np.inf
    if size < float(info.tiny):
        return 0.0 if abs(found) <= 1.01 * float(info.tiny) else np.inf
    if size > 0.999 * float(info.max):
        return 0.0 if abs(found) > 0.99 * float(info.max) else np.inf
    if np.isinf(found):
        return np.inf
    return float(abs(mp.mpf(found) - expected) / mp.mpf(float(np.spacing(dtype(float(size))))))


def worst(found, points, formula, dtype):
    """Return the largest error and where."""
    with mp.workprec(BITS):
        errors = [
            units(value, formula(*(mp.mpf(float(x)) for x in at)), dtype)
            for value, *at in zip(found, *points, strict=True)
        ]
    k = int(np.argmax(errors))
    return errors[k], [float(x[k]) for x in points]


def limit(name, dtype, order):
    return EXCEPTIONS.get((name, np.dtype(dtype).name, order), (LIMIT, ""))[0]


def check(name, dtype, order, found, points, formula):
    assert found.dtype == dtype
    error, at = worst(found, points, formula, dtype)
    assert error <= limit(name, dtype, order), f"{name}, order {order}, {np.dtype(dtype)}: {error:.2f} units at {at}"


def points_of(domain, dtype, count=POINTS):
    """Return sample points as arrays of the dtype, without those that rounded out of the open domain."""
    with np.errstate(all="ignore"):
        made = domain(np.random.default_rng(1), count, Range(dtype))
    made = made if isinstance(made, tuple) else (made,)
    points = [np.asarray(x).astype(dtype) for x in made]
    keep = np.ones(points[0].shape, bool)
    for x in points:
        keep &= np.isfinite(x)
        if domain.__name__ == "unit_interval":
            keep &= np.abs(x) < 1
        if domain.__name__ == "above_one":
            keep &= x > 1
        if domain.__name__ == "above_minus_one":
            keep &= x > -1
    return [x[keep] for x in points]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ONE)
def test_one_argument(name, dtype):
    domain, first, second = ONE[name]
    function = getattr(np, name)
    (x,) = points_of(domain, dtype)
    with np.errstate(all="ignore"):
        gradient = wg.grad(lambda x: np.sum(function(x)))
        check(name, dtype, 1, gradient(x), (x,), first)
        check(name, dtype, 1, wg.jvp(function, (x,), (np.ones_like(x),))[1], (x,), first)
        check(name, dtype, 2, wg.grad(lambda x: np.sum(gradient(x)))(x), (x,), second)
        check(name, dtype, 2, wg.jvp(gradient, (x,), (np.ones_like(x),))[1], (x,), second)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TWO)
def test_two_arguments(name, dtype):
    domain, derivatives = TWO[name]
    x, y = points_of(domain, dtype)
    function = getattr(np, name)
    with np.errstate(all="ignore"):
        for which, formula in derivatives.items():
            gradient = wg.grad(lambda x, y: np.sum(function(x, y)), "xy".index(which[0]))
            if len(which) == 2:
                found = wg.grad(lambda x, y, g=gradient: np.sum(g(x, y)), "xy".index(which[1]))(x, y)
            else:
                found = gradient(x, y)
            check(name, dtype, len(which), found, (x, y), formula)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", EXPONENTS)
def test_power_of_a_python_number(number, dtype):
    x = points_of(powers, dtype)[0]
    if abs(number) > 3:
        x = x[(x > 1e-4) & (x < 1e4)]
    c = mp.mpf(float(dtype(number)))  # NumPy rounds a Python number to the array's precision
    gradient = wg.grad(lambda x: np.sum(x**number))
    with np.errstate(all="ignore"):
        check("power", dtype, 1, gradient(x), (x,), lambda x: c * x ** (c - 1))
        check("power", dtype, 2, wg.grad(lambda x: np.sum(gradient(x)))(x), (x,), lambda x: c * (c - 1) * x ** (c - 2))


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        (np.tanh, 20.0, "1.6993417021166355e-17"),
        (np.expm1, -40.0, "4.248354255291589e-18"),
        (np.arctanh, 1 - 2.0**-52, "2251799813685248.25"),
        (np.log1p, -1 + 2.0**-50, "1125899906842624"),
        (lambda x: np.logaddexp(0, x), -700.0, "9.859676543759771e-305"),
        (lambda x: np.hypot(x, 3e200), 4e200, "0.8"),
        (np.arcsinh, 1e200, "1e-200"),
        (np.arctan, 1e100, "1e-200"),
    ],
)
def test_famous_losses(function, at, expected):
    """Where peers give 0, lose half of their digits, or overflow."""
    assert abs(wg.grad(function)(at) / float(expected) - 1) < 1e-15


def test_every_elementwise_primitive_is_measured_or_exact():
    """Those of scipy.special have their own tests."""
    left = {
        name
        for name, primitive in registry().items()
        if primitive.family == "elementwise" and primitive.vjp and hasattr(np, name)
    }
    left -= {*ONE, *TWO, *EXACT}
    assert not left, f"neither in accuracy_table.ONE or TWO nor in EXACT: {sorted(left)}"


def test_every_exception_has_a_reason_and_is_needed_somewhere():
    for (name, dtype, order), (allowed, reason) in EXCEPTIONS.items():
        assert name in ONE or name in TWO
        assert dtype in ("float64", "float32")
        assert order in (1, 2)
        assert LIMIT < allowed <= 6
        assert len(reason) > 20


def test_the_page_is_current():
    """docs/reference/accuracy.md is made from the table: python tests/rules/accuracy_table.py"""
    page = Path(__file__).parents[2] / "docs" / "reference" / "accuracy.md"
    assert page.read_text() == accuracy_page()
