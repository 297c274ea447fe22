"""Which values of a Program are stored, in which loop nest each is computed, and in which order the nests run.

What is not stored is computed where it is read, as often as it is read. Sums, products of matrices, scattered values and
outputs are always stored; others when computing them again would cost more than memory does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...program import Program, Step
from . import control, products, scalars
from .affine import NOUGHT, CutVariable, Index, SplitVariable, flatten, strides_of, variable
from .ir import BOOL, Kind, kind_of
from .nest import Box, Root, build
from .pull import ALIASES, JOINS, VIEWS, Layout, MustStore, Node, Puller, original
from .straight import NoLowering

DEEPEST = 120  # operations between stored values
MANY_PIECES = 8
GROUP_ROOTS = 64
SEQUENTIAL = frozenset({"cumsum", "cumprod", "cummax", "cummin", "running_max_index", "argmax", "argmin"})


_CONTROL = {
    "scan": control.schedule_scan,
    "cond": control.schedule_branches,
    "while": control.schedule_while,
}
_SUPPORTED = {
    "scan": control.supports_scan,
    "cond": control.supports_branches,
    "while": control.supports_while,
}


class Item:
    """One entry of the schedule: a nest, a matrix product, a sequential scan, or a fill."""

    __slots__ = ("boxes", "kind", "level", "order", "payload", "reads", "roots", "writes")

    def __init__(self, kind: str, level: int, writes: int, reads: set[int]) -> None:
        self.kind = kind
        self.level = level
        self.writes = {writes}
        self.reads = reads
        self.roots: list[Root] = []
        self.boxes: list[Box] = []
        self.payload: Any = None
        self.order = 0


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
        self.mandatory = self._mandatory()
        while True:
            try:
                self._plan()
                break
            except MustStore as request:
                if request.value in self.forced:
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

    # ------------------------------------------------------------ what is stored

    def _mandatory(self) -> set[int]:
        found = set()
        for v in range(self.first, self.count):
            step = self.step(v)
            if not _inlines(self.program, step):
                found.add(v)
        return found

    def _stored(self) -> set[int]:
        """Decide what is stored besides: outputs, what is read in several ways, what is deep."""
        program = self.program
        stored = set(self.mandatory) | {v for v in self.forced if v >= self.first}
        stored |= {
            v
            for v in map(self._behind, program.outputs)
            if v >= self.first and v not in self.constants and self.step(v).primitive.name != "pick"
        }
        required = set(stored)
        cost = [0] * self.count
        depth = [0] * self.count
        sizes = [_size(program.slot(v).shape) if v in self.kinds else 0 for v in range(self.count)]
        levels = self._rough_levels(stored)
        for v in range(self.first, self.count):
            step = self.step(v)
            cost[v] = scalars.cost_of(step.primitive.name) if step.primitive.family == "elementwise" else 0
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
        contexts: list[set[Any]] = [set() for _ in range(self.count)]
        for v in range(self.count - 1, self.first - 1, -1):
            step = self.step(v)
            seen = contexts[v]
            if v not in stored and seen:
                if _pays(seen, cost[v], sizes[v]):
                    stored.add(v)
            if v in stored:
                here: set[Any] = set()
                shape = program.slot(v).shape if v in self.kinds else ()
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
                if a < self.first:
                    continue
                if same and program.slot(a).shape == step.slot.shape:
                    contexts[a] |= here
                elif v in stored and step.primitive.name in scalars.REDUCTIONS:
                    contexts[a] |= here
                elif step.primitive.name == "contract":
                    contexts[a] |= {(levels[v], self._product_domain(step, a), (v,))}
                elif v in stored and step.primitive.name in JOINS and a in self.kinds:
                    # each piece is a nest of its own over the piece's own domain
                    contexts[a] |= {(levels[v], program.slot(a).shape, ())}
                else:
                    contexts[a] |= {(level, shape, (*path, v)) for level, shape, path in here}
        # What looked expensive may be cheap now that what it reads is stored.
        for v in range(self.first, self.count):
            step = self.step(v)
            own = scalars.cost_of(step.primitive.name) if step.primitive.family == "elementwise" else 0
            cost[v] = min(own + sum(cost[a] for a in step.args if a not in stored), 10_000)
            if v in stored and v not in required and not _pays(contexts[v], cost[v], sizes[v]):
                stored.discard(v)
        return stored

    def _product_domain(self, step: Step, a: int) -> tuple[int, ...]:
        """Return the domain over which an operand of a contraction is read: its own where it is packed for BLAS."""
        x, y = step.args
        params = dict(step.params)
        shapes = [self.program.slot(i).shape for i in (x, y)]
        product = products.Product.of(*shapes, params["a"], params["b"], params["out"])
        if not product.small(kind_of(step.slot.dtype)):  # type: ignore[arg-type]
            return self.program.slot(a).shape
        sizes = dict(zip(params["a"], shapes[0], strict=True))
        sizes.update(zip(params["b"], shapes[1], strict=True))
        return tuple(sizes.values())

    def _rough_levels(self, stored: set[int]) -> list[int]:
        levels = [0] * self.count
        for v in range(self.first, self.count):
            step = self.step(v)
            levels[v] = max((levels[a] + (a in self.mandatory) for a in step.args), default=0)
        return levels

    # ------------------------------------------------------------ roots

    def _plan(self) -> None:
        program = self.program
        self.stored = self._stored()
        self.layouts: dict[int, Layout] = dict(self.leaves)
        for v in self.forced:
            if v < self.first:  # an input that is copied
                self.layouts[original(v)] = self.leaves[v]
                self.kinds[original(v)] = self.kinds[v]
                self.layouts[v] = Layout.of(program.slot(v).shape)
        self.extra = self.count  # numbers of copies made on the way
        self.extra_shapes: dict[int, tuple[int, ...]] = {}
        self.alias: dict[int, int] = {}
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
            self._contract(v, step)
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
            self._join(v, step)
        else:
            root = Root(v, self.kinds[v], shape, lambda puller, axes: puller.compute(v, axes), place_in(self.layouts[v]))
            level, reads = self.reads_of([(a, self._same(v, a)) for a in step.args], shape)
            self.add(root, level, reads, fuse=True)

    def _same(self, v: int, a: int) -> bool:
        step = self.step(v)
        return (
            step.primitive.family == "elementwise" or step.primitive.name in ALIASES
        ) and self.program.slot(a).shape == step.slot.shape

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

    def _join(self, v: int, step: Step) -> None:
        """A value made of pieces: one root for each."""
        name, params = step.primitive.name, dict(step.params)
        layout, kind = self.layouts[v], self.kinds[v]
        if name in ("concatenate", "stack"):
            axis = params["axis"]
            start = 0
            for which, part in enumerate(step.args):
                shape = self.program.slot(part).shape
                if name == "stack":
                    place = _piece(layout, axis, which, stacked=True)
                else:
                    place = _piece(layout, axis, start, stacked=False)
                    start += shape[axis]
                self._piece_root(v, kind, part, shape, place)
            return
        if name == "assemble":
            self._assemble(v, step)
            return
        add = name == "index_add"
        block, arrays = (step.args[0], step.args[1:]) if add else (step.args[1], step.args[2:])
        shape = self.program.slot(block).shape
        target = step.slot.shape

        def place(puller: Puller, axes: tuple[Index, ...]) -> Index:
            return flatten(puller.source(target, axes, params["spec"], arrays), layout.strides)

        floor = 0
        if add:
            self.zeroed[v] = 0
        else:
            base = step.args[0]
            root = Root(v, kind, target, lambda puller, axes: puller.pull(base, axes), place_in(layout))
            floor, reads = self.reads_of([(base, False)], target)
            self.add(root, floor, reads)
            floor += 1
        shape = _broadcast_block(shape, target, params["spec"], [self.program.slot(a) for a in arrays])
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
        level, reads = self.reads_of([(block, False), *((a, False) for a in arrays)], shape)
        for a in arrays:
            if a not in self.layouts:
                raise MustStore(a)
            level = max(level, self.level.get(a, -1) + 1)
            reads.add(a)
        self.add(root, max(level, floor), reads)
        if add and not arrays and kind is not BOOL:
            self.zeroed[v] = self.level[v]

    def _assemble(self, v: int, step: Step) -> None:
        """Copy the template, then store every part; parts that only set are all in one go."""
        params = dict(step.params)
        count, stores = params["count"], params["stores"]
        layout, kind, size = self.layouts[v], self.kinds[v], step.slot.shape[0]
        template, values, arrays = step.args[0], step.args[1 : 1 + count], step.args[1 + count :]
        for a in arrays:
            if a not in self.layouts:
                raise MustStore(a)
        covered = sum(_count_of(store, self, arrays) for store in stores if store[4] == "set")
        floor = 0
        if covered < size:
            root = Root(v, kind, (size,), _puller_of(template), place_in(layout))
            level, reads = self.reads_of([(template, True)], (size,))
            self.add(root, level, reads)
            floor = level + 1
        latest = floor
        for store in stores:
            which, shape, select, places, how = store
            value = values[which]
            pull, domain = _selected(self, value, shape, select, arrays)
            place = _placed(places, arrays, domain, size)
            root = Root(v, kind, domain, pull, place, reduction=None if how == "set" else "sum", scatter=how != "set")
            used = [(a, False) for a in arrays if a in (_array_of(select, arrays), _array_of(places, arrays))]
            level, reads = self.reads_of([(value, select is None), *used], domain)
            for a, _ in used:
                level = max(level, self.level.get(a, -1) + 1)
                reads.add(a)
            level = max(level, floor if how == "set" else latest + 1)
            latest = max(latest, level)
            self.add(root, level, reads)
        if any(store[4] != "set" for store in stores):
            self.prepared.add(v)

    def _piece_root(self, v: int, kind: Kind, part: int, shape: tuple[int, ...], place: Any) -> None:
        root = Root(v, kind, shape, lambda puller, axes: puller.pull(part, axes), place)
        level, reads = self.reads_of([(part, True)], shape)
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

    # ------------------------------------------------------------ contractions

    def _contract(self, v: int, step: Step) -> None:
        x, y = step.args
        params = dict(step.params)
        shapes = [self.program.slot(a).shape for a in (x, y)]
        product = products.Product.of(*shapes, params["a"], params["b"], params["out"])
        kind = self.kinds[v]
        if product.small(kind) or any(n == 0 for shape in shapes for n in shape):
            self._contract_in_loops(v, step, params)
            return
        n_batch, n_rows, n_inner, _ = product.split
        operands = []
        for value, order, rows in ((x, product.order_a, n_rows), (y, product.order_b, n_inner)):
            operands.append(self._operand(value, kind, order, n_batch, rows))
        natural = [*(operands[0][1][:n_batch]), *(operands[0][1][n_batch : n_batch + n_rows])]
        natural += operands[1][1][n_batch + n_inner :]
        strides = strides_of(natural)
        order_out = product.order_out or tuple(range(len(natural)))
        layout = Layout([strides[i] for i in order_out], 0, product.order_out is None)
        self.layouts[v] = layout
        item = Item("product", 0, v, {operands[0][0].value, operands[1][0].value})
        item.payload = (kind, product, operands[0][0], operands[1][0])
        item.level = self.level[v] = max(self.level.get(a, -1) + 1 for a in item.reads)
        self.items.append(item)

    def _operand(
        self, value: int, kind: Kind, order: Sequence[int], batch: int, rows: int
    ) -> tuple[products.Matrix, list[int]]:
        """Return an operand as BLAS wants it, packed by a nest of its own if it does not lie so in memory."""
        shape = self.program.slot(value).shape
        ordered = [shape[i] for i in order]
        resolved = self.resolve(value) if self.kinds[value] == kind else None
        if resolved is not None:
            matrix = products.as_matrix(*resolved[:2], shape, resolved[2], order, batch, rows)
            if matrix is not None:
                return matrix, ordered
        behind = self._behind(value)
        if behind != value and behind >= self.first and behind not in self.layouts and self.kinds[behind] == kind:
            raise MustStore(behind)  # stored in its own shape, others of that shape are computed along with it
        copy = self.new(tuple(ordered), kind)
        inverse = [order.index(i) for i in range(len(order))]
        root = Root(
            copy,
            kind,
            ordered,
            lambda puller, axes: puller.pull(value, tuple(axes[i] for i in inverse)),
            place_in(self.layouts[copy]),
        )
        same = inverse == list(range(len(order)))
        level, reads = self.reads_of([(value, same)], tuple(ordered))
        self.add(root, level, reads)
        matrix = products.as_matrix(copy, 0, ordered, strides_of(ordered), range(len(order)), batch, rows)
        assert matrix is not None
        return matrix, ordered

    def new(self, shape: tuple[int, ...], kind: Kind) -> int:
        number = self.extra
        self.extra += 1
        self.extra_shapes[number] = shape
        self.kinds[number] = kind
        self.layouts[number] = Layout.of(shape)
        return number

    def _contract_in_loops(self, v: int, step: Step, params: dict[str, Any]) -> None:
        x, y = step.args
        a, b, out = params["a"], params["b"], params["out"]
        sizes = dict(zip(a, self.program.slot(x).shape, strict=True))
        sizes.update(zip(b, self.program.slot(y).shape, strict=True))
        inner = [label for label in a if label not in out]
        labels = [*out, *inner]
        shape = tuple(sizes[label] for label in labels)
        kind = self.kinds[v]
        layout = self.layouts[v] = Layout.of(step.slot.shape)

        def pull(puller: Puller, axes: tuple[Index, ...]) -> Node:
            at = dict(zip(labels, axes, strict=True))
            left = puller.pull(x, tuple(at[label] for label in a))
            right = puller.pull(y, tuple(at[label] for label in b))
            return puller.node("step", kind, (left, right), ("multiply", (kind, kind, kind), ()))

        def place(puller: Puller, axes: tuple[Index, ...]) -> Index:
            return flatten(axes[: len(out)], layout.strides)

        root = Root(
            v,
            kind,
            shape,
            pull,
            place,
            reduction=("any" if kind is BOOL else "sum") if inner else None,
            reduced=frozenset(range(len(out), len(labels))),
        )
        level, reads = self.reads_of([(x, False), (y, False)], shape)
        self.add(root, level, reads)

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

    def _behind(self, v: int) -> int:
        """Return the value that an output is only another shape of: it lies the same way in memory."""
        while v >= self.first:
            step = self.step(v)
            if step.primitive.name != "reshape" and step.primitive.name not in ALIASES:
                break
            v = step.args[0]
        return self.alias.get(v, v) if hasattr(self, "alias") else v

    def _outputs(self) -> list[int]:
        """Return the number that stands for each output's memory; values that are not stored alone are copied."""
        taken: set[int] = set()
        numbers = []
        for v in map(self._behind, self.program.outputs):
            own = v >= self.first and v in self.layouts and self.layouts[v].contiguous and self.layouts[v].offset == 0
            if own and v not in taken:
                taken.add(v)
                numbers.append(v)
                continue
            shape = self.shape_of(v)
            copy = self.new(shape, self.kinds[v])
            root = Root(copy, self.kinds[v], shape, _puller_of(v), place_in(self.layouts[copy]))
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
        self.items = sorted(
            [*self.items, *checks], key=lambda item: (item.level, rank.get(item.kind, 1), item.order)
        )

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


