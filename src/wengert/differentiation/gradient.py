"""First derivatives of functions without a matrix: `grad`, `value_and_grad`, `vjp`, `jvp`.

Each is a small object holding the user's function, so that it pickles whenever the function does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, DtypeError, ShapeError, StructureError
from ..recording import Traced
from . import unrecorded
from .recorded import Recorded, check_argnums, check_seed


class Derivative:
    """Base of the functional derivatives: a callable that holds the function and the options."""

    name = "derivative"

    def __init__(self, function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> None:
        if not callable(function):
            raise StructureError(
                f"{self.name}: the first argument is the function, not {type(function).__name__}",
                hint=f"wengert.{self.name}(f)(x), not wengert.{self.name}(f(x))",
            )
        self.function = function
        self.argnums = argnums
        self.has_aux = has_aux
        # What tells this derivative from other ones of the same function; () where that is not known.
        known = type(self).__module__.startswith("wengert.differentiation.")
        self.key: tuple[Any, ...] = (type(self), type(argnums), argnums, has_aux) if known else ()
        self.__doc__ = getattr(function, "__doc__", None)
        self.__name__ = f"{self.name}({getattr(function, '__name__', 'function')})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the derivative at these arguments."""
        if kwargs or self.has_aux:
            return self.evaluate(*args, **kwargs)
        return unrecorded.call(self, args)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Return the derivative at these arguments, by recording the function there."""
        raise NotImplementedError

    def around(self, function: Callable[..., Any]) -> Derivative:
        """Return the same derivative of another function."""
        other = copy.copy(self)
        other.function = function
        return other

    def _record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Recorded, bool]:
        numbers, single = check_argnums(self.argnums, len(args), self.name)
        return Recorded(self.function, args, kwargs, numbers, self.has_aux, self.name), single

    def _structured(self, recorded: Recorded, single: bool, leaves: Sequence[Any]) -> Any:
        parts = tree.unflatten(recorded.input_tree, leaves)
        return parts[0] if single else tuple(parts)

    def _with_aux(self, result: Any, recorded: Recorded) -> Any:
        return (result, recorded.aux) if self.has_aux else result


def scalar_output(recorded: Recorded, name: str) -> Any:
    """Return the one real number that a function returned; raise for anything else."""
    if not recorded.output_tree.is_leaf:
        raise StructureError(
            f"{name}: the function returned "
            + ("None" if recorded.output_tree.kind is tree.NONE else recorded.output_tree.kind.__name__),
            why="a gradient is that of one number",
            hint="return one scalar; use has_aux=True for extra results, or wengert.jacobian",
        )
    out = recorded.outputs[0]
    shape = out.shape if isinstance(out, Traced) else np.shape(out)  # type: ignore[attr-defined]
    if shape != ():
        raise ShapeError(
            f"{name}: the function returned shape {shape}, but a gradient is that of one number",
            hint="np.sum(...) of the result, or wengert.jacobian",
        )
    dtype = out.dtype if isinstance(out, Traced) else np.asarray(out).dtype  # type: ignore[attr-defined]
    if dtype.kind == "c":
        raise DtypeError(
            f"{name}: the function returned {dtype}; the gradient of a complex number is not one direction",
            hint="np.real(...) or np.abs(...) of the result, or wengert.vjp with a cotangent",
        )
    if dtype.kind != "f":
        raise DtypeError(
            f"{name}: the function returned {dtype}, which has no derivative",
            why="zeros would look like an answer",
            hint="return a floating number, or the rest as auxiliary data with has_aux=True",
        )
    return out


class ValueAndGrad(Derivative):
    """Value and gradient from one evaluation; made by `value_and_grad`."""

    name = "value_and_grad"

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Return the value and the gradient at these arguments, by recording the function there."""
        return self.end(*self._record(args, kwargs))

    def end(self, recorded: Recorded, single: bool) -> Any:
        """Return the result from a recorded run of the function."""
        value = recorded.finish(scalar_output(recorded, self.name))
        gradient = self._structured(recorded, single, [recorded.finish(g) for g in recorded.gradient()])
        return ((value, recorded.aux) if self.has_aux else value), gradient


class Grad(ValueAndGrad):
    """The gradient of a scalar function; made by `grad`."""

    name = "grad"

    def end(self, recorded: Recorded, single: bool) -> Any:
        """Return the gradient from a recorded run of the function."""
        value, gradient = super().end(recorded, single)
        return (gradient, value[1]) if self.has_aux else gradient


def grad(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False) -> Grad:
    """Return the function that computes the gradient of a scalar function.

    f: (...) -> ()   returns: the shape of the argument

    Parameters
    ----------
    function : callable
        Ordinary NumPy code that returns one real number. It runs at most once per call.
    argnums : int or tuple of int
        Which positional arguments to differentiate by. Each may be an array or a nested structure of arrays.
        A tuple gives a tuple.
    has_aux : bool
        If true the function returns `(value, aux)`, and the result is `(gradient, aux)`.

    Raises
    ------
    ShapeError, StructureError, DtypeError
        If the function does not return one real number.
    ArgumentError
        If `argnums` does not name arguments.

    Notes
    -----
    Cost: a small multiple of one evaluation, whatever the number of inputs (Griewank and Walther, Evaluating
    Derivatives, 2008, section 3.3). For complex arguments the result is the direction of steepest ascent.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> wg.grad(lambda x: np.sum(np.sin(x) ** 2))(np.array([0.0, np.pi / 4]))
    array([0., 1.])
    """
    return Grad(function, argnums, has_aux)


