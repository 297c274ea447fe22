"""`torch.utils`: checkpointing."""

from __future__ import annotations

from ..missing import missing
from . import checkpoint

__getattr__ = missing("torch.utils")

__all__ = ["checkpoint"]
