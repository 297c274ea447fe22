"""A Jacobian block by block: for a result that memory does not hold, that takes long, or that many processes share.

A block is some rows of the matrix (reverse mode) or some columns (forward mode). Blocks do not depend on each other, so
they may go to any workers, be stopped between two of them, and be taken up again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, ShapeError, StructureError
from ..recording import Line, Traced
from .dense import check_options, check_sparse
from .jacobian import unit_seeds
from .linear_map import pusher
from .memory import affordable
from .recorded import Recorded, check_argnums

Where = tuple[slice, slice]


class JacobianBlocks:
    """The blocks of a Jacobian matrix; made by `jacobian_blocks`. Iteration gives pairs (where, block).

    Attributes
    ----------
    shape : (int, int)
        Of the whole matrix: the size of the result by the size of the arguments.
    dtype : dtype
    value
        What the function returned.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        argnums: int | tuple[int, ...],
        mode: str,
        chunk_size: int | None,
        max_bytes: int | None,
        workers: Callable[..., Iterable[Any]] | None,
    ) -> None:
        check_options("jacobian_blocks", mode, chunk_size)
        check_sparse("jacobian_blocks", False, max_bytes)
        self._engine = engine = _Engine(function, tuple(args), argnums, mode, chunk_size, max_bytes)
        self._workers = workers
        self.value = engine.value
        self.shape = engine.shape
        self.dtype = engine.dtype

    def __len__(self) -> int:
        """How many blocks there are."""
        return len(self._engine.chunks)

    def __iter__(self) -> Iterator[tuple[Where, np.ndarray]]:
        """Give each block with its place: `J[where] = block`."""
        return self._some(range(len(self)))

    def _some(self, numbers: Sequence[int]) -> Iterator[tuple[Where, np.ndarray]]:
        blocks = map(self._engine, numbers) if self._workers is None else self._workers(self._engine.alone, numbers)
        for number, block in zip(numbers, blocks, strict=True):
            yield self._engine.where(number), block

    def write(
        self,
        out: Any,
        *,
        progress: Callable[[int, int, float, int], Any] | None = None,
        resume: str | os.PathLike[str] | None = None,
    ) -> Any:
        """Write every block to `out`, and return `out`.

        Parameters
        ----------
        out
            Anything that takes `out[rows, columns] = block`: an array, a `np.memmap`, a zarr array, an h5py data set.
        progress : callable, optional
            Called after each block with the blocks done, their number, the seconds left as far as one can tell, and
            the bytes written by this call; `print` will do.
        resume : path, optional
            A small file that says which blocks are done. If it is there, they are left out: a run that was stopped
            goes on. Delete it to start again.

        Raises
        ------
        ShapeError, ArgumentError
            If `out` has another shape, or `resume` belongs to another Jacobian: another point, shape or chunk size.

        Notes
        -----
        An interrupt (Ctrl-C) leaves the finished blocks in `out`.
        """
        if getattr(out, "shape", self.shape) != self.shape:
            raise ShapeError(f"jacobian_blocks: out has shape {out.shape}, but the matrix has shape {self.shape}")
        finished = _Finished(resume, self._engine.describe()) if resume is not None else None
        left = [k for k in range(len(self)) if finished is None or k not in finished.numbers]
        started, written = time.monotonic(), 0
        for done, (number, (where, block)) in enumerate(zip(left, self._some(left), strict=True), 1):
            out[where] = block
            written += block.nbytes
            if finished is not None:
                getattr(out, "flush", _nothing)()
                finished.add(number)
            if progress is not None:
                seconds = (time.monotonic() - started) / done * (len(left) - done)
                progress(len(self) - len(left) + done, len(self), seconds, written)
        return out


def _nothing() -> None:
    pass


