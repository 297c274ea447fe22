"""Arithmetic of truncated power series, primitive by primitive.

A series is a value and its coefficients `[c1, ..., cK]` of t, t^2, ...; None is exactly zero. A rule takes the
coefficients of the arguments (None for an argument that does not vary) and returns those of the result. The recurrences
are those of Griewank and Walther, Evaluating Derivatives, 2008, section 13.2; each costs K^2 / 2 products. They are
written with operators and NumPy functions, so coefficients may be arrays, tracked tensors or abstract ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..primitives.base import shape_of
from ..recording import Line

Series = list[Any]
Rule = Callable[..., Series]
RULES: dict[str, Rule] = {}
# Rules that call their own primitive, or its jvp.
WITH_PRIMITIVE = frozenset(
    "banded_solve cholesky contract convolve correlate det eig eigh inv matrix_function qr solve sparse_product svd "
    "sylvester triangular_solve".split()
)


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Declare the rule of some primitives."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


def known(value: Any) -> bool:
    """Whether a line kept this value."""
    return value is not None and not isinstance(value, Line)


def plus(a: Any, b: Any) -> Any:
    """Add, where None is zero."""
    return b if a is None else a if b is None else a + b


def times(a: Any, b: Any) -> Any:
    """Multiply, where None is zero."""
    return None if a is None or b is None else a * b


def over(a: Any, b: Any) -> Any:
    """Divide, where None is zero."""
    return None if a is None else a / b


def minus(a: Any) -> Any:
    """Negate, where None is zero."""
    return None if a is None else -a


def scaled(a: Any, factor: float) -> Any:
    """Multiply by a number, where None is zero."""
    return None if a is None else a if factor == 1 else a * factor


def convolve(x: Sequence[Any], y: Sequence[Any], k: int, first: int, last: int, product: Any = times) -> Any:
    """Return the sum of x[j] y[k - j] for j from `first` to `last`; index 0 is the value."""
    total = None
    for j in range(first, last + 1):
        total = plus(total, product(x[j], y[k - j]))
    return total


def weighted(x: Sequence[Any], h: Sequence[Any], k: int) -> Any:
    """Return the sum of (j / k) x[j] h[k - j] for j = 1 .. k: coefficient k of the integral of x' h."""
    total = None
    for j in range(1, k + 1):
        total = plus(total, times(scaled(x[j], j / k), h[k - j]))
    return total


def full(value: Any, series: Series | None, order: int) -> list[Any]:
    """Return value and coefficients in one list."""
    return [value, *(series if series is not None else [None] * order)]


# ---------------------------------------------------------------- products and quotients


@rule("multiply", "scale")
def _multiply(order: int, _out: Any, args: Any, series: Any) -> Series:
    x, y = (full(value, s, order) for value, s in zip(args, series, strict=True))
    return [convolve(x, y, k, 0, k) for k in range(1, order + 1)]


@rule("contract", "convolve", "correlate", "sparse_product")
def _product(order: int, _out: Any, args: Any, series: Any, *, primitive: Any, **params: Any) -> Series:
    x, y = (full(value, s, order) for value, s in zip(args[:2], series[:2], strict=True))

    def product(a: Any, b: Any) -> Any:
        return None if a is None or b is None else primitive(a, b, *args[2:], **params)

    return [convolve(x, y, k, 0, k, product) for k in range(1, order + 1)]


@rule("divide")
def _divide(order: int, out: Any, args: Any, series: Any) -> Series:
    y = full(args[1], series[1], order)
    x = full(None, series[0], order)
    h = [out if known(out) else args[0] / args[1]]
    for k in range(1, order + 1):
        h.append(over(plus(x[k], minus(convolve(y, h, k, 1, k))), y[0]))
    return h[1:]


@rule("reciprocal")
def _reciprocal(order: int, out: Any, args: Any, series: Any) -> Series:
    h = [out if known(out) else 1 / args[0]]
    x = full(None, series[0], order)
    for k in range(1, order + 1):
        h.append(minus(times(convolve(x, h, k, 1, k), h[0])))
    return h[1:]


