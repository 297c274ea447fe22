"""`quad` and `quad_vec` inside a derivative: the integral by its limits and by everything the integrand reads.

By Leibniz's rule (Protter and Morrey, A First Course in Real Analysis, 1991, theorem 11.1) the derivative is an integral
again, done by the same routine to the same tolerances; so any order follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..differentiation.control import as_leaf
from ..differentiation.custom import CustomRule
from ..differentiation.gradient import jvp, vjp
from ..differentiation.implicit import Equation, as_vector, from_vector
from ..primitives.base import shape_of
from ..program import Slot
from ..recording import Traced
from ..transforms.derive import is_inexact
from ._face import refuse
from ._solution import reads_tracked

Quadrature = Callable[[Callable[[float], Any], float, float], Any]


class _Integral(CustomRule):
    """An integral as a rule: its arguments are the limits and the parameters of the integrand."""

    needs_values = True

    def __init__(self, integrand: Callable[..., list[Any]], quadrature: Quadrature) -> None:
        self.integrand = integrand
        self.quadrature = quadrature
        super().__init__(self._run, jvp=self._push, vjp=self._pull, like=self._like)
        self.__name__ = "quad"

    def __reduce__(self) -> Any:
        return (_Integral, (self.integrand, self.quadrature))

    def _like(self, a: Any, b: Any, *params: Any) -> Any:
        return self.integrand(a, *params)[0]

    def _run(self, a: Any, b: Any, *params: Any) -> Any:
        return np.asarray(self.quadrature(lambda t: self.integrand(np.asarray(t), *params)[0], float(a), float(b)))

    def _at(self, end: Any, params: Sequence[Any]) -> Any:
        """Return the integrand at a limit, None where the limit is infinite and cannot move."""
        if not (isinstance(end, Traced) and end._data is None) and math.isinf(np.asarray(_plain(end))):
            return None
        return self.integrand(end, *params)[0]

    def _push(self, tangents: Sequence[Any], out: Any, a: Any, b: Any, *params: Any) -> Any:
        by_a, by_b, *rest = tangents
        total = np.zeros(shape_of(out))
        for tangent, end, sign in ((by_a, a, -1.0), (by_b, b, 1.0)):
            value = None if tangent is None else self._at(end, params)
            if value is not None:
                total = total + sign * tangent * value
        moving = [i for i, tangent in enumerate(rest) if tangent is not None]
        if moving:
            primals, directions = [params[i] for i in moving], [rest[i] for i in moving]
            pushed = lambda t: jvp(_By(self.integrand, t, params, moving), primals, directions)[1]
            total = total + _integrate(pushed, a, b, self.quadrature)
        return total

    def _pull(self, cotangent: Any, out: Any, a: Any, b: Any, *params: Any) -> tuple[Any, ...]:
        ends = [self._at(end, params) for end in (a, b)]
        result = [
            None if value is None else sign * np.sum(cotangent * value)
            for value, sign in zip(ends, (-1.0, 1.0), strict=True)
        ]
        by_params: list[Any] = [None] * len(params)
        moving = [i for i, p in enumerate(params) if is_inexact(Slot.of(p))]
        if moving:
            primals = [params[i] for i in moving]
            pulled = lambda t: as_vector(vjp(_By(self.integrand, t, params, moving), *primals)[1](cotangent))
            parts = from_vector(_integrate(pulled, a, b, self.quadrature), [shape_of(p) for p in primals])
            for i, value in zip(moving, parts, strict=True):
                by_params[i] = value
        return (*result, *by_params)


class _By:
    """An integrand at a fixed place as a function of some of its parameters."""

    def __init__(self, integrand: Callable[..., list[Any]], t: Any, params: Any, moving: Sequence[int]) -> None:
        self.integrand = integrand
        self.t = t
        self.params = params
        self.moving = moving

    def __call__(self, *values: Any) -> Any:
        filled = list(self.params)
        for i, value in zip(self.moving, values, strict=True):
            filled[i] = value
        return self.integrand(self.t, *filled)[0]


def _plain(value: Any) -> Any:
    return value._data if isinstance(value, Traced) else value


def _integrate(function: Callable[..., Any], a: Any, b: Any, quadrature: Quadrature, args: tuple[Any, ...] = ()) -> Any:
    """Return the integral, differentiable by the limits, the arguments and what the function reads."""
    extra, structure = tree.flatten(args)
    extra = [as_leaf(leaf, "quad: args") for leaf in extra]
    leaf = tree.flatten(0)[1]
    slots = [Slot.of(np.zeros(())), *map(Slot.of, extra)]
    equation = Equation(function, slots, tree.Tree(tuple, (), (leaf, *structure.children)), "quad")
    if equation.program is None:
        raise refuse("quad", "an integrand that branches on values", "np.where instead of the branch, or points= and parts")
    limits = [end if isinstance(end, Traced) else np.asarray(float(end)) for end in (a, b)]
    return _Integral(equation, quadrature)(*limits, *extra, *equation.captured)


class _Routine:
    """A routine of `scipy.integrate` with its options, for numbers and for arrays; remembers what else it returned."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self.name = name
        self.options = options
        self.rest: tuple[Any, ...] | None = None

    def __call__(self, function: Callable[[float], Any], a: float, b: float) -> Any:
        from scipy import integrate

        tolerances = {key: value for key, value in self.options.items() if key in ("epsabs", "epsrel", "limit", "points")}
        if self.name == "quad" and np.shape(function(next((e for e in (a, b) if math.isfinite(e)), 0.0))) == ():
            value, *rest = integrate.quad(lambda t: float(function(t)), a, b, **self.options)
        elif self.name == "quad":  # a derivative by several numbers at once
            defaults = {"epsabs": 1.49e-8, "epsrel": 1.49e-8}
            value, *rest = integrate.quad_vec(function, a, b, **{**defaults, **tolerances})
        else:
            value, *rest = integrate.quad_vec(function, a, b, **self.options)
        if self.rest is None:
            self.rest = tuple(rest)
        return value


