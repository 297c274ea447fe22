"""SciPy's solvers with derivatives: `implicit(scipy.optimize.root)` and its kin.

The solver runs as it is, on plain arrays; the derivative of its solution comes from the condition that the solution
meets (`implicit.Root`), or for ordinary differential equations from `implicit_ode`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, NoConvergence, StructureError, UnsupportedFunction
from ..program import Slot
from ..recording import Traced
from ..tensor import Tensor
from .control import as_leaf
from .dense import Jacobian
from .gradient import Grad
from .implicit import Equation, Root, as_vector, from_vector, plain_leaves

# ---------------------------------------------------------------- what all share


class _Problem:
    """A user's function of unknowns and extra arguments: plain for the solver, an equation for the derivative."""

    def __init__(self, function: Callable[..., Any], x0: Any, args: Any, name: str) -> None:
        if not callable(function):
            raise StructureError(f"{name}: the first argument is the function, not {type(function).__name__}")
        self.name = name
        args = args if isinstance(args, tuple) else (args,)
        self.x0, self.x_tree = plain_leaves(x0, f"{name}: x0")
        if not self.x_tree.is_leaf and not all(np.shape(leaf) == () for leaf in self.x0):
            raise StructureError(f"{name}: x0 is an array of numbers, as SciPy's solvers want it")
        if not self.x_tree.is_leaf:  # a list of numbers
            self.x0 = [np.stack(self.x0)]
        self.extra, self.extra_tree = tree.flatten(args)
        self.extra = [as_leaf(leaf, f"{name}: args") for leaf in self.extra]
        leaf = tree.flatten(0)[1]
        structure = tree.Tree(tuple, (), (leaf, *self.extra_tree.children))
        slots = [Slot.of(self.x0[0]), *map(Slot.of, self.extra)]
        self.equation = Equation(function, slots, structure, name)

    @property
    def params(self) -> list[Any]:
        """The extra arguments and what the function reads from outside."""
        return [*self.extra, *self.equation.captured]

    def bind(self, params: Sequence[Any]) -> Callable[..., Any]:
        """Return the function of the unknowns alone, for parameters as given."""
        return _Bound(self.equation, params)


class _Bound:
    def __init__(self, equation: Equation, params: Sequence[Any]) -> None:
        self.equation = equation
        self.params = tuple(params)

    def __call__(self, x: Any) -> Any:
        x = x if isinstance(x, Traced) else np.asarray(x, float) if np.asarray(x).dtype.kind in "iub" else np.asarray(x)
        return tree.unflatten(self.equation.outputs, self.equation(x, *self.params))


class _Solver:
    """Runs a SciPy solver once per call and keeps its result object."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self.run = run
        self.result: Any = None

    def __call__(self, *values: Any) -> list[Any]:
        self.result = self.run(*values)
        x = self.result.x if hasattr(self.result, "x") else self.result
        return [np.asarray(x, np.asarray(values[0]).dtype).reshape(np.shape(values[0]))]


def _differentiable(
    problem: _Problem, run: Callable[..., Any], condition: Callable[..., list[Any]], free: Any = None
) -> tuple[Any, Any]:
    """Return the solution as a value with derivatives, and the solver's result object (None under `vmap`)."""
    solver = _Solver(run)
    rule = Root(condition, 1, solver, problem.name, free=free)
    (x,) = rule(*problem.x0, *problem.params)
    return x, solver.result


def _with_x(result: Any, x: Any, **parts: Callable[[], Any]) -> Any:
    """Return SciPy's result object with the differentiable solution in it, and what else depends on the parameters."""
    if result is None:  # only shapes are known
        from scipy.optimize import OptimizeResult

        result = OptimizeResult()
    result["x"] = x
    if isinstance(x, Traced):
        result.update({name: part() for name, part in parts.items()})
    return result


