"""Loop nests: one kernel computes several stored values over one domain, in an order chosen from their memory accesses.

A nest is built by pulling the expressions of its roots over the domain; where an index map asks for it, the domain is
split or cut and pulled again. Then loops whose accesses run on contiguously are merged, the loop with most unit strides
goes inside, short loops are unrolled, and the code of one body is written; LLVM vectorises it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from . import scalars
from .affine import CutVariable, Domain, Index, SplitVariable
from .items import Root
from .pull import Layout, MustStore, Node, Puller

MOST_BOXES = 40
LONG = 64  # steps; the rest of longer loops does not matter
UNROLL = 4  # loops this short may be unrolled inside of others
UNROLLED_NODES = 400


class Box:
    """A part of a nest's domain with the expressions over it."""

    __slots__ = ("domain", "entries", "reduced")

    def __init__(self, domain: Domain, entries: list[tuple[Root, Node, Index]]) -> None:
        self.domain = domain
        self.entries = entries
        # variables over which each root sums
        self.reduced = [
            frozenset(v for v in domain.extents if domain.origin[v] in root.reduced) for root, _, _ in entries
        ]


def build(plan: Any, roots: Sequence[Root]) -> list[Box]:
    """Pull all roots over their common domain, refined as far as their index maps need.

    `plan` is what a `Puller` needs.

    Raises
    ------
    MustStore
        If a value has to be stored first.
    """
    pending = [Domain.of(roots[0].shape)]
    boxes: list[Box] = []
    if 0 in roots[0].shape:
        return []
    while pending:
        domain = pending.pop()
        inside = {root.value: domain.axes for root in roots if root.plain}
        puller = Puller(plan, domain.extents, inside)
        try:
            entries = []
            for root in roots:
                entries.append((root, root.pull(puller, domain.axes), root.place(puller, domain.axes)))
        except SplitVariable as request:
            pending.append(domain.split(request))
        except CutVariable as request:
            if any(root.ordered for root in roots) or len(boxes) + len(pending) >= MOST_BOXES:
                raise MustStore(request.value) from None  # type: ignore[attr-defined]
            pending.extend(reversed(domain.cut(request)))
        else:
            cut = _uneven(plan, domain, entries) if getattr(plan, "in_loop", False) else None
            if cut is None:
                boxes.append(Box(domain, entries))
            else:
                pending.extend(reversed(domain.cut(cut)))
    return boxes


def _uneven(plan: Any, domain: Domain, entries: Sequence[tuple[Root, Node, Index]]) -> CutVariable | None:
    """Return where to cut a short loop of mathematical functions so that every part fills whole vectors.

    Its rest would be computed one by one; inside of a loop of thousands of steps that is most of the time.
    """
    if any(root.reduction is not None or root.ordered for root, _, _ in entries):
        return None
    nodes = nodes_of([node for _, node, _ in entries])
    if not any(node.op == "step" and scalars.cost_of(node.data[0]) >= 10 for node in nodes):
        return None
    box = Box(domain, list(entries))
    loops = Plan(box, plan.layouts)
    if len(loops.loops) != 1 or loops.merged or loops.unrolled:
        return None
    v = loops.loops[0]
    n = domain.extents[v]
    width = 64 // max(root.kind.bits // 8 for root, _, _ in entries)
    if n >= LONG or n < 3:
        return None
    part = width
    while part > n:
        part //= 2
    whole = n // part * part
    return CutVariable(v, whole) if whole != n else None


# ---------------------------------------------------------------- looking at accesses


def nodes_of(roots: Sequence[Node]) -> list[Node]:
    """Return all nodes below, each once."""
    seen: dict[int, Node] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if id(node) not in seen:
            seen[id(node)] = node
            stack.extend(node.args)
    return list(seen.values())


def _with_loads(index: Index) -> list[Index]:
    """Return an index and those of the index arrays it loads from, without their layouts' offsets."""
    found = [index]
    for _, (_, parts, _) in index.loads:
        for part in parts:
            found.extend(_with_loads(part))
    return found


class Plan:
    """The loops of one box: which, in which order, which are unrolled or merged away."""

    __slots__ = ("extents", "loops", "merged", "unrolled")

    def __init__(self, box: Box, layouts: dict[int, Layout]) -> None:
        extents = dict(box.domain.extents)
        nodes = nodes_of([node for _, node, _ in box.entries])
        loads = [node.data[1] for node in nodes if node.op == "load"]
        stores = [offset for _, _, offset in box.entries]
        ordered = any(root.ordered for root, _, _ in box.entries)
        every: list[Index] = []
        for index in (*stores, *(index for node in nodes for index in node.indices())):
            every.extend(_with_loads(index))
        self.merged: set[int] = set()
        self._merge(extents, every, box.reduced, ordered)
        self.extents = extents
        self.unrolled: list[int] = []
        if not ordered and extents and max(extents.values()) >= 2 * UNROLL:
            # Very short loops go inside of a long one, written out; what they load side by side is merged.
            budget = UNROLLED_NODES // max(len(nodes), 1)
            for v in sorted(extents, key=lambda v: extents[v]):
                near = any(abs(index.factor(v)) == 1 for index in (*loads, *stores))
                if extents[v] <= min(UNROLL, budget) and (near or any(v in reduced for reduced in box.reduced)):
                    self.unrolled.append(v)
                    budget //= extents[v]
        looped = {v: n for v, n in extents.items() if v not in self.unrolled}
        self.loops = list(extents) if ordered else self._order(looped, loads, stores)

    def _merge(
        self, extents: dict[int, int], every: Sequence[Index], reduced: Sequence[frozenset[int]], ordered: bool
    ) -> None:
        changed = True
        while changed:
            changed = False
            names = list(extents)
            pairs = itertools.pairwise(names) if ordered else itertools.permutations(names, 2)
            for outer, inner in pairs:
                n = extents[inner]
                if all(index.factor(outer) == index.factor(inner) * n for index in every) and all(
                    (outer in r) == (inner in r) for r in reduced
                ):
                    extents[inner] = n * extents.pop(outer)
                    self.merged.add(outer)
                    changed = True
                    break

    def _order(self, extents: dict[int, int], loads: Sequence[Index], stores: Sequence[Index]) -> list[int]:
        def score(v: int) -> float:
            total = 0.0
            for weight, indices in ((1.0, loads), (2.0, stores)):
                for index in indices:
                    factor = abs(index.factor(v))
                    if any(part.factor(v) for part in _with_loads(index)[1:]):
                        total += 0.2 * weight
                    elif factor == 1:
                        total += weight
                    elif factor == 0:
                        total += 0.7 * weight
            return total * min(extents[v], 16) ** 0.5

        def reach(v: int) -> int:
            return sum(abs(index.factor(v)) for index in (*loads, *stores))

        if not extents:
            return []
        inner = max(extents, key=lambda v: (score(v), v))
        return sorted((v for v in extents if v != inner), key=lambda v: -reach(v)) + [inner]


def level_of(plan: Plan, reduced: frozenset[int]) -> int:
    """Return the outermost level from which on all loops are summed over: sums live in registers there."""
    level = len(plan.loops)
    while level > 0 and plan.loops[level - 1] in reduced:
        level -= 1
    return level
