"""One run of a function as structure and values: what a sparse derivative starts from.

The function runs once, with everything it does to its inputs written down: comparisons and sorting too, so that the
Program replays. The structure is a key (primitives, settings, shapes, wiring); the values are the inputs and what the
function read from outside. This module knows nothing of patterns or plans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..differentiation.recorded import Window, check_argnums, differentiable
from ..errors import StructureError, TraceLost, UnsupportedFunction
from ..program import Program, Slot, Step, freeze
from ..recording import Line, Traced, current, depends, is_tracked, leaf, wrap
from ..tensor import Tensor


class Key:
    """The structure of a run: nested tuples, hashed once. Raises TypeError if a part of it cannot be hashed."""

    __slots__ = ("hash", "parts")

    def __init__(self, parts: tuple[Any, ...]) -> None:
        self.parts = parts
        self.hash = hash(parts)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Key) and self.hash == other.hash and self.parts == other.parts

    def __reduce__(self) -> tuple[Any, ...]:
        return (Key, (self.parts,))  # hashes differ between processes


class Run:
    """A function recorded at a point.

    Attributes
    ----------
    inputs : list of ndarray
        The differentiated leaves.
    outputs : list of ndarray
        The results' leaves.
    input_tree, output_tree : Tree
    captures : list
        Values the function read from outside, in order of first use.
    forced : int
        How many of the first captures are arguments that were traced but not differentiated: they may always change.
    key : Key
        The structure. Equal keys mean equal Programs up to inputs and captures.
    reads : int
        How often Python looked at a value that depends on the inputs (a branch, a mask as an index). If that is not
        zero, the structure holds for the path that was taken.
    """

    __slots__ = (
        "aux",
        "captures",
        "forced",
        "input_tree",
        "inputs",
        "key",
        "output_tree",
        "outputs",
        "reads",
        "single",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: int | tuple[int, ...] = 0,
        has_aux: bool = False,
        name: str = "jacobian",
        also: Sequence[int] = (),
    ) -> None:
        numbers, self.single = check_argnums(argnums, len(args), name)
        values, self.input_tree = tree.flatten([args[i] for i in numbers])
        for value in values:
            _not_tracked(value, name)
        values = [differentiable(value, f"{name}: argument") for value in values]
        data = [value._data if isinstance(value, Traced) else value for value in values]
        self.inputs = data
        extra = [np.asarray(args[i]) for i in also]
        self.forced = len(extra)
        with Window() as window:
            recorder = window.recorder
            before, recorder.record_all = recorder.record_all, True
            reads = recorder.reads
            try:
                lines = [leaf(array.shape, array.dtype, window.sessions[-1]) for array in (*data, *extra)]
                tensors = [wrap(Tensor, array, line) for array, line in zip((*data, *extra), lines, strict=True)]
                filled = list(args)
                for i in reversed(also):
                    filled[i] = tensors.pop()
                for i, value in zip(numbers, tree.unflatten(self.input_tree, tensors), strict=True):
                    filled[i] = value
                result = function(*filled, **kwargs)
                aux = None
                if has_aux:
                    if type(result) is not tuple or len(result) != 2:
                        raise StructureError(
                            f"{name}: with has_aux=True the function returns a pair (result, aux), "
                            f"not {type(result).__name__}"
                        )
                    result, aux = result
                # An array of tracked numbers is stacked, which is recorded.
                found, self.output_tree = tree.flatten(result)
            finally:
                recorder.record_all = before
        self.reads = recorder.reads - reads
        self.aux = tree.map_leaves(lambda x: x._data if isinstance(x, Traced) else x, aux) if has_aux else None
        self.outputs = [_output_data(out, name) for out in found]
        self._extract(found, lines[: len(data)], lines[len(data) :], extra, name)

    def _extract(
        self, outputs: Sequence[Any], inputs: Sequence[Line], others: Sequence[Line], extra: list[Any], name: str
    ) -> None:
        """Number the lines between inputs and outputs; what they read from elsewhere are captures."""
        number: dict[Line | None, int] = {line: i for i, line in enumerate(inputs)}
        number.update({line: -1 - k for k, line in enumerate(others)})
        lines = depends([out._line for out in outputs if _has_line(out)], [*inputs, *others])
        lines = [line for line in lines if line not in number]
        captures: list[Any] = list(extra)
        known: dict[int, int] = {}
        steps: list[Any] = []
        slots: list[Any] = [(array.shape, array.dtype) for array in self.inputs]
        count = len(inputs)
        for line in lines:
            refs = []
            for parent, value in zip(line.inputs, line.values):
                if parent is not None:
                    ref = number.get(parent)
                    if ref is None:
                        raise _outer(name)
                else:
                    place = known.get(id(value))
                    if place is None:
                        place = len(captures)
                        captures.append(value)
                        if not is_scalar(value):
                            known[id(value)] = place
                    ref = -1 - place
                refs.append(ref)
            params = tuple(line.params.items()) if line.params else ()
            steps.append((line.primitive, tuple(refs), params, line.shape, line.dtype))
            number[line] = count
            count += 1
        returned = []
        for out, data in zip(outputs, self.outputs, strict=True):
            ref = number.get(out._line) if _has_line(out) else None
            if ref is None:
                ref = -1 - len(captures)
                captures.append(data)
            returned.append(ref)
        self.captures = captures
        slots.extend(_capture_slot(value) for value in captures)
        try:
            self.key = Key((len(inputs), tuple(slots), tuple(steps), tuple(returned)))
        except TypeError:  # a list among the settings
            steps = [(primitive, refs, freeze(params), *rest) for primitive, refs, params, *rest in steps]
            try:
                self.key = Key((len(inputs), tuple(slots), tuple(steps), tuple(returned)))
            except TypeError as error:
                raise UnsupportedFunction(
                    f"{name}: a setting of an operation cannot be part of a structure: {error}",
                    hint="leave out sparse=, which takes the dense way",
                ) from None

    @property
    def value(self) -> Any:
        """The function's result, as plain arrays in its own structure."""
        return tree.unflatten(self.output_tree, self.outputs)

    def program(self, dynamic: Sequence[int]) -> Program:
        """Return the Program of inputs and of the captures named in `dynamic`; the others stay captured."""
        n = len(self.inputs)
        dynamic = list(dynamic)
        moving = set(dynamic)
        fixed = [i for i in range(len(self.captures)) if i not in moving]
        place = {i: n + k for k, i in enumerate(dynamic)}
        place.update({i: n + len(dynamic) + k for k, i in enumerate(fixed)})
        shift = len(self.captures)

        def number(ref: int) -> int:
            return place[-1 - ref] if ref < 0 else ref if ref < n else ref + shift

        _, _, steps, returned = self.key.parts
        return Program(
            [
                *(Slot(array.shape, array.dtype) for array in self.inputs),
                *(Slot.of(self.captures[i]) for i in dynamic),
            ],
            [self.captures[i] for i in fixed],
            [
                Step(primitive, tuple(map(number, refs)), freeze(dict(params)), Slot(shape, dtype))
                for primitive, refs, params, shape, dtype in steps
            ],
            [number(ref) for ref in returned],
        )


