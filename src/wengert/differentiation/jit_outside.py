"""What a jitted function reads from outside of itself, so that compiled code is never out of date.

The function's code, and that of the functions it calls by name, says which variables it reads: those of enclosing
functions, globals, and attributes of the objects among these. What they stand for is noted when a path is recorded
and looked at again before the path is used.
"""

from __future__ import annotations

import dis
import functools
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..execute.native.contexts import Watch
from ..recording import Traced

MOST_BYTES = 1 << 17  # larger arrays are not compared
MOST_VALUES = 256  # elements of a container, objects, functions
DEEPEST = 4  # containers in containers
_NUMBERS = (bool, int, float, complex, str, bytes, type(None))
_DATA = (*_NUMBERS, np.ndarray, np.generic, list, tuple, dict)
_FIXED = (types.ModuleType, types.BuiltinFunctionType, type, np.ufunc, type(np.mean), np.dtype)


class Outside:
    """What a path of a function read from outside.

    Parameters
    ----------
    function : callable
    captures : sequence
        The values that the recorded Program holds. An array among them is read by the code itself in each call, so only
        its identity matters here.

    Attributes
    ----------
    watches : list of Watch or None
        What machine code can check by itself; None if there is more than that.
    """

    def __init__(self, function: Callable[..., Any], captures: Sequence[Any]) -> None:
        self._captured = [x for x in captures if isinstance(x, np.ndarray)]
        self._notes: list[tuple[str, Callable[[], Any], Any]] = []
        self.watches: list[Watch] | None = []
        for name, watch, read in places_of(function):
            self._note(name, watch, read)

    @property
    def names(self) -> list[str]:
        """The names of all of it, each once."""
        return list(dict.fromkeys(name for name, _, _ in self._notes))

    def changed(self) -> str:
        """Return the name of something that is not what it was, or nothing."""
        for name, read, noted in self._notes:
            if not _same(noted, read()):
                return name
        return ""

    def accept(self) -> None:
        """Take numbers and containers as they are now: a run of the function itself has changed them."""
        for i, (name, read, noted) in enumerate(self._notes):
            if isinstance(noted, (_Inside, *_NUMBERS)):
                self._notes[i] = name, read, self._noted(read(), DEEPEST)

    def _note(self, name: str, watch: Watch | None, read: Callable[[], Any]) -> None:
        value = read()
        noted = self._noted(value, DEEPEST)
        self._notes.append((name, read, noted))
        if self.watches is None or watch is None or isinstance(noted, _Inside):
            self.watches = None
            return
        self.watches.append(watch)
        if isinstance(noted, _Content):
            if value.flags.c_contiguous:
                self.watches.append(Watch("memory", value, noted.copy, value.nbytes))
            else:
                self.watches = None

    def _noted(self, value: Any, depth: int) -> Any:
        """Return what to compare with later."""
        if isinstance(value, np.ndarray) and value.nbytes <= MOST_BYTES and not self._is_captured(value):
            return _Content(value)
        if type(value) in (list, tuple, dict) and depth and len(value) <= MOST_VALUES:
            parts = value.values() if type(value) is dict else value
            keys = tuple(value) if type(value) is dict else None
            return _Inside(value, keys, [self._noted(part, depth - 1) for part in parts])
        return value

    def _is_captured(self, array: np.ndarray) -> bool:
        return any(np.may_share_memory(array, captured) for captured in self._captured)


class _Content:
    """An array of which the function used something that is no operation of the Program: its numbers must stay."""

    __slots__ = ("copy", "value")

    def __init__(self, value: np.ndarray) -> None:
        self.value = value
        self.copy = np.array(value, order="C")


class _Inside:
    """A list, tuple or dict, and what is in it."""

    __slots__ = ("keys", "parts", "value")

    def __init__(self, value: Any, keys: Any, parts: list[Any]) -> None:
        self.value = value
        self.keys = keys
        self.parts = parts


def _same(noted: Any, now: Any) -> bool:
    if isinstance(noted, _Content):
        return now is noted.value and now.shape == noted.copy.shape and now.tobytes() == noted.copy.tobytes()
    if isinstance(noted, _Inside):
        if type(now) is not type(noted.value) or len(now) != len(noted.parts):
            return False
        if noted.keys is not None and tuple(now) != noted.keys:
            return False
        parts = now.values() if noted.keys is not None else now
        return all(_same(a, b) for a, b in zip(noted.parts, parts, strict=True))
    if now is noted:
        return True
    if type(now) is not type(noted):
        return False
    if isinstance(noted, _NUMBERS):
        return repr(now) == repr(noted) if isinstance(noted, float | complex) else now == noted  # 0.0 is not -0.0
    if isinstance(noted, np.generic):
        return bool(now.tobytes() == noted.tobytes())
    return isinstance(noted, types.MethodType) and now == noted


