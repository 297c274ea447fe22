"""The numeric phase of structured accumulation: a Program of coefficients, then static stores.

Both run on NumPy first. What is evaluated again and again becomes one piece of machine code that computes each
coefficient and stores it in its place, as soon as that pays (see `execute.native.hot`).
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from ..execute.interpret import compile_numpy
from ..execute.native.hot import FEWEST, Runner, loaded
from ..primitives.assembling import assemble
from ..primitives.elementwise import multiply
from ..primitives.pointwise import has_nan, scale
from ..program import Program, Slot, Step
from ..transforms.simplify import simplify
from .assembly import Assembly
from .structured import Accumulated
from .together import columns_together


class Structured:
    """The values by a Program of coefficients and static stores.

    The quick Program multiplies; the careful one lets 0 times infinity be 0. They differ only where a NaN comes out, so
    the quick one runs first.
    """

    def __init__(self, accumulated: Accumulated, assembly: Assembly) -> None:
        careful = simplify(accumulated.program)
        self.careful = careful
        self.quick = columns_together(_without_care(careful))
        self.cares = any(step.primitive is scale for step in careful.steps)
        self.assembly = assembly
        self.guards = accumulated.guards
        self.count = len(careful.outputs) - len(self.guards)
        self.forget()

    def forget(self) -> None:
        """Drop what is worked out again where it is wanted."""
        self._function: Any = None
        self._whole: Program | None = None
        self._runner = _Fused()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in FORGOTTEN}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.forget()

    @property
    def nbytes(self) -> int:
        """Bytes of the static arrays."""
        assembly = self.assembly
        stores = [x for s in assembly.stores for x in (s.places, s.select) if isinstance(x, np.ndarray)]
        return assembly.template.nbytes + sum(array.nbytes for array in stores)

    def values(self, inputs: Sequence[Any]) -> np.ndarray | None:
        """Return the entries, or None where the index arrays differ."""
        runner = self._runner
        if runner.builtin is not None:
            found = runner.call(inputs)
            if found is not None:
                return found
        start = perf_counter()
        data = self._by_numpy(inputs)
        if not runner.closed and not self.guards:
            seconds = perf_counter() - start
            if runner.runs + 1 >= FEWEST and self._whole is None:
                self._whole = self.program()
            runner.note(self._whole or self.careful, inputs, seconds)
        return data

    def _by_numpy(self, inputs: Sequence[Any]) -> np.ndarray | None:
        if self._function is None:
            self._function = compile_numpy(self.quick)
        with np.errstate(all="ignore"):
            outs = self._function(*inputs, *self.quick.captures)
        if self.guards and not all(map(np.array_equal, outs[self.count :], self.guards)):
            return None
        data = self.assembly.values(outs)
        if self.cares:
            # The coefficients are fewer numbers than the entries, but for small results one look is quicker.
            if any(map(has_nan, map(np.asarray, outs[: self.count])) if len(data) > 4096 else [has_nan(data)]):
                return self.assembly.values(self.careful(*inputs))
        return data

    def program(self) -> Program:
        """Return the Program from the inputs to the entries: the coefficients, and one line that stores them."""
        assembly, program = self.assembly, self.careful
        kind = np.int32 if len(assembly.template) < 2**31 else np.int64
        values: list[int] = []
        arrays: list[np.ndarray] = []
        stores = []

        def part(chosen: Any) -> Any:
            if chosen is None:
                return None
            if isinstance(chosen, slice):
                return (chosen.start, chosen.stop, chosen.step)
            fixed = np.array(chosen, dtype=kind)
            fixed.flags.writeable = False  # a constant: compiled code need not check it again
            arrays.append(fixed)
            return len(arrays) - 1

        for store in assembly.stores:
            number = program.outputs[store.output]
            if number not in values:
                values.append(number)
            stores.append((values.index(number), store.shape, part(store.select), part(store.places), store.how))
        template = assembly.template.copy()
        template.flags.writeable = False
        added = [template, *arrays]
        first = len(program.inputs) + len(program.captures)
        shift = len(added)

        def moved(i: int) -> int:
            return i if i < first else i + shift

        steps = [Step(s.primitive, tuple(map(moved, s.args)), s.params, s.slot) for s in program.steps]
        params = (("count", len(values)), ("stores", tuple(stores)))
        args = (first, *map(moved, values), *range(first + 1, first + shift))
        steps.append(Step(assemble, args, params, Slot(template.shape, template.dtype)))
        return Program(program.inputs, (*program.captures, *added), steps, [first + shift + len(program.steps)])


FORGOTTEN = ("_function", "_runner", "_whole")


class _Fused(Runner):
    """Machine code for a Program with its captured values as constants."""

    __slots__ = ()

    def build(self, program: Program, values: Sequence[Any]) -> Any:
        """Return the builtin for a Program and arguments like these, or None if there is none."""
        from ..execute.native.build import NoLowering
        from ..execute.native.contexts import Result, argument_of
        from ..execute.native.hybrid import as_plain, compile_any

        loaded()
        arguments = [argument_of(as_plain(x) if isinstance(x, np.ndarray) else x) for x in values]
        if any(argument is None or argument.form == "is" for argument in arguments):
            return None
        (slot,) = program.output_slots
        try:
            result = Result("array", slot.shape, np.dtype(slot.dtype))
            return compile_any(program, arguments, [result], "one", "values").direct  # type: ignore[arg-type]
        except NoLowering:
            return None


def _without_care(program: Program) -> Program:
    if not any(step.primitive is scale for step in program.steps):
        return program
    steps = [
        Step(multiply if step.primitive is scale else step.primitive, step.args, step.params, step.slot)
        for step in program.steps
    ]
    return Program(program.inputs, program.captures, steps, program.outputs)
