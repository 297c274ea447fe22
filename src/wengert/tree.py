"""Nested structures: flatten to leaves and rebuild. Tuples, lists, dicts, named tuples, dataclasses; None is empty.

Everything else is a leaf. Dict entries keep the order of their keys as inserted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .boxes import OBJECT, unboxed
from .errors import StructureError


class LEAF:
    """Stands for the kind of a structure that is a single leaf."""


class NONE:
    """Stands for the kind of an empty structure, written None."""


class Tree:
    """How a structure was nested: its kind, the keys where it has some, and its children."""

    __slots__ = ("children", "keys", "kind")

    def __init__(self, kind: Any, keys: tuple[Any, ...] = (), children: tuple[Tree, ...] = ()) -> None:
        self.kind = kind
        self.keys = keys
        self.children = children

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Tree)
            and self.kind is other.kind
            and self.keys == other.keys
            and self.children == other.children
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.keys, self.children))

    def __repr__(self) -> str:
        name = getattr(self.kind, "__name__", str(self.kind))
        parts = [f"{key}={child}" for key, child in zip(self.keys, self.children)] or [str(c) for c in self.children]
        return f"{name}({', '.join(parts)})" if parts else name

    def __reduce__(self) -> tuple[Any, ...]:
        return (Tree, (self.kind, self.keys, self.children))

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
_NONE_TREE = Tree(NONE)


def flatten(value: Any) -> tuple[list[Any], Tree]:
    """Return the leaves from left to right, and the structure."""
    leaves: list[Any] = []
    return leaves, _flatten(value, leaves)


@lru_cache(maxsize=4096)
def _branches(kind: Any) -> str:
    """Return how a type nests: as a sequence, a mapping, by named fields, or not at all."""
    if kind is tuple or kind is list:
        return "sequence"
    if issubclass(kind, Mapping):
        return "mapping"
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return "named"
    if hasattr(kind, "__dataclass_fields__"):
        return "dataclass"
    return ""


def _flatten(value: Any, leaves: list[Any]) -> Tree:
    kind: Any = type(value)
    branches = _branches(kind)
    if not branches:
        if value is None:
            return _NONE_TREE
        leaves.append(unboxed(value) if kind is np.ndarray and value.dtype is OBJECT else value)
        return _LEAF_TREE
    if branches == "sequence":
        return Tree(kind, (), tuple([_flatten(part, leaves) for part in value]))
    if branches == "mapping":
        return Tree(kind, tuple(value), tuple([_flatten(part, leaves) for part in value.values()]))
    if branches == "named":
        return Tree(kind, kind._fields, tuple([_flatten(part, leaves) for part in value]))
    names = tuple(kind.__dataclass_fields__)
    return Tree(kind, names, tuple([_flatten(getattr(value, name), leaves) for name in names]))


def unflatten(tree: Tree, leaves: Sequence[Any]) -> Any:
    """Rebuild the structure around new leaves."""
    if tree.kind is LEAF and len(leaves) == 1:
        return leaves[0]
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
    if issubclass(kind, Mapping):
        return kind(zip(tree.keys, parts))
    if issubclass(kind, tuple):
        return kind(*parts)
    return kind(**dict(zip(tree.keys, parts)))


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to every leaf."""
    leaves, tree = flatten(value)
    return unflatten(tree, [function(leaf) for leaf in leaves])
