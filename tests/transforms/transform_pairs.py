"""Every transform as a map from functions of a vector to functions of a vector, and what it means.

The meaning is written with chained reverse Jacobians of the bare function only, so `outer(inner(f))` can be compared
with `meaning of outer(meaning of inner(f))` for every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import wengert as wg

MIX = np.array([[0.5, -0.3], [0.2, 0.4]])
V = np.array([0.7, -0.4])
X = np.array([0.8, -0.5])
SCALES = np.array([1.0, 0.5, -0.7])

Function = Callable[[Any], Any]


def bare(x: Any) -> Any:
    """The function that everything is tried on: smooth, coupled, not symmetric."""
    return np.sin(MIX @ x) * x[0] + x**2 / 3


def number(f: Function) -> Function:
    """Return one number made of a function's result, for transforms that need one."""
    return lambda x: np.sum(np.sin(f(x)))


def shape(f: Function) -> tuple[int, ...]:
    """Return the shape of a function's result."""
    return np.shape(f(X))


def weights(f: Function) -> np.ndarray:
    """Return a cotangent for a function's result."""
    return np.cos(np.arange(float(np.prod(shape(f))))).reshape(shape(f))


# ---------------------------------------------------------------- meanings


def same(f: Function) -> Function:
    """Return the function itself: what a construct that computes the same means."""
    return f


def jacobian(f: Function) -> Function:
    """Return the Jacobian."""
    return wg.jacrev(f)


def gradient(f: Function) -> Function:
    """Return the gradient of one number."""
    return wg.jacrev(number(f))


def hessian(f: Function) -> Function:
    """Return the Hessian of one number."""
    return wg.jacrev(wg.jacrev(number(f)))


def along(f: Function) -> Function:
    """Return the directional derivative."""
    return lambda x: np.tensordot(wg.jacrev(f)(x), V, axes=1)


def back(f: Function) -> Function:
    """Return the product of a cotangent with the Jacobian."""
    seed = weights(f)
    return lambda x: np.tensordot(seed, wg.jacrev(f)(x), axes=seed.ndim)


def value_and_gradient(f: Function) -> Function:
    """Return value and gradient of one number in one vector."""
    return lambda x: np.concatenate([np.reshape(number(f)(x), (1,)), gradient(f)(x)])


def normal(f: Function) -> Function:
    """Return the Gauss-Newton product."""

    def product(x: Any) -> Any:
        matrix = np.reshape(wg.jacrev(f)(x), (-1, 2))
        return matrix.T @ (matrix @ V)

    return product


def series(f: Function) -> Function:
    """Return value and two derivatives along a line."""
    return lambda x: np.stack([f(x), along(f)(x), along(along(f))(x)])


# ---------------------------------------------------------------- transforms


def by_linear_transpose(f: Function) -> Function:
    """Return f by transposing a linear function whose coefficients are f's values."""
    nothing = np.zeros(shape(f))
    return lambda x: wg.linear_transpose(lambda y: np.sum(f(x) * y), nothing)(1.0)[0]


def by_vmap(f: Function) -> Function:
    """Return f at several samples."""
    return lambda x: wg.vmap(f)(np.multiply.outer(SCALES, x))


def by_rule(f: Function) -> Function:
    """Return f as a custom rule that has a jvp."""
    return wg.custom_rule(f, jvp=lambda tangents, out, x: wg.jvp(f, (x,), (tangents[0],))[1])


def by_reverse_rule(f: Function) -> Function:
    """Return f as a custom rule that has a vjp."""
    return wg.custom_rule(f, vjp=lambda cotangent, out, x: wg.vjp(f, x)[1](cotangent))


def by_scan(f: Function) -> Function:
    """Return f as the result of a loop over rows."""
    start = np.zeros(shape(f))
    return lambda x: wg.scan(lambda total, s: (total + s * f(x), None), start, np.array([0.25, 0.75]))[0]


