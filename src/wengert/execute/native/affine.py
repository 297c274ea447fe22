"""Index arithmetic of loops: sums of loop variables with constant factors, kept symbolic until code is written.

A reshape, slice or transposition only changes these expressions. Two requests may come up on the way, as exceptions: a
variable has to be split into two (a reshape needs rows and columns apart), or a loop's range has to be cut (a
concatenation changes its source there); the loop nest is then built again on the finer domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class SplitVariable(Exception):
    """A variable must become `outer * factor + inner`."""

    def __init__(self, variable: int, factor: int) -> None:
        super().__init__()
        self.variable, self.factor = variable, factor


class CutVariable(Exception):
    """A variable's range must be cut in two at `position`."""

    def __init__(self, variable: int, position: int) -> None:
        super().__init__()
        self.variable, self.position = variable, position


class NotAffine(Exception):
    """An index map that loops cannot follow; the value before it must be stored first."""


class Index:
    """constant + sum of factor * variable + sum of factor * (loaded index).

    `terms` maps variables to factors, `loads` are pairs of a factor and an opaque hashable that the code writer turns
    into a number (an element of an index array).
    """

    __slots__ = ("_hash", "const", "loads", "terms")

    def __init__(self, const: int, terms: tuple[tuple[int, int], ...] = (), loads: tuple[Any, ...] = ()) -> None:
        self.const = const
        self.terms = terms
        self.loads = loads
        self._hash = hash((const, terms, loads))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Index)
            and self.const == other.const
            and self.terms == other.terms
            and self.loads == other.loads
        )

    def __repr__(self) -> str:
        parts = [f"{c}*v{v}" for v, c in self.terms] + [f"{c}*[{load}]" for c, load in self.loads]
        return " + ".join([*parts, str(self.const)])

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.const + other, self.terms, self.loads) if other else self
        if not other.terms and not other.loads:
            return self + other.const
        if not self.terms and not self.loads:
            return other + self.const
        terms = dict(self.terms)
        for variable, factor in other.terms:
            terms[variable] = terms.get(variable, 0) + factor
        return Index(self.const + other.const, _clean(terms), self.loads + other.loads)

    def __mul__(self, factor: int) -> Index:
        if factor == 1:
            return self
        if factor == 0:
            return NOUGHT
        return Index(
            self.const * factor,
            tuple((v, c * factor) for v, c in self.terms),
            tuple((c * factor, load) for c, load in self.loads),
        )

    def factor(self, variable: int) -> int:
        """Return the factor of a variable."""
        for v, c in self.terms:
            if v == variable:
                return c
        return 0

    @property
    def constant(self) -> bool:
        """Whether no variable and no load occurs."""
        return not self.terms and not self.loads

    def bounds(self, extents: dict[int, int]) -> tuple[int, int]:
        """Return the least and the greatest value; an index with loads has none."""
        if self.loads:
            raise NotAffine
        low = high = self.const
        for variable, factor in self.terms:
            reach = factor * (extents[variable] - 1)
            if reach < 0:
                low += reach
            else:
                high += reach
        return low, high


