"""`torch.autograd.Function` under `vmap`: the call as a custom rule whose batch rule is the user's `vmap`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ....differentiation.custom import CustomRule
from ....errors import GraphError, user_line
from ....recording import Traced, wrap
from ....tensor import Tensor as Core
from ..ends import to_torch


class VmapInfo(NamedTuple):
    """What a Function's `vmap` is told beside its arguments."""

    batch_size: int
    randomness: str


def _core(value: Any) -> Any:
    if not isinstance(value, Traced):
        return value
    return wrap(Core, value._data, value._line) if value._line is not None else value._data


def _map(value: Any) -> Any:
    return tuple(map(_core, value)) if isinstance(value, tuple) else _core(value)


def call_abstract(cls: Any, args: tuple[Any, ...]) -> Any:
    """Call a Function on tensors without values.

    Raises
    ------
    GraphError
        If it has no `vmap` of its own and does not ask for a generated one, has both, or has no `setup_context`.
    """
    from .function import Context, overrides

    own = overrides(cls, "vmap")
    if own and cls.generate_vmap_rule:
        raise GraphError(
            f"{cls.__name__} has generate_vmap_rule=True and a vmap method of its own", hint="remove one of the two"
        )
    if not own and not cls.generate_vmap_rule:
        raise GraphError(
            f"{cls.__name__} is called under vmap, but it has no rule for that",
            where=user_line(),
            hint="generate_vmap_rule = True in the class, or a static method vmap(info, in_dims, *args)",
        )
    if not overrides(cls, "setup_context"):
        raise GraphError(
            f"{cls.__name__} is called under vmap, but its forward takes ctx",
            where=user_line(),
            hint="forward(*args) and a static method setup_context(ctx, inputs, output)",
        )
    positions = [i for i, arg in enumerate(args) if isinstance(arg, Traced)]

    def filled(values: Sequence[Any]) -> list[Any]:
        made = list(args)
        for i, value in zip(positions, values, strict=True):
            made[i] = to_torch(value, True) if isinstance(value, Traced | np.ndarray | np.generic) else value
        return made

    def forward(*values: Any) -> Any:
        return _map(cls.forward(*filled(values)))

    def context(values: Sequence[Any], out: Any) -> Any:
        ctx = Context()
        ctx.needs_input_grad = tuple(isinstance(arg, Traced) for arg in args)
        output = tuple(to_torch(part, True) for part in out) if isinstance(out, tuple) else to_torch(out, True)
        cls.setup_context(ctx, tuple(filled(values)), output)
        return ctx

    def vjp(cotangent: Any, out: Any, *values: Any) -> Any:
        cotangents = cotangent if isinstance(cotangent, tuple) else (cotangent,)
        given = [None if ct is None else to_torch(ct, True) for ct in cotangents]
        found = cls.backward(context(values, out), *given)
        found = found if isinstance(found, tuple) else (found,)
        return tuple(_core(found[i]) for i in positions)

    def jvp(tangents: Any, out: Any, *values: Any) -> Any:
        given: list[Any] = [None] * len(args)
        for i, tangent in zip(positions, tangents, strict=True):
            given[i] = None if tangent is None else to_torch(tangent, True)
        return _map(cls.jvp(context(values, out), *given))

    def batch(size: int, batched: Sequence[bool], *values: Any) -> Any:
        return _batched(cls, filled(values), positions, size, batched)

    rule = CustomRule(
        forward,
        vjp=vjp if overrides(cls, "backward") else None,
        jvp=jvp if overrides(cls, "jvp") else None,
        batch=batch if own else None,
    )
    rule.__name__ = cls.__name__
    return rule(*(args[i] for i in positions))


def _batched(cls: Any, args: Sequence[Any], positions: Sequence[int], size: int, batched: Sequence[bool]) -> Any:
    """Call the user's `vmap` and bring the batch axes of its results first."""
    in_dims: list[Any] = [None] * len(args)
    for i, flag in zip(positions, batched, strict=True):
        in_dims[i] = 0 if flag else None
    outputs, out_dims = cls.vmap(VmapInfo(size, "error"), tuple(in_dims), *args)
    if not isinstance(outputs, tuple):
        return _first(outputs, out_dims, size)
    dims = out_dims if isinstance(out_dims, tuple) else (out_dims,) * len(outputs)
    return tuple(_first(out, dim, size) for out, dim in zip(outputs, dims, strict=True))


def _first(out: Any, dim: Any, size: int) -> Any:
    value = _core(out)
    if dim is None:
        return np.broadcast_to(value, (size, *value.shape))
    return np.moveaxis(value, dim, 0)


def call_vmap(rule: Any, size: int, batched: Sequence[bool], values: Sequence[Any]) -> Any:
    """Batch one recorded call of a Function by the user's `vmap`."""
    args: list[Any] = [rule.others.get(i) for i in range(rule.count)]
    for i, value in zip(rule.positions, values, strict=True):
        args[i] = to_torch(value, True)
    return _batched(rule.cls, args, rule.positions, size, batched)
