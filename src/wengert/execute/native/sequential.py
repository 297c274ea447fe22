"""Scans and arg-reductions: one axis is walked in order, the others are loops around it."""

from __future__ import annotations

from typing import Any

from . import scalars
from .affine import strides_of
from .ir import BOOL, I8, Code, Kind, Value, constant

_PAIR = {
    "cumsum": "add",
    "cumprod": "multiply",
    "cummax": "maximum",
    "cummin": "minimum",
    "running_max_index": "maximum",
}


def write(code: Code, payload: Any, out: int, pointer: dict[int, str], schedule: Any) -> None:
    """Write the loops of one step in the current function.

    `payload` is (step, stored operand, its offset, its strides in elements).
    """
    step, value, offset, strides = payload
    name = step.primitive.name
    axis = dict(step.params)["axis"]
    shape = schedule.shape_of(step.args[0])
    kind, result = schedule.kinds[value], schedule.kinds[out]
    searching = name in ("argmax", "argmin")
    target = list(strides_of([n for i, n in enumerate(shape) if i != axis] if searching else shape))
    if searching:
        target.insert(axis, 0)
    starts: list[tuple[str, str, str, int]] = []
    place_in, place_out = str(offset), "0"
    for i, n in enumerate(shape):
        if i == axis or n == 1:
            continue
        head, done, before = code.fresh("head"), code.fresh("done"), code.fresh("before")
        counter, following = f"%{code.fresh('i')}", f"%{code.fresh('next')}"
        code.row(f"br label %{before}")
        code.label(before)
        code.row(f"br label %{head}")
        code.label(head)
        code.row(f"{counter} = phi i64 [ 0, %{before} ], [ {following}, %{head}.end ]")
        code.push()
        starts.append((head, done, counter, n))
        place_in = code.let(f"add i64 {place_in}, {code.let(f'mul i64 {counter}, {strides[i]}')}")
        place_out = code.let(f"add i64 {place_out}, {code.let(f'mul i64 {counter}, {target[i]}')}")
        starts[-1] = (head, done, f"{counter} {following}", n)
    base_in, base_out = pointer[value], pointer[out]
    if searching:
        _search(code, name, kind, result, base_in, place_in, strides[axis], shape[axis], base_out, place_out)
    else:
        _scan(
            code, name, kind, result, base_in, place_in, strides[axis], shape[axis], base_out, place_out, target[axis]
        )
    for head, done, names, n in reversed(starts):
        counter, following = names.split()
        code.pop()
        code.row(f"br label %{head}.end")
        code.label(f"{head}.end")
        code.row(f"{following} = add nuw nsw i64 {counter}, 1")
        more = code.let(f"icmp ult i64 {following}, {n}")
        code.row(f"br i1 {more}, label %{head}, label %{done}")
        code.label(done)


def _at(code: Code, place: str, counter: str, stride: int) -> str:
    return code.let(f"add i64 {place}, {code.let(f'mul i64 {counter}, {stride}')}")


def _scan(
    code: Code, name: str, kind: Kind, result: Kind, source: str, place: str, stride: int, n: int,
    target: str, place_out: str, stride_out: int,
) -> None:  # fmt: skip
    first = code.convert(code.load(source, kind, place, merge=False), result)
    code.store(first, target, place_out)
    if n == 1:
        return
    before, head, done = code.fresh("before"), code.fresh("head"), code.fresh("done")
    counter, following, running = (f"%{code.fresh(x)}" for x in ("k", "next", "sum"))
    code.row(f"br label %{before}")
    code.label(before)
    code.row(f"br label %{head}")
    code.label(head)
    at = len(code.rows)
    code.push()
    x = code.convert(code.load(source, kind, _at(code, place, counter, stride), merge=False), result)
    total = scalars.LOWER[_PAIR[name]](code, result, Value(result, running), x)
    code.store(total, target, _at(code, place_out, counter, stride_out))
    code.row(f"{following} = add nuw nsw i64 {counter}, 1")
    more = code.let(f"icmp ult i64 {following}, {n}")
    code.row(f"br i1 {more}, label %{head}, label %{done}")
    code.pop()
    code.label(done)
    code.rows[at:at] = [
        f"  {counter} = phi i64 [ 1, %{before} ], [ {following}, %{head} ]",
        f"  {running} = phi {result.type} [ {first.re}, %{before} ], [ {total.re}, %{head} ]",
    ]


def _search(
    code: Code, name: str, kind: Kind, result: Kind, source: str, place: str, stride: int, n: int,
    target: str, place_out: str,
) -> None:  # fmt: skip
    """The first largest (smallest) element; the first NaN wins over everything."""
    first = code.load(source, kind, place, merge=False)
    before, head, done = code.fresh("before"), code.fresh("head"), code.fresh("done")
    if n == 1:
        code.store(constant(result, 0), target, place_out)
        return
    counter, following, best, where = (f"%{code.fresh(x)}" for x in ("k", "next", "best", "where"))
    code.row(f"br label %{before}")
    code.label(before)
    code.row(f"br label %{head}")
    code.label(head)
    at = len(code.rows)
    code.push()
    x = code.load(source, kind, _at(code, place, counter, stride), merge=False)
    larger = name == "argmax"
    if kind.code == "f":
        better = code.compare("ogt" if larger else "olt", kind, x.re, best)
        fresh_nan = code.both(code.is_nan(kind, x.re), code.pure(f"xor i1 {code.is_nan(kind, best)}, true"))
        better = code.either(better, fresh_nan)
    else:
        letter = "s" if kind.code == "i" else "u"
        better = code.compare(f"{letter}{'gt' if larger else 'lt'}", kind, x.re, best)
    new_best = code.select(better, kind, x.re, best)
    new_where = code.select(better, I8, counter, where)
    code.row(f"{following} = add nuw nsw i64 {counter}, 1")
    more = code.let(f"icmp ult i64 {following}, {n}")
    code.row(f"br i1 {more}, label %{head}, label %{done}")
    code.pop()
    code.label(done)
    code.rows[at:at] = [
        f"  {counter} = phi i64 [ 1, %{before} ], [ {following}, %{head} ]",
        f"  {best} = phi {kind.type} [ {first.re}, %{before} ], [ {new_best}, %{head} ]",
        f"  {where} = phi i64 [ 0, %{before} ], [ {new_where}, %{head} ]",
    ]
    code.store(code.convert(Value(I8, new_where), result), target, place_out)


_ = BOOL
