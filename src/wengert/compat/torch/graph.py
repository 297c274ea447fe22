"""What PyTorch's spelling hangs on recorded lines: names, hooks, leaves; and which saved arrays were edited since.

A graph node is a recorded line seen through `Node`. Nothing here computes a derivative.
"""

from __future__ import annotations

import itertools
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...errors import GraphError, StructureError
from ...recording import Line

_next_hook = itertools.count(1).__next__


class Notes:
    """What is known of a line beyond what was computed.

    Attributes
    ----------
    name : str or None
        What the node is called, where the primitive's name would not say it.
    leaf
        Weak reference to the tensor whose `.grad` this leaf line fills.
    hooks, filled, before, after : dict
        By number: tensor hooks, post-accumulate hooks, node hooks before and after the rule.
    shared : dict
        By number: hooks on the gradients of several tensors.
    retained : list of weak references
        Non-leaf tensors that want their gradient kept.
    where : str
        Where the operation was called, if anomaly detection was on.
    metadata : dict
        The user's.
    """

    __slots__ = ("after", "before", "filled", "hooks", "leaf", "metadata", "name", "retained", "shared", "where")

    def __init__(self) -> None:
        self.name: str | None = None
        self.leaf: Any = None
        self.hooks: dict[int, Callable[..., Any]] = {}
        self.filled: dict[int, Callable[..., Any]] = {}
        self.before: dict[int, Callable[..., Any]] = {}
        self.after: dict[int, Callable[..., Any]] = {}
        self.shared: dict[int, MultiHook] = {}
        self.retained: list[Any] = []
        self.where = ""
        self.metadata: dict[Any, Any] = {}


def notes_of(line: Line) -> Notes:
    """Return the line's notes; they are made on first use."""
    try:
        return line.notes
    except AttributeError:
        line.notes = made = Notes()
        return made


def find_notes(line: Line) -> Notes | None:
    """Return the line's notes if it has any."""
    return getattr(line, "notes", None)


def is_leaf_line(line: Line) -> bool:
    """Whether a gradient ends here: nothing was recorded before, or a tensor takes the gradient here."""
    if line.primitive is None:
        return True
    notes = find_notes(line)
    return notes is not None and notes.leaf is not None


class RemovableHandle:
    """What registering a hook returns; also a context manager that removes it at the end."""

    def __init__(self, *tables: dict[int, Any]) -> None:
        self.id = _next_hook()
        self._tables = tables

    def remove(self) -> None:
        """Take the hook away. Nothing happens if it is gone already."""
        for table in self._tables:
            table.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.remove()


def add_hook(hook: Any, *tables: dict[int, Any]) -> RemovableHandle:
    """Put a hook into tables and return the handle that removes it."""
    if not callable(hook):
        raise StructureError(f"a hook must be callable, not {type(hook).__name__}")
    handle = RemovableHandle(*tables)
    for table in tables:
        table[handle.id] = hook
    return handle


class MultiHook:
    """A hook on the gradients of several tensors.

    Attributes
    ----------
    lines : list of Line
        Those of the tensors.
    first : bool
        Whether the hook wants the first gradient only.
    """

    __slots__ = ("first", "function", "lines")

    def __init__(self, function: Any, lines: list[Line], first: bool) -> None:
        self.function = function
        self.lines = lines
        self.first = first


def add_multi_hook(hook: MultiHook) -> RemovableHandle:
    """Put the hook on its lines and return the handle that removes it."""
    if not callable(hook.function):
        raise StructureError(f"a hook must be callable, not {type(hook.function).__name__}")
    tables = [notes_of(line).shared for line in hook.lines]
    handle = RemovableHandle(*tables)
    for table in tables:
        table[handle.id] = hook
    return handle


# ---------------------------------------------------------------- nodes

# Names of PyTorch's nodes where they differ from the primitive's.
_NAMES = {
    "multiply": "Mul",
    "clip": "ClampBackward1",
    "erf": "Erf",
    "log1p": "Log1P",
    "deg2rad": "Deg2Rad",
    "rad2deg": "Rad2Deg",
    "expit": "Sigmoid",
    "gammaln": "Lgamma",
    "psi": "Digamma",
    "reshape": "View",
    "subtract": "Sub",
    "divide": "Div",
    "power": "Pow",
    "negative": "Neg",
    "absolute": "Abs",
    "square": "Pow",
    "contract": "Mm",
    "broadcast_to": "Expand",
    "concatenate": "Cat",
    "index_set": "IndexPut",
    "index_add": "IndexPut",
    "cast": "ToCopy",
    "arctan2": "Atan2",
    "conjugate": "Conj",
    "remainder": "Remainder",
    "alias": "Alias",
    "transpose": "Permute",
    "positive": "Clone",
    "scale": "Mul",
    "pick": "Select",
}


def name_of(line: Line) -> str:
    """Return what PyTorch would call the node, e.g. `MulBackward0`."""
    notes = find_notes(line)
    if notes is not None and notes.name is not None:
        return notes.name
    if line.primitive is None:
        return "AccumulateGrad"
    name = line.primitive.name
    if line.primitive.family == "function":
        return f"{name}Backward"
    if name == "index":
        parts = line.params.get("spec", ())
        number = any(isinstance(part, int) for part in parts)
        kind = "Index" if len(line.inputs) > 1 else "Select" if number else "Unsqueeze" if None in parts else "Slice"
        return f"{kind}Backward0"
    name = name.removeprefix("special.")
    if name in _NAMES:
        named = _NAMES[name]
        return named if "Backward" in named else f"{named}Backward0"
    if name.startswith("arc"):
        name = "a" + name[3:]
    return "".join(part.capitalize() for part in name.strip("_").split("_")) + "Backward0"


