"""Structured rules of lines that multiply by a kernel or a sparse matrix: short lists of shifted terms."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np

from ..primitives import indexing as p
from ..primitives.base import shape_of
from ..program import Step
from .terms import FULL, NotStructured, Term

# Kernels with more elements are left to passes.
TAPS = 64


def _operands(walk: Any, step: Step) -> tuple[int, Any]:
    """Return which of the first two arguments depends on a tangent, and the other one's value."""
    active = [i for i in (0, 1) if step.args[i] in walk.terms]
    if len(active) != 1:
        raise NotStructured(f"{step.primitive.name} of two tangents")
    value = walk.values[step.args[1 - active[0]]]
    return active[0], value


def _window(ndim: int, own: int, start: tuple[int, ...], size: tuple[int, ...]) -> tuple[Any, ...]:
    """Return the index of a box in the last `own` of `ndim` axes."""
    return (*(FULL,) * (ndim - own), *((a, a + n, None) for a, n in zip(start, size, strict=True)))


def convolve_rule(walk: Any, step: Step) -> list[Term]:
    """Full convolution of the last axes: one shifted term for each element of the shorter operand."""
    which, value = _operands(walk, step)
    mine, out = walk.shape(step.args[which]), step.slot.shape
    n, m = mine[-1], shape_of(value)[-1]
    if min(n, m) > TAPS:
        raise NotStructured(f"a convolution with {min(n, m)} taps")
    positions = walk.positions(out)
    result = []
    for term in walk.full_terms(step.args[which]):
        for k in range(min(n, m)):
            if m <= n:  # the kernel is known: the whole term, shifted and weighted
                part, shape = term, mine
                weight = walk.write(p.index, value, spec=_window(len(shape_of(value)), 1, (k,), (1,)))
            else:  # the kernel depends on the tangent: one element of it, times the known signal
                part, shape = walk.slice_of(term, mine, _window(len(mine), 1, (k,), (1,))), (*mine[:-1], 1)
                weight = value
            spec = _window(len(out), 1, (k,), (max(n, m),))
            full = walk.scaled(part, shape, (*out[:-1], max(n, m)), weight)
            result.append(walk.embed(full, positions[p.real_index(spec, ())], ((p.index, {"spec": spec}),)))
    return result


def correlate_rule(walk: Any, step: Step) -> list[Term]:
    """Correlation where the kernel lies inside: one window of the signal for each element of the kernel."""
    which, value = _operands(walk, step)
    ndim, out = dict(step.params)["ndim"], step.slot.shape
    mine = walk.shape(step.args[which])
    kernel = (shape_of(value) if which == 0 else mine)[-ndim:]
    if prod(kernel) > TAPS:
        raise NotStructured(f"a correlation with {prod(kernel)} taps")
    inner, ones = out[len(out) - ndim :], (1,) * ndim
    result = []
    for term in walk.full_terms(step.args[which]):
        for k in product(*map(range, kernel)):
            if which == 0:
                part, shape = walk.slice_of(term, mine, _window(len(mine), ndim, k, inner)), (*mine[:-ndim], *inner)
                weight = walk.write(p.index, value, spec=_window(len(shape_of(value)), ndim, k, ones))
            else:
                part, shape = walk.slice_of(term, mine, _window(len(mine), ndim, k, ones)), (*mine[:-ndim], *ones)
                weight = walk.write(p.index, value, spec=_window(len(shape_of(value)), ndim, k, inner))
            result.append(walk.scaled(part, shape, out, weight))
    return result


def sparse_product_rule(walk: Any, step: Step) -> list[Term]:
    """A sparse matrix times a vector or columns: one term over the stored entries."""
    which, value = _operands(walk, step)
    params = dict(step.params)
    columns = np.asarray(walk.static(step.args[2])).astype(np.intp)
    starts = np.asarray(walk.static(step.args[3]))
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    if params["transposed"]:
        rows, columns = columns, rows
    mine, out = walk.shape(step.args[which]), step.slot.shape
    entries = (len(rows), *out[1:])
    walk.check(prod(entries))
    targets = walk.positions(out)[rows]
    result = []
    for term in walk.full_terms(step.args[which]):
        if which == 1:
            part, shape = walk.gathered(term, mine, columns), entries
            weight = walk.write(p.reshape, value, shape=(len(rows),) + (1,) * (len(out) - 1))
        else:
            coefficient = walk.through(term.coefficient, mine, lambda t, k: _column(walk, t, k, len(out)))
            extra = term.shape[: len(term.shape) - 1]
            shape = (len(rows),) + (1,) * (len(out) - 1)
            part = Term(coefficient, term.columns.reshape((*extra, *shape)))
            weight = walk.write(p.index, value, columns, spec=(p.ARRAY,))
        result.append(walk.embed(walk.scaled(part, shape, entries, weight), targets, None))
    return result


def _column(walk: Any, tensor: Any, leading: int, ndim: int) -> Any:
    shape = shape_of(tensor)
    return walk.write(p.reshape, tensor, shape=(*shape[:leading], shape[leading], *(1,) * (ndim - 1)))


RULES = {
    "convolve": convolve_rule,
    "correlate": correlate_rule,
    "sparse_product": sparse_product_rule,
}
