"""Nonlinear least squares to the last digit, with any Jacobian.

One idea: the algorithm is the same whoever supplies the Jacobian, so two Jacobians can be compared by the
answers they lead to. `fit` runs SciPy's solvers and then polishes: Gauss-Newton steps by QR until they stop
shrinking. A step is zero where ``J.T @ r`` is, so the polish is exactly as good as the Jacobian. This module
knows nothing of NIST and is never told a certified value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import least_squares

import wengert as wg

from ..errors import WengertError

__all__ = ["Fit", "FitError", "differences", "exact", "fit"]

Residual = Callable[[Any], Any]
Jacobian = Callable[[np.ndarray], np.ndarray]

STATIONARY = 1e-4
"""Relative offset below which a point counts as stationary; Bates and Watts suggest 1e-3."""

POLISH_STEPS = 100
"""Most Gauss-Newton steps of the polish. It stops by itself long before, as a rule."""


class FitError(WengertError, ValueError):
    """A fit cannot begin.

    Cause: the residual has a NaN or an infinity at the start, or there are no more residuals than parameters.
    Fix: start where the model is defined; bring more observations.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.demo.fit import differences, fit
    >>> residual = lambda b: np.log(b[0]) * np.ones(3)
    >>> fit(residual, differences(residual), np.array([-1.0]))
    Traceback (most recent call last):
        ...
    wengert.demo.fit.FitError: The residual at the start [-1.] has 3 of 3 entries not finite.
    Why: no solver can tell which way is down from there.
    Try: a start at which the model is defined
    """


@dataclass(frozen=True)
class Fit:
    """Where a fit ended, and how well it is known."""

    beta: np.ndarray
    """The parameters, shape (n,)."""
    sd: np.ndarray
    """Their standard deviations, shape (n,); all infinite where the Jacobian has not full rank."""
    rss: float
    """Residual sum of squares."""
    offset: float
    """Relative offset: what the Jacobian can still explain of the residual, against what it cannot."""
    solvers: tuple[str, ...] = ()
    """The SciPy methods that ran, in order."""


def exact(residual: Residual) -> Jacobian:
    """Return the exact Jacobian of `residual` as a function.

    residual: (n,) -> (m,)   returns: a function (n,) -> (m, n)
    """
    return wg.jacobian(residual)


def differences(residual: Residual, *, points: Literal[2, 3] = 2, relative: bool = True) -> Jacobian:
    """Return a finite-difference Jacobian of `residual` as a function.

    residual: (n,) -> (m,)   returns: a function (n,) -> (m, n)

    Parameters
    ----------
    residual : callable
        The function to differentiate.
    points : {2, 3}
        2 for forward differences, 3 for central ones, with the step sizes that SciPy uses for them.
    relative : bool
        True scales each step by its parameter, as SciPy does when it is given `diff_step`. False scales by
        ``max(1, abs(parameter))``, SciPy's default, which is far too long for a parameter near 1e-6.

    Notes
    -----
    Cost: ``n + 1`` evaluations of `residual` with 2 points, ``2 n`` with 3.

    Examples
    --------
    >>> import numpy as np
    >>> jacobian = differences(lambda b: b**2)
    >>> error = jacobian(np.array([3.0]))[0, 0] - 6
    >>> print(0 < abs(error) < 1e-6)
    True
    """
    size = np.finfo(float).eps ** (1 / points)

    def jacobian(beta: np.ndarray) -> np.ndarray:
        scale = np.abs(beta) if relative else np.maximum(1.0, np.abs(beta))
        steps = size * np.where(scale > 0, scale, 1.0) * np.where(beta >= 0, 1.0, -1.0)
        middle = residual(beta) if points == 2 else None
        columns = []
        for j in range(beta.size):
            ahead = beta.copy()
            ahead[j] += steps[j]
            behind = beta.copy()
            if middle is None:
                behind[j] -= steps[j]
            rise = residual(ahead) - (residual(behind) if middle is None else middle)
            columns.append(rise / (ahead[j] - behind[j]))
        return np.stack(columns, axis=1)

    return jacobian


def fit(residual: Residual, jacobian: Jacobian, start: np.ndarray) -> Fit:
    """Return the least-squares fit that is reached from `start`.

    residual: (n,) -> (m,)   jacobian: (n,) -> (m, n)   start: (n,)

    Parameters
    ----------
    residual, jacobian : callable
        The residual and its Jacobian. Every derivative the fit uses comes from `jacobian`.
    start : ndarray
        Where to begin.

    Raises
    ------
    FitError
        If the residual is not finite at `start`, or if m <= n.

    Notes
    -----
    MINPACK's Levenberg-Marquardt runs first. If the point it reaches is not stationary, SciPy's trust-region
    solver runs too, and the lower sum of squares wins. Both scale the parameters by the columns of the
    Jacobian. Trial points outside the model's domain give residuals that are not finite; the solvers answer
    with a shorter step, so NumPy's warnings about them are off.

    References
    ----------
    Bates and Watts, "A relative offset orthogonality convergence criterion for nonlinear least squares",
    Technometrics 23 (1981).
    """
    start = np.asarray(start, dtype=float)
    with np.errstate(all="ignore"):
        at_start = np.asarray(residual(start))
        if at_start.size <= start.size:
            raise FitError(
                f"{at_start.size} residuals for {start.size} parameters.",
                why="with no residual to spare nothing is known of the noise.",
                hint="more observations or fewer parameters",
            )
        if not np.all(np.isfinite(at_start)):
            bad = np.count_nonzero(~np.isfinite(at_start))
            raise FitError(
                f"The residual at the start {start} has {bad} of {at_start.size} entries not finite.",
                why="no solver can tell which way is down from there.",
                hint="a start at which the model is defined",
            )
        reached: dict[str, Fit] = {}
        for method in ("lm", "trf"):
            reached[method] = _polish(residual, jacobian, _solve(residual, jacobian, start, method))
            best = min(reached.values(), key=lambda one: one.rss)
            if best.offset < STATIONARY:
                break
    return replace(best, solvers=tuple(reached))


class _NotFinite(ArithmeticError):
    """The Jacobian has a NaN or an infinity at a point a solver accepted."""


def _solve(residual: Residual, jacobian: Jacobian, start: np.ndarray, method: str) -> np.ndarray:
    """Return where SciPy's `method` gets to, at its tightest tolerances."""
    last = start

    def checked(beta: np.ndarray) -> np.ndarray:
        nonlocal last
        values = jacobian(beta)
        if not np.all(np.isfinite(values)):
            raise _NotFinite
        last = beta.copy()
        return values

    tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "max_nfev": 2000}
    try:
        return least_squares(residual, start, jac=checked, method=method, x_scale="jac", **tight).x
    except _NotFinite:
        return last


