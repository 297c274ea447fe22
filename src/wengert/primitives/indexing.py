"""Reindexing primitives: each output element is one input element, so all are linear.

`index`, `index_add` and `index_set` carry every form of NumPy indexing: a static `spec` describes integers,
slices and new axes, and index arrays are ordinary arguments, so the structure of a Program does not depend on
their values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from sys import getrefcount
from typing import Any

import numpy as np

from ..errors import OutOfBounds, ShapeError
from ..recording import Traced
from .base import Primitive, broadcast_shape, dtype_of, reads_nothing, result_dtype, shape_of

ARRAY = "array"
FULL = (None, None, None)  # the whole axis
Spec = tuple[Any, ...]


def linear(
    name: str,
    evaluate: Callable[..., Any],
    *,
    transpose: Callable[..., Any],
    abstract: Callable[..., Any],
    batch: Callable[..., Any] | None = None,
    family: str = "reindexing",
) -> Primitive:
    """Declare a primitive that is linear in its first argument; others are index arrays."""

    def vjp(cotangent: Any, _out: Any, x: Any, *rest: Any, needs: Sequence[bool], **params: Any) -> tuple[Any, ...]:
        return (transpose(cotangent, x, *rest, **params), *(None,) * len(rest))

    def jvp(tangents: Sequence[Any], _out: Any, _x: Any, *rest: Any, **params: Any) -> Any:
        return None if tangents[0] is None else primitive(tangents[0], *rest, **params)

    primitive = Primitive(
        name, evaluate, abstract=abstract, vjp=vjp, jvp=jvp, batch=batch, reads=reads_nothing, family=family
    )
    return primitive


# ---------------------------------------------------------------- shape


def _reshaped(x: Any, shape: tuple[int, ...]) -> tuple[tuple[int, ...], Any]:
    if prod(shape) != prod(x.shape):
        raise ShapeError(f"cannot reshape an array of shape {x.shape} into shape {shape}")
    return shape, x.dtype


reshape: Primitive = linear(
    "reshape",
    lambda x, shape: np.reshape(x, shape),
    transpose=lambda ct, x, shape: reshape(ct, shape=x.shape),
    abstract=_reshaped,
    batch=lambda size, batched, x, shape: reshape(x, shape=(size, *shape)),
)


def inverse_axes(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the permutation that undoes a permutation of axes."""
    inverse = [0] * len(axes)
    for i, axis in enumerate(axes):
        inverse[axis] = i
    return tuple(inverse)


transpose: Primitive = linear(
    "transpose",
    lambda x, axes: np.transpose(x, axes),
    transpose=lambda ct, x, axes: transpose(ct, axes=inverse_axes(axes)),
    abstract=lambda x, axes: (tuple(x.shape[axis] for axis in axes), x.dtype),
    batch=lambda size, batched, x, axes: transpose(x, axes=(0, *(axis + 1 for axis in axes))),
)


def _batch_broadcast(size: int, batched: Sequence[bool], x: Any, shape: tuple[int, ...]) -> Any:
    x = reshape(x, shape=(size,) + (1,) * (len(shape) - len(x.shape) + 1) + x.shape[1:])
    return broadcast_to(x, shape=(size, *shape))


def _broadcasts(x: Any, shape: tuple[int, ...]) -> tuple[tuple[int, ...], Any]:
    broadcast_shape(shape_of(x), shape)
    return shape, result_dtype(x)


broadcast_to: Primitive = linear(
    "broadcast_to",
    lambda x, shape: np.broadcast_to(x, shape),
    transpose=lambda ct, x, shape: ct,  # the driver of the reverse pass undoes broadcasting
    abstract=_broadcasts,
    batch=_batch_broadcast,
)


# ---------------------------------------------------------------- joining


def _concatenated(*arrays: Any, axis: int) -> tuple[tuple[int, ...], Any]:
    shape = list(arrays[0].shape)
    for array in arrays[1:]:
        if array.shape[:axis] != arrays[0].shape[:axis] or array.shape[axis + 1 :] != arrays[0].shape[axis + 1 :]:
            raise ShapeError(f"cannot concatenate shapes {[a.shape for a in arrays]} along axis {axis}")
        shape[axis] += array.shape[axis]
    return tuple(shape), result_dtype(*arrays)


def _split(ct: Any, _out: Any, *arrays: Any, needs: Sequence[bool], axis: int) -> tuple[Any, ...]:
    parts, start = [], 0
    full = ((None, None, None),) * axis
    for need, array in zip(needs, arrays, strict=True):
        stop = start + array.shape[axis]
        parts.append(index(ct, spec=(*full, (start, stop, None))) if need else None)
        start = stop
    return tuple(parts)


