"""Primitives that only pass values on: an alias of a value in an inner recording, one output out of several."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .base import Primitive, dtype_of, reads_nothing, result_dtype, shape_of
from .indexing import linear

alias: Primitive = linear(
    "alias",
    lambda x: x,
    transpose=lambda ct, x: ct,
    abstract=lambda x: (shape_of(x), result_dtype(x)),
    batch=lambda size, batched, x: x,
    family="structural",
)
"""The same value as a fresh line: the input of an inner derivative, so that two derivatives never mix."""

watch: Primitive = linear(
    "watch",
    lambda x: x,
    transpose=lambda ct, x: ct,
    abstract=lambda x: (shape_of(x), result_dtype(x)),
    batch=lambda size, batched, x: x,
    family="structural",
)
"""The same value as a fresh line from which on a tape watches it: only what is done with it later counts there."""

stop_gradient: Primitive = Primitive(
    "stop_gradient",
    lambda x: x,
    abstract=lambda x: (shape_of(x), result_dtype(x)),
    vjp=None,
    jvp=None,
    batch=lambda size, batched, x: stop_gradient(x),
    reads=reads_nothing,
    family="structural",
)
"""The value with a derivative that is exactly zero."""


class Partial:
    """The cotangent of one output of a primitive that has several."""

    __slots__ = ("position", "value")

    def __init__(self, position: int, value: Any) -> None:
        self.position = position
        self.value = value

    def add_to(self, cotangents: dict[Any, Any], line: Any) -> None:
        """Add the value to the cotangents of a line with several results."""
        parts = cotangents.setdefault(line, [None] * len(line.shape))
        known = parts[self.position]
        parts[self.position] = self.value if known is None else known + self.value


class Deferred:
    """Tangents of a primitive with several outputs, each computed when it is first picked.

    A tangent that does not exist (of an eigenvector, where eigenvalues coincide) raises only if it is used.
    """

    __slots__ = ("rules", "values")

    def __init__(self, *rules: Callable[[], Any]) -> None:
        self.rules = rules
        self.values: dict[int, Any] = {}

    def __getitem__(self, position: int) -> Any:
        if position not in self.values:
            self.values[position] = self.rules[position]()
        return self.values[position]


def _pick_jvp(tangents: Any, _out: Any, _x: Any, position: int) -> Any:
    return tangents[0][position]


pick: Primitive = Primitive(
    "pick",
    lambda x, position: x[position],
    abstract=lambda x, position: (x.shape[position], x.dtype[position]),
    vjp=lambda ct, _out, x, needs, position: (Partial(position, ct),),
    jvp=_pick_jvp,
    batch=lambda size, batched, x, position: pick(x, position=position),
    reads=reads_nothing,
    family="structural",
)
"""One result of a primitive that has several (`eigh`, `svd`, `scan`, ...)."""

constant = Primitive(
    "constant",
    lambda value: value,
    abstract=lambda value: (shape_of(value), dtype_of(value)),
    vjp=None,
    jvp=None,
    batch=lambda size, batched, value: value,
    reads=reads_nothing,
    family="structural",
)
"""A Python number in a Program that captures nothing."""


def _unit_seeds(shape: tuple[int, ...], start: int, stop: int, dtype: Any) -> Any:
    n = prod(shape)
    seeds = np.zeros((stop - start, n), dtype)
    seeds[np.arange(stop - start), np.arange(start, stop)] = 1
    return seeds.reshape((stop - start, *shape))


unit_seeds: Primitive = Primitive(
    "unit_seeds",
    _unit_seeds,
    abstract=lambda shape, start, stop, dtype: ((stop - start, *shape), np.dtype(dtype)),
    vjp=None,
    jvp=None,
    batch=lambda size, batched, **params: unit_seeds(**params),
    reads=reads_nothing,
    family="structural",
)
"""Seeds number start to stop of the standard basis. Its zeros are structural: compiled code skips their products."""
