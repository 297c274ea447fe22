"""Quadrature rules of `scipy.integrate` on sampled values, differentiable in the samples and their places."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.integrate as original

from ..errors import ShapeError
from ..numpy._register import as_array
from ..primitives.base import normalize_axis
from ._face import face, floating

__all__ = ["cumulative_trapezoid", "simpson", "trapezoid"]


@face(original.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """Same as `scipy.integrate.trapezoid`."""
    return np.trapezoid(as_array(y), x, dx, axis)


def _at(x: Any, axis: int, *key: Any) -> Any:
    return x[(*(slice(None),) * axis, *key)]


def _places(x: Any, y: Any, axis: int) -> Any:
    x = floating(x)
    if x.ndim == 1 and y.ndim > 1:
        shape = [1] * y.ndim
        shape[axis] = x.shape[0]
        x = np.reshape(x, shape)
    if x.ndim != y.ndim or x.shape[axis] != y.shape[axis]:
        raise ShapeError(f"x of shape {x.shape} does not fit y of shape {y.shape} along axis {axis}")
    return x


@face(original.cumulative_trapezoid)
def cumulative_trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None) -> Any:
    """Same as `scipy.integrate.cumulative_trapezoid`."""
    y = floating(y)
    axis = normalize_axis(axis, y.ndim)
    step = dx if x is None else np.diff(_places(x, y, axis), axis=axis)
    sums = np.cumsum(step * (_at(y, axis, slice(1, None)) + _at(y, axis, slice(None, -1))) / 2.0, axis=axis)
    if initial is None:
        return sums
    if initial != 0:
        raise ValueError("`initial` must be `None` or `0`.")
    first = np.zeros_like(_at(y, axis, slice(0, 1)))
    return np.concatenate([first, sums], axis=axis)


def _parabolas(y: Any, steps: Any, stop: int, axis: int) -> Any:
    """Simpson's rule over pairs of intervals up to the sample `stop`. steps: a number, or one per interval."""
    left, middle, right = (_at(y, axis, slice(k, stop + k - 1, 2)) for k in range(3))
    if steps is None or not hasattr(steps, "shape") or len(steps.shape) == 0:
        return np.sum(left + 4.0 * middle + right, axis=axis) * (steps / 3.0)
    h0, h1 = _at(steps, axis, slice(0, stop - 1, 2)), _at(steps, axis, slice(1, stop, 2))
    # An interval of length 0 contributes as SciPy lets it.
    total, product = h0 + h1, h0 * h1
    ratio = _quotient(h0, h1)
    weighted = (
        left * (2.0 - _quotient(1.0, ratio)) + middle * (total * _quotient(total, product)) + right * (2.0 - ratio)
    )
    return np.sum(total / 6.0 * weighted, axis=axis)


def _quotient(a: Any, b: Any) -> Any:
    zero = np.equal(b, 0)
    return np.where(zero, 0.0, a / np.where(zero, 1.0, b))


@face(original.simpson)
def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """Same as `scipy.integrate.simpson`; an even number of samples gets Cartwright's correction at the end."""
    y = floating(y)
    axis = normalize_axis(axis, y.ndim)
    n = y.shape[axis]
    steps = dx if x is None else np.diff(_places(x, y, axis), axis=axis)
    if n % 2:
        return _parabolas(y, steps, n - 1, axis)
    one = x is None

    def step(k: int) -> Any:
        return steps if one else _at(steps, axis, k)

    if n == 2:
        return 0.5 * step(-1) * (_at(y, axis, -1) + _at(y, axis, -2))
    h0, h1 = step(-2), step(-1)
    last = _quotient(2 * h1**2 + 3 * h0 * h1, 6 * (h0 + h1)) * _at(y, axis, -1)
    last = last + _quotient(h1**2 + 3.0 * h0 * h1, 6 * h0) * _at(y, axis, -2)
    last = last - _quotient(h1**3, 6 * h0 * (h0 + h1)) * _at(y, axis, -3)
    return _parabolas(y, steps, n - 2, axis) + last
