"""The Python entry of compiled code, itself compiled: a builtin that checks arguments, allocates results and runs.

A `METH_FASTCALL` function is written around the machine code. It compares types, shapes, dtypes and flags with plain
loads from the array structs, allocates fresh results through NumPy's C-API table, and on any mismatch hands the call
to the next variant, or to a Python function. What belongs to the process it reads from a context (see `contexts`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import fastcall
from .contexts import (
    ARRAY_TYPE,
    CONTENT,
    DATA,
    DESCR,
    DIMS,
    EMPTY,
    FIRST,
    FLAGS,
    NDIM,
    NEXT,
    NEXT_SELF,
    OUT,
    READABLE,
    SCALAR,
    SLOW,
    SMALL_WORK,
    WATCHING,
    WORK,
    WRITEABLE,
    ZEROS,
    Argument,
    Result,
    Watch,
)

RELEASE_GIL = 200_000  # rough operations from which on other threads may run meanwhile


class _Text:
    def __init__(self) -> None:
        self.rows: list[str] = []
        self.count = 0

    def let(self, text: str) -> str:
        self.count += 1
        self.rows.append(f"  %w{self.count} = {text}")
        return f"%w{self.count}"

    def row(self, text: str) -> None:
        self.rows.append(f"  {text}")

    def label(self, name: str) -> None:
        self.rows.append(f"{name}:")

    def field(self, base: str, offset: int, kind: str = "ptr") -> str:
        return self.let(f"load {kind}, ptr {self.let(f'getelementptr i8, ptr {base}, i64 {offset}')}")

    def require(self, condition: str, otherwise: str) -> None:
        self.count += 1
        self.row(f"br i1 {condition}, label %ok{self.count}, label %{otherwise}")
        self.label(f"ok{self.count}")


_DECLARES = {
    name: f"declare {result} @{name}({parameters})"
    for name, result, parameters in (
        ("PyObject_Vectorcall", "ptr", "ptr, ptr, i64, ptr"),
        ("Py_DecRef", "void", "ptr"),
        ("Py_IncRef", "void", "ptr"),
        ("PyTuple_New", "ptr", "i64"),
        ("PyTuple_SetItem", "i32", "ptr, i64, ptr"),
        ("PyList_New", "ptr", "i64"),
        ("PyList_SetItem", "i32", "ptr, i64, ptr"),
        ("PyLong_AsLongLongAndOverflow", "i64", "ptr, ptr"),
        ("PyEval_SaveThread", "ptr", ""),
        ("PyEval_RestoreThread", "void", "ptr"),
        ("PyErr_NoMemory", "ptr", ""),
        ("malloc", "ptr", "i64"),
        ("free", "void", "ptr"),
        ("memcmp", "i32", "ptr, ptr, i64"),
        ("PyDict_GetItem", "ptr", "ptr, ptr"),
    )
}


def text(
    arguments: Sequence[Argument],
    captures: Sequence[int],
    results: Sequence[Result],
    structure: str,
    work_bytes: int,
    zeroed: frozenset[int],
    operations: float,
    pinned: dict[int, bytes],
    watches: Sequence[Watch] = (),
) -> tuple[str, dict[str, str]]:
    """Return the IR of the builtin `call` around the function `run`, and the declarations it needs.

    Parameters
    ----------
    arguments : sequence of Argument
    captures : sequence of int
        Bytes of each captured value.
    results : sequence of Result
    structure : str
        "one", "tuple" or "list": how results are given back.
    work_bytes, zeroed
        See `build.Native`.
    operations : float
        Rough amount of work of one run.
    pinned : dict
        Captures, by position, that must hold exactly these bytes.
    watches : sequence of Watch
        What is checked where the context says so.
    """
    t = _Text()
    n = len(arguments)
    given = [r for r in results if r.form != "guard"]
    takes_out = structure == "one" and len(given) == 1 and given[0].form == "array"
    globals_: list[str] = []

    def constant_dims(shape: tuple[int, ...]) -> str:
        name = f"@dims{len(globals_)}"
        values = ", ".join(f"i64 {extent}" for extent in shape) or "i64 0"
        globals_.append(f"{name} = private unnamed_addr constant [{max(len(shape), 1)} x i64] [{values}]")
        return name

    # Checks and calls only: left as it stands, because optimising it took longer than a small function itself.
    t.rows.append("define ptr @call(ptr %self, ptr %args, i64 %nargs, ptr %kwnames) noinline optnone {")
    t.label("entry")
    data_args = [i for i, a in enumerate(arguments) if a.form != "is"]
    slots = len(data_args) + len(captures) + len(results)
    table = t.let(f"alloca [{max(slots, 1)} x ptr], align 8")
    ints = {i: t.let("alloca i64, align 8") for i in data_args if arguments[i].form == "int"}
    overflow = t.let("alloca i32, align 4") if ints else ""
    temporary = {
        k: t.let(f"alloca [{max(16, len(r.expected))} x i8], align 16")
        for k, r in enumerate(results)
        if r.form in ("generic", "guard")
    }
    on_stack = 0 < work_bytes <= SMALL_WORK
    stack_work = t.let(f"alloca [{work_bytes} x i8], align 64") if on_stack else ""
    context = t.field("%self", DATA)
    no_keywords = t.let("icmp eq ptr %kwnames, null")
    t.row(f"br i1 {no_keywords}, label %plain, label %keywords")
    t.label("keywords")
    if takes_out:
        t.require(t.let(f"icmp eq i64 {t.field('%kwnames', 16, 'i64')}, 1"), "miss")
        t.require(t.let(f"icmp eq ptr {t.field('%kwnames', 24)}, {t.field(context, 8 * OUT)}"), "miss")
        given_out = t.field("%args", 8 * n)
        t.row("br label %plain")
        last = t.rows[-1]
        assert last.endswith("%plain")
        before_plain = next(row[:-1] for row in reversed(t.rows) if row.endswith(":"))
        t.label("plain")
        out = t.let(f"phi ptr [ null, %entry ], [ {given_out}, %{before_plain} ]")
    else:
        t.row("br label %miss")
        t.label("plain")
        out = ""
    t.require(t.let(f"icmp eq i64 %nargs, {n}"), "miss")
    array_type = t.field(context, 8 * ARRAY_TYPE)
    position = FIRST
    pointers: list[str] = []
    ranges: list[tuple[str, int]] = []
    for i, argument in enumerate(arguments):
        value = t.field("%args", 8 * i)
        expected = t.field(context, 8 * position)
        position += 1
        if argument.form == "is":
            t.require(t.let(f"icmp eq ptr {value}, {expected}"), "miss")
            continue
        kind_of_value = t.field(value, 8)
        if argument.form in ("float", "complex", "generic"):
            t.require(t.let(f"icmp eq ptr {kind_of_value}, {expected}"), "miss")
            pointers.append(t.let(f"getelementptr i8, ptr {value}, i64 16"))
        elif argument.form == "int":
            t.require(t.let(f"icmp eq ptr {kind_of_value}, {expected}"), "miss")
            number = t.let(f"call i64 @PyLong_AsLongLongAndOverflow(ptr {value}, ptr {overflow})")
            t.require(t.let(f"icmp eq i32 {t.let(f'load i32, ptr {overflow}')}, 0"), "miss")
            t.row(f"store i64 {number}, ptr {ints[i]}")
            pointers.append(ints[i])
        else:
            t.require(t.let(f"icmp eq ptr {kind_of_value}, {array_type}"), "miss")
            pointers.append(_checked(t, value, argument.shape, expected, READABLE))
            ranges.append((pointers[-1], _bytes(argument.shape, argument.dtype)))
    for k, size in enumerate(captures):
        pointers.append(t.field(context, 8 * position))
        ranges.append((pointers[-1], size))
        position += 1
        if pinned.get(k):
            name = f"@pinned{k}"
            globals_.append(f"{name} = private unnamed_addr constant [{size} x i8] {_bytes_literal(pinned[k])}")
            differs = t.let(f"call i32 @memcmp(ptr {pointers[-1]}, ptr {name}, i64 {size})")
            t.require(t.let(f"icmp eq i32 {differs}, 0"), "miss")
    descriptors = []
    for _ in results:
        descriptors.append(t.field(context, 8 * position))
        position += 1
    if watches:
        _watch(t, watches, context, position)
    if takes_out:
        t.row(f"br i1 {t.let(f'icmp eq ptr {out}, null')}, label %make, label %use")
        t.label("use")
        t.require(t.let(f"icmp eq ptr {t.field(out, 8)}, {array_type}"), "miss")
        k = results.index(given[0])
        place = _checked(t, out, given[0].shape, descriptors[k], WRITEABLE)
        size = _bytes(given[0].shape, given[0].dtype)
        end = t.let(f"getelementptr i8, ptr {place}, i64 {size}")
        for start, length in ranges:
            if size and length:
                stop = t.let(f"getelementptr i8, ptr {start}, i64 {length}")
                apart = t.let(
                    f"or i1 {t.let(f'icmp ule ptr {end}, {start}')}, {t.let(f'icmp ule ptr {stop}, {place}')}"
                )
                t.require(apart, "miss")
        if k in zeroed:
            t.row(f"call void @llvm.memset.p0.i64(ptr {place}, i8 0, i64 {size}, i1 false)")
        t.row(f"call void @Py_IncRef(ptr {out})")
        t.row("br label %ready")
        used = next(row[:-1] for row in reversed(t.rows) if row.endswith(":"))
        t.label("make")
    made: dict[int, str] = {}
    for k, result in enumerate(results):
        if result.form != "array":
            continue
        maker = t.field(context, 8 * (ZEROS if k in zeroed else EMPTY))
        t.row(f"call void @Py_IncRef(ptr {descriptors[k]})")
        dims = constant_dims(result.shape)
        array = t.let(f"call ptr {maker}(i32 {len(result.shape)}, ptr {dims}, ptr {descriptors[k]}, i32 0)")
        good, bad = f"made{k}", f"full{k}"
        t.row(f"br i1 {t.let(f'icmp eq ptr {array}, null')}, label %{bad}, label %{good}")
        t.label(bad)
        for earlier in made.values():
            t.row(f"call void @Py_DecRef(ptr {earlier})")
        t.row("ret ptr null")
        t.label(good)
        made[k] = array
    if takes_out:
        t.row("br label %ready")
        making = next(row[:-1] for row in reversed(t.rows) if row.endswith(":"))
        t.label("ready")
        k = results.index(given[0])
        made[k] = t.let(f"phi ptr [ {made[k]}, %{making} ], [ {out}, %{used} ]")
    for k, result in enumerate(results):
        pointers.append(t.field(made[k], DATA) if result.form == "array" else temporary[k])
        if result.form != "array" and k in zeroed:
            size = max(16, len(result.expected))
            t.row(f"call void @llvm.memset.p0.i64(ptr {temporary[k]}, i8 0, i64 {size}, i1 false)")
    for k, pointer in enumerate(pointers):
        t.row(f"store ptr {pointer}, ptr {t.let(f'getelementptr ptr, ptr {table}, i64 {k}')}")
    status = _run(t, table, context, work_bytes, stack_work, operations)
    t.row(f"br i1 {t.let(f'icmp eq i32 {status}, 0')}, label %done, label %undo")
    t.label("undo")
    for array in made.values():
        t.row(f"call void @Py_DecRef(ptr {array})")
    t.row("br label %miss")
    t.label("done")
    for k, result in enumerate(results):
        if result.form == "guard":
            size = len(result.expected)
            if size not in (1, 2, 4, 8):
                if size:
                    name = f"@guard{k}"
                    globals_.append(
                        f"{name} = private unnamed_addr constant [{size} x i8] {_bytes_literal(result.expected)}"
                    )
                    differs = t.let(f"call i32 @memcmp(ptr {temporary[k]}, ptr {name}, i64 {size})")
                    t.require(t.let(f"icmp eq i32 {differs}, 0"), "undo")
                continue
            bits = size * 8
            wanted = int.from_bytes(result.expected, sys.byteorder, signed=True)
            found = t.let(f"load i{bits}, ptr {temporary[k]}")
            t.require(t.let(f"icmp eq i{bits} {found}, {wanted}"), "undo")
    final: list[str] = []
    for k, result in enumerate(results):
        if result.form == "array":
            final.append(made[k])
        elif result.form == "generic":
            maker = t.field(context, 8 * SCALAR)
            final.append(t.let(f"call ptr {maker}(ptr {temporary[k]}, ptr {descriptors[k]}, ptr null)"))
    if structure == "one":
        t.row(f"ret ptr {final[0]}")
    else:
        name = "Tuple" if structure == "tuple" else "List"
        whole = t.let(f"call ptr @Py{name}_New(i64 {len(final)})")
        for k, item in enumerate(final):
            t.let(f"call i32 @Py{name}_SetItem(ptr {whole}, i64 {k}, ptr {item})")
        t.row(f"ret ptr {whole}")
    if work_bytes > SMALL_WORK:
        t.label("nomemory")
        for array in made.values():
            t.row(f"call void @Py_DecRef(ptr {array})")
        t.row(f"ret ptr {t.let('call ptr @PyErr_NoMemory()')}")
    t.label("miss")
    following = t.field(context, 8 * NEXT)
    t.row(f"br i1 {t.let(f'icmp eq ptr {following}, null')}, label %slow, label %other")
    t.label("other")
    passed = "ptr %args, i64 %nargs, ptr %kwnames"
    answer = t.let(f"call ptr {following}(ptr {t.field(context, 8 * NEXT_SELF)}, {passed})")
    t.row(f"ret ptr {answer}")
    t.label("slow")
    answer = t.let(f"call ptr @PyObject_Vectorcall(ptr {t.field(context, 8 * SLOW)}, {passed})")
    t.row(f"ret ptr {answer}")
    t.rows.append("}")
    if fastcall.CONTEXT_OFFSET >= 0:  # the same, called through an object that holds the context
        t.rows.append(
            f"""define ptr @vectorcall(ptr %callable, ptr %args, i64 %nargsf, ptr %kwnames) {{
  %slot = getelementptr i8, ptr %callable, i64 {fastcall.CONTEXT_OFFSET}
  %self = load ptr, ptr %slot
  %nargs = and i64 %nargsf, 9223372036854775807
  %result = tail call ptr @call(ptr %self, ptr %args, i64 %nargs, ptr %kwnames)
  ret ptr %result
}}"""
        )
    declares = dict(_DECLARES)
    body = "\n".join([*globals_, *t.rows])
    if "@llvm.memset" in body:
        declares["llvm.memset.p0.i64"] = "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)"
    return body, declares


def _watch(t: _Text, watches: Sequence[Watch], context: str, position: int) -> None:
    """Write the checks of what is outside; without them where somebody else has made sure."""
    wanted = t.let(f"icmp ne i64 {t.field(context, 8 * WATCHING, 'i64')}, 0")
    t.row(f"br i1 {wanted}, label %watch, label %watched")
    t.label("watch")
    for watch in watches:
        place, more = t.field(context, 8 * position), t.field(context, 8 * position + 8)
        position += 2
        if watch.form == "memory":
            differs = t.let(f"call i32 @memcmp(ptr {place}, ptr {more}, i64 {watch.size})")
            t.require(t.let(f"icmp eq i32 {differs}, 0"), "miss")
            continue
        if watch.form == "cell":
            now = t.field(place, CONTENT)
        else:
            now = t.let(f"call ptr @PyDict_GetItem(ptr {place}, ptr {t.field(context, 8 * position)})")
            position += 1
        t.require(t.let(f"icmp eq ptr {now}, {more}"), "miss")
    t.row("br label %watched")
    t.label("watched")


def _checked(t: _Text, array: str, shape: tuple[int, ...], descriptor: str, flags: int) -> str:
    """Write the checks of an exact ndarray; return its data pointer."""
    t.require(t.let(f"icmp eq i32 {t.field(array, NDIM, 'i32')}, {len(shape)}"), "miss")
    if shape:
        dims = t.field(array, DIMS)
        for axis, extent in enumerate(shape):
            t.require(t.let(f"icmp eq i64 {t.field(dims, 8 * axis, 'i64')}, {extent}"), "miss")
    t.require(t.let(f"icmp eq ptr {t.field(array, DESCR)}, {descriptor}"), "miss")
    found = t.let(f"and i32 {t.field(array, FLAGS, 'i32')}, {flags}")
    t.require(t.let(f"icmp eq i32 {found}, {flags}"), "miss")
    return t.field(array, DATA)


def _run(t: _Text, table: str, context: str, work_bytes: int, stack_work: str, operations: float) -> str:
    """Write the call of `run` with its work memory; long ones let other threads go on meanwhile."""
    heap = ""
    if stack_work:
        work = stack_work
    elif work_bytes == 0:
        work = "null"
    else:
        # The kept block is taken out of the context while it is in use; a second caller gets a block of its own.
        slot = t.let(f"getelementptr i8, ptr {context}, i64 {8 * WORK}")
        kept = t.let(f"load ptr, ptr {slot}")
        t.row(f"br i1 {t.let(f'icmp eq ptr {kept}, null')}, label %fresh, label %take")
        t.label("take")
        t.row(f"store ptr null, ptr {slot}")
        t.row("br label %work")
        t.label("fresh")
        heap = t.let(f"call ptr @malloc(i64 {work_bytes + 64})")
        t.require(t.let(f"icmp ne ptr {heap}, null"), "nomemory")
        filled = t.rows[-1][:-1]
        raw = t.let(f"ptrtoint ptr {heap} to i64")
        moved = t.let(f"add i64 {raw}, 63")
        masked = t.let(f"and i64 {moved}, -64")
        aligned = t.let(f"inttoptr i64 {masked} to ptr")
        t.row("br label %work")
        t.label("work")
        work = t.let(f"phi ptr [ {kept}, %take ], [ {aligned}, %{filled} ]")
        heap = t.let(f"phi ptr [ null, %take ], [ {heap}, %{filled} ]")
    state = t.let("call ptr @PyEval_SaveThread()") if operations > RELEASE_GIL else ""
    status = t.let(f"call i32 @run(ptr {table}, ptr {work})")
    if state:
        t.row(f"call void @PyEval_RestoreThread(ptr {state})")
    if heap:
        t.row(f"br i1 {t.let(f'icmp eq ptr {kept}, null')}, label %drop, label %keep")
        t.label("drop")
        t.row(f"call void @free(ptr {heap})")
        t.row("br label %after")
        t.label("keep")
        t.row(f"store ptr {kept}, ptr {slot}")
        t.row("br label %after")
        t.label("after")
    return status


def _bytes_literal(data: bytes) -> str:
    return 'c"' + "".join(f"\\{byte:02X}" for byte in data) + '"'


def _bytes(shape: tuple[int, ...], dtype: Any) -> int:
    n = np.dtype(dtype).itemsize
    for extent in shape:
        n *= extent
    return n
