"""Same names as `scipy.linalg`. Batched over leading axes; `overwrite_*`, `check_finite` and drivers change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as original
from scipy.linalg import LinAlgError

from ..errors import ArgumentError, ShapeError
from ..numpy import linalg as base
from ..primitives import linalg as p
from ..primitives.base import is_complex
from ..primitives.degeneracy import adjoint, from_triangle
from ..primitives.matrix_function import slope
from ..primitives.structural import pick
from ..recording import Traced
from ._face import face, floating, refuse

__all__ = ["LinAlgError"]


def __getattr__(name: str) -> Any:
    return getattr(original, name)


def _columns(b: Any) -> tuple[Any, bool]:
    b = floating(b)
    return (np.expand_dims(b, -1), True) if b.ndim == 1 else (b, False)


def _as_given(x: Any, vector: bool) -> Any:
    return x[..., 0] if vector else x


# ---------------------------------------------------------------- systems


@face(original.inv)
def inv(a: Any, **_: Any) -> Any:
    """Same as `scipy.linalg.inv`."""
    return base.inv(a)


@face(original.det)
def det(a: Any, **_: Any) -> Any:
    """Same as `scipy.linalg.det`; the derivative is right for singular matrices too."""
    return base.det(a)


def _turned(a: Any, trans: Any) -> Any:
    if trans in (0, "N"):
        return a
    if trans in (1, "T"):
        return np.swapaxes(a, -1, -2)
    if trans in (2, "C"):
        return adjoint(a)
    raise ArgumentError(f"trans is 0, 1, 2, 'N', 'T' or 'C', not {trans!r}")


@face(original.solve)
def solve(a: Any, b: Any, lower: bool = False, assume_a: str | None = None, transposed: bool = False, **_: Any) -> Any:
    """Same as `scipy.linalg.solve`; with a symmetric `assume_a` one triangle is read, as SciPy does."""
    a = floating(a)
    b, vector = _columns(b)
    if assume_a in ("sym", "symmetric"):
        strict = np.tril(a, -1) if lower else np.triu(a, 1)
        a = strict + np.swapaxes(strict, -1, -2) + np.eye(a.shape[-1]) * a
    elif assume_a in ("her", "hermitian", "pos", "positive definite"):
        a = from_triangle(a, lower)
    elif assume_a in ("lower triangular", "upper triangular"):
        low = assume_a.startswith("lower")
        turned = _turned(a, int(transposed))
        return _as_given(p.triangular_solve(turned, b, lower=low != transposed, unit=False), vector)
    return _as_given(base.solve(_turned(a, int(transposed)), b), vector)


@face(original.solve_triangular)
def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False, **_: Any) -> Any:
    """Same as `scipy.linalg.solve_triangular`."""
    a = floating(a)
    b, vector = _columns(b)
    low = bool(lower) if trans in (0, "N") else not lower
    return _as_given(p.triangular_solve(_turned(a, trans), b, lower=low, unit=bool(unit_diagonal)), vector)


@face(original.solve_banded)
def solve_banded(l_and_u: Any, ab: Any, b: Any, **_: Any) -> Any:
    """Same as `scipy.linalg.solve_banded`."""
    lower, upper = (int(n) for n in l_and_u)
    ab = floating(ab)
    b, vector = _columns(b)
    if ab.shape[-2] != lower + upper + 1:
        raise ValueError(
            f"invalid values for the number of lower and upper diagonals: l+u+1 ({lower + upper + 1}) does not "
            f"equal ab.shape[0] ({ab.shape[-2]})"
        )
    return _as_given(p.banded_solve(ab, b, lower=lower, upper=upper), vector)


@face(original.solve_toeplitz)
def solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    """Same as `scipy.linalg.solve_toeplitz`, by a dense solve."""
    c, r = c_or_cr if isinstance(c_or_cr, tuple) else (c_or_cr, None)
    return base.solve(toeplitz(c, r), b)


@face(original.solve_sylvester)
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Same as `scipy.linalg.solve_sylvester`."""
    a, b, q = floating(a), floating(b), floating(q)
    if q.shape[-2:] != (a.shape[-1], b.shape[-1]):
        raise ShapeError(f"solve_sylvester: shapes {a.shape}, {b.shape} and {q.shape} do not fit")
    return p.sylvester(a, b, q)


