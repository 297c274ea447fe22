"""PyTorch's functions that move elements: views, joins, splits, repeats, triangles and diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...errors import ArgumentError, GraphShapeError, user_line
from ...primitives import elementwise as e
from ...primitives import indexing as p
from ...primitives.base import normalize_axis
from ...recording import apply
from ...views import view as view_
from . import dtypes
from .naming import fits, node, notes_of
from .operators import as_tensor
from .storage import link


def _ints(values: tuple[Any, ...]) -> tuple[int, ...]:
    if len(values) == 1 and not isinstance(values[0], int | np.integer):
        values = tuple(values[0])
    return tuple(int(n) for n in values)


def _resolved(shape: tuple[int, ...], have: Any) -> tuple[int, ...]:
    known, size = 1, 1
    for n in shape:
        known *= 1 if n == -1 else n
    for n in have:
        size *= n
    free = shape.count(-1)
    if free > 1:
        raise GraphShapeError(f"only one dimension can be inferred, but {shape} has {free} times -1")
    if free and (known == 0 or size % known):
        raise GraphShapeError(f"shape {shape} is invalid for input of size {size}", where=user_line())
    shape = tuple(size // known if n == -1 else n for n in shape)
    if not free and known != size:
        raise GraphShapeError(f"shape {shape} is invalid for input of size {size}", where=user_line())
    return shape


def _viewed(x: Any, name: str, primitive: Any, **params: Any) -> Any:
    result = view_(x, primitive, **params)
    if result._alias is None and isinstance(result._data, np.generic):
        link(x, result, primitive, **params)
    if result._line is not None and not result._line.abstract:
        notes_of(result._line).name = f"{name}Backward0"
    return result


def view(input: Any, *shape: Any) -> Any:
    """Return the elements in another shape (one length may be -1), or in another dtype of the same size.

    Raises GraphShapeError if the sizes do not fit.
    """
    x = as_tensor(input)
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        return as_tensor(np.asarray(x.detach()._data).view(shape[0].dtype))
    return _viewed(x, "View", p.reshape, shape=_resolved(_ints(shape), x.shape))


def reshape(input: Any, *shape: Any, **named: Any) -> Any:
    """Return the elements in another shape; one length may be -1.

    Raises GraphShapeError if the sizes do not fit.
    """
    return view(input, *(shape or (named["shape"],)))


def view_as(input: Any, other: Any) -> Any:
    """Return the elements in the shape of another tensor."""
    return view(input, tuple(other.shape))


reshape_as = view_as


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """Make one axis of those from `start_dim` to `end_dim`."""
    x = as_tensor(input)
    if x.ndim == 0:
        return view(x, 1)
    first, last = normalize_axis(start_dim, x.ndim), normalize_axis(end_dim, x.ndim)
    if first > last:
        raise ArgumentError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    if first == last:
        return x
    shape = tuple(x.shape)
    return view(x, (*shape[:first], int(np.prod(shape[first : last + 1])), *shape[last + 1 :]))


def ravel(input: Any) -> Any:
    """Return the elements along one axis."""
    return view(input, -1) if as_tensor(input).ndim != 1 else as_tensor(input)


def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """Make several axes of one."""
    x = as_tensor(input)
    axis = normalize_axis(dim, x.ndim)
    shape = tuple(x.shape)
    return view(x, (*shape[:axis], *_resolved(tuple(sizes), (shape[axis],)), *shape[axis + 1 :]))


def squeeze(input: Any, dim: Any = None) -> Any:
    """Drop axes of length 1; those of another length stay."""
    x = as_tensor(input)
    if dim is None:
        dropped = set(range(x.ndim))
    else:
        dropped = {normalize_axis(int(d), max(x.ndim, 1)) for d in ((dim,) if isinstance(dim, int) else dim)}
    shape = tuple(n for i, n in enumerate(x.shape) if n != 1 or i not in dropped)
    return _viewed(x, "Squeeze", p.reshape, shape=shape)


def unsqueeze(input: Any, dim: int) -> Any:
    """Put in an axis of length 1."""
    x = as_tensor(input)
    axis = normalize_axis(dim, x.ndim + 1)
    shape = tuple(x.shape)
    return _viewed(x, "Unsqueeze", p.reshape, shape=(*shape[:axis], 1, *shape[axis:]))


def permute(input: Any, *dims: Any) -> Any:
    """Reorder the axes."""
    x = as_tensor(input)
    axes = tuple(normalize_axis(n, x.ndim) for n in _ints(dims)) if dims != ((),) else ()
    if sorted(axes) != list(range(x.ndim)):
        raise GraphShapeError(f"permute: {axes} does not name each of {x.ndim} axes once", where=user_line())
    return view_(x, p.transpose, axes=axes)


def transpose(input: Any, dim0: Any = None, dim1: int | None = None) -> Any:
    """Swap two axes."""
    x = as_tensor(input)
    if dim1 is None:  # NumPy's way, for code that works on arrays and tensors alike
        return permute(x, tuple(reversed(range(x.ndim))) if dim0 is None else dim0)
    axes = list(range(x.ndim))
    if x.ndim:
        i, j = normalize_axis(dim0, x.ndim), normalize_axis(dim1, x.ndim)
        axes[i], axes[j] = axes[j], axes[i]
    return _viewed(x, "Transpose", p.transpose, axes=tuple(axes))


swapaxes = swapdims = transpose


def t(input: Any) -> Any:
    """Transpose a matrix; what has fewer axes stays.

    Raises GraphShapeError for more than two axes.
    """
    x = as_tensor(input)
    if x.ndim > 2:
        raise GraphShapeError(
            f"t() expects a tensor with <= 2 dimensions, but it has {x.ndim}", hint="x.transpose(0, 1)"
        )
    return x if x.ndim < 2 else _viewed(x, "T", p.transpose, axes=(1, 0))


def adjoint(input: Any) -> Any:
    """Return the conjugate transpose of matrices."""
    return np.conjugate(transpose(input, -2, -1))


def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Move axes to other places."""
    return np.moveaxis(as_tensor(input), source, destination)


