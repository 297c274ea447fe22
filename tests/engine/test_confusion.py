"""Perturbation confusion: nested derivatives by different variables never mix.

J. M. Siskind and B. A. Pearlmutter, "Nesting forward-mode AD in a functional framework", Higher-Order and Symbolic
Computation 21 (2008); O. Manzyuk et al., "Perturbation confusion in forward automatic differentiation of higher-order
functions", J. Functional Programming 29 (2019).
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import wengert as wg


def reverse(f):
    return wg.grad(f)


def forward(f):
    return lambda x: wg.jvp(f, (x,), (1.0,))[1]


def pulled(f):
    return lambda x: wg.vjp(f, x)[1](1.0)[0]


def tape(f):
    def derivative(x):
        # A tape goes by the tensor object: without a new one, `f` would see its own variable in its closure.
        x = x * 1.0 if isinstance(x, wg.Tensor) else wg.Tensor(float(x))
        with wg.GradientTape() as recording:
            recording.watch(x)
            y = f(x)
        return recording.gradient(y, x, unconnected_gradients="zero")

    return derivative


MODES = {"reverse": reverse, "forward": forward, "pulled": pulled, "tape": tape}
PAIRS = list(itertools.product(MODES, MODES))
both = pytest.mark.parametrize(("outer", "inner"), PAIRS, ids=[f"{a} over {b}" for a, b in PAIRS])


def number(x):
    return float(x.numpy()) if isinstance(x, wg.Tensor) else float(x)


def modes(outer, inner):
    return MODES[outer], MODES[inner]


@both
def test_the_classic(outer, inner):
    d, e = modes(outer, inner)
    assert number(d(lambda x: x * e(lambda y: x + y)(1.0))(1.0)) == 1.0


@both
def test_product(outer, inner):
    d, e = modes(outer, inner)
    assert number(d(lambda x: x * e(lambda y: x * y)(2.0))(3.0)) == 6.0  # d/dx x^2


@both
def test_inner_ignores_its_variable(outer, inner):
    d, e = modes(outer, inner)
    assert number(d(lambda x: e(lambda y: x * x)(1.0) + x)(3.0)) == 1.0


@both
def test_inner_at_the_outer_variable(outer, inner):
    d, e = modes(outer, inner)
    assert number(d(lambda x: e(lambda y: x * y * y)(x))(3.0)) == 12.0  # d/dx 2 x^2


@both
def test_same_variable_twice(outer, inner):
    d, e = modes(outer, inner)
    assert number(d(lambda x: x * e(lambda x: x**3)(2.0))(5.0)) == 12.0


@both
def test_inner_result_used_outside_and_inside(outer, inner):
    d, e = modes(outer, inner)
    # f(x) = x * d/dy (x^2 y + g(y)) with g(y) = x y^2 at y = x: x (x^2 + 2 x^2) = 3 x^3
    assert number(d(lambda x: x * e(lambda y: x * x * y + x * y * y)(x))(2.0)) == 36.0


@both
def test_three_deep(outer, inner):
    d, e = modes(outer, inner)
    # d/dx [x d/dy (y d/dz (x y z))] = d/dx [x d/dy (x y^2)] at y = x: d/dx 2 x^3
    f = lambda x: x * e(lambda y: y * d(lambda z: x * y * z)(1.0))(x)
    assert number(d(f)(2.0)) == 24.0


@both
def test_curried(outer, inner):
    """Siskind and Pearlmutter's function that returns a function: D applied to a shift operator."""
    d, e = modes(outer, inner)

    def shift(offset):
        return lambda f: lambda x: f(x + offset)

    # d/du [d/dx f(x + u)] for f = exp at x = 1, u = 0.5
    found = d(lambda u: e(shift(u)(np.exp))(1.0))(0.5)
    assert abs(number(found) - np.exp(1.5)) < 1e-15 * 8


@both
def test_closure_called_twice(outer, inner):
    d, e = modes(outer, inner)

    def f(x):
        inner_derivative = e(lambda y: x * np.sin(y))
        return inner_derivative(0.0) * inner_derivative(x)

    # f(x) = x * x cos(x)
    x = 0.7
    assert abs(number(d(f)(x)) - (2 * x * np.cos(x) - x * x * np.sin(x))) < 1e-15


@both
def test_constant_inner_function(outer, inner):
    d, e = modes(outer, inner)
    assert number(d(lambda x: x + e(lambda y: x)(1.0))(2.0)) == 1.0


@pytest.mark.parametrize("order", [2, 3, 4, 5])
@pytest.mark.parametrize("name", MODES)
def test_towers(name, order):
    """The n-th derivative of x^5 exp(0) style polynomials, exactly."""
    f = lambda x: x * x * x * x * x
    expected = 1.0
    for k in range(order):
        f = MODES[name](f)
        expected *= 5 - k
    assert number(f(2.0)) == expected * 2.0 ** (5 - order)


def test_every_mixture_of_three_modes():
    for names in itertools.product(MODES, repeat=3):
        f = lambda x: np.sin(x) * x
        for name in names:
            f = MODES[name](f)
        x = 0.9  # third derivative of x sin x
        assert abs(number(f(x)) - (-3 * np.sin(x) - x * np.cos(x))) < 1e-14, names
