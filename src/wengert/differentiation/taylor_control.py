"""Power series through control flow: the body of a loop or branch becomes a Program that carries coefficients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..execute.control import call, cond, picked, rearranged, with_common_inputs, zeros_of
from ..execute.loops import inexact_places, scan
from ..execute.while_loop import while_loop
from ..program import Program, Slot, trace
from ..recording import Traced, depends
from ..tensor import Tensor
from ..transforms.derive import concrete_slot, is_inexact
from ..transforms.simplify import simplify

Push = Callable[..., Any]


def series_program(push: Push, program: Program, wrt: Sequence[int], order: int) -> Program:
    """Return the Program that takes coefficients along.

    inputs: those of the Program, then `order` coefficients for each input in `wrt`
    outputs: those of the Program, then `order` coefficients for each inexact output
    """
    slots = [concrete_slot(slot) for slot in program.inputs]

    def run(*values: Any) -> list[Any]:
        inputs, rest = values[: len(slots)], values[len(slots) :]
        outputs = program(*inputs)
        seeds = {inputs[i]._line: list(rest[j * order : (j + 1) * order]) for j, i in enumerate(wrt)}
        targets = [out._line for out in outputs if isinstance(out, Traced) and out._line is not None]
        found = push(depends(targets, list(seeds)), seeds, order, Tensor)
        result = list(outputs)
        for out, slot in zip(outputs, program.output_slots, strict=True):
            if is_inexact(slot):
                parts = found.get(out._line) if isinstance(out, Traced) else None
                result += [zeros_of(slot) if parts is None or c is None else c for c in parts or [None] * order]
        return result

    return simplify(trace(run, [*slots, *(slots[i] for i in wrt for _ in range(order))]))


def _coefficients(series: Any, like: Any, order: int) -> list[Any]:
    slot = concrete_slot(Slot.of(like))
    return [zeros_of(slot) if c is None else c for c in (series or [None] * order)]


def _by_result(parts: Sequence[Any], slots: Sequence[Slot], order: int) -> list[Any]:
    """Return one list of coefficients per result, None for integers."""
    remaining = iter(parts)
    return [[next(remaining) for _ in range(order)] if is_inexact(slot) else None for slot in slots]


def _call(push: Push, order: int, args: Sequence[Any], incoming: Sequence[Any], params: dict[str, Any]) -> Any:
    program = params["program"]
    wrt = [i for i, series in enumerate(incoming) if series is not None]
    derived, extra = series_program(push, program, wrt, order).closed()
    given = [c for i in wrt for c in _coefficients(incoming[i], args[i], order)]
    parts = picked(call(*args, *given, *extra, program=derived), len(derived.outputs))
    return _by_result(parts[len(program.outputs) :], program.output_slots, order)


def _cond(push: Push, order: int, args: Sequence[Any], incoming: Sequence[Any], params: dict[str, Any]) -> Any:
    branches = params["branches"]
    wrt = [i for i, series in enumerate(incoming[1:]) if series is not None]
    derived, extra = with_common_inputs([series_program(push, branch, wrt, order) for branch in branches])
    given = [c for i in wrt for c in _coefficients(incoming[1 + i], args[1 + i], order)]
    parts = picked(cond(*args, *given, *extra, branches=derived), len(derived[0].outputs))
    return _by_result(parts[len(branches[0].outputs) :], branches[0].output_slots, order)


class _Carried:
    """A loop's body with coefficients: which of the new arguments and results are which."""

    def __init__(self, push: Push, body: Program, carry: int, xs: int, active: Sequence[int], order: int) -> None:
        slots = body.inputs
        groups = (range(carry), range(carry, carry + xs), range(carry + xs, len(slots)))
        moving = [inexact_places(slots[:carry]), *([i for i in group if i in active] for group in groups[1:])]
        self.wrt = [i for group in moving for i in group]
        derived = series_program(push, body, self.wrt, order)
        first = {i: len(slots) + j * order for j, i in enumerate(self.wrt)}
        arrangement: list[int | Slot] = []
        for group, mine in zip(groups, moving, strict=True):
            arrangement += [*group, *(first[i] + k for i in mine for k in range(order))]
        outs = body.output_slots
        count = len(outs)
        inexact = inexact_places(outs)
        of = {i: count + j * order for j, i in enumerate(inexact)}
        results: list[int] = []
        for group in (range(carry), range(carry, count)):
            results += [*group, *(of[i] + k for i in group if i in of for k in range(order))]
        self.body, self.extra = rearranged(derived, arrangement, results).closed()
        self.carry = carry + len(moving[0]) * order
        self.xs = xs + len(moving[1]) * order
        self.arrangement = arrangement
        self.order = order
        place = {old: new for new, old in enumerate(results)}
        self.coefficients = [[place[of[i] + k] for k in range(order)] if i in of else None for i in range(count)]

    def arguments(self, args: Sequence[Any], incoming: Sequence[Any]) -> list[Any]:
        """Return the new loop's arguments."""
        count = len(args)
        given = {i: _coefficients(incoming[i], args[i], self.order) for i in self.wrt}
        result = []
        for old in self.arrangement:
            if not isinstance(old, int):
                continue
            if old < count:
                result.append(args[old])
            else:
                j, k = divmod(old - count, self.order)
                result.append(given[self.wrt[j]][k])
        return [*result, *self.extra]

    def results(self, parts: Sequence[Any]) -> list[Any]:
        """Return one list of coefficients per old result."""
        return [None if places is None else [parts[p] for p in places] for places in self.coefficients]


def _scan(push: Push, order: int, args: Sequence[Any], incoming: Sequence[Any], params: dict[str, Any]) -> Any:
    active = [i for i, series in enumerate(incoming) if series is not None]
    carried = _Carried(push, params["body"], params["carry"], params["xs"], active, order)
    settings = {**params, "body": carried.body, "carry": carried.carry, "xs": carried.xs}
    result = scan(*carried.arguments(args, incoming), **settings)
    return carried.results(picked(result, len(carried.body.outputs)))


def _while(push: Push, order: int, args: Sequence[Any], incoming: Sequence[Any], params: dict[str, Any]) -> Any:
    condition, carry = params["cond"], params["carry"]
    stop = len(condition.inputs)
    tests = stop - carry
    active = [i if i < carry else i - tests for i, s in enumerate(incoming) if s is not None and not carry <= i < stop]
    carried = _Carried(push, params["body"], carry, 0, active, order)
    n = carried.carry
    inner = carried.arguments([*args[:carry], *args[stop:]], [*incoming[:carry], *incoming[stop:]])
    arrangement: list[int | Slot] = list(range(carry))
    arrangement += [carried.body.inputs[i] for i in range(carry, n)]
    arrangement += list(range(carry, stop))
    settings = {**params, "cond": rearranged(condition, arrangement), "body": carried.body, "carry": n}
    result = while_loop(*inner[:n], *args[carry:stop], *inner[n:], **settings)
    return carried.results(picked(result, n))


CONTROL: dict[str, Callable[..., Any]] = {"call": _call, "cond": _cond, "scan": _scan, "while": _while}
