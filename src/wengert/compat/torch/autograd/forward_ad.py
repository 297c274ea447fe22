"""`torch.autograd.forward_ad`: dual tensors, whose operations carry a tangent along.

A dual tensor is a leaf of the recording with a tangent noted in its level; the tangent of a result is pushed through
the lines between when it is asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .... import tensor as core
from ....errors import ArgumentError, GraphDtypeError, GraphError, GraphShapeError, StructureError, user_line
from ....primitives.structural import alias
from ....recording import AMBIENT, Line, Traced, apply, close_window, current, depends, is_live, leaf, open_window, wrap
from ....transforms.forward import push_forward
from ..ends import to_core, to_torch
from ..missing import missing
from ..modes import Mode
from ..state import DualSession
from ..state import dual_level as _open_level
from ..tensor import Tensor

__getattr__ = missing("torch.autograd.forward_ad")


class _Level:
    """An open dual level: its stretch of recording, and the tangents of its dual tensors by line."""

    def __init__(self) -> None:
        self.session = DualSession(None)
        self.recorder, self.sessions = open_window((self.session,))
        self.tangents: dict[Line, Any] = {}

    def close(self) -> None:
        """Forget the tangents; nothing recorded for them lives on."""
        self.tangents = {}
        close_window(self.recorder, self.sessions)


def enter_dual_level() -> int:
    """Open a level.

    Raises GraphError if one is open already.
    """
    if _open_level.get() is not None:
        raise GraphError(
            "nested forward mode AD is not supported: a dual level is open",
            where=user_line(),
            hint="torch.func.jvp nests",
        )
    _open_level.set(_Level())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Close the level.

    Raises GraphError if none is open.
    """
    open_level = _open_level.get()
    if open_level is None:
        raise GraphError("there is no dual level to exit", where=user_line())
    _open_level.set(None)
    open_level.close()


class dual_level(Mode):
    """A context in which dual tensors can be made; their tangents end with it."""

    def _enter(self) -> Any:
        return enter_dual_level()

    def _exit(self, token: Any) -> None:
        exit_dual_level()


class UnpackedDualTensor(NamedTuple):
    """A tensor and its tangent, None where it has none."""

    primal: Any
    tangent: Any


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """Return a tensor of the same values that carries a tangent along.

    Raises
    ------
    GraphError
        If no level is open, or the tensor has a tangent.
    ArgumentError
        If tensor or tangent is neither floating nor complex.
    GraphShapeError, GraphDtypeError
        If the tangent does not fit the tensor.
    """
    open_level = _open_level.get()
    if open_level is None:
        raise GraphError(
            "trying to create a dual tensor outside of a dual level",
            where=user_line(),
            hint="with torch.autograd.forward_ad.dual_level(): ...",
        )
    for what, value in (("primal", tensor), ("tangent", tangent)):
        if not isinstance(value, Tensor):
            raise StructureError(f"make_dual: the {what} must be a tensor, not {type(value).__name__}")
        if value.dtype.kind not in "fc":
            raise ArgumentError(
                f"make_dual: expected the {what} to be floating point or complex, but got {value.dtype!r}"
            )
    if tangent.shape != tensor.shape:
        raise GraphShapeError(
            f"make_dual: the tangent has shape {tuple(tangent.shape)}, but the tensor has shape {tuple(tensor.shape)}",
            where=user_line(),
        )
    if tangent.dtype.kind == "c" and tensor.dtype.kind != "c":
        raise GraphDtypeError(f"make_dual: the tangent is {tangent.dtype!r}, but the tensor is {tensor.dtype!r}")
    if tensor._line is not None and depends([tensor._line], list(open_level.tangents)):
        raise GraphError("make_dual: the tensor has a tangent already", where=user_line(), hint="unpack_dual(x).primal")
    graph = is_live(tangent._line, current())
    if is_live(tensor._line, current()):
        made = apply(alias, (tensor,))
    else:
        line = leaf(tensor._data.shape, tensor._data.dtype, open_level.session)
        made = wrap(Tensor.family, tensor._data, line)
    seed = to_core(tangent, graph)
    open_level.tangents[made._line] = seed if seed.dtype == made._data.dtype else seed.astype(made._data.dtype)
    return made


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """Return a tensor's values and its tangent; outside of a level the tangent is None."""
    open_level = _open_level.get()
    if not isinstance(tensor, Tensor):
        raise StructureError(f"unpack_dual: expected a tensor, not {type(tensor).__name__}")
    line = tensor._line
    if open_level is None or line is None:
        return UnpackedDualTensor(tensor, None)
    sources = list(open_level.tangents)
    lines = depends([line], sources)
    if not lines:
        return UnpackedDualTensor(tensor, None)
    dual = type(line.session) is DualSession
    higher = (
        not dual
        or open_level.recorder.outer is not AMBIENT
        or any(isinstance(seed, Traced) for seed in open_level.tangents.values())
    )
    found = push_forward(lines, dict(open_level.tangents), [line], core.Tensor if higher else None)
    primal = wrap(Tensor.family, tensor._data, None if dual else line)
    if line not in found:
        return UnpackedDualTensor(primal, wrap(Tensor.family, np.zeros(line.shape, line.dtype)))
    return UnpackedDualTensor(primal, to_torch(found[line], higher))


def is_dual_level_open() -> bool:
    """Return whether a level is open."""
    return _open_level.get() is not None
