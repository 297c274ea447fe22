"""The code of a nest: a function that runs the loops of its boxes, in one go or in parts that threads take."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from . import scalars
from .affine import Index
from .ir import BOOL, I8, Code, Kind, Value, constant
from .items import Root
from .nest import Box, Plan, level_of, nodes_of
from .pull import Layout, Node

SMALL = 400  # steps; shorter nests are not worth the compile time of vector code
PARALLEL = 60_000  # nanoseconds from which on several threads pay
BLOCK = 512  # steps of a loop that a thread takes at a time
SUM_BLOCK = 1024  # elements that are added up in one go
FEWEST_STEPS = 64  # of an outer loop that threads share


class Kernel:
    """The function of one nest.

    Parameters
    ----------
    name : str
    code : Code
        Gets the function's rows.
    layouts : dict
    first_write : callable
        Says whether a root's place holds nothing yet, so that a reduction over everything may simply store.
    """

    def __init__(self, name: str, code: Code, layouts: dict[int, Layout], boxes: Sequence[Box]) -> None:
        self.name = name
        self.code = code
        self.layouts = layouts
        self.boxes = boxes
        self.plans = [Plan(box, layouts) for box in boxes]
        self.parallel = self._may_be_split()
        self.pointers: list[int] = self._pointers()

    def _may_be_split(self) -> bool:
        """Whether the outermost loop's steps are independent of each other, and enough work for several threads."""
        if len(self.boxes) != 1 or not self.plans[0].loops:
            return False
        box, plan = self.boxes[0], self.plans[0]
        outer = plan.loops[0]
        for (root, _, _), reduced in zip(box.entries, box.reduced, strict=True):
            if root.ordered or root.scatter or outer in reduced or any(v in reduced for v in plan.merged):
                return False
        fewest = FEWEST_STEPS if len(plan.loops) > 1 else 4 * BLOCK
        return plan.extents[outer] >= fewest and self.nanoseconds() > PARALLEL

    def nanoseconds(self) -> float:
        """Return roughly how long the loops take on one thread."""
        total = 0.0
        for box, plan in zip(self.boxes, self.plans, strict=True):
            steps = 1.0
            for n in plan.extents.values():
                steps *= n
            nodes = nodes_of([node for _, node, _ in box.entries])
            work = sum(scalars.cost_of(node.data[0]) for node in nodes if node.op == "step")
            memory = sum(node.kind.itemsize for node in nodes if node.op == "load" and node.data[1].terms)
            memory += sum(root.kind.itemsize for root, _, _ in box.entries if root.reduction is None)
            # A plain copy runs as fast as memory does, which more threads do not make faster.
            total += steps * (work / 25 + memory / (20 if work else 80))
        return total

    def needs_start(self, roots: Sequence[Root]) -> set[int]:
        """Return the values that must hold their reduction's neutral element before the loops run."""
        found = set()
        for i, root in enumerate(roots):
            if root.reduction is None:
                continue
            if len(self.boxes) != 1 or root.scatter:
                found.add(root.value)
                continue
            box, plan = self.boxes[0], self.plans[0]
            outside = plan.loops[: level_of(plan, box.reduced[i])]
            if any(v in box.reduced[i] for v in outside):
                found.add(root.value)
        return found

    def _pointers(self) -> list[int]:
        used: dict[int, None] = {}

        def note(index: Index) -> None:
            for _, (array, parts, _) in index.loads:
                used.setdefault(array)
                for part in parts:
                    note(part)

        for box in self.boxes:
            for root, _, offset in box.entries:
                used.setdefault(root.value)
                note(offset)
            for node in nodes_of([node for _, node, _ in box.entries]):
                if node.op == "load":
                    used.setdefault(node.data[0])
                for index in node.indices():
                    note(index)
        return list(used)

    def write(self, attributes: str, kinds: dict[int, Kind], started: set[int], *, in_loop: bool = False) -> None:
        """Write the function. Roots in `started` have been given a starting value in memory."""
        code = self.code
        names = [f"%b{_tag(v)}" for v in self.pointers]
        params = ", ".join(f"ptr noalias {name}" for name in names)
        if self.parallel:
            params += ", i64 %low, i64 %high"
            self._write_splittable(names)
        code.rows.append(f"define internal void @{self.name}({params}) {attributes} {{")
        code.label("entry")
        code.push()
        for box, plan in zip(self.boxes, self.plans, strict=True):
            _Writer(code, box, plan, self.layouts, kinds, started, in_loop, self.parallel).write()
        code.row("ret void")
        code.pop()
        code.rows.append("}")

    def _write_splittable(self, names: Sequence[str]) -> None:
        """Write the function that the threads call: it takes its arguments out of a table."""
        rows = [f"define internal void @{self.name}_part(ptr %table, i64 %low, i64 %high) {{"]
        for i, name in enumerate(names):
            rows.append(f"  %p{i} = getelementptr ptr, ptr %table, i64 {i}")
            rows.append(f"  {name} = load ptr, ptr %p{i}")
        arguments = ", ".join(f"ptr {name}" for name in names)
        rows.append(f"  call void @{self.name}({arguments}, i64 %low, i64 %high)")
        rows += ["  ret void", "}"]
        self.code.rows.extend(rows)

    def write_call(self, code: Code, pointer: dict[int, str]) -> None:
        """Write the call, over all threads where the nest is large."""
        arguments = [pointer[v] for v in self.pointers]
        if not self.parallel:
            code.row(f"call void @{self.name}({', '.join(f'ptr {a}' for a in arguments)})")
            return
        code.declares["wengert_parallel"] = "declare void @wengert_parallel(ptr, ptr, i64)"
        table = code.let(f"alloca [{len(arguments)} x ptr], align 8")
        for i, argument in enumerate(arguments):
            code.row(f"store ptr {argument}, ptr {code.let(f'getelementptr ptr, ptr {table}, i64 {i}')}")
        plan = self.plans[0]
        steps = plan.extents[plan.loops[0]]
        if len(plan.loops) == 1:
            steps = -(-steps // BLOCK)
        code.row(f"call void @wengert_parallel(ptr @{self.name}_part, ptr {table}, i64 {steps})")


def _tag(value: int) -> str:
    return str(value) if value >= 0 else f"c{-value}"


Sums = dict[tuple[int, int], Value]  # (entry, which of its unrolled copies) -> the sum so far


class _Writer:
    def __init__(
        self,
        code: Code,
        box: Box,
        plan: Plan,
        layouts: dict[int, Layout],
        kinds: dict[int, Kind],
        started: set[int],
        in_loop: bool,
        parallel: bool,
    ) -> None:
        self.parallel = parallel
        self.code = code
        self.box = box
        self.plan = plan
        self.layouts = layouts
        self.kinds = kinds
        self.started = started
        self.registers: dict[int, str] = {}
        self.memo: dict[Any, Value] = {}
        self.level = [level_of(plan, reduced) for reduced in box.reduced]
        steps = 1
        for n in plan.extents.values():
            steps *= n
        self.hint = "" if steps > SMALL or in_loop else f", !llvm.loop {code.scalar_loop()}"

    def write(self) -> None:
        self._loops(0, {})

    # ------------------------------------------------------------ loops

    def _combinations(self, only: Sequence[int]) -> list[dict[int, int]]:
        ranges = [range(self.plan.extents[v]) for v in only]
        return [dict(zip(only, values, strict=True)) for values in itertools.product(*ranges)]

    def _loops(self, level: int, sums: Sums) -> Sums:
        loops = self.plan.loops
        starting = [
            i
            for i, (root, _, _) in enumerate(self.box.entries)
            if root.reduction is not None and self.level[i] == level and not self._in_memory(i)
        ]
        sums = dict(sums)
        for i in starting:
            root = self.box.entries[i][0]
            for k in range(len(self._kept(i))):
                sums[i, k] = scalars.identity(root.reduction or "", root.kind)
        if level == len(loops):
            sums = self._body(sums)
        else:
            sums = self._loop(level, sums)
        for i in starting:
            for k, chosen in enumerate(self._kept(i)):
                self._finish(i, chosen, sums.pop((i, k)))
        return sums

    def _kept(self, i: int) -> list[dict[int, int]]:
        """The combinations of unrolled variables that a root does not sum over."""
        return self._combinations([v for v in self.plan.unrolled if v not in self.box.reduced[i]])

    def _loop(self, level: int, sums: Sums) -> Sums:
        n = self.plan.extents[self.plan.loops[level]]
        if self.parallel and level == 0:
            if len(self.plan.loops) > 1:
                return self._counted(level, sums, "%low", "%high")
            return self._in_blocks(level, sums, n)
        if level == len(self.plan.loops) - 1 and sums and n >= 4 * SUM_BLOCK and self._adds():
            return self._long_sum(level, sums, n)
        return self._counted(level, sums, "0", str(n))

    def _adds(self) -> bool:
        return any(root.reduction == "sum" and root.kind.code in "fc" for root, _, _ in self.box.entries)

    def _in_blocks(self, level: int, sums: Sums, n: int) -> Sums:
        """A single loop that threads share, in blocks of constant length.

        Of such blocks LLVM knows that no address in them wraps around. The last block begins
        early enough to be whole: what two threads compute is the same.
        """

        def block(number: str, none: Sums) -> Sums:
            code = self.code
            code.declares["llvm.umin.i64"] = "declare i64 @llvm.umin.i64(i64, i64)"
            begin = code.let(f"mul nuw nsw i64 {number}, {BLOCK}")
            begin = code.let(f"call i64 @llvm.umin.i64(i64 {begin}, i64 {n - BLOCK})")
            return self._counted(level, none, "0", str(BLOCK), begin)

        self._outer("%low", "%high", {}, block)
        return sums

    def _long_sum(self, level: int, sums: Sums, n: int) -> Sums:
        """Sum in blocks and add up the blocks' sums: a long sum in one go would round too often."""
        code = self.code
        whole, rest = divmod(n, SUM_BLOCK)

        def fresh() -> Sums:
            return {key: scalars.identity(self._reduction(key), value.kind) for key, value in sums.items()}

        def added(totals: Sums, parts: Sums) -> Sums:
            return {key: scalars.combine(code, self._reduction(key), totals[key], parts[key]) for key in totals}

        def block(number: str, totals: Sums) -> Sums:
            begin = code.let(f"mul nuw nsw i64 {number}, {SUM_BLOCK}")
            return added(totals, self._counted(level, fresh(), "0", str(SUM_BLOCK), begin))

        totals = self._outer("0", str(whole), sums, block)
        if rest:
            totals = added(totals, self._counted(level, fresh(), "0", str(rest), str(whole * SUM_BLOCK)))
        return totals

    def _reduction(self, key: tuple[int, int]) -> str:
        return self.box.entries[key[0]][0].reduction or ""

    def _outer(self, low: str, high: str, sums: Sums, body: Callable[[str, Sums], Sums]) -> Sums:
        """Write a loop around `body(counter, sums)`."""
        return self._for(low, high, sums, body, "")

    def _counted(self, level: int, sums: Sums, low: str, high: str, begin: str = "") -> Sums:
        """Write the loop of a level from `low` to `high`; its variable starts at `begin`."""
        v = self.plan.loops[level]

        def body(counter: str, inner: Sums) -> Sums:
            self.registers[v] = self.code.let(f"add nuw nsw i64 {begin}, {counter}") if begin else counter
            result = self._loops(level + 1, inner)
            del self.registers[v]
            return result

        return self._for(low, high, sums, body, self.hint)

    def _for(self, low: str, high: str, sums: Sums, body: Callable[[str, Sums], Sums], hint: str) -> Sums:
        code = self.code
        head, done, before, latch = (code.fresh(x) for x in ("head", "done", "enter", "latch"))
        code.row(f"br label %{before}")
        code.label(before)
        code.row(f"br label %{head}")
        code.label(head)
        counter, following = f"%{code.fresh('i')}", f"%{code.fresh('next')}"
        place = len(code.rows)
        inner: Sums = {}
        starts: list[tuple[str, str, str]] = []
        for key, value in sums.items():
            names = []
            for part in (value.re, value.im) if value.im else (value.re,):
                name = f"%{code.fresh('sum')}"
                starts.append((name, value.kind.type, part))
                names.append(name)
            inner[key] = Value(value.kind, *names)
        code.push()
        result = body(counter, inner)
        code.pop()
        code.row(f"br label %{latch}")
        code.label(latch)
        code.row(f"{following} = add nuw nsw i64 {counter}, 1")
        more = code.let(f"icmp ult i64 {following}, {high}")
        code.row(f"br i1 {more}, label %{head}, label %{done}{hint}")
        code.label(done)
        rows = [f"  {counter} = phi i64 [ {low}, %{before} ], [ {following}, %{latch} ]"]
        ends = [
            part for key in sums for part in ((result[key].re, result[key].im) if result[key].im else (result[key].re,))
        ]
        for (name, kind, start), end in zip(starts, ends, strict=True):
            rows.append(f"  {name} = phi {kind} [ {start}, %{before} ], [ {end}, %{latch} ]")
        code.rows[place:place] = rows
        return {key: result[key] for key in sums}

    # ------------------------------------------------------------ bodies

    def _body(self, sums: Sums) -> Sums:
        code = self.code
        sums = dict(sums)
        code.push()
        self.memo = {}
        for chosen in self._combinations(self.plan.unrolled):
            names = dict(self.registers)
            names.update({v: str(k) for v, k in chosen.items()})
            for i, (root, node, offset) in enumerate(self.box.entries):
                value = self._value(node, names, tuple(chosen.values()))
                if root.reduction is None:
                    self._store(root, value, self._offset(offset, names))
                    continue
                kept = [v for v in self.plan.unrolled if v not in self.box.reduced[i]]
                k = 0
                for v in kept:
                    k = k * self.plan.extents[v] + chosen[v]
                if self._in_memory(i):
                    self._finish(i, chosen, value)
                else:
                    sums[i, k] = scalars.combine(code, root.reduction, sums[i, k], code.convert(value, root.kind))
        code.pop()
        return sums

    def _in_memory(self, i: int) -> bool:
        """Whether a root has no summed loop inside, and no summed unrolled variable: each element goes to memory."""
        reduced = self.box.reduced[i]
        return self.level[i] == len(self.plan.loops) and not any(v in reduced for v in self.plan.unrolled)

    def _finish(self, i: int, chosen: dict[int, int], total: Value) -> None:
        root, _, offset = self.box.entries[i]
        names = dict(self.registers)
        names.update({v: str(k) for v, k in chosen.items()})
        place = self._offset(offset, names)
        if root.value in self.started:
            self._accumulate(root, total, place)
        else:
            self._store(root, total, place)

    def _store(self, root: Root, value: Value, place: str) -> None:
        self.code.store(self.code.convert(value, root.kind), f"%b{_tag(root.value)}", place)

    def _accumulate(self, root: Root, value: Value, place: str) -> None:
        code = self.code
        before = code.load(f"%b{_tag(root.value)}", root.kind, place, merge=False)
        total = scalars.combine(code, root.reduction or "", before, code.convert(value, root.kind))
        code.store(total, f"%b{_tag(root.value)}", place)

    # ------------------------------------------------------------ expressions

    def _value(self, node: Node, names: dict[int, str], chosen: tuple[int, ...]) -> Value:
        key = (id(node), chosen)
        found = self.memo.get(key)
        if found is None:
            found = self.memo[key] = self._evaluate(node, names, chosen)
        return found

    def _evaluate(self, node: Node, names: dict[int, str], chosen: tuple[int, ...]) -> Value:
        code = self.code
        if node.op == "load":
            value, index = node.data
            return code.load(f"%b{_tag(value)}", node.kind, self._offset(index, names))
        if node.op == "const":
            return constant(node.kind, node.data)
        if node.op == "convert":
            return code.convert(self._value(node.args[0], names, chosen), node.kind)
        if node.op == "same":
            a, b = (self._offset(index, names) for index in node.data)
            return code.convert(Value(BOOL, code.pure(f"icmp eq i64 {a}, {b}")), node.kind)
        name, kinds, params = node.data
        args = [self._value(arg, names, chosen) for arg in node.args]
        return scalars.lower(code, name, kinds, args, dict(params))

    def _offset(self, index: Index, names: dict[int, str]) -> str:
        """Write an index as a number in a register."""
        code = self.code
        const = index.const
        parts = []
        for v, factor in index.terms:
            if v in self.plan.merged:
                continue
            name = names[v]
            if not name.startswith("%"):
                const += int(name) * factor
            elif factor == 1:
                parts.append(name)
            else:
                parts.append(code.pure(f"mul nsw i64 {name}, {factor}"))
        for factor, load in index.loads:
            place = self._loaded(load, names)
            parts.append(place if factor == 1 else code.pure(f"mul nsw i64 {place}, {factor}"))
        if not parts:
            return str(const)
        total = parts[0]
        for part in parts[1:]:
            total = code.pure(f"add nsw i64 {total}, {part}")
        return code.pure(f"add nsw i64 {total}, {const}") if const else total

    def _loaded(self, load: Any, names: dict[int, str]) -> str:
        """Write the load of an index from an index array; negative ones count from the end."""
        array, parts, n = load
        layout = self.layouts[array]
        total = Index(layout.offset)
        for part, stride in zip(parts, layout.strides, strict=True):
            total = total + part * stride
        code, kind = self.code, self.kinds[array]
        value = code.load(f"%b{_tag(array)}", kind, self._offset(total, names))
        number = code.convert(value, I8).re
        if kind.code == "u":
            return number
        negative = code.pure(f"icmp slt i64 {number}, 0")
        return code.pure(f"select i1 {negative}, i64 {code.pure(f'add nsw i64 {number}, {n}')}, i64 {number}")


def fill(code: Code, name: str, kind: Kind, value: Value, count: int) -> None:
    """Write a function that sets `count` elements."""
    code.rows.append(f"define internal void @{name}(ptr noalias %b) {{")
    code.label("entry")
    code.push()
    code.row("br label %head")
    code.label("head")
    code.row("%i = phi i64 [ 0, %entry ], [ %next, %head ]")
    code.store(value, "%b", "%i")
    code.row("%next = add nuw nsw i64 %i, 1")
    code.row(f"%more = icmp ult i64 %next, {count}")
    code.row("br i1 %more, label %head, label %done")
    code.label("done")
    code.row("ret void")
    code.pop()
    code.rows.append("}")
