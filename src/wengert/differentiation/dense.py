"""Dense Jacobians of functions: `jacobian`, `jacfwd`, `jacrev`, `value_and_jacobian`.

Each is a small object holding the user's function, so that it pickles whenever the function does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, DtypeError, StructureError
from ..recording import Line, Traced
from .gradient import Derivative
from .jacobian import forward_jacobian, reverse_jacobian
from .layout import Layout, assemble, layout_of
from .memory import affordable, check_result
from .recorded import Recorded, check_argnums, enclosed

MODES = ("auto", "forward", "reverse")


def check_options(name: str, mode: str, chunk_size: Any) -> None:
    """Raise ArgumentError for a mode or chunk size that does not exist."""
    if mode not in MODES:
        raise ArgumentError(f"{name}: mode is 'auto', 'forward' or 'reverse', not {mode!r}")
    if chunk_size is not None and (isinstance(chunk_size, bool) or not isinstance(chunk_size, int) or chunk_size < 1):
        raise ArgumentError(f"{name}: chunk_size is a positive int or None, not {chunk_size!r}")


def dense_mode(mode: str) -> str:
    """Return the mode for a dense result where a sparse one could have been: "columns" and others do not matter then."""
    return mode if mode in MODES else "auto"


def check_sparse(name: str, sparse: Any, max_bytes: Any) -> None:
    """Raise ArgumentError for a `sparse` or `max_bytes` that does not exist."""
    if not (sparse is True or sparse is False or sparse == "auto"):
        raise ArgumentError(f"{name}: sparse is False, True or 'auto', not {sparse!r}")
    if max_bytes is not None and (isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 1):
        raise ArgumentError(f"{name}: max_bytes is a positive int or None, not {max_bytes!r}")


def wants_sparse(derivative: Any, args: Sequence[Any]) -> bool:
    """Whether to give a sparse result: with "auto" not where something around wants to go on with it."""
    if derivative.sparse != "auto":
        return derivative.sparse
    numbers, _ = check_argnums(derivative.argnums, len(args), derivative.name)
    return not enclosed(tree.flatten([args[i] for i in numbers])[0])


class MatrixDerivative(Derivative):
    """Base of the derivatives that are matrices, dense or sparse."""

    kind = "jacobian"

    def __init__(
        self,
        function: Callable[..., Any],
        argnums: int | tuple[int, ...] = 0,
        has_aux: bool = False,
        mode: str = "auto",
        chunk_size: int | None = None,
        as_matrix: bool = False,
        sparse: bool | str = False,
        max_bytes: int | None = None,
        name: str = "",
    ) -> None:
        self.name = name or self.name
        super().__init__(function, argnums, has_aux)
        check_sparse(self.name, sparse, max_bytes)
        check_options(self.name, mode if sparse is False else "auto", chunk_size)
        self.mode = mode
        self.chunk_size = chunk_size
        self.as_matrix = as_matrix
        self.sparse = sparse
        self.max_bytes = max_bytes
        if self.key:
            self.key += (mode, chunk_size, max_bytes, as_matrix, sparse)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the derivative at these arguments."""
        if self.sparse is not False or self.as_matrix:
            return self.evaluate(*args, **kwargs)
        return super().__call__(*args, **kwargs)

    def _sparse(self, args: tuple[Any, ...], kwargs: dict[str, Any], with_value: bool = False) -> Any:
        from ..sparse.jacobians import sparse_derivative  # this way up only when it is asked for

        return sparse_derivative(
            self.function,
            args,
            kwargs,
            argnums=self.argnums,
            has_aux=self.has_aux,
            sparse=self.sparse,
            mode=self.mode,
            max_bytes=self.max_bytes,
            as_matrix=self.as_matrix,
            kind=self.kind,
            name=self.name,
            with_value=with_value,
        )


