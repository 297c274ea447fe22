"""The laws that every function with a derivative obeys, for functions of arrays that return arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import wengert as wg
from wengert.program import Slot, trace


def normal(generator: np.random.Generator, shape: tuple[int, ...], dtype: Any = float) -> np.ndarray:
    """Return normal numbers of a real or complex dtype."""
    dtype = np.dtype(dtype)
    x = generator.standard_normal(shape)
    if dtype.kind == "c":
        x = x + 1j * generator.standard_normal(shape)
    return x.astype(dtype)


def outputs(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple | list) else [result]


def inner(a: Sequence[Any], b: Sequence[Any]) -> float:
    return float(sum(np.sum(np.real(np.conjugate(x) * y)) for x, y in zip(a, b, strict=True)))


def numeric(result: Any) -> list[np.ndarray]:
    return [np.asarray(part.numpy() if isinstance(part, wg.Tensor) else part) for part in outputs(result)]


def central(function: Callable[..., Any], args: Sequence[Any], directions: Sequence[Any], step: float) -> list[Any]:
    """Return the fourth-order central difference along a direction."""

    def at(h: float) -> list[np.ndarray]:
        return numeric(function(*(x + h * d for x, d in zip(args, directions, strict=True))))

    return [
        (8 * (p - m) - (pp - mm)) / (12 * step)
        for p, m, pp, mm in zip(at(step), at(-step), at(2 * step), at(-2 * step), strict=True)
    ]


def check(
    function: Callable[..., Any],
    *args: np.ndarray,
    step: float = 1e-4,
    tolerance: float = 1e-7,
    second: bool = True,
    seed: int = 0,
) -> None:
    """Assert the laws at one point: difference, adjoint identity, batch, shapes of a trace, second order."""
    generator = np.random.default_rng(seed)
    directions = [normal(generator, x.shape, x.dtype) for x in args]
    value, tangent = wg.jvp(function, args, tuple(directions))
    values, tangents = numeric(value), numeric(tangent)
    for mine, theirs in zip(values, numeric(function(*args)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-10)
    for mine, theirs in zip(tangents, central(function, args, directions, step), strict=True):
        scale = max(1.0, float(np.max(np.abs(theirs), initial=0)))
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance * scale)

    cotangents = [normal(generator, v.shape, v.dtype) for v in values]
    result, pullback = wg.vjp(function, *args)
    seed_structure = cotangents[0] if not isinstance(result, tuple | list) else type(result)
    if seed_structure is not cotangents[0]:
        kind = type(result)
        seed_structure = kind(*cotangents) if hasattr(kind, "_fields") else kind(cotangents)
    found = pullback(seed_structure)
    left, right = inner(cotangents, tangents), inner(found, directions)
    assert abs(left - right) <= 1e-10 * max(
        1.0, abs(left), np.sqrt(inner(found, found) * inner(directions, directions))
    )

    check_batch(function, args, found, values, cotangents)
    check_shapes(function, args, values)
    if second:
        check_second(function, args, directions, cotangents, step, tolerance)


def scalar(function: Callable[..., Any], cotangents: Sequence[np.ndarray]) -> Callable[..., Any]:
    def total(*args: Any) -> Any:
        parts = outputs(function(*args))
        return sum(np.sum(np.real(np.conjugate(c) * part)) for c, part in zip(cotangents, parts, strict=True))

    return total


def check_batch(
    function: Callable[..., Any],
    args: Sequence[np.ndarray],
    found: Sequence[np.ndarray],
    values: Sequence[np.ndarray],
    cotangents: Sequence[np.ndarray],
) -> None:
    """The pullback of several cotangents at once equals one at a time."""
    numbers = tuple(range(len(args)))
    weighted = scalar(function, cotangents)
    stacked = wg.jacobian(lambda *xs: np.stack([weighted(*xs), 2 * weighted(*xs)]), numbers, mode="reverse")(*args)
    for block, one in zip(stacked, found, strict=True):
        np.testing.assert_allclose(block[0], one, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(block[1], 2 * one, rtol=1e-9, atol=1e-9)
    if sum(x.size for x in args) > 40 or any(x.dtype.kind == "c" for x in (*args, *values)):
        return
    for k in range(len(values)):

        def one_of(*xs: Any, k: int = k) -> Any:
            return outputs(function(*xs))[k]

        backward = wg.jacobian(one_of, numbers, mode="reverse")(*args)
        forward = wg.jacobian(one_of, numbers, mode="forward")(*args)
        for a, b in zip(backward, forward, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


def check_shapes(function: Callable[..., Any], args: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> None:
    program = trace(lambda *xs: outputs(function(*xs)), [Slot.of(x) for x in args])
    for slot, value in zip(program.output_slots, values, strict=True):
        assert slot.shape == value.shape
        assert slot.dtype == value.dtype or (slot.dtype.kind == "c" and value.dtype.kind == "f")
    for mine, theirs in zip(program(*args), values, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9)


def check_second(
    function: Callable[..., Any],
    args: Sequence[np.ndarray],
    directions: Sequence[np.ndarray],
    cotangents: Sequence[np.ndarray],
    step: float,
    tolerance: float,
) -> None:
    """Forward over reverse and reverse over reverse equal a difference of gradients."""
    numbers = tuple(range(len(args)))

    def gradient(*xs: Any) -> list[Any]:
        # squared, so that a function that is linear has a second derivative too
        return list(wg.grad(lambda *ys: _mixed(function, ys, cotangents), numbers)(*xs))

    expected = central(gradient, args, directions, step)
    _, forward = wg.jvp(gradient, tuple(args), tuple(directions))

    def product(*xs: Any) -> Any:
        parts = gradient(*xs)
        return sum(np.sum(np.real(np.conjugate(d) * g)) for d, g in zip(directions, parts, strict=True))

    backward = wg.grad(product, numbers)(*args)
    for mine, also, theirs in zip(numeric(forward), backward, expected, strict=True):
        scale = max(1.0, float(np.max(np.abs(theirs), initial=0)))
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance * scale)
        np.testing.assert_allclose(also, theirs, rtol=0, atol=tolerance * scale)


def _mixed(function: Callable[..., Any], args: Sequence[Any], cotangents: Sequence[np.ndarray]) -> Any:
    total = scalar(function, cotangents)(*args)
    return total + 0.1 * total**2
