"""`numpy.pad` by index maps: every mode copies elements, adds constants, or averages along one axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError, DtypeError, UnsupportedFunction, user_line
from ..primitives import indexing as p
from ..primitives.indexing import FULL
from ..recording import Traced
from ._register import as_array, to_dtype

_COPIES = ("edge", "reflect", "symmetric", "wrap")
_STATISTICS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "maximum": np.max,
    "minimum": np.min,
    "median": np.median,
}
_KNOWN = {
    **{mode: {"reflect_type"} if mode in ("reflect", "symmetric") else set() for mode in _COPIES},
    **{mode: {"stat_length"} for mode in _STATISTICS},
    "constant": {"constant_values"},
    "empty": set(),
    "linear_ramp": {"end_values"},
}


def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    """Pad axis by axis, as NumPy does.

    Raises
    ------
    UnsupportedFunction
        If the mode is a function: NumPy lets it write in place to plain arrays.
    """
    if callable(mode):
        raise UnsupportedFunction(
            "numpy.pad with a function as mode has no derivative rule for tensors",
            where=user_line(),
            why="the function writes in place to plain arrays",
            hint="np.concatenate of the parts",
        )
    if mode not in _KNOWN:
        raise ArgumentError(f"mode '{mode}' is not supported")
    unknown = set(options) - _KNOWN[mode]
    if unknown:
        raise ArgumentError(f"unsupported keyword arguments for mode '{mode}': {unknown}")
    for axis, (before, after) in enumerate(_widths(pad_width, array.ndim)):
        if not before and not after:
            continue
        if mode in _COPIES:
            if options.get("reflect_type", "even") == "odd":
                array = _odd(array, axis, before, after, mode)
            else:
                places = np.pad(np.arange(array.shape[axis]), (before, after), mode)
                array = p.index(array, places, spec=(*(FULL,) * axis, p.ARRAY))
        else:
            array = _with_edges(array, axis, before, after, mode, options)
    return array


def _widths(pad_width: Any, ndim: int) -> list[list[int]]:
    if isinstance(pad_width, dict):
        pairs = [[0, 0] for _ in range(ndim)]
        for axis, width in pad_width.items():
            pairs[axis] = [width, width] if np.ndim(width) == 0 else list(width)
        pad_width = pairs
    given = np.asarray(pad_width)
    if given.dtype.kind not in "iu":
        raise DtypeError("`pad_width` must be of integral type.")
    widths = np.broadcast_to(given, (ndim, 2)).tolist()
    if any(w < 0 for pair in widths for w in pair):
        raise ArgumentError("index can't contain negative values")
    return widths


def _odd(x: Any, axis: int, before: int, after: int, mode: Any) -> Any:
    """Odd reflection is linear in the array: apply NumPy's own map to unit vectors along the axis."""
    n = x.shape[axis]
    weights = np.stack([np.pad(row, (before, after), mode, reflect_type="odd") for row in np.eye(n, dtype=x.dtype)])
    return np.moveaxis(np.matmul(np.moveaxis(x, axis, -1), weights), -1, axis)


def _side(given: Any, axis: int, which: int) -> Any:
    """Return the entry for one side of one axis, from a number, a pair, or one pair per axis."""
    if not isinstance(given, Traced) and np.ndim(given) == 0:
        return given
    given = as_array(given)
    if given.size == 1:
        return np.reshape(given, ())
    pair = given[axis] if given.ndim == 2 and given.shape[0] > 1 else np.reshape(given, (-1,))
    return pair[which if pair.shape[0] > 1 else 0]


def _with_edges(x: Any, axis: int, before: int, after: int, mode: str, options: dict[str, Any]) -> Any:
    n = x.shape[axis]

    def spread(value: Any, width: int) -> Any:
        value = as_array(value)
        if x.dtype.kind in "iu" and value.dtype.kind == "f":
            value = np.round(value)
        value = to_dtype(value, x.dtype)
        return p.broadcast_to(value, shape=(*x.shape[:axis], width, *x.shape[axis + 1 :]))

    def part(start: int, stop: int) -> Any:
        return p.index(x, spec=(*(FULL,) * axis, (start, stop, None)))

    def statistic(which: int) -> Any:
        length = options.get("stat_length")
        count = n if length is None else min(int(_side(length, axis, which)), n)
        chosen = part(0, count) if which == 0 else part(n - count, n)
        return _STATISTICS[mode](chosen, axis=axis, keepdims=True)

    def ramp(which: int, width: int) -> Any:
        end = _side(options.get("end_values", 0), axis, which)
        edge = part(0, 1) if which == 0 else part(n - 1, n)
        steps = np.arange(width, dtype=x.dtype) / width
        steps = np.reshape(steps[::-1] if which else steps, (width,) + (1,) * (x.ndim - axis - 1))
        return end + (edge - end) * steps

    parts: list[Any] = []
    for which, width in enumerate((before, after)):
        if which == 1:
            parts.append(x)
        if not width:
            continue
        if mode in ("constant", "empty"):
            parts.append(spread(_side(options.get("constant_values", 0), axis, which), width))
        elif mode == "linear_ramp":
            parts.append(to_dtype(ramp(which, width), x.dtype))
        else:
            parts.append(spread(statistic(which), width))
    return p.concatenate(*parts, axis=axis)
