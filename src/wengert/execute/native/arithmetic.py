"""Sums, products, quotients and powers of one element, as NumPy computes them."""

from __future__ import annotations

import numpy as np

from . import vectormath
from .ir import BOOL, Code, Kind, Value, literal, number_in
from .table import LOWER, Lower, lowers


def _pairwise(float_op: str, int_op: str, bool_op: str) -> Lower:
    def write(code: Code, out: Kind, a: Value, b: Value) -> Value:
        kind = a.kind
        if kind.code == "f":
            return Value(kind, code.fop(float_op, kind, a.re, b.re))
        if kind.code == "c":
            part = kind.part
            return Value(kind, code.fop(float_op, part, a.re, b.re), code.fop(float_op, part, a.im, b.im))
        return Value(kind, code.integer(bool_op if kind is BOOL else int_op, kind, a.re, b.re))

    return write


LOWER["add"] = _pairwise("fadd", "add", "or")
LOWER["subtract"] = _pairwise("fsub", "sub", "xor")


@lowers("multiply")
def _multiply(code: Code, out: Kind, a: Value, b: Value) -> Value:
    kind = a.kind
    if kind.code == "f":
        return Value(kind, code.mul(kind, a.re, b.re))
    if kind.code == "c":
        p = kind.part
        return Value(
            kind,
            code.sub(p, code.mul(p, a.re, b.re), code.mul(p, a.im, b.im)),
            code.add(p, code.mul(p, a.re, b.im), code.mul(p, a.im, b.re)),
        )
    return Value(kind, code.integer("and" if kind is BOOL else "mul", kind, a.re, b.re))


@lowers("divide")
def _divide(code: Code, out: Kind, a: Value, b: Value) -> Value:
    kind = a.kind
    if kind.code == "f":
        return Value(kind, code.div(kind, a.re, b.re))
    # Smith's algorithm, as NumPy does it.
    p = kind.part
    x, y = code.intrinsic("fabs", p, b.re), code.intrinsic("fabs", p, b.im)
    zero = literal(p, 0.0)
    larger = code.compare("oge", p, x, y)
    both_zero = code.both(code.compare("oeq", p, x, zero), code.compare("oeq", p, y, zero))
    top, bottom = code.select(larger, p, b.re, b.im), code.select(larger, p, b.im, b.re)
    ratio = code.div(p, bottom, top)
    scale = code.div(p, literal(p, 1.0), code.add(p, top, code.mul(p, bottom, ratio)))
    re1 = code.mul(p, code.add(p, a.re, code.mul(p, a.im, ratio)), scale)
    im1 = code.mul(p, code.sub(p, a.im, code.mul(p, a.re, ratio)), scale)
    re2 = code.mul(p, code.add(p, code.mul(p, a.re, ratio), a.im), scale)
    im2 = code.mul(p, code.sub(p, code.mul(p, a.im, ratio), a.re), scale)
    re, im = code.select(larger, p, re1, re2), code.select(larger, p, im1, im2)
    return Value(
        kind,
        code.select(both_zero, p, code.div(p, a.re, x), re),
        code.select(both_zero, p, code.div(p, a.im, x), im),
    )


@lowers("scale")
def _scale(code: Code, out: Kind, a: Value, b: Value) -> Value:
    """The product, but 0 where a factor is 0, whatever the other one is."""
    product = _multiply(code, out, a, b)
    kind = product.kind
    if kind.code not in "fc":
        return product
    p = kind.part
    zero = literal(p, 0.0)

    def is_zero(x: Value) -> str:
        re = code.compare("oeq", p, x.re, zero)
        return code.both(re, code.compare("oeq", p, x.im, zero)) if x.im else re

    numbers = [None if x.im else number_in(x.re) for x in (a, b)]
    if any(x is not None and np.isfinite(x) and x != 0 for x in numbers):
        return product  # no zero turns that literal into NaN
    cut = code.is_nan(p, product.re)
    if product.im:
        cut = code.either(cut, code.is_nan(p, product.im))
    if 0 not in numbers:
        if None not in numbers:
            return product
        none = [is_zero(x) for x, number in zip((a, b), numbers, strict=True) if number is None]
        cut = code.both(cut, none[0] if len(none) == 1 else code.either(*none))
    return Value(
        kind, code.select(cut, p, zero, product.re), code.select(cut, p, zero, product.im) if product.im else ""
    )


