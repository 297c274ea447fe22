"""`torch.linalg`: NumPy's and SciPy's linear algebra with torch's names, batched over leading axes."""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np

from ...errors import ArgumentError, GraphError
from ...primitives import linalg_solve
from ...recording import apply
from ..hermitian import hermitian
from . import dtypes, products, reductions
from .missing import missing
from .naming import node
from .operators import align, as_tensor, misfit
from .results import named

__getattr__ = missing("torch.linalg")

_Slogdet = named("linalg_slogdet", "sign", "logabsdet")
_Qr = named("linalg_qr", "Q", "R")
_Eigh = named("linalg_eigh", "eigenvalues", "eigenvectors")
_Eig = named("linalg_eig", "eigenvalues", "eigenvectors")
_Svd = named("linalg_svd", "U", "S", "Vh")
_Lstsq = named("linalg_lstsq", "solution", "residuals", "rank", "singular_values")

matmul = products.matmul
vecdot = np.linalg.vecdot
diagonal = np.linalg.diagonal


class LinAlgError(GraphError, np.linalg.LinAlgError):
    """A matrix does not allow the operation: singular, not positive definite, or not square."""


def _float(x: Any) -> Any:
    return dtypes.floating(as_tensor(x))


def cross(input: Any, other: Any, *, dim: int = -1) -> Any:
    """Return the cross product of vectors of three numbers."""
    return products.cross(input, other, dim)


@node("LinalgDet")
def det(A: Any) -> Any:
    """Return the determinant."""
    return np.linalg.det(_float(A))


def slogdet(A: Any) -> Any:
    """Return sign and logarithm of the absolute value of the determinant."""
    return _Slogdet(*np.linalg.slogdet(_float(A)))


def logdet(input: Any) -> Any:
    """Return the logarithm of the determinant; NaN if that is negative."""
    sign, logabs = np.linalg.slogdet(_float(input))
    return np.where(np.greater(sign, 0), logabs, np.where(np.less(sign, 0), np.nan, logabs))


@node("LinalgInvEx")
def inv(A: Any) -> Any:
    """Return the inverse."""
    return np.linalg.inv(_float(A))


def pinv(A: Any, *, rtol: Any = None, hermitian: bool = False) -> Any:
    """Return the pseudoinverse."""
    return np.linalg.pinv(_float(A), rtol=rtol, hermitian=hermitian)


pinverse = pinv


@node("LinalgSolveEx")
def solve(A: Any, B: Any, *, left: bool = True) -> Any:
    """Return X with A X = B; X with X A = B if not `left`."""
    A, B = align(_float(A), _float(B))
    if not left:
        return np.matrix_transpose(np.linalg.solve(np.matrix_transpose(A), np.matrix_transpose(B)))
    if B.ndim == 1 or (B.ndim == A.ndim - 1 and tuple(B.shape) == tuple(A.shape[:-1])):
        return np.squeeze(np.linalg.solve(A, np.expand_dims(B, -1)), -1)
    return np.linalg.solve(A, B)


