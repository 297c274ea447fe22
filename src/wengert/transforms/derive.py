"""Programs from Programs: the reverse, forward and batched Program of a given one.

Each runs the Program on abstract tensors and lets the rules of the primitives write the new lines, so a derived
Program is a Program like any other: it can be printed, saved, simplified and derived again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, StructureError
from ..program import Program, Slot, trace
from ..recording import Traced, depends
from ..tensor import Tensor
from .batch import run_batched
from .forward import push_forward
from .reverse import backpropagate


def is_inexact(slot: Any) -> bool:
    """Whether values of this shape and dtype have derivatives: floating or complex numbers."""
    dtype = slot.dtype
    return dtype in (float, complex) if isinstance(dtype, type) else dtype.kind in "fc"


def concrete_slot(slot: Slot) -> Slot:
    """Return the slot of an array: a weak Python type becomes NumPy's default dtype for it."""
    return slot if isinstance(slot.dtype, tuple) else Slot(slot.shape, np.dtype(slot.dtype))


def reverse_program(program: Program, wrt: Sequence[int] | None = None, *, with_value: bool = False) -> Program:
    """Return the Program that pulls cotangents back.

    inputs: those of the Program, then one cotangent per output   outputs: one cotangent per input in `wrt`

    Parameters
    ----------
    program : Program
    wrt : sequence of int, optional
        Which inputs; all that are floating or complex numbers if not given.
    with_value : bool
        If true, the Program's own outputs come first.

    Raises
    ------
    ArgumentError
        If `wrt` names an input that does not exist or has no derivative.

    Notes
    -----
    Cost of the result: a small multiple of the Program's own (Griewank and Walther, Evaluating Derivatives, 2008,
    section 3.3).

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.program import Slot, trace
    >>> program = trace(lambda x: [np.sum(x * x)], [Slot((2,), np.dtype(float))])
    >>> reverse_program(program)(np.array([3.0, 4.0]), np.array(1.0))
    (array([6., 8.]),)
    """
    wanted = _wanted(program, wrt)
    targets = program.output_slots

    def pull(*values: Any) -> list[Any]:
        inputs, cotangents = values[: len(program.inputs)], values[len(program.inputs) :]
        outputs = program(*inputs)
        sources = [inputs[i]._line for i in wanted]
        seeds: dict[Any, Any] = {}
        for out, cotangent in zip(outputs, cotangents, strict=True):
            if isinstance(out, Traced) and out._line is not None and is_inexact(out):
                known = seeds.get(out._line)
                seeds[out._line] = cotangent if known is None else known + cotangent
        lines = depends(seeds, sources)
        found = backpropagate(lines, {k: v for k, v in seeds.items() if k in set(lines)}, sources, Tensor)
        pulled = [found.get(line) for line in sources]
        pulled = [
            np.zeros(line.shape, line.dtype) if value is None else value
            for value, line in zip(pulled, sources, strict=True)
        ]
        return [*outputs, *pulled] if with_value else pulled

    return trace(pull, [concrete_slot(slot) for slot in (*program.inputs, *targets)])


def forward_program(program: Program, wrt: Sequence[int] | None = None, *, with_value: bool = False) -> Program:
    """Return the Program that pushes tangents forward.

    inputs: those of the Program, then one tangent per input in `wrt`   outputs: one tangent per output

    Parameters and errors are those of `reverse_program`. An output of integers has a tangent of float zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.program import Slot, trace
    >>> program = trace(lambda x: [np.sum(x * x)], [Slot((2,), np.dtype(float))])
    >>> float(forward_program(program)(np.array([3.0, 4.0]), np.array([1.0, 1.0]))[0])
    14.0
    """
    wanted = _wanted(program, wrt)

    def push(*values: Any) -> list[Any]:
        inputs, tangents = values[: len(program.inputs)], values[len(program.inputs) :]
        outputs = program(*inputs)
        sources = [inputs[i]._line for i in wanted]
        targets = [out._line for out in outputs if isinstance(out, Traced) and out._line is not None]
        lines = depends(targets, sources)
        found = push_forward(lines, dict(zip(sources, tangents, strict=True)), targets, Tensor)
        pushed = [None if not isinstance(out, Traced) or out._line is None else found.get(out._line) for out in outputs]
        pushed = [
            np.zeros(slot.shape, slot.dtype if is_inexact(slot) else float) if value is None else value
            for value, slot in zip(pushed, program.output_slots, strict=True)
        ]
        return [*outputs, *pushed] if with_value else pushed

    slots = [concrete_slot(slot) for slot in program.inputs]
    return trace(push, [*slots, *(slots[i] for i in wanted)])


def batch_program(
    program: Program, size: int, batched: Sequence[bool] | None = None, *, all_outputs: bool = True
) -> tuple[Program, tuple[bool, ...]]:
    """Return the Program for `size` samples at once, and which of its outputs have a leading sample axis.

    Parameters
    ----------
    program : Program
    size : int
    batched : sequence of bool, optional
        Which inputs have a leading axis of length `size`; all of them if not given.
    all_outputs : bool
        Whether to give outputs that do not depend on a batched input a sample axis too.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.program import Slot, trace
    >>> program = trace(lambda x: [np.sum(x)], [Slot((2,), np.dtype(float))])
    >>> many, _ = batch_program(program, 3)
    >>> many(np.ones((3, 2)))
    (array([2., 2., 2.]),)
    """
    flags = (True,) * len(program.inputs) if batched is None else tuple(map(bool, batched))
    if len(flags) != len(program.inputs):
        raise StructureError(f"the Program has {len(program.inputs)} inputs, but {len(flags)} flags were given")
    made: list[bool] = []

    def run(*values: Any) -> list[Any]:
        outputs, is_batched = run_batched(program, size, values, flags)
        if all_outputs:
            outputs = [
                out if flag else np.broadcast_to(out, (size, *slot.shape))
                for out, flag, slot in zip(outputs, is_batched, program.output_slots, strict=True)
            ]
        made.extend(flag or all_outputs for flag in is_batched)
        return outputs

    slots = [
        Slot((size, *slot.shape), np.dtype(slot.dtype)) if flag else concrete_slot(slot)
        for slot, flag in zip(program.inputs, flags, strict=True)
    ]
    return trace(run, slots), tuple(made)


def _wanted(program: Program, wrt: Sequence[int] | None) -> list[int]:
    if wrt is None:
        return [i for i, slot in enumerate(program.inputs) if is_inexact(slot)]
    for i in wrt:
        if not 0 <= i < len(program.inputs):
            raise ArgumentError(f"the Program has no input {i}; it has {len(program.inputs)}")
        if not is_inexact(program.inputs[i]):
            raise ArgumentError(f"input {i} of the Program has {program.inputs[i]}, which has no derivative")
    return list(wrt)
