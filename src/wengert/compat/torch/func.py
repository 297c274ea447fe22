"""`torch.func`: derivatives of functions, which nest and take structures, with PyTorch's signatures and checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ... import tensor as core
from ... import tree
from ...differentiation.jacobian import forward_jacobian, reverse_jacobian
from ...differentiation.recorded import Recorded
from ...errors import (
    ArgumentError,
    GraphArgumentError,
    GraphDtypeError,
    GraphShapeError,
    GraphStructureError,
    NotConnected,
    user_line,
)
from ...recording import AMBIENT, Traced, current, is_live, wrap
from .creation import randomness as random_in_vmap
from .ends import to_core
from .missing import missing
from .tensor import Tensor

__getattr__ = missing("torch.func")

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "vjp",
    "vmap",
]


# ---------------------------------------------------------------- shared parts


def _numbers(argnums: Any, count: int, name: str) -> tuple[tuple[int, ...], bool]:
    single = isinstance(argnums, int) and not isinstance(argnums, bool)
    given = (argnums,) if single else argnums
    if not isinstance(given, tuple) or not all(isinstance(n, int) and not isinstance(n, bool) for n in given):
        raise GraphStructureError(f"{name}: argnums must be an int or a tuple of ints, not {argnums!r}")
    if not given:
        raise GraphArgumentError(f"{name}: argnums must not be empty")
    for n in given:
        if not -count <= n < count:
            raise GraphArgumentError(
                f"{name}: argnums has {n}, but the function was called with {count} positional arguments"
            )
    resolved = tuple(n % count for n in given)
    if len(set(resolved)) != len(resolved):
        raise GraphArgumentError(f"{name}: argnums {argnums!r} names an argument twice")
    return resolved, single


def _check_inputs(values: Any, name: str) -> None:
    leaves, _ = tree.flatten(values)
    if not leaves:
        raise GraphStructureError(f"{name}: there is no tensor to differentiate by")
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise GraphArgumentError(
                f"{name}: expected tensors to differentiate by, but got {type(leaf).__name__}",
                where=user_line(),
                hint="torch.tensor(...)",
            )
        if leaf.dtype.kind not in "fc":
            kind = GraphArgumentError if name in ("jvp", "jacfwd", "linearize") else GraphDtypeError  # as PyTorch
            raise kind(
                f"{name}: only tensors of floating or complex dtype can be differentiated by, not {leaf.dtype!r}",
                where=user_line(),
                hint="x.float()",
            )


class _Run(Recorded):
    """A function recorded at tensors, with what torch checks of its outputs."""

    __slots__ = ("name",)

    def __init__(
        self, func: Any, args: Sequence[Any], kwargs: dict[str, Any], numbers: Sequence[int], has_aux: bool, name: str
    ) -> None:
        if not callable(func):
            raise GraphStructureError(f"{name}: the first argument is the function, not {type(func).__name__}")
        _check_inputs([args[i] for i in numbers], name)
        self.name = name

        def checked(*values: Any, **named: Any) -> Any:
            result = func(*values, **named)
            if has_aux:
                if type(result) is not tuple or len(result) != 2:
                    raise GraphStructureError(
                        f"{name}: with has_aux=True the function returns (output, aux), not {type(result).__name__}"
                    )
                _check_outputs(result[0], name)
            else:
                _check_outputs(result, name)
            return result

        super().__init__(checked, args, kwargs, numbers, has_aux, name)
        # What depends on leaves that require a gradient stays differentiable by them.
        if self.wrapper is None and current() is not None and any(_ambient(out) for out in self.outputs):
            self.wrapper = core.Tensor
        if has_aux:
            self.aux = tree.map_leaves(lambda x: self.detached(x) if isinstance(x, Traced) else x, self.aux)

    def detached(self, value: Any) -> Any:
        """Return a result as the caller gets it: connected to what encloses the call, and to nothing in it."""
        if not isinstance(value, Traced):
            return wrap(Tensor.family, np.asarray(value))
        line = value._line
        keep = value._data is None or is_live(line, current())
        return wrap(Tensor.family, value._data, line if keep else None)

    def outs(self) -> Any:
        """Return the function's result as the caller gets it."""
        return tree.unflatten(self.output_tree, [self.detached(out) for out in self.outputs])

    def structured(self, leaves: Sequence[Any], single: bool) -> Any:
        """Nest one value per input leaf as the arguments were."""
        parts = tree.unflatten(self.input_tree, [self.detached(leaf) for leaf in leaves])
        return parts[0] if single else tuple(parts)


