"""What a backward pass starts from and goes to: outputs, their gradients and sources, checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import tensor as core
from ...errors import GraphDtypeError, GraphError, GraphShapeError, StructureError, user_line
from ...recording import Line, Traced, current, is_live, wrap
from .graph import GradientEdge
from .tensor import Tensor


def to_torch(value: Any, graph: bool = False) -> Tensor:
    """Return an array or core tensor as a tensor of this family, with its graph or without."""
    if isinstance(value, Traced):
        return wrap(Tensor.family, value._data, value._line if graph or value._data is None else None)
    return wrap(Tensor.family, value)


def to_core(value: Any, graph: bool) -> Any:
    """Return a tensor as the core's rules want it: an array, or a core tensor where its graph matters."""
    if not isinstance(value, Traced):
        return value
    if value._data is None or (graph and is_live(value._line, current())):
        return wrap(core.Tensor, value._data, value._line)
    return value._data


def sequence_of(value: Any, what: str) -> list[Any]:
    """Return a tensor, an edge or a sequence of them as a list."""
    if isinstance(value, Traced | GradientEdge):
        return [value]
    if isinstance(value, list | tuple):
        return list(value)
    raise StructureError(f"{what} must be a tensor or a sequence of tensors, not {type(value).__name__}")


def line_of(value: Any, what: str, i: int) -> Line:
    """Return the line of an output, which must lead to leaves."""
    if isinstance(value, GradientEdge):
        return value.node._line
    if not isinstance(value, Traced):
        raise StructureError(f"{what} {i} must be a tensor, not {type(value).__name__}")
    line = value._line
    if line is None or not Tensor.requires_grad.fget(value):  # type: ignore[attr-defined]
        raise GraphError(
            f"element {i} of the {what}s does not require grad and does not have a grad_fn",
            where=user_line(),
            why="nothing was recorded that leads to it",
            hint="requires_grad=True for the leaves; create_graph=True if it is itself a gradient",
        )
    return line


def seed_of(output: Any, line: Line, gradient: Any, i: int, graph: bool, batched: bool = False) -> Any:
    """Return the cotangent an output starts with: the gradient given for it, or ones."""
    shape, dtype = line.shape, line.dtype
    if gradient is None:
        size = 1
        for n in shape:
            size *= n
        if size != 1:
            raise GraphShapeError(
                f"grad can be implicitly created only for scalar outputs; output {i} has shape {tuple(shape)}",
                where=user_line(),
                hint="y.sum().backward(), or pass a gradient of the output's shape",
            )
        if dtype.kind == "c":
            raise GraphDtypeError(
                f"grad can be implicitly created only for real scalar outputs; output {i} is torch.{dtype}",
                where=user_line(),
                hint="pass a gradient, or take y.real or y.abs()",
            )
        return np.ones(shape, dtype)
    given = tuple(gradient.shape)[1:] if batched else tuple(gradient.shape)
    if given != tuple(shape):
        raise GraphShapeError(
            f"mismatch in shape: gradient {i} has shape {given}{' per batch entry' if batched else ''}, but output {i} "
            f"has shape {tuple(shape)}",
            where=user_line(),
        )
    kind = gradient.dtype.kind
    if (kind == "c") != (dtype.kind == "c"):
        raise GraphDtypeError(
            f"mismatch in dtype: gradient {i} is {gradient.dtype!r}, but output {i} is torch.{dtype}",
            where=user_line(),
            why="a real quantity has no complex gradient, and the other way round",
        )
    seed = to_core(gradient, graph)
    return seed if seed.dtype == dtype else seed.astype(dtype)


def matched(gradients: Any, count: int) -> list[Any]:
    """Return one gradient or None per output."""
    if gradients is None:
        return [None] * count
    given = [gradients] if isinstance(gradients, Traced) else gradients
    if not isinstance(given, list | tuple):
        raise StructureError(
            f"gradients can be either tensors or None, but got {type(gradients).__name__}", where=user_line()
        )
    for gradient in given:
        if gradient is not None and not isinstance(gradient, Traced):
            raise StructureError(
                f"gradients can be either tensors or None, but got {type(gradient).__name__}", where=user_line()
            )
    if len(given) != count:
        raise GraphError(f"got {count} tensors and {len(given)} gradients", where=user_line())
    return list(given)


def seeds_of(
    outputs: Sequence[Any], lines: Sequence[Line], gradients: Sequence[Any], graph: bool, batched: bool = False
) -> dict[Line, Any]:
    """Return the cotangents of all outputs by line; an output listed twice gets the sum."""
    seeds: dict[Line, Any] = {}
    for i, (output, line, gradient) in enumerate(zip(outputs, lines, gradients, strict=True)):
        seed = seed_of(output, line, gradient, i, graph, batched)
        seeds[line] = seeds[line] + seed if line in seeds else seed
    return seeds


def source_line(value: Any) -> Line:
    """Return the line of a tensor or edge that is differentiated with respect to."""
    if isinstance(value, GradientEdge):
        return value.node._line
    if not isinstance(value, Traced):
        raise StructureError(f"inputs must be tensors, not {type(value).__name__}")
    line = value._line
    if line is None or not Tensor.requires_grad.fget(value):  # type: ignore[attr-defined]
        raise GraphError(
            "one of the differentiated tensors does not require grad", where=user_line(), hint="requires_grad_()"
        )
    return line
