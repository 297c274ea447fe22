"""`tf.config`: there is one device, and everything runs eagerly."""

from __future__ import annotations

from typing import Any

from ._missing import reporter as _reporter


def list_physical_devices(device_type: str | None = None) -> list[Any]:
    """Return no devices."""
    return []


list_logical_devices = list_physical_devices


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Do nothing: functions run eagerly."""


def functions_run_eagerly() -> bool:
    """Return True."""
    return True


__getattr__ = _reporter(__name__, lambda: list(globals()))
