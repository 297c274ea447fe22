"""What each elementwise primitive does to one element, as NumPy does it: NaN, infinities, signed zeros, wrap-around.

`LOWER` maps a primitive's name to a function that writes its instructions. The functions get values that are already
of the loop's dtypes (NumPy's own resolution). A primitive that is not in the table, or whose kind `supported`
refuses, runs through NumPy.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ...primitives.base import REGISTRY
from . import arithmetic, choosing, ufuncs, vectormath  # noqa: F401 -- they fill in the table
from .ir import BOOL, I8, Code, Kind, Value, constant, kind_of
from .table import COST, LOWER


def cost_of(name: str) -> int:
    """Return the rough cost of one element."""
    if name in vectormath.FUNCTIONS:
        return vectormath.COST
    if name.startswith("special."):
        return 100
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
    known = tuple(kind for kind in kinds if kind is not None)
    if len(known) != len(kinds):
        return None
    if any(dtype is int and kind.code in "iu" and kind != I8 for dtype, kind in zip(dtypes, known, strict=False)):
        return None  # NumPy refuses Python integers that do not fit, which depends on the value
    return known if _supported(name, known, params) else None


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
