"""Control flow: `scan` and `while` as native loops around their body's own code, `cond` as a native branch.

The state lies in two blocks of memory that take turns; rows of xs and ys are addresses that move on with each step. A
body of few scalar operations is straight-line code whose state stays in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...program import Program, Step
from . import straight
from .affine import strides_of
from .ir import BOOL, UNSIGNED, Code, Kind, kind_of
from .items import Item, Root, place_in, pulls, size_of
from .prepare import prepare
from .pull import Layout, MustStore

# A body this small, with a state this small, is kept in registers.
REGISTER_OPERATIONS = 300
REGISTER_STATE = 48


def supports_scan(program: Program, step: Step) -> bool:
    """Whether a `scan` line can be native: its state's dtypes and all steps of its body."""
    return _supports(dict(step.params)["body"])


def supports_branches(program: Program, step: Step) -> bool:
    """Whether a `cond` line can be native: all steps of all branches, and an integer or boolean to choose by."""
    selector = kind_of(program.slot(step.args[0]).dtype)
    if selector is None or selector.code not in "biu":
        return False
    return all(_supports(branch) for branch in dict(step.params)["branches"])


def supports_while(program: Program, step: Step) -> bool:
    """Whether a `while` line can be native: all steps of its condition and its body."""
    params = dict(step.params)
    return _supports(params["cond"]) and _supports(params["body"])


def _supports(program: Program) -> bool:
    from .support import supported

    inner = body_of(program)
    slots = [*inner.inputs, *inner.output_slots]
    if any(isinstance(slot.dtype, tuple) or kind_of(slot.dtype) is None for slot in slots):
        return False
    return len(inner.steps) <= 4000 and all(supported(inner, step) for step in inner.steps)


def body_of(body: Program) -> Program:
    """Return a body as it is lowered."""
    return prepare(body)


class Scan:
    """One `scan` line in a schedule.

    Attributes
    ----------
    body : Program
    inner
        The body's `Loops`, or None where it is straight-line code.
    states : list of (int, int)
        The numbers of the two blocks of each part of the state; the first one holds the initial state.
    rows : list of (int, int, tuple)
        Stored value, offset and strides (in elements, that of the steps first) of each of xs.
    consts : list of (int, int, tuple)
        The same for what all steps read.
    finals, ys : list of int
        Numbers of the results.
    """

    __slots__ = (
        "body", "carry", "consts", "finals", "inner", "length", "memory", "reverse", "rows", "states", "ys",
    )  # fmt: skip

    body: Program
    inner: Any
    states: list[tuple[int, int]]
    rows: list[tuple[int, int, tuple[int, ...]]]
    consts: list[tuple[int, int, tuple[int, ...]]]
    finals: list[int]
    ys: list[int]
    memory: int
    carry: int
    length: int
    reverse: bool

    def inners(self) -> list[tuple[str, Any]]:
        """Return the code of its parts, by name."""
        return [] if self.inner is None else [("body", self.inner)]


def schedule_scan(plan: Any, v: int, step: Step) -> None:
    """Put a `scan` line into the schedule `plan`."""
    params = dict(step.params)
    scan = Scan()
    scan.body = body = body_of(params["body"])
    scan.carry = carry = params["carry"]
    scan.length, scan.reverse = params["length"], params["reverse"]
    args = step.args
    item = Item("scan", 0, v, set())
    item.writes = set()
    scan.states = _states(plan, item, body, args[:carry])
    found = _resolve_all(plan, item, body, args, range(carry, len(args)), range(carry, carry + params["xs"]))
    scan.rows, scan.consts = found[: params["xs"]], found[params["xs"] :]
    outs = body.output_slots
    scan.finals, scan.ys = [], []
    for k, slot in enumerate(outs):
        kind = kind_of(slot.dtype)
        assert kind is not None
        shape = slot.shape if k < carry else (scan.length, *slot.shape)
        number = plan.new(shape, kind)
        (scan.finals if k < carry else scan.ys).append(number)
        item.writes.add(number)
        plan.level[number] = 0
    plan.results[v] = [*scan.finals, *scan.ys]
    scan.inner = _inner(scan)
    scan.memory = plan.new((max(scan.inner.work_bytes, 1) if scan.inner is not None else 1,), UNSIGNED[8])
    item.writes.add(scan.memory)
    item.payload = scan
    for number in item.writes:
        plan.level[number] = item.level
    plan.level[v] = item.level
    item.order = len(plan.items)
    plan.items.append(item)


