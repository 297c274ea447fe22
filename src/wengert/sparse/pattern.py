"""Sparsity patterns from the primitives' own rules, never from values.

A linear Program (a pushforward or a pullback, in which every nonlinear line was already written as products with its
slopes) is walked with one boolean matrix per line: which inputs each element depends on. What is detected is therefore
exactly what differentiation uses: a rule that hides a dependence from its derivative hides it here too, and none can be
missed. Lines without a rule are dense. Patterns are boolean always: nothing cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from ..errors import TooLarge
from ..primitives import indexing as p
from ..program import Program, Step
from .evaluate import Known
from .pattern_lines import FAMILIES, RULES

# Matrices with more entries than this are not built.
LIMIT = 400_000_000


class Rows:
    """Which inputs each element of a value depends on.

    Attributes
    ----------
    matrix : csr_array of bool, or None
        One row per element.
    shared : ndarray or None
        Instead of a matrix: the inputs that every element depends on.
    """

    __slots__ = ("matrix", "shared", "size")

    def __init__(self, size: int, matrix: Any = None, shared: np.ndarray | None = None) -> None:
        self.size = size
        self.matrix = matrix
        self.shared = shared

    def to_matrix(self, width: int) -> Any:
        """Return the boolean matrix."""
        if self.shared is None:
            return self.matrix
        from scipy.sparse import csr_array

        count = len(self.shared)
        if count * self.size > LIMIT:
            raise TooLarge(
                f"the sparsity pattern would have {count * self.size} entries ({count} in each of {self.size} rows)",
                why="every element of some intermediate depends on that many inputs",
                hint="wengert.jvp or wengert.vjp products, or a scipy LinearOperator of the Jacobian",
            )
        indptr = np.arange(0, count * self.size + 1, max(count, 1))[: self.size + 1]
        if count == 0:
            indptr = np.zeros(self.size + 1, np.int64)
        data = np.ones(count * self.size, bool)
        return csr_array((data, np.tile(self.shared, self.size), indptr), shape=(self.size, width))


def detect(
    linear: Program,
    primals: int,
    known: Known,
    columns: Sequence[np.ndarray] | None = None,
    limit: int = LIMIT,
) -> tuple[Any, list[int]]:
    """Return the pattern of a linear Program as a boolean CSR array, and which index arrays it depends on.

    The latter are numbers of values that depend on the inputs: for other values of them the pattern may be another.

    Parameters
    ----------
    linear : Program
        Its first `primals` inputs are values, the others tangents.
    known : Known
        Values of lines that do not depend on a tangent, for index arrays.
    columns : sequence of ndarray of int, optional
        What counts as one input, per element of each tangent; all elements apart if not given.
    limit : int
        Most entries that are looked at for one line.

    Raises
    ------
    TooLarge
        If the pattern has more entries than fit.
    """
    walk = _Walk(linear, primals, known, columns, limit=limit)
    return walk.matrix(), sorted(walk.indexed)


def dependence(
    linear: Program, primals: int, known: Known, columns: Sequence[np.ndarray]
) -> tuple[list[Rows], list[int]]:
    """Return for each output which inputs (numbered by `columns`) its elements depend on, without building a matrix.

    The second result is as for `detect`.
    """
    walk = _Walk(linear, primals, known, columns)
    return walk.outputs(), sorted(walk.indexed)


class _Walk:
    def __init__(
        self,
        linear: Program,
        primals: int,
        known: Known,
        columns: Sequence[np.ndarray] | None,
        width: int | None = None,
        limit: int = LIMIT,
    ) -> None:
        from scipy import sparse

        self.limit = limit

        self.sparse = sparse
        self.linear = linear
        self.primals = primals
        self.known = known
        slots = linear.inputs[primals:]
        if columns is None:
            starts = np.cumsum([0, *(prod(slot.shape) for slot in slots)])
            columns = [np.arange(a, b) for a, b in pairwise(starts)]
        self.columns = columns
        self.width = 1 + max((int(c.max()) for c in columns if c.size), default=-1) if width is None else width
        self.rows: dict[int, Any] = {}  # Rows, or a list of Rows (or None) for a line with several results
        self.indexed: set[int] = set()

    def outputs(self, empty: bool = True) -> list[Any]:
        """Walk the Program; return the rows of its outputs.

        One that depends on nothing has an empty matrix, or is None if `empty` is false.
        """
        linear = self.linear
        for i, places in enumerate(self.columns):
            places = np.ravel(places)
            count = len(places)
            matrix = self.sparse.csr_array(
                (np.ones(count, bool), places, np.arange(count + 1)), shape=(count, self.width)
            )
            self.rows[self.primals + i] = Rows(count, matrix)
        first = len(linear.inputs) + len(linear.captures)
        uses = linear.last_uses()
        for position, step in enumerate(linear.steps):
            if any(a in self.rows for a in step.args):
                found = self._step(step)
                if found is not None:
                    self.rows[first + position] = found
            for dead in uses.get(position, ()):
                self.rows.pop(dead, None)
        found = [self.rows.get(output) for output in linear.outputs]
        if not empty:
            return found
        return [
            Rows(size, self.sparse.csr_array((size, self.width), dtype=bool)) if rows is None else rows
            for rows, size in zip(found, (prod(linear.slot(o).shape) for o in linear.outputs), strict=True)
        ]

    def matrix(self) -> Any:
        """Return the pattern of all outputs as one matrix."""
        parts = [rows.to_matrix(self.width) for rows in self.outputs()]
        result = parts[0] if len(parts) == 1 else self.sparse.csr_array(self.sparse.vstack(parts, format="csr"))
        result.sum_duplicates()
        result.sort_indices()
        return result

    # ------------------------------------------------------------ rules

    def _step(self, step: Step) -> Any:
        primitive = step.primitive
        if primitive.pattern is not None and not isinstance(step.slot.dtype, tuple):
            return self._declared(step)
        if primitive.family == "elementwise":
            return self._elementwise(step)
        rule = _RULES.get(primitive.name) or RULES.get(primitive.name) or FAMILIES.get(primitive.family)
        if rule is not None:
            return rule(self, step)
        if primitive.family == "reindexing":
            return self._gather(step)
        return self.dense(step)

    def shape(self, number: int) -> tuple[int, ...]:
        return self.linear.slot(number).shape

    def static(self, number: int) -> Any:
        n = len(self.linear.inputs)
        if not n <= number < n + len(self.linear.captures):
            self.indexed.add(number)
        return self.known(number)

    def take(self, rows: Rows, places: np.ndarray) -> Rows:
        """Return the rows at these places; a place of -1 depends on nothing."""
        places = np.ravel(places)
        missing = places < 0
        if rows.shared is not None and not missing.any():
            return Rows(len(places), shared=rows.shared)
        matrix = rows.to_matrix(self.width)
        if len(places) == rows.size and np.array_equal(places, np.arange(rows.size)):
            return Rows(rows.size, matrix)
        if not missing.any():
            if len(places) > 4 * rows.size and int(np.diff(matrix.indptr)[places].sum()) > LIMIT // 8:
                return Rows(len(places), shared=np.unique(matrix.indices))  # near dense: the union is as good
            return Rows(len(places), matrix[places])
        present = np.flatnonzero(~missing)
        keep = np.zeros(len(places) + 1, np.int64)
        keep[1:] = np.cumsum(~missing)
        picker = self.sparse.csr_array(
            (np.ones(len(present), bool), places[present], keep), shape=(len(places), rows.size)
        )
        return Rows(len(places), picker @ matrix)

    def union(self, parts: Sequence[Rows]) -> Rows | None:
        """Return the element by element union."""
        parts = [part for part in parts if part is not None]
        if not parts:
            return None
        result = parts[0]
        for part in parts[1:]:
            if part.matrix is not None and part.matrix is result.matrix:
                continue
            if part.shared is not None and result.shared is not None:
                result = Rows(result.size, shared=np.union1d(part.shared, result.shared))
                continue
            everything = [x for x in (part, result) if x.shared is not None and len(x.shared) == self.width]
            if everything:
                result = everything[0]
                continue
            shared = [x.shared for x in (part, result) if x.shared is not None]
            if shared and len(shared[0]) * result.size > LIMIT // 8:  # near dense: the union of all is as good
                used = [x.shared if x.shared is not None else np.unique(x.matrix.indices) for x in (part, result)]
                result = Rows(result.size, shared=np.union1d(*used))
                continue
            result = Rows(result.size, result.to_matrix(self.width) + part.to_matrix(self.width))
        return result

    def group(self, rows: Rows, places: np.ndarray, groups: np.ndarray, count: int) -> Rows:
        """Return, for each of `count` groups, the union of its members `rows[places]`."""
        places, groups = np.ravel(places), np.ravel(groups)
        if rows.shared is not None:
            present = np.zeros(count, bool)
            present[groups] = True
            if present.all():
                return Rows(count, shared=rows.shared)
        matrix = rows.to_matrix(self.width)
        if self.limit < LIMIT and int(np.diff(matrix.indptr)[places].sum()) > self.limit:
            raise TooLarge(f"a line's pattern has more than {self.limit} entries")
        gather = self.sparse.csr_array(
            (np.ones(len(places), bool), (groups, places)), shape=(count, rows.size), dtype=bool
        )
        return Rows(count, gather @ matrix)

    def _declared(self, step: Step) -> Rows | None:
        """Ask the primitive: `pattern(active, *shapes, out_shape, **params)` gives (groups, places) per argument.

        Each pair lists which elements of the argument the elements of the result depend on; None is all on all.
        """
        shapes = [self.shape(a) for a in step.args]
        found = step.primitive.pattern(  # type: ignore[misc]
            [a in self.rows for a in step.args], *shapes, out_shape=step.slot.shape, **dict(step.params)
        )
        parts: list[Rows] = []
        for a, pairs in zip(step.args, found, strict=True):
            if a not in self.rows:
                continue
            if pairs is None:
                parts.append(self._all_on_all(self.rows[a], prod(step.slot.shape)))
            else:
                groups, places = pairs
                parts.append(self.group(self.rows[a], places, groups, prod(step.slot.shape)))
        return self.union(parts)

    def _elementwise(self, step: Step) -> Rows | None:
        primitive: Any = step.primitive
        shape = step.slot.shape
        parts = []
        for i, a in enumerate(step.args):
            if a not in self.rows:
                continue
            partial = primitive.partials[i]
            inexact = np.dtype(self.linear.slot(a).dtype).kind == "c" and primitive.wirtinger is not None
            if not inexact and (partial is None or (not callable(partial) and partial == 0)):
                continue
            mask = self._constant(step.args[0]) if primitive.name == "where" else None
            if mask is not None:
                places = np.broadcast_to(np.arange(prod(self.shape(a))).reshape(self.shape(a)), shape)
                parts.append(self.take(self.rows[a], np.where(mask if i == 1 else ~mask, places, -1)))
            else:
                parts.append(self._spread(a, shape))
        return self.union(parts)

    def _constant(self, number: int) -> Any:
        """Return a captured mask, or None for a value that may change."""
        n = len(self.linear.inputs)
        if not n <= number < n + len(self.linear.captures):
            return None
        value = np.asarray(self.linear.captures[number - n])
        return value if value.dtype == bool else None

    def _spread(self, a: int, shape: tuple[int, ...]) -> Rows:
        mine = self.shape(a)
        if mine == shape:
            return self.rows[a]
        places = np.broadcast_to(np.arange(prod(mine)).reshape(mine), shape)
        return self.take(self.rows[a], places)

    def _gather(self, step: Step) -> Rows | None:
        """A reindexing: run its own map on element numbers, one up; what was 0 comes from elsewhere."""
        arrays: list[Any] = []
        offset = 1
        stacked = []
        data = _data_arguments(step)
        for i, a in enumerate(step.args):
            shape = self.shape(a)
            if i >= data:
                arrays.append(self.static(a))
            elif a in self.rows:
                arrays.append(np.arange(offset, offset + prod(shape)).reshape(shape))
                offset += prod(shape)
                stacked.append(self.rows[a])
            else:
                arrays.append(np.zeros(shape, np.int64))
        places = np.asarray(step.primitive.evaluate(*arrays, **dict(step.params))) - 1
        if len(stacked) == 1:
            return self.take(stacked[0], places)
        matrix = self.sparse.csr_array(
            self.sparse.vstack([rows.to_matrix(self.width) for rows in stacked], format="csr")
        )
        return self.take(Rows(offset - 1, matrix), places)

    def _index_add(self, step: Step) -> Rows | None:
        a, params = step.args[0], dict(step.params)
        arrays = [self.static(b) for b in step.args[1:]]
        shape = params["shape"]
        targets = np.arange(prod(shape)).reshape(shape)[p.real_index(params["spec"], arrays)]
        return self.group(self.rows[a], np.arange(prod(self.shape(a))), targets, prod(shape))

    def _reduce(self, step: Step) -> Rows | None:
        a, axis = step.args[0], dict(step.params)["axis"]
        shape = self.shape(a)
        kept = tuple(1 if i in axis else n for i, n in enumerate(shape))
        count = prod(kept)
        targets = np.broadcast_to(np.arange(count).reshape(kept), shape)
        return self.group(self.rows[a], np.arange(prod(shape)), targets, count)

    def _running(self, step: Step) -> Rows | None:
        """Each element depends on those before it along the axis."""
        a, axis = step.args[0], dict(step.params)["axis"]
        shape = self.shape(a)
        n = shape[axis] if shape else 1
        if n * prod(shape) > LIMIT // 8:
            return self._all_on_all(self.rows[a], prod(shape))
        places = np.moveaxis(np.arange(prod(shape)).reshape(shape), axis, -1).reshape(-1, n)
        target, source = np.tril_indices(n)
        return self.group(self.rows[a], places[:, source], places[:, target], prod(shape))

    def _contract(self, step: Step) -> Rows | None:
        params = dict(step.params)
        parts = []
        for a, labels in zip(step.args, (params["a"], params["b"]), strict=True):
            if a not in self.rows:
                continue
            shape, out = self.shape(a), params["out"]
            kept = tuple(n if i in out else 1 for i, n in zip(labels, shape, strict=True))
            count = prod(kept)
            line = np.broadcast_to(np.arange(count).reshape(kept), shape)
            grouped = self.rows[a] if kept == shape else self.group(self.rows[a], np.arange(prod(shape)), line, count)
            mine = [i for i in labels if i in out]
            sizes = dict(zip(labels, shape, strict=True))
            order = np.arange(count).reshape(tuple(sizes[i] for i in mine))
            order = order.transpose([mine.index(i) for i in out if i in mine])
            unit = tuple(sizes[i] if i in mine else 1 for i in out)
            parts.append(self.take(grouped, np.broadcast_to(order.reshape(unit), step.slot.shape)))
        return self.union(parts)

    def _pass_on(self, step: Step) -> Rows | None:
        return self.rows.get(step.args[0])

    def _all_on_all(self, rows: Rows, count: int) -> Rows:
        used = rows.shared if rows.shared is not None else np.unique(rows.matrix.indices)
        return Rows(count, shared=used)

    def dense(self, step: Step) -> Any:
        """Every element depends on everything that the line reads."""
        several = isinstance(step.slot.dtype, tuple)
        shapes = step.slot.shape if several else (step.slot.shape,)
        used = [row for a in step.args for row in self._parts(a)]
        found = [self.union([self._all_on_all(row, prod(shape)) for row in used]) for shape in shapes]
        return found if several else found[0]

    def _parts(self, a: int) -> list[Rows]:
        rows = self.rows.get(a)
        return [row for row in rows if row is not None] if isinstance(rows, list) else [] if rows is None else [rows]

    def _pick(self, step: Step) -> Rows | None:
        return self.rows[step.args[0]][dict(step.params)["position"]]

    def _pack(self, step: Step) -> list[Any]:
        return [self.rows.get(a) for a in step.args]

    def stacked(self, parts: Sequence[Any], size: int) -> Rows | None:
        """Return the rows of values one after the other; each has `size` elements, or is None."""
        if all(part is None for part in parts):
            return None
        none = self.sparse.csr_array((size, self.width), dtype=bool)
        matrices = [none if part is None else part.to_matrix(self.width) for part in parts]
        return Rows(size * len(parts), self.sparse.csr_array(self.sparse.vstack(matrices, format="csr")))

    def same(self, a: Any, b: Any) -> bool:
        """Whether two values depend on the same inputs."""
        if a is None or b is None:
            return a is b
        if a.shared is not None and b.shared is not None:
            return bool(np.array_equal(a.shared, b.shared))
        x, y = a.to_matrix(self.width), b.to_matrix(self.width)
        return x.nnz == y.nnz and (x != y).nnz == 0


def _data_arguments(step: Step) -> int:
    """How many leading arguments of a reindexing are data; the rest are index arrays."""
    name = step.primitive.name
    return len(step.args) if name in ("concatenate", "stack") else 2 if name == "index_set" else 1


_RULES: dict[str, Callable[[_Walk, Step], Any]] = {
    "index_add": _Walk._index_add,
    "sum": _Walk._reduce,
    "max": _Walk._reduce,
    "min": _Walk._reduce,
    "prod": _Walk._reduce,
    "cumsum": _Walk._running,
    "cumprod": _Walk._running,
    "contract": _Walk._contract,
    "alias": _Walk._pass_on,
    "watch": _Walk._pass_on,
    "pick": _Walk._pick,
    "pack": _Walk._pack,
}
