"""Views and writes: which tensors share memory, as NumPy's views do, and how a write reaches all of them.

Recorded values never change, so a write makes a tensor stand for a new value. Where nobody else can see the old
one, the new value is made in the same memory, and a loop that fills a buffer costs no more than in NumPy. This
module knows how tensors relate, not what a Tensor can do.
"""

from __future__ import annotations

import sys
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .boxes import is_boxed
from .errors import DtypeError, ShapeError, TraceLost, user_line
from .primitives import elementwise as e
from .primitives.base import dtype_of, shape_of
from .primitives.indexing import (
    FULL,
    broadcast_to,
    compose,
    index,
    index_set,
    inverse_axes,
    layout_of,
    reshape,
    transpose,
)
from .primitives.indexing import assign as assign_part
from .recording import Traced, apply, is_tracked, wrap


class Alias:
    """What a tensor shares memory with.

    Attributes
    ----------
    base : tensor or None
        The tensor this one is a view of; None if it owns its data.
    primitive, params
        How the view is made from its base.
    views : list of weak references
        The live views of this tensor.
    written : bool
        Whether somebody wrote to the memory. From then on a slice is handed out as a copy of its numbers, so
        that recorded lines which keep it do not stand in the way of the next write.
    """

    __slots__ = ("base", "params", "primitive", "views", "written")

    def __init__(self, base: Any = None, primitive: Any = None, params: Any = None, written: bool = False) -> None:
        self.base = base
        self.primitive = primitive
        self.params = params
        self.written = written
        self.views: list[Any] = []

    def add(self, view: Any) -> None:
        """Remember a view of this tensor for as long as it lives."""
        views = self.views
        if len(views) >= 16 and len(views) & (len(views) - 1) == 0:  # at powers of two: drop the dead
            views[:] = [reference for reference in views if reference() is not None]
        views.append(weakref.ref(view))

    def live(self) -> Iterator[Any]:
        """Yield the views that still exist."""
        for reference in self.views:
            view = reference()
            if view is not None:
                yield view


def view(x: Any, primitive: Any, **params: Any) -> Any:
    """Apply a primitive that only rearranges, and remember that the result shares memory with `x`.

    With a plain array this is the primitive itself. A reshape that NumPy would have to copy for is not a view.
    """
    if not isinstance(x, Traced) or not x._mutable:
        return apply(primitive, (x,), params)
    alias = x._alias
    if alias is None:
        alias = x._alias = Alias()
    elif primitive is reshape and alias.base is not None and not _reshapes_without_copy(x, params["shape"]):
        return apply(primitive, (x,), params)
    computed = _numbers(x, primitive, params) if alias.written and primitive is index else None
    result = apply(primitive, (x,), params, computed)
    data = result._data
    if data is None or type(data) is np.ndarray:  # not a NumPy scalar: those are never views
        result._alias = Alias(x, primitive, params, alias.written)
        alias.add(result)
    return result


def _numbers(base: Any, primitive: Any, params: dict[str, Any]) -> Any:
    """Return a view's data that does not hold on to the base's memory."""
    if base._data is None:
        return None
    part = primitive.evaluate(base._data, **params)
    return part.copy() if type(part) is np.ndarray else part


def _reshapes_without_copy(x: Any, shape: tuple[int, ...]) -> bool:
    template = _template(x)
    return np.may_share_memory(np.reshape(template, shape), template)


def _template(x: Any) -> np.ndarray:
    """Return an array, contents undefined, that lies in memory as NumPy's own array would."""
    alias = x._alias
    if alias is None or alias.base is None:
        return np.empty(shape_of(x), np.int8)
    return alias.primitive.evaluate(_template(alias.base), **alias.params)


# ---------------------------------------------------------------- writing


def write(target: Any, spec: Any, arrays: Sequence[Any], value: Any) -> None:
    """Assign to an indexed part of a tensor, as `target[...] = value` does."""
    if not target._mutable:
        target._refuse_write()
    value = fit_value(value, layout_of(target.shape, spec, arrays)[0], target.dtype)
    _write(target, spec, arrays, value)


