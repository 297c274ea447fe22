"""PyTorch's products of matrices and vectors, with its checks of how many axes each operand has."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import GraphShapeError, user_line
from ...primitives.contraction import matmul as _matmul
from ...recording import Traced
from . import dtypes
from . import elementwise as f
from .naming import fits, name_result, node
from .operators import align, as_tensor, misfit
from .tensor import Tensor

_NODES = {(1, 1): "Dot", (2, 1): "Mv", (2, 2): "Mm", (3, 3): "Bmm"}


def _operands(*operands: Any) -> list[Any]:
    made = [as_tensor(x) for x in operands]
    wanted = dtypes.result_dtype(*made)
    return [dtypes.cast(x, wanted) for x in made]


def matmul(input: Any, other: Any) -> Any:
    """Multiply as `@` does: matrices in the last two axes, others broadcast.

    Raises GraphShapeError if the shapes do not fit.
    """
    x, y = align(as_tensor(input), as_tensor(other))
    _check(x, y, "matmul")
    try:
        result = _matmul(x, y)
    except ValueError as error:
        raise misfit("matmul", error, x, y) from None
    name_result(result, f"{_NODES.get((x.ndim, y.ndim), 'UnsafeView')}Backward0", (x, y))
    return result


def _check(x: Any, y: Any, name: str) -> None:
    if x.ndim == 0 or y.ndim == 0:
        raise GraphShapeError(
            f"{name}: both arguments need at least one axis, not {x.ndim} and {y.ndim}", where=user_line()
        )
    inner = y.shape[-2] if y.ndim > 1 else y.shape[0]
    if x.shape[-1] != inner:
        raise GraphShapeError(
            f"{name}: shapes {tuple(x.shape)} and {tuple(y.shape)} cannot be multiplied: {x.shape[-1]} is not {inner}",
            where=user_line(),
        )


def _product(name: str, left: int, right: int) -> Any:
    def call(input: Any, mat2: Any) -> Any:
        x, y = as_tensor(input), as_tensor(mat2)
        if x.ndim != left or y.ndim != right:
            raise GraphShapeError(
                f"{name}: expected tensors of {left} and {right} axes, not {x.ndim} and {y.ndim}",
                where=user_line(),
                hint="torch.matmul takes any",
            )
        return matmul(x, y)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Multiply tensors of exactly {left} and {right} axes."
    return call


mm = _product("mm", 2, 2)
bmm = _product("bmm", 3, 3)
mv = _product("mv", 2, 1)
dot = _product("dot", 1, 1)


def vdot(input: Any, other: Any) -> Any:
    """Return sum(conj(input) * other) of vectors."""
    return np.vdot(as_tensor(input), as_tensor(other))


@fits
def inner(input: Any, other: Any) -> Any:
    """Sum products along the last axes."""
    return np.inner(*_operands(input, other))


@node("Mul")
def outer(input: Any, vec2: Any) -> Any:
    """Return all products of the elements of two vectors.

    Raises GraphShapeError for tensors of other than one axis.
    """
    x, y = _operands(input, vec2)
    if x.ndim != 1 or y.ndim != 1:
        raise GraphShapeError(f"outer: expected vectors, not tensors of {x.ndim} and {y.ndim} axes", where=user_line())
    return np.outer(x, y)


ger = outer


@node("Einsum")
@fits
def einsum(equation: str, *operands: Any) -> Any:
    """Sum products by labels, as `numpy.einsum`."""
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    return np.einsum(equation, *_operands(*operands))


@fits
def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sum products over axes: the last of `a` with the first of `b`, or pairs of axes."""
    return np.tensordot(*_operands(a, b), axes=dims)  # type: ignore[call-overload]


@node("Kron")
def kron(input: Any, other: Any) -> Any:
    """Return the Kronecker product."""
    return np.kron(*_operands(input, other))


@node("LinalgCross")
@fits
def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """Return the cross product of vectors of three numbers, along the first axis of length 3 if none is given."""
    x, y = _operands(input, other)
    if dim is None:
        dim = next((i for i, n in enumerate(x.shape) if n == 3), -1)
    return np.cross(x, y, axis=dim)


@node("Trace")
def trace(input: Any) -> Any:
    """Return the sum of a matrix's diagonal."""
    return np.trace(as_tensor(input))


def chain_matmul(*matrices: Any) -> Any:
    """Multiply matrices in the order of least work."""
    return np.linalg.multi_dot(_operands(*matrices))


def matrix_power(input: Any, n: int) -> Any:
    """Multiply square matrices with themselves n times."""
    return np.linalg.matrix_power(as_tensor(input), n)


def _accumulating(name: str, product: Any) -> Any:
    def call(input: Any, first: Any, second: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
        result = product(first, second)
        result = result if alpha == 1 else f.mul(result, alpha)
        return f.add(input if beta == 1 else f.mul(input, beta), result)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"Return `beta * input + alpha * {name[3:]}(first, second)`."
    return node(name.capitalize())(call)


addmm = _accumulating("addmm", mm)
addmv = _accumulating("addmv", mv)
addr = _accumulating("addr", outer)
baddbmm = _accumulating("baddbmm", bmm)
addbmm = _accumulating("addbmm", lambda x, y: bmm(x, y).sum(0))


@node("Cdist")
def cdist(x1: Any, x2: Any, p: float = 2.0) -> Any:
    """Return the p-norm distances of all pairs of rows."""
    from .reductions import norm

    x, y = _operands(x1, x2)
    return norm(np.expand_dims(x, -2) - np.expand_dims(y, -3), p, -1)


def _product_operator(reflected: bool) -> Any:
    def operator(self: Any, other: Any) -> Any:
        if not isinstance(other, Traced | np.ndarray):
            return NotImplemented
        return matmul(other, self) if reflected else matmul(self, other)

    return operator


Tensor.__matmul__ = _product_operator(False)
Tensor.__rmatmul__ = _product_operator(True)
