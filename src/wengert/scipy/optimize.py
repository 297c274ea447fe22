"""`scipy.optimize` with exact derivatives filled in: the same names, the same signatures, the same results.

Whatever derivative the caller does not give is computed exactly: dense, sparse or as products, whichever the method
takes. The function runs once for each distinct point. Inside a derivative (of a function that calls a solver) the
solution carries its own derivative, as with `wengert.implicit`. Names that are not here are SciPy's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..sparse.jacobians import dense_matrix, pays_off, sparse_matrix
from ..sparse.operators import operator_at
from ..sparse.point import PointMemo, Reused
from ._solution import plain_solver, solution

# Methods of `minimize` by what they take.
_GRADIENT = ("CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP")
_PRODUCTS = ("NEWTON-CG", "TRUST-NCG", "TRUST-KRYLOV")
_MATRIX = ("DOGLEG", "TRUST-EXACT")
FORMS = ("exact", "dense", "sparse", "operator")

fsolve = plain_solver(__name__, "fsolve")
newton = plain_solver(__name__, "newton")
bisect = plain_solver(__name__, "bisect")
brenth = plain_solver(__name__, "brenth")
brentq = plain_solver(__name__, "brentq")
ridder = plain_solver(__name__, "ridder")
toms748 = plain_solver(__name__, "toms748")


def __getattr__(name: str) -> Any:
    import scipy.optimize

    return getattr(scipy.optimize, name)


def _contiguous(array: Any) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=float)


def _number(value: Any) -> float:
    return float(np.asarray(value)[()] if np.ndim(value) == 0 else np.asarray(value).item())


@solution
def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: Any = None,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Any = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Minimize a scalar function as `scipy.optimize.minimize` does, with exact gradient, Hessian and products.

    f: (n,) -> ()   returns: OptimizeResult

    Parameters
    ----------
    fun : callable
        Ordinary NumPy code, `fun(x, *args)`. It runs once for each distinct point.
    x0, args, method, bounds, tol, callback, options
        As for `scipy.optimize.minimize`.
    jac, hess, hessp
        Filled in where the method takes them and they are None; anything else is passed on as it is.
    constraints
        Those of `scipy.optimize`. A constraint without derivatives gets exact ones.

    Notes
    -----
    Newton-CG, trust-ncg and trust-krylov get Hessian products; dogleg and trust-exact the matrix; trust-constr a sparse
    matrix where most of it is zero.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.scipy.optimize import minimize
    >>> f = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    >>> found = minimize(f, np.zeros(4), method="trust-exact", tol=1e-9)
    >>> np.round(found.x, 6)
    array([1., 1., 1., 1.])
    """
    from scipy import optimize

    args = args if isinstance(args, tuple) else (args,)
    name = "" if method is None else method.upper() if isinstance(method, str) else "CUSTOM"
    takes = name not in ("NELDER-MEAD", "POWELL", "COBYLA", "COBYQA", "CUSTOM")
    lacks_second = hess is None and hessp is None and name in (*_PRODUCTS, *_MATRIX, "TRUST-CONSTR")
    constraints = _with_derivatives(constraints, name)
    if not takes or not (jac is None or (callable(jac) and lacks_second)):
        return optimize.minimize(fun, x0, args, method, jac, hess, hessp, bounds, constraints, tol, callback, options)
    memo = PointMemo(fun, args, "minimize")

    def value(x: np.ndarray, *_: Any) -> float:
        return _number(memo.value(x))

    def gradient(x: np.ndarray, *_: Any) -> np.ndarray:
        return _contiguous(memo.gradient(x)).reshape(x.shape)

    if lacks_second:
        if name in _PRODUCTS:
            hessp = lambda x, v, *_: memo.product(x, v, "hessian")
        else:
            form = "dense" if name in _MATRIX else "auto"
            hess = lambda x, *_: memo.matrix(x, "hessian", form)
    first = gradient if jac is None else jac
    return optimize.minimize(value, x0, args, method, first, hess, hessp, bounds, constraints, tol, callback, options)