@face(original.solve_continuous_lyapunov)
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """Same as `scipy.linalg.solve_continuous_lyapunov`."""
    a = floating(a)
    return p.sylvester(a, adjoint(a), floating(q))


solve_lyapunov = solve_continuous_lyapunov


@face(original.solve_discrete_lyapunov)
def solve_discrete_lyapunov(a: Any, q: Any, method: Any = None) -> Any:
    """Same as `scipy.linalg.solve_discrete_lyapunov`, by the bilinear transformation."""
    a, q = floating(a), floating(q)
    eye = np.eye(a.shape[-1])
    ah = adjoint(a)
    inverse = base.inv(ah + eye)
    b = (ah - eye) @ inverse
    c = 2 * (base.inv(a + eye) @ q @ inverse)
    return solve_continuous_lyapunov(adjoint(b), -c)


@face(original.lstsq)
def lstsq(a: Any, b: Any, cond: Any = None, **_: Any) -> tuple[Any, Any, Any, Any]:
    """Same as `scipy.linalg.lstsq`; the rank is taken to be constant."""
    a = floating(a)
    x, residuals, rank, s = base.lstsq(a, b, rcond=float(np.finfo(a.dtype).eps) if cond is None else cond)
    return x, (residuals[0] if np.ndim(b) == 1 and residuals.shape[0] else residuals), rank, s


@face(original.pinv)
def pinv(a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False, check_finite: bool = True) -> Any:
    """Same as `scipy.linalg.pinv`; the rank is taken to be constant."""
    if atol:
        raise refuse("scipy.linalg.pinv", "atol", "rtol, relative to the largest singular value")
    a = floating(a)
    rtol = max(a.shape[-2:]) * float(np.finfo(a.dtype).eps) if rtol is None else rtol
    value = base.pinv(a, rcond=rtol)
    return (value, base.matrix_rank(a, rtol=rtol)) if return_rank else value


# ---------------------------------------------------------------- factorizations


@face(original.cholesky)
def cholesky(a: Any, lower: bool = False, **_: Any) -> Any:
    """Same as `scipy.linalg.cholesky`: one triangle of the argument is read."""
    return base.cholesky(a, upper=not lower)


@face(original.cho_factor)
def cho_factor(a: Any, lower: bool = False, **_: Any) -> tuple[Any, bool]:
    """Same as `scipy.linalg.cho_factor`; the other triangle of the result is zero."""
    return base.cholesky(a, upper=not lower), lower


@face(original.cho_solve)
def cho_solve(c_and_lower: Any, b: Any, **_: Any) -> Any:
    """Same as `scipy.linalg.cho_solve`."""
    c, lower = c_and_lower
    c = floating(c)
    b, vector = _columns(b)
    first, second = (c, adjoint(c)) if lower else (adjoint(c), c)
    y = p.triangular_solve(first, b, lower=True, unit=False)
    return _as_given(p.triangular_solve(second, y, lower=False, unit=False), vector)


@face(original.lu_factor)
def lu_factor(a: Any, **_: Any) -> tuple[Any, Any]:
    """Same as `scipy.linalg.lu_factor`, for square matrices."""
    result = p.lu_factor(floating(a))
    pivots = pick(result, position=1)
    return pick(result, position=0), pivots if pivots._data is None else pivots._data


@face(original.lu_solve)
def lu_solve(lu_and_piv: Any, b: Any, trans: Any = 0, **_: Any) -> Any:
    """Same as `scipy.linalg.lu_solve`."""
    lu, pivots = lu_and_piv
    lu = floating(lu)
    b, vector = _columns(b)
    rows = p.permutation(pivots)
    if trans == 0:
        y = p.triangular_solve(lu, np.take_along_axis(b, rows[..., None], axis=-2), lower=True, unit=True)
        return _as_given(p.triangular_solve(lu, y, lower=False, unit=False), vector)
    turned = _turned(lu, trans)
    y = p.triangular_solve(turned, b, lower=True, unit=False)
    y = p.triangular_solve(turned, y, lower=False, unit=True)
    back = np.argsort(rows, axis=-1)
    return _as_given(np.take_along_axis(y, back[..., None], axis=-2), vector)


