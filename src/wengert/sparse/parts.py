"""Parts of a Jacobian as operators of their own: its diagonal, its diagonal blocks, one block per sample of a batch.

That samples or blocks are independent is proved from the pattern, never assumed: the derivative of one sample's result
by another sample must be structurally zero. The proof looks at which samples each element depends on, not at which
elements, so it costs about one evaluation.

Inside of another derivative, a tape, `jit` or `vmap` the same numbers are computed from recorded lines, with the same
proof, so that what is around can go on with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from .. import tree
from ..differentiation.dense import check_differentiable_output, jacobian_blocks
from ..differentiation.gradient import Derivative
from ..differentiation.linear_map import push_block
from ..differentiation.memory import check_result
from ..differentiation.recorded import Recorded, check_argnums, enclosed
from ..errors import ArgumentError, CoupledRows, ShapeError
from ..tensor import Tensor
from ..transforms.derive import forward_program, reverse_program
from ..transforms.simplify import simplify
from .compressed import Pass
from .cost import pass_cost, program_cost
from .decide import Choice, Options, Recipe
from .evaluate import Known, part_of
from .from_lines import dependence_of_lines
from .inline import written_out
from .jacobians import record
from .pattern import Rows, dependence
from .plans import plans
from .record import Run


class _Part(Derivative):
    """Base: record once, check the shapes, compute the part."""

    def __init__(
        self, function: Callable[..., Any], argnums: int = 0, has_aux: bool = False, max_bytes: int | None = None
    ) -> None:
        super().__init__(function, argnums, has_aux)
        if not isinstance(argnums, int) or isinstance(argnums, bool):
            raise ArgumentError(f"{self.name}: argnums names one argument, not {argnums!r}")
        self.max_bytes = max_bytes or Options.max_bytes

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Run:
        run = record(self.function, args, kwargs, self.argnums, self.has_aux, self.name)
        self._check_single(len(run.inputs), len(run.outputs))
        return run

    def _enclosed(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Recorded | None:
        """Return the recorded function if something around wants to go on with the result, else None."""
        numbers, _ = check_argnums(self.argnums, len(args), self.name)
        if not enclosed(tree.flatten([args[i] for i in numbers])[0]):
            return None
        recorded = Recorded(self.function, args, kwargs, numbers, self.has_aux, self.name, keep_graph=True)
        self._check_single(len(recorded.inputs), len(recorded.outputs))
        check_differentiable_output(recorded.outputs[0], self.name)
        return recorded

    def _check_single(self, inputs: int, outputs: int) -> None:
        if inputs != 1 or outputs != 1:
            raise ShapeError(
                f"{self.name}: one array in and one array out are needed, not {inputs} and {outputs}",
                hint="wengert.jacobian, which takes nested structures",
            )

    def _done(self, result: Any, run: Any) -> Any:
        return (result, run.aux) if self.has_aux else result


class JacobianDiagonal(_Part):
    """The diagonal of a square Jacobian; made by `jacobian_diagonal`."""

    name = "jacobian_diagonal"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        recorded = self._enclosed(args, kwargs)
        run = self._run(args, kwargs) if recorded is None else recorded
        (x,), (y,) = run.inputs, run.outputs
        if x.size != y.size:
            raise ShapeError(
                f"{self.name}: the Jacobian is {y.size} x {x.size}, so it has no diagonal of one entry per input",
                hint="a function whose result has as many numbers as its argument",
            )
        if recorded is not None:
            ((block,),) = jacobian_blocks(recorded, name=self.name)
            flat = np.reshape(block, (x.size**2,))[:: x.size + 1]
            return self._done(recorded.finish(np.reshape(flat, x.shape)), recorded)
        assert isinstance(run, Run)
        recipe, data = plans.evaluate(run, Options("jacobian", "auto", "best", self.max_bytes, "diagonal"))
        result = np.zeros(x.size, data.dtype)
        result[recipe.indices] = data
        return self._done(result.reshape(x.shape), run)


def hessian_diagonal(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    argnums: int | tuple[int, ...],
    has_aux: bool,
    name: str,
) -> tuple[Any, Any]:
    """Return the diagonal of a scalar function's Hessian, in the structure of the arguments, and the auxiliary data."""
    run = record(function, args, kwargs, argnums, has_aux, name, "hessian")
    recipe, data = plans.evaluate(run, Options("hessian", part="diagonal"))
    flat = np.zeros(recipe.shape[0], data.dtype)
    flat[recipe.indices] = data
    splits = np.cumsum([x.size for x in run.inputs])[:-1]
    leaves = [part.reshape(x.shape) for part, x in zip(np.split(flat, splits), run.inputs, strict=True)]
    parts = tree.unflatten(run.input_tree, leaves)
    return (parts[0] if run.single else tuple(parts)), run.aux


