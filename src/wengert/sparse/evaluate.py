"""The values of single lines of a Program at one point, worked out only for the lines that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..program import Program, trace
from ..recording import apply


class Known:
    """A Program's values by number, at given inputs.

    Parameters
    ----------
    program : Program
    inputs : sequence
        Values of its first inputs; lines that depend on the others cannot be asked for.
    """

    def __init__(self, program: Program, inputs: Sequence[Any]) -> None:
        self.program = program
        n = len(program.inputs)
        self.values: dict[int, Any] = dict(enumerate(inputs))
        self.values.update({n + i: value for i, value in enumerate(program.captures)})
        self._first = n + len(program.captures)

    def __call__(self, number: int) -> Any:
        """Return the value of that number. No recursion: chains may be long."""
        stack = [number]
        steps = self.program.steps
        while stack:
            top = stack[-1]
            if top in self.values:
                stack.pop()
                continue
            step = steps[top - self._first]
            missing = [a for a in step.args if a not in self.values]
            if missing:
                stack.extend(missing)
                continue
            with np.errstate(all="ignore"):
                self.values[top] = apply(step.primitive, [self.values[a] for a in step.args], dict(step.params))
            stack.pop()
        return self.values[number]


def part_of(program: Program, inputs: int, numbers: Sequence[int]) -> Program:
    """Return the Program of some of a Program's values, which depend on its first `inputs` inputs only."""

    def body(*values: Any) -> list[Any]:
        known = Known(program, values)
        return [known(number) for number in numbers]

    return trace(body, program.inputs[:inputs])
