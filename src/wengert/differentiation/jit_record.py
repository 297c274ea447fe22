"""One run of a function as a Program with guards: what `jit` compiles.

The function runs on concrete tensors and everything it does to them is written down. Where Python looks at a value (a
branch, a loop bound, a mask), the value it saw becomes a guard: the Program holds as long as it sees the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..keeping import Copier, Rereader
from ..program import Program, Slot, Step, freeze
from ..recording import Line, Traced, close_window, is_tracked, leaf, open_window, wrap
from ..tensor import Tensor
from ..variable import Variable

GUARD_BYTES = 1 << 14  # larger looks at data (a plain copy of an array) cannot be guarded


class CannotCompile(Exception):
    """The recorded run does not stand for the function; the message says why."""


class _Reader:
    """Gets told which variables the function reads."""

    wants_lines = True

    def __init__(self, session: Any) -> None:
        self.session = session
        self.lines: dict[Line, Variable] = {}
        self._known: set[int] = set()

    def knows(self, variable: Any) -> bool:
        return id(variable) in self._known

    def note(self, variable: Any, line: Any) -> None:
        self._known.add(id(variable))
        if line is not None:
            self.lines[line] = variable

    def __call__(self) -> _Reader:  # recorders hold weak references to readers; this one is its own
        return self


class Output:
    """One leaf of the result: a value of the Program (`number` of its output), or a constant."""

    __slots__ = ("constant", "form", "number")

    def __init__(self, number: int, form: str, constant: Any) -> None:
        self.number = number
        self.form = form
        self.constant = constant


class Path:
    """A recorded path.

    Attributes
    ----------
    program : Program
        Inputs: the dynamic arguments, then the variables. Outputs: the dynamic results, then the guards.
    outputs : list of Output
        The leaves of the result.
    output_tree : Tree
    guards : list of bytes
        What the guards must be.
    variables : list of Variable
    tensors : list of (Tensor, array)
        Other tensors that the function read, with the data they had.
    value
        The result of the recorded run.
    finish : callable or None
        Makes the result from the Program's only output.
    outside : Outside or None
        What else the function read; `jit` fills it in.
    """

    __slots__ = (
        "finish", "guard_dtypes", "guards", "output_tree", "outputs", "outside", "program", "reads_numbers", "tensors", "value",
        "variables",
    )  # fmt: skip

    program: Program
    outputs: list[Output]
    output_tree: tree.Tree
    guards: list[bytes]
    variables: list[Variable]
    tensors: list[tuple[Traced, Any]]
    value: Any
    reads_numbers: set[int]
    guard_dtypes: list[Any]
    finish: Any
    outside: Any

    def __init__(self) -> None:
        self.finish = None
        self.outside = None


def record(
    function: Callable[..., Any],
    rebuild: Callable[[list[Any]], tuple[Any, Any]],
    leaves: Sequence[Any],
    rereads: bool = True,
) -> Path:
    """Run a function on its dynamic leaves and return the path it took.

    Parameters
    ----------
    function : callable
    rebuild : callable
        Makes (args, kwargs) from the leaves.
    leaves : sequence
        Arrays and NumPy scalars.
    rereads : bool
        Whether plain arrays that the function meets are to be read again in each call. If not, they are constants.

    Raises
    ------
    CannotCompile
        If the run read something that no guard can watch.
    """
    path = Path()
    recorder, sessions = open_window()
    recorder.record_all = True
    recorder.guards, recorder.foreign = [], []
    keeper = recorder.keeper = Rereader() if rereads else Copier()
    reader = _Reader(sessions[-1])
    recorder.readers.append(reader)
    recorder.stamp += 1
    try:
        lines = [leaf(np.shape(value), value.dtype, sessions[-1]) for value in leaves]
        args, kwargs = rebuild([wrap(Tensor, value, line) for value, line in zip(leaves, lines, strict=True)])
        result = function(*args, **kwargs)
        found, path.output_tree = tree.flatten(result)
        live = [isinstance(out, Traced) and out._data is not None and is_tracked(out) for out in found]
        looked = _guards(recorder.guards, lines, path)
        if isinstance(keeper, Rereader) and keeper.written():
            raise CannotCompile("it writes to a plain array after using it; one made with np.zeros_like(x) is no plain one")
    finally:
        foreign = recorder.foreign or []
        recorder.guards = recorder.foreign = None
        recorder.record_all = False
        close_window(recorder, sessions)
    data = [out._data if isinstance(out, Traced) else out for out in found]
    path.value = tree.unflatten(path.output_tree, _fresh(data, live, leaves))
    path.variables = list(reader.lines.values())
    path.tensors = [(tensor, tensor._data) for tensor in {id(t): t for t in foreign}.values()]
    sources = [*lines, *reader.lines]
    values: list[Any] = []
    path.outputs = []
    for out, is_live, value in zip(found, live, data, strict=True):
        if is_live or isinstance(value, np.ndarray):
            form = "array" if isinstance(value, np.ndarray) else "generic"
            path.outputs.append(Output(len(values), form, None))
            values.append(out._line if is_live else value)
        else:
            path.outputs.append(Output(-1, "constant", value))
    path.guards = [np.asarray(tensor._data).tobytes() for tensor in looked]
    path.guard_dtypes = [tensor.dtype for tensor in looked]
    path.program = _close(sources, [*values, *(tensor._line for tensor in looked)])
    return path


def _fresh(values: Sequence[Any], live: Sequence[bool], leaves: Sequence[Any]) -> list[Any]:
    """Return results that share memory with nothing, as those of later calls do."""
    taken = {id(x) for x in leaves}
    fresh = []
    for value, is_live in zip(values, live, strict=True):
        if isinstance(value, np.ndarray):
            if not is_live or value.base is not None or not value.flags.owndata or id(value) in taken:
                value = value.copy()
            taken.add(id(value))
        fresh.append(value)
    return fresh


def _guards(looks: Sequence[tuple[Traced, str]], inputs: Sequence[Line], path: Path) -> list[Tensor]:
    """Return the tensors whose values must be the same for the path to hold."""
    found: dict[Line, Tensor] = {}
    path.reads_numbers = set()
    for tensor, what in list(looks):
        if what == "the truth value" and tensor.dtype != bool:  # type: ignore[attr-defined]
            tensor = np.not_equal(tensor, 0)  # type: ignore[call-overload]
        line = tensor._line
        if line is None:
            continue
        if np.asarray(tensor._data).nbytes > GUARD_BYTES:
            raise CannotCompile(f"{what} reads {np.asarray(tensor._data).nbytes} bytes of values")
        if line in inputs and tensor.dtype.kind in "iu":  # type: ignore[attr-defined]
            path.reads_numbers.add(inputs.index(line))
        found.setdefault(line, tensor)  # type: ignore[arg-type]
    return list(found.values())


def _close(sources: Sequence[Line], outputs: Sequence[Any]) -> Program:
    """Return the Program of the lines between sources and outputs; outputs are lines or constant arrays."""
    known = set(sources)
    stack = [out for out in outputs if isinstance(out, Line)]
    seen: set[Line] = set()
    while stack:
        line = stack.pop()
        if line in seen or line in known:
            continue
        if line.primitive is None:
            raise CannotCompile("it uses a tensor that is recorded outside of it")
        seen.add(line)
        stack.extend(parent for parent in line.inputs if parent is not None)
    order = sorted(seen, key=lambda line: line.sequence)
    captures: list[Any] = []
    places: dict[int, int] = {}

    def capture(value: Any) -> None:
        if id(value) not in places:
            places[id(value)] = len(sources) + len(captures)
            captures.append(value)

    for line in order:
        if None in line.inputs:
            for parent, value in zip(line.inputs, line.values, strict=True):
                if parent is None:
                    capture(value)
    for out in outputs:
        if not isinstance(out, Line):
            capture(out)
    first = len(sources) + len(captures)
    numbers = dict(zip((*sources, *order), (*range(len(sources)), *range(first, first + len(order))), strict=True))
    slots: dict[Any, Slot] = {}  # a long recording has few
    steps = []
    for line in order:
        args = [
            numbers[parent] if parent is not None else places[id(value)]
            for parent, value in zip(line.inputs, line.values, strict=True)
        ]
        params = tuple([(k, freeze(v)) for k, v in line.params.items()]) if line.params else ()
        kind = (line.shape, line.dtype)
        slot = slots.get(kind)
        if slot is None:
            slot = slots[kind] = Slot(*kind)
        steps.append(Step(line.primitive, tuple(args), params, slot))
    returned = [numbers[out] if isinstance(out, Line) else places[id(out)] for out in outputs]
    for value in captures:
        if not isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
            raise CannotCompile(f"an operation has a {type(value).__name__} as an operand")
    try:
        return Program([Slot(line.shape, line.dtype) for line in sources], captures, steps, returned)
    except TypeError as problem:
        raise CannotCompile(str(problem)) from None


_WIDE = frozenset({np.dtype(np.float64), np.dtype(np.complex128), np.dtype(np.int64), np.dtype(bool)})


def only_wide(program: Program) -> bool:
    """Whether no value of a Program has a dtype that a Python number, as an array, would widen."""
    slots = [*program.inputs, *(step.slot for step in program.steps)]
    slots += [program.slot(len(program.inputs) + i) for i in range(len(program.captures))]
    return all(isinstance(slot.dtype, type | tuple) or slot.dtype in _WIDE for slot in slots)
