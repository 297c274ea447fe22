"""Blocks of seeds that are not written out: rows of the identity, and batched values with a factor still to come.

A Jacobian pushes the identity through linear lines. As long as only elementwise factors meet it, it stays diagonal, and
the first contraction that meets it selects rows instead of multiplying matrices. After that, factors that all seeds
share are gathered in one small array; the block itself is multiplied once, when something else needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.base import broadcast_shape, shape_of
from ..primitives.contraction import contract
from ..primitives.indexing import broadcast_to, index, reshape, transpose
from ..primitives.structural import unit_seeds
from ..program import Slot
from ..recording import Traced, apply

Number = (int, float, complex)


class Block:
    """A batched value: `rows` of a sample's shape, times `scale`, which all rows share (None is 1).

    `guarded` says that the factor may be infinite where the rows are zero, which gives zero.
    """

    __slots__ = ("_matrix", "dtype", "guarded", "rows", "sample", "scale", "size")

    def __init__(
        self, rows: Any, size: int, sample: tuple[int, ...], dtype: Any, scale: Any = None, guarded: bool = False
    ) -> None:
        self.rows = rows
        self.size = size
        self.sample = tuple(sample)
        self.dtype = dtype
        self.scale = scale
        self.guarded = guarded
        self._matrix: Any = None

    def __len__(self) -> int:
        return self.size

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the block: the seeds' axis and that of a sample."""
        return (self.size, *self.sample)

    def written(self) -> Any:
        """Return the rows as an array."""
        return self.rows

    def matrix(self) -> Any:
        """Return the block as an array."""
        if self._matrix is None:
            rows = self.written()
            if self.scale is not None:
                rows = (e.scale if self.guarded else e.multiply)(rows, self.scale)
            self._matrix = rows if rows.dtype == self.dtype else e.cast(rows, dtype=np.dtype(self.dtype))
            if type(self) is Block:  # the product takes the place of its factors, whose memory may be needed
                self.rows, self.scale, self.guarded = self._matrix, None, False
        return self._matrix

    def again(self, scale: Any, dtype: Any, guarded: bool) -> Block:
        """Return the same rows with another factor."""
        return Block(self.rows, self.size, self.sample, dtype, scale, guarded)

    def shares_rows(self, other: Block) -> bool:
        """Whether two blocks differ in their factor only."""
        return self.rows is other.rows and type(self) is type(other)

    def full_scale(self) -> Any:
        """Return the factor as an array of the sample's shape."""
        scale = 1.0 if self.scale is None else self.scale
        if isinstance(scale, Number):
            return np.full(self.sample, scale, np.result_type(np.empty((), self.dtype), scale))
        return scale if shape_of(scale) == self.sample else broadcast_to(scale, shape=self.sample)

    def is_safe(self) -> bool:
        """Whether the factor may be moved away from the rows: no infinity that a zero has to cut."""
        if not self.guarded or self.scale is None:
            return True
        scale = self.scale._data if isinstance(self.scale, Traced) else self.scale
        return scale is not None and bool(np.all(np.isfinite(scale)))


