"""Choice, rounding, parts, truth and bits of one element, as NumPy computes them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import vectormath
from .ir import BOOL, Code, Kind, Value, constant, literal
from .table import COST, LOWER, Lower, lowers

# ---------------------------------------------------------------- choice


@lowers("where")
def _where(code: Code, out: Kind, c: Value, a: Value, b: Value) -> Value:
    part = out.part
    return Value(out, code.select(c.re, part, a.re, b.re), code.select(c.re, part, a.im, b.im) if a.im else "")


def _extremum(ordered: str, signed: str, unsigned: str, boolean: str) -> Lower:
    """The larger (smaller) one; a NaN in either argument is the result."""

    def write(code: Code, out: Kind, a: Value, b: Value) -> Value:
        kind = a.kind
        if kind is BOOL:
            return Value(kind, code.integer(boolean, kind, a.re, b.re))
        if kind.code == "f":
            first = code.either(code.compare(ordered, kind, a.re, b.re), code.is_nan(kind, a.re))
        else:
            first = code.compare(signed if kind.code == "i" else unsigned, kind, a.re, b.re)
        return Value(kind, code.select(first, kind, a.re, b.re))

    return write


LOWER["maximum"] = _extremum("ogt", "sgt", "ugt", "or")
LOWER["minimum"] = _extremum("olt", "slt", "ult", "and")


def _quiet_extremum(ordered: str, loud: Lower) -> Lower:
    """The larger (smaller) one; a NaN only if both are."""

    def write(code: Code, out: Kind, a: Value, b: Value) -> Value:
        kind = a.kind
        if kind.code != "f":
            return loud(code, out, a, b)
        first = code.either(code.compare(ordered, kind, a.re, b.re), code.is_nan(kind, b.re))
        return Value(kind, code.select(first, kind, a.re, b.re))

    return write


LOWER["fmax"] = _quiet_extremum("ogt", LOWER["maximum"])
LOWER["fmin"] = _quiet_extremum("olt", LOWER["minimum"])


@lowers("clip")
def _clip(code: Code, out: Kind, x: Value, low: Value, high: Value) -> Value:
    kind = x.kind
    if kind.code != "f":
        return LOWER["minimum"](code, out, LOWER["maximum"](code, out, x, low), high)
    raised = code.select(
        code.either(code.is_nan(kind, x.re), code.compare("oge", kind, x.re, low.re)), kind, x.re, low.re
    )
    cut = code.select(
        code.either(code.is_nan(kind, raised), code.compare("ole", kind, raised, high.re)), kind, raised, high.re
    )
    return Value(kind, cut)


# ---------------------------------------------------------------- rounding and signs


def _unary_intrinsic(name: str) -> Lower:
    def write(code: Code, out: Kind, a: Value) -> Value:
        return Value(a.kind, code.intrinsic(name, a.kind, a.re)) if a.kind.code == "f" else a

    return write


for _name, _intrinsic in (("floor", "floor"), ("ceil", "ceil"), ("trunc", "trunc"), ("rint", "rint"), ("fabs", "fabs")):
    LOWER[_name] = _unary_intrinsic(_intrinsic)


@lowers("round")
def _round(code: Code, out: Kind, a: Value, decimals: int = 0) -> Value:
    kind = a.kind
    if kind.code != "f":
        return a
    power_of_ten = literal(kind, 10.0 ** abs(decimals))
    x = a.re
    if decimals > 0:
        x = code.mul(kind, x, power_of_ten)
    elif decimals < 0:
        x = code.div(kind, x, power_of_ten)
    x = code.intrinsic("rint", kind, x)
    if decimals > 0:
        x = code.div(kind, x, power_of_ten)
    elif decimals < 0:
        x = code.mul(kind, x, power_of_ten)
    return Value(kind, x)


@lowers("absolute")
def _absolute(code: Code, out: Kind, a: Value) -> Value:
    kind = a.kind
    if kind.code == "c":
        return Value(kind.part, vectormath.call(code, "hypot", kind.part, a.re, a.im))
    if kind.code == "f":
        return Value(kind, code.intrinsic("fabs", kind, a.re))
    if kind.code in "ub":
        return a
    return Value(
        kind, code.select(code.compare("slt", kind, a.re, "0"), kind, code.integer("sub", kind, "0", a.re), a.re)
    )


@lowers("sign")
def _sign(code: Code, out: Kind, a: Value) -> Value:
    kind = a.kind
    zero, one, minus = (literal(kind, x) for x in (0, 1, -1 if kind.code != "u" else 1))
    if kind.code == "f":
        inner = code.select(code.compare("oeq", kind, a.re, zero), kind, zero, a.re)
        inner = code.select(code.compare("olt", kind, a.re, zero), kind, minus, inner)
        return Value(kind, code.select(code.compare("ogt", kind, a.re, zero), kind, one, inner))
    if kind.code == "u":
        return Value(kind, code.select(code.compare("ne", kind, a.re, zero), kind, one, zero))
    inner = code.select(code.compare("slt", kind, a.re, zero), kind, minus, zero)
    return Value(kind, code.select(code.compare("sgt", kind, a.re, zero), kind, one, inner))


@lowers("copysign")
def _copysign(code: Code, out: Kind, a: Value, b: Value) -> Value:
    return Value(a.kind, code.intrinsic("copysign", a.kind, a.re, b.re))


@lowers("heaviside")
def _heaviside(code: Code, out: Kind, a: Value, b: Value) -> Value:
    kind = a.kind
    zero, one = literal(kind, 0.0), literal(kind, 1.0)
    step = code.select(code.compare("olt", kind, a.re, zero), kind, zero, one)
    step = code.select(code.compare("oeq", kind, a.re, zero), kind, b.re, step)
    return Value(kind, code.select(code.is_nan(kind, a.re), kind, a.re, step))


@lowers("deg2rad", "radians")
def _deg2rad(code: Code, out: Kind, a: Value) -> Value:
    kind = a.kind.dtype.type  # NumPy divides in the number's own precision
    return Value(a.kind, code.mul(a.kind, a.re, literal(a.kind, kind(math.pi) / kind(180.0))))


@lowers("rad2deg", "degrees")
def _rad2deg(code: Code, out: Kind, a: Value) -> Value:
    kind = a.kind.dtype.type
    return Value(a.kind, code.mul(a.kind, a.re, literal(a.kind, kind(180.0) / kind(math.pi))))


@lowers("sinc")
def _sinc(code: Code, out: Kind, a: Value) -> Value:
    kind = a.kind
    zero = code.compare("oeq", kind, a.re, literal(kind, 0.0))
    y = code.mul(kind, literal(kind, math.pi), code.select(zero, kind, literal(kind, 1e-20), a.re))
    return Value(kind, code.div(kind, vectormath.call(code, "sin", kind, y), y))


def _log_of_sum(exponential: str, shift: float, factor: float) -> Lower:
    def write(code: Code, out: Kind, a: Value, b: Value) -> Value:
        kind = a.kind
        difference = code.sub(kind, a.re, b.re)
        positive = code.compare("ogt", kind, difference, literal(kind, 0.0))
        size = code.fneg(kind, code.intrinsic("fabs", kind, difference))
        tail = vectormath.call(code, "log1p", kind, vectormath.call(code, exponential, kind, size))
        if factor != 1.0:
            tail = code.mul(kind, literal(kind, factor), tail)
        total = code.add(kind, code.select(positive, kind, a.re, b.re), tail)
        total = code.select(code.is_nan(kind, difference), kind, difference, total)
        same = code.add(kind, a.re, literal(kind, shift))
        return Value(kind, code.select(code.compare("oeq", kind, a.re, b.re), kind, same, total))

    return write


LOWER["logaddexp"] = _log_of_sum("exp", math.log(2.0), 1.0)
LOWER["logaddexp2"] = _log_of_sum("exp2", 1.0, 1.0 / math.log(2.0))
COST["logaddexp"] = COST["logaddexp2"] = 40

# ---------------------------------------------------------------- complex parts, casts


@lowers("conjugate")
def _conjugate(code: Code, out: Kind, a: Value) -> Value:
    return Value(a.kind, a.re, code.fneg(a.kind.part, a.im)) if a.im else a


@lowers("real")
def _real(code: Code, out: Kind, a: Value) -> Value:
    return Value(a.kind.part, a.re)


@lowers("imag")
def _imag(code: Code, out: Kind, a: Value) -> Value:
    if a.im:
        return Value(a.kind.part, a.im)
    return constant(out, 0)


@lowers("cast")
def _cast(code: Code, out: Kind, a: Value, dtype: Any = None) -> Value:
    return code.convert(a, out)


# ---------------------------------------------------------------- truth


def _comparison(ordered: str, signed: str, unsigned: str) -> Lower:
    def write(code: Code, out: Kind, a: Value, b: Value) -> Value:
        kind = a.kind
        if kind.code == "c":
            same = code.both(code.compare("oeq", kind.part, a.re, b.re), code.compare("oeq", kind.part, a.im, b.im))
            return Value(BOOL, same if ordered == "oeq" else code.pure(f"xor i1 {same}, true"))
        if {kind.code, b.kind.code} == {"i", "u"}:  # NumPy compares them as the numbers they are
            negative = code.compare("slt", kind, a.re if kind.code == "i" else b.re, "0")
            always = signed in (("slt", "sle", "ne") if kind.code == "i" else ("sgt", "sge", "ne"))
            plain = code.compare(unsigned, kind, a.re, b.re)
            return Value(BOOL, code.pure(f"select i1 {negative}, i1 {str(always).lower()}, i1 {plain}"))
        predicate = ordered if kind.code == "f" else signed if kind.code == "i" else unsigned
        return Value(BOOL, code.compare(predicate, kind, a.re, b.re))

    return write


LOWER["equal"] = _comparison("oeq", "eq", "eq")
LOWER["not_equal"] = _comparison("une", "ne", "ne")
LOWER["less"] = _comparison("olt", "slt", "ult")
LOWER["less_equal"] = _comparison("ole", "sle", "ule")
LOWER["greater"] = _comparison("ogt", "sgt", "ugt")
LOWER["greater_equal"] = _comparison("oge", "sge", "uge")


def _logical(op: str) -> Lower:
    def write(code: Code, out: Kind, a: Value, b: Value) -> Value:
        x, y = code.convert(a, BOOL).re, code.convert(b, BOOL).re
        return Value(BOOL, code.pure(f"{op} i1 {x}, {y}"))

    return write


LOWER["logical_and"], LOWER["logical_or"], LOWER["logical_xor"] = _logical("and"), _logical("or"), _logical("xor")


@lowers("logical_not")
def _logical_not(code: Code, out: Kind, a: Value) -> Value:
    return Value(BOOL, code.pure(f"xor i1 {code.convert(a, BOOL).re}, true"))


def _about(test: Callable[[Code, Kind, str], str], combine: str, otherwise: str) -> Lower:
    def write(code: Code, out: Kind, a: Value) -> Value:
        if a.kind.code not in "fc":
            return Value(BOOL, otherwise)
        part = a.kind.part
        first = test(code, part, a.re)
        return Value(BOOL, code.pure(f"{combine} i1 {first}, {test(code, part, a.im)}") if a.im else first)

    return write


def _infinite(code: Code, kind: Kind, x: str) -> str:
    return code.compare("oeq", kind, code.intrinsic("fabs", kind, x), literal(kind, np.inf))


def _finite(code: Code, kind: Kind, x: str) -> str:
    return code.compare("olt", kind, code.intrinsic("fabs", kind, x), literal(kind, np.inf))


LOWER["isnan"] = _about(lambda code, kind, x: code.is_nan(kind, x), "or", "false")
LOWER["isinf"] = _about(_infinite, "or", "false")
LOWER["isfinite"] = _about(_finite, "and", "true")


@lowers("signbit")
def _signbit(code: Code, out: Kind, a: Value) -> Value:
    bits = code.pure(f"bitcast {a.kind.type} {a.re} to i{a.kind.bits}")
    return Value(BOOL, code.pure(f"icmp slt i{a.kind.bits} {bits}, 0"))


# ---------------------------------------------------------------- bits


def _bitwise(op: str) -> Lower:
    def write(code: Code, out: Kind, a: Value, b: Value) -> Value:
        return Value(a.kind, code.integer(op, a.kind, a.re, b.re))

    return write


LOWER["bitwise_and"], LOWER["bitwise_or"], LOWER["bitwise_xor"] = _bitwise("and"), _bitwise("or"), _bitwise("xor")


@lowers("invert")
def _invert(code: Code, out: Kind, a: Value) -> Value:
    return Value(a.kind, code.integer("xor", a.kind, a.re, "true" if a.kind is BOOL else "-1"))


def _shift(op: str) -> Lower:
    """Shifts by as many bits as there are, or more, give 0 (-1 for a negative number shifted right)."""

    def write(code: Code, out: Kind, a: Value, b: Value) -> Value:
        kind = a.kind
        inside = code.compare("ult", kind, b.re, str(kind.bits))
        amount = code.select(inside, kind, b.re, "0")
        if op == "shl":
            return Value(kind, code.select(inside, kind, code.integer("shl", kind, a.re, amount), "0"))
        right = "ashr" if kind.code == "i" else "lshr"
        beyond = code.integer("ashr", kind, a.re, str(kind.bits - 1)) if kind.code == "i" else "0"
        return Value(kind, code.select(inside, kind, code.integer(right, kind, a.re, amount), beyond))

    return write


LOWER["left_shift"], LOWER["right_shift"] = _shift("shl"), _shift("shr")
