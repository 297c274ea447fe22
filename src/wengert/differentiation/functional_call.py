"""One call of a functional derivative: its inputs as the function gets them, and how results go back to the caller.

What the signatures of `wengert.functional` share: tuples decide the nesting, `create_graph` whether results stay
connected, `strict` whether a derivative may be zero by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..errors import (
    GraphDtypeError,
    GraphError,
    GraphShapeError,
    NotConnected,
    StructureError,
    user_line,
)
from ..modes import Recording
from ..recording import AMBIENT, CLOSED, Line, Traced, current, is_live, is_tracked, leaf, wrap
from ..tensor import Tensor
from ..transforms.reverse import backpropagate
from .recorded import Recorded, Window

_ARRAYS = (Traced, np.ndarray, np.generic)


class Call:
    """One call of a functional derivative: its inputs as the function gets them, and how results go back.

    Attributes
    ----------
    inputs : tuple
        Arrays or tensors; detached from what encloses the call unless `create_graph`.
    single : bool
        Whether the caller gave one input, not a tuple.
    family : type or None
        The tensor class of the results; None for plain arrays.
    """

    __slots__ = ("create_graph", "family", "function", "inputs", "name", "outputs_single", "single", "strict")

    def __init__(self, name: str, function: Any, inputs: Any, create_graph: bool, strict: bool) -> None:
        self.name = name
        if not callable(function):
            raise StructureError(
                f"{name}: the first argument is the function, not {type(function).__name__}",
                hint=f"wengert.functional.{name}(f, x), not wengert.functional.{name}(f(x), x)",
            )
        self.function = function
        self.create_graph = create_graph
        self.strict = strict
        values, self.single = as_tuple(inputs, "the inputs", name)
        self.family = next((type(x).family for x in values if isinstance(x, Traced)), None)  # type: ignore[attr-defined]
        self.inputs = tuple([self._prepare(i, x) for i, x in enumerate(values)])
        self.outputs_single = True

    def _prepare(self, i: int, x: Any) -> Any:
        dtype = x.dtype
        if dtype.kind not in "fc":
            raise GraphDtypeError(
                f"{self.name}: input {i} has dtype {dtype}, which has no derivative",
                where=user_line(),
                hint="x.astype(float), or wengert.jacobian, which takes integers as float64",
            )
        if not isinstance(x, Traced) or x._data is None or self.create_graph:
            return x
        if x._line is not None:
            recorder = current()
            if is_live(x._line, recorder) and x._line.session.live_in is not AMBIENT:
                raise GraphError(
                    f"{self.name}: input {i} is tracked by an enclosing recording, but create_graph is False",
                    where=user_line(),
                    why="the result would be a constant, and the enclosing derivative would come out as zero",
                    hint="create_graph=True, or pass x.numpy() if the result is meant to be a constant",
                )
            return wrap(type(x).family, x._data)  # type: ignore[attr-defined]
        return x

    def window(self) -> Any:
        """Return the context in which the whole call runs."""
        return _Further() if self.create_graph else nullcontext()

    def record(self) -> Recorded:
        """Run the function once on fresh lines."""
        inputs = self.inputs
        if self.create_graph:
            # Leaves of the window around the call, so that what depends on them is recorded until it ends. In the torch
            # spelling results carry their graph whether or not a window is open.
            recorder = current()
            assert recorder is not None  # the window is open
            session = AMBIENT.session if getattr(self.family, "ambient", False) else recorder.sessions[-1]
            inputs = tuple([x if isinstance(x, Traced) and is_tracked(x) else _leaf(x, session) for x in inputs])
        recorded = Recorded(self.checked, inputs, {}, range(len(inputs)), name=self.name)
        if not self.create_graph and not self._abstract(recorded):
            recorded.wrapper = None
        return recorded

    def _abstract(self, recorded: Recorded) -> bool:
        return any(isinstance(out, Traced) and out._data is None for out in recorded.outputs)

    def checked(self, *inputs: Any) -> tuple[Any, ...]:
        """Run the user's function and check what it returns."""
        outputs, self.outputs_single = as_tuple(self.function(*inputs), "the result of the function", self.name)
        if self.strict:
            for i, out in enumerate(outputs):
                if not isinstance(out, Traced) or not is_tracked(out):
                    raise NotConnected(
                        f"{self.name}: output {i} of the function does not depend on its inputs",
                        where=user_line(),
                        why="strict=True allows no derivative that is zero by construction",
                        hint="compute it from the inputs with tensor operations, or strict=False for zeros",
                    )
        return outputs

    # ------------------------------------------------------------ results

    def finish(self, value: Any, seeds: Sequence[Any] = ()) -> Any:
        """Return a result as the caller wants it: array or tensor, with or without its graph."""
        if isinstance(value, Traced):
            data, line = value._data, value._line
        else:
            data, line = value, None
        if data is None:
            return wrap(self.family or Tensor, None, line)
        if line is not None and (not self.create_graph or line.session.live_in is CLOSED):
            line = None
        if not isinstance(data, np.ndarray):
            data = np.asarray(data)
        elif line is None and (not data.flags.writeable or any(data is seed for seed in seeds)):
            data = data.copy()  # a broadcast view, or an array that belongs to somebody else
        if self.family is None and line is None:
            return data
        return wrap(self.family or Tensor, data, line)

    def as_inputs(self, values: Sequence[Any]) -> Any:
        """Nest one value per input as the inputs were."""
        return values[0] if self.single else tuple(values)

    def as_outputs(self, values: Sequence[Any]) -> Any:
        """Nest one value per output as the outputs were."""
        return values[0] if self.outputs_single else tuple(values)

    def connected(self, value: Any) -> bool:
        """Whether a derivative depends on the inputs, so that it can be differentiated further."""
        return isinstance(value, Traced) and is_tracked(value)

    def vector(self, v: Any, likes: Sequence[Any], single: bool, what: str) -> list[Any]:
        """Check the vector of a product against what it belongs to, and cast it."""
        values, _ = as_tuple(v, "v", self.name)
        if len(values) != len(likes):
            raise GraphShapeError(
                f"{self.name}: v has {len(values)} entries, but there are {len(likes)} {what}s",
                hint="one array" if single else f"a tuple of {len(likes)}",
            )
        cast = []
        for i, (value, like) in enumerate(zip(values, likes, strict=True)):
            shape, dtype = like.shape, like.dtype
            if value.shape != shape:
                raise GraphShapeError(
                    f"{self.name}: entry {i} of v has shape {tuple(value.shape)}, but {what} {i} "
                    f"has shape {tuple(shape)}",
                    hint=f"np.broadcast_to(v, {tuple(shape)}) or np.reshape",
                )
            if value.dtype.kind == "c" and dtype.kind != "c":
                raise GraphDtypeError(
                    f"{self.name}: entry {i} of v is {value.dtype}, but {what} {i} is {dtype}",
                    why="a real quantity has no complex direction",
                    hint="v.real",
                )
            if isinstance(value, Traced):
                keep = value._data is None or (self.create_graph and is_tracked(value))
                value = wrap(Tensor, value._data, value._line) if keep else value._data
            cast.append(value if value.dtype == dtype or dtype.kind not in "fc" else value.astype(dtype))
        return cast