def _write(target: Any, spec: Any, arrays: Sequence[Any], value: Any) -> None:
    alias = target._alias
    if alias is not None and alias.base is not None:
        forward = None if arrays else _FORWARD.get(alias.primitive)
        place = None if forward is None else forward(alias, target, spec, value)
        if place is not None:
            _write(alias.base, place[0], (), place[1])
        else:
            replace(target, apply(index_set, (target, value, *arrays), {"spec": spec}))
        return
    if alias is None:
        alias = target._alias = Alias()
    alias.written = True
    in_place = _may_write_in_place(target, value, arrays)
    if in_place:
        assign_part(target._data, value._data if isinstance(value, Traced) else value, arrays, spec)
    changed = apply(index_set, (target, value, *arrays), {"spec": spec}, target._data if in_place else None)
    become(target, changed._data, changed._line)


def replace(target: Any, value: Any) -> None:
    """Give a tensor a new value of its own shape and dtype; its base and its views follow."""
    alias = target._alias
    if alias is not None and alias.base is not None:
        BACKWARD[alias.primitive](alias, value)
    elif isinstance(value, Traced):
        become(target, value._data, value._line)
    else:
        become(target, value, None)


def become(target: Any, data: Any, line: Any) -> None:
    """Take on new data and line, and let the live views of the tensor follow."""
    same = data is target._data and data is not None
    target._data = data
    target._line = line
    alias = target._alias
    if alias is not None:
        for part in alias.live():
            mine = part._alias
            if same and getattr(part._data, "base", None) is data:
                computed = part._data
            else:
                computed = _numbers(target, mine.primitive, mine.params)
            mine.written = alias.written
            fresh = apply(mine.primitive, (target,), mine.params, computed)
            become(part, fresh._data, fresh._line)


def assign(target: Any, value: Any) -> None:
    """Replace the whole content as an in-place operator or `out=` does: shape and dtype stay.

    Raises
    ------
    ShapeError
        If the value does not broadcast to the target's shape.
    DtypeError
        If its dtype cannot be cast within its kind (`same_kind`).
    """
    if not target._mutable:
        target._refuse_write()
    shape = shape_of(value)
    if shape != target.shape and _broadcast(shape, target.shape) != target.shape:
        raise ShapeError(
            f"non-broadcastable output operand with shape {target.shape} doesn't match the broadcast shape {shape}"
        )
    kind = dtype_of(value)
    if not isinstance(kind, type) and not np.can_cast(kind, target.dtype, "same_kind"):
        raise DtypeError(
            f"cannot store {kind} into a tensor of {target.dtype} in place",
            where=user_line(),
            hint="x = x + y instead of x += y, or x.astype(...) first",
        )
    replace(target, fit_value(value, target.shape, target.dtype))


def _broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None


