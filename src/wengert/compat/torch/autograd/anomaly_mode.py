"""Anomaly detection: NaN in a gradient is an error that names the line of the forward operation."""

from __future__ import annotations

import warnings
from typing import Any

from ....errors import user_level
from ..engine import detect_nan
from ..modes import Mode
from ..state import active_class
from ..tensor import AnomalyTensor


def is_anomaly_enabled() -> bool:
    """Return whether operations remember where they were called."""
    return active_class.get() is AnomalyTensor


def is_anomaly_check_nan_enabled() -> bool:
    """Return whether NaN in gradients is an error."""
    return detect_nan.get()


class detect_anomaly(Mode):
    """A context in which operations remember where they were called, and NaN in a gradient is an error."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        warnings.warn(
            "anomaly detection is on: each operation notes where it was called, which takes time; for debugging only",
            UserWarning,
            stacklevel=user_level(),
        )

    def _enter(self) -> Any:
        return active_class.set(AnomalyTensor), detect_nan.set(self.check_nan)

    def _exit(self, token: Any) -> None:
        active_class.reset(token[0])
        detect_nan.reset(token[1])

    def _again(self) -> Mode:
        return detect_anomaly(self.check_nan)


class set_detect_anomaly:
    """Anomaly detection on or off: at once when called, and until the end of the block as a context."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = active_class.get(), detect_nan.get()
        active_class.set(AnomalyTensor if mode else None)
        detect_nan.set(mode and check_nan)

    def __enter__(self) -> set_detect_anomaly:
        return self

    def __exit__(self, *exception: Any) -> None:
        active_class.set(self._before[0])
        detect_nan.set(self._before[1])
