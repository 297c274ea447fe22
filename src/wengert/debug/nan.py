"""Where the first NaN comes from, in the function or in its derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import NotANumber
from ..recording import Line, Traced
from ..transforms.reverse import backpropagate
from .noting import Notes, record


def check_nan(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Raise NotANumber at the first NaN in a function or in its derivative, naming the line of user code.

    f: (...) -> y   returns: nothing, if there is no NaN

    Parameters
    ----------
    function : callable
        Ordinary NumPy code. It runs once, and its derivative once in reverse mode, from a cotangent of ones.
    *args, **kwargs
        Its arguments; the derivative is taken by all positional ones.

    Raises
    ------
    NotANumber
        With the operation, the user's line, shapes, the index of the first NaN, and what the operation was given there.

    Notes
    -----
    Cost: that of a gradient, plus a look at every intermediate result. Functions that are not checked pay nothing.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.debug.check_nan(lambda x: np.sum(np.log(x)), np.array([1.0, 2.0]))
    >>> wg.debug.check_nan(lambda x: np.sum(np.log(x)), np.array([1.0, -2.0]))
    Traceback (most recent call last):
    wengert.errors.NotANumber: log gave NaN at index (1,) of its result of shape (2,)...
    """
    with np.errstate(all="ignore"):
        recorded = record("check_nan", function, args, kwargs, Notes(look=_look))
    seeds: dict[Line, Any] = {}
    for out in recorded.outputs:
        if isinstance(out, Traced) and recorded.connected(out):
            line: Any = out._line
            ones = np.ones(line.shape, line.dtype)
            seeds[line] = ones if line not in seeds else seeds[line] + ones
    backpropagate(recorded.lines, seeds, recorded.inputs, recorded.wrapper, observer=_Observer())


def _first_nan(value: Any) -> tuple[int, ...] | None:
    data = np.asarray(value._data if isinstance(value, Traced) else value)
    if data.dtype.kind not in "fc":
        return None
    bad = np.isnan(data)
    return tuple(int(k) for k in np.argwhere(bad)[0]) if bad.any() else None


def _look(tensor: Any, line: Line) -> None:
    results = tensor._data if isinstance(tensor._data, tuple) else (tensor._data,)
    for result in results:
        if (place := _first_nan(result)) is not None:
            raise _error(line, f"{line.primitive.name} gave NaN at index {place} of its result of shape {result.shape}")


def _error(line: Line, what: str) -> NotANumber:
    shapes, ranges = [], []
    for value, parent in zip(line.values, line.inputs, strict=True):
        shapes.append(str(np.shape(value)) if value is not None else str(parent.shape if parent is not None else "()"))
        if isinstance(value, np.ndarray | np.generic | float | int) and np.size(value):
            data = np.asarray(value)
            if data.dtype.kind in "fiu":
                ranges.append(f"{np.min(data):.4g} to {np.max(data):.4g}" if data.size > 1 else f"{float(data.ravel()[0]):.4g}")
    given = f"its arguments have shapes {', '.join(shapes)}"
    if ranges:
        given += f" and values {', '.join(ranges)}"
    return NotANumber(what, where=getattr(line, "notes", ""), why=given, hint="np.where around the argument, not the result")


class _Observer:
    """Looks at every cotangent of the reverse pass."""

    def arrive(self, line: Line, cotangent: Any) -> Any:
        """Look at the complete cotangent of a line."""
        if type(cotangent) is not list and line.primitive is not None and (place := _first_nan(cotangent)) is not None:
            raise _error(line, f"the derivative by the result of {line.primitive.name} is NaN at index {place}")
        return cotangent

    def leave(self, line: Line, cotangent: Any, found: Any) -> Any:
        """Look at what the rule of a line found."""
        for number, value in enumerate(found):
            if isinstance(value, np.ndarray | np.generic | Traced) and (place := _first_nan(value)) is not None:
                raise _error(
                    line, f"the derivative of {line.primitive.name} by its argument {number} is NaN at index {place}"
                )
        return found