def _pays(contexts: set[Any], cost: int, size: int) -> bool:
    """Whether a value should be stored: computing it again must cost more than storing it once and loading it each time,
    and spreading a small value over a large domain would repeat it for every element.
    """
    widest = max((_size(shape) for _, shape, _ in contexts), default=0)
    return (len(contexts) - 1) * cost > 4 + 2 * len(contexts) or (widest >= 4 * size and cost >= 4)


def _array_of(part: Any, arrays: Sequence[int]) -> int:
    return arrays[part] if isinstance(part, int) else -1


def _count_of(store: Any, plan: Schedule, arrays: Sequence[int]) -> int:
    places = store[3]
    if isinstance(places, tuple):
        return len(range(*slice(*places).indices(1 << 62)))
    return _size(plan.program.slot(arrays[places]).shape)


def _selected(
    plan: Schedule, value: int, shape: tuple[int, ...], select: Any, arrays: Sequence[int]
) -> tuple[Any, tuple[int, ...]]:
    """Return how to pull the elements of a store, and their domain."""
    own = plan.shape_of(value)
    if select is None:
        return (lambda puller, axes: puller.pull(value, puller.aligned(value, axes))), shape

    def pull(puller: Puller, axes: tuple[Index, ...]) -> Node:
        if isinstance(select, tuple):
            start, _, step = slice(*select).indices(_size(shape))
            flat = axes[0] * step + start
        else:
            flat = Index(0, (), ((1, (arrays[select], axes, _size(shape))),))
        if _size(own) == 1:
            return puller.pull(value, (NOUGHT,) * len(own))
        if own != shape:
            raise MustStore(value)
        return puller.flat(value, own, flat)

    if isinstance(select, tuple):
        return pull, (len(range(*slice(*select).indices(_size(shape)))),)
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