def is_scalar(value: Any) -> bool:
    """Whether a captured value is one number, which a plan may take as part of the structure."""
    return isinstance(value, int | float | complex | np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)


def same_scalar(a: Any, b: Any) -> bool:
    """Whether two numbers are the same, NaN included."""
    return type(a) is type(b) and (a == b or (a != a and b != b))


def _capture_slot(value: Any) -> Any:
    kind = type(value)
    if kind is float or kind is int or kind is complex or kind is bool:
        return kind
    slot = Slot.of(value)
    return slot.shape, slot.dtype


def _has_line(out: Any) -> bool:
    return isinstance(out, Traced) and out._line is not None


def _not_tracked(value: Any, name: str) -> None:
    if not isinstance(value, Traced) or not is_tracked(value):
        return
    if value._data is None:
        raise TraceLost(
            f"{name}: a sparse result was asked for at a tensor without a value, inside of vmap or another trace",
            why="a scipy.sparse array carries numbers only",
            hint="leave out sparse=, or a loop instead of vmap",
        )
    recorder = current()
    if recorder is not None and recorder.guards is not None:
        raise TraceLost(
            f"{name}: a sparse result was asked for inside of a function that jit records",
            why="a scipy.sparse array carries numbers only, so it cannot be part of the compiled code",
            hint="leave out sparse=, or compile the sparse derivative alone: wengert.jit(wengert.jacobian(f, sparse=True))",
        )
    raise TraceLost(
        f"{name}: a sparse result was asked for at a tensor that an enclosing derivative tracks",
        why="a scipy.sparse array carries numbers only, so the enclosing derivative would be lost",
        hint="leave out sparse=, or pass x.numpy() if the enclosing derivative is not wanted",
    )


def _outer(name: str) -> TraceLost:
    return TraceLost(
        f"{name}: the function reads a tensor that an enclosing derivative tracks",
        why="a scipy.sparse array carries numbers only, so the enclosing derivative would be lost",
        hint="leave out sparse=, or use the tensor's .numpy() inside the function",
    )


def _output_data(out: Any, name: str) -> np.ndarray:
    if isinstance(out, Traced):
        return np.asarray(out._data)
    if isinstance(out, np.ndarray | np.generic | int | float | complex) and np.asarray(out).dtype != object:
        return np.asarray(out)
    raise StructureError(
        f"{name}: the function returned {type(out).__name__}, which is neither an array nor a structure of arrays",
        hint="return arrays, or use has_aux=True for other results",
    )