@face(original.lu)
def lu(a: Any, permute_l: bool = False, p_indices: bool = False, **_: Any) -> Any:
    """Same as `scipy.linalg.lu`, for square matrices."""
    packed, pivots = lu_factor(a)
    rows = p.permutation(pivots)
    back = np.argsort(rows, axis=-1)
    lower = np.tril(packed, -1) + np.eye(packed.shape[-1])
    if permute_l:
        return np.take_along_axis(lower, back[..., None], axis=-2), np.triu(packed)
    if p_indices:
        return back, lower, np.triu(packed)
    return np.equal(back[..., None], np.arange(packed.shape[-1])) * 1.0, lower, np.triu(packed)


@face(original.qr)
def qr(a: Any, mode: str = "full", pivoting: bool = False, **_: Any) -> Any:
    """Same as `scipy.linalg.qr` without pivoting, in the modes 'full', 'economic' and 'r'."""
    if pivoting:
        raise refuse(
            "scipy.linalg.qr", "pivoting=True", "pivoting=False, of a[:, order] with the order of a plain call"
        )
    if mode not in ("full", "economic", "r"):
        raise refuse("scipy.linalg.qr", f"mode={mode!r}", "mode 'full', 'economic' or 'r'")
    q, r = base.qr(a, mode="reduced" if mode == "economic" else "complete")
    return (r,) if mode == "r" else (q, r)


@face(original.polar)
def polar(a: Any, side: str = "right") -> tuple[Any, Any]:
    """Same as `scipy.linalg.polar`; right where singular values coincide, too."""
    u, s, vh = base.svd(a, full_matrices=False)
    middle = np.expand_dims(s, -2)
    return u @ vh, (adjoint(vh) * middle) @ vh if side == "right" else (u * middle) @ adjoint(u)


# ---------------------------------------------------------------- eigenvalues and singular values


@face(original.eigh)
def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    type: int = 1,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    **_: Any,
) -> Any:
    """Same as `scipy.linalg.eigh` for type 1: one triangle of each argument is read."""
    if type != 1 or subset_by_value is not None:
        raise refuse("scipy.linalg.eigh", "type other than 1, or subset_by_value,", "type=1 and subset_by_index")
    a = floating(a)
    if b is None:
        w, v = base.eigh(a, "L" if lower else "U")
    else:
        factor = base.cholesky(from_triangle(floating(b), lower))
        left = p.triangular_solve(factor, from_triangle(a, lower), lower=True, unit=False)
        both = adjoint(p.triangular_solve(factor, adjoint(left), lower=True, unit=False))
        w, v = base.eigh(both)
        v = p.triangular_solve(adjoint(factor), v, lower=False, unit=False)
    if subset_by_index is not None:
        first, last = (int(i) for i in subset_by_index)
        w, v = w[..., first : last + 1], v[..., first : last + 1]
    return w if eigvals_only else (w, v)


@face(original.eigvalsh)
def eigvalsh(a: Any, b: Any = None, *, lower: bool = True, **options: Any) -> Any:
    """Same as `scipy.linalg.eigvalsh`."""
    return eigh(a, b, lower=lower, eigvals_only=True, **options)


@face(original.eig)
def eig(
    a: Any, b: Any = None, left: bool = False, right: bool = True, *, homogeneous_eigvals: bool = False, **_: Any
) -> Any:
    """Same as `scipy.linalg.eig` for an ordinary problem and right eigenvectors."""
    if b is not None or left:
        raise refuse("scipy.linalg.eig", "b, or left=True,", "eig(solve(b, a)), or eig(a.conj().T) for left vectors")
    if homogeneous_eigvals:
        raise refuse("scipy.linalg.eig", "homogeneous_eigvals=True", "homogeneous_eigvals=False")
    result = p.eig(floating(a))
    w, v = pick(result, position=0), pick(result, position=1)
    if not is_complex(a) and not base._has_imaginary_part(w):
        v = np.real(v)
    return (w, v) if right else w


@face(original.eigvals)
def eigvals(a: Any, b: Any = None, **options: Any) -> Any:
    """Same as `scipy.linalg.eigvals` for an ordinary problem."""
    return eig(a, b, right=False, **options)


@face(original.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, **_: Any) -> Any:
    """Same as `scipy.linalg.svd`."""
    result = base.svd(a, full_matrices, compute_uv)
    return tuple(result) if compute_uv else result


@face(original.svdvals)
def svdvals(a: Any, **_: Any) -> Any:
    """Same as `scipy.linalg.svdvals`."""
    return base.svdvals(a)


