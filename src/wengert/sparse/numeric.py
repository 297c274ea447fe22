"""The numeric phase of structured accumulation: a Program of coefficients, then static stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..execute.interpret import run as run_program
from ..primitives.elementwise import multiply
from ..primitives.pointwise import has_nan, scale
from ..program import Program, Step
from ..transforms.simplify import simplify
from .assembly import Assembly
from .structured import Accumulated
from .together import columns_together


class Structured:
    """The values by a Program of coefficients and static stores.

    The quick Program multiplies; the careful one lets 0 times infinity be 0. They differ only where a NaN comes out, so
    the quick one runs first.
    """

    def __init__(self, accumulated: Accumulated, assembly: Assembly) -> None:
        careful = simplify(accumulated.program)
        self.careful = careful
        self.quick = columns_together(_without_care(careful))
        self.cares = any(step.primitive is scale for step in careful.steps)
        self.assembly = assembly
        self.guards = accumulated.guards
        self.count = len(careful.outputs) - len(self.guards)

    @property
    def nbytes(self) -> int:
        """Bytes of the static arrays."""
        assembly = self.assembly
        stores = [x for s in assembly.stores for x in (s.places, s.select) if isinstance(x, np.ndarray)]
        return assembly.template.nbytes + sum(array.nbytes for array in stores)

    def values(self, inputs: Sequence[Any]) -> np.ndarray | None:
        """Return the entries, or None where the index arrays differ."""
        outs = run_program(self.quick, inputs, self.quick.captures)
        if self.guards and not all(map(np.array_equal, outs[self.count :], self.guards)):
            return None
        data = self.assembly.values(outs)
        if self.cares:
            # The coefficients are fewer numbers than the entries, but for small results one look is quicker.
            if any(map(has_nan, map(np.asarray, outs[: self.count])) if len(data) > 4096 else [has_nan(data)]):
                return self.assembly.values(self.careful(*inputs))
        return data


def _without_care(program: Program) -> Program:
    if not any(step.primitive is scale for step in program.steps):
        return program
    steps = [
        Step(multiply if step.primitive is scale else step.primitive, step.args, step.params, step.slot)
        for step in program.steps
    ]
    return Program(program.inputs, program.captures, steps, program.outputs)
