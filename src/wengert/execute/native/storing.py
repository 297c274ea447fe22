"""Which values of a Program are stored: those that must be, and those that would cost more to compute again."""

from __future__ import annotations

from typing import Any

from ...program import Step
from . import products, scalars
from .ir import kind_of
from .items import size_of
from .pull import ALIASES, JOINS
from .support import inlines

DEEPEST = 120  # operations between stored values
GATHER = 4  # the cost of reading an element of a transposed array, which vectors cannot load at once


def mandatory_values(plan: Any) -> set[int]:
    """Return the values whose elements cannot be computed where they are read."""
    found = set()
    for v in range(plan.first, plan.count):
        step = plan.step(v)
        if not inlines(plan.program, step):
            found.add(v)
    return found


def stored_values(plan: Any) -> set[int]:
    """Decide what is stored besides: outputs, what is read in several ways, what is deep."""
    program = plan.program
    stored = set(plan.mandatory) | {v for v in plan.forced if v >= plan.first}
    stored |= {
        v
        for v in map(plan.behind, program.outputs)
        if v >= plan.first and v not in plan.constants and plan.step(v).primitive.name != "pick"
    }
    required = set(stored)
    cost = [0] * plan.count
    depth = [0] * plan.count
    sizes = [size_of(program.slot(v).shape) if v in plan.kinds else 0 for v in range(plan.count)]
    levels = _rough_levels(plan)
    for v in range(plan.first, plan.count):
        step = plan.step(v)
        cost[v] = _own_cost(step)
        for a in step.args:
            if a not in stored:
                cost[v] += cost[a]
                depth[v] = max(depth[v], depth[a] + 1)
        cost[v] = min(cost[v], 10_000)
        if depth[v] > DEEPEST:
            stored.add(v)
            required.add(v)
        if v in stored:
            depth[v] = 0
    contexts: list[set[Any]] = [set() for _ in range(plan.count)]
    for v in range(plan.count - 1, plan.first - 1, -1):
        step = plan.step(v)
        seen = contexts[v]
        if v not in stored and seen:
            if _pays(seen, cost[v], sizes[v]):
                stored.add(v)
        if v in stored:
            here: set[Any] = set()
            shape = program.slot(v).shape if v in plan.kinds else ()
            if step.primitive.name in scalars.REDUCTIONS:
                here = {(levels[v], program.slot(step.args[0]).shape, ())}
            elif step.primitive.family == "elementwise":
                here = {(levels[v], shape, ())}
            else:
                here = {(levels[v], shape, (v,))}
        else:
            here = seen
        if len(here) > 12:
            here = set(list(here)[:12])
        same = step.primitive.family == "elementwise" or step.primitive.name in ALIASES
        for a in step.args:
            if a < plan.first:
                continue
            if same and program.slot(a).shape == step.slot.shape:
                contexts[a] |= here
            elif v in stored and step.primitive.name in scalars.REDUCTIONS:
                contexts[a] |= here
            elif step.primitive.name == "contract":
                contexts[a] |= {(levels[v], _product_domain(plan, step, a), (v,))}
            elif v in stored and step.primitive.name in JOINS and a in plan.kinds:
                # each piece is a nest of its own over the piece's own domain
                contexts[a] |= {(levels[v], program.slot(a).shape, ())}
            else:
                contexts[a] |= {(level, shape, (*path, v)) for level, shape, path in here}
    # What looked expensive may be cheap now that what it reads is stored.
    for v in range(plan.first, plan.count):
        step = plan.step(v)
        cost[v] = min(_own_cost(step) + sum(cost[a] for a in step.args if a not in stored), 10_000)
        if v in stored and v not in required and not _pays(contexts[v], cost[v], sizes[v]):
            stored.discard(v)
    return stored


def _own_cost(step: Step) -> int:
    """Return the rough cost of one element of a step, what it reads not counted."""
    if step.primitive.family == "elementwise":
        return scalars.cost_of(step.primitive.name)
    if step.primitive.name == "transpose":
        axes = dict(step.params)["axes"]
        return GATHER if axes and axes[-1] != len(axes) - 1 else 0
    return 0


def _product_domain(plan: Any, step: Step, a: int) -> tuple[int, ...]:
    """Return the domain over which an operand of a contraction is read: its own where it is packed for BLAS."""
    x, y = step.args
    params = dict(step.params)
    shapes = [plan.program.slot(i).shape for i in (x, y)]
    product = products.Product.of(shapes[0], shapes[1], params["a"], params["b"], params["out"])
    if not product.small(kind_of(step.slot.dtype)):  # type: ignore[arg-type]
        return plan.program.slot(a).shape
    sizes = dict(zip(params["a"], shapes[0], strict=True))
    sizes.update(zip(params["b"], shapes[1], strict=True))
    return tuple(sizes.values())


def _rough_levels(plan: Any) -> list[int]:
    levels = [0] * plan.count
    for v in range(plan.first, plan.count):
        step = plan.step(v)
        levels[v] = max((levels[a] + (a in plan.mandatory) for a in step.args), default=0)
    return levels


def _pays(contexts: set[Any], cost: int, size: int) -> bool:
    """Whether a value should be stored.

    Computing it again must cost more than storing it once and loading it each time; spreading a
    small value over a large domain would repeat it for every element.
    """
    widest = max((size_of(shape) for _, shape, _ in contexts), default=0)
    return (len(contexts) - 1) * cost > 4 + 2 * len(contexts) or (widest >= 4 * size and cost >= 4)
