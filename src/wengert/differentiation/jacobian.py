"""Dense Jacobians of recorded lines: which structure is used, and how many seeds are pushed at once.

An elementwise chain has a diagonal Jacobian: one pass with ones gives it. Otherwise the pullback (or the
pushforward) becomes a Program of the seed alone, with everything else captured, and a block of unit seeds goes
through it at once by the primitives' batch rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..primitives import structural
from ..primitives.indexing import concatenate, index_add, reshape, transpose
from ..recording import Line, current, depends, wrap
from ..tensor import Tensor
from ..transforms.forward import push_forward
from ..transforms.reverse import backpropagate, sweep
from ..transforms.units import Units
from .linear_map import push_block, pusher
from .memory import affordable


def is_elementwise(lines: Sequence[Line], target: Line, source: Line) -> bool:
    """Whether each element of the target depends only on the same element of the source, by the rules alone."""
    if target.shape != source.shape:
        return False
    active = set(lines)
    for line in lines:
        if line is source:
            continue
        if line.primitive is None or line.primitive.family not in ("elementwise", "structural"):
            return False
        if any(parent in active and parent.shape != line.shape for parent in line.inputs):
            return False
    return True


def diagonal_matrix(values: Any, shape: tuple[int, ...]) -> Any:
    """Return an array of `shape + shape` with `values` on its diagonal."""
    n = prod(shape)
    if type(values) is np.ndarray:
        matrix = np.zeros(n * n, values.dtype)
        matrix[:: n + 1] = values.ravel()
        return matrix.reshape(shape + shape)
    flat = index_add(reshape(values, shape=(n,)), spec=((None, None, n + 1),), shape=(n * n,))
    return reshape(flat, shape=shape + shape)


def unit_seeds(line: Line, start: int, stop: int) -> Any:
    """Return seeds number start to stop of the standard basis, each of the line's shape, for `push_block`."""
    recorder = current()
    if recorder is None or recorder.guards is None:
        return Units(line.shape, start, stop, line.dtype)
    params = {"shape": line.shape, "start": start, "stop": stop, "dtype": line.dtype}
    seeds = structural.unit_seeds.evaluate(**params)
    # `jit` records: that these are unit seeds is part of the Program, so that compiled code can skip the zeros.
    step = Line(structural.unit_seeds, (), params, (), None, seeds.shape, seeds.dtype, recorder.session)
    return wrap(Tensor, seeds, step)


def _unit_seed(line: Line, k: int) -> np.ndarray:
    return structural.unit_seeds.evaluate(shape=line.shape, start=k, stop=k + 1, dtype=line.dtype)[0]


def reverse_jacobian(
    lines: Sequence[Line],
    target: Line,
    sources: Sequence[Line],
    wrapper: type | None = None,
    chunk: int | None = None,
    vectorize: bool = True,
) -> list[Any]:
    """Return the Jacobian of the target by each source, or None where there is no path.

    Parameters
    ----------
    lines : sequence of Line
        Those between, in order.
    chunk : int, optional
        How many rows are pushed at once; as many as fit `memory.BUDGET` if not given.
    vectorize : bool
        If false, one row at a time, without batch rules.
    """
    results: list[Any] = [None] * len(sources)
    pending: list[int] = []
    known = set(lines)
    for i, source in enumerate(sources):
        path = lines if len(sources) == 1 else depends([target], [source], known.__contains__)
        if target not in path or source not in path:
            continue
        if is_elementwise(path, target, source):
            ones = {target: np.ones(target.shape, target.dtype)}
            if wrapper is None:
                order = [line for line in reversed(path) if line is not source]
                found = sweep(order, ones, [source])
            else:
                found = backpropagate(path, ones, [source], wrapper)
            if source in found:
                results[i] = diagonal_matrix(found[source], source.shape)
        else:
            pending.append(i)
    if not pending:
        return results
    wanted = [sources[i] for i in pending]
    if vectorize and (filled := _filled(lines, target, wanted, wrapper, chunk)) is not None:
        for i, block in zip(pending, filled, strict=True):
            results[i] = block.astype(sources[i].dtype, copy=False)  # as a cotangent has it
        return results
    rows = _rows(lines, target, wanted, wrapper, chunk, vectorize)
    for i, row in zip(pending, rows, strict=True):
        results[i] = row
    return results


# Results with fewer numbers than this are not worth a look at their structure.
LARGE = 400_000


def _filled(
    lines: Sequence[Line], target: Line, sources: Sequence[Line], wrapper: type | None, chunk: int | None
) -> list[Any] | None:
    """Return the blocks of a large result that is mostly zero, filled in by its structure; None for any other."""
    size = prod(target.shape) * sum(prod(source.shape) for source in sources)
    if wrapper is not None or chunk is not None or size < LARGE:
        return None
    from ..sparse.from_lines import dense_blocks  # this way up only where it pays

    return dense_blocks(lines, target, sources)


