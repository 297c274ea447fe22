"""Discrete Fourier, cosine and sine transforms: linear maps along static axes.

Lengths are fixed before (by cropping or padding with zeros, which are reindexing), so each primitive is a matrix
product along its axes, and its transpose is another one of them. Normalisation is a separate factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .base import Primitive, dtype_of, reads_nothing, result_dtype, shape_of

Axes = tuple[int, ...]


def _complex(x: Any) -> np.dtype:
    return np.result_type(dtype_of(x) if result_dtype(x).kind in "fc" else np.float64, np.complex64)


def _real(x: Any) -> np.dtype:
    return np.zeros(0, _complex(x)).real.dtype


def _transform(name: str, evaluate: Any, transpose: Any, shape: Any, dtype: Any) -> Primitive:
    def shifted(params: dict[str, Any]) -> dict[str, Any]:
        return {**params, "axes": tuple(a + 1 for a in params["axes"])}

    primitive = Primitive(
        name,
        evaluate,
        abstract=lambda x, **params: (shape(shape_of(x), **params), dtype(x)),
        vjp=lambda ct, out, x, needs, **params: (transpose(ct, x, **params),),
        jvp=lambda tangents, out, x, **params: primitive(tangents[0], **params),
        batch=lambda size, batched, x, **params: primitive(x, **shifted(params)),
        reads=reads_nothing,
        family="fourier",
    )
    return primitive


# ---------------------------------------------------------------- complex to complex


def _fourier(x: np.ndarray, axes: Axes, inverse: bool) -> np.ndarray:
    """Sum with exp(-2 pi i j k / n), or exp(+2 pi i j k / n); no factor in front."""
    return np.fft.ifftn(x, axes=axes, norm="forward") if inverse else np.fft.fftn(x, axes=axes)


fourier: Primitive = _transform(
    "fft",
    _fourier,
    lambda ct, x, axes, inverse: fourier(ct, axes=axes, inverse=not inverse),
    lambda shape, axes, inverse: shape,
    _complex,
)
"""The transform of complex (or real) numbers to complex ones, without a factor: its transpose has the other sign."""

# ---------------------------------------------------------------- real to half-complex and back


def _weights(n: int, ndim: int, axis: int, inner: float, dtype: Any) -> np.ndarray:
    """Return 1 for the frequencies that stand for one term of the full transform and `inner` for the others."""
    w = np.full(n // 2 + 1, inner, dtype)
    w[0] = 1
    if n % 2 == 0:
        w[-1] = 1
    shape = [1] * ndim
    shape[axis] = len(w)
    return w.reshape(shape)


def _halved(shape: tuple[int, ...], axes: Axes, **_: Any) -> tuple[int, ...]:
    last = axes[-1]
    return (*shape[:last], shape[last] // 2 + 1, *shape[last + 1 :])


def _half_transpose(ct: Any, x: Any, axes: Axes) -> Any:
    shape = shape_of(x)
    w = _weights(shape[axes[-1]], len(shape), axes[-1], 0.5, _real(x))
    return from_half(ct * w, axes=axes, n=shape[axes[-1]])


to_half: Primitive = _transform(
    "rfft",
    lambda x, axes: np.fft.rfftn(x, axes=axes),
    _half_transpose,
    _halved,
    _complex,
)
"""The transform of real numbers, half of the last axis, without a factor."""


def _doubled(shape: tuple[int, ...], axes: Axes, n: int) -> tuple[int, ...]:
    last = axes[-1]
    return (*shape[:last], n, *shape[last + 1 :])


def _from_half_transpose(ct: Any, x: Any, axes: Axes, n: int) -> Any:
    w = _weights(n, len(shape_of(x)), axes[-1], 2.0, _real(x))
    return to_half(ct, axes=axes) * w


def _from_half(x: np.ndarray, axes: Axes, n: int) -> np.ndarray:
    s = [x.shape[a] for a in axes[:-1]] + [n]
    return np.fft.irfftn(x, s, axes=axes, norm="forward")


from_half: Primitive = _transform("irfft", _from_half, _from_half_transpose, _doubled, _real)
"""The real transform with positive sign of the Hermitian extension of half an axis, without a factor.

`irfftn` reads all of a complex array of the right length but the imaginary parts that a Hermitian one cannot have.
"""

# ---------------------------------------------------------------- cosine and sine


def _trigonometric(x: np.ndarray, axes: Axes, kind: str, type: int) -> np.ndarray:
    from scipy import fft

    function = fft.dctn if kind == "cos" else fft.dstn
    if x.dtype.kind == "c":
        real, imag = (function(part, type=type, axes=axes) for part in (x.real, x.imag))
        return real + 1j * imag
    return function(x, type=type, axes=axes)


def _end_weights(x: Any, axes: Axes, kind: str, type: int) -> tuple[Any, Any]:
    """Return W and V such that the transpose of the transform T is `W T' V`, where T' is T, or type 2 for 3 and back.

    Type 1 counts the ends of an axis once and all else twice; type 3 counts one end of its input once.
    """
    before: Any = None
    after: Any = None
    shape = shape_of(x)
    for a in axes:
        n = shape[a]
        w = np.ones(n, _real(x))
        if type == 1 and kind == "cos":
            w[[0, -1]] = 0.5
        elif type == 2:
            w[0 if kind == "cos" else -1] = 2
        elif type == 3:
            w[0 if kind == "cos" else -1] = 0.5
        else:
            continue
        w = w.reshape([n if i == a else 1 for i in range(len(shape))])
        if type == 2:  # C2^T = C3 D with D doubling one end of what comes in
            before = w if before is None else before * w
        elif type == 3:  # C3^T = D C2 with D halving that end of what goes out
            after = w if after is None else after * w
        else:  # C1^T = D C1 D^-1
            after = w if after is None else after * w
            before = 1 / w if before is None else before / w
    return before, after


def _trigonometric_transpose(ct: Any, x: Any, axes: Axes, kind: str, type: int) -> Any:
    before, after = _end_weights(x, axes, kind, type)
    other = {2: 3, 3: 2}.get(type, type)
    ct = trigonometric(ct if before is None else ct * before, axes=axes, kind=kind, type=other)
    return ct if after is None else ct * after


trigonometric: Primitive = _transform(
    "dct_dst",
    _trigonometric,
    _trigonometric_transpose,
    lambda shape, axes, kind, type: shape,
    lambda x: result_dtype(x) if result_dtype(x).kind in "fc" else np.dtype(float),
)
"""Cosine (`kind="cos"`) and sine transforms of types 1 to 4, without a factor (SciPy's norm="backward")."""


def length(shape: Sequence[int], axes: Axes) -> int:
    """Return the number of points that a transform along these axes combines."""
    return prod(shape[a] for a in axes)
