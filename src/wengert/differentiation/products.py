"""Linear maps and second-order products: `linearize`, `linear_transpose`, `hvp`, `vhp`, `gauss_newton_product`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ArgumentError, DtypeError, StructureError
from ..program import Program, Slot, Step, trace
from ..recording import Traced
from ..transforms.derive import concrete_slot, reverse_program
from . import unrecorded
from .gradient import ValueAndGrad, scalar_output
from .recorded import Recorded, check_seed, differentiable
from .replay import Replay, hessian_product
from .vmap import check_result


def check_directions(name: str, primals: Any, tangents: Any, what: str = "tangents") -> None:
    """Raise StructureError unless primals and directions are tuples or lists of equal length."""
    if not isinstance(primals, tuple | list) or not isinstance(tangents, tuple | list):
        raise StructureError(
            f"{name}: primals and {what} are tuples or lists, not {type(primals).__name__} and "
            f"{type(tangents).__name__}",
            hint=f"wengert.{name}(f, (x,), (v,))",
        )
    if len(primals) != len(tangents) or not primals:
        raise StructureError(f"{name}: {len(primals)} primals but {len(tangents)} {what}")


def direction_leaves(name: str, tangents: Sequence[Any], recorded: Recorded, what: str = "tangent") -> list[Any]:
    """Return one checked direction per differentiated input of a recorded function."""
    leaves, structure = tree.flatten(list(tangents))
    if structure != recorded.input_tree:
        if len(tangents) == len(recorded.inputs) and all(child.is_leaf for child in recorded.input_tree.children):
            leaves = list(tangents)
        else:
            raise StructureError(f"{name}: the {what}s do not have the structure of the primals")
    return [
        check_seed(value, line, f"{name}: {what} {i}", "primal")
        for i, (value, line) in enumerate(zip(leaves, recorded.inputs, strict=True))
    ]


def _is_plain(recorded: Recorded, seeds: Sequence[Any]) -> bool:
    return recorded.plain and not any(isinstance(seed, Traced) for seed in seeds)


# ---------------------------------------------------------------- linear maps


class LinearMap:
    """The derivative of a function at a point: a linear map from tangents to tangents, reusable.

    `transpose` maps cotangents of the result to cotangents of the arguments.
    """

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded

    def __call__(self, *tangents: Any) -> Any:
        """Return the tangent of the result."""
        recorded = self._recorded
        if len(tangents) != len(recorded.input_tree.children):
            raise StructureError(
                f"linearize: the function has {len(recorded.input_tree.children)} arguments, "
                f"but {len(tangents)} tangents were given"
            )
        seeds = direction_leaves("linearize", tangents, recorded)
        plain = _is_plain(recorded, seeds)
        found = recorded.push_forward(seeds)
        return tree.unflatten(recorded.output_tree, [recorded.finish(t) if plain else t for t in found])

    def transpose(self, cotangent: Any) -> Any:
        """Return one cotangent per argument, as the pullback of `vjp` does."""
        from .gradient import Pullback

        return Pullback(self._recorded)(cotangent)


def linearize(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Return the function's value and its derivative as a reusable linear map.

    f: x -> y   returns: (y, linear map), or also aux   linear map: tangents of x -> tangent of y

    Raises
    ------
    ShapeError, DtypeError, StructureError
        If a tangent does not have its primal's shape, kind of dtype or structure.

    Notes
    -----
    Cost: one evaluation; each use of the map costs about one more, and runs none of the function's own code.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> y, push = wg.linearize(np.sin, np.array([0.0, np.pi]))
    >>> push(np.array([1.0, 1.0])), push(np.array([2.0, 0.0]))
    (array([ 1., -1.]), array([ 2., -0.]))
    """
    if not primals:
        raise ArgumentError("linearize: there is nothing to differentiate by", hint="wengert.linearize(f, x, ...)")
    recorded = Recorded(function, primals, {}, range(len(primals)), has_aux, "linearize", keep_graph=False)
    value, linear = recorded.value(), LinearMap(recorded)
    return (value, linear, recorded.aux) if has_aux else (value, linear)


