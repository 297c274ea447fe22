"""Primitives that are a formula of others, written out, so that they become part of the loops around them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ...primitives.base import find
from ...primitives.reduction import expand as widen
from ...primitives.reduction import max_, sum_
from ...program import Program, Slot, Step, trace
from . import scalars, vectormath


def _weights(x: Any, axis: tuple[int, ...]) -> tuple[Any, Any]:
    """Return exp(x - top), 1 where x is the largest element (which may be infinite), and the largest elements."""
    largest = max_(x, axis=axis)
    top = widen(largest, x, axis)
    return np.where(x == top, 1.0, np.exp(x - top)), largest


def _softmax(x: Any, axis: tuple[int, ...]) -> Any:
    weights, _ = _weights(x, axis)
    return weights / widen(sum_(weights, axis=axis), x, axis)


def _logsumexp(x: Any, axis: tuple[int, ...]) -> Any:
    weights, largest = _weights(x, axis)
    return largest + np.log(sum_(weights, axis=axis))


def _xlogy(x: Any, y: Any) -> Any:
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log(y))


def _xlog1py(x: Any, y: Any) -> Any:
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log1p(y))


FORMULAS: dict[str, Callable[..., Any]] = {
    "softmax": _softmax,
    "logsumexp": _logsumexp,
    "special.expit": lambda x: 1 / (1 + np.exp(-x)),
    "special.log_expit": lambda x: np.minimum(x, 0.0) - np.log1p(np.exp(-np.abs(x))),
    "special.xlogy": _xlogy,
    "special.xlog1py": _xlog1py,
    "special.cbrt": np.cbrt,
    "special.exp2": np.exp2,
    "special.expm1": np.expm1,
    "special.log1p": np.log1p,
}
"""Primitive name -> the same function written with others. Real floating arguments only."""


def formula_of(name: str) -> Callable[..., Any] | None:
    """Return the formula of a primitive that has no native code of its own, or None."""
    if name in scalars.LOWER or name in vectormath.FUNCTIONS:
        return None
    found = FORMULAS.get(name)
    return found if found is not None else getattr(find(name), "formula", None)


@lru_cache(maxsize=512)
def _expansion(name: str, slots: tuple[Slot, ...], params: tuple[Any, ...], out: Slot) -> Program | None:
    function = formula_of(name)
    if function is None:
        return None
    settings = dict(params)
    try:
        program = trace(lambda *args: [function(*args, **settings)], slots)
    except Exception:  # a formula for other dtypes: NumPy will do it
        return None
    return program if program.output_slots == (out,) else None


def expand(program: Program) -> Program:
    """Return the Program with all formulas written out."""
    if not any(formula_of(step.primitive.name) for step in program.steps):
        return program
    count = len(program.inputs)
    captures = list(program.captures)
    refs: list[Any] = [("leaf", i) for i in range(count + len(captures))]
    steps: list[tuple[Any, tuple[Any, ...], Any, Any]] = []

    def write(step: Step, args: tuple[Any, ...], slots: tuple[Slot, ...]) -> Any:
        if all(slot.dtype in (float, int) or getattr(slot.dtype, "kind", "") == "f" for slot in slots):
            inner = _expansion(step.primitive.name, slots, step.params, step.slot)
            if inner is not None:
                return splice(inner, args)
        steps.append((step.primitive, args, step.params, step.slot))
        return ("step", len(steps) - 1)

    def splice(inner: Program, args: tuple[Any, ...]) -> Any:
        mine: list[Any] = list(args)
        for value in inner.captures:
            mine.append(("leaf", count + len(captures)))
            captures.append(value)
        for step in inner.steps:
            slots = tuple(inner.slot(a) for a in step.args)
            mine.append(write(step, tuple(mine[a] for a in step.args), slots))
        return mine[inner.outputs[0]]

    for step in program.steps:
        if isinstance(step.slot.dtype, tuple):
            steps.append((step.primitive, tuple(refs[a] for a in step.args), step.params, step.slot))
            refs.append(("step", len(steps) - 1))
            continue
        slots = tuple(program.slot(a) for a in step.args)
        refs.append(write(step, tuple(refs[a] for a in step.args), slots))
    first = count + len(captures)

    def number(ref: Any) -> int:
        return ref[1] if ref[0] == "leaf" else first + ref[1]

    return Program(
        program.inputs,
        captures,
        [Step(primitive, tuple(map(number, args)), params, slot) for primitive, args, params, slot in steps],
        [number(refs[i]) for i in program.outputs],
    )