@rule("square")
def _square(order: int, _out: Any, args: Any, series: Any) -> Series:
    x = full(args[0], series[0], order)
    return [convolve(x, x, k, 0, k) for k in range(1, order + 1)]


@rule("sqrt")
def _sqrt(order: int, out: Any, args: Any, series: Any) -> Series:
    h = [out if known(out) else np.sqrt(args[0])]
    x = full(None, series[0], order)
    for k in range(1, order + 1):
        h.append(over(plus(x[k], minus(convolve(h, h, k, 1, k - 1))), 2 * h[0]))
    return h[1:]


@rule("power", "float_power")
def _power(order: int, out: Any, args: Any, series: Any) -> Series:
    base, exponent = args
    if series[1] is not None:  # exp(y log x)
        logarithm = [np.log(base), *_log(order, None, (base,), (series[0] or [None] * order,))]
        y = full(exponent, series[1], order)
        product = [convolve(logarithm, y, k, 0, k) for k in range(1, order + 1)]
        return _exp(order, out if known(out) else base**exponent, (None,), (product,))
    whole = _whole(exponent)
    if whole is not None and 0 <= whole <= 64:
        return _whole_power(full(base, series[0], order), whole, order)[1:]
    x = full(base, series[0], order)
    h = [out if known(out) else base**exponent]
    for k in range(1, order + 1):
        total = None
        for j in range(1, k + 1):
            total = plus(total, times(times(x[j], exponent * (j / k) - (k - j) / k), h[k - j]))
        h.append(over(total, x[0]))
    return h[1:]


def _whole(exponent: Any) -> int | None:
    """Return the exponent if it is one whole number; repeated products are right at 0 as well."""
    if not isinstance(exponent, int | float | np.generic | np.ndarray) or shape_of(exponent) != ():
        return None
    value = np.asarray(exponent)
    return int(value) if value.dtype.kind in "iuf" and value == np.round(value) and abs(value) < 1e6 else None


def _whole_power(x: list[Any], exponent: int, order: int) -> list[Any]:
    def product(a: list[Any], b: list[Any]) -> list[Any]:
        return [convolve(a, b, k, 0, k) for k in range(order + 1)]

    result: list[Any] | None = None
    while exponent:
        if exponent & 1:
            result = x if result is None else product(result, x)
        exponent >>= 1
        if exponent:
            x = product(x, x)
    return result if result is not None else [None] * (order + 1)


# ---------------------------------------------------------------- exponentials and logarithms


@rule("exp")
def _exp(order: int, out: Any, args: Any, series: Any) -> Series:
    h = [out if known(out) else np.exp(args[0])]
    x = full(None, series[0], order)
    for k in range(1, order + 1):
        h.append(weighted(x, h, k))
    return h[1:]


@rule("expm1", "special.expm1")
def _expm1(order: int, out: Any, args: Any, series: Any) -> Series:
    return _exp(order, np.exp(args[0]) if known(args[0]) else out + 1, args, series)


@rule("exp2", "special.exp2")
def _exp2(order: int, out: Any, args: Any, series: Any) -> Series:
    natural = [scaled(c, float(np.log(2.0))) for c in series[0]]
    return _exp(order, out if known(out) else np.exp2(args[0]), (None,), (natural,))


def _log_of(order: int, value: Any, series: Series) -> Series:
    """Coefficients of the logarithm of value + series."""
    x = full(value, series, order)
    h: list[Any] = [None]
    for k in range(1, order + 1):
        total = x[k]
        for j in range(1, k):
            total = plus(total, minus(times(scaled(h[j], j / k), x[k - j])))
        h.append(over(total, value))
    return h[1:]


@rule("log")
def _log(order: int, _out: Any, args: Any, series: Any) -> Series:
    return _log_of(order, args[0], series[0])


@rule("log2")
def _log2(order: int, _out: Any, args: Any, series: Any) -> Series:
    return [scaled(c, float(1 / np.log(2.0))) for c in _log_of(order, args[0], series[0])]


