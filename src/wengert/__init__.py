"""Exact derivatives of ordinary NumPy code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import errors as errors
    from .derivatives.gradient import grad as grad
    from .derivatives.gradient import jacobian as jacobian
    from .derivatives.gradient import jvp as jvp
    from .derivatives.gradient import value_and_grad as value_and_grad
    from .derivatives.gradient import vjp as vjp
    from .tensor import Tensor as Tensor

# Where each public name lives; a module is imported when one of its names is first used.
_HOMES = {
    "derivatives.gradient": ("grad", "jacobian", "jvp", "value_and_grad", "vjp"),
    "tensor": ("Tensor",),
    "": ("errors",),  # whole modules
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'wengert' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f".{home}", __name__), name) if home else import_module(f".{name}", __name__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
