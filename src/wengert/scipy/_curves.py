"""What the curves of `wengert.scipy.interpolate` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitives.indexing import ARRAY, index
from ..primitives.searching import searchsorted
from ..primitives.structural import stop_gradient
from ..recording import Traced
from ._face import holds_tensor


def numbers(x: Any) -> Any:
    """Return the numbers of a tensor where they are known."""
    return x._data if isinstance(x, Traced) and x._data is not None else x


def interval(places: Any, x: Any, first: int, last: int, side: str = "right") -> Any:
    """Return, for each x, the number of the interval it lies in, between `first` and `last`."""
    found = searchsorted(numbers(stop_gradient(places)), numbers(stop_gradient(x)), side=side)
    return np.clip(found - 1, first, last)


def at(x: Any, *places: Any) -> Any:
    """Return `x[places]` for index arrays of which only the shape may be known."""
    return index(x, *places, spec=(ARRAY,) * len(places))


def column(x: Any, trailing: int) -> Any:
    return np.reshape(x, x.shape + (1,) * trailing)


def back(values: Any, axis: int, count: int) -> Any:
    """Move the trailing axes of the data so that the evaluation axes stand where the data's axis stood."""
    if axis == 0:
        return values
    order = list(range(count, count + axis)) + list(range(count)) + list(range(count + axis, values.ndim))
    return np.transpose(values, order)


class Curve:
    """What evaluates at points and can be differentiated."""

    axis: int
    extrapolate: Any

    @property
    def _holds_tensor(self) -> bool:
        return True

    def _fold(self, x: Any, low: Any, high: Any, extrapolate: Any) -> tuple[Any, Any]:
        """Return points moved into the period if there is one, and where the result is NaN (None: nowhere)."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        if extrapolate == "periodic":
            return low + (x - low) % (high - low), None
        if extrapolate is None or extrapolate:
            return x, None
        return x, np.logical_or(np.less(x, low), np.greater(x, high))


class Plain(Curve):
    """A curve of SciPy's made of plain numbers: SciPy's own at plain points, and differentiable at tensors.

    `rule` makes the differentiable curve of SciPy's `(x, c, ...)` or `(t, c, k, ...)`.
    """

    def __init__(self, curve: Any, rule: Callable[..., Any]) -> None:
        self._curve = curve
        self._make = rule
        self._made: Any = None

    @property
    def _holds_tensor(self) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._curve, name)

    def __call__(self, x: Any, *args: Any, **options: Any) -> Any:
        """Evaluate."""
        if not holds_tensor(x):
            return self._curve(x, *args, **options)
        if self._made is None:
            curve = self._curve
            if hasattr(curve, "t"):
                self._made = self._make(curve.t, curve.c, curve.k, curve.extrapolate, curve.axis)
            elif hasattr(curve, "c"):
                self._made = self._make(curve.c, curve.x, curve.extrapolate, curve.axis)
            else:
                self._made = self._make()
        return self._made(x, *args, **options)
