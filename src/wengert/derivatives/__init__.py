"""Derivatives of functions: products, gradients, Jacobians. All of them record once and walk the lines.

The package's name is also that of the public function `wengert.derivatives(f, t, order)`, so the package can be called.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, function: Any, t: Any, order: int) -> Any:
        """Return value and derivatives up to an order; see `wengert.derivatives.taylor.derivatives`."""
        from .taylor import derivatives

        return derivatives(function, t, order)

    def __reduce__(self) -> Any:
        return (importlib.import_module, (__name__,))


sys.modules[__name__].__class__ = _Callable
