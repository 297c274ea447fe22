"""`tf.dtypes`: the dtypes are NumPy's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._arrays import cast as cast
from ._arrays import complex as complex
from ._missing import reporter as _reporter

float16 = half = np.dtype(np.float16)
float32 = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int8 = np.dtype(np.int8)
int16 = np.dtype(np.int16)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
uint8 = np.dtype(np.uint8)
uint16 = np.dtype(np.uint16)
uint32 = np.dtype(np.uint32)
uint64 = np.dtype(np.uint64)
bool = np.dtype(np.bool_)
complex64 = np.dtype(np.complex64)
complex128 = np.dtype(np.complex128)
DType = np.dtype


def as_dtype(type_value: Any) -> np.dtype:
    """Return the dtype of a name, a NumPy type or a dtype."""
    return np.dtype(type_value)


__getattr__ = _reporter(__name__, lambda: list(globals()))
