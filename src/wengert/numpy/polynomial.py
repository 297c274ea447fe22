"""Evaluation of `numpy.polynomial` series, differentiable in the point and in the coefficients.

The functions of `numpy.polynomial` accept a tensor as the point, with a plain vector of coefficients; its classes
accept none. Here are both: `polyval`, `chebval`, `legval`, `lagval`, `hermval`, `hermeval`, `polyval2d` and
`polygrid2d` with NumPy's signatures, and `evaluate(p, x)` for an object such as `np.polynomial.Chebyshev(...)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import polynomial as _series_of_powers

from ..errors import ArgumentError, StructureError
from ._register import as_array, as_float, implements, since

__all__ = [
    "chebval",
    "evaluate",
    "hermeval",
    "hermval",
    "lagval",
    "legval",
    "polygrid2d",
    "polyval",
    "polyval2d",
    "polyvalnd",
]

# The recurrence P[k + 1] = (a[k] x + b[k]) P[k] + g[k] P[k - 1] of each family, from P[0] = 1.
# References: NIST Digital Library of Mathematical Functions, section 18.9.
Recurrence = Callable[[int], tuple[float, float, float]]
_FAMILIES: dict[str, Recurrence] = {
    "Polynomial": lambda k: (1.0, 0.0, 0.0),
    "Chebyshev": lambda k: (2.0 if k else 1.0, 0.0, -1.0),
    "Legendre": lambda k: ((2 * k + 1) / (k + 1), 0.0, -k / (k + 1)),
    "Laguerre": lambda k: (-1 / (k + 1), (2 * k + 1) / (k + 1), -k / (k + 1)),
    "Hermite": lambda k: (2.0, 0.0, -2.0 * k),
    "HermiteE": lambda k: (1.0, 0.0, -1.0 * k),
}


def _clenshaw(x: Any, c: Any, recurrence: Recurrence) -> Any:
    """Sum of c[k] P[k](x) by Clenshaw's backward recurrence (Mathematical Tables and Other Aids 9, 1955)."""
    later: Any = x * 0
    latest: Any = x * 0
    for k in range(c.shape[0] - 1, -1, -1):
        a, b, _ = recurrence(k)
        following = recurrence(k + 1)[2]
        slope = a * x + b if b else a * x if a != 1 else x
        later, latest = latest, c[k] + slope * latest + (following * later if following else 0)
    return latest


def _series(name: str, family: str) -> Any:
    def val(x: Any, c: Any, tensor: bool = True) -> Any:
        x, c = as_float(x), as_float(c)
        if c.ndim == 0:
            c = np.reshape(c, (1,))
        if tensor and c.ndim > 1:
            c = np.reshape(c, c.shape + (1,) * x.ndim)
        return _clenshaw(x, c, _FAMILIES[family])

    val.__name__ = val.__qualname__ = name
    val.__doc__ = f"Same as `numpy.polynomial`'s `{name}`, differentiable in the point and in the coefficients."
    return val


polyval = _series("polyval", "Polynomial")
chebval = _series("chebval", "Chebyshev")
legval = _series("legval", "Legendre")
lagval = _series("lagval", "Laguerre")
hermval = _series("hermval", "Hermite")
hermeval = _series("hermeval", "HermiteE")


@implements(_series_of_powers.polyval2d)
def polyval2d(x: Any, y: Any, c: Any) -> Any:
    """Same as `numpy.polynomial.polynomial.polyval2d`."""
    return polyvalnd((x, y), c)


@implements(since("polyvalnd", _series_of_powers))
def polyvalnd(pts: Any, c: Any) -> Any:
    """Same as `numpy.polynomial.polynomial.polyvalnd`: one variable after the other."""
    points = [as_float(x) for x in pts]
    if any(x.shape != points[0].shape for x in points):
        raise ArgumentError(f"the points have different shapes: {[x.shape for x in points]}")
    for k, x in enumerate(points):
        c = polyval(x, c, tensor=k == 0)
    return c


@implements(_series_of_powers.polygrid2d)
def polygrid2d(x: Any, y: Any, c: Any) -> Any:
    """Same as `numpy.polynomial.polynomial.polygrid2d`."""
    return polyval(y, polyval(x, c))


def evaluate(p: Any, x: Any) -> Any:
    """Return the value of a `numpy.polynomial` object, `p(x)`, where `x` may be tracked.

    x: (...) -> (...)

    Raises
    ------
    TypeError
        If `p` is not one of NumPy's six kinds of series.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> p = np.polynomial.Chebyshev([1.0, 2.0, 3.0], domain=[0, 4])
    >>> float(wg.grad(lambda x: wg.numpy.polynomial.evaluate(p, x))(1.0))
    -2.0
    """
    family = type(p).__name__
    if family not in _FAMILIES:
        raise StructureError(f"evaluate: the first argument is a numpy.polynomial series, not {family}")
    offset, scale = p.mapparms()
    return _clenshaw(offset + scale * as_array(x), as_array(p.coef), _FAMILIES[family])
