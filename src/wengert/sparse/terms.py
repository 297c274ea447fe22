"""The terms of a structured derivative: coefficient arrays on static maps of input positions.

The derivative of a value by all inputs is a short sum of terms. A *full* term says: element i of the value depends on
the input at `columns[i]`, with coefficient `coefficient[i]`; leading axes before the value's own list several inputs.
An *embedded* term belongs to some elements only: entry t is about element `rows[t]` of the value. The maps are integer
arrays known when a plan is made; the coefficients are numbers, or abstract tensors that write the numeric Program.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..primitives import elementwise as e
from ..primitives import indexing as p
from ..primitives.base import Primitive, dtype_of, shape_of
from ..recording import Traced, apply

BOOL = np.dtype(bool)
FULL = (None, None, None)  # the index spec of a whole axis


class NotStructured(Exception):
    """The Program has no structured derivative: an unsupported line, or too many terms. The text says which."""


class Writer:
    """Applies primitives and never writes the same line twice."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}
        self._alive: list[Any] = []

    def __call__(self, primitive: Primitive, *args: Any, **params: Any) -> Any:
        """Return the primitive's result: a tensor that was written now or before, or a value if all is known."""
        if primitive in _ARITHMETIC and len(args) == 2:
            args = _without_fill(args)
            if primitive is not e.add and any(type(a) is float and a == 1.0 for a in args):
                rest = args[0] if type(args[1]) is float else args[1]
                if isinstance(rest, Traced) and rest.dtype.kind in "fc":  # type: ignore[attr-defined]
                    return rest
        names = tuple(map(self._name, args))
        if primitive is e.multiply or primitive is e.add:  # commutative, bit for bit
            names = tuple(sorted(names, key=repr))
        key = (primitive, names, tuple(sorted(params.items())))
        found = self._known.get(key)
        if found is None:
            with np.errstate(all="ignore"):
                found = self._known[key] = apply(primitive, args, params)
            self._alive.append(args)
        return found

    def _name(self, value: Any) -> Any:
        if isinstance(value, Traced):
            return id(value._line) if value._line is not None else id(value)
        if isinstance(value, np.ndarray):
            return ("array", id(value))
        return (type(value), value)


_ARITHMETIC = (e.multiply, e.scale, e.add)


