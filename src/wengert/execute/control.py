"""Branches and calls: primitives whose settings are Programs.

The Programs in a line's settings are closed: everything they read is an argument of the line. Their derivatives are
lines of the same kind over derived Programs, so every order and every transform is covered by the same few rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..primitives.base import Primitive, reads_nothing, shape_of
from ..primitives.elementwise import where
from ..primitives.indexing import ARRAY, index, index_set
from ..primitives.structural import pick
from ..program import Program, Slot, Step
from ..recording import Traced, apply
from ..transforms.batch import run_batched
from ..transforms.derive import batch_program, forward_program, is_inexact, reverse_program
from ..transforms.simplify import simplify
from .interpret import run

# ---------------------------------------------------------------- Programs as settings


def function_of(program: Program) -> Callable[..., tuple[Any, ...]]:
    """Return the Python function of a Program's inputs that computes its outputs from plain arrays.

    It is that of an equal Program seen before, if there is one, which may have become machine code in the meantime.
    """
    captures = program.captures
    known = program if captures else interned(program)
    return lambda *values: run(known, values, captures)


@lru_cache(maxsize=512)
def interned(program: Program) -> Program:
    """Return the first of all equal closed Programs."""
    return program


def rearranged(program: Program, inputs: Sequence[int | Slot], outputs: Sequence[int] | None = None) -> Program:
    """Return the Program with its inputs and outputs in another order.

    An entry of `inputs` is the number of an old input, or the slot of a new one that nothing reads.
    """
    numbers = {old: new for new, old in enumerate(inputs) if isinstance(old, int)}
    shift = len(inputs) - len(program.inputs)

    def number(old: int) -> int:
        return numbers[old] if old < len(program.inputs) else old + shift

    chosen = program.outputs if outputs is None else [program.outputs[i] for i in outputs]
    return Program(
        [program.inputs[i] if isinstance(i, int) else i for i in inputs],
        program.captures,
        [Step(s.primitive, tuple(map(number, s.args)), s.params, s.slot) for s in program.steps],
        [number(i) for i in chosen],
    )


def with_common_inputs(programs: Sequence[Program]) -> tuple[tuple[Program, ...], list[Any]]:
    """Close Programs over the same inputs: each gets the captures of all as further inputs, in the same order."""
    count = len(programs[0].inputs)
    closed = [program.closed() for program in programs]
    captured = [value for _, values in closed for value in values]
    slots = [Slot.of(value) for value in captured]
    common = []
    start = 0
    for program, values in closed:
        stop = start + len(values)
        order: list[int | Slot] = list(range(count))
        order += [count + i - start if start <= i < stop else slots[i] for i in range(len(captured))]
        common.append(rearranged(program, order))
        start = stop
    return tuple(common), captured


@lru_cache(maxsize=512)
def reversed_for(program: Program, wrt: tuple[int, ...]) -> Program:
    """Return the simplified reverse Program of a closed one, with cotangents for its inexact outputs only."""
    count = len(program.inputs)
    seeds = [count + i for i, slot in enumerate(program.output_slots) if is_inexact(slot)]
    return simplify(rearranged(reverse_program(program, wrt), [*range(count), *seeds]))


@lru_cache(maxsize=512)
def forwarded_for(program: Program, wrt: tuple[int, ...], with_value: bool = False) -> Program:
    """Return the simplified forward Program of a closed one."""
    return simplify(forward_program(program, wrt, with_value=with_value))


@lru_cache(maxsize=512)
def batched_for(program: Program, size: int, flags: tuple[bool, ...]) -> Program:
    """Return the batched Program of a closed one; all its outputs have the samples' axis."""
    return simplify(batch_program(program, size, flags)[0])


def zeros_of(slot: Slot) -> np.ndarray:
    """Return zeros: a cotangent or tangent that is exactly zero."""
    return np.zeros(slot.shape, slot.dtype)


def filled(parts: Sequence[Any], slots: Sequence[Slot]) -> list[Any]:
    """Return one cotangent or tangent per slot of inexact numbers, zeros where there is none."""
    return [
        zeros_of(slot) if part is None else part for part, slot in zip(parts, slots, strict=True) if is_inexact(slot)
    ]