class _Blocks(_Part):
    """Base of what computes equally sized diagonal blocks."""

    check: bool = True

    def _blocks(self, run: Run | Recorded, count: int, height: int, width: int, what: str) -> Any:
        """Return the diagonal blocks, shape (count, height, width)."""
        if isinstance(run, Recorded):
            return run.finish(self._blocks_of_lines(run, count, height, width, what))
        (x,), (y,) = run.inputs, run.outputs
        dtype = np.result_type(y.dtype if y.dtype.kind == "c" else x.dtype, y.dtype)
        check_result(
            self.name, (count, height, width), dtype, None, "fewer samples at a time, or wengert.vjp and wengert.jvp"
        )
        if count * height * width == 0:
            return np.zeros((count, height, width), dtype)
        part = f"{what}s of {height} x {width}{', proved' if self.check else ''}"
        options = Options("jacobian", "auto", "best", self.max_bytes, part)

        def make(run: Run, options: Options, dynamic: list[int], baked: dict[int, Any]) -> Recipe:
            return self._make(run, dynamic, baked, (count, height, width), what)

        return plans.evaluate(run, options, make)[1]

    def _blocks_of_lines(self, recorded: Recorded, count: int, height: int, width: int, what: str) -> Any:
        """Return the diagonal blocks, shape (count, height, width), from recorded lines, as something to go on with."""
        lines, (source,) = recorded.lines, recorded.inputs
        out = recorded.outputs[0]
        if not recorded.connected(out):
            return np.zeros((count, height, width), source.dtype)
        target = out._line
        if self.check and count > 1:
            groups = np.repeat(np.arange(count), width).reshape(source.shape)
            self._prove(dependence_of_lines(lines, target, source, groups), height, what)
        backward = target.dtype.kind != "c"
        start, end, size = (target, source, height) if backward else (source, target, width)
        seeds = np.tile(np.eye(size, dtype=start.dtype), count).reshape((size, *start.shape))
        (found,) = push_block(lines, [start], [end], [seeds], Tensor, reverse=backward)
        if backward:
            return np.moveaxis(np.reshape(found, (height, count, width)), 0, 1)
        return np.moveaxis(np.reshape(found, (width, count, height)), 0, 2)

    def _make(
        self, run: Run, dynamic: list[int], baked: dict[int, Any], shape: tuple[int, int, int], what: str
    ) -> Recipe:
        """Prove that the blocks are independent, and choose the direction."""
        count, height, width = shape
        (x,), (y,) = run.inputs, run.outputs
        point = [x, *(run.captures[i] for i in dynamic)]
        program = written_out(run.program(dynamic))
        forward = simplify(forward_program(program, [0]))
        known = Known(forward, point)
        indexed: list[int] = []
        if self.check and count > 1:
            groups = np.repeat(np.arange(count), width).reshape(x.shape)
            (rows,), indexed = dependence(forward, len(point), known, [groups])
            self._prove(rows, height, what)
        reverse = simplify(reverse_program(program, [0]))
        complex_out, complex_in = y.dtype.kind == "c", x.dtype.kind == "c"
        cost = (pass_cost(forward, len(point), width), pass_cost(reverse, len(point), height))
        # Unchecked, what samples have to do with each other is summed as a tape sums it: over those of the result.
        backward = not complex_out and (complex_in or not self.check or cost[1] <= cost[0])
        colours = np.tile(np.arange(height if backward else width), count)
        one = Pass(reverse if backward else forward, len(point), colours, self.max_bytes)
        name = f"{one.count} {'reverse' if backward else 'forward'} passes over all {what}s"
        recipe = Recipe(
            name,
            BlockPass(one, shape, backward),
            (y.size, x.size),
            np.zeros(1, np.int32),
            np.zeros(0, np.int32),
            y.dtype,
            dynamic,
            baked,
            [Choice(name, cost[backward])],
            program_cost(program),
            run.reads > 0,
        )
        if indexed:
            recipe.guard_program = part_of(forward, len(point), indexed)
            recipe.guards = [np.asarray(known(number)) for number in indexed]
        return recipe

    def _prove(self, rows: Rows, height: int, what: str) -> None:
        """Raise CoupledRows unless element i depends on group i // height only."""
        if rows.shared is not None:
            if len(rows.shared) == 0:
                return
            first = int(rows.shared[rows.shared != 0][0]) if (rows.shared != 0).any() else 0
            here = 0 if first != 0 else 1
        else:
            matrix = rows.matrix
            mine = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)) // height
            wrong = np.flatnonzero(matrix.indices != mine)
            if not len(wrong):
                return
            here, first = int(mine[wrong[0]]), int(matrix.indices[wrong[0]])
        raise CoupledRows(
            f"{self.name}: {what} {here} of the result depends on {what} {first} of the argument",
            why=f"the {what}s have to be independent for one small Jacobian each",
            hint=f"wengert.jacobian(f, sparse=True) for the whole, or check=False for the sum over {what}s, as a tape "
            "gives it",
        )


