"""What the entry of compiled code is told: its arguments, its results, and where everything lies in this process.

Addresses of types, functions and captured data stand in a context, an array of integers that the code reads, so that
the code itself is the same in each process and can be kept on disk (see `wrapper`).
"""

from __future__ import annotations

import ctypes
import importlib
import sys
import sysconfig
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from .ir import kind_of

# Entries of a context.
SLOW, NEXT, NEXT_SELF, WORK, ARRAY_TYPE, EMPTY, ZEROS, SCALAR, OUT, WATCHING, FIRST = range(11)
# Where things stand in NumPy's array struct, and the flags that the code wants (C-contiguous, aligned, writeable).
DATA, NDIM, DIMS, DESCR, FLAGS = 16, 24, 32, 56, 64
CONTENT = 16  # of a cell, the variable of an enclosing function
READABLE, WRITEABLE = 0x0101, 0x0501
SMALL_WORK = 1 << 15  # bytes of work memory that may lie on the stack
_SCALAR_CODES = {float: "float", int: "int", complex: "complex"}


@dataclass(frozen=True, slots=True)
class Argument:
    """What is expected of one positional argument.

    `form` is array, generic (a NumPy scalar), float, complex, int, or is (this very object).
    """

    form: str
    shape: tuple[int, ...] = ()
    dtype: Any = None


@dataclass(frozen=True, slots=True)
class Result:
    """One output: "array" and "generic" are given to the caller, a "guard" is compared with its expected bytes."""

    form: str
    shape: tuple[int, ...]
    dtype: np.dtype
    expected: bytes = b""


@dataclass(frozen=True, slots=True)
class Watch:
    """Something outside of the function that must be what it was.

    `form` is cell (the content of `place`), global (the value of `name` in the dict `place`), both by identity, or
    memory (the `size` bytes of the array `place`, which must be those of the array `expected`).
    """

    form: str
    place: Any
    expected: Any
    size: int = 0
    name: str = ""


@lru_cache(maxsize=1)
def numpy_api() -> dict[str, int] | None:
    """Return addresses from NumPy's C-API table, or None if the table is not what we know."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return None
    if object.__basicsize__ != 16:
        return None
    capsule = importlib.import_module("numpy._core._multiarray_umath")._ARRAY_API
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = get(capsule, None)
    table: Any = ctypes.cast(address, ctypes.POINTER(ctypes.c_void_p))
    if table[2] != id(np.ndarray):
        return None
    probe = np.zeros((3, 5), dtype=np.float64)

    def word(offset: int, kind: Any) -> Any:
        return kind.from_address(id(probe) + offset).value

    dims = word(DIMS, ctypes.c_void_p)
    known = (
        word(DATA, ctypes.c_void_p) == probe.ctypes.data
        and word(NDIM, ctypes.c_int) == 2
        and list((ctypes.c_ssize_t * 2).from_address(dims)) == [3, 5]
        and word(DESCR, ctypes.c_void_p) == id(probe.dtype)
        and word(FLAGS, ctypes.c_int) & WRITEABLE == WRITEABLE
    )
    cell = types.CellType(probe)
    known = known and ctypes.c_void_p.from_address(id(cell) + CONTENT).value == id(probe)
    if not known:
        return None
    return {"type": table[2], "scalar": table[60], "zeros": table[183], "empty": table[184]}


class _Definition(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class Context(np.ndarray):
    """The integers that the code reads, and in `kept` what they point to."""

    kept: list[Any]
    address: int


def make_context(
    arguments: Sequence[Argument],
    captured: Sequence[Any],
    results: Sequence[Result],
    work_bytes: int,
    slow: Callable[..., Any],
    library: Any,
    watches: Sequence[Watch] = (),
    *,
    watching: bool = False,
) -> Context:
    """Return the context of one entry. `captured` are arrays, which stay alive with it, as the code does."""
    api = numpy_api()
    assert api is not None
    words: list[int] = [0] * FIRST
    kept: list[Any] = [slow, library, *captured]
    words[SLOW] = id(slow)
    words[ARRAY_TYPE], words[EMPTY], words[ZEROS], words[SCALAR] = (
        api["type"],
        api["empty"],
        api["zeros"],
        api["scalar"],
    )
    words[OUT] = id(sys.intern("out"))
    if work_bytes > SMALL_WORK:
        block = np.empty(work_bytes + 64, np.uint8)
        kept.append(block)
        words[WORK] = (block.ctypes.data + 63) // 64 * 64
    for argument in arguments:
        if argument.form == "array":
            dtype = np.dtype(argument.dtype)
            kept.append(dtype)
            words.append(id(dtype))
        elif argument.form == "generic":
            words.append(id(np.dtype(argument.dtype).type))
        elif argument.form == "is":
            kept.append(argument.dtype)
            words.append(id(argument.dtype))
        else:
            words.append(id(next(kind for kind, form in _SCALAR_CODES.items() if form == argument.form)))
    words.extend(array.ctypes.data for array in captured)
    for result in results:
        kept.append(result.dtype)
        words.append(id(result.dtype))
    words[WATCHING] = watching
    for watch in watches:
        kept.append(watch)
        if watch.form == "memory":
            words += [watch.place.ctypes.data, watch.expected.ctypes.data]
        else:
            words += [id(watch.place), id(watch.expected)]
        if watch.form == "global":
            words.append(id(watch.name))
    context = np.array(words, dtype=np.uint64).view(Context)
    context.kept = kept
    context.address = library.addresses["call"]
    return context


def make_builtin(context: Context, name: str) -> Any:
    """Return the builtin function of a context; it owns its context, which owns its code."""
    definition = _Definition(name.encode(), context.address, 0x0082, None)  # FASTCALL | KEYWORDS
    context.kept.append(definition)
    new = ctypes.pythonapi.PyCMethod_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p]
    return new(ctypes.addressof(definition), context, None, None)


def chain(first: Context, second: Context) -> None:
    """Let what does not fit `first` be tried by `second`."""
    first.kept.append(second)
    first[NEXT], first[NEXT_SELF] = second.address, id(second)


def argument_of(value: Any) -> Argument | None:
    """Return what native code would expect to get this value again, or None if it cannot take it."""
    kind = type(value)
    if kind is np.ndarray:
        return Argument("array", value.shape, value.dtype) if kind_of(value.dtype) is not None else None
    if kind in _SCALAR_CODES:
        return Argument(_SCALAR_CODES[kind])
    if isinstance(value, np.generic) and not isinstance(value, np.void) and kind_of(value.dtype) is not None:
        return Argument("generic", (), value.dtype)
    if value is None or kind in (bool, str):
        return Argument("is", (), value)
    return None
