"""Implicit differentiation: the derivative of a solution from the equation it solves, not from the solver's steps.

For F(x, p) = 0: F_x dx + F_p dp = 0 (Griewank and Walther, Evaluating Derivatives, 2008, section 15.3). The rule is
written with x as a value that may itself be tracked, so every order follows. What the equation reads from outside is
found by tracing it once and becomes an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from .. import tree
from ..errors import AbstractValue, ArgumentError, Degenerate, NoConvergence, ShapeError, StructureError
from ..primitives.base import shape_of
from ..primitives.indexing import concatenate, index, reshape
from ..program import Program, Slot
from ..recording import Traced
from ..transforms.derive import is_inexact
from .control import as_leaf, trace_body
from .custom import CustomRule
from .dense import Jacobian
from .gradient import jvp, vjp


def as_vector(leaves: Sequence[Any]) -> Any:
    """Return all numbers of some arrays in one vector."""
    flat = [reshape(leaf, shape=(prod(shape_of(leaf)),)) for leaf in leaves]
    return flat[0] if len(flat) == 1 else concatenate(*flat, axis=0)


def from_vector(vector: Any, shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """Return the arrays that `as_vector` joined."""
    parts, start = [], 0
    for shape in shapes:
        stop = start + prod(shape)
        parts.append(reshape(index(vector, spec=((start, stop, None),)), shape=shape))
        start = stop
    return parts


def plain_leaves(value: Any, name: str) -> tuple[list[Any], tree.Tree]:
    """Return a starting point as floating leaves; it has no derivative of its own."""
    leaves, structure = tree.flatten(value)
    found = []
    for leaf in leaves:
        leaf = as_leaf(leaf, name)
        found.append(leaf if leaf.dtype.kind in "fc" else leaf.astype(np.float64))
    return found, structure


class Equation:
    """A function of unknowns and parameters as flat lists; what it read from outside is among the parameters."""

    def __init__(self, function: Callable[..., Any], slots: Sequence[Slot], structure: tree.Tree, name: str) -> None:
        self.count = len(slots)
        self.outputs = tree.flatten(0)[1]  # what the function returns; known for sure once it has run
        try:
            program, self.outputs = trace_body(function, structure, slots, name)
        except AbstractValue:
            # It branches on values: it runs as it stands, and can only depend on its arguments.
            self.function, self.structure = function, structure
            self.captured: list[Any] = []
            self.program: Program | None = None
        else:
            self.program, self.captured = program.closed()

    def __call__(self, *values: Any) -> list[Any]:
        """Return the residuals."""
        if self.program is not None:
            return list(self.program(*values))
        leaves, self.outputs = tree.flatten(self.function(*tree.unflatten(self.structure, values)))
        return [leaf if isinstance(leaf, Traced) else np.asarray(leaf) for leaf in leaves]


class _At:
    """An equation with some of its values fixed."""

    def __init__(self, equation: Callable[..., list[Any]], before: Sequence[Any], after: Sequence[Any]) -> None:
        self.equation = equation
        self.before = tuple(before)
        self.after = tuple(after)

    def __call__(self, *values: Any) -> Any:
        return as_vector(self.equation(*self.before, *values, *self.after))


class _Vector:
    """An equation as a function from the vector of unknowns to the vector of residuals."""

    def __init__(self, equation: Callable[..., list[Any]], shapes: Sequence[Any], params: Sequence[Any]) -> None:
        self.equation = equation
        self.shapes = shapes
        self.params = tuple(params)

    def __call__(self, x: Any) -> Any:
        return as_vector(self.equation(*from_vector(x, self.shapes), *self.params))


class Root(CustomRule):
    """The solution of an equation as a rule: its arguments are the starting point and the parameters."""

    needs_values = True

    def __init__(
        self,
        equation: Callable[..., list[Any]],
        unknowns: int,
        solve: Callable[..., list[Any]],
        name: str,
        tangent_solve: Callable[..., Any] | None = None,
        free: Callable[..., Any] | None = None,
    ) -> None:
        self.equation = equation
        self.unknowns = unknowns
        self.tangent_solve = tangent_solve
        self.free = free
        # Without a linear solver of the user's the matrix is formed, and its transpose is as good.
        super().__init__(solve, jvp=self._push, vjp=None if tangent_solve else self._pull, like=self._like)
        self.__name__ = name

    def __reduce__(self) -> Any:
        return (Root, (self.equation, self.unknowns, self.function, self.__name__, self.tangent_solve, self.free))

    def _like(self, *args: Any) -> list[Any]:
        return list(args[: self.unknowns])

    def _matrix(self, x: Sequence[Any], params: Sequence[Any]) -> Any:
        """Return the Jacobian by the unknowns; rows and columns of those that are held fixed are those of the unit."""
        shapes = [shape_of(leaf) for leaf in x]
        matrix = Jacobian(_Vector(self.equation, shapes, params))(as_vector(x))
        if shape_of(matrix)[0] != shape_of(matrix)[1]:
            raise ShapeError(
                f"{self.__name__}: {shape_of(matrix)[1]} unknowns but {shape_of(matrix)[0]} equations",
                why="the solution is differentiated by solving the linearised equations",
            )
        free = self._free(x, params)
        if free is None:
            return matrix
        return np.where(free[:, None] & free[None, :], matrix, np.eye(len(free)))

    def _free(self, x: Sequence[Any], params: Sequence[Any]) -> Any:
        return None if self.free is None else self.free(x, params)

    def _push(self, tangents: Sequence[Any], out: Any, *args: Any) -> list[Any]:
        x, params = list(out), args[self.unknowns :]
        shapes = [shape_of(leaf) for leaf in x]
        moving = [i for i, t in enumerate(tangents[self.unknowns :]) if t is not None]
        if not moving:
            return [np.zeros(shape) for shape in shapes]
        chosen = [params[i] for i in moving]
        _, residual = jvp(
            _Some(self.equation, x, params, moving), chosen, [tangents[self.unknowns + i] for i in moving]
        )
        if self.tangent_solve is not None:
            structure = tree.flatten(list(x))[1]
            linear = _Linear(self.equation, x, params)
            parts = from_vector(residual, shapes)
            found = self.tangent_solve(linear, parts[0] if len(parts) == 1 else tree.unflatten(structure, parts))
            leaves = tree.flatten(found)[0]
            return [-leaf for leaf in leaves]
        residual = self._masked(residual, x, params)
        return from_vector(-_solve(self._matrix(x, params), residual, self.__name__), shapes)

    def _masked(self, vector: Any, x: Sequence[Any], params: Sequence[Any]) -> Any:
        free = self._free(x, params)
        return vector if free is None else np.where(free, vector, 0.0)

    def _pull(self, cotangent: Any, out: Any, *args: Any) -> tuple[Any, ...]:
        x, params = list(out), args[self.unknowns :]
        seed = self._masked(as_vector(list(cotangent)), x, params)
        matrix = self._matrix(x, params)
        adjoint = _solve(np.conjugate(np.swapaxes(matrix, 0, 1)), seed, self.__name__)
        moving = [i for i, p in enumerate(params) if is_inexact(Slot.of(p))]
        result: list[Any] = [None] * len(args)
        if moving:
            _, pullback = vjp(_Some(self.equation, x, params, moving), *(params[i] for i in moving))
            for i, value in zip(moving, pullback(-self._masked(adjoint, x, params)), strict=True):
                result[self.unknowns + i] = value
        return tuple(result)


class _Some:
    """An equation at fixed unknowns as a function of some of its parameters."""

    def __init__(
        self, equation: Callable[..., list[Any]], x: Sequence[Any], params: Any, moving: Sequence[int]
    ) -> None:
        self.equation = equation
        self.x = x
        self.params = params
        self.moving = moving

    def __call__(self, *values: Any) -> Any:
        filled = list(self.params)
        for i, value in zip(self.moving, values, strict=True):
            filled[i] = value
        return as_vector(self.equation(*self.x, *filled))


class _Linear:
    """The equation's derivative by the unknowns as a linear map."""

    def __init__(self, equation: Callable[..., list[Any]], x: Sequence[Any], params: Sequence[Any]) -> None:
        self.equation = equation
        self.x = x
        self.params = params

    def __call__(self, direction: Any) -> Any:
        leaves, structure = tree.flatten(direction)
        shapes = [shape_of(leaf) for leaf in self.x]
        _, pushed = jvp(_At(self.equation, (), self.params), tuple(self.x), tuple(leaves))
        return tree.unflatten(structure, from_vector(pushed, shapes))


