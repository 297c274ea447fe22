"""The textbook functions with their patterns by hand: what detection has to find, no more and no less."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def banded(n: int, offsets: list[int], m: int | None = None) -> np.ndarray:
    m = n if m is None else m
    pattern = np.zeros((m, n), bool)
    for k in offsets:
        i = np.arange(m)
        inside = (i + k >= 0) & (i + k < n)
        pattern[i[inside], i[inside] + k] = True
    return pattern


def tridiagonal(x):
    y = -2.0 * x
    y[1:] += x[:-1]
    y[:-1] += x[1:]
    return y * x


def brusselator_1d(z):
    n = z.shape[0] // 2
    u, v = z[:n], z[n:]
    lap = lambda a: np.concatenate([a[1:2] - 2 * a[:1], a[2:] - 2 * a[1:-1] + a[:-2], a[-2:-1] - 2 * a[-1:]])
    r = u * u * v
    return np.concatenate([lap(u) + 1.0 + r - 4.0 * u, lap(v) + 3.0 * u - r])


def brusselator_1d_pattern(n):
    h = n // 2
    eye, band = np.eye(h, dtype=bool), banded(h, [-1, 0, 1])
    return np.block([[band, eye], [eye, band]])


def brusselator_2d(z, size=4):
    u, v = z[: size * size].reshape(size, size), z[size * size :].reshape(size, size)
    lap = lambda a: np.roll(a, 1, 0) + np.roll(a, -1, 0) + np.roll(a, 1, 1) + np.roll(a, -1, 1) - 4.0 * a
    r = u * u * v
    return np.concatenate([(lap(u) + r - 4.4 * u).reshape(-1), (lap(v) + 3.4 * u - r).reshape(-1)])


def periodic_grid(size):
    n = size * size
    places = np.arange(n).reshape(size, size)
    pattern = np.eye(n, dtype=bool)
    for axis in (0, 1):
        for shift in (1, -1):
            pattern[places.ravel(), np.roll(places, shift, axis).ravel()] = True
    return pattern


def brusselator_2d_pattern(n, size=4):
    grid, eye = periodic_grid(size), np.eye(size * size, dtype=bool)
    return np.block([[grid, eye], [eye, grid]])


def poisson(u, size=4):
    grid = np.pad(u.reshape(size, size), 1)
    inner = 4 * grid[1:-1, 1:-1] - grid[:-2, 1:-1] - grid[2:, 1:-1] - grid[1:-1, :-2] - grid[1:-1, 2:]
    return inner.ravel() + u**3


def poisson_pattern(n, size=4):
    line = banded(size, [-1, 1])
    eye = np.eye(size, dtype=bool)
    return np.kron(line, eye) | np.kron(eye, line) | np.eye(n, dtype=bool)


CAMERAS, POINTS = np.array([0, 1, 0, 1, 1]), np.array([0, 0, 1, 1, 2])


def bundle_adjustment(z):
    """Two cameras of 3 numbers, three points of 2, five observations of 2 residuals."""
    cameras, points = z[:6].reshape(2, 3), z[6:].reshape(3, 2)
    c, p = cameras[CAMERAS], points[POINTS]
    angle = c[:, 0]
    a = np.cos(angle) * p[:, 0] - np.sin(angle) * p[:, 1]
    b = np.sin(angle) * p[:, 0] + np.cos(angle) * p[:, 1]
    return np.stack([c[:, 1] * a, c[:, 2] * b], 1).ravel()


def bundle_adjustment_pattern(n):
    pattern = np.zeros((10, n), bool)
    for k, (c, p) in enumerate(zip(CAMERAS, POINTS)):
        for r in range(2):
            pattern[2 * k + r, [3 * c, 3 * c + 1 + r, 6 + 2 * p, 6 + 2 * p + 1]] = True
    return pattern


def collocation(y):
    """Trapezoidal collocation of y'' = sin(y) as a first-order system on a mesh."""
    states = y.reshape(-1, 2)
    rates = np.stack([states[:, 1], np.sin(states[:, 0])], 1)
    return (states[1:] - states[:-1] - 0.05 * (rates[1:] + rates[:-1])).ravel()


def collocation_pattern(n):
    m = n // 2
    pattern = np.zeros((2 * (m - 1), n), bool)
    for k in range(m - 1):
        pattern[2 * k, 2 * k : 2 * k + 4] = True
        pattern[2 * k + 1, 2 * k : 2 * k + 4] = True
    return pattern


def optimal_control(z):
    """States x_0..x_N and controls u_0..u_(N-1) of x' = -x^3 + u by Euler's method."""
    n = (z.shape[0] + 1) // 2
    x, u = z[:n], z[n:]
    return x[1:] - x[:-1] - 0.1 * (u - x[:-1] ** 3)


def optimal_control_pattern(n):
    states = (n + 1) // 2
    return np.hstack([banded(states, [0, 1], states - 1), np.eye(states - 1, n - states, dtype=bool)])


def arrow(x):
    return np.concatenate([[np.sum(x**2)], x[1:] * x[0]]) if not hasattr(x, "_data") else _arrow(x)


def _arrow(x):
    return np.concatenate([np.sum(x**2, keepdims=True), x[1:] * x[0]])


def arrow_pattern(n):
    pattern = np.eye(n, dtype=bool)
    pattern[0] = pattern[:, 0] = True
    return pattern


def kronecker(x):
    return np.kron(x[:3], x[3:])


def kronecker_pattern(n):
    return np.hstack(
        [np.kron(np.eye(3, dtype=bool), np.ones((n - 3, 1), bool)), np.tile(np.eye(n - 3, dtype=bool), (3, 1))]
    )


GATHERED = np.array([3, 0, 0, 2])


def gather_scatter(x):
    y = np.zeros_like(x)
    np.add.at(y, GATHERED, x[:4] ** 2)
    return y + x[::-1]


def gather_scatter_pattern(n):
    pattern = np.eye(n, dtype=bool)[::-1].copy()
    pattern[GATHERED, np.arange(4)] = True
    return pattern


def sorted_values(x):
    return np.sort(x) ** 2


TEXTBOOK: dict[str, tuple[Callable, int, Callable[[int], np.ndarray]]] = {
    "tridiagonal": (tridiagonal, 9, lambda n: banded(n, [-1, 0, 1])),
    "brusselator 1-D": (brusselator_1d, 12, brusselator_1d_pattern),
    "brusselator 2-D": (brusselator_2d, 32, brusselator_2d_pattern),
    "poisson": (poisson, 16, poisson_pattern),
    "bundle adjustment": (bundle_adjustment, 12, bundle_adjustment_pattern),
    "collocation": (collocation, 10, collocation_pattern),
    "optimal control": (optimal_control, 11, optimal_control_pattern),
    "arrow": (_arrow, 8, arrow_pattern),
    "kronecker": (kronecker, 7, kronecker_pattern),
    "gather and scatter": (gather_scatter, 6, gather_scatter_pattern),
    "elementwise": (lambda x: np.sin(x) * np.exp(-x), 5, lambda n: np.eye(n, dtype=bool)),
    "constant part": (
        lambda x: np.concatenate([x[:2] ** 2, np.ones(3), x[2:] * 0]),
        4,
        lambda n: banded(n, [0], 7) & (np.arange(7) < 2)[:, None],
    ),
    "mean taken away": (lambda x: x - np.mean(x), 5, lambda n: np.ones((n, n), bool)),
    "running sum": (np.cumsum, 6, lambda n: np.tri(n, dtype=bool)),
    "running product": (np.cumprod, 5, lambda n: np.tri(n, dtype=bool)),
    "differences": (lambda x: np.diff(x, 2), 7, lambda n: banded(n, [0, 1, 2], n - 2)),
    "outer product": (
        lambda x: np.outer(x[:2], x[2:]).ravel(),
        5,
        lambda n: np.hstack(
            [np.kron(np.eye(2, dtype=bool), np.ones((3, 1), bool)), np.tile(np.eye(3, dtype=bool), (2, 1))]
        ),
    ),
    "maximum of rows": (
        lambda x: np.max(x.reshape(3, 2), axis=1),
        6,
        lambda n: np.kron(np.eye(3, dtype=bool), np.ones((1, 2), bool)),
    ),
    "floor": (lambda x: np.floor(x) + x[::-1], 4, lambda n: np.eye(n, dtype=bool)[::-1]),
    "norms of rows": (
        lambda x: np.sqrt(np.sum(x.reshape(2, 3) ** 2, axis=1)),
        6,
        lambda n: np.kron(np.eye(2, dtype=bool), np.ones((1, 3), bool)),
    ),
    "batched matrix product": (
        lambda x: (x.reshape(2, 2, 2) @ np.ones((2, 2, 3))).ravel(),
        8,
        lambda n: np.kron(np.eye(4, dtype=bool), np.ones((3, 2), bool)),
    ),
}
"""Name -> function, number of inputs, pattern by hand."""