class Node:
    """A node of the graph: the operation that made a tensor, or the place where a leaf's gradient arrives."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line = line

    def name(self) -> str:
        """Return the node's name, e.g. `MulBackward0`."""
        return name_of(self._line)

    def __repr__(self) -> str:
        return f"<{self.name()} object at 0x{id(self._line):x}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self._line is other._line

    def __hash__(self) -> int:
        return hash(self._line)

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes that the gradient goes to from here, one per argument; None where it ends."""
        return tuple((None if line is None else Node(line), 0) for line in self._line.inputs)

    @property
    def variable(self) -> Any:
        """The leaf tensor whose gradient arrives here."""
        notes = find_notes(self._line)
        if notes is None or notes.leaf is None:
            raise GraphError(f"{self.name()} has no variable", hint="only the nodes of leaves have one")
        return notes.leaf()

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dict for the user's own notes; with anomaly detection also `traceback_`."""
        notes = notes_of(self._line)
        if notes.where:
            notes.metadata.setdefault("traceback_", notes.where)
        return notes.metadata

    def _sequence_nr(self) -> int:
        return self._line.sequence

    def register_hook(self, fn: Any) -> RemovableHandle:
        """Call `fn(grad_inputs, grad_outputs)` after the node's rule; a tuple it returns replaces `grad_inputs`."""
        return add_hook(fn, notes_of(self._line).after)

    def register_prehook(self, fn: Any) -> RemovableHandle:
        """Call `fn(grad_outputs)` before the node's rule; a tuple it returns replaces them."""
        return add_hook(fn, notes_of(self._line).before)


class GradientEdge(NamedTuple):
    """A place in the graph that a gradient flows to, without keeping the tensor."""

    node: Node
    output_nr: int


# ---------------------------------------------------------------- edits of what was saved


class Edits:
    """Which arrays no longer are what the tensor they came from holds, because it was changed in place.

    Recorded arrays themselves never change (a write makes a new array wherever somebody still needs the old one), so
    a derivative that uses one is right for the values at the time. PyTorch refuses it, and so does its spelling here.
    Kept beside the arrays, as NumPy's arrays take no attributes; an entry goes with its array.
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Any, int, int]] = {}  # by id: weak reference, version, sequence number

    def __bool__(self) -> bool:
        return bool(self._entries)

    def add(self, reference: Any, version: int, start: int) -> None:
        """Note that the array behind a weak reference was replaced when its tensor left `version`.

        Lines from number `start` on belong to the edit itself, and may use the old values.
        """
        array = reference()
        if array is None:
            return
        key = id(array)
        entries = self._entries

        def forget(_: Any) -> None:
            entries.pop(key, None)

        entries[key] = (weakref.ref(array, forget), version, start)

    def find(self, array: Any, sequence: int) -> int | None:
        """Return the version that a line saved, if the array was edited since."""
        while type(array) is np.ndarray:
            entry = self._entries.get(id(array))
            if entry is not None and entry[0]() is array:
                return entry[1] if sequence < entry[2] else None
            array = array.base
        return None


edits = Edits()


def check_unedited(line: Line) -> None:
    """Raise GraphError if a value that the line's rule will read was changed in place since it was saved."""
    if not edits:
        return
    for value in (*line.values, line.out):
        if type(value) is np.ndarray:
            found = edits.find(value, line.sequence)
            if found is not None:
                raise GraphError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"[{_kind(value)} {list(value.shape)}], saved by {name_of(line)}, is at version {found + 1}; "
                    f"expected version {found} instead",
                    why="the gradient would be that of values which the tensor no longer has",
                    hint="x = x + y instead of x += y, or x.clone() before the edit; torch.autograd.detect_anomaly() "
                    "names the line",
                )


def _kind(array: np.ndarray) -> str:
    return f"torch.{array.dtype}"


# ---------------------------------------------------------------- freed lines

FREED: tuple[Any, ...] = ("freed",)


class Recomputed(ABC):
    """Stands for the saved values of lines that can compute them again."""

    @abstractmethod
    def restore(self) -> None:
        """Give the lines their values back."""


def saves(line: Line) -> bool:
    """Whether the line's rule reads saved values, so that freeing them ends its life."""
    primitive = line.primitive
    if primitive is None or primitive.vjp is None or line.values is FREED:
        return False
    tracked = tuple([parent is not None for parent in line.inputs])
    if primitive.family == "function":  # one of a single call: not to be kept alive by a memo
        return _reads_something.__wrapped__(primitive, tracked)
    return _reads_something(primitive, tracked)


@lru_cache(maxsize=2048)
def _reads_something(primitive: Any, tracked: tuple[bool, ...]) -> bool:
    count = len(tracked)
    return any(flag and primitive.reads(i, count) for i, flag in enumerate(tracked))


def free(line: Line) -> None:
    """Drop what a line saved; using it again is an error that says so."""
    if saves(line):
        line.values = FREED
        line.out = None