def _without_fill(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Replace a constant array of equal numbers by the number, next to a tensor that has the result's shape."""
    for i in (0, 1):
        value, other = args[i], args[1 - i]
        if not isinstance(value, np.ndarray) or not isinstance(other, Traced) or value.size == 0:
            continue
        if value.dtype != np.float64 or shape_of(other) != np.broadcast_shapes(shape_of(other), value.shape):
            continue
        number = value.flat[0]
        if (value == number).all() and other.dtype == value.dtype:  # type: ignore[attr-defined]
            return (float(number), other) if i == 0 else (other, float(number))
    return args


# ---------------------------------------------------------------- coefficients


class Coefficient:
    """A number plus a weighted sum of tensors; summed up only when it is multiplied by something."""

    __slots__ = ("number", "parts")

    def __init__(self, number: Any = 0.0, parts: tuple[tuple[Any, Any], ...] = ()) -> None:
        self.number = number
        self.parts = parts

    @property
    def constant(self) -> bool:
        """Whether it is one number, known when the plan is made."""
        return not self.parts

    def __add__(self, other: Coefficient) -> Coefficient:
        parts: dict[int, tuple[Any, Any]] = {}
        # A reindexing can make one tensor of two, so the same one may stand twice in either.
        for factor, tensor in (*self.parts, *other.parts):
            known = parts.get(id(tensor))
            parts[id(tensor)] = (factor if known is None else known[0] + factor, tensor)
        return Coefficient(self.number + other.number, tuple(parts.values()))

    def scaled(self, factor: Any) -> Coefficient:
        """Return it times a number."""
        if factor == 1:
            return self
        return Coefficient(self.number * factor, tuple((f * factor, tensor) for f, tensor in self.parts))

    def each(self, function: Any) -> Coefficient:
        """Return the coefficient with a linear function (a reindexing) applied to its tensors."""
        return Coefficient(self.number, tuple((factor, function(tensor)) for factor, tensor in self.parts))

    def collected(self, write: Writer) -> Coefficient:
        """Return it with its tensors summed up: what moves is then moved once."""
        if len(self.parts) < 2:
            return self
        return Coefficient(self.number, ((1.0, Coefficient(0.0, self.parts).total(write)),))

    def total(self, write: Writer) -> Any:
        """Return it as one tensor, or as a number."""
        result = None
        for factor, tensor in self.parts:
            if result is None:
                result = _scaled(write, factor, tensor)
            elif factor == -1:
                result = write(e.subtract, result, tensor)
            else:
                result = write(e.add, result, _scaled(write, factor, tensor))
        if result is None:
            return self.number
        return result if _is_zero(self.number) else write(e.add, result, self.number)

    def times(self, write: Writer, slope: Any) -> Coefficient:
        """Return it times a slope: a number, or a tensor whose shape broadcasts with its own.

        A boolean slope selects. 0 times infinity is 0, as in the elementwise rules.
        """
        if dtype_of(slope) == BOOL:
            if isinstance(slope, bool | np.bool_):
                return self if slope else Coefficient(0.0)
            return Coefficient(0.0, ((1.0, write(e.where, slope, self.total(write), 0.0)),))
        if isinstance(slope, np.ndarray) and slope.size and slope.dtype.kind == "f" and (slope == slope.flat[0]).all():
            slope = float(slope.flat[0])
        if not isinstance(slope, Traced | np.ndarray):
            return self.scaled(slope)
        if self.constant:
            if _is_zero(self.number):
                return self
            return Coefficient(0.0, ((self.number, slope),))
        if len(self.parts) == 1 and _is_zero(self.number):
            factor, tensor = self.parts[0]
        else:
            factor, tensor = 1.0, self.total(write)
        product = write(e.scale, tensor, slope)
        return Coefficient(0.0, ((factor, product),))


def _is_zero(number: Any) -> bool:
    return bool(number == 0)


def _scaled(write: Writer, factor: Any, tensor: Any) -> Any:
    if factor == 1:
        return tensor
    return write(e.negative, tensor) if factor == -1 else write(e.multiply, tensor, factor)


# ---------------------------------------------------------------- terms


class Term:
    """One coefficient on one map.

    Attributes
    ----------
    coefficient : Coefficient
        Its tensors broadcast to the shape of `columns`.
    columns : ndarray of int
        Input positions; -1 where the entry does not exist.
    rows : ndarray of int or None
        None for a full term. Else flat positions in the value, of the shape of `columns`; -1 as above.
    pull : tuple or None
        The reindexing lines that bring an array of the value's shape to the term's; None: gather by `rows`.
    """

    __slots__ = ("coefficient", "columns", "interned", "pull", "rows")

    def __init__(
        self,
        coefficient: Coefficient,
        columns: np.ndarray,
        rows: np.ndarray | None = None,
        pull: tuple[tuple[Primitive, dict[str, Any]], ...] | None = None,
    ) -> None:
        self.coefficient = coefficient
        self.columns = columns
        self.rows = rows
        self.pull = pull
        self.interned = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the maps."""
        return self.columns.shape


class Interner:
    """Keeps one array for every distinct map, so that equal maps are the same object."""

    def __init__(self) -> None:
        self._by_view: dict[Any, np.ndarray] = {}
        self._by_sample: dict[Any, list[np.ndarray]] = {}

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Return the kept array that equals this one."""
        array = np.asarray(array)  # a NumPy scalar has no memory of its own to be told by
        view = (array.__array_interface__["data"][0], array.shape, array.strides)
        found = self._by_view.get(view)
        if found is not None:
            return found
        key = (array.shape, sample(array))
        same = self._by_sample.setdefault(key, [])
        for other in same:
            if np.array_equal(array, other):
                return other
        same.append(array)
        self._by_view[view] = array
        return array


def sample(array: np.ndarray) -> tuple[int, ...]:
    """Return a few elements: arrays that differ there are not equal."""
    n = array.size
    if n == 0:
        return ()
    flat = array.flat
    return tuple(int(flat[i]) for i in {0, n // 3, n // 2, (2 * n) // 3, n - 1})


def merge(terms: Sequence[Term], intern: Interner, write: Writer) -> list[Term]:
    """Add up the terms on equal maps, and full terms whose maps agree wherever both exist."""
    groups: dict[Any, Term] = {}
    for term in terms:
        if not term.interned:
            term.columns = intern(term.columns)
            if term.rows is not None:
                term.rows = intern(term.rows)
            term.interned = True
        key = (id(term.columns), id(term.rows))
        known = groups.get(key)
        if known is None:
            groups[key] = term
        else:
            pull = known.pull if known.pull is not None else term.pull
            groups[key] = Term(known.coefficient + term.coefficient, term.columns, term.rows, pull)
    result = list(groups.values())
    if len(result) > 1:
        partial = [term for term in result if term.rows is None and (term.columns < 0).any()]
        if partial:
            result = _merge_compatible(result, intern, write)
    return result


def _merge_compatible(terms: list[Term], intern: Interner, write: Writer) -> list[Term]:
    """Join full terms that meet at the boundary of a grid: their maps differ only where one of them has no entry."""
    centres: dict[Any, list[Term]] = {}
    result: list[Term] = []
    for term in terms:
        columns = term.columns
        if term.rows is not None or columns.size == 0:
            result.append(term)
            continue
        key = (term.shape, int(columns.flat[columns.size // 2]))
        found = None
        for other in centres.setdefault(key, []):
            both = (columns >= 0) & (other.columns >= 0)
            if np.array_equal(columns[both], other.columns[both]):
                found = other
                break
        if found is None:
            centres[key].append(term)
            continue
        centres[key].remove(found)
        coefficient = _masked(found, write) + _masked(term, write)
        joined = Term(coefficient, intern(np.maximum(columns, found.columns)))
        centres[key].append(joined)
    return result + [term for group in centres.values() for term in group]


def _masked(term: Term, write: Writer) -> Coefficient:
    """Return the coefficient with zeros where the term has no entry: what stands there may be anything."""
    exists = term.columns >= 0
    if exists.all():
        return term.coefficient
    value = term.coefficient.total(write)
    if not isinstance(value, Traced):
        return Coefficient(0.0, ((1.0, np.where(exists, value, 0.0)),))
    return Coefficient(0.0, ((1.0, write(e.where, exists, value, 0.0)),))


# ---------------------------------------------------------------- shapes


def looked_up(table: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return table[places], -1 where the place is -1."""
    return np.where(places < 0, -1, table[places]) if (places < 0).any() else np.asarray(table[places])


def constant_along(array: np.ndarray, axis: int) -> bool:
    """Whether an array has the same elements everywhere along an axis."""
    if array.shape[axis] <= 1 or array.strides[axis] == 0:
        return True
    first = array[(slice(None),) * axis + (slice(0, 1),)]
    return bool((array == first).all())


def moves_everywhere(columns: np.ndarray) -> bool:
    """Whether a map moves along every axis: where it does not, sums add coefficients instead of listing inputs."""
    return columns.size > 0 and not any(n > 1 and constant_along(columns, i) for i, n in enumerate(columns.shape))


def lift(array: Any, old: int, new: int, write: Writer) -> Any:
    """Insert unit axes between an array's leading axes and the value's own, whose number grows from old to new."""
    shape = shape_of(array)
    leading = len(shape) - old
    if new == old or leading <= 0:
        return array
    shape = (*shape[:leading], *(1,) * (new - old), *shape[leading:])
    return array.reshape(shape) if isinstance(array, np.ndarray) else write(p.reshape, array, shape=shape)


def spread_to(tensor: Any, shape: tuple[int, ...], write: Writer) -> Any:
    """Return a tensor broadcast to the shape."""
    return tensor if shape_of(tensor) == shape else write(p.broadcast_to, tensor, shape=shape)


def pack(terms: Sequence[Term], shape: tuple[int, ...], intern: Interner, write: Writer) -> list[Term]:
    """Turn embedded terms into full ones: terms about different elements share one coefficient array."""
    result: list[Term] = []
    pieces: list[tuple[Term, np.ndarray, np.ndarray, np.ndarray]] = []
    size = prod(shape)
    for term in terms:
        if term.rows is None:
            if term.shape != shape or not (term.columns < 0).any():
                result.append(term)
                continue
            rows = np.arange(size).reshape(shape)
        else:
            rows = term.rows
        flat_rows, flat_columns = rows.ravel(), term.columns.ravel()
        here = np.flatnonzero((flat_rows >= 0) & (flat_columns >= 0))
        if not here.size:
            continue
        ranks = _ranks(flat_rows[here])
        for rank in range(int(ranks.max()) + 1) if ranks.max() < 64 else (None,):
            chosen = here if rank is None else here[ranks == rank]
            pieces.append((term, chosen, flat_rows[chosen], flat_columns[chosen]))
            if rank is None:
                result.append(_stacked_ranks(pieces.pop(), ranks, shape, write))
    slots: list[tuple[np.ndarray, list[Any]]] = []
    for piece in pieces:
        slot = next((slot for slot in slots if (slot[0][piece[2]] < 0).all()), None)
        if slot is None:
            slot = (np.full(size, -1, piece[3].dtype), [])
            slots.append(slot)
        slot[0][piece[2]] = piece[3]
        slot[1].append(piece)
    for columns, members in slots:
        coefficient = _joined(members, shape, write)
        result.append(Term(coefficient, intern(columns.reshape(shape))))
    return result


def _ranks(rows: np.ndarray) -> np.ndarray:
    """Return for each entry how many earlier ones have the same row."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(rows)), 0))
    ranks = np.empty(len(rows), np.intp)
    ranks[order] = np.arange(len(rows)) - first
    return ranks


def _joined(members: Sequence[Any], shape: tuple[int, ...], write: Writer) -> Coefficient:
    numbers = [term.coefficient.number for term, *_ in members if term.coefficient.constant]
    if len(numbers) == len(members):
        if all(number == numbers[0] for number in numbers):
            return Coefficient(numbers[0])
        values = np.zeros(prod(shape))
        for term, _, rows, _ in members:
            values[rows] = term.coefficient.number
        return Coefficient(0.0, ((1.0, values.reshape(shape)),))
    if len(members) == 1:
        term, chosen, rows, _ = members[0]
        pull = term.pull
        whole = len(chosen) == prod(term.shape)
        if whole and pull is not None and len(pull) == 1 and pull[0][0] is p.index:
            value = spread_to(term.coefficient.total(write), term.shape, write)
            part = p.layout_of(shape, pull[0][1]["spec"], ())[0]
            if part != term.shape:  # a leading axis of length 1
                value = write(p.reshape, value, shape=part)
            zeros = np.zeros(shape, dtype_of(value))
            return Coefficient(0.0, ((1.0, write(p.index_set, zeros, value, **pull[0][1])),))
        if term.rows is None:
            return term.coefficient
    pool: list[Any] = []
    source = np.zeros(prod(shape), np.intp)
    start = 0
    for term, chosen, rows, _ in members:
        value = term.coefficient.total(write)
        if isinstance(value, Traced | np.ndarray):
            value = write(p.reshape, spread_to(value, term.shape, write), shape=(prod(term.shape),))
        else:
            value = np.full(1, value)
            chosen = np.zeros(len(chosen), np.intp)
        source[rows] = start + chosen
        start += shape_of(value)[0]
        pool.append(value)
    flat = pool[0] if len(pool) == 1 else write(p.concatenate, *pool, axis=0)
    return Coefficient(0.0, ((1.0, write(p.index, flat, source.reshape(shape), spec=(p.ARRAY,))),))


def _stacked_ranks(piece: Any, ranks: np.ndarray, shape: tuple[int, ...], write: Writer) -> Term:
    """Return a full term with a leading axis, for an embedded term with many entries per element."""
    term, chosen, rows, columns = piece
    count, size = int(ranks.max()) + 1, prod(shape)
    places = ranks * size + rows
    new = np.full(count * size, -1, columns.dtype)
    new[places] = columns
    full = (count, *shape)
    value = term.coefficient.total(write)
    if isinstance(value, Traced | np.ndarray):
        flat = write(p.reshape, spread_to(value, term.shape, write), shape=(prod(term.shape),))
        source = np.zeros(count * size, np.intp)
        source[places] = chosen
        value = write(p.index, flat, source.reshape(full), spec=(p.ARRAY,))
        return Term(Coefficient(0.0, ((1.0, value),)), new.reshape(full))
    return Term(Coefficient(value), new.reshape(full))
