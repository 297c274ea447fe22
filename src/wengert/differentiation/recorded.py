"""A function recorded at a point: what every functional derivative starts from.

The function runs once. Its inputs are fresh lines, so an inner derivative never mixes with an outer one; what it
reads from outside stays connected to an enclosing recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, DtypeError, ShapeError, StructureError, unmask, user_line
from ..primitives.structural import alias
from ..recording import (
    AMBIENT,
    Hold,
    Line,
    Recorder,
    Traced,
    apply,
    close_window,
    current,
    depends,
    is_tracked,
    leaf,
    open_window,
    wrap,
)
from ..tensor import Tensor
from ..transforms.forward import push_forward
from ..transforms.reverse import backpropagate, fit, gradient


class Window:
    """A stretch of recording. Nested windows share one recorder; the last one to close ends it."""

    __slots__ = ("outermost", "recorder", "sessions")

    recorder: Recorder

    def __enter__(self) -> Window:
        self.recorder, self.sessions = open_window()
        self.outermost = not self.recorder.nested
        return self

    def __exit__(self, *exception: Any) -> None:
        close_window(self.recorder, self.sessions, check=exception[1] is None)
        unmask(exception[1])


def differentiable(value: Any, name: str) -> Any:
    """Return a tensor or floating array for an argument that is to be differentiated.

    Integers become float64. Raises DtypeError for what has no derivative at all.
    """
    if isinstance(value, Traced):
        dtype = value.dtype  # type: ignore[attr-defined]
        if dtype.kind in "fc":
            return value
        if dtype.kind in "iu":
            return value.astype(np.float64)  # type: ignore[attr-defined]
    else:
        array = np.asarray(value)
        if array.dtype.kind in "fc":
            return array
        if array.dtype.kind in "iu":
            return array.astype(np.float64)
        dtype = array.dtype
    raise DtypeError(
        f"{name} has dtype {dtype}, which has no derivative",
        where=user_line(),
        hint="floating, complex or integer numbers (integers become float64)",
    )


def enclosed(values: Sequence[Any]) -> bool:
    """Whether something around (a derivative, a tape, `jit`, `vmap`) may want what is done with these values."""
    return current() not in (None, AMBIENT) or any(isinstance(x, Traced) and is_tracked(x) for x in values)


def enter(value: Any, recorder: Recorder) -> Any:
    """Return a tensor with a fresh line for a differentiable value."""
    if isinstance(value, Traced):
        if is_tracked(value):
            return apply(alias, (value,))
        data, kind = value._data, type(value).family  # type: ignore[attr-defined]
    else:
        data, kind = value, Tensor
    return wrap(kind, data, leaf(data.shape, data.dtype, recorder.sessions[-1]))


class Recorded:
    """The lines between a function's differentiated inputs and its outputs.

    Attributes
    ----------
    inputs : list of Line
        One per differentiated leaf.
    outputs : list
        The function's results: tensors (tracked or not) or arrays.
    input_tree, output_tree : Tree
        Structure of the differentiated arguments and of the result.
    lines : list of Line
        Those between, in order.
    plain : bool
        Whether no argument was a tensor, so that plain arrays go back to the caller.
    """

    __slots__ = (
        "_hold",
        "_lines",
        "_session",
        "aux",
        "input_tree",
        "inputs",
        "output_tree",
        "outputs",
        "plain",
        "wrapper",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        argnums: Sequence[int],
        has_aux: bool = False,
        name: str = "function",
        keep_graph: bool = False,
    ) -> None:
        chosen = [_as_argument(args[i]) for i in argnums]
        values, self.input_tree = tree.flatten(chosen)
        values = [differentiable(value, f"{name}: argument") for value in values]
        self.plain = not any(isinstance(value, Traced) for value in values)
        with Window() as window:
            tensors = [enter(value, window.recorder) for value in values]
            filled = list(args)
            for i, value in zip(argnums, tree.unflatten(self.input_tree, tensors), strict=True):
                filled[i] = value
            self.inputs = [tensor._line for tensor in tensors]
            result = function(*filled, **kwargs)
            self.aux: Any = None
            if has_aux:
                if type(result) is not tuple or len(result) != 2:
                    raise StructureError(
                        f"{name}: with has_aux=True the function returns a pair (result, aux), "
                        f"not {type(result).__name__}"
                    )
                result, self.aux = result
            self.outputs, self.output_tree = tree.flatten(result)
            self.outputs = [_as_output(out, name) for out in self.outputs]
        if has_aux:  # only now is it known what an enclosing derivative still tracks
            self.aux = tree.map_leaves(self._finish_aux, self.aux)
        self._lines: list[Line] | None = None
        self._session = window.recorder.session
        self._hold = None if window.outermost else Hold(window.recorder.sessions)
        abstract = any(isinstance(out, Traced) and out._data is None for out in self.outputs)
        self.wrapper = Tensor if keep_graph or abstract or not window.outermost else None

    def __reduce__(self) -> Any:
        from .restored import saved

        return saved(self)

    def _finish_aux(self, value: Any) -> Any:
        return value._data if isinstance(value, Traced) and self.plain and not _outer(value) else value

    @property
    def lines(self) -> list[Line]:
        """The lines between inputs and outputs, in order of recording."""
        if self._lines is None:
            self._lines = depends([out._line for out in self.outputs if _has_line(out)], self.inputs)
        return self._lines

    def connected(self, out: Any) -> bool:
        """Whether an output depends on the inputs."""
        return _has_line(out) and out._line in self._active()

    def _active(self) -> set[Line]:
        return set(self.lines)

    def value(self) -> Any:
        """Return the function's result as the caller sees it."""
        return tree.unflatten(self.output_tree, [self.finish(out) for out in self.outputs])

    def finish(self, value: Any) -> Any:
        """Return an array to callers who gave arrays, unless the value belongs to an enclosing derivative."""
        if isinstance(value, Traced):
            if self.plain and value._data is not None and not is_tracked(value):
                return writeable(value._data)
            return value
        if self.plain:
            return writeable(value)
        return wrap(Tensor, np.asarray(value))

    # ------------------------------------------------------------ products

    def pull_back(self, cotangents: Sequence[Any]) -> list[Any]:
        """Return one cotangent per input (zeros where nothing arrives) for one cotangent per output."""
        seeds: dict[Line, Any] = {}
        active = self._active()
        for out, cotangent in zip(self.outputs, cotangents, strict=True):
            if cotangent is not None and _has_line(out) and out._line in active:
                known = seeds.get(out._line)
                seeds[out._line] = cotangent if known is None else known + cotangent
        return self._by_input(backpropagate(self.lines, seeds, self.inputs, self.wrapper))

    def gradient(self) -> list[Any]:
        """Return the gradient of a single scalar output by each input. Uses the lines up."""
        out = self.outputs[0]
        if not _has_line(out) or self.wrapper is not None:
            return self.pull_back([np.ones((), _tangent_dtype(out))[()]])
        return self._by_input(gradient(out._line, np.ones((), out.dtype)[()], self.inputs, self._session))

    def _by_input(self, found: dict[Line, Any]) -> list[Any]:
        return [found[line] if line in found else np.zeros(line.shape, line.dtype) for line in self.inputs]

    def push_forward(self, tangents: Sequence[Any]) -> list[Any]:
        """Return one tangent per output for one tangent per input."""
        seeds = {line: t for line, t in zip(self.inputs, tangents, strict=True) if t is not None}
        targets = [out._line for out in self.outputs if _has_line(out)]
        found = push_forward(self.lines, seeds, targets, self.wrapper)
        return [
            found[out._line]
            if _has_line(out) and out._line in found
            else np.zeros(np.shape(out) if not isinstance(out, Traced) else out.shape, _tangent_dtype(out))  # type: ignore[attr-defined]
            for out in self.outputs
        ]


