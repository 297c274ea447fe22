"""Value and derivatives of one function at the last point, each worked out once: what solvers are given.

The function runs once for each distinct point. The first run is recorded and planned. If Python did not branch on
values, later points run the function itself for the value and only the plan's Programs for derivatives; if it did,
every run is recorded, and value, gradient, Jacobian and Hessian come from that one. What was found for a function
object serves the next solver too, after its Program gave the same value as the function at one point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from .. import tree
from ..execute.interpret import compile_numpy
from ..program import Program
from ..transforms.derive import forward_program, reverse_program
from ..transforms.simplify import simplify
from .decide import Options, Recipe, gradient_program
from .jacobians import dense_matrix, pays_off, record, sparse_matrix
from .plans import bake, fits, inputs_of, plans
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
        self._bytes = b""
        self._records = True
        self._found: dict[str, Any] = {}
        self._run: Run | None = None
        self._recipes: dict[str, tuple[Any, Any, list[Any]]] = {}
        self._shared = _kept_for(function)
        self._checked = True

    def __reduce__(self) -> Any:
        return (PointMemo, (self.function, self.args, self.name))

    # ------------------------------------------------------------ points

    @property
    def point(self) -> np.ndarray:
        """The last point."""
        assert self._point is not None
        return self._point

    def _at(self, x: Any) -> np.ndarray:
        """Move to a point: forget what was found at another one."""
        x = np.asarray(x)
        if x.dtype.kind not in "fc":
            x = x.astype(float)
        point = self._point
        content = x.tobytes() if x.size <= SMALL else b""
        if point is None or x.shape != point.shape or x.dtype != point.dtype:
            # What another solver found out about this function: private from here on, and not yet checked.
            self._recipes = dict(self._shared.get((x.shape, x.dtype), {}))
            self._checked = not self._recipes
            self._settle()
        elif content == self._bytes if content else np.array_equal(x, point):
            return point
        self._point = x.copy()
        self._bytes = content
        self._found = {}
        self._run = None
        return self._point

    def _settle(self) -> None:
        """Work out whether each run has to be recorded."""
        self._records = not self._recipes or any(recipe.branches for recipe, *_ in self._recipes.values())

    def _record(self, x: np.ndarray, kind: str) -> Run:
        """Return the recorded run at this point; a run for one kind serves all."""
        if self._run is None:
            self.calls += 1
            run = self._run = record(self.function, (x, *self.args), {}, 0, False, self.name, kind)
            self._found["value"] = run.value
            known = self._recipes.get("plain jacobian")
            if known is None or known[1] != run.key or not fits(known[0], run):
                if not self._checked:  # the function reads other things than when it was planned
                    self._recipes.clear()
                plain = Plain(run, "jacobian")
                self._keep("plain jacobian", plain, run.key, plain.captures(run))
            self._checked = True
        return self._run

    def _keep(self, kind: str, recipe: Any, key: Any, captures: list[Any]) -> tuple[Any, Any, list[Any]]:
        """Remember something about the function, for the next solver too."""
        assert self._point is not None
        self._recipes[kind] = (recipe, key, captures)
        self._settle()
        self._shared[self._point.shape, self._point.dtype] = dict(self._recipes)
        while len(self._shared) > SHAPES:
            self._shared.pop(next(iter(self._shared)), None)
        return self._recipes[kind]

    def _holds(self, x: np.ndarray) -> bool:
        """Whether what is kept for the function is still true: its Program gives the function's value, once."""
        if not self._checked:
            plain, _, captures = self._recipes["plain jacobian"]
            value = tree.flatten(self.value(x))[0]
            if self._run is None:
                found = plain.value(x, captures)
                self._checked = len(found) == len(value) and all(map(_identical, found, value))
                if not self._checked:
                    self._recipes.clear()
                    self._settle()
        return self._checked

    def value(self, x: Any) -> Any:
        """Return the function's value."""
        point = self._point
        if point is None or type(x) is not np.ndarray or x.dtype != point.dtype or self._records:
            x = self._at(x)
        elif self._bytes and x.shape == point.shape and (content := x.tobytes()) != self._bytes:
            self._point = x = x.copy()  # the quick way of what solvers do most: a small new point, nothing to record
            self._bytes = content
            self._run = None
            self._found = {}
            self.calls += 1
            value = self._found["value"] = self.function(x, *self.args)
            return value
        else:
            x = self._at(x)
        found = self._found
        if "value" not in found:
            if self._records:
                self._record(x, "jacobian")
            else:
                self.calls += 1
                found["value"] = self.function(x, *self.args)
        return found["value"]

    # ------------------------------------------------------------ derivatives

    def _evaluate(self, x: np.ndarray, kind: str) -> tuple[Recipe, np.ndarray, Sequence[Any]]:
        """Return the recipe, the entries in CSR order, and what the recipe's Programs are evaluated on."""
        found = self._found.get(kind)
        if found is not None:
            return found
        known = self._recipes.get(kind)
        result: Any = None
        if known is not None and self._run is None and not known[0].branches and self._holds(x):
            recipe, _, captures = known
            inputs = [x, *captures]
            data = recipe.values(inputs)
            if data is not None:
                result = (recipe, data, inputs)
        if result is None:
            run = self._record(x, kind)
            recipe, data = plans.evaluate(run, Options(kind))
            assert fits(recipe, run)
            self._keep(kind, recipe, run.key, [run.captures[i] for i in recipe.dynamic])
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
        slots = program.inputs[len(inputs) :]  # several where the function returns several arrays
        parts = np.split(np.ravel(vector), np.cumsum([prod(slot.shape) for slot in slots])[:-1])
        seeds = [part.reshape(slot.shape).astype(slot.dtype) for part, slot in zip(parts, slots, strict=True)]
        return np.concatenate([np.ravel(out) for out in program(*inputs, *seeds)])

    def _program(self, x: np.ndarray, kind: str) -> tuple[Program, Sequence[Any]]:
        """Return one of the product Programs and its inputs, without a seed."""
        plain, inputs = self._plain(x, "hessian" if kind in ("gradient", "hessian") else "jacobian")
        return plain.derived(kind), inputs

    def _plain(self, x: np.ndarray, kind: str) -> tuple[Plain, Sequence[Any]]:
        """Return what products differentiate (the Program of the function, or of its gradient) and its inputs."""
        known = self._found.get("plain " + kind)
        if known is None:
            kept = self._recipes.get("plain " + kind)
            if kept is not None and self._run is None and not kept[0].branches and self._holds(x):
                known = (kept[0], [x, *kept[2]])
            else:
                run = self._record(x, kind)
                if kept is None or kept[1] != run.key or not fits(kept[0], run):
                    plain = Plain(run, kind)
                    kept = self._keep("plain " + kind, plain, run.key, plain.captures(run))
                known = (kept[0], [x, *kept[0].captures(run)])
            self._found["plain " + kind] = known
        return known


