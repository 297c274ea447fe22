"""Plain calls of derivatives that skip recording: what the function reads from outside is never out of date."""


import numpy as np
import pytest
from native_unrecorded import X, follow, is_skipped, points, same

import wengert as wg
from wengert.differentiation import unrecorded

pytestmark = pytest.mark.usefixtures("always_pays")


# ---------------------------------------------------------------- what is read from outside


def test_numbers_from_outside_are_inputs():
    scale = 1.0

    def f(x):
        return np.sum(np.sin(scale * x) / (1.0 + scale * scale))

    def change(k):
        nonlocal scale
        scale = 0.5 + 0.1 * k

    gradient = wg.grad(f)
    follow(gradient, points, change)
    assert "1 path compiled" in unrecorded.status(gradient)


def test_integers_from_outside():
    count, power, factor = 3, 2, 1

    def f(x):
        total = x[0] * 0.0
        for i in range(count):
            total = total + x[i] ** power * factor
        return total

    def change(k):
        nonlocal count, power, factor
        count, power, factor = 1 + k % 3, 2 + k // 20, k

    gradient = wg.grad(f)
    follow(gradient, points, change)


def test_an_integer_that_changes_becomes_an_input():
    factor = 1
    gradient = wg.grad(lambda x: np.sum(np.sin(x) * factor / 3 + x * (1 if factor > 2 else 3)))

    def change(k):
        nonlocal factor
        factor = k

    follow(gradient, points, change)
    assert is_skipped(gradient)


