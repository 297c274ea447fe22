"""Loops of known length (`scan`) as native loops around their body's own code.

The state lies in two blocks of memory that take turns; rows of xs and ys are addresses that move on with each step. A body
of few scalar operations is straight-line code whose state stays in registers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...program import Program, Step
from . import straight
from .affine import strides_of
from .ir import UNSIGNED, Code, Kind, Value, kind_of
from .nest import Root
from .prepare import prepare
from .pull import Layout, MustStore

# A body this small, with a state this small, is kept in registers.
REGISTER_OPERATIONS = 300
REGISTER_STATE = 48


def supports_scan(program: Program, step: Step) -> bool:
    """Whether a `scan` line can be native: its state's dtypes and all steps of its body."""
    from .schedule import supported

    params = dict(step.params)
    body = body_of(params["body"])
    slots = [*body.inputs, *body.output_slots]
    if any(isinstance(slot.dtype, tuple) or kind_of(slot.dtype) is None for slot in slots):
        return False
    if len(body.steps) > 4000:
        return False
    return all(supported(body, inner) for inner in body.steps)


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


def schedule_scan(plan: Any, v: int, step: Step) -> None:
    """Put a `scan` line into the schedule `plan`."""
    from .schedule import Item, place_in

    params = dict(step.params)
    scan = Scan()
    scan.body = body = body_of(params["body"])
    scan.carry = carry = params["carry"]
    scan.length, scan.reverse = params["length"], params["reverse"]
    args = step.args
    item = Item("scan", 0, v, set())
    item.writes = set()
    scan.states = []
    for i in range(carry):
        slot = body.inputs[i]
        kind = kind_of(slot.dtype)
        assert kind is not None
        first, second = plan.new(slot.shape, kind), plan.new(slot.shape, kind)
        source = args[i]
        root = Root(first, kind, slot.shape, _pulls(source), place_in(plan.layouts[first]))
        level, reads = plan.reads_of([(source, True)], slot.shape)
        plan.add(root, level, reads)
        scan.states.append((first, second))
        item.reads.add(first)
        item.writes.add(second)
        item.level = max(item.level, plan.level[first] + 1)
    found = []
    for i, a in enumerate(args[carry:], start=carry):
        kind = kind_of(body.inputs[i].dtype)
        resolved = plan.resolve(a) if plan.kinds[a] == kind else None
        if resolved is not None and i < carry + params["xs"] and not _contiguous(resolved[2][1:], body.inputs[i].shape):
            resolved = None
        if resolved is None:
            if plan.kinds[a] != kind or a in plan.forced:
                raise straight.NoLowering("a scan's argument of another dtype")
            raise MustStore(a)
        found.append(resolved)
        item.reads.add(resolved[0])
        item.level = max(item.level, plan.level.get(resolved[0], -1) + 1)
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


def _pulls(value: int) -> Any:
    return lambda puller, axes: puller.pull(value, axes)


