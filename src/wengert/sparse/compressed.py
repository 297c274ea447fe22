"""Compressed derivatives: seeds for the colours, one batched pass, and the entries read back.

The products of the derivative with the sum of each colour's unit vectors go through a linear Program at once, in
blocks that fit a memory budget. Which number of the compressed matrix is which entry was worked out with the colouring.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..execute.interpret import run as run_program
from ..program import Program
from ..transforms.derive import batch_program
from ..transforms.simplify import simplify
from .colouring import Colouring
from .cost import bytes_per_seed
from .symmetric import Forest, Stars, star_places, substitution


class Pass:
    """One direction of a compressed derivative: a linear Program, pushed with the seeds of its colours.

    Attributes
    ----------
    linear : Program
        Its first `primals` inputs are values, the others one seed each.
    colours : ndarray of int
        Of each seed element, over all seeds; -1 for one that is not pushed.
    chunk : int
        How many colours go through at once.
    """

    def __init__(self, linear: Program, primals: int, colours: np.ndarray, max_bytes: int) -> None:
        self.linear = linear
        self.primals = primals
        self.colours = colours
        self.count = int(colours.max(initial=-1)) + 1
        self.chunk = max(1, min(self.count, max_bytes // max(bytes_per_seed(linear, primals), 1)))
        self.width = sum(prod(slot.shape) for slot in linear.output_slots)
        self._batched: dict[int, tuple[Program, tuple[bool, ...]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_batched": {}}

    def run(self, values: Sequence[Any]) -> np.ndarray:
        """Return the compressed derivative, shape (colours, numbers of the result)."""
        blocks = []
        for start in range(0, self.count, self.chunk):
            size = min(self.chunk, self.count - start)
            seeds = self._seeds(start, size)
            program, _ = self._program(size)
            outs = run_program(program, [*values, *seeds], program.captures)
            flat = [np.reshape(out, (size, -1)) for out in outs]
            blocks.append(flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1))
        if not blocks:
            return np.zeros((0, self.width))
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _program(self, size: int) -> tuple[Program, tuple[bool, ...]]:
        found = self._batched.get(size)
        if found is None:
            flags = [i >= self.primals for i in range(len(self.linear.inputs))]
            program, made = batch_program(self.linear, size, flags)
            found = self._batched[size] = (simplify(program), made)
        return found

    def _seeds(self, start: int, size: int) -> list[np.ndarray]:
        seeds = []
        offset = 0
        for slot in self.linear.inputs[self.primals :]:
            count = prod(slot.shape)
            mine = self.colours[offset : offset + count] - start
            offset += count
            block = np.zeros((size, count), slot.dtype)
            here = np.flatnonzero((mine >= 0) & (mine < size))
            block[mine[here], here] = 1
            seeds.append(block.reshape((size, *slot.shape)))
        return seeds


class Compressed:
    """The values of a sparse matrix from one or two compressed products.

    Attributes
    ----------
    passes : list of Pass
    read : list of ndarray
        For each pass, the places in its flattened result; the pooled values are the entries in CSR order, through
        `order` where there are two passes or a substitution.
    """

    def __init__(
        self,
        pattern: Any,
        colouring: Colouring,
        forward: Program | None,
        reverse: Program | None,
        primals: int,
        max_bytes: int,
        symmetric: Stars | Forest | None = None,
    ) -> None:
        rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
        columns = pattern.indices.astype(np.int64)
        self.passes: list[Pass] = []
        self.read: list[np.ndarray] = []
        self.order: np.ndarray | None = None
        self.unknown: np.ndarray | None = None
        self.lower: Any = None
        if isinstance(symmetric, Forest):
            assert forward is not None
            here, seen, self.unknown, self.lower = substitution(pattern, symmetric)
            self.passes.append(Pass(forward, primals, symmetric.colours, max_bytes))
            self.read.append(seen * pattern.shape[0] + here)
            return
        if isinstance(symmetric, Stars):
            assert forward is not None
            here, seen = star_places(pattern, symmetric)
            self.passes.append(Pass(forward, primals, symmetric.colours, max_bytes))
            self.read.append(seen * pattern.shape[0] + here)
            return
        by_row = np.zeros(len(rows), bool) if colouring.rows is None else colouring.rows[rows] >= 0
        if colouring.columns_first and colouring.columns is not None:
            by_row = colouring.columns[columns] < 0
        taken = []
        if colouring.columns is not None and not by_row.all():
            assert forward is not None
            mine = np.flatnonzero(~by_row)
            self.passes.append(Pass(forward, primals, colouring.columns, max_bytes))
            self.read.append(colouring.columns[columns[mine]] * pattern.shape[0] + rows[mine])
            taken.append(mine)
        if colouring.rows is not None and by_row.any():
            assert reverse is not None
            mine = np.flatnonzero(by_row)
            self.passes.append(Pass(reverse, primals, colouring.rows, max_bytes))
            self.read.append(colouring.rows[rows[mine]] * pattern.shape[1] + columns[mine])
            taken.append(mine)
        if len(taken) == 2:
            self.order = np.empty(len(rows), np.intp)
            self.order[np.concatenate(taken)] = np.arange(len(rows))

    @property
    def count(self) -> int:
        """Number of colours over all passes."""
        return sum(one.count for one in self.passes)

    def entry_passes(self) -> np.ndarray:
        """Return the number of the pass, over all colours, that shows each entry, in CSR order."""
        starts = np.cumsum([0, *(one.count for one in self.passes)])
        parts = [
            read // one.width + start for one, read, start in zip(self.passes, self.read, starts[:-1], strict=True)
        ]
        found = np.concatenate([np.zeros(0, np.int64), *parts])
        found = found if self.order is None else found[self.order]
        return found if self.unknown is None else found[self.unknown]

    @property
    def nbytes(self) -> int:
        """Bytes of the static arrays."""
        arrays = [*self.read, *(one.colours for one in self.passes), self.order, self.unknown]
        return sum(array.nbytes for array in arrays if array is not None)

    def values(self, inputs: Sequence[Any]) -> np.ndarray:
        """Return the entries in CSR order."""
        parts = [one.run(inputs).reshape(-1)[read] for one, read in zip(self.passes, self.read, strict=True)]
        if not parts:
            return np.zeros(0)
        data = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if self.order is not None:
            data = data[self.order]
        if self.unknown is not None and len(self.unknown):
            from scipy.sparse.linalg import spsolve_triangular

            data = spsolve_triangular(self.lower, data, lower=True, unit_diagonal=True)[self.unknown]
        return data
