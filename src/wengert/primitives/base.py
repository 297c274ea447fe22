"""What a primitive is. A declaration holds everything that is known about one operation, in one place.

Rules are plain functions on array-likes: called with arrays they compute, with tracked tensors they record
(that is higher order), with abstract tensors they write a Program. This module knows nothing of tapes or
transforms.
"""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import LoopWarning, UnsupportedFunction
from ..recording import DISCRETE, NO_PARAMS, Line, Traced, apply

REGISTRY: dict[str, Primitive] = {}

Rule = Callable[..., Any]


class Primitive:
    """One operation that a line may apply.

    Parameters
    ----------
    name : str
        Unique; what a printed Program shows.
    evaluate : callable
        `(*arrays, **params) -> array`, plain NumPy.
    abstract : callable
        `(*args, **params) -> (shape, dtype)`; arguments are anything with a shape and a dtype, or scalars.
    vjp : callable or None
        `(cotangent, out, *args, needs, **params) -> tuple`, a cotangent or None (exactly zero) per argument.
        None for the whole rule: the derivative is exactly zero.
    jvp : callable or None
        `(tangents, out, *args, **params) -> tangent` or None; a tangent of None is exactly zero.
    batch : callable
        `(size, batched, *args, **params) -> result`, where arguments flagged in `batched` and the result have
        one more leading axis of length `size`.
    reads : callable
        `(i, count) -> set`: the arguments (and "out") that the rules read for the derivative by argument `i`.
    register : bool
        Whether Programs may find the primitive by its name; false for one that belongs to a single call.
    """

    __slots__ = (
        "__weakref__",
        "abstract",
        "accumulate",
        "batch",
        "evaluate",
        "family",
        "jvp",
        "kept",
        "kept1",
        "kept2",
        "name",
        "overwrite",
        "partials",
        "pattern",
        "plain",
        "reads",
        "vjp",
    )

    def __init__(
        self,
        name: str,
        evaluate: Callable[..., Any],
        *,
        abstract: Callable[..., Any],
        vjp: Rule | None,
        jvp: Rule | None,
        batch: Rule | None = None,
        reads: Callable[[int, int], set[Any]] | None = None,
        pattern: Rule | None = None,
        family: str = "opaque",
        register: bool = True,
    ) -> None:
        if register and name in REGISTRY:
            raise ValueError(f"primitive {name!r} is declared twice")
        self.name = name
        self.evaluate = evaluate
        self.abstract = abstract
        self.vjp = vjp
        self.jvp = jvp
        self.batch = batch or by_loop(self)
        self.reads = reads or _reads_everything
        self.pattern = pattern
        self.family = family
        # Memos of `what_is_kept`: by (mask, count), and for the quick ways with one and two arguments.
        self.kept: dict[tuple[int, int], Any] = {}
        self.kept1: Any = None
        self.kept2: list[Any] = [None] * 4
        # Elementwise primitives only; see there.
        self.partials: tuple[Any, ...] = ()
        # `(cotangents, line, needs) -> None`: for the eager reverse pass on plain arrays, to add into what is there
        # where `vjp` would have to make arrays of the full size.
        self.accumulate: Callable[..., None] | None = None
        # `evaluate` for a first argument that nobody reads again: it may be written to if its memory is its own.
        self.overwrite: Callable[..., Any] | None = None
        self.plain = False
        if register:
            REGISTRY[name] = self

    def __call__(self, *args: Any, **params: Any) -> Any:
        """Apply to arrays or tensors."""
        for arg in args:
            if isinstance(arg, Traced):
                return apply(self, args, params or NO_PARAMS)
        return self.evaluate(*args, **params)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return (find, (self.name,))

    def what_is_kept(self, mask: int, count: int) -> Any:
        """Return (arguments to drop, whether to keep the result) for a line whose tracked arguments are `mask`."""
        needed: set[Any] = set()
        for i in range(count):
            if mask >> i & 1:
                needed |= self.reads(i, count)
        drop = tuple(i for i in range(count) if mask >> i & 1 and i not in needed)
        self.kept[mask, count] = result = (drop, "out" in needed)
        return result

    def what_is_kept1(self) -> Any:
        """Return the same for a single tracked argument: (keep it, keep the result)."""
        kept = self.what_is_kept(1, 1)
        self.kept1 = DISCRETE if kept is False else (0 not in kept[0], kept[1])
        return self.kept1

    def what_is_kept2(self, mask: int) -> Any:
        """Return the same for two arguments: (keep the first, keep the second, keep the result)."""
        kept = self.what_is_kept(mask, 2)
        self.kept2[mask] = DISCRETE if kept is False else (0 not in kept[0], 1 not in kept[0], kept[1])
        return self.kept2[mask]


def find(name: str) -> Primitive:
    """Return the primitive of that name (used when a Program is loaded or unpickled)."""
    try:
        return REGISTRY[name]
    except KeyError:
        raise UnsupportedFunction(
            f"no primitive is called {name!r}",
            why="a Program can only apply primitives that are declared in this process",
            hint="import the module that declares it first",
        ) from None


