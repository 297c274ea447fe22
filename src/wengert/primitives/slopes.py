"""Derivatives of elementwise functions that are primitives themselves, so that the next order is accurate too.

Differentiating a formula such as `x / hypot(x, y)` line by line is right but loses digits: its terms cancel, or
overflow where the result does not. Here such a derivative has its own name and its own partials. Users never call
these; `elementwise` does.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, pi
from typing import Any

import numpy as np

from .base import is_complex
from .pointwise import Elementwise, Partial, elementwise, like, ufunc_dtype


def formula(name: str, function: Callable[..., Any], *partials: Partial) -> Elementwise:
    """Declare a primitive whose function is written with other primitives, so that it may be traced."""

    def dtype(*args: Any) -> np.dtype:
        return ufunc_dtype(np.arctan2 if len(args) == 2 else np.sqrt, *args)

    primitive = elementwise(function, *partials, name=name, dtype=dtype)
    primitive.formula = function
    return primitive


# ---------------------------------------------------------------- one argument


def _one_minus_square(x: Any) -> Any:
    """Return 1 - x^2 to one unit in the last place: the product is exact near 1, the square is small near 0."""
    return np.where(np.abs(x) < 0.5, 1 - x * x, (1 - x) * (1 + x))


sqrt_slope = formula("sqrt_slope", lambda x: 0.5 / np.sqrt(x), lambda out, x: -0.5 * out / x)
"""sqrt'(x) = 1 / (2 sqrt(x))."""

cbrt_slope = formula("cbrt_slope", lambda x: 1 / (3 * np.square(np.cbrt(x))), lambda out, x: (-2 / 3) * out / x)
"""cbrt'(x) = 1 / (3 cbrt(x)^2)."""

# Not 1 + tan^2: a complex tangent tends to i, where that cancels.
tan_slope = formula("tan_slope", lambda x: np.square(1 / np.cos(x)), lambda out, x: 2 * (out * np.tan(x)))
"""tan'(x) = 1 / cos(x)^2."""

# Not 1 - tanh^2: that is 0 beyond x = 19.
tanh_slope = formula("tanh_slope", lambda x: np.square(1 / np.cosh(x)), lambda out, x: -2 * (out * np.tanh(x)))
"""tanh'(x) = 1 / cosh(x)^2."""

arcsin_slope = formula(
    "arcsin_slope",
    # On a branch cut 1 - x and 1 + x would lose the sign of a zero imaginary part.
    lambda x: 1 / np.sqrt(-((x - 1) * (x - -1)) if is_complex(x) else (1 - x) * (1 + x)),
    lambda out, x: x * out / _one_minus_square(x),
)
"""arcsin'(x) = 1 / sqrt(1 - x^2)."""

arctanh_slope = formula(
    "arctanh_slope", lambda x: 1 / ((1 - x) * (1 + x)), lambda out, x: 2 * x / np.square(_one_minus_square(x))
)
"""arctanh'(x) = 1 / (1 - x^2)."""

# The order of the products keeps x^-3 from underflowing on the way.
arctan_slope = formula("arctan_slope", lambda x: 1 / (1 + x * x), lambda out, x: -2 * ((x * out) * out))
"""arctan'(x) = 1 / (1 + x^2)."""

arcsinh_slope = formula(
    "arcsinh_slope",
    lambda x: 1 / (np.sqrt(1 + x * x) if is_complex(x) else np.hypot(1, x)),
    lambda out, x: -(x * out) / (1 + x * x),
)
"""arcsinh'(x) = 1 / sqrt(1 + x^2)."""

arccosh_slope = formula(
    "arccosh_slope",
    lambda x: 1 / (np.sqrt(x - 1) * np.sqrt(x - -1)),
    lambda out, x: -(x * out) / ((x - 1) * (x + 1)),
)
"""arccosh'(x) = 1 / sqrt(x^2 - 1)."""