class BlockPass:
    """The diagonal blocks from one pass: seed k is unit vector k in every block at once."""

    def __init__(self, one: Pass, shape: tuple[int, int, int], backward: bool) -> None:
        self.one = one
        self.shape = shape
        self.backward = backward

    @property
    def nbytes(self) -> int:
        """Bytes of the static arrays."""
        return self.one.colours.nbytes

    def values(self, inputs: Sequence[Any]) -> np.ndarray:
        """Return the blocks, shape (count, height, width)."""
        count, height, width = self.shape
        found = self.one.run(inputs)
        if self.backward:  # (height, count * width)
            return np.ascontiguousarray(np.moveaxis(found.reshape(height, count, width), 0, 1))
        return np.ascontiguousarray(np.moveaxis(found.reshape(width, count, height), 0, 2))


class BatchJacobian(_Blocks):
    """One Jacobian per sample; made by `batch_jacobian`."""

    name = "batch_jacobian"

    def __init__(self, function: Callable[..., Any], argnums: int, has_aux: bool, check: bool, max_bytes: Any) -> None:
        super().__init__(function, argnums, has_aux, max_bytes)
        self.check = check

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        recorded = self._enclosed(args, kwargs)
        run = self._run(args, kwargs) if recorded is None else recorded
        (x,), (y,) = run.inputs, run.outputs
        if x.ndim == 0 or y.ndim == 0 or x.shape[0] != y.shape[0]:
            raise ShapeError(
                f"{self.name}: argument {x.shape} and result {y.shape} need the same first axis, that of the samples"
            )
        found = self._blocks(run, x.shape[0], prod(y.shape[1:]), prod(x.shape[1:]), "sample")
        return self._done(np.reshape(found, (*y.shape, *x.shape[1:])), run)


