"""Sparse Jacobians and Hessians of functions: record once, find or make the recipe, fill in the values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .. import tree
from ..errors import DtypeError, ShapeError, StructureError
from .decide import Options, Recipe
from .plans import inputs_of, plans
from .record import Run


class Structure(NamedTuple):
    """Shapes and nesting of a function's differentiated arguments and results; `single`: argnums is one number."""

    inputs: list[tuple[int, ...]]
    outputs: list[tuple[int, ...]]
    input_tree: tree.Tree
    output_tree: tree.Tree
    single: bool

    @classmethod
    def of(cls, run: Run) -> Structure:
        """Return the structure of a recorded run."""
        return cls(
            [x.shape for x in run.inputs], [x.shape for x in run.outputs], run.input_tree, run.output_tree, run.single
        )


def record(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    argnums: int | tuple[int, ...],
    has_aux: bool,
    name: str,
    kind: str = "jacobian",
) -> Run:
    """Run a function once and check that its result has the derivative that is wanted.

    Raises
    ------
    DtypeError
        If it returns integers or booleans.
    ShapeError, StructureError
        If a Hessian is wanted of anything but one real number.
    """
    run = Run(function, args, kwargs, argnums, has_aux, name)
    if not run.outputs:
        raise StructureError(
            f"{name}: the function returned nothing to differentiate", hint="return an array, or a structure of arrays"
        )
    for out in run.outputs:
        if out.dtype.kind not in "fc":
            raise DtypeError(
                f"{name}: the function returned {out.dtype}, which has no derivative",
                why="zeros would look like an answer",
                hint="return floating numbers, or the rest as auxiliary data with has_aux=True",
            )
    if kind == "hessian":
        if not run.output_tree.is_leaf or run.outputs[0].shape != ():
            shapes = [out.shape for out in run.outputs]
            raise ShapeError(
                f"{name}: the function returned shapes {shapes}, but a sparse Hessian is that of one number",
                hint="np.sum(...) of the result, or leave out sparse=",
            )
        if run.outputs[0].dtype.kind == "c" or any(x.dtype.kind == "c" for x in run.inputs):
            raise DtypeError(f"{name}: a sparse Hessian is that of a real function of real numbers")
    return run


def sparse_matrix(recipe: Recipe, data: np.ndarray) -> Any:
    """Return the derivative as one CSR array, all outputs by all inputs.

    The index arrays are copies: SciPy's in-place methods may change them.
    """
    if data.dtype == np.float16:
        data = data.astype(np.float32)  # the smallest floating numbers that SciPy's methods take
    model = recipe.model
    result = object.__new__(type(model))  # SciPy's constructor checks again what is known
    result.__dict__.update(model.__dict__)
    result.data, result.indices, result.indptr = data, recipe.indices.copy(), recipe.indptr.copy()
    return result


def dense_matrix(recipe: Recipe, data: np.ndarray) -> np.ndarray:
    """Return the derivative as one array, all outputs by all inputs."""
    if recipe.nnz == prod(recipe.shape):
        return data.reshape(recipe.shape)
    result = np.zeros(prod(recipe.shape), data.dtype)
    result[recipe.places] = data
    return result.reshape(recipe.shape)


def pays_off(recipe: Recipe) -> bool:
    """Whether a sparse result is worth it: large, and mostly zeros."""
    return prod(recipe.shape) > 10_000 and recipe.nnz < 0.1 * prod(recipe.shape)


def blocks_of(matrix: Any, structure: Structure, kind: str, dense: bool) -> Any:
    """Cut the matrix into the blocks of the function's own structure: J[out][in] for structures and argnums tuples."""
    inputs = structure.inputs
    outputs = inputs if kind == "hessian" else structure.outputs
    rows = np.cumsum([0, *map(prod, outputs)])
    columns = np.cumsum([0, *map(prod, inputs)])
    whole = len(outputs) == 1 and len(inputs) == 1

    def as_inputs(parts: list[Any]) -> Any:
        made = tree.unflatten(structure.input_tree, parts)
        return made[0] if structure.single else tuple(made)

    def block(i: int, j: int) -> Any:
        part = matrix if whole else matrix[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
        return part.reshape(outputs[i] + inputs[j]) if dense else part

    all_rows = [as_inputs([block(i, j) for j in range(len(inputs))]) for i in range(len(outputs))]
    return as_inputs(all_rows) if kind == "hessian" else tree.unflatten(structure.output_tree, all_rows)


def gradient_of(recipe: Recipe, run: Run) -> Any:
    """Return the gradient at the run's point, in the structure of the differentiated arguments."""
    assert recipe.gradient is not None
    leaves = recipe.gradient(*inputs_of(recipe, run))
    parts = tree.unflatten(run.input_tree, [np.array(leaf) for leaf in leaves])
    return parts[0] if run.single else tuple(parts)


def sparse_derivative(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any],
    *,
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    sparse: bool | str = True,
    mode: str = "auto",
    max_bytes: int | None = None,
    as_matrix: bool = False,
    kind: str = "jacobian",
    name: str = "jacobian",
    with_value: bool = False,
) -> Any:
    """Return a sparse Jacobian or Hessian; what `jacobian(f, sparse=...)(x)` calls."""
    options = Options(kind, mode, "best", max_bytes or Options.max_bytes)
    options.check(name)
    run = record(function, args, kwargs, argnums, has_aux, name, kind)
    recipe, data = plans.evaluate(run, options)
    dense = sparse == "auto" and not pays_off(recipe)
    matrix = dense_matrix(recipe, data) if dense else sparse_matrix(recipe, data)
    result = matrix if as_matrix else blocks_of(matrix, Structure.of(run), kind, dense)
    if with_value:
        value = (run.value, run.aux) if has_aux else run.value
        return (value, gradient_of(recipe, run), result) if kind == "hessian" else (value, result)
    return (result, run.aux) if has_aux else result
