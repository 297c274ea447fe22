"""`tf.linalg`: products, decompositions, solutions and norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from ...errors import ArgumentError, ShapeError, user_line
from ...primitives import linalg_solve
from ...primitives.matrix_function import matrix_function
from ...recording import apply, wrap
from ..hermitian import hermitian
from ._arrays import eye as eye
from ._missing import reporter as _reporter
from ._tensor import Tensor, convert_to_tensor, plain, tensors

np: Any = numpy  # its functions take tensors here, which its annotations do not know


def _swapped(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def matrix_transpose(a: Any, name: Any = None, conjugate: bool = False) -> Tensor:
    """Return matrices with their last two axes swapped."""
    x = _swapped(convert_to_tensor(a))
    return np.conj(x) if conjugate else x


def adjoint(matrix: Any, name: Any = None) -> Tensor:
    """Return the conjugate transpose."""
    return np.conj(_swapped(convert_to_tensor(matrix)))


def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    output_type: Any = None,
    name: Any = None,
) -> Tensor:
    """Return the matrix product, with transposes or adjoints of the factors."""
    x, y = tensors((a, b))
    x = adjoint(x) if adjoint_a else _swapped(x) if transpose_a else x
    y = adjoint(y) if adjoint_b else _swapped(y) if transpose_b else y
    product = np.matmul(x, y)
    return product if output_type is None else product.astype(output_type)


def matvec(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: Any = None,
) -> Tensor:
    """Return the product of matrices and vectors."""
    x, y = tensors((a, b))
    return np.squeeze(matmul(x, np.expand_dims(y, -1), transpose_a=transpose_a, adjoint_a=adjoint_a), -1)


def tensordot(a: Any, b: Any, axes: Any, name: Any = None) -> Tensor:
    """Return the sum of products over axes of both."""
    return np.tensordot(*tensors((a, b)), axes=plain(axes))


def einsum(equation: str, *inputs: Any, optimize: Any = "greedy", name: Any = None) -> Tensor:
    """Return the sum of products that the labels of the axes describe."""
    return np.einsum(equation, *tensors(inputs))


def cross(a: Any, b: Any, name: Any = None) -> Tensor:
    """Return the cross product along the last axis."""
    return np.cross(*tensors((a, b)))


# ---------------------------------------------------------------- diagonals and triangles


def diag(
    diagonal: Any, name: Any = "diag", k: int = 0, num_rows: int = -1, num_cols: int = -1, padding_value: Any = 0
) -> Tensor:
    """Return square matrices that have these values on diagonal number k and `padding_value` elsewhere.

    Raises ArgumentError for another number of rows or columns.
    """
    x = convert_to_tensor(diagonal)
    n = x.shape[-1] + abs(k)
    if num_rows not in (-1, n) or num_cols not in (-1, n):
        raise ArgumentError(f"diag: matrices of {n} rows and columns only", where=user_line(), hint="tf.pad the result")
    return np.where(np.eye(n, k=k, dtype=bool), _by_row(x, n, k), np.asarray(padding_value, x.dtype))


def _by_row(values: Any, rows: int, k: int) -> Any:
    """Return, for each row of matrices, the value that belongs to diagonal number k there."""
    place = np.clip(np.arange(rows) - max(-k, 0), 0, max(values.shape[-1] - 1, 0))
    return np.expand_dims(np.take(values, place, -1), -1)


def diag_part(input: Any, name: Any = "diag_part", k: int = 0) -> Tensor:
    """Return diagonal number k of matrices."""
    return np.diagonal(convert_to_tensor(input), k, -2, -1)


def tensor_diag(diagonal: Any, name: Any = None) -> Tensor:
    """Return a tensor of twice the axes, with these values where both halves of an index are equal."""
    x = convert_to_tensor(diagonal)
    return np.reshape(np.diag(np.reshape(x, -1)), x.shape * 2)


def tensor_diag_part(input: Any, name: Any = None) -> Tensor:
    """Return the values where both halves of an index are equal."""
    x = convert_to_tensor(input)
    half = x.shape[: x.ndim // 2]
    if x.shape != half * 2 or not half:
        raise ShapeError(f"tensor_diag_part: shape {x.shape} is not one shape twice", where=user_line())
    return np.reshape(np.diagonal(np.reshape(x, (int(np.prod(half)), -1))), half)


def set_diag(input: Any, diagonal: Any, name: Any = "set_diag", k: int = 0) -> Tensor:
    """Return matrices with other values on diagonal number k."""
    x, values = tensors((input, diagonal))
    rows, columns = x.shape[-2:]
    return np.where(np.eye(rows, columns, k, dtype=bool), _by_row(values, rows, k), x)


def band_part(input: Any, num_lower: Any, num_upper: Any, name: Any = None) -> Tensor:
    """Return matrices with zeros outside of a band; a negative number keeps a whole triangle."""
    x = convert_to_tensor(input)
    below, above = int(plain(num_lower)), int(plain(num_upper))
    distance = np.arange(x.shape[-1]) - np.arange(x.shape[-2])[:, None]
    kept = np.ones(distance.shape, bool)
    if below >= 0:
        kept &= distance >= -below
    if above >= 0:
        kept &= distance <= above
    return np.where(kept, x, np.zeros((), x.dtype))


def trace(x: Any, name: Any = None) -> Tensor:
    """Return the sum of the diagonal."""
    x = convert_to_tensor(x)
    return np.trace(x, axis1=-2, axis2=-1, dtype=x.dtype)


# ---------------------------------------------------------------- solutions and decompositions


def det(input: Any, name: Any = None) -> Tensor:
    """Return the determinant."""
    return np.linalg.det(convert_to_tensor(input))


def slogdet(input: Any, name: Any = None) -> Any:
    """Return sign and logarithm of the absolute value of the determinant."""
    return np.linalg.slogdet(convert_to_tensor(input))


def logdet(matrix: Any, name: Any = None) -> Tensor:
    """Return the logarithm of the determinant of a positive definite matrix."""
    return np.linalg.slogdet(convert_to_tensor(matrix))[1]


def inv(input: Any, adjoint: bool = False, name: Any = None) -> Tensor:
    """Return the inverse."""
    x = np.linalg.inv(convert_to_tensor(input))
    return np.conj(_swapped(x)) if adjoint else x


def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: Any = None) -> Tensor:
    """Return the pseudo-inverse."""
    x = convert_to_tensor(a)
    return np.linalg.pinv(x) if rcond is None else np.linalg.pinv(x, rcond=rcond)


def solve(matrix: Any, rhs: Any, adjoint: bool = False, name: Any = None) -> Tensor:
    """Return the solution of linear systems; the right sides are columns."""
    a, b = tensors((matrix, rhs))
    return np.linalg.solve(np.conj(_swapped(a)) if adjoint else a, b)


def lstsq(matrix: Any, rhs: Any, l2_regularizer: float = 0.0, fast: bool = True, name: Any = None) -> Tensor:
    """Return the least-squares solution, by the normal equations; of least norm where there are more unknowns."""
    a, b = tensors((matrix, rhs))
    h = np.conj(_swapped(a))
    m, n = a.shape[-2:]
    if m >= n:
        return np.linalg.solve(h @ a + plain(l2_regularizer) * np.eye(n, dtype=a.dtype), h @ b)
    return h @ np.linalg.solve(a @ h + plain(l2_regularizer) * np.eye(m, dtype=a.dtype), b)


def cholesky(input: Any, name: Any = None) -> Tensor:
    """Return the lower triangular factor of a positive definite matrix."""
    return np.linalg.cholesky(hermitian(convert_to_tensor(input)))


def triangular_solve(matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: Any = None) -> Tensor:
    """Return the solution of triangular systems; what lies on the other side of the diagonal is not read."""
    a, b = tensors((matrix, rhs))
    a = np.conj(_swapped(a)) if adjoint else a
    return apply(linalg_solve.triangular_solve, (a, b), {"lower": lower != adjoint, "unit": False})


def cholesky_solve(chol: Any, rhs: Any, name: Any = None) -> Tensor:
    """Return the solution of systems whose matrix has this Cholesky factor."""
    return triangular_solve(chol, triangular_solve(chol, rhs), adjoint=True)


class _QR(NamedTuple):
    q: Any
    r: Any


def qr(input: Any, full_matrices: bool = False, name: Any = None) -> Any:
    """Return an orthogonal and an upper triangular factor."""
    q, r = np.linalg.qr(convert_to_tensor(input), "complete" if full_matrices else "reduced")
    return _QR(q, r)


def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: Any = None) -> Any:
    """Return singular values, and unless told otherwise left and right singular vectors (as columns): s, u, v."""
    x = convert_to_tensor(tensor)
    if not compute_uv:
        return np.linalg.svd(x, compute_uv=False)
    u, s, vh = np.linalg.svd(x, full_matrices=full_matrices)
    return s, u, np.conj(_swapped(vh))


def eigh(tensor: Any, name: Any = None) -> Any:
    """Return eigenvalues, in order, and eigenvectors of a symmetric or Hermitian matrix."""
    values, vectors = np.linalg.eigh(hermitian(convert_to_tensor(tensor)))
    return values, vectors


def eigvalsh(tensor: Any, name: Any = None) -> Tensor:
    """Return the eigenvalues, in order, of a symmetric or Hermitian matrix."""
    return np.linalg.eigvalsh(hermitian(convert_to_tensor(tensor)))


def _complex(tensor: Any) -> Any:
    x = convert_to_tensor(tensor)
    return x.astype(np.result_type(x.dtype, np.complex64))


def eig(tensor: Any, name: Any = None) -> Any:
    """Return eigenvalues and eigenvectors, complex ones always."""
    values, vectors = np.linalg.eig(_complex(tensor))
    return values, vectors


def eigvals(tensor: Any, name: Any = None) -> Tensor:
    """Return the eigenvalues, complex ones always."""
    return np.linalg.eigvals(_complex(tensor))


def expm(input: Any, name: Any = None) -> Tensor:
    """Return the matrix exponential."""
    return matrix_function(convert_to_tensor(input), name="expm")


def logm(input: Any, name: Any = None) -> Tensor:
    """Return the matrix logarithm."""
    return matrix_function(convert_to_tensor(input), name="logm")


def sqrtm(input: Any, name: Any = None) -> Tensor:
    """Return the matrix square root."""
    return matrix_function(convert_to_tensor(input), name="sqrtm")


def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: Any = None) -> Tensor:
    """Return the number of singular values that are not 0."""
    return wrap(Tensor, np.asarray(np.linalg.matrix_rank(np.asarray(plain(convert_to_tensor(a))), tol), np.int32))


# ---------------------------------------------------------------- norms


def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool = False, name: Any = None) -> Tensor:
    """Return the norm: Euclidean over all elements or axes, or "fro", 1, 2, np.inf or p as in NumPy."""
    x = convert_to_tensor(tensor)
    places = None if axis is None else tuple(int(a) for a in np.atleast_1d(plain(axis)))
    if ord in ("euclidean", "fro", 2) and not (ord == 2 and places is not None and len(places) == 2):
        from ...numpy import linalg as namespace

        if places is None:
            flat = namespace.norm(np.reshape(x, -1))
            return np.reshape(flat, (1,) * x.ndim) if keepdims else flat
        if len(places) == 2:
            return namespace.norm(x, axis=places, keepdims=keepdims)
        return namespace.norm(x, axis=places[0], keepdims=keepdims)
    if places is None:
        flat = np.linalg.norm(np.reshape(x, -1), ord)
        return np.reshape(flat, (1,) * x.ndim) if keepdims else flat
    return np.linalg.norm(x, ord, axis=places if len(places) == 2 else places[0], keepdims=keepdims)


def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: Any = None) -> tuple[Tensor, Tensor]:
    """Return the tensor divided by its norm, and the norm."""
    x = convert_to_tensor(tensor)
    length = norm(x, ord, axis, keepdims=True)
    return x / length, length


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: Any = None) -> Tensor:
    """Return the tensor divided by the larger of its Euclidean norm and the root of `epsilon`."""
    x = convert_to_tensor(x)
    places = None if axis is None else tuple(int(a) for a in np.atleast_1d(plain(axis)))
    total = np.sum(_squares(x), axis=places, keepdims=True)
    return x / np.sqrt(np.maximum(total, np.asarray(epsilon, total.dtype)))


def _squares(x: Any) -> Any:
    """Return the squared absolute values, real ones."""
    return np.real(x * np.conj(x)) if x.dtype.kind == "c" else np.square(x)


def global_norm(t_list: Sequence[Any], name: Any = None) -> Tensor:
    """Return the Euclidean norm of all elements of all tensors; None is skipped."""
    parts = [np.sum(_squares(convert_to_tensor(t))) for t in t_list if t is not None]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return np.sqrt(total)


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: Any = None) -> Tensor:
    """Return the tensor, shortened to this norm if it is longer."""
    x, limit = tensors((t, clip_norm))
    length = norm(x, axis=axes, keepdims=True)
    return x * limit / np.maximum(length, limit)


def clip_by_global_norm(
    t_list: Sequence[Any], clip_norm: Any, use_norm: Any = None, name: Any = None
) -> tuple[list[Any], Tensor]:
    """Return the tensors, all shortened by one factor to this common norm if it is greater, and the norm."""
    length, limit = tensors((global_norm(t_list) if use_norm is None else use_norm, clip_norm))
    factor = limit / np.maximum(length, limit)
    return [None if t is None else convert_to_tensor(t) * factor for t in t_list], length


__getattr__ = _reporter(__name__, lambda: list(globals()))
