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
from .prepare import prepare
from .rolling import roll

_ARRAYS = "void (arrays)"
# Signature as SciPy spells it: (parameters in LLVM's terms, result). Of the parameters, %value or %place or %x is the
# input, %out the output, %n and %m are the numbers of their elements.
_FORMS: dict[str, tuple[str, str]] = {
    "double (double)": ("double %value", "number"),
    "double (double, void *)": ("double %value, ptr %user", "number"),
    "double (int, double *)": ("i32 %n, ptr %x", "number"),
    "double (int, double *, void *)": ("i32 %n, ptr %x, ptr %user", "number"),
    "int (double *, npy_intp, double *, void *)": ("ptr %x, i64 %n, ptr %out, ptr %user", "number"),
    "int (double *, npy_intp, double *, npy_intp, void *)": ("ptr %x, i64 %n, ptr %out, i64 %m, ptr %user", "vector"),
    "int (npy_intp *, double *, int, int, void *)": ("ptr %place, ptr %out, i32 %n, i32 %m, ptr %user", "vector"),
}
SIGNATURES = (_ARRAYS, *_FORMS)
STACK = 1 << 16
_C_TYPES = {"double": ctypes.c_double, "i32": ctypes.c_int, "i64": ctypes.c_ssize_t, "ptr": ctypes.c_void_p}


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
        self._check()
        self._kept: list[Any] = [as_captured(value) for value in program.captures]
        native.link(["entry"], _entry(self, native, [array.ctypes.data for array in self._kept]), _DECLARES)
        assert native.library is not None
        self._native = native
        self.address = native.library.addresses["entry"]
        self.ir = native.text

    def _check(self) -> None:
        if self.signature == _ARRAYS:
            return
        parameters, result = _FORMS[self.signature]
        taken = "number" if "%value" in parameters else "vector"
        dimensions = {"number": 0, "vector": 1}
        dtypes = (np.float64, np.int64) if "%place" in parameters else (np.float64,)
        fits = (
            [len(shape) for shape, _ in self.inputs] == [dimensions[taken]]
            and [len(shape) for shape, _ in self.outputs] == [dimensions[result]]
            and self.inputs[0][1] in dtypes
            and self.outputs[0][1] == np.float64
        )
        if not fits:
            found, given = (", ".join(f"{d}{list(s)}" for s, d in slots) for slots in (self.inputs, self.outputs))
            raise ShapeError(
                f"export: {self.signature!r} does not fit a function of {found} to {given}",
                why=f"it takes one {' or '.join(np.dtype(d).name for d in dtypes)} {taken} and gives one float64 {result}",
                hint=f"signature={_ARRAYS!r}, which fits every function",
            )

    @property
    def ctypes(self) -> Any:
        """The function for `ctypes`."""
        result: Any
        kinds: list[Any]
        if self.signature == _ARRAYS:
            result, kinds = ctypes.c_int, [ctypes.c_void_p] * (len(self.inputs) + len(self.outputs))
        else:
            result = ctypes.c_double if self.signature.startswith("double") else ctypes.c_int
            kinds = [_C_TYPES[part.split()[0]] for part in _FORMS[self.signature][0].split(", ")]
        function: Any = ctypes.CFUNCTYPE(result, *kinds)(self.address)
        function.owner = self  # the code lives as long as what calls it
        return function

    def low_level_callable(self) -> Any:
        """Return a `scipy.LowLevelCallable` of the function, for `scipy.integrate.quad`, `scipy.ndimage` and others."""
        from scipy import LowLevelCallable

        if self.signature == _ARRAYS:
            raise ArgumentError(f"export: SciPy knows no signature {_ARRAYS!r}", hint="signature='double (double)'")
        return LowLevelCallable(self.ctypes, signature=self.signature)

    def __repr__(self) -> str:
        return f"<wengert.export: {self.signature} at 0x{self.address:x}>"


_DECLARES = {"malloc": "declare ptr @malloc(i64)", "free": "declare void @free(ptr)"}


def _entry(made: Exported, native: Any, captured: Sequence[int]) -> str:
    """Return the IR of the C function: it checks sizes, fills the table of pointers and calls `run`."""
    inputs, outputs = len(made.inputs), len(made.outputs)
    is_number = made.signature.startswith("double")
    failure = "double 0x7FF8000000000000" if is_number else f"i32 {int(made.signature == _ARRAYS)}"
    rows: list[str] = []
    if made.signature == _ARRAYS:
        places = [f"%a{i}" for i in range(inputs + outputs)]
        parameters = ", ".join(f"ptr {name}" for name in places)
    else:
        parameters = _FORMS[made.signature][0]
        rows += _checks(parameters, made, failure)
        rows += _places(parameters, made)
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
            "  %none = icmp eq ptr %block, null",
            "  br i1 %none, label %full, label %room",
            "full:",
            f"  ret {failure}",
            "room:",
            "  %number = ptrtoint ptr %block to i64",
            "  %more = add i64 %number, 63",
            "  %even = and i64 %more, -64",
            "  %work = inttoptr i64 %even to ptr",
        ]
    rows.append("  %status = call i32 @run(ptr %table, ptr %work)")
    if native.work_bytes > STACK:
        rows.append("  call void @free(ptr %block)")
    if made.signature == _ARRAYS:
        rows.append("  ret i32 %status")
    elif is_number:
        rows += ["  %result = load double, ptr %out", "  ret double %result"]
    else:
        rows += ["  %good = icmp eq i32 %status, 0", "  %result = zext i1 %good to i32", "  ret i32 %result"]
    return "\n".join([f"define {'double' if is_number else 'i32'} @entry({parameters}) {{", *rows, "}"])


def _checks(parameters: str, made: Exported, failure: str) -> list[str]:
    """Return the rows that refuse to read or write other numbers of elements than the function is for."""
    rows = []
    for name, (shape, _) in (("n", made.inputs[0]), ("m", made.outputs[0])):
        for part in parameters.split(", "):
            if part.endswith(f"%{name}"):
                rows += [
                    f"  %fits.{name} = icmp eq {part}, {shape[0]}",
                    f"  br i1 %fits.{name}, label %good.{name}, label %bad.{name}",
                    f"bad.{name}:",
                    f"  ret {failure}",
                    f"good.{name}:",
                ]
    return rows


def _places(parameters: str, made: Exported) -> list[str]:
    """Return the rows that make %x and %out where they are no parameters."""
    rows = []
    if "%out" not in parameters:
        rows.append("  %out = alloca double")
    if "%value" in parameters:
        rows += ["  %x = alloca double", "  store double %value, ptr %x"]
    if "%place" in parameters:
        (size,), dtype = made.inputs[0]
        if dtype == np.int64:
            return [*rows, "  %x = getelementptr i64, ptr %place, i64 0"]
        rows.append(f"  %x = alloca [{max(size, 1)} x double]")
        for i in range(size):
            rows += [
                f"  %from{i} = getelementptr i64, ptr %place, i64 {i}",
                f"  %whole{i} = load i64, ptr %from{i}",
                f"  %real{i} = sitofp i64 %whole{i} to double",
                f"  %to{i} = getelementptr double, ptr %x, i64 {i}",
                f"  store double %real{i}, ptr %to{i}",
            ]
    return rows
