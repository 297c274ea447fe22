"""Second derivatives of functions: `hessian`, `value_grad_and_hessian`, `hessian_diag`, `laplacian`.

Each records the gradient's computation, which contains the function's own, and differentiates that: the function
runs once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ShapeError, TraceLost, UnsupportedFunction
from ..primitives.indexing import concatenate
from ..recording import Line, Traced, depends
from ..transforms.reverse import backpropagate
from .dense import MatrixDerivative, dense_mode, input_layout, jacobian_blocks, wants_sparse
from .gradient import scalar_output
from .jacobian import is_elementwise, unit_seeds
from .layout import assemble
from .linear_map import push_block
from .recorded import Recorded, check_argnums, enclosed


class FirstDerivative:
    """The gradient as a flat list of blocks, with what else one evaluation gives as auxiliary data.

    Of a function with several output numbers it is the Jacobian, one block per output and input.
    """

    def __init__(
        self, function: Callable[..., Any], argnums: tuple[int, ...], has_aux: bool, name: str, scalar: bool
    ) -> None:
        self.function = function
        self.argnums = argnums
        self.has_aux = has_aux
        self.name = name
        self.scalar = scalar

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the blocks of the first derivative."""
        recorded = Recorded(self.function, args, kwargs, self.argnums, self.has_aux, self.name)
        only = recorded.outputs[0] if recorded.output_tree.is_leaf else None
        if self.scalar or (only is not None and np.shape(_shape_only(only)) == ()):
            scalar_output(recorded, self.name)
            blocks = [recorded.gradient()]
        else:
            blocks = jacobian_blocks(recorded, "reverse", None, self.name)
        flat = [block for row in blocks for block in row]
        self.output_tree = recorded.output_tree
        return flat, (recorded.value(), flat, recorded.aux, self)


def _shape_only(out: Any) -> Any:
    return np.empty(out.shape, bool) if isinstance(out, Traced) else out  # type: ignore[attr-defined]


class SecondDerivative(MatrixDerivative):
    """Base of what starts from the recorded gradient."""

    kind = "hessian"

    def _record_gradient(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], scalar: bool = True
    ) -> tuple[Recorded, bool]:
        numbers, single = check_argnums(self.argnums, len(args), self.name)
        gradient = FirstDerivative(self.function, numbers, self.has_aux, self.name, scalar)
        return Recorded(gradient, args, kwargs, numbers, True, self.name), single


class Hessian(SecondDerivative):
    """The Hessian of a scalar function; made by `hessian`."""

    name = "hessian"

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Return the Hessian at these arguments, by recording the function there."""
        if wants_sparse(self, args):
            return self._sparse(args, kwargs)
        recorded, single = self._record_gradient(args, kwargs, scalar=False)
        hessian = self._hessian(recorded, single, args)
        return (hessian, recorded.aux[2]) if self.has_aux else hessian

    def _hessian(self, recorded: Recorded, single: bool, args: Sequence[Any]) -> Any:
        # Forward over reverse is the quicker pass of the two: nothing has to be accumulated.
        mode = "forward" if dense_mode(self.mode) == "auto" else self.mode
        blocks = [
            [recorded.finish(block) for block in row]
            for row in jacobian_blocks(recorded, mode, self.chunk_size, self.name, self.max_bytes)
        ]
        count = len(recorded.inputs)
        outputs: tree.Tree = recorded.aux[3].output_tree
        if self.as_matrix:
            if len(blocks) != count or blocks[0][0].shape != 2 * recorded.inputs[0].shape:
                raise ShapeError(
                    f"{self.name}: as_matrix needs a function with one output number",
                    why="the Hessian of several is not one matrix",
                    hint="wengert.jacobian(wengert.jacobian(f)), or one output at a time",
                )
            layout = input_layout(recorded, self.function, self.argnums, len(args))
            return assemble(blocks, layout, layout)
        by_output = []
        for start in range(0, len(blocks), count):
            rows = [self._structured(recorded, single, row) for row in blocks[start : start + count]]
            by_output.append(self._structured(recorded, single, rows))
        return tree.unflatten(outputs, by_output)


class ValueGradAndHessian(Hessian):
    """Value, gradient and Hessian from one evaluation; made by `value_grad_and_hessian`."""

    name = "value_grad_and_hessian"

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Return value, gradient and Hessian at these arguments, by recording the function there."""
        if wants_sparse(self, args):
            return self._sparse(args, kwargs, with_value=True)
        recorded, single = self._record_gradient(args, kwargs)
        hessian = self._hessian(recorded, single, args)
        value, gradient, aux, _ = recorded.aux
        return ((value, aux) if self.has_aux else value), self._structured(recorded, single, gradient), hessian