@lowers("negative")
def _negative(code: Code, out: Kind, a: Value) -> Value:
    kind = a.kind
    if kind.code in "iu":
        return Value(kind, code.integer("sub", kind, "0", a.re))
    return Value(kind, code.fneg(kind.part, a.re), code.fneg(kind.part, a.im) if a.im else "")


@lowers("positive")
def _positive(code: Code, out: Kind, a: Value) -> Value:
    return a


@lowers("square")
def _square(code: Code, out: Kind, a: Value) -> Value:
    return _multiply(code, out, a, a)


@lowers("reciprocal")
def _reciprocal(code: Code, out: Kind, a: Value) -> Value:
    kind = a.kind
    if kind.code == "f":
        return Value(kind, code.div(kind, literal(kind, 1.0), a.re))
    # NumPy's own formula for complex reciprocals
    p = kind.part
    larger = code.compare("ole", p, code.intrinsic("fabs", p, a.im), code.intrinsic("fabs", p, a.re))
    one = literal(p, 1.0)
    top, bottom = code.select(larger, p, a.re, a.im), code.select(larger, p, a.im, a.re)
    r = code.div(p, bottom, top)
    d = code.add(p, top, code.mul(p, bottom, r))
    x, y = code.div(p, one, d), code.div(p, r, d)
    return Value(kind, code.select(larger, p, x, y), code.fneg(p, code.select(larger, p, y, x)))


@lowers("power", "float_power")
def _power(code: Code, out: Kind, a: Value, b: Value) -> Value:
    return Value(a.kind, power(code, a.kind, a.re, b.re))


def power(code: Code, kind: Kind, base: str, exponent: str) -> str:
    """x ** y; small literal exponents become products, as exact as the C library's `pow` to an ulp."""
    y = number_in(exponent)
    if y == 2.0:
        return code.mul(kind, base, base)
    if y == 1.0:
        return base
    if y == 0.0:
        return literal(kind, 1.0)
    if y == -1.0:
        return code.div(kind, literal(kind, 1.0), base)
    if y == 0.5:
        return code.intrinsic("sqrt", kind, base)
    if y == 3.0:
        return code.mul(kind, code.mul(kind, base, base), base)
    if y == 4.0:
        square = code.mul(kind, base, base)
        return code.mul(kind, square, square)
    return vectormath.call(code, "power", kind, base, exponent)


@lowers("tanh_slope")
def _tanh_slope(code: Code, out: Kind, a: Value) -> Value:
    """1 / cosh(x)^2 as 4 e / (1 + e)^2 with e = exp(-2 |x|): one exponential, and nothing cancels."""
    kind = a.kind
    size = code.fneg(kind, code.intrinsic("fabs", kind, a.re))
    e = vectormath.call(code, "exp", kind, code.add(kind, size, size))
    root = code.add(kind, literal(kind, 1.0), e)
    quotient = code.div(kind, code.mul(kind, literal(kind, 4.0), e), code.mul(kind, root, root))
    return Value(kind, quotient)


@lowers("sqrt_slope")
def _sqrt_slope(code: Code, out: Kind, a: Value) -> Value:
    return Value(a.kind, code.div(a.kind, literal(a.kind, 0.5), code.intrinsic("sqrt", a.kind, a.re)))


@lowers("sqrt")
def _sqrt(code: Code, out: Kind, a: Value) -> Value:
    return Value(a.kind, code.intrinsic("sqrt", a.kind, a.re))


# ---------------------------------------------------------------- quotients


def _float_remainder(code: Code, kind: Kind, a: str, b: str) -> tuple[str, str]:
    """Return C's fmod and Python's remainder, as `npy_remainder` has it."""
    zero = literal(kind, 0.0)
    mod = vectormath.call(code, "fmod", kind, a, b)
    opposite = code.pure(f"xor i1 {code.compare('olt', kind, b, zero)}, {code.compare('olt', kind, mod, zero)}")
    nonzero = code.compare("une", kind, mod, zero)
    shifted = code.select(opposite, kind, code.add(kind, mod, b), mod)
    signed = code.intrinsic("copysign", kind, zero, b)
    inner = code.select(nonzero, kind, shifted, signed)
    return mod, code.select(code.compare("oeq", kind, b, zero), kind, mod, inner)


