"""Products and solutions with a sparse matrix: linear in the vector, bilinear with the matrix's data.

A matrix is three arrays in SciPy's CSR format: the data, which may be tracked, and the column numbers and row
starts, which are index arrays. Repeated places add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ShapeError
from .base import Primitive, floating_dtype, is_complex, reads_nothing, result_dtype, shape_of
from .indexing import broadcast_to
from .reduction import Unrecorded

Shape = tuple[int, int]


def _row_numbers(starts: Any, count: int) -> Any:
    if np.ndim(starts) == 1:
        return np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    # A batch of matrices: an element's row is how many rows end before it.
    return np.count_nonzero(starts[..., None, 1:] <= np.arange(count)[:, None], axis=-1)


row_numbers: Primitive = Unrecorded(
    "row_numbers",
    _row_numbers,
    abstract=lambda starts, count: ((*shape_of(starts)[:-1], count), np.dtype(np.intp)),
    vjp=None,
    jvp=None,
    batch=lambda size, batched, starts, count: row_numbers(starts, count=count),
    reads=reads_nothing,
    family="sparse",
)
"""The row of each stored element."""


def _matrix(data: np.ndarray, columns: np.ndarray, starts: np.ndarray, shape: Shape) -> Any:
    from scipy.sparse import csr_array

    return csr_array((data, columns, starts), shape=shape)


def _sampled(u: Any, v: Any, columns: Any, starts: Any, transposed: bool) -> Any:
    """Return `u v^H` at the stored places: what the data of a product or solution gets."""
    rows = row_numbers(starts, count=shape_of(columns)[0])
    left, right = (columns, rows) if transposed else (rows, columns)
    product = u[left] * (np.conjugate(v[right]) if is_complex(v) else v[right])
    return np.sum(product, axis=-1) if len(shape_of(product)) > 1 else product


def _conjugated(data: Any) -> Any:
    return np.conjugate(data) if is_complex(data) else data


# ---------------------------------------------------------------- product


def _product(
    data: np.ndarray, x: np.ndarray, columns: np.ndarray, starts: np.ndarray, shape: Shape, transposed: bool
) -> np.ndarray:
    a = _matrix(data, columns, starts, shape)
    out = (a.T if transposed else a) @ x
    return out.astype(np.result_type(data, x), copy=False)


def _product_shape(data: Any, x: Any, columns: Any, starts: Any, shape: Shape, transposed: bool) -> tuple[Any, Any]:
    m, n = shape[::-1] if transposed else shape
    if shape_of(x)[0] != n:
        raise ShapeError(f"a sparse matrix of shape {(m, n)} and an operand of shape {shape_of(x)} do not fit")
    return (m, *shape_of(x)[1:]), result_dtype(data, x)


def _product_vjp(
    ct: Any,
    out: Any,
    data: Any,
    x: Any,
    columns: Any,
    starts: Any,
    needs: Sequence[bool],
    shape: Shape,
    transposed: bool,
) -> tuple[Any, ...]:
    by_data = _sampled(ct, x, columns, starts, transposed) if needs[0] else None
    by_x = None
    if needs[1]:
        by_x = product(_conjugated(data), ct, columns, starts, shape=shape, transposed=not transposed)
    return by_data, by_x, None, None


def _product_jvp(tangents: Sequence[Any], out: Any, data: Any, x: Any, columns: Any, starts: Any, **params: Any) -> Any:
    first = None if tangents[0] is None else product(tangents[0], x, columns, starts, **params)
    second = None if tangents[1] is None else product(data, tangents[1], columns, starts, **params)
    return second if first is None else first if second is None else first + second


def _blocks(size: int, data: Any, columns: Any, starts: Any, shape: Shape) -> tuple[Any, Any, Any, Shape]:
    """Return the block-diagonal matrix of a batch of matrices with one pattern. data: (size, count)"""
    m, n = shape
    count = shape_of(columns)[0]
    steps = np.reshape(np.arange(size), (-1, 1))
    columns = np.ravel(np.expand_dims(columns, 0) + n * steps)
    later = np.ravel(np.expand_dims(starts[1:], 0) + count * steps)
    return np.ravel(data), columns, np.concatenate([starts[:1], later]), (size * m, size * n)


def _batched(primitive: Any) -> Any:
    """Batch a product or solution: more columns for one matrix, a block-diagonal matrix for several."""

    def batch(
        size: int, flags: Sequence[bool], data: Any, x: Any, columns: Any, starts: Any, shape: Shape, transposed: bool
    ) -> Any:
        vector = len(shape_of(x)) - flags[1] == 1
        if flags[0]:
            x = x if flags[1] else broadcast_to(x, shape=(size, *shape_of(x)))
            rest: tuple[int, ...] = () if vector else shape_of(x)[2:]
            inner = shape_of(x)[1]
            outer = shape[0] + shape[1] - inner
            data, columns, starts, shape = _blocks(size, data, columns, starts, shape)
            out = primitive(
                data, np.reshape(x, (size * inner, *rest)), columns, starts, shape=shape, transposed=transposed
            )
            return np.reshape(out, (size, outer, *rest))
        rows = shape_of(x)[1]
        flat = np.reshape(np.moveaxis(x, 0, 1), (rows, -1)) if shape_of(x)[1:] != () else x
        out = primitive(data, flat, columns, starts, shape=shape, transposed=transposed)
        return np.moveaxis(np.reshape(out, (shape_of(out)[0], size, *(() if vector else shape_of(x)[2:]))), 1, 0)

    return batch


product: Primitive = Primitive(
    "sparse_product",
    _product,
    abstract=_product_shape,
    vjp=_product_vjp,
    jvp=_product_jvp,
    batch=lambda *args, **params: _batched(product)(*args, **params),
    reads=lambda i, count: {1 - i, 2, 3} if i < 2 else set(),
    family="sparse",
)
"""A (sparse) times x, or its transpose times x. x: (n,) or (n, k)"""

# ---------------------------------------------------------------- solution


class _Key:
    """A matrix as the key of its factors: equal numbers, equal key."""

    __slots__ = ("digest", "matrix")

    def __init__(self, data: np.ndarray, columns: np.ndarray, starts: np.ndarray, n: int) -> None:
        from hashlib import blake2b

        digest = blake2b(digest_size=16)
        for part in (data, columns, starts):
            digest.update(str(part.dtype).encode())
            digest.update(np.ascontiguousarray(part).view(np.uint8).data)
        self.digest = digest.digest()
        self.matrix = (data, columns, starts, n)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.digest == other.digest


@lru_cache(maxsize=4)
def _factors(key: _Key) -> Any:
    from scipy.sparse.linalg import splu

    data, columns, starts, n = key.matrix
    key.matrix = None  # type: ignore[assignment]  # the factors are what is kept
    return splu(_matrix(data, columns, starts, (n, n)).tocsc())


def _solution(
    data: np.ndarray, b: np.ndarray, columns: np.ndarray, starts: np.ndarray, shape: Shape, transposed: bool
) -> np.ndarray:
    dtype = floating_dtype(data, b)
    wide = np.result_type(dtype, np.float64)
    if not b.size:
        return np.zeros(b.shape, dtype)
    factors = _factors(_Key(np.asarray(data, wide), columns, starts, shape[0]))
    return factors.solve(np.asarray(b, wide), "T" if transposed else "N").astype(dtype, copy=False)


def _solution_shape(data: Any, b: Any, columns: Any, starts: Any, shape: Shape, transposed: bool) -> tuple[Any, Any]:
    if shape[0] != shape[1] or shape_of(b)[0] != shape[0]:
        raise ShapeError(f"spsolve: a matrix of shape {shape} and a right-hand side of shape {shape_of(b)} do not fit")
    return shape_of(b), floating_dtype(data, b)


def _solution_vjp(
    ct: Any,
    out: Any,
    data: Any,
    b: Any,
    columns: Any,
    starts: Any,
    needs: Sequence[bool],
    shape: Shape,
    transposed: bool,
) -> tuple[Any, ...]:
    """Giles 2008, section 2.3.1, at the stored places."""
    by_b = solution(_conjugated(data), ct, columns, starts, shape=shape, transposed=not transposed)
    by_data = -_sampled(by_b, out, columns, starts, transposed) if needs[0] else None
    return by_data, by_b if needs[1] else None, None, None


def _solution_jvp(
    tangents: Sequence[Any], out: Any, data: Any, b: Any, columns: Any, starts: Any, **params: Any
) -> Any:
    right = tangents[1]
    if tangents[0] is not None:
        change = product(tangents[0], out, columns, starts, **params)
        right = -change if right is None else right - change
    return solution(data, right, columns, starts, **params)


solution: Primitive = Primitive(
    "sparse_solution",
    _solution,
    abstract=_solution_shape,
    vjp=_solution_vjp,
    jvp=_solution_jvp,
    batch=lambda *args, **params: _batched(solution)(*args, **params),
    reads=lambda i, count: {0, 2, 3, "out"} if i == 0 else {0, 2, 3},
    family="sparse",
)
"""The solution of `A x = b`, or of `A^T x = b`. Factors of the last few matrices are kept, so that the reverse pass
and repeated right-hand sides pay for one factorization. b: (n,) or (n, k)"""

# ---------------------------------------------------------------- plain SciPy matrices


def is_sparse(x: Any) -> bool:
    """Whether a value is one of SciPy's sparse matrices or arrays; does not import SciPy."""
    return type(x).__module__.startswith("scipy.sparse") and hasattr(x, "tocsr")


