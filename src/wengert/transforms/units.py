"""Unit seeds that are not written out: a block of rows of the identity, perhaps scaled.

A Jacobian pushes the identity through the lines. As long as only elementwise factors meet it, it stays diagonal; the
first contraction that meets it is a selection of rows, not a product of matrices. Everything else gets the matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives.base import broadcast_shape, result_dtype, shape_of
from ..primitives.contraction import contract
from ..primitives.indexing import index, reshape, transpose
from ..primitives.structural import unit_seeds
from ..recording import apply


class Units:
    """Rows start to stop of the identity over samples of a shape, times `scale` (one number per element; None is 1)."""

    __slots__ = ("_matrix", "dtype", "sample", "scale", "start", "stop")

    def __init__(self, sample: tuple[int, ...], start: int, stop: int, dtype: Any, scale: Any = None) -> None:
        self.sample = tuple(sample)
        self.start = start
        self.stop = stop
        self.dtype = np.dtype(dtype)
        self.scale = scale
        self._matrix: Any = None

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the block: the seeds' axis and that of a sample."""
        return (len(self), *self.sample)

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells one block of unscaled seeds from another."""
        return ("units", self.sample, self.start, self.stop, self.dtype)

    def matrix(self) -> Any:
        """Return the block written out."""
        if self._matrix is None:
            params = {"shape": self.sample, "start": self.start, "stop": self.stop, "dtype": self.dtype}
            rows = apply(unit_seeds, (), params)
            self._matrix = rows if self.scale is None else rows * self.scale
        return self._matrix

    def with_scale(self, scale: Any, sample: tuple[int, ...] | None = None) -> Units:
        """Return the same rows with another scale."""
        dtype = self.dtype if scale is None else result_dtype(scale, np.empty((), self.dtype))
        return Units(self.sample if sample is None else sample, self.start, self.stop, dtype, scale)

    def rows_of(self, values: Any) -> Any:
        """Return entries start to stop of the first axis of an array with one entry per element, scaled."""
        chosen = index(values, spec=((self.start, self.stop, None),))
        if self.scale is None:
            return chosen
        factor = index(reshape(self.scale, shape=(prod(self.sample),)), spec=((self.start, self.stop, None),))
        return chosen * reshape(factor, shape=(len(self),) + (1,) * (len(shape_of(chosen)) - 1))


def push(primitive: Any, args: Sequence[Any], flags: Sequence[bool], params: dict[str, Any]) -> Any:
    """Return what a primitive makes of unit seeds without writing them out, or None where they have to be."""
    rule = _RULES.get(primitive.name)
    if rule is None:
        return None
    places = [i for i, arg in enumerate(args) if isinstance(arg, Units)]
    if len(places) != 1 or sum(flags) != 1:
        return None
    return rule(args, places[0], **params)


# ---------------------------------------------------------------- rules: (args, which of them are the seeds) -> result


def _keeps_shape(units: Units, other: Any) -> bool:
    shape = shape_of(other)
    return len(shape) <= len(units.sample) and broadcast_shape(shape, units.sample) == units.sample


def _times(args: Sequence[Any], place: int) -> Any:
    units, other = args[place], args[1 - place]
    if not _keeps_shape(units, other):
        return None
    if units.scale is None:
        return units.with_scale(e.multiply(np.ones(units.sample, units.dtype), other))
    return units.with_scale(e.multiply(units.scale, other))


def _over(args: Sequence[Any], place: int) -> Any:
    units, other = args
    if place != 0 or not _keeps_shape(units, other):
        return None
    top = np.ones(units.sample, units.dtype) if units.scale is None else units.scale
    return units.with_scale(e.divide(top, other))


def _negative(args: Sequence[Any], place: int) -> Any:
    units = args[0]
    return units.with_scale(e.negative(np.ones(units.sample, units.dtype) if units.scale is None else units.scale))


def _where(args: Sequence[Any], place: int) -> Any:
    # A mask over the seeds: they are kept, or replaced by zero.
    condition, other = args[0], args[3 - place]
    if place == 0 or not _keeps_shape(args[place], condition) or not isinstance(other, int | float) or other != 0:
        return None
    units = args[place]
    ones = np.ones(units.sample, units.dtype) if units.scale is None else units.scale
    pair = (ones, 0) if place == 1 else (0, ones)
    return units.with_scale(e.where(condition, *pair))


def _reshape(args: Sequence[Any], place: int, shape: tuple[int, ...]) -> Any:
    units = args[0]
    scale = None if units.scale is None else reshape(units.scale, shape=shape)
    return units.with_scale(scale, tuple(shape))


def _same(args: Sequence[Any], place: int) -> Any:
    return args[0]


def _contract(args: Sequence[Any], place: int, a: Any, b: Any, out: Any) -> Any:
    """Return rows of the other operand, if all axes of the seeds are summed over."""
    units, other = args[place], args[1 - place]
    mine, theirs = (a, b) if place == 0 else (b, a)
    if any(label in out for label in mine) or any(label not in theirs for label in mine):
        return None
    axes = (*(theirs.index(label) for label in mine), *(theirs.index(label) for label in out))
    if len(axes) != len(theirs):
        return None
    moved = other if axes == tuple(range(len(axes))) else transpose(other, axes=axes)
    shape = shape_of(moved)[len(mine) :]
    if len(mine) != 1:
        moved = reshape(moved, shape=(prod(units.sample), *shape))
    rows = units.rows_of(moved)
    dtype = result_dtype(rows, np.empty((), units.dtype))
    return rows if rows.dtype == dtype else e.cast(rows, dtype=dtype)


_RULES: dict[str, Callable[..., Any]] = {
    "multiply": _times,
    "scale": _times,
    "divide": _over,
    "negative": _negative,
    "where": _where,
    "reshape": _reshape,
    "alias": _same,
    "contract": _contract,
}

