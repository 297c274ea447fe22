"""Same names as `scipy.sparse`, for matrices whose data are tensors.

A plain matrix of SciPy's needs nothing from here: `A @ x` and `x @ A` take tensors as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as original

from ...errors import ShapeError, UnsupportedFunction, user_line
from ...numpy._register import as_array
from ...primitives.base import is_complex, shape_of
from ...primitives.indexing import ARRAY, index_add
from ...primitives.sparse_operand import is_sparse, parts, product, row_numbers
from .._face import floating, holds_tensor
from . import linalg

__all__ = ["SparseTensor", "linalg"]


def __getattr__(name: str) -> Any:
    return getattr(original, name)


class SparseTensor:
    """A sparse matrix of fixed pattern whose data may be tracked. Made by `csr_array` and its kin.

    Parameters
    ----------
    data : Tensor
        The stored elements.
    columns, starts : ndarray
        Column of each stored element, and where each row starts (SciPy's CSR format). Repeated places add up.
    shape : (int, int)
    """

    __array_priority__ = 2000
    __array_ufunc__ = None
    _holds_tensor = True

    def __init__(self, data: Any, columns: np.ndarray, starts: np.ndarray, shape: tuple[int, int]) -> None:
        self.data = data
        self.indices = columns
        self.indptr = starts
        self.shape = (int(shape[0]), int(shape[1]))

    ndim = 2

    @property
    def dtype(self) -> np.dtype:
        """Of the stored elements."""
        return self.data.dtype

    @property
    def nnz(self) -> int:
        """How many elements are stored."""
        return len(self.indices)

    @property
    def T(self) -> SparseTensor:
        """The transpose."""
        return self.transpose()

    def __repr__(self) -> str:
        return f"<sparse tensor of shape {self.shape}, dtype {self.dtype}, {self.nnz} stored elements>"

    def _rows(self) -> np.ndarray:
        return row_numbers(self.indptr, count=self.nnz)

    def _with(self, data: Any) -> SparseTensor:
        return SparseTensor(data, self.indices, self.indptr, self.shape)

    def transpose(self) -> SparseTensor:
        """Return the transpose; the data stay tracked."""
        return _from_places(self.data, self.indices, self._rows(), self.shape[::-1])

    def conj(self) -> SparseTensor:
        """Return the complex conjugate."""
        return self._with(np.conjugate(self.data) if is_complex(self.data) else self.data)

    conjugate = conj

    def tocsr(self, copy: bool = False) -> SparseTensor:
        """Return the matrix itself."""
        return self

    tocsc = tocoo = asformat = copy = tocsr

    def toarray(self) -> Any:
        """Return the dense matrix."""
        return index_add(self.data, self._rows(), self.indices, spec=(ARRAY, ARRAY), shape=self.shape)

    todense = toarray

    def diagonal(self) -> Any:
        """Return the main diagonal."""
        rows = self._rows()
        own = np.flatnonzero(rows == self.indices)
        return index_add(self.data[own], rows[own], spec=(ARRAY,), shape=(min(self.shape),))

    def sum(self, axis: int | None = None) -> Any:
        """Return the sum of all elements, or the sums along an axis."""
        if axis is None:
            return np.sum(self.data)
        axis = axis % 2
        kept = self.indices if axis == 0 else self._rows()
        return index_add(self.data, kept, spec=(ARRAY,), shape=(self.shape[1 - axis],))

    def multiply(self, other: Any) -> SparseTensor:
        """Return the elementwise product with a dense array or number."""
        if is_sparse(other) or isinstance(other, SparseTensor):
            raise _no_rule("the product of two sparse matrices by element")
        other = as_array(other)
        if other.ndim:
            other = np.broadcast_to(other, self.shape)[self._rows(), self.indices]
        return self._with(self.data * other)

    def dot(self, other: Any) -> Any:
        """Return the matrix product."""
        return self @ other

    def __matmul__(self, other: Any) -> Any:
        if is_sparse(other) or isinstance(other, SparseTensor):
            raise _no_rule("the product of two sparse matrices")
        other = as_array(other)
        if other.ndim not in (1, 2) or other.shape[0] != self.shape[1]:
            raise ShapeError(f"a sparse matrix of shape {self.shape} and an operand of shape {other.shape} do not fit")
        return product(self.data, other, self.indices, self.indptr, shape=self.shape, transposed=False)

    def __rmatmul__(self, other: Any) -> Any:
        other = as_array(other)
        if other.ndim not in (1, 2) or other.shape[-1] != self.shape[0]:
            raise ShapeError(f"an operand of shape {other.shape} and a sparse matrix of shape {self.shape} do not fit")
        flipped = np.swapaxes(other, 0, 1) if other.ndim == 2 else other
        out = product(self.data, flipped, self.indices, self.indptr, shape=self.shape, transposed=True)
        return np.swapaxes(out, 0, 1) if other.ndim == 2 else out

    def __mul__(self, other: Any) -> SparseTensor:
        return self.multiply(other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> SparseTensor:
        return self.multiply(1.0 / as_array(other))

    def __neg__(self) -> SparseTensor:
        return self._with(-self.data)

    def __add__(self, other: Any) -> Any:
        if is_sparse(other):
            other = SparseTensor(*parts(other))
        if not isinstance(other, SparseTensor):
            return self.toarray() + other
        if other.shape != self.shape:
            raise ShapeError(f"inconsistent shapes: {self.shape} and {other.shape}")
        rows = np.concatenate([self._rows(), other._rows()])
        columns = np.concatenate([self.indices, other.indices])
        return _from_places(np.concatenate([self.data, other.data]), rows, columns, self.shape)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other


def _no_rule(what: str) -> UnsupportedFunction:
    return UnsupportedFunction(f"{what} has no derivative rule", where=user_line(), hint="A @ (B @ x), or A.toarray()")


def _from_places(data: Any, rows: Any, columns: Any, shape: tuple[int, int]) -> SparseTensor:
    rows, columns = np.asarray(rows), np.asarray(columns)
    for name, places, n in (("row", rows, shape[0]), ("column", columns, shape[1])):
        if places.size and not (places.min() >= 0 and places.max() < n):
            raise ShapeError(f"a {name} index is outside of the shape {shape}")
    if not rows.shape == columns.shape == shape_of(data):
        raise ShapeError(f"data of shape {shape_of(data)}, rows {rows.shape} and columns {columns.shape} do not fit")
    order = np.lexsort((columns, rows))
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=shape[0]))])
    return SparseTensor(data[order], columns[order], starts, shape)


def _extent(given: Any, shape: Any, name: str) -> tuple[int, int]:
    if shape is not None:
        return int(shape[0]), int(shape[1])
    rows, columns = given
    if not len(rows):
        raise ShapeError(f"{name}: the shape of a matrix without elements must be given")
    return int(np.max(rows)) + 1, int(np.max(columns)) + 1


def _maker(name: str, compressed: str | None) -> Any:
    plain = getattr(original, name)

    def make(arg1: Any, shape: Any = None, dtype: Any = None, copy: bool = False, **options: Any) -> Any:
        if isinstance(arg1, SparseTensor):
            return arg1
        if not holds_tensor(arg1):
            return plain(arg1, shape=shape, dtype=dtype, copy=copy, **options)
        if not isinstance(arg1, tuple):  # a dense matrix: its places are those that are not 0 now
            dense = floating(arg1)
            rows, columns = np.nonzero(dense.numpy())
            return _from_places(dense[rows, columns], rows, columns, dense.shape)
        data = floating(arg1[0])
        if len(arg1) == 2:
            rows, columns = map(np.asarray, arg1[1])
            return _from_places(data, rows, columns, _extent((rows, columns), shape, name))
        inner, starts = np.asarray(arg1[1]), np.asarray(arg1[2])
        outer = row_numbers(starts, count=len(inner))
        if compressed == "csr":
            extent = _extent((np.arange(len(starts) - 1), inner), shape, name)
            return SparseTensor(data, inner, starts, extent)
        return _from_places(data, inner, outer, _extent((inner, np.arange(len(starts) - 1)), shape, name))

    make.__name__ = name
    make.__doc__ = f"Same as `scipy.sparse.{name}`; data that are a tensor stay tracked."
    return make


csr_array = _maker("csr_array", "csr")
csc_array = _maker("csc_array", "csc")
coo_array = _maker("coo_array", None)
csr_matrix = _maker("csr_matrix", "csr")
csc_matrix = _maker("csc_matrix", "csc")
coo_matrix = _maker("coo_matrix", None)


def _diagonals(diagonals: Any, offsets: Any, shape: Any) -> SparseTensor:
    if not isinstance(offsets, Sequence | np.ndarray):
        offsets = [offsets]
        diagonals = [diagonals] if len(shape_of(diagonals)) == 1 else diagonals
    pieces = [floating(d) for d in diagonals]
    offsets = [int(k) for k in offsets]
    if shape is None:
        n = max(d.shape[0] + abs(k) for d, k in zip(pieces, offsets, strict=True))
        shape = (n, n)
    data, rows, columns = [], [], []
    for d, k in zip(pieces, offsets, strict=True):
        length = min(shape[0] + min(k, 0), shape[1] - max(k, 0))
        if d.shape[0] not in (1, length):
            raise ShapeError(f"Diagonal length (index {k}: {d.shape[0]} at offset {k}) does not agree with {shape}")
        data.append(np.broadcast_to(d, (length,)))
        rows.append(np.arange(length) - min(k, 0))
        columns.append(np.arange(length) + max(k, 0))
    return _from_places(np.concatenate(data), np.concatenate(rows), np.concatenate(columns), tuple(shape))


def diags(diagonals: Any, offsets: Any = 0, shape: Any = None, format: Any = None, dtype: Any = None) -> Any:
    """Same as `scipy.sparse.diags`; diagonals that are tensors stay tracked."""
    if not holds_tensor(diagonals):
        return original.diags(diagonals, offsets, shape, format, dtype)
    return _diagonals(diagonals, offsets, shape)


def diags_array(
    diagonals: Any, /, *, offsets: Any = 0, shape: Any = None, format: Any = None, dtype: Any = None
) -> Any:
    """Same as `scipy.sparse.diags_array`; diagonals that are tensors stay tracked."""
    if not holds_tensor(diagonals):
        return original.diags_array(diagonals, offsets=offsets, shape=shape, format=format, dtype=dtype)
    return _diagonals(diagonals, offsets, shape)