moveaxis = movedim


def expand(input: Any, *sizes: Any) -> Any:
    """Broadcast axes of length 1, and new leading axes, to the given lengths; -1 keeps a length."""
    x = as_tensor(input)
    wanted = _ints(sizes)
    lead = len(wanted) - x.ndim
    if lead < 0:
        raise GraphShapeError(f"expand: {wanted} has fewer axes than the tensor of shape {tuple(x.shape)}")
    shape = tuple(x.shape[i - lead] if n == -1 else n for i, n in enumerate(wanted))
    for i, n in enumerate(x.shape):
        if n not in (1, shape[i + lead]):
            raise GraphShapeError(
                f"expand: length {n} of axis {i} cannot become {shape[i + lead]}; only 1 can", where=user_line()
            )
    return apply(p.broadcast_to, (x,), {"shape": shape})


def expand_as(input: Any, other: Any) -> Any:
    """Broadcast to the shape of another tensor."""
    return expand(input, tuple(other.shape))


def broadcast_to(input: Any, shape: Any) -> Any:
    """Broadcast to a shape."""
    return expand(input, tuple(shape))


def broadcast_tensors(*tensors: Any) -> tuple[Any, ...]:
    """Broadcast tensors against each other."""
    made = [as_tensor(x) for x in tensors]
    shape = np.broadcast_shapes(*(tuple(x.shape) for x in made))
    return tuple(x if tuple(x.shape) == shape else expand(x, shape) for x in made)


def broadcast_shapes(*shapes: Any) -> Any:
    """Return the shape that shapes broadcast to."""
    return dtypes.Size(np.broadcast_shapes(*shapes))


# ---------------------------------------------------------------- joining and splitting


def _common(tensors: Any) -> list[Any]:
    made = [as_tensor(x) for x in tensors]
    if not made:
        raise GraphShapeError("expected a non-empty list of tensors", where=user_line())
    wanted = dtypes.result_dtype(*made)
    return [dtypes.cast(x, wanted) for x in made]


@fits
def cat(tensors: Any, dim: int = 0) -> Any:
    """Join tensors along an axis they have."""
    made = _common(tensors)
    full = [x for x in made if tuple(x.shape) != (0,)] or made[:1]  # torch skips empty vectors
    return apply(p.concatenate, tuple(full), {"axis": normalize_axis(dim, full[0].ndim)})


concat = concatenate = cat