@face(original.norm)
def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True) -> Any:
    """Same as `scipy.linalg.norm`."""
    return base.norm(a, ord, axis, keepdims)


# ---------------------------------------------------------------- functions of matrices


def _function(name: str) -> Any:
    def function(A: Any) -> Any:
        A = floating(A)
        if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
            raise ShapeError(f"{name}: the last two axes of shape {A.shape} are not those of a square matrix")
        return p.matrix_function(A, name=name)

    function.__name__ = name
    function.__doc__ = f"Same as `scipy.linalg.{name}`."
    return face(getattr(original, name))(function)


expm = _function("expm")
logm = _function("logm")
sqrtm = _function("sqrtm")
cosm = _function("cosm")
sinm = _function("sinm")
tanm = _function("tanm")
coshm = _function("coshm")
sinhm = _function("sinhm")
tanhm = _function("tanhm")


@face(original.expm_frechet)
def expm_frechet(A: Any, E: Any, method: Any = None, compute_expm: bool = True, check_finite: bool = True) -> Any:
    """Same as `scipy.linalg.expm_frechet`."""
    A, E = floating(A), floating(E)
    found = slope(A, E, "expm")
    return (expm(A), found) if compute_expm else found


@face(original.fractional_matrix_power)
def fractional_matrix_power(A: Any, t: Any) -> Any:
    """Same as `scipy.linalg.fractional_matrix_power`, as expm(t logm(A)) unless t is an int."""
    if not isinstance(t, Traced) and float(t).is_integer():
        return base.matrix_power(A, int(t))
    return p.matrix_function(t * p.matrix_function(floating(A), name="logm"), name="expm")


# ---------------------------------------------------------------- matrices of a given form


@face(original.block_diag)
def block_diag(*arrs: Any) -> Any:
    """Same as `scipy.linalg.block_diag` for arrays of at most two axes."""
    blocks = [np.atleast_2d(floating(a)) for a in arrs]
    rows = []
    total, before = sum(b.shape[1] for b in blocks), 0
    for b in blocks:
        after = total - before - b.shape[1]
        rows.append(np.concatenate([np.zeros((b.shape[0], before)), b, np.zeros((b.shape[0], after))], axis=1))
        before += b.shape[1]
    return np.concatenate(rows, axis=0)


@face(original.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """Same as `scipy.linalg.toeplitz` for vectors."""
    c = np.ravel(floating(c))
    r = np.conjugate(c) if r is None else np.ravel(floating(r))
    values = np.concatenate([c[::-1], r[1:]])
    m, n = c.shape[0], r.shape[0]
    return values[np.arange(n)[None, :] - np.arange(m)[:, None] + m - 1]


@face(original.circulant)
def circulant(c: Any) -> Any:
    """Same as `scipy.linalg.circulant` for vectors."""
    c = np.ravel(floating(c))
    n = c.shape[0]
    return c[(np.arange(n)[:, None] - np.arange(n)[None, :]) % n]


@face(original.hankel)
def hankel(c: Any, r: Any = None) -> Any:
    """Same as `scipy.linalg.hankel`."""
    c = np.ravel(floating(c))
    r = np.zeros_like(c) if r is None else np.ravel(floating(r))
    values = np.concatenate([c, r[1:]])
    return values[np.arange(c.shape[0])[:, None] + np.arange(r.shape[0])[None, :]]


@face(original.companion)
def companion(a: Any) -> Any:
    """Same as `scipy.linalg.companion` for vectors."""
    a = floating(a)
    n = a.shape[0] - 1
    return np.concatenate([np.reshape(-a[1:] / a[0], (1, n)), np.eye(n - 1, n)], axis=0)


@face(original.khatri_rao)
def khatri_rao(a: Any, b: Any) -> Any:
    """Same as `scipy.linalg.khatri_rao`."""
    a, b = floating(a), floating(b)
    return np.reshape(np.einsum("ik,jk->ijk", a, b), (a.shape[0] * b.shape[0], a.shape[1]))


@face(original.bandwidth)
def bandwidth(a: Any) -> Any:
    """Same as `scipy.linalg.bandwidth`: integers, which have no derivative."""
    return original.bandwidth(a.numpy())


__all__ += [name for name, value in list(globals().items()) if hasattr(value, "original")]