def fit_value(value: Any, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    """Cast and broadcast what is to be stored to exactly the place it goes to."""
    if not isinstance(value, Traced):
        if holds_tensor(value):
            from .numpy import array

            value = array(value)
        else:
            value = np.asarray(value)
    if value.dtype != dtype:
        if isinstance(value, Traced) and dtype.kind in "biu" and value.dtype.kind in "fc" and is_tracked(value):  # type: ignore[attr-defined]
            raise TraceLost(
                f"a tracked value of {value.dtype} is stored in a buffer of {dtype}",  # type: ignore[attr-defined]
                where=user_line(),
                why="integers have no derivative",
                hint="make the buffer with a floating dtype: np.zeros_like(x, dtype=float)",
            )
        if value.dtype.kind == "c" and dtype.kind != "c":
            warnings.warn(
                "Casting complex values to real discards the imaginary part", np.exceptions.ComplexWarning, stacklevel=4
            )
        value = apply(e.cast, (value,), {"dtype": dtype})
    if value.shape != shape:
        excess = len(value.shape) - len(shape)
        if excess > 0 and value.shape[:excess] == (1,) * excess:
            value = apply(reshape, (value,), {"shape": value.shape[excess:]})
        if value.shape != shape:
            if _broadcast(value.shape, shape) != shape:
                raise ShapeError(f"could not broadcast input array from shape {value.shape} into shape {shape}")
            value = apply(broadcast_to, (value,), {"shape": shape})
    return value


def holds_tensor(value: Any) -> bool:
    """Whether a tensor stands somewhere in nested lists and tuples."""
    if type(value) in (list, tuple):
        return any(holds_tensor(part) for part in value)
    return isinstance(value, Traced) or is_boxed(value)


# ---------------------------------------------------------------- through a view to its base


def _through_index(alias: Alias, target: Any, spec: Any, value: Any) -> Any:
    composed = compose(alias.base.shape, alias.params["spec"], spec)
    return None if composed is None else (composed, value)


def _through_transpose(alias: Alias, target: Any, spec: Any, value: Any) -> Any:
    if None in spec:
        return None
    axes = alias.params["axes"]
    parts: list[Any] = [FULL] * len(axes)
    for axis, part in zip(axes, spec):
        parts[axis] = part
    kept = [axis for k, axis in enumerate(axes) if k >= len(spec) or type(spec[k]) is tuple]
    order = tuple(sorted(range(len(kept)), key=kept.__getitem__))
    if order != tuple(range(len(order))):
        value = apply(transpose, (value,), {"axes": order})
    return tuple(parts), value


def _through_reshape(alias: Alias, target: Any, spec: Any, value: Any) -> Any:
    shape = target.shape
    if len(spec) != len(shape) or not all(type(part) is int for part in spec):
        return None
    place = 0
    for part, n in zip(spec, shape):
        place = place * n + part % n
    found = []
    for n in reversed(alias.base.shape):
        place, part = divmod(place, n)
        found.append(part)
    return tuple(reversed(found)), value


_FORWARD: dict[Any, Callable[..., Any]] = {
    index: _through_index,
    transpose: _through_transpose,
    reshape: _through_reshape,
}
"""For a write to part of a view: which part of the base, and the value as it lies there; None if not so simple."""


def _back_complex(alias: Alias, value: Any) -> None:
    base = alias.base
    parts = [apply(e.real, (base,)), apply(e.imag, (base,))]
    parts[alias.primitive is e.imag] = value
    replace(base, apply(e.cast, (parts[0] + 1j * parts[1],), {"dtype": base.dtype}))


BACKWARD: dict[Any, Callable[[Alias, Any], None]] = {
    index: lambda alias, value: _write(alias.base, alias.params["spec"], (), value),
    transpose: lambda alias, value: replace(
        alias.base, apply(transpose, (value,), {"axes": inverse_axes(alias.params["axes"])})
    ),
    reshape: lambda alias, value: replace(alias.base, apply(reshape, (value,), {"shape": alias.base.shape})),
    e.real: _back_complex,
    e.imag: _back_complex,
}
"""For a new value of a whole view: hand it to the base."""

# ---------------------------------------------------------------- who else sees the memory


def _may_write_in_place(target: Any, value: Any, arrays: Sequence[Any]) -> bool:
    """Whether only this tensor and its live views can see the memory, so that nobody notices the old value go."""
    if type(target._data) is not np.ndarray or target._data.base is not None or not target._data.flags.writeable:
        return False
    if isinstance(value, Traced):
        if value._data is None or (is_tracked(value) and not is_tracked(target)):
            return False  # the recorded line needs the buffer as it was before the first tracked write
        value = value._data
    if not all(type(a) is np.ndarray for a in arrays) or np.may_share_memory(value, target._data):
        return False
    sharing = _sharing_views(target, target._alias)
    return sharing >= 0 and references(target) <= _EXCLUSIVE + sharing


def _sharing_views(owner: Any, alias: Alias) -> int:
    """Count the live views that lie in the owner's memory; -1 if somebody else holds one's data."""
    count = 0
    for part in alias.live():
        if getattr(part._data, "base", None) is owner._data:
            if references(part) > _EXCLUSIVE:
                return -1
            count += 1
        if part._alias is not None and part._alias.views:
            further = _sharing_views(owner, part._alias)
            if further < 0:
                return -1
            count += further
    return count


def references(tensor: Any) -> int:
    """Return how many references there are to a tensor's data."""
    return sys.getrefcount(tensor._data)


# What the count is for a buffer that only its tensor holds (it depends on the interpreter's version).
_EXCLUSIVE = references(wrap(Traced, np.zeros(1)))