def parts(a: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, Shape]:
    """Return data, columns, starts and shape of a plain matrix."""
    csr = a.tocsr()
    return csr.data, csr.indices, csr.indptr, csr.shape


def sparse_times_dense(a: Any, x: Any) -> Any:
    """Return `a @ x` for a plain sparse matrix and a tensor or array of one or two axes."""
    data, columns, starts, shape = parts(a)
    _check(shape[1], x, 0, shape)
    return product(data, x, columns, starts, shape=shape, transposed=False)


def dense_times_sparse(x: Any, a: Any) -> Any:
    """Return `x @ a` for a plain sparse matrix and a tensor or array of one or two axes."""
    data, columns, starts, shape = parts(a)
    _check(shape[0], x, -1, shape)
    if len(shape_of(x)) == 1:
        return product(data, x, columns, starts, shape=shape, transposed=True)
    flipped = product(data, np.swapaxes(x, 0, 1), columns, starts, shape=shape, transposed=True)
    return np.swapaxes(flipped, 0, 1)


def _check(n: int, x: Any, axis: int, shape: Shape) -> None:
    found = shape_of(x)
    if len(found) not in (1, 2) or found[axis] != n:
        raise ShapeError(f"a sparse matrix of shape {shape} and an operand of shape {found} do not fit")


def constant_solve(a: Any, b: Any) -> Any:
    """Return the solution of `a x = b` for a plain sparse matrix; trailing axes of b are columns."""
    data, columns, starts, shape = parts(a)
    flat = np.reshape(b, (shape_of(b)[0], -1)) if len(shape_of(b)) > 2 else b
    return np.reshape(solution(data, flat, columns, starts, shape=shape, transposed=False), shape_of(b))


__all__ = ["constant_solve", "dense_times_sparse", "is_sparse", "parts", "sparse_times_dense"]
