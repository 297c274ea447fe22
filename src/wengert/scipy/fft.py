"""Same names as `scipy.fft`; also a backend for SciPy's own functions.

`with scipy.fft.set_backend(wengert.scipy.fft): ...` lets `scipy.fft.fft(x)` take tensors; `use()` does so for good.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft as original

from ..errors import ArgumentError
from ..numpy import fft as base
from ..primitives import fft as p
from ._face import face, floating, holds_tensor

__ua_domain__ = "numpy.scipy.fft"


def __ua_function__(method: Any, args: Any, kwargs: Any) -> Any:
    """Answer SciPy's own dispatch (uarray) for calls with a tensor."""
    if not holds_tensor(args) and not holds_tensor(kwargs):
        return NotImplemented
    rule = _RULES.get(method.__name__)
    return NotImplemented if rule is None else rule(*args, **kwargs)


def use() -> None:
    """Let `scipy.fft`'s own functions take tensors from now on; calls without tensors stay SciPy's."""
    import sys

    original.register_backend(sys.modules[__name__])


def __getattr__(name: str) -> Any:
    return getattr(original, name)


_RULES: dict[str, Any] = {}


def _rule(function: Any) -> Any:
    name = function.__name__
    _RULES[name] = function
    function.__doc__ = f"Same as `scipy.fft.{name}`."
    return face(getattr(original, name))(function)


def _one(n: int | None) -> Any:
    return None if n is None else (n,)


def _along_one(name: str, transform: Any) -> Any:
    def function(
        x: Any,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        plan: Any = None,
    ) -> Any:
        return transform(x, _one(n), (axis,), norm)

    function.__name__ = name
    return _rule(function)


def _along_several(name: str, transform: Any, default: Any) -> Any:
    def function(
        x: Any,
        s: Any = None,
        axes: Any = default,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        plan: Any = None,
    ) -> Any:
        return transform(x, s, axes, norm)

    function.__name__ = name
    return _rule(function)


def _forward(x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    return base.transform(x, s, axes, norm, False)


def _inverse(x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    return base.transform(x, s, axes, norm, True)


def _hermitian(x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    return base.whole(np.conjugate(floating(x)), s, axes, base.swapped(norm))


def _inverse_hermitian(x: Any, s: Any, axes: Any, norm: str | None) -> Any:
    return np.conjugate(base.half(x, s, axes, base.swapped(norm)))


fft = _along_one("fft", _forward)
ifft = _along_one("ifft", _inverse)
rfft = _along_one("rfft", base.half)
irfft = _along_one("irfft", base.whole)
hfft = _along_one("hfft", _hermitian)
ihfft = _along_one("ihfft", _inverse_hermitian)
fft2 = _along_several("fft2", _forward, (-2, -1))
ifft2 = _along_several("ifft2", _inverse, (-2, -1))
rfft2 = _along_several("rfft2", base.half, (-2, -1))
irfft2 = _along_several("irfft2", base.whole, (-2, -1))
hfft2 = _along_several("hfft2", _hermitian, (-2, -1))
ihfft2 = _along_several("ihfft2", _inverse_hermitian, (-2, -1))
fftn = _along_several("fftn", _forward, None)
ifftn = _along_several("ifftn", _inverse, None)
rfftn = _along_several("rfftn", base.half, None)
irfftn = _along_several("irfftn", base.whole, None)
hfftn = _along_several("hfftn", _hermitian, None)
ihfftn = _along_several("ihfftn", _inverse_hermitian, None)

# ---------------------------------------------------------------- cosine and sine transforms


def _points(n: int, kind: str, type: int) -> int:
    """Return the length of the real transform that a cosine or sine transform of n points stands for."""
    if type == 1:
        return 2 * (n - 1) if kind == "cos" else 2 * (n + 1)
    return 2 * n


def _ends(x: Any, axis: int, kind: str, type: int, factor: float) -> Any:
    """Multiply what the orthonormal transforms weigh differently: one end of the axis, or for type 1 both."""
    if type == 4 or (kind == "sin" and type == 1):
        return x
    n = x.shape[axis]
    w = np.ones(n, x.dtype)
    if type == 1:
        w[[0, -1]] = factor
    else:
        w[0 if kind == "cos" else -1] = factor
    shape = [1] * x.ndim
    shape[axis] = n
    return x * w.reshape(shape)


def _trigonometric(
    x: Any, kind: str, type: int, s: Any, axes: Any, norm: str | None, orthogonalize: bool | None, inverse: bool
) -> Any:
    if type not in (1, 2, 3, 4):
        raise ArgumentError(f"invalid type {type!r}; must be 1, 2, 3 or 4")
    x = floating(x)
    axes, lengths = base.axes_of(x, s, axes)
    norm = base.direction(norm)
    orthogonal = norm == "ortho" if orthogonalize is None else bool(orthogonalize)
    if inverse:
        type = {2: 3, 3: 2}.get(type, type)
        norm = base.swapped(norm)
    count = 1
    for a, n in zip(axes, lengths, strict=True):
        x = base.fitted(x, x.shape[a] if n is None else n, a)
        count *= _points(x.shape[a], kind, type)
        if orthogonal and type in (1, 3):
            x = _ends(x, a, kind, type, 2**0.5)
    x = p.trigonometric(x, axes=axes, kind=kind, type=type)
    if orthogonal:
        for a in axes:
            if type in (1, 2):
                x = _ends(x, a, kind, type, 0.5**0.5)
    return base.scaled(x, norm, count)


def _trigonometric_one(name: str, kind: str, inverse: bool) -> Any:
    def function(
        x: Any,
        type: int = 2,
        n: int | None = None,
        axis: int = -1,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: Any = None,
        orthogonalize: bool | None = None,
    ) -> Any:
        return _trigonometric(x, kind, type, _one(n), (axis,), norm, orthogonalize, inverse)

    function.__name__ = name
    return _rule(function)


def _trigonometric_several(name: str, kind: str, inverse: bool) -> Any:
    def function(
        x: Any,
        type: int = 2,
        s: Any = None,
        axes: Any = None,
        norm: str | None = None,
        overwrite_x: bool = False,
        workers: Any = None,
        *,
        orthogonalize: bool | None = None,
    ) -> Any:
        return _trigonometric(x, kind, type, s, axes, norm, orthogonalize, inverse)

    function.__name__ = name
    return _rule(function)


dct = _trigonometric_one("dct", "cos", False)
idct = _trigonometric_one("idct", "cos", True)
dst = _trigonometric_one("dst", "sin", False)
idst = _trigonometric_one("idst", "sin", True)
dctn = _trigonometric_several("dctn", "cos", False)
idctn = _trigonometric_several("idctn", "cos", True)
dstn = _trigonometric_several("dstn", "sin", False)
idstn = _trigonometric_several("idstn", "sin", True)