def _largest(kind: Kind) -> int:
    return (1 << (kind.bits - 1)) - 1 if kind.code == "i" else (1 << kind.bits) - 1


def _gathers(box: Box) -> list[tuple[int, int]]:
    from .nest import nodes_of

    found: dict[tuple[int, int], None] = {}

    def note(index: Index) -> None:
        for _, (array, parts, n) in index.loads:
            found.setdefault((array, n))
            for part in parts:
                note(part)

    for _, _, offset in box.entries:
        note(offset)
    for node in nodes_of([node for _, node, _ in box.entries]):
        if node.op == "load":
            note(node.data[1])
    return list(found)


def _puller_of(v: int) -> Any:
    return lambda puller, axes: puller.pull(v, axes)


def place_in(layout: Layout) -> Any:
    return lambda puller, axes: flatten(axes, layout.strides, layout.offset)


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


def _size(shape: Sequence[int]) -> int:
    n = 1
    for extent in shape:
        n *= extent
    return n


def _inlines(program: Program, step: Step) -> bool:
    """Whether a step's elements can be computed where they are read."""
    name = step.primitive.name
    if step.primitive.family == "elementwise" or name in VIEWS or name in ("unit_seeds", "pick"):
        return True
    if name in ("concatenate", "stack"):
        return len(step.args) <= MANY_PIECES
    if name in ("index_add", "index_set"):
        if len(step.args) > (1 if name == "index_add" else 2):
            return False
        return all(not isinstance(part, tuple) or part[2] in (None, 1, -1) for part in dict(step.params)["spec"])
    return False


