"""Loops: `scan` and `while`, primitives whose body is a Program.

Their pullbacks are primitives too (`scan_pull`, `while_pull`): they run the loop again, keep as many states as they
are allowed, and go back step by step. The derivative of a loop and of its pullback is a loop, or the pullback of a
loop, over the *dual* body, which carries (state, tangent). For F with Jacobian J, dual G(x, t) = (F(x), J t) and
pullback B(x, c) = J' c (' is the transpose):

    tangent of F along t                  =  second part of G(x, t)
    tangent of B along (t, s)             =  first part of the pullback of G at (x, t) for cotangents (s, c)
    cotangent of c in B for w             =  second part of G(x, w)
    cotangent of x in B for w             =  first part of the pullback of G at (x, w) for cotangents (0, c)

because the pullback of G maps (s, c) to (J' s + (d(J t)/dx)' c, J' c). So all orders stay within four primitives, and
the bound on stored states holds for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..primitives.base import Primitive, shape_of
from ..primitives.indexing import transpose
from ..primitives.structural import pick
from ..program import Program, Slot, trace
from ..transforms.batch import run_batched
from ..transforms.derive import is_inexact
from ..transforms.simplify import simplify
from .control import (
    broadcast_samples,
    filled,
    forwarded_for,
    function_of,
    pack,
    picked,
    rearranged,
    result_of,
    reversed_for,
    spread,
    spread_over,
    varying,
    wanted,
    zeros_of,
)
from .revolve import reverse_steps


def inexact_places(slots: Sequence[Slot], start: int = 0) -> list[int]:
    """Return the places of floating and complex values, counted from `start`."""
    return [start + i for i, slot in enumerate(slots) if is_inexact(slot)]


class Dual:
    """A body that carries tangents along, and where the old arguments and results stand in its own.

    `active` are the inputs that have a tangent besides the state, whose floating parts always have one.
    """

    def __init__(self, body: Program, n_carry: int, n_xs: int, active: tuple[int, ...]) -> None:
        slots = body.inputs
        groups = (range(n_carry), range(n_carry, n_carry + n_xs), range(n_carry + n_xs, len(slots)))
        moving = [inexact_places(slots[:n_carry]), *([i for i in group if i in active] for group in groups[1:])]
        wrt = tuple(i for group in moving for i in group)
        derived = forwarded_for(body, wrt, True)
        tangent_of = {i: len(slots) + j for j, i in enumerate(wrt)}
        order: list[int | Slot] = []
        for group, mine in zip(groups, moving, strict=True):
            order += [*group, *(tangent_of[i] for i in mine)]
        outs = body.output_slots
        carry_out, ys_out = inexact_places(outs[:n_carry]), inexact_places(outs[n_carry:], n_carry)
        results = [
            *range(n_carry),
            *(len(outs) + i for i in carry_out),
            *range(n_carry, len(outs)),
            *(len(outs) + i for i in ys_out),
        ]
        program = rearranged(derived, order, results)
        self.wrt = wrt
        self.body, self.extra = program.closed()
        self.n_carry = n_carry + len(moving[0])
        self.n_xs = n_xs + len(moving[1])
        self.order = order  # per argument of the dual loop: the old argument, or the tangent as len(slots) + j
        # Where the old arguments, and the tangents of old results, stand among the dual loop's.
        self.place = {old: new for new, old in enumerate(order)}
        self.tangents_out = [new for new, old in enumerate(results) if isinstance(old, int) and old >= len(outs)]
        self.results = results
        self.count = len(outs)

    def arguments(self, args: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """Return the dual loop's arguments; a tangent of None is zero."""
        count = len(args)
        return [
            args[old] if old < count else or_zeros(tangents[self.wrt[old - count]], args[self.wrt[old - count]])
            for old in self.order
            if isinstance(old, int)
        ] + list(self.extra)

    def cotangents(self, of_values: Sequence[Any], of_tangents: Sequence[Any]) -> list[Any]:
        """Return cotangents for the dual loop's inexact results from those for values and for tangents.

        Both are given for the inexact results only.
        """
        values, tangents = iter(of_values), iter(of_tangents)
        return [next(values) if old < self.count else next(tangents) for old in self.inexact_results]

    @property
    def inexact_results(self) -> list[int]:
        """The old results (tangents as count + i) of the dual loop that are inexact, in its order."""
        slots = self.body.output_slots
        return [old for old, slot in zip(self.results, slots, strict=True) if is_inexact(slot)]