class Units(Block):
    """Rows start to stop of the identity over samples of a shape, times a factor."""

    __slots__ = ("start", "stop")

    def __init__(
        self, sample: tuple[int, ...], start: int, stop: int, dtype: Any, scale: Any = None, guarded: bool = False
    ) -> None:
        super().__init__(None, stop - start, sample, np.dtype(dtype), scale, guarded)
        self.start = start
        self.stop = stop

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells one block of seeds from another."""
        return ("units", self.sample, self.start, self.stop, self.dtype)

    def written(self) -> Any:
        """Return the rows as an array."""
        params = {"shape": self.sample, "start": self.start, "stop": self.stop, "dtype": np.dtype(self.dtype)}
        return apply(unit_seeds, (), params)

    def again(self, scale: Any, dtype: Any, guarded: bool) -> Units:
        """Return the same rows with another factor."""
        return Units(self.sample, self.start, self.stop, dtype, scale, guarded)

    def reshaped(self, sample: tuple[int, ...]) -> Units:
        """Return the same rows over samples of another shape."""
        scale = None if self.scale is None else reshape(self.full_scale(), shape=sample)
        return Units(sample, self.start, self.stop, self.dtype, scale, self.guarded)

    def shares_rows(self, other: Block) -> bool:
        """Whether two blocks differ in their factor only."""
        return isinstance(other, Units) and (self.start, self.stop) == (other.start, other.stop)

    def select(self, values: Any) -> Any:
        """Return entries start to stop of the first axis of an array with one entry per element, times the factor."""
        chosen = index(values, spec=((self.start, self.stop, None),))
        if self.scale is None:
            return chosen
        flat = reshape(self.full_scale(), shape=(prod(self.sample),))
        factor = reshape(
            index(flat, spec=((self.start, self.stop, None),)),
            shape=(self.size,) + (1,) * (len(shape_of(chosen)) - 1),
        )
        return chosen * factor


def push(
    primitive: Any, args: Sequence[Any], flags: Sequence[bool], params: dict[str, Any], slot: Slot, size: int
) -> Any:
    """Return what a linear primitive makes of blocks without writing them out, or None where they have to be."""
    rule = _RULES.get(primitive.name)
    if rule is None or isinstance(slot.dtype, tuple):
        return None
    return rule(primitive.name, args, flags, slot, size, **params)


def _as_block(arg: Any, slot: Slot, size: int) -> Block | None:
    """Return a batched argument as a block of the result's sample shape, or None if it has another shape."""
    if isinstance(arg, Block):
        return arg if arg.sample == slot.shape else None
    shape = shape_of(arg)
    return Block(arg, size, slot.shape, arg.dtype) if shape == (size, *slot.shape) else None


# ---------------------------------------------------------------- rules


def _factor(name: str, args: Sequence[Any], flags: Sequence[bool], slot: Slot, size: int) -> Any:
    """Multiply or divide by something that all seeds share."""
    if sum(flags) != 1 or (name == "divide" and not flags[0]):
        return None
    place = 0 if flags[0] else 1
    block, other = _as_block(args[place], slot, size), args[1 - place]
    if block is None or broadcast_shape(shape_of(other), slot.shape) != slot.shape:
        return None
    guarded = block.guarded or name != "multiply"
    known = block.scale
    if name == "divide":
        scale = e.divide(1.0 if known is None else known, other)
    elif known is None:
        scale = other
    elif isinstance(known, Number) and isinstance(other, Number):
        scale = known * other  # stays a Python number, which does not widen a dtype
    else:
        scale = (e.scale if name == "scale" and not isinstance(known, Number) else e.multiply)(known, other)
    return block.again(scale, slot.dtype, guarded)


def _negative(_name: str, args: Sequence[Any], flags: Sequence[bool], slot: Slot, size: int) -> Any:
    block = _as_block(args[0], slot, size)
    if block is None:
        return None
    scale = -1.0 if block.scale is None else -block.scale
    return block.again(scale, slot.dtype, block.guarded)


def _sum_of_two(name: str, args: Sequence[Any], flags: Sequence[bool], slot: Slot, size: int) -> Any:
    """Add blocks of the same rows: only their factors are added."""
    if not all(flags):
        return None
    blocks = [_as_block(arg, slot, size) for arg in args]
    x, y = blocks
    if x is None or y is None or not x.shares_rows(y):
        return None
    a, b = (1.0 if block.scale is None else block.scale for block in (x, y))
    return x.again(a + b if name == "add" else a - b, slot.dtype, x.guarded or y.guarded)


