"""Watcher: a stretch of recording that can be left and entered again, and the tensors it watches.

What tapes and forward accumulators have in common. A watched tensor gets a fresh line, so that only what is done with
it afterwards counts; a line counts for a watcher if it was written while the watcher was recording.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np

from . import tree
from .boxes import OBJECT
from .errors import ArgumentError, StructureError, TapeError, unmask, user_level, user_line
from .primitives.structural import stop_gradient, watch
from .recording import (
    AMBIENT,
    CLOSED,
    Line,
    Recorder,
    Session,
    Traced,
    apply,
    close_window,
    depends,
    is_live,
    live_line,
    next_sequence,
    open_window,
    wrap,
)
from .variable import Variable, watch_line

FOREVER = 1 << 62
_LEAF = tree.Tree(tree.LEAF)


class Watcher:
    """A window on the recording.

    Attributes
    ----------
    session : Session
        That of the lines which nobody outside of this window wants.
    """

    __slots__ = ("__weakref__", "_open", "_recorder", "_sessions", "_spans", "_watched", "session")

    name = "watcher"
    wants_lines = True  # of variables that are read

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._forget()

    def _forget(self) -> None:
        self.session = Session(CLOSED)
        self._sessions: list[Session] = []  # held: those whose lines may have to be live or differentiated again
        self._open: list[Session] = []  # of these, the ones that this window keeps live now
        self._spans: list[list[int]] = []
        self._watched: dict[int, tuple[Traced, list[Line]]] = {}

    # ------------------------------------------------------------ opening and closing

    @property
    def recording(self) -> bool:
        """Whether operations count at present."""
        return self._recorder is not None

    @property
    def reopens(self) -> bool:
        """Whether the window is closed, but what it holds can still be differentiated."""
        return not self.recording and bool(self._sessions)

    def _start(self) -> None:
        again = self._sessions
        recorder, self._open = open_window(again or (self.session,))
        for session in recorder.sessions:
            if session not in again:
                again.append(session)
                session.holders += 1
        recorder.windows.append(weakref.ref(self))
        self._recorder = recorder
        self._spans.append([next_sequence(), FOREVER])
        for tensor, lines in self._watched.values():
            if lines:
                self._take_up(tensor, lines, recorder)

    def _take_up(self, tensor: Traced, lines: list[Line], recorder: Recorder) -> None:
        """Go on watching a tensor: its next operation has to start from a line of ours."""
        present = _present_line(tensor, recorder)
        line = present
        while line is not None and line is not lines[-1]:
            line = line.inputs[0] if line.primitive is watch and line.inputs else None
        if line is not None:
            return
        last = lines[-1]
        if present is not None and not (last.inputs and last.inputs[0] is present):
            last = watch_line(tensor, present, self.session, recorder)
            lines.append(last)
        _set_line(tensor, last, recorder)

    def _stop(self) -> None:
        recorder = self._recorder
        assert recorder is not None
        self._recorder = None
        self._spans[-1][1] = next_sequence()
        if weakref.ref(self) in recorder.windows:
            recorder.windows.remove(weakref.ref(self))
        close_window(recorder, self._open)
        self._open = []
        if recorder.sessions:  # others go on recording: leave nothing behind
            others = [window for reference in recorder.windows if (window := reference()) is not None]
            for key, (tensor, lines) in self._watched.items():
                entry = recorder.watched.get(key)
                if entry is None or entry[1] not in lines:
                    continue
                if not any(entry[1] in window._watched.get(key, (None, ()))[1] for window in others):
                    _restore_line(tensor, entry[1], recorder)

    def __enter__(self) -> Any:
        """Begin or go on recording."""
        if self.recording:
            raise TapeError(
                f"this {self.name} is recording already",
                where=user_line(),
                hint=f"a second {self.name} for a nested derivative",
            )
        self._start()
        return self

    def __exit__(self, *exception: Any) -> None:
        """Stop recording; what was recorded stays."""
        keeper = self._recorder.keeper if self._recorder is not None else None
        if self.recording:
            self._stop()
        unmask(exception[1])
        if exception[1] is None and keeper is not None:
            keeper.check()

    def _let_go(self) -> bool:
        """Give up what is held; return whether nobody else can need the lines, so that they may be released."""
        if self.recording:
            self._stop()
        free = True
        for session in self._sessions:
            session.holders -= 1
            free = free and session.holders <= 0 and session.live_in is CLOSED
        self._sessions = []
        return free

    # ------------------------------------------------------------ watching

    def _watch(self, tensor: Traced) -> None:
        key = id(tensor)
        if key in self._watched:
            return
        if tensor.dtype.kind not in "fc":  # type: ignore[attr-defined]
            warnings.warn(
                f"this {self.name} watches a tensor of {tensor.dtype}, which has no derivative; "  # type: ignore[attr-defined]
                "use a floating or complex one",
                stacklevel=user_level(),
            )
            self._watched[key] = (tensor, [])
            return
        recorder = self._recorder
        if tensor._data is None:
            line = tensor._line = apply(watch, (tensor,))._line
        else:
            parent = _present_line(tensor, recorder)
            if parent is None and not isinstance(tensor, Variable):
                parent = _held(tensor._line)
            line = watch_line(tensor, parent, self.session, recorder)
            _set_line(tensor, line, recorder)
        self._watched[key] = (tensor, [line])

    def knows(self, tensor: Traced) -> bool:
        """Whether the tensor is watched."""
        return id(tensor) in self._watched

    def note(self, variable: Variable, line: Line | None) -> None:
        """Watch a variable from this reading of it on."""
        self._watched[id(variable)] = (variable, [] if line is None else [line])

    # ------------------------------------------------------------ what counts

    def _admits(self) -> Callable[[Line], bool]:
        """Return the test whether a line counts."""
        spans = self._spans
        first, last = spans[0][0], spans[-1][1]
        if len(spans) == 1:
            return lambda line: (
                (first <= line.sequence < last and line.primitive is not stop_gradient) or line.primitive is watch
            )

        def admits(line: Line) -> bool:
            primitive = line.primitive
            if primitive is watch:
                return True
            return primitive is not stop_gradient and _inside(line.sequence, spans)

        return admits

    def _lines_of(self, source: Traced) -> list[Line]:
        """Return the lines that stand for a source: those it was watched by, or the earliest of an intermediate."""
        entry = self._watched.get(id(source))
        if entry is not None:
            return entry[1]
        line = None if isinstance(source, Variable) else source._line
        found = None
        while line is not None:
            if _inside(line.sequence, self._spans):
                found = line
            line = line.inputs[0] if line.primitive is watch and line.inputs else None
        return [] if found is None else [found]

    def _line_of_target(self, target: Traced) -> Line | None:
        """Return the line that a target's derivative starts from."""
        line = None if isinstance(target, Variable) else target._line
        entry = self._watched.get(id(target))
        if entry is None or not entry[1]:
            return line
        if line is None or not depends([line], entry[1], self._admits()):
            return entry[1][-1]
        return line

    def _stacked(self, target: Any) -> Any:
        """Return a target with each array of tracked numbers, `np.array([y0, y1])`, as the tensor it stands for.

        NumPy makes an array of objects of them; they are stacked as if while this window was recording.
        """
        if not _holds_objects(target):
            return target
        reopened = self.reopens
        if reopened:
            self._start()
        try:
            return tree.map_leaves(lambda leaf: leaf, target)
        finally:
            if reopened:
                self._stop()

    def _path(
        self, targets: Sequence[Line], sources: Sequence[list[Line]]
    ) -> tuple[list[Line], list[list[Line]], bool]:
        """Return the lines from sources to targets, in order, and for each source its lines among them.

        The last result tells whether the sources are all that is watched, and nothing that was computed.
        """
        watched = {line for _, lines in self._watched.values() for line in lines}
        starts = [line for lines in sources for line in lines]
        inner = [line for line in starts if line not in watched]
        if inner:  # an intermediate counts only if it comes from something watched
            reached = set(depends(inner, watched, self._admits()))
            starts = [line for line in starts if line in watched or line in reached]
        path = None
        if len(self._spans) == 1:
            start, stop = self._spans[0]
            if all(line.sequence < stop for line in targets) and all(line.sequence > start for line in starts):
                path = depends(targets, starts)
                if any(line.primitive is stop_gradient for line in path):
                    path = None
        if path is None:
            path = depends(targets, starts, self._admits())
        active = set(path)
        groups = [[line for line in lines if line in active] for lines in sources]
        return path, groups, len(starts) >= len(watched) and all(line.primitive is None for line in starts)


