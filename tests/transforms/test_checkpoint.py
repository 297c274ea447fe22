"""`checkpoint` and `checkpointed_scan`: equal gradients, run counts, memory, the binomial schedule."""

from __future__ import annotations

import functools
import tracemalloc

import numpy as np
import pytest

import wengert as wg
from wengert.execute.revolve import advances, reverse_steps

W = np.random.default_rng(0).normal(size=(3, 3))
X = np.array([0.3, -0.8, 1.4])


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


def test_checkpoint_in_every_mode():
    plain = lambda w, x: np.sum(np.tanh(w @ x) ** 3)
    saved = lambda w, x: np.sum(wg.checkpoint(lambda x: np.tanh(w @ x))(x) ** 3)  # w is read from outside
    for number in (0, 1):
        close(wg.grad(saved, number)(W, X), wg.grad(plain, number)(W, X))
        close(wg.jacfwd(saved, number)(W, X), wg.grad(plain, number)(W, X))
        for mode in ("forward", "reverse"):
            close(wg.hessian(saved, number, mode=mode)(W, X), wg.hessian(plain, number)(W, X))
    stacked = np.stack([X, -X])
    close(wg.vmap(wg.grad(saved), (None, 0))(W, stacked), [wg.grad(plain)(W, x) for x in stacked])


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_checkpoint_of_a_function_that_branches_on_values(sign):
    branching = lambda x: x**2 if x[0] > 0 else np.sin(x)
    x = sign * np.abs(X)
    total, saved = lambda x: np.sum(branching(x)), lambda x: np.sum(wg.checkpoint(branching)(x))
    close(wg.grad(saved)(x), wg.grad(total)(x))
    close(wg.hessian(saved)(x), wg.hessian(total)(x))
    close(wg.jacfwd(saved)(x), wg.grad(total)(x))


def test_checkpoint_takes_structures_and_settings():
    f = wg.checkpoint(lambda p, n, *, scale=1.0: {"y": p["a"] ** n * scale})
    close(wg.grad(lambda a: np.sum(f({"a": a}, 3, scale=2.0)["y"]))(X), 6 * X**2)
    assert f({"a": 2.0}, 3)["y"] == 8.0  # nothing is recorded: just the function


def test_checkpoint_keeps_less():
    def f(x):
        for _ in range(30):
            x = np.sin(x) * 1.01
        return x

    x = np.linspace(0, 1, 50_000)

    def peak(function):
        tracemalloc.start()
        wg.grad(lambda x: np.sum(function(function(function(x)))))(x)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(wg.checkpoint(f)) < 0.6 * peak(f)


def rk4(i, y, p):
    h = 0.01
    rate = lambda y: p * np.sin(y) - 0.1 * y * np.roll(y, 1)
    k1 = rate(y)
    k2 = rate(y + h / 2 * k1)
    k3 = rate(y + h / 2 * k2)
    k4 = rate(y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def by_hand(y, p, steps):
    for i in range(steps):
        y = rk4(i, y, p)
    return np.sum(y**2)


STATE = np.random.default_rng(4).normal(size=6)
RATE = np.random.default_rng(5).normal(size=6)


@pytest.mark.parametrize("budget", [None, 300, 1000, 10_000, 10**7])
def test_checkpointed_scan_gives_the_plain_gradient(budget):
    steps = 60
    f = lambda y, p: np.sum(wg.checkpointed_scan(rk4, steps, budget)(y, p) ** 2)
    by_y, by_p = wg.grad(f, (0, 1))(STATE, RATE)
    expected_y, expected_p = wg.grad(by_hand, (0, 1))(STATE, RATE, steps)
    close(f(STATE, RATE), by_hand(STATE, RATE, steps))
    close(by_y, expected_y)
    close(by_p, expected_p)


def test_checkpointed_scan_in_every_mode():
    f = lambda y, p: np.sum(wg.checkpointed_scan(rk4, 7, 600)(y, p) ** 2)
    plain = functools.partial(by_hand, steps=7)
    close(wg.jacfwd(f)(STATE, RATE), wg.grad(plain)(STATE, RATE))
    for mode in ("forward", "reverse"):
        close(wg.hessian(f, mode=mode)(STATE, RATE), wg.hessian(plain)(STATE, RATE))
    states = np.stack([STATE, 2 * STATE])
    close(wg.vmap(wg.grad(f), (0, None))(states, RATE), [wg.grad(plain)(y, RATE) for y in states])


def test_the_number_of_the_step_and_structured_states():
    step = lambda i, s, a: {"t": s["t"] + 0.1, "x": s["x"] + 0.1 * a * i * np.cos(s["t"])}
    run = wg.checkpointed_scan(step, 10)

    def plain(a):
        state = {"t": 0.0, "x": 1.0}
        for i in range(10):
            state = step(i, state, a)
        return state["x"]

    close(wg.grad(lambda a: run({"t": 0.0, "x": 1.0}, a)["x"])(2.0), wg.grad(plain)(2.0))
    close(run({"t": 0.0, "x": 1.0}, 2.0)["x"], plain(2.0))


def test_the_budget_is_kept():
    """Many steps of a large state: the peak is that of the states paid for, and of one step."""
    steps, size, budget = 2000, 1000, 400_000
    step = lambda i, y, p: y + 1e-3 * (p * np.sin(y) - y)
    f = lambda y: np.sum(wg.checkpointed_scan(step, steps, budget)(y, 1.5) ** 2)
    y = np.linspace(-1, 1, size)
    peaks = []
    for _ in range(4):  # in one of the calls the steps may be compiled, which takes memory of its own
        tracemalloc.start()
        found = wg.grad(f)(y)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert min(peaks) < 2 * budget
    tangent = 1.0 + 0 * y
    value, state = tangent, y
    for _ in range(steps):
        value = value * (1 + 1e-3 * (1.5 * np.cos(state) - 1))
        state = step(0, state, 1.5)
    close(found, 2 * state * value)


@functools.cache
def fewest(length, held):
    """The least number of steps ahead, by dynamic programming."""
    if length <= 1:
        return 0
    if held == 1:
        return length * (length - 1) // 2
    return min(m + fewest(length - m, held - 1) + fewest(m, held) for m in range(1, length))


def test_the_schedule_is_optimal():
    for length in range(1, 50):
        for held in range(1, 10):
            assert advances(length, held) == fewest(length, held), (length, held)


def test_the_schedule_holds_no_more_states_than_allowed():
    import weakref

    class State:
        def __init__(self, k):
            self.k = k
            alive.add(self)

    for held in (1, 2, 3, 7):
        alive = weakref.WeakSet()
        most = 0
        order = []

        def advance(state, k):
            nonlocal most
            assert state.k == k
            new = State(k + 1)
            most = max(most, len(alive))
            return new

        reverse_steps(40, State(0), advance, lambda state, k: order.append((state.k, k)), held)
        assert order == [(k, k) for k in range(39, -1, -1)]
        assert most <= held + 2  # those stored, the one being advanced and its successor
