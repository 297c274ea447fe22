"""All primitives of linear algebra, by family."""

from __future__ import annotations

from .linalg_solve import (
    adjugate,
    adjugate_slope,
    cholesky,
    det,
    inv,
    least_squares,
    pinv,
    slogdet,
    solve,
    triangular_solve,
)
from .linalg_spectral import eig, eigh, lu_factor, permutation, qr, svd
from .matrix_function import banded_solve, matrix_function, sylvester

__all__ = [
    "adjugate",
    "adjugate_slope",
    "banded_solve",
    "cholesky",
    "det",
    "eig",
    "eigh",
    "inv",
    "least_squares",
    "lu_factor",
    "matrix_function",
    "permutation",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "sylvester",
    "triangular_solve",
]