def supported(program: Program, step: Step) -> bool:
    """Whether a step can be lowered to loops."""
    name = step.primitive.name
    if name in _SUPPORTED:
        return _SUPPORTED[name](program, step)
    if name == "pick":
        source = step.args[0] - len(program.inputs) - len(program.captures)
        return source >= 0 and supported(program, program.steps[source])
    if isinstance(step.slot.dtype, tuple) or kind_of(step.slot.dtype) is None:
        return False
    slots = [program.slot(a) for a in step.args]
    if any(isinstance(slot.dtype, tuple) or kind_of(slot.dtype) is None for slot in slots):
        return False
    if step.primitive.family == "elementwise":
        dtypes = tuple(slot.dtype for slot in slots)
        return scalars.loop_kinds(name, dtypes, step.slot.dtype, step.params) is not None
    if name in VIEWS or name in JOINS or name in ("contract", "unit_seeds"):
        return True
    if name in scalars.REDUCTIONS:
        kind, source = kind_of(step.slot.dtype), kind_of(slots[0].dtype)
        if name in ("max", "min", "prod") and (kind.code == "c" or source.code == "c"):  # type: ignore[union-attr]
            return False
        if name in ("max", "min"):
            return _size(slots[0].shape) > 0 or _size(step.slot.shape) == 0
        return True
    if name in SEQUENTIAL:
        return kind_of(slots[0].dtype).code in "fiu" and _size(slots[0].shape) > 0  # type: ignore[union-attr]
    return False
