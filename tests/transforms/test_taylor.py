"""Taylor mode against mpmath's high-precision derivatives and against nested first derivatives."""

from __future__ import annotations

import math
import sys
import time

import mpmath as mp
import numpy as np
import pytest

import wengert as wg
import wengert.scipy.linalg as wl
import wengert.scipy.signal as ws

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
WIDE = np.array([[2.0, 0.3, 1.0], [0.1, 1.0, -0.5]])
TURN = np.array([[0.1, 1.0], [-1.0, 0.2]])
HERMITIAN = np.array([[2.0, 0.5 - 1j], [0.5 + 1j, 1.0]])
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
    "svd, vectors": lambda t: np.linalg.svd(A + t * t * C)[0],
    "svd, thin": lambda t: np.linalg.svd(WIDE + t * t, full_matrices=False)[2] ** 2,
    "svd, completed": lambda t: np.linalg.svd(WIDE + t * t)[2][:2] ** 2,
    "svd, complex": lambda t: np.abs(np.linalg.svd(A * np.exp(1j * t) + t * C)[0]),
    "eigh, upper triangle": lambda t: np.linalg.eigh(A + t * np.ones((2, 2)) * np.sin(t), "U")[1],
    "eigh, complex": lambda t: np.abs(np.linalg.eigh(HERMITIAN + np.sin(t) * A.T @ A)[1]),
    "eig": lambda t: np.linalg.eig(A * np.exp(t) + t * C)[1],
    "eigvals, complex": lambda t: np.linalg.eigvals(TURN * np.exp(t) + t * C),
    "qr": lambda t: np.vstack(np.linalg.qr(WIDE.T * np.exp(t) + t * t)),
    "qr, complex": lambda t: np.linalg.qr(A * np.exp(1j * t) + t * C)[1],
    "qr, completed": lambda t: np.linalg.qr(WIDE.T * np.exp(t) + t * t, "complete")[1],
    "slogdet": lambda t: np.linalg.slogdet(A * np.exp(t) + t)[1],
    "pinv": lambda t: np.linalg.pinv(WIDE + t * t),
    "lstsq": lambda t: np.linalg.lstsq(WIDE.T + t * t, np.array([1.0, 2.0, t]), rcond=None)[0],
    "expm": lambda t: wl.expm(A * np.sin(t)),
    "logm": lambda t: wl.logm(A * np.exp(t)),
    "sylvester": lambda t: wl.solve_sylvester(A * t, A + t, np.outer(C, C) * np.exp(t)),
    "banded": lambda t: wl.solve_banded((1, 1), np.stack([C, C * 4 + np.sin(t), C]), C * np.exp(t)),
    "convolve": lambda t: np.convolve(C * t, np.sin(C * t)),
    "filter": lambda t: ws.lfilter(C * t, [1.0, 0.3], np.sin(np.arange(5.0) * t)),
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
    found, expected = wg.derivatives(f, 0.7, 4), nested(f, 0.7, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


def coefficients(parts):
    return [part / math.factorial(k) for k, part in enumerate(parts)]


def product(*factors):
    """Multiply power series of matrices."""
    total = factors[0]
    for factor in factors[1:]:
        total = [sum(total[j] @ factor[k - j] for j in range(k + 1)) for k in range(len(total))]
    return total


MATRIX = np.random.default_rng(0).normal(size=(4, 4))
SYMMETRIC = MATRIX @ MATRIX.T + np.eye(4)
transposed = lambda parts: [part.T for part in parts]
diagonal = lambda parts: [np.diag(part) for part in parts]
FACTORIZATIONS = {
    "cholesky": (lambda a: (np.linalg.cholesky(a),), lambda low: product(low, transposed(low)), SYMMETRIC, ()),
    "qr": (np.linalg.qr, lambda q, r: product(q, r), MATRIX, (0,)),
    "eigh": (np.linalg.eigh, lambda w, v: product(v, diagonal(w), transposed(v)), SYMMETRIC, (1,)),
    "eig": (
        lambda a: (*np.linalg.eig(a), np.linalg.inv(np.linalg.eig(a)[1])),
        lambda w, v, inverse: product(v, diagonal(w), inverse),
        MATRIX,
        (),
    ),
    "svd": (np.linalg.svd, lambda u, s, vh: product(u, diagonal(s), vh), MATRIX, (0, 2)),
}


@pytest.mark.parametrize("name", FACTORIZATIONS)
def test_the_series_of_the_factors_multiply_to_that_of_the_matrix(name):
    factorize, multiplied, base, orthonormal = FACTORIZATIONS[name]
    order = 12
    curve = lambda t: base + np.sin(t) * SYMMETRIC[::-1, ::-1] / 4
    factors = [coefficients(part) for part in wg.derivatives(lambda t: tuple(factorize(curve(t))), 0.1, order)]
    matrix = coefficients(wg.derivatives(curve, 0.1, order))
    for k, part in enumerate(multiplied(*factors)):
        size = max(np.max(np.abs(factor[k])) for factor in factors)
        np.testing.assert_allclose(part, matrix[k], atol=1e-10 * max(1.0, size))
    for i in orthonormal:
        for k, part in enumerate(product(transposed(factors[i]), factors[i])):
            np.testing.assert_allclose(part, np.eye(4) * (k == 0), atol=1e-10 * max(1.0, np.max(np.abs(factors[i][k]))))


QUADRATIC = ["det", "cholesky", "eigh", "svd, vectors", "qr", "eig", "expm", "solve", "sylvester", "banded", "convolve"]


@pytest.mark.parametrize("name", QUADRATIC)
def test_matrices_cost_no_more_than_the_square_of_the_order(name):
    """Counted in calls of functions, Python's and NumPy's: twice the order, at most four times the calls."""
    f = BEYOND[name]

    def calls(order):
        count = 0

        def step(frame, event, argument):
            nonlocal count
            count += event in ("call", "c_call")

        wg.derivatives(f, 0.7, order)
        sys.setprofile(step)
        try:
            wg.derivatives(f, 0.7, order)
        finally:
            sys.setprofile(None)
        return count

    assert calls(24) <= 4 * calls(12)


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