def by_cond(f: Function) -> Function:
    """Return f as one of two branches."""
    return lambda x: wg.cond(np.sum(x * x) >= 0, f, lambda x: f(x) * 7.0, x)


def by_while(f: Function) -> Function:
    """Return f as the result of a loop with a condition."""
    start = np.zeros(shape(f))
    return lambda x: wg.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, s[1] + f(x) / 2), (0, start))[1]


def by_root(f: Function) -> Function:
    """Return f as the root of an equation, elementwise."""

    def solve(equation: Function, z: Any) -> Any:
        for _ in range(60):
            z = z - equation(z) / (1 + 3 * z**2)
        return z

    def root(x: Any) -> Any:
        y = f(x)
        return wg.custom_root(
            lambda z: z**3 + z - y**3 - y,
            np.zeros(np.shape(y)),
            solve,
            lambda slope, b: b / slope(np.ones(np.shape(b))),
        )

    return root


TRANSFORMS: dict[str, tuple[Callable[[Function], Function], Callable[[Function], Function]]] = {
    "grad": (lambda f: wg.grad(number(f)), gradient),
    "value_and_grad": (
        lambda f: lambda x: (lambda pair: np.concatenate([np.reshape(pair[0], (1,)), pair[1]]))(
            wg.value_and_grad(number(f))(x)
        ),
        value_and_gradient,
    ),
    "vjp": (lambda f: lambda x: wg.vjp(f, x)[1](weights(f))[0], back),
    "jvp": (lambda f: lambda x: wg.jvp(f, (x,), (V,))[1], along),
    "linearize": (lambda f: lambda x: wg.linearize(f, x)[1](V), along),
    "linear_transpose": (by_linear_transpose, same),
    "jacfwd": (wg.jacfwd, jacobian),
    "jacrev": (wg.jacrev, jacobian),
    "jacobian": (wg.jacobian, jacobian),
    "hessian": (lambda f: wg.hessian(number(f)), hessian),
    "hvp": (lambda f: lambda x: wg.hvp(number(f), (x,), (V,))[1][0], lambda f: lambda x: hessian(f)(x) @ V),
    "vhp": (lambda f: lambda x: wg.vhp(number(f), (x,), (V,))[1][0], lambda f: lambda x: V @ hessian(f)(x)),
    "hessian_diag": (lambda f: wg.hessian_diag(number(f)), lambda f: lambda x: np.diagonal(hessian(f)(x))),
    "laplacian": (lambda f: wg.laplacian(number(f)), lambda f: lambda x: np.trace(hessian(f)(x))),
    "gauss_newton_product": (lambda f: lambda x: wg.gauss_newton_product(f, (x,), (V,))[1][0], normal),
    "vmap": (by_vmap, lambda f: lambda x: np.stack([f(s * x) for s in SCALES])),
    "jit": (wg.jit, same),
    "checkpoint": (wg.checkpoint, same),
    "jet": (lambda f: lambda x: wg.derivatives(lambda s: f(x + s * V), 0.0, 2), series),
    "custom_rule, jvp": (by_rule, same),
    "custom_rule, vjp": (by_reverse_rule, same),
    "scan": (by_scan, same),
    "cond": (by_cond, same),
    "while_loop": (by_while, same),
    "custom_root": (by_root, same),
}


def error(outer: str, inner: str) -> float:
    """Return the largest difference between a pair of transforms and what it means, relative to the result's size."""
    found = np.asarray(TRANSFORMS[outer][0](TRANSFORMS[inner][0](bare))(X))
    expected = np.asarray(TRANSFORMS[outer][1](TRANSFORMS[inner][1](bare))(X))
    if found.shape != expected.shape:
        return float("inf")
    scale = max(1.0, float(np.max(np.abs(expected))))
    return float(np.max(np.abs(found - expected))) / scale


def pairs() -> Iterator[tuple[str, str]]:
    """Return the names of all pairs, outer transform first."""
    return ((outer, inner) for outer in TRANSFORMS for inner in TRANSFORMS)
