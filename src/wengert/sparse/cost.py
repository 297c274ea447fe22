"""What a Program costs, in units of one cheap operation on one element: enough to compare plans, no more.

Bytes are those of the values alive at once. Both are estimates from shapes alone.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..program import Program, Step

# One call of a NumPy function costs about as much as this many elements.
CALL = 1000.0
VIEW = 300.0
_DEAR = {"exp": 4, "log": 5, "sin": 8, "cos": 8, "tan": 12, "tanh": 8, "power": 10, "sqrt": 2, "divide": 2}
_VIEWS = ("reshape", "transpose", "broadcast_to", "alias", "watch", "pick", "stop_gradient")


def step_cost(program: Program, step: Step) -> tuple[float, float]:
    """Return what one line costs to call, and what its elements cost."""
    name = step.primitive.name
    if isinstance(step.slot.dtype, tuple):
        return CALL, 10.0 * sum(prod(_shape(program, a)) for a in step.args)
    size = prod(step.slot.shape)
    if name in _VIEWS or (name == "index" and len(step.args) == 1):
        return VIEW, 0.0
    if name == "contract":
        params = dict(step.params)
        sizes = dict(zip(params["a"], program.slot(step.args[0]).shape, strict=True))
        sizes.update(zip(params["b"], program.slot(step.args[1]).shape, strict=True))
        return CALL, max(size, prod(sizes.values()) / 8)
    if step.primitive.family == "elementwise":
        return CALL, size * _DEAR.get(name, 1.0 if name in _CHEAP else 4.0)
    work = max(size, *(prod(_shape(program, a)) for a in step.args), 1)
    return CALL, (1.5 if step.primitive.family in ("reindexing", "reduction") else 10.0) * work


def _shape(program: Program, number: int) -> tuple[int, ...]:
    """Return a value's shape; of a line with several results, that of the first."""
    slot = program.slot(number)
    return slot.shape if not isinstance(slot.dtype, tuple) else slot.shape[0] if slot.shape else ()


_CHEAP = ("add", "subtract", "multiply", "negative", "scale", "where", "square", "absolute", "maximum", "cast")


def program_cost(program: Program) -> float:
    """Return the cost of running a Program once."""
    return sum(sum(step_cost(program, step)) for step in program.steps)


def active_steps(program: Program, primals: int) -> list[Step]:
    """Return the lines that depend on the inputs after the first `primals`."""
    first = len(program.inputs) + len(program.captures)
    active = set(range(primals, len(program.inputs)))
    result = []
    for position, step in enumerate(program.steps):
        if any(a in active for a in step.args):
            active.add(first + position)
            result.append(step)
    return result


def pass_cost(linear: Program, primals: int, passes: int) -> float:
    """Return the cost of a linear Program with `passes` seeds at once."""
    active = {id(step) for step in active_steps(linear, primals)}
    total = 0.0
    for step in linear.steps:
        call, work = step_cost(linear, step)
        total += call + work * (passes if id(step) in active else 1)
    return total


def bytes_per_seed(linear: Program, primals: int) -> int:
    """Return the most bytes that values depending on one seed take at once."""
    first = len(linear.inputs) + len(linear.captures)
    active = set(range(primals, len(linear.inputs)))
    alive = sum(_bytes(linear.inputs[i]) for i in range(primals, len(linear.inputs)))
    most = alive
    uses = linear.last_uses()
    for position, step in enumerate(linear.steps):
        if any(a in active for a in step.args):
            active.add(first + position)
            alive += _bytes(step.slot)
            most = max(most, alive)
        for dead in uses.get(position, ()):
            if dead in active:
                alive -= _bytes(linear.slot(dead))
    return most


def _bytes(slot: Any) -> int:
    if isinstance(slot.dtype, tuple):
        return sum(prod(s) * np.dtype(d).itemsize for s, d in zip(slot.shape, slot.dtype, strict=True))
    return prod(slot.shape) * np.dtype(slot.dtype).itemsize