class Jacobian(MatrixDerivative):
    """The Jacobian of a function; made by `jacobian`, `jacfwd` and `jacrev`."""

    name = "jacobian"

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Return the Jacobian at these arguments, by recording the function there."""
        if wants_sparse(self, args):
            return self._sparse(args, kwargs)
        recorded, single = self._record(args, kwargs)
        return self._with_aux(self._jacobian(recorded, single, args), recorded)

    def _jacobian(self, recorded: Recorded, single: bool, args: Sequence[Any]) -> Any:
        blocks = [
            [recorded.finish(block) for block in row]
            for row in jacobian_blocks(recorded, dense_mode(self.mode), self.chunk_size, self.name, self.max_bytes)
        ]
        if self.as_matrix:
            columns = input_layout(recorded, self.function, self.argnums, len(args))
            rows = layout_of(recorded.output_tree, [np.shape(out) for out in _shapes(recorded.outputs)])
            return assemble(blocks, rows, columns)
        return tree.unflatten(recorded.output_tree, [self._structured(recorded, single, row) for row in blocks])


class ValueAndJacobian(Jacobian):
    """Value and dense Jacobian from one evaluation; made by `value_and_jacobian`."""

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Return the value and the Jacobian at these arguments, by recording the function there."""
        if wants_sparse(self, args):
            return self._sparse(args, kwargs, with_value=True)
        recorded, single = self._record(args, kwargs)
        jacobian = self._jacobian(recorded, single, args)
        value = recorded.value()
        return ((value, recorded.aux) if self.has_aux else value), jacobian


def _shapes(outputs: Sequence[Any]) -> list[Any]:
    return [np.empty(out.shape, bool) if isinstance(out, Traced) else out for out in outputs]  # type: ignore[attr-defined]


def input_layout(recorded: Recorded, function: Any, argnums: Any, count: int) -> Layout:
    """Return the layout of the differentiated arguments; several are named as in the function's signature."""
    numbers, single = check_argnums(argnums, count, "layout")
    shapes = [line.shape for line in recorded.inputs]
    if single:
        return layout_of(recorded.input_tree.children[0], shapes)
    return layout_of(recorded.input_tree, shapes, [_argument_name(function, n) for n in numbers])


def _argument_name(function: Any, number: int) -> Any:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return number
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return positional[number] if number < len(positional) else number


def jacobian_blocks(
    recorded: Recorded,
    mode: str = "auto",
    chunk: int | None = None,
    name: str = "jacobian",
    max_bytes: int | None = None,
) -> list[list[Any]]:
    """Return the Jacobian block of every output by every input, zeros where there is no path."""
    if not recorded.outputs:
        raise StructureError(
            f"{name}: the function returned nothing to differentiate", hint="return an array, or a structure of arrays"
        )
    rows = []
    active = set(recorded.lines)
    for out in recorded.outputs:
        check_differentiable_output(out, name)
        line = out._line if isinstance(out, Traced) else None
        sources = recorded.inputs
        if line is None or line not in active:
            shape = out.shape if isinstance(out, Traced) else np.shape(out)  # type: ignore[attr-defined]
            rows.append([np.zeros(shape + source.shape, source.dtype) for source in sources])
            continue
        forward = _pushes_forward(mode, line, sources)
        for source in sources:
            check_result(
                name,
                line.shape + source.shape,
                line.dtype if forward else source.dtype,
                max_bytes,
                "sparse=True if most of it is zero; wengert.jacobian_blocks to write it to a file; wengert.jvp or wengert.vjp "
                "for products without the matrix",
            )
        if chunk is None and max_bytes is not None:
            count = sum(source.size for source in sources) if forward else line.size
            chunk = affordable(recorded.lines, count, max_bytes)
        if forward:
            blocks = [
                forward_jacobian(recorded.lines, [line], source, recorded.wrapper, chunk)[0] for source in sources
            ]
        else:
            blocks = reverse_jacobian(recorded.lines, line, sources, recorded.wrapper, chunk)
        rows.append(
            [
                np.zeros(line.shape + source.shape, source.dtype) if block is None else block
                for block, source in zip(blocks, sources, strict=True)
            ]
        )
    return rows


def check_differentiable_output(out: Any, name: str) -> None:
    """Raise DtypeError for a result that has no derivative, rather than return zeros for it."""
    dtype = out.dtype if isinstance(out, Traced) else np.asarray(out).dtype  # type: ignore[attr-defined]
    if dtype.kind not in "fc":
        raise DtypeError(
            f"{name}: the function returned {dtype}, which has no derivative",
            why="zeros would look like an answer",
            hint="return floating numbers, or the rest as auxiliary data with has_aux=True",
        )


def _pushes_forward(mode: str, target: Line, sources: Sequence[Line]) -> bool:
    # Complex numbers have one right mode each: a complex result has a directional derivative (the derivative, if
    # the function is holomorphic), a real result of complex arguments has a direction of steepest ascent.
    if target.dtype.kind == "c":
        return True
    if any(source.dtype.kind == "c" for source in sources):
        return False
    if mode == "auto":
        return sum(source.size for source in sources) < target.size
    return mode == "forward"


