"""What a schedule is made of: entries, and the values that a nest of loops writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .affine import Index, flatten
from .ir import Kind
from .pull import Layout, Node, Puller


class Root:
    """One value that a nest writes.

    Parameters
    ----------
    value : int
        Number of the stored value, or -1 for a check that has none.
    shape : tuple of int
        The domain.
    pull : callable
        `(puller, axes) -> Node`, the element to write.
    place : callable
        `(puller, axes) -> Index`, where.
    reduction : str or None
        How elements of the same place combine; None stores.
    reduced : frozenset of int
        Domain axes that are summed over. A scatter has none: its places repeat in memory.
    ordered : bool
        Whether the elements must be written in C order, one after another.
    scatter : bool
        Whether several elements may have one place in memory.
    plain : bool
        Whether it stores the value's element at the domain's own index, so that others in the nest may use it.
    """

    __slots__ = ("kind", "ordered", "place", "plain", "pull", "reduced", "reduction", "scatter", "shape", "value")

    def __init__(
        self,
        value: int,
        kind: Kind,
        shape: Sequence[int],
        pull: Callable[[Puller, tuple[Index, ...]], Node],
        place: Callable[[Puller, tuple[Index, ...]], Index],
        *,
        reduction: str | None = None,
        reduced: frozenset[int] = frozenset(),
        ordered: bool = False,
        scatter: bool = False,
    ) -> None:
        self.scatter = scatter
        self.plain = False
        self.value = value
        self.kind = kind
        self.shape = tuple(shape)
        self.pull = pull
        self.place = place
        self.reduction = reduction
        self.reduced = reduced
        self.ordered = ordered


class Item:
    """One entry of the schedule: a nest, a matrix product, a sequential scan, or a fill."""

    __slots__ = ("boxes", "kind", "level", "order", "payload", "reads", "roots", "writes")

    def __init__(self, kind: str, level: int, writes: int, reads: set[int]) -> None:
        self.kind = kind
        self.level = level
        self.writes = {writes}
        self.reads = reads
        self.roots: list[Root] = []
        self.boxes: list[Any] = []
        self.payload: Any = None
        self.order = 0


def place_in(layout: Layout) -> Callable[[Puller, tuple[Index, ...]], Index]:
    """Return a root's `place` that writes each element of the domain where a layout has it."""
    return lambda puller, axes: flatten(axes, layout.strides, layout.offset)


def pulls(value: int) -> Callable[[Puller, tuple[Index, ...]], Node]:
    """Return a root's `pull` that reads a value at the domain's own index."""
    return lambda puller, axes: puller.pull(value, axes)


def size_of(shape: Sequence[int]) -> int:
    """Return how many elements a shape has."""
    n = 1
    for extent in shape:
        n *= extent
    return n
