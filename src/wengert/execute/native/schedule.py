"""Which values of a Program are stored, in which loop nest each is computed, and in which order the nests run.

What is not stored is computed where it is read, as often as it is read. Sums, products of matrices, scattered values
and outputs are always stored; others when computing them again would cost more than memory does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...program import Program, Step
from . import control, scalars
from .affine import NOUGHT, CutVariable, Index, SplitVariable, flatten, variable
from .contracting import contract
from .ir import BOOL, Kind, kind_of
from .items import Item, Root, place_in, pulls
from .joining import join
from .nest import Box, build, nodes_of
from .pull import ALIASES, JOINS, Layout, MustStore, Node, Puller, original
from .storing import mandatory_values, stored_values
from .straight import NoLowering
from .support import SEQUENTIAL, supported

GROUP_ROOTS = 64  # values that one nest writes

_CONTROL = {
    "scan": control.schedule_scan,
    "cond": control.schedule_branches,
    "while": control.schedule_while,
}


class Schedule:
    """The plan of one Program.

    Parameters
    ----------
    program : Program
    leaves : dict
        Layouts of inputs and captures by number.
    constants : dict
        Scalars that are literals.
    in_loop : bool
        Whether the whole runs very often in a row: short loops are then worth vector code.
    """

    def __init__(
        self, program: Program, leaves: dict[int, Layout], constants: dict[int, Any], *, in_loop: bool = False
    ) -> None:
        self.in_loop = in_loop
        self.program = program
        self.constants = constants
        self.first = len(program.inputs) + len(program.captures)
        self.count = self.first + len(program.steps)
        self.leaves = leaves
        self.forced: set[int] = set()
        self._check_support()
        self.mandatory = mandatory_values(self)
        while True:
            try:
                self._plan()
                break
            except MustStore as request:
                if request.value in self.forced or request.value in self.constants:
                    raise NoLowering("an index map that loops cannot follow") from None
                self.forced.add(request.value)

    def step(self, value: int) -> Step:
        """Return the step that computes a value."""
        return self.program.steps[value - self.first]

    def kind(self, value: int) -> Kind:
        """Return the kind of a value; copies and checks have one of their own."""
        return self.kinds[value]

    def _check_support(self) -> None:
        self.kinds: dict[int, Kind] = {}
        for v in range(self.count):
            slot = self.program.slot(v)
            if isinstance(slot.dtype, tuple):  # several results, each with a number of its own
                continue
            kind = kind_of(slot.dtype)
            if kind is None:
                raise NoLowering(f"dtype {slot.dtype}")
            self.kinds[v] = kind
        for v in range(self.first, self.count):
            if not supported(self.program, self.step(v)):
                raise NoLowering(self.step(v).primitive.name)

    # ------------------------------------------------------------ roots

    def _plan(self) -> None:
        program = self.program
        self.alias: dict[int, int] = {}  # an earlier attempt's numbers stand for nothing now
        self.stored = stored_values(self)
        self.layouts: dict[int, Layout] = dict(self.leaves)
        for v in self.forced:
            if v < self.first:  # an input that is copied
                self.layouts[original(v)] = self.leaves[v]
                self.kinds[original(v)] = self.kinds[v]
                self.layouts[v] = Layout.of(program.slot(v).shape)
        self.extra = self.count  # numbers of copies made on the way
        self.extra_shapes: dict[int, tuple[int, ...]] = {}
        self.results: dict[int, list[int]] = {}
        self.level: dict[int, int] = {}
        self.plain: dict[int, Item] = {}
        self.items: list[Item] = []
        self.zeroed: dict[int, int] = {}
        self.prepared: set[int] = set()  # what is added to after it was stored
        self.checked: set[tuple[int, int]] = set()
        for v in sorted(self.forced):
            if v < self.first:
                self._copy_input(v)
        for v in range(self.first, self.count):
            step = self.step(v)
            if step.primitive.name == "pick":
                self.alias[v] = self.results[step.args[0]][dict(step.params)["position"]]
            elif v in self.stored:
                self._store(v)
        self.output_values = self._outputs()
        self._build()

    def shape_of(self, value: int) -> tuple[int, ...]:
        """Return the shape of a value or copy."""
        return self.extra_shapes[value] if value >= self.count else self.program.slot(value).shape

    def _copy_input(self, v: int) -> None:
        shape = self.program.slot(v).shape
        root = Root(v, self.kinds[v], shape, lambda puller, axes: puller.compute(v, axes), place_in(self.layouts[v]))
        self.add(root, 0, {original(v)}, fuse=False)

    def _store(self, v: int) -> None:
        step = self.step(v)
        name = step.primitive.name
        shape = step.slot.shape
        if name == "contract":
            contract(self, v, step)
            return
        if name in _CONTROL:
            _CONTROL[name](self, v, step)
            return
        self.layouts[v] = Layout.of(shape)
        if name in scalars.REDUCTIONS:
            self._reduce(v, step)
        elif name in SEQUENTIAL:
            self._sequential(v, step)
        elif name in JOINS and (v in self.mandatory or v in self.stored):
            join(self, v, step)
        else:
            root = Root(
                v, self.kinds[v], shape, lambda puller, axes: puller.compute(v, axes), place_in(self.layouts[v])
            )
            level, reads = self.reads_of([(a, self._same(v, a)) for a in step.args], shape)
            self.add(root, level, reads, fuse=True)

    def _same(self, v: int, a: int) -> bool:
        step = self.step(v)
        return (step.primitive.family == "elementwise" or step.primitive.name in ALIASES) and self.program.slot(
            a
        ).shape == step.slot.shape

    def _reduce(self, v: int, step: Step) -> None:
        operand = step.args[0]
        shape = self.program.slot(operand).shape
        axis = dict(step.params)["axis"]
        kept = [i for i in range(len(shape)) if i not in axis]
        layout = self.layouts[v]

        def place(puller: Puller, axes: tuple[Index, ...]) -> Index:
            return flatten([axes[i] for i in kept], layout.strides)

        root = Root(
            v,
            self.kinds[v],
            shape,
            lambda puller, axes: puller.pull(operand, axes),
            place,
            reduction=step.primitive.name,
            reduced=frozenset(axis),
        )
        level, reads = self.reads_of([(operand, True)], shape)
        self.add(root, level, reads)

    def _sequential(self, v: int, step: Step) -> None:
        operand = step.args[0]
        matrix = self.resolve(operand)
        item = Item("sequential", 0, v, set())
        if matrix is None:
            raise MustStore(operand)
        value, offset, strides = matrix
        item.payload = (step, value, offset, strides)
        item.reads = {value}
        item.level = self.level[v] = self.level.get(value, -1) + 1
        self.items.append(item)

    def new(self, shape: tuple[int, ...], kind: Kind) -> int:
        """Return the number of a new block of memory."""
        number = self.extra
        self.extra += 1
        self.extra_shapes[number] = shape
        self.kinds[number] = kind
        self.layouts[number] = Layout.of(shape)
        return number

    def resolve(self, value: int) -> tuple[int, int, tuple[int, ...]] | None:
        """Return (stored value, offset, strides) if a value is an affine view of a stored one, else None."""
        shape = self.shape_of(value)
        extents = {i: n for i, n in enumerate(shape) if n != 1}
        index = tuple(NOUGHT if n == 1 else variable(i) for i, n in enumerate(shape))
        puller = Puller(self, extents, {})
        try:
            node = puller.pull(value, index)
        except (MustStore, SplitVariable, CutVariable):
            return None
        if node.op != "load" or node.data[1].loads:
            return None
        stored, place = node.data
        return stored, place.const, tuple(place.factor(i) for i in range(len(shape)))

    # ------------------------------------------------------------ levels and groups

    def reads_of(self, args: Sequence[tuple[int, bool]], shape: tuple[int, ...]) -> tuple[int, set[int]]:
        """Return the level from which a root can run, and the stored values it reads.

        `args` are (value, whether it is read at the domain's own index).
        """
        level = 0
        reads: set[int] = set()
        seen: set[tuple[int, bool]] = set()
        stack = list(args)
        while stack:
            entry = stack.pop()
            if entry in seen:
                continue
            seen.add(entry)
            value, same = entry
            value = self.alias.get(value, value)
            same = same and self.shape_of(value) == shape
            if value in self.constants:
                continue
            if value in self.layouts:
                reads.add(value)
                if value in self.level:
                    fused = same and value in self.plain
                    level = max(level, self.level[value] + (not fused))
                continue
            step = self.step(value)
            keeps = same and (step.primitive.family == "elementwise" or step.primitive.name in ALIASES)
            stack.extend((a, keeps) for a in step.args)
        return level, reads

    def add(self, root: Root, level: int, reads: set[int], fuse: bool = False) -> None:
        """Put a root into a nest of its level and domain, or start one."""
        v = root.value
        floor = -1
        for a in reads:
            if a in self.plain and self.level[a] == level:
                floor = max(floor, self.plain[a].order)
        reduced = root.reduced if root.reduction else frozenset()
        for item in self.items:
            if (
                item.kind == "nest"
                and item.level == level
                and item.order >= floor
                and item.roots[0].shape == root.shape
                and not root.ordered
                and not item.roots[0].ordered
                and len(item.roots) < GROUP_ROOTS
                and all(not r.reduced or not reduced or r.reduced == reduced for r in item.roots if r.reduction)
                and not any(r.value == v for r in item.roots if r.scatter or root.scatter)
            ):
                item.roots.append(root)
                item.reads |= reads
                item.writes.add(v)
                break
        else:
            item = Item("nest", level, v, set(reads))
            item.order = len(self.items)
            item.roots.append(root)
            self.items.append(item)
        self.level[v] = max(level, self.level.get(v, 0))
        if fuse:
            root.plain = True
            self.plain[v] = item

    def behind(self, v: int) -> int:
        """Return the value that an output is only another shape of: it lies the same way in memory."""
        while v >= self.first:
            step = self.step(v)
            if step.primitive.name != "reshape" and step.primitive.name not in ALIASES:
                break
            v = step.args[0]
        return self.alias.get(v, v)

    def _outputs(self) -> list[int]:
        """Return the number that stands for each output's memory; values that are not stored alone are copied."""
        taken: set[int] = set()
        numbers = []
        for v in map(self.behind, self.program.outputs):
            own = v >= self.first and v in self.layouts and self.layouts[v].contiguous and self.layouts[v].offset == 0
            if own and v not in taken:
                taken.add(v)
                numbers.append(v)
                continue
            shape = self.shape_of(v)
            copy = self.new(shape, self.kinds[v])
            root = Root(copy, self.kinds[v], shape, pulls(v), place_in(self.layouts[copy]))
            level, reads = self.reads_of([(v, True)], shape)
            self.add(root, level, reads, fuse=True)
            numbers.append(copy)
        return numbers

    def _build(self) -> None:
        checks: list[Item] = []
        wanted: dict[tuple[int, int], None] = {}
        for item in self.items:
            if item.kind == "nest":
                item.boxes = build(self, item.roots)
                for box in item.boxes:
                    for array, n in _gathers(box):
                        wanted.setdefault((array, n))
        for number, (array, n) in enumerate(wanted):
            if self._is_known_to_fit(array, n):
                continue
            checks.append(self._check(number, array, n))
        for item in checks:
            item.boxes = build(self, item.roots)
        rank = {"check": 0}
        self.items = sorted([*self.items, *checks], key=lambda item: (item.level, rank.get(item.kind, 1), item.order))

    def _is_known_to_fit(self, array: int, n: int) -> bool:
        """Whether an index array is a constant (it owns its memory and may not be written to) within bounds."""
        i = array - len(self.program.inputs)
        if not 0 <= i < len(self.program.captures):
            return False
        value = self.program.captures[i]
        if not isinstance(value, np.ndarray) or value.flags.writeable or value.base is not None:
            return False
        return value.size == 0 or (int(value.min()) >= -n and int(value.max()) < n)

    def _check(self, number: int, array: int, n: int) -> Item:
        """A nest that looks whether all of an index array is within bounds."""
        kind = self.kinds[array]
        shape = self.shape_of(array)
        value = -1 - number
        self.kinds[value] = BOOL
        self.layouts[value] = Layout(())

        def pull(puller: Puller, axes: tuple[Index, ...]) -> Node:
            element = puller.pull(array, axes)
            high = puller.node("const", kind, (), min(n, _largest(kind)))
            too_high = puller.node("step", BOOL, (element, high), ("greater_equal", (kind, kind, BOOL), ()))
            if kind.code == "u":
                return too_high
            low = puller.node("const", kind, (), max(-n, -_largest(kind) - 1))
            too_low = puller.node("step", BOOL, (element, low), ("less", (kind, kind, BOOL), ()))
            return puller.node("step", BOOL, (too_low, too_high), ("logical_or", (BOOL, BOOL, BOOL), ()))

        level = self.level.get(array, -1) + 1
        item = Item("check", level, value, {array})
        item.roots.append(
            Root(
                value,
                BOOL,
                shape,
                pull,
                lambda puller, axes: NOUGHT,
                reduction="any",
                reduced=frozenset(range(len(shape))),
            )
        )
        return item


def _largest(kind: Kind) -> int:
    return (1 << (kind.bits - 1)) - 1 if kind.code == "i" else (1 << kind.bits) - 1


def _gathers(box: Box) -> list[tuple[int, int]]:
    found: dict[tuple[int, int], None] = {}

    def note(index: Index) -> None:
        for _, (array, parts, n) in index.loads:
            found.setdefault((array, n))
            for part in parts:
                note(part)

    for _, _, offset in box.entries:
        note(offset)
    for node in nodes_of([node for _, node, _ in box.entries]):
        for index in node.indices():
            note(index)
    return list(found)
