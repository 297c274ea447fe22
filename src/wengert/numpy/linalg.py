"""Same names as `numpy.linalg`. Loaded when one of its functions first meets a tensor."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.linalg import LinAlgError

from ..errors import ShapeError, UnsupportedFunction, user_line
from ..primitives import linalg as p
from ..primitives.base import is_complex
from ..primitives.degeneracy import adjoint, from_triangle
from ..primitives.structural import pick
from ..recording import Traced
from ._register import as_array, implements, plain
from .norms import matrix_norm, norm, vector_norm
from .products import linalg_cross as cross
from .products import linalg_trace as trace
from .products import matmul, multi_dot, outer, tensordot, vecdot
from .shaping import linalg_diagonal as diagonal
from .shaping import matrix_transpose


class EigResult(NamedTuple):
    """What `eig` returns, named as in NumPy."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """What `eigh` returns, named as in NumPy."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """What `qr` returns, named as in NumPy."""

    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    """What `slogdet` returns, named as in NumPy."""

    sign: Any
    logabsdet: Any


class SVDResult(NamedTuple):
    """What `svd` returns, named as in NumPy."""

    U: Any
    S: Any
    Vh: Any


def floating(x: Any) -> Any:
    """Return a tensor or array of floating or complex numbers."""
    x = as_array(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def _matrix(x: Any, name: str) -> Any:
    x = floating(x)
    if x.ndim < 2:
        raise ShapeError(f"{name}: {x.ndim}-dimensional array given, at least two-dimensional required")
    return x


def _square(x: Any, name: str) -> Any:
    x = _matrix(x, name)
    if x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name}: the last two axes of shape {x.shape} are not those of a square matrix")
    return x


# ---------------------------------------------------------------- systems and inverses


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    """Same as `numpy.linalg.solve`."""
    a, b = _square(a, "solve"), floating(b)
    if b.ndim == 1:
        return p.solve(a, np.expand_dims(b, -1))[..., 0]
    return p.solve(a, b)


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    """Same as `numpy.linalg.inv`."""
    return p.inv(_square(a, "inv"))


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    """Same as `numpy.linalg.pinv`; the rank is taken to be constant."""
    a = _matrix(a, "pinv")
    if hermitian:
        a = from_triangle(a, True)
    if rtol is np._NoValue:
        rtol = rcond
    elif rtol is None:
        rtol = max(a.shape[-2:]) * float(np.finfo(a.dtype).eps)
    if rtol is not None and np.ndim(rtol):  # a cutoff for each matrix
        cutoffs = np.broadcast_to(plain(rtol), a.shape[:-2])
        rows = [p.pinv(a[place], rtol=float(cutoffs[place])) for place in np.ndindex(*a.shape[:-2])]
        shape = (*a.shape[:-2], a.shape[-1], a.shape[-2])
        return np.reshape(np.stack(rows), shape) if rows else np.zeros_like(a, shape=shape)
    return p.pinv(a, rtol=None if rtol is None else float(rtol))


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """Same as `numpy.linalg.lstsq`; the rank is taken to be constant."""
    a, b = _matrix(a, "lstsq"), floating(b)
    if a.ndim != 2 or b.ndim not in (1, 2) or a.shape[0] != b.shape[0]:
        raise ShapeError(f"lstsq: shapes {a.shape} and {b.shape} do not fit")
    m, n = a.shape
    columns = np.expand_dims(b, -1) if b.ndim == 1 else b
    limit = float(np.finfo(a.dtype).eps) * (max(m, n) if rcond is None else 1)
    limit = limit if rcond is None or rcond == -1 else float(rcond)
    x = p.least_squares(a, columns, rcond=limit)
    s = svdvals(a)
    rank: Any = np.sum(np.greater(s, limit * s[:1]))
    rank = rank if isinstance(rank, Traced) and rank._data is None else int(rank)
    residuals: Any = np.zeros(0, s.dtype)
    if m > n and (isinstance(rank, Traced) or rank == n):  # full rank, where only the shape is known
        rest = columns - a @ x
        residuals = np.sum(np.real(rest * np.conjugate(rest)), axis=0)
    return (x[..., 0] if b.ndim == 1 else x), residuals, rank, s


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """Same as `numpy.linalg.tensorsolve`."""
    a, b = floating(a), as_array(b)
    if axes is not None:
        order = [k for k in range(a.ndim) if k not in axes] + list(axes)
        a = np.transpose(a, order)
    kept = a.shape[-(a.ndim - b.ndim) :]
    n = int(np.prod(kept))
    if a.size != n * n:
        raise ShapeError("tensorsolve: prod(a.shape[b.ndim:]) must equal prod(a.shape[:b.ndim])")
    return np.reshape(solve(np.reshape(a, (n, n)), np.ravel(b)), kept)


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """Same as `numpy.linalg.tensorinv`."""
    a = floating(a)
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    n = int(np.prod(a.shape[ind:]))
    return np.reshape(inv(np.reshape(a, (n, -1))), a.shape[ind:] + a.shape[:ind])


# ---------------------------------------------------------------- determinants and powers


@implements(np.linalg.det)
def det(a: Any) -> Any:
    """Same as `numpy.linalg.det`; first and second derivatives are right for singular matrices too.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.grad(np.linalg.det)(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    return p.det(_square(a, "det"))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> SlogdetResult:
    """Same as `numpy.linalg.slogdet`."""
    result = p.slogdet(_square(a, "slogdet"))
    return SlogdetResult(pick(result, position=0), pick(result, position=1))


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """Same as `numpy.linalg.matrix_power`."""
    a = as_array(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"matrix_power: the last two axes of shape {a.shape} are not those of a square matrix")
    n = n.__index__()
    if n < 0:
        a, n = inv(a), -n
    if n == 0:
        return np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape) + np.zeros_like(a)
    result = None
    while n:
        if n & 1:
            result = a if result is None else result @ a
        n >>= 1
        if n:
            a = a @ a
    return result


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """Same as `numpy.linalg.cholesky`: one triangle of the argument is read, so the derivative by the other is 0."""
    a = _square(a, "cholesky")
    return adjoint(p.cholesky(adjoint(a))) if upper else p.cholesky(a)


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    """Same as `numpy.linalg.qr` in the modes 'reduced', 'complete' and 'r'."""
    a = _matrix(a, "qr")
    if mode not in ("reduced", "complete", "r"):
        raise UnsupportedFunction(
            f"numpy.linalg.qr: mode {mode!r} has no derivative rule",
            where=user_line(),
            hint="mode 'reduced', 'complete' or 'r'",
        )
    m, n = a.shape[-2:]
    if m >= n:
        result = p.qr(a, full=mode == "complete" and m > n)
        q, r = pick(result, position=0), pick(result, position=1)
    else:  # Q belongs to the square part in front; the rest of R is its product with the columns behind
        result = p.qr(a[..., :m], full=False)
        q = pick(result, position=0)
        r = np.concatenate([pick(result, position=1), adjoint(q) @ a[..., m:]], axis=-1)
    return r if mode == "r" else QRResult(q, r)