def _check_success(result: Any, name: str) -> None:
    if result.get("success", True):
        return
    raise NoConvergence(
        f"{name}: the solver stopped without a solution: {str(result.get('message', '')).strip()}",
        why="the derivative of a solution that was not found means nothing",
        hint="another starting point or method, or more steps",
    )


def _needs_jacobian(options: dict[str, Any]) -> bool:
    return options.get("jac") in (None, False, "2-point", "3-point", "cs")


# ---------------------------------------------------------------- equations


class _Flat:
    """An equation whose residuals are one vector."""

    def __init__(self, equation: Callable[..., list[Any]]) -> None:
        self.equation = equation

    def __call__(self, *values: Any) -> list[Any]:
        return [as_vector(self.equation(*values))]


def _root(solver: Any, fun: Any, x0: Any, args: Any = (), **options: Any) -> Any:
    problem = _Problem(fun, x0, args, "root")

    def run(x: Any, *params: Any) -> Any:
        plain = problem.bind(params)
        settings = dict(options)
        if _needs_jacobian(settings) and settings.get("method", "hybr") in ("hybr", "lm"):
            settings["jac"] = Jacobian(plain)
        result = solver(plain, x, **settings)
        _check_success(result, "root")
        return result

    x, result = _differentiable(problem, run, _Flat(problem.equation))
    return _with_x(result, x)


def _fsolve(solver: Any, func: Any, x0: Any, args: Any = (), **options: Any) -> Any:
    if options.get("full_output"):
        raise ArgumentError("fsolve: full_output is not available with derivatives", hint="scipy.optimize.root")
    problem = _Problem(func, np.atleast_1d(x0) if not isinstance(x0, Traced) else x0, args, "fsolve")

    def run(x: Any, *params: Any) -> Any:
        plain = problem.bind(params)
        return solver(plain, x, fprime=options.get("fprime") or Jacobian(plain), **_without(options, "fprime"))

    return _differentiable(problem, run, _Flat(problem.equation))[0]


def _without(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in names}


def _bracketed(solver: Any, f: Any, a: Any, b: Any, args: Any = (), **options: Any) -> Any:
    if options.get("full_output"):
        raise ArgumentError(f"{solver.__name__}: full_output is not available with derivatives")
    ends = [float(end._data if isinstance(end, Traced) else end) for end in (a, b)]
    problem = _Problem(f, 0.5 * (ends[0] + ends[1]), args, solver.__name__)

    def run(_start: Any, *params: Any) -> Any:
        plain = problem.bind(params)
        return solver(lambda x: float(plain(np.asarray(x, float))), *ends, **options)

    return _differentiable(problem, run, _Flat(problem.equation))[0]


def _newton(solver: Any, func: Any, x0: Any, fprime: Any = None, args: Any = (), **options: Any) -> Any:
    problem = _Problem(func, x0, args, "newton")
    settings = _without(options, "fprime2", "full_output")

    def run(x: Any, *params: Any) -> Any:
        plain = problem.bind(params)
        if np.shape(x) != ():
            return solver(lambda x: np.asarray(plain(x)), x, **settings)
        slope = Grad(plain)
        return solver(
            lambda x: float(plain(np.asarray(x, float))),
            float(x),
            lambda x: float(slope(np.asarray(x, float))),
            **settings,
        )

    return _differentiable(problem, run, _Flat(problem.equation))[0]


# ---------------------------------------------------------------- minima


class _Stationary:
    """The condition of a minimum: the gradient is zero."""

    def __init__(self, equation: Callable[..., list[Any]], objective: Callable[..., Any] | None = None) -> None:
        self.equation = equation
        self.objective = objective

    def value(self, x: Any, *params: Any) -> Any:
        """Return what is minimised."""
        out = self.equation(x, *params)
        value = out[0] if self.objective is None else self.objective(as_vector(out))
        return np.reshape(value, ()) if np.shape(value._data if isinstance(value, Traced) else value) != () else value

    def __call__(self, x: Any, *params: Any) -> list[Any]:
        return [np.reshape(Grad(self.value)(x, *params), (-1,))]


