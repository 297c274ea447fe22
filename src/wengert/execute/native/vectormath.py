"""Mathematical functions: which C function computes each, and its vector forms where the C library has them.

glibc's libmvec computes two to sixteen numbers at once, at most 4 ulp off (its manual's bound; the tests measure the
whole domain). A call to the scalar function carries the names of its vector forms, and LLVM's vectoriser uses them in
loops. Where libmvec is missing (macOS, Windows, musl, or `WENGERT_VECTOR_MATH=off`) loops call the scalar function
for each element.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from typing import Any

from .engine import engine, symbol
from .ir import Code, Kind

# Name of the primitive: (C name of the function of doubles, number of arguments)
FUNCTIONS: dict[str, tuple[str, int]] = {
    "exp": ("exp", 1),
    "exp2": ("exp2", 1),
    "expm1": ("expm1", 1),
    "log": ("log", 1),
    "log2": ("log2", 1),
    "log10": ("log10", 1),
    "log1p": ("log1p", 1),
    "sin": ("sin", 1),
    "cos": ("cos", 1),
    "tan": ("tan", 1),
    "arcsin": ("asin", 1),
    "arccos": ("acos", 1),
    "arctan": ("atan", 1),
    "sinh": ("sinh", 1),
    "cosh": ("cosh", 1),
    "tanh": ("tanh", 1),
    "arcsinh": ("asinh", 1),
    "arccosh": ("acosh", 1),
    "arctanh": ("atanh", 1),
    "cbrt": ("cbrt", 1),
    "special.erf": ("erf", 1),
    "special.erfc": ("erfc", 1),
    "power": ("pow", 2),
    "arctan2": ("atan2", 2),
    "hypot": ("hypot", 2),
    "fmod": ("fmod", 2),
    "nextafter": ("nextafter", 2),
}
_SCALAR_ONLY = frozenset({"fmod", "nextafter"})
# Rough cost of one element in units of an addition; decides what is computed twice and what is stored.
COST = 15


@lru_cache(maxsize=1)
def library() -> Any:
    """Return libmvec, or None where it is missing or turned off."""
    if os.environ.get("WENGERT_VECTOR_MATH", "").lower() in ("off", "0", "no"):
        return None
    try:
        return ctypes.CDLL("libmvec.so.1")
    except OSError:
        return None


def widths() -> tuple[tuple[str, int], ...]:
    """Return (ISA letter of the vector ABI, bits) of the registers that this processor has, widest first."""
    features = engine().features
    found = []
    if {"avx512f", "avx512dq", "avx512vl"} <= features:
        found.append(("e", 512))
    if "avx2" in features:
        found.append(("d", 256))
    found.append(("b", 128))
    return tuple(found)


@lru_cache(maxsize=128)
def vector_forms(name: str, bits: int) -> tuple[tuple[str, str, int, int], ...]:
    """Return (mapping, symbol, lanes, address) of each vector form of a C function of floats of `bits` bits."""
    found = []
    mvec = library()
    base = name if bits == 64 else name + "f"
    if mvec is None or name in _SCALAR_ONLY or engine().triple.split("-")[0] != "x86_64":
        return ()
    count = next(count for c_name, count in FUNCTIONS.values() if c_name == name)
    for letter, width in widths():
        lanes = width // bits
        full = f"_ZGV{letter}N{lanes}{'v' * count}_{base}"
        try:
            address = ctypes.cast(getattr(mvec, full), ctypes.c_void_p).value
        except AttributeError:
            continue
        found.append((f"_ZGV_LLVM_N{lanes}{'v' * count}_{base}({full})", full, lanes, address or 0))
    return tuple(found)


def available(name: str, kind: Kind) -> bool:
    """Whether a function of NumPy's name can be called from native code for this kind."""
    entry = FUNCTIONS.get(name)
    if entry is None or not kind.floating:
        return False
    return symbol(entry[0] if kind.bits == 64 else entry[0] + "f") is not None


def call(code: Code, name: str, kind: Kind, *args: str) -> str:
    """Write a call of the C function behind NumPy's `name`."""
    base = FUNCTIONS[name][0]
    full = base if kind.bits == 64 else base + "f"
    signature = ", ".join([kind.type] * len(args))
    forms = vector_forms(base, kind.bits)
    code.declares[full] = f"declare {kind.type} @{full}({signature}) #0"
    group = "#0"
    if forms:
        group = f"#m_{full}"
        code.vector_variants[full] = ",".join(mapping for mapping, _, _, _ in forms)
        for _, vector, lanes, _ in forms:
            wide = f"<{lanes} x {kind.type}>"
            code.declares[vector] = f"declare {wide} @{vector}({', '.join([wide] * len(args))}) #0"
    return code.pure(f"call {kind.type} @{full}({', '.join(f'{kind.type} {a}' for a in args)}) {group}")


def module_text(code: Code, bodies: str, more: dict[str, str]) -> str:
    """Return a whole module: declarations (also `more` of them), the functions in `bodies`, attributes."""
    declares = {**code.declares, **more}
    rows = [declares[name] for name in sorted(declares)]
    rows.extend(code.helpers[name] for name in sorted(code.helpers))
    rows.append(bodies)
    rows.append("attributes #0 = { nounwind willreturn memory(none) }")
    kept: list[str] = []
    numbers: dict[str, int] = {}
    for i, (name, mapping) in enumerate(sorted(code.vector_variants.items()), start=10):
        numbers[name] = i
        rows.append(
            f'attributes #{i} = {{ nounwind willreturn memory(none) "vector-function-abi-variant"="{mapping}" }}'
        )
        kept.extend(f"ptr @{part.split('(')[1].rstrip(')')}" for part in mapping.split(","))
    if kept:
        rows.append(
            f'@llvm.compiler.used = appending global [{len(kept)} x ptr] [{", ".join(kept)}], section "llvm.metadata"'
        )
    text = "\n".join([*rows, *code.metadata])
    for name in sorted(numbers, key=len, reverse=True):
        text = text.replace(f"#m_{name}\n", f"#{numbers[name]}\n")
    return text + "\n"


def symbols(code: Code) -> dict[str, int]:
    """Return the addresses of the mathematical functions that were called."""
    found: dict[str, int] = dict(code.symbols)
    by_c_name = {c_name: c_name for c_name, _ in FUNCTIONS.values()}
    for name in code.declares:
        base = name[:-1] if name.endswith("f") and name not in by_c_name else name
        if base in by_c_name:
            address = symbol(name)
            if address:
                found[name] = address
    for name in code.vector_variants:
        bits = 64 if name in by_c_name else 32
        for _, vector, _, address in vector_forms(name if bits == 64 else name[:-1], bits):
            found[vector] = address
    return found
