"""Functions that nobody can look into: compiled code, a file, another program. Their derivative is a difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import MissingRule, StructureError
from .custom import custom_rule


class Opaque:
    """A function whose derivative comes from differences; made by `opaque`."""

    def __init__(self, function: Callable[..., Any], like: Callable[..., Any] | None = None) -> None:
        if not callable(function):
            raise StructureError(f"opaque: the argument is the function, not {type(function).__name__}")
        self.function = function
        self._slopes = custom_rule(self._slopes_at, jvp=_no_second, like=_slopes_like)
        self._rule = custom_rule(function, jvp=self._push, like=like)
        self.__name__ = f"opaque({getattr(function, '__name__', 'function')})"

    def __call__(self, *args: Any) -> Any:
        """Return the function's value."""
        return self._rule(*args)

    def errors(self, *args: Any) -> tuple[np.ndarray, ...]:
        """Return for each argument a bound of the derivative's error there: three times what the differences differ by."""
        return tuple(3 * error for _, error in self._differences(args))

    def _push(self, tangents: Any, out: Any, *args: Any) -> Any:
        total: Any = 0.0
        for slope, tangent in zip(self._slopes(out, *args), tangents):
            if tangent is not None:
                total = total + np.tensordot(slope, tangent, np.ndim(tangent))
        return total

    def _slopes_at(self, out: Any, *args: Any) -> tuple[np.ndarray, ...]:
        return tuple(slope for slope, _ in self._differences(args))

    def _differences(self, args: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        from ..testing.differences import difference

        leaves = [np.asarray(arg, float) for arg in args]

        def values(moved: Any) -> list[Any]:
            return [np.asarray(self.function(*moved), float)]

        found = []
        for k, leaf in enumerate(leaves):
            columns, errors = [], []
            for place in np.ndindex(leaf.shape):
                directions: list[Any] = [None] * len(leaves)
                scale = abs(leaf[place]) or 1.0
                directions[k] = np.zeros(leaf.shape)
                directions[k][place] = scale
                (column,), (error,) = difference(values, leaves, directions)
                columns.append(column / scale)
                errors.append(error / scale)
            shape = np.shape(values(leaves)[0]) + leaf.shape
            found.append(tuple(np.reshape(np.stack(part, axis=-1), shape) for part in (columns, errors)))
        return found  # type: ignore[return-value]


def _slopes_like(out: Any, *args: Any) -> tuple[np.ndarray, ...]:
    return tuple(np.empty((*np.shape(out), *np.shape(arg))) for arg in args)


def _no_second(*_: Any) -> Any:
    raise MissingRule(
        "opaque: the second derivative of an opaque function is asked for",
        why="it would be a difference of differences, with few right digits",
        hint="wengert.custom_rule with a jvp of your own",
    )


def opaque(function: Callable[..., Any], like: Callable[..., Any] | None = None) -> Opaque:
    """Make a function differentiable that nothing can be recorded in: its derivative is taken by differences.

    f: (x, ...) -> y, one array

    Parameters
    ----------
    function : callable
        Takes and returns plain arrays of real numbers; may call anything.
    like : callable, optional
        `(*args) -> ` an array of the result's shape and dtype; needed inside `vmap`.

    Raises
    ------
    MissingRule
        When a second derivative is asked for.

    Notes
    -----
    Cost: 20 to 60 evaluations for each number among the arguments, once per derivative, whatever its mode. The steps are
    extrapolated (Ridders, 1982); `errors` says how far they agree, 1e-10 relative or so for smooth functions. In a
    listing of operations it shows as `custom`. What can be recorded should be: that is exact, and cheaper.

    Examples
    --------
    >>> import math
    >>> import numpy as np
    >>> import wengert as wg
    >>> f = wg.opaque(lambda x: math.erf(x[0]) * x[1])  # of C, and of one number
    >>> gradient = wg.grad(lambda x: f(x) ** 2)(np.array([0.5, 2.0]))
    >>> exact = 2 * math.erf(0.5) * 2 * np.array([2 * 2 / math.sqrt(math.pi) * math.exp(-0.25), math.erf(0.5)])
    >>> bool(np.allclose(gradient, exact, rtol=1e-9)), bool(np.all(f.errors(np.array([0.5, 2.0]))[0] < 1e-8))
    (True, True)
    """
    return Opaque(function, like)
