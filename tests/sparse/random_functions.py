"""Random functions of one array, made of everyday NumPy: what sparse results are compared with dense ones on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def _slices(rng, n):
    start = int(rng.integers(0, max(n // 2, 1)))
    stop = int(rng.integers(start + 1, n + 1))
    step = int(rng.choice([1, 1, 2, -1]))
    return slice(start, stop, step) if step > 0 else slice(stop - 1, start - 1 if start else None, -1)


ONE = [
    np.sin,
    np.tanh,
    np.square,
    lambda a: a * a[..., ::-1],
    lambda a: np.exp(-np.square(a)),
    np.abs,
    lambda a: np.where(a > 0, a, 0.5 * a),
    lambda a: np.maximum(a, 0.1),
    lambda a: a / (1.0 + np.square(a)),
    lambda a: np.sqrt(np.abs(a)),
    lambda a: np.flip(a),
    lambda a: np.roll(a, 1),
    lambda a: np.cumsum(a, axis=-1),
    lambda a: a - np.mean(a),
    lambda a: np.clip(a, -1.0, 1.0),
    lambda a: 2.5 * a - 1.0,
    lambda a: np.sort(a, axis=-1),
    lambda a: a**3,
]


def _shaped(rng, a):
    """Change the shape: slices, joins, sums, gathers, matrices."""
    size = int(np.prod(a.shape))
    kind = int(rng.integers(0, 12))
    flat = a.reshape(-1)
    if kind == 0 and size >= 4 and size % 2 == 0:
        return flat.reshape(2, -1)
    if kind == 1:
        return flat[_slices(rng, size)] if size > 1 else flat
    if kind == 2 and size <= 12:
        return np.concatenate([flat, flat[: size // 2] * 2.0])
    if kind == 3:
        return flat[rng.integers(0, size, size=max(size - 1, 2))]
    if kind == 4 and a.ndim == 2:
        return a.sum(axis=int(rng.integers(0, 2)))
    if kind == 5 and a.ndim == 2:
        return a.T
    if kind == 6 and size <= 10:
        return rng.normal(size=(4, size)) @ flat
    if kind == 7 and size >= 3:
        y = np.zeros_like(flat)
        y[1:-1] = flat[2:] - 2.0 * flat[1:-1] + flat[:-2]
        y[0] = flat[-1]
        return y
    if kind == 8 and size <= 6:
        return np.outer(flat, flat[::-1])
    if kind == 9 and a.ndim == 2:
        return a * a[:1]
    if kind == 10:
        return np.stack([flat, flat[::-1]])
    if kind == 11 and size >= 2:
        y = flat * 1.0
        y[::2] *= flat[0]
        return y
    return a


def random_function(seed: int, *, smooth: bool = True) -> Callable:
    """Return a function of an array; the same seed gives the same one."""

    def function(x):
        rng = np.random.default_rng(seed)
        values = [x]
        for _ in range(int(rng.integers(2, 8))):
            a = values[int(rng.integers(0, len(values)))]
            choice = rng.random()
            if choice < 0.4:
                values.append(ONE[int(rng.integers(0, len(ONE)))](a))
            elif choice < 0.8:
                values.append(_shaped(rng, a))
            else:
                b = values[int(rng.integers(0, len(values)))]
                if b.shape == a.shape or int(np.prod(b.shape)) == 1:
                    values.append(a * b if rng.random() < 0.5 else a + b)
                elif min(len(a.shape), len(b.shape)) == 1 and a.shape[-1] == b.shape[-1]:
                    values.append(a + b)
                else:
                    values.append(a.reshape(-1)[0] * b)
            if int(np.prod(values[-1].shape)) > 60:
                values[-1] = values[-1].reshape(-1)[:20]
        return values[-1]

    return function