def _ambient(out: Any) -> bool:
    return isinstance(out, Traced) and out._line is not None and out._line.session.live_in is AMBIENT


def _check_outputs(result: Any, name: str) -> None:
    leaves, _ = tree.flatten(result)
    if not leaves:
        raise GraphStructureError(
            f"{name}: the function returned {result!r}; it must return tensors", where=user_line()
        )
    for leaf in leaves:
        if not isinstance(leaf, Traced):
            raise GraphStructureError(
                f"{name}: the function returned {type(leaf).__name__}; it must return tensors", where=user_line()
            )


def _scalar(run: _Run) -> Any:
    name = run.name
    if not run.output_tree.is_leaf:
        raise GraphStructureError(f"{name}: the function must return one tensor", hint="has_aux=True for extra results")
    out = run.outputs[0]
    if tuple(out.shape) != ():
        raise GraphShapeError(
            f"{name}: the function returned shape {tuple(out.shape)}, but a gradient is that of one number",
            where=user_line(),
            hint="y.sum(), or torch.func.jacrev",
        )
    if out.dtype.kind != "f":
        raise GraphDtypeError(
            f"{name}: the function returned {out.dtype!r}, which has no gradient",
            where=user_line(),
            hint="a real floating result: y.float(), y.real, y.abs()",
        )
    return out


# ---------------------------------------------------------------- gradients and products