@fits
def stack(tensors: Any, dim: int = 0) -> Any:
    """Join tensors along a new axis."""
    made = _common(tensors)
    return apply(p.stack, tuple(made), {"axis": normalize_axis(dim, made[0].ndim + 1)})


def _stacked(name: str, function: Any) -> Any:
    def call(tensors: Any) -> Any:
        return fits(function)(_common(tensors))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Same as `numpy.{name}`."
    return call


hstack = _stacked("hstack", np.hstack)
vstack = row_stack = _stacked("vstack", np.vstack)
dstack = _stacked("dstack", np.dstack)
column_stack = _stacked("column_stack", np.column_stack)


def _piece(x: Any, axis: int, start: int, stop: int) -> Any:
    return _viewed(x, "Split", p.index, spec=(*(p.FULL,) * axis, (start, stop, None)))


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Cut along an axis into pieces of one length (the last may be shorter), or of the given lengths.

    Raises GraphShapeError if given lengths do not add up.
    """
    x = as_tensor(tensor)
    axis = normalize_axis(dim, x.ndim)
    n = x.shape[axis]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        sizes = [min(size, n - start) for start in range(0, n, size)] or [0]
    else:
        sizes = list(split_size_or_sections)
        if sum(sizes) != n:
            raise GraphShapeError(f"split: the sizes {sizes} do not add up to {n}", where=user_line())
    bounds = [0, *np.cumsum(sizes).tolist()]
    return tuple(_piece(x, axis, start, stop) for start, stop in pairwise(bounds))


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """Cut along an axis into at most `chunks` pieces of one length."""
    x = as_tensor(input)
    n = x.shape[normalize_axis(dim, x.ndim)]
    return split(x, max(1, -(-n // chunks)), dim)


def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Cut along an axis into a number of nearly equal pieces, or at the given places."""
    return tuple(np.array_split(as_tensor(input), indices_or_sections, dim))


def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """Return the slices along an axis."""
    x = as_tensor(input)
    axis = normalize_axis(dim, x.ndim)
    return tuple(_viewed(x, "Unbind", p.index, spec=(*(p.FULL,) * axis, i)) for i in range(x.shape[axis]))


def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """Return a slice along an axis."""
    x = as_tensor(input)
    axis = normalize_axis(dim, x.ndim)
    return _viewed(x, "Slice", p.index, spec=(*(p.FULL,) * axis, (int(start), int(start) + length, None)))


def select(input: Any, dim: int, index: int) -> Any:
    """Return one slice along an axis, without that axis."""
    x = as_tensor(input)
    axis = normalize_axis(dim, x.ndim)
    return _viewed(x, "Select", p.index, spec=(*(p.FULL,) * axis, int(index)))


# ---------------------------------------------------------------- repeating and moving


def _counts(values: tuple[Any, ...]) -> tuple[int, ...]:
    return _ints(values)


@node("Repeat")
def repeat(input: Any, *repeats: Any) -> Any:
    """Repeat the whole tensor along each axis, new leading ones included."""
    return np.tile(as_tensor(input), _counts(repeats))


@node("Repeat")
def tile(input: Any, *dims: Any) -> Any:
    """Repeat the whole tensor along each axis."""
    return np.tile(as_tensor(input), _counts(dims))


def repeat_interleave(input: Any, repeats: Any, dim: int | None = None) -> Any:
    """Repeat each element along an axis."""
    counts = np.asarray(repeats._data) if hasattr(repeats, "_data") else repeats
    return np.repeat(as_tensor(input), counts, dim)


@node("Flip")
def flip(input: Any, *dims: Any) -> Any:
    """Reverse the order along axes."""
    return np.flip(as_tensor(input), _ints(dims))


def fliplr(input: Any) -> Any:
    """Reverse the second axis."""
    return flip(input, 1)


def flipud(input: Any) -> Any:
    """Reverse the first axis."""
    return flip(input, 0)


@node("Roll")
def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """Move elements along axes, round the end; without axes, in the flattened tensor."""
    return np.roll(as_tensor(input), shifts, dims)


@node("Rot90")
def rot90(input: Any, k: int = 1, dims: Any = (0, 1)) -> Any:
    """Rotate by 90 degrees in a plane, k times."""
    return np.rot90(as_tensor(input), k, tuple(dims))


