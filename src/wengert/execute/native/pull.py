"""From a value and an index to the expression of that element: views change the index, arithmetic recurses.

An expression is a small directed graph of nodes whose leaves are loads from stored values. Nothing is written yet: the
loop nest looks at all loads first, to choose its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...primitives.indexing import ARRAY, layout_of
from ...program import Program
from . import scalars
from .affine import NOUGHT, CutVariable, Index, NotAffine, flatten, strides_of, unflatten
from .ir import Kind

ALIASES = frozenset({"alias", "watch", "stop_gradient"})
VIEWS = frozenset({"reshape", "transpose", "broadcast_to", "index", *ALIASES})
JOINS = frozenset({"concatenate", "stack", "index_add", "index_set", "assemble"})


class MustStore(Exception):
    """The loops cannot follow an index map into this value; it has to be computed and stored first."""

    def __init__(self, value: int) -> None:
        super().__init__()
        self.value = value


def original(value: int) -> int:
    """Return the number that stands for an input as the caller passed it, where a copy has taken its own number."""
    return -1000000 - value


class Node:
    """One operation on scalars.

    `op` is load (data: value, offset), const (data: number), step (data: name, kinds, params), convert, or same (data:
    two indices; true where they are equal).
    """

    __slots__ = ("args", "data", "kind", "op")

    def __init__(self, op: str, kind: Kind, args: tuple[Node, ...], data: Any) -> None:
        self.op = op
        self.kind = kind
        self.args = args
        self.data = data

    def indices(self) -> tuple[Index, ...]:
        """Return the indices that it is computed from."""
        return (self.data[1],) if self.op == "load" else self.data if self.op == "same" else ()


class Layout:
    """Where a stored value lies: strides and offset in elements."""

    __slots__ = ("contiguous", "offset", "strides")

    def __init__(self, strides: Sequence[int], offset: int = 0, contiguous: bool = True) -> None:
        self.strides = tuple(strides)
        self.offset = offset
        self.contiguous = contiguous

    @classmethod
    def of(cls, shape: Sequence[int]) -> Layout:
        """Return the layout of a C-contiguous array."""
        return cls(strides_of(shape))


class Puller:
    """Builds expressions over one domain.

    Parameters
    ----------
    plan : object
        Has `program`, `layouts` of the stored values by number, `kinds`, `constants` (scalars that are literals of
        the code) and `alias` (values that are stored under another number).
    extents : dict
        The domain's variables.
    inside : dict
        Values that the same loop nest computes at the domain's own index: used from registers.
    """

    def __init__(self, plan: Any, extents: dict[int, int], inside: dict[int, tuple[Index, ...]]) -> None:
        self.program: Program = plan.program
        self.layouts: dict[int, Layout] = plan.layouts
        self.kinds: dict[int, Kind] = plan.kinds
        self.constants: dict[int, Any] = plan.constants
        self.alias: dict[int, int] = plan.alias
        self.extents = extents
        self.inside = inside
        self.first = len(self.program.inputs) + len(self.program.captures)
        self._known: dict[Any, Node] = {}
        self._interned: dict[Any, Node] = {}

    def kind(self, value: int) -> Kind:
        """Return the kind of a value."""
        return self.kinds[value]

    def node(self, op: str, kind: Kind, args: tuple[Node, ...] = (), data: Any = None) -> Node:
        """Return the one node of this content."""
        key = (op, kind, tuple(map(id, args)), repr(data) if op == "const" else data)  # 0.0 == -0.0
        found = self._interned.get(key)
        if found is None:
            found = self._interned[key] = Node(op, kind, args, data)
        return found

    def pull(self, value: int, index: tuple[Index, ...]) -> Node:
        """Return the element of a value at an index: loaded if it is stored, else computed."""
        value = self.alias.get(value, value)
        if value in self.constants:
            return self.node("const", self.kind(value), (), self.constants[value])
        if value in self.inside and self.inside[value] == index:
            return self.compute(value, index)
        layout = self.layouts.get(value)
        if layout is None:
            return self.compute(value, index)
        return self.node("load", self.kind(value), (), (value, flatten(index, layout.strides, layout.offset)))

    def compute(self, value: int, index: tuple[Index, ...]) -> Node:
        """Return the element of a value at an index, computed by its step."""
        key = (value, index)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._compute(value, index)
        return found

    def _compute(self, value: int, index: tuple[Index, ...]) -> Node:
        if value < self.first:  # an input that is copied to a better layout: this is the copy's source
            source = original(value)
            layout = self.layouts[source]
            return self.node("load", self.kind(value), (), (source, flatten(index, layout.strides, layout.offset)))
        step = self.program.steps[value - self.first]
        name = step.primitive.name
        params = dict(step.params)
        if step.primitive.family == "elementwise":
            return self._elementwise(step, index)
        if name in VIEWS:
            return self._as(self.view(value, step, index, params), value)
        if name == "concatenate":
            axis = params["axis"]
            part, start = self._which(step.args, axis, index[axis], value)
            moved = (*index[:axis], index[axis] + -start, *index[axis + 1 :])
            return self._as(self.pull(part, moved), value)
        if name == "stack":
            axis = params["axis"]
            which = self._locate(index[axis], range(len(step.args) + 1), value)
            return self._as(self.pull(step.args[which], (*index[:axis], *index[axis + 1 :])), value)
        if name in ("index_add", "index_set") and len(step.args) == (1 if name == "index_add" else 2):
            return self._inserted(value, step, index, params)
        if name == "unit_seeds":
            return self._seeds(value, index, params)
        raise MustStore(value)

    def _as(self, node: Node, value: int) -> Node:
        kind = self.kind(value)
        return node if node.kind == kind else self.node("convert", kind, (node,))

    # ------------------------------------------------------------ arithmetic

    def aligned(self, arg: int, index: tuple[Index, ...]) -> tuple[Index, ...]:
        """Return the index of a broadcast argument."""
        shape = self.program.slot(arg).shape
        tail = index[len(index) - len(shape) :] if shape else ()
        return tuple(NOUGHT if n == 1 else part for n, part in zip(shape, tail, strict=True))

    def _elementwise(self, step: Any, index: tuple[Index, ...]) -> Node:
        dtypes = tuple(self.program.slot(a).dtype for a in step.args)
        name = step.primitive.name
        kinds = scalars.loop_kinds(name, dtypes, step.slot.dtype, step.params)
        assert kinds is not None
        args = tuple(self.pull(a, self.aligned(a, index)) for a in step.args)
        return self.node("step", kinds[-1], args, (name, kinds, step.params))

    def _seeds(self, value: int, index: tuple[Index, ...], params: dict[str, Any]) -> Node:
        kind = self.kind(value)
        flat = flatten(index[1:], strides_of(params["shape"]))
        return self.node("same", kind, (), (index[0] + params["start"], flat))

    # ------------------------------------------------------------ views

    def view(self, value: int, step: Any, index: tuple[Index, ...], params: dict[str, Any]) -> Node:
        """Return the element of a view, by its index into what it views."""
        name = step.primitive.name
        operand = step.args[0]
        shape = self.program.slot(operand).shape
        if name in ALIASES:
            return self.pull(operand, index)
        if name == "broadcast_to":
            return self.pull(operand, self.aligned(operand, index))
        if name == "transpose":
            moved = [NOUGHT] * len(shape)
            for part, axis in zip(index, params["axes"], strict=True):
                moved[axis] = part
            return self.pull(operand, tuple(moved))
        if name == "reshape":
            return self.flat(operand, shape, flatten(index, strides_of(step.slot.shape)))
        return self.pull(operand, self.source(shape, index, params["spec"], step.args[1:]))

    def flat(self, operand: int, shape: tuple[int, ...], flat: Index) -> Node:
        """Return the element of a value by its position in C order."""
        # Reshapes of reshapes, and of what lies contiguous in memory, only need the position.
        while True:
            operand = self.alias.get(operand, operand)
            layout = self.layouts.get(operand)
            if layout is not None and operand not in self.inside and layout.contiguous:
                return self.node("load", self.kind(operand), (), (operand, flat + layout.offset))
            if layout is None and operand >= self.first:
                step = self.program.steps[operand - self.first]
                if step.primitive.name == "reshape" or step.primitive.name in ALIASES:
                    operand = step.args[0]
                    shape = self.program.slot(operand).shape
                    continue
            break
        try:
            index = unflatten(flat, shape, self.extents)
        except NotAffine:
            raise MustStore(operand) from None
        return self.pull(operand, index)

    def source(
        self, shape: tuple[int, ...], index: tuple[Index, ...], spec: Any, arrays: Sequence[int]
    ) -> tuple[Index, ...]:
        """Return the index into an array of `shape` of element `index` of what `spec` takes from it."""
        slots = [self.program.slot(a) for a in arrays]
        _, place, count = layout_of(shape, spec, slots)
        middle = index[place : place + count]
        basic = iter((*index[:place], *index[place + count :]))
        remaining = iter(arrays)
        found: list[Index] = []
        axis = 0
        for part in spec:
            if part is None:
                next(basic)
                continue
            n = shape[axis]
            if isinstance(part, tuple):
                start, _, stride = slice(*part).indices(n)
                found.append(next(basic) * stride + start)
            elif part is ARRAY or part == ARRAY:
                array = next(remaining)
                number = self.constants.get(array)
                if number is not None and -n <= number < n:
                    found.append(Index(int(number) % n))
                elif array not in self.layouts:
                    raise MustStore(array)
                else:
                    found.append(Index(0, (), ((1, (array, self.aligned(array, middle), n)),)))
            else:
                found.append(Index(part % n if n else 0))
            axis += 1
        found.extend(basic)
        return tuple(found)

    # ------------------------------------------------------------ values made of pieces

    def _which(self, parts: Sequence[int], axis: int, index: Index, value: int) -> tuple[int, int]:
        starts = [0]
        for part in parts:
            starts.append(starts[-1] + self.program.slot(part).shape[axis])
        which = self._locate(index, starts, value)
        return parts[which], starts[which]

    def _locate(self, index: Index, starts: Sequence[int], value: int) -> int:
        """Return which of the stretches between `starts` an index lies in; ask for a cut where it crosses."""
        try:
            low, high = index.bounds(self.extents)
        except NotAffine:
            raise MustStore(value) from None
        for i in range(len(starts) - 1):
            if starts[i] <= low < starts[i + 1]:
                if high < starts[i + 1]:
                    return i
                raise self._cut(index, starts[i + 1], value)
        raise MustStore(value)

    def _cut(self, index: Index, boundary: int, value: int) -> Exception:
        for number, factor in sorted(index.terms, key=lambda term: -abs(term[1])):
            others = Index(index.const, tuple(t for t in index.terms if t[0] != number))
            low, high = others.bounds(self.extents)
            if factor > 0:
                position = -((low - boundary) // factor)
                clean = factor * (position - 1) + high < boundary
            else:
                position = (boundary - high) // factor + 1
                clean = factor * (position - 1) + low >= boundary
            if clean and 0 < position < self.extents[number]:
                request = CutVariable(number, position)
                request.value = value  # type: ignore[attr-defined]
                return request
        return MustStore(value)

    def _inserted(self, value: int, step: Any, index: tuple[Index, ...], params: dict[str, Any]) -> Node:
        """An element of zeros (or of a base) with a block set."""
        add = step.primitive.name == "index_add"
        block = step.args[0] if add else step.args[1]
        moved: list[Index] = []
        axis = 0
        spec, shape = params["spec"], step.slot.shape
        spec = (*spec, *((None, None, None),) * (len(shape) - sum(part is not None for part in spec)))
        inside = True
        for part in spec:
            if part is None:
                moved.append(NOUGHT)
                continue
            n = shape[axis]
            if isinstance(part, tuple):
                start, stop, stride = slice(*part).indices(n)
                length = len(range(start, stop, stride))
                if stride not in (1, -1) and length > 1:
                    raise MustStore(value)
                first = start if stride > 0 else start - length + 1
                here = self._locate(index[axis], sorted({0, first, first + length, n}), value) if length else -1
                bounds = sorted({0, first, first + length, n})
                if not length or bounds[here] != first:
                    inside = False
                    break
                moved.append((index[axis] + -start) * (1 if stride > 0 else -1))
            else:
                first = part % n
                bounds = sorted({0, first, first + 1, n})
                if bounds[self._locate(index[axis], bounds, value)] != first:
                    inside = False
                    break
            axis += 1
        if inside:
            return self._as(self.pull(block, tuple(moved)), value)
        if add:
            return self.node("const", self.kind(value), (), 0)
        return self._as(self.pull(step.args[0], index), value)