def _reads_everything(i: int, count: int) -> set[Any]:
    return {*range(count), "out"}


def reads_nothing(i: int, count: int) -> set[Any]:
    """Say that the rules read no argument: those of linear primitives."""
    return set()


def by_loop(primitive: Primitive) -> Rule:
    """Batch rule of last resort: apply the primitive once per entry and stack."""
    # The primitive keeps this rule; were the rule to keep the primitive as well, one made
    # for a single call would wait for the garbage collector, with everything it holds.
    reference = weakref.ref(primitive)

    def batch(size: int, batched: Sequence[bool], *args: Any, **params: Any) -> Any:
        from .indexing import stack

        primitive = reference()
        assert primitive is not None
        if size == 0:
            one = [np.zeros(arg.shape[1:], arg.dtype) if b else arg for arg, b in zip(args, batched, strict=True)]
            shape, dtype = primitive.abstract(*one, **params)
            if type(dtype) is tuple:
                return tuple(np.zeros((0, *n), kind) for n, kind in zip(shape, dtype, strict=True))
            return np.zeros((0, *shape), dtype)
        warnings.warn(
            f"{primitive.name} has no batch rule and is applied {size} times, once per entry; declare batch=",
            LoopWarning,
            stacklevel=3,
        )
        rows = [
            apply(primitive, [arg[k] if flag else arg for arg, flag in zip(args, batched, strict=True)], params)
            for k in range(size)
        ]
        count = outputs_of(rows[0])
        if count is None:
            return stack(*rows, axis=0)
        return tuple(stack(*(output(row, k) for row in rows), axis=0) for k in range(count))

    batch.loops = True  # type: ignore[attr-defined]
    return batch


def looping() -> list[str]:
    """Return the names of the primitives that have no batch rule of their own."""
    return [name for name, primitive in REGISTRY.items() if getattr(primitive.batch, "loops", False)]


def outputs_of(result: Any) -> int | None:
    """Return how many results a primitive gave, or None for the usual single one."""
    kinds = result
    if isinstance(result, Traced):
        kinds = result._line.dtype if result._data is None else result._data  # type: ignore[union-attr]
    return len(kinds) if type(kinds) is tuple else None


def output(result: Any, position: int) -> Any:
    """Return one of several results."""
    if type(result) is tuple:
        return result[position]
    from .structural import pick

    return pick(result, position=position)


# ---------------------------------------------------------------- shapes and dtypes of arguments


def shape_of(x: Any) -> tuple[int, ...]:
    """Return the shape of an array, tensor, line or Python scalar."""
    try:
        return x.shape
    except AttributeError:
        return np.shape(x)


def dtype_of(x: Any) -> Any:
    """Return the dtype, or the Python type of a scalar, which NumPy's promotion treats as weak."""
    if isinstance(x, Line | np.ndarray | np.generic):
        return x.dtype
    if isinstance(x, Traced):  # not its own `dtype`: a framework's spelling has dtypes of its own
        return x._data.dtype if x._data is not None else x._line.dtype  # type: ignore[union-attr]
    kind = type(x)
    if kind is float or kind is int or kind is complex:
        return kind
    if kind is bool:
        return np.dtype(bool)
    return np.asarray(x).dtype


@lru_cache(maxsize=4096)
def _result_type(dtypes: tuple[Any, ...]) -> np.dtype:
    if all(isinstance(dtype, type) for dtype in dtypes):
        return np.result_type(*dtypes)
    return np.result_type(*(dtype(0) if isinstance(dtype, type) else dtype for dtype in dtypes))


def result_dtype(*args: Any) -> np.dtype:
    """Return NumPy's promoted dtype of arguments."""
    return _result_type(tuple(map(dtype_of, args)))


def floating_dtype(*args: Any) -> np.dtype:
    """Return the promoted dtype of arguments, float64 for integers."""
    dtype = result_dtype(*args)
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the broadcast shape; equal shapes take the quick way."""
    first = shapes[0]
    for shape in shapes:
        if shape != first:
            return np.broadcast_shapes(*shapes)
    return first


def is_complex(x: Any) -> bool:
    """Whether an argument is complex, by its dtype."""
    dtype = dtype_of(x)
    return dtype is complex or (not isinstance(dtype, type) and dtype.kind == "c")


def normalize_axis(axis: int, ndim: int, what: str = "axis") -> int:
    """Return a non-negative axis; out of range is NumPy's own AxisError."""
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim


def normalize_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return sorted non-negative axes for None (all), an int or a sequence."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, int | np.integer):
        return (normalize_axis(int(axis), ndim),)
    axes = tuple(sorted(normalize_axis(int(a), ndim) for a in axis))
    if len(set(axes)) != len(axes):
        raise ValueError("duplicate value in 'axis'")
    return axes
