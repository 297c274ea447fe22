"""`numpy.pad` by index maps: every mode copies elements, adds constants, or averages along one axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import UnsupportedFunction
from ..primitives import indexing as p

FULL = (None, None, None)


def pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    """Pad axis by axis, as NumPy does."""
    ndim = array.ndim
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(i, pad_width.get(i - ndim, 0)) for i in range(ndim)]
        pad_width = [(w, w) if np.ndim(w) == 0 else tuple(w) for w in pad_width]
    widths = np.broadcast_to(np.asarray(pad_width), (ndim, 2)).astype(int).tolist()
    if any(w < 0 for pair in widths for w in pair):
        raise ValueError("index can't contain negative values")
    if callable(mode):
        raise UnsupportedFunction(
            "numpy.pad with a function as mode writes in place to plain arrays", hint="np.concatenate the parts"
        )
    for axis, (before, after) in enumerate(widths):
        if not before and not after:
            continue
        if mode in _COPIES:
            places = np.pad(np.arange(array.shape[axis]), (before, after), mode, **options)
            if mode in ("reflect", "symmetric") and options.get("reflect_type", "even") == "odd":
                array = _odd(array, axis, before, after, mode)
            else:
                array = p.index(array, places, spec=(*(FULL,) * axis, p.ARRAY))
        else:
            array = _with_edges(array, axis, before, after, mode, options)
    return array


_COPIES = ("edge", "reflect", "symmetric", "wrap")


def _slice(x: Any, axis: int, start: Any, stop: Any, step: Any = None) -> Any:
    return p.index(x, spec=(*(FULL,) * axis, (start, stop, step)))


def _odd(x: Any, axis: int, before: int, after: int, mode: str) -> Any:
    """Odd reflection is linear in the array: apply NumPy's own map to unit vectors along the axis."""
    n = x.shape[axis]
    weights = np.stack(
        [np.pad(row, (before, after), mode, reflect_type="odd") for row in np.eye(n)], axis=1
    )  # (n + before + after, n)
    moved = np.moveaxis(x, axis, -1)
    return np.moveaxis(np.matmul(moved, weights.T), -1, axis)


def _with_edges(x: Any, axis: int, before: int, after: int, mode: str, options: dict[str, Any]) -> Any:
    n = x.shape[axis]

    def side(pair: Any, which: int) -> Any:
        values = np.broadcast_to(np.asarray(pair), (x.ndim, 2)) if np.ndim(pair) else None
        return pair if values is None else values[axis, which]

    def constant(value: Any, width: int) -> Any:
        shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
        return np.broadcast_to(np.asarray(value, dtype=x.dtype), shape)

    def spread(value: Any, width: int) -> Any:
        return p.broadcast_to(value, shape=(*x.shape[:axis], width, *x.shape[axis + 1 :]))

    def statistic(which: int) -> Any:
        length = options.get("stat_length")
        count = n if length is None else min(int(side(length, which)), n)
        part = _slice(x, axis, 0, count) if which == 0 else _slice(x, axis, n - count, n)
        function = {"mean": np.mean, "maximum": np.max, "minimum": np.min, "median": np.median}[mode]
        return function(part, axis=axis, keepdims=True)

    def ramp(which: int, width: int) -> Any:
        end = side(options.get("end_values", 0), which)
        edge = _slice(x, axis, 0, 1) if which == 0 else _slice(x, axis, n - 1, n)
        steps = np.arange(width) / width if width else np.zeros(0)
        if which:
            steps = steps[::-1]
        steps = steps.reshape((width,) + (1,) * (x.ndim - axis - 1))
        return end + (edge - end) * steps

    if mode == "constant" or mode == "empty":
        values = options.get("constant_values", 0)
        parts = [constant(side(values, 0), before), x, constant(side(values, 1), after)]
    elif mode in ("mean", "maximum", "minimum", "median"):
        parts = [spread(statistic(0), before), x, spread(statistic(1), after)]
    elif mode == "linear_ramp":
        parts = [ramp(0, before), x, ramp(1, after)]
    else:
        raise ValueError(f"mode '{mode}' is not supported")
    return p.concatenate(*(part for part in parts if part.shape[axis]), axis=axis)
