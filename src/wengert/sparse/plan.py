"""A plan: the decision how one derivative is computed, as an object to look at, reuse, pickle and save.

A plan holds everything static. Called with new arguments of the same shapes it evaluates without running the function's
Python, unless that branched on values: then the function runs and the plan is checked, and made anew where the path
differs. This module is the user's face of `decide`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..differentiation.memory import readable
from ..differentiation.recorded import check_argnums, differentiable
from ..errors import ArgumentError, ShapeError, WrongPattern
from ..recording import Traced
from .decide import Options, Recipe, make
from .jacobians import Structure, blocks_of, record, sparse_matrix
from .plans import bake, fits, frozen, inputs_of, plans
from .record import Run

BARE = tree.flatten([0.0])[1]  # one argument that is an array itself


class Plan:
    """How the Jacobian or Hessian of one function is computed at arguments of certain shapes.

    Made by `plan_jacobian` and `plan_hessian`. Calling it gives the derivative as a CSR array.

    Attributes
    ----------
    method : str
        "structured accumulation, forward", "column colouring", ...
    nnz : int
        Number of entries of the pattern.
    colours : int
        Number of passes; 0 for structured accumulation.
    label : str
        "global" if the pattern holds for all values; "local" if Python branched on values, so that it holds for the
        path that was taken (another path is noticed, and planned again).
    replans : int
        How often a call found another structure.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
        options: Options,
        argnums: int | tuple[int, ...] = 0,
        has_aux: bool = False,
        pattern: Any = None,
        verify: bool = True,
        name: str = "plan_jacobian",
    ) -> None:
        options.check(name)
        self.function: Callable[..., Any] | None = function
        self.function_name = getattr(function, "__name__", "function")
        self.options = options
        self.argnums = argnums
        self.has_aux = has_aux
        self.name = name
        self.replans = 0
        self._pattern: Any = None if pattern is None else _clean_pattern(pattern)
        run = self._record(args, kwargs)
        self._adopt(run, args, kwargs, verify)

    def _record(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Run:
        if self.function is None:
            raise ArgumentError(
                f"{self.name}: this plan was loaded without its function, which has to run here",
                why="it holds for the path that Python took, or other arguments differ from those it was made with",
                hint="Plan.load(path, function)",
            )
        return record(self.function, args, kwargs, self.argnums, self.has_aux, self.name, self.options.kind)

    def _adopt(self, run: Run, args: Sequence[Any], kwargs: dict[str, Any], verify: bool = False) -> None:
        if self._pattern is not None:
            self.recipe = self._with_pattern(run, verify)
        else:
            self.recipe = plans.find(run, self.options)
        self.key = run.key
        self.captures = [frozen(run.captures[i]) for i in self.recipe.dynamic]
        self.inputs = [(x.shape, x.dtype) for x in run.inputs]
        self.input_tree, self.output_tree, self.single = run.input_tree, run.output_tree, run.single
        self.outputs = [(x.shape, x.dtype) for x in run.outputs]
        self.others = [frozen(other) for other in self._other_arguments(args, kwargs)]

    def _with_pattern(self, run: Run, verify: bool) -> Recipe:
        """Make a recipe for the user's pattern; probe it with random directions."""
        pattern = self._pattern
        height = sum(x.size for x in (run.inputs if self.options.kind == "hessian" else run.outputs))
        width = sum(x.size for x in run.inputs)
        if pattern.shape != (height, width):
            raise ShapeError(
                f"{self.name}: the given pattern has shape {pattern.shape}, but the matrix has {(height, width)}",
                hint="all outputs flattened by all differentiated inputs flattened",
            )
        baked = bake(run)
        dynamic = [i for i in range(len(run.captures)) if i not in baked]
        recipe = make(run, self.options, dynamic, baked, pattern)
        if verify:
            probe_pattern(recipe, run, self.options, self.name)
        return recipe

    def _other_arguments(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
        numbers, _ = check_argnums(self.argnums, len(args), self.name)
        rest = [arg for i, arg in enumerate(args) if i not in numbers]
        return tree.flatten([rest, kwargs])[0]

    # ------------------------------------------------------------ evaluating

    def values(self, *args: Any, **kwargs: Any) -> np.ndarray:
        """Return the entries in CSR order, those of `indptr` and `indices`.

        Raises
        ------
        ShapeError
            If an argument has another shape than the plan was made for.
        """
        return self._evaluate(args, kwargs)[0]

    def _evaluate(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[np.ndarray, Run | None]:
        recipe = self.recipe
        if len(args) == 1 and type(args[0]) is np.ndarray and not kwargs and not recipe.branches and not self.others:
            x = args[0]  # the quick way of what loops do most
            if [(x.shape, x.dtype)] == self.inputs and self.input_tree == BARE and not self.has_aux:
                data = recipe.values([x, *self.captures])
                if data is not None:
                    return data, None
        leaves = self._leaves(args)
        if not recipe.branches and not self.has_aux and _same_values(self.others, self._other_arguments(args, kwargs)):
            data = recipe.values([*leaves, *self.captures])
            if data is not None:
                return data, None
        run = self._record(args, kwargs)
        if run.key == self.key and fits(recipe, run):
            data = recipe.values(inputs_of(recipe, run))
            if data is not None:
                return data, run
        self.replans += 1
        self._adopt(run, args, kwargs)
        data = self.recipe.values(inputs_of(self.recipe, run))
        assert data is not None
        return data, run

    def _leaves(self, args: Sequence[Any]) -> list[np.ndarray]:
        numbers, _ = check_argnums(self.argnums, len(args), self.name)
        values, structure = tree.flatten([args[i] for i in numbers])
        leaves = [differentiable(value, f"{self.name}: argument") for value in values]
        leaves = [leaf._data if isinstance(leaf, Traced) else leaf for leaf in leaves]
        found = [(leaf.shape, leaf.dtype) for leaf in leaves]
        if found != self.inputs or structure != self.input_tree:
            rows = []
            for i in range(max(len(found), len(self.inputs))):
                given = _slot_text(found[i]) if i < len(found) else "nothing"
                planned = _slot_text(self.inputs[i]) if i < len(self.inputs) else "nothing"
                rows.append(f"  {'✓' if given == planned else '✗'} argument {i}: given {given}, planned for {planned}")
            if found == self.inputs:
                rows.append("  ✗ nesting: the same arrays, in other lists, tuples or dicts")
            raise ShapeError(
                f"{self.name}: this plan was made for other arguments\n" + "\n".join(rows),
                hint="make a plan for these arguments",
            )
        return leaves

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the derivative: a CSR array, or nested blocks of them for structured arguments or results."""
        data, run = self._evaluate(args, kwargs)
        result = self._blocks(sparse_matrix(self.recipe, data))
        return (result, run.aux if run is not None else None) if self.has_aux else result

    def _blocks(self, matrix: Any) -> Any:
        shapes = [shape for shape, _ in self.inputs], [shape for shape, _ in self.outputs]
        return blocks_of(
            matrix, Structure(*shapes, self.input_tree, self.output_tree, self.single), self.options.kind, False
        )

    def dense(self, *args: Any, **kwargs: Any) -> np.ndarray:
        """Return the derivative as one dense array, all outputs by all inputs."""
        from .jacobians import dense_matrix

        data, _ = self._evaluate(args, kwargs)
        return dense_matrix(self.recipe, data)

    # ------------------------------------------------------------ looking at it

    @property
    def method(self) -> str:
        """How the values are computed."""
        return self.recipe.method

    @property
    def nnz(self) -> int:
        """Number of entries of the pattern."""
        return self.recipe.nnz

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the matrix: all outputs by all inputs."""
        return self.recipe.shape

    @property
    def pattern(self) -> Any:
        """The pattern as a boolean CSR array."""
        return self.recipe.pattern()

    @property
    def indptr(self) -> np.ndarray:
        """Row pointers of the CSR form."""
        return self.recipe.indptr.copy()

    @property
    def indices(self) -> np.ndarray:
        """Column indices of the CSR form."""
        return self.recipe.indices.copy()

    @property
    def colours(self) -> int:
        """Number of passes of a compressed derivative; 0 for structured accumulation."""
        return self.recipe.evaluator.count if hasattr(self.recipe.evaluator, "passes") else 0

    @property
    def label(self) -> str:
        """Whether the pattern is "global" or "local" (for the path that was taken)."""
        return "local" if self.recipe.local else "global"

    def __str__(self) -> str:
        recipe = self.recipe
        m, n = recipe.shape
        what = "Hessian" if self.options.kind == "hessian" else "Jacobian"
        inputs = ", ".join(map(_slot_text, self.inputs))
        outputs = ", ".join(map(_slot_text, self.outputs))
        share = recipe.nnz / max(m * n, 1)
        dense = m * n * np.dtype(recipe.dtype).itemsize
        rows = [
            f"{what} of {self.function_name}: {inputs} -> {outputs}",
            f"  matrix    {m} x {n}, {recipe.nnz} entries ({100 * share:.3g} %), {readable(recipe.nnz * 12.0)} in CSR "
            f"form, {readable(dense)} dense",
            f"  pattern   {self.label}"
            + (" (the path that was taken; another one is planned when it is met)" if recipe.local else ""),
            f"  method    {recipe.method}",
            "  work      in units of one evaluation of the function, and bytes at once",
        ]
        unit = max(recipe.primal_work, 1.0)
        for k, choice in enumerate(recipe.choices):
            mark = "->" if k == 0 else "  "
            taken = readable(choice.nbytes)
            rows.append(f"    {mark} {choice.work / unit:8.3g} {taken:>9}  {choice.name}: {choice.remark}")
        if self.replans:
            rows.append(f"  replanned {self.replans} times")
        return "\n".join(rows)

    def __repr__(self) -> str:
        return f"<Plan: {self.method}, {self.shape[0]} x {self.shape[1]}, {self.nnz} entries, {self.label}>"

    def _repr_html_(self) -> str:
        from html import escape

        from .plot import text_spy

        return f"<pre>{escape(str(self))}\n\n{escape(text_spy(self.pattern))}</pre>"

    # ------------------------------------------------------------ saving

    def save(self, path: Any) -> None:
        """Write the plan to a file as plain data: no pickle, no code. The function is not part of it."""
        from .storage import save_plan

        save_plan(self, path)

    @staticmethod
    def load(path: Any, function: Callable[..., Any] | None = None) -> Plan:
        """Return the plan that `save` wrote.

        Parameters
        ----------
        path : path-like
        function : callable, optional
            The function it was made for. A plan with a global pattern evaluates without it.

        Raises
        ------
        ArgumentError
            If the file is not a saved plan.
        """
        from .storage import load_plan

        return load_plan(path, function)


def _slot_text(slot: tuple[tuple[int, ...], Any]) -> str:
    return f"{slot[1]}[{','.join(map(str, slot[0]))}]"


def _same_values(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return len(a) == len(b) and all(map(_same_value, a, b))


def _same_value(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return a.shape == b.shape and a.dtype == b.dtype and bool(np.array_equal(a, b))
    return isinstance(a, int | float | complex | str | np.generic) and bool(a == b)


def _clean_pattern(pattern: Any) -> Any:
    """Return a user's pattern as a boolean CSR array; every stored entry counts, zeros of a dense array do not."""
    from scipy.sparse import csr_array, issparse

    if not issparse(pattern):
        array = np.asarray(pattern)
        if array.ndim != 2:
            raise ShapeError(f"a sparsity pattern has two axes; the given one has shape {array.shape}")
        pattern = csr_array(array != 0)
    else:
        pattern = csr_array(pattern)
        pattern = csr_array((np.ones(pattern.nnz, bool), pattern.indices, pattern.indptr), shape=pattern.shape)
    pattern.sum_duplicates()
    pattern.sort_indices()
    return pattern


def probe_pattern(recipe: Recipe, run: Run, options: Options, name: str, probes: int = 3) -> None:
    """Compare the compressed derivative with products along random directions.

    Raises
    ------
    WrongPattern
        If they differ: the pattern misses an entry.
    """
    from ..transforms.derive import forward_program
    from .decide import gradient_program

    data = recipe.values(inputs_of(recipe, run))
    assert data is not None
    program = run.program(recipe.dynamic)
    n = len(run.inputs)
    if options.kind == "hessian":
        program = gradient_program(program, n)
    push = forward_program(program, range(n))
    matrix = sparse_matrix(recipe, data)
    generator = np.random.default_rng(20241)
    scale = abs(matrix) @ np.ones(matrix.shape[1])
    for _ in range(probes):
        direction = generator.uniform(0.5, 1.5, sum(x.size for x in run.inputs)) * generator.choice([-1, 1])
        splits = np.cumsum([x.size for x in run.inputs])[:-1]
        tangents = [
            part.reshape(x.shape).astype(x.dtype)
            for part, x in zip(np.split(direction, splits), run.inputs, strict=True)
        ]
        exact = np.concatenate([np.ravel(t) for t in push(*inputs_of(recipe, run), *tangents)])
        found = matrix @ np.concatenate([np.ravel(t) for t in tangents])
        with np.errstate(invalid="ignore"):
            tolerance = np.sqrt(np.finfo(np.asarray(data).dtype).eps) * (scale + np.abs(exact))
            wrong = np.abs(found - exact) > tolerance
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise WrongPattern(
                f"{name}: the given pattern misses entries: row {row} times a random direction is {exact[row]:.6g}, "
                f"but {found[row]:.6g} with the pattern ({int(wrong.sum())} of {len(wrong)} rows differ)",
                why="colours that collide would put derivatives into wrong places without a sign of it",
                hint="leave out pattern=, which detects it; plan.pattern shows what it is",
            )


def plan_jacobian(
    function: Callable[..., Any],
    *args: Any,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    mode: str = "auto",
    order: str = "best",
    pattern: Any = None,
    verify: bool = True,
    max_bytes: int | None = None,
    **kwargs: Any,
) -> Plan:
    """Return the plan for a sparse Jacobian at arguments like these.

    f: x -> y   returns: a Plan; plan(x): (y.size, x.size) csr_array

    Parameters
    ----------
    function : callable
        Ordinary NumPy code. It runs once here. What it reads from outside is frozen into the plan.
    *args, **kwargs
        Its arguments.
    argnums : int or tuple of int
        Which positional arguments to differentiate by.
    mode : str
        "auto"; "structured", "forward" or "reverse" accumulation; compressed by "columns", "rows" or "both".
    order : str
        In which order colours are given: "natural", "largest-first", "smallest-last", "incidence-degree" or "best".
    pattern : sparse or dense array, optional
        Use this pattern instead of detecting one. With `verify`, it is probed with random directions first.
    verify : bool
    max_bytes : int, optional
        Most bytes that the seeds of one block may take on their way through the function; 256 MB if not given.

    Raises
    ------
    WrongPattern
        If the given pattern misses entries.
    ArgumentError
        If an option does not exist, or the wanted mode is not possible for this function.

    Notes
    -----
    Cost: a few evaluations of the function's structure; no evaluation of derivatives. Each call afterwards costs what
    `print(plan)` says.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> plan = wg.plan_jacobian(lambda x: x[1:] * x[:-1], np.ones(5))
    >>> plan.method, plan.nnz, plan.label
    ('structured accumulation, forward', 8, 'global')
    >>> plan(np.arange(5.0)).toarray()[3]
    array([0., 0., 0., 4., 3.])
    """
    options = Options("jacobian", mode, order, max_bytes or Options.max_bytes)
    return Plan(function, args, kwargs, options, argnums, has_aux, pattern, verify, "plan_jacobian")


def plan_hessian(
    function: Callable[..., Any],
    *args: Any,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    mode: str = "auto",
    order: str = "best",
    pattern: Any = None,
    verify: bool = True,
    max_bytes: int | None = None,
    **kwargs: Any,
) -> Plan:
    """Return the plan for a sparse Hessian at arguments like these.

    f: x -> ()   returns: a Plan; plan(x): (x.size, x.size) csr_array

    As `plan_jacobian`; `mode` may also be "star" (symmetric colouring, read directly) or "acyclic" (fewer colours, by
    substitution).

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> plan = wg.plan_hessian(lambda x: np.sum(x[1:] * x[:-1] ** 2), np.ones(4))
    >>> plan(np.ones(4)).toarray()[1]
    array([2., 2., 2., 0.])
    """
    options = Options("hessian", mode, order, max_bytes or Options.max_bytes)
    return Plan(function, args, kwargs, options, argnums, has_aux, pattern, verify, "plan_hessian")