def _rows(
    lines: Sequence[Line],
    target: Line,
    sources: Sequence[Line],
    wrapper: type | None,
    chunk: int | None,
    vectorize: bool,
) -> list[Any]:
    count = prod(target.shape)
    if count == 0:
        return [np.zeros(target.shape + source.shape, source.dtype) for source in sources]
    if not vectorize:
        blocks = [
            [
                _or_zeros(found.get(source), source)
                for found in [
                    backpropagate(lines, {target: _unit_seed(target, k)}, sources, wrapper)
                ]
                for source in sources
            ]
            for k in range(count)
        ]
        return [
            reshape(np.stack([block[i] for block in blocks]), shape=target.shape + source.shape)
            for i, source in enumerate(sources)
        ]

    found = _pushed(lines, target, sources, wrapper, chunk, reverse=True)
    return [
        reshape(block, shape=target.shape + source.shape) for block, source in zip(found, sources, strict=True)
    ]


def _pushed(
    lines: Sequence[Line], start: Line, ends: Sequence[Line], wrapper: type | None, chunk: int | None, reverse: bool
) -> list[Any]:
    """Push all unit seeds of one line, as many at once as fit the budget; every result has a leading axis of seeds."""
    count = prod(start.shape)
    parts: list[list[Any]] = [[] for _ in ends]
    full: list[np.ndarray] = []
    chunks = _chunks(count, affordable(lines, count) if chunk is None else chunk)
    # A kept Program has its seeds in it: worth while for a few blocks, not for one after the other.
    push = push_block if len(chunks) <= 4 else pusher(lines, [start], ends, reverse=reverse)
    for first, stop in chunks:
        blocks = push(lines, [start], ends, [unit_seeds(start, first, stop)], wrapper, reverse=reverse)
        if stop - first == count:
            return blocks
        if all(type(block) is np.ndarray for block in blocks):  # nobody records: no need to hold them twice
            full = full or [np.empty((count, *block.shape[1:]), block.dtype) for block in blocks]
            for whole, block in zip(full, blocks, strict=True):
                whole[first:stop] = block
        else:
            for part, block in zip(parts, blocks, strict=True):
                part.append(block)
    return full or [_joined(part) for part in parts]


def _chunks(count: int, chunk: int | None) -> list[tuple[int, int]]:
    step = count if chunk is None else max(1, min(chunk, count))
    return [(start, min(start + step, count)) for start in range(0, count, step)]


def _joined(blocks: list[Any]) -> Any:
    return blocks[0] if len(blocks) == 1 else concatenate(*blocks, axis=0)


def _or_zeros(value: Any, line: Line) -> Any:
    return np.zeros(line.shape, line.dtype) if value is None else value


def forward_jacobian(
    lines: Sequence[Line],
    targets: Sequence[Line],
    source: Line,
    wrapper: type | None = None,
    chunk: int | None = None,
) -> list[Any]:
    """Return the Jacobian of each target by one source in forward mode, or None where there is no path."""
    count = prod(source.shape)
    active = set(lines)
    reached = [target for target in targets if target in active]
    if count == 0 or not reached:
        return [
            np.zeros(target.shape + source.shape, target.dtype) if target in active else None for target in targets
        ]

    by_target: dict[Line, Any] = {}
    if len(reached) == 1 and (filled := _filled(lines, reached[0], [source], wrapper, chunk)) is not None:
        by_target[reached[0]] = filled[0]
        return [by_target.get(target) for target in targets]
    if count == 1:  # one direction: no block of seeds, no Program
        pushed = push_forward(lines, {source: np.ones(source.shape, source.dtype)}, reached, wrapper)
        found = [_or_zeros(pushed.get(target), target) for target in reached]
        by_target = {
            target: reshape(tangent, shape=target.shape + source.shape)
            for target, tangent in zip(reached, found, strict=True)
        }
        return [by_target.get(target) for target in targets]
    found = _pushed(lines, source, reached, wrapper, chunk, reverse=False)
    for target, columns in zip(reached, found, strict=True):
        axes = (*range(1, len(target.shape) + 1), 0)
        by_target[target] = reshape(transpose(columns, axes=axes), shape=target.shape + source.shape)
    return [by_target.get(target) for target in targets]


def batch_jacobian_rows(
    lines: Sequence[Line],
    target: Line,
    source: Line,
    wrapper: type | None = None,
    chunk: int | None = None,
    vectorize: bool = True,
) -> Any:
    """Return per-sample Jacobians `(b, *y, *x)` of a `(b, *y)` target by a `(b, *x)` source.

    Each row sums over the samples of the target, so the result is right where samples are independent.
    """
    size, inner, outer = target.shape[0], target.shape[1:], source.shape[1:]
    count = prod(inner)
    shape = (size, *inner, *outer)
    if count == 0 or size == 0:
        return np.zeros(shape, source.dtype)
    seeds = np.zeros((count, size, count), target.dtype)
    seeds[np.arange(count), :, np.arange(count)] = 1
    seeds = seeds.reshape((count, *target.shape))
    if vectorize:
        columns = _joined(
            [
                push_block(lines, [target], [source], [seeds[start:stop]], wrapper, reverse=True)[0]
                for start, stop in _chunks(count, chunk)
            ]
        )
    else:
        columns = np.stack(
            [
                _or_zeros(backpropagate(lines, {target: seed}, [source], wrapper).get(source), source)
                for seed in seeds
            ]
        )
    ndim = len(source.shape) + 1
    return reshape(transpose(columns, axes=(1, 0, *range(2, ndim))), shape=shape)