def _solve(matrix: Any, vector: Any, name: str) -> Any:
    try:
        return np.linalg.solve(matrix, vector[:, None])[:, 0]
    except np.linalg.LinAlgError:
        raise Degenerate(
            f"{name}: the equation's Jacobian at the solution is singular",
            why="the solution does not depend smoothly on the parameters there",
            hint="check that the solution is isolated, or pass tangent_solve=",
        ) from None


# ---------------------------------------------------------------- public


def custom_root(
    function: Callable[..., Any],
    initial: Any,
    solve: Callable[..., Any],
    tangent_solve: Callable[..., Any] | None = None,
    *,
    has_aux: bool = False,
) -> Any:
    """Return the root that a solver finds, differentiable by everything the equation reads.

    f: x -> x.shape   solve: (f, x0) -> x   returns: x

    Parameters
    ----------
    function : callable
        The equation f(x) = 0. What it reads from outside (tensors that are being differentiated) counts as a
        parameter.
    initial : structure of arrays
        Starting point; the solution does not depend on it.
    solve : callable
        Any code; it gets the equation on plain arrays.
    tangent_solve : callable, optional
        `(linear, y) -> x` with linear(x) = y, linear in y and written with NumPy functions. If not given, the Jacobian
        is formed and factored.
    has_aux : bool
        If true the solver returns `(x, aux)`, and so does this; aux has no derivative, and is None where no solver has
        run yet: inside `vmap` and traced bodies.

    Raises
    ------
    StructureError
        If the solver does not return what it should.
    Degenerate
        If the Jacobian at the solution is singular.
    ShapeError
        If there are not as many equations as unknowns.

    Notes
    -----
    Cost of the derivative: one Jacobian of the equation and one linear solve, whatever the solver did. Forward and
    reverse mode, any order.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> from scipy.optimize import newton
    >>> root = lambda a: wg.custom_root(lambda x: x**2 - a, 1.0, newton)
    >>> round(float(wg.grad(root)(2.0)), 8), round(float(wg.grad(wg.grad(root))(2.0)), 8)
    (0.35355339, -0.08838835)
    """
    leaves, structure = plain_leaves(initial, "custom_root: the starting point")
    equation = Equation(function, [Slot.of(leaf) for leaf in leaves], tree.Tree(tuple, (), (structure,)), "custom_root")

    kept: list[Any] = [None]

    def run(*values: Any) -> list[Any]:
        start, params = values[: len(leaves)], values[len(leaves) :]

        def residual(x: Any) -> Any:
            return tree.unflatten(equation.outputs, equation(*tree.flatten(x)[0], *params))

        found = solve(residual, tree.unflatten(structure, start))
        if has_aux:
            if type(found) is not tuple or len(found) != 2:
                raise StructureError(
                    f"custom_root: with has_aux=True the solver returns a pair (x, aux), not {type(found).__name__}"
                )
            found, kept[0] = found
        return _solution(found, structure, leaves, "custom_root")

    rule = Root(equation, len(leaves), run, "custom_root", tangent_solve)
    root = tree.unflatten(structure, rule(*leaves, *equation.captured))
    return (root, kept[0]) if has_aux else root


