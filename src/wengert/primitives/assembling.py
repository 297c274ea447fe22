"""One primitive that fills a flat array from many: what the values of a sparse matrix in CSR form are made by."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .base import Primitive, dtype_of, reads_nothing, result_dtype, shape_of
from .indexing import ARRAY, broadcast_to, index, index_add, index_set, reshape

# A store is (which value, shape it is broadcast to, which of its elements, where they go, how). Elements and places are
# None (all), (start, stop, step), or the number of an index array among the last arguments. How: "set", "add" (on top
# of what is there), or "at" (the same, where several elements meet in one place).
Store = tuple[int, tuple[int, ...], Any, Any, str]


def _parts(args: Sequence[Any], count: int) -> tuple[Any, Sequence[Any], Sequence[Any]]:
    return args[0], args[1 : 1 + count], args[1 + count :]


def _key(part: Any, arrays: Sequence[Any]) -> Any:
    return slice(*part) if isinstance(part, tuple) else arrays[part]


def _evaluate(*args: Any, stores: tuple[Store, ...], count: int) -> Any:
    template, values, arrays = _parts(args, count)
    data = np.array(template)
    for which, shape, select, places, how in stores:
        value = np.broadcast_to(values[which], shape).reshape(-1)
        if select is not None:
            value = value[_key(select, arrays)]
        place = _key(places, arrays)
        if how == "set":
            data[place] = value
        elif how == "add":
            data[place] += value
        else:
            np.add.at(data, place, value)
    return data


def _spec(part: Any, arrays: Sequence[Any], lead: int = 0) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the spec and index arrays that take `part` of axis `lead`."""
    full = ((None, None, None),) * lead
    if isinstance(part, tuple):
        return (*full, part), ()
    return (*full, ARRAY), (arrays[part],)


def _vjp(
    ct: Any, _out: Any, *args: Any, needs: Sequence[bool], stores: tuple[Store, ...], count: int
) -> tuple[Any, ...]:
    _, values, arrays = _parts(args, count)
    found: list[Any] = [None] * len(args)
    rest = ct
    for which, shape, select, places, how in stores:
        spec, where = _spec(places, arrays)
        part = index(ct, *where, spec=spec)
        if needs[1 + which]:
            if select is not None:
                chosen, of = _spec(select, arrays)
                part = index_add(part, *of, spec=chosen, shape=(prod(shape),))
            part = reshape(part, shape=shape)
            known = found[1 + which]
            found[1 + which] = part if known is None else known + part
        if how == "set" and needs[0]:
            rest = index_set(rest, np.zeros(shape_of(index(ct, *where, spec=spec)), dtype_of(ct)), *where, spec=spec)
    if needs[0]:
        found[0] = rest
    _ = values
    return tuple(found)


def _jvp(tangents: Sequence[Any], _out: Any, *args: Any, stores: tuple[Store, ...], count: int) -> Any:
    filled = [
        np.zeros(shape_of(x), result_dtype(x)) if t is None else t
        for t, x in zip(tangents[: 1 + count], args[: 1 + count], strict=True)
    ]
    return assemble(*filled, *args[1 + count :], stores=stores, count=count)


def _batch(size: int, batched: Sequence[bool], *args: Any, stores: tuple[Store, ...], count: int) -> Any:
    template, values, arrays = _parts(args, count)
    data = template if batched[0] else broadcast_to(template, shape=(size, *shape_of(template)))
    for which, shape, select, places, how in stores:
        value = values[which]
        if batched[1 + which]:
            own = shape_of(value)[1:]
            value = reshape(value, shape=(size, *(1,) * (len(shape) - len(own)), *own))
        flat = reshape(broadcast_to(value, shape=(size, *shape)), shape=(size, prod(shape)))
        if select is not None:
            chosen, of = _spec(select, arrays, 1)
            flat = index(flat, *of, spec=chosen)
        spec, where = _spec(places, arrays, 1)
        if how == "set":
            data = index_set(data, flat, *where, spec=spec)
        else:
            data = data + index_add(flat, *where, spec=spec, shape=(size, shape_of(template)[-1]))
    return data


assemble = Primitive(
    "assemble",
    _evaluate,
    abstract=lambda template, *rest, stores, count: (shape_of(template), dtype_of(template)),
    vjp=_vjp,
    jvp=_jvp,
    batch=_batch,
    reads=reads_nothing,
    family="reindexing",
)
"""A copy of a flat array with parts of others stored in it."""
