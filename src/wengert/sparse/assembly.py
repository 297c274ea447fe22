"""From coefficient arrays to the values of a sparse matrix, by positions worked out once.

The entries of all terms are sorted into rows and columns when the plan is made; entries on the same place are added.
What is left for each evaluation is one copy of the constant values and one store per coefficient array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .structured import Entry


class Store:
    """How one coefficient array goes into the values.

    Attributes
    ----------
    output : int
        Which array.
    shape : tuple of int
        What it is broadcast to.
    select : slice, ndarray or None
        Which of its elements, flattened, exist.
    places : slice or ndarray
        Where they go.
    how : str
        "set"; "add" where something stands there already; "at" where several of its own elements meet.
    """

    __slots__ = ("how", "output", "places", "select", "shape")

    def __init__(self, output: int, shape: tuple[int, ...], select: Any, places: Any, how: str) -> None:
        self.output = output
        self.shape = shape
        self.select = select
        self.places = places
        self.how = how


class Assembly:
    """The static part of a sparse matrix in CSR form, and how its values are filled in.

    Attributes
    ----------
    shape : (int, int)
    indptr, indices : ndarray
        Of the CSR form; columns are sorted within each row.
    template : ndarray
        The values with all constant entries in place.
    stores : list of Store
    numbers
        The stores by kind, worked out at the first evaluation.
    """

    __slots__ = ("indices", "indptr", "numbers", "shape", "stores", "template")

    def __init__(self, entries: Sequence[Entry], shape: tuple[int, int], dtype: Any, transposed: bool = False) -> None:
        self.shape = shape
        self.numbers: Any = None
        kept: list[tuple[Entry, Any, np.ndarray]] = []
        for entry in entries:
            rows, columns = (entry.columns, entry.rows) if transposed else (entry.rows, entry.columns)
            exists = (rows >= 0) & (columns >= 0)
            select = None
            if not exists.all():
                select = np.flatnonzero(exists)
                rows, columns = rows[select], columns[select]
                if not len(select):
                    continue
            kept.append((entry, select, rows.astype(np.int64) * shape[1] + columns))
        keys = np.concatenate([key for *_, key in kept]) if kept else np.zeros(0, np.int64)
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        new = np.empty(len(keys), bool)
        new[:1] = True
        np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
        unique = ordered[new]
        places = np.empty(len(keys), np.intp)
        places[order] = np.cumsum(new) - 1
        del order, ordered, new
        kind = np.int32 if max(len(unique), *shape) < 2**31 - 1 else np.int64
        self.indices = (unique % max(shape[1], 1)).astype(kind)
        counts = np.bincount(unique // max(shape[1], 1), minlength=shape[0])
        self.indptr = np.concatenate([[0], np.cumsum(counts)]).astype(kind)
        self.template = np.zeros(len(unique), dtype)
        self.stores: list[Store] = []
        taken = np.zeros(len(unique), bool)
        start = 0
        moving = []
        for entry, select, key in kept:
            where = places[start : start + len(key)]
            start += len(key)
            if entry.constant is None:
                moving.append((entry, select, where))
                continue
            values = np.broadcast_to(entry.constant, entry.shape).ravel()
            np.add.at(self.template, where, values if select is None else values[select])
            taken[where] = True
        for entry, select, where in moving:
            assert entry.output is not None
            how = "at" if _repeats(where) else "add" if taken[where].any() else "set"
            places = where if how == "at" else _compact(where)
            self.stores.append(Store(entry.output, entry.shape, _compact(select), places, how))
            taken[where] = True

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return len(self.template)

    def values(self, outputs: Sequence[Any]) -> np.ndarray:
        """Return the values of the CSR form for these coefficient arrays."""
        data = self.template.copy()
        numbers = self.numbers
        if numbers is None:
            numbers = self.numbers = self._numbers()
        if len(numbers[0]):
            data[numbers[0]] = [outputs[i] for i in numbers[1]]
        for store in numbers[2]:
            value = np.asarray(outputs[store.output])
            if value.shape != store.shape:
                if value.size == 1:
                    value = value.reshape(())
                else:
                    value = np.broadcast_to(value, store.shape).reshape(-1)
            elif value.ndim != 1:
                value = value.reshape(-1)
            if store.select is not None and value.ndim:
                value = value[store.select]
            if store.how == "set":
                data[store.places] = value
            elif store.how == "add":
                data[store.places] += value
            else:
                np.add.at(data, store.places, value)
        return data

    def _numbers(self) -> tuple[np.ndarray, list[int], list[Store]]:
        """Return the places and outputs that are single numbers, stored all at once, and the other stores."""
        single = [s for s in self.stores if s.shape == () and s.how == "set" and isinstance(s.places, slice)]
        if len(single) < 3:
            single = []
        mine = set(map(id, single))
        places = np.array([s.places.start for s in single], np.intp)
        return places, [s.output for s in single], [s for s in self.stores if id(s) not in mine]


def _repeats(where: np.ndarray) -> bool:
    if (where[1:] > where[:-1]).all():
        return False
    ordered = np.sort(where)
    return bool((ordered[1:] == ordered[:-1]).any())


def _compact(places: np.ndarray | None) -> Any:
    """Return positions as a slice where they are evenly spaced: storing to a slice is quicker."""
    if places is None or len(places) == 0:
        return places
    first = int(places[0])
    step = int(places[1]) - first if len(places) > 1 else 1
    if step > 0 and (len(places) < 3 or (np.diff(places) == step).all()):
        return slice(first, int(places[-1]) + 1, step)
    return places