def _solution(found: Any, structure: tree.Tree, like: Sequence[Any], name: str) -> list[Any]:
    leaves, got = tree.flatten(found)
    if got != structure:
        raise StructureError(f"{name}: the solver's result does not have the structure of the starting point")
    result = []
    for leaf, start in zip(leaves, like, strict=True):
        value = leaf if isinstance(leaf, Traced) else np.asarray(leaf, start.dtype)
        if shape_of(value) != shape_of(start):
            raise ShapeError(
                f"{name}: the solver returned shape {shape_of(value)} for a starting point of shape {shape_of(start)}"
            )
        result.append(value)
    return result


def fixed_point(
    function: Callable[..., Any],
    initial: Any,
    *,
    tolerance: float = 1e-12,
    max_steps: int = 1000,
    solve: Callable[..., Any] | None = None,
) -> Any:
    """Return x with x = f(x), differentiable by everything f reads.

    f: x -> x.shape   returns: x

    Parameters
    ----------
    function : callable
        A contraction near the solution, or any function if `solve` is given.
    initial : structure of arrays
        Starting point; the solution does not depend on it.
    tolerance : float
        The iteration stops when no number changes by more than this, relative to 1 + its size.
    max_steps : int
    solve : callable, optional
        `(f, x0) -> x` in place of plain iteration.

    Raises
    ------
    NoConvergence
        If the iteration does not settle.
    Degenerate
        If the derivative of x - f(x) is singular at the solution.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> dottie = lambda a: wg.fixed_point(lambda x: np.cos(a * x), 0.5)
    >>> round(float(dottie(1.0)), 8), round(float(wg.grad(dottie)(1.0)), 8)
    (0.73908513, -0.29747434)
    """
    inner = solve or _Iteration(tolerance, max_steps)
    leaves, structure = plain_leaves(initial, "fixed_point: the starting point")

    def residual(x: Any) -> Any:
        mapped, found = tree.flatten(function(x))
        if found != structure:
            raise StructureError("fixed_point: the function's result does not have the structure of its argument")
        return tree.unflatten(structure, [b - a for a, b in zip(tree.flatten(x)[0], mapped, strict=True)])

    def run(equation: Callable[..., Any], start: Any) -> Any:
        def step(x: Any) -> Any:
            moved = tree.flatten(equation(x))[0]
            return tree.unflatten(structure, [a + d for a, d in zip(tree.flatten(x)[0], moved, strict=True)])

        return inner(step, start)

    return custom_root(residual, tree.unflatten(structure, leaves), run)


