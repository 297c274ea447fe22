"""The derivative of recorded lines as a linear map of a block of seeds.

A pullback or pushforward is traced once into a Program of the seeds and of the values the rules read. The first time a
structure is met, the Program captures these values and is run by the batch rules at once; from the second time on, a
batched Program of seeds and values is kept under the structure's key, so that a Newton or ODE loop in plain code pays
once. Keys hold primitives, settings, shapes, dtypes and wiring, never array values.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..execute.interpret import run
from ..program import Program, Slot, freeze, trace
from ..recording import Line, Traced
from ..tensor import Tensor
from ..transforms.batch import run_batched
from ..transforms.forward import push_forward
from ..transforms.reverse import Arguments, arguments_of, backpropagate
from ..transforms.units import Units

LONGEST = 2000  # lines; longer recordings are not keyed
CAPACITY = 256
HEAVIEST = 4_000_000  # bytes of constants that a kept Program may hold


class Memo:
    """The Programs of structures seen lately; `None` stands for a structure seen once."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Any, Program | None] = OrderedDict()

    def find(self, key: Any) -> tuple[bool, Program | None]:
        """Return whether the structure was seen before, and its Program if there is one."""
        entry = self._entries.get(key, _ABSENT)
        if entry is _ABSENT:
            self.keep(key, None)
            return False, None
        return True, entry

    def keep(self, key: Any, program: Program | None) -> None:
        """Remember a structure; the oldest ones are forgotten."""
        self._entries[key] = program
        while len(self._entries) > CAPACITY:
            try:
                self._entries.popitem(last=False)
            except KeyError:  # another thread was quicker
                break


_ABSENT: Any = object()
_memo = Memo()


def push_block(
    lines: Sequence[Line],
    starts: Sequence[Line],
    ends: Sequence[Line],
    seeds: Sequence[Any],
    wrapper: type | None,
    reverse: bool,
) -> list[Any]:
    """Push a block of seeds from `starts` to `ends`; every seed and result has one leading axis of the block's size.

    A block may be `Units`, which are part of the kept Program instead of an argument of it.

    In reverse mode the starts are targets and the ends are sources; in forward mode the other way round. An end that
    nothing reaches gets zeros.
    """
    size = len(seeds[0])
    linear = _linear_map(lines, starts, ends, reverse)
    single = [Slot(line.shape, line.dtype) for line in starts]
    key = values = places = None
    if len(lines) <= LONGEST:
        units = tuple(seed.key if isinstance(seed, Units) else None for seed in seeds)
        key, values, places = structure(lines, starts, ends, wrapper, (size, reverse, units))
    if key is not None and values is not None and places is not None:
        seen, program = _memo.find(key)
        if seen:
            if program is None:
                program = _general_program(linear, single, values, places, size, seeds)
                if sum(np.asarray(value).nbytes for value in program.captures) <= HEAVIEST:
                    _memo.keep(key, program)
            given = [seed for seed in seeds if not isinstance(seed, Units)]
            return _own(program, run(program, [*given, *values], program.captures))
    program = trace(lambda *s: linear(arguments_of, s), single)
    outs, flags = run_batched(program, size, seeds, [True] * len(seeds))
    return [_spread(out, flag, size) for out, flag in zip(outs, flags, strict=True)]


def _own(program: Program, outs: Sequence[Any]) -> list[Any]:
    """Return the results, copied where they are constants of a kept Program: the caller may write into them."""
    first = len(program.inputs)
    kept = range(first, first + len(program.captures))
    return [np.array(out) if i in kept else out for i, out in zip(program.outputs, outs, strict=True)]


def pusher(
    lines: Sequence[Line], starts: Sequence[Line], ends: Sequence[Line], reverse: bool
) -> Callable[..., list[Any]]:
    """Return a `push_block` for many blocks from the same starts to the same ends: traced once, not kept."""
    linear = _linear_map(lines, starts, ends, reverse)
    program = trace(lambda *s: linear(arguments_of, s), [Slot(line.shape, line.dtype) for line in starts])

    def push(_lines: Any, _starts: Any, _ends: Any, seeds: Sequence[Any], _wrapper: Any, reverse: bool) -> list[Any]:
        size = len(seeds[0])
        outs, flags = run_batched(program, size, seeds, [True] * len(seeds))
        return [_spread(out, flag, size) for out, flag in zip(outs, flags, strict=True)]

    return push


