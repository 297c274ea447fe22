"""How one derivative is computed: structured accumulation, compressed by a colouring, or dense; whichever is cheapest.

A recipe is made from one recorded run. It has everything static worked out and evaluates the values at other points of
the same structure. This module decides; it does not know users' functions or arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..program import Program, trace
from ..transforms.derive import forward_program, reverse_program
from ..transforms.simplify import simplify
from .assembly import Assembly
from .colouring import Colouring, colour_both, colour_columns, colour_graph, colour_rows, without_diagonal
from .compressed import Compressed
from .cost import CALL, bytes_per_seed, pass_cost, program_cost
from .evaluate import Known, part_of
from .inline import written_out
from .numeric import Structured
from .pattern import detect
from .record import Run
from .structured import Accumulated, NotStructured, accumulate
from .symmetric import acyclic_colouring, star_colouring

# Programs with more lines than this are not derived for a comparison only.
LONG = 1000
MODES = ("auto", "structured", "forward", "reverse", "columns", "rows", "both", "star", "acyclic")


@dataclass(frozen=True)
class Options:
    """What the caller asked for. Hashable: part of the key under which recipes are kept.

    `kind` is "jacobian" or "hessian", `part` is "all" or "diagonal".
    """

    kind: str = "jacobian"
    mode: str = "auto"
    order: str = "best"
    max_bytes: int = 256_000_000
    part: str = "all"

    def check(self, name: str) -> None:
        """Raise ArgumentError for a mode that does not exist."""
        if self.mode not in MODES:
            raise ArgumentError(f"{name}: mode is one of {', '.join(MODES)}, not {self.mode!r}")
        if self.kind == "jacobian" and self.mode in ("star", "acyclic"):
            raise ArgumentError(
                f"{name}: mode {self.mode!r} is for symmetric matrices", hint="mode='columns', 'rows' or 'both'"
            )


@dataclass
class Choice:
    """One way that was weighed: its name, its work in cheap operations, a remark, and the bytes it takes at once."""

    name: str
    work: float
    remark: str = ""
    nbytes: float = 0.0


@dataclass
class Recipe:
    """Everything static about a derivative of one structure.

    Attributes
    ----------
    method : str
    evaluator : Structured or Compressed
    shape, indptr, indices
        Of the CSR form, all outputs by all inputs.
    dtype
    dynamic : list of int
        Which captured values are passed in at each evaluation; the others are fixed in `baked`.
    baked : dict
        Captured numbers and index arrays, by position, that the recipe holds for.
    choices : list of Choice
        What was weighed, the chosen one first.
    primal_work : float
        Work of one evaluation of the function.
    branches : bool
        Whether Python looked at values, so that the recipe holds for the path that it took.
    guards, guard_program
        What index arrays must be, and the Program that computes them.
    gradient : Program or None
        Of a Hessian: the Program of the gradient, on the same inputs.
    """

    method: str
    evaluator: Any
    shape: tuple[int, int]
    indptr: np.ndarray
    indices: np.ndarray
    dtype: Any
    dynamic: list[int]
    baked: dict[int, Any]
    choices: list[Choice]
    primal_work: float
    branches: bool
    guards: list[np.ndarray] = field(default_factory=list)
    guard_program: Program | None = None
    gradient: Program | None = None

    @property
    def local(self) -> bool:
        """Whether the pattern holds for some values only: for a path, or for index arrays that come from values."""
        return self.branches or bool(self.guards) or bool(getattr(self.evaluator, "guards", None))

    @property
    def nnz(self) -> int:
        """Number of entries of the pattern."""
        return len(self.indices)

    @property
    def nbytes(self) -> int:
        """Bytes of the static arrays."""
        return self.indices.nbytes + self.indptr.nbytes + self.evaluator.nbytes

    @cached_property
    def model(self) -> Any:
        """A CSR array of this pattern, to make others like."""
        from scipy.sparse import csr_array

        model = csr_array((np.zeros(self.nnz, self.dtype), self.indices, self.indptr), shape=self.shape)
        model.has_canonical_format = True
        model.data = np.zeros(0, self.dtype)  # only its shape and flags are wanted
        return model

    @cached_property
    def places(self) -> np.ndarray:
        """Where the entries stand in the flattened dense matrix."""
        rows = np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))
        return rows * self.shape[1] + self.indices

    def pattern(self) -> Any:
        """Return the pattern as a boolean CSR array."""
        from scipy.sparse import csr_array

        return csr_array((np.ones(self.nnz, bool), self.indices.copy(), self.indptr.copy()), shape=self.shape)

    def program(self) -> Program | None:
        """Return the Program of a recipe's inputs that computes all entries in CSR order, or None if there is none."""
        if self.guard_program is not None or not isinstance(self.evaluator, Structured) or self.evaluator.guards:
            return None
        return self.evaluator.program()

    def values(self, inputs: Sequence[Any]) -> np.ndarray | None:
        """Return the entries in CSR order, or None if the index arrays say that the structure is another one."""
        if self.guard_program is not None:
            found = self.guard_program(*inputs)
            if not all(map(np.array_equal, found, self.guards)):
                return None
        return self.evaluator.values(inputs)