def _polish(residual: Residual, jacobian: Jacobian, beta: np.ndarray) -> Fit:
    """Return the fit after Gauss-Newton steps from `beta`, taken while each is shorter than the last."""
    first = best = _linearise(residual, jacobian, beta)
    for _ in range(POLISH_STEPS):
        following = _linearise(residual, jacobian, best.fit.beta + best.step)
        if not following.length < best.length:
            break
        best = following
    # Near a minimum the sum of squares is flat: it cannot tell good steps from bad ones, only a wrong way.
    return best.fit if best.fit.rss <= first.fit.rss * (1 + 1e-8) else first.fit


@dataclass(frozen=True)
class _Linearised:
    fit: Fit
    step: np.ndarray
    length: float
    """Largest step of a parameter, relative to that parameter."""


def _linearise(residual: Residual, jacobian: Jacobian, beta: np.ndarray) -> _Linearised:
    """Return the state at `beta` and the Gauss-Newton step, by QR of the Jacobian with unit columns."""
    r = np.asarray(residual(beta))
    rss = float(r @ r)
    lost = np.full(beta.size, np.inf)
    nowhere = _Linearised(Fit(beta, lost, rss if np.isfinite(rss) else np.inf, np.inf), lost, np.inf)
    if not np.isfinite(rss):
        return nowhere
    J = jacobian(beta)
    scale = np.linalg.norm(J, axis=0)
    if not (np.all(np.isfinite(scale)) and np.all(scale > 0)):
        return nowhere
    Q, R = np.linalg.qr(J / scale)
    if not np.all(np.abs(np.diag(R)) > 0):
        return nowhere
    m, n = J.shape
    inside = Q.T @ r
    outside = float(np.linalg.norm(r - Q @ inside)) / np.sqrt(m - n)
    step = -solve_triangular(R, inside) / scale
    inverse = solve_triangular(R, np.eye(n))
    sd = np.sqrt(rss / (m - n)) * np.linalg.norm(inverse, axis=1) / scale
    offset = float(np.linalg.norm(inside)) / np.sqrt(n) / outside if outside > 0 else 0.0
    length = float(np.max(np.abs(step) / np.where(beta == 0, 1.0, np.abs(beta))))
    return _Linearised(Fit(beta, sd, rss, offset), step, length)
