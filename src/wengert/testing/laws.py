"""`check_primitive`: the laws that every primitive obeys, at sample arguments.

The oracles are dumber than the code: a difference for a derivative, a loop for a batch, NumPy for a value. The laws use
a primitive only as the library does, through recordings and Programs, so that what it declares to read is checked too.
"""

from __future__ import annotations

import itertools
import os
import pickle
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..primitives.base import Primitive, outputs_of
from ..primitives.structural import pick
from ..program import Program, Slot, trace
from ..tensor import Tensor
from ..transforms.batch import run_batched
from . import checks
from .comparison import same
from .differences import complex_step, random_direction
from .report import RIGHT, WRONG, Report, Row
from .subject import Subject, plain

__all__ = ["check_primitive"]

ROUNDING = 1e-12
SIZES = (3, 1, 0)


def check_primitive(
    primitive: Primitive,
    *args: Any,
    params: Mapping[str, Any] | None = None,
    order: int = 2,
    seed: int = 0,
    skip: Collection[str] = (),
    shared: Collection[int] = (),
    reference: Callable[..., Any] | None = None,
    analytic: bool = False,
) -> Report:
    """Check all rules of a primitive at sample arguments, and report which laws hold.

    Parameters
    ----------
    primitive : Primitive
    *args
        Sample arguments: arrays, numbers, index arrays. Away from kinks, where derivatives are not differences.
    params : mapping, optional
        The primitive's static settings.
    order : int
        How many derivatives to check.
    seed : int
        Of the random directions.
    skip : collection of str
        Laws not to check.
    shared : collection of int
        Arguments that all entries of a batch have in common, such as the structure of a sparse matrix.
    reference : callable, optional
        The function in plain NumPy: `reference(*args)` is the value.
    analytic : bool
        Whether to compare with a complex step as well, which is exact.

    Returns
    -------
    Report
        One row per law: value, forward, reverse, adjoint, second order, mixed, constants (every subset of arguments
        constant), batch (every choice of batched arguments), batching (of derivatives), abstract (shape and dtype
        rule), dtype, layout (strided, read-only), program (print, save, load, run), repeatable, inputs.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> from wengert.primitives.elementwise import UFUNCS
    >>> wg.testing.check_primitive(UFUNCS[np.hypot], np.array([3.0, 1.0]), np.array([4.0, -2.0])).ok
    True
    """
    laws = _Laws(primitive, args, dict(params or {}), order, seed, shared, reference, analytic)
    report = Report(primitive.name)
    for name, law in laws.all():
        if name in skip:
            continue
        try:
            rows = law()
        except Exception as error:  # whatever a wrong rule raises is a broken law, not a broken check
            rows = [Row(name, WRONG, "", None, None, np.inf, f"raised {type(error).__name__}: {error}")]
        report.rows += [row for row in ([rows] if isinstance(rows, Row) else rows) if row.law not in skip]
    return report


def results(value: Any) -> list[Any]:
    """Return the one or several results of a primitive as a list."""
    count = outputs_of(value)
    if count is None:
        return [value]
    return [value[k] if type(value) is tuple else pick(value, position=k) for k in range(count)]


def is_array(value: Any) -> bool:
    """Whether an argument is an array."""
    return isinstance(value, np.ndarray | np.generic)


def is_inexact(value: Any) -> bool:
    """Whether an argument is an array of floating or complex numbers."""
    return is_array(value) and value.dtype.kind in "fc"


