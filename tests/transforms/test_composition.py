"""Every pair of transforms: derivatives of derivatives, through every construct, and mapped over samples.

The oracle is a chain of reverse Jacobians of the bare function, and for `vmap` a Python loop.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import newton

import wengert as wg
import wengert.numpy as wnp

MIX = np.array([[0.5, -0.3], [0.2, 0.4]])


def bare(x):
    return np.sin(MIX @ x) * x[0] + x**2 / 3


# ---------------------------------------------------------------- constructs that compute the same function


def through_checkpoint(x):
    return wg.checkpoint(bare)(x)


def through_scan(x):
    def body(total, row):
        return total + np.sin(np.sum(row[:2] * x)) * x[0] * row[2:], None

    pick = np.concatenate([MIX, np.eye(2)], axis=1)
    total, _ = wg.scan(body, np.zeros(2), pick)
    return total + x**2 / 3


def through_checkpointed_scan(x):
    def step(i, total, x):
        chosen = np.where(np.arange(2) == i, 1.0, 0.0)
        return total + np.sin(np.sum((chosen @ MIX) * x)) * x[0] * chosen

    return wg.checkpointed_scan(step, 2, budget=2000)(np.zeros(2), x) + x**2 / 3


def through_while(x):
    def body(state):
        i, total = state
        chosen = np.where(np.arange(2) == i, 1.0, 0.0)
        return i + 1, total + np.sin(np.sum((chosen @ MIX) * x)) * x[0] * chosen

    return wg.while_loop(lambda s: s[0] < 2, body, (0, np.zeros(2)))[1] + x**2 / 3


def through_fori(x):
    def body(i, total):
        chosen = np.where(np.arange(2) == i, 1.0, 0.0)
        return total + np.sin(np.sum((chosen @ MIX) * x)) * x[0] * chosen

    return wg.fori_loop(0, 2, body, np.zeros(2)) + x**2 / 3


def through_cond(x):
    return wg.cond(np.sum(x * x) > 0, bare, lambda x: x * np.nan, x)


def through_switch(x):
    index = wg.cond(x[0] * x[0] >= 0, lambda: 1, lambda: 0)
    return wg.switch(index, [lambda x: x * 7, bare, lambda x: x], x)


def through_map(x):
    return wg.map(lambda pair: np.sin(np.sum(pair[0] * x)) * x[0] + pair[1] @ (x**2) / 3, (MIX, np.eye(2)))


def through_vmap(x):
    return wg.vmap(lambda row, i: np.sin(row @ x) * x[0] + wnp.take(x**2, i) / 3)(MIX, np.arange(2))


def through_vmap_chunks(x):
    return wg.vmap(lambda row, y: np.sin(row @ x) * x[0] + y**2 / 3, chunk_size=1)(MIX, x)


def through_buffer(x):
    out = np.zeros_like(x)
    for i in range(2):
        out[i] = np.sin(MIX[i] @ x) * x[0]
    out += x**2 / 3
    return out


def bare_jvp(tangents, out, x):
    (t,) = tangents
    return np.cos(MIX @ x) * (MIX @ t) * x[0] + np.sin(MIX @ x) * t[0] + 2 * x * t / 3


def bare_vjp(cotangent, out, x):
    first = np.where(np.arange(2) == 0, 1.0, 0.0)
    return (
        MIX.T @ (cotangent * np.cos(MIX @ x) * x[0])
        + np.sum(cotangent * np.sin(MIX @ x)) * first
        + 2 * x * cotangent / 3,
    )


by_jvp = wg.custom_rule(bare, jvp=bare_jvp)
by_vjp = wg.custom_rule(bare, vjp=bare_vjp)
by_both = wg.custom_rule(bare, jvp=bare_jvp, vjp=bare_vjp)
by_none = wg.custom_rule(bare)


@wg.custom_gradient
def by_custom_gradient(x):
    return bare(x), lambda upstream: bare_vjp(upstream, None, x)[0]


def through_linearize(x):
    return wg.linearize(lambda s: bare(x) * s, 0.3)[1](1.0)


def through_transpose(x):
    return wg.linear_transpose(lambda y: bare(x) @ y, np.zeros(2))(1.0)[0]


def through_vjp(x):
    return wg.vjp(lambda y: bare(x) @ y, np.zeros(2))[1](1.0)[0]


def through_jvp(x):
    return wg.jvp(lambda s: bare(x) * s, (0.3,), (1.0,))[1]


def through_root(x):
    y = bare(x)
    return wg.custom_root(lambda z: z**3 + z - y**3 - y, np.zeros(2), lambda f, z: newton_system(f, z))


def newton_system(f, z):
    for _ in range(60):
        z = z - np.linalg.solve(wg.jacobian(f)(z), f(z))
    return z


def through_linear_solve(x):
    y = 2 * bare(x)
    return wg.custom_linear_solve(lambda z: 2 * z, y, lambda product, b: b / product(np.ones(2)), symmetric=True)


def through_fixed_point(x):
    y = bare(x)
    return wg.fixed_point(lambda z: 0.5 * z + 0.5 * y, np.zeros(2), tolerance=1e-15)


def through_implicit(x):
    y = bare(x)
    parts = [wg.implicit(newton)(lambda z, c: z - c, 0.0, args=(y[i],)) for i in range(2)]
    return np.stack(parts)


CONSTRUCTS = {
    name: function
    for name, function in {**globals()}.items()
    if name.startswith(("through_", "by_")) and callable(function)
}
# Their rules leave NumPy, so samples are taken one by one, which is slow; they have pages of their own.
SLOW = {"through_root", "through_implicit", "through_linear_solve", "through_fixed_point"}

# ---------------------------------------------------------------- derivatives of a function of a vector

V = np.array([0.7, -0.4])


def last_axis(array, vector):
    return np.tensordot(array, vector, axes=([array.ndim - 1], [0]))


OPERATORS = {
    "jacrev": (wg.jacrev, lambda jacobian, y: jacobian),
    "jacfwd": (wg.jacfwd, lambda jacobian, y: jacobian),
    "jvp": (lambda f: lambda x: wg.jvp(f, (x,), (V,))[1], lambda jacobian, y: last_axis(jacobian, V)),
    "vjp": (
        lambda f: lambda x: (lambda pair: pair[1](np.cos(np.arange(pair[0].size)).reshape(pair[0].shape))[0])(
            wg.vjp(f, x)
        ),
        lambda jacobian, y: np.tensordot(np.cos(np.arange(y.size)).reshape(y.shape), jacobian, axes=y.ndim),
    ),
    "linearize": (lambda f: lambda x: wg.linearize(f, x)[1](V), lambda jacobian, y: last_axis(jacobian, V)),
    "grad": (
        lambda f: wg.grad(lambda x: np.sum(np.sin(f(x)))),
        lambda jacobian, y: np.tensordot(np.cos(y), jacobian, axes=y.ndim),
    ),
}


def chain(f, order):
    for _ in range(order):
        f = wg.jacrev(f)
    return f


def reference(names, x):
    """Apply the operators by their definitions to chained reverse Jacobians."""
    f = bare
    for name in names:
        f = apply_definition(name, f)
    return f(x)


def apply_definition(name, f):
    definition = OPERATORS[name][1]
    return lambda x: definition(wg.jacrev(f)(x), f(x))


X = np.array([0.8, -0.5])
SAMPLES = np.array([[0.8, -0.5], [0.3, 0.9], [-1.1, 0.2]])


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_value(construct):
    close(CONSTRUCTS[construct](X), bare(X))


@pytest.mark.parametrize("construct", CONSTRUCTS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_one_derivative(construct, operator):
    close(OPERATORS[operator][0](CONSTRUCTS[construct])(X), reference([operator], X))


PAIRS = [f"{outer} of {inner}" for outer, inner in itertools.product(OPERATORS, OPERATORS)]


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_two_derivatives(construct):
    f = CONSTRUCTS[construct]
    for inner, outer in itertools.product(OPERATORS, OPERATORS):
        try:
            close(OPERATORS[outer][0](OPERATORS[inner][0](f))(X), reference([inner, outer], X))
        except AssertionError as error:
            raise AssertionError(f"{outer} of {inner}: {error}") from None


@pytest.mark.parametrize("construct", ["through_scan", "through_while", "through_cond", "by_jvp", "by_vjp"])
def test_three_derivatives(construct):
    f = CONSTRUCTS[construct]
    for names in itertools.product(("jacfwd", "jacrev"), repeat=3):
        g = f
        for name in names:
            g = OPERATORS[name][0](g)
        close(g(X), chain(bare, 3)(X))


@pytest.mark.parametrize("construct", [name for name in CONSTRUCTS if name not in SLOW])
def test_over_samples(construct):
    f = CONSTRUCTS[construct]
    close(wg.vmap(f)(SAMPLES), [bare(x) for x in SAMPLES])
    for name, (operator, _) in OPERATORS.items():
        try:
            close(wg.vmap(operator(f))(SAMPLES), [reference([name], x) for x in SAMPLES])
        except AssertionError as error:
            raise AssertionError(f"vmap of {name}: {error}") from None


@pytest.mark.parametrize("construct", sorted(SLOW))
def test_over_samples_one_by_one(construct):
    f = CONSTRUCTS[construct]
    close(wg.vmap(f)(SAMPLES), [bare(x) for x in SAMPLES])
    close(wg.vmap(wg.jacrev(f))(SAMPLES), [reference(["jacrev"], x) for x in SAMPLES])
    close(wg.vmap(wg.jacfwd(f))(SAMPLES), [reference(["jacrev"], x) for x in SAMPLES])


@pytest.mark.parametrize("construct", [name for name in CONSTRUCTS if name not in SLOW])
def test_derivatives_of_samples_taken_together(construct):
    f = CONSTRUCTS[construct]

    def total(s):
        return np.sum(np.sin(wg.vmap(lambda x: f(s * x))(SAMPLES)))

    def looped(s):
        return np.sum(np.sin(np.stack([bare(s * x) for x in SAMPLES])))

    close(wg.grad(total)(1.1), wg.grad(looped)(1.1))
    close(wg.jacfwd(total)(1.1), wg.grad(looped)(1.1))
    close(wg.hessian(total)(1.1), wg.grad(wg.grad(looped))(1.1))
    close(wg.hessian(total, mode="reverse")(1.1), wg.grad(wg.grad(looped))(1.1))


@pytest.mark.parametrize("construct", [name for name in CONSTRUCTS if name not in SLOW])
def test_samples_of_samples(construct):
    f = CONSTRUCTS[construct]
    scales = np.array([0.5, 1.5])
    expected = [[wg.jacrev(lambda y, s=s: bare(s * y))(x) for s in scales] for x in SAMPLES]
    nested = wg.vmap(lambda x: wg.vmap(lambda s: wg.jacrev(lambda y: f(s * y))(x))(scales))
    close(nested(SAMPLES), expected)


@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_taylor(construct):
    f = CONSTRUCTS[construct]
    order = 2 if construct in SLOW else 4
    along = wg.derivatives(lambda s: f(X + s * V), 0.0, order)
    g = lambda s: bare(X + s * V)
    for k in range(order + 1):
        close(along[k], g(0.0))
        g = wg.jacfwd(g)


@pytest.mark.parametrize("construct", [name for name in CONSTRUCTS if name not in SLOW])
def test_second_order_products(construct):
    f = CONSTRUCTS[construct]
    scalar = lambda x: np.sum(np.sin(f(x)))
    expected = wg.jacrev(wg.jacrev(lambda x: np.sum(np.sin(bare(x)))))(X)
    close(wg.hessian(scalar)(X), expected)
    close(wg.hvp(scalar, (X,), (V,))[1][0], expected @ V)
    close(wg.vhp(scalar, (X,), (V,))[1][0], expected @ V)
    close(wg.hessian_diag(scalar)(X), np.diag(expected))
    close(wg.laplacian(scalar)(X), np.trace(expected))
    jacobian = wg.jacrev(bare)(X)
    close(wg.gauss_newton_product(f, (X,), (V,))[1][0], jacobian.T @ jacobian @ V)
