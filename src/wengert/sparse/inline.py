"""Lines that hold Programs, written out: calls and short loops become ordinary lines, which have a structure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitives import indexing as p
from ..program import Program, Step, trace
from ..recording import apply

# A loop is written out if that gives at most this many lines.
MOST = 4000


def written_out(program: Program) -> Program:
    """Return the Program with its calls, and its loops of known and moderate length, written out."""
    if not any(step.primitive.family == "control" for step in program.steps):
        return program

    def body(*inputs: Any) -> list[Any]:
        return _run(program, inputs, program.captures)

    return trace(body, program.inputs)


def _run(program: Program, inputs: Sequence[Any], captures: Sequence[Any]) -> list[Any]:
    values: list[Any] = [*inputs, *captures]
    with np.errstate(all="ignore"):
        for step in program.steps:
            values.append(_line(step, [values[a] for a in step.args]))
    return [values[i] for i in program.outputs]


def _line(step: Step, args: list[Any]) -> Any:
    name, params = step.primitive.name, dict(step.params)
    if name == "pick" and type(args[0]) is list:
        return args[0][params["position"]]
    if name == "pack":
        return list(args)
    if name == "call":
        return _run(params["program"], args, params["program"].captures)
    if name == "scan" and params["length"] * max(len(params["body"].steps), 1) <= MOST:
        return _scan(args, **params)
    return apply(step.primitive, args, params)


def _scan(args: Sequence[Any], body: Program, carry: int, xs: int, length: int, reverse: bool, keep: int) -> list[Any]:
    state = list(args[:carry])
    rows, consts = args[carry : carry + xs], args[carry + xs :]
    count = len(body.outputs) - carry
    ys: list[list[Any]] = [[None] * length for _ in range(count)]
    for k in range(length - 1, -1, -1) if reverse else range(length):
        out = _run(body, [*state, *(apply(p.index, (row,), {"spec": (k,)}) for row in rows), *consts], body.captures)
        state = out[:carry]
        for column, value in zip(ys, out[carry:], strict=True):
            column[k] = value
    stacked = []
    for column, slot in zip(ys, body.output_slots[carry:], strict=True):
        parts = [value if hasattr(value, "shape") else np.asarray(value) for value in column]
        stacked.append(
            apply(p.stack, parts, {"axis": 0}) if length else np.zeros((0, *slot.shape), np.dtype(slot.dtype))
        )
    return [*state, *stacked]