def _holds_objects(value: Any) -> bool:
    if type(value) is np.ndarray:
        return value.dtype is OBJECT
    if isinstance(value, dict):
        return any(map(_holds_objects, value.values()))
    return isinstance(value, list | tuple) and any(map(_holds_objects, value))


def _inside(sequence: int, spans: Sequence[Sequence[int]]) -> bool:
    low, high = 0, len(spans)
    while low < high:
        middle = (low + high) // 2
        if spans[middle][1] <= sequence:
            low = middle + 1
        else:
            high = middle
    return low < len(spans) and spans[low][0] <= sequence


def _present_line(tensor: Traced, recorder: Recorder | None) -> Line | None:
    """Return the tensor's live line in a recorder, without that being a reading of a variable."""
    if recorder is None:
        return None
    return recorder.find(tensor) if isinstance(tensor, Variable) else live_line(tensor, recorder)


def _held(line: Line | None) -> Line | None:
    """Return the newest line of a tensor's watch lines that some tape may still differentiate."""
    while line is not None and line.session.holders <= 0:
        line = line.inputs[0] if line.primitive is watch and line.inputs else None
    return line


def _set_line(tensor: Traced, line: Line, recorder: Recorder | None) -> None:
    """Make a line the tensor's own, unless another thread records with the one it has; the recorder knows it anyway."""
    if recorder is not None:
        recorder.watched[id(tensor)] = (tensor, line, -1)
    if isinstance(tensor, Variable):
        return
    own = tensor._line
    if own is not None and own.session.live_in is AMBIENT:
        return  # the place where a gradient arrives in the torch spelling; it stays the tensor's
    if own is None or own.session.live_in is CLOSED or is_live(own, recorder):
        tensor._line = line


