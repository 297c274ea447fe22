"""`scipy.integrate` with exact derivatives filled in: stiff solvers and boundary value problems.

The same names and signatures. Implicit methods get the exact Jacobian of the right-hand side, sparse or banded where it
is. Inside a derivative the solution of `solve_ivp` carries its own, as with `wengert.implicit`. Names that are not here
are SciPy's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import TraceLost, UnsupportedFunction
from ..sparse.decide import Options, Recipe
from ..sparse.jacobians import dense_matrix, pays_off, sparse_matrix
from ..sparse.parts import BatchJacobian
from ..sparse.plans import plans
from ..sparse.point import Reused
from ..sparse.record import Run
from ._integral import quad, quad_vec  # noqa: F401
from ._quadrature import cumulative_trapezoid, simpson, trapezoid  # noqa: F401
from ._solution import solution


def __getattr__(name: str) -> Any:
    import scipy.integrate

    return getattr(scipy.integrate, name)


class _StateFirst:
    """fun(t, y, *args) as a function of y first."""

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.fun = fun
        self.args = args

    def __call__(self, y: Any, t: Any) -> Any:
        return self.fun(t, y, *self.args)


class TimeJacobian:
    """The Jacobian by y of a right-hand side fun(t, y).

    The time is traced like the state, so that one plan serves all times and the function's Python does not run again;
    if the function needs it as a plain number (`math.sin(t)`), it is recorded at every Jacobian instead.

    Attributes
    ----------
    form : str
        "auto", "dense", "sparse" or "banded".
    traced : Reused or None
        The derivative with the time traced; None if that is not possible.
    """

    def __init__(self, fun: Callable[..., Any], args: tuple[Any, ...] = (), form: str = "auto") -> None:
        self.function = _StateFirst(fun, args)
        self.form = form
        self.traced: Reused | None = Reused(self.function, "jacobian", "solve_ivp")

    def evaluate(self, t: float, y: np.ndarray) -> tuple[Recipe, np.ndarray]:
        """Return the recipe and the entries in CSR order."""
        y = np.asarray(y)
        y = y if y.dtype.kind in "fc" else y.astype(float)
        if self.traced is not None:
            try:
                return self.traced.evaluate(y, np.asarray(float(t)))
            except (TraceLost, UnsupportedFunction, TypeError):
                self.traced = None
        return plans.evaluate(Run(self.function, (y, float(t)), {}, 0, False, "solve_ivp"), Options())

    def bandwidth(self, t: float, y: np.ndarray) -> tuple[int, int]:
        """Return how many diagonals there are below and above the main one."""
        recipe, _ = self.evaluate(t, y)
        rows = np.repeat(np.arange(recipe.shape[0]), np.diff(recipe.indptr))
        offsets = rows - recipe.indices
        return int(max(offsets.max(initial=0), 0)), int(max((-offsets).max(initial=0), 0))

    def __call__(self, t: float, y: np.ndarray) -> Any:
        """Return the Jacobian in the form that was settled."""
        recipe, data = self.evaluate(t, y)
        if self.form == "auto":
            self.form = "sparse" if pays_off(recipe) else "dense"
        return sparse_matrix(recipe, data) if self.form == "sparse" else dense_matrix(recipe, data)

    def packed(self, lower: int, upper: int) -> Callable[[float, np.ndarray], np.ndarray]:
        """Return the Jacobian in LSODA's banded form: entry (i, j) stands in row i - j + upper."""

        def jacobian(t: float, y: np.ndarray) -> np.ndarray:
            recipe, data = self.evaluate(t, y)
            rows = np.repeat(np.arange(recipe.shape[0]), np.diff(recipe.indptr))
            result = np.zeros((lower + upper + 1, recipe.shape[1]))
            result[rows - recipe.indices + upper, recipe.indices] = data
            return result

        return jacobian