class HessianDiag(SecondDerivative):
    """The diagonal of the Hessian; made by `hessian_diag`."""

    name = "hessian_diag"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the derivative at these arguments."""
        if sum(np.size(leaf) for leaf in tree.flatten(args)[0]) > BLOCK:  # by its structure, see `_planned`
            return self.evaluate(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Return the diagonal of the Hessian at these arguments, by recording the function there."""
        planned = self._planned(args, kwargs)
        if planned is not None:
            diagonal, aux = planned
            return (diagonal, aux) if self.has_aux else diagonal
        recorded, single = self._record_gradient(args, kwargs)
        result = self._structured(recorded, single, [recorded.finish(d) for d in self._diagonals(recorded)])
        return (result, recorded.aux[2]) if self.has_aux else result

    def _planned(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return (diagonal, aux) by its structure if the arguments are large arrays that nobody tracks, else None."""
        if self.chunk_size is not None or enclosed(()):
            return None
        numbers, _ = check_argnums(self.argnums, len(args), self.name)
        leaves, _ = tree.flatten([args[i] for i in numbers])
        if not all(isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" for leaf in leaves):
            return None
        if sum(leaf.size for leaf in leaves) <= BLOCK:
            return None
        from ..sparse.parts import hessian_diagonal  # this way up only where it pays

        try:
            return hessian_diagonal(self.function, args, kwargs, self.argnums, self.has_aux, self.name)
        except (TraceLost, UnsupportedFunction):  # the recorded way may do, or say it better
            return None

    def _diagonals(self, recorded: Recorded) -> list[Any]:
        active = set(recorded.lines)
        found = []
        for out, source in zip(recorded.outputs, recorded.inputs, strict=True):
            target = out._line if isinstance(out, Traced) else None
            if target is None or target not in active:
                found.append(np.zeros(source.shape, source.dtype))
            else:
                found.append(_diagonal(recorded, target, source, self.chunk_size))
        return found


class Laplacian(HessianDiag):
    """The trace of the Hessian; made by `laplacian`."""

    name = "laplacian"

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Return the Laplacian at these arguments, by recording the function there."""
        planned = self._planned(args, kwargs)
        if planned is not None:
            diagonal, aux = planned
            trace = np.asarray(sum(np.sum(leaf) for leaf in tree.flatten(diagonal)[0]))[()]
            return (trace, aux) if self.has_aux else trace
        recorded, _ = self._record_gradient(args, kwargs)
        total: Any = None
        for diagonal in self._diagonals(recorded):
            part = np.sum(diagonal)
            total = part if total is None else total + part
        result = recorded.finish(total)
        return (result, recorded.aux[2]) if self.has_aux else result


# How many directions are pushed at once if the caller does not say: bounds memory at little cost in time.
BLOCK = 128


def _diagonal(recorded: Recorded, target: Line, source: Line, chunk: int | None) -> Any:
    path = depends([target], [source], set(recorded.lines).__contains__)
    if target not in path:
        return np.zeros(source.shape, source.dtype)
    if is_elementwise(path, target, source):
        ones = np.ones(target.shape, target.dtype)
        reached = backpropagate(path, {target: ones}, [source], recorded.wrapper)
        return reached.get(source, np.zeros(source.shape, source.dtype))
    count = source.size
    if count == 0:
        return np.zeros(source.shape, source.dtype)
    step = chunk or min(count, BLOCK)
    parts = []
    for start in range(0, count, step):
        stop = min(start + step, count)
        seeds = unit_seeds(source, start, stop)
        (pushed,) = push_block(path, [source], [target], [seeds], recorded.wrapper, reverse=False)
        parts.append(np.reshape(pushed, (stop - start, count))[np.arange(stop - start), np.arange(start, stop)])
    return np.reshape(parts[0] if len(parts) == 1 else concatenate(*parts, axis=0), source.shape)


def hessian(
    function: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    mode: str = "auto",
    chunk_size: int | None = None,
    as_matrix: bool = False,
    sparse: bool | str = False,
    max_bytes: int | None = None,
) -> Hessian:
    """Return the function that computes the Hessian, dense or sparse.

    f: x -> y   returns: y.shape + x.shape + x.shape (y is usually one number), or with `sparse`: (n, n) csr_array

    Parameters
    ----------
    function : callable
        Ordinary NumPy code. It runs at most once per call. Structured arguments give nested blocks `H[i][j]`, structured
        results `H[out][i][j]`.
    argnums : int or tuple of int
        Which positional arguments; a tuple gives a tuple of tuples.
    has_aux : bool
        If true the function returns `(value, aux)`, and the result is `(hessian, aux)`.
    mode : {"auto", "forward", "reverse"}
        The outer mode; the inner one is reverse. `auto` is forward.
    chunk_size : int, optional
        How many columns are pushed at once; bounds memory, never changes the result.
    as_matrix : bool
        If true the result is one symmetric matrix over all arguments, with labels: `H["a", "b"]`. Only for a
        function that returns one number.
    sparse : bool or "auto"
        If true the result is a `scipy.sparse.csr_array`; as for `jacobian`, for a function that returns one number.
        `mode` may then also be "star" or "acyclic" (see `plan_hessian`).
    max_bytes : int, optional
        Most bytes for the dense result, and for the seeds of one block; memory and 128 MB if not given.

    Raises
    ------
    TooLarge
        If the dense result cannot be held; nothing was computed then.
    DtypeError
        If the function returns integers, or one complex number.

    Notes
    -----
    Cost: one gradient (or Jacobian) and n directional derivatives of it in one batched pass; one pass in all where the
    gradient is elementwise.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return Hessian(function, argnums, has_aux, mode, chunk_size, as_matrix, sparse, max_bytes)


def value_grad_and_hessian(
    function: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    mode: str = "auto",
    chunk_size: int | None = None,
    as_matrix: bool = False,
    sparse: bool | str = False,
    max_bytes: int | None = None,
) -> ValueGradAndHessian:
    """Return the function that computes value, gradient and Hessian from one evaluation.

    f: x -> ()   returns: (value, gradient, hessian), or ((value, aux), gradient, hessian) with `has_aux`

    See `hessian` for the parameters. Raises ShapeError, StructureError or DtypeError if the function does not return
    one real number.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> value, gradient, H = wg.value_grad_and_hessian(lambda x: x**3)(2.0)
    >>> float(value), float(gradient), float(H)
    (8.0, 12.0, 12.0)
    """
    return ValueGradAndHessian(function, argnums, has_aux, mode, chunk_size, as_matrix, sparse, max_bytes)


def hessian_diag(
    function: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> HessianDiag:
    """Return the function that computes the diagonal of the Hessian of a scalar function.

    f: x -> ()   returns: x.shape

    Parameters are those of `hessian`, errors those of `grad`. Cost: one pass where the gradient is elementwise. Else,
    for arrays of more than 128 numbers, structured accumulation of the diagonal alone, or as many passes as a colouring
    for the diagonal needs; `chunk_size` asks for blocks of columns of the Hessian instead.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.hessian_diag(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([ 6., 12.])
    """
    return HessianDiag(function, argnums, has_aux, "auto", chunk_size)


def laplacian(
    function: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Laplacian:
    """Return the function that computes the Laplacian, the sum of all unmixed second derivatives.

    f: x -> ()   returns: ()

    Parameters, errors and cost are those of `hessian_diag`.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> float(wg.laplacian(lambda x: np.sum(x**2) ** 2)(np.array([1.0, 0.0])))
    16.0
    """
    return Laplacian(function, argnums, has_aux, "auto", chunk_size)
