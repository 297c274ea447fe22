"""Program: a closed Wengert list. Inputs, captured values, lines, outputs; immutable, printable, plain data.

A Program is made by tracing a function with abstract tensors. Every value the function reads that is not an
input, an outer derivative's included, is a capture: it is passed in when the Program runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import AbstractValue, ShapeError, StructureError, WengertError, line_of, unmask
from .primitives.base import Primitive, dtype_of, shape_of
from .primitives.structural import constant
from .recording import Line, Traced, depends, enclosing_traces, escaped, leaf, open_traces, refusal, wrap
from .tensor import Tensor


@dataclass(frozen=True, slots=True)
class Slot:
    """Shape and dtype of a value; `dtype` is a Python type for a scalar that promotes weakly.

    Of a primitive with several results both are tuples with one entry per result.
    """

    shape: tuple[Any, ...]
    dtype: Any

    def __str__(self) -> str:
        if isinstance(self.dtype, tuple):  # a primitive with several results
            parts = [Slot(shape, dtype) for shape, dtype in zip(self.shape, self.dtype, strict=True)]
            return f"({', '.join(map(str, parts))})"
        name = self.dtype.__name__ if isinstance(self.dtype, type) else str(self.dtype)
        return f"{name}[{','.join(map(str, self.shape))}]"

    @classmethod
    def of(cls, value: Any) -> Slot:
        """Return the slot that a value would fill."""
        data = value._data if isinstance(value, Traced) else value
        if type(data) is tuple:  # of a primitive with several results
            return cls(tuple(part.shape for part in data), tuple(part.dtype for part in data))
        return cls(tuple(shape_of(value)), dtype_of(value))


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a Program: a primitive applied to earlier values, by number."""

    primitive: Primitive
    args: tuple[int, ...]
    params: tuple[tuple[str, Any], ...]
    slot: Slot


