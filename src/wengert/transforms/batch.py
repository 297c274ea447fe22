"""Batching: run a Program with one more leading axis on some of its values, by each primitive's batch rule.

This is an interpreter over array-likes: with arrays it computes, with abstract tensors it writes the batched
Program, with tracked tensors it records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..program import Program
from ..recording import apply


def run_batched(
    program: Program,
    size: int,
    args: Sequence[Any],
    batched: Sequence[bool],
    captures: Sequence[Any] | None = None,
) -> tuple[list[Any], list[bool]]:
    """Return the outputs and which of them are batched (axis 0, length `size`).

    Flags in `batched` are for the inputs; captures are never batched.
    """
    values: list[Any] = [*args, *(program.captures if captures is None else captures)]
    flags = [*batched, *(False,) * len(program.captures)]
    ends = program.last_uses()
    with np.errstate(all="ignore"):
        for position, step in enumerate(program.steps):
            mine = [values[a] for a in step.args]
            which = [flags[a] for a in step.args]
            params = dict(step.params)
            if any(which):
                values.append(step.primitive.batch(size, which, *mine, **params))
                flags.append(True)
            else:
                values.append(apply(step.primitive, mine, params))
                flags.append(False)
            for dead in ends.get(position, ()):
                values[dead] = None
            del mine
    return [values[i] for i in program.outputs], [flags[i] for i in program.outputs]