def _where(_name: str, args: Sequence[Any], flags: Sequence[bool], slot: Slot, size: int) -> Any:
    """Keep the seeds under a mask that they share, or replace them by zero.

    Only rows of the identity: others may hold a NaN that the mask has to cut, which a factor of zero does not.
    """
    if flags[0] or sum(flags) != 1:
        return None
    place = 1 if flags[1] else 2
    other = args[3 - place]
    block = _as_block(args[place], slot, size)
    if not isinstance(block, Units) or not isinstance(other, int | float) or other != 0:
        return None
    if broadcast_shape(shape_of(args[0]), slot.shape) != slot.shape:
        return None
    kept = block.full_scale()
    scale = e.where(args[0], kept, 0) if place == 1 else e.where(args[0], 0, kept)
    return block.again(scale, slot.dtype, True)


def _reshape(_name: str, args: Sequence[Any], flags: Sequence[bool], slot: Slot, size: int, shape: Any) -> Any:
    return args[0].reshaped(tuple(shape)) if isinstance(args[0], Units) else None


def _alias(_name: str, args: Sequence[Any], flags: Sequence[bool], slot: Slot, size: int) -> Any:
    return args[0]


def _contract(
    _name: str, args: Sequence[Any], flags: Sequence[bool], slot: Slot, size: int, a: Any, b: Any, out: Any
) -> Any:
    """Select rows of the other operand, or give it the factor, whichever saves work."""
    if sum(flags) != 1:
        return None
    place = 0 if flags[0] else 1
    block, other = args[place], args[1 - place]
    if not isinstance(block, Block):
        return None
    mine, theirs = (a, b) if place == 0 else (b, a)
    if any(label not in theirs for label in mine):
        return None
    if isinstance(block, Units):
        if any(label in out for label in mine) or len(mine) + len(out) != len(theirs):
            return None
        axes = (*(theirs.index(label) for label in mine), *(theirs.index(label) for label in out))
        moved = other if axes == tuple(range(len(axes))) else transpose(other, axes=axes)
        if len(mine) != 1:
            moved = reshape(moved, shape=(prod(block.sample), *shape_of(moved)[len(mine) :]))
        rows = block.select(moved)
        return rows if rows.dtype == slot.dtype else e.cast(rows, dtype=np.dtype(slot.dtype))
    if block.scale is None or prod(shape_of(other)) > size * prod(block.sample) or not block.is_safe():
        return None
    return contract.batch(
        size,
        flags,
        *((block.rows, _times_labels(other, block, mine, theirs))[:: 1 if place == 0 else -1]),
        a=a,
        b=b,
        out=out,
    )


def _times_labels(other: Any, block: Block, mine: Sequence[int], theirs: Sequence[int]) -> Any:
    """Return an operand times a block's factor, axes matched by their labels."""
    scale = block.full_scale()
    order = tuple(mine.index(label) for label in theirs if label in mine)
    if order != tuple(range(len(order))):
        scale = transpose(scale, axes=order)
    sizes = dict(zip(mine, block.sample, strict=True))
    return e.multiply(other, reshape(scale, shape=tuple(sizes.get(label, 1) for label in theirs)))


def _sum(_name: str, args: Sequence[Any], flags: Sequence[bool], slot: Slot, size: int, axis: Any) -> Any:
    """Sum a block over a whole sample: its rows times its factor."""
    block = args[0]
    if not isinstance(block, Block) or len(axis) != len(block.sample):
        return None
    if isinstance(block, Units):
        return index(reshape(block.full_scale(), shape=(prod(block.sample),)), spec=((block.start, block.stop, None),))
    if block.scale is None or not block.is_safe():
        return None
    labels = tuple(range(1, len(block.sample) + 1))
    found = contract(block.rows, block.full_scale(), a=(0, *labels), b=labels, out=(0,))
    return found if found.dtype == slot.dtype else e.cast(found, dtype=np.dtype(slot.dtype))


_RULES: dict[str, Callable[..., Any]] = {
    "multiply": _factor,
    "scale": _factor,
    "divide": _factor,
    "negative": _negative,
    "add": _sum_of_two,
    "subtract": _sum_of_two,
    "where": _where,
    "reshape": _reshape,
    "alias": _alias,
    "contract": _contract,
    "sum": _sum,
}