class _Further:
    """A window for a result that is to be differentiated further: recording is on, whatever it was."""

    __slots__ = ("_on", "_window")

    def __enter__(self) -> None:
        self._on = Recording(True)
        self._on.__enter__()
        self._window = Window()
        self._window.__enter__()

    def __exit__(self, *exception: Any) -> None:
        self._window.__exit__(*exception)
        self._on.__exit__(*exception)


def _leaf(x: Any, session: Any) -> Any:
    kind, data = (type(x).family, x._data) if isinstance(x, Traced) else (Tensor, x)  # type: ignore[attr-defined]
    return wrap(kind, data, leaf(data.shape, data.dtype, session))


def as_tuple(value: Any, what: str, name: str) -> tuple[tuple[Any, ...], bool]:
    """Return a tuple of arrays, and whether one array was given instead of a tuple."""
    if isinstance(value, _ARRAYS):
        return (value,), True
    if not isinstance(value, tuple):
        raise StructureError(
            f"{name}: {what} must be an array or tensor, or a tuple of them, not {type(value).__name__}",
            where=user_line(),
            hint="a tuple" if isinstance(value, list) else "np.asarray(...) or a tensor",
        )
    for i, part in enumerate(value):
        if not isinstance(part, _ARRAYS):
            raise StructureError(
                f"{name}: entry {i} of {what} must be an array or tensor, not {type(part).__name__}",
                where=user_line(),
            )
    return value, False


def line_of(out: Any) -> Line | None:
    """Return the line of a result, or None for an array."""
    return out._line if isinstance(out, Traced) else None


def pull_back(recorded: Recorded, cotangents: Sequence[Any]) -> list[Any]:
    """Return one cotangent per input, None where nothing arrives."""
    seeds: dict[Line, Any] = {}
    active = set(recorded.lines)
    for out, cotangent in zip(recorded.outputs, cotangents, strict=True):
        line = line_of(out)
        if line is not None and line in active and cotangent is not None:
            seeds[line] = seeds[line] + cotangent if line in seeds else cotangent
    found = backpropagate(recorded.lines, seeds, recorded.inputs, recorded.wrapper)
    return [found.get(line) for line in recorded.inputs]


def zeros_of(line: Line) -> np.ndarray:
    """Return zeros of the shape and dtype of a line."""
    return np.zeros(line.shape, line.dtype)
