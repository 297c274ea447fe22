"""A recorded derivative that was pickled: the linear maps at the point as Programs, without the function's own lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import tree
from ..program import Program, Slot, trace
from ..recording import Traced
from ..tensor import Tensor
from ..transforms.derive import concrete_slot


class Restored:
    """What pullbacks and linear maps use of `Recorded`, from saved Programs."""

    def __init__(
        self,
        pull: Program,
        push: Program,
        inputs: Sequence[Slot],
        outputs: Sequence[np.ndarray],
        input_tree: tree.Tree,
        output_tree: tree.Tree,
        plain: bool,
    ) -> None:
        self.pull = pull
        self.push = push
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.input_tree = input_tree
        self.output_tree = output_tree
        self.plain = plain

    def pull_back(self, cotangents: Sequence[Any]) -> list[Any]:
        """Return one cotangent per input for one per output."""
        return list(self.pull(*cotangents))

    def push_forward(self, tangents: Sequence[Any]) -> list[Any]:
        """Return one tangent per output for one per input."""
        return list(self.push(*tangents))

    def finish(self, value: Any) -> Any:
        """Return an array to callers who gave arrays."""
        return value if self.plain or isinstance(value, Traced) else Tensor(value)


def saved(recorded: Any) -> tuple[Any, ...]:
    """Return how to pickle what was recorded.

    Raises
    ------
    TraceLost, AbstractValue
        If it belongs to an enclosing derivative or traced body, which no other process has.
    """
    outputs = [np.asarray(out) if not isinstance(out, Traced) else out.numpy() for out in recorded.outputs]  # type: ignore[attr-defined]
    inputs = [Slot(line.shape, line.dtype) for line in recorded.inputs]
    slots = [concrete_slot(Slot.of(out)) for out in outputs]
    pull = trace(lambda *seeds: recorded.pull_back(seeds), slots)
    push = trace(lambda *seeds: recorded.push_forward(seeds), inputs)
    parts = (pull, push, inputs, outputs, recorded.input_tree, recorded.output_tree, recorded.plain)
    return (Restored, parts)
