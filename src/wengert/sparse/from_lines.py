"""Dense Jacobians of recorded lines by their structure: what a large, mostly zero dense result costs only its entries.

The linear map of the lines is the one that `derivatives.linear_map` pushes identities through; here its coefficients
are accumulated once for its structure, and each evaluation fills them into a zeroed array.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..derivatives.linear_map import _look_up, structure
from ..program import Program, Slot, trace
from ..recording import Line
from ..tensor import Tensor
from ..transforms.forward import push_forward
from ..transforms.reverse import Arguments, backpropagate
from ..transforms.simplify import simplify
from .assembly import Assembly
from .decide import Structured
from .evaluate import Known
from .structured import accumulate
from .terms import NotStructured

CAPACITY = 32
LONGEST = 2000  # lines
# A structured result may have this share of all entries; a fuller one is cheaper by passes.
FULLEST = 0.2


class Filled:
    """How the dense blocks of one structure are filled in."""

    def __init__(self, evaluator: Structured, width: int) -> None:
        assembly = evaluator.assembly
        rows = np.repeat(np.arange(assembly.shape[0]), np.diff(assembly.indptr))
        self.evaluator = evaluator
        self.places: np.ndarray = rows * width + np.asarray(assembly.indices)

    def blocks(self, values: Sequence[Any], target: Line, sources: Sequence[Line]) -> list[np.ndarray] | None:
        """Return one block per source, or None if index arrays say that the structure is another one."""
        data = self.evaluator.values(values)
        if data is None:
            return None
        height, width = self.evaluator.assembly.shape
        full = np.zeros(height * width, data.dtype)
        full[self.places] = data
        if len(sources) == 1:
            return [full.reshape(target.shape + sources[0].shape)]
        splits = np.cumsum([prod(source.shape) for source in sources])[:-1]
        parts = np.split(full.reshape(height, width), splits, axis=1)
        return [part.reshape(target.shape + source.shape) for part, source in zip(parts, sources, strict=True)]


_known: OrderedDict[Any, Filled | None] = OrderedDict()


def dense_blocks(lines: Sequence[Line], target: Line, sources: Sequence[Line]) -> list[np.ndarray] | None:
    """Return the Jacobian blocks of a target by its sources, or None where pushing an identity is the better way."""
    if len(lines) > LONGEST or any(line.dtype.kind != "f" for line in (target, *sources)):
        return None
    key, values, places = structure(lines, [target], sources, None, "filled")
    if key is None:
        return None
    known = _known.get(key, _ABSENT)
    if known is not _ABSENT:
        _known.move_to_end(key)
        if known is None:
            return None
        found = known.blocks(values, target, sources)
        if found is not None:
            return found
    filled = _known[key] = _plan(lines, target, sources, values, places)
    while len(_known) > CAPACITY:
        _known.popitem(last=False)
    return None if filled is None else filled.blocks(values, target, sources)


_ABSENT: Any = object()


def _plan(
    lines: Sequence[Line], target: Line, sources: Sequence[Line], values: Sequence[Any], places: Any
) -> Filled | None:
    height, width = prod(target.shape), sum(prod(source.shape) for source in sources)
    limit = int(FULLEST * height * width)
    primals = [np.asarray(value) for value in values]
    if any(value.dtype.hasobject for value in primals):
        return None
    for reverse in (False, True):
        linear = _linear(lines, target, sources, values, places, reverse)
        try:
            accumulated = accumulate(linear, len(values), Known(linear, primals), limit)
        except NotStructured:
            continue
        assembly = Assembly(accumulated.entries, (height, width), target.dtype, transposed=reverse)
        return Filled(Structured(accumulated, assembly), width) if assembly.nnz <= limit else None
    return None


def _linear(
    lines: Sequence[Line], target: Line, sources: Sequence[Line], values: Sequence[Any], places: Any, reverse: bool
) -> Program:
    """Return the Program of values and seeds: the pushforward from the sources, or the pullback from the target."""
    starts, ends = ([target], list(sources)) if reverse else (list(sources), [target])
    count = len(values)

    def body(*inputs: Any) -> list[Any]:
        given = dict(zip(starts, inputs[count:], strict=True))

        def arguments(line: Line, _wrapper: type | None) -> tuple[Any, list[Any]]:
            out, args = places[line]
            return _look_up(out, inputs), [_look_up(arg, inputs) for arg in args]

        found = _push(lines, given, ends, arguments, reverse)
        return [found[end] if end in found else np.zeros(end.shape, end.dtype) for end in ends]

    slots = [Slot(np.shape(value), np.asarray(value).dtype) for value in values]
    return simplify(trace(body, [*slots, *(Slot(line.shape, line.dtype) for line in starts)]))


def _push(lines: Sequence[Line], given: Any, ends: Sequence[Line], arguments: Arguments, reverse: bool) -> Any:
    if reverse:
        return backpropagate(lines, given, ends, Tensor, arguments=arguments)
    return push_forward(lines, given, ends, Tensor, arguments)
