"""Finding the loops in long recordings: thousands of equal steps become `scan` lines.

A recording of a Python loop repeats the same lines with other numbers. Where stretches of lines repeat with a period,
and every reference of one repetition differs from that of the one before by a constant, the stretch is a loop:
references to the repetition before are its state, references that move along other loops (backwards, in a reverse
pass) or along constants are rows, and what others read from it are rows of its results. The few repetitions at either
end that do not fit stay as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...program import Program, Slot, Step
from . import rebuilding

LONG = 300  # steps; shorter Programs are not searched
WINDOW = 6  # equal lines in a row that make a repetition worth a look
CANDIDATES = 12
FEWEST = 6  # repetitions
SMALLEST = 48  # lines that a loop has to replace
_INDEXING = ("index", "index_add", "index_set")


class Region:
    """A stretch of lines that is a loop.

    Attributes
    ----------
    start : int
        Number of its first step.
    period, count : int
        Lines of one repetition; repetitions.
    first, slope : list of tuple
        Per line of a repetition: its references in the first one, and how they change.
    numbers, number_slope : list of tuple
        The same for integers in its settings.
    """

    __slots__ = ("count", "first", "number_slope", "numbers", "period", "slope", "start")

    def __init__(self, start: int, period: int, count: int) -> None:
        self.start, self.period, self.count = start, period, count
        self.first: list[tuple[int, ...]] = []
        self.slope: list[tuple[int, ...]] = []
        self.numbers: list[tuple[int, ...]] = []
        self.number_slope: list[tuple[int, ...]] = []

    @property
    def stop(self) -> int:
        """Number of the first step after it."""
        return self.start + self.period * self.count


def roll(program: Program) -> Program:
    """Return an equal Program whose repetitions are loops; itself if it has none.

    Notes
    -----
    Cost: linear in the number of lines, about 5 us each.
    """
    if len(program.steps) < LONG:
        return program
    regions = find(program)
    return rebuilding.rebuild(program, regions) if regions else program


# ---------------------------------------------------------------- settings


def split_settings(step: Step) -> tuple[Any, tuple[int, ...]]:
    """Return a step's settings without the integers of its index, and these integers."""
    if step.primitive.name not in _INDEXING:
        return step.params, ()
    numbers: list[int] = []

    def strip(part: Any) -> Any:
        if isinstance(part, bool) or part is None or isinstance(part, str):
            return part
        if isinstance(part, int):
            numbers.append(part)
            return "n"
        return tuple(map(strip, part))

    params = tuple((key, strip(value) if key == "spec" else value) for key, value in step.params)
    return params, tuple(numbers)


# ---------------------------------------------------------------- search


def find(program: Program) -> list[Region]:
    """Return the loops of a Program, in order, without overlap."""
    steps = program.steps
    total = len(steps)
    known: dict[Any, int] = {}
    codes = np.empty(total, np.int64)
    numbers: list[tuple[int, ...]] = []
    for i, step in enumerate(steps):
        params, mine = split_settings(step)
        key = (step.primitive.name, params, step.slot, len(step.args))
        codes[i] = known.setdefault(key, len(known))
        numbers.append(mine)
    if total < WINDOW + 2:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(codes, WINDOW)
    weights = np.array([1000003**k % (1 << 61) for k in range(WINDOW)], dtype=np.uint64)
    hashes = (windows.astype(np.uint64) * weights).sum(axis=1)
    places: dict[int, list[int]] = defaultdict(list)
    for i, value in enumerate(hashes.tolist()):
        places[value].append(i)
    later = dict.fromkeys(places, 0)
    regions: list[Region] = []
    position = 0
    while position < total - WINDOW:
        value = int(hashes[position])
        same = places[value]
        k = later[value]
        while k < len(same) and same[k] <= position:
            k += 1
        later[value] = k
        region = _best(program, codes, numbers, position, [q - position for q in same[k : k + CANDIDATES]])
        if region is None:
            position += 1
        else:
            regions.append(region)
            position = region.stop
    return regions


