"""Same names as `scipy.spatial`; `distance` takes tensors."""

from __future__ import annotations

from typing import Any

import scipy.spatial as original

from . import distance

__all__ = ["distance"]


def __getattr__(name: str) -> Any:
    return getattr(original, name)
