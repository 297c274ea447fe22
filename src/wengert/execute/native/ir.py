"""Writing LLVM IR as text: kinds of numbers, scalar values, and a block of instructions that merges equal ones.

An instruction that was written before in the same or an enclosing scope is not written again, and arithmetic on
literals is done here where that is exact, so straight-line programs arrive at LLVM already short.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Kind:
    """A dtype as LLVM sees it.

    `code` is NumPy's kind letter (b, i, u, f, c), `bits` of one number (of one part, if complex), `type` in a
    register and `stored` in memory.
    """

    code: str
    bits: int
    type: str
    stored: str

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return max(self.bits // 8, 1) * (2 if self.code == "c" else 1)

    @property
    def dtype(self) -> np.dtype:
        """NumPy's dtype."""
        return np.dtype("?" if self.code == "b" else f"{self.code}{self.itemsize}")

    @property
    def part(self) -> Kind:
        """The kind of a complex number's parts; itself otherwise."""
        return REAL[self.bits] if self.code == "c" else self

    @property
    def floating(self) -> bool:
        """Whether it is a real floating kind."""
        return self.code == "f"


BOOL = Kind("b", 1, "i1", "i8")
F4, F8 = Kind("f", 32, "float", "float"), Kind("f", 64, "double", "double")
C8, C16 = Kind("c", 32, "float", "float"), Kind("c", 64, "double", "double")
SIGNED = {bits: Kind("i", bits, f"i{bits}", f"i{bits}") for bits in (8, 16, 32, 64)}
UNSIGNED = {bits: Kind("u", bits, f"i{bits}", f"i{bits}") for bits in (8, 16, 32, 64)}
I8 = SIGNED[64]
REAL = {32: F4, 64: F8}
COMPLEX = {32: C8, 64: C16}
_WEAK = {float: F8, int: I8, complex: C16, bool: BOOL}


