"""The special functions of the array namespace: what SciPy's array-API mode looks for under `xp.special`."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Return a ufunc of `scipy.special`, or the face of a function that is no ufunc."""
    if name.startswith("_"):
        raise AttributeError(name)
    from scipy.special import _ufuncs

    found = getattr(_ufuncs, name, None)
    if found is not None:
        return found
    from ..scipy import special

    found = vars(special).get(name)
    if hasattr(found, "original"):
        return found
    raise AttributeError(f"wengert.numpy.special has no {name!r}")
