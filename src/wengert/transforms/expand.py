"""Write out the lines of a Program whose primitive is a formula of others, for executors that do not know it.

A derivative such as that of `tanh` is one primitive, so that its own derivative is accurate too; to compute it, the
formula behind it is all there is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives.base import Primitive
from ..program import Program, trace
from ..recording import apply
from .derive import concrete_slot


def expand(program: Program, knows: Callable[[Primitive], bool] = lambda primitive: False) -> Program:
    """Return an equal Program in which primitives with a formula are written out.

    Parameters
    ----------
    program : Program
    knows : callable
        Primitives to leave alone, because there is code for them.

    Notes
    -----
    Its captures may stand in another order, so it is run with its own.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.primitives.slopes import tanh_slope
    >>> from wengert.program import Slot, trace
    >>> program = trace(lambda x: [tanh_slope(x)], [Slot((2,), np.dtype(float))])
    >>> [step.primitive.name for step in expand(program).steps]
    ['cosh', 'divide', 'square']
    """
    if not any(_written_out(step.primitive, knows) for step in program.steps):
        return program

    def run(*inputs: Any) -> list[Any]:
        values: list[Any] = [*inputs, *program.captures]
        with np.errstate(all="ignore"):
            for step in program.steps:
                args = [values[a] for a in step.args]
                if _written_out(step.primitive, knows):
                    values.append(step.primitive.formula(*args))  # type: ignore[attr-defined]
                else:
                    values.append(apply(step.primitive, args, dict(step.params)))
        return [values[i] for i in program.outputs]

    return trace(run, [concrete_slot(slot) for slot in program.inputs])


def _written_out(primitive: Primitive, knows: Callable[[Primitive], bool]) -> bool:
    return getattr(primitive, "formula", None) is not None and not knows(primitive)