class _Engine:
    """Computes block number k of a recorded function."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        argnums: int | tuple[int, ...],
        mode: str,
        chunk_size: int | None,
        max_bytes: int | None,
    ) -> None:
        self.made_of = (function, args, argnums, mode, chunk_size, max_bytes)
        numbers, _ = check_argnums(argnums, len(args), "jacobian_blocks")
        recorded = Recorded(function, args, {}, numbers, False, "jacobian_blocks")
        if len(recorded.outputs) != 1 or not recorded.output_tree.is_leaf:
            raise StructureError(
                "jacobian_blocks: the function returned a structure, and the blocks are those of one matrix",
                hint="return one array: np.concatenate of the raveled parts",
            )
        self.recorded = recorded
        self.value = recorded.value()
        out = recorded.outputs[0]
        sources = recorded.inputs
        columns = sum(source.size for source in sources)
        self.shape = (np.size(self.value), columns)
        self.dtype = np.result_type(np.asarray(self.value).dtype, *(source.dtype for source in sources))
        complex_source = any(source.dtype.kind == "c" for source in sources)
        self.forward = (self.dtype.kind == "c" and np.iscomplexobj(self.value)) or (
            not complex_source and (mode == "forward" or (mode == "auto" and columns < self.shape[0]))
        )
        self.target: Line | None = out._line if isinstance(out, Traced) and recorded.connected(out) else None
        # Seeds of several arguments go one argument after the other, in forward mode.
        starts = sources if self.forward else [self.target]
        self.chunks: list[tuple[Any, int, int, int]] = []  # the start, its seeds from and to, and where they stand
        offset = 0
        for start in starts:
            count = start.size if start is not None else self.shape[0]
            step = chunk_size or affordable(recorded.lines, count, max_bytes)
            self.chunks += [(start, k, min(k + step, count), offset + k) for k in range(0, count, step)]
            offset += count
        self._pushers: dict[Any, Any] = {}
        self.alone = _Alone(self)

    def where(self, number: int) -> Where:
        """Return the place of a block in the matrix."""
        _, first, stop, place = self.chunks[number]
        part, whole = slice(place, place + stop - first), slice(None)
        return (whole, part) if self.forward else (part, whole)

    def __call__(self, number: int) -> np.ndarray:
        """Return block number `number`."""
        start, first, stop, _ = self.chunks[number]
        recorded, sources = self.recorded, self.recorded.inputs
        if self.target is None:
            rows, columns = (self.shape[0], stop - first) if self.forward else (stop - first, self.shape[1])
            return np.zeros((rows, columns), self.dtype)
        ends = [self.target] if self.forward else sources
        push = self._pushers.get(start)
        if push is None:
            push = self._pushers[start] = pusher(recorded.lines, [start], ends, reverse=not self.forward)
        found = push(
            recorded.lines, [start], ends, [unit_seeds(start, first, stop)], None, reverse=not self.forward
        )
        parts = [np.reshape(np.asarray(part), (stop - first, prod(end.shape))) for part, end in zip(found, ends)]
        block = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return block.T if self.forward else block

    def describe(self) -> dict[str, Any]:
        """Return what tells this Jacobian from others, as far as numbers go."""
        leaves, _ = tree.flatten([np.asarray(leaf) for leaf in tree.flatten(list(self.made_of[1]))[0]])
        point = hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest()
        step = self.chunks[0][2] if self.chunks else 0
        return {"shape": list(self.shape), "dtype": str(self.dtype), "forward": self.forward, "step": step, "at": point}


class _Alone:
    """One block computed by itself: what workers are given. In its own process it records the function once a block."""

    def __init__(self, engine: _Engine) -> None:
        self.made_of = engine.made_of

    def __call__(self, number: int) -> np.ndarray:
        return _Engine(*self.made_of)(number)


class _Finished:
    """The numbers of finished blocks, in a text file: first what Jacobian it is, then a number a line."""

    def __init__(self, path: str | os.PathLike[str], description: dict[str, Any]) -> None:
        self.path = path
        self.numbers: set[int] = set()
        head = json.dumps(description, sort_keys=True)
        if not os.path.exists(path):
            with open(path, "w") as file:
                file.write(head + "\n")
            return
        with open(path) as file:
            rows = file.read().split("\n")
        if rows[0] != head:
            raise ArgumentError(
                f"jacobian_blocks: {os.fspath(path)} belongs to another Jacobian: {rows[0][:200]} instead of {head}",
                hint="another file, or delete this one to start again",
            )
        self.numbers = {int(row) for row in rows[1:-1]}  # the last one is empty, or was cut off

    def add(self, number: int) -> None:
        """Note that a block is done."""
        with open(self.path, "a") as file:
            file.write(f"{number}\n")


def jacobian_blocks(
    function: Callable[..., Any],
    *args: Any,
    argnums: int | tuple[int, ...] = 0,
    mode: str = "auto",
    chunk_size: int | None = None,
    max_bytes: int | None = None,
    workers: Callable[..., Iterable[Any]] | None = None,
) -> JacobianBlocks:
    """Return the Jacobian matrix block by block, as an iterable of pairs (where, block).

    f: x -> y   blocks: some rows or some columns of the (y.size, x.size) matrix

    Parameters
    ----------
    function : callable
        Ordinary NumPy code that returns one array.
    *args
        Where to differentiate.
    argnums : int or tuple of int
        Which arguments to differentiate by. Their columns follow each other.
    mode : {"auto", "forward", "reverse"}
        Whether blocks are columns or rows; `auto` picks what there are fewer of.
    chunk_size : int, optional
        How many rows or columns a block has.
    max_bytes : int, optional
        What one block may take on its way through the operations, where `chunk_size` is not given; 128 MB if not given.
    workers : callable, optional
        Like `map`: `pool.map` of threads, processes, MPI or a cluster's client. It gets a function that pickles
        whenever yours does, and block numbers.

    Raises
    ------
    StructureError
        If the function returns a structure instead of one array.
    ArgumentError
        If an option does not exist.

    Notes
    -----
    Cost: one evaluation, and per block that of its seeds. With `workers`, one more evaluation per block. Products with
    the matrix need no blocks: `jvp`, `vjp`, `jacobian_operator`, `gauss_newton_product`.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> x = np.arange(1.0, 5.0)
    >>> J = np.empty((4, 4))  # or np.memmap(...), for what memory does not hold
    >>> for where, block in wg.jacobian_blocks(np.cumprod, x, chunk_size=3):
    ...     J[where] = block
    >>> J[3]
    array([24., 12.,  8.,  6.])
    >>> blocks = wg.jacobian_blocks(np.cumprod, x, chunk_size=3)
    >>> len(blocks), float(blocks.write(np.empty(blocks.shape)).sum())
    (2, 65.0)
    """
    return JacobianBlocks(function, args, argnums, mode, chunk_size, max_bytes, workers)
