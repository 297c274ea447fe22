"""Solving and factoring without eigenvalues: solve, triangular solve, inv, pinv, det, slogdet, cholesky.

All act on the last two axes; leading axes broadcast. For the rules see Giles, "An extended collection of matrix
derivative results for forward and reverse mode algorithmic differentiation", 2008 (real case; here with
conjugate transposes, for gradients that point in the direction of steepest ascent).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .base import Primitive, broadcast_shape, floating_dtype, is_complex, shape_of
from .degeneracy import adjoint, diagonal, eye_like, from_triangle, real_dtype, real_if, to_triangle
from .elementwise import align
from .structural import pick


def square(shape: tuple[int, ...], name: str) -> int:
    """Return n of a stack of n x n matrices."""
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ShapeError(f"{name}: the last two axes of shape {shape} are not those of a square matrix")
    return shape[-1]


# ---------------------------------------------------------------- solve


def _solved(a: Any, b: Any, **_: Any) -> tuple[tuple[int, ...], np.dtype]:
    n = square(shape_of(a), "solve")
    shape = shape_of(b)
    if len(shape) < 2 or shape[-2] != n:
        raise ShapeError(f"solve: a matrix of shape {shape_of(a)} and a right-hand side of shape {shape} do not fit")
    return (*broadcast_shape(shape_of(a)[:-2], shape[:-2]), n, shape[-1]), floating_dtype(a, b)


def _solve_vjp(ct: Any, out: Any, a: Any, b: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    """Giles 2008, section 2.3.1."""
    by_b = solve(adjoint(a), ct)
    return -by_b @ adjoint(out) if needs[0] else None, by_b if needs[1] else None


def _solve_jvp(tangents: Sequence[Any], out: Any, a: Any, b: Any) -> Any:
    ta, tb = tangents
    right = None if ta is None else -ta @ out
    right = tb if right is None else right if tb is None else tb + right
    return solve(a, right)


solve: Primitive = Primitive(
    "solve",
    np.linalg.solve,
    abstract=_solved,
    vjp=_solve_vjp,
    jvp=_solve_jvp,
    batch=lambda size, batched, a, b: solve(*align(batched, (a, b))),
    reads=lambda i, count: {0, "out"} if i == 0 else {0},
    family="linalg",
)
"""Solution of `a x = b`, where b has columns: (..., n, n), (..., n, k) -> (..., n, k)."""


def _triangle(x: Any, lower: bool, unit: bool) -> Any:
    return np.tril(x, -1 if unit else 0) if lower else np.triu(x, 1 if unit else 0)


def _solve_triangular(a: np.ndarray, b: np.ndarray, lower: bool, unit: bool) -> np.ndarray:
    from scipy.linalg import solve_triangular

    dtype = floating_dtype(a, b)
    if a.ndim == 2 and b.ndim == 2:
        if not b.size:
            return np.zeros(b.shape, dtype)
        return solve_triangular(a, b, lower=lower, unit_diagonal=unit, check_finite=False).astype(dtype, copy=False)
    n, k = b.shape[-2:]
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if n * max(n, k) < 4096:  # many small systems: the loop in C wins, and pivoting changes nothing but rounding
        t = _triangle(a, lower, unit)
        return np.linalg.solve(t + np.eye(n, dtype=t.dtype) if unit else t, b)
    a = np.broadcast_to(a, lead + (n, n)).reshape(-1, n, n)
    b = np.broadcast_to(b, lead + (n, k)).reshape(-1, n, k)
    out = np.empty(b.shape, dtype)
    for i in range(len(out)):
        out[i] = solve_triangular(a[i], b[i], lower=lower, unit_diagonal=unit, check_finite=False)
    return out.reshape(lead + (n, k))


def _triangular_vjp(
    ct: Any, out: Any, a: Any, b: Any, needs: Sequence[bool], lower: bool, unit: bool
) -> tuple[Any, ...]:
    """Giles 2008, section 2.3.1, restricted to the triangle that is read."""
    by_b = triangular_solve(adjoint(a), ct, lower=not lower, unit=unit)
    by_a = _triangle(-by_b @ adjoint(out), lower, unit) if needs[0] else None
    return by_a, by_b if needs[1] else None


def _triangular_jvp(tangents: Sequence[Any], out: Any, a: Any, b: Any, lower: bool, unit: bool) -> Any:
    ta, tb = tangents
    right = None if ta is None else -_triangle(ta, lower, unit) @ out
    right = tb if right is None else right if tb is None else tb + right
    return triangular_solve(a, right, lower=lower, unit=unit)


triangular_solve: Primitive = Primitive(
    "triangular_solve",
    _solve_triangular,
    abstract=_solved,
    vjp=_triangular_vjp,
    jvp=_triangular_jvp,
    batch=lambda size, batched, a, b, **params: triangular_solve(*align(batched, (a, b)), **params),
    reads=lambda i, count: {0, "out"} if i == 0 else {0},
    family="linalg",
)
"""Solution of `a x = b` where only one triangle of `a` is read."""

# ---------------------------------------------------------------- inverses


def _inverted(a: Any) -> tuple[tuple[int, ...], np.dtype]:
    square(shape_of(a), "inv")
    return shape_of(a), floating_dtype(a)


def _inv_vjp(ct: Any, out: Any, a: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    """Giles 2008, section 2.2.3."""
    h = adjoint(out)
    return (-h @ ct @ h,)


inv: Primitive = Primitive(
    "inv",
    np.linalg.inv,
    abstract=_inverted,
    vjp=_inv_vjp,
    jvp=lambda tangents, out, a: -out @ tangents[0] @ out,
    batch=lambda size, batched, x: inv(x),
    reads=lambda i, count: {"out"},
    family="linalg",
)


def _pinv_vjp(ct: Any, out: Any, a: Any, needs: Sequence[bool], rtol: float | None) -> tuple[Any, ...]:
    """Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973), equation 4.12, transposed. The rank is constant."""
    ph, ch = adjoint(out), adjoint(ct)
    first = -ph @ ct @ ph
    second = ch @ out @ ph
    third = ph @ out @ ch
    return (first + second - a @ (out @ second) + third - (third @ out) @ a,)


def _pinv_jvp(tangents: Sequence[Any], out: Any, a: Any, rtol: float | None) -> Any:
    """Golub and Pereyra 1973, equation 4.12."""
    t = tangents[0]
    th, ph = adjoint(t), adjoint(out)
    second = out @ (ph @ th)
    third = th @ (ph @ out)
    return -out @ t @ out + second - (second @ a) @ out + third - out @ (a @ third)


pinv: Primitive = Primitive(
    "pinv",
    lambda a, rtol: np.linalg.pinv(a) if rtol is None else np.linalg.pinv(a, rtol),
    abstract=lambda a, rtol: ((*shape_of(a)[:-2], shape_of(a)[-1], shape_of(a)[-2]), floating_dtype(a)),
    vjp=_pinv_vjp,
    jvp=_pinv_jvp,
    batch=lambda size, batched, x, **params: pinv(x, **params),
    reads=lambda i, count: {0, "out"},
    family="linalg",
)


def _least_squares(a: np.ndarray, b: np.ndarray, rcond: float | None) -> np.ndarray:
    if a.ndim == 2 and b.ndim == 2:
        return np.linalg.lstsq(a, b, rcond=rcond)[0]
    limit = float(np.finfo(floating_dtype(a)).eps) * max(a.shape[-2:]) if rcond is None else rcond
    return np.linalg.pinv(a, limit) @ b


def _least_squares_vjp(ct: Any, out: Any, a: Any, b: Any, needs: Sequence[bool], rcond: float | None) -> Any:
    """The transpose of `_least_squares_jvp`."""
    p = pinv(a, rtol=rcond)
    by_b = adjoint(p) @ ct
    if not needs[0]:
        return None, by_b
    rest = b - a @ out
    xh, ch = adjoint(out), adjoint(ct)
    outside = ct - p @ (a @ ct)
    by_a = -by_b @ xh + (rest @ ch) @ (p @ adjoint(p)) + (adjoint(p) @ out) @ adjoint(outside)
    return by_a, by_b if needs[1] else None


def _least_squares_jvp(tangents: Sequence[Any], out: Any, a: Any, b: Any, rcond: float | None) -> Any:
    """Golub and Pereyra 1973, equation 4.12, applied to b. The rank is constant."""
    p = pinv(a, rtol=rcond)
    ta, tb = tangents
    total = None if tb is None else p @ tb
    if ta is not None:
        th = adjoint(ta)
        inside = p @ (adjoint(p) @ (th @ (b - a @ out)) - ta @ out)
        outside = th @ (adjoint(p) @ out)
        change = inside + outside - p @ (a @ outside)
        total = change if total is None else total + change
    return total


least_squares: Primitive = Primitive(
    "lstsq",
    _least_squares,
    abstract=lambda a, b, rcond: (
        (*broadcast_shape(shape_of(a)[:-2], shape_of(b)[:-2]), shape_of(a)[-1], shape_of(b)[-1]),
        floating_dtype(a, b),
    ),
    vjp=_least_squares_vjp,
    jvp=_least_squares_jvp,
    batch=lambda size, batched, a, b, rcond: least_squares(*align(batched, (a, b)), rcond=rcond),
    reads=lambda i, count: {0, 1, "out"} if i == 0 else {0},
    family="linalg",
)
"""Least-squares solution of least norm of `a x = b`, where b has columns."""

# ---------------------------------------------------------------- determinants


def _without(s: np.ndarray) -> np.ndarray:
    """Return, for each element, the product of all others along the last axis."""
    ones = np.ones((*s.shape[:-1], 1), s.dtype)
    before = np.cumprod(np.concatenate([ones, s[..., :-1]], -1), -1)
    after = np.cumprod(np.concatenate([ones, s[..., :0:-1]], -1), -1)[..., ::-1]
    return before * after


def _without_pairs(s: np.ndarray) -> np.ndarray:
    """Return at (i, j) the product of all elements but i and j along the last axis; 0 on the diagonal."""
    n = s.shape[-1]
    rest = np.broadcast_to(s[..., None, :], (*s.shape, n)).copy()
    rest[..., np.arange(n), np.arange(n)] = 1
    out = _without(rest)
    out[..., np.arange(n), np.arange(n)] = 0
    return out


def _phase(a: np.ndarray) -> np.ndarray:
    """Return the determinant of unitary matrices, exactly 1 or -1 for real ones."""
    d = np.linalg.det(a)
    return np.sign(d) if d.dtype.kind == "f" else d / np.abs(d)


def _well_conditioned(a: np.ndarray) -> np.ndarray | None:
    """Return the inverse, None if a matrix is too close to singular for it to be accurate."""
    try:
        inverse = np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return None
    size = np.abs(a).sum(-1).max(-1, initial=0) * np.abs(inverse).sum(-1).max(-1, initial=0)
    return inverse if np.all(size * float(np.finfo(inverse.dtype).eps) < 1e-6) else None


def determined(a: np.ndarray) -> bool:
    """Whether no matrix is too close to singular for its inverse to be accurate."""
    return _well_conditioned(a) is not None


def _adjugate(a: np.ndarray) -> np.ndarray:
    if a.shape[-1] == 0:
        return np.zeros(a.shape, floating_dtype(a))
    inverse = _well_conditioned(a)
    if inverse is not None:
        return np.linalg.det(a)[..., None, None] * inverse
    u, s, vh = np.linalg.svd(a)
    scale = _phase(u @ vh)[..., None]
    return adjoint(vh) @ ((scale * _without(s))[..., None] * adjoint(u))


def _adjugate_slope(a: np.ndarray, h: np.ndarray) -> np.ndarray:
    n = a.shape[-1]
    if n < 2:
        return np.zeros(np.broadcast_shapes(a.shape, h.shape), floating_dtype(a, h))
    inverse = _well_conditioned(a)
    if inverse is not None:
        p = inverse @ h
        det = np.linalg.det(a)[..., None, None]
        return det * (np.trace(p, axis1=-2, axis2=-1)[..., None, None] * inverse - p @ inverse)
    u, s, vh = np.linalg.svd(a)
    k = adjoint(u) @ h @ adjoint(vh)
    pairs = _without_pairs(s)
    own = np.diagonal(k, 0, -2, -1)
    inner = -k * pairs
    inner[..., np.arange(n), np.arange(n)] = (pairs @ own[..., None])[..., 0]
    return _phase(u @ vh)[..., None, None] * (adjoint(vh) @ inner @ adjoint(u))


def _trace(x: Any) -> Any:
    return np.sum(diagonal(x), axis=-1)


def _second_slope(a: Any, h: Any, k: Any) -> Any:
    """Second derivative of the adjugate in directions h and k, from an inverse."""
    b = inv(a)
    p, q = b @ h, b @ k
    tp, tq = (np.expand_dims(_trace(x), (-2, -1)) for x in (p, q))
    pq = p @ q
    inner = (tp * tq - np.expand_dims(_trace(pq), (-2, -1))) * b - tq * (p @ b) - tp * (q @ b)
    return np.expand_dims(det(a), (-2, -1)) * (inner + pq @ b + q @ (p @ b))


def _slope_vjp(ct: Any, out: Any, a: Any, h: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    # All derivatives of a determinant are symmetric forms, so each slope is its own transpose.
    by_a = adjoint(_second_slope(a, h, adjoint(ct))) if needs[0] else None
    return by_a, adjoint(adjugate_slope(a, adjoint(ct))) if needs[1] else None


def _slope_jvp(tangents: Sequence[Any], out: Any, a: Any, h: Any) -> Any:
    ta, th = tangents
    first = None if th is None else adjugate_slope(a, th)
    second = None if ta is None else _second_slope(a, h, ta)
    return second if first is None else first if second is None else first + second


adjugate_slope: Primitive = Primitive(
    "adjugate_slope",
    _adjugate_slope,
    abstract=lambda a, h: (broadcast_shape(shape_of(a), shape_of(h)), floating_dtype(a, h)),
    vjp=_slope_vjp,
    jvp=_slope_jvp,
    batch=lambda size, batched, a, h: adjugate_slope(*align(batched, (a, h))),
    reads=lambda i, count: {0, 1},
    family="linalg",
)
"""Derivative of the adjugate of `a` in direction `h`, for singular matrices too.