class BlockJacobian(_Blocks):
    """The diagonal blocks of a block diagonal Jacobian; made by `block_jacobian`."""

    name = "block_jacobian"

    def __init__(
        self,
        function: Callable[..., Any],
        block: Sequence[int],
        argnums: int,
        has_aux: bool,
        check: bool,
        max_bytes: Any,
    ) -> None:
        super().__init__(function, argnums, has_aux, max_bytes)
        if len(tuple(block)) != 2 or any(not isinstance(n, int) or n < 1 for n in block):
            raise ArgumentError(f"{self.name}: block is a pair of positive ints (rows, columns), not {block!r}")
        self.block = tuple(block)
        self.check = check

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        recorded = self._enclosed(args, kwargs)
        run = self._run(args, kwargs) if recorded is None else recorded
        (x,), (y,) = run.inputs, run.outputs
        height, width = self.block
        if y.size % height or x.size % width or y.size // height != x.size // width:
            raise ShapeError(
                f"{self.name}: a {y.size} x {x.size} Jacobian does not consist of {height} x {width} diagonal blocks",
                hint=f"block=(rows, columns) with {y.size} / rows == {x.size} / columns",
            )
        return self._done(self._blocks(run, y.size // height, height, width, "block"), run)


def jacobian_diagonal(
    function: Callable[..., Any], argnums: int = 0, *, has_aux: bool = False, max_bytes: int | None = None
) -> JacobianDiagonal:
    """Return the function that computes the diagonal of a square Jacobian.

    f: x -> y with y.size == x.size   returns: x.shape

    Parameters
    ----------
    function : callable
        Ordinary NumPy code. It runs once per call.
    argnums : int
        Which positional argument to differentiate by.
    has_aux : bool
        If true the function returns `(value, aux)`, and the result is `(diagonal, aux)`.
    max_bytes : int, optional
        Most bytes that the seeds of one block may take; 256 MB if not given.

    Raises
    ------
    ShapeError
        If the Jacobian is not square.

    Notes
    -----
    Cost: structured accumulation keeps diagonal terms only. Where that is not possible, columns are coloured so that
    only what would fall onto the diagonal is kept apart: fewer passes than the Jacobian needs.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.jacobian_diagonal(lambda x: x**2 + np.roll(x, 1))(np.array([1.0, 2.0, 3.0]))
    array([2., 4., 6.])
    """
    return JacobianDiagonal(function, argnums, has_aux, max_bytes)


def batch_jacobian(
    function: Callable[..., Any],
    argnums: int = 0,
    *,
    has_aux: bool = False,
    check: bool = True,
    max_bytes: int | None = None,
) -> BatchJacobian:
    """Return the function that computes one Jacobian per sample, and proves that samples are independent.

    f: (b, *x) -> (b, *y)   returns: (b, *y, *x)

    Parameters
    ----------
    function : callable
        Ordinary NumPy code on a batch of samples along the first axis.
    argnums : int
        Which positional argument to differentiate by.
    has_aux : bool
        If true the function returns `(value, aux)`, and the result is `(jacobians, aux)`.
    check : bool
        If false, nothing is proved, and what samples have to do with each other is summed up, as
        `GradientTape.batch_jacobian` does.
    max_bytes : int, optional
        Most bytes that the seeds of one block may take; 256 MB if not given.

    Raises
    ------
    CoupledRows
        If a sample of the result depends on another sample; the message names the first pair.
    ShapeError
        If argument and result do not have the same first axis.

    Notes
    -----
    Cost: min(x.size, y.size) of one sample in passes over the whole batch; the proof costs about one evaluation.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.batch_jacobian(lambda x: x[:, :1] * x[:, 1:])(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[[2., 1.]],
           [[4., 3.]]])
    """
    return BatchJacobian(function, argnums, has_aux, check, max_bytes)


def block_jacobian(
    function: Callable[..., Any],
    block: Sequence[int],
    argnums: int = 0,
    *,
    has_aux: bool = False,
    check: bool = True,
    max_bytes: int | None = None,
) -> BlockJacobian:
    """Return the function that computes the blocks of a block diagonal Jacobian, and proves that it is one.

    f: x -> y   returns: (number of blocks, rows, columns) for `block=(rows, columns)`

    Parameters
    ----------
    function : callable
    block : pair of int
        Rows and columns of one block, of results and arguments flattened.
    argnums, has_aux, check, max_bytes
        As for `batch_jacobian`.

    Raises
    ------
    CoupledRows
        If there is an entry outside of the blocks; the message names the first pair.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> f = lambda x: x * np.flip(x.reshape(-1, 2), 1).ravel()
    >>> wg.block_jacobian(f, (2, 2))(np.array([1.0, 2.0, 3.0, 4.0]))[1]
    array([[4., 3.],
           [4., 3.]])
    """
    return BlockJacobian(function, block, argnums, has_aux, check, max_bytes)


__all__ = ["batch_jacobian", "block_jacobian", "jacobian_diagonal"]
