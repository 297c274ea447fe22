"""What the Python array API standard asks of a namespace beyond NumPy's own names, and what it knows of itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..tensor import Tensor
from .creating import asarray

__all__ = ["__array_api_version__", "__array_namespace_info__", "from_dlpack"]

__array_api_version__ = "2024.12"

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"),
    "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_GROUPS = {
    "integral": ("signed integer", "unsigned integer"),
    "numeric": ("signed integer", "unsigned integer", "real floating", "complex floating"),
}


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """Return a tensor of another library's array, exchanged by DLPack."""
    if isinstance(x, Tensor) and not copy:
        return x
    options: dict[str, Any] = {name: value for name, value in (("device", device), ("copy", copy)) if value is not None}
    return asarray(np.from_dlpack(x, **options))


class __array_namespace_info__:
    """Inspection functions of the standard. There is one device, and data-dependent shapes are supported."""

    def capabilities(self) -> dict[str, Any]:
        """Return what the namespace can do."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """Return the default device."""
        return "cpu"

    def devices(self) -> list[str]:
        """Return the devices."""
        return ["cpu"]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """Return the default dtypes by kind."""
        return {
            "real floating": np.dtype(float),
            "complex floating": np.dtype(complex),
            "integral": np.dtype(int),
            "indexing": np.dtype(np.intp),
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """Return the dtypes by name: all of them, or those of a kind or of several kinds."""
        kinds = tuple(_KINDS) if kind is None else (kind,) if isinstance(kind, str) else tuple(kind)
        names: list[str] = []
        for name in kinds:
            if name not in _KINDS and name not in _GROUPS:
                raise ArgumentError(f"unsupported kind: {name!r}", hint=f"one of {[*_KINDS, *_GROUPS]}")
            for part in _GROUPS.get(name, (name,)):
                names += _KINDS[part]
        return {name: np.dtype(name) for name in names}
