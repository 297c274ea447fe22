"""The `while` loop: a primitive whose condition and body are Programs; see `loops` for its derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..primitives.base import Primitive, shape_of
from ..primitives.elementwise import where
from ..primitives.reduction import any_
from ..primitives.structural import pick
from ..program import Program, Slot, trace
from ..transforms.batch import run_batched
from ..transforms.simplify import simplify
from .control import (
    broadcast_samples,
    filled,
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
)
from .loops import Dual, batched_body, dual_of, inexact_places, output_flags, pull_jvp, pull_vjp, settled_flags
from .revolve import reverse_steps

# Arguments: the state, the constants of the condition, the constants of the body.


def _run(cond: Program, body: Program, state: Sequence[Any], tests: Sequence[Any], consts: Sequence[Any]) -> Any:
    """Yield the state before each step; the last one is the result."""
    test, step = function_of(cond), function_of(body)
    yield state
    while test(*state, *tests)[0]:
        state = step(*state, *consts)
        yield state


def _parts(args: Sequence[Any], cond: Program, carry: int) -> tuple[Any, Any, Any]:
    tests = len(cond.inputs) - carry
    return args[:carry], args[carry : carry + tests], args[carry + tests :]


def _while(*args: Any, cond: Program, body: Program, carry: int, keep: int) -> tuple[Any, ...]:
    state: Any = ()
    with np.errstate(all="ignore"):
        for state in _run(cond, body, *_parts(args, cond, carry)):  # noqa: B007
            pass
    return tuple(map(np.asarray, state))


def _while_pull(*args: Any, cond: Program, body: Program, carry: int, keep: int, which: tuple[int, ...]) -> Any:
    count = len(args) - len(inexact_places(body.inputs[:carry]))
    args, seeds = args[:count], args[count:]
    state, tests, consts = _parts(args, cond, carry)
    moving = inexact_places(body.inputs[:carry])
    others = [i for i in which if i >= carry]
    shift = len(tests)
    step = function_of(body)
    back_step = function_of(reversed_for(body, (*moving, *(i - shift for i in others))))
    state_seeds = list(seeds)
    found = {i: np.zeros(shape_of(args[i]), np.asarray(args[i]).dtype) for i in others}

    def back(state: Any, _k: int) -> None:
        pulled = back_step(*state, *consts, *state_seeds)
        state_seeds[:] = pulled[: len(moving)]
        for i, value in zip(others, pulled[len(moving) :], strict=True):
            found[i] += value

    with np.errstate(all="ignore"):
        if keep:  # the number of steps is counted first, then reversed with few states
            steps = sum(1 for _ in _run(cond, body, state, tests, consts)) - 1
            reverse_steps(steps, state, lambda s, _k: step(*s, *consts), back, keep)
        else:
            states = list(_run(cond, body, state, tests, consts))
            states.pop()
            while states:
                back(states.pop(), 0)
    found.update(zip(moving, map(np.asarray, state_seeds), strict=True))
    return tuple(found[i] for i in which)


class _WhileDual:
    """The dual loop in terms of the while loop's own arguments; same face as `loops.Dual`."""

    def __init__(self, cond: Program, body: Program, carry: int, active: tuple[int, ...]) -> None:
        tests = len(cond.inputs) - carry
        self.tests = tests
        self.carry = carry
        self.inner: Dual = dual_of(body, carry, 0, tuple(i if i < carry else i - tests for i in active))
        n = self.inner.n_carry
        order: list[int | Slot] = list(range(carry))
        order += [self.inner.body.inputs[i] for i in range(carry, n)]
        order += list(range(carry, len(cond.inputs)))
        self.cond = rearranged(cond, order)
        self.tangents_out = self.inner.tangents_out
        shifted = {i if i < carry else i + tests: at for i, at in self.inner.place.items() if isinstance(i, int)}
        self.place = {i: at if at < n else at + tests for i, at in shifted.items()}
        self.place.update({carry + i: n + i for i in range(tests)})

    def arguments(self, args: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
        """Return the dual loop's arguments; a tangent of None is zero."""
        stop = self.carry + self.tests
        inner = self.inner.arguments([*args[: self.carry], *args[stop:]], [*tangents[: self.carry], *tangents[stop:]])
        n = self.inner.n_carry
        return [*inner[:n], *args[self.carry : stop], *inner[n:]]

    def cotangents(self, of_values: Sequence[Any], of_tangents: Sequence[Any]) -> list[Any]:
        """Return cotangents for the dual loop's inexact results."""
        return self.inner.cotangents(of_values, of_tangents)


@lru_cache(maxsize=256)
def _dual_of(cond: Program, body: Program, carry: int, active: tuple[int, ...]) -> _WhileDual:
    return _WhileDual(cond, body, carry, active)


def _dual(active: Sequence[int], params: dict[str, Any]) -> tuple[_WhileDual, dict[str, Any]]:
    tests = range(params["carry"], len(params["cond"].inputs))
    dual = _dual_of(params["cond"], params["body"], params["carry"], tuple(i for i in active if i not in tests))
    return dual, {**params, "cond": dual.cond, "body": dual.inner.body, "carry": dual.inner.n_carry}


def _slots(args: Sequence[Any]) -> list[Slot]:
    return [Slot.of(arg) for arg in args]


def _vjp(cotangents: Any, _out: Any, *args: Any, needs: Sequence[bool], **params: Any) -> Any:
    tests = range(params["carry"], len(params["cond"].inputs))
    which = tuple(i for i in wanted(needs, _slots(args)) if i not in tests)
    if not which:
        return (None,) * len(args)
    seeds = filled(cotangents, params["body"].output_slots)
    return spread(picked(while_pull(*args, *seeds, **params, which=which), len(which)), which, len(args))


def _jvp(tangents: Sequence[Any], _out: Any, *args: Any, **params: Any) -> Any:
    slots = params["body"].output_slots
    active = varying(tangents, _slots(args))
    if not active:
        return (None,) * len(slots)
    dual, settings = _dual(active, params)
    result = while_loop(*dual.arguments(args, tangents), **settings)
    return spread_over([pick(result, position=i) for i in dual.tangents_out], slots)


def _batched(size: int, batched: Sequence[bool], args: Sequence[Any], params: dict[str, Any], everything: bool) -> Any:
    """Return arguments and settings of the loop over all samples, and which parts of the state are batched."""
    cond, body, carry = params["cond"], params["body"], params["carry"]
    tests = len(cond.inputs) - carry
    state, of_cond, of_body = _parts(tuple(batched), cond, carry)
    flags = settled_flags(body, carry, (*state, *of_body))
    if everything or output_flags(cond, (*flags[:carry], *of_cond))[0]:
        flags = (*(True,) * carry, *flags[carry:])
        of_cond = (True,) * tests if everything else of_cond
        flags = (True,) * len(flags) if everything else flags
    cond_flags = (*flags[:carry], *of_cond)
    differs = output_flags(cond, cond_flags)[0]
    new_cond, for_cond = _batched_cond(cond, size, cond_flags).closed()
    values = [
        broadcast_samples(arg, was or not flag, size)
        for arg, was, flag in zip(args, batched, (*cond_flags, *flags[carry:]), strict=True)
    ]
    stop = carry + tests
    if differs:
        new_body, for_body = _masked_body(cond, body, size, carry, cond_flags, flags[carry:]).closed()
        consts = [*values[carry:stop], *values[stop:]]
    else:
        new_body, for_body = batched_body(body, size, carry, flags).closed()
        consts = values[stop:]
    arguments = [*values[:stop], *for_cond, *consts, *for_body]
    settings = {**params, "cond": new_cond, "body": new_body}
    # Where the old body constants stand among the new arguments.
    shift = len(for_cond) + (tests if differs else 0)
    return arguments, settings, flags[:carry], shift


@lru_cache(maxsize=256)
def _batched_cond(cond: Program, size: int, flags: tuple[bool, ...]) -> Program:
    """Return the condition over all samples: whether any goes on."""

    def run(*values: Any) -> list[Any]:
        (go_on,), (flag,) = run_batched(cond, size, values, flags)
        return [any_(go_on, axis=(0,)) if flag else go_on]

    return simplify(trace(run, _wide(cond.inputs, size, flags)))


def _wide(slots: Sequence[Slot], size: int, flags: Sequence[bool]) -> list[Slot]:
    return [Slot((size, *s.shape), s.dtype) if flag else s for s, flag in zip(slots, flags, strict=True)]


@lru_cache(maxsize=256)
def _masked_body(
    cond: Program, body: Program, size: int, carry: int, cond_flags: tuple[bool, ...], const_flags: tuple[bool, ...]
) -> Program:
    """Return the body over all samples, where those that are done keep their state."""
    stop = len(cond.inputs)

    def run(*values: Any) -> list[Any]:
        (go_on,), _ = run_batched(cond, size, values[:stop], cond_flags)
        flags = (*cond_flags[:carry], *const_flags)
        outs, which = run_batched(body, size, [*values[:carry], *values[stop:]], flags)
        result = []
        for old, new, flag in zip(values[:carry], outs, which, strict=True):
            new = broadcast_samples(new, flag, size)
            mask = np.reshape(go_on, (size,) + (1,) * (len(shape_of(new)) - 1))
            result.append(where(mask, new, old))
        return result

    return simplify(trace(run, [*_wide(cond.inputs, size, cond_flags), *_wide(body.inputs[carry:], size, const_flags)]))


def _batch(size: int, batched: Sequence[bool], *args: Any, **params: Any) -> Any:
    arguments, settings, flags, _ = _batched(size, batched, args, params, everything=False)
    parts = picked(while_loop(*arguments, **settings), params["carry"])
    return pack(*(broadcast_samples(part, flag, size) for part, flag in zip(parts, flags, strict=True)))


while_loop = Primitive(
    "while",
    _while,
    abstract=lambda *args, cond, body, carry, keep: result_of(body.output_slots),
    vjp=_vjp,
    jvp=_jvp,
    batch=_batch,
    family="control",
)
"""A loop that runs as long as its condition holds; in reverse mode the steps are counted when it runs again."""


# ---------------------------------------------------------------- its pullback


def _apply_pull(params: dict[str, Any]) -> Any:
    def pull(args: Any, seeds: Any, which: Any, settings: Any) -> Any:
        return while_pull(*args, *seeds, **(settings or params), which=which)

    return pull


def _own_count(args: Sequence[Any], params: dict[str, Any]) -> int:
    return len(args) - len(inexact_places(params["body"].inputs[: params["carry"]]))


def _pull_jvp(tangents: Sequence[Any], _out: Any, *args: Any, which: Any, **params: Any) -> Any:
    count = _own_count(args, params)
    return pull_jvp(_apply_pull(params), lambda active: _dual(active, params), count, tangents, args, which)


def _pull_vjp(cotangents: Any, _out: Any, *args: Any, needs: Any, which: Any, **params: Any) -> Any:
    return pull_vjp(
        lambda values, settings: while_loop(*values, **settings),
        _apply_pull(params),
        lambda active: _dual(active, params),
        _own_count(args, params),
        cotangents,
        args,
        needs,
        which,
    )


def _pull_batch(size: int, batched: Sequence[bool], *args: Any, which: Any, **params: Any) -> Any:
    count, carry = _own_count(args, params), params["carry"]
    arguments, settings, _, shift = _batched(size, batched[:count], args[:count], params, everything=True)
    seeds = [broadcast_samples(s, flag, size) for s, flag in zip(args[count:], batched[count:], strict=True)]
    places = tuple(i if i < carry else i + shift for i in which)
    return while_pull(*arguments, *seeds, **settings, which=places)


def _pulled(*args: Any, body: Program, carry: int, which: tuple[int, ...], **_params: Any) -> Any:
    return result_of([Slot(shape_of(args[i]), Slot.of(args[i]).dtype) for i in which])


while_pull = Primitive(
    "while_pull",
    _while_pull,
    abstract=_pulled,
    vjp=_pull_vjp,
    jvp=_pull_jvp,
    batch=_pull_batch,
    family="control",
)
"""Cotangents of a while loop's arguments: runs it again, counts or keeps its states, and goes back."""