def _linear_map(
    lines: Sequence[Line], starts: Sequence[Line], ends: Sequence[Line], reverse: bool
) -> Callable[..., list[Any]]:
    def linear(arguments: Arguments, seeds: Sequence[Any]) -> list[Any]:
        given = dict(zip(starts, seeds, strict=True))
        found = (
            backpropagate(lines, given, ends, Tensor, arguments=arguments)
            if reverse
            else push_forward(lines, given, ends, Tensor, arguments)
        )
        return [found[end] if end in found else np.zeros(end.shape, end.dtype) for end in ends]

    return linear


def _spread(out: Any, flag: bool, size: int) -> Any:
    return out if flag else np.broadcast_to(out, (size, *out.shape))


def _general_program(
    linear: Any, single: Sequence[Slot], values: Sequence[Any], places: Any, size: int, seeds: Sequence[Any]
) -> Program:
    """Trace the linear map with its seeds and the values of the lines as inputs, then batch it over the seeds."""
    count = len(single)
    slots = [Slot.of(value) for value in values]

    def unbatched(*inputs: Any) -> list[Any]:
        seeds, given = inputs[:count], inputs[count:]

        def arguments(line: Line, _wrapper: type | None) -> tuple[Any, list[Any]]:
            out, args = places[line]
            return look_up(out, given), [look_up(arg, given) for arg in args]

        return linear(arguments, seeds)

    program = trace(unbatched, [*single, *slots])

    def batched(*inputs: Any) -> list[Any]:
        remaining = iter(inputs)
        blocks = [seed if isinstance(seed, Units) else next(remaining) for seed in seeds]
        flags = [True] * count + [False] * len(slots)
        outs, which = run_batched(program, size, [*blocks, *remaining], flags)
        return [_spread(out, flag, size) for out, flag in zip(outs, which, strict=True)]

    wide = [
        Slot((size, *slot.shape), slot.dtype)
        for slot, seed in zip(single, seeds, strict=True)
        if not isinstance(seed, Units)
    ]
    return trace(batched, [*wide, *slots])


class _Place:
    """The position of a value in the list that the Program takes."""

    __slots__ = ("position",)

    def __init__(self, position: int) -> None:
        self.position = position


def look_up(ref: Any, values: Sequence[Any]) -> Any:
    """Return the value that a reference of the structure stands for."""
    return values[ref.position] if type(ref) is _Place else ref


def structure(
    lines: Sequence[Line], starts: Sequence[Line], ends: Sequence[Line], wrapper: type | None, extra: Any
) -> tuple[Any, list[Any], dict[Line, Any]]:
    """Return the structural key of recorded lines, the values their rules read, and where each is used.

    Returns (None, ...) where a setting cannot be part of a key.
    """
    number: dict[Line, int] = {}
    known: dict[int, int] = {}
    values: list[Any] = []
    places: dict[Line, Any] = {}
    key: list[Any] = [extra, len(starts)]

    def refer(value: Any, arg_key: list[Any], bake: bool) -> Any:
        if value is None or isinstance(value, Line):
            arg_key.append(None)
            return value
        if isinstance(value, bool | int) or (bake and isinstance(value, float | complex)):
            arg_key.append(("is", type(value), value))
            return value
        position = known.get(id(value))
        if position is None:
            position = known[id(value)] = len(values)
            values.append(value)
            arg_key.append((position, _slot_key(value)))
        else:
            arg_key.append(position)
        return _Place(position)

    try:
        for i, line in enumerate(lines):
            primitive = line.primitive
            number[line] = i
            if primitive is None:
                key.append((line.shape, line.dtype))
                continue
            out, args = arguments_of(line, wrapper)
            wiring = tuple([number.get(parent, -1) if parent is not None else -1 for parent in line.inputs])
            arg_key: list[Any] = []
            bake = primitive.name == "power"
            refs = [refer(arg, arg_key, bake) for arg in args]
            places[line] = (refer(out, arg_key, False), refs)
            params = freeze(line.params) if line.params else ()
            unused = tuple([parent.shape if parent is not None else None for parent in line.inputs])
            key.append((primitive, wiring, params, tuple(arg_key), line.shape, line.dtype, unused))
        full = (tuple(key), tuple(map(number.__getitem__, starts)), tuple(map(number.__getitem__, ends)))
        hash(full)
    except (TypeError, KeyError):
        return None, values, places
    return full, values, places


def _slot_key(value: Any) -> Any:
    data = value._data if isinstance(value, Traced) else value
    if type(data) is tuple:  # the results of a primitive with several
        return tuple(map(_slot_key, data))
    if isinstance(value, np.ndarray | np.generic):
        return value.shape, value.dtype
    if isinstance(value, Traced):
        return value.shape, value.dtype  # type: ignore[attr-defined]
    return type(value)