def _contiguous(strides: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return all(n == 1 or s == t for n, s, t in zip(shape, strides, strides_of(shape), strict=True))


def _inner(scan: Scan) -> Any:
    """Plan the body: in registers (None) or in loops."""
    from .loops import Loops

    body = scan.body
    state = sum(_size(slot.shape) for slot in body.inputs[: scan.carry])
    if state <= REGISTER_STATE and straight.size(body) <= REGISTER_OPERATIONS:
        try:
            straight.Straight(Code(), body, scalars_of(body)).write(["%p"] * (len(body.inputs) + len(body.captures)))
            return None
        except straight.NoLowering:
            pass
    count = len(body.inputs)
    leaves = {}
    for i, slot in enumerate(body.inputs):
        leaves[i] = Layout.of(slot.shape)
        if i >= scan.carry + len(scan.rows):
            strides = scan.consts[i - scan.carry - len(scan.rows)][2]
            leaves[i] = Layout(strides, 0, _contiguous(strides, slot.shape))
    constants = {count + i: value for i, value in scalars_of(body).items()}
    if len(constants) != len(body.captures):
        raise straight.NoLowering("a body that captures an array")
    inner = Loops(Code(), body, leaves, constants, in_loop=True)
    inner.prepare()
    return inner


def scalars_of(body: Program) -> dict[int, Any]:
    """Return the numbers that a body captures."""
    return {i: c for i, c in enumerate(body.captures) if isinstance(c, bool | int | float | complex | np.generic)}


# ---------------------------------------------------------------- writing


def write_scan(code: Code, scan: Scan, pointer: dict[int, str], kinds: dict[int, Kind], name: str) -> None:
    """Write the loop into the current function. The body's kernels are written already, under `name`."""
    if scan.inner is None:
        _write_in_registers(code, scan, pointer, kinds)
        return
    body, carry = scan.body, scan.carry
    start, head, latch, done = (code.fresh(x) for x in ("scan", "step", "latch", "done"))
    sizes = [_bytes(body.inputs[i]) for i in range(carry)]
    if scan.length == 0:
        for (first, _), final, size in zip(scan.states, scan.finals, sizes, strict=True):
            _copy(code, pointer[final], pointer[first], size)
        return
    t, following = f"%{code.fresh('t')}", f"%{code.fresh('next')}"
    code.row(f"br label %{start}")
    code.label(start)
    code.row(f"br label %{head}")
    code.label(head)
    code.row(f"{t} = phi i64 [ 0, %{start} ], [ {following}, %{latch} ]")
    now, later = [], []
    for first, second in scan.states:
        a, b = f"%{code.fresh('now')}", f"%{code.fresh('later')}"
        code.row(f"{a} = phi ptr [ {pointer[first]}, %{start} ], [ {b}, %{latch} ]")
        code.row(f"{b} = phi ptr [ {pointer[second]}, %{start} ], [ {a}, %{latch} ]")
        now.append(a)
        later.append(b)
    code.push()
    row = code.let(f"sub i64 {scan.length - 1}, {t}") if scan.reverse else t
    leaves = [*now, *_row_addresses(code, scan, pointer, row), *_constant_addresses(code, scan, pointer)]
    ys = [
        _element(code, pointer[y], _bytes(slot), row)
        for y, slot in zip(scan.ys, body.output_slots[carry:], strict=True)
    ]
    scan.inner.write_calls(code, name, leaves, [*later, *ys], pointer[scan.memory], clear_outputs=True)
    code.pop()
    code.row(f"br label %{latch}")
    code.label(latch)
    code.row(f"{following} = add nuw nsw i64 {t}, 1")
    more = code.let(f"icmp ult i64 {following}, {scan.length}")
    code.row(f"br i1 {more}, label %{head}, label %{done}")
    code.label(done)
    for b, final, size in zip(later, scan.finals, sizes, strict=True):
        _copy(code, pointer[final], b, size)


def _row_addresses(code: Code, scan: Scan, pointer: dict[int, str], row: str) -> list[str]:
    found = []
    for i, (value, offset, strides) in enumerate(scan.rows, start=scan.carry):
        kind = kind_of(scan.body.inputs[i].dtype)
        assert kind is not None
        place = code.let(f"mul i64 {row}, {strides[0] * kind.itemsize}")
        if offset:
            place = code.let(f"add i64 {place}, {offset * kind.itemsize}")
        found.append(code.let(f"getelementptr i8, ptr {pointer[value]}, i64 {place}"))
    return found


def _constant_addresses(code: Code, scan: Scan, pointer: dict[int, str]) -> list[str]:
    found = []
    for i, (value, offset, _) in enumerate(scan.consts, start=scan.carry + len(scan.rows)):
        kind = kind_of(scan.body.inputs[i].dtype)
        assert kind is not None
        found.append(code.let(f"getelementptr i8, ptr {pointer[value]}, i64 {offset * kind.itemsize}"))
    return found


def _element(code: Code, base: str, size: int, row: str) -> str:
    return code.let(f"getelementptr i8, ptr {base}, i64 {code.let(f'mul i64 {row}, {size}')}")


def _copy(code: Code, target: str, source: str, size: int) -> None:
    if size:
        code.declares["llvm.memcpy.p0.p0.i64"] = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)"
        code.row(f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {size}, i1 false)")