@rule("log10")
def _log10(order: int, _out: Any, args: Any, series: Any) -> Series:
    return [scaled(c, float(1 / np.log(10.0))) for c in _log_of(order, args[0], series[0])]


@rule("log1p", "special.log1p")
def _log1p(order: int, _out: Any, args: Any, series: Any) -> Series:
    return _log_of(order, 1 + args[0], series[0])


# ---------------------------------------------------------------- circular and hyperbolic functions


def _pair(order: int, values: tuple[Any, Any], series: Series, sign: int) -> tuple[Series, Series]:
    """Coefficients of sine and cosine (sign -1) or of their hyperbolic kin (sign 1)."""
    s, c = [values[0]], [values[1]]
    x = full(None, series, order)
    for k in range(1, order + 1):
        next_s, next_c = weighted(x, c, k), weighted(x, s, k)
        s.append(next_s)
        c.append(minus(next_c) if sign < 0 else next_c)
    return s[1:], c[1:]


@rule("sin")
def _sin(order: int, _out: Any, args: Any, series: Any) -> Series:
    return _pair(order, (np.sin(args[0]), np.cos(args[0])), series[0], -1)[0]


@rule("cos")
def _cos(order: int, _out: Any, args: Any, series: Any) -> Series:
    return _pair(order, (np.sin(args[0]), np.cos(args[0])), series[0], -1)[1]


@rule("sinh")
def _sinh(order: int, _out: Any, args: Any, series: Any) -> Series:
    return _pair(order, (np.sinh(args[0]), np.cosh(args[0])), series[0], 1)[0]


@rule("cosh")
def _cosh(order: int, _out: Any, args: Any, series: Any) -> Series:
    return _pair(order, (np.sinh(args[0]), np.cosh(args[0])), series[0], 1)[1]


def _riccati(order: int, value: Any, slope: Any, series: Series, sign: int) -> Series:
    """Coefficients of h with h' = w x', w = 1 + sign h^2, whose first value is given for accuracy."""
    h, w = [value], [slope]
    x = full(None, series, order)
    for k in range(1, order + 1):
        h.append(weighted(x, w, k))
        w.append(scaled(weighted(h, h, k), 2.0 * sign))
    return h[1:]


@rule("tan")
def _tan(order: int, out: Any, args: Any, series: Any) -> Series:
    value = out if known(out) else np.tan(args[0])
    return _riccati(order, value, 1 + value * value, series[0], 1)


@rule("tanh")
def _tanh(order: int, out: Any, args: Any, series: Any) -> Series:
    if known(args[0]):
        value, slope = np.tanh(args[0]), np.square(1 / np.cosh(args[0]))
    else:
        value, slope = out, 1 - out * out
    return _riccati(order, value, slope, series[0], -1)


@rule("arctan")
def _arctan(order: int, _out: Any, args: Any, series: Any) -> Series:
    x = full(args[0], series[0], order)
    w = [1 + args[0] * args[0], *(convolve(x, x, k, 0, k) for k in range(1, order + 1))]
    return _quotient_integral(order, x, w)


def _quotient_integral(order: int, x: Sequence[Any], w: Sequence[Any]) -> Series:
    """Coefficients of the integral of x' / w."""
    h: list[Any] = [None]
    for k in range(1, order + 1):
        total = x[k]
        for j in range(1, k):
            total = plus(total, minus(times(scaled(h[j], j / k), w[k - j])))
        h.append(over(total, w[0]))
    return h[1:]


@rule("arcsin")
def _arcsin(order: int, _out: Any, args: Any, series: Any) -> Series:
    x = full(args[0], series[0], order)
    return _quotient_integral(order, x, _circle(order, x, (1 - args[0]) * (1 + args[0]), -1))


@rule("arccos")
def _arccos(order: int, out: Any, args: Any, series: Any) -> Series:
    return [minus(c) for c in _arcsin(order, out, args, series)]


@rule("arcsinh")
def _arcsinh(order: int, _out: Any, args: Any, series: Any) -> Series:
    x = full(args[0], series[0], order)
    return _quotient_integral(order, x, _circle(order, x, 1 + args[0] * args[0], 1))


