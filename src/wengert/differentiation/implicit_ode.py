"""Sensitivities of `scipy.integrate.solve_ivp`: forward by the variational equations, backward by the adjoint ones.

Both are initial value problems themselves and are solved by the same function, so their derivatives exist to any
order. For y' = f(t, y, p): a tangent s follows s' = f_y s + f_p dp, an adjoint l follows l' = -f_y' l backwards from
each time at which the solution is read (Cao, Li, Petzold and Serban, "Adjoint sensitivity analysis for
differential-algebraic equations", SIAM Journal on Scientific Computing 24, 2003).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, NoConvergence, ShapeError, StructureError, UnsupportedFunction
from ..primitives.indexing import concatenate, index
from ..program import Slot
from ..recording import Traced
from ..tensor import Tensor
from ..transforms.derive import is_inexact
from .control import as_leaf
from .custom import CustomRule
from .dense import Jacobian
from .gradient import jvp, vjp
from .implicit import Equation
from .products import linearize
from .vmap import Vmap


class Field:
    """The right-hand side as a function of (t, y, *params) on vectors."""

    def __init__(self, equation: Callable[..., list[Any]]) -> None:
        self.equation = equation

    def __call__(self, t: Any, y: Any, *params: Any) -> Any:
        """Return the rates."""
        value = self.equation(t, y, *params)[0]
        if value.shape != y.shape:
            raise ShapeError(
                f"solve_ivp: the right-hand side has shape {value.shape}, but the state has shape {y.shape}",
                hint="return one rate per component of the state",
            )
        return value


class _Dual:
    """The field of (y, s): state and tangent; parameters: the old ones, then tangents of the moving ones."""

    def __init__(self, field: Callable[..., Any], moving: tuple[int, ...], count: int) -> None:
        self.field = field
        self.moving = moving
        self.count = count

    def __call__(self, t: Any, z: Any, *params: Any) -> Any:
        n = z.shape[0] // 2
        y, s = z[:n], z[n:]
        own, tangents = params[: self.count], params[self.count :]

        def at(y: Any, *varying: Any) -> Any:
            filled = list(own)
            for i, value in zip(self.moving, varying, strict=True):
                filled[i] = value
            return self.field(t, y, *filled)

        value, pushed = jvp(at, (y, *(own[i] for i in self.moving)), (s, *tangents))
        return concatenate(value, pushed, axis=0)


class _Adjoint:
    """The field of (y, l, m): state, adjoint, and what has gathered for the moving parameters; runs backwards."""

    def __init__(self, field: Callable[..., Any], moving: tuple[int, ...], size: int) -> None:
        self.field = field
        self.moving = moving
        self.size = size

    def __call__(self, t: Any, z: Any, *params: Any) -> Any:
        n = self.size
        y, adjoint = z[:n], z[n : 2 * n]

        def at(y: Any, *varying: Any) -> Any:
            filled = list(params)
            for i, value in zip(self.moving, varying, strict=True):
                filled[i] = value
            return self.field(t, y, *filled)

        value, pullback = vjp(at, y, *(params[i] for i in self.moving))
        pulled = pullback(adjoint)
        gathered = [np.reshape(-part, (-1,)) for part in pulled[1:]]
        return concatenate(value, -pulled[0], *gathered, axis=0)


class _Many:
    """The field of y and of its sensitivities to the start and the moving parameters, one column each."""

    def __init__(self, field: Callable[..., Any], moving: tuple[int, ...], size: int) -> None:
        self.field = field
        self.moving = moving
        self.size = size

    def __call__(self, t: Any, z: Any, *params: Any) -> Any:
        n = self.size
        y, columns = z[:n], np.reshape(z[n:], (-1, n))
        units, start = [], n
        for i in self.moving:
            shape = params[i].shape
            count = int(np.prod(shape))
            unit = np.zeros((columns.shape[0], count))
            unit[start : start + count] = np.eye(count)
            units.append(unit.reshape(-1, *shape))
            start += count

        def at(y: Any, *varying: Any) -> Any:
            filled = list(params)
            for i, value in zip(self.moving, varying, strict=True):
                filled[i] = value
            return self.field(t, y, *filled)

        _, push = linearize(at, y, *(params[i] for i in self.moving))
        pushed = Vmap(push)(columns, *units)
        return concatenate(self.field(t, y, *params), np.reshape(pushed, (-1,)), axis=0)


class Flow(CustomRule):
    """The solution at given times as a rule; arguments: times (the first is the start), start, parameters."""

    needs_values = True

    def __init__(
        self, field: Callable[..., Any], solver: Callable[..., Any], options: tuple[tuple[str, Any], ...], mode: str
    ) -> None:
        self.field = field
        self.solver = solver
        self.options = options
        self.mode = mode
        self.result: Any = None
        super().__init__(
            self._run,
            jvp=None if mode == "adjoint" else self._push,
            vjp=self._pull_forward if mode == "forward" else self._pull,
            like=_flow_like,
        )
        self.__name__ = "solve_ivp"

    def __reduce__(self) -> Any:
        return (Flow, (self.field, self.solver, self.options, self.mode))

    def _run(self, times: Any, y0: Any, *params: Any) -> Any:
        times = np.asarray(times, float)
        if len(times) == 1 or times[-1] == times[0]:
            return np.repeat(np.asarray(y0)[:, None], len(times), axis=1)
        settings = dict(self.options)
        method = settings.get("method", "RK45")

        def plain(t: float, y: Any) -> Any:
            return np.asarray(self.field(np.asarray(t), y, *params))

        if method in ("Radau", "BDF", "LSODA") and "jac" not in settings:
            settings["jac"] = lambda t, y: np.asarray(Jacobian(lambda y: self.field(np.asarray(t), y, *params))(y))
        result = self.solver(plain, (times[0], times[-1]), np.asarray(y0), t_eval=times, **settings)
        if not result.success:
            raise NoConvergence(
                f"solve_ivp: the integration stopped: {result.message}",
                hint="a stiff problem wants method='Radau' or 'BDF'; otherwise larger tolerances",
            )
        self.result = result
        return result.y

    def _again(self, field: Callable[..., Any]) -> Flow:
        settings = dict(self.options)
        settings.pop("jac", None)
        if np.ndim(settings.get("atol", 0.0)):  # one tolerance per component: the new ones get the smallest
            settings["atol"] = float(np.min(settings["atol"]))
        return Flow(field, self.solver, tuple(settings.items()), self.mode)

    def _push(self, tangents: Sequence[Any], out: Any, times: Any, y0: Any, *params: Any) -> Any:
        count = len(params)
        given = tangents[2:]
        moving = tuple(i for i, t in enumerate(given) if t is not None)
        start = tangents[1]
        rate = self.field(times[0], y0, *params)
        # Moving the start along the solution moves nothing: s(t0) = dy0 - f dt0.
        start = start - rate * tangents[0][0]
        flow = self._again(_Dual(self.field, moving, count))
        both = flow(times, concatenate(y0, start, axis=0), *params, *(given[i] for i in moving))
        n = y0.shape[0]
        pushed = both[n:]
        rates = np.stack([self.field(times[k], out[:, k], *params) for k in range(times.shape[0])], axis=1)
        return pushed + rates * tangents[0][None, :]

    def _pull_forward(self, cotangent: Any, out: Any, times: Any, y0: Any, *params: Any) -> tuple[Any, ...]:
        """Return cotangents from the whole sensitivity matrix, which is integrated forwards."""
        n, steps = y0.shape[0], times.shape[0]
        moving = tuple(i for i, p in enumerate(params) if is_inexact(Slot.of(p)))
        sizes = [int(np.prod(params[i].shape)) for i in moving]
        columns = n + sum(sizes)
        start = np.concatenate([np.eye(n), np.zeros((sum(sizes), n))]).ravel()
        both = self._again(_Many(self.field, moving, n))(times, concatenate(y0, start, axis=0), *params)
        sensitivities = np.reshape(both[n:], (columns, n, steps))
        gathered = np.sum(sensitivities * cotangent[None], axis=(1, 2))
        rates = np.stack([self.field(times[k], out[:, k], *params) for k in range(steps)], axis=1)
        by_time = np.sum(cotangent * rates, axis=0)
        moved_start = np.sum(gathered[:n] * rates[:, 0])
        first = np.zeros(steps)
        first[0] = 1.0
        # The start moves with the solution: its own time only matters through what the start then is.
        result: list[Any] = [by_time * (1 - first) + first * (by_time[0] - moved_start), gathered[:n]]
        return (*result, *self._parameters(gathered[n:], moving, sizes, params))

    def _parameters(
        self, gathered: Any, moving: Sequence[int], sizes: Sequence[int], params: Sequence[Any]
    ) -> list[Any]:
        result: list[Any] = [None] * len(params)
        place = 0
        for i, size in zip(moving, sizes, strict=True):
            part = index(gathered, spec=((place, place + size, None),))
            result[i] = np.reshape(part, params[i].shape)
            place += size
        return result

    def _pull(self, cotangent: Any, out: Any, times: Any, y0: Any, *params: Any) -> tuple[Any, ...]:
        """Return cotangents from the adjoint equations, or in `auto` from forward ones where those go wrong."""
        stiff = dict(self.options).get("method", "RK45") in ("Radau", "BDF", "LSODA")
        if self.mode == "auto" and stiff:  # a stiff solution cannot be followed backwards
            return self._pull_forward(cotangent, out, times, y0, *params)
        try:
            return self._pull_adjoint(cotangent, out, times, y0, *params)
        except NoConvergence:
            if self.mode == "adjoint":
                raise
            return self._pull_forward(cotangent, out, times, y0, *params)

    def _pull_adjoint(self, cotangent: Any, out: Any, times: Any, y0: Any, *params: Any) -> tuple[Any, ...]:
        n = y0.shape[0]
        moving = tuple(i for i, p in enumerate(params) if is_inexact(Slot.of(p)))
        flow = self._again(_Adjoint(self.field, moving, n))
        sizes = [int(np.prod(params[i].shape)) for i in moving]
        gathered: Any = np.zeros(sum(sizes))
        adjoint: Any = np.zeros(n)
        steps = times.shape[0]
        by_time: list[Any] = [None] * steps
        for k in range(steps - 1, 0, -1):
            rate = self.field(times[k], out[:, k], *params)
            by_time[k] = np.sum(cotangent[:, k] * rate)
            adjoint = adjoint + cotangent[:, k]
            state = concatenate(out[:, k], adjoint, gathered, axis=0)
            with np.errstate(all="ignore"):
                back = flow(np.stack([times[k], times[k - 1]]), state, *params)[:, -1]
            self._check_way_back(back[:n], out[:, k - 1])
            adjoint, gathered = back[n : 2 * n], back[2 * n :]
        start_rate = self.field(times[0], y0, *params)
        by_time[0] = -np.sum(adjoint * start_rate)
        return (
            np.stack(by_time),
            adjoint + cotangent[:, 0],
            *self._parameters(gathered, moving, sizes, params),
        )

    def _check_way_back(self, found: Any, expected: Any) -> None:
        """Raise NoConvergence if the solution, followed backwards, is not where it came from."""
        found, expected = (x._data if isinstance(x, Traced) else x for x in (found, expected))
        if found is None or expected is None:
            return
        settings = dict(self.options)
        scale = float(np.max(np.abs(expected), initial=0.0))
        tolerance = float(np.max(settings.get("atol", 1e-6))) + float(settings.get("rtol", 1e-3)) * scale
        allowed = min(1e3 * tolerance, 1e-2 * scale + 10 * tolerance)
        error = float(np.max(np.abs(found - expected), initial=0.0))
        if not error <= allowed:
            raise NoConvergence(
                f"solve_ivp: followed backwards the solution is off by {error:.2e}",
                why="the adjoint equations need the solution on the way back, and it is not stable in that direction",
                hint="sensitivity='forward', or more times in t_eval",
            )


def _flow_like(times: Any, y0: Any, *params: Any) -> Any:
    return np.empty((y0.shape[0], times.shape[0]), y0.dtype)


def solve_ivp(
    solver: Callable[..., Any],
    fun: Callable[..., Any],
    t_span: Any,
    y0: Any,
    method: Any = "RK45",
    t_eval: Any = None,
    dense_output: bool = False,
    events: Any = None,
    vectorized: bool = False,
    args: Any = None,
    sensitivity: str = "auto",
    **options: Any,
) -> Any:
    """Solve an initial value problem with SciPy; the result's `y` carries derivatives. See `wengert.implicit`."""
    if sensitivity not in ("auto", "forward", "adjoint"):
        raise ArgumentError(f"solve_ivp: sensitivity is 'auto', 'forward' or 'adjoint', not {sensitivity!r}")
    if events is not None or dense_output or vectorized:
        raise UnsupportedFunction(
            "solve_ivp: events, dense_output and vectorized are not available with derivatives",
            hint="t_eval=... for the times at which the solution is wanted",
        )
    extra = () if args is None else args if isinstance(args, tuple) else (args,)
    if isinstance(t_span, Tensor | np.ndarray):
        t_span = (t_span[0], t_span[1])
    if not isinstance(t_span, tuple | list) or len(t_span) != 2:
        raise StructureError(f"solve_ivp: t_span is a pair (start, end), not {t_span!r}")
    start = _floating(y0 if isinstance(y0, Traced) else _vector(y0))
    if len(start.shape) != 1:
        raise ShapeError(f"solve_ivp: y0 has shape {start.shape}, but the state is a vector")
    leaves, structure = tree.flatten(extra)
    leaves = [as_leaf(leaf, "solve_ivp: args") for leaf in leaves]
    leaf = tree.flatten(0)[1]
    whole = tree.Tree(tuple, (), (leaf, leaf, *structure.children))
    slots = [Slot((), np.dtype(float)), Slot(start.shape, start.dtype), *map(Slot.of, leaves)]
    equation = Equation(_AsVector(fun), slots, whole, "solve_ivp")
    field = Field(equation)
    params = [*leaves, *equation.captured]
    settings = tuple({"method": method, **options}.items())
    times, inner = _times(solver, field, t_span, t_eval, start, params, settings)
    flow = Flow(field, solver, settings, sensitivity)
    y = flow(times, start, *params)
    from scipy.integrate._ivp.ivp import OdeResult

    result = flow.result if flow.result is not None else OdeResult(success=True)
    result.t = times._data if isinstance(times, Traced) and times._data is not None else times
    result.y = y if inner is None else y[:, inner]
    if inner is not None:
        result.t = result.t[inner]
    return result