def _zeros_for(tangents: Sequence[Any], arrays: Sequence[Any]) -> list[Any]:
    return [
        np.zeros(shape_of(x), result_dtype(x)) if t is None else t for t, x in zip(tangents, arrays, strict=True)
    ]


def _spread(size: int, batched: Sequence[bool], arrays: Sequence[Any]) -> list[Any]:
    return [
        x if flag else broadcast_to(x, shape=(size, *shape_of(x)))
        for x, flag in zip(arrays, batched, strict=True)
    ]


concatenate: Primitive = Primitive(
    "concatenate",
    lambda *arrays, axis: np.concatenate(arrays, axis),
    abstract=_concatenated,
    vjp=_split,
    jvp=lambda tangents, _out, *arrays, axis: concatenate(*_zeros_for(tangents, arrays), axis=axis),
    batch=lambda size, batched, *arrays, axis: concatenate(*_spread(size, batched, arrays), axis=axis + 1),
    reads=reads_nothing,
    family="reindexing",
)


def _stacked(*arrays: Any, axis: int) -> tuple[tuple[int, ...], Any]:
    shape = shape_of(arrays[0])
    if any(shape_of(array) != shape for array in arrays):
        raise ShapeError(f"all arrays to stack must have one shape, not {[shape_of(a) for a in arrays]}")
    return (*shape[:axis], len(arrays), *shape[axis:]), result_dtype(*arrays)


def _unstack(ct: Any, _out: Any, *arrays: Any, needs: Sequence[bool], axis: int) -> tuple[Any, ...]:
    full = ((None, None, None),) * axis
    return tuple(index(ct, spec=(*full, i)) if need else None for i, need in enumerate(needs))


stack: Primitive = Primitive(
    "stack",
    lambda *arrays, axis: np.stack(arrays, axis),
    abstract=_stacked,
    vjp=_unstack,
    jvp=lambda tangents, _out, *arrays, axis: stack(*_zeros_for(tangents, arrays), axis=axis),
    batch=lambda size, batched, *arrays, axis: stack(*_spread(size, batched, arrays), axis=axis + 1),
    reads=reads_nothing,
    family="reindexing",
)

# ---------------------------------------------------------------- indexing


@lru_cache(maxsize=8192)
def _static(spec: Spec) -> tuple[Any, ...]:
    return tuple(slice(*part) if type(part) is tuple else part for part in spec)


def real_index(spec: Spec, arrays: Sequence[Any]) -> tuple[Any, ...]:
    """Return the index that NumPy understands."""
    static = _static(spec)
    if not arrays:
        return static
    remaining = iter(arrays)
    return tuple(next(remaining) if part is ARRAY or part == ARRAY else part for part in static)


def layout_of(shape: tuple[int, ...], spec: Spec, arrays: Sequence[Any]) -> tuple[tuple[int, ...], int, int]:
    """Return the result's shape, where the index arrays' axes stand in it, and how many they are."""
    basic: list[int] = []
    axis = 0
    places: list[int] = []  # for each advanced part, how many basic result axes stand before it
    runs = 0  # how many separate runs of advanced parts there are
    previous_advanced = False
    for part in spec:
        advanced = bool(arrays) and (part == ARRAY or isinstance(part, int))
        if part is None:
            basic.append(1)
        elif isinstance(part, tuple):
            basic.append(len(range(*slice(*part).indices(shape[axis]))))
            axis += 1
        else:
            if isinstance(part, int) and not -shape[axis] <= part < shape[axis]:
                raise OutOfBounds(f"index {part} is out of bounds for axis {axis} with size {shape[axis]}")
            axis += 1
        if advanced:
            places.append(len(basic))
            runs += not previous_advanced
        previous_advanced = advanced
    basic.extend(shape[axis:])
    if not arrays:
        return tuple(basic), 0, 0
    middle = broadcast_shape(*map(shape_of, arrays))
    place = places[0] if runs == 1 else 0
    return (*basic[:place], *middle, *basic[place:]), place, len(middle)


