"""Plain `np.*` on tensors costs little more than the same call in the native namespace."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import wengert as wg
import wengert.numpy as xp

CALLS: dict[str, Any] = {
    "mean": lambda f, x, a: f(x),
    "reshape": lambda f, x, a: f(a, (8, 32)),
    "concatenate": lambda f, x, a: f([x, x]),
    "stack": lambda f, x, a: f([x, x]),
    "where": lambda f, x, a: f(x > 0.5, x, 0.0),
    "dot": lambda f, x, a: f(a, x),
    "max": lambda f, x, a: f(x),
    "roll": lambda f, x, a: f(x, 1),
    "clip": lambda f, x, a: f(x, 0.2, 0.8),
    "cumsum": lambda f, x, a: f(x),
    "diff": lambda f, x, a: f(x),
    "outer": lambda f, x, a: f(x, x),
    "sort": lambda f, x, a: f(x),
    "einsum": lambda f, x, a: f("ij,j->i", a, x),
}


def calls_made(function: Any) -> int:
    """Return how many Python functions are entered: what a call through the protocol costs on top, without a clock."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_the_protocol_adds_at_most_fifteen_percent() -> None:
    x, a = np.linspace(0.1, 1, 16), np.linspace(0, 1, 256).reshape(16, 16)
    made = {}

    def measure(x: Any) -> Any:
        tensor = xp.asarray(a)
        for name, call in CALLS.items():
            functions = (getattr(np, name), getattr(xp, name))
            for function in functions:  # what the first call imports is none of the cost
                call(function, x, tensor)
            made[name] = [calls_made(lambda c=call, f=f: c(f, x, tensor)) for f in functions]
        return np.sum(x)

    wg.grad(measure)(x)
    assert all(plain <= native + 6 for plain, native in made.values()), made
    assert sum(plain for plain, _ in made.values()) <= 1.15 * sum(native for _, native in made.values()), made
