"""Numerical derivatives with an error estimate, as the oracle of the checks. Knows nothing of recordings.

A function here takes a list of arrays and returns a list of arrays. Directions are scaled to the arguments, so a
step is relative: a step of 0.1 changes each entry by about a tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Arrays = list[Any]
Function = Callable[[Sequence[Any]], Arrays]

FIRST_STEP = 0.0625
LEVELS = 15
SMALL_STEP = 2.0**-17
# Where the error estimate is below this part of the result, smaller steps are not tried.
ENOUGH = 1e-9


def scales(x: np.ndarray) -> np.ndarray:
    """Return for each entry a size to measure steps by: its own, or where that is 0 a typical one."""
    size = np.abs(x)
    finite = size[np.isfinite(size) & (size > 0)]
    typical = 0.1 * float(np.exp(np.mean(np.log(finite)))) if finite.size else 1.0
    return np.where((size > 0) & np.isfinite(size), size, typical)


def random_direction(x: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a direction of both signs in the scale of `x`, complex where `x` is."""
    signs: Any = generator.choice([-1.0, 1.0], x.shape) * generator.uniform(0.4, 1.0, x.shape)
    if np.iscomplexobj(x):
        signs = signs + 1j * generator.choice([-1.0, 1.0], x.shape) * generator.uniform(0.4, 1.0, x.shape)
    return np.asarray(signs * scales(x))


def moved(leaves: Sequence[Any], directions: Sequence[Any], step: float) -> Arrays:
    """Return the arguments a step further."""
    return [x if t is None else x + step * t for x, t in zip(leaves, directions, strict=True)]


def noise(function: Function, leaves: Sequence[Any], directions: Sequence[Any]) -> Arrays:
    """Estimate the error of each result that is rounding or randomness, from its third differences.

    J. J. More and S. M. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011), in its plainest form.
    """
    # From 1, not 0: a kink at the point itself is not noise. The steps are larger than single precision resolves.
    values = [function(moved(leaves, directions, 1e-6 * k)) for k in range(1, 8)]
    result = []
    for rows in zip(*values, strict=True):
        table = np.stack(rows)
        for _ in range(3):
            table = np.diff(table, axis=0)
        level = np.sqrt(np.mean(np.abs(table) ** 2, axis=0) / 20)
        floor = 0.5 * np.finfo(float).eps * np.abs(rows[0])
        result.append(np.fmax(level, floor))
    return result


def precision(function: Function, leaves: Sequence[Any], directions: Sequence[Any]) -> float:
    """Return the noise of the results relative to their size: about 1e-16 where all is in double precision."""
    levels, values = noise(function, leaves, directions), function(leaves)
    size = float(np.sqrt(sum(np.sum(np.abs(v) ** 2) for v in values)))
    level = float(np.sqrt(sum(np.sum(np.abs(v) ** 2) for v in levels)))
    return level / size if size > 0 and np.isfinite(level) else 0.0


class Extrapolation:
    """Richardson extrapolation of quotients at halved steps: the best value so far of each entry, with its error.

    C. J. F. Ridders, "Accurate computation of F'(x) and F'(x) F''(x)", Advances in Engineering Software 4 (1982).
    `power` is that of the step in the leading error: 2 for central differences, 1 for one-sided ones.
    """

    def __init__(self, power: int) -> None:
        self.power = power
        self.row: Arrays = []
        self.best: Any = None
        self.error: Any = None

    def add(self, quotient: Any, noise_level: Any) -> None:
        """Take the next quotient, at half the step of the one before."""
        row = [quotient]
        if self.best is None:
            self.best = quotient
            self.error = np.full(np.shape(quotient), np.inf)
        for j, previous in enumerate(self.row):
            factor = 2.0 ** (self.power * (j + 1)) - 1
            value = row[j] + (row[j] - previous) / factor
            error = np.fmax(np.abs(value - row[j]), np.abs(value - previous)) + noise_level
            error = np.where(np.isfinite(error), error, np.inf)
            better = error < self.error
            self.best = np.where(better, value, self.best)
            self.error = np.where(better, error, self.error)
            row.append(value)
        self.row = row[:8]

    def confirm(self, quotient: Any, error: Any) -> None:
        """Take a quotient at a small step where it differs: the larger ones can agree by accident."""
        differs = np.isfinite(error) & (np.abs(self.best - quotient) > error + 10 * self.error)
        self.best = np.where(differs, quotient, self.best)
        self.error = np.where(differs, error, self.error)


