"""The signatures of `torch.autograd.functional` on arrays and tensors: a function and a point in, products out.

Differences from `wengert.jacobian` and its kin, which return functions: tuples in and out decide the nesting,
`create_graph` says whether the result may be differentiated further, and `strict` turns a structurally zero derivative
into an error. Arrays give arrays, tensors give tensors of their own family.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from .differentiation.functional_call import Call, line_of, pull_back, zeros_of
from .differentiation.jacobian import forward_jacobian, reverse_jacobian
from .differentiation.recorded import Recorded
from .errors import (
    ArgumentError,
    GraphArgumentError,
    GraphDtypeError,
    GraphError,
    GraphShapeError,
    MissingRule,
    NotConnected,
    user_line,
)
from .primitives.base import dtype_of, shape_of
from .tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

# How many bytes of intermediates a block of rows may take when `vectorize` is not asked for.
_BLOCK = 1 << 26


# ---------------------------------------------------------------- Jacobians


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian of a function at a point.

    func: x -> y   inputs: x or (x, ...)   returns: y.shape + x.shape, or a tuple (of tuples) of these

    Parameters
    ----------
    func : callable
        Takes arrays or tensors and returns one, or a tuple of them. It runs once.
    inputs : array, tensor, or tuple of these
        Floating or complex. A tuple, also of one, makes the result a tuple over the inputs; a function that returns
        a tuple makes it a tuple over the outputs: `J[output][input]`.
    create_graph : bool
        Whether the result can be differentiated further by an enclosing recording or another call. If not, the
        result is a constant.
    strict : bool
        If true, an output or (with `create_graph`) a Jacobian that does not depend on an input is an error instead of
        zeros.
    vectorize : bool
        If true all rows (or columns) go through the function's lines in one batched pass. If false they go in
        blocks whose intermediates fit into 64 MB. The numbers are the same.
    strategy : {"reverse-mode", "forward-mode"}
        Forward mode needs `vectorize=True`, and allows neither `create_graph` nor `strict`.

    Raises
    ------
    StructureError
        If an input or output is not an array or tensor or a tuple of these.
    GraphDtypeError
        If an input is not floating or complex, or an output is complex in reverse mode.
    NotConnected
        In strict mode, as said above.
    ArgumentError
        If the strategy is unknown, or options exclude each other (a GraphArgumentError, so also a RuntimeError).
    MissingRule
        If forward mode is asked for with `create_graph` or without `vectorize`.
    GraphError
        If an input is tracked by an enclosing recording and `create_graph` is false.

    Notes
    -----
    Reverse mode gives blocks of the input's dtype, forward mode of the output's. Integer outputs have zero
    derivative. Cost: one pass for an elementwise function, else as many seeds as outputs (reverse) or inputs (forward).
    PyTorch asserts that the strategy is known; here that is an ArgumentError, which is a ValueError.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.functional import jacobian
    >>> jacobian(lambda x: x**3, np.array([1.0, 2.0]))
    array([[ 3.,  0.],
           [ 0., 12.]])
    """
    _check_strategy("jacobian", strategy, create_graph, strict, vectorize)
    call = Call("jacobian", func, inputs, create_graph, strict)
    with call.window():
        recorded = call.record()
        if strategy == "forward-mode":
            rows = [_forward_row(call, recorded, out) for out in recorded.outputs]
        else:
            rows = [_reverse_row(call, recorded, i, out, vectorize) for i, out in enumerate(recorded.outputs)]
        if strict and create_graph:
            for i, row in enumerate(rows):
                for j, block in enumerate(row):
                    if not call.connected(block):
                        raise NotConnected(
                            f"jacobian: that of output {i} by input {j} is independent of the inputs",
                            where=user_line(),
                            why="strict=True with create_graph=True wants a Jacobian that can be differentiated",
                            hint="strict=False for a constant Jacobian",
                        )
    return call.as_outputs([call.as_inputs([call.finish(block) for block in row]) for row in rows])