def _circle(order: int, x: Sequence[Any], value: Any, sign: int) -> list[Any]:
    """Value and coefficients of sqrt(1 + sign x^2)."""
    inner = [scaled(convolve(x, x, k, 0, k), float(sign)) for k in range(1, order + 1)]
    return [np.sqrt(value), *_sqrt(order, np.sqrt(value), (None,), (inner,))]


@rule("arctanh")
def _arctanh(order: int, _out: Any, args: Any, series: Any) -> Series:
    x = full(args[0], series[0], order)
    w = [(1 - args[0]) * (1 + args[0]), *(minus(convolve(x, x, k, 0, k)) for k in range(1, order + 1))]
    return _quotient_integral(order, x, w)


def _two(order: int, args: Any, series: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Return both arguments in full, and the coefficients of the sum of their squares (the value is left out)."""
    x, y = (full(value, s, order) for value, s in zip(args, series, strict=True))
    squares = [plus(convolve(x, x, k, 0, k), convolve(y, y, k, 0, k)) for k in range(1, order + 1)]
    return x, y, [None, *squares]


@rule("hypot")
def _hypot(order: int, out: Any, args: Any, series: Any) -> Series:
    squares = _two(order, args, series)[2]
    value = out if known(out) else np.hypot(*args)
    return _sqrt(order, value, (None,), (squares[1:],))


@rule("arctan2")
def _arctan2(order: int, _out: Any, args: Any, series: Any) -> Series:
    # h' (x^2 + y^2) = x y' - y x', for h = arctan2(y, x)
    y, x, squares = _two(order, args, series)
    radius = np.hypot(*args)
    h: list[Any] = [None]
    for k in range(1, order + 1):
        total = plus(weighted(y, x, k), minus(weighted(x, y, k)))
        for j in range(1, k):
            total = plus(total, minus(times(scaled(h[j], j / k), squares[k - j])))
        h.append(None if total is None else total / radius / radius)
    return h[1:]


@rule("special.expit")
def _expit(order: int, out: Any, args: Any, series: Any) -> Series:
    # h' = w x' with w = h (1 - h); its first value is that of both tails.
    if known(args[0]):
        e = np.exp(-np.abs(args[0]))
        value, slope = np.where(args[0] >= 0, 1 / (1 + e), e / (1 + e)), e / np.square(1 + e)
    else:
        value, slope = out, out * (1 - out)
    h, w = [value], [slope]
    x = full(None, series[0], order)
    for k in range(1, order + 1):
        h.append(weighted(x, w, k))
        w.append(plus(h[k], minus(convolve(h, h, k, 0, k))))
    return h[1:]


# ---------------------------------------------------------------- linear algebra


@rule("solve", "triangular_solve", "banded_solve")
def _solve(order: int, out: Any, args: Any, series: Any, *, primitive: Any, **params: Any) -> Series:
    """Coefficients of x with a x = b, by the primitive's jvp: for (da, db) at x it is a^-1 (db - da x)."""
    a, b = full(args[0], series[0], order), full(None, series[1], order)
    x = [out if known(out) else primitive(args[0], args[1], **params)]
    for k in range(1, order + 1):
        total = None
        for j in range(1, k + 1):
            right = b[k] if j == k else None
            if a[j] is None or x[k - j] is None:
                part = None if right is None else primitive.jvp([None, right], x[0], args[0], args[1], **params)
            else:
                part = primitive.jvp([a[j], right], x[k - j], args[0], args[1], **params)
            total = plus(total, part)
        x.append(total)
    return x[1:]


@rule("inv")
def _inv(order: int, out: Any, args: Any, series: Any, *, primitive: Any, **params: Any) -> Series:
    a = full(None, series[0], order)
    x = [out if known(out) else primitive(args[0], **params)]
    for k in range(1, order + 1):
        total = None
        for j in range(1, k + 1):
            if a[j] is not None and x[k - j] is not None:
                total = plus(total, a[j] @ x[k - j])
        x.append(None if total is None else -(x[0] @ total))
    return x[1:]
