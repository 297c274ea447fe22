"""How much memory a derivative takes: what fits at once, and what cannot be held at all.

Estimates are made from shapes before anything is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..errors import TooLarge
from ..recording import Line

# What a block of seeds may take on its way through the lines if the caller does not say.
BUDGET = 128_000_000
# Smaller results are not checked against the memory that is available.
UNCHECKED = 64_000_000


def affordable(lines: Sequence[Line], count: int, max_bytes: int | None = None) -> int:
    """Return how many of `count` seeds may go through the lines at once."""
    budget = BUDGET if max_bytes is None else max_bytes
    sizes = [0 if isinstance(line.dtype, tuple) else prod(line.shape) * line.dtype.itemsize for line in lines]
    if sum(sizes) * count <= budget:
        return max(count, 1)
    last: dict[Line, int] = {}
    for position, line in enumerate(lines):
        for parent in line.inputs:
            if parent is not None:
                last[parent] = position
    ends: dict[int, int] = {}
    place = {line: k for k, line in enumerate(lines)}
    for line, position in last.items():
        if line in place:
            ends[position] = ends.get(position, 0) + sizes[place[line]]
    alive = most = 1
    for position, size in enumerate(sizes):
        alive += size
        most = max(most, alive)
        alive -= ends.get(position, 0)
    return int(max(1, min(count, budget // (2 * most))))  # rules need room for what they compute with


def check_result(name: str, shape: Sequence[int], dtype: Any, max_bytes: int | None, hint: str) -> None:
    """Raise TooLarge for a dense result that cannot be held, before anything is computed.

    Without `max_bytes` the limit is what the machine has available.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    if max_bytes is None and size <= UNCHECKED:
        return
    limit = max_bytes if max_bytes is not None else available_bytes()
    if limit is not None and size > limit:
        given = f"max_bytes is {readable(limit)}" if max_bytes is not None else f"{readable(limit)} are available"
        raise TooLarge(
            f"{name}: the result of shape {tuple(shape)}, {np.dtype(dtype)}, takes {readable(size)}; {given}",
            why="a dense result holds every entry, zeros included",
            hint=hint,
        )


def available_bytes() -> int | None:
    """Return the memory that the operating system says is available, or None where it does not say."""
    try:
        with open("/proc/meminfo") as file:
            for row in file:
                if row.startswith("MemAvailable:"):
                    return int(row.split()[1]) * 1024
    except OSError:
        pass
    return None


def readable(count: float) -> str:
    """Return a number of bytes with a unit.

    Examples
    --------
    >>> readable(80_000_000)
    '80 MB'
    """
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return ""
