"""The list of operations that a function records, for people: with their lines of user code, bytes and work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..recording import Line
from .noting import Notes, record, short

LONGEST = 200  # rows of text
_PERIOD = 120  # operations in the body of a loop that is still recognised


@dataclass(frozen=True, slots=True)
class Operation:
    """One recorded operation.

    Attributes
    ----------
    number : int
        Its place in the list; the arguments of the function come first.
    name : str
        Of the primitive, or "input".
    inputs : tuple of int
        The numbers of the tracked arguments.
    shape, dtype
        Of the result.
    where : str
        The line of user code.
    kept : int
        Bytes that the recording keeps for the derivative.
    flops : int
        Arithmetic operations, roughly: one per element, two per product of a contraction.
    """

    number: int
    name: str
    inputs: tuple[int, ...]
    shape: Any
    dtype: Any
    where: str
    kept: int
    flops: int

    @property
    def kind(self) -> tuple[Any, ...]:
        """What equal turns of a loop have in common."""
        return self.name, self.shape, self.dtype, self.where

    def __str__(self) -> str:
        numbers = ", ".join(f"%{k}" for k in self.inputs)
        return (
            f"%{self.number} = {self.name}({numbers})  {_kind(self.shape, self.dtype)}  "
            f"{self.kept} B kept, {self.flops} flops" + (f"  {self.where}" if self.where else "")
        )


class Listing:
    """What a function recorded; made by `listing`. Prints as text in which loops are told once.

    Attributes
    ----------
    operations : list of Operation
    branches : list of (str, bool)
        The comparisons that Python branched on, with their lines: derivative and pattern hold for this path only.
    """

    def __init__(self, operations: list[Operation], branches: list[tuple[str, bool]]) -> None:
        self.operations = operations
        self.branches = branches

    def __str__(self) -> str:
        kept, flops = sum(op.kept for op in self.operations), sum(op.flops for op in self.operations)
        rows = [f"{len(self.operations)} operations, {kept} B kept, {flops} flops"]
        rows += _rows(_folded(self.operations))
        taken: dict[tuple[str, bool], int] = {}
        for branch in self.branches:
            taken[branch] = taken.get(branch, 0) + 1
        for (where, value), count in taken.items():
            rows.append(f"branch taken as {value}{_times(count)}  {where}")
        if len(rows) > LONGEST:
            rows = [*rows[: LONGEST - 1], f"... and {len(rows) - LONGEST + 1} more rows"]
        return "\n".join(rows)

    __repr__ = __str__

    def dot(self) -> str:
        """Return the graph in the DOT language of Graphviz; turns of a loop are drawn as one."""
        nodes: dict[Any, int] = {}
        counts: dict[Any, int] = {}
        of: dict[int, int] = {}
        edges: dict[tuple[int, int], None] = {}
        for op in self.operations:
            node = nodes.setdefault(op.kind if op.name != "input" else op.number, len(nodes))
            counts[node] = counts.get(node, 0) + 1
            of[op.number] = node
            edges.update({(of[k], node): None for k in op.inputs})
        first = {of[op.number]: op for op in reversed(self.operations)}
        rows = ["digraph recording {", "  node [shape=box]"]
        for node, op in sorted(first.items()):
            label = f"{op.name}{_times(counts[node])}\\n{_kind(op.shape, op.dtype)}"
            label += "\\n" + op.where.replace("\\", "\\\\").replace('"', '\\"') if op.where else ""
            rows.append(f'  n{node} [label="{label}"]')
        rows += [f"  n{a} -> n{b}" for a, b in edges]
        return "\n".join([*rows, "}"])


def listing(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Listing:
    """Return the operations between a function's arguments and its result, with their lines of user code.

    f: (...) -> y

    Parameters
    ----------
    function : callable
        Ordinary NumPy code.
    *args, **kwargs
        Its arguments; the positional ones are followed.

    Notes
    -----
    Cost: one evaluation, and some microseconds per operation. How derivatives are compiled is told by `wengert.explain`.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> table = wg.debug.listing(lambda x: np.sum(x * np.sin(x)), np.ones(3))
    >>> [op.name for op in table.operations], table.operations[2].kept
    (['input', 'sin', 'multiply', 'sum'], 24)
    """
    notes = Notes()
    recorded = record("listing", function, args, kwargs, notes)
    lines = [*(line for line in recorded.inputs if line not in set(recorded.lines)), *recorded.lines]
    number = {line: k for k, line in enumerate(lines)}
    counted: set[int] = set()  # what several operations share is kept once
    operations = [
        Operation(
            k,
            line.primitive.name if line.primitive is not None else "input",
            tuple(number[parent] for parent in line.inputs if parent in number),
            line.shape,
            line.dtype,
            short(getattr(line, "notes", "")),
            sum(_once(value, counted) for value in (*line.values, line.out)),
            _flops(line),
        )
        for k, line in enumerate(lines)
    ]
    return Listing(operations, [(short(where), value) for where, value in notes.branches])


def _once(value: Any, counted: set[int]) -> int:
    if not isinstance(value, np.ndarray) or id(value) in counted:
        return 0
    counted.add(id(value))
    return value.nbytes


def _flops(line: Line) -> int:
    if line.primitive is None or type(line.dtype) is tuple:
        return 0
    family = line.primitive.family
    if line.primitive.name == "contract":
        sizes: dict[Any, int] = {}
        for labels, value, parent in zip((line.params["a"], line.params["b"]), line.values, line.inputs, strict=True):
            sizes.update(zip(labels, np.shape(value) if value is not None else parent.shape, strict=True))  # type: ignore[union-attr]
        return 2 * prod(sizes.values())
    if family == "elementwise":
        return prod(line.shape)
    if family == "reduction":
        return max(prod(parent.shape) for parent in line.inputs if parent is not None)
    return 0


def _kind(shape: Any, dtype: Any) -> str:
    if type(dtype) is tuple:
        return ", ".join(map(_kind, shape, dtype))
    return f"{dtype}[{','.join(map(str, shape))}]"


def _times(count: int) -> str:
    return f" ({count} times)" if count > 1 else ""


# ---------------------------------------------------------------- loops


@dataclass(frozen=True, slots=True)
class _Loop:
    count: int
    body: tuple[Any, ...]

    @property
    def kind(self) -> tuple[Any, ...]:
        return self.count, tuple(part.kind for part in self.body)


def _folded(parts: Sequence[Any]) -> list[Any]:
    """Return the parts with repetitions folded, inner loops first."""
    while True:
        ids: dict[Any, int] = {}
        kinds = [ids.setdefault(part.kind, len(ids)) for part in parts]
        result: list[Any] = []
        i = 0
        while i < len(parts):
            period, count = _repetition(kinds, i)
            if count > 1:
                result.append(_Loop(count, tuple(parts[i : i + period])))
                i += period * count
            else:
                result.append(parts[i])
                i += 1
        if len(result) == len(parts):
            return result
        parts = result


def _repetition(kinds: Sequence[int], start: int) -> tuple[int, int]:
    """Return the shortest period that repeats from `start` on, and how often it does."""
    for period in range(1, min(_PERIOD, (len(kinds) - start) // 2) + 1):
        if kinds[start + period] != kinds[start]:
            continue
        body = kinds[start : start + period]
        count = 1
        while kinds[start + count * period : start + (count + 1) * period] == body:
            count += 1
        if count > 1:
            return period, count
    return 1, 1


def _rows(parts: Sequence[Any]) -> list[str]:
    rows = []
    for part in parts:
        if isinstance(part, _Loop):
            rows.append(f"{part.count} times:")
            rows += ["  " + row for row in _rows(part.body)]
        else:
            rows.append(str(part))
    return rows
