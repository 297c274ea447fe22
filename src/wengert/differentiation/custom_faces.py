"""Custom rules as TensorFlow and JAX spell them, and the two that are used most: stop and straight through.

Each is a thin face of `custom.CustomRule`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, StructureError
from ..primitives.base import shape_of
from ..primitives.structural import stop_gradient as _stop
from ..recording import Traced
from .custom import CustomRule


class _Named:
    """A decorated function, which pickles by its name where that leads to it."""

    def __init__(self, function: Callable[..., Any], what: str) -> None:
        if not callable(function):
            raise StructureError(f"{what}: the first argument is the function, not {type(function).__name__}")
        self.function = function
        self.__doc__ = getattr(function, "__doc__", None)
        self.__name__ = getattr(function, "__name__", "function")
        self.__qualname__ = getattr(function, "__qualname__", self.__name__)
        self.__module__ = getattr(function, "__module__", __name__)

    def __reduce__(self) -> Any:
        found: Any = sys.modules.get(self.__module__)
        for part in self.__qualname__.split("."):
            found = getattr(found, part, None)
        return self.__qualname__ if found is self else (type(self)._rebuild, (self.__dict__,))

    @classmethod
    def _rebuild(cls, state: dict[str, Any]) -> Any:
        new = cls.__new__(cls)
        new.__dict__.update(state)
        return new

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else _Method(self, instance)


class _Method:
    """A decorated method of an instance."""

    def __init__(self, rule: Any, instance: Any) -> None:
        self.rule = rule
        self.instance = instance

    def __call__(self, *args: Any, **settings: Any) -> Any:
        if 0 in getattr(self.rule, "nondiff_argnums", ()):  # the instance is counted, as in a plain function
            return self.rule(self.instance, *args, **settings)
        return self.rule.call(_Partial(self.rule.function, (self.instance,)), (self.instance,), args, settings)


class _Partial:
    """A function with some leading or scattered positional arguments fixed."""

    def __init__(
        self, function: Callable[..., Any], fixed: tuple[Any, ...], places: Sequence[int] | None = None
    ) -> None:
        self.function = function
        self.fixed = fixed
        self.places = tuple(range(len(fixed))) if places is None else tuple(places)

    def __call__(self, *args: Any, **settings: Any) -> Any:
        filled: list[Any] = []
        rest = iter(args)
        for i in range(len(args) + len(self.fixed)):
            filled.append(self.fixed[self.places.index(i)] if i in self.places else next(rest))
        return self.function(*filled, **settings)


# ---------------------------------------------------------------- TensorFlow


class CustomGradient(_Named):
    """A function that returns `(value, gradient function)`; made by `custom_gradient`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function, "custom_gradient")

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Apply the function with its rule."""
        return self.call(self.function, (), args, settings)

    def call(self, function: Callable[..., Any], _fixed: Any, args: Any, settings: Any) -> Any:
        """Apply a rule made of the function, whose leading arguments may be fixed."""
        return _GradientRule(function)(*args, **settings)


class _GradientRule(CustomRule):
    def __init__(self, function: Callable[..., Any]) -> None:
        self.pair = function
        super().__init__(self._value, vjp=self._pull, forward=self._both)
        self.__name__ = getattr(function, "__name__", "function")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _GradientRule) and self.pair == other.pair

    def __hash__(self) -> int:
        return hash(("custom_gradient", self.pair))

    def __reduce__(self) -> Any:
        return (_GradientRule, (self.pair,))

    def _both(self, *args: Any, **settings: Any) -> Any:
        pair = self.pair(*args, **settings)
        if type(pair) is not tuple or len(pair) != 2 or not callable(pair[1]):
            raise StructureError(
                f"custom_gradient: {self.__name__} must return a pair (value, gradient function), "
                f"not {type(pair).__name__}",
                hint="return y, lambda upstream: upstream * slope",
            )
        return pair

    def _value(self, *args: Any, **settings: Any) -> Any:
        return self._both(*args, **settings)[0]

    def _pull(self, cotangent: Any, gradient: Callable[..., Any], *args: Any, **_settings: Any) -> Any:
        upstream = tree.flatten(cotangent)[0]
        leaves, structure = tree.flatten(args)
        found = gradient(*upstream)
        values = list(found) if isinstance(found, tuple | list) else [found]
        if len(values) != len(leaves):
            raise ArgumentError(
                f"custom_gradient: {self.__name__} has {len(leaves)} inputs, but its gradient function returned "
                f"{len(values)} gradients",
                hint="one per input; None where it is exactly zero",
            )
        remaining = iter(values)
        return tuple(_rebuilt(child, remaining) for child in structure.children)


def _rebuilt(structure: tree.Tree, values: Any) -> Any:
    mine = [next(values) for _ in range(structure.count)]
    if structure.is_leaf:
        return mine[0]
    return None if all(value is None for value in mine) else tree.unflatten(structure, mine)


def custom_gradient(function: Callable[..., Any]) -> CustomGradient:
    """Give a function its own gradient, as TensorFlow spells it: it returns the value and a gradient function.

    f: (x, ...) -> (y, gradient)   gradient: upstream of y -> upstream of x, or a tuple with one per argument

    Parameters
    ----------
    function : callable
        It gets plain arrays and runs once; for second order it runs again on tensors.

    Raises
    ------
    StructureError
        If the function does not return a pair.
    ArgumentError, ShapeError
        If the gradient function returns the wrong number or shape of gradients.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> @wg.custom_gradient
    ... def log1pexp(x):
    ...     e = np.exp(x)
    ...     return np.log1p(e), lambda upstream: upstream * (1 - 1 / (1 + e))
    >>> float(wg.grad(log1pexp)(0.0)), float(wg.grad(wg.grad(log1pexp))(0.0))
    (0.5, 0.25)
    """
    return CustomGradient(function)


# ---------------------------------------------------------------- JAX


class _Split:
    """Positional arguments that are differentiated, and those that are not."""

    def __init__(self, nondiff: Sequence[int], count: int, what: str) -> None:
        for n in nondiff:
            if not -count <= n < count:
                raise ArgumentError(
                    f"{what}: nondiff_argnums has {n}, but the function was called with {count} arguments"
                )
        self.fixed = tuple(sorted(n % count for n in nondiff))

    def divide(self, args: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return (
            tuple(args[i] for i in self.fixed),
            tuple(arg for i, arg in enumerate(args) if i not in self.fixed),
        )


class _JaxFace(_Named):
    name = ""

    def __init__(self, function: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        super().__init__(function, self.name)
        self.nondiff_argnums = tuple(nondiff_argnums)

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self.call(self.function, (), args, settings)

    def call(self, function: Callable[..., Any], instance: tuple[Any, ...], args: Any, settings: Any) -> Any:
        """Apply a rule made of the function and its derivative functions."""
        split = _Split(self.nondiff_argnums, len(args), self.name)
        fixed, varying = split.divide(args)
        if fixed:
            function = _Partial(function, fixed, split.fixed)
        return self.make(function, (*fixed, *instance))(*varying, **settings)

    def make(self, function: Callable[..., Any], fixed: tuple[Any, ...]) -> CustomRule:
        """Return the rule for these fixed arguments."""
        raise NotImplementedError


class CustomJvp(_JaxFace):
    """A function with a forward rule in JAX's spelling; made by `custom_jvp`."""

    name = "custom_jvp"
    rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Give the rule: `(*nondiff, primals, tangents) -> (value, tangent)`."""
        self.rule = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """Give one rule per argument: `(tangent, value, *primals) -> tangent`, or None for zero."""
        self.rule = _PerArgument(self.function, rules)

    def make(self, function: Callable[..., Any], fixed: tuple[Any, ...]) -> CustomRule:
        """Return the rule for these fixed arguments."""
        if self.rule is None:
            raise StructureError(f"custom_jvp: {self.__name__} has no rule yet", hint="@f.defjvp")
        return CustomRule(function, jvp=_JvpRule(self.rule, fixed))


class _PerArgument:
    def __init__(self, function: Callable[..., Any], rules: Sequence[Any]) -> None:
        self.function = function
        self.rules = rules

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        if len(self.rules) != len(primals):
            raise ArgumentError(f"custom_jvp: {len(self.rules)} rules for {len(primals)} arguments")
        out = self.function(*primals)
        total: Any = None
        for rule, tangent in zip(self.rules, tangents, strict=True):
            if rule is not None:
                part = rule(tangent, out, *primals)
                total = part if total is None else total + part
        return out, tree.map_leaves(np.zeros_like, out) if total is None else total


class _JvpRule:
    def __init__(self, rule: Callable[..., Any], fixed: tuple[Any, ...]) -> None:
        self.rule = rule
        self.fixed = fixed

    def __call__(self, tangents: Any, _out: Any, *args: Any, **settings: Any) -> Any:
        pair = self.rule(*self.fixed, args, tuple(tangents), **settings)
        if type(pair) not in (tuple, list) or len(pair) != 2:
            raise StructureError(f"custom_jvp: the rule must return a pair (value, tangent), not {type(pair).__name__}")
        return pair[1]


class CustomVjp(_JaxFace):
    """A function with a reverse rule in JAX's spelling; made by `custom_vjp`."""

    name = "custom_vjp"
    forward: Callable[..., Any] | None = None
    backward: Callable[..., Any] | None = None

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Give both halves: `(*args) -> (value, residuals)` and `(*nondiff, residuals, cotangent) -> tuple`."""
        self.forward, self.backward = forward, backward

    def make(self, function: Callable[..., Any], fixed: tuple[Any, ...]) -> CustomRule:
        """Return the rule for these fixed arguments."""
        if self.forward is None or self.backward is None:
            raise StructureError(f"custom_vjp: {self.__name__} has no rule yet", hint="f.defvjp(forward, backward)")
        if fixed:
            places = function.places if isinstance(function, _Partial) else None
            forward: Callable[..., Any] = _Partial(self.forward, fixed, places)
        else:
            forward = self.forward
        return CustomRule(function, forward=forward, vjp=_VjpRule(self.backward, fixed))


class _VjpRule:
    def __init__(self, rule: Callable[..., Any], fixed: tuple[Any, ...]) -> None:
        self.rule = rule
        self.fixed = fixed

    def __call__(self, cotangent: Any, saved: Any, *args: Any, **_settings: Any) -> Any:
        found = self.rule(*self.fixed, saved, cotangent)
        if not isinstance(found, tuple | list):
            raise StructureError(
                f"custom_vjp: the backward function must return a tuple with one cotangent per argument, "
                f"not {type(found).__name__}"
            )
        return tuple(found)


def custom_jvp(function: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> CustomJvp:
    """Give a function its own forward rule, as JAX spells it; reverse mode is its transpose.

    f: (x, ...) -> y   f.defjvp(rule)   rule: (primals, tangents) -> (y, tangent of y)

    Raises
    ------
    StructureError, ShapeError, DtypeError
        When the rule is used and returns something else than a pair, or a tangent of the wrong kind.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> @wg.custom_jvp
    ... def f(x):
    ...     return np.sin(x)
    >>> @f.defjvp
    ... def f_jvp(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return f(x), np.cos(x) * t
    >>> float(wg.grad(f)(0.0)), float(wg.grad(wg.grad(f))(np.pi / 2))
    (1.0, -1.0)
    """
    return CustomJvp(function, nondiff_argnums)


def custom_vjp(function: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> CustomVjp:
    """Give a function its own reverse rule, as JAX spells it; forward mode is its transpose.

    f: (x, ...) -> y   f.defvjp(forward, backward)

    Raises
    ------
    StructureError, ArgumentError, ShapeError, DtypeError
        When the rule is used and returns the wrong structure, count, shape or dtype.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> @wg.custom_vjp
    ... def f(x, y):
    ...     return np.sin(x) * y
    >>> f.defvjp(lambda x, y: (f(x, y), (np.cos(x), np.sin(x), y)),
    ...          lambda saved, ct: (saved[0] * ct * saved[2], saved[1] * ct))
    >>> [float(g) for g in wg.grad(f, (0, 1))(0.0, 2.0)]
    [2.0, 0.0]
    """
    return CustomVjp(function, nondiff_argnums)


# ---------------------------------------------------------------- the two that are used most


def stop_gradient(value: Any) -> Any:
    """Return the value, with a derivative that is exactly zero.

    x: any structure of arrays   returns: the same

    Examples
    --------
    >>> import wengert as wg
    >>> float(wg.grad(lambda x: x * wg.stop_gradient(x))(3.0))
    3.0
    """
    return tree.map_leaves(lambda leaf: _stop(leaf) if isinstance(leaf, Traced) else leaf, value)


class StraightThrough:
    """A function whose derivative is that of the identity; made by `straight_through`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise StructureError(f"straight_through: the first argument is the function, not {type(function).__name__}")
        self.function = function
        self.__doc__ = getattr(function, "__doc__", None)
        self.__name__ = f"straight_through({getattr(function, '__name__', 'function')})"

    def __call__(self, x: Any) -> Any:
        """Apply the function with its rule."""
        return _StraightRule(self.function)(x)


class _StraightRule(CustomRule):
    def __init__(self, inner: Callable[..., Any]) -> None:
        self.inner = inner
        super().__init__(self._value, jvp=_first_tangent, vjp=_same_cotangent)
        self.__name__ = f"straight_through({getattr(inner, '__name__', 'function')})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _StraightRule) and self.inner == other.inner

    def __hash__(self) -> int:
        return hash(("straight_through", self.inner))

    def __reduce__(self) -> Any:
        return (_StraightRule, (self.inner,))

    def _value(self, x: Any) -> Any:
        out = self.inner(x)
        if shape_of(out) != shape_of(x):
            raise StructureError(
                f"{self.__name__}: shape {shape_of(x)} became {shape_of(out)}",
                why="only a function that keeps the shape can have the identity's derivative",
            )
        # The result keeps the argument's dtype, so that a rounded integer can still carry a derivative.
        dtype = getattr(x, "dtype", None)
        return out if dtype is None or getattr(out, "dtype", None) == dtype else _cast(out, dtype)


def _cast(value: Any, dtype: Any) -> Any:
    import numpy as np

    return value.astype(dtype) if hasattr(value, "astype") else np.asarray(value, dtype)


def _first_tangent(tangents: Sequence[Any], _out: Any, _x: Any) -> Any:
    return tangents[0]


def _same_cotangent(cotangent: Any, _out: Any, _x: Any) -> tuple[Any, ...]:
    return (cotangent,)


def straight_through(function: Callable[..., Any]) -> StraightThrough:
    """Return the same function with the derivative of the identity: the straight-through estimator.

    f: x -> x.shape

    For rounding, sign or any other step whose own derivative is zero (Bengio, Leonard and Courville, "Estimating or
    propagating gradients through stochastic neurons", 2013).

    Raises
    ------
    StructureError
        If the function changes the shape.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.grad(lambda x: np.sum(wg.straight_through(np.round)(x) ** 2))(np.array([1.2, 2.7]))
    array([2., 6.])
    """
    return StraightThrough(function)
