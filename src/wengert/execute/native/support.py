"""Which steps can be lowered to loops, and whose elements can be computed where they are read."""

from __future__ import annotations

import numpy as np

from ...program import Program, Step
from . import control, scalars
from .ir import kind_of
from .items import size_of
from .pull import JOINS, VIEWS

MANY_PIECES = 8
SEQUENTIAL = frozenset({"cumsum", "cumprod", "cummax", "cummin", "running_max_index", "argmax", "argmin"})
_CONTROL = {
    "scan": control.supports_scan,
    "cond": control.supports_branches,
    "while": control.supports_while,
}


def inlines(program: Program, step: Step) -> bool:
    """Whether a step's elements can be computed where they are read."""
    name = step.primitive.name
    if step.primitive.family == "elementwise" or name in VIEWS or name in ("unit_seeds", "pick"):
        return True
    if name in ("concatenate", "stack"):
        return len(step.args) <= MANY_PIECES
    if name in ("index_add", "index_set"):
        if len(step.args) > (1 if name == "index_add" else 2):
            return False
        return all(not isinstance(part, tuple) or part[2] in (None, 1, -1) for part in dict(step.params)["spec"])
    return False


def supported(program: Program, step: Step) -> bool:
    """Whether a step can be lowered to loops."""
    name = step.primitive.name
    if name in _CONTROL:
        return _CONTROL[name](program, step)
    if name == "pick":
        source = step.args[0] - len(program.inputs) - len(program.captures)
        return source >= 0 and supported(program, program.steps[source])
    if isinstance(step.slot.dtype, tuple) or kind_of(step.slot.dtype) is None:
        return False
    slots = [program.slot(a) for a in step.args]
    if any(isinstance(slot.dtype, tuple) or kind_of(slot.dtype) is None for slot in slots):
        return False
    if step.primitive.family == "elementwise":
        dtypes = tuple(slot.dtype for slot in slots)
        return scalars.loop_kinds(name, dtypes, step.slot.dtype, step.params) is not None
    if name in VIEWS or name in JOINS or name in ("contract", "unit_seeds"):
        return True
    if name in scalars.REDUCTIONS:
        codes = {np.dtype(slot.dtype).kind for slot in (step.slot, slots[0])}
        if name in ("max", "min", "prod") and "c" in codes:
            return False
        if name in ("max", "min"):
            return size_of(slots[0].shape) > 0 or size_of(step.slot.shape) == 0
        return True
    if name in SEQUENTIAL:
        return np.dtype(slots[0].dtype).kind in "fiu" and size_of(slots[0].shape) > 0
    return False
