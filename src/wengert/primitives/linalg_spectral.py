"""Eigenvalues, singular values and QR: primitives with several outputs whose vectors can be chosen freely.

A rule divides by gaps between values (see `degeneracy`): results that do not depend on the choice of vectors
are right where values coincide, others raise `Degenerate`. Derivatives of vectors are those without rotation
among vectors of one value and without change of phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .base import Primitive, floating_dtype, result_dtype, shape_of
from .degeneracy import (
    adjoint,
    eye_like,
    from_triangle,
    off_zero,
    quotient,
    real_dtype,
    real_if,
    regular,
    same_on_ties,
    tied_values,
    to_triangle,
    turn,
    vanishing,
)
from .linalg_solve import solve, square, triangular_solve
from .structural import Deferred, pick, stop_gradient


def _differences(values: Any) -> Any:
    """Return at (i, j) value j minus value i."""
    return np.expand_dims(values, -2) - np.expand_dims(values, -1)


def _sums(values: Any) -> Any:
    return np.expand_dims(values, -2) + np.expand_dims(values, -1)


def _skew(x: Any) -> Any:
    return x - adjoint(x)


def _columns(values: Any) -> Any:
    return np.expand_dims(values, -2)


# ---------------------------------------------------------------- Hermitian eigenvalues


def _eigh(a: np.ndarray, lower: bool) -> tuple[np.ndarray, np.ndarray]:
    w, v = np.linalg.eigh(a, "L" if lower else "U")
    turn(w, v)
    return w, v


def _eigh_shape(a: Any, lower: bool) -> tuple[Any, Any]:
    square(shape_of(a), "eigh")
    return (shape_of(a)[:-1], shape_of(a)), (floating_dtype(real_dtype(a)), floating_dtype(a))


def _eigh_vjp(ct: Any, out: Any, a: Any, needs: Sequence[bool], lower: bool) -> tuple[Any, ...]:
    """Giles 2008, section 3.1; only one triangle is read."""
    by_w, by_v = ct
    w, v = pick(out, position=0), pick(out, position=1)
    inner = None
    if by_v is not None:
        m = adjoint(v) @ by_v
        inner = quotient(0.5 * _skew(m), _differences(w), by_v, w, what="eigenvalues", own=True)
    if by_w is not None:
        by_w = same_on_ties(by_w, w, what="eigenvalues", strict=False)
        if inner is None:
            return (to_triangle((v * _columns(by_w)) @ adjoint(v), lower),)
        inner = inner + eye_like(v) * _columns(by_w)
    if inner is None:
        return (None,)
    return (to_triangle(v @ inner @ adjoint(v), lower),)


def _eigh_jvp(tangents: Sequence[Any], out: Any, a: Any, lower: bool) -> Any:
    """Giles 2008, section 3.1; Magnus, "On differentiating eigenvalues and eigenvectors", 1985, theorem 1."""
    w, v = pick(out, position=0), pick(out, position=1)
    m = adjoint(v) @ from_triangle(tangents[0], lower) @ v
    return Deferred(
        lambda: tied_values(m, w, order="ascending"),
        lambda: v @ quotient(m * (1 - eye_like(v)), _differences(w), m, w, what="eigenvalues", own=True),
    )


eigh: Primitive = Primitive(
    "eigh",
    _eigh,
    abstract=_eigh_shape,
    vjp=_eigh_vjp,
    jvp=_eigh_jvp,
    batch=lambda size, batched, x, **params: eigh(x, **params),
    reads=lambda i, count: {"out"},
    family="linalg",
)
"""Eigenvalues, ascending, and eigenvectors of Hermitian matrices; one triangle is read."""

# ---------------------------------------------------------------- general eigenvalues


def _eig(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    w, v = np.linalg.eig(a)
    kind = np.result_type(w.dtype, np.complex64)
    w, v = w.astype(kind, copy=False), v.astype(kind, copy=False)
    before = v.copy()
    if turn(w, v, unitary=a.dtype.kind == "c"):
        v = _normalized(v, before)
    return w, v


def _normalized(v: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Give turned vectors norm 1 and a real largest element, as LAPACK does."""
    changed = np.any(v != before, axis=-2, keepdims=True)
    top = np.take_along_axis(v, np.argmax(np.abs(v), axis=-2)[..., None, :], axis=-2)
    scaled = v / np.linalg.norm(v, axis=-2, keepdims=True) * np.conjugate(top) / np.abs(top)
    scaled = np.where(v == top, scaled.real, scaled)
    return np.where(changed, scaled, v)