def or_zeros(tangent: Any, like: Any) -> Any:
    """Return the tangent, or zeros for one that is exactly zero."""
    return zeros_of(Slot.of(like)) if tangent is None else tangent


@lru_cache(maxsize=256)
def dual_of(body: Program, n_carry: int, n_xs: int, active: tuple[int, ...]) -> Dual:
    """Return the dual of a closed body."""
    return Dual(body, n_carry, n_xs, active)


# ---------------------------------------------------------------- scan


def _ys_slots(body: Program, carry: int, length: int) -> list[Slot]:
    return [Slot((length, *slot.shape), slot.dtype) for slot in body.output_slots[carry:]]


def _scan_slots(body: Program, carry: int, length: int) -> list[Slot]:
    return [*body.output_slots[:carry], *_ys_slots(body, carry, length)]


def _scan(*args: Any, body: Program, carry: int, xs: int, length: int, reverse: bool, keep: int) -> tuple[Any, ...]:
    step = function_of(body)
    state = args[:carry]
    rows = args[carry : carry + xs]
    consts = args[carry + xs :]
    ys = [np.empty(slot.shape, slot.dtype) for slot in _ys_slots(body, carry, length)]
    with np.errstate(all="ignore"):
        for k in range(length - 1, -1, -1) if reverse else range(length):
            out = step(*state, *[row[k] for row in rows], *consts)
            state = out[:carry]
            for y, value in zip(ys, out[carry:], strict=True):
                y[k] = value
    return (*(np.asarray(part) for part in state), *ys)


def _scan_pull(
    *args: Any,
    body: Program,
    carry: int,
    xs: int,
    length: int,
    reverse: bool,
    keep: int,
    which: tuple[int, ...],
) -> tuple[Any, ...]:
    count = len(body.inputs)
    args, seeds = args[:count], args[count:]
    moving = inexact_places(body.inputs[:carry])
    others = [i for i in which if i >= carry]
    step = function_of(body)
    back_step = function_of(reversed_for(body, (*moving, *others)))
    rows, consts = args[carry : carry + xs], args[carry + xs :]
    state_seeds = list(seeds[: len(moving)])
    row_seeds = seeds[len(moving) :]
    found = {
        i: np.zeros((length, *body.inputs[i].shape) if i < carry + xs else body.inputs[i].shape, body.inputs[i].dtype)
        for i in others
    }

    def place(k: int) -> int:
        return length - 1 - k if reverse else k

    def advance(state: Any, k: int) -> Any:
        k = place(k)
        return step(*state, *[row[k] for row in rows], *consts)[:carry]

    def back(state: Any, k: int) -> None:
        k = place(k)
        pulled = back_step(*state, *[row[k] for row in rows], *consts, *state_seeds, *[row[k] for row in row_seeds])
        state_seeds[:] = pulled[: len(moving)]
        for i, value in zip(others, pulled[len(moving) :], strict=True):
            if i < carry + xs:
                found[i][k] = value
            else:
                found[i] += value

    with np.errstate(all="ignore"):
        reverse_steps(length, args[:carry], advance, back, keep or None)
    found.update(zip(moving, map(np.asarray, state_seeds), strict=True))
    return tuple(found[i] for i in which)


def _moved(x: Any, front: int) -> Any:
    """Exchange the samples' axis and the steps' axis, the first two."""
    return transpose(x, axes=(1, 0, *range(2, len(shape_of(x))))) if front else x


def _scan_vjp(cotangents: Any, _out: Any, *args: Any, needs: Sequence[bool], **params: Any) -> Any:
    body, carry, length = params["body"], params["carry"], params["length"]
    which = wanted(needs, body.inputs)
    if not which:
        return (None,) * len(args)
    seeds = filled(cotangents, _scan_slots(body, carry, length))
    pulled = picked(scan_pull(*args, *seeds, **params, which=which), len(which))
    return spread(pulled, which, len(args))


