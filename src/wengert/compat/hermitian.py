"""Hermitian matrices as both frameworks see them: a gradient by one is Hermitian, though NumPy reads one triangle."""

from __future__ import annotations

from typing import Any

import numpy as np


def hermitian(x: Any) -> Any:
    """Return the mean of a tensor and its adjoint if its values are Hermitian, else the tensor itself."""
    data = x._data
    if data is not None and not np.array_equal(data, np.conjugate(np.swapaxes(data, -1, -2)), equal_nan=True):
        return x
    return 0.5 * (x + np.conjugate(np.matrix_transpose(x)))
