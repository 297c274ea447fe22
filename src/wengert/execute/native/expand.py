"""Primitives that are a formula of others, written out, so that they become part of the loops around them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import factorial
from typing import Any

import numpy as np

from ...primitives.base import find
from ...primitives.reduction import expand as widen
from ...primitives.reduction import max_, sum_
from ...program import Program, Slot, Step, trace
from . import scalars, scan_pull, vectormath


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


def _polygamma(x: Any, order: int) -> Any:
    import scipy.special as sp

    if order == 0:
        return sp.digamma(x)
    return (-1.0) ** (order + 1) * factorial(order) * sp._ufuncs._zeta(order + 1.0, x)


FORMULAS: dict[str, Callable[..., Any]] = {
    "special.polygamma": _polygamma,
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


# ---------------------------------------------------------------- lines with several results


def _call(*args: Any, program: Program) -> list[Any]:
    return list(program(*args))


SEVERAL: dict[str, Callable[..., Any]] = {"call": _call, "scan_pull": scan_pull.expansion}
"""Primitives with several results that are formulas of others."""


@lru_cache(maxsize=256)
def _several(name: str, slots: tuple[Slot, ...], params: tuple[Any, ...], out: Slot) -> Program | None:
    function = SEVERAL[name]
    settings = dict(params)
    found: list[Any] = []

    def run(*args: Any) -> list[Any]:
        outputs = function(*args, **settings)
        found.append(outputs)
        return outputs or []

    program = trace(run, slots)
    if found[0] is None or tuple(slot.shape for slot in program.output_slots) != tuple(out.shape):
        return None
    return program


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
    names = {step.primitive.name for step in program.steps}
    if not any(name == "constant" or name in SEVERAL or formula_of(name) for name in names):
        return program
    count = len(program.inputs)
    captures = list(program.captures)
    refs: list[Any] = [("leaf", i) for i in range(count + len(captures))]
    steps: list[tuple[Any, tuple[Any, ...], Any, Any]] = []

    def constant(value: Any) -> Any:
        captures.append(value)
        return ("leaf", count + len(captures) - 1)

    def write(step: Step, args: tuple[Any, ...], slots: tuple[Slot, ...]) -> Any:
        if all(slot.dtype in (float, int) or getattr(slot.dtype, "kind", "") == "f" for slot in slots):
            inner = _expansion(step.primitive.name, slots, step.params, step.slot)
            if inner is not None:
                return splice(inner, args)[0]
        return keep(step, args)

    def keep(step: Step, args: tuple[Any, ...]) -> Any:
        steps.append((step.primitive, args, step.params, step.slot))
        return ("step", len(steps) - 1)

    def splice(inner: Program, args: tuple[Any, ...]) -> list[Any]:
        mine: list[Any] = [*args, *map(constant, inner.captures)]
        for step in inner.steps:
            one(step, mine, inner)
        return [mine[i] for i in inner.outputs]

    def one(step: Step, refs: list[Any], owner: Program) -> None:
        """Write one step of a Program whose values are `refs`."""
        name = step.primitive.name
        args = tuple(refs[a] for a in step.args)
        if name == "constant":
            refs.append(constant(dict(step.params)["value"]))
        elif name == "pick" and args[0][0] == "several":
            refs.append(args[0][1][dict(step.params)["position"]])
        elif name in SEVERAL:
            inner = _several(name, tuple(owner.slot(a) for a in step.args), step.params, step.slot)
            refs.append(keep(step, args) if inner is None else ("several", splice(inner, args)))
        elif isinstance(step.slot.dtype, tuple) or name == "pick":
            refs.append(keep(step, args))
        else:
            refs.append(write(step, args, tuple(owner.slot(a) for a in step.args)))

    for step in program.steps:
        one(step, refs, program)
    first = count + len(captures)

    def number(ref: Any) -> int:
        return ref[1] if ref[0] == "leaf" else first + ref[1]

    return Program(
        program.inputs,
        captures,
        [Step(primitive, tuple(map(number, args)), params, slot) for primitive, args, params, slot in steps],
        [number(refs[i]) for i in program.outputs],
    )
