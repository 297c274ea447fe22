"""Who records what. A `Line` is one entry of the Wengert list; `apply` computes and, where wanted, writes one.

Lines hang from the tensors that need them, so what no live tensor can reach is freed. Lines are ordered by a
sequence number and always walked by it, never by recursion. This module knows nothing of tapes, of
derivatives or of which primitives exist.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from functools import lru_cache
from math import prod
from operator import attrgetter
from typing import Any

import numpy as np

from .errors import AbstractValue, user_line
from .keeping import Copier, Keeper

next_sequence = itertools.count(1).__next__


class Recorder:
    """What one context is recording, from the opening of an outermost window to the closing of the last one in it.

    Attributes
    ----------
    sessions : list of Session
        Those whose lines are live here, outermost first: one or more for each open window.
    session : Session
        The outermost.
    nested : bool
        Whether there are several, so that a new line has to look for its own.
    watched : dict
        By `id` of a watched tensor: the tensor, its line here, and for variables which readers know of it. A tensor
        that several threads watch has a line in each of their recorders.
    windows, readers : list of weak references
        The open windows (tapes), and those that want to be told when a variable is read.
    stamp : int
        Tells one list of readers from another.
    record_all, reads
        Whether operations without a derivative (comparisons, sorting) are recorded too, and how often Python then
        looked at a value that is recorded: by a branch, or to make a plain array of integers.
    guards, foreign : list or None
        If lists (`jit` records), what Python looked at: tensors, and how; and tensors that are operands without being
        recorded: constants, or values of an enclosing scope.
    keeper
        Keeps what lines need of plain arrays, which their owner may write to.
    outer
        What was recording before, and will be again.
    """

    __slots__ = (
        "foreign",
        "guards",
        "keeper",
        "nested",
        "outer",
        "readers",
        "reads",
        "record_all",
        "session",
        "sessions",
        "stamp",
        "watched",
        "windows",
    )

    def __init__(self, outer: Recorder | None = None, session: Session | None = None) -> None:
        self.session = session or Session(self)
        self.session.live_in = self
        self.sessions = [self.session]
        self.nested = False
        self.watched: dict[int, tuple[Traced, Line, int]] = {}
        self.windows: list[Any] = []
        self.readers: list[Any] = []
        self.stamp = 0
        self.reads = 0
        self.guards: list[tuple[Traced, str]] | None = None
        self.foreign: list[Traced] | None = None
        self.record_all = False
        self.keeper: Keeper = Keeper()
        self.outer = outer

    def close(self) -> None:
        """End the recording: none of its lines is live any more."""
        for session in self.sessions:
            session.live_in = CLOSED
        self.sessions = []
        self.watched = {}
        self.windows = []
        self.readers = []
        self.keeper = Keeper()

    def keep(self, array: np.ndarray) -> np.ndarray:
        """Return what a line may keep of a plain array, so that a later write to it does no harm."""
        return self.keeper.keep(array)

    def find(self, tensor: Traced) -> Line | None:
        """Return the live line of a watched tensor whose own line belongs to another recorder."""
        entry = self.watched.get(id(tensor))
        return entry[1] if entry is not None and is_live(entry[1], self) else None

    def session_of(self, inputs: Iterable[Line | None]) -> Session:
        """Return the session of a new line: the outermost of its inputs', because that one ends last.

        What depends on inner inputs only is dead, and free to be converted to plain numbers, once their window closed.
        """
        deepest = None
        for line in inputs:
            if line is not None:
                session = line.session
                if session.live_in is not self:  # an ambient one, which outlives every window
                    return session
                if deepest is None or session.depth < deepest.depth:
                    deepest = session
        return deepest or self.session


class Session:
    """The lines that die together: those whose inputs belong to the same window, or to windows outside of it.

    Attributes
    ----------
    live_in
        The recorder that records what is done with these lines, or CLOSED.
    depth : int
        Position among the recorder's sessions; 0 is the outermost.
    windows : int
        How many open windows want the lines to be live.
    holders : int
        How many tapes, open or not, may still differentiate the lines.
    """

    __slots__ = ("depth", "holders", "live_in", "windows")

    def __init__(self, live_in: Any) -> None:
        self.live_in = live_in
        self.depth = 0
        self.windows = 0
        self.holders = 0


class Hold:
    """Keeps lines from being released for as long as it lives: somebody may still differentiate them."""

    __slots__ = ("sessions",)

    def __init__(self, sessions: Iterable[Session]) -> None:
        self.sessions = tuple(sessions)
        for session in self.sessions:
            session.holders += 1

    def __del__(self) -> None:
        for session in self.sessions:
            session.holders -= 1


CLOSED = object()


# Lines of this recorder are live wherever recording is on at all: leaves that ask to be tracked without any
# window around them (`requires_grad` in the torch spelling).
AMBIENT = Recorder()
AMBIENT.session.depth = -1  # outside of every window
AMBIENT.keeper = Copier()  # it never ends, so it must not remember what it met
# Lines of abstract tensors. They belong to the trace that made them, not to a context.
ABSTRACT = Session(CLOSED)

_current: ContextVar[Recorder | None] = ContextVar("wengert_recorder", default=AMBIENT)
current = _current.get
set_current = _current.set
reset_current = _current.reset


@lru_cache(maxsize=1)
def _join_scipy_fft() -> None:
    """Register with the dispatch of `scipy.fft`, once and only where that module is in use: it then takes tensors."""
    importlib.import_module("wengert.scipy.fft").use()


def open_window(sessions: Sequence[Session] = ()) -> tuple[Recorder, list[Session]]:
    """Start or extend the recording of this context; return its recorder and the window's sessions, its own last.

    `sessions` are those of an earlier stretch of the same window, whose lines become live again.
    """
    recorder = current()
    if recorder is None or recorder is AMBIENT or not recorder.sessions:
        while recorder is not None and recorder is not AMBIENT and not recorder.sessions:
            recorder = recorder.outer  # one that was closed in another context
        recorder = Recorder(recorder, sessions[0] if sessions else None)
        set_current(recorder)
        if "scipy.fft" in sys.modules:
            _join_scipy_fft()
        mine = [recorder.session]
        sessions = sessions[1:]
    else:
        mine = []
        sessions = sessions or (Session(CLOSED),)
    for session in sessions:
        if session.live_in is CLOSED:
            session.live_in = recorder
            session.depth = len(recorder.sessions)
            recorder.sessions.append(session)
        elif session.live_in is not recorder:  # another thread's
            continue
        mine.append(session)
    for session in mine:
        session.windows += 1
    recorder.nested = len(recorder.sessions) > 1
    return recorder, mine


def close_window(recorder: Recorder, sessions: Sequence[Session], check: bool = False) -> None:
    """End a window's part in a recording. Windows may close in any order; the last one ends the recording.

    With `check`, raise AssignmentError if a large plain array was written to after its use.
    """
    keeper = recorder.keeper
    for session in sessions:
        session.windows -= 1
    stack = recorder.sessions
    while stack and stack[-1].windows <= 0:
        stack.pop().live_in = CLOSED
    recorder.nested = len(stack) > 1
    if not stack:
        recorder.close()
        if current() is recorder:
            set_current(recorder.outer)
        if check and keeper.known:
            keeper.check()


class Line:
    """One entry of the list: a primitive applied to earlier lines.

    Attributes
    ----------
    primitive, params
        What was applied, with its static settings.
    inputs : tuple of Line or None
        The lines of the arguments; None for an argument that nobody tracks.
    values : tuple
        The arguments' data, or None where no rule of the primitive will read it.
    out
        The result's data where a rule will read it, else None.
    shape, dtype
        Of the result.
    sequence : int
        Orders all lines of the process.
    session : Session
        Whether the line is live in a context.
    notes
        What a framework's spelling hangs on the line (hooks); not set until it does.
    """

    __slots__ = (
        "__weakref__",
        "dtype",
        "inputs",
        "notes",
        "out",
        "params",
        "primitive",
        "sequence",
        "session",
        "shape",
        "values",
    )

    notes: Any

    def __init__(
        self,
        primitive: Any,
        inputs: tuple[Line | None, ...],
        params: dict[str, Any],
        values: tuple[Any, ...],
        out: Any,
        shape: tuple[int, ...],
        dtype: np.dtype,
        session: Session,
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.values = values
        self.out = out
        self.shape = shape
        self.dtype = dtype
        self.session = session
        self.sequence = next_sequence()

    @property
    def ndim(self) -> int:
        """Number of axes of the result."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements of the result."""
        return prod(self.shape)

    @property
    def abstract(self) -> bool:
        """Whether the line belongs to a trace, where only shapes and dtypes are known."""
        return self.session is ABSTRACT

    def release(self) -> None:
        """Forget what the line holds. Only for lines that nobody will differentiate again."""
        if self.session.live_in is AMBIENT:  # no window's to give up: it lives as long as a tensor needs it
            return
        self.inputs = ()
        self.values = ()
        self.out = None
        self.params = NO_PARAMS
        self.session = RELEASED

    def __repr__(self) -> str:
        name = getattr(self.primitive, "name", "input")
        return f"<line {self.sequence}: {name} {self.dtype}{list(self.shape)}>"