class Program:
    """A straight-line program over primitives.

    Values are numbered: first the inputs, then the captures, then one per step.

    Attributes
    ----------
    inputs : tuple of Slot
    captures : tuple
        Values (arrays, scalars or tensors) that the traced function read from outside.
    steps : tuple of Step
    outputs : tuple of int
        Value numbers.
    """

    __slots__ = ("_compiled", "_key", "_runner", "captures", "inputs", "outputs", "steps")

    def __init__(
        self, inputs: Sequence[Slot], captures: Sequence[Any], steps: Sequence[Step], outputs: Sequence[int]
    ) -> None:
        self.inputs = tuple(inputs)
        self.captures = tuple(captures)
        self.steps = tuple(steps)
        self.outputs = tuple(outputs)
        self._key: Any = None
        self._compiled: Any = None
        self._runner: Any = None

    # ------------------------------------------------------------ structure

    @property
    def key(self) -> tuple[Any, ...]:
        """The structure as nested tuples: equal keys mean equal Programs up to the captured values."""
        if self._key is None:
            self._key = (
                self.inputs,
                tuple(Slot.of(value) for value in self.captures),
                tuple((step.primitive.name, step.args, step.params, step.slot) for step in self.steps),
                self.outputs,
            )
        return self._key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def slot(self, number: int) -> Slot:
        """Return the shape and dtype of a value."""
        n = len(self.inputs)
        if number < n:
            return self.inputs[number]
        number -= n
        if number < len(self.captures):
            return Slot.of(self.captures[number])
        return self.steps[number - len(self.captures)].slot

    @property
    def output_slots(self) -> tuple[Slot, ...]:
        """Shapes and dtypes of the outputs."""
        return tuple(map(self.slot, self.outputs))

    def last_uses(self) -> dict[int, list[int]]:
        """Return, for each step, the values that nobody reads afterwards."""
        last: dict[int, int] = {}
        for position, step in enumerate(self.steps):
            for a in step.args:
                last[a] = position
        for output in self.outputs:
            last.pop(output, None)
        ends: dict[int, list[int]] = {}
        for value, position in last.items():
            ends.setdefault(position, []).append(value)
        return ends

    def closed(self) -> tuple[Program, list[Any]]:
        """Return the Program with its captures as further inputs, and these captures: only structure is left in it.

        A captured Python number becomes a line of its own, because as an array it would promote differently.
        """
        n = len(self.inputs)
        numbers = list(range(n))
        arrays = [value for value in self.captures if not _is_weak(value)]
        constants: list[Step] = []
        taken = 0
        for value in self.captures:
            if _is_weak(value):
                numbers.append(n + len(arrays) + len(constants))
                constants.append(Step(constant, (), (("value", value),), Slot.of(value)))
            else:
                numbers.append(n + taken)
                taken += 1
        first = n + len(arrays) + len(constants)
        numbers.extend(range(first, first + len(self.steps)))
        steps = [Step(s.primitive, tuple(numbers[a] for a in s.args), s.params, s.slot) for s in self.steps]
        slots = tuple(map(Slot.of, arrays))
        closed = Program((*self.inputs, *slots), (), [*constants, *steps], [numbers[i] for i in self.outputs])
        return closed, arrays

    def save(self, path: Any) -> None:
        """Write the Program to a file as plain data: its structure as JSON, its captured arrays beside it.

        Raises
        ------
        StructureError
            If a setting of a line is a Python function, which is not data.

        Examples
        --------
        >>> import tempfile, os, numpy as np
        >>> from wengert.program import Program, Slot, trace
        >>> program = trace(lambda x: [np.sin(x) * 2], [Slot((3,), np.dtype(float))])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "double_sine.wengert")
        ...     program.save(path)
        ...     again = Program.load(path)
        >>> again == program, bool(again(np.ones(3))[0][0] == 2 * np.sin(1.0))
        (True, True)
        """
        from .execute.storage import save

        save(self, path)

    @staticmethod
    def load(path: Any) -> Program:
        """Return the Program that `save` wrote. Runs no code from the file.

        Raises
        ------
        ArgumentError
            If the file is not a saved Program.
        UnsupportedFunction
            If it applies a primitive that this process does not know.
        """
        from .execute.storage import load

        return load(path)

    def __reduce__(self) -> tuple[Any, ...]:
        captures = tuple(np.asarray(c) if isinstance(c, Traced) else c for c in self.captures)
        return (Program, (self.inputs, captures, self.steps, self.outputs))

    # ------------------------------------------------------------ printing

    def __str__(self) -> str:
        n, m = len(self.inputs), len(self.captures)
        name = [f"x{i}" for i in range(n)] + [f"c{i}" for i in range(m)] + [f"v{i}" for i in range(len(self.steps))]
        head = ", ".join(f"{name[i]}: {slot}" for i, slot in enumerate(self.inputs))
        rows = [f"program({head})"]
        rows += [f"  {name[n + i]}: {Slot.of(value)} = captured" for i, value in enumerate(self.captures)]
        for i, step in enumerate(self.steps):
            settings = "".join(f", {k}={_show(v)}" for k, v in step.params)
            args = ", ".join(name[a] for a in step.args)
            rows.append(f"  {name[n + m + i]}: {step.slot} = {step.primitive.name}({args}{settings})")
        rows.append("  return " + ", ".join(name[i] for i in self.outputs))
        return "\n".join(rows)

    __repr__ = __str__

    # ------------------------------------------------------------ running

    def __call__(self, *args: Any, captures: Sequence[Any] | None = None) -> tuple[Any, ...]:
        """Run on arrays or tensors; return the tuple of outputs.

        Raises
        ------
        ShapeError, StructureError
            If the arguments do not have the Program's shapes or count.
        """
        if len(args) != len(self.inputs):
            raise StructureError(f"the Program has {len(self.inputs)} inputs, not {len(args)}")
        for i, (arg, slot) in enumerate(zip(args, self.inputs, strict=True)):
            if shape_of(arg) != slot.shape:
                raise ShapeError(
                    f"argument {i} has shape {shape_of(arg)}; the Program was made for {slot.shape}",
                    hint="trace the function again for the new shape",
                )
        from .execute.interpret import run

        return run(self, args, self.captures if captures is None else captures)


def _is_weak(value: Any) -> bool:
    return type(value) in (bool, int, float, complex)


