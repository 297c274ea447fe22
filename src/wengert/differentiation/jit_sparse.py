"""Sparse derivatives for `jit`: one Program that writes the values of a matrix in CSR form."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..program import Program
from ..tree import LEAF, Tree
from .jit_record import CannotCompile, Output, Path


def is_sparse(function: Any) -> bool:
    """Whether a function is a plan, a plan's `values`, or a derivative that gives sparse matrices."""
    if getattr(function, "sparse", False) is True:
        return True
    return _plan_of(function) is not None


def _plan_of(function: Any) -> Any:
    module = sys.modules.get("wengert.sparse.plan")
    if module is None:
        return None
    if isinstance(function, module.Plan):
        return function
    if isinstance(function, types.MethodType) and isinstance(function.__self__, module.Plan):
        return function.__self__ if function.__name__ == "values" else None
    return None


def record_sparse(function: Any, rebuild: Callable[[list[Any]], tuple[Any, Any]], leaves: Sequence[Any]) -> Path:
    """Return the path of a sparse derivative at these arguments; see `jit_record.record`.

    Raises
    ------
    CannotCompile
        If the values are not those of one Program for all arguments of these shapes.
    """
    from ..sparse.jacobians import sparse_matrix

    args, kwargs = rebuild(list(leaves))
    plan = _plan_of(function)
    recipe, data, inputs, captured, shaped = (_derivative if plan is None else _planned)(plan or function, args, kwargs)
    if len(inputs) != len(leaves) or any(a is not b for a, b in zip(inputs, leaves, strict=True)):
        raise CannotCompile("a sparse derivative by some of the arguments only")
    if recipe.local:
        raise CannotCompile("the pattern of a sparse derivative depends on values")
    program = recipe.program()
    if program is None:
        raise CannotCompile(f"a sparse derivative by {recipe.method}")
    path = Path()
    path.program = _with_captures(program, len(inputs), captured)
    path.outputs = [Output(0, "array", None)]
    path.output_tree = Tree(LEAF)
    path.guards, path.guard_dtypes = [], []
    path.variables, path.tensors = [], []
    path.reads_numbers = set()
    if isinstance(function, types.MethodType):  # the values alone
        path.value = data
    else:
        path.finish = lambda values: shaped(sparse_matrix(recipe, values))
        path.value = path.finish(data)
    return path


Found = tuple[Any, np.ndarray, Sequence[Any], Sequence[Any], Callable[[Any], Any]]


def _planned(plan: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Found:
    """Return a plan's recipe, its entries, the arguments and what it captured, and how the matrix is given back."""
    if plan.has_aux:
        raise CannotCompile("a plan with auxiliary results")
    data, _ = plan._evaluate(args, kwargs)
    return plan.recipe, data, plan._leaves(args), plan.captures, plan._blocks


def _derivative(function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Found:
    """Return the same for what `jacobian` or `hessian` made."""
    from ..sparse.decide import Options
    from ..sparse.jacobians import Structure, blocks_of, record
    from ..sparse.plans import inputs_of, plans

    if function.has_aux:
        raise CannotCompile("a sparse derivative with auxiliary results")
    if function.name.startswith("value_"):
        raise CannotCompile("a value together with a sparse derivative")
    kind = "hessian" if "hessian" in function.name else "jacobian"
    options = Options(kind, function.mode, "best", function.max_bytes or Options.max_bytes)
    run = record(function.function, args, kwargs, function.argnums, False, function.name, kind)
    recipe, data = plans.evaluate(run, options)
    structure = Structure.of(run)

    def shaped(matrix: Any) -> Any:
        return matrix if function.as_matrix else blocks_of(matrix, structure, kind, False)

    return recipe, data, run.inputs, inputs_of(recipe, run)[len(run.inputs) :], shaped


def _with_captures(program: Program, inputs: int, captured: Sequence[Any]) -> Program:
    """Return the Program with its inputs from number `inputs` on as captures."""
    return Program(program.inputs[:inputs], (*captured, *program.captures), program.steps, program.outputs)
