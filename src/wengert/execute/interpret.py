"""Run a Program line by line. With tensors among the values, what runs is recorded as usual.

With plain arrays the Program is turned into one Python function once, which frees each value after its last use; one
that runs often becomes machine code (see `native.hot`).
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..recording import Traced, apply
from .native.hot import Runner

if TYPE_CHECKING:
    from ..program import Program


def run(program: Program, args: Sequence[Any], captures: Sequence[Any]) -> tuple[Any, ...]:
    """Return the outputs for these inputs and captured values."""
    values = [*args, *captures]
    for value in values:
        if isinstance(value, Traced):
            return _run_traced(program, values)
    runner = program._runner
    if runner is None:
        runner = program._runner = Runner()
    elif runner.builtin is not None:
        found = runner.call(values)
        if found is not None:
            return found
    function = program._compiled
    if function is None:
        function = program._compiled = compile_numpy(program)
    start = perf_counter()
    with np.errstate(all="ignore"):
        result = function(*values)
    if not runner.closed:
        runner.note(program, values, perf_counter() - start)
    return result


def _run_traced(program: Program, values: list[Any]) -> tuple[Any, ...]:
    last = program.last_uses()
    with np.errstate(all="ignore"):
        for position, step in enumerate(program.steps):
            values.append(apply(step.primitive, [values[a] for a in step.args], dict(step.params)))
            for dead in last.get(position, ()):
                values[dead] = None
    return tuple(values[i] for i in program.outputs)


# Operators give what the functions give, in a quarter of the time where both sides are single numbers.
OPERATORS = {"add": " + ", "subtract": " - ", "multiply": " * "}


def _is_plain_number(program: Program, step: Any) -> bool:
    """Whether a line adds or multiplies single floating numbers, one of which may be a Python number."""
    slots = [step.slot, *(program.slot(a) for a in step.args)]
    return step.primitive.name in OPERATORS and all(
        slot.shape == ()
        and not isinstance(slot.dtype, tuple)
        and (slot.dtype is int or np.dtype(slot.dtype).kind == "f")
        for slot in slots
    )


def compile_numpy(program: Program) -> Any:
    """Return one Python function of inputs and captures that calls each primitive's NumPy function in turn."""
    count = len(program.inputs) + len(program.captures)
    names = [f"v{i}" for i in range(count + len(program.steps))]
    last = program.last_uses()
    scope: dict[str, Any] = {}
    rows = [f"def program({', '.join(names[:count])}):"]
    for position, step in enumerate(program.steps):
        function = f"f{position}"
        dead = last.get(position, ())
        if any(a >= count for a in step.args) and _is_plain_number(program, step):
            operator = OPERATORS[step.primitive.name]
            rows.append(f"    {names[count + position]} = {operator.join(names[a] for a in step.args)}")
            continue
        # A value that nobody reads again may be written to, if it turns out that nothing else shares its memory.
        writable = step.args and step.args[0] >= count and step.args[0] in dead and step.args.count(step.args[0]) == 1
        scope[function] = (writable and step.primitive.overwrite) or step.primitive.evaluate
        args = [names[a] for a in step.args]
        for key, value in step.params:
            constant = f"p{position}_{key}"
            scope[constant] = value
            args.append(f"{key}={constant}")
        rows.append(f"    {names[count + position]} = {function}({', '.join(args)})")
        gone = [names[i] for i in dead if i >= count]
        if gone:
            rows.append(f"    del {', '.join(gone)}")
    rows.append(f"    return ({''.join(names[i] + ', ' for i in program.outputs)})")
    exec(compile("\n".join(rows), "<wengert program>", "exec"), scope)
    return scope.pop("program")  # else function and scope would hold each other
