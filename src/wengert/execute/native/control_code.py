"""The code of control flow; see `control` for how it is planned."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import straight
from .affine import strides_of
from .control import Branches, Scan, While, scalars_of
from .ir import SIGNED, Code, Kind, Value, kind_of
from .items import size_of


def write_branches(code: Code, made: Branches, pointer: dict[int, str], name: str) -> None:
    """Write the branch into the current function."""
    value, offset, kind = made.selector
    selector = code.convert(code.load(pointer[value], kind, str(offset), merge=False), SIGNED[64])
    last = len(made.parts) - 1
    low = code.let(f"icmp slt i64 {selector.re}, 0")
    above = code.let(f"icmp sgt i64 {selector.re}, {last}")
    inside = code.let(f"select i1 {above}, i64 {last}, i64 {selector.re}")
    number = code.let(f"select i1 {low}, i64 0, i64 {inside}")
    done = code.fresh("joined")
    labels = [code.fresh("branch") for _ in made.parts]
    cases = " ".join(f"i64 {i}, label %{label}" for i, label in enumerate(labels[:-1]))
    code.row(f"switch i64 {number}, label %{labels[-1]} [ {cases} ]")
    for label, part, (inner_name, _) in zip(labels, made.parts, made.inners(), strict=True):
        code.label(label)
        code.push()
        part.write(code, f"{name}_{inner_name}", pointer, [], [pointer[r] for r in made.results])
        code.pop()
        code.row(f"br label %{done}")
    code.label(done)


def write_while(code: Code, made: While, pointer: dict[int, str], name: str) -> None:
    """Write the loop into the current function."""
    start, head, step, done = (code.fresh(x) for x in ("while", "test", "step", "done"))
    code.row(f"br label %{start}")
    code.label(start)
    code.row(f"br label %{head}")
    code.label(head)
    now, later = [], []
    for first, second in made.states:
        a, b = f"%{code.fresh('now')}", f"%{code.fresh('later')}"
        code.row(f"{a} = phi ptr [ {pointer[first]}, %{start} ], [ {b}, %{step}.end ]")
        code.row(f"{b} = phi ptr [ {pointer[second]}, %{start} ], [ {a}, %{step}.end ]")
        now.append(a)
        later.append(b)
    code.push()
    made.test.write(code, f"{name}_test", pointer, now, [pointer[made.flag]])
    flag = code.let(f"icmp ne i8 {code.let(f'load i8, ptr {pointer[made.flag]}')}, 0")
    code.row(f"br i1 {flag}, label %{step}, label %{done}")
    code.label(step)
    made.body.write(code, f"{name}_body", pointer, now, later)
    code.pop()
    code.row(f"br label %{step}.end")
    code.label(f"{step}.end")
    code.row(f"br label %{head}")
    code.label(done)
    for a, result, slot in zip(now, made.results, made.body.program.output_slots, strict=True):
        _copy(code, pointer[result], a, _bytes(slot))


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
    scan.inner.write_calls(code, f"{name}_body", leaves, [*later, *ys], pointer[scan.memory], clear_outputs=True)
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
    outputs = straight.Straight(code, body, scalars_of(body), given).write(
        [""] * (len(body.inputs) + len(body.captures))
    )
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
    return size_of(slot.shape) * kind.itemsize
