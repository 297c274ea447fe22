"""Control flow as one line: same numbers as Python's, one line in the Program, dtypes, trip counts, memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import wengert as wg
import wengert.numpy as wnp
from wengert.program import Program, Slot, trace

W = np.random.default_rng(0).normal(size=(3, 3)) * 0.4
X = np.random.default_rng(1).normal(size=(5, 3))
S = np.random.default_rng(2).normal(size=3)
B = np.random.default_rng(3).normal(size=(4, 3))


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def looped(w, s, rows):
    total = 0.0
    for x in rows:
        s = np.tanh(w @ s + x)
        total = total + np.sum(s**2) * x[0]
    return total + np.sum(s)


def scanned(**options):
    def f(w, s, rows):
        def body(s, x):
            s = np.tanh(w @ s + x)
            return s, np.sum(s**2) * x[0]

        s, parts = wg.scan(body, s, rows, **options)
        return np.sum(parts) + np.sum(s)

    return f


def fori(w, s, rows):
    def body(i, state):
        s, total = state
        x = wnp.take(rows, i, axis=0)
        s = np.tanh(w @ s + x)
        return s, total + np.sum(s**2) * x[0]

    s, total = wg.fori_loop(0, 5, body, (s, 0.0))
    return total + np.sum(s)


def whiled(**options):
    def f(w, s, rows):
        def body(state):
            i, s, total = state
            x = wnp.take(rows, i, axis=0)
            s = np.tanh(w @ s + x)
            return i + 1, s, total + np.sum(s**2) * x[0]

        _, s, total = wg.while_loop(lambda state: state[0] < 5, body, (0, s, 0.0), **options)
        return total + np.sum(s)

    return f


LOOPS = {
    "scan": scanned(),
    "scan, 1 state": scanned(checkpoint=1),
    "scan, 2 states": scanned(checkpoint=2),
    "scan, checkpoint": scanned(checkpoint=True),
    "fori": fori,
    "while": whiled(),
    "while, 2 states": whiled(checkpoint=2),
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_in_every_mode_and_order(name):
    f = LOOPS[name]
    close(f(W, S, X), looped(W, S, X))
    for number in (0, 1, 2):
        expected = wg.grad(looped, number)(W, S, X)
        close(wg.grad(f, number)(W, S, X), expected)
        close(wg.jacfwd(f, number)(W, S, X), expected)
    expected = wg.hessian(looped, (0, 1))(W, S, X)
    for mode in ("forward", "reverse"):
        found = wg.hessian(f, (0, 1), mode=mode)(W, S, X)
        for i in range(2):
            for j in range(2):
                close(found[i][j], expected[i][j])
    close(wg.jacfwd(wg.jacfwd(f, 1), 1)(W, S, X), expected[1][1])
    close(wg.jacrev(wg.jacfwd(f, 1), 1)(W, S, X), expected[1][1])
    third = wg.jacobian(wg.hessian(looped, 1), 1)(W, S, X)
    close(wg.jacrev(wg.jacrev(wg.jacrev(f, 1), 1), 1)(W, S, X), third)


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_over_samples(name):
    f = LOOPS[name]
    rows = np.stack([X, 2 * X, -X])
    close(wg.vmap(f, (None, 0, None))(W, B, X), [looped(W, b, X) for b in B])
    close(wg.vmap(wg.grad(f), (None, 0, None))(W, B, X), [wg.grad(looped)(W, b, X) for b in B])
    close(wg.vmap(wg.grad(f, 2), (None, None, 0))(W, S, rows), [wg.grad(looped, 2)(W, S, x) for x in rows])
    close(wg.vmap(wg.hessian(f, 1), (None, 0, None))(W, B, X), [wg.hessian(looped, 1)(W, b, X) for b in B])
    total = lambda w: np.sum(wg.vmap(f, (None, 0, None))(w, B, X))
    close(wg.grad(total)(W), sum(wg.grad(looped)(W, b, X) for b in B))
    nested = wg.vmap(lambda b: wg.vmap(lambda x: wg.grad(f, 1)(W, b, x))(rows))
    close(nested(B), [[wg.grad(looped, 1)(W, b, x) for x in rows] for b in B])


def newton(a):
    return wg.while_loop(lambda x: np.abs(x * x - a) > 1e-9, lambda x: (x + a / x) / 2, a)


def newton_in_python(a):
    x = a
    while np.abs(x * x - a) > 1e-9:
        x = (x + a / x) / 2
    return x


def test_samples_that_take_different_numbers_of_steps():
    values = np.array([2.0, 9.0, 100.0, 1e4])
    close(wg.vmap(newton)(values), [newton_in_python(a) for a in values])
    for derivative in (wg.grad, wg.jacfwd, lambda f: wg.grad(wg.grad(f)), wg.hessian):
        close(wg.vmap(derivative(newton))(values), [derivative(newton_in_python)(a) for a in values])
    scaled = lambda s: np.sum(wg.vmap(newton)(values * s))
    plain = lambda s: sum(newton_in_python(a * s) for a in values)
    close(wg.grad(scaled)(1.0), wg.grad(plain)(1.0))
    close(wg.hessian(scaled)(1.0), wg.hessian(plain)(1.0))


def program_of(f, *shapes):
    return trace(lambda *xs: [f(*xs)], [Slot(shape, np.dtype(float)) for shape in shapes])


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda x: wg.scan(lambda s, r: (np.sin(s + r), None), x, X[:, 0])[0], "scan"),
        (lambda x: wg.while_loop(lambda s: s < 3, lambda s: s * 2 + 1, x), "while"),
        (lambda x: wg.fori_loop(0, 100, lambda i, s: np.sin(s), x), "scan"),
        (lambda x: wg.cond(x > 0, np.sin, np.cos, x), "cond"),
        (lambda x: wg.checkpoint(lambda x: np.sin(np.cos(np.sin(x))))(x), "call"),
    ],
)
def test_one_line_in_the_program(f, name):
    program = program_of(f, ())
    names = [step.primitive.name for step in program.steps]
    assert names.count(name) == 1 and len(names) <= 3 and name in str(program)
    for value in (0.3, -0.7):
        close(program(np.asarray(value))[0], f(value))


def test_programs_with_sub_programs_are_saved_as_data(tmp_path):
    program = program_of(LOOPS["while"], (3, 3), (3,), (5, 3))
    program.save(tmp_path / "loop")
    again = Program.load(tmp_path / "loop")
    assert again == program and hash(again) == hash(program)
    close(again(W, S, X)[0], looped(W, S, X))
    close(wg.grad(lambda s: again(W, s, X)[0])(S), wg.grad(looped, 1)(W, S, X))


def test_recorded_loops_are_one_line():
    counted = []

    def f(s):
        out = wg.scan(lambda s, r: (counted.append(1), (np.sin(s) + r, None))[1], s, np.arange(1000.0))[0]
        return out

    wg.grad(f)(0.1)
    assert len(counted) == 1  # the body was traced once; its Program ran a thousand times


def test_a_body_that_branches_on_values_runs_step_by_step():
    def f(x):
        return wg.scan(lambda s, r: (s * r if s > 0 else s - r, None), x, np.array([2.0, -1.0, 3.0]))[0]

    def g(x):
        return wg.while_loop(lambda s: s < 100, lambda s: s * 3 if s > 10 else s * s, x)

    assert float(f(1.5)) == float(wg.grad(lambda x: f(x) * x)(1.5)) - 1.5 * float(wg.grad(f)(1.5))
    close(wg.grad(f)(1.5), -2.0 * 1.0)
    close(wg.grad(g)(5.0), 3 * 3 * 2 * 5.0 if 5.0**2 * 3 < 100 else 3 * 2 * 5.0)


def test_dtypes_of_the_state_are_widened():
    close(wg.grad(lambda x: wg.scan(lambda s, r: (s + r * x, None), 0, X[:, 0])[0])(2.0), np.sum(X[:, 0]))
    out = wg.vmap(lambda x: wg.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] + x), (0, 0))[1])(X[:, 0])
    close(out, 3 * X[:, 0])
    single = wg.vmap(lambda x: wg.scan(lambda s, r: (s * 0.5 + r, s), x, X[:, 0].astype(np.float32))[0])
    assert single(X[:, 1].astype(np.float32)).dtype == np.float32


def test_integers_in_the_state_and_the_results():
    def f(x):
        (count, value), seen = wg.scan(lambda s, r: ((s[0] + 1, s[1] * r), s[0]), (0, x), X[:, 0])
        return value * count, seen

    value, seen = f(2.0)
    assert seen.tolist() == [0, 1, 2, 3, 4]
    close(wg.grad(lambda x: f(x)[0])(2.0), 5 * np.prod(X[:, 0]))
    close(wg.jacfwd(lambda x: f(x)[0])(2.0), 5 * np.prod(X[:, 0]))
    close(wg.vmap(lambda x: f(x)[0])(S), S * 5 * np.prod(X[:, 0]))


def test_scan_as_documented():
    total, rows = wg.scan(lambda s, x: (s + x["a"], {"s": s, "b": x["b"] * 2}), 0.0, {"a": S, "b": X[:3]})
    close(total, np.sum(S))
    close(rows["s"], np.concatenate([[0.0], np.cumsum(S)[:-1]]))
    close(rows["b"], 2 * X[:3])
    backwards, seen = wg.scan(lambda s, x: (s * 2 + x, s), 0.0, S, reverse=True)
    close(backwards, S[0] + 2 * S[1] + 4 * S[2])
    close(seen, [2 * S[2] + S[1], S[2], 0.0])
    f = lambda x: wg.scan(lambda s, x: (s * 2 + x, s), 0.0, x, reverse=True)
    close(wg.jacobian(lambda x: f(x)[1])(S), [[0, 1, 2], [0, 0, 1], [0, 0, 0]])
    close(wg.vmap(lambda x: f(x)[1])(B[:, :3]), [f(b)[1] for b in B])
    close(wg.scan(lambda s, _: (s * 2, None), 1.0, length=10)[0], 1024.0)
    state, rows = wg.scan(lambda s, x: (s, x * 2.0), (), np.zeros((0, 3)))
    assert state == () and rows.shape == (0, 3)
    close(wg.grad(lambda x: np.sum(wg.scan(lambda s, r: (s * r, s), x, np.zeros(0))[0]))(2.0), 1.0)


def test_map_row_by_row():
    f = lambda x: np.sum(x**2)
    close(wg.map(f, B), np.sum(B**2, axis=1))
    close(wg.map(f, B, batch_size=3), np.sum(B**2, axis=1))
    close(wg.jacobian(lambda b: wg.map(f, b))(B), wg.jacobian(lambda b: np.sum(b**2, axis=1))(B))
    close(wg.map(lambda p: p["x"] @ p["y"], {"x": B, "y": B}), np.sum(B**2, axis=1))


def test_cond_over_samples():
    c = 2.5
    f = lambda x: wg.cond(x > 0, lambda x: np.sqrt(x) * c, lambda x: x**2, x)
    values = np.array([4.0, -1.0, 0.0])
    close(wg.vmap(f)(values), [5.0, 1.0, 0.0])
    close(wg.vmap(wg.grad(f))(values), [c / 4, -2.0, 0.0])
    close(wg.vmap(wg.hessian(f))(values[:2]), [-c / 32, 2.0])
    total = lambda c: np.sum(
        wg.vmap(lambda x: wg.cond(x > 0, lambda x: np.sqrt(x) * c, lambda x: x**2, x))(values)
    )
    close(wg.grad(total)(2.0), 2.0)


def test_a_branch_not_taken_leaks_nothing():
    """An overflow or a NaN in the branch that a sample does not take must not reach its derivative."""
    f = lambda x: wg.cond(x > 0, lambda x: x * 2, lambda x: x * np.nan + np.exp(1e4 * x * x), x)
    values = np.array([1.0, 2.0])
    with np.errstate(all="ignore"):
        close(wg.vmap(f)(values), [2.0, 4.0])
        close(wg.vmap(wg.grad(f))(values), [2.0, 2.0])
        close(wg.grad(lambda x: np.sum(wg.vmap(f)(x)))(values), [2.0, 2.0])
        g = lambda x: wg.cond(x > 0, np.log, lambda x: np.sqrt(-x), x)
        close(wg.vmap(wg.grad(g))(np.array([2.0, -4.0])), [0.5, -0.25])


def test_cond_with_plain_values_runs_one_branch():
    ran = []
    wg.cond(True, lambda: ran.append("true"), lambda: ran.append("false"))
    wg.cond(np.bool_(False), lambda: ran.append("true"), lambda: ran.append("false"))
    assert ran == ["true", "false"]
    assert wg.grad(lambda x: wg.cond(x > 1, lambda x: x**2, lambda x: x, x))(3.0) == 6.0
    assert wg.switch(7, [lambda: "a", lambda: "b"]) == "b" and wg.switch(-3, [lambda: "a", lambda: "b"]) == "a"


def test_cond_promotes_dtypes_and_takes_structures():
    f = lambda x: wg.cond(x > 0, lambda p: {"a": p["u"], "b": 1}, lambda p: {"a": p["u"] * 2, "b": 0.5}, {"u": x})
    out = wg.vmap(f)(np.array([1.0, -1.0]))
    close(out["a"], [1.0, -2.0])
    close(out["b"], [1.0, 0.5])


def test_fori_with_bounds_that_are_not_known():
    power = lambda x, n: wg.fori_loop(0, n, lambda i, s: s * x, 1.0)
    close(wg.vmap(power)(np.array([2.0, 3.0, 5.0]), np.array([3, 0, 2])), [8.0, 1.0, 25.0])
    close(wg.vmap(wg.grad(power))(np.array([2.0, 3.0, 5.0]), np.array([3, 0, 2])), [12.0, 0.0, 10.0])


def test_python_control_flow_is_followed_as_it_is():
    def f(x):
        def numbers():
            y = x
            while y < 50:
                yield y
                y = y * y

        def factorial(n):
            return 1.0 if n == 0 else n * factorial(n - 1)

        total = 0.0
        for y in numbers():
            if y > 10:
                continue
            total = total + factorial(3) * y
        return total

    close(wg.grad(f)(3.0), 6 * (1 + 2 * 3.0))
    close(wg.jacfwd(f)(3.0), 6 * (1 + 2 * 3.0))


def test_states_in_memory_stay_within_the_number_asked_for():
    """The backward pass of a scan holds `checkpoint` states, not one per step."""
    size, steps = 20_000, 400

    def f(x, **options):
        return np.sum(wg.scan(lambda s, r: (np.sin(s) * r, None), x, np.ones(steps), **options)[0])

    x = np.linspace(0, 1, size)

    def peak(**options):
        tops = []
        for _ in range(3):  # in one of the calls the body may be compiled, which takes memory of its own
            tracemalloc.start()
            result = wg.grad(lambda x: f(x, **options))(x)
            tops.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        return result, min(tops)

    everything, high = peak()
    few, low = peak(checkpoint=10)
    close(everything, few)
    assert high > steps * size * 8
    assert low < 30 * size * 8
