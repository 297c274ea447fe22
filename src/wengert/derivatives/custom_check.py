"""Whether the rules of a custom rule agree with differences of its function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..errors import WrongDerivative
from ..transforms.derive import is_inexact
from .gradient import jvp, vjp


def verify(rule: Any, args: tuple[Any, ...], settings: dict[str, Any], tolerance: float, seed: int) -> None:
    """Raise WrongDerivative where forward or reverse mode disagrees with differences along a random direction."""
    random = np.random.default_rng(seed)
    leaves, structure = tree.flatten(args)
    leaves = [np.asarray(leaf) for leaf in leaves]
    varying = [i for i, leaf in enumerate(leaves) if is_inexact(leaf)]
    tangents = [_direction(random, leaves[i]) for i in varying]

    def flat(*values: Any) -> list[Any]:
        filled: list[Any] = list(leaves)
        for i, value in zip(varying, values, strict=True):
            filled[i] = value
        return tree.flatten(rule(*tree.unflatten(structure, filled), **settings))[0]

    primals = tuple(leaves[i] for i in varying)
    outputs = [np.asarray(out) for out in flat(*primals)]
    chosen = [i for i, out in enumerate(outputs) if is_inexact(out)]

    def inexact(*values: Any) -> list[Any]:
        found = flat(*values)
        return [found[i] for i in chosen]

    expected = _differences(inexact, primals, tangents)
    _, pushed = jvp(inexact, primals, tuple(tangents))
    for i, got, want in zip(chosen, pushed, expected, strict=True):
        _compare(rule.__name__, "jvp" if rule.rules["jvp"] else "vjp", i, np.asarray(got), want, tolerance)
    cotangents = [_direction(random, outputs[i]) for i in chosen]
    _, pullback = vjp(inexact, *primals)
    pulled = pullback(cotangents)
    forward = sum(float(np.real(np.vdot(c, w))) for c, w in zip(cotangents, expected, strict=True))
    reverse = sum(float(np.real(np.vdot(p, t))) for p, t in zip(pulled, tangents, strict=True))
    _compare(
        rule.__name__, "vjp" if rule.rules["vjp"] else "jvp", None, np.asarray(reverse), np.asarray(forward), tolerance
    )


def _direction(random: np.random.Generator, like: np.ndarray) -> np.ndarray:
    direction = random.standard_normal(like.shape)
    if like.dtype.kind == "c":
        direction = direction + 1j * random.standard_normal(like.shape)
    return np.asarray(direction, like.dtype)


def _differences(function: Callable[..., list[Any]], primals: tuple[Any, ...], tangents: list[Any]) -> list[Any]:
    """Return central differences along a direction, extrapolated twice (Richardson): error of order h^6."""

    def central(h: float) -> list[Any]:
        ahead = function(*(np.asarray(x + h * t, x.dtype) for x, t in zip(primals, tangents, strict=True)))
        behind = function(*(np.asarray(x - h * t, x.dtype) for x, t in zip(primals, tangents, strict=True)))
        return [
            (np.asarray(a, _wide(a)) - np.asarray(b, _wide(b))) / (2 * h) for a, b in zip(ahead, behind, strict=True)
        ]

    single = any(x.dtype.itemsize <= (8 if x.dtype.kind == "c" else 4) for x in primals)
    h = 0.03 if single else 3e-3
    rough, middle, fine = central(4 * h), central(2 * h), central(h)
    first = [(4 * b - a) / 3 for a, b in zip(rough, middle, strict=True)]
    second = [(4 * b - a) / 3 for a, b in zip(middle, fine, strict=True)]
    return [(16 * b - a) / 15 for a, b in zip(first, second, strict=True)]


def _wide(value: Any) -> Any:
    return np.result_type(np.asarray(value).dtype, np.float64)


def _compare(name: str, kind: str, number: int | None, got: np.ndarray, want: np.ndarray, tolerance: float) -> None:
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
    error = np.abs(got - want)
    if error.size == 0 or (np.all(np.isfinite(got)) and float(np.max(error)) <= tolerance * scale):
        return
    worst = np.unravel_index(int(np.argmax(np.where(np.isfinite(error), error, np.inf))), error.shape)
    place = f" at index {tuple(map(int, worst))}" if worst else ""
    raise WrongDerivative(
        f"custom_rule {name}: the {kind} gives {got[worst]} where differences of the function give {want[worst]}"
        + (f" (result {number}{place})" if number is not None else " (the product with a random cotangent)"),
        why="a rule that is not the function's derivative makes every result wrong that uses it",
        hint="correct the rule, or leave out verify= if the difference is intended",
    )