class _Laws:
    def __init__(
        self,
        primitive: Primitive,
        args: Sequence[Any],
        params: dict[str, Any],
        order: int,
        seed: int,
        shared: Collection[int],
        reference: Callable[..., Any] | None,
        analytic: bool,
    ) -> None:
        self.shared = set(shared)
        self.primitive = primitive
        self.args = list(args)
        self.params = params
        self.order = order
        self.reference = reference
        self.analytic = analytic
        self.generator = np.random.default_rng(seed)
        self.inexact = [i for i, x in enumerate(args) if is_inexact(x)]
        with np.errstate(all="ignore"):
            self.values = [np.asarray(v) for v in results(primitive.evaluate(*args, **params))]
        self.differentiable = bool(self.inexact) and any(v.dtype.kind in "fc" for v in self.values)
        self.small = all(x.size for x in (*(args[i] for i in self.inexact), *self.values))

    def call(self, *args: Any) -> list[Any]:
        return results(self.primitive(*args, **self.params))

    def subject(
        self, args: Sequence[Any] | None = None, argnums: Sequence[int] | None = None, **options: Any
    ) -> Subject:
        numbers = self.inexact if argnums is None else argnums
        return Subject(lambda *a: self.call(*a), self.args if args is None else args, argnums=numbers, **options)

    def all(self) -> Iterator[tuple[str, Callable[[], Row | list[Row]]]]:
        yield "value", self.value
        yield "abstract", self.abstract
        yield "program", self.program
        yield "batch", self.batch
        yield "layout", self.layout
        if not self.differentiable:
            return
        yield "forward", lambda: checks.against_differences(self.subject(), "forward", self.generator)
        yield "reverse", lambda: checks.against_differences(self.subject(), "reverse", self.generator)
        if self.analytic:
            yield "complex step", self.complex_step
        yield "adjoint", lambda: checks.adjoint(self.subject(), self.generator)
        if self.order > 1:
            yield "second order", lambda: checks.higher(self.subject(), self.order, self.generator)
        yield "constants", self.constants
        yield "batching", lambda: checks.batching(self.subject(), self.generator)
        yield "derived", self.derived
        yield "dtype", self.dtype
        yield "repeatable", lambda: checks.repeats(self.subject(), self.generator)
        yield "inputs", lambda: checks.inputs_unchanged(self.subject(), self.generator)

    # ------------------------------------------------------------ values

    def value(self) -> Row:
        """The value is the reference's; applying to tensors gives the same."""
        labels = _labels(self.values)
        with np.errstate(all="ignore"):
            tensors = [Tensor(x) if is_array(x) else x for x in self.args]
            row = same("value", self.call(*tensors), self.values, labels)
            if row.status == RIGHT and self.reference is not None:
                expected = self.reference(*self.args)
                expected = list(expected) if isinstance(expected, tuple) else [expected]
                row = same("value", self.values, expected, labels)
                if row.status == RIGHT:
                    row = _same_kind("value", self.values, expected)
        return row

    def abstract(self) -> Row:
        """Shape and dtype by the rule are those of the value, for each precision."""
        for change in (_keep, _narrow):
            args = [change(x) for x in self.args]
            try:
                with np.errstate(all="ignore"):
                    values = [np.asarray(v) for v in results(self.primitive.evaluate(*args, **self.params))]
            except (TypeError, np.linalg.LinAlgError):
                continue
            shape, dtype = self.primitive.abstract(*args, **self.params)
            several = type(dtype) is tuple
            if several != (len(values) > 1 or type(self.primitive.evaluate(*args, **self.params)) is tuple):
                return Row("abstract", WRONG, "number of results", several, len(values), np.inf, "wrong abstract rule")
            found = list(zip(shape, dtype, strict=True)) if several else [(shape, dtype)]
            for k, ((n, kind), value) in enumerate(zip(found, values, strict=True)):
                if tuple(n) != value.shape or np.dtype(kind) != value.dtype:
                    entry = f"result {k} of {[_describe(x) for x in args]}"
                    mine, theirs = f"{np.dtype(kind)}{list(n)}", f"{value.dtype}{list(value.shape)}"
                    return Row("abstract", WRONG, entry, mine, theirs, np.inf, "wrong abstract rule")
        return Row("abstract")

    def program(self) -> Row:
        """A Program with this line prints, pickles, saves, loads and runs to the same values."""
        places = [i for i, x in enumerate(self.args) if is_array(x)]
        if not places:
            return Row("program")
        program = trace(self._with(places), [Slot.of(np.asarray(self.args[i])) for i in places])
        if self.primitive.name not in str(program):
            return Row(
                "program", WRONG, "print", str(program), self.primitive.name, np.inf, "not in the printed Program"
            )
        handle, path = tempfile.mkstemp()
        os.close(handle)
        try:
            program.save(path)
            loaded = Program.load(path)
        finally:
            os.remove(path)
        for copy in (program, loaded, pickle.loads(pickle.dumps(program))):
            if copy != program or hash(copy) != hash(program):
                return Row("program", WRONG, "structure", str(copy), str(program), np.inf, "changed by saving")
            with np.errstate(all="ignore"):
                found = copy(*(self.args[i] for i in places))
            row = same("program", found, self.values, _labels(self.values), ROUNDING)
            if row.status == WRONG:
                return row
        return Row("program")

    def _with(self, places: Sequence[int]) -> Callable[..., list[Any]]:
        """Return the primitive as a function of some of its arguments."""

        def function(*values: Any) -> list[Any]:
            args = list(self.args)
            for i, value in zip(places, values, strict=True):
                args[i] = value
            return self.call(*args)

        return function

    # ------------------------------------------------------------ batches

    def batch(self) -> Row:
        """A batch is the stack of its entries, whichever arguments are batched, computed or traced."""
        places = [i for i, x in enumerate(self.args) if is_array(x) and i not in self.shared]
        worst = Row("batch")
        for size in SIZES:
            for flags in itertools.product((False, True), repeat=len(places)):
                if not any(flags) or (size != SIZES[0] and not all(flags)):
                    continue
                row = self._batched(size, {i for i, flag in zip(places, flags, strict=True) if flag})
                if row.status == WRONG:
                    return row
        return worst

    def _batched(self, size: int, batched: set[int]) -> Row:
        rows = [[_variant(x, k) if i in batched else x for i, x in enumerate(self.args)] for k in range(size)]
        stacked = [
            np.stack([row[i] for row in rows]) if i in batched and size else np.zeros((0, *np.shape(x)), x.dtype)
            if i in batched else x
            for i, x in enumerate(self.args)
        ]  # fmt: skip
        flags = [i in batched for i in range(len(self.args))]
        with np.errstate(all="ignore"):
            found = results(self.primitive.batch(size, flags, *stacked, **self.params))
            single = [results(self.primitive.evaluate(*row, **self.params)) for row in rows]
            places = sorted(batched)

            def whole(*values: Any) -> list[Any]:
                args = list(stacked)
                for i, value in zip(places, values, strict=True):
                    args[i] = value
                return results(self.primitive.batch(size, flags, *args, **self.params))

            traced = trace(whole, [Slot.of(stacked[i]) for i in places])
            again = traced(*(stacked[i] for i in places))
        expected = [
            np.stack([row[k] for row in single]) if size else np.zeros((0, *value.shape), value.dtype)
            for k, value in enumerate(self.values)
        ]
        labels = [f"{label} with arguments {places} batched by {size}" for label in _labels(self.values)]
        for ours in (found, again):
            row = same("batch", ours, expected, labels, ROUNDING)
            if row.status == RIGHT:
                row = _same_kind("batch", ours, expected)
            if row.status == WRONG:
                return row
        return Row("batch")

    # ------------------------------------------------------------ layouts and dtypes

    def layout(self) -> Row:
        """Strided, reversed and read-only arguments give the same numbers."""
        subject = self.subject() if self.differentiable else None
        for arrange in (_strided, _reversed, _frozen):
            args = [arrange(x) if is_array(x) and np.ndim(x) else x for x in self.args]
            with np.errstate(all="ignore"):
                found = results(self.primitive.evaluate(*args, **self.params))
            row = same("layout", found, self.values, _labels(self.values), ROUNDING)
            if row.status == WRONG:
                return row
            if subject is None:
                continue
            other = self.subject(args, dtype=lambda x: x)
            generator = np.random.default_rng(0)
            tangents = [random_direction(x, generator) for x in subject.leaves]
            cotangents = [random_direction(np.ones_like(v), generator) for v in subject.outputs]
            pairs = (
                (other.push(other.leaves, [arrange(t) for t in tangents]), subject.push(subject.leaves, tangents)),
                (other.pull(other.leaves, [arrange(c) for c in cotangents]), subject.pull(subject.leaves, cotangents)),
            )
            for ours, expected in pairs:
                row = same("layout", ours, expected, [""] * len(ours), ROUNDING)
                if row.status == WRONG:
                    return row
        return Row("layout")

    def dtype(self) -> Row:
        """Single precision in, single precision out, for value and both derivatives, and about the same numbers."""
        args = [_narrow(x) for x in self.args]
        try:
            with np.errstate(all="ignore"):
                values = [np.asarray(v) for v in results(self.primitive.evaluate(*args, **self.params))]
        except (TypeError, np.linalg.LinAlgError):
            return Row("dtype")
        single = self.subject(args, dtype=lambda x: x)
        whole = self.subject([_widened(x) for x in args])
        cotangents = [random_direction(np.ones_like(v), self.generator) for v in whole.outputs]
        tangents = [random_direction(x, self.generator) for x in whole.leaves]
        pulled = single.pull(
            single.leaves, [c.astype(v.dtype) for c, v in zip(cotangents, single.outputs, strict=True)]
        )
        pushed = single.push(single.leaves, [t.astype(x.dtype) for t, x in zip(tangents, single.leaves, strict=True)])
        kinds = [v for v in values if v.dtype.kind in "fc"]
        for found, like in ((pulled, single.leaves), (pushed, kinds)):
            for a, b in zip(found, like, strict=True):
                if a.dtype != b.dtype:
                    return Row("dtype", WRONG, "", str(a.dtype), str(b.dtype), np.inf, "wrong dtype")
        for ours, expected in (
            (pulled, whole.pull(whole.leaves, cotangents)),
            (pushed, whole.push(whole.leaves, tangents)),
        ):
            row = same("dtype", ours, expected, [""] * len(ours), 1e-3)
            if row.status == WRONG:
                return row
        return Row("dtype")

    # ------------------------------------------------------------ derivatives

    def complex_step(self) -> Row:
        """Forward mode is the exact derivative that a complex step gives."""
        subject = self.subject()
        worst = Row("complex step")
        for _ in range(2):
            tangents = [random_direction(x, self.generator) for x in subject.leaves]
            with np.errstate(all="ignore"):
                expected = complex_step(lambda leaves: results(self._plain(leaves)), subject.leaves, tangents)
            if expected is None:
                return Row("complex step", WRONG, cause="the function does not take complex numbers")
            found = subject.push(subject.leaves, tangents)
            row = same("complex step", found, expected, subject.out_labels, 100 * ROUNDING)
            if row.status == WRONG:
                return row
        return worst

    def _plain(self, leaves: Sequence[Any]) -> Any:
        args = list(self.args)
        for i, value in zip(self.inexact, leaves, strict=True):
            args[i] = value
        return self.primitive.evaluate(*args, **self.params)

    def constants(self) -> Row:
        """With any subset of the arguments constant, the derivatives by the others stay what they are."""
        everything = self.subject()
        cotangents = [random_direction(np.ones_like(v), self.generator) for v in everything.outputs]
        full = everything.pull(everything.leaves, cotangents)
        tangents = [random_direction(x, self.generator) for x in everything.leaves]
        for count in range(1, len(self.inexact)):
            for chosen in itertools.combinations(range(len(self.inexact)), count):
                subject = self.subject(argnums=[self.inexact[k] for k in chosen])
                found = subject.pull(subject.leaves, cotangents)
                labels = [f"by argument {self.inexact[k]}, others constant" for k in chosen]
                row = same("constants", found, [full[k] for k in chosen], labels, ROUNDING)
                if row.status == WRONG:
                    return row
                mine = subject.push(subject.leaves, [tangents[k] for k in chosen])
                zeros = [t if k in chosen else np.zeros_like(t) for k, t in enumerate(tangents)]
                row = same("constants", mine, everything.push(everything.leaves, zeros), labels[:1] * len(mine))
                if row.status == WRONG:
                    return row
        return Row("constants")

    def derived(self) -> Row:
        """The rules on abstract tensors write Programs that compute what the rules compute."""
        subject = self.subject()
        slots = [Slot.of(x) for x in subject.leaves]
        cotangents = [random_direction(np.ones_like(v), self.generator) for v in subject.outputs]
        tangents = [random_direction(x, self.generator) for x in subject.leaves]
        n = len(subject.leaves)
        for make, seeds, expected in (
            (subject.pulled, cotangents, subject.pull(subject.leaves, cotangents)),
            (subject.pushed, tangents, subject.push(subject.leaves, tangents)),
        ):
            program = trace(
                lambda *values, make=make: make(values[n:])(*values[:n]), [*slots, *(Slot.of(s) for s in seeds)]
            )
            with np.errstate(all="ignore"):
                found = program(*subject.leaves, *seeds)
                both = [[x, _variant(x, 1)] for x in (*subject.leaves, *seeds)]
                outs, flags = run_batched(program, 2, [np.stack(pair) for pair in both], [True] * len(both))
                second = program(*(pair[1] for pair in both))
            row = same("derived", found, expected, [""] * len(found), ROUNDING)
            if row.status == WRONG:
                return row
            rows = [plain(out)[1] if flag else plain(out) for out, flag in zip(outs, flags, strict=True)]
            row = same("derived", rows, second, ["batched"] * len(rows), 100 * ROUNDING)
            if row.status == WRONG:
                return row
        return Row("derived")


