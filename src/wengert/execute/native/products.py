"""Contractions: matrix products through the BLAS that SciPy carries, small ones as loops.

SciPy publishes the addresses of its BLAS functions as capsules; code calls them like any C function. All are Fortran
functions of column-major matrices, so a row-major product is asked for transposed: C^T = B^T A^T.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...primitives.contraction import route
from .ir import Code, Kind

# Products with fewer multiplications than this, or a shorter inner axis, are loops of our own.
SMALL = 700
SHORT = 5
_LETTER = {("f", 32): "s", ("f", 64): "d", ("c", 32): "c", ("c", 64): "z"}


_PUBLISHER = "scipy.linalg.cython_blas"


@lru_cache(maxsize=1)
def _capsules() -> dict[str, Any]:
    """Return the capsules of SciPy's BLAS functions by name.

    The one extension module that publishes them is loaded without its package, whose other modules take ten times
    as long. A later import of the package finds the same module.
    """
    if _PUBLISHER not in sys.modules:
        import scipy  # sets up where the libraries of its extensions are looked for

        folder = Path(scipy.__file__).parent / "linalg"
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            path = folder / f"cython_blas{suffix}"
            if path.exists():
                loader = importlib.machinery.ExtensionFileLoader(_PUBLISHER, str(path))
                spec = importlib.util.spec_from_loader(_PUBLISHER, loader)
                assert spec is not None
                module = importlib.util.module_from_spec(spec)
                loader.exec_module(module)
                sys.modules.pop(_PUBLISHER, None)  # a package that is not there yet must find it by importing it
                return module.__pyx_capi__
    return importlib.import_module(_PUBLISHER).__pyx_capi__


@lru_cache(maxsize=64)
def blas(name: str) -> int | None:
    """Return the address of a BLAS function of 32-bit integers, or None if SciPy does not publish it so."""
    try:
        capsule = _capsules()[name]
    except (ImportError, KeyError):
        return None
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    signature = get_name(capsule)
    if b"int *" not in signature:
        return None
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return get_pointer(capsule, signature)


@dataclass(frozen=True, slots=True)
class Matrix:
    """How an operand lies in memory: element strides of its (collapsed) rows and columns, and of each batch axis."""

    value: int
    offset: int
    row: int
    column: int
    batch: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """One contraction as (batch of) matrix products."""

    batch: tuple[int, ...]
    rows: int
    inner: int
    columns: int
    order_a: tuple[int, ...]
    order_b: tuple[int, ...]
    order_out: tuple[int, ...] | None
    split: tuple[int, int, int, int]

    @classmethod
    def of(cls, shape_a: Sequence[int], shape_b: Sequence[int], a: tuple, b: tuple, out: tuple) -> Product:
        """Return the sizes and axis orders of a labelled contraction."""
        order_a, order_b, order_out, n_batch, n_rows, n_inner, n_columns = route(a, b, out)
        order_a = order_a or tuple(range(len(a)))
        order_b = order_b or tuple(range(len(b)))
        sa = [shape_a[i] for i in order_a]
        sb = [shape_b[i] for i in order_b]
        return cls(
            tuple(sa[:n_batch]),
            _size(sa[n_batch : n_batch + n_rows]),
            _size(sa[n_batch + n_rows :]),
            _size(sb[n_batch + n_inner :]),
            order_a,
            order_b,
            order_out,
            (n_batch, n_rows, n_inner, n_columns),
        )

    def small(self, kind: Kind) -> bool:
        """Whether loops of our own serve it better than BLAS."""
        if (kind.code, kind.bits) not in _LETTER or self.split[2] == 0:
            return True
        work = self.rows * self.inner * self.columns
        if self.rows == 1 and self.columns == 1:
            return True
        if 1 in (self.rows, self.columns) and work <= 8 * SMALL:
            return True
        if self.inner < SHORT or work <= SMALL:
            return True
        return blas(f"{_LETTER[kind.code, kind.bits]}gemm") is None


def _size(shape: Sequence[int]) -> int:
    n = 1
    for extent in shape:
        n *= extent
    return n


def collapse(shape: Sequence[int], strides: Sequence[int]) -> int | None:
    """Return the stride of axes taken as one, or None if they do not follow each other in memory."""
    stride = expected = None
    for n, s in zip(reversed(shape), reversed(strides), strict=True):
        if n == 1:
            continue
        if stride is None:
            stride, expected = s, s * n
        elif s == expected:
            expected = s * n
        else:
            return None
    return 0 if stride is None else stride


def as_matrix(
    value: int, offset: int, shape: Sequence[int], strides: Sequence[int], order: Sequence[int], batch: int, rows: int
) -> Matrix | None:
    """Return an operand as a matrix that BLAS can read, or None if it has to be packed first."""
    shape = [shape[i] for i in order]
    strides = [strides[i] for i in order]
    row = collapse(shape[batch : batch + rows], strides[batch : batch + rows])
    column = collapse(shape[batch + rows :], strides[batch + rows :])
    if row is None or column is None or any(s < 0 for s in strides):
        return None
    strides_found = _canonical(_size(shape[batch : batch + rows]), _size(shape[batch + rows :]), row, column)
    return None if strides_found is None else Matrix(value, offset, *strides_found, tuple(strides[:batch]))


def _canonical(n: int, m: int, row: int, column: int) -> tuple[int, int] | None:
    """Return strides of which one is 1 and the other wide enough; a lone row or column may have any step."""
    if n == 1 and m == 1:
        return 1, 1
    if m == 1:
        return (row, 1) if row >= 1 else None
    if n == 1:
        return (m, 1) if column == 1 else (1, column) if column >= 1 else None
    if column == 1 and row >= m:
        return row, 1
    if row == 1 and column >= n:
        return 1, column
    return None


def declare(code: Code, kind: Kind) -> None:
    """Write the helpers that put numbers where Fortran wants their addresses."""
    letter = _LETTER[kind.code, kind.bits]
    if f"wengert_{letter}gemm" in code.declares:
        return
    real = kind.type
    unit = f"{{ {real}, {real} }}" if kind.code == "c" else real
    for name, count in (("gemm", 13), ("gemv", 11)):
        code.declares[f"wengert_{letter}{name}"] = f"declare void @wengert_{letter}{name}({', '.join(['ptr'] * count)})"
    zero, one = ("zeroinitializer", None) if kind.code == "c" else ("0.0", "1.0")
    set_one = (
        f"  store {real} 1.0, ptr %one\n  %im = getelementptr {real}, ptr %one, i64 1\n  store {real} 0.0, ptr %im"
        if one is None
        else f"  store {real} 1.0, ptr %one"
    )
    code.rows.append(
        f"""define internal void @{letter}gemm(i8 %ta, i8 %tb, i32 %m, i32 %n, i32 %k, ptr %a, i32 %lda,
    ptr %b, i32 %ldb, ptr %c, i32 %ldc) {{
  %pta = alloca i8
  %ptb = alloca i8
  %pm = alloca i32
  %pn = alloca i32
  %pk = alloca i32
  %pla = alloca i32
  %plb = alloca i32
  %plc = alloca i32
  %one = alloca {unit}
  %zero = alloca {unit}
  store i8 %ta, ptr %pta
  store i8 %tb, ptr %ptb
  store i32 %m, ptr %pm
  store i32 %n, ptr %pn
  store i32 %k, ptr %pk
  store i32 %lda, ptr %pla
  store i32 %ldb, ptr %plb
  store i32 %ldc, ptr %plc
{set_one}
  store {unit} {zero}, ptr %zero
  call void @wengert_{letter}gemm(ptr %pta, ptr %ptb, ptr %pm, ptr %pn, ptr %pk, ptr %one, ptr %a, ptr %pla,
    ptr %b, ptr %plb, ptr %zero, ptr %c, ptr %plc)
  ret void
}}
define internal void @{letter}gemv(i8 %t, i32 %m, i32 %n, ptr %a, i32 %lda, ptr %x, i32 %incx, ptr %y) {{
  %pt = alloca i8
  %pm = alloca i32
  %pn = alloca i32
  %pla = alloca i32
  %pix = alloca i32
  %piy = alloca i32
  %one = alloca {unit}
  %zero = alloca {unit}
  store i8 %t, ptr %pt
  store i32 %m, ptr %pm
  store i32 %n, ptr %pn
  store i32 %lda, ptr %pla
  store i32 %incx, ptr %pix
  store i32 1, ptr %piy
{set_one}
  store {unit} {zero}, ptr %zero
  call void @wengert_{letter}gemv(ptr %pt, ptr %pm, ptr %pn, ptr %one, ptr %a, ptr %pla, ptr %x, ptr %pix,
    ptr %zero, ptr %y, ptr %piy)
  ret void
}}"""
    )


N, T = 78, 84  # the letters BLAS knows them by


def call(code: Code, kind: Kind, product: Product, a: Matrix, b: Matrix, out: int, pointer: dict[int, str]) -> None:
    """Write the call(s): out, C-contiguous (batch, rows, columns), becomes the product."""
    letter = _LETTER[kind.code, kind.bits]
    m, k, n = product.rows, product.inner, product.columns
    counters: list[tuple[str, str, str, str, int]] = []
    place_a, place_b, place_out = str(a.offset), str(b.offset), "0"
    stride_out = m * n * _size(product.batch)
    for extent, sa, sb in zip(product.batch, a.batch, b.batch, strict=True):
        stride_out //= extent
        head, done, before = code.fresh("batch"), code.fresh("after"), code.fresh("first")
        i, following = f"%{code.fresh('g')}", f"%{code.fresh('more')}"
        code.row(f"br label %{before}")
        code.label(before)
        code.row(f"br label %{head}")
        code.label(head)
        counters.append((i, following, head, done, extent))
        mark = f"  {i} = phi i64 [ 0, %{before} ], [ {following}, %{head}.end ]"
        code.rows.append(mark)
        code.push()
        place_a = code.let(f"add i64 {place_a}, {code.let(f'mul i64 {i}, {sa}')}")
        place_b = code.let(f"add i64 {place_b}, {code.let(f'mul i64 {i}, {sb}')}")
        place_out = code.let(f"add i64 {place_out}, {code.let(f'mul i64 {i}, {stride_out}')}")
    pa, pb, pc = (
        code.address(pointer[v], kind, place) for v, place in ((a.value, place_a), (b.value, place_b), (out, place_out))
    )
    if n == 1:  # y = A x; a row-major A is the transpose of what Fortran sees
        flag, rows, columns, lead = (T, k, m, a.row) if a.column == 1 else (N, m, k, a.column)
        code.row(
            f"call void @{letter}gemv(i8 {flag}, i32 {rows}, i32 {columns}, ptr {pa}, i32 {lead}, ptr {pb}, "
            f"i32 {b.row}, ptr {pc})"
        )
    elif m == 1:
        flag, rows, columns, lead = (N, n, k, b.row) if b.column == 1 else (T, k, n, b.column)
        code.row(
            f"call void @{letter}gemv(i8 {flag}, i32 {rows}, i32 {columns}, ptr {pb}, i32 {lead}, ptr {pa}, "
            f"i32 {a.column}, ptr {pc})"
        )
    else:
        gemm(code, kind, (m, k, n), (pa, a), (pb, b), pc, n)
    for i, following, head, done, extent in reversed(counters):
        code.pop()
        code.row(f"br label %{head}.end")
        code.label(f"{head}.end")
        code.row(f"{following} = add nuw nsw i64 {i}, 1")
        more = code.let(f"icmp ult i64 {following}, {extent}")
        code.row(f"br i1 {more}, label %{head}, label %{done}")
        code.label(done)


def gemm(
    code: Code,
    kind: Kind,
    sizes: tuple[int, int, int],
    left: tuple[str, Matrix],
    right: tuple[str, Matrix],
    place: str,
    lead: int,
) -> None:
    """Write one product of row-major (rows, inner) and (inner, columns) to a place whose rows are `lead` apart."""
    m, k, n = sizes
    (pa, a), (pb, b) = left, right
    tb, ldb = (N, b.row) if b.column == 1 else (T, b.column)
    ta, lda = (N, a.row) if a.column == 1 else (T, a.column)
    code.row(
        f"call void @{_LETTER[kind.code, kind.bits]}gemm(i8 {tb}, i8 {ta}, i32 {n}, i32 {m}, i32 {k}, ptr {pb}, "
        f"i32 {ldb}, ptr {pa}, i32 {lda}, ptr {place}, i32 {lead})"
    )


def symbols(kind: Kind) -> dict[str, int]:
    """Return the addresses that the helpers call."""
    letter = _LETTER[kind.code, kind.bits]
    return {f"wengert_{letter}{name}": blas(f"{letter}{name}") or 0 for name in ("gemm", "gemv")}
