"""Pattern rules of lines that are no plain reindexing or reduction: convolutions, solutions, transforms, loops.

Each says which elements of an argument an element of the result depends on, from shapes and settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..program import Program, Step
from .evaluate import Known

# A loop of more steps than this gets the pattern that no further step changes.
STEPS = 200


def along_axes(walk: Any, step: Step, argument: int, axes: Sequence[int]) -> Any:
    """Each element depends on the whole of the argument along these axes, and on its own place along the others.

    Axes count from the end; leading axes broadcast.
    """
    a = step.args[argument]
    shape, out = walk.shape(a), step.slot.shape
    chosen = {i % len(shape) for i in axes}
    kept = tuple(1 if i in chosen else n for i, n in enumerate(shape))
    count = prod(kept)
    line = np.broadcast_to(np.arange(count).reshape(kept), shape)
    grouped = walk.group(walk.rows[a], np.arange(prod(shape)), line, count)
    return walk.take(grouped, np.broadcast_to(np.arange(count).reshape(kept), out))


def _active(walk: Any, step: Step) -> list[int]:
    return [i for i, a in enumerate(step.args) if a in walk.rows]


def fourier(walk: Any, step: Step) -> Any:
    """A transform: dense along its axes."""
    ndim = len(walk.shape(step.args[0]))
    return along_axes(walk, step, 0, [axis - ndim for axis in dict(step.params)["axes"]])


def solution(walk: Any, step: Step) -> Any:
    """Solve a system: dense along the unknowns, column by column."""
    if _active(walk, step) != [1]:
        return walk.dense(step)
    return along_axes(walk, step, 1, [-2])


def sylvester(walk: Any, step: Step) -> Any:
    """Solve a matrix equation: dense in each matrix."""
    return along_axes(walk, step, 2, [-2, -1]) if _active(walk, step) == [2] else walk.dense(step)


def sparse_solution(walk: Any, step: Step) -> Any:
    """Solve with a sparse matrix: dense along the unknowns, column by column."""
    if _active(walk, step) != [1]:
        return walk.dense(step)
    return along_axes(walk, step, 1, [-len(step.slot.shape)])


def matrices(walk: Any, step: Step) -> Any:
    """Any other line on stacked matrices: dense in each, if the result is stacked as the arguments are."""
    out = step.slot.shape
    if isinstance(step.slot.dtype, tuple) or len(out) < 3:
        return walk.dense(step)
    active = _active(walk, step)
    if any(walk.shape(step.args[i])[:-2] != out[:-2] for i in active):
        return walk.dense(step)
    lead = prod(out[:-2])
    parts = []
    for i in active:
        a = step.args[i]
        size = prod(walk.shape(a))
        grouped = walk.group(walk.rows[a], np.arange(size), np.arange(size) // max(size // max(lead, 1), 1), lead)
        each = prod(out[-2:])
        parts.append(walk.take(grouped, np.repeat(np.arange(lead), each)))
    return walk.union(parts)


def convolution(walk: Any, step: Step) -> Any:
    """Full convolution of the last axes: out[k] depends on in[j] for 0 <= k - j < length of the other."""
    out = step.slot.shape
    parts = []
    for i in _active(walk, step):
        a, other = step.args[i], step.args[1 - i]
        shape, taps = walk.shape(a), walk.shape(other)[-1]
        lead = np.broadcast_to(np.arange(prod(shape[:-1])).reshape((*shape[:-1], 1)), (*out[:-1], 1)).reshape(-1, 1, 1)
        source = lead * shape[-1] + np.arange(shape[-1])[:, None] + np.zeros(taps, int)
        target = np.arange(prod(out[:-1])).reshape(-1, 1, 1) * out[-1] + np.add.outer(
            np.arange(shape[-1]), np.arange(taps)
        )
        parts.append(walk.group(walk.rows[a], source, target, prod(out)))
    return walk.union(parts)


def correlation(walk: Any, step: Step) -> Any:
    """Where a kernel lies inside: out[i] depends on in[i + k], and on all of the kernel."""
    ndim = dict(step.params)["ndim"]
    out = step.slot.shape
    parts = []
    for i in _active(walk, step):
        a = step.args[i]
        shape = walk.shape(a)
        if i == 1:
            parts.append(along_axes(walk, step, 1, range(-ndim, 0)))
            continue
        kernel = walk.shape(step.args[1])[-ndim:]
        numbers = np.broadcast_to(np.arange(prod(shape)).reshape(shape), (*out[:-ndim], *shape[len(shape) - ndim :]))
        windows = np.lib.stride_tricks.sliding_window_view(
            numbers, kernel, axis=tuple(range(numbers.ndim - ndim, numbers.ndim))
        )
        targets = np.broadcast_to(np.arange(prod(out)).reshape(out + (1,) * ndim), windows.shape)
        parts.append(walk.group(walk.rows[a], windows, targets, prod(out)))
    return walk.union(parts)


def sparse_product(walk: Any, step: Step) -> Any:
    """A sparse matrix times a vector or columns: where the matrix has entries."""
    params = dict(step.params)
    columns, starts = np.asarray(walk.static(step.args[2])), np.asarray(walk.static(step.args[3]))
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    if params["transposed"]:
        rows, columns = columns, rows
    out = step.slot.shape
    width = prod(out[1:])
    target = rows[:, None] * width + np.arange(width)
    parts = []
    for i in _active(walk, step):
        a = step.args[i]
        source = columns[:, None] * width + np.arange(width)
        if i == 0:
            source = np.broadcast_to(np.arange(len(rows))[:, None], target.shape)
        parts.append(walk.group(walk.rows[a], source, target, prod(out)))
    return walk.union(parts)


# ---------------------------------------------------------------- Programs in lines


def _inside(walk: Any, program: Program, rows: Sequence[Any]) -> list[Any] | None:
    """Return the rows of a Program's outputs for those of its inputs; None if an index array is not known."""
    inner = type(walk)(program, len(program.inputs), Known(program, ()), (), walk.width)
    inner.rows = {i: row for i, row in enumerate(rows) if row is not None}
    try:
        return inner.outputs(empty=False)
    except KeyError:
        return None


