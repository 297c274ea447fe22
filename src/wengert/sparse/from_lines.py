"""Dense Jacobians of recorded lines by their structure: what a large, mostly zero dense result costs only its entries.

The linear map of the lines is the one that `differentiation.linear_map` pushes identities through. Here its coefficients
are accumulated, or a few colours are pushed instead of the identity; which was decided once for its structure. Each
evaluation fills the entries into a zeroed array.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from math import prod
from threading import Lock
from typing import Any

import numpy as np

from ..differentiation.linear_map import look_up, structure
from ..errors import TooLarge
from ..program import Program, Slot, trace
from ..recording import Line, Traced
from ..tensor import Tensor
from ..transforms.forward import push_forward
from ..transforms.reverse import Arguments, backpropagate
from ..transforms.simplify import simplify
from .assembly import Assembly
from .colouring import Colouring, colour_columns, colour_rows
from .compressed import Compressed
from .cost import pass_cost
from .decide import Options
from .evaluate import Known
from .numeric import Structured
from .pattern import Rows, dependence, detect
from .structured import accumulate
from .terms import NotStructured

CAPACITY = 32
BYTES = 200_000_000
LONGEST = 2000  # lines
# A structured result may have this share of all entries; a fuller one is cheaper by passes.
FULLEST = 0.2
# Colours have to be this many times cheaper than the identity, entries this many times fewer.
FEWER = 8


class Filled:
    """How the dense blocks of one structure are filled in."""

    def __init__(self, evaluator: Structured | Compressed, shape: tuple[int, int], indptr: Any, indices: Any) -> None:
        rows = np.repeat(np.arange(shape[0]), np.diff(indptr))
        self.evaluator = evaluator
        self.shape = shape
        self.places: np.ndarray = rows * shape[1] + np.asarray(indices)

    @property
    def nbytes(self) -> int:
        """Bytes of the static arrays."""
        return self.places.nbytes + self.evaluator.nbytes

    def blocks(self, values: Sequence[Any], target: Line, sources: Sequence[Line]) -> list[np.ndarray] | None:
        """Return one block per source, or None if index arrays say that the structure is another one."""
        data = self.evaluator.values(values)
        if data is None:
            return None
        full = np.zeros(self.shape[0] * self.shape[1], data.dtype)
        full[self.places] = data
        if len(sources) == 1:
            return [full.reshape(target.shape + sources[0].shape)]
        splits = np.cumsum([prod(source.shape) for source in sources])[:-1]
        parts = np.split(full.reshape(self.shape), splits, axis=1)
        return [part.reshape(target.shape + source.shape) for part, source in zip(parts, sources, strict=True)]


_known: OrderedDict[Any, Filled | None] = OrderedDict()
_lock = Lock()


def dense_blocks(lines: Sequence[Line], target: Line, sources: Sequence[Line]) -> list[np.ndarray] | None:
    """Return the Jacobian blocks of a target by its sources, or None where pushing an identity is the better way."""
    if len(lines) > LONGEST or any(line.dtype.kind != "f" for line in (target, *sources)):
        return None
    key, values, places = structure(lines, [target], sources, None, "filled")
    if key is None:
        return None
    with _lock:
        known = _known.get(key, _ABSENT)
        if known is not _ABSENT:
            _known.move_to_end(key)
    if known is None:
        return None
    if known is not _ABSENT:
        found = known.blocks(values, target, sources)
        if found is not None:
            return found
    filled = _plan(lines, target, sources, values, places)
    with _lock:
        _known[key] = filled
        taken = sum(other.nbytes for other in _known.values() if other is not None)
        while len(_known) > 1 and (len(_known) > CAPACITY or taken > BYTES):
            _, dropped = _known.popitem(last=False)
            taken -= 0 if dropped is None else dropped.nbytes
    return None if filled is None else filled.blocks(values, target, sources)


_ABSENT: Any = object()


def _plan(
    lines: Sequence[Line], target: Line, sources: Sequence[Line], values: Sequence[Any], places: Any
) -> Filled | None:
    shape = prod(target.shape), sum(prod(source.shape) for source in sources)
    limit = int(FULLEST * prod(shape))
    # The results of a primitive with several stay tuples.
    primals = [value if isinstance(value, tuple) else np.asarray(value) for value in values]
    if any(isinstance(value, np.ndarray) and value.dtype.hasobject for value in primals):
        return None
    linear = [_linear(lines, target, sources, values, places, reverse) for reverse in (False, True)]
    for reverse in (False, True):
        try:
            accumulated = accumulate(linear[reverse], len(values), Known(linear[reverse], primals), limit)
        except NotStructured:
            continue
        assembly = Assembly(accumulated.entries, shape, target.dtype, transposed=reverse)
        if assembly.nnz > limit:
            return None
        return Filled(Structured(accumulated, assembly), shape, assembly.indptr, assembly.indices)
    return _coloured(linear, primals, shape)


def _coloured(linear: Sequence[Program], primals: Sequence[Any], shape: tuple[int, int]) -> Filled | None:
    """Return how to fill in the blocks from a few passes, if the pattern needs far fewer than the identity has."""
    count = len(primals)
    dense = min(pass_cost(linear[False], count, shape[1]), pass_cost(linear[True], count, shape[0]))
    try:
        pattern, indexed = detect(linear[False], count, Known(linear[False], primals), limit=prod(shape) // FEWER)
    except TooLarge:
        return None
    if indexed or pattern.nnz * FEWER > prod(shape):
        return None
    fullest = {False: np.diff(pattern.indptr), True: np.bincount(pattern.indices, minlength=1)}
    least = {r: pass_cost(linear[r], count, int(full.max(initial=0))) for r, full in fullest.items()}
    reverse = least[True] < least[False]
    if least[reverse] * FEWER > dense:
        return None
    colours = colour_rows(pattern) if reverse else colour_columns(pattern)
    if pass_cost(linear[reverse], count, int(colours.max(initial=-1)) + 1) * FEWER > dense:
        return None
    colouring = Colouring(rows=colours) if reverse else Colouring(colours)
    evaluator = Compressed(pattern, colouring, linear[False], linear[True], count, Options.max_bytes)
    return Filled(evaluator, shape, pattern.indptr, pattern.indices)


def dependence_of_lines(lines: Sequence[Line], target: Line, source: Line, groups: np.ndarray) -> Rows:
    """Return which groups of the source's elements each element of the target depends on."""
    _, values, places = structure(lines, [target], [source], Tensor, "")
    linear = _linear(lines, target, [source], values, places, False)
    data = [v._data if isinstance(v, Traced) and v._data is not None else v for v in values]
    (rows,), _ = dependence(linear, len(values), Known(linear, data), [groups])
    return rows


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
            return look_up(out, inputs), [look_up(arg, inputs) for arg in args]

        found = _push(lines, given, ends, arguments, reverse)
        return [found[end] if end in found else np.zeros(end.shape, end.dtype) for end in ends]

    return simplify(trace(body, [*map(Slot.of, values), *(Slot(line.shape, line.dtype) for line in starts)]))


def _push(lines: Sequence[Line], given: Any, ends: Sequence[Line], arguments: Arguments, reverse: bool) -> Any:
    if reverse:
        return backpropagate(lines, given, ends, Tensor, arguments=arguments)
    return push_forward(lines, given, ends, Tensor, arguments)
