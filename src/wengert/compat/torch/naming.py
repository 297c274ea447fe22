"""Graph nodes named after the function that was called, where that is made of several operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from ...recording import Traced
from .graph import notes_of

F = TypeVar("F", bound=Callable[..., Any])


def node(name: str) -> Callable[[F], F]:
    """Name the graph node of a function's results `<name>Backward0`."""
    full = f"{name}Backward0"

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            name_result(result, full, args)
            return result

        return call  # type: ignore[return-value]

    return decorate


def name_result(result: Any, name: str, args: tuple[Any, ...]) -> None:
    """Name the node of a result, or of each of several, unless it is one of the arguments."""
    if isinstance(result, Traced):
        line = result._line
        if line is None or line.abstract or line.primitive is None:
            return
        for arg in args:
            if isinstance(arg, Traced) and arg._line is line:
                return
        notes_of(line).name = name
    elif isinstance(result, tuple):
        for part in result:
            name_result(part, name, args)
