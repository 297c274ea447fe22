"""What a jitted function reads from outside: never out of date, and what is said where it changes all the time."""

import functools
import types
import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.differentiation.jit_outside import MOST_BYTES
from wengert.errors import NotCompiled

X = np.array([0.5, -1.0, 2.0])
FACTOR = 2.0


def recordings(jitted):
    """How many paths are kept, over all kinds of arguments."""
    return sum(len(variant.paths) for variant in jitted._state.variants.values())


def helper(x):
    return x * FACTOR


def through_helper(x):
    return helper(x) + FACTOR


@pytest.mark.parametrize("around", [wg.jit, lambda f: wg.jit(lambda x: f(x))])
def test_a_global_of_a_function_that_it_calls(around, monkeypatch):
    f = around(through_helper)
    for factor in (2.0, 3.0, 3.0, 2.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        assert np.array_equal(f(X), X * factor + factor)
    monkeypatch.setitem(globals(), "helper", lambda x: x * x)
    assert np.array_equal(f(X), X * X + 2.0)


DERIVATIVES = {
    "grad": lambda f: wg.grad(lambda x: np.sum(f(x))),
    "value_and_grad": lambda f: wg.value_and_grad(lambda x: np.sum(f(x))),
    "jacobian": wg.jacobian,
    "sparse": lambda f: wg.jacobian(f, sparse=True),
    "vmap": lambda f: lambda x: wg.vmap(f)(np.stack([x, x])),
    "checkpoint": lambda f: wg.grad(wg.checkpoint(lambda x: np.sum(f(x)))),
    "jit": wg.jit,
    "inner jit": lambda f: lambda x: wg.jit(f)(x) + 1,
    "partial": lambda f: functools.partial(lambda g, x: g(x), f),
    "hvp": lambda f: lambda x: wg.hvp(lambda x: np.sum(f(x)), (x,), (x,))[1],
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_a_variable_of_an_enclosing_function(name):
    scale = 2.0

    def f(x):
        return x[1:] * x[:-1] * scale

    x = np.linspace(0.5, 1.5, 30)
    derivative = DERIVATIVES[name](f)
    jitted = wg.jit(derivative)
    for value in (2.0, 5.0, 5.0):
        scale = value
        found, wanted = jitted(x), derivative(x)
        found, wanted = (np.ravel(y.toarray() if hasattr(y, "toarray") else y[-1]) for y in (found, wanted))
        np.testing.assert_allclose(found, wanted, rtol=1e-14)


def test_an_array_that_is_bound_anew_or_written_to():
    w = np.ones(3)
    f = wg.jit(lambda x: x * w)
    f(X)
    w[:] = 5
    assert np.array_equal(f(X), 5 * X) and recordings(f) == 1  # the code reads it where it lies
    w = np.full(3, 7.0)
    assert np.array_equal(f(X), 7 * X)
    w = np.ones(4)
    f = wg.jit(lambda x: np.sum(x) * w)
    f(X)
    w = np.ones(2)
    assert np.array_equal(f(X), np.full(2, X.sum()))


def test_numbers_computed_from_an_array_outside():
    w = np.ones(3)
    f = wg.jit(lambda x: x * np.sum(w))
    for value in (1.0, 5.0, 5.0):
        w[:] = value
        assert np.array_equal(f(X), X * 3 * value)
    frame = np.ones((4, 6))
    g = wg.jit(lambda x: x * frame[:, 1:3].sum())
    for value in (1.0, 5.0):
        frame[:] = value
        assert np.array_equal(g(X), X * 8 * value)


def test_large_arrays_are_not_compared():
    """The limit that the documentation states."""
    w = np.ones(MOST_BYTES // 8 + 1)
    f = wg.jit(lambda x: x * w[0].item())
    f(X)
    w[0] = 9.0
    assert np.array_equal(f(X), X)


def test_lists_dicts_and_objects():
    numbers = [1.0, [2.0]]
    options = {"k": 1.0, "w": np.ones(3)}
    model = types.SimpleNamespace(k=1.0, w=np.ones(3))
    f = wg.jit(lambda x: x * numbers[0] + numbers[1][0])
    g = wg.jit(lambda x: x * options["k"] * options["w"])
    h = wg.jit(lambda x: x * model.k * model.w)
    for k, w in ((1.0, 1.0), (3.0, 1.0), (3.0, 4.0), (3.0, 4.0)):
        numbers[0], numbers[1][0] = k, w
        options["k"], model.k = k, k
        options["w"][:] = w
        model.w = np.full(3, w)
        assert np.array_equal(f(X), X * k + w)
        assert np.array_equal(g(X), X * k * w) and np.array_equal(h(X), X * k * w)


class Model:
    power = 2.0

    def __init__(self):
        self.k = 1.0

    def method(self, x):
        return x * self.k * self.power

    def __call__(self, x):
        return self.method(x)


def test_methods_and_callable_objects(monkeypatch):
    model = Model()
    f, g = wg.jit(model.method), wg.jit(wg.grad(lambda x: np.sum(model(x))))
    for k in (1.0, 3.0, 3.0):
        model.k = k
        assert np.array_equal(f(X), X * k * 2) and np.array_equal(g(X), np.full(3, 2 * k))
    monkeypatch.setattr(Model, "power", 5.0)
    assert np.array_equal(f(X), X * 15)


def test_attributes_of_attributes():
    model = types.SimpleNamespace(layer=types.SimpleNamespace(k=1.0, w=np.ones(3)))
    model.itself = model
    f = wg.jit(lambda x: x * model.layer.k * np.sum(model.layer.w) if model.itself else x)
    for k, w in ((1.0, 1.0), (3.0, 1.0), (3.0, 4.0)):
        model.layer.k = k
        model.layer.w[:] = w
        assert np.array_equal(f(X), X * k * 3 * w)


def test_an_object_that_answers_to_no_question():
    class Silent:
        def __getattr__(self, name):
            raise RuntimeError(name)

    silent = Silent()
    f = wg.jit(lambda x: x * len([silent]))
    for _ in range(2):
        assert np.array_equal(f(X), X)


def test_defaults_and_partial_arguments():
    w = np.ones(3)

    def function(x, w=w):
        return x * np.sum(w)

    f, g = wg.jit(function), wg.jit(functools.partial(lambda w, x: x * np.sum(w), w))
    for value in (1.0, 4.0):
        w[:] = value
        assert np.array_equal(f(X), X * 3 * value) and np.array_equal(g(X), X * 3 * value)


def test_tensors_and_variables_that_are_bound_anew():
    t, v = wg.Tensor(np.ones(3)), wg.Variable(np.ones(3))
    f, g = wg.jit(lambda x: x * t), wg.jit(lambda x: x * v)
    f(X), g(X)
    t, v = wg.Tensor(np.zeros(3)), wg.Variable(np.full(3, 9.0))
    assert np.array_equal(f(X), X * 0) and np.array_equal(g(X), X * 9)


def test_equal_numbers_are_no_change():
    k = 1e9
    f = wg.jit(lambda x: x * k)
    f(X)
    path = next(iter(f._state.variants.values())).paths[0]
    k = float("1e9")  # another object
    f(X)
    assert next(iter(f._state.variants.values())).paths == [path]


def test_what_the_function_itself_changes_is_no_change():
    calls, count = [], 0

    def f(x):
        nonlocal count
        count += 1
        calls.append(count)
        return x if np.sum(x) > 0 else -x

    jitted = wg.jit(f)
    for sign in (1, -1, 1, -1):
        assert np.array_equal(jitted(sign * np.ones(2)), np.ones(2))
    assert calls == [1, 2]


def test_what_changes_all_the_time_runs_uncompiled_and_says_so_once():
    k = 0.0
    f = wg.jit(lambda x: x * k)
    with pytest.warns(NotCompiled, match="'k', which it reads from outside, changes from call to call") as caught:
        for k in np.arange(40.0).tolist():
            assert np.array_equal(f(X), X * k)
    assert len(caught) == 1
    assert recordings(f) == 0  # nothing that is out of date is kept


def test_machine_code_checks_variables_and_small_arrays_itself(monkeypatch):
    k, w = 2.0, np.ones(3)
    f = wg.jit(lambda x: x * k * np.sum(w) * FACTOR)
    f(X)
    seen = []
    monkeypatch.setattr(type(f._state), "_run", lambda self, *args: seen.append(1))
    f(X)
    assert not seen  # Python was not asked
    for change in ("k", "w", "FACTOR"):
        if change == "k":
            k = 3.0
        elif change == "w":
            w[0] = 2.0
        else:
            monkeypatch.setitem(globals(), "FACTOR", 3.0)
        f(X)
        assert len(seen) == 1, change
        seen.clear()
        k, w[0] = 2.0, 1.0


def test_python_numbers_as_arguments_are_values(monkeypatch):
    made = []
    from wengert.differentiation import jit

    plain = jit.compile_path
    monkeypatch.setattr(jit, "compile_path", lambda *args: (made.append(1), plain(*args))[1])
    f = wg.jit(lambda x, k, n, z: x * k + n * z)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotCompiled)
        for i in range(30):
            found = f(X, 0.5 * i, i, complex(i, 1))
            np.testing.assert_allclose(found, X * 0.5 * i + i * complex(i, 1), rtol=1e-15)
    assert len(made) == 1


def test_a_local_array_that_is_written_to_between_uses():
    def f(x):
        weights, total = np.zeros(3), x[0] * 0.0
        for i in range(3):
            weights[i] = i + 1.0
            total = total + np.sum(x * x * weights)
        return total

    def once(x):
        weights = np.ones(3)
        y = np.sum(x * weights)
        weights[:] = 7.0
        return y

    x = np.array([1.0, 2.0, 3.0])
    for function in (f, once):
        jitted = wg.jit(wg.grad(function))
        with pytest.warns(NotCompiled, match="it writes to a plain array after using it"):
            np.testing.assert_allclose(jitted(x), wg.grad(function)(x))
        np.testing.assert_allclose(jitted(2 * x), wg.grad(function)(2 * x))