def jacobian(
    function: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    mode: str = "auto",
    chunk_size: int | None = None,
    as_matrix: bool = False,
    sparse: bool | str = False,
    max_bytes: int | None = None,
) -> Jacobian:
    """Return the function that computes the Jacobian, dense or sparse.

    f: x -> y   returns: y.shape + x.shape, or with `sparse`: (y.size, x.size) csr_array

    Parameters
    ----------
    function : callable
        Ordinary NumPy code. It runs at most once per call. Structures in and out give nested blocks `J[out][in]`.
    argnums : int or tuple of int
        Which positional arguments to differentiate by; negative ones count from the end. A tuple gives tuples.
    has_aux : bool
        If true the function returns `(value, aux)`, and the result is `(jacobian, aux)`.
    mode : {"auto", "forward", "reverse"}
        `auto` picks by the shapes. A complex result is always differentiated forward (along the real direction,
        which is the derivative of a holomorphic function), a real result of complex arguments in reverse.
    chunk_size : int, optional
        How many rows (reverse) or columns (forward) are pushed at once; bounds memory, never changes the result.
    as_matrix : bool
        If true the result is one matrix over all outputs and arguments, with labels: `J["y", "p"]`
        (`LabelledMatrix`). Several arguments are named as in the function's signature.
    sparse : bool or "auto"
        If true the result is a `scipy.sparse.csr_array` (nested ones for structures): the pattern is found from the
        operations, never from values, and the entries are computed without pushing an identity matrix through. `mode`
        may then also be "structured", "columns", "rows" or "both" (see `plan_jacobian`). "auto" gives a sparse result
        where it is large and mostly zero, else a dense one; inside of another derivative, `jit` or `vmap` a dense one.
    max_bytes : int, optional
        Most bytes for the dense result, and for the seeds of one block; memory and 128 MB if not given.

    Raises
    ------
    ArgumentError, StructureError
        If an option does not exist, or `argnums` does not name arguments.
    TooLarge
        If the dense result cannot be held; nothing was computed then.
    DtypeError
        If the function returns integers or booleans, or an argument is neither a number nor an array of numbers.

    Notes
    -----
    Cost: an elementwise function needs one pass; otherwise min(n, m) seeds go through the lines in one batched
    pass. Memory: about the number of seeds at once times that of the function's intermediates.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.jacobian(lambda x: np.stack([x[0] * x[1], x[0] - x[1]]))(np.array([2.0, 3.0]))
    array([[ 3.,  2.],
           [ 1., -1.]])
    """
    return Jacobian(function, argnums, has_aux, mode, chunk_size, as_matrix, sparse, max_bytes)


def jacfwd(
    function: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    as_matrix: bool = False,
) -> Jacobian:
    """Return the function that computes the dense Jacobian in forward mode: one column per input number.

    f: x -> y   returns: y.shape + x.shape

    The same as `jacobian` with `mode="forward"`. Cost: as many directional derivatives as there are inputs, batched.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.jacfwd(lambda t: np.stack([np.cos(t), np.sin(t)]))(np.pi).round(12)
    array([-0., -1.])
    """
    return Jacobian(function, argnums, has_aux, "forward", chunk_size, as_matrix, name="jacfwd")


def jacrev(
    function: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    as_matrix: bool = False,
) -> Jacobian:
    """Return the function that computes the dense Jacobian in reverse mode: one row per output number.

    f: x -> y   returns: y.shape + x.shape

    The same as `jacobian` with `mode="reverse"`. Cost: as many pullbacks as there are outputs, batched.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.jacrev(lambda x: np.sum(x**2))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    return Jacobian(function, argnums, has_aux, "reverse", chunk_size, as_matrix, name="jacrev")


def value_and_jacobian(
    function: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    mode: str = "auto",
    chunk_size: int | None = None,
    as_matrix: bool = False,
    sparse: bool | str = False,
    max_bytes: int | None = None,
) -> ValueAndJacobian:
    """Return the function that computes value and dense Jacobian from one evaluation.

    f: x -> y   returns: (y, jacobian), or ((y, aux), jacobian) with `has_aux`

    See `jacobian` for the parameters and what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> value, J = wg.value_and_jacobian(lambda x: x**2)(np.array([1.0, 3.0]))
    >>> value, J
    (array([1., 9.]), array([[2., 0.],
           [0., 6.]]))
    """
    return ValueAndJacobian(
        function, argnums, has_aux, mode, chunk_size, as_matrix, sparse, max_bytes, "value_and_jacobian"
    )
