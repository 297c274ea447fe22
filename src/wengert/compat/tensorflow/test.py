"""`tf.test`: derivatives against differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._missing import reporter as _reporter
from ._tape import GradientTape
from ._tensor import convert_to_tensor


def compute_gradient(
    f: Callable[..., Any], x: Sequence[Any], delta: float | None = None
) -> tuple[list[Any], list[Any]]:
    """Return the Jacobians of a function by each argument, exact and by central differences, as matrices."""
    points = [convert_to_tensor(value) for value in x]
    with GradientTape() as tape:
        tape.watch(points)
        y = f(*points)
    exact = [
        block.numpy().reshape(y.size, point.size) if block is not None else np.zeros((y.size, point.size), point.dtype)
        for block, point in zip(tape.jacobian(y, points), points, strict=True)
    ]
    differences = []
    for i, point in enumerate(points):
        step = delta or float(np.finfo(point.dtype).eps) ** (1 / 3)
        columns = []
        for k in range(point.size):
            ends = []
            for sign in (1, -1):
                moved = np.array(point.numpy())
                moved.reshape(-1)[k] += sign * step
                args = [*points[:i], convert_to_tensor(moved), *points[i + 1 :]]
                ends.append(np.asarray(f(*args).numpy()).reshape(-1))
            columns.append((ends[0] - ends[1]) / (2 * step))
        differences.append(np.stack(columns, 1).astype(point.dtype) if columns else np.zeros((y.size, 0), point.dtype))
    return exact, differences


def is_gpu_available(*_: Any, **__: Any) -> bool:
    """Return False."""
    return False


def is_built_with_cuda() -> bool:
    """Return False."""
    return False


__getattr__ = _reporter(__name__, lambda: list(globals()))
