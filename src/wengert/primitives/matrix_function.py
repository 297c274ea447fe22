"""Functions of a matrix by SciPy (expm, logm, sqrtm, ...), Sylvester equations and banded systems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .base import Primitive, broadcast_shape, floating_dtype, is_complex, result_dtype, shape_of
from .degeneracy import adjoint
from .elementwise import align
from .linalg_solve import square
from .pointwise import conjugate_of

# ---------------------------------------------------------------- functions of a matrix


def each_matrix(function: Any, a: np.ndarray, dtype: Any = None) -> np.ndarray:
    """Apply a function of one matrix to a stack of them."""
    if a.ndim == 2:
        return np.asarray(function(a))
    if a.size == 0:
        return np.zeros(a.shape, floating_dtype(a))
    rows = [np.asarray(function(m)) for m in a.reshape(-1, *a.shape[-2:])]
    return np.stack(rows).reshape(a.shape[:-2] + rows[0].shape)


def _evaluate(a: np.ndarray, name: str) -> np.ndarray:
    import scipy.linalg

    function = getattr(scipy.linalg, name)
    out = function(a) if name == "expm" and a.ndim > 2 and a.size else each_matrix(function, a)
    kind = floating_dtype(a)
    if out.dtype != kind and (kind.kind == "c" or out.dtype.kind != "c"):
        out = out.astype(kind)  # the precision of the argument, as for any other function
    return out


def slope(a: Any, direction: Any, name: str) -> Any:
    """Return the Frechet derivative of a function of a matrix: the corner of f([[a, e], [0, a]]).

    Mathias, "A chain rule for matrix functions", SIAM J. Matrix Anal. Appl. 17 (1996), theorem 2.1; for expm see
    Al-Mohy and Higham, SIAM J. Matrix Anal. Appl. 30 (2009). Higher orders follow from composition.
    """
    if is_complex(direction) and not is_complex(a):
        # A real matrix stays one: rounding would push its negative eigenvalues to either side of the branch cut.
        return slope(a, np.real(direction), name) + 1j * slope(a, np.imag(direction), name)
    n = shape_of(a)[-1]
    lead = broadcast_shape(shape_of(a)[:-2], shape_of(direction)[:-2])
    a, direction = (np.broadcast_to(x, lead + (n, n)) for x in (a, direction))
    top = np.concatenate([a, direction], axis=-1)
    bottom = np.concatenate([np.zeros((*lead, n, n), result_dtype(a)), a], axis=-1)
    return matrix_function(np.concatenate([top, bottom], axis=-2), name=name)[..., :n, n:]


def _transposed_slope(a: Any, cotangent: Any, name: str) -> Any:
    """Return the adjoint of a slope: the slope at the transposed matrix.

    At the adjoint matrix it would be the other side of the branch cut for negative eigenvalues. Rows and columns are
    taken in reverse, so that the transpose of a block triangular matrix, which a slope is made of, is one again: else
    rounding splits its double eigenvalues.
    """
    turned = np.swapaxes(a, -1, -2)[..., ::-1, ::-1]
    return conjugate_of(slope(turned, conjugate_of(cotangent)[..., ::-1, ::-1], name)[..., ::-1, ::-1])


def _function_shape(a: Any, name: str) -> tuple[tuple[int, ...], np.dtype]:
    square(shape_of(a), name)
    return shape_of(a), floating_dtype(a)


matrix_function: Primitive = Primitive(
    "matrix_function",
    _evaluate,
    abstract=_function_shape,
    vjp=lambda ct, out, a, needs, name: (_transposed_slope(a, ct, name),),
    jvp=lambda tangents, out, a, name: slope(a, tangents[0], name),
    batch=lambda size, batched, a, name: matrix_function(a, name=name),
    reads=lambda i, count: {0},
    family="linalg",
)
"""A primary matrix function, called as in `scipy.linalg`. A slope costs one evaluation at twice the size."""

# ---------------------------------------------------------------- Sylvester equations


def _sylvester(a: np.ndarray, b: np.ndarray, q: np.ndarray) -> np.ndarray:
    from scipy.linalg import solve_sylvester

    if a.ndim == b.ndim == q.ndim == 2:
        return solve_sylvester(a, b, q)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2], q.shape[:-2])
    a, b, q = (np.broadcast_to(x, lead + x.shape[-2:]).reshape(-1, *x.shape[-2:]) for x in (a, b, q))
    out = [solve_sylvester(*parts) for parts in zip(a, b, q, strict=True)]
    return np.reshape(out, lead + q.shape[-2:]) if out else np.zeros(lead + q.shape[-2:], floating_dtype(a, b, q))


def _sylvester_shape(a: Any, b: Any, q: Any) -> tuple[tuple[int, ...], np.dtype]:
    m, n = square(shape_of(a), "solve_sylvester"), square(shape_of(b), "solve_sylvester")
    if shape_of(q)[-2:] != (m, n):
        raise ShapeError(f"solve_sylvester: shapes {shape_of(a)}, {shape_of(b)} and {shape_of(q)} do not fit")
    lead = broadcast_shape(shape_of(a)[:-2], shape_of(b)[:-2], shape_of(q)[:-2])
    return (*lead, m, n), floating_dtype(a, b, q)


def _sylvester_vjp(ct: Any, out: Any, a: Any, b: Any, q: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    """Kao and Hennequin, "Automatic differentiation of Sylvester, Lyapunov, and algebraic Riccati equations", 2020."""
    by_q = sylvester(adjoint(a), adjoint(b), ct)
    h: Any = adjoint(out) if needs[0] or needs[1] else None  # with q alone, the result is not kept
    return -by_q @ h if needs[0] else None, -h @ by_q if needs[1] else None, by_q if needs[2] else None


def _sylvester_jvp(tangents: Sequence[Any], out: Any, a: Any, b: Any, q: Any) -> Any:
    ta, tb, tq = tangents
    changes = (tq, None if ta is None else -(ta @ out), None if tb is None else -(out @ tb))
    parts: list[Any] = [change for change in changes if change is not None]
    return sylvester(a, b, sum(parts[1:], parts[0]))


sylvester: Primitive = Primitive(
    "sylvester",
    _sylvester,
    abstract=_sylvester_shape,
    vjp=_sylvester_vjp,
    jvp=_sylvester_jvp,
    batch=lambda size, batched, *args: sylvester(*align(batched, args)),
    reads=lambda i, count: {0, 1} if i == 2 else {0, 1, "out"},
    family="linalg",
)
"""Solution of `a x + x b = q`."""

# ---------------------------------------------------------------- banded systems


def _banded(ab: np.ndarray, b: np.ndarray, lower: int, upper: int) -> np.ndarray:
    from scipy.linalg import solve_banded

    if ab.ndim == 2:
        if b.ndim == 2:
            return solve_banded((lower, upper), ab, b, check_finite=False)
        columns = np.moveaxis(b, -2, 0)
        x = solve_banded((lower, upper), ab, columns.reshape(len(columns), -1), check_finite=False)
        return np.moveaxis(x.reshape(columns.shape), 0, -2)
    lead = np.broadcast_shapes(ab.shape[:-2], b.shape[:-2])
    ab, b = (np.broadcast_to(x, lead + x.shape[-2:]) for x in (ab, b))
    out = np.empty(b.shape, floating_dtype(ab, b))
    for i in np.ndindex(lead):
        out[i] = solve_banded((lower, upper), ab[i], b[i], check_finite=False)
    return out


def _shifted(x: Any, step: int) -> Any:
    """Return y with y[j] = x[j + step] along the last axis, 0 where that is outside."""
    n = shape_of(x)[-1]
    step = max(-n, min(n, step))
    zeros = np.zeros((*shape_of(x)[:-1], abs(step)), result_dtype(x))
    if step >= 0:
        return np.concatenate([x[..., step:], zeros], axis=-1)
    return np.concatenate([zeros, x[..., : n + step]], axis=-1)


def _transposed(ab: Any, lower: int, upper: int) -> Any:
    """Return the diagonals of the conjugate transpose, which has `upper` below and `lower` above the main one."""
    rows = [_shifted(ab[..., upper + lower - r, :], r - lower) for r in range(lower + upper + 1)]
    return np.conjugate(np.stack(rows, axis=-2))


def _product(ab: Any, x: Any, lower: int, upper: int) -> Any:
    """Return the banded matrix times the columns of x."""
    columns = np.swapaxes(x, -1, -2)
    total: Any = 0
    for r in range(lower + upper + 1):
        total = total + _shifted(np.expand_dims(ab[..., r, :], -2) * columns, upper - r)
    return np.swapaxes(total, -1, -2)


def _banded_vjp(ct: Any, out: Any, ab: Any, b: Any, needs: Sequence[bool], lower: int, upper: int) -> tuple[Any, ...]:
    by_b = banded_solve(_transposed(ab, lower, upper), ct, lower=upper, upper=lower)
    if not needs[0]:
        return None, by_b
    g, x = np.swapaxes(by_b, -1, -2), np.conjugate(np.swapaxes(out, -1, -2))
    rows = [-np.sum(_shifted(g, r - upper) * x, axis=-2) for r in range(lower + upper + 1)]
    return np.stack(rows, axis=-2), by_b if needs[1] else None


def _banded_jvp(tangents: Sequence[Any], out: Any, ab: Any, b: Any, lower: int, upper: int) -> Any:
    ta, tb = tangents
    right = tb
    if ta is not None:
        change = -_product(ta, out, lower, upper)
        right = change if tb is None else tb + change
    return banded_solve(ab, right, lower=lower, upper=upper)


def _banded_shape(ab: Any, b: Any, lower: int, upper: int) -> tuple[tuple[int, ...], np.dtype]:
    shape, right = shape_of(ab), shape_of(b)
    if shape[-2] != lower + upper + 1 or right[-2] != shape[-1]:
        raise ShapeError(
            f"solve_banded: {lower} diagonals below and {upper} above do not fit shapes {shape} and {right}"
        )
    return (*broadcast_shape(shape[:-2], right[:-2]), *right[-2:]), floating_dtype(ab, b)


banded_solve: Primitive = Primitive(
    "banded_solve",
    _banded,
    abstract=_banded_shape,
    vjp=_banded_vjp,
    jvp=_banded_jvp,
    batch=lambda size, batched, ab, b, **params: banded_solve(*align(batched, (ab, b)), **params),
    reads=lambda i, count: {0, "out"} if i == 0 else {0},
    family="linalg",
)
"""Solution of a banded system with columns, the diagonals stored as in `scipy.linalg.solve_banded`."""
