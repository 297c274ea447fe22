"""Whether the rules of a custom rule agree with differences of its function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, WrongDerivative
from ..recording import Traced
from ..transforms.derive import is_inexact
from .dense import Jacobian
from .gradient import jvp, vjp
from .vmap import Vmap


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
        scale = _NOISE * float(np.max(np.abs(outputs[i]), initial=0.0))
        _compare(rule.__name__, "jvp" if rule.rules["jvp"] else "vjp", i, np.asarray(got), want, tolerance, scale)
    cotangents = [_direction(random, outputs[i]) for i in chosen]
    _, pullback = vjp(inexact, *primals)
    pulled = pullback(cotangents)
    forward = sum(float(np.real(np.vdot(c, w))) for c, w in zip(cotangents, expected, strict=True))
    reverse = sum(float(np.real(np.vdot(p, t))) for p, t in zip(pulled, tangents, strict=True))
    size = sum(
        _size(c) * (_size(w) + _NOISE * _size(outputs[i]))
        for c, w, i in zip(cotangents, expected, chosen, strict=True)
    )
    _compare(
        rule.__name__,
        "vjp" if rule.rules["vjp"] else "jvp",
        None,
        np.asarray(reverse),
        np.asarray(forward),
        tolerance,
        size,
    )
    if rule.rules["batch"] is not None:
        _verify_batch(rule, flat, primals, tangents)
    if rule.rules["pattern"] is not None:
        _verify_pattern(rule, leaves, structure, settings, flat, primals, varying)


def _verify_batch(rule: Any, flat: Callable[..., list[Any]], primals: tuple[Any, ...], tangents: list[Any]) -> None:
    """Raise WrongDerivative if two samples at once differ from one after the other."""
    samples = [tuple(x + s * t for x, t in zip(primals, tangents, strict=True)) for s in (0.0, 1e-3)]
    together = Vmap(flat)(*(np.stack(parts) for parts in zip(*samples, strict=True)))
    for number, (got, *each) in enumerate(zip(together, *(flat(*sample) for sample in samples), strict=True)):
        want = np.stack([np.asarray(part) for part in each])
        _compare(rule.__name__, "batch rule", number, np.asarray(got), want, 1e-6, other="the function gives")


def _verify_pattern(
    rule: Any,
    leaves: list[Any],
    structure: tree.Tree,
    settings: dict[str, Any],
    flat: Callable[..., list[Any]],
    primals: tuple[Any, ...],
    varying: list[int],
) -> None:
    """Raise WrongDerivative if the result depends on an element where the pattern says it does not."""
    if not all(child.is_leaf for child in structure.children):
        return
    out = np.asarray(flat(*primals)[0])
    declared = rule.pattern_of([leaf.shape for leaf in leaves], out.shape, settings)
    for number, i in enumerate(varying):
        if declared[i] is None or out.size * leaves[i].size > _DENSE:
            continue
        jacobian = np.array(Jacobian(lambda *values: flat(*values)[0], number)(*primals)).reshape(out.size, -1)
        jacobian[declared[i]] = 0
        if np.any(jacobian):
            row, column = (int(part[0]) for part in np.nonzero(jacobian))
            raise WrongDerivative(
                f"custom_rule {rule.__name__}: the pattern has no entry ({row}, {column}) for argument {i}, "
                f"but the derivative there is {jacobian[row, column]:.6g}",
                why="a sparse derivative would lose that entry and spoil others",
                hint="give the pattern every entry that can differ from zero",
            )


_NOISE = 0.01  # errors are relative to the derivative, or to this part of the function's value
_DENSE = 1_000_000  # entries of a Jacobian that is formed for a check


def check_linear(name: str, kind: str, rule: Callable[..., Any], zeros: Sequence[Any]) -> None:
    """Raise ArgumentError if a rule that has to be transposed is not linear: tried with random numbers.

    Where they are not known, inside `vmap` or a traced body, nothing can be tried.
    """
    random = np.random.default_rng(0)
    x, y = ([_direction(random, zero) for zero in zeros] for _ in range(2))
    both = [a + 2 * b for a, b in zip(x, y, strict=True)]
    for one, other, together in zip(*(rule(*values) for values in (x, y, both)), strict=True):
        parts = [part._data if isinstance(part, Traced) else part for part in (one, other, together)]
        if any(part is None for part in parts):
            continue
        a, b, c = map(np.asarray, parts)
        scale = float(np.max(np.abs(a) + 2 * np.abs(b) + np.abs(c), initial=0.0))
        if np.isfinite(scale) and np.max(np.abs(a + 2 * b - c), initial=0.0) > 1e-3 * scale:
            raise ArgumentError(
                f"{name}: the {kind} is not linear in the {'tangents' if kind == 'jvp' else 'cotangent'}",
                why="the other mode needs its transpose, which only a linear function has",
                hint=f"correct the {kind}, or give a {'vjp' if kind == 'jvp' else 'jvp'} as well",
            )


def _size(x: Any) -> float:
    return float(np.linalg.norm(np.ravel(x)))


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


def _compare(
    name: str,
    kind: str,
    number: int | None,
    got: np.ndarray,
    want: np.ndarray,
    tolerance: float,
    scale: float = 0.0,
    other: str = "differences of the function give",
) -> None:
    scale = max(scale, float(np.max(np.abs(want), initial=0.0)))
    error = np.abs(got - want)
    if error.size == 0 or (np.all(np.isfinite(got)) and float(np.max(error)) <= tolerance * scale):
        return
    worst = np.unravel_index(int(np.argmax(np.where(np.isfinite(error), error, np.inf))), error.shape)
    place = f" at index {tuple(map(int, worst))}" if worst else ""
    raise WrongDerivative(
        f"custom_rule {name}: the {kind} gives {got[worst]} where {other} {want[worst]}"
        + (f" (result {number}{place})" if number is not None else " (the product with a random cotangent)"),
        why="a rule that is not the function's derivative makes every result wrong that uses it",
        hint="correct the rule, or leave out verify= if the difference is intended",
    )
