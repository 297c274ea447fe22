"""Programs as loop nests: the text of one native function from a schedule, with its work memory planned.

The function takes a table of pointers (inputs, captures, outputs) and a block of work memory, and returns 0, or 1 if an
index array points outside of what it indexes; the caller then lets NumPy find the words for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...program import Program
from . import control_code, products, scalars, sequential, symmetric, threads
from .ir import Code, constant
from .kernel import Kernel, fill
from .pull import Layout, original
from .schedule import Schedule

ALIGN = 64
_CONTROL = ("scan", "branches", "while")


class Loops:
    """The native code of one Program in loops.

    Attributes
    ----------
    work_bytes : int
        Size of the work memory that the function needs.
    zeroed_outputs : set of int
        Positions of outputs that the function expects to be zero when it starts.
    clocks : int
        If the function takes its own time, where in the work memory it writes processor ticks: one before all items
        of the schedule and one after each.
    """

    def __init__(
        self,
        code: Code,
        program: Program,
        leaves: dict[int, Layout],
        constants: dict[int, Any],
        *,
        timed: bool = False,
        in_loop: bool = False,
    ) -> None:
        self.timed = timed
        self.clocks = 0
        self.code = code
        self.program = program
        self.schedule = Schedule(program, leaves, constants, in_loop=in_loop)
        self.work_bytes = 0
        self.zeroed_outputs: set[int] = set()
        self.symbols: dict[str, int] = {}
        self.work = 0

    def prepare(self) -> None:
        """Plan kernels and work memory; nothing is written yet."""
        schedule = self.schedule
        self.kernels: list[Kernel | None] = [
            Kernel("", self.code, schedule.layouts, item.boxes) if item.kind in ("nest", "check") else None
            for item in schedule.items
        ]
        self.starts = self._starts()
        self.offsets = self._plan_memory()

    def write(self, name: str, attributes: str) -> None:
        """Write the function `name` and the functions it calls."""
        self.prepare()
        self.write_kernels(self.code, name, attributes)
        code, program = self.code, self.program
        code.rows.append(f"define i32 @{name}(ptr noalias %table, ptr noalias %work) {{")
        code.label("entry")
        code.push()

        def from_table(position: int) -> str:
            return code.let(f"load ptr, ptr {code.pure(f'getelementptr ptr, ptr %table, i64 {position}')}")

        count = len(program.inputs) + len(program.captures)
        leaves = [from_table(v) for v in range(count)]
        outputs = [from_table(count + k) for k in range(len(program.outputs))]
        self.write_calls(code, name, leaves, outputs, "%work", clear_outputs=False)
        code.row("ret i32 0")
        code.pop()
        code.rows.append("}")

    def write_kernels(self, code: Code, name: str, attributes: str) -> None:
        """Write the functions of all nests, those of loops' bodies included."""
        schedule = self.schedule
        started = set(self.starts) | schedule.prepared
        for number, (item, kernel) in enumerate(zip(schedule.items, self.kernels, strict=True)):
            if kernel is not None and kernel.boxes:
                kernel.name, kernel.code = f"{name}_{number}", code
                kernel.parallel = kernel.parallel and not schedule.in_loop and threads.pool.start() != 0
                if kernel.parallel:
                    self.symbols["wengert_parallel"] = threads.pool.address
                kernel.write(attributes, schedule.kinds, started, in_loop=schedule.in_loop)
            elif item.kind == "product":
                kind = item.payload[0]
                products.declare(code, kind)
                self.symbols.update(products.symbols(kind))
            elif item.kind in _CONTROL:
                for part, inner in item.payload.inners():
                    inner.write_kernels(code, f"{name}_{number}_{part}", attributes)
                    self.symbols.update(inner.symbols)
        self.fills: dict[int, str] = {}
        for v, value in self.starts.items():
            if not _is_zero(value):
                self.fills[v] = f"{name}_fill{v if v >= 0 else f'c{-v}'}"
                fill(code, self.fills[v], schedule.kinds[v], value, max(_size(schedule.shape_of(v)), 1))

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
            if v in outputs or (v in schedule.leaves and v not in schedule.forced):
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

    def _starts(self) -> dict[int, Any]:
        """Return the values that have to be filled before they are written to, and with what."""
        schedule = self.schedule
        found: dict[int, Any] = {v: constant(schedule.kinds[v], 0) for v in schedule.zeroed}
        for item, kernel in zip(schedule.items, self.kernels, strict=True):
            if kernel is not None:
                for v in kernel.needs_start(item.roots) - schedule.prepared:
                    root = next(root for root in item.roots if root.value == v)
                    found.setdefault(v, scalars.identity(root.reduction or "", schedule.kinds[v]))
        return found

    # ------------------------------------------------------------ calls

    def write_calls(
        self, code: Code, name: str, leaves: Sequence[str], outputs: Sequence[str], work: str, *, clear_outputs: bool
    ) -> None:
        """Write the calls of all kernels into the current function.

        Parameters
        ----------
        leaves, outputs : sequence of str
            Registers with the addresses of inputs and captures, and of outputs.
        work : str
            Address of the work memory.
        clear_outputs : bool
            Whether outputs that have to start as zero are cleared here; else the caller does it.
        """
        schedule = self.schedule
        pointer: dict[int, str] = {}
        for v, address in enumerate(leaves):
            pointer[original(v) if v in schedule.forced else v] = address
        pointer.update(zip(schedule.output_values, outputs, strict=True))
        for v, offset in self.offsets.items():
            pointer[v] = code.pure(f"getelementptr i8, ptr {work}, i64 {offset}") if offset else work
        filled: set[int] = set()
        places = {v: k for k, v in enumerate(schedule.output_values)}
        if self.timed:
            self.clocks = self.work_bytes
            self.work_bytes += 8 * (len(schedule.items) + 1)
            self._tick(0)
        for number, (item, kernel) in enumerate(zip(schedule.items, self.kernels, strict=True)):
            for v in sorted(item.writes):
                if v not in self.starts or v in filled:
                    continue
                filled.add(v)
                if v in self.fills:
                    code.row(f"call void @{self.fills[v]}(ptr {pointer[v]})")
                elif v in places and not clear_outputs:
                    self.zeroed_outputs.add(places[v])
                else:
                    code.declares["llvm.memset.p0.i64"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
                    code.row(f"call void @llvm.memset.p0.i64(ptr {pointer[v]}, i8 0, i64 {self._bytes(v)}, i1 false)")
            if kernel is not None:
                if kernel.boxes:
                    kernel.write_call(code, pointer)
            elif item.kind == "product":
                kind, product, a, b, half = item.payload
                (out,) = item.writes
                (symmetric.call if half else products.call)(code, kind, product, a, b, out, pointer)
            elif item.kind == "scan":
                control_code.write_scan(code, item.payload, pointer, schedule.kinds, f"{name}_{number}")
            elif item.kind == "branches":
                control_code.write_branches(code, item.payload, pointer, f"{name}_{number}")
            elif item.kind == "while":
                control_code.write_while(code, item.payload, pointer, f"{name}_{number}")
            else:
                (out,) = item.writes
                sequential.write(code, item.payload, out, pointer, schedule)
            if item.kind == "check":
                (v,) = item.writes
                self._leave_if(code, pointer[v])
            if self.timed:
                self._tick(number + 1)

    def _tick(self, number: int) -> None:
        code = self.code
        code.declares["llvm.readcyclecounter"] = "declare i64 @llvm.readcyclecounter()"
        ticks = code.let("call i64 @llvm.readcyclecounter()")
        code.row(f"store i64 {ticks}, ptr {code.let(f'getelementptr i8, ptr %work, i64 {self.clocks + 8 * number}')}")

    def _leave_if(self, code: Code, flag: str) -> None:
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
