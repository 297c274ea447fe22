"""`torch.autograd.graph`: nodes, edges, hooks on several gradients, and edits of saved tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....errors import ArgumentError, GraphError, user_line
from ..graph import GradientEdge, MultiHook, Node, RemovableHandle, add_multi_hook
from ..missing import missing
from ..modes import Mode
from ..state import mutation_allowed
from ..storage import mark_edited, root_of

__getattr__ = missing("torch.autograd.graph")

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
]


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Return the place in the graph where the tensor's gradient arrives, without keeping the tensor.

    Raises GraphError if it does not require a gradient.
    """
    if not tensor.requires_grad:
        raise GraphError(
            "it is not possible to get the gradient edge of a tensor that does not require gradients", where=user_line()
        )
    return GradientEdge(Node(tensor._line), 0)


def register_multi_grad_hook(tensors: Sequence[Any], fn: Any, *, mode: str = "all") -> RemovableHandle:
    """Call `fn` in each backward pass when the gradients of several tensors are there.

    Parameters
    ----------
    mode : {"all", "any"}
        With "all", `fn(gradients)` once with a list, None for those that were not computed; with "any", `fn(gradient)`
        once for the first.

    Raises
    ------
    ArgumentError
        If the mode is unknown.
    GraphError
        If a tensor does not require a gradient.
    """
    if mode not in ("all", "any"):
        raise ArgumentError(f"register_multi_grad_hook: mode is 'all' or 'any', not {mode!r}")
    for i, tensor in enumerate(tensors):
        if not tensor.requires_grad:
            raise GraphError(
                f"cannot register a hook on tensor {i}, which does not require gradient", where=user_line()
            )
    return add_multi_hook(MultiHook(fn, [tensor._line for tensor in tensors], mode == "any"))


def increment_version(tensor: Any) -> None:
    """Say that tensors were changed by means that are not seen."""
    for one in tensor if isinstance(tensor, list | tuple) else (tensor,):
        root = root_of(one)
        root._writes = root._writes + 1
        mark_edited(root, root._writes - 1)


class allow_mutation_on_saved_tensors(Mode):
    """Values that were saved for a gradient may be changed in place: the gradient is that of the values saved."""

    def _enter(self) -> Any:
        if mutation_allowed.get():
            raise GraphError("allow_mutation_on_saved_tensors contexts cannot be nested", where=user_line())
        return mutation_allowed.set(True)

    def _exit(self, token: Any) -> None:
        mutation_allowed.reset(token)