class Transposed:
    """The transpose of a linear function; made by `linear_transpose`."""

    def __init__(self, function: Callable[..., Any], slots: Sequence[Slot], structure: tree.Tree) -> None:
        def body(*values: Any) -> list[Any]:
            outputs, self.output_tree = tree.flatten(function(*tree.unflatten(structure, values)))
            for out in outputs:
                check_result(out, "linear_transpose")
            return [out if isinstance(out, Traced) else np.asarray(out) for out in outputs]

        program = trace(body, slots)
        _check_linear(program)
        self.input_tree = structure
        self.output_slots = [concrete_slot(slot) for slot in program.output_slots]
        reverse = reverse_program(program)
        count = len(slots)
        if any(a < count for step in reverse.steps for a in step.args):
            _not_linear("its derivative depends on the argument")
        self.program = Program(
            reverse.inputs[count:],
            reverse.captures,
            [Step(s.primitive, tuple(a - count for a in s.args), s.params, s.slot) for s in reverse.steps],
            [number - count for number in reverse.outputs],
        )

    def __call__(self, *cotangents: Any) -> Any:
        """Return one cotangent per argument."""
        cotangent = cotangents[0] if len(cotangents) == 1 else cotangents
        leaves, structure = tree.flatten(cotangent)
        if structure != self.output_tree:
            raise StructureError("linear_transpose: the cotangent does not have the structure of the function's result")
        seeds = [
            check_seed(value, slot, f"linear_transpose: cotangent {i}", "output")
            for i, (value, slot) in enumerate(zip(leaves, self.output_slots, strict=True))
        ]
        return tuple(tree.unflatten(self.input_tree, list(self.program(*seeds))))


def _not_linear(why: str) -> None:
    raise ArgumentError(
        "linear_transpose: the function is not linear",
        why=why,
        hint="wengert.linearize(f, x)[1].transpose is the transpose of the derivative of any function",
    )


def _check_linear(program: Any) -> None:
    zeros = [np.zeros(slot.shape, np.dtype(slot.dtype)) for slot in program.inputs]
    if any(isinstance(value, Traced) and value._data is None for value in program.captures):
        return  # inside an enclosing trace nothing has a value
    for out in program(*zeros):
        if not isinstance(out, Traced) and np.any(np.asarray(out) != 0):
            _not_linear("it is not zero at zero")
    depends_on_input = [True] * len(program.inputs) + [False] * len(program.captures)
    for step in program.steps:
        here = any(depends_on_input[a] for a in step.args)
        depends_on_input.append(here)
        partials = step.primitive.partials
        dead = step.primitive.vjp is None or (partials and all(partial is None for partial in partials))
        if here and dead and step.primitive.name != "stop_gradient" and step.slot.dtype.kind != "c":
            _not_linear(f"it applies {step.primitive.name}")


def linear_transpose(function: Callable[..., Any], *primals: Any) -> Transposed:
    """Return the transpose of a linear function.

    f: x -> y, linear   returns: cotangent of y -> (cotangent of x, ...)

    Parameters
    ----------
    function : callable
        A linear function. It runs once, on abstract tensors.
    *primals : array_like or structure of these
        Only their shapes and dtypes matter.

    Raises
    ------
    ArgumentError
        If the function is not linear: not zero at zero, or with a derivative that depends on the argument.
    AbstractValue
        If the function branches on a value.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> A = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> wg.linear_transpose(lambda x: A @ x, np.zeros(2))(np.array([1.0, 1.0]))
    (array([4., 6.]),)
    """
    if not primals:
        raise ArgumentError("linear_transpose: there is no argument", hint="wengert.linear_transpose(f, x, ...)")
    leaves, structure = tree.flatten(list(primals))
    values = [differentiable(value, f"linear_transpose: argument {i}") for i, value in enumerate(leaves)]
    return Transposed(function, [concrete_slot(Slot.of(value)) for value in values], structure)


# ---------------------------------------------------------------- second-order products