def _show(value: Any) -> str:
    if isinstance(value, Program):
        return "program(...)"
    if isinstance(value, np.dtype):
        return str(value)
    return repr(value)


# ---------------------------------------------------------------- building


def freeze(value: Any) -> Any:
    """Return static parameters as hashable plain data."""
    if isinstance(value, list | tuple):
        return tuple(map(freeze, value))
    if isinstance(value, dict):
        return tuple(sorted((k, freeze(v)) for k, v in value.items()))
    return value


def build(inputs: Sequence[Line], outputs: Sequence[Any], slots: Sequence[Slot] | None = None) -> Program:
    """Close the abstract lines between inputs and outputs into a Program.

    `outputs` are tensors or arrays; what does not depend on the inputs becomes a capture, the values of an
    enclosing trace included.

    Raises
    ------
    AbstractValue
        If an abstract tensor of a trace that is over is among the captures.
    """
    abstract = [out._line for out in outputs if isinstance(out, Traced) and out._data is None]
    order = depends([line for line in abstract if line is not None], inputs)
    numbers: dict[Line, int] = {line: i for i, line in enumerate(inputs)}
    captures: list[Any] = []
    capture_numbers: dict[Any, int] = {}
    pending: list[tuple[Line, list[Any]]] = []

    def capture(value: Any, line: Line | None) -> tuple[str, int]:
        key = line if line is not None else id(value)
        if key not in capture_numbers:
            if line is not None and line.abstract and not enclosing_traces():
                raise escaped(line)
            capture_numbers[key] = len(captures)
            captures.append(value if line is None else wrap(Tensor, value, line))
        return ("capture", capture_numbers[key])

    mine = set(order)
    for line in order:
        if line in numbers:
            continue
        args: list[Any] = []
        for parent, value in zip(line.inputs, line.values, strict=True):
            if parent in mine:
                args.append(parent)
            else:
                args.append(capture(value, parent))
        pending.append((line, args))
    returned: list[Any] = []
    for out in outputs:
        if isinstance(out, Traced) and (out._line in mine or out._line in numbers):
            returned.append(out._line)
        elif isinstance(out, Traced):
            returned.append(capture(out._data, out._line))
        else:
            returned.append(capture(out, None))
    offset = len(inputs)
    first = offset + len(captures)
    for i, (line, _) in enumerate(pending):
        numbers[line] = first + i

    def number(ref: Any) -> int:
        return offset + ref[1] if type(ref) is tuple else numbers[ref]

    steps = [
        Step(
            line.primitive,
            tuple(map(number, args)),
            tuple((k, freeze(v)) for k, v in line.params.items()),
            Slot(line.shape, line.dtype),
        )
        for line, args in pending
    ]
    return Program(
        slots or [Slot(line.shape, line.dtype) for line in inputs], captures, steps, [number(ref) for ref in returned]
    )


def _reveal(error: Exception) -> None:
    """Raise what NumPy hides behind an error of its own: for `array[i]`, `np.zeros(i)` or `array[0] = x` it says little."""
    unmask(error)
    where, message = refusal.get()
    if where and not isinstance(error, WengertError) and where == line_of(error):
        raise AbstractValue(message) from error


def trace(function: Callable[..., Sequence[Any]], slots: Sequence[Slot], family: type = Tensor) -> Program:
    """Return the Program of a function of arrays of the given shapes and dtypes.

    `function` takes abstract tensors and returns a sequence of tensors or arrays. A weak (Python type) slot is
    traced as a value of NumPy's default dtype for it.
    """
    dtypes: list[Any] = [slot.dtype if type(slot.dtype) is tuple else np.dtype(slot.dtype) for slot in slots]
    lines = [leaf(slot.shape, dtype) for slot, dtype in zip(slots, dtypes, strict=True)]
    token = open_traces.set(enclosing_traces() + 1)
    try:
        outputs = list(function(*(wrap(family, None, line) for line in lines)))
    except (IndexError, TypeError, ValueError) as error:
        _reveal(error)
        raise
    finally:
        open_traces.reset(token)
    return build(lines, outputs, slots)