class _Free:
    """Which unknowns are not held at a bound."""

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self.low = low
        self.high = high

    def __call__(self, x: Sequence[Any], params: Sequence[Any]) -> Any:
        value = x[0].numpy() if isinstance(x[0], Tensor) else np.asarray(x[0])
        value = value.ravel()
        margin = 1e-8 * (1 + np.abs(value))
        return (value > self.low + margin) & (value < self.high - margin)


def _bounds(bounds: Any, count: int, pairs: bool) -> _Free | None:
    if bounds is None:
        return None
    if hasattr(bounds, "lb"):
        low, high = bounds.lb, bounds.ub
    elif pairs:
        low = [-np.inf if pair[0] is None else pair[0] for pair in bounds]
        high = [np.inf if pair[1] is None else pair[1] for pair in bounds]
    else:
        low, high = bounds
    low, high = (np.broadcast_to(np.asarray(end, float), (count,)) for end in (low, high))
    if not (np.any(np.isfinite(low)) or np.any(np.isfinite(high))):
        return None
    return _Free(low, high)


def _minimize(solver: Any, fun: Any, x0: Any, args: Any = (), **options: Any) -> Any:
    if options.get("constraints"):
        raise UnsupportedFunction(
            "minimize: derivatives of a constrained minimum are not available",
            hint="wengert.custom_root with the conditions of the minimum (gradient of the Lagrangian and constraints)",
        )
    problem = _Problem(fun, x0, args, "minimize")
    stationary = _Stationary(problem.equation)
    free = _bounds(options.get("bounds"), problem.x0[0].size, pairs=True)

    def run(x: Any, *params: Any) -> Any:
        settings = dict(options)
        if _needs_jacobian(settings) and str(settings.get("method", "")).lower() not in (
            "nelder-mead",
            "powell",
            "cobyla",
        ):
            settings["jac"] = Grad(lambda x: stationary.value(x, *params))
        settings.setdefault("tol", 1e-10)
        result = solver(lambda x: float(stationary.value(np.asarray(x, float), *params)), x, **settings)
        small = result.get("jac") is not None and np.max(np.abs(result.jac), initial=0.0) < 1e-4
        if not small:  # a line search that cannot improve any more has still found the minimum
            _check_success(result, "minimize")
        return result

    x, result = _differentiable(problem, run, stationary, free)
    return _with_x(result, x, fun=lambda: stationary.value(x, *problem.params))


# rho(z) of SciPy's robust losses, for z = (residual / scale)^2.
_LOSSES: dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "soft_l1": lambda z: 2 * (np.sqrt(1 + z) - 1),
    "huber": lambda z: np.where(z <= 1, z, 2 * np.sqrt(np.where(z <= 1, 1.0, z)) - 1),
    "cauchy": lambda z: np.log1p(z),
    "arctan": lambda z: np.arctan(z),
}


class _Cost:
    """Half the sum of a loss over squared residuals."""

    def __init__(self, loss: str, scale: float) -> None:
        self.loss = loss
        self.scale = scale

    def __call__(self, residuals: Any) -> Any:
        return 0.5 * self.scale**2 * np.sum(_LOSSES[self.loss](np.square(residuals / self.scale)))