def _scan_dual(active: Sequence[int], params: dict[str, Any]) -> tuple[Dual, dict[str, Any]]:
    dual = dual_of(params["body"], params["carry"], params["xs"], tuple(active))
    return dual, {**params, "body": dual.body, "carry": dual.n_carry, "xs": dual.n_xs}


def _scan_jvp(tangents: Sequence[Any], _out: Any, *args: Any, **params: Any) -> Any:
    slots = params["body"].output_slots
    active = varying(tangents, params["body"].inputs)
    if not active:
        return (None,) * len(slots)
    dual, settings = _scan_dual(active, params)
    result = scan(*dual.arguments(args, tangents), **settings)
    return spread_over([pick(result, position=i) for i in dual.tangents_out], slots)


@lru_cache(maxsize=512)
def output_flags(body: Program, flags: tuple[bool, ...]) -> tuple[bool, ...]:
    """Return which results of a Program depend on a batched input."""
    known = list(flags)
    for step in body.steps:
        known.append(any(known[a] for a in step.args))
    return tuple(known[i] for i in body.outputs)


def settled_flags(body: Program, carry: int, flags: tuple[bool, ...]) -> tuple[bool, ...]:
    """Return which arguments are batched once the state has become what the body makes of it."""
    while True:
        outs = output_flags(body, flags)
        settled = (*(a or b for a, b in zip(flags[:carry], outs[:carry], strict=True)), *flags[carry:])
        if settled == flags:
            return flags
        flags = settled


@lru_cache(maxsize=512)
def batched_body(body: Program, size: int, carry: int, flags: tuple[bool, ...]) -> Program:
    """Return the body for `size` samples: what they share of the state stays shared, every row of ys is batched."""

    def run(*values: Any) -> list[Any]:
        outs, which = run_batched(body, size, values, flags)
        return [
            broadcast_samples(out, flag, size) if i >= carry or flags[i] else out
            for i, (out, flag) in enumerate(zip(outs, which, strict=True))
        ]

    slots = [
        Slot((size, *slot.shape), slot.dtype) if flag else slot for slot, flag in zip(body.inputs, flags, strict=True)
    ]
    return simplify(trace(run, slots))


def _scan_batch(size: int, batched: Sequence[bool], *args: Any, **params: Any) -> Any:
    body, carry, xs = params["body"], params["carry"], params["xs"]
    flags = settled_flags(body, carry, tuple(batched))
    derived, extra = batched_body(body, size, carry, flags).closed()
    moved = [
        _moved(broadcast_samples(arg, was or not flag, size), flag and carry <= i < carry + xs)
        for i, (arg, was, flag) in enumerate(zip(args, batched, flags, strict=True))
    ]
    result = scan(*moved, *extra, **{**params, "body": derived})
    parts = picked(result, len(body.outputs))
    return pack(
        *(_moved(part, True) if i >= carry else broadcast_samples(part, flags[i], size) for i, part in enumerate(parts))
    )


scan = Primitive(
    "scan",
    _scan,
    abstract=lambda *args, body, carry, xs, length, reverse, keep: result_of(_scan_slots(body, carry, length)),
    vjp=_scan_vjp,
    jvp=_scan_jvp,
    batch=_scan_batch,
    family="control",
)
"""A loop of known length: the body maps (state, row of xs, constants) to (state, row of ys)."""


# ---------------------------------------------------------------- the pullback of scan


def _pulled_slots(body: Program, carry: int, xs: int, length: int, which: Sequence[int]) -> list[Slot]:
    return [
        Slot((length, *body.inputs[i].shape), body.inputs[i].dtype) if carry <= i < carry + xs else body.inputs[i]
        for i in which
    ]


