"""Tensors whose operations note which line of user code asked for them. Other tensors pay nothing for this."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from .. import tree
from ..differentiation.recorded import Recorded
from ..errors import user_line
from ..recording import Line, Traced
from ..tensor import Tensor


@dataclass
class Notes:
    """What one run noted beside its lines.

    Attributes
    ----------
    branches : list of (str, bool)
        The comparisons that Python branched on: the line of user code, and how they came out.
    look : callable or None
        Called with each recorded tensor and its line.
    """

    branches: list[tuple[str, bool]] = field(default_factory=list)
    look: Callable[[Tensor, Line], Any] | None = None


_notes: ContextVar[Notes | None] = ContextVar("wengert_notes", default=None)
_LINE: Any = vars(Traced)["_line"]


class NotingTensor(Tensor):
    """A tensor whose operations note where they were called: `line.notes` is the line of user code."""

    __slots__ = ()

    @property
    def _line(self) -> Line | None:
        return _LINE.__get__(self)

    @_line.setter
    def _line(self, line: Line | None) -> None:
        _LINE.__set__(self, line)
        if line is not None and line.primitive is not None and not hasattr(line, "notes"):
            line.notes = user_line()
            notes = _notes.get()
            if notes is not None and notes.look is not None:
                notes.look(self, line)

    def __bool__(self) -> bool:
        value = super().__bool__()
        notes = _notes.get()
        if notes is not None:
            notes.branches.append((user_line(), value))
        return value


NotingTensor.family = NotingTensor


@contextmanager
def noting(notes: Notes) -> Iterator[Notes]:
    """Collect notes in this context."""
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def record(name: str, function: Any, args: Sequence[Any], kwargs: dict[str, Any], notes: Notes) -> Recorded:
    """Run a function with arguments that note what is done with them, all of them differentiated."""

    def converted(value: Any) -> Any:
        return NotingTensor(value) if not isinstance(value, Traced) else value

    given = [tree.map_leaves(converted, value) for value in args]
    with noting(notes):
        return Recorded(function, given, kwargs, range(len(given)), False, name)


def short(where: str) -> str:
    """Return a line of user code without the folders of its file."""
    path, colon, rest = where.partition(":")
    return path.replace("\\", "/").rpartition("/")[2] + colon + rest