def _least_squares(solver: Any, fun: Any, x0: Any, jac: Any = None, bounds: Any = None, **options: Any) -> Any:
    if options.get("kwargs"):
        raise ArgumentError("least_squares: pass extra arguments by args=, not kwargs=")
    loss = options.get("loss", "linear")
    if loss not in _LOSSES:
        raise ArgumentError(f"least_squares: the loss is one of {', '.join(_LOSSES)}, not {loss!r}")
    problem = _Problem(fun, x0, options.pop("args", ()), "least_squares")
    condition = _Stationary(problem.equation, _Cost(loss, float(options.get("f_scale", 1.0))))
    free = _bounds(bounds, problem.x0[0].size, pairs=False)

    def run(x: Any, *params: Any) -> Any:
        plain = problem.bind(params)
        settings = {"xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12, **options}
        if bounds is not None:
            settings["bounds"] = bounds
        exact = jac if callable(jac) else Jacobian(plain)
        result = solver(plain, x, jac=exact, **settings)
        _check_success(result, "least_squares")
        return result

    x, result = _differentiable(problem, run, condition, free)
    residuals = problem.bind(problem.params)
    return _with_x(
        result,
        x,
        fun=lambda: residuals(x),
        cost=lambda: condition.value(x, *problem.params),
        jac=lambda: Jacobian(residuals)(x),
    )


# ---------------------------------------------------------------- public


def _solve_ivp(solver: Any, *args: Any, **options: Any) -> Any:
    from .implicit_ode import solve_ivp

    return solve_ivp(solver, *args, **options)


_KNOWN: dict[str, Callable[..., Any]] = {
    "root": _root,
    "fsolve": _fsolve,
    "brentq": _bracketed,
    "brenth": _bracketed,
    "bisect": _bracketed,
    "ridder": _bracketed,
    "toms748": _bracketed,
    "newton": _newton,
    "minimize": _minimize,
    "least_squares": _least_squares,
    "solve_ivp": _solve_ivp,
}


class Implicit:
    """A SciPy solver whose solution can be differentiated; made by `implicit`."""

    def __init__(self, solver: Callable[..., Any]) -> None:
        name = getattr(solver, "__name__", type(solver).__name__)
        if name not in _KNOWN:
            raise UnsupportedFunction(
                f"implicit: {name} is not one of the solvers with a rule",
                hint=f"scipy's {', '.join(_KNOWN)}; wengert.custom_root for any other",
            )
        self.solver = solver
        self.__name__ = f"implicit({name})"
        self.__doc__ = f"`{name}` with a differentiable solution; same arguments and result as SciPy's.\n"

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Solve; arguments and result are the solver's."""
        return _KNOWN[self.solver.__name__](self.solver, *args, **options)


def implicit(solver: Callable[..., Any]) -> Implicit:
    """Return a SciPy solver whose solution is differentiable by everything the problem reads.

    solver: scipy's `root`, `fsolve`, `newton`, `brentq` (and `brenth`, `bisect`, `ridder`, `toms748`), `minimize`,
    `least_squares` or `solve_ivp`

    Parameters
    ----------
    solver : callable
        It runs as it is, on plain arrays; exact Jacobians or gradients are passed to it where it takes them.

    Returns
    -------
    callable
        Same arguments and result as the solver's. In a result object `x` (for `solve_ivp`: `y`) carries the derivative,
        and so do `fun` of `minimize` and `fun`, `cost` and `jac` of `least_squares`: by `args`, by everything the function
        reads from outside, and for `solve_ivp` by `y0` and the times. Starting points have no derivative.

    Raises
    ------
    NoConvergence
        If the solver reports failure.
    Degenerate
        If the solution is not isolated.
    UnsupportedFunction
        For other solvers, and for constraints in `minimize`.

    Notes
    -----
    Unknowns that stand at a bound are held there. `solve_ivp` takes one more option, `sensitivity`: "forward"
    integrates the variational equations, "adjoint" integrates backwards; "auto" follows the mode of differentiation.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> from scipy.optimize import brentq, minimize
    >>> root = lambda a: wg.implicit(brentq)(lambda x: np.exp(x) - a, -1.0, 5.0)
    >>> round(float(wg.grad(root)(2.0)), 8)
    0.5
    >>> best = lambda a: wg.implicit(minimize)(lambda x: np.sum((x - a) ** 2 + x**4 / 10), np.zeros(2)).x
    >>> wg.jacobian(best)(np.array([0.0, 0.0])).round(8)
    array([[1., 0.],
           [0., 1.]])
    """
    return Implicit(solver)


__all__ = ["Implicit", "from_vector", "implicit"]
