"""Structured rules of lines that add along axes: sums, running sums, contractions.

A summed axis along which the map does not move is summed up in the coefficients (for contractions by a smaller
contraction, that is by BLAS); one along which it moves becomes a leading axis of the term, that is a list of inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..primitives import indexing as p
from ..primitives import reduction as r
from ..primitives.base import shape_of
from ..primitives.contraction import contract
from ..program import Step
from ..recording import Traced
from .terms import Coefficient, NotStructured, Term, Writer, constant_along, looked_up, spread_to

# Up to this many entries of a small reduced axis become terms of their own, which can merge with others.
SPLIT = 16


def sum_rule(walk: Any, step: Step) -> list[Term]:
    """Sum along axes."""
    a, axis = step.args[0], dict(step.params)["axis"]
    old, shape = walk.shape(a), step.slot.shape
    kept = tuple(1 if i in axis else n for i, n in enumerate(old))
    result: list[Term] = []
    if prod(old) == 0:
        return result
    for term in walk.terms[a]:
        if term.rows is None:
            result.extend(_sum_full(walk, term, old, axis))
            continue
        targets = np.broadcast_to(walk.positions(shape).reshape(kept), old).ravel()
        spread = ((p.reshape, {"shape": kept}), (p.broadcast_to, {"shape": old}))
        pull = None if term.pull is None else (*spread, *term.pull)
        result.append(Term(term.coefficient, term.columns, looked_up(targets, term.rows), pull))
    return result


def _sum_full(walk: Any, term: Term, shape: tuple[int, ...], axis: Sequence[int]) -> list[Term]:
    n = len(term.shape) - len(shape)
    summed = tuple(i for i in axis if constant_along(term.columns, n + i))
    moved = tuple(i for i in axis if i not in summed)
    columns, coefficient = term.columns, term.coefficient
    if summed:
        columns = columns[tuple(0 if i - n in summed else slice(None) for i in range(columns.ndim))]
        coefficient = _summed(walk.write, coefficient, shape, summed)
        moved = tuple(i - sum(j < i for j in summed) for i in moved)
        shape = tuple(m for i, m in enumerate(shape) if i not in summed)
    if not moved:
        return [Term(coefficient, np.asarray(columns))]
    order = (*(n + i for i in moved), *range(n), *(n + i for i in range(len(shape)) if i not in moved))
    columns = columns.transpose(order)
    coefficient = coefficient.each(lambda t: _moved(walk.write, t, n, shape, order))
    lengths = columns.shape[: len(moved)]
    if n == 0 and prod(lengths) <= SPLIT:
        return [_part(walk.write, coefficient, columns, k) for k in np.ndindex(*lengths)]
    return [Term(coefficient, columns)]


def _summed(write: Writer, coefficient: Coefficient, shape: tuple[int, ...], axis: Sequence[int]) -> Coefficient:
    """Return the coefficient summed over axes of the value."""
    count = prod(shape[i] for i in axis)
    parts = []
    for factor, tensor in coefficient.parts:
        if shape_of(tensor) == ():
            parts.append((factor * count, tensor))
            continue
        leading = shape_of(tensor)[: max(0, len(shape_of(tensor)) - len(shape))]
        spread = spread_to(tensor, (*leading, *shape), write)
        parts.append((factor, write(r.sum_, spread, axis=tuple(len(leading) + i for i in axis))))
    return Coefficient(coefficient.number * count, tuple(parts))


def _moved(write: Writer, tensor: Any, n: int, shape: tuple[int, ...], order: tuple[int, ...]) -> Any:
    """Return a coefficient tensor with axes of the value brought to the front, before its `n` leading axes."""
    if shape_of(tensor) == ():
        return tensor
    leading = shape_of(tensor)[: max(0, len(shape_of(tensor)) - len(shape))]
    tensor = spread_to(tensor, (*leading, *shape), write)
    if len(leading) < n:
        tensor = write(p.reshape, tensor, shape=(*(1,) * (n - len(leading)), *leading, *shape))
    return write(p.transpose, tensor, axes=order)


def _part(write: Writer, coefficient: Coefficient, columns: np.ndarray, k: tuple[int, ...]) -> Term:
    one = coefficient.each(lambda t: write(p.index, t, spec=k) if shape_of(t) != () else t)
    return Term(one, np.asarray(columns[k]))


def cumsum_rule(walk: Any, step: Step) -> list[Term]:
    """Running sum: every element gets a leading axis of sources, those behind it absent."""
    a, axis = step.args[0], dict(step.params)["axis"]
    shape = walk.shape(a)
    n = shape[axis]
    result = []
    for term in walk.full_terms(a):
        extra = len(term.shape) - len(shape)
        walk.check(n * prod(term.shape))
        later = np.arange(n)[:, None] <= np.arange(n)  # (source, target)
        later = later.reshape((n, *(1,) * (extra + axis), n, *(1,) * (len(shape) - axis - 1)))
        source = np.moveaxis(np.expand_dims(term.columns, 0), extra + axis + 1, 0)
        columns = np.where(later, np.expand_dims(source[:, 0], extra + axis + 1), -1)
        coefficient = _sources(walk, term.coefficient, shape, extra, axis)
        result.append(Term(coefficient, columns))
    return result


def _sources(walk: Any, coefficient: Coefficient, shape: tuple[int, ...], extra: int, axis: int) -> Coefficient:
    """Return the coefficient with the running axis in front, and an axis of length 1 in its place."""
    write = walk.write

    def one(tensor: Any, leading: int) -> Any:
        full = (*(1,) * (extra - leading), *shape_of(tensor))
        tensor = write(p.reshape, tensor, shape=full)
        order = (extra + axis, *(i for i in range(len(full)) if i != extra + axis))
        front = write(p.transpose, tensor, axes=order)
        unit = (full[extra + axis], *(1 if i == extra + axis else m for i, m in enumerate(full)))
        return write(p.reshape, front, shape=unit)

    return walk.through(coefficient, shape, one)


def contract_rule(walk: Any, step: Step) -> list[Term]:
    """Contract with an operand that does not depend on a tangent."""
    params = dict(step.params)
    labels = [params["a"], params["b"]]
    which = 0 if step.args[0] in walk.terms else 1
    if step.args[1 - which] in walk.terms:
        raise NotStructured("contract of two tangents")
    value = walk.values[step.args[1 - which]]
    if not isinstance(value, Traced | np.ndarray):
        value = np.asarray(value)
    mine, other, out = labels[which], labels[1 - which], params["out"]
    sizes = dict(zip(other, shape_of(value), strict=True))
    sizes.update(zip(mine, walk.shape(step.args[which]), strict=True))
    return [_contract_term(walk, term, value, mine, other, out, sizes) for term in walk.full_terms(step.args[which])]


def _contract_term(walk: Any, term: Term, value: Any, mine: Any, other: Any, out: Any, sizes: dict[int, int]) -> Term:
    write: Writer = walk.write
    n = len(term.shape) - len(mine)
    extra = term.shape[:n]
    inner = [i for i in mine if i in other and i not in out]
    gone = [i for i in inner if constant_along(term.columns, n + mine.index(i))]
    kept = tuple(i for i in inner if i not in gone)
    axes = (*kept, *out)  # of the result, after the leading ones
    walk.check(prod(extra) * prod(sizes[i] for i in axes))
    dropped = {n + mine.index(i) for i in gone}
    columns = term.columns[tuple(0 if i in dropped else slice(None) for i in range(term.columns.ndim))]
    left = [i for i in mine if i not in gone]
    columns = columns.transpose((*range(n), *(n + left.index(i) for i in axes if i in left)))
    columns = columns.reshape((*extra, *(sizes[i] if i in left else 1 for i in axes)))
    columns = np.broadcast_to(columns, (*extra, *(sizes[i] for i in axes)))
    parts: list[tuple[Any, Any]] = []
    number = term.coefficient.number
    if term.coefficient.constant or number != 0:
        parts.append((number, _weights(write, value, other, gone, axes, sizes)))
    fresh = max((*mine, *other, *out), default=0) + 1
    for factor, tensor in term.coefficient.parts:
        leading = shape_of(tensor)[: max(0, len(shape_of(tensor)) - len(mine))]
        tensor = spread_to(tensor, (*leading, *(sizes[i] for i in mine)), write)
        lead = tuple(range(fresh, fresh + len(leading)))
        product = write(contract, tensor, value, a=(*lead, *mine), b=other, out=(*lead, *axes))
        parts.append((factor, product))
    return Term(Coefficient(0.0, tuple(parts)), columns)


def _weights(
    write: Writer, value: Any, labels: Any, gone: Sequence[int], axes: Sequence[int], sizes: dict[int, int]
) -> Any:
    """Return the operand itself, laid out along the result's axes: what a constant coefficient is multiplied by."""
    if gone:
        value = write(r.sum_, value, axis=tuple(sorted(labels.index(i) for i in gone)))
    rest = [i for i in labels if i not in gone]
    moved = tuple(rest.index(i) for i in axes if i in rest)
    if moved != tuple(range(len(moved))):
        value = write(p.transpose, value, axes=moved)
    unit = tuple(sizes[i] if i in rest else 1 for i in axes)
    return value if shape_of(value) == unit else write(p.reshape, value, shape=unit)