RELEASED = Session(CLOSED)


class Traced:
    """Storage of a tensor: data (None when abstract) and its line (None when nobody tracks it)."""

    __slots__ = ("__weakref__", "_alias", "_data", "_line")

    _mutable = True  # whether there are views of it and writes to it
    _data: Any
    _line: Line | None
    _alias: Any


def wrap(cls: type, data: Any, line: Line | None = None) -> Any:
    """Make a tensor of class `cls` around `data` without looking at it."""
    tensor = new(cls)
    tensor._data = data
    tensor._line = line
    tensor._alias = None
    return tensor


def is_live(line: Line | None, recorder: Recorder | None) -> bool:
    """Whether an operation on this line would be recorded by `recorder`."""
    if line is None or recorder is None:
        return False
    live_in = line.session.live_in
    return live_in is recorder or live_in is AMBIENT




def is_tracked(tensor: Traced) -> bool:
    """Whether the tensor's derivative is being recorded in this context, or the tensor is abstract."""
    return tensor._data is None or live_line(tensor, current()) is not None


def live_line(tensor: Traced, recorder: Recorder | None) -> Line | None:
    """Return the line through which `recorder` would record an operation on this tensor."""
    line = tensor._line
    if line is None or recorder is None:
        return None
    live_in = line.session.live_in
    if live_in is recorder:
        return line
    found = recorder.find(tensor) if recorder.watched else None
    return line if found is None and live_in is AMBIENT else found


