"""SciPy's modules under their own names, for tensors and with derivatives: where SciPy itself admits no tensor.

`wengert.scipy.linalg.expm(x)` is called as `scipy.linalg.expm(x)` is. Without a tensor among the arguments,
SciPy's own function runs, and names that have no rule here are SciPy's own. The ufuncs of `scipy.special` need no
change of imports at all. `optimize` and `integrate` fill exact derivatives in.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

_MODULES = tuple(sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_")))


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module 'wengert.scipy' has no attribute {name!r}; it has {', '.join(_MODULES)}")


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
