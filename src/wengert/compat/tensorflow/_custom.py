"""Functions with gradients of their own: `custom_gradient`, `grad_pass_through`, `stop_gradient`.

A call of such a function becomes one line whose rule calls the user's gradient function. What that function computes
is differentiated like anything else, which is how second derivatives come about.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import tree
from ...differentiation.recorded import Recorded, Window
from ...errors import ArgumentError, ShapeError, StructureError, user_line
from ...execute.control import pack
from ...primitives.base import REGISTRY, Primitive, reads_nothing, shape_of
from ...primitives.indexing import stack
from ...primitives.structural import pick
from ...primitives.structural import stop_gradient as _stop
from ...recording import Traced, apply, is_tracked, wrap
from ...variable import Variable as _Variable
from ._tensor import Tensor, convert_to_tensor


class Collector:
    """A reader that only wants to know which trainable variables are read."""

    wants_lines = False

    def __init__(self) -> None:
        self.variables: dict[int, _Variable] = {}

    def knows(self, variable: _Variable) -> bool:
        """Whether the variable was read before."""
        return id(variable) in self.variables

    def note(self, variable: _Variable, line: Any) -> None:
        """Remember a variable."""
        self.variables[id(variable)] = variable


class collecting:
    """The context in which a collector is told of readings."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.window = Window()

    def __enter__(self) -> Window:
        recorder = self.window.__enter__().recorder
        recorder.readers.append(weakref.ref(self.collector))
        recorder.stamp += 1
        return self.window

    def __exit__(self, *exception: Any) -> None:
        recorder = self.window.recorder
        recorder.readers.remove(weakref.ref(self.collector))
        recorder.stamp += 1
        self.window.__exit__(*exception)


class _Call:
    """One call of a function with a gradient of its own."""

    __hash__ = None  # type: ignore[assignment]  # a closure with its values is never kept in a memo

    def __init__(self, function: Callable[..., Any], gradient: Callable[..., Any], variables: list[_Variable]) -> None:
        self.function = function  # of the traced leaves; returns the list of results
        self.gradient = gradient
        self.variables = variables
        self.name = ""
        self.positions: list[int] = []  # of the traced leaves among all leaves
        self.count = 0  # of all leaves
        self.slots: list[tuple[tuple[int, ...], np.dtype]] = []

    def pull(self, cotangents: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> list[Any]:
        """Return what the gradient function gives for each traced leaf and each variable, after checking it."""
        upstream = [
            convert_to_tensor(np.zeros(*slot) if ct is None else ct)
            for ct, slot in zip(cotangents, self.slots, strict=True)
        ]
        given = self.gradient(*upstream, variables=self.variables) if self.variables else self.gradient(*upstream)
        of_variables: Any = []
        if self.variables:
            if not isinstance(given, tuple) or len(given) != 2:
                raise StructureError(
                    f"custom_gradient: the gradient function of {self.name!r} returned a {type(given).__name__}",
                    why="the function reads variables, so a pair is due: gradients of inputs, gradients of variables",
                )
            given, of_variables = given
        values = list(given) if isinstance(given, list | tuple) else [given]
        of_variables = list(of_variables) if isinstance(of_variables, list | tuple) else [of_variables]
        for what, got, due in (
            ("inputs", len(values), self.count),
            ("variables", len(of_variables), len(self.variables)),
        ):
            if got != due:
                raise ArgumentError(
                    f"custom_gradient: the gradient function of {self.name!r} returned {got} gradients "
                    f"for {due} {what}",
                    hint="one for each; None where it is exactly zero",
                )
        found = [values[i] for i in self.positions] + of_variables
        for i, (value, shape) in enumerate(zip(found, shapes, strict=True)):
            if value is not None and tuple(shape_of(value)) != tuple(shape):
                raise ShapeError(
                    f"custom_gradient: gradient {i} of {self.name!r} has shape {tuple(shape_of(value))}, but what it "
                    f"belongs to has shape {tuple(shape)}",
                )
        return [_released(value) for value in found]


def _released(value: Any) -> Any:
    """Return plain numbers where nothing is recorded, which the rules after this one are quickest with."""
    if isinstance(value, _Variable):
        value = value.value()
    if isinstance(value, Traced):
        return value if value._data is None or is_tracked(value) else value._data
    return value if value is None or isinstance(value, np.ndarray | np.generic) else np.asarray(value)


def _evaluate(*values: Any, rule: _Call) -> Any:
    found = [out._data for out in rule.function(*(wrap(Tensor, value) for value in values[: len(rule.positions)]))]
    return found[0] if len(rule.slots) == 1 else tuple(found)


def _abstract(*args: Any, rule: _Call) -> Any:
    if len(rule.slots) == 1:
        return rule.slots[0]
    return tuple(shape for shape, _ in rule.slots), tuple(dtype for _, dtype in rule.slots)


def _vjp(cotangent: Any, out: Any, *args: Any, needs: Any, rule: _Call) -> tuple[Any, ...]:
    cotangents = [cotangent] if len(rule.slots) == 1 else cotangent
    return tuple(rule.pull(cotangents, [shape_of(arg) for arg in args]))


def _jvp(tangents: Sequence[Any], out: Any, *args: Any, rule: _Call) -> Any:
    """The transpose of the gradient function, which is linear in what it is given."""
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]

    def pull(*cotangents: Any) -> list[Any]:
        found = rule.pull(cotangents, [shape_of(arg) for arg in args])
        return [np.zeros(shape_of(args[i])) if found[i] is None else found[i] for i in moving]

    zeros = [np.zeros(*slot) for slot in rule.slots]
    recorded = Recorded(pull, zeros, {}, range(len(zeros)), name="custom_gradient")
    found = recorded.pull_back([tangents[i] for i in moving])
    return found[0] if len(rule.slots) == 1 else tuple(found)


