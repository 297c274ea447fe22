"""One matrix for a structured derivative: which rows and columns belong to which part of the structures.

A `LabelledMatrix` is an array with two axes and names: `J["y", "p"]` is the block of output `y` by argument `p`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError
from ..primitives.indexing import concatenate, reshape
from ..recording import Traced

Path = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the leaves of a structure stand along one axis of a matrix.

    Attributes
    ----------
    paths : tuple of tuple
        For each leaf the keys that lead to it: names of dict entries and fields, positions in tuples and lists.
    shapes : tuple of tuple of int
    """

    paths: tuple[Path, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def starts(self) -> tuple[int, ...]:
        """First row or column of each leaf."""
        sizes = [prod(shape) for shape in self.shapes]
        return tuple(sum(sizes[:i]) for i in range(len(sizes)))

    @property
    def size(self) -> int:
        """Total number of rows or columns."""
        return sum(map(prod, self.shapes))

    def __getitem__(self, label: Any) -> slice:
        """Return the rows or columns of a part: a leaf or a whole branch."""
        return self.find(label)[0]

    def find(self, label: Any) -> tuple[slice, tuple[int, ...] | None]:
        """Return the rows or columns of a part, and its shape if it is one leaf."""
        path = label if isinstance(label, tuple) else (label,)
        hits = [i for i, known in enumerate(self.paths) if known[: len(path)] == path]
        if not hits:
            raise ArgumentError(
                f"the matrix has no part {label!r}",
                hint=f"one of {', '.join(repr(p if len(p) != 1 else p[0]) for p in self.paths)}",
            )
        first, last = hits[0], hits[-1]
        starts = self.starts
        where = slice(starts[first], starts[last] + prod(self.shapes[last]))
        leaf = len(hits) == 1 and len(path) == len(self.paths[first])
        return where, self.shapes[first] if leaf else None


def layout_of(structure: tree.Tree, shapes: Sequence[tuple[int, ...]], names: Sequence[Any] | None = None) -> Layout:
    """Return the layout of a structure's leaves; `names` replace the top level's positions."""
    paths: list[Path] = []

    def walk(node: tree.Tree, path: Path) -> None:
        if node.is_leaf:
            paths.append(path)
        keys: Sequence[Any] = node.keys or range(len(node.children))
        if path == () and names is not None:
            keys = names
        for key, child in zip(keys, node.children, strict=True):
            walk(child, (*path, key))

    walk(structure, ())
    return Layout(tuple(paths), tuple(map(tuple, shapes)))


def _is_label(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, tuple) and len(part) > 0 and not isinstance(part[0], slice))


class LabelledMatrix(np.ndarray):
    """A matrix that knows which part of a structure each row and column belongs to.

    It is an ordinary array otherwise; what is computed from it is an ordinary array or a matrix without labels.

    Attributes
    ----------
    rows, columns : Layout or None

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> f = lambda p: {"y": p["a"] * p["b"], "z": p["b"].sum()}
    >>> J = wg.jacobian(f, as_matrix=True)({"a": np.array(2.0), "b": np.array([1.0, 3.0])})
    >>> J.shape, J["y", "a"]
    ((3, 3), array([1., 3.]))
    >>> J["z", :]
    array([[0., 1., 1.]])
    """

    rows: Layout | None
    columns: Layout | None

    def __array_finalize__(self, source: Any) -> None:
        same = source is not None and getattr(source, "shape", None) == self.shape
        self.rows = getattr(source, "rows", None) if same else None
        self.columns = getattr(source, "columns", None) if same else None

    def __getitem__(self, key: Any) -> Any:
        labelled = (
            isinstance(key, tuple) and len(key) == 2 and (_is_label(key[0]) or _is_label(key[1]))
        ) or isinstance(key, str)
        plain = self.view(np.ndarray)
        if not labelled:
            return plain[key]
        if isinstance(key, str) or self.rows is None or self.columns is None:
            raise ArgumentError(
                f"a labelled matrix is indexed by a row part and a column part, not by {key!r}"
                if self.rows is not None
                else "this matrix has no labels",
                why="" if self.rows is not None else "it was computed from a labelled one",
                hint="J['y', 'p'], J['y', :] or J[:, 'p']",
            )
        row, row_shape = self.rows.find(key[0]) if _is_label(key[0]) else (key[0], None)
        column, column_shape = self.columns.find(key[1]) if _is_label(key[1]) else (key[1], None)
        block = plain[row, column]
        if row_shape is not None and column_shape is not None:
            return block.reshape(row_shape + column_shape)
        return block

    def __reduce__(self) -> Any:
        return (_rebuild, (self.view(np.ndarray), self.rows, self.columns))


def _rebuild(array: np.ndarray, rows: Layout | None, columns: Layout | None) -> LabelledMatrix:
    matrix = array.view(LabelledMatrix)
    matrix.rows, matrix.columns = rows, columns
    return matrix


def assemble(blocks: Sequence[Sequence[Any]], rows: Layout, columns: Layout) -> Any:
    """Return one matrix of blocks shaped `row + column`; with labels, unless an enclosing derivative tracks it."""
    flat = [
        [reshape(block, shape=(prod(a), prod(b))) for block, b in zip(row, columns.shapes, strict=True)]
        for row, a in zip(blocks, rows.shapes, strict=True)
    ]
    joined = [row[0] if len(row) == 1 else concatenate(*row, axis=1) for row in flat]
    matrix = joined[0] if len(joined) == 1 else concatenate(*joined, axis=0)
    if isinstance(matrix, Traced):
        return matrix
    return _rebuild(np.asarray(matrix), rows, columns)
