"""Random functions whose surroundings change at random between calls: skipping recording must never be noticed."""

import random

import numpy as np
import pytest
from native_unrecorded import same

import wengert as wg
from wengert.differentiation import unrecorded

pytestmark = pytest.mark.usefixtures("always_pays")

HELPERS = """
def h(y):
    return y * k + np.cos(y)

g = lambda y: np.arctan(y) * w
"""
EXPRESSIONS = (
    "({} + {})", "({} * {})", "np.sin({})", "np.tanh({})", "({} / (2.0 + np.cos({})))", "h({})", "g({})",
    "np.where({} > {}, {}, {})", "np.sum({})", "np.maximum({}, {})", "({} if np.sum({}) > k else {})",
    "np.exp(-np.square({}))", "(W @ (x * {}))", "np.mean({})", "({} - m * {})", "abs({})",
)  # fmt: skip


def expression(chance, depth, names):
    if depth == 0:
        return chance.choice([*names, "k", "a", "1.5", "x", "n", "t[0]", "t[1]", "w[i]"])
    form = chance.choice(EXPRESSIONS)
    return form.format(*(expression(chance, depth - 1, names) for _ in range(form.count("{}"))))


def function_text(chance):
    rows, names = ["def f(x, d=default):", "    i = index[0]"], []
    for j in range(chance.randint(1, 4)):
        kind = chance.randrange(6)
        if kind == 0 and names:
            rows += ["    for q in range(n % 4):", f"        {names[0]} = {names[-1]} * 0.5 + {expression(chance, 1, names)}"]
        elif kind == 1:
            rows += ["    b = np.zeros_like(x)", "    b[1:] = x[:-1] * (k + d)", "    b[0] = np.sum(x * w)"]
            names.append("b")
        elif kind == 2:
            rows += ["    z = w.copy()", "    z[n % 3] = k", "    z *= 2.0"]
            names.append("z")
        elif kind == 3:
            rows += [f"    v{j} = {expression(chance, 1, names)}", f"    if np.sum(v{j}) > m:"]
            rows += [f"        v{j} = {expression(chance, 2, names)}"]
            names.append(f"v{j}")
        elif kind == 4:
            rows.append(f"    v{j} = sum([{expression(chance, 1, names)} * y for y in x], 0.0)")
            names.append(f"v{j}")
        else:
            rows.append(f"    v{j} = {expression(chance, 2, names)}")
            names.append(f"v{j}")
    rows.append(f"    return np.sum({expression(chance, 2, names)} * x) + np.sum({chance.choice([*names, 'x'])})")
    return "\n".join(rows)


def change(chance, numbers, scope):
    """Change one of the things that the function reads from outside: in place, or by another."""

    def put(name, value):
        scope[name] = value

    fresh = numbers.standard_normal
    chance.choice(
        [
            lambda: put("k", fresh()),
            lambda: scope["a"].__setitem__(chance.randrange(3), fresh()),
            lambda: put("n", chance.randrange(5)),
            lambda: put("t", (fresh(), scope["t"][1])),
            lambda: scope["t"][1].__iadd__(1.0),
            lambda: put("w", fresh(3)),
            lambda: put("W", np.asfortranarray(fresh((3, 3)))),
            lambda: put("m", chance.choice([1, 2, 0.5, np.float64(3), -1])),
            lambda: setattr(scope["f"], "__defaults__", (fresh(),)),
            lambda: scope["index"].__setitem__(0, chance.randrange(3)),
            lambda: exec("def h(y):\n    return y * y * k", scope) if chance.random() < 0.2 else None,
            lambda: None,
        ]
    )()


def check(seed):
    chance, numbers = random.Random(seed), np.random.default_rng(seed)
    fresh = numbers.standard_normal
    scope = {"np": np, "k": 1.0, "a": fresh(3), "n": 2, "t": (0.5, fresh(3)), "w": fresh(3), "W": fresh((3, 3))}
    scope |= {"m": 1, "default": 2.0, "index": np.array([1])}
    exec(HELPERS + function_text(chance), scope)
    derivative = chance.choice([wg.grad, wg.value_and_grad, wg.hessian])(scope["f"])
    for _ in range(20):
        change(chance, numbers, scope)
        x = fresh(3)
        same(derivative(x), derivative.evaluate(x), tolerance=1e-8)
    return unrecorded.status(derivative)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_functions():
    said = [check(seed) for seed in range(12)]
    assert sum(text.startswith("proved pure: recording is skipped;") for text in said) >= 10


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("seed", range(12, 512))
def test_more_random_functions(seed):
    check(seed)
