"""Custom rules: what is given is used, what is missing is derived, in every mode and order; and the thin faces."""

from __future__ import annotations

import math
import pickle
from functools import partial

import numpy as np
import pytest

import wengert as wg

X = np.array([0.4, -1.1, 0.7])
Y = np.array([1.3, 0.2, -0.6])


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def base(x, y):
    return np.sin(x) * np.exp(y) * x[0]


def base_jvp(tangents, out, x, y):
    t, s = tangents
    return np.cos(x) * t * np.exp(y) * x[0] + np.sin(x) * np.exp(y) * t[0] + out * s


def base_vjp(cotangent, out, x, y):
    by_x = cotangent * np.cos(x) * np.exp(y) * x[0]
    first = np.array([1.0, 0.0, 0.0])
    return by_x + np.sum(cotangent * np.sin(x) * np.exp(y)) * first, cotangent * out


def several(x, y):
    return {"a": base(x, y), "b": (np.sum(x * y), np.argmax(x))}


def several_jvp(tangents, out, x, y):
    t, s = tangents
    return {"a": base_jvp(tangents, out["a"], x, y), "b": (np.sum(t * y + x * s), None)}


def several_vjp(cotangent, out, x, y):
    by_x, by_y = base_vjp(cotangent["a"], out["a"], x, y)
    return by_x + cotangent["b"][0] * y, by_y + cotangent["b"][0] * x


GIVEN = {
    "one, none": (base, {}),
    "one, jvp": (base, {"jvp": base_jvp}),
    "one, vjp": (base, {"vjp": base_vjp}),
    "one, both": (base, {"jvp": base_jvp, "vjp": base_vjp}),
    "several, none": (several, {}),
    "several, jvp": (several, {"jvp": several_jvp}),
    "several, vjp": (several, {"vjp": several_vjp}),
    "several, both": (several, {"jvp": several_jvp, "vjp": several_vjp}),
}


def flat(value):
    return np.concatenate([value["a"], value["b"][0][None]]) if isinstance(value, dict) else value


@pytest.mark.parametrize("name", GIVEN)
def test_every_mode_and_order(name):
    function, rules = GIVEN[name]
    rule = wg.custom_rule(function, verify=None if name.startswith("several") else (X, Y), **rules)
    g, h = lambda x, y: flat(rule(x, y)), lambda x, y: flat(function(x, y))
    s, r = lambda x, y: np.sum(g(x, y) ** 2), lambda x, y: np.sum(h(x, y) ** 2)
    close(g(X, Y), h(X, Y))
    for number in (0, 1):
        for mode in ("forward", "reverse"):
            close(wg.jacobian(g, number, mode=mode)(X, Y), wg.jacobian(h, number)(X, Y))
            close(wg.hessian(s, number, mode=mode)(X, Y), wg.hessian(r, number)(X, Y))
    stacked = np.stack([X, Y, X + Y])
    close(wg.vmap(g, (0, None))(stacked, Y), [h(x, Y) for x in stacked])
    close(wg.vmap(wg.grad(s, 1), (0, None))(stacked, Y), [wg.grad(r, 1)(x, Y) for x in stacked])
    total = lambda y: np.sum(wg.vmap(s, (0, None))(stacked, y))
    close(wg.grad(total)(Y), sum(wg.grad(r, 1)(x, Y) for x in stacked))
    close(wg.jacfwd(total)(Y), sum(wg.grad(r, 1)(x, Y) for x in stacked))


def test_the_rule_is_used_not_the_function():
    seen = []
    rule = wg.custom_rule(np.sin)

    @rule.vjp
    def _(cotangent, out, x):
        seen.append("vjp")
        return (cotangent * 100.0,)

    @rule.jvp
    def _(tangents, out, x):
        seen.append("jvp")
        return tangents[0] * 7.0

    assert wg.grad(rule)(0.0) == 100.0
    assert wg.jacfwd(rule)(0.0) == 7.0
    assert seen == ["vjp", "jvp"]
    close(wg.vmap(wg.grad(rule))(np.zeros(2)), [100.0, 100.0])


def test_a_function_that_numpy_cannot_trace():
    @wg.custom_rule(like=lambda x: x)
    def opaque(x):
        return np.array([math.sin(v) for v in np.asarray(x)])

    @opaque.vjp
    def _(cotangent, out, x):
        return (cotangent * np.cos(x),)

    close(wg.jacrev(opaque)(X), np.diag(np.cos(X)))
    close(wg.jacfwd(opaque)(X), np.diag(np.cos(X)))
    close(wg.hessian(lambda x: np.sum(opaque(x)))(X), np.diag(-np.sin(X)))
    close(wg.vmap(opaque)(np.stack([X, Y])), np.sin([X, Y]))
    close(wg.vmap(wg.jacobian(opaque))(np.stack([X, Y]))[1], np.diag(np.cos(Y)))