def _with_derivatives(constraints: Any, method: str) -> Any:
    """Give constraints that lack derivatives exact ones: second ones to the method that takes them, trust-constr."""
    from scipy import optimize

    if isinstance(constraints, Sequence | list):
        return [_with_derivatives(one, method) for one in constraints] if constraints else constraints
    if isinstance(constraints, dict) and "jac" not in constraints:
        args = constraints.get("args", ())
        if method == "TRUST-CONSTR":
            upper = 0.0 if constraints["type"].lower() == "eq" else np.inf
            return NonlinearConstraint(_Fixed(constraints["fun"], args), 0.0, upper)
        memo = PointMemo(constraints["fun"], args, "minimize: constraint")
        return {
            **{k: v for k, v in constraints.items() if k != "args"},
            "fun": lambda x: np.asarray(memo.value(x)),
            "jac": lambda x: memo.matrix(x, "jacobian", "dense"),
        }
    if isinstance(constraints, optimize.NonlinearConstraint):
        known = constraints
        if isinstance(known.jac, str) and known.jac == "2-point":
            hess = known.hess if callable(known.hess) else "exact"
            known = NonlinearConstraint(known.fun, known.lb, known.ub, hess=hess, keep_feasible=known.keep_feasible)
        if method != "TRUST-CONSTR" and getattr(known, "is_exact", False):  # SciPy warns of a `hess` that it ignores
            known = optimize.NonlinearConstraint(
                known.fun, known.lb, known.ub, known.jac, keep_feasible=known.keep_feasible
            )
        return known
    return constraints


class _Fixed:
    """A function with further arguments fixed."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any] | None = None) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs or {}

    def __call__(self, *args: Any) -> Any:
        return self.function(*args, *self.args, **self.kwargs)


class _Weighted:
    """v . c(x): its Hessian by x is what a constraint's `hess` returns; the weights v change at every call."""

    def __init__(self, fun: Callable[..., Any]) -> None:
        self.fun = fun

    def __call__(self, x: Any, v: Any) -> Any:
        return np.sum(np.ravel(self.fun(x)) * v)


def NonlinearConstraint(
    fun: Callable[..., Any],
    lb: Any,
    ub: Any,
    jac: Any = "exact",
    hess: Any = "exact",
    keep_feasible: Any = False,
    **options: Any,
) -> Any:
    """Return a `scipy.optimize.NonlinearConstraint` with exact Jacobian and exact Hessian of v . fun.

    f: (n,) -> (m,)   lb, ub: (m,)

    Parameters
    ----------
    jac : {"exact", "dense", "sparse"} or what SciPy takes
        "exact" is sparse where most of the matrix is zero.
    hess : "exact" or what SciPy takes

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.scipy.optimize import NonlinearConstraint
    >>> circle = NonlinearConstraint(lambda x: x[0] ** 2 + x[1] ** 2, 1.0, 1.0)
    >>> circle.jac(np.array([3.0, 4.0])), circle.hess(np.array([3.0, 4.0]), np.array([1.0]))
    (array([[6., 8.]]), array([[2., 0.],
           [0., 2.]]))
    """
    from scipy import optimize

    memo = PointMemo(fun, (), "NonlinearConstraint")
    if isinstance(jac, str) and jac in ("exact", "dense", "sparse"):
        form = "auto" if jac == "exact" else jac
        jac = lambda x: memo.matrix(x, "jacobian", form)
    if isinstance(hess, str) and hess == "exact":
        second = Reused(_Weighted(fun), "hessian", "NonlinearConstraint")

        def hess(x: Any, v: Any) -> Any:
            recipe, data = second.evaluate(np.asarray(x, float), np.asarray(v, float))
            return sparse_matrix(recipe, data) if pays_off(recipe) else dense_matrix(recipe, data)

    made = optimize.NonlinearConstraint(
        lambda x: np.atleast_1d(np.asarray(memo.value(x))), lb, ub, jac, hess, keep_feasible, **options
    )
    made.is_exact = True
    return made


