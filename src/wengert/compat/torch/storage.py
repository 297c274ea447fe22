"""Shared memory of torch tensors: detached views, in-place edits with their checks and versions.

The core's `views` knows which tensors share memory and how a write reaches all of them; here stands what PyTorch
checks before a write, and what it counts after.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import GraphError, user_line
from ...primitives.base import Primitive, reads_nothing, result_dtype, shape_of
from ...primitives.structural import stop_gradient
from ...recording import Traced, apply, current, next_sequence, wrap
from ...views import BACKWARD, Alias, assign, become
from .graph import edits, is_leaf_line
from .state import in_inference_mode, is_grad_enabled, mutation_allowed


def link(base: Any, view: Any, primitive: Primitive, **params: Any) -> None:
    """Make a single element a view, as in PyTorch: NumPy hands out a copy, which writes would not leave."""
    if base._alias is None:
        base._alias = Alias()
    view._alias = Alias(base, primitive, params, base._alias.written)
    base._alias.add(view)


# ---------------------------------------------------------------- detached views


class _Detach(Primitive):
    """The same values without a history: no line is ever recorded."""

    __slots__ = ()

    def what_is_kept(self, mask: int, count: int) -> Any:
        self.kept[mask, count] = False
        return False


detach: Primitive = _Detach(
    "detach",
    lambda x: x,
    abstract=lambda x: (shape_of(x), result_dtype(x)),
    vjp=None,
    jvp=None,
    batch=lambda size, batched, x: detach(x),
    reads=reads_nothing,
    family="structural",
)
BACKWARD[detach] = lambda alias, value: become(
    alias.base, value._data if isinstance(value, Traced) else value, alias.base._line
)


class _DetachedAlias(Alias):
    """A detached tensor knows its origin only while that is alive, so that it does not keep the history."""

    __slots__ = ("_origin",)

    @property
    def base(self) -> Any:
        return None if self._origin is None else self._origin()

    @base.setter
    def base(self, value: Any) -> None:
        self._origin = None if value is None else weakref.ref(value)


def detached(x: Any) -> Any:
    """Return a tensor of the same memory without a history."""
    if x._data is None:
        return apply(stop_gradient, (x,))
    alias = x._alias
    if alias is None:
        alias = x._alias = Alias()
    if alias.base is not None and not isinstance(alias, _DetachedAlias):
        # The same view of the detached base, so that writes reach the memory when `x` itself is gone.
        origin, primitive, params = detached(alias.base), alias.primitive, alias.params
        made = wrap(type(x).family, x._data)
        made._alias = Alias(origin, primitive, params, alias.written)
        origin._alias.add(made)
        return made
    made = wrap(type(x).family, x._data)
    made._alias = _DetachedAlias(x, detach, {}, alias.written)
    alias.add(made)
    return made


def root_of(tensor: Any) -> Any:
    """Return the tensor that owns the memory."""
    alias = tensor._alias
    while alias is not None and alias.base is not None:
        tensor = alias.base
        alias = tensor._alias
    return tensor


def _members(root: Any) -> list[Any]:
    found = [root]
    for tensor in found:
        if tensor._alias is not None:
            found.extend(tensor._alias.live())
    return found


def modify(target: Any, action: Callable[[], Any], start: int | None = None) -> None:
    """Change a tensor in place as PyTorch does: checks first, then versions, and history only if it is recorded.

    `start` is a sequence number before the first line of the change: these lines may save the old values.

    Raises
    ------
    GraphError
        If the tensor is a leaf that requires a gradient or a view of one, or an inference tensor outside of
        inference mode.
    """
    enabled, recording = is_grad_enabled(), current() is not None
    if enabled:
        check_leaf(target)
    root = root_of(target)
    if target._is_inference and not in_inference_mode():
        raise GraphError(
            "inplace update to an inference tensor outside of inference mode is not allowed",
            where=user_line(),
            hint="x.clone() gives a normal tensor",
        )
    start = next_sequence() if start is None else start
    before = [
        (member, weakref.ref(member._data) if type(member._data) is np.ndarray else None, member._line)
        for member in _members(root)
    ]
    action()
    version = getattr(root, "_writes", 0)
    root._writes = version + 1
    for member, reference, line in before:
        if not recording or (not enabled and line is not None and is_leaf_line(line)):
            member._line = line  # the numbers change, the history does not
        if reference is not None and reference() is not member._data and not mutation_allowed.get():
            edits.add(reference, version, start)


def mark_edited(root: Any, version: int) -> None:
    """Note that a tensor's values, and those of its views, were changed by means that are not seen."""
    for member in _members(root):
        if type(member._data) is np.ndarray:
            edits.add(weakref.ref(member._data), version, next_sequence())


def check_leaf(target: Any) -> None:
    """Raise GraphError if a tensor to be changed in place is a leaf that requires a gradient, or a view of one."""
    tensor, view = target, False
    while True:
        if tensor._data is not None and tensor.is_leaf and tensor.requires_grad:
            what = "a view of a leaf variable" if view else "a leaf variable"
            raise GraphError(
                f"{what} that requires grad is being used in an in-place operation",
                where=user_line(),
                why="the leaf would no longer be the place where its gradient arrives",
                hint="with torch.no_grad(): ... for an update, or x = x + y instead of x += y",
            )
        alias = tensor._alias
        if alias is None or alias.base is None or isinstance(alias, _DetachedAlias):
            return
        tensor, view = alias.base, True


def in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the in-place variant of a function of a tensor."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        start = next_sequence()
        value = function(self, *args, **kwargs)
        if value is NotImplemented:
            return value
        modify(self, lambda: assign(self, value), start)
        return self

    return method
