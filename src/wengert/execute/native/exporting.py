"""Compiled code for others to call: C functions of several signatures around a Program's native code."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError, ShapeError
from ...program import Program
from .build import as_captured, lower
from .hybrid import constants
from .ir import kind_of
from .prepare import prepare
from .rolling import roll

# Signature as SciPy spells it: (IR of the head, what the inputs and the output are)
SIGNATURES = (
    "void (arrays)",
    "double (double)",
    "double (double, void *)",
    "double (int, double *)",
    "double (int, double *, void *)",
    "int (double *, npy_intp, double *, void *)",
)
STACK = 1 << 16


class Exported:
    """A compiled function for other languages and libraries. Keep it alive as long as its address may be called.

    Attributes
    ----------
    address : int
        Of the C function.
    signature : str
    ir : str
        The LLVM IR.
    inputs, outputs : list of (shape, dtype)
    """

    def __init__(self, program: Program, signature: str) -> None:
        if signature not in SIGNATURES:
            raise ArgumentError(f"export: signature is one of {', '.join(map(repr, SIGNATURES))}, not {signature!r}")
        rolled = roll(prepare(program))
        program = prepare(rolled)
        native = lower(program, constants(program))
        self.signature = signature
        self.inputs = [(slot.shape, np.dtype(slot.dtype)) for slot in program.inputs]
        self.outputs = [(slot.shape, np.dtype(slot.dtype)) for slot in program.output_slots]
        self._check(program)
        self._kept: list[Any] = [as_captured(value) for value in program.captures]
        native.link(["entry"], _entry(self, native, [array.ctypes.data for array in self._kept]), _DECLARES)
        assert native.library is not None
        self._native = native
        self.address = native.library.addresses["entry"]
        self.ir = native.text

    def _check(self, program: Program) -> None:
        if self.signature == "void (arrays)":
            return
        doubles = all(kind_of(dtype) == kind_of(np.float64) for _, dtype in (*self.inputs, *self.outputs))
        one_in = len(self.inputs) == 1 and len(self.outputs) == 1 and self.outputs[0][0] == ()
        shape = self.inputs[0][0] if self.inputs else None
        fits = shape == () if self.signature.startswith("double (double") else shape is not None and len(shape) == 1
        if not (doubles and one_in and fits):
            taken, given = (", ".join(f"{d}{list(s)}" for s, d in slots) for slots in (self.inputs, self.outputs))
            raise ShapeError(
                f"export: {self.signature!r} does not fit a function of {taken} to {given}",
                why="it takes one float64 "
                + ("number" if self.signature.startswith("double (double") else "vector")
                + " and gives one float64 number",
                hint="signature='void (arrays)', which fits every function",
            )

    @property
    def ctypes(self) -> Any:
        """The function for `ctypes`."""
        if self.signature == "void (arrays)":
            count = len(self.inputs) + len(self.outputs)
            return ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * count)(self.address)
        kinds = {
            "double (double)": (ctypes.c_double,),
            "double (double, void *)": (ctypes.c_double, ctypes.c_void_p),
            "double (int, double *)": (ctypes.c_int, ctypes.c_void_p),
            "double (int, double *, void *)": (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p),
        }
        if self.signature in kinds:
            return ctypes.CFUNCTYPE(ctypes.c_double, *kinds[self.signature])(self.address)
        return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p)(
            self.address
        )

    def low_level_callable(self) -> Any:
        """Return a `scipy.LowLevelCallable` of the function, for `scipy.integrate.quad`, `scipy.ndimage` and others."""
        from scipy import LowLevelCallable

        if self.signature == "void (arrays)":
            raise ArgumentError("export: SciPy knows no signature 'void (arrays)'", hint="signature='double (double)'")
        new = ctypes.pythonapi.PyCapsule_New
        new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        name = ctypes.create_string_buffer(self.signature.encode())
        self._kept.append(name)
        capsule = new(self.address, name, None)
        made = LowLevelCallable(capsule)
        self._kept.append(capsule)
        _ALIVE[id(capsule)] = self  # SciPy keeps the capsule only
        return made

    def __repr__(self) -> str:
        return f"<wengert.export: {self.signature} at 0x{self.address:x}>"


_ALIVE: dict[int, Exported] = {}
_DECLARES = {"malloc": "declare ptr @malloc(i64)", "free": "declare void @free(ptr)"}


def _entry(made: Exported, native: Any, captured: Sequence[int]) -> str:
    """Return the IR of the C function: it fills the table of pointers and calls `run`."""
    signature = made.signature
    inputs, outputs = len(made.inputs), len(made.outputs)
    rows: list[str] = []
    if signature == "void (arrays)":
        names = [f"%a{i}" for i in range(inputs + outputs)]
        head = f"define i32 @entry({', '.join(f'ptr {n}' for n in names)})"
        places = names
    elif signature.startswith("double (double"):
        head = f"define double @entry(double %x{', ptr %user' if 'void' in signature else ''})"
        rows += ["  %in = alloca double", "  %out = alloca double", "  store double %x, ptr %in"]
        places = ["%in", "%out"]
    elif signature.startswith("double (int"):
        head = f"define double @entry(i32 %n, ptr %x{', ptr %user' if 'void' in signature else ''})"
        rows += ["  %out = alloca double"]
        places = ["%x", "%out"]
    else:
        head = "define i32 @entry(ptr %x, i64 %n, ptr %out, ptr %user)"
        places = ["%x", "%out"]
    table = [*places[:inputs], *(f"inttoptr (i64 {address} to ptr)" for address in captured), *places[inputs:]]
    rows.append(f"  %table = alloca [{len(table)} x ptr]")
    for i, place in enumerate(table):
        rows.append(f"  %t{i} = getelementptr ptr, ptr %table, i64 {i}")
        rows.append(f"  store ptr {place}, ptr %t{i}")
    for k in sorted(native.zeroed):
        shape, dtype = made.outputs[k]
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        rows.append(f"  call void @llvm.memset.p0.i64(ptr {places[inputs + k]}, i8 0, i64 {size}, i1 false)")
        native.code.declares["llvm.memset.p0.i64"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
    if native.work_bytes <= STACK:
        rows.append(f"  %work = alloca [{max(native.work_bytes, 1)} x i8], align 64")
    else:
        rows += [
            f"  %block = call ptr @malloc(i64 {native.work_bytes + 64})",
            "  %number = ptrtoint ptr %block to i64",
            "  %more = add i64 %number, 63",
            "  %even = and i64 %more, -64",
            "  %work = inttoptr i64 %even to ptr",
        ]
    rows.append("  %status = call i32 @run(ptr %table, ptr %work)")
    if native.work_bytes > STACK:
        rows.append("  call void @free(ptr %block)")
    if signature == "void (arrays)":
        rows.append("  ret i32 %status")
    elif signature.startswith("double"):
        rows += ["  %result = load double, ptr %out", "  ret double %result"]
    else:
        rows += ["  %good = icmp eq i32 %status, 0", "  %result = zext i1 %good to i32", "  ret i32 %result"]
    return "\n".join([head + " {", *rows, "}"])
