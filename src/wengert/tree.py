"""Nested structures: flatten to leaves and rebuild. Tuples, lists, dicts, named tuples, dataclasses; None is empty.

Everything else is a leaf. Dict entries keep the order of their keys as inserted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import StructureError

LEAF = object()
NONE = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """How a structure was nested: its kind, the keys where it has some, and its children."""

    kind: Any
    keys: tuple[Any, ...] = ()
    children: tuple[Any, ...] = ()

    @property
    def count(self) -> int:
        """Number of leaves."""
        if self.kind is LEAF:
            return 1
        return sum(child.count for child in self.children)

    @property
    def is_leaf(self) -> bool:
        """Whether the structure is a single leaf."""
        return self.kind is LEAF


_LEAF_TREE = Tree(LEAF)


def flatten(value: Any) -> tuple[list[Any], Tree]:
    """Return the leaves from left to right, and the structure."""
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves)


def _flatten(value: Any, leaves: list[Any]) -> Tree:
    if value is None:
        return Tree(NONE)
    kind = type(value)
    if kind is tuple or kind is list:
        return Tree(kind, (), tuple(_flatten(part, leaves) for part in value))
    if isinstance(value, Mapping):
        return Tree(kind, tuple(value), tuple(_flatten(part, leaves) for part in value.values()))
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return Tree(kind, kind._fields, tuple(_flatten(part, leaves) for part in value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = tuple(field.name for field in dataclasses.fields(value))
        return Tree(kind, names, tuple(_flatten(getattr(value, name), leaves) for name in names))
    leaves.append(value)
    return _LEAF_TREE


def unflatten(tree: Tree, leaves: Sequence[Any]) -> Any:
    """Rebuild the structure around new leaves."""
    remaining = iter(leaves)
    value = _unflatten(tree, remaining)
    if next(remaining, LEAF) is not LEAF:
        raise StructureError(f"the structure has {tree.count} leaves, but more values were given")
    return value


def _unflatten(tree: Tree, leaves: Any) -> Any:
    kind = tree.kind
    if kind is LEAF:
        return next(leaves)
    if kind is NONE:
        return None
    parts = [_unflatten(child, leaves) for child in tree.children]
    if kind is tuple or kind is list:
        return kind(parts)
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return kind(zip(tree.keys, parts, strict=True))
    if issubclass(kind, tuple):
        return kind(*parts)
    return kind(**dict(zip(tree.keys, parts, strict=True)))


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to every leaf."""
    leaves, tree = flatten(value)
    return unflatten(tree, [function(leaf) for leaf in leaves])
