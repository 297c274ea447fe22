"""Compare a face with SciPy's own function, and check the laws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from laws import check, outputs

import wengert as wg


def same(ours: Callable[..., Any], theirs: Callable[..., Any], *args: np.ndarray) -> None:
    """Assert that tensors in give the values that SciPy gives for arrays."""
    found = outputs(ours(*(wg.Tensor(x) for x in args)))
    expected = outputs(theirs(*args))
    assert len(found) == len(expected)
    for mine, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(mine), value, rtol=1e-9, atol=1e-11)


def both(ours: Callable[..., Any], theirs: Callable[..., Any], *args: np.ndarray, **options: Any) -> None:
    """Assert equal values and the laws."""
    same(ours, theirs, *args)
    check(ours, *args, **options)
