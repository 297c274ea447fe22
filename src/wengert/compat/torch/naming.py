"""Graph nodes named after the function that was called, where that is made of several operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from ...recording import Traced
from .graph import notes_of
from .operators import misfit

F = TypeVar("F", bound=Callable[..., Any])


def node(name: str) -> Callable[[F], F]:
    """Name the graph node of a function's results `<name>Backward0`, or as given if that says Backward."""
    full = name if "Backward" in name else f"{name}Backward0"

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            name_result(result, full, args)
            return result

        return call  # type: ignore[return-value]

    return decorate


def fits(function: F) -> F:
    """Turn NumPy's ValueError about shapes into a GraphShapeError, which is PyTorch's RuntimeError as well."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ValueError as error:
            flat = [x for arg in args for x in (arg if isinstance(arg, list | tuple) else (arg,))]
            raise misfit(function.__name__, error, *flat) from None

    return call  # type: ignore[return-value]


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