def test_a_batch_rule_of_the_users_own():
    sizes = []

    @wg.custom_rule
    def dot(x, y):
        return np.sum(x * y)

    @dot.batch
    def _(size, batched, x, y):
        sizes.append((size, batched))
        return np.sum(x * y, axis=-1) + np.zeros(size)

    stacked = np.stack([X, Y])
    close(wg.vmap(dot, (0, None))(stacked, Y), stacked @ Y)
    assert sizes == [(2, (True, False))]
    close(wg.vmap(wg.grad(dot), (0, None))(stacked, Y), [Y, Y])


def test_settings_by_keyword():
    @wg.custom_rule
    def power(x, *, n=2):
        return x**n

    @power.vjp
    def _(cotangent, out, x, *, n=2):
        return (cotangent * n * power(x, n=n - 1),)

    assert wg.grad(lambda x: power(x, n=3))(2.0) == 12.0
    assert wg.grad(wg.grad(lambda x: power(x, n=3)))(2.0) == 12.0
    assert wg.grad(power)(2.0) == 4.0


def test_integers_among_the_arguments():
    @wg.custom_rule
    def take(x, i):
        return wg.numpy.take(x, i) * 2 if isinstance(x, wg.Tensor) else np.take(x, i) * 2

    @take.jvp
    def _(tangents, out, x, i):
        assert tangents[1] is None
        return wg.numpy.take(tangents[0], i) * 2

    close(wg.grad(lambda x: take(x, 1))(X), [0.0, 2.0, 0.0])
    close(wg.jacfwd(lambda x: take(x, 1))(X), [0.0, 2.0, 0.0])


class Gain:
    def __init__(self, k):
        self.k = k

    @wg.custom_rule
    def apply(self, x):
        return np.sin(self.k * x)

    @apply.vjp
    def _(cotangent, out, self, x):
        return cotangent * self.k * np.cos(self.k * x)

    @wg.custom_gradient
    def square(self, x):
        return self.k * x**2, lambda upstream: upstream * 2 * self.k * x

    @wg.custom_vjp
    def scale(self, x):
        return self.k * x


Gain.scale.defvjp(lambda self, x: (self.k * x, None), lambda self, saved, c: (self.k * c,))


def test_on_methods():
    gain = Gain(3.0)
    close(wg.grad(gain.apply)(2.0), 3 * np.cos(6.0))
    close(wg.hessian(gain.apply)(2.0), -9 * np.sin(6.0))
    close(wg.vmap(wg.grad(gain.apply))(X), 3 * np.cos(3 * X))
    assert wg.grad(gain.square)(2.0) == 12.0
    assert wg.grad(gain.scale)(2.0) == 3.0


@wg.custom_rule
def module_level(x):
    return np.sin(x)


@module_level.vjp
def _(cotangent, out, x):
    return (cotangent * np.cos(x),)


@wg.custom_gradient
def module_level_gradient(x):
    return np.sin(x), lambda upstream: upstream * np.cos(x)


@wg.custom_vjp
def module_level_vjp(x):
    return np.sin(x)


module_level_vjp.defvjp(lambda x: (np.sin(x), np.cos(x)), lambda saved, c: (saved * c,))


@pytest.mark.parametrize("rule", [wg.custom_rule(np.sin), wg.straight_through(np.sin), wg.custom_rule(base, vjp=base_vjp)])
def test_pickling_a_rule_around_a_named_function(rule):
    again = pickle.loads(pickle.dumps(rule))
    args = (X, Y) if rule.__name__ == "base" else (X,)
    close(wg.jacobian(again)(*args), wg.jacobian(rule)(*args))


@pytest.mark.parametrize("rule", [module_level, module_level_gradient, module_level_vjp])
def test_pickling_a_decorated_function(rule, monkeypatch):
    import sys
    import types

    # Under pytest this file is not importable by the name its functions carry; pickle goes by that name.
    home = types.ModuleType(rule.__module__)
    home.__dict__.update(globals())
    monkeypatch.setitem(sys.modules, rule.__module__, home)
    again = pickle.loads(pickle.dumps(rule))
    assert again is rule
    close(wg.grad(again)(0.5), np.cos(0.5))


def test_the_order_of_an_objects_rules_in_its_repr():
    assert repr(wg.custom_rule(np.sin, vjp=base_vjp)) == "<custom rule sin with vjp>"
    assert repr(wg.custom_rule(np.sin)) == "<custom rule sin with no rules>"


# ---------------------------------------------------------------- faces


def logistic(x):
    return 1 / (1 + np.exp(-x))