def call(walk: Any, step: Step) -> Any:
    """A Program as one line."""
    found = _inside(walk, dict(step.params)["program"], [walk.rows.get(a) for a in step.args])
    return walk.dense(step) if found is None else found


def branches(walk: Any, step: Step) -> Any:
    """A choice: what any of the branches depends on."""
    rows = [walk.rows.get(a) for a in step.args[1:]]
    found = [_inside(walk, branch, rows) for branch in dict(step.params)["branches"]]
    if step.args[0] in walk.rows or any(one is None for one in found):
        return walk.dense(step)
    return [walk.union([row for row in column if row is not None]) for column in zip(*found, strict=True)]


def scan(walk: Any, step: Step) -> Any:
    """A loop of known length: step by step, or what many steps depend on."""
    params = dict(step.params)
    body, carry, xs, length = params["body"], params["carry"], params["xs"], params["length"]
    rows = [walk.rows.get(a) for a in step.args]
    state, consts = list(rows[:carry]), rows[carry + xs :]
    if length > STEPS:
        return walk.dense(step)
    shapes = [slot.shape for slot in body.inputs[carry : carry + xs]]
    ys: list[list[Any]] = [[None] * length for _ in range(len(body.outputs) - carry)]
    for k in range(length - 1, -1, -1) if params["reverse"] else range(length):
        mine = [
            None if row is None else walk.take(row, np.arange(k * prod(s), (k + 1) * prod(s)))
            for row, s in zip(rows[carry : carry + xs], shapes, strict=True)
        ]
        out = _inside(walk, body, [*state, *mine, *consts])
        if out is None:
            return walk.dense(step)
        state = out[:carry]
        for column, value in zip(ys, out[carry:], strict=True):
            column[k] = value
    sizes = [prod(slot.shape) for slot in body.output_slots[carry:]]
    return [*state, *(walk.stacked(column, size) for column, size in zip(ys, sizes, strict=True))]


def loop(walk: Any, step: Step) -> Any:
    """A `while` loop: what any number of steps depends on, that is until nothing is added any more."""
    params = dict(step.params)
    body, carry = params["body"], params["carry"]
    tests = len(params["cond"].inputs) - carry
    rows = [walk.rows.get(a) for a in step.args]
    state, consts = rows[:carry], rows[carry + tests :]
    for _ in range(STEPS):
        out = _inside(walk, body, [*state, *consts])
        if out is None:
            break
        grown = [walk.union([row for row in pair if row is not None]) for pair in zip(state, out[:carry], strict=True)]
        if all(map(walk.same, grown, state)):
            return grown
        state = grown
    return walk.dense(step)


RULES: dict[str, Callable[[Any, Step], Any]] = {
    "fft": fourier,
    "rfft": fourier,
    "irfft": fourier,
    "dct_dst": fourier,
    "solve": solution,
    "triangular_solve": solution,
    "banded_solve": solution,
    "sylvester": sylvester,
    "sparse_solution": sparse_solution,
    "sparse_product": sparse_product,
    "convolve": convolution,
    "correlate": correlation,
    "call": call,
    "cond": branches,
    "scan": scan,
    "while": loop,
}
FAMILIES: dict[str, Callable[[Any, Step], Any]] = {"linalg": matrices, "spectral": matrices}