def _safe_divisor(code: Code, kind: Kind, a: str, b: str) -> tuple[str, str]:
    """Return a divisor that cannot trap, and whether the true one could not be divided by."""
    bad = code.compare("eq", kind, b, "0")
    if kind.code == "i":
        lowest = str(-(1 << (kind.bits - 1)))
        overflow = code.both(code.compare("eq", kind, b, "-1"), code.compare("eq", kind, a, lowest))
        return code.select(code.either(bad, overflow), kind, "1", b), bad
    return code.select(bad, kind, "1", b), bad


@lowers("remainder")
def _remainder(code: Code, out: Kind, a: Value, b: Value) -> Value:
    kind = a.kind
    if kind.code == "f":
        return Value(kind, _float_remainder(code, kind, a.re, b.re)[1])
    divisor, bad = _safe_divisor(code, kind, a.re, b.re)
    if kind.code == "u":
        rest = code.integer("urem", kind, a.re, divisor)
    else:
        rest = code.integer("srem", kind, a.re, divisor)
        opposite = code.pure(f"xor i1 {code.compare('slt', kind, rest, '0')}, {code.compare('slt', kind, b.re, '0')}")
        fix = code.both(opposite, code.compare("ne", kind, rest, "0"))
        rest = code.select(fix, kind, code.integer("add", kind, rest, b.re), rest)
    return Value(kind, code.select(bad, kind, "0", rest))


@lowers("floor_divide")
def _floor_divide(code: Code, out: Kind, a: Value, b: Value) -> Value:
    kind = a.kind
    if kind.code == "f":
        zero, one = literal(kind, 0.0), literal(kind, 1.0)
        mod, _ = _float_remainder(code, kind, a.re, b.re)
        quotient = code.div(kind, code.sub(kind, a.re, mod), b.re)
        opposite = code.pure(f"xor i1 {code.compare('olt', kind, b.re, zero)}, {code.compare('olt', kind, mod, zero)}")
        fix = code.both(opposite, code.compare("une", kind, mod, zero))
        quotient = code.select(fix, kind, code.sub(kind, quotient, one), quotient)
        floor = code.intrinsic("floor", kind, quotient)
        above = code.compare("ogt", kind, code.sub(kind, quotient, floor), literal(kind, 0.5))
        floor = code.select(above, kind, code.add(kind, floor, one), floor)
        plain = code.div(kind, a.re, b.re)
        small = code.intrinsic("copysign", kind, zero, plain)
        floor = code.select(code.compare("une", kind, quotient, zero), kind, floor, small)
        return Value(kind, code.select(code.compare("oeq", kind, b.re, zero), kind, plain, floor))
    divisor, bad = _safe_divisor(code, kind, a.re, b.re)
    if kind.code == "u":
        return Value(kind, code.select(bad, kind, "0", code.integer("udiv", kind, a.re, divisor)))
    quotient = code.integer("sdiv", kind, a.re, divisor)
    rest = code.integer("srem", kind, a.re, divisor)
    opposite = code.pure(f"xor i1 {code.compare('slt', kind, rest, '0')}, {code.compare('slt', kind, divisor, '0')}")
    fix = code.both(opposite, code.compare("ne", kind, rest, "0"))
    quotient = code.select(fix, kind, code.integer("sub", kind, quotient, "1"), quotient)
    lowest = str(-(1 << (kind.bits - 1)))
    overflow = code.both(code.compare("eq", kind, b.re, "-1"), code.compare("eq", kind, a.re, lowest))
    quotient = code.select(overflow, kind, lowest, quotient)
    return Value(kind, code.select(bad, kind, "0", quotient))


@lowers("fmod")
def _fmod(code: Code, out: Kind, a: Value, b: Value) -> Value:
    kind = a.kind
    if kind.code == "f":
        return Value(kind, vectormath.call(code, "fmod", kind, a.re, b.re))
    divisor, bad = _safe_divisor(code, kind, a.re, b.re)
    rest = code.integer("urem" if kind.code == "u" else "srem", kind, a.re, divisor)
    return Value(kind, code.select(bad, kind, "0", rest))