From the singular value decomposition: with K = U^H h V the slope is V L U^H up to det(U V^H), where L has
-K_ij times the product of all singular values but i and j, and on its diagonal the sums of K_kk times them.
"""

adjugate: Primitive = Primitive(
    "adjugate",
    _adjugate,
    abstract=lambda a: (shape_of(a), floating_dtype(a)),
    vjp=lambda ct, out, a, needs: (adjoint(adjugate_slope(a, adjoint(ct))),),
    jvp=lambda tangents, out, a: adjugate_slope(a, tangents[0]),
    batch=lambda size, batched, x: adjugate(x),
    reads=lambda i, count: {0},
    family="linalg",
)
"""Transposed cofactors: `det(a) inv(a)`, for singular matrices too (from the singular value decomposition)."""


def _det_of(a: Any) -> tuple[tuple[int, ...], np.dtype]:
    square(shape_of(a), "det")
    return shape_of(a)[:-2], floating_dtype(a)


det: Primitive = Primitive(
    "det",
    np.linalg.det,
    abstract=_det_of,
    # Jacobi's formula; Magnus and Neudecker, "Matrix Differential Calculus", chapter 8, section 3
    vjp=lambda ct, out, a, needs: (np.expand_dims(ct, (-2, -1)) * adjoint(adjugate(a)),),
    jvp=lambda tangents, out, a: np.sum(np.swapaxes(adjugate(a), -1, -2) * tangents[0], axis=(-2, -1)),
    batch=lambda size, batched, x: det(x),
    reads=lambda i, count: {0},
    family="linalg",
)


def _slogdet(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sign, size = np.linalg.slogdet(a)
    return np.asarray(sign), np.asarray(size)


def _slogdet_vjp(ct: Any, out: Any, a: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    """Giles 2008, section 2.2.4; the sign of a complex determinant turns with the imaginary part."""
    by_sign, by_size = ct
    factor = by_size
    if by_sign is not None and is_complex(a):
        turn = -np.imag(np.conjugate(by_sign) * pick(out, position=0))
        factor = 1j * turn if factor is None else factor + 1j * turn
    if factor is None:
        return (None,)
    return (np.expand_dims(factor, (-2, -1)) * adjoint(inv(a)),)


def _slogdet_jvp(tangents: Sequence[Any], out: Any, a: Any) -> Any:
    turn = np.sum(np.swapaxes(inv(a), -1, -2) * tangents[0], axis=(-2, -1))
    if not is_complex(a):
        return None, turn
    return 1j * np.imag(turn) * pick(out, position=0), np.real(turn)


slogdet: Primitive = Primitive(
    "slogdet",
    _slogdet,
    abstract=lambda a: (
        (shape_of(a)[:-2],) * 2,
        (floating_dtype(a), floating_dtype(real_dtype(a))),
    ),
    vjp=_slogdet_vjp,
    jvp=_slogdet_jvp,
    batch=lambda size, batched, x: slogdet(x),
    reads=lambda i, count: {0, "out"},
    family="linalg",
)
"""Sign and logarithm of the magnitude of the determinant."""

# ---------------------------------------------------------------- cholesky


def _half(x: Any) -> Any:
    """Lower triangle with half the (real) diagonal."""
    return np.tril(x, -1) + 0.5 * eye_like(x) * real_if(x)


def _cholesky_vjp(ct: Any, out: Any, a: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    """Murray, "Differentiation of the Cholesky decomposition", 2016, equation 10; the lower triangle is read."""
    h = adjoint(out)
    middle = _half(h @ ct)
    left = triangular_solve(h, middle, lower=False, unit=False)
    whole = adjoint(triangular_solve(h, adjoint(left), lower=False, unit=False))
    return (to_triangle(0.5 * (whole + adjoint(whole)), True),)


def _cholesky_jvp(tangents: Sequence[Any], out: Any, a: Any) -> Any:
    """Murray 2016, equation 8."""
    t = from_triangle(tangents[0], True)
    left = triangular_solve(out, t, lower=True, unit=False)
    both = adjoint(triangular_solve(out, adjoint(left), lower=True, unit=False))
    return out @ _half(both)


cholesky: Primitive = Primitive(
    "cholesky",
    np.linalg.cholesky,
    abstract=_inverted,
    vjp=_cholesky_vjp,
    jvp=_cholesky_jvp,
    batch=lambda size, batched, x: cholesky(x),
    reads=lambda i, count: {"out"},
    family="linalg",
)
"""Lower Cholesky factor; the upper triangle of the argument is not read, so the derivative by it is 0."""
