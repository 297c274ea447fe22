"""How a function of SciPy gets a face for tensors: SciPy's own runs where no argument is one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import UnsupportedFunction, user_line
from ..numpy._register import as_array
from ..recording import Traced


def holds_tensor(value: Any) -> bool:
    """Whether a value is a tensor, or a list, tuple or dict with one in it, or says that it holds one."""
    if isinstance(value, Traced):
        return True
    if isinstance(value, list | tuple):
        return any(map(holds_tensor, value))
    if isinstance(value, dict):
        return any(map(holds_tensor, value.values()))
    return getattr(value, "_holds_tensor", False) is True


def face(original: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function what a function of SciPy's does on tensors, under its name and signature.

    Arguments are bound to SciPy's own parameters, so that one that it does not have raises a TypeError as there, and
    each reaches the parameter of its name. A rule takes what matters to it; `**_` are settings that change nothing.
    """
    try:
        signature = inspect.signature(original)
    except ValueError:  # written in C
        signature = None

    def decorate(rule: Callable[..., Any]) -> Callable[..., Any]:
        by_name = signature is not None and _takes_by_name(rule, signature)

        @functools.wraps(rule)
        def function(*args: Any, **options: Any) -> Any:
            if not (holds_tensor(args) or holds_tensor(options)):
                return original(*args, **options)
            if signature is not None:
                bound = signature.bind(*args, **options)
                if by_name:
                    return rule(**bound.arguments)
            return rule(*args, **options)

        function.original = original  # type: ignore[attr-defined]
        return function

    return decorate


def _takes_by_name(rule: Callable[..., Any], signature: inspect.Signature) -> bool:
    """Whether a rule's parameters are some of SciPy's, all of which have names."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    own = {p.name for p in inspect.signature(rule).parameters.values() if p.kind not in variable}
    theirs = signature.parameters.values()
    return own <= set(signature.parameters) and not any(
        p.kind in (*variable, inspect.Parameter.POSITIONAL_ONLY) for p in theirs
    )


def floating(x: Any) -> Any:
    """Return a tensor or array of floating or complex numbers."""
    x = as_array(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def refuse(name: str, what: str, hint: str) -> UnsupportedFunction:
    """Return the error for a setting of a function that has no rule."""
    return UnsupportedFunction(f"{name}: {what} has no derivative rule", where=user_line(), hint=hint)


def plain(x: Any, name: str) -> Any:
    """Return the numbers of an argument by which there is no derivative; tracked ones raise."""
    if not isinstance(x, Traced):
        return x
    from ..recording import is_tracked

    if is_tracked(x):
        raise refuse(name, "the derivative by this argument", "pass x.numpy() if that derivative is not wanted")
    return x._data
