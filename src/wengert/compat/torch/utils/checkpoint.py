"""`torch.utils.checkpoint`: values that a gradient needs are computed again instead of being kept.

The function runs once, recorded; then what its lines saved is dropped. The first of them that a backward pass comes
to runs the function again and gives all of them their values back.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from .... import tree
from ....errors import ArgumentError, GraphError, user_line
from ....modes import Recording
from ....recording import AMBIENT, Line, Traced, current, next_sequence, wrap
from .. import creation
from ..graph import Recomputed, saves
from ..missing import missing
from ..tensor import Tensor

__getattr__ = missing("torch.utils.checkpoint")


class CheckpointError(GraphError):
    """What was recomputed is not what was computed the first time."""


class _Frame(Recomputed):
    """One checkpointed call: how to run it again, and the lines that wait for their values."""

    def __init__(self, function: Any, args: Any, kwargs: Any, lines: list[Line], state: Any, check: bool) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.lines = lines
        self.state = state
        self.check = check
        self.shapes = [_signature(line) for line in lines]
        for line in lines:
            line.values = self  # type: ignore[assignment]
            line.out = None

    def restore(self) -> None:
        """Run the function again and give the lines their values."""
        generator = creation.default_generator()
        before, generator.random = generator.random, copy.deepcopy(self.state)
        try:
            with Recording(True):
                start = next_sequence()
                result = self.function(*_fresh(self.args), **_fresh(self.kwargs))
        finally:
            generator.random = before
        lines = _lines_after(start, result)
        if len(lines) != len(self.lines):
            raise CheckpointError(
                f"checkpoint: {len(self.lines)} operations saved values in the forward pass, but {len(lines)} in the "
                "recomputation",
                where=user_line(),
                why="the function took another path the second time",
                hint="make it depend on its arguments only",
            )
        for old, new, signature in zip(self.lines, lines, self.shapes, strict=True):
            if self.check and _signature(new) != signature:
                raise CheckpointError(
                    f"checkpoint: an operation gave {signature} in the forward pass, but {_signature(new)} in the "
                    "recomputation",
                    where=user_line(),
                    hint="determinism_check='none' if that is meant",
                )
            if old.values is self:
                old.values, old.out = new.values, new.out


def _signature(line: Line) -> tuple[Any, ...]:
    return line.primitive.name, line.shape, str(line.dtype)


def _fresh(values: Any) -> Any:
    """Return the arguments as leaves of a new recording."""

    def renew(x: Any) -> Any:
        if not isinstance(x, Traced):
            return x
        made = wrap(Tensor.family, x._data)
        return made.requires_grad_() if x._line is not None else made

    return tree.map_leaves(renew, values)


def _kept(values: Any) -> Any:
    """Return the arguments' values, without their history but with the mark whether they had one."""

    def strip(x: Any) -> Any:
        if not isinstance(x, Traced):
            return x
        made = wrap(Tensor.family, x._data)
        return made.requires_grad_() if getattr(x, "requires_grad", False) else made

    return tree.map_leaves(strip, values)


def _lines_after(start: int, result: Any) -> list[Line]:
    """Return the lines with saved values that were written since, in order."""
    leaves, _ = tree.flatten(result)
    stack = [x._line for x in leaves if isinstance(x, Traced) and x._line is not None]
    seen = {line for line in stack if line.sequence > start}
    stack = list(seen)
    while stack:
        for parent in stack.pop().inputs:
            if parent is not None and parent.sequence > start and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return [
        line
        for line in sorted(seen, key=lambda line: line.sequence)
        if not isinstance(line.values, Recomputed) and saves(line)
    ]


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Any = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Return `function(*args)` without keeping what its gradient needs; that is computed again when asked for.

    Works with `backward`, `torch.autograd.grad` and higher derivatives, and with tensors that the function reads from
    outside. `use_reentrant`, `context_fn`, `debug` and `early_stop` are accepted and change nothing. Inside of another
    function's derivative (`torch.func`, a tape) values are kept.

    Raises
    ------
    CheckpointError
        In the backward pass, if the recomputation does other operations.
    ArgumentError
        If `determinism_check` is unknown.
    """
    if determinism_check not in ("default", "none"):
        raise ArgumentError(f"checkpoint: determinism_check is 'default' or 'none', not {determinism_check!r}")
    if current() is not AMBIENT:
        return function(*args, **kwargs)
    state = copy.deepcopy(creation.default_generator().random)
    kept = _kept(args), _kept(kwargs)
    start = next_sequence()
    result = function(*args, **kwargs)
    lines = _lines_after(start, result)
    if lines:
        _Frame(function, *kept, lines, state, determinism_check == "default")
    return result


def checkpoint_sequential(functions: Sequence[Any], segments: int, input: Any, **options: Any) -> Any:
    """Apply functions one after the other, checkpointed in `segments` pieces."""
    steps = list(functions)
    size = max(1, len(steps) // segments)
    bounds = [*range(0, size * segments, size)][:segments]
    bounds.append(len(steps))

    def run(first: int, last: int) -> Callable[[Any], Any]:
        def call(x: Any) -> Any:
            for step in steps[first:last]:
                x = step(x)
            return x

        return call

    for first, last in pairwise(bounds):
        input = checkpoint(run(first, last), input, **options)
    return input
