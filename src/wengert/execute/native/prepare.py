"""Making a Program short before it is compiled: equal lines once, no dead ones, nothing that only passes a value on.

Captured values are compared by identity only: they are read when the code runs, and may have changed by then.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...program import Program, Step
from .expand import expand
from .seeds import pick_rows

_PASSING = frozenset({"alias", "watch", "stop_gradient", "reshape", "broadcast_to", "cast", "transpose", "positive"})


def prepare(program: Program) -> Program:
    """Return an equal Program without repeated and dead lines, and without captures that nobody reads.

    Primitives that are formulas are written out.
    """
    program = _settled(pick_rows(expand(program)))
    count = len(program.inputs) + len(program.captures)
    refs: list[Any] = list(range(count))
    steps: list[Step] = []
    known: dict[Any, int] = {}
    by_value: dict[int, int] = {}
    slots = [program.slot(i) for i in range(count)]
    for i, value in enumerate(program.captures):
        number = len(program.inputs) + i
        if not isinstance(value, int | float | complex):
            refs[number] = by_value.setdefault(id(value), number)
    for step in program.steps:
        args = tuple(refs[a] for a in step.args)
        if _passes(step, slots[args[0]] if args else None):
            refs.append(args[0])
            continue
        if step.primitive.name == "pick" and args[0] >= count and steps[args[0] - count].primitive.name == "pack":
            refs.append(steps[args[0] - count].args[dict(step.params)["position"]])
            continue
        key = (step.primitive.name, args, step.params, tuple(map(_types, step.params)) if step.params else ())
        number = known.get(key, -1)
        if number < 0:
            number = known[key] = count + len(steps)
            steps.append(Step(step.primitive, args, step.params, step.slot))
            slots.append(step.slot)
        refs.append(number)
    return _drop(program, steps, [refs[i] for i in program.outputs])


def _settled(program: Program) -> Program:
    """Return an equal Program whose Python integers are of the narrow dtypes that they are used in, where they fit.

    NumPy refuses those that do not, so that code for any integer is possible for the widest dtype only.
    """
    count, first = len(program.inputs), len(program.inputs) + len(program.captures)
    added: dict[tuple[int, np.dtype], int] = {}
    wanted: dict[int, dict[int, np.dtype]] = {}
    for position, step in enumerate(program.steps):
        if step.primitive.family != "elementwise":
            continue
        weak = [a for a in step.args if count <= a < first and type(program.captures[a - count]) is int]
        for a in weak:
            dtype = _dtype_beside(program, step)
            if dtype is not None and np.iinfo(dtype).min <= program.captures[a - count] <= np.iinfo(dtype).max:
                wanted.setdefault(position, {})[a] = dtype
                added.setdefault((a, dtype), first + len(added))
    if not added:
        return program
    captures = [*program.captures, *(dtype.type(program.captures[a - count]) for a, dtype in added)]

    def moved(a: int) -> int:
        return a if a < first else a + len(added)

    steps = []
    for position, step in enumerate(program.steps):
        here = wanted.get(position, {})
        args = tuple(added[a, here[a]] if a in here else moved(a) for a in step.args)
        steps.append(Step(step.primitive, args, step.params, step.slot))
    return Program(program.inputs, captures, steps, [moved(a) for a in program.outputs])


def _dtype_beside(program: Program, step: Step) -> np.dtype | None:
    """Return the narrow integers that a step computes with, if it does."""
    slots = map(program.slot, step.args[1:] if step.primitive.name == "where" else step.args)
    dtypes = {np.dtype(slot.dtype) for slot in slots if not isinstance(slot.dtype, type | tuple)}
    if len(dtypes) != 1:
        return None
    dtype = dtypes.pop()
    return dtype if dtype.kind in "iu" and dtype != np.int64 else None


def _types(value: Any) -> Any:
    """Types of plain data: True, 1 and 1.0 are equal, but not the same setting."""
    return tuple(map(_types, value)) if isinstance(value, tuple) else type(value)


def _passes(step: Step, source: Any) -> bool:
    name = step.primitive.name
    if name not in _PASSING or source is None or isinstance(source.dtype, type):
        return False
    if source.shape != step.slot.shape or source.dtype != step.slot.dtype:
        return False
    return name != "transpose" or dict(step.params)["axes"] == tuple(range(len(source.shape)))


def _drop(program: Program, steps: list[Step], outputs: list[int]) -> Program:
    inputs, captures = len(program.inputs), len(program.captures)
    needed = set(outputs)
    for position in range(len(steps) - 1, -1, -1):
        if inputs + captures + position in needed:
            needed.update(steps[position].args)
    numbers: dict[int, int] = {i: i for i in range(inputs)}
    kept: list[Any] = []
    for i, value in enumerate(program.captures):
        if inputs + i in needed:
            numbers[inputs + i] = inputs + len(kept)
            kept.append(value)
    shorter: list[Step] = []
    for position, step in enumerate(steps):
        number = inputs + captures + position
        if number in needed:
            numbers[number] = inputs + len(kept) + len(shorter)
            shorter.append(Step(step.primitive, tuple(numbers[a] for a in step.args), step.params, step.slot))
    return Program(program.inputs, kept, shorter, [numbers[i] for i in outputs])
