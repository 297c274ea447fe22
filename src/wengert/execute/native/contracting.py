"""Contractions: matrix products by BLAS where they are large, loops where they are small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...program import Step
from . import products
from .affine import Index, flatten, strides_of
from .ir import BOOL, Kind
from .items import Item, Root, place_in
from .pull import Layout, MustStore, Node, Puller
from .symmetric import is_symmetric


def contract(plan: Any, v: int, step: Step) -> None:
    """Put a contraction into the schedule."""
    x, y = step.args
    params = dict(step.params)
    shapes = [plan.program.slot(a).shape for a in (x, y)]
    product = products.Product.of(shapes[0], shapes[1], params["a"], params["b"], params["out"])
    kind = plan.kinds[v]
    if product.small(kind) or any(n == 0 for shape in shapes for n in shape):
        _in_loops(plan, v, step, params)
        return
    half = is_symmetric(plan, x, y, kind, product)
    n_batch, n_rows, n_inner, _ = product.split
    operands = []
    for value, order, rows in ((x, product.order_a, n_rows), (y, product.order_b, n_inner)):
        operands.append(_operand(plan, value, kind, order, n_batch, rows))
    natural = [*(operands[0][1][:n_batch]), *(operands[0][1][n_batch : n_batch + n_rows])]
    natural += operands[1][1][n_batch + n_inner :]
    strides = strides_of(natural)
    order_out = product.order_out or tuple(range(len(natural)))
    layout = Layout([strides[i] for i in order_out], 0, product.order_out is None)
    plan.layouts[v] = layout
    item = Item("product", 0, v, {operands[0][0].value, operands[1][0].value})
    item.payload = (kind, product, operands[0][0], operands[1][0], half)
    item.level = plan.level[v] = max(plan.level.get(a, -1) + 1 for a in item.reads)
    plan.items.append(item)


def _operand(
    plan: Any, value: int, kind: Kind, order: Sequence[int], batch: int, rows: int
) -> tuple[products.Matrix, list[int]]:
    """Return an operand as BLAS wants it, packed by a nest of its own if it does not lie so in memory."""
    shape = plan.program.slot(value).shape
    ordered = [shape[i] for i in order]
    resolved = plan.resolve(value) if plan.kinds[value] == kind else None
    if resolved is not None:
        matrix = products.as_matrix(resolved[0], resolved[1], shape, resolved[2], order, batch, rows)
        if matrix is not None:
            return matrix, ordered
    behind = plan.behind(value)
    if behind != value and behind >= plan.first and behind not in plan.layouts and plan.kinds[behind] == kind:
        raise MustStore(behind)  # stored in its own shape, others of that shape are computed along with it
    copy = plan.new(tuple(ordered), kind)
    inverse = [order.index(i) for i in range(len(order))]
    root = Root(
        copy,
        kind,
        ordered,
        lambda puller, axes: puller.pull(value, tuple(axes[i] for i in inverse)),
        place_in(plan.layouts[copy]),
    )
    same = inverse == list(range(len(order)))
    level, reads = plan.reads_of([(value, same)], tuple(ordered))
    plan.add(root, level, reads)
    matrix = products.as_matrix(copy, 0, ordered, strides_of(ordered), range(len(order)), batch, rows)
    assert matrix is not None
    return matrix, ordered


def _in_loops(plan: Any, v: int, step: Step, params: dict[str, Any]) -> None:
    x, y = step.args
    a, b, out = params["a"], params["b"], params["out"]
    sizes = dict(zip(a, plan.program.slot(x).shape, strict=True))
    sizes.update(zip(b, plan.program.slot(y).shape, strict=True))
    inner = [label for label in a if label not in out]
    labels = [*out, *inner]
    shape = tuple(sizes[label] for label in labels)
    kind = plan.kinds[v]
    layout = plan.layouts[v] = Layout.of(step.slot.shape)

    def pull(puller: Puller, axes: tuple[Index, ...]) -> Node:
        at = dict(zip(labels, axes, strict=True))
        left = puller.pull(x, tuple(at[label] for label in a))
        right = puller.pull(y, tuple(at[label] for label in b))
        return puller.node("step", kind, (left, right), ("multiply", (kind, kind, kind), ()))

    def place(puller: Puller, axes: tuple[Index, ...]) -> Index:
        return flatten(axes[: len(out)], layout.strides)

    root = Root(
        v,
        kind,
        shape,
        pull,
        place,
        reduction=("any" if kind is BOOL else "sum") if inner else None,
        reduced=frozenset(range(len(out), len(labels))),
    )
    level, reads = plan.reads_of([(x, False), (y, False)], shape)
    plan.add(root, level, reads)
