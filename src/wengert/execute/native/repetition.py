"""One repetition of a loop found in a long recording; see `rebuilding`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives.structural import constant
from ...program import Program, Slot, Step


class NotRegular(Exception):
    """A stretch that looked like a loop is none; `region` says which, -1 if it is only a sequence that is no slice."""

    def __init__(self, region: int = -1) -> None:
        super().__init__()
        self.region = region


class Body:
    """One repetition as a Program of (state, rows, constants)."""

    def __init__(self, owner: Any, r: int) -> None:
        self.owner = owner
        self.r = r
        self.region = owner.regions[r]
        self.state_start: list[Any] = []
        self.row_values: list[Any] = []
        self.const_values: list[Any] = []
        self.states: dict[tuple[int, int], int] = {}  # (line, repetitions before) -> which state
        self.rows: dict[Any, int] = {}
        self.consts: dict[int, int] = {}
        self.steps: list[tuple[Any, tuple[Any, ...], Any, Slot]] = []
        self.mine: dict[int, Any] = {}
        self.numbers: dict[Any, int] = {}
        self.outputs: list[tuple[str, int]] = []
        self.results: list[Any] = []

    def run(self) -> None:
        """Write the lines that are wanted, and those they need."""
        owner, r = self.owner, self.r
        skipped = {line for chain in owner.sums[r].values() for line, _ in chain}
        if skipped & owner.rows[r]:
            raise NotRegular(r)
        for total, chain in owner.sums[r].items():
            if total in owner.finals[r]:
                for _, place in chain:
                    line = owner._line(r, self.region.first[place][0], self.region.slope[place][0])
                    if line is not None:
                        owner.rows[r].add(owner._source(r, line[0]))
        wanted = set()
        for k in owner.rows[r] | owner.finals[r]:
            if k in skipped:
                if k not in owner.sums[r]:
                    raise NotRegular(r)
            elif not self._is_moving(k):
                wanted.add(k)
        for k in sorted(wanted):
            self._line(k)
        # states grow while lines are written: a state's own next value may need more states
        done = 0
        order = sorted(self.states.items(), key=lambda entry: entry[1])
        while done < len(order):
            (k, before), _ = order[done]
            self._next_value(k, before)
            done += 1
            order = sorted(self.states.items(), key=lambda entry: entry[1])
        finals = [k for k in sorted(owner.finals[r]) if k not in skipped and (k, 1) not in self.states]
        for k in finals:  # the last value of a line that is no state: kept as one
            self.states[k, 1] = len(self.states)
            slot = owner.program.steps[self.region.start + k].slot
            self.state_start.append(owner.builder.capture(np.zeros(slot.shape, slot.dtype)))
            self.mine.setdefault(k, None)
        for (k, before), _ in sorted(self.states.items(), key=lambda entry: entry[1]):
            self.results.append(self._next_value(k, before))
            self.outputs.append(("state" if before == 1 else "unused", k))
        for k in sorted(owner.rows[r]):
            if k in skipped or self._is_moving(k):
                continue
            self.results.append(self._line(k))
            self.outputs.append(("row", k))

    def _is_moving(self, k: int) -> bool:
        return any(self.region.number_slope[k]) and self._step(k).primitive.name == "index"

    def _step(self, k: int) -> Step:
        return self.owner.program.steps[self.region.start + k]

    def _next_value(self, k: int, before: int) -> Any:
        return self._line(k) if before == 1 else self._state(k, before - 1)

    def _line(self, k: int) -> Any:
        """Return the reference of a line of this repetition, written with all it needs; no recursion into the past."""
        stack = [k]
        while stack:
            top = stack[-1]
            if self.mine.get(top) is not None:
                stack.pop()
                continue
            if self._is_moving(top):
                self.mine[top] = self._row(("moving", top), lambda top=top: self.owner.stacked(self.r, top))
                stack.pop()
                continue
            step = self._step(top)
            if any(self.region.number_slope[top]):
                raise NotRegular(self.r)
            args: list[Any] = []
            missing = []
            for ref, slope in zip(self.region.first[top], self.region.slope[top], strict=True):
                line = self.owner._line(self.r, ref, slope)
                if line is not None and line[1] == 0:
                    if self.mine.get(line[0]) is None:
                        missing.append(line[0])
                    else:
                        args.append(self.mine[line[0]])
                else:
                    args.append(self._argument(ref, slope, line))
            if missing:
                stack.extend(missing)
                continue
            self.mine[top] = ("step", len(self.steps))
            self.steps.append((step.primitive, tuple(args), step.params, step.slot))
            stack.pop()
        return self.mine[k]

    def _argument(self, ref: int, slope: int, line: tuple[int, int] | None) -> Any:
        if line is not None:
            return self._state(*line)
        if slope:
            numbers = [ref + slope * t for t in range(self.region.count)]
            return self._row(("row", ref, slope), lambda: self.owner.sequence(numbers))
        if ref < self.owner.base and ref >= len(self.owner.program.inputs):
            value = self.owner.program.captures[ref - len(self.owner.program.inputs)]
            if isinstance(value, bool | int | float | complex | np.generic):
                return ("value", value)
        if ref not in self.consts:
            self.consts[ref] = len(self.const_values)
            self.const_values.append(self.owner.value(ref))
        return ("const", self.consts[ref])

    def _row(self, key: Any, make: Any) -> Any:
        if key not in self.rows:
            self.rows[key] = len(self.row_values)
            self.row_values.append(make())
        return ("row", self.rows[key])

    def _state(self, k: int, before: int) -> Any:
        """Return the state that holds the value of a line some repetitions before."""
        for distance in range(1, before + 1):
            if (k, distance) not in self.states:
                self.states[k, distance] = len(self.states)
                number = self.owner.base + self.region.start + k - distance * self.region.period
                self.state_start.append(self._start(number))
        return ("state", self.states[k, before])

    def _start(self, number: int) -> Any:
        # The value of the same line in the repetition before the first: what that line's reader referred to there.
        for k in range(self.region.period):
            for ref, slope in zip(self.region.first[k], self.region.slope[k], strict=True):
                if ref == number and slope == self.region.period:
                    return self.owner.value(ref)
        if number >= self.owner.base:
            return self.owner.value(number)
        raise NotRegular(self.r)

    def program(self, slots: list[Slot]) -> Program:
        """Return the body."""
        n_state, n_rows = len(self.state_start), len(self.row_values)
        inputs = [
            Slot(slot.shape[1:], np.dtype(slot.dtype))
            if n_state <= i < n_state + n_rows
            else Slot(slot.shape, np.dtype(slot.dtype))
            for i, slot in enumerate(slots)
        ]
        # Numbers are lines of the body, not captures: Programs that differ in captures only count as equal.
        constants: list[Step] = []
        places: dict[Any, int] = {}
        for _, args, _, _ in self.steps:
            for kind, value in args:
                key = (type(value), repr(value))
                if kind == "value" and key not in places:
                    places[key] = len(inputs) + len(constants)
                    constants.append(Step(constant, (), (("value", value),), Slot.of(value)))
        first = len(inputs) + len(constants)

        def number(ref: Any) -> int:
            kind, i = ref
            if kind == "state":
                return i
            if kind == "row":
                return n_state + i
            if kind == "const":
                return n_state + n_rows + i
            return places[type(i), repr(i)] if kind == "value" else first + i

        steps = [
            Step(primitive, tuple(map(number, args)), params, slot) for primitive, args, params, slot in self.steps
        ]
        return Program(inputs, (), [*constants, *steps], [number(ref) for ref in self.results])


# ---------------------------------------------------------------- small facts


def is_stack(step: Step) -> bool:
    """Whether a line stacks very many values."""
    return step.primitive.name == "stack" and len(step.args) >= 16


def is_view(step: Step) -> bool:
    """Whether a line is a static index of its argument: slices and integers."""
    return step.primitive.name == "index" and len(step.args) == 1


def moving_place(spec: tuple[Any, ...], slopes: tuple[int, ...]) -> int:
    """Return the position in the spec of the integer that changes."""
    moving = next(i for i, slope in enumerate(slopes) if slope)
    seen = 0
    for place, part in enumerate(spec):
        if isinstance(part, tuple):
            seen += sum(isinstance(x, int) for x in part)
        elif isinstance(part, int):
            if seen == moving:
                return place
            seen += 1
    raise NotRegular


def number_index(spec: tuple[Any, ...], place: int) -> int:
    """Return which of the spec's integers stands at a position."""
    seen = 0
    for part in spec[:place]:
        if isinstance(part, tuple):
            seen += sum(isinstance(x, int) for x in part)
        elif isinstance(part, int):
            seen += 1
    return seen


def stretch(first: int, slope: int, count: int) -> tuple[int | None, int | None, int | None]:
    """Return the slice first, first + slope, ... of `count` elements."""
    last = first + slope * (count - 1)
    stop = last + (1 if slope > 0 else -1)
    return (first, None if stop < 0 else stop, slope)
