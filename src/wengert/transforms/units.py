"""Blocks of seeds that are not written out: rows of the identity, and batched values with a factor still to come.

A Jacobian pushes the identity through linear lines. As long as only elementwise factors meet it, it stays diagonal, and
the first contraction that meets it selects rows instead of multiplying matrices. After that, factors that all seeds
share are gathered in one small array; the block itself is multiplied once, when something else needs it. One number per
seed that meets a shared array is a matrix of rank one. A sum of such blocks is written out once, at the end: the
Hessian of a function with sums and norms in it is a diagonal and a few products of vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.base import broadcast_shape, shape_of
from ..primitives.contraction import contract
from ..primitives.indexing import broadcast_to, index, index_add, reshape, stack, transpose
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
        return self.rows is not None and self.rows is other.rows and type(self) is type(other)

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

    def written_sparsely(self) -> Any:
        """Return the block as an array, by writing only what is not zero."""
        count = prod(self.sample)
        factor = index(reshape(self.full_scale(), shape=(count,)), spec=((self.start, self.stop, None),))
        last = self.start + (self.size - 1) * (count + 1) + 1
        flat = index_add(factor, spec=((self.start, last, count + 1),), shape=(self.size * count,))
        return reshape(flat, shape=self.shape)

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


class Outer(Block):
    """One number per seed, times a factor over a sample: a matrix of rank one."""

    __slots__ = ()

    def matrix(self) -> Any:
        """Return the block as an array."""
        if self._matrix is None:
            rows = reshape(self.rows, shape=(self.size,) + (1,) * len(self.sample))
            product = (e.scale if self.guarded else e.multiply)(rows, self.full_scale())
            self._matrix = product if product.dtype == self.dtype else e.cast(product, dtype=np.dtype(self.dtype))
        return self._matrix

    def again(self, scale: Any, dtype: Any, guarded: bool) -> Outer:
        """Return the same numbers with another factor."""
        return Outer(self.rows, self.size, self.sample, dtype, scale, guarded)

    def is_safe(self) -> bool:
        """Whether numbers and factor may be multiplied as vectors: no infinity that a zero has to cut."""
        if not self.guarded:
            return True
        rows = self.rows._data if isinstance(self.rows, Traced) else self.rows
        return rows is not None and super().is_safe() and bool(np.all(np.isfinite(rows)))

    def reshaped(self, sample: tuple[int, ...]) -> Outer:
        """Return the same numbers over samples of another shape."""
        return Outer(
            self.rows, self.size, sample, self.dtype, reshape(self.full_scale(), shape=sample), self.guarded
        )


class Sum(Block):
    """A sum of blocks: rows of the identity and matrices of rank one."""

    __slots__ = ("terms",)

    def __init__(self, terms: Sequence[Block], dtype: Any) -> None:
        super().__init__(None, terms[0].size, terms[0].sample, dtype)
        self.terms = list(terms)

    def matrix(self) -> Any:
        """Return the sum as an array: all products of vectors at once, and the diagonal added to it."""
        if self._matrix is None:
            outer = [term for term in self.terms if isinstance(term, Outer) and term.is_safe()]
            count = prod(self.sample)
            total = None
            if outer:
                scales = [reshape(term.full_scale(), shape=(count,)) for term in outer]
                product = contract(
                    stack(*(term.rows for term in outer), axis=1), stack(*scales, axis=0), a=(0, 1), b=(1, 2), out=(0, 2)
                )
                total = reshape(product, shape=self.shape)
            for term in self.terms:
                if term not in outer:
                    part = term.written_sparsely() if isinstance(term, Units) else term.matrix()
                    total = part if total is None else total + part
            assert total is not None  # there are terms
            self._matrix = total if total.dtype == self.dtype else e.cast(total, dtype=np.dtype(self.dtype))
        return self._matrix


MOST_TERMS = 16  # of a sum; more of them are written out


def push(
    primitive: Any, args: Sequence[Any], flags: Sequence[bool], params: dict[str, Any], slot: Slot, size: int
) -> Any:
    """Return what a linear primitive makes of blocks without writing them out, or None where they have to be."""
    rule = _RULES.get(primitive.name)
    if rule is None or isinstance(slot.dtype, tuple):
        return None
    places = [i for i, arg in enumerate(args) if isinstance(arg, Sum)]
    if not places or primitive.name in ("add", "subtract"):
        return rule(primitive.name, args, flags, slot, size, **params)
    if sum(flags) != 1:
        return None
    parts = []
    for term in args[places[0]].terms:
        part = rule(primitive.name, [term if i in places else arg for i, arg in enumerate(args)], flags, slot, size, **params)
        if part is None:
            return None
        parts.append(part)
    return _total(parts, slot)


def _total(parts: Sequence[Any], slot: Slot) -> Any:
    """Return the sum of blocks and arrays: a block again if all of them are."""
    if all(isinstance(part, Units | Outer) for part in parts):
        merged: list[Block] = []
        for part in parts:
            for i, known in enumerate(merged):
                if known.shares_rows(part):
                    a, b = (1.0 if block.scale is None else block.scale for block in (known, part))
                    merged[i] = known.again(a + b, slot.dtype, known.guarded or part.guarded)
                    break
            else:
                merged.append(part)
        return merged[0] if len(merged) == 1 else Sum(merged, slot.dtype) if len(merged) <= MOST_TERMS else None
    total = None
    for part in parts:
        array = part.matrix() if isinstance(part, Block) else part
        total = array if total is None else total + array
    return total


def _as_block(arg: Any, slot: Slot, size: int) -> Block | None:
    """Return a batched argument as a block of the result's sample shape, or None if it has another shape."""
    if isinstance(arg, Block):
        if arg.sample == slot.shape:
            return arg
        if prod(arg.sample) != 1:
            return None
        arg = arg.matrix()
    shape = shape_of(arg)
    if _is_one_number(shape, size) and prod(slot.shape) > 1:
        return Outer(arg if shape == (size,) else reshape(arg, shape=(size,)), size, slot.shape, arg.dtype)
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
    if isinstance(block, Sum):
        return Sum([_negative(_name, [term], flags, slot, size) for term in block.terms], slot.dtype)
    scale = -1.0 if block.scale is None else -block.scale
    return block.again(scale, slot.dtype, block.guarded)


