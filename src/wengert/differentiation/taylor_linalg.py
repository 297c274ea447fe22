"""Taylor coefficients of matrix factorizations: determinants, triangles, eigenvalues, singular values.

A factorization solves equations that are polynomial in the factors, so coefficient k of the factors solves the
linearized ones: it is the first derivative (the primitive's own jvp) for what coefficient k of the matrix leaves when
the products of lower coefficients are taken away. Factors with orthonormal columns keep Q^H Q = I by a symmetric part of
their own. (Griewank and Walther, Evaluating Derivatives, 2008, section 13.3: Taylor series of implicit functions.)

Each costs K^2 / 2 products of matrices. A rule returns NotImplemented where vectors may also be chosen freely (phases of
complex vectors, columns that complete a basis); their derivatives are then taken one after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitives.base import is_complex, result_dtype, shape_of
from ..primitives.degeneracy import adjoint, diagonal, from_triangle
from ..primitives.linalg_solve import determined, inv
from ..primitives.structural import pick
from ..recording import Traced
from .taylor_rules import RULES, Series, convolve, full, known, minus, plus, rule, scaled


def _product(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a @ b


def _gram(a: Any, b: Any) -> Any:
    return None if a is None or b is None else adjoint(a) @ b


def _inner(q: list[Any], k: int) -> Any:
    """Return the sum of q[j]^H q[k - j] without the terms of order k itself."""
    return convolve(q, q, k, 1, k - 1, _gram)


def _zero_if_none(x: Any, like: Any) -> Any:
    return np.zeros(shape_of(like), result_dtype(like)) if x is None else x


@rule("cholesky")
def _cholesky(order: int, out: Any, args: Any, series: Any, *, primitive: Any) -> Series:
    a, low = full(None, series[0], order), [out]
    for k in range(1, order + 1):
        done = convolve(low, low, k, 1, k - 1, lambda x, y: None if x is None or y is None else x @ adjoint(y))
        rest = plus(a[k], minus(done))
        low.append(None if rest is None else primitive.jvp([rest], out, args[0]))
    return low[1:]


@rule("qr")
def _qr(order: int, out: Any, args: Any, series: Any, *, primitive: Any, **params: Any) -> Any:
    q, r = [pick(out, position=0)], [pick(out, position=1)]
    if shape_of(q[0])[-1] != shape_of(r[0])[-1]:
        return NotImplemented
    a = full(None, series[0], order)
    for k in range(1, order + 1):
        half = scaled(_inner(q, k), 0.5)
        rest = plus(a[k], minus(convolve(q, r, k, 1, k - 1, _product)))
        rest = plus(rest, None if half is None else q[0] @ half @ r[0])
        next_q, next_r = primitive.jvp([_zero_if_none(rest, q[0] @ r[0])], out, args[0], **params)
        q.append(next_q if half is None else next_q - q[0] @ half)
        r.append(next_r)
    return list(zip(q[1:], r[1:], strict=True))


@rule("eigh")
def _eigh(order: int, out: Any, args: Any, series: Any, *, primitive: Any, lower: bool) -> Any:
    w, v = [pick(out, position=0)], [pick(out, position=1)]
    if is_complex(v[0]):
        return NotImplemented
    a = [None, *(None if part is None else from_triangle(part, lower) for part in series[0])]
    vh = adjoint(v[0])
    gaps = np.expand_dims(w[0], -1) - np.expand_dims(w[0], -2)
    for k in range(1, order + 1):
        inner = _inner(v, k)
        rest = plus(a[k], _product(_commutator(a, v, w, k), vh))
        if inner is not None:
            rest = plus(rest, minus(v[0] @ (0.5 * gaps * inner) @ vh))
        next_w, next_v = primitive.jvp([_zero_if_none(rest, v[0])], out, args[0], lower=lower)
        w.append(next_w)
        v.append(next_v if inner is None else next_v - v[0] @ (0.5 * inner))
    return list(zip(w[1:], v[1:], strict=True))


def _commutator(a: list[Any], v: list[Any], w: list[Any], k: int) -> Any:
    """Return the sum of a[j] v[k - j] - v[j] w[k - j] for j = 1 .. k - 1, w diagonal."""
    columns = [np.expand_dims(values, -2) for values in w]
    return plus(convolve(a, v, k, 1, k - 1, _product), minus(convolve(v, columns, k, 1, k - 1)))


@rule("eig")
def _eig(order: int, out: Any, args: Any, series: Any, *, primitive: Any) -> Series:
    w, v = [pick(out, position=0)], [pick(out, position=1)]
    a = full(None, series[0], order)
    inverse = inv(v[0])
    for k in range(1, order + 1):
        rest = plus(a[k], _product(_commutator(a, v, w, k), inverse))
        next_w, next_v = primitive.jvp([_zero_if_none(rest, v[0])], out, args[0])
        norms = convolve(v, v, k, 1, k - 1, lambda x, y: np.sum(np.real(np.conjugate(x) * y), axis=-2, keepdims=True))
        w.append(next_w)
        v.append(next_v if norms is None else next_v - v[0] * (0.5 * norms))
    return list(zip(w[1:], v[1:], strict=True))


@rule("svd")
def _svd(order: int, out: Any, args: Any, series: Any, *, primitive: Any, full: bool) -> Any:
    u, s = [pick(out, position=0)], [pick(out, position=1)]
    v = [adjoint(pick(out, position=2))]
    count = shape_of(s[0])[-1]
    if is_complex(u[0]) or shape_of(u[0])[-1] != count or shape_of(v[0])[-1] != count:
        return NotImplemented
    a = [None, *series[0]]
    scaled_v = [np.expand_dims(s[0], -1) * adjoint(v[0])]  # coefficients of S V^H
    for k in range(1, order + 1):
        of_u, of_v = (scaled(_inner(x, k), 0.5) for x in (u, v))
        inside = convolve(s, v, k, 1, k - 1, lambda x, y: np.expand_dims(x, -1) * adjoint(y))
        rest = plus(a[k], minus(convolve(u, scaled_v, k, 1, k - 1, _product)))
        if inside is not None:
            rest = plus(rest, minus(u[0] @ inside))
            rest = rest + u[0] @ of_u @ scaled_v[0] + (u[0] * np.expand_dims(s[0], -2)) @ adjoint(v[0] @ of_v)
        rest = _zero_if_none(rest, u[0] @ scaled_v[0])
        tangents = primitive.jvp([rest], out, args[0], full=full)
        next_u, next_s, next_v = tangents[0], tangents[1], adjoint(tangents[2])
        u.append(next_u if of_u is None else next_u - u[0] @ of_u)
        v.append(next_v if of_v is None else next_v - v[0] @ of_v)
        s.append(next_s)
        scaled_v.append(convolve(s, v, k, 0, k, lambda x, y: np.expand_dims(x, -1) * adjoint(y)))
    return [(x, y, adjoint(z)) for x, y, z in zip(u[1:], s[1:], v[1:], strict=True)]


@rule("det")
def _det(order: int, out: Any, args: Any, series: Any, *, primitive: Any) -> Any:
    """With u' = trace(a^-1 a'), the logarithmic derivative; NotImplemented for singular or unknown matrices."""
    numbers = args[0]._data if isinstance(args[0], Traced) else args[0]
    if numbers is None or not determined(np.asarray(numbers)):
        return NotImplemented
    a = full(None, series[0], order)
    inverse = inv(args[0])
    z = [inverse, *RULES["inv"](order, inverse, args, series, primitive=inv)]
    turns: list[Any] = []
    for k in range(1, order + 1):
        total = None
        for j in range(1, k + 1):
            if a[j] is not None and z[k - j] is not None:
                total = plus(total, (j / k) * np.sum(diagonal(z[k - j] @ a[j]), axis=-1))
        turns.append(total)
    return RULES["exp"](order, out if known(out) else primitive(args[0]), (None,), (turns,))


@rule("matrix_function")
def _matrix_function(order: int, out: Any, args: Any, series: Any, *, primitive: Any, name: str) -> Series:
    """The first row of blocks of the function of a block Toeplitz matrix: that of the coefficients.

    Najfeld and Havel, "Derivatives of the matrix exponential and their computation", 1995, theorem 4.16.
    """
    a = full(args[0], series[0], order)
    n = shape_of(args[0])[-1]
    nothing = np.zeros(shape_of(args[0]), result_dtype(args[0]))
    parts = [nothing if part is None else part for part in a]
    rows = [np.concatenate([nothing] * i + parts[: order + 1 - i], axis=-1) for i in range(order + 1)]
    result = primitive(np.concatenate(rows, axis=-2), name=name)
    return [result[..., :n, k * n : (k + 1) * n] for k in range(1, order + 1)]


@rule("sylvester")
def _sylvester(order: int, out: Any, args: Any, series: Any, *, primitive: Any) -> Series:
    a, b, q = (full(None, s, order) for s in series)
    x = [out if known(out) else primitive(*args)]
    for k in range(1, order + 1):
        done = plus(convolve(a, x, k, 1, k, _product), convolve(x, b, k, 0, k - 1, _product))
        right = plus(q[k], minus(done))
        x.append(None if right is None else primitive(args[0], args[1], right))
    return x[1:]
