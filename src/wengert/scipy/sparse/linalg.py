"""Same names as `scipy.sparse.linalg`: direct solution, differentiable by the right-hand side and by the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse.linalg as original

from ...errors import ArgumentError, ShapeError
from ...numpy._register import as_array
from ...primitives.base import is_complex
from ...primitives.sparse_operand import is_sparse, parts, solution
from .._face import face, floating, holds_tensor

__all__ = ["factorized", "norm", "splu", "spsolve", "spsolve_triangular"]


def __getattr__(name: str) -> Any:
    return getattr(original, name)


def _matrix(a: Any, name: str) -> tuple[Any, Any, Any, tuple[int, int]]:
    if getattr(a, "_holds_tensor", False):
        found = a.data, a.indices, a.indptr, a.shape
    elif is_sparse(a):
        found = parts(a)
    else:
        raise ArgumentError(
            f"{name}: the matrix is of type {type(a).__name__}, not sparse", hint="wengert.scipy.linalg.solve"
        )
    if found[3][0] != found[3][1]:
        raise ShapeError(f"{name}: the matrix must be square, not of shape {found[3]}")
    return found


def _solve(found: Any, b: Any, trans: str) -> Any:
    data, columns, starts, shape = found
    b = floating(b)
    if b.ndim not in (1, 2) or b.shape[0] != shape[0]:
        raise ShapeError(f"a sparse matrix of shape {shape} and a right-hand side of shape {b.shape} do not fit")
    if trans == "H" and is_complex(data):
        data = np.conjugate(data)
    return solution(data, b, columns, starts, shape=shape, transposed=trans != "N")


@face(original.spsolve)
def spsolve(A: Any, b: Any, permc_spec: Any = None, use_umfpack: bool = True) -> Any:
    """Same as `scipy.sparse.linalg.spsolve` for a dense right-hand side."""
    if is_sparse(b):
        b = b.toarray()
    b = as_array(b)
    if b.ndim == 2 and b.shape[1] == 1:
        b = np.reshape(b, (b.shape[0],))
    return _solve(_matrix(A, "spsolve"), b, "N")


@face(original.spsolve_triangular)
def spsolve_triangular(
    A: Any,
    b: Any,
    lower: bool = True,
    overwrite_A: bool = False,
    overwrite_b: bool = False,
    unit_diagonal: bool = False,
) -> Any:
    """Same as `scipy.sparse.linalg.spsolve_triangular` for a matrix with its diagonal."""
    if unit_diagonal:
        raise ArgumentError("spsolve_triangular: unit_diagonal=True has no derivative rule", hint="store the ones")
    return _solve(_matrix(A, "spsolve_triangular"), b, "N")


class SuperLU:
    """What `splu` returns: solves with one matrix again and again, and factors it once."""

    def __init__(self, A: Any) -> None:
        self._found = _matrix(A, "splu")
        self.shape = self._found[3]
        self._plain: Any = None if holds_tensor(A) else A

    def solve(self, rhs: Any, trans: str = "N") -> Any:
        """Return the solution of `A x = rhs`, of `A.T x = rhs` ("T") or of `A.conj().T x = rhs` ("H")."""
        if trans not in ("N", "T", "H"):
            raise ArgumentError(f"splu: trans is 'N', 'T' or 'H', not {trans!r}")
        return _solve(self._found, rhs, trans)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._plain is None:
            raise AttributeError(f"a factorization of tensors has no {name!r}; it has shape and solve")
        return getattr(original.splu(self._plain.tocsc()), name)


def splu(A: Any, *args: Any, **options: Any) -> Any:
    """Same as `scipy.sparse.linalg.splu`: its `solve` takes tensors. The matrix may be plain."""
    return SuperLU(A)


def factorized(A: Any) -> Any:
    """Same as `scipy.sparse.linalg.factorized`: the function that solves with `A`."""
    return SuperLU(A).solve


@face(original.norm)
def norm(x: Any, ord: Any = None, axis: Any = None) -> Any:
    """Same as `scipy.sparse.linalg.norm`, for the Frobenius norm of a matrix without repeated places."""
    if ord not in (None, "fro", "f") or axis is not None:
        return np.linalg.norm(x.toarray(), ord, axis)
    return np.linalg.norm(x.toarray())
