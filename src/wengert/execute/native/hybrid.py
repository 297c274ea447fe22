"""Programs that native code can do only in part: native segments with NumPy calls between them.

`compile_any` is what callers use: machine code for the whole Program where that is possible, segments otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...program import Program, Slot, Step
from .build import MISS, PINNED_BYTES, Compiled, NoLowering
from .contexts import Argument, Result, Watch
from .ir import kind_of
from .prepare import prepare
from .rolling import roll
from .schedule import supported

# A run of fewer native steps than this is not worth a call of its own.
SHORTEST = 2
# Longer Programs, if they are no loops, would take longer to compile than they are worth.
LONGEST = 8000


def compile_any(
    program: Program,
    arguments: Sequence[Argument],
    results: Sequence[Result],
    structure: str,
    name: str,
    watches: Sequence[Watch] = (),
) -> Compiled | Hybrid:
    """Compile a Program as far as it goes. `watches` are what the code can be told to check before it runs.

    Raises
    ------
    NoLowering
        If no part of it has native code.
    """
    program = prepare(program)
    rolled = roll(program)
    if rolled is not program:
        program = prepare(rolled)
    if len(program.steps) > LONGEST:
        raise NoLowering(f"it has {len(program.steps)} operations, and they do not repeat")
    try:
        return Compiled(program, arguments, results, structure, baked=constants(program), name=name, watches=watches)
    except NoLowering as problem:
        return Hybrid(program, results, structure, name, str(problem))


def constants(program: Program) -> dict[int, Any]:
    """Return the captures that become part of the code: numbers, and small arrays of integers that are indices."""
    count = len(program.inputs)
    indices = {
        a
        for step in program.steps
        if step.primitive.name in ("index", "index_add", "index_set")
        for a in step.args[2 if step.primitive.name == "index_set" else 1 :]
    }
    found: dict[int, Any] = {}
    for i, value in enumerate(program.captures):
        is_index = isinstance(value, np.ndarray) and count + i in indices and value.dtype.kind in "iu"
        if isinstance(value, bool | int | float | complex | np.generic) or (is_index and value.nbytes <= PINNED_BYTES):
            found[i] = value
    return found


class Segment:
    """A stretch of a Program: native code, or one NumPy call."""

    __slots__ = ("args", "compiled", "numpy", "results", "step")

    def __init__(self, args: list[int], results: list[int]) -> None:
        self.args = args
        self.results = results
        self.compiled: Compiled | None = None
        self.numpy: Program | None = None
        self.step: Step | None = None


class Hybrid:
    """A Program in segments.

    Attributes
    ----------
    direct : callable
        Takes the arguments; returns the results, or MISS where a guard failed.
    segments : list of Segment
    reason : str
        Why the whole is not native.
    """

    def __init__(self, program: Program, results: Sequence[Result], structure: str, name: str, reason: str) -> None:
        self.program = program
        self.results = list(results)
        self.structure = structure
        self.reason = reason
        self.segments = self._split(name)
        if not any(segment.compiled is not None for segment in self.segments):
            raise NoLowering(reason)
        self._last = self._last_uses()

    @property
    def direct(self) -> Any:
        """The callable."""
        return self.run

    # ------------------------------------------------------------ making

    def _split(self, name: str) -> list[Segment]:
        program = self.program
        first = len(program.inputs) + len(program.captures)
        level = [0] * first
        native = [supported(program, step) for step in program.steps]
        for step, is_native in zip(program.steps, native, strict=True):
            # a NumPy step ends its level; what is native runs as early as it can
            above = max((level[a] + (a >= first and not native[a - first] and is_native) for a in step.args), default=0)
            below = max((level[a] + (a >= first and native[a - first]) for a in step.args), default=0)
            level.append(above if is_native else below)
        segments = []
        for k in range(max(level, default=0) + 1):
            mine = [i for i, step in enumerate(program.steps) if level[first + i] == k]
            inside = [i for i in mine if native[i]]
            if len(inside) >= SHORTEST:
                try:
                    segments.append(self._native(inside, first, f"{name}_{k}"))
                    inside = []
                except NoLowering:
                    pass
            alone = sorted([*inside, *(i for i in mine if not native[i])])
            for i in alone:
                step = program.steps[i]
                segment = Segment(list(step.args), [first + i])
                segment.step = step
                segments.append(segment)
        return segments

    def _native(self, positions: list[int], first: int, name: str) -> Segment:
        program = self.program
        inside = {first + i for i in positions}
        reads: dict[int, None] = {}
        for i in positions:
            for a in program.steps[i].args:
                if a not in inside:
                    reads.setdefault(a)
        used = set(program.outputs)
        for i, step in enumerate(program.steps):
            if first + i not in inside:
                used.update(step.args)
        outputs = [v for v in sorted(inside) if v in used]
        count = len(program.inputs)
        scalars = [
            v
            for v in reads
            if count <= v < first and isinstance(program.captures[v - count], bool | int | float | complex)
        ]
        inputs = [v for v in reads if v not in scalars]
        numbers = {v: k for k, v in enumerate([*inputs, *scalars])}
        numbers.update({first + i: len(numbers) + k for k, i in enumerate(positions)})
        steps = [
            Step(step.primitive, tuple(numbers[a] for a in step.args), step.params, step.slot)
            for step in (program.steps[i] for i in positions)
        ]
        slots = [Slot(program.slot(v).shape, np.dtype(program.slot(v).dtype)) for v in inputs]
        captures = [program.captures[v - count] for v in scalars]
        part = Program(slots, captures, steps, [numbers[v] for v in outputs])
        arguments = [Argument("array", slot.shape, slot.dtype) for slot in slots]
        results = [Result("array", slot.shape, slot.dtype) for slot in part.output_slots]
        segment = Segment(inputs, outputs)
        segment.compiled = Compiled(part, arguments, results, "tuple", baked=constants(part), name=name)
        segment.numpy = part
        return segment

    def _last_uses(self) -> dict[int, list[int]]:
        last: dict[int, int] = {}
        for position, segment in enumerate(self.segments):
            for v in (*segment.args, *segment.results):
                last[v] = position
        for v in self.program.outputs:
            last.pop(v, None)
        ends: dict[int, list[int]] = {}
        for v, position in last.items():
            ends.setdefault(position, []).append(v)
        return ends

    # ------------------------------------------------------------ running

    def run(self, *args: Any) -> Any:
        """Run all segments in turn."""
        values: dict[int, Any] = dict(enumerate((*args, *self.program.captures)))
        with np.errstate(all="ignore"):
            for position, segment in enumerate(self.segments):
                if segment.compiled is None:
                    step = segment.step
                    assert step is not None
                    result = step.primitive.evaluate(*(values[v] for v in segment.args), **dict(step.params))
                    values[segment.results[0]] = result
                else:
                    given = [as_plain(values[v]) for v in segment.args]
                    found = segment.compiled.direct(*given)
                    if found is MISS:  # an index out of bounds: NumPy says it in its own words
                        assert segment.numpy is not None
                        found = segment.numpy(*given)
                    for v, result in zip(segment.results, found, strict=True):
                        values[v] = result
                for v in self._last.get(position, ()):
                    values.pop(v, None)
        final: list[Any] = []
        taken = {id(value) for value in (*args, *self.program.captures)}
        for v, result in zip(self.program.outputs, self.results, strict=True):
            value = np.asarray(values[v])
            if result.form == "guard":
                if value.tobytes() != result.expected:
                    return MISS
            elif result.form == "generic":
                final.append(value[()])
            else:  # results share memory with nothing
                final.append(np.array(value) if id(value) in taken or value.base is not None else value)
                taken.add(id(value))
        return final[0] if self.structure == "one" else tuple(final) if self.structure == "tuple" else final


def as_plain(value: Any) -> np.ndarray:
    """Return an array exactly as the builtins take it: native, aligned, C-contiguous, with NumPy's own dtype object."""
    if type(value) is np.ndarray:
        flags = value.flags
        if flags.c_contiguous and flags.aligned and value.dtype is np.dtype(value.dtype.char):
            return value
    value = np.asarray(value)
    fresh = np.empty(value.shape, np.dtype(value.dtype.newbyteorder("=").char))
    fresh[...] = value
    return fresh


_ = kind_of