def compose(shape: tuple[int, ...], outer: Spec, inner: Spec) -> Spec | None:
    """Return the spec of `x[outer][inner]` for an `x` of the given shape, or None where new axes are in the way.

    Integers and slices only.
    """
    if None in outer or None in inner:
        return None
    parts: list[Any] = []
    remaining = iter(inner)
    for axis, n in enumerate(shape):
        part = outer[axis] if axis < len(outer) else FULL
        if type(part) is int:
            parts.append(part)
            continue
        places = range(*slice(*part).indices(n))
        further = next(remaining, FULL)
        if type(further) is int:
            parts.append(places[further])
            continue
        places = places[slice(*further)]
        if not places:
            parts.append((0, 0, None))
        else:
            stop = places.stop if places.stop >= 0 else None
            parts.append((places.start, stop, places.step))
    return tuple(parts)


def _batch_index(
    size: int, batched: Sequence[bool], shape: tuple[int, ...], arrays: Sequence[Any], spec: Spec
) -> tuple[Spec, list[Any], tuple[int, ...]]:
    """Return spec and index arrays for a batched target, and the axes that bring the result's batch axis first.

    `shape` is the unbatched target's shape.
    """
    full = (None, None, None)
    one = tuple(np.broadcast_to(np.intp(0), shape_of(a)[flag:]) for a, flag in zip(arrays, batched, strict=True))
    result, place, count = layout_of(shape, spec, one)
    ndim = len(result)
    if not any(batched):
        new_spec, new_arrays = (full, *spec), list(arrays)
        _, new_place, _ = layout_of((size, *shape), new_spec, new_arrays)
        if not arrays or new_place == place + 1:
            return new_spec, new_arrays, tuple(range(ndim + 1))
        # separated index arrays: their axes come first, the batch axis right behind them
        return new_spec, new_arrays, (count, *range(count), *range(count + 1, ndim + 1))
    new_arrays = [np.reshape(np.arange(size), (size,) + (1,) * count)]
    for array, flag in zip(arrays, batched, strict=True):
        if flag:
            inner = shape_of(array)[1:]
            array = np.reshape(array, (size,) + (1,) * (count - len(inner)) + inner)
        new_arrays.append(array)
    new_spec = (ARRAY, *spec)
    # the axes (size, *arrays) stand first; the arrays' own belong at `place`
    rest = list(range(count + 1, ndim + 1))
    return new_spec, new_arrays, (0, *rest[:place], *range(1, count + 1), *rest[place:])


def _index_batch(size: int, batched: Sequence[bool], x: Any, *arrays: Any, spec: Spec) -> Any:
    if not batched[0]:
        x = broadcast_to(x, shape=(size, *x.shape))
    spec, arrays_, axes = _batch_index(size, batched[1:], x.shape[1:], arrays, spec)
    result = index(x, *arrays_, spec=spec)
    return result if axes == tuple(range(len(axes))) else transpose(result, axes=axes)


index: Primitive = linear(
    "index",
    lambda x, *arrays, spec: x[real_index(spec, arrays)],
    transpose=lambda ct, x, *arrays, spec: index_add(ct, *arrays, spec=spec, shape=x.shape),
    abstract=lambda x, *arrays, spec: (layout_of(x.shape, spec, arrays)[0], x.dtype),
    batch=_index_batch,
)


def _index_add(v: Any, *arrays: Any, spec: Spec, shape: tuple[int, ...]) -> Any:
    out = np.zeros(shape, v.dtype)
    where = real_index(spec, arrays)
    if not arrays:
        out[where] = v
    elif len(shape) > 1 and v.size * 32 > out.size:
        # NumPy adds at flat places ten times as fast as at rows and columns; finding them costs a pass over `out`.
        places = np.arange(out.size).reshape(shape)[where]
        np.add.at(out.reshape(-1), places.ravel(), v.ravel())
    else:
        np.add.at(out, where, v)
    return out


def _index_add_batch(
    size: int, batched: Sequence[bool], v: Any, *arrays: Any, spec: Spec, shape: tuple[int, ...]
) -> Any:
    if not batched[0]:
        v = broadcast_to(v, shape=(size, *shape_of(v)))
    spec, arrays_, axes = _batch_index(size, batched[1:], shape, arrays, spec)
    if axes != tuple(range(len(axes))):
        v = transpose(v, axes=inverse_axes(axes))
    return index_add(v, *arrays_, spec=spec, shape=(size, *shape))


def _index_accumulate(cotangents: dict[Any, Any], line: Any, needs: Sequence[bool]) -> None:
    """Add a part's cotangent in place to that of the whole: reading n elements one by one costs n, not n^2."""
    cotangent = cotangents.pop(line, None)
    if cotangent is None or not needs[0]:
        return
    parent, arrays, spec = line.inputs[0], line.values[1:], line.params["spec"]
    known = cotangents.get(parent)
    if known is None:
        cotangents[parent] = _index_add(cotangent, *arrays, spec=spec, shape=parent.shape)
    elif _is_free(known) and getrefcount(known) <= _HELD_BY_DICT:
        where = real_index(spec, arrays)
        if arrays:
            np.add.at(known, where, cotangent)
        else:
            known[where] += cotangent
    else:
        cotangents[parent] = known + _index_add(cotangent, *arrays, spec=spec, shape=parent.shape)


