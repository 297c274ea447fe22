"""Structured accumulation: the derivative of every line as a short sum of coefficient times map.

The input is a linear Program (a pushforward, or a pullback) whose last inputs are tangents; only the rules of linear
primitives are needed, because nonlinear ones were already written as products with their slopes. Elementwise lines
scale coefficients, reindexing lines move both coefficients and maps, sums merge equal maps, reductions and contractions
keep the summed axis as a list of terms where the map depends on it. The maps are worked out once; what is left is a
Program from the primal values to the coefficients (Griewank and Walther, Evaluating Derivatives, 2008, chapters 8-10,
call the general problem Jacobian accumulation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..primitives import indexing as p
from ..primitives.base import shape_of
from ..primitives.pointwise import reads_of
from ..program import Program, Step, trace
from ..recording import Traced
from . import products, sums
from .cost import CALL
from .evaluate import Known
from .terms import (
    BOOL,
    FULL,
    Coefficient,
    Interner,
    NotStructured,
    Term,
    Writer,
    lift,
    looked_up,
    merge,
    moves_everywhere,
    pack,
    spread_to,
)

# More embedded terms than this are packed before they are multiplied one by one.
MANY = 8
# An array that is written in parts is packed when it has more embedded terms than this.
PACKED = 64
# More terms than this, and some for each line, take too long to plan.
MOST_TERMS = 6_000
TERMS_PER_LINE = 5


class Entry(NamedTuple):
    """One term of the result.

    Its value is output number `output` of the Program, or `constant`; it broadcasts to `shape`. `rows` and `columns`
    are the flat maps, -1 where there is no entry.
    """

    output: int | None
    constant: np.ndarray | None
    shape: tuple[int, ...]
    rows: np.ndarray
    columns: np.ndarray


class Accumulated:
    """The outcome: a Program of coefficients, and where each of them stands in the Jacobian.

    Attributes
    ----------
    program : Program
        From the primal inputs to the coefficient tensors, then the index arrays that the structure depends on.
    entries : list of Entry
    guards : list of ndarray
        What the index arrays must be for the structure to hold.
    indexed : list of int
        Their numbers in the linear Program.
    """

    __slots__ = ("entries", "guards", "indexed", "program")

    def __init__(self, program: Program, entries: list[Entry], guards: list[np.ndarray], indexed: list[int]) -> None:
        self.program = program
        self.entries = entries
        self.guards = guards
        self.indexed = indexed


def accumulate(
    linear: Program, primals: int, known: Known, limit: int = 20_000_000, budget: float | None = None
) -> Accumulated:
    """Return the structured derivative of a linear Program.

    Parameters
    ----------
    linear : Program
        Its first `primals` inputs are values, the others tangents.
    known : Known
        The values of lines that do not depend on a tangent, at the point where the plan is made.
    limit : int
        Most entries that the derivative of one line may have.
    budget : float, optional
        Most work, in the units of `cost`, that all lines together may take: what the dense way would.

    Raises
    ------
    NotStructured
        If a line has no rule here, or its derivative gets too many entries.
    """
    walk = _Walk(linear, primals, known, limit, budget)
    entries: list[Entry] = []

    def body(*values: Any) -> list[Any]:
        outputs: list[Any] = []
        for value, shape, rows, columns in walk.run(values):
            if isinstance(value, Traced):
                entries.append(Entry(len(outputs), None, shape, rows, columns))
                outputs.append(value)
            else:
                entries.append(Entry(None, np.asarray(value), shape, rows, columns))
        return [*outputs, *(walk.values[number] for number in walk.guards)]

    program = trace(body, linear.inputs[:primals])
    return Accumulated(program, entries, [known(number) for number in walk.guards], walk.guards)


class _Walk:
    def __init__(self, linear: Program, primals: int, known: Known, limit: int, budget: float | None) -> None:
        self.linear = linear
        self.primals = primals
        self.known = known
        self.limit = limit
        self.budget = budget
        self.work = 0.0
        self.made = 0
        self.guards: list[int] = []
        self.write = Writer()
        self.intern = Interner()
        self.terms: dict[int, list[Term]] = {}
        self.values: list[Any] = []
        total = sum(prod(slot.shape) for slot in linear.inputs[primals:])
        self.kind = np.int32 if total < 2**31 - 1 else np.int64

    def run(self, values: Sequence[Any]) -> list[tuple[Any, tuple[int, ...], np.ndarray, np.ndarray]]:
        linear = self.linear
        n, m = len(linear.inputs), len(linear.captures)
        self.values = [*values, *(None,) * (n - self.primals), *linear.captures]
        offset = 0
        for i in range(self.primals, n):
            shape = linear.inputs[i].shape
            columns = np.arange(offset, offset + prod(shape), dtype=self.kind).reshape(shape)
            self.terms[i] = [Term(Coefficient(1.0), columns)]
            offset += prod(shape)
            if np.dtype(linear.inputs[i].dtype).kind == "c":
                raise NotStructured("the input is complex")
        uses = linear.last_uses()
        for position, step in enumerate(linear.steps):
            number = n + m + position
            if any(a in self.terms for a in step.args):
                self.values.append(None)
                self.terms[number] = self._step(step)
            else:
                args = [self.values[a] for a in step.args]
                self.values.append(self.write(step.primitive, *args, **dict(step.params)))
            for dead in uses.get(position, ()):
                if dead in self.terms:
                    self.terms[dead] = []
        result = []
        start = 0
        for output in linear.outputs:
            shape = linear.slot(output).shape
            size = prod(shape)
            own = np.arange(start, start + size, dtype=np.int64).reshape(shape)
            for term in self.terms.get(output, ()):
                rows = np.broadcast_to(own, term.shape) if term.rows is None else term.rows
                rows = rows.ravel()
                if term.rows is not None:
                    rows = np.where(rows >= 0, rows.astype(np.int64) + start, -1)
                columns = term.columns.ravel()
                result.append((term.coefficient.total(self.write), term.shape, rows, columns))
            start += size
        return result

    # ------------------------------------------------------------ dispatch

    def _step(self, step: Step) -> list[Term]:
        primitive = step.primitive
        if isinstance(step.slot.dtype, tuple) or np.dtype(step.slot.dtype).kind == "c":
            raise NotStructured(f"{primitive.name} has a complex result or several results")
        if primitive.family == "elementwise":
            terms = self._elementwise(step)
        elif primitive.name in _RULES:
            terms = _RULES[primitive.name](self, step)
        elif primitive.family == "reindexing":
            terms = self._gather(step)
        else:
            raise NotStructured(f"{primitive.name} has no structured rule")
        terms = merge(terms, self.intern, self.write)
        if sum(prod(term.shape) for term in terms) > self.limit:
            raise NotStructured(f"the derivative of a {primitive.name} line has more than {self.limit} entries")
        self._count(step, terms)
        return terms

    def _count(self, step: Step, terms: Sequence[Term]) -> None:
        """Give up where there are too many terms: planning would take long, or evaluating longer than passes do."""
        old = {id(term) for a in step.args for term in self.terms.get(a, ())}
        fresh = [term for term in terms if id(term) not in old]
        self.made += len(fresh)
        self.work += sum(CALL / 2 + prod(term.shape) for term in fresh)
        if self.made > MOST_TERMS + TERMS_PER_LINE * len(self.linear.steps):
            raise NotStructured(f"it takes more than {self.made - 1} terms")
        if self.budget is not None and self.work > self.budget:
            raise NotStructured("the terms take more work than dense passes do")

    def shape(self, number: int) -> tuple[int, ...]:
        return self.linear.slot(number).shape

    def full_terms(self, number: int) -> list[Term]:
        terms = self.terms[number]
        if any(term.rows is not None for term in terms):
            terms = self.terms[number] = merge(
                pack(terms, self.shape(number), self.intern, self.write), self.intern, self.write
            )
        return terms

    def static(self, number: int) -> Any:
        """Return the value of an index array, and remember that the structure depends on it."""
        value = self.values[number]
        if isinstance(value, Traced):
            if number not in self.guards:
                self.guards.append(number)
            return self.known(number)
        return value

    # ------------------------------------------------------------ elementwise

    def _elementwise(self, step: Step) -> list[Term]:
        primitive: Any = step.primitive
        shape = step.slot.shape
        active = [a in self.terms for a in step.args]
        args = [None if flag else self.values[a] for a, flag in zip(step.args, active, strict=True)]
        params = dict(step.params)
        result: list[Term] = []
        for i, a in enumerate(step.args):
            if not active[i] or not self.terms[a]:
                continue
            partial = primitive.partials[i]
            if partial is None or (not callable(partial) and partial == 0):
                continue
            if callable(partial):
                if "out" in reads_of(partial) or any(j < len(active) and active[j] for j in reads_of(partial)):
                    raise NotStructured(f"{primitive.name} is not linear in its tangent")
                slope = partial(None, *args, **params)
            else:
                slope = partial
            mine = self.shape(a)
            terms = self.terms[a]
            plain = not isinstance(slope, Traced | np.ndarray)
            if mine != shape or (not plain and sum(term.rows is not None for term in terms) > MANY):
                terms = self.full_terms(a)
            for term in terms:
                if mine != shape:
                    term = self._broadcast(term, mine, shape)
                scale = slope if plain or term.rows is None else self._pulled(slope, shape, term)
                if isinstance(scale, np.ndarray) and scale.dtype == BOOL and moves_everywhere(term.columns):
                    columns = np.where(scale, term.columns, -1)  # a known mask takes entries away
                    if (columns >= 0).any():
                        result.append(Term(term.coefficient, columns, term.rows, term.pull))
                    continue
                result.append(Term(term.coefficient.times(self.write, scale), term.columns, term.rows, term.pull))
        return result

    def _broadcast(self, term: Term, old: tuple[int, ...], new: tuple[int, ...]) -> Term:
        extra = term.shape[: len(term.shape) - len(old)]
        columns = lift(term.columns, len(old), len(new), self.write)
        coefficient = term.coefficient.each(lambda t: lift(t, len(old), len(new), self.write))
        self.check(prod(extra) * prod(new))
        return Term(coefficient, np.broadcast_to(columns, (*extra, *new)))

    def _pulled(self, slope: Any, shape: tuple[int, ...], term: Term) -> Any:
        """Return a value of the line's shape as the embedded term needs it."""
        if shape_of(slope) == ():
            return slope
        slope = spread_to(slope, shape, self.write)
        if term.pull is not None:
            for primitive, params in term.pull:
                slope = self.write(primitive, slope, **params)
            return slope
        flat = self.write(p.reshape, slope, shape=(prod(shape),))
        assert term.rows is not None
        return self.write(p.index, flat, np.maximum(term.rows, 0).astype(np.intp), spec=(p.ARRAY,))

    def check(self, size: int) -> None:
        if size > self.limit:
            raise NotStructured(f"a term would have {size} entries")

    # ------------------------------------------------------------ reindexing

    def through(
        self, coefficient: Coefficient, shape: tuple[int, ...], function: Callable[[Any, int], Any]
    ) -> Coefficient:
        """Apply a reindexing to coefficient tensors; `function` gets the tensor and its number of leading axes."""

        def one(tensor: Any) -> Any:
            mine = shape_of(tensor)
            if mine == ():
                return tensor
            leading = mine[: max(0, len(mine) - len(shape))]
            return function(spread_to(tensor, (*leading, *shape), self.write), len(leading))

        return coefficient.collected(self.write).each(one)

    def _reshape(self, step: Step) -> list[Term]:
        (a,), shape = step.args[:1], step.slot.shape
        old = self.shape(a)
        result = []
        for term in self.terms[a]:
            if term.rows is not None:
                pull = None if term.pull is None else ((p.reshape, {"shape": old}), *term.pull)
                result.append(Term(term.coefficient, term.columns, term.rows, pull))
                continue
            extra = term.shape[: len(term.shape) - len(old)]
            coefficient = self.through(
                term.coefficient,
                old,
                lambda t, k: self.write(p.reshape, t, shape=(*shape_of(t)[:k], *shape)),
            )
            result.append(Term(coefficient, term.columns.reshape((*extra, *shape))))
        return result

    def _transpose(self, step: Step) -> list[Term]:
        a, axes = step.args[0], dict(step.params)["axes"]
        old = self.shape(a)
        positions = None
        result = []
        for term in self.terms[a]:
            if term.rows is not None:
                if positions is None:
                    there = np.arange(prod(old)).reshape(old).transpose(axes)
                    positions = np.empty(prod(old), np.int64)
                    positions[there.ravel()] = np.arange(prod(old))
                undo = {"axes": p.inverse_axes(axes)}
                pull = None if term.pull is None else ((p.transpose, undo), *term.pull)
                result.append(Term(term.coefficient, term.columns, looked_up(positions, term.rows), pull))
                continue
            n = len(term.shape) - len(old)
            moved = (*range(n), *(n + axis for axis in axes))
            coefficient = self.through(
                term.coefficient,
                old,
                lambda t, k: self.write(p.transpose, t, axes=(*range(k), *(k + axis for axis in axes))),
            )
            result.append(Term(coefficient, term.columns.transpose(moved)))
        return result

    def _broadcast_to(self, step: Step) -> list[Term]:
        a = step.args[0]
        return [self._broadcast(term, self.shape(a), step.slot.shape) for term in self.full_terms(a)]

    def _index(self, step: Step) -> list[Term]:
        a = step.args[0]
        if any(b in self.terms for b in step.args[1:]):
            raise NotStructured("an index depends on a tangent")
        spec = dict(step.params)["spec"]
        if len(step.args) > 1:
            return self._gather(step)
        old = self.shape(a)
        return [self.slice_of(term, old, spec) for term in self.full_terms(a)]

    def slice_of(self, term: Term, shape: tuple[int, ...], spec: Any) -> Term:
        """Return a full term's part by integers and slices."""
        n = len(term.shape) - len(shape)
        coefficient = self.through(
            term.coefficient, shape, lambda t, k: self.write(p.index, t, spec=(*(FULL,) * k, *spec))
        )
        return Term(coefficient, np.asarray(term.columns[p.real_index((*(FULL,) * n, *spec), ())]))

    def gathered(self, term: Term, shape: tuple[int, ...], places: np.ndarray) -> Term:
        """Return a full term's rows at these places of its first axis."""
        n = len(term.shape) - len(shape)
        coefficient = self.through(
            term.coefficient, shape, lambda t, k: self.write(p.index, t, places, spec=(*(FULL,) * k, p.ARRAY))
        )
        return Term(coefficient, term.columns[(slice(None),) * n + (places,)])

    def scaled(self, term: Term, old: tuple[int, ...], new: tuple[int, ...], slope: Any) -> Term:
        """Return a full term broadcast to a shape, times a value that broadcasts to it."""
        wide = self._broadcast(term, old, new) if old != new else term
        return Term(wide.coefficient.times(self.write, slope), wide.columns)

    def _gather(self, step: Step) -> list[Term]:
        """Any other line whose result elements are single elements of its first argument."""
        a = step.args[0]
        arrays = [self.static(b) for b in step.args[1:]]
        old, shape, params = self.shape(a), step.slot.shape, dict(step.params)
        places = np.asarray(step.primitive.evaluate(np.arange(prod(old)).reshape(old), *arrays, **params))
        if places.shape != shape or places.dtype.kind not in "iu":
            raise NotStructured(f"{step.primitive.name} is not a reindexing of one argument")
        live = [self.values[b] for b in step.args[1:]]
        result = []
        for term in self.full_terms(a):
            extra = term.shape[: len(term.shape) - len(old)]

            def moved(tensor: Any, k: int) -> Any:
                if k == 0:
                    return self.write(step.primitive, tensor, *live, **params)
                flat = self.write(p.reshape, tensor, shape=(*shape_of(tensor)[:k], prod(old)))
                return self.write(p.index, flat, places, spec=(*(FULL,) * k, p.ARRAY))

            coefficient = self.through(term.coefficient, old, moved)
            columns = term.columns.reshape((*extra, prod(old)))[..., places]
            result.append(Term(coefficient, columns))
        return result

    # ------------------------------------------------------------ embedding

    def embed(self, term: Term, rows: np.ndarray, pull: Any) -> Term:
        """Return the term of a value that becomes the part `rows` of a larger one."""
        if term.rows is None:
            return Term(term.coefficient, term.columns, np.broadcast_to(rows, term.shape), pull)
        chain = None if pull is None or term.pull is None else (*pull, *term.pull)
        return Term(term.coefficient, term.columns, looked_up(rows.ravel(), term.rows), chain)

    def positions(self, shape: tuple[int, ...]) -> np.ndarray:
        kind = np.int32 if prod(shape) < 2**31 - 1 else np.int64
        return np.arange(prod(shape), dtype=kind).reshape(shape)

    def _join(self, step: Step) -> list[Term]:
        axis = dict(step.params)["axis"]
        positions = self.positions(step.slot.shape)
        start = 0
        result: list[Term] = []
        for k, a in enumerate(step.args):
            shape = self.shape(a)
            if step.primitive is p.stack:
                spec: Any = (*(FULL,) * axis, k)
            else:
                spec = (*(FULL,) * axis, (start, start + shape[axis], None))
                start += shape[axis]
            rows = positions[p.real_index(spec, ())]
            pull = ((p.index, {"spec": spec}),)
            result.extend(self.embed(term, np.asarray(rows), pull) for term in self.terms.get(a, ()))
        return result

    def _index_add(self, step: Step) -> list[Term]:
        a, params = step.args[0], dict(step.params)
        arrays = [self.static(b) for b in step.args[1:]]
        positions = self.positions(params["shape"])
        rows = np.asarray(positions[p.real_index(params["spec"], arrays)])
        pull = None if arrays else ((p.index, {"spec": params["spec"]}),)
        return [self.embed(term, rows, pull) for term in self.terms[a]]

    def _index_set(self, step: Step) -> list[Term]:
        x, v, spec = step.args[0], step.args[1], dict(step.params)["spec"]
        arrays = [self.static(b) for b in step.args[2:]]
        shape, part = step.slot.shape, self.shape(v)
        where = p.real_index(spec, arrays)
        writer = np.full(shape, -1, np.int64)
        writer[where] = np.arange(prod(part)).reshape(part)
        result = []
        overwritten = writer >= 0
        terms = self.terms.get(x, ())
        if sum(term.rows is not None for term in terms) > PACKED:
            terms = self.full_terms(x)  # an array that is filled one element at a time
        for term in terms:
            if term.rows is None:
                columns = np.where(overwritten, -1, term.columns)
                if (columns >= 0).any():
                    result.append(Term(term.coefficient, columns))
            else:
                gone = (term.rows >= 0) & overwritten.ravel()[term.rows]
                if not gone.any():
                    result.append(term)
                elif not gone.all():
                    result.append(Term(term.coefficient, term.columns, np.where(gone, -1, term.rows), term.pull))
        if v in self.terms:
            rows = np.asarray(self.positions(shape)[where])
            if arrays:  # with duplicate indices the last writer wins
                rows = np.where(writer.ravel()[rows] == np.arange(prod(part)).reshape(part), rows, -1)
            pull = None if arrays else ((p.index, {"spec": spec}),)
            result.extend(self.embed(term, rows, pull) for term in self.terms[v])
        return result

    def _pass_on(self, step: Step) -> list[Term]:
        return self.terms[step.args[0]]


_RULES: dict[str, Callable[[_Walk, Step], list[Term]]] = {
    "reshape": _Walk._reshape,
    "transpose": _Walk._transpose,
    "broadcast_to": _Walk._broadcast_to,
    "index": _Walk._index,
    "concatenate": _Walk._join,
    "stack": _Walk._join,
    "index_add": _Walk._index_add,
    "index_set": _Walk._index_set,
    "sum": sums.sum_rule,
    "cumsum": sums.cumsum_rule,
    "contract": sums.contract_rule,
    **products.RULES,
    "alias": _Walk._pass_on,
    "watch": _Walk._pass_on,
}