@solution
def least_squares(
    fun: Callable[..., Any],
    x0: Any,
    jac: Any = "exact",
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    *positional: Any,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Solve a nonlinear least-squares problem as `scipy.optimize.least_squares` does, with an exact Jacobian.

    f: (n,) -> (m,)   returns: OptimizeResult

    Parameters
    ----------
    fun : callable
        Ordinary NumPy code, `fun(x, *args, **kwargs)`. It runs once for each distinct point.
    jac : {"exact", "dense", "sparse", "operator"} or what SciPy takes
        "exact" is sparse where most of the matrix is zero, else dense. "operator" gives products only.
    x0, bounds, method, args, kwargs, **options
        As for `scipy.optimize.least_squares`.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.scipy.optimize import least_squares
    >>> t = np.linspace(0, 1, 20)
    >>> found = least_squares(lambda p: p[0] * np.exp(-p[1] * t) - 2 * np.exp(-3 * t), [1.0, 1.0])
    >>> np.round(found.x, 6)
    array([2., 3.])
    """
    from scipy import optimize

    kwargs = kwargs or {}
    if not (isinstance(jac, str) and jac in FORMS):
        return optimize.least_squares(fun, x0, jac, bounds, method, *positional, args=args, kwargs=kwargs, **options)
    if method == "lm" and jac in ("sparse", "operator"):
        raise ArgumentError(
            f"least_squares: method 'lm' takes dense Jacobians only, not {jac!r}", hint="method='trf' or 'dogbox'"
        )
    memo = PointMemo(_Fixed(fun, (), kwargs), args, "least_squares")
    form = {"exact": "dense" if method == "lm" else "auto"}.get(jac, jac)

    def jacobian(x: np.ndarray, *_: Any, **__: Any) -> Any:
        if form == "operator":
            return operator_at(memo, x)
        return memo.matrix(x, "jacobian", form)

    return optimize.least_squares(
        lambda x, *_, **__: np.asarray(memo.value(x)), x0, jacobian, bounds, method, *positional, **options
    )


def curve_fit(
    f: Callable[..., Any], xdata: Any, ydata: Any, p0: Any = None, *positional: Any, jac: Any = None, **options: Any
) -> Any:
    """Fit a function to data as `scipy.optimize.curve_fit` does, with the exact Jacobian by the parameters.

    f: (xdata, *parameters) -> ydata's shape   returns: (parameters, covariance)

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.scipy.optimize import curve_fit
    >>> t = np.linspace(0, 2, 30)
    >>> found, _ = curve_fit(lambda t, a, b: a * np.exp(-b * t), t, 2.5 * np.exp(-1.5 * t), [1.0, 1.0])
    >>> np.round(found, 6)
    array([2.5, 1.5])
    """
    from scipy import optimize

    if jac is not None:
        return optimize.curve_fit(f, xdata, ydata, p0, *positional, jac=jac, **options)
    memos: dict[tuple[int, int], tuple[Any, PointMemo]] = {}

    def memo_of(data: Any, count: int) -> PointMemo:
        key = (id(data), count)  # SciPy may pass a filtered copy of the data
        if key not in memos:
            memos[key] = (data, PointMemo(_OfParameters(f, data, count), (), "curve_fit"))
        return memos[key][1]

    def value(data: Any, *parameters: Any) -> Any:
        return np.asarray(memo_of(data, len(parameters)).value(np.array(parameters)))

    def jacobian(data: Any, *parameters: Any) -> np.ndarray:
        return memo_of(data, len(parameters)).matrix(np.array(parameters), "jacobian", "dense")

    if p0 is None:
        import inspect

        count = len(inspect.signature(f).parameters) - 1
        if count < 1:
            raise ArgumentError("curve_fit: the number of parameters cannot be seen", hint="p0=[...]")
        p0 = np.ones(count)
    return optimize.curve_fit(value, xdata, ydata, p0, *positional, jac=jacobian, **options)


class _OfParameters:
    """A model as a function of its parameters in one array."""

    def __init__(self, function: Callable[..., Any], data: Any, count: int) -> None:
        self.function = function
        self.data = data
        self.count = count

    def __call__(self, parameters: Any) -> Any:
        return self.function(self.data, *(parameters[i] for i in range(self.count)))


@solution
def root(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: str = "hybr",
    jac: Any = None,
    tol: float | None = None,
    callback: Any = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Find a root of a vector function as `scipy.optimize.root` does, with exact derivatives for hybr, lm and krylov.

    f: (n,) -> (n,)   returns: OptimizeResult

    Parameters
    ----------
    fun, x0, args, method, tol, callback, options
        As for `scipy.optimize.root`.
    jac : {None, "exact", "dense", "sparse", "operator"} or what SciPy takes
        hybr and lm take a dense Jacobian. krylov takes products ("operator", and if nothing is said), or solves with
        the sparse matrix: Newton's method for large systems.

    Raises
    ------
    ArgumentError
        If the method does not take that form.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.scipy.optimize import root
    >>> found = root(lambda x: np.stack([x[0] + x[1] - 3, x[0] * x[1] - 2]), [0.0, 3.0])
    >>> np.round(found.x, 6)
    array([1., 2.])
    """
    from scipy import optimize

    args = args if isinstance(args, tuple) else (args,)
    ours = jac is None or (isinstance(jac, str) and jac in FORMS)
    if not ours or method not in ("hybr", "lm", "krylov"):
        return optimize.root(fun, x0, args, method, jac, tol, callback, options)
    memo = PointMemo(fun, args, "root")
    if method == "krylov":
        return optimize.root(memo.value, x0, (), method, None, tol, callback, _with_products(memo, jac, options))
    if jac in ("sparse", "operator"):
        raise ArgumentError(
            f"root: method {method!r} takes dense Jacobians only, not {jac!r}", hint="method='krylov', or jac='dense'"
        )
    return optimize.root(
        memo.value, x0, (), method, lambda x: memo.matrix(x, "jacobian", "dense"), tol, callback, options
    )


def _with_products(memo: PointMemo, form: str | None, options: dict[str, Any] | None) -> dict[str, Any]:
    """Return the options of the method krylov with an inner solver that uses the exact Jacobian.

    It is asked for a step right after the function's value at the point where the step starts.
    """
    inner = (options or {}).get("jac_options", {})
    if "method" in inner:
        return options or {}

    def step(_differences: Any, right: np.ndarray, rtol: float, maxiter: int, M: Any, **_: Any) -> tuple[Any, int]:
        from scipy.sparse import linalg

        if form in ("dense", "sparse"):
            matrix = memo.matrix(memo.point, "jacobian", form)
            solved = np.linalg.solve(matrix, right) if form == "dense" else linalg.spsolve(matrix.tocsc(), right)
            return solved, 0
        return linalg.lgmres(operator_at(memo, memo.point), right, rtol=rtol, atol=0.0, maxiter=1, inner_m=maxiter, M=M)

    return {**(options or {}), "jac_options": {**inner, "method": step}}


def root_scalar(
    f: Callable[..., Any],
    args: Any = (),
    method: str | None = None,
    bracket: Any = None,
    fprime: Any = None,
    fprime2: Any = None,
    x0: float | None = None,
    **options: Any,
) -> Any:
    """Find a root of a scalar function as `scipy.optimize.root_scalar` does, with exact f' (newton) and f'' (halley).

    f: () -> ()   returns: RootResults

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.scipy.optimize import root_scalar
    >>> round(float(root_scalar(lambda x: np.cos(x) - x, x0=1.0, method="halley").root), 9)
    0.739085133
    """
    from scipy import optimize

    args = args if isinstance(args, tuple) else (args,)
    name = method.lower() if method else None
    if name is None and bracket is None and fprime is None and x0 is not None and "x1" not in options:
        name = "newton"
    if name not in ("newton", "halley") or (fprime is not None and (name == "newton" or fprime2 is not None)):
        return optimize.root_scalar(f, args, method, bracket, fprime, fprime2, x0, **options)
    memo = PointMemo(f, args, "root_scalar")
    first = lambda x: float(memo.gradient(np.asarray(x, float)))
    second = lambda x: float(memo.product(np.asarray(x, float), 1.0, "hessian")[0])
    return optimize.root_scalar(
        lambda x: _number(memo.value(np.asarray(x, float))),
        (),
        name,
        bracket,
        first if fprime is None else lambda x: fprime(x, *args),
        (second if fprime2 is None else lambda x: fprime2(x, *args)) if name == "halley" else None,
        x0,
        **options,
    )