def writeable(value: Any) -> Any:
    """Return an array that its owner may write to: a cotangent may be one number broadcast to a shape."""
    return value.copy() if type(value) is np.ndarray and not value.flags.writeable else value


def _as_argument(value: Any) -> Any:
    """Return a list of plain numbers (nested or not) as the array NumPy would make of it; anything else as it is."""
    if type(value) is list and value:
        leaves, _ = tree.flatten(value)
        if all(type(leaf) in (int, float, complex) for leaf in leaves):
            return np.asarray(value)
    return value


def _outer(value: Traced) -> bool:
    return value._data is None or is_tracked(value)


def _has_line(out: Any) -> bool:
    return isinstance(out, Traced) and out._line is not None


def _tangent_dtype(out: Any) -> np.dtype:
    dtype = out.dtype if hasattr(out, "dtype") else np.asarray(out).dtype
    return dtype if dtype.kind in "fc" else np.dtype(float)


def _as_output(out: Any, name: str) -> Any:
    if isinstance(out, Traced):
        return out
    if isinstance(out, np.ndarray) and out.dtype == object:
        numbers = out.ravel().tolist()
        if all(isinstance(number, np.number | int | float | complex) for number in numbers):
            out = np.array(numbers).reshape(out.shape)  # what is left of an array of tracked numbers without them
    if isinstance(out, np.ndarray | np.generic | int | float | complex) and np.asarray(out).dtype != object:
        return out
    raise StructureError(
        f"{name}: the function returned {type(out).__name__}, which is neither an array nor a structure of arrays",
        hint="return arrays, or use has_aux=True for other results",
    )


