"""What each elementwise primitive does to one element, as NumPy does it: NaN, infinities, signed zeros, wrap-around.

`LOWER` maps a primitive's name to a function that writes its instructions. The functions get values that are already of
the loop's dtypes (NumPy's own resolution). A primitive that is not in the table, or whose kind `supported` refuses, runs
through NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ...primitives.base import REGISTRY
from . import ufuncs, vectormath
from .ir import BOOL, F8, I8, Code, Kind, Value, constant, kind_of, literal, number_in

Lower = Callable[..., Value]
LOWER: dict[str, Lower] = {}
# Rough cost in additions where it is not 1.
COST: dict[str, int] = {"divide": 4, "sqrt": 6, "remainder": 30, "floor_divide": 30, "reciprocal": 4, "sinc": 25, "tanh_slope": 20, "sqrt_slope": 10}


def lowers(*names: str) -> Callable[[Lower], Lower]:
    """Register the native form of primitives."""

    def register(function: Lower) -> Lower:
        for name in names:
            LOWER[name] = function
        return function

    return register


def cost_of(name: str) -> int:
    """Return the rough cost of one element."""
    if name.startswith("special."):
        return 100
    if name in vectormath.FUNCTIONS:
        return vectormath.COST
    return COST.get(name, 1)


@lru_cache(maxsize=4096)
def loop_kinds(name: str, dtypes: tuple[Any, ...], out: Any, params: tuple[Any, ...]) -> tuple[Kind, ...] | None:
    """Return the kinds in which a primitive computes, arguments first, or None if it has no native code for them.

    For a NumPy ufunc these are the dtypes of the loop that NumPy would choose.
    """
    primitive = REGISTRY[name]
    ufunc = getattr(primitive, "ufunc", None)
    if name not in LOWER and name not in vectormath.FUNCTIONS and (ufunc is None or not name.startswith("special.")):
        return None
    if ufunc is not None:
        try:
            resolved = ufunc.resolve_dtypes((*dtypes, *(None,) * ufunc.nout))
        except TypeError:
            return None
        if len(resolved) != len(dtypes) + 1:
            return None
        kinds = tuple(kind_of(dtype) for dtype in resolved)
    elif name == "where":
        target = kind_of(out)
        kinds = (BOOL, target, target, target)
    elif name in ("real", "imag", "cast"):
        kinds = (kind_of(dtypes[0]), kind_of(out))
    else:  # scale, clip, round, sinc
        target = kind_of(out)
        kinds = (*(target,) * len(dtypes), target)
    if any(kind is None for kind in kinds):
        return None
    if any(dtype is int and kind.code in "iu" and kind != I8 for dtype, kind in zip(dtypes, kinds, strict=False)):  # type: ignore[union-attr]
        return None  # NumPy refuses Python integers that do not fit, which depends on the value
    return kinds if _supported(name, kinds, params) else None  # type: ignore[arg-type]


_COMPLEX = {
    "add", "subtract", "multiply", "divide", "negative", "positive", "conjugate", "absolute", "real", "imag", "cast",
    "where", "scale", "equal", "not_equal", "isnan", "isinf", "isfinite", "square", "reciprocal", "logical_not",
}  # fmt: skip
_FLOAT_ONLY = {
    "sqrt", "signbit", "copysign", "logaddexp", "logaddexp2", "heaviside", "deg2rad", "rad2deg", "radians", "degrees",
    "sinc", "fabs", "divide", "reciprocal", "rint",
}  # fmt: skip


def _supported(name: str, kinds: tuple[Kind, ...], params: tuple[Any, ...]) -> bool:
    codes = {kind.code for kind in kinds}
    if "c" in codes and name not in _COMPLEX:
        return False
    if name == "absolute" and "c" in codes:
        return vectormath.available("hypot", kinds[0].part)
    if name in ("sign", "clip", "round") and codes & {"c", "b"}:
        return False
    if name == "round" and codes & {"i", "u"}:
        return dict(params).get("decimals", 0) >= 0
    if name in _FLOAT_ONLY and codes & {"i", "u"}:
        return False
    if name in _FLOAT_ONLY and name not in _COMPLEX and kinds[0].code == "b":
        return False
    if name in ("tanh_slope", "sqrt_slope") and not kinds[0].floating:
        return False
    if name == "tanh_slope" and not vectormath.available("exp", kinds[0]):
        return False
    if name in ("logaddexp", "logaddexp2", "sinc", "remainder", "floor_divide", "fmod"):
        needed = {"logaddexp": ("log1p", "exp"), "logaddexp2": ("log1p", "exp2"), "sinc": ("sin",)}.get(name, ("fmod",))
        if kinds[0].floating and not all(vectormath.available(part, kinds[0]) for part in needed):
            return False
    if name not in LOWER:
        if any(kind != kinds[0] for kind in kinds) or not kinds[0].floating:
            return False
        if name in vectormath.FUNCTIONS:
            return vectormath.available(name, kinds[0])
        return ufuncs.loop_of(REGISTRY[name].ufunc, kinds[0].bits) is not None  # type: ignore[attr-defined]
    return not (name == "power" and not kinds[0].floating)


def lower(code: Code, name: str, kinds: tuple[Kind, ...], args: list[Value], params: dict[str, Any]) -> Value:
    """Write the instructions of a primitive for one element."""
    args = [code.convert(arg, kind) for arg, kind in zip(args, kinds, strict=False)]
    function = LOWER.get(name)
    if function is None:
        kind = kinds[0]
        if name not in vectormath.FUNCTIONS:
            return ufuncs.call(code, name, REGISTRY[name].ufunc, kind, args)  # type: ignore[attr-defined]
        return Value(kind, vectormath.call(code, name, kind, *(arg.re for arg in args)))
    return function(code, kinds[-1], *args, **params)


# ---------------------------------------------------------------- arithmetic


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

    none = [is_zero(x) for x in (a, b) if number_in(x.re) is None or x.im]
    if not none:  # both are literals
        return product
    nan = code.is_nan(p, product.re)
    if product.im:
        nan = code.either(nan, code.is_nan(p, product.im))
    if len(none) == 1 and _is_finite_literal(a, b):
        return product
    cut = code.both(nan, none[0] if len(none) == 1 else code.either(*none))
    return Value(
        kind, code.select(cut, p, zero, product.re), code.select(cut, p, zero, product.im) if product.im else ""
    )


def _is_finite_literal(a: Value, b: Value) -> bool:
    """Whether one factor is a literal that no zero turns into NaN."""
    numbers = [number_in(x.re) for x in (a, b)]
    return any(x is not None and np.isfinite(x) and x != 0 for x in numbers)


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
        code.either(code.is_nan(kind, x.re), code.compare("ogt", kind, x.re, low.re)), kind, x.re, low.re
    )
    cut = code.select(
        code.either(code.is_nan(kind, raised), code.compare("olt", kind, raised, high.re)), kind, raised, high.re
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
    return Value(kind, code.select(code.compare("slt", kind, a.re, "0"), kind, code.integer("sub", kind, "0", a.re), a.re))


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


# ---------------------------------------------------------------- reductions


def identity(name: str, kind: Kind) -> Value:
    """Return what a reduction starts from."""
    if name in ("sum", "any"):
        return constant(kind, 0)
    if name in ("prod", "all"):
        return constant(kind, 1)
    if kind.code == "f":
        return constant(kind, -np.inf if name == "max" else np.inf)
    if kind is BOOL:
        return constant(kind, name == "min")
    limits = np.iinfo(kind.dtype)
    return constant(kind, limits.min if name == "max" else limits.max)


def combine(code: Code, name: str, total: Value, x: Value) -> Value:
    """Write one step of a reduction. Only here may sums and products be re-associated by the vectoriser."""
    kind = total.kind
    if name == "sum" or name == "prod":
        if kind.code == "f":
            op = "fadd" if name == "sum" else "fmul"
            return Value(kind, code.let(f"{op} reassoc {kind.type} {total.re}, {x.re}"))
        if kind.code == "c" and name == "sum":
            return Value(
                kind,
                code.let(f"fadd reassoc {kind.type} {total.re}, {x.re}"),
                code.let(f"fadd reassoc {kind.type} {total.im}, {x.im}"),
            )
        return LOWER["add" if name == "sum" else "multiply"](code, kind, total, x)
    if name in ("max", "min"):
        if kind.code == "f":
            full = f"llvm.{'maximum' if name == 'max' else 'minimum'}.f{kind.bits}"
            code.declares[full] = f"declare {kind.type} @{full}({kind.type}, {kind.type})"
            return Value(kind, code.let(f"call {kind.type} @{full}({kind.type} {total.re}, {kind.type} {x.re})"))
        return LOWER["maximum" if name == "max" else "minimum"](code, kind, total, x)
    return Value(BOOL, code.let(f"{'or' if name == 'any' else 'and'} i1 {total.re}, {code.convert(x, BOOL).re}"))


REDUCTIONS = frozenset({"sum", "prod", "max", "min", "any", "all"})
_ = (F8, I8)