def is_guarded(tensor: Traced) -> bool:
    """Whether a look at this tracked value loses no derivative: `jit` records it, and nobody inside wants more."""
    recorder = current()
    if recorder is None or recorder.guards is None:
        return False
    if len(recorder.sessions) == 1:
        return True
    seen: set[Line] = set()
    stack = [] if tensor._line is None else [tensor._line]
    while stack:  # is it made from an input of a derivative inside?
        line = stack.pop()
        if line in seen:
            continue
        seen.add(line)
        if line.session is not recorder.session or getattr(line.primitive, "name", "") in ("alias", "watch"):
            return False
        stack.extend(parent for parent in line.inputs if parent is not None)
    return True


NO_PARAMS: dict[str, Any] = {}
DISCRETE = (False,)  # what is kept of a line that has nothing to differentiate
new: Any = object.__new__
_NDARRAY = np.ndarray


def apply(
    primitive: Any, args: Sequence[Any], params: dict[str, Any] = NO_PARAMS, computed: Any = None
) -> Any:
    """Apply a primitive: compute with NumPy and record a line if an argument is tracked.

    With plain arrays only, this is `primitive.evaluate`. An abstract argument makes the result abstract.
    `computed` is the result where the caller has it already.
    """
    recorder = current()
    cls = None
    values = []
    inputs: list[Line | None] = []
    nested = recorder is not None and recorder.nested
    mask = 0
    bit = 1
    for arg in args:
        if isinstance(arg, Traced):
            data = arg._data
            if data is None:
                return _apply_abstract(primitive, args, params, type(arg).family)  # type: ignore[attr-defined]
            if cls is None:
                cls = type(arg).family  # type: ignore[attr-defined]
            values.append(data)
            line = arg._line
            if line is not None:
                live_in = line.session.live_in
                if live_in is not recorder or recorder is None:
                    if recorder is None:
                        line = None
                    elif live_in is AMBIENT:
                        nested = True
                        line = (recorder.find(arg) if recorder.watched else None) or line
                    else:
                        line = recorder.find(arg) if recorder.watched else None
                if line is not None:
                    mask |= bit
            if line is None and recorder is not None and recorder.foreign is not None:
                recorder.foreign.append(arg)
            inputs.append(line)
        else:
            values.append(arg)
            inputs.append(None)
        bit += bit
    out = primitive.evaluate(*values, **params) if computed is None else computed
    if cls is None:
        return out
    tensor = cls.__new__(cls)
    tensor._data = out
    tensor._alias = None
    if mask == 0:
        tensor._line = None
        return tensor
    kept = primitive.kept.get((mask, len(values)))
    if kept is None:
        kept = primitive.what_is_kept(mask, len(values))
    if kept is False:  # an integer or boolean result: nothing to differentiate
        if not recorder.record_all:  # type: ignore[union-attr]
            tensor._line = None
            return tensor
        kept = ((), False)
    drop, keep_out = kept
    for i in drop:
        values[i] = None
    for i, arg in enumerate(args):
        if arg.__class__ is _NDARRAY:
            values[i] = recorder.keep(arg)  # type: ignore[union-attr]
    if type(out) is tuple:
        shape: Any = tuple(part.shape for part in out)
        dtype: Any = tuple(part.dtype for part in out)
    else:
        shape, dtype = out.shape, out.dtype
    tensor._line = Line(
        primitive,
        tuple(inputs),
        params,
        tuple(values),
        out if keep_out else None,
        shape,
        dtype,
        recorder.session_of(inputs) if nested else recorder.session,  # type: ignore[union-attr]
    )
    return tensor