def _batch(size: int, batched: Sequence[bool], *args: Any, rule: _Call) -> Any:
    """Call the function once per sample: each call has a gradient function of its own."""
    count = len(rule.positions)
    rows = [
        rule.function(
            *(convert_to_tensor(arg[k] if flag else arg) for arg, flag in zip(args[:count], batched, strict=False))
        )
        for k in range(size)
    ]
    columns = [stack(*column, axis=0) for column in zip(*rows, strict=True)]
    return columns[0] if len(columns) == 1 else pack(*columns)


call = Primitive(
    "tensorflow_call",
    _evaluate,
    abstract=_abstract,
    vjp=_vjp,
    jvp=_jvp,
    batch=_batch,
    reads=reads_nothing,
    family="control",
)
"""A call of a function with a gradient of its own; what the gradient reads is in the closure."""
del REGISTRY[call.name]  # nobody can find it by its name: a Program that is saved cannot hold a closure


class CustomGradient:
    """A function with a gradient of its own; made by `custom_gradient`. As a method it gets its instance."""

    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        if isinstance(function, staticmethod | classmethod) or not callable(function):
            raise StructureError(f"custom_gradient: the argument is a function, not {type(function).__name__}")
        self.__name__ = "function"
        functools.update_wrapper(self, function)

    def __get__(self, instance: Any, owner: type | None = None) -> CustomGradient:
        return self if instance is None else CustomGradient(self.__wrapped__.__get__(instance, owner))

    def __reduce__(self) -> Any:
        return self.__qualname__  # type: ignore[attr-defined]  # by its name, as plain functions are pickled

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return the result, as a single operation."""
        leaves, structure = tree.flatten(args)
        collector = Collector()
        with collecting(collector):
            pair = self.__wrapped__(*args, **kwargs)
        if not isinstance(pair, tuple) or len(pair) != 2 or not callable(pair[1]):
            raise StructureError(
                f"custom_gradient: {self.__name__!r} returned a {type(pair).__name__}",
                where=user_line(),
                why="it has to return a pair: the result, and the function that computes gradients",
                hint="return y, lambda upstream: upstream * slope",
            )
        result, gradient = pair
        given = {id(leaf) for leaf in leaves}
        variables = [v for v in collector.variables.values() if id(v) not in given]
        if variables and not _takes_variables(gradient):
            raise StructureError(
                f"custom_gradient: {self.__name__!r} reads variable {variables[0].name!r}, but its gradient function "
                "has no argument `variables`",
                where=user_line(),
                hint="def gradient(upstream, variables=None): return input_gradients, variable_gradients",
            )
        outputs, output_structure = tree.flatten(result)
        outputs = [convert_to_tensor(out) for out in outputs]
        positions = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Traced)]

        def again(*values: Any) -> list[Any]:
            filled = list(others)
            for i, value in zip(positions, values, strict=True):
                filled[i] = value
            return tree.flatten(self(*tree.unflatten(structure, filled), **kwargs))[0]

        others = [None if isinstance(leaf, Traced) else leaf for leaf in leaves]
        rule = _Call(again, gradient, variables)
        rule.name, rule.positions, rule.count = self.__name__, positions, len(leaves)
        rule.slots = [(tuple(out.shape), out.dtype) for out in outputs]
        inputs = [*(leaves[i] for i in positions), *variables]
        if not inputs:
            return tree.unflatten(output_structure, [wrap(Tensor, out._data) for out in outputs])
        data = [out._data for out in outputs]
        abstract = any(leaf._data is None for leaf in inputs)
        computed = None if abstract else data[0] if len(data) == 1 else tuple(data)
        made = apply(call, inputs, {"rule": rule}, computed)
        parts = [made] if len(data) == 1 else [pick(made, position=i) for i in range(len(data))]
        return tree.unflatten(output_structure, [wrap(Tensor, part._data, part._line) for part in parts])


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function a gradient of its own.

    f: (x, ...) -> (y, gradient)   gradient: upstream of each y -> one result per input

    The function is recorded as one operation. If it reads variables, its gradient function takes a keyword argument
    `variables` and returns `(gradients of inputs, gradients of variables)`.

    Raises
    ------
    StructureError
        When the function does not return such a pair, or reads variables and the gradient function takes none.
    ArgumentError, ShapeError
        When the gradient function returns another number of gradients than there are inputs, or another shape.

    Notes
    -----
    A second derivative differentiates the gradient function's own code, with what it reads from the function.
    Forward mode uses its transpose. Batching calls the function once per sample.

    Examples
    --------
    >>> import wengert.compat.tensorflow as tf
    >>> @tf.custom_gradient
    ... def log1pexp(x):
    ...     e = tf.exp(x)
    ...     return tf.math.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))
    >>> x = tf.constant(100.0)
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = log1pexp(x)
    >>> print(tape.gradient(y, x))
    tf.Tensor(1.0, shape=(), dtype=float32)
    """
    return CustomGradient(f)