def solve_triangular(A: Any, B: Any, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Any:
    """Return X with A X = B for a triangular A."""
    A, B = align(_float(A), _float(B))
    if not left:
        flipped = solve_triangular(
            np.matrix_transpose(A), np.matrix_transpose(B), upper=not upper, unitriangular=unitriangular
        )
        return np.matrix_transpose(flipped)
    return apply(linalg_solve.triangular_solve, (A, B), {"lower": not upper, "unit": unitriangular})


@node("LinalgCholeskyEx")
def cholesky(A: Any, *, upper: bool = False) -> Any:
    """Return the Cholesky factor."""
    return np.linalg.cholesky(hermitian(_float(A)), upper=upper)


def qr(A: Any, mode: str = "reduced") -> Any:
    """Return an orthonormal and a triangular factor."""
    if mode == "r":
        return _Qr(as_tensor(np.zeros(0, np.dtype(as_tensor(A).dtype.dtype))), np.linalg.qr(_float(A), "r"))
    return _Qr(*np.linalg.qr(_float(A), mode))  # type: ignore[call-overload]


def eigh(A: Any, UPLO: str = "L") -> Any:
    """Return eigenvalues and eigenvectors of a Hermitian matrix."""
    return _Eigh(*np.linalg.eigh(hermitian(_float(A)), UPLO))  # type: ignore[call-overload]


def eigvalsh(A: Any, UPLO: str = "L") -> Any:
    """Return the eigenvalues of a Hermitian matrix."""
    return np.linalg.eigvalsh(hermitian(_float(A)), UPLO)  # type: ignore[call-overload]


def _complex(x: Any) -> Any:
    return x if x.dtype.kind == "c" else dtypes.cast(x, x.dtype.to_complex().dtype)


def eig(A: Any) -> Any:
    """Return complex eigenvalues and eigenvectors."""
    values, vectors = np.linalg.eig(_complex(_float(A)))
    return _Eig(values, vectors)


def eigvals(A: Any) -> Any:
    """Return complex eigenvalues."""
    return np.linalg.eigvals(_complex(_float(A)))


def svd(A: Any, full_matrices: bool = True) -> Any:
    """Return U, S and Vh with A = U diag(S) Vh."""
    return _Svd(*np.linalg.svd(_float(A), full_matrices=full_matrices))


def svdvals(A: Any) -> Any:
    """Return the singular values."""
    return np.linalg.svdvals(_float(A))


def lstsq(A: Any, B: Any, rcond: Any = None, *, driver: Any = None) -> Any:
    """Return the least-squares solution."""
    return _Lstsq(*(as_tensor(part) for part in np.linalg.lstsq(_float(A), _float(B), rcond)))


def matrix_rank(A: Any, *, atol: Any = None, rtol: Any = None, hermitian: bool = False) -> Any:
    """Return the rank, without a derivative."""
    return as_tensor(np.asarray(np.linalg.matrix_rank(np.asarray(as_tensor(A).detach()._data), atol, hermitian)))


def cond(A: Any, p: Any = None) -> Any:
    """Return the condition number."""
    return np.linalg.cond(_float(A), p)


def matrix_exp(A: Any) -> Any:
    """Return the exponential of square matrices."""
    from ...scipy import linalg

    return linalg.expm(_float(A))


def matrix_power(A: Any, n: int) -> Any:
    """Multiply square matrices with themselves n times."""
    return np.linalg.matrix_power(_float(A), n)


def multi_dot(tensors: Any) -> Any:
    """Multiply matrices in the order of least work."""
    return products.chain_matmul(*tensors)


def tensorinv(A: Any, ind: int = 2) -> Any:
    """Return the inverse of a tensor seen as a matrix."""
    return np.linalg.tensorinv(_float(A), ind)


def tensorsolve(A: Any, B: Any, dims: Any = None) -> Any:
    """Solve a system given by tensors."""
    return np.linalg.tensorsolve(_float(A), _float(B), dims)


def vander(x: Any, N: int | None = None) -> Any:
    """Return the Vandermonde matrix with increasing powers."""
    x = as_tensor(x)
    count = x.shape[-1] if N is None else N
    return np.expand_dims(x, -1) ** as_tensor(np.arange(count))


@node("LinalgVectorNorm")
def vector_norm(x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the norm of vectors; the derivative of the Euclidean norm at 0 is 0."""
    return reductions.norm(x, ord, dim, keepdim, dtype)


def matrix_norm(A: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return the norm of matrices."""
    A = _float(A) if dtype is None else dtypes.cast(as_tensor(A), dtypes.to_numpy_dtype(dtype))
    return np.linalg.norm(A, ord, axis=tuple(dim), keepdims=keepdim)


def norm(A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """Return a vector norm (all elements if neither `ord` nor `dim` is given) or a matrix norm.

    Raises ArgumentError for an order that needs a matrix where there is none.
    """
    x = as_tensor(A)
    if ord is None:
        return vector_norm(x, 2, dim, keepdim, dtype=dtype)
    axes = tuple(range(x.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if len(axes) == 2:
        return matrix_norm(x, ord, axes, keepdim, dtype=dtype)
    if isinstance(ord, str) or len(axes) > 2:
        raise ArgumentError(f"linalg.norm: order {ord!r} needs a matrix, but {len(axes)} axes are reduced")
    return vector_norm(x, ord, dim, keepdim, dtype=dtype)


def _guarded(function: Any) -> Any:
    """Raise NumPy's errors about matrices as PyTorch's RuntimeErrors too."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except np.linalg.LinAlgError as error:
            raise error if isinstance(error, GraphError) else LinAlgError(f"{function.__name__}: {error}") from None
        except ValueError as error:
            raise misfit(f"linalg.{function.__name__}", error, *args) from None

    return call


for _name, _value in list(globals().items()):
    if not _name.startswith("_") and getattr(_value, "__module__", "") == __name__ and not isinstance(_value, type):
        globals()[_name] = _guarded(_value)