@wg.custom_gradient
def log1pexp(x):
    e = np.exp(x)
    return np.log1p(e), lambda upstream: upstream * (1 - 1 / (1 + e))


def test_custom_gradient_in_every_mode():
    s = logistic(X)
    close(wg.vmap(wg.grad(log1pexp))(X), s)
    close(wg.jacfwd(log1pexp)(X), np.diag(s))
    close(wg.hessian(lambda x: np.sum(log1pexp(x)))(X), np.diag(s * (1 - s)))
    close(wg.vmap(wg.hessian(log1pexp))(X), s * (1 - s))
    close(wg.hessian(lambda x: np.sum(wg.vmap(log1pexp)(x)))(X), np.diag(s * (1 - s)))


def test_custom_gradient_runs_once_and_saves_what_it_needs():
    calls = []

    @wg.custom_gradient
    def f(x):
        calls.append(1)
        return x**2, lambda upstream: upstream * 2 * x

    assert wg.grad(f)(3.0) == 6.0
    assert len(calls) == 1


def test_custom_gradient_of_several():
    @wg.custom_gradient
    def both(a, b):
        return (a * b, a + b), lambda u, v: (u * b + v, None)

    by_a, by_b = wg.grad(lambda a, b: both(a, b)[0] * both(a, b)[1], (0, 1))(2.0, 3.0)
    assert (float(by_a), float(by_b)) == (21.0, 0.0)


def test_an_exception_in_a_gradient_function_surfaces():
    @wg.custom_gradient
    def f(x):
        def gradient(upstream):
            raise KeyError("mine")

        return x, gradient

    with pytest.raises(KeyError, match="mine"):
        wg.grad(f)(1.0)


def test_custom_jvp_and_custom_vjp():
    f = wg.custom_jvp(lambda x, y: x * y)
    f.defjvps(lambda t, out, x, y: t * y, None)
    by_x, by_y = wg.grad(f, (0, 1))(2.0, 3.0)
    assert (float(by_x), float(by_y)) == (3.0, 0.0)

    g = wg.custom_vjp(lambda n, x: x**n, nondiff_argnums=(0,))
    g.defvjp(lambda n, x: (x**n, x), lambda n, saved, c: (n * saved ** (n - 1) * c,))
    assert wg.grad(g, 1)(3, 2.0) == 12.0
    assert wg.hessian(g, 1)(3, 2.0) == 12.0  # forward over reverse, which JAX refuses
    close(wg.vmap(wg.grad(lambda x: g(3, x)))(X), 3 * X**2)
    close(wg.jacfwd(lambda x: g(2, x))(X), np.diag(2 * X))

    h = wg.custom_jvp(lambda scale, x: scale * np.sin(x), nondiff_argnums=(0,))
    h.defjvp(lambda scale, primals, tangents: (h(scale, *primals), scale * np.cos(primals[0]) * tangents[0]))
    assert wg.grad(lambda x: h(2.0, x))(0.0) == 2.0


def test_faces_of_structures():
    f = wg.custom_vjp(lambda p: p["a"] * p["b"][0])
    f.defvjp(lambda p: (p["a"] * p["b"][0], p), lambda p, c: ({"a": c * p["b"][0], "b": [c * p["a"]]},))
    gradient = wg.grad(f)({"a": 2.0, "b": [3.0]})
    assert float(gradient["a"]) == 3.0 and float(gradient["b"][0]) == 2.0


def test_stop_gradient():
    assert wg.grad(lambda x: x * wg.stop_gradient(x))(3.0) == 3.0
    assert wg.jacfwd(lambda x: x * wg.stop_gradient(x))(3.0) == 3.0
    kept = wg.stop_gradient({"a": X, "b": (1.0, "text")})
    assert kept["b"] == (1.0, "text")
    assert wg.grad(lambda x: wg.stop_gradient({"a": x})["a"] + x)(3.0) == 1.0
    close(wg.vmap(wg.grad(lambda x: x * wg.stop_gradient(x)))(X), X)


def test_straight_through():
    rounded = wg.straight_through(np.round)
    values = np.array([1.2, 2.7])
    close(wg.grad(lambda x: np.sum(rounded(x) ** 2))(values), [2.0, 6.0])
    close(wg.jacfwd(rounded)(values), np.eye(2))
    close(wg.vmap(wg.grad(rounded))(values), [1.0, 1.0])
    close(rounded(values), [1.0, 3.0])
    assert wg.grad(wg.straight_through(lambda x: (x > 0).astype(float)))(2.0) == 1.0
    assert wg.grad(wg.straight_through(lambda x: x > 0))(2.0) == 1.0  # a truth value becomes the argument's dtype


