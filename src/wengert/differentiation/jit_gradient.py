"""`grad` and `value_and_grad` for `jit`: a long loop in Python is recognised before its gradient is derived.

Recording a gradient operation by operation takes several times as long as recording the function. Where the function's
recording repeats itself, the repetitions become a loop first, and the gradient of the loop is derived from its
few lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import WengertError
from ..execute.native.build import MISS
from ..execute.native.rolling import LONG, roll
from ..program import Program, trace
from ..recording import depends
from ..tensor import Tensor
from ..transforms.derive import concrete_slot
from ..transforms.reverse import backpropagate
from .gradient import Grad, ValueAndGrad, scalar_output
from .jit_record import Output, Path, only_wide, record

# How many times shorter the recording has to become.
SHORTER = 4


class _Place:
    """Stands for the run-time argument of this number."""

    def __init__(self, number: int) -> None:
        self.number = number


def is_gradient(function: Any) -> bool:
    """Whether a function is what `grad` or `value_and_grad` returns."""
    return type(function) in (Grad, ValueAndGrad) and not function.has_aux


def record_gradient(
    function: ValueAndGrad, rebuild: Callable[[list[Any]], tuple[Any, Any]], leaves: Sequence[Any]
) -> Path:
    """Return the path of a gradient at these arguments; see `jit_record.record`.

    The path of a loop has no value: its code has to be run for it.
    """
    long: list[tuple[Any, bool]] = []

    def ahead(*args: Any, **kwargs: Any) -> Any:
        recorded, single = function._record(args, kwargs)
        if len(recorded.lines) < LONG:
            return function.end(recorded, single)
        long.append((recorded, single))
        return recorded.finish(scalar_output(recorded, function.name))

    path = record(ahead, rebuild, leaves)
    if not long:
        return path
    recorded, single = long[0]
    wanted = _wanted(function, rebuild, leaves)
    derived = _derived(path.program, wanted, type(function) is ValueAndGrad) if wanted else None
    if derived is None:
        return record(function, rebuild, leaves)
    path.program = derived
    model = function._structured(recorded, single, [np.zeros(())] * len(wanted))
    if type(function) is ValueAndGrad:
        model = (np.zeros(()), model)
    placed, path.output_tree = tree.flatten(model)
    forms = [*(out.form for out in path.outputs if type(function) is ValueAndGrad), *("array" for _ in wanted)]
    path.outputs = [Output(i, form, None) for i, form in enumerate(forms)]
    assert len(placed) == len(forms)
    path.value = MISS
    return path


def _wanted(function: ValueAndGrad, rebuild: Any, leaves: Sequence[Any]) -> list[int]:
    """Return the numbers of the leaves that the gradient is by; none if one of them is not an array of real numbers."""
    args, _ = rebuild([_Place(i) for i in range(len(leaves))])
    numbers = function.argnums if isinstance(function.argnums, tuple) else (function.argnums,)
    places, _ = tree.flatten([args[n] for n in numbers])
    if not all(isinstance(place, _Place) for place in places):
        return []
    found = [place.number for place in places]
    simple = all(isinstance(leaves[i], np.ndarray) and leaves[i].dtype.kind == "f" for i in found)
    return found if simple else []


def _derived(program: Program, wanted: Sequence[int], with_value: bool) -> Program | None:
    """Return the Program of (value,) gradients and guards, or None if the given one is no loop."""
    if not only_wide(program):  # numbers that differ from step to step become an array
        return None
    rolled = roll(program)
    if len(rolled.steps) * SHORTER > len(program.steps):
        return None

    def run(*values: Any) -> list[Any]:
        value, *guards = rolled(*values)
        sources = [values[i]._line for i in wanted]
        lines = depends([value._line], sources)
        seed = {value._line: np.ones((), value.dtype)}
        found = backpropagate(lines, seed, sources, Tensor)
        pulled = [found[line] if line in found else np.zeros(line.shape, line.dtype) for line in sources]
        return [*([value] if with_value else ()), *pulled, *guards]

    try:
        return trace(run, [concrete_slot(slot) for slot in program.inputs])
    except WengertError:  # a rule that needs values
        return None
