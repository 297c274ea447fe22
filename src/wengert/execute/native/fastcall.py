"""A type whose instances are called through compiled code, without a tuple or dict on the way.

CPython calls an object through a function pointer in it (the vectorcall protocol, PEP 590) if its type says so. Such
a type cannot be written in Python, so it is made here through the C API, as a subclass of a Python class that does
the rest.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_HAVE_VECTORCALL = 1 << 11
_DEFAULT = 1 << 18  # Py_TPFLAGS_DEFAULT
_TP_MEMBERS = 72
_T_PYSSIZET, _READONLY = 19, 1


class _Member(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class _Slot(ctypes.Structure):
    _fields_ = (("slot", ctypes.c_int), ("value", ctypes.c_void_p))


class _Spec(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("basicsize", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.POINTER(_Slot)),
    )


def offset_of(kind: type, slot: str) -> int:
    """Return where in an instance a `__slots__` entry stands, found by looking; -1 if it is not found."""
    probe: Any = object.__new__(kind)
    mark = object()
    setattr(probe, slot, mark)
    words = (ctypes.c_size_t * (kind.__basicsize__ // 8)).from_address(id(probe))
    places = [8 * i for i, word in enumerate(words) if word == id(mark)]
    return places[0] if len(places) == 1 else -1


def make_type(base: type, name: str) -> tuple[type, int]:
    """Return a subclass of `base` with a vectorcall pointer, and the pointer's offset; (base, -1) where that fails.

    While the pointer is null, calls go to the class's `__call__`.
    """
    if sys.implementation.name != "cpython" or object.__basicsize__ != 16:
        return base, -1
    offset = base.__basicsize__
    members = (_Member * 2)(_Member(b"__vectorcalloffset__", _T_PYSSIZET, offset, _READONLY, None))
    slots = (_Slot * 2)(_Slot(_TP_MEMBERS, ctypes.addressof(members)))
    flags = _DEFAULT | _HAVE_VECTORCALL
    spec = _Spec(name.encode(), offset + 8, 0, flags, slots)
    create = ctypes.pythonapi.PyType_FromSpecWithBases
    create.restype, create.argtypes = ctypes.py_object, [ctypes.POINTER(_Spec), ctypes.py_object]
    try:
        made: Any = create(ctypes.byref(spec), (base,))
    except (TypeError, SystemError, ValueError):
        return base, -1
    _KEPT.append((members, slots, spec))
    return made, offset


_KEPT: list[Any] = []  # what the interpreter may still point to


class Callable:
    """Base of objects that compiled code may be called through.

    `_context` is what the code reads (see `wrapper`), or None while there is no code.
    """

    __slots__ = ("__dict__", "__weakref__", "_context", "_state")
    _context: Any
    _state: Any

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call what the state says; the way taken while there is no code."""
        return self._state.call(*args, **kwargs)


def set_pointer(instance: Any, offset: int, address: int) -> None:
    """Let calls of an instance go to the code at `address`."""
    ctypes.c_size_t.from_address(id(instance) + offset).value = address


CONTEXT_OFFSET = offset_of(Callable, "_context")