class GradientOf:
    """The gradient by all arguments, with the function's value as auxiliary data."""

    def __init__(self, function: Callable[..., Any], count: int, has_aux: bool, name: str) -> None:
        self.inner = ValueAndGrad(function, tuple(range(count)), has_aux)
        self.inner.name = name

    def __call__(self, *primals: Any) -> Any:
        """Return gradient and value."""
        value, gradient = self.inner(*primals)
        return gradient, value


class SecondOrder:
    """The product of a function's Hessian with a direction: `hvp` and `vhp`."""

    def __init__(self, name: str, function: Callable[..., Any], what: str, forward: bool, count: int) -> None:
        self.name = name
        self.function = function
        self.what = what
        self.forward = forward
        self.count = count
        self.key = (SecondOrder, name, count)  # what tells this product from other ones of the same function

    def around(self, function: Callable[..., Any]) -> SecondOrder:
        """Return the same product for another function."""
        return SecondOrder(self.name, function, self.what, self.forward, self.count)

    def evaluate(self, *args: Any) -> tuple[Any, tuple[Any, ...]]:
        """Return value and product, by recording the function; the primals come first, then the directions."""
        return self.products(args[: self.count], args[self.count :], has_aux=False)

    def products(self, primals: Any, directions: Any, has_aux: bool) -> tuple[Any, tuple[Any, ...]]:
        """Return the function's value (and aux), and the product with directions, one entry per primal."""
        name, what, forward = self.name, self.what, self.forward
        if not any(isinstance(leaf, Traced) for leaf in tree.flatten([list(primals), list(directions)])[0]):
            once = Recorded(self.function, tuple(primals), {}, range(len(primals)), has_aux, name)
            if once.wrapper is None:
                found = _product_of_plain(name, once, primals, directions, what, forward)
                if found is not None:
                    value = once.value()
                    product = tuple(tree.unflatten(once.input_tree, found))
                    return ((value, once.aux) if has_aux else value), product
        gradient = GradientOf(self.function, len(primals), has_aux, name)
        recorded = Recorded(gradient, tuple(primals), {}, range(len(primals)), True, name)
        seeds = direction_leaves(name, directions, recorded, what[:-1])
        plain = _is_plain(recorded, seeds)
        found = recorded.push_forward(seeds) if forward else recorded.pull_back(seeds)
        leaves = [recorded.finish(t) if plain else t for t in found]
        return recorded.aux, tuple(tree.unflatten(recorded.output_tree if forward else recorded.input_tree, leaves))


def _second_order(
    name: str, function: Callable[..., Any], primals: Any, directions: Any, has_aux: bool, what: str, forward: bool
) -> tuple[Any, tuple[Any, ...]]:
    """Return the function's value (and aux), and the product of its Hessian with directions, one entry per primal."""
    check_directions(name, primals, directions, what)
    product = SecondOrder(name, function, what, forward, len(primals))
    if has_aux:
        return product.products(primals, directions, has_aux)
    return unrecorded.call(product, (*primals, *directions))


def _product_of_plain(
    name: str, once: Recorded, primals: Any, directions: Any, what: str, forward: bool
) -> list[Any] | None:
    """Return the product from what was recorded, or None where the record does not tell."""
    out = scalar_output(once, name)
    seeds = direction_leaves(name, directions, once, what[:-1])
    if not once.connected(out):
        return [np.zeros(line.shape, line.dtype) for line in once.inputs]
    try:
        replay = Replay(once.lines, once.inputs, [out._line])
    except LookupError:  # something else is tracked as well: the function has to run again
        return None
    arrays = [differentiable(leaf, name) for leaf in tree.flatten(list(primals))[0]]
    if forward or not any(x.dtype.kind == "c" for x in arrays):  # a real Hessian is symmetric
        kept = hessian_product(replay, arrays, seeds)
        if kept is not None:
            return kept
    gradient = GradientOf(_Again(replay), len(arrays), False, name)
    recorded = Recorded(gradient, arrays, {}, range(len(arrays)), True, name)
    found = recorded.push_forward(seeds) if forward else recorded.pull_back(seeds)
    return [recorded.finish(t) for t in found]


