"""Sparse derivatives for `jit`: one Program that writes the values of a matrix in CSR form."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..primitives.assembling import assemble
from ..program import Program, Slot, Step
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
    from ..sparse.decide import Options
    from ..sparse.jacobians import Structure, blocks_of, record, sparse_matrix
    from ..sparse.plans import inputs_of, plans

    args, kwargs = rebuild(list(leaves))
    plan = _plan_of(function)
    if plan is not None:
        options, inner, argnums, name = plan.options, plan.function, plan.argnums, plan.name
        if plan.has_aux or inner is None:
            raise CannotCompile("a plan with auxiliary results, or without its function")
    else:
        if function.has_aux:
            raise CannotCompile("a sparse derivative with auxiliary results")
        kind = "hessian" if "hessian" in function.name else "jacobian"
        mode = getattr(function, "mode", "auto")
        options = Options(kind, mode, "best", getattr(function, "max_bytes", None) or Options.max_bytes)
        inner, argnums, name = function.function, function.argnums, function.name
    run = record(inner, args, kwargs, argnums, False, name, options.kind)
    if len(run.inputs) != len(leaves) or any(a is not b for a, b in zip(run.inputs, leaves, strict=True)):
        raise CannotCompile("a sparse derivative by some of the arguments only")
    recipe, data = plans.evaluate(run, options)
    if recipe.local:
        raise CannotCompile("the pattern of a sparse derivative depends on values")
    program = values_program(recipe)
    if program is None:
        raise CannotCompile(f"a sparse derivative by {recipe.method}")
    captured = list(inputs_of(recipe, run))[len(run.inputs) :]
    path = Path()
    path.program = _with_captures(program, len(run.inputs), captured)
    path.outputs = [Output(0, "array", None)]
    path.output_tree = Tree(LEAF)
    path.guards, path.guard_dtypes = [], []
    path.variables, path.tensors = [], []
    path.reads_numbers = set()
    values_only = isinstance(function, types.MethodType)
    if values_only:
        path.value = data
        return path
    structure = Structure.of(run)
    as_matrix = getattr(function, "as_matrix", False)

    def finish(values: np.ndarray) -> Any:
        matrix = like(model, values)
        return matrix if as_matrix else blocks_of(matrix, structure, options.kind, False)

    model = sparse_matrix(recipe, data)
    path.finish = finish
    path.value = finish(data)
    return path


def like(model: Any, data: np.ndarray) -> Any:
    """Return a sparse array of the same pattern with other values; SciPy's own constructor takes many times as long."""
    fresh = object.__new__(type(model))
    fresh.__dict__.update(model.__dict__)
    fresh.data, fresh.indices, fresh.indptr = data, model.indices.copy(), model.indptr.copy()
    return fresh


def values_program(recipe: Any) -> Program | None:
    """Return the Program of a recipe's inputs that computes all entries in CSR order, or None if there is none."""
    evaluator = recipe.evaluator
    program = getattr(evaluator, "careful", None)
    if program is None or evaluator.guards or recipe.guard_program is not None:
        return None
    assembly = evaluator.assembly
    values: list[int] = []
    arrays: list[np.ndarray] = []
    stores = []

    def part(chosen: Any) -> Any:
        if chosen is None:
            return None
        if isinstance(chosen, slice):
            return (chosen.start, chosen.stop, chosen.step)
        fixed = np.array(chosen, dtype=np.int64)
        fixed.flags.writeable = False  # a constant: compiled code need not check it again
        arrays.append(fixed)
        return len(arrays) - 1

    for store in assembly.stores:
        number = program.outputs[store.output]
        if number not in values:
            values.append(number)
        stores.append((values.index(number), store.shape, part(store.select), part(store.places), store.how))
    template = assembly.template.copy()
    template.flags.writeable = False
    added = [template, *arrays]
    first = len(program.inputs) + len(program.captures)
    shift = len(added)

    def moved(i: int) -> int:
        return i if i < first else i + shift

    steps = [Step(s.primitive, tuple(map(moved, s.args)), s.params, s.slot) for s in program.steps]
    params = (("count", len(values)), ("stores", tuple(stores)))
    args = (first, *map(moved, values), *range(first + 1, first + shift))
    steps.append(Step(assemble, args, params, Slot(template.shape, template.dtype)))
    return Program(program.inputs, (*program.captures, *added), steps, [first + shift + len(program.steps)])


def _with_captures(program: Program, inputs: int, captured: Sequence[Any]) -> Program:
    """Return the Program with its inputs from number `inputs` on as captures."""
    return Program(program.inputs[:inputs], (*captured, *program.captures), program.steps, program.outputs)