# ---------------------------------------------------------------- triangles and diagonals


@node("Tril")
def tril(input: Any, diagonal: int = 0) -> Any:
    """Return the lower triangle."""
    return np.tril(as_tensor(input), diagonal)


@node("Triu")
def triu(input: Any, diagonal: int = 0) -> Any:
    """Return the upper triangle."""
    return np.triu(as_tensor(input), diagonal)


@node("Diagonal")
def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """Return a diagonal as the last axis."""
    return np.diagonal(as_tensor(input), offset, dim1, dim2)


@node("Diag")
def diag(input: Any, diagonal: int = 0) -> Any:
    """Return the diagonal of a matrix, or the matrix with a diagonal."""
    return np.diag(as_tensor(input), diagonal)


@node("Diag")
def diagflat(input: Any, offset: int = 0) -> Any:
    """Return the matrix with all elements on a diagonal."""
    return np.diag(ravel(input), offset)


@node("DiagEmbed")
def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Return matrices with the last axis on a diagonal."""
    x = as_tensor(input)
    n = x.shape[-1] + abs(offset)
    lead = tuple(x.shape[:-1])
    start = max(-offset, 0) * n + max(offset, 0)
    spec = (*(p.FULL,) * len(lead), (start, start + (x.shape[-1] - 1) * (n + 1) + 1 if x.shape[-1] else start, n + 1))
    made = apply(p.index_add, (x,), {"spec": spec, "shape": (*lead, n * n)})
    return np.moveaxis(np.reshape(made, (*lead, n, n)), (-2, -1), (dim1, dim2))


def block_diag(*tensors: Any) -> Any:
    """Return the matrix with the given matrices along its diagonal."""
    blocks = [as_tensor(x) for x in tensors]
    blocks = [np.reshape(x, (1, -1)) if x.ndim < 2 else x for x in blocks]
    width = sum(x.shape[1] for x in blocks)
    rows, start = [], 0
    for x in blocks:
        rows.append(np.pad(x, ((0, 0), (start, width - start - x.shape[1]))))
        start += x.shape[1]
    return cat(rows, 0)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """Return the coordinates of a grid, one tensor per axis."""
    given: Sequence[Any] = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors
    return tuple(np.meshgrid(*[as_tensor(x) for x in given], indexing=indexing))  # type: ignore[call-overload]


def cartesian_prod(*tensors: Any) -> Any:
    """Return all combinations of the elements of vectors, one per row."""
    if len(tensors) == 1:
        return as_tensor(tensors[0])
    return stack([ravel(x) for x in meshgrid(*tensors)], 1)


def _at_least(function: Any) -> Any:
    def call(*tensors: Any) -> Any:
        if len(tensors) == 1 and not isinstance(tensors[0], list | tuple):
            return function(as_tensor(tensors[0]))
        given = tensors[0] if len(tensors) == 1 else tensors
        return tuple(function(as_tensor(x)) for x in given)

    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = f"Same as `numpy.{function.__name__}`."
    return call


atleast_1d = _at_least(np.atleast_1d)
atleast_2d = _at_least(np.atleast_2d)
atleast_3d = _at_least(np.atleast_3d)

# ---------------------------------------------------------------- copies and parts


def clone(input: Any, *, memory_format: Any = None) -> Any:
    """Return a copy that keeps its history."""
    x = as_tensor(input)
    if x._data is None:
        return apply(e.positive, (x,))
    return apply(e.positive, (x,), computed=np.array(x._data))


def contiguous(input: Any, memory_format: Any = None) -> Any:
    """Return the tensor itself."""
    return as_tensor(input)


def real(input: Any) -> Any:
    """Return the real part."""
    return np.real(as_tensor(input))


def imag(input: Any) -> Any:
    """Return the imaginary part."""
    return np.imag(as_tensor(input))


def view_as_real(input: Any) -> Any:
    """Return real and imaginary part along a new last axis."""
    x = as_tensor(input)
    return stack([real(x), imag(x)], -1)


def view_as_complex(input: Any) -> Any:
    """Return complex numbers from real and imaginary parts along the last axis."""
    x = as_tensor(input)
    return x[..., 0] + 1j * x[..., 1]