# ---------------------------------------------------------------- where a function looks


def places_of(function: Any) -> Iterator[tuple[str, Watch | None, Callable[[], Any]]]:
    """Yield (name, what machine code would check, how to read it) of each thing that a function reads from outside."""
    seen: set[int] = set()
    stack = [function]
    while stack:
        subject = stack.pop()
        if id(subject) in seen or len(seen) > MOST_VALUES:
            continue
        seen.add(id(subject))
        if isinstance(subject, functools.partial):
            stack += [subject.func, *subject.args, *subject.keywords.values()]
            yield from _defaults(subject, "args", "keywords")
        elif isinstance(subject, types.MethodType):
            stack.append(subject.__func__)
            yield from _attributes(subject.__self__, subject.__func__, stack)
        elif isinstance(subject, types.FunctionType):
            if _is_library(subject):  # what it does is known; what it was given may be a function of the user's
                stack += [cell.cell_contents for cell in subject.__closure__ or () if callable(_content(cell))]
                continue
            yield from _defaults(subject, "__defaults__", "__kwdefaults__")
            for name, watch, read in _names(subject):
                value = read()
                if isinstance(value, _FIXED):
                    continue
                yield name, watch, read
                stack.append(value)
                if not isinstance(value, Traced | np.ndarray):
                    yield from _attributes(value, subject, stack)
        elif callable(inner := _look(subject, "function")):  # a derivative, or what `jit` returned
            stack.append(inner)
        elif callable(subject):
            call = type(subject).__call__
            stack.append(call)
            yield from _attributes(subject, call, stack)


def _names(function: types.FunctionType) -> Iterator[tuple[str, Watch, Callable[[], Any]]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # it has no value yet
            continue
        yield name, Watch("cell", cell, value), functools.partial(getattr, cell, "cell_contents", None)
    scope = function.__globals__
    for name in _loaded(function.__code__, "LOAD_GLOBAL"):
        if name in scope:
            yield name, Watch("global", scope, scope[name], name=name), functools.partial(scope.get, name)


def _attributes(
    subject: Any, function: Any, stack: list[Any], visited: set[int] | None = None
) -> Iterator[tuple[str, None, Callable[[], Any]]]:
    """Yield the attributes of an object that code reads, and its methods do; put these methods on the stack."""
    visited = set() if visited is None else visited
    own = _look(subject, "__dict__")
    if id(subject) in visited or len(visited) > MOST_VALUES:
        return
    visited.add(id(subject))
    if type(own) is not dict or isinstance(subject, (*_FIXED, types.FunctionType, functools.partial)):
        return
    if callable(_look(subject, "function")):  # a derivative
        return
    codes, seen = [function], set()
    while codes:
        code = getattr(codes.pop(), "__code__", None)
        for name in () if code is None else _loaded(code, "LOAD_ATTR", "LOAD_METHOD"):
            if name in seen:
                continue
            seen.add(name)
            shared = _look(type(subject), name)
            if name in own:
                yield name, None, functools.partial(own.get, name)
                yield from _attributes(own[name], function, stack, visited)
            elif isinstance(shared, _DATA):
                yield name, None, functools.partial(getattr, type(subject), name, None)
            elif isinstance(shared, types.FunctionType):
                codes.append(shared)
                stack.append(shared)


def _defaults(subject: Any, *attributes: str) -> Iterator[tuple[str, None, Callable[[], Any]]]:
    """Yield what a function was given beforehand, if any of it can change."""
    for attribute in attributes:
        given = getattr(subject, attribute) or ()
        if any(isinstance(x, np.ndarray | list | dict) for x in (given.values() if type(given) is dict else given)):
            yield f"a default of {_name_of(subject)}", None, functools.partial(getattr, subject, attribute)


def _look(subject: Any, name: str) -> Any:
    """Return an attribute of an object of the user's, or None, whatever it makes of the question."""
    try:
        return getattr(subject, name, None)
    except Exception:
        return None


def _name_of(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _content(cell: Any) -> Any:
    return getattr(cell, "cell_contents", None)


def _is_library(function: types.FunctionType) -> bool:
    return (function.__module__ or "").partition(".")[0] in ("wengert", "numpy", "scipy")


@functools.lru_cache(maxsize=256)
def _loaded(code: types.CodeType, *instructions: str) -> tuple[str, ...]:
    """Return the names that code loads, that of functions inside of it included."""
    found: dict[str, None] = {}
    for row in dis.get_instructions(code):
        if row.opname in instructions:
            found.setdefault(row.argval)
        elif isinstance(row.argval, types.CodeType):
            found.update(dict.fromkeys(_loaded(row.argval, *instructions)))
    return tuple(found)