def _takes_variables(gradient: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(gradient).parameters
    except (TypeError, ValueError):
        return True
    return "variables" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def grad_pass_through(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with the gradient of the identity: what comes from behind goes to the inputs unchanged.

    f: (x, ...) -> y, as many results as inputs, of their shapes

    Examples
    --------
    >>> import wengert.compat.tensorflow as tf
    >>> x = tf.Variable(0.6)
    >>> with tf.GradientTape() as tape:
    ...     y = tf.grad_pass_through(tf.round)(x)
    >>> print(float(y), tape.gradient(y, x))
    1.0 tf.Tensor(1.0, shape=(), dtype=float32)
    """

    @functools.wraps(f)
    def passed(*args: Any, **kwargs: Any) -> Any:
        def gradient(*upstream: Any, variables: Any = None) -> Any:
            inputs = upstream if len(upstream) > 1 else upstream[0]
            return inputs if variables is None else (inputs, [None] * len(variables))

        return f(*args, **kwargs), gradient

    return custom_gradient(passed)


def stop_gradient(input: Any, name: Any = None) -> Tensor:
    """Return the value, cut off from everything it was computed from."""
    tensor = convert_to_tensor(input)
    return wrap(Tensor, tensor._data) if tensor._data is not None else _stop(tensor)