# ---------------------------------------------------------------- eigenvalues and singular values


def _triangle(UPLO: str) -> bool:
    UPLO = UPLO.upper()
    if UPLO not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return UPLO == "L"


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> EighResult:
    """Same as `numpy.linalg.eigh`: one triangle of the argument is read, so the derivative by the other is 0.

    Where eigenvalues coincide, their vectors are LAPACK's turned by a fixed generic rotation, which is as good a
    solution: so what depends on the choice can be told from what does not. The latter has a derivative, the former
    raises `Degenerate`. In forward mode coinciding eigenvalues get their derivatives to one side.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(np.eye(2)).round(12) + 0
    array([[1., 0.],
           [0., 1.]])
    >>> wg.grad(lambda a: np.linalg.eigh(a).eigenvectors[0, 0])(np.eye(2))
    Traceback (most recent call last):
        ...
    wengert.errors.Degenerate: eigenvalues coincide; the gap is 0
    ...
    """
    result = p.eigh(_square(a, "eigh"), lower=_triangle(UPLO))
    return EighResult(pick(result, position=0), pick(result, position=1))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """Same as `numpy.linalg.eigvalsh`: one triangle of the argument is read, so the derivative by the other is 0."""
    return eigh(a, UPLO).eigenvalues


@implements(np.linalg.eig)
def eig(a: Any) -> EigResult:
    """Same as `numpy.linalg.eig`; the result is complex where only the shape of the argument is known."""
    a = _square(a, "eig")
    result = p.eig(a)
    w, v = pick(result, position=0), pick(result, position=1)
    if not is_complex(a) and not _has_imaginary_part(w):  # as NumPy does
        w, v = np.real(w), np.real(v)
    return EigResult(w, v)


def _has_imaginary_part(w: Any) -> bool:
    data = w._data if isinstance(w, Traced) else w
    return data is None or bool(np.any(data.imag != 0))


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """Same as `numpy.linalg.eigvals`; the result is complex where only the shape of the argument is known."""
    return eig(a).eigenvalues


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """Same as `numpy.linalg.svd`; where singular values coincide see `eigh`.

    Singular values have a kink at 0, with derivative 0, as an absolute value has.
    """
    a = _matrix(a, "svd")
    if hermitian:
        a = from_triangle(a, True)
    result = p.svd(a, full=bool(full_matrices and compute_uv and a.shape[-1] != a.shape[-2]))
    s = pick(result, position=1)
    return SVDResult(pick(result, position=0), s, pick(result, position=2)) if compute_uv else s


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """Same as `numpy.linalg.svdvals`."""
    return svd(x, compute_uv=False)


# ---------------------------------------------------------------- rank and condition


@implements(np.linalg.matrix_rank, zero=True)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """Same as `numpy.linalg.matrix_rank`: an integer, so it has no derivative."""
    A = as_array(A)
    options: dict[str, Any] = {} if rtol is None else {"rtol": rtol}
    return np.linalg.matrix_rank(A.numpy() if isinstance(A, Traced) else A, tol, hermitian, **options)  # type: ignore[attr-defined]


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """Same as `numpy.linalg.cond`."""
    x = _matrix(x, "cond")
    if p is None or p in (2, -2):
        s = svdvals(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    return norm(x, p, axis=(-2, -1)) * norm(inv(x), p, axis=(-2, -1))


def tied_extreme(values: Any, largest: bool) -> Any:
    """Return the largest or smallest singular value; those that tie share the derivative equally."""
    from ..primitives.degeneracy import tolerance
    from ..primitives.structural import stop_gradient

    fixed = stop_gradient(values)
    best = fixed[..., :1] if largest else fixed[..., -1:]
    ties = np.less_equal(np.abs(fixed - best), tolerance(values.shape[-1], values.dtype) * fixed[..., :1])
    shared = np.sum(np.where(ties, values, 0), axis=-1) / np.sum(ties, axis=-1, dtype=values.dtype)
    return best[..., 0] + (shared - stop_gradient(shared))


__all__ = [
    "EigResult",
    "EighResult",
    "LinAlgError",
    "QRResult",
    "SVDResult",
    "SlogdetResult",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