@solution
def solve_ivp(
    fun: Callable[..., Any],
    t_span: Any,
    y0: Any,
    method: Any = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: Any = None,
    vectorized: bool = False,
    args: Any = None,
    *,
    jac: Any = None,
    **options: Any,
) -> Any:
    """Solve an initial value problem as `scipy.integrate.solve_ivp` does, with the exact Jacobian for stiff methods.

    f: (t, (n,)) -> (n,)   returns: the solver's result

    Parameters
    ----------
    fun : callable
        Ordinary NumPy code, `fun(t, y, *args)`.
    jac : {"dense", "sparse", "banded"} or what SciPy takes, optional
        For Radau, BDF and LSODA. If not given: sparse where the Jacobian is large and mostly zero (banded for LSODA),
        else dense.
    t_span, y0, method, t_eval, dense_output, events, vectorized, args, **options
        As for `scipy.integrate.solve_ivp`.

    Notes
    -----
    The pattern is found once. The function's Python does not run for a Jacobian unless it branches on values.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.scipy.integrate import solve_ivp
    >>> def robertson(t, y):
    ...     a, b, c = 0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] ** 2
    ...     return np.stack([b - a, a - b - c, c])
    >>> found = solve_ivp(robertson, (0, 40), [1.0, 0, 0], method="Radau", rtol=1e-6, atol=1e-9)
    >>> bool(found.success), round(float(found.y[0, -1]), 5)
    (True, 0.71583)
    """
    from scipy import integrate

    name = method.upper() if isinstance(method, str) else getattr(method, "__name__", "").upper()
    ours = jac is None or (isinstance(jac, str) and jac in ("dense", "sparse", "banded"))
    if name not in ("RADAU", "BDF", "LSODA") or not ours:
        if jac is not None:
            options["jac"] = jac
        return integrate.solve_ivp(fun, t_span, y0, method, t_eval, dense_output, events, vectorized, args, **options)
    extra = () if args is None else tuple(args) if isinstance(args, tuple | list) else (args,)
    jacobian = TimeJacobian(fun, extra, jac if jac in ("dense", "sparse") else "auto")
    call: Any = jacobian
    if name == "LSODA":
        jacobian.form = "dense"
        start = np.asarray(y0)
        if jac != "dense" and "lband" not in options and "uband" not in options:
            lower, upper = jacobian.bandwidth(t_span[0], start)
            if jac == "banded" or lower + upper + 1 < start.size // 2:
                call = jacobian.packed(lower, upper)
                options.update(lband=lower, uband=upper)
    given = call if not extra else lambda t, y, *_: call(t, y)
    return integrate.solve_ivp(
        fun, t_span, y0, method, t_eval, dense_output, events, vectorized, args, jac=given, **options
    )


class _Columns:
    """The right-hand side of a boundary value problem with one mesh point per row."""

    def __init__(self, fun: Callable[..., Any], x: np.ndarray, p: Any) -> None:
        self.fun = fun
        self.x = x
        self.p = p

    def __call__(self, rows: Any) -> Any:
        y = np.transpose(rows)
        values = self.fun(self.x, y) if self.p is None else self.fun(self.x, y, self.p)
        if isinstance(values, list | tuple):
            values = np.stack(values)
        return np.transpose(values)


def solve_bvp(
    fun: Callable[..., Any],
    bc: Callable[..., Any],
    x: Any,
    y: Any,
    p: Any = None,
    S: Any = None,
    fun_jac: Any = None,
    bc_jac: Any = None,
    *positional: Any,
    **options: Any,
) -> Any:
    """Solve a boundary value problem as `scipy.integrate.solve_bvp` does, with exact Jacobians.

    fun: ((m,), (n, m)[, (k,)]) -> (n, m)   bc: ((n,), (n,)[, (k,)]) -> (n + k,)   returns: the solver's result

    Parameters
    ----------
    fun_jac, bc_jac
        Filled in where they are None. That mesh points are independent of each other is proved, not assumed.
    fun, bc, x, y, p, S, **options
        As for `scipy.integrate.solve_bvp`.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.scipy.integrate import solve_bvp
    >>> fun = lambda x, y: np.vstack([y[1], -np.exp(y[0])])
    >>> bc = lambda left, right: np.stack([left[0], right[0]])
    >>> found = solve_bvp(fun, bc, np.linspace(0, 1, 5), np.zeros((2, 5)))
    >>> round(float(found.sol(0.5)[0]), 4)
    0.1405
    """
    from scipy import integrate

    from ..differentiation.dense import jacobian

    if fun_jac is None:

        def by_state(x: np.ndarray, y: np.ndarray, p: Any = None) -> Any:
            blocks = BatchJacobian(_Columns(fun, x, p), 0, False, True, None)(np.ascontiguousarray(y.T))
            by_y = np.transpose(blocks, (1, 2, 0))
            if p is None:
                return by_y
            by_p = jacobian(lambda q: _Columns(fun, x, q)(y.T), mode="forward")(p)  # (m, n, k)
            return by_y, np.transpose(by_p, (1, 2, 0))

        fun_jac = by_state
    if bc_jac is None:

        def boundary(left: Any, right: Any, *rest: Any) -> Any:
            values = bc(left, right, *rest)
            return np.stack(values) if isinstance(values, list | tuple) else values

        count = 2 if p is None else 3
        bc_jac = jacobian(boundary, argnums=tuple(range(count)))
    return integrate.solve_bvp(fun, bc, x, y, p, S, fun_jac, bc_jac, *positional, **options)