def _states(plan: Any, item: Any, body: Program, args: Any) -> list[tuple[int, int]]:
    """Give each part of a loop's state two blocks of memory, and schedule what fills the first one."""
    states = []
    for source, slot in zip(args, body.inputs, strict=False):
        kind = kind_of(slot.dtype)
        assert kind is not None
        first, _, _ = _copy(plan, source, kind)
        second = plan.new(slot.shape, kind)
        states.append((first, second))
        item.reads.add(first)
        item.writes.add(second)
        item.level = max(item.level, plan.level[first] + 1)
    return states


def _copy(plan: Any, value: int, kind: Kind) -> tuple[int, int, tuple[int, ...]]:
    """Schedule a copy of a value, in another dtype if need be, and return where it lies."""
    shape = plan.program.slot(value).shape
    number = plan.new(shape, kind)
    level, reads = plan.reads_of([(value, True)], shape)
    plan.add(Root(number, kind, shape, pulls(value), place_in(plan.layouts[number])), level, reads)
    return number, 0, strides_of(shape)


def _resolve_all(
    plan: Any, item: Any, body: Program, args: Any, places: range, rows: range = range(0)
) -> list[tuple[int, int, tuple[int, ...]]]:
    """Return where a body's inputs number `places` lie; those in `rows` have one more axis, the steps'."""
    found = []
    for i, a in zip(places, args[len(args) - len(places) :], strict=True):
        kind = kind_of(body.inputs[i].dtype)
        assert kind is not None
        resolved = plan.resolve(a) if plan.kinds[a] == kind else None
        if resolved is not None and i in rows and not _contiguous(resolved[2][1:], body.inputs[i].shape):
            resolved = None
        if resolved is None:
            if plan.kinds[a] == kind and a not in plan.constants and a not in plan.forced:
                raise MustStore(a)
            resolved = _copy(plan, a, kind)
        found.append(resolved)
        item.reads.add(resolved[0])
        item.level = max(item.level, plan.level.get(resolved[0], -1) + 1)
    return found


def _finish(plan: Any, item: Any, v: int, payload: Any, slots: Any) -> list[int]:
    """Give the results numbers and put the item into the schedule."""
    numbers = []
    for slot in slots:
        kind = kind_of(slot.dtype)
        assert kind is not None
        numbers.append(plan.new(slot.shape, kind))
    item.writes.update(numbers)
    plan.results[v] = numbers
    item.payload = payload
    for number in item.writes:
        plan.level[number] = item.level
    plan.level[v] = item.level
    item.order = len(plan.items)
    plan.items.append(item)
    return numbers


class Part:
    """A Program that runs as part of control flow: where its inputs lie, and its code."""

    __slots__ = ("inner", "memory", "places", "program")

    def __init__(self, plan: Any, program: Program, places: list[Any], *, in_loop: bool) -> None:
        self.program = program
        self.places = places  # per input: (stored value, offset, strides), or None for one given as an address
        leaves = {}
        for i, slot in enumerate(program.inputs):
            place = places[i]
            leaves[i] = Layout.of(slot.shape)
            if place is not None:
                leaves[i] = Layout(place[2], 0, _contiguous(place[2], slot.shape))
        self.inner = _loops(program, leaves, in_loop)
        self.memory = plan.new((max(self.inner.work_bytes, 1),), UNSIGNED[8])

    def write(self, code: Code, name: str, pointer: dict[int, str], given: list[str], outputs: list[str]) -> None:
        """Write its calls; `given` are the addresses of the inputs without a place, in order."""
        remaining = iter(given)
        leaves = []
        for i, place in enumerate(self.places):
            if place is None:
                leaves.append(next(remaining))
                continue
            kind = kind_of(self.program.inputs[i].dtype)
            assert kind is not None
            value, offset, _ = place
            leaves.append(code.let(f"getelementptr i8, ptr {pointer[value]}, i64 {offset * kind.itemsize}"))
        self.inner.write_calls(code, name, leaves, outputs, pointer[self.memory], clear_outputs=True)