class _Iteration:
    def __init__(self, tolerance: float, max_steps: int) -> None:
        self.tolerance = tolerance
        self.max_steps = max_steps

    def __call__(self, function: Callable[..., Any], x: Any) -> Any:
        change = np.inf
        for _ in range(self.max_steps):
            new = function(x)
            pairs = list(zip(tree.flatten(new)[0], tree.flatten(x)[0], strict=True))
            change = max((float(np.max(np.abs(a - b) / (1 + np.abs(a)), initial=0.0)) for a, b in pairs), default=0.0)
            x = new
            if change <= self.tolerance:
                return x
        raise NoConvergence(
            f"fixed_point: after {self.max_steps} steps the last change was {change:.2e}, above {self.tolerance:.2e}",
            hint="more max_steps, a better starting point, or solve= with another method",
        )


# ---------------------------------------------------------------- linear systems


class _LinearSolve(CustomRule):
    """The solution of a linear system given by a product with its matrix; arguments: right-hand side, parameters."""

    needs_values = True

    def __init__(
        self,
        matvec: Callable[..., list[Any]],
        count: int,
        solve: Callable[..., Any],
        transpose_solve: Callable[..., Any] | None,
        structure: tree.Tree,
    ) -> None:
        self.matvec = matvec
        self.count = count
        self.solve = solve
        self.transpose_solve = transpose_solve
        self.structure = structure
        super().__init__(self._run, jvp=self._push, vjp=self._pull, like=self._like)
        self.__name__ = "custom_linear_solve"

    def __reduce__(self) -> Any:
        return (_LinearSolve, (self.matvec, self.count, self.solve, self.transpose_solve, self.structure))

    def _like(self, *args: Any) -> list[Any]:
        return list(args[: self.count])

    def _run(self, *args: Any) -> list[Any]:
        b, params = args[: self.count], args[self.count :]

        def product(x: Any) -> Any:
            leaves = [as_leaf(leaf, f"{self.__name__}: the product's argument") for leaf in tree.flatten(x)[0]]
            return tree.unflatten(self.structure, self.matvec(*leaves, *params))

        found = self.solve(product, tree.unflatten(self.structure, b))
        return _solution(found, self.structure, b, self.__name__)

    def _push(self, tangents: Sequence[Any], out: Any, *args: Any) -> list[Any]:
        x, params = list(out), args[self.count :]
        right = list(tangents[: self.count])
        moving = [i for i, t in enumerate(tangents[self.count :]) if t is not None]
        if moving:
            equation = _Some(self.matvec, x, params, moving)
            _, changed = jvp(equation, [params[i] for i in moving], [tangents[self.count + i] for i in moving])
            parts = from_vector(changed, [shape_of(leaf) for leaf in x])
            right = [a - b for a, b in zip(right, parts, strict=True)]
        return list(self(*right, *params))

    def _pull(self, cotangent: Any, out: Any, *args: Any) -> tuple[Any, ...]:
        if self.transpose_solve is None:
            raise StructureError(
                "custom_linear_solve: reverse mode needs the solution of the transposed system",
                why="a solver for the system may not fit its transpose",
                hint="transpose_solve=..., or symmetric=True if the matrix is its own transpose",
            )
        x, params = list(out), args[self.count :]
        transposed = _TransposedProduct(self.matvec, self.count)
        swapped = _LinearSolve(transposed, self.count, self.transpose_solve, self.solve, self.structure)
        adjoint = swapped(*cotangent, *params)
        moving = [i for i, p in enumerate(params) if is_inexact(Slot.of(p))]
        result: list[Any] = [*adjoint, *(None,) * len(params)]
        if moving:
            _, pullback = vjp(_Some(self.matvec, x, params, moving), *(params[i] for i in moving))
            for i, value in zip(moving, pullback(-as_vector(list(adjoint))), strict=True):
                result[self.count + i] = value
        return tuple(result)


