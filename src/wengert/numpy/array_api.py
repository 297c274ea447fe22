"""What the Python array API standard asks of a namespace beyond NumPy's own names, and what it knows of itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from .creating import asarray

__all__ = ["__array_api_version__", "__array_namespace_info__", "from_dlpack"]

__array_api_version__ = "2024.12"


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """Return a tensor of another library's array, exchanged by DLPack."""
    return x if isinstance(x, Tensor) and not copy else asarray(np.from_dlpack(x, device=device, copy=copy))


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
        return dict(np.__array_namespace_info__().default_dtypes(device=device))

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """Return the dtypes by name."""
        return np.__array_namespace_info__().dtypes(device=device, kind=kind)
