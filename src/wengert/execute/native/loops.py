"""Programs as loop nests: the text of one native function from a schedule, with its work memory planned.

The function takes a table of pointers (inputs, captures, outputs) and a block of work memory, and returns 0, or 1 if an
index array points outside of what it indexes; the caller then lets NumPy find the words for it.
"""

from __future__ import annotations

from typing import Any

from ...program import Program
from . import products, scalars, sequential
from .ir import Code, constant
from .nest import Kernel, fill
from .pull import Layout, original
from .schedule import Item, Schedule

ALIGN = 64


class Loops:
    """The native code of one Program in loops.

    Attributes
    ----------
    work_bytes : int
        Size of the work memory that the function needs.
    zeroed_outputs : set of int
        Positions of outputs that the function expects to be zero when it starts.
    clocks : int
        If the function takes its own time, where in the work memory it writes processor ticks: one before all items of the
        schedule and one after each.
    """

    def __init__(
        self,
        code: Code,
        program: Program,
        leaves: dict[int, Layout],
        constants: dict[int, Any],
        *,
        timed: bool = False,
    ) -> None:
        self.timed = timed
        self.clocks = 0
        self.code = code
        self.program = program
        self.schedule = Schedule(program, leaves, constants)
        self.work_bytes = 0
        self.zeroed_outputs: set[int] = set()
        self.symbols: dict[str, int] = {}
        self.work = 0

    def write(self, name: str, attributes: str) -> None:
        """Write the function `name` and the functions it calls."""
        schedule, code = self.schedule, self.code
        kernels: list[tuple[Item, Kernel | None]] = []
        for number, item in enumerate(schedule.items):
            kernel = None
            if item.kind in ("nest", "check"):
                kernel = Kernel(f"{name}_{number}", code, schedule.layouts, item.boxes)
            kernels.append((item, kernel))
        offsets = self._plan_memory()
        starts = self._starts(kernels)
        started = set(starts)
        letters = set()
        for item, kernel in kernels:
            if kernel is not None and kernel.boxes:
                kernel.write(attributes, schedule.kinds, started)
            elif item.kind == "product":
                kind = item.payload[0]
                if kind not in letters:
                    letters.add(kind)
                    products.declare(code, kind)
                    self.symbols.update(products.symbols(kind))
        fills: dict[int, str] = {}
        for v, value in starts.items():
            if not _is_zero(value):
                fills[v] = f"{name}_fill{v if v >= 0 else f'c{-v}'}"
                fill(code, fills[v], schedule.kinds[v], value, max(_size(schedule.shape_of(v)), 1))
        self._entry(name, kernels, offsets, starts, fills)

    # ------------------------------------------------------------ memory

    def _bytes(self, v: int) -> int:
        schedule = self.schedule
        shape = () if v < 0 and v > original(0) else schedule.shape_of(v)
        return max(_size(shape), 1) * schedule.kinds[v].itemsize

    def _plan_memory(self) -> dict[int, int]:
        """Give every stored value that is no output a place in the work memory; places are used again."""
        schedule = self.schedule
        outputs = set(schedule.output_values)
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for position, item in enumerate(schedule.items):
            for v in item.writes:
                first.setdefault(v, position)
                last[v] = position
            for v in item.reads:
                last[v] = position
        offsets: dict[int, int] = {}
        free: list[tuple[int, int]] = []  # (offset, size), by offset
        ends: dict[int, list[int]] = {}
        top = 0
        for v, position in sorted(first.items(), key=lambda entry: (entry[1], entry[0])):
            if v in outputs or v in schedule.leaves and v not in schedule.forced:
                continue
            for done in sorted(p for p in ends if p < position):
                for old in ends.pop(done):
                    free.append((offsets[old], -(-self._bytes(old) // ALIGN) * ALIGN))
            free = _joined(free)
            size = -(-self._bytes(v) // ALIGN) * ALIGN
            fitting = [entry for entry in free if entry[1] >= size]
            if fitting:
                place = min(fitting, key=lambda entry: entry[1])
                free.remove(place)
                offsets[v] = place[0]
                if place[1] > size:
                    free.append((place[0] + size, place[1] - size))
            else:
                offsets[v] = top
                top += size
            ends.setdefault(last[v], []).append(v)
        self.work_bytes = top
        return offsets

    def _starts(self, kernels: list[tuple[Item, Kernel | None]]) -> dict[int, Any]:
        """Return the values that have to be filled before they are written to, and with what."""
        schedule = self.schedule
        found: dict[int, Any] = {v: constant(schedule.kinds[v], 0) for v in schedule.zeroed}
        for item, kernel in kernels:
            if kernel is not None:
                for v in kernel.needs_start(item.roots):
                    root = next(root for root in item.roots if root.value == v)
                    found.setdefault(v, scalars.identity(root.reduction or "", schedule.kinds[v]))
        return found

    # ------------------------------------------------------------ the entry

    def _entry(
        self,
        name: str,
        kernels: list[tuple[Item, Kernel | None]],
        offsets: dict[int, int],
        starts: dict[int, Any],
        fills: dict[int, str],
    ) -> None:
        code, schedule, program = self.code, self.schedule, self.program
        pointer: dict[int, str] = {}
        code.rows.append(f"define i32 @{name}(ptr noalias %table, ptr noalias %work) {{")
        code.label("entry")
        code.push()

        def from_table(position: int) -> str:
            return code.let(f"load ptr, ptr {code.pure(f'getelementptr ptr, ptr %table, i64 {position}')}")

        count = len(program.inputs) + len(program.captures)
        for v in range(count):
            source = original(v) if v in schedule.forced else v
            pointer[source] = from_table(v)
        for position, v in enumerate(schedule.output_values):
            pointer[v] = from_table(count + position)
        for v, offset in offsets.items():
            pointer[v] = code.pure(f"getelementptr i8, ptr %work, i64 {offset}")
        filled: set[int] = set()
        outputs = {v: k for k, v in enumerate(schedule.output_values)}
        if self.timed:
            self.clocks = self.work_bytes
            self.work_bytes += 8 * (len(kernels) + 1)
            self._tick(0)
        for number, (item, kernel) in enumerate(kernels):
            for v in sorted(item.writes):
                if v not in starts or v in filled:
                    continue
                filled.add(v)
                if v in fills:
                    code.row(f"call void @{fills[v]}(ptr {pointer[v]})")
                elif v in outputs:
                    self.zeroed_outputs.add(outputs[v])
                else:
                    code.declares["llvm.memset.p0.i64"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
                    code.row(f"call void @llvm.memset.p0.i64(ptr {pointer[v]}, i8 0, i64 {self._bytes(v)}, i1 false)")
            if kernel is not None:
                if kernel.boxes:
                    code.row(f"call void @{kernel.name}({', '.join(f'ptr {pointer[v]}' for v in kernel.pointers)})")
            elif item.kind == "product":
                kind, product, a, b = item.payload
                (out,) = item.writes
                products.call(code, kind, product, a, b, out, pointer)
            else:
                (out,) = item.writes
                sequential.write(code, item.payload, out, pointer, schedule)
            if item.kind == "check":
                (v,) = item.writes
                self._leave_if(pointer[v])
            if self.timed:
                self._tick(number + 1)
        code.row("ret i32 0")
        code.pop()
        code.rows.append("}")

    def _tick(self, number: int) -> None:
        code = self.code
        code.declares["llvm.readcyclecounter"] = "declare i64 @llvm.readcyclecounter()"
        ticks = code.let("call i64 @llvm.readcyclecounter()")
        code.row(f"store i64 {ticks}, ptr {code.let(f'getelementptr i8, ptr %work, i64 {self.clocks + 8 * number}')}")

    def _leave_if(self, flag: str) -> None:
        code = self.code
        bad, good = code.fresh("bad"), code.fresh("good")
        wrong = code.let(f"icmp ne i8 {code.let(f'load i8, ptr {flag}')}, 0")
        code.row(f"br i1 {wrong}, label %{bad}, label %{good}")
        code.label(bad)
        code.row("ret i32 1")
        code.label(good)


def _joined(free: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for offset, size in sorted(free):
        if merged and merged[-1][0] + merged[-1][1] == offset:
            merged[-1] = (merged[-1][0], merged[-1][1] + size)
        else:
            merged.append((offset, size))
    return merged


def _is_zero(value: Any) -> bool:
    zeros = ("0", "false", "0x0000000000000000")
    return value.re in zeros and value.im in ("", *zeros)


def _size(shape: Any) -> int:
    n = 1
    for extent in shape:
        n *= extent
    return n