def test_python_integers_do_not_overflow():
    big = 3
    gradient = wg.grad(lambda x: np.sum(x) * float(big * big * big))

    def change(k):
        nonlocal big
        big = 3 * 10 ** (k // 2)

    follow(gradient, points, change)


def test_arrays_from_outside_changed_in_place():
    w, table = np.ones(3), np.arange(6.0).reshape(2, 3)
    gradient = wg.grad(lambda x: np.sum(np.sin(x * w)) + np.sum(table.T @ (table @ x)) + np.sum(2 * w + 1) * x[0])

    def change(k):
        w[k % 3] = k
        table[k % 2] *= 1.01

    follow(gradient, points, change)
    assert is_skipped(gradient)


def test_values_computed_from_outside_arrays_alone_are_computed_again():
    w = np.ones(3)
    index = np.array([0, 1])

    def f(x):
        weights = np.sort(w) / np.sum(w)
        return np.sum(x * weights) * np.max(w) + np.sum(x[index] ** 2)

    def change(k):
        w[:] = np.roll(w, 1) + 0.1 * k
        index[:] = [k % 3, (k + 1) % 3]

    follow(wg.grad(f), points, change)


def test_arrays_from_outside_replaced_by_others():
    w = np.ones(3)
    gradient = wg.grad(lambda x: np.sum(np.sin(x) * w))

    def change(k):
        nonlocal w
        w = [np.ones(3) * k, np.ones((2, 3)) * k, np.arange(3), np.float64(k), 2.5, np.ones((3, 2)).T * k, k][k % 7]

    follow(gradient, points, change)


def test_arrays_reshaped_and_viewed_in_place():
    w = np.arange(3.0)
    gradient = wg.grad(lambda x: np.sum((x * w) ** 2))

    def change(k):
        if k % 10 == 9:
            w.shape = (3, 1) if w.ndim == 1 else (3,)

    follow(gradient, points, change)


W_GLOBAL = 1.0


def test_globals_rebound(monkeypatch):
    gradient = wg.grad(lambda x: np.sum(np.cos(x) * W_GLOBAL))
    values = [2.0, np.ones(3), np.arange(3.0), 3, np.float32(2.0), 4.0]
    follow(gradient, points, lambda k: monkeypatch.setitem(globals(), "W_GLOBAL", values[k % 6]))


def helper(x):
    return np.sin(x)


def other(x):
    return x**3


def test_functions_redefined(monkeypatch):
    gradient = wg.grad(lambda x: np.sum(helper(x) * 2.0))
    original = helper

    def change(k):
        monkeypatch.setitem(globals(), "helper", [original, other, np.cos, lambda x: x * k][k // 10 % 4])

    follow(gradient, points, change)


def test_the_code_and_the_defaults_of_a_function_replaced():
    def f(x, w=2.0):
        return np.sum(np.sin(x) * w)

    def g(x, w=2.0):
        return np.sum(np.cos(x) * w)

    def change(k):
        f.__defaults__ = (float(k),) if k % 7 else (np.ones(3) * k,)
        if k == 20:
            f.__code__ = g.__code__
        if k == 30:
            f.__kwdefaults__ = {}

    follow(wg.grad(f), points, change)
    array = np.ones(3)

    def h(x, w=array):
        return np.sum(np.sin(x) * w)

    gradient = wg.grad(h)
    follow(gradient, points, lambda k: array.__setitem__(k % 3, k))
    assert is_skipped(gradient)


@pytest.mark.parametrize("name", ["sin", "sum", "pi"])
def test_numpy_monkeypatched(monkeypatch, name):
    gradient = wg.grad(lambda x: np.sum(np.sin(x) * np.pi))
    passed = wg.grad(lambda x: through(np, x))
    replaced = {"sin": np.cos, "sum": np.prod, "pi": 3.0}[name]
    for derivative in (gradient, passed):
        for k in range(50):
            with monkeypatch.context() as patch:
                if 20 <= k < 30:
                    patch.setattr(np, name, replaced)
                same(derivative(X), derivative.evaluate(X))


def through(xp, x):
    return xp.sum(xp.sin(x) * xp.pi)


def test_builtins_shadowed(monkeypatch):
    gradient = wg.grad(lambda x: abs(max(x[0] * 3.0, x[1])) + sum(x))

    def change(k):
        if k == 20:
            monkeypatch.setitem(globals(), "max", min)
        if k == 35:
            monkeypatch.setattr("builtins.sum", lambda values: values[0] * 7)

    follow(gradient, points, change)


def test_nested_functions_and_recursion():
    offset = 1.0

    def power(x, n):
        return x if n == 1 else x * power(x, n - 1)

    def f(x):
        def inner(a):
            return a * offset + np.sum(x)

        square = lambda t: t * t
        terms = [inner(x[i]) for i in range(3)]
        terms.append(sum(power(t, 3) for t in terms))
        a, *rest = terms
        return a + sum(map(square, rest)) + {"k": a}["k"]

    def change(k):
        nonlocal offset
        offset = 0.1 * k

    gradient = wg.grad(f)
    follow(gradient, points, change)
    assert is_skipped(gradient)


def test_functions_chosen_from_outside():
    def make(op, k):
        return wg.grad(lambda x: np.sum(op(x) * k))

    for k in range(50):
        derivative = make([np.sin, np.cos, np.exp][k % 3], float(k))
        same(derivative(X), derivative.evaluate(X))
    assert is_skipped(make(np.sin, 1.0))


def test_functions_and_modules_as_defaults_and_in_tuples():
    operations = (np.sin, helper, lambda x: x * x)

    def f(x, outer=other, xp=np):
        return xp.sum(sum(outer(operation(x)) for operation in operations))

    gradient = wg.grad(f)
    follow(gradient, points)
    assert is_skipped(gradient)


def test_derivatives_of_derivatives():
    scale, w = 1.0, np.ones(3)

    def f(x):
        return np.sum(np.sin(x * scale) * w + x**3)

    gradient = wg.grad(f)

    def through(x):
        return gradient(x) * x + wg.jacobian(lambda y: y * y)(x) @ x

    def change(k):
        nonlocal scale, w
        scale = 1.0 + 0.1 * k
        w[k % 3] = k
        if k == 30:
            gradient.function = lambda x: np.prod(x)

    for derivative in (wg.jacobian(gradient), wg.grad(lambda x: np.sum(gradient(x) ** 2)), wg.jacobian(through)):
        gradient.function = f
        follow(derivative, points, change)
        assert is_skipped(derivative)


def test_results_without_axes_keep_their_type():
    for function in (lambda x: x * 2.0, lambda x: np.sum(x) * np.ones(()), lambda x: 3.0 + 0.0 * x):
        for given in (2.0, np.float64(2.0), np.array(2.0)):
            gradient = wg.value_and_grad(function)
            follow(gradient, lambda k, given=given: (given,), calls=8)
            assert is_skipped(gradient)