def result_of(slots: Sequence[Slot]) -> tuple[Any, Any]:
    """Return shapes and dtypes of a line with several results."""
    return tuple(slot.shape for slot in slots), tuple(np.dtype(slot.dtype) for slot in slots)


def spread_over(parts: Sequence[Any], slots: Sequence[Slot]) -> tuple[Any, ...]:
    """Return one tangent per result from those of the inexact ones."""
    remaining = iter(parts)
    return tuple(next(remaining) if is_inexact(slot) else None for slot in slots)


def picked(result: Any, count: int) -> list[Any]:
    """Return the results of a line with several."""
    return [pick(result, position=i) for i in range(count)]


def varying(tangents: Sequence[Any], slots: Sequence[Slot]) -> tuple[int, ...]:
    """Return which arguments have a tangent."""
    return tuple(
        i for i, (t, slot) in enumerate(zip(tangents, slots, strict=True)) if t is not None and is_inexact(slot)
    )


def wanted(needs: Sequence[bool], slots: Sequence[Slot]) -> tuple[int, ...]:
    """Return which arguments need a cotangent and can have one."""
    return tuple(i for i, (need, slot) in enumerate(zip(needs, slots, strict=True)) if need and is_inexact(slot))


# ---------------------------------------------------------------- several values as one


def broadcast_samples(part: Any, flag: bool, size: int) -> Any:
    """Give a value that all samples share the samples' axis."""
    return part if flag else np.broadcast_to(part, (size, *shape_of(part)))


pack: Primitive = Primitive(
    "pack",
    lambda *parts: parts,
    abstract=lambda *parts: result_of([Slot.of(part) for part in parts]),
    vjp=lambda cotangents, _out, *parts, needs: tuple(cotangents),
    jvp=lambda tangents, _out, *parts: tuple(tangents),
    batch=lambda size, batched, *parts: pack(
        *(broadcast_samples(part, flag, size) for part, flag in zip(parts, batched, strict=True))
    ),
    reads=reads_nothing,
    family="structural",
)
"""Several values as the results of one line; `pick` takes them apart."""


# ---------------------------------------------------------------- branches


def _choose(selector: Any, branches: Sequence[Program]) -> Program:
    return branches[min(max(int(selector), 0), len(branches) - 1)]


def _cond_vjp(
    cotangents: Any, _out: Any, selector: Any, *args: Any, needs: Sequence[bool], branches: tuple[Program, ...]
) -> Any:
    slots = branches[0].inputs
    which = wanted(needs[1:], slots)
    if not which:
        return (None,) * (len(args) + 1)
    derived, extra = with_common_inputs([reversed_for(branch, which) for branch in branches])
    seeds = filled(cotangents, branches[0].output_slots)
    pulled = picked(cond(selector, *args, *seeds, *extra, branches=derived), len(which))
    return (None, *spread(pulled, which, len(args)))


def spread(values: Sequence[Any], places: Sequence[int], count: int) -> list[Any]:
    """Return a list with the values at their places and None elsewhere."""
    result: list[Any] = [None] * count
    for place, value in zip(places, values, strict=True):
        result[place] = value
    return result


def _cond_jvp(tangents: Sequence[Any], _out: Any, selector: Any, *args: Any, branches: tuple[Program, ...]) -> Any:
    which = varying(tangents[1:], branches[0].inputs)
    slots = branches[0].output_slots
    if not which:
        return (None,) * len(slots)
    derived, extra = with_common_inputs([forwarded_for(branch, which) for branch in branches])
    result = cond(selector, *args, *(tangents[1 + i] for i in which), *extra, branches=derived)
    return tuple(
        part if is_inexact(slot) else None for part, slot in zip(picked(result, len(slots)), slots, strict=True)
    )


