"""NumPy's polynomial functions, highest power first: poly, roots, polyval, polyfit and polynomial arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, StructureError, UnsupportedFunction, user_line
from ..primitives.polynomial import roots as _roots
from ..recording import apply
from ._register import as_array, as_float, implements, plain, to_dtype
from .calculus import convolve
from .shaping import atleast_1d

__all__ = ["poly", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval", "roots"]


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """Same as `numpy.polyval`."""
    p = as_array(p)
    if isinstance(x, np.poly1d):
        raise UnsupportedFunction(
            "numpy.polyval of a polynomial has no derivative rule for tensors",
            where=user_line(),
            hint="numpy.polymul and numpy.polyadd of the coefficients",
        )
    x = as_array(x)
    total: Any = np.zeros_like(x)
    for k in range(p.shape[0]):
        total = total * x + p[k]
    return total


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """Same as `numpy.poly`; conjugate pairs give real coefficients."""
    zeros = atleast_1d(as_array(seq_of_zeros))
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] != 0:
        zeros = np.linalg.eigvals(zeros)
    elif zeros.ndim != 1:
        raise ArgumentError("input must be 1d or non-empty square 2d array.")
    if zeros.shape[0] == 0:
        return 1.0
    zeros = as_float(zeros)
    one = np.ones((1,), zeros.dtype)
    made: Any = one
    for k in range(zeros.shape[0]):
        made = convolve(made, np.concatenate([one, -zeros[k : k + 1]]))
    if made.dtype.kind == "c":
        values = np.sort(plain(zeros))
        if np.all(values == np.sort(values.conjugate())):
            made = np.real(made)
    return made


@implements(np.roots)
def roots(p: Any) -> Any:
    """Same as `numpy.roots`; the derivative is that of the implicit function, p(root) = 0.

    Raises
    ------
    Degenerate
        When a derivative is asked for where roots coincide: there it does not exist.
    """
    p = atleast_1d(as_float(p))
    if p.ndim != 1:
        raise ArgumentError("Input must be a rank-1 array.")
    values = plain(p)
    nonzero = np.flatnonzero(values)
    if not nonzero.size:
        return np.array([])
    first = int(nonzero[0])
    if first == p.shape[0] - 1:
        return np.zeros(0, p.dtype)
    found = apply(_roots, (p[first:],))
    return np.real(found) if np.isrealobj(np.roots(values)) else found


def _aligned(a1: Any, a2: Any) -> tuple[Any, Any]:
    a1, a2 = (atleast_1d(as_array(a.coefficients if isinstance(a, np.poly1d) else a)) for a in (a1, a2))
    n = max(a1.shape[0], a2.shape[0])
    return tuple(np.pad(a, (n - a.shape[0], 0)) if a.shape[0] < n else a for a in (a1, a2))  # type: ignore[return-value]


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """Same as `numpy.polyadd`."""
    return np.add(*_aligned(a1, a2))


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """Same as `numpy.polysub`."""
    return np.subtract(*_aligned(a1, a2))


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """Same as `numpy.polymul`."""
    return convolve(*(np.trim_zeros(a, "f") if plain(a).any() else a[-1:] for a in _vectors(a1, a2)))


def _vectors(*polynomials: Any) -> list[Any]:
    return [atleast_1d(as_array(a.coefficients if isinstance(a, np.poly1d) else a)) for a in polynomials]


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """Same as `numpy.polydiv`."""
    u, v = (as_float(a) + 0.0 for a in _vectors(u, v))
    m, n = u.shape[0] - 1, v.shape[0] - 1
    scale = 1.0 / v[0]
    kind = np.result_type(u.dtype, v.dtype)
    rest = to_dtype(u, kind)
    quotient = []
    for k in range(m - n + 1):
        factor = scale * rest[k]
        quotient.append(factor)
        rest = np.concatenate([rest[:k], rest[k : k + n + 1] - factor * v, rest[k + n + 1 :]])
    q = np.stack(quotient) if quotient else np.zeros((1,), kind)
    values = plain(rest)
    start = 0
    while start < len(values) - 1 and np.allclose(values[start], 0, rtol=1e-14):
        start += 1
    return q, rest[start:]


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """Same as `numpy.polyder`."""
    if int(m) < 0:
        raise ArgumentError("Order of derivative must be positive (see polyint)")
    (p,) = _vectors(p)
    for _ in range(int(m)):
        n = p.shape[0] - 1
        p = p[:-1] * np.arange(n, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """Same as `numpy.polyint`, differentiable in the coefficients and the constants of integration."""
    m = int(m)
    if m < 0:
        raise ArgumentError("Order of integral must be positive (see polyder)")
    constants = np.zeros(m) if k is None else atleast_1d(as_array(k))
    if constants.shape[0] == 1 and m > 1:
        constants = np.broadcast_to(constants[0], (m,))
    if constants.shape[0] < m:
        raise ArgumentError("k must be a scalar or a rank-1 array of length 1 or >m.")
    (p,) = _vectors(p)
    for i in range(m):
        p = np.concatenate([p / np.arange(p.shape[0], 0, -1), constants[i : i + 1]])
    return p


@implements(np.polyfit)
def polyfit(x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    """Same as `numpy.polyfit`, differentiable in the points, the values and the weights."""
    order = int(deg) + 1
    x, y = as_float(x) + 0.0, as_float(y) + 0.0
    if deg < 0:
        raise ArgumentError("expected deg >= 0")
    if x.ndim != 1:
        raise StructureError("expected 1D vector for x")
    if x.shape[0] == 0:
        raise StructureError("expected non-empty vector for x")
    if y.ndim not in (1, 2):
        raise StructureError("expected 1D or 2D array for y")
    if x.shape[0] != y.shape[0]:
        raise StructureError("expected x and y to have same length")
    if rcond is None:
        rcond = x.shape[0] * np.finfo(x.dtype).eps
    left, right = np.vander(x, order), y
    if w is not None:
        w = as_float(w) + 0.0
        if w.ndim != 1 or w.shape[0] != y.shape[0]:
            raise StructureError("expected a 1-d array for weights of the length of y")
        left = left * w[:, None]
        right = right * (w[:, None] if right.ndim == 2 else w)
    scale = np.sqrt(np.sum(left * left, axis=0))
    fitted, residuals, rank, singular = np.linalg.lstsq(left / scale, right, rcond)
    fitted = (fitted.T / scale).T
    if full:
        return fitted, residuals, rank, singular, rcond
    if not cov:
        return fitted
    base = np.linalg.inv(left.T @ left)
    if isinstance(cov, str) and cov == "unscaled":
        factor: Any = 1
    else:
        if x.shape[0] <= order:
            raise ArgumentError("the number of data points must exceed order to scale the covariance matrix")
        deviation = right - left @ fitted
        factor = np.sum(deviation * deviation, axis=0) / (x.shape[0] - order)
    return fitted, base * factor if y.ndim == 1 else base[:, :, None] * factor
