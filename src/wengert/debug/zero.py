"""Why an entry of a Jacobian is zero: how far the argument's change gets, and where it stops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..recording import Line, Traced
from ..transforms.forward import push_forward
from .noting import Notes, record, short


def why_zero(function: Callable[..., Any], x: Any, i: Any, j: Any) -> str:
    """Return why the entry (i, j) of a Jacobian is zero, as text: the operations that `x[j]` reaches, and the last ones.

    f: x -> y

    Parameters
    ----------
    function : callable
        Ordinary NumPy code of one array that returns one array.
    x : array_like
        Where.
    i, j : int or tuple of int
        An element of the result, and one of the argument.

    Raises
    ------
    ArgumentError
        If the entry is not zero, or there is no such entry.

    Notes
    -----
    Cost: one evaluation and one directional derivative.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> print(wg.debug.why_zero(lambda x: np.floor(2 * x), np.ones(2), 0, 0))
    the result at (0,) does not change with the argument at (0,):
      multiply ... changes by up to 2
      floor ... does not change: its derivative is zero there
    """
    recorded = record("why_zero", function, (x,), {}, Notes())
    out: Any = recorded.outputs[0]
    source = recorded.inputs[0]
    row, column = _index(i, np.shape(out._data if isinstance(out, Traced) else out)), _index(j, source.shape)
    title = f"the result at {row} does not change with the argument at {column}:"
    if not recorded.connected(out):
        return f"{title}\n  no operation leads from the argument to the result"
    seed = np.zeros(source.shape, source.dtype)
    seed[column] = 1
    reached = push_forward(recorded.lines, {source: seed}, recorded.lines, None)
    if out._line in reached and reached[out._line][row] != 0:
        raise ArgumentError(f"why_zero: the entry {row}, {column} is {reached[out._line][row]}, not zero")
    rows = []
    for line in recorded.lines:
        if line is source:
            continue
        if _size(reached.get(line)):
            rows.append(f"{_name(line)}changes by up to {_size(reached[line]):.4g}")
        elif any(parent is not None and _size(reached.get(parent)) for parent in line.inputs):
            rows.append(f"{_name(line)}does not change: its derivative is zero there")
    if out._line in reached and _size(reached[out._line]):
        elements = [tuple(map(int, place)) for place in np.argwhere(reached[out._line])[:5]]
        rows.append(f"of the result, {', '.join(map(str, elements))} changes instead")
    return "\n".join([title, *("  " + row for row in rows)])


def _index(index: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    index = index if isinstance(index, tuple) else (index,)
    if len(index) != len(shape) or not all(-n <= k < n for k, n in zip(index, shape)):
        raise ArgumentError(f"why_zero: there is no element {index} in an array of shape {shape}")
    return tuple(k % n for k, n in zip(index, shape))


def _size(tangent: Any) -> float:
    return float(np.max(np.abs(tangent), initial=0)) if isinstance(tangent, np.ndarray | np.generic) else 0.0


def _name(line: Line) -> str:
    where = short(getattr(line, "notes", ""))
    return f"{line.primitive.name} ({where}) "