def _cond_batch(size: int, batched: Sequence[bool], selector: Any, *args: Any, branches: tuple[Program, ...]) -> Any:
    flags = tuple(batched[1:])
    count = len(branches[0].outputs)
    if not batched[0]:
        derived, extra = with_common_inputs([batched_for(branch, size, flags) for branch in branches])
        return cond(selector, *args, *extra, branches=derived)
    values = selector._data if isinstance(selector, Traced) else selector
    if values is not None:
        return _split_samples(size, flags, np.asarray(values), args, branches)
    # The choice is not known yet: all branches run, and each sample selects.
    results = []
    for branch in branches:
        outs, which = run_batched(branch, size, args, flags)
        results.append([broadcast_samples(out, flag, size) for out, flag in zip(outs, which, strict=True)])
    chosen = results[0]
    for number in range(1, len(branches)):
        is_mine = np.greater_equal(selector, number)  # the last branch takes all larger numbers, as a call does
        for i in range(count):
            mask = np.reshape(is_mine, (size,) + (1,) * (len(shape_of(chosen[i])) - 1))
            chosen[i] = where(mask, results[number][i], chosen[i])
    return pack(*chosen)


def _split_samples(
    size: int, flags: Sequence[bool], selector: np.ndarray, args: Sequence[Any], branches: tuple[Program, ...]
) -> Any:
    """Run each branch on the samples that take it: no work is lost, and nothing leaks from a branch not taken."""
    numbers = np.clip(selector.astype(np.intp), 0, len(branches) - 1)
    slots = branches[0].output_slots
    results: list[Any] = [np.zeros((size, *slot.shape), slot.dtype) for slot in slots]
    for number, branch in enumerate(branches):
        rows = np.flatnonzero(numbers == number)
        if len(rows) == 0:
            continue
        everyone = len(rows) == size
        mine = [
            index(arg, rows, spec=(ARRAY,)) if flag and not everyone else arg
            for arg, flag in zip(args, flags, strict=True)
        ]
        outs, which = run_batched(branch, len(rows), mine, flags)
        outs = [broadcast_samples(out, flag, len(rows)) for out, flag in zip(outs, which, strict=True)]
        if everyone:
            return pack(*outs)
        results = [index_set(old, new, rows, spec=(ARRAY,)) for old, new in zip(results, outs, strict=True)]
    return pack(*results)


cond = Primitive(
    "cond",
    lambda selector, *args, branches: function_of(_choose(selector, branches))(*args),
    abstract=lambda selector, *args, branches: result_of(branches[0].output_slots),
    vjp=_cond_vjp,
    jvp=_cond_jvp,
    batch=_cond_batch,
    family="control",
)
"""One of several Programs, chosen by number; a number outside of them takes the first or the last."""


# ---------------------------------------------------------------- calls


def _call_vjp(cotangents: Any, _out: Any, *args: Any, needs: Sequence[bool], program: Program) -> Any:
    which = wanted(needs, program.inputs)
    if not which:
        return (None,) * len(args)
    derived, extra = reversed_for(program, which).closed()
    seeds = filled(cotangents, program.output_slots)
    result = call(*args, *seeds, *extra, program=derived)
    return spread(picked(result, len(which)), which, len(args))


def _call_jvp(tangents: Sequence[Any], _out: Any, *args: Any, program: Program) -> Any:
    which = varying(tangents, program.inputs)
    slots = program.output_slots
    if not which:
        return (None,) * len(slots)
    derived, extra = forwarded_for(program, which).closed()
    result = call(*args, *(tangents[i] for i in which), *extra, program=derived)
    parts = picked(result, len(slots))
    return tuple(part if is_inexact(slot) else None for part, slot in zip(parts, slots, strict=True))


def _call_batch(size: int, batched: Sequence[bool], *args: Any, program: Program) -> Any:
    derived, extra = batched_for(program, size, tuple(batched)).closed()
    return call(*args, *extra, program=derived)


call = Primitive(
    "call",
    lambda *args, program: function_of(program)(*args),
    abstract=lambda *args, program: result_of(program.output_slots),
    vjp=_call_vjp,
    jvp=_call_jvp,
    batch=_call_batch,
    family="control",
)
"""A Program as one line: nothing inside is kept for the backward pass, which runs it again."""


def run_line(primitive: Primitive, args: Sequence[Any], params: dict[str, Any], count: int) -> list[Any]:
    """Apply a control primitive and return its results, as arrays where no argument was a tensor."""
    result = apply(primitive, args, params)
    return picked(result, count) if isinstance(result, Traced) else list(result)
