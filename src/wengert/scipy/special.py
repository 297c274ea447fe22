"""Same names as `scipy.special`, for what is no ufunc. The ufuncs take tensors as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as original
from scipy.special import _ufuncs as private

from ..numpy._register import as_array
from ..primitives import special_error, special_gamma  # noqa: F401  (declares the ufuncs)
from ..primitives.base import normalize_axes
from ..primitives.elementwise import where
from ..primitives.indexing import reshape
from ..primitives.special_gamma import polygamma as _polygamma
from ..primitives.special_reduce import logsumexp as _logsumexp
from ..primitives.special_reduce import softmax as _softmax
from ..recording import Traced
from ._face import face, floating, refuse


def __getattr__(name: str) -> Any:
    return getattr(original, name)


def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    return normalize_axes(axis, x.ndim)


def _kept(result: Any, x: Any, axes: tuple[int, ...]) -> Any:
    return reshape(result, shape=tuple(1 if i in axes else n for i, n in enumerate(x.shape)))


@face(original.logsumexp)
def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """Same as `scipy.special.logsumexp`; where all terms are -inf they share the derivative equally."""
    a = floating(a)
    if b is None and a.dtype.kind == "f":
        axes = _axes(a, axis)
        out = _logsumexp(a, axis=axes)
        out = _kept(out, a, axes) if keepdims else out
        return (out, np.ones_like(out)) if return_sign else out
    if b is not None:
        a, b = np.broadcast_arrays(a, floating(b))
    axes = _axes(a, axis)
    top = np.max(
        np.where(np.equal(b, 0), -np.inf, np.real(a)) if b is not None else np.real(a), axis=axes, keepdims=True
    )
    top = _constant(np.where(np.isfinite(top), top, 0.0))
    terms = np.exp(a - top)
    if b is not None:
        terms = np.where(np.equal(b, 0), 0.0, b * terms)
    total = np.sum(terms, axis=axes, keepdims=True)
    sign = np.sign(total)
    if return_sign:
        out = np.log(np.abs(total)) + top
    else:
        out = np.log(total) + top
    if not keepdims:
        out, sign = np.squeeze(out, axes), np.squeeze(sign, axes)
    return (out, sign) if return_sign else out


def _constant(x: Any) -> Any:
    from ..primitives.structural import stop_gradient

    return stop_gradient(x)


@face(original.softmax)
def softmax(x: Any, axis: Any = None) -> Any:
    """Same as `scipy.special.softmax`."""
    x = floating(x)
    return _softmax(x, axis=_axes(x, axis))


@face(original.log_softmax)
def log_softmax(x: Any, axis: Any = None) -> Any:
    """Same as `scipy.special.log_softmax`."""
    x = floating(x)
    axes = _axes(x, axis)
    return x - _kept(_logsumexp(x, axis=axes), x, axes)


@face(original.polygamma)
def polygamma(n: Any, x: Any) -> Any:
    """Same as `scipy.special.polygamma`, for orders that are plain numbers."""
    x = floating(x)
    if isinstance(n, Traced):
        raise refuse("scipy.special.polygamma", "the derivative by the order", "a plain int or array for n")
    orders = np.asarray(n)
    if np.any(orders < 0) or np.any(orders != np.floor(orders)):
        raise ValueError("n must be a non-negative integer")
    distinct = np.unique(orders).astype(int).tolist()
    result: Any = None
    for order in distinct:
        value = _polygamma(x, order=order) if order else original.digamma(x)
        result = value if result is None else where(orders == order, value, result)
    if len(distinct) == 1 and orders.ndim:
        result = np.broadcast_to(result, np.broadcast_shapes(orders.shape, x.shape))
    return result


@face(original.zeta)
def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """Same as `scipy.special.zeta`, differentiable by q."""
    return private._riemann_zeta(x) if q is None else private._zeta(x, q)


@face(original.multigammaln)
def multigammaln(a: Any, d: Any) -> Any:
    """Same as `scipy.special.multigammaln`."""
    a = floating(a)
    d = int(d)
    values = a._data if isinstance(a, Traced) else a
    if values is not None and np.any(np.asarray(values) <= 0.5 * (d - 1)):
        raise ValueError(f"condition a ({a}) > 0.5 * (d-1) ({0.5 * (d - 1)}) not met")
    shifts = -0.5 * np.arange(d)
    return d * (d - 1) * 0.25 * float(np.log(np.pi)) + np.sum(original.gammaln(np.expand_dims(a, -1) + shifts), axis=-1)


def _spherical(kind: str, order_parity: float) -> Any:
    name = f"spherical_{kind}"

    def function(n: Any, z: Any, derivative: bool = False) -> Any:
        n, z = np.asarray(n), floating(z)
        if n.dtype.kind != "i":
            n = n.astype(int)
        rule = getattr(private, f"_{name}{'_d' if derivative else ''}")
        if z.dtype.kind == "c":
            return rule(n, z)
        negative = np.less(z, 0)
        size = np.where(negative, -z, z)
        value = rule(n, size)
        if kind == "kn":  # not of one parity: SciPy's own value there, its derivative by the same rule
            return rule(n, z)
        sign = np.where(n % 2 == 0, order_parity, -order_parity) * (-1.0 if derivative else 1.0)
        return np.where(negative, sign * value, value)

    function.__name__ = name
    function.__doc__ = f"Same as `scipy.special.{name}`."
    return face(getattr(original, name))(function)


spherical_jn = _spherical("jn", 1.0)
spherical_yn = _spherical("yn", -1.0)
spherical_in = _spherical("in", 1.0)
spherical_kn = _spherical("kn", 1.0)


@face(original.factorial)
def factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """Same as `scipy.special.factorial` with `exact=False`, as the gamma function of n + 1."""
    if exact:
        raise refuse("scipy.special.factorial", "exact=True", "exact=False")
    n = floating(n)
    return np.where(np.less(n, 0), 0.0, original.gamma(1.0 + np.where(np.less(n, 0), 0.0, n)))


@face(original.comb)
def comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """Same as `scipy.special.comb` with `exact=False`."""
    if exact:
        raise refuse("scipy.special.comb", "exact=True", "exact=False")
    N, k = as_array(N), as_array(k)
    if repetition:
        return comb(N + k - 1, k)
    inside = np.logical_and(np.less_equal(k, N), np.logical_and(np.greater_equal(N, 0), np.greater_equal(k, 0)))
    return np.where(inside, original.binom(np.where(inside, N, 1.0), np.where(inside, k, 1.0)), 0.0)


@face(original.perm)
def perm(N: Any, k: Any, exact: bool = False) -> Any:
    """Same as `scipy.special.perm` with `exact=False`."""
    if exact:
        raise refuse("scipy.special.perm", "exact=True", "exact=False")
    N, k = as_array(N), as_array(k)
    inside = np.logical_and(np.less_equal(k, N), np.logical_and(np.greater_equal(N, 0), np.greater_equal(k, 0)))
    value = original.poch(np.where(inside, N - k + 1, 1.0), np.where(inside, k, 1.0))
    return np.where(inside, value, 0.0)
