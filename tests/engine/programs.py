"""Random functions of arrays, written with plain NumPy: a list of instructions that any array-like runs through.

`choose(n)` picks a number below n: a hypothesis draw, or a seeded generator. Every function is smooth at almost every
point and stays of moderate size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Choose = Callable[[int], int]
Step = Callable[[Any, Any], Any]


def tame(x: Any) -> Any:
    """Keep large numbers from growing further."""
    return x / np.sqrt(1 + 0.05 * x * x)


SMOOTH: dict[str, Callable[[Any], Any]] = {
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "arctan": np.arctan,
    "arcsinh": np.arcsinh,
    "exp": lambda x: np.exp(0.3 * tame(x)),
    "log1p": lambda x: np.log1p(x * x),
    "sqrt": lambda x: np.sqrt(1 + x * x),
    "reciprocal": lambda x: 1 / (2 + x * x),
    "expm1": lambda x: np.expm1(0.2 * tame(x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "sinc": lambda x: np.sinc(0.3 * x),
    "square": lambda x: tame(np.square(x)),
    "power": lambda x: (1 + x * x) ** 0.7,
    "negative": lambda x: -x,
    "hypot": lambda x: np.hypot(x, 1.5),
}
BENT: dict[str, Callable[[Any], Any]] = {
    "abs": lambda x: np.abs(x + 0.123),
    "clip": lambda x: np.clip(x, -0.8137, 1.2911),
    "maximum": lambda x: np.maximum(x, 0.0713),
    "where": lambda x: np.where(x > 0.0391, np.log(np.where(x > 0.0391, x, 1.0) + 1), 0.1 * x),
    "floor": lambda x: np.floor(x) + x,
}
PAIRS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: tame(x * y),
    "divide": lambda x, y: x / (1 + y * y),
    "arctan2": lambda x, y: np.arctan2(x, 2 + y * y),
    "logaddexp": np.logaddexp,
    "power": lambda x, y: (1.5 + np.tanh(x)) ** np.tanh(y),
    "larger": np.maximum,
}
SHAPES: dict[str, Callable[[Any], Any]] = {
    "transpose": lambda x: np.transpose(x),
    "ravel": lambda x: np.ravel(x),
    "flip": lambda x: np.flip(x),
    "roll": lambda x: np.roll(x, 1),
    "new axis": lambda x: x[None] if np.ndim(x) < 3 else x,
    "first": lambda x: x[0] if np.ndim(x) else x,
    "half": lambda x: x[..., ::2] if np.ndim(x) else x,
    "gather": lambda x: x[np.array([0, -1, 0])] if np.ndim(x) else x,
    "twice": lambda x: np.concatenate([x, 2 * x], axis=-1) if np.ndim(x) and np.shape(x)[-1] < 6 else x,
    "stack": lambda x: np.stack([x, np.sin(x)]) if np.ndim(x) < 2 else x,
    "pad": lambda x: np.pad(x, 1) if 0 < np.ndim(x) < 3 and np.size(x) < 12 else x,
    "repeat": lambda x: np.repeat(x, 2) if np.size(x) < 10 else x,
    "swap": lambda x: np.swapaxes(x, 0, -1) if np.ndim(x) else x,
    "broadcast": lambda x: np.broadcast_to(x, (2, *np.shape(x))) if np.ndim(x) < 2 else x,
}
ALONG: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: np.sum(x, axis=-1) if np.ndim(x) else x,
    "mean": lambda x: x - np.mean(x, axis=0, keepdims=True) if np.ndim(x) else x,
    "total": np.sum,
    "max": lambda x: np.max(x, axis=0) if np.ndim(x) else x,
    "prod": lambda x: tame(np.prod(np.cos(0.5 * x), axis=-1)) if np.ndim(x) else x,
    "cumsum": lambda x: tame(np.cumsum(x, axis=0)) if np.ndim(x) else x,
    "cumprod": lambda x: np.cumprod(np.cos(0.3 * x), axis=-1) if np.ndim(x) else x,
    "sort": lambda x: np.sort(x, axis=-1) if np.ndim(x) else x,
    "diff": lambda x: np.diff(x, axis=-1) if np.ndim(x) and np.shape(x)[-1] > 1 else x,
    "var": lambda x: np.var(x),
    "norm": lambda x: np.linalg.norm(x + 0.7) if np.ndim(x) else x,
    "gram": lambda x: tame(x @ np.swapaxes(x, -1, -2)) if np.ndim(x) >= 2 else x,
    "outer": lambda x: np.outer(x, np.cos(x)) if np.size(x) < 5 else x,
    "einsum": lambda x: np.einsum("...i,...i->...", x, np.sin(x)) if np.ndim(x) else x,
}


def _filled(x: Any) -> Any:
    y = np.zeros_like(x)
    y[...] = 2 * x
    if np.ndim(x):
        y[0] = np.sin(x[-1])
        y[-1] += 0.5 * x[0]
    return y


def _looped(x: Any) -> Any:
    y = x * 0.5
    for k in range(3):
        y = np.sin(y) + x / (k + 2)
    return y


def _branched(x: Any) -> Any:
    return np.sin(x) if np.sum(x) > 0.01717 else tame(x * x)


PROGRAMMED: dict[str, Callable[[Any], Any]] = {"filled": _filled, "looped": _looped, "branched": _branched}
ONE: dict[str, Callable[[Any], Any]] = {**SMOOTH, **BENT, **SHAPES, **ALONG, **PROGRAMMED}
STEPS = [(name, 1) for name in ONE] + [(name, 2) for name in PAIRS] * 2
SHAPES_IN = [(), (1,), (3,), (2, 2), (2, 3), (1, 4)]


class RandomFunction:
    """A function made of `length` random steps over its arguments; `str` gives it as code."""

    def __init__(self, choose: Choose, length: int, arguments: int, traceable: bool = False) -> None:
        self.arguments = arguments
        self.steps: list[tuple[str, tuple[int, ...]]] = []
        for k in range(length):
            name, count = STEPS[choose(len(STEPS))]
            if traceable and name == "branched":
                name = "looped"
            # mostly the newest values, so that the steps form a chain with branches
            newest = arguments + k
            self.steps.append((name, tuple(newest - 1 - choose(min(newest, 3)) for _ in range(count))))

    def __call__(self, *values: Any) -> Any:
        known = list(values)
        for name, places in self.steps:
            operands = [known[i] for i in places]
            if len(operands) == 2:
                known.append(PAIRS[name](*_fitted(*operands)))
            else:
                known.append(ONE[name](operands[0]))
        # the result hangs from the last steps, so that few are wasted
        return known[-1] if len(known) == self.arguments else (known[-1], np.sum(known[-2]) * 0.5 + np.sum(known[0]))

    def __str__(self) -> str:
        rows = [f"def f({', '.join(f'v{i}' for i in range(self.arguments))}):"]
        for k, (name, places) in enumerate(self.steps):
            rows.append(f"    v{self.arguments + k} = {name}({', '.join(f'v{i}' for i in places)})")
        return "\n".join(rows)

    __repr__ = __str__


def _fitted(x: Any, y: Any) -> tuple[Any, Any]:
    """Make two operands broadcast: where they do not, the second becomes a number."""
    try:
        shape = np.broadcast_shapes(np.shape(x), np.shape(y))
    except ValueError:
        return x, np.sum(y)
    return (x, y) if np.prod(shape) <= 24 else (x, np.sum(y))


def random_arguments(choose: Choose, generator: np.random.Generator, count: int) -> list[np.ndarray]:
    """Return arrays of small shapes with numbers of both signs."""
    return [generator.uniform(-2, 2, SHAPES_IN[choose(len(SHAPES_IN))]) for _ in range(count)]


def seeded(seed: int, length: int = 7, traceable: bool = False) -> tuple[RandomFunction, list[np.ndarray]]:
    """Return the random function and arguments of a seed."""
    generator = np.random.default_rng(seed)

    def choose(n: int) -> int:
        return int(generator.integers(n))

    count = 1 + choose(2)
    function = RandomFunction(choose, 2 + choose(length), count, traceable)
    return function, random_arguments(choose, generator, count)


def as_list(result: Any) -> Sequence[Any]:
    return list(result) if isinstance(result, tuple) else [result]
