"""Optional packages: imported where they are used, with an error that says how to install them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .errors import MissingPackage


def require(package: str, extra: str) -> Any:
    """Return an optional package.

    Parameters
    ----------
    package : str
        Name of the module.
    extra : str
        The extra of this library that installs it.

    Raises
    ------
    MissingPackage
        If it is not installed. The message has the line that installs it.

    Examples
    --------
    >>> require("json", extra="none").dumps(1)
    '1'
    """
    try:
        return import_module(package)
    except ImportError:
        raise MissingPackage(
            f"{package} is not installed", why="it is optional", hint=f"pip install 'wengert[{extra}]'"
        ) from None