def apply1(primitive: Any, x: Traced) -> Any:
    """`apply` for one tensor and no settings: the quick way for what is called most."""
    data = x._data
    if data is None:
        return apply(primitive, (x,))
    out = primitive.evaluate(data)
    cls = x.family  # type: ignore[attr-defined]
    tensor = new(cls)
    tensor._data = out
    tensor._line = tensor._alias = None
    line = x._line
    if line is not None:
        recorder = current()
        live_in = line.session.live_in
        if live_in is recorder or (live_in is AMBIENT and recorder is not None and not recorder.watched):
            kept = primitive.kept1 or primitive.what_is_kept1()
            if kept is not DISCRETE:
                keep, keep_out = kept
                result = new(Line)  # its `__init__`, without the call
                result.primitive = primitive
                result.inputs = (line,)
                result.params = NO_PARAMS
                result.values = (data if keep else None,)
                result.out = out if keep_out else None
                result.shape = out.shape
                result.dtype = out.dtype
                result.session = line.session
                result.sequence = next_sequence()
                tensor._line = result
            elif recorder.record_all:
                return apply(primitive, (x,), computed=out)
        elif recorder is not None and recorder.watched:
            return apply(primitive, (x,), computed=out)
    return tensor


def apply2(primitive: Any, x: Any, y: Any) -> Any:
    """`apply` for two arguments, one of them a tensor, and no settings."""
    recorder = current()
    mask = 0
    if isinstance(x, Traced):
        a = x._data
        line_x = x._line
        cls = x.family  # type: ignore[attr-defined]
        if a is None:
            return apply(primitive, (x, y))
        if line_x is not None:
            live_in = line_x.session.live_in
            if live_in is recorder:
                mask = 1
            elif recorder is not None and (recorder.watched or live_in is AMBIENT):
                return apply(primitive, (x, y))
            else:
                line_x = None
    else:
        a, line_x, cls = x, None, None
    if isinstance(y, Traced):
        b = y._data
        line_y = y._line
        if cls is None:
            cls = y.family  # type: ignore[attr-defined]
        if b is None:
            return apply(primitive, (x, y))
        if line_y is not None:
            live_in = line_y.session.live_in
            if live_in is recorder:
                mask += 2
            elif recorder is not None and (recorder.watched or live_in is AMBIENT):
                return apply(primitive, (x, y))
            else:
                line_y = None
    else:
        b, line_y = y, None
    out = primitive.evaluate(a, b)
    tensor = new(cls)
    tensor._data = out
    tensor._line = tensor._alias = None
    if mask:
        if mask != 3 and recorder.foreign is not None:  # type: ignore[union-attr]
            return apply(primitive, (x, y), computed=out)
        kept = primitive.kept2[mask] or primitive.what_is_kept2(mask)
        if kept is not DISCRETE:
            keep_a, keep_b, keep_out = kept
            if a is x and a.__class__ is _NDARRAY:
                a = recorder.keep(a)  # type: ignore[union-attr]
            elif b is y and b.__class__ is _NDARRAY:
                b = recorder.keep(b)  # type: ignore[union-attr]
            line = new(Line)  # its `__init__`, without the call
            line.primitive = primitive
            line.inputs = inputs = (line_x, line_y)
            line.params = NO_PARAMS
            line.values = (a if keep_a else None, b if keep_b else None)
            line.out = out if keep_out else None
            line.shape = out.shape
            line.dtype = out.dtype
            line.session = recorder.session_of(inputs) if recorder.nested else recorder.session  # type: ignore[union-attr]
            line.sequence = next_sequence()
            tensor._line = line
        elif recorder.record_all:  # type: ignore[union-attr]
            return apply(primitive, (x, y), computed=out)
    return tensor


