"""A solver inside a derivative: its solution carries the derivative where the problem reads what is differentiated.

Outside of any recording the faces of `optimize` and `integrate` fill exact derivatives in for the solver and return
plain numbers. Inside one, a problem whose function or arguments are tracked goes to `wengert.implicit`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from .. import tree
from ..recording import AMBIENT, Traced, current, enclosing_traces, is_tracked


def solution(face: Callable[..., Any]) -> Callable[..., Any]:
    """Make the face of a solver that `wengert.implicit` knows differentiable inside a recording."""

    @functools.wraps(face)
    def solver(*args: Any, **options: Any) -> Any:
        original = getattr(import_module(face.__module__.replace("wengert.", "")), face.__name__)
        if reads_tracked(original, args, options):
            from ..differentiation.implicit_scipy import implicit

            return implicit(original)(*args, **options)
        return face(*args, **options)

    return solver


def plain_solver(module: str, name: str) -> Callable[..., Any]:
    """Return the face of a solver for which there is nothing to fill in."""

    def face(*args: Any, **options: Any) -> Any:
        return getattr(import_module(module.replace("wengert.", "")), name)(*args, **options)

    face.__name__ = face.__qualname__ = name
    face.__module__ = module
    face.__doc__ = f"Same as `{module.replace('wengert.', '')}.{name}`; inside a derivative the solution carries it."
    return solution(face)


def _tracked(value: Any) -> bool:
    return any(isinstance(leaf, Traced) and is_tracked(leaf) for leaf in tree.flatten(value)[0])


def reads_tracked(original: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether an argument is tracked, or else the function's value at a point where the solver looks is."""
    if current() is AMBIENT and not enclosing_traces():
        return False
    if any(_tracked(value) for value in (*args, *options.values()) if not callable(value)):
        return True
    try:
        given = inspect.signature(original).bind(*args, **options).arguments
    except TypeError:  # the face will say what is wrong
        return False
    function, first, *rest = given.values()
    start: list[Any] = [np.asarray(first)]
    if "t_span" in given:
        start = [first[0], np.asarray(rest[0])]
    elif "a" in given:  # an interval
        start = [next((float(end) for end in (first, rest[0]) if np.isfinite(end)), 0.0)]
    extra = given.get("args") or ()
    value = function(*start, *(extra if isinstance(extra, tuple | list) else (extra,)), **(given.get("kwargs") or {}))
    return _tracked(value)