class Reused:
    """A derivative by the first argument of a function whose other arguments are traced like it: one plan for all.

    The function runs once; again only where Python branches on values, or an order of elements is another one.
    """

    def __init__(self, function: Callable[..., Any], kind: str, name: str) -> None:
        self.function = function
        self.options = Options(kind)
        self.name = name
        self._known: tuple[Recipe, list[Any], list[Any]] | None = None

    def evaluate(self, *points: np.ndarray) -> tuple[Recipe, np.ndarray]:
        """Return the recipe and the entries in CSR order."""
        slots = [(point.shape, point.dtype) for point in points]
        if self._known is not None:
            recipe, captures, known = self._known
            if known == slots and not recipe.branches:
                data = recipe.values([*points, *captures])
                if data is not None:
                    return recipe, data
        run = Run(self.function, points, {}, 0, False, self.name, range(1, len(points)))
        recipe, data = plans.evaluate(run, self.options)
        self._known = recipe, [run.captures[i] for i in recipe.dynamic if i >= run.forced], slots
        return recipe, data


def _identical(a: Any, b: Any) -> bool:
    """Whether two results have the same bits, NaN included."""
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


Kept = dict[Any, dict[str, tuple[Any, Any, list[Any]]]]
SHAPES = 8
SMALL = 256  # elements: points up to this size are compared as bytes
_functions: WeakKeyDictionary[Any, Kept] = WeakKeyDictionary()


def _kept_for(function: Any) -> Kept:
    """Return what is known about a function object, by shape of its argument, as long as the function lives."""
    try:
        return _functions.setdefault(function, {})
    except TypeError:  # no weak references or no hash
        return {}


class Plain:
    """The Program of a function, or of its gradient, of the differentiated array and of captured arrays."""

    def __init__(self, run: Run, kind: str) -> None:
        self.branches = run.reads > 0
        self.baked = bake(run)
        self.dynamic = [i for i in range(len(run.captures)) if i not in self.baked]
        program = simplify(run.program(self.dynamic))
        self.program = gradient_program(program, len(run.inputs)) if kind == "hessian" else program
        self._derived: dict[str, Program] = {"gradient": self.program}
        self._function: Any = None

    def captures(self, run: Run) -> list[Any]:
        """Return the captured values that the Program takes."""
        return [run.captures[i] for i in self.dynamic]

    def value(self, x: np.ndarray, captures: Sequence[Any]) -> Sequence[Any]:
        """Return the function's results by the same NumPy calls that the function makes, bit for bit."""
        if x.shape != self.program.inputs[0].shape:
            return ()
        if self._function is None:
            self._function = compile_numpy(self.program)
        with np.errstate(all="ignore"):
            return self._function(x, *captures, *self.program.captures)

    def derived(self, kind: str) -> Program:
        """Return the Program of the gradient, or of products: "push", "pull" or "hessian"."""
        program = self._derived.get(kind)
        if program is None:
            derive = reverse_program if kind == "pull" else forward_program
            program = self._derived[kind] = simplify(derive(self.program, [0]))
        return program
