"""The one small hierarchy of errors. Each also derives from the builtin that a caller would catch.

A message has up to three parts: what was wrong with the values at hand, why that matters in one clause,
and one line to try instead. Nothing here knows of tensors or recordings.
"""

from __future__ import annotations

import os
import sys

__all__ = [
    "AbstractValue",
    "ArgumentError",
    "Degenerate",
    "DtypeError",
    "NotConnected",
    "ShapeError",
    "StructureError",
    "TapeError",
    "TraceLost",
    "UnsupportedFunction",
    "WengertError",
]


class WengertError(Exception):
    """Base of every error that the library raises on purpose."""

    def __init__(self, what: str, *, why: str = "", hint: str = "", where: str = "") -> None:
        parts = [what]
        if where:
            parts.append(f"At: {where}")
        if why:
            parts.append(f"Why: {why}")
        if hint:
            parts.append(f"Try: {hint}")
        super().__init__("\n".join(parts))


class TraceLost(WengertError, TypeError):
    """A tracked value was about to become a plain number or array, which would drop its derivative.

    Cause: `float(x)`, `int(x)`, `np.asarray(x)`, `math.sin(x)` or storing `x` in a plain array while a
    recording is active. Fix: stay on tensors (`np.sin(x)`, `np.zeros_like(x)` as the buffer), or say that
    the derivative is not wanted with `x.numpy()`.
    """


class AbstractValue(WengertError, TypeError):
    """The value of a tensor was needed where only its shape and dtype are known (inside `vmap` or a traced body).

    Fix: use `np.where` or `wengert.cond` instead of a Python branch on the value.
    """


class ShapeError(WengertError, ValueError):
    """Shapes do not fit together."""


class ArgumentError(WengertError, ValueError):
    """An argument has a value that is not allowed."""


class StructureError(WengertError, TypeError):
    """An argument or a result has the wrong type or nesting."""


class DtypeError(WengertError, TypeError):
    """A dtype cannot be differentiated or does not fit."""


class TapeError(WengertError, RuntimeError):
    """A tape was used at a point of its life where that is not possible."""


class NotConnected(WengertError, RuntimeError):
    """A result does not depend on an input, and the caller asked to be told."""


class UnsupportedFunction(WengertError, TypeError):
    """A NumPy or SciPy function has no derivative rule here; the message says what to use."""


class Degenerate(WengertError, ArithmeticError):
    """A derivative does not exist because eigenvalues or singular values coincide; the message has the gap."""


_LIBRARY = (os.path.dirname(os.path.abspath(__file__)) + os.sep,)
_NUMERIC = tuple(os.sep + name + os.sep for name in ("numpy", "scipy"))


def user_line() -> str:
    """Return `file:line: source` of the innermost frame that is neither ours nor NumPy's."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not (name.startswith(_LIBRARY) and not name.startswith(_LIBRARY[0] + "demo" + os.sep)) and not (
            "site-packages" in name and any(part in name for part in _NUMERIC)
        ):
            import linecache

            source = linecache.getline(name, frame.f_lineno).strip()
            return f"{name}:{frame.f_lineno}: {source}" if source else f"{name}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""
