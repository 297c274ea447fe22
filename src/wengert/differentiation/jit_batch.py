"""`batch_jacobian` for `jit`: one Program for the Jacobians of all samples, from unit seeds that all samples share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..primitives import structural
from ..primitives.indexing import broadcast_to, reshape, transpose
from ..program import Program, Slot, Step, trace
from ..transforms.batch import run_batched
from ..transforms.derive import forward_program, reverse_program
from ..transforms.simplify import simplify
from ..tree import LEAF, Tree
from .jit_record import CannotCompile, Output, Path


def is_batch_jacobian(function: Any) -> bool:
    """Whether a function is what `batch_jacobian` returns."""
    return type(function).__name__ == "BatchJacobian" and type(function).__module__ == "wengert.sparse.parts"


def record_batch_jacobian(
    function: Any, rebuild: Callable[[list[Any]], tuple[Any, Any]], leaves: Sequence[Any]
) -> Path:
    """Return the path of a batch Jacobian at these arguments; see `jit_record.record`.

    Raises
    ------
    CannotCompile
        If it depends on more than its one array argument.
    """
    from ..sparse.jacobians import record

    args, kwargs = rebuild(list(leaves))
    value = function(*args, **kwargs)  # proves that samples are independent, or says that they are not
    if function.has_aux:
        raise CannotCompile("a batch Jacobian with auxiliary results")
    run = record(function.function, args, kwargs, function.argnums, False, function.name)
    if len(leaves) != 1 or run.inputs[0] is not leaves[0]:
        raise CannotCompile("a batch Jacobian by one of several arguments")
    if run.reads:
        raise CannotCompile("a batch Jacobian of a function that branches on values")
    program = run.program([])
    path = Path()
    path.program = batch_program(program)
    path.outputs = [Output(0, "array", None)]
    path.output_tree = Tree(LEAF)
    path.guards, path.guard_dtypes = [], []
    path.variables, path.tensors = [], []
    path.reads_numbers = set()
    path.value = value
    return path


def batch_program(program: Program) -> Program:
    """Return the Program of the Jacobians of all samples, shape (samples, *y, *x)."""
    (source,), (target,) = program.inputs, program.output_slots
    size, inner, outer = target.shape[0], target.shape[1:], source.shape[1:]
    height, width = prod(inner), prod(outer)
    backward = height <= width
    count, own = (height, inner) if backward else (width, outer)
    derived = simplify(reverse_program(program, [0]) if backward else forward_program(program, [0]), fold=False)

    def run(x: Any, unit: Any) -> list[Any]:
        seeds = broadcast_to(reshape(unit, shape=(count, 1, *own)), shape=(count, size, *own))
        outs, flags = run_batched(derived, count, [x, seeds], [False, True])
        found = outs[0] if flags[0] else broadcast_to(outs[0], shape=(count, *np.shape(outs[0])))
        if backward:  # (height, size, *x) -> (size, height, *x)
            found = transpose(found, axes=(1, 0, *range(2, 2 + len(outer))))
        else:  # (width, size, *y) -> (size, *y, width)
            found = transpose(found, axes=(*range(1, 2 + len(inner)), 0))
        return [reshape(found, shape=(size, *inner, *outer))]

    unit = Slot((count, count), np.dtype(target.dtype if backward else source.dtype))
    return _with_seeds(trace(run, [Slot(source.shape, np.dtype(source.dtype)), unit]))


def _with_seeds(program: Program) -> Program:
    """Return the Program with its second input made by a line of its own: unit seeds."""
    slot = program.inputs[1]
    count = slot.shape[0]
    params = (("dtype", np.dtype(slot.dtype)), ("shape", (count,)), ("start", 0), ("stop", count))
    first = 1 + len(program.captures)

    def moved(i: int) -> int:
        return i if i < 1 else first if i == 1 else i - 1 if i <= first else i

    steps = [Step(structural.unit_seeds, (), params, slot)]
    steps += [Step(s.primitive, tuple(map(moved, s.args)), s.params, s.slot) for s in program.steps]
    return Program(program.inputs[:1], program.captures, steps, [moved(i) for i in program.outputs])
