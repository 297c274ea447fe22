"""Programs that run again and again are compiled without being asked, once that pays.

A Program runs on NumPy first. When the time it has spent there exceeds what compilation is expected to cost, it is
compiled for the arguments at hand; if the machine code turns out not to be faster, or does not fit, NumPy goes on.
Compiled Programs are shared by structure, so another Program of equal structure starts warm. `WENGERT_NATIVE=off`
turns this off.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ...program import Program

FEWEST = 4  # runs before anything is compiled
# What compilation is expected to cost, in seconds: importing the compiler once, then per Program and per line.
IMPORT, PROGRAM, LINE = 0.06, 0.015, 0.0006
LONGEST = 4000  # lines
CAPACITY = 128
TRIALS = 5

_known: OrderedDict[Any, Any] = OrderedDict()
_state = {"loaded": False}


def enabled() -> bool:
    """Whether Programs may be compiled without being asked."""
    return os.environ.get("WENGERT_NATIVE", "").lower() not in ("off", "0", "no")


def import_cost() -> float:
    """Return what importing the compiler is expected to cost, in seconds: nothing the second time."""
    return 0.0 if _state["loaded"] else IMPORT


def loaded() -> None:
    """Note that the compiler is imported."""
    _state["loaded"] = True


class Runner:
    """What is known of one Program's runs.

    Attributes
    ----------
    builtin
        The compiled Program, or None.
    """

    __slots__ = ("_best_native", "_best_numpy", "_forms", "_settled", "_trials", "builtin", "closed", "runs", "spent")

    def __init__(self) -> None:
        self.builtin: Any = None
        self.closed = not enabled()
        self.runs = 0
        self.spent = 0.0
        self._best_numpy = float("inf")
        self._best_native = float("inf")
        self._trials = 0
        self._settled = False
        self._forms: tuple[bool, ...] = ()

    def note(self, program: Program, values: Sequence[Any], seconds: float) -> None:
        """Count a run on NumPy; compile if that pays by now."""
        self.runs += 1
        self.spent += seconds
        self._best_numpy = min(self._best_numpy, seconds)
        if self.closed or self.runs < FEWEST:
            return
        if self.spent < PROGRAM + LINE * len(program.steps) + import_cost():
            return
        self.closed = True
        if len(program.steps) <= LONGEST:
            self._compile(program, values)

    def _compile(self, program: Program, values: Sequence[Any]) -> None:
        try:
            self.builtin = self.build(program, values)
        except Exception as problem:  # a compiler that fails must not stop the computation
            _warn(problem)
        self._forms = tuple(type(value) is np.ndarray for value in values)

    def build(self, program: Program, values: Sequence[Any]) -> Any:
        """Return the builtin for a Program and arguments like these, or None if there is none."""
        return _compiled(program, values)

    def call(self, values: Sequence[Any]) -> Any:
        """Run the machine code; return None if it does not take these values."""
        from .build import MISS

        if self._settled:
            found = self.builtin(*values)
            return self._again(values) if found is MISS else found
        start = time.perf_counter()
        found = self.builtin(*values)
        if found is MISS:
            return self._again(values)
        self._best_native = min(self._best_native, time.perf_counter() - start)
        self._trials += 1
        if self._trials >= TRIALS:
            self._settled = True
            if self._best_native > self._best_numpy:
                self.builtin = None
        return found

    def _again(self, values: Sequence[Any]) -> Any:
        """Run on plain copies of arrays that lie otherwise in memory."""
        from .build import MISS
        from .hybrid import as_plain

        if tuple(isinstance(value, np.ndarray | np.generic) for value in values) != self._forms and not all(
            isinstance(v, np.ndarray) == form for v, form in zip(values, self._forms, strict=True)
        ):
            return None
        found = self.builtin(*(as_plain(v) if form else v for v, form in zip(values, self._forms, strict=True)))
        return None if found is MISS else found


def _compiled(program: Program, values: Sequence[Any]) -> Any:
    """Return the builtin for a Program and arguments like these, from memory if its structure is known."""
    from .build import Compiled, NoLowering
    from .contexts import Result, argument_of
    from .hybrid import as_plain, constants
    from .prepare import prepare

    loaded()
    arguments = []
    for value in values:
        argument = argument_of(as_plain(value) if isinstance(value, np.ndarray) else value)
        if argument is None or argument.form == "is":
            return None
        arguments.append(argument)
    exponents = _exponents(program, values)
    key = (program.key, tuple(arguments), exponents)
    if key in _known:
        _known.move_to_end(key)
        return _known[key]
    open_program = _with_inputs(program, values)
    short = prepare(_with_constants(open_program, dict(exponents)))
    results = [
        Result("generic" if slot.shape == () else "array", slot.shape, np.dtype(slot.dtype))
        for slot in program.output_slots
    ]
    try:
        builtin = Compiled(short, arguments, results, "tuple", baked=constants(short), name="program").direct
    except NoLowering:
        builtin = None
    _known[key] = builtin
    while len(_known) > CAPACITY:
        _known.popitem(last=False)
    return builtin


def _with_inputs(program: Program, values: Sequence[Any]) -> Program:
    """Return the Program with its captures as inputs, Python numbers among them still weak."""
    from ...program import Program, Slot

    slots = [*program.inputs, *(Slot.of(value) for value in values[len(program.inputs) :])]
    return Program(slots, (), program.steps, program.outputs)


def _exponents(program: Program, values: Sequence[Any]) -> tuple[tuple[int, Any], ...]:
    """Return the Python numbers that are exponents: x ** 2 deserves better code than x ** y."""
    found: dict[int, Any] = {}
    for step in program.steps:
        if step.primitive.name in ("power", "float_power"):
            number = step.args[1]
            if len(program.inputs) <= number < len(values) and isinstance(values[number], int | float):
                found[number] = values[number]
    return tuple(sorted(found.items()))


def _with_constants(program: Program, numbers: dict[int, Any]) -> Program:
    """Return the Program with some inputs read as constants. They stay inputs, so that places do not change."""
    from ...program import Program, Step

    if not numbers:
        return program
    count = len(program.inputs)
    place = {number: count + i for i, number in enumerate(numbers)}
    shift = len(numbers)

    def moved(i: int) -> int:
        return place.get(i, i) if i < count else i + shift

    steps = [Step(s.primitive, tuple(map(moved, s.args)), s.params, s.slot) for s in program.steps]
    return Program(program.inputs, tuple(numbers.values()), steps, [moved(i) for i in program.outputs])


def _warn(problem: Exception) -> None:
    import warnings

    from ...errors import NotCompiled, user_level

    if not _state.get("warned"):
        _state["warned"] = True
        warnings.warn(
            f"compilation failed, NumPy is used instead ({type(problem).__name__}: {problem})",
            NotCompiled,
            stacklevel=user_level(),
        )