def _loops(program: Program, leaves: dict[int, Layout], in_loop: bool) -> Any:
    from .loops import Loops

    count = len(program.inputs)
    constants = {count + i: value for i, value in scalars_of(program).items()}
    if len(constants) != len(program.captures):
        raise straight.NoLowering("a body that captures an array")
    inner = Loops(Code(), program, leaves, constants, in_loop=in_loop)
    inner.prepare()
    return inner


class Branches:
    """One `cond` line in a schedule."""

    __slots__ = ("parts", "results", "selector")

    parts: list[Part]
    results: list[int]
    selector: tuple[int, int, Kind]

    def inners(self) -> list[tuple[str, Any]]:
        """Return the code of its parts, by name."""
        return [(f"b{i}", part.inner) for i, part in enumerate(self.parts)]


def schedule_branches(plan: Any, v: int, step: Step) -> None:
    """Put a `cond` line into the schedule."""
    programs = [body_of(branch) for branch in dict(step.params)["branches"]]
    item = Item("branches", 0, v, set())
    item.writes = set()
    made = Branches()
    chosen = plan.resolve(step.args[0])
    if chosen is None:
        raise MustStore(step.args[0])
    made.selector = (chosen[0], chosen[1], plan.kinds[step.args[0]])
    item.reads.add(chosen[0])
    item.level = plan.level.get(chosen[0], -1) + 1
    places = _resolve_all(plan, item, programs[0], step.args[1:], range(len(step.args) - 1))
    made.parts = [Part(plan, program, places, in_loop=plan.in_loop) for program in programs]
    item.writes.update(part.memory for part in made.parts)
    made.results = _finish(plan, item, v, made, programs[0].output_slots)


class While:
    """One `while` line in a schedule."""

    __slots__ = ("body", "flag", "results", "states", "test")

    body: Part
    test: Part
    states: list[tuple[int, int]]
    results: list[int]
    flag: int

    def inners(self) -> list[tuple[str, Any]]:
        """Return the code of its parts, by name."""
        return [("test", self.test.inner), ("body", self.body.inner)]


def schedule_while(plan: Any, v: int, step: Step) -> None:
    """Put a `while` line into the schedule."""
    params = dict(step.params)
    test, body, carry = body_of(params["cond"]), body_of(params["body"]), params["carry"]
    item = Item("while", 0, v, set())
    item.writes = set()
    made = While()
    made.states = _states(plan, item, body, step.args[:carry])
    tests = len(test.inputs) - carry
    of_test = _resolve_all(plan, item, test, step.args[: carry + tests], range(carry, carry + tests))
    of_body = _resolve_all(plan, item, body, step.args, range(carry, len(body.inputs)))
    made.test = Part(plan, test, [None] * carry + of_test, in_loop=True)
    made.body = Part(plan, body, [None] * carry + of_body, in_loop=True)
    made.flag = plan.new((), BOOL)
    item.writes.update((made.test.memory, made.body.memory, made.flag))
    made.results = _finish(plan, item, v, made, body.output_slots)


def _contiguous(strides: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return all(n == 1 or s == t for n, s, t in zip(shape, strides, strides_of(shape), strict=True))


def _inner(scan: Scan) -> Any:
    """Plan the body: in registers (None) or in loops."""
    body = scan.body
    state = sum(size_of(slot.shape) for slot in body.inputs[: scan.carry])
    if state <= REGISTER_STATE and straight.size(body) <= REGISTER_OPERATIONS:
        try:
            straight.Straight(Code(), body, scalars_of(body)).write(["%p"] * (len(body.inputs) + len(body.captures)))
            return None
        except straight.NoLowering:
            pass
    leaves = {}
    for i, slot in enumerate(body.inputs):
        leaves[i] = Layout.of(slot.shape)
        if i >= scan.carry + len(scan.rows):
            strides = scan.consts[i - scan.carry - len(scan.rows)][2]
            leaves[i] = Layout(strides, 0, _contiguous(strides, slot.shape))
    return _loops(body, leaves, True)


def scalars_of(body: Program) -> dict[int, Any]:
    """Return the numbers that a body captures."""
    return {i: c for i, c in enumerate(body.captures) if isinstance(c, bool | int | float | complex | np.generic)}