def _write_in_registers(code: Code, scan: Scan, pointer: dict[int, str], kinds: dict[int, Kind]) -> None:
    body, carry = scan.body, scan.carry
    start, head, latch, done = (code.fresh(x) for x in ("scan", "step", "latch", "done"))
    consts = []
    for i, address in enumerate(_constant_addresses(code, scan, pointer), start=carry + len(scan.rows)):
        slot = body.inputs[i]
        strides = scan.consts[i - carry - len(scan.rows)][2]
        consts.append(_load(code, address, slot, strides))
    begin = [_load(code, pointer[first], body.inputs[i], None) for i, (first, _) in enumerate(scan.states)]
    code.row(f"br label %{start}")
    code.label(start)
    if scan.length == 0:
        for i, final in enumerate(scan.finals):
            _save(code, begin[i], pointer[final], body.output_slots[i])
        return
    code.row(f"br label %{head}")
    code.label(head)
    at = len(code.rows)
    t, following = f"%{code.fresh('t')}", f"%{code.fresh('next')}"
    state = [_registers(code, array) for array in begin]
    code.push()
    row = code.let(f"sub i64 {scan.length - 1}, {t}") if scan.reverse else t
    rows = [
        _load(code, address, body.inputs[carry + i], None)
        for i, address in enumerate(_row_addresses(code, scan, pointer, row))
    ]
    given = dict(enumerate([*state, *rows, *consts]))
    outputs = straight.Straight(code, body, scalars_of(body), given).write([""] * (len(body.inputs) + len(body.captures)))
    slots = body.output_slots
    for y, array, slot in zip(scan.ys, outputs[carry:], slots[carry:], strict=True):
        _save(code, array, _element(code, pointer[y], _bytes(slot), row), slot)
    after = [_as_kind(code, array, slot) for array, slot in zip(outputs[:carry], slots[:carry], strict=True)]
    code.pop()
    code.row(f"br label %{latch}")
    code.label(latch)
    code.row(f"{following} = add nuw nsw i64 {t}, 1")
    more = code.let(f"icmp ult i64 {following}, {scan.length}")
    code.row(f"br i1 {more}, label %{head}, label %{done}")
    code.label(done)
    phis = [f"  {t} = phi i64 [ 0, %{start} ], [ {following}, %{latch} ]"]
    for old, mine, new in zip(begin, state, after, strict=True):
        for a, m, b in zip(old.flat, mine.flat, new.flat, strict=True):
            phis.append(f"  {m.re} = phi {m.kind.type} [ {a.re}, %{start} ], [ {b.re}, %{latch} ]")
            if m.im:
                phis.append(f"  {m.im} = phi {m.kind.type} [ {a.im}, %{start} ], [ {b.im}, %{latch} ]")
    code.rows[at:at] = phis
    for array, final, slot in zip(after, scan.finals, slots, strict=False):
        _save(code, array, pointer[final], slot)


def _registers(code: Code, array: np.ndarray) -> np.ndarray:
    fresh = np.empty(array.shape, object)
    for i, value in enumerate(array.flat):
        names = [f"%{code.fresh('s')}" for _ in range(2 if value.im else 1)]
        fresh.flat[i] = Value(value.kind, *names)
    return fresh


def _load(code: Code, address: str, slot: Any, strides: tuple[int, ...] | None) -> np.ndarray:
    kind = kind_of(slot.dtype)
    assert kind is not None
    array = np.empty(slot.shape, object)
    places = strides_of(slot.shape) if strides is None else strides
    for index in np.ndindex(*slot.shape):
        offset = sum(i * s for i, s in zip(index, places, strict=True))
        array[index] = code.load(address, kind, str(offset), merge=False)
    return array


def _as_kind(code: Code, array: np.ndarray, slot: Any) -> np.ndarray:
    kind = kind_of(slot.dtype)
    assert kind is not None
    fresh = np.empty(array.shape, object)
    for i, value in enumerate(array.flat):
        fresh.flat[i] = straight.constant(kind, 0) if value is straight.ZERO else code.convert(value, kind)
    return fresh


def _save(code: Code, array: np.ndarray, address: str, slot: Any) -> None:
    for i, value in enumerate(_as_kind(code, array, slot).flat):
        code.store(value, address, str(i))


def _bytes(slot: Any) -> int:
    kind = kind_of(slot.dtype)
    assert kind is not None
    return _size(slot.shape) * kind.itemsize


def _size(shape: Any) -> int:
    n = 1
    for extent in shape:
        n *= extent
    return n
