"""Random functions with Python loops, for the fuzzer of rolled loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def random_loop(rng: np.random.Generator) -> tuple[Callable[..., Any], list[np.ndarray]]:
    """Return a function of (x, w, rows) with a loop in it, and arguments."""
    n = int(rng.integers(1, 6))
    length = int(rng.integers(8, 30))
    x, w = rng.standard_normal(n), rng.standard_normal(n)
    rows = rng.standard_normal((length + 2, n))
    plan = [int(k) for k in rng.integers(0, 10, int(rng.integers(1, 5)))]
    history = bool(rng.random() < 0.3)
    collect = bool(rng.random() < 0.5)
    total_up = bool(rng.random() < 0.5)
    backwards = bool(rng.random() < 0.3)
    steps = rng.random(length).tolist()

    def function(x: Any, w: Any, rows: Any) -> Any:
        state, before = x, w
        kept, total = [], x * 0
        for t in range(length):
            row = rows[length - t] if backwards else rows[t + 1]
            y = state
            for k in plan:
                if k == 0:
                    y = np.sin(y) + row
                elif k == 1:
                    y = y * w
                elif k == 2:
                    y = np.tanh(y + state)
                elif k == 3:
                    y = y * 0.5 + before * 0.25 if history else y - row
                elif k == 4:
                    y = np.concatenate([y[1:], y[:1]])
                elif k == 5:
                    y = y + np.sum(row * y)
                elif k == 6:
                    y = y * steps[t]
                elif k == 7:
                    y = np.where(y > 0, y, np.exp(y) - 1)
                elif k == 8:
                    y = y + row * rows[t]
                else:
                    y = y / (1 + np.abs(y))
            before, state = state, y
            if collect:
                kept.append(state * w)
            if total_up:
                total = total + state * state
        out = state + total
        if collect:
            out = out + np.sum(np.stack(kept) * rows[:length], axis=0)
        return out

    return function, [x, w, rows]
