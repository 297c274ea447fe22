"""The pullback of a scan as two scans: one goes ahead and keeps what the other needs on its way back.

What is kept of each step: states, and results of costly operations. What is cheap is computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...primitives.base import dtype_of, shape_of
from ...primitives.structural import pick
from ...program import Program, Slot, Step, trace
from ..control import reversed_for
from ..loops import inexact_places, scan
from . import scalars
from .items import size_of

# Elementwise operations that cost more than this many additions, and all that are not elementwise, are kept.
CHEAP = 4
# Costly results that would take more bytes than this are computed again.
MOST_BYTES = 1 << 28
_VIEWS = frozenset({"constant", "reshape", "transpose", "broadcast_to", "index", "concatenate", "stack", "unit_seeds"})


def expansion(
    *args: Any,
    body: Program,
    carry: int,
    xs: int,
    length: int,
    reverse: bool,
    keep: int,
    which: tuple[int, ...],
) -> list[Any] | None:
    """Return the results of `scan_pull`; None where fewer states are to be kept, which its own code does."""
    if keep:
        return None
    count = len(body.inputs)
    values, seeds = args[:count], args[count:]
    moving = inexact_places(body.inputs[:carry])
    others = [i for i in which if i >= carry]
    consts = [i for i in others if i >= carry + xs]
    rows = [i for i in others if i < carry + xs]
    back = reversed_for(body, (*moving, *others))
    kept = _worth_keeping(back, count, length)
    rest = between(back, [*range(len(back.inputs)), *kept], back.outputs)
    read = {a for step in rest.steps for a in step.args} | set(rest.outputs)
    states = [i for i in range(carry) if i in read]
    costly = between(back, range(count), kept)

    def ahead(*given: Any) -> list[Any]:
        return [*body(*given)[:carry], *(given[i] for i in states), *costly(*given)]

    forward, constants = trace(ahead, body.inputs).closed()
    settings: dict[str, Any] = {"body": forward, "carry": carry, "xs": xs, "length": length, "reverse": reverse}
    found = scan(*values, *constants, **settings, keep=0)
    saved = [pick(found, position=carry + k) for k in range(len(states) + len(kept))]
    state_seeds, row_seeds = seeds[: len(moving)], seeds[len(moving) :]
    n_state, n_saved = len(moving) + len(consts), len(saved)

    def step(*given: Any) -> list[Any]:
        given, fixed = given[:n_all], given[n_all:]
        cotangents, sums = given[: len(moving)], given[len(moving) : n_state]
        mine = given[n_state : n_state + n_saved]
        state = dict(zip(states, mine, strict=False))
        row = given[n_state + n_saved : n_state + n_saved + xs]
        theirs = given[n_state + n_saved + xs :]
        unread = [np.zeros(slot.shape, slot.dtype) for slot in body.inputs[:carry]]
        before = [state.get(i, unread[i]) for i in range(carry)]
        pulled = rest(*before, *row, *fixed, *cotangents, *theirs, *mine[len(states) :])
        by_argument = dict(zip(others, pulled[len(moving) :], strict=True))
        added = [total + by_argument[i] for total, i in zip(sums, consts, strict=True)]
        return [*pulled[: len(moving)], *added, *(by_argument[i] for i in rows)]

    zeros = [np.zeros(body.inputs[i].shape, body.inputs[i].dtype) for i in consts]
    carried = [*state_seeds, *zeros]
    moved = [*saved, *values[carry : carry + xs], *row_seeds]
    fixed = values[carry + xs :]
    n_all = n_state + len(moved)
    slots = [*map(Slot.of, carried), *(Slot(tuple(shape_of(a))[1:], dtype_of(a)) for a in moved), *map(Slot.of, fixed)]
    backward, extra = trace(step, slots).closed()
    settings = {"body": backward, "carry": n_state, "xs": len(moved), "length": length, "reverse": not reverse}
    result = scan(*carried, *moved, *fixed, *extra, **settings, keep=0)
    place = {i: k for k, i in enumerate([*moving, *consts, *rows])}
    return [pick(result, position=place[i]) for i in which]


def between(program: Program, sources: Sequence[int], outputs: Sequence[int]) -> Program:
    """Return the Program that computes some of a Program's values from others, which have to be enough for it."""
    first = len(program.inputs) + len(program.captures)
    given = set(sources)
    needed = set(outputs) - given
    for position in range(len(program.steps) - 1, -1, -1):
        if first + position in needed:
            needed.update(a for a in program.steps[position].args if a not in given)
    numbers = {value: i for i, value in enumerate(sources)}
    for i in range(len(program.captures)):
        numbers[len(program.inputs) + i] = len(sources) + i
    steps: list[Step] = []
    for position, step in enumerate(program.steps):
        if first + position in needed:
            numbers[first + position] = len(sources) + len(program.captures) + len(steps)
            steps.append(Step(step.primitive, tuple(numbers[a] for a in step.args), step.params, step.slot))
    return Program([program.slot(v) for v in sources], program.captures, steps, [numbers[v] for v in outputs])


def _worth_keeping(back: Program, count: int, length: int) -> list[int]:
    """Return the costly values that depend on the first `count` inputs only and are read by what depends on others."""
    inputs, first = len(back.inputs), len(back.inputs) + len(back.captures)
    known = {*range(count), *range(inputs, first)}
    wanted = [v for v in back.outputs if v >= first]
    for position, step in enumerate(back.steps):
        if all(a in known for a in step.args):
            known.add(first + position)
        else:
            wanted.extend(step.args)
    found: set[int] = set()
    seen: set[int] = set()
    stack = [v for v in wanted if v in known]
    while stack:
        value = stack.pop()
        if value < first or value in seen:
            continue
        seen.add(value)
        step = back.steps[value - first]
        if _is_costly(step):
            found.add(value)
        else:
            stack.extend(step.args)
    total = length * sum(size_of(back.slot(v).shape) * np.dtype(back.slot(v).dtype).itemsize for v in found)
    return sorted(found) if total <= MOST_BYTES else []


def _is_costly(step: Step) -> bool:
    name = step.primitive.name
    if isinstance(step.slot.dtype, tuple) or name in _VIEWS:
        return False
    return step.primitive.family != "elementwise" or scalars.cost_of(name) > CHEAP
