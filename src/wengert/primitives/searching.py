"""Primitives whose result is a place in a sorted array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import reads_nothing, shape_of
from .indexing import broadcast_to
from .reduction import Unrecorded


def _searchsorted(a: Any, v: Any, side: Any) -> Any:
    if np.ndim(a) == 1:
        return np.asarray(np.searchsorted(a, v, side))
    # A batch of sorted arrays: the place of v is how many elements stand before it.
    rows = np.reshape(a, (a.shape[0], *(1,) * (np.ndim(v) - 1), a.shape[1]))
    before = np.less if side == "left" else np.less_equal
    return np.count_nonzero(before(rows, np.asarray(v)[..., None]), axis=-1)


def _batch(size: int, batched: Sequence[bool], a: Any, v: Any, side: Any) -> Any:
    if batched[0] and not batched[1]:
        v = broadcast_to(v, shape=(size, *shape_of(v)))
    return searchsorted(a, v, side=side)


searchsorted = Unrecorded(
    "searchsorted",
    _searchsorted,
    abstract=lambda a, v, side: (shape_of(v), np.dtype(np.intp)),
    vjp=None,
    jvp=None,
    batch=_batch,
    reads=reads_nothing,
    family="reduction",
)
"""Where `v` would have to be inserted into the sorted array `a`."""
