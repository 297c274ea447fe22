"""Products that are symmetric by construction, G^T W G with a diagonal W: only one half of them is computed.

Hessians of sums over data have this form. The product is computed in panels from the diagonal to the right, and the
other half is copied. Infinities and NaN can break the symmetry (0 * inf in one half only); every one of them shows on
the diagonal, and then the whole product is computed after all.
"""

from __future__ import annotations

import itertools
from typing import Any

from .affine import CutVariable, Index, SplitVariable, variable
from .ir import Code, Kind
from .nest import nodes_of
from .products import Matrix, Product, gemm
from .pull import MustStore, Node, Puller

SMALLEST = 64  # rows
PANEL = 32  # rows, at least
MOST_PANELS = 8


def is_symmetric(plan: Any, x: int, y: int, kind: Kind, product: Product) -> bool:
    """Whether a product of large matrices is symmetric by the way its operands are computed."""
    if kind.code != "f" or product.batch or product.rows != product.columns or product.rows < SMALLEST:
        return False
    if product.inner < product.rows // 8:  # copying the other half would cost as much
        return False
    _, n_rows, n_inner, n_columns = product.split
    shapes = [plan.program.slot(a).shape for a in (x, y)]
    rows, inner = product.order_a[:n_rows], product.order_a[n_rows:]
    inner_b, columns = product.order_b[:n_inner], product.order_b[n_inner:]
    sizes = [shapes[0][i] for i in rows]
    if n_rows != n_columns or sizes != [shapes[1][i] for i in columns]:
        return False
    extents = dict(enumerate([*(shapes[0][i] for i in inner), *sizes]))
    free = frozenset(range(n_inner, n_inner + n_rows))
    at = [[Index(0)] * len(shape) for shape in shapes]
    for mine, axes in ((0, (*inner, *rows)), (1, (*inner_b, *columns))):
        for v, axis in enumerate(axes):
            at[mine][axis] = variable(v) if extents[v] != 1 else Index(0)
    puller = Puller(plan, extents, {})
    try:
        left, right = puller.pull(x, tuple(at[0])), puller.pull(y, tuple(at[1]))
    except (MustStore, SplitVariable, CutVariable):
        return False
    return _weighted(right, left, free, {}) or _weighted(left, right, free, {})


def _weighted(node: Node, base: Node, free: frozenset[int], known: dict[int, bool]) -> bool:
    """Whether a node is the base times something that does not depend on the free variables."""
    if id(node) not in known:
        known[id(node)] = _is_weighted(node, base, free, known)
    return known[id(node)]


def _is_weighted(node: Node, base: Node, free: frozenset[int], known: dict[int, bool]) -> bool:
    if _same(node, base):
        return True
    if node.op != "step":
        return False
    name, args = node.data[0], node.args
    if name in ("multiply", "scale"):
        a, b = args
        return (_weighted(a, base, free, known) and _fixed(b, free)) or (
            _fixed(a, free) and _weighted(b, base, free, known)
        )
    if name == "divide":
        return _weighted(args[0], base, free, known) and _fixed(args[1], free)
    if name in ("add", "subtract", "negative"):
        return all(_weighted(arg, base, free, known) for arg in args)
    return False


def _same(node: Node, base: Node) -> bool:
    return node is base or (node.op == "load" and base.op == "load" and node.data == base.data)


def _fixed(node: Node, free: frozenset[int]) -> bool:
    if node.op == "load":
        return not _mentions(node.data[1], free)
    return node.op != "same" and all(not _leans(leaf, free) for leaf in nodes_of(node.args))


def _leans(node: Node, free: frozenset[int]) -> bool:
    return node.op == "same" or (node.op == "load" and _mentions(node.data[1], free))


def _mentions(index: Index, free: frozenset[int]) -> bool:
    if any(v in free for v, _ in index.terms):
        return True
    return any(_mentions(part, free) for _, (_, parts, _) in index.loads for part in parts)


def call(code: Code, kind: Kind, product: Product, a: Matrix, b: Matrix, out: int, pointer: dict[int, str]) -> None:
    """Write the panels' products, the copy of the other half, and the whole product for where that is not enough."""
    n = product.rows
    panels = max(2, min(MOST_PANELS, n // PANEL))
    starts = [n * i // panels for i in range(panels + 1)]
    pa, pb = (code.address(pointer[m.value], kind, str(m.offset)) for m in (a, b))
    pc = pointer[out]
    for low, high in itertools.pairwise(starts):
        left, right = code.address(pa, kind, str(low * a.row)), code.address(pb, kind, str(low * b.column))
        place = code.address(pc, kind, str(low * n + low))
        gemm(code, kind, (high - low, product.inner, n - low), (left, a), (right, b), place, n)
    mirror = f"mirror_{kind.type}"
    code.helpers[mirror] = _mirror(mirror, kind)
    whole, done = code.fresh("whole"), code.fresh("half")
    code.row(f"br i1 {code.let(f'call i1 @{mirror}(ptr {pc}, i64 {n})')}, label %{done}, label %{whole}")
    code.label(whole)
    gemm(code, kind, (n, product.inner, n), (pa, a), (pb, b), pc, n)
    code.row(f"br label %{done}")
    code.label(done)


def _mirror(name: str, kind: Kind) -> str:
    """The function that copies the upper half to the lower one; returns whether the diagonal is finite."""
    t = kind.type
    return f"""define internal i1 @{name}(ptr %c, i64 %n) {{
entry:
  br label %row
row:
  %i = phi i64 [ 0, %entry ], [ %i2, %next ]
  %bad = phi {t} [ 0.0, %entry ], [ %bad2, %next ]
  %line = mul nuw nsw i64 %i, %n
  %at = add nuw nsw i64 %line, %i
  %pd = getelementptr inbounds {t}, ptr %c, i64 %at
  %d = load {t}, ptr %pd
  %zero = fsub {t} %d, %d
  %bad2 = fadd {t} %bad, %zero
  %first = icmp eq i64 %i, 0
  br i1 %first, label %next, label %column
column:
  %j = phi i64 [ 0, %row ], [ %j2, %column ]
  %up = mul nuw nsw i64 %j, %n
  %from = add nuw nsw i64 %up, %i
  %to = add nuw nsw i64 %line, %j
  %pf = getelementptr inbounds {t}, ptr %c, i64 %from
  %pt = getelementptr inbounds {t}, ptr %c, i64 %to
  %x = load {t}, ptr %pf
  store {t} %x, ptr %pt
  %j2 = add nuw nsw i64 %j, 1
  %morej = icmp ult i64 %j2, %i
  br i1 %morej, label %column, label %next
next:
  %i2 = add nuw nsw i64 %i, 1
  %more = icmp ult i64 %i2, %n
  br i1 %more, label %row, label %done
done:
  %fine = fcmp oeq {t} %bad2, 0.0
  ret i1 %fine
}}"""