class _AsVector:
    """SciPy accepts lists of numbers as right-hand sides; a recording wants one array."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, t: Any, y: Any, *args: Any) -> Any:
        result = self.function(t, y, *args)
        if isinstance(result, list | tuple):
            parts: list[Any] = [part if isinstance(part, Traced) else np.asarray(part, float) for part in result]
            return np.stack(parts)
        return result


def _vector(y0: Any) -> Any:
    leaves, structure = tree.flatten(y0)
    if structure.is_leaf:
        return np.atleast_1d(np.asarray(y0))
    return np.stack(leaves)


def _floating(value: Any) -> Any:
    return value if value.dtype.kind in "fc" else value.astype(np.float64)


def _times(
    solver: Any, field: Any, t_span: Any, t_eval: Any, start: Any, params: Sequence[Any], settings: Any
) -> tuple[Any, Any]:
    """Return all times, the start first, and which of them the caller wants (None: all)."""
    first, last = t_span
    if t_eval is None:
        values = [start, *params, first, last]
        if any(isinstance(v, Traced) and v._data is None for v in values):
            return _joined([first, last]), None
        plain = [v._data if isinstance(v, Traced) else v for v in values]
        result = solver(
            lambda t, y: np.asarray(field(np.asarray(t), y, *plain[1:-2])),
            (float(plain[-2]), float(plain[-1])),
            plain[0],
            **dict(settings),
        )
        # The solver's own steps in between; the ends may themselves be differentiated.
        return _joined([first, *map(float, result.t[1:-1]), last]), None
    tracked = isinstance(t_eval, Traced)
    if not tracked:
        t_eval = np.asarray(t_eval, float)
    if t_eval.shape == (0,) or len(t_eval.shape) != 1:
        raise ShapeError(f"solve_ivp: t_eval has shape {t_eval.shape}, but it is a vector of times")
    wanted = t_eval._data if tracked else t_eval
    head = first._data if isinstance(first, Traced) else first
    if wanted is not None and head is not None and wanted[0] == head and not isinstance(first, Traced):
        return t_eval, None
    return concatenate(np.reshape(_as_time(first), (1,)), t_eval, axis=0), slice(1, None)


def _as_time(value: Any) -> Any:
    return value if isinstance(value, Traced) else np.asarray(value, float)


def _joined(times: Sequence[Any]) -> Any:
    if any(isinstance(t, Traced) for t in times):
        return np.stack([_as_time(t) for t in times])
    return np.asarray(times, float)
