"""From a Program to machine code: straight-line or loops, one module of text, compiled, linked, and made callable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...program import Program
from . import contexts, fastcall, scalars, straight, vectormath, wrapper
from .contexts import Argument, Result, Watch
from .engine import Library, compile_text, engine
from .ir import Code, kind_of, strides_in_elements
from .loops import Loops
from .pull import Layout
from .straight import NoLowering, Straight

MISS: Any = type("Miss", (), {"__repr__": lambda self: "<arguments do not fit>"})()
PINNED_BYTES = 1 << 12


class Native:
    """The machine code of one Program.

    Attributes
    ----------
    form : str
        "straight" or "loops".
    text : str
        The LLVM IR.
    library : Library
    work_bytes : int
        Work memory that a run needs.
    zeroed : frozenset of int
        Outputs that must be zero before a run.
    baked : dict
        Captures, by position, whose values are part of the code.
    loops : Loops or None
        The plan of code in loops.
    """

    __slots__ = ("baked", "code", "form", "library", "loops", "program", "symbols", "text", "work_bytes", "zeroed")

    def __init__(self, program: Program, form: str, code: Code, baked: dict[int, Any]) -> None:
        self.program = program
        self.form = form
        self.code = code
        self.baked = baked
        self.symbols: dict[str, int] = {}
        self.text = ""
        self.work_bytes = 0
        self.zeroed: frozenset[int] = frozenset()
        self.library: Library | None = None
        self.loops: Loops | None = None

    def link(self, exports: Sequence[str], more: str = "", declares: dict[str, str] | None = None) -> None:
        """Compile the text, with more functions if there are any."""
        self.text = vectormath.module_text(self.code, "\n".join([*self.code.rows, more]), declares or {})
        self.symbols = {**vectormath.symbols(self.code), **self.symbols}
        self.library = compile_text(self.text, exports, self.symbols, loops=self.form == "loops")


def function_attributes() -> str:
    """Return LLVM attributes of kernels: how wide vectors may be."""
    widest = vectormath.widths()[0][1] if engine().triple.startswith("x86_64") else 128
    # Inlined into each other, kernels take half as long again to compile and run no faster.
    return f'noinline nounwind "prefer-vector-width"="{widest}"'


def lower(
    program: Program, baked: dict[int, Any] | None = None, form: str | None = None, *, timed: bool = False
) -> Native:
    """Write a Program's native code; nothing is compiled yet.

    `baked` are captures that are constants of the code. `form` asks for "straight" or "loops".

    Raises
    ------
    NoLowering
        If a step has no native code.
    """
    baked = baked or {}
    if form is None:
        form = "straight" if straight.size(program) <= straight.LIMIT else "loops"
        if form == "straight":
            try:
                return _straight(program, baked)
            except NoLowering:
                form = "loops"
    return _straight(program, baked) if form == "straight" else _loops(program, baked, timed)


def _straight(program: Program, baked: dict[int, Any]) -> Native:
    code = Code()
    code.rows.append("define i32 @run(ptr noalias %table, ptr noalias %work) {")
    code.label("entry")
    count = len(program.inputs) + len(program.captures)
    addresses = []
    for i in range(count):
        addresses.append(code.pure(f"load ptr, ptr {code.pure(f'getelementptr ptr, ptr %table, i64 {i}')}"))
    outputs = Straight(code, program, baked).write(addresses)
    for k, (array, number) in enumerate(zip(outputs, program.outputs, strict=True)):
        place = code.pure(f"load ptr, ptr {code.pure(f'getelementptr ptr, ptr %table, i64 {count + k}')}")
        kind = kind_of(program.slot(number).dtype)
        assert kind is not None
        for i, value in enumerate(array.flat):
            if value is straight.ZERO:
                value = straight.constant(kind, 0)
            code.store(code.convert(value, kind), place, str(i))
    code.row("ret i32 0")
    code.rows.append("}")
    return Native(program, "straight", code, baked)


def _loops(program: Program, baked: dict[int, Any], timed: bool = False) -> Native:
    code = Code()
    leaves = {}
    constants = {}
    count = len(program.inputs)
    for i in range(count + len(program.captures)):
        slot = program.slot(i)
        if i - count in baked and slot.shape == ():
            constants[i] = baked[i - count]
            continue
        layout = Layout.of(slot.shape)
        if i >= count and isinstance(program.captures[i - count], np.ndarray):
            strides = strides_in_elements(program.captures[i - count])
            if strides is not None and strides != layout.strides:
                layout = Layout(strides, 0, contiguous=False)
        leaves[i] = layout
    loops = Loops(code, program, leaves, constants, timed=timed)
    loops.write("run", function_attributes())
    native = Native(program, "loops", code, {i: baked[i] for i in baked if count + i in constants})
    native.work_bytes = loops.work_bytes
    native.zeroed = frozenset(loops.zeroed_outputs)
    native.symbols = loops.symbols
    native.loops = loops
    return native


def compile_native(program: Program, baked: dict[int, Any] | None = None, form: str | None = None) -> Native:
    """Lower a Program and compile its function `run` alone."""
    native = lower(program, baked, form)
    native.link(["run"])
    return native


def operations(program: Program) -> float:
    """Return roughly how many additions one run costs."""
    total = 0.0
    for step in program.steps:
        name = step.primitive.name
        shape = step.slot.shape
        if isinstance(step.slot.dtype, tuple) or any(isinstance(program.slot(a).dtype, tuple) for a in step.args):
            continue
        if name == "contract":
            labels = dict(step.params)
            sizes = dict(zip(labels["a"], program.slot(step.args[0]).shape, strict=True))
            sizes.update(zip(labels["b"], program.slot(step.args[1]).shape, strict=True))
            total += _size(tuple(sizes.values())) / 4
        elif name in scalars.REDUCTIONS:
            total += _size(program.slot(step.args[0]).shape) / 4
        elif step.primitive.family == "elementwise":
            total += _size(shape) * scalars.cost_of(name) / 4
        else:
            total += _size(shape) / 8
    return total


def _size(shape: Any) -> int:
    n = 1
    for extent in shape:
        n *= extent
    return n


# ---------------------------------------------------------------- callables


class Compiled:
    """A Program as a builtin function.

    Attributes
    ----------
    native : Native
    direct : builtin
        Takes the arguments; returns the results, or MISS where an argument does not fit or a guard failed.
    """

    __slots__ = ("_arguments", "_captured", "_results", "_watches", "direct", "native")

    def __init__(
        self,
        program: Program,
        arguments: Sequence[Argument],
        results: Sequence[Result],
        structure: str,
        *,
        baked: dict[int, Any] | None = None,
        name: str = "compiled",
        form: str | None = None,
        watches: Sequence[Watch] = (),
    ) -> None:
        if contexts.numpy_api() is None:
            raise NoLowering("this Python or NumPy has a layout that is not known")
        native = lower(program, baked, form)
        captured = [as_captured(value) for value in program.captures]
        pinned = {
            i: value.tobytes()
            for i, value in native.baked.items()
            if isinstance(value, np.ndarray) and 0 < value.nbytes <= PINNED_BYTES
        }
        more, declares = wrapper.text(
            arguments,
            [array.nbytes for array in captured],
            results,
            structure,
            native.work_bytes,
            native.zeroed,
            operations(program),
            pinned,
            watches,
        )
        exports = ["run", "call", "vectorcall"] if fastcall.CONTEXT_OFFSET >= 0 else ["run", "call"]
        native.link(exports, more, declares)
        self.native = native
        self._arguments = tuple(arguments)
        self._captured = captured
        self._results = tuple(results)
        self._watches = tuple(watches)
        self.direct = contexts.make_builtin(self.context(_miss), name)

    def context(self, slow: Callable[..., Any], *, watching: bool = False) -> contexts.Context:
        """Return a context whose entry calls `slow` where an argument does not fit.

        If `watching`, it looks at what is outside of the function too.
        """
        return contexts.make_context(
            self._arguments,
            self._captured,
            self._results,
            self.native.work_bytes,
            slow,
            self.native.library,
            self._watches,
            watching=watching,
        )


def _miss(*args: Any, **kwargs: Any) -> Any:
    return MISS


def as_captured(value: Any) -> np.ndarray:
    """Return a captured value as the array that native code reads."""
    if isinstance(value, np.ndarray):
        if value.flags.aligned and strides_in_elements(value) is not None and value.dtype.isnative:
            return value
        return np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("="))
    return np.asarray(value, np.int64) if type(value) is int else np.asarray(value)
