"""The roots of a polynomial as a primitive: implicit differentiation of p(root) = 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import Degenerate, user_line
from ..recording import Traced
from .base import Primitive, result_dtype


def _evaluate(p: Any) -> Any:
    if np.ndim(p) == 1:
        found = np.roots(p)
    else:  # a batch: the eigenvalues of the companion matrices, as NumPy does for one
        n = p.shape[-1] - 1
        companion = np.broadcast_to(np.eye(n, k=-1, dtype=p.dtype), (*p.shape[:-1], n, n)).copy()
        companion[..., 0, :] = -p[..., 1:] / p[..., :1]
        found = np.linalg.eigvals(companion).astype(np.result_type(p, np.complex64))
        for place in np.argwhere(p[..., -1] == 0):  # NumPy splits off the roots at 0 and puts them last
            found[tuple(place)] = np.roots(p[tuple(place)])
    # One dtype whatever the values are, so that a Program's lines are known from shapes and dtypes alone.
    return found.astype(np.result_type(p, np.complex64))


def _powers(out: Any, count: int) -> Any:
    return np.reshape(out, (*out.shape, 1)) ** np.arange(count - 1, -1, -1)


def _slopes(out: Any, p: Any) -> Any:
    """p'(root) for each root."""
    count = p.shape[-1]
    slopes = np.sum(_powers(out, count - 1) * (p[..., None, :-1] * np.arange(count - 1, 0, -1)), axis=-1)
    values = slopes._data if isinstance(slopes, Traced) else slopes
    if values is not None:
        size = np.sum(np.abs(_powers(np.asarray(_data(out)), count - 1)), axis=-1) * np.max(np.abs(_data(p)))
        gap = np.min(np.abs(values) / np.where(size == 0, 1, size))
        if gap < 1e-7:
            raise Degenerate(
                f"roots: two roots coincide (|p'(root)| is {gap:.1e} of what its terms would allow)",
                where=user_line(),
                why="a double root moves infinitely fast with the coefficients",
                hint="differentiate a function of the coefficients instead, or move them apart",
            )
    return slopes


def _data(x: Any) -> Any:
    return x._data if isinstance(x, Traced) else x


def _vjp(ct: Any, out: Any, p: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
    weights = ct * np.conjugate(-1 / _slopes(out, p))
    return (np.sum(weights[..., None] * np.conjugate(_powers(out, p.shape[-1])), axis=-2),)


def _jvp(tangents: Sequence[Any], out: Any, p: Any) -> Any:
    moved = np.sum(_powers(out, p.shape[-1]) * tangents[0][..., None, :], axis=-1)
    return -moved / _slopes(out, p)


roots: Primitive = Primitive(
    "roots",
    _evaluate,
    abstract=lambda p: ((*p.shape[:-1], p.shape[-1] - 1), np.result_type(result_dtype(p), np.complex64)),
    vjp=_vjp,
    jvp=_jvp,
    batch=lambda size, batched, p: roots(p),
    family="opaque",
)
"""The roots of `sum of p[k] x^(n - 1 - k)`, complex; the first coefficient is not zero; leading axes are a batch."""