def difference(function: Function, leaves: Sequence[Any], directions: Sequence[Any]) -> tuple[Arrays, Arrays]:
    """Return the directional derivative of each result and an estimate of its error.

    Notes
    -----
    Cost: 10 to 40 evaluations.
    """
    levels = noise(function, leaves, directions)
    tables = [Extrapolation(2) for _ in levels]
    step = FIRST_STEP
    for _ in range(LEVELS):
        above, below = function(moved(leaves, directions, step)), function(moved(leaves, directions, -step))
        for table, a, b, level in zip(tables, above, below, levels, strict=True):
            table.add((a - b) / (2 * step), level / step)
        if all(
            np.all(table.error <= ENOUGH * np.abs(table.best) + 3 * level / step)
            for table, level in zip(tables, levels, strict=True)
        ):
            break
        step /= 2
    above, below = function(moved(leaves, directions, SMALL_STEP)), function(moved(leaves, directions, -SMALL_STEP))
    wider = function(moved(leaves, directions, 2 * SMALL_STEP)), function(moved(leaves, directions, -2 * SMALL_STEP))
    for table, a, b, c, d, level in zip(tables, above, below, *wider, levels, strict=True):
        quotient = (a - b) / (2 * SMALL_STEP)
        table.confirm(quotient, np.abs((c - d) / (4 * SMALL_STEP) - quotient) + 4 * level / SMALL_STEP)
    return [table.best for table in tables], [table.error for table in tables]


def one_sided(
    function: Function, leaves: Sequence[Any], directions: Sequence[Any]
) -> tuple[tuple[Arrays, Arrays], tuple[Arrays, Arrays]]:
    """Return the derivatives from below and from above, each with its error."""
    middle = function(leaves)
    levels = noise(function, leaves, directions)
    sides = []
    for sign in (-1.0, 1.0):
        tables = [Extrapolation(1) for _ in levels]
        step = FIRST_STEP
        for _ in range(LEVELS):
            there = function(moved(leaves, directions, sign * step))
            for table, a, b, level in zip(tables, there, middle, levels, strict=True):
                table.add(sign * (a - b) / step, level / step)
            step /= 2
        near = function(moved(leaves, directions, sign * SMALL_STEP))
        wider = function(moved(leaves, directions, 2 * sign * SMALL_STEP))
        for table, a, c, b, level in zip(tables, near, wider, middle, levels, strict=True):
            quotient = sign * (a - b) / SMALL_STEP
            table.confirm(quotient, np.abs(sign * (c - b) / (2 * SMALL_STEP) - quotient) * 2 + 4 * level / SMALL_STEP)
        sides.append(([table.best for table in tables], [table.error for table in tables]))
    return sides[0], sides[1]


def is_steep(function: Function, leaves: Sequence[Any], directions: Sequence[Any]) -> list[Any]:
    """Say for each result whether it jumps, or has an infinite slope, at the point itself: no difference settles."""
    middle = function(leaves)
    result = [np.zeros(np.shape(value), bool) for value in middle]
    for sign in (-1.0, 1.0):
        changes = [
            [np.abs(a - b) for a, b in zip(function(moved(leaves, directions, sign * step)), middle, strict=True)]
            for step in (1e-3, 1e-4, 1e-5, 1e-6)
        ]
        for i, rows in enumerate(zip(*changes, strict=True)):
            ratios = np.stack([after / before for before, after in pairwise(rows)])
            low, high = np.min(ratios, axis=0), np.max(ratios, axis=0)
            result[i] = result[i] | ((low > 0.15) & (high < 1.2) & (high < 1.3 * low))
    return result


def complex_step(function: Function, leaves: Sequence[Any], directions: Sequence[Any]) -> Arrays | None:
    """Return the derivative of an analytic function by an imaginary step, or None if it does not take complex numbers.

    W. Squire and G. Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Rev. 40 (1998).
    """
    step = 1e-30
    try:
        values = function([x if t is None else x + 1j * step * t for x, t in zip(leaves, directions, strict=True)])
    except (TypeError, ValueError):
        return None
    if not all(np.iscomplexobj(value) for value in values):
        return None
    return [value.imag / step for value in values]
