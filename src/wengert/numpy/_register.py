"""The table of functions that tensors handle, filled by the `implements` decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..recording import Traced
from ..tensor import Tensor, _holds_tensor

FUNCTIONS: dict[Any, Callable[..., Any]] = {}

F = TypeVar("F", bound=Callable[..., Any])


def implements(*functions: Any) -> Callable[[F], F]:
    """Make a function what the given NumPy functions do when an argument is a tensor."""

    def register(handler: F) -> F:
        for function in functions:
            FUNCTIONS[function] = handler
        return handler

    return register


def as_array(x: Any) -> Any:
    """Return a tensor or array; nested lists may hold tensors, which stay tracked."""
    if isinstance(x, Traced | np.ndarray | np.generic):
        return x
    if _holds_tensor(x):
        from .creating import array

        return array(x)
    return np.asarray(x)


def as_tensor(x: Any) -> Tensor:
    """Return a tensor, for functions whose result is one whatever they are given."""
    return x if isinstance(x, Tensor) else Tensor(x)


def store(result: Any, out: Any) -> Any:
    """Honour an `out=` argument."""
    if out is None:
        return result
    if isinstance(out, tuple):
        (out,) = out
    if isinstance(out, Tensor):
        return out._assign(result)
    result_array = np.asarray(result)  # raises TraceLost where the derivative would be dropped
    np.copyto(out, result_array, casting="same_kind")
    return out
