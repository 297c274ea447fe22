"""Functions of SciPy (and NumPy) that have no code here, through the C loops of their ufuncs.

A ufunc holds the addresses of its loops, one for each combination of dtypes; compiled code calls the one for its
dtype with a length of one. That costs some nanoseconds for each element, and no Python.
"""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from typing import Any

import numpy as np

from .ir import Code, Kind, Value

_LETTERS = {("f", 64): "d", ("f", 32): "f"}


class _Head(ctypes.Structure):
    _fields_ = (
        ("references", ctypes.c_ssize_t),
        ("type", ctypes.c_void_p),
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
    )


@lru_cache(maxsize=512)
def loop_of(ufunc: Any, bits: int) -> tuple[int, int] | None:
    """Return (address, data) of a ufunc's loop of floats of `bits` bits only, or None if it has none."""
    letter = _LETTERS.get(("f", bits))
    if sys.implementation.name != "cpython" or letter is None or object.__basicsize__ != 16:
        return None
    if ufunc.nout != 1 or not _belongs_to_scipy(ufunc):
        return None
    wanted = letter * ufunc.nin + "->" + letter
    if wanted not in ufunc.types:
        return None
    head = _Head.from_address(id(ufunc))
    if (head.nin, head.nout, head.ntypes) != (ufunc.nin, ufunc.nout, ufunc.ntypes) or not head.functions:
        return None
    i = ufunc.types.index(wanted)
    address = head.functions[i]
    data = head.data[i] if head.data else None
    return (address, data or 0) if address else None


def _belongs_to_scipy(ufunc: Any) -> bool:
    """NumPy's own loops may be kept elsewhere, and all that matter have code here."""
    module = sys.modules.get("scipy.special")
    if module is None:
        return False
    private = sys.modules.get("scipy.special._ufuncs")
    name = ufunc.__name__
    return any(getattr(m, name, None) is ufunc for m in (module, private) if m is not None)


def call(code: Code, name: str, ufunc: Any, kind: Kind, args: list[Value]) -> Value:
    """Write a call for one element; the caller has made sure that there is a loop."""
    found = loop_of(ufunc, kind.bits)
    assert found is not None
    symbol = "wengert_ufunc_" + "".join(c if c.isalnum() else "_" for c in name) + f"_{kind.bits}"
    if symbol not in code.helpers:
        code.symbols[symbol], code.symbols[symbol + "_data"] = found
        code.declares[symbol] = f"declare void @{symbol}(ptr, ptr, ptr, ptr)"
        code.declares[symbol + "_data"] = f"@{symbol}_data = external global i8"
        code.helpers[symbol] = _helper(symbol, kind, len(args), found[1] != 0)
    given = ", ".join(f"{kind.type} {arg.re}" for arg in args)
    return Value(kind, code.pure(f"call {kind.type} @{symbol}_one({given}) #0"))


def _helper(symbol: str, kind: Kind, count: int, has_data: bool) -> str:
    names = [f"%x{i}" for i in range(count)]
    rows = [f"define internal {kind.type} @{symbol}_one({', '.join(f'{kind.type} {n}' for n in names)}) noinline {{"]
    for i in range(count + 1):
        rows.append(f"  %p{i} = alloca {kind.type}")
    rows.append(f"  %table = alloca [{count + 1} x ptr]")
    rows.append(f"  %steps = alloca [{count + 1} x i64]")
    rows.append("  %n = alloca i64")
    rows.append("  store i64 1, ptr %n")
    for i in range(count + 1):
        if i < count:
            rows.append(f"  store {kind.type} {names[i]}, ptr %p{i}")
        rows.append(f"  %t{i} = getelementptr ptr, ptr %table, i64 {i}")
        rows.append(f"  store ptr %p{i}, ptr %t{i}")
        rows.append(f"  %s{i} = getelementptr i64, ptr %steps, i64 {i}")
        rows.append(f"  store i64 {kind.itemsize}, ptr %s{i}")
    data = f"@{symbol}_data" if has_data else "null"
    rows.append(f"  call void @{symbol}(ptr %table, ptr %n, ptr %steps, ptr {data})")
    rows.append(f"  %result = load {kind.type}, ptr %p{count}")
    rows += [f"  ret {kind.type} %result", "}"]
    return "\n".join(rows)


_ = np