def check_seed(seed: Any, like: Any, what: str, space: str) -> Any:
    """Return a cotangent or tangent as an array-like of exactly the shape and dtype of `like`."""
    shape, dtype = like.shape, _tangent_dtype(like)
    if not isinstance(seed, Traced):
        kind = type(seed).__name__
        seed = np.asarray(seed)
        if seed.dtype.kind not in "biufc":
            raise StructureError(f"{what} is a {kind}, but its {space} is an array: it needs the same structure")
    if seed.shape != shape:
        raise ShapeError(
            f"{what} has shape {seed.shape}, but its {space} has shape {shape}",
            why=f"a {what.split()[-2] if ' ' in what else what} lives in the {space}'s own space",
            hint=f"np.broadcast_to(..., {shape})",
        )
    if seed.dtype != dtype:
        if not np.can_cast(seed.dtype, dtype, "same_kind"):
            raise DtypeError(f"{what} has dtype {seed.dtype}, but its {space} has {dtype}")
        seed = seed.astype(dtype)
    return seed


def check_argnums(argnums: Any, count: int, name: str) -> tuple[tuple[int, ...], bool]:
    """Return non-negative argument numbers, and whether a single int was given.

    Raises
    ------
    StructureError
        If `argnums` is not an int or a tuple of ints.
    ArgumentError
        If it is empty, out of range, or names an argument twice.
    """
    single = isinstance(argnums, int) and not isinstance(argnums, bool)
    numbers = (argnums,) if single else argnums
    if not isinstance(numbers, tuple) or not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        raise StructureError(f"{name}: argnums must be an int or a tuple of ints, not {argnums!r}")
    if not numbers:
        raise ArgumentError(f"{name}: argnums is empty", hint="name at least one argument")
    for n in numbers:
        if not -count <= n < count:
            raise ArgumentError(
                f"{name}: argnums has {n}, but the function was called with {count} positional arguments",
                why="keyword arguments are passed on, not differentiated by",
            )
    resolved = tuple(n % count for n in numbers)
    if len(set(resolved)) != len(resolved):
        raise ArgumentError(f"{name}: argnums {argnums!r} names an argument twice")
    return resolved, single


__all__ = ["Recorded", "Window", "check_argnums", "check_seed", "differentiable", "enter", "fit"]
