"""The signatures of `torch.autograd.functional` on arrays and tensors: a function and a point in, products out.

Differences from `wengert.jacobian` and its kin, which return functions: tuples in and out decide the nesting,
`create_graph` says whether the result may be differentiated further, and `strict` turns a structurally zero derivative
into an error. Arrays give arrays, tensors give tensors of their own family.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from math import prod
from typing import Any

import numpy as np

from .derivatives.jacobian import forward_jacobian, reverse_jacobian
from .derivatives.recorded import Recorded, Window
from .errors import (
    ArgumentError,
    GraphArgumentError,
    GraphDtypeError,
    GraphError,
    GraphShapeError,
    MissingRule,
    NotConnected,
    StructureError,
    user_line,
)
from .modes import Recording
from .primitives.base import dtype_of, shape_of
from .recording import AMBIENT, CLOSED, Line, Traced, current, is_live, is_tracked, leaf, wrap
from .tensor import Tensor
from .transforms.reverse import backpropagate

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

_ARRAYS = (Traced, np.ndarray, np.generic)
# How many bytes of intermediates a block of rows may take when `vectorize` is not asked for.
_BLOCK = 1 << 26


class _Call:
    """One call of a functional derivative: its inputs as the function gets them, and how results go back.

    Attributes
    ----------
    inputs : tuple
        Arrays or tensors; detached from what encloses the call unless `create_graph`.
    single : bool
        Whether the caller gave one input, not a tuple.
    family : type or None
        The tensor class of the results; None for plain arrays.
    """

    __slots__ = ("create_graph", "family", "function", "inputs", "name", "outputs_single", "single", "strict")

    def __init__(self, name: str, function: Any, inputs: Any, create_graph: bool, strict: bool) -> None:
        self.name = name
        if not callable(function):
            raise StructureError(
                f"{name}: the first argument is the function, not {type(function).__name__}",
                hint=f"wengert.functional.{name}(f, x), not wengert.functional.{name}(f(x), x)",
            )
        self.function = function
        self.create_graph = create_graph
        self.strict = strict
        values, self.single = as_tuple(inputs, "the inputs", name)
        self.family = next((type(x).family for x in values if isinstance(x, Traced)), None)  # type: ignore[attr-defined]
        self.inputs = tuple([self._prepare(i, x) for i, x in enumerate(values)])
        self.outputs_single = True

    def _prepare(self, i: int, x: Any) -> Any:
        dtype = x.dtype
        if dtype.kind not in "fc":
            raise GraphDtypeError(
                f"{self.name}: input {i} has dtype {dtype}, which has no derivative",
                where=user_line(),
                hint="x.astype(float), or wengert.jacobian, which takes integers as float64",
            )
        if not isinstance(x, Traced) or x._data is None or self.create_graph:
            return x
        if x._line is not None:
            recorder = current()
            if is_live(x._line, recorder) and x._line.session.live_in is not AMBIENT:
                raise GraphError(
                    f"{self.name}: input {i} is tracked by an enclosing recording, but create_graph is False",
                    where=user_line(),
                    why="the result would be a constant, and the enclosing derivative would come out as zero",
                    hint="create_graph=True, or pass x.numpy() if the result is meant to be a constant",
                )
            return wrap(type(x).family, x._data)  # type: ignore[attr-defined]
        return x

    def window(self) -> Any:
        """Return the context in which the whole call runs."""
        return _Further() if self.create_graph else nullcontext()

    def record(self) -> Recorded:
        """Run the function once on fresh lines."""
        inputs = self.inputs
        if self.create_graph and self.family is not None and getattr(self.family, "ambient", False):
            # In the torch spelling results carry their graph whether or not a window is open.
            inputs = tuple([x if is_tracked(x) else _ambient(x) if isinstance(x, Traced) else x for x in inputs])
        recorded = Recorded(self._checked, inputs, {}, range(len(inputs)), name=self.name)
        if not self.create_graph and not self._abstract(recorded):
            recorded.wrapper = None
        return recorded

    def _abstract(self, recorded: Recorded) -> bool:
        return any(isinstance(out, Traced) and out._data is None for out in recorded.outputs)

    def _checked(self, *inputs: Any) -> tuple[Any, ...]:
        outputs, self.outputs_single = as_tuple(self.function(*inputs), "the result of the function", self.name)
        if self.strict:
            for i, out in enumerate(outputs):
                if not isinstance(out, Traced) or not is_tracked(out):
                    raise NotConnected(
                        f"{self.name}: output {i} of the function does not depend on its inputs",
                        where=user_line(),
                        why="strict=True allows no derivative that is zero by construction",
                        hint="compute it from the inputs with tensor operations, or strict=False for zeros",
                    )
        return outputs

    # ------------------------------------------------------------ results

    def finish(self, value: Any, seeds: Sequence[Any] = ()) -> Any:
        """Return a result as the caller wants it: array or tensor, with or without its graph."""
        if isinstance(value, Traced):
            data, line = value._data, value._line
        else:
            data, line = value, None
        if data is None:
            return wrap(self.family or Tensor, None, line)
        if line is not None and (not self.create_graph or line.session.live_in is CLOSED):
            line = None
        if not isinstance(data, np.ndarray):
            data = np.asarray(data)
        elif line is None and (not data.flags.writeable or any(data is seed for seed in seeds)):
            data = data.copy()  # a broadcast view, or an array that belongs to somebody else
        if self.family is None and line is None:
            return data
        return wrap(self.family or Tensor, data, line)

    def as_inputs(self, values: Sequence[Any]) -> Any:
        """Nest one value per input as the inputs were."""
        return values[0] if self.single else tuple(values)

    def as_outputs(self, values: Sequence[Any]) -> Any:
        """Nest one value per output as the outputs were."""
        return values[0] if self.outputs_single else tuple(values)

    def connected(self, value: Any) -> bool:
        """Whether a derivative depends on the inputs, so that it can be differentiated further."""
        return isinstance(value, Traced) and is_tracked(value)

    def vector(self, v: Any, likes: Sequence[Any], single: bool, what: str) -> list[Any]:
        """Check the vector of a product against what it belongs to, and cast it."""
        values, _ = as_tuple(v, "v", self.name)
        if len(values) != len(likes):
            raise GraphShapeError(
                f"{self.name}: v has {len(values)} entries, but there are {len(likes)} {what}s",
                hint="one array" if single else f"a tuple of {len(likes)}",
            )
        cast = []
        for i, (value, like) in enumerate(zip(values, likes, strict=True)):
            shape, dtype = like.shape, like.dtype
            if value.shape != shape:
                raise GraphShapeError(
                    f"{self.name}: entry {i} of v has shape {tuple(value.shape)}, but {what} {i} has shape {tuple(shape)}",
                    hint=f"np.broadcast_to(v, {tuple(shape)}) or np.reshape",
                )
            if value.dtype.kind == "c" and dtype.kind != "c":
                raise GraphDtypeError(
                    f"{self.name}: entry {i} of v is {value.dtype}, but {what} {i} is {dtype}",
                    why="a real quantity has no complex direction",
                    hint="v.real",
                )
            if isinstance(value, Traced):
                keep = value._data is None or (self.create_graph and is_tracked(value))
                value = wrap(Tensor, value._data, value._line) if keep else value._data
            cast.append(value if value.dtype == dtype or dtype.kind not in "fc" else value.astype(dtype))
        return cast


class _Further:
    """A window for a result that is to be differentiated further: recording is on, whatever it was."""

    __slots__ = ("_on", "_window")

    def __enter__(self) -> None:
        self._on = Recording(True)
        self._on.__enter__()
        self._window = Window()
        self._window.__enter__()

    def __exit__(self, *exception: Any) -> None:
        self._window.__exit__(*exception)
        self._on.__exit__(*exception)


def _ambient(x: Any) -> Any:
    return wrap(type(x).family, x._data, leaf(x._data.shape, x._data.dtype, AMBIENT.session))


def as_tuple(value: Any, what: str, name: str) -> tuple[tuple[Any, ...], bool]:
    """Return a tuple of arrays, and whether one array was given instead of a tuple."""
    if isinstance(value, _ARRAYS):
        return (value,), True
    if not isinstance(value, tuple):
        raise StructureError(
            f"{name}: {what} must be an array or tensor, or a tuple of them, not {type(value).__name__}",
            where=user_line(),
            hint="a tuple" if isinstance(value, list) else "np.asarray(...) or a tensor",
        )
    for i, part in enumerate(value):
        if not isinstance(part, _ARRAYS):
            raise StructureError(
                f"{name}: entry {i} of {what} must be an array or tensor, not {type(part).__name__}",
                where=user_line(),
            )
    return value, False


def _line_of(out: Any) -> Line | None:
    return out._line if isinstance(out, Traced) else None


def _pull_back(recorded: Recorded, cotangents: Sequence[Any]) -> list[Any]:
    """Return one cotangent per input, None where nothing arrives."""
    seeds: dict[Line, Any] = {}
    active = set(recorded.lines)
    for out, cotangent in zip(recorded.outputs, cotangents, strict=True):
        line = _line_of(out)
        if line is not None and line in active and cotangent is not None:
            seeds[line] = seeds[line] + cotangent if line in seeds else cotangent
    found = backpropagate(recorded.lines, seeds, recorded.inputs, recorded.wrapper)
    return [found.get(line) for line in recorded.inputs]


def _zeros(line: Line) -> np.ndarray:
    return np.zeros(line.shape, line.dtype)


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
    call = _Call("jacobian", func, inputs, create_graph, strict)
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
        raise GraphArgumentError(f"{name}: strict=True is not offered with strategy='forward-mode'", hint="strict=False")
    if not vectorize:
        raise MissingRule(
            f"{name}: strategy='forward-mode' is offered with vectorize=True only", hint="vectorize=True"
        )


def _reverse_row(call: _Call, recorded: Recorded, i: int, out: Any, vectorize: bool) -> list[Any]:
    line = _line_of(out)
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


def _independent(call: _Call, i: int, j: int) -> None:
    raise NotConnected(
        f"{call.name}: output {i} of the function is independent of input {j}",
        where=user_line(),
        why="strict=True allows no derivative that is zero by construction",
        hint="strict=False for zeros",
    )


def _forward_row(call: _Call, recorded: Recorded, out: Any) -> list[Any]:
    line = _line_of(out)
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
    call = _Call("hessian", func, inputs, create_graph, strict)
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


def _gradient_of(call: _Call) -> Callable[..., tuple[Any, ...]]:
    """Return the function that gives value and gradient, recorded so that it can be differentiated again."""

    def gradient(*inputs: Any) -> tuple[Any, ...]:
        recorded = Recorded(call._checked, inputs, {}, range(len(inputs)), name=call.name)
        recorded.wrapper = Tensor
        out = recorded.outputs[0]
        _check_number(call, out)
        seed = np.ones(shape_of(out), dtype_of(out))
        found = _pull_back(recorded, [seed])
        if call.strict:
            for i, g in enumerate(found):
                if g is None:
                    _independent(call, 0, i)
                if not call.connected(g):
                    raise NotConnected(
                        f"{call.name}: the gradient by input {i} is independent of the inputs",
                        where=user_line(),
                        why="strict=True allows no second derivative that is zero by construction; a linear function's is",
                        hint="strict=False for zeros",
                    )
        return out, *[_zeros(line) if g is None else g for g, line in zip(found, recorded.inputs, strict=True)]

    return gradient


def _check_number(call: _Call, out: Any) -> None:
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
            f"{call.name}: the function returned {dtype_of(out)}; the gradient of a complex number is not one direction",
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
    call = _Call("vjp", func, inputs, create_graph, strict)
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
        found = _pull_back(recorded, seeds)
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
    call = _Call("jvp", func, inputs, create_graph, strict)
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

    See `jvp` for `v` and `hessian` for what is raised. Cost: a small multiple of one evaluation, whatever the size of x.

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
    call = _Call(name, func, inputs, create_graph, strict)
    with call.window():
        seeds = _input_vector(call, v)
        gradient = _gradient_of(call)
        outer = _Call(name, gradient, call.inputs, create_graph, False)
        recorded = outer.record()
        found = _pull_back(recorded, [None, *seeds])
        if strict and create_graph:
            for i, g in enumerate(found):
                if not call.connected(g):
                    raise NotConnected(
                        f"{name}: the Hessian is independent of input {i}",
                        where=user_line(),
                        why="strict=True with create_graph=True wants a result that can be differentiated",
                        hint="strict=False for zeros",
                    )
        product = [_zeros(line) if g is None else g for g, line in zip(found, recorded.inputs, strict=True)]
    return call.finish(recorded.outputs[0]), call.as_inputs([call.finish(g, seeds) for g in product])


def _input_vector(call: _Call, v: Any) -> list[Any]:
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


def _filled(call: _Call, found: Sequence[Any], likes: Sequence[Any], what: str) -> list[Any]:
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
