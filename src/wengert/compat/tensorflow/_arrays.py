"""TensorFlow's functions that make, reshape, join, split and index tensors."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from ...errors import ArgumentError, ShapeError, user_line
from ...numpy import broadcast_to as _broadcast_to
from ...recording import wrap
from ._tensor import Tensor, TensorShape, convert_to_tensor, operand, plain, shape_list, tensors, to_array

np: Any = numpy  # its functions take tensors here, which its annotations do not know

float32 = np.dtype(np.float32)


def _make(array: Any) -> Any:
    return wrap(Tensor, array)


def ones(shape: Any, dtype: Any = float32, name: Any = None) -> Tensor:
    """Return a tensor of ones."""
    return _make(np.ones(shape_list(shape), dtype))


def zeros(shape: Any, dtype: Any = float32, name: Any = None) -> Tensor:
    """Return a tensor of zeros."""
    return _make(np.zeros(shape_list(shape), dtype))


def ones_like(input: Any, dtype: Any = None, name: Any = None) -> Tensor:
    """Return ones of the shape and, if none is given, of the dtype of `input`."""
    x = convert_to_tensor(input)
    return ones(x.shape, dtype or x.dtype)


def zeros_like(input: Any, dtype: Any = None, name: Any = None) -> Tensor:
    """Return zeros of the shape and, if none is given, of the dtype of `input`."""
    x = convert_to_tensor(input)
    return zeros(x.shape, dtype or x.dtype)


def fill(dims: Any, value: Any, name: Any = None) -> Tensor:
    """Return a tensor whose elements are all `value`."""
    return _broadcast_to(convert_to_tensor(value), shape_list(dims))


def eye(
    num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = float32, name: Any = None
) -> Tensor:
    """Return an identity matrix, or a batch of them."""
    matrix = np.eye(int(plain(num_rows)), None if num_columns is None else int(plain(num_columns)), dtype=dtype)
    return _make(matrix if batch_shape is None else np.tile(matrix, (*shape_list(batch_shape), 1, 1)))


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: Any = "range") -> Tensor:
    """Return the numbers from `start` up to, not including, `limit`, in steps of `delta`."""
    first, last = (0, start) if limit is None else (start, limit)
    values = [np.asarray(to_array(plain(value))) for value in (first, last, delta)]
    kind = np.result_type(*([v for v in values if v.dtype.kind == "f"] or values)) if dtype is None else dtype
    return _make(np.arange(values[0], values[1], values[2]).astype(kind))


def linspace(start: Any, stop: Any, num: Any, name: Any = None, axis: int = 0) -> Tensor:
    """Return `num` evenly spaced values, both ends included."""
    a, b = tensors((start, stop))
    count = int(plain(num))
    if a.dtype.kind not in "fc":
        a, b = a.astype(np.float64), b.astype(np.float64)
    weights = np.arange(count, dtype=a.dtype) / np.asarray(max(count - 1, 1), a.dtype)
    weights = weights.reshape((-1,) + (1,) * (np.broadcast(np.empty(a.shape), np.empty(b.shape)).ndim))
    return np.moveaxis(a + (b - a) * weights, 0, axis)


def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: Any = None,
    dtype: Any = None,
    name: Any = None,
) -> Tensor:
    """Return `on_value` (1) where the new axis has the index and `off_value` (0) elsewhere."""
    index = np.asarray(plain(indices))
    count = int(plain(depth))
    on, off = (1 if on_value is None else plain(on_value)), (0 if off_value is None else plain(off_value))
    kind = dtype or (float32 if on_value is None and off_value is None else to_array([on, off]).dtype)
    hot = np.where(index[..., None] == np.arange(count), on, off).astype(kind)
    return _make(np.moveaxis(hot, -1, -1 if axis is None else axis))


def meshgrid(*args: Any, indexing: str = "xy", name: Any = None) -> list[Tensor]:
    """Return coordinate matrices."""
    return list(np.meshgrid(*tensors(args), indexing=indexing))


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = bool, name: Any = None) -> Tensor:
    """Return a mask with as many leading true entries as each length says."""
    length = np.asarray(plain(lengths))
    count = int(length.max(initial=0)) if maxlen is None else int(plain(maxlen))
    return _make((np.arange(count) < length[..., None]).astype(dtype))


# ---------------------------------------------------------------- shapes


def shape(input: Any, out_type: Any = np.int32, name: Any = None) -> Tensor:
    """Return the shape as a tensor of ints."""
    return _make(np.asarray(tuple(convert_to_tensor(input).shape), out_type))


def size(input: Any, out_type: Any = np.int32, name: Any = None) -> Tensor:
    """Return the number of elements as a tensor."""
    return _make(np.asarray(convert_to_tensor(input).size, out_type))


def rank(input: Any, name: Any = None) -> Tensor:
    """Return the number of axes as a tensor."""
    return _make(np.asarray(convert_to_tensor(input).ndim, np.int32))


def reshape(tensor: Any, shape: Any, name: Any = None) -> Tensor:
    """Return the elements in another shape; one length may be -1."""
    return np.reshape(convert_to_tensor(tensor), shape_list(shape))


def ensure_shape(x: Any, shape: Any, name: Any = None) -> Tensor:
    """Return the tensor, if it has this shape; None stands for any length."""
    x = convert_to_tensor(x)
    x.set_shape(shape)
    return x


def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: Any = "transpose") -> Tensor:
    """Return the tensor with its axes reversed, or in the order `perm`."""
    x = np.transpose(convert_to_tensor(a), None if perm is None else shape_list(perm))
    return np.conj(x) if conjugate else x


def squeeze(input: Any, axis: Any = None, name: Any = None) -> Tensor:
    """Return the tensor without its axes of length 1, or without those named."""
    return np.squeeze(convert_to_tensor(input), None if axis is None else shape_list(axis))


def expand_dims(input: Any, axis: Any, name: Any = None) -> Tensor:
    """Return the tensor with a new axis of length 1."""
    return np.expand_dims(convert_to_tensor(input), int(plain(axis)))


def broadcast_to(input: Any, shape: Any, name: Any = None) -> Tensor:
    """Return the tensor repeated along axes so that it has this shape."""
    return np.broadcast_to(convert_to_tensor(input), shape_list(shape))


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """Return the shape that both shapes broadcast to."""
    return TensorShape(np.broadcast_shapes(shape_list(shape_x), shape_list(shape_y)))


def tile(input: Any, multiples: Any, name: Any = None) -> Tensor:
    """Return the tensor repeated a number of times along each axis."""
    return np.tile(convert_to_tensor(input), shape_list(multiples))


def repeat(input: Any, repeats: Any, axis: int | None = None, name: Any = None) -> Tensor:
    """Return the tensor with each element repeated."""
    return np.repeat(convert_to_tensor(input), plain(repeats), axis)


def reverse(tensor: Any, axis: Any, name: Any = None) -> Tensor:
    """Return the tensor with these axes reversed."""
    return np.flip(convert_to_tensor(tensor), shape_list(axis))


def roll(input: Any, shift: Any, axis: Any, name: Any = None) -> Tensor:
    """Return the tensor with its elements shifted around along axes."""
    return np.roll(convert_to_tensor(input), plain(shift), plain(axis))


def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: Any = None) -> Tensor:
    """Return the tensor with margins of a constant, or mirrored ("REFLECT", "SYMMETRIC")."""
    x, margins = convert_to_tensor(tensor), np.asarray(plain(paddings)).tolist()
    if mode.upper() == "CONSTANT":
        return np.pad(x, margins, constant_values=plain(constant_values))
    return np.pad(x, margins, mode=mode.lower())


# ---------------------------------------------------------------- joining and splitting


def concat(values: Any, axis: Any, name: Any = "concat") -> Tensor:
    """Return the tensors one after the other along an axis."""
    parts = tensors(values) if isinstance(values, list | tuple) else [convert_to_tensor(values)]
    return np.concatenate(parts, int(plain(axis)))


def stack(values: Any, axis: int = 0, name: Any = "stack") -> Tensor:
    """Return the tensors side by side along a new axis."""
    return np.stack(tensors(values), axis)


def unstack(value: Any, num: int | None = None, axis: int = 0, name: Any = "unstack") -> list[Tensor]:
    """Return the entries of an axis as a list."""
    x = np.moveaxis(convert_to_tensor(value), axis, 0)
    if num is not None and num != x.shape[0]:
        raise ArgumentError(f"unstack: num is {num}, but axis {axis} has length {x.shape[0]}", where=user_line())
    return [x[i] for i in builtins.range(x.shape[0])]


def split(value: Any, num_or_size_splits: Any, axis: int = 0, num: Any = None, name: Any = "split") -> list[Tensor]:
    """Return equal parts along an axis, or parts of the given lengths; one of these may be -1."""
    x = convert_to_tensor(value)
    parts = plain(num_or_size_splits)
    length = x.shape[axis]
    if np.ndim(parts) == 0:
        count = int(parts)
        if count < 1 or length % count:
            raise ShapeError(
                f"split: axis {axis} of length {length} does not divide into {count} equal parts", where=user_line()
            )
        sizes = [length // count] * count
    else:
        sizes = [int(n) for n in parts]
        sizes = [length - (sum(sizes) + 1) if n == -1 else n for n in sizes]
        if sum(sizes) != length or min(sizes, default=0) < 0:
            raise ShapeError(
                f"split: parts of {sizes} do not make up length {length} of axis {axis}", where=user_line()
            )
    return list(np.split(x, np.cumsum(sizes)[:-1].tolist(), axis))


# ---------------------------------------------------------------- indexing


def slice(input_: Any, begin: Any, size: Any, name: Any = None) -> Tensor:
    """Return a block: where it begins on each axis, and its lengths (-1: to the end)."""
    x = convert_to_tensor(input_)
    starts, sizes = shape_list(begin), shape_list(size)
    return x[tuple(builtins.slice(a, None if n == -1 else a + n) for a, n in zip(starts, sizes, strict=True))]


def strided_slice(input_: Any, begin: Any, end: Any, strides: Any = None, name: Any = None) -> Tensor:
    """Return every `strides`-th element from `begin` up to `end` on each axis."""
    x, starts, ends = convert_to_tensor(input_), shape_list(begin), shape_list(end)
    steps = (1,) * len(starts) if strides is None else shape_list(strides)
    return x[tuple(builtins.slice(*part) for part in zip(starts, ends, steps, strict=True))]


def _checked(indices: Any, length: int, what: str) -> numpy.ndarray:
    index = np.asarray(plain(indices))
    if index.size == 0:
        return index.astype(np.intp)
    if index.dtype.kind not in "iu":
        raise ArgumentError(f"{what}: indices are integers, not {index.dtype}", where=user_line())
    if index.min() < 0 or index.max() >= length:
        wrong = index[(index < 0) | (index >= length)][0]
        raise ArgumentError(f"{what}: index {wrong} is not between 0 and {length - 1}", where=user_line())
    return index


def gather(
    params: Any, indices: Any, validate_indices: Any = None, axis: Any = None, batch_dims: int = 0, name: Any = None
) -> Tensor:
    """Return the entries of an axis with these numbers.

    With `batch_dims` the leading axes of both belong together. The gradient is dense.
    """
    x = convert_to_tensor(params)
    batch = int(plain(batch_dims))
    index_ndim = np.asarray(plain(indices)).ndim
    if batch < 0:
        batch += index_ndim
    place = batch if axis is None else int(plain(axis)) % x.ndim
    index = _checked(indices, x.shape[place], "gather")
    if batch == 0:
        return np.take(x, index, axis=place)
    x = np.moveaxis(x, place, batch)
    leading = np.indices(index.shape, sparse=True)[:batch]
    found = x[(*leading, index)]
    between = place - batch  # the axes that stood before the gathered one go back in front of it
    if between:
        inner = index.ndim - batch
        order = [*builtins.range(batch), *builtins.range(index.ndim, index.ndim + between)]
        order += [*builtins.range(batch, batch + inner), *builtins.range(index.ndim + between, found.ndim)]
        found = np.transpose(found, order)
    return found


def gather_nd(params: Any, indices: Any, batch_dims: int = 0, name: Any = None) -> Tensor:
    """Return the elements or slices that the rows of `indices` (..., k) name. The gradient is dense."""
    x, index = convert_to_tensor(params), np.asarray(plain(indices))
    if batch_dims:
        return stack([gather_nd(part, rows, batch_dims - 1) for part, rows in zip(unstack(x), index, strict=True)])
    return x[_places(index, x.shape, "gather_nd")]


def _places(index: numpy.ndarray, shape: Sequence[int], what: str) -> tuple[numpy.ndarray, ...]:
    if index.ndim == 0 or index.shape[-1] > len(shape):
        raise ShapeError(
            f"{what}: rows of indices of shape {index.shape} do not name places in shape {tuple(shape)}",
            where=user_line(),
        )
    return tuple(_checked(column, n, what) for column, n in zip(np.moveaxis(index, -1, 0), shape))


def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Tensor:
    """Return a copy in which the places that the rows of `indices` name have new values; the last of several wins."""
    x, values = tensors((tensor, updates))
    places = _places(np.asarray(plain(indices)), x.shape, "tensor_scatter_nd_update")
    return _written(x, places, values)


def _written(x: Any, places: Any, values: Any) -> Tensor:
    from ...tensor import Tensor as Buffer

    buffer = wrap(Buffer, x._data, x._line).copy()
    buffer[places] = values
    return wrap(Tensor, buffer._data, buffer._line)


def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Tensor:
    """Return a copy to which `updates` are added at the places that the rows of `indices` name."""
    x = convert_to_tensor(tensor)
    return x + scatter_nd(indices, operand(updates, x.dtype), x.shape)


def tensor_scatter_nd_sub(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Tensor:
    """Return a copy from which `updates` are subtracted at the places that the rows of `indices` name."""
    x = convert_to_tensor(tensor)
    return x - scatter_nd(indices, operand(updates, x.dtype), x.shape)


def scatter_nd(indices: Any, updates: Any, shape: Any, name: Any = None) -> Tensor:
    """Return zeros of a shape to which `updates` are added at the places that the rows of `indices` name."""
    from ...primitives.indexing import index_add

    length = shape_list(shape)
    places = _places(np.asarray(plain(indices)), length, "scatter_nd")
    return index_add(convert_to_tensor(updates), *places, **add_params(places, length))


def add_params(places: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    from ...primitives.indexing import normalize_index

    spec, _ = normalize_index(places, shape)
    return {"spec": spec, "shape": shape}


def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: Any = "boolean_mask") -> Tensor:
    """Return the entries where the mask is true."""
    x = convert_to_tensor(tensor)
    start = 0 if axis is None else int(plain(axis))
    return x[(builtins.slice(None),) * start + (np.asarray(plain(mask), bool),)]


def where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Tensor:
    """Return `x` where the condition holds and `y` elsewhere; without them, the places where it holds."""
    mask = np.asarray(plain(condition), bool)
    if x is None and y is None:
        return _make(np.argwhere(mask).astype(np.int64))
    if x is None or y is None:
        raise ArgumentError("where: x and y are given both, or neither", where=user_line())
    return np.where(mask, *tensors((x, y)))


def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: Any = None) -> Tensor:
    """Return the values in order along an axis."""
    x = np.sort(convert_to_tensor(values), axis)
    return np.flip(x, axis) if direction.upper() == "DESCENDING" else x


def argsort(
    values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False, name: Any = None
) -> Tensor:
    """Return the order of the values along an axis; equal ones keep theirs."""
    x = np.asarray(plain(convert_to_tensor(values)))
    if direction.upper() == "DESCENDING":
        flipped = np.argsort(np.flip(x, axis), axis, kind="stable")
        return _make(np.flip(x.shape[axis] - 1 - flipped, axis).astype(np.int32))
    return _make(np.argsort(x, axis, kind="stable").astype(np.int32))


def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = np.int32, name: Any = None
) -> Tensor:
    """Return where values would be inserted to keep the order."""
    rows, wanted = np.asarray(plain(sorted_sequence)), np.asarray(plain(values))
    if rows.ndim == 1:
        return _make(np.searchsorted(rows, wanted, side).astype(out_type))
    flat = [
        np.searchsorted(a, v, side)
        for a, v in zip(rows.reshape(-1, rows.shape[-1]), wanted.reshape(-1, wanted.shape[-1]), strict=True)
    ]
    return _make(np.stack(flat).reshape(wanted.shape).astype(out_type))


class _Unique(NamedTuple):
    y: Any
    idx: Any


_Unique.__name__ = "Unique"


def unique(x: Any, out_idx: Any = np.int32, name: Any = None) -> _Unique:
    """Return the distinct values in the order they occur, and the number of each element's value among them."""
    flat = convert_to_tensor(x)
    _, first, inverse = np.unique(np.asarray(flat._data), return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    position = np.empty_like(order)
    position[order] = np.arange(order.size)
    return _Unique(flat[np.sort(first)], _make(position[inverse].astype(out_idx)))


def cast(x: Any, dtype: Any, name: Any = None) -> Tensor:
    """Return the values in another dtype; what becomes an integer is connected to nothing."""
    tensor = convert_to_tensor(x)
    kind = np.dtype(dtype)
    if tensor.dtype.kind == "c" and kind.kind != "c":
        tensor = np.real(tensor)
    if kind.kind not in "fc" and tensor._data is not None:
        return wrap(Tensor, np.asarray(tensor._data).astype(kind))
    return tensor if tensor.dtype == kind else tensor.astype(kind)


def complex(real: Any, imag: Any, name: Any = None) -> Tensor:
    """Return the complex tensor of a real and an imaginary part."""
    a, b = tensors((real, imag))
    kind = np.complex64 if a.dtype == np.float32 else np.complex128
    return a.astype(kind) + b.astype(kind) * np.asarray(1j, kind)