class _TransposedProduct:
    """The product with the transposed (complex: adjoint) matrix."""

    def __init__(self, matvec: Callable[..., list[Any]], count: int) -> None:
        self.matvec = matvec
        self.count = count

    def __call__(self, *values: Any) -> list[Any]:
        y, params = values[: self.count], values[self.count :]
        shapes = [shape_of(leaf) for leaf in y]
        zeros = [np.zeros(shape, leaf.dtype) for shape, leaf in zip(shapes, y, strict=True)]
        _, pullback = vjp(_At(self.matvec, (), params), *zeros)
        return list(pullback(as_vector(y)))


def custom_linear_solve(
    matvec: Callable[..., Any],
    b: Any,
    solve: Callable[..., Any],
    transpose_solve: Callable[..., Any] | None = None,
    *,
    symmetric: bool = False,
) -> Any:
    """Return x with matvec(x) = b, differentiable by b and everything the product reads.

    matvec: x -> b, linear   solve: (matvec, b) -> x   returns: x

    Parameters
    ----------
    matvec : callable
        The product with the matrix; the matrix is never formed. What it reads from outside counts as a parameter.
    b : structure of arrays
    solve : callable
        Any code, on plain arrays.
    transpose_solve : callable, optional
        The same for the transposed product, which it gets; needed in reverse mode.
    symmetric : bool
        If true, `solve` serves for the transpose as well.

    Raises
    ------
    StructureError
        In reverse mode if there is neither `transpose_solve` nor `symmetric`.

    Notes
    -----
    Cost of the derivative: one more solve. Forward and reverse mode, any order.

    Examples
    --------
    >>> import numpy as np
    >>> import wengert as wg
    >>> solve = lambda product, b: np.linalg.solve(wg.jacobian(product)(b), b)
    >>> def f(s):
    ...     return np.sum(wg.custom_linear_solve(lambda x: s * x, np.array([2.0, 4.0]), solve, symmetric=True))
    >>> float(wg.grad(f)(2.0)), float(wg.grad(wg.grad(f))(2.0))
    (-1.5, 1.5)
    """
    if not callable(matvec) or not callable(solve):
        raise StructureError("custom_linear_solve: matvec and solve are functions")
    leaves, structure = tree.flatten(b)
    leaves = [as_leaf(leaf, "custom_linear_solve: b") for leaf in leaves]
    leaves = [leaf if leaf.dtype.kind in "fc" else leaf.astype(np.float64) for leaf in leaves]
    slots = [Slot.of(leaf) for leaf in leaves]
    equation = Equation(matvec, slots, tree.Tree(tuple, (), (structure,)), "custom_linear_solve")
    if equation.program is None:
        raise ArgumentError("custom_linear_solve: the product branches on values, so it is not linear")
    if equation.outputs != structure:
        raise StructureError("custom_linear_solve: the product's result does not have the structure of b")
    rule = _LinearSolve(equation, len(leaves), solve, solve if symmetric else transpose_solve, structure)
    return tree.unflatten(structure, rule(*leaves, *equation.captured))
