"""Value and derivatives of one function at the last point, each worked out once: what solvers are given.

The function runs once for each distinct point. The first run is recorded and planned. If Python did not branch on
values, later points run the function itself for the value and only the plan's Programs for derivatives; if it did,
every run is recorded, and value, gradient, Jacobian and Hessian come from that one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import TraceLost
from ..program import Program
from ..transforms.derive import forward_program, reverse_program
from ..transforms.simplify import simplify
from .decide import Options, Recipe
from .jacobians import dense_matrix, pays_off, record, sparse_matrix
from .plans import fits, inputs_of, plans
from .record import Run


class PointMemo:
    """A function of one array, and its derivatives, at the last point.

    Parameters
    ----------
    function : callable
        Of the array first, then of `args`.
    args : tuple
        Further arguments, fixed.
    name : str
        For messages.
    """

    def __init__(self, function: Callable[..., Any], args: Sequence[Any] = (), name: str = "function") -> None:
        self.function = function
        self.args = tuple(args)
        self.name = name
        self.calls = 0
        self._point: np.ndarray | None = None
        self._found: dict[str, Any] = {}
        self._run: Run | None = None
        self._recipes: dict[str, tuple[Recipe, Any, list[Any]]] = {}
        self._programs: dict[tuple[str, int], Program] = {}

    # ------------------------------------------------------------ points

    def _at(self, x: Any) -> np.ndarray:
        x = np.asarray(x)
        if x.dtype.kind not in "fc":
            x = x.astype(float)
        if self._point is None or x.shape != self._point.shape or not np.array_equal(x, self._point):
            self._point = np.array(x)
            self._found = {}
            self._run = None
        return self._point

    def _record(self, x: np.ndarray, kind: str) -> Run:
        """Return the recorded run at this point; a run for one kind serves all."""
        if self._run is None:
            self.calls += 1
            self._run = record(self.function, (x, *self.args), {}, 0, False, self.name, kind)
            self._found["value"] = self._run.value
        return self._run

    def value(self, x: Any) -> Any:
        """Return the function's value."""
        x = self._at(x)
        if "value" not in self._found:
            if not self._recipes or any(recipe.branches for recipe, *_ in self._recipes.values()):
                self._record(x, "jacobian")
            else:
                self.calls += 1
                self._found["value"] = self.function(x, *self.args)
        return self._found["value"]

    # ------------------------------------------------------------ derivatives

    def _evaluate(self, x: np.ndarray, kind: str) -> tuple[Recipe, np.ndarray, Sequence[Any]]:
        """Return the recipe, the entries in CSR order, and what the recipe's Programs are evaluated on."""
        found = self._found.get(kind)
        if found is not None:
            return found
        known = self._recipes.get(kind)
        result = None
        if known is not None and self._run is None and not known[0].branches:
            recipe, _, captures = known
            inputs = [x, *captures]
            data = recipe.values(inputs)
            if data is not None:
                result = (recipe, data, inputs)
        if result is None:
            run = self._record(x, kind)
            recipe, data = plans.evaluate(run, Options(kind))
            assert fits(recipe, run)
            self._recipes[kind] = (recipe, run.key, [run.captures[i] for i in recipe.dynamic])
            result = (recipe, data, inputs_of(recipe, run))
        self._found[kind] = result
        return result

    def recipe(self, x: Any, kind: str = "jacobian") -> Recipe:
        """Return the recipe at this point."""
        return self._evaluate(self._at(x), kind)[0]

    def matrix(self, x: Any, kind: str = "jacobian", form: str = "auto") -> Any:
        """Return the Jacobian or Hessian: "dense", "sparse" (CSR), or "auto": whichever is worth it."""
        recipe, data, _ = self._evaluate(self._at(x), kind)
        if form == "dense" or (form == "auto" and not pays_off(recipe)):
            return dense_matrix(recipe, data)
        return sparse_matrix(recipe, data)

    def gradient(self, x: Any) -> np.ndarray:
        """Return the gradient of a scalar function."""
        x = self._at(x)
        if "gradient" not in self._found:
            program, inputs = self._program(x, "gradient")
            self._found["gradient"] = np.array(program(*inputs)[0])
        return self._found["gradient"]

    def product(self, x: Any, vector: Any, kind: str) -> np.ndarray:
        """Return a product without the matrix: "push" J v, "pull" J' v, "hessian" H v."""
        x = self._at(x)
        program, inputs = self._program(x, kind)
        seed = np.asarray(vector)
        slot = program.inputs[-1]
        return np.ravel(program(*inputs, seed.reshape(slot.shape).astype(slot.dtype))[0])

    def _program(self, x: np.ndarray, kind: str) -> tuple[Program, Sequence[Any]]:
        """Return one of the product Programs and its inputs, without a seed."""
        base = "hessian" if kind in ("gradient", "hessian") else "jacobian"
        plain = self._plain(x, base)
        key = (kind, id(plain[0]))
        program = self._programs.get(key)
        if program is None:
            closed = plain[0]
            if kind == "gradient":
                program = closed
            elif kind in ("push", "hessian"):
                program = simplify(forward_program(closed, [0]))
            else:
                program = simplify(reverse_program(closed, [0]))
            self._programs[key] = program
        return program, plain[1]

    def _plain(self, x: np.ndarray, kind: str) -> tuple[Program, Sequence[Any]]:
        """Return the Program that products differentiate (of the function, or of its gradient) and its inputs."""
        known = self._found.get("plain " + kind)
        if known is None:
            kept = self._recipes.get("plain " + kind)
            if kept is not None and self._run is None and not kept[0].branches:
                known = (kept[0].program, [x, *kept[2]])
            else:
                run = self._record(x, kind)
                if kept is None or kept[1] != run.key or not kept[0].fits(run):
                    plain: Any = Plain(run, kind)
                    kept = self._recipes["plain " + kind] = (plain, run.key, plain.captures(run))
                known = (kept[0].program, [x, *kept[0].captures(run)])
            self._found["plain " + kind] = known
        return known


class Plain:
    """The Program of a function, or of its gradient, of the differentiated array and of captured arrays."""

    def __init__(self, run: Run, kind: str) -> None:
        from .decide import gradient_program
        from .plans import is_structural

        self.branches = run.reads > 0
        self.fixed = {
            i: value for i, value in enumerate(run.captures) if i >= run.forced and is_structural(value)
        }
        self.dynamic = [i for i in range(len(run.captures)) if i not in self.fixed]
        program = simplify(run.program(self.dynamic))
        self.program = gradient_program(program, len(run.inputs)) if kind == "hessian" else program

    def captures(self, run: Run) -> list[Any]:
        """Return the captured values that the Program takes."""
        return [run.captures[i] for i in self.dynamic]

    def fits(self, run: Run) -> bool:
        """Whether the fixed captured values are the same."""
        return all(np.array_equal(value, run.captures[i]) for i, value in self.fixed.items())


__all__ = ["Plain", "PointMemo", "TraceLost"]
