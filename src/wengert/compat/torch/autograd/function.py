"""`torch.autograd.Function`: an operation with a derivative rule of the user's.

Each call becomes one line of the recording, whose rule calls the user's `backward` (and `jvp`, `vmap`). What is not
given is derived: forward mode from `backward`, batching by a loop.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ....errors import (
    GraphDtypeError,
    GraphError,
    GraphShapeError,
    GraphStructureError,
    MissingRule,
    StructureError,
    user_line,
)
from ....modes import Recording
from ....primitives.base import Primitive
from ....primitives.structural import pick
from ....recording import Traced, apply, current, is_tracked, wrap
from ....views import become
from ..ends import to_torch
from ..storage import check_leaf, modify
from ..tensor import Tensor


class Context:
    """`ctx`: what `forward` leaves for `backward`."""

    def __init__(self) -> None:
        self._to_save: tuple[Any, ...] = ()
        self._forward_save: tuple[Any, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._constant: tuple[Any, ...] = ()
        self._materialize = True
        self._places: tuple[Any, ...] = ()
        self._values: tuple[Any, ...] | None = None
        self._inputs: tuple[Any, ...] = ()
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for `backward`, where they are `ctx.saved_tensors`."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Traced):
                raise StructureError(
                    f"save_for_backward can only save tensors, but an argument is of type {type(tensor).__name__}",
                    hint="ctx.n = n keeps other values",
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors for `jvp`; here the same as `save_for_backward`."""
        self._forward_save = tensors

    def mark_dirty(self, *args: Any) -> None:
        """Say which inputs `forward` changed in place; they must be returned."""
        self._dirty = args

    def mark_non_differentiable(self, *args: Any) -> None:
        """Say which outputs have no derivative."""
        self._constant = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros, not None, for outputs that nothing depends on."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What was saved, connected to the graph where the derivative is itself differentiated."""
        if self._values is None:
            return self._to_save
        return self._values

    def _settle(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Remember saved tensors by their place among inputs and outputs, so that nothing refers to itself."""
        places = []
        for tensor in self._to_save or self._forward_save:
            place: Any = ("constant", None if tensor is None else tensor.detach())
            for kind, group in (("input", inputs), ("output", outputs)):
                for i, other in enumerate(group):
                    if tensor is not None and other is tensor:
                        place = (kind, i)
            places.append(place)
        self._places = tuple(places)
        self._to_save = self._forward_save = self._dirty = self._constant = ()

    def _resolved(self, inputs: Sequence[Any], outputs: Any) -> Context:
        """Return a copy whose saved tensors are these."""
        made = copy.copy(self)
        values = []
        for kind, what in self._places:
            if kind == "input":
                values.append(inputs[what])
            elif kind == "output":
                values.append(outputs(what))
            else:
                values.append(what)
        made._values = tuple(values)
        made._inputs = tuple(inputs)
        return made


class _FunctionMeta(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise GraphError(
            f"{cls.__name__} cannot be instantiated: a Function is called by its class",
            where=user_line(),
            hint=f"{cls.__name__}.apply(...)",
        )


class Function(metaclass=_FunctionMeta):
    """Base of operations with a derivative rule of the user's.

    Subclasses have static methods: `forward(ctx, *args)` and `backward(ctx, *grad_outputs)`, or `forward(*args)` with
    `setup_context(ctx, inputs, output)`; optionally `jvp(ctx, *tangents)` and `vmap(info, in_dims, *args)`.

    Examples
    --------
    >>> import wengert.compat.torch as torch
    >>> class Cube(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, grad_output):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x**2 * grad_output
    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    generate_vmap_rule = False

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; to be overridden."""
        raise MissingRule("a Function must implement the static method forward(ctx, *args)")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Save what `backward` needs, if `forward` does not take `ctx`."""
        raise MissingRule("setup_context is not implemented")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Return one gradient (or None) per input of `forward`; to be overridden."""
        raise MissingRule(
            "a Function must implement the static method backward(ctx, *grad_outputs) to be differentiated"
        )

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Return one tangent per output; derived from `backward` if not overridden."""
        raise MissingRule("jvp is not implemented")

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """Return results of batched arguments and where their batch axes are."""
        raise MissingRule("vmap is not implemented")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Call the operation."""
        return _call(cls, args)


def overrides(cls: type, name: str) -> bool:
    """Return whether a Function has a method of its own where the base has one that raises."""
    return getattr(cls, name) is not getattr(Function, name)


def _as_tuple(output: Any) -> tuple[tuple[Any, ...], bool]:
    return (output, False) if isinstance(output, tuple) else ((output,), True)


def _forward(cls: Any, args: Sequence[Any], needs: tuple[bool, ...]) -> tuple[Context, Any]:
    """Run `forward` unrecorded."""
    ctx = Context()
    ctx.needs_input_grad = needs
    with Recording(False):
        if overrides(cls, "setup_context"):
            output = cls.forward(*args)
            cls.setup_context(ctx, args, output)
        else:
            output = cls.forward(ctx, *args)
    return ctx, output


def _call(cls: Any, args: tuple[Any, ...]) -> Any:
    if any(isinstance(arg, Traced) and arg._data is None for arg in args):
        from .batched import call_abstract

        return call_abstract(cls, args)
    tracked = tuple(isinstance(arg, Traced) and is_tracked(arg) for arg in args)
    ctx, output = _forward(cls, args, tracked)
    outputs, single = _as_tuple(output)
    if True not in tracked:
        return output
    rule = Rule(cls, args, ctx, outputs)
    results = rule.record(outputs)
    return results[0] if single else tuple(results)


class Rule:
    """One call of a Function as a primitive of its own.

    Attributes
    ----------
    positions : list of int
        Which arguments are tensors; the line's inputs.
    differentiable : list of int
        Which outputs have a derivative.
    """

    def __init__(self, cls: Any, args: Sequence[Any], ctx: Context, outputs: Sequence[Any]) -> None:
        self.cls = cls
        self.ctx = ctx
        self.count = len(args)
        self.positions = [i for i, arg in enumerate(args) if isinstance(arg, Traced)]
        self.others = {i: arg for i, arg in enumerate(args) if not isinstance(arg, Traced)}
        self.args = args
        self.shapes = [tuple(args[i].shape) for i in self.positions]
        constant = ctx._constant
        self.differentiable = [
            k
            for k, out in enumerate(outputs)
            if isinstance(out, Traced) and out.dtype.kind in "fc" and not any(out is c for c in constant)  # type: ignore[attr-defined]
        ]
        # Shape and dtype of every output that is a tensor, and of those with a derivative.
        self.out_shapes = [
            (tuple(out.shape), np.dtype(out.dtype.dtype)) if isinstance(out, Tensor) else None for out in outputs
        ]
        self.slots = [(tuple(outputs[k].shape), np.dtype(outputs[k].dtype.dtype)) for k in self.differentiable]
        self.dirty = ctx._dirty
        for tensor in self.dirty:
            if not any(out is tensor for out in outputs):
                raise GraphError(
                    f"{cls.__name__}: an input was marked dirty but is not returned", hint="return it from forward"
                )
        ctx._settle(args, outputs)

    # ------------------------------------------------------------ recording

    def record(self, outputs: Sequence[Any]) -> list[Any]:
        """Write the line and return the outputs as the caller gets them."""
        results = list(outputs)
        tensors = tuple(self.args[i] for i in self.positions)
        dirty, self.dirty = self.dirty, ()
        for tensor in dirty:
            check_leaf(tensor)
        self.args = ()
        if not self.differentiable:
            return results
        saved = {place for place in self.ctx._places if place[0] == "input"}
        kept: set[Any] = {self.positions.index(place[1]) for place in saved if place[1] in self.positions}
        if any(place[0] == "output" for place in self.ctx._places):
            kept.add("out")
        several = len(self.slots) > 1

        def reads(i: int, count: int) -> set[Any]:
            return kept

        primitive = Primitive(
            self.cls.__name__,
            self.evaluate,
            abstract=self._abstract,
            vjp=self.vjp,
            jvp=self.jvp,
            batch=self.batch if overrides(self.cls, "vmap") else None,
            reads=reads,
            family="function",
            register=False,
        )
        computed = tuple(np.asarray(outputs[k]._data) for k in self.differentiable)
        line = apply(primitive, tensors, computed=computed if several else outputs[self.differentiable[0]]._data)
        for position, k in enumerate(self.differentiable):
            made = pick(line, position=position) if several else line
            if any(outputs[k] is tensor for tensor in dirty):
                target = outputs[k]
                modify(target, partial(become, target, made._data, made._line))
            else:
                results[k] = wrap(Tensor.family, made._data, made._line)
        return results

    def _abstract(self, *args: Any) -> Any:
        return self.slots[0] if len(self.slots) == 1 else tuple(zip(*self.slots, strict=True))

    def _arguments(self, values: Sequence[Any], graph: bool) -> list[Any]:
        filled: list[Any] = [self.others.get(i) for i in range(self.count)]
        for i, value in zip(self.positions, values, strict=True):
            known = isinstance(value, Traced | np.ndarray | np.generic)
            filled[i] = to_torch(value, graph) if known else None
        return filled

    def _context(self, out: Any, values: Sequence[Any], graph: bool) -> tuple[Context, list[Any]]:
        filled = self._arguments(values, graph)
        several = len(self.slots) > 1

        def output(k: int) -> Any:
            position = self.differentiable.index(k)
            if not several:
                return to_torch(out, graph)
            return to_torch(pick(out, position=position) if isinstance(out, Traced) else out[position], graph)

        return self.ctx._resolved(filled, output), filled

    # ------------------------------------------------------------ rules

    def evaluate(self, *values: Any) -> Any:
        """Run `forward` again on other values."""
        _, output = _forward(self.cls, self._arguments(values, False), (False,) * self.count)
        outputs, _ = _as_tuple(output)
        found = tuple(outputs[k]._data for k in self.differentiable)
        return found if len(found) > 1 else found[0]

    def vjp(self, cotangent: Any, out: Any, *values: Any, needs: Sequence[bool]) -> tuple[Any, ...]:
        """Call the user's `backward`."""
        cotangents = cotangent if type(cotangent) is list else [cotangent]
        live = (*cotangents, out, *values)
        graph = current() is not None and any(isinstance(x, Traced) for x in live)
        ctx, _ = self._context(out, values, graph)
        return self._pull_back(ctx, cotangents, graph, needs)

    def _pull_back(self, ctx: Context, cotangents: Sequence[Any], graph: bool, needs: Any) -> tuple[Any, ...]:
        given: list[Any] = []
        remaining = iter(cotangents)
        for k, shape in enumerate(self.out_shapes):
            value = next(remaining) if k in self.differentiable else None
            if value is None and shape is not None and ctx._materialize:
                value = np.zeros(*shape)
            given.append(None if value is None else to_torch(value, graph))
        with Recording(graph and current() is not None):
            found = self.cls.backward(ctx, *given)
        found = found if isinstance(found, tuple) else (found,)
        name = f"{self.cls.__name__}.backward"
        if len(found) < self.count or any(value is not None for value in found[self.count :]):
            raise GraphError(
                f"{name} returned an incorrect number of gradients (expected {self.count}, got {len(found)})",
                hint="one per argument of forward, None for those without a derivative",
            )
        for i in self.others:
            if found[i] is not None:
                raise GraphError(
                    f"{name} returned a gradient for argument {i}, which is not a tensor", hint="None in its place"
                )
        result: list[Any] = []
        for k, i in enumerate(self.positions):
            value = found[i]
            if value is None or not needs[k]:
                result.append(None)
                continue
            if not isinstance(value, Traced):
                raise GraphStructureError(
                    f"{name} returned {type(value).__name__} for argument {i}, not a tensor or None"
                )
            _check_shape(value, self.shapes[k], i, name)
            result.append(wrap(_core(), value._data, value._line) if value._line is not None else value._data)
        return tuple(result)

    def jvp(self, tangents: Sequence[Any], out: Any, *values: Any) -> Any:
        """Call the user's `jvp`, or derive the tangent from `backward`."""
        live = (*tangents, out, *values)
        graph = current() is not None and any(isinstance(x, Traced) for x in live)
        ctx, _ = self._context(out, values, graph)
        if not overrides(self.cls, "jvp"):
            return self._derived_jvp(ctx, tangents, graph)
        given: list[Any] = [None] * self.count
        for i, tangent in zip(self.positions, tangents, strict=True):
            given[i] = None if tangent is None else to_torch(tangent, graph)
        with Recording(graph and current() is not None):
            found = self.cls.jvp(ctx, *given)
        found = found if isinstance(found, tuple) else (found,)
        parts = []
        for k, (shape, dtype) in zip(self.differentiable, self.slots, strict=True):
            value = found[k] if k < len(found) else None
            if value is not None and tuple(value.shape) != shape:
                raise GraphShapeError(
                    f"{self.cls.__name__}.jvp returned a tangent of shape {tuple(value.shape)} for output {k}, which "
                    f"has shape {shape}"
                )
            parts.append(np.zeros(shape, dtype) if value is None else _core_value(value))
        return tuple(parts) if len(parts) > 1 else parts[0]

    def _derived_jvp(self, ctx: Context, tangents: Sequence[Any], graph: bool) -> Any:
        """The transpose of `backward`, which is linear in its cotangents."""
        from ....differentiation.recorded import Recorded

        needs = [tangent is not None for tangent in tangents]

        def pull_back(*cotangents: Any) -> Any:
            found = self._pull_back(ctx, cotangents, True, needs)
            return tuple(np.zeros(shape) if value is None else value for value, shape in zip(found, self.shapes))

        seeds = [wrap(_core(), np.zeros(*slot)) for slot in self.slots]
        recorded = Recorded(pull_back, seeds, {}, range(len(seeds)), name=f"{self.cls.__name__}.jvp")
        found = recorded.pull_back([_fitted(t, s) for t, s in zip(tangents, self.shapes)])
        return tuple(found) if len(found) > 1 else found[0]

    def batch(self, size: int, batched: Sequence[bool], *values: Any) -> Any:
        """Call the user's `vmap`."""
        from .batched import call_vmap

        return call_vmap(self, size, batched, values)


def _fitted(tangent: Any, shape: tuple[int, ...]) -> Any:
    return tangent if tangent is None or tangent.shape == shape else np.broadcast_to(tangent, shape)


def _core() -> type:
    from ....tensor import Tensor as Core

    return Core


def _core_value(value: Any) -> Any:
    return wrap(_core(), value._data, value._line) if value._line is not None else value._data


def _check_shape(value: Any, shape: tuple[int, ...], i: int, name: str) -> None:
    have = tuple(value.shape)
    try:
        fits = np.broadcast_shapes(have, shape) == have
    except ValueError:
        fits = False
    if not fits:
        raise GraphShapeError(
            f"{name} returned a gradient of shape {have} for argument {i}, which has shape {shape}",
            why="a gradient has the shape of its argument, or one that sums to it over broadcast axes",
        )
    if value.dtype.kind not in "fc":
        raise GraphDtypeError(f"{name} returned a gradient of {value.dtype!r} for argument {i}")


# ---------------------------------------------------------------- once_differentiable


def once_differentiable(fn: Any) -> Any:
    """Decorate a `backward` that cannot be differentiated itself: doing so is an error, on every path to the inputs."""

    @functools.wraps(fn)
    def backward(ctx: Any, *grads: Any) -> Any:
        with Recording(False):
            found = fn(ctx, *grads)
        sources = [x for x in (*grads, *ctx._inputs) if isinstance(x, Traced) and is_tracked(x)]
        if not sources:
            return found
        outputs, single = _as_tuple(found)
        poisoned = tuple(out if out is None else _poison(out, sources) for out in outputs)
        return poisoned[0] if single else poisoned

    return backward


def _poison(out: Any, sources: Sequence[Any]) -> Any:
    def vjp(*args: Any, **kwargs: Any) -> Any:
        raise GraphError(
            "trying to differentiate twice a function that was marked with @once_differentiable",
            where=user_line(),
            hint="write backward with tensor operations and drop the mark, or leave create_graph out",
        )

    primitive = Primitive(
        "once_differentiable",
        lambda *values: out._data,
        abstract=lambda *args: (tuple(out.shape), np.dtype(out.dtype.dtype)),
        vjp=vjp,
        jvp=vjp,
        reads=lambda i, count: set(),
        family="function",
        register=False,
    )
    return apply(primitive, tuple(sources), computed=out._data)
