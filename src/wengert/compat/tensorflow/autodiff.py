"""`tf.autodiff`."""

from __future__ import annotations

from ._missing import reporter as _reporter
from ._tape import ForwardAccumulator, GradientTape

__all__ = ["ForwardAccumulator", "GradientTape"]

__getattr__ = _reporter(__name__, lambda: list(globals()))