def _is_free(array: Any) -> bool:
    """Whether an array's memory is its own and may be written to, if nobody else holds the array."""
    return type(array) is np.ndarray and array.base is None and array.flags.writeable


def _count_holders() -> tuple[int, int, int]:
    """Count the holders of an array that only a dict and a name refer to, only a name, only a list."""
    held = {0: np.zeros(1)}
    array = held.get(0)
    in_dict = getrefcount(array)
    array = held.pop(0)
    listed = [np.zeros(1)]
    return in_dict, getrefcount(array), getrefcount(listed[0])


_HELD_BY_DICT, _HELD_BY_NAME, _HELD_BY_LIST = _count_holders()

index.accumulate = _index_accumulate

index_add: Primitive = linear(
    "index_add",
    _index_add,
    transpose=lambda ct, v, *arrays, spec, shape: index(ct, *arrays, spec=spec),
    abstract=lambda v, *arrays, spec, shape: (shape, v.dtype),
    batch=_index_add_batch,
)
"""Zeros of the given shape with `v` added where the index points; duplicates add up."""


def assign(out: Any, v: Any, arrays: Sequence[Any], spec: Spec) -> None:
    """Write to the indexed part of an array; where index arrays name an element twice, the last one in C order wins.

    NumPy itself goes by the memory layout of what it is given, so that its winner changes with a transpose.
    """
    if arrays:
        shape = broadcast_shape(*map(shape_of, arrays))
        arrays = [np.array(np.broadcast_to(a, shape), order="C", copy=None) for a in arrays]
        v = np.asarray(v, order="C")
    out[real_index(spec, arrays)] = v