def _sinc_derivative(x: Any, order: int) -> Any:
    """Return the derivative of sin(pi x) / (pi x): its series near 0, else a recurrence from the closed forms.

    f = sinc solves x f'' + 2 f' + pi^2 x f = 0; differentiating n times gives the recurrence.
    """
    x = np.asarray(x)
    wide = x.astype(np.result_type(x, np.float64))
    near = np.abs(wide) < 0.6 + order / 3
    result = np.empty_like(wide)
    if near.any():
        small = wide[near]
        square = small * small
        total = np.zeros_like(small)
        first = (order + 1) // 2
        for k in reversed(range(first, first + 18 + 2 * order)):
            rest = 2 * k - order  # the power of x that order derivatives of x^(2 k) leave
            falling = factorial(2 * k) // factorial(rest)
            total = total * square + (-1) ** k * pi ** (2 * k) * (falling / factorial(2 * k + 1))
        result[near] = total * small if (order % 2) else total
    if not near.all():
        far = wide[~near]
        angle = pi * (far - 2 * np.rint(far.real / 2))  # sin and cos of pi x, with the period taken off exactly
        previous, current = np.sin(angle) / (pi * far), np.cos(angle) / far
        current = current - previous / far
        before = np.zeros_like(far)
        for n in range(order - 1):
            before, previous, current = (
                previous,
                current,
                -((n + 2) * current + n * pi**2 * before) / far - pi**2 * previous,
            )
        result[~near] = current
    return result.astype(np.result_type(x, np.float16))


sinc_derivative: Elementwise = elementwise(
    _sinc_derivative,
    lambda _out, x, order: sinc_derivative(x, order=order + 1),
    name="sinc_derivative",
    dtype=lambda x, order: like(np.sin)(x),
)
"""The derivative of `sinc` of a given order, 1 or more."""

# ---------------------------------------------------------------- two arguments


def _compensated(x: Any, y: Any) -> tuple[Any, Any]:
    """Return y - x and the rounding error of it (Knuth's two-sum; 0 where it is not finite)."""
    difference = y - x
    part = difference - y
    error = (y - (difference - part)) - (x + part)
    return difference, np.where(np.isfinite(error), error, 0)


def _share(x: Any, y: Any) -> Any:
    difference, error = _compensated(x, y)
    return np.where(x == y, 0.5, 1 / (1 + np.exp(difference) * (1 + error)))


share: Elementwise = formula(
    "share",
    _share,
    lambda out, x, y: out * share(y, x),
    lambda out, x, y: -out * share(y, x),
)
"""exp(x) / (exp(x) + exp(y)): the derivative of logaddexp by x. Equal infinities share equally."""

_LN2 = float(np.log(2.0))


def _share2(x: Any, y: Any) -> Any:
    difference, error = _compensated(x, y)
    return np.where(x == y, 0.5, 1 / (1 + np.exp2(difference) * (1 + _LN2 * error)))


share2: Elementwise = formula(
    "share2",
    _share2,
    lambda out, x, y: _LN2 * (out * share2(y, x)),
    lambda out, x, y: -_LN2 * (out * share2(y, x)),
)
"""2^x / (2^x + 2^y): the derivative of logaddexp2 by x."""


def _radius(x: Any, y: Any) -> Any:
    radius = np.hypot(x, y)
    return np.where(radius == 0, 1, radius)


unit: Elementwise = formula(
    "unit",
    lambda x, y: x / _radius(x, y),
    lambda _out, x, y: np.square(unit(y, x)) / _radius(x, y),
    lambda out, x, y: -out * unit(y, x) / _radius(x, y),
)
"""x / hypot(x, y): the derivative of hypot by x; 0 at the origin."""


def _polar(x: Any, y: Any) -> Any:
    radius = _radius(x, y)
    return x / radius / radius


polar: Elementwise = formula(
    "polar",
    _polar,
    lambda _out, x, y: ((y - x) / _radius(x, y)) * ((y + x) / _radius(x, y)) / _radius(x, y) / _radius(x, y),
    lambda out, x, y: -2 * out * polar(y, x),
)
"""x / (x^2 + y^2) without overflow: the derivative of arctan2(y, x) by y; 0 at the origin."""