class _Again:
    """What a function did when it ran, as a function of its flat arguments."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay

    def __call__(self, *inputs: Any) -> Any:
        return self.replay(inputs, self.replay.values)[0]


def hvp(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False) -> Any:
    """Return the function's value and the product of its Hessian with a direction.

    f: x -> ()   primals: (x, ...)   tangents: (x, ...)   returns: (value, (product, ...))

    The product has one entry per primal. With `has_aux` the value is `(value, aux)`.

    Raises
    ------
    ShapeError, StructureError, DtypeError
        If the function does not return one real number, or a tangent does not fit its primal.

    Notes
    -----
    Cost: a small multiple of one evaluation, whatever the number of inputs; the Hessian is never formed
    (Pearlmutter, "Fast exact multiplication by the Hessian", 1994). Forward mode over reverse mode.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> value, (product,) = wg.hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    >>> float(value), product
    (9.0, array([ 6., 12.]))
    """
    return _second_order("hvp", function, primals, tangents, has_aux, "tangents", forward=True)


def vhp(
    function: Callable[..., Any], primals: Sequence[Any], cotangents: Sequence[Any], *, has_aux: bool = False
) -> Any:
    """Return the function's value and the product of a direction with its Hessian.

    f: x -> ()   primals: (x, ...)   cotangents: (x, ...)   returns: (value, (product, ...))

    Equal to `hvp`, because a Hessian is symmetric; reverse mode over reverse mode. Parameters, errors and cost are
    those of `hvp`.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> value, (product,) = wg.vhp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    >>> product
    array([ 6., 12.])
    """
    return _second_order("vhp", function, primals, cotangents, has_aux, "cotangents", forward=False)


def gauss_newton_product(
    function: Callable[..., Any],
    primals: Sequence[Any],
    tangents: Sequence[Any],
    *,
    loss: Callable[..., Any] | None = None,
    has_aux: bool = False,
) -> Any:
    """Return the function's value and the product of its Gauss-Newton matrix with a direction.

    f: x -> y   primals: (x, ...)   tangents: (x, ...)   returns: (y, (product, ...))

    The matrix is `J.T @ J`, or `J.T @ H @ J` with the Hessian `H` of `loss` at the function's value: the part of the
    Hessian of `loss(f(x))` that is positive semidefinite for a convex loss.

    Parameters
    ----------
    function : callable
        The residuals or predictions. It runs once.
    primals, tangents : tuple or list
    loss : callable, optional
        From the function's result to one real number. Half the sum of squares if not given.
    has_aux : bool
        If true the function returns `(y, aux)`, and so is the first part of the result.

    Raises
    ------
    ShapeError, StructureError, DtypeError
        If a tangent does not fit its primal, or the loss is not one real number.

    Notes
    -----
    Cost: one evaluation, one directional derivative and one pullback; the matrix is never formed (Schraudolph,
    "Fast curvature matrix-vector products", 2002).

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> A = np.array([[1.0, 2.0], [0.0, 1.0], [1.0, 0.0]])
    >>> wg.gauss_newton_product(lambda x: A @ x, (np.zeros(2),), (np.array([1.0, 0.0]),))[1]
    (array([2., 2.]),)
    """
    name = "gauss_newton_product"
    check_directions(name, primals, tangents)
    recorded = Recorded(function, tuple(primals), {}, range(len(primals)), has_aux, name)
    for out in recorded.outputs:
        if np.result_type(out.dtype if isinstance(out, Traced) else out).kind not in "fc":  # type: ignore[attr-defined]
            raise DtypeError(f"{name}: the function returned integers, which have no derivative")
    seeds = direction_leaves(name, tangents, recorded)
    plain = _is_plain(recorded, seeds)
    pushed = recorded.push_forward(seeds)
    if loss is not None:
        value = recorded.value()
        _, (curved,) = hvp(loss, (value,), (tree.unflatten(recorded.output_tree, pushed),))
        pushed = tree.flatten(curved)[0]
    pulled = recorded.pull_back(pushed)
    product = tuple(tree.unflatten(recorded.input_tree, [recorded.finish(t) if plain else t for t in pulled]))
    value = recorded.value()
    return ((value, recorded.aux) if has_aux else value), product
