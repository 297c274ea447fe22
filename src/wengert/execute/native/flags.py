"""The processor's floating-point flags: whether machine code met what NumPy would warn about."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# invalid, divide by zero, overflow, underflow; as <fenv.h> has them
_MASKS = {"x86_64": 0x1D, "amd64": 0x1D, "aarch64": 0x0F, "arm64": 0x0F}


@dataclass(frozen=True, slots=True)
class Flags:
    """C functions that read and clear the flags of this thread.

    Attributes
    ----------
    test : callable
        Takes a mask; returns those of its flags that were raised since they were cleared.
    clear : callable
        Takes a mask; clears its flags.
    mask : int
        Invalid, division by zero, overflow and underflow.
    """

    test: Any
    clear: Any
    mask: int


@lru_cache(maxsize=1)
def flags() -> Flags | None:
    """Return the flags, or None where it is not known how to read them."""
    mask = _MASKS.get(platform.machine().lower())
    if mask is None:
        return None
    try:
        library = ctypes.CDLL(None)
        test, clear = library.fetestexcept, library.feclearexcept
    except (OSError, TypeError, AttributeError):
        return None
    test.argtypes = clear.argtypes = [ctypes.c_int]
    test.restype = clear.restype = ctypes.c_int
    return Flags(test, clear, mask)