def _complex_dtype(x: Any) -> np.dtype:
    return np.result_type(floating_dtype(x), np.complex64)


def _pivot(v: Any) -> Any:
    """Return, per column, the row that LAPACK makes real: the largest element with no imaginary part."""
    return np.expand_dims(np.argmax(np.where(np.equal(np.imag(v), 0), np.abs(v), -1.0), axis=-2), -2)


def _take_row(x: Any, rows: Any) -> Any:
    return np.take_along_axis(x, rows, axis=-2)


def _eig_vjp(ct: Any, out: Any, a: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    """Giles 2008, section 3.1, for vectors of norm 1 whose largest element is real, as LAPACK returns them."""
    by_w, by_v = ct
    w = pick(out, position=0)
    v = regular(pick(out, position=1), what="eigenvectors")
    vh = adjoint(v)
    inner = None
    if by_v is not None:
        along = np.sum(np.conjugate(by_v) * v, axis=-2, keepdims=True)
        rows = _pivot(stop_gradient(v))
        turn = np.imag(along) / np.real(_take_row(v, rows))
        places = np.equal(rows, np.reshape(np.arange(shape_of(v)[-1]), (-1, 1)))
        by_u = by_v - v * np.real(along) + 1j * np.where(places, turn, 0)
        m = vh @ by_u
        off = m * (1 - eye_like(v))
        inner = quotient(off, np.conjugate(_differences(w)), by_u, w, what="eigenvalues", own=True)
    if by_w is not None:
        by_w = same_on_ties(by_w, w, what="eigenvalues", strict=False)
        diagonal_part = eye_like(v) * _columns(by_w)
        inner = diagonal_part if inner is None else inner + diagonal_part
    if inner is None:
        return (None,)
    return (solve(vh, inner @ vh),)


def _eig_jvp(tangents: Sequence[Any], out: Any, a: Any) -> Any:
    """Giles 2008, section 3.1; Magnus 1985, theorem 2."""
    w = pick(out, position=0)
    v = regular(pick(out, position=1), what="eigenvectors")
    m = solve(v, tangents[0] @ v)

    def vectors() -> Any:
        u = v @ quotient(m * (1 - eye_like(v)), _differences(w), m, w, what="eigenvalues", own=True)
        along = np.real(np.sum(np.conjugate(v) * u, axis=-2, keepdims=True))
        rows = _pivot(stop_gradient(v))
        turn = np.imag(_take_row(u, rows)) / np.real(_take_row(v, rows))
        return u - v * along - 1j * (v * turn)

    return Deferred(lambda: tied_values(m, w, order="any"), vectors)


def _eig_shape(a: Any) -> tuple[Any, Any]:
    square(shape_of(a), "eig")
    return (shape_of(a)[:-1], shape_of(a)), (_complex_dtype(a),) * 2


eig: Primitive = Primitive(
    "eig",
    _eig,
    abstract=_eig_shape,
    vjp=_eig_vjp,
    jvp=_eig_jvp,
    batch=lambda size, batched, x: eig(x),
    reads=lambda i, count: {"out"},
    family="linalg",
)
"""Eigenvalues and eigenvectors of general matrices, always complex."""

# ---------------------------------------------------------------- singular values


def _svd(a: np.ndarray, full: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    u, s, vh = np.linalg.svd(a, full_matrices=full)
    k = s.shape[-1]
    v = adjoint(vh[..., :k, :])
    if turn(s, u[..., :k], v):
        vh[..., :k, :] = adjoint(v)
    return u, s, vh


def _svd_shape(a: Any, full: bool) -> tuple[Any, Any]:
    if len(shape_of(a)) < 2:
        raise ShapeError(f"svd: shape {shape_of(a)} has no two axes")
    *lead, m, n = shape_of(a)
    k = min(m, n)
    dtype, real = floating_dtype(a), floating_dtype(real_dtype(a))
    shapes = ((*lead, m, m if full else k), (*lead, k), (*lead, n if full else k, n))
    return shapes, (dtype, real, dtype)


def _thin(vectors: Any, cotangent: Any, k: int) -> tuple[Any, Any]:
    """Return the first k vectors and their cotangent, that of the remaining vectors turned into one of these.

    The remaining vectors change by `-first @ adjoint(change of first) @ remaining`, up to a rotation among them.
    """
    count = shape_of(vectors)[-1]
    first = vectors[..., :k]
    if cotangent is None or count == k:
        return first, cotangent
    rest, by_rest = vectors[..., k:], cotangent[..., k:]
    nothing = vanishing(_skew(adjoint(rest) @ by_rest), by_rest, "the vectors that complete the basis")
    return first, cotangent[..., :k] - (rest + rest @ nothing) @ (adjoint(by_rest) @ first)


def _svd_vjp(ct: Any, out: Any, a: Any, needs: Sequence[bool], full: bool) -> tuple[Any, ...]:
    """Giles 2008, section 3.2; complex: Wan and Zhang, "Automatic differentiation for complex valued SVD", 2019.

    Written with sums and differences of the two factors' parts, so that what depends on products u vh only
    (a polar factor) is right where singular values coincide.
    """
    by_u, by_s, by_vh = ct
    k = shape_of(pick(out, position=1))[-1]
    if k == 0:
        return (None,)
    s = pick(out, position=1)
    u, by_u = _thin(pick(out, position=0), by_u, k)
    v, by_v = _thin(adjoint(pick(out, position=2)), None if by_vh is None else adjoint(by_vh), k)
    vh = adjoint(v)
    inner = None
    if by_s is not None:
        if by_u is None and by_v is None:
            by_s = same_on_ties(off_zero(by_s, s, strict=False), s, what="singular values", strict=False)
            return ((u * _columns(by_s)) @ vh,)
        by_s = same_on_ties(off_zero(by_s, s, strict=True), s, what="singular values", strict=False)
        inner = eye_like(u[..., :k, :]) * _columns(by_s)
    if by_u is None and by_v is None:
        return (None,)
    m_u = None if by_u is None else adjoint(u) @ by_u
    m_v = None if by_v is None else vh @ by_v
    together, apart = _sum_and_difference(m_u, m_v)
    size = by_v if by_u is None else by_u if by_v is None else np.concatenate([by_u, by_v], axis=-2)
    turned = 0.5 * (
        quotient(together, _differences(s), size, s, what="singular values", own=True)
        + quotient(apart, _sums(s), size, s, what="singular values and zero")
    )
    inner = turned if inner is None else inner + turned
    total = u @ inner @ vh
    if by_u is not None and shape_of(u)[-2] > k:
        outside = by_u - u @ m_u
        total = total + quotient(outside, _columns(s), by_u, s, what="singular values and zero") @ vh
    if by_v is not None and shape_of(v)[-2] > k:
        outside = by_v - v @ m_v
        total = total + u @ adjoint(quotient(outside, _columns(s), by_v, s, what="singular values and zero"))
    return (total,)


def _sum_and_difference(m_u: Any, m_v: Any) -> tuple[Any, Any]:
    if m_u is None:
        skew = _skew(m_v)
        return skew, -skew
    if m_v is None:
        skew = _skew(m_u)
        return skew, skew
    x, y = _skew(m_u), _skew(m_v)
    return x + y, x - y


def _svd_jvp(tangents: Sequence[Any], out: Any, a: Any, full: bool) -> Any:
    """Giles 2008, section 3.2; Townsend, "Differentiating the singular value decomposition", 2016."""
    t = tangents[0]
    s = pick(out, position=1)
    k = shape_of(s)[-1]
    all_u, all_v = pick(out, position=0), adjoint(pick(out, position=2))
    u, v = all_u[..., :k], all_v[..., :k]
    p = adjoint(u) @ t @ v
    ph = adjoint(p)

    def values() -> Any:
        return off_zero(tied_values(p, s, order="descending"), s, strict=False)

    def rotations(sign: float) -> Any:
        off = (p + ph) * (1 - eye_like(p))
        together = quotient(off, _differences(s), p, s, what="singular values", own=True)
        apart = quotient(p - ph, _sums(s), p, s, what="singular values and zero")
        return 0.5 * (together + sign * apart)

    def change(first: Any, everything: Any, image: Any, sign: float) -> Any:
        moved = first @ rotations(sign)
        if shape_of(first)[-2] > k:
            outside = image - first @ (adjoint(first) @ image)
            moved = moved + quotient(outside, _columns(s), image, s, what="singular values and zero")
        rest = everything[..., k:]
        if shape_of(rest)[-1] == 0:
            return moved
        return np.concatenate([moved, -first @ (adjoint(moved) @ rest)], axis=-1)

    return Deferred(
        lambda: change(u, all_u, t @ v, 1.0), values, lambda: adjoint(change(v, all_v, adjoint(t) @ u, -1.0))
    )


svd: Primitive = Primitive(
    "svd",
    _svd,
    abstract=_svd_shape,
    vjp=_svd_vjp,
    jvp=_svd_jvp,
    batch=lambda size, batched, x, **params: svd(x, **params),
    reads=lambda i, count: {"out"},
    family="linalg",
)
"""Left vectors, singular values (descending) and conjugate transposed right vectors."""

# ---------------------------------------------------------------- qr


def _qr(a: np.ndarray, full: bool) -> tuple[np.ndarray, np.ndarray]:
    q, r = np.linalg.qr(a, "complete" if full else "reduced")
    return q, r


def _qr_shape(a: Any, full: bool) -> tuple[Any, Any]:
    *lead, m, n = shape_of(a)
    k = m if full else min(m, n)
    return ((*lead, m, k), (*lead, k, n)), (floating_dtype(a),) * 2


def _real_diagonal(x: Any) -> Any:
    return eye_like(x) * real_if(x)


def _qr_vjp(ct: Any, out: Any, a: Any, needs: Sequence[bool], full: bool) -> tuple[Any, ...]:
    """Walter and Lehmann, Optim. Methods Softw. 28 (2013); Seeger et al., "Auto-differentiating linear algebra", 2017.

    For at least as many rows as columns; wider matrices are composed of a square part and a product.
    """
    by_q, by_r = ct
    n = shape_of(a)[-1]
    q, by_q = _thin(pick(out, position=0), by_q, n)
    r = pick(out, position=1)[..., :n, :]
    m = None if by_q is None else -adjoint(by_q) @ q
    if by_r is not None:
        through_r = r @ adjoint(by_r[..., :n, :])
        m = through_r if m is None else m + through_r
    if m is None:
        return (None,)
    low = np.tril(m, -1)
    total = q @ (low + adjoint(low) + _real_diagonal(m))
    if by_q is not None:
        total = total + by_q
    return (adjoint(triangular_solve(r, adjoint(total), lower=False, unit=False)),)


def _qr_jvp(tangents: Sequence[Any], out: Any, a: Any, full: bool) -> Any:
    """Walter and Lehmann 2013, proposition 2.1; Roberts and Roberts, "QR and LQ backpropagation", 2020."""
    n = shape_of(a)[-1]
    whole = pick(out, position=0)
    q, r = whole[..., :n], pick(out, position=1)[..., :n, :]
    rh = adjoint(r)
    x = adjoint(triangular_solve(rh, adjoint(tangents[0]), lower=True, unit=False))
    m = adjoint(q) @ x
    upper = np.triu(m, 1) + adjoint(np.tril(m, -1)) + _real_diagonal(m)
    tq, tr = x - q @ upper, upper @ r
    rest = whole[..., n:]
    if shape_of(rest)[-1]:
        tq = np.concatenate([tq, -q @ (adjoint(tq) @ rest)], axis=-1)
        zeros = np.zeros((*shape_of(tr)[:-2], shape_of(rest)[-1], n), result_dtype(tr))
        tr = np.concatenate([tr, zeros], axis=-2)
    return tq, tr


qr: Primitive = Primitive(
    "qr",
    _qr,
    abstract=_qr_shape,
    vjp=_qr_vjp,
    jvp=_qr_jvp,
    batch=lambda size, batched, x, **params: qr(x, **params),
    reads=lambda i, count: {"out"},
    family="linalg",
)
"""Orthonormal columns and an upper triangle with a real diagonal, for matrices that are not wider than high."""

# ---------------------------------------------------------------- lu


def _lu(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.linalg import lu_factor

    if a.ndim == 2:
        lu, pivots = lu_factor(a, check_finite=False)
        return lu, pivots
    parts = [lu_factor(m, check_finite=False) for m in a.reshape(-1, *a.shape[-2:])]
    return (
        np.reshape([lu for lu, _ in parts], a.shape).astype(floating_dtype(a), copy=False),
        np.reshape([pivots for _, pivots in parts], a.shape[:-1]).astype(np.int32),
    )


def _lu_shape(a: Any) -> tuple[Any, Any]:
    square(shape_of(a), "lu_factor")
    return (shape_of(a), shape_of(a)[:-1]), (floating_dtype(a), np.dtype(np.int32))


def rows_of(pivots: Any) -> np.ndarray:
    """Return the permutation that LAPACK's row exchanges make. pivots: (..., n)"""
    pivots = np.asarray(pivots)
    rows = np.broadcast_to(np.arange(pivots.shape[-1]), pivots.shape).copy()
    for place in np.ndindex(pivots.shape[:-1]):
        row = rows[place]
        for i, j in enumerate(pivots[place]):
            row[i], row[j] = row[j], row[i]
    return rows


permutation: Primitive = Primitive(
    "permutation",
    rows_of,
    abstract=lambda pivots: (shape_of(pivots), np.dtype(np.intp)),
    vjp=None,
    jvp=None,
    batch=lambda size, batched, pivots: permutation(pivots),
    family="linalg",
)
"""The order of rows that exchanges of rows lead to."""


def _factors(lu: Any) -> tuple[Any, Any]:
    return np.tril(lu, -1) + eye_like(lu), np.triu(lu)


def _lu_vjp(ct: Any, out: Any, a: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    """The transpose of `_lu_jvp`."""
    if ct[0] is None:
        return (None,)
    low, up = _factors(pick(out, position=0))
    inner = np.tril(adjoint(low) @ np.tril(ct[0], -1), -1) + np.triu(np.triu(ct[0]) @ adjoint(up))
    left = triangular_solve(adjoint(low), inner, lower=False, unit=True)
    both = adjoint(triangular_solve(up, adjoint(left), lower=False, unit=False))
    order = np.argsort(permutation(pick(out, position=1)), axis=-1)
    return (np.take_along_axis(both, np.expand_dims(order, -1), axis=-2),)


def _lu_jvp(tangents: Sequence[Any], out: Any, a: Any) -> Any:
    """Walter and Lehmann, "Algorithmic differentiation of linear algebra functions", 2013; the pivots are constant."""
    low, up = _factors(pick(out, position=0))
    order = permutation(pick(out, position=1))
    t = np.take_along_axis(tangents[0], np.expand_dims(order, -1), axis=-2)
    left = triangular_solve(low, t, lower=True, unit=True)
    inner = adjoint(triangular_solve(adjoint(up), adjoint(left), lower=True, unit=False))
    return low @ np.tril(inner, -1) + np.triu(inner) @ up, None


lu_factor: Primitive = Primitive(
    "lu_factor",
    _lu,
    abstract=_lu_shape,
    vjp=_lu_vjp,
    jvp=_lu_jvp,
    batch=lambda size, batched, x: lu_factor(x),
    reads=lambda i, count: {"out"},
    family="linalg",
)
"""The two triangles of a square matrix in one, and its row exchanges, as `scipy.linalg.lu_factor` returns them."""
