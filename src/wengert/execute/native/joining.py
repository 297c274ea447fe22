"""Values made of pieces: each piece is written by a nest of its own, straight to its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...program import Step
from .affine import NOUGHT, Index, flatten, strides_of
from .ir import BOOL
from .items import Root, place_in, pulls, size_of
from .pull import Layout, MustStore, Node, Puller


def join(plan: Any, v: int, step: Step) -> None:
    """Put a value made of pieces into the schedule: one root for each."""
    name = step.primitive.name
    if name in ("concatenate", "stack"):
        _side_by_side(plan, v, step, stacked=name == "stack")
    elif name == "assemble":
        _assemble(plan, v, step)
    else:
        _indexed(plan, v, step, add=name == "index_add")


def _side_by_side(plan: Any, v: int, step: Step, *, stacked: bool) -> None:
    layout, kind = plan.layouts[v], plan.kinds[v]
    axis = dict(step.params)["axis"]
    start = 0
    for part in step.args:
        shape = plan.program.slot(part).shape
        root = Root(v, kind, shape, pulls(part), _piece(layout, axis, start, stacked=stacked))
        level, reads = plan.reads_of([(part, True)], shape)
        plan.add(root, level, reads)
        start += 1 if stacked else shape[axis]


def _indexed(plan: Any, v: int, step: Step, *, add: bool) -> None:
    """A block written into zeros, or into a copy, at an index."""
    params = dict(step.params)
    layout, kind = plan.layouts[v], plan.kinds[v]
    block, arrays = (step.args[0], step.args[1:]) if add else (step.args[1], step.args[2:])
    shape = plan.program.slot(block).shape
    target = step.slot.shape

    def place(puller: Puller, axes: tuple[Index, ...]) -> Index:
        return flatten(puller.source(target, axes, params["spec"], arrays), layout.strides)

    floor = 0
    if add:
        plan.zeroed[v] = 0
    else:
        base = step.args[0]
        root = Root(v, kind, target, lambda puller, axes: puller.pull(base, axes), place_in(layout))
        floor, reads = plan.reads_of([(base, False)], target)
        plan.add(root, floor, reads)
        floor += 1
    shape = _broadcast_block(shape, target, params["spec"], [plan.program.slot(a) for a in arrays])
    root = Root(
        v,
        kind,
        shape,
        lambda puller, axes: puller.pull(block, puller.aligned(block, axes)),
        place,
        reduction="sum" if add and arrays else None,
        ordered=bool(arrays) and not add,
        scatter=bool(arrays) and add,
    )
    level, reads = plan.reads_of([(block, False), *((a, False) for a in arrays)], shape)
    for a in arrays:
        if a in plan.constants:
            continue
        if a not in plan.layouts:
            raise MustStore(a)
        level = max(level, plan.level.get(a, -1) + 1)
        reads.add(a)
    plan.add(root, max(level, floor), reads)
    if add and not arrays and kind is not BOOL:
        plan.zeroed[v] = plan.level[v]


def _assemble(plan: Any, v: int, step: Step) -> None:
    """Copy the template, then store every part; parts that only set are all in one go."""
    params = dict(step.params)
    count, stores = params["count"], params["stores"]
    layout, kind, size = plan.layouts[v], plan.kinds[v], step.slot.shape[0]
    template, values, arrays = step.args[0], step.args[1 : 1 + count], step.args[1 + count :]
    for a in arrays:
        if a not in plan.layouts:
            raise MustStore(a)
    covered = sum(_count_of(store, plan, arrays) for store in stores if store[4] == "set")
    floor = 0
    if covered < size:
        root = Root(v, kind, (size,), pulls(template), place_in(layout))
        level, reads = plan.reads_of([(template, True)], (size,))
        plan.add(root, level, reads)
        floor = level + 1
    latest = floor
    for store in stores:
        which, shape, select, places, how = store
        value = values[which]
        pull, domain = _selected(plan, value, shape, select, arrays)
        place = _placed(places, arrays, domain, size)
        root = Root(v, kind, domain, pull, place, reduction=None if how == "set" else "sum", scatter=how != "set")
        used = [(a, False) for a in arrays if a in (_array_of(select, arrays), _array_of(places, arrays))]
        level, reads = plan.reads_of([(value, select is None), *used], domain)
        for a, _ in used:
            level = max(level, plan.level.get(a, -1) + 1)
            reads.add(a)
        level = max(level, floor if how == "set" else latest + 1)
        latest = max(latest, level)
        plan.add(root, level, reads)
    if any(store[4] != "set" for store in stores):
        plan.prepared.add(v)


def _array_of(part: Any, arrays: Sequence[int]) -> int:
    return arrays[part] if isinstance(part, int) else -1


def _count_of(store: Any, plan: Any, arrays: Sequence[int]) -> int:
    places = store[3]
    if isinstance(places, tuple):
        return len(range(*slice(*places).indices(1 << 62)))
    return size_of(plan.program.slot(arrays[places]).shape)


def _selected(
    plan: Any, value: int, shape: tuple[int, ...], select: Any, arrays: Sequence[int]
) -> tuple[Any, tuple[int, ...]]:
    """Return how to pull the elements of a store, and their domain."""
    own = plan.shape_of(value)
    if select is None:
        return (lambda puller, axes: puller.pull(value, puller.aligned(value, axes))), shape

    def pull(puller: Puller, axes: tuple[Index, ...]) -> Node:
        if isinstance(select, tuple):
            start, _, step = slice(*select).indices(size_of(shape))
            flat = axes[0] * step + start
        else:
            flat = Index(0, (), ((1, (arrays[select], axes, size_of(shape))),))
        if size_of(own) == 1:
            return puller.pull(value, (NOUGHT,) * len(own))
        if own != shape:
            raise MustStore(value)
        return puller.flat(value, own, flat)

    if isinstance(select, tuple):
        return pull, (len(range(*slice(*select).indices(size_of(shape)))),)
    return pull, plan.program.slot(arrays[select]).shape


def _placed(places: Any, arrays: Sequence[int], domain: tuple[int, ...], size: int) -> Any:
    strides = strides_of(domain)

    def place(puller: Puller, axes: tuple[Index, ...]) -> Index:
        flat = flatten(axes, strides)
        if isinstance(places, tuple):
            start, _, step = slice(*places).indices(size)
            return flat * step + start
        # an index array is read at its own position, which is the flat one
        return Index(0, (), ((1, (arrays[places], (flat,), size)),))

    return place


def _piece(layout: Layout, axis: int, start: int, *, stacked: bool) -> Any:
    def place(puller: Puller, axes: tuple[Index, ...]) -> Index:
        middle = (Index(start),) if stacked else (axes[axis] + start,)
        rest = axes[axis:] if stacked else axes[axis + 1 :]
        return flatten((*axes[:axis], *middle, *rest), layout.strides)

    return place


def _broadcast_block(shape: Any, target: Any, spec: Any, arrays: Any) -> tuple[int, ...]:
    """Return the shape of what an index points at, to which a block is broadcast."""
    from ...primitives.indexing import layout_of

    return layout_of(target, spec, arrays)[0]