def _check_strategy(name: str, strategy: str, create_graph: bool, strict: bool, vectorize: bool) -> None:
    if strategy == "reverse-mode":
        if strict and vectorize:
            raise GraphArgumentError(
                f"{name}: strict=True and vectorize=True exclude each other",
                hint="vectorize=False: the numbers are the same",
            )
        return
    if strategy != "forward-mode":
        raise ArgumentError(f"{name}: the strategy is 'reverse-mode' or 'forward-mode', not {strategy!r}")
    if create_graph:
        raise MissingRule(
            f"{name}: create_graph=True is not offered with strategy='forward-mode'",
            hint="strategy='reverse-mode', or wengert.jacobian(f, mode='forward'), which always composes",
        )
    if strict:
        raise GraphArgumentError(
            f"{name}: strict=True is not offered with strategy='forward-mode'", hint="strict=False"
        )
    if not vectorize:
        raise MissingRule(f"{name}: strategy='forward-mode' is offered with vectorize=True only", hint="vectorize=True")


def _reverse_row(call: Call, recorded: Recorded, i: int, out: Any, vectorize: bool) -> list[Any]:
    line = line_of(out)
    sources = recorded.inputs
    if line is None or line not in set(recorded.lines):
        if call.strict:
            _independent(call, i, 0)
        shape = shape_of(out)
        return [np.zeros(shape + source.shape, source.dtype) for source in sources]
    if line.dtype.kind == "c":
        raise GraphDtypeError(
            f"{call.name}: output {i} is {line.dtype}; a row of a reverse-mode Jacobian needs a real output",
            where=user_line(),
            hint="real and imaginary part as two outputs, strategy='forward-mode', or functional.vjp with a complex v",
        )
    lines = recorded.lines
    count = prod(line.shape)
    by_row = any(other.primitive is not None and other.primitive.family == "function" for other in lines)
    chunk = None
    if not vectorize and count > 1:
        width = sum(prod(other.shape) * other.dtype.itemsize for other in lines if type(other.shape) is tuple)
        chunk = max(1, _BLOCK // max(width, 1))
    blocks = reverse_jacobian(lines, line, sources, recorded.wrapper, chunk, not by_row)
    if call.strict:
        for j, block in enumerate(blocks):
            if block is None:
                _independent(call, i, j)
    return [
        np.zeros(line.shape + source.shape, source.dtype) if block is None else block
        for block, source in zip(blocks, sources, strict=True)
    ]


def _independent(call: Call, i: int, j: int) -> None:
    raise NotConnected(
        f"{call.name}: output {i} of the function is independent of input {j}",
        where=user_line(),
        why="strict=True allows no derivative that is zero by construction",
        hint="strict=False for zeros",
    )


def _forward_row(call: Call, recorded: Recorded, out: Any) -> list[Any]:
    line = line_of(out)
    shape, dtype = shape_of(out), np.dtype(dtype_of(out))
    blocks = []
    for source in recorded.inputs:
        if source.dtype.kind == "c":
            raise GraphDtypeError(
                f"{call.name}: an input is {source.dtype}; a column of a forward-mode Jacobian needs a real input",
                where=user_line(),
                hint="strategy='reverse-mode'",
            )
        block = None
        if line is not None and line in set(recorded.lines):
            block = forward_jacobian(recorded.lines, [line], source, recorded.wrapper)[0]
        blocks.append(np.zeros(shape + source.shape, dtype) if block is None else block)
    return blocks


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the Hessian of a function of one number at a point.

    func: x -> one number   inputs: x or (x, ...)   returns: x.shape + x.shape, or tuples `H[i][j]` over the inputs

    The inner derivative is always taken in reverse mode, the outer one by `outer_jacobian_strategy`; see `jacobian`
    for the other parameters.

    Raises
    ------
    GraphShapeError, StructureError
        If the function does not return one tensor with one element; any shape of one element is accepted.
    NotConnected
        In strict mode, if the function or its gradient is independent of an input.

    Notes
    -----
    Cost: about as many gradients as there are numbers in the inputs, all in one batched pass.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.functional import hessian
    >>> hessian(lambda x: np.sum(x**3), np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    _check_strategy("hessian", outer_jacobian_strategy, create_graph, strict, vectorize)
    call = Call("hessian", func, inputs, create_graph, strict)
    gradient = _gradient_of(call)
    result = jacobian(
        lambda *x: gradient(*x)[1:],
        call.inputs,
        create_graph,
        strict=False,
        vectorize=vectorize,
        strategy=outer_jacobian_strategy,
    )
    return result[0][0] if call.single else result


def _gradient_of(call: Call) -> Callable[..., tuple[Any, ...]]:
    """Return the function that gives value and gradient, recorded so that it can be differentiated again."""

    def gradient(*inputs: Any) -> tuple[Any, ...]:
        recorded = Recorded(call.checked, inputs, {}, range(len(inputs)), name=call.name)
        recorded.wrapper = Tensor
        out = recorded.outputs[0]
        _check_number(call, out)
        seed = np.ones(shape_of(out), dtype_of(out))
        found = pull_back(recorded, [seed])
        if call.strict:
            for i, g in enumerate(found):
                if g is None:
                    _independent(call, 0, i)
                if not call.connected(g):
                    raise NotConnected(
                        f"{call.name}: the gradient by input {i} is independent of the inputs",
                        where=user_line(),
                        why="strict=True allows no second derivative that is zero by construction",
                        hint="strict=False for zeros",
                    )
        return out, *[zeros_of(line) if g is None else g for g, line in zip(found, recorded.inputs, strict=True)]

    return gradient


def _check_number(call: Call, out: Any) -> None:
    if not call.outputs_single:
        raise GraphError(
            f"{call.name}: the function returned a tuple; it must return one tensor with one element",
            where=user_line(),
            hint="return the one number, without the comma",
        )
    if prod(shape_of(out)) != 1:
        raise GraphShapeError(
            f"{call.name}: the function returned shape {tuple(shape_of(out))}; it must return one element",
            where=user_line(),
            hint="np.sum(...) of the result, or functional.jacobian twice",
        )
    if np.dtype(dtype_of(out)).kind == "c":
        raise GraphDtypeError(
            f"{call.name}: the function returned {dtype_of(out)}, which has no single direction of steepest ascent",
            where=user_line(),
            hint="np.real(...) or np.abs(...) of the result",
        )


# ---------------------------------------------------------------- products


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return the value of a function and the product of a vector with its Jacobian.

    func: x -> y   v: y   returns: (y, x-shaped product), the product nested as the inputs

    Parameters
    ----------
    v : array, tensor, or tuple of these
        Shaped like the function's result; may be left out where that is one element.
    create_graph, strict
        See `jacobian`.

    Raises
    ------
    GraphShapeError
        If `v` does not fit the result, or is missing where it is needed.
    NotConnected
        In strict mode, if no output depends on an input.

    Notes
    -----
    Cost: a small multiple of one evaluation of the function.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.functional import vjp
    >>> value, product = vjp(lambda x: x**3, np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    >>> value, product
    (array([1., 8.]), array([ 3., 12.]))
    """
    call = Call("vjp", func, inputs, create_graph, strict)
    with call.window():
        recorded = call.record()
        if v is None:
            if not call.outputs_single or prod(shape_of(recorded.outputs[0])) != 1:
                raise GraphShapeError(
                    "vjp: v may be left out only if the function returns one tensor with one element",
                    where=user_line(),
                    hint="pass v, shaped like the function's result",
                )
            seeds: Sequence[Any] = [np.ones(shape_of(out), dtype_of(out)) for out in recorded.outputs]
        else:
            seeds = call.vector(v, [_like(out) for out in recorded.outputs], call.outputs_single, "output")
        found = pull_back(recorded, seeds)
        product = _filled(call, found, recorded.inputs, "input")
    value = call.as_outputs([call.finish(out) for out in recorded.outputs])
    return value, call.as_inputs([call.finish(g, seeds) for g in product])


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return the value of a function and the product of its Jacobian with a vector.

    func: x -> y   v: x   returns: (y, y-shaped product), the product nested as the outputs

    `v` is shaped like the inputs and may be left out where these are one element; see `vjp` for the rest.

    Raises
    ------
    GraphShapeError
        If `v` does not fit the inputs, or is missing where it is needed.
    NotConnected
        In strict mode, if no output depends on an input.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.functional import jvp
    >>> jvp(lambda x: x**3, np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    (array([1., 8.]), array([ 3., 12.]))
    """
    call = Call("jvp", func, inputs, create_graph, strict)
    with call.window():
        seeds = _input_vector(call, v)
        recorded = call.record()
        if strict:
            reached = set(recorded.lines)
            for i, line in enumerate(recorded.inputs):
                if line not in reached:
                    _independent(call, 0, i)
        found = recorded.push_forward(seeds)
        product = _filled(call, found, [_like(out) for out in recorded.outputs], "output")
    value = call.as_outputs([call.finish(out) for out in recorded.outputs])
    return value, call.as_outputs([call.finish(t, seeds) for t in product])


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return the value of a function of one number and the product of a vector with its Hessian.

    func: x -> one number   v: x   returns: (value, x-shaped product), the product nested as the inputs

    See `jvp` for `v` and `hessian` for what is raised. Cost: a small multiple of one evaluation of the function.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.functional import vhp
    >>> value, product = vhp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    >>> float(value), product
    (9.0, array([ 6., 12.]))
    """
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return the value of a function of one number and the product of its Hessian with a vector.

    func: x -> one number   v: x   returns: (value, x-shaped product), the product nested as the inputs

    The same numbers as `vhp`, as the Hessian is symmetric, at the same cost; both names exist because PyTorch has both.

    Examples
    --------
    >>> import numpy as np
    >>> from wengert.functional import hvp
    >>> hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 1.0]))[1]
    array([ 6., 12.])
    """
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(name: str, func: Any, inputs: Any, v: Any, create_graph: bool, strict: bool) -> Any:
    call = Call(name, func, inputs, create_graph, strict)
    with call.window():
        seeds = _input_vector(call, v)
        gradient = _gradient_of(call)
        outer = Call(name, gradient, call.inputs, create_graph, False)
        recorded = outer.record()
        found = pull_back(recorded, [None, *seeds])
        if strict and create_graph:
            for i, g in enumerate(found):
                if not call.connected(g):
                    raise NotConnected(
                        f"{name}: the Hessian is independent of input {i}",
                        where=user_line(),
                        why="strict=True with create_graph=True wants a result that can be differentiated",
                        hint="strict=False for zeros",
                    )
        product = [zeros_of(line) if g is None else g for g, line in zip(found, recorded.inputs, strict=True)]
    return call.finish(recorded.outputs[0]), call.as_inputs([call.finish(g, seeds) for g in product])


def _input_vector(call: Call, v: Any) -> list[Any]:
    if v is not None:
        return call.vector(v, call.inputs, call.single, "input")
    if len(call.inputs) != 1 or prod(call.inputs[0].shape) != 1:
        raise GraphShapeError(
            f"{call.name}: v may be left out only if there is one input with one element",
            where=user_line(),
            hint="pass v, shaped like the inputs",
        )
    return [np.ones(call.inputs[0].shape, dtype_of(call.inputs[0]))]


class _Like:
    """Shape and dtype of an output that may be a number of NumPy's."""

    __slots__ = ("dtype", "shape")

    def __init__(self, out: Any) -> None:
        self.shape = shape_of(out)
        self.dtype = np.dtype(dtype_of(out))


def _like(out: Any) -> Any:
    return _Like(out)


def _filled(call: Call, found: Sequence[Any], likes: Sequence[Any], what: str) -> list[Any]:
    """Replace what nothing reached by zeros, or raise in strict mode."""
    product = []
    for i, (value, like) in enumerate(zip(found, likes, strict=True)):
        if call.strict:
            if value is None:
                _independent(call, 0, i)
            if call.create_graph and not call.connected(value):
                raise NotConnected(
                    f"{call.name}: the Jacobian is independent of the inputs ({what} {i})",
                    where=user_line(),
                    why="strict=True with create_graph=True wants a result that can be differentiated",
                    hint="strict=False for a constant",
                )
        product.append(np.zeros(like.shape, like.dtype) if value is None else value)
    return product