def _index_set(x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    out = np.array(x)
    assign(out, v, arrays, spec)
    return out


def _winners(shape: tuple[int, ...], ct: Any, arrays: Sequence[Any], spec: Spec) -> Any:
    """True where an assigned value survived: with duplicate indices the last writer wins."""
    count = len(shape_of(ct))
    order = np.reshape(np.arange(prod(shape_of(ct))), shape_of(ct)) if count else np.zeros((), int)
    last = index_set(np.zeros(shape, int), order, *arrays, spec=spec)
    return index(last, *arrays, spec=spec) == order


def _index_set_vjp(
    ct: Any, _out: Any, x: Any, v: Any, *arrays: Any, needs: Sequence[bool], spec: Spec
) -> tuple[Any, ...]:
    by_x = by_v = None
    if needs[0]:
        by_x = index_set(ct, np.zeros(v.shape, dtype_of(ct)), *arrays, spec=spec)
    if needs[1]:
        by_v = index(ct, *arrays, spec=spec)
        if arrays:
            by_v = np.where(_winners(x.shape, by_v, arrays, spec), by_v, 0)
    return (by_x, by_v, *(None,) * len(arrays))


def _index_set_jvp(tangents: Sequence[Any], _out: Any, x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    if _is_free(tangents[0]) and getrefcount(tangents[0]) <= _HELD_BY_LIST and type(tangents) is list:
        # Nobody will read the old tangent: write to it.
        tv = tangents[1]
        if not isinstance(tv, Traced) and not any(isinstance(a, Traced) for a in arrays):
            assign(tangents[0], 0 if tv is None else tv, arrays, spec)
            return tangents[0]
    tx, tv = _zeros_for(tangents[:2], (x, v))
    return index_set(tx, tv, *arrays, spec=spec)


def _index_set_accumulate(cotangents: dict[Any, Any], line: Any, needs: Sequence[bool]) -> None:
    """Hand the written part's cotangent to the value and erase it in place: filling n elements costs n, not n^2."""
    cotangent = cotangents.pop(line, None)
    if cotangent is None:
        return
    arrays, spec = line.values[2:], line.params["spec"]
    where = real_index(spec, arrays)
    target, value = line.inputs[:2]
    if needs[1]:
        part = np.array(cotangent[where])
        if arrays:
            part = np.where(_winners(line.shape, part, arrays, spec), part, 0)
        if part.dtype != value.dtype:
            part = part.astype(value.dtype)
        known = cotangents.get(value)
        cotangents[value] = part if known is None else known + part
    if needs[0]:
        if not _is_free(cotangent) or getrefcount(cotangent) > _HELD_BY_NAME:
            cotangent = np.array(cotangent)
        cotangent[where] = 0
        known = cotangents.get(target)
        cotangents[target] = cotangent if known is None else known + cotangent


def _index_set_batch(size: int, batched: Sequence[bool], x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    x, v = _spread(size, batched[:2], (x, v))
    spec, arrays_, axes = _batch_index(size, batched[2:], x.shape[1:], arrays, spec)
    if axes != tuple(range(len(axes))):
        v = transpose(v, axes=inverse_axes(axes))
    return index_set(x, v, *arrays_, spec=spec)


index_set: Primitive = Primitive(
    "index_set",
    _index_set,
    abstract=lambda x, v, *arrays, spec: (x.shape, x.dtype),
    vjp=_index_set_vjp,
    jvp=_index_set_jvp,
    batch=_index_set_batch,
    reads=reads_nothing,
    family="reindexing",
)
"""A copy of `x` whose indexed part is `v`, which has exactly the indexed part's shape."""
index_set.accumulate = _index_set_accumulate


def _index_set_overwrite(x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    if not _is_free(x) or getrefcount(x) > _HELD_BY_CALLER:
        x = np.array(x)
    assign(x, v, arrays, spec)
    return x


def _count_holders_of_argument(x: Any, v: Any, *arrays: Any, spec: Spec) -> int:
    return getrefcount(x)


def _called() -> int:
    scope = {"count": _count_holders_of_argument, "zeros": np.zeros}
    exec("def program():\n    v0 = zeros(1)\n    v1 = count(v0, 0, spec=())\n    return v1", scope)
    return scope["program"]()  # type: ignore[operator]


_HELD_BY_CALLER = _called()  # how often an array counts that only a variable of the calling Program holds

index_set.overwrite = _index_set_overwrite


def normalize_index(key: Any, shape: tuple[int, ...]) -> tuple[Spec, list[Any]]:
    """Translate a NumPy index into a static spec and index arrays.

    Boolean masks become integer arrays, which needs their values. Raises IndexError as NumPy does.
    """
    parts = key if type(key) is tuple else (key,)
    ndim = len(shape)
    expanded: list[Any] = []
    consumed = 0
    ellipsis = None
    for part in parts:
        if part is Ellipsis:
            if ellipsis is not None:
                raise OutOfBounds("an index can only have a single ellipsis ('...')")
            ellipsis = len(expanded)
        elif part is None:
            expanded.append(None)
        elif isinstance(part, slice):
            expanded.append(
                tuple(None if bound is None else bound.__index__() for bound in (part.start, part.stop, part.step))
            )
            consumed += 1
        elif isinstance(part, int) and not isinstance(part, bool):
            expanded.append(part)
            consumed += 1
        elif isinstance(part, np.integer):
            expanded.append(int(part))
            consumed += 1
        else:
            kind = dtype_of(part) if not isinstance(part, list | tuple) else None
            if kind is None:
                part = np.asarray(part)
                if part.size == 0 and part.dtype.kind == "f":
                    part = part.astype(np.intp)
                kind = part.dtype
            if kind == np.dtype(bool):
                flags = part.numpy() if hasattr(part, "numpy") else np.asarray(part)
                expected = shape[consumed : consumed + flags.ndim]
                fits = len(expected) == flags.ndim and all(
                    m in (n, 0) for m, n in zip(flags.shape, expected, strict=True)
                )
                if flags.ndim == 0 or not fits:
                    raise OutOfBounds(
                        f"boolean index has shape {flags.shape} but the indexed axes have shape {expected}"
                    )
                expanded.extend(np.nonzero(flags))
                consumed += flags.ndim
            elif isinstance(kind, type) or kind.kind not in "iu":
                raise OutOfBounds(
                    "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or "
                    f"boolean arrays are valid indices, not {kind}"
                )
            else:
                if shape_of(part) == () and isinstance(part, np.ndarray):
                    expanded.append(int(part))
                else:
                    expanded.append(part)
                consumed += 1
    if consumed > ndim:
        raise OutOfBounds(
            f"too many indices for array: array is {ndim}-dimensional, but {consumed} were indexed"
        )
    if ellipsis is not None:
        expanded[ellipsis:ellipsis] = [(None, None, None)] * (ndim - consumed)
    arrays = [part for part in expanded if not (part is None or isinstance(part, int | tuple))]
    spec = tuple(part if part is None or isinstance(part, int | tuple) else ARRAY for part in expanded)
    return spec, arrays