# ---------------------------------------------------------------- variants of arguments


def _labels(values: Sequence[Any]) -> list[str]:
    return [f"result {k}" if len(values) > 1 else "result" for k in range(len(values))]


def _describe(x: Any) -> str:
    return f"{x.dtype}{list(x.shape)}" if is_array(x) else repr(x)


def _same_kind(law: str, ours: Sequence[Any], expected: Sequence[Any]) -> Row:
    for a, b in zip(ours, expected, strict=True):
        mine, theirs = plain(a).dtype, np.asarray(b).dtype
        if mine != theirs:
            return Row(law, WRONG, "dtype", str(mine), str(theirs), np.inf, "wrong dtype")
    return Row(law)


def _keep(x: Any) -> Any:
    return x


def _narrow(x: Any) -> Any:
    if not is_inexact(x):
        return x
    return x.astype(np.complex64 if x.dtype.kind == "c" else np.float32)


def _widened(x: Any) -> Any:
    if not is_inexact(x):
        return x
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def _variant(x: Any, k: int) -> Any:
    """Return another array like `x`: close to it, and for integers a permutation of it, so that indices stay valid."""
    if is_inexact(x):
        return np.asarray(x * (1 - 0.03125 * k))
    return np.reshape(np.roll(np.ravel(x), k), np.shape(x))


def _strided(x: Any) -> Any:
    if not np.ndim(x):
        return x
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def _reversed(x: Any) -> Any:
    if not np.ndim(x):
        return x
    return np.asfortranarray(x[::-1])[::-1]


def _frozen(x: Any) -> Any:
    x = np.array(x)
    x.flags.writeable = False
    return x