def _restore_line(tensor: Traced, line: Line, recorder: Recorder) -> None:
    """Undo `_set_line` for those who go on recording: the tensor's line is again the one it had before."""
    before = line.inputs[0] if line.inputs else None
    if before is None or not is_live(before, recorder):
        del recorder.watched[id(tensor)]
        return
    recorder.watched[id(tensor)] = (tensor, before, -1)
    if not isinstance(tensor, Variable) and tensor._line is line:
        tensor._line = before


def leaves_of(value: Any, what: str) -> tuple[list[Any], tree.Tree]:
    """Return the tensors in a nested structure, and the structure.

    Raises
    ------
    StructureError
        If there is something else in it, `None` included.
    """
    if isinstance(value, Traced):
        return [value], _LEAF
    leaves, structure = tree.flatten(value)
    wrong = [leaf for leaf in leaves if not isinstance(leaf, Traced)]
    if wrong or _has_none(structure):
        kind = f"a {type(wrong[0]).__name__}" if wrong else "None"
        raise StructureError(
            f"{what} is or contains {kind}, but it has to be a tensor or a nested list, tuple or dict of tensors",
            where=user_line(),
            why="derivatives belong to tensors and variables, which know what was done with them",
            hint="wengert.Tensor(value), watched and used inside the block",
        )
    return leaves, structure


def _has_none(structure: tree.Tree) -> bool:
    return structure.kind is tree.NONE or any(map(_has_none, structure.children))


# ---------------------------------------------------------------- arguments and results that both faces share


class UnconnectedGradients(Enum):
    """What a tape returns for a source that the target does not depend on: `None`, or zeros of its shape."""

    NONE = "none"
    ZERO = "zero"


def is_zero(choice: Any) -> bool:
    """Return whether unconnected derivatives are to be zeros; raise ArgumentError if that is not what is said."""
    try:
        return UnconnectedGradients(choice) is UnconnectedGradients.ZERO
    except ValueError:
        raise ArgumentError(
            f"unconnected_gradients is 'none' or 'zero' (UnconnectedGradients.NONE or .ZERO), not {choice!r}",
            where=user_line(),
        ) from None


def derivative_of(
    source: Any, leading: tuple[int, ...], connected: bool, parts: Sequence[Any], zero: bool, shape: Any = None
) -> Any:
    """Return a derivative as the caller sees it: the sum of its parts, zeros, or None."""
    if not parts:
        if not connected and not zero:
            return None
        dtype = source.dtype if source.dtype.kind in "fc" else np.dtype(float)
        return wrap(source.family, np.zeros(leading + source.shape if shape is None else shape, dtype))
    value = parts[0]
    for part in parts[1:]:
        value = value + part
    return wrap(source.family, value._data, value._line) if isinstance(value, Traced) else wrap(source.family, value)


def aligned(given: Any, structure: tree.Tree, what: str = "gradient: {} output_gradients for {} targets") -> list[Any]:
    """Return the parts that stand where a structure has its leaves; each may itself be a list of numbers."""
    if structure.is_leaf:
        return [given]
    children = structure.children
    if given is None:
        return [None] * structure.count
    if isinstance(given, Mapping) and set(given) == set(structure.keys):
        given = [given[key] for key in structure.keys]
    if not isinstance(given, list | tuple) or len(given) != len(children):
        count = len(given) if isinstance(given, list | tuple | Mapping) else 1
        raise ArgumentError(
            what.format(count, len(children)), where=user_line(), hint="one for each, and nested like them"
        )
    return [part for value, child in zip(given, children) for part in aligned(value, child, what)]