def _clean(terms: dict[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted((v, c) for v, c in terms.items() if c))


NOUGHT = Index(0)


def variable(number: int) -> Index:
    """Return the index that is one loop variable."""
    return Index(0, ((number, 1),))


def strides_of(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of a C-contiguous array, in elements."""
    strides = []
    stride = 1
    for n in reversed(shape):
        strides.append(stride)
        stride *= n
    return tuple(reversed(strides))


def flatten(index: Sequence[Index], strides: Sequence[int], offset: int = 0) -> Index:
    """Return the position in memory, in elements."""
    total = Index(offset)
    for part, stride in zip(index, strides, strict=True):
        total = total + part * stride
    return total


def unflatten(flat: Index, shape: Sequence[int], extents: dict[int, int]) -> tuple[Index, ...]:
    """Return the index into `shape` whose C-order position is `flat`.

    Raises
    ------
    SplitVariable
        If a variable runs over several axes.
    NotAffine
        If there is no affine answer.
    """
    if flat.loads:
        raise NotAffine
    index: list[Index] = []
    rest = flat
    wanted = [n for n in shape if n != 1]
    strides = strides_of(wanted)
    for n, stride in zip(wanted, strides, strict=True):
        if stride == 1:
            index.append(rest)
            low, high = rest.bounds(extents)
            if low < 0 or high >= n:
                raise NotAffine
            continue
        whole = {v: c // stride for v, c in rest.terms if c % stride == 0}
        part = tuple((v, c) for v, c in rest.terms if c % stride)
        inner = Index(0, part)
        for v, c in part:
            if c > 0 and c * (extents[v] - 1) >= stride:
                if stride % c == 0 and extents[v] % (stride // c) == 0:
                    raise SplitVariable(v, stride // c)
                raise NotAffine
        low, high = inner.bounds(extents)
        quotient, remainder = divmod(rest.const, stride)
        if low + remainder < 0:
            shift = -((low + remainder) // stride)
            quotient -= shift
            remainder += shift * stride
        if high + remainder >= stride or low + remainder < 0:
            raise NotAffine
        outer = Index(quotient, _clean(whole))
        low, high = outer.bounds(extents)
        if low < 0 or high >= n:
            raise NotAffine
        index.append(outer)
        rest = Index(remainder, part)
    if not wanted and not rest.constant:
        raise NotAffine
    remaining = iter(index)
    return tuple(NOUGHT if n == 1 else next(remaining) for n in shape)


class Domain:
    """A box of loop variables and the index of the original axes in terms of them.

    Attributes
    ----------
    extents : dict
        Variable to its number of steps, outermost first.
    axes : tuple of Index
        One per original axis.
    roots : dict
        Variable to the axis it came from.
    """

    __slots__ = ("axes", "extents", "origin")

    def __init__(self, extents: dict[int, int], axes: tuple[Index, ...], origin: dict[int, int]) -> None:
        self.extents = extents
        self.axes = axes
        self.origin = origin

    @classmethod
    def of(cls, shape: Sequence[int]) -> Domain:
        """Return the full domain of a shape; axes of length 1 need no variable."""
        extents, axes, origin = {}, [], {}
        for axis, n in enumerate(shape):
            if n == 1:
                axes.append(NOUGHT)
            else:
                extents[axis] = n
                origin[axis] = axis
                axes.append(variable(axis))
        return cls(extents, tuple(axes), origin)

    def _replace(self, number: int, by: Index) -> tuple[Index, ...]:
        result = []
        for index in self.axes:
            factor = index.factor(number)
            if factor:
                index = Index(index.const, tuple(t for t in index.terms if t[0] != number)) + by * factor
            result.append(index)
        return tuple(result)

    def split(self, request: SplitVariable) -> Domain:
        """Return the domain with one variable as two."""
        number, factor = request.variable, request.factor
        outer, inner = max(self.extents) + 1, max(self.extents) + 2
        extents: dict[int, int] = {}
        origin = dict(self.origin)
        origin[outer] = origin[inner] = self.origin[number]
        for v, n in self.extents.items():
            if v != number:
                extents[v] = n
                continue
            if n // factor > 1:
                extents[outer] = n // factor
            extents[inner] = factor
        by = (variable(outer) * factor if n_steps(extents, outer) else NOUGHT) + variable(inner)
        return Domain(extents, self._replace(number, by), origin)

    def cut(self, request: CutVariable) -> list[Domain]:
        """Return the parts before and after the cut."""
        number, position = request.variable, request.position
        total = self.extents[number]
        parts = []
        for start, stop in ((0, position), (position, total)):
            length = stop - start
            extents = dict(self.extents)
            if length == 1:
                del extents[number]
                parts.append(Domain(extents, self._replace(number, Index(start)), self.origin))
            else:
                extents[number] = length
                parts.append(Domain(extents, self._replace(number, variable(number) + start), self.origin))
        return parts


def n_steps(extents: dict[int, int], number: int) -> bool:
    """Whether a variable is in the domain."""
    return number in extents
