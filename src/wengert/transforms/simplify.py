"""Simplify a Program: drop dead lines, merge common subexpressions, compute what depends on constants only.

The result computes the same numbers, bit for bit: nothing is re-associated. Its inputs and outputs are the same;
its captures may be fewer or others, so it is run with its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..program import Program, Step
from ..recording import Traced, apply

# A constant is computed ahead only if that does not blow the Program up: a small file may build a large array.
FOLD_BYTES = 1 << 16
# Captured values up to this size are compared by content, larger ones by identity.
COMPARE_BYTES = 1 << 10


def simplify(program: Program, *, fold: bool = True) -> Program:
    """Return an equal Program with no dead line, no line twice and no line that only reads constants.

    Parameters
    ----------
    program : Program
    fold : bool
        Whether captured arrays are constants, so that what only depends on them is computed now. Captured tensors
        that an enclosing derivative tracks are never folded.

    Notes
    -----
    Cost: linear in the number of lines; each folded line is evaluated once.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.program import Slot, trace
    >>> program = trace(lambda x: [np.sin(x) + np.sin(x), (x * 2, x)[1]], [Slot((3,), np.dtype(float))])
    >>> len(program.steps), len(simplify(program).steps)
    (3, 2)
    """
    merged = _merge(program, fold)
    return _drop_dead(merged)


def _merge(program: Program, fold: bool) -> Program:
    n = len(program.inputs)
    captures: list[Any] = []
    capture_numbers: dict[Any, int] = {}
    keep_alive: list[Any] = []

    def capture(value: Any) -> tuple[str, int]:
        key = _identity(value)
        keep_alive.append(value)
        if key not in capture_numbers:
            capture_numbers[key] = len(captures)
            captures.append(value)
        return ("capture", capture_numbers[key])

    # References are inputs (ints), captures or steps (tagged pairs): capture numbers are known only at the end.
    refs: list[Any] = [("input", i) for i in range(n)]
    refs.extend(capture(value) for value in program.captures)
    steps: list[tuple[Any, tuple[Any, ...], Any, Any]] = []
    known: dict[Any, Any] = {}
    for step in program.steps:
        args = tuple(refs[a] for a in step.args)
        if _passes_on(step, program, args, n, captures):
            refs.append(args[0])
            continue
        if fold and args and all(ref[0] == "capture" for ref in args):
            value = _folded(step, [captures[i] for _, i in args])
            if value is not None:
                refs.append(capture(value))
                continue
        key = (step.primitive.name, args, step.params, tuple(map(_kinds, step.params)))
        if key not in known:
            known[key] = ("step", len(steps))
            steps.append((step.primitive, args, step.params, step.slot))
        refs.append(known[key])
    first = n + len(captures)

    def number(ref: tuple[str, int]) -> int:
        kind, i = ref
        return i if kind == "input" else n + i if kind == "capture" else first + i

    return Program(
        program.inputs,
        captures,
        [Step(primitive, tuple(map(number, args)), params, slot) for primitive, args, params, slot in steps],
        [number(refs[i]) for i in program.outputs],
    )


def _kinds(value: Any) -> Any:
    """Types of plain data: True, 1 and 1.0 are equal but not the same setting."""
    return tuple(map(_kinds, value)) if isinstance(value, tuple) else type(value)


def _identity(value: Any) -> Any:
    if isinstance(value, Traced):
        return ("line", id(value._line)) if value._line is not None else ("tensor", id(value._data))
    array = np.asarray(value)
    if array.nbytes <= COMPARE_BYTES and array.dtype != object:
        return (type(value), array.shape, array.dtype.str, array.tobytes())
    return id(value)


def _passes_on(step: Step, program: Program, args: Sequence[Any], n: int, captures: Sequence[Any]) -> bool:
    """Whether the line's result is its first argument, unchanged."""
    name, params = step.primitive.name, dict(step.params)
    if name not in ("alias", "reshape", "broadcast_to", "cast", "transpose"):
        return False
    source = program.slot(step.args[0])
    if isinstance(source.dtype, type) or source.shape != step.slot.shape or source.dtype != step.slot.dtype:
        return False
    return name != "transpose" or params["axes"] == tuple(range(len(source.shape)))


def _folded(step: Step, values: Sequence[Any]) -> Any:
    if any(isinstance(value, Traced) and value._line is not None for value in values):
        return None
    plain = [value._data if isinstance(value, Traced) else value for value in values]
    largest = max([FOLD_BYTES, *(np.asarray(value).nbytes for value in plain if type(value) is not tuple)])
    if isinstance(step.slot.dtype, tuple):
        return None
    if int(np.prod(step.slot.shape, dtype=np.int64)) * np.dtype(step.slot.dtype).itemsize > largest:
        return None
    with np.errstate(all="ignore"):
        return apply(step.primitive, plain, dict(step.params))


def _drop_dead(program: Program) -> Program:
    n, m = len(program.inputs), len(program.captures)
    needed = set(program.outputs)
    for position in range(len(program.steps) - 1, -1, -1):
        if n + m + position in needed:
            needed.update(program.steps[position].args)
    kept_captures = [i for i in range(m) if n + i in needed]
    kept_steps = [i for i in range(len(program.steps)) if n + m + i in needed]
    numbers = {i: i for i in range(n)}
    numbers.update({n + old: n + new for new, old in enumerate(kept_captures)})
    first = n + len(kept_captures)
    numbers.update({n + m + old: first + new for new, old in enumerate(kept_steps)})
    return Program(
        program.inputs,
        [program.captures[i] for i in kept_captures],
        [
            Step(step.primitive, tuple(numbers[a] for a in step.args), step.params, step.slot)
            for step in (program.steps[i] for i in kept_steps)
        ],
        [numbers[i] for i in program.outputs],
    )
