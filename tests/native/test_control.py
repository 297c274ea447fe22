"""`scan`, `while_loop`, `cond` and `switch` in machine code: loops and branches, and their derivatives."""

import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.errors import NotCompiled
from wengert.execute.native.build import Compiled

R = np.random.default_rng(7)
X = np.array([0.5, -1.0, 2.0])


def compiled(function, *args):
    """Jit a function and check that the whole of it is machine code."""
    jitted = wg.jit(function)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotCompiled)
        jitted(*args)
    for variant in jitted._state.variants.values():
        assert all(isinstance(code, Compiled) for _, code in variant.paths), wg.explain(jitted)
    return jitted


def test_control_flow():
    from wengert.differentiation.control import cond, fori_loop, scan, switch, while_loop

    x, rows, w = R.standard_normal(14), R.standard_normal((30, 14)), R.standard_normal((14, 14)) / 4

    def recurrent(x, rows, w):
        def body(c, r):
            h = np.tanh(c @ w + r)
            return h, np.sum(h * h)

        return scan(body, x, rows)[1]

    def functions():
        yield lambda x: cond(np.sum(x) > 0, lambda x: np.sin(x), lambda x: x - 1, x)
        yield lambda x: switch(np.argmax(x), [np.sin, np.cos, np.tanh], x)
        yield lambda x: while_loop(lambda s: np.sum(s[0] ** 2) < 1e4, lambda s: (s[0] * 1.5, s[1] + 1), (x, 0))[0]
        yield lambda x: fori_loop(0, 7, lambda i, c: c * 0.5 + np.cos(c) * i, x)
        yield lambda x: recurrent(x, rows, w)
        yield lambda x: scan(lambda c, r: (c * 0.9 + r, c), x[0], rows[:, 0], reverse=True)[1]
        yield wg.grad(lambda x: np.sum(recurrent(x, rows, w)))
        yield wg.grad(lambda x: np.sum(cond(np.sum(x) > 0, lambda x: np.sin(x), lambda x: x - 1, x) ** 2))
        yield wg.grad(lambda x: np.sum(fori_loop(0, 7, lambda i, c: c * 0.5 + np.cos(c) * i, x)))

    for function in functions():
        jitted = wg.jit(function)
        for point in (x, -x, x / 2):
            jitted(point)
            np.testing.assert_allclose(jitted(point), function(point), rtol=1e-11, atol=1e-13)


def test_a_loop_that_runs_no_step_and_a_branch_out_of_range():
    for count in (0, 1, 3):
        f = compiled(lambda x, n=count: wg.fori_loop(0, n, lambda i, c: np.sin(c) + i, x), X)
        np.testing.assert_allclose(f(X), f.function(X), rtol=1e-14)
    f = compiled(lambda x, k: wg.switch(k, [np.sin, np.cos, np.tanh], x), X, 1)
    for k in (-5, 0, 1, 2, 9):
        np.testing.assert_allclose(f(X, k), f.function(X, k), rtol=1e-14)


def test_a_while_loop_runs_as_long_as_its_condition_says():
    def f(x, bound):
        return wg.while_loop(lambda s: np.sum(s[0] ** 2) < bound, lambda s: (s[0] * 1.5, s[1] + 1), (x, 0))

    g = compiled(f, X, 100.0)
    for bound in (0.0, 1.0, 100.0, 1e6):
        (mine, steps), (theirs, count) = g(X, bound), f(X, bound)
        assert steps == count
        np.testing.assert_allclose(mine, theirs, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16", "i8", "?"])
def test_states_of_all_dtypes(dtype):
    x = np.array([1, 0, 1]).astype(dtype)

    def f(x):
        return wg.fori_loop(0, 3, lambda i, c: np.logical_xor(c, x) if dtype == "?" else c + x, x)

    found = compiled(f, x)(x)
    assert found.dtype == x.dtype and np.array_equal(found, f(x))


def test_a_captured_number_is_an_argument_of_a_branch():
    """It has no address of its own; the compiler looked for one."""
    for dtype in (np.float64, np.float32, np.int16):
        x, number = np.array([3, -1, 2], dtype), dtype(3)

        def f(x, number=number):
            which = np.argmax(x)
            return wg.switch(which, [lambda x: x + x, lambda x: x - number, lambda x: x * number], -x), x

        g = compiled(f, x)
        for given in (x, x[::-1], np.roll(x, 1)):
            for mine, theirs in zip(g(given), f(given), strict=True):
                assert mine.dtype == dtype and np.array_equal(mine, theirs)


def test_a_result_of_a_branch_is_given_back_in_two_places():
    """The plan is made again where a value has to be stored; numbers of the first plan must not be taken for it."""
    c = np.array([1.0, 2.0, 4.0])

    def f(x):
        y = wg.switch(np.argmax(x), [lambda x: x + c, lambda x: x - c, np.copy], np.negative(x))
        z = wg.switch(np.argmax(y), [lambda x: x + c, lambda x: x - c, np.copy], np.cumsum(y) * 2)
        return z, x * 2, y, z

    for mine, theirs in zip(compiled(f, X)(X), f(X), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-14)


def test_a_jacobian_through_a_scan_is_one_program():
    """Results that are packed together and taken apart again are no work, and no call of NumPy."""
    places = np.array([0, 1, 2, 0, 1])

    def f(x):
        return wg.scan(lambda c, r: (np.sin(c) + r, c * r), x[places], np.arange(3.0))[0]

    g = compiled(wg.jacobian(f), X)
    np.testing.assert_allclose(g(X), wg.jacobian(f)(X), rtol=1e-13)


def test_no_step_of_a_loop_takes_its_body_from_numpy():
    """What has no machine code inside of a loop keeps the whole loop on NumPy, and says so."""
    f = wg.jit(lambda x: np.exp(wg.scan(lambda c, r: (np.sort(c) + r, r), x, np.arange(3.0))[0] * 2))
    f(X)
    np.testing.assert_allclose(f(X), f.function(X), rtol=1e-14)
    assert "through NumPy: scan" in wg.explain(f)