def grad_and_value(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return the function that gives (gradient, value), or (gradient, (value, aux)).

    Raises
    ------
    GraphShapeError, GraphDtypeError, StructureError
        When called, if `func` does not return one real number.
    """

    return partial(_grad_and_value, func, argnums, has_aux)


# Partial functions instead of closures: they pickle if the user's function does.
def _grad_and_value(func: Any, argnums: Any, has_aux: bool, /, *args: Any, **kwargs: Any) -> Any:
    numbers, single = _numbers(argnums, len(args), "grad_and_value")
    run = _Run(func, args, kwargs, numbers, has_aux, "grad")
    out = _scalar(run)
    value = run.detached(out)
    found = run.pull_back([np.ones((), np.dtype(out.dtype.dtype))])
    gradient = run.structured(found, single)
    return gradient, ((value, run.aux) if has_aux else value)


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return the function that computes the gradient of a function of one number.

    Examples
    --------
    >>> import wengert.compat.torch as torch
    >>> torch.func.grad(torch.func.grad(lambda x: x**3))(torch.tensor(2.0))
    tensor(12.)
    """
    return partial(_grad, func, argnums, has_aux)


def _grad(func: Any, argnums: Any, has_aux: bool, /, *args: Any, **kwargs: Any) -> Any:
    gradient, value = _grad_and_value(func, argnums, has_aux, *args, **kwargs)
    return (gradient, value[1]) if has_aux else gradient


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Return (outputs, vjp_fn), with `has_aux` also aux; `vjp_fn(cotangents)` may be called again and again.

    Raises
    ------
    StructureError, GraphShapeError
        If a cotangent does not have the structure or shape of the outputs.
    """
    if not primals:
        raise GraphArgumentError("vjp: there is nothing to differentiate by", hint="vjp(f, x)")
    run = _Run(func, primals, {}, range(len(primals)), has_aux, "vjp")
    for i, out in enumerate(run.outputs):
        if out.dtype.kind not in "fc":
            raise GraphDtypeError(f"vjp: output {i} is {out.dtype!r}, which has no derivative", hint="y.float()")

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        leaves, structure = tree.flatten(cotangents)
        if structure != run.output_tree:
            raise GraphStructureError("vjp_fn: the cotangents do not have the structure of the function's output")
        seeds = [_fitted(leaf, out, f"vjp_fn: cotangent {i}") for i, (leaf, out) in enumerate(zip(leaves, run.outputs))]
        if any(isinstance(seed, Traced) for seed in seeds):
            run.wrapper = core.Tensor
        return run.structured(run.pull_back(seeds), False)

    return (run.outs(), vjp_fn, run.aux) if has_aux else (run.outs(), vjp_fn)


def _fitted(value: Any, like: Any, what: str) -> Any:
    """Return a cotangent or tangent as the core wants it; its dtype may be another floating one."""
    if not isinstance(value, Traced):
        raise GraphStructureError(f"{what} must be a tensor, not {type(value).__name__}")
    if tuple(value.shape) != tuple(like.shape):  # type: ignore[attr-defined]
        raise GraphShapeError(
            f"{what} has shape {tuple(value.shape)}, but it belongs to a tensor of shape {tuple(like.shape)}",  # type: ignore[attr-defined]
            where=user_line(),
        )
    dtype = np.dtype(getattr(like.dtype, "dtype", like.dtype))
    if value.dtype.kind == "c" and dtype.kind != "c":  # type: ignore[attr-defined]
        raise GraphDtypeError(f"{what} is {value.dtype!r}, but it belongs to a tensor of {dtype}")  # type: ignore[attr-defined]
    seed = to_core(value, True)
    return seed if seed.dtype == dtype else seed.astype(dtype)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """Return (outputs, their tangents), with `has_aux` also aux.

    Raises
    ------
    StructureError, GraphShapeError
        If primals and tangents are not tuples of tensors that fit each other.
    NotConnected
        If `strict` and an output does not depend on the primals.
    """
    run, seeds = _prepared_jvp("jvp", func, primals, tangents, has_aux)
    if strict:
        reached = set(run.lines)
        for i, out in enumerate(run.outputs):
            if out._line is None or out._line not in reached:
                raise NotConnected(
                    f"jvp: output {i} is independent of the primals, which strict=True does not allow",
                    where=user_line(),
                )
    pushed = tree.unflatten(run.output_tree, [run.detached(t) for t in run.push_forward(seeds)])
    return (run.outs(), pushed, run.aux) if has_aux else (run.outs(), pushed)


def _prepared_jvp(name: str, func: Any, primals: Any, tangents: Any, has_aux: bool) -> tuple[_Run, list[Any]]:
    for what, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, tuple):
            raise GraphStructureError(
                f"{name}: {what} must be a tuple, not {type(value).__name__}", hint=f"{name}(f, (x,), (t,))"
            )
        if not value:
            raise GraphStructureError(f"{name}: {what} must not be empty")
    leaves, structure = tree.flatten(list(tangents))
    if structure != tree.flatten(list(primals))[1]:
        raise GraphStructureError(f"{name}: the tangents do not have the structure of the primals")
    run = _Run(func, primals, {}, range(len(primals)), has_aux, name)
    seeds = [_fitted(leaf, line, f"{name}: tangent {i}") for i, (leaf, line) in enumerate(zip(leaves, run.inputs))]
    if any(isinstance(seed, Traced) for seed in seeds):
        run.wrapper = core.Tensor
    return run, seeds


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Return the outputs and the function from tangents to their tangents; `func` runs once."""
    if not primals:
        raise GraphArgumentError("linearize: there is nothing to differentiate by")
    run = _Run(func, primals, {}, range(len(primals)), False, "linearize")

    def jvp_fn(*tangents: Any) -> Any:
        leaves, structure = tree.flatten(list(tangents))
        if structure != run.input_tree:
            raise GraphStructureError("linearize: the tangents do not have the structure of the primals")
        seeds = [
            _fitted(leaf, line, f"linearize: tangent {i}") for i, (leaf, line) in enumerate(zip(leaves, run.inputs))
        ]
        if any(isinstance(seed, Traced) for seed in seeds):
            run.wrapper = core.Tensor
        return tree.unflatten(run.output_tree, [run.detached(t) for t in run.push_forward(seeds)])

    return run.outs(), jvp_fn


# ---------------------------------------------------------------- Jacobians


def _jacobian(
    name: str, func: Any, argnums: Any, has_aux: bool, forward: bool, chunk: int | None, /, *args: Any, **kwargs: Any
) -> Any:
    wanted = tuple(range(len(args))) if argnums is None else argnums
    numbers, single = _numbers(wanted, len(args), name)
    run = _Run(func, args, kwargs, numbers, has_aux, name)
    rows = [_blocks(run, i, out, forward, chunk) for i, out in enumerate(run.outputs)]
    result = tree.unflatten(run.output_tree, [run.structured(row, single) for row in rows])
    return (result, run.aux) if has_aux else result


def _blocks(run: _Run, i: int, out: Any, forward: bool, chunk: int | None) -> list[Any]:
    line = out._line
    sources = run.inputs
    dtype = np.dtype(out.dtype.dtype) if out._data is not None else np.dtype(getattr(out.dtype, "dtype", out.dtype))
    if dtype.kind == "c" and not forward:
        raise GraphDtypeError(
            f"{run.name}: output {i} is {out.dtype!r}; a reverse-mode row needs a real output",
            where=user_line(),
            hint="torch.view_as_real(y), or jacfwd",
        )
    if forward and any(source.dtype.kind == "c" for source in sources):
        raise GraphDtypeError(
            f"{run.name}: an input is complex; a forward-mode column needs a real input", hint="jacrev"
        )
    reached = line is not None and line in set(run.lines)
    found: list[Any] = []
    for source in sources:
        shape = tuple(out.shape) + source.shape
        block = None
        if reached:
            by_row = any(other.primitive is not None and other.primitive.family == "function" for other in run.lines)
            if forward:
                block = forward_jacobian(run.lines, [line], source, run.wrapper, chunk)[0]
            else:
                block = reverse_jacobian(run.lines, line, [source], run.wrapper, chunk, not by_row and chunk != 1)[0]
        found.append(np.zeros(shape, dtype if forward else source.dtype) if block is None else block)
    return found


def jacrev(
    func: Callable[..., Any],
    argnums: Any = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """Return the function that computes the Jacobian in reverse mode, `chunk_size` rows at once (all if None).

    Raises ArgumentError if the chunk size is not positive.

    Examples
    --------
    >>> import wengert.compat.torch as torch
    >>> torch.func.jacrev(torch.sin)(torch.zeros(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ArgumentError(f"jacrev: chunk_size should be greater than 0, not {chunk_size}")
    return partial(_jacobian, "jacrev", func, argnums, has_aux, False, chunk_size)


def jacfwd(
    func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """Return the function that computes the Jacobian in forward mode; `argnums=None` means all arguments.

    `func` runs once, so random numbers are the same in all columns; `randomness` is accepted and changes nothing.

    Raises
    ------
    GraphArgumentError
        If `randomness` is not "error", "same" or "different".
    """
    if randomness not in ("error", "same", "different"):
        raise GraphArgumentError(f"jacfwd: randomness is 'error', 'same' or 'different', not {randomness!r}")
    return partial(_jacobian, "jacfwd", func, argnums, has_aux, True, None)


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """Return the function that computes the Hessian, forward over reverse; vector outputs add leading axes."""
    return jacfwd(jacrev(func, argnums), argnums)


# ---------------------------------------------------------------- vmap


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return the function that maps `func` over an axis of its arguments, all samples at once.

    See `wengert.vmap`. `func` may draw random numbers if `randomness` is "same", and then they are the same for all
    samples; "different" is not available.

    Raises
    ------
    GraphArgumentError
        If `randomness` is "different" or unknown; when called, if it is "error" and `func` draws random numbers.
    ArgumentError
        If axes do not fit.
    AbstractValue
        When called, if `func` needs a value.
    """
    from ...differentiation.vmap import Vmap

    if randomness not in ("error", "same"):
        raise GraphArgumentError(
            f"vmap: randomness is 'error' or 'same' here, not {randomness!r}",
            hint="draw the random numbers outside, and map over them",
        )
    return partial(_vmap, Vmap(func, in_dims, out_dims, chunk_size), randomness)


def _vmap(mapped: Any, randomness: str, /, *args: Any, **kwargs: Any) -> Any:
    token = random_in_vmap.set(randomness)
    try:
        result = mapped(*args, **kwargs)
    finally:
        random_in_vmap.reset(token)
    return tree.map_leaves(
        lambda x: (
            wrap(Tensor.family, x._data, x._line) if isinstance(x, Traced) else wrap(Tensor.family, np.asarray(x))
        ),
        result,
    )


# ---------------------------------------------------------------- modules


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: Any = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with other tensors in place of its parameters and buffers.

    Raises ArgumentError if `strict` and a name is missing or unknown.
    """
    given: dict[str, Any] = {}
    dicts = parameter_and_buffer_dicts
    for part in dicts if isinstance(dicts, list | tuple) else (dicts,):
        given.update(part)
    positional = () if args is None else args if isinstance(args, tuple) else (args,)
    return module._call_with(given, positional, kwargs or {}, strict)


def stack_module_state(models: Sequence[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters and buffers of equal modules, stacked along a new first axis."""
    from .shaping import stack

    if not models:
        raise ArgumentError("stack_module_state: expected at least one model")
    params = {
        name: stack([dict(model.named_parameters())[name].detach() for model in models]).requires_grad_()
        for name, _ in models[0].named_parameters()
    }
    buffers = {
        name: stack([dict(model.named_buffers())[name] for model in models]) for name, _ in models[0].named_buffers()
    }
    return params, buffers
