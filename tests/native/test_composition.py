"""`jit` among the transforms, in every order: results are those of the same chain without it."""

import functools
import itertools
import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.errors import NotCompiled

X = np.array([0.5, -1.0, 2.0])


def number(x):
    return np.sum(np.sin(x) * x * x)


def vector(x):
    return np.stack([x[0] * x[1], np.sin(x[2]), x[0] ** 2 + x[2]])


TRANSFORMS = {
    "jit": wg.jit,
    "grad": wg.grad,
    "value_and_grad": wg.value_and_grad,
    "jacobian": wg.jacobian,
    "jacfwd": wg.jacfwd,
    "hessian": wg.hessian,
    "vmap": lambda f: lambda x: wg.vmap(f)(np.stack([x, 2 * x])),
    "jvp": lambda f: lambda x: wg.jvp(f, (x,), (np.cos(x),))[1],
    "vjp": lambda f: lambda x: wg.vjp(f, x)[1](1.0)[0],
    "hvp": lambda f: lambda x: wg.hvp(f, (x,), (np.array([1.0, 2.0, 3.0]),))[1],
    "checkpoint": wg.checkpoint,
    "sum": lambda f: lambda x: sum(np.sum(part) for part in flat(f(x))),
}


def flat(result):
    """The arrays of a result, in order."""
    if isinstance(result, tuple | list):
        return [x for part in result for x in flat(part)]
    if isinstance(result, dict):
        return [x for part in result.values() for x in flat(part)]
    return [result.toarray() if hasattr(result, "toarray") else result]


def agree(build, *args):
    """Build a function with `jit` and without it, and compare them at several calls."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotCompiled)
        wanted = flat(build(lambda f: f)(*args))
        function = build(wg.jit)
        for _ in range(3):
            found = flat(function(*args))
            assert len(found) == len(wanted)
            for mine, theirs in zip(found, wanted, strict=True):
                assert np.shape(mine) == np.shape(theirs)
                np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("innermost", TRANSFORMS)
def test_three_transforms(innermost):
    tried = 0
    for names in itertools.product([innermost], TRANSFORMS, TRANSFORMS):
        if "jit" not in names:
            continue
        for base in (number, vector):

            def build(jit, names=names, base=base):
                chain = [jit if name == "jit" else TRANSFORMS[name] for name in names]
                return functools.reduce(lambda f, transform: transform(f), chain, base)

            try:
                build(lambda f: f)(X)
            except (ValueError, TypeError, IndexError):  # a gradient of a vector, and the like
                continue
            agree(build, X)
            tried += 1
    assert tried > 10


ROWS = np.ones((4, 3))
CONTROL = {
    "a scan's body": lambda jit: lambda x: wg.scan(jit(lambda c, r: (np.sin(c) * 0.5 + r, np.sum(c))), x, ROWS)[1],
    "a branch": lambda jit: lambda x: wg.cond(x[0] > 0, jit(np.sin), jit(lambda x: x * 2), x),
    "a loop's body": lambda jit: lambda x: wg.fori_loop(0, 5, jit(lambda i, c: np.cos(c) * i), x),
    "map": lambda jit: lambda x: wg.map(jit(lambda row: np.sum(row) * row), np.stack([x, x * 2])),
}


@pytest.mark.parametrize("place", CONTROL)
def test_inside_of_control_flow(place):
    build = CONTROL[place]
    agree(build, X)
    agree(lambda jit: jit(build(jit)), X)
    agree(lambda jit: jit(wg.grad(lambda x: np.sum(build(jit)(x)))), X)
    agree(lambda jit: wg.jacobian(build(jit)), X)


def test_a_while_loop_of_jitted_functions():
    def build(jit):
        return jit(lambda x: wg.while_loop(jit(lambda s: np.sum(s) < 50), jit(lambda s: s * 1.5), x))

    agree(build, X)


def watched(jit, method):
    """A tape over a jitted function."""
    f = jit(number if method == "gradient" else vector)

    def run(x):
        x = wg.Tensor(x)
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        return np.asarray(getattr(tape, method)(y, x))

    return run


def tape_inside(jit):
    def run(x):
        x = wg.Tensor(x)
        with wg.GradientTape() as tape:
            tape.watch(x)
            y = np.sum(x**3)
        return tape.gradient(y, x)

    inner = jit(run)
    return lambda x: np.asarray(inner(x))


def written(x):
    y = x.copy()
    y[0] = y[1] * 2
    y[1:] += x[:2]
    return np.sum(y * y)


PLACES = {
    "a tape": lambda jit: watched(jit, "gradient"),
    "a tape's Jacobian": lambda jit: watched(jit, "jacobian"),
    "a tape inside": tape_inside,
    "hvp": lambda jit: jit(lambda x: wg.hvp(jit(number), (x,), (X,))),
    "vhp": lambda jit: jit(lambda x: wg.vhp(jit(number), (x,), (X,))),
    "hessian_diag": lambda jit: jit(lambda x: wg.hessian_diag(jit(number))(x)),
    "laplacian": lambda jit: jit(lambda x: wg.laplacian(jit(number))(x)),
    "jet": lambda jit: lambda x: wg.jet(jit(np.sin), (x,), ([x, x * 0],)),
    "linearize": lambda jit: jit(lambda x: wg.linearize(jit(vector), x)[1](X)),
    "a sparse Jacobian": lambda jit: jit(wg.jacobian(jit(lambda x: np.roll(x, 1) * x), sparse=True)),
    "a sparse Hessian": lambda jit: jit(wg.hessian(jit(lambda x: np.sum((x[1:] * x[:-1]) ** 2)), sparse=True)),
    "a diagonal Jacobian": lambda jit: jit(wg.jacobian_diagonal(jit(np.sin))),
    "an operator": lambda jit: lambda x: wg.jacobian_operator(jit(vector), x) @ X,
    "batch_jacobian": lambda jit: lambda x: jit(wg.batch_jacobian(jit(lambda b: np.sin(b) * b)))(np.stack([x, x * 2])),
    "two arguments": lambda jit: lambda x: jit(wg.jacobian(jit(lambda a, b: a * b), argnums=(0, 1)))(x, x * 2),
    "a dict": lambda jit: lambda x: jit(wg.grad(jit(lambda d: np.sum(d["a"] * d["b"][0]))))({"a": x, "b": [x * 2]}),
    "aux": lambda jit: jit(wg.value_and_grad(jit(lambda x: (np.sum(x * x), {"h": x * 2, "n": 3})), has_aux=True)),
    "value_grad_and_hessian": lambda jit: jit(wg.value_grad_and_hessian(jit(number))),
    "value_and_jacobian": lambda jit: jit(wg.value_and_jacobian(jit(vector))),
    "stop_gradient": lambda jit: jit(wg.grad(jit(lambda x: np.sum(x * wg.stop_gradient(x))))),
    "writes": lambda jit: jit(wg.grad(jit(written))),
    "gradients of gradients": lambda jit: jit(wg.grad(jit(lambda x: np.sum(jit(wg.grad(jit(number)))(x) ** 2)))),
    "vmap over two": lambda jit: lambda x: wg.vmap(jit(lambda a, b: a * b), in_axes=(0, None))(np.stack([x, x]), x),
}


@pytest.mark.parametrize("place", PLACES)
def test_in_other_places(place):
    agree(PLACES[place], X)
