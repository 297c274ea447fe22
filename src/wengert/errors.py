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
    "AssignmentError",
    "CoupledRows",
    "Degenerate",
    "DtypeError",
    "GraphArgumentError",
    "GraphDtypeError",
    "GraphError",
    "GraphShapeError",
    "GraphStructureError",
    "LoopWarning",
    "MissingName",
    "MissingPackage",
    "MissingRule",
    "NoConvergence",
    "NotANumber",
    "NotCompiled",
    "NotConnected",
    "OutOfBounds",
    "ShapeError",
    "StructureError",
    "TapeError",
    "TooLarge",
    "TraceLost",
    "UnsupportedFunction",
    "WengertError",
    "WrongPattern",
    "ZeroWeights",
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


class OutOfBounds(WengertError, IndexError):
    """An index points outside of an array, or does not fit its axes."""


class ZeroWeights(WengertError, ZeroDivisionError):
    """The weights of an average sum to zero."""


class StructureError(WengertError, TypeError):
    """An argument or a result has the wrong type or nesting."""


class DtypeError(WengertError, TypeError):
    """A dtype cannot be differentiated or does not fit."""


class TapeError(WengertError, RuntimeError, ValueError):
    """A tape was used at a point of its life where that is not possible."""


class AssignmentError(WengertError, RuntimeError, ValueError):
    """A variable was changed in a way that it cannot be, or was given a value of another dtype.

    Fix: `v.assign(value)`, `v.assign_add(value)`, `v[i].assign(value)` with a value of the variable's shape and dtype.
    """


class GraphError(WengertError, RuntimeError):
    """A recorded graph cannot give what was asked: it was freed, edited in place, or never recorded."""


class GraphShapeError(GraphError, ShapeError):
    """A cotangent, tangent or gradient does not have the shape of what it belongs to."""


class GraphDtypeError(GraphError, DtypeError):
    """A value of this dtype cannot be part of a graph, or does not fit the value that it belongs to."""


class GraphArgumentError(GraphError, ArgumentError):
    """An argument that a framework refuses with a RuntimeError has a value that is not allowed."""


class GraphStructureError(GraphError, StructureError):
    """An argument or result that a framework refuses with a RuntimeError has the wrong type or nesting."""


class MissingRule(WengertError, NotImplementedError):
    """A derivative was asked for in a way that is not offered for this function."""


class MissingName(WengertError, AttributeError):
    """A framework's name that a `compat` namespace does not have; the message says what to use."""


class MissingPackage(WengertError, ImportError):
    """An optional package is needed and not installed; the message has the line that installs it."""


class NotConnected(WengertError, RuntimeError):
    """A result does not depend on an input, and the caller asked to be told."""


class TooLarge(WengertError, MemoryError):
    """A result or an intermediate would not fit: the message has its shape and bytes.

    Fix: a sparse result, a larger `max_bytes`, or products with the derivative instead of the derivative.
    """


class WrongPattern(WengertError, ValueError):
    """A sparsity pattern given by the user misses an entry of the derivative."""


class CoupledRows(WengertError, ValueError):
    """Samples of a batch, or blocks, that have to be independent are not; the message names the first coupled pair."""


class UnsupportedFunction(WengertError, TypeError):
    """A NumPy or SciPy function has no derivative rule here; the message says what to use."""


class Degenerate(WengertError, ArithmeticError):
    """A derivative does not exist because eigenvalues or singular values coincide; the message has the gap."""


class NotANumber(WengertError, FloatingPointError):
    """A function or its derivative gave NaN; the message has the operation, the user's line, and its arguments.

    Raised by `wengert.debug.check_nan` only.
    """


class NoConvergence(WengertError, RuntimeError):
    """An iteration stopped before it met its tolerance; the message has the last change."""


class WrongDerivative(WengertError, AssertionError):
    """A check found a derivative that breaks a law; the message is the whole report.

    Cause: a wrong custom rule or primitive, or a function that is not a function of its arguments. The report's rows
    name the law, the worst entry, both values and the likely cause.
    """


class NotCompiled(UserWarning):
    """A function given to `jit` runs without compiled code; the message says why. It is said once per function.

    Fix: write the part that cannot be compiled outside of the function, or leave `jit` out. The results are right
    either way. To find the place: `warnings.simplefilter("error", wengert.errors.NotCompiled)`.
    """


class LoopWarning(UserWarning):
    """A primitive without a batch rule is applied once per entry of a batch, which is slow.

    No primitive of the library does that; one of yours does if it declares no `batch`. Fix: declare it. Strict mode:
    `warnings.simplefilter("error", wengert.errors.LoopWarning)`.
    """


_OF_OBJECTS = (
    "dtype('O')",
    "not supported for the input",
    "which has no callable",
    "arrays used as indices must be of integer",
    "only integers, slices",
)


def unmask(error: BaseException | None) -> None:
    """Raise the error behind another that hides what to do.

    Such are NumPy's "setting an array element with a sequence" and the SystemError of compiled code that went on after an
    error (SciPy's root finders in C do, when what they call returns a tensor).
    """
    behind = error
    while isinstance(behind, ValueError | SystemError):
        behind = behind.__cause__
        if isinstance(behind, TraceLost | AbstractValue):
            raise behind
    if isinstance(error, TypeError | IndexError) and any(text in str(error) for text in _OF_OBJECTS):
        error.add_note(
            "Perhaps: a list or np.array([...]) of tracked numbers is an array of objects, which this function does not take. "
            "Try: np.stack([...]) or np.array([...], like=x), which make a tensor."
        )


_LIBRARY = (os.path.dirname(os.path.abspath(__file__)) + os.sep,)


def _is_user_code(name: str) -> bool:
    if name.startswith(_LIBRARY) and not name.startswith(_LIBRARY[0] + "demo" + os.sep):
        return False
    numeric = (getattr(sys.modules.get(module), "__file__", None) for module in ("numpy", "scipy"))
    return not any(path and name.startswith(os.path.dirname(path) + os.sep) for path in numeric)


def user_level() -> int:
    """Return the `stacklevel` with which the caller's warning points at the innermost line of user code."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and not _is_user_code(frame.f_code.co_filename):
        frame = frame.f_back
        level += 1
    return level


def user_line() -> str:
    """Return `file:line: source` of the innermost frame that is neither ours nor NumPy's."""
    frame = sys._getframe(1)
    while frame is not None:
        if _is_user_code(frame.f_code.co_filename):
            return _describe(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return ""


def line_of(error: BaseException) -> str:
    """Return `file:line: source` of the innermost frame that an error came through and that is user code."""
    found = ""
    place = error.__traceback__
    while place is not None:
        if _is_user_code(place.tb_frame.f_code.co_filename):
            found = _describe(place.tb_frame.f_code.co_filename, place.tb_lineno)
        place = place.tb_next
    return found


def _describe(name: str, number: int) -> str:
    import linecache

    source = linecache.getline(name, number).strip()
    return f"{name}:{number}: {source}" if source else f"{name}:{number}"