# ---------------------------------------------------------------- making a recipe


def make(run: Run, options: Options, dynamic: Sequence[int], baked: dict[int, Any], pattern: Any = None) -> Recipe:
    """Return the recipe for a recorded run.

    Parameters
    ----------
    run : Run
    options : Options
    dynamic : sequence of int
        Which captured values may differ at the next evaluation.
    baked : dict
        The other ones.
    pattern : sparse array, optional
        Use this pattern instead of detecting one (then no structured accumulation).
    """
    maker = _Maker(run, options, list(dynamic), baked)
    recipe = maker.make(pattern)
    recipe.choices.append(maker.dense())
    if options.kind == "hessian":
        recipe.gradient = maker.program
    return recipe


class _Maker:
    def __init__(self, run: Run, options: Options, dynamic: list[int], baked: dict[int, Any]) -> None:
        self.run = run
        self.options = options
        self.dynamic = dynamic
        self.baked = baked
        self.n = len(run.inputs)
        program = written_out(run.program(dynamic))
        self.primal_work = program_cost(program)
        if options.kind == "hessian":
            program = gradient_program(program, self.n)
            self.height = sum(x.size for x in run.inputs)
            self.dtype = np.result_type(*run.inputs) if run.inputs else np.dtype(float)
        else:
            self.height = sum(x.size for x in run.outputs)
            self.dtype = np.result_type(*run.outputs)
        self.width = sum(x.size for x in run.inputs)
        self.program = program
        self.primals = self.n + len(dynamic)
        self.point = [*run.inputs, *(run.captures[i] for i in dynamic)]
        self._linear: dict[bool, tuple[Program, Known]] = {}
        self.choices: list[Choice] = []
        self.reasons: list[str] = []
        complex_result = any(x.dtype.kind == "c" for x in run.outputs)
        # Complex numbers have one right direction each, the same as for dense Jacobians.
        self.directions = (
            (False,)
            if complex_result or options.kind == "hessian"
            else (True,)
            if any(x.dtype.kind == "c" for x in run.inputs)
            else (False, True)
        )
        if options.kind == "jacobian" and self.directions == (True,):
            self.dtype = np.result_type(*run.inputs)

    def linear(self, reverse: bool) -> tuple[Program, Known]:
        if reverse not in self._linear:
            derive = reverse_program if reverse else forward_program
            linear = simplify(written_out(derive(self.program, range(self.n))))
            self._linear[reverse] = (linear, Known(linear, self.point))
        return self._linear[reverse]

    # ------------------------------------------------------------ choosing

    def make(self, pattern: Any) -> Recipe:
        mode = self.options.mode
        if pattern is not None:
            return self.compressed(pattern, [], mode, False)
        best: tuple[float, bool, Accumulated] | None = None
        if mode in ("auto", "structured", "forward", "reverse"):
            directions = [d for d in self.directions if mode not in ("forward", "reverse") or d == (mode == "reverse")]
            for reverse in directions:
                if best is not None and best[0] < 3 * (self.primal_work + 2 * CALL):
                    break
                if reverse and self.reasons and self.height >= self.width and mode == "auto":
                    break  # what has too many terms forward has not fewer backward from more outputs
                found = self.structured(reverse)
                if found is not None and (best is None or found[0] < best[0]):
                    best = found
        if best is not None:
            recipe = self.finish_structured(*best)
            if mode != "auto" or self.options.part != "all" or not self._better_compressed(recipe, best[0]):
                return recipe
            other = self.compressed(recipe.pattern(), best[2].indexed, mode, best[1])
            return other if other.choices[0].work < best[0] else recipe
        if mode == "structured":
            raise ArgumentError(
                "mode='structured': " + "; ".join(self.reasons), hint="mode='auto', 'columns', 'rows' or 'both'"
            )
        linear, known = self.linear(self.directions[0])
        detected, indexed = detect(linear, self.primals, known)
        if self.directions[0]:
            detected = detected.T.tocsr()
            detected.sort_indices()
        return self.compressed(detected, indexed, mode, self.directions[0])

    def dense(self) -> Choice:
        """Weigh the dense way, for the record: as many passes as there are inputs, or outputs."""
        reverse = self.directions == (True,) or (len(self.directions) == 2 and self.height < self.width)
        passes = self.height if reverse else self.width
        work = pass_cost(self.linear(reverse)[0], self.primals, passes)
        result = self.height * self.width * np.dtype(self.dtype).itemsize
        return Choice("dense", work, f"{passes} passes", result + self._bytes_of_passes(reverse, passes))

    def _bytes_of_passes(self, reverse: bool, passes: int) -> float:
        """Return the most bytes that so many passes take at once."""
        each = bytes_per_seed(self.linear(reverse)[0], self.primals)
        return min(passes * each, max(each, self.options.max_bytes))

    def structured(self, reverse: bool) -> tuple[float, bool, Accumulated] | None:
        linear, known = self.linear(reverse)
        name = f"structured accumulation, {'reverse' if reverse else 'forward'}"
        try:
            budget = max(self.dense().work, 1e6) if self.options.mode == "auto" else None
            accumulated = accumulate(linear, self.primals, known, budget=budget)
        except NotStructured as reason:
            self.reasons.append(f"{name} is not possible: {reason}")
            return None
        if self.options.part == "diagonal":
            accumulated = diagonal_of(accumulated)
        work = program_cost(simplify(accumulated.program))
        work += sum(CALL + 2.0 * prod(entry.shape) for entry in accumulated.entries if entry.output is not None)
        stored = sum(prod(entry.shape) for entry in accumulated.entries) * np.dtype(self.dtype).itemsize
        taken = stored + bytes_per_seed(accumulated.program, 0)
        self.choices.append(Choice(name, work, f"{len(accumulated.entries)} terms", taken))
        return work, reverse, accumulated

    def finish_structured(self, work: float, reverse: bool, accumulated: Accumulated) -> Recipe:
        assembly = Assembly(accumulated.entries, (self.height, self.width), self.dtype, transposed=reverse)
        evaluator = Structured(accumulated, assembly)
        name = f"structured accumulation, {'reverse' if reverse else 'forward'}"
        self.choices.sort(key=lambda choice: choice.name != name)
        return Recipe(
            name,
            evaluator,
            (self.height, self.width),
            assembly.indptr,
            assembly.indices,
            self.dtype,
            self.dynamic,
            self.baked,
            self.choices,
            self.primal_work,
            self.run.reads > 0,
        )

    def _better_compressed(self, recipe: Recipe, work: float) -> bool:
        """Whether a colouring could win: with the fewest colours possible, the fullest row or column."""
        better = False
        widths = {False: np.diff(recipe.indptr), True: np.bincount(recipe.indices, minlength=max(self.width, 1))}
        for reverse in self.directions:
            if reverse not in self._linear and len(self.program.steps) > LONG:
                continue  # not worth the time it takes to derive it
            least = int(widths[reverse].max(initial=0))
            linear, _ = self.linear(reverse)
            bound = pass_cost(linear, self.primals, least) + 2.0 * recipe.nnz
            name = "row colouring" if reverse else "column colouring"
            taken = self._bytes_of_passes(reverse, least)
            self.choices.append(Choice(name, bound, f"at least {least} passes", taken))
            better = better or bound < work
        return better

    # ------------------------------------------------------------ compressed

    def compressed(self, pattern: Any, indexed: list[int], mode: str, reverse: bool) -> Recipe:
        """Return the cheapest compressed recipe for a pattern that holds for the index arrays `indexed`.

        These are numbers of the pullback (`reverse`) or of the pushforward.
        """
        options = self.options
        found: list[tuple[Choice, Colouring, Any]] = []
        if options.part == "diagonal":
            found = self._diagonal(pattern)
            pattern = _diagonal_pattern(pattern)
        elif options.kind == "hessian":
            found = self._symmetric(pattern, mode)
        else:
            found = self._colourings(pattern, mode)
        found.sort(key=lambda item: item[0].work)
        choice, colouring, symmetric = found[0]
        needs = (
            colouring.columns is not None or symmetric is not None,
            colouring.rows is not None and bool((colouring.rows >= 0).any()),
        )
        evaluator = Compressed(
            pattern,
            colouring,
            self.linear(False)[0] if needs[0] else None,
            self.linear(True)[0] if needs[1] else None,
            self.primals,
            options.max_bytes,
            symmetric,
        )
        weighed = [choice, *(item[0] for item in found[1:])]
        names = {c.name for c in weighed}
        weighed += [c for c in self.choices if c.name not in names]
        kind = np.int32 if max(pattern.nnz, *pattern.shape) < 2**31 - 1 else np.int64
        recipe = Recipe(
            choice.name,
            evaluator,
            (self.height, self.width),
            pattern.indptr.astype(kind),
            pattern.indices.astype(kind),
            self.dtype,
            self.dynamic,
            self.baked,
            weighed,
            self.primal_work,
            self.run.reads > 0,
        )
        if indexed:
            linear, known = self.linear(reverse)
            recipe.guard_program = part_of(linear, self.primals, indexed)
            recipe.guards = [np.asarray(known(number)) for number in indexed]
        return recipe

    def _colourings(self, pattern: Any, mode: str) -> list[tuple[Choice, Colouring, Any]]:
        order = self.options.order
        found: list[tuple[Choice, Colouring, Any]] = []
        columns = rows = None
        if mode in ("auto", "forward", "columns") and False in self.directions:
            columns = Colouring(colour_columns(pattern, order))
            found.append((self._choice("column colouring", columns, False), columns, None))
        if mode in ("auto", "reverse", "rows") and True in self.directions:
            rows = Colouring(rows=colour_rows(pattern, order))
            found.append((self._choice("row colouring", rows, True), rows, None))
        one_sided = min((c.count for _, c, _ in found), default=10**9)
        if mode == "both" or (mode == "auto" and len(self.directions) == 2 and one_sided > 8):
            both = colour_both(pattern, "natural" if order == "best" else order)
            found.append((self._choice("row and column colouring", both, None), both, None))
        if not found:
            raise ArgumentError(
                f"mode={mode!r} does not exist for complex numbers here",
                why="a complex result is differentiated forward, a real result of complex arguments in reverse",
                hint="mode='auto'",
            )
        return found

    def _diagonal(self, pattern: Any) -> list[tuple[Choice, Colouring, Any]]:
        """Colour for the diagonal alone: columns i and j are kept apart only where entry (i, j) or (j, i) exists."""
        from scipy.sparse import csr_array

        both = without_diagonal(csr_array(pattern) + csr_array(pattern.T))
        colours = colour_graph(both)
        reverse = self.directions[0]
        colouring = Colouring(rows=colours) if reverse else Colouring(colours)
        return [(self._choice("colouring for the diagonal", colouring, reverse), colouring, None)]

    def _choice(self, name: str, colouring: Colouring, reverse: bool | None) -> Choice:
        work = taken = 0.0
        passes = []
        for colours, direction in ((colouring.columns, False), (colouring.rows, True)):
            if colours is None or (count := int(colours.max(initial=-1)) + 1) == 0:
                continue
            work += pass_cost(self.linear(direction)[0], self.primals, count)
            taken = max(taken, self._bytes_of_passes(direction, count))
            passes.append(f"{count} {'reverse' if direction else 'forward'}")
        return Choice(name, work, " and ".join(passes or ["0"]) + " passes", taken)

    def _symmetric(self, pattern: Any, mode: str) -> list[tuple[Choice, Colouring, Any]]:
        order = "natural" if self.options.order == "best" else self.options.order
        linear, _ = self.linear(False)
        found: list[tuple[Choice, Colouring, Any]] = []
        none = Colouring()

        def weigh(name: str, colours: np.ndarray, how: str) -> Choice:
            count = int(colours.max(initial=-1)) + 1
            work = pass_cost(linear, self.primals, count)
            return Choice(name, work, f"{count} passes, {how}", self._bytes_of_passes(False, count))

        if mode in ("auto", "forward", "reverse", "columns", "rows", "both"):
            columns = Colouring(colour_columns(pattern, self.options.order))
            found.append((self._choice("column colouring", columns, False), columns, None))
        if mode in ("auto", "star"):
            stars = star_colouring(pattern, order)
            found.append((weigh("star colouring", stars.colours, "read directly"), none, stars))
        if mode == "acyclic":  # rounding errors grow along the trees: only on request
            forest = acyclic_colouring(pattern, order)
            found.append((weigh("acyclic colouring", forest.colours, "by substitution"), none, forest))
        return found