def _sum_of_two(name: str, args: Sequence[Any], flags: Sequence[bool], slot: Slot, size: int) -> Any:
    """Add blocks of the same rows: only their factors are added."""
    if not all(flags):
        return None
    blocks = [_as_block(arg, slot, size) for arg in args]
    x, y = blocks
    if x is None or y is None:
        return None
    if not x.shares_rows(y):
        if not all(isinstance(block, Units | Outer | Sum) for block in blocks):
            return None
        if name == "subtract":
            y = _negative("negative", [y], [True], slot, size)
        return _total([term for block in (x, y) for term in _terms(block)], slot)
    a, b = (1.0 if block.scale is None else block.scale for block in (x, y))
    return x.again(a + b if name == "add" else a - b, slot.dtype, x.guarded or y.guarded)


def _terms(block: Block) -> list[Block]:
    return block.terms if isinstance(block, Sum) else [block]


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
    return args[0].reshaped(tuple(shape)) if isinstance(args[0], Units | Outer) else None


def _broadcast(_name: str, args: Sequence[Any], flags: Sequence[bool], slot: Slot, size: int, shape: Any) -> Any:
    """One number per seed for all elements of a sample."""
    block = args[0]
    if not _is_one_number(block.shape if isinstance(block, Block) else shape_of(block), size):
        return None
    return _as_block(block, slot, size)


def _is_one_number(shape: tuple[int, ...], size: int) -> bool:
    """Whether a batched array has one number per seed."""
    return shape[0] == size and prod(shape) == size


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
    if isinstance(block, Outer):
        if not block.is_safe():
            return None
        factor = contract(block.full_scale(), other, a=mine, b=theirs, out=out)
        if not slot.shape:
            return block.rows * factor
        return Outer(block.rows, size, slot.shape, slot.dtype, factor)
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
    if isinstance(block, Outer) and block.is_safe():
        return block.rows * np.sum(block.full_scale())
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
    "broadcast_to": _broadcast,
    "alias": _alias,
    "contract": _contract,
    "sum": _sum,
}
