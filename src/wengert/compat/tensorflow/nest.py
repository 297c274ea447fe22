"""`tf.nest`: nested lists, tuples and dicts. Dicts keep the order of their keys here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import tree
from ...errors import StructureError, user_line
from ._missing import reporter as _reporter


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """Return the leaves from left to right."""
    return tree.flatten(structure)[0]


def pack_sequence_as(structure: Any, flat_sequence: Any, expand_composites: bool = False) -> Any:
    """Return new leaves in the place of those of a structure."""
    shape = tree.flatten(structure)[1]
    if len(flat_sequence) != shape.count:
        raise StructureError(
            f"pack_sequence_as: {len(flat_sequence)} values for a structure of {shape.count} leaves", where=user_line()
        )
    return tree.unflatten(shape, list(flat_sequence))


def map_structure(func: Callable[..., Any], *structure: Any, **_: Any) -> Any:
    """Return the results of a function on corresponding leaves."""
    assert_same_structure(structure[0], *structure[1:])
    columns = [tree.flatten(part)[0] for part in structure]
    return tree.unflatten(tree.flatten(structure[0])[1], [func(*row) for row in zip(*columns, strict=True)])


def assert_same_structure(first: Any, *others: Any, **_: Any) -> None:
    """Raise StructureError unless structures are nested alike."""
    shape = tree.flatten(first)[1]
    for other in others:
        if tree.flatten(other)[1] != shape:
            raise StructureError("the structures are not nested alike", where=user_line())


def is_nested(structure: Any) -> bool:
    """Return whether a value is a list, tuple, dict or the like."""
    return not tree.flatten(structure)[1].is_leaf


__getattr__ = _reporter(__name__, lambda: list(globals()))
