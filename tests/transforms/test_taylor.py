"""Taylor mode against mpmath's high-precision derivatives and against nested first derivatives."""

from __future__ import annotations

import time

import mpmath as mp
import numpy as np
import pytest

import wengert as wg

mp.mp.dps = 50
ORDER = 10


def exact(f, t, order=ORDER):
    return np.array([float(c) * float(mp.factorial(k)) for k, c in enumerate(mp.taylor(f, mp.mpf(t), order))])


def check(f, g, t, order=ORDER, tolerance=1e-12):
    expected = exact(g, t, order)
    found = wg.derivatives(f, t, order)
    error = np.max(np.abs(found - expected) / np.maximum(np.abs(expected), 1.0))
    assert error < tolerance, (error, found, expected)


ELEMENTARY = {
    "exp": (np.exp, mp.exp),
    "exp2": (np.exp2, lambda x: mp.mpf(2) ** x),
    "expm1": (np.expm1, mp.expm1),
    "log": (np.log, mp.log),
    "log2": (np.log2, lambda x: mp.log(x) / mp.log(2)),
    "log10": (np.log10, mp.log10),
    "log1p": (np.log1p, lambda x: mp.log(1 + x)),
    "sqrt": (np.sqrt, mp.sqrt),
    "cbrt": (np.cbrt, mp.cbrt),
    "square": (np.square, lambda x: x * x),
    "reciprocal": (np.reciprocal, lambda x: 1 / x),
    "sin": (np.sin, mp.sin),
    "cos": (np.cos, mp.cos),
    "tan": (np.tan, mp.tan),
    "arcsin": (np.arcsin, mp.asin),
    "arccos": (np.arccos, mp.acos),
    "arctan": (np.arctan, mp.atan),
    "sinh": (np.sinh, mp.sinh),
    "cosh": (np.cosh, mp.cosh),
    "tanh": (np.tanh, mp.tanh),
    "arcsinh": (np.arcsinh, mp.asinh),
    "arctanh": (np.arctanh, mp.atanh),
    "absolute": (np.abs, lambda x: x),
    "power 3": (lambda x: x**3, lambda x: x**3),
    "power -2": (lambda x: x**-2, lambda x: x**-2),
    "power 2.5": (lambda x: x**2.5, lambda x: x ** mp.mpf(2.5)),
    "power x": (lambda x: x**x, lambda x: x**x),
    "power of 2": (lambda x: 2.0**x, lambda x: mp.mpf(2) ** x),
    "divide": (lambda x: (1 + x) / (2 + x * x), lambda x: (1 + x) / (2 + x * x)),
    "hypot": (lambda x: np.hypot(x, 2 * x + 1), lambda x: mp.sqrt(x * x + (2 * x + 1) ** 2)),
    "arctan2": (lambda x: np.arctan2(x, 1 + x * x), lambda x: mp.atan(x / (1 + x * x))),
    "logaddexp": (lambda x: np.logaddexp(x, 2 * x), lambda x: mp.log(mp.exp(x) + mp.exp(2 * x))),
}


@pytest.mark.parametrize("name", ELEMENTARY)
def test_elementary_functions_to_order_ten(name):
    f, g = ELEMENTARY[name]
    check(f, g, 0.375)


def test_arccosh():
    check(np.arccosh, mp.acosh, 1.75)