def pull_jvp(pull: Any, dual_for: Any, count: int, tangents: Sequence[Any], args: Sequence[Any], which: Any) -> Any:
    """Return the tangents of a loop's pullback.

    `pull(args, seeds, which, settings)` applies the pullback; `dual_for(active)` returns the dual loop and settings;
    `count` is the number of the loop's own arguments.
    """
    values, seeds = args[:count], args[count:]
    own, of_seeds = tangents[:count], tangents[count:]
    pushed = [or_zeros(t, seed) for t, seed in zip(of_seeds, seeds, strict=True)]
    active = varying(own, [Slot.of(value) for value in values])
    if not active:
        return tuple(picked(pull(values, pushed, which, None), len(which)))
    dual, settings = dual_for(active)
    places = tuple(dual.place[i] for i in which)
    result = pull(dual.arguments(values, own), dual.cotangents(pushed, seeds), places, settings)
    return tuple(picked(result, len(which)))


def pull_vjp(
    loop: Any, pull: Any, dual_for: Any, count: int, cotangents: Any, args: Sequence[Any], needs: Any, which: Any
) -> list[Any]:
    """Return the cotangents of a loop's pullback; `loop(args, settings)` applies the loop itself."""
    values, seeds = args[:count], args[count:]
    own = spread(cotangents, which, count)
    active = tuple(i for i in which if own[i] is not None)
    dual, settings = dual_for(active)
    arguments = dual.arguments(values, own)
    result: list[Any] = [None] * len(args)
    if any(needs[count:]):
        pushed = loop(arguments, settings)
        for i, place in enumerate(dual.tangents_out):
            result[count + i] = pick(pushed, position=place)
    needed = wanted(needs[:count], [Slot.of(value) for value in values])
    if needed:
        zeros = [zeros_of(Slot.of(seed)) for seed in seeds]
        places = tuple(dual.place[i] for i in needed)
        pulled = pull(arguments, dual.cotangents(zeros, seeds), places, settings)
        for i, value in zip(needed, picked(pulled, len(needed)), strict=True):
            result[i] = value
    return result


def _apply_scan_pull(params: dict[str, Any]) -> Any:
    def pull(args: Any, seeds: Any, which: Any, settings: Any) -> Any:
        return scan_pull(*args, *seeds, **(settings or params), which=which)

    return pull


def _scan_pull_jvp(tangents: Sequence[Any], _out: Any, *args: Any, which: Any, **params: Any) -> Any:
    count = len(params["body"].inputs)
    return pull_jvp(_apply_scan_pull(params), lambda active: _scan_dual(active, params), count, tangents, args, which)


def _scan_pull_vjp(cotangents: Any, _out: Any, *args: Any, needs: Any, which: Any, **params: Any) -> Any:
    return pull_vjp(
        lambda values, settings: scan(*values, **settings),
        _apply_scan_pull(params),
        lambda active: _scan_dual(active, params),
        len(params["body"].inputs),
        cotangents,
        args,
        needs,
        which,
    )


def _scan_pull_batch(size: int, batched: Sequence[bool], *args: Any, which: Any, **params: Any) -> Any:
    body, carry, xs = params["body"], params["carry"], params["xs"]
    count = len(body.inputs)
    derived, extra = batched_body(body, size, carry, (True,) * count).closed()
    wide = [broadcast_samples(arg, flag, size) for arg, flag in zip(args, batched, strict=True)]
    n_state = len(inexact_places(body.inputs[:carry]))
    values = [_moved(arg, carry <= i < carry + xs) for i, arg in enumerate(wide[:count])]
    seeds = [_moved(arg, i >= n_state) for i, arg in enumerate(wide[count:])]
    settings = {**params, "body": derived}
    result = scan_pull(*values, *extra, *seeds, **settings, which=which)
    return pack(
        *(_moved(part, carry <= i < carry + xs) for i, part in zip(which, picked(result, len(which)), strict=True))
    )


scan_pull = Primitive(
    "scan_pull",
    _scan_pull,
    abstract=lambda *args, body, carry, xs, length, reverse, keep, which: result_of(
        _pulled_slots(body, carry, xs, length, which)
    ),
    vjp=_scan_pull_vjp,
    jvp=_scan_pull_jvp,
    batch=_scan_pull_batch,
    family="control",
)
"""Cotangents of a scan's arguments: runs the loop again, then backwards, with at most `keep` states stored (0: all)."""