# How many traces are open in this context: an abstract tensor has a meaning only inside the one that made it.
open_traces: ContextVar[int] = ContextVar("wengert_traces", default=0)
enclosing_traces = open_traces.get

refusal: ContextVar[tuple[str, str]] = ContextVar("wengert_refusal", default=("", ""))
"""Which line of user code last asked an abstract tensor for its value, and what it was told: NumPy may hide that."""


def _apply_abstract(primitive: Any, args: Sequence[Any], params: dict[str, Any], cls: type) -> Any:
    if not enclosing_traces():
        raise escaped(next(arg._line for arg in args if isinstance(arg, Traced) and arg._data is None))
    shape, dtype = primitive.abstract(*args, **params)
    if not isinstance(dtype, np.dtype | tuple):  # a framework's own spelling of a dtype
        dtype = np.dtype(dtype)
    inputs = tuple(arg._line if isinstance(arg, Traced) else None for arg in args)
    values = tuple(arg._data if isinstance(arg, Traced) else arg for arg in args)
    return wrap(cls, None, Line(primitive, inputs, params, values, None, shape, dtype, ABSTRACT))


def escaped(line: Any) -> AbstractValue:
    """Return the error for an abstract tensor outside of its trace."""
    return AbstractValue(
        f"an abstract tensor of shape {line.shape} has escaped from the vmap or traced body it was made in",
        where=user_line(),
        why="it has no value, neither outside of that body nor in another one",
        hint="return it from that body instead of storing it",
    )


def leaf(shape: tuple[int, ...], dtype: np.dtype, session: Session = ABSTRACT) -> Line:
    """Make a line without a primitive: an input of a trace, or a watched tensor nobody recorded before."""
    return Line(None, (), NO_PARAMS, (), None, shape, dtype, session)


def depends(
    outputs: Iterable[Line], sources: Iterable[Line], admits: Callable[[Line], bool] | None = None
) -> list[Line]:
    """Return the lines that lie between `sources` and `outputs`, sources included, in order of recording.

    `admits` may refuse lines (those outside a tape's window). Linear in the lines visited, no recursion.
    """
    sources = set(sources)
    if not sources:
        return []
    first = min(line.sequence for line in sources)
    seen = set()
    stack = [line for line in outputs if line.sequence >= first]
    while stack:
        line = stack.pop()
        if line in seen:
            continue
        seen.add(line)
        if admits is None or admits(line):
            for parent in line.inputs:
                if parent is not None and parent.sequence >= first and parent not in seen:
                    stack.append(parent)
    active: set[Line] = set()
    ordered = []
    for line in sorted(seen, key=_by_sequence):
        if line in sources:
            active.add(line)
            ordered.append(line)
        elif admits is None or admits(line):
            for parent in line.inputs:
                if parent in active:
                    active.add(line)
                    ordered.append(line)
                    break
    return ordered


_by_sequence = attrgetter("sequence")
