"""Plain `np.*` on tensors costs little more than the same call in the native namespace."""

from __future__ import annotations

import timeit
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


def test_the_protocol_adds_at_most_fifteen_percent() -> None:
    x, a = np.linspace(0.1, 1, 16), np.linspace(0, 1, 256).reshape(16, 16)
    ratios = []

    def measure(x: Any) -> Any:
        tensor = xp.asarray(a)
        for _ in range(3):
            plain = native = 0.0
            for name, call in CALLS.items():
                functions = (getattr(np, name), getattr(xp, name))
                best = [float("inf")] * 2
                for _ in range(15):  # in turns, so that what else the machine does meets both alike
                    for k, function in enumerate(functions):
                        best[k] = min(best[k], timeit.timeit(lambda c=call, f=function: c(f, x, tensor), number=20))
                plain, native = plain + best[0], native + best[1]
            ratios.append(plain / native)
            if ratios[-1] <= 1.15:
                break
        return np.sum(x)

    wg.grad(measure)(x)
    assert min(ratios) <= 1.15, ratios