def _best(
    program: Program, codes: np.ndarray, numbers: list[tuple[int, ...]], position: int, periods: Sequence[int]
) -> Region | None:
    best: Region | None = None
    for period in periods:
        if best is not None and period >= best.period * 4:
            break
        same = codes[position : len(codes) - period] == codes[position + period :]
        run = len(same) if bool(same.all()) else int(np.argmin(same))
        count = (run + period) // period
        if count < FEWEST or count * period < SMALLEST:
            continue
        region = _affine(program, numbers, position, period, count)
        if region is not None and (best is None or region.count * region.period > 1.2 * best.count * best.period):
            best = region
    return best


def _affine(program: Program, numbers: list[tuple[int, ...]], position: int, period: int, count: int) -> Region | None:
    """Return the longest stretch of repetitions whose references change by constants."""
    steps = program.steps
    table = np.array(
        [
            [
                ref
                for step, mine in zip(
                    steps[position + t * period : position + (t + 1) * period],
                    numbers[position + t * period : position + (t + 1) * period],
                    strict=True,
                )
                for ref in (*step.args, *mine)
            ]
            for t in range(count)
        ],
        dtype=np.int64,
    )
    slopes = np.diff(table, axis=0)
    if len(slopes) == 0:
        return None
    steady = (slopes[1:] == slopes[:-1]).all(axis=1)
    edges = np.flatnonzero(~steady)
    bounds = [-1, *edges.tolist(), len(steady)]
    gap = max(range(len(bounds) - 1), key=lambda i: bounds[i + 1] - bounds[i])
    first, last = bounds[gap] + 1, bounds[gap + 1]  # steady[first:last] holds: slopes[first : last + 1] are equal
    length = last - first + 2
    if length < FEWEST or length * period < SMALLEST:
        return None
    region = Region(position + first * period, period, length)
    column = 0
    for k in range(period):
        step = steps[region.start + k]
        n_args, n_numbers = len(step.args), len(numbers[region.start + k])
        row, slope = table[first, column:], slopes[first, column:]
        region.first.append(tuple(row[:n_args].tolist()))
        region.slope.append(tuple(slope[:n_args].tolist()))
        region.numbers.append(tuple(row[n_args : n_args + n_numbers].tolist()))
        region.number_slope.append(tuple(slope[n_args : n_args + n_numbers].tolist()))
        column += n_args + n_numbers
    return region if _sound(program, region) else None


def _sound(program: Program, region: Region) -> bool:
    """Whether every reference is one a loop can have."""
    base = len(program.inputs) + len(program.captures)
    begin, end = base + region.start, base + region.stop
    for k in range(region.period):
        step = program.steps[region.start + k]
        name = step.primitive.name
        for ref, slope in zip(region.first[k], region.slope[k], strict=True):
            last = ref + slope * (region.count - 1)
            if slope == region.period and begin - 4 * region.period <= ref < end and last >= begin:
                if ref >= begin + k:
                    return False  # refers to something that is not there yet
                continue
            if max(ref, last) >= begin and not (ref < begin and last < begin):
                return False
        if any(region.number_slope[k]) and not _movable(program, region, k, name):
            return False
    return True


def _movable(program: Program, region: Region, k: int, name: str) -> bool:
    """Whether a moving index is one element of one axis: a row of something that stays, or a place to add to."""
    step = program.steps[region.start + k]
    spec = dict(step.params)["spec"]
    moving = [i for i, slope in enumerate(region.number_slope[k]) if slope]
    flat = [part for part in spec if part is not None]
    singles = [part for part in flat if isinstance(part, int)]
    if len(moving) != 1 or len(step.args) != 1:
        return False
    # count the integers before the moving one: it must be a bare integer of the spec
    seen = 0
    for part in spec:
        if isinstance(part, tuple):
            seen += sum(isinstance(x, int) for x in part)
        elif isinstance(part, int):
            if seen == moving[0]:
                return name in ("index", "index_add")
            seen += 1
    return bool(singles) and False


_ = Slot