def diagonal_of(accumulated: Accumulated) -> Accumulated:
    """Keep what is on the diagonal, and of the Program what that needs."""
    program = accumulated.program
    kept = []
    for entry in accumulated.entries:
        rows = np.where(entry.rows == entry.columns, entry.rows, -1)
        if (rows >= 0).any():
            kept.append(entry._replace(rows=rows))
    used = [entry.output for entry in kept if entry.output is not None]
    guards = program.outputs[len(program.outputs) - len(accumulated.guards) :]
    number = {output: k for k, output in enumerate(used)}
    entries = [e if e.output is None else e._replace(output=number[e.output]) for e in kept]
    smaller = Program(program.inputs, program.captures, program.steps, [*(program.outputs[k] for k in used), *guards])
    return Accumulated(smaller, entries, accumulated.guards, accumulated.indexed)


def _diagonal_pattern(pattern: Any) -> Any:
    from scipy.sparse import csr_array

    rows = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
    here = rows[rows == pattern.indices]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(here, minlength=pattern.shape[0]))])
    return csr_array((np.ones(len(here), bool), here, indptr), shape=pattern.shape)


def gradient_program(program: Program, count: int) -> Program:
    """Return the Program of the gradient of a scalar Program by its first `count` inputs."""
    pull = reverse_program(program, range(count))
    (slot,) = program.output_slots
    one = np.ones(slot.shape, slot.dtype)
    return simplify(trace(lambda *values: list(pull(*values, one)), program.inputs))
