"""Writing a Program with its repetitions as `scan` lines; see `rolling` for how they are found."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...primitives.base import find as primitive_named
from ...program import Program, Slot, Step
from .repetition import Body, NotRegular, is_stack, is_view, moving_place, number_index, stretch

FULL = (None, None, None)


class Builder:
    """Steps of a new Program. References are numbers of inputs, ("capture", i) or ("step", i)."""

    def __init__(self, program: Program) -> None:
        self.old = program
        self.captures: list[Any] = list(program.captures)
        self.steps: list[tuple[Any, tuple[Any, ...], Any, Slot]] = []
        self.slots: dict[Any, Slot] = {}
        n = len(program.inputs)
        self.leaf = [i if i < n else ("capture", i - n) for i in range(n + len(program.captures))]
        for i, ref in enumerate(self.leaf):
            self.slots[ref] = program.slot(i)

    def add(self, name: str, args: tuple[Any, ...], slot: Slot, **params: Any) -> Any:
        """Append a step by the name of its primitive."""
        return self.append(primitive_named(name), args, tuple(sorted(params.items())), slot)

    def append(self, primitive: Any, args: tuple[Any, ...], params: Any, slot: Slot) -> Any:
        """Append a step."""
        ref = ("step", len(self.steps))
        self.steps.append((primitive, args, params, slot))
        self.slots[ref] = slot
        return ref

    def capture(self, value: np.ndarray) -> Any:
        """Append a captured array."""
        ref = ("capture", len(self.captures))
        self.captures.append(value)
        self.slots[ref] = Slot.of(value)
        return ref

    def finish(self, outputs: list[Any]) -> Program:
        """Return the Program."""
        n = len(self.old.inputs)
        first = n + len(self.captures)

        def number(ref: Any) -> int:
            if isinstance(ref, int):
                return ref
            return n + ref[1] if ref[0] == "capture" else first + ref[1]

        steps = [
            Step(primitive, tuple(map(number, args)), params, slot) for primitive, args, params, slot in self.steps
        ]
        return Program(self.old.inputs, self.captures, steps, [number(ref) for ref in outputs])


def rebuild(program: Program, regions: list[Any]) -> Program:
    """Return the Program with each region as a loop, but for those that turn out to be none."""
    regions = list(regions)
    while regions:
        try:
            return _Rebuilder(program, regions).run()
        except NotRegular as problem:
            regions.pop(problem.region)
    return program


class _Rebuilder:
    def __init__(self, program: Program, regions: list[Any]) -> None:
        self.program = program
        self.regions = regions
        self.base = len(program.inputs) + len(program.captures)
        self.builder = Builder(program)
        self.made: dict[int, Any] = dict(enumerate(self.builder.leaf))
        self.region_of = np.full(len(program.steps), -1, np.int64)
        for r, region in enumerate(regions):
            self.region_of[region.start : region.stop] = r
        # per region: the lines of a repetition whose value is wanted from every repetition, or from the last one only
        self.rows: list[set[int]] = [set() for _ in regions]
        self.finals: list[set[int]] = [set() for _ in regions]
        self.stacks: dict[tuple[Any, ...], Any] = {}
        self.sums: list[dict[int, list[tuple[int, int]]]] = [self._sums(r) for r in range(len(regions))]
        self._find_wanted()

    def run(self) -> Program:
        position = 0
        steps = self.program.steps
        while position < len(steps):
            r = int(self.region_of[position])
            if r >= 0:
                self._loop(r)
                position = self.regions[r].stop
                continue
            step = steps[position]
            self.made[self.base + position] = self._straight(step)
            position += 1
        return self.builder.finish([self.value(i) for i in self.program.outputs])

    # ------------------------------------------------------------ who wants what

    def where(self, number: int) -> tuple[int, int, int] | None:
        """Return (region, repetition, line) of a value, or None if it is outside of all loops."""
        i = number - self.base
        if i < 0 or self.region_of[i] < 0:
            return None
        r = int(self.region_of[i])
        region = self.regions[r]
        t, k = divmod(i - region.start, region.period)
        return r, t, k

    def _find_wanted(self) -> None:
        program = self.program
        outside = [i for i in range(len(program.steps)) if self.region_of[i] < 0]
        for i in outside:
            step = program.steps[i]
            if is_stack(step):
                self._want_sequence([*step.args])
                continue
            for a in step.args:
                self._want(a)
        for number in program.outputs:
            self._want(number)
        for r, region in enumerate(self.regions):
            for k in range(region.period):
                for ref, slope in zip(region.first[k], region.slope[k], strict=True):
                    kind = self.kind_of(r, ref, slope)
                    if kind == "row":
                        self._want_sequence([ref + slope * t for t in range(region.count)])
                    elif kind == "fixed":
                        self._want(ref)
                    elif kind == "before":
                        for t in range(-self.distance(r, ref)):
                            self._want(ref + slope * t)

    def _want(self, number: int) -> None:
        place = self.where(number)
        if place is not None:
            r, t, k = place
            if t == self.regions[r].count - 1:
                self.finals[r].add(k)
            else:
                self.rows[r].add(self._source(r, k))

    def _want_sequence(self, numbers: list[int]) -> None:
        for number in {n for n in numbers if self.where(n) is not None}:
            r, _, k = self.where(number)  # type: ignore[misc]
            self.rows[r].add(self._source(r, k))

    def _source(self, r: int, k: int) -> int:
        """Return the line whose rows give those of line `k`: an index of a kept value is taken later."""
        region = self.regions[r]
        while True:
            step = self.program.steps[region.start + k]
            if not is_view(step) or any(region.number_slope[k]):
                return k
            line = self._line(r, region.first[k][0], region.slope[k][0])
            if line is None or line[1] != 0:
                return k
            k = line[0]

    # ------------------------------------------------------------ references inside of a loop

    def _line(self, r: int, ref: int, slope: int) -> tuple[int, int] | None:
        """Return (line, how many repetitions before) for a reference into the loop itself."""
        region = self.regions[r]
        begin = self.base + region.start
        if slope != region.period or ref + slope * (region.count - 1) < begin:
            return None
        t, k = divmod(ref - begin, region.period)
        return k, -t

    def distance(self, r: int, ref: int) -> int:
        """Return how many repetitions before (as a negative number) the first reference points."""
        region = self.regions[r]
        return (ref - self.base - region.start) // region.period

    def kind_of(self, r: int, ref: int, slope: int) -> str:
        """Return fixed, row, same (the same repetition) or before (an earlier one)."""
        line = self._line(r, ref, slope)
        if line is not None:
            return "same" if line[1] == 0 else "before"
        return "row" if slope else "fixed"

    def _sums(self, r: int) -> dict[int, list[tuple[int, int]]]:
        """Return the sums of a loop that only collect moving rows, by the sum's last line: (add, index_add) lines.

        s1 = s0 + index_add(v, moving row), s2 = s1 + ..., the last of which is the next s0, and nobody else reads any
        of them: then the rows of v are all there is to know.
        """
        region = self.regions[r]
        steps = self.program.steps
        lines = [
            [self._line(r, ref, slope) for ref, slope in zip(region.first[k], region.slope[k], strict=True)]
            for k in range(region.period)
        ]
        readers: dict[int, list[int]] = {}
        for k, mine in enumerate(lines):
            for line in mine:
                if line is not None:
                    readers.setdefault(line[0], []).append(k)

        def collects(k: int) -> tuple[int, int, int] | None:
            """Return (line before in the sum, how many repetitions ago, line of index_add) of an add."""
            step = steps[region.start + k]
            if step.primitive.name != "add" or len(readers.get(k, ())) != 1:
                return None
            for which in (0, 1):
                place, before = lines[k][which], lines[k][1 - which]
                if place is None or before is None or place[1] != 0:
                    continue
                source = steps[region.start + place[0]]
                if (
                    source.primitive.name == "index_add"
                    and any(region.number_slope[place[0]])
                    and source.slot == step.slot
                    and readers.get(place[0]) == [k]
                ):
                    return before[0], before[1], place[0]
            return None

        links = {k: link for k in range(region.period) if (link := collects(k)) is not None}
        found: dict[int, list[tuple[int, int]]] = {}
        for k, (before, ago, _) in links.items():
            if ago != 1:
                continue
            chain = [k]  # k is the first add of a repetition; `before` the last one of the repetition before
            while chain[-1] != before:
                following = readers[chain[-1]][0]
                if links.get(following, (None, None))[:2] != (chain[-1], 0):
                    break
                chain.append(following)
            if chain[-1] == before:
                found[before] = [(line, links[line][2]) for line in chain]
        return found

    # ------------------------------------------------------------ values outside of loops

    def value(self, number: int) -> Any:
        """Return the new reference of an old value."""
        ref = self.made.get(number)
        if ref is not None:
            return ref
        r, t, k = self.where(number)  # type: ignore[misc]
        region = self.regions[r]
        if t == region.count - 1 and ("final", r, k) in self.stacks:
            ref = self.stacks["final", r, k]
        else:
            ref = self._row(self.stacked(r, k), t)
        self.made[number] = ref
        return ref

    def _row(self, stack: Any, t: int) -> Any:
        slot = self.builder.slots[stack]
        return self.builder.add("index", (stack,), Slot(slot.shape[1:], slot.dtype), spec=(t,))

    def stacked(self, r: int, k: int) -> Any:
        """Return the values of a line from all repetitions, stacked."""
        ref = self.stacks.get((r, k))
        if ref is not None:
            return ref
        region = self.regions[r]
        step = self.program.steps[region.start + k]
        if any(region.number_slope[k]) and step.primitive.name == "index":
            ref = self._moving_rows(r, k)
        else:
            line = self._line(r, region.first[k][0], region.slope[k][0]) if is_view(step) else None
            if line is None or line[1] != 0:  # neither a row of a result nor a view of one
                raise NotRegular(r)
            below = self.stacked(r, line[0])
            ref = self._batched_view(step, below, region.count)
        self.stacks[r, k] = ref
        return ref

    def _batched_view(self, step: Step, stack: Any, count: int) -> Any:
        slot = Slot((count, *step.slot.shape), step.slot.dtype)
        return self.builder.add("index", (stack,), slot, spec=(FULL, *dict(step.params)["spec"]))

    def _moving_rows(self, r: int, k: int) -> Any:
        """Rows c, c + s, c + 2 s, ... along one axis of a value that stays, brought to the front."""
        region = self.regions[r]
        step = self.program.steps[region.start + k]
        source = self.value(region.first[k][0])
        spec = dict(step.params)["spec"]
        place = moving_place(spec, region.number_slope[k])
        axis = sum(part is not None for part in spec[:place])
        n = self.builder.slots[source].shape[axis]
        first = region.numbers[k][number_index(spec, place)]
        slope = region.number_slope[k][number_index(spec, place)]
        part = stretch(first % n, slope, region.count)
        new_spec = (*spec[:place], part, *spec[place + 1 :])
        # where the new axis stands among the result's axes
        front = sum(not isinstance(p, int) for p in spec[:place])
        shape = list(step.slot.shape)
        shape.insert(front, region.count)
        ref = self.builder.add("index", (source,), Slot(tuple(shape), step.slot.dtype), spec=new_spec)
        if front:
            axes = (front, *(i for i in range(len(shape)) if i != front))
            ref = self.builder.add("transpose", (ref,), Slot(tuple(shape[i] for i in axes), step.slot.dtype), axes=axes)
        return ref

    def sequence(self, numbers: list[int]) -> Any:
        """Return the given values stacked along a new first axis; runs through loops are slices of their rows."""
        runs: list[list[int]] = []
        pieces: list[Any] = []
        for number in numbers:
            place = self.where(number)
            if place is None:
                if number < self.base and not self._is_array(number):
                    place = ("number", 0, 0)  # type: ignore[assignment]
                else:
                    place = ("one", number, 0)  # type: ignore[assignment]
            if runs and self._continues(pieces[-1], place, len(runs[-1])):
                runs[-1].append(number)
            else:
                runs.append([number])
                pieces.append(place)
        parts = [self._piece(place, run) for place, run in zip(pieces, runs, strict=True)]
        if len(parts) == 1:
            return parts[0]
        slot = self.builder.slots[parts[0]]
        shape = (len(numbers), *slot.shape[1:])
        return self.builder.add("concatenate", tuple(parts), Slot(shape, slot.dtype), axis=0)

    def _is_array(self, number: int) -> bool:
        n = len(self.program.inputs)
        return number < n or isinstance(self.program.captures[number - n], np.ndarray)

    def _continues(self, start: Any, place: Any, length: int) -> bool:
        if start[0] in ("number", "one") or place[0] in ("number", "one"):
            return start[0] == place[0]
        if start[0] != place[0] or start[2] != place[2]:
            return False
        return length == 1 or self._step_of(start, place, length) is not None

    def _step_of(self, start: Any, place: Any, length: int) -> int | None:
        step, rest = divmod(place[1] - start[1], length)
        return None if rest or step == 0 else step

    def _piece(self, place: Any, run: list[int]) -> Any:
        if place[0] == "number":
            n = len(self.program.inputs)
            return self.builder.capture(np.array([self.program.captures[i - n] for i in run]))
        if place[0] == "one":
            refs = tuple(self.value(i) for i in run)
            slot = self.builder.slots[refs[0]]
            return self.builder.add("stack", refs, Slot((len(refs), *slot.shape), np.dtype(slot.dtype)), axis=0)
        r, t, k = place
        stack = self.stacked(r, k)
        second = self.where(run[1])[1] if len(run) > 1 else t + 1  # type: ignore[index]
        slope = second - t
        last = t + slope * (len(run) - 1)
        if self.where(run[-1])[1] != last:  # type: ignore[index]
            raise NotRegular
        if t == 0 and slope == 1 and len(run) == self.regions[r].count:
            return stack
        slot = self.builder.slots[stack]
        part = stretch(t, slope, len(run))
        return self.builder.add("index", (stack,), Slot((len(run), *slot.shape[1:]), slot.dtype), spec=(part,))

    def _straight(self, step: Step) -> Any:
        if is_stack(step):
            try:
                return self._stack(step)
            except NotRegular:
                pass
        args = tuple(self.value(a) for a in step.args)
        return self.builder.append(step.primitive, args, step.params, step.slot)

    def _stack(self, step: Step) -> Any:
        """A stack of very many values as slices of rows."""
        rows = self.sequence(list(step.args))
        axis = dict(step.params)["axis"]
        slot = self.builder.slots[rows]
        if slot.dtype != step.slot.dtype:
            raise NotRegular
        if axis == 0:
            return rows
        order = list(range(1, len(slot.shape)))
        order.insert(axis, 0)
        return self.builder.add("transpose", (rows,), step.slot, axes=tuple(order))

    # ------------------------------------------------------------ a loop

    def _loop(self, r: int) -> None:
        region = self.regions[r]
        body = Body(self, r)
        body.run()
        region_args = [*body.state_start, *body.row_values, *body.const_values]
        if not body.outputs:
            return
        slots = [self.builder.slots[ref] for ref in region_args]
        inner = body.program(slots)
        n_state = len(body.state_start)
        outs = inner.output_slots
        shapes = [slot.shape if i < n_state else (region.count, *slot.shape) for i, slot in enumerate(outs)]
        slot = Slot(tuple(shapes), tuple(np.dtype(slot.dtype) for slot in outs))
        line = self.builder.add(
            "scan",
            tuple(region_args),
            slot,
            body=inner,
            carry=n_state,
            xs=len(body.row_values),
            length=region.count,
            reverse=False,
            keep=0,
        )
        picked: dict[int, Any] = {}
        for i, (what, k) in enumerate(body.outputs):
            if what == "unused":
                continue
            ref = picked[i] = self.builder.add("pick", (line,), Slot(shapes[i], np.dtype(outs[i].dtype)), position=i)
            if what == "state":
                self.stacks["final", r, k] = ref
            else:
                self.stacks[r, k] = ref
        for total, chain in self.sums[r].items():
            if total in self.finals[r]:
                first = chain[0][0]
                which = next(
                    i
                    for i, (ref, slope) in enumerate(zip(region.first[first], region.slope[first], strict=True))
                    if self._line(r, ref, slope) == (total, 1)
                )
                value = self.value(region.first[first][which])
                slot = self.program.steps[region.start + total].slot
                for _, k in chain:
                    value = self.builder.add("add", (value, self._collected(r, k)), slot)
                self.stacks["final", r, total] = value

    def _collected(self, r: int, k: int) -> Any:
        """All rows that an index_add of a loop has placed."""
        region = self.regions[r]
        step = self.program.steps[region.start + k]
        rows = self.sequence([region.first[k][0] + region.slope[k][0] * t for t in range(region.count)])
        spec = dict(step.params)["spec"]
        place = moving_place(spec, region.number_slope[k])
        axis = sum(part is not None for part in spec[:place])
        n = step.slot.shape[axis]
        at = number_index(spec, place)
        first, slope = region.numbers[k][at] % n, region.number_slope[k][at]
        front = sum(not isinstance(p, int) for p in spec[:place])
        slot = self.builder.slots[rows]
        if front:
            order = list(range(1, len(slot.shape)))
            order.insert(front, 0)
            slot = Slot(tuple(slot.shape[i] for i in order), slot.dtype)
            rows = self.builder.add("transpose", (rows,), slot, axes=tuple(order))
        new_spec = (*spec[:place], stretch(first, slope, region.count), *spec[place + 1 :])
        return self.builder.add("index_add", (rows,), step.slot, shape=step.slot.shape, spec=new_spec)