def second_difference_rule(**rules):
    def second_difference(x, c):  # written so that its code looks dense
        matrix = np.diag(np.full(len(x), -2.0)) + np.diag(np.ones(len(x) - 1), 1) + np.diag(np.ones(len(x) - 1), -1)
        return c * (matrix @ (x * x))

    return wg.custom_rule(second_difference, **rules)


def tridiagonal(x, c):
    n = x[0]
    band = sum(np.eye(n, k=k, dtype=bool) for k in (-1, 0, 1)).astype(bool)
    return band, np.ones((n, 1), bool)


@pytest.mark.parametrize("given", ["none", "jvp", "vjp"])
def test_a_declared_pattern(given):
    size = 12
    matrix = np.diag(np.full(size, -2.0)) + np.diag(np.ones(size - 1), 1) + np.diag(np.ones(size - 1), -1)
    rules = {
        "none": {},
        "jvp": {"jvp": lambda t, out, x, c: t[1] * (matrix @ (x * x)) + c * (matrix @ (2 * x * t[0]))},
        "vjp": {"vjp": lambda g, out, x, c: (2 * x * (matrix.T @ (g * c)), np.sum(g * (matrix @ (x * x))))},
    }[given]
    rule = second_difference_rule(pattern=tridiagonal, **rules)
    x = np.linspace(1.0, 2.0, size)
    f = lambda x: rule(np.sin(x), 3.0) + x
    sparse = wg.jacobian(f, sparse=True)(x)
    close(sparse.toarray(), wg.jacobian(f)(x))
    assert sparse.nnz == 3 * size - 2
    close(wg.jacfwd(f)(x), wg.jacrev(f)(x))
    close(wg.hessian(lambda x: np.sum(f(x) ** 2))(x), wg.jacfwd(wg.jacrev(lambda x: np.sum(f(x) ** 2)))(x))
    close(wg.vmap(wg.jacobian(f))(np.stack([x, 2 * x]))[1], wg.jacobian(f)(2 * x))
    close(wg.grad(lambda c: np.sum(rule(x, c)))(2.0), np.sum(matrix @ (x * x)))


def test_a_pattern_of_the_wrong_shape_or_count():
    x = np.ones(4)
    with pytest.raises(wg.errors.ShapeError, match=r"pattern rule returned shape \(3, 3\)"):
        wg.jacobian(wg.custom_rule(np.sin, pattern=lambda s: (np.eye(3),)), sparse=True)(x)
    with pytest.raises(wg.errors.StructureError, match="one matrix per argument, 1 in all"):
        wg.jacobian(wg.custom_rule(np.sin, pattern=lambda s: np.eye(4)), sparse=True)(x)


class Scaled:
    """Rules on methods in JAX's spelling, where `nondiff_argnums` counts the instance."""

    def __init__(self, k):
        self.k = k

    @partial(wg.custom_vjp, nondiff_argnums=(0,))
    def by_vjp(self, x):
        return x * self.k

    by_vjp.defvjp(lambda self, x: (x * self.k, x), lambda self, x, g: (g * self.k * 10,))

    @partial(wg.custom_jvp, nondiff_argnums=(0,))
    def by_jvp(self, x):
        return x * self.k

    by_jvp.defjvp(lambda self, primals, tangents: (primals[0] * self.k, tangents[0] * self.k * 10))


def test_methods_whose_instance_is_not_differentiated():
    for method in (Scaled(3.0).by_vjp, Scaled(3.0).by_jvp):
        assert method(2.0) == 6.0
        assert wg.grad(method)(2.0) == 30.0
        assert wg.jacfwd(method)(2.0) == 30.0


def test_rules_that_are_linear_but_do_not_look_it():
    """A rule that reads its tangent twice is tried with numbers before it is refused."""
    for jvp in (
        lambda t, out, x: t[0] ** 1.0 * np.cos(x),
        lambda t, out, x: np.where(t[0] == 0, 0.0, t[0]) * np.cos(x),
        lambda t, out, x: np.maximum(t[0], 0) * np.cos(x) + np.minimum(t[0], 0) * np.cos(x),
    ):
        close(wg.custom_rule(np.sin, jvp=jvp)(X), np.sin(X))
        wg.grad(lambda x, jvp=jvp: np.sum(wg.custom_rule(np.sin, jvp=jvp)(x)))(X)  # raises nothing


def test_every_rule_is_verified():
    wg.custom_rule(
        lambda x: 2 * x,
        jvp=lambda t, out, x: 2 * t[0],
        vjp=lambda c, out, x: (2 * c,),
        batch=lambda size, batched, x: 2 * x,
        pattern=lambda shape: (np.eye(3, dtype=bool),),
        verify=(X,),
    )