@lru_cache(maxsize=256)
def kind_of(dtype: Any) -> Kind | None:
    """Return the kind of a dtype or weak Python type, or None where there is no native code for it."""
    if isinstance(dtype, type) and dtype in _WEAK:
        return _WEAK[dtype]
    if isinstance(dtype, tuple):  # of a line with several results
        return None
    dtype = np.dtype(dtype)
    if not dtype.isnative:
        return None
    if dtype.kind == "b":
        return BOOL
    bits = dtype.itemsize * 8
    if dtype.kind in "iu":
        return (SIGNED if dtype.kind == "i" else UNSIGNED).get(bits)
    if dtype.kind == "f":
        return REAL.get(bits)
    if dtype.kind == "c":
        return COMPLEX.get(bits // 2)
    return None


def strides_in_elements(array: np.ndarray) -> tuple[int, ...] | None:
    """Return an array's strides counted in elements, or None if it is not aligned so; single elements have stride 0."""
    if not array.flags.aligned or any(s % array.itemsize for s in array.strides):
        return None
    if array.flags.c_contiguous:
        strides = []
        stride = 1
        for n in reversed(array.shape):
            strides.append(stride)
            stride *= n
        return tuple(reversed(strides))
    return tuple(0 if n == 1 else s // array.itemsize for n, s in zip(array.shape, array.strides, strict=True))


class Value:
    """A scalar in a register: its kind and LLVM's name or literal for it (two for a complex number)."""

    __slots__ = ("im", "kind", "re")

    def __init__(self, kind: Kind, re: str, im: str = "") -> None:
        self.kind = kind
        self.re = re
        self.im = im

    def __repr__(self) -> str:
        return f"{self.kind.code}{self.kind.itemsize}:{self.re}" + (f",{self.im}" if self.im else "")


# ---------------------------------------------------------------- literals


def literal(kind: Kind, value: Any) -> str:
    """Return LLVM's spelling of a real number of that kind."""
    if kind.code == "f":
        number = float(np.float32(value)) if kind.bits == 32 else float(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
    if kind.code == "b":
        return "true" if value else "false"
    number = int(value)
    if kind.code == "u" and number >= 1 << (kind.bits - 1):
        number -= 1 << kind.bits
    return str(number)


def constant(kind: Kind, value: Any) -> Value:
    """Return a literal of any kind."""
    if kind.code == "c":
        value = complex(value)
        return Value(kind, literal(kind.part, value.real), literal(kind.part, value.imag))
    return Value(kind, literal(kind, value))


def number_in(text: str) -> float | None:
    """Return the number that a floating literal spells, or None for a register."""
    if text.startswith("0x"):
        return struct.unpack("<d", struct.pack("<Q", int(text, 16)))[0]
    return None


_FOLD = {
    "fadd": lambda a, b: a + b,
    "fsub": lambda a, b: a - b,
    "fmul": lambda a, b: a * b,
    "fdiv": lambda a, b: a / b,
}
ONE, ZERO, MINUS_ZERO, MINUS_ONE = (literal(F8, x) for x in (1.0, 0.0, -0.0, -1.0))


class Code:
    """The instructions of one function, in order.

    `declares` collects the functions it calls: name to declaration; `attributes` the call attributes of vectorised
    mathematics.
    """

    def __init__(self) -> None:
        self.rows: list[str] = []
        self.declares: dict[str, str] = {}
        self.vector_variants: dict[str, str] = {}
        self._count = 0
        self._scopes: list[dict[str, str]] = [{}]
        self.defined: dict[str, tuple[str, ...]] = {}
        self.metadata: list[str] = []
        self.helpers: dict[str, str] = {}
        self.symbols: dict[str, int] = {}

    # ------------------------------------------------------------ rows

    def fresh(self, hint: str = "t") -> str:
        """Return a new register or label name without its sigil."""
        self._count += 1
        return f"{hint}{self._count}"

    def row(self, text: str) -> None:
        """Write an instruction that has no result, or a result that must not be merged."""
        self.rows.append(f"  {text}")

    def label(self, name: str) -> None:
        """Begin a basic block."""
        self.rows.append(f"{name}:")

    def let(self, text: str) -> str:
        """Write an instruction with a result, always."""
        name = f"%{self.fresh()}"
        self.rows.append(f"  {name} = {text}")
        return name

    def pure(self, text: str) -> str:
        """Write an instruction whose result depends on its operands only; equal ones are written once."""
        for scope in reversed(self._scopes):
            found = scope.get(text)
            if found is not None:
                return found
        name = self.let(text)
        self._scopes[-1][text] = name
        return name

    def scalar_loop(self) -> str:
        """Return a mark for a loop that is not to be vectorised."""
        if not self.metadata:
            self.metadata.append('!0 = !{!"llvm.loop.vectorize.enable", i1 false}')
        name = f"!{len(self.metadata)}"
        self.metadata.append(f"{name} = distinct !{{{name}, !0}}")
        return name

    def push(self) -> None:
        """Enter a scope (a loop body): what is merged there is forgotten when it ends."""
        self._scopes.append({})

    def pop(self) -> None:
        """Leave a scope."""
        self._scopes.pop()

    # ------------------------------------------------------------ arithmetic on parts

    def fop(self, op: str, kind: Kind, a: str, b: str) -> str:
        """Floating arithmetic on two operands of one kind, simplified only where IEEE 754 lets it be exact."""
        x, y = number_in(a), number_in(b)
        if x is not None and y is not None and (op != "fdiv" or y != 0):
            with np.errstate(all="ignore"):
                dtype = np.float32 if kind.bits == 32 else np.float64
                return literal(kind, _FOLD[op](dtype(x), dtype(y)))
        if op == "fmul":
            if b == ONE:
                return a
            if a == ONE:
                return b
            if b == MINUS_ONE:
                return self.fneg(kind, a)
            if a == MINUS_ONE:
                return self.fneg(kind, b)
            if b < a:
                a, b = b, a
        elif op == "fadd":
            if b == MINUS_ZERO:
                return a
            if a == MINUS_ZERO:
                return b
            negated = self.defined.get(b)
            if negated:
                return self.fop("fsub", kind, a, negated[0])
            negated = self.defined.get(a)
            if negated:
                return self.fop("fsub", kind, b, negated[0])
            if b < a:
                a, b = b, a
        elif op == "fsub":
            if b == ZERO:
                return a
            negated = self.defined.get(b)
            if negated:
                return self.fop("fadd", kind, a, negated[0])
        elif b == ONE:
            return a
        return self.pure(f"{op} {kind.type} {a}, {b}")

    def fneg(self, kind: Kind, a: str) -> str:
        """Change the sign."""
        x = number_in(a)
        if x is not None:
            return literal(kind, -x)
        inner = self.defined.get(a)
        if inner:
            return inner[0]
        name = self.pure(f"fneg {kind.type} {a}")
        self.defined[name] = (a,)
        return name

    def add(self, kind: Kind, a: str, b: str) -> str:
        """Add two parts."""
        return self.fop("fadd", kind, a, b)

    def sub(self, kind: Kind, a: str, b: str) -> str:
        """Subtract two parts."""
        return self.fop("fsub", kind, a, b)

    def mul(self, kind: Kind, a: str, b: str) -> str:
        """Multiply two parts."""
        return self.fop("fmul", kind, a, b)

    def div(self, kind: Kind, a: str, b: str) -> str:
        """Divide two parts."""
        return self.fop("fdiv", kind, a, b)

    def compare(self, predicate: str, kind: Kind, a: str, b: str) -> str:
        """Compare two parts with one of LLVM's predicates."""
        op = "fcmp" if kind.code == "f" else "icmp"
        return self.pure(f"{op} {predicate} {kind.type} {a}, {b}")

    def select(self, condition: str, kind: Kind, a: str, b: str) -> str:
        """Choose one of two parts."""
        if a == b or condition == "true":
            return a
        if condition == "false":
            return b
        return self.pure(f"select i1 {condition}, {kind.type} {a}, {kind.type} {b}")

    def integer(self, op: str, kind: Kind, a: str, b: str) -> str:
        """Integer arithmetic on two parts."""
        return self.pure(f"{op} {kind.type} {a}, {b}")

    def is_nan(self, kind: Kind, a: str) -> str:
        """Whether a part is NaN."""
        return self.compare("uno", kind, a, a)

    def both(self, a: str, b: str) -> str:
        """Whether two conditions hold."""
        return self.pure(f"and i1 {a}, {b}")

    def either(self, a: str, b: str) -> str:
        """Whether one of two conditions holds."""
        return self.pure(f"or i1 {a}, {b}")

    # ------------------------------------------------------------ calls

    def intrinsic(self, name: str, kind: Kind, *args: str) -> str:
        """Call one of LLVM's overloaded floating functions, such as `fabs`."""
        full = f"llvm.{name}.f{kind.bits}"
        signature = ", ".join([kind.type] * len(args))
        self.declares[full] = f"declare {kind.type} @{full}({signature})"
        return self.pure(f"call {kind.type} @{full}({', '.join(f'{kind.type} {a}' for a in args)})")

    # ------------------------------------------------------------ conversions

    def convert(self, value: Value, kind: Kind) -> Value:
        """Cast as NumPy's `astype` does."""
        source = value.kind
        if source == kind:
            return value
        if kind.code == "c":
            part = kind.part
            if source.code == "c":
                return Value(kind, self._real(source.part, part, value.re), self._real(source.part, part, value.im))
            return Value(kind, self._real(source, part, value.re), literal(part, 0.0))
        if source.code == "c":
            if kind.code == "b":
                a, b = (self._real(source.part, BOOL, x) for x in (value.re, value.im))
                return Value(kind, self.either(a, b))
            source = source.part
        return Value(kind, self._real(source, kind, value.re))

    def _real(self, source: Kind, kind: Kind, a: str) -> str:
        if source == kind:
            return a
        s, t = source.code, kind.code
        if t == "b":
            return (
                self.compare("une", source, a, literal(source, 0.0)) if s == "f" else self.compare("ne", source, a, "0")
            )
        if s == "b":
            if a in ("true", "false"):
                return literal(kind, a == "true")
            return self.pure(f"{'uitofp' if t == 'f' else 'zext'} i1 {a} to {kind.type}")
        if s == "f":
            x = number_in(a)
            if t == "f":
                if x is not None:
                    return literal(kind, x)
                return self.pure(
                    f"{'fptrunc' if kind.bits < source.bits else 'fpext'} {source.type} {a} to {kind.type}"
                )
            # Out of range is undefined in LLVM; frozen, it is whatever the processor gives, as in NumPy.
            return self.pure(
                f"freeze {kind.type} "
                + self.pure(f"{'fptosi' if t == 'i' else 'fptoui'} {source.type} {a} to {kind.type}")
            )
        if t == "f":
            if not a.startswith("%"):
                return literal(kind, int(a) if s == "i" or int(a) >= 0 else int(a) + (1 << source.bits))
            return self.pure(f"{'sitofp' if s == 'i' else 'uitofp'} {source.type} {a} to {kind.type}")
        if source.bits == kind.bits:
            return a
        if not a.startswith("%"):
            number = int(a) & ((1 << source.bits) - 1) if s == "u" else int(a)
            number &= (1 << kind.bits) - 1
            return literal(UNSIGNED[kind.bits], number)
        if kind.bits < source.bits:
            return self.pure(f"trunc {source.type} {a} to {kind.type}")
        return self.pure(f"{'sext' if s == 'i' else 'zext'} {source.type} {a} to {kind.type}")

    # ------------------------------------------------------------ memory

    def address(self, base: str, kind: Kind, offset: str) -> str:
        """Return the address of an element; `offset` counts elements."""
        stored = kind.stored if kind.code != "c" else f"[2 x {kind.stored}]"
        return base if offset == "0" else self.pure(f"getelementptr inbounds {stored}, ptr {base}, i64 {offset}")

    def load(self, base: str, kind: Kind, offset: str = "0", *, merge: bool = True) -> Value:
        """Load an element. Merged loads must be of memory that nothing in their scope writes to."""
        place = self.address(base, kind, offset)
        write = self.pure if merge else self.let
        align = kind.bits // 8 or 1
        first = write(f"load {kind.stored}, ptr {place}, align {align}")
        if kind.code == "b":
            return Value(kind, self.pure(f"icmp ne i8 {first}, 0"))
        if kind.code == "c":
            second = self.pure(f"getelementptr inbounds {kind.stored}, ptr {place}, i64 1")
            return Value(kind, first, write(f"load {kind.stored}, ptr {second}, align {align}"))
        return Value(kind, first)

    def store(self, value: Value, base: str, offset: str = "0") -> None:
        """Store an element."""
        kind = value.kind
        place = self.address(base, kind, offset)
        align = kind.bits // 8 or 1
        if kind.code == "b":
            wide = "1" if value.re == "true" else "0" if value.re == "false" else self.pure(f"zext i1 {value.re} to i8")
            self.row(f"store i8 {wide}, ptr {place}, align 1")
            return
        self.row(f"store {kind.stored} {value.re}, ptr {place}, align {align}")
        if kind.code == "c":
            second = self.pure(f"getelementptr inbounds {kind.stored}, ptr {place}, i64 1")
            self.row(f"store {kind.stored} {value.im}, ptr {second}, align {align}")
