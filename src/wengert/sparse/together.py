"""Columns that are read one by one are laid out together first: NumPy reads what lies together several times faster.

`v[:, 3]` of a tall array touches as much memory as the whole array. Where a Program reads several such columns, one copy
of the transposed array pays for itself at once. The result computes the same numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives import indexing as p
from ..program import Program, Slot, Step

WIDEST = 64  # columns
SHORTEST = 512  # rows: smaller arrays stay in the cache anyway


def columns_together(program: Program) -> Program:
    """Return the Program with tall arrays transposed once where several of their columns are read."""
    n, m = len(program.inputs), len(program.captures)
    first = n + m
    uses: dict[int, list[int]] = {}
    for position, step in enumerate(program.steps):
        for a in step.args:
            uses.setdefault(a, []).append(position)

    def column_of(position: int, rows: bool) -> Any:
        """Return which column a line picks, or None if it does something else."""
        step = program.steps[position]
        if step.primitive is not p.index or len(step.args) != 1:
            return None
        spec = dict(step.params)["spec"]
        if rows:
            return spec[0] if len(spec) == 1 and type(spec[0]) is int else None
        whole = len(spec) == 2 and spec[0] == (None, None, None)
        return spec[1] if whole and type(spec[1]) is int else None

    moved: dict[int, tuple[bool, tuple[int, ...]]] = {}  # value -> whether it is transposed already, its tall shape
    for number, readers in uses.items():
        slot = program.slot(number)
        if isinstance(slot.dtype, tuple) or len(slot.shape) != 2 or len(readers) < 2 or number in program.outputs:
            continue
        tall = slot.shape[0] >= SHORTEST and 2 <= slot.shape[1] <= WIDEST
        if tall and sum(column_of(r, False) is not None for r in readers) > 1:
            moved[number] = (False, slot.shape)
        elif number >= first and program.steps[number - first].primitive is p.transpose:
            flat = slot.shape[1] >= SHORTEST and 2 <= slot.shape[0] <= WIDEST
            if flat and all(column_of(r, True) is not None for r in readers):
                moved[number] = (True, slot.shape[::-1])
    if not moved:
        return program
    return _rebuilt(program, moved, column_of)


def _rebuilt(program: Program, moved: dict[int, tuple[bool, tuple[int, ...]]], column_of: Any) -> Program:
    n, m = len(program.inputs), len(program.captures)
    first = n + m
    added = [np.arange(width) for width in sorted({shape[1] for _, shape in moved.values()})]
    order = {len(array): first + k for k, array in enumerate(added)}
    shift = first + len(added)
    numbers = {i: i for i in range(first)}
    together: dict[int, int] = {}
    steps: list[Step] = []

    def emit(step: Step) -> int:
        steps.append(step)
        return shift + len(steps) - 1

    def lay_out(number: int) -> None:
        transposed, shape = moved[number]
        slot = Slot(shape[::-1], program.slot(number).dtype)
        source = numbers[number]
        if not transposed:
            source = emit(Step(p.transpose, (source,), (("axes", (1, 0)),), slot))
        together[number] = emit(Step(p.index, (source, order[shape[1]]), (("spec", (p.ARRAY,)),), slot))

    for number in moved:
        if number < first:
            lay_out(number)
    for position, step in enumerate(program.steps):
        source = step.args[0] if step.args else -1
        column = column_of(position, moved[source][0]) if source in together else None
        if column is not None:
            numbers[first + position] = emit(Step(p.index, (together[source],), (("spec", (column,)),), step.slot))
            continue
        args = tuple(numbers[a] for a in step.args)
        numbers[first + position] = emit(Step(step.primitive, args, step.params, step.slot))
        if first + position in moved:
            lay_out(first + position)
    return Program(program.inputs, (*program.captures, *added), steps, [numbers[i] for i in program.outputs])
