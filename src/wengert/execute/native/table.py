"""The table of what elementwise primitives do to one element; `arithmetic` and `choosing` fill it in."""

from __future__ import annotations

from collections.abc import Callable

from .ir import Value

Lower = Callable[..., Value]
LOWER: dict[str, Lower] = {}
# Rough cost in additions where it is not 1.
COST: dict[str, int] = {
    "divide": 4,
    "sqrt": 6,
    "remainder": 30,
    "floor_divide": 30,
    "reciprocal": 4,
    "sinc": 25,
    "tanh_slope": 20,
    "sqrt_slope": 10,
}


def lowers(*names: str) -> Callable[[Lower], Lower]:
    """Register the native form of primitives."""

    def register(function: Lower) -> Lower:
        for name in names:
            LOWER[name] = function
        return function

    return register