def quad(func: Callable[..., Any], a: Any, b: Any, args: Any = (), full_output: int = 0, **options: Any) -> Any:
    """Integrate a function as `scipy.integrate.quad` does; inside a derivative the integral carries it.

    f: (t, *args) -> ()   a, b: ()   returns: (integral, error estimate)

    Parameters
    ----------
    func : callable
        Ordinary NumPy code. What it reads from outside may be tracked, as may `args` and the limits.
    a, b, args, full_output, **options
        As for `scipy.integrate.quad`.

    Raises
    ------
    UnsupportedFunction
        Inside a derivative: for `weight`, `complex_func` and `full_output`, which have no rule.

    Notes
    -----
    The derivative by parameters is one more integral, of the integrand's derivative, to the same tolerances.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> from wengert.scipy.integrate import quad
    >>> area = lambda p: quad(lambda t: np.exp(-p * t), 0, np.inf)[0]  # 1 / p
    >>> round(float(wg.grad(area)(2.0)), 10), round(float(wg.grad(wg.grad(area))(2.0)), 10)
    (-0.25, 0.25)
    """
    from scipy import integrate

    args = args if isinstance(args, tuple) else (args,)
    if not reads_tracked(integrate.quad, (func, a, b, args), {}):
        return integrate.quad(func, a, b, args, full_output, **options)
    for name in ("weight", "complex_func"):
        if options.get(name):
            raise refuse("quad", f"{name}={options[name]!r}", "write the weight, or both parts, into the function")
    if full_output:
        raise refuse("quad", "full_output", "full_output=0")
    routine = _Routine("quad", options)
    value = _integrate(func, a, b, routine, args)
    return (value, *(routine.rest or (math.nan,)))


def quad_vec(f: Callable[..., Any], a: Any, b: Any, *positional: Any, args: Any = (), **options: Any) -> Any:
    """Integrate a vector-valued function as `scipy.integrate.quad_vec` does; inside a derivative the integral carries it.

    f: (t, *args) -> (...)   a, b: ()   returns: (integral, error estimate)

    See `quad` for what may be tracked.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> from wengert.scipy.integrate import quad_vec
    >>> powers = lambda b: quad_vec(lambda t: t ** np.arange(3.0), 0.0, b)[0]  # b, b**2 / 2, b**3 / 3
    >>> wg.jacobian(powers)(2.0).round(6)
    array([1., 2., 4.])
    """
    from scipy import integrate

    args = args if isinstance(args, tuple) else (args,)
    if positional or options.get("full_output") or not reads_tracked(integrate.quad_vec, (f, a, b), {"args": args}):
        return integrate.quad_vec(f, a, b, *positional, args=args, **options)
    routine = _Routine("quad_vec", options)
    value = _integrate(f, a, b, routine, args)
    return (value, *(routine.rest or (math.nan,)))
