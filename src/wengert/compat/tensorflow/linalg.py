"""`tf.linalg`: products, decompositions, solutions and norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from ...primitives.matrix_function import matrix_function
from ...recording import wrap
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
    *_: Any,
    name: Any = None,
    **__: Any,
) -> Tensor:
    """Return the matrix product, with transposes or adjoints of the factors."""
    x, y = tensors((a, b))
    x = adjoint(x) if adjoint_a else _swapped(x) if transpose_a else x
    y = adjoint(y) if adjoint_b else _swapped(y) if transpose_b else y
    return np.matmul(x, y)


def matvec(
    a: Any, b: Any, transpose_a: bool = False, adjoint_a: bool = False, *_: Any, name: Any = None, **__: Any
) -> Tensor:
    """Return the product of matrices and vectors."""
    x, y = tensors((a, b))
    return np.squeeze(matmul(x, np.expand_dims(y, -1), transpose_a=transpose_a, adjoint_a=adjoint_a), -1)


def tensordot(a: Any, b: Any, axes: Any, name: Any = None) -> Tensor:
    """Return the sum of products over axes of both."""
    return np.tensordot(*tensors((a, b)), axes=plain(axes))


def einsum(equation: str, *inputs: Any, **_: Any) -> Tensor:
    """Return the sum of products that the labels of the axes describe."""
    return np.einsum(equation, *tensors(inputs))


def cross(a: Any, b: Any, name: Any = None) -> Tensor:
    """Return the cross product along the last axis."""
    return np.cross(*tensors((a, b)))


# ---------------------------------------------------------------- diagonals and triangles


def diag(diagonal: Any, name: Any = "diag", k: int = 0, **_: Any) -> Tensor:
    """Return matrices that have these values on diagonal number k and zeros elsewhere."""
    x = convert_to_tensor(diagonal)
    n = x.shape[-1] + abs(k)
    place = np.arange(x.shape[-1])
    hot = np.zeros((x.shape[-1], n, n), x.dtype)
    hot[place, place + max(-k, 0), place + max(k, 0)] = 1
    return np.tensordot(x, hot, 1)


def diag_part(input: Any, name: Any = "diag_part", k: int = 0, **_: Any) -> Tensor:
    """Return diagonal number k of matrices."""
    return np.diagonal(convert_to_tensor(input), k, -2, -1)


tensor_diag = diag
tensor_diag_part = diag_part


def set_diag(input: Any, diagonal: Any, name: Any = "set_diag", k: int = 0, **_: Any) -> Tensor:
    """Return matrices with other values on diagonal number k."""
    x, values = tensors((input, diagonal))
    rows, columns = x.shape[-2:]
    mask = np.eye(rows, columns, k, dtype=bool)
    count = values.shape[-1]
    spread = np.zeros((count, rows, columns), x.dtype)
    place = np.arange(count)
    spread[place, place + max(-k, 0), place + max(k, 0)] = 1
    return np.where(mask, np.tensordot(values, spread, 1), x)


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
    return np.trace(convert_to_tensor(x), axis1=-2, axis2=-1)


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
    return np.linalg.cholesky(convert_to_tensor(input))


def triangular_solve(matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: Any = None) -> Tensor:
    """Return the solution of triangular systems; what lies on the other side of the diagonal is not read."""
    a, b = tensors((matrix, rhs))
    a = band_part(a, -1, 0) if lower else band_part(a, 0, -1)
    return np.linalg.solve(np.conj(_swapped(a)) if adjoint else a, b)


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
    values, vectors = np.linalg.eigh(convert_to_tensor(tensor))
    return values, vectors


def eigvalsh(tensor: Any, name: Any = None) -> Tensor:
    """Return the eigenvalues, in order, of a symmetric or Hermitian matrix."""
    return np.linalg.eigvalsh(convert_to_tensor(tensor))


def eig(tensor: Any, name: Any = None) -> Any:
    """Return eigenvalues and eigenvectors."""
    values, vectors = np.linalg.eig(convert_to_tensor(tensor))
    return values, vectors


def eigvals(tensor: Any, name: Any = None) -> Tensor:
    """Return the eigenvalues."""
    return np.linalg.eigvals(convert_to_tensor(tensor))


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
    total = np.sum(np.square(x), axis=places, keepdims=True)
    return x / np.sqrt(np.maximum(total, np.asarray(epsilon, x.dtype)))


def global_norm(t_list: Sequence[Any], name: Any = None) -> Tensor:
    """Return the Euclidean norm of all elements of all tensors; None is skipped."""
    parts = [np.sum(np.square(convert_to_tensor(t))) for t in t_list if t is not None]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return np.sqrt(total)


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: Any = None) -> Tensor:
    """Return the tensor, shortened to this norm if it is longer."""
    x = convert_to_tensor(t)
    places = None if axes is None else tuple(int(a) for a in np.atleast_1d(plain(axes)))
    total = np.sum(np.square(x), axis=places, keepdims=True)
    positive = np.asarray(total._data) > 0 if total._data is not None else total > 0
    length = np.where(positive, np.sqrt(np.where(positive, total, np.ones((), x.dtype))), total)
    limit = np.asarray(plain(clip_norm), x.dtype)
    clipped = x * limit / np.maximum(length, limit)
    return clipped if clipped.shape == x.shape else np.reshape(clipped, x.shape)


def clip_by_global_norm(
    t_list: Sequence[Any], clip_norm: Any, use_norm: Any = None, name: Any = None
) -> tuple[list[Any], Tensor]:
    """Return the tensors, all shortened by one factor to this common norm if it is greater, and the norm."""
    length = global_norm(t_list) if use_norm is None else convert_to_tensor(use_norm)
    limit = np.asarray(plain(clip_norm), length.dtype)
    factor = limit / np.maximum(length, limit)
    return [None if t is None else convert_to_tensor(t) * factor for t in t_list], length


__getattr__ = _reporter(__name__, lambda: list(globals()))