def test_the_value_and_slope_far_out():
    """The recurrences start from values that are accurate where the plain formula would cancel."""
    found = wg.derivatives(np.tanh, 25.0, 3)
    expected = exact(mp.tanh, 25.0, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_whole_powers_at_zero():
    assert wg.derivatives(lambda x: x**3, 0.0, 5).tolist() == [0, 0, 0, 6, 0, 0]
    assert wg.derivatives(lambda x: x**0, 0.0, 2).tolist() == [1, 0, 0]


COMPOSED = {
    "the function of jax#520": (  # nested logistic maps: nested derivatives cost twice as much per order
        lambda x: np.tanh(np.sin(np.exp(-x * x)) / (1 + np.exp(-x))),
        lambda x: mp.tanh(mp.sin(mp.exp(-x * x)) / (1 + mp.exp(-x))),
    ),
    "rational": (lambda x: np.sin(np.exp(x) * x) / (1 + x * x), lambda x: mp.sin(mp.exp(x) * x) / (1 + x * x)),
    "roots": (lambda x: np.sqrt(1 + np.log(2 + x) ** 2), lambda x: mp.sqrt(1 + mp.log(2 + x) ** 2)),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_compositions_to_order_ten(name):
    f, g = COMPOSED[name]
    check(f, g, 0.4)


def nested(f, t, order):
    values = [f(t)]
    for _ in range(order):
        f = wg.jacfwd(f)
        values.append(f(t))
    return np.stack(values)


A = np.array([[2.0, 0.3], [0.1, 1.0]])
C = np.array([1.0, 2.0])
BEYOND = {
    "matmul": lambda t: (A * t) @ (np.sin(t) * C),
    "einsum": lambda t: np.einsum("ij,jk,k->i", A * t, A + t, C * np.exp(t)),
    "solve": lambda t: np.linalg.solve(A + t * np.eye(2), C * np.sin(t)),
    "solve, one side": lambda t: np.linalg.solve(A, C * np.sin(t)),
    "inv": lambda t: np.linalg.inv(A + t * A @ A),
    "det": lambda t: np.linalg.det(A * np.exp(t) + t),
    "cholesky": lambda t: np.linalg.cholesky(A @ A.T + t * t * np.eye(2) + t),
    "eigvalsh": lambda t: np.linalg.eigvalsh(A + A.T + t * np.ones((2, 2)) * np.sin(t)),
    "eigh": lambda t: np.linalg.eigh(A + A.T + t * np.ones((2, 2)) * np.sin(t))[1],
    "svd": lambda t: np.linalg.svd(A + t * t * C, compute_uv=False),
    "norm": lambda t: np.linalg.norm(A + t * t),
    "prod": lambda t: np.prod(np.stack([t, t * t, np.sin(t)])),
    "cumprod": lambda t: np.cumprod(np.stack([t, t * t, np.sin(t)])),
    "max": lambda t: np.max(np.stack([t, t * t, np.sin(t)])),
    "sort": lambda t: np.sort(np.stack([t, t * t, np.sin(t)])),
    "std": lambda t: np.std(np.stack([t, t * t, np.sin(t)])),
    "where": lambda t: np.where(t > 0.5, np.sin(t), t),
    "fft": lambda t: np.abs(np.fft.fft(np.stack([t, t * t, np.sin(t)]))),
    "buffer": lambda t: buffered(t),
    "Python loop": lambda t: looped(t),
}


def buffered(t):
    out = np.zeros_like(t, shape=(3,))
    out[0] = np.sin(t)
    out[1:] = out[0] * t
    return out


def looped(t):
    for _ in range(4):
        t = np.sin(t) * t + 1
    return t


@pytest.mark.parametrize("name", BEYOND)
def test_what_is_not_elementwise(name):
    f = BEYOND[name]
    np.testing.assert_allclose(wg.derivatives(f, 0.7, 4), nested(f, 0.7, 4), rtol=1e-9, atol=1e-9)


def test_arrays_and_structures():
    f = lambda t: {"a": np.sin(t), "b": (t**2, np.arange(3))}
    ts = np.linspace(0, 1, 4)
    found = wg.derivatives(f, ts, 3)
    np.testing.assert_allclose(found["a"], [np.sin(ts), np.cos(ts), -np.sin(ts), -np.cos(ts)])
    np.testing.assert_allclose(found["b"][0][2], np.full(4, 2.0))
    assert found["b"][1].shape == (4, 3) and not np.any(found["b"][1][1:])


def test_order_zero_and_constants():
    assert wg.derivatives(np.sin, 0.5, 0).tolist() == [np.sin(0.5)]
    assert wg.derivatives(lambda t: 3.0, 0.5, 2).tolist() == [3.0, 0.0, 0.0]


def test_jet():
    value, terms = wg.jet(lambda x, y: x * y, (2.0, 3.0), ([1.0, 0.5], [0.0, 1.0]))
    assert (float(value), [float(t) for t in terms]) == (6.0, [3.0, 0.5 * 3 + 2 * 1.0])
    x = np.array([0.3, 0.7])
    curve = lambda s: x + s * np.array([1.0, -1.0]) + s**2 * np.array([0.5, 2.0])
    _, terms = wg.jet(lambda x: np.sin(x[0]) * x[1], (x,), ([np.array([1.0, -1.0]), np.array([1.0, 4.0])],))
    expected = wg.derivatives(lambda s: np.sin(curve(s)[0]) * curve(s)[1], 0.0, 2)
    np.testing.assert_allclose(terms, expected[1:])
    value, terms = wg.jet(lambda p: p["a"] ** 2, ({"a": 3.0},), ([{"a": 1.0}],))
    assert float(terms[0]) == 6.0
    assert wg.jet(np.sin, (0.0,), ([],))[1] == []


def test_inside_other_derivatives():
    f = lambda t: np.sin(np.exp(t)) / (1 + t * t)
    ts = np.linspace(0, 1, 4)
    np.testing.assert_allclose(
        wg.vmap(lambda t: wg.derivatives(f, t, 5))(ts), [wg.derivatives(f, t, 5) for t in ts], rtol=1e-12
    )
    np.testing.assert_allclose(wg.jacobian(lambda t: wg.derivatives(f, t, 5))(0.3)[:5], wg.derivatives(f, 0.3, 5)[1:])
    by_parameter = wg.jacobian(lambda a: wg.derivatives(lambda t: np.sin(a * t), 0.3, 3))(0.5)
    c, s = np.cos(0.15), np.sin(0.15)
    np.testing.assert_allclose(by_parameter[:2], [0.3 * c, c - 0.5 * 0.3 * s])
    mixed = wg.derivatives(lambda a: wg.derivatives(lambda t: np.sin(a * t), 0.3, 2)[2], 0.5, 2)
    expected = wg.derivatives(lambda a: -(a**2) * np.sin(a * 0.3), 0.5, 2)
    np.testing.assert_allclose(mixed, expected)


def test_order_twenty_is_quick_and_the_cost_is_no_worse_than_quadratic():
    f = lambda x: np.tanh(np.sin(np.exp(-x * x)) / (1 + np.exp(-x))) * np.sqrt(2 + x) * np.arctan(x) ** 2

    def seconds(order):
        wg.derivatives(f, 0.4, order)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            wg.derivatives(f, 0.4, order)
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(20) < 0.1
    assert seconds(80) < 16 * 3 * seconds(20)  # four times the order: 16 times the work, and room for a busy machine


def test_the_function_runs_once():
    calls = []
    wg.derivatives(lambda t: (calls.append(1), np.sin(t))[1], 0.1, 12)
    assert len(calls) == 1
