"""Batching: run a Program with one more leading axis on some of its values, by each primitive's batch rule.

This is an interpreter over array-likes: with arrays it computes, with abstract tensors it writes the batched
Program, with tracked tensors it records.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..program import Program, Slot
from ..recording import apply
from .units import Block, push

REUSE_BYTES = 1 << 16  # smaller arrays come from NumPy's own cache of buffers


def run_batched(
    program: Program,
    size: int,
    args: Sequence[Any],
    batched: Sequence[bool],
    captures: Sequence[Any] | None = None,
) -> tuple[list[Any], list[bool]]:
    """Return the outputs and which of them are batched (axis 0, length `size`).

    Flags in `batched` are for the inputs; captures are never batched. An input may be a block of unit seeds.
    """
    values: list[Any] = [*args, *(program.captures if captures is None else captures)]
    flags = [*batched, *(False,) * len(program.captures)]
    ends = program.last_uses()
    seeded = any(isinstance(arg, Block) for arg in args)
    with np.errstate(all="ignore"):
        for position, step in enumerate(program.steps):
            mine = [values[a] for a in step.args]
            which = [flags[a] for a in step.args]
            dead = ends.get(position, ())
            for number in dead:
                values[number] = None
            if True not in which:
                values.append(apply(step.primitive, mine, dict(step.params)))
                flags.append(False)
                continue
            result = None
            if seeded:
                result = push(step.primitive, mine, which, dict(step.params), step.slot, size)
                if result is not None:
                    values.append(result)
                    flags.append(True)
                    continue
                mine = [arg.matrix() if isinstance(arg, Block) else arg for arg in mine]
            if not step.params:
                ufunc = getattr(step.primitive, "ufunc", None)
                if ufunc is not None:
                    result = _quick(ufunc, step.slot, size, which, mine, bool(dead))
            if result is None:
                result = step.primitive.batch(size, which, *mine, **dict(step.params))
            values.append(result)
            flags.append(True)
            del mine, result
    outputs = [values[i] for i in program.outputs]
    if seeded:
        with np.errstate(all="ignore"):
            outputs = [out.matrix() if isinstance(out, Block) else out for out in outputs]
    return outputs, [flags[i] for i in program.outputs]


def _quick(ufunc: np.ufunc, slot: Slot, size: int, which: Sequence[bool], args: list[Any], dead: bool) -> Any:
    """Return what a ufunc makes of plain arrays, or None where the primitive's own rule has to look closer.

    An argument that nobody needs any more gives its memory to the result, as in an expression of NumPy's: fresh memory
    for a large array costs more than the arithmetic.
    """
    ndim = len(slot.shape) + 1
    for arg, flag in zip(args, which, strict=True):
        kind = type(arg)
        if kind is np.ndarray:
            if flag and arg.ndim != ndim:
                return None  # samples of fewer axes have to be aligned
        elif kind is not float and kind is not int:
            return None
    if dead:
        shape = (size, *slot.shape)
        for i in range(len(args)):
            buffer = args[i]
            if (
                type(buffer) is np.ndarray
                and buffer.nbytes >= REUSE_BYTES
                and buffer.shape == shape
                and buffer.dtype == slot.dtype
                and buffer.base is None
                and buffer.flags.writeable
                and sys.getrefcount(buffer) == _ONLY_HERE
            ):
                return ufunc(*args, out=buffer)
    return ufunc(*args)


def _count_references() -> int:
    args = [np.zeros(1)]
    buffer = args[0]
    return sys.getrefcount(buffer)


# What the count is for an array that only the list of arguments and a variable hold (it depends on the interpreter).
_ONLY_HERE = _count_references()
