"""From a Program to machine code: straight-line or loops, one module of text, compiled and linked."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...program import Program
from . import straight, vectormath
from .engine import Library, compile_text, engine
from .ir import Code, kind_of, strides_in_elements
from .loops import Loops
from .pull import Layout
from .straight import NoLowering, Straight


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
    """

    __slots__ = ("baked", "form", "kernels", "library", "program", "text", "work_bytes", "zeroed")

    def __init__(self, program: Program, form: str, text: str, baked: dict[int, Any]) -> None:
        self.program = program
        self.form = form
        self.text = text
        self.baked = baked
        self.work_bytes = 0
        self.zeroed: frozenset[int] = frozenset()
        self.library: Library | None = None


def function_attributes() -> str:
    """Return LLVM attributes of kernels: how wide vectors may be."""
    widest = vectormath.widths()[0][1] if engine().triple.startswith("x86_64") else 128
    return f'nounwind "prefer-vector-width"="{widest}"'


def lower(program: Program, baked: dict[int, Any] | None = None, form: str | None = None) -> tuple[Native, dict[str, int]]:
    """Return the text of a Program's native code, and the addresses of what it calls.

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
    return _straight(program, baked) if form == "straight" else _loops(program, baked)


def _straight(program: Program, baked: dict[int, Any]) -> tuple[Native, dict[str, int]]:
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
    native = Native(program, "straight", vectormath.module_text(code, "\n".join(code.rows)), baked)
    return native, vectormath.symbols(code)


def _loops(program: Program, baked: dict[int, Any]) -> tuple[Native, dict[str, int]]:
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
    loops = Loops(code, program, leaves, constants)
    loops.write("run", function_attributes())
    native = Native(program, "loops", vectormath.module_text(code, "\n".join(code.rows)), baked)
    native.work_bytes = loops.work_bytes
    native.zeroed = frozenset(loops.zeroed_outputs)
    return native, {**vectormath.symbols(code), **loops.symbols}


def compile_native(program: Program, baked: dict[int, Any] | None = None, form: str | None = None) -> Native:
    """Lower a Program and compile it."""
    native, symbols = lower(program, baked, form)
    native.library = compile_text(native.text, ["run"], symbols, level=1 if native.form == "straight" else 3)
    return native