def value_and_grad(
    function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> ValueAndGrad:
    """Return the function that computes value and gradient from one evaluation.

    f: (...) -> ()   returns: (value, gradient), or ((value, aux), gradient) with `has_aux`

    See `grad` for the parameters and what is raised.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> value, gradient = wg.value_and_grad(np.prod)(np.array([2.0, 3.0, 4.0]))
    >>> float(value), gradient
    (24.0, array([12.,  8.,  6.]))
    """
    return ValueAndGrad(function, argnums, has_aux)


class Pullback:
    """The linear map from cotangents of the result to cotangents of the arguments; reusable."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded

    def __call__(self, cotangent: Any) -> Any:
        """Return one cotangent per argument."""
        recorded = self._recorded
        leaves, structure = tree.flatten(cotangent)
        if structure != recorded.output_tree and not (recorded.output_tree.is_leaf and _is_array(cotangent)):
            raise StructureError("vjp: the cotangent does not have the structure of the function's result")
        if recorded.output_tree.is_leaf and len(leaves) != 1:
            leaves = [cotangent]
        seeds = [
            check_seed(leaf, _shaped(out), f"vjp: cotangent {i}", "output")
            for i, (leaf, out) in enumerate(zip(leaves, recorded.outputs, strict=True))
        ]
        plain = recorded.plain and not any(isinstance(seed, Traced) for seed in seeds)
        found = recorded.pull_back(seeds)
        finished = [recorded.finish(g) if plain else g for g in found]
        return tuple(tree.unflatten(recorded.input_tree, finished))


def _is_array(value: Any) -> bool:
    return not isinstance(value, tuple | dict)


def _shaped(out: Any) -> Any:
    return out if isinstance(out, Traced) else np.asarray(out)


def vjp(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Return the function's value and its pullback at `primals`.

    f: x -> y   returns: (y, pullback), or (y, pullback, aux) with `has_aux`   pullback: y -> (x, ...)

    The pullback takes a cotangent of the result's structure and returns a tuple with one cotangent per primal.
    It may be called again and again.

    Raises
    ------
    ShapeError, DtypeError, StructureError
        If a cotangent does not have the shape, kind of dtype or structure of the result.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> y, pullback = wg.vjp(np.sin, np.array([0.0, np.pi]))
    >>> pullback(np.array([1.0, 1.0]))
    (array([ 1., -1.]),)
    """
    if not primals:
        raise ArgumentError("vjp: there is nothing to differentiate by", hint="wengert.vjp(f, x, ...)")
    recorded = Recorded(function, primals, {}, range(len(primals)), has_aux, "vjp")
    value, pullback = recorded.value(), Pullback(recorded)
    return (value, pullback, recorded.aux) if has_aux else (value, pullback)


def jvp(
    function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False
) -> Any:
    """Return the function's value and its directional derivative.

    f: x -> y   primals: (x, ...)   tangents: (x, ...)   returns: (y, tangent of y), or also aux

    Raises
    ------
    StructureError
        If primals and tangents are not tuples or lists of equal length and structure.
    ShapeError, DtypeError
        If a tangent does not have its primal's shape and kind of dtype.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> y, t = wg.jvp(lambda x: x**2, (3.0,), (2.0,))
    >>> float(y), float(t)
    (9.0, 12.0)
    """
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise StructureError(
            f"jvp: primals and tangents are tuples or lists, not {type(primals).__name__} and "
            f"{type(tangents).__name__}",
            hint="wengert.jvp(f, (x,), (t,))",
        )
    if len(primals) != len(tangents) or not primals:
        raise StructureError(f"jvp: {len(primals)} primals but {len(tangents)} tangents")
    direction = _Direction(function, len(primals))
    if has_aux:
        return direction.push(primals, tangents, has_aux)
    return unrecorded.call(direction, (*primals, *tangents))


class _Direction:
    """The directional derivative of a function, with its value: `jvp`."""

    def __init__(self, function: Callable[..., Any], count: int) -> None:
        self.function = function
        self.count = count
        self.key = (_Direction, count)

    def around(self, function: Callable[..., Any]) -> _Direction:
        """Return the directional derivative of another function."""
        return _Direction(function, self.count)

    def evaluate(self, *args: Any) -> Any:
        """Return value and derivative, by recording the function; the primals come first, then the tangents."""
        return self.push(args[: self.count], args[self.count :], has_aux=False)

    def push(self, primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool) -> Any:
        """Return value, derivative, and aux if there is one."""
        recorded = Recorded(self.function, tuple(primals), {}, range(len(primals)), has_aux, "jvp")
        leaves, structure = tree.flatten(list(tangents))
        if structure != recorded.input_tree:
            leaves = _align_scalars(tangents, recorded)
        seeds = [
            check_seed(leaf, line, f"jvp: tangent {i}", "primal")
            for i, (leaf, line) in enumerate(zip(leaves, recorded.inputs, strict=True))
        ]
        plain = recorded.plain and not any(isinstance(seed, Traced) for seed in seeds)
        found = recorded.push_forward(seeds)
        tangent = tree.unflatten(recorded.output_tree, [recorded.finish(t) if plain else t for t in found])
        value = recorded.value()
        return (value, tangent, recorded.aux) if has_aux else (value, tangent)


def _align_scalars(tangents: Sequence[Any], recorded: Recorded) -> list[Any]:
    if len(tangents) == len(recorded.inputs) and all(child.is_leaf for child in recorded.input_tree.children):
        return list(tangents)
    raise StructureError("jvp: the tangents do not have the structure of the primals")
